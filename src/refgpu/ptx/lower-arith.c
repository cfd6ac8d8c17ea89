/* Arithmetic: integer, float, half; carries; min and max; the approximations. */
#include "lower.h"

static bool is_float(struct pl_ptx_type type)
{
	return type.class == K_F || type.class == K_BF;
}

static unsigned type_checked(struct pl_ptx_build *b, const struct pl_ptx_statement *st, struct pl_ptx_type type)
{
	unsigned isa = pl_ptx_isa_type(type);

	if (isa == NO_TYPE || type.bits < 16 || isa == PL_ISA_B128)
		pl_ptx_bad(b, st, "type .%s does not go with it: use another", pl_ptx_text(b->ctx, type.word));
	return isa;
}

/* A table of types says what ops.def allows, so nothing else gets by. */
static void check_op(struct pl_ptx_build *b, const struct pl_ptx_statement *st, unsigned op, unsigned type,
		     struct pl_ptx_type ptx)
{
	if (!(pl_isa_ops[op].types >> type & 1))
		pl_ptx_bad(b, st, "type .%s does not go with it: use another", pl_ptx_text(b->ctx, ptx.word));
}

struct float_mods {
	unsigned round;
	bool given, ftz, sat;
};

static struct float_mods take_float_mods(struct pl_ptx_statement *st)
{
	struct float_mods mods;

	mods.round = pl_ptx_take_round(st, &mods.given);
	mods.ftz = pl_ptx_take(st, W_ftz);
	mods.sat = pl_ptx_take(st, W_sat);
	return mods;
}

static bool is_half(struct pl_ptx_type type)
{
	return type.class == K_BF || (type.class == K_F && type.bits * 1u / type.lanes == 16);
}

static void check_float_mods(struct pl_ptx_build *b, const struct pl_ptx_statement *st, const struct float_mods *mods,
			     struct pl_ptx_type type)
{
	if (!is_float(type) && (mods->given || mods->ftz))
		pl_ptx_bad(b, st, "rounding and .ftz do not go with integers: remove them");
	if (type.bits == 64 && type.lanes == 1 && (mods->ftz || (is_float(type) && mods->sat)))
		pl_ptx_bad(b, st, ".ftz and .sat do not go with .f64: remove them");
	if (!is_float(type) && mods->sat && type.word != W_s32)
		pl_ptx_bad(b, st, ".sat goes with .s32 and floats only: remove it");
	if (is_half(type) && mods->round != PL_ISA_RN)
		pl_ptx_bad(b, st, "arithmetic of 16 bits rounds to nearest even: use .rn");
	if ((type.class == K_BF && mods->ftz) || (type.word == W_f32x2 && mods->sat))
		pl_ptx_bad(b, st, ".%s does not go with .%s: remove it", mods->ftz ? "ftz" : "sat",
			   pl_ptx_text(b->ctx, type.word));
	if (mods->round == PL_ISA_RNA)
		pl_ptx_bad(b, st, ".rna does not go with arithmetic: use .rn");
}

static void set_mods(struct pl_ptx_ins *ins, const struct float_mods *mods)
{
	ins->f.round = (uint8_t)mods->round;
	ins->f.ftz = mods->ftz;
	ins->f.sat = mods->sat;
}

/* add.f32.f16: a (and b of fma) are narrower than the rest. */
static uint32_t mixed_source(struct pl_ptx_build *b, const struct pl_ptx_statement *st, uint32_t i,
			     struct pl_ptx_type type, struct pl_ptx_type narrow)
{
	if (!narrow.bits)
		return pl_ptx_src(b, st, i, type);
	return pl_ptx_convert(b, pl_ptx_isa_type(type), pl_ptx_isa_type(narrow), pl_ptx_src(b, st, i, narrow));
}

static struct pl_ptx_type take_narrow(struct pl_ptx_build *b, struct pl_ptx_statement *st, struct pl_ptx_type type)
{
	struct pl_ptx_type narrow = { 0 };

	if (type.word != W_f32 || !pl_ptx_has_type(st))
		return narrow;
	narrow = pl_ptx_take_type(b, st);
	if (narrow.word != W_f16 && narrow.word != W_bf16)
		pl_ptx_bad(b, st, "the second type is .f16 or .bf16: use one of them");
	return narrow;
}

static void carry_arith(struct pl_ptx_build *b, struct pl_ptx_statement *st, unsigned op, bool in)
{
	bool out = pl_ptx_take(st, W_cc);
	struct pl_ptx_type type = pl_ptx_take_type(b, st);
	unsigned isa = type_checked(b, st, type);
	struct pl_ptx_ins *ins;
	uint32_t d, a, bb;

	check_op(b, st, op, isa, type);
	pl_ptx_want(b, st, 3, 3);
	a = pl_ptx_src(b, st, 1, type);
	bb = pl_ptx_src(b, st, 2, type);
	d = pl_ptx_dst(b, st, 0, type);
	ins = pl_ptx_op(b, op, isa, d, a, bb, 0);
	if (!b->carry) {
		b->carry = pl_ptx_value_new(b, V_P, 1);
		b->values[b->carry].fixed = true;
	}
	ins->v[A_C] = b->carry;
	ins->f.sub = (uint8_t)((in ? 1 : 0) | (out ? 2 : 0));
	ins->effect = true;
}

static void binary(struct pl_ptx_build *b, struct pl_ptx_statement *st, unsigned op)
{
	struct float_mods mods = take_float_mods(st);
	struct pl_ptx_type type = pl_ptx_take_type(b, st), narrow = take_narrow(b, st, type);
	unsigned isa = type_checked(b, st, type);
	struct pl_ptx_ins *ins;
	uint32_t a, bb;

	check_float_mods(b, st, &mods, type);
	check_op(b, st, op, isa, type);
	if (mods.sat && type.class == K_S && op == PL_ISA_MUL)
		pl_ptx_bad(b, st, ".sat does not go with an integer product: remove it");
	pl_ptx_want(b, st, 3, 3);
	a = mixed_source(b, st, 1, type, narrow);
	bb = pl_ptx_src(b, st, 2, type);
	ins = pl_ptx_op(b, op, isa, pl_ptx_dst(b, st, 0, type), a, bb, 0);
	set_mods(ins, &mods);
	ins->contract = is_float(type) && !mods.given;
}

static void lower_add(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	for (uint32_t i = 0; i < st->mods_n; i++) {
		if (st->mods[i] == W_cc) {
			carry_arith(b, st, PL_ISA_ADDX, false);
			return;
		}
	}
	binary(b, st, PL_ISA_ADD);
}

static void lower_sub(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	for (uint32_t i = 0; i < st->mods_n; i++) {
		if (st->mods[i] == W_cc) {
			carry_arith(b, st, PL_ISA_SUBX, false);
			return;
		}
	}
	binary(b, st, PL_ISA_SUB);
}

static void lower_addc(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	carry_arith(b, st, PL_ISA_ADDX, true);
}

static void lower_subc(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	carry_arith(b, st, PL_ISA_SUBX, true);
}

static struct pl_ptx_type wider(struct pl_ptx_build *b, const struct pl_ptx_statement *st, struct pl_ptx_type type)
{
	static const uint16_t unsigneds[] = { W_u32, W_u64 }, signeds[] = { W_s32, W_s64 };

	if ((type.bits != 16 && type.bits != 32) || is_float(type) || type.lanes > 1)
		pl_ptx_bad(b, st, ".wide goes with integers of 16 and 32 bits: use .lo or .hi");
	return pl_ptx_type_of((type.class == K_S ? signeds : unsigneds)[type.bits / 32]);
}

static void lower_mul(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	uint32_t part = TAKE_OF(st, W_lo, W_hi, W_wide), a, bb;
	struct pl_ptx_type type;

	if (part == W_NONE) {
		binary(b, st, PL_ISA_MUL);
		return;
	}
	type = pl_ptx_take_type(b, st);
	if (is_float(type) || type_checked(b, st, type) == NO_TYPE || type.lanes > 1)
		pl_ptx_bad(b, st, ".%s goes with integers: remove it", pl_ptx_text(b->ctx, part));
	pl_ptx_want(b, st, 3, 3);
	a = pl_ptx_src(b, st, 1, type);
	bb = pl_ptx_src(b, st, 2, type);
	(void)pl_ptx_op(b,
			part == W_lo   ? PL_ISA_MUL
			: part == W_hi ? PL_ISA_MULHI
				       : PL_ISA_MULW,
			pl_ptx_isa_type(type), pl_ptx_dst(b, st, 0, part == W_wide ? wider(b, st, type) : type), a, bb,
			0);
}

static void fused(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	struct float_mods mods = take_float_mods(st);
	bool relu = pl_ptx_take(st, W_relu);
	struct pl_ptx_type type = pl_ptx_take_type(b, st), narrow = take_narrow(b, st, type);
	unsigned isa = type_checked(b, st, type);
	struct pl_ptx_ins *ins;
	uint32_t a, bb, c;

	if (!is_float(type))
		pl_ptx_bad(b, st, "integers take mad with .lo, .hi or .wide: add one");
	if (relu && !is_half(type))
		pl_ptx_bad(b, st, ".relu goes with halves only: remove it");
	check_float_mods(b, st, &mods, type);
	pl_ptx_want(b, st, 4, 4);
	a = mixed_source(b, st, 1, type, narrow);
	bb = mixed_source(b, st, 2, type, narrow);
	c = pl_ptx_src(b, st, 3, type);
	ins = pl_ptx_op(b, PL_ISA_FMA, isa, pl_ptx_dst(b, st, 0, type), a, bb, c);
	set_mods(ins, &mods);
	ins->f.sub = relu ? 4 : 0;
}

static void lower_mad(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	uint32_t part = TAKE_OF(st, W_lo, W_hi, W_wide), a, bb, c;
	struct pl_ptx_type type, wide;
	struct pl_ptx_ins *ins;
	bool sat, cc = false;

	if (part == W_NONE) {
		fused(b, st);
		return;
	}
	sat = pl_ptx_take(st, W_sat);
	cc = pl_ptx_take(st, W_cc);
	type = pl_ptx_take_type(b, st);
	if (is_float(type) || type_checked(b, st, type) == NO_TYPE || type.lanes > 1)
		pl_ptx_bad(b, st, ".%s goes with integers: remove it", pl_ptx_text(b->ctx, part));
	if (sat && (type.word != W_s32 || part != W_hi))
		pl_ptx_bad(b, st, ".sat goes with mad.hi.s32 only: remove it");
	wide = part == W_wide ? wider(b, st, type) : type;
	pl_ptx_want(b, st, 4, 4);
	a = pl_ptx_src(b, st, 1, type);
	bb = pl_ptx_src(b, st, 2, type);
	c = pl_ptx_src(b, st, 3, wide);
	if (cc || st->op == W_madc) {
		if (part == W_wide || type.bits < 32)
			pl_ptx_bad(b, st, "carries go with .lo and .hi of 32 and 64 bits: use one of them");
		ins = pl_ptx_op(b, PL_ISA_MADX, pl_ptx_isa_type(type), pl_ptx_dst(b, st, 0, type), a, bb, c);
		if (!b->carry) {
			b->carry = pl_ptx_value_new(b, V_P, 1);
			b->values[b->carry].fixed = true;
		}
		ins->v[A_E] = b->carry;
		ins->f.sub = (uint8_t)((st->op == W_madc) | (cc ? 2 : 0) | (part == W_hi ? 4 : 0));
		ins->effect = true;
		return;
	}
	ins = pl_ptx_op(b,
			part == W_lo   ? PL_ISA_MAD
			: part == W_hi ? PL_ISA_MADHI
				       : PL_ISA_MADW,
			pl_ptx_isa_type(type), pl_ptx_dst(b, st, 0, wide), a, bb, c);
	ins->f.sat = sat;
}

static void lower_fma(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	if (pl_ptx_take(st, W_oob))
		pl_ptx_unsupported(b, st, ".oob (what copies with tensor maps mark as out of bounds)");
	fused(b, st);
}

static void lower_24(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	uint32_t part = TAKE_OF(st, W_lo, W_hi), a, bb, c = 0;
	bool sat = pl_ptx_take(st, W_sat), mad = st->op == W_mad24;
	struct pl_ptx_type type = pl_ptx_take_type(b, st);
	struct pl_ptx_ins *ins;

	if (part == W_NONE || (type.word != W_s32 && type.word != W_u32) || (sat && (part != W_hi || !mad)))
		pl_ptx_bad(b, st, "it takes .lo or .hi and .s32 or .u32: write both");
	pl_ptx_want(b, st, mad ? 4 : 3, mad ? 4 : 3);
	a = pl_ptx_src(b, st, 1, type);
	bb = pl_ptx_src(b, st, 2, type);
	if (mad)
		c = pl_ptx_src(b, st, 3, type);
	ins = pl_ptx_op(b, mad ? PL_ISA_MAD24 : PL_ISA_MUL24, pl_ptx_isa_type(type), pl_ptx_dst(b, st, 0, type), a, bb,
			c);
	ins->f.sub = part == W_hi;
	ins->f.sat = sat;
}

static void lower_div(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	uint32_t way = TAKE_OF(st, W_approx, W_full), a, bb;
	struct float_mods mods = take_float_mods(st);
	struct pl_ptx_type type = pl_ptx_take_type(b, st);
	unsigned isa = type_checked(b, st, type);
	struct pl_ptx_ins *ins;

	check_float_mods(b, st, &mods, type);
	check_op(b, st, PL_ISA_DIV, isa, type);
	if (mods.sat || (way != W_NONE && (type.word != W_f32 || mods.given)))
		pl_ptx_bad(b, st, ".approx and .full go with .f32 without rounding; .sat does not go: remove them");
	pl_ptx_want(b, st, 3, 3);
	a = pl_ptx_src(b, st, 1, type);
	bb = pl_ptx_src(b, st, 2, type);
	ins = pl_ptx_op(b, PL_ISA_DIV, isa, pl_ptx_dst(b, st, 0, type), a, bb, 0);
	set_mods(ins, &mods);
	ins->f.sub = way == W_approx ? 1 : way == W_full ? 2 : 0;
}

static void lower_rem(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	binary(b, st, PL_ISA_REM);
}

static void unary(struct pl_ptx_build *b, struct pl_ptx_statement *st, unsigned op)
{
	bool ftz = pl_ptx_take(st, W_ftz), bf_ex2;
	struct pl_ptx_type type = pl_ptx_take_type(b, st);
	unsigned isa = type_checked(b, st, type);
	struct pl_ptx_ins *ins;
	uint32_t a;

	check_op(b, st, op, isa, type);
	bf_ex2 = op == PL_ISA_EX2 && type.class == K_BF; /* it has .ftz, and none of its results is that small */
	if (ftz && (!is_float(type) || type.bits == 64 || op == PL_ISA_TANH || (type.class == K_BF && !bf_ex2)))
		pl_ptx_bad(b, st, ".ftz does not go with .%s: remove it", pl_ptx_text(b->ctx, type.word));
	pl_ptx_want(b, st, 2, 2);
	a = pl_ptx_src(b, st, 1, type);
	ins = pl_ptx_op(b, op, isa, pl_ptx_dst(b, st, 0, type), a, 0, 0);
	ins->f.ftz = ftz;
}

static void lower_abs(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	unary(b, st, PL_ISA_ABS);
}

static void lower_neg(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	unary(b, st, PL_ISA_NEG);
}

static uint32_t magnitude(struct pl_ptx_build *b, uint32_t value, unsigned isa, bool wanted)
{
	return wanted ? pl_ptx_un(b, PL_ISA_ABS, isa, 1, value) : value;
}

/* Of two; or of three, which have .abs of each where two have .xorsign.abs. */
static void lower_minmax(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	unsigned op = st->op == W_min ? PL_ISA_MIN : PL_ISA_MAX;
	bool ftz = pl_ptx_take(st, W_ftz), nan = pl_ptx_take(st, W_NaN), xorsign = pl_ptx_take(st, W_xorsign);
	bool has_abs = pl_ptx_take(st, W_abs), relu = pl_ptx_take(st, W_relu), three;
	struct pl_ptx_type type = pl_ptx_take_type(b, st);
	unsigned isa = type_checked(b, st, type);
	struct pl_ptx_ins *ins;
	uint32_t a, bb, d;

	check_op(b, st, op, isa, type);
	pl_ptx_want(b, st, 3, 4);
	three = st->operands_n == 4;
	if ((three ? xorsign || (has_abs && type.word != W_f32) : xorsign != has_abs) ||
	    ((ftz || nan || has_abs) && !is_float(type)) || (ftz && type.class == K_BF))
		pl_ptx_bad(b, st, ".ftz, .NaN and .xorsign.abs go with floats: remove them");
	if (relu && !is_half(type) && type.word != W_s32 && type.word != W_s16x2)
		pl_ptx_bad(b, st, ".relu does not go with .%s: remove it", pl_ptx_text(b->ctx, type.word));
	a = magnitude(b, pl_ptx_src(b, st, 1, type), isa, three && has_abs);
	bb = magnitude(b, pl_ptx_src(b, st, 2, type), isa, three && has_abs);
	d = pl_ptx_dst(b, st, 0, type);
	if (three) {
		uint32_t first = pl_ptx_temp(b, pl_ptx_slots_of(type));

		ins = pl_ptx_op(b, op, isa, first, a, bb, 0);
		ins->f.ftz = ftz;
		ins->f.sub = (uint8_t)((nan ? 1 : 0) | (xorsign ? 2 : 0));
		a = first;
		bb = magnitude(b, pl_ptx_src(b, st, 3, type), isa, has_abs);
	}
	ins = pl_ptx_op(b, op, isa, d, a, bb, 0);
	ins->f.ftz = ftz;
	ins->f.sub = (uint8_t)((nan ? 1 : 0) | (xorsign ? 2 : 0) | (relu ? 4 : 0));
}

static void lower_sad(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	struct pl_ptx_type type = pl_ptx_take_type(b, st);
	unsigned isa = type_checked(b, st, type);
	uint32_t a, bb, c;

	check_op(b, st, PL_ISA_SAD, isa, type);
	pl_ptx_want(b, st, 4, 4);
	a = pl_ptx_src(b, st, 1, type);
	bb = pl_ptx_src(b, st, 2, type);
	c = pl_ptx_src(b, st, 3, type);
	(void)pl_ptx_op(b, PL_ISA_SAD, isa, pl_ptx_dst(b, st, 0, type), a, bb, c);
}

/* rcp, sqrt, rsqrt: rounded or .approx */
static void lower_root(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	unsigned op = st->op == W_rcp ? PL_ISA_RCP : st->op == W_sqrt ? PL_ISA_SQRT : PL_ISA_RSQRT;
	bool approx = pl_ptx_take(st, W_approx);
	struct float_mods mods = take_float_mods(st);
	struct pl_ptx_type type = pl_ptx_take_type(b, st);
	unsigned isa = type_checked(b, st, type);
	struct pl_ptx_ins *ins;
	uint32_t a;

	check_op(b, st, op, isa, type);
	if (mods.sat || (approx && mods.given) || (op == PL_ISA_RSQRT && mods.given) ||
	    (op != PL_ISA_RSQRT && !approx && !mods.given))
		pl_ptx_bad(b, st, "it takes either .approx or a rounding: write one of them");
	pl_ptx_want(b, st, 2, 2);
	a = pl_ptx_src(b, st, 1, type);
	ins = pl_ptx_op(b, op, isa, pl_ptx_dst(b, st, 0, type), a, 0, 0);
	set_mods(ins, &mods);
	ins->f.sub = approx;
}

/* sin, cos, lg2, ex2, tanh */
static void lower_approx(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	unsigned op = st->op == W_sin   ? PL_ISA_SIN
		      : st->op == W_cos ? PL_ISA_COS
		      : st->op == W_lg2 ? PL_ISA_LG2
		      : st->op == W_ex2 ? PL_ISA_EX2
					: PL_ISA_TANH;

	if (!pl_ptx_take(st, W_approx))
		pl_ptx_bad(b, st, ".approx is missing: write it");
	unary(b, st, op);
}

static void lower_copysign(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	struct pl_ptx_type type = pl_ptx_take_type(b, st);
	unsigned isa = type_checked(b, st, type);
	uint32_t a, bb;

	check_op(b, st, PL_ISA_COPYSIGN, isa, type);
	pl_ptx_want(b, st, 3, 3);
	a = pl_ptx_src(b, st, 1, type);
	bb = pl_ptx_src(b, st, 2, type);
	(void)pl_ptx_op(b, PL_ISA_COPYSIGN, isa, pl_ptx_dst(b, st, 0, type), a, bb, 0);
}

static void lower_testp(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	static const uint16_t tests[] = { W_finite, W_infinite, W_number, W_notanumber, W_normal, W_subnormal };
	uint32_t word = pl_ptx_take_of(st, tests, 6), sub = 0, d;
	struct pl_ptx_type type = pl_ptx_take_type(b, st);
	unsigned isa = type_checked(b, st, type);

	check_op(b, st, PL_ISA_TESTP, isa, type);
	while (sub < 6 && tests[sub] != word)
		sub++;
	pl_ptx_want(b, st, 2, 2);
	d = pl_ptx_pred_dest(b, st, &st->operands[0]);
	if (sub == 6 || !d)
		pl_ptx_bad(b, st, "it takes a test, as .finite, and a predicate: write both");
	pl_ptx_op(b, PL_ISA_TESTP, isa, d, pl_ptx_src(b, st, 1, type), 0, 0)->f.sub = (uint8_t)sub;
}

pl_ptx_lower_fn pl_ptx_lower_arith(uint32_t op)
{
	static const pl_ptx_lower_fn table[W_COUNT] = {
		[W_add] = lower_add,     [W_sub] = lower_sub,           [W_addc] = lower_addc,   [W_subc] = lower_subc,
		[W_mul] = lower_mul,     [W_mad] = lower_mad,           [W_madc] = lower_mad,    [W_fma] = lower_fma,
		[W_mul24] = lower_24,    [W_mad24] = lower_24,          [W_div] = lower_div,     [W_rem] = lower_rem,
		[W_abs] = lower_abs,     [W_neg] = lower_neg,           [W_min] = lower_minmax,  [W_max] = lower_minmax,
		[W_sad] = lower_sad,     [W_rcp] = lower_root,          [W_sqrt] = lower_root,   [W_rsqrt] = lower_root,
		[W_sin] = lower_approx,  [W_cos] = lower_approx,        [W_lg2] = lower_approx,  [W_ex2] = lower_approx,
		[W_tanh] = lower_approx, [W_copysign] = lower_copysign, [W_testp] = lower_testp,
	};
	return table[op];
}
