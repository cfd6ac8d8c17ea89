/* What the CPU sees of the device: configuration space, registers, apertures, interrupts. */
#include "rig.h"

#define PAGE 4096u

static void test_pci_identity_and_sizing(void)
{
	struct rig rig;
	uint64_t bar1;

	rig_create(&rig, PL_RG_CLOCK_VIRTUAL);
	assert(pl_rg_pci_read(rig.rg, 0, 4) == (PL_RG_PCI_DEVICE << 16 | PL_RG_PCI_VENDOR));
	assert(pl_rg_pci_read(rig.rg, 8, 4) >> 8 == PL_RG_PCI_CLASS);
	pl_rg_pci_write(rig.rg, 0, 4, 0x12345678); /* read-only */
	assert(pl_rg_pci_read(rig.rg, 0, 2) == PL_RG_PCI_VENDOR);
	for (uint32_t bar = 0; bar < 6; bar++)
		pl_rg_pci_write(rig.rg, 0x10 + 4 * bar, 4, 0xffffffff);
	assert(pl_rg_pci_read(rig.rg, 0x10, 4) == (uint32_t) ~(PL_RG_BAR0_BYTES - 1));
	bar1 = pl_rg_pci_read(rig.rg, 0x14, 4) | (uint64_t)pl_rg_pci_read(rig.rg, 0x18, 4) << 32;
	assert((bar1 & 0xf) == 0xc && ~(bar1 & ~0xfull) + 1 == pl_rg_bar_bytes(rig.rg, 1));
	assert(pl_rg_bar_bytes(rig.rg, 1) == 64u << 20 && pl_rg_bar_bytes(rig.rg, 2) == 0);
	bar1 = pl_rg_pci_read(rig.rg, 0x1c, 4) | (uint64_t)pl_rg_pci_read(rig.rg, 0x20, 4) << 32;
	assert(~(bar1 & ~0xfull) + 1 == pl_rg_bar_bytes(rig.rg, 3));
	assert(pl_rg_pci_read(rig.rg, 0x24, 4) == 0);
	pl_rg_pci_write(rig.rg, 0x10, 4, 0xe2345678);
	assert(pl_rg_pci_read(rig.rg, 0x10, 4) == 0xe2000000);
	pl_rg_pci_write(rig.rg, 0x3c, 1, 11);
	assert(pl_rg_pci_read(rig.rg, 0x3c, 2) == 0x010b);
	assert(pl_rg_pci_read(rig.rg, 0x34, 1) == PL_RG_PCI_CAP_MSIX);
	assert(pl_rg_pci_read(rig.rg, PL_RG_PCI_CAP_MSIX, 4) == ((PL_RG_VECTORS - 1) << 16 | 0x11));
	assert(pl_rg_pci_read(rig.rg, PL_RG_PCI_CAP_MSIX + 4, 4) == PL_RG_MSIX_TABLE);
	rig_destroy(&rig);
}

static void test_lies_about_offsets_and_sizes(void)
{
	static const uint64_t offsets[] = { 1, 3, 0x1001, 0xfffffe, 0x1000000, 0xfffffffcull, 1ull << 40, UINT64_MAX };
	struct pl_rg_stats stats;
	struct rig rig;

	rig_create(&rig, PL_RG_CLOCK_VIRTUAL);
	for (uint32_t bar = 0; bar < 8; bar++) {
		for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
			for (uint32_t bytes = 0; bytes < 20; bytes++) {
				pl_rg_bar_write(rig.rg, bar, offsets[i], bytes, 0x5a5a);
				pl_rg_bar_read(rig.rg, bar, offsets[i], bytes & 7);
			}
		}
	}
	assert(pl_rg_bar_read(rig.rg, 0, 2, 4) == 0xffffffff);
	assert(pl_rg_bar_read(rig.rg, 0, 0, 8) == UINT64_MAX && pl_rg_bar_read(rig.rg, 2, 0, 1) == 0xff);
	assert(pl_rg_pci_read(rig.rg, 256, 4) == 0xffffffff && pl_rg_pci_read(rig.rg, 2, 4) == 0xffffffff);
	pl_rg_pci_write(rig.rg, 0xfffffffc, 4, 1);
	pl_rg_pci_write(rig.rg, 5, 2, 1);
	pl_rg_stats(rig.rg, &stats);
	assert(stats.reads_unknown && stats.writes_unknown && stats.bar_faults);
	rig_destroy(&rig);
}

static void test_unknown_registers_read_zero_and_count(void)
{
	struct pl_rg_stats before, after;
	struct rig rig;

	rig_create(&rig, PL_RG_CLOCK_VIRTUAL);
	pl_rg_stats(rig.rg, &before);
	assert(!rig_read(&rig, 0x4) && !rig_read(&rig, 0x2ffc) && !rig_read(&rig, 0x600000) &&
	       !rig_read(&rig, 0xfffffc));
	rig_write(&rig, 0x600000, 7);
	rig_write(&rig, 0x2ffc, 7);
	pl_rg_stats(rig.rg, &after);
	assert(after.reads_unknown == before.reads_unknown + 4 && after.writes_unknown == before.writes_unknown + 2);
	rig_destroy(&rig);
}

static void test_every_register_takes_anything(void)
{
	struct rig rig;

	rig_create(&rig, PL_RG_CLOCK_VIRTUAL);
	for (uint32_t value = 0; value < 3; value++) {
		for (uint32_t reg = 0; reg < PL_RG_BAR0_BYTES; reg += reg >= 0x5000 && reg < 0xd00000 ? 0x40 : 4) {
			rig_write(&rig, reg, value == 2 ? 0x80000003u : 0u - value);
			rig_read(&rig, reg);
			if (reg >= 0xd00100 && reg < 0xe00000 - 4)
				reg = 0xe00000 - 4;
			if (reg >= 0xe01000 && reg < 0xf00000 - 4)
				reg = 0xf00000 - 4;
			if (reg >= 0xf01000 && reg < 0xf08000 - 4)
				reg = 0xf08000 - 4;
		}
	}
	assert(rig_read(&rig, PL_RG_ID) == PL_RG_ID_VALUE && rig_read(&rig, PL_RG_INFO) == PL_RG_INFO_VALUE);
	rig_destroy(&rig);
}

static void test_sizes_and_counters(void)
{
	struct pl_rg_stats stats;
	struct rig rig;

	rig_create(&rig, PL_RG_CLOCK_VIRTUAL);
	assert(rig_read(&rig, PL_RG_VRAM_MIB) == 64 && rig_read(&rig, PL_RG_INFO_SMS) == 1);
	assert(rig_read(&rig, PL_RG_INFO_FEATURES) ==
	       (PL_RG_FEATURE_F | PL_RG_FEATURE_G | PL_RG_FEATURE_VIRTUAL | PL_RG_FEATURE_LAUNCH));
	pl_rg_stats(rig.rg, &stats);
	for (uint32_t i = 0; i < PL_RG_COUNTER_COUNT; i++) {
		if (!strcmp(pl_rg_counter_name(i), "writes_fifo"))
			assert(rig_read(&rig, PL_RG_COUNTERS + 8 * i) == stats.writes_fifo && stats.writes_fifo == 1);
	}
	assert(!rig_read(&rig, PL_RG_COUNTERS + 4));
	assert(!strcmp(pl_rg_counter_name(PL_RG_COUNTER_COUNT), "?"));
	rig_destroy(&rig);
}

static void test_the_window_shows_vram(void)
{
	struct rig rig;

	rig_create(&rig, PL_RG_CLOCK_VIRTUAL);
	rig_write(&rig, PL_RG_WINDOW, 0x123);
	rig_write(&rig, PL_RG_WINDOW_DATA + 0x10, 0xcafe);
	assert(*(uint32_t *)(void *)(rig.vram + 0x1230010) == 0xcafe);
	assert(rig_read(&rig, PL_RG_WINDOW_DATA + 0x10) == 0xcafe);
	rig_write(&rig, PL_RG_WINDOW, 0x3ff); /* ends with VRAM */
	assert(rig_read(&rig, PL_RG_WINDOW_DATA + 0xfffc) == 0);
	assert(rig_read(&rig, PL_RG_WINDOW_DATA + 0x10000) == 0xffffffff);
	rig_write(&rig, PL_RG_WINDOW_DATA + 0x10000, 1);
	rig_write(&rig, PL_RG_WINDOW, 0xffffffff);
	assert(rig_read(&rig, PL_RG_WINDOW_DATA + 0xffffc) == 0xffffffff);
	rig_destroy(&rig);
}

static void instance_put(struct rig *rig, uint64_t at, const struct rig_space *space)
{
	rig_poke32(rig, at + PL_RG_INST_MAGIC, PL_RG_INST_MAGIC_VALUE);
	rig_poke64(rig, at + PL_RG_INST_DIRECTORY, space->directory);
	rig_poke64(rig, at + PL_RG_INST_LIMIT, UINT64_MAX);
	rig_poke32(rig, at + PL_RG_INST_MODE, space->mode);
}

static void test_apertures_translate(void)
{
	struct rig rig;
	struct rig_space space;
	uint64_t instance, data, bytes;
	void *host;

	rig_create(&rig, PL_RG_CLOCK_VIRTUAL);
	instance = rig_vram(&rig, PAGE);
	data = rig_vram(&rig, 4 * PAGE);
	rig_space(&space, &rig, PL_RG_MODE_F2);
	rig_map(&space, 8 * PAGE, data, 2 * PAGE, 0);
	rig_map(&space, 10 * PAGE, data + 3 * PAGE, PAGE, RIG_READ_ONLY);
	instance_put(&rig, instance, &space);
	for (uint32_t bar = 1; bar <= 3; bar += 2) {
		rig_write(&rig, bar == 1 ? PL_RG_BAR1_INSTANCE : PL_RG_BAR3_INSTANCE,
			  PL_RG_APERTURE_ON | (uint32_t)(instance >> 12));
		if (bar == 1)
			rig_write(&rig, PL_RG_USER_AREA, 0);
		pl_rg_bar_write(rig.rg, bar, 9 * PAGE + 8, 8, 0x1122334455667788u + bar);
		assert(*(uint64_t *)(void *)(rig.vram + data + PAGE + 8) == 0x1122334455667788u + bar);
		assert(pl_rg_bar_read(rig.rg, bar, 9 * PAGE + 10, 2) == 0x5566);
		pl_rg_bar_write(rig.rg, bar, 9 * PAGE + 9, 1, 0xab);
		pl_rg_bar_write(rig.rg, bar, 9 * PAGE + 14, 2, 0xcdef);
		assert(pl_rg_bar_read(rig.rg, bar, 9 * PAGE + 8, 8) == 0xcdef33445566ab00u + 0x88 + bar);
		pl_rg_bar_write(rig.rg, bar, 10 * PAGE, 4, 1); /* read-only */
		assert(pl_rg_bar_read(rig.rg, bar, 10 * PAGE, 4) == 0);
		assert(pl_rg_bar_read(rig.rg, bar, 11 * PAGE, 4) == 0xffffffff);
		assert(pl_rg_bar_map(rig.rg, bar, 8 * PAGE + 4, &host, &bytes) == PL_RG_OK);
		assert(host == rig.vram + data + 4 && bytes == 2 * PAGE - 4);
		assert(pl_rg_bar_map(rig.rg, bar, 11 * PAGE, &host, &bytes) == PL_RG_E_NO_PAGE);
		assert(pl_rg_bar_map(rig.rg, bar, UINT64_MAX, &host, &bytes) == PL_RG_E_NO_PAGE);
	}
	/* Stale until it is flushed. */
	rig_map(&space, 8 * PAGE, data + 3 * PAGE, PAGE, 0);
	pl_rg_bar_write(rig.rg, 1, 8 * PAGE, 4, 5);
	assert(*(uint32_t *)(void *)(rig.vram + data) == 5);
	rig_write(&rig, PL_RG_TLB_DIRECTORY, (uint32_t)(space.directory >> 8));
	rig_write(&rig, PL_RG_TLB_FLUSH, PL_RG_TLB_BAR);
	pl_rg_bar_write(rig.rg, 1, 8 * PAGE, 4, 6);
	assert(*(uint32_t *)(void *)(rig.vram + data + 3 * PAGE) == 6);
	/* A bad instance block shows nothing; off again, VRAM is there as it is. */
	rig_write(&rig, PL_RG_BAR1_INSTANCE, PL_RG_APERTURE_ON | 0x0fffffff);
	assert(pl_rg_bar_read(rig.rg, 1, 8 * PAGE, 4) == 0xffffffff);
	rig_write(&rig, PL_RG_BAR1_INSTANCE, 0);
	assert(pl_rg_bar_read(rig.rg, 1, data, 4) == 5);
	rig_destroy(&rig);
}

static void test_the_user_area_traps(void)
{
	struct rig rig;
	uint64_t bytes, area = (uint64_t)PL_RG_CHANNELS * PL_RG_USER_BYTES;
	void *host;

	rig_create(&rig, PL_RG_CLOCK_VIRTUAL);
	rig_write(&rig, PL_RG_USER_AREA, PL_RG_USER_AREA_ON | 0x1000);
	assert(pl_rg_bar_map(rig.rg, 1, 0, &host, &bytes) == PL_RG_OK && bytes == 0x1000000);
	assert(pl_rg_bar_map(rig.rg, 1, 0x1000000, &host, &bytes) == PL_RG_E_TRAPS);
	assert(pl_rg_bar_map(rig.rg, 1, 0x1000000 + area - 1, &host, &bytes) == PL_RG_E_TRAPS);
	assert(pl_rg_bar_map(rig.rg, 1, 0x1000000 + area, &host, &bytes) == PL_RG_OK);
	assert(bytes == (64u << 20) - 0x1000000 - area);
	assert(pl_rg_bar_map(rig.rg, 0, 0, &host, &bytes) == PL_RG_E_TRAPS);
	pl_rg_bar_write(rig.rg, 1, 0x1000000 + PL_RG_USER_RING_PUT, 4, 1); /* of no channel */
	rig_write(&rig, PL_RG_USER_AREA, PL_RG_USER_AREA_ON | 0xfffffff);
	pl_rg_bar_write(rig.rg, 1, PL_RG_USER_RING_PUT, 4, 1);
	rig_destroy(&rig);
}

/* Vector 3, by a channel whose PUT is a lie. */
static void fault_raise(struct rig_channel *channel)
{
	struct rig *rig = channel->rig;

	rig_write(rig, PL_RG_CHANNEL(channel->id), 0);
	rig_write(rig, PL_RG_CHANNEL(channel->id), PL_RG_CHANNEL_VALID | (uint32_t)(channel->instance >> 12));
	rig_write(rig, PL_RG_CHANNEL_STATE(channel->id), PL_RG_CS_RUNNABLE);
	channel->put = 0xffff;
	rig_doorbell(channel);
	assert(rig_read(rig, PL_RG_INTR) >> PL_RG_VECTOR_FAULT & 1);
}

static void test_the_line_has_a_level(void)
{
	struct rig rig;
	struct rig_space space;
	struct rig_channel channel;

	rig_create(&rig, PL_RG_CLOCK_VIRTUAL);
	rig_space(&space, &rig, PL_RG_MODE_F2);
	rig_channel(&channel, &space, 1, PL_RG_COPY1);
	fault_raise(&channel);
	assert(!rig.line && !rig.signals[PL_RG_VECTORS]); /* not enabled */
	rig_write(&rig, PL_RG_INTR_ENABLE, 0xffffffff);
	assert(rig.line && rig_read(&rig, PL_RG_INTR_ENABLE) == 0xf);
	fault_raise(&channel);
	assert(rig.signals[PL_RG_VECTORS] == 1); /* as it was */
	rig_write(&rig, PL_RG_INTR, 1);
	assert(rig.line);
	pl_rg_pci_write(rig.rg, 4, 2, 0x400); /* no line */
	assert(!rig.line);
	pl_rg_pci_write(rig.rg, 4, 2, 0);
	assert(rig.line);
	rig_write(&rig, PL_RG_INTR, 0xffffffff);
	assert(!rig.line && !rig_read(&rig, PL_RG_INTR));
	rig_destroy(&rig);
}

static void test_msix_signals_masks_and_keeps(void)
{
	const uint32_t v = PL_RG_VECTOR_FAULT, control = PL_RG_MSIX_TABLE + 16 * v + 12;
	struct rig rig;
	struct rig_space space;
	struct rig_channel channel;

	rig_create(&rig, PL_RG_CLOCK_VIRTUAL);
	rig_space(&space, &rig, PL_RG_MODE_F2);
	rig_channel(&channel, &space, 1, PL_RG_COPY1);
	rig_write(&rig, PL_RG_INTR_ENABLE, 0xf);
	pl_rg_pci_write(rig.rg, PL_RG_PCI_CAP_MSIX + 2, 2, 0x8000);
	assert(rig_read(&rig, control) == 1); /* masked by reset */
	fault_raise(&channel);
	assert(!rig.signals[v] && rig_read(&rig, PL_RG_MSIX_PENDING) == 1u << v);
	rig_write(&rig, control, 0xfffffffe);
	assert(rig.signals[v] == 1 && !rig_read(&rig, PL_RG_MSIX_PENDING));
	fault_raise(&channel);
	assert(rig.signals[v] == 1); /* not acknowledged: no other one */
	rig_write(&rig, PL_RG_INTR, 1u << v);
	fault_raise(&channel);
	assert(rig.signals[v] == 2);
	rig_write(&rig, PL_RG_INTR, 1u << v);
	pl_rg_pci_write(rig.rg, PL_RG_PCI_CAP_MSIX + 2, 2, 0xc000); /* all masked */
	fault_raise(&channel);
	assert(rig.signals[v] == 2);
	pl_rg_pci_write(rig.rg, PL_RG_PCI_CAP_MSIX + 2, 2, 0x8000);
	assert(rig.signals[v] == 3 && !rig.signals[PL_RG_VECTORS]);
	rig_write(&rig, PL_RG_MSIX_TABLE, 0xfee00000);
	assert(rig_read(&rig, PL_RG_MSIX_TABLE) == 0xfee00000);
	rig_destroy(&rig);
}

static void test_a_bad_configuration_is_refused(void)
{
	struct rig rig;
	struct pl_rg_config config;
	struct pl_rg *rg = NULL;

	rig_create(&rig, PL_RG_CLOCK_HOST);
	config = rig.config;
	config.vram_bytes = 1;
	assert(pl_rg_create(&rg, &config) < 0);
	config.vram_bytes = PL_RG_VRAM_BYTES_MAX * 2;
	assert(pl_rg_create(&rg, &config) < 0);
	config = rig.config;
	config.bar1_bytes = 3u << 24;
	assert(pl_rg_create(&rg, &config) < 0);
	config = rig.config;
	config.host = NULL;
	assert(pl_rg_create(&rg, &config) < 0 && !rg);
	pl_rg_destroy(NULL);
	rig_destroy(&rig);
}

static void test_a_device_without_compute_engine_with_shared_vram(void)
{
	struct pl_rg_config config = { .vram_bytes = 16u << 20, .bar1_bytes = 32u << 20, .vram_shared = true };
	struct rig rig;
	uint64_t bytes;
	void *host;

	rig_create_as(&rig, &config);
	assert(pl_rg_vram_fd(rig.rg) >= 0 && !(rig_read(&rig, PL_RG_INFO_FEATURES) & PL_RG_FEATURE_LAUNCH));
	assert(pl_rg_bar_read(rig.rg, 1, 16u << 20, 4) == 0xffffffff); /* above VRAM */
	assert(pl_rg_bar_map(rig.rg, 1, 16u << 20, &host, &bytes) == PL_RG_E_NO_PAGE);
	rig_destroy(&rig);
}

int main(void)
{
	test_pci_identity_and_sizing();
	test_lies_about_offsets_and_sizes();
	test_unknown_registers_read_zero_and_count();
	test_every_register_takes_anything();
	test_sizes_and_counters();
	test_the_window_shows_vram();
	test_apertures_translate();
	test_the_user_area_traps();
	test_the_line_has_a_level();
	test_msix_signals_masks_and_keeps();
	test_a_bad_configuration_is_refused();
	test_a_device_without_compute_engine_with_shared_vram();
	return 0;
}
