/*
 * A lock of four bytes for objects: a compare and a swap where nobody is in the way (which is nearly always), a futex
 * otherwise.  Not recursive.  Zero-initialised = free.
 */
#ifndef PL_CL_LOCK_H
#define PL_CL_LOCK_H

#include <stdatomic.h>
#include <stdint.h>

struct pl_cl_lock {
	_Atomic uint32_t word; /* 0 free, 1 taken, 2 taken and somebody sleeps */
};

void pl_cl_lock_wait(struct pl_cl_lock *lock);
void pl_cl_lock_wake(struct pl_cl_lock *lock);

static inline void pl_cl_lock(struct pl_cl_lock *lock)
{
	uint32_t seen = 0;

	if (!atomic_compare_exchange_strong_explicit(&lock->word, &seen, 1, memory_order_acquire, memory_order_relaxed))
		pl_cl_lock_wait(lock);
}

static inline void pl_cl_unlock(struct pl_cl_lock *lock)
{
	if (atomic_exchange_explicit(&lock->word, 0, memory_order_release) == 2)
		pl_cl_lock_wake(lock);
}

#endif
