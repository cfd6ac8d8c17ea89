/* Text: what is disassembled assembles to the same again; errors name line and reason. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "refgpu/isa/text.h"

static void test_every_operation_goes_round(void)
{
	srand(3);
	for (int i = 0; i < 100000; i++) {
		char text[PL_ISA_TEXT_LINE_MAX], again[PL_ISA_TEXT_LINE_MAX];
		struct pl_isa_text_error error;
		struct pl_isa_insn insn, made;
		uint32_t count;

		for (int w = 0; w < 2; w++)
			insn.word[w] = (uint64_t)rand() << 42 ^ (uint64_t)rand() << 21 ^ (uint64_t)rand();
		insn.word[0] = (insn.word[0] & ~0x3ffull) | (unsigned)(i % PL_ISA_OP_COUNT);
		pl_isa_disassemble(&insn, text, sizeof(text));
		if (strchr(text, '?') || pl_isa_assemble(text, strlen(text), &made, 1, &count, &error))
			continue; /* a type, kind or form that does not exist */
		assert(count == 1);
		pl_isa_disassemble(&made, again, sizeof(again));
		if (strcmp(text, again) != 0)
			fprintf(stderr, "%s\n%s\n", text, again);
		assert(strcmp(text, again) == 0);
	}
}

static void expect(const char *text, const char *back)
{
	char out[PL_ISA_TEXT_LINE_MAX];
	struct pl_isa_text_error error;
	struct pl_isa_insn insn;
	uint32_t count;

	assert(pl_isa_assemble(text, strlen(text), &insn, 1, &count, &error) == PL_ISA_TEXT_OK && count == 1);
	pl_isa_disassemble(&insn, out, sizeof(out));
	if (strcmp(out, back) != 0)
		fprintf(stderr, "%s\n", out);
	assert(strcmp(out, back) == 0);
}

static void test_forms(void)
{
	expect("@!P3 fma.f32.rz.ftz R5, -R6, #0x3f800000, R7", "@!P3 fma.f32.rz.ftz R5, -R6, #0x3f800000, R7");
	expect("ld.u32.global.v2 R8, [U4 + sR6 << 2 + 16]", "ld.u32.global.v2 R8, [U4 + sR6 << 2 + 16]");
	expect("ld.u32.shared R8, [R6 - 4]", "ld.u32.shared R8, [R6 - 4]");
	expect("ld.u8 R8, [R6]", "ld.u8 R8, [R6]");
	expect("atom.u32.shared.cas R1, [64], R2, R3 ; a comment", "atom.u32.shared.cas R1, [64], R2, R3");
	expect("setp.s32.lt.and !P0, R1, U2, !P3", "setp.s32.and.lt !P0, R1, U2, !P3");
	expect("cvt.f32.s32.rm R1, R2", "cvt.f32.s32.rm R1, R2");
	expect("bfi.u32 R1, R2, R3, R4, R5", "bfi.u32 R1, R2, R3, R4, R5");
	expect("shfl.sub3 R1, R2, #, R0, $0x7f001f10", "shfl.sub3 R1, R2, #, R0, $0x7f001f10");
	expect("add.u32 R1, R2, #-1", "add.u32 R1, R2, #0xffffffff");
	expect("usetp.u64.ne P1, U3, #5, PT", "usetp.u64.ne P1, U3, #0x5, PT");
	expect("mma.f32.f16.f16.sub3 R0, R4, R8, R10, $0", "mma.f32.f16.f16.sub3 R0, R4, R8, R10, $0x0");
	expect("tex.f32.2d.array.level R0, R4, R8, U3, $0", "tex.f32.2d.array.level R0, R4, R8, U3, $0x0");
	expect("call 10, 2, 0, $4", "call 10, 2, 0, $0x4");
}

static void refused(const char *text, uint32_t line, const char *reason)
{
	struct pl_isa_text_error error = { 0 };
	struct pl_isa_insn insns[4];
	uint32_t count = 77;

	assert(pl_isa_assemble(text, strlen(text), insns, 4, &count, &error) == PL_ISA_TEXT_E_SYNTAX);
	if (error.line != line || !strstr(error.text, reason))
		fprintf(stderr, "%u: %s\n", error.line, error.text);
	assert(error.line == line && strstr(error.text, reason) && count == 77);
}

static void test_errors_name_line_and_reason(void)
{
	struct pl_isa_text_error error;
	struct pl_isa_insn insn;
	uint32_t count;

	refused("nop\nfrobnicate R1", 2, "does not exist");
	refused("add.u32 R1, R2", 1, "more operands");
	refused("add.u32 R1, R2, R2048", 1, "does not exist");
	refused("add.u32.lt R1, R2, R3", 1, ".lt does not go");
	refused("\n\nbra nowhere", 3, "nowhere");
	refused("ld.u32 R1, R2", 1, "address");
	refused("ld.u32 R1, [R2 + R3]", 1, "U register");
	refused("add.u32 R1, R2, R3 R4", 1, "left over");
	refused("@P128 nop", 1, "P128");
	refused("setp2.f16x2.lt P0, R1, #5, PT, P1", 1, "e takes the number's place");
	assert(pl_isa_assemble("nop\nnop", 7, &insn, 1, &count, &error) == PL_ISA_TEXT_E_FULL);
}

static void test_labels(void)
{
	const char *text = "start: entry $0x1004\nbra end\nback: nop\n end: bra back";
	struct pl_isa_text_error error;
	struct pl_isa_insn insns[8];
	struct pl_isa_fields f;
	uint32_t count;

	assert(pl_isa_assemble(text, strlen(text), insns, 8, &count, &error) == PL_ISA_TEXT_OK && count == 4);
	pl_isa_unpack(&insns[1], &f);
	assert(f.op == PL_ISA_BRA && f.imm == 3);
	pl_isa_unpack(&insns[3], &f);
	assert(f.imm == 2);
}

int main(void)
{
	test_every_operation_goes_round();
	test_forms();
	test_errors_name_line_and_reason();
	test_labels();
	return 0;
}
