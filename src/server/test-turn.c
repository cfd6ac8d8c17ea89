#include "server/turn.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#define THREADS 4
#define CALLS   2000

static struct pl_turn turn;
static uint64_t order[THREADS * CALLS];
static uint64_t order_count; /* only whoever has the turn writes: the test is that nobody else does */

/* Thread i brings the tickets i+1, i+1+THREADS, ...: every turn changes the thread. */
static void *bring(void *arg)
{
	uint64_t first = (uint64_t)(uintptr_t)arg;
	struct pl_wait wait = { 0 };

	for (uint64_t i = 0; i < CALLS; i++) {
		uint64_t ticket = first + i * THREADS;
		assert(pl_turn_take(&turn, &wait, ticket) == 0);
		order[order_count++] = ticket;
		pl_turn_give(&turn, ticket);
	}
	return NULL;
}

static void test_calls_run_in_ticket_order_over_threads(void)
{
	pthread_t threads[THREADS];

	pl_turn_init(&turn);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert(pthread_create(&threads[i], NULL, bring, (void *)(i + 1)) == 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (uint64_t i = 0; i < THREADS * CALLS; i++)
		assert(order[i] == i + 1);
}

static void test_ticket_used_twice_is_a_fault(void)
{
	struct pl_wait wait = { 0 };

	pl_turn_init(&turn);
	assert(pl_turn_take(&turn, &wait, 1) == 0);
	pl_turn_give(&turn, 1);
	assert(pl_turn_take(&turn, &wait, 1) == -EPROTO);
	assert(pl_turn_take(&turn, &wait, 0) == -EPROTO);
}

static void *wait_for_gap(void *arg)
{
	struct pl_wait wait = { 0 };

	(void)arg;
	assert(pl_turn_take(&turn, &wait, 1000) == -EPIPE); /* the ticket before it never comes */
	return NULL;
}

static void test_closing_ends_who_waits(void)
{
	pthread_t thread;

	pl_turn_init(&turn);
	assert(pthread_create(&thread, NULL, wait_for_gap, NULL) == 0);
	pl_turn_close(&turn);
	pthread_join(thread, NULL);
}

int main(void)
{
	test_calls_run_in_ticket_order_over_threads();
	test_ticket_used_twice_is_a_fault();
	test_closing_ends_who_waits();
	puts("turn: 3 ok");
	return 0;
}
