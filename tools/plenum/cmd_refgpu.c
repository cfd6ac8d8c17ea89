/* plenum refgpu: programs on the reference GPU, and what it is. */
#include <dlfcn.h>
#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cuda/api.h"
#include "plenum/refgpu.h"
#include "plenum/tool.h"

#define LIBRARY "libcuda.so.1"

enum { OPTION_ERROR_STATUS = 256 };

static const struct argp_option options[] = {
	{ "json", 'j', NULL, 0, "info, check: for scripts", 0 },
	{ "tool", 't', "LIST", 0,
	  "check: memcheck, racecheck, synccheck, initcheck, globalinit, leakcheck; default: all but globalinit", 0 },
	{ "error-exitcode", OPTION_ERROR_STATUS, "N", 0, "check: the exit status where something is found", 0 },
	{ "output", 'o', "FILE", 0, "check: where the report goes", 0 },
	{ "kernel", 'k', "NAME", 0, "disasm: this function alone", 0 },
	{ 0 },
};

static error_t option_parse(int key, char *text, struct argp_state *state)
{
	struct refgpu_arguments *arguments = state->input;
	static char *file[2];

	switch (key) {
	case 'j':
		arguments->json = true;
		return 0;
	case 't':
		arguments->tools = text;
		return 0;
	case 'o':
		arguments->output = text;
		return 0;
	case 'k':
		arguments->kernel = text;
		return 0;
	case OPTION_ERROR_STATUS:
		arguments->error_status = (int)pl_tool_number(state, "error-exitcode", text, 0, 255);
		return 0;
	case ARGP_KEY_ARG:
		if (arguments->verb && !strcmp(arguments->verb, "disasm") && !arguments->program) {
			file[0] = text;
			arguments->program = file;
			return 0;
		}
		if (arguments->verb)
			return ARGP_ERR_UNKNOWN;
		arguments->verb = text;
		return 0;
	case ARGP_KEY_ARGS:
		if (!strcmp(arguments->verb, "disasm"))
			argp_error(state, "disasm takes one file");
		arguments->program = &state->argv[state->next];
		state->next = state->argc;
		return 0;
	case ARGP_KEY_END:
		if (!arguments->verb)
			argp_error(state, "run, check, disasm, info or stats: say which");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

bool refgpu_path_set(const char *folder)
{
	const char *old = getenv("LD_LIBRARY_PATH");
	char path[PATH_MAX + 8192];

	snprintf(path, sizeof(path), "%s%s%s", folder, old && *old ? ":" : "", old && *old ? old : "");
	if (!setenv("LD_LIBRARY_PATH", path, 1))
		return true;
	fprintf(stderr, "plenum refgpu: LD_LIBRARY_PATH: %s\n", strerror(errno));
	return false;
}

/* LD_LIBRARY_PATH, and nothing else. */
static int run(const struct refgpu_arguments *arguments, const char *folder)
{
	if (!arguments->program || !*arguments->program) {
		fprintf(stderr, "plenum refgpu %s: no program; try `plenum refgpu %s -- PROGRAM'\n", arguments->verb,
			arguments->verb);
		return 2;
	}
	if (!refgpu_path_set(folder))
		return 1;
	return pl_tool_exec(arguments->program);
}

static int stats(const struct refgpu_arguments *arguments, const char *folder)
{
	setenv("PLENUM_REFGPU_STATS", "-", 1);
	return run(arguments, folder);
}

/* -- info ------------------------------------------------------------------------------------------------------------
 */

struct driver {
	CUresult (*init)(unsigned int flags);
	CUresult (*version)(int *version);
	CUresult (*name)(char *name, int len, CUdevice device);
	CUresult (*memory)(size_t *bytes, CUdevice device);
	CUresult (*attribute)(int *value, CUdevice_attribute attribute, CUdevice device);
};

static bool driver_open(struct driver *driver, const char *folder)
{
	char path[PATH_MAX + sizeof(LIBRARY) + 1];
	void *library;

	snprintf(path, sizeof(path), "%s/" LIBRARY, folder);
	library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!library) {
		fprintf(stderr, "plenum refgpu: %s\n", dlerror());
		return false;
	}
	*(void **)&driver->init = dlsym(library, "cuInit");
	*(void **)&driver->version = dlsym(library, "cuDriverGetVersion");
	*(void **)&driver->name = dlsym(library, "cuDeviceGetName");
	*(void **)&driver->memory = dlsym(library, "cuDeviceTotalMem_v2");
	*(void **)&driver->attribute = dlsym(library, "cuDeviceGetAttribute");
	if (!driver->init || !driver->version || !driver->name || !driver->memory || !driver->attribute ||
	    driver->init(0)) {
		fprintf(stderr, "plenum refgpu: %s does not start\n", path);
		return false;
	}
	return true;
}

static const struct {
	const char *name;
	CUdevice_attribute attribute;
} rows[] = {
	{ "multiprocessors", CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT },
	{ "compute-major", CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR },
	{ "compute-minor", CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR },
	{ "threads-per-block", CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK },
	{ "threads-per-multiprocessor", CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR },
	{ "shared-bytes-per-block", CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN },
	{ "copy-engines", CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT },
	{ "watchdog", CU_DEVICE_ATTRIBUTE_KERNEL_EXEC_TIMEOUT },
};

static int info(const struct refgpu_arguments *arguments, const char *folder)
{
	struct json_object *answer = json_object_new_object();
	struct driver driver;
	char name[256] = "", size[16];
	size_t bytes = 0;
	int version = 0, value = 0;

	if (!answer || !driver_open(&driver, folder)) {
		json_object_put(answer);
		return 1;
	}
	driver.version(&version);
	driver.name(name, sizeof(name), 0);
	driver.memory(&bytes, 0);
	json_object_object_add(answer, "library", json_object_new_string(folder));
	json_object_object_add(answer, "name", json_object_new_string(name));
	json_object_object_add(answer, "cuda", json_object_new_int(version));
	json_object_object_add(answer, "memory-bytes", json_object_new_int64((int64_t)bytes));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		driver.attribute(&value, rows[i].attribute, 0);
		json_object_object_add(answer, rows[i].name, json_object_new_int(value));
	}
	if (arguments->json) {
		puts(json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PLAIN));
		json_object_put(answer);
		return 0;
	}
	printf("%s, CUDA %d.%d, %s of memory\n", name, version / 1000, version % 1000 / 10,
	       pl_tool_size_text(bytes, size, sizeof(size)));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		driver.attribute(&value, rows[i].attribute, 0);
		printf("  %-28s %d\n", rows[i].name, value);
	}
	printf("  %-28s %s\n", "library", folder);
	json_object_put(answer);
	return 0;
}

int pl_cmd_refgpu(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = option_parse,
		.args_doc = "run -- PROGRAM [ARGUMENT...]\ncheck -- PROGRAM [ARGUMENT...]\ndisasm FILE\ninfo\n"
			    "stats -- PROGRAM [ARGUMENT...]",
		.doc = "Run CUDA programs on the reference GPU, which needs no hardware.\v"
		       "run sets LD_LIBRARY_PATH and starts the program; check also watches what its kernels do; "
		       "disasm "
		       "shows what the kernels of a program, a fatbin or a PTX text are compiled to; info says what "
		       "the device is; stats also prints its counters when the program ends.",
	};
	static const struct {
		const char *name;
		int (*run)(const struct refgpu_arguments *arguments, const char *folder);
	} verbs[] = { { "run", run }, { "check", refgpu_check }, { "info", info }, { "stats", stats } };
	struct refgpu_arguments arguments = { .error_status = -1 };
	char folder[PATH_MAX];

	pl_tool_parse(&argp, argc, argv, ARGP_IN_ORDER, &arguments);
	if (!strcmp(arguments.verb, "disasm"))
		return refgpu_disasm(&arguments);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(verbs[i].name, arguments.verb))
			continue;
		if (!pl_tool_refgpu_find(folder)) {
			fprintf(stderr, "plenum refgpu: %s is not found; set PLENUM_REFGPU_DIR to its folder\n",
				LIBRARY);
			return 1;
		}
		return verbs[i].run(&arguments, folder);
	}
	fprintf(stderr, "plenum refgpu: no verb `%s'; there are run, check, disasm, info and stats\n", arguments.verb);
	return 2;
}
