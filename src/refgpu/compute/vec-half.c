/* Half precision and bfloat16, alone and in pairs: computed in single or double precision and rounded once. */
#include "refgpu/compute/vec.h"
#include "refgpu/compute/approx.h"
#include "refgpu/compute/half.h"

enum { FTZ = 1, SAT = 2, RELU = 4, NAN_WINS = 16, XORSIGN = 32, BF = 64, PAIR = 128, NEG_PRODUCT = 256, NEG_C = 512 };

/* One half (0 low, 1 high) of each lane as floats. */
static inline void load_half(float out[32], const uint32_t slots[32], int half, uint32_t ox)
{
	uint16_t h[32];

	LANES_LOOP h[i] = (uint16_t)(slots[i] >> 16 * half);
	if (ox & BF) {
		LANES_LOOP out[i] = bf16_to_f32(h[i]);
		return;
	}
	if (ox & FTZ)
		LANES_LOOP h[i] = f16_flush(h[i]);
#if defined(__AVX512F__)
	for (int k = 0; k < 2; k++)
		_mm512_storeu_ps(out + 16 * k, _mm512_cvtph_ps(_mm256_loadu_si256((const void *)(h + 16 * k))));
#elif defined(__F16C__)
	for (int k = 0; k < 4; k++)
		_mm256_storeu_ps(out + 8 * k, _mm256_cvtph_ps(_mm_loadu_si128((const void *)(h + 8 * k))));
#else
	LANES_LOOP out[i] = f16_to_f32(h[i]);
#endif
}

static inline float finish_of(float v, uint32_t ox)
{
	uint32_t sat = ox & SAT ? ~0u : 0, relu = ox & RELU ? ~0u : 0;
	float r = v > 0 ? v : 0.0f, one = r < 1 ? r : 1.0f, kept = v != v ? v : r;

	v = bits_f32((f32_bits(one) & sat) | (f32_bits(v) & ~sat));
	return bits_f32((f32_bits(kept) & relu) | (f32_bits(v) & ~relu));
}

static inline void store_half(uint32_t slots[32], const float v[32], int half, uint32_t ox)
{
	uint32_t h[32];

	if (ox & BF)
		LANES_LOOP h[i] = f32_to_bf16(finish_of(v[i], ox));
	else
		LANES_LOOP h[i] = f32_to_f16(finish_of(v[i], ox));
	if ((ox & (FTZ | BF)) == FTZ) /* what 11 bits do not round up to 2^-14 */
		LANES_LOOP h[i] &= __builtin_fabsf(v[i]) < 0x1p-14f - 0x1p-26f ? 0x8000 : 0xffff;
	if (half)
		LANES_LOOP slots[i] |= h[i] << 16;
	else
		LANES_LOOP slots[i] = h[i];
}

#define HALF_OP(name, e)                                                                                               \
	HSLOW(name##_half, uint32_t, uint32_t, uint32_t, uint32_t, {                                                   \
		for (int k = 0; k <= (ox & PAIR ? 1 : 0); k++) {                                                       \
			float fx[32], fy[32], fz[32], fr[32];                                                          \
			load_half(fx, x, k, ox);                                                                       \
			load_half(fy, y, k, ox);                                                                       \
			load_half(fz, z, k, ox);                                                                       \
			LANES_LOOP                                                                                     \
			{                                                                                              \
				float X = fx[i], Y = fy[i], Z = fz[i];                                                 \
				(void)X, (void)Y, (void)Z;                                                             \
				fr[i] = e;                                                                             \
			}                                                                                              \
			store_half(r, fr, k, ox);                                                                      \
		}                                                                                                      \
	})

static inline float minmax_of(float x, float y, uint32_t ox, bool min)
{
	uint32_t sign = (f32_bits(x) ^ f32_bits(y)) & 0x80000000;
	bool less, none = (ox & NAN_WINS) ? x != x || y != y : x != x && y != y;
	float v;

	x = ox & XORSIGN ? __builtin_fabsf(x) : x;
	y = ox & XORSIGN ? __builtin_fabsf(y) : y;
	less = x < y || (x == y && (int32_t)f32_bits(x) < (int32_t)f32_bits(y)); /* -0 < 0 */
	v = x != x ? y : y != y ? x : less == min ? x : y;
	v = ox & XORSIGN ? bits_f32(f32_bits(v) | sign) : v;
	return none ? bits_f32(0x7fffffff) : v;
}
/* Half precision: the product is exact in single precision, and the sum is made odd where it is not. */
static inline float fma16_of(float x, float y, float z)
{
	float p = x * y, s = p + z, t = s - p, e = (p - (s - t)) + (z - t);
	uint32_t u = f32_bits(s), minus = f32_bits(e) >> 31 ^ u >> 31;
	uint32_t finite = s - s == 0 ? 1 : 0, lost = e != 0 ? 1 : 0;
	uint32_t odd = (u - minus) | 1;

	return bits_f32(lost & finite & ~u & 1 ? odd : u);
}
static inline float fma_bf_of(float x, float y, float z)
{
	return f64_to_f32_odd(fma_odd((double)x, (double)y, (double)z));
}
#define NEGATED(v, bit) bits_f32(f32_bits(v) ^ (ox & (bit) ? 0x80000000u : 0))
HALF_OP(add, X + Y)
HALF_OP(sub, X - Y)
HALF_OP(mul, X *Y)
HALF_OP(fma_f16, fma16_of(NEGATED(X, NEG_PRODUCT), Y, NEGATED(Z, NEG_C)))
HALF_OP(fma_bf16, fma_bf_of(NEGATED(X, NEG_PRODUCT), Y, NEGATED(Z, NEG_C)))
HALF_OP(min, minmax_of(X, Y, ox, true))
HALF_OP(max, minmax_of(X, Y, ox, false))
HALF_OP(ex2, approx_ex2(X))
HALF_OP(tanh, approx_tanh(X))
#define SIGNS        (ox & PAIR ? 0x80008000u : 0x8000u)
#define KEEP_BITS(v) (ox & PAIR ? (v) : (v)&0xffff)
static inline uint32_t flush_pair(uint32_t v, uint32_t ox)
{
	return (ox & (FTZ | BF)) == FTZ ? f16_flush((uint16_t)v) | (uint32_t)f16_flush((uint16_t)(v >> 16)) << 16 : v;
}
H1(abs_half, uint32_t, uint32_t, KEEP_BITS(flush_pair(x, ox) & ~SIGNS))
H1(neg_half, uint32_t, uint32_t, KEEP_BITS(flush_pair(x, ox) ^ SIGNS))

bool V(pl_sm_bind_half)(const struct pl_isa_fields *f, struct pl_sm_op *op);
bool V(pl_sm_bind_half)(const struct pl_isa_fields *f, struct pl_sm_op *op)
{
	bool bf = f->type == PL_ISA_BF16 || f->type == PL_ISA_BF16X2,
	     minmax = f->op == PL_ISA_MIN || f->op == PL_ISA_MAX;

	if (!(PL_ISA_T_H >> f->type & 1))
		return false;
	op->x = (f->ftz ? FTZ : 0) | (f->sat ? SAT : 0) | (f->sub & 4 ? RELU : 0) | (bf ? BF : 0) |
		(f->na ? NEG_PRODUCT : 0) | (f->nc ? NEG_C : 0);
	op->x |= f->type == PL_ISA_F16X2 || f->type == PL_ISA_BF16X2 ? PAIR : 0;
	if (minmax)
		op->x |= (f->sub & 1 ? NAN_WINS : 0) | (f->sub & 2 ? XORSIGN : 0);
	switch (f->op) {
	case PL_ISA_ADD:
		return set_handlers(op, add_half);
	case PL_ISA_SUB:
		return set_handlers(op, sub_half);
	case PL_ISA_MUL:
		return set_handlers(op, mul_half);
	case PL_ISA_FMA:
		return set_handlers(op, bf ? fma_bf16_half : fma_f16_half);
	case PL_ISA_MIN:
		return set_handlers(op, min_half);
	case PL_ISA_MAX:
		return set_handlers(op, max_half);
	case PL_ISA_EX2:
		return set_handlers(op, ex2_half);
	case PL_ISA_TANH:
		return set_handlers(op, tanh_half);
	case PL_ISA_ABS:
		return set_handlers(op, abs_half);
	case PL_ISA_NEG:
		return set_handlers(op, neg_half);
	default:
		return false;
	}
}
