/*
 * Copies to the client's memory that it does not wait for: into pinned memory of ours, in the stream's order, and from
 * there to the client by a host function of the same stream, so that whoever waits for the stream has them.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "backend/cuda/copy.h"
#include "base/err.h"

#define LATER_ROOM_MIN (64u << 10)

struct pl_cuda_later {
	struct pl_cuda_session *session;
	uint64_t token, bytes; /* of the copy at hand */
	uint64_t room, context;
	void *data;
	bool busy;   /* these: under later_lock */
	bool runs;   /* the driver's thread is in it */
	bool orphan; /* its context has ended meanwhile: who is in it frees it */
	struct pl_cuda_later *next;
};

/* What the client has asked for is sent in any case, also where it has gone meanwhile: the lane is broken then. */
static void later_send(const struct pl_cuda_later *later)
{
	struct pl_cuda_plCopied_args args = { .token = later->token, .size = later->bytes };
	struct pl_session_worker *worker = later->session->worker;
	struct pl_enc enc;

	if (pl_reverse_begin(worker, PL_CUDA_OP_plCopied, pl_cuda_plCopied_bytes(&args), later->bytes, &enc))
		return;
	pl_cuda_plCopied_put(&enc, &args);
	(void)pl_reverse_end(worker, later->data, later->bytes);
}

/* The driver has let go of the memory. */
static void later_free(struct pl_cuda_later *later)
{
	munmap(later->data, later->room);
	pl_quota_return(&later->session->worker->quota, PL_QUOTA_HOST, later->room);
	free(later);
}

/* No call of the driver's is allowed in it, so the memory is kept for the next copy. */
static void CUDA_CB later_run(void *user)
{
	struct pl_cuda_later *later = user;
	struct pl_cuda_session *session = later->session;
	bool orphan;

	pthread_mutex_lock(&session->later_lock);
	later->runs = true;
	pthread_mutex_unlock(&session->later_lock);
	later_send(later);
	pl_quota_return(&session->worker->quota, PL_QUOTA_INFLIGHT, later->bytes);
	pthread_mutex_lock(&session->later_lock);
	later->busy = later->runs = false;
	orphan = later->orphan;
	pthread_mutex_unlock(&session->later_lock);
	if (orphan)
		later_free(later);
}

static struct pl_cuda_later *later_find(struct pl_cuda_session *session, uint64_t bytes)
{
	struct pl_cuda_later *found = NULL;

	pthread_mutex_lock(&session->later_lock);
	for (struct pl_cuda_later *later = session->laters; later && !found; later = later->next)
		if (!later->busy && later->room >= bytes && later->context == pl_cuda_current)
			found = later;
	if (found)
		found->busy = true;
	pthread_mutex_unlock(&session->later_lock);
	return found;
}

/* Charged as host memory of the session's. */
static struct pl_cuda_later *later_create(struct pl_cuda_session *session, uint64_t bytes)
{
	struct pl_quota *quota = &session->worker->quota;
	struct pl_cuda_later *later = malloc(sizeof(*later));
	uint64_t room = LATER_ROOM_MIN;

	while (room < bytes)
		room *= 2;
	if (!later || !pl_cuda.cuMemHostRegister_v2 || !pl_quota_charge(quota, PL_QUOTA_HOST, room)) {
		free(later);
		return NULL;
	}
	*later = (struct pl_cuda_later){ .session = session, .room = room, .context = pl_cuda_current, .busy = true };
	later->data = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (later->data == MAP_FAILED || pl_cuda.cuMemHostRegister_v2(later->data, room, 0)) {
		if (later->data != MAP_FAILED)
			munmap(later->data, room);
		pl_quota_return(quota, PL_QUOTA_HOST, room);
		free(later);
		return NULL;
	}
	pthread_mutex_lock(&session->later_lock);
	later->next = session->laters;
	session->laters = later;
	pthread_mutex_unlock(&session->later_lock);
	return later;
}

static void later_idle(struct pl_cuda_later *later)
{
	pthread_mutex_lock(&later->session->later_lock);
	later->busy = false;
	pthread_mutex_unlock(&later->session->later_lock);
}

static int32_t later_put(struct pl_cuda_later *later, const struct pl_cuda_cuMemcpyDtoHAsync_v2_args *args,
			 CUstream stream)
{
	__typeof__(&cuMemcpyDtoHAsync_v2) copy =
		args->per_thread ? pl_cuda.cuMemcpyDtoHAsync_v2_ptsz : pl_cuda.cuMemcpyDtoHAsync_v2;
	__typeof__(&cuLaunchHostFunc) run = args->per_thread ? pl_cuda.cuLaunchHostFunc_ptsz : pl_cuda.cuLaunchHostFunc;
	__typeof__(&cuStreamSynchronize) wait =
		args->per_thread ? pl_cuda.cuStreamSynchronize_ptsz : pl_cuda.cuStreamSynchronize;
	CUresult r = copy && run && wait ? copy(later->data, args->from, args->size, stream) : CUDA_ERROR_NOT_SUPPORTED;

	if (r)
		return (int32_t)r;
	later->token = args->token;
	later->bytes = args->size;
	r = run(stream, later_run, later);
	if (r)
		(void)wait(stream); /* the device is done with the memory */
	return (int32_t)r;
}

void pl_cuda_later_copy(struct pl_serve *serve, const struct pl_cuda_cuMemcpyDtoHAsync_v2_args *args, CUstream stream)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	struct pl_cuda_later *later;
	int32_t status;

	if (args->size > PL_CUDA_LATER_BYTES_MAX || serve->asked ||
	    serve->head->op != PL_CUDA_OP_cuMemcpyDtoHAsync_v2) {
		pl_serve_refuse(serve, CUDA_ERROR_INVALID_VALUE);
		return;
	}
	later = later_find(session, args->size);
	if (!later)
		later = later_create(session, args->size);
	status = later ? later_put(later, args, stream) : CUDA_ERROR_OUT_OF_MEMORY;
	if (!status)
		pl_cuda_charge_keep();
	else if (later)
		later_idle(later);
	pl_cuda_result(serve, status, args->stream);
}

/* The driver has let go of the memory, and calls no further function of this context. */
void pl_cuda_later_context_left(struct pl_cuda_session *session, uint64_t context)
{
	struct pl_cuda_later *left = NULL;

	pthread_mutex_lock(&session->later_lock);
	for (struct pl_cuda_later **at = &session->laters; *at;) {
		struct pl_cuda_later *later = *at;

		if (later->context != context) {
			at = &later->next;
			continue;
		}
		*at = later->next;
		later->orphan = later->runs;
		if (later->busy && !later->runs)
			pl_quota_return(&session->worker->quota, PL_QUOTA_INFLIGHT, later->bytes);
		if (later->runs)
			continue;
		later->next = left;
		left = later;
	}
	pthread_mutex_unlock(&session->later_lock);
	while (left) {
		struct pl_cuda_later *next = left->next;

		later_free(left);
		left = next;
	}
}
