/*
 * Textures, surfaces and samplers, as they lie in device memory, and the operands of the operations that use them.
 *
 * Handles (64 bits): bits 0..19 number of the image, bits 20..31 number of the sampler (textures only), rest 0.
 *
 * Operands of TEX, TLD4: a = consecutive slots: [array index (u32)] x [y [z]]; x y z are F32, or S32 where coord_int.
 * Cube: x y z. b = consecutive slots: lod LEVEL: level (F32, S32 where coord_int); GRAD: dx for each coordinate, then
 * dy.  Without lod: level 0. offsets: imm = three signed bytes added to the texel coordinates.  d = 4 slots, all
 * written. Operands of SULD, SUST, SURED: a = consecutive slots: [array index] x [y [z]], S32; x in bytes (sust.p: in
 * elements).
 */
#ifndef PL_REFGPU_ISA_TEXTURE_H
#define PL_REFGPU_ISA_TEXTURE_H

#include <stdint.h>

enum pl_isa_geometry { PL_ISA_GEOM_1D, PL_ISA_GEOM_2D, PL_ISA_GEOM_3D, PL_ISA_GEOM_CUBE };
enum pl_isa_lod { PL_ISA_LOD_NONE, PL_ISA_LOD_LEVEL, PL_ISA_LOD_GRAD };
enum pl_isa_clamp { PL_ISA_CLAMP_TRAP, PL_ISA_CLAMP_EDGE, PL_ISA_CLAMP_ZERO }; /* surfaces out of range */

enum pl_isa_texel { /* kind of each channel */
		    PL_ISA_TEXEL_UNSIGNED,
		    PL_ISA_TEXEL_SIGNED,
		    PL_ISA_TEXEL_FLOAT,
};
enum pl_isa_wrap { PL_ISA_WRAP, PL_ISA_CLAMP, PL_ISA_MIRROR, PL_ISA_BORDER }; /* the order of CUDA's address modes */
enum pl_isa_filter { PL_ISA_POINT, PL_ISA_LINEAR };

enum {                                /* image flags */
       PL_ISA_IMAGE_LAYERED = 1 << 0, /* depth = layers */
       PL_ISA_IMAGE_CUBE = 1 << 1,    /* six (times layers) faces in depth */
       PL_ISA_IMAGE_BUFFER = 1 << 2,  /* 1D linear memory: width up to 2^27 texels, no filter, no wrap, 0 beyond */
       PL_ISA_IMAGE_SURFACE = 1 << 3, /* surface operations allowed */
};
#define PL_ISA_IMAGE_LEVELS_MAX 16

/* Texel (x, y, z) of a level lies at va + z * slice + y * pitch + x * texel bytes.  Arrays have the same linear layout.
 */
struct pl_isa_image_level {
	uint64_t va;
	uint64_t pitch_bytes, slice_bytes;
	uint32_t width, height, depth, reserved;
};
struct pl_isa_image {
	uint64_t va; /* level 0 */
	uint64_t pitch_bytes, slice_bytes;
	uint32_t width, height, depth; /* 1 where there is no such dimension; depth: layers or faces too */
	uint8_t channels;              /* 1, 2, 4 */
	uint8_t channel_bits;          /* 8, 16, 32 */
	uint8_t texel;                 /* enum pl_isa_texel */
	uint8_t flags;
	uint32_t levels; /* 1..16 */
	uint32_t reserved;
	uint64_t levels_va; /* struct pl_isa_image_level[levels], where levels > 1 */
	uint64_t reserved2;
};
_Static_assert(sizeof(struct pl_isa_image) == 64, "the layout is a contract");

enum { /* sampler flags */
       PL_ISA_SAMPLER_NORMALIZED_COORDS = 1 << 0,
       PL_ISA_SAMPLER_READ_INTEGER = 1 << 1, /* integer texels as they are; else as -1..1 or 0..1 floats */
       PL_ISA_SAMPLER_SRGB = 1 << 2,
       PL_ISA_SAMPLER_SEAMLESS = 1 << 3, /* cube */
};
struct pl_isa_sampler {
	uint8_t wrap[3];
	uint8_t filter, mip_filter, flags, reserved[2];
	float border[4];
	float lod_bias, lod_min, lod_max;
	uint32_t reserved2[7];
};
_Static_assert(sizeof(struct pl_isa_sampler) == 64, "the layout is a contract");

#endif
