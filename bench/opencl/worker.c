/* SPDX-License-Identifier: Apache-2.0 */
/* plenum-bench-opencl: command line, and what the command loop calls. */
#include "worker.h"

#include "../loop.h"

#include <stdio.h>
#include <string.h>

static const char usage[] =
	"usage: plenum-bench-opencl [--platform TEXT] [--count LOOP N | --first call|queue]\n"
	"Measures OpenCL on whatever driver the environment selects.  Without --count or\n"
	"--first it takes commands on stdin: info, run NAME COUNT, exec LIMIT_S PROGRAM ARG...,\n"
	"quit.  'plenum bench' drives it; LOOP is loop, read or post.\n";

static void info_one(struct pl_worker *w, const char *key, cl_device_info what)
{
	char text[200] = "";

	clGetDeviceInfo(w->device, what, sizeof(text), text, NULL);
	printf("@info %s %s\n", key, text);
}

static int info(void *worker)
{
	struct pl_worker *w = worker;
	char text[200] = "";

	if (!w->device && pl_worker_find(w))
		return -1;
	clGetPlatformInfo(w->platform, CL_PLATFORM_NAME, sizeof(text), text, NULL);
	printf("@info platform %s\n", text);
	info_one(w, "device", CL_DEVICE_NAME);
	info_one(w, "driver", CL_DRIVER_VERSION);
	info_one(w, "version", CL_DEVICE_VERSION);
	return 0;
}

static int measure(void *worker, const char *name, unsigned n, double *seconds_out)
{
	return pl_worker_measure(worker, name, n, seconds_out);
}

static void close_all(void *worker)
{
	pl_worker_close(worker);
}

/* In a fresh process: how long until the device, or a queue on it, is there? */
static int first(struct pl_worker *w, bool queue, double start)
{
	cl_int e = CL_SUCCESS;
	double seconds;

	if (pl_worker_find(w)) {
		fprintf(stderr, "plenum-bench-opencl: %s\n", w->error);
		return 1;
	}
	if (queue) {
		w->context = clCreateContext(NULL, 1, &w->device, NULL, NULL, &e);
		if (!e)
			w->queue = clCreateCommandQueue(w->context, w->device, 0, &e);
	}
	seconds = pl_worker_now() - start;
	if (e) {
		fprintf(stderr, "plenum-bench-opencl: context or queue: error %d\n", e);
		return 1;
	}
	pl_worker_close(w);
	printf("\n@first %.9g\n", seconds);
	return 0;
}

static int count(struct pl_worker *w, const char *loop, const char *times)
{
	unsigned n = pl_bench_count_turns("plenum-bench-opencl", times);

	if (!n)
		return 2;
	if (pl_worker_count(w, loop, n)) {
		fprintf(stderr, "plenum-bench-opencl: %s\n", w->error);
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *loop = NULL, *times = NULL, *until = NULL;
	double start = pl_worker_now();
	struct pl_worker w = { 0 };
	const struct pl_bench_loop_ops ops = { "plenum-bench-opencl", w.error, info, measure, close_all };

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--platform") && i + 1 < argc) {
			w.platform_want = argv[++i];
		} else if (!strcmp(argv[i], "--count") && i + 2 < argc) {
			loop = argv[++i];
			times = argv[++i];
		} else if (!strcmp(argv[i], "--first") && i + 1 < argc) {
			until = argv[++i];
		} else {
			fputs(usage, !strcmp(argv[i], "--help") ? stdout : stderr);
			return strcmp(argv[i], "--help") ? 2 : 0;
		}
	}
	if (loop)
		return count(&w, loop, times);
	if (until)
		return first(&w, !strcmp(until, "queue"), start);
	return pl_bench_loop(&ops, &w);
}
