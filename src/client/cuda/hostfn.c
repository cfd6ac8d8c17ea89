/* The program's functions in a stream's order: the server tells by a token when one is due. */
#include <stdlib.h>

#include "base/err.h"
#include "client/cuda/awaited.h"
#include "client/cuda/graph.h"
#include "client/cuda/hostfn.h"
#include "client/cuda/mirrored.h"

struct hostfn {
	uint64_t token;
	struct pl_session *session; /* that calls it */
	CUhostFn function;
	CUstreamCallback callback; /* one of both */
	CUstream stream;
	void *user;
	bool is_due; /* posted, in a stream that is not captured, and not returned */
};

static _Atomic uint32_t due_count; /* of those that are due */
static _Atomic uint32_t running;
static _Atomic bool graphs_have; /* ones that were never due, and run with a graph */

struct due { /* for the callback thread; the token as the server said it: it is named after the function is entered */
	struct hostfn *hostfn;
	uint64_t token;
	int32_t status;
	bool again;
};

static void due_begin(struct hostfn *hostfn)
{
	hostfn->is_due = true;
	atomic_fetch_add(&due_count, 1);
}

static void due_end(struct hostfn *hostfn)
{
	if (hostfn->is_due)
		atomic_fetch_sub(&due_count, 1);
	hostfn->is_due = false;
}

bool pl_cuda_hostfns_are_due(void)
{
	return atomic_load_explicit(&due_count, memory_order_relaxed);
}

bool pl_cuda_hostfn_runs(void)
{
	return atomic_load(&running);
}

bool pl_cuda_hostfns_may_run(const struct pl_session *session)
{
	return pl_cuda_hostfns_are_due() || pl_cuda_hostfn_runs() ||
	       (atomic_load_explicit(&graphs_have, memory_order_relaxed) && !pl_session_is_idle(session));
}

static void done_tell(struct pl_session *session, uint64_t token)
{
	struct pl_cuda_plHostDone_args args = { .token = token };
	struct pl_call call;

	if (pl_call_begin(&call, session, PL_CUDA_OP_plHostDone, pl_cuda_plHostDone_bytes(&args)))
		return; /* the session is lost, and with it who waits */
	pl_cuda_plHostDone_put(&call.enc, &args);
	(void)pl_call_post_free(&call);
}

/* On the callback thread. */
static void due_run(void *arg)
{
	struct due *due = arg;
	struct hostfn *hostfn = due->hostfn;
	struct pl_session *session = hostfn->session;
	uint64_t token = due->token;

	atomic_fetch_add(&running, 1);
	pl_mirror_settle(session, true); /* it sees what the device has written, and the device what it writes */
	(void)pl_echo_waited(CUDA_SUCCESS);
	if (hostfn->callback)
		hostfn->callback(hostfn->stream, (CUresult)due->status, hostfn->user);
	else
		hostfn->function(hostfn->user);
	if (!due->again) {
		due_end(hostfn);
		pl_cuda_host_copy_forget(session, token);
		pl_cuda_handle_destroy(token);
		free(hostfn);
	}
	free(due);
	pl_mirror_settle(session, true);
	pl_cuda_pages_behind(session); /* others have sent of it meanwhile */
	if (atomic_load_explicit(&pl_echoes, memory_order_relaxed))
		pl_echo_push(session, true);
	atomic_fetch_sub(&running, 1); /* from here on it waits for nothing */
	done_tell(session, token);
}

/* A session can only name its own. */
static struct hostfn *hostfn_of(const struct pl_session *session, uint64_t token)
{
	struct hostfn *hostfn = pl_cuda_handle_find(token, PL_CUDA_KIND_hostfn);

	return hostfn && hostfn->session == session ? hostfn : NULL;
}

void pl_cuda_hostfn_reached(const struct pl_session *session, uint64_t token, int32_t status, bool again)
{
	struct hostfn *hostfn = hostfn_of(session, token);
	struct due *due = hostfn ? malloc(sizeof(*due)) : NULL;

	if (!due) {
		pl_log_error("a host function is lost: %s", hostfn ? "no memory" : "unknown token");
		return;
	}
	*due = (struct due){ hostfn, token, status, again };
	if (!pl_callback_run(due_run, due))
		free(due);
}

uint64_t pl_cuda_hostfn_new(struct pl_session *session, CUhostFn function, void *user)
{
	struct hostfn *hostfn = malloc(sizeof(*hostfn));

	if (!hostfn)
		return 0;
	*hostfn = (struct hostfn){ .session = session, .function = function, .user = user };
	atomic_store(&graphs_have, true);
	hostfn->token = pl_cuda_handle_create(PL_CUDA_KIND_hostfn, hostfn);
	if (!hostfn->token) {
		free(hostfn);
		return 0;
	}
	return hostfn->token;
}

void *pl_cuda_hostfn_user(const struct pl_session *session, uint64_t token, CUhostFn function)
{
	const struct hostfn *hostfn = hostfn_of(session, token);

	return hostfn && hostfn->function == function ? hostfn->user : NULL;
}

bool pl_cuda_hostfn_what(const struct pl_session *session, uint64_t token, CUhostFn *function_out, void **user_out)
{
	const struct hostfn *hostfn = hostfn_of(session, token);

	if (!hostfn || !hostfn->function || pl_cuda_host_copy_is(hostfn->function)) /* those are no program's */
		return false;
	*function_out = hostfn->function;
	*user_out = hostfn->user;
	return true;
}

/* On the callback thread, so behind all calls of the function. */
static void forget_run(void *arg)
{
	struct due *due = arg;
	struct hostfn *hostfn = due->hostfn;

	due_end(hostfn);
	pl_cuda_host_copy_forget(hostfn->session, due->token);
	pl_cuda_handle_destroy(due->token);
	free(hostfn);
	free(due);
}

void pl_cuda_hostfn_forget(const struct pl_session *session, uint64_t token)
{
	struct hostfn *hostfn = hostfn_of(session, token);
	struct due *due = hostfn ? malloc(sizeof(*due)) : NULL;

	if (!due)
		return; /* without memory it stays */
	*due = (struct due){ hostfn, token, 0, false };
	if (!pl_callback_run(forget_run, due))
		free(due);
}

static void captured_note(void)
{
	atomic_store(&graphs_have, true);
	pl_cuda_awaits_program();
}

static CUresult hostfn_send(enum pl_cuda_op op, bool per_thread, struct hostfn *hostfn)
{
	struct pl_cuda_cuLaunchHostFunc_args args = { .per_thread = per_thread };
	struct pl_session *session;
	struct pl_reply reply = { 0 };
	struct pl_call call;
	CUresult result = pl_cuda_enter_of(op, PL_CUDA_KIND_stream, hostfn->stream, &session);
	int r;

	if (result)
		return result;
	args.stream = pl_cuda_id(session, PL_CUDA_KIND_stream, hostfn->stream);
	if (hostfn->stream && !args.stream)
		return CUDA_ERROR_INVALID_HANDLE;
	hostfn->session = session;
	args.token = hostfn->token = pl_cuda_handle_create(PL_CUDA_KIND_hostfn, hostfn);
	if (!args.token)
		return CUDA_ERROR_OUT_OF_MEMORY;
	if (!pl_cuda_is_captured(hostfn->stream, per_thread))
		due_begin(hostfn);
	else
		captured_note();
	r = pl_call_begin(&call, session, (uint16_t)op, pl_cuda_cuLaunchHostFunc_bytes(&args));
	if (!r) {
		pl_cuda_cuLaunchHostFunc_put(&call.enc, &args);
		r = pl_cuda_captures_none() ? pl_call_post(&call) : pl_call_ask(&call, &reply);
	}
	result = pl_cuda_answer(r, &reply);
	if (result) { /* else it may be gone by now */
		due_end(hostfn);
		pl_cuda_handle_destroy(args.token);
	}
	return result;
}

static CUresult hostfn_add(enum pl_cuda_op op, bool per_thread, const struct hostfn *what)
{
	struct hostfn *hostfn;
	CUresult result;

	if (!what->function && !what->callback)
		return pl_cuda_ready() ? pl_cuda_ready() : CUDA_ERROR_INVALID_VALUE;
	hostfn = malloc(sizeof(*hostfn));
	if (!hostfn)
		return CUDA_ERROR_OUT_OF_MEMORY;
	*hostfn = *what;
	result = hostfn_send(op, per_thread, hostfn);
	if (result)
		free(hostfn);
	return result;
}

CUresult cuLaunchHostFunc(CUstream stream, CUhostFn callback, void *user)
{
	return hostfn_add(PL_CUDA_OP_cuLaunchHostFunc, false,
			  &(struct hostfn){ .function = callback, .stream = stream, .user = user });
}

CUresult cuLaunchHostFunc_ptsz(CUstream stream, CUhostFn callback, void *user)
{
	return hostfn_add(PL_CUDA_OP_cuLaunchHostFunc, true,
			  &(struct hostfn){ .function = callback, .stream = stream, .user = user });
}

CUresult cuStreamAddCallback(CUstream stream, CUstreamCallback callback, void *user, unsigned int flags)
{
	if (flags)
		return pl_cuda_ready() ? pl_cuda_ready() : CUDA_ERROR_INVALID_VALUE;
	return hostfn_add(PL_CUDA_OP_cuStreamAddCallback, false,
			  &(struct hostfn){ .callback = callback, .stream = stream, .user = user });
}

CUresult cuStreamAddCallback_ptsz(CUstream stream, CUstreamCallback callback, void *user, unsigned int flags)
{
	if (flags)
		return pl_cuda_ready() ? pl_cuda_ready() : CUDA_ERROR_INVALID_VALUE;
	return hostfn_add(PL_CUDA_OP_cuStreamAddCallback, true,
			  &(struct hostfn){ .callback = callback, .stream = stream, .user = user });
}
