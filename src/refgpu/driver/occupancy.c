/* How many blocks fit: what the device's description allows (docs/refgpu.md), as CUDA's calculator has it. */
#include "cuda-api.h"
#include "launch.h"

#define REGISTERS_OF_SM 65536u
#define WARP            32u
#define REGISTER_UNIT   256u /* registers are given to a warp in such pieces */
#define SHARED_UNIT     128u
#define POTENTIAL_STEP  WARP

static uint64_t round_up(uint64_t value, uint64_t unit)
{
	return (value + unit - 1) / unit * unit;
}

static uint64_t shared_of(const struct pl_ptx_func *info, uint64_t dynamic)
{
	return round_up(info->shared_bytes + dynamic, SHARED_UNIT) + PL_CU_SHARED_RESERVED;
}

uint32_t pl_cu_occupancy(const struct pl_ptx_func *info, uint32_t threads, uint64_t shared_bytes)
{
	uint32_t warps, blocks = PL_CU_SM_BLOCKS, registers;
	uint64_t shared;
	if (!threads || threads > PL_ISA_BLOCK_THREADS_MAX || shared_bytes > PL_CU_SHARED_SM)
		return 0; /* so much could wrap below */
	shared = shared_of(info, shared_bytes);
	if (shared > PL_CU_SHARED_SM)
		return 0;
	warps = (threads + WARP - 1) / WARP;
	registers = (uint32_t)round_up((uint64_t)pl_cu_func_registers(info) * WARP, REGISTER_UNIT) * warps;
	if (PL_CU_SM_THREADS / WARP / warps < blocks)
		blocks = PL_CU_SM_THREADS / WARP / warps;
	if (REGISTERS_OF_SM / registers < blocks)
		blocks = REGISTERS_OF_SM / registers;
	if (PL_CU_SHARED_SM / shared < blocks)
		blocks = (uint32_t)(PL_CU_SHARED_SM / shared);
	return blocks;
}

static CUresult func_get(CUfunction handle, struct pl_cu_func **func_out)
{
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	return r ? r : pl_cu_func_get(handle, func_out);
}

CUresult cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *blocks_out, CUfunction handle, int threads,
							      size_t shared_bytes, unsigned int flags)
{
	struct pl_cu_func *func;
	CUresult r = func_get(handle, &func);
	if (r)
		return r;
	if (!blocks_out || threads <= 0 || flags > CU_OCCUPANCY_DISABLE_CACHING_OVERRIDE)
		return CUDA_ERROR_INVALID_VALUE;
	*blocks_out = (int)pl_cu_occupancy(func->info, (uint32_t)threads, shared_bytes);
	return CUDA_SUCCESS;
}

CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks_out, CUfunction handle, int threads,
						     size_t shared_bytes)
{
	return cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(blocks_out, handle, threads, shared_bytes, 0);
}

CUresult cuOccupancyMaxPotentialBlockSizeWithFlags(int *grid_out, int *block_out, CUfunction handle,
						   CUoccupancyB2DSize shared_of_block, size_t shared_bytes, int limit,
						   unsigned int flags)
{
	uint32_t best = 0, best_threads = 0, most = PL_ISA_BLOCK_THREADS_MAX;
	struct pl_cu_func *func;
	int allowed;
	CUresult r = cuFuncGetAttribute(&allowed, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, handle);
	if (!r)
		r = func_get(handle, &func);
	if (r)
		return r;
	if (!grid_out || !block_out || limit < 0 || flags > CU_OCCUPANCY_DISABLE_CACHING_OVERRIDE)
		return CUDA_ERROR_INVALID_VALUE;
	most = (uint32_t)allowed;
	if (limit && (uint32_t)limit < most)
		most = (uint32_t)limit;
	for (uint32_t step = (uint32_t)round_up(most, POTENTIAL_STEP); step; step -= POTENTIAL_STEP) {
		uint32_t threads = step < most ? step : most;
		size_t shared = shared_of_block ? shared_of_block((int)threads) : shared_bytes;
		uint32_t blocks = pl_cu_occupancy(func->info, threads, shared);
		if (blocks * threads <= best * best_threads)
			continue;
		best = blocks;
		best_threads = threads;
	}
	*grid_out = (int)(best * func->module->ctx->dev->hw->sm_count);
	*block_out = (int)best_threads;
	return CUDA_SUCCESS;
}

CUresult cuOccupancyMaxPotentialBlockSize(int *grid_out, int *block_out, CUfunction handle,
					  CUoccupancyB2DSize shared_of_block, size_t shared_bytes, int limit)
{
	return cuOccupancyMaxPotentialBlockSizeWithFlags(grid_out, block_out, handle, shared_of_block, shared_bytes,
							 limit, 0);
}

CUresult cuOccupancyAvailableDynamicSMemPerBlock(size_t *bytes_out, CUfunction handle, int blocks, int threads)
{
	struct pl_cu_func *func;
	uint64_t each, most;
	CUresult r = func_get(handle, &func);
	if (r)
		return r;
	if (!bytes_out || blocks <= 0 || threads <= 0 ||
	    (uint32_t)blocks > pl_cu_occupancy(func->info, (uint32_t)threads, 0))
		return CUDA_ERROR_INVALID_VALUE;
	each = PL_CU_SHARED_SM / (uint32_t)blocks;
	each = each > PL_CU_SHARED_OPTIN + PL_CU_SHARED_RESERVED ? PL_CU_SHARED_OPTIN : each - PL_CU_SHARED_RESERVED;
	each -= each % SHARED_UNIT;
	each = each > func->info->shared_bytes ? each - func->info->shared_bytes : 0;
	most = pl_cu_func_dynamic_shared_max(func);
	*bytes_out = each < most ? each : most;
	return CUDA_SUCCESS;
}

/* A cluster has one block here. */
CUresult cuOccupancyMaxPotentialClusterSize(int *cluster_out, CUfunction handle, const CUlaunchConfig *config)
{
	struct pl_cu_func *func;
	CUresult r = func_get(handle, &func);
	if (r)
		return r;
	if (!cluster_out || !config)
		return CUDA_ERROR_INVALID_VALUE;
	*cluster_out = 1;
	return CUDA_SUCCESS;
}

CUresult cuOccupancyMaxActiveClusters(int *clusters_out, CUfunction handle, const CUlaunchConfig *config)
{
	struct pl_cu_func *func;
	uint64_t threads;
	CUresult r = func_get(handle, &func);
	if (r)
		return r;
	if (!clusters_out || !config)
		return CUDA_ERROR_INVALID_VALUE;
	threads = (uint64_t)config->blockDimX * config->blockDimY * config->blockDimZ;
	if (!threads || threads > PL_ISA_BLOCK_THREADS_MAX)
		return CUDA_ERROR_INVALID_VALUE;
	*clusters_out = (int)(pl_cu_occupancy(func->info, (uint32_t)threads, config->sharedMemBytes) *
			      func->module->ctx->dev->hw->sm_count);
	return CUDA_SUCCESS;
}
