/*
 * What loads and stores share: copies between a slot and consecutive memory, gathers, and tests of how the lanes'
 * addresses lie.
 */
#ifndef PL_REFGPU_COMPUTE_VEC_MEM_H
#define PL_REFGPU_COMPUTE_VEC_MEM_H

#include "refgpu/compute/mem.h"
#include "refgpu/compute/vec.h"

#define FIRST(mask) ((unsigned)__builtin_ctz(mask))
#define LAST(mask)  (31u - (unsigned)__builtin_clz(mask))

/* The slow way: any addresses, faults.  w->stop tells. */
void V(pl_sm_access_any)(PL_SM_ARGS, bool store);
/* Handlers of shared memory; false: none of them. */
bool V(pl_sm_bind_shared)(struct pl_sm_op *op, bool store);

/* Vectors of `words` words (2 or 4; elements of `each` words, 1 or 2) of the lanes in mask, aligned, at host + rel[i].
 */
void V(pl_sm_vectors_move)(char *d, uint8_t *host, const uint32_t rel[32], uint32_t mask, unsigned words, unsigned each,
			   bool store);

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

/* Does the element of each lane in mask lie in shared memory as a whole, and aligned? */
static inline bool lanes_good(const uint32_t off[32], uint32_t mask, unsigned size, uint32_t limit)
{
	uint32_t bad = 0, last = limit - size;

	if (limit < size)
		return false;
	LANES_LOOP bad |= ((off[i] > last ? ~0u : 0) | (off[i] & (size - 1))) & ((lane_bit[i] & mask) ? ~0u : 0);
	return !bad;
}

/* Two or four words of each lane, one lane after the other in memory. */
#define INTERLEAVED(k_)                                                                                                \
	static inline void words_apart##k_(uint32_t *d, const uint32_t *from)                                          \
	{                                                                                                              \
		LANES_LOOP for (int k = 0; k < k_; k++) d[k * 32 + i] = from[i * k_ + k];                              \
	}                                                                                                              \
	static inline void words_together##k_(uint32_t *to, const uint32_t *d)                                         \
	{                                                                                                              \
		LANES_LOOP for (int k = 0; k < k_; k++) to[i * k_ + k] = d[k * 32 + i];                                \
	}
INTERLEAVED(2)
INTERLEAVED(4)

/* Is v[i] == start + step * i in the lanes of mask?  Of 32, and of 16. */
#if defined(__AVX512F__)
static inline __m512i ramp32(uint32_t start, uint32_t step)
{
	const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);

	return _mm512_add_epi32(_mm512_set1_epi32((int)start), _mm512_mullo_epi32(lanes, _mm512_set1_epi32((int)step)));
}

static inline bool ramp_of16(const uint32_t *v, uint32_t start, uint32_t step, uint32_t mask)
{
	return !(_mm512_cmpneq_epi32_mask(_mm512_loadu_si512(v), ramp32(start, step)) & mask);
}

static inline bool ramp_of32(const uint32_t *v, uint32_t start, uint32_t step, uint32_t mask)
{
	uint32_t low = _mm512_cmpneq_epi32_mask(_mm512_loadu_si512(v), ramp32(start, step));
	uint32_t high = _mm512_cmpneq_epi32_mask(_mm512_loadu_si512(v + 16), ramp32(start + 16 * step, step));

	return !((low | high << 16) & mask);
}
#else
static inline bool ramp_of16(const uint32_t *v, uint32_t start, uint32_t step, uint32_t mask)
{
	uint32_t differ = 0;

	PL_SM_IVDEP
	for (int i = 0; i < 16; i++)
		differ |= (v[i] - start - (uint32_t)i * step) & ((lane_bit[i] & mask) ? ~0u : 0);
	return !differ;
}

static inline bool ramp_of32(const uint32_t *v, uint32_t start, uint32_t step, uint32_t mask)
{
	uint32_t differ = 0;

	LANES_LOOP differ |= (v[i] - start - (uint32_t)i * step) & ((lane_bit[i] & mask) ? ~0u : 0);
	return !differ;
}
#endif

#endif
