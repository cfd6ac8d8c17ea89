/* What is told of captures, and changed from outside. */
#include <stdlib.h>
#include <string.h>

#include "capture.h"
#include "capture-state.h"
#include "cuda-api.h"

CUresult cuThreadExchangeStreamCaptureMode(CUstreamCaptureMode *mode)
{
	CUstreamCaptureMode old = pl_cu_capture_mode;
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	if (!mode || (unsigned int)*mode > CU_STREAM_CAPTURE_MODE_RELAXED)
		return CUDA_ERROR_INVALID_VALUE;
	pl_cu_capture_mode = *mode;
	*mode = old;
	return CUDA_SUCCESS;
}

/* Called with the lock held. */
static CUresult told_fill(struct pl_cu_capture *capture)
{
	size_t n = capture->last.n + 1;
	CUgraphNode *told = realloc(capture->told, n * sizeof(*told));
	CUgraphEdgeData *edges = realloc(capture->told_edges, n * sizeof(*edges));
	capture->told = told ? told : capture->told;
	capture->told_edges = edges ? edges : capture->told_edges;
	if (!told || !edges)
		return CUDA_ERROR_OUT_OF_MEMORY;
	for (size_t i = 0; i < capture->last.n; i++)
		told[i] = capture->last.at[i]->handle;
	memset(edges, 0, n * sizeof(*edges));
	return CUDA_SUCCESS;
}

struct info {
	CUstreamCaptureStatus *status;
	cuuint64_t *id;
	CUgraph *graph;
	const CUgraphNode **nodes;
	const CUgraphEdgeData **edges;
	size_t *n;
};

static CUresult info_locked(struct pl_cu_capture *capture, const struct info *info)
{
	CUresult r = told_fill(capture);
	if (r)
		return r;
	*info->status =
		capture->sequence->invalid ? CU_STREAM_CAPTURE_STATUS_INVALIDATED : CU_STREAM_CAPTURE_STATUS_ACTIVE;
	if (capture->sequence->invalid)
		return CUDA_SUCCESS;
	if (info->id)
		*info->id = capture->sequence->id;
	if (info->graph)
		*info->graph = capture->sequence->graph->handle;
	if (info->nodes)
		*info->nodes = capture->told;
	if (info->edges)
		*info->edges = capture->told_edges;
	if (info->n)
		*info->n = capture->last.n;
	return CUDA_SUCCESS;
}

static CUresult info_get(CUstream handle, const struct info *info)
{
	struct pl_cu_stream *stream;
	CUresult r = pl_cu_enter_stream(handle, &stream);
	if (!r && !info->status)
		r = CUDA_ERROR_INVALID_VALUE;
	if (r)
		return r;
	*info->status = CU_STREAM_CAPTURE_STATUS_NONE;
	pl_cu_capture_lock();
	if (stream->legacy)
		r = pl_cu_capture_implicit(stream->ctx, false);
	else if (stream->capture)
		r = info_locked(stream->capture, info);
	pl_cu_capture_unlock();
	return r;
}

CUresult cuStreamIsCapturing(CUstream stream, CUstreamCaptureStatus *status_out)
{
	return info_get(stream, &(struct info){ .status = status_out });
}

CUresult cuStreamGetCaptureInfo(CUstream stream, CUstreamCaptureStatus *status_out, cuuint64_t *id_out)
{
	return info_get(stream, &(struct info){ .status = status_out, .id = id_out });
}

CUresult cuStreamGetCaptureInfo_v2(CUstream stream, CUstreamCaptureStatus *status_out, cuuint64_t *id_out,
				   CUgraph *graph_out, const CUgraphNode **nodes_out, size_t *n_out)
{
	return info_get(stream, &(struct info){ status_out, id_out, graph_out, nodes_out, NULL, n_out });
}

CUresult cuStreamGetCaptureInfo_v3(CUstream stream, CUstreamCaptureStatus *status_out, cuuint64_t *id_out,
				   CUgraph *graph_out, const CUgraphNode **nodes_out, const CUgraphEdgeData **edges_out,
				   size_t *n_out)
{
	return info_get(stream, &(struct info){ status_out, id_out, graph_out, nodes_out, edges_out, n_out });
}

static CUresult update_locked(struct pl_cu_stream *stream, const CUgraphNode *handles, size_t n, bool set)
{
	struct pl_cu_capture *capture = stream->capture;
	struct pl_cu_node **nodes;
	uint64_t mark;
	CUresult r;
	if (!capture)
		return CUDA_ERROR_ILLEGAL_STATE;
	if (capture->sequence->invalid)
		return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
	r = pl_cu_nodes_get(capture->sequence->graph, handles, n, &nodes);
	if (r)
		return r;
	if (set)
		capture->last.n = 0;
	mark = pl_cu_graph_mark();
	for (size_t i = 0; i < capture->last.n; i++)
		capture->last.at[i]->mark = mark;
	for (size_t i = 0; i < n && !r; i++)
		if (nodes[i]->mark != mark)
			r = pl_cu_list_push(&capture->last, nodes[i]);
	free(nodes);
	return r;
}

CUresult cuStreamUpdateCaptureDependencies_v2(CUstream handle, CUgraphNode *nodes, const CUgraphEdgeData *edges,
					      size_t n, unsigned int flags)
{
	struct pl_cu_stream *stream;
	CUresult r = pl_cu_enter_stream(handle, &stream);
	if (!r && flags > CU_STREAM_SET_CAPTURE_DEPENDENCIES)
		r = CUDA_ERROR_INVALID_VALUE;
	if (!r)
		r = pl_cu_edges_check(edges, n);
	if (r)
		return r;
	pl_cu_capture_lock();
	r = update_locked(stream, nodes, n, flags == CU_STREAM_SET_CAPTURE_DEPENDENCIES);
	pl_cu_capture_unlock();
	return r;
}

CUresult cuStreamUpdateCaptureDependencies(CUstream stream, CUgraphNode *nodes, size_t n, unsigned int flags)
{
	return cuStreamUpdateCaptureDependencies_v2(stream, nodes, NULL, n, flags);
}
