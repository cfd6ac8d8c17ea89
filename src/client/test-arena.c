#include "client/arena.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BYTES (64u << 20)

static int memory(uint64_t bytes, int seals)
{
	int fd = memfd_create("test-arena", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert(fd >= 0 && ftruncate(fd, (off_t)bytes) == 0 && fcntl(fd, F_ADD_SEALS, seals) == 0);
	return fd;
}

static void make(struct pl_arena *arena)
{
	assert(pl_arena_init(arena, memory(BYTES, F_SEAL_SHRINK | F_SEAL_GROW), BYTES, 0) == 0);
}

static void test_memory_that_can_shrink_is_refused(void)
{
	struct pl_arena arena;

	assert(pl_arena_init(&arena, memory(BYTES, F_SEAL_GROW), BYTES, 0) == -EPROTO);
	assert(pl_arena_init(&arena, memory(BYTES / 2, F_SEAL_SHRINK), BYTES, 0) == -EPROTO);
	assert(!arena.base);
	pl_arena_fini(&arena);
}

static void test_extents_never_overlap_and_come_back(void)
{
	enum { N = 200, STEPS = 20000 };
	static struct {
		uint64_t offset, bytes;
		uint8_t mark;
	} live[N];
	struct pl_arena arena;

	make(&arena);
	srand(3);
	for (int step = 0; step < STEPS; step++) {
		int i = rand() % N;

		if (live[i].bytes) {
			uint8_t *at = arena.base + live[i].offset;
			assert(at[0] == live[i].mark && at[live[i].bytes - 1] == live[i].mark);
			pl_arena_free(&arena, live[i].offset, live[i].bytes, 0);
			live[i].bytes = 0;
			continue;
		}
		live[i].bytes = 1 + (uint64_t)rand() % 200000;
		live[i].offset = pl_arena_alloc(&arena, live[i].bytes);
		assert(live[i].offset != PL_ARENA_NONE && live[i].offset % PL_ARENA_GRAIN_BYTES == 0);
		live[i].mark = (uint8_t)step;
		memset(arena.base + live[i].offset, live[i].mark, live[i].bytes);
	}
	for (int i = 0; i < N; i++)
		if (live[i].bytes)
			pl_arena_free(&arena, live[i].offset, live[i].bytes, 0);
	assert(arena.used_bytes == 0);
	assert(pl_arena_alloc(&arena, BYTES) == PL_ARENA_NONE || arena.top_bytes <= BYTES);
	pl_arena_fini(&arena);
}

static void test_held_extent_waits_for_its_fence(void)
{
	struct pl_arena arena;
	uint64_t first;

	make(&arena);
	first = pl_arena_alloc(&arena, BYTES);
	assert(first == 0);
	pl_arena_free(&arena, first, BYTES, 10);
	assert(pl_arena_alloc(&arena, 1) == PL_ARENA_NONE); /* commands may still use it */
	pl_arena_passed(&arena, 9);
	assert(pl_arena_alloc(&arena, 1) == PL_ARENA_NONE);
	pl_arena_passed(&arena, 10);
	assert(pl_arena_alloc(&arena, 1) == 0);
	pl_arena_fini(&arena);
}

static bool is_idle(void *arg)
{
	return *(bool *)arg;
}

static void test_held_extent_waits_for_who_is_at_work(void)
{
	struct pl_arena arena;
	bool idle = false;

	make(&arena);
	pl_arena_free(&arena, pl_arena_alloc(&arena, BYTES), BYTES, 10);
	pl_arena_passed_if(&arena, 10, is_idle, &idle);
	assert(pl_arena_alloc(&arena, 1) == PL_ARENA_NONE && arena.held_bytes == BYTES);
	idle = true;
	pl_arena_passed_if(&arena, 9, is_idle, &idle);
	assert(pl_arena_alloc(&arena, 1) == PL_ARENA_NONE);
	pl_arena_passed_if(&arena, 10, is_idle, &idle);
	assert(pl_arena_alloc(&arena, 1) == 0 && !arena.held_bytes);
	pl_arena_fini(&arena);
}

static void test_absurd_sizes_find_no_room(void)
{
	struct pl_arena arena;

	make(&arena);
	assert(pl_arena_alloc(&arena, 0) == PL_ARENA_NONE);
	assert(pl_arena_alloc(&arena, BYTES + 1) == PL_ARENA_NONE);
	assert(pl_arena_alloc(&arena, UINT64_MAX) == PL_ARENA_NONE);
	pl_arena_fini(&arena);
}

static void test_aligned_extents_leave_what_is_around_them(void)
{
	struct pl_arena arena;
	uint64_t first, at, more;

	make(&arena);
	first = pl_arena_alloc(&arena, 4096);
	at = pl_arena_alloc_aligned(&arena, 5000, 1u << 20);
	assert(first == 0 && at == 1u << 20);
	more = pl_arena_alloc(&arena, (1u << 20) - 4096);
	assert(more == 4096);
	assert(pl_arena_alloc(&arena, 4096) == at + 8192);
	assert(pl_arena_alloc_aligned(&arena, BYTES + 1, 4096) == PL_ARENA_NONE);
	assert(pl_arena_alloc_aligned(&arena, UINT64_MAX, 4096) == PL_ARENA_NONE);
	assert(pl_arena_alloc_aligned(&arena, 4096, 1ull << 63) == PL_ARENA_NONE);
	pl_arena_fini(&arena);
}

/* Where the system makes none that is said; what lies in them is kept either way. */
static void test_huge_pages_hold_what_is_written(void)
{
	struct pl_arena arena;
	bool made;
	uint64_t at, place;
	void *room = mmap(NULL, 2 * BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert(room != MAP_FAILED && !munmap(room, 2 * BYTES));
	place = ((uintptr_t)room + PL_ARENA_HUGE_BYTES - 1) & ~(uint64_t)(PL_ARENA_HUGE_BYTES - 1);
	assert(pl_arena_init(&arena, memory(BYTES, F_SEAL_SHRINK | F_SEAL_GROW), BYTES, place) == 0);
	at = pl_arena_alloc_aligned(&arena, 3 * PL_ARENA_HUGE_BYTES, PL_ARENA_HUGE_BYTES);
	assert(at != PL_ARENA_NONE);
	made = pl_arena_huge(&arena, at, 2 * PL_ARENA_HUGE_BYTES);
	if (!made)
		printf("     no huge pages in shared memory here\n");
	memset(arena.base + at, 5, 3 * PL_ARENA_HUGE_BYTES);
	assert(pl_arena_huge(&arena, at, 2 * PL_ARENA_HUGE_BYTES) == made);
	for (uint64_t i = made ? 0 : 1; i < 3 * PL_ARENA_HUGE_BYTES; i++)
		assert(arena.base[at + i] == 5 || (!made && i % PL_ARENA_HUGE_BYTES == 0));
	pl_arena_free(&arena, at, 3 * PL_ARENA_HUGE_BYTES, 0);
	pl_arena_fini(&arena);
	/* One whose parts lie at no such place. */
	assert(pl_arena_init_part(&arena, memory(BYTES, F_SEAL_SHRINK), 4096, BYTES - 4096, 0) == 0);
	assert(!pl_arena_huge(&arena, 0, PL_ARENA_HUGE_BYTES));
	pl_arena_fini(&arena);
}

int main(void)
{
	test_memory_that_can_shrink_is_refused();
	test_extents_never_overlap_and_come_back();
	test_held_extent_waits_for_its_fence();
	test_held_extent_waits_for_who_is_at_work();
	test_absurd_sizes_find_no_room();
	test_aligned_extents_leave_what_is_around_them();
	test_huge_pages_hold_what_is_written();
	puts("arena: 6 ok");
	return 0;
}
