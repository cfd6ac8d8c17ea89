/*
 * Functions of the host in a stream's order.  One thread of the driver calls them all, each when the work before it is
 * done; the work behind it waits until it has returned.  They must not call the driver, as with CUDA.  Turns are the
 * driver's own and may: they are called again when what they have given is done, and have threads of their own, one for
 * each level, as who gives work may have to wait until turns of a lower level are taken.
 */
#ifndef PL_REFGPU_DRIVER_HOSTFN_H
#define PL_REFGPU_DRIVER_HOSTFN_H

#include "refgpu/driver/stream.h"

#define PL_CU_TURN_LEVELS 8u

struct pl_cu_hostfn {
	CUhostFn fn;               /* or */
	CUstreamCallback callback; /* or */
	/* Return: call it again, once *line (a reference, given away) has come to *value.  `error`: the context's. */
	bool (*turn)(void *user, CUresult error, struct pl_cu_line **line, uint64_t *value);
	uint32_t level;  /* of a turn, below PL_CU_TURN_LEVELS */
	CUstream stream; /* what `callback` is told: the handle that the application gave */
	void *user;
};

/* Waits until none of the context is left; its work is done or it has failed. */
void pl_cu_hostfn_drain(const struct pl_cu_ctx *ctx);
CUresult pl_cu_hostfn_run(struct pl_cu_stream *stream, const struct pl_cu_hostfn *hostfn);

#endif
