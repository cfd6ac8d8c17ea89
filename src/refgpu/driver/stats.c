/* The device's counters, written when the process ends, for who asked by environment. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"

__attribute__((destructor)) static void stats_write(void)
{
	const char *path = getenv("PLENUM_REFGPU_STATS");
	struct pl_cu_dev *dev = pl_cu_device(0);
	struct pl_rg_stats stats;
	const uint64_t *value = (const uint64_t *)&stats;
	FILE *to;

	if (!path || !*path || pl_cu_enter() || !dev)
		return;
	to = strcmp(path, "-") ? fopen(path, "we") : stderr;
	if (!to) {
		fprintf(stderr, "plenum refgpu: %s: cannot be written\n", path);
		return;
	}
	pl_rg_stats(dev->hw->rg, &stats);
	for (uint32_t i = 0; i < PL_RG_COUNTER_COUNT; i++)
		if (value[i])
			fprintf(to, "%-22s %14llu  %s\n", pl_rg_counter_name(i), (unsigned long long)value[i],
				pl_rg_counter_what(i));
	if (to != stderr)
		fclose(to);
}
