/*
 * The approximations of single precision, without branches so that lane loops become vector code.  Errors stay within
 * what PTX states for the .approx forms (test-ops.c measures them).
 */
#ifndef PL_REFGPU_COMPUTE_APPROX_H
#define PL_REFGPU_COMPUTE_APPROX_H

#include "refgpu/compute/half.h"

/* sin (cos: quarter 1).  Three-part reduction by pi/2, good to about 2^17 quarters; beyond, the error grows with |x|.
 */
static inline float approx_sin(float x, int quarter)
{
	float k = __builtin_rintf(x * 0x1.45f306p-1f);
	float kk = __builtin_fabsf(k) < 0x1p30f ? k : 0.0f;
	double rd = (double)x - (double)kk * 0x1.921fb54442d18p0;
	float r = (float)rd, r2 = r * r;
	int32_t n = (int32_t)kk + quarter;
	float s = r + r * r2 * (-0x1.555546p-3f + r2 * (0x1.1107fp-7f + r2 * -0x1.9943f2p-13f));
	float c = 1.0f + r2 * (-0.5f + r2 * (0x1.55554ap-5f + r2 * (-0x1.6c0c1ep-10f + r2 * 0x1.99eb9cp-16f)));
	float v = n & 1 ? c : s;
	v = n & 2 ? -v : v;
	return x - x == 0 ? v : bits_f32(0x7fffffff);
}

/* 2^x; the polynomial is that of 2^f on -1/2..1/2 */
static inline float approx_ex2(float x)
{
	float low = x > -160.0f ? x : -160.0f, lim = low < 129.0f ? low : 129.0f; /* NaN: -160, then put back */
	float k = __builtin_rintf(lim), f = lim - k;
	int32_t n = (int32_t)k, half = n >> 1;
	float p = 0x1.430912p-13f;
	p = 0x1.5d87fep-10f + f * p;
	p = 0x1.3b2ab6p-7f + f * p;
	p = 0x1.c6b08ep-5f + f * p;
	p = 0x1.ebfbep-3f + f * p;
	p = 0x1.62e43p-1f + f * p;
	p = 1.0f + f * p;
	/* in two steps, so that small results round once and large ones overflow */
	p = p * bits_f32((uint32_t)(half + 127) << 23) * bits_f32((uint32_t)(n - half + 127) << 23);
	return x == x ? p : x;
}

static inline float approx_lg2(float x)
{
	/* subnormals are scaled up first */
	float scaled = x * 0x1p32f, up = __builtin_fabsf(x) < 0x1p-126f ? scaled : x;
	int32_t e = __builtin_fabsf(x) < 0x1p-126f ? -32 : 0;
	uint32_t u = f32_bits(up);
	int32_t shift = (int32_t)(u - 0x3f3504f3) >> 23; /* mantissa into sqrt(1/2)..sqrt(2) */
	float m = bits_f32(u - ((uint32_t)shift << 23)), t = (m - 1.0f) / (m + 1.0f), t2 = t * t;
	float p = t * (0x1.715476p1f +
		       t2 * (0x1.ec709ep-1f + t2 * (0x1.2776c6p-1f + t2 * (0x1.a61762p-2f + t2 * 0x1.484b14p-2f))));
	float r = (float)(shift + e) + p;
	r = x >= 0 ? r : bits_f32(0x7fffffff);
	r = x == 0 ? -__builtin_inff() : r;
	return x == __builtin_inff() ? x : r;
}

static inline float approx_tanh(float x)
{
	float a = __builtin_fabsf(x), lim = a < 20.0f ? a : 20.0f, a2 = x * x;
	float e = approx_ex2(lim * 0x1.715476p1f); /* exp(2a) */
	float large = 1.0f - 2.0f / (e + 1.0f);
	float small = a + a * a2 * (-0x1.555556p-2f + a2 * 0x1.111112p-3f);
	float v = a < 0.2f ? small : large;
	return x == x ? bits_f32(f32_bits(v) | (f32_bits(x) & 0x80000000)) : x;
}

static inline float approx_rsqrt(float x)
{
	return (float)(1.0 / __builtin_sqrt((double)x));
}

#endif
