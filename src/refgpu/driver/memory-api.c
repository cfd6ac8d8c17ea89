/* Memory of a context and of the host, as the API has it. */
#include <errno.h>

#include "capture.h"
#include "check.h"
#include "cuda-api.h"
#include "mem.h"
#include "pool.h"
#include "stream.h"

#define PITCH_ALIGN 512u

static CUresult alloc(CUdeviceptr *address_out, size_t bytes)
{
	struct pl_cu_mem *mem;
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (!r)
		r = pl_cu_capture_unsafe();
	if (r)
		return r;
	if (!address_out || !bytes)
		return CUDA_ERROR_INVALID_VALUE;
	r = pl_cu_result_of(pl_cu_mem_create(&mem, PL_CU_MEM_DEVICE, ctx, bytes));
	if (r == CUDA_ERROR_OUT_OF_MEMORY && pl_cu_pools_trim(ctx->dev))
		r = pl_cu_result_of(pl_cu_mem_create(&mem, PL_CU_MEM_DEVICE, ctx, bytes));
	if (!r)
		*address_out = mem->va;
	return r;
}

CUresult cuMemAlloc_v2(CUdeviceptr *address_out, size_t bytes)
{
	return alloc(address_out, bytes);
}

CUresult cuMemAllocPitch_v2(CUdeviceptr *address_out, size_t *pitch_out, size_t width_bytes, size_t height,
			    unsigned int element_bytes)
{
	uint64_t pitch, bytes;
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (r)
		return r;
	if (!pitch_out || !width_bytes || !height || (element_bytes != 4 && element_bytes != 8 && element_bytes != 16))
		return CUDA_ERROR_INVALID_VALUE;
	if (width_bytes > UINT64_MAX - PITCH_ALIGN)
		return CUDA_ERROR_INVALID_VALUE;
	pitch = (width_bytes + PITCH_ALIGN - 1) & ~(uint64_t)(PITCH_ALIGN - 1);
	if (__builtin_mul_overflow(pitch, height, &bytes))
		return CUDA_ERROR_OUT_OF_MEMORY;
	r = alloc(address_out, bytes);
	if (!r)
		*pitch_out = pitch;
	return r;
}

/* Waits for the context's work first, as CUDA does: what is freed may be in use by it. */
CUresult cuMemFree_v2(CUdeviceptr address)
{
	static const enum pl_cu_mem_kind kinds[] = { PL_CU_MEM_DEVICE, PL_CU_MEM_MANAGED };
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (!r)
		r = pl_cu_capture_unsafe();
	if (r || !address)
		return r;
	if (pl_cu_mem_find(address) && pl_cu_mem_find(address)->kind == PL_CU_MEM_GRAPH) {
		r = pl_cu_ctx_wait(ctx);
		return r ? r : pl_cu_graph_mem_free(ctx->null_stream, address);
	}
	if (pl_cu_mem_find(address) && pl_cu_mem_find(address)->kind == PL_CU_MEM_POOL)
		return pl_cu_pool_free_now(ctx, address);
	if (pl_cu_mem_find(address) && pl_cu_ctx_of(pl_cu_mem_find(address)->ctx))
		ctx = pl_cu_ctx_of(pl_cu_mem_find(address)->ctx);
	r = pl_cu_ctx_wait(ctx);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct pl_cu_mem *mem = pl_cu_mem_claim(address, kinds[i]);
		if (!mem)
			continue;
		pl_cu_mem_destroy(mem);
		return r;
	}
	pl_cu_check_call(CUDA_ERROR_INVALID_VALUE, "cuMemFree(0x%llx): no allocation begins there",
			 (unsigned long long)address);
	return CUDA_ERROR_INVALID_VALUE;
}

CUresult cuMemGetInfo_v2(size_t *free_out, size_t *total_out)
{
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (r)
		return r;
	if (!free_out && !total_out)
		return CUDA_ERROR_INVALID_VALUE;
	if (free_out)
		*free_out = pl_cu_vram_free_bytes(ctx->dev->hw);
	if (total_out)
		*total_out = ctx->dev->hw->vram_bytes;
	return CUDA_SUCCESS;
}

CUresult cuMemGetAddressRange_v2(CUdeviceptr *base_out, size_t *bytes_out, CUdeviceptr address)
{
	struct pl_cu_mem *mem;
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (r)
		return r;
	mem = pl_cu_mem_find(address);
	if (!mem || mem->kind == PL_CU_MEM_DRIVER)
		return CUDA_ERROR_NOT_FOUND;
	if (base_out)
		*base_out = mem->va;
	if (bytes_out)
		*bytes_out = mem->bytes;
	return CUDA_SUCCESS;
}

/* -- the host's ---------------------------------------------------------------------------------------------------- */

#define HOSTALLOC_ALL (CU_MEMHOSTALLOC_PORTABLE | CU_MEMHOSTALLOC_DEVICEMAP | CU_MEMHOSTALLOC_WRITECOMBINED)
#define HOSTREGISTER_ALL                                                                                               \
	(CU_MEMHOSTREGISTER_PORTABLE | CU_MEMHOSTREGISTER_DEVICEMAP | CU_MEMHOSTREGISTER_IOMEMORY |                    \
	 CU_MEMHOSTREGISTER_READ_ONLY)

CUresult cuMemHostAlloc(void **host_out, size_t bytes, unsigned int flags)
{
	struct pl_cu_mem *mem;
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (!r)
		r = pl_cu_capture_unsafe();
	if (r)
		return r;
	if (!host_out || !bytes || flags & ~(unsigned int)HOSTALLOC_ALL)
		return CUDA_ERROR_INVALID_VALUE;
	r = pl_cu_result_of(pl_cu_mem_create_host(&mem, PL_CU_MEM_HOST, ctx, NULL, bytes, false));
	if (r)
		return r;
	mem->flags = flags | CU_MEMHOSTALLOC_DEVICEMAP;
	*host_out = mem->host;
	return CUDA_SUCCESS;
}

CUresult cuMemAllocHost_v2(void **host_out, size_t bytes)
{
	return cuMemHostAlloc(host_out, bytes, 0);
}

CUresult cuMemAllocHost(void **host_out, unsigned int bytes)
{
	return cuMemHostAlloc(host_out, bytes, 0);
}

CUresult cuMemFreeHost(void *host)
{
	struct pl_cu_mem *mem;
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (!r)
		r = pl_cu_capture_unsafe();
	if (r || !host)
		return r;
	r = pl_cu_ctx_wait(ctx);
	mem = pl_cu_mem_claim((uint64_t)(uintptr_t)host, PL_CU_MEM_HOST);
	if (!mem) {
		pl_cu_check_call(CUDA_ERROR_INVALID_VALUE, "cuMemFreeHost(%p): no allocation begins there", host);
		return CUDA_ERROR_INVALID_VALUE;
	}
	pl_cu_mem_destroy(mem);
	return r;
}

CUresult cuMemHostRegister_v2(void *host, size_t bytes, unsigned int flags)
{
	struct pl_cu_mem *mem;
	struct pl_cu_ctx *ctx;
	int made;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (r)
		return r;
	if (!host || !bytes || flags & ~(unsigned int)HOSTREGISTER_ALL || (uint64_t)(uintptr_t)host + bytes < bytes)
		return CUDA_ERROR_INVALID_VALUE;
	if (flags & CU_MEMHOSTREGISTER_IOMEMORY)
		return CUDA_ERROR_NOT_SUPPORTED;
	if (!pl_cu_host_mapped(host, bytes))
		return CUDA_ERROR_INVALID_VALUE;
	made = pl_cu_mem_create_host(&mem, PL_CU_MEM_REGISTERED, ctx, host, bytes,
				     flags & CU_MEMHOSTREGISTER_READ_ONLY);
	if (made == -EEXIST)
		return CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED;
	if (!made)
		mem->flags = flags | CU_MEMHOSTREGISTER_DEVICEMAP;
	return pl_cu_result_of(made);
}

CUresult cuMemHostRegister(void *host, size_t bytes, unsigned int flags)
{
	return cuMemHostRegister_v2(host, bytes, flags);
}

CUresult cuMemHostUnregister(void *host)
{
	struct pl_cu_mem *mem;
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (r)
		return r;
	if (!host)
		return CUDA_ERROR_INVALID_VALUE;
	r = pl_cu_ctx_wait(ctx);
	mem = pl_cu_mem_claim((uint64_t)(uintptr_t)host, PL_CU_MEM_REGISTERED);
	if (!mem) { /* within a registration that begins elsewhere it is another mistake */
		mem = pl_cu_mem_find((uint64_t)(uintptr_t)host);
		return mem && mem->kind == PL_CU_MEM_REGISTERED ? CUDA_ERROR_INVALID_VALUE
								: CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED;
	}
	pl_cu_mem_destroy(mem);
	return r;
}

static CUresult host_mem(const void *host, struct pl_cu_mem **mem_out)
{
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (r)
		return r;
	*mem_out = host ? pl_cu_mem_find((uint64_t)(uintptr_t)host) : NULL;
	if (!*mem_out || ((*mem_out)->kind != PL_CU_MEM_HOST && (*mem_out)->kind != PL_CU_MEM_REGISTERED))
		return CUDA_ERROR_INVALID_VALUE;
	return CUDA_SUCCESS;
}

CUresult cuMemHostGetDevicePointer_v2(CUdeviceptr *address_out, void *host, unsigned int flags)
{
	struct pl_cu_mem *mem;
	CUresult r = host_mem(host, &mem);
	if (!r && (!address_out || flags))
		r = CUDA_ERROR_INVALID_VALUE;
	if (!r)
		*address_out = (uint64_t)(uintptr_t)host;
	return r;
}

CUresult cuMemHostGetFlags(unsigned int *flags_out, void *host)
{
	struct pl_cu_mem *mem;
	CUresult r = host_mem(host, &mem);
	if (!r && !flags_out)
		r = CUDA_ERROR_INVALID_VALUE;
	if (!r)
		*flags_out = mem->flags;
	return r;
}
