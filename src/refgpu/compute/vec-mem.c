/*
 * Loads and stores.  Three ways: consecutive lanes at consecutive addresses in one run of pages (a vector load or
 * store), all lanes in one run (gather, or lane by lane), and anything.  Shared memory: vec-shared.c.
 */
#include "refgpu/compute/vec-mem.h"

/* -- any access, once its addresses are known -- */

/* As pl_sm_mem_addresses(), in this extension's code. */
static inline void addresses(const struct pl_sm_warp *w, const struct pl_sm_op *op, const char *R, uint64_t addr[32])
{
	union pl_sm_mem m = { .x = op->x };
	uint64_t imm = op->imm;

	if (m.form == PL_ISA_ADDR_R64) {
		const uint64_t *a = (const void *)(R + op->a);
		LANES_LOOP addr[i] = a[i] + imm;
	} else if (m.form == PL_ISA_ADDR_R32) {
		const uint32_t *a = (const void *)(R + op->a);
		LANES_LOOP addr[i] = (uint32_t)(a[i] + (uint32_t)imm);
	} else if (m.form == PL_ISA_ADDR_UR && m.space < PL_ISA_SHARED) {
		const int32_t *b = (const void *)(R + op->b);
		uint64_t base = w->frame.U[op->a] + imm;
		unsigned shift = m.shift;

		if (m.sx)
			LANES_LOOP addr[i] = base + ((uint64_t)(int64_t)b[i] << shift);
		else
			LANES_LOOP addr[i] = base + ((uint64_t)(uint32_t)b[i] << shift);
	} else {
		pl_sm_mem_addresses(w, op, R, addr);
	}
}

/* All 32 lanes one after the other, two or four words each.  False: not that. */
static bool consecutive_words(const struct pl_sm_op *op, char *R, const struct pl_sm_span *span,
			      const uint64_t addr[32], bool store)
{
	union pl_sm_mem m = { .x = op->x };
	uint64_t differ = 0, start = addr[0];
	unsigned bytes = 4u << m.vec;
	uint32_t *d = PL_SM_REG(uint32_t, d), *at = (void *)(span->host + (start - span->begin));

	if (m.bytes != 4 || m.vec < 1 || m.vec > 2 || span->local)
		return false;
	LANES_LOOP differ |= addr[i] - start - (uint64_t)(unsigned)i * bytes;
	if (differ)
		return false;
	if (m.vec == 1)
		store ? words_together2(at, d) : words_apart2(d, at);
	else
		store ? words_together4(at, d) : words_apart4(d, at);
	return true;
}

/* Lanes of mask that do not lie in the span as a whole, or not aligned. */
static uint32_t lanes_out(const uint64_t addr[32], uint32_t mask, const struct pl_sm_span *span, unsigned bytes)
{
	uint64_t last = span->bytes - bytes, out = 0;

	if (span->bytes < bytes)
		return mask;
	LANES_LOOP out |= (addr[i] - span->begin > last || (addr[i] & (bytes - 1))) ? lane_bit64[i] : 0;
	return (uint32_t)out & mask;
}

static uint32_t small_load(const uint8_t *at, unsigned type)
{
	switch (type) {
	case PL_ISA_U8:
		return *at;
	case PL_ISA_S8:
		return (uint32_t) * (const int8_t *)at;
	case PL_ISA_U16:
		return *(const uint16_t *)(const void *)at;
	default:
		return (uint32_t) * (const int16_t *)(const void *)at;
	}
}

/* One element of each lane; d: the slots of this element. */
static void load_element(char *d, const struct pl_sm_span *span, const uint32_t rel[32], uint32_t mask, unsigned type)
{
	unsigned bytes = pl_isa_type_bytes(type);

	if (bytes == 4) {
		gather4((void *)d, span->host, rel, mask);
	} else if (bytes == 8) {
		gather8((void *)d, span->host, rel, mask);
	} else {
		for (; mask; mask &= mask - 1) {
			int i = __builtin_ctz(mask);
			((uint32_t *)(void *)d)[i] = small_load(span->host + rel[i], type);
		}
	}
}

static void store_element(const char *d, const struct pl_sm_span *span, const uint32_t rel[32], uint32_t mask,
			  unsigned bytes)
{
	const uint32_t *slot = (const void *)d;
	const uint64_t *wide = (const void *)d;

	for (; mask; mask &= mask - 1) {
		int i = __builtin_ctz(mask);
		uint8_t *at = span->host + rel[i];

		switch (bytes) {
		case 1:
			*at = (uint8_t)slot[i];
			break;
		case 2:
			*(uint16_t *)(void *)at = (uint16_t)slot[i];
			break;
		case 4:
			*(uint32_t *)(void *)at = slot[i];
			break;
		default:
			*(uint64_t *)(void *)at = wide[i];
		}
	}
}

/* Local memory, one element of each lane, a word at a time. */
static void local_element(char *d, const struct pl_sm_span *span, const uint32_t rel[32], uint32_t mask, unsigned type,
			  bool store)
{
	unsigned bytes = pl_isa_type_bytes(type), words = bytes > 4 ? bytes / 4 : 1;

	for (; mask; mask &= mask - 1) {
		int i = __builtin_ctz(mask);

		for (unsigned k = 0; k < words; k++) {
			uint8_t *at = pl_sm_local_at(span->host, rel[i] + 4 * k, (uint32_t)i);
			uint32_t *slot = (uint32_t *)(void *)(d + (unsigned)i * words * 4 + 4 * k);

			if (store)
				memcpy(at, slot, bytes < 4 ? bytes : 4);
			else if (bytes < 4)
				*slot = small_load(at, type);
			else
				memcpy(slot, at, 4);
		}
	}
}

static void span_access(const struct pl_sm_op *op, char *R, const struct pl_sm_span *span, const uint64_t addr[32],
			uint32_t mask, bool store)
{
	union pl_sm_mem m = { .x = op->x };
	unsigned bytes = m.bytes, slots = pl_isa_type_slots(op->type);
	unsigned words = bytes << m.vec >> 2, each = bytes / 4;
	uint32_t rel[32];

	if (!span->local && m.vec && each && words <= 4) {
		LANES_LOOP rel[i] = (uint32_t)(addr[i] - span->begin);
		V(pl_sm_vectors_move)(R + op->d, span->host, rel, mask, words, each, store);
		return;
	}
	for (unsigned k = 0; k < 1u << m.vec; k++) {
		char *d = R + op->d + k * slots * PL_SM_SLOT_BYTES;

		LANES_LOOP rel[i] = (uint32_t)(addr[i] - span->begin) + k * bytes;
		if (span->local)
			local_element(d, span, rel, mask, op->type, store);
		else if (store)
			store_element(d, span, rel, mask, bytes);
		else
			load_element(d, span, rel, mask, op->type);
	}
}

/* All lanes at one address of local memory: rows of words. */
static bool local_rows(const struct pl_sm_op *op, char *R, const struct pl_sm_span *span, const uint64_t addr[32],
		       uint32_t mask, bool store)
{
	union pl_sm_mem m = { .x = op->x };
	uint64_t first = addr[__builtin_ctz(mask)], differ = 0;
	unsigned words = (m.bytes << m.vec) / 4;

	if (m.bytes != 4)
		return false;
	LANES_LOOP differ |= (lane_bit[i] & mask) ? addr[i] ^ first : 0;
	if (differ)
		return false;
	for (unsigned k = 0; k < words; k++) {
		uint8_t *row = pl_sm_local_at(span->host, first - span->begin + 4 * k, 0);
		char *d = R + op->d + k * PL_SM_SLOT_BYTES;
		lanes_copy4(store ? (void *)row : d, store ? d : (void *)row, mask);
	}
	return true;
}

void V(pl_sm_access_any)(PL_SM_ARGS, bool store)
{
	union pl_sm_mem m = { .x = op->x };
	enum pl_rg_access access = store ? PL_RG_WRITE : PL_RG_READ;
	unsigned bytes = (unsigned)m.bytes << m.vec;
	struct pl_sm_span span;
	uint64_t addr[32];
	uint32_t out;

	if (store)
		w->sm->bytes_written += (uint64_t)__builtin_popcount(mask) * bytes;
	else
		w->sm->bytes_read += (uint64_t)__builtin_popcount(mask) * bytes;
	addresses(w, op, R, addr);
	while (mask) {
		uint32_t lane = (uint32_t)__builtin_ctz(mask);

		if (!pl_sm_mem_span(w, op, m.space, addr[lane], bytes, access, lane, &span))
			return;
		out = lanes_out(addr, mask, &span, bytes) & ~(1u << lane);
		if (mask == PL_SM_ALL && !out && consecutive_words(op, R, &span, addr, store))
			return;
		if (!span.local || !local_rows(op, R, &span, addr, mask & ~out, store))
			span_access(op, R, &span, addr, mask & ~out, store);
		mask = out;
	}
}

/* -- the fast ways: they call nothing, so that they need no frame; what they do not do, a slow handler does -- */

static void load_any(PL_SM_ARGS)
{
	V(pl_sm_access_any)(w, op, R, mask, false);
	if (w->stop)
		return;
	PL_SM_NEXT;
}

static void store_any(PL_SM_ARGS)
{
	V(pl_sm_access_any)(w, op, R, mask, true);
	if (w->stop)
		return;
	PL_SM_NEXT;
}

/* The host's memory of addresses va .. va + bytes - 1 where the TLB has them in one run.  NULL: the slow way. */
static inline char *global_at(struct pl_sm_warp *w, uint64_t va, uint32_t bytes, unsigned size, bool store)
{
	const struct pl_mmu_run *run = pl_mmu_run_cached(&w->sm->tlb, va, store ? PL_RG_WRITE : PL_RG_READ);

	if (__builtin_expect(
		    !run || run->bytes - (va - run->begin) < bytes || (va & (size - 1)) || va >= PL_ISA_LOCAL_BASE, 0))
		return NULL;
	return (char *)run->host + (va - run->begin);
}

static inline void global_count(struct pl_sm_warp *w, uint32_t bytes, bool store)
{
	if (store)
		w->sm->bytes_written += bytes;
	else
		w->sm->bytes_read += bytes;
}

/* The next block mostly wants what follows; rows of a 32 x n block are too short for the host to see that by itself. */
static inline void row_ahead(const char *next, unsigned bytes, bool store)
{
	for (unsigned at = 0; at < bytes; at += 64) {
		if (store)
			__builtin_prefetch(next + at, 1);
		else
			__builtin_prefetch(next + at, 0);
	}
}

/* Consecutive lanes: all of them from va, or those of mask, the first of which has va. */
#define GLOBAL_ROW_f(va, size, copy_lanes, store, slow)                                                                \
	do {                                                                                                           \
		char *host_ = global_at(w, va, 32 * size, size, store), *d_ = R + op->d;                               \
		if (__builtin_expect(!host_, 0)) {                                                                     \
			slow(w, op, R, mask);                                                                          \
			return;                                                                                        \
		}                                                                                                      \
		copy_all(store ? host_ : d_, store ? d_ : host_, size);                                                \
		row_ahead(host_ + 32 * size, 32 * size, store);                                                        \
		global_count(w, 32 * size, store);                                                                     \
		PL_SM_NEXT_FULL;                                                                                       \
	} while (0)
#define GLOBAL_ROW_p(va, size, copy_lanes, store, slow)                                                                \
	do {                                                                                                           \
		char *host_ = global_at(w, va, (LAST(mask) - first + 1) * size, size, store), *d_ = R + op->d;         \
		if (__builtin_expect(!host_, 0)) {                                                                     \
			slow(w, op, R, mask);                                                                          \
			return;                                                                                        \
		}                                                                                                      \
		host_ -= (uint64_t)first * size;                                                                       \
		copy_lanes(store ? host_ : d_, store ? d_ : host_, mask);                                              \
		global_count(w, (uint32_t)__builtin_popcount(mask) * size, store);                                     \
		PL_SM_NEXT;                                                                                            \
	} while (0)
#define FIRST_f 0
#define FIRST_p FIRST(mask)

/* Halves of a warp, as blocks of 16 x n threads have them: each consecutive, or all lanes at one address.  False: not
 * that, nothing is done. */
static __attribute__((noinline)) bool halves_do(struct pl_sm_warp *w, const struct pl_sm_op *op, char *R, bool store)
{
	const uint32_t *index = PL_SM_REG(const uint32_t, b);
	union pl_sm_mem m = { .x = op->x };
	uint32_t *d = PL_SM_REG(uint32_t, d), *at[2];
	bool same[2];

	for (int h = 0; h < 2; h++) {
		const uint32_t *half = index + 16 * h, first = half[0];

		same[h] = !store && ramp_of16(half, first, 0, 0xffff);
		if (!same[h] && (first > INT32_MAX - 15u || !ramp_of16(half, first, 1, 0xffff)))
			return false;
		at[h] = (void *)global_at(
			w, w->frame.U[op->a] + op->imm + 4 * (m.sx ? (uint64_t)(int32_t)first : (uint64_t)first),
			same[h] ? 4 : 64, 4, store);
		if (!at[h])
			return false;
	}
	for (int h = 0; h < 2; h++) {
		uint32_t *to = store ? at[h] : d + 16 * h;
		const uint32_t *from = store ? d + 16 * h : at[h], one = from[0];

		if (same[h])
			for (int i = 0; i < 16; i++)
				to[i] = one;
		else
			PL_SM_IVDEP for (int i = 0; i < 16; i++) to[i] = from[i];
	}
	global_count(w, 128, store);
	return true;
}

static void load4_halves(PL_SM_ARGS)
{
	if (mask == PL_SM_ALL && halves_do(w, op, R, false))
		PL_SM_NEXT;
	load_any(w, op, R, mask);
}

static void store4_halves(PL_SM_ARGS)
{
	if (mask == PL_SM_ALL && halves_do(w, op, R, true))
		PL_SM_NEXT;
	store_any(w, op, R, mask);
}

/* [U + R32 << s]: consecutive where R32 is and s is the element's size. */
#define INDEX_ACCESS_OF(name, all, size, copy_lanes, is_signed, store, slow)                                           \
	static void name##_##all(PL_SM_ARGS)                                                                           \
	{                                                                                                              \
		const uint32_t *index = PL_SM_REG(const uint32_t, b);                                                  \
		unsigned first = FIRST_##all;                                                                          \
		uint32_t start = index[first];                                                                         \
		if (__builtin_expect((is_signed ? (int32_t)start > INT32_MAX - 31 : start > UINT32_MAX - 31u) ||       \
					     !ramp_of32(index, start - first, 1, mask),                                \
				     0)) {                                                                             \
			slow(w, op, R, mask);                                                                          \
			return;                                                                                        \
		}                                                                                                      \
		GLOBAL_ROW_##all(w->frame.U[op->a] + op->imm +                                                         \
					 (is_signed ? (uint64_t)(int32_t)start : (uint64_t)start) * size,              \
				 size, copy_lanes, store, slow);                                                       \
	}
#define INDEX_ACCESS(name, size, copy_lanes, is_signed, store, slow)                                                   \
	INDEX_ACCESS_OF(name, f, size, copy_lanes, is_signed, store, slow)                                             \
	INDEX_ACCESS_OF(name, p, size, copy_lanes, is_signed, store, slow)                                             \
	static const pl_sm_fn name[2] = { name##_f, name##_p };
#define INDEX_FORMS(form, is_signed)                                                                                   \
	INDEX_ACCESS(load4_##form, 4, lanes_copy4, is_signed, false, load4_halves)                                     \
	INDEX_ACCESS(load8_##form, 8, lanes_copy8, is_signed, false, load_any)                                         \
	INDEX_ACCESS(store4_##form, 4, lanes_copy4, is_signed, true, store4_halves)                                    \
	INDEX_ACCESS(store8_##form, 8, lanes_copy8, is_signed, true, store_any)
INDEX_FORMS(urs, true)
INDEX_FORMS(uru, false)

static inline bool ramp_of64(const uint64_t *v, uint64_t start, unsigned step, uint32_t mask)
{
	uint64_t differ = 0;

	if (mask == PL_SM_ALL)
		LANES_LOOP differ |= v[i] - start - (uint64_t)(unsigned)i * step;
	else
		LANES_LOOP differ |= (lane_bit64[i] & mask) ? v[i] - start - (uint64_t)(unsigned)i * step : 0;
	return !differ;
}

/* [R64] */
#define POINTER_ACCESS_OF(name, all, size, copy_lanes, store, slow)                                                    \
	static void name##_##all(PL_SM_ARGS)                                                                           \
	{                                                                                                              \
		const uint64_t *a = PL_SM_REG(const uint64_t, a);                                                      \
		unsigned first = FIRST_##all;                                                                          \
		uint64_t start = a[first];                                                                             \
		if (__builtin_expect(!ramp_of64(a, start - (uint64_t)first * size, size, mask), 0)) {                  \
			slow(w, op, R, mask);                                                                          \
			return;                                                                                        \
		}                                                                                                      \
		GLOBAL_ROW_##all(start + op->imm, size, copy_lanes, store, slow);                                      \
	}
#define POINTER_ACCESS(name, size, copy_lanes, store, slow)                                                            \
	POINTER_ACCESS_OF(name, f, size, copy_lanes, store, slow)                                                      \
	POINTER_ACCESS_OF(name, p, size, copy_lanes, store, slow)                                                      \
	static const pl_sm_fn name[2] = { name##_f, name##_p };
POINTER_ACCESS(load4_r64, 4, lanes_copy4, false, load_any)
POINTER_ACCESS(load8_r64, 8, lanes_copy8, false, load_any)
POINTER_ACCESS(store4_r64, 4, lanes_copy4, true, store_any)
POINTER_ACCESS(store8_r64, 8, lanes_copy8, true, store_any)

/* Parameters at a fixed place: the same for all lanes. */
#define PARAM_LOAD(name, T)                                                                                            \
	static void name(PL_SM_ARGS)                                                                                   \
	{                                                                                                              \
		T *d = PL_SM_REG(T, d), v;                                                                             \
		if (__builtin_expect(op->imm + sizeof(T) > w->sm->grid->desc.param_bytes, 0)) {                        \
			load_any(w, op, R, mask);                                                                      \
			return;                                                                                        \
		}                                                                                                      \
		v = *(const T *)(const void *)(w->sm->grid->param + op->imm);                                          \
		if (mask == PL_SM_ALL)                                                                                 \
			LANES_LOOP d[i] = v;                                                                           \
		else                                                                                                   \
			LANES_LOOP KEEP(T, d, v);                                                                      \
		w->sm->bytes_read += (uint64_t)__builtin_popcount(mask) * sizeof(T);                                   \
		PL_SM_NEXT;                                                                                            \
	}
PARAM_LOAD(param4, uint32_t)
PARAM_LOAD(param8, uint64_t)

#define FORMS(form)                                                                                                    \
	{                                                                                                              \
		{ load4_##form, load8_##form },                                                                        \
		{                                                                                                      \
			store4_##form, store8_##form                                                                   \
		}                                                                                                      \
	}
static bool bind_fast(struct pl_sm_op *op, bool store)
{
	static const pl_sm_fn *const of[3][2][2] = { FORMS(r64), FORMS(uru), FORMS(urs) };
	union pl_sm_mem m = { .x = op->x };
	bool global = m.space == PL_ISA_GENERIC || m.space == PL_ISA_GLOBAL;
	unsigned form = m.form == PL_ISA_ADDR_R64 ? 0 : 1u + m.sx;

	if (m.vec || (m.bytes != 4 && m.bytes != 8))
		return false;
	if (m.space == PL_ISA_PARAM && m.form == PL_ISA_ADDR_ABS && !store && op->imm % m.bytes == 0 &&
	    op->imm < PL_ISA_PARAM_BYTES_MAX) {
		op->fn[0] = op->fn[1] = m.bytes == 8 ? param8 : param4;
		return true;
	}
	if (!global || (form && (m.form != PL_ISA_ADDR_UR || 1u << m.shift != m.bytes)))
		return false;
	op->fn[0] = of[form][store][m.bytes == 8][0];
	op->fn[1] = of[form][store][m.bytes == 8][1];
	return true;
}

bool V(pl_sm_bind_mem)(const struct pl_isa_fields *f, struct pl_sm_op *op);
bool V(pl_sm_bind_mem)(const struct pl_isa_fields *f, struct pl_sm_op *op)
{
	bool store = f->op == PL_ISA_ST;

	if (f->op != PL_ISA_LD && !store)
		return false;
	if (!(f->space == PL_ISA_SHARED && V(pl_sm_bind_shared)(op, store)) && !bind_fast(op, store))
		op->fn[0] = op->fn[1] = store ? store_any : load_any;
	return true;
}
