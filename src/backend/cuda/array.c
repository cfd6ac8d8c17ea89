/*
 * Arrays.  Their memory is charged by what they are described as, ahead of the driver's call; how it lays them out, and
 * what that adds, no function of its says.
 */
#include "backend/cuda/session.h"
#include "cuda-records.h"

/* Of all channels.  One that is not known here is taken to be as large as any. */
static uint64_t element_bits(const CUDA_ARRAY3D_DESCRIPTOR *desc)
{
	const uint64_t channels = desc->NumChannels;

	switch (desc->Format) {
	case CU_AD_FORMAT_UNSIGNED_INT8:
	case CU_AD_FORMAT_SIGNED_INT8:
		return 8 * channels;
	case CU_AD_FORMAT_UNSIGNED_INT16:
	case CU_AD_FORMAT_SIGNED_INT16:
	case CU_AD_FORMAT_HALF:
		return 16 * channels;
	case CU_AD_FORMAT_UNORM_INT8X1:
	case CU_AD_FORMAT_SNORM_INT8X1:
		return 8;
	case CU_AD_FORMAT_UNORM_INT8X2:
	case CU_AD_FORMAT_SNORM_INT8X2:
	case CU_AD_FORMAT_UNORM_INT16X1:
	case CU_AD_FORMAT_SNORM_INT16X1:
		return 16;
	case CU_AD_FORMAT_UNORM_INT8X4:
	case CU_AD_FORMAT_SNORM_INT8X4:
	case CU_AD_FORMAT_UNORM_INT16X2:
	case CU_AD_FORMAT_SNORM_INT16X2:
		return 32;
	case CU_AD_FORMAT_UNORM_INT16X4:
	case CU_AD_FORMAT_SNORM_INT16X4:
		return 64;
	case CU_AD_FORMAT_NV12: /* a plane of 8 bits, and one of 16 that is half as wide and high */
		return 12;
	default:
		if (desc->Format >= CU_AD_FORMAT_BC1_UNORM && desc->Format <= CU_AD_FORMAT_BC7_UNORM_SRGB)
			return 8; /* in blocks of 4 by 4, of 16 bytes at most */
		return 32 * channels;
	}
}

static bool is_layered(const CUDA_ARRAY3D_DESCRIPTOR *desc)
{
	return desc->Flags & (CUDA_ARRAY3D_LAYERED | CUDA_ARRAY3D_CUBEMAP);
}

static uint64_t extent_at(uint64_t extent, unsigned int level)
{
	return extent >> level ? extent >> level : 1;
}

static bool level_bytes(const CUDA_ARRAY3D_DESCRIPTOR *desc, unsigned int level, uint64_t *bytes_out)
{
	uint64_t bits = element_bits(desc);

	if (__builtin_mul_overflow(bits, extent_at(desc->Width, level), &bits) ||
	    __builtin_mul_overflow(bits, extent_at(desc->Height, level), &bits) ||
	    __builtin_mul_overflow(bits, extent_at(desc->Depth, is_layered(desc) ? 0 : level), &bits))
		return false;
	*bytes_out = bits / 8 + (bits % 8 != 0);
	return true;
}

/* false: no device has so much. */
static bool bytes_of(const CUDA_ARRAY3D_DESCRIPTOR *desc, unsigned int levels, uint64_t *bytes_out)
{
	uint64_t extents = desc->Width | desc->Height | (is_layered(desc) ? 0 : desc->Depth), bytes;

	*bytes_out = 0;
	if (desc->Flags & (CUDA_ARRAY3D_SPARSE | CUDA_ARRAY3D_DEFERRED_MAPPING))
		return true; /* what is mapped there later is charged by itself */
	for (unsigned int level = 0; level < levels && level < 64 && (!level || extents >> level); level++)
		if (!level_bytes(desc, level, &bytes) || __builtin_add_overflow(*bytes_out, bytes, bytes_out))
			return false;
	return true;
}

/* Return: success with the bytes that are charged, or the status to answer with. */
static int32_t charge(struct pl_serve *serve, const CUDA_ARRAY3D_DESCRIPTOR *desc, unsigned int levels,
		      uint64_t *bytes_out)
{
	*bytes_out = 0;
	if (desc && !bytes_of(desc, levels, bytes_out))
		return CUDA_ERROR_INVALID_VALUE;
	return pl_quota_charge(&serve->session->quota, PL_QUOTA_MEMORY, *bytes_out) ? CUDA_SUCCESS
										    : CUDA_ERROR_OUT_OF_MEMORY;
}

/* After the driver's call for what `bytes` were charged for. */
static void made(struct pl_serve *serve, int32_t status, uint64_t id, enum pl_cuda_object_kind kind, void *object,
		 uint64_t bytes)
{
	struct pl_handles *arrays = &pl_cuda_session_of(serve)->arrays;
	struct pl_handle noted;

	if (!status && pl_handles_put(arrays, id, kind, (void *)(uintptr_t)bytes, 0, NULL)) {
		pl_cuda_object_end(kind, object);
		status = CUDA_ERROR_OUT_OF_MEMORY;
	} else if (!status && !pl_cuda_put(serve, id, kind, object, 0)) {
		(void)pl_handles_take(arrays, id, kind, &noted);
		status = CUDA_ERROR_OUT_OF_MEMORY;
	}
	if (status)
		pl_quota_return(&serve->session->quota, PL_QUOTA_MEMORY, bytes);
	pl_cuda_result(serve, status, 0);
}

void pl_cuda_array_gone(struct pl_cuda_session *session, uint64_t id, enum pl_cuda_object_kind kind)
{
	struct pl_handle noted;

	if (pl_handles_take(&session->arrays, id, kind, &noted))
		pl_quota_return(&session->worker->quota, PL_QUOTA_MEMORY, (uintptr_t)noted.object);
}

void pl_cuda_serve_cuArrayCreate_v2(struct pl_serve *serve, const struct pl_cuda_cuArrayCreate_v2_args *args)
{
	CUDA_ARRAY_DESCRIPTOR desc;
	CUDA_ARRAY3D_DESCRIPTOR whole;
	CUarray array = NULL;
	uint64_t bytes;
	int32_t status;

	pl_cuda_array_record_give(&desc, &args->descriptor);
	whole = (CUDA_ARRAY3D_DESCRIPTOR){
		.Width = desc.Width, .Height = desc.Height, .Format = desc.Format, .NumChannels = desc.NumChannels
	};
	status = charge(serve, args->given & 1 ? &whole : NULL, 1, &bytes);
	if (status) {
		pl_cuda_result(serve, status, 0);
		return;
	}
	status = pl_cuda.cuArrayCreate_v2 ? (int32_t)pl_cuda.cuArrayCreate_v2(&array, args->given & 1 ? &desc : NULL)
					  : CUDA_ERROR_NOT_SUPPORTED;
	made(serve, status, args->handle, PL_CUDA_KIND_array, array, bytes);
}

void pl_cuda_serve_cuArray3DCreate_v2(struct pl_serve *serve, const struct pl_cuda_cuArray3DCreate_v2_args *args)
{
	CUDA_ARRAY3D_DESCRIPTOR desc, *given = args->given & 1 ? &desc : NULL;
	CUarray array = NULL;
	uint64_t bytes;
	int32_t status;

	pl_cuda_array3d_record_give(&desc, &args->descriptor);
	status = charge(serve, given, 1, &bytes);
	if (status) {
		pl_cuda_result(serve, status, 0);
		return;
	}
	status = pl_cuda.cuArray3DCreate_v2 ? (int32_t)pl_cuda.cuArray3DCreate_v2(&array, given)
					    : CUDA_ERROR_NOT_SUPPORTED;
	made(serve, status, args->handle, PL_CUDA_KIND_array, array, bytes);
}

void pl_cuda_serve_cuMipmappedArrayCreate(struct pl_serve *serve,
					  const struct pl_cuda_cuMipmappedArrayCreate_args *args)
{
	CUDA_ARRAY3D_DESCRIPTOR desc, *given = args->given & 1 ? &desc : NULL;
	CUmipmappedArray mipmap = NULL;
	uint64_t bytes;
	int32_t status;

	pl_cuda_array3d_record_give(&desc, &args->descriptor);
	status = charge(serve, given, args->levels, &bytes);
	if (status) {
		pl_cuda_result(serve, status, 0);
		return;
	}
	status = pl_cuda.cuMipmappedArrayCreate ? (int32_t)pl_cuda.cuMipmappedArrayCreate(&mipmap, given, args->levels)
						: CUDA_ERROR_NOT_SUPPORTED;
	made(serve, status, args->handle, PL_CUDA_KIND_mipmap, mipmap, bytes);
}
