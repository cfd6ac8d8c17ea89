/*
 * U files of a warp.  Splits share one until some are let go before their meeting is complete; those get files of their
 * own (split.c).
 */
#ifndef PL_REFGPU_COMPUTE_SPLIT_H
#define PL_REFGPU_COMPUTE_SPLIT_H

#include "refgpu/compute/sm.h"

static inline size_t pl_sm_uniform_stride(const struct pl_sm_warp *w)
{
	return (size_t)(w->end.U - w->bottom.U) + 1;
}

/* How far into its file a frame of U registers lies: splits at the same place may have files of their own. */
static inline size_t pl_sm_uniform_offset(const struct pl_sm_warp *w, const uint64_t *U)
{
	if (U >= w->bottom.U && U <= w->end.U)
		return (size_t)(U - w->bottom.U);
	return (size_t)(U - w->copies) % pl_sm_uniform_stride(w);
}

/* No split can run: those that wait at one meeting go on without the others.  False: none waits at a meeting. */
bool pl_sm_split_unstick(struct pl_sm_warp *w);

#endif
