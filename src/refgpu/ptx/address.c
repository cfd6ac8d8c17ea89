/*
 * Addresses of loads and stores become [U + (R << s) + constant] where they are a sum of uniform values and one scaled
 * 32-bit index, [U + constant] where they are uniform, and take constants into the immediate otherwise.
 */
#include "opt.h"

#define TERMS_MAX 4
#define DEPTH_MAX 12

struct sum {
	uint32_t uniform[TERMS_MAX], uniform_n;
	uint32_t index; /* R32 */
	unsigned shift;
	bool index_signed, fails;
	uint64_t offset;
};

struct memo {
	uint32_t x, y, sum;
};

struct addresses {
	struct pl_ptx_build *b;
	struct memo memo[256];
};

static void add_index(struct sum *sum, uint32_t index, unsigned shift, bool is_signed)
{
	if (sum->index || shift > 7) {
		sum->fails = true;
		return;
	}
	sum->index = index;
	sum->shift = shift;
	sum->index_signed = is_signed;
}

static bool is_widening(const struct pl_ptx_ins *def, bool *is_signed)
{
	if (!def || def->op != PL_ISA_CVT || def->v[A_GUARD] || def->f.sat)
		return false;
	*is_signed = def->f.type2 == PL_ISA_S32;
	return (def->f.type == PL_ISA_U64 || def->f.type == PL_ISA_S64) &&
	       (def->f.type2 == PL_ISA_U32 || def->f.type2 == PL_ISA_S32);
}

static void decompose(struct pl_ptx_build *b, uint32_t value, struct sum *sum, unsigned depth)
{
	struct pl_ptx_ins *def = pl_ptx_def_of(b, value), *inner;
	bool is_signed;
	uint64_t c;

	if (!def || depth > DEPTH_MAX || sum->fails) {
		sum->fails = true;
		return;
	}
	if (def->op == I_CONST) {
		sum->offset += def->imm;
		return;
	}
	if (def->op == PL_ISA_ADD && !def->v[A_GUARD] && !def->f.sat &&
	    (def->f.type == PL_ISA_U64 || def->f.type == PL_ISA_S64) &&
	    (b->values[value].varying || pl_ptx_const_of(b, def->v[A_B], &c))) {
		decompose(b, def->v[A_A], sum, depth + 1);
		decompose(b, def->v[A_B], sum, depth + 1);
		return;
	}
	if (!b->values[value].varying) {
		if (sum->uniform_n == TERMS_MAX)
			sum->fails = true;
		else
			sum->uniform[sum->uniform_n++] = value;
		return;
	}
	if (def->v[A_GUARD]) {
		sum->fails = true;
	} else if (is_widening(def, &is_signed)) {
		add_index(sum, def->v[A_A], 0, is_signed);
	} else if (def->op == PL_ISA_SHL && pl_ptx_const_of(b, def->v[A_B], &c) && c < 8) {
		inner = pl_ptx_def_of(b, def->v[A_A]);
		if (is_widening(inner, &is_signed))
			add_index(sum, inner->v[A_A], (unsigned)c, is_signed);
		else
			sum->fails = true;
	} else if ((def->op == PL_ISA_MULW || def->op == PL_ISA_MADW) &&
		   (def->f.type == PL_ISA_U32 || def->f.type == PL_ISA_S32) && pl_ptx_const_of(b, def->v[A_B], &c) &&
		   c && !(c & (c - 1)) && c < 256) {
		add_index(sum, def->v[A_A], (unsigned)__builtin_ctzll(c), def->f.type == PL_ISA_S32);
		if (def->op == PL_ISA_MADW)
			decompose(b, def->v[A_C], sum, depth + 1);
	} else {
		sum->fails = true;
	}
}

/* x + y, made once, right behind the later of the two. */
static uint32_t uniform_add(struct addresses *s, uint32_t x, uint32_t y)
{
	struct pl_ptx_build *b = s->b;
	struct memo *memo = &s->memo[(x * 31 + y) & 255];
	struct pl_ptx_ins *ins, *dx = pl_ptx_def_of(b, x), *dy = pl_ptx_def_of(b, y), *later;
	uint32_t d;

	if (memo->x == x && memo->y == y)
		return memo->sum;
	if (dx->block == dy->block) {
		later = dx;
		for (struct pl_ptx_ins *at = dx; at; at = at->next)
			if (at == dy)
				later = dy;
	} else {
		later = pl_ptx_dominates(dx->block, dy->block) ? dy : dx;
	}
	ins = pl_ptx_ins_new(b, PL_ISA_ADD);
	ins->line = later->line;
	ins->f.type = PL_ISA_U64;
	ins->v[A_A] = x;
	ins->v[A_B] = y;
	d = pl_ptx_value_new(b, V_R, 2);
	pl_ptx_def(b, ins, A_D, d);
	b->values[d].def = ins;
	if (later->op == I_PHI || later->op == I_ARG)
		pl_ptx_insert_first(later->block, ins);
	else if (later->next)
		pl_ptx_insert_before(later->next, ins);
	else
		pl_ptx_append(later->block, ins);
	*memo = (struct memo){ x, y, d };
	return d;
}

static uint32_t const_behind(struct pl_ptx_build *b, uint32_t value, uint64_t c)
{
	struct pl_ptx_ins *ins = pl_ptx_ins_new(b, I_CONST), *def = pl_ptx_def_of(b, value);
	uint32_t d = pl_ptx_value_new(b, V_R, 2);

	ins->imm = c;
	ins->line = def->line;
	pl_ptx_def(b, ins, A_D, d);
	b->values[d].def = ins;
	if (def->op == I_PHI || def->op == I_ARG)
		pl_ptx_insert_first(def->block, ins);
	else
		pl_ptx_insert_before(def, ins);
	return d;
}

static bool fits(uint64_t offset)
{
	return (uint64_t)(int64_t)(int32_t)offset == offset;
}

static void wide_address(struct addresses *s, struct pl_ptx_ins *ins)
{
	struct pl_ptx_build *b = s->b;
	struct sum sum = { .offset = ins->imm };
	uint32_t base;
	uint64_t c;

	if (!ins->v[A_A])
		return;
	if (ins->op == PL_ISA_LD || ins->op == PL_ISA_ST || !b->values[ins->v[A_A]].varying) {
		decompose(b, ins->v[A_A], &sum, 0);
		if (!sum.fails && sum.uniform_n && (ins->op == PL_ISA_LD || ins->op == PL_ISA_ST || !sum.index)) {
			base = sum.uniform[0];
			for (uint32_t i = 1; i < sum.uniform_n; i++)
				base = uniform_add(s, base, sum.uniform[i]);
			if (!fits(sum.offset)) {
				base = uniform_add(s, base, const_behind(b, base, sum.offset));
				sum.offset = 0;
			}
			ins->v[A_A] = base;
			ins->v[ins->op == PL_ISA_LD || ins->op == PL_ISA_ST ? A_B : A_E] = sum.index;
			ins->f.form = sum.index ? PL_ISA_ADDR_UR : PL_ISA_ADDR_U;
			ins->f.shift = (uint8_t)sum.shift;
			ins->f.sx = sum.index_signed;
			ins->imm = sum.offset;
			return;
		}
	}
	ins->f.form = PL_ISA_ADDR_R64;
	for (int i = 0; i < 8; i++) {
		struct pl_ptx_ins *def = pl_ptx_def_of(b, ins->v[A_A]);

		if (!def || def->op != PL_ISA_ADD || def->v[A_GUARD] || !pl_ptx_const_of(b, def->v[A_B], &c) ||
		    !fits(ins->imm + c))
			break;
		ins->imm += c;
		ins->v[A_A] = def->v[A_A];
	}
}

/* Shared, local and parameter memory: 32 bits. */
static void narrow_address(struct addresses *s, struct pl_ptx_ins *ins)
{
	struct pl_ptx_build *b = s->b;
	uint64_t c;

	for (int i = 0; i < 8 && ins->v[A_A]; i++) {
		struct pl_ptx_ins *def = pl_ptx_def_of(b, ins->v[A_A]);

		if (def && def->op == I_CONST) {
			ins->imm = (uint32_t)(ins->imm + def->imm);
			ins->v[A_A] = 0;
		} else if (def && def->op == I_ADDR && !ins->sym) { /* its offset is put in by the linker */
			ins->sym = def->sym;
			ins->imm = (uint32_t)(ins->imm + def->imm);
			ins->v[A_A] = 0;
		} else if (def && def->op == PL_ISA_ADD && !def->v[A_GUARD] && !def->f.sat &&
			   pl_ptx_const_of(b, def->v[A_B], &c)) {
			ins->imm = (uint32_t)(ins->imm + c);
			ins->v[A_A] = def->v[A_A];
		} else {
			struct pl_ptx_ins *y = def ? pl_ptx_def_of(b, def->v[A_B]) : NULL;
			struct pl_ptx_ins *x = def ? pl_ptx_def_of(b, def->v[A_A]) : NULL;

			if (!def || def->op != PL_ISA_ADD || def->v[A_GUARD] || def->f.sat || ins->sym)
				break;
			if (y && y->op == I_ADDR) {
				ins->sym = y->sym;
				ins->imm = (uint32_t)(ins->imm + y->imm);
				ins->v[A_A] = def->v[A_A];
			} else if (x && x->op == I_ADDR) {
				ins->sym = x->sym;
				ins->imm = (uint32_t)(ins->imm + x->imm);
				ins->v[A_A] = def->v[A_B];
			} else {
				break;
			}
		}
	}
	ins->imm = (uint64_t)(int64_t)(int32_t)ins->imm;
	ins->f.form = ins->v[A_A] ? PL_ISA_ADDR_R32 : PL_ISA_ADDR_ABS;
}

void pl_ptx_addresses(struct pl_ptx_build *b)
{
	struct addresses *s = pl_ptx_alloc(b->pool, sizeof(*s));

	s->b = b;
	for (uint32_t i = 0; i < b->blocks_n; i++) {
		for (struct pl_ptx_ins *ins = b->blocks[i]->first; ins; ins = ins->next) {
			if (ins->op != PL_ISA_LD && ins->op != PL_ISA_ST && ins->op != PL_ISA_ATOM &&
			    ins->op != PL_ISA_RED)
				continue;
			if (ins->f.space == PL_ISA_GLOBAL || ins->f.space == PL_ISA_GENERIC)
				wide_address(s, ins);
			else
				narrow_address(s, ins);
		}
	}
}
