/* Which forms the instruction set has of an operation: over lanes, of the warp, with an immediate. */
#include "forms.h"

bool pl_ptx_form_is_int32_64(unsigned type)
{
	return type >= PL_ISA_U32 && type <= PL_ISA_S64;
}

unsigned pl_ptx_form_width(unsigned type)
{
	return pl_isa_type_bytes(type) * 8;
}

unsigned pl_ptx_form_scalar_op(const struct pl_ptx_ins *ins)
{
	switch (ins->op) {
	case PL_ISA_ADD:
		return PL_ISA_UADD;
	case PL_ISA_SUB:
		return PL_ISA_USUB;
	case PL_ISA_MUL:
		return PL_ISA_UMUL;
	case PL_ISA_MAD:
		return PL_ISA_UMAD;
	case PL_ISA_AND:
		return PL_ISA_UAND;
	case PL_ISA_OR:
		return PL_ISA_UOR;
	case PL_ISA_XOR:
		return PL_ISA_UXOR;
	case PL_ISA_SHL:
		return PL_ISA_USHL;
	case PL_ISA_SHR:
		return PL_ISA_USHR;
	case PL_ISA_MIN:
		return PL_ISA_UMIN;
	case PL_ISA_MAX:
		return PL_ISA_UMAX;
	case PL_ISA_DIV:
		return PL_ISA_UDIV;
	case PL_ISA_REM:
		return PL_ISA_UREM;
	case PL_ISA_SEL:
		return PL_ISA_USEL;
	default:
		return PL_ISA_NOP;
	}
}

/* Has a form with a U destination. */
bool pl_ptx_form_has_scalar_form(const struct pl_ptx_ins *ins)
{
	if (ins->v[A_GUARD] || ins->defs != 1 || ins->effect)
		return false;
	switch (ins->op) {
	case I_CONST:
	case I_ADDR:
	case I_PHI:
		return true;
	case PL_ISA_S2R:
		return true;
	case PL_ISA_CVT:
		return pl_ptx_form_is_int32_64(ins->f.type) && pl_ptx_form_is_int32_64(ins->f.type2) && !ins->f.sat;
	case PL_ISA_MULW:
	case PL_ISA_MADW:
		return pl_ptx_form_width(ins->f.type) == 32;
	case PL_ISA_LD:
		return ins->f.vec == 0 && ins->f.type != PL_ISA_B128 && !ins->sym &&
		       (ins->f.form == PL_ISA_ADDR_U ||
			(ins->f.form == PL_ISA_ADDR_ABS && ins->f.space == PL_ISA_PARAM));
	default:
		return pl_ptx_form_scalar_op(ins) != PL_ISA_NOP && pl_ptx_form_is_int32_64(ins->f.type) &&
		       !ins->f.sat && !ins->f.na && !ins->f.sub;
	}
}

bool pl_ptx_form_is_memory(const struct pl_ptx_ins *ins)
{
	return ins->op == PL_ISA_LD || ins->op == PL_ISA_ST || ins->op == PL_ISA_ATOM || ins->op == PL_ISA_RED;
}

static bool commutes(unsigned op)
{
	switch (op) {
	case PL_ISA_ADD:
	case PL_ISA_SUB: /* as RSUB */
	case PL_ISA_MUL:
	case PL_ISA_MULHI:
	case PL_ISA_MULW:
	case PL_ISA_MAD:
	case PL_ISA_MADW:
	case PL_ISA_FMA:
	case PL_ISA_AND:
	case PL_ISA_OR:
	case PL_ISA_XOR:
	case PL_ISA_MIN:
	case PL_ISA_MAX:
	case PL_ISA_SETP: /* the other way round */
		return true;
	default:
		return false;
	}
}

bool pl_ptx_form_can_swap(const struct pl_ptx_ins *ins)
{
	if (!commutes(ins->op))
		return false;
	if (ins->op == PL_ISA_SUB)
		return pl_isa_ops[PL_ISA_RSUB].types >> ins->f.type & 1;
	if (ins->op == PL_ISA_AND || ins->op == PL_ISA_OR)
		return !ins->f.na;
	return true;
}

/* b may be an immediate or a U register. */
bool pl_ptx_form_b_is_free(const struct pl_ptx_ins *ins)
{
	unsigned kind = ins->op < PL_ISA_OP_COUNT ? pl_isa_ops[ins->op].b : PL_ISA_K_N;

	return (kind == PL_ISA_K_BT || kind == PL_ISA_K_B1) && ins->op != PL_ISA_SETP2 && ins->op != PL_ISA_MADX;
}

bool pl_ptx_form_encodable(const struct pl_ptx_build *b, const struct pl_ptx_ins *ins, uint32_t value, uint32_t *imm)
{
	unsigned kind = pl_isa_ops[ins->op].b;
	uint64_t c;

	if (!pl_ptx_const_of(b, value, &c))
		return false;
	*imm = (uint32_t)c;
	if (ins->op == PL_ISA_SHFL) {
		*imm = (uint32_t)c & 255;
		return c < 256;
	}
	if (kind == PL_ISA_K_B1 || b->values[value].slots == 1)
		return true;
	if (ins->f.type == PL_ISA_F64) {
		*imm = (uint32_t)(c >> 32);
		return !(uint32_t)c;
	}
	if (ins->f.type == PL_ISA_F32X2)
		return c >> 32 == (uint32_t)c;
	return (uint64_t)(int64_t)(int32_t)c == c;
}
