#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "chan.h"
#include "driver.h"

#define INSTANCE_BYTES PL_CU_PAGE
#define RING_BYTES     (PL_CU_CHAN_ENTRIES * sizeof(uint64_t))
#define PUSH_BYTES     (PL_CU_CHAN_WORDS * sizeof(uint32_t))
#define USER_LIMIT     0xffffffffffffull /* 48 bits */

static void inst_put(struct pl_cu_chan *chan, uint32_t offset, uint32_t value)
{
	*(volatile uint32_t *)pl_cu_vram_at(chan->hw, chan->instance + offset) = value;
}

static void inst_put64(struct pl_cu_chan *chan, uint32_t offset, uint64_t value)
{
	inst_put(chan, offset, (uint32_t)value);
	inst_put(chan, offset + 4, (uint32_t)(value >> 32));
}

static uint64_t user_page(const struct pl_cu_chan *chan)
{
	return chan->hw->user_area + (uint64_t)chan->id * PL_RG_USER_BYTES;
}

static void instance_write(struct pl_cu_chan *chan)
{
	uint64_t ring = (uint64_t)(uintptr_t)chan->ring;
	memset(pl_cu_vram_at(chan->hw, chan->instance), 0, INSTANCE_BYTES);
	inst_put64(chan, PL_RG_INST_USER, user_page(chan));
	inst_put(chan, PL_RG_INST_MAGIC, PL_RG_INST_MAGIC_VALUE);
	inst_put64(chan, PL_RG_INST_RING, ring | (uint64_t)PL_CU_CHAN_ENTRIES_ORDER << 48);
	inst_put(chan, PL_RG_INST_PUSH_HIGH, (uint32_t)((uint64_t)(uintptr_t)chan->push >> 40));
	inst_put(chan, PL_RG_INST_ENGINE, chan->engine);
	inst_put64(chan, PL_RG_INST_DIRECTORY, chan->hw->vm.root);
	inst_put64(chan, PL_RG_INST_LIMIT, USER_LIMIT);
	inst_put(chan, PL_RG_INST_MODE, PL_RG_MODE_F3);
	pl_cu_reg_write(chan->hw, PL_RG_BAR_FLUSH, 1);
}

/* Called with hw->lock held: the engine's runlist, from the table of channels. */
static void runlist_write(struct pl_cu_hw *hw, enum pl_rg_engine engine)
{
	uint64_t address = hw->runlists + engine * PL_CU_PAGE;
	volatile uint32_t *entry = pl_cu_vram_at(hw, address);
	uint32_t n = 0;
	for (uint32_t id = 0; id < PL_RG_CHANNELS; id++) {
		if (!hw->channels[id] || hw->channels[id]->engine != engine)
			continue;
		entry[2 * n] = id;
		entry[2 * n + 1] = 4;
		n++;
	}
	pl_cu_reg_write(hw, PL_RG_BAR_FLUSH, 1);
	pl_cu_reg_write(hw, PL_RG_RUNLIST, (uint32_t)(address >> 12));
	pl_cu_reg_write(hw, PL_RG_RUNLIST_UPDATE, (uint32_t)engine << 20 | n);
}

/* Called with hw->lock held. */
static void channel_set(struct pl_cu_hw *hw, uint32_t id, struct pl_cu_chan *chan)
{
	pthread_mutex_lock(&hw->channels_lock);
	hw->channels[id] = chan;
	pthread_mutex_unlock(&hw->channels_lock);
}

static int chan_install(struct pl_cu_chan *chan)
{
	struct pl_cu_hw *hw = chan->hw;
	uint32_t id = 0;
	pthread_mutex_lock(&hw->lock);
	while (id < PL_RG_CHANNELS && hw->channels[id])
		id++;
	if (id < PL_RG_CHANNELS) {
		chan->id = id;
		channel_set(hw, id, chan);
		instance_write(chan);
		pl_rg_bar_write(hw->rg, 1, user_page(chan) + PL_RG_USER_RING_GET, 4, 0);
		pl_rg_bar_write(hw->rg, 1, user_page(chan) + PL_RG_USER_RING_PUT, 4, 0);
		pl_cu_reg_write(hw, PL_RG_CHANNEL(id), PL_RG_CHANNEL_VALID | (uint32_t)(chan->instance >> 12));
		pl_cu_reg_write(hw, PL_RG_CHANNEL_STATE(id), PL_RG_CS_RUNNABLE);
		runlist_write(hw, chan->engine);
	}
	pthread_mutex_unlock(&hw->lock);
	return id < PL_RG_CHANNELS ? 0 : -ENOSPC;
}

int pl_cu_chan_create(struct pl_cu_chan **chan_out, struct pl_cu_hw *hw, enum pl_rg_engine engine,
		      struct pl_cu_ctx *owner)
{
	struct pl_cu_chan *chan = calloc(1, sizeof(*chan));
	int r;
	if (!chan)
		return pl_err(-ENOMEM);
	chan->hw = hw;
	chan->id = PL_RG_CHANNELS;
	chan->engine = engine;
	chan->owner = owner;
	atomic_store(&chan->refs, 1);
	pthread_mutex_init(&chan->lock, NULL);
	pthread_mutex_lock(&hw->lock);
	r = pl_cuda_space_take(&hw->vram_space, INSTANCE_BYTES, PL_CU_PAGE, &chan->instance);
	pthread_mutex_unlock(&hw->lock);
	if (r) {
		chan->instance = 0;
	} else {
		chan->ring = pl_cu_sys_alloc(hw, RING_BYTES + PUSH_BYTES);
		chan->push = chan->ring ? (uint32_t *)((char *)chan->ring + RING_BYTES) : NULL;
		r = chan->ring ? 0 : -ENOSPC;
	}
	if (!r)
		r = chan_install(chan);
	if (r) {
		pl_cu_chan_destroy(chan);
		return r;
	}
	*chan_out = chan;
	return 0;
}

void pl_cu_chan_died(struct pl_cu_chan *chan)
{
	atomic_store(&chan->dead, true);
}

void pl_cu_chan_kill(struct pl_cu_chan *chan)
{
	pl_cu_chan_died(chan);
	pthread_mutex_lock(&chan->hw->kill_lock);
	pl_cu_reg_write(chan->hw, PL_RG_KILL, chan->id);
	while (pl_cu_reg_read(chan->hw, PL_RG_KILL) & PL_RG_KILL_BUSY)
		sched_yield();
	pthread_mutex_unlock(&chan->hw->kill_lock);
}

/* With a reference.  NULL: none of @owner's, or one that goes, for which no stream has work any more. */
static struct pl_cu_chan *chan_of(struct pl_cu_hw *hw, uint32_t id, const struct pl_cu_ctx *owner)
{
	struct pl_cu_chan *chan;
	unsigned int refs;
	pthread_mutex_lock(&hw->channels_lock);
	chan = hw->channels[id];
	refs = chan && chan->owner == owner ? atomic_load(&chan->refs) : 0;
	while (refs && !atomic_compare_exchange_weak(&chan->refs, &refs, refs + 1))
		;
	pthread_mutex_unlock(&hw->channels_lock);
	return refs ? chan : NULL;
}

void pl_cu_chans_kill(struct pl_cu_hw *hw, const struct pl_cu_ctx *owner)
{
	for (uint32_t id = 0; id < PL_RG_CHANNELS; id++) {
		struct pl_cu_chan *chan = chan_of(hw, id, owner);
		if (!chan)
			continue;
		pl_cu_chan_kill(chan);
		pl_cu_chan_unref(chan);
	}
}

void pl_cu_chan_unref(struct pl_cu_chan *chan)
{
	if (chan && atomic_fetch_sub(&chan->refs, 1) == 1)
		pl_cu_chan_destroy(chan);
}

void pl_cu_chan_destroy(struct pl_cu_chan *chan)
{
	struct pl_cu_hw *hw;
	if (!chan)
		return;
	hw = chan->hw;
	if (chan->id < PL_RG_CHANNELS) {
		pl_cu_chan_kill(chan);
		pthread_mutex_lock(&hw->lock);
		channel_set(hw, chan->id, NULL);
		runlist_write(hw, chan->engine);
		pl_cu_reg_write(hw, PL_RG_CHANNEL(chan->id), 0);
		pthread_mutex_unlock(&hw->lock);
	}
	pl_cu_sys_free(hw, chan->ring, RING_BYTES + PUSH_BYTES);
	if (chan->instance) {
		pthread_mutex_lock(&hw->lock);
		(void)pl_cuda_space_give(&hw->vram_space, chan->instance, INSTANCE_BYTES);
		pthread_mutex_unlock(&hw->lock);
	}
	pthread_mutex_destroy(&chan->lock);
	free(chan);
}

/* Acquires: what the device had read by then may be written. */
static uint32_t chan_get(const struct pl_cu_chan *chan)
{
	return (uint32_t)pl_rg_bar_read(chan->hw->rg, 1, user_page(chan) + PL_RG_USER_RING_GET, 4);
}

static bool is_dead(const struct pl_cu_chan *chan)
{
	return atomic_load(&chan->dead) || pl_cu_ctx_error(chan->owner);
}

/* The next entry is free, and so is room for the longest submission, up to the end of the push buffer. */
static bool chan_has_room(void *arg)
{
	struct pl_cu_chan *chan = arg;
	uint32_t get = chan_get(chan), next = (chan->put + 1) % PL_CU_CHAN_ENTRIES;
	uint64_t tail, begin = chan->words_put;
	if (is_dead(chan))
		return true;
	if (next == get)
		return false;
	if (begin % PL_CU_CHAN_WORDS + PL_CU_CHAN_WORDS_MAX > PL_CU_CHAN_WORDS)
		begin += PL_CU_CHAN_WORDS - begin % PL_CU_CHAN_WORDS;
	if (get == chan->put)
		return true;
	tail = chan->words_end[(get + PL_CU_CHAN_ENTRIES - 1) % PL_CU_CHAN_ENTRIES];
	return begin + PL_CU_CHAN_WORDS_MAX - tail <= PL_CU_CHAN_WORDS;
}

uint32_t *pl_cu_chan_lock(struct pl_cu_chan *chan)
{
	uint32_t at;
	pthread_mutex_lock(&chan->lock);
	if (!chan_has_room(chan))
		pl_cu_hw_wait(chan->hw, chan_has_room, chan, PL_CU_FOREVER);
	if (is_dead(chan)) {
		pthread_mutex_unlock(&chan->lock);
		return NULL;
	}
	at = (uint32_t)(chan->words_put % PL_CU_CHAN_WORDS);
	if (at + PL_CU_CHAN_WORDS_MAX > PL_CU_CHAN_WORDS) {
		chan->words_put += PL_CU_CHAN_WORDS - at;
		at = 0;
	}
	return chan->push + at;
}

static void doorbell(struct pl_cu_chan *chan)
{
	pl_rg_bar_write(chan->hw->rg, 1, user_page(chan) + PL_RG_USER_RING_PUT, 4, chan->put);
}

void pl_cu_chan_submit(struct pl_cu_chan *chan, uint32_t words)
{
	uint64_t address = (uint64_t)(uintptr_t)(chan->push + chan->words_put % PL_CU_CHAN_WORDS);
	*(volatile uint64_t *)&chan->ring[chan->put] = PL_RG_ENTRY(address, words);
	chan->words_put += words;
	chan->words_end[chan->put] = chan->words_put;
	chan->put = (chan->put + 1) % PL_CU_CHAN_ENTRIES;
	doorbell(chan); /* releases */
	pthread_mutex_unlock(&chan->lock);
}

void pl_cu_chan_unlock(struct pl_cu_chan *chan)
{
	pthread_mutex_unlock(&chan->lock);
}

void pl_cu_chan_poke(struct pl_cu_chan *chan)
{
	pthread_mutex_lock(&chan->lock);
	if (!atomic_load(&chan->dead))
		doorbell(chan);
	pthread_mutex_unlock(&chan->lock);
}
