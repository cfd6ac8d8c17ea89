/*
 * Functions of the host in a stream's order.  One thread of the driver calls them all, each when the work before it is
 * done; the work behind it waits until it has returned.  They must not call the driver, as with CUDA.
 */
#ifndef PL_REFGPU_DRIVER_HOSTFN_H
#define PL_REFGPU_DRIVER_HOSTFN_H

#include "refgpu/driver/stream.h"

struct pl_cu_hostfn {
	CUhostFn fn; /* or */
	CUstreamCallback callback;
	CUstream stream; /* what `callback` is told: the handle that the application gave */
	void *user;
};

/* Waits until none of the context is left; its work is done or it has failed. */
void pl_cu_hostfn_drain(const struct pl_cu_ctx *ctx);
CUresult pl_cu_hostfn_run(struct pl_cu_stream *stream, const struct pl_cu_hostfn *hostfn);

#endif
