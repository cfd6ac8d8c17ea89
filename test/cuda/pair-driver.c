/* The reference GPU's driver with a second device, which is the first one once more: for what goes by the number. */
#include <dlfcn.h>

#include "cuda-api.h"

#pragma GCC visibility push(default)

#define NEXT(function)       ((__typeof__(&function))dlsym(RTLD_NEXT, #function))
#define FIRST(device)        ((device) == 1 ? 0 : (device))
#define FIRST_PLACE(located) ((located).location.id = FIRST((located).location.id))

CUresult cuDeviceGetCount(int *count)
{
	CUresult result = NEXT(cuDeviceGetCount)(count);

	if (!result && *count)
		*count = 2;
	return result;
}

CUresult cuDeviceGet(CUdevice *device, int ordinal)
{
	CUresult result = NEXT(cuDeviceGet)(device, FIRST(ordinal));

	if (!result)
		*device = ordinal;
	return result;
}

CUresult cuDeviceGetName(char *name, int len, CUdevice device)
{
	return NEXT(cuDeviceGetName)(name, len, FIRST(device));
}

CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice device)
{
	return NEXT(cuDeviceTotalMem_v2)(bytes, FIRST(device));
}

CUresult cuDeviceGetUuid_v2(CUuuid *uuid, CUdevice device)
{
	CUresult result = cuDeviceGetUuid(uuid, FIRST(device));

	if (!result && device)
		uuid->bytes[0] ^= 1;
	return result;
}

CUresult cuDeviceGetPCIBusId(char *id, int len, CUdevice device)
{
	CUresult result = NEXT(cuDeviceGetPCIBusId)(id, len, FIRST(device));

	if (!result && device && len > 1)
		id[0] = '1';
	return result;
}

CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute attribute, CUdevice device)
{
	return NEXT(cuDeviceGetAttribute)(value, attribute, FIRST(device));
}

CUresult cuCtxCreate_v2(CUcontext *context, unsigned int flags, CUdevice device)
{
	return NEXT(cuCtxCreate_v2)(context, flags, FIRST(device));
}

CUresult cuDeviceGetDefaultMemPool(CUmemoryPool *pool, CUdevice device)
{
	return NEXT(cuDeviceGetDefaultMemPool)(pool, FIRST(device));
}

CUresult cuMemGetDefaultMemPool(CUmemoryPool *pool, CUmemLocation *location, CUmemAllocationType type)
{
	CUmemLocation first = { location->type, FIRST(location->id) };

	return NEXT(cuMemGetDefaultMemPool)(pool, &first, type);
}

CUresult cuMemPoolCreate(CUmemoryPool *pool, const CUmemPoolProps *properties)
{
	CUmemPoolProps first = *properties;

	FIRST_PLACE(first);
	return NEXT(cuMemPoolCreate)(pool, &first);
}

CUresult cuMemGetAllocationGranularity(size_t *granularity, const CUmemAllocationProp *properties,
				       CUmemAllocationGranularity_flags option)
{
	CUmemAllocationProp first = *properties;

	FIRST_PLACE(first);
	return NEXT(cuMemGetAllocationGranularity)(granularity, &first, option);
}

CUresult cuMemCreate(CUmemGenericAllocationHandle *handle, size_t bytes, const CUmemAllocationProp *properties,
		     unsigned long long flags)
{
	CUmemAllocationProp first = *properties;

	FIRST_PLACE(first);
	return NEXT(cuMemCreate)(handle, bytes, &first, flags);
}
