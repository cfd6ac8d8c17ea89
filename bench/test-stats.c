/* SPDX-License-Identifier: Apache-2.0 */
#undef NDEBUG
#include "stats.h"

#include <assert.h>
#include <math.h>

static int near(double a, double b)
{
	return fabs(a - b) < 1e-9;
}

static void test_percentiles_interpolate(void)
{
	const double v[] = { 5, 1, 4, 2, 3 };
	struct pl_bench_stats s;

	assert(pl_bench_stats_of(v, 5, &s) == 0);
	assert(near(s.median, 3) && near(s.p10, 1.4) && near(s.p90, 4.6));
	assert(near(s.min, 1) && near(s.max, 5) && near(s.mean, 3) && s.n == 5);
	assert(v[0] == 5); /* the input keeps its order */
}

static void test_one_sample_is_its_own_summary(void)
{
	const double v = 7;
	struct pl_bench_stats s;

	assert(pl_bench_stats_of(&v, 1, &s) == 0);
	assert(near(s.median, 7) && near(s.p10, 7) && near(s.p90, 7));
}

static void test_even_count_takes_the_middle(void)
{
	const double v[] = { 1, 10, 2, 4 };
	struct pl_bench_stats s;

	assert(pl_bench_stats_of(v, 4, &s) == 0);
	assert(near(s.median, 3));
}

static void test_samples_that_lie_are_reported(void)
{
	const double bad[][2] = { { 1, NAN }, { 1, INFINITY }, { 1, -1 } };
	struct pl_bench_stats s = { .n = 42 };
	double mean = 42;

	assert(pl_bench_stats_of(NULL, 0, &s) == PL_BENCH_STATS_E_EMPTY);
	for (int i = 0; i < 3; i++) {
		assert(pl_bench_stats_of(bad[i], 2, &s) == PL_BENCH_STATS_E_VALUE);
		assert(pl_bench_geomean(bad[i], 2, &mean) == PL_BENCH_STATS_E_VALUE);
	}
	assert(pl_bench_geomean(NULL, 0, &mean) == PL_BENCH_STATS_E_EMPTY);
	assert(s.n == 42 && mean == 42); /* outputs untouched on failure */
}

/* The ranks of the sign test's tables: the 1st of 6 to 8, the 2nd of 9 to 11, the 6th of 20, the 40th of 100. */
static void test_the_median_lies_between_ranks(void)
{
	static const struct {
		size_t n, rank;
	} ranks[] = { { 6, 1 }, { 8, 1 }, { 9, 2 }, { 10, 2 }, { 11, 2 }, { 12, 3 }, { 20, 6 }, { 100, 40 } };
	double v[100], low = 42, high = 42;

	for (size_t i = 0; i < 100; i++)
		v[i] = (double)(i * 37 % 100 + 1);
	assert(pl_bench_median_interval(v, 5, &low, &high) == PL_BENCH_STATS_E_EMPTY && low == 42 && high == 42);
	for (size_t i = 0; i < sizeof(ranks) / sizeof(ranks[0]); i++) {
		for (size_t k = 0; k < ranks[i].n; k++) /* 1 to n, in some order */
			v[k] = ranks[i].n == 100 ? (double)(k * 37 % 100 + 1) : (double)(ranks[i].n - k);
		assert(pl_bench_median_interval(v, ranks[i].n, &low, &high) == 0);
		assert(near(low, (double)ranks[i].rank) && near(high, (double)(ranks[i].n + 1 - ranks[i].rank)));
	}
	v[3] = NAN;
	assert(pl_bench_median_interval(v, 10, &low, &high) == PL_BENCH_STATS_E_VALUE);
}

static void test_geomean_of_reciprocals_is_one(void)
{
	const double v[] = { 4, 0.25, 1 };
	double mean;

	assert(pl_bench_geomean(v, 3, &mean) == 0 && near(mean, 1));
}

static void test_sample_list_is_bounded(void)
{
	struct pl_bench_samples s = { 0 };

	for (unsigned i = 0; i < PL_BENCH_SAMPLES_MAX; i++)
		assert(pl_bench_samples_add(&s, i) == 0);
	assert(pl_bench_samples_add(&s, 1) < 0);
	assert(s.n == PL_BENCH_SAMPLES_MAX && s.v[77] == 77);
	pl_bench_samples_fini(&s);
	pl_bench_samples_fini(&s);
	assert(s.n == 0);
}

int main(void)
{
	test_percentiles_interpolate();
	test_one_sample_is_its_own_summary();
	test_even_count_takes_the_middle();
	test_samples_that_lie_are_reported();
	test_the_median_lies_between_ranks();
	test_geomean_of_reciprocals_is_one();
	test_sample_list_is_bounded();
	return 0;
}
