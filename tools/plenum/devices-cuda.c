/* The CUDA devices that programs see: what the library that they get says. */
#include <dlfcn.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "cuda-api.h"
#include "plenum/tool.h"

#define LIBRARY "libcuda.so.1"

static void *library_open(bool native)
{
	char folder[PATH_MAX], path[PATH_MAX + sizeof(LIBRARY) + 1] = LIBRARY;

	if (!native) {
		if (!pl_tool_cuda_client_find(folder))
			return NULL;
		snprintf(path, sizeof(path), "%s/" LIBRARY, folder);
		setenv("PLENUM_LOG", "error", 0); /* that a server has no CUDA is no news here */
	}
	return dlopen(path, RTLD_NOW | RTLD_LOCAL);
}

/* fn(name): a function of the library's; NULL: it has none. */
#define fn(name) ((__typeof__(&name))dlsym(dl, #name))

static void put(struct json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key, json_object_new_string(text));
}

static void put_uuid(struct json_object *object, const CUuuid *uuid)
{
	char text[64];
	int at = snprintf(text, sizeof(text), "GPU-");

	for (int i = 0; i < 16; i++)
		at += snprintf(text + at, sizeof(text) - (size_t)at, "%s%02x",
			       i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", (unsigned char)uuid->bytes[i]);
	put(object, "uuid", text);
}

static int attribute(void *dl, CUdevice_attribute which, CUdevice device)
{
	int value = 0;

	return fn(cuDeviceGetAttribute)(&value, which, device) ? 0 : value;
}

static struct json_object *describe(void *dl, CUdevice device)
{
	struct json_object *object = json_object_new_object();
	char name[256] = "", bus[32] = "", compute[32];
	CUuuid uuid = { { 0 } };
	size_t bytes = 0;

	fn(cuDeviceGetName)(name, sizeof(name), device);
	if (fn(cuDeviceGetUuid_v2))
		fn(cuDeviceGetUuid_v2)(&uuid, device);
	fn(cuDeviceGetPCIBusId)(bus, sizeof(bus), device);
	fn(cuDeviceTotalMem_v2)(&bytes, device);
	snprintf(compute, sizeof(compute), "%d.%d", attribute(dl, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, device),
		 attribute(dl, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, device));
	put(object, "name", name);
	put_uuid(object, &uuid);
	put(object, "bus", bus);
	put(object, "compute", compute);
	json_object_object_add(object, "compute_units",
			       json_object_new_int(attribute(dl, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, device)));
	json_object_object_add(object, "clock_mhz",
			       json_object_new_int(attribute(dl, CU_DEVICE_ATTRIBUTE_CLOCK_RATE, device) / 1000));
	json_object_object_add(object, "memory_bytes", json_object_new_uint64(bytes));
	return object;
}

struct json_object *pl_tool_cuda_devices(bool native)
{
	struct json_object *list = json_object_new_array();
	void *dl = library_open(native);
	int count = 0;

	if (!dl || !fn(cuInit) || !fn(cuDeviceGetCount) || !fn(cuDeviceGetName) || !fn(cuDeviceTotalMem_v2) ||
	    !fn(cuDeviceGetPCIBusId) || !fn(cuDeviceGetAttribute) || fn(cuInit)(0) || fn(cuDeviceGetCount)(&count))
		return list;
	for (CUdevice i = 0; i < count; i++)
		json_object_array_add(list, describe(dl, i));
	return list;
}
