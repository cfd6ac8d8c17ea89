/* Bits, shifts, bytes, compares and selections. */
#include "lower.h"

static unsigned int_checked(struct pl_ptx_build *b, const struct pl_ptx_statement *st, struct pl_ptx_type type,
			    unsigned least)
{
	if (type.class == K_PRED || type.class == K_F || type.class == K_BF || type.class == K_ODD || type.lanes > 1 ||
	    type.bits < least || type.bits > 64)
		pl_ptx_bad(b, st, "type .%s does not go with it: use an integer", pl_ptx_text(b->ctx, type.word));
	return pl_ptx_int_type(type);
}

/* and, or, xor of 16 bits are done in 32: nobody reads what is above. */
static unsigned at_least_32(unsigned isa)
{
	return isa == PL_ISA_U16 || isa == PL_ISA_S16 || isa == PL_ISA_U8 || isa == PL_ISA_S8 ? PL_ISA_U32 : isa;
}

static void pred_logic(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	bool na = false, nb = false;
	uint32_t a, bb, d;
	struct pl_ptx_ins *ins;

	pl_ptx_want(b, st, 3, 3);
	a = pl_ptx_pred(b, st, &st->operands[1], &na);
	bb = pl_ptx_pred(b, st, &st->operands[2], &nb);
	d = pl_ptx_pred_dest(b, st, &st->operands[0]);
	if (!d)
		pl_ptx_bad(b, st, "the result goes to a predicate: name one");
	ins = pl_ptx_op(b, PL_ISA_PLOP, 0, d, a, bb, 0);
	ins->f.boolop = st->op == W_and ? PL_ISA_BAND : st->op == W_or ? PL_ISA_BOR : PL_ISA_BXOR;
	ins->f.na = na;
	ins->f.nb = nb;
}

static void lower_logic(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	struct pl_ptx_type type = pl_ptx_take_type(b, st);
	unsigned op = st->op == W_and ? PL_ISA_AND : st->op == W_or ? PL_ISA_OR : PL_ISA_XOR, isa;
	uint32_t a, bb;

	if (type.class == K_PRED) {
		pred_logic(b, st);
		return;
	}
	isa = at_least_32(int_checked(b, st, type, 16));
	pl_ptx_want(b, st, 3, 3);
	a = pl_ptx_src(b, st, 1, type);
	bb = pl_ptx_src(b, st, 2, type);
	(void)pl_ptx_op(b, op, isa, pl_ptx_dst(b, st, 0, type), a, bb, 0);
}

static void lower_not(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	struct pl_ptx_type type = pl_ptx_take_type(b, st);
	struct pl_ptx_ins *ins;
	uint32_t a, d;
	bool na;

	pl_ptx_want(b, st, 2, 2);
	if (type.class == K_PRED) {
		a = pl_ptx_pred(b, st, &st->operands[1], &na);
		d = pl_ptx_pred_dest(b, st, &st->operands[0]);
		if (!d)
			pl_ptx_bad(b, st, "the result goes to a predicate: name one");
		ins = pl_ptx_op(b, PL_ISA_PLOP, 0, d, a, 0, 0);
		ins->f.na = !na;
		return;
	}
	(void)int_checked(b, st, type, 16);
	a = pl_ptx_src(b, st, 1, type);
	(void)pl_ptx_op(b, PL_ISA_NOT, pl_ptx_int_type(type), pl_ptx_dst(b, st, 0, type), a, 0, 0);
}

static void lower_cnot(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	struct pl_ptx_type type = pl_ptx_take_type(b, st);
	unsigned isa = int_checked(b, st, type, 16);
	uint32_t a;

	pl_ptx_want(b, st, 2, 2);
	a = pl_ptx_src(b, st, 1, type);
	(void)pl_ptx_op(b, PL_ISA_CNOT, isa, pl_ptx_dst(b, st, 0, type), a, 0, 0);
}

static void lower_lop3(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	uint32_t logic = TAKE_OF(st, W_or, W_and), a, bb, c, d, p = 0, q = 0;
	struct pl_ptx_type type = pl_ptx_take_type(b, st);
	const struct pl_ptx_operand *result = &st->operands[0];
	struct pl_ptx_operand plain;
	struct pl_ptx_ins *ins;
	uint64_t table;
	bool nq = false;

	if (type.word != W_b32)
		pl_ptx_bad(b, st, "it takes .b32: use that");
	pl_ptx_want(b, st, logic != W_NONE ? 6 : 5, logic != W_NONE ? 6 : 5);
	if (!pl_ptx_is_const(&st->operands[4], &table) || table > 255)
		pl_ptx_bad(b, st, "its table is a constant of 0 to 255: give one");
	a = pl_ptx_src(b, st, 1, type);
	bb = pl_ptx_src(b, st, 2, type);
	c = pl_ptx_src(b, st, 3, type);
	plain = *result;
	plain.second = NULL;
	d = pl_ptx_dest(b, st, &plain, type, FIT_EXACT);
	if (!d || logic != W_NONE)
		d = pl_ptx_temp(b, 1);
	ins = pl_ptx_op(b, PL_ISA_LOP3, 0, d, a, bb, c);
	ins->f.imm = (uint32_t)table;
	if (logic == W_NONE)
		return;
	if (!result->second)
		pl_ptx_bad(b, st, "a predicate is missing behind '|': name one");
	q = pl_ptx_pred(b, st, &st->operands[5], &nq);
	p = pl_ptx_pred_dest(b, st, result->second);
	ins = pl_ptx_op(b, PL_ISA_SETP, PL_ISA_U32, p, d, pl_ptx_const(b, 0, 1), q);
	ins->f.cmp = PL_ISA_NE;
	ins->f.boolop = logic == W_or ? PL_ISA_BOR : PL_ISA_BAND;
	ins->f.nc = nq;
	if (plain.kind != O_SINK)
		pl_ptx_copy(b, pl_ptx_dest(b, st, &plain, type, FIT_EXACT), d);
}

static void lower_shift(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	struct pl_ptx_type type = pl_ptx_take_type(b, st);
	unsigned isa = int_checked(b, st, type, 16);
	uint32_t a, bb;

	if (st->op == W_shl && type.class != K_B)
		isa = pl_ptx_int_type((struct pl_ptx_type){ K_U, type.bits, 1, 0 });
	pl_ptx_want(b, st, 3, 3);
	a = pl_ptx_src(b, st, 1, type);
	bb = pl_ptx_source(b, st, &st->operands[2], pl_ptx_type_of(W_u32), FIT_EXACT);
	(void)pl_ptx_op(b, st->op == W_shl ? PL_ISA_SHL : PL_ISA_SHR, isa, pl_ptx_dst(b, st, 0, type), a, bb, 0);
}

static void lower_shf(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	uint32_t way = TAKE_OF(st, W_l, W_r), mode = TAKE_OF(st, W_clamp, W_wrap), a, c, s;
	struct pl_ptx_type type = pl_ptx_take_type(b, st);

	if (way == W_NONE || mode == W_NONE || type.bits != 32)
		pl_ptx_bad(b, st, "it takes .l or .r, .clamp or .wrap, and .b32: write all");
	pl_ptx_want(b, st, 4, 4);
	a = pl_ptx_src(b, st, 1, type);
	c = pl_ptx_src(b, st, 2, type);
	s = pl_ptx_src(b, st, 3, pl_ptx_type_of(W_u32));
	pl_ptx_op(b, PL_ISA_SHF, 0, pl_ptx_dst(b, st, 0, type), a, s, c)->f.sub =
		(uint8_t)((way == W_r) | (mode == W_wrap ? 2 : 0));
}

static void lower_bfe(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	struct pl_ptx_type type = pl_ptx_take_type(b, st), u32 = pl_ptx_type_of(W_u32);
	unsigned isa = int_checked(b, st, type, 32);
	uint64_t pos, len;
	uint32_t a;

	pl_ptx_want(b, st, 4, 4);
	a = pl_ptx_src(b, st, 1, type);
	if (pl_ptx_is_const(&st->operands[2], &pos) && pl_ptx_is_const(&st->operands[3], &len)) {
		pl_ptx_op(b, PL_ISA_BFEI, isa, pl_ptx_dst(b, st, 0, type), a, 0, 0)->f.imm =
			(uint32_t)((pos & 255) | (len & 255) << 8);
		return;
	}
	pos = pl_ptx_src(b, st, 2, u32);
	len = pl_ptx_src(b, st, 3, u32);
	(void)pl_ptx_op(b, PL_ISA_BFE, isa, pl_ptx_dst(b, st, 0, type), a, (uint32_t)pos, (uint32_t)len);
}

static void lower_bfi(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	struct pl_ptx_type type = pl_ptx_take_type(b, st), u32 = pl_ptx_type_of(W_u32);
	unsigned isa = int_checked(b, st, type, 32);
	struct pl_ptx_ins *ins;
	uint64_t pos, len;
	uint32_t a, bb;

	pl_ptx_want(b, st, 5, 5);
	a = pl_ptx_src(b, st, 1, type);
	bb = pl_ptx_src(b, st, 2, type);
	if (pl_ptx_is_const(&st->operands[3], &pos) && pl_ptx_is_const(&st->operands[4], &len)) {
		pl_ptx_op(b, PL_ISA_BFII, isa, pl_ptx_dst(b, st, 0, type), a, bb, 0)->f.imm =
			(uint32_t)((pos & 255) | (len & 255) << 8);
		return;
	}
	pos = pl_ptx_src(b, st, 3, u32);
	len = pl_ptx_src(b, st, 4, u32);
	ins = pl_ptx_op(b, PL_ISA_BFI, isa, pl_ptx_dst(b, st, 0, type), a, bb, (uint32_t)pos);
	ins->v[A_E] = (uint32_t)len;
}

/* clz, popc, bfind: the result has 32 bits */
static void lower_count(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	unsigned op = st->op == W_clz ? PL_ISA_CLZ : st->op == W_popc ? PL_ISA_POPC : PL_ISA_BFIND;
	bool amount = op == PL_ISA_BFIND && pl_ptx_take(st, W_shiftamt);
	struct pl_ptx_type type = pl_ptx_take_type(b, st);
	unsigned isa = int_checked(b, st, type, 32);
	uint32_t a;

	pl_ptx_want(b, st, 2, 2);
	a = pl_ptx_src(b, st, 1, type);
	pl_ptx_op(b, op, isa, pl_ptx_dst(b, st, 0, pl_ptx_type_of(W_u32)), a, 0, 0)->f.sub = amount;
}

static void lower_brev(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	struct pl_ptx_type type = pl_ptx_take_type(b, st);
	unsigned isa = int_checked(b, st, type, 32);
	uint32_t a;

	pl_ptx_want(b, st, 2, 2);
	a = pl_ptx_src(b, st, 1, type);
	(void)pl_ptx_op(b, PL_ISA_BREV, isa, pl_ptx_dst(b, st, 0, type), a, 0, 0);
}

static void lower_fns(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	struct pl_ptx_type type = pl_ptx_take_type(b, st);
	uint32_t a, bb, c;

	pl_ptx_want(b, st, 4, 4);
	if (type.word != W_b32)
		pl_ptx_bad(b, st, "it takes .b32: use that");
	a = pl_ptx_src(b, st, 1, type);
	bb = pl_ptx_src(b, st, 2, type);
	c = pl_ptx_src(b, st, 3, pl_ptx_type_of(W_s32));
	(void)pl_ptx_op(b, PL_ISA_FNS, 0, pl_ptx_dst(b, st, 0, type), a, bb, c);
}

/* bmsk, szext */
static void lower_clamped(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	uint32_t mode = TAKE_OF(st, W_clamp, W_wrap), a, bb;
	struct pl_ptx_type type = pl_ptx_take_type(b, st);
	bool mask = st->op == W_bmsk;

	if (mode == W_NONE || type.bits != 32 || type.lanes > 1)
		pl_ptx_bad(b, st, "it takes .clamp or .wrap and a type of 32 bits: write both");
	pl_ptx_want(b, st, 3, 3);
	a = pl_ptx_src(b, st, 1, type);
	bb = pl_ptx_src(b, st, 2, pl_ptx_type_of(W_u32));
	pl_ptx_op(b, mask ? PL_ISA_BMSK : PL_ISA_SZEXT, mask ? 0 : pl_ptx_int_type(type), pl_ptx_dst(b, st, 0, type), a,
		  bb, 0)
		->f.sub = mode == W_wrap;
}

static void lower_dp(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	bool four = st->op == W_dp4a;
	uint32_t half = four ? W_lo : TAKE_OF(st, W_lo, W_hi), a, bb, c;
	struct pl_ptx_type ta = pl_ptx_take_type(b, st), tb = pl_ptx_take_type(b, st), result;

	if (half == W_NONE || ta.bits != 32 || tb.bits != 32)
		pl_ptx_bad(b, st, "it takes two types of 32 bits, and dp2a .lo or .hi: write all");
	result = pl_ptx_type_of(ta.class == K_S || tb.class == K_S ? W_s32 : W_u32);
	pl_ptx_want(b, st, 4, 4);
	a = pl_ptx_src(b, st, 1, pl_ptx_type_of(W_b32));
	bb = pl_ptx_src(b, st, 2, pl_ptx_type_of(W_b32));
	c = pl_ptx_src(b, st, 3, result);
	pl_ptx_op(b, four ? PL_ISA_DP4A : PL_ISA_DP2A, 0, pl_ptx_dst(b, st, 0, result), a, bb, c)->f.sub =
		(uint8_t)((ta.class == K_S) | (tb.class == K_S ? 2 : 0) | (half == W_hi ? 4 : 0));
}

static void lower_prmt(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	static const uint16_t modes[] = { W_f4e, W_b4e, W_rc8, W_ecl, W_ecr, W_rc16 };
	uint32_t word, mode = 0, a, bb, c;

	if (!pl_ptx_take(st, W_b32))
		pl_ptx_bad(b, st, "it takes .b32: use that");
	word = pl_ptx_take_of(st, modes, 6);
	for (uint32_t i = 0; i < 6; i++)
		if (modes[i] == word)
			mode = i + 1;
	pl_ptx_want(b, st, 4, 4);
	a = pl_ptx_src(b, st, 1, pl_ptx_type_of(W_b32));
	bb = pl_ptx_src(b, st, 2, pl_ptx_type_of(W_b32));
	c = pl_ptx_src(b, st, 3, pl_ptx_type_of(W_b32));
	pl_ptx_op(b, PL_ISA_PRMT, 0, pl_ptx_dst(b, st, 0, pl_ptx_type_of(W_b32)), a, bb, c)->f.sub = (uint8_t)mode;
}

/* ---- compares ---- */

struct compare {
	unsigned cmp;
	bool ftz;
	unsigned boolop;
	struct pl_ptx_type type;
};

static const uint16_t compare_words[] = { W_eq, W_ne,  W_lt,  W_le,  W_gt,  W_ge,  W_lo,  W_ls,  W_hi,
					  W_hs, W_equ, W_neu, W_ltu, W_leu, W_gtu, W_geu, W_num, W_nan };
static const uint8_t compare_codes[] = { PL_ISA_EQ,  PL_ISA_NE,  PL_ISA_LT,  PL_ISA_LE,  PL_ISA_GT,  PL_ISA_GE,
					 PL_ISA_LT,  PL_ISA_LE,  PL_ISA_GT,  PL_ISA_GE,  PL_ISA_EQU, PL_ISA_NEU,
					 PL_ISA_LTU, PL_ISA_LEU, PL_ISA_GTU, PL_ISA_GEU, PL_ISA_NUM, PL_ISA_NAN };

static struct compare take_compare(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	uint32_t word = pl_ptx_take_of(st, compare_words, 18), i = 0, op;
	struct compare compare = { 0 };

	if (word == W_NONE)
		pl_ptx_bad(b, st, "a comparison is missing: write one, as .eq");
	while (compare_words[i] != word)
		i++;
	compare.cmp = compare_codes[i];
	op = TAKE_OF(st, W_and, W_or, W_xor);
	compare.boolop = op == W_and ? PL_ISA_BAND : op == W_or ? PL_ISA_BOR : op == W_xor ? PL_ISA_BXOR : PL_ISA_PASS;
	compare.ftz = pl_ptx_take(st, W_ftz);
	return compare;
}

static void check_compare(struct pl_ptx_build *b, const struct pl_ptx_statement *st, struct compare *compare)
{
	bool is_float = compare->type.class == K_F || compare->type.class == K_BF;

	if (!is_float && compare->cmp > PL_ISA_GE)
		pl_ptx_bad(b, st, "an unordered comparison goes with floats: use another");
	if (compare->type.class == K_B && compare->cmp > PL_ISA_NE)
		pl_ptx_bad(b, st, ".b types are compared with .eq and .ne: use a .u or .s type");
	if (pl_ptx_isa_type(compare->type) == NO_TYPE || compare->type.bits < 16 || compare->type.bits > 64 ||
	    (!is_float && compare->type.lanes > 1))
		pl_ptx_bad(b, st, "type .%s does not go with it: use another", pl_ptx_text(b->ctx, compare->type.word));
}

static void setp_pair(struct pl_ptx_build *b, struct pl_ptx_statement *st, const struct compare *compare, uint32_t p,
		      uint32_t q, uint32_t c, bool nc)
{
	struct pl_ptx_ins *ins;
	uint32_t a = pl_ptx_src(b, st, 1, compare->type), bb = pl_ptx_src(b, st, 2, compare->type);

	ins = pl_ptx_op(b, PL_ISA_SETP2, pl_ptx_isa_type(compare->type), p ? p : pl_ptx_pred_temp(b), a, bb, c);
	if (b->guard) { /* two results: guard the copies */
		ins->v[A_GUARD] = 0;
		ins->f.guard_not = false;
		pl_ptx_def(b, ins, A_D, pl_ptx_pred_temp(b));
	}
	pl_ptx_def(b, ins, A_E, b->guard || !q ? pl_ptx_pred_temp(b) : q);
	ins->f.cmp = (uint8_t)compare->cmp;
	ins->f.boolop = (uint8_t)compare->boolop;
	ins->f.ftz = compare->ftz;
	ins->f.nc = nc;
	if (b->guard) {
		pl_ptx_copy(b, p, ins->v[A_D]);
		pl_ptx_copy(b, q, ins->v[A_E]);
	}
}

static void lower_setp(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	struct compare compare = take_compare(b, st);
	const struct pl_ptx_operand *second;
	struct pl_ptx_operand first;
	uint32_t a, bb, c = 0, p, q = 0;
	struct pl_ptx_ins *ins;
	bool nc = false, combine = compare.boolop != PL_ISA_PASS;

	compare.type = pl_ptx_take_type(b, st);
	check_compare(b, st, &compare);
	pl_ptx_want(b, st, combine ? 4 : 3, combine ? 4 : 3);
	if (combine)
		c = pl_ptx_pred(b, st, &st->operands[3], &nc);
	first = st->operands[0];
	second = first.second;
	first.second = NULL;
	p = pl_ptx_pred_dest(b, st, &first);
	if (second)
		q = pl_ptx_pred_dest(b, st, second);
	if (compare.type.lanes > 1) {
		setp_pair(b, st, &compare, p, q, c, nc);
		return;
	}
	a = pl_ptx_src(b, st, 1, compare.type);
	bb = pl_ptx_src(b, st, 2, compare.type);
	for (int k = 0; k < 2; k++) {
		uint32_t d = k ? q : p;

		if (!d || (k && !second))
			continue;
		if (k == 0 && q && (p == c)) { /* q needs the old value of c */
			uint32_t kept = pl_ptx_pred_temp(b);

			pl_ptx_copy(b, kept, c);
			c = kept;
			ins = pl_ptx_op(b, PL_ISA_SETP, pl_ptx_isa_type(compare.type), d, a, bb, c);
		} else {
			ins = pl_ptx_op(b, PL_ISA_SETP, pl_ptx_isa_type(compare.type), d, a, bb, c);
		}
		ins->f.cmp = (uint8_t)compare.cmp;
		ins->f.boolop = (uint8_t)compare.boolop;
		ins->f.ftz = compare.ftz;
		ins->f.nc = nc;
		ins->f.nd = k == 1;
	}
}

static void lower_set(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	struct compare compare = take_compare(b, st);
	struct pl_ptx_type to = pl_ptx_take_type(b, st), shape;
	uint32_t a, bb, c = 0;
	struct pl_ptx_ins *ins;
	bool nc = false, combine = compare.boolop != PL_ISA_PASS;

	compare.type = pl_ptx_take_type(b, st);
	check_compare(b, st, &compare);
	shape = to;
	if (pl_ptx_isa_type(to) == NO_TYPE || to.bits < 16 || to.bits > 32)
		pl_ptx_bad(b, st, "type .%s does not go with it: use .u32, .s32 or .f32", pl_ptx_text(b->ctx, to.word));
	pl_ptx_want(b, st, combine ? 4 : 3, combine ? 4 : 3);
	a = pl_ptx_src(b, st, 1, compare.type);
	bb = pl_ptx_src(b, st, 2, compare.type);
	if (combine)
		c = pl_ptx_pred(b, st, &st->operands[3], &nc);
	ins = pl_ptx_op(b, PL_ISA_SET, pl_ptx_isa_type(compare.type), pl_ptx_dst(b, st, 0, shape), a, bb, c);
	ins->f.type2 = (uint8_t)pl_ptx_isa_type(to);
	if (compare.type.lanes > 1 && to.lanes == 1 && to.class != K_F)
		ins->f.type2 = PL_ISA_U32;
	ins->f.cmp = (uint8_t)compare.cmp;
	ins->f.boolop = (uint8_t)compare.boolop;
	ins->f.ftz = compare.ftz;
	ins->f.nc = nc;
}

static void lower_selp(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	struct pl_ptx_type type = pl_ptx_take_type(b, st);
	uint32_t a, bb, c;
	struct pl_ptx_ins *ins;
	bool nc;

	if (type.class == K_PRED || type.bits < 16 || type.bits > 64 || type.class == K_ODD)
		pl_ptx_bad(b, st, "type .%s does not go with it: use another", pl_ptx_text(b->ctx, type.word));
	pl_ptx_want(b, st, 4, 4);
	a = pl_ptx_src(b, st, 1, type);
	bb = pl_ptx_src(b, st, 2, type);
	c = pl_ptx_pred(b, st, &st->operands[3], &nc);
	ins = pl_ptx_op(b, PL_ISA_SEL, at_least_32(pl_ptx_int_type((struct pl_ptx_type){ K_B, type.bits, 1, 0 })),
			pl_ptx_dst(b, st, 0, type), a, bb, c);
	ins->f.nc = nc;
}

static void lower_slct(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	bool ftz = pl_ptx_take(st, W_ftz);
	struct pl_ptx_type type = pl_ptx_take_type(b, st), by = pl_ptx_take_type(b, st);
	uint32_t a, bb, c;
	struct pl_ptx_ins *ins;

	if ((by.word != W_s32 && by.word != W_f32) || (ftz && by.word != W_f32) || type.bits < 16 || type.bits > 64 ||
	    type.lanes > 1 || type.class == K_PRED || type.class == K_ODD || type.class == K_BF)
		pl_ptx_bad(b, st, "it takes a type and then .s32 or .f32: write both");
	pl_ptx_want(b, st, 4, 4);
	a = pl_ptx_src(b, st, 1, type);
	bb = pl_ptx_src(b, st, 2, type);
	c = pl_ptx_src(b, st, 3, by);
	ins = pl_ptx_op(b, PL_ISA_SLCT, pl_ptx_int_type((struct pl_ptx_type){ K_B, type.bits, 1, 0 }),
			pl_ptx_dst(b, st, 0, type), a, bb, c);
	ins->f.type2 = by.word == W_s32 ? PL_ISA_S32 : PL_ISA_F32;
	ins->f.ftz = ftz;
}

pl_ptx_lower_fn pl_ptx_lower_bits(uint32_t op)
{
	static const pl_ptx_lower_fn table[W_COUNT] = {
		[W_and] = lower_logic,    [W_or] = lower_logic,      [W_xor] = lower_logic, [W_not] = lower_not,
		[W_cnot] = lower_cnot,    [W_lop3] = lower_lop3,     [W_shl] = lower_shift, [W_shr] = lower_shift,
		[W_shf] = lower_shf,      [W_bfe] = lower_bfe,       [W_bfi] = lower_bfi,   [W_clz] = lower_count,
		[W_popc] = lower_count,   [W_bfind] = lower_count,   [W_brev] = lower_brev, [W_fns] = lower_fns,
		[W_bmsk] = lower_clamped, [W_szext] = lower_clamped, [W_dp4a] = lower_dp,   [W_dp2a] = lower_dp,
		[W_prmt] = lower_prmt,    [W_setp] = lower_setp,     [W_set] = lower_set,   [W_selp] = lower_selp,
		[W_slct] = lower_slct,
	};
	return table[op];
}
