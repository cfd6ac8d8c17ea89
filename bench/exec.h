/* SPDX-License-Identifier: Apache-2.0 */
/* A program that a worker starts: bounded time, its output looked through, nothing left behind. */
#ifndef PL_BENCH_EXEC_H
#define PL_BENCH_EXEC_H

#include <stddef.h>
#include <stdio.h>

struct pl_bench_exec {
	int rc;         /* its exit status, 128 + signal, or 124 when its time was up */
	double seconds; /* from its start to its end */
	unsigned fails; /* lines of its output that say that something failed */
	double first;   /* the last "@first SECONDS" it printed, or -1 */
	char last[160]; /* the last line that was not blank, cut to fit */
};

/** pl_bench_exec() - run a program to its end or for @limit_s seconds
 * @parts_to:  its lines "@part NAME VALUE" go there; NULL: nowhere
 * @error_out: what went wrong when it could not be started
 * Return: 0, or -1 when it was not started. */
int pl_bench_exec(char *const argv[], unsigned limit_s, FILE *parts_to, struct pl_bench_exec *exec_out, char *error_out,
		  size_t error_bytes);

/** pl_bench_exec_self() - how long our own program, started afresh, takes until it prints "@first SECONDS"
 * @argv: argv[0] is set here
 * Return: 0, or -1 with @error_out set. */
int pl_bench_exec_self(char *argv[], unsigned n, double *seconds_out, char *error_out, size_t error_bytes);

#endif
