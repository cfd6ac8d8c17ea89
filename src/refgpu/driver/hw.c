#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "chan.h"
#include "driver.h"
#include "hw.h"
#include "refgpu/driver/engine.h"
#include "usage.h"

#define RESERVED_BYTES    (1u << 20) /* address 0 is none, and the runlists */
#define CONFIG_COMMAND    0x04u
#define COMMAND_MEMORY    0x2u
#define COMMAND_MASTER    0x4u
#define MSIX_CONTROL      (PL_RG_PCI_CAP_MSIX + 2)
#define MSIX_ENABLE       0x8000u
#define MSIX_ENTRY_BYTES  16u
#define MSIX_ENTRY_MASKED 12u

static void *dma_map(void *arg, uint64_t bus, uint64_t bytes, bool write, uint64_t *bytes_out)
{
	(void)arg, (void)write;
	*bytes_out = bytes; /* one process: a bus address is an address */
	return (void *)(uintptr_t)bus;
}

static uint64_t host_now(void *arg)
{
	(void)arg;
	return pl_now_ns();
}

/* Return: true when there was one. */
static bool fault_take(struct pl_cu_hw *hw, struct pl_cu_fault_record *record)
{
	uint32_t word[PL_RG_FAULT_WORDS];
	pthread_mutex_lock(&hw->fault_lock);
	if (!pl_cu_reg_read(hw, PL_RG_FAULT_COUNT)) {
		pthread_mutex_unlock(&hw->fault_lock);
		return false;
	}
	for (uint32_t i = 0; i < PL_RG_FAULT_WORDS; i++)
		word[i] = pl_cu_reg_read(hw, PL_RG_FAULT_RECORD + 4 * i);
	pl_cu_reg_write(hw, PL_RG_FAULT_NEXT, 1);
	pthread_mutex_unlock(&hw->fault_lock);
	*record = (struct pl_cu_fault_record){
		.fault = { .code = word[PL_RG_FW_CODE],
			   .access = word[PL_RG_FW_ACCESS],
			   .address = word[PL_RG_FW_ADDRESS] | (uint64_t)word[PL_RG_FW_ADDRESS_HIGH] << 32,
			   .pc = word[PL_RG_FW_PC] | (uint64_t)word[PL_RG_FW_PC_HIGH] << 32 },
		.channel = word[PL_RG_FW_WHO] & 0xffff,
		.engine = word[PL_RG_FW_WHO] >> 16,
	};
	memcpy(record->fault.block, word + PL_RG_FW_BLOCK, sizeof(record->fault.block));
	memcpy(record->fault.thread, word + PL_RG_FW_THREAD, sizeof(record->fault.thread));
	return true;
}

/* Return: whose channel it is, with a reference: from here on both may go.  NULL: there is none. */
static struct pl_cu_ctx *channel_died(struct pl_cu_hw *hw, uint32_t id)
{
	struct pl_cu_ctx *owner = NULL;
	struct pl_cu_chan *chan;
	pthread_mutex_lock(&hw->channels_lock);
	chan = id < PL_RG_CHANNELS ? hw->channels[id] : NULL;
	if (chan) {
		pl_cu_chan_died(chan);
		owner = pl_cu_ctx_ref(chan->owner);
	}
	pthread_mutex_unlock(&hw->channels_lock);
	return owner;
}

static void interrupt(void *arg, uint32_t vector, bool level)
{
	struct pl_cu_hw *hw = arg;
	struct pl_cu_fault_record record;
	(void)level;
	if (vector < PL_RG_VECTORS)
		pl_cu_reg_write(hw, PL_RG_INTR, 1u << vector);
	while (vector == PL_RG_VECTOR_FAULT && fault_take(hw, &record)) {
		struct pl_cu_ctx *owner = channel_died(hw, record.channel);
		if (owner && hw->on_fault)
			hw->on_fault(hw->on_fault_arg, &record, owner);
		if (owner)
			pl_cu_ctx_unref(owner);
	}
	pl_cu_hw_wake(hw);
}

static const struct pl_rg_host_ops host_ops = { .dma_map = dma_map, .interrupt = interrupt, .now = host_now };

static void interrupts_enable(struct pl_cu_hw *hw)
{
	uint32_t command = pl_rg_pci_read(hw->rg, CONFIG_COMMAND, 2);
	pl_rg_pci_write(hw->rg, CONFIG_COMMAND, 2, command | COMMAND_MEMORY | COMMAND_MASTER);
	pl_rg_pci_write(hw->rg, MSIX_CONTROL, 2, pl_rg_pci_read(hw->rg, MSIX_CONTROL, 2) | MSIX_ENABLE);
	for (uint32_t vector = 0; vector < PL_RG_VECTORS; vector++)
		pl_cu_reg_write(hw, PL_RG_MSIX_TABLE + vector * MSIX_ENTRY_BYTES + MSIX_ENTRY_MASKED, 0);
	pl_cu_reg_write(hw, PL_RG_INTR_ENABLE, (1u << PL_RG_VECTORS) - 1);
}

static uint64_t power_of_two(uint64_t value)
{
	uint64_t power = 16u << 20;
	while (power < value)
		power *= 2;
	return power;
}

static int memory_setup(struct pl_cu_hw *hw)
{
	uint64_t bytes;
	void *vram;
	int r;
	hw->user_area = hw->vram_bytes - PL_CU_USER_AREA_BYTES; /* behind it lies VRAM, in which the device keeps GET */
	pl_cu_reg_write(hw, PL_RG_USER_AREA, PL_RG_USER_AREA_ON | (uint32_t)(hw->user_area >> 12));
	if (pl_rg_bar_map(hw->rg, 1, 0, &vram, &bytes) != PL_RG_OK || bytes < hw->user_area)
		return pl_err(-EIO);
	hw->vram = vram;
	hw->runlists = PL_CU_PAGE;
	r = pl_cuda_space_give(&hw->vram_space, RESERVED_BYTES, hw->user_area - RESERVED_BYTES);
	if (r)
		return pl_trace(r);
	/* The first table makes the root, which channels need. */
	return pl_cu_vm_map_vram(hw, 1ull << 40, RESERVED_BYTES, 0, true);
}

/* Called with hw->lock held, or before anybody else has hw. */
static void usage_tell(struct pl_cu_hw *hw)
{
	atomic_store_explicit(&hw->usage->used_bytes, hw->vram_bytes - hw->vram_space.free_bytes, memory_order_relaxed);
}

int pl_cu_hw_create(struct pl_cu_hw **hw_out, const struct pl_cu_hw_config *config)
{
	struct pl_cu_hw *hw = calloc(1, sizeof(*hw));
	struct pl_rg_config rg = {
		.vram_bytes = config->vram_bytes,
		.bar1_bytes = power_of_two(config->vram_bytes),
		.sm_count = config->sm_count,
		.clock = config->virtual_clock ? PL_RG_CLOCK_VIRTUAL : PL_RG_CLOCK_HOST,
		.watchdog_ns = config->watchdog_ns,
		.compute = pl_cu_engine_ops(),
		.host = &host_ops,
		.host_arg = hw,
	};
	int r;
	if (!hw)
		return pl_err(-ENOMEM);
	hw->usage = pl_cu_usage_create(config->vram_bytes);
	rg.busy_ns = &hw->usage->busy_ns;
	pthread_mutex_init(&hw->lock, NULL);
	pthread_mutex_init(&hw->fault_lock, NULL);
	pthread_mutex_init(&hw->channels_lock, NULL);
	pthread_mutex_init(&hw->tlb_lock, NULL);
	pthread_mutex_init(&hw->kill_lock, NULL);
	hw->vram_bytes = config->vram_bytes;
	hw->sm_count = config->sm_count;
	hw->watchdog_ns = config->watchdog_ns;
	r = pl_rg_create(&hw->rg, &rg);
	if (!r)
		r = memory_setup(hw);
	if (r) {
		pl_cu_hw_destroy(hw);
		return pl_trace(r);
	}
	interrupts_enable(hw);
	usage_tell(hw);
	*hw_out = hw;
	return 0;
}

void pl_cu_hw_destroy(struct pl_cu_hw *hw)
{
	if (!hw)
		return;
	pl_rg_destroy(hw->rg);
	for (size_t i = 0; i < sizeof(hw->vm.tables) / sizeof(hw->vm.tables[0]); i++)
		free(hw->vm.tables[i]);
	pl_cuda_space_fini(&hw->vram_space);
	pthread_mutex_destroy(&hw->lock);
	pthread_mutex_destroy(&hw->kill_lock);
	pthread_mutex_destroy(&hw->fault_lock);
	pthread_mutex_destroy(&hw->channels_lock);
	pthread_mutex_destroy(&hw->tlb_lock);
	free(hw);
}

/* Large pages where the size allows it. */
static int extent_take(struct pl_cu_hw *hw, uint64_t bytes, struct pl_cu_extent *extent)
{
	uint64_t align = bytes >= PL_CU_LARGE_PAGE ? PL_CU_LARGE_PAGE : PL_CU_PAGE;
	extent->bytes = bytes;
	if (!pl_cuda_space_take(&hw->vram_space, bytes, align, &extent->address))
		return 0;
	return pl_cuda_space_take_some(&hw->vram_space, bytes, PL_CU_PAGE, &extent->address, &extent->bytes);
}

int pl_cu_vram_take(struct pl_cu_hw *hw, uint64_t bytes, struct pl_cu_extents *extents_out)
{
	struct pl_cu_extents extents = { 0 };
	int r = 0;
	pthread_mutex_lock(&hw->lock);
	if (bytes > hw->vram_space.free_bytes)
		r = -ENOSPC;
	while (!r && bytes) {
		struct pl_cu_extent *more = realloc(extents.extent, (extents.n + 1) * sizeof(*more));
		if (!more) {
			r = pl_err(-ENOMEM);
			break;
		}
		extents.extent = more;
		r = extent_take(hw, bytes, &more[extents.n]);
		if (!r)
			bytes -= more[extents.n++].bytes;
	}
	usage_tell(hw);
	pthread_mutex_unlock(&hw->lock);
	if (r)
		pl_cu_vram_give(hw, &extents);
	else
		*extents_out = extents;
	return r;
}

void pl_cu_vram_give(struct pl_cu_hw *hw, struct pl_cu_extents *extents)
{
	for (uint32_t i = 0; i < extents->n; i++)
		madvise(hw->vram + extents->extent[i].address, extents->extent[i].bytes, MADV_DONTNEED);
	pthread_mutex_lock(&hw->lock);
	for (uint32_t i = 0; i < extents->n; i++)
		(void)pl_cuda_space_give(&hw->vram_space, extents->extent[i].address, extents->extent[i].bytes);
	usage_tell(hw);
	pthread_mutex_unlock(&hw->lock);
	free(extents->extent);
	*extents = (struct pl_cu_extents){ 0 };
}

uint64_t pl_cu_vram_free_bytes(struct pl_cu_hw *hw)
{
	uint64_t bytes;
	pthread_mutex_lock(&hw->lock);
	bytes = hw->vram_space.free_bytes;
	pthread_mutex_unlock(&hw->lock);
	return bytes;
}

void *pl_cu_sys_alloc(struct pl_cu_hw *hw, uint64_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return NULL;
	if (pl_cu_vm_map_host(hw, (uint64_t)(uintptr_t)memory, memory, bytes, false)) {
		munmap(memory, bytes);
		return NULL;
	}
	return memory;
}

void pl_cu_sys_free(struct pl_cu_hw *hw, void *memory, uint64_t bytes)
{
	if (!memory)
		return;
	pl_cu_vm_unmap(hw, (uint64_t)(uintptr_t)memory, bytes);
	munmap(memory, bytes);
}
