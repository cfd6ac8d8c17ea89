/* SPDX-License-Identifier: Apache-2.0 */
#include "loop.h"

#include "exec.h"
#include "talk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXEC_ARGS_MAX 48
#define TURNS_MAX     10000000ul

static void command_info(const struct pl_bench_loop_ops *ops, void *worker)
{
	if (ops->info(worker)) {
		pl_bench_talk_error(stdout, ops->error);
		return;
	}
	printf("@end\n");
	fflush(stdout);
}

static void command_run(const struct pl_bench_loop_ops *ops, void *worker, char *rest)
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
	else if (ops->measure(worker, name, (unsigned)n, seconds))
		pl_bench_talk_error(stdout, ops->error);
	else
		pl_bench_talk_samples(stdout, seconds, n);
	free(seconds);
}

static void command_exec(char *rest)
{
	char *argv[EXEC_ARGS_MAX + 1] = { NULL }, *save, *word, error[256];
	struct pl_bench_exec exec;
	unsigned long limit_s;
	unsigned n = 0;

	word = strtok_r(rest, " ", &save);
	limit_s = word ? strtoul(word, NULL, 10) : 0;
	while (n < EXEC_ARGS_MAX && (word = strtok_r(NULL, " ", &save)))
		argv[n++] = word;
	if (!limit_s || limit_s > 86400 || !n) {
		pl_bench_talk_error(stdout, "exec wants a limit in seconds and a program");
		return;
	}
	if (pl_bench_exec(argv, (unsigned)limit_s, stdout, &exec, error, sizeof(error))) {
		pl_bench_talk_error(stdout, error);
		return;
	}
	if (exec.rc && exec.last[0])
		printf("@info last %s\n", exec.last);
	printf("@exec %d %.6f %u\n@end\n", exec.rc, exec.seconds, exec.fails);
	fflush(stdout);
}

int pl_bench_loop(const struct pl_bench_loop_ops *ops, void *worker)
{
	char *line = NULL, *rest;
	size_t cap = 0;

	printf("@hello %s %d\n", ops->name, PL_BENCH_TALK_VERSION);
	fflush(stdout);
	while (getline(&line, &cap, stdin) > 0) {
		line[strcspn(line, "\r\n")] = '\0';
		rest = line + strcspn(line, " ");
		if (*rest)
			*rest++ = '\0';
		if (!strcmp(line, "quit"))
			break;
		if (!strcmp(line, "info"))
			command_info(ops, worker);
		else if (!strcmp(line, "run"))
			command_run(ops, worker, rest);
		else if (!strcmp(line, "exec"))
			command_exec(rest);
		else if (*line)
			pl_bench_talk_error(stdout, "unknown command");
	}
	free(line);
	ops->close(worker);
	return 0;
}

unsigned pl_bench_count_turns(const char *program, const char *text)
{
	unsigned long n = strtoul(text, NULL, 10);

	if (n && n <= TURNS_MAX)
		return (unsigned)n;
	fprintf(stderr, "%s: --count wants 1 to %lu turns\n", program, TURNS_MAX);
	return 0;
}
