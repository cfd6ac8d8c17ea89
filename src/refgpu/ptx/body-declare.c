/* Declarations inside of a body: registers, and arguments on their way to a call. */
#include "ir.h"

#include <stdio.h>

/* .reg .b32 a, %r<100>; */
void pl_ptx_declare_regs(struct pl_ptx_ctx *ctx)
{
	struct pl_ptx_type type = { 0 };
	uint8_t lanes = 1;

	while (ctx->token.kind == T_DOT) {
		uint32_t word = ctx->token.name;

		if (word == W_v2 || word == W_v4 || word == W_v8)
			lanes = word == W_v2 ? 2 : word == W_v4 ? 4 : 8;
		else if (pl_ptx_type_of(word).bits >= 8 || word == W_pred)
			type = pl_ptx_type_of(word);
		else
			pl_ptx_fail_here(ctx, PL_PTX_E_INVALID, "'.%s' is not a type of a register: use one as .b32",
					 pl_ptx_text(ctx, word));
		pl_ptx_advance(ctx);
	}
	if (!type.bits)
		pl_ptx_fail_here(ctx, PL_PTX_E_INVALID, "a register has no type: give one, as .b32");
	do {
		uint32_t name = pl_ptx_expect_name(ctx, "a register");
		struct pl_ptx_sym *sym;

		if (pl_ptx_accept(ctx, '<')) {
			char text[128];
			int n = snprintf(text, sizeof(text), "%s<", pl_ptx_text(ctx, name));

			if (n >= (int)sizeof(text))
				pl_ptx_fail_here(ctx, PL_PTX_E_LIMIT, "a name of more than 120 characters: shorten it");
			sym = pl_ptx_declare(ctx, pl_ptx_name(&ctx->names, text, (size_t)n), S_RANGE);
			if (ctx->token.kind != T_INT || ctx->token.value > 100000000)
				pl_ptx_fail_here(ctx, PL_PTX_E_INVALID, "a number of registers is expected in '<>'");
			sym->count = ctx->token.value;
			pl_ptx_advance(ctx);
			pl_ptx_expect(ctx, '>', "a number of registers");
		} else {
			sym = pl_ptx_declare(ctx, name, S_REG);
		}
		sym->type = type;
		sym->lanes_v = lanes;
		sym->space = SP_REG;
	} while (pl_ptx_accept(ctx, ','));
	pl_ptx_expect(ctx, ';', "a declaration");
}

static void outgoing_add(struct pl_ptx_ctx *ctx, uint32_t name, const struct pl_ptx_sym *made)
{
	struct pl_ptx_sym *sym = pl_ptx_declare(ctx, name, S_PARAM);

	sym->space = SP_PARAM;
	sym->type = made->type;
	sym->lanes_v = made->lanes_v;
	sym->bytes = made->bytes;
	sym->align = made->align;
	sym->is_array = made->is_array;
	sym->outgoing = true;
}

/* .param .b64 name; inside a body: an argument on its way to a call. */
void pl_ptx_declare_outgoing(struct pl_ptx_ctx *ctx)
{
	struct pl_ptx_func_info none = { 0 };
	struct pl_ptx_token token = ctx->token; /* stands behind .param */
	struct pl_ptx_sym *made;

	ctx->token.kind = T_DOT;
	ctx->token.name = W_param;
	ctx->lexer.at = token.text;
	ctx->lexer.line = token.line;
	made = pl_ptx_declare_param(ctx, &none, false);
	if (made->name == UINT32_MAX)
		pl_ptx_fail_here(ctx, PL_PTX_E_INVALID, "a parameter has no name: give one");
	outgoing_add(ctx, made->name, made);
	while (pl_ptx_accept(ctx, ',')) {
		if (made->is_array)
			pl_ptx_fail_here(ctx, PL_PTX_E_UNSUPPORTED,
					 "several arrays in one declaration: write one each");
		outgoing_add(ctx, pl_ptx_expect_name(ctx, "a parameter"), made);
	}
	pl_ptx_expect(ctx, ';', "a declaration");
}
