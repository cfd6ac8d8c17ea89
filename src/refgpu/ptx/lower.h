/* What the lowering of instructions shares: modifiers are taken one by one, and what nobody took is refused. */
#ifndef PL_REFGPU_PTX_LOWER_H
#define PL_REFGPU_PTX_LOWER_H

#include "ir.h"

#define NO_TYPE 0xffu

typedef void (*pl_ptx_lower_fn)(struct pl_ptx_build *b, struct pl_ptx_statement *st);

/* ---- refusal ---- */
_Noreturn void pl_ptx_bad(struct pl_ptx_build *b, const struct pl_ptx_statement *st, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
_Noreturn void pl_ptx_unsupported(struct pl_ptx_build *b, const struct pl_ptx_statement *st, const char *what);

/* ---- modifiers ---- */
bool pl_ptx_take(struct pl_ptx_statement *st, uint32_t word);
uint32_t pl_ptx_take_of(struct pl_ptx_statement *st, const uint16_t *words, uint32_t n); /* W_NONE: none of them */
#define TAKE_OF(st, ...)                                                                                               \
	pl_ptx_take_of((st), (const uint16_t[]){ __VA_ARGS__ }, sizeof((const uint16_t[]){ __VA_ARGS__ }) / 2)
struct pl_ptx_type pl_ptx_take_type(struct pl_ptx_build *b, struct pl_ptx_statement *st); /* fails where none is left */
bool pl_ptx_has_type(const struct pl_ptx_statement *st);
unsigned pl_ptx_take_round(struct pl_ptx_statement *st, bool *given_out);
void pl_ptx_all_taken(struct pl_ptx_build *b, const struct pl_ptx_statement *st);
unsigned pl_ptx_isa_type(struct pl_ptx_type type); /* NO_TYPE: it has none */
unsigned pl_ptx_int_type(struct pl_ptx_type type); /* of the same width, B as U */
static inline unsigned pl_ptx_slots_of(struct pl_ptx_type type)
{
	return type.bits > 64 ? 4 : type.bits > 32 ? 2 : 1;
}

/* ---- operands ---- */
void pl_ptx_want(struct pl_ptx_build *b, const struct pl_ptx_statement *st, uint32_t least, uint32_t most);
enum { FIT_EXACT, FIT_WIDER };
uint32_t pl_ptx_source(struct pl_ptx_build *b, const struct pl_ptx_statement *st, const struct pl_ptx_operand *operand,
		       struct pl_ptx_type type, int fit);
uint32_t pl_ptx_src(struct pl_ptx_build *b, const struct pl_ptx_statement *st, uint32_t i, struct pl_ptx_type type);
uint32_t pl_ptx_dest(struct pl_ptx_build *b, const struct pl_ptx_statement *st, const struct pl_ptx_operand *operand,
		     struct pl_ptx_type type, int fit); /* 0: the sink '_' */
uint32_t pl_ptx_dst(struct pl_ptx_build *b, const struct pl_ptx_statement *st, uint32_t i, struct pl_ptx_type type);
uint32_t pl_ptx_pred(struct pl_ptx_build *b, const struct pl_ptx_statement *st, const struct pl_ptx_operand *operand,
		     bool *not_out);
uint32_t pl_ptx_pred_dest(struct pl_ptx_build *b, const struct pl_ptx_statement *st,
			  const struct pl_ptx_operand *operand); /* 0: the sink '_' */
bool pl_ptx_is_const(const struct pl_ptx_operand *operand, uint64_t *value_out);
uint32_t pl_ptx_vector_n(const struct pl_ptx_operand *operand);
const struct pl_ptx_operand *pl_ptx_vector_at(struct pl_ptx_build *b, const struct pl_ptx_operand *operand, uint32_t i);
uint32_t pl_ptx_component(struct pl_ptx_build *b, struct pl_ptx_sym *sym, uint32_t i);

/* ---- shorthands: a new value from an operation ---- */
uint32_t pl_ptx_temp(struct pl_ptx_build *b, unsigned slots);
uint32_t pl_ptx_pred_temp(struct pl_ptx_build *b);
uint32_t pl_ptx_un(struct pl_ptx_build *b, unsigned op, unsigned type, unsigned slots, uint32_t a);
uint32_t pl_ptx_bi(struct pl_ptx_build *b, unsigned op, unsigned type, unsigned slots, uint32_t a, uint32_t bb);
uint32_t pl_ptx_convert(struct pl_ptx_build *b, unsigned to, unsigned from, uint32_t a); /* integers */
/* Lanes named by `mask` meet first. */
void pl_ptx_meet(struct pl_ptx_build *b, uint32_t mask);
void pl_ptx_copy(struct pl_ptx_build *b, uint32_t d, uint32_t a);
uint32_t pl_ptx_sreg_read(struct pl_ptx_build *b, const struct pl_ptx_operand *operand, unsigned slots);
uint32_t pl_ptx_sr(struct pl_ptx_build *b, unsigned sr, unsigned slots);
uint32_t pl_ptx_fit(struct pl_ptx_build *b, uint32_t value, unsigned slots); /* 32 <-> 64 bits, zero-extended */

struct pl_ptx_address {
	uint8_t space; /* enum pl_ptx_state_space */
	uint32_t base; /* value, 0 = none; 1 or 2 slots */
	uint64_t offset;
};
struct pl_ptx_address pl_ptx_address_of(struct pl_ptx_build *b, const struct pl_ptx_statement *st,
					const struct pl_ptx_operand *operand, unsigned space);
uint32_t pl_ptx_address_value(struct pl_ptx_build *b, const struct pl_ptx_statement *st,
			      const struct pl_ptx_operand *operand, unsigned space, unsigned slots);
uint32_t pl_ptx_symbol_value(struct pl_ptx_build *b, const struct pl_ptx_statement *st,
			     const struct pl_ptx_operand *operand);
uint32_t pl_ptx_local_address(struct pl_ptx_build *b, uint64_t offset); /* R1 */
uint32_t pl_ptx_generic(struct pl_ptx_build *b, uint32_t address, unsigned space);
uint32_t pl_ptx_reserved_shared(struct pl_ptx_build *b, uint64_t offset);
uint64_t pl_ptx_local_place(struct pl_ptx_build *b, struct pl_ptx_sym *sym);
unsigned pl_ptx_take_space(struct pl_ptx_build *b, struct pl_ptx_statement *st);

/* ---- atomic operations, and what is done when bytes have come ---- */
unsigned pl_ptx_take_atom(struct pl_ptx_build *b, struct pl_ptx_statement *st); /* PL_ISA_ATOM_ */
void pl_ptx_check_atom(struct pl_ptx_build *b, const struct pl_ptx_statement *st, unsigned op, struct pl_ptx_type type);
/* st.bulk, and the end of st.async and red.async: the mbarrier in operand i hears of the bytes. */
void pl_ptx_store_bulk(struct pl_ptx_build *b, struct pl_ptx_statement *st);
void pl_ptx_bytes_arrived(struct pl_ptx_build *b, struct pl_ptx_statement *st, uint32_t i, uint32_t bytes);

/* ---- by area ---- */
pl_ptx_lower_fn pl_ptx_lower_arith(uint32_t op);
pl_ptx_lower_fn pl_ptx_lower_bits(uint32_t op);
pl_ptx_lower_fn pl_ptx_lower_move(uint32_t op);
pl_ptx_lower_fn pl_ptx_lower_memory(uint32_t op);
pl_ptx_lower_fn pl_ptx_lower_sync(uint32_t op);
pl_ptx_lower_fn pl_ptx_lower_async(uint32_t op);
pl_ptx_lower_fn pl_ptx_lower_texture(uint32_t op);
pl_ptx_lower_fn pl_ptx_lower_matrix(uint32_t op);
pl_ptx_lower_fn pl_ptx_lower_video(uint32_t op);
bool pl_ptx_lower_param(struct pl_ptx_build *b, struct pl_ptx_statement *st, bool store, struct pl_ptx_type type,
			uint32_t n);

#endif
