/* Made by codegen/plgen.py from small-cuda.api; do not edit. */
/*
 * Every symbol that the library exports, with its signature.  A twin _ptds or _ptsz has the signature of the function
 * before it; its default stream is the calling thread's own.
 */
#ifndef PL_CUDA_PROTOTYPES_H
#define PL_CUDA_PROTOTYPES_H

#include "cuda/api.h"

/* Of a library with cuda-calls.c: what it defines has other names, and that file exports these. */
#ifdef PL_CUDA_INSIDE
#define PL_CUDA_EXPORT     __attribute__((visibility("hidden")))
#define PL_CUDA_NAME(name) __asm__("pl_inside_" #name)
#else
#define PL_CUDA_EXPORT __attribute__((visibility("default")))
#define PL_CUDA_NAME(name)
#endif

/* since 2.0 */
PL_CUDA_EXPORT CUresult cuInit(unsigned int flags) PL_CUDA_NAME(cuInit);
/* since 2.0 */
PL_CUDA_EXPORT CUresult cuDeviceGetName(char *name, int len, CUdevice device) PL_CUDA_NAME(cuDeviceGetName);
/* since 2.0 */
PL_CUDA_EXPORT CUresult cuCtxGetLimit(size_t *value, CUlimit limit) PL_CUDA_NAME(cuCtxGetLimit);
/* since 2.0 */
PL_CUDA_EXPORT CUresult cuCtxCreate(CUcontext *context, unsigned int flags, CUdevice device) PL_CUDA_NAME(cuCtxCreate);
/* since 4.0 */
PL_CUDA_EXPORT CUresult cuCtxDestroy_v2(CUcontext context) PL_CUDA_NAME(cuCtxDestroy_v2);
/* since 3.2 */
PL_CUDA_EXPORT CUresult cuMemsetD8_v2(CUdeviceptr dst, unsigned char value, size_t count) PL_CUDA_NAME(cuMemsetD8_v2);
/* since 7.0, its twin */
PL_CUDA_EXPORT CUresult cuMemsetD8_v2_ptds(CUdeviceptr dst, unsigned char value, size_t count) PL_CUDA_NAME(cuMemsetD8_v2_ptds);
/* since 3.2 */
PL_CUDA_EXPORT CUresult cuMemsetD8Async(CUdeviceptr dst, unsigned char value, size_t count,
					CUstream stream) PL_CUDA_NAME(cuMemsetD8Async);
/* since 7.0, its twin */
PL_CUDA_EXPORT CUresult cuMemsetD8Async_ptsz(CUdeviceptr dst, unsigned char value, size_t count,
					     CUstream stream) PL_CUDA_NAME(cuMemsetD8Async_ptsz);
/* since 2.0 */
PL_CUDA_EXPORT CUresult cuMemsetD8(unsigned int dst, unsigned char value, unsigned int count) PL_CUDA_NAME(cuMemsetD8);
/* since 11.2 */
PL_CUDA_EXPORT CUresult cuMemSetAccess(CUdeviceptr address, size_t bytes,
				       const CUmemAccessDesc *accesses, size_t count) PL_CUDA_NAME(cuMemSetAccess);
/* since 11.2 */
PL_CUDA_EXPORT CUresult cuMemGetAccess(unsigned long long *flags, const CUmemLocation *location,
				       CUdeviceptr address) PL_CUDA_NAME(cuMemGetAccess);
/* since 10.0 */
PL_CUDA_EXPORT CUresult cuGraphGetNodes(CUgraph graph, CUgraphNode *nodes, size_t *count) PL_CUDA_NAME(cuGraphGetNodes);
/* since 4.1 */
PL_CUDA_EXPORT CUresult cuIpcGetMemHandle(CUipcMemHandle *handle, CUdeviceptr address) PL_CUDA_NAME(cuIpcGetMemHandle);
/* since 12.2 */
PL_CUDA_EXPORT CUresult cuMemAdvise_v2(CUdeviceptr address, size_t bytes, CUlimit advice,
				       CUmemLocation location) PL_CUDA_NAME(cuMemAdvise_v2);
/* since 10.0 */
PL_CUDA_EXPORT CUresult cuLaunchHostFunc(CUstream stream, CUhostFn callback, void *user) PL_CUDA_NAME(cuLaunchHostFunc);
/* since 10.0, its twin */
PL_CUDA_EXPORT CUresult cuLaunchHostFunc_ptsz(CUstream stream, CUhostFn callback, void *user) PL_CUDA_NAME(cuLaunchHostFunc_ptsz);
/* since 11.0 */
PL_CUDA_EXPORT CUresult cuStreamGetWindow(CUstream stream, void *value) PL_CUDA_NAME(cuStreamGetWindow);
/* since 4.0 */
PL_CUDA_EXPORT CUresult cuMemFreeHost(void *pointer) PL_CUDA_NAME(cuMemFreeHost);
/* since 2.0 */
PL_CUDA_EXPORT CUresult cuGraphLoad(const char *path, const void *data, size_t bytes,
				    CUgraph *graph, float ratio) PL_CUDA_NAME(cuGraphLoad);

#endif
