#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "cuda/handle.h"

enum { EVENT = 9, STREAM };

static void test_a_handle_finds_its_object_by_type(void)
{
	int object;
	uint64_t handle = pl_cuda_handle_create(EVENT, &object);
	assert(handle && pl_cuda_handle_find(handle, EVENT) == &object);
	assert(!pl_cuda_handle_find(handle, STREAM));
	assert(pl_cuda_handle_type(handle) == EVENT);
	pl_cuda_handle_destroy(handle);
}

static void test_a_freed_handle_stays_unknown_when_its_slot_is_used_again(void)
{
	int object;
	uint64_t first = pl_cuda_handle_create(EVENT, &object);
	pl_cuda_handle_destroy(first);
	for (int i = 0; i < 20000; i++) {
		uint64_t handle = pl_cuda_handle_create(EVENT, &object);
		assert(handle && handle != first);
		assert(!pl_cuda_handle_find(first, EVENT) && pl_cuda_handle_type(first) == PL_CUDA_HANDLE_FREE);
		pl_cuda_handle_destroy(handle);
		pl_cuda_handle_destroy(handle);
	}
}

static void test_numbers_that_are_no_handles_are_refused(void)
{
	int object;
	uint64_t handle = pl_cuda_handle_create(EVENT, &object);
	const uint64_t lies[] = { 0,
				  1,
				  2,
				  UINT64_MAX,
				  (uint64_t)(uintptr_t)&object,
				  handle + 1,
				  handle + (1ull << 28),
				  handle ^ 1ull << 63,
				  handle + (PL_CUDA_HANDLES_MAX / 2 * 16ull) };
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		assert(!pl_cuda_handle_find(lies[i], EVENT));
		pl_cuda_handle_destroy(lies[i]);
	}
	assert(pl_cuda_handle_find(handle, EVENT) == &object);
	pl_cuda_handle_destroy(handle);
}

static void *churn(void *unused)
{
	int object;
	(void)unused;
	for (int i = 0; i < 20000; i++) {
		uint64_t handle = pl_cuda_handle_create(STREAM, &object);
		assert(pl_cuda_handle_find(handle, STREAM) == &object);
		pl_cuda_handle_destroy(handle);
		assert(!pl_cuda_handle_find(handle, STREAM));
	}
	return NULL;
}

static void test_threads_see_their_own_objects(void)
{
	pthread_t thread[4];
	for (int i = 0; i < 4; i++)
		assert(!pthread_create(&thread[i], NULL, churn, NULL));
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
}

static int freed;

static void object_free(void *object)
{
	++*(int *)object;
	freed++;
}

static void test_what_a_call_holds_is_freed_at_its_end(void)
{
	int object = 0;
	uint64_t handle = pl_cuda_handle_create(EVENT, &object), others[100];
	uint32_t outer = pl_cuda_call_begin(), inner;
	freed = 0;
	assert(!pl_cuda_handle_hold(handle, STREAM));
	inner = pl_cuda_call_begin();
	for (int i = 0; i < 100; i++)
		others[i] = pl_cuda_handle_create(STREAM, &freed);
	for (int i = 0; i < 1000; i++) {
		assert(pl_cuda_handle_hold(handle, EVENT) == &object);
		assert(pl_cuda_handle_hold(others[i % 100], STREAM) == &freed);
	}
	for (int i = 0; i < 100; i++)
		assert(pl_cuda_handle_retire(others[i], object_free));
	assert(!freed && !pl_cuda_handle_hold(others[99], STREAM));
	pl_cuda_call_end(inner);
	assert(freed == 200); /* each of them twice: the object is the count */
	freed = 0;
	assert(pl_cuda_handle_hold(handle, EVENT) == &object);
	assert(pl_cuda_handle_retire(handle, object_free) && !freed);
	assert(!pl_cuda_handle_retire(handle, object_free)); /* by another, later */
	assert(!pl_cuda_handle_find(handle, EVENT) && !pl_cuda_handle_hold(handle, EVENT));
	pl_cuda_call_end(outer);
	assert(freed == 1 && object == 1);
	handle = pl_cuda_handle_create(EVENT, &object);
	assert(pl_cuda_handle_hold(handle, EVENT) == &object); /* outside of a call it is not kept */
	assert(pl_cuda_handle_retire(handle, object_free) && freed == 2);
	assert(!pl_cuda_handle_retire(0, object_free) && !pl_cuda_handle_retire(UINT64_MAX, object_free));
	assert(freed == 2);
}

static _Atomic uint64_t passing;
static atomic_bool over;

static void *holder(void *unused)
{
	(void)unused;
	while (!atomic_load(&over)) {
		uint32_t call = pl_cuda_call_begin();
		atomic_int *object = pl_cuda_handle_hold(atomic_load(&passing), STREAM);
		assert(!object || !atomic_load(object));
		pl_cuda_call_end(call);
	}
	return NULL;
}

static void object_end(void *object)
{
	atomic_store((atomic_int *)object, 1);
}

static void test_nobody_holds_what_has_been_freed(void)
{
	static atomic_int objects[20000];
	pthread_t thread[3];
	for (int i = 0; i < 3; i++)
		assert(!pthread_create(&thread[i], NULL, holder, NULL));
	for (int i = 0; i < 20000; i++) {
		uint64_t handle = pl_cuda_handle_create(STREAM, &objects[i]);
		atomic_store(&passing, handle);
		assert(pl_cuda_handle_retire(handle, object_end));
	}
	atomic_store(&over, true);
	for (int i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	for (int i = 0; i < 20000; i++)
		assert(atomic_load(&objects[i]));
}

int main(void)
{
	test_a_handle_finds_its_object_by_type();
	test_a_freed_handle_stays_unknown_when_its_slot_is_used_again();
	test_numbers_that_are_no_handles_are_refused();
	test_threads_see_their_own_objects();
	test_what_a_call_holds_is_freed_at_its_end();
	test_nobody_holds_what_has_been_freed();
	return 0;
}
