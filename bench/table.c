/* SPDX-License-Identifier: Apache-2.0 */
#include "plot.h"
#include "report.h"

#include <string.h>

bool pl_bench_mode_shown(const struct pl_bench_run *run, unsigned mode)
{
	for (size_t f = 0; f < run->n_figures; f++)
		if (pl_bench_cell(run, f, mode)->state != PL_BENCH_NONE)
			return true;
	return false;
}

bool pl_bench_figure_shown(const struct pl_bench_run *run, size_t f)
{
	for (unsigned m = 0; m < run->n_modes; m++)
		if (pl_bench_cell(run, f, m)->state != PL_BENCH_NONE)
			return true;
	return false;
}

static void cell_text(
	const struct pl_bench_run *run, size_t f, unsigned m, char *text, size_t bytes)
{
	const struct pl_bench_cell *cell = pl_bench_cell(run, f, m);
	char value[32], ratio[32];

	if (cell->state == PL_BENCH_NONE) {
		snprintf(text, bytes, "-");
		return;
	}
	if (cell->state == PL_BENCH_FAILED) {
		snprintf(text, bytes, "failed");
		return;
	}
	pl_plot_number(cell->stats.median, value, sizeof(value));
	if (!cell->has_ratio || run->modes[m].kind == PL_BENCH_NATIVE) {
		snprintf(text, bytes, "%s", value);
		return;
	}
	pl_plot_number(cell->ratio, ratio, sizeof(ratio));
	snprintf(text, bytes, "%s (%sx)", value, ratio);
}

static void failures_print(const struct pl_bench_run *run, FILE *to)
{
	for (size_t f = 0; f < run->n_figures; f++)
		for (unsigned m = 0; m < run->n_modes; m++)
			if (pl_bench_cell(run, f, m)->state == PL_BENCH_FAILED)
				fprintf(to, "failed: %s %s: %s\n", run->modes[m].name,
					run->figures[f].name, pl_bench_cell(run, f, m)->why);
	for (unsigned m = 0; m < run->n_modes; m++)
		if (run->modes[m].why[0] && !run->modes[m].device[0])
			fprintf(to, "skipped: %s: %s\n", run->modes[m].name, run->modes[m].why);
}

static void goals_print(const struct pl_bench_run *run, FILE *to)
{
	struct pl_bench_goal_result goal;
	bool first = true;

	for (size_t at = 0; pl_bench_goal_next(run, &at, &goal);) {
		if (first)
			fprintf(to, "\n%-72s %-12s %-26s\n", "goal", "bound", "value");
		first = false;
		fprintf(to, "%-72s %-12s %-26s %s\n", goal.text, goal.bound, goal.value,
			pl_bench_verdict_text(goal.verdict));
	}
}

void pl_bench_table_print(const struct pl_bench_run *run, FILE *to)
{
	char text[128];

	fprintf(to, "%s, %u cores, %s machine; median (ratio to native)\n", run->machine.cpu,
		run->machine.cores, run->config->busy ? "busy" : "idle");
	if (pl_bench_cores_text(&run->machine, text, sizeof(text)))
		fprintf(to, "two threads do of one: %s\n", text);
	fprintf(to, "%-24s %-5s", "figure", "unit");
	for (unsigned m = 0; m < run->n_modes; m++)
		if (pl_bench_mode_shown(run, m))
			fprintf(to, " %18s", run->modes[m].name);
	fputc('\n', to);
	for (size_t f = 0; f < run->n_figures; f++) {
		if (!pl_bench_figure_shown(run, f))
			continue;
		fprintf(to, "%-24s %-5s", run->figures[f].name,
			pl_bench_unit_name(run->figures[f].unit));
		for (unsigned m = 0; m < run->n_modes; m++) {
			if (!pl_bench_mode_shown(run, m))
				continue;
			cell_text(run, f, m, text, sizeof(text));
			fprintf(to, " %18s", text);
		}
		fputc('\n', to);
	}
	goals_print(run, to);
	failures_print(run, to);
}
