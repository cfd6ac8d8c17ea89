/* Kernels: what their parameters want, and arguments that came from the client. */
#ifndef PL_BACKEND_OPENCL_KERNEL_H
#define PL_BACKEND_OPENCL_KERNEL_H

#include "backend/opencl/session.h"
#include "wire/opencl.h"

/* One parameter of a kernel. */
struct pl_cl_param {
	uint32_t address_qualifier, access_qualifier; /* the API's; 0 = not known */
	enum pl_cl_param_kind kind;
	uint64_t bytes; /* of a value; 0 = not known */
};

/* Asks the driver.  Return: it has the information. */
bool pl_cl_param_get(cl_kernel kernel, cl_uint index, struct pl_cl_param *param_out);

/** pl_cl_args_set() - a record of arguments (see clEnqueueNDRangeKernel in the spec) onto the driver's kernel
 * Under the turn.  Return: CL_SUCCESS, the driver's code for the argument that it refuses, or CL_INVALID_VALUE. */
int32_t pl_cl_args_set(struct pl_serve *serve, cl_kernel kernel, struct pl_cl_kernel_note *note, struct pl_bytes args);

#endif
