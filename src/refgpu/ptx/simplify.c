/* Copies, constants, equal expressions and dead code, to a fixed point that is cut off after a few rounds. */
#include "opt.h"

#define ROUNDS_MAX 4

struct simplifier {
	struct pl_ptx_build *b;
	uint32_t *same; /* by value: what stands for it; 0 = itself */
	uint32_t same_n;
	struct pl_ptx_ins **table;
	uint32_t mask;
	bool changed;
};

bool pl_ptx_is_pure(const struct pl_ptx_ins *ins)
{
	if (ins->effect)
		return false;
	switch (ins->op) {
	case PL_ISA_LD:
		return ins->f.space == PL_ISA_PARAM && !ins->v[A_GUARD];
	case PL_ISA_ULD:
	case PL_ISA_TEX:
	case PL_ISA_TLD4:
	case PL_ISA_TXQ:
	case PL_ISA_SULD:
	case PL_ISA_WMLD:
	case PL_ISA_LDMATRIX:
	case PL_ISA_SHFL:
	case PL_ISA_VOTE:
	case PL_ISA_BALLOT:
	case PL_ISA_UBALLOT:
	case PL_ISA_MATCH:
	case PL_ISA_REDUX:
	case PL_ISA_ELECT:
	case PL_ISA_MOVMATRIX:
	case PL_ISA_MMA:
	case PL_ISA_WMMA:
	case I_PHI:
	case I_ARG:
	case I_UNDEF:
		return false;
	default:
		return true;
	}
}

struct pl_ptx_ins *pl_ptx_single(const struct pl_ptx_build *b, uint32_t value, unsigned op)
{
	struct pl_ptx_ins *def = pl_ptx_def_of(b, value);

	return def && def->op == op && !def->v[A_GUARD] && b->values[value].uses == 1 ? def : NULL;
}

void pl_ptx_count_uses(struct pl_ptx_build *b)
{
	for (uint32_t i = 0; i < b->values_n; i++)
		b->values[i].uses = 0;
	for (uint32_t i = 0; i < b->blocks_n; i++) {
		for (struct pl_ptx_ins *ins = b->blocks[i]->first; ins; ins = ins->next) {
			for (unsigned k = 0; k < A_COUNT; k++)
				if (!pl_ptx_is_def(ins, k))
					b->values[ins->v[k]].uses++;
			for (uint32_t k = 0; k < ins->many_n; k++)
				b->values[ins->many[k]].uses++;
		}
		b->values[b->blocks[i]->cond].uses++;
	}
}

static uint32_t resolve(struct simplifier *s, uint32_t value)
{
	uint32_t at = value;

	if (value >= s->same_n)
		return value;
	while (at < s->same_n && s->same[at])
		at = s->same[at];
	while (value < s->same_n && s->same[value]) { /* shorten the way */
		uint32_t next = s->same[value];

		s->same[value] = at;
		value = next;
	}
	return at;
}

static void replace(struct simplifier *s, struct pl_ptx_ins *ins, uint32_t by)
{
	if (ins->v[A_D] < s->same_n && ins->v[A_D] != by) {
		s->same[ins->v[A_D]] = by;
		pl_ptx_remove(ins);
		s->changed = true;
	}
}

static void resolve_operands(struct simplifier *s, struct pl_ptx_ins *ins)
{
	for (unsigned k = 0; k < A_COUNT; k++)
		if (ins->v[k] && !pl_ptx_is_def(ins, k))
			ins->v[k] = resolve(s, ins->v[k]);
	for (uint32_t k = 0; k < ins->many_n; k++)
		ins->many[k] = resolve(s, ins->many[k]);
}

/* All the same, or itself: that one. */
static void simplify_phi(struct simplifier *s, struct pl_ptx_ins *phi)
{
	uint32_t only = 0;

	for (uint32_t k = 0; k < phi->many_n; k++) {
		uint32_t value = phi->many[k];

		if (!value || value == phi->v[A_D] || value == only)
			continue;
		if (only)
			return;
		only = value;
	}
	if (!only) {
		phi->op = I_UNDEF;
		phi->many_n = 0;
		return;
	}
	if (s->b->values[only].def &&
	    (s->b->values[only].def->block == phi->block ? s->b->values[only].def->op == I_PHI
							 : pl_ptx_dominates(s->b->values[only].def->block, phi->block)))
		replace(s, phi, only);
}

static uint32_t hash_ins(const struct pl_ptx_ins *ins)
{
	uint64_t hash = ins->op * 0x9e3779b97f4a7c15ull ^ ins->imm ^ (uintptr_t)ins->sym >> 4;

	for (unsigned k = A_A; k < A_OLD; k++)
		hash = (hash ^ ins->v[k]) * 0x100000001b3ull;
	hash ^= ins->f.imm ^ (uint64_t)ins->f.type << 40 ^ (uint64_t)ins->f.sub << 50;
	return (uint32_t)(hash ^ hash >> 31);
}

static bool equal_ins(const struct pl_ptx_ins *x, const struct pl_ptx_ins *y)
{
	return x->op == y->op && x->imm == y->imm && x->sym == y->sym && x->defs == y->defs &&
	       !memcmp(x->v + 1, y->v + 1, (A_COUNT - 1) * sizeof(x->v[0])) && !memcmp(&x->f, &y->f, sizeof(x->f));
}

static void common(struct simplifier *s, struct pl_ptx_ins *ins)
{
	uint32_t at;

	if (ins->defs != 1 || ins->many_n || ins->v[A_GUARD] || !pl_ptx_is_pure(ins))
		return;
	at = hash_ins(ins) & s->mask;
	for (int i = 0; i < 4; i++, at = (at + 1) & s->mask) {
		struct pl_ptx_ins *old = s->table[at];

		if (!old) {
			s->table[at] = ins;
			return;
		}
		if (!old->dead && equal_ins(old, ins) &&
		    s->b->values[old->v[A_D]].slots == s->b->values[ins->v[A_D]].slots &&
		    (old->block == ins->block || pl_ptx_dominates(old->block, ins->block))) {
			replace(s, ins, old->v[A_D]);
			return;
		}
	}
	s->table[hash_ins(ins) & s->mask] = ins;
}

/* Without an old value, what the guard leaves out is undefined: then it need not be guarded. */
static void drop_guard(struct pl_ptx_ins *ins)
{
	if (ins->v[A_GUARD] && !ins->v[A_OLD] && ins->defs && (pl_ptx_is_pure(ins) || ins->op == I_COPY)) {
		ins->v[A_GUARD] = 0;
		ins->f.guard_not = false;
	}
}

static void visit(struct simplifier *s, struct pl_ptx_ins *ins)
{
	uint32_t same;
	uint64_t value;

	resolve_operands(s, ins);
	if (ins->op == I_PHI) {
		simplify_phi(s, ins);
		return;
	}
	drop_guard(ins);
	if (ins->op == I_COPY && !ins->v[A_GUARD]) {
		replace(s, ins, ins->v[A_A]);
		return;
	}
	for (int i = 0; i < 4; i++) {
		if (pl_ptx_fold(s->b, ins, &value)) {
			ins->op = I_CONST;
			ins->f = (struct pl_isa_fields){ 0 };
			memset(ins->v + 1, 0, sizeof(ins->v) - sizeof(ins->v[0]));
			ins->imm = value;
			s->changed = true;
			break;
		}
		if (!pl_ptx_rewrite(s->b, ins, &same))
			break;
		s->changed = true;
		if (same) {
			replace(s, ins, same);
			return;
		}
	}
	common(s, ins);
}

static void round_once(struct simplifier *s)
{
	struct pl_ptx_build *b = s->b;

	memset(s->table, 0, ((size_t)s->mask + 1) * sizeof(*s->table));
	s->changed = false;
	for (uint32_t i = 0; i < b->rpo_n; i++) {
		struct pl_ptx_block *block = b->rpo[i];

		for (struct pl_ptx_ins *ins = block->first, *next; ins; ins = next) {
			next = ins->next;
			visit(s, ins);
		}
		if (block->cond) {
			struct pl_ptx_ins *def;

			block->cond = resolve(s, block->cond);
			def = pl_ptx_def_of(b, block->cond);
			if (block->end == E_BRANCH && def && def->op == PL_ISA_PLOP && def->f.boolop == PL_ISA_PASS &&
			    !def->v[A_GUARD]) {
				block->cond = def->v[A_A];
				block->cond_not ^= def->f.na ^ def->f.nd;
				s->changed = true;
			}
		}
	}
	for (uint32_t i = 0; i < b->rpo_n; i++) /* operands from behind a back edge */
		for (struct pl_ptx_ins *ins = b->rpo[i]->first; ins; ins = ins->next)
			resolve_operands(s, ins);
	for (uint32_t i = 0; i < b->rpo_n; i++)
		b->rpo[i]->cond = resolve(s, b->rpo[i]->cond);
}

static void mark_live(struct pl_ptx_build *b, uint32_t value, uint32_t *work, uint32_t *n)
{
	if (value && !b->values[value].uses++ && b->values[value].def)
		work[(*n)++] = value;
}

void pl_ptx_dead_code(struct pl_ptx_build *b)
{
	uint32_t *work = pl_ptx_alloc_n(b->pool, b->values_n + 1u, sizeof(*work)), n = 0;

	for (uint32_t i = 0; i < b->values_n; i++)
		b->values[i].uses = 0;
	for (uint32_t i = 0; i < b->blocks_n; i++) {
		for (struct pl_ptx_ins *ins = b->blocks[i]->first; ins; ins = ins->next) {
			ins->dead = !ins->effect && ins->defs;
			if (ins->dead)
				continue;
			for (unsigned k = 0; k < A_COUNT; k++)
				if (!pl_ptx_is_def(ins, k))
					mark_live(b, ins->v[k], work, &n);
			for (uint32_t k = 0; k < ins->many_n; k++)
				mark_live(b, ins->many[k], work, &n);
		}
		mark_live(b, b->blocks[i]->cond, work, &n);
	}
	while (n) {
		struct pl_ptx_ins *ins = b->values[work[--n]].def;

		if (!ins->dead)
			continue;
		ins->dead = false;
		for (unsigned k = 0; k < A_COUNT; k++)
			if (!pl_ptx_is_def(ins, k))
				mark_live(b, ins->v[k], work, &n);
		for (uint32_t k = 0; k < ins->many_n; k++)
			mark_live(b, ins->many[k], work, &n);
	}
	for (uint32_t i = 0; i < b->blocks_n; i++) {
		for (struct pl_ptx_ins *ins = b->blocks[i]->first, *next; ins; ins = next) {
			next = ins->next;
			if (ins->dead)
				pl_ptx_remove(ins);
		}
	}
}

void pl_ptx_simplify(struct pl_ptx_build *b)
{
	struct simplifier s = { .b = b };
	uint32_t n = 0;

	for (uint32_t i = 0; i < b->blocks_n; i++)
		for (struct pl_ptx_ins *ins = b->blocks[i]->first; ins; ins = ins->next)
			n++;
	s.mask = 255;
	while (s.mask < n)
		s.mask = s.mask * 2 + 1;
	s.table = pl_ptx_alloc_n(b->pool, (uint64_t)s.mask + 1, sizeof(*s.table));
	for (int i = 0; i < ROUNDS_MAX; i++) {
		s.same_n = b->values_n;
		s.same = pl_ptx_alloc_n(b->pool, s.same_n, sizeof(*s.same));
		round_once(&s);
		if (!s.changed)
			break;
	}
	pl_ptx_dead_code(b);
}
