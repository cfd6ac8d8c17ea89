/* Streams that are captured into a graph.  While nothing is captured nothing here costs a question. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "client/cuda/awaited.h"
#include "client/cuda/carry.h"
#include "client/cuda/graph.h"
#include "client/cuda/hostfn.h"

_Atomic uint32_t pl_cuda_captures;
_Atomic bool pl_cuda_graphs_allocate;

/* ---- the state of a stream ---- */

struct info {
	CUstreamCaptureStatus status;
	uint64_t id, graph;
	struct pl_u64s nodes, edges; /* borrowed until this thread's next call */
};

static CUresult info_ask(enum pl_cuda_op op, bool per_thread, CUstream stream, struct pl_session **session,
			 struct info *info)
{
	struct pl_cuda_cuStreamGetCaptureInfo_args args = { .want = 1, .per_thread = per_thread };
	struct pl_cuda_cuStreamGetCaptureInfo_reply got;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter_of(op, PL_CUDA_KIND_stream, stream, session);
	int r;

	*info = (struct info){ .status = CU_STREAM_CAPTURE_STATUS_NONE };
	if (result)
		return result;
	args.stream = pl_cuda_id(*session, PL_CUDA_KIND_stream, stream);
	if (stream && !args.stream)
		return CUDA_ERROR_INVALID_HANDLE;
	if (pl_cuda_captures_none())
		return CUDA_SUCCESS;
	r = PL_CUDA_ASK_AS(*session, op, cuStreamGetCaptureInfo, &args, &reply);
	if (r || reply.status)
		return pl_cuda_answer(r, &reply);
	pl_cuda_cuStreamGetCaptureInfo_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec) || (got.edges.count && got.edges.count != got.dependencies.count))
		return CUDA_ERROR_UNKNOWN;
	*info = (struct info){ (CUstreamCaptureStatus)got.status, got.id, got.graph, got.dependencies, got.edges };
	return CUDA_SUCCESS;
}

static CUresult is_capturing(bool per_thread, CUstream stream, CUstreamCaptureStatus *status)
{
	struct pl_session *session;
	struct info info;
	CUresult result = info_ask(PL_CUDA_OP_cuStreamGetCaptureInfo, per_thread, stream, &session, &info);

	if (!result && !status)
		return CUDA_ERROR_INVALID_VALUE;
	if (!result)
		*status = info.status;
	return result;
}

CUresult cuStreamIsCapturing(CUstream stream, CUstreamCaptureStatus *status)
{
	return is_capturing(false, stream, status);
}

CUresult cuStreamIsCapturing_ptsz(CUstream stream, CUstreamCaptureStatus *status)
{
	return is_capturing(true, stream, status);
}

bool pl_cuda_is_captured(CUstream stream, bool per_thread)
{
	CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;

	/* Also where the capture has come to nothing: the driver has to say so. */
	return !pl_cuda_captures_none() && !pl_cuda_carries() && !is_capturing(per_thread, stream, &status) &&
	       status != CU_STREAM_CAPTURE_STATUS_NONE;
}

/* Memory of one byte, which is such a call itself. */
CUresult pl_cuda_capture_allows(struct pl_session *session)
{
	struct pl_cuda_cuMemAlloc_v2_args args = { .bytes = 1 };
	struct pl_cuda_cuMemAlloc_v2_reply got;
	struct pl_cuda_cuMemFree_v2_args end = { 0 };
	struct pl_reply reply;
	int r;

	if (pl_cuda_captures_none())
		return CUDA_SUCCESS;
	r = PL_CUDA_ASK(session, cuMemAlloc_v2, &args, &reply);
	if (r)
		return pl_cuda_fault(r);
	if (reply.status)
		return reply.status == CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED ? CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED
									     : CUDA_SUCCESS;
	pl_cuda_cuMemAlloc_v2_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec))
		return CUDA_ERROR_UNKNOWN;
	end.address = got.address;
	return PL_CUDA_POST(session, cuMemFree_v2, &end);
}

/* ---- asked for in full ---- */

/* Lists that the program gets are its thread's, until it asks again. */
static __thread struct {
	CUgraphNode *nodes;
	CUgraphEdgeData *edges;
} told __attribute__((tls_model("initial-exec")));

static CUresult lists_make(struct pl_session *session, const struct info *info)
{
	CUgraphNode *nodes = calloc(info->nodes.count + 1, sizeof(*nodes));
	CUgraphEdgeData *edges = calloc(info->nodes.count + 1, sizeof(*edges));

	if (!nodes || !edges) {
		free(nodes);
		free(edges);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	for (uint64_t i = 0; i < info->nodes.count; i++) {
		nodes[i] = pl_cuda_object_of(session, PL_CUDA_KIND_node, info->nodes.at[i]);
		if (info->edges.count)
			memcpy(&edges[i], &info->edges.at[i], sizeof(edges[i]));
	}
	free(told.nodes);
	free(told.edges);
	told.nodes = nodes;
	told.edges = edges;
	return CUDA_SUCCESS;
}

struct wanted { /* all but status may be NULL */
	CUstreamCaptureStatus *status;
	cuuint64_t *id;
	CUgraph *graph;
	const CUgraphNode **nodes;
	const CUgraphEdgeData **edges;
	size_t *count;
};

static CUresult info_get(enum pl_cuda_op op, bool per_thread, CUstream stream, const struct wanted *to)
{
	struct pl_session *session;
	struct info info;
	CUresult result = info_ask(op, per_thread, stream, &session, &info);

	if (result)
		return result;
	if (!to->status)
		return CUDA_ERROR_INVALID_VALUE;
	*to->status = info.status;
	if (info.status != CU_STREAM_CAPTURE_STATUS_ACTIVE)
		return CUDA_SUCCESS;
	if (to->nodes || to->edges) {
		result = lists_make(session, &info);
		if (result)
			return result;
	}
	if (to->id)
		*to->id = info.id;
	if (to->graph)
		*to->graph = pl_cuda_object_of(session, PL_CUDA_KIND_graph, info.graph);
	if (to->nodes)
		*to->nodes = told.nodes;
	if (to->edges)
		*to->edges = info.edges.count ? told.edges : NULL;
	if (to->count)
		*to->count = info.nodes.count;
	return CUDA_SUCCESS;
}

#define INFO_ENTRIES(suffix, per_thread)                                                                               \
	CUresult cuStreamGetCaptureInfo##suffix(CUstream stream, CUstreamCaptureStatus *status, cuuint64_t *id)        \
	{                                                                                                              \
		return info_get(PL_CUDA_OP_cuStreamGetCaptureInfo, per_thread, stream,                                 \
				&(struct wanted){ .status = status, .id = id });                                       \
	}                                                                                                              \
	CUresult cuStreamGetCaptureInfo_v2##suffix(CUstream stream, CUstreamCaptureStatus *status, cuuint64_t *id,     \
						   CUgraph *graph, const CUgraphNode **dependencies, size_t *count)    \
	{                                                                                                              \
		return info_get(PL_CUDA_OP_cuStreamGetCaptureInfo_v2, per_thread, stream,                              \
				&(struct wanted){ status, id, graph, dependencies, NULL, count });                     \
	}                                                                                                              \
	CUresult cuStreamGetCaptureInfo_v3##suffix(CUstream stream, CUstreamCaptureStatus *status, cuuint64_t *id,     \
						   CUgraph *graph, const CUgraphNode **dependencies,                   \
						   const CUgraphEdgeData **edges, size_t *count)                       \
	{                                                                                                              \
		return info_get(PL_CUDA_OP_cuStreamGetCaptureInfo_v3, per_thread, stream,                              \
				&(struct wanted){ status, id, graph, dependencies, edges, count });                    \
	}

INFO_ENTRIES(, false)
INFO_ENTRIES(_ptsz, true)

/* ---- begun and ended ---- */

/* From here on nobody posts what a capture forbids; what another thread is about to post, because nothing was captured,
 * goes first. */
static void begins(void)
{
	atomic_fetch_add(&pl_cuda_captures, 1);
	pl_cuda_lease_pass();
}

static CUresult begun(CUresult result)
{
	if (result)
		atomic_fetch_sub(&pl_cuda_captures, 1);
	return result;
}

static CUresult begin(bool per_thread, CUstream stream)
{
	struct pl_cuda_cuStreamBeginCapture_args args = { .per_thread = per_thread };
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter_of(PL_CUDA_OP_cuStreamBeginCapture, PL_CUDA_KIND_stream, stream, &session);
	int r;

	if (result)
		return result;
	args.stream = pl_cuda_id(session, PL_CUDA_KIND_stream, stream);
	if (stream && !args.stream)
		return CUDA_ERROR_INVALID_HANDLE;
	begins();
	r = PL_CUDA_ASK(session, cuStreamBeginCapture, &args, &reply);
	return begun(pl_cuda_answer(r, &reply));
}

static CUresult begin_v2(bool per_thread, CUstream stream, CUstreamCaptureMode mode)
{
	struct pl_cuda_cuStreamBeginCapture_v2_args args = { .mode = mode, .per_thread = per_thread };
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter_of(PL_CUDA_OP_cuStreamBeginCapture_v2, PL_CUDA_KIND_stream, stream, &session);
	int r;

	if (result)
		return result;
	args.stream = pl_cuda_id(session, PL_CUDA_KIND_stream, stream);
	if (stream && !args.stream)
		return CUDA_ERROR_INVALID_HANDLE;
	begins();
	r = PL_CUDA_ASK(session, cuStreamBeginCapture_v2, &args, &reply);
	return begun(pl_cuda_answer(r, &reply));
}

/* A capture that was invalid ends, too, without a graph.  Into a graph of the program's it may end without being asked
 * which. */
static CUresult end(bool per_thread, CUstream stream, CUgraph *graph)
{
	struct pl_cuda_cuStreamEndCapture_args args = { .per_thread = per_thread };
	struct pl_cuda_cuStreamEndCapture_reply ended;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter_of(PL_CUDA_OP_cuStreamEndCapture, PL_CUDA_KIND_stream, stream, &session);
	bool captured;
	void *made;
	int r;

	if (result)
		return result;
	args.stream = pl_cuda_id(session, PL_CUDA_KIND_stream, stream);
	if (stream && !args.stream)
		return CUDA_ERROR_INVALID_HANDLE;
	captured = atomic_load(&pl_cuda_captures) != 0;
	made = graph ? pl_cuda_new(session, PL_CUDA_KIND_graph, &args.graph) : NULL;
	if (graph && !made)
		return CUDA_ERROR_OUT_OF_MEMORY;
	r = PL_CUDA_ASK(session, cuStreamEndCapture, &args, &reply);
	result = pl_cuda_answer(r, &reply);
	if (captured && (!result || result == CUDA_ERROR_STREAM_CAPTURE_INVALIDATED ||
			 result == CUDA_ERROR_STREAM_CAPTURE_UNJOINED))
		atomic_fetch_sub(&pl_cuda_captures, 1);
	if (!graph)
		return result;
	*graph = NULL;
	if (!result) {
		pl_cuda_cuStreamEndCapture_reply_get(&reply.dec, &ended);
		*graph = ended.graph == args.graph ? made : pl_cuda_object_of(session, PL_CUDA_KIND_graph, ended.graph);
	}
	if (*graph != made)
		pl_cuda_undo(session, PL_CUDA_KIND_graph, made);
	return result;
}

/* Ids of nodes, and their edges behind them.  Return: success with the words, which are the caller's. */
static CUresult nodes_pack(const struct pl_session *session, const CUgraphNode *nodes, const CUgraphEdgeData *edges,
			   size_t count, uint64_t **words_out)
{
	*words_out = NULL;
	if (count > PL_CUDA_LIMIT_NODES_MAX || (count && !nodes))
		return CUDA_ERROR_INVALID_VALUE;
	*words_out = calloc(2 * count + 1, sizeof(**words_out));
	if (!*words_out)
		return CUDA_ERROR_OUT_OF_MEMORY;
	for (size_t i = 0; i < count; i++) {
		(*words_out)[i] = pl_cuda_id(session, PL_CUDA_KIND_node, nodes[i]);
		if (!(*words_out)[i])
			return CUDA_ERROR_INVALID_VALUE;
		if (edges)
			memcpy(&(*words_out)[count + i], &edges[i], sizeof(**words_out));
	}
	return CUDA_SUCCESS;
}

static CUresult begin_to_graph(bool per_thread, CUstream stream, CUgraph graph, const CUgraphNode *nodes,
			       const CUgraphEdgeData *edges, size_t count, CUstreamCaptureMode mode)
{
	struct pl_cuda_cuStreamBeginCaptureToGraph_args args = { .mode = mode, .per_thread = per_thread };
	pl_cleanup(pl_freep) uint64_t *words = NULL;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result =
		pl_cuda_enter_of(PL_CUDA_OP_cuStreamBeginCaptureToGraph, PL_CUDA_KIND_stream, stream, &session);
	int r;

	if (result)
		return result;
	args.stream = pl_cuda_id(session, PL_CUDA_KIND_stream, stream);
	args.graph = pl_cuda_id(session, PL_CUDA_KIND_graph, graph);
	if ((stream && !args.stream) || !args.graph)
		return stream && !args.stream ? CUDA_ERROR_INVALID_HANDLE : CUDA_ERROR_INVALID_VALUE;
	result = nodes_pack(session, nodes, edges, count, &words);
	if (result)
		return result;
	args.dependencies = (struct pl_u64s){ words, count };
	args.edges = (struct pl_u64s){ words + count, edges ? count : 0 };
	begins();
	r = PL_CUDA_ASK(session, cuStreamBeginCaptureToGraph, &args, &reply);
	return begun(pl_cuda_answer(r, &reply));
}

static CUresult dependencies_update(enum pl_cuda_op op, bool per_thread, CUstream stream, const CUgraphNode *nodes,
				    const CUgraphEdgeData *edges, size_t count, unsigned int flags)
{
	struct pl_cuda_cuStreamUpdateCaptureDependencies_args args = { .flags = flags, .per_thread = per_thread };
	pl_cleanup(pl_freep) uint64_t *words = NULL;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter_of(op, PL_CUDA_KIND_stream, stream, &session);
	int r;

	if (result)
		return result;
	args.stream = pl_cuda_id(session, PL_CUDA_KIND_stream, stream);
	if (stream && !args.stream)
		return CUDA_ERROR_INVALID_HANDLE;
	result = nodes_pack(session, nodes, edges, count, &words);
	if (result)
		return result;
	args.dependencies = (struct pl_u64s){ words, count };
	args.edges = (struct pl_u64s){ words + count, edges ? count : 0 };
	r = PL_CUDA_ASK_AS(session, op, cuStreamUpdateCaptureDependencies, &args, &reply);
	return pl_cuda_answer(r, &reply);
}

#define CAPTURE_ENTRIES(suffix, per_thread)                                                                            \
	CUresult cuStreamBeginCapture##suffix(CUstream stream)                                                         \
	{                                                                                                              \
		return begin(per_thread, stream);                                                                      \
	}                                                                                                              \
	CUresult cuStreamBeginCapture_v2##suffix(CUstream stream, CUstreamCaptureMode mode)                            \
	{                                                                                                              \
		return begin_v2(per_thread, stream, mode);                                                             \
	}                                                                                                              \
	CUresult cuStreamEndCapture##suffix(CUstream stream, CUgraph *graph)                                           \
	{                                                                                                              \
		return end(per_thread, stream, graph);                                                                 \
	}                                                                                                              \
	CUresult cuStreamBeginCaptureToGraph##suffix(CUstream stream, CUgraph graph, const CUgraphNode *dependencies,  \
						     const CUgraphEdgeData *edges, size_t count,                       \
						     CUstreamCaptureMode mode)                                         \
	{                                                                                                              \
		return begin_to_graph(per_thread, stream, graph, dependencies, edges, count, mode);                    \
	}                                                                                                              \
	CUresult cuStreamUpdateCaptureDependencies##suffix(CUstream stream, CUgraphNode *dependencies, size_t count,   \
							   unsigned int flags)                                         \
	{                                                                                                              \
		return dependencies_update(PL_CUDA_OP_cuStreamUpdateCaptureDependencies, per_thread, stream,           \
					   dependencies, NULL, count, flags);                                          \
	}                                                                                                              \
	CUresult cuStreamUpdateCaptureDependencies_v2##suffix(CUstream stream, CUgraphNode *dependencies,              \
							      const CUgraphEdgeData *edges, size_t count,              \
							      unsigned int flags)                                      \
	{                                                                                                              \
		return dependencies_update(PL_CUDA_OP_cuStreamUpdateCaptureDependencies_v2, per_thread, stream,        \
					   dependencies, edges, count, flags);                                         \
	}

CAPTURE_ENTRIES(, false)
CAPTURE_ENTRIES(_ptsz, true)

/* A thread's mode is that of its lane's thread in the worker, too; what it was is known here. */
static __thread CUstreamCaptureMode mode_now __attribute__((tls_model("initial-exec")));
static _Atomic bool modes_differ; /* some thread had another mode than threads begin with */

CUresult pl_cuda_capture_mode_tell(struct pl_session *session)
{
	struct pl_cuda_cuThreadExchangeStreamCaptureMode_args args = { .mode = mode_now };

	if (!atomic_load_explicit(&modes_differ, memory_order_relaxed))
		return CUDA_SUCCESS;
	return PL_CUDA_POST(session, cuThreadExchangeStreamCaptureMode, &args);
}

CUresult cuThreadExchangeStreamCaptureMode(CUstreamCaptureMode *mode)
{
	struct pl_cuda_cuThreadExchangeStreamCaptureMode_args args;
	struct pl_session *session;
	CUresult result = pl_cuda_enter(PL_CUDA_OP_cuThreadExchangeStreamCaptureMode, &session);
	CUstreamCaptureMode before = mode_now;

	if (result)
		return result;
	if (!mode || (unsigned int)*mode > CU_STREAM_CAPTURE_MODE_RELAXED)
		return CUDA_ERROR_INVALID_VALUE;
	args.mode = *mode;
	atomic_store(&modes_differ, true);
	result = PL_CUDA_POST(session, cuThreadExchangeStreamCaptureMode, &args);
	if (result)
		return result;
	mode_now = *mode;
	*mode = before;
	return CUDA_SUCCESS;
}

/* ---- copies of the program's memory ---- */

/* The graph has the token, or nothing has. */
static CUresult token_answer(struct pl_session *session, uint64_t token, int r, const struct pl_reply *reply)
{
	CUresult result = pl_cuda_answer(r, reply);

	if (result)
		pl_cuda_hostfn_forget(session, token);
	return result;
}

CUresult pl_cuda_copy_captured(CUstream stream, bool per_thread, bool to_host, CUdeviceptr device, void *host,
			       size_t bytes)
{
	const struct pl_cuda_lines line = { host, bytes, 1, 1, bytes, bytes };
	struct pl_cuda_plCopyCaptured_args args = {
		.per_thread = per_thread, .to_host = to_host, .address = device, .size = bytes
	};
	struct pl_session *session = pl_cuda_session();
	struct pl_reply reply;
	int r;

	if (to_host)
		pl_cuda_awaits_graph(&line);
	args.stream = pl_cuda_id(session, PL_CUDA_KIND_stream, stream);
	args.token = pl_cuda_host_copy_new(session, &line);
	if (!args.token)
		return CUDA_ERROR_OUT_OF_MEMORY;
	r = PL_CUDA_ASK(session, plCopyCaptured, &args, &reply);
	return token_answer(session, args.token, r, &reply);
}

CUresult pl_cuda_shape_captured(CUstream stream, bool per_thread, const struct pl_cuda_copy3d_record *copy,
				const struct pl_cuda_lines *lines)
{
	struct pl_cuda_plShapeCaptured_args args = { .copy = *copy, .per_thread = per_thread };
	struct pl_session *session = pl_cuda_session();
	struct pl_reply reply;
	int r;

	if (copy->to_type == CU_MEMORYTYPE_HOST)
		pl_cuda_awaits_graph(lines);
	args.stream = pl_cuda_id(session, PL_CUDA_KIND_stream, stream);
	args.token = pl_cuda_host_copy_new(session, lines);
	if (!args.token)
		return CUDA_ERROR_OUT_OF_MEMORY;
	r = PL_CUDA_ASK(session, plShapeCaptured, &args, &reply);
	return token_answer(session, args.token, r, &reply);
}

CUresult pl_cuda_lines_captured(CUstream stream, bool per_thread, const struct pl_cuda_lines *to,
				const struct pl_cuda_lines *from)
{
	struct pl_cuda_cuLaunchHostFunc_args args = { .per_thread = per_thread };
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter_of(PL_CUDA_OP_cuLaunchHostFunc, PL_CUDA_KIND_stream, stream, &session);
	int r;

	if (result)
		return result;
	args.stream = pl_cuda_id(session, PL_CUDA_KIND_stream, stream);
	if (stream && !args.stream)
		return CUDA_ERROR_INVALID_HANDLE;
	pl_cuda_awaits_graph(to);
	args.token = pl_cuda_host_copy_here_new(session, to, from);
	if (!args.token)
		return CUDA_ERROR_OUT_OF_MEMORY;
	r = PL_CUDA_ASK(session, cuLaunchHostFunc, &args, &reply);
	return token_answer(session, args.token, r, &reply);
}
