/* Copies and fills of up to three dimensions, between anything that has an address. */
#ifndef PL_REFGPU_DRIVER_COPY_H
#define PL_REFGPU_DRIVER_COPY_H

#include "refgpu/driver/stream.h"

struct pl_cu_side {
	uint64_t address; /* of the host where `pageable`, else of both */
	uint64_t pitch, slice;
	bool pageable; /* memory of the host that the device does not reach */
	bool device;   /* VRAM */
};

struct pl_cu_copy {
	struct pl_cu_side dst, src;
	uint64_t columns, lines, slices; /* columns: bytes */
};

struct pl_cu_fill {
	uint64_t address, pitch;
	uint64_t elements, lines;
	uint32_t value, bytes; /* 1, 2 or 4: of an element */
};

/* For a server: plRefgpuKnownOnly().  Set once, before there is anything. */
extern bool pl_cu_known_only;

/* What an address is, and whether all of its bytes are that; `host`: the application says that it is the host's.
 * CUDA_ERROR_INVALID_VALUE where a device address reaches nothing. */
CUresult pl_cu_side_find(struct pl_cu_side *side, uint64_t address, uint64_t bytes, bool host);

/* wait: a synchronous function; it waits where CUDA's do, which is where host memory takes part. */
CUresult pl_cu_copy_run(struct pl_cu_stream *stream, const struct pl_cu_copy *copy, bool wait);
CUresult pl_cu_fill_run(struct pl_cu_stream *stream, const struct pl_cu_fill *fill, bool wait);

/* A copy that one of the API's structures says; sides of no extent are not looked at. */
CUresult pl_cu_copy_resolve(struct pl_cu_copy *copy, const CUDA_MEMCPY3D *api);
/* By the calling thread, now. */
CUresult pl_cu_copy_host(const struct pl_cu_copy *copy);
/* Whether a fill is sound and the device reaches all of it. */
CUresult pl_cu_fill_check(const struct pl_cu_fill *fill);

/* One dimension, from address to address, whatever they are. */
CUresult pl_cu_copy_linear(CUstream stream, uint64_t dst, bool dst_host, uint64_t src, bool src_host, uint64_t bytes,
			   bool wait);

#endif
