/*
 * A driver of the reference GPU that lies: ring entries, push buffers, methods, tables, instance blocks and registers.
 * With the virtual clock, so that everything happens on this thread.  Afterwards an honest channel has to work.
 *
 * Input: steps of one byte and its arguments.
 */
#include "fuzz.h"
#include "refgpu/device/rig.h"

#define STEPS_MAX   48
#define WATCHDOG_NS 100000u
#define VRAM_BYTES  PL_RG_VRAM_BYTES_MIN
#define HONEST_VRAM (8u << 20) /* an honest driver's things lie above */

struct bench {
	struct rig rig;
	struct rig_space space;
	struct rig_channel channels[PL_RG_ENGINES];
	uint64_t data;
};

/* Reads the descriptor, and that is all. */
static void launch(struct pl_rg_compute *compute, const struct pl_rg_launch *job,
		   struct pl_rg_launch_result *result_out)
{
	struct pl_mmu_tlb *tlb = (struct pl_mmu_tlb *)(void *)compute; /* the rig's engine begins with it */
	uint64_t room;
	const void *at;

	pl_mmu_tlb_enter(tlb, job->space);
	at = pl_mmu_at(tlb, job->descriptor, PL_RG_READ, &room);
	if (at)
		pl_fuzz_touch(at, room < 256 ? room : 256);
	else
		result_out->fault = tlb->fault;
	pl_mmu_tlb_leave(tlb);
}

static void words_submit(struct rig_channel *channel, struct pl_fuzz *fuzz, uint32_t count)
{
	rig_begin(channel);
	for (uint32_t i = 0; i < count; i++)
		rig_word(channel, (uint32_t)pl_fuzz_number(fuzz, 4));
	rig_submit(channel);
}

static void method_submit(struct rig_channel *channel, struct pl_fuzz *fuzz)
{
	static const uint32_t methods[] = { PL_RG_M_NOP,       PL_RG_M_REFERENCE, PL_RG_M_SEM_LOW, PL_RG_M_SEM_EXECUTE,
					    PL_RG_M_INTERRUPT, PL_RG_M_TLB_FLUSH, PL_RG_M_EXECUTE, PL_RG_M_SRC_HIGH,
					    PL_RG_M_COLUMNS,   PL_RG_M_LAUNCH };
	uint32_t methods_left = 1 + (uint32_t)pl_fuzz_number(fuzz, 1) % 6;

	rig_begin(channel);
	while (methods_left--) {
		uint32_t what = (uint32_t)pl_fuzz_number(fuzz, 1), count = 1 + what / 32;
		rig_word(channel, PL_RG_HEADER(PL_RG_INCREASING, methods[what % 10], count));
		for (uint32_t i = 0; i < count; i++)
			rig_word(channel, (uint32_t)pl_fuzz_number(fuzz, 1 + what / 16 % 4));
	}
	rig_submit(channel);
}

static void copy_submit(struct rig_channel *channel, struct pl_fuzz *fuzz)
{
	rig_begin(channel);
	rig_word(channel, PL_RG_HEADER(PL_RG_INCREASING, PL_RG_M_SRC_HIGH, 9));
	for (uint32_t i = 0; i < 2; i++) {
		rig_word(channel, 0);
		rig_word(channel, (uint32_t)(RIG_DATA + pl_fuzz_number(fuzz, 2)));
	}
	for (uint32_t i = 0; i < 4; i++)
		rig_word(channel, (uint32_t)pl_fuzz_number(fuzz, 2));
	rig_word(channel, (uint32_t)pl_fuzz_number(fuzz, 4));
	rig_method(channel, PL_RG_M_EXECUTE, (uint32_t)pl_fuzz_number(fuzz, 1) % 6);
	rig_submit(channel);
}

static void register_write(struct rig *rig, struct pl_fuzz *fuzz)
{
	static const uint32_t registers[] = { PL_RG_INTR,       PL_RG_INTR_ENABLE,   PL_RG_ENABLE,
					      PL_RG_WINDOW,     PL_RG_BAR1_INSTANCE, PL_RG_BAR3_INSTANCE,
					      PL_RG_USER_AREA,  PL_RG_RUNLIST,       PL_RG_RUNLIST_UPDATE,
					      PL_RG_KILL,       PL_RG_TLB_DIRECTORY, PL_RG_TLB_FLUSH,
					      PL_RG_FAULT_NEXT, PL_RG_CHANNEL(1),    PL_RG_CHANNEL_STATE(1),
					      PL_RG_CHANNEL(2) };
	uint32_t what = (uint32_t)pl_fuzz_number(fuzz, 1), reg = registers[what % 16];

	if (what >= 240) /* any, but what would let a copy go on for ever */
		reg = (uint32_t)pl_fuzz_number(fuzz, 3) & ~3u;
	if (reg != PL_RG_WATCHDOG_LOW && reg != PL_RG_WATCHDOG_HIGH)
		rig_write(rig, reg, (uint32_t)pl_fuzz_number(fuzz, 4));
	rig_read(rig, reg);
}

static void table_poke(struct bench *bench, struct pl_fuzz *fuzz)
{
	uint64_t at = pl_fuzz_number(fuzz, 3) / 8 * 8, value = pl_fuzz_number(fuzz, 8);
	struct rig *rig = &bench->rig;

	if (bench->space.mode == PL_RG_MODE_G_SYSTEM)
		memcpy(rig->system + RIG_SYSTEM_BYTES - 8 - at % (64u << 10), &value, sizeof(value));
	else
		rig_poke64(rig, bench->space.directory + at % (1u << 20), value);
}

static void step(struct bench *bench, struct pl_fuzz *fuzz)
{
	uint8_t what = (uint8_t)pl_fuzz_number(fuzz, 1);
	struct rig_channel *channel = &bench->channels[what / 10 % PL_RG_ENGINES];
	uint64_t at;

	switch (what % 10) {
	case 0:
		words_submit(channel, fuzz, (uint32_t)pl_fuzz_number(fuzz, 1));
		return;
	case 1:
	case 2:
		method_submit(channel, fuzz);
		return;
	case 3:
		copy_submit(channel, fuzz);
		return;
	case 4: /* a ring entry, and any PUT */
		rig_ring(channel, pl_fuzz_number(fuzz, 8));
		pl_rg_bar_write(bench->rig.rg, 1, channel->user + PL_RG_USER_RING_PUT, 4, pl_fuzz_number(fuzz, 1));
		return;
	case 5:
		rig_poke32(&bench->rig, channel->instance + pl_fuzz_number(fuzz, 2) % 4096 / 4 * 4,
			   (uint32_t)pl_fuzz_number(fuzz, 4));
		rig_write(&bench->rig, PL_RG_CHANNEL(channel->id), 0);
		rig_write(&bench->rig, PL_RG_CHANNEL(channel->id),
			  PL_RG_CHANNEL_VALID | (uint32_t)(channel->instance >> 12));
		rig_write(&bench->rig, PL_RG_CHANNEL_STATE(channel->id), 1);
		return;
	case 6: /* the directory, or what lies behind it */
		table_poke(bench, fuzz);
		rig_write(&bench->rig, PL_RG_TLB_FLUSH, PL_RG_TLB_ALL);
		return;
	case 7:
		register_write(&bench->rig, fuzz);
		return;
	case 8:
		at = pl_fuzz_number(fuzz, 4);
		pl_rg_bar_write(bench->rig.rg, what / 10 % 4, at, 1u << what / 40 % 4, pl_fuzz_number(fuzz, 8));
		pl_rg_bar_read(bench->rig.rg, what / 10 % 4, at, 1u << what / 40 % 4);
		return;
	default:
		pl_rg_pci_write(bench->rig.rg, (uint32_t)pl_fuzz_number(fuzz, 1), 1u << what / 10 % 3,
				(uint32_t)pl_fuzz_number(fuzz, 4));
	}
}

/* A driver that loads after all that, and cleans up as a reset would. */
static void honest_driver(struct bench *bench)
{
	struct rig *rig = &bench->rig;
	struct rig_channel channel;
	struct rig_space space;

	memset(rig->vram, 0, (size_t)PL_RG_CHANNELS * PL_RG_USER_BYTES);
	memset(rig->vram + HONEST_VRAM, 0, 3u << 20);
	rig->vram_used = HONEST_VRAM;
	rig_write(rig, PL_RG_BAR1_INSTANCE, 0);
	rig_write(rig, PL_RG_USER_AREA, PL_RG_USER_AREA_ON);
	for (uint32_t id = 0; id < PL_RG_CHANNELS; id++)
		rig_write(rig, PL_RG_CHANNEL(id), 0);
	rig_write(rig, PL_RG_ENABLE, PL_RG_ENABLE_RESET);
	rig_write(rig, PL_RG_TLB_FLUSH, PL_RG_TLB_ALL);
	rig_space(&space, rig, PL_RG_MODE_F2);
	rig_map(&space, RIG_DATA, HONEST_VRAM + (2u << 20), 4096, 0);
	rig_channel(&channel, &space, 300, PL_RG_COPY2);
	rig_begin(&channel);
	rig_release(&channel, RIG_DATA, 0xfeed);
	rig_submit(&channel);
	pl_fuzz_check(*(uint32_t *)(void *)(rig->vram + HONEST_VRAM + (2u << 20)) == 0xfeed);
	pl_fuzz_check(!rig_read(rig, PL_RG_STATUS));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pl_rg_compute_ops ops = rig_compute_ops;
	struct pl_rg_config config = {
		.vram_bytes = VRAM_BYTES, .clock = PL_RG_CLOCK_VIRTUAL, .compute = &ops, .watchdog_ns = WATCHDOG_NS
	};
	struct pl_fuzz fuzz = { data, data + size };
	struct bench bench;

	ops.launch = launch;
	rig_create_as(&bench.rig, &config);
	rig_space(&bench.space, &bench.rig, (uint32_t)pl_fuzz_number(&fuzz, 1) % 4);
	bench.data = rig_vram(&bench.rig, 64u << 10);
	rig_map(&bench.space, RIG_DATA, bench.data, 64u << 10, 0);
	for (uint32_t e = 0; e < PL_RG_ENGINES; e++)
		rig_channel(&bench.channels[e], &bench.space, 1 + e, e);
	for (int i = 0; i < STEPS_MAX && pl_fuzz_left(&fuzz); i++)
		step(&bench, &fuzz);
	honest_driver(&bench);
	rig_destroy(&bench.rig);
	return 0;
}
