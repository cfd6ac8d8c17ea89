/* SPDX-License-Identifier: Apache-2.0 */
#include "ref.h"

#include <string.h>

static bool is(const struct pt_op *op, const char *word)
{
	return !strcmp(op->word[0], word);
}

bool want_logic(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	int bits = pt_types[op->type[0]].bits;

	if (is(op, "and"))
		out[0] = in[0] & in[1];
	else if (is(op, "or"))
		out[0] = in[0] | in[1];
	else if (is(op, "xor"))
		out[0] = in[0] ^ in[1];
	else if (is(op, "not"))
		out[0] = ~in[0];
	else
		out[0] = !(in[0] & pt_mask(bits));
	out[0] &= pt_mask(bits);
	return true;
}

static uint64_t lut(uint64_t a, uint64_t b, uint64_t c, unsigned table)
{
	uint64_t r = 0;

	for (int i = 0; i < 32; i++)
		r |= (uint64_t)(table >> ((a >> i & 1) << 2 | (b >> i & 1) << 1 | (c >> i & 1)) & 1) << i;
	return r;
}

/* Sixteen tables from the argument on. */
bool want_lop3(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	for (unsigned i = 0; i < 16; i++)
		out[i] = lut(in[0], in[1], in[2], (unsigned)op->number + i);
	return true;
}

bool want_lop3_bool(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	out[0] = lut(in[0], in[1], in[2], (unsigned)op->number);
	out[1] = pt_op_has(op, "and") ? out[0] && in[3] : out[0] || in[3];
	return true;
}

bool want_shift(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	enum pt_type t = op->type[0];
	int bits = pt_types[t].bits;
	uint64_t by = in[1] & 0xffffffff, a = in[0] & pt_mask(bits);
	bool fill = is(op, "shr") && pt_types[t].is_signed && a >> (bits - 1);

	if (by >= (uint64_t)bits)
		out[0] = fill ? pt_mask(bits) : 0;
	else if (is(op, "shl"))
		out[0] = a << by & pt_mask(bits);
	else
		out[0] = (fill ? (uint64_t)(pt_signed(a, bits) >> by) : a >> by) & pt_mask(bits);
	return true;
}

bool want_shf(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	uint64_t both = in[1] << 32 | in[0], by = in[2] & 0xffffffff;

	by = pt_op_has(op, "wrap") ? by & 31 : by > 32 ? 32 : by;
	out[0] = pt_op_has(op, "l") ? (both << by) >> 32 : both >> by & 0xffffffff;
	if (by == 32)
		out[0] = pt_op_has(op, "l") ? in[0] : in[1];
	return true;
}

bool want_prmt(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	static const char *const modes[] = { "f4e", "b4e", "rc8", "ecl", "ecr", "rc16" };
	static const uint8_t tables[6][4][4] = {
		{ { 0, 1, 2, 3 }, { 1, 2, 3, 4 }, { 2, 3, 4, 5 }, { 3, 4, 5, 6 } },
		{ { 0, 7, 6, 5 }, { 1, 0, 7, 6 }, { 2, 1, 0, 7 }, { 3, 2, 1, 0 } },
		{ { 0, 0, 0, 0 }, { 1, 1, 1, 1 }, { 2, 2, 2, 2 }, { 3, 3, 3, 3 } },
		{ { 0, 1, 2, 3 }, { 1, 1, 2, 3 }, { 2, 2, 2, 3 }, { 3, 3, 3, 3 } },
		{ { 0, 0, 0, 0 }, { 0, 1, 1, 1 }, { 0, 1, 2, 2 }, { 0, 1, 2, 3 } },
		{ { 0, 1, 0, 1 }, { 2, 3, 2, 3 }, { 0, 1, 0, 1 }, { 2, 3, 2, 3 } },
	};
	uint64_t both = in[1] << 32 | in[0];

	out[0] = 0;
	for (int i = 0; i < 4; i++) {
		unsigned pick = in[2] >> (i * 4) & 15;
		uint64_t byte;

		for (int m = 0; m < 6; m++) {
			if (pt_op_has(op, modes[m]))
				pick = tables[m][in[2] & 3][i];
		}
		byte = both >> ((pick & 7) * 8) & 0xff;
		if (pick & 8)
			byte = byte & 0x80 ? 0xff : 0;
		out[0] |= byte << (i * 8);
	}
	return true;
}

bool want_bfe(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	enum pt_type t = op->type[0];
	unsigned bits = (unsigned)pt_types[t].bits, pos = in[1] & 0xff, len = in[2] & 0xff, last;
	uint64_t sign = 0;

	last = pos + len - 1 < bits - 1 ? pos + len - 1 : bits - 1;
	if (pt_types[t].is_signed && len)
		sign = in[0] >> last & 1;
	out[0] = 0;
	for (unsigned i = 0; i < bits; i++)
		out[0] |= (i < len && pos + i < bits ? in[0] >> (pos + i) & 1 : sign) << i;
	return true;
}

bool want_bfi(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	unsigned bits = (unsigned)pt_types[op->type[0]].bits, pos = in[2] & 0xff, len = in[3] & 0xff;

	out[0] = in[1];
	for (unsigned i = 0; i < len && pos + i < bits; i++) {
		uint64_t bit = (uint64_t)1 << (pos + i);

		out[0] = in[0] >> i & 1 ? out[0] | bit : out[0] & ~bit;
	}
	return true;
}

bool want_brev(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	int bits = pt_types[op->type[0]].bits;

	out[0] = 0;
	for (int i = 0; i < bits; i++)
		out[0] |= (in[0] >> i & 1) << (bits - 1 - i);
	return true;
}

bool want_count(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	int bits = pt_types[op->type[0]].bits;
	uint64_t count = 0;

	if (is(op, "popc")) {
		for (int i = 0; i < bits; i++)
			count += in[0] >> i & 1;
	} else {
		while ((int)count < bits && !(in[0] >> (bits - 1 - (int)count) & 1))
			count++;
	}
	out[0] = count;
	return true;
}

bool want_bfind(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	enum pt_type t = op->type[0];
	int bits = pt_types[t].bits, at;
	uint64_t a = pt_types[t].is_signed && in[0] >> (bits - 1) & 1 ? ~in[0] : in[0];

	for (at = bits - 1; at >= 0 && !(a >> at & 1);)
		at--;
	out[0] = at < 0 ? 0xffffffff : (uint64_t)(pt_op_has(op, "shiftamt") ? bits - 1 - at : at);
	return true;
}

/* mask, base, offset */
bool want_fns(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	int base = (int)in[1], n = (int)in[2], step = n < 0 ? -1 : 1;

	(void)op;
	out[0] = 0xffffffff;
	if (in[1] > 31)
		return false;
	if (n == 0) {
		out[0] = in[0] >> base & 1 ? (uint64_t)base : 0xffffffff;
		return true;
	}
	for (int at = base; at >= 0 && at < 32; at += step) {
		if (!(in[0] >> at & 1))
			continue;
		n -= step;
		if (!n) {
			out[0] = (uint64_t)at;
			break;
		}
	}
	return true;
}

bool want_fns_back(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	const uint64_t back[3] = { in[0], in[1], -in[2] & 0xffffffff };

	return want_fns(op, back, out);
}

bool want_szext(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	uint64_t width = in[1] & 0xffffffff;

	if (pt_op_has(op, "wrap"))
		width &= 31;
	if (!width)
		out[0] = 0;
	else if (width >= 32)
		out[0] = in[0];
	else
		out[0] = op->type[0] == PT_S32 ? (uint64_t)pt_signed(in[0], (int)width) & 0xffffffff
					       : in[0] & pt_mask((int)width);
	return true;
}

bool want_bmsk(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	uint64_t a = in[0] & 0xffffffff, b = in[1] & 0xffffffff;

	if (pt_op_has(op, "wrap")) {
		a &= 31;
		b &= 31;
	}
	a = a > 32 ? 32 : a;
	b = b > 32 ? 32 : b;
	out[0] = pt_mask((int)b) << a & 0xffffffff;
	return true;
}

static int64_t part(uint64_t value, int at, int bits, bool is_signed)
{
	value = value >> at & pt_mask(bits);
	return is_signed ? pt_signed(value, bits) : (int64_t)value;
}

bool want_dp4a(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	out[0] = in[2];
	for (int i = 0; i < 32; i += 8)
		out[0] +=
			(uint64_t)(part(in[0], i, 8, op->type[0] == PT_S32) * part(in[1], i, 8, op->type[1] == PT_S32));
	return true;
}

bool want_dp2a(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	int half = pt_op_has(op, "hi") ? 16 : 0;

	out[0] = in[2];
	for (int i = 0; i < 2; i++)
		out[0] += (uint64_t)(part(in[0], i * 16, 16, op->type[0] == PT_S32) *
				     part(in[1], half + i * 8, 8, op->type[1] == PT_S32));
	return true;
}
