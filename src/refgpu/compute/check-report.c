/* What a checking launch finds: records in the memory that it names, one for each pair of instructions. */
#include <sched.h>
#include <stddef.h>

#include "refgpu/compute/check.h"

static void *check_at(struct pl_sm *sm, uint64_t offset, enum pl_rg_access access)
{
	uint64_t room;

	return pl_mmu_at(&sm->tlb, sm->grid->desc.check_va + offset, access, &room);
}

bool pl_sm_check_prepare(struct pl_sm *sm)
{
	struct pl_sm_grid *grid = sm->grid;
	const uint32_t *what;

	grid->check.what = PL_ISA_CHECK_RACES | PL_ISA_CHECK_SHARED_INIT | PL_ISA_CHECK_BARRIERS;
	atomic_store(&grid->check.lock, 0);
	grid->check.seen_n = 0;
	if (!(grid->desc.flags & PL_ISA_LAUNCH_CHECK) || !grid->desc.check_va)
		return true;
	if (grid->desc.check_va % PL_MMU_PAGE_BYTES) {
		sm->tlb.fault = (struct pl_rg_fault){ .code = PL_RG_FAULT_BAD_LAUNCH, .address = grid->desc.check_va };
		return false;
	}
	what = check_at(sm, offsetof(struct pl_isa_check, what), PL_RG_READ);
	if (!what)
		return false;
	grid->check.what = __atomic_load_n(what, __ATOMIC_RELAXED);
	return true;
}

static bool fault_instead(struct pl_sm_warp *w, const struct pl_sm_op *op, uint32_t lane,
			  const struct pl_isa_check_record *what)
{
	static const uint32_t codes[PL_ISA_FOUND_KINDS] = {
		[PL_ISA_FOUND_RACE] = PL_RG_FAULT_SHARED_RACE,
		[PL_ISA_FOUND_SHARED_UNINIT] = PL_RG_FAULT_SHARED_UNINIT,
		[PL_ISA_FOUND_GLOBAL_UNINIT] = PL_RG_FAULT_SHARED_UNINIT,
		[PL_ISA_FOUND_DIVERGENT_BARRIER] = PL_RG_FAULT_DIVERGENT_BARRIER,
	};

	pl_sm_fault(w, op, codes[what->kind], what->access[0], what->address, lane);
	return false;
}

static uint32_t *head_of(struct pl_sm *sm)
{
	return check_at(sm, 0, PL_RG_WRITE);
}

/* Called with grid->check.lock held.  Counts on where the driver has not taken the record yet. */
static bool counted_on(struct pl_sm *sm, const struct pl_isa_check_record *what)
{
	struct pl_sm_grid *grid = sm->grid;

	for (uint32_t i = 0; i < grid->check.seen_n; i++) {
		const struct pl_sm_check_seen *seen = &grid->check.seen[i];
		struct pl_isa_check_record *record;

		if (seen->pc[0] != what->pc[0] || seen->pc[1] != what->pc[1] || seen->kind != what->kind)
			continue;
		record = check_at(sm,
				  offsetof(struct pl_isa_check, record) +
					  seen->number % PL_ISA_CHECK_RECORDS * sizeof(*record),
				  PL_RG_WRITE);
		if (record && record->kind == what->kind && record->pc[0] == what->pc[0])
			__atomic_fetch_add(&record->count, 1, __ATOMIC_RELAXED);
		return true;
	}
	return false;
}

/* Called with grid->check.lock held. */
static void append(struct pl_sm *sm, const struct pl_isa_check_record *what)
{
	struct pl_isa_check *head = (void *)head_of(sm); /* no more than its first 128 bytes */
	struct pl_sm_grid *grid = sm->grid;
	struct pl_isa_check_record *record;
	uint32_t put, got;

	if (!head)
		return;
	put = __atomic_load_n(&head->put, __ATOMIC_RELAXED);
	got = __atomic_load_n(&head->got, __ATOMIC_ACQUIRE);
	if (put - got >= PL_ISA_CHECK_RECORDS || grid->check.seen_n == PL_SM_CHECK_SEEN) {
		__atomic_fetch_add(&head->dropped, 1, __ATOMIC_RELAXED);
		return;
	}
	record = check_at(sm, offsetof(struct pl_isa_check, record) + put % PL_ISA_CHECK_RECORDS * sizeof(*record),
			  PL_RG_WRITE);
	if (!record)
		return;
	*record = *what;
	grid->check.seen[grid->check.seen_n++] =
		(struct pl_sm_check_seen){ { what->pc[0], what->pc[1] }, what->kind, put };
	head = (void *)head_of(sm);
	if (head)
		__atomic_store_n(&head->put, put + 1, __ATOMIC_RELEASE);
}

bool pl_sm_check_found(struct pl_sm_warp *w, const struct pl_sm_op *op, uint32_t lane, struct pl_isa_check_record *what)
{
	struct pl_sm_grid *grid = w->sm->grid;
	uint32_t open = 0;

	if (!grid->desc.check_va)
		return fault_instead(w, op, lane, what);
	what->count = 1;
	what->grid_id = grid->desc.grid_id;
	what->pc[0] = grid->desc.code_va + (uint64_t)(op - w->ops) * PL_ISA_INSN_BYTES;
	for (int k = 0; k < 3; k++) {
		what->block[k] = w->block->index[k];
		what->thread[0][k] = w->tid[k][lane];
	}
	while (!atomic_compare_exchange_weak(&grid->check.lock, &open, 1)) {
		open = 0;
		sched_yield();
	}
	if (!counted_on(w->sm, what))
		append(w->sm, what);
	atomic_store(&grid->check.lock, 0);
	return true;
}
