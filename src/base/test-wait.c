#include "base/wait.h"

#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#define ROUNDS 20000

struct channel { /* one way; the two threads answer each other */
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

struct late {
	_Atomic uint32_t sleeper;
	int looks;  /* with the flag up */
	bool other; /* another waiter comes right behind the waker and puts the flag up again */
};

/* The waker that made an earlier wait ready was held up before it took the flag down: it goes on after this waiter's
 * last look, ahead of its sleep. */
static bool late_waker_comes(void *arg)
{
	struct late *late = arg;

	if (!(atomic_load(&late->sleeper) & PL_SLEEPER_HERE))
		return false;
	if (late->looks++)
		return true;
	pl_wake(&late->sleeper);
	if (late->other)
		atomic_fetch_or(&late->sleeper, PL_SLEEPER_HERE);
	return false;
}

static void test_waker_of_an_earlier_wait_does_not_put_this_one_to_sleep_for_good(void)
{
	for (int other = 0; other < 2; other++) {
		struct pl_wait wait = { 0 };
		struct late late = { .other = other };

		alarm(20); /* else it hangs for good */
		assert(pl_wait_until(&wait, &late.sleeper, late_waker_comes, &late, UINT64_MAX));
		alarm(0);
		assert(late.looks == 2 && wait.sleeps == 1);
	}
}

static void test_on_one_core_spinning_that_did_not_pay_is_left_out(void)
{
	_Atomic uint32_t sleeper = 0, ring = 0;
	struct pl_wait wait = { .turns = &ring };
	cpu_set_t before, own;
	uint32_t skips;

	assert(sched_getaffinity(0, sizeof(before), &before) == 0);
	CPU_ZERO(&own);
	CPU_SET((size_t)sched_getcpu(), &own);
	assert(sched_setaffinity(0, sizeof(own), &own) == 0);
	assert(!pl_wait_until(&wait, &sleeper, never, NULL, 1000) && !wait.skips); /* it is not here */
	ring = pl_wait_core();
	assert(!pl_wait_until(&wait, &sleeper, never, NULL, 1000));
	skips = wait.skips;
	assert(skips);
	assert(!pl_wait_until(&wait, &sleeper, never, NULL, 1000) && wait.skips == skips - 1);
	wait.skips = 0;
	assert(!pl_wait_until(&wait, &sleeper, never, NULL, 1000) && wait.skips == skips);
	assert(sched_setaffinity(0, sizeof(before), &before) == 0);
}

static void test_nobody_spins_for_a_side_that_waits_itself_or_for_the_same_core(void)
{
	_Atomic uint32_t sleeper = 0, core = 0, slow = 1;
	struct pl_wait wait = { .core = &core, .slow = &slow };
	cpu_set_t own;

	pl_wait_cores_set(2);
	assert(!pl_wait_until(&wait, &sleeper, never, NULL, 1000));
	assert(wait.sleeps == 1 && wait.spin_ns == PL_SPIN_NS_MAX); /* nothing was learnt about spinning */
	pl_wait_cores_set(16);                                      /* where cores are many it costs nobody anything */
	assert(!pl_wait_until(&wait, &sleeper, never, NULL, 1000));
	assert(wait.sleeps == 2 && wait.spin_ns == PL_SPIN_NS_MAX / 2);
	pl_wait_cores_set(0);
	wait.spin_ns = PL_SPIN_NS_MAX;
	wait.sleeps = 1;
	slow = 0;
	CPU_ZERO(&own);
	CPU_SET((size_t)sched_getcpu(), &own);
	assert(sched_setaffinity(0, sizeof(own), &own) == 0);
	core = pl_wait_core();
	assert(core != 0);
	assert(!pl_wait_until(&wait, &sleeper, never, NULL, 1000));
	assert(wait.sleeps == 2 && wait.spin_ns == PL_SPIN_NS_MAX);
	core++;
	assert(!pl_wait_until(&wait, &sleeper, never, NULL, 1000));
	assert(wait.sleeps == 3 && wait.spin_ns == PL_SPIN_NS_MAX / 2);
}

int main(void)
{
	test_no_wake_up_is_lost();
	test_time_limit_ends_the_wait_and_shrinks_the_spin();
	test_waker_of_an_earlier_wait_does_not_put_this_one_to_sleep_for_good();
	test_on_one_core_spinning_that_did_not_pay_is_left_out();
	test_nobody_spins_for_a_side_that_waits_itself_or_for_the_same_core();
	puts("wait: 4 ok");
	return 0;
}
