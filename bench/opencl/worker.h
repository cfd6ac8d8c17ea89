/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plenum-bench-opencl: a plain OpenCL program that measures on command.
 * It knows nothing of Plenum; which driver it meets is decided by its environment.
 * One thread owns everything here.
 */
#ifndef PL_WORKER_H
#define PL_WORKER_H

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Everything between the platform and the objects the measurements share. */
struct pl_worker {
	const char *platform_want; /* part of a platform's name, or NULL for the first */
	bool ready;		   /* objects below exist */
	cl_platform_id platform;
	cl_device_id device;
	cl_context context;
	cl_command_queue queue;
	cl_program program;
	cl_kernel kernel_null; /* (global int *) */
	cl_kernel kernel_inc;  /* (global int *): p[0] += 1 */
	cl_kernel kernel_add;  /* (global int *, int): p[0] += n */
	cl_mem small;	       /* 4 KiB */
	cl_mem big;	       /* big_bytes, or NULL */
	size_t big_bytes;
	unsigned char *host; /* big_bytes, patterned */
	unsigned char *back; /* big_bytes, for reading back */
	char error[256];     /* what the last failing call was */
};

double pl_worker_now(void); /* seconds, monotonic */

/** pl_worker_fail() - note which call failed
 * Return: -1 always. */
int pl_worker_fail(struct pl_worker *w, const char *what, cl_int code);

/* All return 0, or -1 with w->error set. */
int pl_worker_find(struct pl_worker *w);		   /* platform and device only */
int pl_worker_open(struct pl_worker *w);		   /* everything; done once */
int pl_worker_big(struct pl_worker *w, size_t size_bytes); /* big, host and back of that size */
void pl_worker_close(struct pl_worker *w);		   /* half-open is fine */

/** pl_worker_measure() - run one named measurement @n times
 * @seconds_out: room for @n values, each seconds per operation */
int pl_worker_measure(struct pl_worker *w, const char *name, unsigned n, double *seconds_out);

/** pl_worker_kernel() - the same for a kernel of bench/kernels, whose answer is checked first */
int pl_worker_kernel(struct pl_worker *w, const char *name, unsigned n, double *seconds_out);

/** pl_worker_count() - run a named steady loop @n times and close; for counters, not for time */
int pl_worker_count(struct pl_worker *w, const char *name, unsigned n);

#endif
