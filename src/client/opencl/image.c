#include <string.h>

#include "client/opencl/call.h"
#include "client/opencl/types.h"

static size_t channel_count(cl_channel_order order)
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
	default:
		return 0;
	}
}

/* 0 = not a format that is known. */
size_t pl_cl_format_bytes(const cl_image_format *format)
{
	size_t channels = channel_count(format->image_channel_order);

	switch (format->image_channel_data_type) {
	case CL_SNORM_INT8:
	case CL_UNORM_INT8:
	case CL_SIGNED_INT8:
	case CL_UNSIGNED_INT8:
		return channels;
	case CL_SNORM_INT16:
	case CL_UNORM_INT16:
	case CL_SIGNED_INT16:
	case CL_UNSIGNED_INT16:
	case CL_HALF_FLOAT:
		return channels * 2;
	case CL_SIGNED_INT32:
	case CL_UNSIGNED_INT32:
	case CL_FLOAT:
		return channels * 4;
	case CL_UNORM_SHORT_565:
	case CL_UNORM_SHORT_555:
		return 2;
	case CL_UNORM_INT_101010:
	case CL_UNORM_INT_101010_2:
	case CL_UNORM_INT24:
		return 4;
	default:
		return 0;
	}
}

/* Bytes at host_ptr that belong to the image, in the caller's own layout; 0 = not to be told. */
static size_t host_bytes(const cl_image_desc *desc, size_t pixel_bytes)
{
	size_t row = desc->image_row_pitch ? desc->image_row_pitch : desc->image_width * pixel_bytes;
	size_t slice = desc->image_slice_pitch, bytes;

	if (!pixel_bytes || !desc->image_width || row < desc->image_width * pixel_bytes)
		return 0;
	switch (desc->image_type) {
	case CL_MEM_OBJECT_IMAGE1D:
		return row;
	case CL_MEM_OBJECT_IMAGE2D:
		return row * desc->image_height;
	case CL_MEM_OBJECT_IMAGE3D:
		bytes = (slice ? slice : row * desc->image_height) * desc->image_depth;
		break;
	case CL_MEM_OBJECT_IMAGE1D_ARRAY:
		bytes = (slice ? slice : row) * desc->image_array_size;
		break;
	case CL_MEM_OBJECT_IMAGE2D_ARRAY:
		bytes = (slice ? slice : row * desc->image_height) * desc->image_array_size;
		break;
	default:
		return 0;
	}
	return bytes <= PL_CL_LIMIT_TRANSFER_MAX ? bytes : 0;
}

/* What a request for an image came as. */
struct request {
	enum pl_cl_op op;
	uint32_t legacy; /* 2 or 3 = clCreateImage2D or 3D */
	bool with_properties;
	const cl_mem_properties *properties;
	cl_mem_flags flags;
	const cl_image_format *format;
	const cl_image_desc *desc;
	void *host_ptr;
};

static cl_int image_send(struct pl_session *session, enum pl_cl_op op, const struct pl_cl_clCreateImage_args *args)
{
	cl_int code;

	switch (op) {
	case PL_CL_OP_clCreateImage2D:
		PL_CL_SEND_AS(session, clCreateImage2D, clCreateImage, args, false, code);
		return code;
	case PL_CL_OP_clCreateImage3D:
		PL_CL_SEND_AS(session, clCreateImage3D, clCreateImage, args, false, code);
		return code;
	case PL_CL_OP_clCreateImageWithProperties:
		PL_CL_SEND_AS(session, clCreateImageWithProperties, clCreateImage, args, false, code);
		return code;
	default:
		PL_CL_SEND(session, clCreateImage, args, false, code);
		return code;
	}
}

static void desc_put(struct pl_cl_clCreateImage_args *args, const struct pl_session *session, struct pl_cl_mem *mem,
		     const cl_image_desc *desc)
{
	args->has_desc = 1;
	args->type = desc->image_type;
	args->mip_levels = desc->num_mip_levels;
	args->samples = desc->num_samples;
	args->width = desc->image_width;
	args->height = desc->image_height;
	args->depth = desc->image_depth;
	args->array_size = desc->image_array_size;
	args->row_pitch = desc->image_row_pitch;
	args->slice_pitch = desc->image_slice_pitch;
	if (desc->mem_object) {
		args->source = pl_cl_id_at(session, desc->mem_object, PL_CL_KIND_mem);
		mem->parent = args->source ? (struct pl_cl_mem *)desc->mem_object : NULL;
		if (!args->source)
			args->source = UINT64_MAX; /* something, but no memory object */
		if (mem->parent)
			pl_cl_hold(mem->parent);
	}
	mem->desc = *desc;
}

/* Whether the driver has the format and so many pixels only the driver knows: images are always asked for. */
static cl_mem image_create(cl_context handle, const struct request *request, cl_int *errcode_ret)
{
	struct pl_cl_context *context = pl_cl_get(handle, PL_CL_KIND_context);
	bool wants_ptr = request->flags & (CL_MEM_USE_HOST_PTR | CL_MEM_COPY_HOST_PTR);
	struct pl_cl_clCreateImage_args args = {.flags = request->flags,
						.legacy = request->legacy,
						.with_properties = request->with_properties,
						.has_host_ptr = request->host_ptr != NULL};
	uint64_t alloc_bytes_max, base_align_bytes;
	struct pl_cl_mem *mem;
	size_t bytes = 0;
	cl_int code;
	int r = 0;

	if (!context)
		return pl_cl_mem_made(NULL, CL_INVALID_CONTEXT, errcode_ret);
	mem = pl_cl_mem_new(context, request->desc ? request->desc->image_type : CL_MEM_OBJECT_IMAGE2D, request->flags);
	if (!mem)
		return pl_cl_mem_made(NULL, CL_OUT_OF_HOST_MEMORY, errcode_ret);
	args.context = context->object.id;
	args.mem = mem->object.id;
	args.properties = (struct pl_u64s){request->properties, pl_cl_mem_properties_count(request->properties)};
	if (request->format) {
		args.has_format = 1;
		args.channel_order = request->format->image_channel_order;
		args.channel_type = request->format->image_channel_data_type;
		mem->format = *request->format;
		mem->pixel_bytes = pl_cl_format_bytes(request->format);
	}
	if (request->desc)
		desc_put(&args, context->object.session, mem, request->desc);
	if (request->flags & CL_MEM_USE_HOST_PTR)
		mem->host_ptr = request->host_ptr;
	if (request->desc)
		bytes = host_bytes(request->desc, mem->pixel_bytes);
	pl_cl_context_limits(context, &alloc_bytes_max, &base_align_bytes);
	if (bytes > alloc_bytes_max)
		bytes = 0;
	args.size = bytes;
	if (bytes && request->host_ptr && wants_ptr)
		r = pl_bulk_prepare(context->object.session, &args.data, request->host_ptr, bytes);
	code = r ? pl_cl_fault(r) : image_send(context->object.session, request->op, &args);
	pl_bulk_taken(context->object.session, &args.data);
	if (!code && mem->parent && !(request->flags & (CL_MEM_READ_WRITE | CL_MEM_READ_ONLY | CL_MEM_WRITE_ONLY)))
		mem->flags = (mem->flags & ~(cl_mem_flags)CL_MEM_READ_WRITE) | mem->parent->flags;
	return pl_cl_mem_made(mem, code, errcode_ret);
}

cl_mem pl_cl_stub_clCreateImage(cl_context context, cl_mem_flags flags, const cl_image_format *image_format,
				const cl_image_desc *image_desc, void *host_ptr, cl_int *errcode_ret)
{
	struct request request = {.op = PL_CL_OP_clCreateImage,
				  .flags = flags,
				  .format = image_format,
				  .desc = image_desc,
				  .host_ptr = host_ptr};

	return image_create(context, &request, errcode_ret);
}

cl_mem pl_cl_stub_clCreateImageWithProperties(cl_context context, const cl_mem_properties *properties,
					      cl_mem_flags flags, const cl_image_format *image_format,
					      const cl_image_desc *image_desc, void *host_ptr, cl_int *errcode_ret)
{
	struct request request = {.op = PL_CL_OP_clCreateImageWithProperties,
				  .with_properties = true,
				  .properties = properties,
				  .flags = flags,
				  .format = image_format,
				  .desc = image_desc,
				  .host_ptr = host_ptr};

	return image_create(context, &request, errcode_ret);
}

cl_mem pl_cl_stub_clCreateImage2D(cl_context context, cl_mem_flags flags, const cl_image_format *image_format,
				  size_t image_width, size_t image_height, size_t image_row_pitch, void *host_ptr,
				  cl_int *errcode_ret)
{
	cl_image_desc desc = {.image_type = CL_MEM_OBJECT_IMAGE2D,
			      .image_width = image_width,
			      .image_height = image_height,
			      .image_row_pitch = image_row_pitch};
	struct request request = {.op = PL_CL_OP_clCreateImage2D,
				  .legacy = 2,
				  .flags = flags,
				  .format = image_format,
				  .desc = &desc,
				  .host_ptr = host_ptr};

	return image_create(context, &request, errcode_ret);
}

cl_mem pl_cl_stub_clCreateImage3D(cl_context context, cl_mem_flags flags, const cl_image_format *image_format,
				  size_t image_width, size_t image_height, size_t image_depth, size_t image_row_pitch,
				  size_t image_slice_pitch, void *host_ptr, cl_int *errcode_ret)
{
	cl_image_desc desc = {.image_type = CL_MEM_OBJECT_IMAGE3D,
			      .image_width = image_width,
			      .image_height = image_height,
			      .image_depth = image_depth,
			      .image_row_pitch = image_row_pitch,
			      .image_slice_pitch = image_slice_pitch};
	struct request request = {.op = PL_CL_OP_clCreateImage3D,
				  .legacy = 3,
				  .flags = flags,
				  .format = image_format,
				  .desc = &desc,
				  .host_ptr = host_ptr};

	return image_create(context, &request, errcode_ret);
}
