/* Ends what an engine has worked on for too long (host clock; with the virtual clock the engines count themselves). */
#include <time.h>

#include "base/err.h"
#include "refgpu/device/rg.h"

#define LOOKS_PER_LIMIT 4u
#define LOOK_NS_MIN     1000000u
#define LOOK_NS_MAX     250000000u

static void bite(struct pl_rg *rg, uint64_t limit_ns)
{
	for (uint32_t e = 0; e < PL_RG_ENGINES; e++) {
		struct pl_rg_unit *unit = &rg->units[e];
		uint64_t begin = atomic_load(&unit->begin_ns);
		uint32_t none = 0;

		/* Under the lock: what runs now is not let go of meanwhile.  `begin` may be of its next method by now,
		 * or 0: then it is a short one that is spared. */
		if (unit->running && begin && pl_rg_now(rg) - begin > limit_ns && atomic_load(&unit->begin_ns) == begin)
			atomic_compare_exchange_strong(&unit->stop, &none, PL_RG_FAULT_WATCHDOG);
	}
}

static bool anything_runs(struct pl_rg *rg)
{
	for (uint32_t e = 0; e < PL_RG_ENGINES; e++) {
		if (atomic_load(&rg->units[e].begin_ns))
			return true;
	}
	return false;
}

static void sleep_for(struct pl_rg *rg, uint64_t ns)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	ns += (uint64_t)until.tv_nsec;
	until.tv_sec += (time_t)(ns / 1000000000u);
	until.tv_nsec = (long)(ns % 1000000000u);
	pthread_cond_timedwait(&rg->watchdog.change, &rg->lock, &until);
}

static void *watchdog_main(void *arg)
{
	struct pl_rg *rg = arg;

	pthread_mutex_lock(&rg->lock);
	while (!atomic_load(&rg->quit)) {
		uint64_t limit_ns = atomic_load(&rg->watchdog.limit_ns), look_ns = limit_ns / LOOKS_PER_LIMIT;

		atomic_store(&rg->watchdog.asleep, true);
		if (!limit_ns || !anything_runs(rg)) {
			pthread_cond_wait(&rg->watchdog.change, &rg->lock);
			continue;
		}
		atomic_store(&rg->watchdog.asleep, false);
		bite(rg, limit_ns);
		look_ns = look_ns > LOOK_NS_MIN ? look_ns : LOOK_NS_MIN;
		sleep_for(rg, look_ns < LOOK_NS_MAX ? look_ns : LOOK_NS_MAX);
	}
	pthread_mutex_unlock(&rg->lock);
	return NULL;
}

int pl_rg_watchdog_start(struct pl_rg *rg)
{
	struct pl_rg_watchdog *watchdog = &rg->watchdog;
	int r;

	if (pl_rg_virtual(rg))
		return 0;
	r = pthread_create(&watchdog->thread, NULL, watchdog_main, rg);
	if (r)
		return pl_err(-r);
	watchdog->started = true;
	return 0;
}

/* rg->quit is set. */
void pl_rg_watchdog_stop(struct pl_rg *rg)
{
	if (!rg->watchdog.started)
		return;
	pthread_mutex_lock(&rg->lock);
	pthread_cond_broadcast(&rg->watchdog.change);
	pthread_mutex_unlock(&rg->lock);
	pthread_join(rg->watchdog.thread, NULL);
	rg->watchdog.started = false;
}

/* Called with rg->lock held. */
void pl_rg_watchdog_set(struct pl_rg *rg, uint64_t limit_ns)
{
	atomic_store(&rg->watchdog.limit_ns, limit_ns);
	pthread_cond_broadcast(&rg->watchdog.change);
}

void pl_rg_watchdog_begin(struct pl_rg_unit *unit, uint64_t now_ns)
{
	struct pl_rg *rg = unit->rg;

	atomic_store(&unit->begin_ns, now_ns);
	if (!now_ns || pl_rg_virtual(rg) || !atomic_load_explicit(&rg->watchdog.limit_ns, memory_order_relaxed) ||
	    !atomic_load(&rg->watchdog.asleep))
		return;
	pthread_mutex_lock(&rg->lock);
	atomic_store(&rg->watchdog.asleep, false);
	pthread_cond_broadcast(&rg->watchdog.change);
	pthread_mutex_unlock(&rg->lock);
}
