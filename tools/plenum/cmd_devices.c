#define CL_TARGET_OPENCL_VERSION 300
#include <CL/cl.h>
#include <dlfcn.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "plenum/tool.h"

#define PLATFORMS_MAX 64  /* limit: platforms shown */
#define DEVICES_MAX   256 /* limit: devices of a platform shown */
#define NAME_ROOM     512

#ifndef CL_PLATFORM_NOT_FOUND_KHR
#define CL_PLATFORM_NOT_FOUND_KHR (-1001)
#endif

enum { KEY_KEEP_LOCAL = 256, KEY_NATIVE };

struct arguments {
	struct pl_tool_servers servers;
	bool keep_local, native, json;
};

struct loader {
	__typeof__(clGetPlatformIDs) *platforms;
	__typeof__(clGetPlatformInfo) *platform_info;
	__typeof__(clGetDeviceIDs) *devices;
	__typeof__(clGetDeviceInfo) *device_info;
};

static const struct argp_option options[] = {
	{ "server", 's', "ADDRESS", 0,
	  "unix:/PATH or tcp://HOST:PORT; may be repeated (default: $PLENUM, else the server "
	  "on this machine)",
	  0 },
	{ "keep-local", KEY_KEEP_LOCAL, NULL, 0, "this machine's own OpenCL platforms, too", 0 },
	{ "native", KEY_NATIVE, NULL, 0, "what programs see without `plenum run'", 0 },
	{ "json", 'j', NULL, 0, "for scripts", 0 },
	{ 0 },
};

static error_t option_parse(int key, char *text, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case 's':
		pl_tool_servers_add(state, &arguments->servers, text);
		return 0;
	case KEY_KEEP_LOCAL:
		arguments->keep_local = true;
		return 0;
	case KEY_NATIVE:
		arguments->native = true;
		return 0;
	case 'j':
		arguments->json = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "`%s' is no option", text);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static bool loader_open(struct loader *loader)
{
	void *dl = dlopen("libOpenCL.so.1", RTLD_NOW | RTLD_LOCAL);

	if (!dl)
		return false;
	loader->platforms = (__typeof__(loader->platforms))dlsym(dl, "clGetPlatformIDs");
	loader->platform_info = (__typeof__(loader->platform_info))dlsym(dl, "clGetPlatformInfo");
	loader->devices = (__typeof__(loader->devices))dlsym(dl, "clGetDeviceIDs");
	loader->device_info = (__typeof__(loader->device_info))dlsym(dl, "clGetDeviceInfo");
	return loader->platforms && loader->platform_info && loader->devices && loader->device_info;
}

static void put_text(struct json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key, json_object_new_string(text));
}

static void platform_text(const struct loader *loader, cl_platform_id platform, cl_platform_info what,
			  struct json_object *object, const char *key)
{
	char text[NAME_ROOM] = "";

	if (loader->platform_info(platform, what, sizeof(text) - 1, text, NULL) != CL_SUCCESS)
		text[0] = '\0';
	put_text(object, key, text);
}

static void device_text(const struct loader *loader, cl_device_id device, cl_device_info what,
			struct json_object *object, const char *key)
{
	char text[NAME_ROOM] = "";

	if (loader->device_info(device, what, sizeof(text) - 1, text, NULL) != CL_SUCCESS)
		text[0] = '\0';
	put_text(object, key, text);
}

static void device_number(const struct loader *loader, cl_device_id device, cl_device_info what, size_t size,
			  struct json_object *object, const char *key)
{
	uint64_t value = 0; /* little-endian: smaller answers fill its beginning */

	if (loader->device_info(device, what, size, &value, NULL) != CL_SUCCESS)
		value = 0;
	json_object_object_add(object, key, json_object_new_uint64(value));
}

static const char *type_name(cl_device_type type)
{
	if (type & CL_DEVICE_TYPE_GPU)
		return "GPU";
	if (type & CL_DEVICE_TYPE_CPU)
		return "CPU";
	if (type & CL_DEVICE_TYPE_ACCELERATOR)
		return "accelerator";
	return "other";
}

static struct json_object *device_describe(const struct loader *loader, cl_device_id device)
{
	struct json_object *object = json_object_new_object();
	cl_device_type type = 0;

	device_text(loader, device, CL_DEVICE_NAME, object, "name");
	device_text(loader, device, CL_DEVICE_VENDOR, object, "vendor");
	device_text(loader, device, CL_DEVICE_VERSION, object, "version");
	device_text(loader, device, CL_DRIVER_VERSION, object, "driver");
	loader->device_info(device, CL_DEVICE_TYPE, sizeof(type), &type, NULL);
	put_text(object, "type", type_name(type));
	device_number(loader, device, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof(cl_uint), object, "compute_units");
	device_number(loader, device, CL_DEVICE_MAX_CLOCK_FREQUENCY, sizeof(cl_uint), object, "clock_mhz");
	device_number(loader, device, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof(cl_ulong), object, "memory_bytes");
	device_number(loader, device, CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof(cl_ulong), object, "allocation_bytes_max");
	return object;
}

static struct json_object *platform_describe(const struct loader *loader, cl_platform_id platform)
{
	struct json_object *object = json_object_new_object(), *list = json_object_new_array();
	cl_device_id devices[DEVICES_MAX];
	cl_uint count = 0;

	platform_text(loader, platform, CL_PLATFORM_NAME, object, "name");
	platform_text(loader, platform, CL_PLATFORM_VENDOR, object, "vendor");
	platform_text(loader, platform, CL_PLATFORM_VERSION, object, "version");
	if (loader->devices(platform, CL_DEVICE_TYPE_ALL, DEVICES_MAX, devices, &count) != CL_SUCCESS)
		count = 0;
	for (cl_uint i = 0; i < count && i < DEVICES_MAX; i++)
		json_object_array_add(list, device_describe(loader, devices[i]));
	json_object_object_add(object, "devices", list);
	return object;
}

static const char *field(struct json_object *object, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(object, key, &value) ? json_object_get_string(value) : "";
}

static void device_print(uint32_t p, uint32_t d, struct json_object *device)
{
	char memory[16];

	printf("%2u.%-2u %-11s %-44.44s %5s %6s %8s  %s, driver %s\n", p, d, field(device, "type"),
	       field(device, "name"), field(device, "compute_units"), field(device, "clock_mhz"),
	       pl_tool_size_text(strtoull(field(device, "memory_bytes"), NULL, 10), memory, sizeof(memory)),
	       field(device, "version"), field(device, "driver"));
}

static void list_print(struct json_object *platforms)
{
	struct json_object *devices;

	for (size_t p = 0; p < json_object_array_length(platforms); p++) {
		struct json_object *platform = json_object_array_get_idx(platforms, p);

		printf("%zu: %s (%s), %s\n", p, field(platform, "name"), field(platform, "vendor"),
		       field(platform, "version"));
		json_object_object_get_ex(platform, "devices", &devices);
		if (json_object_array_length(devices))
			printf("      %-11s %-44s %5s %6s %8s\n", "TYPE", "NAME", "UNITS", "MHZ", "MEMORY");
		for (size_t d = 0; d < json_object_array_length(devices); d++)
			device_print((uint32_t)p, (uint32_t)d, json_object_array_get_idx(devices, d));
	}
}

static void cuda_print(struct json_object *devices)
{
	char memory[16];

	if (!json_object_array_length(devices))
		return;
	printf("CUDA:\n      %-11s %-44s %5s %6s %8s\n", "COMPUTE", "NAME", "UNITS", "MHZ", "MEMORY");
	for (size_t i = 0; i < json_object_array_length(devices); i++) {
		struct json_object *device = json_object_array_get_idx(devices, i);

		printf("%5zu %-11s %-44.44s %5s %6s %8s  %s, %s\n", i, field(device, "compute"), field(device, "name"),
		       field(device, "compute_units"), field(device, "clock_mhz"),
		       pl_tool_size_text(strtoull(field(device, "memory_bytes"), NULL, 10), memory, sizeof(memory)),
		       field(device, "bus"), field(device, "uuid"));
	}
}

/* The platforms that the loader finds; a machine for CUDA programs may have no loader. */
static struct json_object *platforms_list(void)
{
	struct json_object *list = json_object_new_array();
	cl_platform_id platforms[PLATFORMS_MAX];
	struct loader loader;
	cl_uint count = 0;
	cl_int r;

	if (!loader_open(&loader)) {
		fprintf(stderr,
			"plenum devices: no OpenCL loader (apt install ocl-icd-libopencl1): CUDA devices only\n");
		return list;
	}
	r = loader.platforms(PLATFORMS_MAX, platforms, &count);
	if (r != CL_SUCCESS && r != CL_PLATFORM_NOT_FOUND_KHR)
		fprintf(stderr, "plenum devices: clGetPlatformIDs gives error %d\n", (int)r);
	for (cl_uint i = 0; r == CL_SUCCESS && i < count && i < PLATFORMS_MAX; i++)
		json_object_array_add(list, platform_describe(&loader, platforms[i]));
	return list;
}

int pl_cmd_devices(int argc, char **argv)
{
	static const struct argp argp = { options, option_parse, NULL, "List the devices that programs see.",
					  NULL,    NULL,         NULL };
	struct arguments arguments = { 0 };
	struct json_object *answer, *list, *cuda;
	int status;

	pl_tool_parse(&argp, argc, argv, 0, &arguments);
	if (!arguments.native && pl_tool_env_set(&arguments.servers, arguments.keep_local) < 0)
		return 1;
	list = platforms_list();
	cuda = pl_tool_cuda_devices(arguments.native);
	status = json_object_array_length(list) || json_object_array_length(cuda) ? 0 : 1;
	answer = json_object_new_object();
	json_object_object_add(answer, "platforms", list);
	json_object_object_add(answer, "cuda", cuda);
	if (arguments.json)
		printf("%s\n", json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PRETTY |
									      JSON_C_TO_STRING_NOSLASHESCAPE));
	else if (status)
		fprintf(stderr, "plenum devices: no device; `plenum doctor' says why\n");
	else {
		list_print(list);
		cuda_print(cuda);
	}
	json_object_put(answer);
	return status;
}
