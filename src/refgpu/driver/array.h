/*
 * Arrays: memory that textures and surfaces read, whose layout is the driver's: lines of a pitch, slices of lines,
 * layers and faces as slices.  A mipmapped array is an array for each level.
 */
#ifndef PL_REFGPU_DRIVER_ARRAY_H
#define PL_REFGPU_DRIVER_ARRAY_H

#include "refgpu/driver/mem.h"
#include "refgpu/isa/texture.h"

struct pl_cu_array {
	CUarray handle;
	struct pl_cu_ctx *ctx; /* a reference */
	CUDA_ARRAY3D_DESCRIPTOR desc;
	uint32_t element_bytes, channels, channel_bits;
	enum pl_isa_texel texel;
	bool normalized;               /* of a format that is read as 0..1 or -1..1 always */
	uint64_t width, height, depth; /* 1 where there is none; depth: layers and faces too */
	uint64_t pitch, slice;
	struct pl_cu_mem *mem;       /* VRAM */
	struct pl_cu_mipmap *mipmap; /* whose level it is */
	struct pl_cu_array *next;    /* in ctx->arrays, under ctx->lock; levels are in none */
};

struct pl_cu_mipmap {
	CUmipmappedArray handle;
	struct pl_cu_ctx *ctx; /* a reference */
	CUDA_ARRAY3D_DESCRIPTOR desc;
	uint32_t levels_n;
	struct pl_cu_array *levels[PL_ISA_IMAGE_LEVELS_MAX];
	struct pl_cu_mipmap *next; /* in ctx->mipmaps, under ctx->lock */
};

struct pl_cu_format {
	uint32_t channel_bits, channels; /* 0: as many as the descriptor says */
	enum pl_isa_texel texel;
	bool normalized;
};
/* false: a format that this device does not have. */
bool pl_cu_format_find(CUarray_format format, struct pl_cu_format *format_out);

void pl_cu_arrays_end(struct pl_cu_ctx *ctx); /* all of a context that goes away */

#endif
