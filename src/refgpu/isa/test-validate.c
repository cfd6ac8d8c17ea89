/* The validator: good code passes; each way out of a frame or the image is refused, with the instruction's number. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "refgpu/isa/text.h"
#include "refgpu/isa/validate.h"

#define ENTRY "entry $0x00808010\n" /* 16 R, 8 P, 8 U */

static int check(const char *text, struct pl_isa_refusal *refusal)
{
	struct pl_isa_text_error error;
	struct pl_isa_insn insns[64];
	uint32_t count;

	if (pl_isa_assemble(text, strlen(text), insns, 64, &count, &error)) {
		fprintf(stderr, "%u: %s\n%s\n", error.line, error.text, text);
		assert(!"assembles");
	}
	return pl_isa_validate(insns, count, refusal);
}

static void good(const char *text)
{
	struct pl_isa_refusal refusal;

	if (check(text, &refusal))
		fprintf(stderr, "%u: %s\n%s\n", refusal.insn, refusal.text, text);
	assert(check(text, &refusal) == PL_ISA_VALID);
}

static void bad(const char *line, const char *reason)
{
	struct pl_isa_refusal refusal = { 0 };
	char text[512];

	snprintf(text, sizeof(text), ENTRY "nop\n%s\nexit\n", line);
	if (check(text, &refusal) != PL_ISA_E_REFUSED || refusal.insn != 2 || !strstr(refusal.text, reason))
		fprintf(stderr, "%s: %u: %s\n", line, refusal.insn, refusal.text);
	assert(check(text, &refusal) == PL_ISA_E_REFUSED && refusal.insn == 2 && strstr(refusal.text, reason));
}

static void test_good_code_passes(void)
{
	good(ENTRY "add.u32 R15, R0, R1\nadd.u64 R14, R0, R2\nld.u32.global.v4 R12, [R0]\nsetp.s32.lt P7, R1, U7, "
		   "PT\nexit\n");
	good(ENTRY "loop: bra loop\n");
	good(ENTRY "call 16, 8, 8, $3\nexit\n" ENTRY "ret\n");
	good(ENTRY "brx 2, R1, $3\nexit\nbra out\nbra out\nout: exit\n");
	good(ENTRY "shfl R1, R2, #, R0, $0x7f001f00\nbar.sub3 7, R0, R0, !P1, $0x0\n");
	good(ENTRY "cpbulk.sub1 R0, R2, R4, R2047\ncpred.f16.sub1 R0, R2, R4, R15\nmma.f64.f64.f64.rm.sub0 R0, R4, R6, "
		   "R8, $0\n");
	good(ENTRY "mma.f32.f16.f16.sub3 R0, R4, R8, R10, $0\ntex.f32.2d R0, R4, R0, U3, $0\n");
}

static void test_an_immediate_is_not_where_e_is(void)
{
	static const char text[] = ENTRY "setp2.f16x2.lt P0, R1, R2, PT, P1\nexit\n";
	struct pl_isa_text_error error;
	struct pl_isa_refusal refusal;
	struct pl_isa_insn insns[4];
	struct pl_isa_fields f;
	uint32_t count;

	assert(pl_isa_assemble(text, strlen(text), insns, 4, &count, &error) == PL_ISA_TEXT_OK);
	assert(pl_isa_validate(insns, count, &refusal) == PL_ISA_VALID);
	pl_isa_unpack(&insns[1], &f);
	f.bkind = PL_ISA_B_IMM;
	insns[1] = pl_isa_pack(&f);
	assert(pl_isa_validate(insns, count, &refusal) == PL_ISA_E_REFUSED);
	assert(refusal.insn == 1 && strstr(refusal.text, "immediate"));
}

static void test_a_load_has_a_largest_size(void)
{
	struct pl_isa_refusal refusal;

	good("entry $0x00808030\nld.b128.global.v4 R0, [R32]\nexit\n");
	assert(check("entry $0x00808030\nld.b128.global.v8 R0, [R32]\nexit\n", &refusal) == PL_ISA_E_REFUSED);
	assert(refusal.insn == 1 && strstr(refusal.text, "at once"));
}

static void test_registers_stay_in_the_frame(void)
{
	bad("add.u32 R16, R0, R1", "R16");
	bad("add.u32 R0, R16, R1", "R16");
	bad("add.u32 R0, R1, R16", "R16");
	bad("add.u64 R15, R0, R2", "R15");
	bad("mad.u32 R0, R1, R2, R99", "R99");
	bad("ld.u32.global.v4 R13, [R0]", "R13");
	bad("ld.u32.global R1, [R15]", "R15");
	bad("ld.u32.global R1, [U8 + R2 << 2]", "U8");
	bad("setp.s32.lt P8, R1, R2, PT", "P8");
	bad("setp.s32.lt.and P1, R1, R2, P8", "P8");
	bad("@P8 nop", "P8");
	bad("uadd.u64 U8, U1, U2", "U8");
	bad("uadd.u64 U1, U2, U9", "U9");
	bad("add.u32 R0, R1, U8", "U8");
	bad("bfi.u32 R1, R2, R3, R4, R16", "R16");
	bad("setp2.f16x2.lt P0, R1, R2, PT, P9", "P9");
	bad("shfl R1, R2, #, R0, $0x09001f00", "P9");
	bad("mma.f32.f16.f16.sub3 R13, R4, R8, R10, $0", "R13");
	bad("tex.f32.2d R13, R4, R0, U3, $0", "R13");
	bad("tex.f32.2d R0, R4, R0, U9, $0", "U9");
	bad("bssy R16", "R16");
	bad("cpbulk R0, R2, R4, R16", "R16");
	bad("cpbulk R0, R15, R4, R5", "R15");
	bad("cpbulk.sub2 R0, R2, R4, R5", "SUB 2");
	bad("cpred.u32.sub8 R0, R2, R4, R5", "SUB 8");
	bad("cpred.b128 R0, R2, R4, R5", "64 bits");
	bad("cpred.u8 R0, R2, R4, R5", "type");
	bad("mma.f32.f16.f16.rz.sub3 R0, R4, R8, R10, $0", "f64");
	bad("mulw.s32 R15, R1, R2", "R15");
	bad("madx.u32.sub2 R1, R2, R3, R4, P9", "P9");
	bad("sys R0, R16, R0, R0, $1", "R16");
	bad("bar.sub3 8, R0, R0, P1, $0x0", "P8");
}

static void test_control_stays_in_the_function(void)
{
	bad("bra $4", "outside of the function");
	bad("bra $4000000000", "outside of the function");
	bad("call 0, 0, 0, $3", "no ENTRY");
	bad("call 0, 0, 0, $99", "outside of the image");
	bad("call 17, 0, 0, $0", "frame would begin");
	bad("calli 0, R1, 9, 0", "frame would begin");
	bad("brx 2, R1, $1", "no BRA");
	bad("brx 9, R1, $1", "");
	bad("brx 0, R1, $1", "no rows");
}

static void test_unknown_values_are_refused(void)
{
	bad("add.u8 R1, R2, R3", "type");
	bad("bar.sub5 0, R0, R0, PT, $0", "barrier operation");
	bad("bar 0, R0, R0, PT, $0x110", "whole warps");
	bad("s2r.u32 R1, $9999", "special register");
	bad("add.f32.rna R1, R2, R3", "conversions");
	bad("sys R0, R2, R0, R0, $77", "system call");
	bad("add.u64 R1, R2, R4", "overlap");
	bad("uld.u32.global U1, [R2]", "uniform");
	bad("cvt.f32.f16x2 R1, R2", "no conversion");
	bad("atom.u32.local R1, [R2], R3, R0", "atomic");
}

static void test_an_image_begins_with_a_function(void)
{
	struct pl_isa_refusal refusal;
	struct pl_isa_insn insn = { { 0x3ff, 0 } };

	assert(check("nop\nexit\n", &refusal) == PL_ISA_E_REFUSED && refusal.insn == 0);
	assert(pl_isa_validate(&insn, 1, &refusal) == PL_ISA_E_REFUSED && strstr(refusal.text, "1023"));
	assert(pl_isa_validate(&insn, 0, &refusal) == PL_ISA_E_REFUSED);
}

static void test_any_bits_are_looked_at_without_harm(void)
{
	struct pl_isa_insn insns[16];
	struct pl_isa_refusal refusal;

	srand(9);
	for (int i = 0; i < 200000; i++) {
		for (int k = 0; k < 16; k++)
			for (int w = 0; w < 2; w++)
				insns[k].word[w] = (uint64_t)rand() << 42 ^ (uint64_t)rand() << 21 ^ (uint64_t)rand();
		insns[0] = (struct pl_isa_insn){ { PL_ISA_ENTRY | (uint64_t)PL_ISA_PT << 10,
						   pl_isa_entry_imm(2000, 100, 1000) } };
		insns[1].word[0] = (insns[1].word[0] & ~0x3ffull) | (unsigned)(i % PL_ISA_OP_COUNT);
		assert(pl_isa_validate(insns, 16, &refusal) == PL_ISA_E_REFUSED);
	}
}

int main(void)
{
	test_good_code_passes();
	test_an_immediate_is_not_where_e_is();
	test_a_load_has_a_largest_size();
	test_registers_stay_in_the_frame();
	test_control_stays_in_the_function();
	test_unknown_values_are_refused();
	test_an_image_begins_with_a_function();
	test_any_bits_are_looked_at_without_harm();
	return 0;
}
