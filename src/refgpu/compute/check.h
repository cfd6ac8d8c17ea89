/*
 * Check mode: the operations that touch shared memory or barriers get a handler in front that keeps a shadow of shared
 * memory.  Launches without PL_ISA_LAUNCH_CHECK have none of this in their way.
 */
#ifndef PL_REFGPU_COMPUTE_CHECK_H
#define PL_REFGPU_COMPUTE_CHECK_H

#include "refgpu/compute/sm.h"

/* Puts the checking handler in front of what is bound, which goes to `inner`, where the operation needs one. */
void pl_sm_check_wrap(const struct pl_isa_fields *fields, struct pl_sm_op *op, pl_sm_fn inner[2]);
/* A barrier of the whole block is complete. */
void pl_sm_check_barrier(struct pl_sm_block *block);
/* A block begins: nothing of its shared memory is written yet.  Return: 0 or -ENOMEM. */
int pl_sm_check_begin(struct pl_sm_block *block, uint32_t shared_bytes);
void pl_sm_check_end(struct pl_sm_block *block);

#endif
