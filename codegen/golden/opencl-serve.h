/* Made by codegen/plgen.py from small.api; do not edit. */
/*
 * The server's side.  pl_cl_serve_call() decodes, charges and dispatches one call; each handler pl_cl_serve_F() that is
 * declared here is written by hand in src/backend/opencl.  A handler sees whole, checked arguments, which are borrowed
 * until it returns, and holds the turn until it gives it up.
 */
#ifndef PL_OPENCL_SERVE_H
#define PL_OPENCL_SERVE_H

#ifndef CL_TARGET_OPENCL_VERSION
#define CL_TARGET_OPENCL_VERSION 300
#endif
#ifndef CL_USE_DEPRECATED_OPENCL_1_0_APIS
#define CL_USE_DEPRECATED_OPENCL_1_0_APIS
#endif
#ifndef CL_USE_DEPRECATED_OPENCL_1_1_APIS
#define CL_USE_DEPRECATED_OPENCL_1_1_APIS
#endif
#ifndef CL_USE_DEPRECATED_OPENCL_1_2_APIS
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#endif
#ifndef CL_USE_DEPRECATED_OPENCL_2_0_APIS
#define CL_USE_DEPRECATED_OPENCL_2_0_APIS
#endif
#ifndef CL_USE_DEPRECATED_OPENCL_2_1_APIS
#define CL_USE_DEPRECATED_OPENCL_2_1_APIS
#endif
#ifndef CL_USE_DEPRECATED_OPENCL_2_2_APIS
#define CL_USE_DEPRECATED_OPENCL_2_2_APIS
#endif
#include <CL/cl.h>
#include <CL/cl_ext.h>
#include <CL/cl_icd.h>

#include <stdbool.h>
#include <stdint.h>

#include "opencl-wire.h"
#include "server/serve.h"

/* The driver's functions; NULL where it lacks one. */
struct pl_cl_driver {
	cl_api_clGetPlatformIDs clGetPlatformIDs;
	cl_api_clGetCommandQueueInfo clGetCommandQueueInfo;
	cl_api_clRetainMemObject clRetainMemObject;
	cl_api_clReleaseMemObject clReleaseMemObject;
	cl_api_clCreateBuffer clCreateBuffer;
	cl_api_clEnqueueReadBuffer clEnqueueReadBuffer;
	cl_api_clEnqueueFillBuffer clEnqueueFillBuffer;
	cl_api_clEnqueueFillImage clEnqueueFillImage;
	cl_api_clEnqueueWaitForEvents clEnqueueWaitForEvents;
	cl_api_clCreateImage2D clCreateImage2D;
	cl_api_clSetDefaultDeviceCommandQueue clSetDefaultDeviceCommandQueue;
	cl_api_clGetExtensionFunctionAddress clGetExtensionFunctionAddress;
	clCreateCommandQueueWithPropertiesKHR_fn clCreateCommandQueueWithPropertiesKHR;
};
extern struct pl_cl_driver pl_cl; /* written once, by pl_cl_driver_load() before the first call */

/** pl_cl_driver_load() - fill the table from an opened libOpenCL
 * Return: 0; -ENOENT: it lacks a function of OpenCL 1.0. */
int pl_cl_driver_load(struct pl_cl_driver *driver, void *dl);

/* pl_backend_ops.call */
void pl_cl_serve_call(struct pl_serve *serve);

/* A handler whose call is charged host or inflight bytes: they stay charged after it has returned, and whoever ends the
 * work gives them back with pl_quota_return().  Call it on the handler's thread before it returns. */
void pl_cl_charge_keep(void);

/* ---- helpers, by hand ---- */

/* The driver's handle of an id.  id 0: NULL, and true.  false: *status_out is the code to answer with
 * (no such object of this kind, or one whose creation failed). */
bool pl_cl_take(struct pl_serve *serve, uint64_t id, enum pl_cl_object_kind kind, void **object_out,
		int32_t *status_out);
/* The same for a list: objects_out has room for ids.count. */
bool pl_cl_take_list(struct pl_serve *serve, struct pl_u64s ids, enum pl_cl_object_kind kind, void **objects_out,
		     int32_t *status_out);
/* Enters a new object, charging it; object NULL = its creation failed with `status`, later uses answer with that. */
void pl_cl_put(struct pl_serve *serve, uint64_t id, enum pl_cl_object_kind kind, void *object, int32_t status);
/* The same for the event of a command. */
void pl_cl_put_event(struct pl_serve *serve, uint64_t id, cl_event event, int32_t status);
/* Answers an ask; for a post, keeps a failure as the late error of the queue (queue_id 0 = of none). */
void pl_cl_result(struct pl_serve *serve, int32_t status, uint64_t queue_id);

/* ---- handlers, by hand ---- */

void pl_cl_serve_clGetPlatformIDs(struct pl_serve *serve,
				  const struct pl_cl_clGetPlatformIDs_args *args);
/* also for clCreateImage2D (serve->head->op says which) */
void pl_cl_serve_clCreateBuffer(struct pl_serve *serve,
				const struct pl_cl_clCreateBuffer_args *args);
void pl_cl_serve_clEnqueueReadBuffer(struct pl_serve *serve,
				     const struct pl_cl_clEnqueueReadBuffer_args *args);
void pl_cl_serve_clEnqueueWaitForEvents(struct pl_serve *serve,
					const struct pl_cl_clEnqueueWaitForEvents_args *args);
void pl_cl_serve_plRelease(struct pl_serve *serve, const struct pl_cl_plRelease_args *args);
void pl_cl_serve_plInfo(struct pl_serve *serve, const struct pl_cl_plInfo_args *args);

#endif
