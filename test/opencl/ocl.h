/* What the OpenCL test programs share: they are ordinary programs, know nothing of Plenum, and print only what must be
 * the same on every way to the device. */
#ifndef TEST_OCL_H
#define TEST_OCL_H

#ifndef CL_TARGET_OPENCL_VERSION
#define CL_TARGET_OPENCL_VERSION 300
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#endif
#include <CL/cl.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CK(call)                                                                                   \
	do {                                                                                       \
		cl_int code_ = (call);                                                             \
		if (code_) {                                                                       \
			fprintf(stderr, "%s:%d: %s = %d\n", __FILE__, __LINE__, #call, code_);     \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

struct ocl {
	cl_platform_id platform;
	cl_device_id device;
	cl_context context;
	cl_command_queue queue;
};

static inline struct ocl ocl_open(cl_command_queue_properties properties)
{
	struct ocl o;
	cl_int code;

	CK(clGetPlatformIDs(1, &o.platform, NULL));
	CK(clGetDeviceIDs(o.platform, CL_DEVICE_TYPE_ALL, 1, &o.device, NULL));
	o.context = clCreateContext(NULL, 1, &o.device, NULL, NULL, &code);
	CK(code);
	cl_queue_properties list[] = { CL_QUEUE_PROPERTIES, properties, 0 };
	o.queue = clCreateCommandQueueWithProperties(o.context, o.device, list, &code);
	CK(code);
	return o;
}

static inline void ocl_close(struct ocl *o)
{
	CK(clReleaseCommandQueue(o->queue));
	CK(clReleaseContext(o->context));
}

static inline cl_program ocl_build(struct ocl *o, const char *source, const char *options)
{
	cl_int code;
	cl_program program = clCreateProgramWithSource(o->context, 1, &source, NULL, &code);

	CK(code);
	CK(clBuildProgram(program, 1, &o->device, options, NULL, NULL));
	return program;
}

static inline cl_kernel ocl_kernel(cl_program program, const char *name)
{
	cl_int code;
	cl_kernel kernel = clCreateKernel(program, name, &code);

	CK(code);
	return kernel;
}

static inline cl_mem ocl_buffer(struct ocl *o, cl_mem_flags flags, size_t bytes, void *host)
{
	cl_int code;
	cl_mem mem = clCreateBuffer(o->context, flags, bytes, host, &code);

	CK(code);
	return mem;
}

#endif
