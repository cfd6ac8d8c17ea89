/*
 * What the parser knows: one compilation (all units), its symbols, and the statement that is being read.  Errors leave
 * through pl_ptx_fail(); inside a body they end the statement only, so that one run reports several.
 */
#ifndef PL_REFGPU_PTX_UNIT_H
#define PL_REFGPU_PTX_UNIT_H

#include "lex.h"
#include "ptx.h"

#define PL_PTX_SCOPES_MAX     256u
#define PL_PTX_REGS_MAX       4000000u /* of one function, that are used */
#define PL_PTX_PARAMS_MAX     4096u
#define PL_PTX_MODS_MAX       16u
#define PL_PTX_NEST_MAX       64u /* expressions, initialisers, operands */
#define PL_PTX_OPERANDS_MAX   64u /* of one instruction, call lists aside */
#define PL_PTX_INIT_BYTES_MAX (1ull << 30)

enum pl_ptx_class { K_NONE, K_B, K_U, K_S, K_F, K_BF, K_PRED, K_REF, K_ODD };

struct pl_ptx_type { /* of a word; bits 0 = no type */
	uint8_t class;
	uint16_t bits;
	uint8_t lanes; /* 2 for packed pairs */
	uint16_t word;
};

enum pl_ptx_sym_kind { S_REG, S_RANGE, S_VAR, S_FUNC, S_LABEL, S_PARAM, S_PROTO, S_TARGETS };
enum pl_ptx_state_space { SP_NONE, SP_REG, SP_GLOBAL, SP_SHARED, SP_LOCAL, SP_CONST, SP_PARAM, SP_GENERIC };
enum pl_ptx_linkage { L_STATIC, L_EXTERN, L_VISIBLE, L_WEAK, L_COMMON };

struct pl_ptx_init_ref { /* an address inside initial data */
	uint64_t offset, addend;
	uint32_t bytes, shift;
	struct pl_ptx_sym *target;
};

struct pl_ptx_var_info {
	enum pl_ptx_linkage linkage;
	uint8_t *init;
	uint64_t init_bytes;
	struct pl_ptx_init_ref *refs;
	uint32_t refs_n, refs_room;
	struct pl_ptx_sym *resolved; /* where an .extern is defined */
	bool managed, unsized, defined, used;
	uint32_t sampler_bits;
	uint64_t place;       /* global, const: offset in its section; shared: in the common area */
	uint32_t owner;       /* shared: last kernel that placed it */
	uint32_t local_place; /* local: offset in the function's frame; shared: offset in `owner` */
	uint32_t index;
};

struct pl_ptx_sym {
	uint32_t name;
	uint8_t kind, space;
	uint8_t lanes_v; /* .v2 .v4: 2, 4, 8; else 1 */
	bool is_array, ptr;
	struct pl_ptx_type type;
	uint32_t depth, line, align;
	uint64_t bytes, count;
	struct pl_ptx_sym *outer;      /* hidden by this one */
	struct pl_ptx_sym *scope_next; /* declared in the same scope */
	uint32_t reg;                  /* S_REG: first value; S_LABEL: block; S_PARAM: index */
	uint32_t *reg_parts;           /* vectors of registers */
	uint32_t offset;               /* S_PARAM: offset in parameter memory */
	bool is_return, reg_param;
	struct pl_ptx_var_info *var;
	struct pl_ptx_func_info *func; /* S_FUNC, S_PROTO */
	struct pl_ptx_sym **targets;   /* S_TARGETS */
	uint32_t targets_n;
	bool placed;   /* label was seen */
	bool outgoing; /* .param declared in a body */
	void *lowered; /* the lowering's own */
};

struct pl_ptx_func_info {
	struct pl_ptx_sym *sym;
	enum pl_ptx_linkage linkage;
	bool entry, has_body, noreturn, variadic, explicit_cluster, address_taken, reached;
	struct pl_ptx_sym **returns, **params;
	uint32_t returns_n, params_n, returns_room, params_room;
	uint32_t param_bytes;
	uint32_t maxntid[3], reqntid[3], cluster[3], minnctapersm, maxnreg, maxclusterrank;
	struct pl_ptx_func_info *alias, *resolved;
	struct pl_ptx_code *code; /* compiled */
	uint32_t unit, index;
};

enum pl_ptx_operand_kind { O_NONE, O_REG, O_SREG, O_INT, O_FLOAT, O_SYM, O_VECTOR, O_ADDRESS, O_LIST, O_SINK };

struct pl_ptx_operand {
	uint8_t kind;
	bool negated; /* '-' or '!' in front */
	bool f32, is_unsigned;
	uint32_t select; /* .b0 .. .h1, .x .. .w: the word */
	uint32_t sreg;   /* O_SREG: enum pl_ptx_sreg */
	uint32_t line, column;
	uint64_t value;               /* O_INT, O_FLOAT; offset of O_SYM, O_ADDRESS */
	struct pl_ptx_sym *sym;       /* O_REG, O_SYM */
	struct pl_ptx_operand *parts; /* O_VECTOR, O_LIST; O_ADDRESS: base, then what follows commas */
	uint32_t parts_n;
	struct pl_ptx_operand *second; /* behind '|' */
};

struct pl_ptx_statement {
	uint32_t op; /* word */
	uint32_t line, column;
	uint16_t mods[PL_PTX_MODS_MAX];
	bool taken[PL_PTX_MODS_MAX];
	uint32_t mods_n;
	struct pl_ptx_sym *guard;
	bool guard_negated;
	struct pl_ptx_operand *operands;
	uint32_t operands_n;
};

struct pl_ptx_loc_row {
	uint32_t file, line;
};

struct pl_ptx_ctx {
	struct pl_ptx_pool pool;    /* everything that lives as long as the compilation */
	struct pl_ptx_pool scratch; /* one function */
	struct pl_ptx_names names;
	struct pl_ptx_lexer lexer;
	struct pl_ptx_token token;
	const struct pl_ptx_source *sources;
	struct pl_ptx_options options;
	struct pl_ptx_log *log;
	uint32_t unit, errors_n, first_result;
	uint32_t version, target, version_max, target_max;
	bool has_version, has_target, debug, independent;
	bool maps_f64; /* the target has no double precision: PTX 1.x of the first devices */
	jmp_buf leave;  /* out of the compilation */
	jmp_buf *retry; /* out of a statement; NULL = out of the compilation */
	uint32_t nest;
	/* Names: of the unit and its scopes; and across units. */
	struct pl_ptx_sym **syms, **globals;
	uint32_t syms_room, globals_room;
	struct pl_ptx_sym *scopes[PL_PTX_SCOPES_MAX];
	uint32_t depth, range_depth;
	struct pl_ptx_sym **vars, **funcs; /* in order of declaration, all units */
	uint32_t vars_n, vars_room, funcs_n, funcs_room;
	const char **files;
	uint32_t files_n, files_room;
	uint32_t *file_map; /* this unit's numbers */
	uint32_t file_map_n;
	struct pl_ptx_sym *reserved;   /* shared memory of the system */
	struct pl_ptx_func_info *func; /* whose body is read */
	struct pl_ptx_build *build;    /* its IR */
	uint32_t loc_file, loc_line;
	struct pl_ptx_code **codes;
	uint32_t codes_n, codes_room;
	struct pl_ptx_image *image; /* from the linker on */
	uint64_t work;              /* of all functions */
};

/* ---- errors (log.c) ---- */
void pl_ptx_note(struct pl_ptx_ctx *ctx, const char *format, ...) __attribute__((format(printf, 2, 3)));
void pl_ptx_complain(struct pl_ptx_ctx *ctx, int result, uint32_t line, uint32_t column, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
_Noreturn void pl_ptx_fail(struct pl_ptx_ctx *ctx, int result, uint32_t line, uint32_t column, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
/* At the token. */
#define pl_ptx_fail_here(ctx, result, ...)                                                                             \
	pl_ptx_fail((ctx), (result), (ctx)->token.line, (ctx)->token.column, __VA_ARGS__)

/* ---- tokens ---- */
static inline const char *pl_ptx_text(const struct pl_ptx_ctx *ctx, uint32_t name)
{
	return pl_ptx_name_text(&ctx->names, name);
}

void pl_ptx_advance(struct pl_ptx_ctx *ctx);
bool pl_ptx_accept(struct pl_ptx_ctx *ctx, int kind);
bool pl_ptx_accept_dot(struct pl_ptx_ctx *ctx, uint32_t word);
void pl_ptx_expect(struct pl_ptx_ctx *ctx, int kind, const char *after);
uint32_t pl_ptx_expect_name(struct pl_ptx_ctx *ctx, const char *what);
uint64_t pl_ptx_expect_int(struct pl_ptx_ctx *ctx, const char *what, uint64_t max);
bool pl_ptx_at_dot(const struct pl_ptx_ctx *ctx, uint32_t word);

/* ---- symbols (symbol.c) ---- */
struct pl_ptx_type pl_ptx_type_of(uint32_t word);
struct pl_ptx_sym *pl_ptx_find(struct pl_ptx_ctx *ctx, uint32_t name);
struct pl_ptx_sym *pl_ptx_declare(struct pl_ptx_ctx *ctx, uint32_t name, enum pl_ptx_sym_kind kind);
void pl_ptx_scope_enter(struct pl_ptx_ctx *ctx);
void pl_ptx_scope_leave(struct pl_ptx_ctx *ctx);
void pl_ptx_unit_symbols_clear(struct pl_ptx_ctx *ctx);

/* ---- expressions, operands (expr.c, operand.c) ---- */
struct pl_ptx_number {
	uint64_t value;
	bool is_unsigned, is_float, f32;
};
struct pl_ptx_number pl_ptx_expression(struct pl_ptx_ctx *ctx);
void pl_ptx_operands(struct pl_ptx_ctx *ctx, struct pl_ptx_statement *st);

/* ---- declarations (declare.c, init.c) ---- */
void pl_ptx_declare_vars(struct pl_ptx_ctx *ctx, enum pl_ptx_linkage linkage, enum pl_ptx_state_space space);
void pl_ptx_initializer(struct pl_ptx_ctx *ctx, struct pl_ptx_sym *sym);
struct pl_ptx_sym *pl_ptx_declare_param(struct pl_ptx_ctx *ctx, struct pl_ptx_func_info *func, bool is_return);
void pl_ptx_param_list(struct pl_ptx_ctx *ctx, struct pl_ptx_func_info *func, bool is_return);

/* ---- texts (parse.c, body.c) ---- */
void pl_ptx_parse_unit(struct pl_ptx_ctx *ctx);
void pl_ptx_declare_regs(struct pl_ptx_ctx *ctx);     /* .reg */
void pl_ptx_declare_outgoing(struct pl_ptx_ctx *ctx); /* .param in a body */
void pl_ptx_parse_body(struct pl_ptx_ctx *ctx, struct pl_ptx_func_info *func);
void pl_ptx_parse_loc(struct pl_ptx_ctx *ctx);
void pl_ptx_parse_file(struct pl_ptx_ctx *ctx);
void pl_ptx_skip_statement(struct pl_ptx_ctx *ctx);

#endif
