/* SPDX-License-Identifier: Apache-2.0 */
#undef NDEBUG
#include "plot.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct pl_plot_series series[] = {
	{ "shm", "#0072b2", NULL },
	{ "tcp & <co>", "#e69f00", NULL },
};

static size_t count(const char *text, const char *word)
{
	size_t n = 0;

	for (; (text = strstr(text, word)); text += strlen(word))
		n++;
	return n;
}

static char *bars_text(const struct pl_plot_bars *bars, int *r_out)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	assert(f);
	*r_out = pl_plot_bars(f, bars);
	fclose(f);
	return text;
}

static void test_absent_values_draw_no_bar(void)
{
	const struct pl_plot_group groups[] = {
		{ .label = "one", .value = { 0.5, NAN } },
		{ .label = "two", .value = { 2, 0.01 } },
		{ .label = "none", .value = { 0, -1 } },
	};
	const struct pl_plot_bars bars = { .title = "t",
		.subtitle = "s",
		.axis = "a",
		.base = 1,
		.suffix = "x",
		.series = series,
		.n_series = 2,
		.groups = groups,
		.n_groups = 3 };
	int r;
	char *text = bars_text(&bars, &r);

	assert(r == PL_PLOT_OK);
	assert(count(text, "<rect") == 1 + 2 + 3); /* background, legend, bars */
	assert(strstr(text, ">one<") && strstr(text, ">two<") && !strstr(text, ">none<"));
	assert(strstr(text, "tcp &amp; &lt;co&gt;") && !strstr(text, "<co>"));
	assert(!strstr(text, "nan") && !strstr(text, "inf"));
	assert(strstr(text, "</svg>"));
	free(text);
}

static void test_nothing_to_draw_writes_nothing(void)
{
	const struct pl_plot_group group = { .label = "x", .value = { NAN, NAN } };
	const struct pl_plot_bars bars = { .title = "t",
		.subtitle = "",
		.axis = "",
		.suffix = "",
		.series = series,
		.n_series = 2,
		.groups = &group,
		.n_groups = 1 };
	int r;
	char *text = bars_text(&bars, &r);

	assert(r == PL_PLOT_E_EMPTY && !text[0]);
	free(text);
}

static void test_one_value_still_has_an_axis(void)
{
	const struct pl_plot_group group = { .label = "x", .value = { 1, NAN } };
	const struct pl_plot_bars bars = { .title = "t",
		.subtitle = "",
		.axis = "",
		.base = 1,
		.suffix = "",
		.series = series,
		.n_series = 2,
		.groups = &group,
		.n_groups = 1 };
	int r;
	char *text = bars_text(&bars, &r);

	assert(r == PL_PLOT_OK && !strstr(text, "nan") && !strstr(text, "inf"));
	free(text);
}

static void test_too_many_series_are_refused(void)
{
	const struct pl_plot_bars bars = { .n_series = PL_PLOT_SERIES_MAX + 1, .series = series };
	int r;
	char *text = bars_text(&bars, &r);

	assert(r == PL_PLOT_E_LIMIT && !text[0]);
	free(text);
}

static void test_lines_have_a_point_per_value(void)
{
	const struct pl_plot_panel panel = { .title = "write",
		.n_curves = 1,
		.curves = { { .series = series,
			.x = { 4096, 65536, 1048576 },
			.y = { 0.3, NAN, 20 },
			.n = 3 } } };
	const struct pl_plot_lines lines = { .title = "t",
		.subtitle = "s",
		.x_axis = "x",
		.y_axis = "y",
		.panels = &panel,
		.n_panels = 1 };
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	assert(f && pl_plot_lines(f, &lines) == PL_PLOT_OK);
	fclose(f);
	assert(count(text, "<circle") == 2 && strstr(text, ">4 KiB<") && strstr(text, ">1 MiB<"));
	assert(!strstr(text, "nan"));
	free(text);
}

static void test_numbers_keep_three_digits(void)
{
	static const struct {
		double value;
		const char *text;
	} cases[] = { { 0.954, "0.95" }, { 12.34, "12.3" }, { 1234, "1234" }, { 570123, "570k" },
		{ 0.0123, "0.012" }, { 99.96, "100" }, { 9.999, "10.0" }, { 0, "0.00" },
		{ NAN, "-" } };
	char text[32];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		pl_plot_number(cases[i].value, text, sizeof(text));
		assert(!strcmp(text, cases[i].text));
	}
}

int main(void)
{
	test_absent_values_draw_no_bar();
	test_nothing_to_draw_writes_nothing();
	test_one_value_still_has_an_axis();
	test_too_many_series_are_refused();
	test_lines_have_a_point_per_value();
	test_numbers_keep_three_digits();
	return 0;
}
