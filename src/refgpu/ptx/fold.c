/* Constants are computed, and operations take simpler forms.  Only integers: floats are left to the machine. */
#include "opt.h"

uint64_t pl_ptx_cut(uint64_t value, unsigned type)
{
	switch (type) {
	case PL_ISA_U8:
		return (uint8_t)value;
	case PL_ISA_S8:
		return (uint32_t)(int32_t)(int8_t)value;
	case PL_ISA_U16:
		return (uint16_t)value;
	case PL_ISA_S16:
		return (uint32_t)(int32_t)(int16_t)value;
	case PL_ISA_U64:
	case PL_ISA_S64:
		return value;
	default:
		return (uint32_t)value;
	}
}

/* The number that a register of the type means. */
static int64_t read_as(uint64_t value, unsigned type)
{
	switch (type) {
	case PL_ISA_U8:
		return (uint8_t)value;
	case PL_ISA_S8:
		return (int8_t)value;
	case PL_ISA_U16:
		return (uint16_t)value;
	case PL_ISA_S16:
		return (int16_t)value;
	case PL_ISA_U32:
		return (uint32_t)value;
	case PL_ISA_S32:
		return (int32_t)value;
	default:
		return (int64_t)value;
	}
}

static bool is_int(unsigned type)
{
	return type <= PL_ISA_S64;
}

static unsigned width(unsigned type)
{
	return pl_isa_type_bytes(type) * 8;
}

static bool fold_binary(unsigned op, unsigned type, int64_t a, int64_t bb, uint64_t *out)
{
	uint64_t x = (uint64_t)a, y = (uint64_t)bb;

	switch (op) {
	case PL_ISA_ADD:
		*out = x + y;
		return true;
	case PL_ISA_SUB:
		*out = x - y;
		return true;
	case PL_ISA_MUL:
		*out = x * y;
		return true;
	case PL_ISA_AND:
		*out = x & y;
		return true;
	case PL_ISA_OR:
		*out = x | y;
		return true;
	case PL_ISA_XOR:
		*out = x ^ y;
		return true;
	case PL_ISA_SHL:
		y = (uint32_t)y;
		*out = y >= width(type) ? 0 : x << y;
		return true;
	case PL_ISA_SHR:
		y = (uint32_t)y;
		if (type & 1) /* signed types are odd */
			*out = (uint64_t)(a >> (y >= width(type) ? width(type) - 1 : y));
		else
			*out = y >= width(type) ? 0 : x >> y;
		return true;
	default:
		return false;
	}
}

_Static_assert((PL_ISA_S8 & 1) && (PL_ISA_S64 & 1) && !(PL_ISA_U32 & 1), "signed types are odd");

bool pl_ptx_fold(struct pl_ptx_build *b, struct pl_ptx_ins *ins, uint64_t *out)
{
	uint64_t a, bb = 0;
	unsigned type = ins->f.type;

	if (ins->v[A_GUARD] || ins->v[A_C] || ins->v[A_E] || ins->f.sat || !pl_ptx_const_of(b, ins->v[A_A], &a) ||
	    (ins->v[A_B] && !pl_ptx_const_of(b, ins->v[A_B], &bb)))
		return false;
	switch (ins->op) {
	case PL_ISA_CVT:
		if (!is_int(type) || !is_int(ins->f.type2))
			return false;
		*out = pl_ptx_cut((uint64_t)read_as(a, ins->f.type2), type);
		return true;
	case PL_ISA_MULW:
		if (width(type) != 32)
			return false;
		*out = (uint64_t)read_as(a, type) * (uint64_t)read_as(bb, type);
		return true;
	case PL_ISA_NEG:
		if (!is_int(type))
			return false;
		*out = pl_ptx_cut(-a, type);
		return true;
	case PL_ISA_NOT:
		*out = pl_ptx_cut(~a, type);
		return true;
	case PL_ISA_PACK:
		*out = width(type) == 16 ? (uint16_t)a | (uint32_t)(bb << 16) : (uint32_t)a | bb << 32;
		return true;
	case PL_ISA_HALF:
		*out = pl_ptx_cut(a >> (ins->f.sub ? width(type) : 0), type);
		return true;
	default:
		if (!is_int(type) || width(type) < 16)
			return false;
		if (ins->op == PL_ISA_SHL || ins->op == PL_ISA_SHR) {
			if (!fold_binary(ins->op, type, read_as(a, type), (int64_t)bb, out))
				return false;
		} else if (!fold_binary(ins->op, type, read_as(a, type), read_as(bb, type), out)) {
			return false;
		}
		*out = pl_ptx_cut(*out, type);
		return true;
	}
}

static bool commutes(unsigned op)
{
	return op == PL_ISA_ADD || op == PL_ISA_MUL || op == PL_ISA_MULW || op == PL_ISA_MULHI || op == PL_ISA_MAD ||
	       op == PL_ISA_MADW || op == PL_ISA_MADHI || op == PL_ISA_AND || op == PL_ISA_OR || op == PL_ISA_XOR ||
	       op == PL_ISA_FMA || op == PL_ISA_MIN || op == PL_ISA_MAX;
}

static uint32_t new_const(struct pl_ptx_build *b, struct pl_ptx_ins *before, uint64_t value, unsigned slots)
{
	struct pl_ptx_ins *ins = pl_ptx_ins_new(b, I_CONST);
	uint32_t d = pl_ptx_value_new(b, V_R, slots);

	ins->imm = slots == 1 ? (uint32_t)value : value;
	ins->line = before->line;
	pl_ptx_def(b, ins, A_D, d);
	b->values[d].def = ins;
	pl_ptx_insert_before(before, ins);
	return d;
}

/* (x + c1) + c2 */
static bool rewrite_add(struct pl_ptx_build *b, struct pl_ptx_ins *ins, uint64_t c, uint32_t *same)
{
	struct pl_ptx_ins *inner = pl_ptx_def_of(b, ins->v[A_A]);
	unsigned bits = width(ins->f.type);
	uint64_t c1;

	if (ins->f.sat)
		return false;
	if (!pl_ptx_cut(c, ins->f.type)) {
		*same = ins->v[A_A];
		return true;
	}
	if (inner && inner->op == PL_ISA_ADD && !inner->v[A_GUARD] && !inner->f.sat && bits >= 32 &&
	    width(inner->f.type) == bits && is_int(inner->f.type) && pl_ptx_const_of(b, inner->v[A_B], &c1)) {
		ins->v[A_A] = inner->v[A_A];
		ins->v[A_B] = new_const(b, ins, c + c1, bits / 32);
		return true;
	}
	return false;
}

static bool rewrite_mul(struct pl_ptx_build *b, struct pl_ptx_ins *ins, uint64_t c, uint32_t *same)
{
	c = pl_ptx_cut(c, ins->f.type);
	if (c == 1) {
		*same = ins->v[A_A];
		return true;
	}
	if (c && !(c & (c - 1)) && width(ins->f.type) >= 32) {
		ins->op = ins->f.op = PL_ISA_SHL;
		ins->v[A_B] = new_const(b, ins, (uint64_t)__builtin_ctzll(c), 1);
		return true;
	}
	return false;
}

static bool rewrite_const(struct pl_ptx_build *b, struct pl_ptx_ins *ins, uint64_t c, uint32_t *same)
{
	uint64_t all = width(ins->f.type) == 64 ? UINT64_MAX : UINT32_MAX;

	switch (ins->op) {
	case PL_ISA_ADD:
		return rewrite_add(b, ins, c, same);
	case PL_ISA_SUB:
		if (ins->f.sat || width(ins->f.type) < 32)
			return false;
		ins->op = ins->f.op = PL_ISA_ADD;
		ins->v[A_B] = new_const(b, ins, -c, width(ins->f.type) / 32);
		return true;
	case PL_ISA_MUL:
		return !ins->f.sat && rewrite_mul(b, ins, c, same);
	case PL_ISA_SHL:
	case PL_ISA_SHR:
	case PL_ISA_OR:
	case PL_ISA_XOR:
		if (c || ins->f.na || width(ins->f.type) < 32)
			return false;
		*same = ins->v[A_A];
		return true;
	case PL_ISA_AND:
		if (ins->f.na || (c & all) != all)
			return false;
		*same = ins->v[A_A];
		return true;
	default:
		return false;
	}
}

static bool extends(const struct pl_ptx_ins *def, unsigned to, unsigned from)
{
	return def && def->op == PL_ISA_CVT && !def->v[A_GUARD] && !def->f.sat && def->f.type == to &&
	       def->f.type2 == from;
}

static bool rewrite_cvt(struct pl_ptx_build *b, struct pl_ptx_ins *ins, uint32_t *same)
{
	struct pl_ptx_ins *def = pl_ptx_def_of(b, ins->v[A_A]);
	bool narrow_32 = width(ins->f.type) == 32 && width(ins->f.type2) == 64;

	if (!is_int(ins->f.type) || !is_int(ins->f.type2) || ins->f.sat)
		return false;
	if (ins->f.type == ins->f.type2 && width(ins->f.type) >= 32) {
		*same = ins->v[A_A];
		return true;
	}
	if (width(ins->f.type) == 32 && width(ins->f.type2) == 32) {
		*same = ins->v[A_A];
		return true;
	}
	if (narrow_32 && (extends(def, PL_ISA_U64, PL_ISA_U32) || extends(def, PL_ISA_S64, PL_ISA_S32))) {
		*same = def->v[A_A];
		return true;
	}
	if (narrow_32 && def && def->op == PL_ISA_PACK && def->f.type == PL_ISA_U32 && !def->v[A_GUARD]) {
		*same = def->v[A_A];
		return true;
	}
	return false;
}

static bool rewrite_half(struct pl_ptx_build *b, struct pl_ptx_ins *ins, uint32_t *same)
{
	struct pl_ptx_ins *def = pl_ptx_def_of(b, ins->v[A_A]);

	if (!def || def->v[A_GUARD])
		return false;
	if (def->op == PL_ISA_PACK && def->f.type == ins->f.type && width(ins->f.type) == 32) {
		*same = def->v[ins->f.sub ? A_B : A_A];
		return true;
	}
	return false;
}

static bool rewrite_pack(struct pl_ptx_build *b, struct pl_ptx_ins *ins, uint32_t *same)
{
	struct pl_ptx_ins *low = pl_ptx_def_of(b, ins->v[A_A]), *high = pl_ptx_def_of(b, ins->v[A_B]);

	if (!low || !high || low->op != PL_ISA_HALF || high->op != PL_ISA_HALF || low->v[A_GUARD] || high->v[A_GUARD] ||
	    low->v[A_A] != high->v[A_A] || low->f.sub || !high->f.sub || low->f.type != high->f.type ||
	    width(low->f.type) != width(ins->f.type))
		return false;
	*same = low->v[A_A];
	return true;
}

static bool rewrite_extract(struct pl_ptx_build *b, struct pl_ptx_ins *ins, uint32_t *same)
{
	struct pl_ptx_ins *def = pl_ptx_def_of(b, ins->v[A_A]);
	uint64_t at = 0;

	if (!def || def->op != I_BUILD || def->v[A_GUARD])
		return false;
	for (uint32_t i = 0; i < def->many_n; i++) {
		if (!def->many[i])
			return false;
		if (at == ins->imm && b->values[def->many[i]].slots == b->values[ins->v[A_D]].slots) {
			*same = def->many[i];
			return true;
		}
		at += b->values[def->many[i]].slots;
	}
	return false;
}

static bool rewrite_build(struct pl_ptx_build *b, struct pl_ptx_ins *ins, uint32_t *same)
{
	uint32_t tuple = 0;
	uint64_t at = 0;

	for (uint32_t i = 0; i < ins->many_n; i++) {
		struct pl_ptx_ins *def = pl_ptx_def_of(b, ins->many[i]);

		if (!def || def->op != I_EXTRACT || def->v[A_GUARD] || def->imm != at ||
		    (tuple && def->v[A_A] != tuple))
			return false;
		tuple = def->v[A_A];
		at += b->values[ins->many[i]].slots;
	}
	if (!tuple || b->values[tuple].slots != at)
		return false;
	*same = tuple;
	return true;
}

/* A predicate that is another's negation is read as that, negated. */
static bool see_through_not(struct pl_ptx_build *b, uint32_t *value, bool * not )
{
	struct pl_ptx_ins *def = pl_ptx_def_of(b, *value);

	if (!def || def->op != PL_ISA_PLOP || def->f.boolop != PL_ISA_PASS || def->v[A_GUARD])
		return false;
	*value = def->v[A_A];
	*not ^= def->f.na ^ def->f.nd;
	return true;
}

static int truth(const struct pl_ptx_build *b, uint32_t value)
{
	const struct pl_ptx_ins *def = pl_ptx_def_of(b, value);

	if (!def)
		return -1;
	return def->op == I_TRUE ? 1 : def->op == I_FALSE ? 0 : -1;
}

static bool rewrite_plop(struct pl_ptx_build *b, struct pl_ptx_ins *ins, uint32_t *same)
{
	bool changed = see_through_not(b, &ins->v[A_A], &ins->f.na);
	int a = truth(b, ins->v[A_A]), y = truth(b, ins->v[A_B]);

	if (ins->f.boolop != PL_ISA_PASS) {
		changed |= see_through_not(b, &ins->v[A_B], &ins->f.nb);
		y = truth(b, ins->v[A_B]);
		if (y >= 0) { /* the constant last: it is now the first that is looked at */
			uint32_t v = ins->v[A_A];
			bool n = ins->f.na;

			ins->v[A_A] = ins->v[A_B];
			ins->f.na = ins->f.nb;
			ins->v[A_B] = v;
			ins->f.nb = n;
			a = y;
		}
		if (a >= 0) {
			a ^= ins->f.na;
			if ((ins->f.boolop == PL_ISA_BAND && a) || (ins->f.boolop == PL_ISA_BOR && !a) ||
			    ins->f.boolop == PL_ISA_BXOR) {
				ins->f.nd ^= ins->f.boolop == PL_ISA_BXOR && a;
				ins->v[A_A] = ins->v[A_B];
				ins->f.na = ins->f.nb;
				ins->v[A_B] = 0;
				ins->f.nb = false;
				ins->f.boolop = PL_ISA_PASS;
			} else {
				ins->op = (uint16_t)((ins->f.boolop == PL_ISA_BOR) ^ ins->f.nd ? I_TRUE : I_FALSE);
				ins->v[A_A] = ins->v[A_B] = 0;
			}
			return true;
		}
		return changed;
	}
	if (a >= 0) {
		ins->op = (uint16_t)(a ^ ins->f.na ^ ins->f.nd ? I_TRUE : I_FALSE);
		ins->v[A_A] = 0;
		return true;
	}
	if (!(ins->f.na ^ ins->f.nd)) {
		*same = ins->v[A_A];
		return true;
	}
	return changed;
}

static bool rewrite_sel(struct pl_ptx_build *b, struct pl_ptx_ins *ins, uint32_t *same)
{
	bool changed = see_through_not(b, &ins->v[A_C], &ins->f.nc);
	int c = truth(b, ins->v[A_C]);
	uint64_t value;

	if (ins->v[A_A] == ins->v[A_B]) {
		*same = ins->v[A_A];
		return true;
	}
	if (c >= 0) {
		*same = ins->v[c ^ ins->f.nc ? A_A : A_B];
		return true;
	}
	if (pl_ptx_const_of(b, ins->v[A_A], &value) && !pl_ptx_const_of(b, ins->v[A_B], &value)) {
		uint32_t v = ins->v[A_A];

		ins->v[A_A] = ins->v[A_B];
		ins->v[A_B] = v;
		ins->f.nc = !ins->f.nc;
		return true;
	}
	return changed;
}

/* A negation inside a sum. */
static bool rewrite_neg(struct pl_ptx_build *b, struct pl_ptx_ins *ins)
{
	bool wide = ins->f.type == PL_ISA_F32 || ins->f.type == PL_ISA_F64, changed = false;

	if (!wide)
		return false;
	for (unsigned k = A_A; k <= A_C; k++) {
		struct pl_ptx_ins *def = pl_ptx_def_of(b, ins->v[k]);

		if (!def || def->op != PL_ISA_NEG || def->v[A_GUARD] || def->f.type != ins->f.type ||
		    (def->f.ftz && !ins->f.ftz))
			continue;
		if (ins->op == PL_ISA_FMA) {
			ins->v[k] = def->v[A_A];
			if (k == A_C)
				ins->f.nc = !ins->f.nc;
			else
				ins->f.na = !ins->f.na;
			changed = true;
		} else if (k == A_B) {
			ins->op = ins->f.op = ins->op == PL_ISA_ADD ? PL_ISA_SUB : PL_ISA_ADD;
			ins->v[k] = def->v[A_A];
			changed = true;
		}
	}
	return changed;
}

bool pl_ptx_rewrite(struct pl_ptx_build *b, struct pl_ptx_ins *ins, uint32_t *same)
{
	uint64_t c;

	*same = 0;
	if (ins->v[A_GUARD] && see_through_not(b, &ins->v[A_GUARD], &ins->f.guard_not))
		return true;
	if (ins->v[A_GUARD])
		return false;
	if (commutes(ins->op) && pl_ptx_const_of(b, ins->v[A_A], &c) && !pl_ptx_const_of(b, ins->v[A_B], &c) &&
	    ins->v[A_B]) {
		uint32_t v = ins->v[A_A];

		ins->v[A_A] = ins->v[A_B];
		ins->v[A_B] = v;
		return true;
	}
	switch (ins->op) {
	case PL_ISA_CVT:
		return rewrite_cvt(b, ins, same);
	case PL_ISA_HALF:
		return rewrite_half(b, ins, same);
	case PL_ISA_PACK:
		return rewrite_pack(b, ins, same);
	case I_EXTRACT:
		return rewrite_extract(b, ins, same);
	case I_BUILD:
		return rewrite_build(b, ins, same);
	case PL_ISA_PLOP:
		return rewrite_plop(b, ins, same);
	case PL_ISA_SEL:
		return rewrite_sel(b, ins, same);
	case PL_ISA_SETP:
	case PL_ISA_SET:
		return ins->v[A_C] && see_through_not(b, &ins->v[A_C], &ins->f.nc);
	case PL_ISA_FMA:
		return rewrite_neg(b, ins);
	case PL_ISA_ADD:
	case PL_ISA_SUB:
		if (rewrite_neg(b, ins))
			return true;
		break;
	default:
		break;
	}
	if (is_int(ins->f.type) && pl_ptx_const_of(b, ins->v[A_B], &c))
		return rewrite_const(b, ins, c, same);
	return false;
}
