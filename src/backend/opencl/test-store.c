/* The trial of memory against drivers that keep a copy, that forget one way, or that make no images of it. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "backend/opencl/context.h"

static struct {
	bool copies;    /* buffers over host memory have storage of their own */
	bool no_images; /* not of buffers over host memory */
	bool images_of_none;
	cl_device_type type;
	cl_bool unified;
} driver;

struct buffer {
	uint8_t *at;
	bool over_host;
	uint8_t own[];
};

static int alive; /* contexts, queues, buffers, images */

static cl_int CL_API_CALL device_info(cl_device_id device, cl_device_info name, size_t size, void *value,
				      size_t *size_out)
{
	(void)device;
	(void)size_out;
	if (name == CL_DEVICE_TYPE)
		memcpy(value, &driver.type, size);
	else if (name == CL_DEVICE_HOST_UNIFIED_MEMORY)
		memcpy(value, &driver.unified, size);
	else
		return CL_INVALID_VALUE;
	return CL_SUCCESS;
}

static cl_context CL_API_CALL context_new(const cl_context_properties *properties, cl_uint count,
					  const cl_device_id *devices,
					  void(CL_CALLBACK *notify)(const char *, const void *, size_t, void *),
					  void *user_data, cl_int *status)
{
	(void)properties;
	(void)count;
	(void)devices;
	(void)notify;
	(void)user_data;
	(void)status;
	alive++;
	return (cl_context)&driver;
}

static cl_int CL_API_CALL context_release(cl_context context)
{
	(void)context;
	alive--;
	return CL_SUCCESS;
}

static cl_command_queue CL_API_CALL queue_new(cl_context context, cl_device_id device,
					      cl_command_queue_properties properties, cl_int *status)
{
	(void)context;
	(void)device;
	(void)properties;
	(void)status;
	alive++;
	return (cl_command_queue)&driver;
}

static cl_int CL_API_CALL queue_release(cl_command_queue queue)
{
	(void)queue;
	alive--;
	return CL_SUCCESS;
}

static cl_mem CL_API_CALL buffer_new(cl_context context, cl_mem_flags flags, size_t size, void *host, cl_int *status)
{
	struct buffer *buffer = calloc(1, sizeof(*buffer) + size);

	(void)context;
	(void)status;
	assert(buffer);
	buffer->over_host = flags & CL_MEM_USE_HOST_PTR;
	buffer->at = buffer->over_host && !driver.copies ? host : buffer->own;
	alive++;
	return (cl_mem)buffer;
}

static cl_int CL_API_CALL mem_release(cl_mem mem)
{
	free(mem);
	alive--;
	return CL_SUCCESS;
}

static cl_mem CL_API_CALL image_new(cl_context context, cl_mem_flags flags, const cl_image_format *format,
				    const cl_image_desc *desc, void *host, cl_int *status)
{
	const struct buffer *buffer = (const struct buffer *)desc->buffer;

	assert(!host && desc->image_type == CL_MEM_OBJECT_IMAGE1D_BUFFER);
	if (driver.images_of_none || (driver.no_images && buffer->over_host)) {
		*status = CL_INVALID_OPERATION;
		return NULL;
	}
	*status = CL_SUCCESS;
	(void)format;
	return buffer_new(context, flags, 0, NULL, NULL);
}

static cl_int CL_API_CALL fill(cl_command_queue queue, cl_mem mem, const void *pattern, size_t pattern_size,
			       size_t offset, size_t size, cl_uint count, const cl_event *waits, cl_event *event)
{
	(void)queue;
	(void)count;
	(void)waits;
	(void)event;
	assert(pattern_size == 1);
	memset(((struct buffer *)mem)->at + offset, *(const uint8_t *)pattern, size);
	return CL_SUCCESS;
}

static cl_int CL_API_CALL copy(cl_command_queue queue, cl_mem from, cl_mem to, size_t from_offset, size_t to_offset,
			       size_t size, cl_uint count, const cl_event *waits, cl_event *event)
{
	(void)queue;
	(void)count;
	(void)waits;
	(void)event;
	memcpy(((struct buffer *)to)->at + to_offset, ((struct buffer *)from)->at + from_offset, size);
	return CL_SUCCESS;
}

static cl_int CL_API_CALL read_back(cl_command_queue queue, cl_mem mem, cl_bool blocking, size_t offset, size_t size,
				    void *to, cl_uint count, const cl_event *waits, cl_event *event)
{
	(void)queue;
	(void)blocking;
	(void)count;
	(void)waits;
	(void)event;
	memcpy(to, ((struct buffer *)mem)->at + offset, size);
	return CL_SUCCESS;
}

static cl_int CL_API_CALL finish(cl_command_queue queue)
{
	(void)queue;
	return CL_SUCCESS;
}

/* Each on a device of its own: what was found out of one is remembered. */
static bool tried(void)
{
	static uint8_t devices[16];
	static uint32_t next;
	cl_device_id device = (cl_device_id)&devices[next++];
	bool direct = pl_cl_store_direct(&device, 1);

	assert(!alive);
	assert(pl_cl_store_direct(&device, 1) == direct);
	return direct;
}

static void reset(void)
{
	memset(&driver, 0, sizeof(driver));
	driver.type = CL_DEVICE_TYPE_CPU;
	driver.unified = CL_TRUE;
}

static void test_memory_that_both_sides_see_is_direct(void)
{
	reset();
	assert(tried());
}

static void test_a_copy_is_not_direct(void)
{
	reset();
	driver.copies = true;
	assert(!tried());
}

static void test_only_processors_that_share_memory_are_tried(void)
{
	reset();
	driver.type = CL_DEVICE_TYPE_GPU;
	assert(!tried());
	reset();
	driver.unified = CL_FALSE;
	assert(!tried());
}

static void test_memory_of_which_no_image_is_made_is_not_direct(void)
{
	reset();
	driver.no_images = true;
	assert(!tried());
	reset();
	driver.images_of_none = true; /* as with all buffers there */
	assert(tried());
	reset();
	pl_cl.clCreateImage = NULL; /* OpenCL 1.1 */
	assert(tried());
}

int main(void)
{
	pl_cl.clGetDeviceInfo = device_info;
	pl_cl.clCreateContext = context_new;
	pl_cl.clReleaseContext = context_release;
	pl_cl.clCreateCommandQueue = queue_new;
	pl_cl.clReleaseCommandQueue = queue_release;
	pl_cl.clCreateBuffer = buffer_new;
	pl_cl.clReleaseMemObject = mem_release;
	pl_cl.clCreateImage = image_new;
	pl_cl.clEnqueueFillBuffer = fill;
	pl_cl.clEnqueueCopyBuffer = copy;
	pl_cl.clEnqueueReadBuffer = read_back;
	pl_cl.clFinish = finish;
	test_memory_that_both_sides_see_is_direct();
	test_a_copy_is_not_direct();
	test_only_processors_that_share_memory_are_tried();
	test_memory_of_which_no_image_is_made_is_not_direct();
	return 0;
}
