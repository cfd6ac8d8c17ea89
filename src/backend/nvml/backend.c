#include "backend/nvml/backend.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "backend/nvml/state.h"
#include "base/err.h"
#include "nvml/result.h"

#define LIBRARY "libnvidia-ml.so.1"

static void *find(void *library, const char *symbol)
{
	return dlsym(library, symbol);
}

static int library_load(const char *name)
{
	void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
	nvmlReturn_t r;

	if (!library) {
		pl_log_error("%s", dlerror());
		return pl_err(-ENOENT);
	}
	pl_nvml_driver_load(&pl_nvml, find, library);
	if (!pl_nvml.nvmlInit_v2 || !pl_nvml.nvmlDeviceGetCount_v2 || !pl_nvml.nvmlDeviceGetHandleByIndex_v2) {
		pl_log_error("%s is no NVML, or one of before 2011", name);
		return pl_err(-ELIBBAD);
	}
	r = pl_nvml.nvmlInit_v2();
	if (r) {
		pl_log_error("%s does not start: %s (%d)", name, pl_nvml_result_text(r), (int)r);
		return pl_err(-ENODEV);
	}
	return 0;
}

/* The ids of devices that have an index are index + 1: a client that opens its session anew keeps them. */
static int devices_find(struct pl_nvml_state *state)
{
	unsigned int count = 0;
	nvmlReturn_t r = pl_nvml.nvmlDeviceGetCount_v2(&count);

	if (r || count > PL_NVML_DEVICES_MAX) {
		pl_log_error("%u devices: %s", count, pl_nvml_result_text(r));
		return pl_err(-ENODEV);
	}
	for (unsigned int i = 0; i < count; i++) {
		nvmlDevice_t device = NULL;

		r = pl_nvml.nvmlDeviceGetHandleByIndex_v2(i, &device);
		if (r)
			pl_log_warn("device %u can not be used: %s", i, pl_nvml_result_text(r));
		state->devices[i] = device;
	}
	state->devices_count = count;
	return 0;
}

static int nvml_open(void **state_out, const char *library)
{
	struct pl_nvml_state *state = calloc(1, sizeof(*state));
	int r;

	if (!state)
		return pl_err(-ENOMEM);
	pthread_mutex_init(&state->lock, NULL);
	r = library_load(library ? library : LIBRARY);
	if (!r)
		r = devices_find(state);
	if (r) {
		free(state);
		return pl_trace(r);
	}
	*state_out = state;
	return 0;
}

static int nvml_session(void *state, struct pl_session_worker *session)
{
	session->api = state;
	return 0;
}

const struct pl_backend_ops pl_backend_nvml = {
	.name = "NVML",
	.api = PL_API_NVML,
	.functions = &pl_nvml_functions,
	.status_internal = NVML_ERROR_UNKNOWN,
	.open = nvml_open,
	.session = nvml_session,
	.call = pl_nvml_serve_call,
	.op_name = pl_nvml_op_name,
};
