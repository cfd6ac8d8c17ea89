/* SPDX-License-Identifier: Apache-2.0 */
#include "soft.h"

#include <string.h>

typedef unsigned __int128 u128;

#define TOP 125

const struct sf_format sf_f16 = { 5, 10, false, false }, sf_bf16 = { 8, 7, false, false },
		       sf_f32 = { 8, 23, false, false }, sf_f64 = { 11, 52, false, false },
		       sf_tf32 = { 8, 10, false, false }, sf_e4m3 = { 4, 3, true, false },
		       sf_e5m2 = { 5, 2, false, false }, sf_e2m3 = { 2, 3, true, true }, sf_e3m2 = { 3, 2, true, true },
		       sf_e2m1 = { 2, 1, true, true };

static int bias_of(const struct sf_format *f)
{
	return (1 << (f->exp_bits - 1)) - 1;
}

static int width_of(const struct sf_format *f)
{
	return 1 + f->exp_bits + f->man_bits;
}

static u128 shift_jam(u128 value, int by)
{
	if (by <= 0)
		return value;
	if (by > 127)
		return value != 0;
	return value >> by | ((value & (((u128)1 << by) - 1)) != 0);
}

static struct sf normal(bool neg, int exp, u128 man)
{
	struct sf r = { SF_FINITE, neg, exp, man };

	if (!man)
		return (struct sf){ SF_NOUGHT, neg, 0, 0 };
	while (r.man >> (TOP + 1)) {
		r.man = shift_jam(r.man, 1);
		r.exp++;
	}
	while (!(r.man >> TOP)) {
		r.man <<= 1;
		r.exp--;
	}
	return r;
}

static struct sf not_a_number(void)
{
	return (struct sf){ SF_NAN, false, 0, 0 };
}

uint64_t sf_nan(const struct sf_format *f)
{
	return ((uint64_t)1 << (width_of(f) - 1)) - 1;
}

static uint64_t magnitude_of(const struct sf_format *f, uint64_t bits)
{
	return bits & sf_nan(f);
}

bool sf_is_nan(const struct sf_format *f, uint64_t bits)
{
	uint64_t infinity = (((uint64_t)1 << f->exp_bits) - 1) << f->man_bits;

	if (f->no_nan)
		return false;
	return f->finite_only ? magnitude_of(f, bits) == sf_nan(f) : magnitude_of(f, bits) > infinity;
}

struct sf sf_unpack(const struct sf_format *f, uint64_t bits, unsigned flags)
{
	bool neg = bits >> (width_of(f) - 1) & 1;
	uint64_t exp_max = ((uint64_t)1 << f->exp_bits) - 1;
	uint64_t exp = bits >> f->man_bits & exp_max, man = bits & (((uint64_t)1 << f->man_bits) - 1);

	if (sf_is_nan(f, bits))
		return (struct sf){ SF_NAN, neg, 0, 0 };
	if (exp == exp_max && !f->finite_only)
		return (struct sf){ SF_INFINITE, neg, 0, 0 };
	if (!exp && (!man || flags & SF_FTZ))
		return (struct sf){ SF_NOUGHT, neg, 0, 0 };
	if (!exp)
		return normal(neg, 1 - bias_of(f), (u128)man << (TOP - f->man_bits));
	return normal(neg, (int)exp - bias_of(f), ((u128)man | (u128)1 << f->man_bits) << (TOP - f->man_bits));
}

/* Whether the digits dropped from man (DROP of them) make it one larger. */
static bool rounds_up(u128 kept, u128 rest, int drop, bool neg, enum sf_round round)
{
	u128 half = drop > 127 ? 0 : (u128)1 << (drop - 1);

	switch (round) {
	case SF_NEAREST:
		return drop <= 127 && (rest > half || (rest == half && kept & 1));
	case SF_AWAY:
		return drop <= 127 && rest >= half;
	case SF_DOWN:
		return neg && rest;
	case SF_UP:
		return !neg && rest;
	case SF_ZERO:
		break;
	}
	return false;
}

static u128 drop_digits(u128 man, int drop, bool neg, enum sf_round round)
{
	u128 kept, rest;

	if (drop <= 0)
		return man << -drop;
	kept = drop > 127 ? 0 : man >> drop;
	rest = drop > 127 ? man : man & (((u128)1 << drop) - 1);
	return kept + rounds_up(kept, rest, drop, neg, round);
}

static uint64_t overflow(const struct sf_format *f, bool neg, enum sf_round round, unsigned flags)
{
	uint64_t infinity = (((uint64_t)1 << f->exp_bits) - 1) << f->man_bits;
	uint64_t largest = f->no_nan ? sf_nan(f) : f->finite_only ? sf_nan(f) - 1 : infinity - 1;
	bool finite = round == SF_ZERO || (round == SF_DOWN && !neg) || (round == SF_UP && neg);

	return finite || f->finite_only || flags & SF_SATFINITE ? largest : infinity;
}

uint64_t sf_pack(const struct sf_format *f, struct sf v, enum sf_round round, unsigned flags)
{
	const struct sf one = { SF_FINITE, false, 0, (u128)1 << TOP };
	uint64_t sign = (uint64_t)v.neg << (width_of(f) - 1), bits, top;
	int least = 1 - bias_of(f), drop = TOP - f->man_bits;

	if (v.class == SF_NAN)
		return flags & SF_SAT ? 0 : sf_nan(f);
	if (v.neg && flags & (SF_SAT | SF_RELU))
		return 0;
	if (flags & SF_SAT && sf_compare(v, one) > 0)
		v = one;
	if (v.class == SF_NOUGHT)
		return sign;
	if (v.class == SF_INFINITE)
		return sign | overflow(f, v.neg, SF_NEAREST, flags);
	top = overflow(f, v.neg, SF_ZERO, SF_SATFINITE);
	if (v.exp > bias_of(f) + 1)
		return sign | overflow(f, v.neg, round, flags);
	if (v.exp < least && flags & SF_FTZ) {
		/* Tiny is what stays below the least normal number when it is rounded as if exponents had no end. */
		if (v.exp < least - 1 || drop_digits(v.man, drop, v.neg, round) >> f->man_bits < 2)
			return sign;
		bits = (uint64_t)1 << f->man_bits;
	} else if (v.exp < least) {
		bits = (uint64_t)drop_digits(v.man, drop + least - v.exp, v.neg, round);
	} else {
		bits = ((uint64_t)(v.exp - least) << f->man_bits) + (uint64_t)drop_digits(v.man, drop, v.neg, round);
	}
	return sign | (bits > top ? overflow(f, v.neg, round, flags) : bits);
}

struct sf sf_negate(struct sf a)
{
	a.neg = !a.neg;
	return a;
}

struct sf sf_add(struct sf a, struct sf b, enum sf_round round)
{
	if (a.class == SF_NAN || b.class == SF_NAN)
		return not_a_number();
	if (a.class == SF_INFINITE || b.class == SF_INFINITE) {
		if (a.class == b.class && a.neg != b.neg)
			return not_a_number();
		return a.class == SF_INFINITE ? a : b;
	}
	if (a.class == SF_NOUGHT && b.class == SF_NOUGHT) {
		a.neg = a.neg == b.neg ? a.neg : round == SF_DOWN;
		return a;
	}
	if (a.class == SF_NOUGHT || b.class == SF_NOUGHT)
		return a.class == SF_NOUGHT ? b : a;
	if (a.exp < b.exp || (a.exp == b.exp && a.man < b.man)) {
		struct sf t = a;

		a = b;
		b = t;
	}
	b.man = shift_jam(b.man, a.exp - b.exp);
	if (a.neg == b.neg)
		return normal(a.neg, a.exp, a.man + b.man);
	if (a.man == b.man)
		return (struct sf){ SF_NOUGHT, round == SF_DOWN, 0, 0 };
	return normal(a.neg, a.exp, a.man - b.man);
}

struct sf sf_mul(struct sf a, struct sf b)
{
	bool neg = a.neg != b.neg;

	if (a.class == SF_NAN || b.class == SF_NAN)
		return not_a_number();
	if (a.class == SF_INFINITE || b.class == SF_INFINITE) {
		if (a.class == SF_NOUGHT || b.class == SF_NOUGHT)
			return not_a_number();
		return (struct sf){ SF_INFINITE, neg, 0, 0 };
	}
	if (a.class == SF_NOUGHT || b.class == SF_NOUGHT)
		return (struct sf){ SF_NOUGHT, neg, 0, 0 };
	/* Operands have at most 53 digits: 63 of them are kept whole. */
	return normal(neg, a.exp + b.exp, (a.man >> 63) * (b.man >> 63) << 1);
}

struct sf sf_div(struct sf a, struct sf b)
{
	bool neg = a.neg != b.neg;
	u128 high, low;

	if (a.class == SF_NAN || b.class == SF_NAN || (a.class == b.class && a.class != SF_FINITE))
		return not_a_number();
	if (a.class == SF_INFINITE || b.class == SF_NOUGHT)
		return (struct sf){ SF_INFINITE, neg, 0, 0 };
	if (a.class == SF_NOUGHT || b.class == SF_INFINITE)
		return (struct sf){ SF_NOUGHT, neg, 0, 0 };
	low = b.man >> 63;
	high = a.man / low;
	return normal(neg, a.exp - b.exp, high << 62 | (a.man % low != 0));
}

struct sf sf_sqrt(struct sf a)
{
	u128 root = 0, rest = 0, man = a.man;

	if (a.class == SF_NAN || a.class == SF_NOUGHT)
		return a;
	if (a.neg)
		return not_a_number();
	if (a.class == SF_INFINITE)
		return a;
	/* man * 2^(exp - 125) = radicand * 2^(even - 126). */
	man <<= 1 + (a.exp & 1);
	for (int i = 0; i < 64; i++) {
		rest = rest << 2 | (man >> 126 & 3);
		man <<= 2;
		root <<= 1;
		if (rest >= (root << 1 | 1)) {
			rest -= root << 1 | 1;
			root |= 1;
		}
	}
	return normal(false, (a.exp - (a.exp & 1)) / 2, root << 62 | (rest != 0));
}

int sf_compare(struct sf a, struct sf b)
{
	struct sf d;

	if (a.class == SF_NAN || b.class == SF_NAN)
		return 2;
	if (a.class == SF_INFINITE && b.class == SF_INFINITE && a.neg == b.neg)
		return 0;
	d = sf_add(a, sf_negate(b), SF_NEAREST);
	if (d.class == SF_NOUGHT)
		return 0;
	return d.neg ? -1 : 1;
}

struct sf sf_from_int(uint64_t magnitude, bool neg)
{
	return normal(neg && magnitude, TOP, magnitude);
}

struct sf sf_integral(struct sf a, enum sf_round round)
{
	u128 whole;

	if (a.class != SF_FINITE || a.exp >= TOP)
		return a;
	whole = drop_digits(a.man, TOP - a.exp, a.neg, round);
	return normal(a.neg, TOP, whole);
}

uint64_t sf_to_int(struct sf a, int bits, bool is_signed, uint64_t nan_bits)
{
	uint64_t all = bits == 64 ? ~(uint64_t)0 : ((uint64_t)1 << bits) - 1;
	uint64_t most = is_signed ? all >> 1 : all, least = is_signed ? most + 1 : 0, whole;

	if (a.class == SF_NAN)
		return nan_bits & all;
	if (a.class == SF_NOUGHT)
		return 0;
	if (a.class == SF_INFINITE || a.exp > 63)
		return a.neg ? least : most;
	whole = (uint64_t)(a.man >> (TOP - a.exp));
	if (a.neg)
		return whole > least ? least : -whole & all;
	return whole > most ? most : whole;
}

double sf_to_double(struct sf a)
{
	uint64_t bits = sf_pack(&sf_f64, a, SF_NEAREST, 0);
	double d;

	memcpy(&d, &bits, sizeof(d));
	return d;
}

struct sf sf_from_double(double d)
{
	uint64_t bits;

	memcpy(&bits, &d, sizeof(bits));
	return sf_unpack(&sf_f64, bits, 0);
}
