/* Blocks of one SM: their memory, their turn, their end. */
#ifndef PL_REFGPU_COMPUTE_BLOCK_H
#define PL_REFGPU_COMPUTE_BLOCK_H

#include "refgpu/compute/sm.h"

/* Sizes of a warp and the number of resident blocks, from the descriptor. */
void pl_sm_grid_measure(struct pl_sm_grid *grid);
/* Memory for the grid's resident blocks; kept from launch to launch.  Return: 0, -ENOMEM. */
int pl_sm_prepare(struct pl_sm *sm);
void pl_sm_fini(struct pl_sm *sm);
/* Takes blocks of the grid until none is left or somebody fails; the TLB is entered. */
void pl_sm_run(struct pl_sm *sm);

#endif
