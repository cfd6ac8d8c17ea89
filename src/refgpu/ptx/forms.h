/* Which forms the instruction set has of an operation: over lanes, of the warp, with an immediate. */
#ifndef PL_REFGPU_PTX_FORMS_H
#define PL_REFGPU_PTX_FORMS_H

#include "opt.h"

unsigned pl_ptx_form_scalar_op(const struct pl_ptx_ins *ins);
bool pl_ptx_form_has_scalar_form(const struct pl_ptx_ins *ins);
bool pl_ptx_form_is_memory(const struct pl_ptx_ins *ins);
bool pl_ptx_form_can_swap(const struct pl_ptx_ins *ins);
bool pl_ptx_form_b_is_free(const struct pl_ptx_ins *ins);
bool pl_ptx_form_encodable(const struct pl_ptx_build *b, const struct pl_ptx_ins *ins, uint32_t value, uint32_t *imm);
unsigned pl_ptx_form_width(unsigned type);
bool pl_ptx_form_is_int32_64(unsigned type);

#endif
