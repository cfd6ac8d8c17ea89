/* Short branches become guarded instructions: no lanes part, so nothing has to meet. */
#include "opt.h"

#define SHORT_VARYING 7 /* instructions; where lanes part, it costs three to part and meet */
#define SHORT_UNIFORM 3

static bool is_costly(const struct pl_ptx_ins *ins)
{
	switch (ins->op) {
	case PL_ISA_DIV:
	case PL_ISA_REM:
	case PL_ISA_SQRT:
	case PL_ISA_RSQRT:
	case PL_ISA_SIN:
	case PL_ISA_COS:
	case PL_ISA_LG2:
	case PL_ISA_EX2:
		return true;
	default:
		return false;
	}
}

static bool can_guard(const struct pl_ptx_ins *ins)
{
	if (ins->v[A_GUARD])
		return false;
	switch (ins->op) {
	case PL_ISA_ST:
	case PL_ISA_LD:
	case PL_ISA_RED:
		return true;
	case PL_ISA_ATOM:
		return true;
	case I_PHI:
	case PL_ISA_ADDX:
	case PL_ISA_SUBX:
	case PL_ISA_MADX:
		return false;
	default:
		return pl_ptx_is_pure(ins);
	}
}

/* How many instructions; UINT32_MAX: can not be guarded. */
static uint32_t weight(const struct pl_ptx_block *block)
{
	uint32_t n = 0;

	for (const struct pl_ptx_ins *ins = block->first; ins; ins = ins->next) {
		if (!can_guard(ins))
			return UINT32_MAX;
		n += ins->op == I_CONST || ins->op == I_ADDR ? 0 : is_costly(ins) ? 4 : 1;
		if (n > SHORT_VARYING)
			return UINT32_MAX;
	}
	return n;
}

static uint32_t pred_index(const struct pl_ptx_block *block, const struct pl_ptx_block *pred)
{
	uint32_t p = 0;

	while (block->pred[p] != pred)
		p++;
	return p;
}

static void pred_remove(struct pl_ptx_build *b, struct pl_ptx_block *block, uint32_t p)
{
	pl_ptx_work(b, block->pred_n / 4);
	for (struct pl_ptx_ins *phi = block->first; phi && phi->op == I_PHI; phi = phi->next) {
		memmove(phi->many + p, phi->many + p + 1, (phi->many_n - p - 1) * sizeof(*phi->many));
		phi->many_n--;
	}
	memmove(block->pred + p, block->pred + p + 1, (block->pred_n - p - 1) * sizeof(struct pl_ptx_block *));
	block->pred_n--;
}

static void hoist(struct pl_ptx_block *to, struct pl_ptx_block *from, uint32_t cond, bool not )
{
	for (struct pl_ptx_ins *ins = from->first, *next; ins; ins = next) {
		next = ins->next;
		pl_ptx_append(to, ins);
		if (!pl_ptx_is_pure(ins) || is_costly(ins) || ins->op == PL_ISA_LD) {
			ins->v[A_GUARD] = cond;
			ins->f.guard_not = not ;
		}
	}
	from->first = from->last = NULL;
	from->reached = false;
}

/* The old value must be there when the guarded instruction runs. */
static bool comes_before(const struct pl_ptx_build *b, uint32_t other, const struct pl_ptx_ins *def)
{
	const struct pl_ptx_ins *old = pl_ptx_def_of(b, other);

	if (!old || old->block != def->block)
		return old != NULL;
	for (const struct pl_ptx_ins *at = def->prev; at; at = at->prev)
		if (at == old)
			return true;
	return false;
}

/* d = the value of `block`'s side where cond holds (not: fails), else `other`. */
static uint32_t choose(struct pl_ptx_build *b, struct pl_ptx_block *to, uint32_t value, uint32_t other, uint32_t cond,
		       bool not )
{
	struct pl_ptx_ins *def = pl_ptx_def_of(b, value), *copy;
	uint32_t d;

	if (!value || !other || value == other)
		return value ? value : other;
	if (def->block == to && b->values[value].uses == 1 && def->defs == 1 && def->op < PL_ISA_OP_COUNT &&
	    (!def->v[A_GUARD] || (def->v[A_GUARD] == cond && def->f.guard_not == not )) && !def->v[A_OLD] &&
	    comes_before(b, other, def)) {
		def->v[A_GUARD] = cond;
		def->f.guard_not = not ;
		def->v[A_OLD] = other;
		return value;
	}
	copy = pl_ptx_ins_new(b, I_COPY);
	d = pl_ptx_value_like(b, value);
	copy->line = to->line;
	copy->v[A_A] = value;
	copy->v[A_GUARD] = cond;
	copy->f.guard_not = not ;
	copy->v[A_OLD] = other;
	pl_ptx_def(b, copy, A_D, d);
	b->values[d].def = copy;
	b->values[d].uses = 1;
	pl_ptx_append(to, copy);
	return d;
}

/* The only predecessor's block takes over what `block` does. */
static void absorb(struct pl_ptx_block *into, struct pl_ptx_block *block)
{
	for (struct pl_ptx_ins *ins = block->first, *next; ins; ins = next) {
		next = ins->next;
		if (ins->op == I_PHI) {
			ins->op = ins->many[0] ? I_COPY : I_UNDEF;
			ins->v[A_A] = ins->many[0];
			ins->many_n = 0;
		}
		pl_ptx_append(into, ins);
	}
	into->end = block->end;
	into->cond = block->cond;
	into->cond_not = block->cond_not;
	into->succ_n = block->succ_n;
	if (block->end == E_TABLE)
		into->succ = block->succ;
	else
		memcpy(into->two, block->two, sizeof(into->two));
	for (uint32_t i = 0; i < into->succ_n; i++)
		into->succ[i]->pred[pred_index(into->succ[i], block)] = into;
	block->first = block->last = NULL;
	block->reached = false;
	block->succ_n = 0;
}

static bool is_arm(const struct pl_ptx_build *b, const struct pl_ptx_block *arm, const struct pl_ptx_block *from)
{
	return arm->pred_n == 1 && arm->end == E_JUMP && arm != from && arm->succ[0] != arm && arm != b->exit;
}

static void finish(struct pl_ptx_build *b, struct pl_ptx_block *block, struct pl_ptx_block *join)
{
	block->end = E_JUMP;
	block->succ[0] = join;
	block->succ_n = 1;
	block->cond = 0;
	if (join->pred_n == 1 && join != b->exit && join != block)
		absorb(block, join);
}

static bool convert(struct pl_ptx_build *b, struct pl_ptx_block *block)
{
	bool varies = b->values[block->cond].varying, not ;
	uint32_t limit = varies ? SHORT_VARYING : SHORT_UNIFORM, n, cond = block->cond;
	struct pl_ptx_block *yes = block->succ[0], *no = block->succ[1], *join, *arm;

	if (is_arm(b, yes, block) && is_arm(b, no, block) && yes->succ[0] == no->succ[0]) {
		uint32_t py, pn, wy = weight(yes), wn = weight(no);

		join = yes->succ[0];
		if (join == block || wy > limit || wn > limit || wy + wn > limit)
			return false;
		hoist(block, yes, cond, block->cond_not);
		hoist(block, no, cond, !block->cond_not);
		py = pred_index(join, yes);
		pn = pred_index(join, no);
		for (struct pl_ptx_ins *phi = join->first; phi && phi->op == I_PHI; phi = phi->next)
			phi->many[py] = choose(b, block, phi->many[pn], phi->many[py], cond, !block->cond_not);
		join->pred[py] = block;
		pred_remove(b, join, pn);
		finish(b, block, join);
		return true;
	}
	if (is_arm(b, yes, block) && yes->succ[0] == no) {
		arm = yes;
		join = no;
		not = block->cond_not;
	} else if (is_arm(b, no, block) && no->succ[0] == yes) {
		arm = no;
		join = yes;
		not = !block->cond_not;
	} else {
		return false;
	}
	n = weight(arm);
	if (join == block || n > limit)
		return false;
	hoist(block, arm, cond, not );
	{
		uint32_t pa = pred_index(join, arm), pb = pred_index(join, block);

		for (struct pl_ptx_ins *phi = join->first; phi && phi->op == I_PHI; phi = phi->next)
			phi->many[pb] = choose(b, block, phi->many[pa], phi->many[pb], cond, not );
		pred_remove(b, join, pa);
	}
	finish(b, block, join);
	return true;
}

void pl_ptx_if_convert(struct pl_ptx_build *b)
{
	bool changed = false;

	pl_ptx_count_uses(b);
	for (uint32_t i = b->rpo_n; i-- > 0;)
		while (b->rpo[i]->reached && b->rpo[i]->end == E_BRANCH && b->rpo[i]->cond && convert(b, b->rpo[i]))
			changed = true;
	if (changed)
		pl_ptx_cfg_again(b);
}
