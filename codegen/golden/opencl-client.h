/* Made by codegen/plgen.py from small.api; do not edit. */
/*
 * The client's side of each function of the API, with the signature of CL/cl.h.  Those marked so are written by hand in
 * src/client/opencl; the others stand in opencl-client.c.
 */
#ifndef PL_OPENCL_CLIENT_H
#define PL_OPENCL_CLIENT_H

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
#include <stddef.h>

#include "opencl-info.h"
#include "opencl-wire.h"

/* For the ICD loader; the traced one reports each call to trace.h. */
extern const struct _cl_icd_dispatch pl_cl_dispatch_plain;
extern const struct _cl_icd_dispatch pl_cl_dispatch_traced;

/* Address of a function, extensions' included, for clGetExtensionFunctionAddress*(); NULL = there is none. */
void *pl_cl_function_find(const char *name, bool traced);

cl_int pl_cl_stub_clGetPlatformIDs(cl_uint num_entries, cl_platform_id *platforms,
				   cl_uint *num_platforms); /* by hand */
cl_int pl_cl_stub_clGetCommandQueueInfo(cl_command_queue command_queue,
					cl_command_queue_info param_name, size_t param_value_size,
					void *param_value, size_t *param_value_size_ret);
cl_int pl_cl_stub_clRetainMemObject(cl_mem memobj);
cl_int pl_cl_stub_clReleaseMemObject(cl_mem memobj);
cl_mem pl_cl_stub_clCreateBuffer(cl_command_queue queue, cl_mem_flags flags, size_t size,
				 void *host_ptr, cl_int *errcode_ret); /* by hand */
cl_int pl_cl_stub_clEnqueueReadBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking,
				      size_t size, void *ptr); /* by hand */
cl_int pl_cl_stub_clEnqueueFillBuffer(cl_command_queue queue, cl_mem buffer, const void *pattern,
				      size_t pattern_size, size_t offset, size_t size,
				      cl_uint num_waits, const cl_event *waits, cl_event *event);
cl_int pl_cl_stub_clEnqueueFillImage(cl_command_queue queue, cl_mem image, const void *fill_color,
				     const size_t *origin, const size_t *region, cl_uint num_waits,
				     const cl_event *waits, cl_event *event);
cl_int pl_cl_stub_clEnqueueWaitForEvents(cl_command_queue queue, cl_uint num_events,
					 const cl_event *events);
cl_mem pl_cl_stub_clCreateImage2D(cl_command_queue queue, cl_mem_flags flags, cl_int *errcode_ret); /* by hand */
cl_int pl_cl_stub_clSetDefaultDeviceCommandQueue(cl_context context, cl_device_id device,
						 cl_command_queue queue);
void *pl_cl_stub_clGetExtensionFunctionAddress(const char *func_name); /* by hand */
cl_command_queue pl_cl_stub_clCreateCommandQueueWithPropertiesKHR(
	cl_device_id device, const cl_queue_properties *properties, cl_int *errcode_ret); /* by hand */

#endif
