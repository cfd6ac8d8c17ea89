#include "rig.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>

#define PAGE       4096ull
#define LARGE      (128ull << 10)
#define GIVE_UP_NS 20000000000ull

/* -- host --------------------------------------------------------------------------------------------------------- */

uint8_t *rig_system_at(struct rig *rig, uint64_t bus)
{
	uint64_t offset = bus - RIG_BUS;

	if (rig->scattered)
		offset = (RIG_SYSTEM_BYTES / PAGE - 1 - offset / PAGE) * PAGE + offset % PAGE;
	return rig->system + offset;
}

static void *dma_map(void *arg, uint64_t bus, uint64_t bytes, bool write, uint64_t *bytes_out)
{
	struct rig *rig = arg;
	uint64_t left;

	(void)write;
	if (bus < RIG_BUS || bus - RIG_BUS >= RIG_SYSTEM_BYTES) {
		atomic_fetch_add(&rig->refused, 1);
		return NULL;
	}
	left = rig->scattered ? PAGE - bus % PAGE : RIG_SYSTEM_BYTES - (bus - RIG_BUS);
	*bytes_out = bytes < left ? bytes : left;
	return rig_system_at(rig, bus);
}

static void interrupt(void *arg, uint32_t vector, bool level)
{
	struct rig *rig = arg;

	if (vector == PL_RG_VECTOR_LINE) {
		atomic_store(&rig->line, level);
		vector = PL_RG_VECTORS;
	}
	atomic_fetch_add(&rig->signals[vector], 1);
}

static uint64_t now(void *arg)
{
	(void)arg;
	return pl_now_ns();
}

static const struct pl_rg_host_ops host_ops = { dma_map, interrupt, now };

/* -- compute engine ------------------------------------------------------------------------------------------------ */

struct pl_rg_compute {
	struct pl_mmu_tlb tlb;
};

static int compute_create(struct pl_rg_compute **compute_out, const struct pl_rg_compute_config *config)
{
	struct pl_rg_compute *compute = calloc(1, sizeof(*compute));

	if (!compute)
		return -ENOMEM;
	pl_mmu_tlb_init(&compute->tlb, config->mmu, false);
	*compute_out = compute;
	return 0;
}

static void compute_destroy(struct pl_rg_compute *compute)
{
	if (!compute)
		return;
	pl_mmu_tlb_fini(&compute->tlb);
	free(compute);
}

/* Return: 0, or why it has to stop. */
static uint32_t burn(const struct pl_rg_launch *launch, struct pl_rg_launch_result *result)
{
	uint32_t stop = atomic_load(launch->stop);

	result->instructions++;
	if (launch->instructions_max && result->instructions >= launch->instructions_max)
		return PL_RG_FAULT_WATCHDOG;
	return stop;
}

_Atomic uint64_t rig_turns;

static void run(struct pl_mmu_tlb *tlb, const struct pl_rg_launch *launch, struct pl_rg_launch_result *result)
{
	enum pl_rg_access access = PL_RG_READ;
	struct rig_launch job;
	uint32_t stop = 0, *at;
	uint64_t room;

	at = pl_mmu_at(tlb, launch->descriptor, PL_RG_READ, &room);
	if (!at) {
		result->fault = tlb->fault;
		return;
	}
	memcpy(&job, at, sizeof(job));
	if (job.what == RIG_FAULT) {
		result->fault = (struct pl_rg_fault){ .code = job.value,
						      .access = PL_RG_WRITE,
						      .address = job.address,
						      .pc = 0x1230,
						      .block = { 1, 2, 3 },
						      .thread = { 4, 5, 6 } };
		return;
	}
	if (job.what == RIG_STORE)
		access = PL_RG_WRITE;
	for (uint64_t i = 0; !stop; i++) {
		pl_mmu_tlb_sync(tlb);
		at = job.what == RIG_SPIN || job.what == RIG_BURN ? NULL : pl_mmu_at(tlb, job.address, access, &room);
		if (!at && job.what != RIG_SPIN && job.what != RIG_BURN) {
			result->fault = tlb->fault;
			return;
		}
		stop = burn(launch, result);
		if (job.what == RIG_STORE)
			__atomic_store_n(at, job.value, __ATOMIC_RELEASE);
		if (job.what <= RIG_LOAD || (job.what == RIG_BURN && i + 1 >= job.value) ||
		    (job.what == RIG_SPIN_WHILE && __atomic_load_n(at, __ATOMIC_ACQUIRE) != job.value))
			return;
		atomic_fetch_add(&rig_turns, 1);
		if (!launch->instruction_ps)
			sched_yield();
	}
	result->fault.code = stop;
}

static void compute_launch(struct pl_rg_compute *compute, const struct pl_rg_launch *launch,
			   struct pl_rg_launch_result *result_out)
{
	pl_mmu_tlb_enter(&compute->tlb, launch->space);
	run(&compute->tlb, launch, result_out);
	pl_mmu_tlb_leave(&compute->tlb);
	result_out->blocks = result_out->warps = 1;
}

const struct pl_rg_compute_ops rig_compute_ops = { compute_create, compute_destroy, compute_launch };

/* -- device -------------------------------------------------------------------------------------------------------- */

void rig_create_as(struct rig *rig, const struct pl_rg_config *config)
{
	uint64_t bytes;
	void *vram;

	*rig = (struct rig){ .config = *config };
	rig->config.host = &host_ops;
	rig->config.host_arg = rig;
	rig->system = mmap(NULL, RIG_SYSTEM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert(rig->system != MAP_FAILED);
	assert(pl_rg_create(&rig->rg, &rig->config) == 0);
	assert(pl_rg_bar_map(rig->rg, 1, 0, &vram, &bytes) == PL_RG_OK);
	rig->vram = vram;
	rig_write(rig, PL_RG_USER_AREA, PL_RG_USER_AREA_ON); /* channel c's user page is VRAM page c */
	rig->vram_used = (uint64_t)PL_RG_CHANNELS * PL_RG_USER_BYTES;
}

void rig_create(struct rig *rig, enum pl_rg_clock clock)
{
	struct pl_rg_config config = {
		.vram_bytes = 64u << 20, .sm_count = 1, .clock = clock, .compute = &rig_compute_ops
	};

	rig_create_as(rig, &config);
}

void rig_destroy(struct rig *rig)
{
	pl_rg_destroy(rig->rg);
	munmap(rig->system, RIG_SYSTEM_BYTES);
}

uint32_t rig_read(struct rig *rig, uint32_t reg)
{
	return (uint32_t)pl_rg_bar_read(rig->rg, 0, reg, 4);
}

void rig_write(struct rig *rig, uint32_t reg, uint32_t value)
{
	pl_rg_bar_write(rig->rg, 0, reg, 4, value);
}

uint64_t rig_vram(struct rig *rig, uint64_t bytes)
{
	uint64_t at = (rig->vram_used + LARGE - 1) / LARGE * LARGE;

	rig->vram_used = at + bytes;
	assert(rig->vram_used <= rig->config.vram_bytes);
	return at;
}

void rig_poke64(struct rig *rig, uint64_t address, uint64_t value)
{
	__atomic_store_n((uint64_t *)(void *)(rig->vram + address), value, __ATOMIC_RELEASE);
}

void rig_poke32(struct rig *rig, uint64_t address, uint32_t value)
{
	__atomic_store_n((uint32_t *)(void *)(rig->vram + address), value, __ATOMIC_RELEASE);
}

static uint64_t peek64(struct rig *rig, uint64_t address)
{
	return __atomic_load_n((uint64_t *)(void *)(rig->vram + address), __ATOMIC_RELAXED);
}

/* -- page tables --------------------------------------------------------------------------------------------------- */

/* Tables of G: 4 KiB each, in system memory from its end, or in VRAM. */
static uint64_t g_table(struct rig_space *space)
{
	if (space->mode == PL_RG_MODE_G)
		return rig_vram(space->rig, PAGE);
	space->tables_used += PAGE;
	return RIG_BUS + RIG_SYSTEM_BYTES - space->tables_used;
}

static uint32_t *g_at(struct rig_space *space, uint64_t address)
{
	if (space->mode == PL_RG_MODE_G)
		return (uint32_t *)(void *)(space->rig->vram + address);
	return (uint32_t *)(void *)rig_system_at(space->rig, address);
}

void rig_space(struct rig_space *space, struct rig *rig, uint32_t mode)
{
	*space = (struct rig_space){ .rig = rig, .mode = mode, .limit = (1ull << 48) - 1 };
	if (mode >= PL_RG_MODE_G)
		space->directory = g_table(space);
	else
		space->directory = rig_vram(rig, 64u << 10);
}

/* Where the F entry of an address is; tables are made where none are. */
static uint64_t f_entry(struct rig_space *space, uint64_t va, bool large)
{
	struct rig *rig = space->rig;
	uint64_t directory = space->directory, at, entry;

	if (space->mode == PL_RG_MODE_F3) {
		at = directory + (va >> 40) * 8;
		if (!peek64(rig, at))
			rig_poke64(rig, at, (rig_vram(rig, 64u << 10) >> 12) << 4 | 1);
		directory = peek64(rig, at) >> 4 << 12;
	}
	at = directory + (va >> 27 & 8191) * 8;
	entry = peek64(rig, at);
	if (large && !(entry & PL_RG_PDE_LARGE))
		entry |= PL_RG_PDE_LARGE | (rig_vram(rig, 8u << 10) >> 12) << 4;
	if (!large && !(entry & PL_RG_PDE_SMALL))
		entry |= PL_RG_PDE_SMALL | (rig_vram(rig, 256u << 10) >> 12) << 36;
	rig_poke64(rig, at, entry);
	if (large)
		return ((entry >> 4 & 0xfffffff) << 12) + (va >> 17 & 1023) * 8;
	return ((entry >> 36) << 12) + (va >> 12 & 32767) * 8;
}

static void g_put(struct rig_space *space, uint64_t va, uint32_t value)
{
	uint32_t *entry = g_at(space, space->directory) + va / (4u << 20);
	uint32_t old = __atomic_load_n(entry, __ATOMIC_RELAXED);
	uint64_t table;

	if (!old) {
		table = g_table(space);
		old = PL_RG_G_ADDRESS(table) | PL_RG_G_PRESENT | (space->mode == PL_RG_MODE_G ? PL_RG_G_VRAM : 0);
		__atomic_store_n(entry, old, __ATOMIC_RELEASE);
	}
	table = (old & 0xfffff000u) | (uint64_t)(old >> 4 & 0xff) << 32;
	__atomic_store_n(g_at(space, table) + (va / PAGE & 1023), value, __ATOMIC_RELEASE);
}

static void page_put(struct rig_space *space, uint64_t va, uint64_t address, uint32_t flags, bool present)
{
	uint64_t entry = 0;

	if (space->mode >= PL_RG_MODE_G) {
		uint32_t small = PL_RG_G_ADDRESS(address) | PL_RG_G_PRESENT;
		if (!(flags & RIG_READ_ONLY))
			small |= PL_RG_G_WRITABLE;
		if (!(flags & RIG_SYSTEM))
			small |= PL_RG_G_VRAM;
		g_put(space, va, present ? small : 0);
		return;
	}
	if (present)
		entry = PL_RG_PTE_PRESENT | PL_RG_PTE_ADDRESS(address);
	if (flags & RIG_READ_ONLY)
		entry |= PL_RG_PTE_READ_ONLY;
	if (flags & RIG_SUPERVISOR)
		entry |= PL_RG_PTE_SUPERVISOR;
	if (flags & RIG_SYSTEM)
		entry |= PL_RG_TARGET_SNOOP << PL_RG_PTE_TARGET_SHIFT;
	rig_poke64(space->rig, f_entry(space, va, flags & RIG_LARGE), entry);
}

static void pages_put(struct rig_space *space, uint64_t va, uint64_t address, uint64_t bytes, uint32_t flags,
		      bool present)
{
	uint64_t page = flags & RIG_LARGE && space->mode < PL_RG_MODE_G ? LARGE : PAGE;

	for (uint64_t i = 0; i < bytes; i += page)
		page_put(space, va + i, address + i, flags, present);
}

void rig_map(struct rig_space *space, uint64_t va, uint64_t address, uint64_t bytes, uint32_t flags)
{
	pages_put(space, va, address, bytes, flags, true);
}

void rig_unmap(struct rig_space *space, uint64_t va, uint64_t bytes, uint32_t flags)
{
	pages_put(space, va, 0, bytes, flags, false);
}

void rig_flush(struct rig_space *space)
{
	rig_write(space->rig, PL_RG_TLB_DIRECTORY, (uint32_t)(space->directory >> 8));
	rig_write(space->rig, PL_RG_TLB_FLUSH, PL_RG_TLB_ONE);
	while (!(rig_read(space->rig, PL_RG_TLB_STATUS) & PL_RG_TLB_IDLE))
		sched_yield();
}

/* -- channels ------------------------------------------------------------------------------------------------------ */

void rig_runlist(struct rig *rig, uint32_t engine, const uint32_t *ids, uint32_t count)
{
	uint64_t list = rig_vram(rig, PAGE);

	for (uint32_t i = 0; i < count; i++)
		rig_poke64(rig, list + 8ull * i, ids[i] | 4ull << 32);
	rig_write(rig, PL_RG_RUNLIST, (uint32_t)(list >> 12));
	rig_write(rig, PL_RG_RUNLIST_UPDATE, engine << 20 | count);
}

static void instance_put(struct rig_channel *channel, struct rig_space *space)
{
	struct rig *rig = channel->rig;
	uint64_t at = channel->instance;

	rig_poke64(rig, at + PL_RG_INST_USER, channel->user);
	rig_poke32(rig, at + PL_RG_INST_MAGIC, PL_RG_INST_MAGIC_VALUE);
	rig_poke64(rig, at + PL_RG_INST_RING, (channel->push_va - PAGE) | (uint64_t)RIG_RING_ORDER << 48);
	rig_poke32(rig, at + PL_RG_INST_ENGINE, channel->engine);
	rig_poke64(rig, at + PL_RG_INST_DIRECTORY, space->directory);
	rig_poke64(rig, at + PL_RG_INST_LIMIT, space->limit);
	rig_poke32(rig, at + PL_RG_INST_MODE, space->mode);
}

void rig_channel(struct rig_channel *channel, struct rig_space *space, uint32_t id, uint32_t engine)
{
	struct rig *rig = space->rig;
	uint64_t control = RIG_CONTROL + id * (64ull << 10);
	uint32_t ids[PL_RG_CHANNELS], count = 0;

	*channel = (struct rig_channel){ .rig = rig, .id = id, .engine = engine };
	channel->instance = rig_vram(rig, PAGE);
	channel->user = (uint64_t)id * PL_RG_USER_BYTES;
	channel->ring = rig_vram(rig, 64u << 10);
	channel->push = channel->ring + PAGE;
	channel->push_va = control + PAGE;
	rig_map(space, control, channel->ring, 64u << 10, 0);
	rig_flush(space);
	instance_put(channel, space);
	rig_write(rig, PL_RG_CHANNEL(id), PL_RG_CHANNEL_VALID | (uint32_t)(channel->instance >> 12));
	for (uint32_t i = 0; i < PL_RG_CHANNELS; i++) {
		uint32_t state = rig_read(rig, PL_RG_CHANNEL_STATE(i));
		if (rig_read(rig, PL_RG_CHANNEL(i)) && (state >> PL_RG_CS_ENGINE_SHIFT & 0x1f) == engine)
			ids[count++] = i;
	}
	rig_runlist(rig, engine, ids, count);
	rig_write(rig, PL_RG_CHANNEL_STATE(id), PL_RG_CS_RUNNABLE);
}

static uint32_t place(const struct rig_channel *channel)
{
	return channel->put % (1u << RIG_RING_ORDER);
}

void rig_begin(struct rig_channel *channel)
{
	uint64_t at = channel->push + place(channel) * (PAGE / 2);

	channel->words = (uint32_t *)(void *)(channel->rig->vram + at);
	channel->count = 0;
}

void rig_word(struct rig_channel *channel, uint32_t word)
{
	assert(channel->count < RIG_PUSH_WORDS);
	__atomic_store_n(&channel->words[channel->count++], word, __ATOMIC_RELAXED);
}

void rig_method(struct rig_channel *channel, uint32_t method, uint32_t data)
{
	rig_word(channel, PL_RG_HEADER(PL_RG_INCREASING, method, 1));
	rig_word(channel, data);
}

static void semaphore(struct rig_channel *channel, uint64_t va, uint32_t value, uint32_t execute)
{
	rig_word(channel, PL_RG_HEADER(PL_RG_INCREASING, PL_RG_M_SEM_LOW, 5));
	rig_word(channel, (uint32_t)va);
	rig_word(channel, (uint32_t)(va >> 32));
	rig_word(channel, value);
	rig_word(channel, 0);
	rig_word(channel, execute);
}

void rig_release(struct rig_channel *channel, uint64_t va, uint32_t value)
{
	semaphore(channel, va, value, PL_RG_SEM_RELEASE);
}

void rig_acquire(struct rig_channel *channel, uint64_t va, uint32_t value, uint32_t operation)
{
	semaphore(channel, va, value, operation);
}

void rig_copy(struct rig_channel *channel, uint64_t dst, uint64_t src, uint64_t bytes)
{
	rig_word(channel, PL_RG_HEADER(PL_RG_INCREASING, PL_RG_M_SRC_HIGH, 8));
	rig_word(channel, (uint32_t)(src >> 32));
	rig_word(channel, (uint32_t)src);
	rig_word(channel, (uint32_t)(dst >> 32));
	rig_word(channel, (uint32_t)dst);
	rig_word(channel, 0);
	rig_word(channel, 0);
	rig_word(channel, (uint32_t)bytes);
	rig_word(channel, 1);
	rig_method(channel, PL_RG_M_EXECUTE, PL_RG_EXECUTE_COPY);
}

void rig_launch(struct rig_channel *channel, uint64_t descriptor_va)
{
	rig_word(channel, PL_RG_HEADER(PL_RG_INCREASING, PL_RG_M_LAUNCH_HIGH, 3));
	rig_word(channel, (uint32_t)(descriptor_va >> 32));
	rig_word(channel, (uint32_t)descriptor_va);
	rig_word(channel, 0);
}

void rig_ring(struct rig_channel *channel, uint64_t entry)
{
	rig_poke64(channel->rig, channel->ring + 8ull * place(channel), entry);
	channel->put = (channel->put + 1) % (1u << RIG_RING_ORDER);
}

void rig_doorbell(struct rig_channel *channel)
{
	pl_rg_bar_write(channel->rig->rg, 1, channel->user + PL_RG_USER_RING_PUT, 4, channel->put);
}

void rig_submit(struct rig_channel *channel)
{
	uint64_t va = channel->push_va + place(channel) * (PAGE / 2);

	rig_ring(channel, PL_RG_ENTRY(va, channel->count));
	rig_doorbell(channel);
}

uint32_t rig_state(struct rig_channel *channel)
{
	return rig_read(channel->rig, PL_RG_CHANNEL_STATE(channel->id));
}

uint32_t rig_get(struct rig_channel *channel)
{
	return (uint32_t)pl_rg_bar_read(channel->rig->rg, 1, channel->user + PL_RG_USER_RING_GET, 4);
}

static void give_up(uint64_t begin, const struct rig_channel *channel, const char *what)
{
	if (pl_now_ns() - begin < GIVE_UP_NS)
		return;
	fprintf(stderr, "channel %u: waited too long for %s\n", channel->id, what);
	abort();
}

void rig_wait_idle(struct rig_channel *channel)
{
	const uint32_t busy = PL_RG_CS_ACQUIRE | PL_RG_CS_LOADED | PL_RG_CS_PENDING;
	uint64_t begin = pl_now_ns();

	while (rig_state(channel) & busy) {
		give_up(begin, channel, "idle");
		sched_yield();
	}
}

void rig_wait_state(struct rig_channel *channel, uint32_t bit)
{
	uint64_t begin = pl_now_ns();

	while (!(rig_state(channel) & bit)) {
		give_up(begin, channel, "a state");
		sched_yield();
	}
}

struct rig_fault rig_fault(struct rig *rig)
{
	uint64_t begin = pl_now_ns();
	struct rig_fault fault;

	while (!rig_read(rig, PL_RG_FAULT_COUNT)) {
		assert(pl_now_ns() - begin < GIVE_UP_NS);
		sched_yield();
	}
	for (uint32_t i = 0; i < PL_RG_FAULT_WORDS; i++)
		fault.words[i] = rig_read(rig, PL_RG_FAULT_RECORD + 4 * i);
	rig_write(rig, PL_RG_FAULT_NEXT, 0);
	return fault;
}
