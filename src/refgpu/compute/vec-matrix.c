/*
 * Products of small matrices of floats in vector code: mma and wmma.  Sums are made in double, one product after the
 * other, each exact or fused, so that results do not depend on the extension; PTX leaves the order open and asks for
 * single precision where this gives double.  Integers: vec-matrix-int.c.
 *
 * A slot of 32 lanes holds a tile of 8 rows, 16 bytes of each (F64: 32), in the order of memory: of A as it is, of B
 * turned, of C as it is or with its columns in two slots.  The fragments of wmma are the matrix row by row.
 */
#include "refgpu/compute/half.h"
#include "refgpu/compute/matrix.h"
#include "refgpu/compute/tiles.h"

bool V(pl_sm_bind_matrix_int)(uint32_t x, bool wmma, struct pl_sm_op *op);

#define ALWAYS static inline __attribute__((always_inline))

struct matrices { /* row by row */
	_Alignas(64) double a[32 * 16];
	_Alignas(64) double b[16 * 32];
	_Alignas(64) double c[32 * 8];
};

/* -- elements as doubles; count is a multiple of 4, of narrower ones of 8 -- */

#define EACH(n) PL_SM_IVDEP for (unsigned i = 0; i < (n); i++)

ALWAYS void halves_to(double *out, const void *in, unsigned count)
{
#if defined(__AVX512F__)
	for (unsigned i = 0; i < count; i += 8) {
		__m128i v = _mm_loadu_si128((const __m128i *)((const char *)in + 2 * i));

		_mm512_storeu_pd(out + i, _mm512_cvtps_pd(_mm256_cvtph_ps(v)));
	}
#elif defined(__F16C__)
	for (unsigned i = 0; i < count; i += 4) {
		__m128i v = _mm_loadl_epi64((const __m128i *)((const char *)in + 2 * i));

		_mm256_storeu_pd(out + i, _mm256_cvtps_pd(_mm_cvtph_ps(v)));
	}
#else
	const uint16_t *halves = in;

	EACH(count) out[i] = f16_to_f32(halves[i]);
#endif
}

ALWAYS void bfloats_to(double *out, const void *in, unsigned count)
{
	const uint16_t *halves = in;

	EACH(count) out[i] = bf16_to_f32(halves[i]);
}

ALWAYS void words_to(double *out, const void *in, unsigned count, uint32_t keep)
{
	const uint32_t *words = in;

	EACH(count) out[i] = bits_f32(words[i] & keep);
}

/* E5M2 is the upper half of F16; E4M3 has three bits of its fraction and an exponent that is 8 less. */
static void small_to(double *out, const uint8_t *in, unsigned count, unsigned type)
{
	uint16_t half[128];

	if (type == PL_ISA_E5M2X2) {
		EACH(count) half[i] = (uint16_t)(in[i] << 8);
		halves_to(out, half, count);
		return;
	}
	EACH(count) half[i] = (uint16_t)((in[i] & 0x80) << 8 | (in[i] & 0x7f) << 7);
	halves_to(out, half, count);
	EACH(count) out[i] = (in[i] & 0x7f) == 0x7f ? bits_f64(0x7ff8000000000000) : out[i] * 256;
}

ALWAYS void to_doubles(double *out, const void *in, unsigned count, unsigned type)
{
	switch (type) {
	case PL_ISA_F16:
		halves_to(out, in, count);
		break;
	case PL_ISA_BF16:
		bfloats_to(out, in, count);
		break;
	case PL_ISA_F32:
		words_to(out, in, count, ~0u);
		break;
	case PL_ISA_TF32: /* the low 13 bits are not looked at */
		words_to(out, in, count, 0xffffe000u);
		break;
	case PL_ISA_F64:
		memcpy(out, in, count * sizeof(*out));
		break;
	default:
		small_to(out, in, count, type);
	}
}

#if defined(__AVX512F__)
/* Rounded once: towards zero, then made odd where bits were lost, as f64_to_f16() has it. */
ALWAYS void to_halves(void *out, const double *in, unsigned count)
{
	for (unsigned i = 0; i < count; i += 8) {
		__m512d v = _mm512_loadu_pd(in + i);
		__m256 f = _mm512_cvt_roundpd_ps(v, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC);
		__mmask8 lost = _mm512_cmp_pd_mask(_mm512_cvtps_pd(f), v, _CMP_NEQ_OQ);
		__m256i odd = _mm256_castps_si256(f);
		__m128i h;

		odd = _mm256_mask_or_epi32(odd, lost, odd, _mm256_set1_epi32(1));
		h = _mm256_cvtps_ph(_mm256_castsi256_ps(odd), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
		h = _mm_mask_mov_epi16(h, _mm512_cmp_pd_mask(v, v, _CMP_UNORD_Q), _mm_set1_epi16(0x7fff));
		_mm_storeu_si128((__m128i *)((char *)out + 2 * i), h);
	}
}
#else
ALWAYS void to_halves(void *out, const double *in, unsigned count)
{
	uint16_t *halves = out;

	EACH(count) halves[i] = f64_to_f16(in[i]);
}
#endif

/* NaNs are 0x7fff.. of their width, but for F64. */
ALWAYS void from_doubles(void *out, const double *in, unsigned count, unsigned type)
{
	float *floats = out;
	uint32_t *words = out;

	switch (type) {
	case PL_ISA_F16:
		to_halves(out, in, count);
		break;
	case PL_ISA_F32:
		EACH(count) floats[i] = (float)in[i];
		EACH(count) words[i] = (words[i] & 0x7fffffff) > 0x7f800000 ? 0x7fffffff : words[i];
		break;
	default:
		memcpy(out, in, count * sizeof(*in));
	}
}

/* -- products -- */

#if defined(__AVX512F__)
typedef double vd __attribute__((vector_size(64)));
#define MADD(a, b, c) ((vd)_mm512_fmadd_pd(_mm512_set1_pd(a), (__m512d)(b), (__m512d)(c)))
#elif defined(__FMA__)
typedef double vd __attribute__((vector_size(32)));
#define MADD(a, b, c) ((vd)_mm256_fmadd_pd(_mm256_set1_pd(a), (__m256d)(b), (__m256d)(c)))
#else
typedef double vd __attribute__((vector_size(16)));
#define MADD(a, b, c) (fused ? (vd){ fma(a, (b)[0], (c)[0]), fma(a, (b)[1], (c)[1]) } : (c) + (a) * (b))
#endif
#define COLUMNS     (sizeof(vd) / sizeof(double))

/* Eight rows at a time keep the adders busy.  fused: products are not exact (F64). */
#define EACH_ROW(x) x(0) x(1) x(2) x(3) x(4) x(5) x(6) x(7)
#define ROW_SUM(r)  vd s##r = *(const vd *)(const void *)(c + (r)*n);
#define ROW_STEP(r) s##r = MADD(a[(r)*k + p], v, s##r);
#define ROW_END(r)  *(vd *)(void *)(d + (r)*n) = s##r;
ALWAYS void multiply_rows(double *d, const double *a, const double *b, const double *c, unsigned n, unsigned k,
			  bool fused)
{
	(void)fused;
	EACH_ROW(ROW_SUM)
	for (unsigned p = 0; p < k; p++) {
		vd v = *(const vd *)(const void *)(b + p * n);
		EACH_ROW(ROW_STEP)
	}
	EACH_ROW(ROW_END)
}

ALWAYS void multiply_of(double *d, const double *a, const double *b, const double *c, unsigned m, unsigned n,
			unsigned k, bool fused)
{
	for (unsigned i = 0; i < m; i += 8)
		for (unsigned j = 0; j < n; j += COLUMNS)
			multiply_rows(d + i * n + j, a + i * k, b + j, c + i * n + j, n, k, fused);
}

/* d = a b + c; m and n are multiples of 8 */
ALWAYS void multiply(double *d, const double *a, const double *b, const double *c, const struct pl_sm_mma *s,
		     bool fused)
{
	switch (s->k) {
	case 4:
		multiply_of(d, a, b, c, s->m, s->n, 4, fused);
		break;
	case 8:
		multiply_of(d, a, b, c, s->m, s->n, 8, fused);
		break;
	case 16:
		multiply_of(d, a, b, c, s->m, s->n, 16, fused);
		break;
	default:
		multiply_of(d, a, b, c, s->m, s->n, s->k, fused);
	}
}

/* -- mma; n is 8 -- */

ALWAYS unsigned slot_bytes(unsigned type)
{
	return type == PL_ISA_F64 ? 2 * PL_SM_SLOT_BYTES : PL_SM_SLOT_BYTES;
}

ALWAYS unsigned element_bytes(unsigned type)
{
	return type == PL_ISA_F64                          ? 8
	       : type == PL_ISA_F32 || type == PL_ISA_TF32 ? 4
	       : type == PL_ISA_F16 || type == PL_ISA_BF16 ? 2
							   : 1;
}

ALWAYS void read_a(struct matrices *x, const struct pl_sm_mma *s, const char *R, unsigned type)
{
	unsigned width = slot_bytes(type) / 8 / element_bytes(type), halves = s->m / 8, k = s->k;

	for (unsigned reg = 0; reg < k / width * halves; reg++, R += slot_bytes(type)) {
		double *to = x->a + reg % halves * 8 * k + reg / halves * width;

		for (unsigned g = 0; g < 8; g++)
			to_doubles(to + g * k, R + g * (slot_bytes(type) / 8), width, type);
	}
}

/* The tile of one slot, eight columns of B, as rows. */
ALWAYS void read_b_tile(double *to, const char *slot, unsigned type)
{
	unsigned width = slot_bytes(type) / 8 / element_bytes(type);
	double tile[128];
	v16x8 v[8];

	switch (element_bytes(type)) {
	case 2:
		for (unsigned i = 0; i < 8; i++)
			v[i] = tile_load(slot + 16 * i);
		tile_turn16(v);
		to_doubles(to, v, 64, type);
		return;
	case 4:
		tile_turn32_8(v, slot);
		to_doubles(to, v, 32, type);
		return;
	default:
		to_doubles(tile, slot, width * 8, type);
		for (unsigned r = 0; r < width; r++)
			for (unsigned g = 0; g < 8; g++)
				to[r * 8 + g] = tile[g * width + r];
	}
}

ALWAYS void read_b(struct matrices *x, const struct pl_sm_mma *s, const char *R, unsigned type)
{
	unsigned width = slot_bytes(type) / 8 / element_bytes(type);

	for (unsigned reg = 0; reg < s->k / width; reg++)
		read_b_tile(x->b + reg * width * 8, R + reg * slot_bytes(type), type);
}

/* 64 elements of 32 or 64 bits: even and odd ones lie in two slots. */
ALWAYS void mix(void *out, const char *slots, unsigned bytes)
{
	for (unsigned at = 0; at < 32 * bytes; at += 16) {
		v16x8 even = tile_load(slots + at), odd = tile_load(slots + 32 * bytes + at);

		tile_store((char *)out + 2 * at, bytes == 4 ? MIX32_LOW(even, odd) : MIX64_LOW(even, odd));
		tile_store((char *)out + 2 * at + 16, bytes == 4 ? MIX32_HIGH(even, odd) : MIX64_HIGH(even, odd));
	}
}

ALWAYS void unmix(char *slots, const void *in, unsigned bytes)
{
	for (unsigned at = 0; at < 32 * bytes; at += 16) {
		v16x8 low = tile_load((const char *)in + 2 * at), high = tile_load((const char *)in + 2 * at + 16);

		tile_store(slots + at, bytes == 4 ? EVEN32(low, high) : MIX64_LOW(low, high));
		tile_store(slots + 32 * bytes + at, bytes == 4 ? ODD32(low, high) : MIX64_HIGH(low, high));
	}
}

ALWAYS void read_c(struct matrices *x, const struct pl_sm_mma *s, const char *R, unsigned type)
{
	_Alignas(64) float floats[64];

	for (unsigned at = 0; at < s->m * 8; at += 64) {
		if (type == PL_ISA_F16) {
			to_doubles(x->c + at, R, 64, type);
		} else if (type == PL_ISA_F64) {
			mix(x->c + at, R, 8);
		} else {
			mix(floats, R, 4);
			to_doubles(x->c + at, floats, 64, PL_ISA_F32);
		}
		R += type == PL_ISA_F16 ? PL_SM_SLOT_BYTES : 2 * slot_bytes(type);
	}
}

ALWAYS void write_d(const struct matrices *x, const struct pl_sm_mma *s, char *R, unsigned type)
{
	_Alignas(64) float floats[64];

	for (unsigned at = 0; at < s->m * 8; at += 64) {
		if (type == PL_ISA_F16) {
			from_doubles(R, x->c + at, 64, type);
		} else if (type == PL_ISA_F64) {
			unmix(R, x->c + at, 8);
		} else {
			from_doubles(floats, x->c + at, 64, PL_ISA_F32);
			unmix(R, floats, 4);
		}
		R += type == PL_ISA_F16 ? PL_SM_SLOT_BYTES : 2 * slot_bytes(type);
	}
}

ALWAYS void mma_of(const struct pl_sm_op *op, char *R, unsigned a, unsigned b)
{
	const struct pl_sm_mma *s = &pl_sm_mma_shapes[PL_SM_MATRIX_SHAPE(op->x)];
	struct pl_sm_mma size = { s->m, 8, s->k };
	struct matrices x;

	read_a(&x, s, R + op->a, a);
	read_b(&x, s, R + op->b, b);
	read_c(&x, s, R + op->c, pl_sm_matrix_c(op->x));
	multiply(x.c, x.a, x.b, x.c, &size, a == PL_ISA_F64);
	write_d(&x, s, R + op->d, PL_SM_MATRIX_TYPE(op->x));
}

/* -- wmma -- */

ALWAYS void wmma_of(const struct pl_sm_op *op, char *R, unsigned a, unsigned b)
{
	const struct pl_sm_mma *s = &pl_sm_wmma_shapes[PL_SM_MATRIX_SHAPE(op->x)];
	struct matrices x;

	to_doubles(x.a, R + op->a, s->m * s->k, a);
	to_doubles(x.b, R + op->b, s->k * s->n, b);
	to_doubles(x.c, R + op->c, s->m * s->n, pl_sm_matrix_c(op->x));
	multiply(x.c, x.a, x.b, x.c, s, a == PL_ISA_F64);
	from_doubles(R + op->d, x.c, s->m * s->n, PL_SM_MATRIX_TYPE(op->x));
}

/* Doubles are multiplied where they lie; D goes through a copy, as it may lie over a part of A or B. */
static __attribute__((noinline)) void wmma_f64_do(const struct pl_sm_op *op, char *R)
{
	static const struct pl_sm_mma s = { 8, 8, 4 };
	_Alignas(64) double d[64];

	multiply(d, PL_SM_REG(const double, a), PL_SM_REG(const double, b), PL_SM_REG(const double, c), &s, true);
	memcpy(R + op->d, d, sizeof(d));
}

static void wmma_f64_h(PL_SM_ARGS)
{
	(void)mask;
	wmma_f64_do(op, R);
	PL_SM_NEXT;
}

#define HANDLER(name, product, a, b)                                                                                   \
	static __attribute__((noinline)) void name##_do(const struct pl_sm_op *op, char *R)                            \
	{                                                                                                              \
		product(op, R, a, b);                                                                                  \
	}                                                                                                              \
	static void name##_h(PL_SM_ARGS)                                                                               \
	{                                                                                                              \
		(void)mask;                                                                                            \
		name##_do(op, R);                                                                                      \
		PL_SM_NEXT;                                                                                            \
	}
HANDLER(mma_f16, mma_of, PL_ISA_F16, PL_ISA_F16)
HANDLER(mma_bf16, mma_of, PL_ISA_BF16, PL_ISA_BF16)
HANDLER(mma_tf32, mma_of, PL_ISA_TF32, PL_ISA_TF32)
HANDLER(mma_f64, mma_of, PL_ISA_F64, PL_ISA_F64)
HANDLER(mma_any, mma_of, PL_SM_MATRIX_A(op->x), PL_SM_MATRIX_B(op->x))
HANDLER(wmma_f16, wmma_of, PL_ISA_F16, PL_ISA_F16)
HANDLER(wmma_bf16, wmma_of, PL_ISA_BF16, PL_ISA_BF16)
HANDLER(wmma_tf32, wmma_of, PL_ISA_TF32, PL_ISA_TF32)

/* Whole slots, whole tiles, and no more than there is room for. */
static bool sizes_good(const struct pl_sm_mma *s, unsigned element, unsigned c, unsigned d, bool wmma)
{
	unsigned line = element == PL_ISA_F64 ? 4 : 16 / element_bytes(element);
	unsigned slot = wmma ? 4 : c == PL_ISA_F16 || d == PL_ISA_F16 ? 64 : 32;

	if (wmma && element == PL_ISA_F64)
		return s == &pl_sm_wmma_shapes[PL_ISA_WMMA_M8N8K4];
	return s->m * s->k <= 32 * 16 && s->k * s->n <= 16 * 32 && s->m * s->n <= 32 * 8 && s->m % 8 == 0 &&
	       s->n % 8 == 0 && s->m * s->n % slot == 0 && s->k % (wmma ? 4 : line) == 0;
}

static bool sum_good(unsigned type, bool f64)
{
	return f64 ? type == PL_ISA_F64 : type == PL_ISA_F16 || type == PL_ISA_F32;
}

static pl_sm_fn handler_of(unsigned a, unsigned b, bool wmma)
{
	bool small = (a == PL_ISA_E4M3X2 || a == PL_ISA_E5M2X2) && (b == PL_ISA_E4M3X2 || b == PL_ISA_E5M2X2);

	if (small)
		return wmma ? NULL : mma_any_h;
	if (a != b)
		return NULL;
	switch (a) {
	case PL_ISA_F16:
		return wmma ? wmma_f16_h : mma_f16_h;
	case PL_ISA_BF16:
		return wmma ? wmma_bf16_h : mma_bf16_h;
	case PL_ISA_TF32:
		return wmma ? wmma_tf32_h : mma_tf32_h;
	case PL_ISA_F64:
		return wmma ? wmma_f64_h : mma_f64_h;
	default:
		return NULL;
	}
}

/* m8n8k4 of halves, whose lanes lie otherwise, F64 not rounded to nearest, and combinations that PTX does not have:
 * matrix.c. */
bool V(pl_sm_bind_matrix)(const struct pl_isa_fields *f, struct pl_sm_op *op);
bool V(pl_sm_bind_matrix)(const struct pl_isa_fields *f, struct pl_sm_op *op)
{
	uint32_t x = pl_sm_matrix_x(f);
	unsigned a = PL_SM_MATRIX_A(x), b = PL_SM_MATRIX_B(x), c = pl_sm_matrix_c(x), d = PL_SM_MATRIX_TYPE(x);
	bool wmma = f->op == PL_ISA_WMMA;
	pl_sm_fn fn;

	if ((f->op != PL_ISA_MMA && !wmma) || f->imm >> 11 || f->round != PL_ISA_RN ||
	    f->sub >= (wmma ? (unsigned)PL_ISA_WMMA_COUNT : (unsigned)PL_ISA_MMA_COUNT))
		return false;
	if (V(pl_sm_bind_matrix_int)(x, wmma, op))
		return true;
	fn = handler_of(a, b, wmma);
	if (!fn || !sum_good(c, a == PL_ISA_F64) || !sum_good(d, a == PL_ISA_F64) ||
	    (!wmma && f->sub == PL_ISA_MMA_M8N8K4 && a == PL_ISA_F16) ||
	    !sizes_good(wmma ? &pl_sm_wmma_shapes[f->sub] : &pl_sm_mma_shapes[f->sub], a, c, d, wmma))
		return false;
	op->x = x;
	op->fn[0] = op->fn[1] = fn;
	return true;
}
