#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>

#include "config.h"
#include "identity.h"

#define MEMORY_MIN       (64ull << 20)
#define MEMORY_MAX       (256ull << 30)
#define MEMORY_STEP      (1ull << 20)
#define MEMORY_USUAL_MAX (8ull << 30)
#define SMS_USUAL_MIN    2u
#define WATCHDOG_MAX_S   1e6

static void complain(const char *name, const char *value, const char *want)
{
	fprintf(stderr, "plenum refgpu: %s=%s: %s; the default holds\n", name, value, want);
}

/* Half of what the machine has, a multiple of the device's step, so that a program that takes all lets the host live.
 */
static uint64_t memory_usual(void)
{
	struct sysinfo info;
	uint64_t bytes = MEMORY_USUAL_MAX;
	if (!sysinfo(&info)) {
		uint64_t half = (uint64_t)info.totalram * info.mem_unit / 2;
		if (half < bytes)
			bytes = half;
	}
	return bytes < MEMORY_MIN ? MEMORY_MIN : bytes & ~(MEMORY_STEP - 1);
}

static uint64_t memory_read(void)
{
	const char *text = getenv("PLENUM_REFGPU_MEMORY");
	const char *units = "KMGT", *unit;
	uint64_t bytes;
	char *end;
	if (!text)
		return memory_usual();
	bytes = strtoull(text, &end, 0);
	unit = *end ? strchr(units, *end) : NULL;
	for (int i = 0; unit && i <= unit - units; i++)
		bytes = bytes > UINT64_MAX >> 10 ? UINT64_MAX : bytes << 10;
	if (end == text || (*end && (!unit || end[1])) || bytes < MEMORY_MIN || bytes > MEMORY_MAX) {
		complain("PLENUM_REFGPU_MEMORY", text, "wants 64M to 256G");
		return memory_usual();
	}
	return bytes & ~(MEMORY_STEP - 1);
}

static uint32_t cpus(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof(set), &set) ? 1 : CPU_COUNT(&set);
	return n < (int)SMS_USUAL_MIN ? SMS_USUAL_MIN : n > (int)PL_RG_SMS_MAX ? PL_RG_SMS_MAX : (uint32_t)n;
}

static uint32_t sms_read(void)
{
	const char *text = getenv("PLENUM_REFGPU_SMS");
	unsigned long n;
	char *end;
	if (!text)
		return cpus();
	n = strtoul(text, &end, 0);
	if (end == text || *end || n < 1 || n > PL_RG_SMS_MAX) {
		complain("PLENUM_REFGPU_SMS", text, "wants 1 to 256");
		return cpus();
	}
	return (uint32_t)n;
}

static uint64_t watchdog_read(void)
{
	const char *text = getenv("PLENUM_REFGPU_WATCHDOG");
	double seconds;
	char *end;
	if (!text)
		return 0;
	seconds = strtod(text, &end);
	if (end == text || *end || !(seconds >= 0 && seconds <= WATCHDOG_MAX_S)) {
		complain("PLENUM_REFGPU_WATCHDOG", text, "wants seconds, 0 for none");
		return 0;
	}
	return (uint64_t)(seconds * 1e9);
}

static bool clock_read(void)
{
	const char *text = getenv("PLENUM_REFGPU_CLOCK");
	if (!text || !strcmp(text, "host"))
		return false;
	if (!strcmp(text, "virtual"))
		return true;
	complain("PLENUM_REFGPU_CLOCK", text, "wants host or virtual");
	return false;
}

static void number_check(void)
{
	const char *text = getenv("PLENUM_REFGPU_NUMBER");
	if (text && (text[0] < '0' || text[0] > '9' || text[1]))
		complain("PLENUM_REFGPU_NUMBER", text, "wants 0 to 9");
}

static void capability_check(void)
{
	const char *text = getenv("PLENUM_REFGPU_CAPABILITY");
	if (text && !pl_cu_capability_read(text))
		complain("PLENUM_REFGPU_CAPABILITY", text, "wants a compute capability of 5.0 to 19.9");
}

void pl_cu_config_read(struct pl_cu_hw_config *config_out)
{
	number_check();
	capability_check();
	*config_out = (struct pl_cu_hw_config){
		.vram_bytes = memory_read(),
		.sm_count = sms_read(),
		.watchdog_ns = watchdog_read(),
		.virtual_clock = clock_read(),
	};
}
