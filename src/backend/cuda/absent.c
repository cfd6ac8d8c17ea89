/*
 * Functions that this backend does not carry yet: each is refused alone, with its name in the log.  Whoever writes one
 * takes its line away here.
 */
#include "backend/cuda/session.h"

#define ABSENT(name)                                                                                                   \
	void pl_cuda_serve_##name(struct pl_serve *serve, const struct pl_cuda_##name##_args *args)                    \
	{                                                                                                              \
		(void)args;                                                                                            \
		pl_serve_refuse(serve, CUDA_ERROR_NOT_SUPPORTED);                                                      \
	}

ABSENT(cuDeviceRegisterAsyncNotification)
ABSENT(cuMemHostRegister_v2)
ABSENT(cuMemHostUnregister)
ABSENT(cuMemBatchDecompressAsync)
ABSENT(cuMemMapArrayAsync)
ABSENT(cuMemGetHandleForAddressRange)
ABSENT(cuCoredumpGetAttribute)
ABSENT(cuCoredumpSetAttribute)
