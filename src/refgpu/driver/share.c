/* For a server that shares memory with its client: device memory in it, and whether anything is under way. */
#include "cuda/share.h"

#include "check.h"
#include "mem.h"
#include "stream.h"

CUresult plRefgpuMemoryBack(CUdeviceptr address, void *host, size_t bytes)
{
	struct pl_cu_mem *mem;
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);

	if (r)
		return r;
	mem = pl_cu_mem_find(address);
	if (!mem || mem->kind != PL_CU_MEM_DEVICE || mem->va != address || mem->host || mem->check ||
	    (uintptr_t)host % PL_CU_PAGE || bytes < mem->mapped_bytes)
		return CUDA_ERROR_INVALID_VALUE;
	if (pl_cu_vm_map_host(ctx->dev->hw, mem->va, host, mem->mapped_bytes, false))
		return CUDA_ERROR_OUT_OF_MEMORY;
	pl_cu_vm_flush(ctx->dev->hw);
	mem->host = host;
	mem->host_bytes = mem->mapped_bytes;
	mem->backed = true; /* its VRAM stays taken, untouched */
	return CUDA_SUCCESS;
}

int plRefgpuIdle(void)
{
	struct pl_cu_ctx *ctx;
	bool idle = !pl_cu_enter_ctx(&ctx);

	if (!idle)
		return false;
	pthread_mutex_lock(&ctx->lock);
	for (struct pl_cu_stream *stream = ctx->streams; stream && idle; stream = stream->next)
		idle = pl_cu_line_idle(stream->line);
	pthread_mutex_unlock(&ctx->lock);
	return idle;
}
