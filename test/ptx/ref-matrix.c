/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix instructions: fragments are gathered into whole matrices, multiplied, and handed out again. */
#include "ref.h"

#include <stdlib.h>
#include <string.h>

#define LANES 32
#define K_MAX 256

struct shape {
	int m, n, k;
};

/* "m16n8k32" */
static struct shape shape_of(const struct pt_op *op)
{
	struct shape s = { 0, 0, 0 };

	for (unsigned i = 1; i < op->words; i++) {
		char *end;

		if (op->word[i][0] != 'm' || op->word[i][1] < '0' || op->word[i][1] > '9')
			continue;
		s.m = (int)strtol(op->word[i] + 1, &end, 10);
		s.n = (int)strtol(end + 1, &end, 10);
		s.k = (int)strtol(end + 1, &end, 10);
		break;
	}
	return s;
}

static double element(const char *type, uint64_t bits)
{
	int width;
	const struct sf_format *format = pt_format_named(type, &width);

	bits &= pt_mask(width);
	if (format)
		return sf_to_double(sf_unpack(format, bits, 0));
	return type[0] == 's' ? (double)pt_signed(bits, width) : (double)bits;
}

static uint64_t result(const struct pt_op *op, const char *type, double value)
{
	int width;
	const struct sf_format *format = pt_format_named(type, &width);
	int64_t whole = (int64_t)value;

	if (format)
		return sf_pack(format, sf_from_double(value), SF_NEAREST, 0);
	if (op->flags & SF_SATFINITE)
		whole = whole > INT32_MAX ? INT32_MAX : whole < INT32_MIN ? INT32_MIN : whole;
	return (uint64_t)whole & 0xffffffff;
}

static double a_matrix[16][K_MAX], b_matrix[K_MAX][8];

static double product(const struct pt_op *op, struct shape s, int row, int column)
{
	double sum = 0;

	for (int k = 0; k < s.k; k++) {
		double a = a_matrix[row][k], b = b_matrix[k][column];

		if (pt_op_has(op, "popc"))
			sum += pt_op_has(op, "xor") ? a != b : a * b;
		else
			sum += a * b;
	}
	return sum;
}

static void operands_gather(const struct pt_op *op, struct shape s, const uint64_t *in, int ins, int a_regs, int b_regs)
{
	const char *a = pt_op_matrix_type(op, 1), *b = pt_op_matrix_type(op, 2);
	int width, each, halves = s.m / 8;

	pt_format_named(a, &width);
	each = width >= 32 ? 1 : 32 / width;
	for (int lane = 0; lane < LANES; lane++) {
		int group = lane / 4, t = lane % 4;

		for (int r = 0; r < a_regs; r++) {
			for (int i = 0; i < each; i++)
				a_matrix[group + 8 * (r % halves)][each * (t + r / halves * 4) + i] =
					element(a, in[lane * ins + r] >> (i * width));
		}
		for (int r = 0; r < b_regs; r++) {
			for (int i = 0; i < each; i++)
				b_matrix[each * (t + r * 4) + i][group] =
					element(b, in[lane * ins + a_regs + r] >> (i * width));
		}
	}
}

bool want_mma(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	const char *d = pt_op_matrix_type(op, 0), *a = pt_op_matrix_type(op, 1), *c = pt_op_matrix_type(op, 3);
	struct shape s = shape_of(op);
	int width, c_width, a_regs, b_regs, c_regs, ins, each;

	pt_format_named(a, &width);
	pt_format_named(c, &c_width);
	each = c_width == 16 ? 2 : 1;
	a_regs = s.m * s.k * width / (LANES * (width == 64 ? 64 : 32));
	b_regs = s.n * s.k * width / (LANES * (width == 64 ? 64 : 32));
	c_regs = s.m * s.n / LANES / each;
	ins = a_regs + b_regs + c_regs;
	operands_gather(op, s, in, ins, a_regs, b_regs);
	for (int lane = 0; lane < LANES; lane++) {
		for (int i = 0; i < c_regs * each; i++) {
			int row = lane / 4 + 8 * (i / 2), column = lane % 4 * 2 + i % 2;
			uint64_t before = in[lane * ins + a_regs + b_regs + i / each] >> (i % each * 16);
			uint64_t r = result(op, d, product(op, s, row, column) + element(c, before));
			uint64_t *to = &out[lane * c_regs + i / each];

			*to = i % each ? *to | r << 16 : r;
		}
	}
	return true;
}

/* 16-bit element (ROW, COLUMN) of the matrix whose rows the lanes from 8 * N hold in two words. */
static uint64_t stored(const uint64_t *in, int n, int row, int column)
{
	return in[(n * 8 + row) * 2 + column / 4] >> (column % 4 * 16) & 0xffff;
}

bool want_ldmatrix(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	int count = pt_op_has(op, "x4") ? 4 : pt_op_has(op, "x2") ? 2 : 1;
	bool trans = pt_op_has(op, "trans");

	for (int lane = 0; lane < LANES; lane++) {
		for (int n = 0; n < count; n++) {
			int row = lane / 4, column = lane % 4 * 2;
			uint64_t low = trans ? stored(in, n, column, row) : stored(in, n, row, column);
			uint64_t high = trans ? stored(in, n, column + 1, row) : stored(in, n, row, column + 1);

			out[lane * count + n] = high << 16 | low;
		}
	}
	return true;
}

/* Each lane reads back one row of what all stored; rows that no matrix covers keep their pattern. */
bool want_stmatrix(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	int count = pt_op_has(op, "x4") ? 4 : pt_op_has(op, "x2") ? 2 : 1;
	bool trans = pt_op_has(op, "trans");

	for (int lane = 0; lane < LANES; lane++)
		out[lane * 2] = out[lane * 2 + 1] = 0xcdcdcdcdcdcdcdcd;
	for (int lane = 0; lane < count * 8; lane++)
		out[lane * 2] = out[lane * 2 + 1] = 0;
	for (int lane = 0; lane < LANES; lane++) {
		for (int i = 0; i < count * 2; i++) {
			int row = lane / 4, column = lane % 4 * 2 + i % 2, n = i / 2;
			uint64_t value = in[lane * count + n] >> (i % 2 * 16) & 0xffff;

			if (trans) {
				int t = row;

				row = column;
				column = t;
			}
			out[(n * 8 + row) * 2 + column / 4] |= value << (column % 4 * 16);
		}
	}
	return true;
}

bool want_movmatrix(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	uint16_t m[8][8];

	(void)op;
	for (int lane = 0; lane < LANES; lane++) {
		m[lane / 4][lane % 4 * 2] = (uint16_t)in[lane];
		m[lane / 4][lane % 4 * 2 + 1] = (uint16_t)(in[lane] >> 16);
	}
	for (int lane = 0; lane < LANES; lane++)
		out[lane] = (uint64_t)m[lane % 4 * 2 + 1][lane / 4] << 16 | m[lane % 4 * 2][lane / 4];
	return true;
}

/* Bytes AT of the memory that the rows are. */
static uint64_t memory_get(const uint64_t *in, int at, int bits)
{
	return in[at / 8] >> (at % 8 * 8) & pt_mask(bits);
}

/*
 * Rows of 96 bytes: A in the first half of the warp's, B in the second, each row 32 bytes; C from byte 32 on, two rows
 * of it never in one. D comes back in rows of 64 or 32 bytes.
 */
bool want_wmma(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	char a_order[8] = "", b_order[8] = "";
	const char *a = op->word[op->words - 3], *b = op->word[op->words - 2], *c = op->word[op->words - 1],
		   *d = op->word[op->words - 4];
	int width, c_width, d_width;

	for (unsigned i = 1; i + 1 < op->words; i++) {
		if (!strcmp(op->word[i], "row") || !strcmp(op->word[i], "col")) {
			strcpy(a_order, op->word[i]);
			strcpy(b_order, op->word[i + 1]);
			break;
		}
	}
	/* Halves name only D and C. */
	if (op->types == 2) {
		d = op->word[op->words - 2];
		a = b = "f16";
	}
	pt_format_named(a, &width);
	pt_format_named(c, &c_width);
	pt_format_named(d, &d_width);
	/* What D does not cover stays. */
	memset(out, 0xcd, LANES * 4 * sizeof(*out));
	memset(out, 0, 16 * 16 * (size_t)d_width / 8);
	for (int row = 0; row < 16; row++) {
		for (int column = 0; column < 16; column++) {
			double sum = element(c, memory_get(in, row * 96 + 32 + column * c_width / 8, c_width));
			int at = (row * 16 + column) * d_width / 8;

			for (int k = 0; k < 16; k++) {
				int x = !strcmp(a_order, "row") ? row * 96 + k * width / 8 : k * 96 + row * width / 8;
				int y = !strcmp(b_order, "row") ? k * 96 + column * width / 8
								: column * 96 + k * width / 8;

				sum += element(a, memory_get(in, x, width)) *
				       element(b, memory_get(in, 16 * 96 + y, width));
			}
			out[at / 8] |= result(op, d, sum) << (at % 8 * 8);
		}
	}
	return true;
}
