/* Addresses and spans of memory accesses; see mem.h. */
#include <string.h>

#include "refgpu/compute/check.h"
#include "refgpu/compute/mem.h"

void pl_sm_mem_addresses(const struct pl_sm_warp *w, const struct pl_sm_op *op, const char *R, uint64_t addr[32])
{
	union pl_sm_mem m = { .x = op->x };
	const uint64_t *a64 = (const void *)(R + op->a);
	const uint32_t *a32 = (const void *)(R + op->a), *b = (const void *)(R + op->b);
	uint64_t base;

	switch (m.form) {
	case PL_ISA_ADDR_R64:
		for (int i = 0; i < 32; i++)
			addr[i] = a64[i] + op->imm;
		return;
	case PL_ISA_ADDR_R32:
		for (int i = 0; i < 32; i++)
			addr[i] = (uint32_t)(a32[i] + (uint32_t)op->imm);
		return;
	case PL_ISA_ADDR_UR:
		base = w->frame.U[op->a] + op->imm;
		for (int i = 0; i < 32; i++)
			addr[i] = base + ((m.sx ? (uint64_t)(int64_t)(int32_t)b[i] : (uint64_t)b[i]) << m.shift);
		break;
	case PL_ISA_ADDR_U:
		for (int i = 0; i < 32; i++)
			addr[i] = w->frame.U[op->a] + op->imm;
		break;
	default:
		for (int i = 0; i < 32; i++)
			addr[i] = op->imm;
	}
	if (m.space >= PL_ISA_SHARED)
		for (int i = 0; i < 32; i++)
			addr[i] = (uint32_t)addr[i];
}

static bool span_local(struct pl_sm_warp *w, const struct pl_sm_op *op, const struct pl_sm_span *span, uint32_t code,
		       uint64_t addr, unsigned bytes, enum pl_rg_access access, uint32_t lane)
{
	if (addr - span->begin < span->bytes && span->bytes - (addr - span->begin) >= bytes)
		return true;
	pl_sm_fault(w, op, code, access, addr, lane);
	return false;
}

bool pl_sm_mem_span(struct pl_sm_warp *w, const struct pl_sm_op *op, unsigned space, uint64_t addr, unsigned bytes,
		    enum pl_rg_access access, uint32_t lane, struct pl_sm_span *span_out)
{
	const struct pl_sm_grid *grid = w->sm->grid;
	const struct pl_mmu_run *run;
	uint64_t begin = 0;

	if (addr & (bytes - 1)) {
		pl_sm_fault(w, op, PL_RG_FAULT_MISALIGNED, access, addr, lane);
		return false;
	}
	if (space == PL_ISA_GENERIC && addr - PL_ISA_LOCAL_BASE < 2 * PL_ISA_WINDOW_BYTES) {
		space = addr >= PL_ISA_SHARED_BASE ? PL_ISA_SHARED : PL_ISA_LOCAL;
		begin = space == PL_ISA_SHARED ? PL_ISA_SHARED_BASE : PL_ISA_LOCAL_BASE;
	}
	switch (space) {
	case PL_ISA_SHARED:
		*span_out = (struct pl_sm_span){ begin, grid->shared_bytes, w->block->shared, false };
		return span_local(w, op, span_out, PL_RG_FAULT_SHARED_RANGE, addr, bytes, access, lane);
	case PL_ISA_LOCAL:
		*span_out = (struct pl_sm_span){ begin, grid->desc.local_bytes, w->local, true };
		return span_local(w, op, span_out, PL_RG_FAULT_LOCAL_RANGE, addr, bytes, access, lane);
	case PL_ISA_PARAM:
		*span_out = (struct pl_sm_span){ 0, access == PL_RG_READ ? grid->desc.param_bytes : 0,
						 (uint8_t *)(uintptr_t)grid->param, false };
		return span_local(w, op, span_out, PL_RG_FAULT_READ_ONLY, addr, bytes, access, lane);
	default:
		run = pl_mmu_run_at(&w->sm->tlb, addr, access);
		if (!run) {
			pl_sm_fault_mmu(w, op, lane);
			return false;
		}
		*span_out = (struct pl_sm_span){ run->begin, run->bytes, run->host, false };
		return true;
	}
}

void *pl_sm_mem_at(struct pl_sm_warp *w, const struct pl_sm_op *op, unsigned space, uint64_t addr, unsigned bytes,
		   enum pl_rg_access access, uint32_t lane)
{
	struct pl_sm_span span;

	if (w->block->check && !pl_sm_check_access(w, op, space, addr, bytes, access, lane))
		return NULL;
	if (!pl_sm_mem_span(w, op, space, addr, bytes, access, lane, &span))
		return NULL;
	if (span.local)
		return pl_sm_local_at(span.host, addr - span.begin, lane);
	return span.host + (addr - span.begin);
}

static bool copy_lane(struct pl_sm_warp *w, const struct pl_sm_op *op, unsigned space, uint64_t addr, uint8_t *data,
		      size_t bytes, enum pl_rg_access access, uint32_t lane)
{
	if (w->block->check && !pl_sm_check_access(w, op, space, addr, bytes, access, lane))
		return false;
	while (bytes) {
		struct pl_sm_span span;
		uint64_t room;
		uint8_t *at;

		if (!pl_sm_mem_span(w, op, space, addr, 1, access, lane, &span))
			return false;
		room = span.bytes - (addr - span.begin);
		if (span.local)
			room = 4 - (addr & 3) < room ? 4 - (addr & 3) : room;
		room = room < bytes ? room : bytes;
		at = span.local ? pl_sm_local_at(span.host, addr - span.begin, lane) : span.host + (addr - span.begin);
		if (access == PL_RG_READ)
			memcpy(data, at, room);
		else
			memcpy(at, data, room);
		addr += room, data += room, bytes -= room;
	}
	return true;
}

bool pl_sm_mem_read(struct pl_sm_warp *w, const struct pl_sm_op *op, unsigned space, uint64_t addr, void *data,
		    size_t bytes, uint32_t lane)
{
	w->sm->bytes_read += bytes;
	return copy_lane(w, op, space, addr, data, bytes, PL_RG_READ, lane);
}

bool pl_sm_mem_write(struct pl_sm_warp *w, const struct pl_sm_op *op, unsigned space, uint64_t addr, const void *data,
		     size_t bytes, uint32_t lane)
{
	w->sm->bytes_written += bytes;
	return copy_lane(w, op, space, addr, (uint8_t *)(uintptr_t)data, bytes, PL_RG_WRITE, lane);
}
