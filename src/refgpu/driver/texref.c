/*
 * Texture and surface references, the way of before CUDA 5: a variable of the module holds the handle of an object that
 * is made anew whenever the reference is changed.
 */
#include <stdlib.h>
#include <string.h>

#include "cuda-api.h"
#include "module.h"
#include "texture.h"

struct pl_cu_ref {
	uint64_t handle;
	enum pl_cu_type type;        /* PL_CU_TEXREF or PL_CU_SURFREF */
	struct pl_cu_ctx *ctx;       /* a reference, as that to */
	struct pl_cu_module *module; /* NULL: made by cuTexRefCreate() */
	const struct pl_ptx_var *var;
	CUDA_RESOURCE_DESC resource;
	CUDA_TEXTURE_DESC desc;
	bool bound;
	CUarray_format format;
	int channels;
	struct pl_cu_texture *texture; /* under bind_lock */
	struct pl_cu_ref *next;        /* in module->texrefs, or ctx->texrefs where there is none; under ctx->lock */
};

static pthread_mutex_t bind_lock = PTHREAD_MUTEX_INITIALIZER;

static void ref_free(void *arg)
{
	struct pl_cu_ref *ref = arg;
	pl_cu_texture_destroy(ref->texture);
	if (ref->module)
		pl_cu_module_unref(ref->module);
	pl_cu_ctx_unref(ref->ctx);
	free(ref);
}

/* Of one that a program has made.  false: another thread has destroyed it. */
static bool ref_destroy(struct pl_cu_ref *ref)
{
	pthread_mutex_lock(&ref->ctx->lock);
	for (struct pl_cu_ref **at = &ref->ctx->texrefs; *at; at = &(*at)->next) {
		if (*at != ref)
			continue;
		*at = ref->next;
		break;
	}
	pthread_mutex_unlock(&ref->ctx->lock);
	return pl_cuda_handle_retire(ref->handle, ref_free);
}

void pl_cu_refs_end(struct pl_cu_ctx *ctx)
{
	struct pl_cu_ref *ref;
	do {
		uint32_t call = pl_cuda_call_begin();
		pthread_mutex_lock(&ctx->lock);
		for (ref = ctx->texrefs; ref && !pl_cuda_handle_hold(ref->handle, PL_CU_TEXREF);)
			ref = ref->next; /* another thread destroys it */
		pthread_mutex_unlock(&ctx->lock);
		if (ref)
			(void)ref_destroy(ref);
		pl_cuda_call_end(call);
	} while (ref);
}

void pl_cu_refs_destroy(struct pl_cu_module *module)
{
	struct pl_cu_ref *ref, *next;
	pthread_mutex_lock(&module->ctx->lock);
	ref = module->texrefs;
	module->texrefs = NULL;
	pthread_mutex_unlock(&module->ctx->lock);
	for (; ref; ref = next) {
		next = ref->next;
		(void)pl_cuda_handle_retire(ref->handle, ref_free);
	}
}

static CUresult ref_create(struct pl_cu_ref **ref_out, struct pl_cu_ctx *ctx, enum pl_cu_type type)
{
	struct pl_cu_ref *ref = calloc(1, sizeof(*ref));
	if (!ref)
		return CUDA_ERROR_OUT_OF_MEMORY;
	ref->type = type;
	ref->ctx = pl_cu_ctx_ref(ctx);
	ref->format = CU_AD_FORMAT_FLOAT;
	ref->channels = 1;
	ref->handle = pl_cuda_handle_create(type, ref);
	if (!ref->handle) {
		pl_cu_ctx_unref(ctx);
		free(ref);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	*ref_out = ref;
	return CUDA_SUCCESS;
}

static CUresult ref_of_module(uint64_t *handle_out, CUmodule handle, const char *name, enum pl_cu_type type)
{
	enum pl_ptx_ref kind = type == PL_CU_TEXREF ? PL_PTX_REF_TEX : PL_PTX_REF_SURF;
	const struct pl_ptx_var *var;
	struct pl_cu_module *module;
	struct pl_cu_ref *ref;
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (r)
		return r;
	module = pl_cuda_handle_held(handle, PL_CU_MODULE);
	if (!module)
		return CUDA_ERROR_INVALID_HANDLE;
	if (!handle_out || !name)
		return CUDA_ERROR_INVALID_VALUE;
	var = pl_ptx_image_var(module->image->ptx, name);
	if (!var || var->ref != kind)
		return CUDA_ERROR_NOT_FOUND;
	pthread_mutex_lock(&module->ctx->lock);
	for (ref = module->texrefs; ref && ref->var != var; ref = ref->next)
		;
	if (!ref)
		r = ref_create(&ref, module->ctx, type);
	if (!r && !ref->module) {
		atomic_fetch_add(&module->refs, 1);
		ref->module = module;
		ref->var = var;
		ref->next = module->texrefs;
		module->texrefs = ref;
	}
	if (!r)
		*handle_out = ref->handle;
	pthread_mutex_unlock(&module->ctx->lock);
	return r;
}

CUresult cuModuleGetTexRef(CUtexref *ref_out, CUmodule module, const char *name)
{
	return ref_of_module((uint64_t *)ref_out, module, name, PL_CU_TEXREF);
}

CUresult cuModuleGetSurfRef(CUsurfref *ref_out, CUmodule module, const char *name)
{
	return ref_of_module((uint64_t *)ref_out, module, name, PL_CU_SURFREF);
}

static CUresult ref_get(const void *handle, enum pl_cu_type type, struct pl_cu_ref **ref_out)
{
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (r)
		return r;
	*ref_out = pl_cuda_handle_held(handle, type);
	return *ref_out ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

CUresult cuTexRefCreate(CUtexref *ref_out)
{
	struct pl_cu_ref *ref;
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (r)
		return r;
	if (!ref_out)
		return CUDA_ERROR_INVALID_VALUE;
	r = ref_create(&ref, ctx, PL_CU_TEXREF);
	if (r)
		return r;
	pthread_mutex_lock(&ctx->lock);
	ref->next = ctx->texrefs;
	ctx->texrefs = ref;
	pthread_mutex_unlock(&ctx->lock);
	*ref_out = (CUtexref)(uintptr_t)ref->handle;
	return CUDA_SUCCESS;
}

CUresult cuTexRefDestroy(CUtexref handle)
{
	struct pl_cu_ref *ref;
	CUresult r = ref_get(handle, PL_CU_TEXREF, &ref);
	if (r)
		return r;
	if (ref->module)
		return CUDA_ERROR_INVALID_HANDLE; /* goes with its module */
	return ref_destroy(ref) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

/* Work that reads the variable is done first. */
static CUresult ref_bind(struct pl_cu_ref *ref)
{
	struct pl_cu_texture *texture = NULL, *old;
	uint64_t handle, room;
	CUresult r;
	if (!ref->bound)
		return CUDA_SUCCESS;
	r = pl_cu_texture_create(&texture, ref->ctx, &ref->resource, ref->type == PL_CU_TEXREF ? &ref->desc : NULL,
				 NULL);
	if (r)
		return r;
	r = pl_cu_ctx_wait(ref->ctx);
	handle = texture->handle;
	if (ref->module)
		memcpy(pl_cu_mem_host(pl_cu_module_var_address(ref->module, ref->var), &room), &handle, sizeof(handle));
	pthread_mutex_lock(&bind_lock);
	old = ref->texture;
	ref->texture = texture;
	pthread_mutex_unlock(&bind_lock);
	pl_cu_texture_destroy(old);
	return r;
}

static CUresult ref_set_resource(struct pl_cu_ref *ref, const CUDA_RESOURCE_DESC *resource)
{
	CUDA_RESOURCE_DESC old = ref->resource;
	bool bound = ref->bound;
	CUresult r;
	ref->resource = *resource;
	ref->bound = true;
	r = ref_bind(ref);
	if (r) {
		ref->resource = old;
		ref->bound = bound;
	}
	return r;
}

CUresult cuTexRefSetArray(CUtexref handle, CUarray array_handle, unsigned int flags)
{
	CUDA_RESOURCE_DESC resource = { .resType = CU_RESOURCE_TYPE_ARRAY, .res.array.hArray = array_handle };
	struct pl_cu_array *array;
	struct pl_cu_ref *ref;
	CUresult r = ref_get(handle, PL_CU_TEXREF, &ref);
	if (r)
		return r;
	array = pl_cuda_handle_held(array_handle, PL_CU_ARRAY);
	if (!array)
		return CUDA_ERROR_INVALID_HANDLE;
	if (flags != CU_TRSA_OVERRIDE_FORMAT)
		return CUDA_ERROR_INVALID_VALUE;
	ref->format = array->desc.Format;
	ref->channels = (int)array->desc.NumChannels;
	return ref_set_resource(ref, &resource);
}

CUresult cuTexRefSetMipmappedArray(CUtexref handle, CUmipmappedArray mipmap, unsigned int flags)
{
	CUDA_RESOURCE_DESC resource = { .resType = CU_RESOURCE_TYPE_MIPMAPPED_ARRAY,
					.res.mipmap.hMipmappedArray = mipmap };
	struct pl_cu_ref *ref;
	CUresult r = ref_get(handle, PL_CU_TEXREF, &ref);
	if (!r && flags != CU_TRSA_OVERRIDE_FORMAT)
		r = CUDA_ERROR_INVALID_VALUE;
	return r ? r : ref_set_resource(ref, &resource);
}

CUresult cuTexRefSetAddress_v2(size_t *offset_out, CUtexref handle, CUdeviceptr address, size_t bytes)
{
	CUDA_RESOURCE_DESC resource = { .resType = CU_RESOURCE_TYPE_LINEAR };
	struct pl_cu_ref *ref;
	CUresult r = ref_get(handle, PL_CU_TEXREF, &ref);
	if (r)
		return r;
	resource.res.linear.devPtr = address;
	resource.res.linear.sizeInBytes = bytes;
	resource.res.linear.format = ref->format;
	resource.res.linear.numChannels = (unsigned int)ref->channels;
	r = ref_set_resource(ref, &resource);
	if (!r && offset_out)
		*offset_out = 0;
	return r;
}

CUresult cuTexRefSetAddress2D_v3(CUtexref handle, const CUDA_ARRAY_DESCRIPTOR *desc, CUdeviceptr address, size_t pitch)
{
	CUDA_RESOURCE_DESC resource = { .resType = CU_RESOURCE_TYPE_PITCH2D };
	struct pl_cu_ref *ref;
	CUresult r = ref_get(handle, PL_CU_TEXREF, &ref);
	if (!r && !desc)
		r = CUDA_ERROR_INVALID_VALUE;
	if (r)
		return r;
	ref->format = desc->Format;
	ref->channels = (int)desc->NumChannels;
	resource.res.pitch2D.devPtr = address;
	resource.res.pitch2D.format = desc->Format;
	resource.res.pitch2D.numChannels = desc->NumChannels;
	resource.res.pitch2D.width = desc->Width;
	resource.res.pitch2D.height = desc->Height;
	resource.res.pitch2D.pitchInBytes = pitch;
	return ref_set_resource(ref, &resource);
}

CUresult cuTexRefSetAddress2D_v2(CUtexref handle, const CUDA_ARRAY_DESCRIPTOR *desc, CUdeviceptr address, size_t pitch)
{
	return cuTexRefSetAddress2D_v3(handle, desc, address, pitch);
}

CUresult cuTexRefSetFormat(CUtexref handle, CUarray_format format, int channels)
{
	struct pl_cu_format of;
	struct pl_cu_ref *ref;
	CUresult r = ref_get(handle, PL_CU_TEXREF, &ref);
	if (!r && (!pl_cu_format_find(format, &of) || (channels != 1 && channels != 2 && channels != 4)))
		r = CUDA_ERROR_INVALID_VALUE;
	if (r)
		return r;
	ref->format = format;
	ref->channels = channels;
	return CUDA_SUCCESS;
}

/* A change of how it is read: on success the object is made anew. */
static CUresult ref_set_desc(struct pl_cu_ref *ref, const CUDA_TEXTURE_DESC *desc)
{
	CUDA_TEXTURE_DESC old = ref->desc;
	CUresult r;
	ref->desc = *desc;
	r = ref_bind(ref);
	if (r)
		ref->desc = old;
	return r;
}

CUresult cuTexRefSetAddressMode(CUtexref handle, int dimension, CUaddress_mode mode)
{
	CUDA_TEXTURE_DESC desc;
	struct pl_cu_ref *ref;
	CUresult r = ref_get(handle, PL_CU_TEXREF, &ref);
	if (!r && (dimension < 0 || dimension > 2 || (unsigned int)mode > CU_TR_ADDRESS_MODE_BORDER))
		r = CUDA_ERROR_INVALID_VALUE;
	if (r)
		return r;
	desc = ref->desc;
	desc.addressMode[dimension] = mode;
	return ref_set_desc(ref, &desc);
}

CUresult cuTexRefSetFilterMode(CUtexref handle, CUfilter_mode mode)
{
	CUDA_TEXTURE_DESC desc;
	struct pl_cu_ref *ref;
	CUresult r = ref_get(handle, PL_CU_TEXREF, &ref);
	if (!r && (unsigned int)mode > CU_TR_FILTER_MODE_LINEAR)
		r = CUDA_ERROR_INVALID_VALUE;
	if (r)
		return r;
	desc = ref->desc;
	desc.filterMode = mode;
	return ref_set_desc(ref, &desc);
}

CUresult cuTexRefSetFlags(CUtexref handle, unsigned int flags)
{
	CUDA_TEXTURE_DESC desc;
	struct pl_cu_ref *ref;
	CUresult r = ref_get(handle, PL_CU_TEXREF, &ref);
	if (r)
		return r;
	desc = ref->desc;
	desc.flags = flags;
	return ref_set_desc(ref, &desc);
}

CUresult cuTexRefSetMipmapFilterMode(CUtexref handle, CUfilter_mode mode)
{
	CUDA_TEXTURE_DESC desc;
	struct pl_cu_ref *ref;
	CUresult r = ref_get(handle, PL_CU_TEXREF, &ref);
	if (!r && (unsigned int)mode > CU_TR_FILTER_MODE_LINEAR)
		r = CUDA_ERROR_INVALID_VALUE;
	if (r)
		return r;
	desc = ref->desc;
	desc.mipmapFilterMode = mode;
	return ref_set_desc(ref, &desc);
}

CUresult cuTexRefSetMipmapLevelBias(CUtexref handle, float bias)
{
	CUDA_TEXTURE_DESC desc;
	struct pl_cu_ref *ref;
	CUresult r = ref_get(handle, PL_CU_TEXREF, &ref);
	if (r)
		return r;
	desc = ref->desc;
	desc.mipmapLevelBias = bias;
	return ref_set_desc(ref, &desc);
}

CUresult cuTexRefSetMipmapLevelClamp(CUtexref handle, float least, float most)
{
	CUDA_TEXTURE_DESC desc;
	struct pl_cu_ref *ref;
	CUresult r = ref_get(handle, PL_CU_TEXREF, &ref);
	if (r)
		return r;
	desc = ref->desc;
	desc.minMipmapLevelClamp = least;
	desc.maxMipmapLevelClamp = most;
	return ref_set_desc(ref, &desc);
}

CUresult cuTexRefSetMaxAnisotropy(CUtexref handle, unsigned int most)
{
	CUDA_TEXTURE_DESC desc;
	struct pl_cu_ref *ref;
	CUresult r = ref_get(handle, PL_CU_TEXREF, &ref);
	if (r)
		return r;
	desc = ref->desc;
	desc.maxAnisotropy = most;
	return ref_set_desc(ref, &desc);
}

CUresult cuTexRefSetBorderColor(CUtexref handle, float *color)
{
	CUDA_TEXTURE_DESC desc;
	struct pl_cu_ref *ref;
	CUresult r = ref_get(handle, PL_CU_TEXREF, &ref);
	if (!r && !color)
		r = CUDA_ERROR_INVALID_VALUE;
	if (r)
		return r;
	desc = ref->desc;
	memcpy(desc.borderColor, color, sizeof(desc.borderColor));
	return ref_set_desc(ref, &desc);
}

/* -- what was set ----------------------------------------------------------------------------------------------------
 */

CUresult cuTexRefGetAddress_v2(CUdeviceptr *address_out, CUtexref handle)
{
	struct pl_cu_ref *ref;
	CUresult r = ref_get(handle, PL_CU_TEXREF, &ref);
	if (!r && (!address_out || !ref->bound || ref->resource.resType < CU_RESOURCE_TYPE_LINEAR))
		r = CUDA_ERROR_INVALID_VALUE;
	if (!r)
		*address_out = ref->resource.res.linear.devPtr;
	return r;
}

CUresult cuTexRefGetArray(CUarray *array_out, CUtexref handle)
{
	struct pl_cu_ref *ref;
	CUresult r = ref_get(handle, PL_CU_TEXREF, &ref);
	if (!r && (!array_out || !ref->bound || ref->resource.resType != CU_RESOURCE_TYPE_ARRAY))
		r = CUDA_ERROR_INVALID_VALUE;
	if (!r)
		*array_out = ref->resource.res.array.hArray;
	return r;
}

CUresult cuTexRefGetMipmappedArray(CUmipmappedArray *mipmap_out, CUtexref handle)
{
	struct pl_cu_ref *ref;
	CUresult r = ref_get(handle, PL_CU_TEXREF, &ref);
	if (!r && (!mipmap_out || !ref->bound || ref->resource.resType != CU_RESOURCE_TYPE_MIPMAPPED_ARRAY))
		r = CUDA_ERROR_INVALID_VALUE;
	if (!r)
		*mipmap_out = ref->resource.res.mipmap.hMipmappedArray;
	return r;
}

#define GETTER(name, type, expression)                                                                                 \
	CUresult name(type *value_out, CUtexref handle)                                                                \
	{                                                                                                              \
		struct pl_cu_ref *ref;                                                                                 \
		CUresult r = ref_get(handle, PL_CU_TEXREF, &ref);                                                      \
		if (!r && !value_out)                                                                                  \
			r = CUDA_ERROR_INVALID_VALUE;                                                                  \
		if (!r)                                                                                                \
			*value_out = (expression);                                                                     \
		return r;                                                                                              \
	}

GETTER(cuTexRefGetFilterMode, CUfilter_mode, ref->desc.filterMode)
GETTER(cuTexRefGetFlags, unsigned int, ref->desc.flags)
GETTER(cuTexRefGetMipmapFilterMode, CUfilter_mode, ref->desc.mipmapFilterMode)
GETTER(cuTexRefGetMipmapLevelBias, float, ref->desc.mipmapLevelBias)
GETTER(cuTexRefGetMaxAnisotropy, int, (int)ref->desc.maxAnisotropy)

CUresult cuTexRefGetAddressMode(CUaddress_mode *mode_out, CUtexref handle, int dimension)
{
	struct pl_cu_ref *ref;
	CUresult r = ref_get(handle, PL_CU_TEXREF, &ref);
	if (!r && (!mode_out || dimension < 0 || dimension > 2))
		r = CUDA_ERROR_INVALID_VALUE;
	if (!r)
		*mode_out = ref->desc.addressMode[dimension];
	return r;
}

CUresult cuTexRefGetFormat(CUarray_format *format_out, int *channels_out, CUtexref handle)
{
	struct pl_cu_ref *ref;
	CUresult r = ref_get(handle, PL_CU_TEXREF, &ref);
	if (!r && format_out)
		*format_out = ref->format;
	if (!r && channels_out)
		*channels_out = ref->channels;
	return r;
}

CUresult cuTexRefGetMipmapLevelClamp(float *least_out, float *most_out, CUtexref handle)
{
	struct pl_cu_ref *ref;
	CUresult r = ref_get(handle, PL_CU_TEXREF, &ref);
	if (!r && least_out)
		*least_out = ref->desc.minMipmapLevelClamp;
	if (!r && most_out)
		*most_out = ref->desc.maxMipmapLevelClamp;
	return r;
}

CUresult cuTexRefGetBorderColor(float *color_out, CUtexref handle)
{
	struct pl_cu_ref *ref;
	CUresult r = ref_get(handle, PL_CU_TEXREF, &ref);
	if (!r && !color_out)
		r = CUDA_ERROR_INVALID_VALUE;
	if (!r)
		memcpy(color_out, ref->desc.borderColor, sizeof(ref->desc.borderColor));
	return r;
}

CUresult cuParamSetTexRef(CUfunction handle, int unit, CUtexref ref_handle)
{
	struct pl_cu_ref *ref;
	struct pl_cu_func *func;
	CUresult r = ref_get(ref_handle, PL_CU_TEXREF, &ref);
	if (!r && unit != CU_PARAM_TR_DEFAULT)
		r = CUDA_ERROR_INVALID_VALUE;
	return r ? r : pl_cu_func_get(handle, &func);
}

/* -- surfaces --------------------------------------------------------------------------------------------------------
 */

CUresult cuSurfRefSetArray(CUsurfref handle, CUarray array_handle, unsigned int flags)
{
	CUDA_RESOURCE_DESC resource = { .resType = CU_RESOURCE_TYPE_ARRAY, .res.array.hArray = array_handle };
	struct pl_cu_array *array;
	struct pl_cu_ref *ref;
	CUresult r = ref_get(handle, PL_CU_SURFREF, &ref);
	if (r)
		return r;
	array = pl_cuda_handle_held(array_handle, PL_CU_ARRAY);
	if (!array)
		return CUDA_ERROR_INVALID_HANDLE;
	if (flags || !(array->desc.Flags & CUDA_ARRAY3D_SURFACE_LDST))
		return CUDA_ERROR_INVALID_VALUE;
	return ref_set_resource(ref, &resource);
}

CUresult cuSurfRefGetArray(CUarray *array_out, CUsurfref handle)
{
	struct pl_cu_ref *ref;
	CUresult r = ref_get(handle, PL_CU_SURFREF, &ref);
	if (!r && (!array_out || !ref->bound))
		r = CUDA_ERROR_INVALID_VALUE;
	if (!r)
		*array_out = ref->resource.res.array.hArray;
	return r;
}
