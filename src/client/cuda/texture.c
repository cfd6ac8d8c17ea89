/* Descriptions of textures as they travel. */
#include "client/cuda/reach.h"
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
	if (from->resType == CU_RESOURCE_TYPE_LINEAR)
		pl_cuda_reach(from->res.linear.devPtr);
	if (from->resType == CU_RESOURCE_TYPE_PITCH2D)
		pl_cuda_reach(from->res.pitch2D.devPtr);
	*to = pl_cuda_texels_pack(from);
	if (from->resType == CU_RESOURCE_TYPE_ARRAY) {
		to->array = pl_cuda_id(session, PL_CUDA_KIND_array, from->res.array.hArray);
		return to->array;
	}
	if (from->resType == CU_RESOURCE_TYPE_MIPMAPPED_ARRAY) {
		to->mipmap = pl_cuda_id(session, PL_CUDA_KIND_mipmap, from->res.mipmap.hMipmappedArray);
		return to->mipmap;
	}
	return true;
}

void pl_cuda_texels_record_unpack(struct pl_session *session, CUDA_RESOURCE_DESC *to,
				  const struct pl_cuda_texels_record *from)
{
	*to = pl_cuda_texels_unpack(from);
	if (to->resType == CU_RESOURCE_TYPE_ARRAY)
		to->res.array.hArray = pl_cuda_object_of(session, PL_CUDA_KIND_array, from->array);
	if (to->resType == CU_RESOURCE_TYPE_MIPMAPPED_ARRAY)
		to->res.mipmap.hMipmappedArray = pl_cuda_object_of(session, PL_CUDA_KIND_mipmap, from->mipmap);
}
