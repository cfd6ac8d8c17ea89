/* Page-table walks, for mmu.c.  Tables are hostile: each entry is loaded once, and everything that it says is checked.
 */
#ifndef PL_REFGPU_DEVICE_WALK_H
#define PL_REFGPU_DEVICE_WALK_H

#include "refgpu/device/mmu.h"

struct pl_mmu_memory { /* what entries point at */
	uint8_t *vram;
	uint64_t vram_bytes;
	pl_mmu_dma_fn dma;
	void *dma_arg;
};

struct pl_mmu_walk {
	const struct pl_mmu_memory *memory;
	struct pl_mmu_root root;
	uint64_t limit;
	bool supervisor;
	uint64_t entries; /* read so far; the caller's counter */
};

/* A table entry's page and the run of pages around it that it is part of; out: set on success.
 * Return: PL_RG_FAULT_NONE, or the fault. */
uint32_t pl_mmu_walk(struct pl_mmu_walk *walk, uint64_t address, struct pl_mmu_run *run_out);

#endif
