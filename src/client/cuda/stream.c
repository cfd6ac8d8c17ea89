/* Streams and events: what the client answers, and how they end. */
#include "client/cuda/state.h"

static CUresult stream_context(CUstream stream, struct pl_cuda_context **context_out)
{
	const struct pl_cuda_object *object;
	CUresult result;

	*context_out = pl_cuda_current(&result);
	if (!*context_out || (uintptr_t)stream <= (uintptr_t)CU_STREAM_PER_THREAD)
		return result;
	object = pl_cuda_get(PL_CUDA_KIND_stream, stream);
	if (!object)
		return CUDA_ERROR_INVALID_HANDLE;
	*context_out = object->context;
	return CUDA_SUCCESS;
}

CUresult cuStreamGetCtx(CUstream stream, CUcontext *context)
{
	struct pl_cuda_context *of;
	CUresult result = stream_context(stream, &of);

	if (result)
		return result;
	if (!context)
		return CUDA_ERROR_INVALID_VALUE;
	*context = of->object.handle;
	return CUDA_SUCCESS;
}

CUresult cuStreamGetCtx_ptsz(CUstream stream, CUcontext *context)
{
	return cuStreamGetCtx(stream, context);
}

CUresult cuStreamGetCtx_v2(CUstream stream, CUcontext *context, CUgreenCtx *green)
{
	CUresult result = cuStreamGetCtx(stream, context);

	if (!result && green)
		*green = NULL;
	return result;
}

CUresult cuStreamGetCtx_v2_ptsz(CUstream stream, CUcontext *context, CUgreenCtx *green)
{
	return cuStreamGetCtx_v2(stream, context, green);
}

CUresult cuStreamGetGreenCtx(CUstream stream, CUgreenCtx *context)
{
	struct pl_cuda_context *of;
	CUresult result = stream_context(stream, &of);

	if (result)
		return result;
	if (!context)
		return CUDA_ERROR_INVALID_VALUE;
	*context = NULL;
	return CUDA_SUCCESS;
}

CUresult cuStreamGetDevice(CUstream stream, CUdevice *device)
{
	struct pl_cuda_context *of;
	CUresult result = stream_context(stream, &of);

	if (result)
		return result;
	if (!device)
		return CUDA_ERROR_INVALID_VALUE;
	*device = of->device;
	return CUDA_SUCCESS;
}

CUresult cuStreamGetDevice_ptsz(CUstream stream, CUdevice *device)
{
	return cuStreamGetDevice(stream, device);
}

CUresult cuStreamDestroy_v2(CUstream stream)
{
	return cuStreamDestroy(stream);
}

CUresult cuEventDestroy_v2(CUevent event)
{
	return cuEventDestroy(event);
}
