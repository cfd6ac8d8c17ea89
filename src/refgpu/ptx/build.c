/* Making of IR. */
#include "ir.h"

uint32_t pl_ptx_value_new(struct pl_ptx_build *b, unsigned class, unsigned slots)
{
	struct pl_ptx_value *value;

	if (!b->values_n) /* 0 is none */
		(void)pl_ptx_push(b->pool, b->values, b->values_n, b->values_room);
	if (b->values_n >= PL_PTX_REGS_MAX)
		pl_ptx_fail(b->ctx, PL_PTX_E_LIMIT, b->line, 1, "a function uses more than %u registers: split it",
			    PL_PTX_REGS_MAX);
	value = pl_ptx_push(b->pool, b->values, b->values_n, b->values_room);
	*value = (struct pl_ptx_value){ .class = (uint8_t) class, .slots = (uint8_t)slots };
	return b->values_n - 1;
}

uint32_t pl_ptx_value_like(struct pl_ptx_build *b, uint32_t value)
{
	uint32_t made = pl_ptx_value_new(b, b->values[value].class, b->values[value].slots);

	b->values[made].tuple = b->values[value].tuple;
	b->values[made].wide = b->values[value].wide;
	return made;
}

uint32_t pl_ptx_tuple_new(struct pl_ptx_build *b, uint32_t n, unsigned slots_each)
{
	uint32_t made = pl_ptx_value_new(b, V_R, n * slots_each);

	b->values[made].tuple = n > 1 || slots_each > 2;
	b->values[made].wide = slots_each >= 2;
	return made;
}

struct pl_ptx_ins *pl_ptx_ins_new(struct pl_ptx_build *b, unsigned op)
{
	struct pl_ptx_ins *ins = pl_ptx_alloc(b->pool, sizeof(*ins));

	ins->op = (uint16_t)op;
	ins->f.op = (uint16_t)op;
	ins->line = b->line;
	ins->loc_line = b->ctx->loc_line;
	ins->loc_file = b->ctx->loc_file;
	return ins;
}

void pl_ptx_append(struct pl_ptx_block *block, struct pl_ptx_ins *ins)
{
	ins->block = block;
	ins->next = NULL;
	ins->prev = block->last;
	if (block->last)
		block->last->next = ins;
	else
		block->first = ins;
	block->last = ins;
}

void pl_ptx_insert_before(struct pl_ptx_ins *at, struct pl_ptx_ins *ins)
{
	ins->block = at->block;
	ins->next = at;
	ins->prev = at->prev;
	if (at->prev)
		at->prev->next = ins;
	else
		at->block->first = ins;
	at->prev = ins;
}

void pl_ptx_insert_first(struct pl_ptx_block *block, struct pl_ptx_ins *ins)
{
	struct pl_ptx_ins *at = block->first;

	while (at && (at->op == I_PHI || at->op == I_ARG))
		at = at->next;
	if (at)
		pl_ptx_insert_before(at, ins);
	else
		pl_ptx_append(block, ins);
}

void pl_ptx_remove(struct pl_ptx_ins *ins)
{
	if (ins->prev)
		ins->prev->next = ins->next;
	else
		ins->block->first = ins->next;
	if (ins->next)
		ins->next->prev = ins->prev;
	else
		ins->block->last = ins->prev;
	ins->dead = true;
}

struct pl_ptx_block *pl_ptx_block_new(struct pl_ptx_build *b)
{
	struct pl_ptx_block *block = pl_ptx_alloc(b->pool, sizeof(*block));

	block->succ = block->two;
	block->line = b->line;
	block->loc_line = b->ctx->loc_line;
	block->loc_file = b->ctx->loc_file;
	return block;
}

void pl_ptx_pred_add(struct pl_ptx_build *b, struct pl_ptx_block *block, struct pl_ptx_block *pred)
{
	*pl_ptx_push(b->pool, block->pred, block->pred_n, block->pred_room) = pred;
}

void pl_ptx_use(struct pl_ptx_ins *ins, unsigned operand, uint32_t value)
{
	ins->v[operand] = value;
}

void pl_ptx_def(struct pl_ptx_build *b, struct pl_ptx_ins *ins, unsigned operand, uint32_t value)
{
	(void)b;
	ins->v[operand] = value;
	if (!value)
		return;
	ins->defs |= (uint8_t)(1u << operand);
}

struct pl_ptx_ins *pl_ptx_emit(struct pl_ptx_build *b, unsigned op)
{
	struct pl_ptx_ins *ins = pl_ptx_ins_new(b, op);

	if (b->guard) {
		ins->v[A_GUARD] = b->guard;
		ins->f.guard_not = b->guard_not;
	}
	pl_ptx_append(b->at, ins);
	return ins;
}

struct pl_ptx_ins *pl_ptx_op(struct pl_ptx_build *b, unsigned op, unsigned type, uint32_t d, uint32_t a, uint32_t bb,
			     uint32_t c)
{
	struct pl_ptx_ins *ins = pl_ptx_emit(b, op);

	ins->f.type = (uint8_t)type;
	pl_ptx_def(b, ins, A_D, d);
	ins->v[A_A] = a;
	ins->v[A_B] = bb;
	ins->v[A_C] = c;
	return ins;
}

uint32_t pl_ptx_const(struct pl_ptx_build *b, uint64_t value, unsigned slots)
{
	struct pl_ptx_ins *ins = pl_ptx_emit(b, I_CONST);
	uint32_t d = pl_ptx_value_new(b, V_R, slots);

	ins->v[A_GUARD] = 0;
	ins->imm = slots == 1 ? (uint32_t)value : value;
	pl_ptx_def(b, ins, A_D, d);
	return d;
}
