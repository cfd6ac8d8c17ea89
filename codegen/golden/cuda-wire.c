/* Made by codegen/plgen.py from small-cuda.api; do not edit. */
#include "cuda-wire.h"

static const struct {
	const char *name, *call_class, *replays;
	int records;
	uint8_t stream, per_thread;
} ops[PL_CUDA_OP_COUNT] = {
	[1] = { "cuInit", "local", "none", 0, 0, 0 },
	[2] = { "cuDeviceGetName", "ask", "none", 0, 0, 0 },
	[3] = { "cuCtxGetLimit", "ask", "none", 0, 0, 0 },
	[4] = { "cuCtxCreate", "ask", "makes", 1, 0, 0 },
	[5] = { "cuCtxDestroy_v2", "post", "makes", 1, 0, 0 },
	[6] = { "cuMemsetD8_v2", "post", "none", 0, 0, 4 },
	[7] = { "cuMemsetD8Async", "post", "none", 0, 4, 5 },
	[8] = { "cuMemsetD8", "refused", "none", 0, 0, 0 },
	[9] = { "cuMemSetAccess", "ask", "record", 2, 0, 0 },
	[10] = { "cuMemGetAccess", "ask", "none", 0, 0, 0 },
	[11] = { "cuGraphGetNodes", "ask", "makes", 1, 0, 0 },
	[12] = { "cuIpcGetMemHandle", "ask", "none", 0, 0, 0 },
	[13] = { "cuMemAdvise_v2", "ask", "none", 0, 0, 0 },
	[14] = { "cuLaunchHostFunc", "post", "none", 0, 1, 0 },
	[15] = { "cuStreamGetWindow", "ask", "none", 0, 1, 0 },
	[16] = { "cuMemFreeHost", "local", "none", 0, 0, 0 },
	[17] = { "cuGraphLoad", "ask", "makes", 1, 0, 0 },
	[18] = { "plCurrent", "post", "none", 0, 0, 0 },
};

const char *pl_cuda_op_name(uint16_t op)
{
	return op < PL_CUDA_OP_COUNT && ops[op].name ? ops[op].name : "?";
}

const char *pl_cuda_op_class(uint16_t op)
{
	return op < PL_CUDA_OP_COUNT && ops[op].name ? ops[op].call_class : "?";
}

const char *pl_cuda_op_replays(uint16_t op)
{
	return op < PL_CUDA_OP_COUNT && ops[op].name ? ops[op].replays : "?";
}

int pl_cuda_op_records(uint16_t op)
{
	return op < PL_CUDA_OP_COUNT ? ops[op].records : 0;
}

uint32_t pl_cuda_op_stream(uint16_t op, uint32_t *per_thread_out)
{
	*per_thread_out = op < PL_CUDA_OP_COUNT ? ops[op].per_thread : 0;
	return op < PL_CUDA_OP_COUNT ? ops[op].stream : 0;
}

uint16_t pl_cuda_op_find(const char *name)
{
	for (uint16_t op = 0; op < PL_CUDA_OP_COUNT; op++)
		if (ops[op].name && !strcmp(ops[op].name, name))
			return op;
	return 0;
}

static const struct pl_function functions[] = {
	{ "cuCtxCreate", 0xbd91fe236159e3f0u, 4, false },
	{ "cuCtxDestroy_v2", 0x9ec3d7aa0777db31u, 5, false },
	{ "cuCtxGetLimit", 0xe79db3e567e103a7u, 3, false },
	{ "cuDeviceGetName", 0xcf01a7952e2d9c00u, 2, false },
	{ "cuGraphGetNodes", 0x42e71165824752fbu, 11, false },
	{ "cuGraphLoad", 0x9926f12417558cd4u, 17, false },
	{ "cuIpcGetMemHandle", 0x033ce6f4ab50a620u, 12, false },
	{ "cuLaunchHostFunc", 0xb7da585d1ffa2b08u, 14, false },
	{ "cuMemAdvise_v2", 0x063ee2c9c9b0e547u, 13, false },
	{ "cuMemGetAccess", 0xf099ad441cb9a504u, 10, false },
	{ "cuMemSetAccess", 0x6edc8ffc2350caf6u, 9, false },
	{ "cuMemsetD8Async", 0xc01ae23c38d463ccu, 7, false },
	{ "cuMemsetD8_v2", 0x30cf1717fd8dbc83u, 6, false },
	{ "cuStreamGetWindow", 0x07cfaa3bbc251b05u, 15, false },
	{ "plCurrent", 0x9ec3d7aa0777db31u, 18, false },
};

const struct pl_functions pl_cuda_functions = {
	.version = 1,
	.count = 15,
	.hash = PL_CUDA_API_HASH,
	.at = functions,
};

void pl_cuda_cuDeviceGetName_get(struct pl_dec *dec, struct pl_cuda_cuDeviceGetName_args *to)
{
	to->len = pl_dec_i32(dec);
	to->device = pl_dec_u64(dec);
}

void pl_cuda_cuDeviceGetName_reply_get(struct pl_dec *dec, struct pl_cuda_cuDeviceGetName_reply *to)
{
	to->name = pl_dec_bytes(dec, PL_CUDA_LIMIT_NAME_MAX);
}

void pl_cuda_cuCtxGetLimit_get(struct pl_dec *dec, struct pl_cuda_cuCtxGetLimit_args *to)
{
	to->limit = pl_dec_u32(dec);
}

void pl_cuda_cuCtxGetLimit_reply_get(struct pl_dec *dec, struct pl_cuda_cuCtxGetLimit_reply *to)
{
	to->value = pl_dec_u64(dec);
}

void pl_cuda_cuCtxCreate_get(struct pl_dec *dec, struct pl_cuda_cuCtxCreate_args *to)
{
	to->context = pl_dec_u64(dec);
	to->flags = pl_dec_u32(dec);
	to->device = pl_dec_u64(dec);
}

void pl_cuda_cuCtxDestroy_v2_get(struct pl_dec *dec, struct pl_cuda_cuCtxDestroy_v2_args *to)
{
	to->context = pl_dec_u64(dec);
}

void pl_cuda_cuMemsetD8_v2_get(struct pl_dec *dec, struct pl_cuda_cuMemsetD8_v2_args *to)
{
	to->dst = pl_dec_u64(dec);
	to->value = pl_dec_u32(dec);
	to->count = pl_dec_u64(dec);
	to->per_thread = pl_dec_u32(dec);
}

void pl_cuda_cuMemsetD8Async_get(struct pl_dec *dec, struct pl_cuda_cuMemsetD8Async_args *to)
{
	to->dst = pl_dec_u64(dec);
	to->value = pl_dec_u32(dec);
	to->count = pl_dec_u64(dec);
	to->stream = pl_dec_u64(dec);
	to->per_thread = pl_dec_u32(dec);
}

void pl_cuda_cuMemSetAccess_get(struct pl_dec *dec, struct pl_cuda_cuMemSetAccess_args *to)
{
	to->address = pl_dec_u64(dec);
	to->bytes = pl_dec_u64(dec);
	to->accesses = pl_dec_records(dec, PL_CUDA_WORDS_access, PL_CUDA_LIMIT_LIST_MAX);
	to->count = pl_dec_u64(dec);
	to->given = pl_dec_u32(dec);
}

void pl_cuda_cuMemGetAccess_get(struct pl_dec *dec, struct pl_cuda_cuMemGetAccess_args *to)
{
	pl_cuda_location_record_get(dec, &to->location);
	to->address = pl_dec_u64(dec);
	to->given = pl_dec_u32(dec);
}

void pl_cuda_cuMemGetAccess_reply_get(struct pl_dec *dec, struct pl_cuda_cuMemGetAccess_reply *to)
{
	to->flags = pl_dec_u64(dec);
}

void pl_cuda_cuGraphGetNodes_get(struct pl_dec *dec, struct pl_cuda_cuGraphGetNodes_args *to)
{
	to->graph = pl_dec_u64(dec);
	to->count = pl_dec_u64(dec);
	to->given = pl_dec_u32(dec);
}

void pl_cuda_cuGraphGetNodes_reply_get(struct pl_dec *dec, struct pl_cuda_cuGraphGetNodes_reply *to)
{
	to->nodes = pl_dec_u64s(dec, PL_CUDA_LIMIT_LIST_MAX);
	to->count = pl_dec_u64(dec);
}

void pl_cuda_cuIpcGetMemHandle_get(struct pl_dec *dec, struct pl_cuda_cuIpcGetMemHandle_args *to)
{
	to->address = pl_dec_u64(dec);
}

void pl_cuda_cuIpcGetMemHandle_reply_get(struct pl_dec *dec,
					 struct pl_cuda_cuIpcGetMemHandle_reply *to)
{
	pl_cuda_ipc_record_get(dec, &to->handle);
}

void pl_cuda_cuMemAdvise_v2_get(struct pl_dec *dec, struct pl_cuda_cuMemAdvise_v2_args *to)
{
	to->address = pl_dec_u64(dec);
	to->bytes = pl_dec_u64(dec);
	to->advice = pl_dec_u32(dec);
	pl_cuda_location_record_get(dec, &to->location);
}

void pl_cuda_cuLaunchHostFunc_get(struct pl_dec *dec, struct pl_cuda_cuLaunchHostFunc_args *to)
{
	to->stream = pl_dec_u64(dec);
	to->token = pl_dec_u64(dec);
}

void pl_cuda_cuStreamGetWindow_get(struct pl_dec *dec, struct pl_cuda_cuStreamGetWindow_args *to)
{
	to->stream = pl_dec_u64(dec);
	to->places = pl_dec_records(dec, PL_CUDA_WORDS_location, PL_CUDA_LIMIT_LIST_MAX);
}

void pl_cuda_cuStreamGetWindow_reply_get(struct pl_dec *dec,
					 struct pl_cuda_cuStreamGetWindow_reply *to)
{
	pl_cuda_window_record_get(dec, &to->window);
	to->ratio = pl_dec_f32(dec);
}

void pl_cuda_cuGraphLoad_get(struct pl_dec *dec, struct pl_cuda_cuGraphLoad_args *to)
{
	to->path = pl_dec_string(dec, PL_CUDA_LIMIT_NAME_MAX);
	to->data = pl_dec_bytes(dec, PL_CUDA_LIMIT_BYTES_MAX);
	to->bytes = pl_dec_u64(dec);
	to->ratio = pl_dec_f32(dec);
	to->given = pl_dec_u32(dec);
}

void pl_cuda_cuGraphLoad_reply_get(struct pl_dec *dec, struct pl_cuda_cuGraphLoad_reply *to)
{
	to->graph = pl_dec_u64(dec);
}

void pl_cuda_plCurrent_get(struct pl_dec *dec, struct pl_cuda_plCurrent_args *to)
{
	to->context = pl_dec_u64(dec);
}
