/* A copy of lines and slices as it travels, and what of it is in the program's memory. */
#ifndef PL_CLIENT_CUDA_COPY_SHAPE_H
#define PL_CLIENT_CUDA_COPY_SHAPE_H

#include "client/cuda/lines.h"
#include "client/cuda/state.h"

struct pl_cuda_copy_shape {
	struct pl_cuda_copy3d_record record; /* an end in the program's memory travels packed */
	bool from_host, to_host;
	bool is_reached; /* an end is the program's and a device's at one time: it is told as a device's */
	struct pl_cuda_lines from, to; /* where they are; of ends in the program's memory */
	uint64_t bytes;
};

/* What the API's structure says; no extent is 0.  Return: success, or what is wrong with it. */
CUresult pl_cuda_copy_shape_of(struct pl_cuda_copy_shape *shape, const struct pl_session *session,
			       const CUDA_MEMCPY3D_PEER *copy);

/* Where a device reaches memory of the program's; 0: none does, or it is another session's. */
CUdeviceptr pl_cuda_reached_at(const struct pl_session *session, const void *host);

#endif
