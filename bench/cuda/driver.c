/* SPDX-License-Identifier: Apache-2.0 */
/* libcuda.so.1, found as any program would find it, and a context on its first device. */
#include "driver.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

double pl_worker_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int pl_worker_fail(struct pl_worker *w, const char *what, int code)
{
	const char *name = NULL;

	if (w->cu.error_name && w->cu.error_name(code, &name))
		name = NULL;
	snprintf(w->error, sizeof(w->error), "%s: error %d (%s)", what, code, name ? name : "?");
	return -1;
}

static int functions_find(struct pl_worker *w)
{
	const struct {
		const char *name;
		void *to;
	} wanted[] = {
		{ "cuInit", &w->cu.init },
		{ "cuDriverGetVersion", &w->cu.version },
		{ "cuDeviceGet", &w->cu.device },
		{ "cuDeviceGetName", &w->cu.device_name },
		{ "cuDevicePrimaryCtxRetain", &w->cu.context_retain },
		{ "cuDevicePrimaryCtxRelease_v2", &w->cu.context_release },
		{ "cuCtxSetCurrent", &w->cu.context_set },
		{ "cuCtxSynchronize", &w->cu.context_sync },
		{ "cuModuleLoadData", &w->cu.module_load },
		{ "cuModuleUnload", &w->cu.module_unload },
		{ "cuModuleGetFunction", &w->cu.function },
		{ "cuMemAlloc_v2", &w->cu.alloc },
		{ "cuMemFree_v2", &w->cu.release },
		{ "cuMemAllocHost_v2", &w->cu.host_alloc },
		{ "cuMemFreeHost", &w->cu.host_release },
		{ "cuMemcpyHtoD_v2", &w->cu.to_device },
		{ "cuMemcpyDtoH_v2", &w->cu.to_host },
		{ "cuMemcpyHtoDAsync_v2", &w->cu.to_device_async },
		{ "cuMemcpyDtoHAsync_v2", &w->cu.to_host_async },
		{ "cuMemsetD32Async", &w->cu.fill_async },
		{ "cuLaunchKernel", &w->cu.launch },
		{ "cuStreamCreate", &w->cu.stream },
		{ "cuStreamDestroy_v2", &w->cu.stream_destroy },
		{ "cuStreamSynchronize", &w->cu.stream_sync },
		{ "cuStreamWaitEvent", &w->cu.stream_wait },
		{ "cuEventCreate", &w->cu.event },
		{ "cuEventDestroy_v2", &w->cu.event_destroy },
		{ "cuEventRecord", &w->cu.event_record },
		{ "cuGetErrorName", &w->cu.error_name },
	};

	w->library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
	if (!w->library) {
		snprintf(w->error, sizeof(w->error), "no CUDA driver: %.200s", dlerror());
		return -1;
	}
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		void *found = dlsym(w->library, wanted[i].name);

		if (!found) {
			snprintf(w->error, sizeof(w->error), "the CUDA driver has no %s", wanted[i].name);
			return -1;
		}
		memcpy(wanted[i].to, &found, sizeof(found));
	}
	return 0;
}

int pl_worker_open(struct pl_worker *w)
{
	int e;

	if (w->ready)
		return 0;
	if (!w->library && functions_find(w))
		return -1;
	e = w->cu.init(0);
	if (e)
		return pl_worker_fail(w, "cuInit", e);
	e = w->cu.device(&w->device, 0);
	if (e)
		return pl_worker_fail(w, "cuDeviceGet", e);
	e = w->cu.context_retain(&w->context, w->device);
	if (!e)
		e = w->cu.context_set(w->context);
	if (e)
		return pl_worker_fail(w, "cuDevicePrimaryCtxRetain", e);
	w->ready = true;
	return 0;
}

void pl_worker_close(struct pl_worker *w)
{
	if (w->context)
		w->cu.context_release(w->device);
	w->context = NULL;
	w->ready = false;
}

int pl_worker_info(struct pl_worker *w, char *device_out, size_t bytes, int *version_out)
{
	int e;

	if (pl_worker_open(w))
		return -1;
	e = w->cu.device_name(device_out, (int)bytes, w->device);
	if (!e)
		e = w->cu.version(version_out);
	return e ? pl_worker_fail(w, "cuDeviceGetName", e) : 0;
}
