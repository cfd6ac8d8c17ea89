/*
 * Numbers of the OpenCL wire that are neither OpenCL's own nor made from spec/opencl.api.  Values are never reused.
 */
#ifndef PL_WIRE_OPENCL_H
#define PL_WIRE_OPENCL_H

#include <stdint.h>

/* What a kernel argument's value is: `kind` of clSetKernelArg and of the arguments that travel with a launch. */
enum pl_cl_arg_kind {
	PL_CL_ARG_BYTES = 0, /* `value` holds `size` bytes */
	PL_CL_ARG_NULL = 1,  /* no value: `size` bytes of local memory, or a NULL memory object (size = a pointer's) */
	PL_CL_ARG_MEM = 2,   /* `id` of a memory object; 0 = an invalid one was given */
	PL_CL_ARG_SAMPLER = 3, /* `id` */
	PL_CL_ARG_QUEUE = 4,   /* `id` */
	PL_CL_ARG_SVM = 5,     /* `id` is an address of shared virtual memory; clSetKernelArgSVMPointer */
};

/* What a kernel's parameter wants: plProgramKernels. */
enum pl_cl_param_kind {
	PL_CL_PARAM_UNKNOWN = 0, /* the driver does not say: the client asks before it believes */
	PL_CL_PARAM_VALUE = 1,
	PL_CL_PARAM_MEM = 2,
	PL_CL_PARAM_SAMPLER = 3,
	PL_CL_PARAM_QUEUE = 4,
	PL_CL_PARAM_LOCAL = 5,
	PL_CL_PARAM_IMAGE = 6,
	PL_CL_PARAM_PIPE = 7,
};

/* `notify` of clCreateContext and clCreateContextFromType: which of the two pointers the caller gave. */
enum pl_cl_notify {
	PL_CL_NOTIFY_FUNCTION = 1,
	PL_CL_NOTIFY_DATA = 2,
};

/* `given` of clEnqueueNDRangeKernel and clGetKernelSuggestedLocalWorkSizeKHR: which pointers were not NULL. */
enum pl_cl_given {
	PL_CL_GIVEN_OFFSET = 1,
	PL_CL_GIVEN_GLOBAL = 2,
	PL_CL_GIVEN_LOCAL = 4,
};

/* `has_host_ptr` of clCreateBuffer besides 0 and 1: `store` is the address of shared virtual memory. */
#define PL_CL_HOST_PTR_SVM 2

/* `given` of clEnqueueSVMMemcpy. */
enum pl_cl_svm_given {
	PL_CL_SVM_GIVEN_DST = 1,
	PL_CL_SVM_GIVEN_SRC = 2,
	PL_CL_SVM_HOST_DST = 4, /* the destination is the client's own memory */
	PL_CL_SVM_HOST_SRC = 8,
};

/* `blocking` of clEnqueueReadBuffer and clEnqueueWriteBuffer besides 0 and 1: nothing of the queue is under way and no
 * event is wanted, so the buffer's storage may be used without asking the driver. */
#define PL_CL_BLOCKING_IDLE 2

/* In a wait list: an event that completed in the client, of which the server never heard; it is left out. */
#define PL_CL_EVENT_DONE UINT64_MAX

#endif
