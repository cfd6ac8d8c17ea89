/* Block barriers.  All warps of a block belong to one SM thread, so no lock is needed. */
#include "refgpu/compute/check.h"

/* What BAR hands back to the lanes of a split. */
static void give_result(const struct pl_sm_split *split, const struct pl_sm_bar *bar)
{
	const struct pl_sm_op *op = split->pc;
	unsigned kind = op->sub & 7;
	bool holds = kind == PL_ISA_BAR_RED_AND ? bar->all : bar->any;

	if (kind == PL_ISA_BAR_RED_POPC) {
		uint32_t *d = (void *)(split->frame.R + op->d);
		for (int i = 0; i < PL_ISA_LANES; i++)
			if (split->mask >> i & 1)
				d[i] = bar->popc;
	} else if (kind >= PL_ISA_BAR_RED_AND && op->d != PL_ISA_PT) {
		uint32_t *p = &split->frame.P[op->d];
		*p = holds ? *p | split->mask : *p & ~split->mask;
	}
}

static void release(struct pl_sm_block *block, unsigned id)
{
	struct pl_sm_bar *bar = &block->bars[id];
	struct pl_sm_bar done = *bar;

	*bar = (struct pl_sm_bar){ .all = 1 };
	pl_sm_check_release(block, id, done.waiting);
	for (uint32_t left = done.waiting; left; left &= left - 1) {
		struct pl_sm_warp *w = &block->warp[__builtin_ctz(left)];

		for (uint32_t k = 0; k < w->split_count; k++) {
			struct pl_sm_split *split = &w->splits[k];
			if (split->state != PL_SM_WAIT_BAR || split->bar != id)
				continue;
			give_result(split, &done);
			split->pc++;
			split->state = PL_SM_READY;
		}
		block->ready |= 1u << w->index;
	}
}

static bool complete(const struct pl_sm_block *block, const struct pl_sm_bar *bar)
{
	return bar->arrived && bar->arrived >= (bar->expected ? bar->expected : block->live_threads);
}

void pl_sm_barrier_exited(struct pl_sm_block *block)
{
	for (unsigned id = 0; id < block->bar_count; id++)
		if (block->bars[id].arrived && complete(block, &block->bars[id]))
			release(block, id);
}

void pl_sm_barrier(struct pl_sm_warp *w, const struct pl_sm_op *op, uint32_t mask)
{
	unsigned kind = op->sub & 7, first = (unsigned)__builtin_ctz(mask);
	uint32_t id = op->sub & 8 ? ((const uint32_t *)(const void *)(w->frame.R + op->a))[first] : op->x & 15;
	uint32_t count = op->sub & 16 ? ((const uint32_t *)(const void *)(w->frame.R + op->b))[first]
				      : (op->x & ~PL_ISA_BAR_APART) >> 4;
	uint32_t pred = op->c == PL_ISA_PT ? PL_SM_ALL : w->frame.P[op->c];
	struct pl_sm_block *block = w->block;
	struct pl_sm_bar *bar;

	if (id >= block->bar_count || count % PL_ISA_LANES || count > PL_ISA_BLOCK_THREADS_MAX) {
		pl_sm_fault(w, op, PL_RG_FAULT_BAD_CODE, PL_RG_EXEC, id, first);
		return;
	}
	bar = &block->bars[id];
	pl_sm_check_arrive(w, id);
	pred = (op->flags & PL_SM_OP_C_NOT ? ~pred : pred) & mask;
	bar->popc += (uint32_t)__builtin_popcount(pred);
	bar->all &= pred == mask;
	bar->any |= pred != 0;
	if (count)
		bar->expected = count;
	/* counted barriers count whole warps */
	bar->arrived += count && mask == w->live ? PL_ISA_LANES : (uint32_t)__builtin_popcount(mask);
	w->insns += (uint64_t)(op - w->mark);
	w->mark = op;
	if (kind == PL_ISA_BAR_ARRIVE) {
		if (complete(block, bar))
			release(block, id);
		w->pc = op + 1;
		return;
	}
	if (mask != w->active) /* under a guard: the others go on */
		pl_sm_split_off(w, w->active & ~mask, op + 1);
	pl_sm_split_save(w, op);
	w->splits[w->current].state = PL_SM_WAIT_BAR;
	w->splits[w->current].bar = (uint8_t)id;
	bar->waiting |= 1u << w->index;
	if (complete(block, bar))
		release(block, id);
	pl_sm_split_pick(w);
}
