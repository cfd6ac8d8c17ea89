/*
 * Textures, 32 lanes at a time: one image of one level for all lanes, point and linear, 1D, 2D, 3D and layers.  The
 * rest (cubes, levels, sRGB, what lies far away, check mode) goes lane by lane (texture.c), with the same results.
 */
#include "refgpu/compute/half.h"
#include "refgpu/compute/sampler.h"
#include "refgpu/compute/vec-mem.h"

#define FAR         0x1p21f     /* texels from 0: there a float and its index are exact in every step below */
#define EXTENT_MAX  0x7fffffffu /* bytes of an image, so that offsets have 32 bits */
#define LANES(type) _Alignas(64) type

struct view { /* what all lanes share */
	const struct pl_isa_image *image;
	const struct pl_isa_sampler *sampler;
	struct pl_sm_warp *w;
	uint32_t mask, pitch, slice, bytes, layers;
	int32_t size[3], offset[3];
	unsigned dims, mode[3];
	bool array, linear, integer, integers, normalized;
};

struct axis { /* indices of one dimension: the texel, or the two neighbours */
	LANES(int32_t) index[2][32];
	LANES(uint32_t) out[2][32]; /* all ones: beyond the border */
	LANES(float) weight[32];    /* of the second */
	bool any_out;
};

/* The same handle in all lanes.  False: not so. */
static bool handle_find(const struct pl_sm_warp *w, const struct pl_sm_op *op, const char *R, uint32_t mask,
			uint64_t *handle_out)
{
	const uint64_t *c = (const void *)(R + op->c);
	uint64_t first, differ = 0;

	if (PL_SM_TEX_U(op->x)) {
		*handle_out = w->frame.U[op->c];
		return true;
	}
	first = c[FIRST(mask)];
	LANES_LOOP differ |= ON(uint64_t) ? c[i] ^ first : 0;
	*handle_out = first;
	return !differ;
}

static unsigned mode_of(const struct view *v, unsigned k)
{
	unsigned mode = v->image->flags & PL_ISA_IMAGE_BUFFER ? PL_ISA_BORDER : v->sampler->wrap[k];

	return !v->normalized && (mode == PL_ISA_WRAP || mode == PL_ISA_MIRROR) ? PL_ISA_CLAMP : mode;
}

static void view_fill(struct view *v, struct pl_sm_unit *unit, const struct pl_sm_op *op, uint32_t mask)
{
	const struct pl_isa_image *image = &unit->image;
	unsigned geometry = PL_SM_TEX_GEOMETRY(op->x);

	*v = (struct view){ .image = image, .sampler = &unit->sampler, .mask = mask, .w = unit->w };
	v->array = PL_SM_TEX_ARRAY(op->x);
	v->integer = PL_SM_TEX_INT(op->x);
	v->integers = op->type != PL_ISA_F32;
	v->normalized = unit->sampler.flags & PL_ISA_SAMPLER_NORMALIZED_COORDS;
	v->linear = unit->sampler.filter == PL_ISA_LINEAR && !v->integer && !v->integers &&
		    !(image->flags & PL_ISA_IMAGE_BUFFER);
	v->bytes = pl_sm_image_texel_bytes(image);
	v->layers = image->flags & PL_ISA_IMAGE_LAYERED ? image->depth : 1;
	v->size[0] = (int32_t)image->width, v->size[1] = (int32_t)image->height;
	v->size[2] = v->layers > 1 ? 1 : (int32_t)image->depth;
	v->dims = geometry == PL_ISA_GEOM_1D ? 1 : geometry == PL_ISA_GEOM_3D ? 3 : 2;
	/* as place_find() has it: a line lies at y = 0 of one row */
	if (v->dims == 1 && !v->array && unit->sampler.wrap[1] == PL_ISA_BORDER)
		v->dims = 2;
	for (unsigned k = 0; k < 3; k++) {
		v->mode[k] = mode_of(v, k);
		v->offset[k] = PL_SM_TEX_OFFSETS(op->x) ? (int8_t)(op->imm >> 8 * k) : 0;
	}
}

/* Are offsets within the image 32-bit numbers, and texels where their size says?  What is not goes lane by lane. */
static bool view_good(struct view *v)
{
	const struct pl_isa_image *image = v->image;
	uint64_t rows = v->dims > 1 ? image->height : 1, slices;

	slices = v->dims > 2 ? (uint32_t)v->size[2] : v->array ? v->layers : 1;
	if (image->pitch_bytes > EXTENT_MAX || image->slice_bytes > EXTENT_MAX ||
	    image->va > PL_ISA_LOCAL_BASE - EXTENT_MAX ||
	    ((image->va | image->pitch_bytes | image->slice_bytes) & (v->bytes - 1)))
		return false;
	v->pitch = (uint32_t)image->pitch_bytes;
	v->slice = (uint32_t)image->slice_bytes;
	return (uint64_t)v->bytes * image->width + (rows - 1) * v->pitch + (slices - 1) * v->slice <= EXTENT_MAX;
}

/* Indices by the address mode. */
static void wrap(const struct view *v, unsigned k, int32_t index[32], uint32_t out[32], bool *any_out)
{
	const int32_t size = v->size[k], twice = 2 * size;
	uint32_t beyond = 0, mask = v->mask;

	LANES_LOOP out[i] = ON(uint32_t) && (uint32_t)index[i] >= (uint32_t)size ? ~0u : 0;
	LANES_LOOP beyond |= out[i];
	LANES_LOOP index[i] = ON(uint32_t) ? index[i] : 0;
	if (!beyond)
		return;
	switch (v->mode[k]) {
	case PL_ISA_WRAP:
	case PL_ISA_MIRROR: {
		const int32_t period = v->mode[k] == PL_ISA_WRAP ? size : twice;

		LANES_LOOP
		{
			int32_t q = (int32_t)((float)index[i] / (float)period), m = index[i] - q * period;

			m = m < 0 ? m + period : m;
			index[i] = m < size ? m : twice - 1 - m;
			out[i] = 0;
		}
		return;
	}
	case PL_ISA_CLAMP:
		LANES_LOOP
		{
			int32_t low = index[i] < 0 ? 0 : index[i];

			index[i] = low < size ? low : size - 1;
			out[i] = 0;
		}
		return;
	default:
		LANES_LOOP index[i] = out[i] ? 0 : index[i];
		*any_out = true;
	}
}

/* Coordinates of one dimension.  False: some lie too far away. */
static bool axis_find(const struct view *v, unsigned k, const float *at, struct axis *axis)
{
	const float scale = v->normalized ? (float)v->size[k] : 1.0f, shift = v->linear ? 0.5f : 0.0f;
	const int32_t offset = v->offset[k];
	uint32_t far = 0, mask = v->mask, most = f32_bits(FAR);
	LANES(float) x[32];

	LANES_LOOP x[i] = at[i] * scale - shift;
	LANES_LOOP
	{
		uint32_t bits = f32_bits(x[i]), beyond = (bits & 0x7fffffff) > most ? ~0u : 0;

		beyond &= ON(uint32_t) ? ~0u : 0;
		far |= beyond;
		x[i] = bits_f32(ON(uint32_t) ? bits & ~beyond : 0);
	}
	LANES_LOOP
	{
		int32_t whole = (int32_t)x[i];
		float low;

		whole -= (float)whole > x[i] ? 1 : 0;
		low = x[i] - (float)whole;
		axis->weight[i] = (float)(int32_t)(low * 256.0f + 0.5f) * (1.0f / 256.0f);
		axis->index[0][i] = whole + offset;
		axis->index[1][i] = whole + offset + 1;
	}
	if (far)
		return false;
	axis->any_out = false;
	wrap(v, k, axis->index[0], axis->out[0], &axis->any_out);
	if (v->linear)
		wrap(v, k, axis->index[1], axis->out[1], &axis->any_out);
	return true;
}

/* Whole coordinates: beyond the image is nothing, whatever the address mode. */
static void axis_whole(const struct view *v, unsigned k, const int32_t *at, struct axis *axis)
{
	const uint32_t size = (uint32_t)v->size[k];
	uint32_t mask = v->mask, beyond = 0;

	LANES_LOOP
	{
		axis->out[0][i] = ON(uint32_t) && (uint32_t)at[i] >= size ? ~0u : 0;
		axis->index[0][i] = (uint32_t)at[i] < size ? at[i] : 0;
		beyond |= axis->out[0][i];
	}
	axis->any_out = beyond != 0;
}

/* The words of the texels of those lanes that lie in one run of pages with the first one; returns the others. */
static uint32_t run_load(const struct view *v, const struct pl_mmu_run *run, const uint32_t offset[32], uint32_t mask,
			 uint32_t words[4][32])
{
	const uint64_t va = v->image->va, begin = run->begin > va ? run->begin : va;
	const uint8_t *host = run->host + (begin - run->begin);
	const uint64_t room = run->begin + run->bytes - begin - v->bytes;
	const uint32_t from = (uint32_t)(begin - va), most = room < EXTENT_MAX ? (uint32_t)room : EXTENT_MAX;
	const uint32_t skip = (uint32_t)((uintptr_t)host & 3), align = v->bytes < 4 ? ~3u : ~0u;
	LANES(uint32_t) at[32];
	uint32_t in = 0;

	host -= skip;
	LANES_LOOP at[i] = offset[i] - from;
	LANES_LOOP in |= at[i] <= most ? lane_bit[i] : 0;
	in &= mask;
	LANES_LOOP at[i] = (at[i] + skip) & align;
	gather4(words[0], host, at, in);
	for (unsigned k = 1; k < v->bytes / 4; k++)
		gather4(words[k], host + 4 * k, at, in);
	return mask & ~in;
}

/* The words of a texel, of lanes at `offset`; those of small texels shifted down.  False: some are not there. */
static bool words_load(const struct view *v, const uint32_t offset[32], uint32_t words[4][32])
{
	memset(words, 0, v->bytes < 4 ? 128 : 32 * v->bytes);
	for (uint32_t left = v->mask; left;) {
		const struct pl_mmu_run *run =
			pl_mmu_run_at(&v->w->sm->tlb, v->image->va + offset[FIRST(left)], PL_RG_READ);

		if (!run)
			return false;
		left = run_load(v, run, offset, left, words);
	}
	if (v->bytes < 4) {
		const uint32_t skip = (uint32_t)v->image->va & 3;

		LANES_LOOP words[0][i] >>= 8 * ((offset[i] + skip) & 3);
	}
	return true;
}

/* One channel as pl_sm_texel_decode() gives it: i. */
static void channel_raw(const struct view *v, unsigned k, uint32_t words[4][32], uint32_t raw[32])
{
	const unsigned bits = v->image->channel_bits;
	const uint32_t *word = words[k * bits / 32];
	const unsigned up = 32 - bits - k * bits % 32, down = 32 - bits;

	if (v->image->texel == PL_ISA_TEXEL_SIGNED)
		LANES_LOOP raw[i] = (uint32_t)((int32_t)(word[i] << up) >> down);
	else
		LANES_LOOP raw[i] = word[i] << up >> down;
}

/* A quotient of 8 or 16 bits by all ones repeats its digits, so that one rounding gives what two give. */
static void channel_float(const struct view *v, const uint32_t raw[32], float f[32])
{
	const unsigned bits = v->image->channel_bits;

	if (v->image->texel == PL_ISA_TEXEL_FLOAT) {
		if (bits == 16)
			LANES_LOOP f[i] = f16_to_f32((uint16_t)raw[i]);
		else
			memcpy(f, raw, 128);
	} else if (v->image->texel == PL_ISA_TEXEL_UNSIGNED) {
		if (bits == 32)
			LANES_LOOP f[i] = (float)((double)raw[i] / 0xffffffffu);
		else if (bits == 16)
			LANES_LOOP f[i] = (float)(int32_t)raw[i] / 65535.0f;
		else
			LANES_LOOP f[i] = (float)(int32_t)raw[i] / 255.0f;
	} else {
		const float most = bits == 16 ? 32767.0f : 127.0f;

		if (bits == 32)
			LANES_LOOP f[i] = (float)((double)(int32_t)raw[i] / 0x7fffffff);
		else
			LANES_LOOP f[i] = (float)(int32_t)raw[i] / most;
		LANES_LOOP f[i] = f[i] > -1.0f ? f[i] : -1.0f;
	}
}

/* Channel k of the lanes' texels. */
static void channel_get(const struct view *v, unsigned k, uint32_t words[4][32], const uint32_t out[32], bool any_out,
			float f[32])
{
	bool nothing = v->image->flags & PL_ISA_IMAGE_BUFFER || v->integer;
	LANES(uint32_t) raw[32];

	if (k < v->image->channels) {
		channel_raw(v, k, words, raw);
		channel_float(v, raw, f);
	} else {
		LANES_LOOP f[i] = k == 3 ? 1.0f : 0.0f;
	}
	if (any_out) {
		const float border = nothing ? 0.0f : v->sampler->border[k];

		LANES_LOOP f[i] = out[i] ? border : f[i];
	}
}

/* The same where integers are wanted. */
static void channel_get_integer(const struct view *v, unsigned k, uint32_t words[4][32], const uint32_t out[32],
				bool any_out, uint32_t value[32])
{
	bool nothing = v->image->flags & PL_ISA_IMAGE_BUFFER || v->integer;

	if (k < v->image->channels) {
		channel_raw(v, k, words, value);
		if (v->image->texel == PL_ISA_TEXEL_FLOAT && v->image->channel_bits == 16)
			LANES_LOOP value[i] = f32_bits(f16_to_f32((uint16_t)value[i]));
	} else {
		LANES_LOOP value[i] = k == 3;
	}
	if (any_out) {
		const uint32_t border = nothing ? 0 : f32_bits(v->sampler->border[k]);

		LANES_LOOP value[i] = out[i] ? border : value[i];
	}
}

static void lanes_put(uint32_t *d, const uint32_t *value, uint32_t mask)
{
	if (mask == PL_SM_ALL)
		LANES_LOOP d[i] = value[i];
	else
		LANES_LOOP KEEP(uint32_t, d, value[i]);
}

/* Offsets of one corner's texels: bit k of `corner` takes the second index of dimension k. */
static bool corner_find(const struct view *v, const struct axis axes[3], const uint32_t layer[32], unsigned corner,
			uint32_t offset[32], uint32_t out[32])
{
	const int32_t *x = axes[0].index[corner & 1], *y = axes[1].index[corner >> 1 & 1],
		      *z = axes[2].index[corner >> 2 & 1];
	const uint32_t bytes = v->bytes, pitch = v->pitch, slice = v->slice;
	bool any_out = axes[0].any_out;

	if (v->dims > 2)
		LANES_LOOP offset[i] = (uint32_t)x[i] * bytes + (uint32_t)y[i] * pitch + (uint32_t)z[i] * slice;
	else if (v->dims > 1)
		LANES_LOOP offset[i] = (uint32_t)x[i] * bytes + (uint32_t)y[i] * pitch;
	else
		LANES_LOOP offset[i] = (uint32_t)x[i] * bytes;
	if (v->array)
		LANES_LOOP offset[i] += layer[i] * slice;
	for (unsigned k = 1; k < v->dims; k++)
		any_out |= axes[k].any_out;
	if (!any_out)
		return false;
	LANES_LOOP out[i] = axes[0].out[corner & 1][i];
	for (unsigned k = 1; k < v->dims; k++) {
		const uint32_t *more = axes[k].out[corner >> k & 1];

		LANES_LOOP out[i] |= more[i];
	}
	return true;
}

static bool sample_point(const struct view *v, const struct axis axes[3], const uint32_t layer[32], uint32_t *d)
{
	LANES(uint32_t) offset[32], out[32], words[4][32], value[32];
	LANES(float) f[32];
	bool any_out = corner_find(v, axes, layer, 0, offset, out);

	if (!words_load(v, offset, words))
		return false;
	for (unsigned k = 0; k < 4; k++) {
		if (v->integers) {
			channel_get_integer(v, k, words, out, any_out, value);
		} else {
			channel_get(v, k, words, out, any_out, f);
			memcpy(value, f, sizeof(value));
		}
		lanes_put(d + 32 * k, value, v->mask);
	}
	return true;
}

static void weights_find(const struct view *v, const struct axis axes[3], unsigned corner, double part[32])
{
	LANES_LOOP part[i] = corner & 1 ? (double)axes[0].weight[i] : (double)(1.0f - axes[0].weight[i]);
	for (unsigned k = 1; k < v->dims; k++) {
		const float *weight = axes[k].weight;

		if (corner >> k & 1)
			LANES_LOOP part[i] *= (double)weight[i];
		else
			LANES_LOOP part[i] *= (double)(1.0f - weight[i]);
	}
}

/* Sums in double precision, in the order of sample_linear(): no product of them is rounded. */
static bool sample_linear(const struct view *v, const struct axis axes[3], const uint32_t layer[32], uint32_t *d)
{
	LANES(uint32_t) offset[32], out[32], words[4][32], value[32];
	LANES(double) sum[4][32], part[32];
	LANES(float) f[32];
	unsigned channels = v->image->channels;
	bool any_out = false;

	for (unsigned k = 0; k < v->dims; k++)
		any_out |= axes[k].any_out;
	channels = any_out ? 4 : channels; /* a border has all four */
	memset(sum, 0, channels * sizeof(sum[0]));
	for (unsigned corner = 0; corner < 1u << v->dims; corner++) {
		corner_find(v, axes, layer, corner, offset, out);
		weights_find(v, axes, corner, part);
		if (!words_load(v, offset, words))
			return false;
		for (unsigned k = 0; k < channels; k++) {
			double *s = sum[k];

			channel_get(v, k, words, out, any_out, f);
			LANES_LOOP s[i] += part[i] == 0 ? 0.0 : part[i] * (double)f[i];
		}
	}
	for (unsigned k = 0; k < 4; k++) {
		const double *s = sum[k];

		if (k < channels)
			LANES_LOOP f[i] = (float)s[i];
		else
			LANES_LOOP f[i] = k == 3 ? 1.0f : 0.0f;
		memcpy(value, f, sizeof(value));
		lanes_put(d + 32 * k, value, v->mask);
	}
	return true;
}

static void layers_find(const struct view *v, const int32_t *at, uint32_t layer[32])
{
	const int32_t most = (int32_t)v->layers - 1;
	uint32_t mask = v->mask;

	LANES_LOOP
	{
		int32_t low = ON(uint32_t) && at[i] > 0 ? at[i] : 0;

		layer[i] = (uint32_t)(low < most ? low : most);
	}
}

/* False: not done. */
static bool sample(struct pl_sm_warp *w, const struct pl_sm_op *op, char *R, uint32_t mask, struct pl_sm_unit *unit)
{
	static const LANES(float) zeros[32];
	const char *at = R + op->a;
	LANES(uint32_t) layer[32];
	struct axis axes[3];
	unsigned given = PL_SM_TEX_GEOMETRY(op->x) == PL_ISA_GEOM_1D ? 1 : 3, texels;
	struct view v;

	view_fill(&v, unit, op, mask);
	if ((v.array && v.dims == 3) || (v.integer && PL_SM_TEX_OFFSETS(op->x)) || !view_good(&v))
		return false;
	if (v.array) {
		layers_find(&v, (const void *)at, layer);
		at += PL_SM_SLOT_BYTES;
	}
	for (unsigned k = 0; k < v.dims; k++) {
		const void *from = k < given ? (const void *)(at + k * PL_SM_SLOT_BYTES) : zeros;

		if (v.integer)
			axis_whole(&v, k, from, &axes[k]);
		else if (!axis_find(&v, k, from, &axes[k]))
			return false;
	}
	if (!(v.linear ? sample_linear : sample_point)(&v, axes, layer, PL_SM_REG(uint32_t, d)))
		return false;
	texels = v.linear ? 1u << v.dims : 1;
	w->sm->bytes_read += (uint64_t)__builtin_popcount(mask) * texels * v.bytes;
	return true;
}

static __attribute__((noinline)) void tex_do(PL_SM_ARGS)
{
	struct pl_sm_unit *unit = w->sm->texture;
	uint64_t handle;

	unit->w = w;
	unit->op = op;
	unit->lane = FIRST(mask);
	if (w->block->check || PL_SM_TEX_GEOMETRY(op->x) == PL_ISA_GEOM_CUBE || !handle_find(w, op, R, mask, &handle)) {
		pl_sm_tex_lanes(w, op, R, mask);
		return;
	}
	if (!pl_sm_unit_load(unit, handle, true))
		return;
	if ((unit->image.levels > 1 && unit->image.levels_va) || unit->image.flags & PL_ISA_IMAGE_CUBE ||
	    (unit->sampler.flags & PL_ISA_SAMPLER_SRGB && unit->image.channel_bits == 8) ||
	    !sample(w, op, R, mask, unit))
		pl_sm_tex_lanes(w, op, R, mask);
}

static void tex_h(PL_SM_ARGS)
{
	tex_do(w, op, R, mask);
	if (w->stop)
		return;
	PL_SM_NEXT;
}

bool V(pl_sm_bind_texture)(const struct pl_isa_fields *f, struct pl_sm_op *op);
bool V(pl_sm_bind_texture)(const struct pl_isa_fields *f, struct pl_sm_op *op)
{
	if (f->op != PL_ISA_TEX)
		return false;
	pl_sm_tex_operands(f, op);
	op->fn[0] = op->fn[1] = tex_h;
	return true;
}
