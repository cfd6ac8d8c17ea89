/* Blocks of one SM: their memory, their turn, their end. */
#ifndef PL_REFGPU_COMPUTE_BLOCK_H
#define PL_REFGPU_COMPUTE_BLOCK_H

#include "refgpu/compute/sm.h"

/*
 * Chunks of blocks in a row are the SMs' in turn: with n SMs, SM i begins chunks i, i + n, i + 2n, so that it finds in
 * its core's caches what the same blocks of the launch before have left there.  Who has no more takes others' next
 * ones.
 */
struct pl_sm_chunks { /* of one SM */
	_Alignas(64) _Atomic uint64_t taken;
};

/* Sizes of a warp and the number of resident blocks, from the descriptor. */
void pl_sm_grid_measure(struct pl_sm_grid *grid);
/* Memory for the grid's resident blocks; kept from launch to launch.  Return: 0, -ENOMEM. */
int pl_sm_prepare(struct pl_sm *sm);
void pl_sm_fini(struct pl_sm *sm);
/* Takes blocks of the grid until none is left or somebody fails; the TLB is entered. */
void pl_sm_run(struct pl_sm *sm);

#endif
