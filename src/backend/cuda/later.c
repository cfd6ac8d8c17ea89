/*
 * Copies to the client's memory that it does not wait for, and from it, where it is to be read when the stream comes
 * there.  To it: into pinned memory of ours, in the stream's order, behind
 * which the device writes a word.  Whoever is about to tell the client that something has ended (pl_cuda_later_tell())
 * first sends what has come by then; and a thread looks now and then, so that bytes travel while more are copied.
 *
 * Not by host functions of the stream, but where the driver can write no words: drivers run those one after the other,
 * so that one of the client's which waits for its program would keep back copies of other streams.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "backend/cuda/copy.h"
#include "backend/cuda/hostfn.h"
#include "backend/cuda/own.h"
#include "base/err.h"
#include "base/wait.h"

#define LATER_ROOM_MIN (64u << 10)
#define TAKEN_BYTES    (64u << 10) /* NVIDIA's driver takes so many bytes of pageable memory with the call */
#define WORD_BYTES     4096u       /* the word's page, behind the room */

/* The thread looks again after a sixteenth of the time for which nothing has come. */
#define LOOK_PART      16u
#define LOOK_NS_MIN    50000u
#define LOOK_NS_MAX    20000000u

struct pl_cuda_later {
	struct pl_cuda_session *session;
	uint64_t token, bytes; /* of the copy at hand; token 0: to the device, nothing is sent */
	uint64_t room, context;
	void *data;
	CUdeviceptr word; /* where the driver has the word; 0: it writes none, there are host functions */
	uint32_t value;   /* what it writes behind the copy at hand */
	bool busy;        /* these: under later_lock */
	bool runs;        /* somebody sends it */
	bool unheard;     /* nobody waits to hear of it: it is looked at when memory is wanted */
	bool orphan;      /* its context has ended meanwhile: who sends it frees it */
	struct pl_cuda_later *next;
	struct pl_cuda_later *next_out; /* of those that are under way, in the order of their calls */
};

static uint64_t whole_bytes(const struct pl_cuda_later *later)
{
	return later->room + WORD_BYTES;
}

static bool has_come(const struct pl_cuda_later *later)
{
	const _Atomic uint32_t *word = (const _Atomic uint32_t *)((const uint8_t *)later->data + later->room);

	return atomic_load_explicit(word, memory_order_acquire) == later->value;
}

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
	munmap(later->data, whole_bytes(later));
	pl_quota_return(&later->session->worker->quota, PL_QUOTA_HOST, later->room);
	free(later);
}

/* The memory is kept for the next copy. */
static void later_end(struct pl_cuda_later *later)
{
	struct pl_cuda_session *session = later->session;
	bool orphan;

	if (later->token) {
		later_send(later);
		pl_quota_return(&session->worker->quota, PL_QUOTA_INFLIGHT, later->bytes);
	}
	pthread_mutex_lock(&session->later_lock);
	later->busy = later->runs = false;
	orphan = later->orphan;
	pthread_mutex_unlock(&session->later_lock);
	if (orphan)
		later_free(later);
}

/* ---- by words ---- */

/* The first that has come, so that two of one stream go in their order.  NULL: none. */
static struct pl_cuda_later *come_take(struct pl_cuda_session *session)
{
	struct pl_cuda_later **at, *later;

	pthread_mutex_lock(&session->later_lock);
	for (at = &session->laters_out; *at && !has_come(*at);)
		at = &(*at)->next_out;
	later = *at;
	if (later) {
		*at = later->next_out;
		later->runs = true;
	}
	pthread_mutex_unlock(&session->later_lock);
	return later;
}

/* Return: something was sent. */
static bool come_send(struct pl_cuda_session *session)
{
	struct pl_cuda_later *later;
	bool any = false;

	pthread_mutex_lock(&session->later_send_lock);
	while ((later = come_take(session))) {
		later_end(later);
		atomic_fetch_sub(&session->laters_count, 1);
		any = true;
	}
	pthread_mutex_unlock(&session->later_send_lock);
	return any;
}

bool pl_cuda_later_is_any(struct pl_cuda_session *session)
{
	return atomic_load(&session->laters_count);
}

void pl_cuda_later_tell(struct pl_cuda_session *session)
{
	if (pl_cuda_later_is_any(session))
		(void)come_send(session);
}

static void look_later(uint64_t since_ns)
{
	uint64_t wait_ns = (pl_now_ns() - since_ns) / LOOK_PART;
	struct timespec wait = { 0 };

	if (wait_ns < LOOK_NS_MIN)
		wait_ns = LOOK_NS_MIN;
	wait.tv_nsec = (long)(wait_ns > LOOK_NS_MAX ? LOOK_NS_MAX : wait_ns);
	nanosleep(&wait, NULL);
}

static void *look_run(void *arg)
{
	struct pl_cuda_session *session = arg;
	uint64_t since_ns;

	pthread_setname_np(pthread_self(), "plenum-copied");
	for (;;) {
		pthread_mutex_lock(&session->later_lock);
		while (!session->laters_out)
			pthread_cond_wait(&session->later_some, &session->later_lock);
		pthread_mutex_unlock(&session->later_lock);
		since_ns = pl_now_ns();
		while (atomic_load(&session->laters_count)) {
			look_later(since_ns);
			if (come_send(session))
				since_ns = pl_now_ns();
		}
	}
	return NULL;
}

/* Called with later_lock held.  Return: it runs. */
static bool looks(struct pl_cuda_session *session)
{
	pthread_t thread;

	if (!session->later_looks && !pthread_create(&thread, NULL, look_run, session)) {
		pthread_detach(thread);
		session->later_looks = true;
	}
	return session->later_looks;
}

static CUresult word_put(struct pl_cuda_later *later, CUstream stream, bool per_thread)
{
	struct pl_cuda_session *session = later->session;
	struct pl_cuda_later **at;
	CUresult r = pl_cuda_word_write(stream, per_thread, later->word, ++later->value);

	if (r)
		return r;
	pthread_mutex_lock(&session->later_lock);
	if (!later->token) {
		later->unheard = true;
		pthread_mutex_unlock(&session->later_lock);
		return CUDA_SUCCESS;
	}
	if (!session->laters_out)
		pthread_cond_signal(&session->later_some);
	for (at = &session->laters_out; *at;)
		at = &(*at)->next_out;
	*at = later;
	later->next_out = NULL;
	atomic_fetch_add(&session->laters_count, 1);
	pthread_mutex_unlock(&session->later_lock);
	return CUDA_SUCCESS;
}

/* ---- by host functions ---- */

/* No call of the driver's is allowed in it. */
static void CUDA_CB later_run(void *user)
{
	struct pl_cuda_later *later = user;

	pthread_mutex_lock(&later->session->later_lock);
	later->runs = true;
	pthread_mutex_unlock(&later->session->later_lock);
	later_end(later);
}

static CUresult function_put(struct pl_cuda_later *later, CUstream stream, bool per_thread)
{
	__typeof__(&cuLaunchHostFunc) run = per_thread ? pl_cuda.cuLaunchHostFunc_ptsz : pl_cuda.cuLaunchHostFunc;

	return run ? run(stream, later_run, later) : CUDA_ERROR_NOT_SUPPORTED;
}

/* ---- memory ---- */

/* Called with later_lock held. */
static bool is_free(struct pl_cuda_later *later)
{
	if (later->unheard && has_come(later))
		later->unheard = later->busy = false;
	return !later->busy;
}

static struct pl_cuda_later *later_find(struct pl_cuda_session *session, uint64_t bytes)
{
	struct pl_cuda_later *found = NULL;

	pthread_mutex_lock(&session->later_lock);
	for (struct pl_cuda_later *later = session->laters; later && !found; later = later->next)
		if (later->room >= bytes && later->context == pl_cuda_current && is_free(later))
			found = later;
	if (found)
		found->busy = true;
	pthread_mutex_unlock(&session->later_lock);
	return found;
}

/* 0: there is none. */
static CUdeviceptr word_of(const struct pl_cuda_later *later)
{
	CUdeviceptr device = 0;

	if ((!pl_cuda.cuStreamWriteValue32_v2 && !pl_cuda.cuStreamWriteValue32) ||
	    !pl_cuda.cuMemHostGetDevicePointer_v2 || pl_cuda.cuMemHostGetDevicePointer_v2(&device, later->data, 0))
		return 0;
	return device + later->room;
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
	later->data = mmap(NULL, whole_bytes(later), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (later->data == MAP_FAILED ||
	    pl_cuda_own_register(later->data, whole_bytes(later), CU_MEMHOSTREGISTER_DEVICEMAP)) {
		if (later->data != MAP_FAILED)
			munmap(later->data, whole_bytes(later));
		pl_quota_return(quota, PL_QUOTA_HOST, room);
		free(later);
		return NULL;
	}
	later->word = word_of(later);
	pthread_mutex_lock(&session->later_lock);
	if (!looks(session))
		later->word = 0;
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

/* Behind what the stream was given with this memory. */
static CUresult end_put(struct pl_cuda_later *later, CUstream stream, bool per_thread)
{
	if (later->word) {
		if (!word_put(later, stream, per_thread))
			return CUDA_SUCCESS;
		later->word = 0; /* nor for the next ones */
	}
	return function_put(later, stream, per_thread);
}

static int32_t later_put(struct pl_cuda_later *later, const struct pl_cuda_cuMemcpyDtoHAsync_v2_args *args,
			 CUstream stream)
{
	__typeof__(&cuMemcpyDtoHAsync_v2) copy =
		args->per_thread ? pl_cuda.cuMemcpyDtoHAsync_v2_ptsz : pl_cuda.cuMemcpyDtoHAsync_v2;
	CUresult r = copy ? copy(later->data, args->from, args->size, stream) : CUDA_ERROR_NOT_SUPPORTED;

	if (r)
		return (int32_t)r;
	later->token = args->token;
	later->bytes = args->size;
	r = end_put(later, stream, args->per_thread);
	if (r)
		(void)pl_cuda_own_wait(stream, args->per_thread); /* the device is done with the memory */
	return (int32_t)r;
}

/* To who asked for bytes that could have come at once: they come by themselves. */
static void comes_answer(struct pl_serve *serve)
{
	struct pl_cuda_cuMemcpyDtoHAsync_v2_reply reply = { .data = { .kind = PL_BULK_INLINE } };

	if (pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_cuMemcpyDtoHAsync_v2_reply_bytes(&reply), 0))
		return;
	pl_cuda_cuMemcpyDtoHAsync_v2_reply_put(&serve->reply_enc, &reply);
	(void)pl_serve_reply_end(serve);
}

bool pl_cuda_later_copy(struct pl_serve *serve, const struct pl_cuda_cuMemcpyDtoHAsync_v2_args *args, CUstream stream)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	struct pl_cuda_later *later;
	int32_t status;

	/* With the turn held, as all that uses a context's memory for this: what ends the context comes before or
	 * after. */
	if (args->size > PL_CUDA_LATER_BYTES_MAX || !serve->turn_held ||
	    serve->head->op != PL_CUDA_OP_cuMemcpyDtoHAsync_v2) {
		pl_serve_refuse(serve, CUDA_ERROR_INVALID_VALUE);
		return false;
	}
	later = later_find(session, args->size);
	if (!later)
		later = later_create(session, args->size);
	status = later ? later_put(later, args, stream) : CUDA_ERROR_OUT_OF_MEMORY;
	if (status && later)
		later_idle(later);
	if (status || !serve->asked)
		pl_cuda_result(serve, status, args->stream);
	else
		comes_answer(serve);
	return !status;
}

/* ---- to the device ---- */

/* Once the client is to be asked for the bytes the answer is success: it keeps the token until that has happened.  What
 * the driver says of the copy is told as of a posted one. */
static int32_t taken_put(struct pl_cuda_later *later, const struct pl_cuda_plCopyLater_args *args, CUstream stream)
{
	__typeof__(&cuLaunchHostFunc) run = args->per_thread ? pl_cuda.cuLaunchHostFunc_ptsz : pl_cuda.cuLaunchHostFunc;
	__typeof__(&cuMemcpyHtoDAsync_v2) copy =
		args->per_thread ? pl_cuda.cuMemcpyHtoDAsync_v2_ptsz : pl_cuda.cuMemcpyHtoDAsync_v2;
	struct pl_cuda_hostfn *ask = calloc(1, sizeof(*ask));
	CUresult r = CUDA_ERROR_OUT_OF_MEMORY;

	if (ask) {
		*ask = (struct pl_cuda_hostfn){
			.session = later->session, .token = args->token, .data = later->data, .bytes = args->size
		};
		r = run && copy ? run(stream, pl_cuda_hostfn_call, ask) : CUDA_ERROR_NOT_SUPPORTED;
	}
	if (r) {
		free(ask);
		later_idle(later);
		return (int32_t)r;
	}
	later->token = 0;
	later->bytes = args->size;
	r = copy(args->address, later->data, args->size, stream);
	if (pl_cuda_is_sticky((int32_t)r))
		pl_cuda_context_failed(later->session, (int32_t)r); /* the driver repeats it itself */
	else if (r)
		pl_cuda_late_keep(later->session, (int32_t)r, args->stream);
	if (end_put(later, stream, args->per_thread) && !pl_cuda_own_wait(stream, args->per_thread))
		later_idle(later); /* else it is never used again */
	return CUDA_SUCCESS;
}

/* A blocking stream follows the legacy one, too, which may wait where the stream itself is empty.  While something is
 * captured nobody may ask that one. */
static bool follows_legacy(const struct pl_cuda_session *session, CUstream stream)
{
	unsigned int flags = 0;

	if (!stream || stream == CU_STREAM_LEGACY || session->captured)
		return false;
	if (stream == CU_STREAM_PER_THREAD)
		return true;
	return !pl_cuda.cuStreamGetFlags || pl_cuda.cuStreamGetFlags(stream, &flags) ||
	       !(flags & CU_STREAM_NON_BLOCKING);
}

/* Of few bytes the driver waits for nothing: the first of them is in the stream then, and the next ones see that. */
static bool is_held(const struct pl_cuda_session *session, CUstream stream, bool per_thread, uint64_t bytes)
{
	if (!stream && per_thread)
		stream = CU_STREAM_PER_THREAD;
	if (pl_cuda_own_query(stream, per_thread) == CUDA_ERROR_NOT_READY)
		return true;
	return bytes > TAKEN_BYTES && follows_legacy(session, stream) &&
	       pl_cuda_own_query(CU_STREAM_LEGACY, false) == CUDA_ERROR_NOT_READY;
}

bool pl_cuda_later_to(struct pl_cuda_session *session, const struct pl_cuda_cuMemcpyHtoDAsync_v2_args *args,
		      const void *data, CUstream stream, int32_t *status)
{
	__typeof__(&cuMemcpyHtoDAsync_v2) copy =
		args->per_thread ? pl_cuda.cuMemcpyHtoDAsync_v2_ptsz : pl_cuda.cuMemcpyHtoDAsync_v2;
	struct pl_cuda_later *later;

	if (!args->size || args->size > PL_CUDA_LATER_BYTES_MAX || !copy ||
	    (args->size <= TAKEN_BYTES && !session->host->idle) ||
	    !is_held(session, stream, args->per_thread, args->size))
		return false;
	/* Host memory that the device reaches is read when the stream comes to it, and nobody waits for that. */
	if (args->data.kind == PL_BULK_ARENA && pl_cuda_address_known((uintptr_t)data, args->size))
		return false;
	later = later_find(session, args->size);
	if (!later)
		later = later_create(session, args->size);
	if (!later)
		return false;
	memcpy(later->data, data, args->size);
	later->token = 0;
	later->bytes = args->size;
	*status = (int32_t)copy(args->to, later->data, args->size, stream);
	if (*status || (end_put(later, stream, args->per_thread) && !pl_cuda_own_wait(stream, args->per_thread)))
		later_idle(later);
	return true;
}

void pl_cuda_serve_plCopyLater(struct pl_serve *serve, const struct pl_cuda_plCopyLater_args *args)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	struct pl_cuda_later *later;
	int32_t status;
	void *stream;

	if (!args->size || args->size > PL_CUDA_LATER_BYTES_MAX) {
		pl_serve_refuse(serve, CUDA_ERROR_INVALID_VALUE);
		return;
	}
	if (!pl_cuda_take(serve, args->stream, PL_CUDA_KIND_stream, &stream, &status)) {
		pl_cuda_result(serve, status, 0);
		return;
	}
	status = CUDA_ERROR_INVALID_VALUE;
	if (pl_cuda_passing_refused(session, stream, args->per_thread, false)) {
		status = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
	} else if (pl_cuda_address_open(args->address, args->size)) {
		later = later_find(session, args->size);
		if (!later)
			later = later_create(session, args->size);
		status = later ? taken_put(later, args, stream) : CUDA_ERROR_OUT_OF_MEMORY;
	}
	pl_cuda_result(serve, status, 0);
}

/* ---- */

/* Called with later_lock held. */
static void out_forget(struct pl_cuda_session *session, const struct pl_cuda_later *later)
{
	struct pl_cuda_later **at = &session->laters_out;

	while (*at && *at != later)
		at = &(*at)->next_out;
	if (!*at)
		return;
	*at = later->next_out;
	atomic_fetch_sub(&session->laters_count, 1);
}

void pl_cuda_later_context_leaves(struct pl_cuda_session *session, uint64_t context, uint64_t left)
{
	pthread_mutex_lock(&session->later_lock);
	for (struct pl_cuda_later *later = session->laters; later; later = later->next)
		if (later->context == context)
			later->context = left;
	pthread_mutex_unlock(&session->later_lock);
}

void pl_cuda_later_context_left(struct pl_cuda_session *session, uint64_t left)
{
	struct pl_cuda_later *ended = NULL;

	pl_cuda_later_tell(session);
	pthread_mutex_lock(&session->later_lock);
	for (struct pl_cuda_later **at = &session->laters; *at;) {
		struct pl_cuda_later *later = *at;

		if (later->context != left) {
			at = &later->next;
			continue;
		}
		*at = later->next;
		out_forget(session, later);
		later->orphan = later->runs;
		if (later->busy && !later->runs && later->token)
			pl_quota_return(&session->worker->quota, PL_QUOTA_INFLIGHT, later->bytes);
		if (later->runs)
			continue;
		later->next = ended;
		ended = later;
	}
	pthread_mutex_unlock(&session->later_lock);
	while (ended) {
		struct pl_cuda_later *next = ended->next;

		pl_cuda_hostfn_data_gone(session, ended->data);
		later_free(ended);
		ended = next;
	}
}
