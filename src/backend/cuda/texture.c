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
	*to = pl_cuda_texels_unpack(from);
	if (to->resType == CU_RESOURCE_TYPE_ARRAY)
		to->res.array.hArray = array;
	if (to->resType == CU_RESOURCE_TYPE_MIPMAPPED_ARRAY)
		to->res.mipmap.hMipmappedArray = mipmap;
	return true;
}

void pl_cuda_texels_record_close(struct pl_serve *serve, struct pl_cuda_texels_record *to,
				 const CUDA_RESOURCE_DESC *from)
{
	*to = pl_cuda_texels_pack(from);
	if (from->resType == CU_RESOURCE_TYPE_ARRAY)
		to->array = pl_cuda_id_of(serve, PL_CUDA_KIND_array, from->res.array.hArray);
	if (from->resType == CU_RESOURCE_TYPE_MIPMAPPED_ARRAY)
		to->mipmap = pl_cuda_id_of(serve, PL_CUDA_KIND_mipmap, from->res.mipmap.hMipmappedArray);
}
