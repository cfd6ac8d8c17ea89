/*
 * Page tables of the reference GPU that are anything.  What a TLB says is compared with a plain reading of the tables,
 * one page at a time; every byte that it says may be used is touched at its ends.
 *
 * Input: profile, limit, then steps: a table entry is changed (and all is flushed), or an address is translated.
 */
#include "fuzz.h"
#include "refgpu/device/mmu.h"
#include "refgpu/device/regs.h"

#define VRAM_BYTES   (1u << 20)
#define SYSTEM_BYTES (256u << 10)
#define BUS          0x100000000ull
#define STEPS_MAX    200
#define PAGE         4096ull
#define LARGE        (128ull << 10)

static uint8_t vram[VRAM_BYTES] __attribute__((aligned(4096)));
static uint8_t system_memory[SYSTEM_BYTES] __attribute__((aligned(4096)));

/* Pieces of 64 KiB. */
static void *dma(void *arg, uint64_t bus, uint64_t bytes, bool write, uint64_t *bytes_out)
{
	uint64_t left = (64u << 10) - bus % (64u << 10);

	(void)arg, (void)write;
	if (bus < BUS || bus - BUS >= SYSTEM_BYTES)
		return NULL;
	*bytes_out = bytes < left ? bytes : left;
	return system_memory + (bus - BUS);
}

struct answer {
	uint32_t fault;
	const uint8_t *host;
};

static struct answer no(uint32_t fault)
{
	return (struct answer){ .fault = fault };
}

static struct answer physical(bool system, uint64_t address, uint64_t page_bytes, uint64_t offset)
{
	if (!system) {
		if (address > VRAM_BYTES || page_bytes > VRAM_BYTES - address)
			return no(PL_RG_FAULT_VRAM_RANGE);
		return (struct answer){ PL_RG_FAULT_NONE, vram + address + offset };
	}
	address += offset;
	if (address < BUS || address - BUS >= SYSTEM_BYTES)
		return no(PL_RG_FAULT_BUS_REFUSED);
	return (struct answer){ PL_RG_FAULT_NONE, system_memory + (address - BUS) };
}

static bool table_fits(uint64_t address, uint64_t bytes)
{
	return address <= VRAM_BYTES && bytes <= VRAM_BYTES - address;
}

static uint64_t load(const uint8_t *at, uint32_t bytes)
{
	uint64_t value = 0;

	memcpy(&value, at, bytes);
	return value;
}

static struct answer f_entry(uint64_t entry, uint64_t page_bytes, uint64_t va, bool write)
{
	uint64_t address = ((entry >> 4 & 0xfffffff) << 12 | (entry >> 36 & 0xff) << 40) & ~(page_bytes - 1);
	uint64_t target = entry >> 33 & 3;
	struct answer answer;

	if (entry & 2)
		return no(PL_RG_FAULT_SUPERVISOR);
	if (target == 1)
		return no(PL_RG_FAULT_BAD_TARGET);
	answer = physical(target != 0, address, page_bytes, va % page_bytes);
	if (answer.fault == PL_RG_FAULT_NONE && write && entry & 4)
		return no(PL_RG_FAULT_READ_ONLY);
	return answer;
}

static struct answer f_read(const struct pl_mmu_root *root, uint64_t va, bool write)
{
	uint64_t directory = root->address, entry, span, table;

	if (va >> (root->kind == PL_MMU_F3 ? 48 : 40))
		return no(PL_RG_FAULT_VSPACE_LIMIT);
	if (root->kind == PL_MMU_F3) {
		if (!table_fits(directory, 2048))
			return no(PL_RG_FAULT_VRAM_RANGE);
		entry = load(vram + directory + (va >> 40) * 8, 8);
		if (!(entry & 1))
			return no(PL_RG_FAULT_PT_NOT_PRESENT);
		directory = (entry >> 4 & 0xfffffff) << 12;
	}
	if (!table_fits(directory, 65536))
		return no(PL_RG_FAULT_VRAM_RANGE);
	entry = load(vram + directory + (va >> 27) % 8192 * 8, 8);
	if (!(entry & (1ull << 32 | 1)))
		return no(PL_RG_FAULT_PT_NOT_PRESENT);
	span = (128ull << 20) >> (entry >> 2 & 3);
	if (va % (128ull << 20) >= span)
		return no(PL_RG_FAULT_PT_TOO_SHORT);
	if (entry >> 32 & 1) {
		uint64_t page;
		table = (entry >> 36 & 0xfffffff) << 12;
		if (!table_fits(table, span / PAGE * 8))
			return no(PL_RG_FAULT_VRAM_RANGE);
		page = load(vram + table + va % (128ull << 20) / PAGE * 8, 8);
		if (page & 1)
			return f_entry(page, PAGE, va, write);
	}
	if (!(entry & 1))
		return no(PL_RG_FAULT_PAGE_NOT_PRESENT);
	table = (entry >> 4 & 0xfffffff) << 12;
	if (!table_fits(table, span / LARGE * 8))
		return no(PL_RG_FAULT_VRAM_RANGE);
	entry = load(vram + table + va % (128ull << 20) / LARGE * 8, 8);
	return entry & 1 ? f_entry(entry, LARGE, va, write) : no(PL_RG_FAULT_PAGE_NOT_PRESENT);
}

static struct answer g_read(const struct pl_mmu_root *root, uint64_t va, bool write)
{
	struct answer table = physical(root->system, root->address, 2048, 0), answer;
	uint64_t entry, at;

	if (va >> 31)
		return no(PL_RG_FAULT_VSPACE_LIMIT);
	if (table.fault != PL_RG_FAULT_NONE)
		return table;
	entry = load(table.host + va / (4u << 20) * 4, 4);
	if (!(entry & 1))
		return no(PL_RG_FAULT_PT_NOT_PRESENT);
	at = (entry & 0xfffff000) | (entry >> 4 & 0xff) << 32;
	table = physical(!(entry & 8), at, PAGE, 0);
	if (table.fault != PL_RG_FAULT_NONE)
		return table;
	entry = load(table.host + va / PAGE % 1024 * 4, 4);
	if (!(entry & 1))
		return no(PL_RG_FAULT_PAGE_NOT_PRESENT);
	at = (entry & 0xfffff000) | (entry >> 4 & 0xff) << 32;
	answer = physical(!(entry & 8), at, PAGE, va % PAGE);
	if (answer.fault == PL_RG_FAULT_NONE && write && !(entry & 2))
		return no(PL_RG_FAULT_READ_ONLY);
	return answer;
}

static struct answer plain_read(const struct pl_mmu_root *root, uint64_t limit, uint64_t va, bool write)
{
	if (va > limit)
		return no(PL_RG_FAULT_VSPACE_LIMIT);
	return root->kind == PL_MMU_G ? g_read(root, va, write) : f_read(root, va, write);
}

static void translate(struct pl_mmu_tlb *tlb, const struct pl_mmu_root *root, uint64_t limit, uint64_t va, bool write)
{
	struct answer right = plain_read(root, limit, va, write), end;
	uint64_t room = 0;
	const uint8_t *host = pl_mmu_at(tlb, va, write ? PL_RG_WRITE : PL_RG_READ, &room);

	if (!host) {
		/* The page of the limit is cut off as a whole. */
		if (va / PAGE == limit / PAGE && tlb->fault.code == PL_RG_FAULT_VSPACE_LIMIT)
			return;
		pl_fuzz_check(right.fault == tlb->fault.code && tlb->fault.address == va);
		return;
	}
	pl_fuzz_check(right.fault == PL_RG_FAULT_NONE && right.host == host && room >= PAGE - va % PAGE);
	for (uint64_t at = 0; at < room; at += at + PAGE < room || at == room - 1 ? PAGE : room - 1 - at) {
		end = plain_read(root, limit, va + at, write);
		pl_fuzz_check(end.fault == PL_RG_FAULT_NONE && end.host == host + at);
		pl_fuzz_touch(host + at, 1);
	}
}

/* Entries: mostly sane ones, so that walks get somewhere. */
static void entry_poke(struct pl_fuzz *fuzz, const struct pl_mmu_root *root)
{
	uint32_t what = (uint32_t)pl_fuzz_number(fuzz, 1), bytes = root->kind == PL_MMU_G ? 4 : 8;
	uint64_t at = pl_fuzz_number(fuzz, 3), value = pl_fuzz_number(fuzz, bytes), count = 1 + what / 8 % 8;
	uint8_t *memory = what & 4 ? system_memory : vram;
	uint64_t memory_bytes = what & 4 ? SYSTEM_BYTES : VRAM_BYTES;

	for (uint64_t i = 0; i < count; i++) { /* and pages beside it */
		uint64_t entry = value + i * (bytes == 4 ? PAGE : what & 2 ? 32u << 4 : 1u << 4);
		memcpy(memory + (at / bytes + i) * bytes % memory_bytes, &entry, bytes);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pl_fuzz fuzz = { data, data + size };
	struct pl_mmu_root root = { 0 };
	static struct pl_mmu_tlb tlb;
	struct pl_mmu_space *space;
	struct pl_mmu *mmu;
	uint64_t limit;
	uint32_t mode = (uint32_t)pl_fuzz_number(&fuzz, 1);

	memset(vram, 0, sizeof(vram));
	memset(system_memory, 0, sizeof(system_memory));
	root.kind = (enum pl_mmu_kind)(mode % 3);
	root.system = root.kind == PL_MMU_G && mode & 4;
	root.address = (root.system ? BUS : 0) + (mode / 16) * PAGE;
	limit = mode & 8 ? pl_fuzz_number(&fuzz, 6) : UINT64_MAX;
	pl_fuzz_check(!pl_mmu_create(&mmu, vram, VRAM_BYTES, dma, NULL));
	pl_fuzz_check(!pl_mmu_space_ref(&space, mmu, &root, limit));
	pl_mmu_tlb_init(&tlb, mmu, false);
	pl_mmu_tlb_enter(&tlb, space);
	for (int i = 0; i < STEPS_MAX && pl_fuzz_left(&fuzz); i++) {
		uint32_t what = (uint32_t)pl_fuzz_number(&fuzz, 1);
		if (what & 1) {
			entry_poke(&fuzz, &root);
			pl_mmu_flush_all(mmu);
			pl_mmu_tlb_sync(&tlb);
		} else {
			translate(&tlb, &root, limit, pl_fuzz_number(&fuzz, 2 + what / 4 % 7), what & 2);
		}
	}
	pl_mmu_tlb_leave(&tlb);
	pl_mmu_tlb_fini(&tlb);
	pl_mmu_space_unref(space);
	pl_mmu_destroy(mmu);
	return 0;
}
