/*
 * Small allocations that can be moved: parts of a slab, which is a movable (movable.h) of one context.  What the slab
 * takes is claimed, what its allocations take is charged.  All of this is under the turn, or while nobody is inside.
 */
#ifndef PL_BACKEND_CUDA_SLAB_H
#define PL_BACKEND_CUDA_SLAB_H

#include "backend/cuda/movable.h"

#define PL_CUDA_SLAB_UNIT 512u /* what cuMemAlloc() gives is aligned to 256 at least; texture rows want 512 */

struct pl_cuda_slab;

/* Of the current context; bytes: 1 to PL_CUDA_MOVABLE_MIN.  Return: the status to answer with. */
int32_t pl_cuda_slab_alloc(struct pl_serve *serve, uint64_t bytes, CUdeviceptr *address_out);
/* The slab that has a small allocation that begins there.  NULL: none does. */
struct pl_cuda_movable *pl_cuda_slab_of(struct pl_cuda_session *session, CUdeviceptr address);
/* Nothing works with the small allocation any more.  Return: there was one. */
bool pl_cuda_slab_forget(struct pl_cuda_session *session, CUdeviceptr address);
/* A movable that was restored becomes a slab again, without allocations.  Return: 0; -ENOMEM. */
int pl_cuda_slab_restore(struct pl_cuda_session *session, struct pl_cuda_movable *movable);
/* A small allocation in such a slab, where it was.  Return: 0; -EPROTO: it can not have been there; -ENOMEM. */
int pl_cuda_slab_restore_small(struct pl_cuda_session *session, CUdeviceptr address, uint64_t bytes);
/* Slabs without allocations go, of which each context keeps one.  Return: there were some. */
bool pl_cuda_slabs_trim(struct pl_cuda_session *session);
/* The same for a context that ends, after its allocations. */
void pl_cuda_slabs_context_left(struct pl_cuda_session *session, uint64_t context);

#endif
