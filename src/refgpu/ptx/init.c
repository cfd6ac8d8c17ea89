/* Initial values: numbers, nested braces, addresses of variables and functions, generic(), masks of an address. */
#include "unit.h"

#include <math.h>

struct filling {
	struct pl_ptx_sym *sym;
	uint32_t bytes; /* of an element */
	uint64_t at, room;
};

static void room_for(struct pl_ptx_ctx *ctx, struct filling *fill, uint64_t end)
{
	struct pl_ptx_var_info *var = fill->sym->var;
	uint64_t room = fill->room ? fill->room : 64;
	uint8_t *grown;

	if (!var->unsized && end > fill->sym->bytes)
		pl_ptx_fail_here(ctx, PL_PTX_E_INVALID,
				 "there are more initial values than '%s' has elements: remove some",
				 pl_ptx_text(ctx, fill->sym->name));
	if (end > PL_PTX_INIT_BYTES_MAX)
		pl_ptx_fail_here(ctx, PL_PTX_E_LIMIT, "initial data of more than %llu bytes: copy it at run time",
				 PL_PTX_INIT_BYTES_MAX);
	if (end <= fill->room)
		return;
	while (room < end)
		room *= 2;
	grown = pl_ptx_alloc(&ctx->pool, room);
	if (fill->room)
		memcpy(grown, var->init, fill->room);
	var->init = grown;
	fill->room = room;
}

static uint16_t half_of(float value)
{
	uint32_t bits, mantissa, sign, rounded;
	int exponent;

	memcpy(&bits, &value, 4);
	sign = bits >> 16 & 0x8000;
	exponent = (int)(bits >> 23 & 255) - 127 + 15;
	mantissa = bits & 0x7fffff;
	if ((bits >> 23 & 255) == 255)
		return (uint16_t)(sign | 0x7c00 | (mantissa ? 0x200 : 0));
	if (exponent <= 0) {
		if (exponent < -10)
			return (uint16_t)sign;
		mantissa |= 0x800000;
		rounded = mantissa >> (14 - exponent);
		if ((mantissa >> (13 - exponent) & 1) && ((rounded & 1) || (mantissa & ((1u << (13 - exponent)) - 1))))
			rounded++;
		return (uint16_t)(sign | rounded);
	}
	rounded = (uint32_t)exponent << 10 | mantissa >> 13;
	if ((mantissa & 0x1000) && ((rounded & 1) || (mantissa & 0xfff)))
		rounded++;
	return (uint16_t)(sign | (rounded >= 0x7c00 ? 0x7c00 : rounded));
}

/* A number as the bits of an element. */
static uint64_t bits_of(struct pl_ptx_ctx *ctx, struct pl_ptx_number number, struct pl_ptx_type type)
{
	double value;
	float single;
	uint32_t bits;

	if (type.class != K_F && type.class != K_BF) {
		if (number.is_float)
			pl_ptx_fail_here(ctx, PL_PTX_E_INVALID,
					 "a floating-point value initialises an integer: convert it");
		return number.value;
	}
	if (!number.is_float)
		return type.class == K_F && type.bits == 64
			       ? (value = (double)(int64_t)number.value, memcpy(&number.value, &value, 8), number.value)
		       : type.class == K_F && type.bits == 32
			       ? (single = (float)(int64_t)number.value, memcpy(&bits, &single, 4), bits)
			       : number.value;
	if (number.f32) {
		bits = (uint32_t)number.value;
		memcpy(&single, &bits, 4);
		value = single;
	} else {
		memcpy(&value, &number.value, 8);
		single = (float)value;
		memcpy(&bits, &single, 4);
	}
	if (type.bits == 64) {
		memcpy(&number.value, &value, 8);
		return number.value;
	}
	if (type.bits == 32)
		return bits;
	if (type.class == K_BF)
		return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
	return half_of(single);
}

static struct pl_ptx_sym *known(struct pl_ptx_ctx *ctx, uint32_t name)
{
	struct pl_ptx_sym *sym = pl_ptx_find(ctx, name);

	if (!sym || (sym->kind != S_VAR && sym->kind != S_FUNC))
		pl_ptx_fail_here(ctx, PL_PTX_E_INVALID, "'%s' is not a variable or function: declare it first",
				 pl_ptx_text(ctx, name));
	if (sym->kind == S_VAR && (sym->space == SP_LOCAL || sym->space == SP_SHARED))
		pl_ptx_fail_here(ctx, PL_PTX_E_INVALID, "the address of '%s' is not a constant: it is .%s",
				 pl_ptx_text(ctx, name), sym->space == SP_LOCAL ? "local" : "shared");
	if (sym->kind == S_FUNC)
		sym->func->address_taken = true;
	else
		sym->var->used = true;
	return sym;
}

static void address(struct pl_ptx_ctx *ctx, struct filling *fill, uint64_t mask)
{
	bool generic = ctx->token.length == 7 && !memcmp(ctx->token.text, "generic", 7);
	struct pl_ptx_init_ref ref = { .offset = fill->at, .bytes = fill->bytes };
	uint32_t name = pl_ptx_expect_name(ctx, "a variable");
	struct pl_ptx_var_info *var = fill->sym->var;

	if (generic && pl_ptx_accept(ctx, '(')) {
		name = pl_ptx_expect_name(ctx, "a variable");
		ref.target = known(ctx, name);
		if (pl_ptx_accept(ctx, '+'))
			ref.addend = pl_ptx_expression(ctx).value;
		pl_ptx_expect(ctx, ')', "the address in generic()");
	} else {
		ref.target = known(ctx, name);
	}
	if (ctx->token.kind == '+' || ctx->token.kind == '-')
		ref.addend += pl_ptx_expression(ctx).value;
	if (mask) {
		ref.shift = (uint32_t)__builtin_ctzll(mask);
		if (mask >> ref.shift != 0xff || ref.shift % 8)
			pl_ptx_fail_here(ctx, PL_PTX_E_INVALID,
					 "the mask of an address is not one byte: use 0xff << 8 * n");
	} else if (fill->bytes < 8 && fill->bytes != 4) {
		pl_ptx_fail_here(ctx, PL_PTX_E_INVALID, "an address does not fit into %u bytes: use .u64, or a mask",
				 fill->bytes);
	}
	room_for(ctx, fill, fill->at + fill->bytes);
	*pl_ptx_push(&ctx->pool, var->refs, var->refs_n, var->refs_room) = ref;
	fill->at += fill->bytes;
}

static void element(struct pl_ptx_ctx *ctx, struct filling *fill)
{
	struct pl_ptx_number number;
	uint64_t bits;

	if (ctx->token.kind == T_NAME) {
		address(ctx, fill, 0);
		return;
	}
	number = pl_ptx_expression(ctx);
	if (ctx->token.kind == '(' && !number.is_float) {
		pl_ptx_advance(ctx);
		address(ctx, fill, number.value);
		pl_ptx_expect(ctx, ')', "the address under a mask");
		return;
	}
	bits = bits_of(ctx, number, fill->sym->type);
	room_for(ctx, fill, fill->at + fill->bytes);
	memcpy(fill->sym->var->init + fill->at, &bits, fill->bytes > 8 ? 8 : fill->bytes);
	fill->at += fill->bytes;
}

static void braces(struct pl_ptx_ctx *ctx, struct filling *fill, uint32_t depth)
{
	if (depth > PL_PTX_NEST_MAX)
		pl_ptx_fail_here(ctx, PL_PTX_E_LIMIT, "initial values are nested deeper than %u", PL_PTX_NEST_MAX);
	while (!pl_ptx_accept(ctx, '}')) {
		if (pl_ptx_accept(ctx, '{'))
			braces(ctx, fill, depth + 1);
		else
			element(ctx, fill);
		if (!pl_ptx_accept(ctx, ',')) {
			pl_ptx_expect(ctx, '}', "the initial values");
			break;
		}
	}
}

/* `{ addr_mode_0 = wrap, filter_mode = linear }` of a .samplerref: what it says is kept as given bits. */
static void reference_state(struct pl_ptx_ctx *ctx, struct pl_ptx_sym *sym)
{
	uint32_t depth = 1;

	while (depth) {
		if (ctx->token.kind == T_END)
			pl_ptx_fail_here(ctx, PL_PTX_E_INVALID, "the text ends inside initial values: add '}'");
		if (ctx->token.kind == '{')
			depth++;
		else if (ctx->token.kind == '}')
			depth--;
		pl_ptx_advance(ctx);
	}
	(void)sym;
}

/* Behind '='. */
void pl_ptx_initializer(struct pl_ptx_ctx *ctx, struct pl_ptx_sym *sym)
{
	struct filling fill = { .sym = sym, .bytes = sym->type.bits / 8u };
	uint64_t each = (uint64_t)fill.bytes * sym->lanes_v;

	if (sym->type.class == K_REF) {
		if (pl_ptx_accept(ctx, '{'))
			reference_state(ctx, sym);
		return;
	}
	if (pl_ptx_accept(ctx, '{'))
		braces(ctx, &fill, 1);
	else
		element(ctx, &fill);
	sym->var->init_bytes = fill.at;
	if (sym->var->unsized) {
		sym->var->unsized = false;
		sym->bytes = (fill.at + each - 1) / each * each;
		sym->count = sym->bytes / each;
	}
	room_for(ctx, &fill, fill.at);
}
