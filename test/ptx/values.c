/* SPDX-License-Identifier: Apache-2.0 */
/* Operands: every edge of a type against every edge of the next, then random ones, and such that nearly cancel. */
#include "ptx.h"

#define EDGES_MAX 64

struct edges {
	uint64_t value[EDGES_MAX];
	unsigned count;
};

uint64_t pt_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static void edge_add(struct edges *e, uint64_t value, int bits)
{
	if (e->count < EDGES_MAX)
		e->value[e->count++] = value & pt_mask(bits);
}

static void edges_of_float(struct edges *e, const struct sf_format *f)
{
	static const double values[] = { 1,     2,     0.5,   1.5,    2.5,    -0.5,          127.5,  128,    255.5,
					 32768, 65504, 65520, 0x1p31, 0x1p32, 0x1.fffffep30, 0x1p63, 0x1p64, 3.25 };
	int width = 1 + f->exp_bits + f->man_bits;
	uint64_t one = (uint64_t)1 << f->man_bits, infinity = (pt_mask(f->exp_bits)) << f->man_bits;
	uint64_t bias = ((uint64_t)1 << (f->exp_bits - 1)) - 1;
	const uint64_t magnitudes[] = { 0,
					1,
					one - 1,
					one,
					one + 1,
					bias * one,
					bias * one + 1,
					bias * one - 1,
					infinity - 1,
					infinity,
					infinity + one / 2,
					infinity + 1,
					infinity + one - 1 };

	for (size_t i = 0; i < sizeof(magnitudes) / sizeof(magnitudes[0]); i++) {
		edge_add(e, magnitudes[i], width);
		edge_add(e, magnitudes[i] | (uint64_t)1 << (width - 1), width);
	}
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		edge_add(e, sf_pack(f, sf_from_double(values[i]), SF_ZERO, 0), width);
		if (i & 1)
			edge_add(e, sf_pack(f, sf_from_double(-values[i]), SF_ZERO, 0), width);
	}
}

static void edges_of_int(struct edges *e, int bits)
{
	uint64_t half = (uint64_t)1 << (bits - 1);
	const uint64_t values[] = { 0,
				    1,
				    2,
				    3,
				    ~(uint64_t)0,
				    ~(uint64_t)1,
				    half,
				    half - 1,
				    half + 1,
				    half - 2,
				    half >> 1,
				    0x5555555555555555,
				    0xaaaaaaaaaaaaaaaa,
				    0xff,
				    0x80,
				    0x7f,
				    0xffff,
				    0x8000,
				    0x7fff,
				    0x80000000,
				    0x7fffffff,
				    0xffffffff,
				    0x00ff00ff00ff00ff,
				    10,
				    0x123456789abcdef0 };

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		edge_add(e, values[i], bits);
}

static void edges_of(struct edges *e, struct pt_operand o)
{
	const struct pt_type_info *t = &pt_types[o.type];

	e->count = 0;
	if (o.kind == 's') {
		static const unsigned counts[] = { 0,  1,  2,  7,  8,  15,  16,  17,  31,  32,         33,        47,
						   48, 63, 64, 65, 96, 127, 128, 255, 256, 0x80000000, 0xffffffff };
		for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
			edge_add(e, counts[i], 32);
	} else if (o.kind == 'n') {
		static const unsigned places[] = { 0, 1, 2, 8, 15, 16, 30, 31, 32, 33, 48, 63, 64, 65, 100, 254, 255 };

		for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
			edge_add(e, places[i], 32);
	} else if (t->format) {
		edges_of_float(e, t->format);
	} else if (t->bits > 1) {
		edges_of_int(e, t->bits / t->lanes);
	} else {
		edge_add(e, 0, 1);
		edge_add(e, 1, 1);
	}
}

static uint64_t float_random(const struct sf_format *f, uint64_t *state)
{
	int width = 1 + f->exp_bits + f->man_bits;
	uint64_t bits = pt_random(state) & pt_mask(width), spread = (uint64_t)f->man_bits + 3, exp, r;

	r = pt_random(state);
	if (r & 1)
		return bits;
	/* Near 1, so that operands of one instruction meet. */
	exp = ((uint64_t)1 << (f->exp_bits - 1)) - 1 + (r >> 8) % spread - spread / 2;
	if (exp > pt_mask(f->exp_bits))
		exp = 1;
	bits &= ~(pt_mask(f->exp_bits) << f->man_bits);
	if (r & 2) /* few digits: ties */
		bits &= ~pt_mask(f->man_bits / 2);
	return bits | exp << f->man_bits;
}

static uint64_t lane_random(struct pt_operand o, uint64_t *state)
{
	const struct pt_type_info *t = &pt_types[o.type];
	uint64_t r = pt_random(state);

	if (o.kind == 's')
		return r >> 32 & 1 ? r % 70 : r & 0xffffffff;
	if (o.kind == 'n')
		return r >> 32 & 1 ? r % 40 : r & 0xff;
	if (t->format)
		return float_random(t->format, state);
	/* Of every length. */
	r >>= r & 1 ? 0 : pt_random(state) % 64;
	return r & pt_mask(t->bits / (t->lanes ? t->lanes : 1));
}

/* A register full of small whole numbers. */
static uint64_t small_make(struct pt_operand o, uint64_t *state)
{
	int width = 1 + o.small->exp_bits + o.small->man_bits;
	uint64_t value = 0;

	for (int at = 0; at < pt_types[o.type].bits; at += width) {
		uint64_t r = pt_random(state);

		value |= sf_pack(o.small, sf_from_int(r % 8, r >> 32 & 1), SF_NEAREST, 0) << at;
	}
	return value;
}

static uint64_t operand_make(struct pt_operand o, const struct edges *e, uint64_t chosen, uint64_t *state)
{
	const struct pt_type_info *t = &pt_types[o.type];
	int bits = t->bits / (t->lanes ? t->lanes : 1);
	uint64_t value = 0;

	if (o.small)
		return small_make(o, state);
	if (o.kind == 'R')
		return pt_random(state) & pt_mask(t->bits);
	for (int lane = 0; lane < t->lanes; lane++) {
		uint64_t v;

		if (lane == 0 && chosen < e->count)
			v = e->value[chosen];
		else if (pt_random(state) % 4 == 0)
			v = e->value[pt_random(state) % e->count];
		else
			v = lane_random(o, state);
		value |= v << (lane * bits);
	}
	/* What lies above a narrow operand must not matter. */
	return t->bits == 8 ? value | (pt_random(state) << 8 & 0xffffff00) : value;
}

/* c := -(a * b), rounded: what is left of a fused product. */
static void cancel(const struct pt_case *c, uint64_t *in)
{
	const struct sf_format *f = pt_types[c->in[0].type].format;

	if (!f || pt_types[c->in[0].type].lanes != 1 || c->ins != 3 || c->in[2].type != c->in[0].type)
		return;
	in[2] = sf_pack(f, sf_negate(sf_mul(sf_unpack(f, in[0], 0), sf_unpack(f, in[1], 0))), SF_NEAREST, 0);
}

void pt_operands_fill(const struct pt_case *c, uint64_t *rows, uint64_t seed)
{
	struct edges edges[PT_INS_MAX];
	uint64_t state = seed, pairs;

	for (unsigned k = 0; k < c->ins; k++)
		edges_of(&edges[k], c->in[k]);
	pairs = c->ins < 2 ? 0 : (uint64_t)edges[0].count * edges[1].count;
	for (unsigned row = 0; row < c->rows; row++) {
		uint64_t *in = rows + (size_t)row * c->ins, pair = row;

		if (pairs > c->rows * 3 / 4)
			pair = row < c->rows * 3 / 4 ? pt_random(&state) % pairs : ~(uint64_t)0;
		for (unsigned k = 0; k < c->ins; k++) {
			uint64_t chosen = ~(uint64_t)0;

			if (c->ins == 1)
				chosen = row;
			else if (k < 2 && pair < pairs)
				chosen = k ? pair / edges[0].count : pair % edges[0].count;
			in[k] = operand_make(c->in[k], &edges[k], chosen, &state);
		}
		if (row % 8 == 7)
			cancel(c, in);
	}
}
