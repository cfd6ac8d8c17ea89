/*
 * A lock of four bytes for objects: a compare and a swap where nobody is in the way (which is nearly always), a futex
 * otherwise.  For the threads of one process; not recursive, not fair.  Zero-initialised = free; nothing to destroy.
 * What the holder wrote is seen by the next one.  A fork()ed child finds it as it was: taken for good, if another
 * thread had it.
 */
#ifndef PL_BASE_LOCK_H
#define PL_BASE_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct pl_lock {
	_Atomic uint32_t word; /* 0 free, 1 taken, 2 taken and somebody sleeps */
};

/* The rare halves of pl_lock() and pl_unlock(): call those. */
void pl_lock_wait(struct pl_lock *lock); /* returns with the lock taken */
void pl_lock_wake(struct pl_lock *lock);

/* Never waits.  Return: taken. */
static inline bool pl_lock_try(struct pl_lock *lock)
{
	uint32_t seen = 0;

	return atomic_compare_exchange_strong_explicit(&lock->word, &seen, 1, memory_order_acquire,
						       memory_order_relaxed);
}

static inline void pl_lock(struct pl_lock *lock)
{
	if (!pl_lock_try(lock))
		pl_lock_wait(lock);
}

/* Called with the lock held, by whoever took it. */
static inline void pl_unlock(struct pl_lock *lock)
{
	if (atomic_exchange_explicit(&lock->word, 0, memory_order_release) == 2)
		pl_lock_wake(lock);
}

#endif
