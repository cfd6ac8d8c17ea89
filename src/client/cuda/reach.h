/*
 * Pinned memory that the program did not ask to be mapped, where the session shares none: it is plain memory here,
 * which is what copies are fast with.  By unified addressing a device may use it all the same, at the program's own
 * address.  So when a call first gives a device such an address (in a launch's arguments, to fill, to wait for), the
 * server gets memory there, too, and its pages go to and fro from then on (mirrored.h, docs/adr/0033).  Any thread.
 */
#ifndef PL_CLIENT_CUDA_REACH_H
#define PL_CLIENT_CUDA_REACH_H

#include "client/cuda/memory.h"

/* How many allocations there are that are plain: nothing has to be looked for while there are none. */
extern _Atomic uint32_t pl_cuda_plains;

/* Of the table of memory's. */
void pl_cuda_plain_came(uint64_t address, uint64_t bytes);
void pl_cuda_plain_went(void);

void pl_cuda_reach_slow(CUdeviceptr address);
void pl_cuda_reach_all_slow(const uint8_t *args, uint64_t bytes);

static inline bool pl_cuda_plain_is_any(void)
{
	return __builtin_expect(atomic_load_explicit(&pl_cuda_plains, memory_order_relaxed), 0);
}

/** pl_cuda_reach() - a device is given this address
 * Where it is plain memory's it is the device's when this returns; where that can not be done, the log says so, and it
 * stays as it was.  No call is being made, and the current context is known to the server. */
static inline void pl_cuda_reach(CUdeviceptr address)
{
	if (pl_cuda_plain_is_any())
		pl_cuda_reach_slow(address);
}

/* As well, arguments of a kernel, or lists of operations: each word of 8 bytes that looks like such an address. */
static inline void pl_cuda_reach_all(const uint8_t *args, uint64_t bytes)
{
	if (pl_cuda_plain_is_any())
		pl_cuda_reach_all_slow(args, bytes);
}

/* ---- copies ---- */

/* A copy that the kernel makes from and to the program's memory: it stays plain meanwhile. */
struct pl_cuda_plain_use {
	struct pl_cuda_plain_use *next;
	uint64_t address[2];
	bool is_listed;
};

void pl_cuda_plain_use_slow(struct pl_cuda_plain_use *use, const void *one, const void *other);
void pl_cuda_plain_done_slow(struct pl_cuda_plain_use *use);

/* The allocations that hold the addresses, if they are plain: from here to pl_cuda_plain_done(), for which the use is
 * declared with pl_cleanup(); no use begins within another.  NULL: none. */
static inline void pl_cuda_plain_use(struct pl_cuda_plain_use *use, const void *one, const void *other)
{
	use->is_listed = false;
	if (pl_cuda_plain_is_any())
		pl_cuda_plain_use_slow(use, one, other);
}

static inline void pl_cuda_plain_done(struct pl_cuda_plain_use *use)
{
	if (__builtin_expect(use->is_listed, 0))
		pl_cuda_plain_done_slow(use);
}

#endif
