/*
 * Products of small matrices in vector code: mma and wmma of all types but single bits.  Sums are made in double, one
 * product after the other, so that results do not depend on the extension.
 *
 * A slot of 32 lanes holds a tile of 8 rows, four lanes to a row, in the order of memory: of A as it is, of B turned,
 * of C as it is or with its columns in two slots.  The fragments of wmma are the matrix row by row.
 */
#include "refgpu/compute/half.h"
#include "refgpu/compute/matrix.h"
#include "refgpu/compute/vec.h"

struct matrices {
	_Alignas(64) double a[16 * 64];
	_Alignas(64) double b[64 * 8];
	_Alignas(64) double c[32 * 8];
};

/* -- elements of one slot (F64: two) as doubles, in the order of memory; return: how many -- */

#define EACH(n) PL_SM_IVDEP for (int i = 0; i < (n); i++)

static unsigned halves_to(double *out, const uint16_t *in, unsigned type)
{
	if (type == PL_ISA_F16)
		EACH(64) out[i] = f16_to_f32(in[i]);
	else
		EACH(64) out[i] = bf16_to_f32(in[i]);
	return 64;
}

static unsigned bytes_to(double *out, const uint8_t *in, unsigned type)
{
	switch (type) {
	case PL_ISA_S8:
		EACH(128) out[i] = (int8_t)in[i];
		return 128;
	case PL_ISA_U8:
		EACH(128) out[i] = in[i];
		return 128;
	case PL_ISA_S4:
		for (int i = 0; i < 128; i++) {
			out[2 * i] = (int8_t)(in[i] << 4) >> 4;
			out[2 * i + 1] = (int8_t)in[i] >> 4;
		}
		return 256;
	default:
		for (int i = 0; i < 128; i++) {
			out[2 * i] = in[i] & 15;
			out[2 * i + 1] = in[i] >> 4;
		}
		return 256;
	}
}

static unsigned slot_to(double *out, const char *slot, unsigned type)
{
	const void *in = slot;
	const uint32_t *words = in;
	const double *wide = in;

	switch (type) {
	case PL_ISA_F16:
	case PL_ISA_BF16:
		return halves_to(out, in, type);
	case PL_ISA_F32:
		EACH(32) out[i] = bits_f32(words[i]);
		return 32;
	case PL_ISA_TF32: /* the low 13 bits are not looked at */
		EACH(32) out[i] = bits_f32(words[i] & 0xffffe000u);
		return 32;
	case PL_ISA_F64:
		EACH(32) out[i] = wide[i];
		return 32;
	case PL_ISA_S32:
		EACH(32) out[i] = (int32_t)words[i];
		return 32;
	default:
		return bytes_to(out, in, type);
	}
}

/* From doubles to one slot, likewise. */
static unsigned slot_from(char *slot, const double *in, unsigned type, bool sat)
{
	void *out = slot;
	uint32_t *words = out;
	uint16_t *halves = out;
	double *wide = out;

	switch (type) {
	case PL_ISA_F16:
		EACH(64) halves[i] = f64_to_f16(in[i]);
		return 64;
	case PL_ISA_F32:
		EACH(32) words[i] = in[i] == in[i] ? f32_bits((float)in[i]) : 0x7fffffff;
		return 32;
	case PL_ISA_F64:
		EACH(32) wide[i] = in[i];
		return 32;
	default:
		for (int i = 0; i < 32; i++) {
			double v = in[i];

			if (sat)
				v = v > INT32_MAX ? INT32_MAX : v < INT32_MIN ? INT32_MIN : v;
			words[i] = (uint32_t)(int64_t)v;
		}
		return 32;
	}
}

static unsigned slot_bytes(unsigned type)
{
	return type == PL_ISA_F64 ? 2 * PL_SM_SLOT_BYTES : PL_SM_SLOT_BYTES;
}

/* -- products -- */

/* c += a b; n is a multiple of 8.  Rows four at a time keep the adders busy. */
static void multiply(struct matrices *x, unsigned m, unsigned n, unsigned k)
{
	for (unsigned i = 0; i < m; i += 4)
		for (unsigned j = 0; j < n; j += 8) {
			double sum[4][8];
			const double *a = x->a + i * k;

			for (unsigned r = 0; r < 4; r++)
				for (unsigned q = 0; q < 8; q++)
					sum[r][q] = x->c[(i + r) * n + j + q];
			for (unsigned p = 0; p < k; p++) {
				const double *b = x->b + p * n + j;

				for (unsigned r = 0; r < 4; r++)
					for (unsigned q = 0; q < 8; q++)
						sum[r][q] += a[r * k + p] * b[q];
			}
			for (unsigned r = 0; r < 4; r++)
				for (unsigned q = 0; q < 8; q++)
					x->c[(i + r) * n + j + q] = sum[r][q];
		}
}

/* -- mma -- */

static void read_a(struct matrices *x, const struct pl_sm_mma *s, const char *R, unsigned type)
{
	double tile[256];
	unsigned halves = s->m == 16 ? 2 : 1;

	for (unsigned at = 0, reg = 0; at < s->m * s->k; reg++) {
		unsigned count = slot_to(tile, R + reg * slot_bytes(type), type), width = count / 8;
		double *to = x->a + (reg % halves * 8) * s->k + reg / halves * width;

		for (unsigned g = 0; g < 8; g++)
			memcpy(to + g * s->k, tile + g * width, width * sizeof(*to));
		at += count;
	}
}

static void read_b(struct matrices *x, const struct pl_sm_mma *s, const char *R, unsigned type)
{
	double tile[256];

	for (unsigned at = 0, reg = 0; at < s->n * s->k; reg++) {
		unsigned count = slot_to(tile, R + reg * slot_bytes(type), type), width = count / 8;
		double *to = x->b + reg * width * 8;

		for (unsigned g = 0; g < 8; g++)
			for (unsigned r = 0; r < width; r++)
				to[r * 8 + g] = tile[g * width + r];
		at += count;
	}
}

static void read_c(struct matrices *x, const struct pl_sm_mma *s, const char *R, unsigned type)
{
	double tile[64];

	for (unsigned at = 0, reg = 0; at < s->m * 8; reg++) {
		unsigned count = slot_to(tile, R + reg * slot_bytes(type), type);

		if (count == 64)
			memcpy(x->c + at, tile, sizeof(tile));
		else
			for (unsigned i = 0; i < 32; i++)
				x->c[reg / 2 * 64 + i * 2 + reg % 2] = tile[i];
		at += count;
	}
}

static void write_d(const struct matrices *x, const struct pl_sm_mma *s, char *R, unsigned type, bool sat)
{
	double tile[32];

	for (unsigned at = 0, reg = 0; at < s->m * 8; reg++) {
		char *slot = R + reg * slot_bytes(type);

		if (type == PL_ISA_F16) {
			at += slot_from(slot, x->c + at, type, sat);
			continue;
		}
		for (unsigned i = 0; i < 32; i++)
			tile[i] = x->c[reg / 2 * 64 + i * 2 + reg % 2];
		at += slot_from(slot, tile, type, sat);
	}
}

static __attribute__((noinline)) void mma_do(const struct pl_sm_op *op, char *R)
{
	const struct pl_sm_mma *s = &pl_sm_mma_shapes[PL_SM_MATRIX_SHAPE(op->x)];
	struct matrices x;

	read_a(&x, s, R + op->a, PL_SM_MATRIX_A(op->x));
	read_b(&x, s, R + op->b, PL_SM_MATRIX_B(op->x));
	read_c(&x, s, R + op->c, pl_sm_matrix_c(op->x));
	multiply(&x, s->m, 8, s->k);
	write_d(&x, s, R + op->d, PL_SM_MATRIX_TYPE(op->x), PL_SM_MATRIX_SAT(op->x));
}

static void mma_h(PL_SM_ARGS)
{
	(void)mask;
	mma_do(op, R);
	PL_SM_NEXT;
}

/* -- wmma -- */

static void read_rows(double *out, const char *R, unsigned type, unsigned count)
{
	for (unsigned at = 0; at < count; R += slot_bytes(type))
		at += slot_to(out + at, R, type);
}

static __attribute__((noinline)) void wmma_do(const struct pl_sm_op *op, char *R)
{
	const struct pl_sm_mma *s = &pl_sm_wmma_shapes[PL_SM_MATRIX_SHAPE(op->x)];
	unsigned type = PL_SM_MATRIX_TYPE(op->x);
	struct matrices x;
	char *d = R + op->d;

	read_rows(x.a, R + op->a, PL_SM_MATRIX_A(op->x), s->m * s->k);
	read_rows(x.b, R + op->b, PL_SM_MATRIX_B(op->x), s->k * s->n);
	read_rows(x.c, R + op->c, pl_sm_matrix_c(op->x), s->m * s->n);
	multiply(&x, s->m, s->n, s->k);
	for (unsigned at = 0; at < s->m * s->n; d += slot_bytes(type))
		at += slot_from(d, x.c + at, type, PL_SM_MATRIX_SAT(op->x));
}

static void wmma_h(PL_SM_ARGS)
{
	(void)mask;
	wmma_do(op, R);
	PL_SM_NEXT;
}

static bool element_good(unsigned type)
{
	return type == PL_ISA_F16 || type == PL_ISA_BF16 || type == PL_ISA_F32 || type == PL_ISA_TF32 ||
	       type == PL_ISA_F64 || type == PL_ISA_S8 || type == PL_ISA_U8 || type == PL_ISA_S4 || type == PL_ISA_U4;
}

/* Whole slots, whole rows of tiles, and no more than there is room for. */
static bool sizes_good(const struct pl_sm_mma *s, unsigned a, unsigned b, unsigned c, unsigned d)
{
	unsigned a_slot = a == PL_ISA_F64 ? 32 : 1024 / pl_sm_element_bits(a);
	unsigned b_slot = b == PL_ISA_F64 ? 32 : 1024 / pl_sm_element_bits(b);
	unsigned c_slot = c == PL_ISA_F16 || d == PL_ISA_F16 ? 64 : 32;

	return s->m * s->k <= 16 * 64 && s->k * s->n <= 64 * 8 && s->m * s->n <= 32 * 8 && s->m % 8 == 0 &&
	       s->n % 8 == 0 && s->k * 8 % a_slot == 0 && s->k * 8 % b_slot == 0 && s->m * s->n % c_slot == 0;
}

/* Single bits, and m8n8k4 of halves, whose lanes lie otherwise: matrix.c. */
bool V(pl_sm_bind_matrix)(const struct pl_isa_fields *f, struct pl_sm_op *op);
bool V(pl_sm_bind_matrix)(const struct pl_isa_fields *f, struct pl_sm_op *op)
{
	uint32_t x = pl_sm_matrix_x(f);
	unsigned c = pl_sm_matrix_c(x), d = PL_SM_MATRIX_TYPE(x);

	if ((f->op != PL_ISA_MMA && f->op != PL_ISA_WMMA) || f->imm >> 11 ||
	    f->sub >= (f->op == PL_ISA_MMA ? (unsigned)PL_ISA_MMA_COUNT : (unsigned)PL_ISA_WMMA_COUNT) ||
	    !element_good(PL_SM_MATRIX_A(x)) || !element_good(PL_SM_MATRIX_B(x)))
		return false;
	if (f->op == PL_ISA_MMA && PL_SM_MATRIX_SHAPE(x) == PL_ISA_MMA_M8N8K4 && PL_SM_MATRIX_A(x) == PL_ISA_F16)
		return false;
	if ((c != PL_ISA_F16 && c != PL_ISA_F32 && c != PL_ISA_F64 && c != PL_ISA_S32) ||
	    (d != PL_ISA_F16 && d != PL_ISA_F32 && d != PL_ISA_F64 && d != PL_ISA_S32))
		return false;
	if (!sizes_good(f->op == PL_ISA_MMA ? &pl_sm_mma_shapes[f->sub] : &pl_sm_wmma_shapes[f->sub], PL_SM_MATRIX_A(x),
			PL_SM_MATRIX_B(x), c, d))
		return false;
	op->x = x;
	op->fn[0] = op->fn[1] = f->op == PL_ISA_MMA ? mma_h : wmma_h;
	return true;
}
