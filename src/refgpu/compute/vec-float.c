/* Single and double precision arithmetic. */
#include "refgpu/compute/vec.h"
#include "refgpu/compute/approx.h"
#include "refgpu/compute/half.h"

enum { FTZ = 1, SAT = 2, NEG_PRODUCT = 4, NEG_C = 8, NAN_WINS = 16, XORSIGN = 32 };

/* NaN results of single precision are one pattern */
static inline float canon_of(float v)
{
	return v == v ? v : bits_f32(0x7fffffff);
}
/* Without branches, so that lane loops stay vector code. */
static inline float flush_of(float v, uint32_t ox)
{
	uint32_t u = f32_bits(v), cut = ox & FTZ ? 0x7fffffffu : 0;

	return bits_f32(u & ~((u & 0x7f800000) == 0 ? cut : 0));
}
/*
 * What is tiny vanishes with .ftz: what stays below 2^-126 when it is rounded as if exponents had no end.  SCALED is
 * the same result 2^64 times as large, which no rounding to a denormal has touched; where it overflowed, v is not
 * small.
 */
static inline float cut_of(float v, float scaled, uint32_t ox)
{
	uint32_t cut = ox & FTZ ? 0x7fffffffu : 0;
	bool tiny = (__builtin_fabsf(v) <= 0x1p-126f) & (__builtin_fabsf(scaled) < 0x1p-62f);

	return bits_f32(f32_bits(v) & ~(tiny ? cut : 0));
}
#define UP 0x1p64f
static inline float saturate_of(float v, uint32_t ox)
{
	uint32_t on = ox & SAT ? ~0u : 0;
	float r = v > 0 ? v : 0.0f; /* NaN too */

	r = r < 1 ? r : 1.0f;
	return bits_f32((f32_bits(r) & on) | (f32_bits(v) & ~on));
}
#define CANON(e)    canon_of(e)
#define FZ(v)       flush_of(v, ox)
#define SATURATE(v) saturate_of(v, ox)
/* In a rounding mode of its own: op->sub.  What is computed must not leave the two barriers. */
#define ROUNDED(loop)                                                                                                  \
	uint32_t saved_ = round_begin(op->sub);                                                                        \
	__asm__ volatile("" : "+m"(x), "+m"(y), "+m"(z));                                                              \
	loop;                                                                                                          \
	__asm__ volatile("" : "+m"(r));                                                                                \
	round_end(saved_)

/* four handlers each: plain, with ftz, with ftz or sat, with rounding too; `cut` is `e` with .ftz where ox says so */
#define F32_2(name, e, cut)                                                                                            \
	static inline float name##_cut(float x, float y, uint32_t ox)                                                  \
	{                                                                                                              \
		x = FZ(x), y = FZ(y);                                                                                  \
		return CANON(cut);                                                                                     \
	}                                                                                                              \
	static inline float name##_r(float x, float y, uint32_t ox)                                                    \
	{                                                                                                              \
		return SATURATE(name##_cut(x, y, ox));                                                                 \
	}                                                                                                              \
	H2(name##_f32, float, float, float, CANON(e))                                                                  \
	H2(name##_f32z, float, float, float, name##_cut(x, y, FTZ))                                                    \
	H2(name##_f32x, float, float, float, name##_r(x, y, ox))                                                       \
	HSLOW(name##_f32r, float, float, float, float, ROUNDED(LANES_LOOP r[i] = name##_r(x[i], y[i], ox)))
/* sums are exact where they are tiny */
F32_2(add, x + y, FZ(x + y))
F32_2(sub, x - y, FZ(x - y))
F32_2(rsub, y - x, FZ(y - x))
F32_2(mul, x *y, cut_of(x *y, x *UP *y, ox))
F32_2(div, x / y, cut_of(x / y, x *UP / y, ox))

#define F32_1(name, e, cut)                                                                                            \
	static inline float name##_cut(float x, uint32_t ox)                                                           \
	{                                                                                                              \
		x = FZ(x);                                                                                             \
		return CANON(cut);                                                                                     \
	}                                                                                                              \
	H1(name##_f32, float, float, CANON(e))                                                                         \
	H1(name##_f32z, float, float, name##_cut(x, FTZ))                                                              \
	H1(name##_f32x, float, float, SATURATE(name##_cut(x, ox)))                                                     \
	HSLOW(name##_f32r, float, float, float, float, ROUNDED(LANES_LOOP r[i] = SATURATE(name##_cut(x[i], ox))))
F32_1(rcp, 1.0f / x, cut_of(1.0f / x, UP / x, ox))
F32_1(sqrt, __builtin_sqrtf(x), __builtin_sqrtf(x))

#define NEGATED(v, bit) bits_f32(f32_bits(v) ^ ((ox & (bit)) ? 0x80000000u : 0))
H3(fma_f32, float, float, float, float, CANON(__builtin_fmaf(x, y, z)))
static inline float fma_cut(float x, float y, float z, uint32_t ox)
{
	x = FZ(x), y = FZ(y), z = FZ(z);
	return CANON(cut_of(__builtin_fmaf(x, y, z), __builtin_fmaf(x * UP, y, z * UP), ox));
}
static inline float fma_r(float x, float y, float z, uint32_t ox)
{
	return SATURATE(fma_cut(NEGATED(x, NEG_PRODUCT), y, NEGATED(z, NEG_C), ox));
}
H3(fma_f32z, float, float, float, float, fma_cut(x, y, z, FTZ))
H3(fnma_f32, float, float, float, float, CANON(__builtin_fmaf(-x, y, z)))
H3(fms_f32, float, float, float, float, CANON(__builtin_fmaf(x, y, -z)))
H3(fma_f32x, float, float, float, float, fma_r(x, y, z, ox))
HSLOW(fma_f32r, float, float, float, float, ROUNDED(LANES_LOOP r[i] = fma_r(x[i], y[i], z[i], ox)))

/* double: NaN payloads go through */
#define F64_2(name, e, slow)                                                                                           \
	H2(name##_f64, double, double, double, e)                                                                      \
	HSLOW(name##_f64r, double, double, double, double, ROUNDED(LANES_LOOP r[i] = slow))
F64_2(add, x + y, x[i] + y[i])
F64_2(sub, x - y, x[i] - y[i])
F64_2(rsub, y - x, y[i] - x[i])
F64_2(mul, x *y, x[i] * y[i])
F64_2(div, x / y, x[i] / y[i])
H1(rcp_f64, double, double, 1.0 / x)
HSLOW(rcp_f64r, double, double, double, double, ROUNDED(LANES_LOOP r[i] = 1.0 / x[i]))
H1(sqrt_f64, double, double, __builtin_sqrt(x))
HSLOW(sqrt_f64r, double, double, double, double, ROUNDED(LANES_LOOP r[i] = __builtin_sqrt(x[i])))
#define NEGATED64(v, bit) bits_f64(f64_bits(v) ^ ((ox & (bit)) ? 1ull << 63 : 0))
H3(fma_f64, double, double, double, double, __builtin_fma(x, y, z))
H3(fma_f64x, double, double, double, double, __builtin_fma(NEGATED64(x, NEG_PRODUCT), y, NEGATED64(z, NEG_C)))
HSLOW(fma_f64r, double, double, double, double,
      ROUNDED(LANES_LOOP r[i] = __builtin_fma(NEGATED64(x[i], NEG_PRODUCT), y[i], NEGATED64(z[i], NEG_C))))

/* pairs of floats are 64 lanes of one; op->x, op->sub as for F32 */
struct pair {
	float v[2];
};
#define PAIR_OP(name, e)                                                                                               \
	HSLOW(name##_f32x2, struct pair, struct pair, struct pair, struct pair,                                        \
	      ROUNDED(for (int i = 0; i < 32; i++) for (int k = 0; k < 2; k++) r[i].v[k] = e))
PAIR_OP(add, add_r(x[i].v[k], y[i].v[k], ox))
PAIR_OP(sub, sub_r(x[i].v[k], y[i].v[k], ox))
PAIR_OP(mul, mul_r(x[i].v[k], y[i].v[k], ox))
PAIR_OP(fma, fma_r(x[i].v[k], y[i].v[k], z[i].v[k], ox))

/* minimum and maximum: a number beats NaN, -0 < +0 */
static inline float min_f32_of(float x, float y)
{
	float r = x < y ? x : y;

	r = x == y ? bits_f32(f32_bits(x) | f32_bits(y)) : r;
	r = x != x ? y : r;
	return y != y ? x : r;
}
static inline float max_f32_of(float x, float y)
{
	float r = x > y ? x : y;

	r = x == y ? bits_f32(f32_bits(x) & f32_bits(y)) : r;
	r = x != x ? y : r;
	return y != y ? x : r;
}
static inline double min_f64_of(double x, double y)
{
	double r = x < y ? x : y;

	r = x == y ? bits_f64(f64_bits(x) | f64_bits(y)) : r;
	r = x != x ? y : r;
	return y != y ? x : r;
}
static inline double max_f64_of(double x, double y)
{
	double r = x > y ? x : y;

	r = x == y ? bits_f64(f64_bits(x) & f64_bits(y)) : r;
	r = x != x ? y : r;
	return y != y ? x : r;
}
H2(min_f32, float, float, float, CANON(min_f32_of(x, y)))
H2(max_f32, float, float, float, CANON(max_f32_of(x, y)))
H2(min_f64, double, double, double, min_f64_of(x, y))
H2(max_f64, double, double, double, max_f64_of(x, y))
static inline float minmax_r(float x, float y, uint32_t ox, bool min)
{
	uint32_t sign = (f32_bits(x) ^ f32_bits(y)) & 0x80000000;
	float v;

	x = FZ(x), y = FZ(y);
	if (ox & XORSIGN)
		x = __builtin_fabsf(x), y = __builtin_fabsf(y);
	v = min ? min_f32_of(x, y) : max_f32_of(x, y);
	if ((ox & NAN_WINS) && (x != x || y != y))
		v = bits_f32(0x7fffffff);
	if ((ox & XORSIGN) && v == v)
		v = bits_f32(f32_bits(v) | sign);
	return CANON(v);
}
HSLOW(min_f32x, float, float, float, float, LANES_LOOP r[i] = minmax_r(x[i], y[i], ox, true))
HSLOW(max_f32x, float, float, float, float, LANES_LOOP r[i] = minmax_r(x[i], y[i], ox, false))
H2(min_f32n, float, float, float, ({
	   float v = min_f32_of(x, y);
	   x == x &&y == y ? v : bits_f32(0x7fffffff);
   }))
H2(max_f32n, float, float, float, ({
	   float v = max_f32_of(x, y);
	   x == x &&y == y ? v : bits_f32(0x7fffffff);
   }))

H1(abs_f32, float, float, bits_f32(f32_bits(FZ(x)) & 0x7fffffff))
H1(neg_f32, float, float, bits_f32(f32_bits(FZ(x)) ^ 0x80000000))
H1(abs_f64, uint64_t, uint64_t, x & ~(1ull << 63))
H1(neg_f64, uint64_t, uint64_t, x ^ 1ull << 63)
H1(abs_f32x2, uint64_t, uint64_t, x & 0x7fffffff7fffffffull)
H1(neg_f32x2, uint64_t, uint64_t, x ^ 0x8000000080000000ull)
H2(copysign_f32, uint32_t, uint32_t, uint32_t, (y & 0x7fffffff) | (x & 0x80000000))
H2(copysign_f64, uint64_t, uint64_t, uint64_t, (y & ~(1ull << 63)) | (x & 1ull << 63))

/* approximations */
#define APPROX(name, e)                                                                                                \
	H1(name##_f32, float, float, ({                                                                                \
		   x = FZ(x);                                                                                          \
		   FZ(CANON(e));                                                                                       \
	   }))
APPROX(sin, approx_sin(x, 0))
APPROX(cos, approx_sin(x, 1))
APPROX(lg2, approx_lg2(x))
APPROX(ex2, approx_ex2(x))
APPROX(tanh, approx_tanh(x))
APPROX(rsqrt, approx_rsqrt(x))
H1(rsqrt_f64, double, double, 1.0 / __builtin_sqrt(x))
/* rcp.approx.ftz.f64 looks at the upper half alone, and gives an upper half */
#define UPPER(v) bits_f64(f64_bits(v) & 0xffffffff00000000ull)
#define FZ64(v)  (__builtin_fabs(v) < 0x1p-1022 ? bits_f64(f64_bits(v) & 1ull << 63) : (v))
#define UPPER_OUT(e)                                                                                                   \
	({                                                                                                             \
		double q_ = (e);                                                                                       \
		q_ = FZ64(q_);                                                                                         \
		q_ == q_ ? UPPER(q_) : bits_f64(0x7fffffff00000000ull);                                                \
	})
H1(rcp_f64a, double, double, ({
	   x = x == x ? UPPER(x) : x;
	   x = FZ64(x);
	   UPPER_OUT(1.0 / x);
   }))
H1(rsqrt_f64a, double, double, ({
	   x = x == x ? UPPER(x) : x;
	   x = FZ64(x);
	   UPPER_OUT(1.0 / __builtin_sqrt(x));
   }))

static uint32_t testp_lanes(const char *R, const struct pl_sm_op *op)
{
	uint32_t m = 0;

	for (int i = 0; i < 32; i++) {
		double v =
			op->type == PL_ISA_F32 ? (double)PL_SM_REG(const float, a)[i] : PL_SM_REG(const double, a)[i];
		double a = __builtin_fabs(v), tiny = op->type == PL_ISA_F32 ? 0x1p-126 : 0x1p-1022;
		bool finite = a <= __DBL_MAX__, normal = finite && (a >= tiny || a == 0);
		bool is[6] = { finite, a > __DBL_MAX__, v == v, v != v, normal, finite && a < tiny && a > 0 };
		m |= (uint32_t)is[op->sub % 6] << i;
	}
	return m;
}

static void testp_h(PL_SM_ARGS)
{
	uint32_t m = testp_lanes(R, op);

	if (op->d != PL_ISA_PT)
		w->frame.P[op->d] = (w->frame.P[op->d] & ~mask) | (m & mask);
	PL_SM_NEXT;
}

/* plain, flags, rounding: which of the three a modifier set wants */
#define PICK_F32(name)                                                                                                 \
	return set_handlers(op, f->round != PL_ISA_RN ? name##_f32r                                                    \
				: op->x == FTZ        ? name##_f32z                                                    \
				: op->x               ? name##_f32x                                                    \
						      : name##_f32)
#define PICK_F64(name) return set_handlers(op, f->round != PL_ISA_RN ? name##_f64r : name##_f64)
#define PICK_FLOAT(name)                                                                                               \
	do {                                                                                                           \
		if (f->type == PL_ISA_F32X2)                                                                           \
			return set_handlers(op, name##_f32x2);                                                         \
		if (f->type == PL_ISA_F32)                                                                             \
			PICK_F32(name);                                                                                \
		PICK_F64(name);                                                                                        \
	} while (0)

static bool bind_special(const struct pl_isa_fields *f, struct pl_sm_op *op, bool single)
{
	switch (f->op) {
	case PL_ISA_SIN:
		return set_handlers(op, sin_f32);
	case PL_ISA_COS:
		return set_handlers(op, cos_f32);
	case PL_ISA_LG2:
		return set_handlers(op, lg2_f32);
	case PL_ISA_EX2:
		return set_handlers(op, ex2_f32);
	case PL_ISA_TANH:
		return set_handlers(op, tanh_f32);
	case PL_ISA_RSQRT:
		return set_handlers(op, single ? rsqrt_f32 : f->sub & 1 && f->ftz ? rsqrt_f64a : rsqrt_f64);
	case PL_ISA_COPYSIGN:
		return set_handlers(op, single ? copysign_f32 : copysign_f64);
	case PL_ISA_TESTP:
		op->fn[0] = op->fn[1] = testp_h;
		return true;
	case PL_ISA_ABS:
		return set_handlers(op, single ? abs_f32 : f->type == PL_ISA_F64 ? abs_f64 : abs_f32x2);
	case PL_ISA_NEG:
		return set_handlers(op, single ? neg_f32 : f->type == PL_ISA_F64 ? neg_f64 : neg_f32x2);
	default:
		return false;
	}
}

static bool bind_fma(const struct pl_isa_fields *f, struct pl_sm_op *op, bool single)
{
	if (f->type == PL_ISA_F32X2)
		return set_handlers(op, fma_f32x2);
	if (!single)
		return set_handlers(op, f->round != PL_ISA_RN ? fma_f64r : op->x ? fma_f64x : fma_f64);
	if (f->round != PL_ISA_RN)
		return set_handlers(op, fma_f32r);
	switch (op->x) {
	case 0:
		return set_handlers(op, fma_f32);
	case FTZ:
		return set_handlers(op, fma_f32z);
	case NEG_PRODUCT:
		return set_handlers(op, fnma_f32);
	case NEG_C:
		return set_handlers(op, fms_f32);
	default:
		return set_handlers(op, fma_f32x);
	}
}

static bool bind_minmax(const struct pl_isa_fields *f, struct pl_sm_op *op, bool single)
{
	bool min = f->op == PL_ISA_MIN;

	if (!single)
		return f->type == PL_ISA_F64 && set_handlers(op, min ? min_f64 : max_f64);
	if (op->x == 0)
		return set_handlers(op, min ? min_f32 : max_f32);
	if (op->x == NAN_WINS)
		return set_handlers(op, min ? min_f32n : max_f32n);
	return set_handlers(op, min ? min_f32x : max_f32x);
}

bool V(pl_sm_bind_float)(const struct pl_isa_fields *f, struct pl_sm_op *op);
bool V(pl_sm_bind_float)(const struct pl_isa_fields *f, struct pl_sm_op *op)
{
	bool single = f->type == PL_ISA_F32;

	if (!single && f->type != PL_ISA_F64 && f->type != PL_ISA_F32X2)
		return false;
	op->x = (f->ftz ? FTZ : 0) | (f->sat ? SAT : 0) | (f->na ? NEG_PRODUCT : 0) | (f->nc ? NEG_C : 0);
	if (f->op == PL_ISA_MIN || f->op == PL_ISA_MAX) {
		op->x |= (f->sub & 1 ? NAN_WINS : 0) | (f->sub & 2 ? XORSIGN : 0);
		return bind_minmax(f, op, single);
	}
	if (f->op != PL_ISA_TESTP)
		op->sub = f->round;
	switch (f->op) {
	case PL_ISA_ADD:
		PICK_FLOAT(add);
	case PL_ISA_SUB:
		PICK_FLOAT(sub);
	case PL_ISA_MUL:
		PICK_FLOAT(mul);
	case PL_ISA_RSUB:
		if (single)
			PICK_F32(rsub);
		PICK_F64(rsub);
	case PL_ISA_DIV:
		if (single)
			PICK_F32(div);
		PICK_F64(div);
	case PL_ISA_RCP:
		if (single)
			PICK_F32(rcp);
		if (f->sub & 1)
			return set_handlers(op, rcp_f64a);
		PICK_F64(rcp);
	case PL_ISA_SQRT:
		if (single)
			PICK_F32(sqrt);
		PICK_F64(sqrt);
	case PL_ISA_FMA:
		return bind_fma(f, op, single);
	default:
		return bind_special(f, op, single);
	}
}
