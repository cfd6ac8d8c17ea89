/* SPDX-License-Identifier: Apache-2.0 */
/* plenum-bench-cuda: command line, and what the command loop calls. */
#include "worker.h"

#include "../loop.h"

#include <stdio.h>
#include <string.h>

static const char usage[] = "usage: plenum-bench-cuda [--count LOOP N | --first]\n"
			    "Measures CUDA on whatever libcuda.so.1 the environment selects.  Without an option it "
			    "takes commands on stdin:\n"
			    "info, run NAME COUNT, exec LIMIT_S PROGRAM ARG..., quit.  'plenum bench' drives it; LOOP "
			    "is step, launch, alloc\n"
			    "or post.\n";

static int info(void *worker)
{
	char device[200] = "";
	int version = 0;

	if (pl_worker_info(worker, device, sizeof(device), &version))
		return -1;
	printf("@info platform CUDA\n@info device %s\n@info driver %d.%d\n", device, version / 1000,
	       version % 1000 / 10);
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

/* In a fresh process: how long until a context stands? */
static int first(struct pl_worker *w, double start)
{
	double seconds;

	if (pl_worker_open(w)) {
		fprintf(stderr, "plenum-bench-cuda: %s\n", w->error);
		return 1;
	}
	seconds = pl_worker_now() - start;
	pl_worker_close(w);
	printf("\n@first %.9g\n", seconds);
	return 0;
}

static int count(struct pl_worker *w, const char *loop, const char *times)
{
	unsigned n = pl_bench_count_turns("plenum-bench-cuda", times);

	if (!n)
		return 2;
	if (pl_worker_count(w, loop, n)) {
		fprintf(stderr, "plenum-bench-cuda: %s\n", w->error);
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	double start = pl_worker_now();
	struct pl_worker w = { 0 };
	const struct pl_bench_loop_ops ops = { "plenum-bench-cuda", w.error, info, measure, close_all };

	if (argc == 4 && !strcmp(argv[1], "--count"))
		return count(&w, argv[2], argv[3]);
	if (argc == 2 && !strcmp(argv[1], "--first"))
		return first(&w, start);
	if (argc > 1) {
		fputs(usage, !strcmp(argv[1], "--help") ? stdout : stderr);
		return strcmp(argv[1], "--help") ? 2 : 0;
	}
	return pl_bench_loop(&ops, &w);
}
