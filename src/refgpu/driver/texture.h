/* Texture and surface objects: rows in two tables of the device's, of images and of samplers; a handle numbers both. */
#ifndef PL_REFGPU_DRIVER_TEXTURE_H
#define PL_REFGPU_DRIVER_TEXTURE_H

#include "refgpu/driver/array.h"

struct pl_cu_texture {
	CUtexObject handle; /* as kernels have it */
	CUDA_RESOURCE_DESC resource;
	CUDA_TEXTURE_DESC desc;
	CUDA_RESOURCE_VIEW_DESC view;
	bool has_view, surface;
	struct pl_cu_dev *dev;
	const struct pl_cu_ctx *ctx; /* that it goes with; NULL: with the reference that has it */
	uint32_t image, sampler;
	struct pl_cu_mem *levels; /* the device's list of a mipmapped array's levels */
};

int pl_cu_texture_init(struct pl_cu_dev *dev); /* 0 or -ENOSPC */

/* desc and view: NULL for surfaces; view: NULL = none.  Who creates it destroys it. */
CUresult pl_cu_texture_create(struct pl_cu_texture **texture_out, struct pl_cu_ctx *ctx,
			      const CUDA_RESOURCE_DESC *resource, const CUDA_TEXTURE_DESC *desc,
			      const CUDA_RESOURCE_VIEW_DESC *view);
void pl_cu_texture_destroy(struct pl_cu_texture *texture); /* NULL is fine */
void pl_cu_textures_end(struct pl_cu_ctx *ctx);            /* the API's objects of a context that goes away */
/* References that a program has made in it. */
void pl_cu_refs_end(struct pl_cu_ctx *ctx);

#endif
