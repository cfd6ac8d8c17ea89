/* SPDX-License-Identifier: Apache-2.0 */
/* What every measurement needs: a device, a queue, three kernels, buffers. */
#include "worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PLATFORMS_MAX 16
#define SMALL_BYTES 4096u

static const char *const source =
	"__kernel void null_kernel(__global int *p) { }\n"
	"__kernel void inc(__global int *p) { p[get_global_id(0)] += 1; }\n"
	"__kernel void add(__global int *p, int n) { p[get_global_id(0)] += n; }\n";

double pl_worker_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static const char *code_name(cl_int code)
{
	static const struct {
		cl_int code;
		const char *name;
	} names[] = {
		{ CL_DEVICE_NOT_FOUND, "CL_DEVICE_NOT_FOUND" },
		{ CL_DEVICE_NOT_AVAILABLE, "CL_DEVICE_NOT_AVAILABLE" },
		{ CL_MEM_OBJECT_ALLOCATION_FAILURE, "CL_MEM_OBJECT_ALLOCATION_FAILURE" },
		{ CL_OUT_OF_RESOURCES, "CL_OUT_OF_RESOURCES" },
		{ CL_OUT_OF_HOST_MEMORY, "CL_OUT_OF_HOST_MEMORY" },
		{ CL_BUILD_PROGRAM_FAILURE, "CL_BUILD_PROGRAM_FAILURE" },
		{ CL_INVALID_VALUE, "CL_INVALID_VALUE" },
		{ CL_INVALID_KERNEL_NAME, "CL_INVALID_KERNEL_NAME" },
		{ CL_INVALID_OPERATION, "CL_INVALID_OPERATION" },
		{ CL_INVALID_BUFFER_SIZE, "CL_INVALID_BUFFER_SIZE" },
		{ -1001, "CL_PLATFORM_NOT_FOUND_KHR: no driver was loaded" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].code == code)
			return names[i].name;
	return "see CL/cl.h";
}

int pl_worker_fail(struct pl_worker *w, const char *what, cl_int code)
{
	snprintf(w->error, sizeof(w->error), "%s: error %d (%s)", what, code, code_name(code));
	return -1;
}

int pl_worker_find(struct pl_worker *w)
{
	cl_platform_id found[PLATFORMS_MAX];
	char name[256];
	cl_uint n = 0;
	cl_int e;

	e = clGetPlatformIDs(PLATFORMS_MAX, found, &n);
	if (e)
		return pl_worker_fail(w, "clGetPlatformIDs", e);
	if (n > PLATFORMS_MAX)
		n = PLATFORMS_MAX;
	for (cl_uint i = 0; i < n; i++) {
		if (w->platform_want) {
			name[0] = '\0';
			clGetPlatformInfo(found[i], CL_PLATFORM_NAME, sizeof(name), name, NULL);
			if (!strstr(name, w->platform_want))
				continue;
		}
		e = clGetDeviceIDs(found[i], CL_DEVICE_TYPE_ALL, 1, &w->device, NULL);
		if (e == CL_DEVICE_NOT_FOUND)
			continue;
		if (e)
			return pl_worker_fail(w, "clGetDeviceIDs", e);
		w->platform = found[i];
		return 0;
	}
	snprintf(w->error, sizeof(w->error), "no device: %u platforms, none%s%s has one", n,
		w->platform_want ? " whose name holds " : "",
		w->platform_want ? w->platform_want : "");
	return -1;
}

static int program_open(struct pl_worker *w)
{
	const char *text = source;
	cl_int e;

	w->program = clCreateProgramWithSource(w->context, 1, &text, NULL, &e);
	if (e)
		return pl_worker_fail(w, "clCreateProgramWithSource", e);
	e = clBuildProgram(w->program, 1, &w->device, "", NULL, NULL);
	if (e)
		return pl_worker_fail(w, "clBuildProgram", e);
	w->kernel_null = clCreateKernel(w->program, "null_kernel", &e);
	if (e)
		return pl_worker_fail(w, "clCreateKernel", e);
	w->kernel_inc = clCreateKernel(w->program, "inc", &e);
	if (e)
		return pl_worker_fail(w, "clCreateKernel", e);
	w->kernel_add = clCreateKernel(w->program, "add", &e);
	if (e)
		return pl_worker_fail(w, "clCreateKernel", e);
	return 0;
}

static int arguments_set(struct pl_worker *w)
{
	cl_int zero = 0, e;

	e = clSetKernelArg(w->kernel_null, 0, sizeof(w->small), &w->small);
	if (!e)
		e = clSetKernelArg(w->kernel_inc, 0, sizeof(w->small), &w->small);
	if (!e)
		e = clSetKernelArg(w->kernel_add, 0, sizeof(w->small), &w->small);
	if (!e)
		e = clSetKernelArg(w->kernel_add, 1, sizeof(zero), &zero);
	if (e)
		return pl_worker_fail(w, "clSetKernelArg", e);
	return 0;
}

int pl_worker_open(struct pl_worker *w)
{
	cl_int e;

	if (w->ready)
		return 0;
	if (pl_worker_find(w))
		return -1;
	w->context = clCreateContext(NULL, 1, &w->device, NULL, NULL, &e);
	if (e)
		return pl_worker_fail(w, "clCreateContext", e);
	w->queue = clCreateCommandQueue(w->context, w->device, 0, &e);
	if (e)
		return pl_worker_fail(w, "clCreateCommandQueue", e);
	w->small = clCreateBuffer(w->context, CL_MEM_READ_WRITE, SMALL_BYTES, NULL, &e);
	if (e)
		return pl_worker_fail(w, "clCreateBuffer", e);
	if (program_open(w) || arguments_set(w))
		return -1;
	w->ready = true;
	return 0;
}

static void big_release(struct pl_worker *w)
{
	if (w->big)
		clReleaseMemObject(w->big);
	free(w->host);
	free(w->back);
	w->big = NULL;
	w->host = w->back = NULL;
	w->big_bytes = 0;
}

int pl_worker_big(struct pl_worker *w, size_t size_bytes)
{
	cl_int e;

	if (w->big_bytes == size_bytes)
		return 0;
	big_release(w);
	w->host = malloc(size_bytes);
	w->back = malloc(size_bytes);
	if (!w->host || !w->back) {
		big_release(w);
		snprintf(w->error, sizeof(w->error), "no memory for two times %zu bytes",
			size_bytes);
		return -1;
	}
	for (size_t i = 0; i < size_bytes; i++)
		w->host[i] = (unsigned char)((i * 2654435761u) >> 13);
	memset(w->back, 0, size_bytes);
	w->big = clCreateBuffer(w->context, CL_MEM_READ_WRITE, size_bytes, NULL, &e);
	if (e) {
		w->big = NULL;
		big_release(w);
		return pl_worker_fail(w, "clCreateBuffer", e);
	}
	w->big_bytes = size_bytes;
	return 0;
}

void pl_worker_close(struct pl_worker *w)
{
	big_release(w);
	if (w->small)
		clReleaseMemObject(w->small);
	if (w->kernel_add)
		clReleaseKernel(w->kernel_add);
	if (w->kernel_inc)
		clReleaseKernel(w->kernel_inc);
	if (w->kernel_null)
		clReleaseKernel(w->kernel_null);
	if (w->program)
		clReleaseProgram(w->program);
	if (w->queue)
		clReleaseCommandQueue(w->queue);
	if (w->context)
		clReleaseContext(w->context);
	*w = (struct pl_worker){ .platform_want = w->platform_want };
}
