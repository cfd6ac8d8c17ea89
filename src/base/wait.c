#include "base/wait.h"

#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#define POLLS_PER_YIELD 16 /* looks at the word between two offers of the core to others */
/* A wait that ended asleep, but within this time, was mostly wake-ups: spinning would have saved some of them. */
#define NEARLY_NS       100000u
/* Where a spin may take longer: so many of its limits, and the least budget's part of that. */
#define NEARLY_SPINS    5u
#define LEAST_SPINS     4u
/* A wait that is longer than the budget on a core that both share: no idle core has to wake, so a spin saves nothing.
 */
#define SKIPS           32u
#define CORES_MANY      8u /* a program, its worker and the device's threads, twice */

uint32_t pl_wait_core(void)
{
	return (uint32_t)sched_getcpu() + 1;
}

static inline void cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

static _Atomic uint32_t cores;

void pl_wait_cores_set(uint32_t count)
{
	atomic_store_explicit(&cores, count, memory_order_relaxed);
}

/* Where each side, what it waits for and others besides have cores of their own, a spin takes none from anybody. */
static bool has_cores_to_spare(void)
{
	uint32_t count = atomic_load_explicit(&cores, memory_order_relaxed);
	cpu_set_t set;

	if (count)
		return count >= CORES_MANY;
	count = sched_getaffinity(0, sizeof(set), &set) ? CORES_MANY /* more than a set holds */
							: (uint32_t)CPU_COUNT(&set);
	pl_wait_cores_set(count);
	return count >= CORES_MANY;
}

static inline bool in_vain(const struct pl_wait *wait)
{
	return (wait->slow && atomic_load_explicit(wait->slow, memory_order_relaxed) && !has_cores_to_spare()) ||
	       (wait->core && atomic_load_explicit(wait->core, memory_order_relaxed) == pl_wait_core());
}

static inline bool takes_turns(const struct pl_wait *wait)
{
	return wait->turns && atomic_load_explicit(wait->turns, memory_order_relaxed) == pl_wait_core();
}

static uint32_t spin_ns_max(const struct pl_wait *wait)
{
	return wait->spin_ns_max ? wait->spin_ns_max : PL_SPIN_NS_MAX;
}

/* Return: ready; false with *vain_out: it was not worth a try. */
static bool spin(struct pl_wait *wait, pl_wait_ready_fn ready, void *arg, bool *vain_out)
{
	uint64_t end = 0;

	if (!wait->spin_ns)
		wait->spin_ns = spin_ns_max(wait);
	*vain_out = takes_turns(wait) && wait->skips;
	if (*vain_out) {
		wait->skips--;
		return false;
	}
	for (;;) {
		uint64_t now;
		for (int i = 0; i < POLLS_PER_YIELD; i++) {
			if (ready(arg))
				return true;
			cpu_relax();
		}
		*vain_out = in_vain(wait);
		if (*vain_out)
			return false;
		now = pl_now_ns();
		if (!end)
			end = now + wait->spin_ns;
		else if (now > end)
			break;
		sched_yield();
	}
	if (takes_turns(wait))
		wait->skips = SKIPS;
	return false;
}

/* mark: what the word was when ready() was asked. */
static void sleep_on(_Atomic uint32_t *sleeper, uint32_t mark, uint64_t ns)
{
	struct timespec t = { .tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u) };

	syscall(SYS_futex, sleeper, FUTEX_WAIT, mark, ns == UINT64_MAX ? NULL : &t, NULL, 0);
}

static void budget_grow(struct pl_wait *wait)
{
	uint32_t most = spin_ns_max(wait);

	wait->spin_ns = wait->spin_ns < most / 2 ? wait->spin_ns * 2 : most;
}

static void budget_shrink(struct pl_wait *wait)
{
	uint32_t least = wait->spin_ns_max ? wait->spin_ns_max / LEAST_SPINS : PL_SPIN_NS_MIN;

	wait->spin_ns = wait->spin_ns / 2 > least ? wait->spin_ns / 2 : least;
}

static uint64_t nearly_ns(const struct pl_wait *wait)
{
	return wait->spin_ns_max ? (uint64_t)wait->spin_ns_max * NEARLY_SPINS : NEARLY_NS;
}

static void sleep_once(const struct pl_wait *wait, _Atomic uint32_t *sleeper, uint32_t mark, uint64_t ns)
{
	if (wait->sleep)
		wait->sleep->sleep(wait->sleep, mark, ns);
	else
		sleep_on(sleeper, mark, ns);
}

/* end: UINT64_MAX = no limit. */
static bool sleep_until(const struct pl_wait *wait, _Atomic uint32_t *sleeper, pl_wait_ready_fn ready, void *arg,
			uint64_t end)
{
	for (;;) {
		uint32_t own = wait->sleep ? wait->sleep->mark(wait->sleep) : 0;
		uint32_t mark =
			atomic_fetch_or_explicit(sleeper, PL_SLEEPER_HERE, memory_order_relaxed) | PL_SLEEPER_HERE;
		uint64_t now;

		if (wait->sleep)
			mark = own;
		pl_barrier();
		if (ready(arg))
			return true;
		if (end == UINT64_MAX) {
			sleep_once(wait, sleeper, mark, UINT64_MAX);
			continue;
		}
		now = pl_now_ns();
		if (now >= end)
			return false;
		sleep_once(wait, sleeper, mark, end - now);
	}
}

bool pl_wait_until(struct pl_wait *wait, _Atomic uint32_t *sleeper, pl_wait_ready_fn ready, void *arg,
		   uint64_t timeout_ns)
{
	uint64_t begin;
	bool done, vain;

	if (ready(arg))
		return true;
	if (spin(wait, ready, arg, &vain)) {
		wait->spins++;
		budget_grow(wait);
		return true;
	}
	wait->sleeps++;
	begin = pl_now_ns();
	done = sleep_until(wait, sleeper, ready, arg, timeout_ns == UINT64_MAX ? UINT64_MAX : begin + timeout_ns);
	if (vain)
		return done;
	if (done && pl_now_ns() - begin < nearly_ns(wait))
		budget_grow(wait);
	else
		budget_shrink(wait);
	return done;
}

void pl_wake_note(_Atomic uint32_t *sleeper)
{
	uint32_t old = atomic_load_explicit(sleeper, memory_order_relaxed);

	/* Another number each time: who looked before and sleeps only now finds its mark gone, whoever has come since.
	 */
	while (!atomic_compare_exchange_weak_explicit(sleeper, &old, (old & ~PL_SLEEPER_HERE) + 2, memory_order_relaxed,
						      memory_order_relaxed))
		;
}

void pl_wake_call(_Atomic uint32_t *sleeper)
{
	syscall(SYS_futex, sleeper, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void pl_wake(_Atomic uint32_t *sleeper)
{
	pl_wake_note(sleeper);
	pl_wake_call(sleeper);
}
