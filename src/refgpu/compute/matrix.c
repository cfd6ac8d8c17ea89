/*
 * Matrix operations: mma and wmma fragments, ldmatrix, stmatrix, movmatrix.  Fragments are gathered into small
 * matrices, multiplied with double or 64-bit accumulation, and scattered again.  Which lane holds which element: PTX's
 * figures for mma; for wmma, whose layout PTX leaves open, the row-major order of elements dealt to lanes in turn.
 */
#include <fenv.h>
#include <math.h>
#include <string.h>

#include "refgpu/compute/convert.h"
#include "refgpu/compute/half.h"
#include "refgpu/compute/matrix.h"
#include "refgpu/compute/mem.h"
#include "refgpu/compute/next.h"

unsigned pl_sm_element_bits(unsigned type)
{
	if (type == PL_ISA_E4M3X2 || type == PL_ISA_E5M2X2) /* one of the two */
		return 8;
	return type == PL_ISA_B1 ? 1 : type == PL_ISA_U4 || type == PL_ISA_S4 ? 4 : pl_isa_type_bytes(type) * 8;
}

/* Element `index` of a lane's registers, packed from the lowest bit. */
static uint64_t bits_get(const char *R, uint32_t first, unsigned index, unsigned bits, uint32_t lane)
{
	unsigned slot = index * bits / 32, shift = index * bits % 32;
	uint64_t v;

	if (bits == 64) {
		memcpy(&v, R + first + index * 2 * PL_SM_SLOT_BYTES + lane * 8, 8);
		return v;
	}
	v = ((const uint32_t *)(const void *)(R + first + slot * PL_SM_SLOT_BYTES))[lane] >> shift;
	return bits == 32 ? v : v & ((1ull << bits) - 1);
}

static void bits_set(char *R, uint32_t first, unsigned index, unsigned bits, uint32_t lane, uint64_t v)
{
	unsigned slot = index * bits / 32, shift = index * bits % 32;
	uint32_t *at, field;

	if (bits == 64) {
		memcpy(R + first + index * 2 * PL_SM_SLOT_BYTES + lane * 8, &v, 8);
		return;
	}
	at = &((uint32_t *)(void *)(R + first + slot * PL_SM_SLOT_BYTES))[lane];
	field = bits == 32 ? ~0u : ((1u << bits) - 1) << shift;
	*at = (*at & ~field) | ((uint32_t)v << shift & field);
}

static double number_of(uint64_t v, unsigned type)
{
	switch (type) {
	case PL_ISA_F16:
		return f16_to_f32((uint16_t)v);
	case PL_ISA_BF16:
		return bf16_to_f32((uint16_t)v);
	case PL_ISA_F32:
		return bits_f32((uint32_t)v);
	case PL_ISA_TF32: /* the low 13 bits are not looked at */
		return bits_f32((uint32_t)v & 0xffffe000u);
	case PL_ISA_F64:
		return bits_f64(v);
	case PL_ISA_E4M3X2:
		return pl_sm_small_unpack((uint32_t)v, &pl_sm_e4m3);
	case PL_ISA_E5M2X2:
		return pl_sm_small_unpack((uint32_t)v, &pl_sm_e5m2);
	case PL_ISA_S8:
		return (int8_t)v;
	case PL_ISA_S4:
		return (int8_t)(v << 4) >> 4;
	case PL_ISA_S32:
		return (int32_t)v;
	default:
		return (double)v;
	}
}

static uint64_t number_to(double v, unsigned type, bool sat)
{
	switch (type) {
	case PL_ISA_F16:
		return f64_to_f16(v);
	case PL_ISA_F32:
		return v == v ? f32_bits((float)v) : 0x7fffffff;
	case PL_ISA_F64:
		return f64_bits(v);
	default:
		if (sat)
			v = v > INT32_MAX ? INT32_MAX : v < INT32_MIN ? INT32_MIN : v;
		return (uint32_t)(int64_t)v;
	}
}

/* -- where elements lie: PTX's fragments of mma -- */

/* Row and column of element e of a lane; A: rows x k, B: k x columns, C: rows x columns. */
static void place_a(const struct pl_sm_mma *s, unsigned bits, uint32_t lane, unsigned e, unsigned *row, unsigned *col)
{
	unsigned group = lane >> 2, in = lane & 3, pack = bits >= 32 ? 1 : 32 / bits, half = s->m == 16 ? 2 : 1;
	unsigned reg = e / pack, sub = e % pack;

	*row = group + (half == 2 && reg & 1 ? 8 : 0);
	*col = in * pack + sub + reg / half * 4 * pack;
}

static void place_b(const struct pl_sm_mma *s, unsigned bits, uint32_t lane, unsigned e, unsigned *row, unsigned *col)
{
	unsigned group = lane >> 2, in = lane & 3, pack = bits >= 32 ? 1 : 32 / bits;

	(void)s;
	*col = group;
	*row = in * pack + e % pack + e / pack * 4 * pack;
}

static void place_c(uint32_t lane, unsigned e, unsigned *row, unsigned *col)
{
	*row = (lane >> 2) + (e >> 1) * 8;
	*col = (lane & 3) * 2 + (e & 1);
}

const struct pl_sm_mma pl_sm_mma_shapes[PL_ISA_MMA_COUNT] = {
	{ 8, 8, 4 },    { 16, 8, 4 },   { 16, 8, 8 }, { 16, 8, 16 }, { 16, 8, 32 }, { 16, 8, 64 },
	{ 16, 8, 128 }, { 16, 8, 256 }, { 8, 8, 16 }, { 8, 8, 32 },  { 8, 8, 128 },
};

/* The matrices of one operation. */
struct work {
	double a[32 * 256], b[256 * 32], c[32 * 32];
};

/* Not inline: the rounding mode is set around it. */
static __attribute__((noinline)) void multiply(struct work *x, unsigned m, unsigned n, unsigned k)
{
	for (unsigned i = 0; i < m; i++)
		for (unsigned j = 0; j < n; j++) {
			double sum = x->c[i * n + j];

			for (unsigned p = 0; p < k; p++) /* but for F64 the product is exact */
				sum = fma(x->a[i * k + p], x->b[p * n + j], sum);
			x->c[i * n + j] = sum;
		}
}

static void multiply_bits(struct work *x, unsigned m, unsigned n, unsigned k, bool and)
{
	for (unsigned i = 0; i < m; i++)
		for (unsigned j = 0; j < n; j++) {
			unsigned count = 0;

			for (unsigned p = 0; p < k; p++) {
				bool a = x->a[i * k + p] != 0, b = x->b[p * n + j] != 0;
				count += and? a && b : a != b;
			}
			x->c[i * n + j] += count;
		}
}

static void product(struct work *x, const struct pl_sm_op *op, unsigned m, unsigned n, unsigned k)
{
	static const int modes[] = { FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD };

	if (PL_SM_MATRIX_A(op->x) == PL_ISA_B1) {
		multiply_bits(x, m, n, k, PL_SM_MATRIX_IMM(op->x) & PL_ISA_MMA_AND);
	} else if (op->imm == PL_ISA_RN) {
		multiply(x, m, n, k);
	} else {
		fesetround(modes[op->imm & 3]);
		multiply(x, m, n, k);
		fesetround(FE_TONEAREST);
	}
}

static __attribute__((noinline)) void mma_do(const struct pl_sm_op *op, char *R)
{
	static _Thread_local struct work work;
	const struct pl_sm_mma *s = &pl_sm_mma_shapes[PL_SM_MATRIX_SHAPE(op->x)];
	unsigned abits = pl_sm_element_bits(PL_SM_MATRIX_A(op->x)), bbits = pl_sm_element_bits(PL_SM_MATRIX_B(op->x));
	unsigned cbits = pl_sm_element_bits(pl_sm_matrix_c(op->x)),
		 dbits = pl_sm_element_bits(PL_SM_MATRIX_TYPE(op->x)), row, col;

	for (uint32_t lane = 0; lane < PL_ISA_LANES; lane++) {
		for (unsigned e = 0; e < s->m * s->k / PL_ISA_LANES; e++) {
			place_a(s, abits, lane, e, &row, &col);
			work.a[row * s->k + col] = number_of(bits_get(R, op->a, e, abits, lane), PL_SM_MATRIX_A(op->x));
		}
		for (unsigned e = 0; e < s->n * s->k / PL_ISA_LANES; e++) {
			place_b(s, bbits, lane, e, &row, &col);
			work.b[row * s->n + col] = number_of(bits_get(R, op->b, e, bbits, lane), PL_SM_MATRIX_B(op->x));
		}
		for (unsigned e = 0; e < s->m * s->n / PL_ISA_LANES; e++) {
			place_c(lane, e, &row, &col);
			work.c[row * s->n + col] = number_of(bits_get(R, op->c, e, cbits, lane), pl_sm_matrix_c(op->x));
		}
	}
	product(&work, op, s->m, s->n, s->k);
	for (uint32_t lane = 0; lane < PL_ISA_LANES; lane++)
		for (unsigned e = 0; e < s->m * s->n / PL_ISA_LANES; e++) {
			place_c(lane, e, &row, &col);
			bits_set(
				R, op->d, e, dbits, lane,
				number_to(work.c[row * s->n + col], PL_SM_MATRIX_TYPE(op->x), PL_SM_MATRIX_SAT(op->x)));
		}
}

/* -- m8n8k4 of half precision: four products, each by the eight lanes i, i + 16 of one quad pair -- */

static unsigned quad_lane(uint32_t lane)
{
	return (lane & 3) + (lane & 16 ? 4 : 0);
}

static void quad_place_c(uint32_t lane, unsigned e, bool f32, unsigned *row, unsigned *col)
{
	unsigned high = lane & 16 ? 4 : 0;

	if (f32) {
		*row = (lane & 1) + (e & 2) + high;
		*col = (e & 4) + (lane & 2) + (e & 1);
	} else {
		*row = (lane & 3) + high;
		*col = e;
	}
}

static __attribute__((noinline)) void mma_quad_do(const struct pl_sm_op *op, char *R)
{
	static _Thread_local struct work work;
	bool a_col = PL_SM_MATRIX_IMM(op->x) & PL_ISA_MMA_A_COL, b_row = PL_SM_MATRIX_IMM(op->x) & PL_ISA_MMA_B_ROW;
	unsigned tc = pl_sm_matrix_c(op->x), td = PL_SM_MATRIX_TYPE(op->x), row, col;

	for (unsigned quad = 0; quad < 4; quad++) {
		for (uint32_t lane = 0; lane < PL_ISA_LANES; lane++) {
			unsigned high = lane & 16 ? 4 : 0;

			if ((lane >> 2 & 3) != quad)
				continue;
			for (unsigned e = 0; e < 4; e++) {
				row = a_col ? e + high : (lane & 3) + high, col = a_col ? lane & 3 : e;
				work.a[row * 4 + col] = number_of(bits_get(R, op->a, e, 16, lane), PL_ISA_F16);
				row = b_row ? lane & 3 : e, col = b_row ? e + high : quad_lane(lane);
				work.b[row * 8 + col] = number_of(bits_get(R, op->b, e, 16, lane), PL_ISA_F16);
			}
			for (unsigned e = 0; e < 8; e++) {
				quad_place_c(lane, e, tc == PL_ISA_F32, &row, &col);
				work.c[row * 8 + col] =
					number_of(bits_get(R, op->c, e, pl_sm_element_bits(tc), lane), tc);
			}
		}
		multiply(&work, 8, 8, 4);
		for (uint32_t lane = 0; lane < PL_ISA_LANES; lane++)
			for (unsigned e = 0; e < 8 && (lane >> 2 & 3) == quad; e++) {
				quad_place_c(lane, e, td == PL_ISA_F32, &row, &col);
				bits_set(R, op->d, e, pl_sm_element_bits(td), lane,
					 number_to(work.c[row * 8 + col], td, false));
			}
	}
}

static void mma_h(PL_SM_ARGS)
{
	(void)mask;
	if (PL_SM_MATRIX_SHAPE(op->x) == PL_ISA_MMA_M8N8K4 && PL_SM_MATRIX_A(op->x) == PL_ISA_F16)
		mma_quad_do(op, R);
	else
		mma_do(op, R);
	PL_SM_NEXT;
}

/* -- wmma -- */

const struct pl_sm_mma pl_sm_wmma_shapes[PL_ISA_WMMA_COUNT] = { { 16, 16, 16 }, { 32, 8, 16 }, { 8, 32, 16 },
								{ 16, 16, 8 },  { 8, 8, 4 },   { 8, 8, 32 },
								{ 8, 8, 128 } };

/* Element e of a lane is number e * 32 + lane, row by row; elements of less than 32 bits pack, so that the
 * neighbours in a register are neighbours in a row. */
static unsigned wm_number(unsigned bits, uint32_t lane, unsigned e)
{
	unsigned pack = bits >= 32 ? 1 : 32 / bits;

	return (e / pack * PL_ISA_LANES + lane) * pack + e % pack;
}

/* rows: of a fragment that lies column by column; 0: row by row */
static void wm_gather(const char *R, uint32_t first, unsigned type, unsigned count, unsigned rows, double *out)
{
	unsigned bits = pl_sm_element_bits(type);

	for (uint32_t lane = 0; lane < PL_ISA_LANES; lane++)
		for (unsigned e = 0; e < (count + PL_ISA_LANES - 1) / PL_ISA_LANES; e++) {
			unsigned number = wm_number(bits, lane, e);

			if (number >= count)
				continue;
			if (rows)
				number = number % rows * (count / rows) + number / rows;
			out[number] = number_of(bits_get(R, first, e, bits, lane), type);
		}
}

static __attribute__((noinline)) void wmma_do(const struct pl_sm_op *op, char *R)
{
	static _Thread_local struct work work;
	const struct pl_sm_mma *s = &pl_sm_wmma_shapes[PL_SM_MATRIX_SHAPE(op->x)];
	unsigned count = s->m * s->n, dbits = pl_sm_element_bits(PL_SM_MATRIX_TYPE(op->x));

	wm_gather(R, op->a, PL_SM_MATRIX_A(op->x), s->m * s->k, 0, work.a);
	wm_gather(R, op->b, PL_SM_MATRIX_B(op->x), s->k * s->n,
		  pl_sm_wm_by_column(PL_ISA_WM_B, pl_sm_element_bits(PL_SM_MATRIX_B(op->x))) ? s->k : 0, work.b);
	wm_gather(R, op->c, pl_sm_matrix_c(op->x), count, 0, work.c);
	product(&work, op, s->m, s->n, s->k);
	for (uint32_t lane = 0; lane < PL_ISA_LANES; lane++)
		for (unsigned e = 0; e < count / PL_ISA_LANES; e++)
			bits_set(R, op->d, e, dbits, lane,
				 number_to(work.c[wm_number(dbits, lane, e)], PL_SM_MATRIX_TYPE(op->x),
					   PL_SM_MATRIX_SAT(op->x)));
}

static void wmma_h(PL_SM_ARGS)
{
	(void)mask;
	wmma_do(op, R);
	PL_SM_NEXT;
}

struct wm_place { /* what the lanes give; copied, as the fragment may lie over it */
	uint64_t base[PL_ISA_LANES];
	uint32_t stride[PL_ISA_LANES];
};

/* Address of a fragment's element for a lane, and its bit within the byte. */
static uint64_t wm_address(const struct pl_sm_op *op, const struct wm_place *place, uint32_t lane, unsigned number,
			   unsigned *bit)
{
	unsigned rows, cols, bits = pl_sm_element_bits(op->type), row, col;
	uint64_t at;

	pl_sm_wm_size(op->sub, op->x & 3, &rows, &cols);
	row = pl_sm_wm_by_column(op->x & 3, bits) ? number % rows : number / cols;
	col = pl_sm_wm_by_column(op->x & 3, bits) ? number / rows : number % cols;
	at = op->x & PL_ISA_WM_COL ? (uint64_t)col * place->stride[lane] + row
				   : (uint64_t)row * place->stride[lane] + col;
	*bit = (unsigned)(at * bits & 7);
	return place->base[lane] + at * bits / 8;
}

static bool wm_lane(struct pl_sm_warp *w, const struct pl_sm_op *op, char *R, const struct wm_place *place,
		    uint32_t lane, bool store)
{
	unsigned rows, cols, bits = pl_sm_element_bits(op->type), bit, bytes = bits < 8 ? 1 : bits / 8;
	unsigned space = op->x & PL_ISA_WM_SHARED ? PL_ISA_SHARED : PL_ISA_GENERIC;

	pl_sm_wm_size(op->sub, op->x & 3, &rows, &cols);
	for (unsigned e = 0; e < (rows * cols + PL_ISA_LANES - 1) / PL_ISA_LANES; e++) {
		unsigned number = wm_number(bits, lane, e);
		uint64_t va, v = 0;

		if (number >= rows * cols)
			continue;
		va = wm_address(op, place, lane, number, &bit);
		if (store) {
			v = bits_get(R, op->d, e, bits, lane);
			if (!pl_sm_mem_write(w, op, space, va, &v, bytes, lane))
				return false;
			continue;
		}
		if (!pl_sm_mem_read(w, op, space, va, &v, bytes, lane))
			return false;
		bits_set(R, op->d, e, bits, lane, bits < 8 ? v >> bit : v);
	}
	return true;
}

void pl_sm_wm_any(PL_SM_ARGS, bool store)
{
	struct wm_place place;

	memcpy(place.base, R + op->a, sizeof(place.base));
	memcpy(place.stride, R + op->b, sizeof(place.stride));
	for (uint32_t left = mask; left; left &= left - 1)
		if (!wm_lane(w, op, R, &place, (uint32_t)__builtin_ctz(left), store))
			return;
}

/* -- 8x8 matrices of 16 bits: rows of 16 bytes, whose addresses lanes 8 * n .. 8 * n + 7 give -- */

bool pl_sm_ldmatrix_any(struct pl_sm_warp *w, const struct pl_sm_op *op, char *R, bool store)
{
	bool trans = op->sub & 4;
	uint32_t addr[PL_ISA_LANES];

	memcpy(addr, R + op->a, sizeof(addr));
	for (unsigned n = 0; n < 1u << (op->sub & 3); n++) {
		uint16_t *row[8];

		for (uint32_t i = 0; i < 8; i++) {
			row[i] = pl_sm_mem_at(w, op, PL_ISA_SHARED, (uint32_t)(addr[n * 8 + i] + op->x), 16,
					      store ? PL_RG_WRITE : PL_RG_READ, n * 8 + i);
			if (!row[i])
				return false;
		}
		for (uint32_t lane = 0; lane < PL_ISA_LANES; lane++) {
			uint32_t *at = &((uint32_t *)(void *)(R + op->d + n * PL_SM_SLOT_BYTES))[lane];
			unsigned r = lane >> 2, c = (lane & 3) * 2;
			uint16_t *low = trans ? &row[c][r] : &row[r][c],
				 *high = trans ? &row[c + 1][r] : &row[r][c + 1];

			if (store)
				*low = (uint16_t)*at, *high = (uint16_t)(*at >> 16);
			else
				*at = *low | (uint32_t)*high << 16;
		}
	}
	return true;
}

static __attribute__((noinline)) void movmatrix_do(const struct pl_sm_op *op, char *R)
{
	uint16_t in[8][8];
	uint32_t v[PL_ISA_LANES], *d = PL_SM_REG(uint32_t, d);

	memcpy(v, R + op->a, sizeof(v));
	for (uint32_t lane = 0; lane < PL_ISA_LANES; lane++)
		for (unsigned k = 0; k < 2; k++)
			in[lane >> 2][(lane & 3) * 2 + k] = (uint16_t)(v[lane] >> 16 * k);
	for (uint32_t lane = 0; lane < PL_ISA_LANES; lane++)
		d[lane] = in[(lane & 3) * 2][lane >> 2] | (uint32_t)in[(lane & 3) * 2 + 1][lane >> 2] << 16;
}

static void movmatrix_h(PL_SM_ARGS)
{
	(void)mask;
	movmatrix_do(op, R);
	PL_SM_NEXT;
}

bool pl_sm_bind_matrix(const struct pl_isa_fields *f, struct pl_sm_op *op)
{
	static const pl_sm_fn handlers[PL_ISA_OP_COUNT] = {
		[PL_ISA_MMA] = mma_h,
		[PL_ISA_WMMA] = wmma_h,
		[PL_ISA_MOVMATRIX] = movmatrix_h,
	};

	if (!handlers[f->op])
		return false;
	op->x = f->imm;
	if (f->op == PL_ISA_MMA || f->op == PL_ISA_WMMA) {
		if (f->imm >> 11)
			return false;
		op->x = pl_sm_matrix_x(f);
		op->imm = f->round;
	}
	op->fn[0] = op->fn[1] = handlers[f->op];
	return true;
}
