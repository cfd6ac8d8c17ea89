/* NULL and nonsense wherever the API takes a pointer, a handle, a size or a flag: prints the code of each call.  The
 * codes are the driver's: they must be the same on every way to the device.  Calls that crash natively are left out. */
#include "ocl.h"

static const char source[] = "kernel void k(global int *a, int n, local int *l, float4 f) { a[get_global_id(0)] = n; }";

static void say(const char *what)
{
	printf("%s: ", what);
	fflush(stdout); /* a call that crashes is named */
}

#define SAY(call)                                                                                                      \
	do {                                                                                                           \
		say(#call);                                                                                            \
		printf("%d\n", (call));                                                                                \
	} while (0)
#define SAY_MAKE(call)                                                                                                 \
	do {                                                                                                           \
		cl_int e = 4242;                                                                                       \
		say(#call);                                                                                            \
		void *made_ = (void *)(call);                                                                          \
		printf("%d, %s\n", e, made_ ? "object" : "NULL");                                                      \
	} while (0)

static void contexts_and_queues(struct ocl *o)
{
	cl_context_properties good[] = { CL_CONTEXT_PLATFORM, (cl_context_properties)o->platform, 0 },
			      bad[] = { CL_CONTEXT_PLATFORM, 0, 0 }, unknown[] = { 0x7777, 1, 0 };
	cl_queue_properties bad_queue[] = { CL_QUEUE_PROPERTIES, 0xff00, 0 }, odd_queue[] = { 0x7777, 1, 0 };

	SAY_MAKE(clCreateContext(NULL, 0, &o->device, NULL, NULL, &e));
	SAY_MAKE(clCreateContext(NULL, 1, NULL, NULL, NULL, &e));
	SAY_MAKE(clCreateContext(good, 0, &o->device, NULL, NULL, &e));
	SAY_MAKE(clCreateContext(good, 1, NULL, NULL, NULL, &e));
	SAY_MAKE(clCreateContext(bad, 1, &o->device, NULL, NULL, &e));
	SAY_MAKE(clCreateContext(unknown, 1, &o->device, NULL, NULL, &e));
	SAY_MAKE(clCreateCommandQueueWithProperties(o->context, o->device, bad_queue, &e));
	SAY_MAKE(clCreateCommandQueueWithProperties(o->context, o->device, odd_queue, &e));
	SAY_MAKE(clCreateCommandQueueWithProperties(o->context, NULL, NULL, &e));
	for (cl_command_queue_properties bits = 0; bits <= 32; bits++)
		SAY_MAKE(clCreateCommandQueue(o->context, o->device, bits, &e));
	SAY(clGetContextInfo(o->context, 0x7777, 0, NULL, NULL));
	SAY(clGetContextInfo(o->context, CL_CONTEXT_NUM_DEVICES, 1, &(char){ 0 }, NULL));
	SAY(clGetDeviceInfo(o->device, 0x7777, 0, NULL, NULL));
	SAY(clGetDeviceInfo(o->device, CL_DEVICE_NAME, 1, &(char){ 0 }, NULL));
	SAY(clGetDeviceIDs(o->platform, 0x8000, 1, &o->device, NULL));
	SAY(clGetDeviceIDs(o->platform, CL_DEVICE_TYPE_ALL, 0, NULL, NULL));
	SAY(clGetPlatformInfo(o->platform, 0x7777, 0, NULL, NULL));
	SAY(clFinish(NULL));
	SAY(clFlush(NULL));
	SAY(clReleaseContext(NULL));
}

static void memory(struct ocl *o)
{
	char host[64] = { 0 };
	cl_image_format format = { CL_RGBA, CL_UNORM_INT8 }, odd = { 0x1234, 0x1234 };
	cl_image_desc desc = { .image_type = CL_MEM_OBJECT_IMAGE2D, .image_width = 4, .image_height = 4 };
	cl_image_desc none = { .image_type = CL_MEM_OBJECT_IMAGE2D };
	cl_mem mem = ocl_buffer(o, CL_MEM_READ_WRITE, 4096, NULL);
	cl_buffer_region region = { 0, 8192 }, empty = { 0, 0 }, odd_origin = { 1, 16 };

	SAY_MAKE(clCreateBuffer(o->context, 0, 0, NULL, &e));
	SAY_MAKE(clCreateBuffer(o->context, CL_MEM_READ_WRITE, (size_t)-1, NULL, &e));
	SAY_MAKE(clCreateBuffer(o->context, CL_MEM_READ_WRITE | CL_MEM_WRITE_ONLY, 64, NULL, &e));
	SAY_MAKE(clCreateBuffer(o->context, CL_MEM_USE_HOST_PTR, 64, NULL, &e));
	SAY_MAKE(clCreateBuffer(o->context, CL_MEM_COPY_HOST_PTR, 64, NULL, &e));
	SAY_MAKE(clCreateBuffer(o->context, CL_MEM_READ_WRITE, 64, host, &e));
	SAY_MAKE(clCreateBuffer(o->context, CL_MEM_USE_HOST_PTR | CL_MEM_COPY_HOST_PTR, 64, host, &e));
	SAY_MAKE(clCreateBuffer(o->context, CL_MEM_HOST_READ_ONLY | CL_MEM_HOST_NO_ACCESS, 64, NULL, &e));
	SAY_MAKE(clCreateBuffer(o->context, 1ull << 40, 64, NULL, &e));
	SAY_MAKE(clCreateSubBuffer(mem, 0, CL_BUFFER_CREATE_TYPE_REGION, &region, &e));
	SAY_MAKE(clCreateSubBuffer(mem, 0, CL_BUFFER_CREATE_TYPE_REGION, &empty, &e));
	SAY_MAKE(clCreateSubBuffer(mem, 0, CL_BUFFER_CREATE_TYPE_REGION, &odd_origin, &e));
	SAY_MAKE(clCreateSubBuffer(mem, 0, CL_BUFFER_CREATE_TYPE_REGION, NULL, &e));
	SAY_MAKE(clCreateSubBuffer(mem, 0, 0x7777, &region, &e));
	SAY_MAKE(clCreateImage(o->context, 0, NULL, &desc, NULL, &e));
	SAY_MAKE(clCreateImage(o->context, 0, &format, NULL, NULL, &e));
	SAY_MAKE(clCreateImage(o->context, 0, &odd, &desc, NULL, &e));
	SAY_MAKE(clCreateImage(o->context, 0, &format, &none, NULL, &e));
	SAY(clGetMemObjectInfo(mem, 0x7777, 0, NULL, NULL));
	SAY(clGetImageInfo(mem, CL_IMAGE_WIDTH, 8, &(size_t){ 0 }, NULL));
	SAY(clReleaseMemObject(NULL));
	SAY(clRetainMemObject(NULL));
	CK(clReleaseMemObject(mem));
}

static void transfers(struct ocl *o)
{
	char host[4096];
	size_t zero[3] = { 0 }, one[3] = { 1, 1, 1 }, none[3] = { 0, 1, 1 };
	cl_event null_event = NULL;
	cl_mem mem = ocl_buffer(o, CL_MEM_READ_WRITE, 4096, NULL);
	cl_mem hidden = ocl_buffer(o, CL_MEM_HOST_NO_ACCESS, 4096, NULL);

	memset(host, 7, sizeof(host));
	SAY(clEnqueueWriteBuffer(o->queue, mem, CL_TRUE, 0, 4097, host, 0, NULL, NULL));
	SAY(clEnqueueWriteBuffer(o->queue, mem, CL_TRUE, 4096, 1, host, 0, NULL, NULL));
	SAY(clEnqueueWriteBuffer(o->queue, mem, CL_TRUE, (size_t)-8, 16, host, 0, NULL, NULL));
	SAY(clEnqueueWriteBuffer(o->queue, mem, CL_TRUE, 0, 16, NULL, 0, NULL, NULL));
	SAY(clEnqueueWriteBuffer(o->queue, NULL, CL_TRUE, 0, 16, host, 0, NULL, NULL));
	SAY(clEnqueueWriteBuffer(o->queue, hidden, CL_TRUE, 0, 16, host, 0, NULL, NULL));
	SAY(clEnqueueReadBuffer(o->queue, mem, CL_TRUE, 0, 4097, host, 0, NULL, NULL));
	SAY(clEnqueueReadBuffer(o->queue, mem, CL_TRUE, 0, 16, NULL, 0, NULL, NULL));
	SAY(clEnqueueReadBuffer(o->queue, hidden, CL_TRUE, 0, 16, host, 0, NULL, NULL));
	SAY(clEnqueueReadBuffer(o->queue, mem, CL_TRUE, 0, 16, host, 1, NULL, NULL));
	SAY(clEnqueueReadBuffer(o->queue, mem, CL_TRUE, 0, 16, host, 0, &null_event, NULL));
	SAY(clEnqueueReadBuffer(o->queue, mem, CL_TRUE, 0, 16, host, 1, &null_event, NULL));
	SAY(clEnqueueReadBufferRect(o->queue, mem, CL_TRUE, zero, zero, none, 0, 0, 0, 0, host, 0, NULL, NULL));
	SAY(clEnqueueReadBufferRect(o->queue, mem, CL_TRUE, zero, zero, one, 0, 0, 0, 0, NULL, 0, NULL, NULL));
	SAY(clEnqueueCopyBuffer(o->queue, mem, mem, 0, 8, 16, 0, NULL, NULL));
	SAY(clEnqueueCopyBuffer(o->queue, mem, mem, 0, 4090, 16, 0, NULL, NULL));
	SAY(clEnqueueCopyBuffer(o->queue, mem, NULL, 0, 0, 16, 0, NULL, NULL));
	SAY(clEnqueueFillBuffer(o->queue, mem, host, 3, 0, 12, 0, NULL, NULL));
	SAY(clEnqueueFillBuffer(o->queue, mem, host, 4, 2, 12, 0, NULL, NULL));
	SAY(clEnqueueFillBuffer(o->queue, mem, host, 4, 0, 13, 0, NULL, NULL));
	SAY(clEnqueueFillBuffer(o->queue, mem, NULL, 4, 0, 12, 0, NULL, NULL));
	SAY(clEnqueueFillBuffer(o->queue, mem, host, 4, 4096, 12, 0, NULL, NULL));
	SAY_MAKE(clEnqueueMapBuffer(o->queue, mem, CL_TRUE, CL_MAP_READ, 0, 4097, 0, NULL, NULL, &e));
	SAY_MAKE(clEnqueueMapBuffer(o->queue, mem, CL_TRUE, 0x7000, 0, 16, 0, NULL, NULL, &e));
	SAY_MAKE(clEnqueueMapBuffer(o->queue, hidden, CL_TRUE, CL_MAP_READ, 0, 16, 0, NULL, NULL, &e));
	SAY(clEnqueueUnmapMemObject(o->queue, mem, host, 0, NULL, NULL));
	SAY(clEnqueueMigrateMemObjects(o->queue, 0, NULL, 0, 0, NULL, NULL));
	SAY(clEnqueueMigrateMemObjects(o->queue, 1, &mem, 0x7000, 0, NULL, NULL));
	CK(clReleaseMemObject(mem));
	CK(clReleaseMemObject(hidden));
}

static void samplers(struct ocl *o)
{
	static const char *const text = "kernel void s(sampler_t taken, read_only image2d_t from, global float *out)\n"
					"{ out[0] = read_imagef(from, taken, (int2)(0, 0)).x; }";
	cl_bool images = CL_FALSE;
	cl_program program;
	cl_kernel kernel;
	cl_sampler sampler;
	cl_int code;

	CK(clGetDeviceInfo(o->device, CL_DEVICE_IMAGE_SUPPORT, sizeof(images), &images, NULL));
	if (!images)
		return;
	program = ocl_build(o, text, NULL);
	kernel = ocl_kernel(program, "s");
	sampler = clCreateSampler(o->context, CL_FALSE, CL_ADDRESS_NONE, CL_FILTER_NEAREST, &code);
	CK(code);
	SAY(clSetKernelArg(kernel, 0, 2 * sizeof(sampler), &sampler));
	SAY(clSetKernelArg(kernel, 0, sizeof(sampler) / 2, &sampler));
	SAY(clSetKernelArg(kernel, 0, sizeof(sampler), NULL));
	SAY(clSetKernelArg(kernel, 0, sizeof(sampler), &sampler));
	CK(clReleaseSampler(sampler));
	CK(clReleaseKernel(kernel));
	CK(clReleaseProgram(program));
}

static void programs_and_kernels(struct ocl *o)
{
	const char *text = source, *null_text = NULL, *broken = "kernel void k( {";
	cl_program program = ocl_build(o, source, NULL), bad;
	cl_kernel kernel = ocl_kernel(program, "k");
	cl_mem mem = ocl_buffer(o, CL_MEM_READ_WRITE, 4096, NULL);
	size_t global[4] = { 16, 1, 1, 1 }, local[3] = { 5, 1, 1 }, huge[3] = { 1u << 30, 1u << 30, 1u << 30 },
	       zero[3] = { 0 };
	int n = 1;
	cl_int code;

	SAY_MAKE(clCreateProgramWithSource(o->context, 0, &text, NULL, &e));
	SAY_MAKE(clCreateProgramWithSource(o->context, 1, &null_text, NULL, &e));
	bad = clCreateProgramWithSource(o->context, 1, &broken, NULL, &code);
	CK(code);
	SAY(clBuildProgram(bad, 1, &o->device, "", NULL, NULL));
	SAY(clBuildProgram(bad, 1, NULL, "", NULL, NULL));
	SAY(clBuildProgram(bad, 0, &o->device, "", NULL, NULL));
	SAY(clBuildProgram(bad, 0, NULL, "-no-such-option", NULL, NULL));
	SAY_MAKE(clCreateKernel(bad, "k", &e));
	SAY_MAKE(clCreateKernel(program, "other", &e));
	SAY_MAKE(clCreateKernel(program, NULL, &e));
	SAY(clGetProgramInfo(program, 0x7777, 0, NULL, NULL));
	SAY(clGetProgramBuildInfo(program, o->device, 0x7777, 0, NULL, NULL));
	SAY(clEnqueueNDRangeKernel(o->queue, kernel, 1, NULL, global, NULL, 0, NULL, NULL));
	SAY(clSetKernelArg(kernel, 0, 4, &mem));
	SAY(clSetKernelArg(kernel, 4, 4, &n));
	SAY(clSetKernelArg(kernel, 1, 8, &mem));
	SAY(clSetKernelArg(kernel, 1, 4, NULL));
	SAY(clSetKernelArg(kernel, 2, 0, NULL));
	SAY(clSetKernelArg(kernel, 2, 64, &n));
	SAY(clSetKernelArg(kernel, 3, 4, &n));
	samplers(o);
	CK(clSetKernelArg(kernel, 0, sizeof(mem), &mem));
	CK(clSetKernelArg(kernel, 1, 4, &n));
	CK(clSetKernelArg(kernel, 2, 64, NULL));
	SAY(clEnqueueNDRangeKernel(o->queue, kernel, 1, NULL, global, NULL, 0, NULL, NULL));
	CK(clSetKernelArg(kernel, 3, 16, huge));
	SAY(clEnqueueNDRangeKernel(o->queue, kernel, 0, NULL, global, NULL, 0, NULL, NULL));
	SAY(clEnqueueNDRangeKernel(o->queue, kernel, 4, NULL, global, NULL, 0, NULL, NULL));
	SAY(clEnqueueNDRangeKernel(o->queue, kernel, 1, NULL, NULL, NULL, 0, NULL, NULL));
	SAY(clEnqueueNDRangeKernel(o->queue, kernel, 1, NULL, global, huge, 0, NULL, NULL));
	SAY(clEnqueueNDRangeKernel(o->queue, kernel, 1, NULL, global, zero, 0, NULL, NULL));
	SAY(clEnqueueNDRangeKernel(o->queue, kernel, 1, NULL, global, local, 0, NULL, NULL));
	SAY(clGetKernelWorkGroupInfo(kernel, o->device, 0x7777, 0, NULL, NULL));
	SAY(clGetKernelArgInfo(kernel, 9, CL_KERNEL_ARG_NAME, 0, NULL, NULL));
	CK(clFinish(o->queue));
	CK(clReleaseMemObject(mem));
	CK(clReleaseKernel(kernel));
	CK(clReleaseProgram(program));
	CK(clReleaseProgram(bad));
}

static void events(struct ocl *o)
{
	cl_int code;
	cl_event user = clCreateUserEvent(o->context, &code), marker, null_event = NULL;
	cl_ulong time;

	CK(code);
	SAY(clWaitForEvents(0, NULL));
	SAY(clWaitForEvents(1, NULL));
	SAY(clWaitForEvents(1, &null_event));
	SAY(clSetUserEventStatus(user, 5));
	CK(clEnqueueMarkerWithWaitList(o->queue, 0, NULL, &marker));
	SAY(clSetUserEventStatus(marker, CL_COMPLETE));
	SAY(clGetEventProfilingInfo(marker, CL_PROFILING_COMMAND_END, 8, &time, NULL));
	SAY(clGetEventProfilingInfo(user, CL_PROFILING_COMMAND_END, 8, &time, NULL));
	SAY(clGetEventInfo(marker, 0x7777, 0, NULL, NULL));
	SAY(clSetEventCallback(marker, CL_COMPLETE, NULL, NULL));
	SAY(clSetUserEventStatus(user, CL_COMPLETE));
	SAY(clSetUserEventStatus(user, CL_COMPLETE));
	CK(clFinish(o->queue));
	CK(clReleaseEvent(user));
	CK(clReleaseEvent(marker));
	SAY(clEnqueueMarkerWithWaitList(o->queue, 1, NULL, NULL));
	SAY(clEnqueueBarrierWithWaitList(o->queue, 1, &null_event, NULL));
}

int main(void)
{
	struct ocl o;

	setvbuf(stdout, NULL, _IOLBF, 0);
	o = ocl_open(0);
	contexts_and_queues(&o);
	memory(&o);
	transfers(&o);
	programs_and_kernels(&o);
	events(&o);
	ocl_close(&o);
	return 0;
}
