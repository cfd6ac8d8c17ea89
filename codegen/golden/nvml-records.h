/* Made by codegen/plgen.py from small-nvml.api; do not edit. */
/*
 * Each record that needs no hand: R_take() fills ours from the API's structure, R_give() the API's from ours.  What a
 * record does not have (reserved members) is 0 afterwards.
 */
#ifndef PL_NVML_RECORDS_H
#define PL_NVML_RECORDS_H

#include <assert.h>
#include <string.h>

#include "nvml-api.h"
#include "nvml-wire.h"

static inline void pl_nvml_memory_v2_record_take(struct pl_nvml_memory_v2_record *to,
						 const nvmlMemory_v2_t *from)
{
	to->version = from->version;
	to->total = from->total;
	to->reserved = from->reserved;
	to->free = from->free;
	to->used = from->used;
}

static inline void pl_nvml_memory_v2_record_give(nvmlMemory_v2_t *to,
						 const struct pl_nvml_memory_v2_record *from)
{
	*to = (nvmlMemory_v2_t){ 0 };
	to->version = from->version;
	to->total = from->total;
	to->reserved = from->reserved;
	to->free = from->free;
	to->used = from->used;
}

static inline void pl_nvml_process_record_take(struct pl_nvml_process_record *to,
					       const nvmlProcessInfo_t *from)
{
	to->pid = from->pid;
	to->usedGpuMemory = from->usedGpuMemory;
	to->gpuInstanceId = from->gpuInstanceId;
	to->computeInstanceId = from->computeInstanceId;
}

static inline void pl_nvml_process_record_give(nvmlProcessInfo_t *to,
					       const struct pl_nvml_process_record *from)
{
	*to = (nvmlProcessInfo_t){ 0 };
	to->pid = from->pid;
	to->usedGpuMemory = from->usedGpuMemory;
	to->gpuInstanceId = from->gpuInstanceId;
	to->computeInstanceId = from->computeInstanceId;
}

#endif
