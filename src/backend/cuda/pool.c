/* Pools of stream-ordered memory, and other processes' memory. */
#include <string.h>

#include "backend/cuda/session.h"

static CUresult pool_find(const struct pl_cuda_cuMemGetDefaultMemPool_args *args, CUmemoryPool *pool)
{
	__typeof__(&cuMemGetDefaultMemPool) by_location =
		args->is_default ? pl_cuda.cuMemGetDefaultMemPool : pl_cuda.cuMemGetMemPool;
	__typeof__(&cuDeviceGetDefaultMemPool) by_device =
		args->is_default ? pl_cuda.cuDeviceGetDefaultMemPool : pl_cuda.cuDeviceGetMemPool;
	CUmemLocation location = { (CUmemLocationType)args->location_type, args->location };

	if (args->location_type == CU_MEM_LOCATION_TYPE_DEVICE && args->type == CU_MEM_ALLOCATION_TYPE_PINNED &&
	    by_device)
		return by_device(pool, args->location);
	return by_location ? by_location(pool, &location, (CUmemAllocationType)args->type) : CUDA_ERROR_NOT_SUPPORTED;
}

void pl_cuda_serve_cuMemGetDefaultMemPool(struct pl_serve *serve,
					  const struct pl_cuda_cuMemGetDefaultMemPool_args *args)
{
	CUmemoryPool pool = NULL;
	int32_t status = (int32_t)pool_find(args, &pool);

	if (!status && !pl_cuda_put(serve, args->pool, PL_CUDA_KIND_pool, pool, 0))
		status = CUDA_ERROR_OUT_OF_MEMORY;
	pl_cuda_result(serve, status, 0);
}

void pl_cuda_serve_cuMemPoolSetAttribute(struct pl_serve *serve, const struct pl_cuda_cuMemPoolSetAttribute_args *args)
{
	int32_t status = CUDA_ERROR_INVALID_VALUE;
	uint64_t value = args->value; /* little endian: a word where the attribute is one */
	void *pool;

	if (args->pool && pl_cuda_take(serve, args->pool, PL_CUDA_KIND_pool, &pool, &status))
		status = pl_cuda.cuMemPoolSetAttribute ? (int32_t)pl_cuda.cuMemPoolSetAttribute(
								 pool, (CUmemPool_attribute)args->attribute, &value)
						       : CUDA_ERROR_NOT_SUPPORTED;
	pl_cuda_result(serve, status, 0);
}

void pl_cuda_serve_cuMemPoolGetAttribute(struct pl_serve *serve, const struct pl_cuda_cuMemPoolGetAttribute_args *args)
{
	struct pl_cuda_cuMemPoolGetAttribute_reply reply = { 0 };
	int32_t status = CUDA_ERROR_INVALID_VALUE;
	void *pool;

	if (args->pool && pl_cuda_take(serve, args->pool, PL_CUDA_KIND_pool, &pool, &status))
		status = pl_cuda.cuMemPoolGetAttribute
				 ? (int32_t)pl_cuda.cuMemPoolGetAttribute(pool, (CUmemPool_attribute)args->attribute,
									  &reply.value)
				 : CUDA_ERROR_NOT_SUPPORTED;
	if (status) {
		pl_cuda_result(serve, status, 0);
		return;
	}
	if (pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_cuMemPoolGetAttribute_reply_bytes(&reply), 0))
		return;
	pl_cuda_cuMemPoolGetAttribute_reply_put(&serve->reply_enc, &reply);
	(void)pl_serve_reply_end(serve);
}
