/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole programs, run by each mode's worker (in a VM: inside it) and timed there.
 * A program that ends differently than it does natively has no time.
 */
#include "harness.h"
#include "modes.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define APP_ROUNDS 3u
#define APP_LIMIT_S 600u
#define APP_SLACK_S 20u /* how much later than its worker we lose patience */

static const char *const shoc_quick[] = { "BFS", "FFT", "MD5Hash", "Reduction", "Spmv", "Triad" };

static bool is_clpeak(const struct pl_bench_figure *figure)
{
	return !strcmp(figure->arg, "clpeak");
}

/* A worker splits a command at its blanks. */
static int command_make(char *command, size_t command_bytes, const char *path,
	const char *arguments, const char **why_out)
{
	if (strpbrk(path, " \t\n") || strlen(path) + strlen(arguments) >= command_bytes) {
		*why_out = "its path holds a blank or is too long";
		return -EINVAL;
	}
	stpcpy(stpcpy(command, path), arguments);
	return 0;
}

/* The command of a figure, or why there is none. */
static int app_command(const struct pl_bench_config *config, const struct pl_bench_figure *figure,
	char *command, size_t command_bytes, const char **why_out)
{
	char path[PATH_MAX];

	if (is_clpeak(figure)) {
		*why_out =
			"clpeak was not found: apt install clpeak, or name it with --clpeak PATH";
		if (!config->clpeak_path[0])
			return -ENOENT;
		return command_make(command, command_bytes, config->clpeak_path,
			config->quick ? " --kernel-latency --transfer-bandwidth" : "", why_out);
	}
	if (figure->suite == PL_BENCH_VMCUDA) {
		*why_out = "the public samples are run where --samples DIR names their folder";
		if (!config->samples)
			return -ENOENT;
		if ((size_t)snprintf(path, sizeof(path), "%s/%s", config->samples, figure->arg) >= sizeof(path))
			return -ENAMETOOLONG;
		*why_out = "no such program in the folder named with --samples";
		return access(path, X_OK) ? -errno : command_make(command, command_bytes, path, "", why_out);
	}
	*why_out = "SHOC was not found: name the folder of its OpenCL programs with --shoc DIR";
	if (!config->shoc)
		return -ENOENT;
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", config->shoc, figure->arg) >=
		sizeof(path))
		return -ENAMETOOLONG;
	if (access(path, X_OK)) {
		*why_out = "no such program in the folder named with --shoc";
		return -errno;
	}
	return command_make(command, command_bytes, path, " -s 1 -n 1 -v", why_out);
}

static bool app_wanted(const struct pl_bench_run *run, size_t f)
{
	const struct pl_bench_figure *figure = &run->figures[f];

	if (!run->wanted[f] || figure->kind != PL_BENCH_EXEC)
		return false;
	if (!run->config->quick || run->config->only || is_clpeak(figure))
		return true;
	for (size_t i = 0; i < sizeof(shoc_quick) / sizeof(shoc_quick[0]); i++)
		if (!strcmp(shoc_quick[i], figure->arg))
			return true;
	return false;
}

/* One run of one mode. Return: 0 or -EINTR; trouble stays in the cell. */
static int app_run(struct pl_bench_run *run, size_t f, unsigned m, const char *command, bool warm)
{
	struct pl_bench_cell *cell = pl_bench_cell(run, f, m);
	struct pl_bench_samples sample = { 0 };
	struct pl_bench_answer answer = { 0 };
	const struct pl_bench_talk_line *said = &answer.exec;
	char why[320];
	int r;

	r = pl_bench_command(run, &run->modes[m], APP_LIMIT_S + APP_SLACK_S, NULL, &answer,
		"exec %u %s", APP_LIMIT_S, command);
	if (r < 0 || (warm && r == 0))
		return r;
	if (r > 0) {
		pl_bench_cell_fail(cell, run->modes[m].why);
		return 0;
	}
	cell->rc = said->rc;
	cell->fails = said->fails;
	if (said->rc) {
		if (said->rc == 124)
			snprintf(why, sizeof(why), "not done within %u s", APP_LIMIT_S);
		else
			snprintf(why, sizeof(why), "ended with %d%s%s", said->rc, answer.last[0] ? ": " : "",
				answer.last);
		pl_bench_cell_fail(cell, why);
		return 0;
	}
	if (!pl_bench_samples_add(&sample, said->seconds))
		pl_bench_cell_round(cell, &sample);
	pl_bench_samples_fini(&sample);
	return 0;
}

/* Same verdicts as native: as many lines that say that something failed. */
static void verdicts_compare(struct pl_bench_run *run, size_t f)
{
	const struct pl_bench_cell *native = NULL;
	char why[128];

	for (unsigned m = 0; m < run->n_modes; m++)
		if (run->modes[m].kind == PL_BENCH_NATIVE)
			native = pl_bench_cell(run, f, m);
	for (unsigned m = 0; native && m < run->n_modes; m++) {
		struct pl_bench_cell *cell = pl_bench_cell(run, f, m);

		if (cell->state == PL_BENCH_FAILED || !cell->samples.n || !native->samples.n ||
			cell->fails == native->fails)
			continue;
		snprintf(why, sizeof(why), "%u lines say that it failed, %u natively", cell->fails,
			native->fails);
		pl_bench_cell_fail(cell, why);
	}
}

static int app_figure(struct pl_bench_run *run, size_t f, const char *command)
{
	unsigned rounds = run->config->rounds  ? run->config->rounds
			  : run->config->quick ? 1
					       : APP_ROUNDS;
	int r = 0;

	for (unsigned round = 0; round < rounds && !r; round++) {
		for (unsigned i = 0; i < run->n_modes && !r; i++) {
			/* who starts changes by turns: the neighbour before may matter */
			unsigned m = (i + round) % run->n_modes;
			struct pl_bench_cell *cell = pl_bench_cell(run, f, m);

			if (!run->modes[m].active || run->modes[m].kind == PL_BENCH_RAW_MODE ||
				run->modes[m].kind == PL_BENCH_MTU || run->modes[m].kind == PL_BENCH_VMS ||
				cell->state == PL_BENCH_FAILED)
				continue;
			if (pl_bench_late(run)) {
				if (!cell->samples.n)
					pl_bench_cell_fail(cell, "the run's time was up");
				continue;
			}
			pl_bench_progress(run, "%-24s round %u of %u  %s", run->figures[f].name,
				round + 1, rounds, run->modes[m].name);
			if (!round) /* fills the driver's cache of kernels: each mode has options of its own */
				r = app_run(run, f, m, command, true);
			if (!r && cell->state != PL_BENCH_FAILED)
				r = app_run(run, f, m, command, false);
		}
	}
	verdicts_compare(run, f);
	pl_bench_figure_note(run, f);
	return r;
}

int pl_bench_apps(struct pl_bench_run *run)
{
	char command[PL_BENCH_TALK_LINE_MAX / 2];
	const char *why;
	bool shoc_told = false;
	int r = 0;

	for (size_t f = 0; f < run->n_figures && !r; f++) {
		if (!app_wanted(run, f))
			continue;
		if (!app_command(run->config, &run->figures[f], command, sizeof(command), &why)) {
			r = app_figure(run, f, command);
			continue;
		}
		if (run->figures[f].suite == PL_BENCH_VMCUDA) {
			if (run->config->samples)
				pl_bench_note(run, "%s: skipped: %s", run->figures[f].name, why);
			continue;
		}
		if (!shoc_told || is_clpeak(&run->figures[f]) || run->config->shoc)
			pl_bench_note(run, "%s: skipped: %s",
				is_clpeak(&run->figures[f]) || run->config->shoc
					? run->figures[f].name
					: "app_shoc_*",
				why);
		shoc_told = shoc_told || !is_clpeak(&run->figures[f]);
	}
	return r;
}
