/*
 * An allocation of cuMemAlloc() that can be moved, or a slab of small ones, for the files that know of its parts:
 * swap.c makes and moves them, slab.c divides slabs, swap-save.c writes them down.  All of this is under the turn, or
 * while nobody is inside.
 */
#ifndef PL_BACKEND_CUDA_MOVABLE_H
#define PL_BACKEND_CUDA_MOVABLE_H

#include "backend/cuda/session.h"

#define PL_CUDA_MOVABLE 1u /* kind of session->movables: by address, struct pl_cuda_movable */

struct pl_cuda_movable_part {
	CUmemGenericAllocationHandle handle; /* where host is NULL */
	void *host;                          /* where it is out */
};

struct pl_cuda_movable {
	CUdeviceptr address;
	uint64_t bytes; /* of whole granules */
	CUdevice device;
	CUcontext context;
	uint64_t context_id;       /* the client's */
	struct pl_cuda_slab *slab; /* NULL: it is one allocation */
	uint32_t parts_count;
	struct pl_cuda_movable_part parts[];
};

uint64_t pl_cuda_movable_part_bytes(const struct pl_cuda_movable *movable, uint32_t at);
/* In whole granules.  Return: 0: too much, or the driver has no granules that we could use. */
uint64_t pl_cuda_movable_whole(CUdevice device, uint64_t bytes);
/* One of the current context, with its room claimed.  Return: the status to answer with. */
int32_t pl_cuda_movable_make(struct pl_serve *serve, uint64_t bytes, struct pl_cuda_movable **movable_out);
/* Unmaps it and gives the address back; of one that is not in the table. */
void pl_cuda_movable_end(struct pl_cuda_movable *movable);
/* Takes it out of the table, ends it, and unclaims its room; nothing works with it any more. */
void pl_cuda_movable_drop(struct pl_cuda_session *session, struct pl_cuda_movable *movable);
/* The allocation that begins there; NULL: none does, or it is a small one. */
struct pl_cuda_movable *pl_cuda_movable_at(struct pl_cuda_session *session, CUdeviceptr address);

/* memory.c: notes an allocation again, and charges it.  Return: 0; -ENOMEM: it is not to be had; -EPROTO: it was noted
 * before. */
int pl_cuda_memory_restore(struct pl_cuda_session *session, uint64_t address, uint64_t bytes, uint64_t context);
/* As pl_swap_claim(); slabs without allocations go before it fails. */
int pl_cuda_room_claim(struct pl_cuda_session *session, CUdevice device, uint64_t bytes);

#endif
