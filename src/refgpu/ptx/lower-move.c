/* mov, cvt, cvta, pack and unpack, isspacep, and addresses of symbols. */
#include "lower.h"
#include "sreg.h"

/* ---- addresses ---- */

uint64_t pl_ptx_local_place(struct pl_ptx_build *b, struct pl_ptx_sym *sym)
{
	if (!sym->placed) {
		uint64_t at = (b->local_bytes + sym->align - 1) & ~(uint64_t)(sym->align - 1);

		if (at + sym->bytes > PL_ISA_WINDOW_BYTES / 2 || at + sym->bytes > UINT32_MAX / 2)
			pl_ptx_fail(b->ctx, PL_PTX_E_LIMIT, b->line, 1,
				    "local memory of more than 2 GiB: make it smaller");
		sym->placed = true;
		sym->offset = (uint32_t)at;
		b->local_bytes = (uint32_t)(at + sym->bytes);
	}
	return sym->offset;
}

uint32_t pl_ptx_local_address(struct pl_ptx_build *b, uint64_t offset)
{
	if (!b->stack)
		return pl_ptx_const(b, offset, 1);
	return offset ? pl_ptx_bi(b, PL_ISA_ADD, PL_ISA_U32, 1, b->stack, pl_ptx_const(b, offset, 1)) : b->stack;
}

uint32_t pl_ptx_generic(struct pl_ptx_build *b, uint32_t address, unsigned space)
{
	uint32_t wide = pl_ptx_fit(b, address, 2);

	if (space == SP_SHARED)
		return pl_ptx_bi(b, PL_ISA_ADD, PL_ISA_U64, 2, wide, pl_ptx_const(b, PL_ISA_SHARED_BASE, 2));
	if (space == SP_LOCAL)
		return pl_ptx_bi(b, PL_ISA_ADD, PL_ISA_U64, 2, wide, pl_ptx_const(b, PL_ISA_LOCAL_BASE, 2));
	if (space == SP_PARAM) {
		if (!b->func->entry)
			return pl_ptx_generic(b, address, SP_LOCAL);
		return pl_ptx_bi(b, PL_ISA_ADD, PL_ISA_U64, 2, wide, pl_ptx_sr(b, PL_ISA_SR_PARAM_VA, 2));
	}
	return wide;
}

static uint32_t symbol_ref(struct pl_ptx_build *b, struct pl_ptx_sym *sym, uint64_t offset, unsigned slots)
{
	struct pl_ptx_ins *ins = pl_ptx_emit(b, I_ADDR);
	uint32_t d = pl_ptx_temp(b, slots);

	ins->v[A_GUARD] = 0;
	ins->sym = sym;
	ins->imm = offset;
	pl_ptx_def(b, ins, A_D, d);
	return d;
}

/* The system's piece of shared memory: a variable of kernels that ask for it. */
uint32_t pl_ptx_reserved_shared(struct pl_ptx_build *b, uint64_t offset)
{
	struct pl_ptx_ctx *ctx = b->ctx;

	if (!ctx->reserved) {
		ctx->reserved = pl_ptx_alloc(&ctx->pool, sizeof(*ctx->reserved));
		ctx->reserved->name = pl_ptx_name(&ctx->names, "reserved shared memory", 22);
		ctx->reserved->kind = S_VAR;
		ctx->reserved->space = SP_SHARED;
		ctx->reserved->align = 16;
		ctx->reserved->bytes = PL_PTX_RESERVED_SHARED;
		ctx->reserved->var = pl_ptx_alloc(&ctx->pool, sizeof(*ctx->reserved->var));
	}
	return symbol_ref(b, ctx->reserved, offset, 1);
}

/* The address of a symbol in its own state space. */
uint32_t pl_ptx_symbol_value(struct pl_ptx_build *b, const struct pl_ptx_statement *st,
			     const struct pl_ptx_operand *operand)
{
	struct pl_ptx_sym *sym = operand->sym;

	if (sym->kind == S_FUNC) {
		sym->func->address_taken = true;
		return symbol_ref(b, sym, operand->value, 2);
	}
	if (sym->kind == S_VAR) {
		sym->var->used = true;
		if (sym->space == SP_LOCAL)
			return pl_ptx_local_address(b, pl_ptx_local_place(b, sym) + operand->value);
		if (sym->space == SP_SHARED && sym->var->unsized) {
			b->uses_dynamic = true;
			if (!b->func->entry) /* where it begins depends on the kernel */
				return pl_ptx_bi(b, PL_ISA_ADD, PL_ISA_U32, 1,
						 pl_ptx_bi(b, PL_ISA_SUB, PL_ISA_U32, 1,
							   pl_ptx_sr(b, PL_ISA_SR_TOTAL_SMEM, 1),
							   pl_ptx_sr(b, PL_ISA_SR_DYNAMIC_SMEM, 1)),
						 pl_ptx_const(b, operand->value, 1));
		}
		return symbol_ref(b, sym, operand->value, sym->space == SP_SHARED ? 1 : 2);
	}
	if (sym->kind == S_PARAM && sym->space == SP_PARAM) {
		if (sym->outgoing)
			return pl_ptx_local_address(b, pl_ptx_local_place(b, sym) + operand->value);
		if (b->func->entry)
			return pl_ptx_const(b, sym->offset + operand->value, 1);
		if (sym->is_array && sym->reg)
			return operand->value ? pl_ptx_bi(b, PL_ISA_ADD, PL_ISA_U32, 1, sym->reg,
							  pl_ptx_const(b, operand->value, 1))
					      : sym->reg;
		pl_ptx_unsupported(b, st, "the address of a function's scalar parameter");
	}
	pl_ptx_fail(b->ctx, PL_PTX_E_INVALID, operand->line, operand->column,
		    "%s: '%s' is not declared as a register or variable: declare it", pl_ptx_text(b->ctx, st->op),
		    pl_ptx_text(b->ctx, sym->name));
}

/* ---- mov ---- */

static unsigned part_bits(struct pl_ptx_build *b, const struct pl_ptx_statement *st,
			  const struct pl_ptx_operand *vector, struct pl_ptx_type type)
{
	uint32_t n = pl_ptx_vector_n(vector);

	if ((n != 2 && n != 4) || type.bits / n < 8 || type.lanes > 1)
		pl_ptx_bad(b, st, "%u parts do not make .%s: use 2 or 4", n, pl_ptx_text(b->ctx, type.word));
	return type.bits / n;
}

static struct pl_ptx_type bits_type(unsigned bits)
{
	return pl_ptx_type_of(bits == 8 ? W_b8 : bits == 16 ? W_b16 : bits == 32 ? W_b32 : bits == 64 ? W_b64 : W_b128);
}

/* Two values of `bits` become one of twice as many. */
static uint32_t pack2(struct pl_ptx_build *b, unsigned bits, uint32_t low, uint32_t high)
{
	struct pl_ptx_ins *ins;
	uint32_t d;

	if (bits == 8) {
		d = pl_ptx_temp(b, 1);
		ins = pl_ptx_op(b, PL_ISA_BFII, PL_ISA_U32, d, high, pl_ptx_convert(b, PL_ISA_U32, PL_ISA_U8, low), 0);
		ins->f.imm = 8 | 8 << 8;
		return d;
	}
	if (bits == 64) {
		d = pl_ptx_temp(b, 4);
		ins = pl_ptx_op(b, I_BUILD, 0, d, 0, 0, 0);
		ins->many = pl_ptx_alloc(b->pool, 8);
		ins->many[0] = low;
		ins->many[1] = high;
		ins->many_n = 2;
		return d;
	}
	return pl_ptx_bi(b, PL_ISA_PACK, bits == 16 ? PL_ISA_U16 : PL_ISA_U32, bits == 32 ? 2 : 1, low, high);
}

static uint32_t half(struct pl_ptx_build *b, unsigned bits, uint32_t whole, unsigned which)
{
	struct pl_ptx_ins *ins;
	uint32_t d = pl_ptx_temp(b, bits == 64 ? 2 : 1);

	if (bits == 8) {
		ins = pl_ptx_op(b, PL_ISA_BFEI, PL_ISA_U32, d, whole, 0, 0);
		ins->f.imm = which * 8 | 8 << 8;
	} else if (bits == 64) {
		ins = pl_ptx_op(b, I_EXTRACT, 0, d, whole, 0, 0);
		ins->imm = which * 2;
	} else {
		ins = pl_ptx_op(b, PL_ISA_HALF, bits == 16 ? PL_ISA_U16 : PL_ISA_U32, d, whole, 0, 0);
		ins->f.sub = (uint8_t)which;
	}
	return d;
}

static void mov_pack(struct pl_ptx_build *b, struct pl_ptx_statement *st, struct pl_ptx_type type)
{
	const struct pl_ptx_operand *vector = &st->operands[1];
	unsigned bits = part_bits(b, st, vector, type);
	uint32_t parts[4], n = pl_ptx_vector_n(vector), d;

	for (uint32_t i = 0; i < n; i++)
		parts[i] = pl_ptx_source(b, st, pl_ptx_vector_at(b, vector, i), bits_type(bits),
					 bits == 8 ? FIT_WIDER : FIT_EXACT);
	d = pl_ptx_dst(b, st, 0, type);
	for (; n > 1; n /= 2, bits *= 2)
		for (uint32_t i = 0; i < n / 2; i++)
			parts[i] = pack2(b, bits, parts[2 * i], parts[2 * i + 1]);
	pl_ptx_copy(b, d, parts[0]);
}

static void mov_unpack(struct pl_ptx_build *b, struct pl_ptx_statement *st, struct pl_ptx_type type)
{
	const struct pl_ptx_operand *vector = &st->operands[0];
	unsigned bits = part_bits(b, st, vector, type);
	uint32_t n = pl_ptx_vector_n(vector), whole = pl_ptx_src(b, st, 1, type), parts[4], dests[4];

	for (uint32_t i = 0; i < n; i++)
		dests[i] = pl_ptx_dest(b, st, pl_ptx_vector_at(b, vector, i), bits_type(bits),
				       bits == 8 ? FIT_WIDER : FIT_EXACT);
	for (uint32_t i = 0; i < n; i++) {
		if (!dests[i])
			continue;
		parts[i] = n == 2 ? half(b, bits, whole, i) : half(b, bits, half(b, bits * 2, whole, i / 2), i % 2);
	}
	for (uint32_t i = 0; i < n; i++)
		if (dests[i])
			pl_ptx_copy(b, dests[i], parts[i]);
}

/* mov.v4.u32 d, %tid, as the first compilers wrote it; all parts are read before one is written. */
static void mov_vector(struct pl_ptx_build *b, struct pl_ptx_statement *st, struct pl_ptx_type type, uint32_t n)
{
	static const uint16_t names[] = { W_x, W_y, W_z, W_w };
	const struct pl_ptx_operand *from = &st->operands[1];
	bool special = from->kind == O_SREG && from->select == W_NONE;
	uint32_t parts[4];

	if (type.bits < 8 || type.bits > 64 || type.class == K_ODD || type.class == K_REF || type.class == K_PRED ||
	    pl_ptx_vector_n(&st->operands[0]) != n || (!special && pl_ptx_vector_n(from) != n))
		pl_ptx_bad(b, st, "it takes two vectors of %u, of .b8 to .b64: write them", n);
	for (uint32_t i = 0; i < n; i++) {
		struct pl_ptx_operand part = *pl_ptx_vector_at(b, from, i);

		if (special)
			part.select = names[i];
		parts[i] = pl_ptx_temp(b, pl_ptx_slots_of(type));
		pl_ptx_copy(b, parts[i], pl_ptx_source(b, st, &part, type, FIT_EXACT));
	}
	for (uint32_t i = 0; i < n; i++)
		pl_ptx_copy(b, pl_ptx_dest(b, st, pl_ptx_vector_at(b, &st->operands[0], i), type, FIT_EXACT), parts[i]);
}

static void lower_mov(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	struct pl_ptx_type type;
	struct pl_ptx_ins *ins;
	uint32_t vec = TAKE_OF(st, W_v2, W_v4), a, d;
	bool na;

	type = pl_ptx_take_type(b, st);
	pl_ptx_want(b, st, 2, 2);
	if (vec != W_NONE) {
		mov_vector(b, st, type, vec == W_v2 ? 2 : 4);
		return;
	}
	if (type.class == K_PRED) {
		d = pl_ptx_pred_dest(b, st, &st->operands[0]);
		if (st->operands[1].kind == O_INT) {
			if (d)
				(void)pl_ptx_op(b, st->operands[1].value ? I_TRUE : I_FALSE, 0, d, 0, 0, 0);
			return;
		}
		a = pl_ptx_pred(b, st, &st->operands[1], &na);
		ins = pl_ptx_op(b, PL_ISA_PLOP, 0, d ? d : pl_ptx_pred_temp(b), a, 0, 0);
		ins->f.na = na;
		return;
	}
	if (type.bits < 8 || type.class == K_ODD)
		pl_ptx_bad(b, st, "type .%s does not go with it: use another", pl_ptx_text(b->ctx, type.word));
	if (pl_ptx_vector_n(&st->operands[1]) > 1) {
		mov_pack(b, st, type);
		return;
	}
	if (pl_ptx_vector_n(&st->operands[0]) > 1) {
		mov_unpack(b, st, type);
		return;
	}
	a = pl_ptx_src(b, st, 1, type);
	pl_ptx_copy(b, pl_ptx_dst(b, st, 0, type), a);
}

/* ---- cvt ---- */

struct conversion {
	unsigned round;
	bool rounded, to_int, ftz, sat, relu, satfinite;
};

static struct conversion take_conversion(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	uint32_t word = TAKE_OF(st, W_rni, W_rzi, W_rmi, W_rpi);
	struct conversion how = { 0 };

	if (word != W_NONE) {
		how.to_int = how.rounded = true;
		how.round = word == W_rni   ? PL_ISA_RN
			    : word == W_rzi ? PL_ISA_RZ
			    : word == W_rmi ? PL_ISA_RM
					    : PL_ISA_RP;
	} else {
		if (pl_ptx_take(st, W_rs))
			pl_ptx_unsupported(b, st, "stochastic rounding (.rs)");
		how.round = pl_ptx_take_round(st, &how.rounded);
	}
	how.relu = pl_ptx_take(st, W_relu);
	how.satfinite = pl_ptx_take(st, W_satfinite);
	how.relu |= pl_ptx_take(st, W_relu);
	how.ftz = pl_ptx_take(st, W_ftz);
	how.sat = pl_ptx_take(st, W_sat);
	return how;
}

static bool floating(struct pl_ptx_type type)
{
	return type.class == K_F || type.class == K_BF;
}

static struct pl_ptx_type pair_shape(struct pl_ptx_type type)
{
	return pl_ptx_type_of(type.bits == 32 ? W_b32 : type.bits == 16 ? W_b16 : W_b8);
}

static bool is_small(struct pl_ptx_type type)
{
	return type.class == K_ODD && type.lanes == 2;
}

/* Of 4, 6 and 8 bits: floats are rounded to nearest and do not overflow, scales have neither sign nor zero. */
static void check_small(struct pl_ptx_build *b, const struct pl_ptx_statement *st, const struct conversion *how,
			struct pl_ptx_type to, struct pl_ptx_type from)
{
	bool scale = to.word == W_ue8m0x2 || from.word == W_ue8m0x2;

	if (is_small(to) && scale &&
	    (from.word == W_f16x2 || how->relu || (how->round != PL_ISA_RZ && how->round != PL_ISA_RP)))
		pl_ptx_bad(b, st, "to .ue8m0x2 it takes .rz or .rp, and .f32 or .bf16x2: use these");
	if (is_small(to) && !scale && (how->round != PL_ISA_RN || !how->rounded || !how->satfinite))
		pl_ptx_bad(b, st, "to .%s it takes .rn and .satfinite: write both", pl_ptx_text(b->ctx, to.word));
	if (is_small(from) &&
	    (how->round != PL_ISA_RN || !how->rounded || (scale && (how->relu || to.word != W_bf16x2))))
		pl_ptx_bad(b, st, "from .%s it takes .rn and .%s: write both", pl_ptx_text(b->ctx, from.word),
			   scale ? "bf16x2" : "f16x2");
	if (how->ftz || how->sat)
		pl_ptx_bad(b, st, ".ftz and .sat do not go with .%s: remove them",
			   pl_ptx_text(b->ctx, (is_small(to) ? to : from).word));
}

/* cvt.rn.f16x2.f32 d, a, b and the pairs of bytes */
static void cvt_pair(struct pl_ptx_build *b, struct pl_ptx_statement *st, struct conversion how, struct pl_ptx_type to,
		     struct pl_ptx_type from)
{
	unsigned isa = pl_ptx_isa_type(to);
	struct pl_ptx_ins *ins;
	uint32_t a, bb;

	if (isa == NO_TYPE || !(pl_isa_ops[PL_ISA_CVT2].types >> isa & 1) || from.word != W_f32)
		pl_ptx_unsupported(b, st, "a conversion between these types");
	if (is_small(to))
		check_small(b, st, &how, to, from);
	pl_ptx_want(b, st, 3, 3);
	a = pl_ptx_src(b, st, 1, from);
	bb = pl_ptx_src(b, st, 2, from);
	ins = pl_ptx_op(b, PL_ISA_CVT2, isa, pl_ptx_dst(b, st, 0, pair_shape(to)), a, bb, 0);
	ins->f.type2 = PL_ISA_F32;
	ins->f.round = (uint8_t)how.round;
	ins->f.sub = (uint8_t)((how.relu ? 1 : 0) | (how.satfinite ? 2 : 0));
}

/* cvt.rn.satfinite.e4m3x2.f16x2: by way of f32, which holds every half. */
static void cvt_halves(struct pl_ptx_build *b, struct pl_ptx_statement *st, struct conversion how,
		       struct pl_ptx_type to, struct pl_ptx_type from)
{
	unsigned half_isa = from.word == W_f16x2 ? PL_ISA_F16 : PL_ISA_BF16;
	uint32_t pair, parts[2];
	struct pl_ptx_ins *ins;

	check_small(b, st, &how, to, from);
	pl_ptx_want(b, st, 2, 2);
	pair = pl_ptx_src(b, st, 1, from);
	for (unsigned i = 0; i < 2; i++)
		parts[i] = pl_ptx_convert(b, PL_ISA_F32, half_isa, half(b, 16, pair, i));
	ins = pl_ptx_op(b, PL_ISA_CVT2, pl_ptx_isa_type(to), pl_ptx_dst(b, st, 0, pair_shape(to)), parts[1], parts[0],
			0);
	ins->f.type2 = PL_ISA_F32;
	ins->f.round = (uint8_t)how.round;
	ins->f.sub = (uint8_t)((how.relu ? 1 : 0) | (how.satfinite ? 2 : 0));
}

/* The same type, or bits to bits: a copy that cuts and extends. */
static void cvt_int(struct pl_ptx_build *b, struct pl_ptx_statement *st, struct conversion how, struct pl_ptx_type to,
		    struct pl_ptx_type from)
{
	uint32_t a = pl_ptx_source(b, st, &st->operands[1], from, FIT_WIDER), d;
	struct pl_ptx_ins *ins;

	if (how.rounded || how.ftz)
		pl_ptx_bad(b, st, "rounding and .ftz do not go with integers: remove them");
	d = pl_ptx_dest(b, st, &st->operands[0], to, FIT_WIDER);
	if (!d)
		return;
	if (b->values[a].slots == 2 && from.bits <= 32)
		a = pl_ptx_convert(b, PL_ISA_U32, PL_ISA_U64, a);
	if (how.sat || b->values[d].slots == pl_ptx_slots_of(to)) {
		uint32_t exact = b->values[d].slots == pl_ptx_slots_of(to) ? d : pl_ptx_temp(b, pl_ptx_slots_of(to));

		ins = pl_ptx_op(b, PL_ISA_CVT, pl_ptx_int_type(to), exact, a, 0, 0);
		ins->f.type2 = (uint8_t)pl_ptx_int_type(from);
		ins->f.sat = how.sat;
		if (exact == d)
			return;
		a = exact;
		from = to;
	} else if (to.bits < from.bits) {
		a = pl_ptx_convert(b, pl_ptx_int_type(to), pl_ptx_int_type(from), a);
		from = to;
	}
	ins = pl_ptx_op(b, PL_ISA_CVT, from.class == K_S ? PL_ISA_S64 : PL_ISA_U64, d, a, 0, 0);
	ins->f.type2 = (uint8_t)pl_ptx_int_type(from);
}

static bool cvt_allowed(struct pl_ptx_type to, struct pl_ptx_type from, const struct conversion *how)
{
	bool int_to_float = floating(to) && !floating(from),
	     narrowing = floating(to) && floating(from) && to.bits < from.bits;

	if (!floating(to) && !how->rounded)
		return false;
	if ((int_to_float || narrowing) && !how->rounded)
		return false;
	return true;
}

/* Parts of 2 and 4 bits: d = c << 2 * bits | sat(a) << bits | sat(b) */
static uint32_t small_part(struct pl_ptx_build *b, uint32_t value, struct pl_ptx_type to)
{
	int32_t high = to.class == K_S ? (1 << (to.bits - 1)) - 1 : (1 << to.bits) - 1,
		low = to.class == K_S ? -high - 1 : 0;

	value = pl_ptx_bi(b, PL_ISA_MAX, PL_ISA_S32, 1, value, pl_ptx_const(b, (uint64_t)(int64_t)low, 1));
	value = pl_ptx_bi(b, PL_ISA_MIN, PL_ISA_S32, 1, value, pl_ptx_const(b, (uint64_t)high, 1));
	return pl_ptx_bi(b, PL_ISA_AND, PL_ISA_U32, 1, value, pl_ptx_const(b, (1u << to.bits) - 1, 1));
}

static void pack_small(struct pl_ptx_build *b, struct pl_ptx_statement *st, struct pl_ptx_type to, uint32_t a,
		       uint32_t bb, uint32_t c)
{
	uint32_t high = pl_ptx_bi(b, PL_ISA_SHL, PL_ISA_U32, 1, c, pl_ptx_const(b, 2u * to.bits, 1));
	uint32_t middle = pl_ptx_bi(b, PL_ISA_SHL, PL_ISA_U32, 1, small_part(b, a, to), pl_ptx_const(b, to.bits, 1));

	high = pl_ptx_bi(b, PL_ISA_OR, PL_ISA_U32, 1, high, middle);
	(void)pl_ptx_op(b, PL_ISA_OR, PL_ISA_U32, pl_ptx_dst(b, st, 0, pl_ptx_type_of(W_b32)), high,
			small_part(b, bb, to), 0);
}

static void lower_cvt_pack(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	bool sat = pl_ptx_take(st, W_sat);
	struct pl_ptx_type to = pl_ptx_take_type(b, st), from = pl_ptx_take_type(b, st), u32 = pl_ptx_type_of(W_b32);
	struct pl_ptx_ins *ins;
	uint32_t a, bb, c = 0;

	if (from.word == W_b32)
		pl_ptx_bad(b, st, "the second type is .s32: use that");
	if (pl_ptx_has_type(st))
		(void)pl_ptx_take_type(b, st);
	if (!sat || from.word != W_s32)
		pl_ptx_bad(b, st, "cvt.pack takes .sat and .s32: write both");
	pl_ptx_want(b, st, 3, 4);
	a = pl_ptx_src(b, st, 1, from);
	bb = pl_ptx_src(b, st, 2, from);
	if (to.bits <= 8)
		c = st->operands_n == 4 ? pl_ptx_src(b, st, 3, u32) : pl_ptx_const(b, 0, 1);
	if ((to.word == W_u2 || to.word == W_s2 || to.word == W_u4 || to.word == W_s4) && st->operands_n == 4) {
		pack_small(b, st, to, a, bb, c);
		return;
	}
	if ((to.bits != 8 && to.bits != 16) || (to.bits == 16 && st->operands_n == 4))
		pl_ptx_unsupported(b, st, "cvt.pack of this type");
	ins = pl_ptx_op(b, PL_ISA_CVTPACK, pl_ptx_int_type(to), pl_ptx_dst(b, st, 0, u32), a, bb, c);
	ins->f.sat = true;
}

static void lower_cvt(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	struct pl_ptx_type to, from, shape;
	struct conversion how;
	struct pl_ptx_ins *ins;
	unsigned to_isa, from_isa;
	uint32_t a, d, exact;

	if (pl_ptx_take(st, W_pack)) {
		lower_cvt_pack(b, st);
		return;
	}
	how = take_conversion(b, st);
	to = pl_ptx_take_type(b, st);
	from = pl_ptx_take_type(b, st);
	to_isa = pl_ptx_isa_type(to);
	from_isa = pl_ptx_isa_type(from);
	if (to.lanes == 2 && from.lanes == 1) {
		cvt_pair(b, st, how, to, from);
		return;
	}
	if (is_small(to) && (from.word == W_f16x2 || from.word == W_bf16x2)) {
		cvt_halves(b, st, how, to, from);
		return;
	}
	pl_ptx_want(b, st, 2, 2);
	if (to.class == K_PRED || from.class == K_PRED || to.class == K_B || from.class == K_B)
		pl_ptx_bad(b, st, "it converts between .u, .s and .f types: use these");
	if (!floating(to) && !floating(from) && to.class != K_ODD && from.class != K_ODD) {
		cvt_int(b, st, how, to, from);
		return;
	}
	if (to_isa == NO_TYPE || from_isa == NO_TYPE || !(pl_isa_ops[PL_ISA_CVT].types >> to_isa & 1) ||
	    (!(pl_isa_ops[PL_ISA_CVT].types >> from_isa & 1) &&
	     !(to.lanes == 2 && from.class == K_ODD && from_isa != PL_ISA_TF32)))
		pl_ptx_unsupported(b, st, "a conversion between these types");
	if (to.class != K_ODD && from.class != K_ODD && !cvt_allowed(to, from, &how))
		pl_ptx_bad(b, st, "this conversion needs a rounding: write one, as .rn or .rzi");
	if (how.to_int && floating(to) && to.word != from.word)
		pl_ptx_bad(b, st, "rounding to an integral value keeps the type: write it twice");
	if (is_small(from))
		check_small(b, st, &how, to, from);
	shape = to.class == K_ODD ? pair_shape(to) : to;
	a = pl_ptx_source(b, st, &st->operands[1], from.class == K_ODD ? pair_shape(from) : from,
			  floating(from) ? FIT_EXACT : FIT_WIDER);
	if (b->values[a].slots == 2 && from.bits <= 32)
		a = pl_ptx_convert(b, PL_ISA_U32, PL_ISA_U64, a);
	d = pl_ptx_dest(b, st, &st->operands[0], shape, floating(to) ? FIT_EXACT : FIT_WIDER);
	if (!d)
		return;
	exact = b->values[d].slots == pl_ptx_slots_of(to) ? d : pl_ptx_temp(b, pl_ptx_slots_of(to));
	ins = pl_ptx_op(b, PL_ISA_CVT, to_isa, exact, a, 0, 0);
	ins->f.type2 = (uint8_t)from_isa;
	ins->f.round = (uint8_t)how.round;
	ins->f.ftz = how.ftz;
	ins->f.sat = how.sat;
	ins->f.sub = (uint8_t)((how.relu ? 1 : 0) | (how.satfinite ? 2 : 0) | (how.to_int && floating(to) ? 4 : 0));
	if (exact != d)
		pl_ptx_op(b, PL_ISA_CVT, to.class == K_S ? PL_ISA_S64 : PL_ISA_U64, d, exact, 0, 0)->f.type2 =
			(uint8_t)to_isa;
}

/* ---- address spaces ---- */

static void lower_cvta(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	bool to = pl_ptx_take(st, W_to);
	uint32_t word = TAKE_OF(st, W_global, W_shared, W_local, W_const, W_param, W_shared__cta, W_shared__cluster,
				W_param__entry),
		 a, d;
	struct pl_ptx_type type = pl_ptx_take_type(b, st);
	unsigned space = word == W_shared || word == W_shared__cta || word == W_shared__cluster ? SP_SHARED
			 : word == W_local                                                      ? SP_LOCAL
			 : word == W_param || word == W_param__entry                            ? SP_PARAM
												: SP_GLOBAL;

	if (word == W_NONE || (type.word != W_u64 && type.word != W_u32))
		pl_ptx_bad(b, st, "it takes a state space and .u64: write both");
	pl_ptx_want(b, st, 2, 2);
	a = pl_ptx_src(b, st, 1, type);
	d = pl_ptx_dst(b, st, 0, type);
	if (type.bits == 32) {
		if (space == SP_GLOBAL || !to)
			pl_ptx_unsupported(b, st, "a generic address of 32 bits");
		pl_ptx_copy(b, d, a);
	} else if (!to) {
		pl_ptx_copy(b, d, pl_ptx_generic(b, a, space));
	} else if (space == SP_GLOBAL) {
		pl_ptx_copy(b, d, a);
	} else if (space == SP_PARAM && b->func->entry) {
		(void)pl_ptx_op(b, PL_ISA_SUB, PL_ISA_U64, d, a, pl_ptx_sr(b, PL_ISA_SR_PARAM_VA, 2), 0);
	} else {
		pl_ptx_copy(b, d,
			    pl_ptx_convert(b, PL_ISA_U64, PL_ISA_U32, pl_ptx_convert(b, PL_ISA_U32, PL_ISA_U64, a)));
	}
}

static void lower_isspacep(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	uint32_t word = TAKE_OF(st, W_global, W_shared, W_local, W_const, W_param, W_shared__cta, W_shared__cluster,
				W_param__entry),
		 a, d;
	struct pl_ptx_ins *ins;
	bool wide;

	pl_ptx_want(b, st, 2, 2);
	d = pl_ptx_pred_dest(b, st, &st->operands[0]);
	wide = st->operands[1].kind != O_REG || st->operands[1].sym->type.bits != 32;
	a = pl_ptx_fit(b, pl_ptx_src(b, st, 1, pl_ptx_type_of(wide ? W_u64 : W_u32)), 2);
	if (word == W_NONE || !d)
		pl_ptx_bad(b, st, "it takes a state space and a predicate: write both");
	if (word == W_const || word == W_param || word == W_param__entry) { /* device memory is global here */
		(void)pl_ptx_op(b, I_FALSE, 0, d, 0, 0, 0);
		return;
	}
	ins = pl_ptx_op(b, PL_ISA_ISSPACE, 0, d, a, 0, 0);
	ins->f.sub = word == W_global ? PL_ISA_GLOBAL : word == W_local ? PL_ISA_LOCAL : PL_ISA_SHARED;
}

static void lower_alloca(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	struct pl_ptx_type type = pl_ptx_take_type(b, st);
	uint64_t align = 8;
	uint32_t size, at, top;

	if (type.word != W_u64 && type.word != W_u32)
		pl_ptx_bad(b, st, "it takes .u64 or .u32: use one of them");
	pl_ptx_want(b, st, 2, 3);
	if (st->operands_n == 3 &&
	    (!pl_ptx_is_const(&st->operands[2], &align) || !align || (align & (align - 1)) || align > 4096))
		pl_ptx_bad(b, st, "its alignment is a constant power of two: give one");
	size = pl_ptx_fit(b, pl_ptx_src(b, st, 1, type), 1);
	b->alloca_used = true;
	if (!b->stack_top)
		b->stack_top = pl_ptx_temp(b, 1);
	if (align < 8)
		align = 8;
	at = pl_ptx_bi(b, PL_ISA_ADD, PL_ISA_U32, 1, b->stack_top, pl_ptx_const(b, align - 1, 1));
	at = pl_ptx_bi(b, PL_ISA_AND, PL_ISA_U32, 1, at, pl_ptx_const(b, ~(align - 1), 1));
	top = pl_ptx_bi(b, PL_ISA_ADD, PL_ISA_U32, 1, at, size);
	pl_ptx_copy(b, b->stack_top, top);
	pl_ptx_copy(b, pl_ptx_dst(b, st, 0, type), pl_ptx_fit(b, at, pl_ptx_slots_of(type)));
}

static void lower_stack(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	struct pl_ptx_type type = pl_ptx_take_type(b, st);

	if (type.word != W_u64 && type.word != W_u32)
		pl_ptx_bad(b, st, "it takes .u64 or .u32: use one of them");
	pl_ptx_want(b, st, 1, 1);
	b->alloca_used = true;
	if (!b->stack_top)
		b->stack_top = pl_ptx_temp(b, 1);
	if (st->op == W_stacksave)
		pl_ptx_copy(b, pl_ptx_dst(b, st, 0, type), pl_ptx_fit(b, b->stack_top, pl_ptx_slots_of(type)));
	else
		pl_ptx_copy(b, b->stack_top, pl_ptx_fit(b, pl_ptx_src(b, st, 0, type), 1));
}

pl_ptx_lower_fn pl_ptx_lower_move(uint32_t op)
{
	static const pl_ptx_lower_fn table[W_COUNT] = {
		[W_mov] = lower_mov,
		[W_cvt] = lower_cvt,
		[W_cvta] = lower_cvta,
		[W_isspacep] = lower_isspacep,
		[W_alloca] = lower_alloca,
		[W_stacksave] = lower_stack,
		[W_stackrestore] = lower_stack,
	};
	return table[op];
}
