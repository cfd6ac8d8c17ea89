/* SPDX-License-Identifier: Apache-2.0 */
/* The video instructions: their operands stand in the argument, as "%o0.b1, -%i0.h1, %i1, %i2". */
#include "ref.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLACES 4

struct place {
	char pick[8]; /* "h0", "b3210" */
	bool neg;
};

static void places_read(const struct pt_op *op, struct place places[PLACES])
{
	const char *at = op->arg;

	memset(places, 0, PLACES * sizeof(*places));
	for (int i = 0; i < PLACES && at; i++) {
		const char *end = strchr(at, ','), *dot = strchr(at, '.'), *minus = strchr(at, '-');

		if (minus && (!end || minus < end))
			places[i].neg = true;
		if (dot && (!end || dot < end))
			snprintf(places[i].pick, sizeof(places[i].pick), "%.*s", (int)(end ? end - dot - 1 : 7),
				 dot + 1);
		at = end ? end + 1 : NULL;
	}
}

static int64_t field(uint64_t value, int at, int bits, bool is_signed)
{
	value = value >> at & pt_mask(bits);
	return is_signed ? pt_signed(value, bits) : (int64_t)value;
}

static int64_t picked(uint64_t value, const char *pick, bool is_signed)
{
	if (pick[0] == 'b')
		return field(value, (pick[1] - '0') * 8, 8, is_signed);
	if (pick[0] == 'h')
		return field(value, (pick[1] - '0') * 16, 16, is_signed);
	return field(value, 0, 32, is_signed);
}

static int64_t clamped(int64_t value, int bits, bool is_signed)
{
	int64_t most = (int64_t)pt_mask(is_signed ? bits - 1 : bits), least = is_signed ? -most - 1 : 0;

	return value > most ? most : value < least ? least : value;
}

/* Saturation, then the second operation or the merge into c. */
static uint64_t finished(const struct pt_op *op, int64_t value, bool is_signed, const char *pick, uint64_t c)
{
	int bits = pick[0] == 'b' ? 8 : pick[0] == 'h' ? 16 : 32, at = pick[0] ? (pick[1] - '0') * bits : 0;
	int64_t a, b = field(c, 0, 32, is_signed);

	if (op->flags & SF_SAT)
		value = clamped(value, bits, is_signed);
	if (pick[0])
		return (c & ~(pt_mask(bits) << at)) | ((uint64_t)value & pt_mask(bits)) << at;
	a = field((uint64_t)value, 0, 32, is_signed);
	if (pt_op_has(op, "add"))
		return (uint64_t)(a + b) & 0xffffffff;
	if (pt_op_has(op, "min"))
		return (uint64_t)(a < b ? a : b) & 0xffffffff;
	if (pt_op_has(op, "max"))
		return (uint64_t)(a > b ? a : b) & 0xffffffff;
	return (uint64_t)value & 0xffffffff;
}

static int64_t combined(const char *what, int64_t a, int64_t b)
{
	if (!strncmp(what, "vadd", 4))
		return a + b;
	if (!strncmp(what, "vsub", 4))
		return a - b;
	if (!strncmp(what, "vabsdiff", 8))
		return a < b ? b - a : a - b;
	if (!strncmp(what, "vavrg", 5))
		return a + b >= 0 ? (a + b + 1) >> 1 : (a + b) >> 1;
	return (a < b) == !strncmp(what, "vmin", 4) ? a : b;
}

bool want_video(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	struct place p[PLACES];
	int64_t a, b;

	places_read(op, p);
	a = picked(in[0], p[1].pick, op->type[1] == PT_S32);
	b = picked(in[1], p[2].pick, op->type[2] == PT_S32);
	out[0] = finished(op, combined(op->word[0], a, b), op->type[0] == PT_S32, p[0].pick, in[2]);
	return true;
}

bool want_vshift(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	struct place p[PLACES];
	int64_t a, b;

	places_read(op, p);
	a = picked(in[0], p[1].pick, op->type[1] == PT_S32);
	b = picked(in[1], p[2].pick, false);
	b = pt_op_has(op, "wrap") ? b & 31 : b > 32 ? 32 : b;
	if (strcmp(op->word[0], "vshl"))
		a >>= b;
	else
		a = field((uint64_t)a << b, 0, 34, true); /* what the intermediate result has */
	out[0] = finished(op, a, op->type[0] == PT_S32, p[0].pick, in[2]);
	return true;
}

static bool holds(const struct pt_op *op, int64_t a, int64_t b)
{
	if (pt_op_has(op, "eq"))
		return a == b;
	if (pt_op_has(op, "ne"))
		return a != b;
	if (pt_op_has(op, "lt"))
		return a < b;
	if (pt_op_has(op, "le"))
		return a <= b;
	return pt_op_has(op, "gt") ? a > b : a >= b;
}

bool want_vset(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	struct place p[PLACES];

	places_read(op, p);
	out[0] = finished(op,
			  holds(op, picked(in[0], p[1].pick, op->type[0] == PT_S32),
				picked(in[1], p[2].pick, op->type[1] == PT_S32)),
			  false, p[0].pick, in[2]);
	return true;
}

bool want_vmad(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	bool is_signed = op->type[1] == PT_S32 || op->type[2] == PT_S32;
	struct place p[PLACES];
	__int128 product, c;

	places_read(op, p);
	is_signed = is_signed || p[1].neg != p[2].neg || p[3].neg;
	product = (__int128)picked(in[0], p[1].pick, op->type[1] == PT_S32) *
		  picked(in[1], p[2].pick, op->type[2] == PT_S32);
	c = field(in[2], 0, 32, is_signed);
	if (p[1].neg != p[2].neg)
		product = -product;
	product += p[3].neg ? -c : c;
	product += pt_op_has(op, "po");
	product >>= pt_op_has(op, "shr7") ? 7 : pt_op_has(op, "shr15") ? 15 : 0;
	if (op->flags & SF_SAT)
		product = clamped((int64_t)product, 32, is_signed);
	out[0] = (uint64_t)product & 0xffffffff;
	return true;
}

/* The lanes of a two- or four-fold instruction; T is the type whose place in the opcode comes first. */
static bool simd(const struct pt_op *op, const uint64_t *in, uint64_t *out, unsigned first, bool set)
{
	int lanes = op->word[0][strlen(op->word[0]) - 1] - '0', bits = 32 / lanes;
	uint64_t both = in[1] << 32 | in[0], sum = in[2], merged = in[2];
	const char *defaults[] = { lanes == 2 ? "h10" : "b3210", lanes == 2 ? "h10" : "b3210",
				   lanes == 2 ? "h32" : "b7654" };
	bool is_signed = !set && op->type[0] == PT_S32;
	struct place p[PLACES];

	places_read(op, p);
	for (int i = 0; i < 3; i++) {
		if (!p[i].pick[0])
			strcpy(p[i].pick, defaults[i]);
	}
	for (int lane = 0; lane < lanes; lane++) {
		int64_t a = field(both, (p[1].pick[lanes - lane] - '0') * bits, bits, op->type[first] == PT_S32);
		int64_t b = field(both, (p[2].pick[lanes - lane] - '0') * bits, bits, op->type[first + 1] == PT_S32);
		int64_t r = set ? holds(op, a, b) : combined(op->word[0], a, b);

		if (!strchr(p[0].pick + 1, '0' + lane))
			continue;
		if (op->flags & SF_SAT)
			r = clamped(r, bits, is_signed);
		/* Without saturation the sum takes what fits the lane. */
		sum += (uint64_t)r;
		merged = (merged & ~(pt_mask(bits) << (lane * bits))) | ((uint64_t)r & pt_mask(bits)) << (lane * bits);
	}
	out[0] = (pt_op_has(op, "add") ? sum : merged) & 0xffffffff;
	return true;
}

bool want_simd(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	return simd(op, in, out, 1, false);
}

bool want_simd_set(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	return simd(op, in, out, 0, true);
}
