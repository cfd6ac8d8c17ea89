/*
 * What the device itself costs, in one process: doorbell to fence, a translation, copies beside memcpy().  By hand:
 * meson compile bench-refgpu-device, then run it.  Prints medians.
 */
#include <stdio.h>
#include <unistd.h>

#include "rig.h"

#define ROUNDS 20000u
#define VRAM   (1ull << 30)

struct bench {
	struct rig rig;
	struct rig_space space;
	uint64_t data;
};

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void print_spread(const char *what, uint64_t *ns, uint32_t n)
{
	qsort(ns, n, sizeof(*ns), by_value);
	printf("%-46s median %6llu ns, 10%% %6llu, 90%% %6llu\n", what, (unsigned long long)ns[n / 2],
	       (unsigned long long)ns[n / 10], (unsigned long long)ns[n - n / 10]);
}

static void fence_time(struct bench *bench, struct rig_channel *channel, const char *what, uint64_t think_ns,
		       uint32_t rounds)
{
	static uint64_t ns[ROUNDS];
	_Atomic uint32_t *fence = (_Atomic uint32_t *)(void *)(bench->rig.vram + bench->data);

	for (uint32_t i = 0; i < rounds; i++) {
		uint64_t begin = pl_now_ns();
		while (pl_now_ns() - begin < think_ns)
			;
		rig_begin(channel);
		rig_release(channel, RIG_DATA, i + 1);
		begin = pl_now_ns();
		rig_submit(channel);
		while (atomic_load_explicit(fence, memory_order_acquire) != i + 1)
			__builtin_ia32_pause();
		ns[i] = pl_now_ns() - begin;
		rig_wait_idle(channel);
	}
	print_spread(what, ns, rounds);
}

static void stamp(struct rig_channel *channel, uint64_t va, uint32_t value)
{
	rig_acquire(channel, va, value, PL_RG_SEM_RELEASE | PL_RG_SEM_TIME);
}

/* GB/s, best of some: by the engine's own timestamps, while this thread sleeps and leaves it the core. */
static double copy_rate(struct bench *bench, struct rig_channel *channel, uint64_t bytes)
{
	uint64_t *stamps = (uint64_t *)(void *)(bench->rig.vram + bench->data), best = UINT64_MAX;
	static uint32_t value = 1u << 30;

	for (uint32_t i = 0; i < 7; i++) {
		rig_begin(channel);
		stamp(channel, RIG_DATA, ++value);
		rig_copy(channel, RIG_DATA + (288u << 20), RIG_DATA + (16u << 20), bytes);
		stamp(channel, RIG_DATA + 16, value);
		rig_submit(channel);
		do
			usleep(1000);
		while (__atomic_load_n((uint32_t *)&stamps[2], __ATOMIC_ACQUIRE) != value);
		best = stamps[3] - stamps[1] < best ? stamps[3] - stamps[1] : best;
		rig_wait_idle(channel);
	}
	return (double)bytes / (double)best;
}

static double memcpy_rate(struct bench *bench, uint64_t bytes)
{
	uint8_t *at = bench->rig.vram + bench->data;
	uint64_t best = UINT64_MAX;

	for (uint32_t i = 0; i < 7; i++) {
		uint64_t begin = pl_now_ns(), ns;
		memcpy(at + (288u << 20), at + (16u << 20), bytes);
		__asm__ volatile("" : : "r"(at) : "memory");
		ns = pl_now_ns() - begin;
		best = ns < best ? ns : best;
	}
	return (double)bytes / (double)best;
}

static void translate_time(struct bench *bench)
{
	enum { LOOKS = 20000000 };
	struct pl_mmu_root root = { PL_MMU_F3, false, bench->space.directory };
	static struct pl_mmu_tlb tlb;
	struct pl_mmu_space *space;
	struct pl_mmu *mmu;
	uint64_t begin, room, sum = 0;

	assert(!pl_mmu_create(&mmu, bench->rig.vram, VRAM, bench->rig.config.host->dma_map, &bench->rig));
	assert(!pl_mmu_space_ref(&space, mmu, &root, UINT64_MAX));
	pl_mmu_tlb_init(&tlb, mmu, false);
	pl_mmu_tlb_enter(&tlb, space);
	begin = pl_now_ns();
	for (uint32_t i = 0; i < LOOKS; i++)
		sum += *(uint8_t *)pl_mmu_at(&tlb, RIG_DATA + (i * 128u & 0xffff), PL_RG_READ, &room);
	printf("%-46s %.2f ns (sum %llu)\n", "translation, hit, with its load", (double)(pl_now_ns() - begin) / LOOKS,
	       (unsigned long long)sum);
	begin = pl_now_ns();
	for (uint32_t i = 0; i < LOOKS / 10; i++)
		room += (uint64_t)pl_mmu_at(&tlb, RIG_DATA + i * 0x9e3779b1ull % (512u << 20), PL_RG_READ, &room);
	printf("%-46s %.2f ns\n", "translation, anywhere in 512 MiB", (double)(pl_now_ns() - begin) / (LOOKS / 10.0));
	begin = pl_now_ns();
	for (uint32_t i = 0; i < 100000; i++) {
		pl_mmu_flush_all(mmu);
		pl_mmu_tlb_sync(&tlb);
		assert(pl_mmu_at(&tlb, RIG_DATA, PL_RG_READ, &room));
	}
	printf("%-46s %.0f ns\n", "flush, and the walk after it", (double)(pl_now_ns() - begin) / 100000);
	pl_mmu_tlb_leave(&tlb);
	pl_mmu_tlb_fini(&tlb);
	pl_mmu_space_unref(space);
	pl_mmu_destroy(mmu);
}

int main(void)
{
	static const uint64_t sizes[] = { 4096, 65536, 1u << 20, 8u << 20, 256u << 20 };
	struct pl_rg_config config = { .vram_bytes = VRAM, .sm_count = 1, .compute = &rig_compute_ops };
	struct rig_channel channel;
	struct bench bench;

	rig_create_as(&bench.rig, &config);
	rig_space(&bench.space, &bench.rig, PL_RG_MODE_F3);
	bench.data = rig_vram(&bench.rig, 600ull << 20);
	rig_map(&bench.space, RIG_DATA, bench.data, 600ull << 20, RIG_LARGE);
	rig_channel(&channel, &bench.space, 1, PL_RG_COPY1);
	memset(bench.rig.vram + bench.data, 1, 600ull << 20);
	translate_time(&bench);
	fence_time(&bench, &channel, "doorbell to fence, back to back", 0, ROUNDS);
	fence_time(&bench, &channel, "doorbell to fence, engine asleep (200 us)", 200000, ROUNDS / 10);
	for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		double copy = copy_rate(&bench, &channel, sizes[i]), plain = memcpy_rate(&bench, sizes[i]);
		printf("copy of %9llu bytes, within the engine         %6.2f GB/s, memcpy() %6.2f GB/s: %.2f\n",
		       (unsigned long long)sizes[i], copy, plain, copy / plain);
	}
	rig_destroy(&bench.rig);
	return 0;
}
