/* Threads that wait for the device, and whom it wakes. */
#include "hw.h"

#define WAKES_AT_ONCE 8u /* further ones are woken with the lock held */

struct pl_cu_waiter { /* on the waiting thread's stack */
	pl_wait_ready_fn ready;
	void *arg;
	_Atomic uint32_t sleeper;
	struct pl_cu_waiter *next, **link;
};

static _Thread_local struct pl_wait thread_wait;

static void waiter_add(struct pl_cu_waiters *waiters, struct pl_cu_waiter *waiter)
{
	pl_lock(&waiters->lock);
	waiter->next = waiters->first;
	waiter->link = &waiters->first;
	if (waiter->next)
		waiter->next->link = &waiter->next;
	waiters->first = waiter;
	atomic_fetch_add_explicit(&waiters->count, 1, memory_order_relaxed);
	pl_unlock(&waiters->lock);
}

static void waiter_remove(struct pl_cu_waiters *waiters, struct pl_cu_waiter *waiter)
{
	pl_lock(&waiters->lock);
	*waiter->link = waiter->next;
	if (waiter->next)
		waiter->next->link = waiter->link;
	atomic_fetch_sub_explicit(&waiters->count, 1, memory_order_relaxed);
	pl_unlock(&waiters->lock);
}

bool pl_cu_hw_wait(struct pl_cu_hw *hw, pl_wait_ready_fn ready, void *arg, uint64_t timeout_ns)
{
	struct pl_cu_waiter waiter = { .ready = ready, .arg = arg };
	bool done;

	if (ready(arg))
		return true;
	waiter_add(&hw->waiters, &waiter);
	done = pl_wait_until(&thread_wait, &waiter.sleeper, ready, arg, timeout_ns);
	waiter_remove(&hw->waiters, &waiter);
	return done;
}

void pl_cu_hw_wake(struct pl_cu_hw *hw)
{
	_Atomic uint32_t *woken[WAKES_AT_ONCE];
	uint32_t n = 0;

	pl_barrier(); /* what was made ready is seen by who counts itself now, or that one is seen here */
	if (!atomic_load_explicit(&hw->waiters.count, memory_order_relaxed))
		return;
	pl_lock(&hw->waiters.lock);
	for (struct pl_cu_waiter *waiter = hw->waiters.first; waiter; waiter = waiter->next) {
		if (!pl_wake_wanted(&waiter->sleeper) || !waiter->ready(waiter->arg))
			continue;
		pl_wake_note(&waiter->sleeper);
		if (n == WAKES_AT_ONCE)
			pl_wake_call(&waiter->sleeper);
		else
			woken[n++] = &waiter->sleeper;
	}
	pl_unlock(&hw->waiters.lock);
	while (n) /* who wakes wants the lock, and may be gone already */
		pl_wake_call(woken[--n]);
}
