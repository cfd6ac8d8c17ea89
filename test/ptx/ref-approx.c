/* SPDX-License-Identifier: Apache-2.0 */
/* The approximate functions within the error that PTX states for them. */
#include "ref.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define PI 3.14159265358979323846

struct bound {
	double relative, absolute;
	bool any; /* PTX promises nothing here */
};

static double f32_of(uint64_t bits, unsigned flags)
{
	return sf_to_double(sf_unpack(&sf_f32, bits & 0xffffffff, flags));
}

static double f64_of(uint64_t bits, unsigned flags)
{
	return sf_to_double(sf_unpack(&sf_f64, bits, flags));
}

static struct bound trigonometric(double x)
{
	struct bound b = { 0, 0, false };

	if (fabs(x) <= 2 * PI)
		b.absolute = 0x1p-20 * 0.7072; /* 2^-20.5 */
	else if (fabs(x) <= 100 * PI)
		b.absolute = 0x1p-14 * 0.6156; /* 2^-14.7 */
	else
		b.any = isfinite(x);
	return b;
}

static double division(double x, double y, bool full, struct bound *b)
{
	*b = (struct bound){ 0x1p-22, 0, false };
	/* Divisors above 2^126 are outside what div.approx promises, but for the result's zero or NaN. */
	if (!full && fabs(y) > 0x1p126 && isfinite(y))
		b->any = true;
	return x / y;
}

static double exact(const struct pt_op *op, const uint64_t *in, struct bound *b)
{
	bool is_double = op->type[0] == PT_F64;
	double x = is_double ? f64_of(in[0], op->flags) : f32_of(in[0], op->flags);
	const char *what = op->word[0];

	*b = (struct bound){ is_double ? 0x1p-19 : 0x1.2p-23, 0, false };
	if (!strcmp(what, "div"))
		return division(x, f32_of(in[1], op->flags), pt_op_has(op, "full"), b);
	if (!strcmp(what, "rcp"))
		return 1 / x;
	if (!strcmp(what, "sqrt"))
		return sqrt(x);
	if (!strcmp(what, "rsqrt")) {
		b->relative = is_double ? 0x1p-19 : 0x1.12p-23; /* 2^-22.9 */
		return 1 / sqrt(x);
	}
	if (!strcmp(what, "lg2")) {
		*b = (struct bound){ x > 0.5 && x < 2 ? 0 : 0x1p-22, x > 0.5 && x < 2 ? 0x1p-22 : 0, false };
		return log2(x);
	}
	if (!strcmp(what, "ex2")) {
		b->relative = 0x1p-22;
		return exp2(x);
	}
	if (!strcmp(what, "tanh")) {
		b->relative = 0x1p-11;
		return tanh(x);
	}
	*b = trigonometric(x);
	return strcmp(what, "sin") ? cos(x) : sin(x);
}

/* GOT for WANT, where a subnormal may also be flushed and a rounding may overflow. */
static bool close_to(double got, double want, const struct bound *b, double least, double largest)
{
	double room = fabs(want) * b->relative + b->absolute;

	if (b->any)
		return true;
	if (isnan(want) || isnan(got))
		return isnan(want) && isnan(got);
	if (isinf(want))
		return got == want;
	if (fabs(want) > largest * (1 - b->relative) && isinf(got))
		return signbit(got) == signbit(want);
	if (fabs(want) < least * 1.001)
		return got == 0 || fabs(got - want) <= room + least * 0x1p-23 + b->absolute;
	return fabs(got - want) <= room * 1.0001;
}

/* Whether the result for a subnormal operand taken as zero would do. */
static bool flushed_will_do(const struct pt_op *op, const uint64_t *in, double got, double least, double largest)
{
	struct pt_op flushed = *op;
	struct bound b;
	double want;

	if (op->type[0] == PT_F64 && strcmp(op->word[0], "rsqrt") && strcmp(op->word[0], "rcp"))
		return false;
	flushed.flags |= SF_FTZ;
	want = exact(&flushed, in, &b);
	return close_to(got, want, &b, least, largest);
}

bool judge_approx(const struct pt_op *op, const uint64_t *in, const uint64_t *got, char *why)
{
	bool is_double = op->type[0] == PT_F64;
	double least = is_double ? 0x1p-1022 : 0x1p-126, largest = is_double ? 0x1.fffffffffffffp1023 : 0x1.fffffep127;
	double is = is_double ? f64_of(got[0], 0) : f32_of(got[0], 0), want;
	struct bound b;

	/* The gross approximations look at the upper half only: a NaN may be an infinity there. */
	if (is_double && op->flags & SF_FTZ && (in[0] << 1 >> 33) == 0x7ff00000)
		return true;
	want = exact(op, in, &b);
	if (close_to(is, want, &b, least, largest) || flushed_will_do(op, in, is, least, largest))
		return true;
	snprintf(why, 160, "%a (within %a of it, or %a)", want, b.relative, b.absolute);
	return false;
}

/* ex2 and tanh of halves. */
bool judge_half(const struct pt_op *op, const uint64_t *in, const uint64_t *got, char *why)
{
	const struct pt_type_info *t = &pt_types[op->type[0]];
	bool bf = t->format == &sf_bf16, ex2 = !strcmp(op->word[0], "ex2");
	double least = bf ? 0x1p-126 : 0x1p-14, largest = bf ? 0x1.fep127 : 65504;
	/* What PTX states: ex2.f16 2^-9.9, ex2.bf16 2^-7, tanh.f16 2^-10.987, tanh.bf16 2^-8. */
	struct bound b = { ex2 ? (bf ? 0x1p-7 : 0x1.12p-10) : 0, ex2 ? 0 : (bf ? 0x1p-8 : 0x1.03p-11), false };

	for (int lane = 0; lane < t->lanes; lane++) {
		int at = lane * 16;
		double x = sf_to_double(sf_unpack(t->format, in[0] >> at & 0xffff, op->flags));
		double is = sf_to_double(sf_unpack(t->format, got[0] >> at & 0xffff, 0)),
		       want = ex2 ? exp2(x) : tanh(x);

		if (close_to(is, want, &b, least, largest) || (fabs(want) < least * 2 && fabs(is - want) <= 0x1p-24))
			continue;
		snprintf(why, 160, "lane %d %a (within %a of it, or %a)", lane, want, b.relative, b.absolute);
		return false;
	}
	return true;
}
