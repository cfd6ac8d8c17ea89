/* Page tables of profile F, three levels: the driver's shadow of where each table lies, and the entries themselves. */
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "hw.h"

#define DIRECTORY_SHIFT   40
#define DIRECTORY_ENTRIES 8192u
#define TABLE_SHIFT       27
#define SMALL_ENTRIES     (1u << (TABLE_SHIFT - 12))
#define LARGE_ENTRIES     (1u << (TABLE_SHIFT - 17))
#define ENTRY_BYTES       8u

static void put64(struct pl_cu_hw *hw, uint64_t address, uint64_t value)
{
	/* the device may read it at any time, and then what a table holds */
	__atomic_store_n((uint64_t *)pl_cu_vram_at(hw, address), value, __ATOMIC_RELEASE);
}

/* Called with hw->lock held, here and below.  Return: 0, or -ENOSPC. */
static int table_create(struct pl_cu_hw *hw, uint64_t bytes, uint64_t *address_out)
{
	int r = pl_cuda_space_take(&hw->vram_space, bytes, PL_CU_PAGE, address_out);
	if (!r)
		memset(pl_cu_vram_at(hw, *address_out), 0, bytes);
	return r;
}

static int directory_ensure(struct pl_cu_hw *hw, uint32_t root_index)
{
	struct pl_cu_vm *vm = &hw->vm;
	int r;
	if (vm->tables[root_index])
		return 0;
	if (!vm->root) {
		r = table_create(hw, PL_CU_PAGE, &vm->root);
		if (r)
			return r;
	}
	vm->tables[root_index] = calloc(DIRECTORY_ENTRIES, sizeof(*vm->tables[0]));
	if (!vm->tables[root_index])
		return pl_err(-ENOMEM);
	r = table_create(hw, DIRECTORY_ENTRIES * ENTRY_BYTES, &vm->directory[root_index]);
	if (r) {
		free(vm->tables[root_index]);
		vm->tables[root_index] = NULL;
		return r;
	}
	put64(hw, vm->root + root_index * ENTRY_BYTES, 1 | vm->directory[root_index] >> 12 << 4);
	return 0;
}

static int tables_ensure(struct pl_cu_hw *hw, uint64_t va, bool large, uint64_t *table_out)
{
	uint32_t root_index = (uint32_t)(va >> DIRECTORY_SHIFT), index;
	struct pl_cu_vm_tables *tables;
	uint64_t *table;
	int r = directory_ensure(hw, root_index);
	if (r)
		return r;
	index = (uint32_t)(va >> TABLE_SHIFT) % DIRECTORY_ENTRIES;
	tables = &hw->vm.tables[root_index][index];
	table = large ? &tables->large : &tables->small;
	if (!*table) {
		uint64_t entry = 0;
		r = table_create(hw, (large ? LARGE_ENTRIES : SMALL_ENTRIES) * ENTRY_BYTES, table);
		if (r) {
			*table = 0;
			return r;
		}
		if (tables->large)
			entry |= PL_RG_PDE_LARGE | tables->large >> 12 << 4;
		if (tables->small)
			entry |= PL_RG_PDE_SMALL | tables->small >> 12 << 36;
		put64(hw, hw->vm.directory[root_index] + index * ENTRY_BYTES, entry);
	}
	*table_out = *table;
	return 0;
}

static uint64_t entry_address(uint64_t table, uint64_t va, bool large)
{
	return table + (large ? (va >> 17) % LARGE_ENTRIES : (va >> 12) % SMALL_ENTRIES) * ENTRY_BYTES;
}

/* Where one size replaces the other, the other's entries must go: a small page hides a large one. */
static void hidden_clear(struct pl_cu_hw *hw, uint64_t va, bool large)
{
	uint32_t root_index = (uint32_t)(va >> DIRECTORY_SHIFT);
	struct pl_cu_vm_tables *tables;
	if (!large || !hw->vm.tables[root_index])
		return;
	tables = &hw->vm.tables[root_index][(uint32_t)(va >> TABLE_SHIFT) % DIRECTORY_ENTRIES];
	for (uint64_t at = va; tables->small && at < va + PL_CU_LARGE_PAGE; at += PL_CU_PAGE)
		put64(hw, entry_address(tables->small, at, false), 0);
}

static int map(struct pl_cu_hw *hw, uint64_t va, uint64_t address, uint64_t bytes, uint64_t bits)
{
	while (bytes) {
		bool large = !((va | address) % PL_CU_LARGE_PAGE) && bytes >= PL_CU_LARGE_PAGE;
		uint64_t step = large ? PL_CU_LARGE_PAGE : PL_CU_PAGE, table;
		int r = tables_ensure(hw, va, large, &table);
		if (r)
			return r;
		hidden_clear(hw, va, large);
		put64(hw, entry_address(table, va, large), bits | PL_RG_PTE_ADDRESS(address));
		va += step;
		address += step;
		bytes -= step;
	}
	pl_cu_reg_write(hw, PL_RG_BAR_FLUSH, 1);
	return 0;
}

static uint64_t entry_bits(uint64_t target, bool read_only)
{
	return PL_RG_PTE_PRESENT | (read_only ? PL_RG_PTE_READ_ONLY : 0) | target << PL_RG_PTE_TARGET_SHIFT;
}

int pl_cu_vm_map_vram(struct pl_cu_hw *hw, uint64_t va, uint64_t address, uint64_t bytes, bool read_only)
{
	int r;
	pthread_mutex_lock(&hw->lock);
	r = map(hw, va, address, bytes, entry_bits(PL_RG_TARGET_VRAM, read_only));
	pthread_mutex_unlock(&hw->lock);
	return r;
}

int pl_cu_vm_map_host(struct pl_cu_hw *hw, uint64_t va, void *host, uint64_t bytes, bool read_only)
{
	int r;
	pthread_mutex_lock(&hw->lock);
	r = map(hw, va, (uint64_t)(uintptr_t)host, bytes, entry_bits(PL_RG_TARGET_SNOOP, read_only));
	pthread_mutex_unlock(&hw->lock);
	return r;
}

/* A large page that goes away in part is split. */
static void split(struct pl_cu_hw *hw, struct pl_cu_vm_tables *tables, uint64_t va)
{
	uint64_t large = entry_address(tables->large, va, true);
	uint64_t entry = *(volatile uint64_t *)pl_cu_vram_at(hw, large);
	uint64_t base = va & ~(uint64_t)(PL_CU_LARGE_PAGE - 1), address, bits, table;
	if (!(entry & PL_RG_PTE_PRESENT) || tables_ensure(hw, va, false, &table))
		return;
	address = (entry >> 4 & 0xfffffff) << 12 | (entry >> 36 & 0xff) << 40;
	bits = entry & ~PL_RG_PTE_ADDRESS(UINT64_MAX);
	for (uint64_t at = 0; at < PL_CU_LARGE_PAGE; at += PL_CU_PAGE)
		put64(hw, entry_address(table, base + at, false), bits | PL_RG_PTE_ADDRESS(address + at));
	put64(hw, large, 0);
}

static void unmap(struct pl_cu_hw *hw, uint64_t va, uint64_t bytes)
{
	while (bytes) {
		uint32_t root_index = (uint32_t)(va >> DIRECTORY_SHIFT);
		bool whole = !(va % PL_CU_LARGE_PAGE) && bytes >= PL_CU_LARGE_PAGE;
		uint64_t step = whole ? PL_CU_LARGE_PAGE : PL_CU_PAGE;
		if (hw->vm.tables[root_index]) {
			struct pl_cu_vm_tables *tables =
				&hw->vm.tables[root_index][(uint32_t)(va >> TABLE_SHIFT) % DIRECTORY_ENTRIES];
			if (tables->large && !whole)
				split(hw, tables, va);
			if (tables->large && whole)
				put64(hw, entry_address(tables->large, va, true), 0);
			for (uint64_t at = va; tables->small && at < va + step; at += PL_CU_PAGE)
				put64(hw, entry_address(tables->small, at, false), 0);
		}
		va += step;
		bytes -= step;
	}
	pl_cu_reg_write(hw, PL_RG_BAR_FLUSH, 1);
}

void pl_cu_vm_clear(struct pl_cu_hw *hw, uint64_t va, uint64_t bytes)
{
	pthread_mutex_lock(&hw->lock);
	unmap(hw, va, bytes);
	pthread_mutex_unlock(&hw->lock);
}

void pl_cu_vm_unmap(struct pl_cu_hw *hw, uint64_t va, uint64_t bytes)
{
	pl_cu_vm_clear(hw, va, bytes);
	pl_cu_vm_flush(hw);
}

static bool flushed(void *arg)
{
	return pl_cu_reg_read(arg, PL_RG_TLB_STATUS) & PL_RG_TLB_IDLE;
}

void pl_cu_vm_flush(struct pl_cu_hw *hw)
{
	pthread_mutex_lock(&hw->tlb_lock);
	pl_cu_reg_write(hw, PL_RG_TLB_DIRECTORY, (uint32_t)(hw->vm.root >> 8));
	pl_cu_reg_write(hw, PL_RG_TLB_FLUSH, PL_RG_TLB_ONE);
	pthread_mutex_unlock(&hw->tlb_lock);
	while (!flushed(hw))
		sched_yield();
}
