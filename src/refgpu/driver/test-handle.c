#include <assert.h>
#include <pthread.h>
#include <stddef.h>

#include "refgpu/driver/handle.h"

static void test_a_handle_finds_its_object_by_type(void)
{
	int object;
	uint64_t handle = pl_cu_handle_create(PL_CU_EVENT, &object);
	assert(handle && pl_cu_handle_find(handle, PL_CU_EVENT) == &object);
	assert(!pl_cu_handle_find(handle, PL_CU_STREAM));
	assert(pl_cu_handle_type(handle) == PL_CU_EVENT);
	pl_cu_handle_destroy(handle);
}

static void test_a_freed_handle_stays_unknown_when_its_slot_is_used_again(void)
{
	int object;
	uint64_t first = pl_cu_handle_create(PL_CU_EVENT, &object);
	pl_cu_handle_destroy(first);
	for (int i = 0; i < 20000; i++) {
		uint64_t handle = pl_cu_handle_create(PL_CU_EVENT, &object);
		assert(handle && handle != first);
		assert(!pl_cu_handle_find(first, PL_CU_EVENT) && pl_cu_handle_type(first) == PL_CU_FREE);
		pl_cu_handle_destroy(handle);
		pl_cu_handle_destroy(handle);
	}
}

static void test_numbers_that_are_no_handles_are_refused(void)
{
	int object;
	uint64_t handle = pl_cu_handle_create(PL_CU_EVENT, &object);
	const uint64_t lies[] = { 0,
				  1,
				  2,
				  UINT64_MAX,
				  (uint64_t)(uintptr_t)&object,
				  handle + 1,
				  handle + (1ull << 28),
				  handle ^ 1ull << 63,
				  handle + (PL_CU_HANDLES_MAX / 2 * 16ull) };
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		assert(!pl_cu_handle_find(lies[i], PL_CU_EVENT));
		pl_cu_handle_destroy(lies[i]);
	}
	assert(pl_cu_handle_find(handle, PL_CU_EVENT) == &object);
	pl_cu_handle_destroy(handle);
}

static void *churn(void *unused)
{
	int object;
	(void)unused;
	for (int i = 0; i < 20000; i++) {
		uint64_t handle = pl_cu_handle_create(PL_CU_STREAM, &object);
		assert(pl_cu_handle_find(handle, PL_CU_STREAM) == &object);
		pl_cu_handle_destroy(handle);
		assert(!pl_cu_handle_find(handle, PL_CU_STREAM));
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
