/* SPDX-License-Identifier: Apache-2.0 */
#include "ref.h"

#include <string.h>

/* One lane of an operand; subnormals vanish with .ftz. */
static struct sf lane_get(const struct pt_op *op, uint64_t value, int lane)
{
	const struct pt_type_info *t = &pt_types[op->type[0]];

	return sf_unpack(t->format, value >> (lane * t->bits / t->lanes) & pt_mask(t->bits / t->lanes), op->flags);
}

static void lane_put(const struct pt_op *op, uint64_t *out, uint64_t bits, int lane)
{
	const struct pt_type_info *t = &pt_types[op->type[0]];

	if (!lane)
		*out = 0;
	*out |= bits << (lane * t->bits / t->lanes);
}

static void lane_round(const struct pt_op *op, uint64_t *out, struct sf value, int lane)
{
	lane_put(op, out, sf_pack(pt_types[op->type[0]].format, value, op->round, op->flags), lane);
}

#define EACH_LANE(op, lane) for (int lane = 0; lane < pt_types[(op)->type[0]].lanes; lane++)

bool want_fadd(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	EACH_LANE(op, lane)
	{
		struct sf a = lane_get(op, in[0], lane), b = lane_get(op, in[1], lane);

		if (strcmp(op->word[0], "add") && b.class != SF_NAN)
			b = sf_negate(b);
		lane_round(op, out, sf_add(a, b, op->round), lane);
	}
	return true;
}

bool want_fmul(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	EACH_LANE(op, lane)
	lane_round(op, out, sf_mul(lane_get(op, in[0], lane), lane_get(op, in[1], lane)), lane);
	return true;
}

bool want_fma(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	EACH_LANE(op, lane)
	{
		struct sf product = sf_mul(lane_get(op, in[0], lane), lane_get(op, in[1], lane));

		lane_round(op, out, sf_add(product, lane_get(op, in[2], lane), op->round), lane);
	}
	return true;
}

/* The factors, or the first of a sum, are halves. */
static struct sf half_get(const struct pt_op *op, uint64_t value)
{
	return sf_unpack(pt_types[op->type[1]].format, value & 0xffff, 0);
}

bool want_fadd_mixed(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	struct sf b = lane_get(op, in[1], 0);

	if (strcmp(op->word[0], "add") && b.class != SF_NAN)
		b = sf_negate(b);
	lane_round(op, out, sf_add(half_get(op, in[0]), b, op->round), 0);
	return true;
}

bool want_fma_mixed(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	struct sf product = sf_mul(half_get(op, in[0]), half_get(op, in[1]));

	lane_round(op, out, sf_add(product, lane_get(op, in[2], 0), op->round), 0);
	return true;
}

bool want_fdiv(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	lane_round(op, out, sf_div(lane_get(op, in[0], 0), lane_get(op, in[1], 0)), 0);
	return true;
}

bool want_frcp(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	lane_round(op, out, sf_div(sf_from_int(1, false), lane_get(op, in[0], 0)), 0);
	return true;
}

bool want_fsqrt(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	lane_round(op, out, sf_sqrt(lane_get(op, in[0], 0)), 0);
	return true;
}

bool want_fsign(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	EACH_LANE(op, lane)
	{
		struct sf a = lane_get(op, in[0], lane);

		a.neg = strcmp(op->word[0], "neg") ? false : !a.neg;
		lane_round(op, out, a, lane);
	}
	return true;
}

static uint64_t minmax(const struct pt_op *op, struct sf a, struct sf b)
{
	const struct sf_format *f = pt_types[op->type[0]].format;
	bool min = !strcmp(op->word[0], "min"), neg = a.neg != b.neg, less;
	struct sf r;

	if (pt_op_has(op, "NaN") && (a.class == SF_NAN || b.class == SF_NAN))
		return sf_nan(f);
	if (a.class == SF_NAN && b.class == SF_NAN)
		return sf_nan(f);
	if (pt_op_has(op, "xorsign"))
		a.neg = b.neg = false;
	less = a.class == SF_NOUGHT && b.class == SF_NOUGHT ? a.neg && !b.neg : sf_compare(a, b) < 0;
	if (a.class == SF_NAN || b.class == SF_NAN)
		r = a.class == SF_NAN ? b : a;
	else
		r = less == min ? a : b;
	if (pt_op_has(op, "xorsign"))
		r.neg = neg;
	return sf_pack(f, r, SF_NEAREST, op->flags);
}

bool want_fminmax(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	EACH_LANE(op, lane)
	lane_put(op, out, minmax(op, lane_get(op, in[0], lane), lane_get(op, in[1], lane)), lane);
	return true;
}

bool want_fminmax3(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	struct sf v[3];

	for (int i = 0; i < 3; i++) {
		v[i] = lane_get(op, in[i], 0);
		v[i].neg &= !pt_op_has(op, "abs");
	}
	v[0] = sf_unpack(pt_types[op->type[0]].format, minmax(op, v[0], v[1]), 0);
	out[0] = minmax(op, v[0], v[2]);
	return true;
}

/* The sign of the first on the second. */
bool want_copysign(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	int bits = pt_types[op->type[0]].bits;
	uint64_t sign = (uint64_t)1 << (bits - 1);

	out[0] = (in[0] & sign) | (in[1] & ~sign & pt_mask(bits));
	return true;
}

bool want_testp(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	struct sf a = lane_get(op, in[0], 0);
	const struct sf_format *f = pt_types[op->type[0]].format;
	bool subnormal = a.class == SF_FINITE && a.exp < 2 - (1 << (f->exp_bits - 1));

	if (pt_op_has(op, "finite"))
		out[0] = a.class == SF_NOUGHT || a.class == SF_FINITE;
	else if (pt_op_has(op, "infinite"))
		out[0] = a.class == SF_INFINITE;
	else if (pt_op_has(op, "number"))
		out[0] = a.class != SF_NAN;
	else if (pt_op_has(op, "notanumber"))
		out[0] = a.class == SF_NAN;
	else if (pt_op_has(op, "normal"))
		out[0] = a.class == SF_NOUGHT || (a.class == SF_FINITE && !subnormal);
	else
		out[0] = subnormal;
	return true;
}
