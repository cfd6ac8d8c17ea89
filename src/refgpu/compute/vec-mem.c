/*
 * Loads and stores.  Three ways: consecutive lanes at consecutive addresses in one run of pages (a vector load or
 * store), all lanes in one run (gather, or lane by lane), and anything.
 */
#include "refgpu/compute/mem.h"
#include "refgpu/compute/vec.h"

/* Copies the lanes in mask between a slot array and consecutive memory. */
#if defined(__AVX512F__)
static inline void lanes_copy4(void *to, const void *from, uint32_t mask)
{
	for (int k = 0; k < 2; k++) {
		__mmask16 m = (__mmask16)(mask >> 16 * k);
		__m512i v = _mm512_maskz_loadu_epi32(m, (const char *)from + 64 * k);
		_mm512_mask_storeu_epi32((char *)to + 64 * k, m, v);
	}
}
static inline void lanes_copy8(void *to, const void *from, uint32_t mask)
{
	for (int k = 0; k < 4; k++) {
		__mmask8 m = (__mmask8)(mask >> 8 * k);
		__m512i v = _mm512_maskz_loadu_epi64(m, (const char *)from + 64 * k);
		_mm512_mask_storeu_epi64((char *)to + 64 * k, m, v);
	}
}
#else
static inline void lanes_copy4(void *to, const void *from, uint32_t mask)
{
	for (; mask; mask &= mask - 1)
		((uint32_t *)to)[__builtin_ctz(mask)] = ((const uint32_t *)from)[__builtin_ctz(mask)];
}
static inline void lanes_copy8(void *to, const void *from, uint32_t mask)
{
	for (; mask; mask &= mask - 1)
		((uint64_t *)to)[__builtin_ctz(mask)] = ((const uint64_t *)from)[__builtin_ctz(mask)];
}
#endif

static inline void copy_all(void *to, const void *from, unsigned size)
{
	if (size == 4) {
		uint32_t *t = to;
		const uint32_t *f = from;
		LANES_LOOP t[i] = f[i];
	} else {
		uint64_t *t = to;
		const uint64_t *f = from;
		LANES_LOOP t[i] = f[i];
	}
}

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

/* All 32 lanes one after the other, two or four words each: a transposition.  False: not that. */
#define INTERLEAVED(k_)                                                                                                \
	static __attribute__((noinline)) void words_apart##k_(uint32_t *d, const uint32_t *from)                       \
	{                                                                                                              \
		LANES_LOOP for (int k = 0; k < k_; k++) d[k * 32 + i] = from[i * k_ + k];                              \
	}                                                                                                              \
	static __attribute__((noinline)) void words_together##k_(uint32_t *to, const uint32_t *d)                      \
	{                                                                                                              \
		LANES_LOOP for (int k = 0; k < k_; k++) to[i * k_ + k] = d[k * 32 + i];                                \
	}
INTERLEAVED(2)
INTERLEAVED(4)
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

static inline void gather4(uint32_t *d, const uint8_t *host, const uint32_t rel[32], uint32_t mask)
{
#if defined(__AVX512F__)
	for (int k = 0; k < 2; k++) {
		__mmask16 m = (__mmask16)(mask >> 16 * k);
		__m512i old = _mm512_loadu_si512(d + 16 * k);
		__m512i v = _mm512_mask_i32gather_epi32(old, m, _mm512_loadu_si512(rel + 16 * k), host, 1);
		_mm512_storeu_si512(d + 16 * k, v);
	}
#else
	for (; mask; mask &= mask - 1)
		memcpy(&d[__builtin_ctz(mask)], host + rel[__builtin_ctz(mask)], 4);
#endif
}

static inline void gather8(uint64_t *d, const uint8_t *host, const uint32_t rel[32], uint32_t mask)
{
#if defined(__AVX512F__)
	for (int k = 0; k < 4; k++) {
		__mmask8 m = (__mmask8)(mask >> 8 * k);
		__m512i old = _mm512_loadu_si512(d + 8 * k);
		__m256i index = _mm256_loadu_si256((const void *)(rel + 8 * k));
		_mm512_storeu_si512(d + 8 * k, _mm512_mask_i32gather_epi64(old, m, index, host, 1));
	}
#else
	for (; mask; mask &= mask - 1)
		memcpy(&d[__builtin_ctz(mask)], host + rel[__builtin_ctz(mask)], 8);
#endif
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
			if (bytes == 16)
				memcpy(d + 16 * i, span->host + rel[i], 16);
			else
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
		case 8:
			*(uint64_t *)(void *)at = wide[i];
			break;
		default:
			memcpy(at, d + 16 * i, 16);
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
	uint32_t rel[32];

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

static __attribute__((noinline)) void access_any(PL_SM_ARGS, bool store)
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

static void load_any(PL_SM_ARGS)
{
	access_any(w, op, R, mask, false);
	if (w->stop)
		return;
	PL_SM_NEXT;
}
static void store_any(PL_SM_ARGS)
{
	access_any(w, op, R, mask, true);
	if (w->stop)
		return;
	PL_SM_NEXT;
}

/* -- the fast ways -- */

#define FIRST(mask) ((unsigned)__builtin_ctz(mask))
#define LAST(mask)  (31u - (unsigned)__builtin_clz(mask))

/* Global and generic memory.  ADDR: address of lane i; T: element; all lanes consecutive: done, else the slow way. */
#define GLOBAL_ACCESS(name, T, size, copy_lanes, prepare, ADDR, store)                                                 \
	static void name(PL_SM_ARGS)                                                                                   \
	{                                                                                                              \
		unsigned first = FIRST(mask), last = LAST(mask);                                                       \
		uint64_t start, differ = 0, at;                                                                        \
		const struct pl_mmu_run *run;                                                                          \
		prepare;                                                                                               \
		{                                                                                                      \
			unsigned i = first;                                                                            \
			start = (ADDR) - (uint64_t)first * size;                                                       \
		}                                                                                                      \
		if (mask == PL_SM_ALL)                                                                                 \
			LANES_LOOP differ |= (ADDR)-start - (uint64_t)(unsigned)i * size;                              \
		else                                                                                                   \
			LANES_LOOP differ |= (lane_bit64[i] & mask) ? (ADDR)-start - (uint64_t)(unsigned)i * size : 0; \
		at = start + first * size;                                                                             \
		if (__builtin_expect(differ == 0 && !(start & (size - 1)) && at < PL_ISA_LOCAL_BASE, 1)) {             \
			run = pl_mmu_run_at(&w->sm->tlb, at, store ? PL_RG_WRITE : PL_RG_READ);                        \
			if (__builtin_expect(run && run->bytes - (at - run->begin) >= (last - first + 1) * size, 1)) { \
				char *host = (char *)run->host + (at - run->begin) - (uint64_t)first * size;           \
				char *d = R + op->d;                                                                   \
				if (mask == PL_SM_ALL)                                                                 \
					copy_all(store ? host : d, store ? d : host, size);                            \
				else                                                                                   \
					copy_lanes(store ? host : d, store ? d : host, mask);                          \
				if (store)                                                                             \
					w->sm->bytes_written += (uint64_t)__builtin_popcount(mask) * size;             \
				else                                                                                   \
					w->sm->bytes_read += (uint64_t)__builtin_popcount(mask) * size;                \
				PL_SM_NEXT;                                                                            \
			}                                                                                              \
		}                                                                                                      \
		access_any(w, op, R, mask, store);                                                                     \
		if (w->stop)                                                                                           \
			return;                                                                                        \
		PL_SM_NEXT;                                                                                            \
	}
#define PREPARE_R64                                                                                                    \
	const uint64_t *a = PL_SM_REG(const uint64_t, a);                                                              \
	uint64_t imm = op->imm
#define ADDR_R64 (a[i] + imm)
#define PREPARE_UR                                                                                                     \
	const int32_t *b = PL_SM_REG(const int32_t, b);                                                                \
	uint64_t base = w->frame.U[op->a] + op->imm;                                                                   \
	unsigned shift = (op->x >> 6) & 7
#define ADDR_URS (base + ((uint64_t)(int64_t)b[i] << shift))
#define ADDR_URU (base + ((uint64_t)(uint32_t)b[i] << shift))
#define GLOBAL_FORMS(form, prepare, ADDR)                                                                              \
	GLOBAL_ACCESS(load4_##form, uint32_t, 4, lanes_copy4, prepare, ADDR, false)                                    \
	GLOBAL_ACCESS(load8_##form, uint64_t, 8, lanes_copy8, prepare, ADDR, false)                                    \
	GLOBAL_ACCESS(store4_##form, uint32_t, 4, lanes_copy4, prepare, ADDR, true)                                    \
	GLOBAL_ACCESS(store8_##form, uint64_t, 8, lanes_copy8, prepare, ADDR, true)
GLOBAL_FORMS(r64, PREPARE_R64, ADDR_R64)
GLOBAL_FORMS(urs, PREPARE_UR, ADDR_URS)
GLOBAL_FORMS(uru, PREPARE_UR, ADDR_URU)

/* Shared memory: bounds and alignment of all lanes first, then consecutive, one address, or gather. */
#define SHARED_LOAD(name, T, size, copy_lanes, gather)                                                                 \
	static void name(PL_SM_ARGS)                                                                                   \
	{                                                                                                              \
		const uint32_t *a = PL_SM_REG(const uint32_t, a);                                                      \
		uint32_t imm = (uint32_t)op->imm, bytes = w->sm->grid->shared_bytes, first = FIRST(mask);              \
		uint32_t limit = bytes - size, start = a[first] + imm, bad = 0, differ = 0, same = 0;                  \
		uint8_t *shared = w->block->shared;                                                                    \
		T *d = PL_SM_REG(T, d);                                                                                \
		LANES_LOOP                                                                                             \
		{                                                                                                      \
			uint32_t off = a[i] + imm, on = (lane_bit[i] & mask) ? ~0u : 0;                                \
			bad |= ((off > limit ? ~0u : 0) | (off & (size - 1))) & on;                                    \
			differ |= (off - start - ((uint32_t)i - first) * size) & on;                                   \
			same |= (off ^ start) & on;                                                                    \
		}                                                                                                      \
		if (__builtin_expect(bad || bytes < size, 0)) {                                                        \
			access_any(w, op, R, mask, false);                                                             \
			if (w->stop)                                                                                   \
				return;                                                                                \
		} else if (!differ) {                                                                                  \
			const char *from = (const char *)shared + start - (uint64_t)first * size;                      \
			if (mask == PL_SM_ALL)                                                                         \
				copy_all(d, from, size);                                                               \
			else                                                                                           \
				copy_lanes(d, from, mask);                                                             \
		} else if (!same) {                                                                                    \
			T v = *(const T *)(const void *)(shared + start);                                              \
			LANES_LOOP KEEP(T, d, v);                                                                      \
		} else {                                                                                               \
			gather_imm(d, shared, a, imm, mask, size);                                                     \
		}                                                                                                      \
		PL_SM_NEXT;                                                                                            \
	}
static __attribute__((noinline)) void gather_imm(void *d, const uint8_t *shared, const uint32_t *a, uint32_t imm,
						 uint32_t mask, unsigned size)
{
	uint32_t rel[32];

	LANES_LOOP rel[i] = a[i] + imm;
	if (size == 4)
		gather4(d, shared, rel, mask);
	else
		gather8(d, shared, rel, mask);
}
SHARED_LOAD(shared_load4, uint32_t, 4, lanes_copy4, gather4)
SHARED_LOAD(shared_load8, uint64_t, 8, lanes_copy8, gather8)

#define SHARED_STORE(name, T, size, copy_lanes)                                                                        \
	static void name(PL_SM_ARGS)                                                                                   \
	{                                                                                                              \
		const uint32_t *a = PL_SM_REG(const uint32_t, a);                                                      \
		uint32_t imm = (uint32_t)op->imm, bytes = w->sm->grid->shared_bytes, first = FIRST(mask);              \
		uint32_t limit = bytes - size, start = a[first] + imm, bad = 0, differ = 0;                            \
		uint8_t *shared = w->block->shared;                                                                    \
		const T *d = PL_SM_REG(const T, d);                                                                    \
		LANES_LOOP                                                                                             \
		{                                                                                                      \
			uint32_t off = a[i] + imm, on = (lane_bit[i] & mask) ? ~0u : 0;                                \
			bad |= ((off > limit ? ~0u : 0) | (off & (size - 1))) & on;                                    \
			differ |= (off - start - ((uint32_t)i - first) * size) & on;                                   \
		}                                                                                                      \
		if (__builtin_expect(bad || bytes < size, 0)) {                                                        \
			access_any(w, op, R, mask, true);                                                              \
			if (w->stop)                                                                                   \
				return;                                                                                \
		} else if (!differ) {                                                                                  \
			char *to = (char *)shared + start - (uint64_t)first * size;                                    \
			if (mask == PL_SM_ALL)                                                                         \
				copy_all(to, d, size);                                                                 \
			else                                                                                           \
				copy_lanes(to, d, mask);                                                               \
		} else {                                                                                               \
			for (uint32_t left = mask; left; left &= left - 1) {                                           \
				unsigned i = FIRST(left);                                                              \
				*(T *)(void *)(shared + (uint32_t)(a[i] + imm)) = d[i];                                \
			}                                                                                              \
		}                                                                                                      \
		PL_SM_NEXT;                                                                                            \
	}
SHARED_STORE(shared_store4, uint32_t, 4, lanes_copy4)
SHARED_STORE(shared_store8, uint64_t, 8, lanes_copy8)

static pl_sm_fn fast_access(union pl_sm_mem m, bool store)
{
	bool wide = m.bytes == 8, global = m.space == PL_ISA_GENERIC || m.space == PL_ISA_GLOBAL;

	if (m.vec || (m.bytes != 4 && m.bytes != 8))
		return NULL;
	if (m.space == PL_ISA_SHARED && m.form == PL_ISA_ADDR_R32)
		return store ? (wide ? shared_store8 : shared_store4) : (wide ? shared_load8 : shared_load4);
	if (global && m.form == PL_ISA_ADDR_R64)
		return store ? (wide ? store8_r64 : store4_r64) : (wide ? load8_r64 : load4_r64);
	if (global && m.form == PL_ISA_ADDR_UR && m.sx)
		return store ? (wide ? store8_urs : store4_urs) : (wide ? load8_urs : load4_urs);
	if (global && m.form == PL_ISA_ADDR_UR)
		return store ? (wide ? store8_uru : store4_uru) : (wide ? load8_uru : load4_uru);
	return NULL;
}

bool V(pl_sm_bind_mem)(const struct pl_isa_fields *f, struct pl_sm_op *op);
bool V(pl_sm_bind_mem)(const struct pl_isa_fields *f, struct pl_sm_op *op)
{
	union pl_sm_mem m = { .x = op->x };
	pl_sm_fn fast;

	if (f->op != PL_ISA_LD && f->op != PL_ISA_ST)
		return false;
	fast = fast_access(m, f->op == PL_ISA_ST);
	op->fn[0] = op->fn[1] = fast ? fast : f->op == PL_ISA_ST ? store_any : load_any;
	return true;
}
