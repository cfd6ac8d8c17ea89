/* SPDX-License-Identifier: Apache-2.0 */
/* The promises, evaluated on the figures of one run.  Nothing here fails a test. */
#include "harness.h"
#include "report.h"
#include "stats.h"

#include <string.h>

enum goal_kind {
	ADDED_MAX, /* value - native <= bound, in the figure's unit */
	RATIO_MIN, /* value / native >= bound */
	RATIO_MAX,
	VALUE_MAX,   /* value <= bound */
	VALUE_MIN,   /* value >= bound */
	ADDED_TURNS, /* (value - native) / raw round trip <= bound */
	RAW_MIN,     /* value / the machine's own stream, beside it >= bound */
	PEER_MIN,    /* times better than the peer */
	OTHER_MIN,   /* times better than the mode `raw` */
};

struct goal {
	const char *mode, *figure;
	enum goal_kind kind;
	double bound;
	const char *raw; /* ADDED_TURNS: a raw figure; OTHER_MIN: a mode */
};

static const struct goal goals[] = {
	{ "shm", "null_kernel_finish", ADDED_MAX, 5, NULL },
	{ "shm", "enqueue_rate", RATIO_MIN, 0.9, NULL },
	{ "shm", "write_65536", RATIO_MIN, 0.95, NULL },
	{ "shm", "write_1048576", RATIO_MIN, 0.95, NULL },
	{ "shm", "write_16777216", RATIO_MIN, 0.95, NULL },
	{ "shm", "write_67108864", RATIO_MIN, 0.95, NULL },
	{ "shm", "read_65536", RATIO_MIN, 0.95, NULL },
	{ "shm", "read_1048576", RATIO_MIN, 0.95, NULL },
	{ "shm", "read_16777216", RATIO_MIN, 0.95, NULL },
	{ "shm", "read_67108864", RATIO_MIN, 0.95, NULL },
	{ "shm", "map_unmap_16777216", RATIO_MAX, 1.2, NULL },
	{ "shm", "rw4_kernel", ADDED_MAX, 8, NULL },
	{ "shm", "app_shoc_geomean", RATIO_MIN, 0.97, NULL },
	{ "shm", "app_clpeak", RATIO_MAX, 1.02, NULL },
	{ "shm", "asks_per_iteration", VALUE_MAX, 0, NULL },
	{ "tcp", "asks_per_iteration", VALUE_MAX, 0, NULL },
	{ "shm", "asks_per_read", VALUE_MAX, 1, NULL },
	{ "tcp", "asks_per_read", VALUE_MAX, 1, NULL },
	{ "shm", "instructions_per_post", VALUE_MAX, 500, NULL },
	{ "tcp", "instructions_per_post", VALUE_MAX, 500, NULL },
	{ "tcp", "null_kernel_finish", ADDED_TURNS, 3, "raw_tcp_rtt_idle" },
	{ "tcp", "null_kernel_finish", ADDED_TURNS, 3, "raw_tcp_rtt_busy" },
	{ "tcp", "rw4_kernel", ADDED_TURNS, 4, "raw_tcp_rtt_idle" },
	{ "tcp", "rw4_kernel", ADDED_TURNS, 4, "raw_tcp_rtt_busy" },
	{ "tcp", "write_16777216", RAW_MIN, 0.9, NULL },
	{ "tcp", "write_67108864", RAW_MIN, 0.9, NULL },
	{ "tcp", "read_16777216", RAW_MIN, 0.9, NULL },
	{ "tcp", "read_67108864", RAW_MIN, 0.9, NULL },
	{ "tcp", "write_nb_8x16777216", RAW_MIN, 0.9, NULL },
	{ "refgpu", "kernels_geomean", VALUE_MIN, 0.25, NULL },
	{ "refgpu", "kernel_copy", RATIO_MAX, 12.5, NULL },
	{ "refgpu", "kernel_saxpy", RATIO_MAX, 12.5, NULL },
	{ "refgpu", "kernel_reduction", RATIO_MAX, 12.5, NULL },
	{ "refgpu", "kernel_transpose", RATIO_MAX, 12.5, NULL },
	{ "refgpu", "kernel_stencil", RATIO_MAX, 12.5, NULL },
	{ "refgpu", "kernel_matmul", RATIO_MAX, 12.5, NULL },
	{ "refgpu", "kernel_blackscholes", RATIO_MAX, 12.5, NULL },
	{ "refgpu", "kernel_nbody", RATIO_MAX, 12.5, NULL },
	{ "refgpu", "kernel_histogram", RATIO_MAX, 12.5, NULL },
	{ "refgpu", "kernels_geomean", OTHER_MIN, 1.8, "refgpu-1" }, /* on two cores */
	{ "tcp", "null_kernel_finish", PEER_MIN, 2, NULL },
	{ "tcp", "null_kernel_event", PEER_MIN, 2, NULL },
	{ "tcp", "rw4_kernel", PEER_MIN, 2, NULL },
	{ "tcp", "enqueue_rate", PEER_MIN, 2, NULL },
	{ "tcp", "write_4096", PEER_MIN, 2, NULL },
	{ "tcp", "write_65536", PEER_MIN, 2, NULL },
	{ "tcp", "write_1048576", PEER_MIN, 2, NULL },
	{ "tcp", "write_16777216", PEER_MIN, 2, NULL },
	{ "tcp", "write_67108864", PEER_MIN, 2, NULL },
	{ "tcp", "read_4096", PEER_MIN, 2, NULL },
	{ "tcp", "read_65536", PEER_MIN, 2, NULL },
	{ "tcp", "read_1048576", PEER_MIN, 2, NULL },
	{ "tcp", "read_16777216", PEER_MIN, 2, NULL },
	{ "tcp", "read_67108864", PEER_MIN, 2, NULL },
	{ "tcp", "write_nb_8x16777216", PEER_MIN, 2, NULL },
	{ "tcp", "map_unmap_16777216", PEER_MIN, 2, NULL },
	{ "shm", "app_binomial", RATIO_MAX, 1.01, NULL },
	{ "shm", "app_blackscholes", RATIO_MAX, 1.01, NULL },
	{ "shm", "app_matmul", RATIO_MAX, 1.01, NULL },
	{ "shm", "app_stereo", RATIO_MAX, 1.02, NULL },
	{ "shm", "app_radixsort", RATIO_MAX, 1.01, NULL },
	{ "tcp", "app_binomial", RATIO_MAX, 1.05, NULL },
	{ "tcp", "app_blackscholes", RATIO_MAX, 1.05, NULL },
	{ "tcp", "app_matmul", RATIO_MAX, 1.05, NULL },
	{ "tcp", "app_stereo", RATIO_MAX, 1.15, NULL },
	{ "tcp", "app_radixsort", RATIO_MAX, 1.05, NULL },
	{ "vm-ivshmem", "launch_sync", OTHER_MIN, 10, "vm-tcp" },
	{ "shm", "h2d_pinned_1048576", RATIO_MIN, 0.97, NULL },
	{ "shm", "h2d_pinned_16777216", RATIO_MIN, 0.97, NULL },
	{ "shm", "h2d_pinned_67108864", RATIO_MIN, 0.97, NULL },
	{ "shm", "h2d_pinned_268435456", RATIO_MIN, 0.97, NULL },
	{ "shm", "d2h_pinned_1048576", RATIO_MIN, 0.97, NULL },
	{ "shm", "d2h_pinned_16777216", RATIO_MIN, 0.97, NULL },
	{ "shm", "d2h_pinned_67108864", RATIO_MIN, 0.97, NULL },
	{ "shm", "d2h_pinned_268435456", RATIO_MIN, 0.97, NULL },
	{ "shm", "h2d_pageable_1048576", RATIO_MIN, 0.95, NULL },
	{ "shm", "h2d_pageable_16777216", RATIO_MIN, 0.95, NULL },
	{ "shm", "h2d_pageable_67108864", RATIO_MIN, 0.95, NULL },
	{ "shm", "h2d_pageable_268435456", RATIO_MIN, 0.95, NULL },
	{ "shm", "d2h_pageable_1048576", RATIO_MIN, 0.95, NULL },
	{ "shm", "d2h_pageable_16777216", RATIO_MIN, 0.95, NULL },
	{ "shm", "d2h_pageable_67108864", RATIO_MIN, 0.95, NULL },
	{ "shm", "d2h_pageable_268435456", RATIO_MIN, 0.95, NULL },
	{ "tcp", "h2d_pinned_1048576", RAW_MIN, 0.9, NULL },
	{ "tcp", "h2d_pinned_16777216", RAW_MIN, 0.9, NULL },
	{ "tcp", "h2d_pinned_67108864", RAW_MIN, 0.9, NULL },
	{ "tcp", "h2d_pinned_268435456", RAW_MIN, 0.9, NULL },
	{ "tcp", "d2h_pinned_1048576", RAW_MIN, 0.9, NULL },
	{ "tcp", "d2h_pinned_16777216", RAW_MIN, 0.9, NULL },
	{ "tcp", "d2h_pinned_67108864", RAW_MIN, 0.9, NULL },
	{ "tcp", "d2h_pinned_268435456", RAW_MIN, 0.9, NULL },
	{ "tcp", "h2d_pageable_1048576", RAW_MIN, 0.9, NULL },
	{ "tcp", "h2d_pageable_16777216", RAW_MIN, 0.9, NULL },
	{ "tcp", "h2d_pageable_67108864", RAW_MIN, 0.9, NULL },
	{ "tcp", "h2d_pageable_268435456", RAW_MIN, 0.9, NULL },
	{ "tcp", "d2h_pageable_1048576", RAW_MIN, 0.9, NULL },
	{ "tcp", "d2h_pageable_16777216", RAW_MIN, 0.9, NULL },
	{ "tcp", "d2h_pageable_67108864", RAW_MIN, 0.9, NULL },
	{ "tcp", "d2h_pageable_268435456", RAW_MIN, 0.9, NULL },
	{ "shm", "asks_per_step", VALUE_MAX, 1, NULL },
	{ "tcp", "asks_per_step", VALUE_MAX, 1, NULL },
	{ "shm", "instructions_per_launch", VALUE_MAX, 700, NULL },
	{ "tcp", "instructions_per_launch", VALUE_MAX, 700, NULL },
	{ "tcp", "launch_sync", OTHER_MIN, 2, "lupine" },
	{ "tcp", "launch_post", OTHER_MIN, 2, "lupine" },
	{ "tcp", "launch_rate", OTHER_MIN, 2, "lupine" },
	{ "tcp", "copy4_kernel", OTHER_MIN, 2, "lupine" },
	{ "tcp", "module_load", OTHER_MIN, 2, "lupine" },
	{ "tcp", "eager_step", OTHER_MIN, 2, "lupine" },
	{ "tcp", "h2d_pinned_4", OTHER_MIN, 2, "lupine" },
	{ "tcp", "d2h_pinned_4", OTHER_MIN, 2, "lupine" },
	{ "tcp", "h2d_pageable_4", OTHER_MIN, 2, "lupine" },
	{ "tcp", "d2h_pageable_4", OTHER_MIN, 2, "lupine" },
	{ "tcp", "h2d_pinned_4096", OTHER_MIN, 2, "lupine" },
	{ "tcp", "d2h_pinned_4096", OTHER_MIN, 2, "lupine" },
	{ "tcp", "h2d_pageable_4096", OTHER_MIN, 2, "lupine" },
	{ "tcp", "d2h_pageable_4096", OTHER_MIN, 2, "lupine" },
	{ "tcp", "h2d_pinned_65536", OTHER_MIN, 1.5, "lupine" },
	{ "tcp", "d2h_pinned_65536", OTHER_MIN, 1.5, "lupine" },
	{ "tcp", "h2d_pageable_65536", OTHER_MIN, 1.5, "lupine" },
	{ "tcp", "d2h_pageable_65536", OTHER_MIN, 1.5, "lupine" },
	{ "tcp", "h2d_pinned_1048576", OTHER_MIN, 1.5, "lupine" },
	{ "tcp", "d2h_pinned_1048576", OTHER_MIN, 1.5, "lupine" },
	{ "tcp", "h2d_pageable_1048576", OTHER_MIN, 1.5, "lupine" },
	{ "tcp", "d2h_pageable_1048576", OTHER_MIN, 1.5, "lupine" },
	{ "tcp", "h2d_pinned_16777216", OTHER_MIN, 1.5, "lupine" },
	{ "tcp", "d2h_pinned_16777216", OTHER_MIN, 1.5, "lupine" },
	{ "tcp", "h2d_pageable_16777216", OTHER_MIN, 1.5, "lupine" },
	{ "tcp", "d2h_pageable_16777216", OTHER_MIN, 1.5, "lupine" },
	{ "tcp", "h2d_pinned_67108864", OTHER_MIN, 1.5, "lupine" },
	{ "tcp", "d2h_pinned_67108864", OTHER_MIN, 1.5, "lupine" },
	{ "tcp", "h2d_pageable_67108864", OTHER_MIN, 1.5, "lupine" },
	{ "tcp", "d2h_pageable_67108864", OTHER_MIN, 1.5, "lupine" },
	{ "tcp", "h2d_pinned_268435456", OTHER_MIN, 1.5, "lupine" },
	{ "tcp", "d2h_pinned_268435456", OTHER_MIN, 1.5, "lupine" },
	{ "tcp", "h2d_pageable_268435456", OTHER_MIN, 1.5, "lupine" },
	{ "tcp", "d2h_pageable_268435456", OTHER_MIN, 1.5, "lupine" },
};

static const struct pl_bench_figure *figure_find(const struct pl_bench_run *run, const char *name)
{
	for (size_t f = 0; f < run->n_figures; f++)
		if (!strcmp(run->figures[f].name, name))
			return &run->figures[f];
	return NULL;
}

/* What a goal compares with: native, the machine itself, or the peer.  NULL: nothing was measured. */
static const struct pl_bench_cell *other_find(
	const struct pl_bench_run *run, const struct goal *goal)
{
	if (goal->kind == RAW_MIN)
		return pl_bench_find(run, goal->figure, "raw");
	if (goal->kind == PEER_MIN)
		return pl_bench_find(run, goal->figure, "peer");
	if (goal->kind == OTHER_MIN)
		return pl_bench_find(run, goal->figure, goal->raw);
	return pl_bench_find(run, goal->figure, "native");
}

/* Return: false when this run cannot tell. */
static bool goal_value(const struct pl_bench_run *run, const struct goal *goal,
	const struct pl_bench_figure *figure, double *value_out)
{
	const struct pl_bench_cell *mine = pl_bench_find(run, goal->figure, goal->mode);
	const struct pl_bench_cell *other = other_find(run, goal), *raw;
	double a = mine ? mine->stats.median : 0, b = other ? other->stats.median : 0;

	if (!mine || (goal->kind != VALUE_MAX && goal->kind != VALUE_MIN && b <= 0))
		return false;
	switch (goal->kind) {
	case VALUE_MAX:
	case VALUE_MIN: *value_out = a; return true;
	case ADDED_MAX: *value_out = a - b; return true;
	case RATIO_MIN:
	case RATIO_MAX:
	case RAW_MIN: *value_out = a / b; return true;
	case ADDED_TURNS:
		raw = pl_bench_find(run, goal->raw, "raw");
		if (!raw || raw->stats.median <= 0)
			return false;
		*value_out = (a - b) / raw->stats.median;
		return true;
	case PEER_MIN:
	case OTHER_MIN:
		*value_out = pl_bench_unit_more_is_better(figure->unit) ? a / b : b / a;
		return true;
	}
	return false;
}

static bool is_least(const struct goal *goal)
{
	return goal->kind == VALUE_MIN || goal->kind == RATIO_MIN || goal->kind == RAW_MIN || goal->kind == PEER_MIN ||
	       goal->kind == OTHER_MIN;
}

static bool is_met(const struct goal *goal, double value)
{
	return is_least(goal) ? value >= goal->bound : value <= goal->bound;
}

/* Return: the rounds tell where the value lies. */
static bool interval_of(const struct pl_bench_run *run, const struct goal *goal, double *low_out, double *high_out)
{
	const struct pl_bench_cell *mine = pl_bench_find(run, goal->figure, goal->mode), *other = other_find(run, goal);
	double pairs[PL_BENCH_ROUNDS_MAX];

	*low_out = mine->ratio_low;
	*high_out = mine->ratio_high;
	if (goal->kind == RAW_MIN)
		return !pl_bench_median_interval(pairs, pl_bench_pairs(mine, other, pairs), low_out, high_out);
	return (goal->kind == RATIO_MIN || goal->kind == RATIO_MAX) && mine->ratio_high > 0;
}

/* A goal that is missed by less than the rounds can tell is undecided. */
static void goal_describe(const struct pl_bench_run *run, const struct goal *goal,
	const struct pl_bench_figure *figure, double value, struct pl_bench_goal_result *result_out)
{
	static const char *const what[] = {
		[ADDED_MAX] = "added to native",
		[RATIO_MIN] = "of native",
		[RATIO_MAX] = "of native",
		[VALUE_MAX] = "count",
		[VALUE_MIN] = "at least",
		[ADDED_TURNS] = "added to native, in",
		[RAW_MIN] = "of the raw stream",
		[PEER_MIN] = "times better than the peer",
		[OTHER_MIN] = "times better than",
	};
	bool plain = goal->kind == VALUE_MAX || goal->kind == VALUE_MIN || goal->kind == ADDED_TURNS;
	const char *unit = goal->kind == ADDED_MAX ? pl_bench_unit_name(figure->unit) : plain ? "" : "x";
	bool least = is_least(goal);
	double low, high;

	snprintf(result_out->text, sizeof(result_out->text), "%s %s, %s%s%s", goal->mode,
		goal->figure, what[goal->kind], goal->raw ? " " : "", goal->raw ? goal->raw : "");
	snprintf(result_out->bound, sizeof(result_out->bound), "%s %g %s",
		least ? ">=" : "<=", goal->bound, unit);
	snprintf(result_out->value, sizeof(result_out->value), "%.3g %s", value, unit);
	result_out->verdict = is_met(goal, value) ? PL_BENCH_MET : PL_BENCH_MISSED;
	if (!interval_of(run, goal, &low, &high))
		return;
	snprintf(result_out->value, sizeof(result_out->value), "%.3g %s (%.3g to %.3g)", value, unit, low, high);
	if (result_out->verdict == PL_BENCH_MISSED && is_met(goal, least ? high : low))
		result_out->verdict = PL_BENCH_UNDECIDED;
}

const char *pl_bench_verdict_text(enum pl_bench_verdict verdict)
{
	static const char *const texts[] = { [PL_BENCH_MISSED] = "MISSED",
					     [PL_BENCH_MET] = "met",
					     [PL_BENCH_UNDECIDED] = "undecided: more rounds" };

	return texts[verdict];
}

bool pl_bench_goal_next(
	const struct pl_bench_run *run, size_t *at, struct pl_bench_goal_result *result_out)
{
	double value;

	while (*at < sizeof(goals) / sizeof(goals[0])) {
		const struct goal *goal = &goals[(*at)++];
		const struct pl_bench_figure *figure = figure_find(run, goal->figure);

		if (!figure || !goal_value(run, goal, figure, &value))
			continue;
		goal_describe(run, goal, figure, value, result_out);
		return true;
	}
	return false;
}
