/* Buffers, images, what moves their bytes, and shared virtual memory. */
#include "stub.h"

/* ---- memory objects ---- */

static cl_int host_check(cl_mem_flags flags, const void *host, size_t bytes)
{
	bool wants = flags & (CL_MEM_USE_HOST_PTR | CL_MEM_COPY_HOST_PTR);

	if (wants != (host != NULL))
		return CL_INVALID_HOST_PTR;
	if (host)
		pl_fuzz_touch(host, bytes);
	return CL_SUCCESS;
}

static struct stub *memory_make(cl_mem_flags flags, size_t bytes, void *host, cl_int *status)
{
	struct stub *mem = pl_stub_new(PL_CL_KIND_mem, status);

	mem->bytes = bytes;
	mem->own = !(flags & CL_MEM_USE_HOST_PTR);
	mem->memory = mem->own ? calloc(1, bytes) : host;
	pl_fuzz_check(mem->memory != NULL);
	if (mem->own && host)
		memcpy(mem->memory, host, bytes);
	return mem;
}

static cl_mem createBuffer(cl_context context, cl_mem_flags flags, size_t bytes, void *host, cl_int *status)
{
	cl_int r;

	if (!pl_stub_look(context, PL_CL_KIND_context))
		return pl_stub_refuse(status, CL_INVALID_CONTEXT);
	if (!bytes || bytes > PL_STUB_ALLOC_MAX)
		return pl_stub_refuse(status, CL_INVALID_BUFFER_SIZE);
	r = host_check(flags, host, bytes);
	return r ? pl_stub_refuse(status, r) : (cl_mem)memory_make(flags, bytes, host, status);
}

static cl_mem createBufferWithProperties(cl_context context, const cl_mem_properties *list, cl_mem_flags flags,
					 size_t bytes, void *host, cl_int *status)
{
	pl_stub_list_touch((const cl_context_properties *)list);
	return createBuffer(context, flags, bytes, host, status);
}

static cl_mem createSubBuffer(cl_mem parent_handle, cl_mem_flags flags, cl_buffer_create_type type, const void *info,
			      cl_int *status)
{
	struct stub *parent = pl_stub_look(parent_handle, PL_CL_KIND_mem), *mem;
	const cl_buffer_region *region = info;

	(void)flags;
	if (!parent || parent->element || parent->parent)
		return pl_stub_refuse(status, CL_INVALID_MEM_OBJECT);
	if (type != CL_BUFFER_CREATE_TYPE_REGION || !region || !region->size || region->origin > parent->bytes ||
	    region->size > parent->bytes - region->origin)
		return pl_stub_refuse(status, CL_INVALID_VALUE);
	mem = pl_stub_new(PL_CL_KIND_mem, status);
	mem->memory = parent->memory + region->origin;
	mem->bytes = region->size;
	mem->parent = parent;
	parent->refs++;
	return (cl_mem)mem;
}

static cl_mem createImage(cl_context context, cl_mem_flags flags, const cl_image_format *format,
			  const cl_image_desc *desc, void *host, cl_int *status)
{
	size_t rows, slices, row, slice, tight;
	struct stub *mem;
	cl_int r;

	if (!pl_stub_look(context, PL_CL_KIND_context))
		return pl_stub_refuse(status, CL_INVALID_CONTEXT);
	if (!format || !desc)
		return pl_stub_refuse(status, CL_INVALID_IMAGE_DESCRIPTOR);
	pl_stub_look(desc->buffer, PL_CL_KIND_mem);
	rows = desc->image_type == CL_MEM_OBJECT_IMAGE1D || desc->image_type == CL_MEM_OBJECT_IMAGE1D_ARRAY ||
			       desc->image_type == CL_MEM_OBJECT_IMAGE1D_BUFFER
		       ? 1
		       : desc->image_height;
	slices = desc->image_type == CL_MEM_OBJECT_IMAGE3D ? desc->image_depth
		 : desc->image_type == CL_MEM_OBJECT_IMAGE1D_ARRAY || desc->image_type == CL_MEM_OBJECT_IMAGE2D_ARRAY
			 ? desc->image_array_size
			 : 1;
	tight = pl_cl_element_bytes(format->image_channel_order, format->image_channel_data_type);
	if (!tight || !desc->image_width || !rows || !slices || desc->image_width > 4096 || rows > 64 || slices > 16)
		return pl_stub_refuse(status, CL_INVALID_IMAGE_SIZE);
	tight *= desc->image_width;
	row = desc->image_row_pitch ? desc->image_row_pitch : tight;
	slice = desc->image_slice_pitch ? desc->image_slice_pitch : row * rows;
	if ((!host && (desc->image_row_pitch || desc->image_slice_pitch) && !desc->buffer) || row < tight ||
	    slice < row * rows || row > PL_STUB_ALLOC_MAX || slice > PL_STUB_ALLOC_MAX)
		return pl_stub_refuse(status, CL_INVALID_IMAGE_DESCRIPTOR);
	r = host_check(flags, host, slice * slices);
	if (r)
		return pl_stub_refuse(status, r);
	mem = memory_make(flags & ~(cl_mem_flags)CL_MEM_USE_HOST_PTR, tight * rows * slices, NULL, status);
	mem->dims[0] = desc->image_width;
	mem->dims[1] = desc->image_type == CL_MEM_OBJECT_IMAGE1D_ARRAY ? slices : rows;
	mem->dims[2] = desc->image_type == CL_MEM_OBJECT_IMAGE1D_ARRAY ? 1 : slices;
	mem->element = tight / desc->image_width;
	return (cl_mem)mem;
}

static cl_mem createImageWithProperties(cl_context context, const cl_mem_properties *list, cl_mem_flags flags,
					const cl_image_format *format, const cl_image_desc *desc, void *host,
					cl_int *status)
{
	pl_stub_list_touch((const cl_context_properties *)list);
	return createImage(context, flags, format, desc, host, status);
}

static cl_mem createImage2D(cl_context context, cl_mem_flags flags, const cl_image_format *format, size_t width,
			    size_t height, size_t row, void *host, cl_int *status)
{
	cl_image_desc desc = { .image_type = CL_MEM_OBJECT_IMAGE2D,
			       .image_width = width,
			       .image_height = height,
			       .image_row_pitch = row };

	return createImage(context, flags, format, &desc, host, status);
}

static cl_mem createImage3D(cl_context context, cl_mem_flags flags, const cl_image_format *format, size_t width,
			    size_t height, size_t depth, size_t row, size_t slice, void *host, cl_int *status)
{
	cl_image_desc desc = { .image_type = CL_MEM_OBJECT_IMAGE3D,
			       .image_width = width,
			       .image_height = height,
			       .image_depth = depth,
			       .image_row_pitch = row,
			       .image_slice_pitch = slice };

	return createImage(context, flags, format, &desc, host, status);
}

static cl_mem createPipe(cl_context context, cl_mem_flags flags, cl_uint packet, cl_uint count,
			 const cl_pipe_properties *list, cl_int *status)
{
	pl_stub_list_touch((const cl_context_properties *)list);
	if (!pl_stub_look(context, PL_CL_KIND_context) || !packet || !count ||
	    (uint64_t)packet * count > PL_STUB_ALLOC_MAX)
		return pl_stub_refuse(status, CL_INVALID_PIPE_SIZE);
	return (cl_mem)memory_make(flags & ~(cl_mem_flags)CL_MEM_USE_HOST_PTR, (size_t)packet * count, NULL, status);
}

static cl_int setMemDestructor(cl_mem mem, void(CL_CALLBACK *gone)(cl_mem, void *), void *data)
{
	struct stub *stub = pl_stub_look(mem, PL_CL_KIND_mem);

	pl_fuzz_check(stub && !stub->gone);
	stub->gone = gone;
	stub->gone_data = data;
	return CL_SUCCESS;
}

/* ---- transfers ---- */

static uint8_t *range(cl_mem mem, size_t offset, size_t bytes)
{
	struct stub *stub = pl_stub_look(mem, PL_CL_KIND_mem);

	return stub && !stub->element && bytes && offset <= stub->bytes && bytes <= stub->bytes - offset
		       ? stub->memory + offset
		       : NULL;
}

static cl_int readBuffer(cl_command_queue queue, cl_mem mem, cl_bool blocking, size_t offset, size_t bytes, void *host,
			 cl_uint waits, const cl_event *list, cl_event *event)
{
	uint8_t *at = range(mem, offset, bytes);
	cl_int r;

	if (!at || !host)
		return CL_INVALID_VALUE;
	r = pl_stub_command(queue, mem, waits, list, event, host, at, bytes);
	if (!r && blocking)
		pl_stub_settle();
	return r;
}

static cl_int writeBuffer(cl_command_queue queue, cl_mem mem, cl_bool blocking, size_t offset, size_t bytes,
			  const void *host, cl_uint waits, const cl_event *list, cl_event *event)
{
	uint8_t *at = range(mem, offset, bytes);

	(void)blocking;
	if (!at || !host)
		return CL_INVALID_VALUE;
	return pl_stub_command(queue, mem, waits, list, event, at, host, bytes);
}

static cl_int copyBuffer(cl_command_queue queue, cl_mem from, cl_mem to, size_t from_at, size_t to_at, size_t bytes,
			 cl_uint waits, const cl_event *list, cl_event *event)
{
	uint8_t *src = range(from, from_at, bytes), *dst = range(to, to_at, bytes);

	return src && dst ? pl_stub_command(queue, to, waits, list, event, dst, src, bytes) : CL_INVALID_VALUE;
}

static cl_int fillBuffer(cl_command_queue queue, cl_mem mem, const void *pattern, size_t pattern_bytes, size_t offset,
			 size_t bytes, cl_uint waits, const cl_event *list, cl_event *event)
{
	uint8_t *at = range(mem, offset, bytes);

	if (!at || !pattern || !pattern_bytes || pattern_bytes > 128 || bytes % pattern_bytes)
		return CL_INVALID_VALUE;
	for (size_t i = 0; i < bytes; i++)
		at[i] = ((const uint8_t *)pattern)[i % pattern_bytes];
	return pl_stub_command(queue, mem, waits, list, event, NULL, NULL, 0);
}

/* Bytes of a region in host memory; 0 = the object has no such region. */
static size_t rect_bytes(cl_mem mem, const size_t *origin, const size_t *region, size_t row, size_t slice)
{
	struct stub *stub = pl_stub_look(mem, PL_CL_KIND_mem);
	size_t end;

	if (!stub || stub->element || !origin || !region || !region[0] || !region[1] || !region[2])
		return 0;
	row = row ? row : region[0];
	slice = slice ? slice : row * region[1];
	if (__builtin_mul_overflow(origin[2] + region[2] - 1, slice, &end) ||
	    __builtin_add_overflow(end, (origin[1] + region[1] - 1) * row + origin[0] + region[0], &end) ||
	    end > stub->bytes)
		return 0;
	return region[0] * region[1] * region[2];
}

static cl_int readRect(cl_command_queue queue, cl_mem mem, cl_bool blocking, const size_t *origin,
		       const size_t *host_origin, const size_t *region, size_t row, size_t slice, size_t host_row,
		       size_t host_slice, void *host, cl_uint waits, const cl_event *list, cl_event *event)
{
	size_t bytes = rect_bytes(mem, origin, region, row, slice);

	(void)blocking;
	pl_fuzz_check(host_origin && !host_origin[0] && !host_row && !host_slice);
	return bytes && host ? pl_stub_command(queue, mem, waits, list, event, host, NULL, bytes) : CL_INVALID_VALUE;
}

static cl_int writeRect(cl_command_queue queue, cl_mem mem, cl_bool blocking, const size_t *origin,
			const size_t *host_origin, const size_t *region, size_t row, size_t slice, size_t host_row,
			size_t host_slice, const void *host, cl_uint waits, const cl_event *list, cl_event *event)
{
	size_t bytes = rect_bytes(mem, origin, region, row, slice);

	(void)blocking;
	pl_fuzz_check(host_origin && !host_origin[0] && !host_row && !host_slice);
	return bytes && host ? pl_stub_command(queue, mem, waits, list, event, NULL, host, bytes) : CL_INVALID_VALUE;
}

static cl_int copyRect(cl_command_queue queue, cl_mem from, cl_mem to, const size_t *from_at, const size_t *to_at,
		       const size_t *region, size_t from_row, size_t from_slice, size_t to_row, size_t to_slice,
		       cl_uint waits, const cl_event *list, cl_event *event)
{
	if (!rect_bytes(from, from_at, region, from_row, from_slice) ||
	    !rect_bytes(to, to_at, region, to_row, to_slice))
		return CL_INVALID_VALUE;
	return pl_stub_command(queue, to, waits, list, event, NULL, NULL, 0);
}

static size_t image_bytes(cl_mem mem, const size_t *origin, const size_t *region)
{
	struct stub *stub = pl_stub_look(mem, PL_CL_KIND_mem);

	if (!stub || !stub->element || !origin || !region)
		return 0;
	for (int i = 0; i < 3; i++)
		if (!region[i] || origin[i] > stub->dims[i] || region[i] > stub->dims[i] - origin[i])
			return 0;
	return region[0] * region[1] * region[2] * stub->element;
}

static cl_int readImage(cl_command_queue queue, cl_mem mem, cl_bool blocking, const size_t *origin,
			const size_t *region, size_t row, size_t slice, void *host, cl_uint waits, const cl_event *list,
			cl_event *event)
{
	size_t bytes = image_bytes(mem, origin, region);

	(void)blocking;
	pl_fuzz_check(!row && !slice);
	return bytes && host ? pl_stub_command(queue, mem, waits, list, event, host, NULL, bytes) : CL_INVALID_VALUE;
}

static cl_int writeImage(cl_command_queue queue, cl_mem mem, cl_bool blocking, const size_t *origin,
			 const size_t *region, size_t row, size_t slice, const void *host, cl_uint waits,
			 const cl_event *list, cl_event *event)
{
	size_t bytes = image_bytes(mem, origin, region);

	(void)blocking;
	pl_fuzz_check(!row && !slice);
	return bytes && host ? pl_stub_command(queue, mem, waits, list, event, NULL, host, bytes) : CL_INVALID_VALUE;
}

static cl_int fillImage(cl_command_queue queue, cl_mem mem, const void *color, const size_t *origin,
			const size_t *region, cl_uint waits, const cl_event *list, cl_event *event)
{
	if (!color || !image_bytes(mem, origin, region))
		return CL_INVALID_VALUE;
	pl_fuzz_touch(color, 16);
	return pl_stub_command(queue, mem, waits, list, event, NULL, NULL, 0);
}

static cl_int copyImage(cl_command_queue queue, cl_mem from, cl_mem to, const size_t *from_at, const size_t *to_at,
			const size_t *region, cl_uint waits, const cl_event *list, cl_event *event)
{
	if (!image_bytes(from, from_at, region) || !image_bytes(to, to_at, region))
		return CL_INVALID_VALUE;
	return pl_stub_command(queue, to, waits, list, event, NULL, NULL, 0);
}

static cl_int copyImageToBuffer(cl_command_queue queue, cl_mem from, cl_mem to, const size_t *at, const size_t *region,
				size_t offset, cl_uint waits, const cl_event *list, cl_event *event)
{
	size_t bytes = image_bytes(from, at, region);

	return bytes && range(to, offset, bytes) ? pl_stub_command(queue, to, waits, list, event, NULL, NULL, 0)
						 : CL_INVALID_VALUE;
}

static cl_int copyBufferToImage(cl_command_queue queue, cl_mem from, cl_mem to, size_t offset, const size_t *at,
				const size_t *region, cl_uint waits, const cl_event *list, cl_event *event)
{
	size_t bytes = image_bytes(to, at, region);

	return bytes && range(from, offset, bytes) ? pl_stub_command(queue, to, waits, list, event, NULL, NULL, 0)
						   : CL_INVALID_VALUE;
}

static void *mapBuffer(cl_command_queue queue, cl_mem mem, cl_bool blocking, cl_map_flags flags, size_t offset,
		       size_t bytes, cl_uint waits, const cl_event *list, cl_event *event, cl_int *status)
{
	uint8_t *at = range(mem, offset, bytes);
	cl_int r = at && flags ? pl_stub_command(queue, mem, waits, list, event, NULL, NULL, 0) : CL_INVALID_VALUE;

	(void)blocking;
	if (status)
		*status = r;
	return r ? NULL : at;
}

static void *mapImage(cl_command_queue queue, cl_mem mem, cl_bool blocking, cl_map_flags flags, const size_t *origin,
		      const size_t *region, size_t *row, size_t *slice, cl_uint waits, const cl_event *list,
		      cl_event *event, cl_int *status)
{
	struct stub *stub = pl_stub_look(mem, PL_CL_KIND_mem);
	cl_int r = flags && row && image_bytes(mem, origin, region)
			   ? pl_stub_command(queue, mem, waits, list, event, NULL, NULL, 0)
			   : CL_INVALID_VALUE;

	(void)blocking;
	if (status)
		*status = r;
	if (r)
		return NULL;
	*row = stub->dims[0] * stub->element;
	if (slice)
		*slice = *row * (stub->dims[2] > 1 ? stub->dims[1] : 1);
	return stub->memory + origin[0] * stub->element + origin[1] * *row + origin[2] * *row * stub->dims[1];
}

static cl_int unmap(cl_command_queue queue, cl_mem mem, void *at, cl_uint waits, const cl_event *list, cl_event *event)
{
	struct stub *stub = pl_stub_look(mem, PL_CL_KIND_mem);

	if (!stub)
		return CL_INVALID_MEM_OBJECT;
	pl_fuzz_check((uint8_t *)at >= stub->memory && (uint8_t *)at < stub->memory + stub->bytes);
	return pl_stub_command(queue, mem, waits, list, event, NULL, NULL, 0);
}

cl_int pl_stub_marker(cl_command_queue queue, cl_uint waits, const cl_event *list, cl_event *event)
{
	return pl_stub_command(queue, NULL, waits, list, event, NULL, NULL, 0);
}

static cl_int plainMarker(cl_command_queue queue, cl_event *event)
{
	return event ? pl_stub_marker(queue, 0, NULL, event) : CL_INVALID_VALUE;
}

static cl_int plainBarrier(cl_command_queue queue)
{
	return pl_stub_marker(queue, 0, NULL, NULL);
}

static cl_int plainWait(cl_command_queue queue, cl_uint waits, const cl_event *list)
{
	return waits && list ? pl_stub_marker(queue, waits, list, NULL) : CL_INVALID_VALUE;
}

static cl_int migrate(cl_command_queue queue, cl_uint count, const cl_mem *mems, cl_mem_migration_flags flags,
		      cl_uint waits, const cl_event *list, cl_event *event)
{
	(void)flags;
	if (!count || !mems)
		return CL_INVALID_VALUE;
	pl_stub_list_look(mems, count, PL_CL_KIND_mem);
	return pl_stub_marker(queue, waits, list, event);
}

/* ---- shared virtual memory ---- */

static void *svmAlloc(cl_context context, cl_svm_mem_flags flags, size_t bytes, cl_uint alignment)
{
	void *at;

	(void)flags;
	if (!pl_stub_look(context, PL_CL_KIND_context) || !bytes || bytes > PL_STUB_ALLOC_MAX ||
	    (alignment & (alignment - 1)))
		return NULL;
	at = aligned_alloc(4096, (bytes + 4095) & ~(size_t)4095);
	pl_fuzz_check(at != NULL);
	memset(at, 0, bytes);
	pl_stub_living++;
	return at;
}

static void svmFree(cl_context context, void *at)
{
	pl_stub_look(context, PL_CL_KIND_context);
	if (!at)
		return;
	pl_stub_living--;
	free(at);
}

static cl_int svmMemcpy(cl_command_queue queue, cl_bool blocking, void *to, const void *from, size_t bytes,
			cl_uint waits, const cl_event *list, cl_event *event)
{
	(void)blocking;
	return to && from ? pl_stub_command(queue, NULL, waits, list, event, to, from, bytes) : CL_INVALID_VALUE;
}

static cl_int svmMemFill(cl_command_queue queue, void *at, const void *pattern, size_t pattern_bytes, size_t bytes,
			 cl_uint waits, const cl_event *list, cl_event *event)
{
	if (!at || !pattern || !pattern_bytes || bytes % pattern_bytes)
		return CL_INVALID_VALUE;
	pl_fuzz_touch(pattern, pattern_bytes);
	return pl_stub_command(queue, NULL, waits, list, event, at, NULL, bytes);
}

static cl_int svmMap(cl_command_queue queue, cl_bool blocking, cl_map_flags flags, void *at, size_t bytes,
		     cl_uint waits, const cl_event *list, cl_event *event)
{
	(void)blocking;
	if (!at || !bytes || !flags)
		return CL_INVALID_VALUE;
	return pl_stub_command(queue, NULL, waits, list, event, NULL, at, bytes);
}

static cl_int svmUnmap(cl_command_queue queue, void *at, cl_uint waits, const cl_event *list, cl_event *event)
{
	return at ? pl_stub_command(queue, NULL, waits, list, event, NULL, at, 1) : CL_INVALID_VALUE;
}

static cl_int svmMigrate(cl_command_queue queue, cl_uint count, const void **at, const size_t *sizes,
			 cl_mem_migration_flags flags, cl_uint waits, const cl_event *list, cl_event *event)
{
	(void)flags;
	if (!count || !at)
		return CL_INVALID_VALUE;
	for (cl_uint i = 0; i < count; i++)
		pl_fuzz_touch(at[i], sizes && sizes[i] ? sizes[i] : 1);
	return pl_stub_marker(queue, waits, list, event);
}

void pl_stub_fill_memory(struct pl_cl_driver *driver)
{
	driver->clCreateBuffer = createBuffer;
	driver->clCreateImage2D = createImage2D;
	driver->clCreateImage3D = createImage3D;
	driver->clEnqueueReadBuffer = readBuffer;
	driver->clEnqueueWriteBuffer = writeBuffer;
	driver->clEnqueueCopyBuffer = copyBuffer;
	driver->clEnqueueReadImage = readImage;
	driver->clEnqueueWriteImage = writeImage;
	driver->clEnqueueCopyImage = copyImage;
	driver->clEnqueueCopyImageToBuffer = copyImageToBuffer;
	driver->clEnqueueCopyBufferToImage = copyBufferToImage;
	driver->clEnqueueMapBuffer = mapBuffer;
	driver->clEnqueueMapImage = mapImage;
	driver->clEnqueueUnmapMemObject = unmap;
	driver->clEnqueueMarker = plainMarker;
	driver->clEnqueueWaitForEvents = plainWait;
	driver->clEnqueueBarrier = plainBarrier;
	driver->clCreateSubBuffer = createSubBuffer;
	driver->clSetMemObjectDestructorCallback = setMemDestructor;
	driver->clEnqueueReadBufferRect = readRect;
	driver->clEnqueueWriteBufferRect = writeRect;
	driver->clEnqueueCopyBufferRect = copyRect;
	driver->clCreateImage = createImage;
	driver->clEnqueueFillBuffer = fillBuffer;
	driver->clEnqueueFillImage = fillImage;
	driver->clEnqueueMigrateMemObjects = migrate;
	driver->clEnqueueMarkerWithWaitList = pl_stub_marker;
	driver->clEnqueueBarrierWithWaitList = pl_stub_marker;
	driver->clCreatePipe = createPipe;
	driver->clSVMAlloc = svmAlloc;
	driver->clSVMFree = svmFree;
	driver->clEnqueueSVMMemcpy = svmMemcpy;
	driver->clEnqueueSVMMemFill = svmMemFill;
	driver->clEnqueueSVMMap = svmMap;
	driver->clEnqueueSVMUnmap = svmUnmap;
	driver->clEnqueueSVMMigrateMem = svmMigrate;
	driver->clCreateBufferWithProperties = createBufferWithProperties;
	driver->clCreateImageWithProperties = createImageWithProperties;
}
