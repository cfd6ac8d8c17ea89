#include <assert.h>
#include <pthread.h>
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

int main(void)
{
	test_a_handle_finds_its_object_by_type();
	test_a_freed_handle_stays_unknown_when_its_slot_is_used_again();
	test_numbers_that_are_no_handles_are_refused();
	test_threads_see_their_own_objects();
	return 0;
}
