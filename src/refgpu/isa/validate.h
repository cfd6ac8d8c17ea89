/*
 * The validator: code that it accepts can not make the engine reach outside of a warp's registers, its frame, or the
 * image.  What depends on values (addresses, indices, depths) the engine checks as it runs.
 */
#ifndef PL_REFGPU_ISA_VALIDATE_H
#define PL_REFGPU_ISA_VALIDATE_H

#include "refgpu/isa/isa.h"

enum { PL_ISA_VALID, PL_ISA_E_REFUSED };

struct pl_isa_refusal {
	uint32_t insn;  /* number of the instruction */
	char text[120]; /* what is wrong with it */
};

/** pl_isa_validate() - check an image
 * @code, @count: 1..PL_ISA_CODE_INSN_MAX instructions
 * Return: PL_ISA_VALID, PL_ISA_E_REFUSED (refusal_out says what). */
int pl_isa_validate(const struct pl_isa_insn *code, uint32_t count, struct pl_isa_refusal *refusal_out);

/* How many slots an operand of kind RX takes; field 0 d, 1 a, 2 b, 3 c.  0: none. */
unsigned pl_isa_rx_slots(const struct pl_isa_fields *fields, unsigned field);

#endif
