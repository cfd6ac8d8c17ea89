/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The line language between the harness and its workers.
 *
 * Harness to worker:  info | run NAME COUNT | exec LIMIT_S PROGRAM ARG... | quit
 * Worker to harness, every line starts with '@' so that other output on the
 * same pipe (a guest's console, a driver that prints) is told apart:
 *   @hello NAME VERSION     once, when the worker can take commands
 *   @info KEY TEXT          platform, device, driver, version
 *   @sample SECONDS         seconds per operation, one line per sample
 *   @part NAME VALUE        what a program said of itself: seconds or a count
 *   @exec RC SECONDS FAILS  one program run: exit status, wall time, lines that say "fail"
 *   @end                    the command is done
 *   @error TEXT             the command is over and failed
 * A worker runs one command at a time and prints samples only after measuring.
 */
#ifndef PL_BENCH_TALK_H
#define PL_BENCH_TALK_H

#include <stddef.h>
#include <stdio.h>

#define PL_BENCH_TALK_VERSION 1
#define PL_BENCH_TALK_LINE_MAX 1024   /* bytes with the newline; longer lines are noise */
#define PL_BENCH_TALK_SECONDS_MAX 1e5 /* a sample above this is a lie */

enum pl_bench_talk_kind {
	PL_BENCH_TALK_NOISE, /* not ours: ignore */
	PL_BENCH_TALK_HELLO,
	PL_BENCH_TALK_INFO,
	PL_BENCH_TALK_SAMPLE,
	PL_BENCH_TALK_PART,
	PL_BENCH_TALK_EXEC,
	PL_BENCH_TALK_END,
	PL_BENCH_TALK_ERROR,
	PL_BENCH_TALK_LIE, /* starts like ours and is malformed: drop the worker */
};

struct pl_bench_talk_line {
	enum pl_bench_talk_kind kind;
	double seconds; /* SAMPLE, EXEC; PART: its value */
	int rc;		/* EXEC */
	unsigned fails; /* EXEC */
	char key[16];	/* INFO, PART */
	char text[256]; /* INFO, ERROR, HELLO: printable, cut to fit */
};

/** pl_bench_talk_parse() - understand one line, with or without its line end
 * Every member of @line_out is set. */
void pl_bench_talk_parse(const char *text, struct pl_bench_talk_line *line_out);

void pl_bench_talk_samples(FILE *to, const double *seconds, size_t n); /* samples, then @end */
void pl_bench_talk_error(FILE *to, const char *text);

#endif
