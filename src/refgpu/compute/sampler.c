/* Texture sampling; see sampler.h. */
#include <math.h>
#include <string.h>

#include "refgpu/compute/half.h"
#include "refgpu/compute/sampler.h"

struct level {
	uint64_t va, pitch, slice;
	int32_t size[3];
	uint32_t layers;
};

static bool bad(struct pl_sm_unit *unit)
{
	pl_sm_fault(unit->w, unit->op, PL_RG_FAULT_BAD_TEXTURE, PL_RG_READ, unit->handle, unit->lane);
	return false;
}

unsigned pl_sm_image_texel_bytes(const struct pl_isa_image *image)
{
	return image->channels * image->channel_bits / 8u;
}

static bool image_good(const struct pl_isa_image *image)
{
	bool channels = image->channels == 1 || image->channels == 2 || image->channels == 4;
	bool bits = image->channel_bits == 8 || image->channel_bits == 16 || image->channel_bits == 32;
	uint32_t width_max = image->flags & PL_ISA_IMAGE_BUFFER ? 1u << 28 : 1u << 17;

	return channels && bits && image->texel <= PL_ISA_TEXEL_FLOAT &&
	       !(image->texel == PL_ISA_TEXEL_FLOAT && image->channel_bits == 8) && image->width &&
	       image->width <= width_max && image->height && image->height <= 1u << 17 && image->depth &&
	       image->depth <= 1u << 14 && image->levels && image->levels <= PL_ISA_IMAGE_LEVELS_MAX;
}

bool pl_sm_unit_load(struct pl_sm_unit *unit, uint64_t handle, bool sampled)
{
	const struct pl_isa_launch *desc = &unit->w->sm->grid->desc;
	uint64_t image = handle & 0xfffff, sampler = handle >> 20 & 0xfff;

	if (unit->loaded && unit->handle == handle && unit->sampled == sampled)
		return true;
	unit->handle = handle;
	unit->loaded = false;
	if (handle >> 32 || image >= desc->image_count || (sampled && sampler >= desc->sampler_count))
		return bad(unit);
	if (!pl_sm_mem_read(unit->w, unit->op, PL_ISA_GLOBAL, desc->image_va + image * sizeof(unit->image),
			    &unit->image, sizeof(unit->image), unit->lane))
		return false;
	if (sampled &&
	    !pl_sm_mem_read(unit->w, unit->op, PL_ISA_GLOBAL, desc->sampler_va + sampler * sizeof(unit->sampler),
			    &unit->sampler, sizeof(unit->sampler), unit->lane))
		return false;
	if (!image_good(&unit->image))
		return bad(unit);
	unit->loaded = true;
	unit->sampled = sampled;
	return true;
}

static bool level_load(struct pl_sm_unit *unit, uint32_t number, struct level *level)
{
	const struct pl_isa_image *image = &unit->image;
	struct pl_isa_image_level row;

	level->layers = image->flags & (PL_ISA_IMAGE_LAYERED | PL_ISA_IMAGE_CUBE) ? image->depth : 1;
	if (image->levels == 1 || !image->levels_va) {
		level->va = image->va, level->pitch = image->pitch_bytes, level->slice = image->slice_bytes;
		level->size[0] = (int32_t)image->width, level->size[1] = (int32_t)image->height;
		level->size[2] = level->layers > 1 ? 1 : (int32_t)image->depth;
		return true;
	}
	if (!pl_sm_mem_read(unit->w, unit->op, PL_ISA_GLOBAL, image->levels_va + number * sizeof(row), &row,
			    sizeof(row), unit->lane))
		return false;
	if (!row.width || !row.height || !row.depth || (row.width | row.height | row.depth) > 1u << 17)
		return bad(unit);
	level->va = row.va, level->pitch = row.pitch_bytes, level->slice = row.slice_bytes;
	level->size[0] = (int32_t)row.width, level->size[1] = (int32_t)row.height;
	level->size[2] = level->layers > 1 ? 1 : (int32_t)row.depth;
	return true;
}

static float srgb(float v)
{
	return v <= 0.04045f ? v / 12.92f : powf((v + 0.055f) / 1.055f, 2.4f);
}

void pl_sm_texel_decode(const struct pl_isa_image *image, const void *at, struct pl_sm_texel *out)
{
	unsigned bits = image->channel_bits;

	*out = (struct pl_sm_texel){ .f = { 0, 0, 0, 1 }, .i = { 0, 0, 0, 1 } };
	for (unsigned k = 0; k < image->channels; k++) {
		uint32_t raw = 0;

		memcpy(&raw, (const char *)at + k * bits / 8, bits / 8);
		if (image->texel == PL_ISA_TEXEL_SIGNED && bits < 32)
			raw = (uint32_t)((int32_t)(raw << (32 - bits)) >> (32 - bits));
		out->i[k] = raw;
		if (image->texel == PL_ISA_TEXEL_FLOAT)
			out->f[k] = bits == 16 ? f16_to_f32((uint16_t)raw) : bits_f32(raw);
		else if (image->texel == PL_ISA_TEXEL_UNSIGNED)
			out->f[k] = (float)((double)raw / (bits == 32 ? 0xffffffffu : (1u << bits) - 1));
		else
			out->f[k] = fmaxf(-1.0f, (float)((double)(int32_t)raw / ((1u << (bits - 1)) - 1)));
		if (image->texel == PL_ISA_TEXEL_FLOAT && bits == 16)
			out->i[k] = f32_bits(out->f[k]);
	}
}

static int64_t clamped(int64_t v, int64_t low, int64_t high)
{
	return v < low ? low : v > high ? high : v;
}

void pl_sm_texel_encode(const struct pl_isa_image *image, const uint32_t value[4], void *at)
{
	unsigned bits = image->channel_bits;

	for (unsigned k = 0; k < image->channels; k++) {
		uint32_t raw = value[k];

		if (image->texel == PL_ISA_TEXEL_FLOAT && bits == 16)
			raw = f32_to_f16(bits_f32(raw));
		else if (image->texel == PL_ISA_TEXEL_SIGNED && bits < 32)
			raw = (uint32_t)clamped((int32_t)raw, -(1 << (bits - 1)), (1 << (bits - 1)) - 1);
		else if (image->texel == PL_ISA_TEXEL_UNSIGNED && bits < 32)
			raw = (uint32_t)clamped(raw, 0, (1 << bits) - 1);
		memcpy((char *)at + k * bits / 8, &raw, bits / 8);
	}
}

/* An index along one dimension by the address mode.  False: the border. */
static bool wrap_index(unsigned mode, int64_t *index, int32_t size)
{
	int64_t i = *index, m;

	if (i >= 0 && i < size)
		return true;
	switch (mode) {
	case PL_ISA_WRAP:
		m = i % size;
		*index = m < 0 ? m + size : m;
		return true;
	case PL_ISA_MIRROR:
		m = i % (2 * (int64_t)size);
		m = m < 0 ? m + 2 * (int64_t)size : m;
		*index = m < size ? m : 2 * (int64_t)size - 1 - m;
		return true;
	case PL_ISA_CLAMP:
		*index = i < 0 ? 0 : size - 1;
		return true;
	default:
		return false;
	}
}

static bool texel_at(struct pl_sm_unit *unit, const struct level *level, const int64_t index[3], uint32_t layer,
		     struct pl_sm_texel *out)
{
	const struct pl_isa_image *image = &unit->image;
	const struct pl_isa_sampler *sampler = &unit->sampler;
	unsigned bytes = pl_sm_image_texel_bytes(image);
	bool inside = true;
	int64_t at[3];
	char data[16];

	for (int k = 0; k < 3; k++) {
		unsigned mode = image->flags & PL_ISA_IMAGE_BUFFER ? PL_ISA_BORDER : sampler->wrap[k];

		if (!(sampler->flags & PL_ISA_SAMPLER_NORMALIZED_COORDS) &&
		    (mode == PL_ISA_WRAP || mode == PL_ISA_MIRROR))
			mode = PL_ISA_CLAMP;
		if (image->flags & PL_ISA_IMAGE_CUBE)
			mode = PL_ISA_CLAMP;
		at[k] = index[k];
		inside = wrap_index(mode, &at[k], level->size[k]) && inside;
	}
	if (!inside) {
		for (int k = 0; k < 4; k++) {
			out->f[k] = image->flags & PL_ISA_IMAGE_BUFFER ? 0 : sampler->border[k];
			out->i[k] = image->flags & PL_ISA_IMAGE_BUFFER ? 0 : f32_bits(sampler->border[k]);
		}
		return true;
	}
	if (!pl_sm_mem_read(unit->w, unit->op, PL_ISA_GLOBAL,
			    level->va + ((uint64_t)at[2] + layer) * level->slice + (uint64_t)at[1] * level->pitch +
				    (uint64_t)at[0] * bytes,
			    data, bytes, unit->lane))
		return false;
	pl_sm_texel_decode(image, data, out);
	if (sampler->flags & PL_ISA_SAMPLER_SRGB && image->channel_bits == 8)
		for (int k = 0; k < 3; k++)
			out->f[k] = srgb(out->f[k]);
	return true;
}

/* Face of a cube and the two coordinates on it, normalized. */
static uint32_t cube_face(const float at[3], float st[2])
{
	float a[3] = { fabsf(at[0]), fabsf(at[1]), fabsf(at[2]) }, s, t, m;
	uint32_t face;

	if (a[0] >= a[1] && a[0] >= a[2]) {
		face = at[0] < 0 ? 1 : 0;
		m = a[0], s = face ? at[2] : -at[2], t = -at[1];
	} else if (a[1] >= a[2]) {
		face = at[1] < 0 ? 3 : 2;
		m = a[1], s = at[0], t = face == 3 ? -at[2] : at[2];
	} else {
		face = at[2] < 0 ? 5 : 4;
		m = a[2], s = face == 5 ? -at[0] : at[0], t = -at[1];
	}
	st[0] = m > 0 ? (s / m + 1) * 0.5f : 0.5f;
	st[1] = m > 0 ? (t / m + 1) * 0.5f : 0.5f;
	return face;
}

struct place { /* in texels of one level */
	float at[3];
	uint32_t layer;
	unsigned dims;
};

static int64_t floor_index(float v)
{
	return v >= -0x1p40f && v <= 0x1p40f ? (int64_t)floorf(v) : v > 0 ? (int64_t)1 << 40 : -((int64_t)1 << 40);
}

static void place_find(const struct pl_sm_unit *unit, const struct pl_sm_coords *c, const struct level *level,
		       struct place *place)
{
	bool normalized = unit->sampler.flags & PL_ISA_SAMPLER_NORMALIZED_COORDS;
	uint32_t layers = level->layers;

	*place = (struct place){ .dims = c->geometry == PL_ISA_GEOM_1D ? 1 : c->geometry == PL_ISA_GEOM_3D ? 3 : 2 };
	if (c->geometry == PL_ISA_GEOM_CUBE) {
		float st[2];
		uint32_t face = cube_face(c->at, st), cubes = layers / 6;

		place->at[0] = st[0] * (float)level->size[0];
		place->at[1] = st[1] * (float)level->size[1];
		place->layer = (c->array && cubes ? (c->layer < cubes ? c->layer : cubes - 1) : 0) * 6 + face;
		place->layer = place->layer < layers ? place->layer : layers - 1;
		return;
	}
	for (unsigned k = 0; k < place->dims; k++)
		place->at[k] = c->integer   ? (float)c->whole[k]
			       : normalized ? c->at[k] * (float)level->size[k]
					    : c->at[k];
	place->layer = c->array ? (c->layer < layers ? c->layer : layers - 1) : 0;
	/* Hardware reads a line at y = 0 of one row: a border beside it has half of the weight. */
	if (c->geometry == PL_ISA_GEOM_1D && !c->array && unit->sampler.wrap[1] == PL_ISA_BORDER)
		place->dims = 2;
}

/* One level, nearest texel. */
static bool sample_point(struct pl_sm_unit *unit, const struct pl_sm_coords *c, const struct level *level,
			 const struct place *place, struct pl_sm_texel *out)
{
	int64_t index[3] = { 0, 0, 0 };
	bool inside = true;

	for (unsigned k = 0; k < place->dims; k++) {
		index[k] = (c->integer ? c->whole[k] : floor_index(place->at[k])) + c->offset[k];
		inside = inside && index[k] >= 0 && index[k] < level->size[k];
	}
	if (c->integer && !inside) { /* whatever the address mode is */
		*out = (struct pl_sm_texel){ 0 };
		return true;
	}
	return texel_at(unit, level, index, place->layer, out);
}

/* One level, 2, 4 or 8 texels; weights have 8 bits. */
static bool sample_linear(struct pl_sm_unit *unit, const struct pl_sm_coords *c, const struct level *level,
			  const struct place *place, struct pl_sm_texel *out)
{
	int64_t base[3] = { 0, 0, 0 };
	float weight[3] = { 0, 0, 0 };
	double sum[4] = { 0, 0, 0, 0 };

	for (unsigned k = 0; k < place->dims; k++) {
		float v = place->at[k] - 0.5f, part;

		base[k] = floor_index(v);
		part = v - floorf(v);
		weight[k] = part == part ? floorf(part * 256.0f + 0.5f) / 256.0f : 0;
		base[k] += c->offset[k];
	}
	for (unsigned corner = 0; corner < 1u << place->dims; corner++) {
		int64_t index[3];
		struct pl_sm_texel texel;
		double part = 1;

		for (unsigned k = 0; k < 3; k++) {
			index[k] = base[k] + (corner >> k & 1);
			part *= k >= place->dims ? 1.0 : corner >> k & 1 ? weight[k] : 1.0f - weight[k];
		}
		if (part == 0)
			continue;
		if (!texel_at(unit, level, index, place->layer, &texel))
			return false;
		for (int k = 0; k < 4; k++)
			sum[k] += part * texel.f[k];
	}
	for (int k = 0; k < 4; k++)
		out->f[k] = (float)sum[k];
	return true;
}

static bool sample_level(struct pl_sm_unit *unit, const struct pl_sm_coords *c, uint32_t number, bool integers,
			 struct pl_sm_texel *out)
{
	struct level level;
	struct place place;

	if (!level_load(unit, number, &level))
		return false;
	place_find(unit, c, &level, &place);
	if (unit->sampler.filter == PL_ISA_LINEAR && !c->integer && !integers &&
	    !(unit->image.flags & PL_ISA_IMAGE_BUFFER))
		return sample_linear(unit, c, &level, &place, out);
	return sample_point(unit, c, &level, &place, out);
}

static float lod_of(const struct pl_sm_unit *unit, const struct pl_sm_coords *c)
{
	const struct pl_isa_sampler *sampler = &unit->sampler;
	float size[3] = { (float)unit->image.width, (float)unit->image.height, (float)unit->image.depth }, rho = 0,
	      lod = 0;
	bool normalized = sampler->flags & PL_ISA_SAMPLER_NORMALIZED_COORDS;

	if (c->lod_mode == PL_ISA_LOD_LEVEL)
		lod = c->lod;
	for (int d = 0; d < 2 && c->lod_mode == PL_ISA_LOD_GRAD; d++) {
		float square = 0;

		for (int k = 0; k < 3; k++) {
			float v = c->grad[d][k] * (normalized ? size[k] : 1);
			square += v * v;
		}
		rho = fmaxf(rho, sqrtf(square));
	}
	if (c->lod_mode == PL_ISA_LOD_GRAD)
		lod = rho > 0 ? log2f(rho) : 0;
	lod += sampler->lod_bias;
	lod = fminf(fmaxf(lod, sampler->lod_min), fmaxf(sampler->lod_max, sampler->lod_min));
	return fminf(fmaxf(lod, 0), (float)(unit->image.levels - 1));
}

bool pl_sm_unit_sample(struct pl_sm_unit *unit, const struct pl_sm_coords *c, bool integers, struct pl_sm_texel *out)
{
	struct pl_sm_texel next;
	float lod, part;
	uint32_t base;

	if (unit->image.levels == 1 || !unit->image.levels_va)
		return sample_level(unit, c, 0, integers, out);
	lod = c->integer ? (float)clamped((int64_t)c->lod, 0, unit->image.levels - 1) : lod_of(unit, c);
	if (unit->sampler.mip_filter == PL_ISA_POINT || integers || c->integer)
		return sample_level(unit, c, (uint32_t)(lod + 0.5f), integers, out);
	base = (uint32_t)lod;
	part = floorf((lod - (float)base) * 256.0f + 0.5f) / 256.0f;
	if (!sample_level(unit, c, base, integers, out))
		return false;
	if (part == 0 || base + 1 >= unit->image.levels)
		return true;
	if (!sample_level(unit, c, base + 1, integers, &next))
		return false;
	for (int k = 0; k < 4; k++)
		out->f[k] = out->f[k] + (next.f[k] - out->f[k]) * part;
	return true;
}

bool pl_sm_unit_gather(struct pl_sm_unit *unit, const struct pl_sm_coords *c, unsigned component, bool integers,
		       struct pl_sm_texel *out)
{
	static const uint8_t corner[4][2] = { { 0, 1 }, { 1, 1 }, { 1, 0 }, { 0, 0 } };
	struct level level;
	struct place place;

	(void)integers;
	if (!level_load(unit, 0, &level))
		return false;
	place_find(unit, c, &level, &place);
	for (int k = 0; k < 4; k++) {
		int64_t index[3] = { floor_index(place.at[0] - 0.5f) + corner[k][0] + c->offset[0],
				     floor_index(place.at[1] - 0.5f) + corner[k][1] + c->offset[1], 0 };
		struct pl_sm_texel texel;

		if (!texel_at(unit, &level, index, place.layer, &texel))
			return false;
		out->f[k] = texel.f[component & 3];
		out->i[k] = texel.i[component & 3];
	}
	return true;
}
