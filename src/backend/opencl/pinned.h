/*
 * Host memory that a device with memory of its own copies to and from directly: the driver's own, got by mapping a
 * buffer made with CL_MEM_ALLOC_HOST_PTR.  Commands that do not block are asynchronous only with such memory; with
 * other memory drivers pin pages for each of them or copy in the call.  Devices that are the host's own processors have
 * no use for it. One piece is kept for the next transfer.  Any thread.
 */
#ifndef PL_BACKEND_OPENCL_PINNED_H
#define PL_BACKEND_OPENCL_PINNED_H

#include <stdbool.h>
#include <stdint.h>

#include "backend/opencl/resolve.h"

struct pl_cl_pinned {
	uint8_t *at; /* NULL = none */
	cl_mem mem;
	cl_context context; /* held by mem */
};

/** pl_cl_pinned_take() - memory for one transfer on this queue, PL_CL_BLOCKS * PL_CL_BLOCK_BYTES; blocks when it has to
 * be made Return: false: the device has no use for it, or the driver has none: use ordinary memory. */
bool pl_cl_pinned_take(cl_command_queue queue, struct pl_cl_pinned *pinned_out);
/* No command uses it any more. */
void pl_cl_pinned_give(struct pl_cl_pinned *pinned);
/* The client lets go of the context: what is kept for it must not keep it alive. */
void pl_cl_pinned_forget(cl_context context);

#endif
