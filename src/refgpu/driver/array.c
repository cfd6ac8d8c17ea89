#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "cuda-api.h"
#include "stream.h"

#define PITCH_ALIGN 64u
#define SIZE_2D_MAX 131072u
#define SIZE_3D_MAX 16384u
#define LAYERS_MAX  2048u
#define FACES       6u
#define FLAGS_KNOWN                                                                                                    \
	(CUDA_ARRAY3D_LAYERED | CUDA_ARRAY3D_SURFACE_LDST | CUDA_ARRAY3D_CUBEMAP | CUDA_ARRAY3D_TEXTURE_GATHER |       \
	 CUDA_ARRAY3D_DEPTH_TEXTURE | CUDA_ARRAY3D_COLOR_ATTACHMENT)

bool pl_cu_format_find(CUarray_format format, struct pl_cu_format *format_out)
{
	static const struct {
		CUarray_format format;
		struct pl_cu_format is;
	} formats[] = {
		{ CU_AD_FORMAT_UNSIGNED_INT8, { 8, 0, PL_ISA_TEXEL_UNSIGNED, false } },
		{ CU_AD_FORMAT_UNSIGNED_INT16, { 16, 0, PL_ISA_TEXEL_UNSIGNED, false } },
		{ CU_AD_FORMAT_UNSIGNED_INT32, { 32, 0, PL_ISA_TEXEL_UNSIGNED, false } },
		{ CU_AD_FORMAT_SIGNED_INT8, { 8, 0, PL_ISA_TEXEL_SIGNED, false } },
		{ CU_AD_FORMAT_SIGNED_INT16, { 16, 0, PL_ISA_TEXEL_SIGNED, false } },
		{ CU_AD_FORMAT_SIGNED_INT32, { 32, 0, PL_ISA_TEXEL_SIGNED, false } },
		{ CU_AD_FORMAT_HALF, { 16, 0, PL_ISA_TEXEL_FLOAT, false } },
		{ CU_AD_FORMAT_FLOAT, { 32, 0, PL_ISA_TEXEL_FLOAT, false } },
		{ CU_AD_FORMAT_UNORM_INT8X1, { 8, 1, PL_ISA_TEXEL_UNSIGNED, true } },
		{ CU_AD_FORMAT_UNORM_INT8X2, { 8, 2, PL_ISA_TEXEL_UNSIGNED, true } },
		{ CU_AD_FORMAT_UNORM_INT8X4, { 8, 4, PL_ISA_TEXEL_UNSIGNED, true } },
		{ CU_AD_FORMAT_UNORM_INT16X1, { 16, 1, PL_ISA_TEXEL_UNSIGNED, true } },
		{ CU_AD_FORMAT_UNORM_INT16X2, { 16, 2, PL_ISA_TEXEL_UNSIGNED, true } },
		{ CU_AD_FORMAT_UNORM_INT16X4, { 16, 4, PL_ISA_TEXEL_UNSIGNED, true } },
		{ CU_AD_FORMAT_SNORM_INT8X1, { 8, 1, PL_ISA_TEXEL_SIGNED, true } },
		{ CU_AD_FORMAT_SNORM_INT8X2, { 8, 2, PL_ISA_TEXEL_SIGNED, true } },
		{ CU_AD_FORMAT_SNORM_INT8X4, { 8, 4, PL_ISA_TEXEL_SIGNED, true } },
		{ CU_AD_FORMAT_SNORM_INT16X1, { 16, 1, PL_ISA_TEXEL_SIGNED, true } },
		{ CU_AD_FORMAT_SNORM_INT16X2, { 16, 2, PL_ISA_TEXEL_SIGNED, true } },
		{ CU_AD_FORMAT_SNORM_INT16X4, { 16, 4, PL_ISA_TEXEL_SIGNED, true } },
	};
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (formats[i].format == format) {
			*format_out = formats[i].is;
			return true;
		}
	return false;
}

static CUresult shape_check(const CUDA_ARRAY3D_DESCRIPTOR *desc)
{
	bool layered = desc->Flags & CUDA_ARRAY3D_LAYERED, cube = desc->Flags & CUDA_ARRAY3D_CUBEMAP;
	if (!desc->Width || desc->Flags & ~(unsigned int)FLAGS_KNOWN)
		return CUDA_ERROR_INVALID_VALUE;
	if (cube &&
	    (desc->Width != desc->Height || (layered ? !desc->Depth || desc->Depth % FACES : desc->Depth != FACES)))
		return CUDA_ERROR_INVALID_VALUE;
	if (layered || cube)
		return desc->Width <= SIZE_3D_MAX * 2 && desc->Height <= SIZE_3D_MAX * 2 && desc->Depth &&
				       desc->Depth <= LAYERS_MAX
			       ? CUDA_SUCCESS
			       : CUDA_ERROR_INVALID_VALUE;
	if (desc->Depth)
		return desc->Height && desc->Width <= SIZE_3D_MAX && desc->Height <= SIZE_3D_MAX &&
				       desc->Depth <= SIZE_3D_MAX
			       ? CUDA_SUCCESS
			       : CUDA_ERROR_INVALID_VALUE;
	return desc->Width <= SIZE_2D_MAX && desc->Height <= SIZE_2D_MAX ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

static uint64_t or_one(uint64_t value)
{
	return value ? value : 1;
}

/* A new array's numbers, without memory. */
static CUresult array_shape(struct pl_cu_array *array, const CUDA_ARRAY3D_DESCRIPTOR *desc)
{
	struct pl_cu_format format;
	CUresult r = shape_check(desc);
	if (r)
		return r;
	if (!pl_cu_format_find(desc->Format, &format))
		return desc->Format && desc->Format < CU_AD_FORMAT_MAX ? CUDA_ERROR_NOT_SUPPORTED
								       : CUDA_ERROR_INVALID_VALUE;
	array->desc = *desc;
	array->channels = format.channels ? format.channels : desc->NumChannels;
	if ((array->channels != 1 && array->channels != 2 && array->channels != 4) ||
	    (format.channels && desc->NumChannels != format.channels))
		return CUDA_ERROR_INVALID_VALUE;
	array->channel_bits = format.channel_bits;
	array->texel = format.texel;
	array->normalized = format.normalized;
	array->element_bytes = array->channels * format.channel_bits / 8;
	array->width = desc->Width;
	array->height = or_one(desc->Height);
	array->depth = or_one(desc->Depth);
	array->pitch = (array->width * array->element_bytes + PITCH_ALIGN - 1) & ~(uint64_t)(PITCH_ALIGN - 1);
	array->slice = array->pitch * array->height;
	return CUDA_SUCCESS;
}

static void array_free(void *arg)
{
	struct pl_cu_array *array = arg;
	pl_cu_ctx_wait(array->ctx); /* a call that used it when it was destroyed may have copied */
	pl_cu_mem_destroy(array->mem);
	pl_cu_ctx_unref(array->ctx);
	free(array);
}

static CUresult array_create(struct pl_cu_array **array_out, struct pl_cu_ctx *ctx, const CUDA_ARRAY3D_DESCRIPTOR *desc)
{
	struct pl_cu_array *array = calloc(1, sizeof(*array));
	CUresult r;
	if (!array)
		return CUDA_ERROR_OUT_OF_MEMORY;
	array->ctx = pl_cu_ctx_ref(ctx);
	r = array_shape(array, desc);
	if (!r)
		r = pl_cu_result_of(pl_cu_mem_create(&array->mem, PL_CU_MEM_DRIVER, ctx, array->slice * array->depth));
	if (!r) {
		array->mem->what = "array";
		array->handle = (CUarray)(uintptr_t)pl_cuda_handle_create(PL_CU_ARRAY, array);
		r = array->handle ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
	}
	if (r)
		array_free(array);
	else
		*array_out = array;
	return r;
}

/* false: another thread has destroyed it; the caller's call holds it. */
static bool array_destroy(struct pl_cu_array *array)
{
	pthread_mutex_lock(&array->ctx->lock);
	for (struct pl_cu_array **at = &array->ctx->arrays; *at; at = &(*at)->next) {
		if (*at != array)
			continue;
		*at = array->next;
		break;
	}
	pthread_mutex_unlock(&array->ctx->lock);
	return pl_cuda_handle_retire((uint64_t)(uintptr_t)array->handle, array_free);
}

static CUresult create(CUarray *array_out, const CUDA_ARRAY3D_DESCRIPTOR *desc)
{
	struct pl_cu_array *array;
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (r)
		return r;
	if (!array_out)
		return CUDA_ERROR_INVALID_VALUE;
	r = array_create(&array, ctx, desc);
	if (r)
		return r;
	*array_out = array->handle;
	pthread_mutex_lock(&ctx->lock);
	array->next = ctx->arrays;
	ctx->arrays = array;
	pthread_mutex_unlock(&ctx->lock);
	return CUDA_SUCCESS;
}

CUresult cuArrayCreate_v2(CUarray *array_out, const CUDA_ARRAY_DESCRIPTOR *desc)
{
	CUDA_ARRAY3D_DESCRIPTOR desc3;
	if (!desc)
		return pl_cu_enter() ? pl_cu_enter() : CUDA_ERROR_INVALID_VALUE;
	desc3 = (CUDA_ARRAY3D_DESCRIPTOR){
		.Width = desc->Width, .Height = desc->Height, .Format = desc->Format, .NumChannels = desc->NumChannels
	};
	return create(array_out, &desc3);
}

CUresult cuArray3DCreate_v2(CUarray *array_out, const CUDA_ARRAY3D_DESCRIPTOR *desc)
{
	if (!desc)
		return pl_cu_enter() ? pl_cu_enter() : CUDA_ERROR_INVALID_VALUE;
	if (desc->Flags & (CUDA_ARRAY3D_SPARSE | CUDA_ARRAY3D_DEFERRED_MAPPING))
		return pl_cu_enter() ? pl_cu_enter() : CUDA_ERROR_NOT_SUPPORTED;
	return create(array_out, desc);
}

static CUresult array_get(CUarray handle, struct pl_cu_array **array_out)
{
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (r)
		return r;
	*array_out = pl_cuda_handle_held(handle, PL_CU_ARRAY);
	return *array_out ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

CUresult cuArrayDestroy(CUarray handle)
{
	struct pl_cu_array *array;
	CUresult r = array_get(handle, &array);
	if (r)
		return r;
	if (array->mipmap)
		return CUDA_ERROR_INVALID_HANDLE; /* goes with its mipmapped array */
	r = pl_cu_ctx_wait(array->ctx);
	return array_destroy(array) ? r : CUDA_ERROR_INVALID_HANDLE;
}

CUresult cuArray3DGetDescriptor_v2(CUDA_ARRAY3D_DESCRIPTOR *desc_out, CUarray handle)
{
	struct pl_cu_array *array;
	CUresult r = array_get(handle, &array);
	if (!r && !desc_out)
		r = CUDA_ERROR_INVALID_VALUE;
	if (!r)
		*desc_out = array->desc;
	return r;
}

CUresult cuArrayGetDescriptor_v2(CUDA_ARRAY_DESCRIPTOR *desc_out, CUarray handle)
{
	struct pl_cu_array *array;
	CUresult r = array_get(handle, &array);
	if (!r && (!desc_out || array->desc.Depth || array->desc.Flags & (CUDA_ARRAY3D_LAYERED | CUDA_ARRAY3D_CUBEMAP)))
		r = CUDA_ERROR_INVALID_VALUE;
	if (!r)
		*desc_out = (CUDA_ARRAY_DESCRIPTOR){ .Width = array->desc.Width,
						     .Height = array->desc.Height,
						     .Format = array->desc.Format,
						     .NumChannels = array->desc.NumChannels };
	return r;
}

/* No format with planes, no sparse arrays. */
CUresult cuArrayGetPlane(CUarray *plane_out, CUarray handle, unsigned int index)
{
	struct pl_cu_array *array;
	CUresult r = array_get(handle, &array);
	(void)index, (void)plane_out;
	return r ? r : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuArrayGetSparseProperties(CUDA_ARRAY_SPARSE_PROPERTIES *properties_out, CUarray handle)
{
	struct pl_cu_array *array;
	CUresult r = array_get(handle, &array);
	(void)properties_out;
	return r ? r : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuMipmappedArrayGetSparseProperties(CUDA_ARRAY_SPARSE_PROPERTIES *properties_out, CUmipmappedArray handle)
{
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	(void)properties_out;
	if (r)
		return r;
	return pl_cuda_handle_held(handle, PL_CU_MIPMAP) ? CUDA_ERROR_INVALID_VALUE : CUDA_ERROR_INVALID_HANDLE;
}

CUresult cuArrayGetMemoryRequirements(CUDA_ARRAY_MEMORY_REQUIREMENTS *requirements_out, CUarray handle, CUdevice device)
{
	struct pl_cu_array *array;
	CUresult r = array_get(handle, &array);
	(void)device;
	return r ? r : requirements_out ? CUDA_ERROR_NOT_SUPPORTED : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuMipmappedArrayGetMemoryRequirements(CUDA_ARRAY_MEMORY_REQUIREMENTS *requirements_out,
					       CUmipmappedArray handle, CUdevice device)
{
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	(void)device;
	if (r)
		return r;
	if (!pl_cuda_handle_held(handle, PL_CU_MIPMAP))
		return CUDA_ERROR_INVALID_HANDLE;
	return requirements_out ? CUDA_ERROR_NOT_SUPPORTED : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuMemMapArrayAsync(CUarrayMapInfo *maps, unsigned int n, CUstream handle)
{
	struct pl_cu_stream *stream;
	CUresult r = pl_cu_enter_stream(handle, &stream);
	return r ? r : maps && n ? CUDA_ERROR_NOT_SUPPORTED : CUDA_ERROR_INVALID_VALUE;
}

/* -- levels ---------------------------------------------------------------------------------------------------------
 */

static void mipmap_free(void *arg)
{
	struct pl_cu_mipmap *mipmap = arg;
	for (uint32_t i = 0; i < PL_ISA_IMAGE_LEVELS_MAX; i++)
		if (mipmap->levels[i])
			(void)pl_cuda_handle_retire((uint64_t)(uintptr_t)mipmap->levels[i]->handle, array_free);
	pl_cu_ctx_unref(mipmap->ctx);
	free(mipmap);
}

/* As array_destroy(). */
static bool mipmap_destroy(struct pl_cu_mipmap *mipmap)
{
	pthread_mutex_lock(&mipmap->ctx->lock);
	for (struct pl_cu_mipmap **at = &mipmap->ctx->mipmaps; *at; at = &(*at)->next) {
		if (*at != mipmap)
			continue;
		*at = mipmap->next;
		break;
	}
	pthread_mutex_unlock(&mipmap->ctx->lock);
	return pl_cuda_handle_retire((uint64_t)(uintptr_t)mipmap->handle, mipmap_free);
}

static bool array_end(struct pl_cu_ctx *ctx)
{
	uint32_t call = pl_cuda_call_begin();
	struct pl_cu_mipmap *mipmap;
	struct pl_cu_array *array;
	pthread_mutex_lock(&ctx->lock);
	for (array = ctx->arrays; array && !pl_cuda_handle_held(array->handle, PL_CU_ARRAY);)
		array = array->next; /* another thread destroys it */
	for (mipmap = ctx->mipmaps; mipmap && !pl_cuda_handle_held(mipmap->handle, PL_CU_MIPMAP);)
		mipmap = mipmap->next;
	pthread_mutex_unlock(&ctx->lock);
	if (array)
		(void)array_destroy(array);
	if (mipmap)
		(void)mipmap_destroy(mipmap);
	pl_cuda_call_end(call);
	return array || mipmap;
}

void pl_cu_arrays_end(struct pl_cu_ctx *ctx)
{
	while (array_end(ctx))
		;
}

static CUDA_ARRAY3D_DESCRIPTOR level_desc(const CUDA_ARRAY3D_DESCRIPTOR *desc, uint32_t level)
{
	CUDA_ARRAY3D_DESCRIPTOR of = *desc;
	of.Width = or_one(desc->Width >> level);
	of.Height = desc->Height ? or_one(desc->Height >> level) : 0;
	if (!(desc->Flags & (CUDA_ARRAY3D_LAYERED | CUDA_ARRAY3D_CUBEMAP)))
		of.Depth = desc->Depth ? or_one(desc->Depth >> level) : 0;
	return of;
}

static uint32_t levels_most(const CUDA_ARRAY3D_DESCRIPTOR *desc)
{
	bool layers = desc->Flags & (CUDA_ARRAY3D_LAYERED | CUDA_ARRAY3D_CUBEMAP);
	uint64_t largest = desc->Width > desc->Height ? desc->Width : desc->Height;
	uint32_t n = 1;
	if (!layers && desc->Depth > largest)
		largest = desc->Depth;
	while (largest >>= 1)
		n++;
	return n < PL_ISA_IMAGE_LEVELS_MAX ? n : PL_ISA_IMAGE_LEVELS_MAX;
}

CUresult cuMipmappedArrayCreate(CUmipmappedArray *mipmap_out, const CUDA_ARRAY3D_DESCRIPTOR *desc, unsigned int levels)
{
	struct pl_cu_mipmap *mipmap;
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (r)
		return r;
	if (!mipmap_out || !desc || !levels || !desc->Width)
		return CUDA_ERROR_INVALID_VALUE;
	if (desc->Flags & (CUDA_ARRAY3D_SPARSE | CUDA_ARRAY3D_DEFERRED_MAPPING))
		return CUDA_ERROR_NOT_SUPPORTED;
	mipmap = calloc(1, sizeof(*mipmap));
	if (!mipmap)
		return CUDA_ERROR_OUT_OF_MEMORY;
	mipmap->ctx = pl_cu_ctx_ref(ctx);
	mipmap->desc = *desc;
	mipmap->levels_n = levels < levels_most(desc) ? levels : levels_most(desc);
	for (uint32_t i = 0; i < mipmap->levels_n && !r; i++) {
		CUDA_ARRAY3D_DESCRIPTOR of = level_desc(desc, i);
		r = array_create(&mipmap->levels[i], ctx, &of);
		if (!r)
			mipmap->levels[i]->mipmap = mipmap;
	}
	if (!r) {
		mipmap->handle = (CUmipmappedArray)(uintptr_t)pl_cuda_handle_create(PL_CU_MIPMAP, mipmap);
		r = mipmap->handle ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
	}
	if (r) {
		mipmap_free(mipmap);
		return r;
	}
	*mipmap_out = mipmap->handle;
	pthread_mutex_lock(&ctx->lock);
	mipmap->next = ctx->mipmaps;
	ctx->mipmaps = mipmap;
	pthread_mutex_unlock(&ctx->lock);
	return CUDA_SUCCESS;
}

static CUresult mipmap_get(CUmipmappedArray handle, struct pl_cu_mipmap **mipmap_out)
{
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (r)
		return r;
	*mipmap_out = pl_cuda_handle_held(handle, PL_CU_MIPMAP);
	return *mipmap_out ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

CUresult cuMipmappedArrayDestroy(CUmipmappedArray handle)
{
	struct pl_cu_mipmap *mipmap;
	CUresult r = mipmap_get(handle, &mipmap);
	if (r)
		return r;
	r = pl_cu_ctx_wait(mipmap->ctx);
	return mipmap_destroy(mipmap) ? r : CUDA_ERROR_INVALID_HANDLE;
}

CUresult cuMipmappedArrayGetLevel(CUarray *array_out, CUmipmappedArray handle, unsigned int level)
{
	struct pl_cu_mipmap *mipmap;
	CUresult r = mipmap_get(handle, &mipmap);
	if (!r && (!array_out || level >= mipmap->levels_n))
		r = CUDA_ERROR_INVALID_VALUE;
	if (!r)
		*array_out = mipmap->levels[level]->handle;
	return r;
}
