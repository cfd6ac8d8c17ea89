/* What the passes over SSA share: looking through definitions, replacing values, counting uses. */
#ifndef PL_REFGPU_PTX_OPT_H
#define PL_REFGPU_PTX_OPT_H

#include "ir.h"

static inline struct pl_ptx_ins *pl_ptx_def_of(const struct pl_ptx_build *b, uint32_t value)
{
	return value ? b->values[value].def : NULL;
}

static inline bool pl_ptx_const_of(const struct pl_ptx_build *b, uint32_t value, uint64_t *out)
{
	const struct pl_ptx_ins *def = pl_ptx_def_of(b, value);

	if (!def || def->op != I_CONST)
		return false;
	*out = def->imm;
	return true;
}

/* Defined by `op`, always, for nobody else. */
struct pl_ptx_ins *pl_ptx_single(const struct pl_ptx_build *b, uint32_t value, unsigned op);
void pl_ptx_count_uses(struct pl_ptx_build *b);
bool pl_ptx_is_pure(const struct pl_ptx_ins *ins); /* may be made twice, moved, or left out */
bool pl_ptx_fold(struct pl_ptx_build *b, struct pl_ptx_ins *ins, uint64_t *out);
/* An equal, simpler form in place; or the value that it equals. Return: changed. */
bool pl_ptx_rewrite(struct pl_ptx_build *b, struct pl_ptx_ins *ins, uint32_t *same_out);
void pl_ptx_fuse(struct pl_ptx_build *b);
uint64_t pl_ptx_cut(uint64_t value, unsigned type); /* as a register of the type holds it */

struct pl_ptx_region {
	struct pl_ptx_block *meet; /* NULL: they do not meet again */
	struct pl_ptx_block
		*before; /* where the lanes are noted: at its end; the branch itself, or in front of a loop */
	struct pl_ptx_block **blocks;
	uint32_t blocks_n, room;
};

/* At the begin of a pass that asks for regions. */
void pl_ptx_region_begin(struct pl_ptx_build *b);
/* Borrowed: holds until the next call. */
struct pl_ptx_region *pl_ptx_region_of(struct pl_ptx_build *b, struct pl_ptx_block *branch);

/* What is reached from `branch` without passing `meet` gets stamp b->mark.  Return: whether `branch` itself is. */
bool pl_ptx_reach(struct pl_ptx_build *b, struct pl_ptx_block *branch, struct pl_ptx_block *meet,
		  struct pl_ptx_region *region);

#endif
