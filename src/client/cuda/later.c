#include "client/cuda/later.h"

#include <errno.h>

#include "client/cuda/mark.h"

struct copy {
	uint64_t token, address, bytes;
	struct pl_session *session;
	bool arrives; /* somebody takes its bytes just now */
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t change;
	struct copy copies[PL_CUDA_LATER_MAX]; /* under lock, here and below */
	_Atomic uint32_t count;                /* looked at without the lock, too */
	uint64_t bytes, tokens;
} later = { .lock = PTHREAD_MUTEX_INITIALIZER, .change = PTHREAD_COND_INITIALIZER };

/* Called with the lock held.  PL_CUDA_LATER_MAX: none. */
static uint32_t copy_of(uint64_t token)
{
	for (uint32_t i = 0; i < later.count; i++)
		if (later.copies[i].token == token)
			return i;
	return PL_CUDA_LATER_MAX;
}

/* Called with the lock held. */
static void copy_remove(uint32_t at)
{
	later.bytes -= later.copies[at].bytes;
	later.copies[at] = later.copies[--later.count];
	pthread_cond_broadcast(&later.change);
}

uint64_t pl_cuda_later_enter(struct pl_session *session, void *host, uint64_t bytes)
{
	uint64_t token = 0;

	pthread_mutex_lock(&later.lock);
	if (later.count < PL_CUDA_LATER_MAX && bytes <= PL_CUDA_LATER_BYTES_SUM - later.bytes) {
		token = ++later.tokens;
		later.copies[later.count++] =
			(struct copy){ .token = token, .address = (uintptr_t)host, .bytes = bytes, .session = session };
		later.bytes += bytes;
	}
	pthread_mutex_unlock(&later.lock);
	return token;
}

void pl_cuda_later_cancel(uint64_t token)
{
	uint32_t at;

	pthread_mutex_lock(&later.lock);
	at = copy_of(token);
	if (at < PL_CUDA_LATER_MAX)
		copy_remove(at);
	pthread_mutex_unlock(&later.lock);
}

bool pl_cuda_later_arrived(struct pl_session *session, uint64_t token, uint64_t bytes, uint64_t bulk_bytes)
{
	uint64_t address = 0;
	uint32_t at;

	pthread_mutex_lock(&later.lock);
	at = copy_of(token);
	if (at < PL_CUDA_LATER_MAX && later.copies[at].session == session && later.copies[at].bytes == bytes &&
	    bulk_bytes == bytes) {
		later.copies[at].arrives = true;
		address = later.copies[at].address;
	}
	pthread_mutex_unlock(&later.lock);
	if (!address)
		return false;
	(void)pl_session_reverse_bulk(session, (void *)(uintptr_t)address, bytes);
	pl_cuda_later_cancel(token);
	return true;
}

/* Called with the lock held.  Return: the copy that goes there, or PL_CUDA_LATER_MAX. */
static uint32_t copy_into(uint64_t address, uint64_t bytes)
{
	for (uint32_t i = 0; i < later.count; i++)
		if (later.copies[i].address < address + bytes &&
		    address < later.copies[i].address + later.copies[i].bytes)
			return i;
	return PL_CUDA_LATER_MAX;
}

void pl_cuda_later_forget(uint64_t address, uint64_t bytes)
{
	uint32_t at;

	pthread_mutex_lock(&later.lock);
	while ((at = copy_into(address, bytes)) < PL_CUDA_LATER_MAX)
		if (later.copies[at].arrives)
			pthread_cond_wait(&later.change, &later.lock);
		else
			copy_remove(at);
	pthread_mutex_unlock(&later.lock);
}

bool pl_cuda_later_comes(uint64_t address, uint64_t bytes)
{
	bool any;

	if (!atomic_load(&later.count))
		return false;
	pthread_mutex_lock(&later.lock);
	any = copy_into(address, bytes) < PL_CUDA_LATER_MAX;
	pthread_mutex_unlock(&later.lock);
	return any;
}

CUresult pl_cuda_later_wait(bool per_thread, CUstream stream)
{
	CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_RELAXED;
	bool captures = !pl_cuda_captures_none();
	CUresult result;

	if (captures)
		(void)cuThreadExchangeStreamCaptureMode(&mode);
	result = per_thread ? cuStreamSynchronize_ptsz(stream) : cuStreamSynchronize(stream);
	if (captures)
		(void)cuThreadExchangeStreamCaptureMode(&mode);
	return result;
}

CUresult pl_cuda_later_ahead(const void *host, uint64_t bytes, bool per_thread, CUstream stream)
{
	return pl_cuda_later_comes((uintptr_t)host, bytes) ? pl_cuda_later_wait(per_thread, stream) : CUDA_SUCCESS;
}

/* The answer comes behind the bytes of all that has ended; what failed never comes. */
void pl_cuda_later_settle(struct pl_session *session, uint64_t address, uint64_t bytes)
{
	struct pl_cuda_cuCtxSynchronize_args older = { 0 };
	struct pl_cuda_plWaited_args args = { 0 };
	struct pl_reply reply;

	if (!pl_cuda_later_comes(address, bytes))
		return;
	if (PL_CUDA_ASK(session, plWaited, &args, &reply) == -ENOSYS) /* what is late is lost there */
		(void)PL_CUDA_ASK(session, cuCtxSynchronize, &older, &reply);
	pl_cuda_later_forget(address, bytes);
}

void pl_cuda_later_session_lost(const struct pl_session *session)
{
	pthread_mutex_lock(&later.lock);
	for (uint32_t i = later.count; i--;)
		if (later.copies[i].session == session && !later.copies[i].arrives)
			copy_remove(i);
	pthread_mutex_unlock(&later.lock);
}
