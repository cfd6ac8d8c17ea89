/* The linker of device code, as the client knows one: where its logs go, and what it made. */
#ifndef PL_CLIENT_CUDA_LINK_H
#define PL_CLIENT_CUDA_LINK_H

#include "client/cuda/state.h"

struct pl_cuda_link {
	struct pl_cuda_object object;
	char *info, *error; /* the program's buffers; NULL: not wanted */
	uint64_t info_bytes, error_bytes;
	void *cubin; /* owned */
};

void pl_cuda_link_fini(struct pl_cuda_link *link);

#endif
