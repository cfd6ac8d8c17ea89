/* What was advised for managed memory, as cuMemRangeGetAttribute() tells it. */
#ifndef PL_CUDA_ADVICE_H
#define PL_CUDA_ADVICE_H

#include <stdbool.h>
#include <stddef.h>

#include "cuda/memory.h"
#include "cuda/result.h"

struct pl_cuda_advice {
	bool read_mostly, by_device, by_host; /* the latter two: who said that it will use it */
	CUmemLocation preferred, prefetched;  /* of type INVALID: none */
};

/* Nothing was advised. */
#define PL_CUDA_ADVICE_NONE                                                                                            \
	{                                                                                                              \
		.preferred = { CU_MEM_LOCATION_TYPE_INVALID, 0 }, .prefetched = { CU_MEM_LOCATION_TYPE_INVALID, 0 }    \
	}

/* How functions that name a device say where: CU_DEVICE_CPU is the host. */
CUmemLocation pl_cuda_location_of(CUdevice device);

/* What is advised must be one of CUmem_advise.  Whether it needs a place: pl_cuda_advice_is_placed(). */
void pl_cuda_advice_set(struct pl_cuda_advice *advice, CUmem_advise what, CUmemLocation location);
bool pl_cuda_advice_is_known(CUmem_advise what);
bool pl_cuda_advice_is_placed(CUmem_advise what);

/** pl_cuda_advice_get() - one attribute
 * @device: the one that `by_device` speaks of
 * @data:   `bytes` bytes: an int, or for ACCESSED_BY any number of them, the rest filled with CU_DEVICE_INVALID
 * Return: success or CUDA_ERROR_INVALID_VALUE (another size, an attribute that there is not). */
CUresult pl_cuda_advice_get(const struct pl_cuda_advice *advice, CUdevice device, CUmem_range_attribute attribute,
			    void *data, size_t bytes);

#endif
