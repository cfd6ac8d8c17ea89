/* A function from its statements to its code. */
#include "opt.h"

static bool has_phi(const struct pl_ptx_block *block)
{
	return block->first && block->first->op == I_PHI;
}

/* The edge from a choice to a meeting, predecessor `p` of it, leads through a new block. */
static void edge_split(struct pl_ptx_build *b, struct pl_ptx_block *block, uint32_t p)
{
	struct pl_ptx_block *pred = block->pred[p], *between = pl_ptx_block_new(b);
	uint32_t k = 0;

	while (pred->succ[k] != block)
		k++;
	between->line = pred->line;
	between->end = E_JUMP;
	between->succ[0] = block;
	between->succ_n = 1;
	between->index = UINT32_MAX; /* has no place in the order yet */
	pred->succ[k] = between;
	block->pred[p] = between;
	pl_ptx_pred_add(b, between, pred);
}

/* Moves for a phi have a place, and loops a block in front, where an edge leads from a choice to a meeting. */
static void split_edges(struct pl_ptx_build *b)
{
	struct pl_ptx_block **old = b->blocks;
	uint32_t n = b->blocks_n;

	for (uint32_t i = 0; i < n; i++) {
		if (old[i]->pred_n < 2 || (!has_phi(old[i]) && !old[i]->header))
			continue;
		for (uint32_t p = 0; p < old[i]->pred_n; p++)
			if (old[i]->pred[p]->succ_n > 1)
				edge_split(b, old[i], p);
	}
	b->blocks = NULL;
	b->blocks_n = b->blocks_room = 0;
	for (uint32_t i = 0; i < n; i++) {
		*pl_ptx_push(b->pool, b->blocks, b->blocks_n, b->blocks_room) = old[i];
		for (uint32_t k = 0; k < old[i]->succ_n; k++)
			if (old[i]->succ[k]->index == UINT32_MAX)
				*pl_ptx_push(b->pool, b->blocks, b->blocks_n, b->blocks_room) = old[i]->succ[k];
	}
	pl_ptx_cfg_again(b);
}

void pl_ptx_too_much(struct pl_ptx_build *b)
{
	pl_ptx_fail(
		b->ctx, PL_PTX_E_LIMIT, b->line, 1,
		"function '%s' has too many branches, loops or registers at once that depend on each other (more than "
		"%llu steps to see through): split it",
		pl_ptx_text(b->ctx, b->func->sym->name), (unsigned long long)b->work_max);
}

static void allow_work(struct pl_ptx_build *b)
{
	uint64_t n = b->blocks_n;

	for (uint32_t i = 0; i < b->blocks_n; i++)
		for (const struct pl_ptx_ins *ins = b->blocks[i]->first; ins; ins = ins->next)
			n++;
	b->work_max = PL_PTX_WORK_MIN + n * PL_PTX_WORK_EACH;
}

struct pl_ptx_code *pl_ptx_finish(struct pl_ptx_build *b)
{
	uint32_t blocks_n;

	allow_work(b);
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
	b->ctx->work += b->work + b->region_work_all;
	return pl_ptx_emit_code(b);
}
