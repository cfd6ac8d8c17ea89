/* The body of a function: scopes, labels, declarations, statements; jumps become the ends of blocks. */
#include "ir.h"

#include <stdio.h>

static void block_start(struct pl_ptx_build *b, struct pl_ptx_block *block)
{
	*pl_ptx_push(b->pool, b->blocks, b->blocks_n, b->blocks_room) = block;
	block->line = b->line;
	block->loc_line = b->ctx->loc_line;
	block->loc_file = b->ctx->loc_file;
	b->at = block;
}

/* Whatever is open falls into `block`. */
static void fall_into(struct pl_ptx_build *b, struct pl_ptx_block *block)
{
	if (b->at && b->at->end == E_NONE) {
		b->at->end = E_JUMP;
		b->at->succ[0] = block;
		b->at->succ_n = 1;
	}
	block_start(b, block);
}

void pl_ptx_label_refer(struct pl_ptx_build *b, const struct pl_ptx_operand *operand, struct pl_ptx_block **at)
{
	struct pl_ptx_label_ref *ref = pl_ptx_alloc(b->pool, sizeof(*ref));
	uint32_t depth = b->ctx->depth;

	if (operand->kind != O_SYM || operand->sym->kind != S_LABEL || operand->value || operand->negated)
		pl_ptx_fail(b->ctx, PL_PTX_E_INVALID, operand->line, operand->column,
			    "a branch goes to a label: name one");
	*ref = (struct pl_ptx_label_ref){ operand->sym->name, operand->line, operand->column, at, b->labels[depth] };
	b->labels[depth] = ref;
}

static void labels_bind(struct pl_ptx_build *b)
{
	struct pl_ptx_ctx *ctx = b->ctx;
	struct pl_ptx_label_ref *ref = b->labels[ctx->depth], *next;

	b->labels[ctx->depth] = NULL;
	for (; ref; ref = next) {
		struct pl_ptx_sym *sym = ref->name < ctx->syms_room ? ctx->syms[ref->name] : NULL;

		next = ref->next;
		if (sym && sym->kind == S_LABEL && sym->depth == ctx->depth) {
			*ref->at = sym->lowered;
		} else if (ctx->depth > 1) {
			ref->next = b->labels[ctx->depth - 1];
			b->labels[ctx->depth - 1] = ref;
		} else {
			pl_ptx_complain(ctx, PL_PTX_E_INVALID, ref->line, ref->column,
					"label '%s' is not in this function: define it", pl_ptx_text(ctx, ref->name));
		}
	}
}

static void label_define(struct pl_ptx_build *b, uint32_t name)
{
	struct pl_ptx_sym *old = name < b->ctx->syms_room ? b->ctx->syms[name] : NULL, *sym;
	struct pl_ptx_block *block = pl_ptx_block_new(b);

	if (old && old->depth == b->ctx->depth)
		pl_ptx_fail_here(b->ctx, PL_PTX_E_INVALID, "'%s' is declared twice: the first is in line %u",
				 pl_ptx_text(b->ctx, name), old->line);
	sym = pl_ptx_declare(b->ctx, name, S_LABEL);
	sym->lowered = block;
	fall_into(b, block);
}

/* NAME: .callprototype (ret) _ (params); and the lists of targets. */
static void callprototype(struct pl_ptx_ctx *ctx, uint32_t name)
{
	struct pl_ptx_func_info *func = pl_ptx_alloc(&ctx->pool, sizeof(*func));
	struct pl_ptx_sym *sym = pl_ptx_declare(ctx, name, S_PROTO);

	sym->func = func;
	if (pl_ptx_accept(ctx, '('))
		pl_ptx_param_list(ctx, func, true);
	(void)pl_ptx_expect_name(ctx, "a prototype, '_'");
	if (pl_ptx_accept(ctx, '('))
		pl_ptx_param_list(ctx, func, false);
	while (ctx->token.kind == T_DOT) { /* .noreturn, .abi_preserve n */
		pl_ptx_advance(ctx);
		if (ctx->token.kind == T_INT)
			pl_ptx_advance(ctx);
	}
	pl_ptx_expect(ctx, ';', ".callprototype");
}

static void target_list(struct pl_ptx_ctx *ctx, uint32_t name, bool calls)
{
	struct pl_ptx_sym *sym = pl_ptx_declare(ctx, name, S_TARGETS);
	uint32_t room = 0;

	do {
		uint32_t target = pl_ptx_expect_name(ctx, calls ? "a function" : "a label");
		struct pl_ptx_sym *found = calls ? pl_ptx_find(ctx, target) : NULL;

		if (calls && (!found || found->kind != S_FUNC))
			pl_ptx_fail_here(ctx, PL_PTX_E_INVALID, "'%s' is not a function: declare it first",
					 pl_ptx_text(ctx, target));
		if (!calls) {
			found = pl_ptx_alloc(&ctx->scratch, sizeof(*found));
			found->name = target;
			found->kind = S_LABEL;
		} else {
			found->func->address_taken = true;
		}
		if (sym->targets_n > 65535)
			pl_ptx_fail_here(ctx, PL_PTX_E_LIMIT, "a list of more than 65535 targets: split it");
		*pl_ptx_push(&ctx->scratch, sym->targets, sym->targets_n, room) = found;
	} while (pl_ptx_accept(ctx, ','));
	pl_ptx_expect(ctx, ';', "a list of targets");
}

static void label(struct pl_ptx_build *b, uint32_t name)
{
	struct pl_ptx_ctx *ctx = b->ctx;

	if (pl_ptx_accept_dot(ctx, W_callprototype))
		callprototype(ctx, name);
	else if (pl_ptx_accept_dot(ctx, W_calltargets))
		target_list(ctx, name, true);
	else if (pl_ptx_accept_dot(ctx, W_branchtargets))
		target_list(ctx, name, false);
	else
		label_define(b, name);
}

static void directive(struct pl_ptx_build *b)
{
	struct pl_ptx_ctx *ctx = b->ctx;
	uint32_t word = ctx->token.name;

	pl_ptx_advance(ctx);
	switch (word) {
	case W_reg:
		pl_ptx_declare_regs(ctx);
		break;
	case W_local:
		pl_ptx_declare_vars(ctx, L_STATIC, SP_LOCAL);
		break;
	case W_shared:
		pl_ptx_declare_vars(ctx, L_STATIC, SP_SHARED);
		break;
	case W_global:
		pl_ptx_declare_vars(ctx, L_STATIC, SP_GLOBAL);
		break;
	case W_const:
		pl_ptx_declare_vars(ctx, L_STATIC, SP_CONST);
		break;
	case W_param:
		pl_ptx_declare_outgoing(ctx);
		break;
	case W_loc:
		pl_ptx_parse_loc(ctx);
		break;
	case W_file:
		pl_ptx_parse_file(ctx);
		break;
	case W_pragma:
		do
			pl_ptx_advance(ctx);
		while (pl_ptx_accept(ctx, ','));
		pl_ptx_expect(ctx, ';', ".pragma");
		break;
	default:
		pl_ptx_fail_here(ctx, PL_PTX_E_INVALID, "'.%s' is not expected in a function: a statement is",
				 pl_ptx_text(ctx, word));
	}
}

static void parse_guard(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	struct pl_ptx_ctx *ctx = b->ctx;
	uint32_t name;

	pl_ptx_advance(ctx);
	st->guard_negated = pl_ptx_accept(ctx, '!');
	name = pl_ptx_expect_name(ctx, "a predicate");
	st->guard = pl_ptx_find(ctx, name);
	if (!st->guard || st->guard->kind != S_REG || st->guard->type.class != K_PRED)
		pl_ptx_fail_here(ctx, PL_PTX_E_INVALID, "'%s' is not a predicate: declare it as .reg .pred",
				 pl_ptx_text(ctx, name));
}

static bool is_not_taken(const struct pl_ptx_statement *st)
{
	for (uint32_t i = 0; i < st->mods_n; i++)
		if (st->mods[i] != W_uni)
			return true;
	return false;
}

/* The guard's way into `there`, else on in a new block. */
static void branch_if(struct pl_ptx_build *b, const struct pl_ptx_statement *st, struct pl_ptx_block *there,
		      struct pl_ptx_block ***slot_out)
{
	struct pl_ptx_block *from = b->at, *next = pl_ptx_block_new(b);

	from->uniform_hint = st->mods_n > 0;
	if (!st->guard) {
		from->end = E_JUMP;
		from->succ[0] = there;
		from->succ_n = 1;
	} else {
		from->end = E_BRANCH;
		from->cond = pl_ptx_reg_of(b, st->guard);
		from->cond_not = st->guard_negated;
		from->succ[0] = there;
		from->succ[1] = next;
		from->succ_n = 2;
	}
	if (slot_out)
		*slot_out = &from->succ[0];
	block_start(b, next);
}

static void lower_bra(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	struct pl_ptx_block **slot;

	if (st->operands_n != 1 || is_not_taken(st))
		pl_ptx_fail(b->ctx, PL_PTX_E_INVALID, st->line, st->column, "bra takes one label: name it");
	branch_if(b, st, NULL, &slot);
	pl_ptx_label_refer(b, &st->operands[0], slot);
}

static void lower_leave(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	struct pl_ptx_block *leave = pl_ptx_block_new(b), *next;

	if (st->operands_n || is_not_taken(st))
		pl_ptx_fail(b->ctx, PL_PTX_E_INVALID, st->line, st->column,
			    "ret and exit take no operands: remove them");
	branch_if(b, st, leave, NULL);
	next = b->at;
	b->blocks_n--; /* `leave` stands in front of what follows */
	block_start(b, leave);
	if (st->op == W_ret && !b->func->entry)
		pl_ptx_lower_return(b);
	else
		leave->end = E_EXIT;
	block_start(b, next);
}

static void lower_brx(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	struct pl_ptx_sym *list;
	struct pl_ptx_block *from, *next;
	struct pl_ptx_statement to_table = *st;

	if (st->mods_n < 1 || st->operands_n != 2 || st->operands[1].kind != O_SYM ||
	    st->operands[1].sym->kind != S_TARGETS || !st->operands[1].sym->targets_n || st->operands[0].kind != O_REG)
		pl_ptx_fail(b->ctx, PL_PTX_E_INVALID, st->line, st->column,
			    "brx.idx takes an index and a .branchtargets list: give both");
	if (st->operands[0].sym->type.bits != 32)
		pl_ptx_fail(b->ctx, PL_PTX_E_INVALID, st->line, st->column, "the index of brx.idx has 32 bits");
	list = st->operands[1].sym;
	if (st->guard) {
		from = pl_ptx_block_new(b);
		branch_if(b, &to_table, from, NULL);
		next = b->at;
		b->blocks_n--;
		block_start(b, from);
	} else {
		from = b->at;
		next = pl_ptx_block_new(b);
	}
	from->end = E_TABLE;
	from->cond = pl_ptx_reg_of(b, st->operands[0].sym);
	from->succ = pl_ptx_alloc_n(b->pool, list->targets_n, sizeof(*from->succ));
	from->succ_n = list->targets_n;
	for (uint32_t i = 0; i < list->targets_n; i++) {
		struct pl_ptx_operand operand = { .kind = O_SYM, .sym = list->targets[i], .line = st->line };

		pl_ptx_label_refer(b, &operand, &from->succ[i]);
	}
	block_start(b, next);
}

/* A guarded statement that does not take a guard: jump over it. */
static void lower_around(struct pl_ptx_build *b, struct pl_ptx_statement *st,
			 void (*lower)(struct pl_ptx_build *, struct pl_ptx_statement *))
{
	struct pl_ptx_block *after = pl_ptx_block_new(b);
	struct pl_ptx_statement skip = *st;

	if (!st->guard) {
		lower(b, st);
		return;
	}
	skip.guard_negated = !skip.guard_negated;
	skip.mods_n = 0;
	branch_if(b, &skip, after, NULL);
	st->guard = NULL;
	lower(b, st);
	fall_into(b, after);
}

static bool is_temp_pure(const struct pl_ptx_ins *ins, uint32_t temps_from)
{
	if (ins->effect || !(ins->defs & 1) || ins->v[A_D] < temps_from)
		return false;
	switch (ins->op) {
	case PL_ISA_LD:
	case PL_ISA_ATOM:
	case PL_ISA_TEX:
	case PL_ISA_TLD4:
	case PL_ISA_SULD:
	case PL_ISA_WMLD:
	case PL_ISA_LDMATRIX:
		return false;
	default:
		return true;
	}
}

/* What a guarded statement was lowered to: helpers run always, results keep their old value where the guard fails. */
static void guard_finish(struct pl_ptx_block *block, struct pl_ptx_ins *before, uint32_t temps_from)
{
	struct pl_ptx_ins *ins = before ? before->next : block->first;

	for (; ins; ins = ins->next) {
		if (!ins->v[A_GUARD])
			continue;
		if (is_temp_pure(ins, temps_from)) {
			ins->v[A_GUARD] = 0;
			ins->f.guard_not = false;
		} else if ((ins->defs & 1) && ins->v[A_D] < temps_from) {
			ins->v[A_OLD] = ins->v[A_D];
		}
	}
}

static void lower_plain(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	struct pl_ptx_ins *before = b->at->last;
	struct pl_ptx_block *block = b->at;
	uint32_t temps_from;

	for (uint32_t i = 0; i < st->operands_n; i++) /* registers get their values before the temporaries */
		if (st->operands[i].kind == O_REG)
			(void)pl_ptx_reg_of(b, st->operands[i].sym);
	if (!st->guard) {
		pl_ptx_lower(b, st);
		return;
	}
	for (uint32_t i = 0; i < st->operands_n; i++)
		for (uint32_t k = 0; k < st->operands[i].parts_n; k++)
			if (st->operands[i].parts[k].kind == O_REG)
				(void)pl_ptx_reg_of(b, st->operands[i].parts[k].sym);
	for (uint32_t i = 0; i < st->operands_n; i++)
		if (st->operands[i].second && st->operands[i].second->kind == O_REG)
			(void)pl_ptx_reg_of(b, st->operands[i].second->sym);
	b->guard = pl_ptx_reg_of(b, st->guard);
	b->guard_not = st->guard_negated;
	temps_from = b->values_n;
	pl_ptx_lower(b, st);
	b->guard = 0;
	b->guard_not = false;
	guard_finish(block, before, temps_from);
}

static void lower_statement(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	switch (st->op) {
	case W_bra:
		lower_bra(b, st);
		break;
	case W_brx:
		lower_brx(b, st);
		break;
	case W_ret:
	case W_exit:
		lower_leave(b, st);
		break;
	case W_call:
		lower_around(b, st, pl_ptx_lower_call);
		break;
	default:
		lower_plain(b, st);
		break;
	}
}

static void instruction(struct pl_ptx_build *b)
{
	struct pl_ptx_ctx *ctx = b->ctx;
	struct pl_ptx_statement st = { .line = ctx->token.line, .column = ctx->token.column };

	b->line = st.line;
	if (ctx->token.kind == '@')
		parse_guard(b, &st);
	st.column = ctx->token.column;
	st.op = pl_ptx_expect_name(ctx, "an instruction");
	while (ctx->token.kind == T_DOT) {
		if (st.mods_n == PL_PTX_MODS_MAX)
			pl_ptx_fail_here(ctx, PL_PTX_E_INVALID, "more than %u modifiers: remove some", PL_PTX_MODS_MAX);
		if (ctx->token.name >= W_COUNT) {
			pl_ptx_check_known(b, &st); /* its name says more than a modifier's */
			pl_ptx_fail_here(ctx, PL_PTX_E_UNSUPPORTED, "modifier '.%s' is not known: remove it",
					 pl_ptx_text(ctx, ctx->token.name));
		}
		st.mods[st.mods_n++] = (uint16_t)ctx->token.name;
		pl_ptx_advance(ctx);
	}
	pl_ptx_operands(ctx, &st);
	if (ctx->token.kind != ';')
		pl_ptx_expect(ctx, ';', "an instruction");
	lower_statement(b, &st);
	pl_ptx_advance(ctx);
}

/* Return: the '}' that ends the body was eaten. */
static bool statement(struct pl_ptx_build *b)
{
	struct pl_ptx_ctx *ctx = b->ctx;
	struct pl_ptx_token token = ctx->token;

	switch (token.kind) {
	case '{':
		pl_ptx_scope_enter(ctx);
		b->labels[ctx->depth] = NULL;
		pl_ptx_advance(ctx);
		return false;
	case '}':
		labels_bind(b);
		pl_ptx_scope_leave(ctx);
		if (!ctx->depth)
			return true; /* the caller goes on behind it */
		pl_ptx_advance(ctx);
		return false;
	case ';':
		pl_ptx_advance(ctx);
		return false;
	case T_DOT:
		directive(b);
		return false;
	case T_NAME: {
		struct pl_ptx_lexer back = ctx->lexer;

		pl_ptx_advance(ctx);
		if (pl_ptx_accept(ctx, ':')) {
			b->line = token.line;
			label(b, token.name);
			return false;
		}
		ctx->lexer = back;
		ctx->token = token;
		instruction(b);
		return false;
	}
	case '@':
		instruction(b);
		return false;
	default:
		pl_ptx_fail_here(ctx, PL_PTX_E_INVALID, "'%.*s' is not expected here: a statement is",
				 token.length > 60 ? 60 : (int)token.length, token.text);
	}
}

static void declare_incoming(struct pl_ptx_ctx *ctx, struct pl_ptx_sym **params, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct pl_ptx_sym *sym;

		if (params[i]->name == UINT32_MAX)
			continue;
		sym = pl_ptx_declare(ctx, params[i]->name, params[i]->kind);
		sym->space = params[i]->space;
		sym->type = params[i]->type;
		sym->lanes_v = params[i]->lanes_v;
		sym->bytes = params[i]->bytes;
		sym->align = params[i]->align;
		sym->is_array = params[i]->is_array;
		sym->offset = params[i]->offset;
		sym->is_return = params[i]->is_return;
		sym->reg_param = params[i]->reg_param;
		params[i]->lowered = sym;
	}
}

static void parse_statements(struct pl_ptx_build *b)
{
	struct pl_ptx_ctx *ctx = b->ctx;
	jmp_buf retry, *outer = ctx->retry;
	volatile bool done = false;

	if (setjmp(retry)) { /* the statement is skipped from its begin, braces and all */
		b->guard = 0;
		ctx->lexer = b->statement_lexer;
		ctx->token = b->statement_token;
		pl_ptx_skip_statement(ctx);
	}
	ctx->retry = &retry;
	while (!done) {
		b->statement_lexer = ctx->lexer;
		b->statement_token = ctx->token;
		if (ctx->token.kind == T_END) {
			ctx->retry = outer;
			pl_ptx_fail_here(ctx, PL_PTX_E_INVALID, "the text ends inside a function: add '}'");
		}
		done = statement(b);
	}
	ctx->retry = outer;
}

/* At '{'; ends behind '}'. */
void pl_ptx_parse_body(struct pl_ptx_ctx *ctx, struct pl_ptx_func_info *func)
{
	struct pl_ptx_build build = { .ctx = ctx, .pool = &ctx->scratch, .func = func, .line = ctx->token.line };
	struct pl_ptx_build *b = pl_ptx_alloc(&ctx->scratch, sizeof(*b));

	*b = build;
	(void)pl_ptx_value_new(b, V_P, 1); /* there is always one */
	ctx->func = func;
	ctx->build = b;
	pl_ptx_scope_enter(ctx);
	declare_incoming(ctx, func->returns, func->returns_n);
	declare_incoming(ctx, func->params, func->params_n);
	pl_ptx_advance(ctx);
	block_start(b, pl_ptx_block_new(b));
	pl_ptx_lower_begin(b);
	parse_statements(b);
	b->guard = 0;
	if (b->at->end == E_NONE) {
		if (func->entry)
			b->at->end = E_EXIT;
		else
			pl_ptx_lower_return(b);
	}
	pl_ptx_lower_end(b);
	if (!ctx->errors_n) {
		func->code = pl_ptx_finish(b);
		*pl_ptx_push(&ctx->pool, ctx->codes, ctx->codes_n, ctx->codes_room) = func->code;
	}
	ctx->build = NULL;
	pl_ptx_pool_reset(&ctx->scratch, (struct pl_ptx_pool_mark){ 0 });
	pl_ptx_advance(ctx);
}
