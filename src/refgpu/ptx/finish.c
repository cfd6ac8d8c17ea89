/* A function from its statements to its code. */
#include "opt.h"

static bool has_phi(const struct pl_ptx_block *block)
{
	return block->first && block->first->op == I_PHI;
}

/* Moves for a phi have a place, and loops a block in front, where an edge leads from a choice to a meeting. */
static void split_edges(struct pl_ptx_build *b)
{
	struct pl_ptx_block **old = b->blocks;
	uint32_t n = b->blocks_n;

	b->blocks = NULL;
	b->blocks_n = b->blocks_room = 0;
	for (uint32_t i = 0; i < n; i++) {
		struct pl_ptx_block *block = old[i];

		*pl_ptx_push(b->pool, b->blocks, b->blocks_n, b->blocks_room) = block;
		for (uint32_t k = 0; block->succ_n > 1 && k < block->succ_n; k++) {
			struct pl_ptx_block *succ = block->succ[k], *between;

			if (succ->pred_n < 2 || (!has_phi(succ) && !succ->header))
				continue;
			between = pl_ptx_block_new(b);
			between->line = block->line;
			between->end = E_JUMP;
			between->succ[0] = succ;
			between->succ_n = 1;
			block->succ[k] = between;
			for (uint32_t p = 0; p < succ->pred_n; p++)
				if (succ->pred[p] == block)
					succ->pred[p] = between;
			pl_ptx_pred_add(b, between, block);
			*pl_ptx_push(b->pool, b->blocks, b->blocks_n, b->blocks_room) = between;
		}
	}
	pl_ptx_cfg_again(b);
}

struct pl_ptx_code *pl_ptx_finish(struct pl_ptx_build *b)
{
	uint32_t blocks_n;

	if (!b->values_n) /* 0 is none, also where a function has no register at all */
		(void)pl_ptx_push(b->pool, b->values, b->values_n, b->values_room);
	pl_ptx_cfg_make(b);
	pl_ptx_dominators(b);
	pl_ptx_ssa_make(b);
	pl_ptx_simplify(b);
	pl_ptx_post_dominators(b);
	pl_ptx_uniform(b);
	blocks_n = b->blocks_n;
	pl_ptx_if_convert(b);
	if (b->blocks_n != blocks_n) {
		pl_ptx_dominators(b);
		pl_ptx_simplify(b);
	}
	split_edges(b);
	pl_ptx_dominators(b);
	pl_ptx_post_dominators(b);
	pl_ptx_uniform(b);
	pl_ptx_addresses(b);
	pl_ptx_fuse(b);
	pl_ptx_legalize(b);
	pl_ptx_reconverge(b);
	b->fixed_widths = !b->func->entry || b->calls;
	pl_ptx_allocate(b);
	return pl_ptx_emit_code(b);
}
