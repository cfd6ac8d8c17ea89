/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs of several modes in turns: all have begun, one runs, the others are held.  On a machine whose processors
 * other guests share the same kernel takes up to 10 percent more or less from one second to the next, so that programs
 * of a second, one after the other, tell less than a percent only after hundreds of rounds.
 */
#include "modes.h"
#include "parts.h"

#include <errno.h>

static bool turn_late(const struct pl_bench_run *run, const struct pl_bench_turn *turn)
{
	return pl_bench_late(run) || turn->ran_ns >= turn->limit_s * 1000000000ull;
}

/* Return: as pl_bench_command()'s; -ETIMEDOUT: it is held, and not done. */
static int turn_run(struct pl_bench_run *run, struct pl_bench_turn *turn, uint64_t slice_ns)
{
	uint64_t start = pl_bench_now_ns();
	int r = 0;

	pl_bench_tree_release(&turn->held);
	if (!turn->begun)
		r = pl_bench_command_begin(run, turn->mode, turn->command);
	turn->begun = true;
	if (!r)
		r = pl_bench_command_end(run, turn->mode, start + slice_ns, !turn_late(run, turn), NULL,
					 &turn->answer_out);
	if (r == -ETIMEDOUT) {
		pl_bench_tree_hold(&turn->held, turn->mode->worker.pid);
		pl_bench_tree_hold(&turn->held, turn->mode->server.pid);
	}
	turn->ran_ns += pl_bench_now_ns() - start;
	return r;
}

int pl_bench_turns(struct pl_bench_run *run, struct pl_bench_turn *turns, unsigned n, unsigned slice_ms)
{
	unsigned left = n;
	int r = 0;

	while (left && r != -EINTR)
		for (unsigned i = 0; i < n && r != -EINTR; i++) {
			struct pl_bench_turn *turn = &turns[i];

			if (turn->ended)
				continue;
			r = turn_run(run, turn, slice_ms * 1000000ull);
			if (r == -ETIMEDOUT)
				continue;
			turn->ended = true;
			turn->result_out = r;
			turn->answer_out.exec.seconds = (double)turn->ran_ns * 1e-9;
			left--;
		}
	for (unsigned i = 0; i < n; i++)
		pl_bench_tree_release(&turns[i].held);
	return r == -EINTR ? r : 0;
}
