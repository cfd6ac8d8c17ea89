/* The graph of blocks: edges, reachable blocks, dominators, loops. */
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
			for (uint32_t k = 0; k < block->succ_n; k++)
				for (uint32_t p = 0; p < block->succ[k]->pred_n; p++)
					if (block->succ[k]->pred[p] == gone)
						block->succ[k]->pred[p] = block;
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

/* ---- dominators (Cooper, Harvey, Kennedy) ---- */

static struct pl_ptx_block *meet(struct pl_ptx_block *x, struct pl_ptx_block *y)
{
	while (x != y) {
		while (x->rpo > y->rpo)
			x = x->idom;
		while (y->rpo > x->rpo)
			y = y->idom;
	}
	return x;
}

static void number_tree(struct pl_ptx_build *b)
{
	struct pl_ptx_block *block = b->blocks[0];
	uint32_t clock = 0;

	for (uint32_t i = 0; i < b->rpo_n; i++)
		b->rpo[i]->dom_child = NULL;
	for (uint32_t i = b->rpo_n; i-- > 1;) {
		b->rpo[i]->dom_next = b->rpo[i]->idom->dom_child;
		b->rpo[i]->idom->dom_child = b->rpo[i];
	}
	block->dom_in = clock++;
	block->dom_depth = 0;
	for (;;) { /* down, right, up */
		if (block->dom_child) {
			block->dom_child->dom_depth = block->dom_depth + 1;
			block = block->dom_child;
			block->dom_in = clock++;
			continue;
		}
		for (;;) {
			block->dom_out = clock++;
			if (block == b->blocks[0])
				return;
			if (block->dom_next) {
				block->dom_next->dom_depth = block->dom_depth;
				block = block->dom_next;
				block->dom_in = clock++;
				break;
			}
			block = block->idom;
		}
	}
}

bool pl_ptx_dominates(const struct pl_ptx_block *a, const struct pl_ptx_block *x)
{
	return a->dom_in <= x->dom_in && x->dom_out <= a->dom_out;
}

static void frontiers(struct pl_ptx_build *b)
{
	for (uint32_t i = 0; i < b->rpo_n; i++)
		b->rpo[i]->frontier_n = 0;
	for (uint32_t i = 0; i < b->rpo_n; i++) {
		struct pl_ptx_block *block = b->rpo[i];

		if (block->pred_n < 2)
			continue;
		for (uint32_t p = 0; p < block->pred_n; p++) {
			for (struct pl_ptx_block *at = block->pred[p]; at != block->idom; at = at->idom) {
				if (at->frontier_n && at->frontier[at->frontier_n - 1] == block)
					break;
				*pl_ptx_push(b->pool, at->frontier, at->frontier_n, at->frontier_room) = block;
			}
		}
	}
}

/* Natural loops: `loop` of a block is the header of its innermost; of a header, that of the loop around its own. */
static void loops(struct pl_ptx_build *b)
{
	struct pl_ptx_block **work = pl_ptx_alloc_n(b->pool, b->rpo_n + 1u, sizeof(*work));

	for (uint32_t i = 0; i < b->rpo_n; i++) {
		b->rpo[i]->loop = NULL;
		b->rpo[i]->loop_depth = 0;
		b->rpo[i]->header = false;
		b->rpo[i]->stamp = 0;
	}
	b->irreducible = false;
	for (uint32_t i = 0; i < b->rpo_n; i++) { /* outer headers first: inner ones overwrite */
		struct pl_ptx_block *header = b->rpo[i];
		uint32_t n = 0;
		bool is_header = false;

		for (uint32_t p = 0; p < header->pred_n; p++) {
			struct pl_ptx_block *latch = header->pred[p];

			if (latch->rpo < header->rpo)
				continue;
			if (!pl_ptx_dominates(header, latch)) {
				b->irreducible = true;
				continue;
			}
			is_header = true;
			if (latch->stamp != header->rpo + 1 && latch != header) {
				latch->stamp = header->rpo + 1;
				work[n++] = latch;
			}
		}
		if (!is_header)
			continue;
		header->stamp = header->rpo + 1;
		header->loop_depth++;
		header->header = true;
		for (uint32_t k = 0; k < n; k++) {
			struct pl_ptx_block *block = work[k];

			for (uint32_t p = 0; p < block->pred_n; p++) {
				struct pl_ptx_block *pred = block->pred[p];

				if (pred->stamp != header->rpo + 1) {
					pred->stamp = header->rpo + 1;
					work[n++] = pred;
				}
			}
		}
		for (uint32_t k = 0; k < n; k++) {
			work[k]->loop = header;
			work[k]->loop_depth++;
		}
	}
}

void pl_ptx_dominators(struct pl_ptx_build *b)
{
	bool changed = true;

	for (uint32_t i = 0; i < b->rpo_n; i++)
		b->rpo[i]->idom = NULL;
	b->rpo[0]->idom = b->rpo[0];
	while (changed) {
		changed = false;
		for (uint32_t i = 1; i < b->rpo_n; i++) {
			struct pl_ptx_block *block = b->rpo[i], *idom = NULL;

			for (uint32_t p = 0; p < block->pred_n; p++)
				if (block->pred[p]->idom)
					idom = idom ? meet(block->pred[p], idom) : block->pred[p];
			if (idom != block->idom) {
				block->idom = idom;
				changed = true;
			}
		}
	}
	number_tree(b);
	frontiers(b);
	loops(b);
}

/* ---- post-dominators ---- */

struct reverse {
	struct pl_ptx_block **order; /* [0] stands for the end */
	uint32_t *place;             /* by block index: number in order; 0 = not yet */
	uint32_t *ipdom;             /* by number */
	uint32_t n;
};

static void reverse_walk(struct pl_ptx_build *b, struct pl_ptx_block *from, struct pl_ptx_block **post,
			 uint32_t *post_n, struct pl_ptx_block **stack, uint32_t *next)
{
	uint32_t n = 0;

	if (from->mark)
		return;
	from->mark = 1;
	next[n] = 0;
	stack[n++] = from;
	while (n) {
		struct pl_ptx_block *block = stack[n - 1];

		if (next[n - 1] < block->pred_n) {
			struct pl_ptx_block *pred = block->pred[next[n - 1]++];

			if (!pred->mark) {
				pred->mark = 1;
				next[n] = 0;
				stack[n++] = pred;
			}
		} else {
			post[(*post_n)++] = block;
			n--;
		}
	}
	(void)b;
}

static uint32_t reverse_meet(const struct reverse *r, uint32_t x, uint32_t y)
{
	while (x != y) {
		while (x > y)
			x = r->ipdom[x];
		while (y > x)
			y = r->ipdom[y];
	}
	return x;
}

/* ipdom NULL: only the end. */
void pl_ptx_post_dominators(struct pl_ptx_build *b)
{
	uint32_t n = b->blocks_n, post_n = 0;
	struct pl_ptx_block **post = pl_ptx_alloc_n(b->pool, n + 1u, sizeof(*post));
	struct pl_ptx_block **stack = pl_ptx_alloc_n(b->pool, n + 1u, sizeof(*stack));
	uint32_t *next = pl_ptx_alloc_n(b->pool, n + 1u, sizeof(*next));
	bool *ends = pl_ptx_alloc_n(b->pool, n + 1u, sizeof(*ends)), changed = true;
	struct reverse r = { .n = n + 1 };

	for (uint32_t i = 0; i < n; i++)
		b->blocks[i]->mark = 0;
	for (uint32_t i = 0; i < n; i++) {
		if (b->blocks[i]->succ_n == 0) {
			ends[i] = true;
			reverse_walk(b, b->blocks[i], post, &post_n, stack, next);
		}
	}
	for (uint32_t i = n; i-- > 0;) { /* endless loops */
		if (!b->blocks[i]->mark) {
			ends[i] = true;
			reverse_walk(b, b->blocks[i], post, &post_n, stack, next);
		}
	}
	r.order = pl_ptx_alloc_n(b->pool, n + 1u, sizeof(*r.order));
	r.place = pl_ptx_alloc_n(b->pool, n + 1u, sizeof(*r.place));
	r.ipdom = pl_ptx_alloc_n(b->pool, n + 1u, sizeof(*r.ipdom));
	for (uint32_t i = 0; i < n; i++) {
		r.order[i + 1] = post[n - 1 - i];
		r.place[r.order[i + 1]->index] = i + 1;
		r.ipdom[i + 1] = UINT32_MAX;
	}
	while (changed) {
		changed = false;
		for (uint32_t i = 1; i <= n; i++) {
			struct pl_ptx_block *block = r.order[i];
			uint32_t now = ends[block->index] ? 0 : UINT32_MAX;

			for (uint32_t k = 0; k < block->succ_n; k++) {
				uint32_t succ = r.place[block->succ[k]->index];

				if (r.ipdom[succ] != UINT32_MAX)
					now = now == UINT32_MAX ? succ : reverse_meet(&r, succ, now);
			}
			if (now != r.ipdom[i]) {
				r.ipdom[i] = now;
				changed = true;
			}
		}
	}
	for (uint32_t i = 1; i <= n; i++)
		r.order[i]->ipdom = r.ipdom[i] && r.ipdom[i] != UINT32_MAX ? r.order[r.ipdom[i]] : NULL;
}
