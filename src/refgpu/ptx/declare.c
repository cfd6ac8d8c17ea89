/* Variables and parameters: `.global .align 8 .b8 name[3][4] = {...}` and their kind. */
#include "unit.h"

struct decl {
	struct pl_ptx_type type;
	uint32_t align, lanes_v;
	bool managed, ptr;
};

static uint32_t parse_align(struct pl_ptx_ctx *ctx)
{
	uint64_t align;

	if (ctx->token.kind != T_INT || !ctx->token.value || (ctx->token.value & (ctx->token.value - 1)) ||
	    ctx->token.value > 4096)
		pl_ptx_fail_here(ctx, PL_PTX_E_INVALID, ".align is malformed: give a power of two up to 4096");
	align = ctx->token.value;
	pl_ptx_advance(ctx);
	return (uint32_t)align;
}

static void parse_attribute(struct pl_ptx_ctx *ctx, struct decl *decl)
{
	pl_ptx_expect(ctx, '(', ".attribute");
	for (;;) {
		if (pl_ptx_accept_dot(ctx, W_managed)) {
			decl->managed = true;
		} else if (pl_ptx_accept_dot(ctx, W_unified)) {
			pl_ptx_expect(ctx, '(', ".unified");
			(void)pl_ptx_expect_int(ctx, "an identifier", UINT64_MAX);
			pl_ptx_expect(ctx, ',', "an identifier");
			(void)pl_ptx_expect_int(ctx, "an identifier", UINT64_MAX);
			pl_ptx_expect(ctx, ')', "an identifier");
		} else {
			pl_ptx_fail_here(ctx, PL_PTX_E_UNSUPPORTED,
					 "'%.*s' is not an attribute that is known: remove it", (int)ctx->token.length,
					 ctx->token.text);
		}
		if (!pl_ptx_accept(ctx, ','))
			break;
	}
	pl_ptx_expect(ctx, ')', ".attribute");
}

static bool is_space(uint32_t word)
{
	return word == W_global || word == W_shared || word == W_local || word == W_const || word == W_param;
}

static struct decl parse_decl(struct pl_ptx_ctx *ctx)
{
	struct decl decl = { .lanes_v = 1 };

	while (ctx->token.kind == T_DOT) {
		uint32_t word = ctx->token.name;

		if (pl_ptx_type_of(word).bits && !decl.type.bits) {
			decl.type = pl_ptx_type_of(word);
			pl_ptx_advance(ctx);
		} else if (pl_ptx_accept_dot(ctx, W_align)) {
			decl.align = parse_align(ctx);
		} else if (word == W_v2 || word == W_v4 || word == W_v8) {
			decl.lanes_v = word == W_v2 ? 2 : word == W_v4 ? 4 : 8;
			pl_ptx_advance(ctx);
		} else if (pl_ptx_accept_dot(ctx, W_attribute)) {
			parse_attribute(ctx, &decl);
		} else if (pl_ptx_accept_dot(ctx, W_ptr)) {
			decl.ptr = true;
			if (ctx->token.kind == T_DOT && is_space(ctx->token.name))
				pl_ptx_advance(ctx);
			if (pl_ptx_accept_dot(ctx, W_align))
				(void)parse_align(ctx);
		} else {
			pl_ptx_fail_here(ctx, PL_PTX_E_INVALID, "'%.*s' is not expected in a declaration: give a type",
					 (int)ctx->token.length, ctx->token.text);
		}
	}
	if (!decl.type.bits)
		pl_ptx_fail_here(ctx, PL_PTX_E_INVALID, "a declaration has no type: give one, as .b32");
	return decl;
}

/* [2][3] or []; an empty first dimension is UINT64_MAX. */
static uint64_t parse_dims(struct pl_ptx_ctx *ctx, bool *is_array)
{
	uint64_t count = 1;
	bool unsized = false;

	*is_array = ctx->token.kind == '[';
	for (uint32_t n = 0; pl_ptx_accept(ctx, '['); n++) {
		uint64_t dim;

		if (pl_ptx_accept(ctx, ']')) {
			if (n)
				pl_ptx_fail_here(ctx, PL_PTX_E_INVALID,
						 "only the first dimension may be empty: give a size");
			unsized = true;
			continue;
		}
		dim = pl_ptx_expect_int(ctx, "an array's size", PL_PTX_VAR_BYTES_MAX);
		pl_ptx_expect(ctx, ']', "an array's size");
		if (__builtin_mul_overflow(count, dim, &count) || count > PL_PTX_VAR_BYTES_MAX)
			pl_ptx_fail_here(ctx, PL_PTX_E_LIMIT, "an array is larger than %llu bytes: make it smaller",
					 PL_PTX_VAR_BYTES_MAX);
	}
	return unsized ? UINT64_MAX : count;
}

static void size_sym(struct pl_ptx_ctx *ctx, struct pl_ptx_sym *sym, const struct decl *decl, uint64_t count)
{
	uint64_t each = (uint64_t)(decl->type.bits < 8 ? 8 : decl->type.bits) / 8 * decl->lanes_v;

	sym->type = decl->type;
	sym->lanes_v = (uint8_t)decl->lanes_v;
	sym->align = decl->align ? decl->align : (uint32_t)each;
	if (decl->align && decl->align < decl->type.bits / 8)
		sym->align = decl->type.bits / 8;
	sym->count = count == UINT64_MAX ? 0 : count;
	if (__builtin_mul_overflow(sym->count, each, &sym->bytes) || sym->bytes > PL_PTX_VAR_BYTES_MAX)
		pl_ptx_fail_here(ctx, PL_PTX_E_LIMIT, "a variable is larger than %llu bytes: make it smaller",
				 PL_PTX_VAR_BYTES_MAX);
	sym->ptr = decl->ptr;
}

static struct pl_ptx_sym **global_slot(struct pl_ptx_ctx *ctx, uint32_t name)
{
	while (name >= ctx->globals_room)
		ctx->globals =
			pl_ptx_grown(&ctx->pool, ctx->globals, &ctx->globals_room, name + 1, sizeof(*ctx->globals));
	return &ctx->globals[name];
}

static bool same_shape(const struct pl_ptx_sym *a, const struct pl_ptx_sym *b)
{
	return a->space == b->space && (!a->bytes || !b->bytes || a->bytes == b->bytes);
}

/* One variable of several units: the strongest definition wins; all others resolve to it. */
static void unify(struct pl_ptx_ctx *ctx, struct pl_ptx_sym *sym)
{
	struct pl_ptx_sym **at = global_slot(ctx, sym->name), *old = *at;
	struct pl_ptx_var_info *mine = sym->var;

	if (!old) {
		*at = sym;
		return;
	}
	if (old->kind != S_VAR || (!same_shape(old, sym) && sym->space != SP_SHARED))
		pl_ptx_fail_here(ctx, PL_PTX_E_LINK,
				 "'%s' is declared differently elsewhere: make the declarations agree",
				 pl_ptx_text(ctx, sym->name));
	if (mine->linkage == L_EXTERN) {
		mine->resolved = old;
	} else if (old->var->linkage == L_EXTERN ||
		   (old->var->linkage >= L_WEAK && mine->linkage < old->var->linkage)) {
		old->var->resolved = sym;
		*at = sym;
	} else if (mine->linkage >= L_WEAK) {
		mine->resolved = old;
	} else {
		pl_ptx_fail_here(ctx, PL_PTX_E_LINK, "'%s' is defined twice: remove one definition or make it .weak",
				 pl_ptx_text(ctx, sym->name));
	}
}

/* The same name again in one unit: .extern first, the definition later. */
static struct pl_ptx_sym *declare_again(struct pl_ptx_ctx *ctx, uint32_t name)
{
	struct pl_ptx_sym *old = pl_ptx_find(ctx, name);

	if (ctx->depth || !old || old->kind != S_VAR || old->var->linkage != L_EXTERN)
		return NULL;
	return old;
}

static void declare_one(struct pl_ptx_ctx *ctx, enum pl_ptx_linkage linkage, enum pl_ptx_state_space space,
			const struct decl *decl)
{
	uint32_t name = pl_ptx_expect_name(ctx, "a variable");
	struct pl_ptx_sym *again = declare_again(ctx, name), *sym;
	bool is_array, is_local = space == SP_LOCAL;
	struct pl_ptx_var_info *var;
	uint64_t count;

	if (again) {
		ctx->syms[name] = again->outer;
		sym = pl_ptx_declare(ctx, name, S_VAR);
	} else {
		sym = pl_ptx_declare(ctx, name, S_VAR);
	}
	var = pl_ptx_alloc(is_local ? &ctx->scratch : &ctx->pool, sizeof(*var));
	sym->var = var; /* before anything can fail */
	count = parse_dims(ctx, &is_array);
	sym->space = (uint8_t)space;
	sym->is_array = is_array;
	if (ctx->depth && !is_local) { /* outlives the body */
		struct pl_ptx_sym *kept = pl_ptx_alloc(&ctx->pool, sizeof(*kept));

		*kept = *sym;
		ctx->syms[name] = kept;
		ctx->scopes[ctx->depth] = kept;
		sym = kept;
	}
	var->linkage = linkage;
	var->managed = decl->managed;
	var->unsized = count == UINT64_MAX;
	size_sym(ctx, sym, decl, count);
	if (decl->type.class == K_PRED || decl->type.bits < 8)
		pl_ptx_fail_here(ctx, PL_PTX_E_INVALID, "a variable can not be .pred: use .u8");
	if (!is_local)
		*pl_ptx_push(&ctx->pool, ctx->vars, ctx->vars_n, ctx->vars_room) = sym;
	if (pl_ptx_accept(ctx, '=')) {
		if (linkage == L_EXTERN || (space != SP_GLOBAL && space != SP_CONST))
			pl_ptx_fail_here(ctx, PL_PTX_E_INVALID,
					 "this variable can not have an initial value: only .global and .const can");
		pl_ptx_initializer(ctx, sym);
	} else if (var->unsized && linkage != L_EXTERN) {
		pl_ptx_fail_here(ctx, PL_PTX_E_INVALID, "'%s' has no size: give one, or make it .extern",
				 pl_ptx_text(ctx, name));
	}
	if (linkage != L_STATIC && !ctx->depth && !(space == SP_SHARED && var->unsized))
		unify(ctx, sym);
}

/* At the first token behind the state space. */
void pl_ptx_declare_vars(struct pl_ptx_ctx *ctx, enum pl_ptx_linkage linkage, enum pl_ptx_state_space space)
{
	struct decl decl = parse_decl(ctx);

	do
		declare_one(ctx, linkage, space, &decl);
	while (pl_ptx_accept(ctx, ','));
	pl_ptx_expect(ctx, ';', "a declaration");
}

/* `.param .b64 name`, `.reg .b32 name`; names may be missing in prototypes. */
struct pl_ptx_sym *pl_ptx_declare_param(struct pl_ptx_ctx *ctx, struct pl_ptx_func_info *func, bool is_return)
{
	bool reg = pl_ptx_accept_dot(ctx, W_reg), is_array = false;
	struct pl_ptx_sym *sym;
	uint64_t count = 1;
	struct decl decl;

	if (!reg && !pl_ptx_accept_dot(ctx, W_param))
		pl_ptx_fail_here(ctx, PL_PTX_E_INVALID,
				 "'%.*s' is not expected here: a parameter begins with .param or .reg",
				 (int)ctx->token.length, ctx->token.text);
	if (reg && func->entry)
		pl_ptx_fail_here(ctx, PL_PTX_E_INVALID, "a kernel's parameters are .param: .reg is for functions");
	decl = parse_decl(ctx);
	sym = pl_ptx_alloc(&ctx->pool, sizeof(*sym));
	sym->kind = reg ? S_REG : S_PARAM;
	sym->space = reg ? SP_REG : SP_PARAM;
	sym->line = ctx->token.line;
	sym->name = UINT32_MAX;
	sym->reg_param = reg;
	sym->is_return = is_return;
	if (ctx->token.kind == T_NAME) {
		sym->name = ctx->token.name;
		pl_ptx_advance(ctx);
		if (pl_ptx_accept(ctx, '<')) /* .reg .b32 %r<4> as a parameter: not a thing */
			pl_ptx_fail_here(ctx, PL_PTX_E_INVALID, "a parameter is one register: write them out");
		count = parse_dims(ctx, &is_array);
	}
	sym->is_array = is_array;
	if (count == UINT64_MAX) {
		func->variadic = true;
		count = 0;
	}
	size_sym(ctx, sym, &decl, count);
	if (reg && sym->type.bits > 64)
		pl_ptx_fail_here(ctx, PL_PTX_E_UNSUPPORTED, "a register of 128 bits as a parameter: use .param .b128");
	sym->is_array |= !func->entry && sym->type.bits > 64; /* passed as structures are */
	return sym;
}

static void param_add(struct pl_ptx_ctx *ctx, struct pl_ptx_func_info *func, struct pl_ptx_sym *sym, bool is_return)
{
	uint64_t end;

	if (func->params_n >= PL_PTX_PARAMS_MAX)
		pl_ptx_fail_here(ctx, PL_PTX_E_LIMIT, "more than %u parameters: use a structure", PL_PTX_PARAMS_MAX);
	if (is_return) {
		*pl_ptx_push(&ctx->pool, func->returns, func->returns_n, func->returns_room) = sym;
		return;
	}
	sym->reg = func->params_n;
	*pl_ptx_push(&ctx->pool, func->params, func->params_n, func->params_room) = sym;
	sym->offset = (func->param_bytes + sym->align - 1) & ~(sym->align - 1);
	end = sym->offset + sym->bytes;
	if (end > PL_PTX_PARAM_BYTES_MAX)
		pl_ptx_fail_here(ctx, PL_PTX_E_LIMIT, "parameters take more than %u bytes: pass a pointer",
				 PL_PTX_PARAM_BYTES_MAX);
	func->param_bytes = (uint32_t)end;
}

/* Behind '('; eats ')'. */
void pl_ptx_param_list(struct pl_ptx_ctx *ctx, struct pl_ptx_func_info *func, bool is_return)
{
	if (pl_ptx_accept(ctx, ')'))
		return;
	do {
		param_add(ctx, func, pl_ptx_declare_param(ctx, func, is_return), is_return);
	} while (pl_ptx_accept(ctx, ','));
	pl_ptx_expect(ctx, ')', "the parameters");
}
