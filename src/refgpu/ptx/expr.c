/* Constant expressions, 64 bits wide, with C's operators. */
#include "unit.h"

static struct pl_ptx_number parse_conditional(struct pl_ptx_ctx *ctx);

static void enter(struct pl_ptx_ctx *ctx)
{
	if (++ctx->nest > PL_PTX_NEST_MAX)
		pl_ptx_fail_here(ctx, PL_PTX_E_LIMIT, "an expression is nested deeper than %u: simplify it",
				 PL_PTX_NEST_MAX);
}

static struct pl_ptx_number parse_paren(struct pl_ptx_ctx *ctx)
{
	struct pl_ptx_number value;

	if (pl_ptx_at_dot(ctx, W_s64) || pl_ptx_at_dot(ctx, W_u64)) {
		bool is_unsigned = ctx->token.name == W_u64;

		pl_ptx_advance(ctx);
		pl_ptx_expect(ctx, ')', "the type of a cast");
		enter(ctx);
		value = parse_conditional(ctx);
		ctx->nest--;
		value.is_unsigned = is_unsigned;
		return value;
	}
	value = parse_conditional(ctx);
	pl_ptx_expect(ctx, ')', "an expression");
	return value;
}

static struct pl_ptx_number negate(struct pl_ptx_number value)
{
	if (value.is_float)
		value.value ^= value.f32 ? 0x80000000ull : 0x8000000000000000ull;
	else
		value.value = -value.value;
	return value;
}

static struct pl_ptx_number parse_unary(struct pl_ptx_ctx *ctx)
{
	struct pl_ptx_token token = ctx->token;
	struct pl_ptx_number value = { 0 };

	enter(ctx);
	pl_ptx_advance(ctx);
	switch (token.kind) {
	case T_INT:
		value = (struct pl_ptx_number){ .value = token.value, .is_unsigned = token.is_unsigned };
		break;
	case T_FLOAT:
		value = (struct pl_ptx_number){ .value = token.value, .is_float = true, .f32 = token.f32 };
		break;
	case '-':
		value = negate(parse_unary(ctx));
		break;
	case '+':
		value = parse_unary(ctx);
		break;
	case '~':
		value = parse_unary(ctx);
		value.value = ~value.value;
		break;
	case '!':
		value = parse_unary(ctx);
		value.value = !value.value;
		value.is_unsigned = false;
		break;
	case '(':
		value = parse_paren(ctx);
		break;
	default:
		if (token.kind == T_NAME && token.length == 7 && !memcmp(token.text, "WARP_SZ", 7)) {
			value.value = 32;
			break;
		}
		pl_ptx_fail(ctx, PL_PTX_E_INVALID, token.line, token.column, "'%.*s' is not a constant: give a number",
			    token.length > 60 ? 60 : (int)token.length, token.text);
	}
	ctx->nest--;
	return value;
}

static int precedence(int kind)
{
	switch (kind) {
	case '*':
	case '/':
	case '%':
		return 10;
	case '+':
	case '-':
		return 9;
	case T_SHL:
	case T_SHR:
		return 8;
	case '<':
	case '>':
	case T_LE:
	case T_GE:
		return 7;
	case T_EQ:
	case T_NE:
		return 6;
	case '&':
		return 5;
	case '^':
		return 4;
	case '|':
		return 3;
	case T_AND:
		return 2;
	case T_OR:
		return 1;
	default:
		return 0;
	}
}

static uint64_t divide(struct pl_ptx_ctx *ctx, int kind, uint64_t a, uint64_t b, bool is_unsigned)
{
	if (!b)
		pl_ptx_fail_here(ctx, PL_PTX_E_INVALID, "a constant is divided by zero: correct it");
	if (is_unsigned)
		return kind == '/' ? a / b : a % b;
	if (b == UINT64_MAX) /* INT64_MIN / -1 */
		return kind == '/' ? -a : 0;
	return (uint64_t)(kind == '/' ? (int64_t)a / (int64_t)b : (int64_t)a % (int64_t)b);
}

static uint64_t combine(struct pl_ptx_ctx *ctx, int kind, uint64_t a, uint64_t b, bool is_unsigned)
{
	int64_t x = (int64_t)a, y = (int64_t)b;

	switch (kind) {
	case '*':
		return a * b;
	case '/':
	case '%':
		return divide(ctx, kind, a, b, is_unsigned);
	case '+':
		return a + b;
	case '-':
		return a - b;
	case T_SHL:
		return b > 63 ? 0 : a << b;
	case T_SHR:
		if (is_unsigned)
			return b > 63 ? 0 : a >> b;
		return (uint64_t)(x >> (b > 63 ? 63 : b));
	case '<':
		return is_unsigned ? a < b : x < y;
	case '>':
		return is_unsigned ? a > b : x > y;
	case T_LE:
		return is_unsigned ? a <= b : x <= y;
	case T_GE:
		return is_unsigned ? a >= b : x >= y;
	case T_EQ:
		return a == b;
	case T_NE:
		return a != b;
	case '&':
		return a & b;
	case '^':
		return a ^ b;
	case '|':
		return a | b;
	case T_AND:
		return a && b;
	default:
		return a || b;
	}
}

static struct pl_ptx_number parse_binary(struct pl_ptx_ctx *ctx, int least)
{
	struct pl_ptx_number left = parse_unary(ctx);

	for (;;) {
		int kind = ctx->token.kind, level = precedence(kind);
		struct pl_ptx_number right;

		if (!level || level < least)
			return left;
		pl_ptx_advance(ctx);
		enter(ctx);
		right = parse_binary(ctx, level + 1);
		ctx->nest--;
		if (left.is_float || right.is_float)
			pl_ptx_fail_here(ctx, PL_PTX_E_UNSUPPORTED,
					 "arithmetic on floating-point constants: write the result");
		left.is_unsigned |= right.is_unsigned;
		left.value = combine(ctx, kind, left.value, right.value, left.is_unsigned);
		if (level == 7 || level == 6 || level <= 2)
			left.is_unsigned = false;
	}
}

static struct pl_ptx_number parse_conditional(struct pl_ptx_ctx *ctx)
{
	struct pl_ptx_number condition, yes, no;

	enter(ctx);
	condition = parse_binary(ctx, 1);
	if (pl_ptx_accept(ctx, '?')) {
		yes = parse_conditional(ctx);
		pl_ptx_expect(ctx, ':', "the first choice of '?'");
		no = parse_conditional(ctx);
		condition = condition.value ? yes : no;
	}
	ctx->nest--;
	return condition;
}

struct pl_ptx_number pl_ptx_expression(struct pl_ptx_ctx *ctx)
{
	return parse_conditional(ctx);
}
