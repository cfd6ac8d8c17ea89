/*
 * For tests and the bench: a compute engine over a flat piece of device memory, behind real page tables, and programs
 * as text.  Device address KIT_VA + n is byte n of kit->memory.
 */
#ifndef PL_REFGPU_COMPUTE_KIT_H
#define PL_REFGPU_COMPUTE_KIT_H

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "refgpu/compute/engine.h"
#include "refgpu/isa/launch.h"
#include "refgpu/isa/text.h"
#include "refgpu/isa/texture.h"
#include "refgpu/isa/values.h"

#define KIT_VA        0x20000000ull
#define KIT_BYTES     (48ull << 20) /* of kit->memory */
#define KIT_CODE      (40ull << 20) /* offsets in it that the kit uses itself */
#define KIT_PARAM     (47ull << 20)
#define KIT_DESC      ((47ull << 20) + 0x10000)
#define KIT_READ_ONLY (46ull << 20) /* 128 KiB that kernels cannot write */

struct kit {
	uint8_t *vram, *memory;
	struct pl_mmu *mmu;
	struct pl_mmu_space *space;
	struct pl_rg_compute *engine;
	struct pl_isa_launch desc; /* what the next run begins with; code fields are filled by kit_code() */
	uint64_t param[64];        /* written to the parameter block */
	_Atomic uint32_t stop;
	uint64_t instructions_max;
	uint32_t instruction_ps; /* not 0: virtual clock */
	struct pl_rg_launch_result result;
};

/* vector: "avx512", "avx2", "portable" (the program ends as a test that is skipped where the machine has it not); NULL:
 * the best.  threads 0: as many as cores. */
void kit_begin(struct kit *kit, const char *vector, uint32_t threads);
void kit_end(struct kit *kit);
/* Assembles, places and makes it the next run's program; its first ENTRY is the kernel. */
void kit_code(struct kit *kit, const char *text);
void kit_insns(struct kit *kit, const struct pl_isa_insn *insns, uint32_t count);
/* Runs; the result lies in kit->result.  Return: the fault's code. */
uint32_t kit_run(struct kit *kit, uint32_t blocks, uint32_t threads);
void kit_flush(struct kit *kit);
uint64_t kit_va(const struct kit *kit, const void *at);

#endif
