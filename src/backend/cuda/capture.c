/* Streams that are captured into a graph.  The driver captures; a thread's mode is that of its lane's thread. */
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/copy.h"
#include "backend/cuda/hostfn.h"
#include "backend/cuda/own.h"
#include "base/cleanup.h"

/* ---- copies that a graph must not have ---- */

static struct {
	pthread_mutex_t lock;
	struct pl_cuda_passing *first; /* under lock, with what is in them */
} passings = { .lock = PTHREAD_MUTEX_INITIALIZER };

bool pl_cuda_passing_refused(struct pl_cuda_session *session, CUstream stream, bool per_thread, bool waits)
{
	if (!atomic_load(&session->captures) || !pl_cuda_capture_graph(stream, per_thread))
		return false;
	if (waits)
		(void)pl_cuda_own_wait(stream, per_thread); /* it breaks the capture, as the call does */
	return true;
}

static bool is_captured(CUstream stream, bool per_thread)
{
	__typeof__(&cuStreamIsCapturing) ask =
		per_thread ? pl_cuda.cuStreamIsCapturing_ptsz : pl_cuda.cuStreamIsCapturing;
	CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;

	if (stream == CU_STREAM_LEGACY || (!stream && !per_thread))
		return false; /* it never is, and asked beside a capture it says so with an error */
	return ask && (ask(stream, &status) || status != CU_STREAM_CAPTURE_STATUS_NONE);
}

static void passing_list(struct pl_cuda_passing *passing)
{
	pthread_mutex_lock(&passings.lock);
	passing->listed = true;
	passing->next = passings.first;
	passings.first = passing;
	pthread_mutex_unlock(&passings.lock);
}

/* Return: its stream has been part of a capture that has ended. */
static bool passing_unlist(struct pl_cuda_passing *passing)
{
	struct pl_cuda_passing **at = &passings.first;

	pthread_mutex_lock(&passings.lock);
	while (*at != passing)
		at = &(*at)->next;
	*at = passing->next;
	pthread_mutex_unlock(&passings.lock);
	return passing->captured;
}

bool pl_cuda_passing_begin(struct pl_cuda_passing *passing, struct pl_cuda_session *session, CUstream stream,
			   bool per_thread)
{
	*passing = (struct pl_cuda_passing){ .session = session, .stream = stream, .per_thread = per_thread };
	if (!atomic_load(&session->captures))
		return true;
	passing_list(passing);
	if (!pl_cuda_passing_refused(session, stream, per_thread, false))
		return true;
	(void)passing_unlist(passing);
	return false;
}

enum pl_cuda_passed pl_cuda_passing_end(struct pl_cuda_passing *passing)
{
	bool captured;

	if (!passing->listed)
		return atomic_load(&passing->session->captures) ? PL_CUDA_PASSED_UNSURE : PL_CUDA_PASSED;
	captured = is_captured(passing->stream, passing->per_thread);
	captured |= passing_unlist(passing);
	return captured ? PL_CUDA_PASSED_CAPTURED : PL_CUDA_PASSED;
}

/* A capture is about to end: whose stream is in one may have become part of its graph.  A thread's own stream is
 * captured by nobody else. */
static void passings_look(void)
{
	pthread_mutex_lock(&passings.lock);
	for (struct pl_cuda_passing *passing = passings.first; passing; passing = passing->next)
		if ((uintptr_t)passing->stream > (uintptr_t)CU_STREAM_PER_THREAD)
			passing->captured |= is_captured(passing->stream, passing->per_thread);
	pthread_mutex_unlock(&passings.lock);
}

void pl_cuda_passing_stays(struct pl_serve *serve, uint64_t bytes)
{
	if (!pl_quota_charge(&serve->session->quota, PL_QUOTA_HOST, bytes))
		pl_lane_shutdown(serve->lane);
}

static void captures_note(struct pl_serve *serve)
{
	atomic_store(&pl_cuda_session_of(serve)->captures, true);
}

/* ---- begun and ended ---- */

void pl_cuda_serve_cuStreamBeginCapture(struct pl_serve *serve, const struct pl_cuda_cuStreamBeginCapture_args *args)
{
	__typeof__(&cuStreamBeginCapture) call =
		args->per_thread ? pl_cuda.cuStreamBeginCapture_ptsz : pl_cuda.cuStreamBeginCapture;
	int32_t status = CUDA_ERROR_NOT_SUPPORTED;
	void *stream;

	captures_note(serve);
	if (call && pl_cuda_take(serve, args->stream, PL_CUDA_KIND_stream, &stream, &status))
		status = (int32_t)call(stream);
	if (!status)
		pl_cuda_captured_begin(serve, stream, args->per_thread, false);
	pl_cuda_result(serve, status, args->stream);
}

void pl_cuda_serve_cuStreamBeginCapture_v2(struct pl_serve *serve,
					   const struct pl_cuda_cuStreamBeginCapture_v2_args *args)
{
	__typeof__(&cuStreamBeginCapture_v2) call =
		args->per_thread ? pl_cuda.cuStreamBeginCapture_v2_ptsz : pl_cuda.cuStreamBeginCapture_v2;
	int32_t status = CUDA_ERROR_NOT_SUPPORTED;
	void *stream;

	captures_note(serve);
	if (call && pl_cuda_take(serve, args->stream, PL_CUDA_KIND_stream, &stream, &status))
		status = (int32_t)call(stream, (CUstreamCaptureMode)args->mode);
	if (!status)
		pl_cuda_captured_begin(serve, stream, args->per_thread, false);
	pl_cuda_result(serve, status, args->stream);
}

/* Nodes, and their edges where there are any.  Return: success with lists that are the caller's. */
static int32_t nodes_open(struct pl_serve *serve, struct pl_u64s ids, struct pl_u64s edges, CUgraphNode **nodes_out,
			  CUgraphEdgeData **edges_out)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	int32_t status = CUDA_SUCCESS;
	void *object;

	*nodes_out = calloc(ids.count + 1, sizeof(**nodes_out));
	*edges_out = edges.count ? calloc(edges.count, sizeof(**edges_out)) : NULL;
	if (edges.count && edges.count != ids.count)
		return CUDA_ERROR_INVALID_VALUE;
	if (!*nodes_out || (edges.count && !*edges_out))
		return CUDA_ERROR_OUT_OF_MEMORY;
	for (uint64_t i = 0; i < ids.count; i++) {
		if (!pl_cuda_take(serve, ids.at[i], PL_CUDA_KIND_node, &object, &status))
			return status;
		(*nodes_out)[i] = pl_cuda_node_exit(session, object);
		if (*edges_out)
			memcpy(&(*edges_out)[i], &edges.at[i], sizeof(**edges_out));
	}
	return CUDA_SUCCESS;
}

void pl_cuda_serve_cuStreamBeginCaptureToGraph(struct pl_serve *serve,
					       const struct pl_cuda_cuStreamBeginCaptureToGraph_args *args)
{
	__typeof__(&cuStreamBeginCaptureToGraph) call =
		args->per_thread ? pl_cuda.cuStreamBeginCaptureToGraph_ptsz : pl_cuda.cuStreamBeginCaptureToGraph;
	pl_cleanup(pl_freep) CUgraphEdgeData *edges = NULL;
	pl_cleanup(pl_freep) CUgraphNode *nodes = NULL;
	int32_t status = nodes_open(serve, args->dependencies, args->edges, &nodes, &edges);
	void *stream = NULL, *graph;

	captures_note(serve);
	if (!status && pl_cuda_take(serve, args->stream, PL_CUDA_KIND_stream, &stream, &status) &&
	    pl_cuda_take(serve, args->graph, PL_CUDA_KIND_graph, &graph, &status))
		status = call ? (int32_t)call(stream, graph, args->dependencies.count ? nodes : NULL, edges,
					      args->dependencies.count, (CUstreamCaptureMode)args->mode)
			      : CUDA_ERROR_NOT_SUPPORTED;
	if (!status)
		pl_cuda_captured_begin(serve, stream, args->per_thread, true);
	pl_cuda_result(serve, status, 0);
}

/* ---- what a capture is like ---- */

struct info {
	CUstreamCaptureStatus status;
	cuuint64_t id;
	CUgraph graph;
	const CUgraphNode *nodes;
	const CUgraphEdgeData *edges;
	size_t count;
};

/* The newest form that the driver has. */
static int32_t info_get(CUstream stream, bool per_thread, struct info *info)
{
	__typeof__(&cuStreamGetCaptureInfo_v3) v3 =
		per_thread ? pl_cuda.cuStreamGetCaptureInfo_v3_ptsz : pl_cuda.cuStreamGetCaptureInfo_v3;
	__typeof__(&cuStreamGetCaptureInfo_v2) v2 =
		per_thread ? pl_cuda.cuStreamGetCaptureInfo_v2_ptsz : pl_cuda.cuStreamGetCaptureInfo_v2;

	if (v3)
		return (int32_t)v3(stream, &info->status, &info->id, &info->graph, &info->nodes, &info->edges,
				   &info->count);
	if (v2)
		return (int32_t)v2(stream, &info->status, &info->id, &info->graph, &info->nodes, &info->count);
	return CUDA_ERROR_NOT_SUPPORTED;
}

void pl_cuda_serve_cuStreamGetCaptureInfo(struct pl_serve *serve,
					  const struct pl_cuda_cuStreamGetCaptureInfo_args *args)
{
	struct pl_cuda_cuStreamGetCaptureInfo_reply reply = { 0 };
	pl_cleanup(pl_freep) uint64_t *ids = NULL, *edges = NULL;
	struct info info = { .status = CU_STREAM_CAPTURE_STATUS_NONE };
	int32_t status = CUDA_SUCCESS;
	void *stream;

	if (pl_cuda_take(serve, args->stream, PL_CUDA_KIND_stream, &stream, &status))
		status = info_get(stream, args->per_thread, &info);
	if (info.count > PL_CUDA_LIMIT_NODES_MAX)
		status = CUDA_ERROR_OUT_OF_MEMORY;
	if (!status && info.status == CU_STREAM_CAPTURE_STATUS_ACTIVE) {
		pl_cuda_captured_nodes(pl_cuda_session_of(serve), info.graph, info.nodes, info.count);
		ids = calloc(info.count + 1, sizeof(*ids));
		edges = calloc(info.count + 1, sizeof(*edges));
		for (size_t i = 0; i < info.count && ids && edges; i++) {
			ids[i] = pl_cuda_node_id_seen(serve, info.nodes[i]);
			if (info.edges)
				memcpy(&edges[i], &info.edges[i], sizeof(edges[i]));
		}
		reply.id = info.id;
		reply.graph = pl_cuda_id_of(serve, PL_CUDA_KIND_graph, info.graph);
		reply.dependencies = (struct pl_u64s){ ids, ids && edges ? info.count : 0 };
		reply.edges = (struct pl_u64s){ edges, info.edges && ids && edges ? info.count : 0 };
	}
	reply.status = (uint32_t)info.status;
	if (status) {
		pl_cuda_result(serve, status, 0);
		return;
	}
	if (pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_cuStreamGetCaptureInfo_reply_bytes(&reply), 0))
		return;
	pl_cuda_cuStreamGetCaptureInfo_reply_put(&serve->reply_enc, &reply);
	(void)pl_serve_reply_end(serve);
}

/* A capture that was invalid ends without a graph. */
void pl_cuda_serve_cuStreamEndCapture(struct pl_serve *serve, const struct pl_cuda_cuStreamEndCapture_args *args)
{
	__typeof__(&cuStreamEndCapture) call =
		args->per_thread ? pl_cuda.cuStreamEndCapture_ptsz : pl_cuda.cuStreamEndCapture;
	struct pl_cuda_cuStreamEndCapture_reply reply = { 0 };
	int32_t status = CUDA_ERROR_NOT_SUPPORTED;
	CUgraph graph = NULL;
	void *stream = NULL;
	bool ended;

	passings_look();
	if (call && pl_cuda_take(serve, args->stream, PL_CUDA_KIND_stream, &stream, &status))
		status = (int32_t)call(stream, args->graph ? &graph : NULL);
	ended = !status || status == CUDA_ERROR_STREAM_CAPTURE_INVALIDATED ||
		status == CUDA_ERROR_STREAM_CAPTURE_UNJOINED;
	if (!status && graph)
		reply.graph = pl_handles_find(&serve->session->handles, PL_CUDA_KIND_graph, graph);
	if (!status && graph && !reply.graph) {
		reply.graph = args->graph;
		if (!pl_cuda_put(serve, args->graph, PL_CUDA_KIND_graph, graph, 0))
			status = CUDA_ERROR_OUT_OF_MEMORY; /* nobody could reach it: it has gone */
	}
	if (ended)
		pl_cuda_captured_end(serve, stream, status);
	if (status) {
		pl_cuda_result(serve, status, args->stream);
		return;
	}
	if (pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_cuStreamEndCapture_reply_bytes(&reply), 0))
		return;
	pl_cuda_cuStreamEndCapture_reply_put(&serve->reply_enc, &reply);
	(void)pl_serve_reply_end(serve);
}

void pl_cuda_serve_cuStreamUpdateCaptureDependencies(struct pl_serve *serve,
						     const struct pl_cuda_cuStreamUpdateCaptureDependencies_args *args)
{
	__typeof__(&cuStreamUpdateCaptureDependencies) plain = args->per_thread
								       ? pl_cuda.cuStreamUpdateCaptureDependencies_ptsz
								       : pl_cuda.cuStreamUpdateCaptureDependencies;
	__typeof__(&cuStreamUpdateCaptureDependencies_v2) v2 =
		args->per_thread ? pl_cuda.cuStreamUpdateCaptureDependencies_v2_ptsz
				 : pl_cuda.cuStreamUpdateCaptureDependencies_v2;
	pl_cleanup(pl_freep) CUgraphEdgeData *edges = NULL;
	pl_cleanup(pl_freep) CUgraphNode *nodes = NULL;
	int32_t status = nodes_open(serve, args->dependencies, args->edges, &nodes, &edges);
	void *stream;

	if (!status && pl_cuda_take(serve, args->stream, PL_CUDA_KIND_stream, &stream, &status)) {
		if (edges || serve->head->op == PL_CUDA_OP_cuStreamUpdateCaptureDependencies_v2)
			status = v2 ? (int32_t)v2(stream, nodes, edges, args->dependencies.count, args->flags)
				    : CUDA_ERROR_NOT_SUPPORTED;
		else
			status = plain ? (int32_t)plain(stream, nodes, args->dependencies.count, args->flags)
				       : CUDA_ERROR_NOT_SUPPORTED;
	}
	pl_cuda_result(serve, status, 0);
}

void pl_cuda_serve_cuThreadExchangeStreamCaptureMode(struct pl_serve *serve,
						     const struct pl_cuda_cuThreadExchangeStreamCaptureMode_args *args)
{
	CUstreamCaptureMode mode = (CUstreamCaptureMode)args->mode;
	int32_t status = pl_cuda.cuThreadExchangeStreamCaptureMode
				 ? (int32_t)pl_cuda.cuThreadExchangeStreamCaptureMode(&mode)
				 : CUDA_ERROR_NOT_SUPPORTED;

	pl_cuda_result(serve, status, 0);
}
