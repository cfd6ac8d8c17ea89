/*
 * The twins of functions with a default stream: called by programs that were built so that stream 0 is the calling
 * thread's own.  Each is its function, called so.
 */
#include "cuda-api.h"
#include "driver.h"

#define TWIN(twin, function, params, args)                                                                             \
	CUresult twin params                                                                                           \
	{                                                                                                              \
		CUresult r;                                                                                            \
		pl_cu_per_thread = true;                                                                               \
		r = function args;                                                                                     \
		pl_cu_per_thread = false;                                                                              \
		return r;                                                                                              \
	}

TWIN(cuEventRecordWithFlags_ptsz, cuEventRecordWithFlags, (CUevent event, CUstream stream, unsigned int flags),
     (event, stream, flags))
TWIN(cuEventRecord_ptsz, cuEventRecord, (CUevent event, CUstream stream), (event, stream))
TWIN(cuLaunchCooperativeKernel_ptsz, cuLaunchCooperativeKernel,
     (CUfunction function, unsigned int grid_dim_x, unsigned int grid_dim_y, unsigned int grid_dim_z,
      unsigned int block_dim_x, unsigned int block_dim_y, unsigned int block_dim_z, unsigned int shared_bytes,
      CUstream stream, void **kernel_params),
     (function, grid_dim_x, grid_dim_y, grid_dim_z, block_dim_x, block_dim_y, block_dim_z, shared_bytes, stream,
      kernel_params))
TWIN(cuLaunchHostFunc_ptsz, cuLaunchHostFunc, (CUstream stream, CUhostFn callback, void *user),
     (stream, callback, user))
TWIN(cuLaunchKernelEx_ptsz, cuLaunchKernelEx,
     (const CUlaunchConfig *config, CUfunction function, void **kernel_params, void **extra),
     (config, function, kernel_params, extra))
TWIN(cuLaunchKernel_ptsz, cuLaunchKernel,
     (CUfunction function, unsigned int grid_dim_x, unsigned int grid_dim_y, unsigned int grid_dim_z,
      unsigned int block_dim_x, unsigned int block_dim_y, unsigned int block_dim_z, unsigned int shared_bytes,
      CUstream stream, void **kernel_params, void **extra),
     (function, grid_dim_x, grid_dim_y, grid_dim_z, block_dim_x, block_dim_y, block_dim_z, shared_bytes, stream,
      kernel_params, extra))
TWIN(cuMemAllocAsync_ptsz, cuMemAllocAsync, (CUdeviceptr * address, size_t bytes, CUstream stream),
     (address, bytes, stream))
TWIN(cuMemAllocFromPoolAsync_ptsz, cuMemAllocFromPoolAsync,
     (CUdeviceptr * address, size_t bytes, CUmemoryPool pool, CUstream stream), (address, bytes, pool, stream))
TWIN(cuMemBatchDecompressAsync_ptsz, cuMemBatchDecompressAsync,
     (CUmemDecompressParams * params, size_t count, unsigned int flags, size_t *error_index, CUstream stream),
     (params, count, flags, error_index, stream))
TWIN(cuMemDiscardAndPrefetchBatchAsync_ptsz, cuMemDiscardAndPrefetchBatchAsync,
     (CUdeviceptr * addresses, size_t *sizes, size_t count, CUmemLocation *locations, size_t *location_indices,
      size_t locations_count, unsigned long long flags, CUstream stream),
     (addresses, sizes, count, locations, location_indices, locations_count, flags, stream))
TWIN(cuMemDiscardBatchAsync_ptsz, cuMemDiscardBatchAsync,
     (CUdeviceptr * addresses, size_t *sizes, size_t count, unsigned long long flags, CUstream stream),
     (addresses, sizes, count, flags, stream))
TWIN(cuMemFreeAsync_ptsz, cuMemFreeAsync, (CUdeviceptr address, CUstream stream), (address, stream))
TWIN(cuMemMapArrayAsync_ptsz, cuMemMapArrayAsync, (CUarrayMapInfo * maps, unsigned int count, CUstream stream),
     (maps, count, stream))
TWIN(cuMemPrefetchAsync_ptsz, cuMemPrefetchAsync, (CUdeviceptr address, size_t count, CUdevice dst, CUstream stream),
     (address, count, dst, stream))
TWIN(cuMemPrefetchAsync_v2_ptsz, cuMemPrefetchAsync_v2,
     (CUdeviceptr address, size_t count, CUmemLocation location, unsigned int flags, CUstream stream),
     (address, count, location, flags, stream))
TWIN(cuMemPrefetchBatchAsync_ptsz, cuMemPrefetchBatchAsync,
     (CUdeviceptr * addresses, size_t *sizes, size_t count, CUmemLocation *locations, size_t *location_indices,
      size_t locations_count, unsigned long long flags, CUstream stream),
     (addresses, sizes, count, locations, location_indices, locations_count, flags, stream))
TWIN(cuMemcpy2DAsync_v2_ptsz, cuMemcpy2DAsync_v2, (const CUDA_MEMCPY2D *copy, CUstream stream), (copy, stream))
TWIN(cuMemcpy2DUnaligned_v2_ptds, cuMemcpy2DUnaligned_v2, (const CUDA_MEMCPY2D *copy), (copy))
TWIN(cuMemcpy2D_v2_ptds, cuMemcpy2D_v2, (const CUDA_MEMCPY2D *copy), (copy))
TWIN(cuMemcpy3DAsync_v2_ptsz, cuMemcpy3DAsync_v2, (const CUDA_MEMCPY3D *copy, CUstream stream), (copy, stream))
TWIN(cuMemcpy3DBatchAsync_ptsz, cuMemcpy3DBatchAsync,
     (size_t count, CUDA_MEMCPY3D_BATCH_OP *operations, size_t *fail_idx, unsigned long long flags, CUstream stream),
     (count, operations, fail_idx, flags, stream))
TWIN(cuMemcpy3DBatchAsync_v2_ptsz, cuMemcpy3DBatchAsync_v2,
     (size_t count, CUDA_MEMCPY3D_BATCH_OP *operations, unsigned long long flags, CUstream stream),
     (count, operations, flags, stream))
TWIN(cuMemcpy3DPeerAsync_ptsz, cuMemcpy3DPeerAsync, (const CUDA_MEMCPY3D_PEER *copy, CUstream stream), (copy, stream))
TWIN(cuMemcpy3DPeer_ptds, cuMemcpy3DPeer, (const CUDA_MEMCPY3D_PEER *copy), (copy))
TWIN(cuMemcpy3D_v2_ptds, cuMemcpy3D_v2, (const CUDA_MEMCPY3D *copy), (copy))
TWIN(cuMemcpyAsync_ptsz, cuMemcpyAsync, (CUdeviceptr dst, CUdeviceptr src, size_t bytes, CUstream stream),
     (dst, src, bytes, stream))
TWIN(cuMemcpyAtoA_v2_ptds, cuMemcpyAtoA_v2,
     (CUarray dst, size_t dst_offset, CUarray src, size_t src_offset, size_t bytes),
     (dst, dst_offset, src, src_offset, bytes))
TWIN(cuMemcpyAtoD_v2_ptds, cuMemcpyAtoD_v2, (CUdeviceptr dst, CUarray src, size_t src_offset, size_t bytes),
     (dst, src, src_offset, bytes))
TWIN(cuMemcpyAtoHAsync_v2_ptsz, cuMemcpyAtoHAsync_v2,
     (void *dst, CUarray src, size_t src_offset, size_t bytes, CUstream stream), (dst, src, src_offset, bytes, stream))
TWIN(cuMemcpyAtoH_v2_ptds, cuMemcpyAtoH_v2, (void *dst, CUarray src, size_t src_offset, size_t bytes),
     (dst, src, src_offset, bytes))
TWIN(cuMemcpyBatchAsync_ptsz, cuMemcpyBatchAsync,
     (CUdeviceptr * dsts, CUdeviceptr *srcs, size_t *sizes, size_t count, CUmemcpyAttributes *attributes,
      size_t *attribute_indices, size_t attributes_count, size_t *fail_idx, CUstream stream),
     (dsts, srcs, sizes, count, attributes, attribute_indices, attributes_count, fail_idx, stream))
TWIN(cuMemcpyBatchAsync_v2_ptsz, cuMemcpyBatchAsync_v2,
     (CUdeviceptr * dsts, CUdeviceptr *srcs, size_t *sizes, size_t count, CUmemcpyAttributes *attributes,
      size_t *attribute_indices, size_t attributes_count, CUstream stream),
     (dsts, srcs, sizes, count, attributes, attribute_indices, attributes_count, stream))
TWIN(cuMemcpyDtoA_v2_ptds, cuMemcpyDtoA_v2, (CUarray dst, size_t dst_offset, CUdeviceptr src, size_t bytes),
     (dst, dst_offset, src, bytes))
TWIN(cuMemcpyDtoDAsync_v2_ptsz, cuMemcpyDtoDAsync_v2, (CUdeviceptr dst, CUdeviceptr src, size_t bytes, CUstream stream),
     (dst, src, bytes, stream))
TWIN(cuMemcpyDtoD_v2_ptds, cuMemcpyDtoD_v2, (CUdeviceptr dst, CUdeviceptr src, size_t bytes), (dst, src, bytes))
TWIN(cuMemcpyDtoHAsync_v2_ptsz, cuMemcpyDtoHAsync_v2, (void *dst, CUdeviceptr src, size_t bytes, CUstream stream),
     (dst, src, bytes, stream))
TWIN(cuMemcpyDtoH_v2_ptds, cuMemcpyDtoH_v2, (void *dst, CUdeviceptr src, size_t bytes), (dst, src, bytes))
TWIN(cuMemcpyHtoAAsync_v2_ptsz, cuMemcpyHtoAAsync_v2,
     (CUarray dst, size_t dst_offset, const void *src, size_t bytes, CUstream stream),
     (dst, dst_offset, src, bytes, stream))
TWIN(cuMemcpyHtoA_v2_ptds, cuMemcpyHtoA_v2, (CUarray dst, size_t dst_offset, const void *src, size_t bytes),
     (dst, dst_offset, src, bytes))
TWIN(cuMemcpyHtoDAsync_v2_ptsz, cuMemcpyHtoDAsync_v2, (CUdeviceptr dst, const void *src, size_t bytes, CUstream stream),
     (dst, src, bytes, stream))
TWIN(cuMemcpyHtoD_v2_ptds, cuMemcpyHtoD_v2, (CUdeviceptr dst, const void *src, size_t bytes), (dst, src, bytes))
TWIN(cuMemcpyPeerAsync_ptsz, cuMemcpyPeerAsync,
     (CUdeviceptr dst, CUcontext dst_context, CUdeviceptr src, CUcontext src_context, size_t bytes, CUstream stream),
     (dst, dst_context, src, src_context, bytes, stream))
TWIN(cuMemcpyPeer_ptds, cuMemcpyPeer,
     (CUdeviceptr dst, CUcontext dst_context, CUdeviceptr src, CUcontext src_context, size_t bytes),
     (dst, dst_context, src, src_context, bytes))
TWIN(cuMemcpy_ptds, cuMemcpy, (CUdeviceptr dst, CUdeviceptr src, size_t bytes), (dst, src, bytes))
TWIN(cuMemsetD16Async_ptsz, cuMemsetD16Async, (CUdeviceptr dst, unsigned short value, size_t count, CUstream stream),
     (dst, value, count, stream))
TWIN(cuMemsetD16_v2_ptds, cuMemsetD16_v2, (CUdeviceptr dst, unsigned short value, size_t count), (dst, value, count))
TWIN(cuMemsetD2D16Async_ptsz, cuMemsetD2D16Async,
     (CUdeviceptr dst, size_t dst_pitch, unsigned short value, size_t width, size_t height, CUstream stream),
     (dst, dst_pitch, value, width, height, stream))
TWIN(cuMemsetD2D16_v2_ptds, cuMemsetD2D16_v2,
     (CUdeviceptr dst, size_t dst_pitch, unsigned short value, size_t width, size_t height),
     (dst, dst_pitch, value, width, height))
TWIN(cuMemsetD2D32Async_ptsz, cuMemsetD2D32Async,
     (CUdeviceptr dst, size_t dst_pitch, unsigned int value, size_t width, size_t height, CUstream stream),
     (dst, dst_pitch, value, width, height, stream))
TWIN(cuMemsetD2D32_v2_ptds, cuMemsetD2D32_v2,
     (CUdeviceptr dst, size_t dst_pitch, unsigned int value, size_t width, size_t height),
     (dst, dst_pitch, value, width, height))
TWIN(cuMemsetD2D8Async_ptsz, cuMemsetD2D8Async,
     (CUdeviceptr dst, size_t dst_pitch, unsigned char value, size_t width, size_t height, CUstream stream),
     (dst, dst_pitch, value, width, height, stream))
TWIN(cuMemsetD2D8_v2_ptds, cuMemsetD2D8_v2,
     (CUdeviceptr dst, size_t dst_pitch, unsigned char value, size_t width, size_t height),
     (dst, dst_pitch, value, width, height))
TWIN(cuMemsetD32Async_ptsz, cuMemsetD32Async, (CUdeviceptr dst, unsigned int value, size_t count, CUstream stream),
     (dst, value, count, stream))
TWIN(cuMemsetD32_v2_ptds, cuMemsetD32_v2, (CUdeviceptr dst, unsigned int value, size_t count), (dst, value, count))
TWIN(cuMemsetD8Async_ptsz, cuMemsetD8Async, (CUdeviceptr dst, unsigned char value, size_t count, CUstream stream),
     (dst, value, count, stream))
TWIN(cuMemsetD8_v2_ptds, cuMemsetD8_v2, (CUdeviceptr dst, unsigned char value, size_t count), (dst, value, count))
TWIN(cuStreamAddCallback_ptsz, cuStreamAddCallback,
     (CUstream stream, CUstreamCallback callback, void *user, unsigned int flags), (stream, callback, user, flags))
TWIN(cuStreamAttachMemAsync_ptsz, cuStreamAttachMemAsync,
     (CUstream stream, CUdeviceptr address, size_t length, unsigned int flags), (stream, address, length, flags))
TWIN(cuStreamBatchMemOp_ptsz, cuStreamBatchMemOp,
     (CUstream stream, unsigned int count, CUstreamBatchMemOpParams *operations, unsigned int flags),
     (stream, count, operations, flags))
TWIN(cuStreamBatchMemOp_v2_ptsz, cuStreamBatchMemOp_v2,
     (CUstream stream, unsigned int count, CUstreamBatchMemOpParams *operations, unsigned int flags),
     (stream, count, operations, flags))
TWIN(cuStreamCopyAttributes_ptsz, cuStreamCopyAttributes, (CUstream dst_stream, CUstream src_stream),
     (dst_stream, src_stream))
TWIN(cuStreamGetAttribute_ptsz, cuStreamGetAttribute,
     (CUstream stream, CUstreamAttrID attribute, CUstreamAttrValue *value), (stream, attribute, value))
TWIN(cuStreamGetCtx_ptsz, cuStreamGetCtx, (CUstream stream, CUcontext *context), (stream, context))
TWIN(cuStreamGetCtx_v2_ptsz, cuStreamGetCtx_v2, (CUstream stream, CUcontext *context, CUgreenCtx *green),
     (stream, context, green))
TWIN(cuStreamGetDevice_ptsz, cuStreamGetDevice, (CUstream stream, CUdevice *device), (stream, device))
TWIN(cuStreamGetFlags_ptsz, cuStreamGetFlags, (CUstream stream, unsigned int *flags), (stream, flags))
TWIN(cuStreamGetId_ptsz, cuStreamGetId, (CUstream stream, unsigned long long *id), (stream, id))
TWIN(cuStreamGetPriority_ptsz, cuStreamGetPriority, (CUstream stream, int *priority), (stream, priority))
TWIN(cuStreamQuery_ptsz, cuStreamQuery, (CUstream stream), (stream))
TWIN(cuStreamSetAttribute_ptsz, cuStreamSetAttribute,
     (CUstream stream, CUstreamAttrID attribute, const CUstreamAttrValue *value), (stream, attribute, value))
TWIN(cuStreamSynchronize_ptsz, cuStreamSynchronize, (CUstream stream), (stream))
TWIN(cuStreamWaitEvent_ptsz, cuStreamWaitEvent, (CUstream stream, CUevent event, unsigned int flags),
     (stream, event, flags))
TWIN(cuStreamWaitValue32_ptsz, cuStreamWaitValue32,
     (CUstream stream, CUdeviceptr address, cuuint32_t value, unsigned int flags), (stream, address, value, flags))
TWIN(cuStreamWaitValue32_v2_ptsz, cuStreamWaitValue32_v2,
     (CUstream stream, CUdeviceptr address, cuuint32_t value, unsigned int flags), (stream, address, value, flags))
TWIN(cuStreamWaitValue64_ptsz, cuStreamWaitValue64,
     (CUstream stream, CUdeviceptr address, cuuint64_t value, unsigned int flags), (stream, address, value, flags))
TWIN(cuStreamWaitValue64_v2_ptsz, cuStreamWaitValue64_v2,
     (CUstream stream, CUdeviceptr address, cuuint64_t value, unsigned int flags), (stream, address, value, flags))
TWIN(cuStreamWriteValue32_ptsz, cuStreamWriteValue32,
     (CUstream stream, CUdeviceptr address, cuuint32_t value, unsigned int flags), (stream, address, value, flags))
TWIN(cuStreamWriteValue32_v2_ptsz, cuStreamWriteValue32_v2,
     (CUstream stream, CUdeviceptr address, cuuint32_t value, unsigned int flags), (stream, address, value, flags))
TWIN(cuStreamWriteValue64_ptsz, cuStreamWriteValue64,
     (CUstream stream, CUdeviceptr address, cuuint64_t value, unsigned int flags), (stream, address, value, flags))
TWIN(cuStreamWriteValue64_v2_ptsz, cuStreamWriteValue64_v2,
     (CUstream stream, CUdeviceptr address, cuuint64_t value, unsigned int flags), (stream, address, value, flags))
TWIN(cuStreamIsCapturing_ptsz, cuStreamIsCapturing, (CUstream stream, CUstreamCaptureStatus *status), (stream, status))
TWIN(cuStreamGetCaptureInfo_ptsz, cuStreamGetCaptureInfo,
     (CUstream stream, CUstreamCaptureStatus *status, cuuint64_t *id), (stream, status, id))
TWIN(cuStreamGetCaptureInfo_v2_ptsz, cuStreamGetCaptureInfo_v2,
     (CUstream stream, CUstreamCaptureStatus *status, cuuint64_t *id, CUgraph *graph, const CUgraphNode **dependencies,
      size_t *dependencies_count),
     (stream, status, id, graph, dependencies, dependencies_count))
TWIN(cuStreamGetCaptureInfo_v3_ptsz, cuStreamGetCaptureInfo_v3,
     (CUstream stream, CUstreamCaptureStatus *status, cuuint64_t *id, CUgraph *graph, const CUgraphNode **dependencies,
      const CUgraphEdgeData **edges, size_t *dependencies_count),
     (stream, status, id, graph, dependencies, edges, dependencies_count))
TWIN(cuStreamBeginCapture_ptsz, cuStreamBeginCapture, (CUstream stream), (stream))
TWIN(cuStreamBeginCapture_v2_ptsz, cuStreamBeginCapture_v2, (CUstream stream, CUstreamCaptureMode mode), (stream, mode))
TWIN(cuStreamBeginCaptureToGraph_ptsz, cuStreamBeginCaptureToGraph,
     (CUstream stream, CUgraph graph, const CUgraphNode *dependencies, const CUgraphEdgeData *edges,
      size_t dependencies_count, CUstreamCaptureMode mode),
     (stream, graph, dependencies, edges, dependencies_count, mode))
TWIN(cuStreamEndCapture_ptsz, cuStreamEndCapture, (CUstream stream, CUgraph *graph), (stream, graph))
TWIN(cuStreamUpdateCaptureDependencies_ptsz, cuStreamUpdateCaptureDependencies,
     (CUstream stream, CUgraphNode *dependencies, size_t dependencies_count, unsigned int flags),
     (stream, dependencies, dependencies_count, flags))
TWIN(cuStreamUpdateCaptureDependencies_v2_ptsz, cuStreamUpdateCaptureDependencies_v2,
     (CUstream stream, CUgraphNode *dependencies, const CUgraphEdgeData *edges, size_t dependencies_count,
      unsigned int flags),
     (stream, dependencies, edges, dependencies_count, flags))
TWIN(cuGraphInstantiateWithParams_ptsz, cuGraphInstantiateWithParams,
     (CUgraphExec * exec, CUgraph graph, CUDA_GRAPH_INSTANTIATE_PARAMS *params), (exec, graph, params))
TWIN(cuGraphUpload_ptsz, cuGraphUpload, (CUgraphExec exec, CUstream stream), (exec, stream))
TWIN(cuGraphLaunch_ptsz, cuGraphLaunch, (CUgraphExec exec, CUstream stream), (exec, stream))
