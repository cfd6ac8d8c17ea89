/* Special registers of PTX: their names, widths, and what each becomes. */
#ifndef PL_REFGPU_PTX_SREG_H
#define PL_REFGPU_PTX_SREG_H

#include <stdint.h>

#define PL_PTX_RESERVED_SHARED 1024u /* bytes, for kernels that ask where it is */

enum pl_ptx_sreg_kind {
	SREG_READ,  /* value: PL_ISA_SR_* */
	SREG_XYZ,   /* the same for .x; .y and .z follow; .w is 0 */
	SREG_CONST, /* value */
	SREG_XYZ_CONST,
	SREG_RESERVED, /* address of the kernel's reserved shared memory + value */
};

struct pl_ptx_sreg {
	const char *name;
	uint8_t kind, bits;
	uint32_t value;
};

/* Return: NULL = not a special register.  By the whole name, with '%'. */
const struct pl_ptx_sreg *pl_ptx_sreg_find(const char *name);
const struct pl_ptx_sreg *pl_ptx_sreg_at(uint32_t index);
uint32_t pl_ptx_sreg_index(const struct pl_ptx_sreg *sreg);

#endif
