/* Two operations become one where the first is read by the second alone. */
#include "opt.h"

static bool is_plain(const struct pl_ptx_ins *ins)
{
	return !ins->v[A_GUARD] && !ins->f.sat;
}

static bool int_type(unsigned type)
{
	return type >= PL_ISA_U16 && type <= PL_ISA_S64;
}

static bool same_width(unsigned x, unsigned y)
{
	return pl_isa_type_bytes(x) == pl_isa_type_bytes(y);
}

/* Operand k of `ins`, defined by `op` for it alone. */
static struct pl_ptx_ins *operand_def(struct pl_ptx_build *b, struct pl_ptx_ins *ins, unsigned k, unsigned op)
{
	struct pl_ptx_ins *def = pl_ptx_single(b, ins->v[k], op);

	return def && is_plain(def) ? def : NULL;
}

static void take_product(struct pl_ptx_ins *ins, const struct pl_ptx_ins *mul, unsigned k, unsigned op)
{
	uint32_t other = ins->v[k == A_A ? A_B : A_A];

	ins->op = ins->f.op = (uint16_t)op;
	ins->v[A_C] = other;
	ins->v[A_A] = mul->v[A_A];
	ins->v[A_B] = mul->v[A_B];
}

static bool fuse_int(struct pl_ptx_build *b, struct pl_ptx_ins *ins)
{
	for (unsigned k = A_A; k <= A_B; k++) {
		struct pl_ptx_ins *mul = operand_def(b, ins, k, PL_ISA_MUL);
		uint64_t c;

		if (ins->v[A_A] == ins->v[A_B])
			return false;
		if (mul && same_width(mul->f.type, ins->f.type) && int_type(mul->f.type)) {
			take_product(ins, mul, k, PL_ISA_MAD);
			return true;
		}
		mul = operand_def(b, ins, k, PL_ISA_MULW);
		if (mul && pl_isa_type_bytes(mul->f.type) * 2 == pl_isa_type_bytes(ins->f.type)) {
			take_product(ins, mul, k, PL_ISA_MADW);
			ins->f.type = mul->f.type;
			return true;
		}
		mul = operand_def(b, ins, k, PL_ISA_SHL);
		if (mul && same_width(mul->f.type, ins->f.type) && pl_isa_type_bytes(mul->f.type) >= 4 &&
		    pl_ptx_const_of(b, mul->v[A_B], &c) && c < 31) {
			struct pl_ptx_ins *scale = pl_ptx_ins_new(b, I_CONST);
			uint32_t d = pl_ptx_value_new(b, V_R, pl_isa_type_slots(ins->f.type));

			scale->imm = 1ull << c;
			pl_ptx_def(b, scale, A_D, d);
			b->values[d].def = scale;
			b->values[d].uses = 1;
			pl_ptx_insert_before(ins, scale);
			take_product(ins, mul, k, PL_ISA_MAD);
			ins->v[A_B] = d;
			return true;
		}
	}
	return false;
}

/* mul and add without a rounding may be fused, says PTX; the results of both must be of one kind. */
static bool fuse_float(struct pl_ptx_build *b, struct pl_ptx_ins *ins)
{
	if (!ins->contract || ins->f.sat || ins->v[A_A] == ins->v[A_B])
		return false;
	for (unsigned k = A_A; k <= A_B; k++) {
		struct pl_ptx_ins *mul = operand_def(b, ins, k, PL_ISA_MUL);
		bool is_sub = ins->op == PL_ISA_SUB;

		if (!mul || !mul->contract || mul->f.type != ins->f.type || mul->f.ftz != ins->f.ftz)
			continue;
		take_product(ins, mul, k, PL_ISA_FMA);
		ins->f.nc = is_sub && k == A_A;
		ins->f.na = is_sub && k == A_B;
		return true;
	}
	return false;
}

/* (a OP b) OP c: any function of three; constants stay immediates of two-operand forms. */
static unsigned table_of(unsigned op, unsigned x, unsigned y)
{
	return op == PL_ISA_AND ? x & y : op == PL_ISA_OR ? x | y : x ^ y;
}

static bool is_logic(const struct pl_ptx_ins *ins)
{
	return (ins->op == PL_ISA_AND || ins->op == PL_ISA_OR || ins->op == PL_ISA_XOR) && is_plain(ins) &&
	       !ins->f.na && pl_isa_type_bytes(ins->f.type) == 4;
}

static bool fuse_logic(struct pl_ptx_build *b, struct pl_ptx_ins *ins)
{
	uint64_t c;

	if (!is_logic(ins) || ins->v[A_A] == ins->v[A_B])
		return false;
	for (unsigned k = A_A; k <= A_B; k++) {
		struct pl_ptx_ins *def = pl_ptx_def_of(b, ins->v[k]);
		uint32_t other = ins->v[k == A_A ? A_B : A_A];

		if (!def || !is_logic(def) || b->values[ins->v[k]].uses != 1 || pl_ptx_const_of(b, other, &c) ||
		    pl_ptx_const_of(b, def->v[A_B], &c))
			continue;
		ins->f.imm = table_of(ins->op, table_of(def->op, 0xf0, 0xcc), 0xaa) & 0xff;
		ins->op = ins->f.op = PL_ISA_LOP3;
		ins->f.type = 0;
		ins->v[A_A] = def->v[A_A];
		ins->v[A_B] = def->v[A_B];
		ins->v[A_C] = other;
		return true;
	}
	return false;
}

/* (x >> c) & mask */
static bool fuse_field(struct pl_ptx_build *b, struct pl_ptx_ins *ins)
{
	struct pl_ptx_ins *shift = operand_def(b, ins, A_A, PL_ISA_SHR);
	uint64_t mask, c;

	if (ins->op != PL_ISA_AND || !is_plain(ins) || ins->f.na || !shift || pl_isa_type_bytes(ins->f.type) != 4 ||
	    !same_width(shift->f.type, ins->f.type) || !pl_ptx_const_of(b, ins->v[A_B], &mask) ||
	    !pl_ptx_const_of(b, shift->v[A_B], &c) || c > 31)
		return false;
	mask = (uint32_t)mask;
	if (!mask || (mask & (mask + 1)) ||
	    (shift->f.type == PL_ISA_S32 && c + (unsigned)__builtin_popcountll(mask) > 32))
		return false;
	ins->op = ins->f.op = PL_ISA_BFEI;
	ins->f.type = PL_ISA_U32;
	ins->f.imm = (uint32_t)(c | (uint64_t)__builtin_popcountll(mask) << 8);
	ins->v[A_A] = shift->v[A_A];
	ins->v[A_B] = 0;
	return true;
}

/* A compare that one AND or OR reads takes it along. */
static bool fuse_compare(struct pl_ptx_build *b, struct pl_ptx_ins *ins)
{
	if (ins->op != PL_ISA_PLOP || ins->f.boolop == PL_ISA_PASS || ins->v[A_GUARD] || ins->f.nd)
		return false;
	for (unsigned k = A_A; k <= A_B; k++) {
		struct pl_ptx_ins *cmp = pl_ptx_single(b, ins->v[k], PL_ISA_SETP);
		uint32_t other = ins->v[k == A_A ? A_B : A_A];
		bool not_other = k == A_A ? ins->f.nb : ins->f.na, not_this = k == A_A ? ins->f.na : ins->f.nb;
		unsigned boolop = ins->f.boolop;

		if (!cmp || cmp->f.boolop != PL_ISA_PASS || ins->v[A_A] == ins->v[A_B])
			continue;
		ins->op = PL_ISA_SETP;
		ins->f = cmp->f;
		ins->f.boolop = (uint8_t)boolop;
		ins->f.nd = cmp->f.nd ^ not_this;
		ins->f.nc = not_other;
		ins->v[A_A] = cmp->v[A_A];
		ins->v[A_B] = cmp->v[A_B];
		ins->v[A_C] = other;
		return true;
	}
	return false;
}

void pl_ptx_fuse(struct pl_ptx_build *b)
{
	pl_ptx_count_uses(b);
	for (uint32_t i = 0; i < b->blocks_n; i++) {
		for (struct pl_ptx_ins *ins = b->blocks[i]->first; ins; ins = ins->next) {
			if (ins->op == PL_ISA_ADD && int_type(ins->f.type) && is_plain(ins))
				(void)fuse_int(b, ins);
			else if ((ins->op == PL_ISA_ADD || ins->op == PL_ISA_SUB) && !ins->v[A_GUARD] &&
				 (ins->f.type == PL_ISA_F32 || ins->f.type == PL_ISA_F64))
				(void)fuse_float(b, ins);
			else if (!fuse_field(b, ins) && !fuse_logic(b, ins))
				(void)fuse_compare(b, ins);
		}
	}
	pl_ptx_dead_code(b);
}
