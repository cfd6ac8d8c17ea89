/*
 * How a thread waits for a word that somebody else changes: it spins for a bounded, adaptive time, gives its core away
 * while it does so, then sleeps on the word's futex.  An idle virtual CPU takes 40-50 us to wake, a spin 0.5 us
 * (docs/adr/0003), so a short spin pays wherever the answer is near; the budget follows what paid lately.
 */
#ifndef PL_BASE_WAIT_H
#define PL_BASE_WAIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define PL_SPIN_NS_MIN 2000u  /* never less: one exchange over shared memory takes 0.5 us */
#define PL_SPIN_NS_MAX 50000u /* never more, as the core may be the one that the answer needs (docs/adr/0003) */

/* Where a futex does not reach the other side: another way to sleep (link/shm/bell.h).  mark() is asked before the
 * sleeper word is set and looked at; sleep() returns when something happened since, or the time is over, or for
 * nothing. */
struct pl_sleep {
	uint32_t (*mark)(struct pl_sleep *sleep);
	void (*sleep)(struct pl_sleep *sleep, uint32_t mark, uint64_t ns); /* UINT64_MAX = no limit */
};

struct pl_wait {                /* one thread's; private memory */
	uint32_t spin_ns;       /* adaptive budget; 0 = not used yet */
	uint32_t spin_ns_max;   /* its limit; 0 = PL_SPIN_NS_MAX */
	struct pl_sleep *sleep; /* NULL = on the sleeper word's futex */
	uint64_t spins, sleeps; /* how often a wait ended while spinning, in sleep */
	/* What the other side says of itself; both may be NULL, and it may lie. */
	const _Atomic uint32_t *core; /* where it waited last: it may need that core, so nobody spins there for it */
	const _Atomic uint32_t *slow; /* not 0: it waits itself, and may need a core; with many nobody minds */
	/* Where the one runs that makes things ready, and gives this core away itself: on one core spinning is left out
	 * for some waits after one that did not pay.  NULL where that is not known. */
	const _Atomic uint32_t *turns;
	uint32_t skips; /* so many */
};

static inline uint64_t pl_now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* What pl_wait.core of the other side shall say: the core that this thread runs on, never 0 (0 = not known). */
uint32_t pl_wait_core(void);

#define PL_SLEEPER_HERE 1u /* of a sleeper word, which begins as 0 */

/* How many cores count as this process', instead of what the system says; 0 = that again.  For tests. */
void pl_wait_cores_set(uint32_t cores);

/* What pl_wait_until() polls: true when the wait is over.  Called often: a few loads, no lock. */
typedef bool (*pl_wait_ready_fn)(void *arg);

/** pl_wait_until() - wait until ready(arg), or the time is over
 * @sleeper: bit 0 is set while somebody may sleep, so that the other side wakes only then; above it is counted how
 * often sleepers were woken.  It is also the futex that is slept on: a wake between a waiter's last look and its sleep
 *           keeps the waiter awake, also where another waiter has set the bit again since.  Shared by processes.
 * @timeout_ns: UINT64_MAX = no limit
 * Return: true when ready. */
bool pl_wait_until(struct pl_wait *wait, _Atomic uint32_t *sleeper, pl_wait_ready_fn ready, void *arg,
		   uint64_t timeout_ns);

/* Wakes all who sleep. */
void pl_wake(_Atomic uint32_t *sleeper);
/* The part of it that the word sees: for a side that wakes in another way than by the futex. */
void pl_wake_note(_Atomic uint32_t *sleeper);
/* The other part, after the word has seen it: only the address counts, the word itself may be gone. */
void pl_wake_call(_Atomic uint32_t *sleeper);

/* Store before, load after: the one order that release and acquire do not give.  ThreadSanitizer does not know fences;
 * an exchange on a word of one's own is the same to it. */
static inline void pl_barrier(void)
{
#if defined(__SANITIZE_THREAD__)
	static _Atomic uint32_t own;
	atomic_exchange(&own, 1);
#else
	atomic_thread_fence(memory_order_seq_cst);
#endif
}

/* For the side that made ready() true: full barrier, then whether the sleeper flag asks for a wake-up. */
static inline bool pl_wake_wanted(_Atomic uint32_t *sleeper)
{
	pl_barrier();
	return atomic_load_explicit(sleeper, memory_order_relaxed) & PL_SLEEPER_HERE;
}

/* Wakes where it does.  Return: woke. */
static inline bool pl_wake_if(_Atomic uint32_t *sleeper)
{
	if (!pl_wake_wanted(sleeper))
		return false;
	pl_wake(sleeper);
	return true;
}

#endif
