/*
 * Functions of the client's program that run in a stream's order.  The driver calls us on a thread of its own; we tell
 * the client by a token that it chose, and hold the stream until it says that its function has returned.
 */
#include <stdlib.h>

#include "backend/cuda/session.h"
#include "base/err.h"

struct pl_cuda_hostfn {
	struct pl_cuda_session *session;
	uint64_t token;
	bool again; /* of a graph: it runs with each launch */
	/* under session->hosts_lock, while it waits for the client */
	struct pl_cuda_hostfn *next;
	pthread_cond_t *done;
	bool returned;
};

/* Return: the client was told. */
static bool client_tell(struct pl_cuda_hostfn *hostfn, CUresult status)
{
	struct pl_cuda_plHostFunc_args args = { .token = hostfn->token,
						.status = (int32_t)status,
						.again = hostfn->again };
	struct pl_session_worker *worker = hostfn->session->worker;
	struct pl_enc enc;

	if (pl_reverse_begin(worker, PL_CUDA_OP_plHostFunc, pl_cuda_plHostFunc_bytes(&args), 0, &enc))
		return false;
	pl_cuda_plHostFunc_put(&enc, &args);
	return !pl_reverse_end(worker, NULL, 0);
}

static void hostfn_run(struct pl_cuda_hostfn *hostfn, CUresult status)
{
	struct pl_cuda_session *session = hostfn->session;
	pthread_cond_t done = PTHREAD_COND_INITIALIZER;

	pthread_mutex_lock(&session->hosts_lock);
	hostfn->done = &done;
	hostfn->returned = false;
	hostfn->next = session->hosts;
	session->hosts = hostfn;
	pthread_mutex_unlock(&session->hosts_lock);
	if (!client_tell(hostfn, status))
		return; /* the client is gone: the process ends */
	pthread_mutex_lock(&session->hosts_lock);
	while (!hostfn->returned)
		pthread_cond_wait(&done, &session->hosts_lock);
	pthread_mutex_unlock(&session->hosts_lock);
	pthread_cond_destroy(&done);
	if (!hostfn->again)
		free(hostfn);
}

static void CUDA_CB run_function(void *user)
{
	hostfn_run(user, CUDA_SUCCESS);
}

static void CUDA_CB run_callback(CUstream stream, CUresult status, void *user)
{
	(void)stream;
	hostfn_run(user, status);
}

void pl_cuda_serve_plHostDone(struct pl_serve *serve, const struct pl_cuda_plHostDone_args *args)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);

	pthread_mutex_lock(&session->hosts_lock);
	for (struct pl_cuda_hostfn **at = &session->hosts; *at; at = &(*at)->next) {
		struct pl_cuda_hostfn *hostfn = *at;

		if (hostfn->token != args->token)
			continue;
		*at = hostfn->next;
		hostfn->returned = true;
		pthread_cond_signal(hostfn->done);
		break;
	}
	pthread_mutex_unlock(&session->hosts_lock);
}

static CUresult hostfn_launch(struct pl_cuda_hostfn *hostfn, CUstream stream, bool callback, bool per_thread)
{
	__typeof__(&cuLaunchHostFunc) function = per_thread ? pl_cuda.cuLaunchHostFunc_ptsz : pl_cuda.cuLaunchHostFunc;
	__typeof__(&cuStreamAddCallback) add =
		per_thread ? pl_cuda.cuStreamAddCallback_ptsz : pl_cuda.cuStreamAddCallback;

	if (callback)
		return add ? add(stream, run_callback, hostfn, 0) : CUDA_ERROR_NOT_SUPPORTED;
	return function ? function(stream, run_function, hostfn) : CUDA_ERROR_NOT_SUPPORTED;
}

/* In a stream that is captured the function belongs to the graph then: it may run often, and is kept. */
static bool is_captured(CUstream stream, bool per_thread)
{
	CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
	__typeof__(&cuStreamIsCapturing) ask =
		per_thread ? pl_cuda.cuStreamIsCapturing_ptsz : pl_cuda.cuStreamIsCapturing;

	return ask && !ask(stream, &status) && status == CU_STREAM_CAPTURE_STATUS_ACTIVE;
}

void pl_cuda_serve_cuLaunchHostFunc(struct pl_serve *serve, const struct pl_cuda_cuLaunchHostFunc_args *args)
{
	struct pl_cuda_hostfn *hostfn = malloc(sizeof(*hostfn));
	int32_t status = CUDA_ERROR_OUT_OF_MEMORY;
	void *stream;

	if (!hostfn || !pl_cuda_take(serve, args->stream, PL_CUDA_KIND_stream, &stream, &status)) {
		free(hostfn);
		pl_cuda_result(serve, status, args->stream);
		return;
	}
	*hostfn = (struct pl_cuda_hostfn){ .session = pl_cuda_session_of(serve),
					   .token = args->token,
					   .again = is_captured(stream, args->per_thread) };
	status = (int32_t)hostfn_launch(hostfn, stream, serve->head->op == PL_CUDA_OP_cuStreamAddCallback,
					args->per_thread);
	if (status)
		free(hostfn);
	pl_cuda_result(serve, status, args->stream);
}
