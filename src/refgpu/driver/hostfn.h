/*
 * Functions of the host in a stream's order.  One thread of the driver calls them all, each when the work before it is
 * done; the work behind it waits until it has returned.  They must not call the driver, as with CUDA; a turn is the
 * driver's own and may, as long as it does not wait: it is called again when what it has given is done.
 */
#ifndef PL_REFGPU_DRIVER_HOSTFN_H
#define PL_REFGPU_DRIVER_HOSTFN_H

#include "refgpu/driver/stream.h"

struct pl_cu_hostfn {
	CUhostFn fn;               /* or */
	CUstreamCallback callback; /* or */
	/* Return: call it again, once *line (a reference, given away) has come to *value.  `error`: the context's. */
	bool (*turn)(void *user, CUresult error, struct pl_cu_line **line, uint64_t *value);
	CUstream stream; /* what `callback` is told: the handle that the application gave */
	void *user;
};

/* Waits until none of the context is left; its work is done or it has failed. */
void pl_cu_hostfn_drain(const struct pl_cu_ctx *ctx);
CUresult pl_cu_hostfn_run(struct pl_cu_stream *stream, const struct pl_cu_hostfn *hostfn);

#endif
