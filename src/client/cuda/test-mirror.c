/* Pages that come and go, with a device that is an array here. */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/cuda/mirror.h"

#define PAGE    PL_MIRROR_PAGE_BYTES
#define PAGES   600u
#define ADDRESS 0x7ea400000000ull

static uint8_t device[PAGES * PAGE];
static unsigned fetches, stores;
static uint64_t stored_bytes;
static int fetch_fails;
static int session, owner, other_owner;

static int fetch(void *arg, uint64_t range, uint64_t address, void *data, uint64_t bytes)
{
	assert(arg == &session && range == 7 && bytes <= PL_MIRROR_FETCH_BYTES);
	fetches++;
	memcpy(data, device + (address - ADDRESS), bytes);
	return fetch_fails;
}

static int store(void *arg, uint64_t range, uint64_t address, const void *data, uint64_t bytes, bool free)
{
	assert(arg == &session && range == 7 && !free);
	stores++;
	stored_bytes += bytes;
	memcpy(device + (address - ADDRESS), data, bytes);
	return 0;
}

static const struct pl_mirror_ops ops = { fetch, store };
static uint8_t *const here = (uint8_t *)ADDRESS;

static int add(uint64_t page, uint64_t pages)
{
	return pl_mirror_add(ADDRESS + page * PAGE, pages * PAGE, &ops, &session, 7, &owner);
}

static void test_pages_are_fetched_when_they_are_touched_and_only_written_ones_go_back(void)
{
	memset(device, 3, sizeof(device));
	assert(add(0, PAGES) == 0 && pl_mirror_holds(ADDRESS) && !pl_mirror_holds(ADDRESS + PAGES * PAGE));
	assert(!fetches && !pl_mirror_pages_here);
	for (unsigned i = 0; i < PAGES; i++)
		assert(here[i * PAGE + 5] == 3);
	assert(fetches < 10 && pl_mirror_pages_here == PAGES);
	here[2 * PAGE] = 9;
	here[3 * PAGE + 1] = 9;
	here[PAGES * PAGE - 1] = 9;
	pl_mirror_settle(&owner, false); /* another session's */
	assert(!stores);
	pl_mirror_settle(&session, false);
	assert(stores == 2 && stored_bytes == 3 * PAGE && !pl_mirror_pages_here);
	assert(device[2 * PAGE] == 9 && device[3 * PAGE + 1] == 9 && device[PAGES * PAGE - 1] == 9);
	memset(device, 4, sizeof(device)); /* what the device does is seen behind the next settling */
	assert(here[2 * PAGE] == 4 && here[0] == 4);
	device[0] = 5;
	pl_mirror_settle(&session, false);
	assert(stores == 2 && here[0] == 5);
	here[300 * PAGE] = 6; /* the first touch writes */
	pl_mirror_settle(&session, false);
	assert(stores == 3 && device[300 * PAGE] == 6 && device[301 * PAGE] == 4);
}

static void test_what_is_mirrored_already_stays_and_what_the_program_has_is_left_alone(void)
{
	void *own = mmap((void *)(ADDRESS + (PAGES + 8) * PAGE), PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	assert(own == (void *)(ADDRESS + (PAGES + 8) * PAGE));
	here[0] = 11;
	assert(pl_mirror_add(ADDRESS, (PAGES + 16) * PAGE, &ops, &session, 7, &other_owner) == -EEXIST);
	assert(here[0] == 11 && !pl_mirror_holds(ADDRESS + PAGES * PAGE) && *(uint8_t *)own == 0);
	assert(pl_mirror_add(ADDRESS, (PAGES + 4) * PAGE, &ops, &session, 7, &other_owner) == 0);
	assert(here[0] == 11 && pl_mirror_holds(ADDRESS + PAGES * PAGE));
	pl_mirror_remove(&other_owner);
	assert(pl_mirror_holds(ADDRESS) && !pl_mirror_holds(ADDRESS + PAGES * PAGE));
	assert(add(PAGES, 0) == -EINVAL && pl_mirror_add(ADDRESS + 1, PAGE, &ops, &session, 7, &owner) == -EINVAL);
	munmap(own, PAGE);
}

static _Atomic bool ends;

static void *count(void *arg)
{
	volatile uint64_t *at = arg;
	uint64_t n = 0;

	while (!ends)
		*at = ++n;
	return (void *)n;
}

static void test_who_writes_while_pages_go_loses_nothing(void)
{
	uint64_t *at = (uint64_t *)(here + 10 * PAGE), last = 0;
	pthread_t thread;
	void *n;

	*at = 0;
	assert(!pthread_create(&thread, NULL, count, at));
	for (int changes = 0; changes < 200;) {
		uint64_t now;

		sched_yield();
		pl_mirror_settle(&session, false);
		memcpy(&now, device + 10 * PAGE, sizeof(now));
		assert(now >= last);
		changes += now != last;
		last = now;
	}
	ends = true;
	pthread_join(thread, &n);
	assert(*at == (uint64_t)n);
	pl_mirror_settle(&session, false);
	assert(!memcmp(device + 10 * PAGE, &n, sizeof(n)));
}

static void test_a_lost_server_leaves_zeros(void)
{
	memset(device, 8, sizeof(device));
	pl_mirror_settle(&session, false);
	fetch_fails = -EPIPE;
	assert(here[0] == 0);
	fetch_fails = 0;
	pl_mirror_settle(&session, false);
	assert(here[0] == 8);
}

static void test_a_child_has_what_was_there(void)
{
	int status;
	pid_t child;

	here[0] = 21;
	child = fork();
	if (!child)
		_exit(here[0] == 21 && !pl_mirror_is_possible() && add(0, 1) < 0 ? 0 : 1);
	assert(child > 0 && waitpid(child, &status, 0) == child && !status);
	assert(here[0] == 21);
	here[1] = 22;
	pl_mirror_settle(&session, false);
	assert(device[0] == 21 && device[1] == 22);
}

static void test_removed_pages_are_no_memory(void)
{
	pl_mirror_remove_at(ADDRESS + 5 * PAGE);
	assert(!pl_mirror_holds(ADDRESS) && !pl_mirror_pages_here);
	assert(msync(here, PAGE, MS_ASYNC) && errno == ENOMEM);
	pl_mirror_remove(&owner);
	assert(add(0, 1) == 0 && here[0] == 21);
	pl_mirror_remove(&owner);
}

int main(void)
{
#ifdef __SANITIZE_THREAD__
	printf("SKIP: the kernel orders who touches a page, which a thread sanitizer does not see\n");
	return 77;
#endif
	if (!pl_mirror_is_possible()) {
		printf("SKIP: no userfaultfd here\n");
		return 77;
	}
	test_pages_are_fetched_when_they_are_touched_and_only_written_ones_go_back();
	test_what_is_mirrored_already_stays_and_what_the_program_has_is_left_alone();
	test_who_writes_while_pages_go_loses_nothing();
	test_a_lost_server_leaves_zeros();
	test_a_child_has_what_was_there();
	test_removed_pages_are_no_memory();
	return 0;
}
