/* SPDX-License-Identifier: Apache-2.0 */
#include "stats.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int pl_bench_samples_add(struct pl_bench_samples *s, double value)
{
	double *v;
	size_t cap;

	if (s->n >= PL_BENCH_SAMPLES_MAX)
		return -E2BIG;
	if (s->n == s->cap) {
		cap = s->cap ? s->cap * 2 : 256;
		v = realloc(s->v, cap * sizeof(*v));
		if (!v)
			return -ENOMEM;
		s->v = v;
		s->cap = cap;
	}
	s->v[s->n++] = value;
	return 0;
}

void pl_bench_samples_fini(struct pl_bench_samples *s)
{
	free(s->v);
	*s = (struct pl_bench_samples){ 0 };
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* @sorted holds n >= 1 values, 0 <= share <= 1. */
static double percentile(const double *sorted, size_t n, double share)
{
	double at = share * (double)(n - 1);
	size_t i = (size_t)at;

	if (i + 1 >= n)
		return sorted[n - 1];
	return sorted[i] + (at - (double)i) * (sorted[i + 1] - sorted[i]);
}

/* Return: a sorted copy, the caller's to free; *r_out says why there is none. */
static double *sorted_of(const double *v, size_t n, int *r_out)
{
	double *sorted;

	*r_out = PL_BENCH_STATS_E_VALUE;
	for (size_t i = 0; i < n; i++)
		if (!isfinite(v[i]) || v[i] < 0)
			return NULL;
	sorted = malloc(n * sizeof(*sorted));
	*r_out = sorted ? 0 : -ENOMEM;
	if (!sorted)
		return NULL;
	memcpy(sorted, v, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), compare);
	return sorted;
}

int pl_bench_stats_of(const double *v, size_t n, struct pl_bench_stats *stats_out)
{
	double *sorted, sum = 0;
	int r;

	if (!n)
		return PL_BENCH_STATS_E_EMPTY;
	sorted = sorted_of(v, n, &r);
	if (!sorted)
		return r;
	for (size_t i = 0; i < n; i++)
		sum += v[i];
	*stats_out = (struct pl_bench_stats){
		.median = percentile(sorted, n, 0.5),
		.p10 = percentile(sorted, n, 0.1),
		.p90 = percentile(sorted, n, 0.9),
		.min = sorted[0],
		.max = sorted[n - 1],
		.mean = sum / (double)n,
		.n = n,
	};
	free(sorted);
	return 0;
}

/* How many values at each end may be left out: as many or fewer lie on one side of the median in 2.5 % of all draws. */
static size_t left_out(size_t n)
{
	double all = 0;
	size_t k = 0;

	for (;; k++) { /* all: P(at most k of n on one side) */
		all += exp(lgamma((double)n + 1) - lgamma((double)k + 1) - lgamma((double)(n - k) + 1) -
			   (double)n * log(2));
		if (all > 0.025)
			return k;
	}
}

int pl_bench_median_interval(const double *v, size_t n, double *low_out, double *high_out)
{
	double *sorted;
	size_t k;
	int r;

	if (n < 6)
		return PL_BENCH_STATS_E_EMPTY;
	sorted = sorted_of(v, n, &r);
	if (!sorted)
		return r;
	k = left_out(n);
	*low_out = sorted[k - 1];
	*high_out = sorted[n - k];
	free(sorted);
	return 0;
}

int pl_bench_geomean(const double *v, size_t n, double *mean_out)
{
	double sum = 0;

	if (!n)
		return PL_BENCH_STATS_E_EMPTY;
	for (size_t i = 0; i < n; i++) {
		if (!isfinite(v[i]) || v[i] <= 0)
			return PL_BENCH_STATS_E_VALUE;
		sum += log(v[i]);
	}
	*mean_out = exp(sum / (double)n);
	return 0;
}
