/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plenum-bench-cuda: a plain CUDA driver-API program that measures on command.
 * It knows nothing of Plenum; which libcuda.so.1 it meets is decided by its environment.
 * One thread owns everything here.
 */
#ifndef PL_BENCH_CUDA_WORKER_H
#define PL_BENCH_CUDA_WORKER_H

#include "driver.h" /* all below return 0, or -1 with w->error set, if nothing else is said */

/** pl_worker_measure() - run one named measurement @n times
 * @seconds_out: room for @n values, each seconds per operation
 * Return: 0, or -1 with w->error set. */
int pl_worker_measure(struct pl_worker *w, const char *name, unsigned n, double *seconds_out);

/** pl_worker_kernel() - the same for a kernel of bench/kernels, whose answer is checked first
 * Return: 0; -1; 1 when there is no kernel of that name. */
int pl_worker_kernel(struct pl_worker *w, const char *name, unsigned n, double *seconds_out);

/** pl_worker_count() - run a named steady loop @n times and end; for counters, not for time
 * Return: 0, or -1 with w->error set. */
int pl_worker_count(struct pl_worker *w, const char *name, unsigned n);

/* What the small measurements share: made once, freed by pl_worker_objects_fini(). */
struct pl_worker_objects {
	struct pl_worker *w;
	void *module, *empty, *add, *axpy;
	void *streams[3];
	uint64_t word; /* 256 B of the device */
};

int pl_worker_objects_init(struct pl_worker_objects *objects, struct pl_worker *w);
void pl_worker_objects_fini(struct pl_worker_objects *objects); /* half-built is fine */

/** pl_worker_step() - an eager training step: alloc, copies, 200 launches over 3 streams, events, frees, one read
 * The answer that is read at its end is checked.
 * Return: 0 with @n times, or -1 with the error set. */
int pl_worker_step(struct pl_worker_objects *objects, unsigned n, double *seconds_out);

#endif
