/* Batches of copies (cuda/batch.c) have no default stream: their twins are the same. */
#include "cuda-api.h"

CUresult cuMemcpyBatchAsync_ptsz(CUdeviceptr *dsts, CUdeviceptr *srcs, size_t *sizes, size_t count,
				 CUmemcpyAttributes *attributes, size_t *indices, size_t attributes_count,
				 size_t *failed_index, CUstream stream)
{
	return cuMemcpyBatchAsync(dsts, srcs, sizes, count, attributes, indices, attributes_count, failed_index,
				  stream);
}

CUresult cuMemcpyBatchAsync_v2_ptsz(CUdeviceptr *dsts, CUdeviceptr *srcs, size_t *sizes, size_t count,
				    CUmemcpyAttributes *attributes, size_t *indices, size_t attributes_count,
				    CUstream stream)
{
	return cuMemcpyBatchAsync_v2(dsts, srcs, sizes, count, attributes, indices, attributes_count, stream);
}

CUresult cuMemcpy3DBatchAsync_ptsz(size_t count, CUDA_MEMCPY3D_BATCH_OP *operations, size_t *failed_index,
				   unsigned long long flags, CUstream stream)
{
	return cuMemcpy3DBatchAsync(count, operations, failed_index, flags, stream);
}

CUresult cuMemcpy3DBatchAsync_v2_ptsz(size_t count, CUDA_MEMCPY3D_BATCH_OP *operations, unsigned long long flags,
				      CUstream stream)
{
	return cuMemcpy3DBatchAsync_v2(count, operations, flags, stream);
}
