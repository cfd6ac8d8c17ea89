/*
 * Pools: memory that is allocated and freed in a stream's order.  What a stream has freed it may have again at once;
 * other streams when the work before the free is done.
 */
#ifndef PL_REFGPU_DRIVER_POOL_H
#define PL_REFGPU_DRIVER_POOL_H

#include "refgpu/driver/mem.h"
#include "refgpu/driver/stream.h"

/* Pools of the device, made when first asked for. */
CUresult pl_cu_pool_default(struct pl_cu_dev *dev, struct pl_cu_pool **pool_out);
CUresult pl_cu_pool_alloc(struct pl_cu_pool *pool, struct pl_cu_stream *stream, uint64_t bytes, uint64_t *address_out);
CUresult pl_cu_pool_free(struct pl_cu_stream *stream, uint64_t address);
/* cuMemFree() of such memory: waits for the context. */
CUresult pl_cu_pool_free_now(struct pl_cu_ctx *ctx, uint64_t address);
/* Gives back what pools keep but nobody uses.  Return: true where that was anything. */
bool pl_cu_pools_trim(struct pl_cu_dev *dev);
/* The same down to what each pool keeps: what synchronising does. */
void pl_cu_pools_release(struct pl_cu_ctx *ctx);

CUmemoryPool pl_cu_pool_handle(const struct pl_cu_pool *pool);
CUmemAllocationHandleType pl_cu_pool_handle_types(const struct pl_cu_pool *pool);

#endif
