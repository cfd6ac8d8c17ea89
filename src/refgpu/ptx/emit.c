/* Code: moves where values change their registers, branches, and each instruction packed. */
#include "opt.h"

#define MOVES_MAX 4096

struct move {
	uint32_t to, from, slots; /* registers */
	uint8_t class;
	bool imm, wide;
	const struct pl_ptx_ins *def; /* imm: the constant */
	bool done;
};

struct emitter {
	struct pl_ptx_build *b;
	struct pl_ptx_code *code;
	uint32_t line, loc_line, loc_file;
	struct fixup {
		uint32_t at;
		struct pl_ptx_block *to;
	} * fixups;
	uint32_t fixups_n, fixups_room;
	struct move *moves;
	uint32_t moves_n, moves_room;
	uint32_t spare[3]; /* registers for moves in a circle */
	uint32_t frame_slots, frame_preds, frame_uniforms;
};

static struct pl_isa_fields blank(unsigned op)
{
	return (struct pl_isa_fields){ .op = (uint16_t)op, .guard = PL_ISA_PT };
}

static uint32_t put(struct emitter *e, const struct pl_isa_fields *f)
{
	struct pl_ptx_code *code = e->code;

	if (!code->lines_n || code->lines[code->lines_n - 1].line != e->line ||
	    code->lines[code->lines_n - 1].loc_line != e->loc_line ||
	    code->lines[code->lines_n - 1].loc_file != e->loc_file)
		*pl_ptx_push(&e->b->ctx->pool, code->lines, code->lines_n, code->lines_room) =
			(struct pl_ptx_code_line){ code->insns_n, e->line, e->loc_line, e->loc_file };
	if (code->insns_n >= PL_ISA_CODE_INSN_MAX)
		pl_ptx_fail(e->b->ctx, PL_PTX_E_LIMIT, e->line, 1, "a function has more than %u instructions: split it",
			    PL_ISA_CODE_INSN_MAX);
	*pl_ptx_push(&e->b->ctx->pool, code->insns, code->insns_n, code->insns_room) = pl_isa_pack(f);
	return code->insns_n - 1;
}

static void refer(struct emitter *e, unsigned kind, struct pl_ptx_sym *sym, uint64_t addend)
{
	*pl_ptx_push(&e->b->ctx->pool, e->code->refs, e->code->refs_n, e->code->refs_room) =
		(struct pl_ptx_code_ref){ e->code->insns_n - 1, (uint8_t)kind, sym, addend };
}

/* ---- moves ---- */

static void put_move(struct emitter *e, unsigned class, uint32_t to, uint32_t from, uint32_t slots)
{
	struct pl_isa_fields f = blank(class == V_P ? PL_ISA_PLOP : class == V_U ? PL_ISA_UMOV : PL_ISA_MOV);

	if (to == from)
		return;
	f.d = (uint16_t)to;
	if (class == V_P) {
		f.a = (uint16_t)from;
		f.b = PL_ISA_PT;
	} else {
		f.b = (uint16_t)from;
		f.type = slots == 4 ? PL_ISA_B128 : slots == 2 || class == V_U ? PL_ISA_U64 : PL_ISA_U32;
		f.bkind = class == V_U ? PL_ISA_B_UNIFORM : PL_ISA_B_REG;
	}
	(void)put(e, &f);
}

/* Constants and addresses. */
static void put_const(struct emitter *e, const struct pl_ptx_ins *def, unsigned class, uint32_t to, unsigned slots)
{
	struct pl_isa_fields f = blank(class == V_U ? PL_ISA_UMOV : PL_ISA_MOV);
	bool is_symbol = def->op == I_ADDR;
	uint64_t imm = def->imm;
	/* A uniform is one slot however wide it is: a symbol's space says so, and of a number what it is. */
	bool narrow = is_symbol      ? def->sym->kind == S_VAR && def->sym->space == SP_SHARED
		      : class == V_U ? !(imm >> 31)
				     : slots == 1 || (uint64_t)(int64_t)(int32_t)imm == imm;

	f.d = (uint16_t)to;
	if (narrow) {
		f.type = slots == 2 ? PL_ISA_U64 : PL_ISA_U32;
		f.bkind = PL_ISA_B_IMM;
		f.imm = (uint32_t)imm;
		(void)put(e, &f);
		if (is_symbol)
			refer(e, F_IMM_SHARED, def->sym, imm);
		return;
	}
	f.op = class == V_U ? PL_ISA_UMOV64 : PL_ISA_MOV64;
	if (!is_symbol) {
		f.imm = (uint32_t)imm;
		f.a = imm >> 32 & 0x7ff;
		f.b = imm >> 43 & 0x7ff;
		f.c = imm >> 54 & 0x3ff;
	}
	(void)put(e, &f);
	if (is_symbol)
		refer(e, F_MOV64, def->sym, imm);
}

static bool is_immediate(const struct pl_ptx_build *b, uint32_t value)
{
	const struct pl_ptx_ins *def = pl_ptx_def_of(b, value);

	return def && (def->op == I_CONST || def->op == I_ADDR) && !def->hoisted;
}

static bool is_wide(const struct pl_ptx_value *value)
{
	return value->class == V_R && (value->tuple ? value->wide : value->slots == 2);
}

static void want_move(struct emitter *e, uint32_t to, uint32_t value, unsigned class, uint32_t slots)
{
	struct pl_ptx_build *b = e->b;
	struct move move = { .to = to, .slots = slots, .class = (uint8_t) class };

	if (!value || (b->values[value].def && b->values[value].def->op == I_UNDEF))
		return;
	if (is_immediate(b, value)) {
		move.imm = true;
		move.def = b->values[value].def;
	} else {
		move.from = b->values[value].reg;
		if (move.from == to)
			return;
	}
	*pl_ptx_push(b->pool, e->moves, e->moves_n, e->moves_room) = move;
}

static bool overlaps(uint32_t a, uint32_t an, uint32_t x, uint32_t xn)
{
	return a < x + xn && x < a + an;
}

static bool is_blocked(const struct emitter *e, const struct move *move)
{
	for (uint32_t i = 0; i < e->moves_n; i++) {
		const struct move *other = &e->moves[i];

		if (other != move && !other->done && !other->imm && other->class == move->class &&
		    overlaps(move->to, move->slots, other->from, other->slots))
			return true;
	}
	return false;
}

/* The next slots above the frame, of the width that the move needs. */
static uint32_t spare_for(const struct emitter *e, const struct move *move)
{
	uint32_t at = e->spare[V_R];

	if (!e->b->fixed_widths)
		return (at + 1) & ~1u;
	while (pl_ptx_slot_is_wide(at) != move->wide || pl_ptx_slot_is_wide(at + move->slots - 1) != move->wide ||
	       (move->wide && at & 1))
		at++;
	return at;
}

/* All moves as if at once. */
static void run_moves(struct emitter *e)
{
	uint32_t left = 0;

	for (uint32_t i = 0; i < e->moves_n; i++)
		left += !e->moves[i].imm;
	while (left) {
		bool progress = false;

		for (uint32_t i = 0; i < e->moves_n; i++) {
			struct move *move = &e->moves[i];

			if (move->done || move->imm || is_blocked(e, move))
				continue;
			put_move(e, move->class, move->to, move->from, move->slots);
			move->done = progress = true;
			left--;
		}
		for (uint32_t i = 0; !progress && i < e->moves_n; i++) { /* a circle: one goes aside */
			struct move *move = &e->moves[i];

			if (move->done || move->imm)
				continue;
			if (move->class == V_R)
				e->spare[V_R] = spare_for(e, move);
			put_move(e, move->class, e->spare[move->class], move->from, move->slots);
			move->from = e->spare[move->class];
			if (move->class == V_R) {
				e->spare[V_R] += (move->slots + 1) & ~1u;
				if (e->spare[V_R] > e->frame_slots)
					e->frame_slots = e->spare[V_R];
			} else {
				e->spare[move->class]++;
				if (move->class == V_P && e->spare[V_P] > e->frame_preds)
					e->frame_preds = e->spare[V_P];
				if (move->class == V_U && e->spare[V_U] > e->frame_uniforms)
					e->frame_uniforms = e->spare[V_U];
			}
			progress = true;
		}
	}
	for (uint32_t i = 0; i < e->moves_n; i++)
		if (e->moves[i].imm)
			put_const(e, e->moves[i].def, e->moves[i].class, e->moves[i].to, e->moves[i].slots);
	e->moves_n = 0;
	e->spare[V_R] = e->b->slots;
	e->spare[V_P] = e->b->preds;
	e->spare[V_U] = e->b->uniforms;
}

static uint32_t slots_of(const struct pl_ptx_build *b, uint32_t value)
{
	return b->values[value].class == V_R ? b->values[value].slots : 1;
}

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

static void put_plain(struct emitter *e, const struct pl_ptx_ins *ins)
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
	(void)put(e, &f);
	if (info->format == PL_ISA_FMT_MEM && ins->sym)
		refer(e, F_IMM_SHARED, ins->sym, ins->imm);
}

static void put_truth(struct emitter *e, const struct pl_ptx_ins *ins)
{
	struct pl_isa_fields f = blank(PL_ISA_PLOP);

	f.d = e->b->values[ins->v[A_D]].reg;
	f.a = f.b = PL_ISA_PT;
	f.na = ins->op == I_FALSE;
	if (ins->v[A_GUARD]) {
		f.guard = (uint8_t)e->b->values[ins->v[A_GUARD]].reg;
		f.guard_not = ins->f.guard_not;
	}
	(void)put(e, &f);
}

static void put_copy(struct emitter *e, const struct pl_ptx_ins *ins)
{
	struct pl_ptx_build *b = e->b;
	uint32_t d = ins->v[A_D], a = ins->v[A_A];
	struct pl_isa_insn *made;
	uint32_t before = e->code->insns_n;

	if (is_immediate(b, a))
		put_const(e, b->values[a].def, b->values[d].class, b->values[d].reg, slots_of(b, d));
	else if (b->values[a].def && b->values[a].def->op != I_UNDEF)
		put_move(e, b->values[d].class, b->values[d].reg, b->values[a].reg, slots_of(b, d));
	if (!ins->v[A_GUARD] || before == e->code->insns_n)
		return;
	made = &e->code->insns[before];
	made->word[0] = (made->word[0] & ~(0xffull << 10)) | (uint64_t)b->values[ins->v[A_GUARD]].reg << 10 |
			(uint64_t)ins->f.guard_not << 17;
}

static void put_call(struct emitter *e, const struct pl_ptx_ins *ins)
{
	struct pl_ptx_build *b = e->b;
	uint32_t base = b->slots;
	struct pl_isa_fields f = blank(ins->sym ? PL_ISA_CALL : PL_ISA_CALLI);

	for (uint32_t i = 0; i < ins->many_n; i++)
		want_move(e, base + ins->places[i], ins->many[i], V_R, slots_of(b, ins->many[i]));
	run_moves(e);
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
	(void)put(e, &f);
	if (ins->sym)
		refer(e, F_CALL, ins->sym, 0);
	*pl_ptx_push(&b->ctx->pool, e->code->calls, e->code->calls_n, e->code->calls_room) =
		(struct pl_ptx_call){ .func = ins->sym ? ins->sym->func : NULL,
				      .shift_slots = base,
				      .shift_preds = b->preds,
				      .shift_uniforms = b->uniforms,
				      .local_bytes = b->local_bytes };
}

/* The group of pseudo instructions at one position; returns its last. */
static struct pl_ptx_ins *put_group(struct emitter *e, struct pl_ptx_ins *ins)
{
	struct pl_ptx_build *b = e->b;
	struct pl_ptx_ins *last = ins;

	for (;; last = last->next) {
		uint32_t d = last->v[A_D], slots = slots_of(b, d);
		struct move move = { .to = b->values[d].reg,
				     .slots = slots,
				     .class = b->values[d].class,
				     .wide = is_wide(&b->values[d]) };

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
	run_moves(e);
	return last;
}

static void put_build(struct emitter *e, const struct pl_ptx_ins *ins)
{
	struct pl_ptx_build *b = e->b;
	uint32_t at = b->values[ins->v[A_D]].reg;

	for (uint32_t i = 0; i < ins->many_n; i++) {
		want_move(e, at, ins->many[i], V_R, slots_of(b, ins->many[i]));
		at += slots_of(b, ins->many[i]);
	}
	run_moves(e);
}

static void put_return(struct emitter *e, const struct pl_ptx_ins *ins)
{
	struct pl_isa_fields f = blank(PL_ISA_RET);

	for (uint32_t i = 0; i < ins->many_n; i++) {
		uint32_t slots = slots_of(e->b, ins->many[i]);

		want_move(e, ins->places[i], ins->many[i], V_R, slots);
		if (ins->places[i] + slots > e->frame_slots)
			e->frame_slots = ins->places[i] + slots;
		if (e->spare[V_R] < ins->places[i] + slots)
			e->spare[V_R] = (ins->places[i] + slots + 1) & ~1u;
	}
	run_moves(e);
	(void)put(e, &f);
}

static struct pl_ptx_ins *put_ins(struct emitter *e, struct pl_ptx_ins *ins)
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
			put_const(e, ins, b->values[ins->v[A_D]].class, b->values[ins->v[A_D]].reg,
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

static void phi_moves(struct emitter *e, struct pl_ptx_block *block, struct pl_ptx_block *succ)
{
	uint32_t p = 0;

	if (!succ->first || succ->first->op != I_PHI)
		return;
	while (succ->pred[p] != block)
		p++;
	for (struct pl_ptx_ins *phi = succ->first; phi && phi->op == I_PHI; phi = phi->next)
		want_move(e, e->b->values[phi->v[A_D]].reg, phi->many[p], e->b->values[phi->v[A_D]].class,
			  slots_of(e->b, phi->v[A_D]));
}

static bool is_nothing(struct emitter *e, struct pl_ptx_block *block)
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

static void put_branch(struct emitter *e, struct pl_ptx_block *to, uint32_t cond, bool not )
{
	struct pl_isa_fields f = blank(PL_ISA_BRA);

	if (cond) {
		f.guard = (uint8_t)e->b->values[cond].reg;
		f.guard_not = not ;
	}
	*pl_ptx_push(e->b->pool, e->fixups, e->fixups_n, e->fixups_room) = (struct fixup){ put(e, &f), target(to) };
}

static void put_table(struct emitter *e, struct pl_ptx_block *block)
{
	struct pl_isa_fields f = blank(PL_ISA_BRX);

	if (block->succ_n >= PL_ISA_NONE)
		pl_ptx_fail(e->b->ctx, PL_PTX_E_LIMIT, e->line, 1, "a table of more than 2046 targets: split it");
	f.a = e->b->values[block->cond].reg;
	f.d = (uint16_t)block->succ_n;
	f.imm = e->code->insns_n + 1;
	(void)put(e, &f);
	refer(e, F_BRANCH, NULL, 0);
	for (uint32_t i = 0; i < block->succ_n; i++)
		put_branch(e, block->succ[i], 0, false);
}

static void put_end(struct emitter *e, struct pl_ptx_block *block, struct pl_ptx_block *next)
{
	struct pl_isa_fields f;

	switch (block->end) {
	case E_JUMP:
		phi_moves(e, block, block->succ[0]);
		run_moves(e);
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
		f = blank(PL_ISA_EXIT);
		(void)put(e, &f);
		break;
	}
}

static void put_blocks(struct emitter *e)
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
		struct fixup *fixup = &e->fixups[i];

		e->code->insns[fixup->at].word[1] |= fixup->to->code_at;
		*pl_ptx_push(&b->ctx->pool, e->code->refs, e->code->refs_n, e->code->refs_room) =
			(struct pl_ptx_code_ref){ fixup->at, F_BRANCH, NULL, 0 };
	}
}

struct pl_ptx_code *pl_ptx_emit_code(struct pl_ptx_build *b)
{
	struct emitter e = { .b = b, .line = b->line, .loc_file = UINT32_MAX };
	struct pl_isa_fields f = blank(PL_ISA_ENTRY);
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
	(void)put(&e, &f);
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
