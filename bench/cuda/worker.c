/* SPDX-License-Identifier: Apache-2.0 */
/* plenum-bench-cuda: command line and command loop. */
#include "worker.h"

#include "../talk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
	"usage: plenum-bench-cuda\n"
	"Measures CUDA on whatever libcuda.so.1 the environment selects.  It takes commands on stdin: info,\n"
	"run NAME COUNT, quit.  'plenum bench' drives it.\n";

static void command_info(struct pl_worker *w)
{
	char device[200] = "";
	int version = 0;

	if (pl_worker_info(w, device, sizeof(device), &version)) {
		pl_bench_talk_error(stdout, w->error);
		return;
	}
	printf("@info platform CUDA\n@info device %s\n@info driver %d.%d\n@end\n", device, version / 1000,
	       version % 1000 / 10);
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

int main(int argc, char **argv)
{
	struct pl_worker w = { 0 };
	char *line = NULL, *rest;
	size_t cap = 0;

	if (argc > 1) {
		fputs(usage, !strcmp(argv[1], "--help") ? stdout : stderr);
		return strcmp(argv[1], "--help") ? 2 : 0;
	}
	printf("@hello plenum-bench-cuda %d\n", PL_BENCH_TALK_VERSION);
	fflush(stdout);
	while (getline(&line, &cap, stdin) > 0) {
		line[strcspn(line, "\r\n")] = '\0';
		rest = line + strcspn(line, " ");
		if (*rest)
			*rest++ = '\0';
		if (!strcmp(line, "quit"))
			break;
		if (!strcmp(line, "info"))
			command_info(&w);
		else if (!strcmp(line, "run"))
			command_run(&w, rest);
		else if (*line)
			pl_bench_talk_error(stdout, "unknown command");
	}
	free(line);
	return 0;
}
