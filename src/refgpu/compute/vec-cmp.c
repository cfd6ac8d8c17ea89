/* Compares: SETP of 16 to 64 bits in vector code, the rest of SETP, SETP2, SET lane by lane. */
#include "refgpu/compute/vec.h"
#include "refgpu/compute/half.h"

#if defined(__AVX512F__)
#define CHUNK 64
#elif defined(__AVX2__)
#define CHUNK 32
#else
#define CHUNK 16
#endif
typedef int32_t vi32 __attribute__((vector_size(CHUNK), aligned(4)));
typedef uint32_t vu32 __attribute__((vector_size(CHUNK), aligned(4)));
typedef float vf32 __attribute__((vector_size(CHUNK), aligned(4)));
typedef int64_t vi64 __attribute__((vector_size(CHUNK), aligned(8)));
typedef uint64_t vu64 __attribute__((vector_size(CHUNK), aligned(8)));
typedef double vf64 __attribute__((vector_size(CHUNK), aligned(8)));

static inline uint32_t bits32(vi32 m)
{
#if defined(__AVX512F__)
	return _mm512_movepi32_mask((__m512i)m);
#elif defined(__AVX2__)
	return (uint32_t)_mm256_movemask_ps((__m256)m);
#else
	return (uint32_t)_mm_movemask_ps((__m128)m);
#endif
}
static inline uint32_t bits64(vi64 m)
{
#if defined(__AVX512F__)
	return _mm512_movepi64_mask((__m512i)m);
#elif defined(__AVX2__)
	return (uint32_t)_mm256_movemask_pd((__m256d)m);
#else
	return (uint32_t)_mm_movemask_pd((__m128d)m);
#endif
}

/* op->x: 0 = the plain result; else BOOL | ND << 2 | NC << 3 | 16 */
static inline void store_pred(struct pl_sm_warp *w, const struct pl_sm_op *op, uint32_t mask, uint32_t m)
{
	if (op->x) {
		uint32_t c = op->c == PL_ISA_PT ? PL_SM_ALL : w->frame.P[op->c];

		m = op->x & 4 ? ~m : m;
		c = op->x & 8 ? ~c : c;
		switch (op->x & 3) {
		case PL_ISA_BAND:
			m &= c;
			break;
		case PL_ISA_BOR:
			m |= c;
			break;
		case PL_ISA_BXOR:
			m ^= c;
			break;
		}
	}
	if (op->d != PL_ISA_PT)
		w->frame.P[op->d] = (w->frame.P[op->d] & ~mask) | (m & mask);
}

/* _f: all lanes, the plain result, into a predicate that there is. */
#define CMP_ONE(name, VT, T, bits, take_b, read_b, e)                                                                  \
	static inline uint32_t name##_bits(const struct pl_sm_warp *w, const struct pl_sm_op *op, const char *R)       \
	{                                                                                                              \
		const char *a = R + op->a;                                                                             \
		uint32_t m = 0;                                                                                        \
		take_b;                                                                                                \
		(void)w;                                                                                               \
		for (unsigned k = 0; k < 32 * sizeof(T) / CHUNK; k++) {                                                \
			VT x = *(const VT *)(const void *)(a + k * CHUNK);                                             \
			VT y = read_b;                                                                                 \
			m |= bits(e) << (k * (CHUNK / sizeof(T)));                                                     \
		}                                                                                                      \
		return m;                                                                                              \
	}                                                                                                              \
	static void name##_f(PL_SM_ARGS)                                                                               \
	{                                                                                                              \
		w->frame.P[op->d] = name##_bits(w, op, R);                                                             \
		PL_SM_NEXT_FULL;                                                                                       \
	}                                                                                                              \
	static void name##_p(PL_SM_ARGS)                                                                               \
	{                                                                                                              \
		store_pred(w, op, mask, name##_bits(w, op, R));                                                        \
		PL_SM_NEXT;                                                                                            \
	}
#define CMP(name, VT, T, bits, e)                                                                                      \
	CMP_ONE(name##_r, VT, T, bits, const char *b = R + op->b, *(const VT *)(const void *)(b + k * CHUNK), e)       \
	CMP_ONE(name##_s, VT, T, bits, VT s = *(const T *)pl_sm_scalar(w, op) + (VT){ 0 }, s, e)                       \
	static const pl_sm_fn name[4] = { name##_r_f, name##_r_p, name##_s_f, name##_s_p };

#define CMP_INT(suffix, VT, T, bits)                                                                                   \
	CMP(eq_##suffix, VT, T, bits, x == y)                                                                          \
	CMP(ne_##suffix, VT, T, bits, x != y)                                                                          \
	CMP(lt_##suffix, VT, T, bits, x < y)                                                                           \
	CMP(le_##suffix, VT, T, bits, x <= y)                                                                          \
	CMP(gt_##suffix, VT, T, bits, x > y)                                                                           \
	CMP(ge_##suffix, VT, T, bits, x >= y)
CMP_INT(u32, vu32, uint32_t, bits32)
CMP_INT(s32, vi32, int32_t, bits32)
CMP_INT(u64, vu64, uint64_t, bits64)
CMP_INT(s64, vi64, int64_t, bits64)
/* the low halves of slots */
#define CMP_HALF(suffix, VT, T)                                                                                        \
	CMP(eq_##suffix, VT, T, bits32, x << 16 == y << 16)                                                            \
	CMP(ne_##suffix, VT, T, bits32, x << 16 != y << 16)                                                            \
	CMP(lt_##suffix, VT, T, bits32, x << 16 < y << 16)                                                             \
	CMP(le_##suffix, VT, T, bits32, x << 16 <= y << 16)                                                            \
	CMP(gt_##suffix, VT, T, bits32, x << 16 > y << 16)                                                             \
	CMP(ge_##suffix, VT, T, bits32, x << 16 >= y << 16)
CMP_HALF(u16, vu32, uint32_t)
CMP_HALF(s16, vi32, int32_t)
#define CMP_FLOAT(suffix, VT, T, bits)                                                                                 \
	CMP(eq_##suffix, VT, T, bits, x == y)                                                                          \
	CMP(ne_##suffix, VT, T, bits, (x < y) | (x > y))                                                               \
	CMP(lt_##suffix, VT, T, bits, x < y)                                                                           \
	CMP(le_##suffix, VT, T, bits, x <= y)                                                                          \
	CMP(gt_##suffix, VT, T, bits, x > y)                                                                           \
	CMP(ge_##suffix, VT, T, bits, x >= y)                                                                          \
	CMP(equ_##suffix, VT, T, bits, ~((x < y) | (x > y)))                                                           \
	CMP(neu_##suffix, VT, T, bits, x != y)                                                                         \
	CMP(ltu_##suffix, VT, T, bits, ~(x >= y))                                                                      \
	CMP(leu_##suffix, VT, T, bits, ~(x > y))                                                                       \
	CMP(gtu_##suffix, VT, T, bits, ~(x <= y))                                                                      \
	CMP(geu_##suffix, VT, T, bits, ~(x < y))                                                                       \
	CMP(num_##suffix, VT, T, bits, (x == x) & (y == y))                                                            \
	CMP(nan_##suffix, VT, T, bits, (x != x) | (y != y))
CMP_FLOAT(f32, vf32, float, bits32)
CMP_FLOAT(f64, vf64, double, bits64)

static const pl_sm_fn *const cmp_int[6][6] = {
	{ eq_u16, ne_u16, lt_u16, le_u16, gt_u16, ge_u16 }, { eq_s16, ne_s16, lt_s16, le_s16, gt_s16, ge_s16 },
	{ eq_u32, ne_u32, lt_u32, le_u32, gt_u32, ge_u32 }, { eq_s32, ne_s32, lt_s32, le_s32, gt_s32, ge_s32 },
	{ eq_u64, ne_u64, lt_u64, le_u64, gt_u64, ge_u64 }, { eq_s64, ne_s64, lt_s64, le_s64, gt_s64, ge_s64 },
};
#define FLOAT_ROW(t)                                                                                                   \
	{                                                                                                              \
		eq_##t, ne_##t, lt_##t, le_##t, gt_##t, ge_##t, equ_##t, neu_##t, ltu_##t, leu_##t, gtu_##t, geu_##t,  \
			num_##t, nan_##t                                                                               \
	}
static const pl_sm_fn *const cmp_float[2][PL_ISA_CMP_COUNT] = { FLOAT_ROW(f32), FLOAT_ROW(f64) };

/* Any type: both operands as double or as 64-bit integers. */
static bool compare_double(unsigned cmp, double x, double y)
{
	switch (cmp) {
	case PL_ISA_EQ:
		return x == y;
	case PL_ISA_NE:
		return x < y || x > y;
	case PL_ISA_LT:
		return x < y;
	case PL_ISA_LE:
		return x <= y;
	case PL_ISA_GT:
		return x > y;
	case PL_ISA_GE:
		return x >= y;
	case PL_ISA_EQU:
		return !(x < y || x > y);
	case PL_ISA_NEU:
		return x != y;
	case PL_ISA_LTU:
		return !(x >= y);
	case PL_ISA_LEU:
		return !(x > y);
	case PL_ISA_GTU:
		return !(x <= y);
	case PL_ISA_GEU:
		return !(x < y);
	case PL_ISA_NUM:
		return x == x && y == y;
	default:
		return x != x || y != y;
	}
}

static bool compare_u64(unsigned cmp, uint64_t x, uint64_t y)
{
	return cmp == PL_ISA_EQ   ? x == y
	       : cmp == PL_ISA_NE ? x != y
	       : cmp == PL_ISA_LT ? x < y
	       : cmp == PL_ISA_LE ? x <= y
	       : cmp == PL_ISA_GT ? x > y
				  : x >= y;
}

static bool compare_s64(unsigned cmp, int64_t x, int64_t y)
{
	return cmp == PL_ISA_EQ   ? x == y
	       : cmp == PL_ISA_NE ? x != y
	       : cmp == PL_ISA_LT ? x < y
	       : cmp == PL_ISA_LE ? x <= y
	       : cmp == PL_ISA_GT ? x > y
				  : x >= y;
}

static double flush_f32(float v, bool ftz)
{
	return ftz && __builtin_fabsf(v) < 0x1p-126f ? 0.0 * v : v;
}

/* half: 0 low, 1 high, of the pair types */
static bool compare_lane(const struct pl_sm_op *op, const char *a, const char *b, unsigned half)
{
	unsigned cmp = op->sub;
	uint32_t x = *(const uint32_t *)(const void *)a, y = *(const uint32_t *)(const void *)b;

	switch (op->type) {
	case PL_ISA_U16:
		return compare_u64(cmp, (uint16_t)x, (uint16_t)y);
	case PL_ISA_S16:
		return compare_s64(cmp, (int16_t)x, (int16_t)y);
	case PL_ISA_U32:
		return compare_u64(cmp, x, y);
	case PL_ISA_S32:
		return compare_s64(cmp, (int32_t)x, (int32_t)y);
	case PL_ISA_U64:
		return compare_u64(cmp, *(const uint64_t *)(const void *)a, *(const uint64_t *)(const void *)b);
	case PL_ISA_S64:
		return compare_s64(cmp, *(const int64_t *)(const void *)a, *(const int64_t *)(const void *)b);
	case PL_ISA_F32:
		return compare_double(cmp, flush_f32(*(const float *)(const void *)a, op->x & 32),
				      flush_f32(*(const float *)(const void *)b, op->x & 32));
	case PL_ISA_F64:
		return compare_double(cmp, *(const double *)(const void *)a, *(const double *)(const void *)b);
	default:
		x >>= 16 * half, y >>= 16 * half;
		if (op->type == PL_ISA_BF16 || op->type == PL_ISA_BF16X2)
			return compare_double(cmp, bf16_to_f32((uint16_t)x), bf16_to_f32((uint16_t)y));
		x = op->x & 32 ? f16_flush((uint16_t)x) : x;
		y = op->x & 32 ? f16_flush((uint16_t)y) : y;
		return compare_double(cmp, f16_to_f32((uint16_t)x), f16_to_f32((uint16_t)y));
	}
}

static uint32_t compare_lanes(const struct pl_sm_warp *w, const struct pl_sm_op *op, const char *R, unsigned half)
{
	unsigned bytes = pl_isa_type_slots(op->type) * 4;
	uint32_t m = 0;

	for (unsigned i = 0; i < 32; i++) {
		const char *b = op->flags & PL_SM_OP_B_SCALAR ? pl_sm_scalar(w, op) : R + op->b + i * bytes;
		m |= (uint32_t)compare_lane(op, R + op->a + i * bytes, b, half) << i;
	}
	return m;
}

static void setp_any(PL_SM_ARGS)
{
	store_pred(w, op, mask, compare_lanes(w, op, R, 0));
	PL_SM_NEXT;
}

/* d gets the low halves, e (imm) the high ones */
static void setp2(PL_SM_ARGS)
{
	uint32_t low = compare_lanes(w, op, R, 0), high = compare_lanes(w, op, R, 1);
	uint32_t c = op->c == PL_ISA_PT ? PL_SM_ALL : w->frame.P[op->c], e = (uint32_t)op->imm;

	c = op->x & 8 ? ~c : c;
	if ((op->x & 3) == PL_ISA_BAND)
		low &= c, high &= c;
	else if ((op->x & 3) == PL_ISA_BOR)
		low |= c, high |= c;
	else if ((op->x & 3) == PL_ISA_BXOR)
		low ^= c, high ^= c;
	if (op->d != PL_ISA_PT)
		w->frame.P[op->d] = (w->frame.P[op->d] & ~mask) | (low & mask);
	if (e != PL_ISA_PT)
		w->frame.P[e] = (w->frame.P[e] & ~mask) | (high & mask);
	PL_SM_NEXT;
}

/* type2 of the result lies in op->x >> 8 */
static __attribute__((noinline)) void set_do(PL_SM_ARGS)
{
	unsigned type2 = op->x >> 8;
	bool pair = op->type == PL_ISA_F16X2 || op->type == PL_ISA_BF16X2;
	uint32_t m[2] = { compare_lanes(w, op, R, 0), pair ? compare_lanes(w, op, R, 1) : 0 };
	uint32_t c = op->c == PL_ISA_PT ? PL_SM_ALL : w->frame.P[op->c];

	c = op->x & 8 ? ~c : c;
	for (unsigned k = 0; k < 2; k++) {
		m[k] = op->x & 4 ? ~m[k] : m[k];
		m[k] = (op->x & 3) == PL_ISA_BAND   ? m[k] & c
		       : (op->x & 3) == PL_ISA_BOR  ? m[k] | c
		       : (op->x & 3) == PL_ISA_BXOR ? m[k] ^ c
						    : m[k];
	}
	for (unsigned i = 0; i < 32; i++) {
		uint32_t low = m[0] >> i & 1, high = m[1] >> i & 1, *d = &PL_SM_REG(uint32_t, d)[i];

		if (!(mask >> i & 1))
			continue;
		switch (type2) {
		case PL_ISA_F32:
			*d = low ? 0x3f800000 : 0;
			break;
		case PL_ISA_F16:
			*d = low ? 0x3c00 : 0;
			break;
		case PL_ISA_BF16:
			*d = low ? 0x3f80 : 0;
			break;
		case PL_ISA_F16X2:
			*d = (low ? 0x3c00 : 0) | (high ? 0x3c000000 : 0);
			break;
		case PL_ISA_BF16X2:
			*d = (low ? 0x3f80 : 0) | (high ? 0x3f800000 : 0);
			break;
		case PL_ISA_U16:
			*d = low ? 0xffff : 0;
			break;
		default: /* U32 of a pair: a mask for each half */
			*d = pair ? (low ? 0xffff : 0) | (high ? 0xffff0000 : 0) : low ? 0xffffffffu : 0;
		}
	}
}

static void set_h(PL_SM_ARGS)
{
	set_do(w, op, R, mask);
	PL_SM_NEXT;
}

static bool bind_setp(const struct pl_isa_fields *f, struct pl_sm_op *op)
{
	if (f->type >= PL_ISA_U16 && f->type <= PL_ISA_S64 && f->cmp <= PL_ISA_GE)
		set_handlers(op, cmp_int[f->type - PL_ISA_U16][f->cmp]);
	else if (f->type == PL_ISA_F64 || (f->type == PL_ISA_F32 && !f->ftz))
		set_handlers(op, cmp_float[f->type == PL_ISA_F64][f->cmp]);
	else
		op->fn[1] = setp_any;
	if (op->x || op->d == PL_ISA_PT || op->fn[1] == setp_any)
		op->fn[0] = op->fn[1];
	return true;
}

bool V(pl_sm_bind_cmp)(const struct pl_isa_fields *f, struct pl_sm_op *op);
bool V(pl_sm_bind_cmp)(const struct pl_isa_fields *f, struct pl_sm_op *op)
{
	if (f->op != PL_ISA_SETP && f->op != PL_ISA_SETP2 && f->op != PL_ISA_SET)
		return false;
	op->sub = f->cmp;
	op->x = f->boolop | f->nd << 2 | f->nc << 3;
	op->x |= op->x ? 16 : 0;
	if (f->op == PL_ISA_SETP2 || f->op == PL_ISA_SET || f->type == PL_ISA_F32 || f->type == PL_ISA_F16)
		op->x |= f->ftz ? 32 : 0;
	if (f->op == PL_ISA_SETP)
		return bind_setp(f, op);
	op->x |= f->op == PL_ISA_SET ? (uint32_t)f->type2 << 8 : 0;
	op->fn[0] = op->fn[1] = f->op == PL_ISA_SET ? set_h : setp2;
	if (f->op == PL_ISA_SETP2)
		op->imm = f->imm & 2047;
	return true;
}
