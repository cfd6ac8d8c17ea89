#include "cuda/advice.h"

#include <string.h>

CUmemLocation pl_cuda_location_of(CUdevice device)
{
	bool host = device == CU_DEVICE_CPU;

	return (CUmemLocation){ host ? CU_MEM_LOCATION_TYPE_HOST : CU_MEM_LOCATION_TYPE_DEVICE, host ? 0 : device };
}

bool pl_cuda_advice_is_known(CUmem_advise what)
{
	return what >= CU_MEM_ADVISE_SET_READ_MOSTLY && what <= CU_MEM_ADVISE_UNSET_ACCESSED_BY;
}

bool pl_cuda_advice_is_placed(CUmem_advise what)
{
	return what != CU_MEM_ADVISE_SET_READ_MOSTLY && what != CU_MEM_ADVISE_UNSET_READ_MOSTLY &&
	       what != CU_MEM_ADVISE_UNSET_PREFERRED_LOCATION;
}

void pl_cuda_advice_set(struct pl_cuda_advice *advice, CUmem_advise what, CUmemLocation location)
{
	bool *by = location.type == CU_MEM_LOCATION_TYPE_DEVICE ? &advice->by_device : &advice->by_host;

	switch (what) {
	case CU_MEM_ADVISE_SET_READ_MOSTLY:
	case CU_MEM_ADVISE_UNSET_READ_MOSTLY:
		advice->read_mostly = what == CU_MEM_ADVISE_SET_READ_MOSTLY;
		break;
	case CU_MEM_ADVISE_SET_PREFERRED_LOCATION:
		advice->preferred = location;
		break;
	case CU_MEM_ADVISE_UNSET_PREFERRED_LOCATION:
		advice->preferred = (CUmemLocation){ CU_MEM_LOCATION_TYPE_INVALID, 0 };
		break;
	default:
		*by = what == CU_MEM_ADVISE_SET_ACCESSED_BY;
	}
}

static int device_of(CUmemLocation location)
{
	if (location.type == CU_MEM_LOCATION_TYPE_INVALID)
		return CU_DEVICE_INVALID;
	return location.type == CU_MEM_LOCATION_TYPE_DEVICE ? location.id : CU_DEVICE_CPU;
}

static CUresult accessed_by(const struct pl_cuda_advice *advice, CUdevice device, void *data, size_t bytes)
{
	size_t n = 0, room = bytes / sizeof(int);
	int *list = data;

	if (bytes % sizeof(int))
		return CUDA_ERROR_INVALID_VALUE;
	if (advice->by_device && n < room)
		list[n++] = device;
	if (advice->by_host && n < room)
		list[n++] = CU_DEVICE_CPU;
	while (n < room)
		list[n++] = CU_DEVICE_INVALID;
	return CUDA_SUCCESS;
}

CUresult pl_cuda_advice_get(const struct pl_cuda_advice *advice, CUdevice device, CUmem_range_attribute attribute,
			    void *data, size_t bytes)
{
	int value;

	switch (attribute) {
	case CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY:
		value = advice->read_mostly;
		break;
	case CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION:
		value = device_of(advice->preferred);
		break;
	case CU_MEM_RANGE_ATTRIBUTE_ACCESSED_BY:
		return accessed_by(advice, device, data, bytes);
	case CU_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION:
		value = device_of(advice->prefetched);
		break;
	case CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION_TYPE:
		value = (int)advice->preferred.type;
		break;
	case CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION_ID:
		value = advice->preferred.id;
		break;
	case CU_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION_TYPE:
		value = (int)advice->prefetched.type;
		break;
	case CU_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION_ID:
		value = advice->prefetched.id;
		break;
	default:
		return CUDA_ERROR_INVALID_VALUE;
	}
	if (bytes != sizeof(value))
		return CUDA_ERROR_INVALID_VALUE;
	memcpy(data, &value, sizeof(value));
	return CUDA_SUCCESS;
}
