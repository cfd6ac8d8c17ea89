/*
 * Loads and stores of shared memory, [R32].  A warp is looked at in halves, as blocks of 16 x n threads have it: each
 * is all lanes at one address, consecutive, or a gather.
 */
#include "refgpu/compute/vec-mem.h"

#define HALF_LOOP PL_SM_IVDEP for (int i = 0; i < 16; i++)

/* Lanes of a half whose element does not lie in shared memory as a whole, or not aligned; count >= 1 lanes in a row. */
static inline bool row_good(uint32_t start, uint32_t count, unsigned size, uint32_t limit)
{
	return !(start & (size - 1)) && start < limit && limit - start >= count * size;
}

static __attribute__((noinline)) bool gather_good(void *d, const uint8_t *shared, const uint32_t *a, uint32_t imm,
						  uint32_t mask, unsigned size, uint32_t limit)
{
	uint32_t off[32];

	LANES_LOOP off[i] = a[i] + imm;
	if (!lanes_good(off, mask, size, limit))
		return false;
	if (size == 4)
		gather4(d, shared, off, mask);
	else
		gather8(d, shared, off, mask);
	return true;
}

/* One half of a load; half: its lanes of mask, from bit 0.  False: not done. */
static inline bool load4_half(uint32_t *d, const uint8_t *shared, const uint32_t *a, uint32_t imm, uint32_t half,
			      uint32_t limit)
{
	unsigned first = half == 0xffff ? 0 : FIRST(half);
	uint32_t start = a[first] + imm;
	const uint32_t *from = (const void *)(shared + start);

	if (ramp_of16(a, a[first], 0, half)) {
		uint32_t v;

		if (!row_good(start, 1, 4, limit))
			return false;
		v = *from;
		HALF_LOOP d[i] = half >> i & 1 ? v : d[i];
		return true;
	}
	if (half != 0xffff || !ramp_of16(a, a[0], 4, 0xffff) || !row_good(start, 16, 4, limit))
		return false;
	HALF_LOOP d[i] = from[i];
	return true;
}

/* mask: those that are left; the others are done */
static __attribute__((noinline)) void load4_rest(PL_SM_ARGS)
{
	if (!gather_good(PL_SM_REG(uint32_t, d), w->block->shared, PL_SM_REG(const uint32_t, a), (uint32_t)op->imm,
			 mask, 4, w->sm->grid->shared_bytes)) {
		V(pl_sm_access_any)(w, op, R, mask, false);
		if (w->stop)
			return;
	}
	PL_SM_NEXT;
}

static void load4(PL_SM_ARGS)
{
	const uint32_t *a = PL_SM_REG(const uint32_t, a);
	uint32_t imm = (uint32_t)op->imm, limit = w->sm->grid->shared_bytes, left = mask;
	const uint8_t *shared = w->block->shared;
	uint32_t *d = PL_SM_REG(uint32_t, d);

	if (mask & 0xffff && load4_half(d, shared, a, imm, mask & 0xffff, limit))
		left &= 0xffff0000;
	if (mask >> 16 && load4_half(d + 16, shared, a + 16, imm, mask >> 16, limit))
		left &= 0xffff;
	if (left) {
		load4_rest(w, op, R, left);
		return;
	}
	PL_SM_NEXT;
}

/* All lanes: two rows, or two words. */
static void load4_f(PL_SM_ARGS)
{
	const uint32_t *a = PL_SM_REG(const uint32_t, a);
	uint32_t imm = (uint32_t)op->imm, limit = w->sm->grid->shared_bytes, step = a[1] - a[0];
	uint32_t low = a[0] + imm, high = a[16] + imm;
	const uint8_t *shared = w->block->shared;
	const uint32_t *p = (const void *)(shared + low), *q = (const void *)(shared + high);
	uint32_t *d = PL_SM_REG(uint32_t, d);

	if ((step != 0 && step != 4) || !ramp_of16(a, a[0], step, 0xffff) || !ramp_of16(a + 16, a[16], step, 0xffff) ||
	    !row_good(low, step ? 16 : 1, 4, limit) || !row_good(high, step ? 16 : 1, 4, limit)) {
		load4(w, op, R, mask);
		return;
	}
	if (step) {
		HALF_LOOP d[i] = p[i];
		HALF_LOOP d[16 + i] = q[i];
	} else {
		uint32_t first = *p, second = *q;

		HALF_LOOP d[i] = first;
		HALF_LOOP d[16 + i] = second;
	}
	PL_SM_NEXT_FULL;
}

static void load8(PL_SM_ARGS)
{
	const uint32_t *a = PL_SM_REG(const uint32_t, a);
	uint32_t imm = (uint32_t)op->imm, limit = w->sm->grid->shared_bytes, first = FIRST(mask);
	uint32_t start = a[first] + imm;
	const uint8_t *shared = w->block->shared;
	uint64_t *d = PL_SM_REG(uint64_t, d);

	if (ramp_of32(a, a[first], 0, mask) && row_good(start, 1, 8, limit)) {
		uint64_t v = *(const uint64_t *)(const void *)(shared + start);
		LANES_LOOP KEEP(uint64_t, d, v);
	} else if (mask == PL_SM_ALL && ramp_of32(a, a[0], 8, mask) && row_good(start, 32, 8, limit)) {
		copy_all(d, shared + start, 8);
	} else if (!gather_good(d, shared, a, imm, mask, 8, limit)) {
		V(pl_sm_access_any)(w, op, R, mask, false);
		if (w->stop)
			return;
	}
	PL_SM_NEXT;
}

/* Two or four words of each lane, anywhere.  False: not done. */
static __attribute__((noinline)) bool vectors_good(PL_SM_ARGS, unsigned words, bool store)
{
	const uint32_t *a = PL_SM_REG(const uint32_t, a), imm = (uint32_t)op->imm;
	uint32_t off[32];

	LANES_LOOP off[i] = a[i] + imm;
	if (!lanes_good(off, mask, words * 4, w->sm->grid->shared_bytes))
		return false;
	V(pl_sm_vectors_move)(R + op->d, w->block->shared, off, mask, words, 1, store);
	return true;
}

/* Halves of the warp at one address each.  False: not that. */
static inline bool vectors_of_halves(PL_SM_ARGS, unsigned words)
{
	const uint32_t *a = PL_SM_REG(const uint32_t, a);
	uint32_t imm = (uint32_t)op->imm, limit = w->sm->grid->shared_bytes, low = a[0] + imm, high = a[16] + imm;
	const uint32_t *p = (const void *)(w->block->shared + low), *q = (const void *)(w->block->shared + high);
	uint32_t *d = PL_SM_REG(uint32_t, d);

	if (mask != PL_SM_ALL || a[1] != a[0] || !ramp_of16(a, a[0], 0, 0xffff) ||
	    !ramp_of16(a + 16, a[16], 0, 0xffff) || !row_good(low, 1, words * 4, limit) ||
	    !row_good(high, 1, words * 4, limit))
		return false;
	for (unsigned k = 0; k < words; k++, d += 32) {
		uint32_t first = p[k], second = q[k];

		HALF_LOOP d[i] = first;
		HALF_LOOP d[16 + i] = second;
	}
	return true;
}

/* Two words of each lane, one lane after the other.  False: not that. */
static inline bool pairs_of_row(PL_SM_ARGS)
{
	const uint32_t *a = PL_SM_REG(const uint32_t, a);
	uint32_t start = a[0] + (uint32_t)op->imm;

	if (mask != PL_SM_ALL || !ramp_of32(a, a[0], 8, mask) || !row_good(start, 32, 8, w->sm->grid->shared_bytes))
		return false;
	words_apart2(PL_SM_REG(uint32_t, d), (const void *)(w->block->shared + start));
	return true;
}

/* Two or four words of each lane. */
#define LOAD_WORDS(words)                                                                                              \
	static void load_words##words(PL_SM_ARGS)                                                                      \
	{                                                                                                              \
		if (!vectors_of_halves(w, op, R, mask, words) && !(words == 2 && pairs_of_row(w, op, R, mask)) &&      \
		    !vectors_good(w, op, R, mask, words, false)) {                                                     \
			V(pl_sm_access_any)(w, op, R, mask, false);                                                    \
			if (w->stop)                                                                                   \
				return;                                                                                \
		}                                                                                                      \
		PL_SM_NEXT;                                                                                            \
	}
LOAD_WORDS(2)
LOAD_WORDS(4)

#define STORE_WORDS(words)                                                                                             \
	static void store_words##words(PL_SM_ARGS)                                                                     \
	{                                                                                                              \
		if (!vectors_good(w, op, R, mask, words, true)) {                                                      \
			V(pl_sm_access_any)(w, op, R, mask, true);                                                     \
			if (w->stop)                                                                                   \
				return;                                                                                \
		}                                                                                                      \
		PL_SM_NEXT;                                                                                            \
	}
STORE_WORDS(2)
STORE_WORDS(4)

static __attribute__((noinline)) bool scatter_good(uint8_t *shared, const void *d, const uint32_t *a, uint32_t imm,
						   uint32_t mask, unsigned size, uint32_t limit)
{
	uint32_t off[32];

	LANES_LOOP off[i] = a[i] + imm;
	if (!lanes_good(off, mask, size, limit))
		return false;
	for (uint32_t left = mask; left; left &= left - 1) {
		unsigned i = FIRST(left);

		if (size == 4)
			*(uint32_t *)(void *)(shared + off[i]) = ((const uint32_t *)d)[i];
		else
			*(uint64_t *)(void *)(shared + off[i]) = ((const uint64_t *)d)[i];
	}
	return true;
}

#define STORE(name, T, size, copy_lanes)                                                                               \
	static void name(PL_SM_ARGS)                                                                                   \
	{                                                                                                              \
		const uint32_t *a = PL_SM_REG(const uint32_t, a);                                                      \
		uint32_t imm = (uint32_t)op->imm, limit = w->sm->grid->shared_bytes, first = FIRST(mask);              \
		uint32_t start = a[first] + imm, count = LAST(mask) - first + 1;                                       \
		uint8_t *shared = w->block->shared;                                                                    \
		const T *d = PL_SM_REG(const T, d);                                                                    \
		if (ramp_of32(a, a[first] - first * size, size, mask) && row_good(start, count, size, limit)) {        \
			char *to = (char *)shared + start - (uint64_t)first * size;                                    \
			if (mask == PL_SM_ALL)                                                                         \
				copy_all(to, d, size);                                                                 \
			else                                                                                           \
				copy_lanes(to, d, mask);                                                               \
		} else if (!scatter_good(shared, d, a, imm, mask, size, limit)) {                                      \
			V(pl_sm_access_any)(w, op, R, mask, true);                                                     \
			if (w->stop)                                                                                   \
				return;                                                                                \
		}                                                                                                      \
		PL_SM_NEXT;                                                                                            \
	}
STORE(store4, uint32_t, 4, lanes_copy4)
STORE(store8, uint64_t, 8, lanes_copy8)

/* -- cp.async -- */

static inline void copy_lanes(uint8_t *to, const uint32_t off[32], const uint8_t *from, const uint32_t rel[32],
			      uint32_t mask, unsigned size)
{
	if (mask == PL_SM_ALL)
		for (unsigned i = 0; i < 32; i++)
			memcpy(to + off[i], from + rel[i], size);
	else
		for (; mask; mask &= mask - 1)
			memcpy(to + off[FIRST(mask)], from + rel[FIRST(mask)], size);
}

/* All lanes' whole vectors, from one run of pages.  False: not that, nothing is done. */
static __attribute__((noinline)) bool copy_good(PL_SM_ARGS)
{
	union pl_sm_mem m = { .x = op->x };
	const uint32_t *to = PL_SM_REG(const uint32_t, a);
	const uint64_t *b = PL_SM_REG(const uint64_t, b);
	uint64_t imm = op->imm, first = b[FIRST(mask)] + imm, last, bad = 0;
	uint8_t *shared = w->block->shared, *host;
	const struct pl_mmu_run *run;
	uint32_t off[32], rel[32], size = m.bytes, less = 0;

	if (op->c != PL_ISA_NONE * PL_SM_SLOT_BYTES) {
		const uint32_t *count = PL_SM_REG(const uint32_t, c);

		LANES_LOOP less |= count[i] < size && (lane_bit[i] & mask) ? ~0u : 0;
	}
	LANES_LOOP off[i] = to[i];
	run = pl_mmu_run_cached(&w->sm->tlb, first, PL_RG_READ);
	if (less || !run || run->bytes < size || w->block->check ||
	    !lanes_good(off, mask, size, w->sm->grid->shared_bytes))
		return false;
	host = run->host;
	first = run->begin - imm, last = run->bytes - size;
	LANES_LOOP bad |= (b[i] - first > last || (b[i] + imm) & (size - 1)) && (lane_bit[i] & mask) ? ~0ull : 0;
	if (bad)
		return false;
	LANES_LOOP rel[i] = (uint32_t)(b[i] - first);
	w->sm->bytes_read += (uint64_t)(uint32_t)__builtin_popcount(mask) * size;
	if (size == 16)
		copy_lanes(shared, off, host, rel, mask, 16);
	else if (size == 8)
		copy_lanes(shared, off, host, rel, mask, 8);
	else
		copy_lanes(shared, off, host, rel, mask, 4);
	return true;
}

static void cpasync_h(PL_SM_ARGS)
{
	if (!copy_good(w, op, R, mask)) {
		pl_sm_cpasync_any(w, op, R, mask);
		if (w->stop)
			return;
	}
	PL_SM_NEXT;
}

bool V(pl_sm_bind_cpasync)(const struct pl_isa_fields *f, struct pl_sm_op *op);
bool V(pl_sm_bind_cpasync)(const struct pl_isa_fields *f, struct pl_sm_op *op)
{
	if (f->op != PL_ISA_CPASYNC)
		return false;
	op->fn[0] = op->fn[1] = cpasync_h;
	return true;
}

bool V(pl_sm_bind_shared)(struct pl_sm_op *op, bool store)
{
	static const pl_sm_fn words[2][2] = { { load_words2, store_words2 }, { load_words4, store_words4 } };
	union pl_sm_mem m = { .x = op->x };

	if (m.form != PL_ISA_ADDR_R32 || (m.bytes != 4 && m.bytes != 8) || (m.vec && m.bytes != 4) || m.vec > 2)
		return false;
	if (m.vec)
		op->fn[1] = words[m.vec - 1][store];
	else if (store)
		op->fn[1] = m.bytes == 8 ? store8 : store4;
	else
		op->fn[1] = m.bytes == 8 ? load8 : load4;
	op->fn[0] = op->fn[1] == load4 ? load4_f : op->fn[1];
	return true;
}
