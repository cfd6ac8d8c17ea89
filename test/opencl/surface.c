/* Makes one of each object in the ways that the API has, asks each everything, and prints what must be the same on
 * every way to the device (no addresses, no times). */
#include "ocl.h"

static const char source[] =
	"#ifndef N\n#define N 1\n#endif\n"
	"typedef struct { int a; float b; } pair;\n"
	"kernel __attribute__((reqd_work_group_size(4, 1, 1))) void fixed(global int *out) { out[get_global_id(0)] = "
	"N; }\n"
	"kernel void many(global const float4 *in, constant int *c, local float *l, read_only image2d_t i, sampler_t s,"
	" pair p, int3 v, global int *out) { out[0] = (int)in[0].x + c[0] + p.a + v.z; }\n"
	"kernel void plain(global int *a, int n) { a[get_global_id(0)] = n * (int)get_global_id(0); }\n";

static void bytes(const char *name, cl_int code, const void *data, size_t size)
{
	const unsigned char *at = data;

	printf("  %s: %d, %zu bytes:", name, code, size);
	for (size_t i = 0; i < size && i < 32; i++)
		printf(" %02x", at[i]);
	puts("");
}

#define ASK(fn, object, param)                                                                     \
	do {                                                                                       \
		unsigned char v_[65536];                                                           \
		size_t n_ = 0;                                                                     \
		cl_int c_ = fn(object, param, sizeof(v_), v_, &n_);                                \
		bytes(#param, c_, v_, c_ ? 0 : n_);                                                \
	} while (0)
#define ASK2(fn, object, second, param)                                                            \
	do {                                                                                       \
		unsigned char v_[65536];                                                           \
		size_t n_ = 0;                                                                     \
		cl_int c_ = fn(object, second, param, sizeof(v_), v_, &n_);                        \
		bytes(#param, c_, v_, c_ ? 0 : n_);                                                \
	} while (0)
/* A query whose value is a handle: is it the one that it should be? */
#define ASK_IS(fn, object, param, type, want)                                                      \
	do {                                                                                       \
		type v_ = NULL;                                                                    \
		size_t n_ = 0;                                                                     \
		cl_int c_ = fn(object, param, sizeof(v_), &v_, &n_);                               \
		printf("  %s: %d, %zu, %s\n", #param, c_, n_, v_ == (want) ? "right" : "wrong");   \
	} while (0)

static void devices(struct ocl *o)
{
	cl_uint n;

	puts("device");
	ASK(clGetDeviceInfo, o->device, CL_DEVICE_TYPE);
	ASK(clGetDeviceInfo, o->device, CL_DEVICE_NAME);
	ASK(clGetDeviceInfo, o->device, CL_DEVICE_VERSION);
	ASK(clGetDeviceInfo, o->device, CL_DEVICE_MAX_WORK_ITEM_SIZES);
	ASK(clGetDeviceInfo, o->device, CL_DEVICE_PARTITION_PROPERTIES);
	ASK(clGetDeviceInfo, o->device, CL_DEVICE_GLOBAL_MEM_SIZE);
	ASK(clGetDeviceInfo, o->device, CL_DEVICE_REFERENCE_COUNT);
	ASK_IS(clGetDeviceInfo, o->device, CL_DEVICE_PLATFORM, cl_platform_id, o->platform);
	ASK_IS(clGetDeviceInfo, o->device, CL_DEVICE_PARENT_DEVICE, cl_device_id, NULL);
	static const cl_device_type types[] = { CL_DEVICE_TYPE_DEFAULT, CL_DEVICE_TYPE_CPU, CL_DEVICE_TYPE_GPU,
						CL_DEVICE_TYPE_ACCELERATOR, CL_DEVICE_TYPE_CUSTOM, CL_DEVICE_TYPE_ALL };
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		n = 77;
		cl_int code = clGetDeviceIDs(o->platform, types[i], 0, NULL, &n);
		printf("  type %x: %d, %u\n", (unsigned)types[i], code, code ? 0 : n);
	}
	printf("  unknown function: %s\n",
	       clGetExtensionFunctionAddressForPlatform(o->platform, "clNoSuch") ? "yes" : "no");
	cl_device_partition_property by[] = { CL_DEVICE_PARTITION_EQUALLY, 1, 0 };
	cl_device_id subs[64];
	n = 0;
	cl_int code = clCreateSubDevices(o->device, by, 64, subs, &n);
	printf("  sub-devices: %d, %u\n", code, code ? 0 : n);
	if (!code) {
		ASK_IS(clGetDeviceInfo, subs[0], CL_DEVICE_PARENT_DEVICE, cl_device_id, o->device);
		ASK(clGetDeviceInfo, subs[0], CL_DEVICE_MAX_COMPUTE_UNITS);
		for (cl_uint i = 0; i < n; i++)
			CK(clReleaseDevice(subs[i]));
	}
}

static void contexts(struct ocl *o)
{
	cl_context_properties list[] = { CL_CONTEXT_PLATFORM, (cl_context_properties)o->platform, 0 }, got[8];
	cl_int code;
	size_t n = 0;
	cl_context context = clCreateContext(list, 1, &o->device, NULL, NULL, &code);

	printf("context %d\n", code);
	code = clGetContextInfo(context, CL_CONTEXT_PROPERTIES, sizeof(got), got, &n);
	printf("  properties: %d, %zu, %s\n", code, n, n == sizeof(list) && !memcmp(got, list, n) ? "right" : "wrong");
	ASK_IS(clGetContextInfo, context, CL_CONTEXT_DEVICES, cl_device_id, o->device);
	ASK(clGetContextInfo, context, CL_CONTEXT_NUM_DEVICES);
	ASK(clGetContextInfo, context, CL_CONTEXT_REFERENCE_COUNT);
	CK(clRetainContext(context));
	ASK(clGetContextInfo, context, CL_CONTEXT_REFERENCE_COUNT);
	CK(clReleaseContext(context));
	CK(clReleaseContext(context));
	context = clCreateContextFromType(list, CL_DEVICE_TYPE_ALL, NULL, NULL, &code);
	printf("from type %d\n", code);
	ASK_IS(clGetContextInfo, context, CL_CONTEXT_DEVICES, cl_device_id, o->device);
	CK(clReleaseContext(context));
	context = clCreateContextFromType(list, CL_DEVICE_TYPE_CUSTOM, NULL, NULL, &code);
	printf("from absent type %d\n", code);
	ASK_IS(clGetCommandQueueInfo, o->queue, CL_QUEUE_CONTEXT, cl_context, o->context);
	ASK_IS(clGetCommandQueueInfo, o->queue, CL_QUEUE_DEVICE, cl_device_id, o->device);
	ASK(clGetCommandQueueInfo, o->queue, CL_QUEUE_PROPERTIES);
	ASK(clGetCommandQueueInfo, o->queue, CL_QUEUE_PROPERTIES_ARRAY);
}

static void memory(struct ocl *o)
{
	static char host[8192] __attribute__((aligned(4096)));
	static const cl_mem_flags flags[] = { 0, CL_MEM_READ_ONLY, CL_MEM_USE_HOST_PTR, CL_MEM_ALLOC_HOST_PTR,
					      CL_MEM_COPY_HOST_PTR | CL_MEM_HOST_READ_ONLY };
	cl_image_format format = { CL_R, CL_FLOAT };
	cl_image_desc desc = { .image_type = CL_MEM_OBJECT_IMAGE2D, .image_width = 8, .image_height = 4 };
	cl_int code;

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		int with = (flags[i] & (CL_MEM_USE_HOST_PTR | CL_MEM_COPY_HOST_PTR)) != 0;
		cl_mem mem = ocl_buffer(o, flags[i], sizeof(host), with ? host : NULL);
		void *pointer = NULL;
		printf("buffer %x\n", (unsigned)flags[i]);
		ASK(clGetMemObjectInfo, mem, CL_MEM_TYPE);
		ASK(clGetMemObjectInfo, mem, CL_MEM_FLAGS);
		ASK(clGetMemObjectInfo, mem, CL_MEM_SIZE);
		ASK(clGetMemObjectInfo, mem, CL_MEM_MAP_COUNT);
		ASK(clGetMemObjectInfo, mem, CL_MEM_REFERENCE_COUNT);
		ASK(clGetMemObjectInfo, mem, CL_MEM_OFFSET);
		ASK(clGetMemObjectInfo, mem, CL_MEM_USES_SVM_POINTER);
		ASK_IS(clGetMemObjectInfo, mem, CL_MEM_CONTEXT, cl_context, o->context);
		ASK_IS(clGetMemObjectInfo, mem, CL_MEM_ASSOCIATED_MEMOBJECT, cl_mem, NULL);
		CK(clGetMemObjectInfo(mem, CL_MEM_HOST_PTR, sizeof(pointer), &pointer, NULL));
		printf("  host pointer: %s\n", pointer == host ? "host" : pointer ? "other" : "NULL");
		CK(clReleaseMemObject(mem));
	}
	cl_mem image = clCreateImage(o->context, CL_MEM_READ_WRITE, &format, &desc, NULL, &code);
	printf("image %d\n", code);
	if (!code) {
		ASK(clGetImageInfo, image, CL_IMAGE_FORMAT);
		ASK(clGetImageInfo, image, CL_IMAGE_ELEMENT_SIZE);
		ASK(clGetImageInfo, image, CL_IMAGE_ROW_PITCH);
		ASK(clGetImageInfo, image, CL_IMAGE_WIDTH);
		ASK(clGetImageInfo, image, CL_IMAGE_DEPTH);
		ASK(clGetMemObjectInfo, image, CL_MEM_SIZE);
		ASK(clGetMemObjectInfo, image, CL_MEM_TYPE);
		CK(clReleaseMemObject(image));
	}
	cl_uint formats = 0;
	code = clGetSupportedImageFormats(o->context, CL_MEM_READ_WRITE, CL_MEM_OBJECT_IMAGE3D, 0, NULL, &formats);
	printf("formats %d, %u\n", code, formats);
	cl_sampler sampler = clCreateSampler(o->context, CL_TRUE, CL_ADDRESS_REPEAT, CL_FILTER_LINEAR, &code);
	printf("sampler %d\n", code);
	if (!code) {
		ASK(clGetSamplerInfo, sampler, CL_SAMPLER_ADDRESSING_MODE);
		ASK(clGetSamplerInfo, sampler, CL_SAMPLER_NORMALIZED_COORDS);
		ASK_IS(clGetSamplerInfo, sampler, CL_SAMPLER_CONTEXT, cl_context, o->context);
		CK(clReleaseSampler(sampler));
	}
}

static void kernel_queries(struct ocl *o, cl_kernel kernel, cl_program program)
{
	cl_uint args = 0;

	ASK(clGetKernelInfo, kernel, CL_KERNEL_FUNCTION_NAME);
	ASK(clGetKernelInfo, kernel, CL_KERNEL_ATTRIBUTES);
	ASK(clGetKernelInfo, kernel, CL_KERNEL_REFERENCE_COUNT);
	ASK_IS(clGetKernelInfo, kernel, CL_KERNEL_CONTEXT, cl_context, o->context);
	ASK_IS(clGetKernelInfo, kernel, CL_KERNEL_PROGRAM, cl_program, program);
	ASK2(clGetKernelWorkGroupInfo, kernel, o->device, CL_KERNEL_WORK_GROUP_SIZE);
	ASK2(clGetKernelWorkGroupInfo, kernel, o->device, CL_KERNEL_COMPILE_WORK_GROUP_SIZE);
	ASK2(clGetKernelWorkGroupInfo, kernel, o->device, CL_KERNEL_LOCAL_MEM_SIZE);
	CK(clGetKernelInfo(kernel, CL_KERNEL_NUM_ARGS, sizeof(args), &args, NULL));
	for (cl_uint i = 0; i < args; i++) {
		ASK2(clGetKernelArgInfo, kernel, i, CL_KERNEL_ARG_ADDRESS_QUALIFIER);
		ASK2(clGetKernelArgInfo, kernel, i, CL_KERNEL_ARG_TYPE_NAME);
		ASK2(clGetKernelArgInfo, kernel, i, CL_KERNEL_ARG_NAME);
	}
}

static void programs(struct ocl *o)
{
	const char *parts[] = { "kernel void a(global int *x) ", "{ *x = 1; } JUNK",
				"kernel void b(global int *x) { *x = 2; }\n" };
	size_t lengths[] = { 0, 11, 0 };
	cl_program program = ocl_build(o, source, "-DN=5 -cl-kernel-arg-info"), joined, compiled[2], linked, copy;
	cl_kernel kernels[8], clone;
	cl_uint n = 0;
	cl_int code, status;
	size_t size = 0, global = 8, local = 4;
	int got[8];
	cl_mem mem = ocl_buffer(o, CL_MEM_READ_WRITE, sizeof(got), NULL);

	puts("program");
	ASK(clGetProgramInfo, program, CL_PROGRAM_NUM_DEVICES);
	ASK(clGetProgramInfo, program, CL_PROGRAM_NUM_KERNELS);
	ASK(clGetProgramInfo, program, CL_PROGRAM_KERNEL_NAMES);
	ASK(clGetProgramInfo, program, CL_PROGRAM_SOURCE);
	ASK_IS(clGetProgramInfo, program, CL_PROGRAM_CONTEXT, cl_context, o->context);
	ASK_IS(clGetProgramInfo, program, CL_PROGRAM_DEVICES, cl_device_id, o->device);
	ASK2(clGetProgramBuildInfo, program, o->device, CL_PROGRAM_BUILD_STATUS);
	ASK2(clGetProgramBuildInfo, program, o->device, CL_PROGRAM_BUILD_OPTIONS);
	ASK2(clGetProgramBuildInfo, program, o->device, CL_PROGRAM_BINARY_TYPE);
	CK(clCreateKernelsInProgram(program, 8, kernels, &n));
	printf("kernels %u\n", n);
	for (cl_uint i = 0; i < n; i++) {
		kernel_queries(o, kernels[i], program);
		CK(clReleaseKernel(kernels[i]));
	}
	kernels[0] = ocl_kernel(program, "fixed");
	CK(clSetKernelArg(kernels[0], 0, sizeof(mem), &mem));
	code = clEnqueueNDRangeKernel(o->queue, kernels[0], 1, NULL, &global, NULL, 0, NULL, NULL);
	printf("required size, none given: %d\n", code);
	CK(clEnqueueNDRangeKernel(o->queue, kernels[0], 1, NULL, &global, &local, 0, NULL, NULL));
	CK(clEnqueueReadBuffer(o->queue, mem, CL_TRUE, 0, sizeof(got), got, 0, NULL, NULL));
	printf("macro of the options: %d %d\n", got[0], got[7]);
	clone = clCloneKernel(kernels[0], &code);
	printf("clone %d\n", code);
	if (!code) {
		CK(clEnqueueNDRangeKernel(o->queue, clone, 1, NULL, &global, &local, 0, NULL, NULL));
		CK(clFinish(o->queue));
		CK(clReleaseKernel(clone));
	}
	CK(clReleaseKernel(kernels[0]));

	joined = clCreateProgramWithSource(o->context, 3, parts, lengths, &code);
	CK(code);
	code = clBuildProgram(joined, 1, &o->device, NULL, NULL, NULL);
	printf("source in parts with lengths: %d\n", code);
	CK(clReleaseProgram(joined));

	/* binary, and again from it */
	CK(clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof(size), &size, NULL));
	unsigned char *binary = malloc(size);
	CK(clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof(binary), &binary, NULL));
	copy = clCreateProgramWithBinary(o->context, 1, &o->device, &size, (const unsigned char **)&binary, &status,
					 &code);
	printf("from binary: %d %d\n", code, status);
	if (!code) {
		printf("build: %d\n", clBuildProgram(copy, 1, &o->device, "", NULL, NULL));
		kernels[0] = clCreateKernel(copy, "plain", &code);
		printf("kernel of the binary: %d\n", code);
		if (!code) {
			int three = 3;
			CK(clSetKernelArg(kernels[0], 0, sizeof(mem), &mem));
			CK(clSetKernelArg(kernels[0], 1, sizeof(three), &three));
			CK(clEnqueueNDRangeKernel(o->queue, kernels[0], 1, NULL, &global, NULL, 0, NULL, NULL));
			CK(clEnqueueReadBuffer(o->queue, mem, CL_TRUE, 0, sizeof(got), got, 0, NULL, NULL));
			printf("ran: %d %d\n", got[1], got[7]);
			CK(clReleaseKernel(kernels[0]));
		}
		CK(clReleaseProgram(copy));
	}
	free(binary);

	/* compile with a header that is a program, and link */
	const char *header = "#define ANSWER 42\n",
		   *user = "#include \"answer.h\"\nkernel void k(global int *a) { *a = ANSWER; }";
	const char *name = "answer.h";
	compiled[0] = clCreateProgramWithSource(o->context, 1, &header, NULL, &code);
	CK(code);
	compiled[1] = clCreateProgramWithSource(o->context, 1, &user, NULL, &code);
	CK(code);
	code = clCompileProgram(compiled[1], 1, &o->device, "", 1, &compiled[0], &name, NULL, NULL);
	printf("compile %d\n", code);
	linked = clLinkProgram(o->context, 1, &o->device, "", 1, &compiled[1], NULL, NULL, &code);
	printf("link %d\n", code);
	if (!code) {
		size_t one = 1;
		kernels[0] = ocl_kernel(linked, "k");
		CK(clSetKernelArg(kernels[0], 0, sizeof(mem), &mem));
		CK(clEnqueueNDRangeKernel(o->queue, kernels[0], 1, NULL, &one, NULL, 0, NULL, NULL));
		CK(clEnqueueReadBuffer(o->queue, mem, CL_TRUE, 0, 4, got, 0, NULL, NULL));
		printf("linked says %d\n", got[0]);
		CK(clReleaseKernel(kernels[0]));
	}
	if (linked)
		CK(clReleaseProgram(linked));
	CK(clReleaseProgram(compiled[0]));
	CK(clReleaseProgram(compiled[1]));
	CK(clReleaseProgram(program));
	CK(clReleaseMemObject(mem));
}

static void event_queries(struct ocl *o)
{
	cl_int code, status;
	cl_event user = clCreateUserEvent(o->context, &code), marker;
	cl_context context;

	CK(code);
	puts("events");
	ASK(clGetEventInfo, user, CL_EVENT_COMMAND_TYPE);
	ASK(clGetEventInfo, user, CL_EVENT_COMMAND_EXECUTION_STATUS);
	ASK_IS(clGetEventInfo, user, CL_EVENT_COMMAND_QUEUE, cl_command_queue, NULL);
	CK(clGetEventInfo(user, CL_EVENT_CONTEXT, sizeof(context), &context, NULL));
	printf("  context %s\n", context == o->context ? "right" : "wrong");
	CK(clEnqueueMarkerWithWaitList(o->queue, 1, &user, &marker));
	ASK(clGetEventInfo, marker, CL_EVENT_COMMAND_TYPE);
	ASK_IS(clGetEventInfo, marker, CL_EVENT_COMMAND_QUEUE, cl_command_queue, o->queue);
	CK(clSetUserEventStatus(user, CL_COMPLETE));
	CK(clWaitForEvents(1, &marker));
	CK(clGetEventInfo(marker, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(status), &status, NULL));
	printf("  after the wait: %d\n", status);
	CK(clReleaseEvent(marker));
	CK(clReleaseEvent(user));
	/* a failed user event fails what waits for it */
	user = clCreateUserEvent(o->context, &code);
	CK(clEnqueueMarkerWithWaitList(o->queue, 1, &user, &marker));
	CK(clSetUserEventStatus(user, -5));
	printf("  wait for what depends on a failure: %d\n", clWaitForEvents(1, &marker));
	CK(clReleaseEvent(marker));
	CK(clReleaseEvent(user));
}

static void profiling(void)
{
	struct ocl o = ocl_open(CL_QUEUE_PROFILING_ENABLE);
	cl_mem mem = ocl_buffer(&o, CL_MEM_READ_WRITE, 4096, NULL);
	cl_ulong t[4];
	cl_event event;
	int data = 1;

	CK(clEnqueueWriteBuffer(o.queue, mem, CL_TRUE, 0, 4, &data, 0, NULL, &event));
	for (int i = 0; i < 4; i++)
		CK(clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_QUEUED + (cl_uint)i, 8, &t[i], NULL));
	printf("profiling: %s\n", t[0] && t[0] <= t[1] && t[1] <= t[2] && t[2] <= t[3] ? "in order" : "out of order");
	CK(clReleaseEvent(event));
	CK(clReleaseMemObject(mem));
	ocl_close(&o);
}

/* What a program says of sub-devices, and objects that go in the order in which programs let them go: the device that a
 * queue worked on right behind the queue. */
static void parts(struct ocl *o)
{
	static const char small[] = "kernel void k(global int *a) { a[get_global_id(0)] = 7; }";
	cl_device_partition_property by[] = { CL_DEVICE_PARTITION_EQUALLY, 1, 0 };
	const char *text = small;
	cl_device_id all[65] = { o->device }, got[64];
	cl_uint n = 0, told;
	cl_int code = CL_SUCCESS;
	size_t size;

	puts("parts");
	for (int round = 0; round < 20; round++) {
		if (clCreateSubDevices(o->device, by, 64, all + 1, &n))
			return;
		for (cl_uint whole = 0; whole < 2; whole++) {
			cl_uint count = n + whole;
			cl_device_id *list = whole ? all : all + 1;
			cl_context context = clCreateContext(NULL, count, list, NULL, NULL, &code);
			CK(code);
			cl_program program = clCreateProgramWithSource(context, 1, &text, NULL, &code);
			CK(code);
			CK(clBuildProgram(program, count, list, "", NULL, NULL));
			cl_kernel kernel = ocl_kernel(program, "k");
			CK(clGetProgramInfo(program, CL_PROGRAM_NUM_DEVICES, sizeof(told), &told, NULL));
			CK(clGetProgramInfo(program, CL_PROGRAM_DEVICES, sizeof(got), got, &size));
			if (!round)
				printf("  program of %s: %d, %d:", whole ? "all" : "the parts", told == count,
				       size == told * sizeof(*got));
			for (cl_uint i = 0; !round && i < size / sizeof(*got); i++) {
				cl_uint j = 0;
				while (j <= n && all[j] != got[i])
					j++;
				printf(" %s", j > n ? "unknown" : j ? "part" : "whole");
			}
			if (!round)
				puts("");
			for (cl_uint i = 0; i < count; i++) {
				cl_command_queue queue =
					clCreateCommandQueueWithProperties(context, list[i], NULL, &code);
				CK(code);
				cl_mem mem = clCreateBuffer(context, CL_MEM_READ_WRITE, 4096, NULL, &code);
				CK(code);
				CK(clSetKernelArg(kernel, 0, sizeof(mem), &mem));
				CK(clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &(size_t){ 1024 }, NULL, 0, NULL,
							  NULL));
				CK(clFinish(queue));
				CK(clReleaseMemObject(mem));
				CK(clReleaseCommandQueue(queue));
			}
			CK(clReleaseKernel(kernel));
			CK(clReleaseProgram(program));
			CK(clReleaseContext(context));
		}
		for (cl_uint i = 1; i <= n; i++)
			CK(clReleaseDevice(all[i]));
	}
}

int main(void)
{
	struct ocl o;

	setvbuf(stdout, NULL, _IOLBF, 0);
	o = ocl_open(0);
	devices(&o);
	contexts(&o);
	memory(&o);
	programs(&o);
	event_queries(&o);
	parts(&o);
	profiling();
	ocl_close(&o);
	return 0;
}
