/* Page tables and TLBs without a device around them; a plain reading of the tables says what is right. */
#include <stdio.h>

#include "rig.h"

#define VRAM_BYTES (64u << 20)
#define PAGE       4096ull
#define LARGE      (128ull << 10)

static const uint32_t modes[] = { PL_RG_MODE_F2, PL_RG_MODE_F3, PL_RG_MODE_G, PL_RG_MODE_G_SYSTEM };
#define MODES (sizeof(modes) / sizeof(modes[0]))

/* The rig's device lends memory and tables; spaces and TLBs here are of an MMU of their own. */
struct bench {
	struct rig rig;
	struct rig_space tables;
	struct pl_mmu *mmu;
	struct pl_mmu_space *space;
	struct pl_mmu_tlb tlb;
};

static struct pl_mmu_root root_of(const struct rig_space *tables)
{
	static const enum pl_mmu_kind kinds[] = { PL_MMU_F2, PL_MMU_F3, PL_MMU_G, PL_MMU_G };

	return (struct pl_mmu_root){ kinds[tables->mode], tables->mode == PL_RG_MODE_G_SYSTEM, tables->directory };
}

static void bench_begin(struct bench *bench, uint32_t mode, uint64_t limit)
{
	struct pl_mmu_root root;

	rig_create(&bench->rig, PL_RG_CLOCK_VIRTUAL);
	rig_space(&bench->tables, &bench->rig, mode);
	root = root_of(&bench->tables);
	assert(!pl_mmu_create(&bench->mmu, bench->rig.vram, VRAM_BYTES, bench->rig.config.host->dma_map, &bench->rig));
	assert(!pl_mmu_space_ref(&bench->space, bench->mmu, &root, limit));
	pl_mmu_tlb_init(&bench->tlb, bench->mmu, false);
	pl_mmu_tlb_enter(&bench->tlb, bench->space);
}

static void bench_end(struct bench *bench)
{
	pl_mmu_tlb_leave(&bench->tlb);
	pl_mmu_tlb_fini(&bench->tlb);
	pl_mmu_space_unref(bench->space);
	pl_mmu_destroy(bench->mmu);
	rig_destroy(&bench->rig);
}

static uint8_t *at(struct bench *bench, uint64_t va, enum pl_rg_access access)
{
	uint64_t room;
	uint8_t *host = pl_mmu_at(&bench->tlb, va, access, &room);

	assert(!host || room >= PAGE - va % PAGE);
	return host;
}

static bool faults(struct bench *bench, uint64_t va, enum pl_rg_access access, uint32_t code)
{
	const struct pl_rg_fault *fault = &bench->tlb.fault;

	return !at(bench, va, access) && fault->code == code && fault->address == va && fault->access == access;
}

static void test_pages_are_found_in_every_profile(void)
{
	for (size_t i = 0; i < MODES; i++) {
		struct bench bench;
		uint64_t vram;

		bench_begin(&bench, modes[i], UINT64_MAX);
		vram = rig_vram(&bench.rig, 1u << 20);
		rig_map(&bench.tables, RIG_DATA, vram, 8 * PAGE, RIG_SMALL);
		rig_map(&bench.tables, RIG_DATA + (1u << 20), RIG_BUS + 5 * PAGE, 4 * PAGE, RIG_SYSTEM);
		rig_map(&bench.tables, RIG_DATA + (2u << 20), vram, LARGE, RIG_LARGE);
		assert(at(&bench, RIG_DATA + 5 * PAGE + 12, PL_RG_WRITE) == bench.rig.vram + vram + 5 * PAGE + 12);
		assert(at(&bench, RIG_DATA + (1u << 20) + 7, PL_RG_READ) == bench.rig.system + 5 * PAGE + 7);
		assert(at(&bench, RIG_DATA + (2u << 20) + 70000, PL_RG_ATOMIC) == bench.rig.vram + vram + 70000);
		assert(faults(&bench, RIG_DATA + 8 * PAGE, PL_RG_READ, PL_RG_FAULT_PAGE_NOT_PRESENT));
		assert(faults(&bench, 0x70000000, PL_RG_EXEC, PL_RG_FAULT_PT_NOT_PRESENT));
		bench_end(&bench);
	}
}

static void test_a_root_gives_48_bits(void)
{
	uint64_t va = 0x7fab12345000, vram;
	struct bench bench;

	bench_begin(&bench, PL_RG_MODE_F3, UINT64_MAX);
	vram = rig_vram(&bench.rig, LARGE);
	rig_map(&bench.tables, va, vram, PAGE, RIG_SMALL);
	assert(at(&bench, va + 1, PL_RG_READ) == bench.rig.vram + vram + 1);
	assert(faults(&bench, 1ull << 48, PL_RG_READ, PL_RG_FAULT_VSPACE_LIMIT));
	assert(faults(&bench, UINT64_MAX, PL_RG_WRITE, PL_RG_FAULT_VSPACE_LIMIT));
	bench_end(&bench);
}

static void test_rights(void)
{
	for (size_t i = 0; i < MODES; i++) {
		struct bench bench;
		uint64_t vram;

		bench_begin(&bench, modes[i], UINT64_MAX);
		vram = rig_vram(&bench.rig, LARGE);
		rig_map(&bench.tables, RIG_DATA, vram, PAGE, RIG_READ_ONLY);
		assert(at(&bench, RIG_DATA, PL_RG_READ) && at(&bench, RIG_DATA, PL_RG_EXEC));
		assert(faults(&bench, RIG_DATA, PL_RG_WRITE, PL_RG_FAULT_READ_ONLY));
		assert(faults(&bench, RIG_DATA + 8, PL_RG_ATOMIC, PL_RG_FAULT_READ_ONLY));
		bench_end(&bench);
	}
}

static void test_supervisor_pages_are_for_supervisors(void)
{
	struct pl_mmu_tlb supervisor;
	struct bench bench;
	uint64_t vram, room;

	bench_begin(&bench, PL_RG_MODE_F2, UINT64_MAX);
	vram = rig_vram(&bench.rig, LARGE);
	rig_map(&bench.tables, RIG_DATA, vram, PAGE, RIG_SUPERVISOR);
	pl_mmu_tlb_init(&supervisor, bench.mmu, true);
	pl_mmu_tlb_enter(&supervisor, bench.space);
	assert(pl_mmu_at(&supervisor, RIG_DATA, PL_RG_WRITE, &room));
	assert(faults(&bench, RIG_DATA, PL_RG_READ, PL_RG_FAULT_SUPERVISOR));
	pl_mmu_tlb_leave(&supervisor);
	pl_mmu_tlb_fini(&supervisor);
	bench_end(&bench);
}

static void test_a_stale_entry_is_used_until_the_flush(void)
{
	for (size_t i = 0; i < MODES; i++) {
		struct bench bench;
		uint64_t old, fresh;

		bench_begin(&bench, modes[i], UINT64_MAX);
		old = rig_vram(&bench.rig, LARGE);
		fresh = rig_vram(&bench.rig, LARGE);
		rig_map(&bench.tables, RIG_DATA, old, PAGE, RIG_SMALL);
		assert(at(&bench, RIG_DATA, PL_RG_READ) == bench.rig.vram + old);
		rig_map(&bench.tables, RIG_DATA, fresh, PAGE, RIG_READ_ONLY);
		assert(!pl_mmu_tlb_sync(&bench.tlb));
		assert(at(&bench, RIG_DATA, PL_RG_WRITE) == bench.rig.vram + old);
		/* also when the first level has lost it */
		for (uint32_t s = 0; s < PL_MMU_SLOTS; s++)
			bench.tlb.slots[s].bytes = 0;
		for (uint32_t s = 0; s < PL_MMU_NEAR; s++)
			bench.tlb.near[s].bytes = 0;
		assert(at(&bench, RIG_DATA, PL_RG_WRITE) == bench.rig.vram + old);
		/* and for whoever comes back from another space */
		pl_mmu_tlb_leave(&bench.tlb);
		pl_mmu_tlb_enter(&bench.tlb, bench.space);
		assert(at(&bench, RIG_DATA, PL_RG_WRITE) == bench.rig.vram + old);
		pl_mmu_flush(bench.mmu, bench.tables.directory);
		assert(at(&bench, RIG_DATA, PL_RG_WRITE) == bench.rig.vram + old); /* not seen yet */
		assert(!pl_mmu_flush_done(bench.mmu));
		assert(pl_mmu_tlb_sync(&bench.tlb));
		assert(pl_mmu_flush_done(bench.mmu));
		assert(at(&bench, RIG_DATA, PL_RG_READ) == bench.rig.vram + fresh);
		assert(faults(&bench, RIG_DATA, PL_RG_WRITE, PL_RG_FAULT_READ_ONLY));
		bench_end(&bench);
	}
}

/* Two small allocations beside each other, whose memory is not: a kernel reads one and writes the other by turns. */
static void test_neighbours_are_both_in_the_first_level(void)
{
	struct bench bench;
	uint64_t low, gap, high, refills = 0;

	bench_begin(&bench, PL_RG_MODE_F2, UINT64_MAX);
	high = rig_vram(&bench.rig, LARGE);
	gap = rig_vram(&bench.rig, LARGE);
	low = rig_vram(&bench.rig, LARGE);
	assert(gap != low && gap != high);
	rig_map(&bench.tables, RIG_DATA, low, PAGE, RIG_SMALL);
	rig_map(&bench.tables, RIG_DATA + (1 << PL_MMU_NEAR_SHIFT), high, PAGE, RIG_SMALL);
	for (int turn = 0; turn < 100; turn++) {
		if (turn == 1)
			refills = atomic_load(&bench.tlb.counts.refills);
		assert(at(&bench, RIG_DATA, PL_RG_READ) == bench.rig.vram + low);
		assert(at(&bench, RIG_DATA + (1 << PL_MMU_NEAR_SHIFT), PL_RG_WRITE) == bench.rig.vram + high);
	}
	assert(atomic_load(&bench.tlb.counts.refills) == refills);
	bench_end(&bench);
}

static void test_a_flush_of_another_directory_changes_nothing(void)
{
	struct bench bench;
	uint64_t old, fresh;

	bench_begin(&bench, PL_RG_MODE_F2, UINT64_MAX);
	old = rig_vram(&bench.rig, LARGE);
	fresh = rig_vram(&bench.rig, LARGE);
	rig_map(&bench.tables, RIG_DATA, old, PAGE, RIG_SMALL);
	assert(at(&bench, RIG_DATA, PL_RG_READ));
	rig_map(&bench.tables, RIG_DATA, fresh, PAGE, RIG_SMALL);
	pl_mmu_flush(bench.mmu, bench.tables.directory + PAGE);
	assert(!pl_mmu_tlb_sync(&bench.tlb));
	assert(at(&bench, RIG_DATA, PL_RG_READ) == bench.rig.vram + old);
	pl_mmu_flush_all(bench.mmu);
	assert(pl_mmu_tlb_sync(&bench.tlb));
	assert(at(&bench, RIG_DATA, PL_RG_READ) == bench.rig.vram + fresh);
	bench_end(&bench);
}

static void test_a_tlb_that_is_not_entered_holds_no_flush_up(void)
{
	struct bench bench;

	bench_begin(&bench, PL_RG_MODE_F2, UINT64_MAX);
	rig_map(&bench.tables, RIG_DATA, rig_vram(&bench.rig, LARGE), PAGE, RIG_SMALL);
	assert(at(&bench, RIG_DATA, PL_RG_READ));
	rig_unmap(&bench.tables, RIG_DATA, PAGE, RIG_SMALL);
	pl_mmu_tlb_leave(&bench.tlb);
	pl_mmu_flush(bench.mmu, bench.tables.directory);
	assert(pl_mmu_flush_done(bench.mmu));
	pl_mmu_tlb_enter(&bench.tlb, bench.space);
	assert(faults(&bench, RIG_DATA, PL_RG_READ, PL_RG_FAULT_PAGE_NOT_PRESENT));
	bench_end(&bench);
}

static void test_what_is_contiguous_is_one_run(void)
{
	const struct pl_mmu_run *run;
	struct bench bench;
	uint64_t vram;

	bench_begin(&bench, PL_RG_MODE_F2, UINT64_MAX);
	vram = rig_vram(&bench.rig, 8u << 20);
	rig_map(&bench.tables, RIG_DATA, vram, 8u << 20, RIG_SMALL);
	for (uint64_t i = 0; i < 8u << 20; i += PAGE)
		assert(at(&bench, RIG_DATA + i, PL_RG_READ) == bench.rig.vram + vram + i);
	run = pl_mmu_run_at(&bench.tlb, RIG_DATA + (7u << 20), PL_RG_READ);
	assert(run->begin == RIG_DATA && run->bytes == 8u << 20 && run->host == bench.rig.vram + vram);
	assert(bench.tlb.counts.walks == 4); /* one for each 512 pages */
	bench_end(&bench);
}

static void test_a_run_is_cut_where_something_older_is_cached(void)
{
	const struct pl_mmu_run *run;
	struct bench bench;
	uint64_t vram, other;

	bench_begin(&bench, PL_RG_MODE_F2, UINT64_MAX);
	vram = rig_vram(&bench.rig, LARGE);
	other = rig_vram(&bench.rig, LARGE);
	rig_map(&bench.tables, RIG_DATA + 2 * PAGE, other, PAGE, RIG_SMALL);
	assert(at(&bench, RIG_DATA + 2 * PAGE, PL_RG_READ));
	rig_map(&bench.tables, RIG_DATA, vram, 8 * PAGE, RIG_SMALL);
	run = pl_mmu_run_at(&bench.tlb, RIG_DATA + 5 * PAGE, PL_RG_READ);
	assert(run->begin == RIG_DATA + 3 * PAGE && run->bytes == 5 * PAGE);
	run = pl_mmu_run_at(&bench.tlb, RIG_DATA, PL_RG_READ);
	assert(run->begin == RIG_DATA && run->bytes == 2 * PAGE);
	assert(at(&bench, RIG_DATA + 2 * PAGE, PL_RG_READ) == bench.rig.vram + other); /* stale, as it should be */
	bench_end(&bench);
}

static void test_a_small_page_hides_a_large_one(void)
{
	struct bench bench;
	uint64_t large, small;

	bench_begin(&bench, PL_RG_MODE_F2, UINT64_MAX);
	large = rig_vram(&bench.rig, 2 * LARGE);
	small = rig_vram(&bench.rig, LARGE);
	rig_map(&bench.tables, RIG_DATA, large, 2 * LARGE, RIG_LARGE);
	rig_map(&bench.tables, RIG_DATA + 3 * PAGE, small, PAGE, RIG_SMALL);
	for (uint64_t i = 0; i < 2 * LARGE; i += PAGE)
		assert(at(&bench, RIG_DATA + i, PL_RG_READ) == bench.rig.vram + (i == 3 * PAGE ? small : large + i));
	bench_end(&bench);
}

static void test_large_pages_side_by_side_are_one_run_up_to_a_small_one(void)
{
	const struct pl_mmu_run *run;
	struct bench bench;
	uint64_t large, small;

	bench_begin(&bench, PL_RG_MODE_F2, UINT64_MAX);
	large = rig_vram(&bench.rig, 5 * LARGE);
	small = rig_vram(&bench.rig, LARGE);
	rig_map(&bench.tables, RIG_DATA, large, 4 * LARGE, RIG_LARGE);
	rig_map(&bench.tables, RIG_DATA + 4 * LARGE, small, LARGE, RIG_LARGE); /* elsewhere */
	rig_map(&bench.tables, RIG_DATA + LARGE + 5 * PAGE, small, PAGE, RIG_SMALL);
	run = pl_mmu_run_at(&bench.tlb, RIG_DATA + 3 * LARGE - 8, PL_RG_READ);
	assert(run->begin == RIG_DATA + LARGE + 6 * PAGE && run->bytes == 3 * LARGE - 6 * PAGE);
	assert(run->host == bench.rig.vram + large + LARGE + 6 * PAGE);
	run = pl_mmu_run_at(&bench.tlb, RIG_DATA + LARGE + 4 * PAGE, PL_RG_WRITE);
	assert(run->begin == RIG_DATA && run->bytes == LARGE + 5 * PAGE && run->host == bench.rig.vram + large);
	/* large pages that would leave the VRAM end there */
	pl_mmu_flush_all(bench.mmu);
	pl_mmu_tlb_sync(&bench.tlb);
	rig_map(&bench.tables, RIG_DATA, VRAM_BYTES - 2 * LARGE, 3 * LARGE, RIG_LARGE);
	run = pl_mmu_run_at(&bench.tlb, RIG_DATA + PAGE, PL_RG_READ);
	assert(run->host + run->bytes <= bench.rig.vram + VRAM_BYTES);
	assert(faults(&bench, RIG_DATA + 2 * LARGE, PL_RG_READ, PL_RG_FAULT_VRAM_RANGE));
	bench_end(&bench);
}

static void test_bad_tables_are_faults(void)
{
	const uint64_t top = PL_RG_PTE_ADDRESS(0xffffffffff000);
	struct bench bench;
	uint64_t directory;

	bench_begin(&bench, PL_RG_MODE_F2, UINT64_MAX);
	directory = bench.tables.directory + (RIG_DATA >> 27) * 8;
	rig_map(&bench.tables, RIG_DATA, VRAM_BYTES - PAGE, 2 * PAGE, RIG_SMALL);
	assert(at(&bench, RIG_DATA + PAGE - 1, PL_RG_READ) == bench.rig.vram + VRAM_BYTES - 1);
	assert(faults(&bench, RIG_DATA + PAGE, PL_RG_READ, PL_RG_FAULT_VRAM_RANGE));
	rig_map(&bench.tables, RIG_DATA + 4 * PAGE, top, PAGE, RIG_SMALL);
	assert(faults(&bench, RIG_DATA + 4 * PAGE, PL_RG_READ, PL_RG_FAULT_VRAM_RANGE));
	rig_map(&bench.tables, RIG_DATA + 5 * PAGE, 0, PAGE, RIG_SYSTEM);
	assert(faults(&bench, RIG_DATA + 5 * PAGE, PL_RG_READ, PL_RG_FAULT_BUS_REFUSED));
	pl_mmu_flush_all(bench.mmu);
	pl_mmu_tlb_sync(&bench.tlb);
	rig_poke64(&bench.rig, directory, 3ull << PL_RG_PDE_SHORT_SHIFT | PL_RG_PDE_SMALL);
	assert(faults(&bench, RIG_DATA + (16u << 20), PL_RG_READ, PL_RG_FAULT_PT_TOO_SHORT));
	rig_poke64(&bench.rig, directory, PL_RG_PDE_SMALL | 0xfffffffull << 36);
	assert(faults(&bench, RIG_DATA, PL_RG_READ, PL_RG_FAULT_VRAM_RANGE));
	rig_poke64(&bench.rig, directory, PL_RG_PDE_LARGE | 0xfffffffull << 4);
	assert(faults(&bench, RIG_DATA, PL_RG_READ, PL_RG_FAULT_VRAM_RANGE));
	bench_end(&bench);
}

static void test_a_bad_target_is_a_fault(void)
{
	struct bench bench;
	uint64_t vram, table;

	bench_begin(&bench, PL_RG_MODE_F2, UINT64_MAX);
	vram = rig_vram(&bench.rig, LARGE);
	table = rig_vram(&bench.rig, 256u << 10);
	rig_poke64(&bench.rig, bench.tables.directory + (RIG_DATA >> 27) * 8, PL_RG_PDE_SMALL | (table >> 12) << 36);
	rig_poke64(&bench.rig, table, PL_RG_PTE_PRESENT | PL_RG_PTE_ADDRESS(vram) | 1ull << PL_RG_PTE_TARGET_SHIFT);
	assert(faults(&bench, RIG_DATA, PL_RG_READ, PL_RG_FAULT_BAD_TARGET));
	bench_end(&bench);
}

static void test_the_limit_holds(void)
{
	struct bench bench;

	bench_begin(&bench, PL_RG_MODE_F2, RIG_DATA + 3 * PAGE - 1);
	rig_map(&bench.tables, RIG_DATA, rig_vram(&bench.rig, LARGE), 8 * PAGE, RIG_SMALL);
	assert(at(&bench, RIG_DATA + 3 * PAGE - 1, PL_RG_READ));
	assert(faults(&bench, RIG_DATA + 3 * PAGE, PL_RG_READ, PL_RG_FAULT_VSPACE_LIMIT));
	bench_end(&bench);
}

static void test_scattered_system_memory_is_page_by_page(void)
{
	struct bench bench;

	bench_begin(&bench, PL_RG_MODE_F2, UINT64_MAX);
	bench.rig.scattered = true;
	rig_map(&bench.tables, RIG_DATA, RIG_BUS, 256 * PAGE, RIG_SYSTEM);
	for (uint64_t round = 0; round < 2; round++) {
		for (uint64_t i = 0; i < 256; i++)
			assert(at(&bench, RIG_DATA + i * PAGE + 5, PL_RG_READ) ==
			       rig_system_at(&bench.rig, RIG_BUS + i * PAGE + 5));
	}
	bench_end(&bench);
}

static void test_spaces_are_shared_by_root_and_are_limited(void)
{
	struct pl_mmu_space *spaces[PL_MMU_SPACES_MAX], *more;
	struct bench bench;
	struct pl_mmu_root root;

	bench_begin(&bench, PL_RG_MODE_F2, UINT64_MAX);
	root = root_of(&bench.tables);
	assert(!pl_mmu_space_ref(&more, bench.mmu, &root, UINT64_MAX));
	assert(more == bench.space);
	pl_mmu_space_unref(more);
	for (uint32_t i = 1; i < PL_MMU_SPACES_MAX; i++) {
		root.address = i * PAGE;
		assert(!pl_mmu_space_ref(&spaces[i], bench.mmu, &root, 7));
	}
	root.address = 1ull << 32;
	assert(pl_mmu_space_ref(&more, bench.mmu, &root, 7) < 0);
	pl_mmu_space_unref(spaces[1]);
	assert(!pl_mmu_space_ref(&more, bench.mmu, &root, 7));
	pl_mmu_space_unref(more);
	for (uint32_t i = 2; i < PL_MMU_SPACES_MAX; i++)
		pl_mmu_space_unref(spaces[i]);
	bench_end(&bench);
}

/* A space that takes another's place gets nothing of what is cached for that one. */
static void test_spaces_do_not_mix(void)
{
	struct rig_space tables;
	struct bench bench;
	struct pl_mmu_space *other;
	struct pl_mmu_root root;
	uint64_t vram;

	bench_begin(&bench, PL_RG_MODE_F2, UINT64_MAX);
	vram = rig_vram(&bench.rig, 2 * LARGE);
	rig_map(&bench.tables, RIG_DATA, vram, PAGE, RIG_SMALL);
	rig_space(&tables, &bench.rig, PL_RG_MODE_F2);
	rig_map(&tables, RIG_DATA, vram + LARGE, PAGE, RIG_SMALL);
	root = root_of(&tables);
	assert(!pl_mmu_space_ref(&other, bench.mmu, &root, UINT64_MAX));
	for (int round = 0; round < 3; round++) {
		assert(at(&bench, RIG_DATA, PL_RG_READ) == bench.rig.vram + vram);
		pl_mmu_tlb_leave(&bench.tlb);
		pl_mmu_tlb_enter(&bench.tlb, other);
		assert(at(&bench, RIG_DATA, PL_RG_READ) == bench.rig.vram + vram + LARGE);
		pl_mmu_tlb_leave(&bench.tlb);
		pl_mmu_tlb_enter(&bench.tlb, bench.space);
	}
	assert(bench.tlb.counts.walks == 2);
	pl_mmu_space_unref(other);
	bench_end(&bench);
}

/* Random maps: the TLB says what the last map before a flush said. */
static void test_random_maps_against_a_plain_list(void)
{
	enum { PAGES = 600, ROUNDS = 40, LOOKS = 2000 };
	uint64_t vram, seed = 12345;

	for (size_t m = 0; m < MODES; m++) {
		uint32_t page_at[PAGES]; /* 0 = none; else the VRAM page + 1 */
		struct bench bench;

		bench_begin(&bench, modes[m], UINT64_MAX);
		vram = rig_vram(&bench.rig, PAGES * PAGE);
		memset(page_at, 0, sizeof(page_at));
		for (int round = 0; round < ROUNDS; round++) {
			for (int i = 0; i < 100; i++) {
				uint64_t va, phys, n;
				seed = seed * 6364136223846793005u + 1442695040888963407u;
				va = seed >> 33 & 511;
				phys = seed >> 43 & 511;
				n = seed >> 53 & 63;
				for (uint64_t k = 0; k < n; k++)
					page_at[va + k] = seed >> 60 ? (uint32_t)(phys + k + 1) : 0;
				if (seed >> 60)
					rig_map(&bench.tables, RIG_DATA + va * PAGE, vram + phys * PAGE, n * PAGE, 0);
				else
					rig_unmap(&bench.tables, RIG_DATA + va * PAGE, n * PAGE, 0);
			}
			pl_mmu_flush(bench.mmu, bench.tables.directory);
			pl_mmu_tlb_sync(&bench.tlb);
			for (int i = 0; i < LOOKS; i++) {
				uint64_t page;
				seed = seed * 6364136223846793005u + 1442695040888963407u;
				page = (seed >> 33) % PAGES;
				if (page_at[page])
					assert(at(&bench, RIG_DATA + page * PAGE, PL_RG_WRITE) ==
					       bench.rig.vram + vram + (page_at[page] - 1) * PAGE);
				else
					assert(!at(&bench, RIG_DATA + page * PAGE, PL_RG_WRITE));
			}
		}
		bench_end(&bench);
	}
}

int main(void)
{
	test_pages_are_found_in_every_profile();
	test_a_root_gives_48_bits();
	test_rights();
	test_supervisor_pages_are_for_supervisors();
	test_a_stale_entry_is_used_until_the_flush();
	test_neighbours_are_both_in_the_first_level();
	test_a_flush_of_another_directory_changes_nothing();
	test_a_tlb_that_is_not_entered_holds_no_flush_up();
	test_what_is_contiguous_is_one_run();
	test_a_run_is_cut_where_something_older_is_cached();
	test_a_small_page_hides_a_large_one();
	test_large_pages_side_by_side_are_one_run_up_to_a_small_one();
	test_bad_tables_are_faults();
	test_a_bad_target_is_a_fault();
	test_the_limit_holds();
	test_scattered_system_memory_is_page_by_page();
	test_spaces_are_shared_by_root_and_are_limited();
	test_spaces_do_not_mix();
	test_random_maps_against_a_plain_list();
	return 0;
}
