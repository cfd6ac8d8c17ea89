/*
 * Decoded images.  Code is read through the page tables with the right to execute, validated as a whole, and decoded
 * into operations with their handlers.  The cache keeps what was decoded, with the bytes it came from; after a flush
 * the bytes are compared before an entry is used again.
 */
#ifndef PL_REFGPU_COMPUTE_CODE_H
#define PL_REFGPU_COMPUTE_CODE_H

#include "refgpu/compute/sm.h"

#define PL_SM_CODE_ENTRIES 64

struct pl_sm_code_cache { /* of one engine; used by the launching thread alone */
	const struct pl_sm_build *build;
	struct {
		struct pl_sm_code *code;
		struct pl_isa_insn *raw;
		uint64_t generation, used;
		bool check;
	} entries[PL_SM_CODE_ENTRIES];
	uint64_t clock;
};

/** pl_sm_code_get() - the decoded image of a launch
 * @tlb:   entered, in the space of the launch
 * @check: with the handlers of check mode
 * Return: valid until the next call; NULL = *fault_out says why (BAD_CODE: pc is the instruction's address). */
const struct pl_sm_code *pl_sm_code_get(struct pl_sm_code_cache *cache, struct pl_mmu_tlb *tlb,
					const struct pl_isa_launch *desc, struct pl_rg_fault *fault_out);
void pl_sm_code_cache_fini(struct pl_sm_code_cache *cache);

/* One instruction alone; `number`: where it stands.  For tests too. */
void pl_sm_code_decode(const struct pl_sm_build *build, const struct pl_isa_insn *insn, uint32_t number,
		       struct pl_sm_code *code, bool check);
/* An arithmetic instruction without a guard that stands in no image. */
void pl_sm_op_decode(const struct pl_sm_build *build, const struct pl_isa_fields *fields, struct pl_sm_op *op);

#endif
