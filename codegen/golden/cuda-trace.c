/* Made by codegen/plgen.py from small-cuda.api; do not edit. */
#include "trace/cuda/trace.h"

CUresult cuInit(unsigned int flags)
{
	struct pl_cuda_trace_call pl_call = { .row = 0 };
	__typeof__(&cuInit) pl_theirs = (__typeof__(&cuInit))pl_cuda_trace_begin(&pl_call);
	CUresult pl_result = !pl_theirs ? CUDA_ERROR_NOT_SUPPORTED : pl_theirs(flags);

	return pl_cuda_trace_end(&pl_call, pl_result);
}

CUresult cuDeviceGetName(char *name, int len, CUdevice device)
{
	struct pl_cuda_trace_call pl_call = { .row = 1 };
	__typeof__(&cuDeviceGetName) pl_theirs = (__typeof__(&cuDeviceGetName))pl_cuda_trace_begin(&pl_call);
	CUresult pl_result = !pl_theirs ? CUDA_ERROR_NOT_SUPPORTED : pl_theirs(name, len, device);

	return pl_cuda_trace_end(&pl_call, pl_result);
}

CUresult cuCtxGetLimit(size_t *value, CUlimit limit)
{
	struct pl_cuda_trace_call pl_call = { .row = 2 };
	__typeof__(&cuCtxGetLimit) pl_theirs = (__typeof__(&cuCtxGetLimit))pl_cuda_trace_begin(&pl_call);
	CUresult pl_result = !pl_theirs ? CUDA_ERROR_NOT_SUPPORTED : pl_theirs(value, limit);

	return pl_cuda_trace_end(&pl_call, pl_result);
}

CUresult cuCtxCreate(CUcontext *context, unsigned int flags, CUdevice device)
{
	struct pl_cuda_trace_call pl_call = { .row = 3 };
	__typeof__(&cuCtxCreate) pl_theirs = (__typeof__(&cuCtxCreate))pl_cuda_trace_begin(&pl_call);
	CUresult pl_result = !pl_theirs ? CUDA_ERROR_NOT_SUPPORTED : pl_theirs(context, flags,
									       device);

	return pl_cuda_trace_end(&pl_call, pl_result);
}

CUresult cuCtxDestroy_v2(CUcontext context)
{
	struct pl_cuda_trace_call pl_call = { .row = 4 };
	__typeof__(&cuCtxDestroy_v2) pl_theirs = (__typeof__(&cuCtxDestroy_v2))pl_cuda_trace_begin(&pl_call);
	CUresult pl_result = !pl_theirs ? CUDA_ERROR_NOT_SUPPORTED : pl_theirs(context);

	return pl_cuda_trace_end(&pl_call, pl_result);
}

CUresult cuMemsetD8_v2(CUdeviceptr dst, unsigned char value, size_t count)
{
	struct pl_cuda_trace_call pl_call = { .row = 5 };
	__typeof__(&cuMemsetD8_v2) pl_theirs = (__typeof__(&cuMemsetD8_v2))pl_cuda_trace_begin(&pl_call);
	CUresult pl_result = !pl_theirs ? CUDA_ERROR_NOT_SUPPORTED : pl_theirs(dst, value, count);

	return pl_cuda_trace_end(&pl_call, pl_result);
}

CUresult cuMemsetD8_v2_ptds(CUdeviceptr dst, unsigned char value, size_t count)
{
	struct pl_cuda_trace_call pl_call = { .row = 6 };
	__typeof__(&cuMemsetD8_v2_ptds) pl_theirs = (__typeof__(&cuMemsetD8_v2_ptds))pl_cuda_trace_begin(&pl_call);
	CUresult pl_result = !pl_theirs ? CUDA_ERROR_NOT_SUPPORTED : pl_theirs(dst, value, count);

	return pl_cuda_trace_end(&pl_call, pl_result);
}

CUresult cuMemsetD8Async(CUdeviceptr dst, unsigned char value, size_t count, CUstream stream)
{
	struct pl_cuda_trace_call pl_call = { .row = 7 };
	__typeof__(&cuMemsetD8Async) pl_theirs = (__typeof__(&cuMemsetD8Async))pl_cuda_trace_begin(&pl_call);
	CUresult pl_result = !pl_theirs ? CUDA_ERROR_NOT_SUPPORTED : pl_theirs(dst, value, count,
									       stream);

	return pl_cuda_trace_end(&pl_call, pl_result);
}

CUresult cuMemsetD8Async_ptsz(CUdeviceptr dst, unsigned char value, size_t count, CUstream stream)
{
	struct pl_cuda_trace_call pl_call = { .row = 8 };
	__typeof__(&cuMemsetD8Async_ptsz) pl_theirs = (__typeof__(&cuMemsetD8Async_ptsz))pl_cuda_trace_begin(&pl_call);
	CUresult pl_result = !pl_theirs ? CUDA_ERROR_NOT_SUPPORTED : pl_theirs(dst, value, count,
									       stream);

	return pl_cuda_trace_end(&pl_call, pl_result);
}

CUresult cuMemsetD8(unsigned int dst, unsigned char value, unsigned int count)
{
	struct pl_cuda_trace_call pl_call = { .row = 9 };
	__typeof__(&cuMemsetD8) pl_theirs = (__typeof__(&cuMemsetD8))pl_cuda_trace_begin(&pl_call);
	CUresult pl_result = !pl_theirs ? CUDA_ERROR_NOT_SUPPORTED : pl_theirs(dst, value, count);

	return pl_cuda_trace_end(&pl_call, pl_result);
}

CUresult cuMemSetAccess(CUdeviceptr address, size_t bytes, const CUmemAccessDesc *accesses,
			size_t count)
{
	struct pl_cuda_trace_call pl_call = { .row = 10, .size = bytes };
	__typeof__(&cuMemSetAccess) pl_theirs = (__typeof__(&cuMemSetAccess))pl_cuda_trace_begin(&pl_call);
	CUresult pl_result = !pl_theirs ? CUDA_ERROR_NOT_SUPPORTED : pl_theirs(address, bytes,
									       accesses, count);

	return pl_cuda_trace_end(&pl_call, pl_result);
}

CUresult cuMemGetAccess(unsigned long long *flags, const CUmemLocation *location,
			CUdeviceptr address)
{
	struct pl_cuda_trace_call pl_call = { .row = 11 };
	__typeof__(&cuMemGetAccess) pl_theirs = (__typeof__(&cuMemGetAccess))pl_cuda_trace_begin(&pl_call);
	CUresult pl_result = !pl_theirs ? CUDA_ERROR_NOT_SUPPORTED : pl_theirs(flags, location,
									       address);

	return pl_cuda_trace_end(&pl_call, pl_result);
}

CUresult cuGraphGetNodes(CUgraph graph, CUgraphNode *nodes, size_t *count)
{
	struct pl_cuda_trace_call pl_call = { .row = 12 };
	__typeof__(&cuGraphGetNodes) pl_theirs = (__typeof__(&cuGraphGetNodes))pl_cuda_trace_begin(&pl_call);
	CUresult pl_result = !pl_theirs ? CUDA_ERROR_NOT_SUPPORTED : pl_theirs(graph, nodes, count);

	return pl_cuda_trace_end(&pl_call, pl_result);
}

CUresult cuIpcGetMemHandle(CUipcMemHandle *handle, CUdeviceptr address)
{
	struct pl_cuda_trace_call pl_call = { .row = 13 };
	__typeof__(&cuIpcGetMemHandle) pl_theirs = (__typeof__(&cuIpcGetMemHandle))pl_cuda_trace_begin(&pl_call);
	CUresult pl_result = !pl_theirs ? CUDA_ERROR_NOT_SUPPORTED : pl_theirs(handle, address);

	return pl_cuda_trace_end(&pl_call, pl_result);
}

CUresult cuMemAdvise_v2(CUdeviceptr address, size_t bytes, CUlimit advice, CUmemLocation location)
{
	struct pl_cuda_trace_call pl_call = { .row = 14, .size = bytes };
	__typeof__(&cuMemAdvise_v2) pl_theirs = (__typeof__(&cuMemAdvise_v2))pl_cuda_trace_begin(&pl_call);
	CUresult pl_result = !pl_theirs ? CUDA_ERROR_NOT_SUPPORTED : pl_theirs(address, bytes,
									       advice, location);

	return pl_cuda_trace_end(&pl_call, pl_result);
}

CUresult cuLaunchHostFunc(CUstream stream, CUhostFn callback, void *user)
{
	struct pl_cuda_trace_call pl_call = { .row = 15 };
	__typeof__(&cuLaunchHostFunc) pl_theirs = (__typeof__(&cuLaunchHostFunc))pl_cuda_trace_begin(&pl_call);
	CUresult pl_result = !pl_theirs ? CUDA_ERROR_NOT_SUPPORTED : pl_theirs(stream, callback,
									       user);

	return pl_cuda_trace_end(&pl_call, pl_result);
}

CUresult cuLaunchHostFunc_ptsz(CUstream stream, CUhostFn callback, void *user)
{
	struct pl_cuda_trace_call pl_call = { .row = 16 };
	__typeof__(&cuLaunchHostFunc_ptsz) pl_theirs = (__typeof__(&cuLaunchHostFunc_ptsz))pl_cuda_trace_begin(&pl_call);
	CUresult pl_result = !pl_theirs ? CUDA_ERROR_NOT_SUPPORTED : pl_theirs(stream, callback,
									       user);

	return pl_cuda_trace_end(&pl_call, pl_result);
}

CUresult cuStreamGetWindow(CUstream stream, void *value)
{
	struct pl_cuda_trace_call pl_call = { .row = 17 };
	__typeof__(&cuStreamGetWindow) pl_theirs = (__typeof__(&cuStreamGetWindow))pl_cuda_trace_begin(&pl_call);
	CUresult pl_result = !pl_theirs ? CUDA_ERROR_NOT_SUPPORTED : pl_theirs(stream, value);

	return pl_cuda_trace_end(&pl_call, pl_result);
}

CUresult cuMemFreeHost(void *pointer)
{
	struct pl_cuda_trace_call pl_call = { .row = 18 };
	__typeof__(&cuMemFreeHost) pl_theirs = (__typeof__(&cuMemFreeHost))pl_cuda_trace_begin(&pl_call);
	CUresult pl_result = !pl_theirs ? CUDA_ERROR_NOT_SUPPORTED : pl_theirs(pointer);

	return pl_cuda_trace_end(&pl_call, pl_result);
}

CUresult cuGraphLoad(const char *path, const void *data, size_t bytes, CUgraph *graph, float ratio)
{
	struct pl_cuda_trace_call pl_call = { .row = 19, .size = bytes };
	__typeof__(&cuGraphLoad) pl_theirs = (__typeof__(&cuGraphLoad))pl_cuda_trace_begin(&pl_call);
	CUresult pl_result = !pl_theirs ? CUDA_ERROR_NOT_SUPPORTED : pl_theirs(path, data, bytes,
									       graph, ratio);

	return pl_cuda_trace_end(&pl_call, pl_result);
}

const struct pl_cuda_trace_row pl_cuda_trace_rows[] = {
	{ "cuInit", "local", (pl_cuda_trace_fn)cuInit, false },
	{ "cuDeviceGetName", "ask", (pl_cuda_trace_fn)cuDeviceGetName, false },
	{ "cuCtxGetLimit", "ask", (pl_cuda_trace_fn)cuCtxGetLimit, false },
	{ "cuCtxCreate", "ask", (pl_cuda_trace_fn)cuCtxCreate, false },
	{ "cuCtxDestroy_v2", "post", (pl_cuda_trace_fn)cuCtxDestroy_v2, true },
	{ "cuMemsetD8_v2", "post", (pl_cuda_trace_fn)cuMemsetD8_v2, false },
	{ "cuMemsetD8_v2_ptds", "post", (pl_cuda_trace_fn)cuMemsetD8_v2_ptds, false },
	{ "cuMemsetD8Async", "post", (pl_cuda_trace_fn)cuMemsetD8Async, false },
	{ "cuMemsetD8Async_ptsz", "post", (pl_cuda_trace_fn)cuMemsetD8Async_ptsz, false },
	{ "cuMemsetD8", "refused", (pl_cuda_trace_fn)cuMemsetD8, false },
	{ "cuMemSetAccess", "ask", (pl_cuda_trace_fn)cuMemSetAccess, false },
	{ "cuMemGetAccess", "ask", (pl_cuda_trace_fn)cuMemGetAccess, false },
	{ "cuGraphGetNodes", "ask", (pl_cuda_trace_fn)cuGraphGetNodes, false },
	{ "cuIpcGetMemHandle", "ask", (pl_cuda_trace_fn)cuIpcGetMemHandle, false },
	{ "cuMemAdvise_v2", "ask", (pl_cuda_trace_fn)cuMemAdvise_v2, false },
	{ "cuLaunchHostFunc", "post", (pl_cuda_trace_fn)cuLaunchHostFunc, false },
	{ "cuLaunchHostFunc_ptsz", "post", (pl_cuda_trace_fn)cuLaunchHostFunc_ptsz, false },
	{ "cuStreamGetWindow", "ask", (pl_cuda_trace_fn)cuStreamGetWindow, false },
	{ "cuMemFreeHost", "local", (pl_cuda_trace_fn)cuMemFreeHost, false },
	{ "cuGraphLoad", "ask", (pl_cuda_trace_fn)cuGraphLoad, false },
};
const uint32_t pl_cuda_trace_rows_count = 20;
pl_cuda_trace_fn _Atomic pl_cuda_trace_theirs[20];
