/* SPDX-License-Identifier: Apache-2.0 */
#include "ref.h"

#include <string.h>

static bool to_integral(const struct pt_op *op)
{
	return pt_op_has(op, "rni") || pt_op_has(op, "rzi") || pt_op_has(op, "rmi") || pt_op_has(op, "rpi");
}

/* .ftz is about single precision only. */
static unsigned flags_for(const struct pt_op *op, enum pt_type type)
{
	return type == PT_F32 ? op->flags : op->flags & ~(unsigned)SF_FTZ;
}

static struct sf source(const struct pt_op *op, enum pt_type type, uint64_t bits)
{
	const struct pt_type_info *t = &pt_types[type];

	if (t->format)
		return sf_unpack(t->format, bits & pt_mask(t->bits / t->lanes), flags_for(op, type));
	bits &= pt_mask(t->bits);
	if (t->is_signed && bits >> (t->bits - 1))
		return sf_from_int(-(uint64_t)pt_signed(bits, t->bits), true);
	return sf_from_int(bits, false);
}

static uint64_t int_from_int(const struct pt_op *op, uint64_t bits)
{
	const struct pt_type_info *d = &pt_types[op->type[0]], *s = &pt_types[op->type[1]];
	__int128 v, most = (__int128)pt_mask(d->is_signed ? d->bits - 1 : d->bits),
		    least = d->is_signed ? -most - 1 : 0;

	bits &= pt_mask(s->bits);
	v = s->is_signed ? (__int128)pt_signed(bits, s->bits) : (__int128)bits;
	if (op->flags & SF_SAT)
		v = v > most ? most : v < least ? least : v;
	return (uint64_t)v;
}

/* NaN is 0, or the top bit when either side has 64 of them. */
static uint64_t nan_as_int(const struct pt_op *op)
{
	const struct pt_type_info *d = &pt_types[op->type[0]];

	return op->type[1] == PT_F64 || d->bits == 64 ? (uint64_t)1 << (d->bits - 1) : 0;
}

bool want_cvt(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	const struct pt_type_info *d = &pt_types[op->type[0]], *s = &pt_types[op->type[1]];
	struct sf v;

	if (!d->format && !s->format) {
		out[0] = int_from_int(op, in[0]);
		return true;
	}
	v = source(op, op->type[1], in[0]);
	if (op->type[0] == PT_F16 && op->type[1] == PT_F32)
		v = sf_unpack(s->format, in[0], op->flags & ~(unsigned)SF_FTZ);
	if (v.class == SF_NAN && op->type[0] == PT_TF32 && op->round == SF_AWAY && op->flags & SF_SATFINITE)
		return false; /* cut as without .satfinite, it may be an infinity */
	if (to_integral(op))
		v = sf_integral(v, op->round);
	if (!d->format)
		out[0] = sf_to_int(v, d->bits, d->is_signed, nan_as_int(op));
	else if (op->type[0] == PT_TF32)
		out[0] = v.class == SF_NAN && op->round == SF_AWAY ? in[0] & 0xffffe000 : /* may leave an infinity */
				 sf_pack(&sf_tf32, v, op->round, op->flags) << 13;
	else
		out[0] = sf_pack(d->format, v, op->round, flags_for(op, op->type[0]));
	return true;
}

/* The first operand is the high half. */
bool want_cvt_pair(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	const struct pt_type_info *d = &pt_types[op->type[0]];
	uint64_t high = sf_pack(d->format, source(op, PT_F32, in[0]), op->round, op->flags);
	uint64_t low = sf_pack(d->format, source(op, PT_F32, in[1]), op->round, op->flags);

	out[0] = high << (d->bits / 2) | low;
	return true;
}

bool want_cvt_unpair(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	const struct pt_type_info *d = &pt_types[op->type[0]], *s = &pt_types[op->type[1]];

	out[0] = 0;
	for (int lane = 0; lane < 2; lane++)
		out[0] |=
			sf_pack(d->format, source(op, op->type[1], in[0] >> (lane * s->bits / 2)), op->round, op->flags)
			<< (lane * d->bits / 2);
	return true;
}

/* The exponent, one more where .rp has digits behind it; 0 is 2^-127, and .rp takes to it what is smaller. */
static uint64_t scale_of(const struct pt_op *op, uint32_t bits)
{
	uint32_t exponent = bits >> 23 & 0xff, mantissa = bits & 0x7fffff;

	if (exponent == 0xff && mantissa)
		return 0xff;
	if (op->round == SF_UP && mantissa && (exponent || mantissa > 0x400000))
		exponent++;
	return exponent == 0xff && op->flags & SF_SATFINITE ? 0xfe : exponent;
}

bool want_cvt_scale(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	uint32_t high = (uint32_t)in[0], low = (uint32_t)in[1];

	if (op->type[1] == PT_BF16X2) {
		high = (uint32_t)in[0] & 0xffff0000;
		low = (uint32_t)in[0] << 16;
	}
	out[0] = scale_of(op, high) << 8 | scale_of(op, low);
	return true;
}

static uint64_t unscaled(uint64_t scale)
{
	return scale == 0xff ? 0x7fff : scale ? scale << 7 : 0x40;
}

bool want_cvt_unscale(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	(void)op;
	out[0] = unscaled(in[0] >> 8 & 0xff) << 16 | unscaled(in[0] & 0xff);
	return true;
}

/* cvt.pack.sat.TO.s32{.b32} d, a, b{, c} */
bool want_cvt_pack(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	bool is_signed = op->word[3][0] == 's';
	int bits = op->word[3][1] == '1' ? 16 : op->word[3][1] - '0';
	int64_t most = (int64_t)pt_mask(is_signed ? bits - 1 : bits), least = is_signed ? -most - 1 : 0;
	uint64_t field[2];

	for (int i = 0; i < 2; i++) {
		int64_t v = pt_signed(in[i], 32);

		field[i] = (uint64_t)(v > most ? most : v < least ? least : v) & pt_mask(bits);
	}
	out[0] = field[0] << bits | field[1];
	if (bits < 16)
		out[0] |= in[2] << (2 * bits);
	out[0] &= 0xffffffff;
	return true;
}
