/* SPDX-License-Identifier: Apache-2.0 */
#include "ref.h"

#include <string.h>

static int order_of(enum pt_type type, uint64_t a, uint64_t b, unsigned flags)
{
	const struct pt_type_info *t = &pt_types[type];

	if (t->format)
		return sf_compare(sf_unpack(t->format, a & pt_mask(t->bits / t->lanes), flags),
				  sf_unpack(t->format, b & pt_mask(t->bits / t->lanes), flags));
	a &= pt_mask(t->bits);
	b &= pt_mask(t->bits);
	if (t->is_signed) {
		int64_t x = pt_signed(a, t->bits), y = pt_signed(b, t->bits);

		return x < y ? -1 : x > y;
	}
	return a < b ? -1 : a > b;
}

bool pt_compare(const char *how, enum pt_type type, uint64_t a, uint64_t b, unsigned flags)
{
	/* Whether it holds for less, equal, greater and unordered. */
	static const struct {
		const char *name;
		bool holds[4];
	} ways[] = {
		{ "eq", { false, true, false, false } }, { "ne", { true, false, true, false } },
		{ "lt", { true, false, false, false } }, { "le", { true, true, false, false } },
		{ "gt", { false, false, true, false } }, { "ge", { false, true, true, false } },
		{ "lo", { true, false, false, false } }, { "ls", { true, true, false, false } },
		{ "hi", { false, false, true, false } }, { "hs", { false, true, true, false } },
		{ "equ", { false, true, false, true } }, { "neu", { true, false, true, true } },
		{ "ltu", { true, false, false, true } }, { "leu", { true, true, false, true } },
		{ "gtu", { false, false, true, true } }, { "geu", { false, true, true, true } },
		{ "num", { true, true, true, false } },  { "nan", { false, false, false, true } },
	};
	int order = order_of(type, a, b, flags);

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		if (!strcmp(how, ways[i].name))
			return ways[i].holds[order + 1];
	}
	return false;
}

static bool joined(const struct pt_op *op, bool holds, bool c)
{
	if (pt_op_has(op, "and"))
		return holds && c;
	if (pt_op_has(op, "or"))
		return holds || c;
	return pt_op_has(op, "xor") ? holds != c : holds;
}

/* set.CMP.D.T d, a, b{, c} */
bool want_set(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	const struct pt_type_info *s = &pt_types[op->type[1]], *d = &pt_types[op->type[0]];
	int bits = s->bits / s->lanes, wide = d->bits / s->lanes;

	out[0] = 0;
	for (int lane = 0; lane < s->lanes; lane++) {
		bool holds =
			pt_compare(op->word[1], op->type[1], in[0] >> (lane * bits), in[1] >> (lane * bits), op->flags);
		uint64_t yes = d->format ? sf_pack(d->format, sf_from_int(1, false), SF_NEAREST, 0) : pt_mask(wide);

		out[0] |= (joined(op, holds, in[2]) ? yes : 0) << (lane * wide);
	}
	return true;
}

/* setp.CMP{.BOOL}.T p|q, a, b{, c}: for a pair of halves p is the low one's and q the high one's. */
bool want_setp(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	const struct pt_type_info *t = &pt_types[op->type[0]];
	int bits = t->bits / t->lanes;
	bool holds = pt_compare(op->word[1], op->type[0], in[0], in[1], op->flags);

	out[0] = joined(op, holds, in[2]);
	if (t->lanes == 2)
		out[1] = joined(op, pt_compare(op->word[1], op->type[0], in[0] >> bits, in[1] >> bits, op->flags),
				in[2]);
	else
		out[1] = joined(op, !holds, in[2]);
	return true;
}

bool want_selp(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	(void)op;
	out[0] = in[2] ? in[0] : in[1];
	return true;
}

bool want_slct(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	enum pt_type t = op->type[1];
	bool first;

	if (t == PT_S32)
		first = !(in[2] >> 31 & 1);
	else
		first = pt_compare("ge", t, in[2], 0, op->flags);
	out[0] = first ? in[0] : in[1];
	return true;
}
