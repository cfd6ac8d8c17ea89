#include "refgpu/device/stats.h"

#include <string.h>

#include "refgpu/device/rg.h"

static const char *const names[] = {
#define COUNTER_NAME(name, what) #name,
	PL_RG_COUNTERS_LIST(COUNTER_NAME)
};

static const char *const whats[] = {
#define COUNTER_WHAT(name, what) what,
	PL_RG_COUNTERS_LIST(COUNTER_WHAT)
};

void pl_rg_stats(struct pl_rg *rg, struct pl_rg_stats *stats_out)
{
	uint64_t values[PL_RG_COUNTER_COUNT];
	struct pl_mmu_stats mmu;

	for (size_t i = 0; i < PL_RG_COUNTER_COUNT; i++)
		values[i] = atomic_load_explicit(&rg->counters[i], memory_order_relaxed);
	memcpy(stats_out, values, sizeof(values));
	pl_mmu_stats(rg->mmu, &mmu);
	stats_out->tlb_hits = mmu.hits;
	stats_out->tlb_refills = mmu.refills;
	stats_out->tlb_walks = mmu.walks;
	stats_out->tlb_entries = mmu.entries;
	stats_out->tlb_fills = mmu.fills;
	stats_out->tlb_flushes = mmu.flushes;
}

const char *pl_rg_counter_name(uint32_t i)
{
	return i < PL_RG_COUNTER_COUNT ? names[i] : "?";
}

const char *pl_rg_counter_what(uint32_t i)
{
	return i < PL_RG_COUNTER_COUNT ? whats[i] : "?";
}
