/* SPDX-License-Identifier: Apache-2.0 */
/* The pages for docs/results/: a Markdown table with the machine and the spread, and plots. */
#include "plot.h"
#include "report.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#define SWEEPS_MAX 4

/* Colours that stay apart for colour-blind readers (Okabe and Ito). */
static const char *const colors[] = {
	[PL_BENCH_NATIVE] = "#4d4d4d",
	[PL_BENCH_SHM] = "#0072b2",
	[PL_BENCH_TCP] = "#e69f00",
	[PL_BENCH_VM] = "#009e73",
	[PL_BENCH_PEER] = "#cc79a7",
	[PL_BENCH_REFGPU] = "#0072b2",
	[PL_BENCH_CUDA_MODE] = "#76b900",
	[PL_BENCH_VMS] = "#8b6fb3",
	[PL_BENCH_MTU] = "#d55e00",
	[PL_BENCH_ICD] = "#56b4e9",
	[PL_BENCH_RAW_MODE] = "#9aa5b1",
};

static const char *const more_colors[] = { "#56b4e9", "#d55e00", "#8b6fb3", "#b59b00" };

/* One series per mode, in the order of the modes; the raw column is the last. */
size_t pl_bench_series(const struct pl_bench_run *run, struct pl_plot_series *series)
{
	unsigned others = 0;

	for (unsigned m = 0; m < run->n_modes; m++) {
		series[m] = (struct pl_plot_series){ .name = run->modes[m].name,
			.color = colors[run->modes[m].kind] };
		if (run->modes[m].kind == PL_BENCH_ICD || run->modes[m].link[0] ||
			(run->modes[m].kind == PL_BENCH_MTU && run->modes[m].mtu > 1500))
			series[m].color = more_colors[others++ % 4];
	}
	return run->n_modes;
}

static const char *suite_name(const struct pl_bench_run *run)
{
	return pl_bench_suite_name(run->config->suites);
}

/* The kernels compare APIs. */
static const char *page_prefix(const struct pl_bench_run *run)
{
	switch (run->config->suites) {
	case PL_BENCH_KERNELS: return "refgpu-";
	case PL_BENCH_CUDA: return "cuda-";
	case PL_BENCH_VMCUDA: return "";
	default: return "opencl-";
	}
}

static const char *page_subject(const struct pl_bench_run *run)
{
	return run->config->suites == PL_BENCH_KERNELS ? "Reference GPU" : pl_bench_is_cuda(run) ? "CUDA" : "OpenCL";
}

void pl_bench_subtitle(
	const struct pl_bench_run *run, const char *what, char *text, size_t bytes)
{
	snprintf(text, bytes, "%s. %.60s, %u cores, %s machine, %.10s", what, run->machine.cpu,
		run->machine.cores, run->config->busy ? "busy" : "idle", run->machine.when);
}

/* Speed relative to native, so that longer is faster for every figure. */
static int plot_ratios(const struct pl_bench_run *run, FILE *to)
{
	struct pl_plot_series series[PL_PLOT_SERIES_MAX];
	struct pl_plot_group groups[PL_BENCH_FIGURES_MAX] = { 0 };
	char subtitle[256];
	struct pl_plot_bars bars = { .title = "Speed relative to native",
		.subtitle = subtitle,
		.axis = "speed relative to native (logarithmic)",
		.base = 1,
		.suffix = "x",
		.series = series,
		.groups = groups };

	bars.n_series = pl_bench_series(run, series);
	pl_bench_subtitle(run, "1x is native, longer to the right is faster; whiskers: p10 to p90",
		subtitle, sizeof(subtitle));
	for (size_t f = 0; f < run->n_figures && bars.n_groups < PL_PLOT_GROUPS_MAX; f++) {
		struct pl_plot_group *group = &groups[bars.n_groups];
		bool more = pl_bench_unit_more_is_better(run->figures[f].unit);

		if (!pl_bench_figure_shown(run, f))
			continue;
		bars.n_groups++;
		group->label = run->figures[f].name;
		for (unsigned m = 0; m < run->n_modes; m++) {
			const struct pl_bench_cell *cell = pl_bench_cell(run, f, m);

			if (cell->state != PL_BENCH_DONE || !cell->has_ratio ||
				run->modes[m].kind == PL_BENCH_NATIVE)
				continue;
			group->value[m] = more ? cell->ratio : 1 / cell->ratio;
			group->low[m] = more ? cell->ratio_p10 : 1 / cell->ratio_p90;
			group->high[m] = more ? cell->ratio_p90 : 1 / cell->ratio_p10;
		}
	}
	return pl_plot_bars(to, &bars);
}

static int plot_latency(const struct pl_bench_run *run, FILE *to)
{
	struct pl_plot_series series[PL_PLOT_SERIES_MAX];
	struct pl_plot_group groups[PL_BENCH_FIGURES_MAX] = { 0 };
	char subtitle[256];
	struct pl_plot_bars bars = { .title = "Latency",
		.subtitle = subtitle,
		.axis = "microseconds (logarithmic)",
		.suffix = "",
		.series = series,
		.groups = groups };

	bars.n_series = pl_bench_series(run, series);
	pl_bench_subtitle(
		run, "Median, shorter is better; whiskers: p10 to p90", subtitle, sizeof(subtitle));
	for (size_t f = 0; f < run->n_figures; f++) {
		struct pl_plot_group *group = &groups[bars.n_groups];

		if (run->figures[f].unit != PL_BENCH_US || !pl_bench_figure_shown(run, f))
			continue;
		bars.n_groups++;
		group->label = run->figures[f].name;
		for (unsigned m = 0; m < run->n_modes; m++) {
			const struct pl_bench_cell *cell = pl_bench_cell(run, f, m);

			if (cell->state != PL_BENCH_DONE)
				continue;
			group->value[m] = cell->stats.median;
			group->low[m] = cell->stats.p10;
			group->high[m] = cell->stats.p90;
		}
	}
	return pl_plot_bars(to, &bars);
}

/* Is this figure one size of a sweep, such as write_4096 of "write_"? */
static bool in_sweep(const struct pl_bench_figure *figure, const char *prefix)
{
	size_t n = strlen(prefix);

	return !strncmp(figure->name, prefix, n) && figure->unit == PL_BENCH_GBS &&
	       strspn(figure->name + n, "0123456789") == strlen(figure->name + n);
}

static void sweep_curve(const struct pl_bench_run *run, const char *prefix, unsigned m,
	const struct pl_plot_series *series, struct pl_plot_panel *panel)
{
	struct pl_plot_curve *curve = &panel->curves[panel->n_curves];

	*curve = (struct pl_plot_curve){ .series = series };
	for (size_t f = 0; f < run->n_figures && curve->n < PL_PLOT_POINTS_MAX; f++) {
		const struct pl_bench_cell *cell = pl_bench_cell(run, f, m);

		if (!in_sweep(&run->figures[f], prefix) || cell->state != PL_BENCH_DONE)
			continue;
		curve->x[curve->n] = (double)run->figures[f].bytes;
		curve->y[curve->n++] = cell->stats.median;
	}
	if (curve->n)
		panel->n_curves++;
}

/* A raw stream has one speed: a level line over the sizes of the other curves. */
static void stream_curve(const struct pl_bench_run *run, const struct pl_plot_series *series,
	struct pl_plot_panel *panel)
{
	const struct pl_bench_cell *raw = pl_bench_find(run, "raw_tcp_stream", "raw");
	struct pl_plot_curve *curve = &panel->curves[panel->n_curves];

	if (!raw || !panel->n_curves)
		return;
	*curve = (struct pl_plot_curve){ .series = series };
	for (; curve->n < panel->curves[0].n; curve->n++) {
		curve->x[curve->n] = panel->curves[0].x[curve->n];
		curve->y[curve->n] = raw->stats.median;
	}
	panel->n_curves++;
}

/* The panels of a sweep: what a panel shows, and how its figures' names begin. */
struct sweep {
	const char *title, *prefix;
};

static int plot_sweeps(const struct pl_bench_run *run, const struct sweep *sweeps, unsigned n, FILE *to)
{
	static const struct pl_plot_series copy = { "raw memcpy", "#9aa5b1", "2 4" };
	static const struct pl_plot_series stream = { "raw TCP stream", "#b8860b", "7 4" };
	struct pl_plot_series series[PL_PLOT_SERIES_MAX];
	struct pl_plot_panel panels[SWEEPS_MAX] = { 0 };
	char subtitle[256];
	struct pl_plot_lines lines = { .title = "Transfer bandwidth by size",
		.subtitle = subtitle,
		.x_axis = "bytes per transfer",
		.y_axis = "GB/s",
		.panels = panels,
		.n_panels = n };

	pl_bench_series(run, series);
	pl_bench_subtitle(run, "Median, higher is better", subtitle, sizeof(subtitle));
	for (unsigned p = 0; p < n; p++) {
		panels[p].title = sweeps[p].title;
		for (unsigned m = 0; m + 1 < run->n_modes; m++)
			sweep_curve(run, sweeps[p].prefix, m, &series[m], &panels[p]);
		if (!panels[p].n_curves)
			continue;
		stream_curve(run, &stream, &panels[p]);
		sweep_curve(run, "raw_memcpy_", run->n_modes - 1, &copy, &panels[p]);
	}
	return pl_plot_lines(to, &lines);
}

static int plot_transfer(const struct pl_bench_run *run, FILE *to)
{
	static const struct sweep opencl[] = { { "blocking write", "write_" }, { "blocking read", "read_" } };
	static const struct sweep pinned[] = { { "pinned memory to device", "h2d_pinned_" },
		{ "device to pinned memory", "d2h_pinned_" } };

	return plot_sweeps(run, pl_bench_is_cuda(run) ? pinned : opencl, 2, to);
}

static int plot_pageable(const struct pl_bench_run *run, FILE *to)
{
	static const struct sweep pageable[] = { { "pageable memory to device", "h2d_pageable_" },
		{ "device to pageable memory", "d2h_pageable_" } };

	return plot_sweeps(run, pageable, 2, to);
}

static const struct pl_bench_plot plots[] = {
	{ "ratio", "speed relative to native", PL_BENCH_MICRO | PL_BENCH_APPS | PL_BENCH_KERNELS | PL_BENCH_CUDA,
		plot_ratios },
	{ "latency", "latency", PL_BENCH_MICRO | PL_BENCH_CUDA, plot_latency },
	{ "transfer", "transfer bandwidth by size", PL_BENCH_MICRO | PL_BENCH_CUDA, plot_transfer },
	{ "pageable", "transfer bandwidth of pageable memory", PL_BENCH_CUDA, plot_pageable },
};

static void md_command(const struct pl_bench_run *run, FILE *to)
{
	fprintf(to, "Written by `plenum bench %s%s --modes ", suite_name(run),
		run->config->suites == PL_BENCH_CUDA ? " --api cuda" : "");
	for (unsigned i = 0; i + 1 < run->n_modes; i++) /* a path says nothing elsewhere */
		fprintf(to, "%s%s%s", i ? "," : "", run->modes[i].name,
			run->modes[i].kind == PL_BENCH_ICD ? "=PATH" : "");
	fprintf(to, "%s%s`, %s.\n\n", run->config->quick ? " --quick" : "",
		run->config->busy ? " --busy" : "", run->machine.when);
}

void pl_bench_md_machine(const struct pl_bench_run *run, FILE *to)
{
	const struct pl_bench_machine *m = &run->machine;
	char cores[128];

	fprintf(to, "# %s, %s\n\n", page_subject(run), suite_name(run));
	if (run->config->from)
		fprintf(to,
			"Made of the records of several runs of `plenum bench %s%s` (`--from`): each ratio is one "
			"run's own, values of different rows may be of different runs.  The first run was of %s.\n\n",
			suite_name(run), run->config->suites == PL_BENCH_CUDA ? " --api cuda" : "", m->when);
	else
		md_command(run, to);
	fprintf(to, "| machine | |\n| --- | --- |\n| processor | %s, %u cores |\n", m->cpu,
		m->cores);
	fprintf(to, "| memory | %.1f GiB |\n", (double)m->mem_bytes / (1u << 30));
	fprintf(to, "| system | %s, %s |\n", m->os, m->kernel);
	fprintf(to, "| hypervisor, governor | %s, %s |\n", m->hypervisor, m->governor);
	fprintf(to, "| state | %s; load average %.2f before, %.2f after |\n",
		run->config->busy ? "busy: an idle-priority spinner on every core"
				  : "idle: nothing else was started; a sleeping CPU must be woken",
		m->load_start, m->load_end);
	if (pl_bench_cores_text(m, cores, sizeof(cores)))
		fprintf(to, "| two threads, of one | %s |\n", cores);
	for (unsigned i = 0; i + 1 < run->n_modes; i++) {
		const struct pl_bench_mode *mode = &run->modes[i];

		if (mode->device[0])
			fprintf(to, "| %s | %s: %s, driver %s |\n", mode->name, mode->platform,
				mode->device, mode->driver);
		else
			fprintf(to, "| %s | skipped: %s |\n", mode->name, mode->why);
	}
	fputc('\n', to);
}

static void md_cell(const struct pl_bench_run *run, size_t f, unsigned m, FILE *to)
{
	const struct pl_bench_cell *cell = pl_bench_cell(run, f, m);
	char value[32], low[32], high[32];

	if (cell->state == PL_BENCH_NONE) {
		fputs("  |", to);
		return;
	}
	if (cell->state == PL_BENCH_FAILED) {
		fputs(" failed |", to);
		return;
	}
	pl_plot_number(cell->stats.median, value, sizeof(value));
	pl_plot_number(cell->stats.p10, low, sizeof(low));
	pl_plot_number(cell->stats.p90, high, sizeof(high));
	fprintf(to, " **%s** (%s to %s", value, low, high);
	if (cell->has_ratio && run->modes[m].kind != PL_BENCH_NATIVE) {
		pl_plot_number(cell->ratio, value, sizeof(value));
		fprintf(to, "; %sx", value);
	}
	fputs(") |", to);
}

void pl_bench_md_figures(const struct pl_bench_run *run, FILE *to)
{
	bool shown[PL_BENCH_MODES_MAX + 1];

	fputs("Each cell: **median** (p10 to p90; ratio to native in the same run).\n\n", to);
	fputs("| figure | unit |", to);
	for (unsigned m = 0; m < run->n_modes; m++) {
		shown[m] = pl_bench_mode_shown(run, m);
		if (shown[m])
			fprintf(to, " %s |", run->modes[m].name);
	}
	fputs("\n| --- | --- |", to);
	for (unsigned m = 0; m < run->n_modes; m++)
		if (shown[m])
			fputs(" --- |", to);
	fputc('\n', to);
	for (size_t f = 0; f < run->n_figures; f++) {
		bool any = false;

		for (unsigned m = 0; m < run->n_modes; m++)
			any = any || pl_bench_cell(run, f, m)->state != PL_BENCH_NONE;
		if (!any)
			continue;
		fprintf(to, "| %s | %s |", run->figures[f].name,
			pl_bench_unit_name(run->figures[f].unit));
		for (unsigned m = 0; m < run->n_modes; m++)
			if (shown[m])
				md_cell(run, f, m, to);
		fputc('\n', to);
	}
	fputc('\n', to);
}

void pl_bench_md_goals(const struct pl_bench_run *run, FILE *to)
{
	struct pl_bench_goal_result goal;
	bool first = true;

	for (size_t at = 0; pl_bench_goal_next(run, &at, &goal);) {
		if (first)
			fputs("| goal | bound | value | |\n| --- | --- | --- | --- |\n", to);
		first = false;
		fprintf(to, "| %s | %s | %s | %s |\n", goal.text, goal.bound, goal.value,
			goal.verdict == PL_BENCH_MISSED ? "**missed**" : pl_bench_verdict_text(goal.verdict));
	}
	if (!first)
		fputc('\n', to);
	for (size_t f = 0; f < run->n_figures; f++)
		for (unsigned m = 0; m < run->n_modes; m++)
			if (pl_bench_cell(run, f, m)->state == PL_BENCH_FAILED)
				fprintf(to, "- failed: %s, %s: %s\n", run->modes[m].name,
					run->figures[f].name, pl_bench_cell(run, f, m)->why);
}

/* Open DIR/PREFIX-SUITE[-NAME].EXT. */
static FILE *page_open(const struct pl_bench_run *run, const char *dir, const char *name,
	const char *ext, char *path_out, size_t path_bytes)
{
	snprintf(path_out, path_bytes, "%s/%s%s%s%s.%s", dir, page_prefix(run), suite_name(run), name ? "-" : "",
		name ? name : "", ext);
	return fopen(path_out, "we");
}

static int page_close(FILE *f, const char *path, char *why_out, size_t why_bytes)
{
	bool bad = ferror(f);

	if (!fclose(f) && !bad)
		return 0;
	snprintf(why_out, why_bytes, "%s: could not be written", path);
	return -EIO;
}

/* Draw what belongs to this suite. Return: 0 or -EIO with why. */
static int plots_write(const struct pl_bench_run *run, const char *dir, const struct pl_bench_plot *list, size_t n,
	bool *drawn_out, char *why_out, size_t why_bytes)
{
	char path[PATH_MAX];
	int r = 0;

	for (size_t i = 0; i < n && !r; i++) {
		FILE *f = list[i].suites & run->config->suites
				  ? page_open(run, dir, list[i].name, "svg", path, sizeof(path))
				  : NULL;

		drawn_out[i] = f && list[i].draw(run, f) == PL_PLOT_OK;
		if (!f)
			continue;
		r = page_close(f, path, why_out, why_bytes);
		if (!drawn_out[i])
			remove(path);
	}
	return r;
}

static void page_write(const struct pl_bench_run *run, const bool *drawn, const bool *vmcuda_drawn, FILE *f)
{
	pl_bench_md_machine(run, f);
	for (size_t i = 0; i < sizeof(plots) / sizeof(plots[0]); i++)
		if (drawn[i])
			fprintf(f, "![%s](%s%s-%s.svg)\n\n", plots[i].alt, page_prefix(run), suite_name(run),
				plots[i].name);
	if (run->config->suites == PL_BENCH_VMCUDA)
		pl_bench_vmcuda_page(run, vmcuda_drawn, f);
	pl_bench_md_figures(run, f);
	pl_bench_md_goals(run, f);
}

int pl_bench_results_write(
	const struct pl_bench_run *run, const char *dir, char *why_out, size_t why_bytes)
{
	bool drawn[sizeof(plots) / sizeof(plots[0])], vmcuda_drawn[PL_BENCH_VMCUDA_PLOTS];
	char path[PATH_MAX];
	int r;
	FILE *f;

	if (mkdir(dir, 0777) && errno != EEXIST) {
		snprintf(why_out, why_bytes, "%s: %s", dir, strerror(errno));
		return -EIO;
	}
	r = plots_write(run, dir, plots, sizeof(plots) / sizeof(plots[0]), drawn, why_out, why_bytes);
	if (!r)
		r = plots_write(run, dir, pl_bench_vmcuda_plots, PL_BENCH_VMCUDA_PLOTS, vmcuda_drawn, why_out,
			why_bytes);
	f = r ? NULL : page_open(run, dir, NULL, "md", path, sizeof(path));
	if (!f) {
		if (!r)
			snprintf(why_out, why_bytes, "%s: %s", path, strerror(errno));
		return -EIO;
	}
	page_write(run, drawn, vmcuda_drawn, f);
	return page_close(f, path, why_out, why_bytes);
}
