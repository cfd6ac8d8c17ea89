/* Descriptions of textures as they travel. */
#include "client/cuda/state.h"
#include "cuda/sampling.h"

bool pl_cuda_sampling_record_pack(const struct pl_session *session, struct pl_cuda_sampling_record *to,
				  const CUDA_TEXTURE_DESC *from)
{
	(void)session;
	*to = pl_cuda_sampling_pack(from);
	return true;
}

void pl_cuda_sampling_record_unpack(struct pl_session *session, CUDA_TEXTURE_DESC *to,
				    const struct pl_cuda_sampling_record *from)
{
	(void)session;
	*to = pl_cuda_sampling_unpack(from);
}

/* A handle that is none travels as the id 0: the driver refuses it. */
bool pl_cuda_texels_record_pack(const struct pl_session *session, struct pl_cuda_texels_record *to,
				const CUDA_RESOURCE_DESC *from)
{
	*to = (struct pl_cuda_texels_record){ .type = from->resType, .flags = from->flags };
	switch (from->resType) {
	case CU_RESOURCE_TYPE_ARRAY:
		to->array = pl_cuda_id(session, PL_CUDA_KIND_array, from->res.array.hArray);
		return to->array;
	case CU_RESOURCE_TYPE_MIPMAPPED_ARRAY:
		to->mipmap = pl_cuda_id(session, PL_CUDA_KIND_mipmap, from->res.mipmap.hMipmappedArray);
		return to->mipmap;
	case CU_RESOURCE_TYPE_LINEAR:
		to->address = from->res.linear.devPtr;
		to->format = from->res.linear.format;
		to->channels = from->res.linear.numChannels;
		to->bytes = from->res.linear.sizeInBytes;
		return true;
	case CU_RESOURCE_TYPE_PITCH2D:
		to->address = from->res.pitch2D.devPtr;
		to->format = from->res.pitch2D.format;
		to->channels = from->res.pitch2D.numChannels;
		to->width = from->res.pitch2D.width;
		to->height = from->res.pitch2D.height;
		to->pitch = from->res.pitch2D.pitchInBytes;
		return true;
	}
	return true;
}

void pl_cuda_texels_record_unpack(struct pl_session *session, CUDA_RESOURCE_DESC *to,
				  const struct pl_cuda_texels_record *from)
{
	*to = (CUDA_RESOURCE_DESC){ .resType = (CUresourcetype)from->type, .flags = from->flags };
	switch (to->resType) {
	case CU_RESOURCE_TYPE_ARRAY:
		to->res.array.hArray = pl_cuda_object_of(session, PL_CUDA_KIND_array, from->array);
		break;
	case CU_RESOURCE_TYPE_MIPMAPPED_ARRAY:
		to->res.mipmap.hMipmappedArray = pl_cuda_object_of(session, PL_CUDA_KIND_mipmap, from->mipmap);
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
}
