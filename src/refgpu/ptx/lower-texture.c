/* Textures and surfaces; operands as refgpu/isa/texture.h has them. */
#include "lower.h"
#include "refgpu/isa/texture.h"

struct shape {
	unsigned geometry, coords;
	bool array;
};

static struct shape take_shape(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	switch (TAKE_OF(st, W_1d, W_2d, W_3d, W_a1d, W_a2d, W_cube, W_acube)) {
	case W_1d:
		return (struct shape){ PL_ISA_GEOM_1D, 1, false };
	case W_2d:
		return (struct shape){ PL_ISA_GEOM_2D, 2, false };
	case W_3d:
		return (struct shape){ PL_ISA_GEOM_3D, 3, false };
	case W_a1d:
		return (struct shape){ PL_ISA_GEOM_1D, 1, true };
	case W_a2d:
		return (struct shape){ PL_ISA_GEOM_2D, 2, true };
	case W_cube:
		return (struct shape){ PL_ISA_GEOM_CUBE, 3, false };
	case W_acube:
		return (struct shape){ PL_ISA_GEOM_CUBE, 3, true };
	default:
		if (pl_ptx_take(st, W_2dms) || pl_ptx_take(st, W_a2dms))
			pl_ptx_unsupported(b, st, "a multisample texture");
		pl_ptx_bad(b, st, "a geometry is missing: write one, as .2d");
	}
}

static uint32_t tuple_of(struct pl_ptx_build *b, const uint32_t *parts, uint32_t n)
{
	struct pl_ptx_ins *ins;
	uint32_t d;

	if (n == 1)
		return parts[0];
	d = pl_ptx_tuple_new(b, n, 1);
	ins = pl_ptx_op(b, I_BUILD, 0, d, 0, 0, 0);
	ins->many = pl_ptx_alloc_n(b->pool, n, sizeof(*ins->many));
	memcpy(ins->many, parts, n * sizeof(*parts));
	ins->many_n = n;
	return d;
}

/* A handle in a register, or the reference variable that holds it. */
static uint32_t handle(struct pl_ptx_build *b, struct pl_ptx_statement *st, const struct pl_ptx_operand *operand)
{
	struct pl_ptx_ins *ins;
	uint32_t address, d;

	if (operand->kind == O_REG)
		return pl_ptx_source(b, st, operand, pl_ptx_type_of(W_u64), FIT_EXACT);
	if (operand->kind != O_SYM || operand->sym->kind != S_VAR || operand->sym->type.class != K_REF)
		pl_ptx_bad(b, st, "a texture or surface is a .u64 register or a .texref, .surfref: use one of them");
	address = pl_ptx_symbol_value(b, st, operand);
	d = pl_ptx_temp(b, 2);
	ins = pl_ptx_op(b, PL_ISA_LD, PL_ISA_U64, d, address, 0, 0);
	ins->f.space = PL_ISA_GLOBAL;
	return d;
}

static uint32_t coordinates(struct pl_ptx_build *b, struct pl_ptx_statement *st, const struct pl_ptx_operand *operand,
			    struct shape shape, struct pl_ptx_type type)
{
	uint32_t parts[4], n = shape.coords + shape.array, given = pl_ptx_vector_n(operand);

	if (given < n || given > 4)
		pl_ptx_bad(b, st, "%u coordinates do not fit: give %u", given, n);
	for (uint32_t i = 0; i < n; i++)
		parts[i] = pl_ptx_source(b, st, pl_ptx_vector_at(b, operand, i),
					 shape.array && i == 0 ? pl_ptx_type_of(W_b32) : type, FIT_EXACT);
	return tuple_of(b, parts, n);
}

static uint32_t part_of(struct pl_ptx_build *b, uint32_t tuple, uint32_t i)
{
	uint32_t part = pl_ptx_temp(b, 1);

	pl_ptx_op(b, I_EXTRACT, 0, part, tuple, 0, 0)->imm = i;
	return part;
}

/* Four of f32, s32, u32; of f16, which are rounded here; or two pairs of f16. */
static void results(struct pl_ptx_build *b, struct pl_ptx_statement *st, uint32_t tuple, struct pl_ptx_type type)
{
	const struct pl_ptx_operand *to = &st->operands[0];
	unsigned isa = pl_ptx_isa_type(type);

	for (uint32_t i = 0; i < 4u / type.lanes; i++) {
		uint32_t d = pl_ptx_dest(b, st, pl_ptx_vector_at(b, to, i), type, FIT_EXACT);

		if (!d)
			continue;
		if (isa == PL_ISA_F16X2)
			pl_ptx_op(b, PL_ISA_CVT2, isa, d, part_of(b, tuple, 2 * i + 1), part_of(b, tuple, 2 * i), 0)
				->f.type2 = PL_ISA_F32;
		else if (isa == PL_ISA_F16)
			pl_ptx_op(b, PL_ISA_CVT, isa, d, part_of(b, tuple, i), 0, 0)->f.type2 = PL_ISA_F32;
		else
			pl_ptx_copy(b, d, part_of(b, tuple, i));
	}
	if (to->second) { /* is it resident?  All textures are */
		uint32_t p = pl_ptx_pred_dest(b, st, to->second);

		if (p)
			(void)pl_ptx_op(b, I_TRUE, 0, p, 0, 0, 0);
	}
}

/* {dx}, {dy} behind the address: all of dx, then all of dy. */
static uint32_t gradients(struct pl_ptx_build *b, struct pl_ptx_statement *st, struct shape shape)
{
	uint32_t parts[6], n = 0;

	for (uint32_t k = 2; k < 4; k++)
		for (uint32_t i = 0; i < shape.coords; i++) {
			if (i >= pl_ptx_vector_n(&st->operands[k]))
				pl_ptx_bad(b, st, "gradients have as many parts as coordinates: give %u", shape.coords);
			parts[n++] = pl_ptx_source(b, st, pl_ptx_vector_at(b, &st->operands[k], i),
						   pl_ptx_type_of(W_f32), FIT_EXACT);
		}
	return tuple_of(b, parts, n);
}

static uint32_t offsets(struct pl_ptx_build *b, struct pl_ptx_statement *st, uint32_t i, struct shape shape)
{
	uint32_t packed = 0;

	for (uint32_t k = 0; k < shape.coords && k < pl_ptx_vector_n(&st->operands[i]); k++) {
		uint64_t value;

		if (!pl_ptx_is_const(pl_ptx_vector_at(b, &st->operands[i], k), &value) || value + 128 > 255)
			pl_ptx_unsupported(b, st, "an offset that is not a small constant, or a depth to compare");
		packed |= ((uint32_t)value & 255) << 8 * k;
	}
	return packed;
}

static void sample(struct pl_ptx_build *b, struct pl_ptx_statement *st, unsigned op, unsigned component)
{
	uint32_t lod = TAKE_OF(st, W_base, W_level, W_grad), vec, a, bb = 0, c, d, next = 2;
	struct shape shape = take_shape(b, st);
	struct pl_ptx_type to, from;
	const struct pl_ptx_operand *at;
	struct pl_ptx_ins *ins;
	bool halves;

	vec = TAKE_OF(st, W_v2, W_v4);
	to = pl_ptx_take_type(b, st);
	from = pl_ptx_take_type(b, st);
	if (vec != (to.word == W_f16x2 ? W_v2 : W_v4))
		pl_ptx_unsupported(b, st, "a texture result that is not .v4, or .v2.f16x2");
	halves = to.word == W_f16 || to.word == W_f16x2;
	if ((to.word != W_f32 && to.word != W_s32 && to.word != W_u32 && (!halves || op == PL_ISA_TLD4)) ||
	    (from.word != W_f32 && from.word != W_s32))
		pl_ptx_unsupported(b, st, "this type of texels or coordinates");
	pl_ptx_want(b, st, 2, 6);
	at = &st->operands[1];
	if (at->kind != O_ADDRESS || at->parts_n < 2 || at->parts_n > 3 ||
	    pl_ptx_vector_n(&st->operands[0]) != 4u / to.lanes)
		pl_ptx_bad(b, st, "it takes {d0, d1, d2, d3}, [texture, {coordinates}]: write them so");
	c = handle(b, st, &at->parts[0]);
	if (at->parts_n == 3)
		c = pl_ptx_bi(b, PL_ISA_OR, PL_ISA_U64, 2, c, handle(b, st, &at->parts[1]));
	a = coordinates(b, st, &at->parts[at->parts_n - 1], shape, from);
	if (lod == W_level) {
		pl_ptx_want(b, st, 3, 5);
		bb = pl_ptx_src(b, st, next++, from);
	} else if (lod == W_grad) {
		pl_ptx_want(b, st, 4, 6);
		bb = gradients(b, st, shape);
		next = 4;
	}
	d = pl_ptx_tuple_new(b, 4, 1);
	ins = pl_ptx_op(b, op, halves ? PL_ISA_F32 : pl_ptx_isa_type(to), d, a, bb, c);
	if (st->operands_n > next) {
		ins->f.imm = offsets(b, st, next++, shape);
		ins->f.offsets = true;
	}
	if (st->operands_n > next)
		pl_ptx_unsupported(b, st, "a depth to compare");
	ins->f.geometry = (uint8_t)shape.geometry;
	ins->f.array = shape.array;
	ins->f.coord_int = from.word == W_s32;
	ins->f.lod = lod == W_level ? PL_ISA_LOD_LEVEL : lod == W_grad ? PL_ISA_LOD_GRAD : PL_ISA_LOD_NONE;
	ins->f.sub = (uint8_t)component;
	results(b, st, d, to);
}

static void lower_tex(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	sample(b, st, PL_ISA_TEX, 0);
}

static void lower_tld4(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	uint32_t word = TAKE_OF(st, W_r, W_g, W_b, W_a);

	if (word == W_NONE)
		pl_ptx_bad(b, st, "a component is missing: write .r, .g, .b or .a");
	sample(b, st, PL_ISA_TLD4, word == W_r ? 0 : word == W_g ? 1 : word == W_b ? 2 : 3);
}

/* txq, suq */
static void lower_query(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	static const uint16_t words[PL_ISA_TXQ_COUNT] = {
		W_width,
		W_height,
		W_depth,
		W_array_size,
		W_num_mipmap_levels,
		W_num_samples,
		W_normalized_coords,
		W_channel_data_type,
		W_channel_order,
		W_filter_mode,
		W_addr_mode_0,
		W_addr_mode_1,
		W_addr_mode_2,
	};
	bool level = pl_ptx_take(st, W_level);
	uint32_t word = pl_ptx_take_of(st, words, PL_ISA_TXQ_COUNT), sub = 0, a = 0, c;
	struct pl_ptx_ins *ins;

	if (!pl_ptx_take(st, W_b32) || word == W_NONE)
		pl_ptx_unsupported(b, st, "this query");
	while (words[sub] != word)
		sub++;
	pl_ptx_want(b, st, level ? 3 : 2, level ? 3 : 2);
	if (st->operands[1].kind != O_ADDRESS || st->operands[1].parts_n != 1)
		pl_ptx_bad(b, st, "it takes [texture]: write it so");
	c = handle(b, st, &st->operands[1].parts[0]);
	if (level)
		a = pl_ptx_src(b, st, 2, pl_ptx_type_of(W_u32));
	ins = pl_ptx_op(b, PL_ISA_TXQ, 0, pl_ptx_dst(b, st, 0, pl_ptx_type_of(W_b32)), a, 0, c);
	ins->f.sub = (uint8_t)sub;
	ins->f.lod = level ? PL_ISA_LOD_LEVEL : PL_ISA_LOD_NONE;
}

struct surface {
	struct shape shape;
	uint32_t n;
	struct pl_ptx_type type;
	unsigned clamp;
	bool formatted;
	uint32_t coords, handle;
};

static struct surface take_surface(struct pl_ptx_build *b, struct pl_ptx_statement *st, uint32_t address)
{
	struct surface s = { 0 };
	uint32_t word = TAKE_OF(st, W_b, W_p);
	const struct pl_ptx_operand *at;

	s.formatted = word == W_p;
	s.shape = take_shape(b, st);
	(void)TAKE_OF(st, W_ca, W_cg, W_cs, W_cv, W_wb, W_wt);
	word = TAKE_OF(st, W_v2, W_v4);
	s.n = word == W_v2 ? 2 : word == W_v4 ? 4 : 1;
	s.type = pl_ptx_take_type(b, st);
	word = TAKE_OF(st, W_trap, W_clamp, W_zero);
	s.clamp = word == W_clamp ? PL_ISA_CLAMP_EDGE : word == W_zero ? PL_ISA_CLAMP_ZERO : PL_ISA_CLAMP_TRAP;
	at = &st->operands[address];
	if (at->kind != O_ADDRESS || at->parts_n != 2)
		pl_ptx_bad(b, st, "it takes [surface, {coordinates}]: write them so");
	s.handle = handle(b, st, &at->parts[0]);
	s.coords = coordinates(b, st, &at->parts[1], s.shape, pl_ptx_type_of(W_b32));
	return s;
}

static void set_surface(struct pl_ptx_ins *ins, const struct surface *s)
{
	ins->f.geometry = (uint8_t)s->shape.geometry;
	ins->f.array = s->shape.array;
	ins->f.clamp = (uint8_t)s->clamp;
	ins->f.coord_int = true;
	ins->f.vec = s->n == 4 ? 2 : s->n == 2 ? 1 : 0;
}

static void lower_suld(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	struct surface s;
	struct pl_ptx_ins *ins;
	uint32_t slots, tuple, d;

	pl_ptx_want(b, st, 2, 2);
	s = take_surface(b, st, 1);
	slots = pl_ptx_slots_of(s.type);
	if (s.formatted)
		pl_ptx_unsupported(b, st, "a formatted surface load (.p)");
	if (pl_ptx_vector_n(&st->operands[0]) != s.n)
		pl_ptx_bad(b, st, "the result has %u parts: give as many registers", s.n);
	tuple = pl_ptx_tuple_new(b, s.n, slots);
	ins = pl_ptx_op(b, PL_ISA_SULD, pl_ptx_int_type(s.type), tuple, s.coords, 0, s.handle);
	set_surface(ins, &s);
	for (uint32_t i = 0; i < s.n; i++) {
		uint32_t part = s.n == 1 ? tuple : pl_ptx_temp(b, slots);

		d = pl_ptx_dest(b, st, pl_ptx_vector_at(b, &st->operands[0], i), s.type, FIT_WIDER);
		if (s.n > 1)
			pl_ptx_op(b, I_EXTRACT, 0, part, tuple, 0, 0)->imm = i * slots;
		if (d && b->values[d].slots != slots)
			part = pl_ptx_fit(b, part, b->values[d].slots);
		pl_ptx_copy(b, d, part);
	}
}

static void lower_sust(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	struct surface s;
	struct pl_ptx_ins *ins;
	uint32_t parts[4] = { 0 };

	pl_ptx_want(b, st, 2, 2);
	s = take_surface(b, st, 0);
	if (pl_ptx_vector_n(&st->operands[1]) != s.n)
		pl_ptx_bad(b, st, "the source has %u parts: give as many registers", s.n);
	for (uint32_t i = 0; i < s.n; i++) {
		parts[i] = pl_ptx_source(b, st, pl_ptx_vector_at(b, &st->operands[1], i), s.type, FIT_WIDER);
		if (b->values[parts[i]].slots > pl_ptx_slots_of(s.type))
			parts[i] = pl_ptx_fit(b, parts[i], 1);
	}
	if (s.n > 1) {
		ins = pl_ptx_op(b, I_BUILD, 0, pl_ptx_tuple_new(b, s.n, pl_ptx_slots_of(s.type)), 0, 0, 0);
		ins->many = pl_ptx_alloc_n(b->pool, s.n, sizeof(*ins->many));
		memcpy(ins->many, parts, s.n * sizeof(*parts));
		ins->many_n = s.n;
		parts[0] = ins->v[A_D];
	}
	ins = pl_ptx_op(b, PL_ISA_SUST, pl_ptx_int_type(s.type), 0, s.coords, 0, s.handle);
	ins->v[A_D] = parts[0];
	ins->effect = true;
	set_surface(ins, &s);
	ins->f.sub = s.formatted;
}

static void lower_sured(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	static const uint16_t words[] = { W_add, W_min, W_max, W_and, W_or };
	uint32_t word = pl_ptx_take_of(st, words, 5), data;
	struct surface s;
	struct pl_ptx_ins *ins;

	pl_ptx_want(b, st, 2, 2);
	s = take_surface(b, st, 0);
	if (word == W_NONE || s.formatted)
		pl_ptx_unsupported(b, st, "this reduction");
	data = pl_ptx_src(b, st, 1, s.type);
	ins = pl_ptx_op(b, PL_ISA_SURED, pl_ptx_int_type(s.type), 0, s.coords, data, s.handle);
	ins->effect = true;
	set_surface(ins, &s);
	ins->f.sub = word == W_add   ? PL_ISA_ATOM_ADD
		     : word == W_min ? PL_ISA_ATOM_MIN
		     : word == W_max ? PL_ISA_ATOM_MAX
		     : word == W_and ? PL_ISA_ATOM_AND
				     : PL_ISA_ATOM_OR;
}

pl_ptx_lower_fn pl_ptx_lower_texture(uint32_t op)
{
	switch (op) {
	case W_tex:
		return lower_tex;
	case W_tld4:
		return lower_tld4;
	case W_txq:
	case W_suq:
		return lower_query;
	case W_suld:
		return lower_suld;
	case W_sust:
		return lower_sust;
	case W_sured:
		return lower_sured;
	default:
		return NULL;
	}
}
