/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The measurements.  Each fills seconds per operation; what is prepared or
 * checked around an operation is not timed.  Data that was moved is compared
 * once per command, so a fast wrong answer is an error and not a figure.
 */
#include "worker.h"

#include "../exec.h"
#include "../kernels/kernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ENQUEUE_BATCH 10000u
#define SET_ARG_BATCH 1000u
#define BUFFER_BATCH 100u
#define WRITE_NB_COUNT 8u
#define MIB ((size_t)1 << 20)

static const size_t one = 1;

static cl_int enqueue(struct pl_worker *w, cl_kernel kernel, cl_event *event_out)
{
	return clEnqueueNDRangeKernel(w->queue, kernel, 1, NULL, &one, &one, 0, NULL, event_out);
}

static int null_finish(struct pl_worker *w, size_t bytes, unsigned n, double *out)
{
	cl_int e = enqueue(w, w->kernel_null, NULL);

	(void)bytes;
	if (!e)
		e = clFinish(w->queue);
	for (unsigned i = 0; i < n && !e; i++) {
		double t = pl_worker_now();

		e = enqueue(w, w->kernel_null, NULL);
		if (!e)
			e = clFinish(w->queue);
		out[i] = pl_worker_now() - t;
	}
	return e ? pl_worker_fail(w, "null kernel + clFinish", e) : 0;
}

static int null_event(struct pl_worker *w, size_t bytes, unsigned n, double *out)
{
	cl_int e = enqueue(w, w->kernel_null, NULL);

	(void)bytes;
	if (!e)
		e = clFinish(w->queue);
	for (unsigned i = 0; i < n && !e; i++) {
		cl_event event;
		double t = pl_worker_now();

		e = enqueue(w, w->kernel_null, &event);
		if (e)
			break;
		e = clWaitForEvents(1, &event);
		out[i] = pl_worker_now() - t;
		clReleaseEvent(event);
	}
	return e ? pl_worker_fail(w, "null kernel + clWaitForEvents", e) : 0;
}

static int finish_empty(struct pl_worker *w, size_t bytes, unsigned n, double *out)
{
	cl_int e = clFinish(w->queue);

	(void)bytes;
	for (unsigned i = 0; i < n && !e; i++) {
		double t = pl_worker_now();

		e = clFinish(w->queue);
		out[i] = pl_worker_now() - t;
	}
	return e ? pl_worker_fail(w, "clFinish", e) : 0;
}

static int enqueue_rate(struct pl_worker *w, size_t bytes, unsigned n, double *out)
{
	cl_int e = enqueue(w, w->kernel_null, NULL);

	(void)bytes;
	if (!e)
		e = clFinish(w->queue);
	for (unsigned i = 0; i < n && !e; i++) {
		double t = pl_worker_now();

		for (unsigned k = 0; k < ENQUEUE_BATCH && !e; k++)
			e = enqueue(w, w->kernel_null, NULL);
		if (!e)
			e = clFinish(w->queue);
		out[i] = (pl_worker_now() - t) / ENQUEUE_BATCH;
	}
	return e ? pl_worker_fail(w, "10000 null kernels + clFinish", e) : 0;
}

static int set_arg(struct pl_worker *w, size_t bytes, unsigned n, double *out)
{
	cl_int e = CL_SUCCESS;

	(void)bytes;
	for (unsigned i = 0; i < n && !e; i++) {
		double t = pl_worker_now();

		for (unsigned k = 0; k < SET_ARG_BATCH && !e; k++)
			e = clSetKernelArg(w->kernel_null, 0, sizeof(w->small), &w->small);
		out[i] = (pl_worker_now() - t) / SET_ARG_BATCH;
	}
	return e ? pl_worker_fail(w, "clSetKernelArg", e) : 0;
}

static int create_release(struct pl_worker *w, size_t bytes, unsigned n, double *out)
{
	cl_int e = CL_SUCCESS;

	for (unsigned i = 0; i < n && !e; i++) {
		double t = pl_worker_now();

		for (unsigned k = 0; k < BUFFER_BATCH && !e; k++) {
			cl_mem mem = clCreateBuffer(w->context, CL_MEM_READ_WRITE, bytes, NULL, &e);

			if (!e)
				e = clReleaseMemObject(mem);
		}
		out[i] = (pl_worker_now() - t) / BUFFER_BATCH;
	}
	return e ? pl_worker_fail(w, "clCreateBuffer + clReleaseMemObject", e) : 0;
}

static int rw4_kernel(struct pl_worker *w, size_t bytes, unsigned n, double *out)
{
	cl_int e = CL_SUCCESS;

	for (unsigned i = 0; i <= n && !e; i++) { /* the first is not counted */
		cl_int in = 40 + (cl_int)i, got = 0;
		double t = pl_worker_now();

		e = clEnqueueWriteBuffer(
			w->queue, w->small, CL_FALSE, 0, bytes, &in, 0, NULL, NULL);
		if (!e)
			e = enqueue(w, w->kernel_inc, NULL);
		if (!e)
			e = clEnqueueReadBuffer(
				w->queue, w->small, CL_TRUE, 0, bytes, &got, 0, NULL, NULL);
		if (i)
			out[i - 1] = pl_worker_now() - t;
		if (!e && got != in + 1) {
			snprintf(w->error, sizeof(w->error), "wrong answer: %d + 1 = %d", in, got);
			return -1;
		}
	}
	return e ? pl_worker_fail(w, "write 4 B + kernel + read 4 B", e) : 0;
}

/* Read the big buffer back and compare. */
static int big_check(struct pl_worker *w)
{
	cl_int e;

	memset(w->back, 0, w->big_bytes);
	e = clEnqueueReadBuffer(w->queue, w->big, CL_TRUE, 0, w->big_bytes, w->back, 0, NULL, NULL);
	if (e)
		return pl_worker_fail(w, "clEnqueueReadBuffer", e);
	if (memcmp(w->host, w->back, w->big_bytes)) {
		snprintf(w->error, sizeof(w->error), "wrong data after moving %zu bytes",
			w->big_bytes);
		return -1;
	}
	return 0;
}

static int write_sweep(struct pl_worker *w, size_t bytes, unsigned n, double *out)
{
	cl_int e = CL_SUCCESS;

	if (pl_worker_big(w, bytes))
		return -1;
	w->host[0]++;
	w->host[bytes - 1]++;
	for (unsigned i = 0; i <= n && !e; i++) {
		double t = pl_worker_now();

		e = clEnqueueWriteBuffer(
			w->queue, w->big, CL_TRUE, 0, bytes, w->host, 0, NULL, NULL);
		if (i)
			out[i - 1] = pl_worker_now() - t;
	}
	return e ? pl_worker_fail(w, "clEnqueueWriteBuffer", e) : big_check(w);
}

static int read_sweep(struct pl_worker *w, size_t bytes, unsigned n, double *out)
{
	cl_int e;

	if (pl_worker_big(w, bytes))
		return -1;
	w->host[0]++;
	w->host[bytes - 1]++;
	e = clEnqueueWriteBuffer(w->queue, w->big, CL_TRUE, 0, bytes, w->host, 0, NULL, NULL);
	if (e)
		return pl_worker_fail(w, "clEnqueueWriteBuffer", e);
	memset(w->back, 0, bytes);
	for (unsigned i = 0; i <= n && !e; i++) {
		double t = pl_worker_now();

		e = clEnqueueReadBuffer(
			w->queue, w->big, CL_TRUE, 0, bytes, w->back, 0, NULL, NULL);
		if (i)
			out[i - 1] = pl_worker_now() - t;
	}
	if (!e && memcmp(w->host, w->back, bytes)) {
		snprintf(w->error, sizeof(w->error), "wrong data after reading %zu bytes", bytes);
		return -1;
	}
	return e ? pl_worker_fail(w, "clEnqueueReadBuffer", e) : 0;
}

static int write_nb(struct pl_worker *w, size_t bytes, unsigned n, double *out)
{
	cl_int e = CL_SUCCESS;

	if (pl_worker_big(w, bytes))
		return -1;
	for (unsigned i = 0; i <= n && !e; i++) {
		double t;

		w->host[i % bytes]++;
		t = pl_worker_now();
		for (unsigned k = 0; k < WRITE_NB_COUNT && !e; k++)
			e = clEnqueueWriteBuffer(
				w->queue, w->big, CL_FALSE, 0, bytes, w->host, 0, NULL, NULL);
		if (!e)
			e = clFinish(w->queue);
		if (i)
			out[i - 1] = pl_worker_now() - t;
	}
	return e ? pl_worker_fail(w, "8 clEnqueueWriteBuffer + clFinish", e) : big_check(w);
}

static int map_unmap(struct pl_worker *w, size_t bytes, unsigned n, double *out)
{
	cl_int e = CL_SUCCESS;

	if (pl_worker_big(w, bytes))
		return -1;
	e = clEnqueueWriteBuffer(w->queue, w->big, CL_TRUE, 0, bytes, w->host, 0, NULL, NULL);
	for (unsigned i = 0; i <= n && !e; i++) {
		size_t at = (size_t)i * 4099 % bytes;
		unsigned char *p;
		double t = pl_worker_now();

		p = clEnqueueMapBuffer(w->queue, w->big, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, 0,
			bytes, 0, NULL, NULL, &e);
		if (e)
			break;
		p[at]++;
		e = clEnqueueUnmapMemObject(w->queue, w->big, p, 0, NULL, NULL);
		if (!e)
			e = clFinish(w->queue);
		if (i)
			out[i - 1] = pl_worker_now() - t;
		w->host[at]++;
	}
	return e ? pl_worker_fail(w, "map + unmap", e) : big_check(w);
}

/* A program text no cache has seen, built and released. */
static int build(struct pl_worker *w, size_t bytes, unsigned n, double *out)
{
	static unsigned counter;
	struct timespec now;
	char text[512];
	const char *texts = text;

	(void)bytes;
	for (unsigned i = 0; i < n; i++) {
		cl_program program;
		cl_int e, built;
		double t;

		clock_gettime(CLOCK_REALTIME, &now);
		snprintf(text, sizeof(text),
			"__kernel void k%ld_%ld_%d_%u(__global float *a, __global float *b, int n) "
			"{\n"
			"  int i = get_global_id(0);\n"
			"  for (int j = 0; j < n; j++) a[i] = a[i] * b[j] + %u.0f;\n}\n",
			(long)now.tv_sec, now.tv_nsec, getpid(), counter, counter);
		counter++;
		t = pl_worker_now();
		program = clCreateProgramWithSource(w->context, 1, &texts, NULL, &e);
		if (e)
			return pl_worker_fail(w, "clCreateProgramWithSource", e);
		built = clBuildProgram(program, 1, &w->device, "", NULL, NULL);
		out[i] = pl_worker_now() - t;
		clReleaseProgram(program);
		if (built)
			return pl_worker_fail(w, "clBuildProgram", built);
	}
	return 0;
}

/* In a fresh process. */
static int first(struct pl_worker *w, const char *until, unsigned n, double *out)
{
	char option[] = "--first", word[16], want[] = "--platform";
	char *argv[6] = { NULL, option, word };

	snprintf(word, sizeof(word), "%s", until);
	if (w->platform_want) {
		argv[3] = want;
		argv[4] = (char *)(uintptr_t)w->platform_want;
	}
	return pl_bench_exec_self(argv, n, out, w->error, sizeof(w->error));
}

static int first_call(struct pl_worker *w, size_t bytes, unsigned n, double *out)
{
	(void)bytes;
	return first(w, "call", n, out);
}

static int first_queue(struct pl_worker *w, size_t bytes, unsigned n, double *out)
{
	(void)bytes;
	return first(w, "queue", n, out);
}

static const struct {
	const char *name;
	size_t bytes;
	bool fresh; /* runs in processes of its own: needs no device here */
	int (*run)(struct pl_worker *w, size_t bytes, unsigned n, double *seconds_out);
} measures[] = {
	{ "null_kernel_finish", 0, false, null_finish },
	{ "null_kernel_event", 0, false, null_event },
	{ "finish_empty", 0, false, finish_empty },
	{ "enqueue_rate", 0, false, enqueue_rate },
	{ "set_arg", 0, false, set_arg },
	{ "create_release_buffer", 4096, false, create_release },
	{ "rw4_kernel", 4, false, rw4_kernel },
	{ "write_4096", 4096, false, write_sweep },
	{ "write_65536", 65536, false, write_sweep },
	{ "write_1048576", MIB, false, write_sweep },
	{ "write_16777216", 16 * MIB, false, write_sweep },
	{ "write_67108864", 64 * MIB, false, write_sweep },
	{ "read_4096", 4096, false, read_sweep },
	{ "read_65536", 65536, false, read_sweep },
	{ "read_1048576", MIB, false, read_sweep },
	{ "read_16777216", 16 * MIB, false, read_sweep },
	{ "read_67108864", 64 * MIB, false, read_sweep },
	{ "write_nb_8x16777216", 16 * MIB, false, write_nb },
	{ "map_unmap_16777216", 16 * MIB, false, map_unmap },
	{ "build", 0, false, build },
	{ "first_call", 0, true, first_call },
	{ "first_queue", 0, true, first_queue },
};

int pl_worker_measure(struct pl_worker *w, const char *name, unsigned n, double *seconds_out)
{
	for (size_t i = 0; i < sizeof(measures) / sizeof(measures[0]); i++) {
		if (strcmp(measures[i].name, name))
			continue;
		if (!measures[i].fresh && pl_worker_open(w))
			return -1;
		return measures[i].run(w, measures[i].bytes, n, seconds_out);
	}
	if (pl_bench_kernel_find(name))
		return pl_worker_kernel(w, name, n, seconds_out);
	snprintf(w->error, sizeof(w->error), "unknown measurement: %.100s", name);
	return -1;
}
