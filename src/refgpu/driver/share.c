/* For a server that shares memory with its client: device memory in it, and whether anything is under way. */
#include "cuda/handle.h"
#include "cuda/share.h"

#include <string.h>
#include <sys/mman.h>

#include "check.h"
#include "copy.h"
#include "mem.h"
#include "stream.h"

/* The whole allocation at `address`, to lie in the pages at `host`. */
static CUresult memory_enter(CUdeviceptr address, enum pl_cu_mem_kind kind, const void *host,
			     struct pl_cu_ctx **ctx_out, struct pl_cu_mem **mem_out)
{
	CUresult r = pl_cu_enter_ctx(ctx_out);
	struct pl_cu_mem *mem;

	if (r)
		return r;
	mem = pl_cu_mem_find(address);
	if (!mem || mem->kind != kind || mem->va != address || mem->check || (uintptr_t)host % PL_CU_PAGE)
		return CUDA_ERROR_INVALID_VALUE;
	*mem_out = mem;
	return CUDA_SUCCESS;
}

CUresult plRefgpuMemoryBack(CUdeviceptr address, void *host, size_t bytes)
{
	struct pl_cu_mem *mem;
	struct pl_cu_ctx *ctx;
	CUresult r = memory_enter(address, PL_CU_MEM_DEVICE, host, &ctx, &mem);

	if (r)
		return r;
	if (mem->host || bytes < mem->mapped_bytes)
		return CUDA_ERROR_INVALID_VALUE;
	if (pl_cu_vm_map_host(ctx->dev->hw, mem->va, host, mem->mapped_bytes, false)) {
		(void)pl_cu_mem_extents_map(mem); /* some pages may have gone over: their tables are there */
		pl_cu_vm_flush(ctx->dev->hw);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	pl_cu_vm_flush(ctx->dev->hw);
	mem->host = host;
	mem->host_bytes = mem->mapped_bytes;
	mem->backed = true; /* its VRAM stays taken, untouched */
	return CUDA_SUCCESS;
}

CUresult plRefgpuManagedBack(CUdeviceptr address, void *host, size_t bytes)
{
	struct pl_cu_mem *mem;
	struct pl_cu_ctx *ctx;
	CUresult r = memory_enter(address, PL_CU_MEM_MODULE, host, &ctx, &mem);

	if (r)
		return r;
	if (!mem->host_owned || bytes != mem->mapped_bytes)
		return CUDA_ERROR_INVALID_VALUE;
	memcpy(host, mem->host, mem->bytes);
	/* From 0 bytes: the shared pages are mapped once more, in place of the others. */
	if (mremap(host, 0, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, mem->host) != MAP_FAILED)
		return CUDA_SUCCESS;
	if (mmap(mem->host, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	    MAP_FAILED)
		return CUDA_ERROR_UNKNOWN; /* they are lost */
	memcpy(mem->host, host, mem->bytes);
	return CUDA_ERROR_OUT_OF_MEMORY;
}

void plRefgpuKnownOnly(void)
{
	pl_cu_known_only = true;
}

static bool of_context(bool (*what)(struct pl_cu_ctx *ctx))
{
	uint32_t call = pl_cuda_call_begin();
	struct pl_cu_ctx *ctx;
	bool is = !pl_cu_enter_ctx(&ctx) && what(ctx);

	pl_cuda_call_end(call);
	return is;
}

int plRefgpuIdle(void)
{
	return of_context(pl_cu_ctx_idle);
}

int plRefgpuPrints(void)
{
	return of_context(pl_cu_ctx_prints);
}
