/*
 * Instructions as text, one a line, for tests, dumps and reports:
 *
 *	@!P3 fma.f32.rz.ftz R5, -R6, #0x3f800000, R7
 *	ld.u32.global.v2 R8, [U4 + sR6 << 2 + 16]
 *	loop: bra loop
 *
 * Operation, then modifiers in any order (types in the order type, type2, type of b); operands d, a, b, c as ops.def
 *has them, then e and the operation's own immediate ("$n").  -R: negated (or complemented), !P: not; on d: ND.
 *Addresses: [R + n], [U + R << s + n] (sR: signed), [U + n], [n].  Labels: "name:" before an instruction; names stand
 *for its number where a target is asked for.  Comments: from ";" to the line's end.  Numbers: decimal or 0x.
 */
#ifndef PL_REFGPU_ISA_TEXT_H
#define PL_REFGPU_ISA_TEXT_H

#include "refgpu/isa/isa.h"

#define PL_ISA_TEXT_LINE_MAX 256u /* bytes of a line */

enum { PL_ISA_TEXT_OK, PL_ISA_TEXT_E_SYNTAX, PL_ISA_TEXT_E_FULL };

struct pl_isa_text_error {
	uint32_t line; /* from 1 */
	char text[120];
};

/** pl_isa_assemble() - text to instructions
 * @text, @bytes: need not end in 0
 * @insns, @room: filled from the beginning
 * @count_out:    set on success
 * Return: PL_ISA_TEXT_OK, PL_ISA_TEXT_E_SYNTAX (error_out), PL_ISA_TEXT_E_FULL. */
int pl_isa_assemble(const char *text, size_t bytes, struct pl_isa_insn *insns, uint32_t room, uint32_t *count_out,
		    struct pl_isa_text_error *error_out);

/* One instruction as text, always terminated and cut at `bytes`.  What no operation says is "?op". */
void pl_isa_disassemble(const struct pl_isa_insn *insn, char *text, size_t bytes);

/* -- shared by the two directions -- */

struct pl_isa_word { /* a modifier: this word sets that field to that value */
	const char *word;
	uint16_t offset; /* in struct pl_isa_fields */
	uint8_t value;
	uint8_t formats; /* 1 << enum pl_isa_format; 0: any that has one of mods */
	uint32_t mods;
};
extern const struct pl_isa_word pl_isa_words[];
extern const unsigned pl_isa_word_count;
bool pl_isa_word_applies(const struct pl_isa_word *word, const struct pl_isa_op_info *info);

enum pl_isa_tail { PL_ISA_TAIL_NONE, PL_ISA_TAIL_NUMBER, PL_ISA_TAIL_TARGET, PL_ISA_TAIL_R, PL_ISA_TAIL_P };
/* What follows the operands: the operation's own use of the immediate. */
enum pl_isa_tail pl_isa_tail_of(unsigned op);
/* Operand kinds as they are written: 'R', 'P', 'U', 'B' (R, U or #n), 'V' (U or #n), 'A' address, 'N' number, 0 none.
 */
char pl_isa_operand_letter(const struct pl_isa_fields *fields, const struct pl_isa_op_info *info, unsigned field);

#endif
