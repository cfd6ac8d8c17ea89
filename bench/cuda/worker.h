/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plenum-bench-cuda: a plain CUDA driver-API program that measures on command.
 * It knows nothing of Plenum; which libcuda.so.1 it meets is decided by its environment.
 * One thread owns everything here.
 */
#ifndef PL_BENCH_CUDA_WORKER_H
#define PL_BENCH_CUDA_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PL_WORKER_SAMPLES_MAX 100000u /* limit: samples of one command */

/* The driver's functions that are used, in the ABI of CUDA's driver API. */
struct pl_worker_driver {
	int (*init)(unsigned flags);
	int (*version)(int *version_out);
	int (*device)(int *device_out, int ordinal);
	int (*device_name)(char *name_out, int bytes, int device);
	int (*context_retain)(void **context_out, int device);
	int (*context_set)(void *context);
	int (*context_sync)(void);
	int (*module_load)(void **module_out, const void *image);
	int (*module_unload)(void *module);
	int (*function)(void **function_out, void *module, const char *name);
	int (*alloc)(uint64_t *address_out, size_t bytes);
	int (*release)(uint64_t address);
	int (*to_device)(uint64_t to, const void *from, size_t bytes);
	int (*to_host)(void *to, uint64_t from, size_t bytes);
	int (*launch)(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
		      unsigned shared_bytes, void *stream, void **arguments, void **extra);
	int (*error_name)(int code, const char **name_out);
};

struct pl_worker {
	bool ready; /* the context is current */
	void *library;
	struct pl_worker_driver cu;
	int device;
	void *context;
	char error[256]; /* what the last failing call was */
};

double pl_worker_now(void); /* seconds, monotonic */

/** pl_worker_fail() - note which call failed
 * Return: -1 always. */
int pl_worker_fail(struct pl_worker *w, const char *what, int code);

/* All return 0, or -1 with w->error set. */
int pl_worker_open(struct pl_worker *w); /* the driver and a context; done once */
int pl_worker_info(struct pl_worker *w, char *device_out, size_t bytes, int *version_out);

/** pl_worker_measure() - run one named measurement @n times
 * @seconds_out: room for @n values, each seconds per operation */
int pl_worker_measure(struct pl_worker *w, const char *name, unsigned n, double *seconds_out);

#endif
