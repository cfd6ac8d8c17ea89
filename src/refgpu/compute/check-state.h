/* What check mode keeps of a grid and of an SM; see check.h. */
#ifndef PL_REFGPU_COMPUTE_CHECK_STATE_H
#define PL_REFGPU_COMPUTE_CHECK_STATE_H

#include <stdatomic.h>
#include <stdint.h>

#define PL_SM_CHECK_SEEN 64u /* different findings of a launch; what is more is counted as dropped */
struct pl_sm_check_seen {
	uint64_t pc[2];
	uint32_t kind, number; /* number: of its record */
};

struct pl_sm_check_known { /* what is known of the addresses begin..end - 1: the allocation at their begin */
	uint64_t check_va; /* 0: nothing */
	uint64_t begin, end, bytes, pages_end, written_va;
	uint32_t sequence;
};

struct pl_sm_check_found { /* of a grid */
	uint32_t what;     /* PL_ISA_CHECK_*; set before the first block */
	_Atomic uint32_t lock;
	uint32_t seen_n; /* under lock, here and below */
	struct pl_sm_check_seen seen[PL_SM_CHECK_SEEN];
};

#endif
