/*
 * Do buffers made with CL_MEM_USE_HOST_PTR live in that host memory, or in a copy that the driver keeps in step at map
 * and unmap?  The API does not say, so it is tried: what the device writes must be seen in memory, and what is written
 * to memory must be seen by the device, without any map.  And they must do all that other buffers do.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "backend/opencl/context.h"
#include "base/err.h"

#define TRIAL_BYTES (256u << 10)
#define TRIED_MAX   64u

static pthread_mutex_t tried_lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	cl_device_id device;
	bool direct;
} tried[TRIED_MAX];
static uint32_t tried_count;

static bool all_bytes(const uint8_t *at, uint8_t value)
{
	for (uint32_t i = 0; i < TRIAL_BYTES; i++)
		if (at[i] != value)
			return false;
	return true;
}

static bool queue_try(cl_command_queue queue, cl_mem direct, cl_mem other, uint8_t *memory)
{
	static const uint8_t first = 0x5a, second = 0xc3;
	uint8_t *seen;
	bool good = false;

	memset(memory, 0, TRIAL_BYTES);
	if (pl_cl.clEnqueueFillBuffer(queue, direct, &first, 1, 0, TRIAL_BYTES, 0, NULL, NULL) ||
	    pl_cl.clFinish(queue) || !all_bytes(memory, first))
		return false;
	memset(memory, second, TRIAL_BYTES);
	seen = calloc(1, TRIAL_BYTES);
	if (seen && !pl_cl.clEnqueueCopyBuffer(queue, direct, other, 0, 0, TRIAL_BYTES, 0, NULL, NULL) &&
	    !pl_cl.clEnqueueReadBuffer(queue, other, CL_TRUE, 0, TRIAL_BYTES, seen, 0, NULL, NULL))
		good = all_bytes(seen, second);
	free(seen);
	return good;
}

static bool image_try(cl_context context, cl_mem buffer)
{
	static const cl_image_format format = { CL_RGBA, CL_FLOAT };
	const cl_image_desc desc = { .image_type = CL_MEM_OBJECT_IMAGE1D_BUFFER, .image_width = 256, .buffer = buffer };
	cl_int status = CL_SUCCESS;
	cl_mem image = pl_cl.clCreateImage(context, 0, &format, &desc, NULL, &status);

	if (image)
		pl_cl.clReleaseMemObject(image);
	return image && !status;
}

/* Some drivers (Mesa) make images of all buffers but of those. */
static bool images_try(cl_context context, cl_mem direct, cl_mem other)
{
	return !pl_cl.clCreateImage || !image_try(context, other) || image_try(context, direct);
}

static bool context_try(cl_context context, cl_device_id device, uint8_t *memory)
{
	cl_command_queue queue = pl_cl.clCreateCommandQueue(context, device, 0, NULL);
	cl_mem direct =
		pl_cl.clCreateBuffer(context, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR, TRIAL_BYTES, memory, NULL);
	cl_mem other = pl_cl.clCreateBuffer(context, CL_MEM_READ_WRITE, TRIAL_BYTES, NULL, NULL);
	bool good = queue && direct && other && images_try(context, direct, other) &&
		    queue_try(queue, direct, other, memory);

	if (direct)
		pl_cl.clReleaseMemObject(direct);
	if (other)
		pl_cl.clReleaseMemObject(other);
	if (queue)
		pl_cl.clReleaseCommandQueue(queue);
	return good;
}

static bool device_try(cl_device_id device)
{
	cl_device_type type = 0;
	cl_bool unified = CL_FALSE;
	cl_context context;
	uint8_t *memory;
	bool good;

	if (!pl_cl.clEnqueueFillBuffer || pl_cl.clGetDeviceInfo(device, CL_DEVICE_TYPE, sizeof(type), &type, NULL) ||
	    !(type & CL_DEVICE_TYPE_CPU) ||
	    pl_cl.clGetDeviceInfo(device, CL_DEVICE_HOST_UNIFIED_MEMORY, sizeof(unified), &unified, NULL) || !unified)
		return false;
	context = pl_cl.clCreateContext(NULL, 1, &device, NULL, NULL, NULL);
	if (!context)
		return false;
	memory = mmap(NULL, TRIAL_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	good = memory != MAP_FAILED && context_try(context, device, memory);
	pl_cl.clReleaseContext(context);
	if (memory != MAP_FAILED)
		munmap(memory, TRIAL_BYTES);
	return good;
}

static bool device_direct(cl_device_id device)
{
	bool direct;

	for (uint32_t i = 0; i < tried_count; i++)
		if (tried[i].device == device)
			return tried[i].direct;
	direct = device_try(device);
	if (tried_count < TRIED_MAX) {
		tried[tried_count].device = device;
		tried[tried_count++].direct = direct;
	}
	return direct;
}

/* A sub-device uses memory as its root does, and may be gone when its handle is used again. */
cl_device_id pl_cl_device_root(cl_device_id device)
{
	cl_device_id parent = NULL;

	while (!pl_cl.clGetDeviceInfo(device, CL_DEVICE_PARENT_DEVICE, sizeof(parent), &parent, NULL) && parent)
		device = parent;
	return device;
}

bool pl_cl_store_direct(const cl_device_id *devices, uint32_t count)
{
	bool direct = count > 0;

	pthread_mutex_lock(&tried_lock);
	for (uint32_t i = 0; i < count && direct; i++)
		direct = device_direct(pl_cl_device_root(devices[i]));
	pthread_mutex_unlock(&tried_lock);
	return direct;
}
