/* What a texture is made of and how it is sampled: the API's structures and the records that travel. */
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

/* All but arrays, which each side has handles of its own for. */
static inline struct pl_cuda_texels_record pl_cuda_texels_pack(const CUDA_RESOURCE_DESC *from)
{
	struct pl_cuda_texels_record to = { .type = from->resType, .flags = from->flags };

	if (from->resType == CU_RESOURCE_TYPE_LINEAR) {
		to.address = from->res.linear.devPtr;
		to.format = from->res.linear.format;
		to.channels = from->res.linear.numChannels;
		to.bytes = from->res.linear.sizeInBytes;
	} else if (from->resType == CU_RESOURCE_TYPE_PITCH2D) {
		to.address = from->res.pitch2D.devPtr;
		to.format = from->res.pitch2D.format;
		to.channels = from->res.pitch2D.numChannels;
		to.width = from->res.pitch2D.width;
		to.height = from->res.pitch2D.height;
		to.pitch = from->res.pitch2D.pitchInBytes;
	}
	return to;
}

static inline CUDA_RESOURCE_DESC pl_cuda_texels_unpack(const struct pl_cuda_texels_record *from)
{
	CUDA_RESOURCE_DESC to = { .resType = (CUresourcetype)from->type, .flags = from->flags };

	if (to.resType == CU_RESOURCE_TYPE_LINEAR) {
		to.res.linear.devPtr = from->address;
		to.res.linear.format = (CUarray_format)from->format;
		to.res.linear.numChannels = from->channels;
		to.res.linear.sizeInBytes = from->bytes;
	} else if (to.resType == CU_RESOURCE_TYPE_PITCH2D) {
		to.res.pitch2D.devPtr = from->address;
		to.res.pitch2D.format = (CUarray_format)from->format;
		to.res.pitch2D.numChannels = from->channels;
		to.res.pitch2D.width = from->width;
		to.res.pitch2D.height = from->height;
		to.res.pitch2D.pitchInBytes = from->pitch;
	}
	return to;
}

#endif
