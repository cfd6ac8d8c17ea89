/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plots with logarithmic axes, as SVG.  They know nothing of figures and modes.
 * A value that is not finite or not above zero is absent.
 */
#ifndef PL_BENCH_PLOT_H
#define PL_BENCH_PLOT_H

#include <stddef.h>
#include <stdio.h>

#define PL_PLOT_SERIES_MAX 12
#define PL_PLOT_GROUPS_MAX 96
#define PL_PLOT_POINTS_MAX 16

enum {
	PL_PLOT_OK,
	PL_PLOT_E_EMPTY, /* nothing to draw; nothing was written */
	PL_PLOT_E_LIMIT, /* more series, groups or points than the maxima above */
};

struct pl_plot_series {
	const char *name;
	const char *color;  /* "#rrggbb" */
	const char *dashes; /* lines only; NULL: solid */
};

/* Horizontal bars: one group per row, one bar per series. */
struct pl_plot_group {
	const char *label;
	double value[PL_PLOT_SERIES_MAX];
	double low[PL_PLOT_SERIES_MAX]; /* whisker; absent: none */
	double high[PL_PLOT_SERIES_MAX];
};

struct pl_plot_bars {
	const char *title, *subtitle, *axis;
	double base;	    /* bars start there (1 for ratios); 0: at the axis' low end */
	const char *suffix; /* behind each value: "x" or "" */
	const struct pl_plot_series *series;
	size_t n_series;
	const struct pl_plot_group *groups;
	size_t n_groups;
};

/* Lines over sizes in bytes: panels side by side with the same axes. */
struct pl_plot_curve {
	const struct pl_plot_series *series;
	double x[PL_PLOT_POINTS_MAX], y[PL_PLOT_POINTS_MAX];
	size_t n;
};

struct pl_plot_panel {
	const char *title;
	struct pl_plot_curve curves[PL_PLOT_SERIES_MAX];
	size_t n_curves;
};

struct pl_plot_lines {
	const char *title, *subtitle, *x_axis, *y_axis;
	const struct pl_plot_panel *panels;
	size_t n_panels;
};

/* Return: PL_PLOT_*; a failing file is found by the caller's fclose(). */
int pl_plot_bars(FILE *to, const struct pl_plot_bars *bars);
int pl_plot_lines(FILE *to, const struct pl_plot_lines *lines);

/** pl_plot_number() - three significant digits, no exponent: "0.95", "12.3", "1230", "450k" */
void pl_plot_number(double value, char *text_out, size_t text_bytes);

#endif
