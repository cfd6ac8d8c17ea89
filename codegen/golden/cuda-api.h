/* Made by codegen/plgen.py from small-cuda.api; do not edit. */
/*
 * Every symbol that the library exports, with its signature.  A twin _ptds or _ptsz has the signature of the function
 * before it; its default stream is the calling thread's own.
 */
#ifndef PL_CUDA_PROTOTYPES_H
#define PL_CUDA_PROTOTYPES_H

#include "cuda/api.h"

#define PL_CUDA_EXPORT __attribute__((visibility("default")))

/* since 2.0 */
PL_CUDA_EXPORT CUresult cuInit(unsigned int flags);
/* since 2.0 */
PL_CUDA_EXPORT CUresult cuDeviceGetName(char *name, int len, CUdevice device);
/* since 2.0 */
PL_CUDA_EXPORT CUresult cuCtxGetLimit(size_t *value, CUlimit limit);
/* since 2.0 */
PL_CUDA_EXPORT CUresult cuCtxCreate(CUcontext *context, unsigned int flags, CUdevice device);
/* since 4.0 */
PL_CUDA_EXPORT CUresult cuCtxDestroy_v2(CUcontext context);
/* since 3.2 */
PL_CUDA_EXPORT CUresult cuMemsetD8_v2(CUdeviceptr dst, unsigned char value, size_t count);
/* since 7.0, its twin */
PL_CUDA_EXPORT CUresult cuMemsetD8_v2_ptds(CUdeviceptr dst, unsigned char value, size_t count);
/* since 3.2 */
PL_CUDA_EXPORT CUresult cuMemsetD8Async(CUdeviceptr dst, unsigned char value, size_t count,
					CUstream stream);
/* since 7.0, its twin */
PL_CUDA_EXPORT CUresult cuMemsetD8Async_ptsz(CUdeviceptr dst, unsigned char value, size_t count,
					     CUstream stream);
/* since 2.0 */
PL_CUDA_EXPORT CUresult cuMemsetD8(unsigned int dst, unsigned char value, unsigned int count);
/* since 11.2 */
PL_CUDA_EXPORT CUresult cuMemSetAccess(CUdeviceptr address, size_t bytes,
				       const CUmemAccessDesc *accesses, size_t count);
/* since 11.2 */
PL_CUDA_EXPORT CUresult cuMemGetAccess(unsigned long long *flags, const CUmemLocation *location,
				       CUdeviceptr address);
/* since 10.0 */
PL_CUDA_EXPORT CUresult cuGraphGetNodes(CUgraph graph, CUgraphNode *nodes, size_t *count);
/* since 4.1 */
PL_CUDA_EXPORT CUresult cuIpcGetMemHandle(CUipcMemHandle *handle, CUdeviceptr address);
/* since 12.2 */
PL_CUDA_EXPORT CUresult cuMemAdvise_v2(CUdeviceptr address, size_t bytes, CUlimit advice,
				       CUmemLocation location);
/* since 10.0 */
PL_CUDA_EXPORT CUresult cuLaunchHostFunc(CUstream stream, CUhostFn callback, void *user);
/* since 10.0, its twin */
PL_CUDA_EXPORT CUresult cuLaunchHostFunc_ptsz(CUstream stream, CUhostFn callback, void *user);
/* since 11.0 */
PL_CUDA_EXPORT CUresult cuStreamGetWindow(CUstream stream, void *value);
/* since 4.0 */
PL_CUDA_EXPORT CUresult cuMemFreeHost(void *pointer);
/* since 2.0 */
PL_CUDA_EXPORT CUresult cuGraphLoad(const char *path, const void *data, size_t bytes,
				    CUgraph *graph, float ratio);

#endif
