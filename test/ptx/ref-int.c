/* SPDX-License-Identifier: Apache-2.0 */
#include "ref.h"

#include <string.h>

typedef __int128 s128;

/* Lane LANE of VALUE with its sign. */
static s128 lane_get(enum pt_type type, uint64_t value, int lane)
{
	int bits = pt_types[type].bits / pt_types[type].lanes;

	value = value >> (lane * bits) & pt_mask(bits);
	return pt_types[type].is_signed ? (s128)pt_signed(value, bits) : (s128)value;
}

static uint64_t lane_put(enum pt_type type, s128 value, int lane)
{
	int bits = pt_types[type].bits / pt_types[type].lanes;

	return ((uint64_t)value & pt_mask(bits)) << (lane * bits);
}

static s128 clamped(s128 value, int bits)
{
	s128 most = (s128)pt_mask(bits - 1);

	return value > most ? most : value < -most - 1 ? -most - 1 : value;
}

bool want_add(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	enum pt_type t = op->type[0];

	out[0] = 0;
	for (int lane = 0; lane < pt_types[t].lanes; lane++) {
		s128 a = lane_get(t, in[0], lane), b = lane_get(t, in[1], lane);
		s128 r = strcmp(op->word[0], "add") ? a - b : a + b;

		out[0] |= lane_put(t, op->flags & SF_SAT ? clamped(r, 32) : r, lane);
	}
	return true;
}

bool want_mul(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	enum pt_type t = op->type[0];
	/* Two unsigned 64-bit operands fill all 128 bits. */
	unsigned __int128 product = (unsigned __int128)lane_get(t, in[0], 0) * (unsigned __int128)lane_get(t, in[1], 0);

	out[0] = (uint64_t)(pt_op_has(op, "hi") ? product >> pt_types[t].bits : product);
	if (pt_op_has(op, "wide"))
		out[0] &= pt_mask(pt_types[t].bits * 2);
	return true;
}

bool want_mad(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	enum pt_type t = op->type[0];

	want_mul(op, in, out);
	if (op->flags & SF_SAT)
		out[0] = (uint64_t)clamped((s128)pt_signed(out[0] & pt_mask(32), 32) + lane_get(t, in[2], 0), 32);
	else
		out[0] += in[2];
	return true;
}

bool want_mul24(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	bool is_signed = op->type[0] == PT_S32;
	s128 a = is_signed ? pt_signed(in[0] & 0xffffff, 24) : (int64_t)(in[0] & 0xffffff);
	s128 b = is_signed ? pt_signed(in[1] & 0xffffff, 24) : (int64_t)(in[1] & 0xffffff);

	out[0] = (uint64_t)(pt_op_has(op, "hi") ? a * b >> 16 : a * b);
	return true;
}

bool want_mad24(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	want_mul24(op, in, out);
	if (op->flags & SF_SAT)
		out[0] = (uint64_t)clamped((s128)pt_signed(out[0] & pt_mask(32), 32) + pt_signed(in[2], 32), 32);
	else
		out[0] += in[2];
	return true;
}

bool want_sad(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	s128 a = lane_get(op->type[0], in[0], 0), b = lane_get(op->type[0], in[1], 0);

	out[0] = (uint64_t)(in[2] + (uint64_t)(a < b ? b - a : a - b));
	return true;
}

bool want_div(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	enum pt_type t = op->type[0];
	s128 a = lane_get(t, in[0], 0), b = lane_get(t, in[1], 0), least = -((s128)1 << (pt_types[t].bits - 1));

	if (!b || (pt_types[t].is_signed && a == least && b == -1))
		return false;
	out[0] = (uint64_t)(strcmp(op->word[0], "div") ? a % b : a / b);
	return true;
}

bool want_abs(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	s128 a = lane_get(op->type[0], in[0], 0);

	out[0] = (uint64_t)(a < 0 ? -a : a);
	return true;
}

bool want_neg(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	(void)op;
	out[0] = -in[0];
	return true;
}

bool want_minmax(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	enum pt_type t = op->type[0];

	out[0] = 0;
	for (int lane = 0; lane < pt_types[t].lanes; lane++) {
		s128 a = lane_get(t, in[0], lane), b = lane_get(t, in[1], lane);
		s128 r = (a < b) == !strcmp(op->word[0], "min") ? a : b;

		out[0] |= lane_put(t, op->flags & SF_RELU && r < 0 ? 0 : r, lane);
	}
	return true;
}
