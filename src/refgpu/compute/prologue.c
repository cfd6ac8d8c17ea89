/* What a kernel begins with, worked out ahead; see prologue.h. */
#include <string.h>

#include "refgpu/compute/code.h"
#include "refgpu/compute/next.h"
#include "refgpu/compute/prologue.h"

#define SLOTS_SEEN 64u /* R slots that may hold a number */
#define NONE       -1

struct maker {
	struct pl_sm_prologue *p;
	const struct pl_sm_grid *grid;
	const struct pl_sm_build *build;
	int16_t u[PL_SM_PROLOGUE_UNIFORMS]; /* the number in a U register, or NONE */
	int16_t r[SLOTS_SEEN];              /* the number that an R slot ought to hold and no operation has put there */
};

/* -- numbers -- */

static uint64_t value_eval(const struct pl_sm_value *v, const uint64_t *values, const uint32_t *block_index)
{
	if (v->op == PL_ISA_S2U)
		return block_index[v->x];
	return pl_sm_uniform_eval(v->op, v->type, values[v->x], values[v->y], values[v->z]);
}

static int value_const(struct maker *m, uint64_t v)
{
	uint32_t id = m->p->value_count;

	if (id == PL_SM_PROLOGUE_VALUES)
		return NONE;
	m->p->values[id] = (struct pl_sm_value){ .constant = v };
	m->p->value_count++;
	return (int)id;
}

static int value_index(struct maker *m, uint32_t dimension)
{
	int id = value_const(m, 0);

	if (id != NONE)
		m->p->values[id] = (struct pl_sm_value){ .by_block = true, .op = PL_ISA_S2U, .x = (uint8_t)dimension };
	return id;
}

/* z may be NONE */
static int value_of(struct maker *m, unsigned op, unsigned type, int x, int y, int z)
{
	const struct pl_sm_value *all = m->p->values;
	int id;

	if (x == NONE || y == NONE)
		return NONE;
	z = z == NONE ? x : z;
	if (!all[x].by_block && !all[y].by_block && !all[z].by_block)
		return value_const(m, pl_sm_uniform_eval(op, type, all[x].constant, all[y].constant, all[z].constant));
	id = value_const(m, 0);
	if (id != NONE)
		m->p->values[id] = (struct pl_sm_value){ .by_block = true,
							 .op = (uint16_t)op,
							 .type = (uint8_t)type,
							 .x = (uint8_t)x,
							 .y = (uint8_t)y,
							 .z = (uint8_t)z };
	return id;
}

/* -- special registers and parameters -- */

static int special(struct maker *m, uint32_t sr)
{
	const struct pl_isa_launch *desc = &m->grid->desc;

	if (sr >= PL_ISA_SR_NTID_X && sr <= PL_ISA_SR_NTID_Z)
		return value_const(m, desc->block[sr - PL_ISA_SR_NTID_X]);
	if (sr >= PL_ISA_SR_NCTAID_X && sr <= PL_ISA_SR_NCTAID_Z)
		return value_const(m, desc->grid[sr - PL_ISA_SR_NCTAID_X]);
	if (sr >= PL_ISA_SR_CTAID_X && sr <= PL_ISA_SR_CTAID_Z)
		return value_index(m, sr - PL_ISA_SR_CTAID_X);
	return NONE;
}

static int parameter(struct maker *m, const struct pl_isa_fields *f)
{
	unsigned bytes = pl_isa_type_bytes(f->type);
	uint64_t v = 0;

	if (f->space != PL_ISA_PARAM || f->form != PL_ISA_ADDR_ABS || f->vec || (bytes != 4 && bytes != 8) ||
	    f->imm % bytes || (uint64_t)f->imm + bytes > m->grid->desc.param_bytes)
		return NONE;
	memcpy(&v, m->grid->param + f->imm, bytes);
	return value_const(m, f->type == PL_ISA_S32 ? (uint64_t)(int32_t)v : v);
}

/* -- operations that are left -- */

static struct pl_sm_op *emit(struct maker *m, const struct pl_isa_fields *f, int b)
{
	struct pl_sm_prologue *p = m->p;
	struct pl_isa_fields plain = *f;

	if (p->op_count == PL_SM_PROLOGUE_OPS)
		return NULL;
	if (b != NONE) {
		plain.bkind = PL_ISA_B_IMM;
		plain.b = 0;
		plain.imm = 0;
		p->patches[p->op_count] = (int16_t)b;
	} else {
		p->patches[p->op_count] = NONE;
	}
	pl_sm_op_decode(m->build, &plain, &p->ops[p->op_count]);
	return &p->ops[p->op_count++];
}

/* The slot really gets its number. */
static bool settle(struct maker *m, uint32_t slot)
{
	struct pl_isa_fields mov = { .op = PL_ISA_MOV, .type = PL_ISA_U32, .d = (uint16_t)slot, .guard = PL_ISA_PT };

	if (m->r[slot] == NONE)
		return true;
	if (!emit(m, &mov, m->r[slot]))
		return false;
	m->r[slot] = NONE;
	return true;
}

/* What b is: a number, or NONE for a slot that differs from lane to lane.  False: unknown. */
static bool operand_b(struct maker *m, const struct pl_isa_fields *f, int *value_out)
{
	*value_out = NONE;
	if (f->bkind == PL_ISA_B_IMM)
		*value_out = value_const(m, (uint64_t)(int64_t)(int32_t)f->imm);
	else if (f->bkind == PL_ISA_B_UNIFORM)
		*value_out = f->b < PL_SM_PROLOGUE_UNIFORMS ? m->u[f->b] : NONE;
	else
		return f->b < SLOTS_SEEN && ((*value_out = m->r[f->b]), true);
	return *value_out != NONE;
}

static unsigned uniform_op_of(unsigned op)
{
	static const uint16_t of[PL_ISA_OP_COUNT] = {
		[PL_ISA_MOV] = PL_ISA_UMOV, [PL_ISA_ADD] = PL_ISA_UADD, [PL_ISA_SUB] = PL_ISA_USUB,
		[PL_ISA_MUL] = PL_ISA_UMUL, [PL_ISA_MAD] = PL_ISA_UMAD, [PL_ISA_AND] = PL_ISA_UAND,
		[PL_ISA_OR] = PL_ISA_UOR,   [PL_ISA_XOR] = PL_ISA_UXOR, [PL_ISA_SHL] = PL_ISA_USHL,
		[PL_ISA_SHR] = PL_ISA_USHR,
	};
	return of[op];
}

static bool commutes(unsigned op)
{
	return op == PL_ISA_ADD || op == PL_ISA_MUL || op == PL_ISA_MAD || op == PL_ISA_AND || op == PL_ISA_OR ||
	       op == PL_ISA_XOR;
}

/* d = a op b (+ c) of 32-bit integers: a number, or an operation with as many numbers as it takes. */
static bool step_lanes(struct maker *m, const struct pl_isa_fields *given)
{
	struct pl_isa_fields f = *given;
	bool has_a = f.op != PL_ISA_MOV, has_c = f.op == PL_ISA_MAD;
	int a = NONE, b, c = NONE, product;

	if (f.d >= SLOTS_SEEN || (has_a && f.a >= SLOTS_SEEN) || (has_c && f.c >= SLOTS_SEEN) || !operand_b(m, &f, &b))
		return false;
	a = has_a ? m->r[f.a] : NONE;
	c = has_c ? m->r[f.c] : NONE;
	if (b != NONE && (!has_a || a != NONE) && (!has_c || c != NONE)) {
		m->r[f.d] = (int16_t)value_of(m, uniform_op_of(f.op), f.type, has_a ? a : b, b, c);
		return m->r[f.d] != NONE;
	}
	if (has_c && a != NONE && b != NONE) { /* c alone differs */
		product = value_of(m, PL_ISA_UMUL, f.type, a, b, NONE);
		f = (struct pl_isa_fields){ .op = PL_ISA_ADD, .type = f.type, .d = f.d, .a = f.c, .guard = PL_ISA_PT };
		m->r[f.d] = NONE;
		return product != NONE && emit(m, &f, product);
	}
	if (a != NONE && b == NONE && commutes(f.op)) {
		b = a;
		f.a = f.b;
	} else if (has_a && !settle(m, f.a)) {
		return false;
	}
	if (has_c && !settle(m, f.c))
		return false;
	m->r[f.d] = NONE;
	return emit(m, &f, b);
}

static bool step_setp(struct maker *m, const struct pl_isa_fields *f)
{
	int b;

	return f->a < SLOTS_SEEN && operand_b(m, f, &b) && settle(m, f->a) && emit(m, f, b);
}

/* A number for an R slot of 32 bits, or thread indices. */
static bool step_s2r(struct maker *m, const struct pl_isa_fields *f)
{
	if (f->d >= SLOTS_SEEN || f->type != PL_ISA_U32)
		return false;
	m->r[f->d] = (int16_t)special(m, f->imm);
	if (m->r[f->d] != NONE)
		return true;
	return (f->imm <= PL_ISA_SR_TID_Z || f->imm == PL_ISA_SR_LANEID) && emit(m, f, NONE);
}

static bool uniform_set(struct maker *m, uint32_t d, int value)
{
	if (d >= PL_SM_PROLOGUE_UNIFORMS || value == NONE)
		return false;
	m->u[d] = (int16_t)value;
	m->p->uniform_count = m->p->uniform_count > d ? m->p->uniform_count : d + 1;
	return true;
}

static bool step_uniform(struct maker *m, const struct pl_isa_fields *f)
{
	int x, y, z = NONE;

	if (!operand_b(m, f, &y))
		return false;
	x = f->op == PL_ISA_UMOV ? y : f->a < PL_SM_PROLOGUE_UNIFORMS ? m->u[f->a] : NONE;
	if (f->op == PL_ISA_UMAD) {
		z = f->c < PL_SM_PROLOGUE_UNIFORMS ? m->u[f->c] : NONE;
		if (z == NONE)
			return false;
	}
	return uniform_set(m, f->d, value_of(m, f->op, f->type, x, y, z));
}

/* One instruction.  False: the list ends in front of it. */
static bool step(struct maker *m, const struct pl_isa_fields *f)
{
	bool word = f->type == PL_ISA_U32 || f->type == PL_ISA_S32;

	if (f->guard != PL_ISA_PT || f->guard_not)
		return false;
	switch (f->op) {
	case PL_ISA_ULD:
		return uniform_set(m, f->d, parameter(m, f));
	case PL_ISA_S2U:
		return f->type == PL_ISA_U32 && uniform_set(m, f->d, special(m, f->imm));
	case PL_ISA_UMOV:
	case PL_ISA_UADD:
	case PL_ISA_USUB:
	case PL_ISA_UMUL:
	case PL_ISA_UMAD:
	case PL_ISA_UAND:
	case PL_ISA_UOR:
	case PL_ISA_UXOR:
	case PL_ISA_USHL:
	case PL_ISA_USHR:
		return step_uniform(m, f);
	case PL_ISA_LD:
		if (!word || f->d >= SLOTS_SEEN)
			return false;
		m->r[f->d] = (int16_t)parameter(m, f);
		return m->r[f->d] != NONE;
	case PL_ISA_S2R:
		return step_s2r(m, f);
	case PL_ISA_MOV:
	case PL_ISA_ADD:
	case PL_ISA_SUB:
	case PL_ISA_MUL:
	case PL_ISA_MAD:
	case PL_ISA_AND:
	case PL_ISA_OR:
	case PL_ISA_XOR:
	case PL_ISA_SHL:
	case PL_ISA_SHR:
		return word && !f->sat && !f->na && step_lanes(m, f);
	case PL_ISA_SETP:
		return word && step_setp(m, f);
	default:
		return false;
	}
}

/* Counts as all that the list stands for. */
static void end_h(PL_SM_ARGS)
{
	w->mark = w->ops + w->sm->grid->desc.entry;
	op = (const struct pl_sm_op *)(uintptr_t)op->imm;
	PL_SM_GO(op, mask);
}

static bool frame_fits(const struct pl_isa_launch *desc, uint32_t imm)
{
	return (imm & 0xfff) <= desc->slots && (imm >> 12 & 0xff) <= desc->preds && imm >> 20 <= desc->uniforms;
}

bool pl_sm_prologue_make(struct pl_sm_prologue *p, const struct pl_sm_grid *grid, const struct pl_sm_build *build)
{
	struct maker m = { .p = p, .grid = grid, .build = build };
	const struct pl_sm_code *code = grid->code;
	uint32_t n = grid->desc.entry;
	struct pl_isa_fields f;
	bool good = true;

	p->op_count = p->value_count = p->uniform_count = 0;
	memset(m.u, 0xff, sizeof(m.u));
	memset(m.r, 0xff, sizeof(m.r));
	pl_isa_unpack(&code->raw[n], &f);
	if (grid->desc.flags & (PL_ISA_LAUNCH_CHECK | PL_ISA_LAUNCH_COOPERATIVE) || !frame_fits(&grid->desc, f.imm))
		return false;
	for (n++; n < code->insns; n++) {
		pl_isa_unpack(&code->raw[n], &f);
		if (!step(&m, &f))
			break;
	}
	for (uint32_t slot = 0; slot < SLOTS_SEEN; slot++)
		good = good && settle(&m, slot);
	if (!good || n == code->insns || p->op_count + 2 > n - grid->desc.entry)
		return false;
	p->ops[p->op_count] = (struct pl_sm_op){ .fn = { end_h, end_h }, .imm = (uintptr_t)&code->ops[n] };
	p->patches[p->op_count++] = NONE;
	memcpy(p->uniforms, m.u, sizeof(p->uniforms));
	return true;
}

void pl_sm_prologue_enter(struct pl_sm *sm)
{
	const struct pl_sm_prologue *p = sm->grid->prologue;

	memcpy(sm->line->ops, p->ops, p->op_count * sizeof(*p->ops));
	for (uint32_t k = 0; k < p->value_count; k++)
		sm->line->values[k] = p->values[k].constant;
	for (uint32_t k = 0; k < p->op_count; k++)
		if (p->patches[k] != NONE)
			sm->line->ops[k].imm = (uint64_t)(int32_t)sm->line->values[p->patches[k]];
}

void pl_sm_prologue_block(struct pl_sm *sm, struct pl_sm_block *block)
{
	const struct pl_sm_prologue *p = sm->grid->prologue;
	uint64_t *values = sm->line->values, uniforms[PL_SM_PROLOGUE_UNIFORMS];

	for (uint32_t k = 0; k < p->value_count; k++)
		if (p->values[k].by_block)
			values[k] = value_eval(&p->values[k], values, block->index);
	for (uint32_t k = 0; k < p->op_count; k++)
		if (p->patches[k] != NONE && p->values[p->patches[k]].by_block)
			sm->line->ops[k].imm = (uint64_t)(int32_t)values[p->patches[k]];
	for (uint32_t k = 0; k < p->uniform_count; k++)
		uniforms[k] = p->uniforms[k] == NONE ? 0 : values[p->uniforms[k]];
	for (uint32_t k = 0; k < block->warps; k++)
		for (uint32_t i = 0; i < p->uniform_count; i++)
			block->warp[k].bottom.U[i] = uniforms[i];
}
