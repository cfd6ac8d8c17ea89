/* Channels, rings and push buffers, and what bad ones cost: their own channel, and nobody else's. */
#include <sched.h>

#include "rig.h"

#define FENCE RIG_DATA

struct bench {
	struct rig rig;
	struct rig_space space;
	uint64_t data; /* VRAM behind RIG_DATA, 1 MiB */
};

static void bench_fill(struct bench *bench, uint32_t mode)
{
	rig_write(&bench->rig, PL_RG_INTR_ENABLE, 0xf);
	rig_space(&bench->space, &bench->rig, mode);
	bench->data = rig_vram(&bench->rig, 1u << 20);
	rig_map(&bench->space, RIG_DATA, bench->data, 1u << 20, 0);
}

static void bench_begin(struct bench *bench, uint32_t mode)
{
	rig_create(&bench->rig, PL_RG_CLOCK_HOST);
	bench_fill(bench, mode);
}

static uint32_t word_at(struct bench *bench, uint64_t va)
{
	return __atomic_load_n((uint32_t *)(void *)(bench->rig.vram + bench->data + (va - RIG_DATA)), __ATOMIC_ACQUIRE);
}

static void launch_put(struct bench *bench, uint64_t va, struct rig_launch launch)
{
	memcpy(bench->rig.vram + bench->data + (va - RIG_DATA), &launch, sizeof(launch));
}

static void channel_works(struct bench *bench, struct rig_channel *channel, uint32_t value)
{
	rig_begin(channel);
	rig_release(channel, FENCE + 64ull * channel->id, value);
	rig_submit(channel);
	rig_wait_idle(channel);
	assert(word_at(bench, FENCE + 64ull * channel->id) == value);
}

static struct rig_fault dies(struct bench *bench, struct rig_channel *channel, uint32_t code)
{
	struct rig_fault fault = rig_fault(&bench->rig);

	assert(fault.words[PL_RG_FW_CODE] == code);
	assert(fault.words[PL_RG_FW_WHO] == (channel->engine << 16 | channel->id));
	assert(rig_state(channel) & PL_RG_CS_DEAD);
	return fault;
}

static void test_every_profile_and_engine_submits(void)
{
	for (uint32_t mode = PL_RG_MODE_F2; mode <= PL_RG_MODE_G_SYSTEM; mode++) {
		struct bench bench;
		struct rig_channel channels[PL_RG_ENGINES];

		bench_begin(&bench, mode);
		for (uint32_t e = 0; e < PL_RG_ENGINES; e++)
			rig_channel(&channels[e], &bench.space, 10 + e, e);
		for (uint32_t i = 1; i < 100; i++) /* several times around the ring */
			channel_works(&bench, &channels[i % PL_RG_ENGINES], i);
		assert(rig_get(&channels[0]) == channels[0].put);
		assert(!rig_read(&bench.rig, PL_RG_STATUS));
		rig_destroy(&bench.rig);
	}
}

static void test_several_entries_with_one_doorbell(void)
{
	struct rig_channel channel;
	struct bench bench;

	bench_begin(&bench, PL_RG_MODE_F2);
	rig_channel(&channel, &bench.space, 1, PL_RG_COPY1);
	for (uint32_t i = 0; i < 10; i++) {
		rig_begin(&channel);
		rig_release(&channel, FENCE + 4ull * i, i + 1);
		rig_ring(&channel, PL_RG_ENTRY(channel.push_va + i * 2048ull, channel.count));
	}
	rig_ring(&channel, PL_RG_ENTRY(0, 0)); /* nothing in it, from nowhere */
	rig_doorbell(&channel);
	rig_wait_idle(&channel);
	for (uint32_t i = 0; i < 10; i++)
		assert(word_at(&bench, FENCE + 4ull * i) == i + 1);
	rig_destroy(&bench.rig);
}

static void test_every_kind_of_header(void)
{
	struct rig_channel channel;
	struct bench bench;

	bench_begin(&bench, PL_RG_MODE_F3);
	rig_channel(&channel, &bench.space, 1, PL_RG_COPY1);
	rig_begin(&channel);
	rig_word(&channel, 0);
	rig_word(&channel, PL_RG_HEADER(PL_RG_INCREASING, PL_RG_M_SEM_LOW, 4));
	rig_word(&channel, (uint32_t)FENCE);
	rig_word(&channel, 0);
	rig_word(&channel, 11);
	rig_word(&channel, 0);
	rig_word(&channel, PL_RG_HEADER(PL_RG_INLINE, PL_RG_M_SEM_EXECUTE, PL_RG_SEM_RELEASE));
	rig_word(&channel, PL_RG_HEADER(PL_RG_SAME, PL_RG_M_SEM_PAYLOAD, 2));
	rig_word(&channel, 21);
	rig_word(&channel, 22);
	rig_word(&channel, PL_RG_HEADER(PL_RG_ONCE, PL_RG_M_SEM_LOW, 1) | 5u << 13 /* any subchannel */);
	rig_word(&channel, (uint32_t)FENCE + 4);
	rig_word(&channel, PL_RG_HEADER(PL_RG_ONCE, PL_RG_M_SEM_PAYLOAD_HIGH, 3)); /* twice SEM_EXECUTE */
	rig_word(&channel, 0);
	rig_word(&channel, PL_RG_SEM_RELEASE);
	rig_word(&channel, PL_RG_SEM_RELEASE);
	rig_method(&channel, PL_RG_M_REFERENCE, 77);
	rig_submit(&channel);
	rig_wait_idle(&channel);
	assert(word_at(&bench, FENCE) == 11 && word_at(&bench, FENCE + 4) == 22);
	assert(pl_rg_bar_read(bench.rig.rg, 1, channel.user + PL_RG_USER_REFERENCE, 4) == 77);
	rig_destroy(&bench.rig);
}

static void test_a_bad_header_or_method_kills_the_channel_only(void)
{
	static const struct {
		uint32_t words[3], count, code;
	} cases[] = {
		{ { 2u << 29 | 1u << 16 | 4, 0 }, 2, PL_RG_FAULT_BAD_HEADER },
		{ { 0x00000001 }, 1, PL_RG_FAULT_BAD_HEADER },
		{ { 0xffffffff }, 1, PL_RG_FAULT_BAD_HEADER },
		{ { PL_RG_HEADER(PL_RG_INCREASING, PL_RG_M_NOP, 3), 1, 2 }, 3, PL_RG_FAULT_BAD_HEADER }, /* cut off */
		{ { PL_RG_HEADER(PL_RG_INCREASING, 0x7ffc, 1), 5 }, 2, PL_RG_FAULT_BAD_METHOD },
		{ { PL_RG_HEADER(PL_RG_INCREASING, 0, 1), 5 }, 2, PL_RG_FAULT_BAD_METHOD },
		{ { PL_RG_HEADER(PL_RG_INCREASING, PL_RG_M_LAUNCH, 1), 0 },
		  2,
		  PL_RG_FAULT_BAD_METHOD }, /* copy engine */
		{ { PL_RG_HEADER(PL_RG_INCREASING, PL_RG_M_EXECUTE, 1), 9 }, 2, PL_RG_FAULT_BAD_ARGUMENT },
		{ { PL_RG_HEADER(PL_RG_INCREASING, PL_RG_M_SEM_EXECUTE, 1), 5 }, 2, PL_RG_FAULT_BAD_ARGUMENT },
		{ { PL_RG_HEADER(PL_RG_INCREASING, PL_RG_M_SEM_EXECUTE, 1), 1u << 30 }, 2, PL_RG_FAULT_BAD_ARGUMENT },
		{ { PL_RG_HEADER(PL_RG_INCREASING, PL_RG_M_TLB_FLUSH, 1), 0 }, 2, PL_RG_FAULT_BAD_ARGUMENT },
		{ { PL_RG_HEADER(PL_RG_INCREASING, PL_RG_M_SEM_EXECUTE, 1), 1 }, 2, PL_RG_FAULT_PT_NOT_PRESENT },
	};
	struct rig_channel good, bad;
	struct bench bench;

	bench_begin(&bench, PL_RG_MODE_F2);
	rig_channel(&good, &bench.space, 1, PL_RG_COPY1);
	for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		rig_channel(&bad, &bench.space, 20 + i, PL_RG_COPY1);
		rig_begin(&bad);
		for (uint32_t w = 0; w < cases[i].count; w++)
			rig_word(&bad, cases[i].words[w]);
		rig_submit(&bad);
		dies(&bench, &bad, cases[i].code);
		assert(rig_get(&bad) == 0);
		channel_works(&bench, &good, i + 1);
	}
	assert(rig_read(&bench.rig, PL_RG_FAULT_UNITS) == 1u << PL_RG_COPY1);
	rig_destroy(&bench.rig);
}

static void test_a_bad_ring_kills_the_channel_only(void)
{
	static const struct {
		uint64_t entry;
		uint32_t put, code;
	} cases[] = {
		{ 0, 1u << RIG_RING_ORDER, PL_RG_FAULT_BAD_RING }, /* PUT outside of it */
		{ 0, 0xffffffff, PL_RG_FAULT_BAD_RING },
		{ 1, 1, PL_RG_FAULT_BAD_RING },
		{ 2, 1, PL_RG_FAULT_BAD_RING },
		{ 1ull << 40, 1, PL_RG_FAULT_BAD_RING },
		{ PL_RG_ENTRY(0, 1), 1, PL_RG_FAULT_PT_NOT_PRESENT },
		{ PL_RG_ENTRY(0xfffffffffcull, PL_RG_ENTRY_WORDS_MAX), 1, PL_RG_FAULT_PT_NOT_PRESENT },
		{ PL_RG_ENTRY(RIG_DATA + (1u << 20), 1), 1, PL_RG_FAULT_PAGE_NOT_PRESENT },
	};
	struct rig_channel good, bad;
	struct bench bench;

	bench_begin(&bench, PL_RG_MODE_F2);
	rig_channel(&good, &bench.space, 1, PL_RG_COPY2);
	for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		rig_channel(&bad, &bench.space, 20 + i, PL_RG_COPY2);
		rig_ring(&bad, cases[i].entry);
		bad.put = cases[i].put;
		rig_doorbell(&bad);
		dies(&bench, &bad, cases[i].code);
		channel_works(&bench, &good, i + 1);
	}
	rig_destroy(&bench.rig);
}

static void test_a_push_buffer_that_runs_off_its_pages_faults_there(void)
{
	struct rig_channel channel;
	struct rig_fault fault;
	struct bench bench;
	uint64_t last = RIG_DATA + (1u << 20) - 8;

	bench_begin(&bench, PL_RG_MODE_F2);
	rig_channel(&channel, &bench.space, 1, PL_RG_COPY1);
	rig_ring(&channel, PL_RG_ENTRY(last, 100)); /* zeros are no methods */
	rig_doorbell(&channel);
	fault = dies(&bench, &channel, PL_RG_FAULT_PAGE_NOT_PRESENT);
	assert(fault.words[PL_RG_FW_ADDRESS] == (uint32_t)(last + 8));
	assert(fault.words[PL_RG_FW_ACCESS] == PL_RG_READ);
	rig_destroy(&bench.rig);
}

static void test_a_bad_instance_block_is_refused(void)
{
	static const struct {
		uint32_t offset, value;
	} cases[] = {
		{ PL_RG_INST_MAGIC, 0 },
		{ PL_RG_INST_MODE, 4 },
		{ PL_RG_INST_ENGINE, PL_RG_ENGINES },
		{ PL_RG_INST_RING, 4 },
		{ PL_RG_INST_RING + 4, 17u << 16 },
		{ PL_RG_INST_USER + 4, 1 },
	};
	struct rig_channel channel;
	struct bench bench;

	bench_begin(&bench, PL_RG_MODE_F2);
	for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t old;

		rig_channel(&channel, &bench.space, 1, PL_RG_COPY1);
		assert(rig_read(&bench.rig, PL_RG_CHANNEL(1)) & PL_RG_CHANNEL_VALID);
		old = *(uint32_t *)(void *)(bench.rig.vram + channel.instance + cases[i].offset);
		assert(old != cases[i].value);
		rig_poke32(&bench.rig, channel.instance + cases[i].offset, cases[i].value);
		rig_write(&bench.rig, PL_RG_CHANNEL(1), PL_RG_CHANNEL_VALID | (uint32_t)(channel.instance >> 12));
		assert(!rig_read(&bench.rig, PL_RG_CHANNEL(1)) && !rig_state(&channel));
		assert(rig_read(&bench.rig, PL_RG_CHANNEL_ERROR) & PL_RG_CHANNEL_VALID);
		rig_write(&bench.rig, PL_RG_CHANNEL_ERROR, 0);
		rig_doorbell(&channel); /* nobody there */
	}
	rig_write(&bench.rig, PL_RG_CHANNEL(1), 0xffffffff); /* above VRAM */
	assert(rig_read(&bench.rig, PL_RG_CHANNEL_ERROR) == (PL_RG_CHANNEL_VALID | PL_RG_FAULT_VRAM_RANGE << 16 | 1));
	rig_destroy(&bench.rig);
}

static void test_a_bad_runlist_is_refused_or_skipped(void)
{
	const uint32_t ids[] = { 1, 511, 512, 0xffffffff, 1, 2 };
	struct rig_channel channel, other;
	struct bench bench;

	bench_begin(&bench, PL_RG_MODE_F2);
	rig_channel(&channel, &bench.space, 1, PL_RG_COPY1);
	rig_channel(&other, &bench.space, 2, PL_RG_COPY2);
	rig_write(&bench.rig, PL_RG_RUNLIST_UPDATE, 3u << 20 | 1);
	assert(rig_read(&bench.rig, PL_RG_CHANNEL_ERROR));
	rig_write(&bench.rig, PL_RG_CHANNEL_ERROR, 0);
	rig_write(&bench.rig, PL_RG_RUNLIST_UPDATE, 1u << 20 | 513);
	assert(rig_read(&bench.rig, PL_RG_CHANNEL_ERROR));
	rig_write(&bench.rig, PL_RG_RUNLIST, 0xffffffff);
	rig_write(&bench.rig, PL_RG_RUNLIST_UPDATE, 1u << 20 | 1);
	channel_works(&bench, &channel, 1); /* the old one holds */
	rig_runlist(&bench.rig, PL_RG_COPY1, ids, 6);
	channel_works(&bench, &channel, 2);
	channel_works(&bench, &other, 3); /* on its own engine, whoever lists it */
	rig_destroy(&bench.rig);
}

static void test_what_is_not_runnable_or_listed_waits(void)
{
	struct rig_channel channel;
	struct bench bench;

	bench_begin(&bench, PL_RG_MODE_F2);
	rig_channel(&channel, &bench.space, 1, PL_RG_COPY1);
	rig_write(&bench.rig, PL_RG_CHANNEL_STATE(1), 0);
	rig_begin(&channel);
	rig_release(&channel, FENCE, 1);
	rig_submit(&channel);
	assert((rig_state(&channel) & (PL_RG_CS_PENDING | PL_RG_CS_LOADED)) == PL_RG_CS_PENDING);
	assert(!word_at(&bench, FENCE));
	rig_runlist(&bench.rig, PL_RG_COPY1, NULL, 0);
	rig_write(&bench.rig, PL_RG_CHANNEL_STATE(1), PL_RG_CS_RUNNABLE);
	assert(rig_state(&channel) & PL_RG_CS_PENDING);
	rig_runlist(&bench.rig, PL_RG_COPY1, &channel.id, 1);
	rig_wait_idle(&channel);
	assert(word_at(&bench, FENCE) == 1);
	rig_destroy(&bench.rig);
}

static void test_round_robin(void)
{
	enum { CHANNELS = 3, ENTRIES = 5 };
	struct rig_channel channels[CHANNELS];
	struct bench bench;
	const uint32_t gate[] = { 7, 3, 5 };

	bench_begin(&bench, PL_RG_MODE_F2);
	rig_channel(&channels[0], &bench.space, 7, PL_RG_COMPUTE);
	rig_channel(&channels[1], &bench.space, 3, PL_RG_COMPUTE);
	rig_channel(&channels[2], &bench.space, 5, PL_RG_COMPUTE);
	rig_runlist(&bench.rig, PL_RG_COMPUTE, gate, 0); /* nobody runs while entries are put there */
	for (uint32_t i = 0; i < ENTRIES; i++) {
		for (uint32_t c = 0; c < CHANNELS; c++) {
			/* a log: each entry copies the log's head behind, then writes its own name in front */
			rig_begin(&channels[c]);
			rig_copy(&channels[c], FENCE + 4, FENCE, 4 * CHANNELS * ENTRIES);
			rig_release(&channels[c], FENCE, channels[c].id);
			rig_submit(&channels[c]);
		}
	}
	rig_runlist(&bench.rig, PL_RG_COMPUTE, gate, CHANNELS);
	for (uint32_t c = 0; c < CHANNELS; c++)
		rig_wait_idle(&channels[c]);
	for (uint32_t i = 0; i < CHANNELS * ENTRIES; i++)
		assert(word_at(&bench, FENCE + 4ull * (CHANNELS * ENTRIES - 1 - i)) == gate[i % CHANNELS]);
	rig_destroy(&bench.rig);
}

static void test_a_kernels_fault_is_told_with_block_and_thread(void)
{
	struct rig_channel channel, other;
	struct rig_fault fault;
	struct bench bench;

	bench_begin(&bench, PL_RG_MODE_F2);
	rig_channel(&channel, &bench.space, 1, PL_RG_COMPUTE);
	rig_channel(&other, &bench.space, 2, PL_RG_COMPUTE);
	launch_put(&bench, RIG_DATA + 4096, (struct rig_launch){ RIG_FAULT, PL_RG_FAULT_MISALIGNED, 0x123456789abull });
	rig_begin(&channel);
	rig_launch(&channel, RIG_DATA + 4096);
	rig_release(&channel, FENCE, 1);
	rig_submit(&channel);
	fault = dies(&bench, &channel, PL_RG_FAULT_MISALIGNED);
	assert(fault.words[PL_RG_FW_ADDRESS] == 0x456789ab && fault.words[PL_RG_FW_ADDRESS_HIGH] == 0x123);
	assert(fault.words[PL_RG_FW_PC] == 0x1230 && fault.words[PL_RG_FW_ACCESS] == PL_RG_WRITE);
	for (uint32_t i = 0; i < 6; i++)
		assert(fault.words[PL_RG_FW_BLOCK + i] == i + 1);
	assert(!word_at(&bench, FENCE));
	assert(rig_read(&bench.rig, PL_RG_FAULT_UNIT(0)) == channel.instance >> 12);
	assert(rig_read(&bench.rig, PL_RG_FAULT_UNIT(0) + 12) == (PL_RG_FAULT_MISALIGNED | PL_RG_WRITE << 8 | 1 << 16));
	channel_works(&bench, &other, 5);
	/* It stays dead until it is made anew. */
	rig_begin(&channel);
	rig_release(&channel, FENCE, 2);
	rig_submit(&channel);
	channel_works(&bench, &other, 6);
	assert(!word_at(&bench, FENCE));
	rig_write(&bench.rig, PL_RG_CHANNEL(1), 0);
	rig_channel(&channel, &bench.space, 1, PL_RG_COMPUTE);
	channel_works(&bench, &channel, 7);
	rig_destroy(&bench.rig);
}

static void test_a_kernels_read_only_store_faults(void)
{
	struct rig_channel channel;
	struct rig_fault fault;
	struct bench bench;

	bench_begin(&bench, PL_RG_MODE_G);
	rig_map(&bench.space, RIG_DATA + (4u << 20), bench.data, 4096, RIG_READ_ONLY);
	rig_channel(&channel, &bench.space, 1, PL_RG_COMPUTE);
	launch_put(&bench, RIG_DATA + 4096, (struct rig_launch){ RIG_STORE, 9, RIG_DATA + (4u << 20) + 8 });
	rig_begin(&channel);
	rig_launch(&channel, RIG_DATA + 4096);
	rig_submit(&channel);
	fault = dies(&bench, &channel, PL_RG_FAULT_READ_ONLY);
	assert(fault.words[PL_RG_FW_ADDRESS] == RIG_DATA + (4u << 20) + 8 && !word_at(&bench, FENCE + 8));
	rig_destroy(&bench.rig);
}

static void test_the_fault_queue_overflows_without_harm(void)
{
	struct rig_channel channel;
	struct pl_rg_stats stats;
	struct bench bench;

	bench_begin(&bench, PL_RG_MODE_F2);
	rig_channel(&channel, &bench.space, 1, PL_RG_COPY1);
	for (uint32_t i = 0; i < PL_RG_FAULT_QUEUE + 3; i++) {
		rig_write(&bench.rig, PL_RG_CHANNEL(1), 0);
		rig_write(&bench.rig, PL_RG_CHANNEL(1), PL_RG_CHANNEL_VALID | (uint32_t)(channel.instance >> 12));
		rig_write(&bench.rig, PL_RG_CHANNEL_STATE(1), PL_RG_CS_RUNNABLE);
		channel.put = 1u << RIG_RING_ORDER;
		rig_doorbell(&channel);
		rig_wait_state(&channel, PL_RG_CS_DEAD);
	}
	assert(rig_read(&bench.rig, PL_RG_FAULT_COUNT) == PL_RG_FAULT_QUEUE);
	pl_rg_stats(bench.rig.rg, &stats);
	assert(stats.faults == PL_RG_FAULT_QUEUE + 3 && stats.faults_lost == 3);
	for (uint32_t i = 0; i < PL_RG_FAULT_QUEUE; i++)
		rig_write(&bench.rig, PL_RG_FAULT_NEXT, 0);
	assert(!rig_read(&bench.rig, PL_RG_FAULT_COUNT) && rig_read(&bench.rig, PL_RG_FAULT_RECORD) == UINT32_MAX);
	rig_destroy(&bench.rig);
}

static void spin_begin(struct bench *bench, struct rig_channel *channel)
{
	launch_put(bench, RIG_DATA + 4096, (struct rig_launch){ .what = RIG_SPIN });
	rig_begin(channel);
	rig_launch(channel, RIG_DATA + 4096);
	rig_release(channel, FENCE, 1);
	rig_submit(channel);
	rig_wait_state(channel, PL_RG_CS_LOADED);
}

static void test_the_watchdog_ends_a_launch(void)
{
	struct rig_channel channel, other;
	struct bench bench;

	bench_begin(&bench, PL_RG_MODE_F2);
	rig_channel(&channel, &bench.space, 1, PL_RG_COMPUTE);
	rig_channel(&other, &bench.space, 2, PL_RG_COMPUTE);
	rig_write(&bench.rig, PL_RG_WATCHDOG_LOW, 3000000);
	spin_begin(&bench, &channel);
	dies(&bench, &channel, PL_RG_FAULT_WATCHDOG);
	channel_works(&bench, &other, 2);
	/* set while it runs */
	rig_write(&bench.rig, PL_RG_WATCHDOG_LOW, 0);
	rig_write(&bench.rig, PL_RG_CHANNEL(1), 0);
	rig_channel(&channel, &bench.space, 1, PL_RG_COMPUTE);
	spin_begin(&bench, &channel);
	rig_write(&bench.rig, PL_RG_WATCHDOG_LOW, 1000000);
	dies(&bench, &channel, PL_RG_FAULT_WATCHDOG);
	rig_destroy(&bench.rig);
}

static void test_a_kill_ends_what_runs(void)
{
	struct rig_channel channel, other;
	struct bench bench;

	bench_begin(&bench, PL_RG_MODE_F2);
	rig_channel(&channel, &bench.space, 1, PL_RG_COMPUTE);
	rig_channel(&other, &bench.space, 2, PL_RG_COMPUTE);
	spin_begin(&bench, &channel);
	rig_write(&bench.rig, PL_RG_KILL, 1);
	while (rig_read(&bench.rig, PL_RG_KILL) & PL_RG_KILL_BUSY)
		sched_yield();
	assert(rig_read(&bench.rig, PL_RG_KILL) == 1);
	assert((rig_state(&channel) & (PL_RG_CS_DEAD | PL_RG_CS_LOADED | PL_RG_CS_PENDING)) == PL_RG_CS_DEAD);
	assert(!rig_read(&bench.rig, PL_RG_FAULT_COUNT) && !word_at(&bench, FENCE));
	channel_works(&bench, &other, 2);
	rig_write(&bench.rig, PL_RG_KILL, 511); /* is none */
	rig_write(&bench.rig, PL_RG_KILL, 512);
	rig_write(&bench.rig, PL_RG_KILL, 0xffffffff);
	rig_destroy(&bench.rig);
}

static void test_a_channel_that_runs_is_taken_away(void)
{
	struct rig_channel channel;
	struct bench bench;

	bench_begin(&bench, PL_RG_MODE_F2);
	rig_channel(&channel, &bench.space, 1, PL_RG_COMPUTE);
	spin_begin(&bench, &channel);
	rig_write(&bench.rig, PL_RG_CHANNEL(1), 0);
	while (rig_read(&bench.rig, PL_RG_CHANNEL(1)))
		sched_yield();
	assert(!rig_state(&channel));
	rig_channel(&channel, &bench.space, 1, PL_RG_COMPUTE);
	channel_works(&bench, &channel, 5);
	rig_destroy(&bench.rig);
}

static void test_an_engine_that_is_disabled_kills_its_channels(void)
{
	struct rig_channel channel, copy;
	struct bench bench;

	bench_begin(&bench, PL_RG_MODE_F2);
	rig_channel(&channel, &bench.space, 1, PL_RG_COMPUTE);
	rig_channel(&copy, &bench.space, 2, PL_RG_COPY1);
	spin_begin(&bench, &channel);
	rig_write(&bench.rig, PL_RG_ENABLE, PL_RG_ENABLE_RESET & ~(1u << PL_RG_ENABLE_BIT(PL_RG_COMPUTE)));
	rig_wait_state(&channel, PL_RG_CS_DEAD);
	channel_works(&bench, &copy, 2);
	rig_write(&bench.rig, PL_RG_CHANNEL(1), 0);
	rig_channel(&channel, &bench.space, 1, PL_RG_COMPUTE);
	rig_begin(&channel);
	rig_release(&channel, FENCE, 9);
	rig_submit(&channel);
	assert(rig_state(&channel) & PL_RG_CS_PENDING);
	rig_write(&bench.rig, PL_RG_ENABLE, PL_RG_ENABLE_RESET);
	rig_wait_idle(&channel);
	assert(word_at(&bench, FENCE) == 9);
	rig_destroy(&bench.rig);
}

/* Each entry moves PUT on: it never ends by itself, and others have their turns. */
static void self_driven(struct bench *bench, struct rig_channel *channel)
{
	const uint64_t user = RIG_DATA + (8u << 20);

	rig_map(&bench->space, user, channel->user, PL_RG_USER_BYTES, 0);
	for (uint32_t i = 0; i < 1u << RIG_RING_ORDER; i++) {
		rig_begin(channel);
		rig_release(channel, user + PL_RG_USER_RING_PUT, (i + 2) % (1u << RIG_RING_ORDER));
		rig_ring(channel, PL_RG_ENTRY(channel->push_va + i * 2048ull, channel->count));
	}
	channel->put = 1;
	rig_doorbell(channel);
}

static void test_a_channel_that_drives_itself_is_killed(void)
{
	struct rig_channel channel, other;
	struct pl_rg_stats stats;
	struct bench bench;

	for (uint32_t clock = PL_RG_CLOCK_HOST; clock <= PL_RG_CLOCK_VIRTUAL; clock++) {
		rig_create(&bench.rig, (enum pl_rg_clock)clock);
		bench_fill(&bench, PL_RG_MODE_F2);
		rig_channel(&channel, &bench.space, 1, PL_RG_COPY1);
		rig_channel(&other, &bench.space, 2, PL_RG_COPY1);
		self_driven(&bench, &channel);
		do
			pl_rg_stats(bench.rig.rg, &stats);
		while (stats.submissions_copy1 < 1000);
		channel_works(&bench, &other, 1);
		assert(rig_state(&channel) & (PL_RG_CS_LOADED | PL_RG_CS_PENDING));
		rig_write(&bench.rig, PL_RG_KILL, 1);
		while (rig_read(&bench.rig, PL_RG_KILL) & PL_RG_KILL_BUSY)
			sched_yield();
		assert(rig_state(&channel) & PL_RG_CS_DEAD);
		channel_works(&bench, &other, 2);
		rig_destroy(&bench.rig);
	}
}

static void test_destroy_ends_what_runs_and_what_waits(void)
{
	struct rig_channel spins, waits;
	struct bench bench;

	bench_begin(&bench, PL_RG_MODE_F2);
	rig_channel(&spins, &bench.space, 1, PL_RG_COMPUTE);
	rig_channel(&waits, &bench.space, 2, PL_RG_COPY1);
	rig_begin(&waits);
	rig_acquire(&waits, FENCE + 128, 1, PL_RG_SEM_ACQUIRE);
	rig_submit(&waits);
	spin_begin(&bench, &spins);
	rig_destroy(&bench.rig);
}

/* The flush by register reaches a kernel that runs. */
static void test_a_running_kernel_sees_a_flush(void)
{
	struct rig_channel channel;
	struct bench bench;
	uint64_t far = RIG_DATA + (2u << 20), other, turns = atomic_load(&rig_turns);

	bench_begin(&bench, PL_RG_MODE_F2);
	other = rig_vram(&bench.rig, 4096);
	rig_map(&bench.space, far, bench.data + 8192, 4096, 0);
	rig_channel(&channel, &bench.space, 1, PL_RG_COMPUTE);
	launch_put(&bench, RIG_DATA + 4096, (struct rig_launch){ RIG_SPIN_WHILE, 0, far });
	rig_begin(&channel);
	rig_launch(&channel, RIG_DATA + 4096);
	rig_submit(&channel);
	rig_wait_state(&channel, PL_RG_CS_LOADED);
	while (atomic_load(&rig_turns) == turns)
		sched_yield(); /* the translation is cached only once it was used */
	rig_poke32(&bench.rig, other, 1);
	rig_map(&bench.space, far, other, 4096, 0);
	for (int i = 0; i < 200; i++)
		assert(rig_state(&channel) & (PL_RG_CS_LOADED | PL_RG_CS_PENDING));
	rig_flush(&bench.space);
	rig_wait_idle(&channel);
	assert(!(rig_state(&channel) & PL_RG_CS_DEAD));
	rig_destroy(&bench.rig);
}

int main(void)
{
	test_every_profile_and_engine_submits();
	test_several_entries_with_one_doorbell();
	test_every_kind_of_header();
	test_a_bad_header_or_method_kills_the_channel_only();
	test_a_bad_ring_kills_the_channel_only();
	test_a_push_buffer_that_runs_off_its_pages_faults_there();
	test_a_bad_instance_block_is_refused();
	test_a_bad_runlist_is_refused_or_skipped();
	test_what_is_not_runnable_or_listed_waits();
	test_round_robin();
	test_a_kernels_fault_is_told_with_block_and_thread();
	test_a_kernels_read_only_store_faults();
	test_the_fault_queue_overflows_without_harm();
	test_the_watchdog_ends_a_launch();
	test_a_kill_ends_what_runs();
	test_a_channel_that_runs_is_taken_away();
	test_an_engine_that_is_disabled_kills_its_channels();
	test_a_channel_that_drives_itself_is_killed();
	test_destroy_ends_what_runs_and_what_waits();
	test_a_running_kernel_sees_a_flush();
	return 0;
}
