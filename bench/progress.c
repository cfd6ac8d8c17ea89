/* SPDX-License-Identifier: Apache-2.0 */
/* What a person sees while the figures are taken; always on stderr. */
#include "harness.h"

#include <stdarg.h>
#include <unistd.h>

#define CLEAR_LINE "\r\033[K"

void pl_bench_progress(const struct pl_bench_run *run, const char *format, ...)
{
	va_list args;

	if (run->config->quiet || !isatty(2))
		return;
	fputs(CLEAR_LINE, stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fflush(stderr);
}

void pl_bench_note(const struct pl_bench_run *run, const char *format, ...)
{
	va_list args;

	if (run->config->quiet)
		return;
	if (isatty(2))
		fputs(CLEAR_LINE, stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

void pl_bench_figure_note(struct pl_bench_run *run, size_t figure)
{
	char line[512] = "";
	size_t n = 0;

	if (run->config->quiet || isatty(2))
		return;
	for (unsigned m = 0; m < run->n_modes; m++) {
		struct pl_bench_cell *cell = pl_bench_cell(run, figure, m);
		struct pl_bench_stats stats;
		int k = 0;

		if (cell->state == PL_BENCH_FAILED)
			k = snprintf(line + n, sizeof(line) - n, "  %s failed", run->modes[m].name);
		else if (!pl_bench_stats_of(cell->samples.v, cell->samples.n, &stats))
			k = snprintf(line + n, sizeof(line) - n, "  %s %.4g", run->modes[m].name,
				stats.median);
		if (k < 0 || n + (size_t)k >= sizeof(line))
			break;
		n += (size_t)k;
	}
	if (line[0])
		pl_bench_note(run, "%-24s %-4s%s", run->figures[figure].name,
			pl_bench_unit_name(run->figures[figure].unit), line);
}
