/*
 * Asynchronous copies, done by the time the operation ends, and mbarriers.  An mbarrier's word: pending arrivals in
 * bits 0..19, arrivals of a phase in 20..39, transaction bytes still to come in 40..61 (two's complement), parity of
 * the phase in 63.  Shared memory belongs to one SM thread: plain loads and stores.
 */
#include <string.h>

#include "refgpu/compute/check.h"
#include "refgpu/compute/mem.h"
#include "refgpu/compute/next.h"

struct mbar {
	uint32_t pending, count;
	int32_t tx;
	bool phase;
};

static struct mbar mbar_unpack(uint64_t v)
{
	return (struct mbar){ v & 0xfffff, v >> 20 & 0xfffff, (int32_t)((uint32_t)(v >> 40) << 10) >> 10, v >> 63 };
}

static uint64_t mbar_pack(const struct mbar *m)
{
	return (m->pending & 0xfffff) | (uint64_t)(m->count & 0xfffff) << 20 |
	       (uint64_t)((uint32_t)m->tx & 0x3fffff) << 40 | (uint64_t)m->phase << 63;
}

static void mbar_settle(struct mbar *m)
{
	if (m->pending || m->tx)
		return;
	m->phase = !m->phase;
	m->pending = m->count;
}

static uint64_t *mbar_at(struct pl_sm_warp *w, const struct pl_sm_op *op, uint32_t addr, bool begins, uint32_t lane)
{
	return pl_sm_mem_at(w, op, PL_ISA_SHARED, addr, 8, begins ? PL_RG_WRITE : PL_RG_ATOMIC, lane);
}

/* More arrivals than are awaited are the program's fault, and a fault. */
static bool mbar_arrive(struct pl_sm_warp *w, const struct pl_sm_op *op, struct mbar *m, uint32_t n, uint32_t lane)
{
	if (n > m->pending) {
		pl_sm_fault(w, op, PL_RG_FAULT_TRAP, PL_RG_ATOMIC, n, lane);
		return false;
	}
	m->pending -= n;
	return true;
}

static bool mbar_change(struct pl_sm_warp *w, const struct pl_sm_op *op, struct mbar *m, uint32_t b, uint32_t lane)
{
	switch (op->sub) {
	case PL_ISA_MBAR_INIT:
		*m = (struct mbar){ b, b, 0, false };
		return true;
	case PL_ISA_MBAR_INVAL:
		*m = (struct mbar){ 0 };
		return true;
	case PL_ISA_MBAR_ARRIVE_DROP:
		m->count -= b < m->count ? b : m->count;
		return mbar_arrive(w, op, m, b, lane);
	case PL_ISA_MBAR_ARRIVE:
		return mbar_arrive(w, op, m, b, lane);
	case PL_ISA_MBAR_ARRIVE_TX:
		m->tx += (int32_t)b;
		return mbar_arrive(w, op, m, 1, lane);
	case PL_ISA_MBAR_EXPECT_TX:
		m->tx += (int32_t)b;
		return true;
	default:
		m->tx -= (int32_t)b;
		return true;
	}
}

/* Lanes one after the other; mostly all at one mbarrier.  Return: lanes whose test holds; a fault stops the warp. */
static uint32_t mbar_lanes(PL_SM_ARGS)
{
	uint32_t holds = 0, found = 0;
	uint64_t *at = NULL;

	for (uint32_t left = mask; left; left &= left - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(left),
			 b = op->flags & PL_SM_OP_COUNTED ? PL_SM_REG(const uint32_t, b)[i] : 0, addr;
		uint64_t state = 0;
		struct mbar m;

		if (op->sub == PL_ISA_MBAR_TEST || op->sub == PL_ISA_MBAR_TRY || op->sub == PL_ISA_MBAR_PENDING)
			state = ((const uint64_t *)(const void *)(R + op->c))[i];
		if (op->sub == PL_ISA_MBAR_PENDING) {
			PL_SM_REG(uint32_t, d)[i] = mbar_unpack(state).pending;
			continue;
		}
		addr = PL_SM_REG(const uint32_t, a)[i] + op->x;
		if (!at || addr != found) {
			at = mbar_at(w, op, addr, op->sub == PL_ISA_MBAR_INIT, i);
			if (!at)
				return 0;
			pl_sm_check_mbar(w, addr, op->sub < PL_ISA_MBAR_TEST);
			found = addr;
		}
		m = mbar_unpack(*at);
		if (op->sub >= PL_ISA_MBAR_TEST) {
			bool parity = op->sub == PL_ISA_MBAR_TEST_PARITY || op->sub == PL_ISA_MBAR_TRY_PARITY;
			holds |= (uint32_t)(m.phase != (parity ? b & 1 : mbar_unpack(state).phase)) << i;
			continue;
		}
		state = *at;
		if (!mbar_change(w, op, &m, b, i))
			return 0;
		if (op->sub >= PL_ISA_MBAR_ARRIVE)
			mbar_settle(&m);
		*at = mbar_pack(&m);
		if (op->flags & PL_SM_OP_RESULT)
			PL_SM_REG(uint64_t, d)[i] = state;
	}
	return holds;
}

/* Do all lanes in mask have the value of the first? */
static bool all_same(const uint32_t *v, uint32_t mask)
{
	uint32_t first = v[__builtin_ctz(mask)], differ = 0;

	for (uint32_t i = 0; i < PL_ISA_LANES; i++)
		differ |= (v[i] ^ first) & (0 - (mask >> i & 1));
	return !differ;
}

/* All lanes ask for the same mbarrier, or arrive at it without ending a phase before the last of them.  False: not
 * that, nothing is done. */
static bool mbar_together(PL_SM_ARGS, uint32_t *holds)
{
	const uint32_t *a = PL_SM_REG(const uint32_t, a), *b = PL_SM_REG(const uint32_t, b);
	const uint64_t *states = (const void *)(R + op->c);
	uint64_t *at, total = 0;
	struct mbar m;

	if ((op->sub != PL_ISA_MBAR_ARRIVE && (op->sub < PL_ISA_MBAR_TEST || op->sub == PL_ISA_MBAR_PENDING)) ||
	    w->block->check || !all_same(a, mask))
		return false;
	at = mbar_at(w, op, a[__builtin_ctz(mask)] + op->x, false, (uint32_t)__builtin_ctz(mask));
	if (!at)
		return true;
	m = mbar_unpack(*at);
	if (op->sub == PL_ISA_MBAR_TEST_PARITY || op->sub == PL_ISA_MBAR_TRY_PARITY) {
		for (uint32_t i = 0; i < PL_ISA_LANES; i++)
			*holds |= (uint32_t)(m.phase != (b[i] & 1)) << i;
		*holds &= mask;
		return true;
	}
	if (op->sub != PL_ISA_MBAR_ARRIVE) {
		for (uint32_t i = 0; i < PL_ISA_LANES; i++)
			*holds |= (uint32_t)(m.phase != states[i] >> 63) << i;
		*holds &= mask;
		return true;
	}
	for (uint32_t i = 0; i < PL_ISA_LANES; i++)
		total += mask >> i & 1 ? b[i] : 0;
	if (total > m.pending || b[31 - __builtin_clz(mask)] == 0)
		return false;
	for (uint32_t left = mask; left; left &= left - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(left), n = b[i];

		if (op->flags & PL_SM_OP_RESULT)
			PL_SM_REG(uint64_t, d)[i] = mbar_pack(&m);
		m.pending -= n;
	}
	mbar_settle(&m);
	*at = mbar_pack(&m);
	return true;
}

static __attribute__((noinline)) uint32_t mbar_do(PL_SM_ARGS)
{
	uint32_t holds = 0;

	return mbar_together(w, op, R, mask, &holds) ? holds : mbar_lanes(w, op, R, mask);
}

static void mbar_h(PL_SM_ARGS)
{
	uint32_t holds = mbar_do(w, op, R, mask);

	if (w->stop)
		return;
	if (op->sub >= PL_ISA_MBAR_TEST && op->sub != PL_ISA_MBAR_PENDING) {
		if (op->d != PL_ISA_PT)
			w->frame.P[op->d] = (w->frame.P[op->d] & ~mask) | (holds & mask);
		if (holds != mask) {                              /* it will be asked again */
			w->insns += (uint64_t)(op + 1 - w->mark); /* others have their turn */
			w->mark = w->pc = op + 1;
			w->polls_left = 1;
			pl_sm_split_poll(w);
			return;
		}
	}
	PL_SM_NEXT;
}

static bool copy(struct pl_sm_warp *w, const struct pl_sm_op *op, unsigned to_space, uint64_t to, uint64_t from,
		 uint32_t bytes, uint32_t lane)
{
	char data[256];

	while (bytes) {
		uint32_t n = bytes < sizeof(data) ? bytes : (uint32_t)sizeof(data);

		if (!pl_sm_mem_read(w, op, PL_ISA_GENERIC, from, data, n, lane) ||
		    !pl_sm_mem_write(w, op, to_space, to, data, n, lane))
			return false;
		from += n, to += n, bytes -= n;
	}
	return true;
}

void pl_sm_cpasync_any(PL_SM_ARGS)
{
	union pl_sm_mem m = { .x = op->x };
	bool counted = op->c != PL_ISA_NONE * PL_SM_SLOT_BYTES;

	for (uint32_t left = mask; left; left &= left - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(left), n = m.bytes;
		uint64_t to = PL_SM_REG(const uint32_t, a)[i], from = PL_SM_REG(const uint64_t, b)[i] + op->imm;
		uint8_t *at = pl_sm_mem_at(w, op, PL_ISA_SHARED, to, m.bytes, PL_RG_WRITE, i);
		const uint8_t *source;

		if (!at)
			return;
		if (counted && PL_SM_REG(const uint32_t, c)[i] < n)
			n = PL_SM_REG(const uint32_t, c)[i];
		if (n < m.bytes)
			memset(at + n, 0, m.bytes - n);
		if (n == 0)
			continue;
		source = pl_sm_mem_at(w, op, PL_ISA_GLOBAL, from, m.bytes, PL_RG_READ, i);
		if (!source)
			return;
		memcpy(at, source, n);
		w->sm->bytes_read += n;
	}
}

static bool clear(struct pl_sm_warp *w, const struct pl_sm_op *op, uint64_t to, uint32_t bytes, uint32_t lane)
{
	static const char zeros[256];

	for (uint32_t n; bytes; to += n, bytes -= n) {
		n = bytes < sizeof(zeros) ? bytes : (uint32_t)sizeof(zeros);
		if (!pl_sm_mem_write(w, op, PL_ISA_GENERIC, to, zeros, n, lane))
			return false;
	}
	return true;
}

/* Elements one by one, each at once. */
static bool reduce(struct pl_sm_warp *w, const struct pl_sm_op *op, uint64_t to, uint64_t from, uint32_t bytes,
		   uint32_t lane)
{
	bool shared = to >= PL_ISA_SHARED_BASE && to - PL_ISA_SHARED_BASE < PL_ISA_WINDOW_BYTES;
	unsigned size = pl_isa_type_bytes(op->type);
	uint64_t value = 0;

	to -= shared ? PL_ISA_SHARED_BASE : 0;
	for (; bytes >= size; from += size, to += size, bytes -= size) {
		void *at;

		if (!pl_sm_mem_read(w, op, PL_ISA_GENERIC, from, &value, size, lane))
			return false;
		at = pl_sm_mem_at(w, op, shared ? PL_ISA_SHARED : PL_ISA_GLOBAL, to, size, PL_RG_ATOMIC, lane);
		if (!at)
			return false;
		w->sm->bytes_written += size;
		pl_sm_atom_one(op->sub, op->type, at, &value, shared);
	}
	return true;
}

/* Bytes have come: the mbarrier e, if there is one, hears of it.  False: fault. */
static bool bulk_arrived(struct pl_sm_warp *w, const struct pl_sm_op *op, const char *R, uint32_t bytes, uint32_t lane)
{
	uint32_t addr;
	struct mbar m;
	uint64_t *at;

	if (op->x == PL_ISA_NONE)
		return true;
	addr = ((const uint32_t *)(const void *)(R + op->x * PL_SM_SLOT_BYTES))[lane];
	at = mbar_at(w, op, addr, false, lane);
	if (!at)
		return false;
	pl_sm_check_mbar(w, addr, true);
	m = mbar_unpack(*at);
	m.tx -= (int32_t)bytes;
	mbar_settle(&m);
	*at = mbar_pack(&m);
	return true;
}

enum { BULK_COPY, BULK_CLEAR, BULK_REDUCE };
static __attribute__((noinline)) void bulk_do(PL_SM_ARGS, int how)
{
	for (uint32_t left = mask; left; left &= left - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(left), bytes = PL_SM_REG(const uint32_t, c)[i];
		uint64_t to = PL_SM_REG(const uint64_t, a)[i], from = PL_SM_REG(const uint64_t, b)[i];
		bool good = how == BULK_COPY    ? copy(w, op, PL_ISA_GENERIC, to, from, bytes, i)
			    : how == BULK_CLEAR ? clear(w, op, to, bytes, i)
						: reduce(w, op, to, from, bytes, i);

		if (!good || !bulk_arrived(w, op, R, bytes, i))
			return;
	}
}

#define BULK(name, how)                                                                                                \
	static void name##_h(PL_SM_ARGS)                                                                               \
	{                                                                                                              \
		bulk_do(w, op, R, mask, how);                                                                          \
		if (w->stop)                                                                                           \
			return;                                                                                        \
		PL_SM_NEXT;                                                                                            \
	}
BULK(copy, BULK_COPY)
BULK(clear, BULK_CLEAR)
BULK(reduce, BULK_REDUCE)

bool pl_sm_bind_async(const struct pl_isa_fields *f, struct pl_sm_op *op)
{
	switch (f->op) {
	case PL_ISA_MBAR:
		op->x = f->imm;
		op->c = f->c * PL_SM_SLOT_BYTES;
		op->d = f->sub >= PL_ISA_MBAR_TEST && f->sub != PL_ISA_MBAR_PENDING ? f->d : f->d * PL_SM_SLOT_BYTES;
		op->flags |= f->sub >= PL_ISA_MBAR_ARRIVE && f->sub <= PL_ISA_MBAR_ARRIVE_TX &&
					     f->sub != PL_ISA_MBAR_EXPECT_TX && f->d != PL_ISA_NONE
				     ? PL_SM_OP_RESULT
				     : 0;
		op->flags |= f->sub != PL_ISA_MBAR_INVAL && f->sub != PL_ISA_MBAR_TEST && f->sub != PL_ISA_MBAR_TRY &&
					     f->sub != PL_ISA_MBAR_PENDING
				     ? PL_SM_OP_COUNTED
				     : 0;
		op->fn[0] = op->fn[1] = mbar_h;
		return true;
	case PL_ISA_CPBULK:
		op->x = f->imm & 2047;
		op->fn[0] = op->fn[1] = f->sub ? clear_h : copy_h;
		return true;
	case PL_ISA_CPRED:
		op->x = f->imm & 2047;
		op->fn[0] = op->fn[1] = reduce_h;
		return true;
	default:
		return false;
	}
}
