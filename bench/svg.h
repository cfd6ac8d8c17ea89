/* SPDX-License-Identifier: Apache-2.0 */
/* The few shapes of SVG that the plots need.  Text is escaped; sizes are pixels. */
#ifndef PL_BENCH_SVG_H
#define PL_BENCH_SVG_H

#include <stdio.h>

enum pl_svg_anchor { PL_SVG_START, PL_SVG_MIDDLE, PL_SVG_END };

void pl_svg_open(FILE *to, double width, double height, const char *title);
void pl_svg_close(FILE *to);
void pl_svg_rect(FILE *to, double x, double y, double width, double height, const char *fill);
void pl_svg_line(FILE *to, double x1, double y1, double x2, double y2, const char *stroke,
	double width, const char *dashes);
void pl_svg_circle(FILE *to, double x, double y, double radius, const char *fill);
void pl_svg_text(FILE *to, double x, double y, double size, enum pl_svg_anchor anchor,
	const char *fill, const char *text);
/** pl_svg_path() - a line through @n points, xy pairs */
void pl_svg_path(
	FILE *to, const double *xy, size_t n, const char *stroke, double width, const char *dashes);
void pl_svg_escape(FILE *to, const char *text);

#endif
