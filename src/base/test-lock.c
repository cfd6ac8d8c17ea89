#include "base/lock.h"

#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#define THREADS 4u
#define ROUNDS  50000u

static struct pl_lock lock;
static uint64_t count; /* under lock */
static _Atomic uint32_t through;

static void test_taken_is_not_taken_again(void)
{
	assert(pl_lock_try(&lock));
	assert(!pl_lock_try(&lock));
	pl_unlock(&lock);
	assert(pl_lock_try(&lock));
	pl_unlock(&lock);
	assert(!atomic_load(&lock.word));
}

static void *sleeper(void *arg)
{
	(void)arg;
	pl_lock(&lock);
	atomic_fetch_add(&through, 1);
	pl_unlock(&lock);
	return NULL;
}

static void test_all_who_sleep_get_it_after_one_another(void)
{
	pthread_t threads[THREADS];

	pl_lock(&lock);
	for (unsigned i = 0; i < THREADS; i++)
		assert(!pthread_create(&threads[i], NULL, sleeper, NULL));
	while (atomic_load(&lock.word) != 2) /* until one at least is about to sleep */
		sched_yield();
	assert(!atomic_load(&through));
	assert(!pl_lock_try(&lock));
	assert(atomic_load(&lock.word) == 2); /* who tries in vain does not hide who sleeps */
	pl_unlock(&lock);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert(atomic_load(&through) == THREADS && !atomic_load(&lock.word));
}

static void *counter(void *arg)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		if (arg && i % 2) {
			while (!pl_lock_try(&lock))
				sched_yield();
		} else {
			pl_lock(&lock);
		}
		count++;
		if (!(i % 1000))
			sched_yield(); /* while others want it */
		pl_unlock(&lock);
	}
	return NULL;
}

static void test_one_at_a_time_has_it(void)
{
	pthread_t threads[THREADS];

	for (unsigned i = 0; i < THREADS; i++)
		assert(!pthread_create(&threads[i], NULL, counter, i ? NULL : &lock));
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert(count == (uint64_t)THREADS * ROUNDS && !atomic_load(&lock.word));
}

int main(void)
{
	test_taken_is_not_taken_again();
	test_all_who_sleep_get_it_after_one_another();
	test_one_at_a_time_has_it();
	puts("lock: ok");
	return 0;
}
