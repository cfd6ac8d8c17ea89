/* SPDX-License-Identifier: Apache-2.0 */
#include "plot.h"
#include "svg.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#define INK "#1f2933"
#define QUIET "#52606d"
#define GRID "#e4e7eb"
#define BASE_LINE "#7b8794"
#define WIDTH 960.0
#define MARGIN 24.0
#define HEAD 96.0 /* title, subtitle, legend */
#define FOOT 52.0
#define LABELS 190.0 /* room for the rows' names */
#define VALUES 64.0  /* room for a value behind a bar */
#define BAR 9.0
#define BAR_GAP 2.0
#define GROUP_GAP 9.0
#define PANEL_GAP 64.0
#define PANEL_HEIGHT 340.0
#define TICKS_MAX 32

/* A logarithmic axis from low to high, drawn from pixel a to pixel b. */
struct axis {
	double low, high, a, b;
	double ticks[TICKS_MAX];
	size_t n_ticks;
};

static bool present(double v)
{
	return isfinite(v) && v > 0;
}

static double at(const struct axis *axis, double v)
{
	double share = log(v / axis->low) / log(axis->high / axis->low);

	share = share < 0 ? 0 : share > 1 ? 1 : share;
	return axis->a + share * (axis->b - axis->a);
}

static void include(struct axis *axis, double v)
{
	if (!present(v))
		return;
	axis->low = axis->low > 0 && axis->low < v ? axis->low : v;
	axis->high = axis->high > v ? axis->high : v;
}

/* Steps of a decade that stay legible for this span. */
static void ticks_make(struct axis *axis)
{
	static const double fine[] = { 1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8 };
	static const double middle[] = { 1, 2, 5 };
	static const double coarse[] = { 1 };
	double span = log10(axis->high / axis->low);
	const double *steps = span < 0.8 ? fine : span < 3.2 ? middle : coarse;
	size_t n = span < 0.8 ? 10 : span < 3.2 ? 3 : 1;
	double decade = pow(10, floor(log10(axis->low)));

	axis->n_ticks = 0;
	for (; decade <= axis->high; decade *= 10)
		for (size_t i = 0; i < n && axis->n_ticks < TICKS_MAX; i++)
			if (decade * steps[i] >= axis->low * 0.999 &&
				decade * steps[i] <= axis->high * 1.001)
				axis->ticks[axis->n_ticks++] = decade * steps[i];
}

/* Widen to round numbers so that no bar ends on the frame. */
static void axis_round(struct axis *axis, double slack)
{
	axis->low /= slack;
	axis->high *= slack;
	if (axis->high / axis->low < 1.5) {
		axis->low /= 1.25;
		axis->high *= 1.25;
	}
	ticks_make(axis);
}

void pl_plot_number(double value, char *text_out, size_t text_bytes)
{
	if (!isfinite(value))
		snprintf(text_out, text_bytes, "-");
	else if (value >= 9.995e6)
		snprintf(text_out, text_bytes, "%.1fM", value / 1e6);
	else if (value >= 9.9995e3)
		snprintf(text_out, text_bytes, "%.0fk", value / 1e3);
	else if (value >= 99.95)
		snprintf(text_out, text_bytes, "%.0f", value);
	else if (value >= 9.995)
		snprintf(text_out, text_bytes, "%.1f", value);
	else if (value >= 0.0995 || value <= 0)
		snprintf(text_out, text_bytes, "%.2f", value);
	else if (value >= 0.00995)
		snprintf(text_out, text_bytes, "%.3f", value);
	else
		snprintf(text_out, text_bytes, "%.1g", value);
}

/* A tick needs no trailing zeros. */
static void tick_text(double value, char *text_out, size_t text_bytes)
{
	if (value >= 1e6)
		snprintf(text_out, text_bytes, "%gM", value / 1e6);
	else if (value >= 1e4)
		snprintf(text_out, text_bytes, "%gk", value / 1e3);
	else
		snprintf(text_out, text_bytes, "%g", value);
}

static void head_draw(FILE *to, const char *title, const char *subtitle)
{
	pl_svg_text(to, MARGIN, 32, 19, PL_SVG_START, INK, title);
	pl_svg_text(to, MARGIN, 52, 12, PL_SVG_START, QUIET, subtitle);
}

/* Rough width of a text; enough to set a legend. */
static double text_width(const char *text, double size)
{
	return (double)strlen(text) * size * 0.56;
}

static void bars_legend(FILE *to, const struct pl_plot_bars *bars, const bool *used)
{
	double x = MARGIN;

	for (size_t s = 0; s < bars->n_series; s++) {
		if (!used[s])
			continue;
		pl_svg_rect(to, x, 68, 12, 12, bars->series[s].color);
		pl_svg_text(to, x + 17, 78, 12, PL_SVG_START, INK, bars->series[s].name);
		x += 17 + text_width(bars->series[s].name, 12) + 20;
	}
}

static void bars_grid(FILE *to, const struct pl_plot_bars *bars, const struct axis *axis,
	double top, double bottom)
{
	char text[32];

	for (size_t i = 0; i < axis->n_ticks; i++) {
		double x = at(axis, axis->ticks[i]);

		pl_svg_line(to, x, top, x, bottom, GRID, 1, NULL);
		tick_text(axis->ticks[i], text, sizeof(text) - 2);
		strcat(text, bars->suffix);
		pl_svg_text(to, x, bottom + 16, 11, PL_SVG_MIDDLE, QUIET, text);
	}
	pl_svg_text(to, (axis->a + axis->b) / 2, bottom + 36, 12, PL_SVG_MIDDLE, QUIET, bars->axis);
}

static void bar_draw(FILE *to, const struct pl_plot_bars *bars, const struct axis *axis,
	const struct pl_plot_group *group, size_t s, double y)
{
	double base = at(axis, bars->base > 0 ? bars->base : axis->low);
	double end = at(axis, group->value[s]), left = end < base ? end : base;
	double right = end < base ? base : end, outer = right;
	double middle = y + BAR / 2;
	char text[32];

	pl_svg_rect(to, left, y, right - left < 1 ? 1 : right - left, BAR, bars->series[s].color);
	if (present(group->low[s]) && present(group->high[s]) && group->high[s] > group->low[s]) {
		double a = at(axis, group->low[s]), b = at(axis, group->high[s]);

		pl_svg_line(to, a, middle, b, middle, INK, 1, NULL);
		pl_svg_line(to, a, middle - 2.5, a, middle + 2.5, INK, 1, NULL);
		pl_svg_line(to, b, middle - 2.5, b, middle + 2.5, INK, 1, NULL);
		outer = b > outer ? b : outer;
	}
	pl_plot_number(group->value[s], text, sizeof(text) - 2);
	strcat(text, bars->suffix);
	pl_svg_text(to, outer + 5, y + BAR - 1, 10, PL_SVG_START, INK, text);
}

static size_t bars_in(const struct pl_plot_bars *bars, const struct pl_plot_group *group)
{
	size_t n = 0;

	for (size_t s = 0; s < bars->n_series; s++)
		n += present(group->value[s]);
	return n;
}

static double group_height(size_t n_bars)
{
	return (double)n_bars * (BAR + BAR_GAP) - BAR_GAP + GROUP_GAP;
}

/* Find the range, what is used and the height. Return: PL_PLOT_*. */
static int bars_measure(
	const struct pl_plot_bars *bars, struct axis *axis, bool *used, double *height_out)
{
	double height = 0;

	if (bars->n_series > PL_PLOT_SERIES_MAX || bars->n_groups > PL_PLOT_GROUPS_MAX)
		return PL_PLOT_E_LIMIT;
	for (size_t g = 0; g < bars->n_groups; g++) {
		const struct pl_plot_group *group = &bars->groups[g];

		for (size_t s = 0; s < bars->n_series; s++) {
			if (!present(group->value[s]))
				continue;
			used[s] = true;
			include(axis, group->value[s]);
			include(axis, group->low[s]);
			include(axis, group->high[s]);
		}
		if (bars_in(bars, group))
			height += group_height(bars_in(bars, group));
	}
	if (height <= 0)
		return PL_PLOT_E_EMPTY;
	include(axis, bars->base);
	*height_out = height;
	return PL_PLOT_OK;
}

int pl_plot_bars(FILE *to, const struct pl_plot_bars *bars)
{
	struct axis axis = { .a = MARGIN + LABELS, .b = WIDTH - MARGIN - VALUES };
	bool used[PL_PLOT_SERIES_MAX] = { false };
	double height, y = HEAD + GROUP_GAP / 2;
	int r = bars_measure(bars, &axis, used, &height);

	if (r)
		return r;
	axis_round(&axis, 1.08);
	pl_svg_open(to, WIDTH, HEAD + height + FOOT, bars->title);
	head_draw(to, bars->title, bars->subtitle);
	bars_legend(to, bars, used);
	bars_grid(to, bars, &axis, HEAD, HEAD + height);
	for (size_t g = 0; g < bars->n_groups; g++) {
		size_t n = bars_in(bars, &bars->groups[g]);

		if (!n)
			continue;
		pl_svg_text(to, axis.a - 10, y + (group_height(n) - GROUP_GAP) / 2 + 4, 12,
			PL_SVG_END, INK, bars->groups[g].label);
		for (size_t s = 0; s < bars->n_series; s++) {
			if (!present(bars->groups[g].value[s]))
				continue;
			bar_draw(to, bars, &axis, &bars->groups[g], s, y);
			y += BAR + BAR_GAP;
		}
		y += GROUP_GAP - BAR_GAP;
	}
	if (bars->base > 0)
		pl_svg_line(to, at(&axis, bars->base), HEAD, at(&axis, bars->base), HEAD + height,
			BASE_LINE, 1.5, NULL);
	pl_svg_close(to);
	return PL_PLOT_OK;
}

static void bytes_text(double bytes, char *text_out, size_t text_bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB" };
	size_t u = 0;

	for (; bytes >= 1024 && u < 3; u++)
		bytes /= 1024;
	snprintf(text_out, text_bytes, "%g %s", bytes, units[u]);
}

static void lines_legend(FILE *to, const struct pl_plot_lines *lines)
{
	const struct pl_plot_series *seen[PL_PLOT_SERIES_MAX];
	double x = MARGIN;
	size_t n = 0;

	for (size_t p = 0; p < lines->n_panels; p++) {
		for (size_t c = 0; c < lines->panels[p].n_curves; c++) {
			const struct pl_plot_series *series = lines->panels[p].curves[c].series;
			size_t i = 0;

			while (i < n && seen[i] != series)
				i++;
			if (i < n || n == PL_PLOT_SERIES_MAX)
				continue;
			seen[n++] = series;
			pl_svg_line(to, x, 74, x + 24, 74, series->color, 2.5, series->dashes);
			pl_svg_text(to, x + 30, 78, 12, PL_SVG_START, INK, series->name);
			x += 30 + text_width(series->name, 12) + 20;
		}
	}
}

static void panel_grid(FILE *to, const struct pl_plot_lines *lines, const struct axis *x_axis,
	const struct axis *y_axis)
{
	char text[32];

	for (size_t i = 0; i < y_axis->n_ticks; i++) {
		double y = at(y_axis, y_axis->ticks[i]);

		pl_svg_line(to, x_axis->a, y, x_axis->b, y, GRID, 1, NULL);
		tick_text(y_axis->ticks[i], text, sizeof(text));
		pl_svg_text(to, x_axis->a - 8, y + 4, 11, PL_SVG_END, QUIET, text);
	}
	for (size_t i = 0; i < x_axis->n_ticks; i++) {
		double x = at(x_axis, x_axis->ticks[i]);

		pl_svg_line(to, x, y_axis->b, x, y_axis->a, GRID, 1, NULL);
		bytes_text(x_axis->ticks[i], text, sizeof(text));
		pl_svg_text(to, x, y_axis->a + 17, 11, PL_SVG_MIDDLE, QUIET, text);
	}
	pl_svg_text(to, (x_axis->a + x_axis->b) / 2, y_axis->a + 37, 12, PL_SVG_MIDDLE, QUIET,
		lines->x_axis);
}

static void panel_draw(FILE *to, const struct pl_plot_lines *lines,
	const struct pl_plot_panel *panel, const struct axis *x_axis, const struct axis *y_axis)
{
	double xy[2 * PL_PLOT_POINTS_MAX];

	panel_grid(to, lines, x_axis, y_axis);
	pl_svg_text(to, x_axis->a, y_axis->b - 10, 13, PL_SVG_START, INK, panel->title);
	for (size_t c = 0; c < panel->n_curves; c++) {
		const struct pl_plot_curve *curve = &panel->curves[c];
		size_t n = 0;

		for (size_t i = 0; i < curve->n; i++) {
			if (!present(curve->x[i]) || !present(curve->y[i]))
				continue;
			xy[2 * n] = at(x_axis, curve->x[i]);
			xy[2 * n++ + 1] = at(y_axis, curve->y[i]);
		}
		pl_svg_path(to, xy, n, curve->series->color, 2.2, curve->series->dashes);
		for (size_t i = 0; i < n && !curve->series->dashes; i++)
			pl_svg_circle(to, xy[2 * i], xy[2 * i + 1], 3.6, curve->series->color);
	}
}

/* Find the ranges; each size that occurs becomes a tick. Return: PL_PLOT_*. */
static int lines_measure(
	const struct pl_plot_lines *lines, struct axis *x_axis, struct axis *y_axis)
{
	for (size_t p = 0; p < lines->n_panels; p++) {
		if (lines->panels[p].n_curves > PL_PLOT_SERIES_MAX)
			return PL_PLOT_E_LIMIT;
		for (size_t c = 0; c < lines->panels[p].n_curves; c++) {
			const struct pl_plot_curve *curve = &lines->panels[p].curves[c];

			if (curve->n > PL_PLOT_POINTS_MAX)
				return PL_PLOT_E_LIMIT;
			for (size_t i = 0; i < curve->n; i++) {
				size_t t = 0;

				if (!present(curve->x[i]) || !present(curve->y[i]))
					continue;
				include(x_axis, curve->x[i]);
				include(y_axis, curve->y[i]);
				while (t < x_axis->n_ticks && x_axis->ticks[t] != curve->x[i])
					t++;
				if (t == x_axis->n_ticks && t < TICKS_MAX)
					x_axis->ticks[x_axis->n_ticks++] = curve->x[i];
			}
		}
	}
	return x_axis->high > 0 ? PL_PLOT_OK : PL_PLOT_E_EMPTY;
}

int pl_plot_lines(FILE *to, const struct pl_plot_lines *lines)
{
	double top = HEAD + 28, height = top + PANEL_HEIGHT + FOOT;
	struct axis x_axis = { 0 }, y_axis = { 0 };
	double left = MARGIN + 36, width;
	int r = lines_measure(lines, &x_axis, &y_axis);

	if (r)
		return r;
	width = (WIDTH - left - MARGIN - PANEL_GAP * (double)(lines->n_panels - 1)) /
		(double)lines->n_panels;
	x_axis.low /= 1.5;
	x_axis.high *= 1.5;
	axis_round(&y_axis, 1.3);
	y_axis.a = top + PANEL_HEIGHT;
	y_axis.b = top;
	pl_svg_open(to, WIDTH, height, lines->title);
	head_draw(to, lines->title, lines->subtitle);
	lines_legend(to, lines);
	for (size_t p = 0; p < lines->n_panels; p++) {
		x_axis.a = left + (double)p * (width + PANEL_GAP);
		x_axis.b = x_axis.a + width;
		panel_draw(to, lines, &lines->panels[p], &x_axis, &y_axis);
	}
	pl_svg_text(to, MARGIN - 8, top - 10, 12, PL_SVG_START, QUIET, lines->y_axis);
	pl_svg_close(to);
	return PL_PLOT_OK;
}
