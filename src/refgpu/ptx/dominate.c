/* Dominators (Lengauer and Tarjan, with compressed paths), their frontiers, loops, post-dominators. */
#include "ir.h"

#define NONE UINT32_MAX

/* A graph of n nodes in the order in which a depth-first walk found them; 0 is where it began. */
struct flow {
	struct pl_ptx_build *b;
	uint32_t n;
	uint32_t *parent;           /* in the walk's tree */
	struct pl_ptx_block **node; /* by number */
	uint32_t *place;            /* by block index: number; NONE = not found */
	/* the tree that grows */
	uint32_t *semi, *ancestor, *label, *bucket, *bucket_next, *idom, *path;
};

static void flow_init(struct flow *f, struct pl_ptx_build *b)
{
	uint64_t room = b->blocks_n + 2ull;

	*f = (struct flow){ .b = b };
	f->parent = pl_ptx_alloc_n(b->pool, room, sizeof(*f->parent));
	f->node = pl_ptx_alloc_n(b->pool, room, sizeof(*f->node));
	f->place = pl_ptx_alloc_n(b->pool, room, sizeof(*f->place));
	f->semi = pl_ptx_alloc_n(b->pool, room, sizeof(*f->semi));
	f->ancestor = pl_ptx_alloc_n(b->pool, room, sizeof(*f->ancestor));
	f->label = pl_ptx_alloc_n(b->pool, room, sizeof(*f->label));
	f->bucket = pl_ptx_alloc_n(b->pool, room, sizeof(*f->bucket));
	f->bucket_next = pl_ptx_alloc_n(b->pool, room, sizeof(*f->bucket_next));
	f->idom = pl_ptx_alloc_n(b->pool, room, sizeof(*f->idom));
	f->path = pl_ptx_alloc_n(b->pool, room, sizeof(*f->path));
	for (uint32_t i = 0; i < b->blocks_n; i++)
		f->place[i] = NONE;
}

/* Walks on from `from` along successors, or against them. */
static void flow_walk(struct flow *f, struct pl_ptx_block *from, uint32_t parent, bool back)
{
	uint32_t *next = f->semi, *stack = f->path, n = 0; /* borrowed until the tree grows */

	if (f->place[from->index] != NONE)
		return;
	f->parent[f->n] = parent;
	f->node[f->n] = from;
	f->place[from->index] = f->n;
	next[n] = 0;
	stack[n++] = f->n++;
	while (n) {
		struct pl_ptx_block *block = f->node[stack[n - 1]], *to;

		if (next[n - 1] == (back ? block->pred_n : block->succ_n)) {
			n--;
			continue;
		}
		to = back ? block->pred[next[n - 1]++] : block->succ[next[n - 1]++];
		if (f->place[to->index] != NONE)
			continue;
		f->parent[f->n] = stack[n - 1];
		f->node[f->n] = to;
		f->place[to->index] = f->n;
		next[n] = 0;
		stack[n++] = f->n++;
	}
}

/* The node above `v` in the tree so far whose semidominator is least. */
static uint32_t flow_least(struct flow *f, uint32_t v)
{
	uint32_t n = 0;

	if (f->ancestor[v] == NONE)
		return f->label[v];
	for (uint32_t at = v; f->ancestor[f->ancestor[at]] != NONE; at = f->ancestor[at])
		f->path[n++] = at;
	pl_ptx_work(f->b, n + 1u);
	while (n) {
		uint32_t at = f->path[--n], above = f->ancestor[at];

		if (f->semi[f->label[above]] < f->semi[f->label[at]])
			f->label[at] = f->label[above];
		f->ancestor[at] = f->ancestor[above];
	}
	return f->label[v];
}

static void flow_edge(struct flow *f, uint32_t from, uint32_t to)
{
	uint32_t least = flow_least(f, from);

	if (f->semi[least] < f->semi[to])
		f->semi[to] = f->semi[least];
}

/* Fills idom.  Backwards, node 0 is the end, in front of which `ends` stand. */
static void flow_dominators(struct flow *f, bool back, const bool *ends)
{
	for (uint32_t i = 0; i < f->n; i++) {
		f->semi[i] = f->label[i] = i;
		f->ancestor[i] = f->bucket[i] = NONE;
	}
	for (uint32_t w = f->n; w-- > 1;) {
		struct pl_ptx_block *block = f->node[w];
		struct pl_ptx_block **from = back ? block->succ : block->pred;

		for (uint32_t k = 0; k < (back ? block->succ_n : block->pred_n); k++)
			if (f->place[from[k]->index] != NONE)
				flow_edge(f, f->place[from[k]->index], w);
		if (back && ends[block->index])
			flow_edge(f, 0, w);
		f->bucket_next[w] = f->bucket[f->semi[w]];
		f->bucket[f->semi[w]] = w;
		f->ancestor[w] = f->parent[w];
		for (uint32_t v = f->bucket[f->parent[w]]; v != NONE; v = f->bucket_next[v]) {
			uint32_t least = flow_least(f, v);

			f->idom[v] = f->semi[least] < f->semi[v] ? least : f->parent[w];
		}
		f->bucket[f->parent[w]] = NONE;
	}
	for (uint32_t w = 1; w < f->n; w++)
		if (f->idom[w] != f->semi[w])
			f->idom[w] = f->idom[f->idom[w]];
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
				pl_ptx_work(b, 4);
				*pl_ptx_push(b->pool, at->frontier, at->frontier_n, at->frontier_room) = block;
			}
		}
	}
}

/* The blocks of the loop whose latches are in work[0..n). */
static void loop_fill(struct pl_ptx_build *b, struct pl_ptx_block *header, struct pl_ptx_block **work, uint32_t n)
{
	header->stamp = header->rpo + 1;
	header->loop_depth++;
	header->header = true;
	for (uint32_t k = 0; k < n; k++) {
		struct pl_ptx_block *block = work[k];

		pl_ptx_work(b, block->pred_n + 1u);
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
		if (is_header)
			loop_fill(b, header, work, n);
	}
}

void pl_ptx_dominators(struct pl_ptx_build *b)
{
	struct flow f;

	flow_init(&f, b);
	flow_walk(&f, b->blocks[0], 0, false);
	flow_dominators(&f, false, NULL);
	b->blocks[0]->idom = b->blocks[0];
	for (uint32_t i = 1; i < f.n; i++)
		f.node[i]->idom = f.node[f.idom[i]];
	number_tree(b);
	frontiers(b);
	loops(b);
}

/* ipdom NULL: only the end. */
void pl_ptx_post_dominators(struct pl_ptx_build *b)
{
	bool *ends = pl_ptx_alloc_n(b->pool, b->blocks_n + 1u, sizeof(*ends));
	struct flow f;

	flow_init(&f, b);
	f.n = 1;
	for (uint32_t i = 0; i < b->blocks_n; i++) {
		if (b->blocks[i]->succ_n)
			continue;
		ends[i] = true;
		flow_walk(&f, b->blocks[i], 0, true);
	}
	for (uint32_t i = b->blocks_n; i-- > 0;) { /* endless loops */
		if (f.place[i] != NONE)
			continue;
		ends[i] = true;
		flow_walk(&f, b->blocks[i], 0, true);
	}
	flow_dominators(&f, true, ends);
	for (uint32_t i = 1; i < f.n; i++)
		f.node[i]->ipdom = f.idom[i] ? f.node[f.idom[i]] : NULL;
}
