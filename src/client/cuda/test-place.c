/* Pages of this process that move into shared memory and back. */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/cuda/place.h"

#define PAGE        PL_PLACE_PAGE_BYTES
#define ARENA_BYTES (1u << 20)
#define PAGES       4u
#define STORE       (8 * PAGE)

static struct pl_arena arena;

static void arena_make(void)
{
	int fd = memfd_create("test-place", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert(fd >= 0 && !ftruncate(fd, ARENA_BYTES) && !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
	assert(!pl_arena_init(&arena, fd, ARENA_BYTES, 0));
}

static uint8_t *pages_make(void)
{
	uint8_t *pages = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert(pages != MAP_FAILED);
	for (unsigned i = 0; i < PAGES - 1; i++) /* the last was never touched */
		memset(pages + i * PAGE, (int)i + 1, PAGE);
	return pages;
}

static int in(void *pages)
{
	return pl_place_in(&arena, (uintptr_t)pages, PAGES * PAGE, STORE);
}

static int out(void *pages)
{
	return pl_place_out(&arena, (uintptr_t)pages, PAGES * PAGE, STORE);
}

static void test_both_sides_see_what_the_other_writes(void)
{
	uint8_t *pages = pages_make(), *there = arena.base + STORE;

	assert(!in(pages));
	assert(there[0] == 1 && there[PAGE] == 2 && there[3 * PAGE - 1] == 3 && !there[3 * PAGE]);
	pages[5] = 77;
	there[PAGE + 5] = 88;
	assert(there[5] == 77 && pages[PAGE + 5] == 88);
	assert(!out(pages));
	assert(pages[5] == 77 && pages[PAGE + 5] == 88 && pages[2 * PAGE] == 3 && !pages[3 * PAGE]);
	there[5] = 1;
	assert(pages[5] == 77);
	munmap(pages, PAGES * PAGE);
}

static void test_other_memory_is_left_alone(void)
{
	FILE *file = tmpfile();
	void *pages;

	assert(file && !ftruncate(fileno(file), PAGES * PAGE));
	pages = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fileno(file), 0);
	assert(in(pages) == -EINVAL); /* of a file */
	munmap(pages, PAGES * PAGE);
	pages = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert(in(pages) == -EINVAL); /* shared with somebody else */
	munmap(pages, PAGES * PAGE);
	pages = mmap(NULL, PAGES * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert(in(pages) == -EINVAL); /* not to be written */
	munmap((uint8_t *)pages + PAGE, PAGE);
	mprotect(pages, PAGE, PROT_READ | PROT_WRITE);
	assert(in(pages) == -EINVAL); /* with a hole */
	munmap(pages, PAGES * PAGE);
	assert(in((void *)((uintptr_t)&pages & ~(uintptr_t)(PAGE - 1))) == -EINVAL); /* this thread's stack */
	fclose(file);
}

static void test_what_the_program_has_unmapped_is_not_touched(void)
{
	uint8_t *pages = pages_make(), *again;

	assert(!in(pages));
	munmap(pages, PAGES * PAGE);
	again = mmap(pages, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	assert(again == pages);
	memset(again, 55, PAGES * PAGE);
	assert(!out(pages)); /* nothing of it is there any more */
	assert(again[0] == 55 && again[PAGES * PAGE - 1] == 55);
	munmap(again, PAGES * PAGE);
}

/* ---- others write meanwhile ---- */

static atomic_bool stop;
static _Atomic(uint8_t *) writing;

static void *writer(void *arg)
{
	uint64_t *count = arg;

	while (!atomic_load(&stop)) {
		uint64_t *at = (uint64_t *)(void *)atomic_load(&writing);

		*at = ++*count; /* what is written stays */
		if (*(volatile uint64_t *)at != *count)
			abort();
	}
	return NULL;
}

static void test_writes_of_other_threads_are_not_lost(void)
{
	uint8_t *pages = pages_make();
	pthread_t thread;
	uint64_t count = 0;

	atomic_store(&writing, pages + PAGE + 64);
	assert(!pthread_create(&thread, NULL, writer, &count));
	for (int i = 0; i < 300; i++) {
		assert(!in(pages));
		assert(!out(pages));
	}
	atomic_store(&stop, true);
	assert(!pthread_join(thread, NULL));
	assert(*(uint64_t *)(void *)(pages + PAGE + 64) == count);
	munmap(pages, PAGES * PAGE);
}

static void test_a_child_has_pages_of_its_own(void)
{
	uint8_t *pages = pages_make();
	int status, go[2];
	pid_t pid;

	assert(!in(pages) && !pipe(go));
	pid = fork();
	assert(pid >= 0);
	if (!pid) {
		char byte;

		close(go[1]);
		if (pages[0] != 1)
			_exit(1);
		memset(pages, 9, PAGES * PAGE);
		if (read(go[0], &byte, 1) != 0 || pages[PAGE] != 9)
			_exit(2);
		_exit(0);
	}
	pages[0] = 101; /* the child has the first page as it was */
	pages[PAGE] = 102;
	close(go[0]);
	close(go[1]);
	assert(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && !WEXITSTATUS(status));
	assert(pages[0] == 101 && pages[PAGE] == 102 && pages[2 * PAGE] == 3);
	assert(!out(pages));
	munmap(pages, PAGES * PAGE);
}

int main(void)
{
	uint8_t *pages = pages_make();
	int r;

	arena_make();
	r = in(pages);
	if (r == -EPERM || r == -ENOSYS) {
		printf("skipped: no userfaultfd: %s\n", strerror(-r));
		return 77;
	}
	assert(!r && !out(pages));
	test_both_sides_see_what_the_other_writes();
	test_other_memory_is_left_alone();
	test_what_the_program_has_unmapped_is_not_touched();
	test_writes_of_other_threads_are_not_lost();
	test_a_child_has_pages_of_its_own();
	return 0;
}
