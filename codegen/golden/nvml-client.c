/* Made by codegen/plgen.py from small-nvml.api; do not edit. */
#include "nvml-client.h"

#include <stdlib.h>
#include <string.h>

#include "nvml-records.h"
#include "base/cleanup.h"

#define OK NVML_SUCCESS
#define MEMORY NVML_ERROR_MEMORY
#define TOO_LARGE NVML_ERROR_INVALID_ARGUMENT
#define NO_PLACE NVML_ERROR_INVALID_ARGUMENT /* NULL where an answer must go */
#define PEER NVML_ERROR_UNKNOWN
#define VERSION NVML_ERROR_ARGUMENT_VERSION_MISMATCH /* of a structure */
#define PARTIAL NVML_ERROR_INSUFFICIENT_SIZE /* counts come back with it */

/* Memory of one call. */
#define SCRATCH_BLOCKS 8

struct scratch {
	void *blocks[SCRATCH_BLOCKS];
	unsigned count;
	bool failed;
};

/* What a server sends is not more than the program has room for. */
static void copy_back(void *to, uint64_t room, const void *from, uint64_t bytes)
{
	if (from && bytes)
		memcpy(to, from, bytes < room ? bytes : room);
}

static void records_back_process(nvmlProcessInfo_t *list, uint64_t room, struct pl_u64s words)
{
	for (uint64_t i = 0; i < words.count / PL_NVML_WORDS_process && i < room; i++) {
		struct pl_nvml_process_record one;

		if (pl_nvml_process_record_at(words, i, &one))
			pl_nvml_process_record_give(&list[i], &one);
	}
}

nvmlReturn_t pl_nvml_on_nvmlSystemGetDriverVersion(struct pl_session *session, char *version, unsigned int room)
{
	struct pl_nvml_nvmlSystemGetDriverVersion_args a = { 0 };
	struct pl_nvml_nvmlSystemGetDriverVersion_reply r;
	struct pl_reply reply;
	struct pl_call call;
	nvmlReturn_t status;
	int fault;

	if (!version)
		return NO_PLACE;
	a.room = room;
	fault = pl_call_begin(&call, session, PL_NVML_OP_nvmlSystemGetDriverVersion,
			      pl_nvml_nvmlSystemGetDriverVersion_bytes(&a));
	if (!fault) {
		pl_nvml_nvmlSystemGetDriverVersion_put(&call.enc, &a);
		fault = pl_call_ask(&call, &reply);
	}
	status = fault ? pl_nvml_fault(fault) : (nvmlReturn_t)(reply.status);
	if (status != OK)
		return status;
	pl_nvml_nvmlSystemGetDriverVersion_reply_get(&reply.dec, &r);
	if (!pl_dec_whole(&reply.dec))
		return PEER;
	copy_back(version, room, r.version.at, r.version.bytes);
	return status;
}

nvmlReturn_t nvmlSystemGetDriverVersion(char *version, unsigned int room)
{
	struct pl_session *session;
	nvmlReturn_t status = pl_nvml_enter(PL_NVML_OP_nvmlSystemGetDriverVersion, 0, NULL,
					    &session);

	if (status != OK)
		return status;
	return pl_nvml_on_nvmlSystemGetDriverVersion(session, version, room);
}

nvmlReturn_t pl_nvml_on_nvmlDeviceGetCount_v2(struct pl_session *session, unsigned int *count)
{
	struct pl_nvml_nvmlDeviceGetCount_v2_args a = { 0 };
	struct pl_nvml_nvmlDeviceGetCount_v2_reply r;
	struct pl_reply reply;
	struct pl_call call;
	nvmlReturn_t status;
	int fault;

	if (!count)
		return NO_PLACE;
	fault = pl_call_begin(&call, session, PL_NVML_OP_nvmlDeviceGetCount_v2,
			      pl_nvml_nvmlDeviceGetCount_v2_bytes(&a));
	if (!fault) {
		pl_nvml_nvmlDeviceGetCount_v2_put(&call.enc, &a);
		fault = pl_call_ask(&call, &reply);
	}
	status = fault ? pl_nvml_fault(fault) : (nvmlReturn_t)(reply.status);
	if (status != OK)
		return status;
	pl_nvml_nvmlDeviceGetCount_v2_reply_get(&reply.dec, &r);
	if (!pl_dec_whole(&reply.dec))
		return PEER;
	*count = (unsigned int)r.count;
	return status;
}

nvmlReturn_t pl_nvml_on_nvmlDeviceGetMemoryInfo_v2(struct pl_session *session, nvmlDevice_t device, nvmlMemory_v2_t *memory)
{
	struct pl_nvml_nvmlDeviceGetMemoryInfo_v2_args a = { 0 };
	struct pl_nvml_nvmlDeviceGetMemoryInfo_v2_reply r;
	struct pl_reply reply;
	struct pl_call call;
	nvmlReturn_t status;
	int fault;

	if (!memory)
		return NO_PLACE;
	if (memory && memory->version != nvmlMemory_v2)
		return VERSION;
	a.device = pl_nvml_id(session, PL_NVML_KIND_device, (const void *)(uintptr_t)device);
	if (device && !a.device)
		return NVML_ERROR_INVALID_ARGUMENT;
	pl_nvml_memory_v2_record_take(&a.memory, memory);
	fault = pl_call_begin(&call, session, PL_NVML_OP_nvmlDeviceGetMemoryInfo_v2,
			      pl_nvml_nvmlDeviceGetMemoryInfo_v2_bytes(&a));
	if (!fault) {
		pl_nvml_nvmlDeviceGetMemoryInfo_v2_put(&call.enc, &a);
		fault = pl_call_ask(&call, &reply);
	}
	status = fault ? pl_nvml_fault(fault) : (nvmlReturn_t)(reply.status);
	if (status != OK)
		return status;
	pl_nvml_nvmlDeviceGetMemoryInfo_v2_reply_get(&reply.dec, &r);
	if (!pl_dec_whole(&reply.dec))
		return PEER;
	pl_nvml_memory_v2_record_give(memory, &r.memory);
	return status;
}

nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t *memory)
{
	struct pl_session *session;
	nvmlReturn_t status = pl_nvml_enter(PL_NVML_OP_nvmlDeviceGetMemoryInfo_v2,
					    PL_NVML_KIND_device, device, &session);

	if (status != OK)
		return status;
	return pl_nvml_on_nvmlDeviceGetMemoryInfo_v2(session, device, memory);
}

nvmlReturn_t pl_nvml_on_nvmlDeviceGetComputeRunningProcesses_v3(struct pl_session *session, nvmlDevice_t device,
								unsigned int *count,
								nvmlProcessInfo_t *infos)
{
	struct pl_nvml_nvmlDeviceGetComputeRunningProcesses_v3_args a = { 0 };
	struct pl_nvml_nvmlDeviceGetComputeRunningProcesses_v3_reply r;
	struct pl_reply reply;
	struct pl_call call;
	nvmlReturn_t status;
	int fault;

	if (!count)
		return NO_PLACE;
	a.device = pl_nvml_id(session, PL_NVML_KIND_device, (const void *)(uintptr_t)device);
	if (device && !a.device)
		return NVML_ERROR_INVALID_ARGUMENT;
	a.count = *count;
	if (infos)
		a.given |= 1u << 0;
	fault = pl_call_begin(&call, session, PL_NVML_OP_nvmlDeviceGetComputeRunningProcesses_v3,
			      pl_nvml_nvmlDeviceGetComputeRunningProcesses_v3_bytes(&a));
	if (!fault) {
		pl_nvml_nvmlDeviceGetComputeRunningProcesses_v3_put(&call.enc, &a);
		fault = pl_call_ask(&call, &reply);
	}
	status = fault ? pl_nvml_fault(fault) : (nvmlReturn_t)(reply.status);
	if (status != OK && status != PARTIAL)
		return status;
	pl_nvml_nvmlDeviceGetComputeRunningProcesses_v3_reply_get(&reply.dec, &r);
	if (!pl_dec_whole(&reply.dec))
		return PEER;
	if (status == PARTIAL) {
		*count = (unsigned int)r.count;
		return status;
	}
	*count = (unsigned int)r.count;
	if (infos)
		records_back_process(infos, a.count, r.infos);
	return status;
}

nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device, unsigned int *count,
						     nvmlProcessInfo_t *infos)
{
	struct pl_session *session;
	nvmlReturn_t status = pl_nvml_enter(PL_NVML_OP_nvmlDeviceGetComputeRunningProcesses_v3,
					    PL_NVML_KIND_device, device, &session);

	if (status != OK)
		return status;
	return pl_nvml_on_nvmlDeviceGetComputeRunningProcesses_v3(session, device, count, infos);
}
