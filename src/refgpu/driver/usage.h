/*
 * What a process uses of its reference GPU, for others to read: a page in a memfd that nobody else writes.  Others find
 * it among the process' descriptors by its name, as far as the system lets them look there.
 */
#ifndef PL_REFGPU_DRIVER_USAGE_H
#define PL_REFGPU_DRIVER_USAGE_H

#include <stdatomic.h>
#include <stdint.h>

#define PL_CU_USAGE_NAME  "plenum-refgpu-usage"
#define PL_CU_USAGE_MAGIC 0x3145474153555050ull /* "PPUSAGE1" */

struct pl_cu_usage {
	uint64_t magic;
	uint32_t pid, ordinal;
	uint64_t vram_bytes;
	_Atomic uint64_t used_bytes;
	_Atomic uint64_t busy_ns; /* of all engines, whole submissions */
};

/* This process' page, made; where no memfd is to be had, memory that nobody sees.  Never NULL, never freed. */
struct pl_cu_usage *pl_cu_usage_create(uint64_t vram_bytes);

#endif
