/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of bench/kernels on CUDA: each is run and checked once, then timed from launch to cuCtxSynchronize. */
#include "worker.h"

#include "../kernels/kernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct run {
	struct pl_worker *w;
	const struct pl_bench_kernel *kernel;
	void *module, *function;
	uint64_t mem[3]; /* inputs, output */
	void *host[3];
};

static void run_fini(struct run *run)
{
	for (int i = 0; i < 3; i++) {
		if (run->mem[i])
			run->w->cu.release(run->mem[i]);
		free(run->host[i]);
	}
	if (run->module)
		run->w->cu.module_unload(run->module);
}

static int run_load(struct run *run)
{
	int e = run->w->cu.module_load(&run->module, pl_bench_kernels_ptx);

	if (e)
		return pl_worker_fail(run->w, "cuModuleLoadData", e);
	e = run->w->cu.function(&run->function, run->module, run->kernel->function);
	return e ? pl_worker_fail(run->w, "cuModuleGetFunction", e) : 0;
}

static int run_buffers(struct run *run)
{
	const struct pl_bench_kernel *kernel = run->kernel;
	size_t bytes[3] = { kernel->in_bytes[0], kernel->in_bytes[1], kernel->out_bytes };
	int e = 0;

	for (int i = 0; i < 3; i++) {
		run->host[i] = calloc(1, bytes[i] ? bytes[i] : 1);
		if (!run->host[i])
			return pl_worker_fail(run->w, "calloc", 2);
	}
	kernel->fill(kernel, run->host[0], run->host[1]);
	for (int i = 0; i < 3 && !e; i++) {
		if (!bytes[i])
			continue;
		e = run->w->cu.alloc(&run->mem[i], bytes[i]);
		if (!e)
			e = run->w->cu.to_device(run->mem[i], run->host[i], bytes[i]);
	}
	return e ? pl_worker_fail(run->w, "cuMemAlloc or cuMemcpyHtoD", e) : 0;
}

static int run_once(struct run *run)
{
	const struct pl_bench_kernel *kernel = run->kernel;
	uint32_t count = kernel->count;
	float factor = PL_BENCH_KERNEL_FACTOR;
	void *arguments[] = { &run->mem[0], &run->mem[1], &run->mem[2], &count, &factor };
	int e = run->w->cu.launch(run->function, kernel->grid[0], kernel->grid[1], 1, kernel->block[0],
				  kernel->block[1], 1, 0, NULL, arguments, NULL);

	if (!e)
		e = run->w->cu.context_sync();
	return e ? pl_worker_fail(run->w, kernel->function, e) : 0;
}

static int run_check(struct run *run)
{
	const struct pl_bench_kernel *kernel = run->kernel;
	int e = run->w->cu.to_host(run->host[2], run->mem[2], kernel->out_bytes);
	long wrong;

	if (e)
		return pl_worker_fail(run->w, "cuMemcpyDtoH", e);
	wrong = kernel->check(kernel, run->host[0], run->host[1], run->host[2]);
	if (wrong < 0)
		return 0;
	snprintf(run->w->error, sizeof(run->w->error), "%s: word %ld is wrong", kernel->function, wrong);
	return -1;
}

int pl_worker_kernel(struct pl_worker *w, const char *name, unsigned n, double *seconds_out)
{
	struct run run = { .w = w, .kernel = pl_bench_kernel_find(name) };
	int r;

	if (!run.kernel)
		return 1;
	r = pl_worker_open(w);
	if (!r)
		r = run_load(&run);
	if (!r)
		r = run_buffers(&run);
	if (!r)
		r = run_once(&run);
	if (!r)
		r = run_check(&run);
	for (unsigned i = 0; i < n && !r; i++) {
		double t = pl_worker_now();

		r = run_once(&run);
		seconds_out[i] = pl_worker_now() - t;
	}
	if (w->ready)
		run_fini(&run);
	return r;
}
