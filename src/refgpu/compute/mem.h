/*
 * Memory as the lanes see it: addresses of an access, and the span of host memory behind one of them.  Shared by the
 * vector handlers and by the operations that go lane by lane (atomics, matrices, textures, system calls).
 */
#ifndef PL_REFGPU_COMPUTE_MEM_H
#define PL_REFGPU_COMPUTE_MEM_H

#include "refgpu/compute/sm.h"

struct pl_sm_span { /* addresses begin..begin + bytes - 1 */
	uint64_t begin, bytes;
	uint8_t *host;
	bool local; /* host is the warp's: words of all lanes side by side */
};

/* Addresses of all 32 lanes by the operation's form; offsets within the space where it has 32-bit addresses. */
void pl_sm_mem_addresses(const struct pl_sm_warp *w, const struct pl_sm_op *op, const char *R, uint64_t addr[32]);

/** pl_sm_mem_span() - the span in which a lane's access lies as a whole
 * @space: PL_ISA_GENERIC..PL_ISA_PARAM
 * @bytes: power of two; the address must be a multiple
 * Return: false = fault, raised. */
bool pl_sm_mem_span(struct pl_sm_warp *w, const struct pl_sm_op *op, unsigned space, uint64_t addr, unsigned bytes,
		    enum pl_rg_access access, uint32_t lane, struct pl_sm_span *span_out);

/* Host memory of one lane's access, contiguous; local memory only up to 4 bytes.  NULL = fault, raised. */
void *pl_sm_mem_at(struct pl_sm_warp *w, const struct pl_sm_op *op, unsigned space, uint64_t addr, unsigned bytes,
		   enum pl_rg_access access, uint32_t lane);

/* Copies between a lane's memory and `data`, any space, any size, no alignment asked.  False = fault, raised. */
bool pl_sm_mem_read(struct pl_sm_warp *w, const struct pl_sm_op *op, unsigned space, uint64_t addr, void *data,
		    size_t bytes, uint32_t lane);
bool pl_sm_mem_write(struct pl_sm_warp *w, const struct pl_sm_op *op, unsigned space, uint64_t addr, const void *data,
		     size_t bytes, uint32_t lane);

/* atom.c: an element in memory becomes the result of an atomic operation on it and *value.  mine: nobody else can reach
 * it now. */
void pl_sm_atom_one(unsigned atom, unsigned type, void *at, const void *value, bool mine);

/* async.c: cp.async of any lanes, one after the other; w->stop tells. */
void pl_sm_cpasync_any(struct pl_sm_warp *w, const struct pl_sm_op *op, char *R, uint32_t mask);

static inline uint8_t *pl_sm_local_at(uint8_t *local, uint64_t offset, uint32_t lane)
{
	return local + (offset >> 2) * PL_SM_SLOT_BYTES + lane * 4 + (offset & 3);
}

#endif
