/* Products of small matrices: mma, wmma, and what loads their fragments. */
#include "lower.h"
#include "refgpu/isa/validate.h"

static const struct {
	uint16_t word;
	uint8_t mma, wmma;
} shapes[] = {
	{ W_m8n8k4, PL_ISA_MMA_M8N8K4, PL_ISA_WMMA_M8N8K4 },
	{ W_m16n8k4, PL_ISA_MMA_M16N8K4, 0xff },
	{ W_m16n8k8, PL_ISA_MMA_M16N8K8, 0xff },
	{ W_m16n8k16, PL_ISA_MMA_M16N8K16, 0xff },
	{ W_m16n8k32, PL_ISA_MMA_M16N8K32, 0xff },
	{ W_m16n8k64, PL_ISA_MMA_M16N8K64, 0xff },
	{ W_m16n8k128, PL_ISA_MMA_M16N8K128, 0xff },
	{ W_m16n8k256, PL_ISA_MMA_M16N8K256, 0xff },
	{ W_m8n8k16, PL_ISA_MMA_M8N8K16, 0xff },
	{ W_m8n8k32, PL_ISA_MMA_M8N8K32, PL_ISA_WMMA_M8N8K32 },
	{ W_m8n8k128, PL_ISA_MMA_M8N8K128, PL_ISA_WMMA_M8N8K128 },
	{ W_m16n16k16, 0xff, PL_ISA_WMMA_M16N16K16 },
	{ W_m32n8k16, 0xff, PL_ISA_WMMA_M32N8K16 },
	{ W_m8n32k16, 0xff, PL_ISA_WMMA_M8N32K16 },
	{ W_m16n16k8, 0xff, PL_ISA_WMMA_M16N16K8 },
};

static unsigned take_shape(struct pl_ptx_build *b, struct pl_ptx_statement *st, bool wmma)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		unsigned code = wmma ? shapes[i].wmma : shapes[i].mma;

		if (code != 0xff && pl_ptx_take(st, shapes[i].word))
			return code;
	}
	pl_ptx_unsupported(b, st, "this shape");
}

static unsigned element_of(struct pl_ptx_build *b, struct pl_ptx_statement *st, struct pl_ptx_type type)
{
	switch (type.word) {
	case W_u4:
		return PL_ISA_U4;
	case W_s4:
		return PL_ISA_S4;
	case W_b1:
		return PL_ISA_B1;
	default:
		if (pl_ptx_isa_type(type) == NO_TYPE)
			pl_ptx_unsupported(b, st, "this type of elements");
		return pl_ptx_isa_type(type);
	}
}

static unsigned element(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	return element_of(b, st, pl_ptx_take_type(b, st));
}

/* Of what mma multiplies: floats of 8 bits have the code of their pairs. */
static unsigned factor(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	struct pl_ptx_type type = pl_ptx_take_type(b, st);

	return type.word == W_e4m3 ? PL_ISA_E4M3X2 : type.word == W_e5m2 ? PL_ISA_E5M2X2 : element_of(b, st, type);
}

/* How PTX writes a fragment: f64 in .f64, the rest in registers of 32 bits. */
static struct pl_ptx_type part_type(unsigned type)
{
	return pl_ptx_type_of(type == PL_ISA_F64 ? W_b64 : W_b32);
}

static uint32_t gather(struct pl_ptx_build *b, struct pl_ptx_statement *st, uint32_t i, unsigned type)
{
	const struct pl_ptx_operand *operand = &st->operands[i];
	uint32_t n = pl_ptx_vector_n(operand), slots = pl_ptx_slots_of(part_type(type)), d;
	struct pl_ptx_ins *ins;

	if (n > 16)
		pl_ptx_bad(b, st, "a fragment of %u registers does not exist", n);
	if (n == 1)
		return pl_ptx_source(b, st, pl_ptx_vector_at(b, operand, 0), part_type(type), FIT_EXACT);
	d = pl_ptx_tuple_new(b, n, slots);
	ins = pl_ptx_ins_new(b, I_BUILD);
	ins->many = pl_ptx_alloc_n(b->pool, n, sizeof(*ins->many));
	ins->many_n = n;
	for (uint32_t k = 0; k < n; k++)
		ins->many[k] = pl_ptx_source(b, st, pl_ptx_vector_at(b, operand, k), part_type(type), FIT_EXACT);
	pl_ptx_def(b, ins, A_D, d);
	pl_ptx_append(b->at, ins);
	return d;
}

static void scatter(struct pl_ptx_build *b, struct pl_ptx_statement *st, uint32_t tuple, unsigned type)
{
	const struct pl_ptx_operand *operand = &st->operands[0];
	uint32_t n = pl_ptx_vector_n(operand), slots = pl_ptx_slots_of(part_type(type));

	for (uint32_t k = 0; k < n; k++) {
		uint32_t d = pl_ptx_dest(b, st, pl_ptx_vector_at(b, operand, k), part_type(type), FIT_EXACT),
			 part = tuple;

		if (n > 1) {
			part = pl_ptx_temp(b, slots);
			pl_ptx_op(b, I_EXTRACT, 0, part, tuple, 0, 0)->imm = k * slots;
		}
		pl_ptx_copy(b, d, part);
	}
}

static uint32_t fragment(struct pl_ptx_build *b, struct pl_ptx_statement *st, unsigned type)
{
	uint32_t n = pl_ptx_vector_n(&st->operands[0]);

	if (n > 16)
		pl_ptx_bad(b, st, "a fragment of %u registers does not exist", n);
	return pl_ptx_tuple_new(b, n, pl_ptx_slots_of(part_type(type)));
}

/* The registers that are given must be as many as the operation touches. */
static void check_fragments(struct pl_ptx_build *b, const struct pl_ptx_statement *st, const struct pl_ptx_ins *ins)
{
	const struct pl_isa_op_info *info = &pl_isa_ops[ins->op];
	const uint8_t kinds[4] = { info->d, info->a, info->b, info->c };

	for (unsigned k = 0; k < 4; k++)
		if (kinds[k] == PL_ISA_K_RX && pl_isa_rx_slots(&ins->f, k) != b->values[ins->v[k]].slots)
			pl_ptx_bad(b, st, "operand %u has %u registers, of %u: correct it", k,
				   b->values[ins->v[k]].slots, pl_isa_rx_slots(&ins->f, k));
}

static unsigned c_flag(unsigned d, unsigned c)
{
	if (d == c)
		return 0;
	return c == PL_ISA_F16 ? PL_ISA_MMA_C_F16 : PL_ISA_MMA_C_F32;
}

static void check_round(struct pl_ptx_build *b, const struct pl_ptx_statement *st, bool given, unsigned round,
			unsigned type)
{
	if (given && (type != PL_ISA_F64 || round == PL_ISA_RNA))
		pl_ptx_bad(b, st, ".rn, .rz, .rm and .rp go with .f64 only: remove it");
}

static void lower_mma(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	bool sync = pl_ptx_take(st, W_sync), aligned = pl_ptx_take(st, W_aligned), sat, is_and = false, rounded;
	unsigned shape, td, ta, tb, tc, round, flags = 0;
	uint32_t la, lb, a, bb, c, d;
	struct pl_ptx_ins *ins;

	if (TAKE_OF(st, W_sp, W_sp__ordered_metadata) != W_NONE)
		pl_ptx_unsupported(b, st, "a sparse matrix");
	shape = take_shape(b, st, false);
	la = TAKE_OF(st, W_row, W_col);
	lb = TAKE_OF(st, W_row, W_col);
	sat = pl_ptx_take(st, W_satfinite);
	round = pl_ptx_take_round(st, &rounded);
	if (pl_ptx_take(st, W_and))
		is_and = true;
	else
		(void)pl_ptx_take(st, W_xor);
	(void)pl_ptx_take(st, W_popc);
	td = element(b, st);
	ta = factor(b, st);
	tb = factor(b, st);
	tc = element(b, st);
	if (!sync || !aligned || la == W_NONE || lb == W_NONE)
		pl_ptx_bad(b, st, "it takes .sync.aligned and two layouts: write them");
	if (!(pl_isa_ops[PL_ISA_MMA].types >> td & 1) || (td != tc && (td > PL_ISA_F32 || tc > PL_ISA_F32)))
		pl_ptx_unsupported(b, st, "these types together");
	if ((la == W_col || lb == W_row) && (shape != PL_ISA_MMA_M8N8K4 || ta != PL_ISA_F16))
		pl_ptx_bad(b, st, "it takes .row.col: write them");
	check_round(b, st, rounded, round, td);
	flags = c_flag(td, tc) | (is_and ? PL_ISA_MMA_AND : 0) | (la == W_col ? PL_ISA_MMA_A_COL : 0) |
		(lb == W_row ? PL_ISA_MMA_B_ROW : 0);
	pl_ptx_want(b, st, 4, 4);
	pl_ptx_meet(b, pl_ptx_const(b, 0xffffffff, 1));
	a = gather(b, st, 1, ta);
	bb = gather(b, st, 2, tb);
	c = gather(b, st, 3, tc);
	d = fragment(b, st, td);
	ins = pl_ptx_op(b, PL_ISA_MMA, td, d, a, bb, c);
	ins->f.type2 = (uint8_t)ta;
	ins->f.cmp = (uint8_t)tb;
	ins->f.sub = (uint8_t)shape;
	ins->f.sat = sat;
	ins->f.round = (uint8_t)round;
	ins->f.imm = flags;
	check_fragments(b, st, ins);
	scatter(b, st, d, td);
}

static void wmma_move(struct pl_ptx_build *b, struct pl_ptx_statement *st, bool store)
{
	uint32_t which = TAKE_OF(st, W_a, W_b, W_c), layout, stride, address, d;
	unsigned flags, shape, type, space;
	struct pl_ptx_ins *ins;

	if (which == W_NONE && !pl_ptx_take(st, W_d))
		pl_ptx_bad(b, st, "it takes .a, .b, .c or .d: write one of them");
	(void)pl_ptx_take(st, W_sync);
	pl_ptx_meet(b, pl_ptx_const(b, 0xffffffff, 1));
	(void)pl_ptx_take(st, W_aligned);
	layout = TAKE_OF(st, W_row, W_col);
	shape = take_shape(b, st, true);
	space = pl_ptx_take_space(b, st);
	type = element(b, st);
	flags = which == W_a ? PL_ISA_WM_A : which == W_b ? PL_ISA_WM_B : PL_ISA_WM_C;
	flags |= (layout == W_col ? PL_ISA_WM_COL : 0) | (space == SP_SHARED ? PL_ISA_WM_SHARED : 0);
	pl_ptx_want(b, st, 2, 3);
	address = pl_ptx_address_value(b, st, &st->operands[store ? 0 : 1], space, 2);
	if (st->operands_n == 3) {
		stride = pl_ptx_src(b, st, 2, pl_ptx_type_of(W_u32));
	} else {
		static const uint8_t m[] = { 16, 32, 8, 16, 8, 8, 8 }, n[] = { 16, 8, 32, 16, 8, 8, 8 },
				     k[] = { 16, 16, 16, 8, 4, 32, 128 };
		bool col = layout == W_col;

		stride = pl_ptx_const(b,
				      which == W_a   ? (col ? m : k)[shape]
				      : which == W_b ? (col ? k : n)[shape]
						     : (col ? m : n)[shape],
				      1);
	}
	if (store) {
		ins = pl_ptx_ins_new(b, PL_ISA_WMST);
		ins->v[A_D] = gather(b, st, 1, type);
		ins->v[A_A] = address;
		ins->v[A_B] = stride;
		ins->effect = true;
		if (b->guard)
			pl_ptx_unsupported(b, st, "a guard");
		pl_ptx_append(b->at, ins);
	} else {
		d = fragment(b, st, type);
		ins = pl_ptx_op(b, PL_ISA_WMLD, type, d, address, stride, 0);
	}
	ins->f.type = (uint8_t)type;
	ins->f.sub = (uint8_t)shape;
	ins->f.imm = flags;
	check_fragments(b, st, ins);
	if (!store)
		scatter(b, st, ins->v[A_D], type);
}

static void wmma_product(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	unsigned shape, td, ta = PL_ISA_F16, tb = PL_ISA_F16, tc, round;
	bool sat, is_and = false, rounded;
	uint32_t a, bb, c, d;
	struct pl_ptx_ins *ins;

	(void)pl_ptx_take(st, W_sync);
	pl_ptx_meet(b, pl_ptx_const(b, 0xffffffff, 1));
	(void)pl_ptx_take(st, W_aligned);
	if (pl_ptx_take(st, W_and))
		is_and = true;
	else
		(void)pl_ptx_take(st, W_xor);
	(void)pl_ptx_take(st, W_popc);
	(void)TAKE_OF(st, W_row, W_col);
	(void)TAKE_OF(st, W_row, W_col);
	shape = take_shape(b, st, true);
	round = pl_ptx_take_round(st, &rounded);
	sat = pl_ptx_take(st, W_satfinite);
	td = element(b, st);
	tc = element(b, st);
	if (pl_ptx_has_type(st)) {
		ta = tc;
		tb = element(b, st);
		tc = element(b, st);
	}
	sat |= pl_ptx_take(st, W_satfinite);
	check_round(b, st, rounded, round, td);
	if (!(pl_isa_ops[PL_ISA_WMMA].types >> td & 1))
		pl_ptx_unsupported(b, st, "these types together");
	pl_ptx_want(b, st, 4, 4);
	a = gather(b, st, 1, ta);
	bb = gather(b, st, 2, tb);
	c = gather(b, st, 3, tc);
	d = fragment(b, st, td);
	ins = pl_ptx_op(b, PL_ISA_WMMA, td, d, a, bb, c);
	ins->f.type2 = (uint8_t)ta;
	ins->f.cmp = (uint8_t)tb;
	ins->f.sub = (uint8_t)shape;
	ins->f.sat = sat;
	ins->f.round = (uint8_t)round;
	ins->f.imm = c_flag(td, tc) | (is_and ? PL_ISA_MMA_AND : 0);
	check_fragments(b, st, ins);
	scatter(b, st, d, td);
}

static void lower_wmma(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	switch (TAKE_OF(st, W_load, W_store, W_mma)) {
	case W_load:
		wmma_move(b, st, false);
		break;
	case W_store:
		wmma_move(b, st, true);
		break;
	case W_mma:
		wmma_product(b, st);
		break;
	default:
		pl_ptx_bad(b, st, "it takes .load, .store or .mma: write one of them");
	}
}

static void lower_ldmatrix(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	bool store = st->op == W_stmatrix, trans;
	uint32_t count, log2, address;
	struct pl_ptx_ins *ins;

	(void)pl_ptx_take(st, W_sync);
	pl_ptx_meet(b, pl_ptx_const(b, 0xffffffff, 1));
	(void)pl_ptx_take(st, W_aligned);
	if (!pl_ptx_take(st, W_m8n8))
		pl_ptx_unsupported(b, st, "this shape");
	count = TAKE_OF(st, W_x1, W_x2, W_x4);
	trans = pl_ptx_take(st, W_trans);
	(void)pl_ptx_take_space(b, st);
	if (count == W_NONE || !pl_ptx_take(st, W_b16))
		pl_ptx_bad(b, st, "it takes .x1, .x2 or .x4, and .b16: write both");
	log2 = count == W_x4 ? 2 : count == W_x2 ? 1 : 0;
	pl_ptx_want(b, st, 2, 2);
	if (pl_ptx_vector_n(&st->operands[store]) != 1u << log2)
		pl_ptx_bad(b, st, "%u matrices take as many registers", 1u << log2);
	address = pl_ptx_address_value(b, st, &st->operands[!store], SP_SHARED, 1);
	ins = pl_ptx_ins_new(b, store ? PL_ISA_STMATRIX : PL_ISA_LDMATRIX);
	if (b->guard) {
		ins->v[A_GUARD] = b->guard;
		ins->f.guard_not = b->guard_not;
	}
	ins->v[A_A] = address;
	ins->f.sub = (uint8_t)(log2 | (trans ? 4 : 0));
	if (store) {
		ins->v[A_D] = gather(b, st, 1, PL_ISA_U32);
		ins->effect = true;
		pl_ptx_append(b->at, ins);
	} else {
		pl_ptx_def(b, ins, A_D, fragment(b, st, PL_ISA_U32));
		pl_ptx_append(b->at, ins);
		scatter(b, st, ins->v[A_D], PL_ISA_U32);
	}
}

static void lower_movmatrix(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	uint32_t a;

	(void)pl_ptx_take(st, W_sync);
	pl_ptx_meet(b, pl_ptx_const(b, 0xffffffff, 1));
	(void)pl_ptx_take(st, W_aligned);
	if (!pl_ptx_take(st, W_m8n8) || !pl_ptx_take(st, W_trans) || !pl_ptx_take(st, W_b16))
		pl_ptx_bad(b, st, "it takes .m8n8.trans.b16: write that");
	pl_ptx_want(b, st, 2, 2);
	a = pl_ptx_src(b, st, 1, pl_ptx_type_of(W_b32));
	(void)pl_ptx_op(b, PL_ISA_MOVMATRIX, 0, pl_ptx_dst(b, st, 0, pl_ptx_type_of(W_b32)), a, 0, 0);
}

pl_ptx_lower_fn pl_ptx_lower_matrix(uint32_t op)
{
	switch (op) {
	case W_mma:
		return lower_mma;
	case W_wmma:
		return lower_wmma;
	case W_ldmatrix:
	case W_stmatrix:
		return lower_ldmatrix;
	case W_movmatrix:
		return lower_movmatrix;
	default:
		return NULL;
	}
}
