/*
 * The texture unit: one lane's access at a time.  Filtering as CUDA's programming guide has it: linear weights have 8
 * bits of fraction; coordinates are single precision.
 */
#ifndef PL_REFGPU_COMPUTE_SAMPLER_H
#define PL_REFGPU_COMPUTE_SAMPLER_H

#include "refgpu/compute/mem.h"

struct pl_sm_unit { /* one operation of one warp: descriptors are read when the handle changes */
	struct pl_sm_warp *w;
	const struct pl_sm_op *op;
	uint32_t lane;
	uint64_t handle;
	bool loaded, sampled;
	struct pl_isa_image image;
	struct pl_isa_sampler sampler;
};

struct pl_sm_texel { /* of one kind: op->type F32: f, else i */
	float f[4];
	uint32_t i[4];
};

struct pl_sm_coords {
	float at[3];      /* normalized or texels, as the sampler says */
	int32_t whole[3]; /* where coordinates are integers */
	bool integer;
	uint32_t layer; /* index in the array */
	bool array;
	unsigned geometry, lod_mode;
	float lod;
	float grad[2][3];
	int8_t offset[3];
};

/* What op->x of these operations holds. */
#define PL_SM_TEX_GEOMETRY(x) ((x)&7)
#define PL_SM_TEX_ARRAY(x)    ((x) >> 3 & 1)
#define PL_SM_TEX_LOD(x)      ((x) >> 4 & 3)
#define PL_SM_TEX_INT(x)      ((x) >> 6 & 1) /* coordinates */
#define PL_SM_TEX_OFFSETS(x)  ((x) >> 7 & 1)
#define PL_SM_TEX_CLAMP(x)    ((x) >> 8 & 3)
#define PL_SM_TEX_VEC(x)      ((x) >> 10 & 3)
#define PL_SM_TEX_U(x)        ((x) >> 12 & 1) /* the handle is a U register */
void pl_sm_tex_operands(const struct pl_isa_fields *fields, struct pl_sm_op *op);
/* TEX, lane by lane; w->stop tells. */
void pl_sm_tex_lanes(struct pl_sm_warp *w, const struct pl_sm_op *op, char *R, uint32_t mask);

/* Loads the descriptors of a handle.  False = fault, raised (BAD_TEXTURE where the handle or the image makes no sense).
 */
bool pl_sm_unit_load(struct pl_sm_unit *unit, uint64_t handle, bool sampled);
bool pl_sm_unit_sample(struct pl_sm_unit *unit, const struct pl_sm_coords *coords, bool integers,
		       struct pl_sm_texel *out);
/* One component of the four texels that linear filtering would take. */
bool pl_sm_unit_gather(struct pl_sm_unit *unit, const struct pl_sm_coords *coords, unsigned component, bool integers,
		       struct pl_sm_texel *out);
unsigned pl_sm_image_texel_bytes(const struct pl_isa_image *image);
/* A texel's channels from memory, and back (surfaces with formats). */
void pl_sm_texel_decode(const struct pl_isa_image *image, const void *at, struct pl_sm_texel *out);
void pl_sm_texel_encode(const struct pl_isa_image *image, const uint32_t value[4], void *at);

#endif
