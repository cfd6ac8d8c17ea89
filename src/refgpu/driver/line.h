/*
 * Semaphores in system memory, and timelines of them: a line counts the work that was given to a stream (or recorded by
 * an event) and the work that is done.  The device, or a thread of the driver, writes the done count; it only grows.
 * Lines are counted, so that who waits for one need not care whether its stream still exists.
 */
#ifndef PL_REFGPU_DRIVER_LINE_H
#define PL_REFGPU_DRIVER_LINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "refgpu/driver/hw.h"

struct pl_cu_sem { /* as the device writes it; lies at the same address for both */
	_Atomic uint64_t value;
	_Atomic uint64_t time_ns;
};

/* One, all zero, for who wants it as memory that kernels reach.  NULL: no memory. */
struct pl_cu_sem *pl_cu_sem_take(struct pl_cu_hw *hw);
void pl_cu_sem_give(struct pl_cu_sem *sem);

struct pl_cu_line {
	struct pl_cu_sem *sem;
	_Atomic uint64_t last; /* the value that the newest work will write */
	atomic_uint refs;
	bool foreign; /* the semaphore belongs to another process' memory, or to who mapped it */
};

/* One reference.  NULL: no memory. */
struct pl_cu_line *pl_cu_line_create(struct pl_cu_hw *hw);
/* Over a semaphore that somebody else keeps. */
struct pl_cu_line *pl_cu_line_create_over(struct pl_cu_sem *sem);
struct pl_cu_line *pl_cu_line_ref(struct pl_cu_line *line);
void pl_cu_line_unref(struct pl_cu_line *line); /* NULL is fine */

/* For who does a step that is not the device's: the done count comes to `value`, if it is not there already. */
static inline void pl_cu_line_raise(struct pl_cu_line *line, uint64_t value)
{
	uint64_t now = atomic_load(&line->sem->value);
	while ((int64_t)(value - now) > 0 && !atomic_compare_exchange_weak(&line->sem->value, &now, value))
		;
}

/* Lines of a context that has failed are raised, too: who tells the program asks for the context's error behind this,
 * not only before. */
static inline bool pl_cu_line_done(const struct pl_cu_line *line, uint64_t value)
{
	return (int64_t)(atomic_load_explicit(&line->sem->value, memory_order_acquire) - value) >= 0;
}

static inline bool pl_cu_line_idle(const struct pl_cu_line *line)
{
	return pl_cu_line_done(line, atomic_load_explicit(&line->last, memory_order_acquire));
}

static inline uint64_t pl_cu_line_address(const struct pl_cu_line *line)
{
	return (uint64_t)(uintptr_t)line->sem;
}

#endif
