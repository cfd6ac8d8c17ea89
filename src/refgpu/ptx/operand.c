/* Operands of an instruction, in every form that PTX has, before anybody knows what they are for. */
#include "unit.h"
#include "sreg.h"

static void parse_operand(struct pl_ptx_ctx *ctx, struct pl_ptx_operand *operand);

static void enter(struct pl_ptx_ctx *ctx)
{
	if (++ctx->nest > PL_PTX_NEST_MAX)
		pl_ptx_fail_here(ctx, PL_PTX_E_LIMIT, "operands are nested deeper than %u", PL_PTX_NEST_MAX);
}

/* Operands up to `close`, which is eaten; `first` is the room for them. */
static void parse_list(struct pl_ptx_ctx *ctx, struct pl_ptx_operand *owner, int close)
{
	uint32_t room = 0, n = 0;
	struct pl_ptx_operand *parts = NULL;

	enter(ctx);
	if (!pl_ptx_accept(ctx, close)) {
		do {
			struct pl_ptx_operand part = { 0 };

			if (n >= PL_PTX_PARAMS_MAX)
				pl_ptx_fail_here(ctx, PL_PTX_E_LIMIT, "more than %u operands", PL_PTX_PARAMS_MAX);
			parse_operand(ctx, &part);
			*pl_ptx_push(&ctx->scratch, parts, n, room) = part;
		} while (pl_ptx_accept(ctx, ','));
		pl_ptx_expect(ctx, close, "a list of operands");
	}
	owner->parts = parts;
	owner->parts_n = n;
	ctx->nest--;
}

static bool is_component(uint32_t word)
{
	return word == W_x || word == W_y || word == W_z || word == W_w || word == W_r || word == W_g || word == W_b ||
	       word == W_a || word == W_b0 || word == W_b1 || word == W_b2 || word == W_b3 || word == W_h0 ||
	       word == W_h1;
}

/* .b7152, .h21, .b20: bytes and halves of packed video operands */
static bool is_selection(const struct pl_ptx_token *token)
{
	if (token->kind != T_DOT || token->length < 3 || token->length > 6 ||
	    (token->text[1] != 'b' && token->text[1] != 'h'))
		return false;
	for (uint32_t i = 2; i < token->length; i++)
		if (token->text[i] < '0' || token->text[i] > '7')
			return false;
	return true;
}

static void parse_sreg(struct pl_ptx_ctx *ctx, struct pl_ptx_operand *operand, uint32_t name)
{
	const struct pl_ptx_sreg *sreg = pl_ptx_sreg_find(pl_ptx_text(ctx, name));
	const char *text = pl_ptx_text(ctx, name);

	if (!sreg && (!strncmp(text, "%pm", 3) || !strncmp(text, "%envreg", 7)))
		pl_ptx_fail_here(ctx, PL_PTX_E_UNSUPPORTED, "'%s' is not a register of this GPU: do not read it", text);
	if (!sreg)
		pl_ptx_fail_here(ctx, PL_PTX_E_INVALID, "'%s' is not declared: declare it with .reg", text);
	operand->kind = O_SREG;
	operand->sreg = pl_ptx_sreg_index(sreg);
	operand->select = W_NONE;
	if (sreg->kind == SREG_XYZ || sreg->kind == SREG_XYZ_CONST) {
		if (ctx->token.kind == T_DOT && is_component(ctx->token.name)) {
			operand->select = ctx->token.name;
			pl_ptx_advance(ctx);
		}
	}
}

/* + constant or - constant behind a base. */
static uint64_t parse_offset(struct pl_ptx_ctx *ctx)
{
	uint64_t offset = 0;

	if (ctx->token.kind == '+' || ctx->token.kind == '-') {
		struct pl_ptx_number number = pl_ptx_expression(ctx);

		if (number.is_float)
			pl_ptx_fail_here(ctx, PL_PTX_E_INVALID, "an offset is an integer");
		offset = number.value;
	}
	return offset;
}

static void parse_name(struct pl_ptx_ctx *ctx, struct pl_ptx_operand *operand)
{
	uint32_t name = ctx->token.name;
	struct pl_ptx_sym *sym;

	if (ctx->token.length == 1 && *ctx->token.text == '_') {
		pl_ptx_advance(ctx);
		operand->kind = O_SINK;
		return;
	}
	if (ctx->token.length == 7 && !memcmp(ctx->token.text, "WARP_SZ", 7)) {
		operand->kind = O_INT;
		operand->value = pl_ptx_expression(ctx).value;
		return;
	}
	sym = pl_ptx_find(ctx, name);
	if (!sym && *ctx->token.text == '%') {
		pl_ptx_advance(ctx);
		parse_sreg(ctx, operand, name);
		return;
	}
	pl_ptx_advance(ctx);
	if (!sym) { /* a label that comes later, or nothing */
		sym = pl_ptx_alloc(&ctx->scratch, sizeof(*sym));
		sym->name = name;
		sym->kind = S_LABEL;
		sym->depth = UINT32_MAX;
	}
	operand->sym = sym;
	operand->kind = sym->kind == S_REG ? O_REG : O_SYM;
	operand->select = W_NONE;
	if ((ctx->token.kind == T_DOT && is_component(ctx->token.name)) || is_selection(&ctx->token)) {
		operand->select = ctx->token.name;
		pl_ptx_advance(ctx);
	}
	operand->value = parse_offset(ctx);
	if (operand->value && operand->kind == O_REG)
		operand->second = operand; /* register plus offset: only in an address */
}

static void parse_number(struct pl_ptx_ctx *ctx, struct pl_ptx_operand *operand)
{
	struct pl_ptx_number number = pl_ptx_expression(ctx);

	operand->kind = number.is_float ? O_FLOAT : O_INT;
	operand->f32 = number.f32;
	operand->is_unsigned = number.is_unsigned;
	operand->value = number.value;
}

static void parse_primary(struct pl_ptx_ctx *ctx, struct pl_ptx_operand *operand)
{
	operand->line = ctx->token.line;
	operand->column = ctx->token.column;
	operand->select = W_NONE;
	switch (ctx->token.kind) {
	case T_NAME:
		parse_name(ctx, operand);
		break;
	case '{':
		pl_ptx_advance(ctx);
		parse_list(ctx, operand, '}');
		operand->kind = O_VECTOR;
		break;
	case '[':
		pl_ptx_advance(ctx);
		parse_list(ctx, operand, ']');
		operand->kind = O_ADDRESS;
		if (!operand->parts_n)
			pl_ptx_fail_here(ctx, PL_PTX_E_INVALID, "an address is empty: give a register or a name");
		if (ctx->token.kind == T_DOT && ctx->token.name == W_unified) /* every address is */
			pl_ptx_advance(ctx);
		break;
	default:
		parse_number(ctx, operand);
		break;
	}
}

static void parse_operand(struct pl_ptx_ctx *ctx, struct pl_ptx_operand *operand)
{
	struct pl_ptx_lexer back = ctx->lexer;
	struct pl_ptx_token token = ctx->token;

	enter(ctx);
	if (token.kind == '(') {
		pl_ptx_advance(ctx);
		if (ctx->token.kind == T_NAME && !(ctx->token.length == 7 && !memcmp(ctx->token.text, "WARP_SZ", 7))) {
			parse_list(ctx, operand, ')');
			operand->kind = O_LIST;
			operand->line = token.line;
			operand->column = token.column;
			ctx->nest--;
			return;
		}
		if (ctx->token.kind == ')') {
			pl_ptx_advance(ctx);
			operand->kind = O_LIST;
			ctx->nest--;
			return;
		}
		ctx->lexer = back;
		ctx->token = token;
		parse_primary(ctx, operand);
	} else if (token.kind == '!' || token.kind == '-') {
		pl_ptx_advance(ctx);
		if (ctx->token.kind == T_NAME) {
			parse_primary(ctx, operand);
			operand->negated = true;
		} else {
			ctx->lexer = back;
			ctx->token = token;
			parse_primary(ctx, operand);
		}
	} else {
		parse_primary(ctx, operand);
	}
	if (pl_ptx_accept(ctx, '|')) {
		operand->second = pl_ptx_alloc(&ctx->scratch, sizeof(*operand));
		parse_primary(ctx, operand->second);
	}
	ctx->nest--;
}

/* All operands of a statement, up to the ';' that is left; for calls the lists in parentheses too. */
void pl_ptx_operands(struct pl_ptx_ctx *ctx, struct pl_ptx_statement *st)
{
	uint32_t room = 0;

	ctx->nest = 0;
	if (ctx->token.kind == ';')
		return;
	do {
		struct pl_ptx_operand operand = { 0 };

		if (st->operands_n >= PL_PTX_OPERANDS_MAX)
			pl_ptx_fail_here(ctx, PL_PTX_E_LIMIT, "more than %u operands", PL_PTX_OPERANDS_MAX);
		parse_operand(ctx, &operand);
		*pl_ptx_push(&ctx->scratch, st->operands, st->operands_n, room) = operand;
	} while (pl_ptx_accept(ctx, ','));
}
