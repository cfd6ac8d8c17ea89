/* How a texture is sampled: the API's structure and the record that travels. */
#ifndef PL_CUDA_SAMPLING_H
#define PL_CUDA_SAMPLING_H

#include "cuda-wire.h"
#include "cuda/texture.h"

static inline struct pl_cuda_sampling_record pl_cuda_sampling_pack(const CUDA_TEXTURE_DESC *from)
{
	return (struct pl_cuda_sampling_record){
		.mode_x = from->addressMode[0],
		.mode_y = from->addressMode[1],
		.mode_z = from->addressMode[2],
		.filter = from->filterMode,
		.flags = from->flags,
		.max_anisotropy = from->maxAnisotropy,
		.mipmap_filter = from->mipmapFilterMode,
		.mipmap_bias = from->mipmapLevelBias,
		.min_clamp = from->minMipmapLevelClamp,
		.max_clamp = from->maxMipmapLevelClamp,
		.red = from->borderColor[0],
		.green = from->borderColor[1],
		.blue = from->borderColor[2],
		.alpha = from->borderColor[3],
	};
}

static inline CUDA_TEXTURE_DESC pl_cuda_sampling_unpack(const struct pl_cuda_sampling_record *from)
{
	return (CUDA_TEXTURE_DESC){
		.addressMode = { (CUaddress_mode)from->mode_x, (CUaddress_mode)from->mode_y,
				 (CUaddress_mode)from->mode_z },
		.filterMode = (CUfilter_mode)from->filter,
		.flags = from->flags,
		.maxAnisotropy = from->max_anisotropy,
		.mipmapFilterMode = (CUfilter_mode)from->mipmap_filter,
		.mipmapLevelBias = from->mipmap_bias,
		.minMipmapLevelClamp = from->min_clamp,
		.maxMipmapLevelClamp = from->max_clamp,
		.borderColor = { from->red, from->green, from->blue, from->alpha },
	};
}

#endif
