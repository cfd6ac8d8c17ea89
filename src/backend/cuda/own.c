#include "backend/cuda/own.h"

#include "backend/cuda/session.h"

/* Return: what it was.  An older driver has no captures that mind. */
static CUstreamCaptureMode mode_exchange(CUstreamCaptureMode mode)
{
	if (pl_cuda.cuThreadExchangeStreamCaptureMode)
		(void)pl_cuda.cuThreadExchangeStreamCaptureMode(&mode);
	return mode;
}

static CUresult call(__typeof__(&cuStreamSynchronize) function, CUstream stream)
{
	CUstreamCaptureMode mode;
	CUresult r;

	if (!function)
		return CUDA_ERROR_NOT_SUPPORTED;
	mode = mode_exchange(CU_STREAM_CAPTURE_MODE_RELAXED);
	r = function(stream);
	(void)mode_exchange(mode);
	return r;
}

CUresult pl_cuda_own_wait(CUstream stream, bool per_thread)
{
	return call(per_thread ? pl_cuda.cuStreamSynchronize_ptsz : pl_cuda.cuStreamSynchronize, stream);
}

CUresult pl_cuda_own_query(CUstream stream, bool per_thread)
{
	return call(per_thread ? pl_cuda.cuStreamQuery_ptsz : pl_cuda.cuStreamQuery, stream);
}

static CUresult call_event(__typeof__(&cuEventSynchronize) function, CUevent event)
{
	CUstreamCaptureMode mode = mode_exchange(CU_STREAM_CAPTURE_MODE_RELAXED);
	CUresult r = function(event);

	(void)mode_exchange(mode);
	return r;
}

CUresult pl_cuda_own_event_wait(CUevent event)
{
	return call_event(pl_cuda.cuEventSynchronize, event);
}

CUresult pl_cuda_own_event_query(CUevent event)
{
	return call_event(pl_cuda.cuEventQuery, event);
}

CUresult pl_cuda_own_place(CUlibrary library)
{
	CUstreamCaptureMode mode;
	CUmodule module;
	CUresult r;

	if (!pl_cuda.cuLibraryGetModule)
		return CUDA_ERROR_NOT_SUPPORTED;
	mode = mode_exchange(CU_STREAM_CAPTURE_MODE_RELAXED);
	r = pl_cuda.cuLibraryGetModule(&module, library);
	(void)mode_exchange(mode);
	return r;
}

CUresult pl_cuda_own_register(void *at, size_t bytes, unsigned int flags)
{
	CUstreamCaptureMode mode = mode_exchange(CU_STREAM_CAPTURE_MODE_RELAXED);
	CUresult r = pl_cuda.cuMemHostRegister_v2(at, bytes, flags);

	(void)mode_exchange(mode);
	return r;
}
