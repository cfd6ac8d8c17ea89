/* Engines: which channel is next, the thread that works, and the virtual clock that works without threads. */
#include <string.h>

#include "base/err.h"
#include "refgpu/device/rg.h"

/* How often a channel that waits is looked at when nobody says that memory has changed (a CPU's plain store): */
#define POLL_NS_MIN          20000u
#define POLL_NS_MAX          1000000u
/* Virtual clock: a channel that moves its own PUT never ends; the CPU goes on after so many, and the rest follows with
 * its next access. */
#define PUMP_SUBMISSIONS_MAX 65536u

void pl_rg_clock_add(struct pl_rg *rg, uint64_t ps)
{
	if (pl_rg_virtual(rg))
		atomic_fetch_add(&rg->clock_ps, ps);
}

uint64_t pl_rg_now(struct pl_rg *rg)
{
	if (pl_rg_virtual(rg))
		return atomic_load(&rg->clock_ps) / 1000;
	return rg->config.host->now(rg->config.host_arg);
}

void pl_rg_unit_kick(struct pl_rg_unit *unit)
{
	atomic_store(&unit->work, 1);
	if (!pl_rg_virtual(unit->rg) && pl_wake_if(&unit->sleeper))
		pl_rg_count(unit->rg, PL_RG_C_wakes, 1);
}

void pl_rg_released(struct pl_rg *rg)
{
	atomic_fetch_add(&rg->released, 1);
	for (uint32_t e = 0; e < PL_RG_ENGINES; e++) {
		if (atomic_load(&rg->units[e].waiters))
			pl_rg_unit_kick(&rg->units[e]);
	}
}

/* -- one channel after the other --------------------------------------------------------------------------------- */

/* The waiting channels may be looked at when something was released, or the time for it has come. */
static void waiters_look(struct pl_rg_unit *unit, bool anyway)
{
	struct pl_rg *rg = unit->rg;
	uint64_t seq;

	if (!atomic_load(&unit->waiters))
		return;
	seq = atomic_load(&rg->released);
	if (seq == unit->seq && !anyway)
		return;
	unit->seq = seq;
	pthread_mutex_lock(&rg->lock);
	for (uint32_t i = 0; i < unit->runlist_len; i++)
		atomic_store(&rg->channels[unit->runlist[i]].look, true);
	pthread_mutex_unlock(&rg->lock);
}

static bool channel_ready(const struct pl_rg_unit *unit, const struct pl_rg_channel *channel)
{
	uint32_t flags = atomic_load(&channel->flags);

	if ((flags & (PL_RG_CF_VALID | PL_RG_CF_RUNNABLE)) != (PL_RG_CF_VALID | PL_RG_CF_RUNNABLE) ||
	    flags & (PL_RG_CF_DEAD | PL_RG_CF_LOADED) || channel->instance.engine != unit->index)
		return false;
	return flags & PL_RG_CF_ACQUIRE ? atomic_load(&channel->look) : atomic_load(&channel->rung);
}

/* Takes the next one that has work, round robin; NULL = none. */
static struct pl_rg_channel *channel_pick(struct pl_rg_unit *unit)
{
	struct pl_rg *rg = unit->rg;
	struct pl_rg_channel *picked = NULL;

	pthread_mutex_lock(&rg->lock);
	for (uint32_t i = 0; i < unit->runlist_len && !unit->held && !atomic_load(&rg->quit) && !picked; i++) {
		uint32_t at = (unit->cursor + i) % unit->runlist_len;
		struct pl_rg_channel *channel = &rg->channels[unit->runlist[at]];
		if (!channel_ready(unit, channel))
			continue;
		picked = channel;
		unit->cursor = at + 1;
		unit->running = channel;
		atomic_store(&unit->stop, 0);
		atomic_store(&channel->look, false);
		atomic_fetch_or(&channel->flags, PL_RG_CF_LOADED);
	}
	pthread_mutex_unlock(&rg->lock);
	return picked;
}

static void channel_release(struct pl_rg_unit *unit, struct pl_rg_channel *channel, enum pl_rg_outcome outcome,
			    const struct pl_rg_fault *fault)
{
	struct pl_rg *rg = unit->rg;
	bool told = outcome == PL_RG_FAULTED && fault->code != PL_RG_FAULT_KILLED;

	pthread_mutex_lock(&rg->lock);
	unit->running = NULL;
	if (told)
		pl_rg_fault_record(unit, channel, fault);
	if (outcome == PL_RG_FAULTED)
		atomic_fetch_or(&channel->flags, PL_RG_CF_KILL);
	pl_rg_channel_loosen(rg, channel, outcome == PL_RG_WAITS);
	pthread_mutex_unlock(&rg->lock);
	if (told)
		pl_rg_intr_raise(rg, PL_RG_VECTOR_FAULT);
}

/* One submission, or the rest of one.  Return: when it ended. */
static uint64_t channel_work(struct pl_rg_unit *unit, struct pl_rg_channel *channel)
{
	static const enum pl_rg_counter counters[] = { PL_RG_C_busy_compute_ns, PL_RG_C_busy_copy1_ns,
						       PL_RG_C_busy_copy2_ns };
	uint64_t begin = pl_rg_now(unit->rg), end;
	struct pl_rg_fault fault = { 0 };
	enum pl_rg_outcome outcome;

	pl_mmu_tlb_enter(&unit->tlb, channel->space);
	pl_mmu_tlb_enter(&unit->data_tlb, channel->space);
	outcome = pl_rg_front_run(unit, channel, &fault);
	pl_mmu_tlb_leave(&unit->tlb);
	pl_mmu_tlb_leave(&unit->data_tlb);
	atomic_store_explicit(&unit->begin_ns, 0, memory_order_relaxed);
	end = pl_rg_now(unit->rg);
	if (outcome == PL_RG_DONE || outcome == PL_RG_FAULTED) { /* kernels and copies write semaphores too */
		pl_rg_count(unit->rg, counters[unit->index], end - begin);
		if (unit->rg->config.busy_ns)
			atomic_fetch_add_explicit(unit->rg->config.busy_ns, end - begin, memory_order_relaxed);
		pl_rg_released(unit->rg);
	}
	channel_release(unit, channel, outcome, &fault);
	return end;
}

/* -- threads ------------------------------------------------------------------------------------------------------- */

static bool unit_ready(void *arg)
{
	struct pl_rg_unit *unit = arg;

	return atomic_load_explicit(&unit->work, memory_order_acquire);
}

/* Until nothing can go on. */
static void unit_work(struct pl_rg_unit *unit, bool anyway)
{
	struct pl_rg_channel *channel;
	uint64_t end;

	waiters_look(unit, anyway);
	while ((channel = channel_pick(unit))) {
		end = channel_work(unit, channel);
		anyway = end - unit->look_ns > POLL_NS_MIN;
		if (anyway)
			unit->look_ns = end;
		waiters_look(unit, anyway);
	}
}

static void *unit_main(void *arg)
{
	struct pl_rg_unit *unit = arg;
	bool timed_out = false;

	while (!atomic_load(&unit->rg->quit)) {
		uint64_t timeout_ns = UINT64_MAX;

		atomic_exchange(&unit->work, 0);
		unit_work(unit, timed_out);
		if (atomic_load(&unit->waiters))
			timeout_ns = unit->poll_ns;
		timed_out = !pl_wait_until(&unit->wait, &unit->sleeper, unit_ready, unit, timeout_ns);
		if (!timed_out)
			unit->poll_ns = POLL_NS_MIN;
		else if (unit->poll_ns < POLL_NS_MAX)
			unit->poll_ns *= 2;
	}
	return NULL;
}

int pl_rg_units_start(struct pl_rg *rg)
{
	for (uint32_t e = 0; e < PL_RG_ENGINES; e++) {
		struct pl_rg_unit *unit = &rg->units[e];
		int r;

		unit->rg = rg;
		unit->index = e;
		unit->poll_ns = POLL_NS_MIN;
		unit->wait.turns = &unit->rung_core;
		pl_mmu_tlb_init(&unit->tlb, rg->mmu, true);
		pl_mmu_tlb_init(&unit->data_tlb, rg->mmu, false);
		if (pl_rg_virtual(rg))
			continue;
		r = pthread_create(&unit->thread, NULL, unit_main, unit);
		if (r)
			return pl_err(-r);
		unit->started = true;
	}
	return 0;
}

void pl_rg_units_stop(struct pl_rg *rg)
{
	pthread_mutex_lock(&rg->lock);
	atomic_store(&rg->quit, true);
	for (uint32_t e = 0; e < PL_RG_ENGINES; e++)
		atomic_store(&rg->units[e].stop, PL_RG_FAULT_KILLED);
	pthread_mutex_unlock(&rg->lock);
	for (uint32_t e = 0; e < PL_RG_ENGINES; e++) {
		struct pl_rg_unit *unit = &rg->units[e];
		if (unit->started) {
			pl_rg_unit_kick(unit);
			pthread_join(unit->thread, NULL);
		}
		pl_mmu_tlb_fini(&unit->tlb);
		pl_mmu_tlb_fini(&unit->data_tlb);
	}
}

/* -- virtual clock ------------------------------------------------------------------------------------------------- */

static void pump_once(struct pl_rg *rg)
{
	uint32_t left = PUMP_SUBMISSIONS_MAX;
	bool some;

	for (uint32_t e = 0; e < PL_RG_ENGINES; e++)
		waiters_look(&rg->units[e], true);
	do {
		some = false;
		for (uint32_t e = 0; e < PL_RG_ENGINES; e++) {
			struct pl_rg_unit *unit = &rg->units[e];
			struct pl_rg_channel *channel;

			waiters_look(unit, false);
			channel = channel_pick(unit);
			if (!channel)
				continue;
			channel_work(unit, channel);
			some = true;
			left -= left > 0;
		}
	} while (some && left);
}

void pl_rg_pump(struct pl_rg *rg)
{
	uint32_t requests = 1;

	if (atomic_fetch_add(&rg->pumps, 1))
		return; /* another thread, or this one further up, sees that there is more */
	do {
		pump_once(rg);
	} while (!atomic_compare_exchange_strong(&rg->pumps, &requests, 0));
}
