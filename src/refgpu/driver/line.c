#include <pthread.h>
#include <stdlib.h>

#include "base/err.h"
#include "line.h"

#define PAGE_SEMS (PL_CU_PAGE / sizeof(struct pl_cu_sem))

/* Semaphores come from pages of their own; a free one holds the next free one. */
static struct {
	pthread_mutex_t lock;
	struct pl_cu_sem *free;
} sems = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Called with sems.lock held. */
static void sems_grow(struct pl_cu_hw *hw)
{
	struct pl_cu_sem *page = pl_cu_sys_alloc(hw, PL_CU_PAGE);
	for (size_t i = 0; page && i < PAGE_SEMS; i++) {
		atomic_store(&page[i].value, (uint64_t)(uintptr_t)sems.free);
		sems.free = &page[i];
	}
}

struct pl_cu_sem *pl_cu_sem_take(struct pl_cu_hw *hw)
{
	struct pl_cu_sem *sem;
	pthread_mutex_lock(&sems.lock);
	if (!sems.free)
		sems_grow(hw);
	sem = sems.free;
	if (sem)
		sems.free = (struct pl_cu_sem *)(uintptr_t)atomic_load(&sem->value);
	pthread_mutex_unlock(&sems.lock);
	if (sem) {
		atomic_store(&sem->value, 0);
		atomic_store(&sem->time_ns, 0);
	}
	return sem;
}

void pl_cu_sem_give(struct pl_cu_sem *sem)
{
	pthread_mutex_lock(&sems.lock);
	atomic_store(&sem->value, (uint64_t)(uintptr_t)sems.free);
	sems.free = sem;
	pthread_mutex_unlock(&sems.lock);
}

struct pl_cu_line *pl_cu_line_create_over(struct pl_cu_sem *sem)
{
	struct pl_cu_line *line = calloc(1, sizeof(*line));
	if (!line)
		return NULL;
	line->sem = sem;
	line->foreign = true;
	atomic_store(&line->last, atomic_load(&sem->value));
	atomic_store(&line->refs, 1);
	return line;
}

struct pl_cu_line *pl_cu_line_create(struct pl_cu_hw *hw)
{
	struct pl_cu_sem *sem = pl_cu_sem_take(hw);
	struct pl_cu_line *line = sem ? pl_cu_line_create_over(sem) : NULL;
	if (line)
		line->foreign = false;
	else if (sem)
		pl_cu_sem_give(sem);
	return line;
}

struct pl_cu_line *pl_cu_line_ref(struct pl_cu_line *line)
{
	atomic_fetch_add(&line->refs, 1);
	return line;
}

void pl_cu_line_unref(struct pl_cu_line *line)
{
	if (!line || atomic_fetch_sub(&line->refs, 1) != 1)
		return;
	if (!line->foreign)
		pl_cu_sem_give(line->sem);
	free(line);
}
