/*
 * A function between parser and code: blocks of instructions over values.  Operations are those of the instruction set
 * plus a few that only exist here.  Values are registers of PTX (several definitions) until pl_ptx_ssa_make(), then
 * every value has one definition.  Everything lies in the function's scratch pool.
 */
#ifndef PL_REFGPU_PTX_IR_H
#define PL_REFGPU_PTX_IR_H

#include "unit.h"
#include "refgpu/isa/isa.h"
#include "refgpu/isa/values.h"

enum pl_ptx_pseudo {
	I_PHI = PL_ISA_OP_COUNT, /* d = many[pred] */
	I_CONST,                 /* d = imm; class R of 1 or 2 slots */
	I_ADDR,                  /* d = address of sym + imm: global, const: R2; shared: R1; function: R2 */
	I_COPY,                  /* d = a; any class */
	I_TRUE,                  /* predicate d = true; I_FALSE is its negation */
	I_FALSE,
	I_UNDEF,
	I_ARG,     /* d = what lies in slot imm when the function begins */
	I_BUILD,   /* tuple d = many[] in consecutive slots */
	I_EXTRACT, /* d = slots of tuple a from imm on */
	I_CALLF,   /* call of sym, or of address a; many: arguments that go to slots places[] of the new frame */
	I_RESULT,  /* d = slot imm of the frame of the call in front */
	I_RETF,    /* many: values that go to slots places[]; the function ends */
	I_OPS
};

enum { A_D, A_A, A_B, A_C, A_E, A_OLD, A_GUARD, A_COUNT }; /* operands of an instruction */

enum pl_ptx_value_class { V_R, V_P, V_U };

struct pl_ptx_ins {
	struct pl_ptx_ins *prev, *next;
	struct pl_ptx_block *block;
	uint16_t op;
	uint8_t defs;      /* bit per operand that is written */
	bool dead, effect; /* effect: stays although nobody reads it */
	bool contract;     /* mul and add without rounding: may be fused */
	bool hoisted;
	uint32_t v[A_COUNT];    /* values; 0 = none */
	struct pl_isa_fields f; /* modifiers; register fields are filled when code is made */
	uint64_t imm;
	struct pl_ptx_sym *sym;
	uint32_t *many, *places;
	uint32_t many_n;
	uint32_t line, loc_line, loc_file, position;
};

struct pl_ptx_value {
	struct pl_ptx_ins *def;
	uint32_t uses;
	uint8_t class, slots; /* R slots; P, U: 1 */
	bool varying;         /* differs between lanes, or is made where not all are */
	bool fixed;
	bool tuple, wide; /* of several parts; of 64 bits each */
	uint16_t reg;
	uint32_t web, offset;
};

enum pl_ptx_end { E_NONE, E_JUMP, E_BRANCH, E_TABLE, E_EXIT, E_RET, E_TRAP };

struct pl_ptx_block {
	uint32_t index; /* place in the order of code */
	struct pl_ptx_ins *first, *last;
	uint8_t end;   /* enum pl_ptx_end */
	uint32_t cond; /* E_BRANCH: predicate; true goes to succ[0]; E_TABLE: index */
	bool cond_not, header, reached, varying, uniform_hint;
	uint32_t line, loc_line, loc_file;
	struct pl_ptx_block **succ, **pred;
	uint32_t succ_n, pred_n, pred_room;
	struct pl_ptx_block *two[2];
	/* analyses */
	struct pl_ptx_block *idom, *ipdom, *loop; /* loop: header of the innermost */
	uint32_t dom_in, dom_out, rpo, pdom_depth, dom_depth, loop_depth, mark;
	struct pl_ptx_block *dom_child, *dom_next;
	struct pl_ptx_block **frontier;
	uint32_t frontier_n, frontier_room;
	uint32_t position, position_end, code_at, stamp;
};

struct pl_ptx_build {
	struct pl_ptx_ctx *ctx;
	struct pl_ptx_pool *pool;
	struct pl_ptx_func_info *func;
	struct pl_ptx_value *values;
	uint32_t values_n, values_room;
	struct pl_ptx_block **blocks; /* in order of code; [0] is the entry */
	uint32_t blocks_n, blocks_room;
	struct pl_ptx_block *at; /* where instructions go */
	struct pl_ptx_block **rpo;
	uint32_t rpo_n;
	struct pl_ptx_block *exit; /* of a function: the one that returns */
	uint32_t carry;            /* the predicate that is CC; fixed */
	uint32_t stack;            /* where this function's local memory begins; 0 = at 0 */
	uint32_t stack_top;        /* alloca: a register with several definitions; 0 = none */
	uint32_t local_bytes, named_barriers;
	struct pl_ptx_block **between; /* made by pl_ptx_reconverge(), not in the order of code yet */
	uint32_t between_n, between_room;
	struct pl_ptx_region *region;
	/* of one pass of pl_ptx_uniform() or pl_ptx_reconverge(); of all */
	uint64_t region_work, region_work_max, region_work_all;
	uint64_t work, work_max;  /* see pl_ptx_work() */
	struct pl_ptx_ins **tops; /* constants that become local_bytes, and the calls that use them */
	struct pl_ptx_ins **call_list;
	uint32_t tops_n, tops_room, call_list_n, call_list_room;
	bool irreducible, has_table, calls, uses_dynamic, uses_grid, alloca_used;
	struct pl_ptx_lexer statement_lexer; /* where the statement begins */
	struct pl_ptx_token statement_token;
	bool fixed_widths; /* it calls or is called */
	uint32_t guard;    /* of the statement that is lowered */
	bool guard_not;
	uint32_t line, mark;
	struct pl_ptx_label_ref {
		uint32_t name, line, column;
		struct pl_ptx_block **at;
		struct pl_ptx_label_ref *next;
	} * labels[PL_PTX_SCOPES_MAX]; /* not bound yet, by scope */
	/* counts for the frame, set by pl_ptx_allocate() */
	uint32_t slots, preds, uniforms;
};

/* A compiled function; what its code still needs is in refs. */
enum pl_ptx_ref_kind { F_CALL, F_BRANCH, F_MOV64, F_IMM_SHARED };
struct pl_ptx_code_ref {
	uint32_t at; /* instruction */
	uint8_t kind;
	struct pl_ptx_sym *sym;
	uint64_t addend;
};
struct pl_ptx_code_line {
	uint32_t at, line, loc_line, loc_file;
};
struct pl_ptx_code {
	struct pl_isa_insn *insns;
	uint32_t insns_n, insns_room;
	struct pl_ptx_code_ref *refs;
	uint32_t refs_n, refs_room;
	struct pl_ptx_code_line *lines;
	uint32_t lines_n, lines_room;
	struct pl_ptx_call {
		struct pl_ptx_func_info *func; /* NULL: through a pointer */
		uint32_t shift_slots, shift_preds, shift_uniforms, local_bytes;
	} * calls;
	uint32_t calls_n, calls_room;
	uint32_t slots, preds, uniforms, local_bytes, named_barriers;
	bool uses_dynamic, alloca_used, uses_grid, visiting;
	/* with callees; set by the linker */
	uint32_t all_slots, all_preds, all_uniforms, all_local, depth, base;
	bool summed, recursive;
};

/* ---- building (build.c) ---- */
uint32_t pl_ptx_value_new(struct pl_ptx_build *b, unsigned class, unsigned slots);
uint32_t pl_ptx_value_like(struct pl_ptx_build *b, uint32_t value);
uint32_t pl_ptx_tuple_new(struct pl_ptx_build *b, uint32_t n, unsigned slots_each); /* one value where n is 1 */
struct pl_ptx_ins *pl_ptx_ins_new(struct pl_ptx_build *b, unsigned op);
struct pl_ptx_ins *pl_ptx_emit(struct pl_ptx_build *b, unsigned op); /* new, at the end of b->at, with the guard */
void pl_ptx_append(struct pl_ptx_block *block, struct pl_ptx_ins *ins);
void pl_ptx_insert_before(struct pl_ptx_ins *at, struct pl_ptx_ins *ins);
void pl_ptx_insert_first(struct pl_ptx_block *block, struct pl_ptx_ins *ins); /* behind phis and arguments */
void pl_ptx_remove(struct pl_ptx_ins *ins);
struct pl_ptx_block *pl_ptx_block_new(struct pl_ptx_build *b);
void pl_ptx_pred_add(struct pl_ptx_build *b, struct pl_ptx_block *block, struct pl_ptx_block *pred);
void pl_ptx_def(struct pl_ptx_build *b, struct pl_ptx_ins *ins, unsigned operand, uint32_t value);
void pl_ptx_use(struct pl_ptx_ins *ins, unsigned operand, uint32_t value);
struct pl_ptx_ins *pl_ptx_op(struct pl_ptx_build *b, unsigned op, unsigned type, uint32_t d, uint32_t a, uint32_t bb,
			     uint32_t c);
uint32_t pl_ptx_const(struct pl_ptx_build *b, uint64_t value, unsigned slots);

static inline bool pl_ptx_is_def(const struct pl_ptx_ins *ins, unsigned operand)
{
	return ins->defs >> operand & 1;
}

/* Steps of analyses that may cost more than the function is long. */
_Noreturn void pl_ptx_too_much(struct pl_ptx_build *b);
static inline void pl_ptx_work(struct pl_ptx_build *b, uint64_t steps)
{
	b->work += steps;
	if (b->work > b->work_max)
		pl_ptx_too_much(b);
}

/* ---- lowering (lower*.c) ---- */
void pl_ptx_lower(struct pl_ptx_build *b, struct pl_ptx_statement *st);
/* Refuses an instruction that does not exist, or not here. */
void pl_ptx_check_known(struct pl_ptx_build *b, const struct pl_ptx_statement *st);
void pl_ptx_lower_begin(struct pl_ptx_build *b);
void pl_ptx_lower_end(struct pl_ptx_build *b);

void pl_ptx_lower_call(struct pl_ptx_build *b, struct pl_ptx_statement *st);
void pl_ptx_lower_return(struct pl_ptx_build *b);                       /* ends the block */
uint32_t pl_ptx_reg_of(struct pl_ptx_build *b, struct pl_ptx_sym *sym); /* its value, made at first use */
void pl_ptx_label_refer(struct pl_ptx_build *b, const struct pl_ptx_operand *operand, struct pl_ptx_block **at);
uint32_t pl_ptx_guard_value(struct pl_ptx_build *b, const struct pl_ptx_statement *st);

/* ---- passes, in this order ---- */
void pl_ptx_cfg_make(struct pl_ptx_build *b); /* edges, reachable blocks, order */
void pl_ptx_cfg_again(struct pl_ptx_build *b);
void pl_ptx_dominators(struct pl_ptx_build *b); /* idom, frontier, loops */
void pl_ptx_post_dominators(struct pl_ptx_build *b);
void pl_ptx_ssa_make(struct pl_ptx_build *b);
void pl_ptx_simplify(struct pl_ptx_build *b); /* constants, copies, fusions, common expressions, dead code */
void pl_ptx_dead_code(struct pl_ptx_build *b);
void pl_ptx_if_convert(struct pl_ptx_build *b);
void pl_ptx_uniform(struct pl_ptx_build *b); /* varying; U registers */
void pl_ptx_addresses(struct pl_ptx_build *b);
void pl_ptx_legalize(struct pl_ptx_build *b);
void pl_ptx_reconverge(struct pl_ptx_build *b);
void pl_ptx_allocate(struct pl_ptx_build *b);
struct pl_ptx_code *pl_ptx_emit_code(struct pl_ptx_build *b);
struct pl_ptx_code *pl_ptx_finish(struct pl_ptx_build *b); /* all of them */

/* Header of the innermost loop that the block is in; NULL: none. */
static inline struct pl_ptx_block *pl_ptx_loop_of(struct pl_ptx_block *block)
{
	return block->header ? block : block->loop;
}

/* Of functions that call or are called: 16 slots for 64-bit values, 16 for 32-bit ones, and so on. */
static inline bool pl_ptx_slot_is_wide(uint32_t slot)
{
	return !(slot & 16);
}

/* The n-th 64-bit value (of two slots), or the n-th slot of 32 bits. */
static inline uint32_t pl_ptx_slot_of(uint32_t n, bool wide)
{
	return wide ? n * 2 / 16 * 32 + n * 2 % 16 : n / 16 * 32 + 16 + n % 16;
}

bool pl_ptx_dominates(const struct pl_ptx_block *a, const struct pl_ptx_block *b);
void pl_ptx_link(struct pl_ptx_ctx *ctx, struct pl_ptx_image **image_out);

#endif
