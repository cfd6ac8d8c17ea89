/* Assembler text from anybody; what assembles is disassembled, and that assembles to the same again. */
#include "fuzz.h"
#include "refgpu/isa/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pl_isa_insn insns[64], again;
	struct pl_isa_text_error error = { 0 };
	uint32_t count = 0, one;
	int r = pl_isa_assemble((const char *)data, size, insns, 64, &count, &error);

	if (r == PL_ISA_TEXT_E_SYNTAX)
		pl_fuzz_check(error.line > 0 && memchr(error.text, 0, sizeof(error.text)) != NULL);
	for (uint32_t i = 0; r == PL_ISA_TEXT_OK && i < count; i++) {
		char text[PL_ISA_TEXT_LINE_MAX], twice[PL_ISA_TEXT_LINE_MAX];

		pl_isa_disassemble(&insns[i], text, sizeof(text));
		pl_fuzz_check(pl_isa_assemble(text, strlen(text), &again, 1, &one, &error) == PL_ISA_TEXT_OK &&
			      one == 1);
		pl_isa_disassemble(&again, twice, sizeof(twice));
		pl_fuzz_check(strcmp(text, twice) == 0);
	}
	return 0;
}
