/* Moves where values change their registers, as if all at once; instructions put behind each other. */
#include "emit.h"

#define MOVES_MAX 4096

struct pl_isa_fields pl_ptx_emit_blank(unsigned op)
{
	return (struct pl_isa_fields){ .op = (uint16_t)op, .guard = PL_ISA_PT };
}

uint32_t pl_ptx_emit_put(struct pl_ptx_emitter *e, const struct pl_isa_fields *f)
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

void pl_ptx_emit_refer(struct pl_ptx_emitter *e, unsigned kind, struct pl_ptx_sym *sym, uint64_t addend)
{
	*pl_ptx_push(&e->b->ctx->pool, e->code->refs, e->code->refs_n, e->code->refs_room) =
		(struct pl_ptx_code_ref){ e->code->insns_n - 1, (uint8_t)kind, sym, addend };
}

/* ---- moves ---- */

void pl_ptx_emit_put_move(struct pl_ptx_emitter *e, unsigned class, uint32_t to, uint32_t from, uint32_t slots)
{
	struct pl_isa_fields f = pl_ptx_emit_blank(class == V_P   ? PL_ISA_PLOP
						   : class == V_U ? PL_ISA_UMOV
								  : PL_ISA_MOV);

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
	(void)pl_ptx_emit_put(e, &f);
}

/* Constants and addresses. */
void pl_ptx_emit_put_const(struct pl_ptx_emitter *e, const struct pl_ptx_ins *def, unsigned class, uint32_t to,
			   unsigned slots)
{
	struct pl_isa_fields f = pl_ptx_emit_blank(class == V_U ? PL_ISA_UMOV : PL_ISA_MOV);
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
		(void)pl_ptx_emit_put(e, &f);
		if (is_symbol)
			pl_ptx_emit_refer(e, F_IMM_SHARED, def->sym, imm);
		return;
	}
	f.op = class == V_U ? PL_ISA_UMOV64 : PL_ISA_MOV64;
	if (!is_symbol) {
		f.imm = (uint32_t)imm;
		f.a = imm >> 32 & 0x7ff;
		f.b = imm >> 43 & 0x7ff;
		f.c = imm >> 54 & 0x3ff;
	}
	(void)pl_ptx_emit_put(e, &f);
	if (is_symbol)
		pl_ptx_emit_refer(e, F_MOV64, def->sym, imm);
}

bool pl_ptx_emit_is_immediate(const struct pl_ptx_build *b, uint32_t value)
{
	const struct pl_ptx_ins *def = pl_ptx_def_of(b, value);

	return def && (def->op == I_CONST || def->op == I_ADDR) && !def->hoisted;
}

bool pl_ptx_emit_is_wide(const struct pl_ptx_value *value)
{
	return value->class == V_R && (value->tuple ? value->wide : value->slots == 2);
}

void pl_ptx_emit_want_move(struct pl_ptx_emitter *e, uint32_t to, uint32_t value, unsigned class, uint32_t slots)
{
	struct pl_ptx_build *b = e->b;
	struct pl_ptx_move move = { .to = to, .slots = slots, .class = (uint8_t) class };

	if (!value || (b->values[value].def && b->values[value].def->op == I_UNDEF))
		return;
	if (pl_ptx_emit_is_immediate(b, value)) {
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

static bool is_blocked(const struct pl_ptx_emitter *e, const struct pl_ptx_move *move)
{
	for (uint32_t i = 0; i < e->moves_n; i++) {
		const struct pl_ptx_move *other = &e->moves[i];

		if (other != move && !other->done && !other->imm && other->class == move->class &&
		    overlaps(move->to, move->slots, other->from, other->slots))
			return true;
	}
	return false;
}

/* The next slots above the frame, of the width that the move needs. */
static uint32_t spare_for(const struct pl_ptx_emitter *e, const struct pl_ptx_move *move)
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
void pl_ptx_emit_run_moves(struct pl_ptx_emitter *e)
{
	uint32_t left = 0;

	for (uint32_t i = 0; i < e->moves_n; i++)
		left += !e->moves[i].imm;
	while (left) {
		bool progress = false;

		for (uint32_t i = 0; i < e->moves_n; i++) {
			struct pl_ptx_move *move = &e->moves[i];

			if (move->done || move->imm || is_blocked(e, move))
				continue;
			pl_ptx_emit_put_move(e, move->class, move->to, move->from, move->slots);
			move->done = progress = true;
			left--;
		}
		for (uint32_t i = 0; !progress && i < e->moves_n; i++) { /* a circle: one goes aside */
			struct pl_ptx_move *move = &e->moves[i];

			if (move->done || move->imm)
				continue;
			if (move->class == V_R)
				e->spare[V_R] = spare_for(e, move);
			pl_ptx_emit_put_move(e, move->class, e->spare[move->class], move->from, move->slots);
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
			pl_ptx_emit_put_const(e, e->moves[i].def, e->moves[i].class, e->moves[i].to, e->moves[i].slots);
	e->moves_n = 0;
	e->spare[V_R] = e->b->slots;
	e->spare[V_P] = e->b->preds;
	e->spare[V_U] = e->b->uniforms;
}

uint32_t pl_ptx_emit_slots_of(const struct pl_ptx_build *b, uint32_t value)
{
	return b->values[value].class == V_R ? b->values[value].slots : 1;
}
