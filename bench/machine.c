/* SPDX-License-Identifier: Apache-2.0 */
/* The machine a figure was taken on, as far as /proc and /sys tell. */
#include "bench.h"

#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* First line of a file without its line end; "" when there is none. */
static void line_read(const char *path, char *to, size_t to_bytes)
{
	FILE *f = fopen(path, "re");

	to[0] = '\0';
	if (!f)
		return;
	if (!fgets(to, (int)to_bytes, f))
		to[0] = '\0';
	to[strcspn(to, "\r\n")] = '\0';
	fclose(f);
}

/* Value behind the first line that starts with @key, up to a ':' or '='. */
static void value_find(const char *path, const char *key, char *to, size_t to_bytes)
{
	char line[4096], *value;
	FILE *f = fopen(path, "re");

	to[0] = '\0';
	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, key, strlen(key)))
			continue;
		value = strpbrk(line, ":=");
		if (!value)
			continue;
		value += strspn(value, ":= \t\"");
		value[strcspn(value, "\"\r\n")] = '\0';
		snprintf(to, to_bytes, "%s", value);
		break;
	}
	fclose(f);
}

static void hypervisor_read(char *to, size_t to_bytes)
{
	char flags[4096], vendor[64];

	value_find("/proc/cpuinfo", "flags", flags, sizeof(flags));
	if (!strstr(flags, " hypervisor")) {
		snprintf(to, to_bytes, "none seen");
		return;
	}
	line_read("/sys/class/dmi/id/sys_vendor", vendor, sizeof(vendor));
	snprintf(to, to_bytes, "yes (%.50s)", vendor[0] ? vendor : "vendor unknown");
}

double pl_bench_load(void)
{
	char text[64];
	double load = 0;

	line_read("/proc/loadavg", text, sizeof(text));
	if (sscanf(text, "%lf", &load) != 1)
		return 0;
	return load;
}

void pl_bench_machine_read(struct pl_bench_machine *machine_out)
{
	struct pl_bench_machine *m = machine_out;
	long cores = sysconf(_SC_NPROCESSORS_ONLN), pages = sysconf(_SC_PHYS_PAGES);
	time_t now = time(NULL);
	struct utsname uts;
	struct tm tm;

	*m = (struct pl_bench_machine){ .cores = cores > 0 ? (unsigned)cores : 0 };
	value_find("/proc/cpuinfo", "model name", m->cpu, sizeof(m->cpu));
	if (!m->cpu[0])
		snprintf(m->cpu, sizeof(m->cpu), "unknown");
	value_find("/etc/os-release", "PRETTY_NAME", m->os, sizeof(m->os));
	line_read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", m->governor,
		sizeof(m->governor));
	if (!m->governor[0])
		snprintf(m->governor, sizeof(m->governor), "none");
	hypervisor_read(m->hypervisor, sizeof(m->hypervisor));
	if (!uname(&uts))
		snprintf(m->kernel, sizeof(m->kernel), "%.60s %.60s %.30s", uts.sysname,
			uts.release, uts.machine);
	m->mem_bytes = pages > 0 ? (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
	m->load_start = pl_bench_load();
	gmtime_r(&now, &tm);
	strftime(m->when, sizeof(m->when), "%Y-%m-%dT%H:%M:%SZ", &tm);
}
