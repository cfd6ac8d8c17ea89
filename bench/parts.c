/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs that say how long their parts took (plenum-bench-vmcuda), run by each mode's worker.  Figures with the same
 * arguments share one run.  Besides the parts' own names these keys are known:
 *   wall    from the program's start to its end        copy    h2d + d2h
 *   rest    wall - copy - kernel                       start   init + module
 *   use     100 * cpu / wall                           server  100 * processor time of the mode's server / wall
 */
#include "harness.h"
#include "modes.h"
#include "parts.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#define ROUNDS       5u
#define QUICK_ROUNDS 2u
#define VMS_ROUNDS   1u /* guests take long to start */
#define LIMIT_S      300u
#define SLACK_S      20u /* how much later than its worker we lose patience */

/* Figures of one run share all of this. */
static bool same_run(const struct pl_bench_figure *a, const struct pl_bench_figure *b)
{
	return a->clients == b->clients && a->bytes == b->bytes && !strcmp(a->arg, b->arg);
}

/* Networks and guests are for what the programs themselves show, several guests for two of the programs; the rest is
 * about the server.
 */
static bool mode_takes(const struct pl_bench_mode *mode, const struct pl_bench_figure *figure)
{
	bool plain = !figure->clients && !figure->bytes && !strchr(figure->arg, ' ');

	if (!mode->active || mode->kind == PL_BENCH_RAW_MODE)
		return false;
	if (mode->kind == PL_BENCH_VMS)
		return figure->clients && (!strncmp(figure->arg, "binomial", 8) || !strncmp(figure->arg, "stereo", 6));
	return plain || (mode->kind != PL_BENCH_MTU && mode->kind != PL_BENCH_VM);
}

enum { H2D, D2H, KERNEL, CPU, INIT, MODULE, PARTS };

/* Return: does the program say this key itself? */
static bool part_find(const struct pl_bench_answer *answer, const char *key, double *value_out)
{
	for (unsigned i = 0; i < answer->n_parts; i++)
		if (!strcmp(answer->parts[i].name, key)) {
			*value_out = answer->parts[i].value;
			return true;
		}
	return false;
}

bool pl_bench_part_value(const struct pl_bench_answer *answer, double server_s, const char *key, double *value_out)
{
	static const char *const names[PARTS] = { "h2d", "d2h", "kernel", "cpu", "init", "module" };
	double wall = answer->exec.seconds, part[PARTS] = { 0 };

	if (wall <= 0)
		return false;
	if (!strcmp(key, "wall")) {
		*value_out = wall;
		return true;
	}
	if (!strcmp(key, "server")) {
		*value_out = 100 * server_s / wall;
		return server_s >= 0;
	}
	if (part_find(answer, key, value_out))
		return true;
	for (size_t i = 0; i < PARTS; i++)
		if (!part_find(answer, names[i], &part[i]))
			return false;
	if (!strcmp(key, "copy"))
		*value_out = part[H2D] + part[D2H];
	else if (!strcmp(key, "rest"))
		*value_out = fmax(wall - part[H2D] - part[D2H] - part[KERNEL], 0);
	else if (!strcmp(key, "start"))
		*value_out = part[INIT] + part[MODULE];
	else if (!strcmp(key, "use"))
		*value_out = 100 * part[CPU] / wall;
	else
		return false;
	return true;
}

static void run_fail(struct pl_bench_run *run, size_t first, unsigned m, const char *why)
{
	for (size_t f = first; f < run->n_figures; f++)
		if (run->figures[f].kind == PL_BENCH_PART && run->wanted[f] &&
		    same_run(&run->figures[first], &run->figures[f]))
			pl_bench_cell_fail(pl_bench_cell(run, f, m), why);
}

static void run_book(struct pl_bench_run *run, size_t first, unsigned m, const struct pl_bench_answer *answer,
		     double server_s)
{
	for (size_t f = first; f < run->n_figures; f++) {
		const struct pl_bench_figure *figure = &run->figures[f];
		struct pl_bench_samples sample = { 0 };
		double value;

		if (figure->kind != PL_BENCH_PART || !run->wanted[f] || !same_run(&run->figures[first], figure))
			continue;
		if (pl_bench_part_value(answer, server_s, figure->key, &value) && !pl_bench_samples_add(&sample, value))
			pl_bench_cell_round(pl_bench_cell(run, f, m), &sample);
		pl_bench_samples_fini(&sample);
	}
}

/* The words before a program that runs in a guest; PLENUM_TOKEN and PLENUM are the worker's. */
static void guest_words(const struct pl_bench_config *config, const struct pl_bench_mode *mode, char *to, size_t bytes)
{
	snprintf(to, bytes, "%s vm --memory=512M --cpus=1 --no-stdin --server=%s --env=LD_LIBRARY_PATH=%s run -- ",
		 config->plenum_path, pl_bench_env_get(&mode->env, "PLENUM"), config->cuda_client_dir);
}

/* The command line of a figure's program. Return: 0 or -ENAMETOOLONG. */
static int command_make(const struct pl_bench_config *config, const struct pl_bench_mode *mode,
			const struct pl_bench_figure *figure, char *to, size_t bytes)
{
	char block[64] = "", crowd[PATH_MAX + 32] = "", guest[3 * PATH_MAX] = "";
	bool quick = config->quick && figure->quick;
	int n;

	if (figure->bytes)
		snprintf(block, sizeof(block), "/usr/bin/env " PL_BENCH_BLOCK_VARIABLE "=%zu ", figure->bytes);
	if (figure->clients)
		snprintf(crowd, sizeof(crowd), "%s crowd %u ", config->vmcuda_path, figure->clients);
	if (mode->kind == PL_BENCH_VMS)
		guest_words(config, mode, guest, sizeof(guest));
	n = snprintf(to, bytes, "%s%s%s%s %s%s%s", block, crowd, guest, config->vmcuda_path, figure->arg,
		     quick ? " " : "", quick ? figure->quick : "");
	return n < 0 || (size_t)n >= bytes ? -ENAMETOOLONG : 0;
}

/* What became of one run of one mode: trouble stays in the cells. @result: as pl_bench_command()'s, 0 or 1 */
static void result_take(struct pl_bench_run *run, size_t first, unsigned m, int result,
			const struct pl_bench_answer *answer, double server_s)
{
	char why[320];

	if (result) {
		if (!pl_bench_late(run) || !pl_bench_cell(run, first, m)->samples.n)
			run_fail(run, first, m, pl_bench_late(run) ? "the run's time was up" : run->modes[m].why);
		return;
	}
	if (answer->exec.rc) {
		snprintf(why, sizeof(why), "ended with %d%s%s", answer->exec.rc, answer->last[0] ? ": " : "",
			 answer->last);
		run_fail(run, first, m, why);
		return;
	}
	run_book(run, first, m, answer, server_s);
}

/* One run of one mode. Return: 0 or -EINTR. */
static int program_run(struct pl_bench_run *run, size_t first, unsigned m, bool warm)
{
	struct pl_bench_mode *mode = &run->modes[m];
	struct pl_bench_answer answer = { 0 };
	double before = pl_bench_tree_seconds(mode->server.pid), after;
	char command[PL_BENCH_TALK_LINE_MAX - 32];
	int r;

	if (command_make(run->config, mode, &run->figures[first], command, sizeof(command))) {
		run_fail(run, first, m, "its command is too long");
		return 0;
	}
	r = pl_bench_command(run, mode, LIMIT_S + SLACK_S, NULL, &answer, "exec %u %s", LIMIT_S, command);
	if (r < 0)
		return r;
	after = pl_bench_tree_seconds(mode->server.pid);
	if (!warm || r || answer.exec.rc)
		result_take(run, first, m, r, &answer, before < 0 || after < before ? -1 : after - before);
	return 0;
}

/* Does this mode take part in a round? What is late before it has begun says so. */
static bool takes_part(struct pl_bench_run *run, size_t first, unsigned m, unsigned round)
{
	struct pl_bench_cell *cell = pl_bench_cell(run, first, m);

	if (!mode_takes(&run->modes[m], &run->figures[first]) || cell->state == PL_BENCH_FAILED ||
	    (run->modes[m].kind == PL_BENCH_VMS && round >= VMS_ROUNDS))
		return false;
	if (pl_bench_late(run) && !cell->samples.n)
		run_fail(run, first, m, "the run's time was up");
	return !pl_bench_late(run);
}

static unsigned rounds_wanted(const struct pl_bench_run *run)
{
	return run->config->rounds ? run->config->rounds : run->config->quick ? QUICK_ROUNDS : ROUNDS;
}

/* One mode after the other. Return: 0 or -EINTR. */
static int round_run(struct pl_bench_run *run, size_t first, unsigned round, bool warm)
{
	int r = 0;

	for (unsigned i = 0; i < run->n_modes && !r; i++) {
		/* who starts changes by turns: the neighbour before may matter */
		unsigned m = (i + round) % run->n_modes;

		if (!takes_part(run, first, m, round))
			continue;
		pl_bench_progress(run, "%-24s round %u of %u  %s", run->figures[first].name, round + 1,
				  rounds_wanted(run), run->modes[m].name);
		r = program_run(run, first, m, warm);
	}
	return r;
}

/* All modes in turns.  Their parts' times hold the others', so only the whole is booked. Return: 0 or -EINTR. */
static int round_in_turns(struct pl_bench_run *run, size_t first, unsigned round)
{
	struct pl_bench_turn turns[PL_BENCH_MODES_MAX + 1];
	unsigned of[PL_BENCH_MODES_MAX + 1], n = 0;
	char command[sizeof(turns[0].command) - 16];
	int r;

	for (unsigned i = 0; i < run->n_modes; i++) {
		unsigned m = (i + round) % run->n_modes;

		if (!takes_part(run, first, m, round))
			continue;
		if (command_make(run->config, &run->modes[m], &run->figures[first], command, sizeof(command))) {
			run_fail(run, first, m, "its command is too long");
			continue;
		}
		of[n] = m;
		turns[n] = (struct pl_bench_turn){ .mode = &run->modes[m], .limit_s = LIMIT_S + SLACK_S };
		/* its worker's clock goes on while the others run */
		snprintf(turns[n].command, sizeof(turns[n].command), "exec %u %s", LIMIT_S * run->n_modes, command);
		n++;
	}
	pl_bench_progress(run, "%-24s round %u of %u  in turns", run->figures[first].name, round + 1,
			  rounds_wanted(run));
	r = pl_bench_turns(run, turns, n, run->config->slice_ms);
	for (unsigned i = 0; i < n && !r; i++) {
		turns[i].answer_out.n_parts = 0;
		result_take(run, first, of[i], turns[i].result_out, &turns[i].answer_out, -1);
	}
	return r;
}

static int program_rounds(struct pl_bench_run *run, size_t first)
{
	const struct pl_bench_figure *figure = &run->figures[first];
	bool alone = !figure->clients && !figure->bytes;
	int r = alone ? round_run(run, first, 0, true) : 0;

	for (unsigned round = 0; round < rounds_wanted(run) && !r; round++)
		r = alone && run->config->slice_ms ? round_in_turns(run, first, round)
						   : round_run(run, first, round, false);
	return r;
}

static bool seen_before(const struct pl_bench_run *run, size_t f)
{
	for (size_t i = 0; i < f; i++)
		if (run->figures[i].kind == PL_BENCH_PART && run->wanted[i] &&
		    same_run(&run->figures[i], &run->figures[f]))
			return true;
	return false;
}

int pl_bench_parts(struct pl_bench_run *run)
{
	int r = 0;

	if (!run->config->vmcuda_path[0] || strpbrk(run->config->vmcuda_path, " \t\n")) {
		pl_bench_note(run,
			      "plenum-bench-vmcuda was not found beside this program or in $PATH, or its path holds a "
			      "blank");
		return 0;
	}
	for (size_t f = 0; f < run->n_figures && !r; f++) {
		if (run->figures[f].kind != PL_BENCH_PART || !run->wanted[f] || seen_before(run, f))
			continue;
		r = program_rounds(run, f);
		pl_bench_figure_note(run, f);
	}
	return r;
}
