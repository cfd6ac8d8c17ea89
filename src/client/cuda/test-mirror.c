/* Pages that come and go, with a device that is an array here. */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/cuda/mirror.h"

#define PAGE    PL_MIRROR_PAGE_BYTES
#define PAGES   600u
#define ADDRESS 0x7ea400000000ull

static uint8_t device[PAGES * PAGE];
static unsigned fetches, stores;
static uint64_t stored_bytes;
static _Atomic unsigned held_back;
static _Atomic bool works;
static int fetch_fails;
static uint64_t range_told = 7;
static _Atomic uint64_t times, worked_at;
static int session, owner, other_owner;

static int fetch(void *arg, uint64_t range, uint64_t address, void *data, uint64_t bytes, bool patient,
		 uint64_t *as_of_out)
{
	held_back += patient && works;
	if (patient && works)
		return 1;
	assert(arg == &session && range == range_told && bytes <= PL_MIRROR_FETCH_BYTES);
	*as_of_out = ++times;
	fetches++;
	memcpy(data, device + (address - ADDRESS), bytes);
	return fetch_fails;
}

static int store(void *arg, uint64_t range, uint64_t address, const void *data, uint64_t bytes, bool free)
{
	assert(arg == &session && range == range_told && !free);
	stores++;
	stored_bytes += bytes;
	memcpy(device + (address - ADDRESS), data, bytes);
	return 0;
}

static const struct pl_mirror_ops ops = { .fetch = fetch, .store = store };
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

static _Atomic uint8_t seen;

static void *see(void *arg)
{
	seen = *(volatile uint8_t *)arg;
	return NULL;
}

/* Of pages that are away; the device is to have worked, and written, before one comes. */
static void test_who_touches_a_page_while_the_device_works_waits_for_its_end(void)
{
	pthread_t first, second;

	pl_mirror_settle(&session, false);
	memset(device, 1, sizeof(device));
	works = true;
	held_back = 0;
	seen = 0;
	assert(!pthread_create(&first, NULL, see, here + 20 * PAGE));
	assert(!pthread_create(&second, NULL, see, here + 500 * PAGE));
	while (held_back < 5)
		usleep(1000);
	assert(!seen && !pl_mirror_pages_here);
	memset(device, 2, sizeof(device));
	works = false;
	pthread_join(first, NULL);
	pthread_join(second, NULL);
	assert(seen == 2);
}

static void test_nobody_waits_for_ever_nor_where_the_device_leaves_the_pages_alone(void)
{
	uint32_t patience_ms = pl_mirror_patience_ms;

	pl_mirror_settle(&session, false);
	works = true;
	held_back = 0;
	pl_mirror_attach(ADDRESS + 3 * PAGE, PAGE, false);
	see(here);
	assert(seen == 2 && !held_back);
	pl_mirror_attach(ADDRESS + 3 * PAGE, PAGE, true);
	pl_mirror_settle(&session, false);
	pl_mirror_patience_ms = 50;
	see(here);
	assert(seen == 2 && held_back > 1);
	pl_mirror_settle(&session, false);
	held_back = 0; /* and the next one not at all */
	see(here + 30 * PAGE);
	assert(seen == 2 && !held_back);
	pl_mirror_patience_ms = patience_ms;
	works = false;
	pl_mirror_settle(&session, false);
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

/* ---- memory that both use at one time ---- */

#define SHARED (ADDRESS + 0x10000000ull)

static _Atomic unsigned merges;
static uint64_t merged[64]; /* addresses, in the order of their coming */

static _Atomic int fetch_held; /* 1: the next one is to be held; 2: it is */

static int shared_fetch(void *arg, uint64_t range, uint64_t address, void *data, uint64_t bytes, bool patient,
			uint64_t *as_of_out)
{
	int one = 1, r = fetch(arg, range, address - SHARED + ADDRESS, data, bytes, false, as_of_out);

	(void)patient;

	if (works)
		*as_of_out = 0;
	if (atomic_compare_exchange_strong(&fetch_held, &one, 2))
		while (fetch_held)
			sched_yield();
	return r;
}

static int shared_store(void *arg, uint64_t range, uint64_t address, const void *data, uint64_t bytes, bool free)
{
	return store(arg, range, address - SHARED + ADDRESS, data, bytes, free);
}

static int shared_merge(void *arg, uint64_t range, uint64_t address, const void *data, uint64_t pages, bool free)
{
	const uint8_t *from = data;

	assert(arg == &session && range == range_told && pages && pages <= PL_MIRROR_MERGE_PAGES && !free);
	if (merges < 64)
		merged[merges] = address;
	merges++;
	for (uint64_t i = 0; i < pages * PAGE; i++) {
		const uint8_t *page = from + i / PAGE * PL_MIRROR_MERGE_BYTES;
		unsigned at = i % PAGE;

		if (page[PAGE + at / 8] >> at % 8 & 1)
			__atomic_store_n(device + (address - SHARED) + i, page[at], __ATOMIC_RELEASE);
	}
	return 0;
}

static bool shared_idle(void *arg)
{
	assert(arg == &session);
	return !works;
}

static uint64_t shared_worked(void *arg)
{
	assert(arg == &session);
	return worked_at;
}

static const struct pl_mirror_ops shared_ops = {
	.fetch = shared_fetch,
	.store = shared_store,
	.merge = shared_merge,
	.idle = shared_idle,
	.worked = shared_worked,
};
static uint8_t *const both = (uint8_t *)SHARED;

static void wait_for(const volatile uint8_t *at, uint8_t value)
{
	for (unsigned i = 0; __atomic_load_n(at, __ATOMIC_ACQUIRE) != value; i++) {
		assert(i < 20000); /* some 10 s */
		usleep(500);
	}
}

static void test_only_written_bytes_go_where_both_write(void)
{
	assert(!pl_mirror_add(SHARED, PAGES * PAGE, &shared_ops, &session, 7, &owner));
	memset(device, 1, sizeof(device));
	works = true;
	for (unsigned page = 0; page < 10; page++)
		for (unsigned i = 0; i < PAGE; i += 3)
			both[page * PAGE + i] = 2;
	for (unsigned page = 0; page < 10; page++) /* the device writes to the same words meanwhile */
		for (unsigned i = 1; i < PAGE; i += 3)
			device[page * PAGE + i] = 3;
	pl_mirror_settle(&session, false);
	for (unsigned i = 0; i < 10 * PAGE; i++)
		assert(device[i] == (i % PAGE % 3 == 0 ? 2 : i % PAGE % 3 == 1 ? 3 : 1) && both[i] == device[i]);
	works = false;
}

static void test_while_the_device_works_either_side_sees_what_the_other_writes(void)
{
	memset(device, 0, sizeof(device));
	pl_mirror_settle(&session, false);
	works = true;
	assert(both[0] == 0);
	device[0] = 9;
	wait_for(&both[0], 9); /* the program calls nothing */
	both[1] = 5;
	wait_for(&device[1], 5);
	both[PAGE] = 7;
	both[1] = 6;
	wait_for(&device[PAGE], 7);
	wait_for(&device[1], 6);
	works = false;
}

static void test_a_page_goes_before_the_program_writes_to_the_next(void)
{
	pl_mirror_settle(&session, false);
	works = true;
	merges = 0;
	for (unsigned i = 0; i < 8; i++)
		both[(9 - i) * PAGE] ^= 1; /* downwards: not in the order of addresses */
	wait_for(&device[2 * PAGE], both[2 * PAGE]);
	works = false;
	assert(merges >= 8);
	for (unsigned i = 0; i < 8; i++)
		assert(merged[i] == SHARED + (9 - i) * PAGE);
	pl_mirror_settle(&session, false);
}

static void test_where_nothing_works_pages_stay(void)
{
	unsigned before;

	works = false;
	assert(both[40 * PAGE] == device[40 * PAGE]);
	before = fetches;
	usleep(100000);
	assert(both[40 * PAGE] == device[40 * PAGE] && fetches == before);
	works = true; /* it is noticed by itself */
	device[40 * PAGE] ^= 1;
	wait_for(&both[40 * PAGE], device[40 * PAGE]);
	works = false;
	pl_mirror_remove(&owner);
	assert(!pl_mirror_pages_here);
}

static void test_what_was_written_while_the_device_worked_goes_alone(void)
{
	assert(!pl_mirror_add(SHARED, PAGES * PAGE, &shared_ops, &session, 7, &owner));
	memset(device, 1, sizeof(device));
	works = true;
	both[0] = 2;
	device[1] = 3; /* not in the page that is here */
	works = false;
	pl_mirror_settle(&session, false);
	assert(device[0] == 2 && device[1] == 3 && both[1] == 3);
}

/* In place of the C library's: mirror.c gives pages up with it. */
static _Atomic int giving_up_held; /* as fetch_held */

int madvise(void *address, size_t bytes, int advice)
{
	int one = 1;

	if (advice == MADV_DONTNEED && atomic_compare_exchange_strong(&giving_up_held, &one, 2))
		while (giving_up_held)
			sched_yield();
	return (int)syscall(SYS_madvise, address, bytes, advice);
}

static void *touch(void *arg)
{
	return (void *)(uintptr_t) * (volatile uint8_t *)arg;
}

static void *let_go(void *arg)
{
	usleep(30000);
	fetch_held = giving_up_held = 0;
	return arg;
}

static void settle(void)
{
	pl_mirror_settle(&session, false);
}

/* What another thread was just fetching is as old as the work was. */
static void seen_behind(void (*call)(void), bool worked)
{
	pthread_t other, later;

	pl_mirror_settle(&session, false);
	works = worked;
	fetch_held = 1;
	assert(!pthread_create(&other, NULL, touch, both + 20 * PAGE));
	while (fetch_held != 2)
		sched_yield();
	worked_at = ++times;
	device[20 * PAGE] ^= 1;
	works = false;
	assert(!pthread_create(&later, NULL, let_go, NULL));
	call();
	assert(both[20 * PAGE] == device[20 * PAGE]);
	pthread_join(other, NULL);
	pthread_join(later, NULL);
}

static void test_behind_a_wait_or_a_call_what_was_being_fetched_is_not_there_any_more(void)
{
	seen_behind(pl_mirror_waited, true);
	seen_behind(pl_mirror_waited, false); /* it was fetched before the work began */
	seen_behind(settle, false);
}

static void *settle_there(void *arg)
{
	settle();
	return arg;
}

static void test_a_page_that_another_thread_is_giving_up_is_waited_for(void)
{
	pthread_t other, later;

	settle();
	assert(both[20 * PAGE] == device[20 * PAGE]);
	giving_up_held = 1;
	assert(!pthread_create(&other, NULL, settle_there, NULL));
	while (giving_up_held != 2)
		sched_yield();
	device[20 * PAGE] ^= 1;
	assert(!pthread_create(&later, NULL, let_go, NULL));
	settle();
	assert(both[20 * PAGE] == device[20 * PAGE]);
	pthread_join(other, NULL);
	pthread_join(later, NULL);
	pl_mirror_remove(&owner);
	assert(!pl_mirror_pages_here);
}

static void test_memory_of_the_programs_goes_with_what_is_in_it(void)
{
	uint8_t *at = mmap(both, PAGES * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	assert(at == both);
	memset(device, 0, sizeof(device));
	for (unsigned page = 0; page < PAGES; page += page % 7 ? 1 : 3) /* others were never touched */
		at[page * PAGE + page] = (uint8_t)(page + 1);
	range_told = SHARED;
	assert(!pl_mirror_adopt(SHARED, PAGES * PAGE, &shared_ops, &session));
	for (unsigned page = 0; page < PAGES; page++)
		assert(device[page * PAGE + page] == at[page * PAGE + page]);
	at[3] = 77; /* and from here on as any such memory */
	pl_mirror_settle(&session, false);
	assert(device[3] == 77);
	device[PAGE + 9] = 78;
	assert(at[PAGE + 9] == 78 && at[3] == 77);
	assert(pl_mirror_adopt(SHARED + 1, PAGE, &shared_ops, &session) == -EINVAL);
	pl_mirror_remove_at(SHARED + PAGE);
	assert(!pl_mirror_holds(SHARED) && !pl_mirror_pages_here);
	range_told = 7;
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
	test_who_touches_a_page_while_the_device_works_waits_for_its_end();
	test_nobody_waits_for_ever_nor_where_the_device_leaves_the_pages_alone();
	test_a_lost_server_leaves_zeros();
	test_a_child_has_what_was_there();
	test_removed_pages_are_no_memory();
	test_only_written_bytes_go_where_both_write();
	test_while_the_device_works_either_side_sees_what_the_other_writes();
	test_a_page_goes_before_the_program_writes_to_the_next();
	test_where_nothing_works_pages_stay();
	test_what_was_written_while_the_device_worked_goes_alone();
	test_behind_a_wait_or_a_call_what_was_being_fetched_is_not_there_any_more();
	test_a_page_that_another_thread_is_giving_up_is_waited_for();
	test_memory_of_the_programs_goes_with_what_is_in_it();
	return 0;
}
