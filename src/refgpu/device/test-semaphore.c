/* Semaphores: channels and engines that wait for each other and for the CPU; what ends a wait. */
#include <sched.h>

#include "rig.h"

#define SEM(i) (RIG_DATA + 64ull * (i))

struct bench {
	struct rig rig;
	struct rig_space space;
	uint64_t data;
};

static void bench_begin(struct bench *bench)
{
	rig_create(&bench->rig, PL_RG_CLOCK_HOST);
	rig_space(&bench->space, &bench->rig, PL_RG_MODE_F2);
	bench->data = rig_vram(&bench->rig, 64u << 10);
	rig_map(&bench->space, RIG_DATA, bench->data, 64u << 10, 0);
}

static uint32_t *host_of(struct bench *bench, uint64_t va)
{
	return (uint32_t *)(void *)(bench->rig.vram + bench->data + (va - RIG_DATA));
}

static uint32_t load(struct bench *bench, uint64_t va)
{
	return __atomic_load_n(host_of(bench, va), __ATOMIC_ACQUIRE);
}

static void store(struct bench *bench, uint64_t va, uint32_t value)
{
	__atomic_store_n(host_of(bench, va), value, __ATOMIC_RELEASE);
}

static void test_both_orders_across_engines_and_channels(void)
{
	struct rig_channel channels[4];
	struct bench bench;

	bench_begin(&bench);
	for (uint32_t i = 0; i < 4; i++) /* two share the compute engine */
		rig_channel(&channels[i], &bench.space, 1 + i, i % PL_RG_ENGINES);
	for (uint32_t round = 1; round < 40; round++) {
		struct rig_channel *first = &channels[round % 4], *then = &channels[(round / 4 + round + 1) % 4];
		bool acquire_first = round % 2;

		if (first == then)
			continue;
		for (uint32_t step = 0; step < 2; step++) {
			if (acquire_first == !step) {
				rig_begin(then);
				rig_acquire(then, SEM(0), round, PL_RG_SEM_ACQUIRE_GEQ);
				rig_release(then, SEM(1), round);
				rig_submit(then);
				if (acquire_first)
					rig_wait_state(then, PL_RG_CS_ACQUIRE);
			} else {
				rig_begin(first);
				rig_release(first, SEM(0), round);
				rig_submit(first);
				if (!acquire_first)
					rig_wait_idle(first);
			}
		}
		rig_wait_idle(then);
		assert(load(&bench, SEM(1)) == round);
	}
	rig_destroy(&bench.rig);
}

static void test_a_wait_puts_the_channel_aside_only(void)
{
	struct rig_channel waits, goes;
	struct pl_rg_stats stats;
	struct bench bench;

	bench_begin(&bench);
	rig_channel(&waits, &bench.space, 1, PL_RG_COPY1);
	rig_channel(&goes, &bench.space, 2, PL_RG_COPY1);
	rig_begin(&waits);
	rig_release(&waits, SEM(2), 1); /* before the wait: is done */
	rig_acquire(&waits, SEM(0), 5, PL_RG_SEM_ACQUIRE);
	rig_release(&waits, SEM(2), 2); /* behind it: once */
	rig_submit(&waits);
	rig_wait_state(&waits, PL_RG_CS_ACQUIRE);
	for (uint32_t i = 1; i < 20; i++) {
		rig_begin(&goes);
		rig_release(&goes, SEM(1), i);
		rig_submit(&goes);
		rig_wait_idle(&goes);
		assert(load(&bench, SEM(1)) == i && load(&bench, SEM(2)) == 1);
	}
	assert(rig_get(&waits) == 0);
	rig_begin(&goes);
	rig_release(&goes, SEM(0), 5);
	rig_submit(&goes);
	rig_wait_idle(&waits);
	assert(load(&bench, SEM(2)) == 2 && rig_get(&waits) == 1);
	pl_rg_stats(bench.rig.rg, &stats);
	assert(stats.acquires == 1 && stats.acquire_waits == 1 && stats.submissions_copy1 == 21);
	rig_destroy(&bench.rig);
}

/* One channel whose acquire waits until the memory has the second value, not with the first. */
static void holds(struct bench *bench, struct rig_channel *channel, uint32_t operation, uint32_t payload, uint32_t no,
		  uint32_t yes)
{
	store(bench, SEM(3), no);
	rig_begin(channel);
	rig_acquire(channel, SEM(3), payload, operation);
	rig_submit(channel);
	rig_wait_state(channel, PL_RG_CS_ACQUIRE);
	store(bench, SEM(3), yes); /* a plain store of the CPU: found by looking now and then */
	rig_wait_idle(channel);
}

static void test_every_comparison(void)
{
	struct rig_channel channel;
	struct bench bench;

	bench_begin(&bench);
	rig_channel(&channel, &bench.space, 1, PL_RG_COPY2);
	holds(&bench, &channel, PL_RG_SEM_ACQUIRE, 7, 8, 7);
	holds(&bench, &channel, PL_RG_SEM_ACQUIRE_GEQ, 7, 6, 9);
	holds(&bench, &channel, PL_RG_SEM_ACQUIRE_GEQ, 3, 0xfffffff0, 4);
	holds(&bench, &channel, PL_RG_SEM_ACQUIRE_GEQ, 0xfffffff0, 0xffffffef, 4); /* around the end */
	holds(&bench, &channel, PL_RG_SEM_ACQUIRE_AND, 6, 9, 2);
	holds(&bench, &channel, PL_RG_SEM_ACQUIRE_NOR, 0xf0, 0xffffff0f, 0xffffff0e);
	rig_destroy(&bench.rig);
}

static void sem_64(struct rig_channel *channel, uint64_t va, uint64_t value, uint32_t execute)
{
	rig_word(channel, PL_RG_HEADER(PL_RG_INCREASING, PL_RG_M_SEM_LOW, 5));
	rig_word(channel, (uint32_t)va);
	rig_word(channel, (uint32_t)(va >> 32));
	rig_word(channel, (uint32_t)value);
	rig_word(channel, (uint32_t)(value >> 32));
	rig_word(channel, execute | PL_RG_SEM_64);
}

static void test_wide_payloads_and_timestamps(void)
{
	struct rig_channel channel, other;
	struct bench bench;
	uint64_t time, before = pl_now_ns();

	bench_begin(&bench);
	rig_channel(&channel, &bench.space, 1, PL_RG_COPY1);
	rig_channel(&other, &bench.space, 2, PL_RG_COPY2);
	rig_begin(&other);
	sem_64(&other, SEM(4), 0x200000001ull, PL_RG_SEM_ACQUIRE_GEQ);
	rig_submit(&other);
	rig_begin(&channel);
	sem_64(&channel, SEM(4), 0x100000007ull, PL_RG_SEM_RELEASE); /* its low half would do */
	rig_submit(&channel);
	rig_wait_idle(&channel);
	rig_wait_state(&other, PL_RG_CS_ACQUIRE);
	rig_begin(&channel);
	sem_64(&channel, SEM(4), 0x200000001ull, PL_RG_SEM_RELEASE | PL_RG_SEM_TIME);
	rig_submit(&channel);
	rig_wait_idle(&other);
	rig_wait_idle(&channel);
	assert(load(&bench, SEM(4)) == 1 && load(&bench, SEM(4) + 4) == 2);
	time = load(&bench, SEM(4) + 8) | (uint64_t)load(&bench, SEM(4) + 12) << 32;
	assert(time >= before && time <= pl_now_ns());
	rig_destroy(&bench.rig);
}

static void test_lies(void)
{
	static const struct {
		uint64_t va;
		uint32_t execute, code;
	} cases[] = {
		{ SEM(0) + 2, PL_RG_SEM_RELEASE, PL_RG_FAULT_BAD_ARGUMENT },
		{ SEM(0) + 4, PL_RG_SEM_RELEASE | PL_RG_SEM_64, PL_RG_FAULT_BAD_ARGUMENT },
		{ SEM(0) + 8, PL_RG_SEM_RELEASE | PL_RG_SEM_TIME, PL_RG_FAULT_BAD_ARGUMENT },
		{ SEM(0), PL_RG_SEM_ACQUIRE | PL_RG_SEM_TIME, PL_RG_FAULT_BAD_ARGUMENT },
		{ 1ull << 41, PL_RG_SEM_ACQUIRE, PL_RG_FAULT_VSPACE_LIMIT },
		{ RIG_DATA + (64u << 10), PL_RG_SEM_RELEASE, PL_RG_FAULT_PAGE_NOT_PRESENT },
	};
	struct rig_channel channel;
	struct bench bench;

	bench_begin(&bench);
	for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		rig_channel(&channel, &bench.space, 1, PL_RG_COPY1);
		rig_begin(&channel);
		rig_acquire(&channel, cases[i].va, 1, cases[i].execute);
		rig_submit(&channel);
		assert(rig_fault(&bench.rig).words[PL_RG_FW_CODE] == cases[i].code);
		rig_write(&bench.rig, PL_RG_CHANNEL(1), 0);
	}
	rig_destroy(&bench.rig);
}

static void test_a_channel_that_waits_is_killed(void)
{
	struct rig_channel waits, goes;
	struct bench bench;

	bench_begin(&bench);
	rig_channel(&waits, &bench.space, 1, PL_RG_COMPUTE);
	rig_channel(&goes, &bench.space, 2, PL_RG_COMPUTE);
	for (uint32_t round = 1; round < 5; round++) {
		rig_begin(&waits);
		rig_acquire(&waits, SEM(0), 5, PL_RG_SEM_ACQUIRE);
		rig_release(&waits, SEM(1), 1);
		rig_submit(&waits);
		rig_wait_state(&waits, PL_RG_CS_ACQUIRE);
		if (round % 2) {
			rig_write(&bench.rig, PL_RG_KILL, 1);
			rig_wait_state(&waits, PL_RG_CS_DEAD);
			while (rig_read(&bench.rig, PL_RG_KILL) & PL_RG_KILL_BUSY)
				sched_yield();
		}
		rig_write(&bench.rig, PL_RG_CHANNEL(1), 0);
		while (rig_read(&bench.rig, PL_RG_CHANNEL(1)))
			sched_yield();
		store(&bench, SEM(0), 5);
		rig_begin(&goes);
		rig_release(&goes, SEM(2), round);
		rig_submit(&goes);
		rig_wait_idle(&goes);
		assert(load(&bench, SEM(2)) == round && !load(&bench, SEM(1)));
		store(&bench, SEM(0), 0);
		rig_channel(&waits, &bench.space, 1, PL_RG_COMPUTE);
	}
	assert(!rig_read(&bench.rig, PL_RG_FAULT_COUNT));
	rig_destroy(&bench.rig);
}

/* The page of the semaphore goes away while a channel waits there: a fault when it is looked at after the flush. */
static void test_a_semaphore_that_is_unmapped_faults(void)
{
	struct rig_channel waits, goes;
	struct bench bench;

	bench_begin(&bench);
	rig_map(&bench.space, RIG_DATA + (1u << 20), bench.data + 4096, 4096, 0);
	rig_channel(&waits, &bench.space, 1, PL_RG_COPY1);
	rig_channel(&goes, &bench.space, 2, PL_RG_COPY1);
	rig_begin(&waits);
	rig_acquire(&waits, RIG_DATA + (1u << 20), 5, PL_RG_SEM_ACQUIRE);
	rig_submit(&waits);
	rig_wait_state(&waits, PL_RG_CS_ACQUIRE);
	rig_unmap(&bench.space, RIG_DATA + (1u << 20), 4096, 0);
	rig_flush(&bench.space);
	assert(rig_fault(&bench.rig).words[PL_RG_FW_CODE] == PL_RG_FAULT_PAGE_NOT_PRESENT);
	rig_begin(&goes);
	rig_release(&goes, SEM(0), 3);
	rig_submit(&goes);
	rig_wait_idle(&goes);
	assert(load(&bench, SEM(0)) == 3);
	rig_destroy(&bench.rig);
}

/* A kernel and a copy write semaphores as well as a release does. */
static void test_kernels_and_copies_release(void)
{
	struct rig_launch job = { RIG_STORE, 9, SEM(5) };
	struct rig_channel waits, kernel, copy;
	struct bench bench;

	bench_begin(&bench);
	rig_channel(&waits, &bench.space, 1, PL_RG_COPY1);
	rig_channel(&copy, &bench.space, 2, PL_RG_COPY2);
	rig_channel(&kernel, &bench.space, 3, PL_RG_COMPUTE);
	memcpy(host_of(&bench, SEM(8)), &job, sizeof(job));
	for (uint32_t i = 0; i < 2; i++) {
		rig_begin(&waits);
		rig_acquire(&waits, SEM(5 + i), 9, PL_RG_SEM_ACQUIRE);
		rig_submit(&waits);
		rig_wait_state(&waits, PL_RG_CS_ACQUIRE);
		rig_begin(i ? &copy : &kernel);
		if (i)
			rig_copy(&copy, SEM(6), SEM(5), 4);
		else
			rig_launch(&kernel, SEM(8));
		rig_submit(i ? &copy : &kernel);
		rig_wait_idle(&waits);
	}
	rig_destroy(&bench.rig);
}

/* Two engines that flush at once wait for each other's TLB, and both go on. */
static void test_flushes_by_method_from_all_engines(void)
{
	struct rig_channel channels[PL_RG_ENGINES];
	struct bench bench;

	bench_begin(&bench);
	for (uint32_t e = 0; e < PL_RG_ENGINES; e++)
		rig_channel(&channels[e], &bench.space, 1 + e, e);
	for (uint32_t i = 1; i < 30; i++) {
		for (uint32_t e = 0; e < PL_RG_ENGINES; e++) {
			rig_begin(&channels[e]);
			rig_method(&channels[e], PL_RG_M_TLB_FLUSH, i % 2 ? PL_RG_TLB_ALL : PL_RG_TLB_ONE);
			rig_method(&channels[e], PL_RG_M_MEMBAR, 0);
			rig_method(&channels[e], PL_RG_M_TLB_FLUSH, PL_RG_TLB_ONE);
			rig_method(&channels[e], PL_RG_M_WAIT_IDLE, 0);
			rig_release(&channels[e], SEM(e), i);
			rig_method(&channels[e], PL_RG_M_INTERRUPT, 0);
			rig_submit(&channels[e]);
		}
		for (uint32_t e = 0; e < PL_RG_ENGINES; e++) {
			rig_wait_idle(&channels[e]);
			assert(load(&bench, SEM(e)) == i);
		}
	}
	assert(rig_read(&bench.rig, PL_RG_INTR) == 7);
	rig_destroy(&bench.rig);
}

int main(void)
{
	test_both_orders_across_engines_and_channels();
	test_a_wait_puts_the_channel_aside_only();
	test_every_comparison();
	test_wide_payloads_and_timestamps();
	test_lies();
	test_a_channel_that_waits_is_killed();
	test_a_semaphore_that_is_unmapped_faults();
	test_kernels_and_copies_release();
	test_flushes_by_method_from_all_engines();
	return 0;
}
