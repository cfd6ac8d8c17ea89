/* Descriptions of textures as they travel. */
#include "backend/cuda/session.h"
#include "cuda/sampling.h"

bool pl_cuda_sampling_record_open(struct pl_serve *serve, CUDA_TEXTURE_DESC *to,
				  const struct pl_cuda_sampling_record *from, int32_t *status_out)
{
	(void)serve;
	(void)status_out;
	*to = pl_cuda_sampling_unpack(from);
	return true;
}

void pl_cuda_sampling_record_close(struct pl_serve *serve, struct pl_cuda_sampling_record *to,
				   const CUDA_TEXTURE_DESC *from)
{
	(void)serve;
	*to = pl_cuda_sampling_pack(from);
}

bool pl_cuda_texels_record_open(struct pl_serve *serve, CUDA_RESOURCE_DESC *to,
				const struct pl_cuda_texels_record *from, int32_t *status_out)
{
	void *array = NULL, *mipmap = NULL;

	if (!pl_cuda_take(serve, from->array, PL_CUDA_KIND_array, &array, status_out) ||
	    !pl_cuda_take(serve, from->mipmap, PL_CUDA_KIND_mipmap, &mipmap, status_out))
		return false;
	*to = (CUDA_RESOURCE_DESC){ .resType = (CUresourcetype)from->type, .flags = from->flags };
	switch (to->resType) {
	case CU_RESOURCE_TYPE_ARRAY:
		to->res.array.hArray = array;
		break;
	case CU_RESOURCE_TYPE_MIPMAPPED_ARRAY:
		to->res.mipmap.hMipmappedArray = mipmap;
		break;
	case CU_RESOURCE_TYPE_LINEAR:
		to->res.linear.devPtr = from->address;
		to->res.linear.format = (CUarray_format)from->format;
		to->res.linear.numChannels = from->channels;
		to->res.linear.sizeInBytes = from->bytes;
		break;
	case CU_RESOURCE_TYPE_PITCH2D:
		to->res.pitch2D.devPtr = from->address;
		to->res.pitch2D.format = (CUarray_format)from->format;
		to->res.pitch2D.numChannels = from->channels;
		to->res.pitch2D.width = from->width;
		to->res.pitch2D.height = from->height;
		to->res.pitch2D.pitchInBytes = from->pitch;
		break;
	}
	return true;
}

void pl_cuda_texels_record_close(struct pl_serve *serve, struct pl_cuda_texels_record *to,
				 const CUDA_RESOURCE_DESC *from)
{
	*to = (struct pl_cuda_texels_record){ .type = from->resType, .flags = from->flags };
	switch (from->resType) {
	case CU_RESOURCE_TYPE_ARRAY:
		to->array = pl_cuda_id_of(serve, PL_CUDA_KIND_array, from->res.array.hArray);
		break;
	case CU_RESOURCE_TYPE_MIPMAPPED_ARRAY:
		to->mipmap = pl_cuda_id_of(serve, PL_CUDA_KIND_mipmap, from->res.mipmap.hMipmappedArray);
		break;
	case CU_RESOURCE_TYPE_LINEAR:
		to->address = from->res.linear.devPtr;
		to->format = from->res.linear.format;
		to->channels = from->res.linear.numChannels;
		to->bytes = from->res.linear.sizeInBytes;
		break;
	case CU_RESOURCE_TYPE_PITCH2D:
		to->address = from->res.pitch2D.devPtr;
		to->format = from->res.pitch2D.format;
		to->channels = from->res.pitch2D.numChannels;
		to->width = from->res.pitch2D.width;
		to->height = from->res.pitch2D.height;
		to->pitch = from->res.pitch2D.pitchInBytes;
		break;
	}
}
