/*
 * The reference GPU's driver with what it refuses, for a test that it is carried: multiprocessors can be put into
 * groups that nothing uses.
 */
#include <string.h>

#include "cuda-api.h"

#pragma GCC visibility push(default)

#define SMS 16u

static CUdevResource sms(unsigned int number)
{
	CUdevResource resource;

	memset(&resource, 0x5a, sizeof(resource)); /* what is the driver's own has to come back */
	resource.type = CU_DEV_RESOURCE_TYPE_SM;
	resource.sm.smCount = number;
	return resource;
}

CUresult cuDeviceGetDevResource(CUdevice device, CUdevResource *resource, CUdevResourceType type)
{
	int devices;
	CUresult result = cuDeviceGetCount(&devices);

	if (result)
		return result;
	if (device >= devices || !resource || type != CU_DEV_RESOURCE_TYPE_SM)
		return CUDA_ERROR_INVALID_VALUE;
	*resource = sms(SMS);
	return CUDA_SUCCESS;
}

CUresult cuDevSmResourceSplitByCount(CUdevResource *result, unsigned int *groups, const CUdevResource *input,
				     CUdevResource *remaining, unsigned int flags, unsigned int min_count)
{
	CUdevResource mine = sms(SMS);
	unsigned int each = (min_count + 1) & ~1u, fits;

	if (!groups || !input || flags > 3 || !each || each > SMS || memcmp(input, &mine, sizeof(mine)))
		return CUDA_ERROR_INVALID_VALUE;
	fits = SMS / each;
	if (result && *groups < fits)
		fits = *groups;
	for (unsigned int i = 0; result && i < fits; i++)
		result[i] = sms(each);
	if (remaining)
		*remaining = sms(SMS - fits * each);
	*groups = fits;
	return CUDA_SUCCESS;
}

#pragma GCC visibility pop
