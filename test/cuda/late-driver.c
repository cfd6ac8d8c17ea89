/* The reference GPU's driver, which takes its time until a long copy is in its stream, if nothing else is. */
#include <dlfcn.h>
#include <time.h>

#include "cuda-api.h"

#pragma GCC visibility push(default)

#define LONG_BYTES (32u << 20)

CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr dst, const void *src, size_t bytes, CUstream stream)
{
	__typeof__(&cuMemcpyHtoDAsync_v2) next =
		(__typeof__(&cuMemcpyHtoDAsync_v2))dlsym(RTLD_NEXT, "cuMemcpyHtoDAsync_v2");

	if (bytes >= LONG_BYTES && cuStreamQuery(stream) == CUDA_SUCCESS)
		nanosleep(&(struct timespec){ .tv_nsec = 500000000 }, NULL);
	return next(dst, src, bytes, stream);
}

#pragma GCC visibility pop
