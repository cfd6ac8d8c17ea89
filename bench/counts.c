/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts per operation: the difference of two runs with N and 2N turns of a
 * steady loop, so that start, build and end cancel out.  Counters come from the
 * client (PLENUM_STATS=FILE, written when it ends), instructions from callgrind.
 */
#include "harness.h"
#include "modes.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT_TURNS 1000u
#define CALLGRIND_TURNS 2000u
#define PAIRS 3u
#define RUN_LIMIT_S 120u
#define LOG_BYTES_MAX (1u << 20)
#define WHY_BYTES 320u

/* In a guest OpenCL's loops only. */
static bool mode_counts(const struct pl_bench_run *run, const struct pl_bench_mode *mode)
{
	bool guest = mode->kind == PL_BENCH_VM && !pl_bench_is_cuda(run);

	return mode->active && (guest || mode->kind == PL_BENCH_SHM || mode->kind == PL_BENCH_TCP);
}

/* Run a program in a mode's environment to its end. Return: 0, -EINTR, or 1 with why. */
static int program_run(struct pl_bench_run *run, struct pl_bench_mode *mode,
	const char *const *argv, const char *stats, char *why)
{
	struct pl_bench_env env = { 0 };
	struct pl_bench_proc proc = { 0 };
	struct pl_bench_spawn spawn = { .argv = (char *const *)argv, .ready_fd = -1 };
	uint64_t deadline = pl_bench_now_ns() + RUN_LIMIT_S * 1000000000ull;
	char log[PATH_MAX];
	int r;

	if (deadline > run->config->deadline_ns)
		deadline = run->config->deadline_ns;
	snprintf(log, sizeof(log), "%s/%s-worker.log", run->config->run_dir, mode->name);
	spawn.log = log;
	r = pl_bench_env_copy(&env, mode->env.v);
	if (!r && stats)
		r = pl_bench_env_set(&env, "PLENUM_STATS", stats);
	spawn.envp = env.v;
	if (!r)
		r = pl_bench_proc_start(&proc, &spawn);
	if (!r)
		r = pl_bench_proc_wait(&proc, deadline);
	pl_bench_proc_end(&proc, 200);
	pl_bench_env_fini(&env);
	if (!r || r == -EINTR)
		return r;
	if (r == -ETIMEDOUT)
		pl_bench_mode_why(run, mode, "%.180s: not done in time", argv[0]);
	else
		pl_bench_mode_why(run, mode, "%.180s ended with %d%s%s", argv[0], r < 0 ? -r : r,
			r < 0 ? ": " : "", r < 0 ? strerror(-r) : "");
	snprintf(why, WHY_BYTES, "%s", mode->why);
	return 1;
}

static int counters_read(const char *path, struct json_object **counters_out, char *why)
{
	struct json_object *counters = json_object_from_file(path);

	unlink(path);
	if (!counters || !json_object_is_type(counters, json_type_object)) {
		json_object_put(counters);
		snprintf(why, WHY_BYTES,
			"the client wrote no counters (PLENUM_STATS): was Plenum's driver loaded?");
		return 1;
	}
	*counters_out = counters;
	return 0;
}

/* What a guest writes to files stays there: its counters come among its messages. */
static struct json_object *counters_find(const char *log)
{
	char *text = calloc(1, LOG_BYTES_MAX + 1), *at = NULL;
	struct json_object *counters;
	FILE *f = text ? fopen(log, "re") : NULL;

	if (f) {
		(void)!fread(text, 1, LOG_BYTES_MAX, f);
		fclose(f);
		at = strstr(text, "{\"asks\"");
	}
	counters = at ? json_tokener_parse(at) : NULL;
	free(text);
	return counters;
}

static int guest_loop_run(struct pl_bench_run *run, struct pl_bench_mode *mode, const char *loop,
	const char *count, struct json_object **counters_out, char *why)
{
	const char *argv[] = { run->config->plenum_path, "vm", "--link",
		mode->link[0] ? mode->link : "tcp", "run", "-n",
		"--", run->config->worker_path, "--count", loop, count, NULL };
	char log[PATH_MAX];
	int r;

	snprintf(log, sizeof(log), "%s/%s-worker.log", run->config->run_dir, mode->name);
	unlink(log);
	r = program_run(run, mode, argv, "/dev/stderr", why);
	if (r)
		return r;
	*counters_out = counters_find(log);
	if (*counters_out)
		return 0;
	snprintf(why, WHY_BYTES, "the guest's client wrote no counters");
	return 1;
}

static int loop_run(struct pl_bench_run *run, struct pl_bench_mode *mode, const char *loop,
	unsigned turns, struct json_object **counters_out, char *why)
{
	char path[PATH_MAX], count[16];
	const char *argv[] = { pl_bench_is_cuda(run) ? run->config->cuda_worker_path : run->config->worker_path,
		"--count", loop, count, NULL };
	int r;

	snprintf(count, sizeof(count), "%u", turns);
	if (mode->kind == PL_BENCH_VM)
		return guest_loop_run(run, mode, loop, count, counters_out, why);
	snprintf(path, sizeof(path), "%s/stats.json", run->config->run_dir);
	r = program_run(run, mode, argv, path, why);
	return r ? r : counters_read(path, counters_out, why);
}

/* How often the shorter run turns: what one turn costs decides. */
static unsigned loop_turns(const struct pl_bench_run *run, const char *loop)
{
	for (size_t f = 0; f < run->n_figures; f++)
		if (run->figures[f].kind == PL_BENCH_COUNT && run->wanted[f] &&
			!strcmp(run->figures[f].arg, loop) && run->figures[f].turns)
			return run->figures[f].turns;
	return COUNT_TURNS;
}

/* Book one pair's difference into every wanted figure of this loop. */
static void pair_book(struct pl_bench_run *run, unsigned m, const char *loop,
	struct json_object *once, struct json_object *twice)
{
	for (size_t f = 0; f < run->n_figures; f++) {
		const struct pl_bench_figure *figure = &run->figures[f];
		struct pl_bench_cell *cell = pl_bench_cell(run, f, m);
		struct pl_bench_samples sample = { 0 };
		struct json_object *a, *b;
		double difference;

		if (figure->kind != PL_BENCH_COUNT || !run->wanted[f] || strcmp(figure->arg, loop))
			continue;
		if (!json_object_object_get_ex(once, figure->key, &a) ||
			!json_object_object_get_ex(twice, figure->key, &b)) {
			pl_bench_cell_fail(cell, "the client's counters lack this one");
			continue;
		}
		difference = json_object_get_double(b) - json_object_get_double(a);
		if (difference < 0)
			difference = 0; /* sleeps and wake-ups vary from run to run */
		if (!pl_bench_samples_add(&sample, difference / loop_turns(run, loop)))
			pl_bench_cell_round(cell, &sample);
		pl_bench_samples_fini(&sample);
	}
}

static void loop_fail(struct pl_bench_run *run, unsigned m, const char *loop, const char *why)
{
	for (size_t f = 0; f < run->n_figures; f++)
		if (run->figures[f].kind == PL_BENCH_COUNT && run->wanted[f] &&
			!strcmp(run->figures[f].arg, loop))
			pl_bench_cell_fail(pl_bench_cell(run, f, m), why);
}

static int loop_pairs(struct pl_bench_run *run, unsigned m, const char *loop)
{
	unsigned pairs = run->config->quick ? 1 : PAIRS;
	char why[WHY_BYTES] = "";
	int r = 0;

	for (unsigned i = 0; i < pairs && !r; i++) {
		struct json_object *once = NULL, *twice = NULL;

		pl_bench_progress(run, "counters of '%s'  pair %u of %u  %s", loop, i + 1, pairs,
			run->modes[m].name);
		r = loop_run(run, &run->modes[m], loop, loop_turns(run, loop), &once, why);
		if (!r)
			r = loop_run(run, &run->modes[m], loop, 2 * loop_turns(run, loop), &twice, why);
		if (!r)
			pair_book(run, m, loop, once, twice);
		json_object_put(once);
		json_object_put(twice);
	}
	if (r > 0)
		loop_fail(run, m, loop, why);
	return r < 0 ? r : 0;
}

/* Instructions of the calling thread; callgrind writes one file per thread. */
static int instructions_read(const char *path, double *count_out)
{
	char line[512];
	FILE *f = fopen(path, "re");
	int r = -1;

	if (!f)
		return -1;
	while (r && fgets(line, sizeof(line), f))
		if (sscanf(line, "summary: %lf", count_out) == 1)
			r = 0;
	fclose(f);
	return r;
}

static int callgrind_run(struct pl_bench_run *run, struct pl_bench_mode *mode, const char *valgrind,
	unsigned turns, double *count_out, char *why)
{
	char out[PATH_MAX], option[PATH_MAX + 32], count[16];
	/* Not the program's loop, nor the loader. */
	const char *only = pl_bench_is_cuda(run) ? "--collect-atstart=yes"
						 : "--toggle-collect=pl_cl_stub_clEnqueueNDRangeKernel";
	const char *argv[] = { valgrind, "-q", "--tool=callgrind", "--separate-threads=yes", only, option,
		pl_bench_is_cuda(run) ? run->config->cuda_worker_path : run->config->worker_path, "--count",
		"post", count, NULL };
	int r;

	snprintf(count, sizeof(count), "%u", turns);
	snprintf(out, sizeof(out), "%s/callgrind", run->config->run_dir);
	snprintf(option, sizeof(option), "--callgrind-out-file=%s", out);
	r = program_run(run, mode, argv, NULL, why);
	if (r)
		return r;
	snprintf(out, sizeof(out), "%s/callgrind-01", run->config->run_dir);
	if (instructions_read(out, count_out)) {
		snprintf(why, WHY_BYTES, "callgrind wrote no count of the calling thread");
		return 1;
	}
	return 0;
}

static int callgrind_figure(struct pl_bench_run *run, size_t f, unsigned m, const char *valgrind)
{
	struct pl_bench_cell *cell = pl_bench_cell(run, f, m);
	unsigned pairs = run->config->quick ? 1 : PAIRS;
	struct pl_bench_samples all = { 0 };
	char why[WHY_BYTES] = "";
	double once, twice;
	int r = 0;

	for (unsigned i = 0; i < pairs && !r; i++) {
		pl_bench_progress(
			run, "callgrind  pair %u of %u  %s", i + 1, pairs, run->modes[m].name);
		r = callgrind_run(run, &run->modes[m], valgrind, CALLGRIND_TURNS, &once, why);
		if (!r)
			r = callgrind_run(
				run, &run->modes[m], valgrind, 2 * CALLGRIND_TURNS, &twice, why);
		if (!r && twice > once)
			r = pl_bench_samples_add(&all, (twice - once) / CALLGRIND_TURNS);
	}
	if (r > 0 || !all.n)
		pl_bench_cell_fail(cell, why[0] ? why : "the counts do not grow with the calls");
	else
		pl_bench_cell_round(cell, &all);
	pl_bench_samples_fini(&all);
	return r == -EINTR ? r : 0;
}

static bool loop_wanted(const struct pl_bench_run *run, const char *loop)
{
	for (size_t f = 0; f < run->n_figures; f++)
		if (run->figures[f].kind == PL_BENCH_COUNT && run->wanted[f] &&
			!strcmp(run->figures[f].arg, loop))
			return true;
	return false;
}

int pl_bench_counts(struct pl_bench_run *run)
{
	static const char *const loops[] = { "loop", "read", "step", "launch", "alloc" };
	char valgrind[PATH_MAX] = "";
	int r = 0;

	for (size_t i = 0; i < sizeof(loops) / sizeof(loops[0]); i++)
		for (unsigned m = 0; m < run->n_modes && !r && loop_wanted(run, loops[i]); m++)
			if (mode_counts(run, &run->modes[m]) && !pl_bench_late(run))
				r = loop_pairs(run, m, loops[i]);
	for (size_t f = 0; f < run->n_figures && !r; f++) {
		enum pl_bench_kind kind = run->figures[f].kind;

		if (!run->wanted[f] || (kind != PL_BENCH_COUNT && kind != PL_BENCH_CALLGRIND))
			continue;
		if (kind == PL_BENCH_CALLGRIND && !valgrind[0] &&
			pl_bench_exe_find(
				run->config, "valgrind", NULL, valgrind, sizeof(valgrind))) {
			pl_bench_note(run,
				"%s: skipped: valgrind is not installed (apt install "
				"valgrind)",
				run->figures[f].name);
			continue;
		}
		for (unsigned m = 0; m < run->n_modes && !r && kind == PL_BENCH_CALLGRIND; m++)
			if (mode_counts(run, &run->modes[m]) && run->modes[m].kind != PL_BENCH_VM &&
				!pl_bench_late(run))
				r = callgrind_figure(run, f, m, valgrind);
		pl_bench_figure_note(run, f);
	}
	return r;
}
