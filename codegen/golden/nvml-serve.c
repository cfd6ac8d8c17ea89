/* Made by codegen/plgen.py from small-nvml.api; do not edit. */
#include "nvml-serve.h"

#include <stdlib.h>
#include <string.h>

#include "nvml-records.h"
#include "base/cleanup.h"

#define OK NVML_SUCCESS
#define LACKS NVML_ERROR_FUNCTION_NOT_FOUND
#define MEMORY NVML_ERROR_MEMORY
#define QUOTA NVML_ERROR_INSUFFICIENT_RESOURCES
#define TOO_LARGE NVML_ERROR_INVALID_ARGUMENT

struct pl_nvml_driver pl_nvml;

/* Memory of one call, for lists on their way to the driver and back.  Few calls need any. */
#define SCRATCH_BLOCKS 8

struct scratch {
	void *blocks[SCRATCH_BLOCKS];
	unsigned count;
	bool failed; /* once there was no room */
};

static void scratch_fini(struct scratch *scratch)
{
	while (scratch->count)
		free(scratch->blocks[--scratch->count]);
}

/* Zeroed room for `count` elements, at least one; NULL: out of memory. */
static void *room_for(struct scratch *scratch, uint64_t count, size_t each)
{
	void *room = scratch->count < SCRATCH_BLOCKS ? calloc(count ? count : 1, each) : NULL;

	if (room)
		scratch->blocks[scratch->count++] = room;
	else
		scratch->failed = true;
	return room;
}

static inline uint64_t lesser(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* One lane is one thread, and has one call at a time. */
static _Thread_local bool charge_kept;

void pl_nvml_charge_keep(void)
{
	charge_kept = true;
}

static struct pl_u64s records_give_process(struct scratch *scratch, const nvmlProcessInfo_t *list,
	uint64_t count)
{
	uint64_t *words = room_for(scratch, count * PL_NVML_WORDS_process, sizeof(*words));
	struct pl_enc enc = { (uint8_t *)words };

	for (uint64_t i = 0; words && i < count; i++) {
		struct pl_nvml_process_record one;

		pl_nvml_process_record_take(&one, &list[i]);
		pl_nvml_process_record_put(&enc, &one);
	}
	return (struct pl_u64s){ words, words ? count * PL_NVML_WORDS_process : 0 };
}

static void serve_nvmlSystemGetDriverVersion(struct pl_serve *serve)
{
	struct pl_nvml_nvmlSystemGetDriverVersion_args a;
	struct pl_nvml_nvmlSystemGetDriverVersion_reply r = { 0 };
	pl_cleanup(scratch_fini) struct scratch scratch = { .count = 0 };
	char *version = NULL;
	int32_t status = LACKS;

	pl_nvml_nvmlSystemGetDriverVersion_get(&serve->dec, &a);
	if (!pl_dec_whole(&serve->dec) ||
	    a.room > PL_NVML_LIMIT_TEXT_MAX) {
		pl_serve_refuse(serve, TOO_LARGE);
		return;
	}
	if (pl_nvml.nvmlSystemGetDriverVersion != NULL &&
	    (version = room_for(&scratch, a.room, sizeof(*version))) != NULL)
		status = pl_nvml.nvmlSystemGetDriverVersion(version, (unsigned int)a.room);
	else if (scratch.failed)
		status = MEMORY;
	if (status != OK) {
		pl_nvml_result(serve, status, 0);
		return;
	}
	r.version = (struct pl_bytes){ version, a.room };
	if (pl_serve_reply_begin(serve, status, pl_nvml_nvmlSystemGetDriverVersion_reply_bytes(&r), 0))
		return;
	pl_nvml_nvmlSystemGetDriverVersion_reply_put(&serve->reply_enc, &r);
	(void)pl_serve_reply_end(serve);
}

static void serve_nvmlDeviceGetCount_v2(struct pl_serve *serve)
{
	struct pl_nvml_nvmlDeviceGetCount_v2_args a;
	struct pl_nvml_nvmlDeviceGetCount_v2_reply r = { 0 };
	unsigned int count = 0;
	int32_t status = LACKS;

	pl_nvml_nvmlDeviceGetCount_v2_get(&serve->dec, &a);
	if (!pl_dec_whole(&serve->dec)) {
		pl_serve_refuse(serve, TOO_LARGE);
		return;
	}
	if (pl_nvml.nvmlDeviceGetCount_v2 != NULL)
		status = pl_nvml.nvmlDeviceGetCount_v2(&count);
	if (status != OK) {
		pl_nvml_result(serve, status, 0);
		return;
	}
	r.count = count;
	if (pl_serve_reply_begin(serve, status, pl_nvml_nvmlDeviceGetCount_v2_reply_bytes(&r), 0))
		return;
	pl_nvml_nvmlDeviceGetCount_v2_reply_put(&serve->reply_enc, &r);
	(void)pl_serve_reply_end(serve);
}

static void serve_nvmlDeviceGetMemoryInfo_v2(struct pl_serve *serve)
{
	struct pl_nvml_nvmlDeviceGetMemoryInfo_v2_args a;
	struct pl_nvml_nvmlDeviceGetMemoryInfo_v2_reply r = { 0 };
	void *device = NULL;
	nvmlMemory_v2_t memory;
	int32_t status = LACKS;

	pl_nvml_nvmlDeviceGetMemoryInfo_v2_get(&serve->dec, &a);
	if (!pl_dec_whole(&serve->dec) ||
	    (a.memory.version != nvmlMemory_v2)) {
		pl_serve_refuse(serve, TOO_LARGE);
		return;
	}
	if (pl_nvml.nvmlDeviceGetMemoryInfo_v2 != NULL &&
	    pl_nvml_take(serve, a.device, PL_NVML_KIND_device, &device, &status) &&
	    (pl_nvml_memory_v2_record_give(&memory, &a.memory), true))
		status = pl_nvml.nvmlDeviceGetMemoryInfo_v2((nvmlDevice_t)(uintptr_t)device,
							    &memory);
	if (status != OK) {
		pl_nvml_result(serve, status, 0);
		return;
	}
	pl_nvml_memory_v2_record_take(&r.memory, &memory);
	if (pl_serve_reply_begin(serve, status, pl_nvml_nvmlDeviceGetMemoryInfo_v2_reply_bytes(&r), 0))
		return;
	pl_nvml_nvmlDeviceGetMemoryInfo_v2_reply_put(&serve->reply_enc, &r);
	(void)pl_serve_reply_end(serve);
}

static void serve_nvmlDeviceGetComputeRunningProcesses_v3(struct pl_serve *serve)
{
	struct pl_nvml_nvmlDeviceGetComputeRunningProcesses_v3_args a;
	struct pl_nvml_nvmlDeviceGetComputeRunningProcesses_v3_reply r = { 0 };
	pl_cleanup(scratch_fini) struct scratch scratch = { .count = 0 };
	void *device = NULL;
	unsigned int count;
	nvmlProcessInfo_t *infos = NULL;
	int32_t status = LACKS;

	pl_nvml_nvmlDeviceGetComputeRunningProcesses_v3_get(&serve->dec, &a);
	if (!pl_dec_whole(&serve->dec) ||
	    a.count > PL_NVML_LIMIT_LIST_MAX) {
		pl_serve_refuse(serve, TOO_LARGE);
		return;
	}
	if (pl_nvml.nvmlDeviceGetComputeRunningProcesses_v3 != NULL &&
	    pl_nvml_take(serve, a.device, PL_NVML_KIND_device, &device, &status) &&
	    (count = a.count, true) &&
	    (infos = room_for(&scratch, a.count, sizeof(*infos))) != NULL)
		status = pl_nvml.nvmlDeviceGetComputeRunningProcesses_v3(
			(nvmlDevice_t)(uintptr_t)device, &count, (a.given >> 0 & 1) ? infos : NULL);
	else if (scratch.failed)
		status = MEMORY;
	if (status != OK && status != NVML_ERROR_INSUFFICIENT_SIZE) {
		pl_nvml_result(serve, status, 0);
		return;
	}
	r.count = count;
	r.infos = records_give_process(&scratch, infos,
				(a.given >> 0 & 1) ? lesser(count, a.count) : 0);
	if (scratch.failed) {
		pl_nvml_result(serve, MEMORY, 0);
		return;
	}
	if (pl_serve_reply_begin(serve, status, pl_nvml_nvmlDeviceGetComputeRunningProcesses_v3_reply_bytes(&r), 0))
		return;
	pl_nvml_nvmlDeviceGetComputeRunningProcesses_v3_reply_put(&serve->reply_enc, &r);
	(void)pl_serve_reply_end(serve);
}

static void (*const calls[PL_NVML_OP_COUNT])(struct pl_serve *serve) = {
	[PL_NVML_OP_nvmlSystemGetDriverVersion] = serve_nvmlSystemGetDriverVersion,
	[PL_NVML_OP_nvmlDeviceGetCount_v2] = serve_nvmlDeviceGetCount_v2,
	[PL_NVML_OP_nvmlDeviceGetMemoryInfo_v2] = serve_nvmlDeviceGetMemoryInfo_v2,
	[PL_NVML_OP_nvmlDeviceGetComputeRunningProcesses_v3] = serve_nvmlDeviceGetComputeRunningProcesses_v3,
};

void pl_nvml_serve_call(struct pl_serve *serve)
{
	uint16_t op = serve->head->op;

	if (op >= PL_NVML_OP_COUNT || !calls[op]) {
		pl_serve_refuse(serve, LACKS);
		return;
	}
	calls[op](serve);
}

#define FUNCTION(symbol) { #symbol, offsetof(struct pl_nvml_driver, symbol) }
static const struct {
	const char *symbol;
	size_t offset;
} functions[] = {
	FUNCTION(nvmlInit_v2),
	FUNCTION(nvmlSystemGetDriverVersion),
	FUNCTION(nvmlDeviceGetCount_v2),
	FUNCTION(nvmlDeviceGetMemoryInfo_v2),
	FUNCTION(nvmlDeviceGetComputeRunningProcesses_v3),
};

void pl_nvml_driver_load(struct pl_nvml_driver *driver, void *(*find)(void *arg, const char *symbol), void *arg)
{
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		void *at = find(arg, functions[i].symbol);

		memcpy((char *)driver + functions[i].offset, &at, sizeof(at));
	}
}
