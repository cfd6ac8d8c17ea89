/*
 * What a kernel begins with, worked out ahead.  Kernels read parameters and indices, and compute addresses from them:
 * the same in all threads of a block, or of the grid.  At a launch the straight line behind ENTRY is taken apart:
 * values that do not differ within a block become numbers, computed once a grid or once a block; what is left, per
 * thread, is a shorter list of operations with those numbers as immediates.  Warps run that list and go on in the
 * image, with U registers and instruction counts as if they had come the long way.  Nothing in the list can fault,
 * branch or read the clock.
 */
#ifndef PL_REFGPU_COMPUTE_PROLOGUE_H
#define PL_REFGPU_COMPUTE_PROLOGUE_H

#include "refgpu/compute/sm.h"

#define PL_SM_PROLOGUE_OPS      32u
#define PL_SM_PROLOGUE_VALUES   96u
#define PL_SM_PROLOGUE_UNIFORMS 32u

struct pl_sm_value { /* a number, the same in all threads of a block */
	uint64_t constant;
	bool by_block;
	uint8_t type, x, y, z; /* numbers that stand before it; of S2U x is the dimension */
	uint16_t op;           /* S2U or one of pl_sm_uniform_eval() */
};

struct pl_sm_prologue {
	uint32_t op_count; /* with the one that goes on in the image */
	uint32_t value_count, uniform_count;
	int16_t patches[PL_SM_PROLOGUE_OPS + 1];   /* the number that is an operation's immediate, or -1 */
	int16_t uniforms[PL_SM_PROLOGUE_UNIFORMS]; /* what U registers hold at the end, or -1 */
	struct pl_sm_value values[PL_SM_PROLOGUE_VALUES];
	_Alignas(64) struct pl_sm_op ops[PL_SM_PROLOGUE_OPS + 1];
};

struct pl_sm_line { /* an SM's own copy */
	uint64_t values[PL_SM_PROLOGUE_VALUES];
	_Alignas(64) struct pl_sm_op ops[PL_SM_PROLOGUE_OPS + 1];
};

/** pl_sm_prologue_make() - for grid->code and grid->desc, whose parameters are read
 * Return: false where nothing would be won, or the launch is checked or cooperative. */
bool pl_sm_prologue_make(struct pl_sm_prologue *prologue, const struct pl_sm_grid *grid,
			 const struct pl_sm_build *build);
/* The SM's own copy of the list, at the begin of a grid. */
void pl_sm_prologue_enter(struct pl_sm *sm);
/* Before the first turn of a block's warps, all of which run the list in that turn. */
void pl_sm_prologue_block(struct pl_sm *sm, struct pl_sm_block *block);

#endif
