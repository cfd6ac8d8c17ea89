/*
 * Products of small matrices of integers in vector code: mma and wmma of 8, 4 and 1 bits.  Elements become 16 bits wide
 * and are multiplied in pairs; any order of sums gives the same result.  What lies in a register: see vec-matrix.c.
 */
#include "refgpu/compute/matrix.h"
#include "refgpu/compute/tiles.h"

#define K_WORDS_MAX 8u /* of a row of A: words of 32 bits */
#define N_MAX       32u

struct factors {                                       /* as they lie in registers, words of 32 bits */
	_Alignas(64) uint32_t a[32 * K_WORDS_MAX / 2]; /* [row][word] */
	_Alignas(64) uint32_t b[K_WORDS_MAX * 8 * 2];  /* [word][column] */
};

struct sums { /* row by row */
	_Alignas(64) int32_t v[32 * 8];
};

#define EACH(n) PL_SM_IVDEP for (unsigned i = 0; i < (n); i++)

#if defined(__AVX2__)
typedef __m256i vi;
#define VI(name) _mm256_##name
#define VI_LOAD  _mm256_load_si256
#define VI_STORE _mm256_store_si256
#else
typedef __m128i vi;
#define VI(name) _mm_##name
#define VI_LOAD  _mm_load_si128
#define VI_STORE _mm_store_si128
#endif
#define COLUMNS (sizeof(vi) / 4)
/* Field f of each half of a word, of `bits`, as a number of 16 bits; count is a multiple of 8. */
static inline void fields(uint32_t *out, const uint32_t *in, unsigned count, unsigned bits, unsigned f, bool is_signed)
{
	__m128i up = _mm_cvtsi32_si128((int)(16 - bits * (f + 1))), down = _mm_cvtsi32_si128((int)(16 - bits));

	for (unsigned i = 0; i < count; i += COLUMNS) {
		vi v = VI(sll_epi16)(VI_LOAD((const vi *)(in + i)), up);

		VI_STORE((vi *)(out + i), is_signed ? VI(sra_epi16)(v, down) : VI(srl_epi16)(v, down));
	}
}

#define EACH_ROW(x) x(0) x(1) x(2) x(3) x(4) x(5) x(6) x(7)
#define ROW_SUM(r)  vi s##r = VI_LOAD((const vi *)(sum + (r)*n));
#define ROW_STEP(r) s##r = VI(add_epi32)(s##r, VI(madd_epi16)(VI(set1_epi32)((int)a[(r)*words + p]), v));
#define ROW_END(r)  VI_STORE((vi *)(sum + (r)*n), s##r);
/* Eight rows. */
static inline __attribute__((always_inline)) void multiply_tile(int32_t *sum, const uint32_t *a, const uint32_t *b,
								unsigned n, unsigned words)
{
	EACH_ROW(ROW_SUM)
	for (unsigned p = 0; p < words; p++) {
		vi v = VI_LOAD((const vi *)(b + p * n));
		EACH_ROW(ROW_STEP)
	}
	EACH_ROW(ROW_END)
}

static inline __attribute__((always_inline)) void multiply_words(int32_t *sum, const struct factors *y,
								 const struct pl_sm_mma *s, unsigned words)
{
	for (unsigned i = 0; i < s->m; i += 8)
		for (unsigned j = 0; j < s->n; j += COLUMNS)
			multiply_tile(sum + i * s->n + j, y->a + i * words, y->b + j, s->n, words);
}

static void multiply(struct sums *sums, const struct factors *x, const struct pl_sm_mma *s, unsigned words, uint32_t op)
{
	unsigned bits = pl_sm_element_bits(PL_SM_MATRIX_A(op));
	bool a_signed = PL_SM_MATRIX_A(op) == PL_ISA_S8 || PL_SM_MATRIX_A(op) == PL_ISA_S4;
	bool b_signed = PL_SM_MATRIX_B(op) == PL_ISA_S8 || PL_SM_MATRIX_B(op) == PL_ISA_S4;
	struct factors y;

	memset(sums->v, 0, s->m * s->n * sizeof(*sums->v));
	for (unsigned f = 0; f < 16 / bits; f++) {
		fields(y.a, x->a, s->m * words, bits, f, a_signed);
		fields(y.b, x->b, words * s->n, bits, f, b_signed);
		if (words == 4)
			multiply_words(sums->v, &y, s, 4);
		else if (words == 8)
			multiply_words(sums->v, &y, s, 8);
		else
			multiply_words(sums->v, &y, s, words);
	}
}

/* d = c + sum; wraps, or stays within the type. */
static inline void add(int32_t *d, const int32_t *c, const int32_t *sum, unsigned count, bool sat)
{
	if (!sat) {
		EACH(count) d[i] = (int32_t)((uint32_t)c[i] + (uint32_t)sum[i]);
		return;
	}
	EACH(count)
	{
		int32_t wrapped = (int32_t)((uint32_t)c[i] + (uint32_t)sum[i]), limit = (c[i] >> 31) ^ INT32_MAX;

		d[i] = ((c[i] ^ wrapped) & (sum[i] ^ wrapped)) < 0 ? limit : wrapped;
	}
}

/* -- how fragments lie -- */

/* Slots of mma: tiles of 8 rows, 4 words of each. */
static void mma_a(uint32_t *out, const char *R, unsigned m, unsigned words)
{
	unsigned halves = m / 8;

	for (unsigned reg = 0; reg < words / 4 * halves; reg++)
		for (unsigned g = 0; g < 8; g++)
			memcpy(out + (reg % halves * 8 + g) * words + reg / halves * 4,
			       R + reg * PL_SM_SLOT_BYTES + g * 16, 16);
}

/* Tiles of 8 columns, 4 words of each, as rows. */
static void mma_b(uint32_t *out, const char *R, unsigned words)
{
	for (unsigned at = 0; at < words; at += 4) {
		v16x8 v[8];

		tile_turn32_8(v, R + at / 4 * PL_SM_SLOT_BYTES);
		memcpy(out + at * 8, v, sizeof(v));
	}
}

/* Rows of n bytes, as words of four rows. */
static void wmma_b(uint32_t *out, const char *R, unsigned n, unsigned words)
{
	const uint8_t *in = (const void *)R;

	for (unsigned p = 0; p < words; p++, in += 4 * n, out += n)
		EACH(n)
	out[i] = in[i] | (uint32_t)in[n + i] << 8 | (uint32_t)in[2 * n + i] << 16 | (uint32_t)in[3 * n + i] << 24;
}

/* C and D of mma: columns in turn in two slots. */
static void mma_end(const struct pl_sm_op *op, char *R, const struct sums *sums, unsigned m)
{
	int32_t *d = PL_SM_REG(int32_t, d);
	const int32_t *c = PL_SM_REG(const int32_t, c);
	_Alignas(64) int32_t apart[16 * 8];

	for (unsigned at = 0; at < m * 8; at += 64)
		for (unsigned i = 0; i < 32; i += 4) {
			v16x8 low = tile_load(sums->v + at + 2 * i), high = tile_load(sums->v + at + 2 * i + 4);

			tile_store(apart + at + i, EVEN32(low, high));
			tile_store(apart + at + 32 + i, ODD32(low, high));
		}
	add(d, c, apart, m * 8, PL_SM_MATRIX_SAT(op->x));
}

static __attribute__((noinline)) void mma_do(const struct pl_sm_op *op, char *R)
{
	const struct pl_sm_mma *s = &pl_sm_mma_shapes[PL_SM_MATRIX_SHAPE(op->x)];
	unsigned words = s->k * pl_sm_element_bits(PL_SM_MATRIX_A(op->x)) / 32;
	struct factors x;
	struct sums sums;

	mma_a(x.a, R + op->a, s->m, words);
	mma_b(x.b, R + op->b, words);
	multiply(&sums, &x, s, words, op->x);
	mma_end(op, R, &sums, s->m);
}

static __attribute__((noinline)) void wmma_do(const struct pl_sm_op *op, char *R)
{
	const struct pl_sm_mma *s = &pl_sm_wmma_shapes[PL_SM_MATRIX_SHAPE(op->x)];
	unsigned bits = pl_sm_element_bits(PL_SM_MATRIX_A(op->x)), words = s->k * bits / 32;
	struct factors x;
	struct sums sums;

	memcpy(x.a, R + op->a, s->m * words * 4);
	if (bits == 8)
		wmma_b(x.b, R + op->b, s->n, words);
	else
		mma_b(x.b, R + op->b, words);
	multiply(&sums, &x, s, words, op->x);
	add(PL_SM_REG(int32_t, d), PL_SM_REG(const int32_t, c), sums.v, s->m * s->n, PL_SM_MATRIX_SAT(op->x));
}

/* -- single bits: columns of B as they lie -- */

/* a: rows of `words`; b: tiles of 8 columns, 4 words of each */
static inline __attribute__((always_inline)) int32_t count_pair(const uint32_t *a, const char *b, bool and)
{
	uint64_t x, y;

	memcpy(&x, a, 8);
	memcpy(&y, b, 8);
	return __builtin_popcountll(and? x & y : x ^ y);
}

static inline __attribute__((always_inline)) void count_rows(struct sums *sums, const uint32_t *a, const char *b,
							     unsigned m, unsigned words, bool and)
{
	for (unsigned row = 0; row < m; row++, a += words)
		for (unsigned col = 0; col < 8; col++) {
			const char *at = b + col * 16;
			int32_t sum = count_pair(a, at, and) + count_pair(a + 2, at + 8, and);

			if (words == 8)
				sum += count_pair(a + 4, at + PL_SM_SLOT_BYTES, and) +
				       count_pair(a + 6, at + PL_SM_SLOT_BYTES + 8, and);
			sums->v[row * 8 + col] = sum;
		}
}

static inline void count_bits(struct sums *sums, const uint32_t *a, const char *b, unsigned m, unsigned words, bool and)
{
	if (words == 8)
		count_rows(sums, a, b, m, 8, and);
	else
		count_rows(sums, a, b, m, 4, and);
}

static __attribute__((noinline)) void mma_bits_do(const struct pl_sm_op *op, char *R)
{
	const struct pl_sm_mma *s = &pl_sm_mma_shapes[PL_SM_MATRIX_SHAPE(op->x)];
	struct factors x;
	struct sums sums;

	mma_a(x.a, R + op->a, s->m, s->k / 32);
	count_bits(&sums, x.a, R + op->b, s->m, s->k / 32, PL_SM_MATRIX_IMM(op->x) & PL_ISA_MMA_AND);
	mma_end(op, R, &sums, s->m);
}

static __attribute__((noinline)) void wmma_bits_do(const struct pl_sm_op *op, char *R)
{
	const struct pl_sm_mma *s = &pl_sm_wmma_shapes[PL_SM_MATRIX_SHAPE(op->x)];
	struct sums sums;

	count_bits(&sums, PL_SM_REG(const uint32_t, a), R + op->b, s->m, s->k / 32,
		   PL_SM_MATRIX_IMM(op->x) & PL_ISA_MMA_AND);
	add(PL_SM_REG(int32_t, d), PL_SM_REG(const int32_t, c), sums.v, s->m * s->n, PL_SM_MATRIX_SAT(op->x));
}

#define HANDLER(name)                                                                                                  \
	static void name##_h(PL_SM_ARGS)                                                                               \
	{                                                                                                              \
		(void)mask;                                                                                            \
		name##_do(op, R);                                                                                      \
		PL_SM_NEXT;                                                                                            \
	}
HANDLER(mma)
HANDLER(wmma)
HANDLER(mma_bits)
HANDLER(wmma_bits)

static bool is_int(unsigned type, unsigned bits)
{
	return bits == 8 ? type == PL_ISA_S8 || type == PL_ISA_U8 : type == PL_ISA_S4 || type == PL_ISA_U4;
}

/* Whole tiles, and no more than there is room for. */
static bool sizes_good(const struct pl_sm_mma *s, unsigned bits, bool wmma)
{
	unsigned words = s->k * bits / 32;

	if (s->m % 8 || s->n % 8 || s->k * bits % 32 || s->m * s->n > 32 * 8)
		return false;
	if (wmma && bits < 8)
		return s->m == 8 && s->n == 8 && words == 4;
	if (bits == 1 && words != 4 && words != 8)
		return false;
	return s->m * words <= 32 * K_WORDS_MAX / 2 && words * s->n <= K_WORDS_MAX * 8 * 2 && words <= K_WORDS_MAX &&
	       (wmma || words % 4 == 0);
}

bool V(pl_sm_bind_matrix_int)(uint32_t x, bool wmma, struct pl_sm_op *op);
bool V(pl_sm_bind_matrix_int)(uint32_t x, bool wmma, struct pl_sm_op *op)
{
	unsigned a = PL_SM_MATRIX_A(x), b = PL_SM_MATRIX_B(x), bits = a == PL_ISA_B1 ? 1 : is_int(a, 8) ? 8 : 4;
	const struct pl_sm_mma *s =
		wmma ? &pl_sm_wmma_shapes[PL_SM_MATRIX_SHAPE(x)] : &pl_sm_mma_shapes[PL_SM_MATRIX_SHAPE(x)];

	if (bits == 1 ? b != PL_ISA_B1 : !is_int(a, bits) || !is_int(b, bits))
		return false;
	if (pl_sm_matrix_c(x) != PL_ISA_S32 || PL_SM_MATRIX_TYPE(x) != PL_ISA_S32 || !sizes_good(s, bits, wmma))
		return false;
	op->x = x;
	op->fn[0] = op->fn[1] = bits == 1 ? (wmma ? wmma_bits_h : mma_bits_h) : wmma ? wmma_h : mma_h;
	return true;
}
