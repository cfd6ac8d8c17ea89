/* Code: each instruction packed, branches, ends of blocks. */
#include "emit.h"

/* ---- instructions ---- */

static uint16_t reg_or(const struct pl_ptx_build *b, uint32_t value, unsigned missing)
{
	return value ? b->values[value].reg : (uint16_t)missing;
}

static unsigned missing(unsigned kind, unsigned operand)
{
	if (kind == PL_ISA_K_P)
		return PL_ISA_PT;
	if (operand != A_A && (kind == PL_ISA_K_RX || (operand == A_C && kind != PL_ISA_K_N)))
		return PL_ISA_NONE;
	return 0;
}

static void fifth_operand(const struct pl_ptx_build *b, const struct pl_ptx_ins *ins, struct pl_isa_fields *f)
{
	const struct pl_isa_op_info *info = &pl_isa_ops[ins->op];

	if (ins->op == PL_ISA_SHFL) {
		f->imm = (f->bkind == PL_ISA_B_IMM ? ins->f.imm & 255 : 0) |
			 (uint32_t)(ins->f.sub & 4 ? 0 : ins->imm) << 8 |
			 (uint32_t)reg_or(b, ins->v[A_E], PL_ISA_PT) << 24;
	} else if (info->mods & PL_ISA_M_ER) {
		f->imm = reg_or(b, ins->v[A_E], PL_ISA_NONE);
	} else if (info->mods & PL_ISA_M_EP) {
		f->imm = reg_or(b, ins->v[A_E], PL_ISA_PT);
	} else if (ins->op == PL_ISA_SYS && ins->v[A_E]) {
		f->imm |= (uint32_t)b->values[ins->v[A_E]].reg << 8;
	}
}

static void put_plain(struct pl_ptx_emitter *e, const struct pl_ptx_ins *ins)
{
	struct pl_ptx_build *b = e->b;
	const struct pl_isa_op_info *info = &pl_isa_ops[ins->op];
	struct pl_isa_fields f = ins->f;
	unsigned op = ins->op;

	f.op = (uint16_t)op;
	f.guard = ins->v[A_GUARD] ? (uint8_t)b->values[ins->v[A_GUARD]].reg : PL_ISA_PT;
	f.d = reg_or(b, ins->v[A_D], op == PL_ISA_SETP || op == PL_ISA_BAR ? PL_ISA_PT : missing(info->d, A_D));
	f.a = reg_or(b, ins->v[A_A], missing(info->a, A_A));
	f.b = reg_or(b, ins->v[A_B], missing(info->b, A_B));
	f.c = reg_or(b, ins->v[A_C], missing(info->c, A_C));
	if (info->format == PL_ISA_FMT_MEM)
		f.imm = (uint32_t)ins->imm;
	if (info->format == PL_ISA_FMT_MEM && op != PL_ISA_CPASYNC) { /* which has registers where others have none */
		if (f.form != PL_ISA_ADDR_UR && op != PL_ISA_ATOM && op != PL_ISA_RED)
			f.b = 0;
		if (op != PL_ISA_ATOM)
			f.c = 0;
		else if (!ins->v[A_C])
			f.c = PL_ISA_NONE;
	}
	fifth_operand(b, ins, &f);
	(void)pl_ptx_emit_put(e, &f);
	if (info->format == PL_ISA_FMT_MEM && ins->sym)
		pl_ptx_emit_refer(e, F_IMM_SHARED, ins->sym, ins->imm);
}

static void put_truth(struct pl_ptx_emitter *e, const struct pl_ptx_ins *ins)
{
	struct pl_isa_fields f = pl_ptx_emit_blank(PL_ISA_PLOP);

	f.d = e->b->values[ins->v[A_D]].reg;
	f.a = f.b = PL_ISA_PT;
	f.na = ins->op == I_FALSE;
	if (ins->v[A_GUARD]) {
		f.guard = (uint8_t)e->b->values[ins->v[A_GUARD]].reg;
		f.guard_not = ins->f.guard_not;
	}
	(void)pl_ptx_emit_put(e, &f);
}

static void put_copy(struct pl_ptx_emitter *e, const struct pl_ptx_ins *ins)
{
	struct pl_ptx_build *b = e->b;
	uint32_t d = ins->v[A_D], a = ins->v[A_A];
	struct pl_isa_insn *made;
	uint32_t before = e->code->insns_n;

	if (pl_ptx_emit_is_immediate(b, a))
		pl_ptx_emit_put_const(e, b->values[a].def, b->values[d].class, b->values[d].reg,
				      pl_ptx_emit_slots_of(b, d));
	else if (b->values[a].def && b->values[a].def->op != I_UNDEF)
		pl_ptx_emit_put_move(e, b->values[d].class, b->values[d].reg, b->values[a].reg,
				     pl_ptx_emit_slots_of(b, d));
	if (!ins->v[A_GUARD] || before == e->code->insns_n)
		return;
	made = &e->code->insns[before];
	made->word[0] = (made->word[0] & ~(0xffull << 10)) | (uint64_t)b->values[ins->v[A_GUARD]].reg << 10 |
			(uint64_t)ins->f.guard_not << 17;
}

static void put_call(struct pl_ptx_emitter *e, const struct pl_ptx_ins *ins)
{
	struct pl_ptx_build *b = e->b;
	uint32_t base = b->slots;
	struct pl_isa_fields f = pl_ptx_emit_blank(ins->sym ? PL_ISA_CALL : PL_ISA_CALLI);

	for (uint32_t i = 0; i < ins->many_n; i++)
		pl_ptx_emit_want_move(e, base + ins->places[i], ins->many[i], V_R,
				      pl_ptx_emit_slots_of(b, ins->many[i]));
	pl_ptx_emit_run_moves(e);
	if (base + ins->imm > e->frame_slots)
		e->frame_slots = base + (uint32_t)ins->imm;
	if (ins->sym) {
		f.a = (uint16_t)base;
		f.b = (uint16_t)b->preds;
		f.c = (uint16_t)b->uniforms;
	} else {
		f.d = (uint16_t)base;
		f.a = b->values[ins->v[A_A]].reg;
		f.b = (uint16_t)b->preds;
		f.c = (uint16_t)b->uniforms;
	}
	(void)pl_ptx_emit_put(e, &f);
	if (ins->sym)
		pl_ptx_emit_refer(e, F_CALL, ins->sym, 0);
	*pl_ptx_push(&b->ctx->pool, e->code->calls, e->code->calls_n, e->code->calls_room) =
		(struct pl_ptx_call){ .func = ins->sym ? ins->sym->func : NULL,
				      .shift_slots = base,
				      .shift_preds = b->preds,
				      .shift_uniforms = b->uniforms,
				      .local_bytes = b->local_bytes };
}

/* The group of pseudo instructions at one position; returns its last. */
static struct pl_ptx_ins *put_group(struct pl_ptx_emitter *e, struct pl_ptx_ins *ins)
{
	struct pl_ptx_build *b = e->b;
	struct pl_ptx_ins *last = ins;

	for (;; last = last->next) {
		uint32_t d = last->v[A_D], slots = pl_ptx_emit_slots_of(b, d);
		struct pl_ptx_move move = { .to = b->values[d].reg,
					    .slots = slots,
					    .class = b->values[d].class,
					    .wide = pl_ptx_emit_is_wide(&b->values[d]) };

		if (last->op == I_EXTRACT)
			move.from = b->values[last->v[A_A]].reg + (uint32_t)last->imm;
		else if (last->op == I_ARG)
			move.from = (uint32_t)last->imm;
		else
			move.from = b->slots + (uint32_t)last->imm;
		if (move.from != move.to)
			*pl_ptx_push(b->pool, e->moves, e->moves_n, e->moves_room) = move;
		if (!last->next || last->next->op != last->op ||
		    (last->op == I_EXTRACT && last->next->v[A_A] != last->v[A_A]))
			break;
	}
	if (ins->op == I_ARG &&
	    b->func->entry == false) /* the spare registers may hold arguments that are not read yet */
		for (struct pl_ptx_ins *at = ins; at != last->next; at = at->next)
			if (at->imm + 2 > e->spare[V_R])
				e->spare[V_R] = ((uint32_t)at->imm + 3) & ~1u;
	pl_ptx_emit_run_moves(e);
	return last;
}

static void put_build(struct pl_ptx_emitter *e, const struct pl_ptx_ins *ins)
{
	struct pl_ptx_build *b = e->b;
	uint32_t at = b->values[ins->v[A_D]].reg;

	for (uint32_t i = 0; i < ins->many_n; i++) {
		pl_ptx_emit_want_move(e, at, ins->many[i], V_R, pl_ptx_emit_slots_of(b, ins->many[i]));
		at += pl_ptx_emit_slots_of(b, ins->many[i]);
	}
	pl_ptx_emit_run_moves(e);
}

static void put_return(struct pl_ptx_emitter *e, const struct pl_ptx_ins *ins)
{
	struct pl_isa_fields f = pl_ptx_emit_blank(PL_ISA_RET);

	for (uint32_t i = 0; i < ins->many_n; i++) {
		uint32_t slots = pl_ptx_emit_slots_of(e->b, ins->many[i]);

		pl_ptx_emit_want_move(e, ins->places[i], ins->many[i], V_R, slots);
		if (ins->places[i] + slots > e->frame_slots)
			e->frame_slots = ins->places[i] + slots;
		if (e->spare[V_R] < ins->places[i] + slots)
			e->spare[V_R] = (ins->places[i] + slots + 1) & ~1u;
	}
	pl_ptx_emit_run_moves(e);
	(void)pl_ptx_emit_put(e, &f);
}

static struct pl_ptx_ins *put_ins(struct pl_ptx_emitter *e, struct pl_ptx_ins *ins)
{
	struct pl_ptx_build *b = e->b;

	e->line = ins->line;
	e->loc_line = ins->loc_line;
	e->loc_file = ins->loc_file;
	switch (ins->op) {
	case I_PHI:
	case I_UNDEF:
		return ins;
	case I_CONST:
	case I_ADDR:
		if (ins->hoisted)
			pl_ptx_emit_put_const(e, ins, b->values[ins->v[A_D]].class, b->values[ins->v[A_D]].reg,
					      ins->f.type == PL_ISA_U64 ? 2 : 1);
		return ins;
	case I_COPY:
		put_copy(e, ins);
		return ins;
	case I_TRUE:
	case I_FALSE:
		put_truth(e, ins);
		return ins;
	case I_ARG:
	case I_EXTRACT:
	case I_RESULT:
		return put_group(e, ins);
	case I_BUILD:
		put_build(e, ins);
		return ins;
	case I_CALLF:
		put_call(e, ins);
		return ins;
	case I_RETF:
		put_return(e, ins);
		return ins;
	default:
		put_plain(e, ins);
		return ins;
	}
}

/* ---- ends of blocks ---- */

static void phi_moves(struct pl_ptx_emitter *e, struct pl_ptx_block *block, struct pl_ptx_block *succ)
{
	uint32_t p = 0;

	if (!succ->first || succ->first->op != I_PHI)
		return;
	while (succ->pred[p] != block)
		p++;
	for (struct pl_ptx_ins *phi = succ->first; phi && phi->op == I_PHI; phi = phi->next)
		pl_ptx_emit_want_move(e, e->b->values[phi->v[A_D]].reg, phi->many[p], e->b->values[phi->v[A_D]].class,
				      pl_ptx_emit_slots_of(e->b, phi->v[A_D]));
}

static bool is_nothing(struct pl_ptx_emitter *e, struct pl_ptx_block *block)
{
	bool nothing;

	if (block->end != E_JUMP || block == e->b->blocks[0])
		return false;
	for (struct pl_ptx_ins *ins = block->first; ins; ins = ins->next)
		if (ins->op != I_UNDEF && !((ins->op == I_CONST || ins->op == I_ADDR) && !ins->hoisted) &&
		    ins->op != I_PHI)
			return false;
	phi_moves(e, block, block->succ[0]);
	nothing = !e->moves_n;
	e->moves_n = 0;
	return nothing;
}

static struct pl_ptx_block *target(struct pl_ptx_block *block)
{
	for (int i = 0; i < 256 && block->mark; i++)
		block = block->succ[0];
	return block;
}

static void put_branch(struct pl_ptx_emitter *e, struct pl_ptx_block *to, uint32_t cond, bool not )
{
	struct pl_isa_fields f = pl_ptx_emit_blank(PL_ISA_BRA);

	if (cond) {
		f.guard = (uint8_t)e->b->values[cond].reg;
		f.guard_not = not ;
	}
	*pl_ptx_push(e->b->pool, e->fixups, e->fixups_n, e->fixups_room) =
		(struct pl_ptx_fixup){ pl_ptx_emit_put(e, &f), target(to) };
}

static void put_table(struct pl_ptx_emitter *e, struct pl_ptx_block *block)
{
	struct pl_isa_fields f = pl_ptx_emit_blank(PL_ISA_BRX);

	if (block->succ_n >= PL_ISA_NONE)
		pl_ptx_fail(e->b->ctx, PL_PTX_E_LIMIT, e->line, 1, "a table of more than 2046 targets: split it");
	f.a = e->b->values[block->cond].reg;
	f.d = (uint16_t)block->succ_n;
	f.imm = e->code->insns_n + 1;
	(void)pl_ptx_emit_put(e, &f);
	pl_ptx_emit_refer(e, F_BRANCH, NULL, 0);
	for (uint32_t i = 0; i < block->succ_n; i++)
		put_branch(e, block->succ[i], 0, false);
}

static void put_end(struct pl_ptx_emitter *e, struct pl_ptx_block *block, struct pl_ptx_block *next)
{
	struct pl_isa_fields f;

	switch (block->end) {
	case E_JUMP:
		phi_moves(e, block, block->succ[0]);
		pl_ptx_emit_run_moves(e);
		if (target(block->succ[0]) != next)
			put_branch(e, block->succ[0], 0, false);
		break;
	case E_BRANCH:
		if (target(block->succ[0]) == next) {
			put_branch(e, block->succ[1], block->cond, !block->cond_not);
		} else {
			put_branch(e, block->succ[0], block->cond, block->cond_not);
			if (target(block->succ[1]) != next)
				put_branch(e, block->succ[1], 0, false);
		}
		break;
	case E_TABLE:
		put_table(e, block);
		break;
	case E_RET:
		break; /* I_RETF did it */
	default:
		f = pl_ptx_emit_blank(PL_ISA_EXIT);
		(void)pl_ptx_emit_put(e, &f);
		break;
	}
}

static void put_blocks(struct pl_ptx_emitter *e)
{
	struct pl_ptx_build *b = e->b;

	for (uint32_t i = 0; i < b->blocks_n; i++)
		b->blocks[i]->mark = is_nothing(e, b->blocks[i]);
	for (uint32_t i = 0; i < b->blocks_n; i++) /* an endless loop of nothing is something */
		if (target(b->blocks[i])->mark)
			b->blocks[i]->mark = 0;
	for (uint32_t i = 0; i < b->blocks_n; i++) {
		struct pl_ptx_block *block = b->blocks[i], *next = NULL;

		if (block->mark)
			continue;
		for (uint32_t k = i + 1; k < b->blocks_n && !next; k++)
			if (!b->blocks[k]->mark)
				next = b->blocks[k];
		block->code_at = e->code->insns_n;
		for (struct pl_ptx_ins *ins = block->first; ins; ins = ins->next)
			ins = put_ins(e, ins);
		put_end(e, block, next);
	}
	for (uint32_t i = 0; i < e->fixups_n; i++) {
		struct pl_ptx_fixup *fixup = &e->fixups[i];

		e->code->insns[fixup->at].word[1] |= fixup->to->code_at;
		*pl_ptx_push(&b->ctx->pool, e->code->refs, e->code->refs_n, e->code->refs_room) =
			(struct pl_ptx_code_ref){ fixup->at, F_BRANCH, NULL, 0 };
	}
}

struct pl_ptx_code *pl_ptx_emit_code(struct pl_ptx_build *b)
{
	struct pl_ptx_emitter e = { .b = b, .line = b->line, .loc_file = UINT32_MAX };
	struct pl_isa_fields f = pl_ptx_emit_blank(PL_ISA_ENTRY);
	struct pl_ptx_code *code = e.code = pl_ptx_alloc(&b->ctx->pool, sizeof(*e.code));
	struct pl_ptx_func_info *func = b->func;
	uint32_t place = 1;

	e.spare[V_R] = e.frame_slots = b->slots;
	e.spare[V_P] = e.frame_preds = b->preds;
	e.spare[V_U] = e.frame_uniforms = b->uniforms;
	e.line = b->blocks[0]->line;
	if (!func->entry) {
		place += 4 * (func->returns_n + func->params_n) + 32; /* at most: two rows of slots */
		if (e.frame_slots < place)
			e.frame_slots = (place + 31) & ~31u;
	}
	(void)pl_ptx_emit_put(&e, &f);
	put_blocks(&e);
	if (e.frame_slots > PL_ISA_SLOTS_MAX || e.frame_preds > PL_ISA_PREDS_MAX ||
	    e.frame_uniforms > PL_ISA_UNIFORMS_MAX)
		pl_ptx_fail(b->ctx, PL_PTX_E_LIMIT, b->line, 1,
			    "function '%s' needs a frame of %u registers, of %u: split it",
			    pl_ptx_text(b->ctx, func->sym->name), e.frame_slots, PL_ISA_SLOTS_MAX);
	f.imm = pl_isa_entry_imm(e.frame_slots, e.frame_preds, e.frame_uniforms);
	code->insns[0] = pl_isa_pack(&f);
	code->slots = e.frame_slots;
	code->preds = e.frame_preds;
	code->uniforms = e.frame_uniforms;
	code->local_bytes = b->local_bytes;
	code->named_barriers = b->named_barriers;
	code->uses_dynamic = b->uses_dynamic;
	code->alloca_used = b->alloca_used;
	return code;
}
