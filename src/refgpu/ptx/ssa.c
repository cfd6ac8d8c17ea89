/* Every value gets one definition: phis where several meet (pruned), then renaming down the dominator tree. */
#include "ir.h"

struct note {
	struct pl_ptx_block *block;
	struct note *next;
};

struct var {
	struct note *defs, *uses; /* blocks that define it; blocks that read what comes from above */
};

struct renaming {
	struct pl_ptx_build *b;
	uint32_t vars_n;  /* values before renaming */
	uint32_t *defs_n; /* by value */
	bool *rename;
	struct var *vars;
	uint32_t *now; /* by value: its current name */
	struct undo {
		uint32_t var, old;
	} * undo;
	uint32_t undo_n, undo_room;
	uint32_t *first, *entry; /* of a block's successors: which of its predecessors it is, from `first` on */
};

static bool counts(const struct renaming *r, uint32_t value)
{
	return value && !r->b->values[value].fixed;
}

static void find_defs(struct renaming *r)
{
	uint32_t position = 0;

	for (uint32_t i = 0; i < r->b->blocks_n; i++) {
		for (struct pl_ptx_ins *ins = r->b->blocks[i]->first; ins; ins = ins->next) {
			ins->position = ++position;
			for (unsigned k = 0; k < A_COUNT; k++) {
				if (pl_ptx_is_def(ins, k) && counts(r, ins->v[k])) {
					r->defs_n[ins->v[k]]++;
					r->b->values[ins->v[k]].def = ins;
				}
			}
		}
	}
}

static void check_use(struct renaming *r, uint32_t value, struct pl_ptx_block *block, uint32_t position)
{
	struct pl_ptx_ins *def;

	if (!counts(r, value))
		return;
	if (r->defs_n[value] != 1) {
		r->rename[value] = true;
		return;
	}
	def = r->b->values[value].def;
	if (def->block == block ? def->position >= position : !pl_ptx_dominates(def->block, block))
		r->rename[value] = true;
}

static void find_renamed(struct renaming *r)
{
	for (uint32_t i = 1; i < r->vars_n; i++)
		r->rename[i] = r->defs_n[i] > 1;
	for (uint32_t i = 0; i < r->b->blocks_n; i++) {
		struct pl_ptx_block *block = r->b->blocks[i];

		for (struct pl_ptx_ins *ins = block->first; ins; ins = ins->next) {
			for (unsigned k = 0; k < A_COUNT; k++)
				if (!pl_ptx_is_def(ins, k))
					check_use(r, ins->v[k], block, ins->position);
			for (uint32_t k = 0; k < ins->many_n; k++)
				check_use(r, ins->many[k], block, ins->position);
		}
		check_use(r, block->cond, block, UINT32_MAX);
	}
}

static void note_add(struct renaming *r, struct note **list, struct pl_ptx_block *block)
{
	struct note *note;

	if (*list && (*list)->block == block)
		return;
	note = pl_ptx_alloc(r->b->pool, sizeof(*note));
	note->block = block;
	note->next = *list;
	*list = note;
}

static void note_use(struct renaming *r, uint32_t value, struct pl_ptx_block *block)
{
	if (!counts(r, value) || !r->rename[value])
		return;
	if (!r->vars[value].defs || r->vars[value].defs->block != block)
		note_add(r, &r->vars[value].uses, block);
}

static void collect(struct renaming *r)
{
	for (uint32_t i = 0; i < r->b->blocks_n; i++) {
		struct pl_ptx_block *block = r->b->blocks[i];

		for (struct pl_ptx_ins *ins = block->first; ins; ins = ins->next) {
			for (unsigned k = 0; k < A_COUNT; k++)
				if (!pl_ptx_is_def(ins, k))
					note_use(r, ins->v[k], block);
			for (uint32_t k = 0; k < ins->many_n; k++)
				note_use(r, ins->many[k], block);
			for (unsigned k = 0; k < A_COUNT; k++)
				if (pl_ptx_is_def(ins, k) && counts(r, ins->v[k]) && r->rename[ins->v[k]])
					note_add(r, &r->vars[ins->v[k]].defs, block);
		}
		note_use(r, block->cond, block);
	}
}

/* Blocks at whose begin the variable is live get stamp `live`; those that define it `live + 1` in mark. */
static void live_blocks(struct renaming *r, const struct var *var, uint32_t live, struct pl_ptx_block **work)
{
	uint32_t n = 0;

	for (struct note *note = var->defs; note; note = note->next)
		note->block->mark = live;
	for (struct note *note = var->uses; note; note = note->next) {
		if (note->block->stamp != live) {
			note->block->stamp = live;
			work[n++] = note->block;
		}
	}
	while (n) {
		struct pl_ptx_block *block = work[--n];

		pl_ptx_work(r->b, block->pred_n + 1u);
		for (uint32_t p = 0; p < block->pred_n; p++) {
			struct pl_ptx_block *pred = block->pred[p];

			if (pred->mark == live || pred->stamp == live)
				continue;
			pred->stamp = live;
			work[n++] = pred;
		}
	}
}

static void place_phi(struct renaming *r, uint32_t value, struct pl_ptx_block *block)
{
	struct pl_ptx_ins *phi = pl_ptx_ins_new(r->b, I_PHI);

	pl_ptx_work(r->b, 64 + block->pred_n);
	phi->many = pl_ptx_alloc_n(r->b->pool, block->pred_n, sizeof(*phi->many));
	phi->many_n = block->pred_n;
	phi->imm = value;
	phi->line = block->line;
	pl_ptx_def(r->b, phi, A_D, value);
	if (block->first)
		pl_ptx_insert_before(block->first, phi);
	else
		pl_ptx_append(block, phi);
}

static void place_phis(struct renaming *r)
{
	struct pl_ptx_block **work = pl_ptx_alloc_n(r->b->pool, r->b->blocks_n + 1u, sizeof(*work));
	struct pl_ptx_block **list = pl_ptx_alloc_n(r->b->pool, 2ull * r->b->blocks_n + 2, sizeof(*list));
	uint32_t *placed = pl_ptx_alloc_n(r->b->pool, r->b->blocks_n + 1u, sizeof(*placed));

	for (uint32_t i = 0; i < r->b->blocks_n; i++)
		r->b->blocks[i]->stamp = r->b->blocks[i]->mark = 0;
	for (uint32_t value = 1; value < r->vars_n; value++) {
		uint32_t n = 0;

		if (!r->rename[value])
			continue;
		live_blocks(r, &r->vars[value], value, work);
		for (struct note *note = r->vars[value].defs; note; note = note->next)
			list[n++] = note->block;
		while (n) {
			struct pl_ptx_block *block = list[--n];

			pl_ptx_work(r->b, block->frontier_n);
			for (uint32_t k = 0; k < block->frontier_n; k++) {
				struct pl_ptx_block *at = block->frontier[k];

				if (placed[at->index] == value || at->stamp != value)
					continue;
				placed[at->index] = value;
				place_phi(r, value, at);
				if (at->mark != value) {
					at->mark = value;
					list[n++] = at;
				}
			}
		}
	}
}

static uint32_t undefined(struct renaming *r, uint32_t var, struct pl_ptx_block *block, struct pl_ptx_ins *before)
{
	struct pl_ptx_ins *ins = pl_ptx_ins_new(r->b, I_UNDEF);
	uint32_t d = pl_ptx_value_like(r->b, var);

	pl_ptx_def(r->b, ins, A_D, d);
	r->b->values[d].def = ins;
	if (before)
		pl_ptx_insert_before(before, ins);
	else
		pl_ptx_append(block, ins);
	return d;
}

static uint32_t name_of(struct renaming *r, uint32_t value, struct pl_ptx_block *block, struct pl_ptx_ins *before)
{
	if (value >= r->vars_n || !counts(r, value) || !r->rename[value])
		return value;
	return r->now[value] ? r->now[value] : undefined(r, value, block, before);
}

static void define(struct renaming *r, struct pl_ptx_ins *ins, unsigned operand)
{
	uint32_t var = ins->v[operand], d;

	if (!counts(r, var) || var >= r->vars_n || !r->rename[var])
		return;
	d = pl_ptx_value_like(r->b, var);
	r->b->values[d].def = ins;
	*pl_ptx_push(r->b->pool, r->undo, r->undo_n, r->undo_room) = (struct undo){ var, r->now[var] };
	r->now[var] = d;
	ins->v[operand] = d;
}

static void rename_block(struct renaming *r, struct pl_ptx_block *block)
{
	for (struct pl_ptx_ins *ins = block->first; ins; ins = ins->next) {
		if (ins->op == I_UNDEF && ins->v[A_D] >= r->vars_n)
			continue;
		if (ins->op != I_PHI) {
			for (unsigned k = 0; k < A_COUNT; k++) {
				if (pl_ptx_is_def(ins, k) || !ins->v[k])
					continue;
				if (k == A_OLD) /* nothing before: nothing to keep */
					ins->v[k] = r->rename[ins->v[k]] ? r->now[ins->v[k]] : 0;
				else
					ins->v[k] = name_of(r, ins->v[k], block, ins);
			}
			for (uint32_t k = 0; k < ins->many_n; k++)
				ins->many[k] = name_of(r, ins->many[k], block, ins);
		}
		for (unsigned k = 0; k < A_COUNT; k++)
			if (pl_ptx_is_def(ins, k))
				define(r, ins, k);
	}
	if (block->cond)
		block->cond = name_of(r, block->cond, block, NULL);
	for (uint32_t s = 0; s < block->succ_n; s++) {
		struct pl_ptx_block *succ = block->succ[s];
		uint32_t p = r->entry[r->first[block->index] + s];

		for (struct pl_ptx_ins *phi = succ->first; phi && phi->op == I_PHI; phi = phi->next)
			phi->many[p] = r->now[phi->imm];
	}
}

/* Which predecessor a block is of each of its successors; they are all different. */
static void number_entries(struct renaming *r)
{
	struct pl_ptx_build *b = r->b;
	uint32_t edges = 0;

	r->first = pl_ptx_alloc_n(b->pool, b->blocks_n + 1u, sizeof(*r->first));
	for (uint32_t i = 0; i < b->blocks_n; i++) {
		r->first[i] = edges;
		edges += b->blocks[i]->succ_n;
	}
	r->entry = pl_ptx_alloc_n(b->pool, edges + 1ull, sizeof(*r->entry));
	for (uint32_t i = 0; i < b->blocks_n; i++) {
		struct pl_ptx_block *block = b->blocks[i];

		for (uint32_t p = 0; p < block->pred_n; p++) {
			struct pl_ptx_block *pred = block->pred[p];
			uint32_t k = 0;

			while (pred->succ[k] != block)
				k++;
			pl_ptx_work(b, k / 4);
			r->entry[r->first[pred->index] + k] = p;
		}
	}
}

static void rename_all(struct renaming *r)
{
	struct pl_ptx_block *block = r->b->blocks[0];
	uint32_t *marks = pl_ptx_alloc_n(r->b->pool, r->b->blocks_n + 1u, sizeof(*marks)), depth = 0;

	for (;;) {
		marks[depth] = r->undo_n;
		rename_block(r, block);
		if (block->dom_child) {
			block = block->dom_child;
			depth++;
			continue;
		}
		for (;;) {
			while (r->undo_n > marks[depth]) {
				r->undo_n--;
				r->now[r->undo[r->undo_n].var] = r->undo[r->undo_n].old;
			}
			if (block == r->b->blocks[0])
				return;
			if (block->dom_next) {
				block = block->dom_next;
				break;
			}
			block = block->idom;
			depth--;
		}
	}
}

void pl_ptx_ssa_make(struct pl_ptx_build *b)
{
	struct renaming r = { .b = b, .vars_n = b->values_n ? b->values_n : 1 };

	r.defs_n = pl_ptx_alloc_n(b->pool, r.vars_n, sizeof(*r.defs_n));
	r.rename = pl_ptx_alloc_n(b->pool, r.vars_n, sizeof(*r.rename));
	r.vars = pl_ptx_alloc_n(b->pool, r.vars_n, sizeof(*r.vars));
	r.now = pl_ptx_alloc_n(b->pool, r.vars_n, sizeof(*r.now));
	find_defs(&r);
	find_renamed(&r);
	collect(&r);
	place_phis(&r);
	number_entries(&r);
	rename_all(&r);
}
