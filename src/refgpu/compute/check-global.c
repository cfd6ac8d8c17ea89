/* Check mode: device memory.  The driver's list of allocations says where each ends and what of it has been written. */
#include <stddef.h>

#include "refgpu/compute/check.h"

static void *head_at(struct pl_sm *sm, uint64_t offset)
{
	uint64_t room;

	return pl_mmu_at(&sm->tlb, sm->grid->desc.check_va + offset, PL_RG_READ, &room);
}

/* Acquired: the sequence that is read afterwards is not older. */
static bool range_get(struct pl_sm *sm, uint32_t index, struct pl_isa_check_range *range_out)
{
	const uint64_t *at = head_at(sm, offsetof(struct pl_isa_check, range) + index * sizeof(*range_out));

	if (!at)
		return false;
	*range_out = (struct pl_isa_check_range){ .va = __atomic_load_n(&at[0], __ATOMIC_ACQUIRE),
						  .bytes = __atomic_load_n(&at[1], __ATOMIC_ACQUIRE),
						  .pages_end = __atomic_load_n(&at[2], __ATOMIC_ACQUIRE),
						  .written_va = __atomic_load_n(&at[3], __ATOMIC_ACQUIRE) };
	return true;
}

/* The last range that begins at or before addr, and where the next begins.  False: something changed meanwhile. */
static bool range_search(struct pl_sm *sm, uint64_t addr, uint32_t count, struct pl_sm_check_known *known)
{
	struct pl_isa_check_range range, last = { 0 };
	uint32_t low = 0, high = count > PL_ISA_CHECK_RANGES ? PL_ISA_CHECK_RANGES : count;

	known->end = UINT64_MAX;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (!range_get(sm, middle, &range))
			return false;
		if (range.va <= addr) {
			last = range;
			low = middle + 1;
		} else {
			known->end = range.va;
			high = middle;
		}
	}
	known->begin = last.va;
	known->bytes = last.bytes;
	known->pages_end = last.pages_end;
	known->written_va = last.written_va;
	return true;
}

/* What is known of the place of addr.  NULL: the list is not mapped, and nothing is. */
static const struct pl_sm_check_known *known_of(struct pl_sm *sm, uint64_t addr)
{
	struct pl_sm_check_known *known = &sm->check_known;

	for (;;) {
		const uint32_t *at = head_at(sm, offsetof(struct pl_isa_check, sequence));
		uint32_t sequence = at ? __atomic_load_n(at, __ATOMIC_ACQUIRE) : 0;
		uint32_t count = at ? __atomic_load_n(at + 1, __ATOMIC_ACQUIRE) : 0;

		if (!at)
			return NULL;
		if (sequence & 1)
			continue;
		if (known->sequence == sequence && known->check_va == sm->grid->desc.check_va &&
		    addr - known->begin < known->end - known->begin)
			return known;
		known->check_va = 0;
		if (!range_search(sm, addr, count, known))
			return NULL;
		at = head_at(sm, offsetof(struct pl_isa_check, sequence));
		if (!at || __atomic_load_n(at, __ATOMIC_RELAXED) != sequence)
			continue;
		known->sequence = sequence;
		known->check_va = sm->grid->desc.check_va;
		return known;
	}
}

/* Marks or tests the bits of an access.  Return: all were set before. */
static bool written_touch(struct pl_sm *sm, const struct pl_sm_check_known *known, uint64_t addr, uint64_t bytes,
			  bool mark)
{
	uint64_t bit = addr - known->begin, end = bit + bytes;
	bool all = true;

	while (bit < end) {
		uint64_t room, in = bit % 8, part = 8 - in < end - bit ? 8 - in : end - bit;
		uint8_t want = (uint8_t)(((1u << part) - 1) << in);
		uint8_t *at = pl_mmu_at(&sm->tlb, known->written_va + bit / 8, PL_RG_WRITE, &room);
		uint8_t had = at ? __atomic_load_n(at, __ATOMIC_RELAXED) : 0xff;

		all = all && !(want & ~had);
		if (mark && want & ~had)
			__atomic_fetch_or(at, want, __ATOMIC_RELAXED);
		bit += part;
	}
	return all;
}

bool pl_sm_check_global(struct pl_sm_warp *w, const struct pl_sm_op *op, uint64_t addr, uint64_t bytes,
			enum pl_rg_access access, uint32_t lane)
{
	const struct pl_sm_grid *grid = w->sm->grid;
	const struct pl_sm_check_known *known;
	uint64_t end;

	if (!(grid->check.what & (PL_ISA_CHECK_BOUNDS | PL_ISA_CHECK_GLOBAL_INIT)) || !grid->desc.check_va)
		return true;
	known = known_of(w->sm, addr);
	if (!known || addr >= known->pages_end)
		return true; /* what is not mapped the access itself reports */
	end = known->begin + known->bytes;
	if (addr + bytes > end) {
		if (!(grid->check.what & PL_ISA_CHECK_BOUNDS))
			return true;
		pl_sm_fault(w, op, PL_RG_FAULT_OUT_OF_BOUNDS, access, addr, lane);
		return false;
	}
	if (!known->written_va || !(grid->check.what & PL_ISA_CHECK_GLOBAL_INIT))
		return true;
	if (!written_touch(w->sm, known, addr, bytes, access != PL_RG_READ) && access != PL_RG_WRITE) {
		struct pl_isa_check_record what = { .kind = PL_ISA_FOUND_GLOBAL_UNINIT,
						    .address = addr,
						    .bytes = (uint32_t)bytes,
						    .access = { access } };

		return pl_sm_check_found(w, op, lane, &what);
	}
	return true;
}
