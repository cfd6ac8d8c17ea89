/* Programs, kernels and launches. */
#include "stub.h"

/* ---- programs and kernels ---- */

static cl_program createWithSource(cl_context context, cl_uint count, const char **texts, const size_t *lengths,
				   cl_int *status)
{
	if (!pl_stub_look(context, PL_CL_KIND_context))
		return pl_stub_refuse(status, CL_INVALID_CONTEXT);
	for (cl_uint i = 0; i < count; i++)
		pl_fuzz_touch(texts[i], lengths ? lengths[i] : strlen(texts[i]) + 1);
	return pl_stub_new_below(PL_CL_KIND_program, context, status);
}

static cl_program createWithBinary(cl_context context, cl_uint count, const cl_device_id *list, const size_t *lengths,
				   const unsigned char **binaries, cl_int *each, cl_int *status)
{
	if (!pl_stub_look(context, PL_CL_KIND_context))
		return pl_stub_refuse(status, CL_INVALID_CONTEXT);
	if (!count || !list || !lengths || !binaries)
		return pl_stub_refuse(status, CL_INVALID_VALUE);
	pl_stub_list_look(list, count, PL_CL_KIND_device);
	for (cl_uint i = 0; i < count; i++) {
		if (!lengths[i] || !binaries[i])
			return pl_stub_refuse(status, CL_INVALID_VALUE);
		pl_fuzz_touch(binaries[i], lengths[i]);
		if (each)
			each[i] = CL_SUCCESS;
	}
	return pl_stub_new_below(PL_CL_KIND_program, context, status);
}

static cl_program createWithIL(cl_context context, const void *il, size_t bytes, cl_int *status)
{
	if (!pl_stub_look(context, PL_CL_KIND_context) || !il || !bytes)
		return pl_stub_refuse(status, CL_INVALID_VALUE);
	pl_fuzz_touch(il, bytes);
	return pl_stub_new_below(PL_CL_KIND_program, context, status);
}

static cl_program createWithBuiltIn(cl_context context, cl_uint count, const cl_device_id *list, const char *names,
				    cl_int *status)
{
	if (!pl_stub_look(context, PL_CL_KIND_context) || !count || !list || !names)
		return pl_stub_refuse(status, CL_INVALID_VALUE);
	pl_stub_list_look(list, count, PL_CL_KIND_device);
	pl_fuzz_touch(names, strlen(names) + 1);
	return pl_stub_new_below(PL_CL_KIND_program, context, status);
}

static cl_int build(cl_program program, cl_uint count, const cl_device_id *list, const char *options,
		    void(CL_CALLBACK *notify)(cl_program, void *), void *data)
{
	if (!pl_stub_look(program, PL_CL_KIND_program))
		return CL_INVALID_PROGRAM;
	if (!count != !list || notify || data)
		return CL_INVALID_VALUE;
	pl_stub_list_look(list, count, PL_CL_KIND_device);
	if (options)
		pl_fuzz_touch(options, strlen(options) + 1);
	return CL_SUCCESS;
}

static cl_int compile(cl_program program, cl_uint count, const cl_device_id *list, const char *options, cl_uint headers,
		      const cl_program *header_list, const char **names, void(CL_CALLBACK *notify)(cl_program, void *),
		      void *data)
{
	if (!headers != !header_list || !headers != !names)
		return CL_INVALID_VALUE;
	pl_stub_list_look(header_list, headers, PL_CL_KIND_program);
	for (cl_uint i = 0; i < headers; i++)
		pl_fuzz_touch(names[i], strlen(names[i]) + 1);
	return build(program, count, list, options, notify, data);
}

static cl_program link_all(cl_context context, cl_uint count, const cl_device_id *list, const char *options,
			   cl_uint inputs, const cl_program *programs, void(CL_CALLBACK *notify)(cl_program, void *),
			   void *data, cl_int *status)
{
	if (!pl_stub_look(context, PL_CL_KIND_context))
		return pl_stub_refuse(status, CL_INVALID_CONTEXT);
	if (!inputs || !programs || !count != !list || notify || data)
		return pl_stub_refuse(status, CL_INVALID_VALUE);
	pl_stub_list_look(list, count, PL_CL_KIND_device);
	pl_stub_list_look(programs, inputs, PL_CL_KIND_program);
	if (options)
		pl_fuzz_touch(options, strlen(options) + 1);
	return pl_stub_new_below(PL_CL_KIND_program, context, status);
}

static cl_int unloadCompiler(cl_platform_id at)
{
	return pl_stub_look(at, PL_CL_KIND_platform) ? CL_SUCCESS : CL_INVALID_PLATFORM;
}

static cl_int specialize(cl_program program, cl_uint id, size_t bytes, const void *value)
{
	(void)id;
	if (!pl_stub_look(program, PL_CL_KIND_program) || !value)
		return CL_INVALID_VALUE;
	pl_fuzz_touch(value, bytes);
	return CL_SUCCESS;
}

static cl_kernel createKernel(cl_program program, const char *name, cl_int *status)
{
	if (!pl_stub_look(program, PL_CL_KIND_program))
		return pl_stub_refuse(status, CL_INVALID_PROGRAM);
	if (!name || !*name)
		return pl_stub_refuse(status, CL_INVALID_KERNEL_NAME);
	return pl_stub_new_below(PL_CL_KIND_kernel, program, status);
}

static cl_int createKernels(cl_program program, cl_uint room, cl_kernel *at, cl_uint *count)
{
	if (!pl_stub_look(program, PL_CL_KIND_program))
		return CL_INVALID_PROGRAM;
	if (at && room < 2)
		return CL_INVALID_VALUE;
	for (cl_uint i = 0; at && i < 2; i++)
		at[i] = pl_stub_new_below(PL_CL_KIND_kernel, program, NULL);
	if (count)
		*count = 2;
	return CL_SUCCESS;
}

static cl_kernel cloneKernel(cl_kernel kernel, cl_int *status)
{
	struct stub *from = pl_stub_look(kernel, PL_CL_KIND_kernel);

	return from ? pl_stub_new_below(PL_CL_KIND_kernel, from->parent, status)
		    : pl_stub_refuse(status, CL_INVALID_KERNEL);
}

/* A value of a pointer's size where a handle belongs is taken for one. */
static cl_int setArg(cl_kernel kernel, cl_uint index, size_t bytes, const void *value)
{
	static const enum pl_cl_object_kind kinds[PL_STUB_ARGS_COUNT] = { PL_CL_KIND_mem, 0, 0, PL_CL_KIND_sampler,
									  PL_CL_KIND_queue };

	if (!pl_stub_look(kernel, PL_CL_KIND_kernel))
		return CL_INVALID_KERNEL;
	if (index >= PL_STUB_ARGS_COUNT)
		return CL_INVALID_ARG_INDEX;
	if (value)
		pl_fuzz_touch(value, bytes);
	if (index == 2)
		return value ? CL_INVALID_ARG_VALUE : bytes ? CL_SUCCESS : CL_INVALID_ARG_SIZE;
	if (!kinds[index])
		return bytes != 4 ? CL_INVALID_ARG_SIZE : value ? CL_SUCCESS : CL_INVALID_ARG_VALUE;
	if (bytes != sizeof(void *))
		return CL_INVALID_ARG_SIZE;
	if (value)
		pl_stub_look(*(void *const *)value, kinds[index]);
	else if (index)
		return CL_INVALID_ARG_VALUE;
	return CL_SUCCESS;
}

static cl_int setArgSvm(cl_kernel kernel, cl_uint index, const void *at)
{
	if (!pl_stub_look(kernel, PL_CL_KIND_kernel) || index >= PL_STUB_ARGS_COUNT)
		return CL_INVALID_ARG_INDEX;
	if (at)
		pl_fuzz_touch(at, 1);
	return CL_SUCCESS;
}

static cl_int setExecInfo(cl_kernel kernel, cl_kernel_exec_info param, size_t bytes, const void *value)
{
	if (!pl_stub_look(kernel, PL_CL_KIND_kernel))
		return CL_INVALID_KERNEL;
	if (!value)
		return CL_INVALID_VALUE;
	pl_fuzz_touch(value, bytes);
	for (size_t i = 0; param == CL_KERNEL_EXEC_INFO_SVM_PTRS && i + 8 <= bytes; i += 8) {
		const void *at;

		memcpy(&at, (const uint8_t *)value + i, sizeof(at));
		if (at)
			pl_fuzz_touch(at, 1);
	}
	return CL_SUCCESS;
}

static cl_int launch(cl_command_queue queue, cl_kernel kernel, cl_uint dims, const size_t *offset, const size_t *global,
		     const size_t *local, cl_uint waits, const cl_event *list, cl_event *event)
{
	if (!pl_stub_look(kernel, PL_CL_KIND_kernel))
		return CL_INVALID_KERNEL;
	if (!dims || dims > 3)
		return CL_INVALID_WORK_DIMENSION;
	for (int i = 0; i < 3; i++) {
		const size_t *each = i == 0 ? offset : i == 1 ? global : local;

		if (each)
			pl_fuzz_touch(each, dims * sizeof(*each));
	}
	return pl_stub_marker(queue, waits, list, event);
}

static cl_int task(cl_command_queue queue, cl_kernel kernel, cl_uint waits, const cl_event *list, cl_event *event)
{
	return pl_stub_look(kernel, PL_CL_KIND_kernel) ? pl_stub_marker(queue, waits, list, event) : CL_INVALID_KERNEL;
}

static cl_int suggest(cl_command_queue queue, cl_kernel kernel, cl_uint dims, const size_t *offset,
		      const size_t *global, size_t *local)
{
	pl_stub_look(queue, PL_CL_KIND_queue);
	pl_stub_look(kernel, PL_CL_KIND_kernel);
	if (!dims || dims > 3 || !global)
		return CL_INVALID_WORK_DIMENSION;
	for (cl_uint i = 0; i < dims; i++)
		local[i] = global[i] + (offset ? offset[i] : 0);
	return CL_SUCCESS;
}

void pl_stub_fill_programs(struct pl_cl_driver *driver)
{
	driver->clCreateProgramWithSource = createWithSource;
	driver->clCreateProgramWithBinary = createWithBinary;
	driver->clBuildProgram = build;
	driver->clCreateKernel = createKernel;
	driver->clCreateKernelsInProgram = createKernels;
	driver->clSetKernelArg = setArg;
	driver->clEnqueueNDRangeKernel = launch;
	driver->clEnqueueTask = task;
	driver->clCreateProgramWithBuiltInKernels = createWithBuiltIn;
	driver->clCompileProgram = compile;
	driver->clLinkProgram = link_all;
	driver->clUnloadPlatformCompiler = unloadCompiler;
	driver->clSetKernelArgSVMPointer = setArgSvm;
	driver->clSetKernelExecInfo = setExecInfo;
	driver->clCloneKernel = cloneKernel;
	driver->clCreateProgramWithIL = createWithIL;
	driver->clSetProgramSpecializationConstant = specialize;
	driver->clGetKernelSuggestedLocalWorkSizeKHR = suggest;
}
