/*
 * Pools that other processes have, too.  The memory of such a pool lies in a sparse, sealed file, and what is passed on
 * is its descriptor: who has it maps what he was told of.  A table in the file says which allocations live.
 *
 * The file is shared with processes that may write anything at any time: what is read there is loaded once and checked.
 */
#ifndef PL_REFGPU_DRIVER_POOL_SHARE_H
#define PL_REFGPU_DRIVER_POOL_SHARE_H

#include "refgpu/driver/pool.h"

struct pl_cu_pool {
	CUmemoryPool handle;
	struct pl_cu_dev *dev;
	struct pl_cu_pool_file *file; /* where its memory lies; NULL: in VRAM */
	bool imported;                /* another process allocates */
	CUmemPoolProps props;
	CUmemAccess_flags access;
	bool destroyed; /* goes away with its last allocation */
	bool ending;    /* a thread ends it */
	pthread_mutex_t lock;
	/* under lock */
	struct block *free;
	uint64_t release_threshold, used, used_high, reserved, reserved_high;
	int reuse[4];            /* by attribute; they are kept, and all kinds of reuse are what they allow at most */
	struct pl_cu_pool *next; /* under pools_lock */
};

/* Takes over the file, also where it fails; NULL: none. */
CUresult pl_cu_pool_create(struct pl_cu_pool **pool_out, struct pl_cu_dev *dev, const CUmemPoolProps *props,
			   struct pl_cu_pool_file *file);
/* For the API: the process is ready, and the handle is a pool's. */
CUresult pl_cu_pool_get(CUmemoryPool handle, struct pl_cu_pool **pool_out);
void pl_cu_pool_account(struct pl_cu_pool *pool, uint64_t used, uint64_t reserved); /* with pool->lock held */

/* bytes_max: 0 = as much as the device has. */
CUresult pl_cu_pool_file_create(struct pl_cu_pool_file **file_out, struct pl_cu_dev *dev, uint64_t bytes_max);
void pl_cu_pool_file_destroy(struct pl_cu_pool_file *file); /* NULL is fine */

/* These are called with the pool's lock held.  Memory of a pool of this process.  Return: 0, -ENOSPC or -ENOMEM. */
int pl_cu_pool_file_take(struct pl_cu_pool_file *file, struct pl_cu_ctx *ctx, uint64_t bytes,
			 struct pl_cu_mem **mem_out);
/* Its place in the file is free, and empty; the memory itself is destroyed next. */
void pl_cu_pool_file_give(struct pl_cu_pool_file *file, const struct pl_cu_mem *mem);
/* Others may find it there from now on, or no more. */
void pl_cu_pool_file_mark(struct pl_cu_pool_file *file, const struct pl_cu_mem *mem, bool lives);

#endif
