/*
 * Every operation of cases-*.c in each vector build, with all lanes and with some, with registers, uniform registers
 * and immediates for b, on random and edge values.  Usage: test-refgpu-ops BUILD
 */
#include <math.h>

#include "refgpu/compute/cases.h"
#include "refgpu/compute/kit.h"

#define LANES 1024u /* values of each case */

struct values { /* device memory */
	uint64_t a[LANES], b[LANES], c[LANES], old, d4[LANES], d8[LANES], p[LANES];
};

static const uint64_t edges[] = {
	0,
	1,
	2,
	3,
	7,
	8,
	15,
	16,
	31,
	32,
	33,
	63,
	64,
	65,
	127,
	128,
	255,
	256,
	0x7fff,
	0x8000,
	0xffff,
	0x10000,
	0x7fffffff,
	0x80000000,
	0xffffffff,
	0xfffffffe,
	0x100000000,
	0x7fffffffffffffff,
	0x8000000000000000,
	0xffffffffffffffff,
	/* f32 */ 0x3f800000,
	0xbf800000,
	0x7f800000,
	0xff800000,
	0x7fc00000,
	0xffc12345,
	0x7fa00000,
	0x00000001,
	0x807fffff,
	0x00800000,
	0x7f7fffff,
	0x4b000001,
	0x4f000000,
	0xcf000000,
	0x3f000000,
	0x3f7fffff,
	0x477ff000,
	0x477fefff,
	0x33000001,
	0x33000000,
	0x387fc000,
	0x38800000,
	0x41200000,
	0xc2c80000,
	0x3effffff,
	/* f64 */ 0x3ff0000000000000,
	0xbff0000000000000,
	0x7ff0000000000000,
	0xfff8000000000001,
	0x000fffffffffffff,
	0x7fefffffffffffff,
	0x41dfffffffc00000,
	0x41e0000000000000,
	0xc1e0000000200000,
	0x43e0000000000000,
	0x3fe0000000000000,
	0x4330000000000001,
	0x47efffffe0000000,
	0x47efffffefffffff,
	0x36a0000000000000,
	0x380fffffffffffff,
	/* pairs of halves */ 0x3c003c00,
	0xbc007bff,
	0x7c00fc00,
	0x7e000001,
	0x83ff0400,
	0x04000001,
	0x7bff7bff,
	0x3f803f80,
	0xff807f80,
};
#define EDGES (sizeof(edges) / sizeof(*edges))

static uint64_t random_bits(void)
{
	return (uint64_t)rand() << 42 ^ (uint64_t)rand() << 21 ^ (uint64_t)rand();
}

static uint64_t value(void)
{
	uint64_t v = random_bits();
	float small;
	uint32_t u;

	switch (rand() % 6) {
	case 0:
	case 1:
		return edges[(unsigned)rand() % EDGES];
	case 2:
		return v & 0x7f; /* shifts, positions */
	case 3:                  /* floats of a usual size */
		small = ((float)(rand() % 20001) - 10000) / (float)(1 + rand() % 997);
		memcpy(&u, &small, 4);
		return u;
	case 4:
		return (v & 0x800fffffffffffff) | (0x3f0ull + (unsigned)rand() % 32) << 52;
	default:
		return v;
	}
}

/* Operand places become registers; b as `with` says.  False: this operation has no such form. */
static bool spell(const char *text, const char *with, char *out)
{
	static const char *const places[][2] = { { "D4", "R20" }, { "D8", "R22" }, { "DP", "P0" },  { "A4", "R10" },
						 { "A8", "R14" }, { "C4", "R12" }, { "C8", "R18" }, { "CP", "P1" } };
	bool has_b = false;

	while (*text) {
		bool found = false;

		for (unsigned i = 0; i < sizeof(places) / sizeof(*places); i++)
			if (strncmp(text, places[i][0], 2) == 0) {
				out += sprintf(out, "%s", places[i][1]);
				found = true;
			}
		if (strncmp(text, "B4", 2) == 0 || strncmp(text, "B8", 2) == 0) {
			out += sprintf(out, "%s", with ? with : text[1] == '4' ? "R11" : "R16");
			found = has_b = true;
		}
		if (found)
			text += 2;
		else
			*out++ = *text++;
	}
	*out = 0;
	return has_b || !with;
}

static bool assembles(const char *line)
{
	struct pl_isa_text_error error;
	struct pl_isa_insn insn;
	uint32_t count;

	return pl_isa_assemble(line, strlen(line), &insn, 1, &count, &error) == PL_ISA_TEXT_OK;
}

/* U4: address of struct values; R8: number of the lane; U7: the uniform b; P2: the lanes of a partial mask. */
static void program(const char *line, bool partial, char *out)
{
	out += sprintf(out, "entry $0x%x\nuld.u64.param U4, [0]\nuld.u64.param U7, [8]\nuld.u32.param U6, [16]\n",
		       pl_isa_entry_imm(40, 8, 10));
	out += sprintf(out, "s2r.u32 R8, $%u\ns2r.u32 R9, $%u\nshl.u32 R9, R9, #8\nadd.u32 R8, R8, R9\n",
		       PL_ISA_SR_TID_FLAT, PL_ISA_SR_CTAID_X);
	out += sprintf(out,
		       "s2r.u32 R9, $%u\nmov.u32 R30, #1\nshl.u32 R30, R30, R9\nand.u32 R30, R30, U6\nr2p P2, R30\n",
		       PL_ISA_SR_LANEID);
	for (unsigned k = 0; k < 3; k++)
		out += sprintf(out, "ld.u64.global R%u, [U4 + R8 << 3 + %u]\ncvt.u32.u64 R%u, R%u\n", 14 + 2 * k,
			       k * LANES * 8, 10 + k, 14 + 2 * k);
	out += sprintf(out, "and.u32 R31, R12, #1\nr2p P1, R31\nuld.u64.global U8, [U4 + %u]\n", 3 * LANES * 8);
	out += sprintf(out, "mov.u64 R22, U8\nmov.u32 R20, U8\nplop !P0, PT, PT\n%s%s\n", partial ? "@P2 " : "", line);
	out += sprintf(out, "cvt.u64.u32 R26, R20\nst.u64.global R26, [U4 + R8 << 3 + %u]\n", 3 * LANES * 8 + 8);
	out += sprintf(out, "st.u64.global R22, [U4 + R8 << 3 + %u]\np2r R24, P0\n", 4 * LANES * 8 + 8);
	sprintf(out, "cvt.u64.u32 R26, R24\nst.u64.global R26, [U4 + R8 << 3 + %u]\nexit\n", 5 * LANES * 8 + 8);
}

/* Relative; sin, cos and lg2 absolute. */
static bool close_enough(uint32_t got, uint64_t want64, double error, const char *text)
{
	bool absolute = strstr(text, "sin") || strstr(text, "cos") || strstr(text, "lg2");
	uint32_t want = (uint32_t)want64;
	float g, v;

	if (want64 >> 40)
		return true;
	memcpy(&g, &got, 4);
	memcpy(&v, &want, 4);
	if (v != v || isinf(v))
		return (v != v && g != g) || g == v;
	return fabs((double)g - v) <= error * fabs((double)v) + (absolute ? error : 0x1p-148);
}

static uint64_t cut(uint64_t v, const char *text, char place)
{
	const char *at = strchr(text, ' ');

	while ((at = strchr(at, place)) && at[1] != '4' && at[1] != '8')
		at++;
	return at && at[1] == '4' ? (uint32_t)v : v;
}

static bool same64(uint64_t got, uint64_t want, const char *text)
{
	double g, v;

	memcpy(&g, &got, 8);
	memcpy(&v, &want, 8);
	return got == want || (strstr(text, ".f64") && g != g && v != v);
}

static void check(const struct ops_case *c, const struct values *v, uint32_t mask, uint64_t b_fixed, bool fixed,
		  const char *line)
{
	for (unsigned i = 0; i < LANES; i++) {
		uint64_t a = cut(v->a[i], c->text, 'A'), b = cut(fixed ? b_fixed : v->b[i], c->text, 'B'),
			 z = cut(v->c[i], c->text, 'C');
		bool on = mask >> i % 32 & 1, good;
		uint64_t want, got, rest4 = (uint32_t)v->old, rest8 = v->old;

		if (strstr(c->text, "CP"))
			z = v->c[i] & 1;
		want = c->ref(a, b, z);
		if (strstr(c->text, "DP")) {
			got = v->p[i];
			good = got == (on ? want & 1 : 0) && v->d8[i] == rest8;
		} else if (strstr(c->text, "D4")) {
			got = v->d4[i];
			good = !on             ? got == rest4
			       : c->error != 0 ? close_enough((uint32_t)got, want, c->error, c->text)
					       : got == (uint32_t)want;
			good = good && v->d8[i] == rest8;
		} else {
			got = v->d8[i];
			good = (on ? same64(got, want, c->text) : got == rest8) && v->d4[i] == rest4;
		}
		if (!good) {
			fprintf(stderr, "%s, lane %u (mask %08x): a %llx b %llx c %llx: %llx, not %llx\n", line, i,
				mask, (unsigned long long)a, (unsigned long long)b, (unsigned long long)z,
				(unsigned long long)got, (unsigned long long)(on ? want : rest8));
			assert(good);
		}
	}
}

static void run(struct kit *kit, const struct ops_case *c, const char *with, uint64_t b_fixed, uint32_t mask)
{
	struct values *v = (void *)kit->memory;
	char line[128], text[4096];

	if (!spell(c->text, with, line) || !assembles(line)) {
		if (!with)
			fprintf(stderr, "%s\n", line);
		assert(with);
		return;
	}
	for (unsigned i = 0; i < LANES; i++)
		v->a[i] = value(), v->b[i] = value(), v->c[i] = value();
	v->old = 0x0123456789abcdefull;
	program(line, mask != 0xffffffff, text);
	kit_code(kit, text);
	kit->param[0] = KIT_VA;
	kit->param[1] = b_fixed;
	kit->param[2] = mask;
	if (kit_run(kit, LANES / 256, 256) != PL_RG_FAULT_NONE) {
		fprintf(stderr, "%s: fault %x at %llx\n", line, kit->result.fault.code,
			(unsigned long long)kit->result.fault.pc);
		assert(!"runs");
	}
	check(c, v, mask, b_fixed, with != NULL, line);
}

static void run_all(struct kit *kit, const struct ops_case *cases, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		for (unsigned k = 0; k < 3; k++) {
			uint64_t fixed = value();
			uint32_t low = (uint32_t)fixed;
			bool wide = strstr(cases[i].text, "B8") != NULL, f64 = strstr(cases[i].text, ".f64") != NULL;
			uint64_t imm = !wide ? low : f64 ? (uint64_t)low << 32 : (uint64_t)(int64_t)(int32_t)low;
			char with[24];

			run(kit, &cases[i], NULL, 0, 0xffffffff);
			run(kit, &cases[i], NULL, 0, (uint32_t)random_bits());
			run(kit, &cases[i], "U7", fixed, k & 1 ? 0x80000001u : 0xffffffffu);
			snprintf(with, sizeof(with), "#0x%x", low);
			run(kit, &cases[i], with, imm, k & 1 ? 0xffffffffu : (uint32_t)random_bits());
		}
	}
}

int main(int argc, char **argv)
{
	static struct kit kit;

	assert(argc == 2);
	kit_begin(&kit, argv[1], 1);
	srand(20);
	run_all(&kit, ops_int, ops_int_count);
	run_all(&kit, ops_float, ops_float_count);
	run_all(&kit, ops_convert, ops_convert_count);
	kit_end(&kit);
	return 0;
}
