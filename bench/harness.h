/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the figures, interleaved over the modes, and turns samples into results. */
#ifndef PL_BENCH_HARNESS_H
#define PL_BENCH_HARNESS_H

#include "bench.h"

/** pl_bench_progress() - say what is going on, on stderr
 * A terminal gets one line that changes; a file gets nothing. */
void pl_bench_progress(const struct pl_bench_run *run, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/** pl_bench_note() - a line that stays, on stderr */
void pl_bench_note(const struct pl_bench_run *run, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/** pl_bench_figure_note() - a figure is done: one line when stderr is no terminal */
void pl_bench_figure_note(struct pl_bench_run *run, size_t figure);

#define PL_BENCH_PARTS_MAX 24 /* parts of one program; more are dropped */

/* What a worker said besides samples. */
struct pl_bench_answer {
	struct pl_bench_talk_line exec; /* the last @exec */
	struct {
		char name[16];
		double value;
	} parts[PL_BENCH_PARTS_MAX];
	unsigned n_parts;
	char last[160]; /* a failed program's last words */
};

/** pl_bench_command() - send a command to a mode's worker and collect its answer
 * @samples_out: @sample values in seconds, appended; may be NULL
 * @answer_out:  what else it said; may be NULL
 * Return: 0; -EINTR; 1 when the worker refused or was lost (mode->why says it). */
int pl_bench_command(struct pl_bench_run *run, struct pl_bench_mode *mode, unsigned limit_s,
	struct pl_bench_samples *samples_out, struct pl_bench_answer *answer_out,
	const char *format, ...) __attribute__((format(printf, 6, 7)));

/** pl_bench_command_begin() - send it only
 * Return: as pl_bench_command()'s. */
int pl_bench_command_begin(struct pl_bench_run *run, struct pl_bench_mode *mode, const char *command);
/** pl_bench_command_end() - collect what is answered
 * @patient: at the deadline -ETIMEDOUT is returned and the worker goes on; else it is ended
 * Return: as pl_bench_command()'s. */
int pl_bench_command_end(struct pl_bench_run *run, struct pl_bench_mode *mode, uint64_t deadline_ns, bool patient,
	struct pl_bench_samples *samples_out, struct pl_bench_answer *answer_out);

void pl_bench_cell_fail(struct pl_bench_cell *cell, const char *why);
/** pl_bench_cell_round() - book one round's samples, in the figure's unit; NULL: none taken */
int pl_bench_cell_round(struct pl_bench_cell *cell, const struct pl_bench_samples *samples);

/** pl_bench_pairs() - a cell's rounds by those of another one which stood beside them
 * @pairs_out: room for PL_BENCH_ROUNDS_MAX
 * Return: how many rounds both have. */
size_t pl_bench_pairs(const struct pl_bench_cell *cell, const struct pl_bench_cell *other, double *pairs_out);

/** pl_bench_finish() - medians, percentiles and ratios of everything that was sampled */
void pl_bench_finish(struct pl_bench_run *run);
bool pl_bench_late(const struct pl_bench_run *run);

#endif
