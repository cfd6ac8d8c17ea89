/* What a kernel begins with gives the same worked out ahead as done by each warp: a cooperative launch does the latter.
 * Usage: test-refgpu-prologue BUILD */
#include "refgpu/compute/kit.h"

#define REGISTERS 6
#define UNIFORMS  5
#define BLOCKS    7
#define THREADS   72 /* the last warp has 8 lanes */
#define OUTPUTS   (REGISTERS + 2 * UNIFORMS + 2)

static uint32_t state = 2463534242u;

static uint32_t random_below(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state % n;
}

/* An operand b: a register, a uniform or a constant. */
static void operand(char *to, bool registers)
{
	switch (random_below(registers ? 4 : 2)) {
	case 0:
		sprintf(to, "U%u", 8 + random_below(UNIFORMS));
		break;
	case 1:
		sprintf(to, "#%d", (int)random_below(40) - 20);
		break;
	default:
		sprintf(to, "R%u", 1 + random_below(REGISTERS));
	}
}

static int random_insn(char *at)
{
	static const char *const lanes[] = { "add", "sub", "mul", "and", "or", "xor", "shl", "shr" };
	static const char *const scalars[] = { "uadd", "usub", "umul", "uand", "uor", "uxor", "ushl", "ushr" };
	static const char *const types[] = { "u32", "s32", "u64", "s64" };
	static const char *const compares[] = { "eq", "lt", "ge", "ne" };
	unsigned d = 1 + random_below(REGISTERS), a = 1 + random_below(REGISTERS), ud = 8 + random_below(UNIFORMS),
		 ua = 8 + random_below(UNIFORMS), k = random_below(8);
	char b[16], ub[16];

	operand(b, true);
	operand(ub, false);
	switch (random_below(12)) {
	case 0:
		return sprintf(at, "s2u.u32 U%u, $%u\n", ud, 3 + random_below(9)); /* ntid, ctaid, nctaid */
	case 1:
		return sprintf(at, "s2r.u32 R%u, $%u\n", d, random_below(13));
	case 2:
		return sprintf(at, "uld.%s.param U%u, [%u]\n", types[random_below(4)], ud, 8 + 8 * random_below(3));
	case 3:
		return sprintf(at, "ld.%s.param R%u, [%u]\n", types[random_below(2)], d, 8 + 4 * random_below(6));
	case 4:
		return sprintf(at, "mov.u32 R%u, %s\n", d, b);
	case 5:
		return sprintf(at, "umov.%s U%u, %s\n", types[random_below(4)], ud, ub);
	case 6:
	case 7:
		return sprintf(at, "mad.%s R%u, R%u, %s, R%u\n", types[random_below(2)], d, a, b,
			       1 + random_below(REGISTERS));
	case 8:
		return sprintf(at, "setp.%s.%s P%u, R%u, %s, PT\n", types[random_below(2)], compares[random_below(4)],
			       random_below(2), a, b);
	case 9:
		return sprintf(at, "umad.%s U%u, U%u, %s, U%u\n", types[random_below(4)], ud, ua, ub,
			       8 + random_below(UNIFORMS));
	case 10:
		return sprintf(at, "%s.%s U%u, U%u, %s\n", scalars[k], types[random_below(4)], ud, ua, ub);
	default:
		return sprintf(at, "%s.%s R%u, R%u, %s\n", lanes[k], types[random_below(2)], d, a, b);
	}
}

/* All registers that the line may have written, to memory. */
static int outputs(char *at)
{
	char *begin = at;
	unsigned out = 0;

	for (unsigned k = 1; k <= REGISTERS; k++)
		at += sprintf(at, "st.u32.global R%u, [U4 + R30 << 2 + %u]\n", k, 4096 * out++);
	for (unsigned k = 8; k < 8 + UNIFORMS; k++) {
		at += sprintf(at, "mov.u32 R20, U%u\nst.u32.global R20, [U4 + R30 << 2 + %u]\n", k, 4096 * out++);
		at += sprintf(at, "ushr.u64 U%u, U%u, #32\nmov.u32 R20, U%u\n", k, k, k);
		at += sprintf(at, "st.u32.global R20, [U4 + R30 << 2 + %u]\n", 4096 * out++);
	}
	for (unsigned k = 0; k < 2; k++)
		at += sprintf(at, "p2r R20, P%u\nst.u32.global R20, [U4 + R30 << 2 + %u]\n", k, 4096 * out++);
	assert(out == OUTPUTS);
	return (int)(at + sprintf(at, "exit\n") - begin);
}

static void random_program(char *at)
{
	at += sprintf(at, "entry $0x1008040\n");
	for (unsigned k = 8; k < 8 + UNIFORMS; k++)
		at += sprintf(at, "umov.u64 U%u, #%u\n", k, k);
	for (unsigned k = 1; k <= REGISTERS; k++)
		at += k & 1 ? sprintf(at, "s2r.u32 R%u, $%u\n", k, k / 2) : sprintf(at, "mov.u32 R%u, #%u\n", k, k);
	at += sprintf(at, "setp.u32.lt P0, R1, #5, PT\nsetp.u32.lt P1, R1, #9, PT\n");
	for (unsigned n = random_below(30); n--;)
		at += random_insn(at);
	at += sprintf(at, "uld.u64.param U4, [0]\ns2r.u32 R30, $33\ns2r.u32 R31, $6\nmad.u32 R30, R31, #%u, R30\n",
		      THREADS);
	outputs(at);
}

static void test_random_lines_give_what_each_warp_would(struct kit *kit)
{
	static uint8_t want[4096 * OUTPUTS];
	static char text[1 << 14];

	kit->param[0] = KIT_VA;
	kit->param[1] = 0x123456789abcdef0;
	kit->param[2] = 17;
	kit->param[3] = 0xfffffffffffffff0;
	for (int round = 0; round < 400; round++) {
		uint64_t insns;

		random_program(text);
		kit_code(kit, text);
		kit->desc.flags = PL_ISA_LAUNCH_COOPERATIVE;
		memset(kit->memory, 0, sizeof(want));
		assert(kit_run(kit, BLOCKS, THREADS) == PL_RG_FAULT_NONE);
		memcpy(want, kit->memory, sizeof(want));
		insns = kit->result.instructions;
		kit->desc.flags = 0;
		memset(kit->memory, 0, sizeof(want));
		assert(kit_run(kit, BLOCKS, THREADS) == PL_RG_FAULT_NONE);
		for (unsigned i = 0; i < sizeof(want); i++)
			if (want[i] != kit->memory[i]) {
				fprintf(stderr, "output %u word %u differs\n%s", i / 4096, i % 4096 / 4, text);
				abort();
			}
		assert(kit->result.instructions == insns);
	}
}

static void test_a_fault_in_the_line_is_the_same_fault(struct kit *kit)
{
	kit_code(kit, "entry $0x1008040\ns2u.u32 U8, $6\numov.u32 U9, #1\nuadd.u32 U8, U8, U9\nuld.u32.param U10, "
		      "[32000]\nmov.u32 R1, U10\nexit\n");
	assert(kit_run(kit, 1, 32) == PL_RG_FAULT_READ_ONLY);
	assert(kit->result.fault.address == 32000 && kit->result.fault.pc % 4096 == 4 * 16);
}

static void test_blocks_that_begin_between_turns_have_their_own_numbers(struct kit *kit)
{
	/* blocks wait for their number, so several are resident and begin while others run; each says who it is */
	memset(kit->memory, 0, 4096);
	kit_code(kit, "entry $0x1008040\nuld.u64.param U4, [0]\ns2u.u32 U8, $6\numul.u32 U9, U8, #3\nmov.u32 R2, U9\n"
		      "s2r.u32 R1, $33\nadd.u32 R3, R1, U8\nmov.u64 R20, U4\n"
		      "wait: ld.u32.global R5, [R20]\nsetp.u32.ne P1, R5, U8, PT\n@P1 bra wait\n"
		      "bar 0, R0, R0, PT, $0\nmov.u32 R6, U8\nst.u32.global R2, [U4 + R6 << 2 + 4096]\n"
		      "st.u32.global R3, [U4 + R6 << 2 + 8192]\nmov.u32 R6, #1\nsetp.u32.eq P0, R1, #0, PT\n"
		      "@P0 red.u32.global [R20], R6\nexit\n");
	kit->param[0] = KIT_VA;
	assert(kit_run(kit, 40, 64) == PL_RG_FAULT_NONE);
	for (uint32_t k = 0; k < 40; k++)
		assert(((uint32_t *)(void *)kit->memory)[1024 + k] == 3 * k);
}

int main(int argc, char **argv)
{
	static struct kit kit;

	assert(argc == 2);
	for (uint32_t threads = 1; threads <= 3; threads += 2) {
		kit_begin(&kit, argv[1], threads);
		test_random_lines_give_what_each_warp_would(&kit);
		test_a_fault_in_the_line_is_the_same_fault(&kit);
		test_blocks_that_begin_between_turns_have_their_own_numbers(&kit);
		kit_end(&kit);
	}
	return 0;
}
