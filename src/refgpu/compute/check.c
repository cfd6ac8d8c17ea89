/* Check mode: a shadow word for each word of shared memory; see check.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "refgpu/compute/check.h"
#include "refgpu/compute/mem.h"
#include "refgpu/compute/next.h"

/* Two accesses of different warps race when no barrier of the whole block lies between them and one of them writes. */
struct shadow {
	uint32_t written_at, read_at; /* barrier intervals, from 1 */
	uint8_t writer, reader;       /* warps */
	uint8_t bytes;                /* written so far, a bit each */
	bool atomic;                  /* the write was */
};

struct pl_sm_check {
	uint32_t words, interval;
	struct shadow shadow[];
};

int pl_sm_check_begin(struct pl_sm_block *block, uint32_t shared_bytes)
{
	uint32_t words = (shared_bytes + 3) / 4;

	free(block->check);
	block->check = calloc(1, sizeof(*block->check) + words * sizeof(struct shadow));
	if (!block->check)
		return -ENOMEM;
	block->check->words = words;
	block->check->interval = 1;
	return 0;
}

void pl_sm_check_end(struct pl_sm_block *block)
{
	free(block->check);
	block->check = NULL;
}

void pl_sm_check_barrier(struct pl_sm_block *block)
{
	if (block->check)
		block->check->interval++;
}

static bool word_access(struct pl_sm_warp *w, const struct pl_sm_op *op, uint32_t offset, unsigned bytes,
			enum pl_rg_access access, uint32_t lane)
{
	struct pl_sm_check *check = w->block->check;
	struct shadow *s = &check->shadow[offset / 4];
	uint8_t touched = (uint8_t)(((1u << bytes) - 1) << offset % 4), me = (uint8_t)w->index;
	bool other_wrote = s->written_at == check->interval && s->writer != me;
	bool other_read = s->read_at == check->interval && s->reader != me;

	if (access != PL_RG_WRITE && touched & ~s->bytes) {
		pl_sm_fault(w, op, PL_RG_FAULT_SHARED_UNINIT, access, offset, lane);
		return false;
	}
	if ((other_wrote && !(access == PL_RG_ATOMIC && s->atomic)) || (access != PL_RG_READ && other_read)) {
		pl_sm_fault(w, op, PL_RG_FAULT_SHARED_RACE, access, offset, lane);
		return false;
	}
	if (access == PL_RG_READ) {
		s->read_at = check->interval;
		s->reader = me;
		return true;
	}
	s->written_at = check->interval;
	s->writer = me;
	s->bytes |= touched;
	s->atomic = access == PL_RG_ATOMIC;
	return true;
}

static bool lane_access(struct pl_sm_warp *w, const struct pl_sm_op *op, uint32_t offset, unsigned bytes,
			enum pl_rg_access access, uint32_t lane)
{
	for (unsigned done = 0; done < bytes; done += 4)
		if (!word_access(w, op, offset + done, bytes < 4 ? bytes : 4, access, lane))
			return false;
	return true;
}

static const pl_sm_fn *inner_of(const struct pl_sm_warp *w, const struct pl_sm_op *op)
{
	return w->sm->grid->code->inner[op - w->ops];
}

static __attribute__((noinline)) bool memory_good(PL_SM_ARGS, enum pl_rg_access access)
{
	union pl_sm_mem m = { .x = op->x };
	unsigned bytes = (unsigned)m.bytes << m.vec;
	uint64_t addr[PL_ISA_LANES];

	pl_sm_mem_addresses(w, op, R, addr);
	for (uint32_t left = mask; left; left &= left - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(left);
		uint64_t offset = m.space == PL_ISA_SHARED ? addr[i] : addr[i] - PL_ISA_SHARED_BASE;

		if (offset >= w->sm->grid->shared_bytes || offset % bytes || w->sm->grid->shared_bytes - offset < bytes)
			continue; /* not shared, or the operation itself reports it */
		if (!lane_access(w, op, (uint32_t)offset, bytes, access, i))
			return false;
	}
	return true;
}

#define CHECKED(name, access)                                                                                          \
	static void name(PL_SM_ARGS)                                                                                   \
	{                                                                                                              \
		if (!memory_good(w, op, R, mask, access))                                                              \
			return;                                                                                        \
		inner_of(w, op)[mask != PL_SM_ALL](w, op, R, mask);                                                    \
	}
CHECKED(checked_load, PL_RG_READ)
CHECKED(checked_store, PL_RG_WRITE)
CHECKED(checked_atomic, PL_RG_ATOMIC)

/* A barrier of the whole block that only a part of a warp has come to. */
static void checked_barrier(PL_SM_ARGS)
{
	if (!(op->sub & 16) && op->x >> 4 == 0 && mask != w->live) {
		pl_sm_fault(w, op, PL_RG_FAULT_DIVERGENT_BARRIER, PL_RG_EXEC, mask, (uint32_t)__builtin_ctz(mask));
		return;
	}
	inner_of(w, op)[mask != PL_SM_ALL](w, op, R, mask);
}

void pl_sm_check_wrap(const struct pl_isa_fields *f, struct pl_sm_op *op, pl_sm_fn inner[2])
{
	bool memory = f->space == PL_ISA_SHARED || f->space == PL_ISA_GENERIC;
	pl_sm_fn front = NULL;

	if (f->op == PL_ISA_LD && memory)
		front = checked_load;
	else if (f->op == PL_ISA_ST && memory)
		front = checked_store;
	else if ((f->op == PL_ISA_ATOM || f->op == PL_ISA_RED) && memory)
		front = checked_atomic;
	else if (f->op == PL_ISA_BAR)
		front = checked_barrier;
	if (!front)
		return;
	inner[0] = op->fn[0];
	inner[1] = op->fn[1];
	op->fn[0] = op->fn[1] = front;
}
