#include <string.h>

#include "base/log.h"
#include "refgpu/device/rg.h"

static uint32_t flags_of(const struct pl_rg_channel *channel)
{
	return atomic_load_explicit(&channel->flags, memory_order_acquire);
}

static void flags_set(struct pl_rg_channel *channel, uint32_t set, uint32_t clear)
{
	atomic_store(&channel->flags, (flags_of(channel) & ~clear) | set);
}

static uint64_t instance_word64(const uint8_t *block, uint32_t offset)
{
	return pl_rg_load32(block + offset) | (uint64_t)pl_rg_load32(block + offset + 4) << 32;
}

uint32_t pl_rg_instance_load(const struct pl_rg *rg, uint64_t address, struct pl_rg_instance *instance_out)
{
	static const enum pl_mmu_kind kinds[] = { PL_MMU_F2, PL_MMU_F3, PL_MMU_G, PL_MMU_G };
	const uint8_t *block = pl_rg_vram(rg, address, PL_RG_USER_BYTES);
	struct pl_rg_instance in = { .address = address };
	uint32_t mode;

	if (!block)
		return PL_RG_FAULT_VRAM_RANGE;
	if (pl_rg_load32(block + PL_RG_INST_MAGIC) != PL_RG_INST_MAGIC_VALUE)
		return PL_RG_FAULT_BAD_INSTANCE;
	mode = pl_rg_load32(block + PL_RG_INST_MODE);
	if (mode > PL_RG_MODE_G_SYSTEM)
		return PL_RG_FAULT_BAD_INSTANCE;
	in.root.kind = kinds[mode];
	in.root.system = mode == PL_RG_MODE_G_SYSTEM;
	in.root.address = instance_word64(block, PL_RG_INST_DIRECTORY) & ~(uint64_t)(PL_MMU_PAGE_BYTES - 1);
	in.limit = instance_word64(block, PL_RG_INST_LIMIT);
	in.ring = instance_word64(block, PL_RG_INST_RING);
	in.order = (uint32_t)(in.ring >> 48);
	in.ring &= (1ull << 48) - 1;
	in.push_high = (uint64_t)(pl_rg_load32(block + PL_RG_INST_PUSH_HIGH) & 0xff) << 40;
	in.engine = pl_rg_load32(block + PL_RG_INST_ENGINE);
	in.user = pl_rg_vram(rg, instance_word64(block, PL_RG_INST_USER) & ~(uint64_t)(PL_RG_USER_BYTES - 1),
			     PL_RG_USER_BYTES);
	*instance_out = in;
	return PL_RG_FAULT_NONE;
}

static uint32_t channel_open(struct pl_rg *rg, struct pl_rg_channel *channel, uint64_t address)
{
	struct pl_rg_instance *in = &channel->instance;
	uint32_t fault = pl_rg_instance_load(rg, address, in);

	if (fault != PL_RG_FAULT_NONE)
		return fault;
	if (!in->user)
		return PL_RG_FAULT_VRAM_RANGE;
	if (in->order > PL_RG_INST_ORDER_MAX || in->ring % 8 || in->engine >= PL_RG_ENGINES)
		return PL_RG_FAULT_BAD_INSTANCE;
	if (pl_mmu_space_ref(&channel->space, rg->mmu, &in->root, in->limit))
		return PL_RG_FAULT_BAD_INSTANCE;
	memset(&channel->front, 0, sizeof(channel->front));
	atomic_store(&channel->engine, in->engine);
	atomic_store(&channel->rung, false);
	atomic_store(&channel->look, false);
	__atomic_store_n((uint32_t *)(void *)(in->user + PL_RG_USER_RING_GET), 0, __ATOMIC_RELEASE);
	atomic_store(&channel->flags, PL_RG_CF_VALID);
	return PL_RG_FAULT_NONE;
}

static void waits_end(struct pl_rg *rg, struct pl_rg_channel *channel)
{
	if (flags_of(channel) & PL_RG_CF_ACQUIRE)
		atomic_fetch_sub(&rg->units[channel->instance.engine].waiters, 1);
	flags_set(channel, 0, PL_RG_CF_ACQUIRE);
}

static void channel_close(struct pl_rg *rg, struct pl_rg_channel *channel)
{
	waits_end(rg, channel);
	pl_mmu_space_unref(channel->space);
	channel->space = NULL;
	atomic_store(&channel->flags, 0);
}

static void channel_stop(struct pl_rg *rg, struct pl_rg_channel *channel, uint32_t flags)
{
	struct pl_rg_unit *unit = &rg->units[channel->instance.engine];

	flags_set(channel, flags, 0);
	if (unit->running == channel)
		atomic_store(&unit->stop, PL_RG_FAULT_KILLED);
}

void pl_rg_channel_write(struct pl_rg *rg, uint32_t id, uint32_t value)
{
	struct pl_rg_channel *channel = &rg->channels[id];
	uint32_t fault;

	if (flags_of(channel) & PL_RG_CF_LOADED) {
		channel_stop(rg, channel, PL_RG_CF_KILL | PL_RG_CF_CLOSE);
		fault = value & PL_RG_CHANNEL_VALID ? PL_RG_FAULT_BAD_INSTANCE : PL_RG_FAULT_NONE; /* busy */
	} else {
		if (flags_of(channel) & PL_RG_CF_VALID)
			channel_close(rg, channel);
		if (!(value & PL_RG_CHANNEL_VALID))
			return;
		fault = channel_open(rg, channel, (uint64_t)(value & 0x0fffffffu) << 12);
	}
	if (fault == PL_RG_FAULT_NONE)
		return;
	rg->channel_error = PL_RG_CHANNEL_VALID | fault << 16 | id;
	pl_log_debug("refgpu: channel %u is refused: %s", id, pl_rg_fault_name(fault));
}

uint32_t pl_rg_channel_read(const struct pl_rg *rg, uint32_t id)
{
	const struct pl_rg_channel *channel = &rg->channels[id];

	if (!(flags_of(channel) & PL_RG_CF_VALID))
		return 0;
	return PL_RG_CHANNEL_VALID | (uint32_t)(channel->instance.address >> 12);
}

void pl_rg_channel_run(struct pl_rg *rg, uint32_t id, bool runnable)
{
	struct pl_rg_channel *channel = &rg->channels[id];

	if (!(flags_of(channel) & PL_RG_CF_VALID))
		return;
	flags_set(channel, runnable ? PL_RG_CF_RUNNABLE : 0, runnable ? 0 : PL_RG_CF_RUNNABLE);
	if (runnable)
		pl_rg_unit_kick(&rg->units[channel->instance.engine]);
}

static void channel_die(struct pl_rg *rg, struct pl_rg_channel *channel)
{
	waits_end(rg, channel);
	flags_set(channel, PL_RG_CF_DEAD, PL_RG_CF_KILL);
	atomic_store(&channel->rung, false);
}

void pl_rg_channel_kill(struct pl_rg *rg, uint32_t id)
{
	struct pl_rg_channel *channel = &rg->channels[id];

	rg->killed = id;
	if (!(flags_of(channel) & PL_RG_CF_VALID) || flags_of(channel) & PL_RG_CF_DEAD)
		return;
	pl_rg_count(rg, PL_RG_C_kills, 1);
	if (flags_of(channel) & PL_RG_CF_LOADED)
		channel_stop(rg, channel, PL_RG_CF_KILL);
	else
		channel_die(rg, channel);
}

/* The engine lets go of it. */
void pl_rg_channel_loosen(struct pl_rg *rg, struct pl_rg_channel *channel, bool waits)
{
	uint32_t flags = flags_of(channel);

	if (waits && !(flags & PL_RG_CF_ACQUIRE)) {
		flags_set(channel, PL_RG_CF_ACQUIRE, 0);
		atomic_fetch_add(&rg->units[channel->instance.engine].waiters, 1);
	} else if (!waits) {
		waits_end(rg, channel);
	}
	if (flags & PL_RG_CF_KILL)
		channel_die(rg, channel);
	flags_set(channel, 0, PL_RG_CF_LOADED);
	if (flags & PL_RG_CF_CLOSE)
		channel_close(rg, channel);
}

uint32_t pl_rg_channel_state(const struct pl_rg *rg, uint32_t id)
{
	const struct pl_rg_channel *channel = &rg->channels[id];
	uint32_t flags = flags_of(channel), state;

	if (!(flags & PL_RG_CF_VALID))
		return 0;
	state = channel->instance.engine << PL_RG_CS_ENGINE_SHIFT;
	if (flags & PL_RG_CF_RUNNABLE)
		state |= PL_RG_CS_RUNNABLE;
	if (flags & PL_RG_CF_LOADED)
		state |= PL_RG_CS_LOADED;
	if (flags & PL_RG_CF_DEAD)
		return state | PL_RG_CS_DEAD;
	if (flags & PL_RG_CF_ACQUIRE)
		state |= PL_RG_CS_ACQUIRE;
	if (atomic_load(&channel->rung))
		state |= PL_RG_CS_PENDING;
	return state;
}

void pl_rg_channel_doorbell(struct pl_rg *rg, uint32_t id)
{
	struct pl_rg_channel *channel = &rg->channels[id];
	uint32_t flags = flags_of(channel);
	struct pl_rg_unit *unit;

	pl_rg_count(rg, PL_RG_C_doorbells, 1);
	if (!(flags & PL_RG_CF_VALID) || flags & PL_RG_CF_DEAD)
		return;
	atomic_store(&channel->look, true);
	atomic_store(&channel->rung, true);
	if (pl_rg_virtual(rg))
		return; /* the caller pumps */
	unit = &rg->units[atomic_load_explicit(&channel->engine, memory_order_relaxed)];
	atomic_store_explicit(&unit->rung_core, pl_wait_core(), memory_order_relaxed);
	pl_rg_unit_kick(unit);
}

void pl_rg_runlist_update(struct pl_rg *rg, uint32_t value)
{
	uint32_t engine = value >> 20, len = value & 0xfffff;
	const uint8_t *list =
		pl_rg_vram(rg, (uint64_t)(rg->runlist & 0x0fffffffu) << 12, (uint64_t)len * PL_RG_RUNLIST_ENTRY_BYTES);
	struct pl_rg_unit *unit;

	if (engine >= PL_RG_ENGINES || len > PL_RG_CHANNELS || !list) {
		rg->channel_error = PL_RG_CHANNEL_VALID | PL_RG_FAULT_BAD_RING << 16;
		return;
	}
	unit = &rg->units[engine];
	unit->runlist_len = unit->cursor = 0;
	for (uint32_t i = 0; i < len; i++) {
		uint32_t id = pl_rg_load32(list + (size_t)i * PL_RG_RUNLIST_ENTRY_BYTES);
		if (id < PL_RG_CHANNELS)
			unit->runlist[unit->runlist_len++] = (uint16_t)id;
		else
			rg->channel_error = PL_RG_CHANNEL_VALID | PL_RG_FAULT_NO_CHANNEL << 16 | (id & 0xffff);
	}
	pl_rg_unit_kick(unit);
}

void pl_rg_enable_write(struct pl_rg *rg, uint32_t value)
{
	rg->enable = value;
	for (uint32_t e = 0; e < PL_RG_ENGINES; e++) {
		struct pl_rg_unit *unit = &rg->units[e];
		unit->held = !(value >> PL_RG_ENABLE_BIT(e) & 1);
		for (uint32_t id = 0; id < PL_RG_CHANNELS && unit->held; id++) {
			if (rg->channels[id].instance.engine == e)
				pl_rg_channel_kill(rg, id);
		}
		pl_rg_unit_kick(unit);
	}
}

void pl_rg_channels_close(struct pl_rg *rg)
{
	for (uint32_t id = 0; id < PL_RG_CHANNELS; id++) {
		if (flags_of(&rg->channels[id]) & PL_RG_CF_VALID)
			channel_close(rg, &rg->channels[id]);
	}
}

void pl_rg_fault_record(struct pl_rg_unit *unit, const struct pl_rg_channel *channel, const struct pl_rg_fault *fault)
{
	struct pl_rg *rg = unit->rg;
	uint64_t now = pl_rg_now(rg);
	uint32_t *words;

	pl_rg_count(rg, PL_RG_C_faults, 1);
	rg->fault_units |= 1u << unit->index;
	unit->unit_fault[0] = (uint32_t)(channel->instance.address >> 12);
	unit->unit_fault[1] = (uint32_t)fault->address;
	unit->unit_fault[2] = (uint32_t)(fault->address >> 32);
	unit->unit_fault[3] = fault->code | fault->access << 8 | channel->id << 16;
	pl_log_debug("refgpu: channel %u dies: %s, %s of %#llx", channel->id, pl_rg_fault_name(fault->code),
		     pl_rg_access_name(fault->access), (unsigned long long)fault->address);
	if (rg->fault_count == PL_RG_FAULT_QUEUE) {
		pl_rg_count(rg, PL_RG_C_faults_lost, 1);
		return;
	}
	words = rg->faults[(rg->fault_first + rg->fault_count++) % PL_RG_FAULT_QUEUE];
	words[PL_RG_FW_CODE] = fault->code;
	words[PL_RG_FW_ACCESS] = fault->access;
	words[PL_RG_FW_WHO] = unit->index << 16 | channel->id;
	words[PL_RG_FW_GET] = channel->front.get;
	words[PL_RG_FW_ADDRESS] = (uint32_t)fault->address;
	words[PL_RG_FW_ADDRESS_HIGH] = (uint32_t)(fault->address >> 32);
	words[PL_RG_FW_PC] = (uint32_t)fault->pc;
	words[PL_RG_FW_PC_HIGH] = (uint32_t)(fault->pc >> 32);
	memcpy(&words[PL_RG_FW_BLOCK], fault->block, sizeof(fault->block));
	memcpy(&words[PL_RG_FW_THREAD], fault->thread, sizeof(fault->thread));
	words[PL_RG_FW_TIME] = (uint32_t)now;
	words[PL_RG_FW_TIME_HIGH] = (uint32_t)(now >> 32);
}
