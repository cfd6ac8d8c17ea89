/*
 * Calls every function of the NVML that the loader finds, before, between and after nvmlInit(), and prints answers.
 * Those that Plenum refuses are called only where PLENUM_TEST_NVML_ALL is set: never on hardware, which they change.
 */
#undef NDEBUG
#include "calls.h"

#include <assert.h>
#include <dlfcn.h>
#include <stdlib.h>

char calls_none;
char calls_memory[65536];
char calls_uuid[NVML_DEVICE_UUID_V2_BUFFER_SIZE], calls_bus_id[NVML_DEVICE_PCI_BUS_ID_BUFFER_SIZE];
char calls_serial[NVML_DEVICE_SERIAL_BUFFER_SIZE];

static void *library;

void *calls_find(const char *name)
{
	void *function = dlsym(library, name);

	if (!function) {
		printf("%s is not there\n", name);
		exit(1);
	}
	return function;
}

void calls_say(const char *name, unsigned which, nvmlReturn_t result)
{
	printf("%s #%u = %d:", name, which, (int)result);
}

void calls_hex(const void *data, unsigned bytes)
{
	const unsigned char *at = data;

	printf(" ");
	while (bytes && !at[bytes - 1]) /* zeros behind say nothing */
		bytes--;
	for (unsigned i = 0; i < bytes; i++)
		printf("%02x", at[i]);
}

static void all(nvmlDevice_t device, nvmlEventSet_t set, unsigned ways)
{
	bool changes = getenv("PLENUM_TEST_NVML_ALL") != NULL;

	for (unsigned i = 0; i < calls_count; i++)
		for (unsigned which = calls_rows[i].refused && !changes ? ways : 0;
		     which < calls_rows[i].count && which < ways; which++)
			calls_rows[i].call(device, set, which);
}

int main(void)
{
	__typeof__(&nvmlInit_v2) init, shutdown;
	__typeof__(&nvmlInitWithFlags) with_flags;
	__typeof__(&nvmlErrorString) text;
	__typeof__(&nvmlDeviceGetHandleByIndex_v2) by_index;
	__typeof__(&nvmlDeviceGetUUID) uuid;
	__typeof__(&nvmlDeviceGetSerial) serial;
	__typeof__(&nvmlDeviceGetPciInfo_v3) pci_info;
	__typeof__(&nvmlEventSetCreate) create;
	nvmlDevice_t device;
	nvmlEventSet_t set;
	nvmlPciInfo_t pci;

	library = dlopen("libnvidia-ml.so.1", RTLD_NOW);
	if (!library) {
		printf("%s\n", dlerror());
		return 1;
	}
	*(void **)&init = calls_find("nvmlInit_v2");
	*(void **)&with_flags = calls_find("nvmlInitWithFlags");
	*(void **)&shutdown = calls_find("nvmlShutdown");
	*(void **)&text = calls_find("nvmlErrorString");
	*(void **)&by_index = calls_find("nvmlDeviceGetHandleByIndex_v2");
	*(void **)&uuid = calls_find("nvmlDeviceGetUUID");
	*(void **)&serial = calls_find("nvmlDeviceGetSerial");
	*(void **)&pci_info = calls_find("nvmlDeviceGetPciInfo_v3");
	*(void **)&create = calls_find("nvmlEventSetCreate");

	puts("---- before nvmlInit()");
	printf("shutdown %d\n", shutdown());
	all((nvmlDevice_t)&calls_none, (nvmlEventSet_t)&calls_none, 1);
	printf("init %d %d, odd flags %d, text %s\n", init(), init(), with_flags(0x4000), text(NVML_ERROR_NOT_FOUND));
	assert(!by_index(0, &device) && !uuid(device, calls_uuid, sizeof(calls_uuid)) && !pci_info(device, &pci));
	assert(!create(&set));
	snprintf(calls_bus_id, sizeof(calls_bus_id), "%s", pci.busId);
	if (serial(device, calls_serial, sizeof(calls_serial)))
		snprintf(calls_serial, sizeof(calls_serial), "none");
	puts("---- right and wrong");
	all(device, set, 1000);
	puts("---- after the end");
	printf("shutdown %d %d %d\n", shutdown(), shutdown(), shutdown());
	all(device, set, 1);
	return 0;
}
