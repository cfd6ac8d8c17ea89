/* Images: what they take, and how they are made. */
#include <stdlib.h>
#include <string.h>

#include "backend/opencl/mem.h"
#include "backend/opencl/resolve.h"

static uint32_t channels_of(uint32_t order)
{
	switch (order) {
	case CL_R:
	case CL_A:
	case CL_Rx:
	case CL_INTENSITY:
	case CL_LUMINANCE:
	case CL_DEPTH:
		return 1;
	case CL_RG:
	case CL_RA:
	case CL_RGx:
		return 2;
	case CL_RGB:
	case CL_RGBx:
	case CL_sRGB:
		return 3;
	case CL_RGBA:
	case CL_BGRA:
	case CL_ARGB:
	case CL_ABGR:
	case CL_sRGBA:
	case CL_sBGRA:
	case CL_sRGBx:
		return 4;
	}
	return 0;
}

uint64_t pl_cl_element_bytes(uint32_t channel_order, uint32_t channel_type)
{
	uint64_t channels = channels_of(channel_order);

	switch (channel_type) {
	case CL_SNORM_INT8:
	case CL_UNORM_INT8:
	case CL_SIGNED_INT8:
	case CL_UNSIGNED_INT8:
		return channel_order == CL_RGBx || channel_order == CL_sRGBx ? 4 : channels;
	case CL_SNORM_INT16:
	case CL_UNORM_INT16:
	case CL_SIGNED_INT16:
	case CL_UNSIGNED_INT16:
	case CL_HALF_FLOAT:
		return 2 * channels;
	case CL_SIGNED_INT32:
	case CL_UNSIGNED_INT32:
	case CL_FLOAT:
		return 4 * channels;
	case CL_UNORM_SHORT_565:
	case CL_UNORM_SHORT_555:
		return 2;
	case CL_UNORM_INT_101010:
	case CL_UNORM_INT_101010_2:
	case CL_UNORM_INT24:
		return 4;
	}
	return 0;
}

/* Bytes that the image takes in memory when rows have row_pitch bytes and slices slice_pitch, 0 = as tight as can be:
 * what a driver may read from host memory. */
static uint64_t full_bytes_of(const struct pl_cl_clCreateImage_args *args, uint64_t element)
{
	uint64_t rows = 1, slices = 1, row, slice;

	switch (args->type) {
	case CL_MEM_OBJECT_IMAGE2D:
		rows = args->height;
		break;
	case CL_MEM_OBJECT_IMAGE3D:
		rows = args->height;
		slices = args->depth;
		break;
	case CL_MEM_OBJECT_IMAGE1D_ARRAY:
		slices = args->array_size;
		break;
	case CL_MEM_OBJECT_IMAGE2D_ARRAY:
		rows = args->height;
		slices = args->array_size;
		break;
	}
	row = pl_cl_times(args->width, element);
	if (args->has_host_ptr && args->row_pitch > row)
		row = args->row_pitch;
	slice = pl_cl_times(row, rows);
	if (args->has_host_ptr && args->slice_pitch > slice)
		slice = args->slice_pitch;
	return pl_cl_times(slice, slices);
}

static cl_mem image_call(const struct pl_cl_clCreateImage_args *args, cl_context context, cl_mem_flags flags,
			 cl_mem source, void *host, int32_t *status)
{
	static const cl_mem_properties none[1];
	cl_image_format format = { args->channel_order, args->channel_type };
	const cl_image_format *given = args->has_format ? &format : NULL;
	cl_image_desc desc = {
		.image_type = args->type,
		.image_width = args->width,
		.image_height = args->height,
		.image_depth = args->depth,
		.image_array_size = args->array_size,
		.image_row_pitch = args->row_pitch,
		.image_slice_pitch = args->slice_pitch,
		.num_mip_levels = args->mip_levels,
		.num_samples = args->samples,
	};

	desc.buffer = source;
	if (args->legacy == 2 && pl_cl.clCreateImage2D)
		return pl_cl.clCreateImage2D(context, flags, given, args->width, args->height, args->row_pitch, host,
					     status);
	if (args->legacy == 3 && pl_cl.clCreateImage3D)
		return pl_cl.clCreateImage3D(context, flags, given, args->width, args->height, args->depth,
					     args->row_pitch, args->slice_pitch, host, status);
	if (args->with_properties && pl_cl.clCreateImageWithProperties)
		return pl_cl.clCreateImageWithProperties(context, args->properties.count ? none : NULL, flags, given,
							 args->has_desc ? &desc : NULL, host, status);
	if (!args->with_properties && pl_cl.clCreateImage)
		return pl_cl.clCreateImage(context, flags, given, args->has_desc ? &desc : NULL, host, status);
	*status = CL_INVALID_OPERATION;
	return NULL;
}

/* Calls the driver with the host memory that the flags ask for; a pointer that no flag asks for is passed on as one. */
static cl_mem image_make(struct pl_serve *serve, const struct pl_cl_clCreateImage_args *args, cl_context context,
			 cl_mem source, uint64_t full_bytes, int32_t *status)
{
	static const cl_mem_flags host = CL_MEM_USE_HOST_PTR | CL_MEM_COPY_HOST_PTR;
	static uint64_t nothing[16];
	cl_mem_flags flags = args->flags;
	struct pl_cl_view view;
	cl_mem mem;

	if ((flags & CL_MEM_USE_HOST_PTR) && (flags & (CL_MEM_ALLOC_HOST_PTR | CL_MEM_COPY_HOST_PTR))) {
		*status = CL_INVALID_VALUE;
		return NULL;
	}
	if (!(flags & host) || !args->has_host_ptr)
		return image_call(args, context, flags, source, args->has_host_ptr ? nothing : NULL, status);
	if (!args->data.bytes || args->data.bytes < full_bytes) {
		struct pl_cl_clCreateImage_args bare = *args;

		bare.has_host_ptr = bare.row_pitch = bare.slice_pitch = 0;
		mem = image_call(&bare, context, flags & ~(host | CL_MEM_ALLOC_HOST_PTR), source, NULL, status);
		if (mem)
			pl_cl.clReleaseMemObject(mem);
		*status = *status ? *status : CL_INVALID_HOST_PTR;
		return NULL;
	}
	*status = pl_cl_view_take(serve, &args->data, false, &view);
	if (*status)
		return NULL;
	if (flags & CL_MEM_USE_HOST_PTR)
		flags = (flags & ~(cl_mem_flags)CL_MEM_USE_HOST_PTR) | CL_MEM_COPY_HOST_PTR;
	mem = image_call(args, context, flags, source, (void *)(uintptr_t)view.data, status);
	pl_cl_view_fini(&view);
	return mem;
}

/* What the client claims (args->size) has been charged; what the image takes is charged on top of it. */
static bool image_charge(struct pl_cl_session *session, struct pl_cl_mem_note *note, uint64_t full_bytes)
{
	if (full_bytes <= note->charged_bytes)
		return true;
	if (!pl_quota_charge(pl_cl_quota(session), PL_QUOTA_MEMORY, full_bytes - note->charged_bytes))
		return false;
	note->charged_bytes = full_bytes;
	return true;
}

/* The driver's own word for what is wrong with sizes that are beyond any limit. */
static bool image_is_absurd(const struct pl_cl_clCreateImage_args *args)
{
	const uint64_t most = 1ull << 31;

	return args->width > most || args->height > most || args->depth > most || args->array_size > most ||
	       args->row_pitch > most << 16 || args->slice_pitch > most << 16;
}

static cl_mem image_create(struct pl_serve *serve, const struct pl_cl_clCreateImage_args *args,
			   struct pl_cl_mem_note *note, int32_t *status)
{
	uint64_t element = pl_cl_element_bytes(args->channel_order, args->channel_type);
	uint64_t full_bytes = full_bytes_of(args, element);
	void *context, *source;

	if (!pl_cl_take(serve, args->context, PL_CL_KIND_context, &context, status) ||
	    !pl_cl_take(serve, args->source, PL_CL_KIND_mem, &source, status))
		return NULL;
	if (args->properties.count && args->properties.at[0]) {
		*status = CL_INVALID_PROPERTY;
		return NULL;
	}
	if (args->mip_levels || args->samples) { /* of extensions that are not carried; PoCL 3.1 ends the process */
		*status = CL_INVALID_IMAGE_DESCRIPTOR;
		return NULL;
	}
	if (!source && args->has_desc && image_is_absurd(args)) {
		*status = CL_INVALID_IMAGE_SIZE;
		return NULL;
	}
	if (!source && !image_charge(note->session, note, full_bytes)) {
		*status = CL_MEM_OBJECT_ALLOCATION_FAILURE;
		return NULL;
	}
	return image_make(serve, args, context, source, element ? full_bytes : UINT64_MAX, status);
}

bool pl_cl_image_holds(const struct pl_cl_mem_note *note, const uint64_t *origin, const uint64_t *region)
{
	for (int i = 0; i < 3; i++)
		if (!region[i] || origin[i] > note->extent[i] || region[i] > note->extent[i] - origin[i])
			return false;
	return true;
}

static void extent_set(struct pl_cl_mem_note *note, const struct pl_cl_clCreateImage_args *args)
{
	note->extent[0] = args->width;
	note->extent[1] = note->extent[2] = 1;
	switch (note->type) {
	case CL_MEM_OBJECT_IMAGE1D_ARRAY:
		note->extent[1] = args->array_size;
		break;
	case CL_MEM_OBJECT_IMAGE2D:
		note->extent[1] = args->height;
		break;
	case CL_MEM_OBJECT_IMAGE2D_ARRAY:
		note->extent[1] = args->height;
		note->extent[2] = args->array_size;
		break;
	case CL_MEM_OBJECT_IMAGE3D:
		note->extent[1] = args->height;
		note->extent[2] = args->depth;
		break;
	}
}

void pl_cl_serve_clCreateImage(struct pl_serve *serve, const struct pl_cl_clCreateImage_args *args)
{
	struct pl_cl_session *session = pl_cl_session_of(serve);
	struct pl_cl_mem_note *note = pl_cl_mem_note_new(session, args->mem);
	int32_t status = CL_OUT_OF_HOST_MEMORY;
	cl_mem mem = NULL;

	if (!note) {
		pl_quota_return(pl_cl_quota(session), PL_QUOTA_MEMORY, args->size);
	} else {
		note->charged_bytes = args->size;
		mem = image_create(serve, args, note, &status);
	}
	mem = pl_cl_made(mem, &status);
	if (mem) {
		size_t element = 0;

		pl_cl.clGetImageInfo(mem, CL_IMAGE_ELEMENT_SIZE, sizeof(element), &element, NULL);
		note->element_bytes = element ? element : 1;
		note->type =
			args->legacy ? (args->legacy == 2 ? CL_MEM_OBJECT_IMAGE2D : CL_MEM_OBJECT_IMAGE3D) : args->type;
		extent_set(note, args);
		status = pl_cl_mem_enter(note, mem);
	} else {
		pl_cl_mem_note_drop(note);
		pl_cl_put(serve, args->mem, PL_CL_KIND_mem, NULL, status);
	}
	pl_cl_result(serve, status, 0);
}
