/*
 * Which uniform values live in U registers, and every operand in a form that the instruction set has: register,
 * immediate or U register, each where ops.def allows it.
 */
#include "forms.h"

enum { USE_R, USE_ANY, USE_BASE, USE_SCALAR };

struct selector {
	struct pl_ptx_build *b;
	bool *candidate, *strong;
	uint32_t *only_r;      /* uses that need an R register */
	uint32_t *r_of, *u_of; /* by value: its copy in the other class */
	uint32_t *work, work_n;
	uint32_t values_n;
	struct konst {
		uint64_t imm;
		struct pl_ptx_sym *sym;
		struct pl_ptx_block *block;
		uint32_t value;
		uint8_t class, slots;
	} * consts;
	uint32_t consts_mask;
};

static bool is_const(const struct pl_ptx_build *b, uint32_t value)
{
	const struct pl_ptx_ins *def = pl_ptx_def_of(b, value);

	return def && (def->op == I_CONST || def->op == I_ADDR);
}

static unsigned use_kind(struct selector *s, const struct pl_ptx_ins *ins, unsigned k)
{
	if (pl_ptx_form_is_memory(ins))
		return k == A_A && (ins->f.form == PL_ISA_ADDR_U || ins->f.form == PL_ISA_ADDR_UR) ? USE_BASE : USE_R;
	if (ins->defs == 1 && ins->v[A_D] < s->values_n && s->candidate[ins->v[A_D]])
		return USE_SCALAR;
	if (ins->op == PL_ISA_SETP && k == A_A && is_const(s->b, ins->v[A_B]) && pl_ptx_form_is_int32_64(ins->f.type))
		return USE_ANY; /* USETP */
	if (k == A_B && pl_ptx_form_b_is_free(ins))
		return USE_ANY;
	if (k == A_A && pl_ptx_form_can_swap(ins) && pl_ptx_form_b_is_free(ins) && !is_const(s->b, ins->v[A_B]) &&
	    ins->v[A_B] != ins->v[A_A])
		return USE_ANY;
	return USE_R;
}

static void demote(struct selector *s, uint32_t value)
{
	if (s->candidate[value] && !s->strong[value]) {
		s->candidate[value] = false;
		s->work[s->work_n++] = value;
	}
}

static void strengthen(struct selector *s, uint32_t value)
{
	if (value && !s->strong[value]) {
		s->strong[value] = true;
		s->work[s->work_n++] = value;
	}
}

static void find_candidates(struct selector *s)
{
	struct pl_ptx_build *b = s->b;

	for (uint32_t i = 1; i < s->values_n; i++) {
		struct pl_ptx_value *value = &b->values[i];

		s->candidate[i] = value->def && !value->def->dead && value->class == V_R && value->slots <= 2 &&
				  !value->varying && !value->fixed && !is_const(b, i) &&
				  pl_ptx_form_has_scalar_form(value->def);
	}
}

/* Values whose being U is worth a copy: bases of addresses, and what they are made of. */
static void find_strong(struct selector *s)
{
	struct pl_ptx_build *b = s->b;

	for (uint32_t i = 0; i < b->blocks_n; i++)
		for (struct pl_ptx_ins *ins = b->blocks[i]->first; ins; ins = ins->next)
			if (pl_ptx_form_is_memory(ins) && use_kind(s, ins, A_A) == USE_BASE)
				strengthen(s, ins->v[A_A]);
	while (s->work_n) {
		uint32_t value = s->work[--s->work_n];
		struct pl_ptx_ins *def = pl_ptx_def_of(b, value);

		if (!s->candidate[value])
			continue;
		for (unsigned k = A_A; k <= A_C; k++)
			if (def->v[k] && b->values[def->v[k]].class == V_R)
				strengthen(s, def->v[k]);
		for (uint32_t k = 0; k < def->many_n; k++)
			strengthen(s, def->many[k]);
	}
}

/* An operand of something that is not U after all. */
static void lose_operands(struct selector *s, struct pl_ptx_ins *ins)
{
	for (unsigned k = A_A; k <= A_C; k++) {
		if (ins->v[k] && s->candidate[ins->v[k]] && use_kind(s, ins, k) == USE_R) {
			s->only_r[ins->v[k]]++;
			demote(s, ins->v[k]);
		}
	}
	for (uint32_t k = 0; k < ins->many_n; k++)
		if (ins->many[k] && s->candidate[ins->many[k]])
			demote(s, ins->many[k]);
}

static void settle(struct selector *s)
{
	struct pl_ptx_build *b = s->b;

	for (uint32_t i = 0; i < b->blocks_n; i++) {
		for (struct pl_ptx_ins *ins = b->blocks[i]->first; ins; ins = ins->next) {
			if (ins->defs == 1 && s->candidate[ins->v[A_D]])
				continue;
			for (unsigned k = 0; k < A_GUARD; k++)
				if (ins->v[k] && !pl_ptx_is_def(ins, k) && s->candidate[ins->v[k]] &&
				    use_kind(s, ins, k) == USE_R)
					demote(s, ins->v[k]);
			for (uint32_t k = 0; k < ins->many_n; k++)
				if (ins->many[k] && s->candidate[ins->many[k]])
					demote(s, ins->many[k]);
		}
	}
	for (;;) {
		while (s->work_n) {
			uint32_t value = s->work[--s->work_n];

			lose_operands(s, pl_ptx_def_of(b, value));
		}
		for (uint32_t i = 1; i < s->values_n; i++) { /* of what was lost */
			struct pl_ptx_ins *def = b->values[i].def;

			if (!s->candidate[i] || s->strong[i])
				continue;
			for (unsigned k = A_A; k <= A_C; k++)
				if (def->v[k] && b->values[def->v[k]].class == V_R && !is_const(b, def->v[k]) &&
				    !s->candidate[def->v[k]])
					demote(s, i);
			for (uint32_t k = 0; k < def->many_n && s->candidate[i]; k++)
				if (def->many[k] && !is_const(b, def->many[k]) && !s->candidate[def->many[k]])
					demote(s, i);
		}
		if (!s->work_n)
			break;
	}
}

/* ---- copies between the classes, and constants ---- */

static void insert_behind(struct pl_ptx_ins *def, struct pl_ptx_ins *ins)
{
	if (def->op == I_PHI || def->op == I_ARG)
		pl_ptx_insert_first(def->block, ins);
	else if (def->next)
		pl_ptx_insert_before(def->next, ins);
	else
		pl_ptx_append(def->block, ins);
}

static uint32_t copy_to(struct selector *s, uint32_t value, unsigned class)
{
	struct pl_ptx_build *b = s->b;
	uint32_t *memo = class == V_U ? &s->u_of[value] : &s->r_of[value], d;
	struct pl_ptx_ins *ins;

	if (*memo)
		return *memo;
	ins = pl_ptx_ins_new(b, class == V_U ? PL_ISA_R2U : PL_ISA_MOV);
	ins->line = pl_ptx_def_of(b, value)->line;
	ins->f.type = b->values[value].slots == 2 ? PL_ISA_U64 : PL_ISA_U32;
	ins->v[class == V_U ? A_A : A_B] = value;
	if (class != V_U)
		ins->f.bkind = PL_ISA_B_UNIFORM;
	d = pl_ptx_value_new(b, class, class == V_U ? 1 : b->values[value].slots);
	pl_ptx_def(b, ins, A_D, d);
	b->values[d].def = ins;
	insert_behind(pl_ptx_def_of(b, value), ins);
	ins->hoisted = true; /* is in its final form */
	*memo = d;
	return d;
}

/* Where a constant for `ins` is made: in front of the outermost loop, else in its block. */
static struct pl_ptx_block *place_of(const struct pl_ptx_ins *ins, bool scalar)
{
	struct pl_ptx_block *outer = NULL;

	for (struct pl_ptx_block *at = pl_ptx_loop_of(ins->block); at; at = at->loop)
		outer = at;
	if (outer) {
		struct pl_ptx_block *at = outer->idom;

		while (scalar && at->varying && at->idom != at)
			at = at->idom;
		return at;
	}
	if (scalar && ins->block->varying) {
		struct pl_ptx_block *at = ins->block;

		while (at->varying && at->idom != at)
			at = at->idom;
		return at;
	}
	return ins->block;
}

static uint32_t const_in(struct selector *s, uint32_t value, unsigned class, struct pl_ptx_ins *ins)
{
	struct pl_ptx_build *b = s->b;
	struct pl_ptx_ins *def = pl_ptx_def_of(b, value), *made;
	struct pl_ptx_block *place = place_of(ins, class == V_U);
	unsigned slots = b->values[value].slots;
	uint64_t hash = (def->imm * 0x9e3779b97f4a7c15ull ^ (uintptr_t)def->sym ^ (uintptr_t)place * 31 ^ class) >> 20;
	struct konst *konst;

	for (uint32_t i = 0; i < 8; i++) {
		konst = &s->consts[(hash + i) & s->consts_mask];
		if (!konst->value)
			break;
		if (konst->imm == def->imm && konst->sym == def->sym && konst->block == place &&
		    konst->class == class && konst->slots == slots)
			return konst->value;
	}
	made = pl_ptx_ins_new(b, def->op);
	made->imm = def->imm;
	made->sym = def->sym;
	made->line = ins->line;
	made->f.type = slots == 2 ? PL_ISA_U64 : PL_ISA_U32;
	made->hoisted = true;
	*konst = (struct konst){ def->imm,        def->sym,
				 place,           pl_ptx_value_new(b, class, class == V_U ? 1 : slots),
				 (uint8_t) class, (uint8_t)slots };
	pl_ptx_def(b, made, A_D, konst->value);
	b->values[konst->value].def = made;
	if (place == ins->block && !pl_ptx_loop_of(place) && class == V_R && ins->op != I_PHI)
		pl_ptx_insert_before(ins, made);
	else if (place == ins->block)
		pl_ptx_insert_first(place, made);
	else
		pl_ptx_append(place, made);
	return konst->value;
}

static uint32_t as_r(struct selector *s, uint32_t value, struct pl_ptx_ins *ins)
{
	if (!value)
		return 0;
	if (s->b->values[value].class == V_U)
		return copy_to(s, value, V_R);
	return is_const(s->b, value) && !pl_ptx_def_of(s->b, value)->hoisted ? const_in(s, value, V_R, ins) : value;
}

static uint32_t as_u(struct selector *s, uint32_t value, struct pl_ptx_ins *ins)
{
	if (!value || s->b->values[value].class == V_U)
		return value;
	return is_const(s->b, value) ? const_in(s, value, V_U, ins) : copy_to(s, value, V_U);
}

/* ---- operations with a U destination ---- */

static void b_or_imm(struct selector *s, struct pl_ptx_ins *ins)
{
	uint32_t imm;
	uint64_t c;

	if (!ins->v[A_B])
		return;
	if (pl_ptx_const_of(s->b, ins->v[A_B], &c)) {
		imm = (uint32_t)c;
		if (s->b->values[ins->v[A_B]].slots == 1 || (uint64_t)(int64_t)(int32_t)c == c) {
			ins->f.bkind = PL_ISA_B_IMM;
			ins->f.imm = imm;
			ins->v[A_B] = 0;
			return;
		}
	}
	ins->v[A_B] = as_u(s, ins->v[A_B], ins);
	ins->f.bkind = PL_ISA_B_UNIFORM;
}

/* A 32-bit U value, known to be extended as `type` says. */
static uint32_t extended(struct selector *s, uint32_t value, unsigned type, struct pl_ptx_ins *before)
{
	struct pl_ptx_ins *mov = pl_ptx_ins_new(s->b, PL_ISA_UMOV);
	uint32_t d = pl_ptx_value_new(s->b, V_U, 1);

	mov->line = before->line;
	mov->f.type = (uint8_t)type;
	mov->f.bkind = PL_ISA_B_UNIFORM;
	mov->v[A_B] = as_u(s, value, before);
	mov->hoisted = true;
	pl_ptx_def(s->b, mov, A_D, d);
	s->b->values[d].def = mov;
	pl_ptx_insert_before(before, mov);
	return d;
}

static void scalar_wide(struct selector *s, struct pl_ptx_ins *ins)
{
	unsigned type = ins->f.type;
	uint64_t c;

	ins->v[A_A] = extended(s, ins->v[A_A], type, ins);
	if (pl_ptx_const_of(s->b, ins->v[A_B], &c) && (type == PL_ISA_S32 || c < 0x80000000u)) {
		ins->f.bkind = PL_ISA_B_IMM;
		ins->f.imm = (uint32_t)c;
		ins->v[A_B] = 0;
	} else {
		ins->v[A_B] = extended(s, ins->v[A_B], type, ins);
		ins->f.bkind = PL_ISA_B_UNIFORM;
	}
	ins->v[A_C] = as_u(s, ins->v[A_C], ins);
	ins->op = ins->v[A_C] ? PL_ISA_UMAD : PL_ISA_UMUL;
	ins->f.type = type == PL_ISA_S32 ? PL_ISA_S64 : PL_ISA_U64;
}

static void make_scalar(struct selector *s, struct pl_ptx_ins *ins)
{
	switch (ins->op) {
	case I_PHI:
		for (uint32_t k = 0; k < ins->many_n; k++)
			if (ins->many[k] && !is_const(s->b, ins->many[k]))
				ins->many[k] = as_u(s, ins->many[k], ins);
		return;
	case PL_ISA_S2R:
		ins->op = PL_ISA_S2U;
		break;
	case PL_ISA_LD:
		ins->op = PL_ISA_ULD;
		ins->v[A_A] = as_u(s, ins->v[A_A], ins);
		break;
	case PL_ISA_CVT:
		ins->op = PL_ISA_UMOV;
		ins->f.type = pl_ptx_form_width(ins->f.type) == 32 ? ins->f.type : ins->f.type2;
		ins->f.type2 = 0;
		ins->v[A_B] = as_u(s, ins->v[A_A], ins);
		ins->v[A_A] = 0;
		ins->f.bkind = PL_ISA_B_UNIFORM;
		break;
	case PL_ISA_MULW:
	case PL_ISA_MADW:
		scalar_wide(s, ins);
		break;
	default:
		ins->op = (uint16_t)pl_ptx_form_scalar_op(ins);
		ins->v[A_A] = as_u(s, ins->v[A_A], ins);
		b_or_imm(s, ins);
		if (ins->op == PL_ISA_UMAD)
			ins->v[A_C] = as_u(s, ins->v[A_C], ins);
		break;
	}
	ins->f.op = ins->op;
}

/* ---- operations over lanes ---- */

static void swap_ab(struct pl_ptx_ins *ins)
{
	static const uint8_t mirrored[] = {
		[PL_ISA_EQ] = PL_ISA_EQ,   [PL_ISA_NE] = PL_ISA_NE,   [PL_ISA_LT] = PL_ISA_GT,
		[PL_ISA_LE] = PL_ISA_GE,   [PL_ISA_GT] = PL_ISA_LT,   [PL_ISA_GE] = PL_ISA_LE,
		[PL_ISA_EQU] = PL_ISA_EQU, [PL_ISA_NEU] = PL_ISA_NEU, [PL_ISA_LTU] = PL_ISA_GTU,
		[PL_ISA_LEU] = PL_ISA_GEU, [PL_ISA_GTU] = PL_ISA_LTU, [PL_ISA_GEU] = PL_ISA_LEU,
		[PL_ISA_NUM] = PL_ISA_NUM, [PL_ISA_NAN] = PL_ISA_NAN,
	};
	uint32_t v = ins->v[A_A];

	ins->v[A_A] = ins->v[A_B];
	ins->v[A_B] = v;
	if (ins->op == PL_ISA_SUB)
		ins->op = ins->f.op = PL_ISA_RSUB;
	if (ins->op == PL_ISA_SETP)
		ins->f.cmp = mirrored[ins->f.cmp];
}

static bool try_scalar_compare(struct selector *s, struct pl_ptx_ins *ins)
{
	struct pl_ptx_build *b = s->b;

	if (ins->op != PL_ISA_SETP || !pl_ptx_form_is_int32_64(ins->f.type) || ins->v[A_GUARD] ||
	    b->values[ins->v[A_D]].varying || b->values[ins->v[A_A]].class != V_U ||
	    (b->values[ins->v[A_B]].class != V_U && !is_const(b, ins->v[A_B])))
		return false;
	ins->op = ins->f.op = PL_ISA_USETP;
	b_or_imm(s, ins);
	return true;
}

static void lane_operands(struct selector *s, struct pl_ptx_ins *ins)
{
	struct pl_ptx_build *b = s->b;
	bool free_b = pl_ptx_form_b_is_free(ins);
	uint32_t imm;

	if (pl_ptx_form_can_swap(ins) && free_b && ins->v[A_B] &&
	    ((b->values[ins->v[A_A]].class == V_U && b->values[ins->v[A_B]].class == V_R &&
	      !is_const(b, ins->v[A_B])) ||
	     (is_const(b, ins->v[A_A]) && !is_const(b, ins->v[A_B]))))
		swap_ab(ins);
	if (ins->v[A_B] && free_b) {
		if (pl_ptx_form_encodable(b, ins, ins->v[A_B], &imm)) {
			ins->f.bkind = PL_ISA_B_IMM;
			ins->f.imm = imm;
			ins->v[A_B] = 0;
		} else if (b->values[ins->v[A_B]].class == V_U) {
			ins->f.bkind = PL_ISA_B_UNIFORM;
		} else {
			ins->v[A_B] = as_r(s, ins->v[A_B], ins);
		}
	} else if (ins->v[A_B] && b->values[ins->v[A_B]].class != V_P) {
		ins->v[A_B] = as_r(s, ins->v[A_B], ins);
	}
	for (unsigned k = 0; k < A_GUARD; k++)
		if (k != A_B && ins->v[k] && !pl_ptx_is_def(ins, k) && b->values[ins->v[k]].class != V_P)
			ins->v[k] = as_r(s, ins->v[k], ins);
}

static void legalize_ins(struct selector *s, struct pl_ptx_ins *ins)
{
	struct pl_ptx_build *b = s->b;

	if (ins->hoisted || ins->op == I_CONST || ins->op == I_ADDR)
		return;
	if ((ins->defs & 1) && b->values[ins->v[A_D]].class == V_U) {
		make_scalar(s, ins);
		return;
	}
	if (ins->op == I_PHI) {
		for (uint32_t k = 0; k < ins->many_n; k++)
			if (ins->many[k] && b->values[ins->many[k]].class == V_U && b->values[ins->v[A_D]].class == V_R)
				ins->many[k] = copy_to(s, ins->many[k], V_R);
		return;
	}
	if (ins->op >= PL_ISA_OP_COUNT) {
		bool keeps_const = ins->op == I_CALLF || ins->op == I_RETF || ins->op == I_BUILD;

		for (unsigned k = 0; k < A_GUARD; k++)
			if (ins->v[k] && !pl_ptx_is_def(ins, k) && b->values[ins->v[k]].class != V_P &&
			    ins->op != I_COPY)
				ins->v[k] = as_r(s, ins->v[k], ins);
		if (ins->op == I_COPY && b->values[ins->v[A_A]].class == V_U)
			ins->v[A_A] = copy_to(s, ins->v[A_A], V_R);
		if (ins->v[A_OLD])
			ins->v[A_OLD] = as_r(s, ins->v[A_OLD], ins);
		for (uint32_t k = 0; k < ins->many_n; k++)
			if (ins->many[k] && !(keeps_const && is_const(b, ins->many[k])))
				ins->many[k] = as_r(s, ins->many[k], ins);
		return;
	}
	if (pl_ptx_form_is_memory(ins) && (ins->f.form == PL_ISA_ADDR_U || ins->f.form == PL_ISA_ADDR_UR)) {
		ins->v[A_A] = as_u(s, ins->v[A_A], ins);
		for (unsigned k = 0; k < A_GUARD; k++)
			if (k != A_A && ins->v[k] && !pl_ptx_is_def(ins, k))
				ins->v[k] = as_r(s, ins->v[k], ins);
		return;
	}
	if (!try_scalar_compare(s, ins))
		lane_operands(s, ins);
}

void pl_ptx_legalize(struct pl_ptx_build *b)
{
	struct selector s = { .b = b, .values_n = b->values_n };
	uint32_t room = 4 * b->values_n + 4096;

	s.candidate = pl_ptx_alloc_n(b->pool, b->values_n + 1u, sizeof(*s.candidate));
	s.strong = pl_ptx_alloc_n(b->pool, b->values_n + 1u, sizeof(*s.strong));
	s.only_r = pl_ptx_alloc_n(b->pool, b->values_n + 1u, sizeof(*s.only_r));
	s.r_of = pl_ptx_alloc_n(b->pool, room, sizeof(*s.r_of));
	s.u_of = pl_ptx_alloc_n(b->pool, room, sizeof(*s.u_of));
	s.work = pl_ptx_alloc_n(b->pool, 2ull * b->values_n + 16, sizeof(*s.work));
	s.consts_mask = 255;
	while (s.consts_mask < b->values_n)
		s.consts_mask = s.consts_mask * 2 + 1;
	s.consts = pl_ptx_alloc_n(b->pool, (uint64_t)s.consts_mask + 1, sizeof(*s.consts));
	find_candidates(&s);
	find_strong(&s);
	settle(&s);
	for (uint32_t i = 1; i < s.values_n; i++) {
		if (s.candidate[i])
			b->values[i].class = V_U;
	}
	for (uint32_t i = 0; i < b->rpo_n; i++)
		for (struct pl_ptx_ins *ins = b->rpo[i]->first, *next; ins; ins = next) {
			next = ins->next;
			legalize_ins(&s, ins);
		}
	for (uint32_t i = 0; i < b->blocks_n; i++) {
		struct pl_ptx_block *block = b->blocks[i];

		if (block->end == E_TABLE && b->values[block->cond].class == V_U)
			block->cond = copy_to(&s, block->cond, V_R);
		else if (block->end == E_TABLE && is_const(b, block->cond) && block->last)
			block->cond = const_in(&s, block->cond, V_R, block->last);
	}
	pl_ptx_dead_code(b);
}
