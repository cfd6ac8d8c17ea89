/* What is used of the device: memory, time, by whom; its clocks, and the fields that have a number of their own. */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/wait.h"
#include "nvml.h"
#include "refgpu/driver/identity.h"

#define LOAD_NS_MIN   (100u * 1000000u) /* a load is measured over so long at least */
#define FILE_NAME     "/memfd:" PL_CU_USAGE_NAME
#define CLOCK_MHZ     (PL_CU_CLOCK_KHZ / 1000)
#define BAR1_MIN      (16ull << 20)
#define FIELD_TIME_US 1000u

/* ---- processes ---- */

static bool page_read(uint32_t pid, const char *name, struct pl_rn_process *process)
{
	const struct pl_cu_usage *page;
	char path[64], link[64];
	ssize_t n;
	bool good;
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/fd/%.16s", pid, name);
	n = readlink(path, link, sizeof(link) - 1);
	if (n <= 0)
		return false;
	link[n] = '\0';
	if (strncmp(link, FILE_NAME, strlen(FILE_NAME)))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	page = lseek(fd, 0, SEEK_END) >= (off_t)sizeof(*page) ? mmap(NULL, sizeof(*page), PROT_READ, MAP_SHARED, fd, 0)
							      : MAP_FAILED;
	close(fd);
	if (page == MAP_FAILED)
		return false;
	good = page->magic == PL_CU_USAGE_MAGIC && page->pid == pid; /* a child that was forked has its parent's */
	*process = (struct pl_rn_process){ pid, page->used_bytes, page->busy_ns };
	munmap((void *)(uintptr_t)page, sizeof(*page));
	return good;
}

static bool process_read(uint32_t pid, struct pl_rn_process *process)
{
	char path[64];
	struct dirent *entry;
	bool found = false;
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%u/fd", pid);
	folder = opendir(path);
	while (folder && !found && (entry = readdir(folder)))
		if (entry->d_name[0] != '.')
			found = page_read(pid, entry->d_name, process);
	if (folder)
		closedir(folder);
	return found;
}

static int by_pid(const void *a, const void *b)
{
	const struct pl_rn_process *one = a, *other = b;

	return one->pid < other->pid ? -1 : one->pid > other->pid;
}

uint32_t pl_rn_processes(struct pl_rn_process *processes, uint32_t room)
{
	DIR *folder = opendir("/proc");
	struct dirent *entry;
	uint32_t count = 0;

	while (folder && count < room && (entry = readdir(folder))) {
		char *end;
		unsigned long pid = strtoul(entry->d_name, &end, 10);

		if (pid && !*end && process_read((uint32_t)pid, &processes[count]))
			count++;
	}
	if (folder)
		closedir(folder);
	qsort(processes, count, sizeof(*processes), by_pid);
	return count;
}

void pl_rn_usage(uint64_t *used_bytes, uint64_t *busy_ns)
{
	struct pl_rn_process *processes = calloc(PL_RN_PROCESSES_MAX, sizeof(*processes));
	uint32_t count = processes ? pl_rn_processes(processes, PL_RN_PROCESSES_MAX) : 0;

	*used_bytes = *busy_ns = 0;
	for (uint32_t i = 0; i < count; i++) {
		*used_bytes += processes[i].used_bytes;
		*busy_ns += processes[i].busy_ns;
	}
	free(processes);
	/* Each process has the device's whole memory for itself, so together they may use more than there is. */
	if (*used_bytes > pl_rn_vram_bytes())
		*used_bytes = pl_rn_vram_bytes();
}

/* The i-th of a list of the given version of the structure. */
static void process_put(void *infos, int version, uint32_t i, const struct pl_rn_process *process)
{
	if (version == 1)
		((nvmlProcessInfo_v1_t *)infos)[i] =
			(nvmlProcessInfo_v1_t){ .pid = process->pid, .usedGpuMemory = process->used_bytes };
	else
		((nvmlProcessInfo_v2_t *)infos)[i] = (nvmlProcessInfo_v2_t){ .pid = process->pid,
									     .usedGpuMemory = process->used_bytes,
									     .gpuInstanceId = UINT32_MAX,
									     .computeInstanceId = UINT32_MAX };
}

static nvmlReturn_t processes_give(nvmlDevice_t device, unsigned int *count, void *infos, int version)
{
	nvmlReturn_t r = pl_rn_enter_device(device, count);
	struct pl_rn_process *processes;
	uint32_t room, there;

	if (r)
		return r;
	room = *count;
	if (room && !infos)
		return NVML_ERROR_INVALID_ARGUMENT;
	processes = calloc(PL_RN_PROCESSES_MAX, sizeof(*processes));
	if (!processes)
		return NVML_ERROR_MEMORY;
	there = pl_rn_processes(processes, PL_RN_PROCESSES_MAX);
	*count = there;
	if (there > room)
		r = NVML_ERROR_INSUFFICIENT_SIZE;
	for (uint32_t i = 0; !r && i < there; i++)
		process_put(infos, version, i, &processes[i]);
	free(processes);
	return r;
}

nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device, unsigned int *count, nvmlProcessInfo_t *infos)
{
	return processes_give(device, count, infos, 3);
}

nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v2(nvmlDevice_t device, unsigned int *count,
						     nvmlProcessInfo_v2_t *infos)
{
	return processes_give(device, count, infos, 2);
}

nvmlReturn_t nvmlDeviceGetComputeRunningProcesses(nvmlDevice_t device, unsigned int *count, nvmlProcessInfo_v1_t *infos)
{
	return processes_give(device, count, infos, 1);
}

/* It draws nothing, and has no MPS. */
static nvmlReturn_t nobody(nvmlDevice_t device, unsigned int *count)
{
	nvmlReturn_t r = pl_rn_enter_device(device, count);

	if (!r)
		*count = 0;
	return r;
}

#define NOBODY(function, type)                                                                                         \
	nvmlReturn_t function(nvmlDevice_t device, unsigned int *count, type *infos)                                   \
	{                                                                                                              \
		(void)infos;                                                                                           \
		return nobody(device, count);                                                                          \
	}
NOBODY(nvmlDeviceGetGraphicsRunningProcesses, nvmlProcessInfo_v1_t)
NOBODY(nvmlDeviceGetGraphicsRunningProcesses_v2, nvmlProcessInfo_v2_t)
NOBODY(nvmlDeviceGetGraphicsRunningProcesses_v3, nvmlProcessInfo_t)
NOBODY(nvmlDeviceGetMPSComputeRunningProcesses, nvmlProcessInfo_v1_t)
NOBODY(nvmlDeviceGetMPSComputeRunningProcesses_v2, nvmlProcessInfo_v2_t)
NOBODY(nvmlDeviceGetMPSComputeRunningProcesses_v3, nvmlProcessInfo_t)

/* ---- memory ---- */

nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *memory)
{
	nvmlReturn_t r = pl_rn_enter_device(device, memory);
	uint64_t used, busy;

	if (r)
		return r;
	pl_rn_usage(&used, &busy);
	*memory = (nvmlMemory_t){ .total = pl_rn_vram_bytes(), .free = pl_rn_vram_bytes() - used, .used = used };
	return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t *memory)
{
	nvmlReturn_t r = pl_rn_enter();
	uint64_t used, busy;

	if (!r && memory && memory->version != nvmlMemory_v2)
		return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
	r = pl_rn_enter_device(device, memory);
	if (r)
		return r;
	pl_rn_usage(&used, &busy);
	*memory = (nvmlMemory_v2_t){
		.version = nvmlMemory_v2, .total = pl_rn_vram_bytes(), .free = pl_rn_vram_bytes() - used, .used = used
	};
	return NVML_SUCCESS;
}

/* The aperture shows all of the memory. */
nvmlReturn_t nvmlDeviceGetBAR1MemoryInfo(nvmlDevice_t device, nvmlBAR1Memory_t *bar1_memory)
{
	nvmlReturn_t r = pl_rn_enter_device(device, bar1_memory);
	uint64_t used, busy, all = BAR1_MIN;

	if (r)
		return r;
	pl_rn_usage(&used, &busy);
	while (all < pl_rn_vram_bytes())
		all *= 2;
	*bar1_memory = (nvmlBAR1Memory_t){ .bar1Total = all, .bar1Free = all - used, .bar1Used = used };
	return NVML_SUCCESS;
}

/* ---- load ---- */

static struct {
	pthread_mutex_t lock;
	uint64_t since_ns, busy_ns;
	unsigned int percent;
} load = { .lock = PTHREAD_MUTEX_INITIALIZER };

void pl_rn_load_begin(void)
{
	uint64_t used;

	pthread_mutex_lock(&load.lock);
	pl_rn_usage(&used, &load.busy_ns);
	load.since_ns = pl_now_ns();
	load.percent = 0;
	pthread_mutex_unlock(&load.lock);
}

/* Over the time since somebody asked last; a submission counts when it has ended. */
nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t *utilization)
{
	nvmlReturn_t r = pl_rn_enter_device(device, utilization);
	uint64_t used, busy, now;

	if (r)
		return r;
	pthread_mutex_lock(&load.lock);
	now = pl_now_ns();
	if (now - load.since_ns >= LOAD_NS_MIN) {
		pl_rn_usage(&used, &busy);
		busy = busy > load.busy_ns ? busy - load.busy_ns : 0; /* processes end */
		load.percent = busy >= now - load.since_ns ? 100 : (unsigned int)(busy * 100 / (now - load.since_ns));
		pl_rn_usage(&used, &load.busy_ns);
		load.since_ns = now;
	}
	*utilization = (nvmlUtilization_t){ .gpu = load.percent };
	pthread_mutex_unlock(&load.lock);
	return NVML_SUCCESS;
}

/* ---- clocks: one nominal rate ---- */

static nvmlReturn_t clock_give(nvmlDevice_t device, nvmlClockType_t which, unsigned int *mhz)
{
	nvmlReturn_t r = pl_rn_enter_device(device, mhz);

	if (r)
		return r;
	if ((unsigned int)which >= NVML_CLOCK_COUNT)
		return NVML_ERROR_INVALID_ARGUMENT;
	if (which == NVML_CLOCK_VIDEO)
		return NVML_ERROR_NOT_SUPPORTED;
	*mhz = CLOCK_MHZ;
	return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetClockInfo(nvmlDevice_t device, nvmlClockType_t which, unsigned int *mhz)
{
	return clock_give(device, which, mhz);
}

nvmlReturn_t nvmlDeviceGetMaxClockInfo(nvmlDevice_t device, nvmlClockType_t which, unsigned int *mhz)
{
	return clock_give(device, which, mhz);
}

nvmlReturn_t nvmlDeviceGetClock(nvmlDevice_t device, nvmlClockType_t which, nvmlClockId_t clock_id, unsigned int *mhz)
{
	if (pl_rn_started() && (unsigned int)clock_id >= NVML_CLOCK_ID_COUNT)
		return NVML_ERROR_INVALID_ARGUMENT;
	if (pl_rn_started() && clock_id != NVML_CLOCK_ID_CURRENT)
		return pl_rn_enter_device(device, mhz) ? NVML_ERROR_INVALID_ARGUMENT : NVML_ERROR_NOT_SUPPORTED;
	return clock_give(device, which, mhz);
}

static nvmlReturn_t pstate_give(nvmlDevice_t device, nvmlPstates_t *state)
{
	nvmlReturn_t r = pl_rn_enter_device(device, state);

	if (!r)
		*state = NVML_PSTATE_0;
	return r;
}

nvmlReturn_t nvmlDeviceGetPerformanceState(nvmlDevice_t device, nvmlPstates_t *state)
{
	return pstate_give(device, state);
}

nvmlReturn_t nvmlDeviceGetPowerState(nvmlDevice_t device, nvmlPstates_t *state)
{
	return pstate_give(device, state);
}

static nvmlReturn_t reasons_give(nvmlDevice_t device, unsigned long long *reasons)
{
	nvmlReturn_t r = pl_rn_enter_device(device, reasons);

	if (!r)
		*reasons = nvmlClocksEventReasonNone;
	return r;
}

nvmlReturn_t nvmlDeviceGetCurrentClocksEventReasons(nvmlDevice_t device, unsigned long long *clocks_event_reasons)
{
	return reasons_give(device, clocks_event_reasons);
}

nvmlReturn_t nvmlDeviceGetCurrentClocksThrottleReasons(nvmlDevice_t device, unsigned long long *clocks_throttle_reasons)
{
	return reasons_give(device, clocks_throttle_reasons);
}

nvmlReturn_t nvmlDeviceGetSupportedClocksEventReasons(nvmlDevice_t device,
						      unsigned long long *supported_clocks_event_reasons)
{
	return reasons_give(device, supported_clocks_event_reasons);
}

nvmlReturn_t nvmlDeviceGetSupportedClocksThrottleReasons(nvmlDevice_t device,
							 unsigned long long *supported_clocks_throttle_reasons)
{
	return reasons_give(device, supported_clocks_throttle_reasons);
}

nvmlReturn_t nvmlDeviceGetNumFans(nvmlDevice_t device, unsigned int *num_fans)
{
	return nobody(device, num_fans);
}

/* ---- fields ---- */

nvmlReturn_t nvmlDeviceGetFieldValues(nvmlDevice_t device, int values_count, nvmlFieldValue_t *values)
{
	nvmlReturn_t r = pl_rn_enter_device(device, values);
	struct timespec now;

	if (r)
		return r;
	if (values_count < 1)
		return NVML_ERROR_INVALID_ARGUMENT;
	clock_gettime(CLOCK_REALTIME, &now);
	for (int i = 0; i < values_count; i++) {
		nvmlFieldValue_t *field = &values[i];

		field->timestamp = now.tv_sec * 1000000ll + now.tv_nsec / FIELD_TIME_US;
		field->latencyUsec = 0;
		field->nvmlReturn = NVML_ERROR_NOT_SUPPORTED;
		if (field->fieldId != NVML_FI_DEV_NVLINK_LINK_COUNT && field->fieldId != NVML_FI_DEV_C2C_LINK_COUNT)
			continue;
		field->nvmlReturn = NVML_SUCCESS;
		field->valueType = NVML_VALUE_TYPE_UNSIGNED_INT;
		field->value.ullVal = 0;
	}
	return NVML_SUCCESS;
}
