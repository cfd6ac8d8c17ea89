/*
 * Check mode: the operations that touch memory or barriers get a handler in front that looks at a shadow.  Launches
 * without PL_ISA_LAUNCH_CHECK have none of this in their way.  What is found goes into the records of the launch's
 * struct pl_isa_check and the kernel goes on; without one it is a fault.
 *
 * Order between warps is kept as vector clocks: what one warp did before a barrier, or before it arrives at an
 * mbarrier, lies before what another does after it has come through.
 */
#ifndef PL_REFGPU_COMPUTE_CHECK_H
#define PL_REFGPU_COMPUTE_CHECK_H

#include "refgpu/compute/sm.h"
#include "refgpu/isa/check.h"

/* Puts the checking handler in front of what is bound, which goes to `inner`, where the operation needs one. */
void pl_sm_check_wrap(const struct pl_isa_fields *fields, struct pl_sm_op *op, pl_sm_fn inner[2]);

/* Of one lane's access; false = a fault was raised.  For memory that operations reach by mem.h's functions. */
bool pl_sm_check_access(struct pl_sm_warp *w, const struct pl_sm_op *op, unsigned space, uint64_t addr, uint64_t bytes,
			enum pl_rg_access access, uint32_t lane);

/* A warp comes to a barrier of the block; it is complete, and these warps go on. */
void pl_sm_check_arrive(struct pl_sm_warp *w, unsigned barrier);
void pl_sm_check_release(struct pl_sm_block *block, unsigned barrier, uint32_t warps);
/* A warp arrives at the mbarrier at that offset, or has seen a phase of it end. */
void pl_sm_check_mbar(struct pl_sm_warp *w, uint32_t offset, bool arrives);

/* A block begins: nothing of its shared memory is written yet.  Return: 0 or -ENOMEM. */
int pl_sm_check_begin(struct pl_sm_block *block, uint32_t shared_bytes);
void pl_sm_check_end(struct pl_sm_block *block);
void pl_sm_check_fini(struct pl_sm *sm);

/* check-report.c: reads what is wanted.  False: the structure is not mapped, sm->tlb.fault says why. */
bool pl_sm_check_prepare(struct pl_sm *sm);
/* Records a finding whose kind, address, bytes, access and others are set, or raises the fault where there is no place
 * for records.  op, lane: where it was found; before: the other access, where there was one.  False: fault. */
bool pl_sm_check_found(struct pl_sm_warp *w, const struct pl_sm_op *op, uint32_t lane,
		       struct pl_isa_check_record *what);

/* check-global.c: bounds, and what has been written. */
bool pl_sm_check_global(struct pl_sm_warp *w, const struct pl_sm_op *op, uint64_t addr, uint64_t bytes,
			enum pl_rg_access access, uint32_t lane);

#endif
