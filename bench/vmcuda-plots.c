/* SPDX-License-Identifier: Apache-2.0 */
/* The plots of `plenum bench vmcuda`, and what they share with its page. */
#include "vmcuda.h"

#include "plot.h"

#include <math.h>
#include <string.h>

const struct pl_vmcuda_app pl_vmcuda_apps[PL_VMCUDA_APPS] = {
	{ "binomial", "Binomial options", 80 / 1024.0, 16 / 1024.0, 17.3, 17.8, 2.1, 2.5 },
	{ "blackscholes", "Black-Scholes", 1144, 763, 11.7, 11.8, 0.5, 0.6 },
	{ "matmul", "Matrix product", 128, 64, 36.9, 37.1, 0.6, 0.7 },
	{ "stereo", "Stereo disparity", 2496, 832, 31.0, 35.6, 9.5, 14.7 },
	{ "radixsort", "Radix sort", 128, 128, 32.5, 33.6, 2.9, 3.5 },
};

const struct pl_vmcuda_large pl_vmcuda_large[PL_VMCUDA_LARGE] = {
	{ "12.5", 12.5 }, { "50", 50 }, { "100", 100 }, { "175", 175 }, { "237.5", 237.5 }
};

double pl_vmcuda_value(const struct pl_bench_run *run, unsigned mode, const char *prefix, const char *name)
{
	const struct pl_bench_cell *cell;
	char figure[64];

	snprintf(figure, sizeof(figure), "%s%s", prefix, name);
	cell = pl_bench_find(run, figure, run->modes[mode].name);
	return cell ? cell->stats.median : NAN;
}

const char *pl_vmcuda_block(unsigned i, char *text, size_t bytes)
{
	snprintf(text, bytes, "%u", 131072u << i);
	return text;
}

double pl_vmcuda_crowd_value(const struct pl_bench_run *run, unsigned mode, unsigned clients, const char *app)
{
	char prefix[32];

	snprintf(prefix, sizeof(prefix), "clients_%u_", clients);
	return pl_vmcuda_value(run, mode, prefix, app);
}

/* Bars of PREFIXapp for each program and mode, with their spread. */
static int plot_apps(const struct pl_bench_run *run, const char *prefix, const char *title, const char *axis, FILE *to)
{
	struct pl_plot_series series[PL_PLOT_SERIES_MAX];
	struct pl_plot_group groups[PL_VMCUDA_APPS] = { 0 };
	char subtitle[256], figure[64];
	struct pl_plot_bars bars = { .title = title,
				     .subtitle = subtitle,
				     .axis = axis,
				     .suffix = "",
				     .series = series,
				     .groups = groups,
				     .n_groups = PL_VMCUDA_APPS };

	bars.n_series = pl_bench_series(run, series);
	pl_bench_subtitle(run, "Median, whiskers: p10 to p90", subtitle, sizeof(subtitle));
	for (size_t i = 0; i < PL_VMCUDA_APPS; i++) {
		groups[i].label = pl_vmcuda_apps[i].title;
		snprintf(figure, sizeof(figure), "%s%s", prefix, pl_vmcuda_apps[i].name);
		for (unsigned m = 0; m < run->n_modes; m++) {
			const struct pl_bench_cell *cell = pl_bench_find(run, figure, run->modes[m].name);

			if (!cell)
				continue;
			groups[i].value[m] = cell->stats.median;
			groups[i].low[m] = cell->stats.p10;
			groups[i].high[m] = cell->stats.p90;
		}
	}
	return pl_plot_bars(to, &bars);
}

static int plot_time(const struct pl_bench_run *run, FILE *to)
{
	return plot_apps(run, "app_", "Figure 4: time of the programs", "seconds (logarithmic)", to);
}

static int plot_copy(const struct pl_bench_run *run, FILE *to)
{
	return plot_apps(run, "copy_", "Figure 6: time in copies", "seconds (logarithmic)", to);
}

static int plot_use(const struct pl_bench_run *run, FILE *to)
{
	return plot_apps(run, "use_", "Figure 10: processor time of the program", "% of one processor (logarithmic)",
			 to);
}

/* One panel of lines; @x gives the bytes at a point and @name its figure. */
static int plot_curves(const struct pl_bench_run *run, const char *title, const char *x_axis, const char *prefix,
		       unsigned n, FILE *to)
{
	struct pl_plot_series series[PL_PLOT_SERIES_MAX];
	struct pl_plot_panel panel = { .title = "" };
	char subtitle[256], text[16];
	struct pl_plot_lines lines = { .title = title,
				       .subtitle = subtitle,
				       .x_axis = x_axis,
				       .y_axis = "seconds",
				       .panels = &panel,
				       .n_panels = 1 };
	bool blocks = !strcmp(prefix, "block_");

	pl_bench_series(run, series);
	pl_bench_subtitle(run, "Median", subtitle, sizeof(subtitle));
	for (unsigned m = 0; m + 1 < run->n_modes; m++) {
		struct pl_plot_curve *curve = &panel.curves[panel.n_curves];

		*curve = (struct pl_plot_curve){ .series = &series[m] };
		for (unsigned i = 0; i < n; i++) {
			const char *name = blocks ? pl_vmcuda_block(i, text, sizeof(text)) : pl_vmcuda_large[i].name;
			double y = pl_vmcuda_value(run, m, prefix, name);

			if (!isfinite(y))
				continue;
			curve->x[curve->n] = blocks ? 131072.0 * (1u << i) : pl_vmcuda_large[i].gb * (1u << 30) / 100;
			curve->y[curve->n++] = y;
		}
		if (curve->n)
			panel.n_curves++;
	}
	return pl_plot_lines(to, &lines);
}

static int plot_large(const struct pl_bench_run *run, FILE *to)
{
	return plot_curves(run, "Figure 5: stereo disparity with large data", "bytes moved, about", "large_",
			   PL_VMCUDA_LARGE, to);
}

static int plot_block(const struct pl_bench_run *run, FILE *to)
{
	return plot_curves(run, "Figure 7: copies in blocks", "bytes of a block", "block_", PL_VMCUDA_BLOCKS, to);
}

/* Time with N clients / time with one, for the first way to a server that was measured. */
static int plot_clients(const struct pl_bench_run *run, FILE *to)
{
	static const char *const colors[PL_VMCUDA_APPS] = { "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9" };
	static const char *const labels[PL_VMCUDA_CLIENTS] = { "1 client",  "2 clients", "3 clients",
							       "4 clients", "5 clients", "6 clients" };
	struct pl_plot_series series[PL_VMCUDA_APPS];
	struct pl_plot_group groups[PL_VMCUDA_CLIENTS] = { 0 };
	char subtitle[256], what[64];
	struct pl_plot_bars bars = { .title = "Figure 8: programs at once",
				     .subtitle = subtitle,
				     .axis = "mean seconds of a program (logarithmic)",
				     .suffix = "",
				     .series = series,
				     .n_series = PL_VMCUDA_APPS,
				     .groups = groups,
				     .n_groups = PL_VMCUDA_CLIENTS };
	unsigned m = 0;

	while (m + 1 < run->n_modes && (run->modes[m].kind == PL_BENCH_NATIVE ||
					!isfinite(pl_vmcuda_crowd_value(run, m, 1, pl_vmcuda_apps[0].name))))
		m++;
	if (m + 1 >= run->n_modes)
		return PL_PLOT_E_EMPTY;
	snprintf(what, sizeof(what), "Mode %s, shorter is better", run->modes[m].name);
	pl_bench_subtitle(run, what, subtitle, sizeof(subtitle));
	for (size_t i = 0; i < PL_VMCUDA_APPS; i++)
		series[i] = (struct pl_plot_series){ .name = pl_vmcuda_apps[i].title, .color = colors[i] };
	for (unsigned c = 0; c < PL_VMCUDA_CLIENTS; c++) {
		groups[c].label = labels[c];
		for (size_t i = 0; i < PL_VMCUDA_APPS; i++)
			groups[c].value[i] = pl_vmcuda_crowd_value(run, m, c + 1, pl_vmcuda_apps[i].name);
	}
	return pl_plot_bars(to, &bars);
}

/* Three bars a program and mode: device, copies, rest. */
static int plot_split(const struct pl_bench_run *run, FILE *to)
{
	static const struct pl_plot_series series[] = { { "device", "#0072b2", NULL },
							{ "copies", "#e69f00", NULL },
							{ "rest", "#9aa5b1", NULL } };
	static const char *const prefixes[] = { "gpu_", "copy_", "rest_" };
	struct pl_plot_group groups[PL_VMCUDA_APPS * PL_BENCH_MODES_MAX] = { 0 };
	static char labels[PL_VMCUDA_APPS * PL_BENCH_MODES_MAX][64];
	char subtitle[256];
	struct pl_plot_bars bars = { .title = "Figure 9: where the time goes",
				     .subtitle = subtitle,
				     .axis = "seconds (logarithmic)",
				     .suffix = "",
				     .series = series,
				     .n_series = 3,
				     .groups = groups };

	pl_bench_subtitle(run, "Median", subtitle, sizeof(subtitle));
	for (size_t i = 0; i < PL_VMCUDA_APPS; i++)
		for (unsigned m = 0; m + 1 < run->n_modes; m++) {
			struct pl_plot_group *group = &groups[bars.n_groups];

			if (!isfinite(pl_vmcuda_value(run, m, "app_", pl_vmcuda_apps[i].name)))
				continue;
			snprintf(labels[bars.n_groups], sizeof(labels[0]), "%s, %s", pl_vmcuda_apps[i].name,
				 run->modes[m].name);
			group->label = labels[bars.n_groups++];
			for (size_t k = 0; k < 3; k++)
				group->value[k] = pl_vmcuda_value(run, m, prefixes[k], pl_vmcuda_apps[i].name);
		}
	return pl_plot_bars(to, &bars);
}

const struct pl_bench_plot pl_bench_vmcuda_plots[PL_BENCH_VMCUDA_PLOTS] = {
	{ "figure4", "time of the programs", PL_BENCH_VMCUDA, plot_time },
	{ "figure5", "stereo disparity with large data", PL_BENCH_VMCUDA, plot_large },
	{ "figure6", "time in copies", PL_BENCH_VMCUDA, plot_copy },
	{ "figure7", "copies in blocks", PL_BENCH_VMCUDA, plot_block },
	{ "figure8", "programs at once", PL_BENCH_VMCUDA, plot_clients },
	{ "figure9", "where the time goes", PL_BENCH_VMCUDA, plot_split },
	{ "figure10", "processor time of the program", PL_BENCH_VMCUDA, plot_use },
};
