/* Made by codegen/plgen.py from small-cuda.api; do not edit. */
#undef PL_CUDA_INSIDE
#include "cuda-api.h"
#include "cuda/handle.h"

CUresult pl_inside_cuInit(unsigned int flags);
CUresult cuInit(unsigned int flags)
{
	uint32_t pl_mark = pl_cuda_call_begin();
	CUresult pl_result = pl_inside_cuInit(flags);

	pl_cuda_call_end(pl_mark);
	return pl_result;
}

CUresult pl_inside_cuDeviceGetName(char *name, int len, CUdevice device);
CUresult cuDeviceGetName(char *name, int len, CUdevice device)
{
	uint32_t pl_mark = pl_cuda_call_begin();
	CUresult pl_result = pl_inside_cuDeviceGetName(name, len, device);

	pl_cuda_call_end(pl_mark);
	return pl_result;
}

CUresult pl_inside_cuCtxGetLimit(size_t *value, CUlimit limit);
CUresult cuCtxGetLimit(size_t *value, CUlimit limit)
{
	uint32_t pl_mark = pl_cuda_call_begin();
	CUresult pl_result = pl_inside_cuCtxGetLimit(value, limit);

	pl_cuda_call_end(pl_mark);
	return pl_result;
}

CUresult pl_inside_cuCtxCreate(CUcontext *context, unsigned int flags, CUdevice device);
CUresult cuCtxCreate(CUcontext *context, unsigned int flags, CUdevice device)
{
	uint32_t pl_mark = pl_cuda_call_begin();
	CUresult pl_result = pl_inside_cuCtxCreate(context, flags, device);

	pl_cuda_call_end(pl_mark);
	return pl_result;
}

CUresult pl_inside_cuCtxDestroy_v2(CUcontext context);
CUresult cuCtxDestroy_v2(CUcontext context)
{
	uint32_t pl_mark = pl_cuda_call_begin();
	CUresult pl_result = pl_inside_cuCtxDestroy_v2(context);

	pl_cuda_call_end(pl_mark);
	return pl_result;
}

CUresult pl_inside_cuMemsetD8_v2(CUdeviceptr dst, unsigned char value, size_t count);
CUresult cuMemsetD8_v2(CUdeviceptr dst, unsigned char value, size_t count)
{
	uint32_t pl_mark = pl_cuda_call_begin();
	CUresult pl_result = pl_inside_cuMemsetD8_v2(dst, value, count);

	pl_cuda_call_end(pl_mark);
	return pl_result;
}

CUresult pl_inside_cuMemsetD8_v2_ptds(CUdeviceptr dst, unsigned char value, size_t count);
CUresult cuMemsetD8_v2_ptds(CUdeviceptr dst, unsigned char value, size_t count)
{
	uint32_t pl_mark = pl_cuda_call_begin();
	CUresult pl_result = pl_inside_cuMemsetD8_v2_ptds(dst, value, count);

	pl_cuda_call_end(pl_mark);
	return pl_result;
}

CUresult pl_inside_cuMemsetD8Async(CUdeviceptr dst, unsigned char value, size_t count,
				   CUstream stream);
CUresult cuMemsetD8Async(CUdeviceptr dst, unsigned char value, size_t count, CUstream stream)
{
	uint32_t pl_mark = pl_cuda_call_begin();
	CUresult pl_result = pl_inside_cuMemsetD8Async(dst, value, count, stream);

	pl_cuda_call_end(pl_mark);
	return pl_result;
}

CUresult pl_inside_cuMemsetD8Async_ptsz(CUdeviceptr dst, unsigned char value, size_t count,
					CUstream stream);
CUresult cuMemsetD8Async_ptsz(CUdeviceptr dst, unsigned char value, size_t count, CUstream stream)
{
	uint32_t pl_mark = pl_cuda_call_begin();
	CUresult pl_result = pl_inside_cuMemsetD8Async_ptsz(dst, value, count, stream);

	pl_cuda_call_end(pl_mark);
	return pl_result;
}

CUresult pl_inside_cuMemsetD8(unsigned int dst, unsigned char value, unsigned int count);
CUresult cuMemsetD8(unsigned int dst, unsigned char value, unsigned int count)
{
	uint32_t pl_mark = pl_cuda_call_begin();
	CUresult pl_result = pl_inside_cuMemsetD8(dst, value, count);

	pl_cuda_call_end(pl_mark);
	return pl_result;
}

CUresult pl_inside_cuMemSetAccess(CUdeviceptr address, size_t bytes,
				  const CUmemAccessDesc *accesses, size_t count);
CUresult cuMemSetAccess(CUdeviceptr address, size_t bytes, const CUmemAccessDesc *accesses,
			size_t count)
{
	uint32_t pl_mark = pl_cuda_call_begin();
	CUresult pl_result = pl_inside_cuMemSetAccess(address, bytes, accesses, count);

	pl_cuda_call_end(pl_mark);
	return pl_result;
}

CUresult pl_inside_cuMemGetAccess(unsigned long long *flags, const CUmemLocation *location,
				  CUdeviceptr address);
CUresult cuMemGetAccess(unsigned long long *flags, const CUmemLocation *location,
			CUdeviceptr address)
{
	uint32_t pl_mark = pl_cuda_call_begin();
	CUresult pl_result = pl_inside_cuMemGetAccess(flags, location, address);

	pl_cuda_call_end(pl_mark);
	return pl_result;
}

CUresult pl_inside_cuGraphGetNodes(CUgraph graph, CUgraphNode *nodes, size_t *count);
CUresult cuGraphGetNodes(CUgraph graph, CUgraphNode *nodes, size_t *count)
{
	uint32_t pl_mark = pl_cuda_call_begin();
	CUresult pl_result = pl_inside_cuGraphGetNodes(graph, nodes, count);

	pl_cuda_call_end(pl_mark);
	return pl_result;
}

CUresult pl_inside_cuIpcGetMemHandle(CUipcMemHandle *handle, CUdeviceptr address);
CUresult cuIpcGetMemHandle(CUipcMemHandle *handle, CUdeviceptr address)
{
	uint32_t pl_mark = pl_cuda_call_begin();
	CUresult pl_result = pl_inside_cuIpcGetMemHandle(handle, address);

	pl_cuda_call_end(pl_mark);
	return pl_result;
}

CUresult pl_inside_cuMemAdvise_v2(CUdeviceptr address, size_t bytes, CUlimit advice,
				  CUmemLocation location);
CUresult cuMemAdvise_v2(CUdeviceptr address, size_t bytes, CUlimit advice, CUmemLocation location)
{
	uint32_t pl_mark = pl_cuda_call_begin();
	CUresult pl_result = pl_inside_cuMemAdvise_v2(address, bytes, advice, location);

	pl_cuda_call_end(pl_mark);
	return pl_result;
}

CUresult pl_inside_cuLaunchHostFunc(CUstream stream, CUhostFn callback, void *user);
CUresult cuLaunchHostFunc(CUstream stream, CUhostFn callback, void *user)
{
	uint32_t pl_mark = pl_cuda_call_begin();
	CUresult pl_result = pl_inside_cuLaunchHostFunc(stream, callback, user);

	pl_cuda_call_end(pl_mark);
	return pl_result;
}

CUresult pl_inside_cuLaunchHostFunc_ptsz(CUstream stream, CUhostFn callback, void *user);
CUresult cuLaunchHostFunc_ptsz(CUstream stream, CUhostFn callback, void *user)
{
	uint32_t pl_mark = pl_cuda_call_begin();
	CUresult pl_result = pl_inside_cuLaunchHostFunc_ptsz(stream, callback, user);

	pl_cuda_call_end(pl_mark);
	return pl_result;
}

CUresult pl_inside_cuStreamGetWindow(CUstream stream, void *value);
CUresult cuStreamGetWindow(CUstream stream, void *value)
{
	uint32_t pl_mark = pl_cuda_call_begin();
	CUresult pl_result = pl_inside_cuStreamGetWindow(stream, value);

	pl_cuda_call_end(pl_mark);
	return pl_result;
}

CUresult pl_inside_cuMemFreeHost(void *pointer);
CUresult cuMemFreeHost(void *pointer)
{
	uint32_t pl_mark = pl_cuda_call_begin();
	CUresult pl_result = pl_inside_cuMemFreeHost(pointer);

	pl_cuda_call_end(pl_mark);
	return pl_result;
}

CUresult pl_inside_cuGraphLoad(const char *path, const void *data, size_t bytes, CUgraph *graph,
			       float ratio);
CUresult cuGraphLoad(const char *path, const void *data, size_t bytes, CUgraph *graph, float ratio)
{
	uint32_t pl_mark = pl_cuda_call_begin();
	CUresult pl_result = pl_inside_cuGraphLoad(path, data, bytes, graph, ratio);

	pl_cuda_call_end(pl_mark);
	return pl_result;
}
