/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernels of `plenum bench kernels`: nine that programs are made of, the same text in OpenCL (kernels.cl) and CUDA
 * (kernels.cu, kernels.ptx), with sizes, contents and a plain C reference shared by both workers.
 * Every kernel takes two inputs, one output, a count, and some a factor.  Sizes are bytes; one thread owns everything.
 */
#ifndef PL_BENCH_KERNELS_H
#define PL_BENCH_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pl_bench_kernel {
	const char *figure;   /* "kernel_copy" */
	const char *function; /* "bench_copy" */
	uint32_t count;       /* the argument n */
	bool has_factor;      /* a float argument follows: PL_BENCH_KERNEL_FACTOR */
	uint32_t grid[2], block[2];
	size_t in_bytes[2], out_bytes; /* in_bytes[1] may be 0: a NULL is passed */
	void (*fill)(const struct pl_bench_kernel *kernel, void *in0, void *in1);
	/* Is `out` right for these inputs?  Return: index of the first wrong word, or -1. */
	long (*check)(const struct pl_bench_kernel *kernel, const void *in0, const void *in1, const void *out);
};

#define PL_BENCH_KERNEL_FACTOR 2.5f

/** pl_bench_kernels() - all of them */
const struct pl_bench_kernel *pl_bench_kernels(size_t *n_out);
/** pl_bench_kernel_find() - by the figure's name; NULL = none */
const struct pl_bench_kernel *pl_bench_kernel_find(const char *figure);

/* The programs' text, ended by 0. */
extern const char pl_bench_kernels_cl[], pl_bench_kernels_ptx[];

#endif
