/* How many blocks fit: computed from what is known of device and function, as CUDA's calculator does it. */
#include <string.h>

#include "client/cuda/module.h"

#define REGISTER_UNIT 256u /* registers are given to a warp in such pieces */
#define SHARED_UNIT   128u

struct limits {
	uint32_t threads_max, warp, sm_threads, sm_blocks, sm_registers, sms;
	uint64_t sm_shared, block_reserved, registers, shared_static, dynamic_max;
	uint32_t function_threads_max;
};

static uint64_t round_up(uint64_t value, uint64_t unit)
{
	return (value + unit - 1) / unit * unit;
}

static CUresult limits_get(CUfunction handle, struct limits *limits_out)
{
#define OF(name) (uint32_t) pl_cuda_device_attribute(context->device, CU_DEVICE_ATTRIBUTE_##name)
	const struct pl_cuda_facts *facts;
	struct pl_cuda_function *function;
	struct pl_cuda_context *context;
	CUresult result;

	context = pl_cuda_current(&result);
	if (!context)
		return result;
	function = pl_cuda_function_of(handle);
	if (!function)
		return CUDA_ERROR_INVALID_HANDLE;
	result = pl_cuda_facts_of(function, context->device, &facts);
	if (result)
		return result;
	*limits_out = (struct limits){
		.threads_max = OF(MAX_THREADS_PER_BLOCK),
		.warp = OF(WARP_SIZE),
		.sm_threads = OF(MAX_THREADS_PER_MULTIPROCESSOR),
		.sm_blocks = OF(MAX_BLOCKS_PER_MULTIPROCESSOR),
		.sm_registers = OF(MAX_REGISTERS_PER_MULTIPROCESSOR),
		.sms = OF(MULTIPROCESSOR_COUNT),
		.sm_shared = OF(MAX_SHARED_MEMORY_PER_MULTIPROCESSOR),
		.block_reserved = OF(RESERVED_SHARED_MEMORY_PER_BLOCK),
		.registers = (uint32_t)pl_cuda_facts_attribute(facts, CU_FUNC_ATTRIBUTE_NUM_REGS),
		.shared_static = (uint32_t)pl_cuda_facts_attribute(facts, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES),
		.dynamic_max =
			(uint32_t)pl_cuda_facts_attribute(facts, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES),
		.function_threads_max =
			(uint32_t)pl_cuda_facts_attribute(facts, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK),
	};
	return limits_out->warp && limits_out->sm_threads ? CUDA_SUCCESS : CUDA_ERROR_UNKNOWN;
#undef OF
}

static uint32_t blocks_of(const struct limits *limits, uint32_t threads, uint64_t dynamic_shared)
{
	uint64_t blocks = limits->sm_blocks, warps, registers, shared;

	if (!threads || threads > limits->threads_max || dynamic_shared > limits->sm_shared)
		return 0; /* so much could wrap below */
	shared = round_up(limits->shared_static + dynamic_shared, SHARED_UNIT) + limits->block_reserved;
	if (shared > limits->sm_shared)
		return 0;
	warps = (threads + limits->warp - 1) / limits->warp;
	registers = round_up(limits->registers * limits->warp, REGISTER_UNIT) * warps;
	if (limits->sm_threads / limits->warp / warps < blocks)
		blocks = limits->sm_threads / limits->warp / warps;
	if (registers && limits->sm_registers / registers < blocks)
		blocks = limits->sm_registers / registers;
	if (shared && limits->sm_shared / shared < blocks)
		blocks = limits->sm_shared / shared;
	return (uint32_t)blocks;
}

CUresult cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *blocks, CUfunction function, int block_size,
							      size_t dynamic_shared, unsigned int flags)
{
	struct limits limits;
	CUresult result = limits_get(function, &limits);

	if (result)
		return result;
	if (!blocks || block_size <= 0 || flags > CU_OCCUPANCY_DISABLE_CACHING_OVERRIDE)
		return CUDA_ERROR_INVALID_VALUE;
	*blocks = (int)blocks_of(&limits, (uint32_t)block_size, dynamic_shared);
	return CUDA_SUCCESS;
}

CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, CUfunction function, int block_size,
						     size_t dynamic_shared)
{
	return cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(blocks, function, block_size, dynamic_shared, 0);
}

CUresult cuOccupancyMaxPotentialBlockSizeWithFlags(int *min_grid_size, int *block_size, CUfunction function,
						   CUoccupancyB2DSize dynamic_shared_of, size_t dynamic_shared,
						   int block_size_max, unsigned int flags)
{
	uint32_t best = 0, best_threads = 0, most;
	struct limits limits;
	CUresult result = limits_get(function, &limits);

	if (result)
		return result;
	if (!min_grid_size || !block_size || block_size_max < 0 || flags > CU_OCCUPANCY_DISABLE_CACHING_OVERRIDE)
		return CUDA_ERROR_INVALID_VALUE;
	most = limits.function_threads_max;
	if (block_size_max && (uint32_t)block_size_max < most)
		most = (uint32_t)block_size_max;
	for (uint32_t step = (uint32_t)round_up(most, limits.warp); step; step -= limits.warp) {
		uint32_t threads = step < most ? step : most;
		size_t shared = dynamic_shared_of ? dynamic_shared_of((int)threads) : dynamic_shared;
		uint32_t blocks = blocks_of(&limits, threads, shared);

		if (blocks * threads <= best * best_threads)
			continue;
		best = blocks;
		best_threads = threads;
	}
	*min_grid_size = (int)(best * limits.sms);
	*block_size = (int)best_threads;
	return CUDA_SUCCESS;
}

CUresult cuOccupancyMaxPotentialBlockSize(int *min_grid_size, int *block_size, CUfunction function,
					  CUoccupancyB2DSize dynamic_shared_of, size_t dynamic_shared,
					  int block_size_max)
{
	return cuOccupancyMaxPotentialBlockSizeWithFlags(min_grid_size, block_size, function, dynamic_shared_of,
							 dynamic_shared, block_size_max, 0);
}

CUresult cuOccupancyAvailableDynamicSMemPerBlock(size_t *dynamic_shared, CUfunction function, int blocks,
						 int block_size)
{
	struct limits limits;
	CUresult result = limits_get(function, &limits);
	uint64_t each;

	if (result)
		return result;
	if (!dynamic_shared || blocks <= 0 || block_size <= 0)
		return CUDA_ERROR_INVALID_VALUE;
	if ((uint32_t)blocks > blocks_of(&limits, (uint32_t)block_size, 0))
		return CUDA_ERROR_INVALID_VALUE;
	each = limits.sm_shared / (uint32_t)blocks / SHARED_UNIT * SHARED_UNIT;
	each = each > limits.block_reserved + limits.shared_static ? each - limits.block_reserved - limits.shared_static
								   : 0;
	*dynamic_shared = each < limits.dynamic_max ? each : limits.dynamic_max;
	return CUDA_SUCCESS;
}

/* ---- clusters: the driver's to say ---- */

static CUresult clusters_ask(enum pl_cuda_op op, int *clusters, CUfunction function, const CUlaunchConfig *config)
{
	struct pl_cuda_launch_attribute attributes[PL_CUDA_LAUNCH_ATTRIBUTES_MAX];
	struct pl_cuda_cuOccupancyMaxPotentialClusterSize_args args;
	struct pl_cuda_cuOccupancyMaxPotentialClusterSize_reply got;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter(op, &session);
	int r;

	if (result)
		return result;
	if (!clusters || !config || config->numAttrs > PL_CUDA_LAUNCH_ATTRIBUTES_MAX ||
	    (config->numAttrs && !config->attrs))
		return CUDA_ERROR_INVALID_VALUE;
	for (unsigned int i = 0; i < config->numAttrs; i++) {
		attributes[i] = (struct pl_cuda_launch_attribute){ .id = config->attrs[i].id };
		memcpy(attributes[i].value, &config->attrs[i].value, sizeof(attributes[i].value));
	}
	args = (struct pl_cuda_cuOccupancyMaxPotentialClusterSize_args){
		.function = pl_cuda_id(session, PL_CUDA_KIND_function, function),
		.grid_x = config->gridDimX,
		.grid_y = config->gridDimY,
		.grid_z = config->gridDimZ,
		.block_x = config->blockDimX,
		.block_y = config->blockDimY,
		.block_z = config->blockDimZ,
		.shared_bytes = config->sharedMemBytes,
		.attributes = { attributes, config->numAttrs * sizeof(attributes[0]) },
	};
	if (!args.function)
		return CUDA_ERROR_INVALID_HANDLE;
	r = PL_CUDA_ASK_AS(session, op, cuOccupancyMaxPotentialClusterSize, &args, &reply);
	if (r || reply.status)
		return pl_cuda_answer(r, &reply);
	pl_cuda_cuOccupancyMaxPotentialClusterSize_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec))
		return CUDA_ERROR_UNKNOWN;
	*clusters = got.clusters;
	return CUDA_SUCCESS;
}

CUresult cuOccupancyMaxPotentialClusterSize(int *cluster_size, CUfunction function, const CUlaunchConfig *config)
{
	return clusters_ask(PL_CUDA_OP_cuOccupancyMaxPotentialClusterSize, cluster_size, function, config);
}

CUresult cuOccupancyMaxActiveClusters(int *clusters, CUfunction function, const CUlaunchConfig *config)
{
	return clusters_ask(PL_CUDA_OP_cuOccupancyMaxActiveClusters, clusters, function, config);
}
