/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"
#include "modes.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

/* Over all figures, each by programs and sessions of its own: how fast a driver's threads hand work to each other
 * differs more from process to process than within one. */
#define PASSES 10u
#define PASS_ROUNDS 1u
#define QUICK_ROUNDS 3u
#define QUICK_SHARE 4u /* samples are divided by it */
#define COMMAND_LIMIT_S 60u
#define COMMAND_VM_LIMIT_S 300u
#define ROUNDS_MIN 1u /* taken even when a mode is slow */
#define DEATHS_MAX 6u /* lost workers before a mode is given up */

struct pl_bench_cell *pl_bench_cell(const struct pl_bench_run *run, size_t figure, unsigned mode)
{
	return &run->cells[figure * run->n_modes + mode];
}

const struct pl_bench_cell *pl_bench_find(
	const struct pl_bench_run *run, const char *figure, const char *mode)
{
	for (size_t f = 0; f < run->n_figures; f++) {
		if (strcmp(run->figures[f].name, figure))
			continue;
		for (unsigned m = 0; m < run->n_modes; m++)
			if (!strcmp(run->modes[m].name, mode) &&
				pl_bench_cell(run, f, m)->state == PL_BENCH_DONE)
				return pl_bench_cell(run, f, m);
	}
	return NULL;
}

bool pl_bench_late(const struct pl_bench_run *run)
{
	return pl_bench_now_ns() >= run->config->deadline_ns;
}

void pl_bench_cell_fail(struct pl_bench_cell *cell, const char *why)
{
	cell->state = PL_BENCH_FAILED;
	snprintf(cell->why, sizeof(cell->why), "%s", why);
}

int pl_bench_cell_round(struct pl_bench_cell *cell, const struct pl_bench_samples *samples)
{
	struct pl_bench_stats stats;
	int r = 0;

	if (cell->rounds == PL_BENCH_ROUNDS_MAX)
		return -E2BIG;
	cell->round[cell->rounds] = NAN;
	if (samples && !pl_bench_stats_of(samples->v, samples->n, &stats)) {
		cell->round[cell->rounds] = stats.median;
		for (size_t i = 0; i < samples->n && !r; i++)
			r = pl_bench_samples_add(&cell->samples, samples->v[i]);
	}
	cell->rounds++;
	return r;
}

#define TIME_IS_UP "the run's time was up"

/* A worker that broke off is ended; a mode that loses too many is given up. */
static void worker_lost(struct pl_bench_run *run, struct pl_bench_mode *mode, int r)
{
	if (r == -ETIMEDOUT && pl_bench_late(run)) /* it had less time than a command may take: not its fault */
		snprintf(mode->why, sizeof(mode->why), TIME_IS_UP " (--limit)");
	else if (r != -ENODATA)
		pl_bench_mode_why(run, mode, "its worker %s",
			r == -ETIMEDOUT ? "did not answer in time and was ended"
			: r == -EPIPE	? "died"
			: r == -EPROTO	? "answered nonsense and was ended"
					: strerror(-r));
	pl_bench_proc_end(&mode->worker, 500);
	if (++mode->deaths >= DEATHS_MAX) {
		mode->active = false;
		pl_bench_note(run, "%s: given up after %u lost workers: %s", mode->name,
			mode->deaths, mode->why);
	}
}

static void answer_take(const struct pl_bench_talk_line *said, struct pl_bench_answer *answer)
{
	if (said->kind == PL_BENCH_TALK_EXEC) {
		answer->exec = *said;
	} else if (said->kind == PL_BENCH_TALK_INFO && !strcmp(said->key, "last")) {
		snprintf(answer->last, sizeof(answer->last), "%.159s", said->text);
	} else if (said->kind == PL_BENCH_TALK_PART && answer->n_parts < PL_BENCH_PARTS_MAX) {
		strcpy(answer->parts[answer->n_parts].name, said->key);
		answer->parts[answer->n_parts++].value = said->seconds;
	}
}

static int answer_collect(struct pl_bench_mode *mode, uint64_t deadline,
	struct pl_bench_samples *samples_out, struct pl_bench_answer *answer_out)
{
	char line[PL_BENCH_TALK_LINE_MAX];
	struct pl_bench_talk_line said;
	int r;

	for (;;) {
		r = pl_bench_proc_line(&mode->worker, deadline, line, sizeof(line));
		if (r)
			return r;
		pl_bench_talk_parse(line, &said);
		if (said.kind == PL_BENCH_TALK_END)
			return 0;
		if (said.kind == PL_BENCH_TALK_LIE)
			return -EPROTO;
		if (said.kind == PL_BENCH_TALK_ERROR) {
			snprintf(mode->why, sizeof(mode->why), "%s", said.text);
			return 1;
		}
		if (answer_out)
			answer_take(&said, answer_out);
		if (said.kind == PL_BENCH_TALK_SAMPLE && samples_out) {
			r = pl_bench_samples_add(samples_out, said.seconds);
			if (r)
				return -EPROTO;
		}
	}
}

int pl_bench_command_begin(struct pl_bench_run *run, struct pl_bench_mode *mode, const char *command)
{
	int r = pl_bench_mode_worker(run, mode);

	if (r == -EINTR)
		return r;
	if (r) {
		worker_lost(run, mode, -ENODATA); /* why is set */
		return 1;
	}
	r = pl_bench_proc_say(&mode->worker, "%s\n", command);
	if (r)
		worker_lost(run, mode, r);
	return r ? 1 : 0;
}

int pl_bench_command_end(struct pl_bench_run *run, struct pl_bench_mode *mode, uint64_t deadline_ns, bool patient,
	struct pl_bench_samples *samples_out, struct pl_bench_answer *answer_out)
{
	int r = answer_collect(mode, deadline_ns, samples_out, answer_out);

	if (r >= 0 || r == -EINTR || (patient && r == -ETIMEDOUT))
		return r;
	worker_lost(run, mode, r);
	return 1;
}

int pl_bench_command(struct pl_bench_run *run, struct pl_bench_mode *mode, unsigned limit_s,
	struct pl_bench_samples *samples_out, struct pl_bench_answer *answer_out,
	const char *format, ...)
{
	char command[PL_BENCH_TALK_LINE_MAX];
	uint64_t deadline = pl_bench_now_ns() + limit_s * 1000000000ull;
	va_list args;
	int r;

	if (deadline > run->config->deadline_ns)
		deadline = run->config->deadline_ns;
	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	r = pl_bench_command_begin(run, mode, command);
	return r ? r : pl_bench_command_end(run, mode, deadline, false, samples_out, answer_out);
}

static bool mode_takes(const struct pl_bench_mode *mode, const struct pl_bench_figure *figure)
{
	if (mode->kind == PL_BENCH_RAW_MODE)
		return mode->active && (figure->kind == PL_BENCH_RAW || figure->raw);
	return mode->active && figure->kind != PL_BENCH_RAW;
}

/* One round of one mode. Return: 0 or -EINTR; trouble stays in the cell. */
static int mode_round(struct pl_bench_run *run, size_t f, unsigned m, unsigned round)
{
	const struct pl_bench_figure *figure = &run->figures[f];
	struct pl_bench_cell *cell = pl_bench_cell(run, f, m);
	struct pl_bench_mode *mode = &run->modes[m];
	unsigned limit_s = mode->kind == PL_BENCH_VM ? COMMAND_VM_LIMIT_S : COMMAND_LIMIT_S;
	unsigned samples = run->config->quick ? figure->samples / QUICK_SHARE : figure->samples;
	struct pl_bench_samples got = { 0 };
	uint64_t start = pl_bench_now_ns();
	int r = 0;

	if (!samples)
		samples = 1;
	if (!round) /* the driver's own first time is not this figure */
		r = pl_bench_command(run, mode, limit_s, NULL, NULL, "run %s 1", figure->name);
	if (!r)
		r = pl_bench_command(
			run, mode, limit_s, &got, NULL, "run %s %u", figure->name, samples);
	if (!r)
		for (size_t i = 0; i < got.n; i++)
			got.v[i] = pl_bench_unit_value(figure, got.v[i]);
	if (!r && pl_bench_cell_round(cell, &got))
		pl_bench_cell_fail(cell, "no usable samples");
	if (r > 0 && (!cell->samples.n || !pl_bench_late(run)))
		pl_bench_cell_fail(cell, mode->why);
	pl_bench_samples_fini(&got);
	cell->spent_s += (double)(pl_bench_now_ns() - start) * 1e-9;
	return r < 0 ? r : 0;
}

static int figure_pass(struct pl_bench_run *run, size_t f, unsigned pass, unsigned rounds)
{
	const struct pl_bench_config *config = run->config;
	int r = 0;

	for (unsigned round = 0; round < rounds && !r; round++) {
		for (unsigned i = 0; i < run->n_modes && !r; i++) {
			/* who starts changes by turns: the neighbour before may matter */
			unsigned m = (i + round) % run->n_modes;
			struct pl_bench_cell *cell = pl_bench_cell(run, f, m);

			if (!mode_takes(&run->modes[m], &run->figures[f]) ||
				cell->state == PL_BENCH_FAILED)
				continue;
			if (pl_bench_late(run)) {
				if (!cell->samples.n)
					pl_bench_cell_fail(cell, TIME_IS_UP);
				continue;
			}
			if (round >= ROUNDS_MIN &&
				cell->spent_s > config->figure_s * (pass + 1.0)) {
				pl_bench_cell_round(cell, NULL);
				continue;
			}
			pl_bench_progress(run, "pass %u  %-24s round %u of %u  %s", pass + 1,
				run->figures[f].name, round + 1, rounds, run->modes[m].name);
			r = mode_round(run, f, m, round);
		}
	}
	return r;
}

/* The next pass begins with new programs.  A guest goes on: it takes long to start. */
static void workers_renew(struct pl_bench_run *run)
{
	for (unsigned m = 0; m < run->n_modes; m++)
		if (run->modes[m].kind != PL_BENCH_VM)
			pl_bench_mode_rest(&run->modes[m]);
}

int pl_bench_micro(struct pl_bench_run *run)
{
	unsigned passes = run->config->quick ? 1 : PASSES;
	unsigned rounds = run->config->rounds  ? run->config->rounds
			  : run->config->quick ? QUICK_ROUNDS
					       : PASS_ROUNDS;
	int r = 0;

	for (unsigned pass = 0; pass < passes && !r; pass++) {
		if (pass)
			workers_renew(run);
		for (size_t f = 0; f < run->n_figures && !r; f++) {
			const struct pl_bench_figure *figure = &run->figures[f];

			if (!run->wanted[f] ||
				(figure->kind != PL_BENCH_RUN && figure->kind != PL_BENCH_RAW))
				continue;
			r = figure_pass(run, f, pass, rounds);
			if (pass + 1 == passes)
				pl_bench_figure_note(run, f);
		}
	}
	return r;
}

static const struct pl_bench_cell *native_cell(const struct pl_bench_run *run, size_t f)
{
	for (unsigned m = 0; m < run->n_modes; m++)
		if (run->modes[m].kind == PL_BENCH_NATIVE &&
			pl_bench_cell(run, f, m)->state == PL_BENCH_DONE)
			return pl_bench_cell(run, f, m);
	return NULL;
}

size_t pl_bench_pairs(const struct pl_bench_cell *cell, const struct pl_bench_cell *other, double *pairs_out)
{
	size_t n = 0;

	for (unsigned i = 0; i < cell->rounds && i < other->rounds; i++)
		if (isfinite(cell->round[i]) && isfinite(other->round[i]) && other->round[i] > 0)
			pairs_out[n++] = cell->round[i] / other->round[i];
	return n;
}

/* value / native, and its spread over rounds that stood side by side. */
static void ratio_make(struct pl_bench_cell *cell, const struct pl_bench_cell *native)
{
	double pairs[PL_BENCH_ROUNDS_MAX];
	struct pl_bench_stats stats;
	size_t n;

	if (!native || native->stats.median <= 0)
		return;
	cell->has_ratio = true;
	cell->ratio = cell->ratio_p10 = cell->ratio_p90 = cell->stats.median / native->stats.median;
	n = pl_bench_pairs(cell, native, pairs);
	if (pl_bench_stats_of(pairs, n, &stats))
		return;
	cell->ratio_p10 = stats.p10;
	cell->ratio_p90 = stats.p90;
	(void)pl_bench_median_interval(pairs, n, &cell->ratio_low, &cell->ratio_high);
}

/* Speed relative to native over all programs that both finished. */
static void geomean_make(struct pl_bench_run *run, size_t f, unsigned m)
{
	const char *prefix = run->figures[f].arg;
	struct pl_bench_cell *cell = pl_bench_cell(run, f, m);
	double speeds[PL_BENCH_FIGURES_MAX], mean;
	size_t n = 0;

	for (size_t i = 0; i < run->n_figures; i++) {
		const struct pl_bench_cell *native = native_cell(run, i);
		const struct pl_bench_cell *mine = pl_bench_cell(run, i, m);

		if (run->figures[i].kind != PL_BENCH_GEOMEAN && native &&
			!strncmp(run->figures[i].name, prefix, strlen(prefix)) &&
			mine->state == PL_BENCH_DONE && mine->stats.median > 0)
			speeds[n++] = native->stats.median / mine->stats.median;
	}
	if (pl_bench_geomean(speeds, n, &mean) || pl_bench_stats_of(speeds, n, &cell->stats))
		return;
	cell->stats.median = mean;
	cell->state = PL_BENCH_DONE;
	cell->has_ratio = true;
	cell->ratio = mean;
	cell->ratio_p10 = cell->stats.p10;
	cell->ratio_p90 = cell->stats.p90;
}

void pl_bench_finish(struct pl_bench_run *run)
{
	for (size_t f = 0; f < run->n_figures; f++)
		for (unsigned m = 0; m < run->n_modes; m++) {
			struct pl_bench_cell *cell = pl_bench_cell(run, f, m);

			if (cell->state == PL_BENCH_NONE && cell->samples.n &&
				!pl_bench_stats_of(cell->samples.v, cell->samples.n, &cell->stats))
				cell->state = PL_BENCH_DONE;
		}
	for (size_t f = 0; f < run->n_figures; f++)
		for (unsigned m = 0; m < run->n_modes; m++) {
			enum pl_bench_kind kind = run->figures[f].kind;
			struct pl_bench_cell *cell = pl_bench_cell(run, f, m);

			if (kind == PL_BENCH_GEOMEAN && run->wanted[f])
				geomean_make(run, f, m);
			else if (cell->state == PL_BENCH_DONE &&
				 (kind == PL_BENCH_RUN || kind == PL_BENCH_EXEC || kind == PL_BENCH_PART))
				ratio_make(cell, native_cell(run, f));
		}
}
