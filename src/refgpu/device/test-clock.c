/* The virtual clock: time moves by costs alone, and a driver of one thread sees the same each time. */
#include "rig.h"

#define DATA_BYTES (256u << 10)

struct run {
	uint64_t times[64];
	uint32_t count;
	struct pl_rg_stats stats;
	uint64_t sum; /* of what memory holds in the end */
};

static uint64_t time_of(struct rig *rig)
{
	return rig_read(rig, PL_RG_TIME_LOW) | (uint64_t)rig_read(rig, PL_RG_TIME_HIGH) << 32;
}

static void launch_put(struct rig *rig, uint64_t data, uint64_t va, struct rig_launch launch)
{
	memcpy(rig->vram + data + (va - RIG_DATA), &launch, sizeof(launch));
}

/* Channels on all engines that wait for each other, kernels that never end. */
static void run_make(struct run *run)
{
	struct rig_channel channels[5];
	struct rig_space space;
	struct rig rig;
	uint64_t data;

	memset(run, 0, sizeof(*run));
	rig_create(&rig, PL_RG_CLOCK_VIRTUAL);
	rig_space(&space, &rig, PL_RG_MODE_F3);
	data = rig_vram(&rig, DATA_BYTES);
	rig_map(&space, RIG_DATA, data, DATA_BYTES, 0);
	for (uint32_t i = 0; i < 5; i++)
		rig_channel(&channels[i], &space, 1 + i, i % PL_RG_ENGINES);
	launch_put(&rig, data, RIG_DATA + 4096, (struct rig_launch){ .what = RIG_BURN, .value = 12345 });
	launch_put(&rig, data, RIG_DATA + 4352, (struct rig_launch){ .what = RIG_SPIN });
	rig_write(&rig, PL_RG_WATCHDOG_LOW, 1000000);
	for (uint32_t i = 1; i < 30; i++) {
		struct rig_channel *channel = &channels[i % 5], *other = &channels[(i + 1) % 5];
		rig_begin(channel);
		rig_acquire(channel, RIG_DATA, i, PL_RG_SEM_ACQUIRE);
		rig_copy(channel, RIG_DATA + 8192 + i * 1000, RIG_DATA + 65536, 5000 + i);
		if (channel->engine == PL_RG_COMPUTE)
			rig_launch(channel, RIG_DATA + (i < 25 ? 4096 : 4352));
		rig_release(channel, RIG_DATA, 0);
		rig_submit(channel);
		run->times[run->count++] = time_of(&rig);
		rig_begin(other);
		rig_release(other, RIG_DATA, i);
		rig_submit(other);
		run->times[run->count++] = time_of(&rig);
	}
	pl_rg_stats(rig.rg, &run->stats);
	for (uint32_t i = 0; i < DATA_BYTES; i++)
		run->sum = run->sum * 31 + rig.vram[data + i];
	rig_destroy(&rig);
}

static void test_a_run_repeats_exactly(void)
{
	static struct run first, again;

	run_make(&first);
	run_make(&again);
	assert(!memcmp(&first, &again, sizeof(first)));
	assert(first.stats.launches && first.stats.acquire_waits && first.stats.faults == 2 && first.sum);
	assert(first.times[first.count - 1] > first.times[0]);
}

static void test_time_is_what_things_cost(void)
{
	struct pl_rg_config config = { .vram_bytes = 64u << 20,
				       .clock = PL_RG_CLOCK_VIRTUAL,
				       .virtual_instruction_ps = 7000,
				       .virtual_byte_ps = 3000,
				       .virtual_submission_ns = 11,
				       .compute = &rig_compute_ops };
	struct rig_channel channel;
	struct rig_space space;
	struct rig rig;
	uint64_t data;

	rig_create_as(&rig, &config);
	rig_space(&space, &rig, PL_RG_MODE_F2);
	data = rig_vram(&rig, DATA_BYTES);
	rig_map(&space, RIG_DATA, data, DATA_BYTES, 0);
	rig_channel(&channel, &space, 1, PL_RG_COMPUTE);
	assert(time_of(&rig) == 0);
	launch_put(&rig, data, RIG_DATA, (struct rig_launch){ .what = RIG_BURN, .value = 1000 });
	rig_begin(&channel);
	rig_launch(&channel, RIG_DATA);
	rig_copy(&channel, RIG_DATA + 8192, RIG_DATA + 4096, 500);
	rig_submit(&channel);
	assert(time_of(&rig) == 1000 * 7 + 500 * 3 + 11);
	assert(rig_read(&rig, PL_RG_INFO_INSTRUCTION_PS) == 7000 && rig_read(&rig, PL_RG_INFO_SUBMISSION_NS) == 11);
	rig_destroy(&rig);
}

static void test_the_watchdog_counts_instructions(void)
{
	struct rig_channel channel;
	struct rig_space space;
	struct rig rig;
	uint64_t data;

	rig_create(&rig, PL_RG_CLOCK_VIRTUAL);
	rig_space(&space, &rig, PL_RG_MODE_F2);
	data = rig_vram(&rig, DATA_BYTES);
	rig_map(&space, RIG_DATA, data, DATA_BYTES, 0);
	rig_channel(&channel, &space, 1, PL_RG_COMPUTE);
	launch_put(&rig, data, RIG_DATA, (struct rig_launch){ .what = RIG_SPIN });
	rig_write(&rig, PL_RG_WATCHDOG_LOW, 5000);
	rig_begin(&channel);
	rig_launch(&channel, RIG_DATA);
	rig_submit(&channel);
	assert(rig_state(&channel) & PL_RG_CS_DEAD);
	assert(rig_fault(&rig).words[PL_RG_FW_CODE] == PL_RG_FAULT_WATCHDOG);
	assert(time_of(&rig) == 5000);
	/* and bytes */
	rig_channel(&channel, &space, 2, PL_RG_COPY1);
	rig_begin(&channel);
	rig_copy(&channel, RIG_DATA + 4096, RIG_DATA, 1u << 20);
	rig_submit(&channel);
	assert(rig_fault(&rig).words[PL_RG_FW_CODE] == PL_RG_FAULT_WATCHDOG);
	rig_destroy(&rig);
}

/* All is done when the doorbell's write returns; what the CPU changes is seen at the next look at the device. */
static void test_engines_run_within_the_doorbell(void)
{
	struct rig_channel channel;
	struct rig_space space;
	struct rig rig;
	uint64_t data;
	uint32_t *sem;

	rig_create(&rig, PL_RG_CLOCK_VIRTUAL);
	rig_space(&space, &rig, PL_RG_MODE_F2);
	data = rig_vram(&rig, DATA_BYTES);
	rig_map(&space, RIG_DATA, data, DATA_BYTES, 0);
	rig_channel(&channel, &space, 1, PL_RG_COPY1);
	sem = (uint32_t *)(void *)(rig.vram + data);
	rig_begin(&channel);
	rig_release(&channel, RIG_DATA, 1);
	rig_acquire(&channel, RIG_DATA + 4, 1, PL_RG_SEM_ACQUIRE);
	rig_release(&channel, RIG_DATA, 2);
	rig_submit(&channel);
	assert(sem[0] == 1);
	sem[1] = 1;
	assert(sem[0] == 1);
	rig_read(&rig, PL_RG_ID);
	assert(sem[0] == 2);
	rig_destroy(&rig);
}

int main(void)
{
	test_a_run_repeats_exactly();
	test_time_is_what_things_cost();
	test_the_watchdog_counts_instructions();
	test_engines_run_within_the_doorbell();
	return 0;
}
