/* What the stub driver says of its objects. */
#include "stub.h"

#define BINARY "a program's binary"

/* ---- queries ---- */

static cl_int give(const void *at, size_t bytes, size_t size, void *value, size_t *size_ret)
{
	if (value && size < bytes)
		return CL_INVALID_VALUE;
	if (value)
		memcpy(value, at, bytes);
	if (size_ret)
		*size_ret = bytes;
	return CL_SUCCESS;
}

static cl_int give_number(uint64_t number, size_t bytes, size_t size, void *value, size_t *size_ret)
{
	return give(&number, bytes, size, value, size_ret);
}

static cl_int getPlatformIDs(cl_uint room, cl_platform_id *at, cl_uint *count)
{
	if (at && room)
		at[0] = (cl_platform_id)&pl_stub_platform;
	if (count)
		*count = 1;
	return CL_SUCCESS;
}

static cl_int getPlatformInfo(cl_platform_id at, cl_platform_info param, size_t size, void *value, size_t *size_ret)
{
	if (!pl_stub_look(at, PL_CL_KIND_platform))
		return CL_INVALID_PLATFORM;
	return param < 0x900 || param > 0x920 ? CL_INVALID_VALUE : give("stub", 5, size, value, size_ret);
}

static cl_int getDeviceIDs(cl_platform_id at, cl_device_type type, cl_uint room, cl_device_id *list, cl_uint *count)
{
	if (!pl_stub_look(at, PL_CL_KIND_platform))
		return CL_INVALID_PLATFORM;
	if (!(type & (CL_DEVICE_TYPE_CPU | CL_DEVICE_TYPE_DEFAULT)) && type != CL_DEVICE_TYPE_ALL)
		return CL_DEVICE_NOT_FOUND;
	for (cl_uint i = 0; list && i < room && i < 2; i++)
		list[i] = (cl_device_id)&pl_stub_devices[i];
	if (count)
		*count = 2;
	return CL_SUCCESS;
}

static cl_int getDeviceInfo(cl_device_id device, cl_device_info param, size_t size, void *value, size_t *size_ret)
{
	struct stub *stub = pl_stub_look(device, PL_CL_KIND_device);

	if (!stub)
		return CL_INVALID_DEVICE;
	switch (param) {
	case CL_DEVICE_TYPE:
		return give_number(CL_DEVICE_TYPE_CPU, 8, size, value, size_ret);
	case CL_DEVICE_HOST_UNIFIED_MEMORY:
		return give_number(CL_TRUE, 4, size, value, size_ret);
	case CL_DEVICE_MAX_MEM_ALLOC_SIZE:
		return give_number(PL_STUB_ALLOC_MAX, 8, size, value, size_ret);
	case CL_DEVICE_PARENT_DEVICE:
		return give(&stub->parent, 8, size, value, size_ret);
	case CL_DEVICE_NAME:
		return give("device", 7, size, value, size_ret);
	default:
		return param % 3 ? give_number(1, 8, size, value, size_ret) : CL_INVALID_VALUE;
	}
}

static cl_int getContextInfo(cl_context context, cl_context_info param, size_t size, void *value, size_t *size_ret)
{
	cl_device_id both[2] = { (cl_device_id)&pl_stub_devices[0], (cl_device_id)&pl_stub_devices[1] };

	if (!pl_stub_look(context, PL_CL_KIND_context))
		return CL_INVALID_CONTEXT;
	if (param == CL_CONTEXT_DEVICES)
		return give(both, sizeof(both), size, value, size_ret);
	return give_number(2, 4, size, value, size_ret);
}

static cl_int getQueueInfo(cl_command_queue queue, cl_command_queue_info param, size_t size, void *value,
			   size_t *size_ret)
{
	struct stub *stub = pl_stub_look(queue, PL_CL_KIND_queue);

	if (!stub)
		return CL_INVALID_COMMAND_QUEUE;
	return give_number(param == CL_QUEUE_PROPERTIES ? stub->bytes : 0, 8, size, value, size_ret);
}

static cl_int getMemInfo(cl_mem mem, cl_mem_info param, size_t size, void *value, size_t *size_ret)
{
	struct stub *stub = pl_stub_look(mem, PL_CL_KIND_mem);

	if (!stub)
		return CL_INVALID_MEM_OBJECT;
	pl_fuzz_check(param != CL_MEM_HOST_PTR); /* an address of ours: nobody's business */
	return give_number(param == CL_MEM_SIZE ? stub->bytes : 0, 8, size, value, size_ret);
}

static cl_int getImageInfo(cl_mem mem, cl_image_info param, size_t size, void *value, size_t *size_ret)
{
	struct stub *stub = pl_stub_look(mem, PL_CL_KIND_mem);

	if (!stub || !stub->element)
		return CL_INVALID_MEM_OBJECT;
	return give_number(param == CL_IMAGE_ELEMENT_SIZE ? stub->element : 0, 8, size, value, size_ret);
}

static cl_int getPipeInfo(cl_mem mem, cl_pipe_info param, size_t size, void *value, size_t *size_ret)
{
	(void)param;
	return pl_stub_look(mem, PL_CL_KIND_mem) ? give_number(4, 4, size, value, size_ret) : CL_INVALID_MEM_OBJECT;
}

static cl_int getSamplerInfo(cl_sampler sampler, cl_sampler_info param, size_t size, void *value, size_t *size_ret)
{
	(void)param;
	return pl_stub_look(sampler, PL_CL_KIND_sampler) ? give_number(4, 4, size, value, size_ret)
							 : CL_INVALID_SAMPLER;
}

static cl_int getProgramInfo(cl_program program, cl_program_info param, size_t size, void *value, size_t *size_ret)
{
	cl_device_id both[2] = { (cl_device_id)&pl_stub_devices[0], (cl_device_id)&pl_stub_devices[1] };
	struct stub *stub = pl_stub_look(program, PL_CL_KIND_program);
	size_t sizes[2] = { sizeof(BINARY), 0 };

	if (!stub)
		return CL_INVALID_PROGRAM;
	switch (param) {
	case CL_PROGRAM_CONTEXT:
		return give(&stub->parent, 8, size, value, size_ret);
	case CL_PROGRAM_NUM_DEVICES:
		return give_number(2, 4, size, value, size_ret);
	case CL_PROGRAM_DEVICES:
		return give(both, sizeof(both), size, value, size_ret);
	case CL_PROGRAM_BINARY_SIZES:
		return give(sizes, sizeof(sizes), size, value, size_ret);
	case CL_PROGRAM_BINARIES: /* through pointers that the caller must have made */
		if (value && size >= sizeof(both) && ((unsigned char **)value)[0])
			memcpy(((unsigned char **)value)[0], BINARY, sizeof(BINARY));
		if (size_ret)
			*size_ret = sizeof(both);
		return CL_SUCCESS;
	default:
		return give("text", 5, size, value, size_ret);
	}
}

static cl_int getBuildInfo(cl_program program, cl_device_id device, cl_program_build_info param, size_t size,
			   void *value, size_t *size_ret)
{
	if (!pl_stub_look(program, PL_CL_KIND_program))
		return CL_INVALID_PROGRAM;
	if (!pl_stub_look(device, PL_CL_KIND_device))
		return CL_INVALID_DEVICE;
	if (param == CL_PROGRAM_BUILD_LOG)
		return give("../../../usr/x.h:1: ../ no", 27, size, value, size_ret);
	return give_number(CL_BUILD_SUCCESS, 4, size, value, size_ret);
}

static cl_int getKernelInfo(cl_kernel kernel, cl_kernel_info param, size_t size, void *value, size_t *size_ret)
{
	struct stub *stub = pl_stub_look(kernel, PL_CL_KIND_kernel);

	if (!stub)
		return CL_INVALID_KERNEL;
	if (param == CL_KERNEL_PROGRAM || param == CL_KERNEL_CONTEXT)
		return give(param == CL_KERNEL_PROGRAM ? &stub->parent : &stub->parent->parent, 8, size, value,
			    size_ret);
	return param == CL_KERNEL_FUNCTION_NAME ? give("k", 2, size, value, size_ret)
						: give_number(PL_STUB_ARGS_COUNT, 4, size, value, size_ret);
}

static cl_int getWorkGroupInfo(cl_kernel kernel, cl_device_id device, cl_kernel_work_group_info param, size_t size,
			       void *value, size_t *size_ret)
{
	static const size_t three[3] = { 1, 1, 1 };

	pl_stub_look(device, PL_CL_KIND_device);
	if (!pl_stub_look(kernel, PL_CL_KIND_kernel))
		return CL_INVALID_KERNEL;
	return param == CL_KERNEL_COMPILE_WORK_GROUP_SIZE ? give(three, sizeof(three), size, value, size_ret)
							  : give_number(64, 8, size, value, size_ret);
}

static cl_int getSubGroupInfo(cl_kernel kernel, cl_device_id device, cl_kernel_sub_group_info param, size_t input_bytes,
			      const void *input, size_t size, void *value, size_t *size_ret)
{
	(void)param;
	pl_stub_look(device, PL_CL_KIND_device);
	if (input)
		pl_fuzz_touch(input, input_bytes);
	if (!pl_stub_look(kernel, PL_CL_KIND_kernel))
		return CL_INVALID_KERNEL;
	if (value)
		memset(value, 1, size);
	if (size_ret)
		*size_ret = size;
	return CL_SUCCESS;
}

static cl_int getArgInfo(cl_kernel kernel, cl_uint index, cl_kernel_arg_info param, size_t size, void *value,
			 size_t *size_ret)
{
	static const cl_uint spaces[PL_STUB_ARGS_COUNT] = { CL_KERNEL_ARG_ADDRESS_GLOBAL, CL_KERNEL_ARG_ADDRESS_PRIVATE,
							    CL_KERNEL_ARG_ADDRESS_LOCAL, CL_KERNEL_ARG_ADDRESS_PRIVATE,
							    CL_KERNEL_ARG_ADDRESS_PRIVATE };
	static const char *const types[PL_STUB_ARGS_COUNT] = { "int*", "int", "int*", "sampler_t", "queue_t" };

	if (!pl_stub_look(kernel, PL_CL_KIND_kernel) || index >= PL_STUB_ARGS_COUNT)
		return kernel ? CL_INVALID_ARG_INDEX : CL_INVALID_KERNEL;
	switch (param) {
	case CL_KERNEL_ARG_ADDRESS_QUALIFIER:
		return give_number(spaces[index], 4, size, value, size_ret);
	case CL_KERNEL_ARG_ACCESS_QUALIFIER:
		return give_number(CL_KERNEL_ARG_ACCESS_NONE, 4, size, value, size_ret);
	case CL_KERNEL_ARG_TYPE_QUALIFIER:
		return give_number(0, 8, size, value, size_ret);
	default:
		return give(types[index], strlen(types[index]) + 1, size, value, size_ret);
	}
}

static cl_int getEventInfo(cl_event event, cl_event_info param, size_t size, void *value, size_t *size_ret)
{
	struct stub *stub = pl_stub_look(event, PL_CL_KIND_event);

	if (!stub)
		return CL_INVALID_EVENT;
	if (param != CL_EVENT_COMMAND_EXECUTION_STATUS)
		return give_number(0, 8, size, value, size_ret);
	return give_number((uint32_t)stub->status, 4, size, value, size_ret);
}

static cl_int getProfilingInfo(cl_event event, cl_profiling_info param, size_t size, void *value, size_t *size_ret)
{
	if (!pl_stub_look(event, PL_CL_KIND_event))
		return CL_INVALID_EVENT;
	return param % 2 ? CL_PROFILING_INFO_NOT_AVAILABLE : give_number(1, 8, size, value, size_ret);
}

static cl_int getFormats(cl_context context, cl_mem_flags flags, cl_mem_object_type type, cl_uint room,
			 cl_image_format *at, cl_uint *count)
{
	(void)flags;
	(void)type;
	if (!pl_stub_look(context, PL_CL_KIND_context))
		return CL_INVALID_CONTEXT;
	for (cl_uint i = 0; at && i < room && i < 2; i++)
		at[i] = (cl_image_format){ CL_RGBA, CL_UNORM_INT8 };
	if (count)
		*count = 2;
	return CL_SUCCESS;
}

static cl_int getTimers(cl_device_id device, cl_ulong *one, cl_ulong *two)
{
	if (!pl_stub_look(device, PL_CL_KIND_device))
		return CL_INVALID_DEVICE;
	if (one)
		*one = 1;
	if (two)
		*two = 2;
	return CL_SUCCESS;
}

static cl_int getTimer(cl_device_id device, cl_ulong *one)
{
	return one ? getTimers(device, one, NULL) : CL_INVALID_VALUE;
}

void pl_stub_fill_queries(struct pl_cl_driver *driver)
{
	driver->clGetPlatformIDs = getPlatformIDs;
	driver->clGetPlatformInfo = getPlatformInfo;
	driver->clGetDeviceIDs = getDeviceIDs;
	driver->clGetDeviceInfo = getDeviceInfo;
	driver->clGetContextInfo = getContextInfo;
	driver->clGetCommandQueueInfo = getQueueInfo;
	driver->clGetSupportedImageFormats = getFormats;
	driver->clGetMemObjectInfo = getMemInfo;
	driver->clGetImageInfo = getImageInfo;
	driver->clGetSamplerInfo = getSamplerInfo;
	driver->clGetProgramInfo = getProgramInfo;
	driver->clGetProgramBuildInfo = getBuildInfo;
	driver->clGetKernelInfo = getKernelInfo;
	driver->clGetKernelWorkGroupInfo = getWorkGroupInfo;
	driver->clGetEventInfo = getEventInfo;
	driver->clGetEventProfilingInfo = getProfilingInfo;
	driver->clGetKernelArgInfo = getArgInfo;
	driver->clGetPipeInfo = getPipeInfo;
	driver->clGetDeviceAndHostTimer = getTimers;
	driver->clGetHostTimer = getTimer;
	driver->clGetKernelSubGroupInfo = getSubGroupInfo;
}
