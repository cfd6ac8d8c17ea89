/*
 * How one handler goes on to the next.  With optimisation on these are jumps (sibling calls: every handler has the same
 * four arguments, and none keeps a local whose address escapes); without it, or under a sanitizer, each handler returns
 * to the SM's loop.
 */
#ifndef PL_REFGPU_COMPUTE_NEXT_H
#define PL_REFGPU_COMPUTE_NEXT_H

#include "refgpu/compute/sm.h"

#define PL_SM_ARGS struct pl_sm_warp *w, const struct pl_sm_op *op, char *R, uint32_t mask

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define PL_SM_LOOP
#endif
#endif
#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && defined(__x86_64__) && \
	!defined(PL_SM_LOOP)
#define PL_SM_GO(op_, mask_)                                                                                           \
	do {                                                                                                           \
		const struct pl_sm_op *go_ = (op_);                                                                    \
		uint32_t lanes_ = (mask_);                                                                             \
		go_->fn[lanes_ != PL_SM_ALL](w, go_, R, lanes_);                                                       \
		return;                                                                                                \
	} while (0)
#define PL_SM_NEXT_FULL                                                                                                \
	do {                                                                                                           \
		op++;                                                                                                  \
		op->fn[0](w, op, R, mask);                                                                             \
		return;                                                                                                \
	} while (0)
#else
#define PL_SM_GO(op_, mask_)                                                                                           \
	do {                                                                                                           \
		w->pc = (op_);                                                                                         \
		(void)R, (void)(mask_);                                                                                \
		return;                                                                                                \
	} while (0)
#define PL_SM_NEXT_FULL                                                                                                \
	do {                                                                                                           \
		w->pc = op + 1;                                                                                        \
		(void)R, (void)mask;                                                                                   \
		return;                                                                                                \
	} while (0)
#endif
/* After an operation that ran under a guard or with lanes missing. */
#define PL_SM_NEXT       PL_SM_GO(op + 1, w->active)
/* A handler that serves both. */
#define PL_SM_STOPPED(w) ((w)->stop != PL_SM_RUN)

/* One value for the lanes in mask. */
static inline void pl_sm_fill(uint32_t d[PL_ISA_LANES], uint32_t value, uint32_t mask)
{
	if (mask == PL_SM_ALL)
		for (int i = 0; i < PL_ISA_LANES; i++)
			d[i] = value;
	else
		for (; mask; mask &= mask - 1)
			d[__builtin_ctz(mask)] = value;
}

#define PL_SM_REG(type, field) ((type *)(void *)(R + op->field))

#endif
