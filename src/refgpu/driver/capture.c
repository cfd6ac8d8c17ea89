/* Which streams are captured: none yet; and how strict the thread is about it. */
#include "cuda-api.h"
#include "stream.h"

static __thread CUstreamCaptureMode thread_mode = CU_STREAM_CAPTURE_MODE_GLOBAL;

CUresult cuThreadExchangeStreamCaptureMode(CUstreamCaptureMode *mode)
{
	CUstreamCaptureMode old = thread_mode;
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	if (!mode || (unsigned int)*mode > CU_STREAM_CAPTURE_MODE_RELAXED)
		return CUDA_ERROR_INVALID_VALUE;
	thread_mode = *mode;
	*mode = old;
	return CUDA_SUCCESS;
}

CUresult cuStreamIsCapturing(CUstream handle, CUstreamCaptureStatus *status_out)
{
	struct pl_cu_stream *stream;
	CUresult r = pl_cu_enter_stream(handle, &stream);
	if (!r && !status_out)
		r = CUDA_ERROR_INVALID_VALUE;
	if (!r)
		*status_out = CU_STREAM_CAPTURE_STATUS_NONE;
	return r;
}

CUresult cuStreamGetCaptureInfo(CUstream handle, CUstreamCaptureStatus *status_out, cuuint64_t *id_out)
{
	(void)id_out;
	return cuStreamIsCapturing(handle, status_out);
}

CUresult cuStreamGetCaptureInfo_v2(CUstream handle, CUstreamCaptureStatus *status_out, cuuint64_t *id_out,
				   CUgraph *graph_out, const CUgraphNode **dependencies_out, size_t *n_out)
{
	(void)id_out, (void)graph_out, (void)dependencies_out, (void)n_out;
	return cuStreamIsCapturing(handle, status_out);
}

CUresult cuStreamGetCaptureInfo_v3(CUstream handle, CUstreamCaptureStatus *status_out, cuuint64_t *id_out,
				   CUgraph *graph_out, const CUgraphNode **dependencies_out,
				   const CUgraphEdgeData **edges_out, size_t *n_out)
{
	(void)id_out, (void)graph_out, (void)dependencies_out, (void)edges_out, (void)n_out;
	return cuStreamIsCapturing(handle, status_out);
}
