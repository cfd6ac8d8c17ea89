/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs of several modes in turns: all have begun, one runs, the others are held.  On a machine whose processors
 * other guests share the same kernel takes up to 10 percent more or less from one second to the next, so that programs
 * of a second, one after the other, tell less than a percent only after hundreds of rounds.
 */
#include "modes.h"
#include "parts.h"

#include <errno.h>

static uint32_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)(*state >> 32);
}

static bool turn_late(const struct pl_bench_run *run, const struct pl_bench_turn *turn)
{
	return pl_bench_late(run) || turn->ran_ns >= turn->limit_s * 1000000000ull;
}

static void turn_go(struct pl_bench_turn *turn)
{
	pl_bench_held_go(&turn->server);
	pl_bench_held_go(&turn->program);
}

/* Looking for what has begun since takes milliseconds, which are nobody's; the first time all of it is new. */
static void turn_stop(struct pl_bench_turn *turn, uint64_t start_ns)
{
	bool known = turn->program.n;

	pl_bench_held_stop(&turn->program);
	pl_bench_held_stop(&turn->server);
	if (known)
		turn->ran_ns += pl_bench_now_ns() - start_ns;
	pl_bench_held_look(&turn->program, turn->mode->worker.pid);
	pl_bench_held_look(&turn->server, turn->mode->server.pid);
	if (!known)
		turn->ran_ns += pl_bench_now_ns() - start_ns;
}

/* Return: as pl_bench_command()'s; -ETIMEDOUT: it stands still, and is not done. */
static int turn_run(struct pl_bench_run *run, struct pl_bench_turn *turn, uint64_t slice_ns)
{
	uint64_t start = pl_bench_now_ns();
	int r = 0;

	turn_go(turn);
	if (!turn->begun)
		r = pl_bench_command_begin(run, turn->mode, turn->command);
	turn->begun = true;
	if (!r)
		r = pl_bench_command_end(run, turn->mode, start + slice_ns, !turn_late(run, turn), NULL,
					 &turn->answer_out);
	if (r == -ETIMEDOUT)
		turn_stop(turn, start);
	else
		turn->ran_ns += pl_bench_now_ns() - start;
	return r;
}

/* The order of a cycle: who runs behind whom, and at which moment of the machine's own periods, is nobody's privilege.
 */
static void order_draw(uint64_t *state, unsigned *order, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		order[i] = i;
	for (unsigned i = n; i > 1; i--) {
		unsigned with = random_next(state) % i, other = order[i - 1];

		order[i - 1] = order[with];
		order[with] = other;
	}
}

/* Three quarters of a slice to five. */
static uint64_t slice_draw(uint64_t *state, unsigned slice_ms)
{
	return slice_ms * (uint64_t)(750000 + random_next(state) % 500000);
}

/* One slice of each that has not ended. Return: 0 or -EINTR. */
static int cycle_run(struct pl_bench_run *run, struct pl_bench_turn *turns, const unsigned *order, unsigned n,
		     uint64_t slice_ns)
{
	for (unsigned i = 0; i < n; i++) {
		struct pl_bench_turn *turn = &turns[order[i]];
		int r = turn->ended ? -ETIMEDOUT : turn_run(run, turn, slice_ns);

		if (r == -EINTR)
			return r;
		if (r == -ETIMEDOUT)
			continue;
		turn->ended = true;
		turn->result_out = r;
		turn->answer_out.exec.seconds = (double)turn->ran_ns * 1e-9;
	}
	return 0;
}

static bool all_ended(const struct pl_bench_turn *turns, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!turns[i].ended)
			return false;
	return true;
}

int pl_bench_turns(struct pl_bench_run *run, struct pl_bench_turn *turns, unsigned n, unsigned slice_ms)
{
	uint64_t state = pl_bench_now_ns() | 1;
	unsigned order[PL_BENCH_MODES_MAX + 1];
	int r = 0;

	while (!r && !all_ended(turns, n)) {
		order_draw(&state, order, n);
		r = cycle_run(run, turns, order, n, slice_draw(&state, slice_ms));
	}
	for (unsigned i = 0; i < n; i++)
		turn_go(&turns[i]);
	return r;
}
