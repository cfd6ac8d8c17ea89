/* Registers, a range per class; each class has a counter of reads and, behind it, one of writes. */
#include <string.h>

#include "refgpu/device/rg.h"

struct reg_class {
	uint32_t begin, end;
	enum pl_rg_counter reads;
	/* Return: there is such a register. */
	bool (*read)(struct pl_rg *rg, uint32_t offset, uint32_t *value_out);
	bool (*write)(struct pl_rg *rg, uint32_t offset, uint32_t value);
};

/* -- identity, interrupts, reset ----------------------------------------------------------------------------------- */

static bool master_read(struct pl_rg *rg, uint32_t offset, uint32_t *value_out)
{
	if (offset == PL_RG_ID)
		*value_out = PL_RG_ID_VALUE;
	else if (offset == PL_RG_INTR || offset == PL_RG_INTR_ENABLE)
		*value_out = pl_rg_intr_get(rg, offset);
	else if (offset == PL_RG_ENABLE)
		*value_out = rg->enable;
	else
		return false;
	return true;
}

static bool master_write(struct pl_rg *rg, uint32_t offset, uint32_t value)
{
	if (offset == PL_RG_INTR || offset == PL_RG_INTR_ENABLE) {
		pthread_mutex_unlock(&rg->lock); /* the embedder is called */
		pl_rg_intr_set(rg, offset, value);
		pthread_mutex_lock(&rg->lock);
		return true;
	}
	if (offset == PL_RG_ENABLE)
		pl_rg_enable_write(rg, value);
	return offset == PL_RG_ENABLE || offset == PL_RG_ID;
}

/* -- runlists, faults, kill ---------------------------------------------------------------------------------------- */

static bool fault_read(struct pl_rg *rg, uint32_t offset, uint32_t *value_out)
{
	uint32_t word = (offset - PL_RG_FAULT_RECORD) / 4, unit = (offset - PL_RG_FAULT_UNIT(0)) / 0x10;

	if (offset >= PL_RG_FAULT_UNIT(0) && unit < PL_RG_ENGINES)
		*value_out = rg->units[unit].unit_fault[offset / 4 % 4];
	else if (offset == PL_RG_FAULT_COUNT)
		*value_out = rg->fault_count;
	else if (offset >= PL_RG_FAULT_RECORD && word < PL_RG_FAULT_WORDS)
		*value_out = rg->fault_count ? rg->faults[rg->fault_first][word] : UINT32_MAX;
	else
		return offset == PL_RG_FAULT_NEXT;
	return true;
}

static bool fifo_read(struct pl_rg *rg, uint32_t offset, uint32_t *value_out)
{
	switch (offset) {
	case PL_RG_USER_AREA:
		*value_out = atomic_load(&rg->user_area);
		return true;
	case PL_RG_RUNLIST:
		*value_out = rg->runlist;
		return true;
	case PL_RG_RUNLIST_UPDATE:
		return true;
	case PL_RG_CHANNEL_ERROR:
		*value_out = rg->channel_error;
		return true;
	case PL_RG_FAULT_UNITS:
		*value_out = rg->fault_units;
		return true;
	case PL_RG_KILL:
		*value_out = rg->killed;
		if (atomic_load(&rg->channels[rg->killed].flags) & PL_RG_CF_LOADED)
			*value_out |= PL_RG_KILL_BUSY;
		return true;
	default:
		return fault_read(rg, offset, value_out);
	}
}

static bool fifo_write(struct pl_rg *rg, uint32_t offset, uint32_t value)
{
	switch (offset) {
	case PL_RG_USER_AREA:
		atomic_store(&rg->user_area, value);
		return true;
	case PL_RG_RUNLIST:
		rg->runlist = value;
		return true;
	case PL_RG_RUNLIST_UPDATE:
		pl_rg_runlist_update(rg, value);
		return true;
	case PL_RG_CHANNEL_ERROR:
		rg->channel_error = 0;
		return true;
	case PL_RG_FAULT_UNITS:
		rg->fault_units &= ~value;
		return true;
	case PL_RG_KILL:
		if (value < PL_RG_CHANNELS)
			pl_rg_channel_kill(rg, value);
		return true;
	case PL_RG_FAULT_NEXT:
		if (rg->fault_count) {
			rg->fault_first = (rg->fault_first + 1) % PL_RG_FAULT_QUEUE;
			rg->fault_count--;
		}
		return true;
	default:
		return false;
	}
}

/* -- channel table ------------------------------------------------------------------------------------------------- */

static bool channel_read(struct pl_rg *rg, uint32_t offset, uint32_t *value_out)
{
	uint32_t id = (offset - PL_RG_CHANNEL(0)) / 8;

	*value_out = offset % 8 ? pl_rg_channel_state(rg, id) : pl_rg_channel_read(rg, id);
	return true;
}

static bool channel_write(struct pl_rg *rg, uint32_t offset, uint32_t value)
{
	uint32_t id = (offset - PL_RG_CHANNEL(0)) / 8;

	if (offset % 8)
		pl_rg_channel_run(rg, id, value & PL_RG_CS_RUNNABLE);
	else
		pl_rg_channel_write(rg, id, value);
	return true;
}

/* -- TLB, apertures ------------------------------------------------------------------------------------------------ */

static bool mmu_read(struct pl_rg *rg, uint32_t offset, uint32_t *value_out)
{
	switch (offset) {
	case PL_RG_WINDOW:
		*value_out = atomic_load(&rg->window);
		return true;
	case PL_RG_BAR1_INSTANCE:
	case PL_RG_BAR3_INSTANCE:
		*value_out = pl_rg_aperture_get(rg, offset == PL_RG_BAR3_INSTANCE);
		return true;
	case PL_RG_TLB_STATUS:
		*value_out = 0x00ff0000u | (pl_mmu_flush_done(rg->mmu) ? PL_RG_TLB_IDLE : 0);
		return true;
	case PL_RG_TLB_DIRECTORY:
		*value_out = rg->directory;
		return true;
	default:
		return offset == PL_RG_TLB_FLUSH || offset == PL_RG_BAR_FLUSH;
	}
}

static bool mmu_write(struct pl_rg *rg, uint32_t offset, uint32_t value)
{
	switch (offset) {
	case PL_RG_WINDOW:
		atomic_store(&rg->window, value);
		return true;
	case PL_RG_BAR1_INSTANCE:
	case PL_RG_BAR3_INSTANCE:
		pl_rg_aperture_set(rg, offset == PL_RG_BAR3_INSTANCE, value);
		return true;
	case PL_RG_TLB_DIRECTORY:
		rg->directory = value;
		return true;
	case PL_RG_TLB_FLUSH:
		pl_rg_count(rg, PL_RG_C_flush_requests, 1);
		if (value == PL_RG_TLB_ALL)
			pl_mmu_flush_all(rg->mmu);
		else if (value == PL_RG_TLB_ONE || value == PL_RG_TLB_BAR)
			pl_mmu_flush(rg->mmu, (uint64_t)rg->directory << 8);
		return true;
	case PL_RG_BAR_FLUSH:
		pl_barrier();
		return true;
	default:
		return false;
	}
}

/* -- engines, time, sizes ------------------------------------------------------------------------------------------ */

static uint32_t status_of(const struct pl_rg *rg)
{
	const uint32_t busy = PL_RG_CS_LOADED | PL_RG_CS_PENDING;
	uint32_t value = 0;

	for (uint32_t id = 0; id < PL_RG_CHANNELS; id++) {
		uint32_t state = pl_rg_channel_state(rg, id), engine = state >> PL_RG_CS_ENGINE_SHIFT & 0x1f;
		if (state & PL_RG_CS_LOADED || (state & busy && !(state & PL_RG_CS_ACQUIRE)))
			value |= 1u << engine;
		else if (state & PL_RG_CS_ACQUIRE)
			value |= 1u << (8 + engine);
	}
	return value;
}

static bool time_read(struct pl_rg *rg, uint32_t offset, uint32_t *value_out)
{
	uint64_t now = pl_rg_now(rg);

	*value_out = offset == PL_RG_TIME_LOW ? (uint32_t)now : (uint32_t)(now >> 32);
	return true;
}

static uint32_t features_of(const struct pl_rg *rg)
{
	return PL_RG_FEATURE_F | PL_RG_FEATURE_G | (pl_rg_virtual(rg) ? PL_RG_FEATURE_VIRTUAL : 0) |
	       (rg->compute ? PL_RG_FEATURE_LAUNCH : 0);
}

static bool engine_read(struct pl_rg *rg, uint32_t offset, uint32_t *value_out)
{
	uint64_t limit_ns = atomic_load(&rg->watchdog.limit_ns);

	switch (offset) {
	case PL_RG_TIME_LOW:
	case PL_RG_TIME_HIGH:
		return time_read(rg, offset, value_out);
	case PL_RG_VRAM_MIB:
		*value_out = (uint32_t)(rg->config.vram_bytes >> 20);
		return true;
	case PL_RG_STATUS:
		*value_out = status_of(rg);
		return true;
	case PL_RG_INFO:
		*value_out = PL_RG_INFO_VALUE;
		return true;
	case PL_RG_INFO_SMS:
		*value_out = rg->config.sm_count;
		return true;
	case PL_RG_INFO_FEATURES:
		*value_out = features_of(rg);
		return true;
	case PL_RG_WATCHDOG_LOW:
	case PL_RG_WATCHDOG_HIGH:
		*value_out = (uint32_t)(offset == PL_RG_WATCHDOG_LOW ? limit_ns : limit_ns >> 32);
		return true;
	case PL_RG_INFO_INSTRUCTION_PS:
		*value_out = rg->config.virtual_instruction_ps;
		return true;
	case PL_RG_INFO_BYTE_PS:
		*value_out = rg->config.virtual_byte_ps;
		return true;
	case PL_RG_INFO_SUBMISSION_NS:
		*value_out = rg->config.virtual_submission_ns;
		return true;
	default:
		return false;
	}
}

static bool engine_write(struct pl_rg *rg, uint32_t offset, uint32_t value)
{
	uint64_t limit_ns = atomic_load(&rg->watchdog.limit_ns), word;

	if (offset != PL_RG_WATCHDOG_LOW && offset != PL_RG_WATCHDOG_HIGH)
		return engine_read(rg, offset, &value); /* the rest is read-only */
	word = offset == PL_RG_WATCHDOG_LOW ? 0 : 32;
	limit_ns = (limit_ns & ~(0xffffffffull << word)) | (uint64_t)value << word;
	pl_rg_watchdog_set(rg, limit_ns);
	return true;
}

/* -- counters, MSI-X ----------------------------------------------------------------------------------------------- */

static bool counter_read(struct pl_rg *rg, uint32_t offset, uint32_t *value_out)
{
	uint32_t i = (offset - PL_RG_COUNTERS) / 8;
	struct pl_rg_stats stats;
	uint64_t value;

	if (i >= PL_RG_COUNTER_COUNT)
		return false;
	if (offset % 8) {
		*value_out = atomic_load(&rg->counter_high);
		return true;
	}
	pl_rg_stats(rg, &stats);
	memcpy(&value, (const char *)&stats + (size_t)i * sizeof(value), sizeof(value));
	atomic_store(&rg->counter_high, (uint32_t)(value >> 32));
	*value_out = (uint32_t)value;
	return true;
}

static bool counter_write(struct pl_rg *rg, uint32_t offset, uint32_t value)
{
	(void)rg, (void)value;
	return (offset - PL_RG_COUNTERS) / 8 < PL_RG_COUNTER_COUNT; /* read-only */
}

static bool vector_write(struct pl_rg *rg, uint32_t offset, uint32_t value)
{
	bool good;

	pthread_mutex_unlock(&rg->lock); /* the embedder is called */
	good = pl_rg_msix_write(rg, offset, value);
	pthread_mutex_lock(&rg->lock);
	return good;
}

/* Called with rg->lock held, like all of these. */
static const struct reg_class classes[] = {
	{ 0x000000, 0x001000, PL_RG_C_reads_master, master_read, master_write },
	{ 0x001700, 0x001800, PL_RG_C_reads_mmu, mmu_read, mmu_write },
	{ 0x002000, 0x003000, PL_RG_C_reads_fifo, fifo_read, fifo_write },
	{ PL_RG_CHANNEL(0), PL_RG_CHANNEL(PL_RG_CHANNELS), PL_RG_C_reads_channel, channel_read, channel_write },
	{ 0x009000, 0x00a000, PL_RG_C_reads_engine, engine_read, engine_write },
	{ PL_RG_BAR_FLUSH, PL_RG_BAR_FLUSH + 4, PL_RG_C_reads_mmu, mmu_read, mmu_write },
	{ 0x100c00, 0x100d00, PL_RG_C_reads_mmu, mmu_read, mmu_write },
	{ 0x10f000, 0x110000, PL_RG_C_reads_engine, engine_read, engine_write },
	{ 0x400000, 0x401000, PL_RG_C_reads_engine, engine_read, engine_write },
	{ 0xd00000, 0xd01000, PL_RG_C_reads_engine, engine_read, engine_write },
	{ PL_RG_COUNTERS, PL_RG_COUNTERS + 0x10000, PL_RG_C_reads_counter, counter_read, counter_write },
	{ PL_RG_MSIX_TABLE, PL_RG_MSIX_TABLE + 0x10000, PL_RG_C_reads_vector, pl_rg_msix_read, vector_write },
};

static const struct reg_class *class_of(uint32_t offset)
{
	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		if (offset >= classes[i].begin && offset < classes[i].end)
			return &classes[i];
	}
	return NULL;
}

static uint32_t *window_at(struct pl_rg *rg, uint32_t offset)
{
	uint64_t address = ((uint64_t)atomic_load(&rg->window) << 16) + (offset - PL_RG_WINDOW_DATA);

	return (uint32_t *)(void *)pl_rg_vram(rg, address, 4);
}

static bool in_window(uint32_t offset)
{
	return offset >= PL_RG_WINDOW_DATA && offset < PL_RG_WINDOW_DATA + PL_RG_WINDOW_BYTES;
}

/* offset: a multiple of 4 below PL_RG_BAR0_BYTES; the same for writes. */
uint32_t pl_rg_bar0_read(struct pl_rg *rg, uint32_t offset)
{
	const struct reg_class *class = class_of(offset);
	const uint32_t *window;
	uint32_t value = 0;
	bool known = false;

	if (in_window(offset)) {
		pl_rg_count(rg, PL_RG_C_reads_window, 1);
		window = window_at(rg, offset);
		return window ? __atomic_load_n(window, __ATOMIC_ACQUIRE) : UINT32_MAX;
	}
	if (pl_rg_virtual(rg))
		pl_rg_pump(rg);
	if (class) {
		pthread_mutex_lock(&rg->lock);
		known = class->read(rg, offset, &value);
		pthread_mutex_unlock(&rg->lock);
	}
	pl_rg_count(rg, known ? class->reads : PL_RG_C_reads_unknown, 1);
	return value;
}

void pl_rg_bar0_write(struct pl_rg *rg, uint32_t offset, uint32_t value)
{
	const struct reg_class *class = class_of(offset);
	uint32_t *window;
	bool known = false;

	if (in_window(offset)) {
		pl_rg_count(rg, PL_RG_C_writes_window, 1);
		window = window_at(rg, offset);
		if (window)
			__atomic_store_n(window, value, __ATOMIC_RELEASE);
		return;
	}
	if (class) {
		pthread_mutex_lock(&rg->lock);
		known = class->write(rg, offset, value);
		pthread_mutex_unlock(&rg->lock);
	}
	pl_rg_count(rg, known ? class->reads + 1 : PL_RG_C_writes_unknown, 1);
	if (pl_rg_virtual(rg))
		pl_rg_pump(rg);
}
