/* Data in blocks, through a ring that the client has set aside (wire/cuda.h). */
#ifndef PL_BACKEND_CUDA_COPY_RING_H
#define PL_BACKEND_CUDA_COPY_RING_H

#include "backend/cuda/session.h"

struct pl_cuda_ring_wait {
	struct pl_cuda_ring *ring;
	uint32_t block; /* bytes of one */
	uint32_t count; /* what is waited for */
};

/* name: the client's for it.  waits: of copies that have ended when they return.  `count` is the caller's.
 * Return: false: refused. */
bool pl_cuda_ring_find(struct pl_serve *serve, uint64_t name, bool waits, struct pl_cuda_ring_wait *until);
/* Of so many bytes that are left, those of the next block. */
static inline uint64_t pl_cuda_ring_part(const struct pl_cuda_ring_wait *until, uint64_t left)
{
	return left < until->block ? left : until->block;
}

#endif
