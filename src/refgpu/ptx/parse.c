/* A whole text: version, target, declarations, and the heads of functions. */
#include "unit.h"

/* To behind the next ';' outside of braces, or to a '}' that closes what is around, or to the end. */
void pl_ptx_skip_statement(struct pl_ptx_ctx *ctx)
{
	uint32_t depth = 0;

	for (;; pl_ptx_lexer_next(&ctx->lexer, &ctx->token)) {
		if (ctx->token.kind == T_END || (ctx->token.kind == '}' && !depth))
			return;
		if (ctx->token.kind == '{')
			depth++;
		else if (ctx->token.kind == '}')
			depth--;
		else if (ctx->token.kind == ';' && !depth)
			break;
	}
	pl_ptx_lexer_next(&ctx->lexer, &ctx->token);
}

static void parse_version(struct pl_ptx_ctx *ctx)
{
	double value;
	uint32_t version;

	if (ctx->token.kind != T_FLOAT || ctx->token.f32)
		pl_ptx_fail_here(ctx, PL_PTX_E_INVALID, ".version takes a number: write one, as 8.0");
	memcpy(&value, &ctx->token.value, 8);
	if (!(value >= 1 && value < 100))
		pl_ptx_fail_here(ctx, PL_PTX_E_VERSION, ".version is not one of PTX: write 6.0 to %u.%u",
				 PL_PTX_VERSION_MAX / 10, PL_PTX_VERSION_MAX % 10);
	version = (uint32_t)(value * 10 + 0.5);
	if (version > PL_PTX_VERSION_MAX)
		pl_ptx_fail_here(ctx, PL_PTX_E_VERSION,
				 "PTX %u.%u is newer than this compiler, which takes up to %u.%u: use an older toolkit",
				 version / 10, version % 10, PL_PTX_VERSION_MAX / 10, PL_PTX_VERSION_MAX % 10);
	ctx->version = version;
	ctx->has_version = true;
	if (version > ctx->version_max)
		ctx->version_max = version;
	pl_ptx_advance(ctx);
}

/* sm_NN, also of one architecture (sm_90a) or family (sm_100f).  0: none. */
static uint32_t target_number(const char *text)
{
	uint32_t number = 0;

	if (strncmp(text, "sm_", 3) && strncmp(text, "compute_", 8))
		return 0;
	for (text = strchr(text, '_') + 1; *text >= '0' && *text <= '9' && number < 1000; text++)
		number = number * 10 + (uint32_t)(*text - '0');
	if (*text == 'a' || *text == 'f')
		text++;
	return *text ? 0 : number;
}

static void parse_target(struct pl_ptx_ctx *ctx)
{
	uint32_t max = ctx->options.target ? ctx->options.target : PL_PTX_TARGET_MAX;

	do {
		const char *text = pl_ptx_text(ctx, ctx->token.name);
		uint32_t name_line = ctx->token.line, column = ctx->token.column;
		uint32_t number = ctx->token.kind == T_NAME ? target_number(text) : 0;

		(void)pl_ptx_expect_name(ctx, "a target");
		if (number > max)
			pl_ptx_fail(ctx, PL_PTX_E_VERSION, name_line, column,
				    "%s is newer than this GPU, which is sm_%u: compile for compute_%u%s", text, max,
				    max, number <= PL_PTX_TARGET_MAX ? ", or see PLENUM_REFGPU_CAPABILITY" : "");
		if (number) {
			ctx->target = number;
			if (number > ctx->target_max)
				ctx->target_max = number;
		} else if (!strcmp(text, "debug")) {
			ctx->debug = true;
		} else if (!strcmp(text, "map_f64_to_f32")) {
			ctx->maps_f64 = true;
		} else if (strcmp(text, "texmode_unified") && strcmp(text, "texmode_independent")) {
			pl_ptx_fail(ctx, PL_PTX_E_UNSUPPORTED, name_line, column, "target '%s' is not known: remove it",
				    text);
		} else if (!strcmp(text, "texmode_independent")) {
			ctx->independent = true;
		}
	} while (pl_ptx_accept(ctx, ','));
	ctx->has_target = true;
}

void pl_ptx_parse_file(struct pl_ptx_ctx *ctx)
{
	uint64_t index = pl_ptx_expect_int(ctx, "a file's number", 1u << 20);
	uint32_t global = UINT32_MAX;

	if (ctx->token.kind != T_STRING)
		pl_ptx_fail_here(ctx, PL_PTX_E_INVALID, ".file takes a number and a name: give both");
	for (uint32_t i = 0; i < ctx->files_n; i++)
		if (strlen(ctx->files[i]) == ctx->token.length &&
		    !memcmp(ctx->files[i], ctx->token.text, ctx->token.length))
			global = i;
	if (global == UINT32_MAX) {
		global = ctx->files_n;
		*pl_ptx_push(&ctx->pool, ctx->files, ctx->files_n, ctx->files_room) =
			pl_ptx_strdup(&ctx->pool, ctx->token.text, ctx->token.length);
	}
	if (index >= ctx->file_map_n) {
		uint32_t room = ctx->file_map_n;

		ctx->file_map = pl_ptx_grown(&ctx->pool, ctx->file_map, &room, (uint32_t)index + 1, 4);
		for (uint32_t i = ctx->file_map_n; i < room; i++)
			ctx->file_map[i] = UINT32_MAX;
		ctx->file_map_n = room;
	}
	ctx->file_map[index] = global;
	pl_ptx_advance(ctx);
	while (pl_ptx_accept(ctx, ','))
		(void)pl_ptx_expression(ctx);
}

/* .loc file line column [, function_name label [+ n], inlined_at file line column] */
void pl_ptx_parse_loc(struct pl_ptx_ctx *ctx)
{
	uint64_t file = pl_ptx_expect_int(ctx, "a file's number", 1u << 20);
	uint64_t line = pl_ptx_expect_int(ctx, "a line", UINT32_MAX);

	(void)pl_ptx_expect_int(ctx, "a column", UINT32_MAX);
	ctx->loc_file = file < ctx->file_map_n ? ctx->file_map[file] : UINT32_MAX;
	ctx->loc_line = (uint32_t)line;
	while (pl_ptx_accept(ctx, ',')) {
		const char *what = pl_ptx_text(ctx, pl_ptx_expect_name(ctx, "function_name or inlined_at"));

		if (!strcmp(what, "function_name")) {
			(void)pl_ptx_expect_name(ctx, "a label");
			if (pl_ptx_accept(ctx, '+'))
				(void)pl_ptx_expression(ctx);
		} else {
			for (int i = 0; i < 3; i++)
				(void)pl_ptx_expect_int(ctx, "a place", UINT32_MAX);
		}
	}
}

static void skip_section(struct pl_ptx_ctx *ctx)
{
	uint32_t depth = 0;

	while (ctx->token.kind != '{' && ctx->token.kind != T_END)
		pl_ptx_advance(ctx);
	do {
		if (ctx->token.kind == '{')
			depth++;
		else if (ctx->token.kind == '}')
			depth--;
		else if (ctx->token.kind == T_END)
			pl_ptx_fail_here(ctx, PL_PTX_E_INVALID, "a .section does not end: add '}'");
		pl_ptx_lexer_next(&ctx->lexer, &ctx->token);
	} while (depth);
}

static void parse_dims(struct pl_ptx_ctx *ctx, uint32_t dims[3], const char *what)
{
	dims[0] = dims[1] = dims[2] = 1;
	for (int i = 0; i < 3; i++) {
		dims[i] = (uint32_t)pl_ptx_expect_int(ctx, what, 0x7fffffff);
		if (!pl_ptx_accept(ctx, ','))
			break;
	}
}

/* Between a function's parameters and its body. */
static void parse_performance(struct pl_ptx_ctx *ctx, struct pl_ptx_func_info *func)
{
	while (ctx->token.kind == T_DOT) {
		uint32_t word = ctx->token.name;

		pl_ptx_advance(ctx);
		switch (word) {
		case W_noreturn:
			func->noreturn = true;
			break;
		case W_maxntid:
			parse_dims(ctx, func->maxntid, ".maxntid");
			break;
		case W_reqntid:
			parse_dims(ctx, func->reqntid, ".reqntid");
			break;
		case W_reqnctapercluster:
			parse_dims(ctx, func->cluster, ".reqnctapercluster");
			break;
		case W_explicitcluster:
			func->explicit_cluster = true;
			break;
		case W_minnctapersm:
		case W_maxnctapersm:
			func->minnctapersm = (uint32_t)pl_ptx_expect_int(ctx, "a number of blocks", 1 << 20);
			break;
		case W_maxnreg:
			func->maxnreg = (uint32_t)pl_ptx_expect_int(ctx, "a number of registers", 1 << 20);
			break;
		case W_maxclusterrank:
			func->maxclusterrank = (uint32_t)pl_ptx_expect_int(ctx, "a number of blocks", 1 << 20);
			break;
		case W_abi_preserve:
		case W_abi_preserve_control:
			(void)pl_ptx_expect_int(ctx, "a number of registers", 1 << 20);
			break;
		case W_pragma:
			do
				pl_ptx_advance(ctx);
			while (pl_ptx_accept(ctx, ','));
			pl_ptx_expect(ctx, ';', ".pragma");
			break;
		default:
			pl_ptx_fail_here(ctx, PL_PTX_E_UNSUPPORTED, "'.%s' is not a directive that is known: remove it",
					 pl_ptx_text(ctx, word));
		}
	}
}

/* Several declarations of one function, in this unit or others, become one. */
static struct pl_ptx_sym *func_symbol(struct pl_ptx_ctx *ctx, uint32_t name, struct pl_ptx_func_info *func)
{
	struct pl_ptx_sym *sym = pl_ptx_find(ctx, name);

	if (sym && sym->kind != S_FUNC)
		pl_ptx_fail_here(ctx, PL_PTX_E_INVALID, "'%s' is declared twice: the first is in line %u",
				 pl_ptx_text(ctx, name), sym->line);
	if (!sym) {
		sym = pl_ptx_declare(ctx, name, S_FUNC);
		sym->func = func;
		func->sym = sym;
		func->index = ctx->funcs_n;
		func->unit = ctx->unit;
		*pl_ptx_push(&ctx->pool, ctx->funcs, ctx->funcs_n, ctx->funcs_room) = sym;
	}
	return sym;
}

static bool same_params(const struct pl_ptx_func_info *a, const struct pl_ptx_func_info *b)
{
	if (a->params_n != b->params_n || a->returns_n != b->returns_n || a->entry != b->entry)
		return false;
	for (uint32_t i = 0; i < a->params_n; i++)
		if (a->params[i]->bytes != b->params[i]->bytes)
			return false;
	for (uint32_t i = 0; i < a->returns_n; i++)
		if (a->returns[i]->bytes != b->returns[i]->bytes)
			return false;
	return true;
}

static void parse_function(struct pl_ptx_ctx *ctx, enum pl_ptx_linkage linkage, bool entry)
{
	struct pl_ptx_func_info *func = pl_ptx_alloc(&ctx->pool, sizeof(*func)), *old;
	uint32_t name, line, column;
	struct pl_ptx_sym *sym;

	func->entry = entry;
	func->linkage = linkage;
	if (pl_ptx_accept_dot(ctx, W_attribute)) {
		pl_ptx_expect(ctx, '(', ".attribute");
		while (!pl_ptx_accept(ctx, ')') && ctx->token.kind != T_END)
			pl_ptx_advance(ctx);
	}
	if (!entry && pl_ptx_accept(ctx, '('))
		pl_ptx_param_list(ctx, func, true);
	line = ctx->token.line;
	column = ctx->token.column;
	name = pl_ptx_expect_name(ctx, "a function");
	sym = func_symbol(ctx, name, func);
	if (pl_ptx_accept(ctx, '('))
		pl_ptx_param_list(ctx, func, false);
	parse_performance(ctx, func);
	func->has_body = ctx->token.kind == '{';
	old = sym->func;
	if (old != func) {
		if (!same_params(old, func))
			pl_ptx_fail(ctx, PL_PTX_E_INVALID, line, column,
				    "'%s' is declared with other parameters in line %u: make them agree",
				    pl_ptx_text(ctx, name), sym->line);
		if (func->has_body && old->has_body)
			pl_ptx_fail(ctx, PL_PTX_E_INVALID, line, column, "'%s' has two bodies: the first is in line %u",
				    pl_ptx_text(ctx, name), sym->line);
		if (func->has_body) {
			func->index = old->index;
			func->address_taken = old->address_taken;
			func->unit = ctx->unit;
			func->sym = sym;
			if (func->linkage == L_STATIC)
				func->linkage = old->linkage == L_EXTERN ? L_STATIC : old->linkage;
			*old = *func; /* who points at the declaration sees the definition */
			func = old;
		} else {
			func = old;
		}
	}
	sym->line = line;
	if (func->has_body && ctx->token.kind == '{')
		pl_ptx_parse_body(ctx, func);
	else
		pl_ptx_expect(ctx, ';', "the head of a function");
}

static void parse_alias(struct pl_ptx_ctx *ctx)
{
	struct pl_ptx_sym *alias = pl_ptx_find(ctx, pl_ptx_expect_name(ctx, "an alias")), *of;

	pl_ptx_expect(ctx, ',', "an alias");
	of = pl_ptx_find(ctx, pl_ptx_expect_name(ctx, "a function"));
	if (!alias || !of || alias->kind != S_FUNC || of->kind != S_FUNC || alias->func->has_body)
		pl_ptx_fail_here(ctx, PL_PTX_E_INVALID,
				 ".alias names a declared function and a defined one: declare both first");
	alias->func->alias = of->func;
	pl_ptx_expect(ctx, ';', ".alias");
}

static void parse_pragma(struct pl_ptx_ctx *ctx)
{
	do {
		if (ctx->token.kind != T_STRING)
			pl_ptx_fail_here(ctx, PL_PTX_E_INVALID, ".pragma takes a string: give one");
		pl_ptx_advance(ctx);
	} while (pl_ptx_accept(ctx, ','));
	pl_ptx_expect(ctx, ';', ".pragma");
}

static enum pl_ptx_linkage parse_linkage(struct pl_ptx_ctx *ctx)
{
	enum pl_ptx_linkage linkage = L_STATIC;

	for (;;) {
		if (pl_ptx_accept_dot(ctx, W_extern))
			linkage = L_EXTERN;
		else if (pl_ptx_accept_dot(ctx, W_visible))
			linkage = L_VISIBLE;
		else if (pl_ptx_accept_dot(ctx, W_weak))
			linkage = L_WEAK;
		else if (pl_ptx_accept_dot(ctx, W_common))
			linkage = L_COMMON;
		else
			return linkage;
	}
}

static void parse_declaration(struct pl_ptx_ctx *ctx)
{
	enum pl_ptx_linkage linkage = parse_linkage(ctx);
	uint32_t word = ctx->token.kind == T_DOT ? ctx->token.name : W_NONE;

	if (!ctx->has_target && ctx->token.kind != T_END)
		pl_ptx_fail_here(ctx, PL_PTX_E_INVALID, "a text begins with .version and .target: add them");
	pl_ptx_advance(ctx);
	switch (word) {
	case W_func:
	case W_entry:
		parse_function(ctx, linkage, word == W_entry);
		break;
	case W_global:
		pl_ptx_declare_vars(ctx, linkage, SP_GLOBAL);
		break;
	case W_const:
		pl_ptx_declare_vars(ctx, linkage, SP_CONST);
		break;
	case W_shared:
		pl_ptx_declare_vars(ctx, linkage, SP_SHARED);
		break;
	case W_tex:
		pl_ptx_fail_here(ctx, PL_PTX_E_UNSUPPORTED, ".tex variables are of PTX 1: use .global .texref");
	case W_local:
	case W_reg:
	case W_param:
		pl_ptx_fail_here(ctx, PL_PTX_E_INVALID, ".%s is declared inside a function: move it there",
				 pl_ptx_text(ctx, word));
	default:
		pl_ptx_fail_here(ctx, PL_PTX_E_INVALID, "'.%s' is not expected here: a declaration is",
				 word == W_NONE ? "" : pl_ptx_text(ctx, word));
	}
}

static void parse_directive(struct pl_ptx_ctx *ctx)
{
	if (ctx->token.kind == T_NAME && ctx->token.length && ctx->token.text[0] == '_') { /* a label of debug data */
		pl_ptx_advance(ctx);
		pl_ptx_expect(ctx, ':', "a label");
	} else if (pl_ptx_accept_dot(ctx, W_version)) {
		parse_version(ctx);
	} else if (pl_ptx_accept_dot(ctx, W_target)) {
		parse_target(ctx);
	} else if (pl_ptx_accept_dot(ctx, W_address_size)) {
		if (ctx->token.kind != T_INT || ctx->token.value != 64)
			pl_ptx_fail_here(ctx, PL_PTX_E_UNSUPPORTED, "addresses of 32 bits: compile with -m64");
		pl_ptx_advance(ctx);
	} else if (pl_ptx_accept_dot(ctx, W_file)) {
		pl_ptx_parse_file(ctx);
	} else if (pl_ptx_accept_dot(ctx, W_loc)) {
		pl_ptx_parse_loc(ctx);
	} else if (pl_ptx_at_dot(ctx, W_section)) {
		skip_section(ctx);
	} else if (pl_ptx_accept_dot(ctx, W_pragma)) {
		parse_pragma(ctx);
	} else if (pl_ptx_accept_dot(ctx, W_alias)) {
		parse_alias(ctx);
	} else if (ctx->token.kind == ';') {
		pl_ptx_advance(ctx);
	} else {
		parse_declaration(ctx);
	}
}

static void parse_head(struct pl_ptx_ctx *ctx)
{
	if (!pl_ptx_at_dot(ctx, W_version))
		pl_ptx_fail_here(ctx, PL_PTX_E_INVALID, "a text begins with .version: this is not PTX");
}

/* The sources[unit]; the lexer stands at its begin. */
void pl_ptx_parse_unit(struct pl_ptx_ctx *ctx)
{
	jmp_buf retry;

	ctx->has_version = ctx->has_target = ctx->independent = ctx->maps_f64 = false;
	ctx->file_map = NULL;
	ctx->file_map_n = 0;
	ctx->loc_file = UINT32_MAX;
	ctx->retry = NULL;
	pl_ptx_advance(ctx);
	parse_head(ctx);
	if (setjmp(retry)) {
		while (ctx->depth)
			pl_ptx_scope_leave(ctx);
		pl_ptx_skip_statement(ctx);
		if (ctx->token.kind == '}')
			pl_ptx_lexer_next(&ctx->lexer, &ctx->token);
	}
	while (ctx->token.kind != T_END) {
		ctx->retry = &retry;
		parse_directive(ctx);
	}
	ctx->retry = NULL;
	pl_ptx_unit_symbols_clear(ctx);
}
