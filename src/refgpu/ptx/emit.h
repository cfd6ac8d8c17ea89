/* What packs code (emit.c) and what moves values between registers (moves.c). */
#ifndef PL_REFGPU_PTX_EMIT_H
#define PL_REFGPU_PTX_EMIT_H

#include "opt.h"

struct pl_ptx_move {
	uint32_t to, from, slots; /* registers */
	uint8_t class;
	bool imm, wide;
	const struct pl_ptx_ins *def; /* imm: the constant */
	bool done;
};

struct pl_ptx_emitter {
	struct pl_ptx_build *b;
	struct pl_ptx_code *code;
	uint32_t line, loc_line, loc_file;
	struct pl_ptx_fixup {
		uint32_t at;
		struct pl_ptx_block *to;
	} * fixups;
	uint32_t fixups_n, fixups_room;
	struct pl_ptx_move *moves;
	uint32_t moves_n, moves_room;
	uint32_t spare[3]; /* registers for moves in a circle */
	uint32_t frame_slots, frame_preds, frame_uniforms;
};

struct pl_isa_fields pl_ptx_emit_blank(unsigned op);
uint32_t pl_ptx_emit_put(struct pl_ptx_emitter *e, const struct pl_isa_fields *f);
void pl_ptx_emit_refer(struct pl_ptx_emitter *e, unsigned kind, struct pl_ptx_sym *sym, uint64_t addend);
void pl_ptx_emit_put_move(struct pl_ptx_emitter *e, unsigned class, uint32_t to, uint32_t from, uint32_t slots);
void pl_ptx_emit_put_const(struct pl_ptx_emitter *e, const struct pl_ptx_ins *def, unsigned class, uint32_t to,
			   unsigned slots);
bool pl_ptx_emit_is_immediate(const struct pl_ptx_build *b, uint32_t value);
bool pl_ptx_emit_is_wide(const struct pl_ptx_value *value);
void pl_ptx_emit_want_move(struct pl_ptx_emitter *e, uint32_t to, uint32_t value, unsigned class, uint32_t slots);
void pl_ptx_emit_run_moves(struct pl_ptx_emitter *e);
uint32_t pl_ptx_emit_slots_of(const struct pl_ptx_build *b, uint32_t value);

#endif
