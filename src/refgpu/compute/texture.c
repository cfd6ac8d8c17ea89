/* Texture and surface operations, lane by lane; vec-texture.c does most of TEX. */
#include <string.h>

#include "refgpu/compute/half.h"
#include "refgpu/compute/next.h"
#include "refgpu/compute/sampler.h"

static unsigned dims_of(uint32_t x)
{
	return PL_SM_TEX_GEOMETRY(x) == PL_ISA_GEOM_1D ? 1 : PL_SM_TEX_GEOMETRY(x) == PL_ISA_GEOM_2D ? 2 : 3;
}

static uint64_t handle_of(const struct pl_sm_warp *w, const struct pl_sm_op *op, const char *R, uint32_t lane)
{
	return PL_SM_TEX_U(op->x) ? w->frame.U[op->c] : ((const uint64_t *)(const void *)(R + op->c))[lane];
}

static uint32_t slot_of(const char *R, uint32_t first, unsigned k, uint32_t lane)
{
	return ((const uint32_t *)(const void *)(R + first + k * PL_SM_SLOT_BYTES))[lane];
}

static void coords_read(const struct pl_sm_op *op, const char *R, uint32_t lane, struct pl_sm_coords *c)
{
	unsigned dims = dims_of(op->x), at = 0;

	*c = (struct pl_sm_coords){ .geometry = PL_SM_TEX_GEOMETRY(op->x),
				    .array = PL_SM_TEX_ARRAY(op->x),
				    .integer = PL_SM_TEX_INT(op->x),
				    .lod_mode = PL_SM_TEX_LOD(op->x) };
	if (c->array)
		c->layer = slot_of(R, op->a, at++, lane);
	if (c->array && (int32_t)c->layer < 0)
		c->layer = 0;
	for (unsigned k = 0; k < dims; k++) {
		uint32_t v = slot_of(R, op->a, at++, lane);

		c->whole[k] = (int32_t)v;
		c->at[k] = bits_f32(v);
	}
	if (c->lod_mode == PL_ISA_LOD_LEVEL)
		c->lod = c->integer ? (float)(int32_t)slot_of(R, op->b, 0, lane) : bits_f32(slot_of(R, op->b, 0, lane));
	for (unsigned k = 0; k < dims && c->lod_mode == PL_ISA_LOD_GRAD; k++) {
		c->grad[0][k] = bits_f32(slot_of(R, op->b, k, lane));
		c->grad[1][k] = bits_f32(slot_of(R, op->b, dims + k, lane));
	}
	for (unsigned k = 0; k < 3 && PL_SM_TEX_OFFSETS(op->x); k++)
		c->offset[k] = (int8_t)(op->imm >> 8 * k);
}

static bool tex_lane(struct pl_sm_unit *unit, const struct pl_sm_op *op, char *R, bool gather)
{
	bool integers = op->type != PL_ISA_F32;
	struct pl_sm_coords coords;
	struct pl_sm_texel texel;

	if (!pl_sm_unit_load(unit, handle_of(unit->w, op, R, unit->lane), true))
		return false;
	coords_read(op, R, unit->lane, &coords);
	if (gather ? !pl_sm_unit_gather(unit, &coords, op->sub, integers, &texel)
		   : !pl_sm_unit_sample(unit, &coords, integers, &texel))
		return false;
	for (unsigned k = 0; k < 4; k++)
		((uint32_t *)(void *)(R + op->d + k * PL_SM_SLOT_BYTES))[unit->lane] =
			integers ? texel.i[k] : f32_bits(texel.f[k]);
	return true;
}

static __attribute__((noinline)) void tex_do(PL_SM_ARGS, bool gather)
{
	struct pl_sm_unit unit = { .w = w, .op = op };

	for (uint32_t left = mask; left; left &= left - 1) {
		unit.lane = (uint32_t)__builtin_ctz(left);
		if (!tex_lane(&unit, op, R, gather))
			return;
	}
}

void pl_sm_tex_lanes(PL_SM_ARGS)
{
	tex_do(w, op, R, mask, false);
}

static uint32_t query(const struct pl_sm_unit *unit, unsigned what)
{
	const struct pl_isa_image *image = &unit->image;

	switch (what) {
	case PL_ISA_TXQ_WIDTH:
		return image->width;
	case PL_ISA_TXQ_HEIGHT:
		return image->height;
	case PL_ISA_TXQ_DEPTH:
		return image->flags & (PL_ISA_IMAGE_LAYERED | PL_ISA_IMAGE_CUBE) ? 1 : image->depth;
	case PL_ISA_TXQ_ARRAY_SIZE:
		return image->flags & PL_ISA_IMAGE_CUBE      ? image->depth / 6
		       : image->flags & PL_ISA_IMAGE_LAYERED ? image->depth
							     : 0;
	case PL_ISA_TXQ_LEVELS:
		return image->levels;
	case PL_ISA_TXQ_SAMPLES:
		return 1;
	case PL_ISA_TXQ_NORMALIZED:
		return unit->sampler.flags & PL_ISA_SAMPLER_NORMALIZED_COORDS;
	case PL_ISA_TXQ_FILTER:
		return unit->sampler.filter;
	case PL_ISA_TXQ_ADDR_0:
	case PL_ISA_TXQ_ADDR_1:
	case PL_ISA_TXQ_ADDR_2:
		return unit->sampler.wrap[what - PL_ISA_TXQ_ADDR_0];
	case PL_ISA_TXQ_CHANNEL_TYPE: /* kind | bits << 8 */
		return image->texel | (uint32_t)image->channel_bits << 8;
	default:
		return image->channels;
	}
}

static __attribute__((noinline)) void txq_do(PL_SM_ARGS)
{
	struct pl_sm_unit unit = { .w = w, .op = op };
	bool sampled = op->sub == PL_ISA_TXQ_NORMALIZED || op->sub >= PL_ISA_TXQ_FILTER;

	for (uint32_t left = mask; left; left &= left - 1) {
		unit.lane = (uint32_t)__builtin_ctz(left);
		if (!pl_sm_unit_load(&unit, handle_of(w, op, R, unit.lane), sampled))
			return;
		PL_SM_REG(uint32_t, d)[unit.lane] = query(&unit, op->sub);
	}
}

/* -- surfaces -- */

enum where { INSIDE, OUTSIDE, FAULTED };

/* Address of `bytes` at a lane's coordinates; x in bytes, or in texels. */
static enum where surface_at(struct pl_sm_unit *unit, const char *R, unsigned bytes, bool texels, uint64_t *va_out)
{
	const struct pl_sm_op *op = unit->op;
	const struct pl_isa_image *image = &unit->image;
	unsigned dims = dims_of(op->x), slot = 0, size = pl_sm_image_texel_bytes(image);
	uint64_t limit[3], layers = image->flags & (PL_ISA_IMAGE_LAYERED | PL_ISA_IMAGE_CUBE) ? image->depth : 1;
	int64_t at[4] = { 0, 0, 0, 0 };
	bool inside = true;

	if (PL_SM_TEX_ARRAY(op->x))
		at[3] = (int32_t)slot_of(R, op->a, slot++, unit->lane);
	for (unsigned k = 0; k < dims; k++)
		at[k] = (int32_t)slot_of(R, op->a, slot++, unit->lane);
	if (texels)
		at[0] *= size;
	limit[0] = (uint64_t)image->width * size >= bytes ? (uint64_t)image->width * size - bytes : 0;
	limit[1] = image->height - 1;
	limit[2] = layers > 1 ? 0 : image->depth - 1;
	for (int k = 0; k < 3; k++) {
		inside = inside && at[k] >= 0 && (uint64_t)at[k] <= limit[k];
		at[k] = at[k] < 0 ? 0 : (uint64_t)at[k] > limit[k] ? (int64_t)limit[k] : at[k];
	}
	inside = inside && at[3] >= 0 && (uint64_t)at[3] < layers;
	at[3] = at[3] < 0 ? 0 : (uint64_t)at[3] >= layers ? (int64_t)layers - 1 : at[3];
	if (!inside && PL_SM_TEX_CLAMP(op->x) == PL_ISA_CLAMP_TRAP) {
		pl_sm_fault(unit->w, op, PL_RG_FAULT_BAD_TEXTURE, PL_RG_WRITE, unit->handle, unit->lane);
		return FAULTED;
	}
	*va_out = image->va + (uint64_t)(at[2] + at[3]) * image->slice_bytes + (uint64_t)at[1] * image->pitch_bytes +
		  (uint64_t)at[0];
	return inside || PL_SM_TEX_CLAMP(op->x) == PL_ISA_CLAMP_EDGE ? INSIDE : OUTSIDE;
}

static bool surface_load(struct pl_sm_unit *unit, const char *R)
{
	if (!pl_sm_unit_load(unit, handle_of(unit->w, unit->op, R, unit->lane), false))
		return false;
	if (unit->image.flags & PL_ISA_IMAGE_SURFACE)
		return true;
	pl_sm_fault(unit->w, unit->op, PL_RG_FAULT_BAD_TEXTURE, PL_RG_WRITE, unit->handle, unit->lane);
	return false;
}

/* The lane's values between registers and packed bytes. */
static void pack_values(const struct pl_sm_op *op, char *R, uint32_t lane, char *data, bool store)
{
	unsigned bytes = pl_isa_type_bytes(op->type), reg = pl_isa_type_slots(op->type) * 4;
	bool is_signed = op->type == PL_ISA_S8 || op->type == PL_ISA_S16;

	for (unsigned k = 0; k < 1u << PL_SM_TEX_VEC(op->x); k++) {
		char *slot = R + op->d + k * reg / 4 * PL_SM_SLOT_BYTES + lane * reg;
		uint32_t v = 0;

		if (store) {
			memcpy(data + k * bytes, slot, bytes);
		} else if (bytes >= 4) {
			memcpy(slot, data + k * bytes, bytes);
		} else {
			memcpy(&v, data + k * bytes, bytes);
			if (is_signed)
				v = bytes == 1 ? (uint32_t)(int8_t)v : (uint32_t)(int16_t)v;
			memcpy(slot, &v, 4);
		}
	}
}

static bool surface_lane(struct pl_sm_unit *unit, char *R, bool store)
{
	const struct pl_sm_op *op = unit->op;
	bool formatted = store && op->sub == 1;
	unsigned bytes = pl_isa_type_bytes(op->type) << PL_SM_TEX_VEC(op->x);
	uint32_t value[4] = { 0, 0, 0, 0 };
	char data[128] = { 0 };
	enum where where;
	uint64_t va;

	if (!surface_load(unit, R))
		return false;
	if (formatted)
		bytes = pl_sm_image_texel_bytes(&unit->image);
	if (bytes > sizeof(data))
		return false;
	where = surface_at(unit, R, bytes, formatted, &va);
	if (where == FAULTED)
		return false;
	if (!store) {
		if (where == INSIDE && !pl_sm_mem_read(unit->w, op, PL_ISA_GLOBAL, va, data, bytes, unit->lane))
			return false;
		pack_values(op, R, unit->lane, data, false);
		return true;
	}
	if (where == OUTSIDE)
		return true;
	if (formatted) {
		for (unsigned k = 0; k < 1u << PL_SM_TEX_VEC(op->x) && k < 4; k++)
			value[k] = slot_of(R, op->d, k, unit->lane);
		pl_sm_texel_encode(&unit->image, value, data);
	} else {
		pack_values(op, R, unit->lane, data, true);
	}
	return pl_sm_mem_write(unit->w, op, PL_ISA_GLOBAL, va, data, bytes, unit->lane);
}

static __attribute__((noinline)) void surface_do(PL_SM_ARGS, bool store)
{
	struct pl_sm_unit unit = { .w = w, .op = op };

	for (uint32_t left = mask; left; left &= left - 1) {
		unit.lane = (uint32_t)__builtin_ctz(left);
		if (!surface_lane(&unit, R, store))
			return;
	}
}

static uint64_t reduce(unsigned atom, unsigned type, uint64_t old, uint64_t b)
{
	bool is_signed = type == PL_ISA_S32 || type == PL_ISA_S64;
	int64_t x = type == PL_ISA_S32 ? (int32_t)old : (int64_t)old, y = type == PL_ISA_S32 ? (int32_t)b : (int64_t)b;

	switch (atom) {
	case PL_ISA_ATOM_ADD:
		return old + b;
	case PL_ISA_ATOM_MIN:
		return (is_signed ? x < y : old < b) ? old : b;
	case PL_ISA_ATOM_MAX:
		return (is_signed ? x > y : old > b) ? old : b;
	case PL_ISA_ATOM_AND:
		return old & b;
	case PL_ISA_ATOM_OR:
		return old | b;
	default:
		return old ^ b;
	}
}

static bool sured_lane(struct pl_sm_unit *unit, const char *R)
{
	const struct pl_sm_op *op = unit->op;
	unsigned bytes = pl_isa_type_bytes(op->type);
	enum where where;
	uint64_t va;
	void *at;

	if (!surface_load(unit, R))
		return false;
	where = surface_at(unit, R, bytes, false, &va);
	if (where != INSIDE)
		return where == OUTSIDE;
	at = pl_sm_mem_at(unit->w, op, PL_ISA_GLOBAL, va, bytes, PL_RG_ATOMIC, unit->lane);
	if (!at)
		return false;
	if (bytes == 4) {
		uint32_t *p = at, old = __atomic_load_n(p, __ATOMIC_RELAXED), b = slot_of(R, op->b, 0, unit->lane);
		while (!__atomic_compare_exchange_n(p, &old, (uint32_t)reduce(op->sub, op->type, old, b), false,
						    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
			;
	} else {
		uint64_t *p = at, old = __atomic_load_n(p, __ATOMIC_RELAXED),
			 b = ((const uint64_t *)(const void *)(R + op->b))[unit->lane];
		while (!__atomic_compare_exchange_n(p, &old, reduce(op->sub, op->type, old, b), false, __ATOMIC_SEQ_CST,
						    __ATOMIC_RELAXED))
			;
	}
	return true;
}

static __attribute__((noinline)) void sured_do(PL_SM_ARGS)
{
	struct pl_sm_unit unit = { .w = w, .op = op };

	for (uint32_t left = mask; left; left &= left - 1) {
		unit.lane = (uint32_t)__builtin_ctz(left);
		if (!sured_lane(&unit, R))
			return;
	}
}

#define HANDLER(name, call)                                                                                            \
	static void name(PL_SM_ARGS)                                                                                   \
	{                                                                                                              \
		call;                                                                                                  \
		if (w->stop)                                                                                           \
			return;                                                                                        \
		PL_SM_NEXT;                                                                                            \
	}
HANDLER(tld4_h, tex_do(w, op, R, mask, true))
HANDLER(txq_h, txq_do(w, op, R, mask))
HANDLER(suld_h, surface_do(w, op, R, mask, false))
HANDLER(sust_h, surface_do(w, op, R, mask, true))
HANDLER(sured_h, sured_do(w, op, R, mask))

void pl_sm_tex_operands(const struct pl_isa_fields *f, struct pl_sm_op *op)
{
	op->x = f->geometry | (uint32_t)f->array << 3 | (uint32_t)f->lod << 4 | (uint32_t)f->coord_int << 6 |
		(uint32_t)f->offsets << 7 | (uint32_t)f->clamp << 8 | (uint32_t)f->vec << 10 |
		(uint32_t)f->handle_u << 12;
	op->c = f->handle_u ? f->c : f->c * PL_SM_SLOT_BYTES;
	op->imm = f->imm;
}

bool pl_sm_bind_texture(const struct pl_isa_fields *f, struct pl_sm_op *op)
{
	static const pl_sm_fn handlers[PL_ISA_OP_COUNT] = {
		[PL_ISA_TLD4] = tld4_h, [PL_ISA_TXQ] = txq_h,     [PL_ISA_SULD] = suld_h,
		[PL_ISA_SUST] = sust_h, [PL_ISA_SURED] = sured_h,
	};

	if (!handlers[f->op] || (f->op == PL_ISA_SURED && f->bkind != PL_ISA_B_REG))
		return false;
	pl_sm_tex_operands(f, op);
	op->fn[0] = op->fn[1] = handlers[f->op];
	return true;
}
