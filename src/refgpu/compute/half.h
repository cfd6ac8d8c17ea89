/*
 * Half precision, bfloat16 and 8-bit floats, one lane at a time, without branches so that lane loops become vector
 * code.  All rounding to nearest even unless said.
 */
#ifndef PL_REFGPU_COMPUTE_HALF_H
#define PL_REFGPU_COMPUTE_HALF_H

#include <stdint.h>
#include <string.h>

static inline uint32_t f32_bits(float v)
{
	uint32_t u;
	memcpy(&u, &v, 4);
	return u;
}
static inline float bits_f32(uint32_t u)
{
	float v;
	memcpy(&v, &u, 4);
	return v;
}
static inline uint64_t f64_bits(double v)
{
	uint64_t u;
	memcpy(&u, &v, 8);
	return u;
}
static inline double bits_f64(uint64_t u)
{
	double v;
	memcpy(&v, &u, 8);
	return v;
}

static inline float f16_to_f32(uint16_t h)
{
	uint32_t sign = (uint32_t)(h & 0x8000) << 16, rest = h & 0x7fff;
	/* small and normal numbers by one exact product; infinity and NaN by their exponent */
	float v = bits_f32(rest << 13) * 0x1p112f;
	uint32_t u = rest >= 0x7c00 ? 0x7f800000 | (rest & 0x3ff) << 13 : f32_bits(v);
	return bits_f32(u | sign);
}

/* NaN becomes 0x7fff. */
static inline uint16_t f32_to_f16(float v)
{
	uint32_t u = f32_bits(v), sign = u >> 16 & 0x8000, rest = u & 0x7fffffff;
	uint32_t normal = (rest + 0xfff + (rest >> 13 & 1) - 0x38000000) >> 13;
	/* subnormal results: the sum's lowest bit is worth 2^-24 */
	uint32_t small = f32_bits(bits_f32(rest) + 0.5f) - 0x3f000000;
	uint32_t r = rest < 0x38800000 ? small : normal;
	r = rest >= 0x477ff000 ? 0x7c00 : r;
	r = rest > 0x7f800000 ? 0x7fff : r | sign;
	return (uint16_t)r;
}

/* Rounded once: what is not exact in float is made odd first. */
static inline float f64_to_f32_odd(double v)
{
	float f = (float)v;
	double back = f;
	uint32_t u = f32_bits(f);
	/* towards zero, then the lowest bit set where bits were lost */
	uint32_t down = __builtin_fabs(back) > __builtin_fabs(v) ? u - 1 : u;
	uint32_t odd = back == v ? u : down | 1;
	return bits_f32(v != v ? 0x7fffffff : odd);
}
static inline uint16_t f64_to_f16(double v)
{
	return f32_to_f16(f64_to_f32_odd(v));
}

static inline float bf16_to_f32(uint16_t h)
{
	return bits_f32((uint32_t)h << 16);
}
static inline uint16_t f32_to_bf16(float v)
{
	uint32_t u = f32_bits(v);
	uint32_t r = (u + 0x7fff + (u >> 16 & 1)) >> 16;
	return (uint16_t)((u & 0x7fffffff) > 0x7f800000 ? 0x7fff : r);
}
static inline uint16_t f64_to_bf16(double v)
{
	return f32_to_bf16(f64_to_f32_odd(v));
}

/* a * b + c of float-exact operands, as a double that rounds once more without harm: the sum is made odd. */
static inline double fma_odd(double a, double b, double c)
{
	double p = a * b, s = p + c;
	double t = s - p, e = (p - (s - t)) + (c - t);
	uint64_t u = f64_bits(s);
	/* e != 0: s is even and e says where the true value lies */
	uint64_t minus = f64_bits(e) >> 63 ^ f64_bits(s) >> 63; /* towards 0 */
	uint64_t toward = (u - minus) | 1;
	uint64_t finite = s - s == 0 ? 1 : 0, lost = e != 0 ? 1 : 0;
	return bits_f64(lost & finite & ~u & 1 ? toward : u);
}

static inline uint16_t f16_flush(uint16_t h)
{
	return (h & 0x7c00) ? h : h & 0x8000;
}

#endif
