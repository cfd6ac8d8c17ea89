/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Order statistics of one figure's samples.
 * Percentiles interpolate linearly between neighbours.  Nothing here allocates
 * except the sample list, and nothing touches its outputs on failure.
 */
#ifndef PL_BENCH_STATS_H
#define PL_BENCH_STATS_H

#include <stddef.h>

#define PL_BENCH_SAMPLES_MAX 1000000u /* limit: bounds what a worker can make us hold */

enum {
	PL_BENCH_STATS_OK,
	PL_BENCH_STATS_E_EMPTY, /* no sample */
	PL_BENCH_STATS_E_VALUE, /* a sample is negative, infinite or not a number */
};

struct pl_bench_stats {
	double median, p10, p90, min, max, mean;
	size_t n;
};

/* Growing list of samples; zero-initialised is empty. */
struct pl_bench_samples {
	double *v;
	size_t n, cap;
};

/** pl_bench_samples_add() - append one sample
 * Return: 0, -ENOMEM, or -E2BIG above PL_BENCH_SAMPLES_MAX. */
int pl_bench_samples_add(struct pl_bench_samples *s, double value);
void pl_bench_samples_fini(struct pl_bench_samples *s);

/** pl_bench_stats_of() - sort a copy of @v and summarise it
 * Return: 0, PL_BENCH_STATS_E_*, or -ENOMEM. */
int pl_bench_stats_of(const double *v, size_t n, struct pl_bench_stats *stats_out);

/** pl_bench_median_interval() - where the median lies of that which @v was drawn from, in 95 of 100 such draws
 * By the order of the values alone (binomial), whatever their distribution.
 * Return: 0, PL_BENCH_STATS_E_EMPTY for fewer than 6 values, which can not say, PL_BENCH_STATS_E_VALUE, or -ENOMEM. */
int pl_bench_median_interval(const double *v, size_t n, double *low_out, double *high_out);

/** pl_bench_geomean() - geometric mean of positive values
 * Return: 0, or PL_BENCH_STATS_E_*. */
int pl_bench_geomean(const double *v, size_t n, double *mean_out);

#endif
