/*
 * Products of matrices and fragments against plain loops, bit for bit, in each vector build: every shape of mma and
 * wmma with every type that goes with it, on random bits (NaNs, infinities, subnormals); loads and stores of fragments
 * in both orders, with one address for all lanes and with several; what does not fit is a fault.
 * Usage: test-refgpu-matrix BUILD
 */
#include <math.h>

#include "refgpu/compute/half.h"
#include "refgpu/compute/kit.h"
#include "refgpu/compute/matrix.h"

#define A    (1u << 20) /* register images in device memory, slot after slot */
#define B    (A + 4096)
#define C    (B + 4096)
#define D    (C + 4096)
#define DATA (2u << 20) /* matrices in memory */

static uint32_t state = 7;

static uint32_t pick(uint32_t below)
{
	state = state * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)(state >> 8) * below >> 24);
}

static const char *name_of(unsigned type)
{
	return pl_isa_types[type].name;
}

static bool is_float(unsigned type)
{
	return type == PL_ISA_F16 || type == PL_ISA_BF16 || type == PL_ISA_TF32 || type == PL_ISA_F64 ||
	       type == PL_ISA_E4M3X2 || type == PL_ISA_E5M2X2;
}

/* Small numbers for the most part, so that sums say something; else any bits. */
static void fill(uint8_t *at, unsigned bytes, unsigned type)
{
	bool any = pick(4) == 0 || !is_float(type);

	for (unsigned i = 0; i < bytes; i++)
		at[i] = (uint8_t)pick(256);
	for (unsigned i = 0; !any && i < bytes / 8; i++) {
		uint64_t v;
		float f = ((float)pick(4000) - 2000) / 256;
		uint16_t h[4];

		for (unsigned k = 0; k < 4; k++)
			h[k] = type == PL_ISA_F16 ? (uint16_t)((pick(0x1000) + 0x3000) | pick(2) << 15)
						  : f32_to_bf16(((float)pick(4000) - 2000) / 256);
		memcpy(&v, h, 8);
		if (type == PL_ISA_TF32 || type == PL_ISA_F32)
			v = f32_bits(f) | (uint64_t)f32_bits(f * 1.75f) << 32;
		if (type == PL_ISA_F64)
			v = f64_bits((double)f / 3);
		if (pl_sm_element_bits(type) != 8)
			memcpy(at + 8 * i, &v, 8);
	}
}

/* -- the plain way -- */

static uint64_t bits_at(const uint8_t *image, unsigned number, unsigned bits)
{
	uint64_t v = 0;

	if (bits < 8)
		return image[number * bits / 8] >> number * bits % 8 & ((1u << bits) - 1);
	memcpy(&v, image + number * bits / 8, bits / 8);
	return v;
}

static double number_of(uint64_t v, unsigned type)
{
	static const int e4m3_bias = 7;
	double small;

	switch (type) {
	case PL_ISA_F16:
		return f16_to_f32((uint16_t)v);
	case PL_ISA_E5M2X2:
		return f16_to_f32((uint16_t)(v << 8));
	case PL_ISA_E4M3X2:
		small = v & 0x78 ? ldexp(1 + (double)(v & 7) / 8, (int)(v >> 3 & 15) - e4m3_bias)
				 : ldexp((double)(v & 7) / 8, 1 - e4m3_bias);
		return (v & 0x7f) == 0x7f ? NAN : v & 0x80 ? -small : small;
	case PL_ISA_BF16:
		return bits_f32((uint32_t)v << 16);
	case PL_ISA_TF32:
		return bits_f32((uint32_t)v & 0xffffe000u);
	case PL_ISA_F32:
		return bits_f32((uint32_t)v);
	case PL_ISA_F64:
		return bits_f64(v);
	case PL_ISA_S8:
		return (int8_t)v;
	case PL_ISA_S4:
		return (double)(v & 15) - (v & 8 ? 16 : 0);
	case PL_ISA_S32:
		return (int32_t)v;
	default:
		return (double)v;
	}
}

/* Where element (row, column) of the A, B or C of an mma lies in the register image: PTX's figures. */
static unsigned mma_number(unsigned which, unsigned bits, unsigned m, unsigned row, unsigned col)
{
	unsigned line = which == PL_ISA_WM_B ? col : row, along = which == PL_ISA_WM_B ? row : col;
	unsigned pack = bits >= 32 ? 1 : 32 / bits, reg, lane;

	if (which == PL_ISA_WM_C) {
		lane = row % 8 * 4 + col / 2;
		return bits == 16 ? row / 8 * 64 + lane * 2 + col % 2 : (row / 8 * 2 + col % 2) * 32 + lane;
	}
	reg = along / (4 * pack);
	if (which == PL_ISA_WM_A)
		reg = m == 16 ? reg * 2 + line / 8 : reg;
	lane = line % 8 * 4 + along / pack % 4;
	return (reg * 32 + lane) * pack + along % pack;
}

static unsigned wmma_number(unsigned which, unsigned bits, unsigned rows, unsigned cols, unsigned row, unsigned col)
{
	return which == PL_ISA_WM_B && bits < 8 ? col * rows + row : row * cols + col;
}

struct product {
	bool wmma, sat, and;
	unsigned shape, a, b, c, d;
	struct pl_sm_mma s;
};

static uint64_t element(const struct product *p, const uint8_t *image, unsigned which, unsigned row, unsigned col)
{
	unsigned type = which == PL_ISA_WM_A   ? p->a
			: which == PL_ISA_WM_B ? p->b
					       : p->c,
		 bits = pl_sm_element_bits(type);
	unsigned rows = which == PL_ISA_WM_B ? p->s.k : p->s.m, cols = which == PL_ISA_WM_A ? p->s.k : p->s.n;

	return bits_at(image,
		       p->wmma ? wmma_number(which, bits, rows, cols, row, col)
			       : mma_number(which, bits, p->s.m, row, col),
		       bits);
}

static uint64_t want(const struct product *p, const uint8_t *memory, unsigned row, unsigned col)
{
	double sum = number_of(element(p, memory + C, PL_ISA_WM_C, row, col), p->c);

	for (unsigned k = 0; k < p->s.k; k++) {
		double a = number_of(element(p, memory + A, PL_ISA_WM_A, row, k), p->a);
		double b = number_of(element(p, memory + B, PL_ISA_WM_B, k, col), p->b);

		if (p->a == PL_ISA_B1)
			sum += p->and ? a * b : a != b;
		else
			sum = fma(a, b, sum);
	}
	switch (p->d) {
	case PL_ISA_F16:
		return f64_to_f16(sum);
	case PL_ISA_F32:
		return sum == sum ? f32_bits((float)sum) : 0x7fffffff;
	case PL_ISA_F64:
		return f64_bits(sum);
	default:
		if (p->sat)
			sum = sum > INT32_MAX ? INT32_MAX : sum < INT32_MIN ? INT32_MIN : sum;
		return (uint32_t)(int64_t)sum;
	}
}

static bool same(uint64_t got, uint64_t wanted, unsigned type)
{
	return got == wanted ||
	       (type == PL_ISA_F64 && bits_f64(got) != bits_f64(got) && bits_f64(wanted) != bits_f64(wanted));
}

static void check(const struct product *p, const uint8_t *memory, const char *line)
{
	unsigned bits = pl_sm_element_bits(p->d);

	for (unsigned row = 0; row < p->s.m; row++)
		for (unsigned col = 0; col < p->s.n; col++) {
			unsigned at = p->wmma ? row * p->s.n + col : mma_number(PL_ISA_WM_C, bits, p->s.m, row, col);
			uint64_t got = bits_at(memory + D, at, bits), wanted = want(p, memory, row, col);

			if (same(got, wanted, p->d))
				continue;
			fprintf(stderr, "%s: %u, %u: %llx, not %llx\n", line, row, col, (unsigned long long)got,
				(unsigned long long)wanted);
			assert(!"the product");
		}
}

/* -- programs -- */

static char *program_begin(char *at)
{
	return at + sprintf(at,
			    "entry $0x%x\nuld.u64.param U4, [0]\ns2r.u32 R8, $%u\nuld.u32.param U6, [8]\n"
			    "uld.u32.param U7, [16]\n",
			    pl_isa_entry_imm(240, 8, 10), PL_ISA_SR_LANEID);
}

static char *slots_move(char *at, const char *what, unsigned first, unsigned count, unsigned offset)
{
	for (unsigned i = 0; i < count; i++)
		at += sprintf(at, "%s.u32.global R%u, [U4 + R8 << 2 + %u]\n", what, first + i, offset + i * 128);
	return at;
}

static void product_run(struct kit *kit, const struct product *p)
{
	char text[16384], line[128], *at = program_begin(text);
	unsigned flags = p->and               ? PL_ISA_MMA_AND
			 : p->c == p->d       ? 0
			 : p->c == PL_ISA_F16 ? PL_ISA_MMA_C_F16
					      : PL_ISA_MMA_C_F32;

	fill(kit->memory + A, 4096, p->a);
	fill(kit->memory + B, 4096, p->b);
	fill(kit->memory + C, 4096, p->c);
	sprintf(line, "%s.%s.%s.%s%s.sub%u R160, R40, R80, R120, $%u", p->wmma ? "wmma" : "mma", name_of(p->d),
		name_of(p->a), name_of(p->b), p->sat ? ".sat" : "", p->shape, flags);
	at = slots_move(at, "ld", 40, 24, A);
	at = slots_move(at, "ld", 80, 24, B);
	at = slots_move(at, "ld", 120, 24, C);
	at += sprintf(at, "%s\n", line);
	at = slots_move(at, "st", 160, 24, D);
	sprintf(at, "exit\n");
	kit_code(kit, text);
	kit->param[0] = KIT_VA;
	if (kit_run(kit, 1, 32) != PL_RG_FAULT_NONE)
		fprintf(stderr, "%s: fault %x\n", line, kit->result.fault.code);
	assert(kit->result.fault.code == PL_RG_FAULT_NONE);
	check(p, kit->memory, line);
}

static void product_try(struct kit *kit, bool wmma, unsigned shape, unsigned a, unsigned b, unsigned c, unsigned d)
{
	struct product p = { .wmma = wmma, .shape = shape, .a = a, .b = b, .c = c, .d = d };

	p.s = wmma ? pl_sm_wmma_shapes[shape] : pl_sm_mma_shapes[shape];
	for (unsigned i = 0; i < 6; i++) {
		p.sat = d == PL_ISA_S32 && a != PL_ISA_B1 && i % 2;
		p.and = a == PL_ISA_B1 && i % 2;
		product_run(kit, &p);
	}
}

/* Shapes of each type, from PTX's tables. */
static const struct {
	uint16_t mma, wmma; /* bits: shapes */
	uint8_t a[2];       /* of A and B, in any combination; the same twice: one type */
} families[] = {
#define M(shape) 1u << PL_ISA_MMA_##shape
#define W(shape) 1u << PL_ISA_WMMA_##shape
	{ M(M16N8K8) | M(M16N8K16), W(M16N16K16) | W(M32N8K16) | W(M8N32K16), { PL_ISA_F16, PL_ISA_F16 } },
	{ M(M16N8K8) | M(M16N8K16), W(M16N16K16) | W(M32N8K16) | W(M8N32K16), { PL_ISA_BF16, PL_ISA_BF16 } },
	{ M(M16N8K4) | M(M16N8K8), W(M16N16K8), { PL_ISA_TF32, PL_ISA_TF32 } },
	{ M(M8N8K4) | M(M16N8K4) | M(M16N8K8) | M(M16N8K16), W(M8N8K4), { PL_ISA_F64, PL_ISA_F64 } },
	{ M(M16N8K16) | M(M16N8K32), 0, { PL_ISA_E4M3X2, PL_ISA_E5M2X2 } },
	{ M(M8N8K16) | M(M16N8K16) | M(M16N8K32), W(M16N16K16) | W(M32N8K16) | W(M8N32K16), { PL_ISA_S8, PL_ISA_U8 } },
	{ M(M8N8K32) | M(M16N8K32) | M(M16N8K64), W(M8N8K32), { PL_ISA_S4, PL_ISA_U4 } },
	{ M(M8N8K128) | M(M16N8K128) | M(M16N8K256), W(M8N8K128), { PL_ISA_B1, PL_ISA_B1 } },
#undef M
#undef W
};

static void test_products_of_all_shapes_and_types(struct kit *kit)
{
	for (unsigned i = 0; i < sizeof(families) / sizeof(*families); i++)
		for (unsigned shape = 0; shape < 32; shape++)
			for (unsigned k = 0; k < 4; k++) {
				bool wmma = shape >= 16;
				unsigned a = families[i].a[k & 1], b = families[i].a[k >> 1], sums = PL_ISA_S32;

				if (!(wmma ? families[i].wmma >> (shape - 16) & 1 : families[i].mma >> shape & 1))
					continue;
				if (is_float(a))
					sums = a == PL_ISA_F64 ? PL_ISA_F64 : PL_ISA_F32;
				product_try(kit, wmma, shape % 16, a, b, sums, sums);
				if (a != PL_ISA_F16)
					continue;
				product_try(kit, wmma, shape % 16, a, b, k & 1 ? PL_ISA_F16 : PL_ISA_F32, PL_ISA_F16);
				product_try(kit, wmma, shape % 16, a, b, PL_ISA_F16, k & 1 ? PL_ISA_F16 : PL_ISA_F32);
			}
}

/* -- fragments -- */

struct move {
	unsigned shape, which, type, stride,
		misplaced; /* misplaced: a lane whose address is one row further on; 32: none */
	bool by_column, shared, store;
	uint32_t offset;
};

/* What memory and registers hold afterwards; element of a lane, one at a time. */
static void move_plain(const struct move *m, uint8_t *data, uint8_t *image)
{
	unsigned rows, cols, bits = pl_sm_element_bits(m->type);

	pl_sm_wm_size(m->shape, m->which, &rows, &cols);
	for (unsigned row = 0; row < rows; row++)
		for (unsigned col = 0; col < cols; col++) {
			unsigned number = wmma_number(m->which, bits, rows, cols, row, col);
			unsigned lane = bits == 64 ? number % 32 : number * bits / 32 % 32;
			unsigned at =
				m->offset * 8 / bits + (m->by_column ? col * m->stride + row : row * m->stride + col);
			uint8_t *to = image + number * bits / 8;

			at += lane == m->misplaced ? m->stride : 0;
			if (bits < 8)
				*to = (uint8_t)((*to & ~(((1u << bits) - 1) << number * bits % 8)) |
						bits_at(data, at, bits) << number * bits % 8);
			else if (m->store)
				memcpy(data + at * bits / 8, to, bits / 8);
			else
				memcpy(to, data + at * bits / 8, bits / 8);
		}
}

static uint32_t move_run(struct kit *kit, const struct move *m)
{
	unsigned flags = m->which | (m->by_column ? PL_ISA_WM_COL : 0) | (m->shared ? PL_ISA_WM_SHARED : 0);
	char text[32768], *at = program_begin(text);

	at = slots_move(at, "ld", 40, 16, A);
	for (unsigned i = 0; m->shared && i < 64; i++) /* 8 KiB there and, at the end, back */
		at += sprintf(at,
			      "ld.u32.global R10, [U4 + R8 << 2 + %u]\nshl.u32 R11, R8, #2\n"
			      "st.u32.shared R10, [R11 + %u]\n",
			      DATA + i * 128, i * 128);
	at += sprintf(at, "mov.u32 R12, U6\nmov.u32 R13, #%u\ncvt.u64.u32 R14, R12\nsetp.u32.eq P0, R8, #%u, PT\n",
		      m->stride, m->misplaced);
	at += sprintf(at, "@P0 add.u64 R14, R14, #%u\n", m->stride * pl_sm_element_bits(m->type) / 8);
	if (!m->shared)
		at += sprintf(at, "mov.u64 R16, U4\nadd.u64 R14, R14, R16\n");
	at += sprintf(at, "%s.%s.sub%u R40, R14, R13, $%u\n", m->store ? "wmst" : "wmld", name_of(m->type), m->shape,
		      flags);
	at = slots_move(at, "st", 40, 16, D);
	for (unsigned i = 0; m->shared && i < 64; i++)
		at += sprintf(at,
			      "shl.u32 R11, R8, #2\nld.u32.shared R10, [R11 + %u]\n"
			      "st.u32.global R10, [U4 + R8 << 2 + %u]\n",
			      i * 128, DATA + i * 128);
	sprintf(at, "exit\n");
	kit_code(kit, text);
	kit->param[0] = KIT_VA;
	kit->param[1] = m->offset + (m->shared ? 0 : DATA);
	kit->desc.shared_static = 8192;
	return kit_run(kit, 1, 32);
}

static void move_check(struct kit *kit, const struct move *m)
{
	static uint8_t data[32768], image[2048];

	for (unsigned i = 0; i < sizeof(data); i++)
		kit->memory[DATA + i] = data[i] = (uint8_t)pick(256);
	for (unsigned i = 0; i < sizeof(image); i++)
		kit->memory[A + i] = image[i] = (uint8_t)pick(256);
	assert(move_run(kit, m) == PL_RG_FAULT_NONE);
	move_plain(m, data, image);
	if (memcmp(kit->memory + DATA, data, sizeof(data)) || memcmp(kit->memory + D, image, sizeof(image))) {
		fprintf(stderr, "%s of %s, shape %u, matrix %u, %s, %s, lane %u\n", m->store ? "store" : "load",
			name_of(m->type), m->shape, m->which, m->by_column ? "columns" : "rows",
			m->shared ? "shared" : "global", m->misplaced);
		assert(!"fragment");
	}
}

static void test_fragments_in_both_orders(struct kit *kit)
{
	static const struct move moves[] = {
		{ 0, PL_ISA_WM_A, PL_ISA_F16, 24, 32, 0, 0, 0, 32 },
		{ 0, PL_ISA_WM_B, PL_ISA_F16, 16, 32, 0, 0, 0, 6 },
		{ 1, PL_ISA_WM_A, PL_ISA_BF16, 48, 32, 0, 0, 0, 0 },
		{ 2, PL_ISA_WM_B, PL_ISA_F16, 40, 32, 0, 0, 0, 64 },
		{ 0, PL_ISA_WM_A, PL_ISA_S8, 16, 32, 0, 0, 0, 3 },
		{ 1, PL_ISA_WM_B, PL_ISA_U8, 32, 32, 0, 0, 0, 16 },
		{ 2, PL_ISA_WM_B, PL_ISA_S8, 33, 32, 0, 0, 0, 1 },
		{ 3, PL_ISA_WM_A, PL_ISA_TF32, 20, 32, 0, 0, 0, 8 },
		{ 3, PL_ISA_WM_B, PL_ISA_TF32, 16, 32, 0, 0, 0, 0 },
		{ 4, PL_ISA_WM_A, PL_ISA_F64, 9, 32, 0, 0, 0, 8 },
		{ 4, PL_ISA_WM_B, PL_ISA_F64, 8, 32, 0, 0, 0, 0 },
		{ 4, PL_ISA_WM_C, PL_ISA_F64, 8, 32, 0, 0, 1, 16 },
		{ 0, PL_ISA_WM_C, PL_ISA_F32, 17, 32, 0, 0, 1, 4 },
		{ 1, PL_ISA_WM_C, PL_ISA_F32, 32, 32, 0, 0, 1, 0 },
		{ 2, PL_ISA_WM_C, PL_ISA_F16, 32, 32, 0, 0, 1, 2 },
		{ 0, PL_ISA_WM_C, PL_ISA_S32, 16, 32, 0, 0, 1, 0 },
	};

	for (unsigned i = 0; i < sizeof(moves) / sizeof(*moves); i++)
		for (unsigned k = 0; k < 16; k++) {
			struct move m = moves[i];

			m.by_column = k & 1;
			m.shared = k & 2;
			m.store = m.which == PL_ISA_WM_C && k & 4;
			m.misplaced = k & 8 && !m.store ? pick(32) : 32;
			m.stride = m.stride < 32 && k & 1 ? 32 : m.stride;
			move_check(kit, &m);
		}
	for (unsigned k = 0; k < 4; k++) {
		struct move m = { k & 1 ? 6 : 5, PL_ISA_WM_A, k & 1 ? PL_ISA_B1 : PL_ISA_S4, 256, 32, 0, k & 2, 0, 16 };

		move_check(kit, &m);
		m.which = PL_ISA_WM_B;
		m.by_column = true;
		move_check(kit, &m);
	}
}

/* Types that PTX does not have in this shape, whose lines are many: the device takes any program. */
static void test_fragments_of_many_short_lines(struct kit *kit)
{
	for (unsigned k = 0; k < 16; k++) {
		struct move m = { 6, k & 1 ? PL_ISA_WM_B : PL_ISA_WM_A, PL_ISA_S8, 130, 32, k & 2, k & 4, k & 8, 5 };

		if (m.by_column != (m.which == PL_ISA_WM_B))
			m.stride = 10;
		move_check(kit, &m);
	}
}

static void test_what_does_not_fit_is_a_fault(struct kit *kit)
{
	struct move m = { 0, PL_ISA_WM_A, PL_ISA_F16, 256, 32, false, true, false, 480 };

	assert(move_run(kit, &m) == PL_RG_FAULT_NONE);
	m.offset = 514; /* the last row ends two bytes behind shared memory */
	m.stride = 256 - 8;
	assert(move_run(kit, &m) == PL_RG_FAULT_NONE);
	m.stride = 256;
	assert(move_run(kit, &m) == PL_RG_FAULT_SHARED_RANGE);
	m.offset = 32;
	m.stride = 0xffffffff;
	assert(move_run(kit, &m) == PL_RG_FAULT_SHARED_RANGE);
	m.shared = false;
	assert(move_run(kit, &m) == PL_RG_FAULT_PT_NOT_PRESENT);
	m = (struct move){ 0, PL_ISA_WM_C, PL_ISA_F32, 16, 32, false, false, true, KIT_READ_ONLY - DATA };
	assert(move_run(kit, &m) == PL_RG_FAULT_READ_ONLY);
	m.offset -= 15 * 64 + 32; /* half of the last row */
	assert(move_run(kit, &m) == PL_RG_FAULT_READ_ONLY);
	m.offset -= 32;
	assert(move_run(kit, &m) == PL_RG_FAULT_NONE);
}

int main(int argc, char **argv)
{
	static struct kit kit;

	assert(argc == 2);
	kit_begin(&kit, argv[1], 1);
	test_products_of_all_shapes_and_types(&kit);
	test_fragments_in_both_orders(&kit);
	test_fragments_of_many_short_lines(&kit);
	test_what_does_not_fit_is_a_fault(&kit);
	kit_end(&kit);
	return 0;
}
