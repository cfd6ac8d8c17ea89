/*
 * Device memory that can go to host memory and come back to the same addresses (server/swap.h), where the server
 * oversubscribes: what cuMemAlloc() gives, and cuMemCreate() (parts.h).  The former lies in parts that are mapped one
 * behind the other, so that no more moves than is wanted.  Small allocations and pitched ones stay where they are,
 * unless the server wants all to be movable (slab.h); so do pools, arrays, graphs' memory, managed memory.
 */
#ifndef PL_BACKEND_CUDA_SWAP_H
#define PL_BACKEND_CUDA_SWAP_H

#include "backend/cuda/session.h"

#define PL_CUDA_MOVABLE_MIN  (2u << 20)  /* what is smaller would waste most of its part */
#define PL_CUDA_MOVABLE_PART (64u << 20) /* that moves at once */

extern const struct pl_swap_ops pl_cuda_swap_ops;

/* PL_CUDA_MOVABLE_MIN, unless $PLENUM_MOVABLE_MIN says otherwise: for tests. */
void pl_cuda_movable_min_set(void);

/* The server oversubscribes, and an allocation of so many bytes is one that can be moved. */
bool pl_cuda_is_movable(const struct pl_cuda_session *session, uint64_t bytes);
/** pl_cuda_movable_alloc() - on the device of the current context
 * With the turn held, and inside; it may wait until other sessions have given up theirs.
 * Return: the status to answer with; 0 and *address_out, for pl_cuda_movable_free(). */
int32_t pl_cuda_movable_alloc(struct pl_serve *serve, uint64_t bytes, CUdeviceptr *address_out);
/* What works with it ends first.  Return: it is such an allocation; *status_out says what became of it. */
bool pl_cuda_movable_free(struct pl_serve *serve, CUdeviceptr address, int32_t *status_out);
/* Ahead of what ends a context together with its memory: what works with that ends first.  One that the driver has
 * destroyed already is not touched any more. */
void pl_cuda_movables_wait(struct pl_cuda_session *session, uint64_t context);
/* Nothing works with it any more. */
void pl_cuda_movable_forget(struct pl_cuda_session *session, CUdeviceptr address);
/* Some of the range belongs to such an allocation: the driver knows it as parts, the client does not. */
bool pl_cuda_movable_holds(struct pl_cuda_session *session, uint64_t address, uint64_t bytes);
/* Host memory for what moves there, for munmap().  NULL: there is none. */
void *pl_cuda_moved_room(uint64_t bytes);
/* Another session has given up memory for an allocation that the driver has no room for: try again. */
bool pl_cuda_pressed(struct pl_serve *serve, int32_t status, uint64_t bytes);

#endif
