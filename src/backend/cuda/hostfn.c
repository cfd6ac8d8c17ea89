/*
 * Functions of the client's program that run in a stream's order.  The driver calls us on a thread of its own; we tell
 * the client by a token that it chose, and hold the stream until it says that its function has returned.
 */
#include <stdlib.h>

#include "backend/cuda/hostfn.h"
#include "base/err.h"

static void waiter_add(struct pl_cuda_session *session, struct pl_cuda_waiter *waiter)
{
	struct pl_cuda_waiter **at = &session->hosts;

	pthread_mutex_lock(&session->hosts_lock);
	while (*at)
		at = &(*at)->next;
	*at = waiter;
	pthread_mutex_unlock(&session->hosts_lock);
}

/* Called with hosts_lock held. */
static void waiter_remove(struct pl_cuda_session *session, const struct pl_cuda_waiter *waiter)
{
	struct pl_cuda_waiter **at = &session->hosts;

	while (*at && *at != waiter)
		at = &(*at)->next;
	if (*at)
		*at = waiter->next;
}

/* waiter: NULL: nobody waits; else it is in the list, in the order in which the client hears of them.  Return: the
 * client was told. */
static bool client_tell(struct pl_cuda_hostfn *hostfn, CUresult status, struct pl_cuda_waiter *waiter)
{
	struct pl_cuda_plHostFunc_args args = { .token = hostfn->token,
						.status = (int32_t)status,
						.again = hostfn->again };
	struct pl_session_worker *worker = hostfn->session->worker;
	struct pl_enc enc;

	if (atomic_load(&hostfn->session->kept.loads))
		return false; /* it was, when this was done for the first time */
	pl_cuda_later_tell(hostfn->session);
	if (pl_reverse_begin(worker, PL_CUDA_OP_plHostFunc, pl_cuda_plHostFunc_bytes(&args), 0, &enc))
		return false;
	if (waiter)
		waiter_add(hostfn->session, waiter);
	pl_cuda_plHostFunc_put(&enc, &args);
	return !pl_reverse_end(worker, NULL, 0);
}

static void hostfn_run(struct pl_cuda_hostfn *hostfn, CUresult status)
{
	struct pl_cuda_session *session = hostfn->session;
	struct pl_cuda_waiter waiter = { .hostfn = hostfn, .done = PTHREAD_COND_INITIALIZER };
	bool told = client_tell(hostfn, status, &waiter);

	pthread_mutex_lock(&session->hosts_lock);
	while (told && !waiter.returned)
		pthread_cond_wait(&waiter.done, &session->hosts_lock);
	if (!told)
		waiter_remove(session, &waiter); /* the client is gone: the process ends */
	pthread_mutex_unlock(&session->hosts_lock);
	pthread_cond_destroy(&waiter.done);
	if (told && !hostfn->again)
		free(hostfn);
}

void CUDA_CB pl_cuda_hostfn_call(void *user)
{
	const struct pl_cuda_hostfn *hostfn = user;

	if (!hostfn->idle)
		hostfn_run(user, CUDA_SUCCESS);
}

static void CUDA_CB run_callback(CUstream stream, CUresult status, void *user)
{
	(void)stream;
	hostfn_run(user, status);
}

/* ---- of graphs ---- */

struct pl_cuda_hostfn *pl_cuda_hostfn_new(struct pl_cuda_session *session, uint64_t token)
{
	struct pl_cuda_hostfn *hostfn = calloc(1, sizeof(*hostfn));

	if (hostfn)
		*hostfn = (struct pl_cuda_hostfn){ .session = session, .token = token, .again = true };
	return hostfn;
}

void pl_cuda_hostfn_free(struct pl_cuda_hostfn *hostfn)
{
	if (!hostfn)
		return;
	pl_cuda_shadow_show(hostfn);
	if (hostfn->data)
		pl_quota_return(&hostfn->session->worker->quota, PL_QUOTA_HOST, hostfn->bytes);
	free(hostfn->data);
	free(hostfn);
}

void CUDA_CB pl_cuda_hostfn_last(void *user)
{
	struct pl_cuda_hostfn *hostfn = user;

	hostfn->again = false;
	(void)client_tell(hostfn, CUDA_SUCCESS, NULL);
	pl_cuda_hostfn_free(hostfn);
}

void CUDA_CB pl_cuda_hostfn_ended(void *user)
{
	struct pl_cuda_hostfn *hostfn = user;
	struct pl_cuda_plHostForget_args args = { .token = hostfn->token };
	struct pl_session_worker *worker = hostfn->session->worker;
	struct pl_enc enc;

	if (!atomic_load(&hostfn->session->kept.loads) &&
	    !pl_reverse_begin(worker, PL_CUDA_OP_plHostForget, pl_cuda_plHostForget_bytes(&args), 0, &enc)) {
		pl_cuda_plHostForget_put(&enc, &args);
		(void)pl_reverse_end(worker, NULL, 0);
	}
	pl_cuda_hostfn_free(hostfn);
}

void pl_cuda_hostfn_owned(struct pl_cuda_hostfn *hostfn, CUgraph graph)
{
	CUuserObject object;

	if (!pl_cuda.cuUserObjectCreate || !pl_cuda.cuGraphRetainUserObject ||
	    pl_cuda.cuUserObjectCreate(&object, hostfn, pl_cuda_hostfn_ended, 1, CU_USER_OBJECT_NO_DESTRUCTOR_SYNC))
		return;
	hostfn->graph = graph;
	hostfn->object = object;
	if (!pl_cuda.cuGraphRetainUserObject(graph, object, 1, CU_GRAPH_USER_OBJECT_MOVE))
		return;
	hostfn->graph = NULL;
	pl_log_debug("what a graph's host function is made of stays until the session ends");
}

void pl_cuda_hostfn_disowned(struct pl_cuda_hostfn *hostfn, CUgraph graph)
{
	if (hostfn->graph && pl_cuda.cuGraphReleaseUserObject)
		(void)pl_cuda.cuGraphReleaseUserObject(graph, hostfn->object, 1);
}

void pl_cuda_hostfn_data_gone(struct pl_cuda_session *session, const void *data)
{
	pthread_mutex_lock(&session->hosts_lock);
	for (struct pl_cuda_waiter *waiter = session->hosts; waiter; waiter = waiter->next)
		if (waiter->hostfn->data == data)
			waiter->hostfn->data = NULL;
	pthread_mutex_unlock(&session->hosts_lock);
}

/* The first of them: the client calls its functions one after the other. */
static void returned(struct pl_cuda_session *session, uint64_t token)
{
	struct pl_cuda_waiter *waiter;

	pthread_mutex_lock(&session->hosts_lock);
	waiter = session->hosts;
	while (waiter && waiter->hostfn->token != token)
		waiter = waiter->next;
	if (waiter) {
		waiter_remove(session, waiter);
		waiter->returned = true;
		pthread_cond_signal(&waiter->done);
	}
	pthread_mutex_unlock(&session->hosts_lock);
}

void pl_cuda_serve_plHostDone(struct pl_serve *serve, const struct pl_cuda_plHostDone_args *args)
{
	returned(pl_cuda_session_of(serve), args->token);
}

/* The error is there before the stream goes on. */
void pl_cuda_serve_plPeerDone(struct pl_serve *serve, const struct pl_cuda_plPeerDone_args *args)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);

	if (args->status)
		pl_cuda_late_keep(session, args->status, args->stream);
	returned(session, args->token);
}

static CUresult hostfn_launch(struct pl_cuda_hostfn *hostfn, CUstream stream, bool callback, bool per_thread)
{
	__typeof__(&cuLaunchHostFunc) function = per_thread ? pl_cuda.cuLaunchHostFunc_ptsz : pl_cuda.cuLaunchHostFunc;
	__typeof__(&cuStreamAddCallback) add =
		per_thread ? pl_cuda.cuStreamAddCallback_ptsz : pl_cuda.cuStreamAddCallback;

	if (callback)
		return add ? add(stream, run_callback, hostfn, 0) : CUDA_ERROR_NOT_SUPPORTED;
	return function ? function(stream, pl_cuda_hostfn_call, hostfn) : CUDA_ERROR_NOT_SUPPORTED;
}

void pl_cuda_serve_cuLaunchHostFunc(struct pl_serve *serve, const struct pl_cuda_cuLaunchHostFunc_args *args)
{
	struct pl_cuda_hostfn *hostfn = malloc(sizeof(*hostfn));
	int32_t status = CUDA_ERROR_OUT_OF_MEMORY;
	CUgraph graph;
	void *stream;

	if (!hostfn || !pl_cuda_take(serve, args->stream, PL_CUDA_KIND_stream, &stream, &status)) {
		free(hostfn);
		pl_cuda_result(serve, status, args->stream);
		return;
	}
	/* In a stream that is captured the function belongs to the graph: it may run often, and is kept. */
	graph = pl_cuda_capture_graph(stream, args->per_thread);
	*hostfn = (struct pl_cuda_hostfn){ .session = pl_cuda_session_of(serve),
					   .token = args->token,
					   .again = graph != NULL };
	status = (int32_t)hostfn_launch(hostfn, stream, serve->head->op == PL_CUDA_OP_cuStreamAddCallback,
					args->per_thread);
	if (status)
		free(hostfn);
	else if (graph)
		pl_cuda_hostfn_owned(hostfn, graph);
	pl_cuda_result(serve, status, args->stream);
}
