#include "backend/opencl/backend.h"

#include <dlfcn.h>
#include <stdlib.h>

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

/* Functions that a driver may leave out of its table: the loader would jump to address 0. */
#define OPTIONAL(each)                                                                                                    \
	each(clSetCommandQueueProperty) each(clCreateImage2D) each(clCreateImage3D) each(clUnloadCompiler)                 \
	each(clEnqueueTask) each(clEnqueueMarker) each(clEnqueueWaitForEvents) each(clEnqueueBarrier)                      \
	each(clCreateSubBuffer) each(clCreateUserEvent) each(clSetUserEventStatus) each(clEnqueueReadBufferRect)           \
	each(clEnqueueWriteBufferRect) each(clEnqueueCopyBufferRect) each(clCreateSubDevices) each(clCreateImage)          \
	each(clCreateProgramWithBuiltInKernels) each(clCompileProgram) each(clLinkProgram)                                 \
	each(clUnloadPlatformCompiler) each(clGetKernelArgInfo) each(clEnqueueFillBuffer) each(clEnqueueFillImage)         \
	each(clEnqueueMigrateMemObjects) each(clEnqueueMarkerWithWaitList) each(clEnqueueBarrierWithWaitList)              \
	each(clCreateCommandQueueWithProperties) each(clCreatePipe) each(clGetPipeInfo) each(clSVMAlloc)                   \
	each(clSVMFree) each(clEnqueueSVMMemcpy) each(clEnqueueSVMMemFill) each(clEnqueueSVMMap)                           \
	each(clEnqueueSVMUnmap) each(clCreateSamplerWithProperties) each(clSetKernelArgSVMPointer)                         \
	each(clSetKernelExecInfo) each(clCloneKernel) each(clCreateProgramWithIL) each(clEnqueueSVMMigrateMem)             \
	each(clGetDeviceAndHostTimer) each(clGetHostTimer) each(clGetKernelSubGroupInfo)                                   \
	each(clSetDefaultDeviceCommandQueue) each(clSetProgramSpecializationConstant)                                      \
	each(clCreateBufferWithProperties) each(clCreateImageWithProperties) each(clSetContextDestructorCallback)          \
	each(clEnqueueCopyImage) each(clEnqueueCopyImageToBuffer) each(clEnqueueCopyBufferToImage)

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
#define KEEP(function)                                                                                                    \
	do {                                                                                                               \
		bool found = false;                                                                                        \
		for (uint32_t i = 0; i < host->platforms_count; i++)                                                       \
			found |= table[i]->function != NULL;                                                               \
		if (!found)                                                                                                \
			pl_cl.function = NULL;                                                                             \
	} while (0);
	OPTIONAL(KEEP)
#undef KEEP
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
	.api_hash = PL_CL_API_HASH,
	.status_internal = CL_OUT_OF_RESOURCES,
	.open = backend_open,
	.session = backend_session,
	.call = pl_cl_serve_call,
	.op_name = pl_cl_op_name,
};
