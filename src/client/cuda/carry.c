#include "client/cuda/carry.h"

#include <stdlib.h>
#include <time.h>

#include "base/err.h"
#include "base/threads.h"
#include "client/cuda/graph.h"
#include "cuda/carries.h"

#define ENDS        2u
#define STREAMS_MAX 8u        /* of a carrier: contexts whose streams it keeps */
#define LOOK_NS     10000000u /* how often who waits looks whether the stream can still come */

/* All calls of the program's so far, to the server of an end. */
struct behind {
	struct pl_session *session;
	uint64_t ticket;
};

struct carry {
	struct pl_cuda_carried what;
	uint64_t token, stream; /* the stream as its server knows it */
	struct pl_session *session;
	struct pl_cuda_context *context;
	struct behind behind[ENDS];
	int32_t status;
	bool due;  /* a carrier has it, or will: nobody else may free it */
	bool idle; /* it copies nothing: what it uses is gone */
	struct carry *next, *next_due;
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t more, less;
	struct carry *all; /* under lock, here and below */
	struct carry *due, **due_end;
	uint32_t queued, threads, ready; /* ready: will take what is queued, each of them one */
	_Atomic uint32_t count;
} carries = { .lock = PTHREAD_MUTEX_INITIALIZER,
	      .more = PTHREAD_COND_INITIALIZER,
	      .less = PTHREAD_COND_INITIALIZER,
	      .due_end = &carries.due };

__thread bool pl_cuda_carrier __attribute__((tls_model("initial-exec")));

/* ---- carriers ---- */

CUstream pl_cuda_carry_stream(void)
{
	static __thread struct {
		struct pl_cuda_context *context;
		CUstream stream;
	} kept[STREAMS_MAX];
	static __thread unsigned int oldest;
	struct pl_cuda_context *top = pl_cuda_thread.top;
	const struct pl_cuda_object *object;
	CUstream stream;

	for (unsigned int i = 0; i < STREAMS_MAX; i++) {
		object = kept[i].context == top ? pl_cuda_get(PL_CUDA_KIND_stream, kept[i].stream) : NULL;
		if (object && object->context == top)
			return kept[i].stream;
	}
	if (!top || cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING))
		return NULL;
	if (pl_cuda_get(PL_CUDA_KIND_stream, kept[oldest].stream))
		(void)cuStreamDestroy_v2(kept[oldest].stream);
	kept[oldest].context = top;
	kept[oldest].stream = stream;
	oldest = (oldest + 1) % STREAMS_MAX;
	return stream;
}

CUresult pl_cuda_carry_wait(CUstream stream)
{
	struct pl_cuda_cuStreamSynchronize_args args = { 0 };
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter_of(PL_CUDA_OP_cuStreamSynchronize, PL_CUDA_KIND_stream, stream, &session);
	int r;

	if (result)
		return result;
	args.stream = pl_cuda_id(session, PL_CUDA_KIND_stream, stream);
	if (!args.stream)
		return CUDA_ERROR_INVALID_HANDLE;
	r = PL_CUDA_ASK(session, cuStreamSynchronize, &args, &reply);
	return pl_cuda_answer(r, &reply);
}

static void done_tell(const struct carry *carry, CUresult result)
{
	struct pl_cuda_plPeerDone_args args = { .token = carry->token,
						.status = (int32_t)result,
						.stream = carry->stream };
	struct pl_call call;

	if (pl_call_begin(&call, carry->session, PL_CUDA_OP_plPeerDone, pl_cuda_plPeerDone_bytes(&args)))
		return; /* the session is lost, and with it the stream */
	pl_cuda_plPeerDone_put(&call.enc, &args);
	(void)pl_call_post_free(&call);
}

/* Called with the lock held.  Frees it. */
static void carry_leave(struct carry *carry)
{
	struct carry **at = &carries.all;

	while (*at != carry)
		at = &(*at)->next;
	*at = carry->next;
	atomic_fetch_sub(&carries.count, 1);
	pthread_cond_broadcast(&carries.less);
	pl_cuda_handle_destroy(carry->token);
	free(carry);
}

static void carry_run(struct carry *carry)
{
	CUresult result = CUDA_SUCCESS; /* an error of its context's is told by the driver */

	if (!carry->status && !carry->idle) {
		for (unsigned int i = 0; i < ENDS && !result; i++) {
			struct pl_cuda_plPeerBehind_args args = { .ticket = carry->behind[i].ticket };

			if (carry->behind[i].session)
				result = PL_CUDA_POST(carry->behind[i].session, plPeerBehind, &args);
		}
		if (!result)
			result = pl_cuda_carry_make(&carry->what);
		if (result)
			pl_log_info("a copy between servers failed behind its call: %d", (int)result);
	}
	done_tell(carry, result);
}

static void *carrier_run(void *unused)
{
	CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_RELAXED; /* what the program captures is no affair of ours */

	(void)unused;
	pthread_setname_np(pthread_self(), "plenum-carrier");
	pl_session_thread_outside(pl_cuda_op_carries);
	pl_cuda_carrier = true;
	(void)cuThreadExchangeStreamCaptureMode(&mode);
	pthread_mutex_lock(&carries.lock);
	for (;;) {
		struct carry *carry = carries.due;

		if (!carry) {
			pthread_cond_wait(&carries.more, &carries.lock);
			continue;
		}
		carries.due = carry->next_due;
		if (!carries.due)
			carries.due_end = &carries.due;
		carries.queued--;
		carries.ready--;
		pthread_mutex_unlock(&carries.lock);
		carry_run(carry);
		pthread_mutex_lock(&carries.lock);
		carries.ready++;
		carry_leave(carry);
	}
	return NULL;
}

/* Called with the lock held.  One that was woken but has not come yet is one copy's, not the next one's as well: a copy
 * may wait for another.  Return: there is somebody. */
static bool carrier_wake(void)
{
	pthread_attr_t attr;
	pthread_t thread;
	bool made;

	pthread_cond_signal(&carries.more);
	if (carries.ready >= carries.queued || carries.threads == PL_CUDA_CARRIERS_MAX)
		return true;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	made = !pthread_create(&thread, &attr, carrier_run, NULL);
	pthread_attr_destroy(&attr);
	atomic_fetch_add(&pl_threads_own, made);
	carries.threads += made;
	carries.ready += made;
	return carries.threads;
}

/* On whichever thread pumps: quick. */
bool pl_cuda_carry_reached(const struct pl_session *session, uint64_t token, int32_t status)
{
	struct carry *carry;
	bool ours;

	pthread_mutex_lock(&carries.lock);
	carry = pl_cuda_handle_find(token, PL_CUDA_KIND_carry);
	ours = carry && carry->session == session;
	if (ours && !carry->due) {
		carry->due = true;
		carry->status = status;
		*carries.due_end = carry;
		carries.due_end = &carry->next_due;
		carries.queued++;
		if (!carrier_wake())
			pl_log_error("no thread: a copy between servers waits");
	}
	pthread_mutex_unlock(&carries.lock);
	return ours;
}

/* ---- into a stream ---- */

/* Calls outside the order are known to servers of our release; pages of managed memory are given up in the order. */
static bool session_takes(const struct pl_session *session)
{
	return !session->agreement && !atomic_load(&session->before);
}

static bool ends_note(struct carry *carry)
{
	const CUdeviceptr at[ENDS] = { carry->what.dst.at, carry->what.src.at };
	struct pl_cuda_memory memory;

	for (unsigned int i = 0; i < ENDS; i++) {
		if (!pl_cuda_memory_find(at[i], &memory) || memory.mirrored || !session_takes(memory.session))
			return false;
		if (memory.session != carry->session)
			carry->behind[i] = (struct behind){ memory.session, atomic_load(&memory.session->ticket) };
	}
	return true;
}

static bool carry_enter(struct carry *carry)
{
	bool entered;

	pthread_mutex_lock(&carries.lock);
	entered = atomic_load(&carries.count) < PL_CUDA_CARRIES_MAX;
	if (entered)
		carry->token = pl_cuda_handle_create(PL_CUDA_KIND_carry, carry);
	entered = carry->token;
	if (entered) {
		carry->next = carries.all;
		carries.all = carry;
		atomic_fetch_add(&carries.count, 1);
	}
	pthread_mutex_unlock(&carries.lock);
	return entered;
}

static CUresult hold_post(struct carry *carry, bool per_thread)
{
	struct pl_cuda_cuLaunchHostFunc_args args = { .stream = carry->stream,
						      .token = carry->token,
						      .per_thread = per_thread };
	struct pl_session *session = carry->session;
	struct pl_call call;
	int r = pl_call_begin(&call, session, PL_CUDA_OP_cuStreamAddCallback, pl_cuda_cuLaunchHostFunc_bytes(&args));

	if (r) { /* else it may have gone already */
		pthread_mutex_lock(&carries.lock);
		carry_leave(carry);
		pthread_mutex_unlock(&carries.lock);
		return pl_cuda_fault(r);
	}
	pl_cuda_cuLaunchHostFunc_put(&call.enc, &args);
	r = pl_call_post(&call);
	if (r)
		pl_cuda_carry_session_lost(session);
	return r ? pl_cuda_fault(r) : CUDA_SUCCESS;
}

bool pl_cuda_carry(CUstream stream, bool per_thread, const struct pl_cuda_carried *what, CUresult *result_out)
{
	const struct pl_cuda_object *object = pl_cuda_get(PL_CUDA_KIND_stream, stream);
	struct carry *carry = calloc(1, sizeof(*carry));

	if (!carry)
		return false;
	carry->what = *what;
	carry->context = object ? object->context : pl_cuda_thread.top;
	*result_out = pl_cuda_enter_of(PL_CUDA_OP_cuStreamAddCallback, PL_CUDA_KIND_stream, stream, &carry->session);
	if (!*result_out) {
		carry->stream = pl_cuda_id(carry->session, PL_CUDA_KIND_stream, stream);
		if (stream && !carry->stream)
			*result_out = CUDA_ERROR_INVALID_HANDLE;
	}
	if (*result_out || pl_cuda_is_captured(stream, per_thread) || !session_takes(carry->session) ||
	    !ends_note(carry) || !carry_enter(carry)) {
		free(carry);
		return *result_out;
	}
	*result_out = hold_post(carry, per_thread);
	return true;
}

/* ---- ends ---- */

static bool overlap(const struct pl_cuda_range *range, const struct pl_cuda_memory *memory)
{
	return range->at < memory->address + memory->bytes && memory->address < range->at + range->bytes;
}

/* Called with the lock held. */
static struct carry *carry_of(const struct pl_cuda_memory *memory)
{
	for (struct carry *carry = carries.all; carry; carry = carry->next)
		if (!carry->idle && (overlap(&carry->what.dst, memory) || overlap(&carry->what.src, memory)))
			return carry;
	return NULL;
}

/* Called with the lock held. */
static void look_again(void)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += LOOK_NS;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_cond_timedwait(&carries.less, &carries.lock, &until);
}

/* A stream whose context has ended need not come to it any more. */
void pl_cuda_carry_settle(CUdeviceptr address)
{
	struct pl_cuda_memory memory;
	struct carry *carry;

	if (__builtin_expect(!atomic_load_explicit(&carries.count, memory_order_relaxed), 1) ||
	    !pl_cuda_memory_find(address, &memory))
		return;
	pthread_mutex_lock(&carries.lock);
	while ((carry = carry_of(&memory))) {
		if (!carry->due && (atomic_load(&carry->session->dead) || atomic_load(&carry->context->error)))
			carry->idle = true;
		else
			look_again();
	}
	pthread_mutex_unlock(&carries.lock);
}

void pl_cuda_carry_session_lost(const struct pl_session *session)
{
	pthread_mutex_lock(&carries.lock);
	for (struct carry *carry = carries.all, *next; carry; carry = next) {
		next = carry->next;
		if (carry->session == session && !carry->due)
			carry_leave(carry);
	}
	pthread_mutex_unlock(&carries.lock);
}
