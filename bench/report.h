/* SPDX-License-Identifier: Apache-2.0 */
/* A finished run as JSON lines, as a table for people, as Markdown and as plots. */
#ifndef PL_BENCH_REPORT_H
#define PL_BENCH_REPORT_H

#include "bench.h"

/** pl_bench_json_write() - a machine line, then one line per figure and mode */
int pl_bench_json_write(const struct pl_bench_run *run, FILE *to);
/** pl_bench_table_print() - medians and ratios, then the goals */
void pl_bench_table_print(const struct pl_bench_run *run, FILE *to);
/** pl_bench_results_write() - opencl-SUITE.md and its SVG plots into a folder, made if missing
 * @why_out: which file could not be written */
int pl_bench_results_write(
	const struct pl_bench_run *run, const char *dir, char *why_out, size_t why_bytes);

/* What the project promises, as far as this run can tell. */
struct pl_bench_goal_result {
	char text[96];	/* "shm: null kernel + finish, added to native" */
	char bound[32]; /* "<= 5 us" */
	char value[32];
	bool met;
};

/** pl_bench_goal_next() - the next goal whose figures were measured
 * @at: 0 to start; advanced
 * Return: false at the end. */
bool pl_bench_goal_next(
	const struct pl_bench_run *run, size_t *at, struct pl_bench_goal_result *result_out);

/** pl_bench_mode_shown() - does this column hold anything? */
bool pl_bench_mode_shown(const struct pl_bench_run *run, unsigned mode);

#endif
