/* Floating point: what the operations have to give.  Rounding modes by the host's own, everything else by hand. */
#include <fenv.h>
#include <math.h>
#include <string.h>

#include "refgpu/compute/cases.h"
#include "refgpu/compute/convert.h"

static float f(uint64_t u)
{
	uint32_t low = (uint32_t)u;
	float v;

	memcpy(&v, &low, 4);
	return v;
}
static double d(uint64_t u)
{
	double v;

	memcpy(&v, &u, 8);
	return v;
}
static uint64_t raw(double v)
{
	uint64_t u;

	memcpy(&u, &v, 8);
	return u;
}
static uint64_t f32(float v)
{
	uint32_t u;

	memcpy(&u, &v, 4);
	return v == v ? u : 0x7fffffff;
}
/* any NaN is as good as another in double precision */
static uint64_t f64(double v)
{
	return v == v ? raw(v) : 0x7ff8000000000000ull;
}
static float ftz(float v)
{
	return fabsf(v) < 0x1p-126f ? copysignf(0, v) : v;
}
/* Tiny is what 24 bits do not round up to 2^-126. */
static float fma_flushed(float x, float y, float z)
{
	float whole = (float)(fma((double)x, (double)y, (double)z) * 0x1p64), r = fmaf(x, y, z);

	return fabsf(whole) < 0x1p-62f ? copysignf(0, r) : r;
}
static float sat(float v)
{
	return v > 0 ? (v < 1 ? v : 1) : 0;
}

#define R(name, e)                                                                                                     \
	static uint64_t name(uint64_t a, uint64_t b, uint64_t c)                                                       \
	{                                                                                                              \
		volatile float x = f(a), y = f(b), z = f(c);                                                           \
		volatile double X = d(a), Y = d(b), Z = d(c);                                                          \
		(void)x, (void)y, (void)z, (void)X, (void)Y, (void)Z;                                                  \
		return e;                                                                                              \
	}
#define MODE(name, mode, e)                                                                                            \
	static uint64_t name(uint64_t a, uint64_t b, uint64_t c)                                                       \
	{                                                                                                              \
		volatile float x = f(a), y = f(b), z = f(c), r;                                                        \
		volatile double X = d(a), Y = d(b), Z = d(c), q;                                                       \
		(void)x, (void)y, (void)z, (void)X, (void)Y, (void)Z, (void)r, (void)q;                                \
		fesetround(mode);                                                                                      \
		e;                                                                                                     \
		fesetround(FE_TONEAREST);                                                                              \
		return out;                                                                                            \
	}
R(add, f32(x + y))
R(sub, f32(x - y))
R(rsub, f32(y - x))
R(mul, f32(x *y))
R(div_, f32(x / y))
R(rcp, f32(1 / x))
R(sqrt_, f32(sqrtf(x)))
R(fma_, f32(fmaf(x, y, z)))
R(fma_neg, f32(fmaf(-x, y, z)))
R(fma_ftz, f32(fma_flushed(ftz(x), ftz(y), -ftz(z))))
R(fma_ftz_plain, f32(fma_flushed(ftz(x), ftz(y), ftz(z))))
R(add_ftz, f32(ftz(ftz(x) + ftz(y))))
R(mul_sat, f32(sat(x *y)))
R(fma_sat, f32(sat(fmaf(x, y, z))))
#define OUT uint64_t out
MODE(add_rz, FE_TOWARDZERO, r = x + y; OUT = f32(r))
MODE(add_rm, FE_DOWNWARD, r = x + y; OUT = f32(r))
MODE(mul_rp, FE_UPWARD, r = x * y; OUT = f32(r))
MODE(fma_rz, FE_TOWARDZERO, r = fmaf(x, y, z); OUT = f32(r))
MODE(div_rm, FE_DOWNWARD, r = x / y; OUT = f32(r))
MODE(sqrt_rp, FE_UPWARD, r = sqrtf(x); OUT = f32(r))
MODE(rcp_rz, FE_TOWARDZERO, r = 1 / x; OUT = f32(r))
R(add64, f64(X + Y))
R(sub64, f64(X - Y))
R(mul64, f64(X *Y))
R(div64, f64(X / Y))
R(sqrt64, f64(sqrt(X)))
R(rcp64, f64(1 / X))
R(fma64, f64(fma(X, Y, Z)))
R(fma64_neg, f64(fma(-X, Y, -Z)))
MODE(add64_rp, FE_UPWARD, q = X + Y; OUT = f64(q))
MODE(mul64_rz, FE_TOWARDZERO, q = X * Y; OUT = f64(q))
MODE(fma64_rm, FE_DOWNWARD, q = fma(X, Y, Z); OUT = f64(q))
static double least(double x, double y)
{
	return x != x ? y : y != y ? x : x < y || (x == y && signbit(x)) ? x : y;
}
static double most(double x, double y)
{
	return x != x ? y : y != y ? x : x > y || (x == y && signbit(y)) ? x : y;
}
R(min_, f32((float)least(x, y)))
R(max_, f32((float)most(x, y)))
R(min_nan, x != x || y != y ? 0x7fffffff : f32((float)least(x, y)))
R(max64, f64(most(X, Y)))
R(abs_, (uint32_t)a & 0x7fffffff)
R(neg_, (uint32_t)a ^ 0x80000000)
R(neg64, a ^ 1ull << 63)
R(copysign_, (b & 0x7fffffff) | (a & 0x80000000))
R(lt, x < y)
R(ltu, !(x >= y))
R(ne, x<y || x> y)
R(neu, x != y)
R(equ, !(x < y || x > y))
R(nan_, x != x || y != y)
R(num_, x == x && y == y)
R(ge64, X >= Y)
R(gtu64, !(X <= Y))
R(lt_ftz, ftz(x) < ftz(y))
R(subnormal, fpclassify(x) == FP_SUBNORMAL)
R(finite_, isfinite(X))
R(normal, isnormal(x) || x == 0) /* as PTX has it */
/* bit 40: nothing is promised there */
R(sin_, fabsf(x) <= 100 ? f32((float)sin(x)) : 1ull << 40)
R(cos_, fabsf(x) <= 100 ? f32((float)cos(x)) : 1ull << 40)
R(ex2, f32((float)exp2(x)))
R(lg2, f32((float)log2(x)))
R(tanh_, f32((float)tanh(x)))
R(rsqrt, f32((float)(1 / sqrt(x))))

/* half precision through the general packing, which the conversions are tested with */
static double h(uint64_t u)
{
	return pl_sm_small_unpack((uint32_t)u & 0xffff, &pl_sm_f16);
}
static double bf(uint64_t u)
{
	return pl_sm_small_unpack((uint32_t)u & 0xffff, &pl_sm_bf16);
}
static uint64_t to_h(double v)
{
	return pl_sm_small_pack(v, &pl_sm_f16, PL_ISA_RN, false);
}
/* a sum of doubles that may be inexact, made odd by long double */
static double odd(long double v)
{
	double r = (double)v;

	if ((long double)r == v || r != r || isinf(r))
		return r;
	if (fabsl((long double)r) > fabsl(v))
		r = nextafter(r, 0);
	return d(raw(r) | 1);
}
static uint64_t to_bf(double v)
{
	return pl_sm_small_pack(v, &pl_sm_bf16, PL_ISA_RN, false);
}
R(h_add, to_h(h(a) + h(b)))
R(h_mul, to_h(h(a) * h(b)))
R(h_fma, to_h(odd((long double)h(a) * h(b) + h(c))))
R(h2_fma, to_h(odd((long double)h(a) * h(b) + h(c))) | to_h(odd((long double)h(a >> 16) * h(b >> 16) + h(c >> 16)))
							       << 16)
R(h2_sub, to_h(h(a) - h(b)) | to_h(h(a >> 16) - h(b >> 16)) << 16)
R(h_relu, to_h(({
	  double r_ = odd((long double)h(a) * h(b) + h(c));
	  r_ > 0 || r_ != r_ ? r_ : 0;
  })))
R(bf_add, to_bf(odd((long double)bf(a) + bf(b))))
R(bf2_mul, to_bf(bf(a) * bf(b)) | to_bf(bf(a >> 16) * bf(b >> 16)) << 16)
R(h_max, to_h(most(h(a), h(b))))
R(h_lt, h(a) < h(b))

const struct ops_case ops_float[] = {
	{ "add.f32 D4, A4, B4", add, 0 },
	{ "sub.f32 D4, A4, B4", sub, 0 },
	{ "rsub.f32 D4, A4, B4", rsub, 0 },
	{ "mul.f32 D4, A4, B4", mul, 0 },
	{ "div.f32 D4, A4, B4", div_, 0 },
	{ "rcp.f32 D4, A4", rcp, 0 },
	{ "sqrt.f32 D4, A4", sqrt_, 0 },
	{ "fma.f32 D4, A4, B4, C4", fma_, 0 },
	{ "fma.f32 D4, -A4, B4, C4", fma_neg, 0 },
	{ "fma.f32.ftz D4, A4, B4, -C4", fma_ftz, 0 },
	{ "add.f32.ftz D4, A4, B4", add_ftz, 0 },
	{ "fma.f32.ftz D4, A4, B4, C4", fma_ftz_plain, 0 },
	{ "mul.f32.sat D4, A4, B4", mul_sat, 0 },
	{ "fma.f32.sat D4, A4, B4, C4", fma_sat, 0 },
	{ "add.f32.rz D4, A4, B4", add_rz, 0 },
	{ "add.f32.rm D4, A4, B4", add_rm, 0 },
	{ "mul.f32.rp D4, A4, B4", mul_rp, 0 },
	{ "fma.f32.rz D4, A4, B4, C4", fma_rz, 0 },
	{ "div.f32.rm D4, A4, B4", div_rm, 0 },
	{ "sqrt.f32.rp D4, A4", sqrt_rp, 0 },
	{ "rcp.f32.rz D4, A4", rcp_rz, 0 },
	{ "add.f64 D8, A8, B8", add64, 0 },
	{ "sub.f64 D8, A8, B8", sub64, 0 },
	{ "mul.f64 D8, A8, B8", mul64, 0 },
	{ "div.f64 D8, A8, B8", div64, 0 },
	{ "sqrt.f64 D8, A8", sqrt64, 0 },
	{ "rcp.f64 D8, A8", rcp64, 0 },
	{ "fma.f64 D8, A8, B8, C8", fma64, 0 },
	{ "fma.f64 D8, -A8, B8, -C8", fma64_neg, 0 },
	{ "add.f64.rp D8, A8, B8", add64_rp, 0 },
	{ "mul.f64.rz D8, A8, B8", mul64_rz, 0 },
	{ "fma.f64.rm D8, A8, B8, C8", fma64_rm, 0 },
	{ "min.f32 D4, A4, B4", min_, 0 },
	{ "max.f32 D4, A4, B4", max_, 0 },
	{ "min.f32.sub1 D4, A4, B4", min_nan, 0 },
	{ "max.f64 D8, A8, B8", max64, 0 },
	{ "abs.f32 D4, A4", abs_, 0 },
	{ "neg.f32 D4, A4", neg_, 0 },
	{ "neg.f64 D8, A8", neg64, 0 },
	{ "copysign.f32 D4, A4, B4", copysign_, 0 },
	{ "setp.f32.lt DP, A4, B4, PT", lt, 0 },
	{ "setp.f32.ltu DP, A4, B4, PT", ltu, 0 },
	{ "setp.f32.ne DP, A4, B4, PT", ne, 0 },
	{ "setp.f32.neu DP, A4, B4, PT", neu, 0 },
	{ "setp.f32.equ DP, A4, B4, PT", equ, 0 },
	{ "setp.f32.nan DP, A4, B4, PT", nan_, 0 },
	{ "setp.f32.num DP, A4, B4, PT", num_, 0 },
	{ "setp.f64.ge DP, A8, B8, PT", ge64, 0 },
	{ "setp.f64.gtu DP, A8, B8, PT", gtu64, 0 },
	{ "setp.f32.lt.ftz DP, A4, B4, PT", lt_ftz, 0 },
	{ "testp.f32.sub5 DP, A4", subnormal, 0 },
	{ "testp.f64 DP, A8", finite_, 0 },
	{ "testp.f32.sub4 DP, A4", normal, 0 },
	{ "sin.f32 D4, A4", sin_, 0x1p-20 },
	{ "cos.f32 D4, A4", cos_, 0x1p-20 },
	{ "ex2.f32 D4, A4", ex2, 0x1p-21 },
	{ "lg2.f32 D4, A4", lg2, 0x1p-21 },
	{ "tanh.f32 D4, A4", tanh_, 0x1p-11 },
	{ "rsqrt.f32 D4, A4", rsqrt, 0x1p-22 },
	{ "add.f16 D4, A4, B4", h_add, 0 },
	{ "mul.f16 D4, A4, B4", h_mul, 0 },
	{ "fma.f16 D4, A4, B4, C4", h_fma, 0 },
	{ "fma.f16x2 D4, A4, B4, C4", h2_fma, 0 },
	{ "sub.f16x2 D4, A4, B4", h2_sub, 0 },
	{ "fma.f16.sub4 D4, A4, B4, C4", h_relu, 0 },
	{ "add.bf16 D4, A4, B4", bf_add, 0 },
	{ "mul.bf16x2 D4, A4, B4", bf2_mul, 0 },
	{ "max.f16 D4, A4, B4", h_max, 0 },
	{ "setp.f16.lt DP, A4, B4, PT", h_lt, 0 },
};
const unsigned ops_float_count = sizeof(ops_float) / sizeof(*ops_float);

/* -- conversions -- */

static uint64_t to_int(double v, int mode, double low, double high, uint64_t nan)
{
	double r;

	if (v != v)
		return nan;
	fesetround(mode);
	r = nearbyint(v);
	fesetround(FE_TONEAREST);
	return r <= low    ? (uint64_t)(int64_t)low
	       : r >= high ? (high > 0x1p62 ? (low < 0 ? INT64_MAX : UINT64_MAX) : (uint64_t)high)
	       : r < 0     ? (uint64_t)(int64_t)r
			   : (uint64_t)r;
}
MODE(s32_f32_rm, FE_DOWNWARD, r = (float)(int32_t)a; OUT = f32(r))
MODE(u64_f32_rz, FE_TOWARDZERO, r = (float)a; OUT = f32(r))
MODE(s64_f64_rp, FE_UPWARD, q = (double)(int64_t)a; OUT = f64(q))
MODE(f64_f32_rz, FE_TOWARDZERO, r = (float)X; OUT = f32(r))
MODE(f64_f32_rp, FE_UPWARD, r = (float)X; OUT = f32(r))
R(u8_s32, (uint8_t)a)
R(s8_s32, (uint32_t)(int8_t)a)
R(s16_s64, (uint32_t)(int16_t)a)
R(s64_s32, (uint64_t)(int64_t)(int32_t)a)
R(u64_u32, (uint32_t)a)
R(u32_u64, a)
R(u8_s32_sat, (int32_t)a<0 ? 0 : (int32_t)a> 255 ? 255 : a)
R(s8_s32_sat, (uint32_t)((int32_t)a<-128 ? -128 : (int32_t)a> 127 ? 127 : (int32_t)a))
R(s32_u64_sat, a > INT32_MAX ? INT32_MAX : a)
R(f32_s32, f32((float)(int32_t)a))
R(f32_u32, f32((float)(uint32_t)a))
R(f32_u64, f32((float)a))
R(f64_s64, f64((double)(int64_t)a))
R(f64_u32, f64((double)(uint32_t)a))
R(s32_f32_rz, to_int(x, FE_TOWARDZERO, INT32_MIN, INT32_MAX, 0))
R(s32_f32_rn, to_int(x, FE_TONEAREST, INT32_MIN, INT32_MAX, 0))
R(u32_f32_rp, to_int(x, FE_UPWARD, 0, UINT32_MAX, 0))
R(s64_f32_rz, to_int(x, FE_TOWARDZERO, -0x1p63, 0x1p63, 1ull << 63))
R(u64_f64_rm, to_int(X, FE_DOWNWARD, 0, 0x1p64, 1ull << 63))
R(s32_f64_rm, to_int(X, FE_DOWNWARD, INT32_MIN, INT32_MAX, 1ull << 31))
R(s16_f32_rz, (uint32_t)(int16_t)to_int(x, FE_TOWARDZERO, INT16_MIN, INT16_MAX, 0))
R(u8_f32_rn, to_int(x, FE_TONEAREST, 0, 255, 0))
R(f64_f32, f64(x))
R(f32_f64, f32((float)X))
R(f32_floor, f32(floorf(x)))
R(f64_rint, f64(rint(X)))
R(f32_sat, f32(sat(x)))
R(f32_f16, f32((float)h(a)))
R(f32_bf16, f32((float)bf(a)))
/* straight from the definition: of the two neighbours, the nearer one, or the even one */
static uint64_t nearest_half(double v)
{
	uint32_t best = 0;
	double best_off = INFINITY;

	if (v != v)
		return 0x7fff;
	if (fabs(v) >= 65520)
		return signbit(v) ? 0xfc00 : 0x7c00;
	for (uint32_t low = 0, high = 0x7bff; low <= high;) { /* the last half not above |v|, then its neighbour */
		uint32_t middle = (low + high) / 2;

		if (pl_sm_small_unpack(middle, &pl_sm_f16) <= fabs(v))
			best = middle, low = middle + 1;
		else
			high = middle - 1;
		if (high == UINT32_MAX)
			break;
	}
	best_off = fabs(v) - pl_sm_small_unpack(best, &pl_sm_f16);
	if (best < 0x7bff) {
		double up = pl_sm_small_unpack(best + 1, &pl_sm_f16) - fabs(v);
		if (up < best_off || (up == best_off && best & 1))
			best++;
	}
	return best | (signbit(v) ? 0x8000 : 0);
}
R(f16_f32, nearest_half(x))
R(f16_s32, nearest_half((int32_t)a))
R(bf16_f32, x != x ? 0x7fff : (a + 0x7fff + (a >> 16 & 1)) >> 16)
R(h2_pack, nearest_half(y) | nearest_half(x) << 16)
R(tf32, x - x != 0 ? a & 0xffffe000 : (((a & 0x7fffffff) + 0x1000) & 0xffffe000) | (a & 0x80000000))
R(pack16, ((uint32_t)((int32_t)a < -32768  ? -32768
		      : (int32_t)a > 32767 ? 32767
					   : (int32_t)a)
	   << 16) |
		  ((uint32_t)((int32_t)b < -32768  ? -32768
			      : (int32_t)b > 32767 ? 32767
						   : (int32_t)b) &
		   0xffff))
static double e4m3(uint64_t u)
{
	int e = u >> 3 & 15, m = u & 7;
	double v = e == 15 && m == 7 ? NAN : e ? ldexp(8 + m, e - 10) : ldexp(m, -9);

	return u & 128 ? -v : v;
}
/* 4 and 6 bits: all of them are numbers. */
static double tiny(uint64_t u, int ebits, int mbits)
{
	int bias = (1 << (ebits - 1)) - 1, e = (int)(u >> mbits) & ((1 << ebits) - 1), m = (int)u & ((1 << mbits) - 1);
	double v = e ? ldexp((1 << mbits) + m, e - bias - mbits) : ldexp(m, 1 - bias - mbits);

	return u >> (ebits + mbits) & 1 ? -v : v;
}

static uint64_t nearest_tiny(double v, int ebits, int mbits)
{
	uint64_t best = (1u << (ebits + mbits)) - 1;

	if (v != v)
		return best;
	for (uint64_t u = fabs(v) < tiny(best, ebits, mbits) ? best : 0;
	     u-- > 0;) { /* down: a tie goes to the even one */
		double off = fabs(fabs(v) - tiny(u, ebits, mbits)), had = fabs(fabs(v) - tiny(best, ebits, mbits));

		if (off < had || (off == had && !(u & 1)))
			best = u;
	}
	return best | (uint64_t)(signbit(v) != 0) << (ebits + mbits);
}
R(h2_e2m3, nearest_half(tiny(a, 2, 3)) | nearest_half(tiny(a >> 8, 2, 3)) << 16)
R(h2_e2m1, nearest_half(tiny(a, 2, 1)) | nearest_half(tiny(a >> 4, 2, 1)) << 16)
R(e2m3_pack, nearest_tiny(y, 2, 3) | nearest_tiny(x, 2, 3) << 8)
R(e3m2_pack, nearest_tiny(y, 3, 2) | nearest_tiny(x, 3, 2) << 8)
R(e2m1_pack, nearest_tiny(y, 2, 1) | nearest_tiny(x, 2, 1) << 4)
static uint64_t scale_below(uint64_t u)
{
	return (u & 0x7fffffff) > 0x7f800000 ? 0xff : (u >> 23 & 0xff) == 0xff ? 0xfe : u >> 23 & 0xff;
}
R(scale_rz, scale_below(b) | scale_below(a) << 8)
R(bf2_scale, ((a & 0xff) == 0xff   ? 0x7fff
	      : (a & 0xff) == 0x00 ? 0x40
				   : (a & 0xff) << 7) |
		     ((a >> 8 & 0xff) == 0xff   ? 0x7fff0000
		      : (a >> 8 & 0xff) == 0x00 ? 0x400000
						: (a >> 8 & 0xff) << 23))
R(h2_e4m3, nearest_half(e4m3(a & 255)) | nearest_half(e4m3(a >> 8 & 255)) << 16)

const struct ops_case ops_convert[] = {
	{ "cvt.u8.s32 D4, A4", u8_s32, 0 },
	{ "cvt.s8.s32 D4, A4", s8_s32, 0 },
	{ "cvt.s16.s64 D4, A8", s16_s64, 0 },
	{ "cvt.s64.s32 D8, A4", s64_s32, 0 },
	{ "cvt.u64.u32 D8, A4", u64_u32, 0 },
	{ "cvt.u32.u64 D4, A8", u32_u64, 0 },
	{ "cvt.u8.s32.sat D4, A4", u8_s32_sat, 0 },
	{ "cvt.s8.s32.sat D4, A4", s8_s32_sat, 0 },
	{ "cvt.s32.u64.sat D4, A8", s32_u64_sat, 0 },
	{ "cvt.f32.s32 D4, A4", f32_s32, 0 },
	{ "cvt.f32.u32 D4, A4", f32_u32, 0 },
	{ "cvt.f32.u64 D4, A8", f32_u64, 0 },
	{ "cvt.f64.s64 D8, A8", f64_s64, 0 },
	{ "cvt.f64.u32 D8, A4", f64_u32, 0 },
	{ "cvt.f32.s32.rm D4, A4", s32_f32_rm, 0 },
	{ "cvt.f32.u64.rz D4, A8", u64_f32_rz, 0 },
	{ "cvt.f64.s64.rp D8, A8", s64_f64_rp, 0 },
	{ "cvt.f32.f64.rz D4, A8", f64_f32_rz, 0 },
	{ "cvt.f32.f64.rp D4, A8", f64_f32_rp, 0 },
	{ "cvt.s32.f32.rz D4, A4", s32_f32_rz, 0 },
	{ "cvt.s32.f32 D4, A4", s32_f32_rn, 0 },
	{ "cvt.u32.f32.rp D4, A4", u32_f32_rp, 0 },
	{ "cvt.s64.f32.rz D8, A4", s64_f32_rz, 0 },
	{ "cvt.u64.f64.rm D8, A8", u64_f64_rm, 0 },
	{ "cvt.s32.f64.rm D4, A8", s32_f64_rm, 0 },
	{ "cvt.s16.f32.rz D4, A4", s16_f32_rz, 0 },
	{ "cvt.u8.f32 D4, A4", u8_f32_rn, 0 },
	{ "cvt.f64.f32 D8, A4", f64_f32, 0 },
	{ "cvt.f32.f64 D4, A8", f32_f64, 0 },
	{ "cvt.f32.f32.rm.sub4 D4, A4", f32_floor, 0 },
	{ "cvt.f64.f64.sub4 D8, A8", f64_rint, 0 },
	{ "cvt.f32.f32.sat D4, A4", f32_sat, 0 },
	{ "cvt.f32.f16 D4, A4", f32_f16, 0 },
	{ "cvt.f32.bf16 D4, A4", f32_bf16, 0 },
	{ "cvt.f16.f32 D4, A4", f16_f32, 0 },
	{ "cvt.f16.s32 D4, A4", f16_s32, 0 },
	{ "cvt.bf16.f32 D4, A4", bf16_f32, 0 },
	{ "cvt2.f16x2.f32 D4, A4, B4", h2_pack, 0 },
	{ "cvt.tf32.f32.rna D4, A4", tf32, 0 },
	{ "cvtpack.s16.sat D4, A4, B4, C4", pack16, 0 },
	{ "cvt.f16x2.e4m3x2 D4, A4", h2_e4m3, 0 },
	{ "cvt.f16x2.e2m3x2 D4, A4", h2_e2m3, 0 },
	{ "cvt.f16x2.e2m1x2 D4, A4", h2_e2m1, 0 },
	{ "cvt.bf16x2.ue8m0x2 D4, A4", bf2_scale, 0 },
	{ "cvt2.e2m3x2.f32.sub2 D4, A4, B4", e2m3_pack, 0 },
	{ "cvt2.e3m2x2.f32.sub2 D4, A4, B4", e3m2_pack, 0 },
	{ "cvt2.e2m1x2.f32.sub2 D4, A4, B4", e2m1_pack, 0 },
	{ "cvt2.ue8m0x2.f32.rz.sub2 D4, A4, B4", scale_rz, 0 },
};
const unsigned ops_convert_count = sizeof(ops_convert) / sizeof(*ops_convert);
