/* SPDX-License-Identifier: Apache-2.0 */
/* plenum-bench-opencl: command line and command loop. */
#include "worker.h"
#include "../talk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXEC_ARGS_MAX 32

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

static void command_info(struct pl_worker *w)
{
	char text[200] = "";

	if (!w->device && pl_worker_find(w)) {
		pl_bench_talk_error(stdout, w->error);
		return;
	}
	clGetPlatformInfo(w->platform, CL_PLATFORM_NAME, sizeof(text), text, NULL);
	printf("@info platform %s\n", text);
	info_one(w, "device", CL_DEVICE_NAME);
	info_one(w, "driver", CL_DRIVER_VERSION);
	info_one(w, "version", CL_DEVICE_VERSION);
	printf("@end\n");
	fflush(stdout);
}

static void command_run(struct pl_worker *w, char *rest)
{
	char *save, *name = strtok_r(rest, " ", &save), *count = strtok_r(NULL, " ", &save);
	unsigned long n = count ? strtoul(count, NULL, 10) : 0;
	double *seconds;

	if (!name || !n || n > PL_WORKER_SAMPLES_MAX) {
		pl_bench_talk_error(stdout, "run wants a name and a count of 1 to 100000");
		return;
	}
	seconds = calloc(n, sizeof(*seconds));
	if (!seconds)
		pl_bench_talk_error(stdout, "no memory for the samples");
	else if (pl_worker_measure(w, name, (unsigned)n, seconds))
		pl_bench_talk_error(stdout, w->error);
	else
		pl_bench_talk_samples(stdout, seconds, n);
	free(seconds);
}

static void command_exec(struct pl_worker *w, char *rest)
{
	char *argv[EXEC_ARGS_MAX + 1] = { NULL }, *save, *word;
	unsigned n = 0, fails;
	unsigned long limit_s;
	double seconds;
	int rc;

	word = strtok_r(rest, " ", &save);
	limit_s = word ? strtoul(word, NULL, 10) : 0;
	while (n < EXEC_ARGS_MAX && (word = strtok_r(NULL, " ", &save)))
		argv[n++] = word;
	if (!limit_s || limit_s > 86400 || !n) {
		pl_bench_talk_error(stdout, "exec wants a limit in seconds and a program");
		return;
	}
	if (pl_worker_exec(w, argv, (unsigned)limit_s, &rc, &seconds, &fails)) {
		pl_bench_talk_error(stdout, w->error);
		return;
	}
	printf("@exec %d %.6f %u\n@end\n", rc, seconds, fails);
	fflush(stdout);
}

static int command_loop(struct pl_worker *w)
{
	char *line = NULL, *rest;
	size_t cap = 0;

	printf("@hello plenum-bench-opencl %d\n", PL_BENCH_TALK_VERSION);
	fflush(stdout);
	while (getline(&line, &cap, stdin) > 0) {
		line[strcspn(line, "\r\n")] = '\0';
		rest = line + strcspn(line, " ");
		if (*rest)
			*rest++ = '\0';
		if (!strcmp(line, "quit"))
			break;
		if (!strcmp(line, "info"))
			command_info(w);
		else if (!strcmp(line, "run"))
			command_run(w, rest);
		else if (!strcmp(line, "exec"))
			command_exec(w, rest);
		else if (*line)
			pl_bench_talk_error(stdout, "unknown command");
	}
	free(line);
	pl_worker_close(w);
	return 0;
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
	unsigned long n = strtoul(times, NULL, 10);

	if (!n || n > 10000000) {
		fprintf(stderr, "plenum-bench-opencl: --count wants 1 to 10000000 turns\n");
		return 2;
	}
	if (pl_worker_count(w, loop, (unsigned)n)) {
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
	return command_loop(&w);
}
