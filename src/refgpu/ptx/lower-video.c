/* Video instructions: packed ones are one operation; scalar ones are computed in 64 bits. */
#include "lower.h"

static uint64_t op_of(uint32_t word)
{
	switch (word) {
	case W_vadd2:
	case W_vadd4:
		return 0;
	case W_vsub2:
	case W_vsub4:
		return 1;
	case W_vavrg2:
	case W_vavrg4:
		return 2;
	case W_vabsdiff2:
	case W_vabsdiff4:
		return 3;
	case W_vmin2:
	case W_vmin4:
		return 4;
	case W_vmax2:
	case W_vmax4:
		return 5;
	default:
		return 6;
	}
}

static const uint16_t compares[] = { W_eq, W_ne, W_lt, W_le, W_gt, W_ge };
static const uint8_t codes[] = { PL_ISA_EQ, PL_ISA_NE, PL_ISA_LT, PL_ISA_LE, PL_ISA_GT, PL_ISA_GE };

static unsigned take_compare(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	uint32_t word = pl_ptx_take_of(st, compares, 6);

	for (uint32_t i = 0; i < 6; i++)
		if (compares[i] == word)
			return codes[i];
	pl_ptx_bad(b, st, "a comparison is missing: write one, as .eq");
}

/* ---- lanes one by one, where they are of two kinds or chosen ---- */

struct packed {
	unsigned lanes, op, cmp;
	bool sat, add;
	struct pl_ptx_type d, a, b;
};

static bool is_selecting(const struct pl_ptx_operand *operand)
{
	return operand->kind == O_REG && operand->select != W_NONE;
}

/* Which of the lanes of {b, a} is lane `i`; digits stand from the highest lane down. */
static unsigned lane_of(struct pl_ptx_build *b, struct pl_ptx_statement *st, const struct pl_ptx_operand *operand,
			unsigned i, unsigned lanes, unsigned first)
{
	const char *text = operand->select == W_NONE ? NULL : pl_ptx_text(b->ctx, operand->select);
	unsigned digit;

	if (!text)
		return first + i;
	if (strlen(text) != lanes + 1 || text[0] != (lanes == 4 ? 'b' : 'h'))
		pl_ptx_bad(b, st, "'.%s' does not choose %u parts: write as many digits", text, lanes);
	digit = (unsigned)(text[lanes - i] - '0');
	if (digit >= 2 * lanes)
		pl_ptx_bad(b, st, "'.%s' chooses a part that does not exist", text);
	return digit;
}

static bool in_mask(struct pl_ptx_build *b, const struct pl_ptx_operand *operand, unsigned i)
{
	const char *text = operand->select == W_NONE ? NULL : pl_ptx_text(b->ctx, operand->select);

	return !text || strchr(text + 1, (int)('0' + i));
}

static uint32_t lane_value(struct pl_ptx_build *b, const uint32_t sources[2], unsigned which, unsigned lanes,
			   bool is_signed)
{
	uint32_t d = pl_ptx_temp(b, 1), bits = 32 / lanes;
	struct pl_ptx_ins *ins =
		pl_ptx_op(b, PL_ISA_BFEI, is_signed ? PL_ISA_S32 : PL_ISA_U32, d, sources[which / lanes], 0, 0);

	ins->f.imm = which % lanes * bits | bits << 8;
	return d;
}

static uint32_t binary32(struct pl_ptx_build *b, unsigned op, uint32_t x, uint32_t y)
{
	return pl_ptx_bi(b, op, PL_ISA_S32, 1, x, y);
}

static uint32_t lane_result(struct pl_ptx_build *b, const struct packed *p, uint32_t x, uint32_t y)
{
	unsigned bits = 32 / p->lanes;
	bool is_signed = p->d.class == K_S;
	uint32_t value;
	struct pl_ptx_ins *ins;

	switch (p->op) {
	case 0:
		value = binary32(b, PL_ISA_ADD, x, y);
		break;
	case 1:
		value = binary32(b, PL_ISA_SUB, x, y);
		break;
	case 2: /* rounded away from zero */
		value = binary32(b, PL_ISA_ADD, x, y);
		x = pl_ptx_bi(b, PL_ISA_SHR, PL_ISA_U32, 1, value, pl_ptx_const(b, 31, 1));
		value = binary32(b, PL_ISA_SUB, binary32(b, PL_ISA_ADD, value, pl_ptx_const(b, 1, 1)), x);
		value = binary32(b, PL_ISA_SHR, value, pl_ptx_const(b, 1, 1));
		break;
	case 3:
		value = pl_ptx_un(b, PL_ISA_ABS, PL_ISA_S32, 1, binary32(b, PL_ISA_SUB, x, y));
		break;
	case 4:
		value = binary32(b, PL_ISA_MIN, x, y);
		break;
	case 5:
		value = binary32(b, PL_ISA_MAX, x, y);
		break;
	default: {
		uint32_t holds = pl_ptx_pred_temp(b);

		ins = pl_ptx_op(b, PL_ISA_SETP, PL_ISA_S32, holds, x, y, 0);
		ins->f.cmp = (uint8_t)p->cmp;
		value = pl_ptx_temp(b, 1);
		(void)pl_ptx_op(b, PL_ISA_SEL, PL_ISA_U32, value, pl_ptx_const(b, 1, 1), pl_ptx_const(b, 0, 1), holds);
		break;
	}
	}
	if (p->sat) {
		int64_t low = is_signed ? -(1ll << (bits - 1)) : 0;
		int64_t high = is_signed ? (1ll << (bits - 1)) - 1 : (1ll << bits) - 1;

		value = binary32(b, PL_ISA_MAX, value, pl_ptx_const(b, (uint64_t)low, 1));
		value = binary32(b, PL_ISA_MIN, value, pl_ptx_const(b, (uint64_t)high, 1));
	}
	return value;
}

static void lanes_apart(struct pl_ptx_build *b, struct pl_ptx_statement *st, const struct packed *p)
{
	struct pl_ptx_operand a = st->operands[1], y = st->operands[2], mask = st->operands[0];
	struct pl_ptx_type b32 = pl_ptx_type_of(W_b32);
	uint32_t sources[2], result, bits = 32 / p->lanes;

	st->operands[0].select = st->operands[1].select = st->operands[2].select = W_NONE;
	sources[0] = pl_ptx_src(b, st, 1, b32);
	sources[1] = pl_ptx_src(b, st, 2, b32);
	result = pl_ptx_src(b, st, 3, b32);
	for (unsigned i = 0; i < p->lanes; i++) {
		unsigned from_a = lane_of(b, st, &a, i, p->lanes, 0),
			 from_b = lane_of(b, st, &y, i, p->lanes, p->lanes);
		uint32_t value, merged;

		if (!in_mask(b, &mask, i))
			continue;
		value = lane_result(b, p, lane_value(b, sources, from_a, p->lanes, p->a.class == K_S),
				    lane_value(b, sources, from_b, p->lanes, p->b.class == K_S));
		if (p->add) {
			result = binary32(b, PL_ISA_ADD, result, value);
			continue;
		}
		merged = pl_ptx_temp(b, 1);
		pl_ptx_op(b, PL_ISA_BFII, PL_ISA_U32, merged, value, result, 0)->f.imm = i * bits | bits << 8;
		result = merged;
	}
	pl_ptx_copy(b, pl_ptx_dst(b, st, 0, b32), result);
}

static void lower_packed(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	const char *name = pl_ptx_text(b->ctx, st->op);
	bool four = name[strlen(name) - 1] == '4', sat, add, set = st->op == W_vset2 || st->op == W_vset4;
	struct pl_ptx_type d = { 0 }, ta, tb, b32 = pl_ptx_type_of(W_b32);
	struct pl_ptx_ins *ins;
	unsigned cmp = 0, sub = (unsigned)op_of(st->op);
	uint32_t a, bb, c;

	if (!set)
		d = pl_ptx_take_type(b, st);
	ta = pl_ptx_take_type(b, st);
	tb = pl_ptx_take_type(b, st);
	if (set) {
		cmp = take_compare(b, st);
		d = pl_ptx_type_of(W_u32);
	}
	sat = pl_ptx_take(st, W_sat);
	add = pl_ptx_take(st, W_add);
	pl_ptx_want(b, st, 4, 4);
	if (ta.bits != 32 || tb.bits != 32 || d.bits != 32 || ta.class == K_F || tb.class == K_F || d.class == K_F)
		pl_ptx_bad(b, st, "it takes .u32 and .s32: use these");
	if (ta.word != tb.word || is_selecting(&st->operands[0]) || is_selecting(&st->operands[1]) ||
	    is_selecting(&st->operands[2])) {
		lanes_apart(b, st, &(struct packed){ four ? 4 : 2, sub, cmp, sat, add, d, ta, tb });
		return;
	}
	a = pl_ptx_src(b, st, 1, b32);
	bb = pl_ptx_src(b, st, 2, b32);
	c = pl_ptx_src(b, st, 3, b32);
	ins = pl_ptx_op(b, PL_ISA_VSIMD,
			four              ? (d.word == W_s32 ? PL_ISA_S8 : PL_ISA_U8)
			: d.word == W_s32 ? PL_ISA_S16
					  : PL_ISA_U16,
			pl_ptx_dst(b, st, 0, b32), a, bb, c);
	ins->f.type2 = four ? (ta.word == W_s32 ? PL_ISA_S8 : PL_ISA_U8) : ta.word == W_s32 ? PL_ISA_S16 : PL_ISA_U16;
	ins->f.sat = sat;
	ins->f.cmp = (uint8_t)cmp;
	ins->f.sub = (uint8_t)(sub | (add ? 16 : 0));
}

/* Where .b0 .. .h1 lie.  Return: bits, 0 = all of the register. */
static uint32_t selected(uint32_t select, uint32_t *position)
{
	*position = select == W_b1 ? 8 : select == W_b2 || select == W_h1 ? 16 : select == W_b3 ? 24 : 0;
	switch (select) {
	case W_b0:
	case W_b1:
	case W_b2:
	case W_b3:
		return 8;
	case W_h0:
	case W_h1:
		return 16;
	default:
		return 0;
	}
}

/* a.b0 .. a.h1, or all of it, as a signed 64-bit number. */
static uint32_t part(struct pl_ptx_build *b, struct pl_ptx_statement *st, uint32_t i, struct pl_ptx_type type)
{
	struct pl_ptx_operand operand = st->operands[i];
	bool is_signed = type.class == K_S;
	uint32_t value, d, position, length;
	struct pl_ptx_ins *ins;

	length = selected(operand.select, &position);
	operand.select = W_NONE;
	value = pl_ptx_source(b, st, &operand, type, FIT_EXACT);
	if (length) {
		d = pl_ptx_temp(b, 1);
		ins = pl_ptx_op(b, PL_ISA_BFEI, is_signed ? PL_ISA_S32 : PL_ISA_U32, d, value, 0, 0);
		ins->f.imm = position | length << 8;
		value = d;
	}
	return pl_ptx_convert(b, PL_ISA_S64, is_signed ? PL_ISA_S32 : PL_ISA_U32, value);
}

static uint32_t binary64(struct pl_ptx_build *b, unsigned op, uint32_t x, uint32_t y)
{
	return pl_ptx_bi(b, op, PL_ISA_S64, 2, x, y);
}

/* To the range of the result's type, or of the part that it goes into. */
static uint32_t clamp(struct pl_ptx_build *b, struct pl_ptx_statement *st, uint32_t value, struct pl_ptx_type type)
{
	uint32_t position, bits = selected(st->operands[0].select, &position);
	bool is_signed = type.class == K_S;
	int64_t low, high;

	bits = bits ? bits : 32;
	low = is_signed ? -(1ll << (bits - 1)) : 0;
	high = is_signed ? (1ll << (bits - 1)) - 1 : (1ll << bits) - 1;
	value = binary64(b, PL_ISA_MAX, value, pl_ptx_const(b, (uint64_t)low, 2));
	return binary64(b, PL_ISA_MIN, value, pl_ptx_const(b, (uint64_t)high, 2));
}

static uint32_t compute(struct pl_ptx_build *b, struct pl_ptx_statement *st, uint32_t x, uint32_t y, bool wrap)
{
	uint32_t amount;

	switch (st->op) {
	case W_vadd:
		return binary64(b, PL_ISA_ADD, x, y);
	case W_vsub:
		return binary64(b, PL_ISA_SUB, x, y);
	case W_vabsdiff:
		return pl_ptx_un(b, PL_ISA_ABS, PL_ISA_S64, 2, binary64(b, PL_ISA_SUB, x, y));
	case W_vmin:
		return binary64(b, PL_ISA_MIN, x, y);
	case W_vmax:
		return binary64(b, PL_ISA_MAX, x, y);
	default:
		amount = pl_ptx_fit(b, y, 1);
		if (wrap)
			amount = pl_ptx_bi(b, PL_ISA_AND, PL_ISA_U32, 1, amount, pl_ptx_const(b, 31, 1));
		else
			amount = pl_ptx_bi(b, PL_ISA_MIN, PL_ISA_U32, 1, amount, pl_ptx_const(b, 32, 1));
		return pl_ptx_bi(b, st->op == W_vshl ? PL_ISA_SHL : PL_ISA_SHR, PL_ISA_S64, 2, x, amount);
	}
}

/* The second operation, or the part of c that the result replaces. */
static void finish(struct pl_ptx_build *b, struct pl_ptx_statement *st, uint32_t value, struct pl_ptx_type type,
		   uint32_t second, uint32_t c)
{
	uint32_t position, bits = selected(st->operands[0].select, &position);
	uint32_t narrow = pl_ptx_convert(b, PL_ISA_U32, PL_ISA_U64, value), d;
	unsigned isa = pl_ptx_int_type(type);

	st->operands[0].select = W_NONE;
	d = pl_ptx_dst(b, st, 0, type);
	if (bits)
		pl_ptx_op(b, PL_ISA_BFII, PL_ISA_U32, d, narrow, c, 0)->f.imm = position | bits << 8;
	else if (second == W_NONE)
		pl_ptx_copy(b, d, narrow);
	else
		(void)pl_ptx_op(b,
				second == W_add   ? PL_ISA_ADD
				: second == W_min ? PL_ISA_MIN
						  : PL_ISA_MAX,
				isa, d, narrow, c, 0);
}

static void lower_scalar(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	struct pl_ptx_type td, ta, tb;
	bool set = st->op == W_vset, sat, wrap, third;
	uint32_t x, y, value, second, c = 0, p;
	unsigned cmp = 0;
	struct pl_ptx_ins *ins;

	td = set ? pl_ptx_type_of(W_u32) : pl_ptx_take_type(b, st);
	ta = pl_ptx_take_type(b, st);
	tb = pl_ptx_take_type(b, st);
	if (set)
		cmp = take_compare(b, st);
	sat = pl_ptx_take(st, W_sat);
	wrap = pl_ptx_take(st, W_wrap);
	(void)pl_ptx_take(st, W_clamp);
	second = TAKE_OF(st, W_add, W_min, W_max);
	third = second != W_NONE || st->operands[0].select != W_NONE;
	pl_ptx_want(b, st, third ? 4 : 3, third ? 4 : 3);
	if ((second != W_NONE && st->operands[0].select != W_NONE) || td.bits != 32 || ta.bits != 32 || tb.bits != 32)
		pl_ptx_unsupported(b, st, "a second operation on a result that is put into a part");
	x = part(b, st, 1, ta);
	y = part(b, st, 2, tb);
	if (third)
		c = pl_ptx_src(b, st, 3, td);
	if (set) {
		p = pl_ptx_pred_temp(b);
		ins = pl_ptx_op(b, PL_ISA_SETP, PL_ISA_S64, p, x, y, 0);
		ins->f.cmp = (uint8_t)cmp;
		value = pl_ptx_temp(b, 2);
		(void)pl_ptx_op(b, PL_ISA_SEL, PL_ISA_U64, value, pl_ptx_const(b, 1, 2), pl_ptx_const(b, 0, 2), p);
	} else {
		value = compute(b, st, x, y, wrap);
		if (sat && st->op == W_vshl) { /* intermediate results have 34 bits */
			value = pl_ptx_bi(b, PL_ISA_SHL, PL_ISA_S64, 2, value, pl_ptx_const(b, 30, 1));
			value = pl_ptx_bi(b, PL_ISA_SHR, PL_ISA_S64, 2, value, pl_ptx_const(b, 30, 1));
		}
	}
	if (sat)
		value = clamp(b, st, value, td);
	finish(b, st, value, td, second, c);
}

static void lower_vmad(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	struct pl_ptx_type td = pl_ptx_take_type(b, st), ta = pl_ptx_take_type(b, st), tb = pl_ptx_take_type(b, st);
	bool sat = pl_ptx_take(st, W_sat), po = pl_ptx_take(st, W_po), negative, minus_c;
	uint32_t scale = TAKE_OF(st, W_shr7, W_shr15), value, c;

	pl_ptx_want(b, st, 4, 4);
	negative = st->operands[1].negated ^ st->operands[2].negated;
	minus_c = st->operands[3].negated;
	st->operands[1].negated = st->operands[2].negated = st->operands[3].negated = false;
	value = binary64(b, PL_ISA_MUL, part(b, st, 1, ta), part(b, st, 2, tb));
	c = pl_ptx_convert(b, PL_ISA_S64, pl_ptx_int_type(td), pl_ptx_src(b, st, 3, td));
	if (minus_c)
		c = pl_ptx_un(b, PL_ISA_NEG, PL_ISA_S64, 2, c);
	value = negative ? binary64(b, PL_ISA_SUB, c, value) : binary64(b, PL_ISA_ADD, value, c);
	if (po)
		value = binary64(b, PL_ISA_ADD, value, pl_ptx_const(b, 1, 2));
	if (scale != W_NONE)
		value = pl_ptx_bi(b, PL_ISA_SHR, td.class == K_S ? PL_ISA_S64 : PL_ISA_U64, 2, value,
				  pl_ptx_const(b, scale == W_shr7 ? 7 : 15, 1));
	if (sat)
		value = clamp(b, st, value, td);
	finish(b, st, value, td, W_NONE, 0);
}

pl_ptx_lower_fn pl_ptx_lower_video(uint32_t op)
{
	switch (op) {
	case W_vadd2:
	case W_vadd4:
	case W_vsub2:
	case W_vsub4:
	case W_vavrg2:
	case W_vavrg4:
	case W_vabsdiff2:
	case W_vabsdiff4:
	case W_vmin2:
	case W_vmin4:
	case W_vmax2:
	case W_vmax4:
	case W_vset2:
	case W_vset4:
		return lower_packed;
	case W_vadd:
	case W_vsub:
	case W_vabsdiff:
	case W_vmin:
	case W_vmax:
	case W_vshl:
	case W_vshr:
	case W_vset:
		return lower_scalar;
	case W_vmad:
		return lower_vmad;
	default:
		return NULL;
	}
}
