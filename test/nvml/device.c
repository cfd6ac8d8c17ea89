/*
 * device LIBCUDA.so LIBNVIDIA-ML.so: what CUDA and NVML say about the same device, and what NVML tells of a process
 * that uses it, this one and another.  For the reference GPU and for hardware that nobody else uses.
 */
#undef NDEBUG
#include <assert.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cuda-api.h"
#include "lib/process.h"
#include "nvml-api.h"

#define BYTES     (64u << 20)
#define PROCESSES 64

#define CUDA(X)                                                                                                        \
	X(cuInit)                                                                                                      \
	X(cuDeviceGetName)                                                                                             \
	X(cuDeviceGetUuid_v2)                                                                                          \
	X(cuDeviceGetPCIBusId)                                                                                         \
	X(cuDeviceTotalMem_v2)                                                                                         \
	X(cuDeviceGetAttribute)                                                                                        \
	X(cuDriverGetVersion)                                                                                          \
	X(cuCtxCreate_v2)                                                                                              \
	X(cuMemAlloc_v2)                                                                                               \
	X(cuMemFree_v2)
#define NVML(X)                                                                                                        \
	X(nvmlInit_v2)                                                                                                 \
	X(nvmlDeviceGetHandleByPciBusId_v2)                                                                            \
	X(nvmlDeviceGetName)                                                                                           \
	X(nvmlDeviceGetHandleByUUID)                                                                                   \
	X(nvmlDeviceGetUUID)                                                                                           \
	X(nvmlDeviceGetMemoryInfo)                                                                                     \
	X(nvmlDeviceGetMemoryInfo_v2)                                                                                  \
	X(nvmlDeviceGetCudaComputeCapability)                                                                          \
	X(nvmlDeviceGetArchitecture)                                                                                   \
	X(nvmlDeviceGetMemoryBusWidth)                                                                                 \
	X(nvmlDeviceGetComputeRunningProcesses)                                                                        \
	X(nvmlDeviceGetComputeRunningProcesses_v3)                                                                     \
	X(nvmlSystemGetCudaDriverVersion_v2)                                                                           \
	X(nvmlDeviceGetMaxClockInfo)                                                                                   \
	X(nvmlGpmQueryDeviceSupport)                                                                                   \
	X(nvmlGpmSampleAlloc)                                                                                          \
	X(nvmlGpmSampleFree)                                                                                           \
	X(nvmlGpmSampleGet)                                                                                            \
	X(nvmlGpmMetricsGet)                                                                                           \
	X(nvmlInternalGetExportTable)
#define MEMBER(name) __typeof__(&name) name;

nvmlReturn_t nvmlInternalGetExportTable(const void **table, const void *id);

static struct {
	CUDA(MEMBER)
	NVML(MEMBER)
} d;

static void libraries_open(const char *cuda, const char *nvml)
{
	void *library = dlopen(cuda, RTLD_NOW);

	assert(library);
#define FIND(name) assert((*(void **)&d.name = dlsym(library, #name)));
	CUDA(FIND)
	library = dlopen(nvml, RTLD_NOW);
	assert(library);
	NVML(FIND)
}

static int attribute(CUdevice_attribute which)
{
	int value;

	assert(!d.cuDeviceGetAttribute(&value, which, 0));
	return value;
}

static nvmlDevice_t test_both_say_the_same(void)
{
	char one[256], two[256];
	nvmlMemory_t memory;
	nvmlDevice_t device;
	unsigned int number;
	int major, minor, cuda, nvml;
	size_t bytes;
	CUuuid uuid;

	assert(!d.cuDeviceGetPCIBusId(one, sizeof(one), 0) && !d.nvmlDeviceGetHandleByPciBusId_v2(one, &device));
	assert(!d.cuDeviceGetName(one, sizeof(one), 0) && !d.nvmlDeviceGetName(device, two, sizeof(two)));
	assert(!strcmp(one, two));
	assert(!d.cuDeviceGetUuid_v2(&uuid, 0) && !d.nvmlDeviceGetUUID(device, two, sizeof(two)));
	snprintf(one, sizeof(one), "GPU-");
	for (int i = 0; i < 16; i++)
		sprintf(one + strlen(one), "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
			(unsigned char)uuid.bytes[i]);
	assert(!strcasecmp(one, two));
	assert(!d.nvmlDeviceGetHandleByUUID(two, &device) && !d.nvmlDeviceGetHandleByUUID(two + 4, &device));
	assert(!d.cuDeviceTotalMem_v2(&bytes, 0) && !d.nvmlDeviceGetMemoryInfo(device, &memory));
	assert(memory.total >= bytes && memory.used + memory.free <= memory.total);
	assert(!d.nvmlDeviceGetCudaComputeCapability(device, &major, &minor));
	assert(major == attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR));
	assert(minor == attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR));
	assert(!d.nvmlDeviceGetMemoryBusWidth(device, &number));
	assert((int)number == attribute(CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH));
	assert(!d.nvmlDeviceGetMaxClockInfo(device, NVML_CLOCK_SM, &number));
	assert((int)number * 1000 == attribute(CU_DEVICE_ATTRIBUTE_CLOCK_RATE));
	assert(!d.cuDriverGetVersion(&cuda) && !d.nvmlSystemGetCudaDriverVersion_v2(&nvml) && cuda == nvml);
	return device;
}

/* What NVML says that a process uses; 0 = it is not in the list. */
static unsigned long long used_by(nvmlDevice_t device, pid_t pid)
{
	nvmlProcessInfo_t infos[PROCESSES];
	unsigned int count = PROCESSES;

	assert(!d.nvmlDeviceGetComputeRunningProcesses_v3(device, &count, infos));
	for (unsigned int i = 0; i < count; i++)
		if (infos[i].pid == (unsigned int)pid)
			return infos[i].usedGpuMemory;
	return 0;
}

/* The reference GPU is of the generation that it claims. */
static void test_the_architecture_is_that_of_the_capability(nvmlDevice_t device)
{
	static const struct {
		const char *capability;
		unsigned int architecture;
	} cases[] = {
		{ "5.2", NVML_DEVICE_ARCH_MAXWELL },    { "6.0", NVML_DEVICE_ARCH_PASCAL },
		{ "7.0", NVML_DEVICE_ARCH_VOLTA },      { "7.5", NVML_DEVICE_ARCH_TURING },
		{ "8.6", NVML_DEVICE_ARCH_AMPERE },     { "8.9", NVML_DEVICE_ARCH_ADA },
		{ "9.0", NVML_DEVICE_ARCH_HOPPER },     { "10.0", NVML_DEVICE_ARCH_BLACKWELL },
		{ "12.1", NVML_DEVICE_ARCH_BLACKWELL }, { "13.0", NVML_DEVICE_ARCH_UNKNOWN },
	};
	const char *told = getenv("PLENUM_REFGPU_CAPABILITY");
	unsigned int architecture;
	char name[96], before[16] = "";

	assert(!d.nvmlDeviceGetName(device, name, sizeof(name)));
	if (strcmp(name, "Plenum reference GPU") || getenv("PLENUM"))
		return; /* hardware, or a server's process, whose environment this is not */
	snprintf(before, sizeof(before), "%s", told ? told : "");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		setenv("PLENUM_REFGPU_CAPABILITY", cases[i].capability, 1);
		assert(!d.nvmlDeviceGetArchitecture(device, &architecture));
		assert(architecture == cases[i].architecture);
	}
	unsetenv("PLENUM_REFGPU_CAPABILITY");
	if (told)
		setenv("PLENUM_REFGPU_CAPABILITY", before, 1);
}

static void test_memory_is_counted_where_it_is_used(nvmlDevice_t device)
{
	unsigned long long before = used_by(device, getpid());
	nvmlMemory_t memory;
	CUdeviceptr at;

	assert(before);
	assert(!d.cuMemAlloc_v2(&at, BYTES));
	assert(used_by(device, getpid()) >= before + BYTES);
	assert(!d.nvmlDeviceGetMemoryInfo(device, &memory) && memory.used >= before + BYTES);
	assert(!d.cuMemFree_v2(at));
	assert(used_by(device, getpid()) < before + BYTES);
}

static void test_a_list_without_room_says_how_much_it_needs(nvmlDevice_t device)
{
	nvmlProcessInfo_v1_t infos[PROCESSES];
	unsigned int count = 0;

	assert(d.nvmlDeviceGetComputeRunningProcesses_v3(device, &count, NULL) == NVML_ERROR_INSUFFICIENT_SIZE);
	assert(count >= 1);
	count = PROCESSES;
	assert(!d.nvmlDeviceGetComputeRunningProcesses(device, &count, infos) && count >= 1);
}

static void test_another_structure_is_refused(nvmlDevice_t device)
{
	nvmlMemory_v2_t memory = { .version = nvmlMemory_v2 };

	assert(!d.nvmlDeviceGetMemoryInfo_v2(device, &memory) && memory.total);
	memory.version = 0;
	assert(d.nvmlDeviceGetMemoryInfo_v2(device, &memory) == NVML_ERROR_ARGUMENT_VERSION_MISMATCH);
}

/* The other process holds memory until it is killed: then nothing of it is left. */
static void test_another_process_is_seen(nvmlDevice_t device, pid_t other)
{
	int status;

	assert(used_by(device, other) >= BYTES);
	assert(!kill(other, SIGKILL) && waitpid(other, &status, 0) == other);
	assert(!used_by(device, other));
}

/* Before this process has a driver: CUDA does not survive a fork(). */
static pid_t other_start(const char *cuda, const char *nvml)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert(!pipe(ready));
	pid = fork();
	assert(pid >= 0);
	if (!pid) {
		CUcontext ctx;
		CUdeviceptr at;

		libraries_open(cuda, nvml);
		assert(!d.cuInit(0) && !d.cuCtxCreate_v2(&ctx, 0, 0) && !d.cuMemAlloc_v2(&at, BYTES));
		assert(write(ready[1], "r", 1) == 1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert(read(ready[0], &byte, 1) == 1);
	close(ready[0]);
	return pid;
}

static void test_private_tables_are_refused_but_one(void)
{
	static const unsigned char smi[16] = { 0xc4, 0xfe, 0x3e, 0x6c, 0xc9, 0x8f, 0x6c, 0x4e,
					       0xa3, 0x27, 0xee, 0x69, 0x6e, 0x12, 0xf7, 0xc4 };
	static const unsigned char odd[16];
	const void *table = NULL;
	nvmlReturn_t (*const *slots)(void *, void *);

	assert(d.nvmlInternalGetExportTable(&table, odd) == NVML_ERROR_NOT_FOUND && !table);
	assert(d.nvmlInternalGetExportTable(NULL, smi) == NVML_ERROR_INVALID_ARGUMENT);
	assert(!d.nvmlInternalGetExportTable(&table, smi) && *(const size_t *)table >= 82 * sizeof(void *));
	slots = table;
	assert(slots[1](NULL, NULL) == NVML_ERROR_NOT_SUPPORTED && slots[81](NULL, NULL) == NVML_ERROR_NOT_SUPPORTED);
}

/* Of hardware natively it may be another answer. */
static void test_a_device_without_counters_says_so(nvmlDevice_t device)
{
	struct {
		unsigned int version, count;
		nvmlGpmSample_t sample[2];
		char rest[64 << 10];
	} metrics = { .version = 1, .count = 1 };
	nvmlGpmMetricsGet_t *get = (nvmlGpmMetricsGet_t *)(void *)&metrics;
	nvmlGpmSupport_t support = { .version = 1, .isSupportedDevice = 0x5555 };
	char name[96];

	assert(!d.nvmlGpmQueryDeviceSupport(device, &support));
	assert(!d.nvmlDeviceGetName(device, name, sizeof(name)));
	assert(!support.isSupportedDevice || !strstr(name, "Plenum"));
	assert(d.nvmlGpmQueryDeviceSupport(device, NULL) == NVML_ERROR_INVALID_ARGUMENT);
	assert(d.nvmlGpmQueryDeviceSupport(NULL, &support) == NVML_ERROR_INVALID_ARGUMENT);
	assert(!d.nvmlGpmSampleAlloc(&metrics.sample[0]) && !d.nvmlGpmSampleAlloc(&metrics.sample[1]));
	assert(metrics.sample[0] && metrics.sample[0] != metrics.sample[1]);
	if (!support.isSupportedDevice) {
		assert(d.nvmlGpmSampleGet(device, metrics.sample[0]) == NVML_ERROR_NOT_SUPPORTED);
		assert(d.nvmlGpmMetricsGet(get) == NVML_ERROR_NOT_SUPPORTED);
		metrics.version = 2;
		assert(d.nvmlGpmMetricsGet(get) == NVML_ERROR_ARGUMENT_VERSION_MISMATCH);
		support.version = 2;
		assert(d.nvmlGpmQueryDeviceSupport(device, &support) == NVML_ERROR_ARGUMENT_VERSION_MISMATCH);
		assert(d.nvmlGpmSampleGet(device, NULL) == NVML_ERROR_INVALID_ARGUMENT);
		assert(d.nvmlGpmSampleFree((nvmlGpmSample_t)(void *)&support) == NVML_ERROR_INVALID_ARGUMENT);
	}
	assert(d.nvmlGpmSampleAlloc(NULL) == NVML_ERROR_INVALID_ARGUMENT);
	assert(!d.nvmlGpmSampleFree(metrics.sample[0]) && !d.nvmlGpmSampleFree(metrics.sample[1]));
	if (!support.isSupportedDevice) /* of a sample that is gone */
		assert(d.nvmlGpmSampleFree(metrics.sample[1]) == NVML_ERROR_INVALID_ARGUMENT);
}

int main(int argc, char **argv)
{
	nvmlDevice_t device;
	CUcontext ctx;
	pid_t other;

	assert(argc == 3);
	pl_test_watchdog(60);
	other = other_start(argv[1], argv[2]);
	libraries_open(argv[1], argv[2]);
	assert(!d.cuInit(0) && !d.cuCtxCreate_v2(&ctx, 0, 0) && !d.nvmlInit_v2());
	device = test_both_say_the_same();
	test_the_architecture_is_that_of_the_capability(device);
	test_memory_is_counted_where_it_is_used(device);
	test_a_list_without_room_says_how_much_it_needs(device);
	test_another_structure_is_refused(device);
	test_another_process_is_seen(device, other);
	test_a_device_without_counters_says_so(device);
	test_private_tables_are_refused_but_one();
	return 0;
}
