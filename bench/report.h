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

/** pl_bench_replay() - take the records of the files in config->from instead of measuring
 * @why_out: which file holds none
 * Return: 0 or -EINVAL. */
int pl_bench_replay(struct pl_bench_run *run, char *why_out, size_t why_bytes);

/* What the project promises, as far as this run can tell. */
struct pl_bench_goal_result {
	char text[96];	/* "shm: null kernel + finish, added to native" */
	char bound[32]; /* "<= 5 us" */
	char value[48]; /* with the interval in which the ratio lies, where the rounds say */
	enum pl_bench_verdict { PL_BENCH_MISSED, PL_BENCH_MET, PL_BENCH_UNDECIDED } verdict;
};

/* What is printed of a verdict. */
const char *pl_bench_verdict_text(enum pl_bench_verdict verdict);

/** pl_bench_goal_next() - the next goal whose figures were measured
 * @at: 0 to start; advanced
 * Return: false at the end. */
bool pl_bench_goal_next(
	const struct pl_bench_run *run, size_t *at, struct pl_bench_goal_result *result_out);

/** pl_bench_mode_shown(), pl_bench_figure_shown() - does this column or row hold anything? */
bool pl_bench_mode_shown(const struct pl_bench_run *run, unsigned mode);
bool pl_bench_figure_shown(const struct pl_bench_run *run, size_t figure);

/* Parts of a page. */
struct pl_plot_series;
void pl_bench_md_machine(const struct pl_bench_run *run, FILE *to);
void pl_bench_md_figures(const struct pl_bench_run *run, FILE *to);
void pl_bench_md_goals(const struct pl_bench_run *run, FILE *to);
size_t pl_bench_series(const struct pl_bench_run *run, struct pl_plot_series *series_out);
void pl_bench_subtitle(const struct pl_bench_run *run, const char *what, char *text_out, size_t bytes);

/** pl_bench_vmcuda_page() - the paper's tables and figures, each with what it reproduces
 * @drawn: which of pl_bench_vmcuda_plots were written */
void pl_bench_vmcuda_page(const struct pl_bench_run *run, const bool *drawn, FILE *to);

/* A plot of a suite. */
struct pl_bench_plot {
	const char *name, *alt;
	unsigned suites;
	int (*draw)(const struct pl_bench_run *run, FILE *to); /* Return: PL_PLOT_* */
};

#define PL_BENCH_VMCUDA_PLOTS 7
extern const struct pl_bench_plot pl_bench_vmcuda_plots[PL_BENCH_VMCUDA_PLOTS];

#endif
