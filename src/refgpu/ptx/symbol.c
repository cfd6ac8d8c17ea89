/* Names and their scopes.  `%r<100>` declares a range; its registers are made when they are used. */
#include "unit.h"

#define TYPE(w, c, b, l) [W_##w] = { c, b, l, W_##w }

static const struct pl_ptx_type types[W_COUNT] = {
	TYPE(b1, K_B, 1, 1),
	TYPE(b8, K_B, 8, 1),
	TYPE(b16, K_B, 16, 1),
	TYPE(b32, K_B, 32, 1),
	TYPE(b64, K_B, 64, 1),
	TYPE(b128, K_B, 128, 1),
	TYPE(u8, K_U, 8, 1),
	TYPE(u16, K_U, 16, 1),
	TYPE(u32, K_U, 32, 1),
	TYPE(u64, K_U, 64, 1),
	TYPE(s8, K_S, 8, 1),
	TYPE(s16, K_S, 16, 1),
	TYPE(s32, K_S, 32, 1),
	TYPE(s64, K_S, 64, 1),
	TYPE(f16, K_F, 16, 1),
	TYPE(f16x2, K_F, 32, 2),
	TYPE(f32, K_F, 32, 1),
	TYPE(f64, K_F, 64, 1),
	TYPE(bf16, K_BF, 16, 1),
	TYPE(bf16x2, K_BF, 32, 2),
	TYPE(tf32, K_ODD, 32, 1),
	TYPE(pred, K_PRED, 1, 1),
	TYPE(u16x2, K_U, 32, 2),
	TYPE(s16x2, K_S, 32, 2),
	TYPE(f32x2, K_F, 64, 2),
	TYPE(u2, K_U, 2, 1),
	TYPE(s2, K_S, 2, 1),
	TYPE(u4, K_U, 4, 1),
	TYPE(s4, K_S, 4, 1),
	TYPE(texref, K_REF, 64, 1),
	TYPE(samplerref, K_REF, 64, 1),
	TYPE(surfref, K_REF, 64, 1),
	TYPE(e4m3x2, K_ODD, 16, 2),
	TYPE(e5m2x2, K_ODD, 16, 2),
	TYPE(e4m3, K_ODD, 8, 1),
	TYPE(e5m2, K_ODD, 8, 1),
	TYPE(e2m1x2, K_ODD, 8, 2),
	TYPE(e2m3x2, K_ODD, 16, 2),
	TYPE(e3m2x2, K_ODD, 16, 2),
	TYPE(ue8m0x2, K_ODD, 16, 2),
};

struct pl_ptx_type pl_ptx_type_of(uint32_t word)
{
	return word < W_COUNT ? types[word] : (struct pl_ptx_type){ 0 };
}

static struct pl_ptx_sym **slot(struct pl_ptx_ctx *ctx, uint32_t name)
{
	while (name >= ctx->syms_room)
		ctx->syms = pl_ptx_grown(&ctx->pool, ctx->syms, &ctx->syms_room, name + 1, sizeof(*ctx->syms));
	return &ctx->syms[name];
}

static void insert(struct pl_ptx_ctx *ctx, struct pl_ptx_sym *sym, uint32_t depth)
{
	struct pl_ptx_sym **at = slot(ctx, sym->name);

	sym->depth = depth;
	sym->outer = *at;
	*at = sym;
	sym->scope_next = ctx->scopes[depth];
	ctx->scopes[depth] = sym;
}

static struct pl_ptx_sym *sym_new(struct pl_ptx_ctx *ctx, uint32_t name, uint32_t depth)
{
	struct pl_ptx_sym *sym = pl_ptx_alloc(depth ? &ctx->scratch : &ctx->pool, sizeof(*sym));

	sym->name = name;
	sym->line = ctx->token.line;
	sym->lanes_v = 1;
	return sym;
}

struct pl_ptx_sym *pl_ptx_declare(struct pl_ptx_ctx *ctx, uint32_t name, enum pl_ptx_sym_kind kind)
{
	struct pl_ptx_sym *old = *slot(ctx, name), *sym;

	if (old && old->depth == ctx->depth)
		pl_ptx_fail_here(ctx, PL_PTX_E_INVALID, "'%s' is declared twice: the first is in line %u",
				 pl_ptx_text(ctx, name), old->line);
	sym = sym_new(ctx, name, ctx->depth);
	sym->kind = (uint8_t)kind;
	insert(ctx, sym, ctx->depth);
	if (kind == S_RANGE && ctx->range_depth < ctx->depth)
		ctx->range_depth = ctx->depth;
	return sym;
}

/* Ranges lie under their prefix with a '<' behind, which no name has. */
static struct pl_ptx_sym *find_range(struct pl_ptx_ctx *ctx, uint32_t name)
{
	const char *text = ctx->names.texts[name];
	uint32_t length = ctx->names.lengths[name], digits = 0, range_name;
	char prefix[128];
	uint64_t index = 0;
	struct pl_ptx_sym *range, *sym;

	while (digits < length && digits < 9 && text[length - digits - 1] >= '0' && text[length - digits - 1] <= '9')
		digits++;
	for (; digits; digits--) {
		if (length - digits + 1 < sizeof(prefix) && (text[length - digits] != '0' || digits == 1)) {
			memcpy(prefix, text, length - digits);
			prefix[length - digits] = '<';
			range_name = pl_ptx_name(&ctx->names, prefix, length - digits + 1);
			range = *slot(ctx, range_name);
			index = 0;
			for (uint32_t i = length - digits; i < length; i++)
				index = index * 10 + (uint64_t)(text[i] - '0');
			if (range && index < range->count)
				break;
		}
	}
	if (!digits)
		return NULL;
	sym = *slot(ctx, name);
	if (sym && sym->depth >= range->depth)
		return sym;
	sym = sym_new(ctx, name, range->depth);
	sym->kind = S_REG;
	sym->space = SP_REG;
	sym->type = range->type;
	sym->lanes_v = range->lanes_v;
	insert(ctx, sym, range->depth);
	return sym;
}

struct pl_ptx_sym *pl_ptx_find(struct pl_ptx_ctx *ctx, uint32_t name)
{
	struct pl_ptx_sym *sym = *slot(ctx, name), *ranged;

	if (sym && (sym->depth >= ctx->range_depth || !ctx->range_depth))
		return sym;
	ranged = ctx->range_depth ? find_range(ctx, name) : NULL;
	return ranged ? ranged : sym;
}

void pl_ptx_scope_enter(struct pl_ptx_ctx *ctx)
{
	if (ctx->depth + 1 >= PL_PTX_SCOPES_MAX)
		pl_ptx_fail_here(ctx, PL_PTX_E_LIMIT, "blocks are nested deeper than %u: flatten them",
				 PL_PTX_SCOPES_MAX);
	ctx->scopes[++ctx->depth] = NULL;
}

static void scope_clear(struct pl_ptx_ctx *ctx, uint32_t depth)
{
	for (struct pl_ptx_sym *sym = ctx->scopes[depth]; sym; sym = sym->scope_next)
		ctx->syms[sym->name] = sym->outer;
	ctx->scopes[depth] = NULL;
}

void pl_ptx_scope_leave(struct pl_ptx_ctx *ctx)
{
	scope_clear(ctx, ctx->depth--);
	if (ctx->range_depth > ctx->depth)
		ctx->range_depth = ctx->depth;
}

void pl_ptx_unit_symbols_clear(struct pl_ptx_ctx *ctx)
{
	while (ctx->depth)
		pl_ptx_scope_leave(ctx);
	scope_clear(ctx, 0);
}
