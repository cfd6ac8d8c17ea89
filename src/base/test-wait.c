#include "base/wait.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#define ROUNDS 20000

struct channel {                 /* one way; the two threads answer each other */
	_Atomic uint32_t word, sleeper;
};

static struct channel there, back;

struct want {
	struct channel *channel;
	uint32_t value;
};

static bool reached(void *arg)
{
	struct want *want = arg;

	return atomic_load_explicit(&want->channel->word, memory_order_acquire) == want->value;
}

static void await(struct pl_wait *wait, struct channel *channel, uint32_t value)
{
	struct want want = { channel, value };

	assert(pl_wait_until(wait, &channel->sleeper, reached, &want, 20ull * 1000000000u));
}

static void tell(struct channel *channel, uint32_t value)
{
	atomic_store_explicit(&channel->word, value, memory_order_release);
	pl_wake_if(&channel->sleeper);
}

static void *answer(void *arg)
{
	struct pl_wait wait = { 0 };

	(void)arg;
	for (uint32_t i = 1; i <= ROUNDS; i++) {
		await(&wait, &there, i);
		if (i % 5000 == 0)
			usleep(2000); /* long enough that the other side goes to sleep */
		tell(&back, i);
	}
	return NULL;
}

static void test_no_wake_up_is_lost(void)
{
	struct pl_wait wait = { 0 };
	pthread_t thread;

	assert(pthread_create(&thread, NULL, answer, NULL) == 0);
	for (uint32_t i = 1; i <= ROUNDS; i++) {
		tell(&there, i);
		await(&wait, &back, i);
	}
	pthread_join(thread, NULL);
	assert(wait.sleeps + wait.spins <= ROUNDS);
	assert(wait.sleeps > 0); /* the four long answers */
}

static bool never(void *arg)
{
	(void)arg;
	return false;
}

static void test_time_limit_ends_the_wait_and_shrinks_the_spin(void)
{
	struct pl_wait wait = { 0 };
	_Atomic uint32_t sleeper = 0;
	uint32_t before;

	assert(!pl_wait_until(&wait, &sleeper, never, NULL, 1000000));
	before = wait.spin_ns;
	assert(!pl_wait_until(&wait, &sleeper, never, NULL, 1000000));
	assert(wait.spin_ns < before && wait.spin_ns >= PL_SPIN_NS_MIN);
	assert(wait.sleeps == 2 && wait.spins == 0);
}

int main(void)
{
	test_no_wake_up_is_lost();
	test_time_limit_ends_the_wait_and_shrinks_the_spin();
	puts("wait: 2 ok");
	return 0;
}
