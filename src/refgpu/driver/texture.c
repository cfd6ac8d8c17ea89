#include <stdlib.h>
#include <string.h>

#include "cuda-api.h"
#include "texture.h"

#define TABLE_BYTES    (PL_CU_IMAGES * sizeof(struct pl_isa_image))
#define SAMPLERS_BYTES (PL_CU_SAMPLERS * sizeof(struct pl_isa_sampler))
#define SAMPLER_SHIFT  20
#define LINEAR_TEXELS  (1u << 27)
#define PITCH_ALIGN    32u

static struct pl_cuda_ranges objects; /* by handle; under objects_lock */
static pthread_mutex_t objects_lock = PTHREAD_MUTEX_INITIALIZER;

/* -- the tables ------------------------------------------------------------------------------------------------------
 */

static int table_create(struct pl_cu_dev *dev, struct pl_cu_extents *vram, uint64_t bytes, uint64_t *va_out)
{
	uint64_t va;
	int r = pl_cu_va_take(bytes, PL_CU_LARGE_PAGE, va_out);
	if (!r)
		r = pl_cu_vram_take(dev->hw, bytes, vram);
	va = *va_out;
	for (uint32_t i = 0; i < vram->n && !r; i++) {
		r = pl_cu_vm_map_vram(dev->hw, va, vram->extent[i].address, vram->extent[i].bytes, true);
		va += vram->extent[i].bytes;
	}
	return r;
}

int pl_cu_texture_init(struct pl_cu_dev *dev)
{
	int r = table_create(dev, &dev->images_vram, TABLE_BYTES, &dev->images_va);
	if (!r)
		r = table_create(dev, &dev->samplers_vram, SAMPLERS_BYTES, &dev->samplers_va);
	dev->images.n = PL_CU_IMAGES;
	dev->images.used = 1; /* a handle is never 0 */
	dev->samplers.n = PL_CU_SAMPLERS;
	return r;
}

/* Called with dev->lock held, here and below.  The oldest freed number first, so that a stale handle is found out. */
static bool slot_take(struct pl_cu_slots *slots, uint32_t *slot_out)
{
	if (slots->used < slots->n) {
		*slot_out = slots->used++;
		return true;
	}
	if (!slots->freed_n)
		return false;
	*slot_out = slots->freed[0];
	memmove(slots->freed, slots->freed + 1, --slots->freed_n * sizeof(*slots->freed));
	return true;
}

static void slot_give(struct pl_cu_slots *slots, uint32_t slot)
{
	if (slots->freed_n == slots->freed_room) {
		uint32_t room = slots->freed_room ? 2 * slots->freed_room : 64;
		uint32_t *more = realloc(slots->freed, room * sizeof(*more));
		if (!more)
			return; /* the number is lost */
		slots->freed = more;
		slots->freed_room = room;
	}
	slots->freed[slots->freed_n++] = slot;
}

static void row_write(struct pl_cu_dev *dev, const struct pl_cu_extents *vram, uint64_t offset, const void *row,
		      size_t bytes)
{
	for (uint32_t i = 0; i < vram->n; i++) {
		if (offset < vram->extent[i].bytes) {
			memcpy(pl_cu_vram_at(dev->hw, vram->extent[i].address + offset), row, bytes);
			break;
		}
		offset -= vram->extent[i].bytes;
	}
	pl_cu_reg_write(dev->hw, PL_RG_BAR_FLUSH, 1);
}

/* -- images ----------------------------------------------------------------------------------------------------------
 */

static uint8_t array_flags(const struct pl_cu_array *array)
{
	uint8_t flags = 0;
	if (array->desc.Flags & CUDA_ARRAY3D_LAYERED)
		flags |= PL_ISA_IMAGE_LAYERED;
	if (array->desc.Flags & CUDA_ARRAY3D_CUBEMAP)
		flags |= PL_ISA_IMAGE_CUBE;
	return flags;
}

static void image_of_array(struct pl_isa_image *image, const struct pl_cu_array *array)
{
	*image = (struct pl_isa_image){
		.va = array->mem->va,
		.pitch_bytes = array->pitch,
		.slice_bytes = array->slice,
		.width = (uint32_t)array->width,
		.height = (uint32_t)array->height,
		.depth = (uint32_t)array->depth,
		.channels = (uint8_t)array->channels,
		.channel_bits = (uint8_t)array->channel_bits,
		.texel = (uint8_t)array->texel,
		.flags = array_flags(array),
		.levels = 1,
	};
}

static CUresult levels_write(struct pl_cu_texture *texture, struct pl_cu_ctx *ctx, struct pl_isa_image *image,
			     const struct pl_cu_mipmap *mipmap, uint32_t first, uint32_t last)
{
	struct pl_isa_image_level *levels;
	uint64_t room;
	int r;
	image_of_array(image, mipmap->levels[first]);
	image->levels = last - first + 1;
	if (image->levels == 1)
		return CUDA_SUCCESS;
	r = pl_cu_mem_create(&texture->levels, PL_CU_MEM_DRIVER, ctx, PL_CU_PAGE);
	if (r)
		return pl_cu_result_of(r);
	texture->levels->what = "list of levels";
	image->levels_va = texture->levels->va;
	levels = pl_cu_mem_host(texture->levels->va, &room);
	for (uint32_t i = first; i <= last; i++) {
		const struct pl_cu_array *array = mipmap->levels[i];
		levels[i - first] = (struct pl_isa_image_level){
			.va = array->mem->va,
			.pitch_bytes = array->pitch,
			.slice_bytes = array->slice,
			.width = (uint32_t)array->width,
			.height = (uint32_t)array->height,
			.depth = (uint32_t)array->depth,
		};
	}
	return CUDA_SUCCESS;
}

static CUresult texel_fill(struct pl_isa_image *image, CUarray_format format, unsigned int channels,
			   bool *normalized_out)
{
	struct pl_cu_format of;
	if (!pl_cu_format_find(format, &of) || (channels != 1 && channels != 2 && channels != 4) ||
	    (of.channels && of.channels != channels))
		return CUDA_ERROR_INVALID_VALUE;
	image->channels = (uint8_t)channels;
	image->channel_bits = (uint8_t)of.channel_bits;
	image->texel = (uint8_t)of.texel;
	image->levels = 1;
	image->height = image->depth = 1;
	*normalized_out = of.normalized;
	return CUDA_SUCCESS;
}

static CUresult image_linear(struct pl_isa_image *image, const CUDA_RESOURCE_DESC *resource, bool *normalized_out)
{
	uint64_t bytes = resource->res.linear.sizeInBytes, texel;
	CUresult r = texel_fill(image, resource->res.linear.format, resource->res.linear.numChannels, normalized_out);
	if (r)
		return r;
	texel = (uint64_t)image->channels * image->channel_bits / 8;
	/* As NVIDIA's driver, it asks for no more than the first texel: what is read beyond the memory is a fault then.
	 */
	if (!bytes || bytes / texel > LINEAR_TEXELS || bytes < texel || resource->res.linear.devPtr % texel ||
	    resource->res.linear.devPtr + bytes < bytes || !pl_cu_mem_reaches(resource->res.linear.devPtr, texel))
		return CUDA_ERROR_INVALID_VALUE;
	image->va = resource->res.linear.devPtr;
	image->width = (uint32_t)(bytes / texel);
	image->pitch_bytes = image->slice_bytes = bytes;
	image->flags = PL_ISA_IMAGE_BUFFER;
	return CUDA_SUCCESS;
}

static CUresult image_pitch(struct pl_isa_image *image, const CUDA_RESOURCE_DESC *resource, bool *normalized_out)
{
	uint64_t width = resource->res.pitch2D.width, height = resource->res.pitch2D.height;
	uint64_t pitch = resource->res.pitch2D.pitchInBytes, texel;
	CUresult r = texel_fill(image, resource->res.pitch2D.format, resource->res.pitch2D.numChannels, normalized_out);
	if (r)
		return r;
	texel = (uint64_t)image->channels * image->channel_bits / 8;
	if (!width || !height || width > UINT32_MAX / texel || height > UINT32_MAX || pitch < width * texel ||
	    pitch % PITCH_ALIGN || resource->res.pitch2D.devPtr % PITCH_ALIGN ||
	    !pl_cu_mem_reaches(resource->res.pitch2D.devPtr, (height - 1) * pitch + width * texel))
		return CUDA_ERROR_INVALID_VALUE;
	image->va = resource->res.pitch2D.devPtr;
	image->width = (uint32_t)width;
	image->height = (uint32_t)height;
	image->pitch_bytes = pitch;
	image->slice_bytes = pitch * height;
	return CUDA_SUCCESS;
}

/* -- views -----------------------------------------------------------------------------------------------------------
 */

static bool view_texel(struct pl_isa_image *image, CUresourceViewFormat format)
{
	static const struct {
		uint8_t bits, texel;
	} kinds[] = { { 8, PL_ISA_TEXEL_UNSIGNED }, { 8, PL_ISA_TEXEL_SIGNED },    { 16, PL_ISA_TEXEL_UNSIGNED },
		      { 16, PL_ISA_TEXEL_SIGNED },  { 32, PL_ISA_TEXEL_UNSIGNED }, { 32, PL_ISA_TEXEL_SIGNED },
		      { 16, PL_ISA_TEXEL_FLOAT },   { 32, PL_ISA_TEXEL_FLOAT } };
	uint32_t kind = ((uint32_t)format - CU_RES_VIEW_FORMAT_UINT_1X8) / 3;
	uint32_t channels = 1u << ((uint32_t)format - CU_RES_VIEW_FORMAT_UINT_1X8) % 3;
	if (format == CU_RES_VIEW_FORMAT_NONE)
		return true;
	if (kind >= sizeof(kinds) / sizeof(kinds[0]))
		return false;
	if (channels * kinds[kind].bits != (uint32_t)image->channels * image->channel_bits)
		return false;
	image->channels = (uint8_t)channels;
	image->channel_bits = kinds[kind].bits;
	image->texel = kinds[kind].texel;
	return true;
}

static CUresult view_apply(struct pl_isa_image *image, const CUDA_RESOURCE_VIEW_DESC *view)
{
	uint32_t layers = image->flags & (PL_ISA_IMAGE_LAYERED | PL_ISA_IMAGE_CUBE) ? image->depth : 0;
	if (view->format > CU_RES_VIEW_FORMAT_UNSIGNED_BC7)
		return CUDA_ERROR_INVALID_VALUE;
	if (!view_texel(image, view->format))
		return view->format >= CU_RES_VIEW_FORMAT_UNSIGNED_BC1 ? CUDA_ERROR_NOT_SUPPORTED
								       : CUDA_ERROR_INVALID_VALUE;
	if (!layers)
		return CUDA_SUCCESS;
	if (view->firstLayer > view->lastLayer || view->lastLayer >= layers)
		return CUDA_ERROR_INVALID_VALUE;
	image->va += view->firstLayer * image->slice_bytes;
	image->depth = view->lastLayer - view->firstLayer + 1;
	return CUDA_SUCCESS;
}

static CUresult mipmap_image(struct pl_cu_texture *texture, struct pl_cu_ctx *ctx, struct pl_isa_image *image,
			     const CUDA_RESOURCE_VIEW_DESC *view, bool *normalized_out)
{
	struct pl_cu_mipmap *mipmap = pl_cuda_handle_held(texture->resource.res.mipmap.hMipmappedArray, PL_CU_MIPMAP);
	uint32_t first = 0, last;
	if (!mipmap)
		return CUDA_ERROR_INVALID_HANDLE;
	last = mipmap->levels_n - 1;
	if (view) {
		first = view->firstMipmapLevel;
		last = view->lastMipmapLevel;
		if (first > last || last >= mipmap->levels_n)
			return CUDA_ERROR_INVALID_VALUE;
	}
	*normalized_out = mipmap->levels[0]->normalized;
	return levels_write(texture, ctx, image, mipmap, first, last);
}

static CUresult image_fill(struct pl_cu_texture *texture, struct pl_cu_ctx *ctx, struct pl_isa_image *image,
			   const CUDA_RESOURCE_VIEW_DESC *view, bool *normalized_out)
{
	const CUDA_RESOURCE_DESC *resource = &texture->resource;
	struct pl_cu_array *array;
	CUresult r;
	*image = (struct pl_isa_image){ 0 };
	if (resource->flags)
		return CUDA_ERROR_INVALID_VALUE;
	switch (resource->resType) {
	case CU_RESOURCE_TYPE_ARRAY:
		array = pl_cuda_handle_held(resource->res.array.hArray, PL_CU_ARRAY);
		if (!array)
			return CUDA_ERROR_INVALID_HANDLE;
		image_of_array(image, array);
		*normalized_out = array->normalized;
		return view ? view_apply(image, view) : CUDA_SUCCESS;
	case CU_RESOURCE_TYPE_MIPMAPPED_ARRAY:
		r = mipmap_image(texture, ctx, image, view, normalized_out);
		return r ? r : view ? view_apply(image, view) : CUDA_SUCCESS;
	case CU_RESOURCE_TYPE_LINEAR:
		return view ? CUDA_ERROR_INVALID_VALUE : image_linear(image, resource, normalized_out);
	case CU_RESOURCE_TYPE_PITCH2D:
		return view ? CUDA_ERROR_INVALID_VALUE : image_pitch(image, resource, normalized_out);
	default:
		return CUDA_ERROR_INVALID_VALUE;
	}
}

/* -- samplers --------------------------------------------------------------------------------------------------------
 */

#define FLAGS_KNOWN                                                                                                    \
	(CU_TRSF_READ_AS_INTEGER | CU_TRSF_NORMALIZED_COORDINATES | CU_TRSF_SRGB |                                     \
	 CU_TRSF_DISABLE_TRILINEAR_OPTIMIZATION | CU_TRSF_SEAMLESS_CUBEMAP)

static CUresult sampler_fill(struct pl_isa_sampler *sampler, const CUDA_TEXTURE_DESC *desc,
			     const struct pl_isa_image *image, bool normalized)
{
	*sampler = (struct pl_isa_sampler){ 0 };
	for (int i = 0; i < 3; i++) {
		if ((unsigned int)desc->addressMode[i] > CU_TR_ADDRESS_MODE_BORDER)
			return CUDA_ERROR_INVALID_VALUE;
		sampler->wrap[i] = (uint8_t)desc->addressMode[i];
	}
	if ((unsigned int)desc->filterMode > CU_TR_FILTER_MODE_LINEAR ||
	    (unsigned int)desc->mipmapFilterMode > CU_TR_FILTER_MODE_LINEAR || desc->flags & ~(unsigned int)FLAGS_KNOWN)
		return CUDA_ERROR_INVALID_VALUE;
	sampler->filter = (uint8_t)desc->filterMode;
	sampler->mip_filter = (uint8_t)desc->mipmapFilterMode;
	if (desc->flags & CU_TRSF_NORMALIZED_COORDINATES)
		sampler->flags |= PL_ISA_SAMPLER_NORMALIZED_COORDS;
	if (desc->flags & CU_TRSF_READ_AS_INTEGER && !normalized)
		sampler->flags |= PL_ISA_SAMPLER_READ_INTEGER;
	if (desc->flags & CU_TRSF_SRGB)
		sampler->flags |= PL_ISA_SAMPLER_SRGB;
	if (desc->flags & CU_TRSF_SEAMLESS_CUBEMAP)
		sampler->flags |= PL_ISA_SAMPLER_SEAMLESS;
	/* A 32-bit integer is read as it is whatever the flag says. */
	if (image->texel != PL_ISA_TEXEL_FLOAT && image->channel_bits == 32)
		sampler->flags |= PL_ISA_SAMPLER_READ_INTEGER;
	memcpy(sampler->border, desc->borderColor, sizeof(sampler->border));
	sampler->lod_bias = desc->mipmapLevelBias;
	sampler->lod_min = desc->minMipmapLevelClamp;
	sampler->lod_max = desc->maxMipmapLevelClamp;
	return CUDA_SUCCESS;
}

/* -- objects ---------------------------------------------------------------------------------------------------------
 */

static CUresult slots_take(struct pl_cu_texture *texture)
{
	struct pl_cu_dev *dev = texture->dev;
	bool taken;
	pthread_mutex_lock(&dev->lock);
	taken = slot_take(&dev->images, &texture->image);
	if (taken && !texture->surface && !slot_take(&dev->samplers, &texture->sampler)) {
		slot_give(&dev->images, texture->image);
		taken = false;
	}
	pthread_mutex_unlock(&dev->lock);
	return taken ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

static CUresult texture_enter(struct pl_cu_texture *texture)
{
	int r;
	texture->handle = texture->image | (uint64_t)texture->sampler << SAMPLER_SHIFT;
	pthread_mutex_lock(&objects_lock);
	r = pl_cuda_ranges_insert(&objects, texture->handle, 1, texture);
	pthread_mutex_unlock(&objects_lock);
	return pl_cu_result_of(r);
}

CUresult pl_cu_texture_create(struct pl_cu_texture **texture_out, struct pl_cu_ctx *ctx,
			      const CUDA_RESOURCE_DESC *resource, const CUDA_TEXTURE_DESC *desc,
			      const CUDA_RESOURCE_VIEW_DESC *view)
{
	struct pl_cu_texture *texture = calloc(1, sizeof(*texture));
	struct pl_isa_sampler sampler;
	struct pl_isa_image image;
	bool normalized = false;
	CUresult r;
	if (!texture)
		return CUDA_ERROR_OUT_OF_MEMORY;
	texture->resource = *resource;
	texture->surface = !desc;
	texture->dev = ctx->dev;
	if (desc)
		texture->desc = *desc;
	if (view) {
		texture->view = *view;
		texture->has_view = true;
	}
	r = image_fill(texture, ctx, &image, view, &normalized);
	if (!r && desc)
		r = sampler_fill(&sampler, desc, &image, normalized);
	if (!r)
		r = slots_take(texture);
	if (r) {
		pl_cu_mem_destroy(texture->levels);
		free(texture);
		return r;
	}
	if (!desc)
		image.flags |= PL_ISA_IMAGE_SURFACE;
	row_write(ctx->dev, &ctx->dev->images_vram, texture->image * sizeof(image), &image, sizeof(image));
	if (desc)
		row_write(ctx->dev, &ctx->dev->samplers_vram, texture->sampler * sizeof(sampler), &sampler,
			  sizeof(sampler));
	r = texture_enter(texture);
	if (r)
		pl_cu_texture_destroy(texture);
	else
		*texture_out = texture;
	return r;
}

void pl_cu_texture_destroy(struct pl_cu_texture *texture)
{
	static const struct pl_isa_image none;
	struct pl_cuda_range *range;
	struct pl_cu_dev *dev;
	if (!texture)
		return;
	dev = texture->dev;
	pthread_mutex_lock(&objects_lock);
	range = pl_cuda_ranges_find(&objects, texture->handle);
	if (range && range->value == texture)
		pl_cuda_ranges_remove(&objects, range);
	pthread_mutex_unlock(&objects_lock);
	row_write(dev, &dev->images_vram, texture->image * sizeof(none), &none, sizeof(none));
	pthread_mutex_lock(&dev->lock);
	slot_give(&dev->images, texture->image);
	if (!texture->surface)
		slot_give(&dev->samplers, texture->sampler);
	pthread_mutex_unlock(&dev->lock);
	pl_cu_mem_destroy(texture->levels);
	free(texture);
}

/* From here on it is the API's, which finds it by its handle. */
static uint64_t object_give(struct pl_cu_texture *texture, const struct pl_cu_ctx *ctx)
{
	uint64_t handle = texture->handle;
	pthread_mutex_lock(&objects_lock);
	texture->ctx = ctx;
	pthread_mutex_unlock(&objects_lock);
	return handle;
}

/* Called with objects_lock held; NULL: no such object of this kind. */
static struct pl_cu_texture *object_find(uint64_t handle, bool surface)
{
	struct pl_cuda_range *range = pl_cuda_ranges_find(&objects, handle);
	struct pl_cu_texture *texture = range ? range->value : NULL;
	return texture && texture->ctx && texture->surface == surface ? texture : NULL;
}

static struct pl_cu_texture *take_of(const struct pl_cu_ctx *ctx)
{
	struct pl_cu_texture *texture = NULL;
	pthread_mutex_lock(&objects_lock);
	for (size_t i = objects.n; i-- && !texture;) {
		struct pl_cu_texture *one = objects.range[i].value;
		if (one->ctx != ctx)
			continue;
		texture = one;
		pl_cuda_ranges_remove(&objects, &objects.range[i]);
	}
	pthread_mutex_unlock(&objects_lock);
	return texture;
}

void pl_cu_textures_end(struct pl_cu_ctx *ctx)
{
	struct pl_cu_texture *texture;
	while ((texture = take_of(ctx)))
		pl_cu_texture_destroy(texture);
}

/* A copy: the object may be destroyed next. */
static CUresult object_get(uint64_t handle, bool surface, struct pl_cu_texture *texture_out)
{
	struct pl_cu_texture *texture;
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (r)
		return r;
	pthread_mutex_lock(&objects_lock);
	texture = object_find(handle, surface);
	if (texture)
		*texture_out = *texture;
	pthread_mutex_unlock(&objects_lock);
	return texture ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuTexObjectCreate(CUtexObject *object_out, const CUDA_RESOURCE_DESC *resource, const CUDA_TEXTURE_DESC *desc,
			   const CUDA_RESOURCE_VIEW_DESC *view)
{
	struct pl_cu_texture *texture;
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (r)
		return r;
	if (!object_out || !resource || !desc)
		return CUDA_ERROR_INVALID_VALUE;
	r = pl_cu_texture_create(&texture, ctx, resource, desc, view);
	if (!r)
		*object_out = object_give(texture, ctx);
	return r;
}

/* Programs destroy what kernels under way still read. */
static CUresult object_destroy(uint64_t handle, bool surface)
{
	struct pl_cu_texture known, *texture;
	struct pl_cu_ctx *ctx;
	CUresult r = object_get(handle, surface, &known);
	if (r)
		return r;
	if (!pl_cu_enter_ctx(&ctx))
		(void)pl_cu_ctx_wait(ctx);
	pthread_mutex_lock(&objects_lock);
	texture = object_find(handle, surface);
	if (texture)
		pl_cuda_ranges_remove(&objects, pl_cuda_ranges_find(&objects, handle));
	pthread_mutex_unlock(&objects_lock);
	pl_cu_texture_destroy(texture); /* which may be another of the same number by now */
	return texture ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuTexObjectDestroy(CUtexObject object)
{
	return object_destroy(object, false);
}

CUresult cuTexObjectGetResourceDesc(CUDA_RESOURCE_DESC *resource_out, CUtexObject object)
{
	struct pl_cu_texture texture;
	CUresult r = object_get(object, false, &texture);
	if (!r && !resource_out)
		r = CUDA_ERROR_INVALID_VALUE;
	if (!r)
		*resource_out = texture.resource;
	return r;
}

CUresult cuTexObjectGetTextureDesc(CUDA_TEXTURE_DESC *desc_out, CUtexObject object)
{
	struct pl_cu_texture texture;
	CUresult r = object_get(object, false, &texture);
	if (!r && !desc_out)
		r = CUDA_ERROR_INVALID_VALUE;
	if (!r)
		*desc_out = texture.desc;
	return r;
}

CUresult cuTexObjectGetResourceViewDesc(CUDA_RESOURCE_VIEW_DESC *view_out, CUtexObject object)
{
	struct pl_cu_texture texture;
	CUresult r = object_get(object, false, &texture);
	if (!r && (!view_out || !texture.has_view))
		r = CUDA_ERROR_INVALID_VALUE;
	if (!r)
		*view_out = texture.view;
	return r;
}

CUresult cuSurfObjectCreate(CUsurfObject *object_out, const CUDA_RESOURCE_DESC *resource)
{
	struct pl_cu_texture *texture;
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (r)
		return r;
	if (!object_out || !resource || resource->resType != CU_RESOURCE_TYPE_ARRAY)
		return CUDA_ERROR_INVALID_VALUE;
	if (!pl_cuda_handle_held(resource->res.array.hArray, PL_CU_ARRAY))
		return CUDA_ERROR_INVALID_HANDLE;
	r = pl_cu_texture_create(&texture, ctx, resource, NULL, NULL);
	if (!r)
		*object_out = object_give(texture, ctx);
	return r;
}

CUresult cuSurfObjectDestroy(CUsurfObject object)
{
	return object_destroy(object, true);
}

CUresult cuSurfObjectGetResourceDesc(CUDA_RESOURCE_DESC *resource_out, CUsurfObject object)
{
	struct pl_cu_texture texture;
	CUresult r = object_get(object, true, &texture);
	if (!r && !resource_out)
		r = CUDA_ERROR_INVALID_VALUE;
	if (!r)
		*resource_out = texture.resource;
	return r;
}

CUresult cuDeviceGetTexture1DLinearMaxWidth(size_t *width_out, CUarray_format format, unsigned channels,
					    CUdevice device)
{
	struct pl_cu_format of;
	struct pl_cu_dev *dev;
	CUresult r = pl_cu_enter_device(device, &dev);
	if (r)
		return r;
	if (!width_out || !pl_cu_format_find(format, &of) || (channels != 1 && channels != 2 && channels != 4))
		return CUDA_ERROR_INVALID_VALUE;
	*width_out = LINEAR_TEXELS;
	return CUDA_SUCCESS;
}
