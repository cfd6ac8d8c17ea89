#include "server/handles.h"
#include "server/quota.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static void *object_of(uint64_t id)
{
	return (void *)(uintptr_t)(id * 16);
}

static void test_id_finds_only_its_kind(void)
{
	struct pl_handles handles;
	struct pl_handle found = { .failed = 77 };

	assert(pl_handles_init(&handles) == 0);
	assert(pl_handles_put(&handles, 5, 2, object_of(5), 0, NULL) == 0);
	assert(pl_handles_get(&handles, 5, 2, &found) && found.object == object_of(5));
	found.failed = 77;
	assert(!pl_handles_get(&handles, 5, 3, &found));  /* wrong kind */
	assert(!pl_handles_get(&handles, 6, 2, &found));  /* never made */
	assert(!pl_handles_get(&handles, 0, 2, &found));  /* no id */
	assert(!pl_handles_take(&handles, 5, 3, &found));
	assert(found.failed == 77);                       /* outputs untouched on failure */
	assert(pl_handles_take(&handles, 5, 2, &found));
	assert(!pl_handles_get(&handles, 5, 2, &found));  /* stale */
	pl_handles_fini(&handles);
}

static void test_used_id_and_zero_are_refused(void)
{
	struct pl_handles handles;

	assert(pl_handles_init(&handles) == 0);
	assert(pl_handles_put(&handles, 9, 1, object_of(9), 0, NULL) == 0);
	assert(pl_handles_put(&handles, 9, 2, object_of(10), 0, NULL) == -EEXIST);
	assert(pl_handles_put(&handles, 0, 1, object_of(1), 0, NULL) == -EINVAL);
	assert(handles.count == 1);
	pl_handles_fini(&handles);
}

/* Random puts and takes against a plain array; ids that fall on the same places. */
static void test_table_agrees_with_an_array(void)
{
	enum { IDS = 4096, STEPS = 200000 };
	static bool there[IDS];
	struct pl_handles handles;
	uint32_t count = 0;

	srand(7);
	assert(pl_handles_init(&handles) == 0);
	for (int step = 0; step < STEPS; step++) {
		uint64_t i = (uint64_t)rand() % IDS, id = (i + 1) << 20;
		struct pl_handle found;

		assert(pl_handles_get(&handles, id, 1, &found) == there[i]);
		if (there[i])
			assert(found.object == object_of(id) && pl_handles_take(&handles, id, 1, &found));
		else
			assert(pl_handles_put(&handles, id, 1, object_of(id), 0, NULL) == 0);
		there[i] = !there[i];
		count += there[i] ? 1 : -1u;
		assert(handles.count == count);
	}
	for (uint64_t i = 0; i < IDS; i++)
		assert(pl_handles_find(&handles, 1, object_of((i + 1) << 20)) == (there[i] ? (i + 1) << 20 : 0));
	pl_handles_fini(&handles);
}

static void test_table_is_bounded(void)
{
	struct pl_handles handles;

	assert(pl_handles_init(&handles) == 0);
	for (uint64_t id = 1; id <= PL_HANDLES_MAX; id++)
		assert(pl_handles_put(&handles, id, 1, object_of(id), 0, NULL) == 0);
	assert(pl_handles_put(&handles, PL_HANDLES_MAX + 1, 1, object_of(1), 0, NULL) == -ENOSPC);
	pl_handles_fini(&handles);
}

static void test_quota_never_passes_its_limit(void)
{
	struct pl_quota quota = { .limit = { [PL_QUOTA_MEMORY] = 100 } };

	assert(pl_quota_charge(&quota, PL_QUOTA_MEMORY, 60));
	assert(!pl_quota_charge(&quota, PL_QUOTA_MEMORY, 41));
	assert(!pl_quota_charge(&quota, PL_QUOTA_MEMORY, UINT64_MAX)); /* must not wrap around */
	assert(pl_quota_charge(&quota, PL_QUOTA_MEMORY, 40));
	pl_quota_return(&quota, PL_QUOTA_MEMORY, 100);
	assert(quota.used[PL_QUOTA_MEMORY] == 0);
	assert(!pl_quota_charge(&quota, PL_QUOTA_OBJECTS, 1)); /* limit 0 */
}

int main(void)
{
	test_id_finds_only_its_kind();
	test_used_id_and_zero_are_refused();
	test_table_agrees_with_an_array();
	test_table_is_bounded();
	test_quota_never_passes_its_limit();
	puts("handles: 5 ok");
	return 0;
}
