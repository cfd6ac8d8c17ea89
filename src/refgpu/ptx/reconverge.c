/*
 * Where lanes that parted meet again: BSSY where all are together, BSYNC where they come together.  What makes named
 * lanes meet stays even where all are together: the engine may have let some go ahead (docs/refgpu.md).
 */
#include "opt.h"

struct noted {
	struct pl_ptx_block *before, *meet;
	uint32_t older; /* + 1: one of the same meet */
};

static struct pl_ptx_ins *sync_ins(struct pl_ptx_build *b, unsigned op, uint32_t value, uint32_t line)
{
	struct pl_ptx_ins *ins = pl_ptx_ins_new(b, op);

	ins->line = line;
	ins->effect = true;
	if (op == PL_ISA_BSSY)
		pl_ptx_def(b, ins, A_D, value);
	else
		ins->v[A_A] = value;
	return ins;
}

static bool loop_holds(struct pl_ptx_block *header, struct pl_ptx_block *block)
{
	struct pl_ptx_block *at = pl_ptx_loop_of(block);

	while (at && at != header)
		at = at->loop;
	return at == header;
}

/* The lanes at `branch` are noted already and meet at the same place. */
static bool covered(struct pl_ptx_build *b, const struct noted *noted, uint32_t newest, struct pl_ptx_block *branch,
		    const struct pl_ptx_region *region)
{
	struct pl_ptx_block *meet = region->meet;
	struct pl_ptx_block *loop = pl_ptx_loop_of(meet);

	for (uint32_t i = newest; i; i = noted[i - 1].older) {
		pl_ptx_work(b, 2);
		if (noted[i - 1].before == region->before)
			return true;
		if (pl_ptx_dominates(noted[i - 1].before, branch) && (!loop || loop_holds(loop, noted[i - 1].before)))
			return true;
	}
	return false;
}

static void phi_split(struct pl_ptx_build *b, struct pl_ptx_block *meet, struct pl_ptx_block *between,
		      const uint32_t *moved, uint32_t moved_n)
{
	for (struct pl_ptx_ins *phi = meet->first; phi && phi->op == I_PHI; phi = phi->next) {
		struct pl_ptx_ins *part = pl_ptx_ins_new(b, I_PHI);
		uint32_t kept = 0, m = 0, d;

		part->many = pl_ptx_alloc_n(b->pool, moved_n, sizeof(*part->many));
		for (uint32_t p = 0; p < phi->many_n; p++) {
			if (m < moved_n && moved[m] == p)
				part->many[part->many_n++] = phi->many[p], m++;
			else
				phi->many[kept++] = phi->many[p];
		}
		d = pl_ptx_value_like(b, phi->v[A_D]);
		pl_ptx_def(b, part, A_D, d);
		b->values[d].def = part;
		b->values[d].varying = true;
		phi->many[kept++] = d;
		phi->many_n = kept;
		pl_ptx_append(between, part);
	}
}

/* The edges into `meet` that come from where lanes are apart get a block of their own, unless that is all. */
static struct pl_ptx_block *gather(struct pl_ptx_build *b, struct pl_ptx_block *before, struct pl_ptx_block *meet)
{
	uint32_t *moved = pl_ptx_alloc_n(b->pool, meet->pred_n + 1u, sizeof(*moved)), n = 0, kept = 0;
	struct pl_ptx_block *between;

	(void)pl_ptx_reach(b, before, meet, b->region);
	pl_ptx_work(b, b->region->blocks_n + meet->pred_n);
	for (uint32_t p = 0; p < meet->pred_n; p++)
		if (meet->pred[p] == before || meet->pred[p]->stamp == b->mark)
			moved[n++] = p;
	if (n == meet->pred_n)
		return meet;
	between = pl_ptx_block_new(b);
	between->end = E_JUMP;
	between->succ[0] = meet;
	between->succ_n = 1;
	between->line = meet->line;
	between->loop =
		pl_ptx_loop_of(meet) && loop_holds(pl_ptx_loop_of(meet), before) ? pl_ptx_loop_of(meet) : meet->loop;
	between->varying = meet->varying;
	between->ipdom = meet;
	between->idom = before;
	between->rpo = meet->rpo;
	phi_split(b, meet, between, moved, n);
	for (uint32_t p = 0, m = 0; p < meet->pred_n; p++) {
		struct pl_ptx_block *pred = meet->pred[p];

		if (m < n && moved[m] == p) {
			m++;
			pl_ptx_pred_add(b, between, pred);
			for (uint32_t k = 0; k < pred->succ_n; k++)
				if (pred->succ[k] == meet)
					pred->succ[k] = between;
		} else {
			meet->pred[kept++] = pred;
		}
	}
	meet->pred_n = kept;
	pl_ptx_pred_add(b, meet, between);
	/* stands in front of `meet` in the order of code, behind those that stand there already */
	between->index = meet->index;
	*pl_ptx_push(b->pool, b->between, b->between_n, b->between_room) = between;
	return between;
}

/* What gather() made takes its place in the order of code. */
static void order_between(struct pl_ptx_build *b)
{
	uint32_t n = b->blocks_n, *count = pl_ptx_alloc_n(b->pool, n + 1u, sizeof(*count));
	struct pl_ptx_block **all = pl_ptx_alloc_n(b->pool, (uint64_t)n + b->between_n, sizeof(*all));

	if (!b->between_n)
		return;
	for (uint32_t i = 0; i < b->between_n; i++)
		count[b->between[i]->index + 1]++;
	for (uint32_t i = 0; i < n; i++) { /* where the first in front of block i stands */
		count[i + 1] += count[i] + 1;
		all[count[i + 1] - 1] = b->blocks[i];
	}
	for (uint32_t i = 0; i < b->between_n; i++)
		all[count[b->between[i]->index]++] = b->between[i];
	b->blocks = all;
	b->blocks_room = b->blocks_n = n + b->between_n;
	b->between_n = 0;
	for (uint32_t i = 0; i < b->blocks_n; i++)
		b->blocks[i]->index = i;
}

static void note_pair(struct pl_ptx_build *b, struct pl_ptx_block *before, struct pl_ptx_block *meet)
{
	uint32_t value = pl_ptx_value_new(b, V_R, 1);
	struct pl_ptx_ins *note = sync_ins(b, PL_ISA_BSSY, value, before->line);

	b->values[value].def = note;
	b->values[value].varying = true;
	pl_ptx_append(before, note);
	pl_ptx_insert_first(meet, sync_ins(b, PL_ISA_BSYNC, value, meet->line));
}

/* A call through a pointer parts lanes that call different functions. */
static void around_calls(struct pl_ptx_build *b)
{
	for (uint32_t i = 0; i < b->blocks_n; i++) {
		for (struct pl_ptx_ins *ins = b->blocks[i]->first, *next; ins; ins = next) {
			uint32_t value;
			struct pl_ptx_ins *note, *sync, *at = ins;

			next = ins->next;
			if (ins->op != I_CALLF || !ins->v[A_A] || !b->values[ins->v[A_A]].varying)
				continue;
			value = pl_ptx_value_new(b, V_R, 1);
			note = sync_ins(b, PL_ISA_BSSY, value, ins->line);
			sync = sync_ins(b, PL_ISA_BSYNC, value, ins->line);
			b->values[value].def = note;
			pl_ptx_insert_before(ins, note);
			while (at->next && at->next->op == I_RESULT)
				at = at->next;
			if (at->next)
				pl_ptx_insert_before(at->next, sync);
			else
				pl_ptx_append(ins->block, sync);
		}
	}
}

void pl_ptx_reconverge(struct pl_ptx_build *b)
{
	struct noted *noted = NULL;
	uint32_t n = 0, room = 0, *newest = pl_ptx_alloc_n(b->pool, b->blocks_n + 1u, sizeof(*newest));
	bool never = false;

	pl_ptx_region_begin(b);
	for (uint32_t i = 0; i < b->rpo_n; i++) {
		struct pl_ptx_block *block = b->rpo[i];
		struct pl_ptx_region *region;

		if (block->succ_n < 2 || !b->values[block->cond].varying)
			continue;
		region = pl_ptx_region_of(b, block);
		if (!region->meet) {
			never = true;
			continue;
		}
		if (covered(b, noted, newest[region->meet->index], block, region))
			continue;
		*pl_ptx_push(b->pool, noted, n, room) =
			(struct noted){ region->before, region->meet, newest[region->meet->index] };
		newest[region->meet->index] = n;
	}
	/* Who calls a function counts on all lanes to come back together. */
	if (never && b->exit && b->exit->reached && b->exit != b->blocks[0])
		note_pair(b, b->blocks[0], b->exit);
	around_calls(b);
	for (uint32_t i = n; i-- > 0;)
		note_pair(b, noted[i].before, gather(b, noted[i].before, noted[i].meet));
	order_between(b);
	pl_ptx_region_begin(b);
}
