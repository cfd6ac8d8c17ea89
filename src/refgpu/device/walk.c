#include "refgpu/device/walk.h"

#include "refgpu/device/regs.h"

#define NONE          PL_RG_FAULT_NONE
#define F_TABLE_BYTES (128ull << 20) /* of addresses that a directory entry covers */
#define F_TABLE_MASK  0xfffffffull   /* table address >> 12, in an entry */
#define G_TABLE_BYTES (4ull << 20)
#define WINDOW        512u /* entries around one that a fill may look at */

/* Of one page, or of the run that pages make. */
struct page {
	bool present, system;
	uint32_t rights, fault; /* fault: NONE, or why it can not be used */
	uint64_t bus;           /* or VRAM address */
	uint64_t entry;         /* that says so */
};

/* A table of one page size; entries that belong to one address after the other. */
struct table {
	const uint8_t *host;
	uint32_t entry_bytes;
	uint64_t page_bytes;
	uint64_t base; /* address of entry 0 */
	uint64_t count;
	uint64_t address_mask; /* where in an entry the low bits of its page's address are, */
	uint64_t address_step; /* and what is added there for the next page */
	struct page (*decode)(const struct pl_mmu_walk *walk, uint64_t entry, uint64_t page_bytes);
};

static const uint8_t *vram_at(const struct pl_mmu_walk *walk, uint64_t address, uint64_t bytes)
{
	const struct pl_mmu_memory *memory = walk->memory;

	if (address > memory->vram_bytes || bytes > memory->vram_bytes - address)
		return NULL;
	return memory->vram + address;
}

/* Tables of profile G lie anywhere. */
static const uint8_t *table_at(const struct pl_mmu_walk *walk, bool system, uint64_t address, uint64_t bytes)
{
	uint64_t got = 0;
	const uint8_t *host;

	if (!system)
		return vram_at(walk, address, bytes);
	host = walk->memory->dma(walk->memory->dma_arg, address, bytes, false, &got);
	return got >= bytes ? host : NULL;
}

static uint64_t entry_load(struct pl_mmu_walk *walk, const uint8_t *table, uint64_t index, uint32_t bytes)
{
	const uint8_t *at = table + index * bytes;

	walk->entries++;
	if (bytes == 4)
		return __atomic_load_n((const uint32_t *)(const void *)at, __ATOMIC_ACQUIRE);
	return __atomic_load_n((const uint64_t *)(const void *)at, __ATOMIC_ACQUIRE);
}

static uint32_t rights_of(bool writable)
{
	uint32_t rights = 1u << PL_RG_READ | 1u << PL_RG_EXEC;

	return writable ? rights | 1u << PL_RG_WRITE | 1u << PL_RG_ATOMIC : rights;
}

static struct page page_check(const struct pl_mmu_walk *walk, struct page page, uint64_t page_bytes)
{
	if (!page.system && !vram_at(walk, page.bus, page_bytes))
		page.fault = PL_RG_FAULT_VRAM_RANGE;
	return page;
}

static struct page f_decode(const struct pl_mmu_walk *walk, uint64_t entry, uint64_t page_bytes)
{
	uint64_t target = entry >> PL_RG_PTE_TARGET_SHIFT & 3;
	struct page page = { .fault = NONE };

	if (!(entry & PL_RG_PTE_PRESENT)) {
		page.fault = PL_RG_FAULT_PAGE_NOT_PRESENT;
		return page;
	}
	page.present = true;
	page.system = target != PL_RG_TARGET_VRAM;
	page.rights = rights_of(!(entry & PL_RG_PTE_READ_ONLY));
	page.bus = ((entry >> 4 & F_TABLE_MASK) << 12 | (entry >> 36 & 0xff) << 40) & ~(page_bytes - 1);
	if (entry & PL_RG_PTE_SUPERVISOR && !walk->supervisor) {
		page.fault = PL_RG_FAULT_SUPERVISOR;
		return page;
	}
	if (page.system && target != PL_RG_TARGET_SNOOP && target != PL_RG_TARGET_NO_SNOOP) {
		page.fault = PL_RG_FAULT_BAD_TARGET;
		return page;
	}
	return page_check(walk, page, page_bytes);
}

static uint64_t g_address(uint64_t entry)
{
	return (entry & 0xfffff000u) | (entry >> 4 & 0xff) << 32;
}

static struct page g_decode(const struct pl_mmu_walk *walk, uint64_t entry, uint64_t page_bytes)
{
	struct page page = { .fault = NONE };

	if (!(entry & PL_RG_G_PRESENT)) {
		page.fault = PL_RG_FAULT_PAGE_NOT_PRESENT;
		return page;
	}
	page.present = true;
	page.system = !(entry & PL_RG_G_VRAM);
	page.rights = rights_of(entry & PL_RG_G_WRITABLE);
	page.bus = g_address(entry);
	return page_check(walk, page, page_bytes);
}

static struct page page_load(struct pl_mmu_walk *walk, const struct table *table, uint64_t index)
{
	uint64_t entry = entry_load(walk, table->host, index, table->entry_bytes);
	struct page page = table->decode(walk, entry, table->page_bytes);

	page.entry = entry;
	return page;
}

/* What the entry `by` places on says when its page lies beside this one's.  Where the address leaves its low bits the
 * run ends; the next miss begins another. */
static bool entry_follows(const struct table *table, uint64_t entry, int64_t by, uint64_t other)
{
	uint64_t low = (entry & table->address_mask) + (uint64_t)by * table->address_step;

	return !(low & ~table->address_mask) && other == (low | (entry & ~table->address_mask));
}

/* The entries around `index` whose pages lie beside its page: first and one past the last. */
static void run_extend(struct pl_mmu_walk *walk, const struct table *table, uint64_t index, uint64_t entry,
		       uint64_t *first_out, uint64_t *end_out)
{
	uint64_t low = index / WINDOW * WINDOW, high = low + WINDOW < table->count ? low + WINDOW : table->count;
	uint64_t first = index, end = index + 1;

	while (end < high && entry_follows(table, entry, (int64_t)(end - index),
					   entry_load(walk, table->host, end, table->entry_bytes)))
		end++;
	while (first > low && entry_follows(table, entry, (int64_t)(first - 1) - (int64_t)index,
					    entry_load(walk, table->host, first - 1, table->entry_bytes)))
		first--;
	*first_out = first;
	*end_out = end;
}

/* A run of system memory begins with the page of `address` when the embedder has what lies before it elsewhere. */
static uint32_t system_map(const struct pl_mmu_walk *walk, struct pl_mmu_run *run, uint64_t bus, uint64_t address)
{
	const struct pl_mmu_memory *memory = walk->memory;
	bool write = run->rights >> PL_RG_WRITE & 1;
	uint64_t got = 0, skip = (address & ~(uint64_t)(PL_MMU_PAGE_BYTES - 1)) - run->begin;

	run->host = memory->dma(memory->dma_arg, bus, run->bytes, write, &got);
	if (!run->host || got < skip + PL_MMU_PAGE_BYTES) {
		run->begin += skip;
		run->bytes -= skip;
		got = 0;
		run->host = memory->dma(memory->dma_arg, bus + skip, run->bytes, write, &got);
	}
	got = (got < run->bytes ? got : run->bytes) & ~(uint64_t)(PL_MMU_PAGE_BYTES - 1);
	if (!run->host || !got)
		return PL_RG_FAULT_BUS_REFUSED;
	run->bytes = got;
	return NONE;
}

static uint32_t run_make(struct pl_mmu_walk *walk, const struct table *table, uint64_t address, const struct page *page,
			 struct pl_mmu_run *run_out)
{
	uint64_t index = (address - table->base) / table->page_bytes, first, end, bus;
	struct pl_mmu_run run = { .rights = page->rights, .system = page->system };
	uint32_t fault;

	run_extend(walk, table, index, page->entry, &first, &end);
	if (!page->system && (end - index) * table->page_bytes > walk->memory->vram_bytes - page->bus)
		end = index + (walk->memory->vram_bytes - page->bus) / table->page_bytes;
	run.begin = table->base + first * table->page_bytes;
	run.bytes = (end - first) * table->page_bytes;
	bus = page->bus - (index - first) * table->page_bytes;
	if (walk->limit - run.begin < run.bytes - 1)
		run.bytes = (walk->limit - run.begin + 1) & ~(uint64_t)(PL_MMU_PAGE_BYTES - 1);
	if (!run.bytes || address - run.begin >= run.bytes)
		return PL_RG_FAULT_VSPACE_LIMIT;
	if (page->system) {
		fault = system_map(walk, &run, bus, address);
		if (fault != NONE)
			return fault;
	} else {
		run.host = walk->memory->vram + bus;
	}
	*run_out = run;
	return NONE;
}

/* Is the small page `index` not there, and its place that of `page`'s large page or of one that lies beside it? */
static bool beside_follows(struct pl_mmu_walk *walk, const struct table *small, const struct table *large,
			   uint64_t large_index, const struct page *page, uint64_t index)
{
	uint64_t other = index / (PL_MMU_LARGE_BYTES / PL_MMU_PAGE_BYTES);

	return !page_load(walk, small, index).present &&
	       (other == large_index || entry_follows(large, page->entry, (int64_t)other - (int64_t)large_index,
						      entry_load(walk, large->host, other, large->entry_bytes)));
}

/* Large pages with small ones in the place of some of them: the run is what lies between those. */
static uint32_t run_make_beside(struct pl_mmu_walk *walk, const struct table *small, const struct table *large,
				uint64_t address, const struct page *page, struct pl_mmu_run *run_out)
{
	uint64_t index = (address - small->base) / PL_MMU_PAGE_BYTES, low = index / WINDOW * WINDOW;
	uint64_t high = low + WINDOW < small->count ? low + WINDOW : small->count, first = index, end = index + 1;
	uint64_t large_index = (address - large->base) / PL_MMU_LARGE_BYTES, bus;
	struct pl_mmu_run run = { .rights = page->rights, .system = page->system };

	while (end < high && beside_follows(walk, small, large, large_index, page, end))
		end++;
	while (first > low && beside_follows(walk, small, large, large_index, page, first - 1))
		first--;
	run.begin = small->base + first * PL_MMU_PAGE_BYTES;
	run.bytes = (end - first) * PL_MMU_PAGE_BYTES;
	bus = page->bus + run.begin - (large->base + large_index * PL_MMU_LARGE_BYTES);
	if (walk->limit - run.begin < run.bytes - 1)
		run.bytes = (walk->limit - run.begin + 1) & ~(uint64_t)(PL_MMU_PAGE_BYTES - 1);
	if (!page->system && run.bytes > walk->memory->vram_bytes - bus)
		run.bytes = walk->memory->vram_bytes - bus;
	if (!run.bytes || address - run.begin >= run.bytes)
		return PL_RG_FAULT_VSPACE_LIMIT;
	if (page->system) {
		uint32_t fault = system_map(walk, &run, bus, address);
		if (fault != NONE)
			return fault;
	} else {
		run.host = walk->memory->vram + bus;
	}
	*run_out = run;
	return NONE;
}

static uint32_t f_directory(struct pl_mmu_walk *walk, uint64_t address, uint64_t *directory_out)
{
	uint64_t directory = walk->root.address;
	const uint8_t *host;
	uint64_t entry;

	if (walk->root.kind == PL_MMU_F3) {
		host = vram_at(walk, directory, 256 * 8);
		if (!host)
			return PL_RG_FAULT_VRAM_RANGE;
		entry = entry_load(walk, host, address >> 40, 8);
		if (!(entry & 1))
			return PL_RG_FAULT_PT_NOT_PRESENT;
		directory = (entry >> 4 & F_TABLE_MASK) << 12;
	}
	host = vram_at(walk, directory, 8192 * 8);
	if (!host)
		return PL_RG_FAULT_VRAM_RANGE;
	*directory_out = entry_load(walk, host, address >> 27 & 8191, 8);
	return NONE;
}

static uint32_t f_walk(struct pl_mmu_walk *walk, uint64_t address, struct pl_mmu_run *run_out)
{
	struct table small = { .entry_bytes = 8, .page_bytes = PL_MMU_PAGE_BYTES, .decode = f_decode }, large;
	struct page page = { .fault = PL_RG_FAULT_PAGE_NOT_PRESENT };
	uint64_t directory, span;
	uint32_t fault;

	if (address >> (walk->root.kind == PL_MMU_F3 ? 48 : 40))
		return PL_RG_FAULT_VSPACE_LIMIT;
	fault = f_directory(walk, address, &directory);
	if (fault != NONE)
		return fault;
	if (!(directory & (PL_RG_PDE_SMALL | PL_RG_PDE_LARGE)))
		return PL_RG_FAULT_PT_NOT_PRESENT;
	span = F_TABLE_BYTES >> (directory >> PL_RG_PDE_SHORT_SHIFT & 3);
	if (address % F_TABLE_BYTES >= span)
		return PL_RG_FAULT_PT_TOO_SHORT;
	small.address_mask = F_TABLE_MASK << 4;
	small.address_step = 1u << 4;
	large = small;
	large.page_bytes = PL_MMU_LARGE_BYTES;
	large.address_step = PL_MMU_LARGE_BYTES / PL_MMU_PAGE_BYTES << 4;
	small.base = large.base = address - address % F_TABLE_BYTES;
	small.count = span / small.page_bytes;
	large.count = span / large.page_bytes;
	if (directory & PL_RG_PDE_SMALL) {
		small.host = vram_at(walk, (directory >> 36 & F_TABLE_MASK) << 12, small.count * 8);
		if (!small.host)
			return PL_RG_FAULT_VRAM_RANGE;
		page = page_load(walk, &small, (address - small.base) / small.page_bytes);
		if (page.present)
			return page.fault != NONE ? page.fault : run_make(walk, &small, address, &page, run_out);
	}
	if (!(directory & PL_RG_PDE_LARGE))
		return page.fault;
	large.host = vram_at(walk, (directory >> 4 & F_TABLE_MASK) << 12, large.count * 8);
	if (!large.host)
		return PL_RG_FAULT_VRAM_RANGE;
	page = page_load(walk, &large, (address - large.base) / large.page_bytes);
	if (page.fault != NONE)
		return page.fault;
	if (small.host)
		return run_make_beside(walk, &small, &large, address, &page, run_out);
	return run_make(walk, &large, address, &page, run_out);
}

static uint32_t g_walk(struct pl_mmu_walk *walk, uint64_t address, struct pl_mmu_run *run_out)
{
	struct table table = { .entry_bytes = 4,
			       .page_bytes = PL_MMU_PAGE_BYTES,
			       .count = 1024,
			       .address_mask = 0xfffff000u,
			       .address_step = PL_MMU_PAGE_BYTES,
			       .decode = g_decode };
	const uint8_t *host = table_at(walk, walk->root.system, walk->root.address, 512 * 4);
	struct page page;
	uint64_t entry;

	if (address >> 31)
		return PL_RG_FAULT_VSPACE_LIMIT;
	if (!host)
		return walk->root.system ? PL_RG_FAULT_BUS_REFUSED : PL_RG_FAULT_VRAM_RANGE;
	entry = entry_load(walk, host, address / G_TABLE_BYTES, 4);
	if (!(entry & PL_RG_G_PRESENT))
		return PL_RG_FAULT_PT_NOT_PRESENT;
	table.host = table_at(walk, !(entry & PL_RG_G_VRAM), g_address(entry), 4096);
	if (!table.host)
		return entry & PL_RG_G_VRAM ? PL_RG_FAULT_VRAM_RANGE : PL_RG_FAULT_BUS_REFUSED;
	table.base = address - address % G_TABLE_BYTES;
	page = page_load(walk, &table, (address - table.base) / table.page_bytes);
	if (page.fault != NONE)
		return page.fault;
	return run_make(walk, &table, address, &page, run_out);
}

uint32_t pl_mmu_walk(struct pl_mmu_walk *walk, uint64_t address, struct pl_mmu_run *run_out)
{
	if (address > walk->limit)
		return PL_RG_FAULT_VSPACE_LIMIT;
	if (walk->root.kind == PL_MMU_G)
		return g_walk(walk, address, run_out);
	return f_walk(walk, address, run_out);
}
