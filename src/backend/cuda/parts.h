/*
 * Memory in its parts (cuMemCreate(), cuMemMap()), as vmm.c notes it: what is charged, and, where the server
 * oversubscribes, what it takes to move it (swap-part.c).  All of this is under the turn, or while nobody is inside.
 */
#ifndef PL_BACKEND_CUDA_PARTS_H
#define PL_BACKEND_CUDA_PARTS_H

#include "backend/cuda/session.h"

#define PL_CUDA_PART 1u /* kind of session->parts: by the id of a handle, struct pl_cuda_part */
#define PL_CUDA_MAP  2u /* kind of session->maps: by address, struct pl_cuda_map */

struct pl_cuda_part {
	uint64_t bytes; /* that are charged; 0: another session's */
	uint32_t refs;  /* handles and maps */
	bool movable;   /* it is claimed */
	bool ours;      /* it was: the driver has one handle for it, which is ours, and the client's are ids of that */
	bool seen;      /* by who goes through all */
	CUmemGenericAllocationHandle handle;
	CUmemAllocationProp properties;
	unsigned long long flags;
	void *host; /* where it is out; NULL: it is in */
};

struct pl_cuda_map {
	struct pl_cuda_part *part;
	uint64_t bytes, offset;
	unsigned long long flags;
	uint8_t access[PL_CUDA_DEVICES_MAX]; /* CU_MEM_ACCESS_FLAGS_* of each device, while it is out */
};

/* ---- swap-part.c ---- */

/* Makes it one that can be moved, if it can, and claims the room.  Return: 0, or the status to answer with. */
int32_t pl_cuda_part_claim(struct pl_serve *serve, struct pl_cuda_part *part);
/* It is gone, or stays where it is from now on. */
void pl_cuda_part_unclaim(struct pl_cuda_session *session, struct pl_cuda_part *part);
/* Somebody else has that allocation, too. */
void pl_cuda_part_stays(struct pl_cuda_session *session, uint64_t id);
/* As pl_swap_ops.out and .in, with the driver's result. */
void pl_cuda_parts_out(struct pl_cuda_session *session, const uint64_t wanted[PL_SWAP_DEVICES_MAX],
		       uint64_t moved_io[PL_SWAP_DEVICES_MAX]);
CUresult pl_cuda_parts_in(struct pl_cuda_session *session, uint64_t moved_io[PL_SWAP_DEVICES_MAX]);

#endif
