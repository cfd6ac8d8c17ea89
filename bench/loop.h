/* SPDX-License-Identifier: Apache-2.0 */
/* The command loop of a worker (talk.h): it reads commands on stdin and lets the worker's own functions answer. */
#ifndef PL_BENCH_LOOP_H
#define PL_BENCH_LOOP_H

#include <stddef.h>

#define PL_WORKER_SAMPLES_MAX 100000u /* limit: samples of one command */

struct pl_bench_loop_ops {
	const char *name;
	const char *error; /* what the last failing call was */
	/* Print @info lines. Return: 0, or -1 with *error set. */
	int (*info)(void *worker);
	/* Return: 0 with @n samples, or -1 with *error set. */
	int (*measure)(void *worker, const char *name, unsigned n, double *seconds_out);
	void (*close)(void *worker);
};

/** pl_bench_loop() - serve commands until stdin ends or `quit`
 * Return: the exit status. */
int pl_bench_loop(const struct pl_bench_loop_ops *ops, void *worker);

/** pl_bench_count_turns() - the N of `--count LOOP N`
 * Return: 0 when it is none, after telling on stderr. */
unsigned pl_bench_count_turns(const char *program, const char *text);

#endif
