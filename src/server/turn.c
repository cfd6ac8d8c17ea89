#include "server/turn.h"

#include "base/err.h"

struct turn_wait {
	struct pl_turn *turn;
	uint64_t ticket;
};

void pl_turn_init(struct pl_turn *turn)
{
	atomic_init(&turn->next, 1);
	atomic_init(&turn->sleepers, 0);
	atomic_init(&turn->closed, false);
}

static bool turn_ready(void *arg)
{
	struct turn_wait *wait = arg;

	return atomic_load_explicit(&wait->turn->next, memory_order_acquire) >= wait->ticket ||
	       atomic_load_explicit(&wait->turn->closed, memory_order_relaxed);
}

int pl_turn_take(struct pl_turn *turn, struct pl_wait *wait, uint64_t ticket)
{
	struct turn_wait arg = { turn, ticket };

	pl_wait_until(wait, &turn->sleepers, turn_ready, &arg, UINT64_MAX);
	if (atomic_load_explicit(&turn->closed, memory_order_relaxed))
		return -EPIPE; /* the session ends: no fault of this lane */
	if (atomic_load_explicit(&turn->next, memory_order_acquire) != ticket)
		return pl_err(-EPROTO);
	return 0;
}

int pl_turn_behind(struct pl_turn *turn, uint64_t ticket)
{
	struct pl_wait wait = { 0 };
	struct turn_wait arg = { turn, ticket + 1 };

	if (ticket == UINT64_MAX)
		return pl_err(-EPROTO);
	pl_wait_until(&wait, &turn->sleepers, turn_ready, &arg, UINT64_MAX);
	return atomic_load_explicit(&turn->closed, memory_order_relaxed) ? -EPIPE : 0;
}

void pl_turn_give(struct pl_turn *turn, uint64_t ticket)
{
	atomic_store_explicit(&turn->next, ticket + 1, memory_order_release);
	pl_wake_if(&turn->sleepers);
}

void pl_turn_close(struct pl_turn *turn)
{
	atomic_store(&turn->closed, true);
	pl_wake(&turn->sleepers);
}
