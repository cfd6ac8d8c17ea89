/* Splits of a warp: lanes that run together, their divergence, and how they meet again. */
#include <stdlib.h>
#include <string.h>

#include "refgpu/compute/split.h"

#define SPIN_POLLS     4u   /* in a row without any change: the split spins */
#define PATIENCE_POLLS 512u /* without a lane that came to a meeting: it may spin and count */
#define SPIN_SLOTS     128u /* of a frame that are looked at */

void pl_sm_split_save(struct pl_sm_warp *w, const struct pl_sm_op *pc)
{
	struct pl_sm_split *split = &w->splits[w->current];

	split->mask = w->active;
	split->pc = pc;
	split->frame = w->frame;
	split->state = PL_SM_READY;
}

void pl_sm_split_free(struct pl_sm_warp *w)
{
	free(w->copies);
	w->copies = NULL;
}

static void split_load(struct pl_sm_warp *w, uint32_t index)
{
	const struct pl_sm_split *split = &w->splits[index];

	w->current = index;
	w->active = split->mask;
	w->frame = split->frame;
	w->pc = split->pc;
	w->mark = split->pc;
}

static void count_to(struct pl_sm_warp *w, const struct pl_sm_op *pc)
{
	w->insns += (uint64_t)(pc - w->mark);
	w->mark = pc;
}

static void split_remove(struct pl_sm_warp *w, uint32_t index)
{
	uint32_t last = --w->split_count;

	if (index != last)
		w->splits[index] = w->splits[last];
	if (w->current == last)
		w->current = index;
}

static bool load_next(struct pl_sm_warp *w)
{
	for (uint32_t k = 1; k <= w->split_count; k++) {
		uint32_t index = (w->current + k) % w->split_count;

		if (w->splits[index].state == PL_SM_READY) {
			split_load(w, index);
			return true;
		}
	}
	return false;
}

static bool at_barrier(const struct pl_sm_warp *w)
{
	for (uint32_t k = 0; k < w->split_count; k++)
		if (w->splits[k].state == PL_SM_WAIT_BAR)
			return true;
	return false;
}

void pl_sm_split_pick(struct pl_sm_warp *w)
{
	if (load_next(w) || (w->split_count && !at_barrier(w) && pl_sm_split_unstick(w) && load_next(w)))
		return;
	w->stop = w->split_count ? PL_SM_STOP_BLOCKED : PL_SM_STOP_DONE;
}

void pl_sm_split_off(struct pl_sm_warp *w, uint32_t lanes, const struct pl_sm_op *pc)
{
	struct pl_sm_split *split = &w->splits[w->split_count++];

	*split = (struct pl_sm_split){ .mask = lanes, .pc = pc, .frame = w->frame, .state = PL_SM_READY };
	w->active &= ~lanes;
}

/* Lanes that parted elsewhere may come to the same place at another time: they were noted apart. */
static bool same_place(const struct pl_sm_warp *w, const struct pl_sm_split *x, const struct pl_sm_split *y)
{
	return x->wait_mask == y->wait_mask && x->pc == y->pc && x->frame.R == y->frame.R && x->frame.P == y->frame.P &&
	       (x->frame.U == y->frame.U || pl_sm_uniform_offset(w, x->frame.U) == pl_sm_uniform_offset(w, y->frame.U));
}

/* Splits that wait at the same place as `index`, that one too, as one lane mask. */
static uint32_t lanes_waiting(const struct pl_sm_warp *w, uint32_t index)
{
	uint32_t lanes = 0;

	for (uint32_t k = 0; k < w->split_count; k++)
		if (w->splits[k].state == w->splits[index].state && same_place(w, &w->splits[k], &w->splits[index]))
			lanes |= w->splits[k].mask;
	return lanes;
}

/* All that wait where `index` does become one split, ready behind the instruction. */
static void merge(struct pl_sm_warp *w, uint32_t index)
{
	struct pl_sm_split key = w->splits[index];

	for (uint32_t k = w->split_count; k-- > 0;)
		if (k != index && w->splits[k].state == key.state && same_place(w, &w->splits[k], &key)) {
			key.mask |= w->splits[k].mask;
			if (index == w->split_count - 1)
				index = k;
			split_remove(w, k);
		}
	key.pc++;
	key.state = PL_SM_READY;
	w->splits[index] = key;
}

static bool sync_try(struct pl_sm_warp *w, uint32_t index)
{
	if (w->splits[index].wait_mask & w->live & ~lanes_waiting(w, index))
		return false;
	merge(w, index);
	return true;
}

/* The named lanes may wait at different WARPSYNCs: those at one place go on together. */
static bool warpsync_try(struct pl_sm_warp *w, uint32_t index)
{
	uint32_t lanes = w->splits[index].wait_mask, here = 0;

	for (uint32_t k = 0; k < w->split_count; k++)
		if (w->splits[k].state == PL_SM_WAIT_WARP && w->splits[k].wait_mask == lanes)
			here |= w->splits[k].mask;
	if (lanes & w->live & ~here)
		return false;
	for (uint32_t k = 0; k < w->split_count;) {
		if (w->splits[k].state == PL_SM_WAIT_WARP && w->splits[k].wait_mask == lanes) {
			merge(w, k);
			k = 0; /* the array has moved */
		} else {
			k++;
		}
	}
	return true;
}

static void wait_here(struct pl_sm_warp *w, const struct pl_sm_op *op, uint32_t lanes, uint8_t state)
{
	count_to(w, op);
	pl_sm_split_save(w, op);
	w->splits[w->current].state = state;
	w->splits[w->current].wait_mask = lanes;
	w->polls_stuck = 0;
}

void pl_sm_split_sync(struct pl_sm_warp *w, const struct pl_sm_op *op, uint32_t lanes)
{
	wait_here(w, op, lanes, PL_SM_WAIT_SYNC);
	sync_try(w, w->current);
	pl_sm_split_pick(w);
}

void pl_sm_split_warpsync(struct pl_sm_warp *w, const struct pl_sm_op *op, uint32_t lanes)
{
	wait_here(w, op, lanes, PL_SM_WAIT_WARP);
	warpsync_try(w, w->current);
	pl_sm_split_pick(w);
}

void pl_sm_split_recheck(struct pl_sm_warp *w)
{
	for (uint32_t k = 0; k < w->split_count;) {
		bool moved = (w->splits[k].state == PL_SM_WAIT_SYNC && sync_try(w, k)) ||
			     (w->splits[k].state == PL_SM_WAIT_WARP && warpsync_try(w, k));
		k = moved ? 0 : k + 1;
	}
}

void pl_sm_split_exit(struct pl_sm_warp *w, const struct pl_sm_op *op, uint32_t lanes)
{
	count_to(w, op + 1);
	w->live &= ~lanes;
	w->active &= ~lanes;
	w->polls_stuck = 0;
	w->block->live_threads -= (uint32_t)__builtin_popcount(lanes);
	if (w->active) {
		pl_sm_split_save(w, op + 1);
		pl_sm_split_recheck(w);
		w->pc = op + 1;
		/* the running split is ready: find it where recheck has put it */
		for (uint32_t k = 0; k < w->split_count; k++)
			if (w->splits[k].mask == w->active)
				w->current = k;
	} else {
		split_remove(w, w->current);
		w->current = w->current < w->split_count ? w->current : 0;
		pl_sm_split_recheck(w);
		pl_sm_split_pick(w);
	}
	pl_sm_barrier_exited(w->block);
}

void pl_sm_split_end(struct pl_sm_warp *w, const struct pl_sm_op *op)
{
	count_to(w, op + 1);
	w->block->live_threads -= (uint32_t)__builtin_popcount(w->live);
	w->live = w->active = 0;
	w->split_count = 0;
	w->stop = PL_SM_STOP_DONE;
	pl_sm_barrier_exited(w->block);
}

/* What the launch, the clock and other threads want, looked at now and then. */
static void poll_grid(struct pl_sm_warp *w)
{
	struct pl_sm *sm = w->sm;
	struct pl_sm_grid *grid = sm->grid;
	uint32_t stop = atomic_load_explicit(grid->launch->stop, memory_order_relaxed);
	uint64_t now = sm->insns + w->insns, all;

	all = atomic_fetch_add_explicit(&grid->insns, now - sm->insns_told, memory_order_relaxed) + now -
	      sm->insns_told;
	sm->insns_told = now;
	if (stop)
		pl_sm_fault(w, w->pc, stop == 1 ? PL_RG_FAULT_KILLED : stop, PL_RG_EXEC, 0, 0);
	else if (grid->launch->instructions_max && all > grid->launch->instructions_max)
		pl_sm_fault(w, w->pc, PL_RG_FAULT_WATCHDOG, PL_RG_EXEC, 0, 0);
	else if (atomic_load_explicit(&grid->failed, memory_order_relaxed))
		w->stop = PL_SM_STOP_FAULT;
	if (pl_mmu_tlb_sync(&sm->tlb))
		sm->flushed = true;
}

/* -- lanes that need what lanes do behind the meeting at which those wait for them -- */

static uint64_t registers_sum(const struct pl_sm_warp *w)
{
	const uint64_t *at = (const void *)w->frame.R;
	size_t words = (size_t)(w->end.R - w->frame.R) / 8, most = SPIN_SLOTS * PL_SM_SLOT_BYTES / 8;
	uint64_t sum[8] = { (uintptr_t)w->pc }, all = 0;

	words = words < most ? words : most;
	for (size_t i = 0; i < words; i += 8)
		for (size_t k = 0; k < 8; k++)
			sum[k] = sum[k] * 129 + at[i + k];
	for (size_t k = 0; k < 8; k++)
		all = all * 31 + sum[k];
	return all;
}

/* Who of `waiters` waits for one of `lanes` at the innermost meeting; split_count: nobody. */
static uint32_t waiter_find(const struct pl_sm_warp *w, uint32_t waiters, uint32_t lanes)
{
	uint32_t best = w->split_count;

	for (uint32_t k = 0; k < w->split_count; k++)
		if (w->splits[k].state == PL_SM_WAIT_SYNC && w->splits[k].mask & waiters &&
		    w->splits[k].wait_mask & lanes &&
		    (best == w->split_count ||
		     __builtin_popcount(w->splits[k].wait_mask) < __builtin_popcount(w->splits[best].wait_mask)))
			best = k;
	return best;
}

/* The running split may go round for ever, as others wait at a meeting for it. */
static bool stuck(struct pl_sm_warp *w)
{
	struct pl_sm_split *split = &w->splits[w->current];
	uint64_t sum;

	if (waiter_find(w, PL_SM_ALL, w->active) == w->split_count)
		return false;
	sum = registers_sum(w);
	split->same = sum == split->seen ? split->same + 1 : 0;
	split->seen = sum;
	return split->same >= SPIN_POLLS || ++w->polls_stuck >= PATIENCE_POLLS;
}

/* U files are the warp's; lanes that go on without the others need their own.  NULL: no memory. */
static uint64_t *uniforms_own(struct pl_sm_warp *w, const uint64_t *U)
{
	size_t stride = pl_sm_uniform_stride(w), offset = pl_sm_uniform_offset(w, U);
	uint32_t used = 0;
	uint64_t *copy;

	if (!w->copies)
		w->copies = calloc(PL_ISA_LANES, stride * sizeof(*w->copies));
	if (!w->copies)
		return NULL;
	for (uint32_t k = 0; k < w->split_count; k++) {
		const uint64_t *at = w->splits[k].frame.U;

		if (at < w->bottom.U || at > w->end.U)
			used |= 1u << (size_t)(at - w->copies) / stride;
	}
	copy = w->copies + (size_t)__builtin_ctz(~used) * stride;
	memcpy(copy, U - offset, (stride - 1) * sizeof(*copy));
	return copy + offset;
}

/*
 * Those that wait where `index` does go on, as if their meeting were complete; it no longer waits for them, nor they
 * for it.
 */
static bool let_go(struct pl_sm_warp *w, uint32_t index)
{
	struct pl_sm_split first = w->splits[index];
	uint32_t lanes, *noted;
	uint64_t *own;

	own = uniforms_own(w, first.frame.U);
	if (!own)
		return false;
	lanes = lanes_waiting(w, index);
	noted = (void *)(first.frame.R + first.pc->a);
	for (uint32_t left = first.wait_mask & ~lanes; left; left &= left - 1)
		noted[__builtin_ctz(left)] &= ~lanes;
	merge(w, index);
	for (uint32_t k = 0; k < w->split_count; k++) {
		struct pl_sm_split *split = &w->splits[k];

		if (split->mask == lanes)
			split->frame.U = own;
		else if (split->state == PL_SM_WAIT_SYNC && split->frame.R == first.frame.R &&
			 split->pc->a == first.pc->a)
			split->wait_mask &= ~lanes;
		split->same = 0;
	}
	w->apart = true;
	w->polls_stuck = 0;
	pl_sm_split_recheck(w);
	return true;
}

bool pl_sm_split_unstick(struct pl_sm_warp *w)
{
	uint32_t named = 0, index;

	for (uint32_t k = 0; k < w->split_count; k++)
		if (w->splits[k].state == PL_SM_WAIT_WARP)
			named |= w->splits[k].wait_mask & ~w->splits[k].mask;
	index = waiter_find(w, named, PL_SM_ALL);
	if (index == w->split_count)
		index = waiter_find(w, PL_SM_ALL, PL_SM_ALL);
	return index != w->split_count && let_go(w, index);
}

void pl_sm_split_poll(struct pl_sm_warp *w)
{
	w->budget = PL_SM_BUDGET;
	poll_grid(w);
	if (w->stop)
		return;
	if (w->split_count > 1) {
		count_to(w, w->pc);
		pl_sm_split_save(w, w->pc);
		if (stuck(w))
			let_go(w, waiter_find(w, PL_SM_ALL, w->active));
		pl_sm_split_pick(w);
	}
	if (!--w->polls_left)
		w->stop = PL_SM_STOP_SLICE;
}
