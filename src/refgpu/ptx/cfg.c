/* The graph of blocks: edges, reachable blocks, their order. */
#include "ir.h"

static bool is_bare_exit(const struct pl_ptx_block *block)
{
	return block->end == E_EXIT && !block->first;
}

/* An empty block that only jumps is not a target; bounded, as it may jump to itself. */
static struct pl_ptx_block *thread_jump(struct pl_ptx_block *block)
{
	for (int i = 0; i < 64 && !block->first && block->end == E_JUMP; i++)
		block = block->succ[0];
	return block;
}

/* A branch to an exit becomes an exit of these lanes: the rest stays together. */
static void exit_guarded(struct pl_ptx_build *b, struct pl_ptx_block *block)
{
	unsigned which = is_bare_exit(block->succ[0]) ? 0 : 1;
	struct pl_ptx_ins *ins;

	if (!is_bare_exit(block->succ[which]))
		return;
	ins = pl_ptx_ins_new(b, PL_ISA_EXIT);
	ins->v[A_GUARD] = block->cond;
	ins->f.guard_not = block->cond_not ^ (which == 1);
	ins->effect = true;
	ins->line = block->line;
	pl_ptx_append(block, ins);
	block->end = E_JUMP;
	block->succ[0] = block->succ[!which];
	block->succ_n = 1;
	block->cond = 0;
}

static void simplify_end(struct pl_ptx_build *b, struct pl_ptx_block *block)
{
	for (uint32_t i = 0; i < block->succ_n; i++)
		block->succ[i] = thread_jump(block->succ[i]);
	if (block->end == E_BRANCH && b->func->entry)
		exit_guarded(b, block);
	if (block->end == E_BRANCH && block->succ[0] == block->succ[1]) {
		block->end = E_JUMP;
		block->succ_n = 1;
		block->cond = 0;
	}
	if (block->end == E_JUMP && is_bare_exit(block->succ[0]) && block->succ[0] != block) {
		block->end = E_EXIT;
		block->succ_n = 0;
	}
}

/* Depth first from the entry without recursion; fills rpo. */
static void order(struct pl_ptx_build *b)
{
	struct pl_ptx_block **stack = pl_ptx_alloc_n(b->pool, b->blocks_n + 1u, sizeof(*stack));
	uint32_t *next = pl_ptx_alloc_n(b->pool, b->blocks_n + 1u, sizeof(*next)), n = 0, done = 0;
	struct pl_ptx_block **post = pl_ptx_alloc_n(b->pool, b->blocks_n + 1u, sizeof(*post));

	for (uint32_t i = 0; i < b->blocks_n; i++)
		b->blocks[i]->reached = false;
	stack[n++] = b->blocks[0];
	b->blocks[0]->reached = true;
	while (n) {
		struct pl_ptx_block *block = stack[n - 1];

		if (next[n - 1] < block->succ_n) {
			struct pl_ptx_block *succ = block->succ[next[n - 1]++];

			if (!succ->reached) {
				succ->reached = true;
				next[n] = 0;
				stack[n++] = succ;
			}
		} else {
			post[done++] = block;
			n--;
		}
	}
	b->rpo = pl_ptx_alloc_n(b->pool, done + 1u, sizeof(*b->rpo));
	b->rpo_n = done;
	for (uint32_t i = 0; i < done; i++) {
		b->rpo[i] = post[done - 1 - i];
		b->rpo[i]->rpo = i;
	}
}

static void keep_reached(struct pl_ptx_build *b)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < b->blocks_n; i++) {
		if (!b->blocks[i]->reached)
			continue;
		b->blocks[i]->index = n;
		b->blocks[n++] = b->blocks[i];
	}
	b->blocks_n = n;
	for (uint32_t i = 0; i < n; i++)
		b->blocks[i]->pred_n = 0;
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < b->blocks[i]->succ_n; k++)
			pl_ptx_pred_add(b, b->blocks[i]->succ[k], b->blocks[i]);
}

/* Straight lines become one block. */
static void merge_lines(struct pl_ptx_build *b)
{
	for (uint32_t i = 0; i < b->blocks_n; i++) {
		struct pl_ptx_block *block = b->blocks[i];

		while (block->reached && block->end == E_JUMP && block->succ[0]->pred_n == 1 &&
		       block->succ[0] != block && block->succ[0] != b->blocks[0] && block->succ[0] != b->exit) {
			struct pl_ptx_block *gone = block->succ[0];

			for (struct pl_ptx_ins *ins = gone->first, *next; ins; ins = next) {
				next = ins->next;
				pl_ptx_append(block, ins);
			}
			block->end = gone->end;
			block->cond = gone->cond;
			block->cond_not = gone->cond_not;
			block->uniform_hint = gone->uniform_hint;
			block->succ_n = gone->succ_n;
			if (gone->end == E_TABLE)
				block->succ = gone->succ;
			else
				memcpy(block->two, gone->two, sizeof(block->two));
			gone->reached = false;
			gone->first = gone->last = NULL;
			gone->succ_n = 0;
			gone->end = E_EXIT;
			for (uint32_t k = 0; k < block->succ_n; k++) {
				pl_ptx_work(b, block->succ[k]->pred_n / 4);
				for (uint32_t p = 0; p < block->succ[k]->pred_n; p++)
					if (block->succ[k]->pred[p] == gone)
						block->succ[k]->pred[p] = block;
			}
		}
	}
}

/* An edge list with doubles (tables) would confuse phis: a block stands between. */
static void split_double_edges(struct pl_ptx_build *b)
{
	uint32_t n = b->blocks_n;

	for (uint32_t i = 0; i < n; i++) {
		struct pl_ptx_block *block = b->blocks[i];

		if (block->end != E_TABLE)
			continue;
		for (uint32_t k = 0; k < block->succ_n; k++) {
			struct pl_ptx_block *between = pl_ptx_block_new(b);

			between->end = E_JUMP;
			between->succ[0] = block->succ[k];
			between->succ_n = 1;
			between->line = block->line;
			block->succ[k] = between;
			*pl_ptx_push(b->pool, b->blocks, b->blocks_n, b->blocks_room) = between;
		}
	}
}

void pl_ptx_cfg_make(struct pl_ptx_build *b)
{
	for (uint32_t i = 0; i < b->blocks_n; i++)
		simplify_end(b, b->blocks[i]);
	for (uint32_t i = 0; i < b->blocks_n; i++)
		simplify_end(b, b->blocks[i]);
	order(b);
	keep_reached(b);
	merge_lines(b);
	split_double_edges(b);
	/* The entry has no predecessors, so that it is in no loop. */
	order(b);
	keep_reached(b);
	if (b->blocks[0]->pred_n) {
		struct pl_ptx_block *first = pl_ptx_block_new(b), *old = b->blocks[0];

		first->end = E_JUMP;
		first->succ[0] = old;
		first->succ_n = 1;
		first->line = old->line;
		while (old->first && old->first->op == I_ARG) {
			struct pl_ptx_ins *arg = old->first;

			pl_ptx_remove(arg);
			arg->dead = false;
			pl_ptx_append(first, arg);
		}
		(void)pl_ptx_push(b->pool, b->blocks, b->blocks_n, b->blocks_room);
		memmove(b->blocks + 1, b->blocks, (b->blocks_n - 1) * sizeof(*b->blocks));
		b->blocks[0] = first;
		order(b);
		keep_reached(b);
	}
}

/* Blocks were taken out; predecessors are right. */
void pl_ptx_cfg_again(struct pl_ptx_build *b)
{
	uint32_t n = 0;

	order(b);
	for (uint32_t i = 0; i < b->blocks_n; i++) {
		if (!b->blocks[i]->reached)
			continue;
		b->blocks[i]->index = n;
		b->blocks[n++] = b->blocks[i];
	}
	b->blocks_n = n;
}
