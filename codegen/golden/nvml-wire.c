/* Made by codegen/plgen.py from small-nvml.api; do not edit. */
#include "nvml-wire.h"

static const struct {
	const char *name, *call_class, *replays;
	int records;
	uint8_t stream, per_thread;
} ops[PL_NVML_OP_COUNT] = {
	[1] = { "nvmlInit_v2", "local", "none", 0, 0, 0 },
	[2] = { "nvmlSystemGetDriverVersion", "ask", "none", 0, 0, 0 },
	[3] = { "nvmlDeviceGetCount_v2", "ask", "none", 0, 0, 0 },
	[4] = { "nvmlDeviceGetMemoryInfo_v2", "ask", "none", 0, 0, 0 },
	[5] = { "nvmlDeviceGetComputeRunningProcesses_v3", "ask", "none", 0, 0, 0 },
	[6] = { "nvmlDeviceSetPowerManagementLimit", "refused", "none", 0, 0, 0 },
};

const char *pl_nvml_op_name(uint16_t op)
{
	return op < PL_NVML_OP_COUNT && ops[op].name ? ops[op].name : "?";
}

const char *pl_nvml_op_class(uint16_t op)
{
	return op < PL_NVML_OP_COUNT && ops[op].name ? ops[op].call_class : "?";
}

const char *pl_nvml_op_replays(uint16_t op)
{
	return op < PL_NVML_OP_COUNT && ops[op].name ? ops[op].replays : "?";
}

int pl_nvml_op_records(uint16_t op)
{
	return op < PL_NVML_OP_COUNT ? ops[op].records : 0;
}

uint32_t pl_nvml_op_stream(uint16_t op, uint32_t *per_thread_out)
{
	*per_thread_out = op < PL_NVML_OP_COUNT ? ops[op].per_thread : 0;
	return op < PL_NVML_OP_COUNT ? ops[op].stream : 0;
}

uint16_t pl_nvml_op_find(const char *name)
{
	for (uint16_t op = 0; op < PL_NVML_OP_COUNT; op++)
		if (ops[op].name && !strcmp(ops[op].name, name))
			return op;
	return 0;
}

static const struct pl_function functions[] = {
	{ "nvmlDeviceGetComputeRunningProcesses_v3", 0x0fd02a20d0b7031du, 5, false },
	{ "nvmlDeviceGetCount_v2", 0x5f2e7d62df41b7b0u, 3, false },
	{ "nvmlDeviceGetMemoryInfo_v2", 0x5fc2aa5c40b5718du, 4, false },
	{ "nvmlSystemGetDriverVersion", 0xb1cc3d8d74276082u, 2, false },
};

const struct pl_functions pl_nvml_functions = {
	.version = 1,
	.count = 4,
	.hash = PL_NVML_API_HASH,
	.at = functions,
};

void pl_nvml_nvmlSystemGetDriverVersion_get(struct pl_dec *dec,
					    struct pl_nvml_nvmlSystemGetDriverVersion_args *to)
{
	to->room = pl_dec_u32(dec);
}

void pl_nvml_nvmlSystemGetDriverVersion_reply_get(
	struct pl_dec *dec, struct pl_nvml_nvmlSystemGetDriverVersion_reply *to)
{
	to->version = pl_dec_bytes(dec, PL_NVML_LIMIT_TEXT_MAX);
}

void pl_nvml_nvmlDeviceGetCount_v2_get(struct pl_dec *dec,
				       struct pl_nvml_nvmlDeviceGetCount_v2_args *to)
{
	(void)dec;
	to->nothing = 0;
}

void pl_nvml_nvmlDeviceGetCount_v2_reply_get(struct pl_dec *dec,
					     struct pl_nvml_nvmlDeviceGetCount_v2_reply *to)
{
	to->count = pl_dec_u32(dec);
}

void pl_nvml_nvmlDeviceGetMemoryInfo_v2_get(struct pl_dec *dec,
					    struct pl_nvml_nvmlDeviceGetMemoryInfo_v2_args *to)
{
	to->device = pl_dec_u64(dec);
	pl_nvml_memory_v2_record_get(dec, &to->memory);
}

void pl_nvml_nvmlDeviceGetMemoryInfo_v2_reply_get(
	struct pl_dec *dec, struct pl_nvml_nvmlDeviceGetMemoryInfo_v2_reply *to)
{
	pl_nvml_memory_v2_record_get(dec, &to->memory);
}

void pl_nvml_nvmlDeviceGetComputeRunningProcesses_v3_get(
	struct pl_dec *dec, struct pl_nvml_nvmlDeviceGetComputeRunningProcesses_v3_args *to)
{
	to->device = pl_dec_u64(dec);
	to->count = pl_dec_u32(dec);
	to->given = pl_dec_u32(dec);
}

void pl_nvml_nvmlDeviceGetComputeRunningProcesses_v3_reply_get(
	struct pl_dec *dec, struct pl_nvml_nvmlDeviceGetComputeRunningProcesses_v3_reply *to)
{
	to->count = pl_dec_u32(dec);
	to->infos = pl_dec_records(dec, PL_NVML_WORDS_process, PL_NVML_LIMIT_LIST_MAX);
}
