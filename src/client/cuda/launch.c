/*
 * Launches.  A launch that the driver would take for certain is posted: its shape was taken before, or nothing about
 * it can be wrong (ADR 0013).  The others are asked, and the driver's own code comes back.
 */
#include "client/cuda/launch.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cuda/extra.h"
#include "client/cuda/mark.h"
#include "client/cuda/reach.h"

#define ARGS_FEW        4096u  /* bytes of arguments that are packed on the stack */
#define GRID_EVERYWHERE 65535u /* every device that CUDA still knows takes as many blocks in each direction */
#define ATTRIBUTES      PL_CUDA_LAUNCH_ATTRIBUTES_MAX
/* Of every launch: to hand values on was a fifth of one. */
#define HOT             inline __attribute__((always_inline))

/* ---- arguments ---- */

static CUresult extra_pack(const struct pl_cuda_facts *facts, void **extra, uint8_t *room, uint64_t *bytes_out)
{
	const void *buffer;
	size_t bytes;
	CUresult result = pl_cuda_extra_read(extra, &buffer, &bytes);

	if (result)
		return result;
	if (bytes > facts->args_bytes)
		bytes = facts->args_bytes;
	memcpy(room, buffer, bytes);
	memset(room + bytes, 0, facts->args_bytes - bytes);
	*bytes_out = facts->args_bytes;
	return CUDA_SUCCESS;
}

static HOT CUresult args_pack(const struct pl_cuda_facts *facts, void **params, void **extra, uint8_t *room,
			      uint64_t *bytes_out)
{
	*bytes_out = 0;
	if (__builtin_expect(extra != NULL, 0))
		return params ? CUDA_ERROR_INVALID_VALUE : extra_pack(facts, extra, room, bytes_out);
	if (!facts->params)
		return CUDA_SUCCESS;
	if (!params)
		return CUDA_ERROR_INVALID_VALUE;
	if (facts->has_gaps)
		memset(room, 0, facts->args_bytes);
	for (uint32_t i = 0; i < facts->params; i++) {
		const struct pl_cuda_param_facts *param = &facts->param[i];

		if (__builtin_expect(!params[i], 0))
			return CUDA_ERROR_INVALID_VALUE;
		if (param->bytes == 8)
			memcpy(room + param->offset, params[i], 8);
		else if (param->bytes == 4)
			memcpy(room + param->offset, params[i], 4);
		else
			memcpy(room + param->offset, params[i], param->bytes);
	}
	*bytes_out = facts->args_bytes;
	return CUDA_SUCCESS;
}

CUresult pl_cuda_args_pack(const struct pl_cuda_facts *facts, void **params, void **extra, uint8_t *room,
			   uint64_t *bytes_out)
{
	return args_pack(facts, params, extra, room, bytes_out);
}

/* ---- is it plain? ---- */

/* Two shapes that differ are no match but by a rare accident. */
static uint64_t mix(uint64_t key, uint64_t value)
{
	key = (key ^ value) * 0x9e3779b97f4a7c15u;
	return key ^ key >> 32;
}

/* A driver takes no block of 0, so such a shape is none that was noted. */
static HOT bool shape_known(const struct pl_cuda_function *function, const struct pl_cuda_cuLaunchKernel_args *args,
			    uint64_t more)
{
	for (uint32_t i = 0; i < PL_CUDA_SHAPES && args->block_x; i++) {
		const struct pl_cuda_shape *known = &function->shape[i];

		if (known->block[0] == args->block_x && known->block[1] == args->block_y &&
		    known->block[2] == args->block_z && known->shared_bytes == args->shared_bytes &&
		    known->more == more)
			return true;
	}
	return false;
}

static void shape_note(struct pl_cuda_function *function, struct pl_cuda_shape shape)
{
	function->shape[function->shapes_next++ % PL_CUDA_SHAPES] = shape;
}

void pl_cuda_shapes_forget(struct pl_cuda_function *function)
{
	for (uint32_t i = 0; i < PL_CUDA_SHAPES; i++)
		function->shape[i].block[0] = 0;
}

static HOT bool grid_plain(const struct pl_cuda_cuLaunchKernel_args *args, CUdevice device)
{
	if (!args->grid_x || !args->grid_y || !args->grid_z)
		return false;
	if ((args->grid_x | args->grid_y | args->grid_z) <= GRID_EVERYWHERE)
		return true;
	return args->grid_x <= (uint32_t)pl_cuda_device_attribute(device, CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X) &&
	       args->grid_y <= (uint32_t)pl_cuda_device_attribute(device, CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y) &&
	       args->grid_z <= (uint32_t)pl_cuda_device_attribute(device, CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z);
}

static const struct pl_cuda_context *context_of(uint64_t stream)
{
	const struct pl_cuda_object *object = pl_cuda_get(PL_CUDA_KIND_stream, (void *)(uintptr_t)stream);

	return object && object->context ? object->context : pl_cuda_thread.top;
}

/* The function is of the stream's context, or of none. */
static bool context_fits(const struct pl_cuda_function *function, uint64_t stream)
{
	return !function->object.context || function->object.context == context_of(stream);
}

static HOT bool context_is_one(void)
{
	return __builtin_expect(atomic_load_explicit(&pl_cuda_contexts_made, memory_order_relaxed) <= 1, 1);
}

/* Another context's is the driver's to refuse. */
static HOT bool context_plain(const struct pl_cuda_function *function, uint64_t stream)
{
	return context_is_one() || context_fits(function, stream);
}

/* A kernel, which is of no context, is set and launched on each device by itself. */
static HOT uint64_t more_of_device(const struct pl_cuda_function *function, uint64_t stream, uint64_t more)
{
	if (function->object.kind != PL_CUDA_KIND_kernel || context_is_one())
		return more;
	return mix(more, (uint64_t)context_of(stream)->device + 1);
}

/* Arguments that are wrong are found here, but a driver looks at the function and the stream first. */
static CUresult args_wrong(const struct pl_cuda_function *function, uint64_t stream, CUresult result)
{
	return context_fits(function, stream) ? result : CUDA_ERROR_INVALID_HANDLE;
}

/* ---- sending ---- */

static HOT CUresult send(enum pl_cuda_op op, struct pl_session *session, const struct pl_cuda_cuLaunchKernel_args *args,
			 bool plain)
{
	struct pl_reply reply;
	struct pl_call call;
	int r = pl_call_begin(&call, session, (uint16_t)op, pl_cuda_cuLaunchKernel_bytes(args));

	if (!r) {
		pl_cuda_cuLaunchKernel_put(&call.enc, args);
		r = plain ? pl_call_post(&call) : pl_call_ask(&call, &reply);
	}
	if (r)
		return pl_cuda_fault(r);
	return plain ? CUDA_SUCCESS : (CUresult)reply.status;
}

/* @room: for the arguments */
static HOT CUresult launch_packed(enum pl_cuda_op op, struct pl_session *session,
				  struct pl_cuda_cuLaunchKernel_args *args, struct pl_cuda_function *function,
				  const struct pl_cuda_facts *facts, void **params, void **extra, uint64_t more,
				  uint8_t *room)
{
	CUresult result = args_pack(facts, params, extra, room, &args->args.bytes);
	bool plain;

	if (__builtin_expect(result, 0))
		return args_wrong(function, args->stream, result);
	pl_cuda_reach_all(room, args->args.bytes);
	args->args.at = room;
	args->function = function->object.id;
	more = more_of_device(function, args->stream, more);
	plain = shape_known(function, args, more) && grid_plain(args, pl_cuda_thread.top->device) &&
		context_plain(function, args->stream) && pl_cuda_captures_none();
	result = send(op, session, args, plain);
	if (!plain && !result)
		shape_note(function, (struct pl_cuda_shape){ { args->block_x, args->block_y, args->block_z },
							     args->shared_bytes,
							     more });
	return result;
}

static CUresult launch_large(enum pl_cuda_op op, struct pl_session *session, struct pl_cuda_cuLaunchKernel_args args,
			     struct pl_cuda_function *function, const struct pl_cuda_facts *facts, void **params,
			     void **extra, uint64_t more)
{
	pl_cleanup(pl_freep) uint8_t *room = NULL;

	if (facts->args_bytes == UINT32_MAX)
		return CUDA_ERROR_INVALID_VALUE;
	room = malloc(facts->args_bytes);
	if (!room)
		return CUDA_ERROR_OUT_OF_MEMORY;
	return launch_packed(op, session, &args, function, facts, params, extra, more, room);
}

static HOT CUresult launch(enum pl_cuda_op op, struct pl_session *session, struct pl_cuda_cuLaunchKernel_args *args,
			   CUfunction handle, void **params, void **extra, uint64_t more)
{
	struct pl_cuda_function *function = pl_cuda_function_of(handle);
	const struct pl_cuda_facts *facts;
	uint8_t few[ARGS_FEW];
	CUresult result;

	if (!function || !pl_cuda_object_is_on(&function->object, session))
		return CUDA_ERROR_INVALID_HANDLE;
	result = pl_cuda_facts_get(function, &facts);
	if (__builtin_expect(result, 0))
		return result;
	if (!facts->knows_params)
		return CUDA_ERROR_NOT_SUPPORTED; /* a driver of before CUDA 12.4 does not tell of them */
	if (__builtin_expect(facts->args_bytes > sizeof(few), 0))
		return launch_large(op, session, *args, function, facts, params, extra, more);
	return launch_packed(op, session, args, function, facts, params, extra, more, few);
}

static HOT CUresult launch_kernel(bool per_thread, CUfunction function, unsigned int grid_x, unsigned int grid_y,
				  unsigned int grid_z, unsigned int block_x, unsigned int block_y, unsigned int block_z,
				  unsigned int shared_bytes, CUstream stream, void **kernel_params, void **extra)
{
	struct pl_cuda_cuLaunchKernel_args args;
	struct pl_session *session;
	CUresult result = pl_cuda_enter(PL_CUDA_OP_cuLaunchKernel, &session);

	if (__builtin_expect(result, 0))
		return result;
	args.stream = pl_cuda_id(session, PL_CUDA_KIND_stream, stream);
	if (stream && !args.stream)
		return CUDA_ERROR_INVALID_HANDLE;
	args.grid_x = grid_x;
	args.grid_y = grid_y;
	args.grid_z = grid_z;
	args.block_x = block_x;
	args.block_y = block_y;
	args.block_z = block_z;
	args.shared_bytes = shared_bytes;
	args.per_thread = per_thread;
	args.attributes = (struct pl_bytes){ NULL, 0 };
	return launch(PL_CUDA_OP_cuLaunchKernel, session, &args, function, kernel_params, extra, 0);
}

CUresult cuLaunchKernel(CUfunction function, unsigned int grid_x, unsigned int grid_y, unsigned int grid_z,
			unsigned int block_x, unsigned int block_y, unsigned int block_z, unsigned int shared_bytes,
			CUstream stream, void **kernel_params, void **extra)
{
	return launch_kernel(false, function, grid_x, grid_y, grid_z, block_x, block_y, block_z, shared_bytes, stream,
			     kernel_params, extra);
}

CUresult cuLaunchKernel_ptsz(CUfunction function, unsigned int grid_x, unsigned int grid_y, unsigned int grid_z,
			     unsigned int block_x, unsigned int block_y, unsigned int block_z,
			     unsigned int shared_bytes, CUstream stream, void **kernel_params, void **extra)
{
	return launch_kernel(true, function, grid_x, grid_y, grid_z, block_x, block_y, block_z, shared_bytes, stream,
			     kernel_params, extra);
}

/* ---- with attributes ---- */

/* Events in values travel as ids.  Return: false = no live event. */
static bool attribute_pack(struct pl_session *session, struct pl_cuda_launch_attribute *to,
			   const CUlaunchAttribute *from)
{
	uint64_t id;

	memset(to, 0, sizeof(*to));
	to->id = from->id;
	memcpy(to->value, &from->value, sizeof(to->value));
	if (from->id != CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_EVENT &&
	    from->id != CU_LAUNCH_ATTRIBUTE_LAUNCH_COMPLETION_EVENT)
		return true;
	id = pl_cuda_id(session, PL_CUDA_KIND_event, from->value.launchCompletionEvent.event);
	pl_cuda_event_elsewhere(from->value.launchCompletionEvent.event);
	memcpy(to->value, &id, sizeof(id));
	return id;
}

/* ---- the shape of a launch that is more than its block ---- */

/* What the value of an attribute is made of, in bytes; the rest of it is nobody's. */
static const struct span {
	uint8_t from, to;
} spans[CU_LAUNCH_ATTRIBUTE_MAX] = {
	[CU_LAUNCH_ATTRIBUTE_ACCESS_POLICY_WINDOW] = { 0, sizeof(CUaccessPolicyWindow) },
	[CU_LAUNCH_ATTRIBUTE_COOPERATIVE] = { 0, 4 },
	[CU_LAUNCH_ATTRIBUTE_SYNCHRONIZATION_POLICY] = { 0, 4 },
	[CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION] = { 0, 12 },
	[CU_LAUNCH_ATTRIBUTE_CLUSTER_SCHEDULING_POLICY_PREFERENCE] = { 0, 4 },
	[CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION] = { 0, 4 },
	[CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_EVENT] = { 8, 16 }, /* any event that lives */
	[CU_LAUNCH_ATTRIBUTE_PRIORITY] = { 0, 4 },
	[CU_LAUNCH_ATTRIBUTE_MEM_SYNC_DOMAIN_MAP] = { 0, 2 },
	[CU_LAUNCH_ATTRIBUTE_MEM_SYNC_DOMAIN] = { 0, 4 },
	[CU_LAUNCH_ATTRIBUTE_PREFERRED_CLUSTER_DIMENSION] = { 0, 12 },
	[CU_LAUNCH_ATTRIBUTE_LAUNCH_COMPLETION_EVENT] = { 8, 12 },
	[CU_LAUNCH_ATTRIBUTE_DEVICE_UPDATABLE_KERNEL_NODE] = { 0, 4 },
	[CU_LAUNCH_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT] = { 0, 4 },
	[CU_LAUNCH_ATTRIBUTE_NVLINK_UTIL_CENTRIC_SCHEDULING] = { 0, 4 },
};

static uint64_t attribute_key(uint64_t key, const CUlaunchAttribute *attribute)
{
	const uint8_t *bytes = (const uint8_t *)&attribute->value;
	struct span span = { 0, sizeof(attribute->value) };

	if ((unsigned int)attribute->id < CU_LAUNCH_ATTRIBUTE_MAX)
		span = spans[attribute->id];
	key = mix(key, attribute->id);
	for (unsigned int at = span.from; at < span.to; at += 4) {
		uint32_t word = 0;

		memcpy(&word, bytes + at, span.to - at < 4 ? span.to - at : 4);
		key = mix(key, word);
	}
	return key;
}

/* Not 0, which is a launch that has no more. */
static uint64_t grid_key(unsigned int attributes, unsigned int x, unsigned int y, unsigned int z)
{
	return mix(mix(mix(attributes + 1, x), y), z) | 1;
}

/* A cooperative launch and one with attributes go by the whole grid, too. */
static uint64_t attributes_key(const CUlaunchConfig *config)
{
	uint64_t key = grid_key(config->numAttrs, config->gridDimX, config->gridDimY, config->gridDimZ);

	for (unsigned int i = 0; i < config->numAttrs; i++)
		key = attribute_key(key, &config->attrs[i]);
	return key | 1;
}

static CUresult launch_ex(bool per_thread, const CUlaunchConfig *config, CUfunction function, void **kernel_params,
			  void **extra)
{
	struct pl_cuda_launch_attribute attributes[ATTRIBUTES];
	struct pl_cuda_cuLaunchKernel_args args;
	struct pl_session *session;
	CUresult result = pl_cuda_enter(PL_CUDA_OP_cuLaunchKernelEx, &session);

	if (result)
		return result;
	if (!config || config->numAttrs > ATTRIBUTES || (config->numAttrs && !config->attrs))
		return CUDA_ERROR_INVALID_VALUE;
	for (unsigned int i = 0; i < config->numAttrs; i++)
		if (!attribute_pack(session, &attributes[i], &config->attrs[i]))
			return CUDA_ERROR_INVALID_HANDLE;
	args = (struct pl_cuda_cuLaunchKernel_args){
		.grid_x = config->gridDimX,
		.grid_y = config->gridDimY,
		.grid_z = config->gridDimZ,
		.block_x = config->blockDimX,
		.block_y = config->blockDimY,
		.block_z = config->blockDimZ,
		.shared_bytes = config->sharedMemBytes,
		.stream = pl_cuda_id(session, PL_CUDA_KIND_stream, config->hStream),
		.per_thread = per_thread,
		.attributes = { attributes, config->numAttrs * sizeof(attributes[0]) },
	};
	if (config->hStream && !args.stream)
		return CUDA_ERROR_INVALID_HANDLE;
	return launch(PL_CUDA_OP_cuLaunchKernelEx, session, &args, function, kernel_params, extra,
		      config->numAttrs ? attributes_key(config) : 0);
}

CUresult cuLaunchKernelEx(const CUlaunchConfig *config, CUfunction function, void **kernel_params, void **extra)
{
	return launch_ex(false, config, function, kernel_params, extra);
}

CUresult cuLaunchKernelEx_ptsz(const CUlaunchConfig *config, CUfunction function, void **kernel_params, void **extra)
{
	return launch_ex(true, config, function, kernel_params, extra);
}

static CUresult launch_cooperative(bool per_thread, CUfunction function, unsigned int grid_x, unsigned int grid_y,
				   unsigned int grid_z, unsigned int block_x, unsigned int block_y,
				   unsigned int block_z, unsigned int shared_bytes, CUstream stream,
				   void **kernel_params)
{
	struct pl_cuda_cuLaunchKernel_args args = {
		.grid_x = grid_x,
		.grid_y = grid_y,
		.grid_z = grid_z,
		.block_x = block_x,
		.block_y = block_y,
		.block_z = block_z,
		.shared_bytes = shared_bytes,
		.per_thread = per_thread,
	};
	struct pl_session *session;
	CUresult result = pl_cuda_enter(PL_CUDA_OP_cuLaunchCooperativeKernel, &session);

	if (result)
		return result;
	args.stream = pl_cuda_id(session, PL_CUDA_KIND_stream, stream);
	if (stream && !args.stream)
		return CUDA_ERROR_INVALID_HANDLE;
	return launch(PL_CUDA_OP_cuLaunchCooperativeKernel, session, &args, function, kernel_params, NULL,
		      grid_key(0, grid_x, grid_y, grid_z));
}

CUresult cuLaunchCooperativeKernel(CUfunction function, unsigned int grid_x, unsigned int grid_y, unsigned int grid_z,
				   unsigned int block_x, unsigned int block_y, unsigned int block_z,
				   unsigned int shared_bytes, CUstream stream, void **kernel_params)
{
	return launch_cooperative(false, function, grid_x, grid_y, grid_z, block_x, block_y, block_z, shared_bytes,
				  stream, kernel_params);
}

CUresult cuLaunchCooperativeKernel_ptsz(CUfunction function, unsigned int grid_x, unsigned int grid_y,
					unsigned int grid_z, unsigned int block_x, unsigned int block_y,
					unsigned int block_z, unsigned int shared_bytes, CUstream stream,
					void **kernel_params)
{
	return launch_cooperative(true, function, grid_x, grid_y, grid_z, block_x, block_y, block_z, shared_bytes,
				  stream, kernel_params);
}
