#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cuda/ranges.h"

static void test_ranges_are_found_by_any_number_in_them(void)
{
	struct pl_cuda_ranges ranges = { 0 };
	int a, b;
	assert(!pl_cuda_ranges_insert(&ranges, 100, 50, &a));
	assert(!pl_cuda_ranges_insert(&ranges, 10, 20, &b));
	assert(!pl_cuda_ranges_find(&ranges, 9) && !pl_cuda_ranges_find(&ranges, 30) &&
	       !pl_cuda_ranges_find(&ranges, 150));
	assert(pl_cuda_ranges_find(&ranges, 10)->value == &b && pl_cuda_ranges_find(&ranges, 29)->value == &b);
	assert(pl_cuda_ranges_find(&ranges, 149)->value == &a);
	assert(pl_cuda_ranges_next(&ranges, 40)->value == &a && !pl_cuda_ranges_next(&ranges, 150));
	pl_cuda_ranges_remove(&ranges, pl_cuda_ranges_find(&ranges, 10));
	assert(!pl_cuda_ranges_find(&ranges, 10) && ranges.n == 1);
	pl_cuda_ranges_fini(&ranges);
}

static void test_what_overlaps_or_ends_past_all_numbers_is_refused(void)
{
	struct pl_cuda_ranges ranges = { 0 };
	assert(!pl_cuda_ranges_insert(&ranges, 100, 50, NULL));
	assert(pl_cuda_ranges_insert(&ranges, 149, 1, NULL) == -EEXIST);
	assert(pl_cuda_ranges_insert(&ranges, 50, 51, NULL) == -EEXIST);
	assert(pl_cuda_ranges_insert(&ranges, 50, 200, NULL) == -EEXIST);
	assert(pl_cuda_ranges_insert(&ranges, 7, 0, NULL) == -EINVAL);
	assert(pl_cuda_ranges_insert(&ranges, UINT64_MAX, 2, NULL) == -EINVAL);
	assert(!pl_cuda_ranges_insert(&ranges, UINT64_MAX, 1, NULL));
	assert(pl_cuda_ranges_find(&ranges, UINT64_MAX));
	pl_cuda_ranges_fini(&ranges);
}

static void test_space_given_back_grows_together(void)
{
	struct pl_cuda_space space = { 0 };
	uint64_t a, b, c;
	assert(!pl_cuda_space_give(&space, 4096, 3 * 4096));
	assert(!pl_cuda_space_take(&space, 4096, 4096, &a) && !pl_cuda_space_take(&space, 4096, 4096, &b));
	assert(!pl_cuda_space_take(&space, 4096, 4096, &c));
	assert(a == 4096 && b == 2 * 4096 && c == 3 * 4096 && !space.free_bytes);
	assert(pl_cuda_space_take(&space, 1, 1, &a) == -ENOSPC);
	assert(!pl_cuda_space_give(&space, a, 4096) && !pl_cuda_space_give(&space, c, 4096));
	assert(pl_cuda_space_take(&space, 2 * 4096, 4096, &a) == -ENOSPC && space.ranges.n == 2);
	assert(!pl_cuda_space_give(&space, b, 4096) && space.ranges.n == 1);
	assert(!pl_cuda_space_take(&space, 3 * 4096, 4096, &a));
	pl_cuda_space_fini(&space);
}

static void test_alignment_and_places_are_kept(void)
{
	struct pl_cuda_space space = { 0 };
	uint64_t at, size;
	assert(!pl_cuda_space_give(&space, 100, 1000));
	assert(!pl_cuda_space_take(&space, 100, 256, &at) && at == 256);
	assert(!pl_cuda_space_take_at(&space, 1000, 100) && pl_cuda_space_take_at(&space, 999, 2) == -ENOSPC);
	assert(pl_cuda_space_take_at(&space, 2000, 1) == -ENOSPC && pl_cuda_space_take_at(&space, 500, 0) == -ENOSPC);
	assert(!pl_cuda_space_take_some(&space, 10000, 128, &at, &size) && at == 384 && size == 512);
	pl_cuda_space_fini(&space);
}

/* Against a map of bytes. */
static void test_many_random_takes_and_gives_never_overlap(void)
{
	enum { UNITS = 4096, HELD = 200 };
	static uint8_t used[UNITS];
	struct pl_cuda_space space = { 0 };
	uint64_t start[HELD] = { 0 }, size[HELD] = { 0 }, taken = 0;
	srand(7);
	assert(!pl_cuda_space_give(&space, 0, UNITS));
	for (int i = 0; i < 20000; i++) {
		int k = rand() % HELD;
		if (size[k]) {
			for (uint64_t u = start[k]; u < start[k] + size[k]; u++)
				assert(used[u]--);
			assert(!pl_cuda_space_give(&space, start[k], size[k]));
			taken -= size[k];
			size[k] = 0;
			continue;
		}
		uint64_t want = 1 + (uint64_t)rand() % 60;
		if (pl_cuda_space_take(&space, want, 1ull << (rand() % 4), &start[k]))
			continue;
		size[k] = want;
		taken += want;
		for (uint64_t u = start[k]; u < start[k] + want; u++)
			assert(!used[u]++);
		assert(space.free_bytes == UNITS - taken);
	}
	pl_cuda_space_fini(&space);
}

int main(void)
{
	test_ranges_are_found_by_any_number_in_them();
	test_what_overlaps_or_ends_past_all_numbers_is_refused();
	test_space_given_back_grows_together();
	test_alignment_and_places_are_kept();
	test_many_random_takes_and_gives_never_overlap();
	return 0;
}
