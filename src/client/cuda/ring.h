/*
 * Rings for data in blocks (wire/cuda.h): one side fills a block while the other empties the one before, and the blocks
 * stay in the cache.  A ring is one call's from take to give; the worker may still be at work in it then, as what comes
 * later on the ring comes later in the session's order.
 */
#ifndef PL_CLIENT_CUDA_RING_H
#define PL_CLIENT_CUDA_RING_H

#include "client/cuda/state.h"

#define PL_CUDA_RING_COPY_MIN (512u << 10) /* less goes in one piece */
#define PL_CUDA_RINGS_MAX     16u          /* limit: copies in blocks at one time */

struct pl_cuda_ring_own {
	struct pl_session *session;
	struct pl_cuda_ring *ring;
	uint64_t at;     /* in the session's shared memory */
	uint32_t block;  /* bytes of one, of this copy */
	uint32_t index;  /* of the next block */
	bool waited_for; /* by who copies with it: a ring is for such copies or for others, as the server pins it */
};

/** pl_cuda_ring_take() - a ring for one copy
 * @waits: the server's copies have ended when they return; what may go on in a stream is the driver's only as long as
 *         the memory is not pinned
 * Return: false: none, the data has to go another way. */
bool pl_cuda_ring_take(struct pl_session *session, bool waits, uint64_t bytes, struct pl_cuda_ring_own *own_out);
/* What a call names it by. */
uint64_t pl_cuda_ring_name(const struct pl_cuda_ring_own *own);
void pl_cuda_ring_give(const struct pl_cuda_ring_own *own);

/* Fills with `bytes`, or empties into; the call that names the ring has been sent.  Return: 0, or -EPIPE: the session
 * is lost. */
int pl_cuda_ring_fill(struct pl_session *session, struct pl_cuda_ring_own *own, const void *data, uint64_t bytes);
int pl_cuda_ring_empty(struct pl_session *session, struct pl_cuda_ring_own *own, void *data, uint64_t bytes);

#endif
