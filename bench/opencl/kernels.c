/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of bench/kernels on OpenCL: each is run and checked once, then timed from enqueue to clFinish. */
#include "worker.h"

#include "../kernels/kernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct run {
	struct pl_worker *w;
	const struct pl_bench_kernel *kernel;
	cl_program program;
	cl_kernel handle;
	cl_mem mem[3]; /* inputs, output */
	void *host[3];
};

static void run_fini(struct run *run)
{
	for (int i = 0; i < 3; i++) {
		if (run->mem[i])
			clReleaseMemObject(run->mem[i]);
		free(run->host[i]);
	}
	if (run->handle)
		clReleaseKernel(run->handle);
	if (run->program)
		clReleaseProgram(run->program);
}

static int run_build(struct run *run)
{
	const char *text = pl_bench_kernels_cl;
	cl_int e;

	run->program = clCreateProgramWithSource(run->w->context, 1, &text, NULL, &e);
	if (e)
		return pl_worker_fail(run->w, "clCreateProgramWithSource", e);
	e = clBuildProgram(run->program, 1, &run->w->device, "", NULL, NULL);
	if (e)
		return pl_worker_fail(run->w, "clBuildProgram", e);
	run->handle = clCreateKernel(run->program, run->kernel->function, &e);
	return e ? pl_worker_fail(run->w, "clCreateKernel", e) : 0;
}

static int run_buffers(struct run *run)
{
	const struct pl_bench_kernel *kernel = run->kernel;
	size_t bytes[3] = { kernel->in_bytes[0], kernel->in_bytes[1], kernel->out_bytes };
	cl_int e = CL_SUCCESS;

	for (int i = 0; i < 3; i++) {
		run->host[i] = calloc(1, bytes[i] ? bytes[i] : 1);
		if (!run->host[i])
			return pl_worker_fail(run->w, "calloc", CL_OUT_OF_HOST_MEMORY);
	}
	kernel->fill(kernel, run->host[0], run->host[1]);
	for (int i = 0; i < 3 && !e; i++)
		if (bytes[i])
			run->mem[i] = clCreateBuffer(run->w->context, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR,
						     bytes[i], run->host[i], &e);
	return e ? pl_worker_fail(run->w, "clCreateBuffer", e) : 0;
}

static int run_arguments(struct run *run)
{
	const struct pl_bench_kernel *kernel = run->kernel;
	const float factor = PL_BENCH_KERNEL_FACTOR;
	cl_int e = CL_SUCCESS;

	for (cl_uint i = 0; i < 3 && !e; i++)
		e = clSetKernelArg(run->handle, i, sizeof(cl_mem), &run->mem[i]);
	if (!e)
		e = clSetKernelArg(run->handle, 3, sizeof(kernel->count), &kernel->count);
	if (!e && kernel->has_factor)
		e = clSetKernelArg(run->handle, 4, sizeof(factor), &factor);
	return e ? pl_worker_fail(run->w, "clSetKernelArg", e) : 0;
}

static int run_once(struct run *run)
{
	const struct pl_bench_kernel *kernel = run->kernel;
	size_t local[2] = { kernel->block[0], kernel->block[1] };
	size_t global[2] = { local[0] * kernel->grid[0], local[1] * kernel->grid[1] };
	cl_int e = clEnqueueNDRangeKernel(run->w->queue, run->handle, 2, NULL, global, local, 0, NULL, NULL);

	if (!e)
		e = clFinish(run->w->queue);
	return e ? pl_worker_fail(run->w, kernel->function, e) : 0;
}

static int run_check(struct run *run)
{
	const struct pl_bench_kernel *kernel = run->kernel;
	cl_int e = clEnqueueReadBuffer(run->w->queue, run->mem[2], CL_TRUE, 0, kernel->out_bytes, run->host[2], 0, NULL,
				       NULL);
	long wrong;

	if (e)
		return pl_worker_fail(run->w, "clEnqueueReadBuffer", e);
	wrong = kernel->check(kernel, run->host[0], run->host[1], run->host[2]);
	if (wrong < 0)
		return 0;
	snprintf(run->w->error, sizeof(run->w->error), "%s: word %ld is wrong", kernel->function, wrong);
	return -1;
}

int pl_worker_kernel(struct pl_worker *w, const char *name, unsigned n, double *seconds_out)
{
	struct run run = { .w = w, .kernel = pl_bench_kernel_find(name) };
	int r = pl_worker_open(w);

	if (!r)
		r = run_build(&run);
	if (!r)
		r = run_buffers(&run);
	if (!r)
		r = run_arguments(&run);
	if (!r)
		r = run_once(&run);
	if (!r)
		r = run_check(&run);
	for (unsigned i = 0; i < n && !r; i++) {
		double t = pl_worker_now();

		r = run_once(&run);
		seconds_out[i] = pl_worker_now() - t;
	}
	run_fini(&run);
	return r;
}
