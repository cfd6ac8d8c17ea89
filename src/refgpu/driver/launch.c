#include <stdlib.h>
#include <string.h>

#include "capture.h"
#include "check.h"
#include "cuda-api.h"
#include "cuda/extra.h"
#include "event.h"
#include "launch.h"

#define LAUNCH_WORDS     16u
#define RECURSION_MIN    64u
#define FRAME_BYTES      16u /* of the stack that one call takes, for the depth that a stack limit allows */
#define WORKSPACE_BYTES  16u /* of a cooperative launch: its barrier */
#define DESCRIPTOR_BYTES 256u
#define ATTRIBUTES_MAX   64u
#define BLOCK_Z_MAX      64u

static _Atomic uint64_t grid_ids = 1;

static CUresult shape_check(const struct pl_cu_launch *launch)
{
	const uint32_t *grid = launch->grid, *block = launch->block;
	uint64_t threads = (uint64_t)block[0] * block[1] * block[2];
	if (!grid[0] || !grid[1] || !grid[2] || grid[0] > PL_ISA_GRID_X_MAX || grid[1] > PL_ISA_GRID_YZ_MAX ||
	    grid[2] > PL_ISA_GRID_YZ_MAX)
		return CUDA_ERROR_INVALID_VALUE;
	if (!threads || block[0] > PL_ISA_BLOCK_THREADS_MAX || block[1] > PL_ISA_BLOCK_THREADS_MAX ||
	    block[2] > BLOCK_Z_MAX || threads > PL_ISA_BLOCK_THREADS_MAX)
		return CUDA_ERROR_INVALID_VALUE;
	return CUDA_SUCCESS;
}

static CUresult bounds_check(const struct pl_cu_launch *launch)
{
	const struct pl_ptx_func *info = launch->func->info;
	uint64_t threads = (uint64_t)launch->block[0] * launch->block[1] * launch->block[2], allowed = 1;
	for (int i = 0; i < 3; i++) {
		if (info->reqntid[i] && launch->block[i] != info->reqntid[i])
			return CUDA_ERROR_INVALID_VALUE;
		allowed *= info->maxntid[i] ? info->maxntid[i] : 1;
		if (info->cluster[i] > 1)
			return CUDA_ERROR_NOT_SUPPORTED;
	}
	if (info->maxntid[0] && threads > allowed)
		return CUDA_ERROR_INVALID_VALUE;
	return CUDA_SUCCESS;
}

CUresult pl_cu_launch_check(const struct pl_cu_launch *launch)
{
	struct pl_cu_func *func = launch->func;
	uint64_t threads = (uint64_t)launch->block[0] * launch->block[1] * launch->block[2];
	uint64_t blocks = (uint64_t)launch->grid[0] * launch->grid[1] * launch->grid[2];
	uint64_t shared = (uint64_t)func->info->shared_bytes + launch->shared_bytes;
	CUresult r = shape_check(launch);
	if (!r)
		r = bounds_check(launch);
	if (r)
		return r;
	if (launch->shared_bytes > pl_cu_func_dynamic_shared_max(func) || shared > PL_CU_SHARED_OPTIN)
		return CUDA_ERROR_INVALID_VALUE;
	if (launch->cooperative) {
		uint64_t each = pl_cu_occupancy(func->info, (uint32_t)threads, launch->shared_bytes);
		if (blocks > each * func->module->ctx->dev->hw->sm_count)
			return CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE;
	}
	return CUDA_SUCCESS;
}

static uint32_t least(uint64_t value, uint32_t limit)
{
	return value < limit ? (uint32_t)value : limit;
}

/* Frames: as the compiler counted them; of a recursion as deep as the stack limit lets it go. */
static void frames_fill(struct pl_isa_launch *d, const struct pl_cu_func *func)
{
	const struct pl_ptx_func *info = func->info;
	uint64_t stack = func->module->ctx->limit[CU_LIMIT_STACK_SIZE];
	uint64_t depth = stack / FRAME_BYTES > RECURSION_MIN ? stack / FRAME_BYTES : RECURSION_MIN;
	if (!info->recursive)
		depth = 1;
	d->slots = least(info->slots * depth, PL_ISA_WARP_SLOTS_MAX);
	d->preds = least(info->predicates * depth, PL_ISA_WARP_PREDS_MAX);
	d->uniforms = least(info->uniforms * depth, PL_ISA_WARP_UNIFORMS_MAX);
	d->call_depth = least(info->recursive ? depth : info->call_depth, PL_ISA_CALL_DEPTH_MAX);
	d->local_bytes = least(info->local_bytes + (info->recursive ? stack + info->own_local_bytes * depth : 0),
			       PL_ISA_LOCAL_BYTES_MAX);
}

static void tables_fill(struct pl_isa_launch *d, struct pl_cu_ctx *ctx)
{
	struct pl_cu_dev *dev = ctx->dev;
	d->image_va = dev->images_va;
	d->sampler_va = dev->samplers_va;
	d->image_count = PL_CU_IMAGES;
	d->sampler_count = PL_CU_SAMPLERS;
	d->heap_va = pl_cu_ctx_heap(ctx, &d->heap_bytes);
	d->assert_va = (uint64_t)(uintptr_t)ctx->assert_record;
	d->check_va = pl_cu_check_va();
	if (d->check_va)
		d->flags |= PL_ISA_LAUNCH_CHECK;
}

static void descriptor_fill(struct pl_isa_launch *d, const struct pl_cu_launch *launch, uint64_t param_va)
{
	struct pl_cu_func *func = launch->func;
	const struct pl_ptx_func *info = func->info;
	*d = (struct pl_isa_launch){
		.magic = PL_ISA_LAUNCH_MAGIC,
		.flags = launch->cooperative ? PL_ISA_LAUNCH_COOPERATIVE : 0,
		.code_va = atomic_load(&func->code)->va,
		.code_insns = (uint32_t)(func->ptx->sections[PL_PTX_CODE].bytes / 16),
		.entry = (uint32_t)(info->offset / 16),
		.shared_static = info->shared_bytes,
		.shared_dynamic = launch->shared_bytes,
		.barriers = info->named_barriers,
		.param_va = param_va,
		.param_bytes = info->param_bytes,
		.grid_id = atomic_fetch_add(&grid_ids, 1),
	};
	memcpy(d->grid, launch->grid, sizeof(d->grid));
	memcpy(d->block, launch->block, sizeof(d->block));
	frames_fill(d, func);
	tables_fill(d, func->module->ctx);
}

CUresult pl_cu_launch_run(struct pl_cu_stream *stream, const struct pl_cu_launch *launch)
{
	uint32_t param_bytes = launch->func->info->param_bytes;
	struct pl_isa_launch *descriptor;
	struct pl_isa_printf *print;
	struct pl_cu_work work;
	uint64_t address;
	bool captured;
	char *args;
	CUresult r = pl_cu_capture_gate(stream, &captured);
	if (!r && captured)
		return pl_cu_capture_launch(stream, launch);
	if (!r)
		r = pl_cu_work_open(&work, stream, PL_RG_COMPUTE);
	if (r)
		return r;
	args = pl_cu_stream_args(stream, DESCRIPTOR_BYTES + WORKSPACE_BYTES + param_bytes + 16);
	print = args ? pl_cu_stream_print_buffer(stream) : NULL;
	if (!print || pl_cu_work_room(&work, LAUNCH_WORDS)) {
		pl_cu_work_cancel(&work);
		return pl_cu_ctx_error(stream->ctx) ? pl_cu_ctx_error(stream->ctx) : CUDA_ERROR_OUT_OF_MEMORY;
	}
	descriptor = (struct pl_isa_launch *)args;
	address = (uint64_t)(uintptr_t)args;
	descriptor_fill(descriptor, launch, address + DESCRIPTOR_BYTES + WORKSPACE_BYTES);
	descriptor->printf_va = (uint64_t)(uintptr_t)print;
	memset(args + DESCRIPTOR_BYTES, 0, WORKSPACE_BYTES);
	if (launch->cooperative) {
		descriptor->env[1] = (uint32_t)((address + DESCRIPTOR_BYTES) >> 32);
		descriptor->env[2] = (uint32_t)(address + DESCRIPTOR_BYTES);
	}
	if (param_bytes)
		memcpy(args + DESCRIPTOR_BYTES + WORKSPACE_BYTES, launch->params, param_bytes);
	pl_cu_work_method(&work, PL_RG_M_LAUNCH_HIGH, (uint32_t)(address >> 32));
	pl_cu_work_method(&work, PL_RG_M_LAUNCH_LOW, (uint32_t)address);
	pl_cu_work_method(&work, PL_RG_M_LAUNCH, 0);
	pl_cu_work_close(&work);
	return CUDA_SUCCESS;
}

/* -- arguments ----------------------------------------------------------------------------------------------------- */

CUresult pl_cu_params_pack(const struct pl_cu_func *func, void **params, void **extra, void **packed_out)
{
	const struct pl_ptx_func *info = func->info;
	char *packed = calloc(1, info->param_bytes + 1);
	CUresult r = CUDA_SUCCESS;
	if (!packed)
		return CUDA_ERROR_OUT_OF_MEMORY;
	if (params && extra) {
		r = CUDA_ERROR_INVALID_VALUE;
	} else if (extra) {
		const void *buffer;
		size_t bytes;
		r = pl_cuda_extra_read(extra, &buffer, &bytes);
		if (!r)
			memcpy(packed, buffer, bytes < info->param_bytes ? bytes : info->param_bytes);
	} else if (info->params_n && !params) {
		r = CUDA_ERROR_INVALID_VALUE;
	}
	for (uint32_t i = 0; !r && params && i < info->params_n; i++) {
		if (params[i])
			memcpy(packed + info->params[i].offset, params[i], info->params[i].bytes);
		else
			r = CUDA_ERROR_INVALID_VALUE;
	}
	if (r)
		free(packed);
	else
		*packed_out = packed;
	return r;
}

/* -- the API ------------------------------------------------------------------------------------------------------- */

struct attributes {
	bool cooperative;
	struct pl_cu_event *events[2]; /* recorded behind the kernel */
};

static CUresult attribute_read(struct attributes *to, const CUlaunchAttribute *attribute)
{
	const CUlaunchAttributeValue *value = &attribute->value;
	CUevent event;
	switch (attribute->id) {
	case CU_LAUNCH_ATTRIBUTE_COOPERATIVE:
		to->cooperative = value->cooperative != 0;
		return CUDA_SUCCESS;
	case CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION:
	case CU_LAUNCH_ATTRIBUTE_PREFERRED_CLUSTER_DIMENSION:
		return (uint64_t)value->clusterDim.x * value->clusterDim.y * value->clusterDim.z <= 1
			       ? CUDA_SUCCESS
			       : CUDA_ERROR_NOT_SUPPORTED;
	case CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_EVENT:
	case CU_LAUNCH_ATTRIBUTE_LAUNCH_COMPLETION_EVENT:
		event = attribute->id == CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_EVENT ? value->programmaticEvent.event
										: value->launchCompletionEvent.event;
		to->events[to->events[0] != NULL] = pl_cuda_handle_held(event, PL_CU_EVENT);
		return pl_cuda_handle_held(event, PL_CU_EVENT) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
	case CU_LAUNCH_ATTRIBUTE_DEVICE_UPDATABLE_KERNEL_NODE:
		return value->deviceUpdatableKernelNode.deviceUpdatable ? CUDA_ERROR_NOT_SUPPORTED : CUDA_SUCCESS;
	default: /* hints */
		return (unsigned int)attribute->id < CU_LAUNCH_ATTRIBUTE_MAX ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
	}
}

static CUresult launch(struct pl_cu_launch *what, CUfunction handle, CUstream stream_handle, void **params,
		       void **extra, const struct attributes *attributes)
{
	struct pl_cu_stream *stream;
	void *packed = NULL;
	CUresult r = pl_cu_enter_stream(stream_handle, &stream);
	if (!r)
		r = pl_cu_func_in(handle, stream->ctx, &what->func);
	if (!r && what->func->module->ctx != stream->ctx)
		r = CUDA_ERROR_INVALID_HANDLE;
	if (!r)
		r = pl_cu_launch_check(what);
	if (!r)
		r = pl_cu_params_pack(what->func, params, extra, &packed);
	if (!r) {
		what->params = packed;
		r = pl_cu_launch_run(stream, what);
	}
	if (r && what->func)
		pl_cu_check_call(r, "launch of %s, grid (%u,%u,%u), block (%u,%u,%u), %u bytes of shared memory",
				 what->func->info->name, what->grid[0], what->grid[1], what->grid[2], what->block[0],
				 what->block[1], what->block[2], what->shared_bytes);
	for (int i = 0; attributes && i < 2 && !r; i++)
		if (attributes->events[i])
			r = pl_cu_event_record(attributes->events[i], stream, 0);
	free(packed);
	return r;
}

CUresult cuLaunchKernel(CUfunction func, unsigned int grid_x, unsigned int grid_y, unsigned int grid_z,
			unsigned int block_x, unsigned int block_y, unsigned int block_z, unsigned int shared_bytes,
			CUstream stream, void **params, void **extra)
{
	struct pl_cu_launch what = {
		.grid = { grid_x, grid_y, grid_z },
		.block = { block_x, block_y, block_z },
		.shared_bytes = shared_bytes,
	};
	return launch(&what, func, stream, params, extra, NULL);
}

CUresult cuLaunchKernelEx(const CUlaunchConfig *config, CUfunction func, void **params, void **extra)
{
	struct attributes attributes = { 0 };
	struct pl_cu_launch what = { 0 };
	CUresult r = CUDA_SUCCESS;
	if (!config || config->numAttrs > ATTRIBUTES_MAX || (config->numAttrs && !config->attrs))
		return pl_cu_enter() ? pl_cu_enter() : CUDA_ERROR_INVALID_VALUE;
	for (unsigned int i = 0; i < config->numAttrs && !r; i++)
		r = attribute_read(&attributes, &config->attrs[i]);
	if (r)
		return r;
	what = (struct pl_cu_launch){
		.grid = { config->gridDimX, config->gridDimY, config->gridDimZ },
		.block = { config->blockDimX, config->blockDimY, config->blockDimZ },
		.shared_bytes = config->sharedMemBytes,
		.cooperative = attributes.cooperative,
	};
	return launch(&what, func, config->hStream, params, extra, &attributes);
}

CUresult cuLaunchCooperativeKernel(CUfunction func, unsigned int grid_x, unsigned int grid_y, unsigned int grid_z,
				   unsigned int block_x, unsigned int block_y, unsigned int block_z,
				   unsigned int shared_bytes, CUstream stream, void **params)
{
	struct pl_cu_launch what = {
		.grid = { grid_x, grid_y, grid_z },
		.block = { block_x, block_y, block_z },
		.shared_bytes = shared_bytes,
		.cooperative = true,
	};
	return launch(&what, func, stream, params, NULL, NULL);
}
