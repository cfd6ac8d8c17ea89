/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CUDA driver API as the benchmark's programs use it: libcuda.so.1 is looked up when they run, as any program
 * would, and no vendor header is needed.  Results are the API's own numbers, 0 for success.  One thread owns it.
 */
#ifndef PL_BENCH_CUDA_DRIVER_H
#define PL_BENCH_CUDA_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The driver's functions that are used, in the ABI of CUDA's driver API. */
struct pl_worker_driver {
	int (*init)(unsigned flags);
	int (*version)(int *version_out);
	int (*device)(int *device_out, int ordinal);
	int (*device_name)(char *name_out, int bytes, int device);
	int (*context_retain)(void **context_out, int device);
	int (*context_release)(int device);
	int (*context_set)(void *context);
	int (*context_sync)(void);
	int (*module_load)(void **module_out, const void *image);
	int (*module_unload)(void *module);
	int (*function)(void **function_out, void *module, const char *name);
	int (*alloc)(uint64_t *address_out, size_t bytes);
	int (*release)(uint64_t address);
	int (*host_alloc)(void **address_out, size_t bytes);
	int (*host_release)(void *address);
	int (*to_device)(uint64_t to, const void *from, size_t bytes);
	int (*to_host)(void *to, uint64_t from, size_t bytes);
	int (*to_device_async)(uint64_t to, const void *from, size_t bytes, void *stream);
	int (*to_host_async)(void *to, uint64_t from, size_t bytes, void *stream);
	int (*fill_async)(uint64_t to, unsigned value, size_t words, void *stream);
	int (*launch)(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
		      unsigned shared_bytes, void *stream, void **arguments, void **extra);
	int (*stream)(void **stream_out, unsigned flags);
	int (*stream_destroy)(void *stream);
	int (*stream_sync)(void *stream);
	int (*stream_wait)(void *stream, void *event, unsigned flags);
	int (*event)(void **event_out, unsigned flags);
	int (*event_destroy)(void *event);
	int (*event_record)(void *event, void *stream);
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
int pl_worker_open(struct pl_worker *w);   /* the driver and a context; done once */
void pl_worker_close(struct pl_worker *w); /* lets the context go; half-open is fine */
int pl_worker_info(struct pl_worker *w, char *device_out, size_t bytes, int *version_out);

#endif
