/* Where a value lives: segments of positions, in order, that do not touch each other. */
#ifndef PL_REFGPU_PTX_RANGES_H
#define PL_REFGPU_PTX_RANGES_H

#include "opt.h"

struct pl_ptx_segment {
	uint32_t from, to; /* half open */
};

struct pl_ptx_range {
	struct pl_ptx_segment *at;
	uint32_t n, room;
	bool own; /* no other range lies in the same memory: it may grow in place */
};

bool pl_ptx_ranges_meet(struct pl_ptx_build *b, const struct pl_ptx_range *x, const struct pl_ptx_range *y);
/* Both, which do not meet and are not used again. */
struct pl_ptx_range pl_ptx_ranges_merge(struct pl_ptx_build *b, const struct pl_ptx_range *x,
					const struct pl_ptx_range *y);

#endif
