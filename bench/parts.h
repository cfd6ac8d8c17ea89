/* SPDX-License-Identifier: Apache-2.0 */
/* Times of the parts of a program, and of the processes of a server; programs in turns. */
#ifndef PL_BENCH_PARTS_H
#define PL_BENCH_PARTS_H

#include "harness.h"

#define PL_BENCH_BLOCK_VARIABLE "PLENUM_BLOCK_BYTES" /* block size of pageable copies, read by Plenum's client */

/** pl_bench_part_value() - a key of parts.c out of what a program said
 * @server_s: processor seconds of the server meanwhile, or -1
 * Return: false when it cannot be told. */
bool pl_bench_part_value(const struct pl_bench_answer *answer, double server_s, const char *key, double *value_out);

/** pl_bench_tree_seconds() - processor seconds of a process, of its living descendants, and of those they waited for
 * Return: -1 when there is no such process. */
double pl_bench_tree_seconds(pid_t root);

#define PL_BENCH_HELD_MAX 64u

/* A process and its living descendants, as far as they are known; zero-initialised is none. */
struct pl_bench_held {
	pid_t pid[PL_BENCH_HELD_MAX];
	unsigned n;
};

/** pl_bench_held_stop() - those that are known run no more; takes microseconds */
void pl_bench_held_stop(const struct pl_bench_held *held);
/** pl_bench_held_look() - what has come since runs no more either, and is known; what has gone is not known any more
 * @root: one that is no more, or 0, has none.  Takes milliseconds. */
void pl_bench_held_look(struct pl_bench_held *held, pid_t root);
void pl_bench_held_go(const struct pl_bench_held *held);

/* A program of one mode, which runs in turns with those of others. */
struct pl_bench_turn {
	struct pl_bench_mode *mode;
	char command[PL_BENCH_TALK_LINE_MAX - 32];
	unsigned limit_s;
	struct pl_bench_answer answer_out; /* its times hold those of the others; exec.seconds is its own alone */
	int result_out;			   /* as pl_bench_command()'s */
	/* private */
	bool begun, ended;
	uint64_t ran_ns;
	struct pl_bench_held program, server; /* they stand still, but while it is their turn */
};

/** pl_bench_turns() - run programs of several modes at once, of which one runs at any time, with its server
 * What the machine does meanwhile, other guests' load above all, then hits all of them alike.
 * @turns: at most PL_BENCH_MODES_MAX + 1
 * @slice_ms: how long each runs until another one does, more or less a quarter of it, in an order that changes
 * Return: 0 or -EINTR. */
int pl_bench_turns(struct pl_bench_run *run, struct pl_bench_turn *turns, unsigned n, unsigned slice_ms);

#endif
