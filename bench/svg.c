/* SPDX-License-Identifier: Apache-2.0 */
#include "svg.h"

void pl_svg_escape(FILE *to, const char *text)
{
	for (; *text; text++) {
		if (*text == '<')
			fputs("&lt;", to);
		else if (*text == '>')
			fputs("&gt;", to);
		else if (*text == '&')
			fputs("&amp;", to);
		else if (*text == '"')
			fputs("&quot;", to);
		else if ((unsigned char)*text >= ' ')
			fputc(*text, to);
	}
}

void pl_svg_open(FILE *to, double width, double height, const char *title)
{
	fprintf(to,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
		"viewBox=\"0 0 %.0f %.0f\" font-family=\"Helvetica, Arial, 'DejaVu Sans', "
		"sans-serif\" role=\"img\">\n<title>",
		width, height, width, height);
	pl_svg_escape(to, title);
	fputs("</title>\n", to);
	pl_svg_rect(to, 0, 0, width, height, "#ffffff");
}

void pl_svg_close(FILE *to)
{
	fputs("</svg>\n", to);
}

void pl_svg_rect(FILE *to, double x, double y, double width, double height, const char *fill)
{
	fprintf(to, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"/>\n", x,
		y, width, height, fill);
}

void pl_svg_line(FILE *to, double x1, double y1, double x2, double y2, const char *stroke,
	double width, const char *dashes)
{
	fprintf(to,
		"<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" "
		"stroke-width=\"%.1f\"",
		x1, y1, x2, y2, stroke, width);
	if (dashes)
		fprintf(to, " stroke-dasharray=\"%s\"", dashes);
	fputs("/>\n", to);
}

void pl_svg_circle(FILE *to, double x, double y, double radius, const char *fill)
{
	fprintf(to,
		"<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" fill=\"%s\" stroke=\"#ffffff\" "
		"stroke-width=\"1\"/>\n",
		x, y, radius, fill);
}

void pl_svg_text(FILE *to, double x, double y, double size, enum pl_svg_anchor anchor,
	const char *fill, const char *text)
{
	static const char *const anchors[] = { "start", "middle", "end" };

	fprintf(to,
		"<text x=\"%.1f\" y=\"%.1f\" font-size=\"%.1f\" text-anchor=\"%s\" fill=\"%s\">", x,
		y, size, anchors[anchor], fill);
	pl_svg_escape(to, text);
	fputs("</text>\n", to);
}

void pl_svg_path(
	FILE *to, const double *xy, size_t n, const char *stroke, double width, const char *dashes)
{
	if (!n)
		return;
	fputs("<polyline fill=\"none\" stroke-linejoin=\"round\" points=\"", to);
	for (size_t i = 0; i < n; i++)
		fprintf(to, "%s%.1f,%.1f", i ? " " : "", xy[2 * i], xy[2 * i + 1]);
	fprintf(to, "\" stroke=\"%s\" stroke-width=\"%.1f\"", stroke, width);
	if (dashes)
		fprintf(to, " stroke-dasharray=\"%s\"", dashes);
	fputs("/>\n", to);
}
