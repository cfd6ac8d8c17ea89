/* SPDX-License-Identifier: Apache-2.0 */
/* The software floats against the host's, in every rounding mode that it has. */
#include "ptx.h"

#include <assert.h>
#include <fenv.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define ROUNDS 100000

static const int modes[] = {
	[SF_NEAREST] = FE_TONEAREST, [SF_ZERO] = FE_TOWARDZERO, [SF_DOWN] = FE_DOWNWARD, [SF_UP] = FE_UPWARD
};

static uint64_t next(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	return *state = x ^ x << 17;
}

static uint64_t bits_of(double d)
{
	uint64_t bits;

	memcpy(&bits, &d, sizeof(bits));
	return bits;
}

static uint64_t single_of(float f)
{
	uint32_t bits;

	memcpy(&bits, &f, sizeof(bits));
	return bits;
}

static void same(const struct sf_format *f, uint64_t is, uint64_t should, const char *what)
{
	if (is == should || (sf_is_nan(f, is) && sf_is_nan(f, should)))
		return;
	printf("%s: %llx, not %llx\n", what, (unsigned long long)is, (unsigned long long)should);
	assert(!"the host's result");
}

/* Any bits, or near 1, or subnormal. */
static double operand(uint64_t *state, unsigned kind)
{
	uint64_t bits = next(state);
	double d;

	if (kind & 1)
		bits = (bits & ~((uint64_t)0x7ff << 52)) | (uint64_t)(993 + bits % 60) << 52;
	if (kind % 16 == 2)
		bits &= ~((uint64_t)0x7ff << 52);
	memcpy(&d, &bits, sizeof(d));
	return d;
}

static void doubles_compare(enum sf_round round, double a, double b, double c)
{
	volatile double x = a, y = b, z = c, r[5];
	struct sf p = sf_from_double(a), q = sf_from_double(b), s = sf_from_double(c);

	fesetround(modes[round]);
	r[0] = x + y;
	r[1] = x * y;
	r[2] = x / y;
	r[3] = sqrt(x);
	r[4] = fma(x, y, z);
	fesetround(FE_TONEAREST);
	same(&sf_f64, sf_pack(&sf_f64, sf_add(p, q, round), round, 0), bits_of(r[0]), "add");
	same(&sf_f64, sf_pack(&sf_f64, sf_mul(p, q), round, 0), bits_of(r[1]), "mul");
	same(&sf_f64, sf_pack(&sf_f64, sf_div(p, q), round, 0), bits_of(r[2]), "div");
	same(&sf_f64, sf_pack(&sf_f64, sf_sqrt(p), round, 0), bits_of(r[3]), "sqrt");
	same(&sf_f64, sf_pack(&sf_f64, sf_add(sf_mul(p, q), s, round), round, 0), bits_of(r[4]), "fma");
}

static void singles_compare(enum sf_round round, double a, double b, double c)
{
	volatile double wide = a;
	volatile float x = (float)a, y = (float)b, z = (float)c, r[4];
	struct sf p = sf_from_double(x), q = sf_from_double(y), s = sf_from_double(z);

	fesetround(modes[round]);
	r[0] = (float)wide;
	r[1] = x / y;
	r[2] = sqrtf(x);
	r[3] = fmaf(x, y, z);
	fesetround(FE_TONEAREST);
	same(&sf_f32, sf_pack(&sf_f32, sf_from_double(a), round, 0), single_of(r[0]), "cvt");
	same(&sf_f32, sf_pack(&sf_f32, sf_div(p, q), round, 0), single_of(r[1]), "div.f32");
	same(&sf_f32, sf_pack(&sf_f32, sf_sqrt(p), round, 0), single_of(r[2]), "sqrt.f32");
	same(&sf_f32, sf_pack(&sf_f32, sf_add(sf_mul(p, q), s, round), round, 0), single_of(r[3]), "fma.f32");
}

static void test_arithmetic_is_the_hosts(void)
{
	uint64_t state = 88172645463325252u;

	for (unsigned i = 0; i < ROUNDS; i++) {
		double a = operand(&state, i), b = operand(&state, i >> 1), c = operand(&state, i >> 2);

		doubles_compare((enum sf_round)(i % 4), a, b, c);
		singles_compare((enum sf_round)(i % 4), a, b, c);
	}
}

static void test_integers_are_the_hosts(void)
{
	uint64_t state = 1234567;

	for (unsigned i = 0; i < ROUNDS; i++) {
		int64_t whole = (int64_t)next(&state) >> (i % 64);
		double d = (double)(int64_t)next(&state) / (double)((uint64_t)1 << (i % 63));
		struct sf s = sf_from_int(whole < 0 ? -(uint64_t)whole : (uint64_t)whole, whole < 0);

		assert(sf_pack(&sf_f64, s, SF_NEAREST, 0) == bits_of((double)whole));
		assert(sf_to_int(s, 64, true, 0) == (uint64_t)whole);
		assert(sf_to_double(sf_integral(sf_from_double(d), SF_NEAREST)) == nearbyint(d));
		assert(sf_to_double(sf_integral(sf_from_double(d), SF_DOWN)) == floor(d));
		assert(sf_to_double(sf_integral(sf_from_double(d), SF_AWAY)) == round(d));
	}
	assert(sf_to_int(sf_from_double(-1), 8, false, 0) == 0);
	assert(sf_to_int(sf_from_double(1e30), 16, true, 0) == 0x7fff);
	assert(sf_to_int(sf_from_double(-1e30), 16, true, 0) == 0x8000);
}

static void test_small_formats_end_where_they_should(void)
{
	assert(sf_pack(&sf_f16, sf_from_double(65519), SF_NEAREST, 0) == 0x7bff);
	assert(sf_pack(&sf_f16, sf_from_double(65520), SF_NEAREST, 0) == 0x7c00);
	assert(sf_pack(&sf_f16, sf_from_double(0x1p-25), SF_NEAREST, 0) == 0);
	assert(sf_pack(&sf_f16, sf_from_double(-0x1.8p-25), SF_NEAREST, 0) == 0x8001);
	assert(sf_pack(&sf_f16, sf_from_double(0x1p-20), SF_NEAREST, SF_FTZ) == 0);
	assert(sf_pack(&sf_e4m3, sf_from_double(448), SF_NEAREST, SF_SATFINITE) == 0x7e);
	assert(sf_pack(&sf_e4m3, sf_from_double(1e9), SF_NEAREST, SF_SATFINITE) == 0x7e);
	assert(sf_pack(&sf_e4m3, sf_from_double(NAN), SF_NEAREST, SF_SATFINITE) == 0x7f);
	assert(sf_pack(&sf_e5m2, sf_from_double(-INFINITY), SF_NEAREST, SF_SATFINITE) == 0xfb);
	assert(sf_pack(&sf_f32, sf_from_double(NAN), SF_NEAREST, SF_SAT) == 0);
	assert(sf_pack(&sf_f32, sf_from_double(1.5), SF_NEAREST, SF_SAT) == 0x3f800000);
	assert(sf_pack(&sf_f32, sf_from_double(-0.0), SF_NEAREST, SF_RELU) == 0);
}

/* What an H100 and x86's FTZ agree on: tiny is what 24 bits do not round up to the least normal number. */
static void test_flushing_looks_at_the_result_of_full_precision(void)
{
	const double least = 0x1p-126;

	assert(sf_pack(&sf_f32, sf_from_double(least * (1 - 0x1p-24)), SF_NEAREST, 0) == 0x00800000);
	assert(sf_pack(&sf_f32, sf_from_double(least * (1 - 0x1p-24)), SF_NEAREST, SF_FTZ) == 0);
	assert(sf_pack(&sf_f32, sf_from_double(least * (1 - 0x1p-25)), SF_NEAREST, SF_FTZ) == 0x00800000);
	assert(sf_pack(&sf_f32, sf_from_double(least * (1 - 0x1p-25)), SF_ZERO, SF_FTZ) == 0);
	assert(sf_pack(&sf_f32, sf_from_double(-least * (1 - 0x1p-30)), SF_UP, SF_FTZ) == 0x80000000);
	assert(sf_pack(&sf_f32, sf_from_double(-least * (1 - 0x1p-30)), SF_DOWN, SF_FTZ) == 0x80800000);
	assert(sf_pack(&sf_f32, sf_from_double(least / 2), SF_UP, SF_FTZ) == 0);
	assert(sf_pack(&sf_f16, sf_from_double(0x1p-14 - 0x1p-25), SF_NEAREST, SF_FTZ) == 0);
	assert(sf_pack(&sf_f16, sf_from_double(0x1p-14 - 0x1p-26), SF_NEAREST, SF_FTZ) == 0x0400);
}

int main(void)
{
	test_arithmetic_is_the_hosts();
	test_integers_are_the_hosts();
	test_small_formats_end_where_they_should();
	test_flushing_looks_at_the_result_of_full_precision();
	return 0;
}
