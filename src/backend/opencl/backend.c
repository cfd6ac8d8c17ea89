#include "backend/opencl/backend.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "backend/opencl/context.h"
#include "backend/opencl/print.h"
#include "backend/opencl/push.h"
#include "backend/opencl/session.h"
#include "base/cleanup.h"
#include "base/err.h"

static void host_free(struct pl_cl_host *host)
{
	for (uint32_t i = 0; i < host->platforms_count; i++)
		free(host->platforms[i].devices);
	free(host);
}

/* Functions of extensions are reached through the platform only. */
static void extensions_load(const struct pl_cl_host *host)
{
	for (uint32_t i = 0; i < host->platforms_count && pl_cl.clGetExtensionFunctionAddressForPlatform; i++) {
		cl_platform_id platform = host->platforms[i].platform;

		if (!pl_cl.clGetKernelSuggestedLocalWorkSizeKHR)
			pl_cl.clGetKernelSuggestedLocalWorkSizeKHR = pl_cl.clGetExtensionFunctionAddressForPlatform(
				platform, "clGetKernelSuggestedLocalWorkSizeKHR");
		if (!pl_cl.clCreateCommandQueueWithPropertiesKHR)
			pl_cl.clCreateCommandQueueWithPropertiesKHR = pl_cl.clGetExtensionFunctionAddressForPlatform(
				platform, "clCreateCommandQueueWithPropertiesKHR");
	}
}

#define SLOT(function) { offsetof(struct pl_cl_driver, function), offsetof(struct _cl_icd_dispatch, function) }

/* Functions that a driver may leave out of its table: the loader would jump to address 0. */
/* clang-format off */
static const struct slot {
	size_t ours, driver;
} optional[] = {
	SLOT(clSetCommandQueueProperty), SLOT(clCreateImage2D), SLOT(clCreateImage3D), SLOT(clUnloadCompiler),
	SLOT(clEnqueueTask), SLOT(clEnqueueMarker), SLOT(clEnqueueWaitForEvents), SLOT(clEnqueueBarrier),
	SLOT(clCreateSubBuffer), SLOT(clCreateUserEvent), SLOT(clSetUserEventStatus),
	SLOT(clEnqueueReadBufferRect), SLOT(clEnqueueWriteBufferRect), SLOT(clEnqueueCopyBufferRect),
	SLOT(clCreateSubDevices), SLOT(clCreateImage), SLOT(clCreateProgramWithBuiltInKernels),
	SLOT(clCompileProgram), SLOT(clLinkProgram), SLOT(clUnloadPlatformCompiler), SLOT(clGetKernelArgInfo),
	SLOT(clEnqueueFillBuffer), SLOT(clEnqueueFillImage), SLOT(clEnqueueMigrateMemObjects),
	SLOT(clEnqueueMarkerWithWaitList), SLOT(clEnqueueBarrierWithWaitList),
	SLOT(clCreateCommandQueueWithProperties), SLOT(clCreatePipe), SLOT(clGetPipeInfo), SLOT(clSVMAlloc),
	SLOT(clSVMFree), SLOT(clEnqueueSVMFree), SLOT(clEnqueueSVMMemcpy), SLOT(clEnqueueSVMMemFill),
	SLOT(clEnqueueSVMMap),
	SLOT(clEnqueueSVMUnmap), SLOT(clCreateSamplerWithProperties), SLOT(clSetKernelArgSVMPointer),
	SLOT(clSetKernelExecInfo), SLOT(clCloneKernel), SLOT(clCreateProgramWithIL), SLOT(clEnqueueSVMMigrateMem),
	SLOT(clGetDeviceAndHostTimer), SLOT(clGetHostTimer), SLOT(clGetKernelSubGroupInfo),
	SLOT(clSetDefaultDeviceCommandQueue), SLOT(clSetProgramSpecializationConstant),
	SLOT(clCreateBufferWithProperties), SLOT(clCreateImageWithProperties),
	SLOT(clSetContextDestructorCallback), SLOT(clEnqueueCopyImage), SLOT(clEnqueueCopyImageToBuffer),
	SLOT(clEnqueueCopyBufferToImage),
};
/* clang-format on */

/* The table behind the platform's handle, where the driver says that there is one (cl_khr_icd). */
static const struct _cl_icd_dispatch *dispatch_of(cl_platform_id platform)
{
	char suffix[PL_CL_NAME_MAX];

	if (pl_cl.clGetPlatformInfo(platform, CL_PLATFORM_ICD_SUFFIX_KHR, sizeof(suffix), suffix, NULL))
		return NULL;
	return *(const struct _cl_icd_dispatch *const *)platform;
}

/* Forgets what no driver here has. */
static void functions_check(const struct pl_cl_host *host)
{
	const struct _cl_icd_dispatch *table[PL_CL_PLATFORMS_MAX];

	if (!host->platforms_count)
		return;
	for (uint32_t i = 0; i < host->platforms_count; i++) {
		table[i] = dispatch_of(host->platforms[i].platform);
		if (!table[i])
			return;
	}
	for (uint32_t k = 0; k < sizeof(optional) / sizeof(optional[0]); k++) {
		bool found = false;

		for (uint32_t i = 0; i < host->platforms_count; i++) {
			void *function;

			memcpy(&function, (const char *)table[i] + optional[k].driver, sizeof(function));
			found |= function != NULL;
		}
		if (!found)
			memset((char *)&pl_cl + optional[k].ours, 0, sizeof(void *));
	}
}

/* The program's own OpenCL driver may stand among the system's: with PLENUM empty it has nothing to offer. */
static int backend_open(void **state_out, const char *library)
{
	struct pl_cl_host *host = calloc(1, sizeof(*host));
	int r;

	if (!host)
		return pl_err(-ENOMEM);
	setenv("PLENUM", "", 1);
	host->dl = dlopen(library ? library : PL_CL_LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!host->dl) {
		pl_log_error("OpenCL: %s", dlerror());
		free(host);
		return pl_err(-ENOENT);
	}
	r = pl_cl_driver_load(&pl_cl, host->dl);
	if (!r)
		r = pl_cl_host_init(host);
	if (r) {
		host_free(host);
		return pl_trace(r);
	}
	functions_check(host);
	extensions_load(host);
	pl_cl_host_try(host);
	*state_out = host;
	return 0;
}

static int backend_session(void *state, struct pl_session_worker *worker)
{
	struct pl_cl_session *session = calloc(1, sizeof(*session));
	int r;

	if (!session)
		return pl_err(-ENOMEM);
	session->worker = worker;
	session->host = state;
	pthread_mutex_init(&session->reads.lock, NULL);
	pthread_mutex_init(&session->svm.lock, NULL);
	pthread_mutex_init(&session->svm.freed_lock, NULL);
	session->reads.last = &session->reads.first;
	worker->api = session; /* lives as long as the process: threads and drivers' callbacks have it */
	r = pl_cl_host_enter(session);
	if (!r)
		r = pl_cl_push_start(session);
	if (!r)
		r = pl_cl_print_start(session);
	return pl_trace(r);
}

const struct pl_backend_ops pl_backend_opencl = {
	.name = "opencl",
	.api = PL_API_OPENCL,
	.functions = &pl_cl_functions,
	.status_internal = CL_OUT_OF_RESOURCES,
	.open = backend_open,
	.session = backend_session,
	.call = pl_cl_serve_call,
	.op_name = pl_cl_op_name,
};
