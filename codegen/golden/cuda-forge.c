/* Made by codegen/plgen.py from small-cuda.api; do not edit. */
/* Each call of the wire, its fields chosen by test/hostile/forge.h.  Whole and well encoded: what lies is the content. */
#include "cuda-wire.h"
#include "hostile/forge.h"

static uint64_t forge_cuDeviceGetName(struct forge *forge, uint8_t *room, uint64_t room_bytes)
{
	struct pl_cuda_cuDeviceGetName_args args;
	struct pl_enc enc = { room };
	uint64_t bytes;

	args.len = (int32_t)forge_half(forge);
	args.device = forge_id(forge, PL_CUDA_KIND_device);
	bytes = pl_cuda_cuDeviceGetName_bytes(&args);
	if (bytes <= room_bytes)
		pl_cuda_cuDeviceGetName_put(&enc, &args);
	return bytes <= room_bytes ? bytes : 0;
}

static uint64_t forge_cuCtxGetLimit(struct forge *forge, uint8_t *room, uint64_t room_bytes)
{
	struct pl_cuda_cuCtxGetLimit_args args;
	struct pl_enc enc = { room };
	uint64_t bytes;

	args.limit = forge_half(forge);
	bytes = pl_cuda_cuCtxGetLimit_bytes(&args);
	if (bytes <= room_bytes)
		pl_cuda_cuCtxGetLimit_put(&enc, &args);
	return bytes <= room_bytes ? bytes : 0;
}

static uint64_t forge_cuCtxCreate(struct forge *forge, uint8_t *room, uint64_t room_bytes)
{
	struct pl_cuda_cuCtxCreate_args args;
	struct pl_enc enc = { room };
	uint64_t bytes;

	args.context = forge_new(forge, PL_CUDA_KIND_context);
	args.flags = (uint32_t)(forge_bits(forge));
	args.device = forge_id(forge, PL_CUDA_KIND_device);
	bytes = pl_cuda_cuCtxCreate_bytes(&args);
	if (bytes <= room_bytes)
		pl_cuda_cuCtxCreate_put(&enc, &args);
	return bytes <= room_bytes ? bytes : 0;
}

static uint64_t forge_cuCtxDestroy_v2(struct forge *forge, uint8_t *room, uint64_t room_bytes)
{
	struct pl_cuda_cuCtxDestroy_v2_args args;
	struct pl_enc enc = { room };
	uint64_t bytes;

	args.context = forge_id(forge, PL_CUDA_KIND_context);
	bytes = pl_cuda_cuCtxDestroy_v2_bytes(&args);
	if (bytes <= room_bytes)
		pl_cuda_cuCtxDestroy_v2_put(&enc, &args);
	return bytes <= room_bytes ? bytes : 0;
}

static uint64_t forge_cuMemsetD8_v2(struct forge *forge, uint8_t *room, uint64_t room_bytes)
{
	struct pl_cuda_cuMemsetD8_v2_args args;
	struct pl_enc enc = { room };
	uint64_t bytes;

	args.dst = forge_address(forge);
	args.value = forge_half(forge);
	args.count = forge_size(forge);
	args.per_thread = (uint32_t)(forge_pick(forge, 3));
	bytes = pl_cuda_cuMemsetD8_v2_bytes(&args);
	if (bytes <= room_bytes)
		pl_cuda_cuMemsetD8_v2_put(&enc, &args);
	return bytes <= room_bytes ? bytes : 0;
}

static uint64_t forge_cuMemsetD8Async(struct forge *forge, uint8_t *room, uint64_t room_bytes)
{
	struct pl_cuda_cuMemsetD8Async_args args;
	struct pl_enc enc = { room };
	uint64_t bytes;

	args.dst = forge_address(forge);
	args.value = forge_half(forge);
	args.count = forge_size(forge);
	args.stream = forge_id(forge, PL_CUDA_KIND_stream);
	args.per_thread = (uint32_t)(forge_pick(forge, 3));
	bytes = pl_cuda_cuMemsetD8Async_bytes(&args);
	if (bytes <= room_bytes)
		pl_cuda_cuMemsetD8Async_put(&enc, &args);
	return bytes <= room_bytes ? bytes : 0;
}

static uint64_t forge_cuMemSetAccess(struct forge *forge, uint8_t *room, uint64_t room_bytes)
{
	struct pl_cuda_cuMemSetAccess_args args;
	struct pl_enc enc = { room };
	uint64_t bytes;

	args.address = forge_address(forge);
	args.bytes = forge_size(forge);
	args.accesses = forge_words(forge);
	args.count = forge_size(forge);
	args.given = (uint32_t)(forge_bits(forge));
	bytes = pl_cuda_cuMemSetAccess_bytes(&args);
	if (bytes <= room_bytes)
		pl_cuda_cuMemSetAccess_put(&enc, &args);
	return bytes <= room_bytes ? bytes : 0;
}

static uint64_t forge_cuMemGetAccess(struct forge *forge, uint8_t *room, uint64_t room_bytes)
{
	struct pl_cuda_cuMemGetAccess_args args;
	struct pl_enc enc = { room };
	uint64_t bytes;

	/* pl_cuda_location_record */
	args.location.type = (uint32_t)(1 + forge_pick(forge, 4));
	args.location.id = (int32_t)forge_half(forge);
	args.address = forge_address(forge);
	args.given = (uint32_t)(forge_bits(forge));
	bytes = pl_cuda_cuMemGetAccess_bytes(&args);
	if (bytes <= room_bytes)
		pl_cuda_cuMemGetAccess_put(&enc, &args);
	return bytes <= room_bytes ? bytes : 0;
}

static uint64_t forge_cuGraphGetNodes(struct forge *forge, uint8_t *room, uint64_t room_bytes)
{
	struct pl_cuda_cuGraphGetNodes_args args;
	struct pl_enc enc = { room };
	uint64_t bytes;

	args.graph = forge_id(forge, PL_CUDA_KIND_graph);
	args.count = forge_size(forge);
	args.given = (uint32_t)(forge_bits(forge));
	bytes = pl_cuda_cuGraphGetNodes_bytes(&args);
	if (bytes <= room_bytes)
		pl_cuda_cuGraphGetNodes_put(&enc, &args);
	return bytes <= room_bytes ? bytes : 0;
}

static uint64_t forge_cuIpcGetMemHandle(struct forge *forge, uint8_t *room, uint64_t room_bytes)
{
	struct pl_cuda_cuIpcGetMemHandle_args args;
	struct pl_enc enc = { room };
	uint64_t bytes;

	args.address = forge_address(forge);
	bytes = pl_cuda_cuIpcGetMemHandle_bytes(&args);
	if (bytes <= room_bytes)
		pl_cuda_cuIpcGetMemHandle_put(&enc, &args);
	return bytes <= room_bytes ? bytes : 0;
}

static uint64_t forge_cuMemAdvise_v2(struct forge *forge, uint8_t *room, uint64_t room_bytes)
{
	struct pl_cuda_cuMemAdvise_v2_args args;
	struct pl_enc enc = { room };
	uint64_t bytes;

	args.address = forge_address(forge);
	args.bytes = forge_size(forge);
	args.advice = forge_half(forge);
	/* pl_cuda_location_record */
	args.location.type = (uint32_t)(1 + forge_pick(forge, 4));
	args.location.id = (int32_t)forge_half(forge);
	bytes = pl_cuda_cuMemAdvise_v2_bytes(&args);
	if (bytes <= room_bytes)
		pl_cuda_cuMemAdvise_v2_put(&enc, &args);
	return bytes <= room_bytes ? bytes : 0;
}

static uint64_t forge_cuLaunchHostFunc(struct forge *forge, uint8_t *room, uint64_t room_bytes)
{
	struct pl_cuda_cuLaunchHostFunc_args args;
	struct pl_enc enc = { room };
	uint64_t bytes;

	args.stream = forge_id(forge, PL_CUDA_KIND_stream);
	args.token = forge_word(forge);
	bytes = pl_cuda_cuLaunchHostFunc_bytes(&args);
	if (bytes <= room_bytes)
		pl_cuda_cuLaunchHostFunc_put(&enc, &args);
	return bytes <= room_bytes ? bytes : 0;
}

static uint64_t forge_cuStreamGetWindow(struct forge *forge, uint8_t *room, uint64_t room_bytes)
{
	struct pl_cuda_cuStreamGetWindow_args args;
	struct pl_enc enc = { room };
	uint64_t bytes;

	args.stream = forge_id(forge, PL_CUDA_KIND_stream);
	args.places = forge_words(forge);
	bytes = pl_cuda_cuStreamGetWindow_bytes(&args);
	if (bytes <= room_bytes)
		pl_cuda_cuStreamGetWindow_put(&enc, &args);
	return bytes <= room_bytes ? bytes : 0;
}

static uint64_t forge_cuGraphLoad(struct forge *forge, uint8_t *room, uint64_t room_bytes)
{
	struct pl_cuda_cuGraphLoad_args args;
	struct pl_enc enc = { room };
	uint64_t bytes;

	args.path = forge_text(forge);
	args.data = forge_bytes(forge);
	args.bytes = forge_size(forge);
	args.ratio = (float)(int32_t)forge_word(forge);
	args.given = (uint32_t)(forge_bits(forge));
	bytes = pl_cuda_cuGraphLoad_bytes(&args);
	if (bytes <= room_bytes)
		pl_cuda_cuGraphLoad_put(&enc, &args);
	return bytes <= room_bytes ? bytes : 0;
}

static uint64_t forge_plCurrent(struct forge *forge, uint8_t *room, uint64_t room_bytes)
{
	struct pl_cuda_plCurrent_args args;
	struct pl_enc enc = { room };
	uint64_t bytes;

	args.context = forge_id(forge, PL_CUDA_KIND_context);
	bytes = pl_cuda_plCurrent_bytes(&args);
	if (bytes <= room_bytes)
		pl_cuda_plCurrent_put(&enc, &args);
	return bytes <= room_bytes ? bytes : 0;
}

const struct forge_call forge_calls[] = {
	{ PL_CUDA_OP_cuDeviceGetName, "cuDeviceGetName", forge_cuDeviceGetName },
	{ PL_CUDA_OP_cuCtxGetLimit, "cuCtxGetLimit", forge_cuCtxGetLimit },
	{ PL_CUDA_OP_cuCtxCreate, "cuCtxCreate", forge_cuCtxCreate },
	{ PL_CUDA_OP_cuCtxDestroy_v2, "cuCtxDestroy_v2", forge_cuCtxDestroy_v2 },
	{ PL_CUDA_OP_cuMemsetD8_v2, "cuMemsetD8_v2", forge_cuMemsetD8_v2 },
	{ PL_CUDA_OP_cuMemsetD8Async, "cuMemsetD8Async", forge_cuMemsetD8Async },
	{ PL_CUDA_OP_cuMemSetAccess, "cuMemSetAccess", forge_cuMemSetAccess },
	{ PL_CUDA_OP_cuMemGetAccess, "cuMemGetAccess", forge_cuMemGetAccess },
	{ PL_CUDA_OP_cuGraphGetNodes, "cuGraphGetNodes", forge_cuGraphGetNodes },
	{ PL_CUDA_OP_cuIpcGetMemHandle, "cuIpcGetMemHandle", forge_cuIpcGetMemHandle },
	{ PL_CUDA_OP_cuMemAdvise_v2, "cuMemAdvise_v2", forge_cuMemAdvise_v2 },
	{ PL_CUDA_OP_cuLaunchHostFunc, "cuLaunchHostFunc", forge_cuLaunchHostFunc },
	{ PL_CUDA_OP_cuStreamGetWindow, "cuStreamGetWindow", forge_cuStreamGetWindow },
	{ PL_CUDA_OP_cuGraphLoad, "cuGraphLoad", forge_cuGraphLoad },
	{ PL_CUDA_OP_plCurrent, "plCurrent", forge_plCurrent },
};
const unsigned forge_calls_count = sizeof(forge_calls) / sizeof(forge_calls[0]);
