/* Two devices of one driver: what memory says of where it lies, wherever the thread is when it is made. */
#include "cu.h"

#define DEVICES 2
#define BYTES   4096

static CUcontext contexts[DEVICES];

static int device_of(CUdeviceptr at)
{
	int device = 5;

	cu_ok(cu(cuPointerGetAttribute)(&device, CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, at));
	return device;
}

static CUmemoryPool pool_of(CUdeviceptr at)
{
	CUmemoryPool pool = NULL;

	cu_ok(cu(cuPointerGetAttribute)(&pool, CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE, at));
	return pool;
}

static void test_memory_of_a_stream_is_its_devices(void)
{
	CUmemoryPool pools[DEVICES];
	CUstream streams[DEVICES];
	CUdeviceptr at;

	for (int i = 0; i < DEVICES; i++) {
		cu_ok(cu(cuCtxSetCurrent)(contexts[i]));
		cu_ok(cu(cuDeviceGetMemPool)(&pools[i], i));
		cu_ok(cu(cuStreamCreate)(&streams[i], CU_STREAM_NON_BLOCKING));
	}
	for (int n = 0; n < 8; n++) { /* from either device, also what was freed there before */
		int i = n % 2;

		cu_ok(cu(cuCtxSetCurrent)(contexts[n / 2 % 2]));
		cu_ok(cu(cuMemAllocAsync)(&at, BYTES, streams[i]));
		check(device_of(at) == i && pool_of(at) == pools[i]);
		cu_ok(cu(cuMemFreeAsync)(at, streams[i]));
	}
	for (int i = 0; i < DEVICES; i++) {
		cu_ok(cu(cuMemAllocAsync)(&at, BYTES, NULL)); /* of the current one */
		check(device_of(at) == 1 && pool_of(at) == pools[1]);
		cu_ok(cu(cuMemFreeAsync)(at, NULL));
		cu_ok(cu(cuStreamSynchronize)(streams[i]));
		cu_ok(cu(cuStreamDestroy_v2)(streams[i]));
	}
}

static void test_memory_of_a_pool_is_its_devices(void)
{
	CUmemPoolProps properties = { .allocType = CU_MEM_ALLOCATION_TYPE_PINNED,
				      .location = { CU_MEM_LOCATION_TYPE_DEVICE, 0 } };
	CUmemoryPool pool;
	CUstream stream;
	CUdeviceptr at;

	for (int i = 0; i < DEVICES; i++) {
		cu_ok(cu(cuCtxSetCurrent)(contexts[1 - i]));
		cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
		properties.location.id = i;
		cu_ok(cu(cuMemPoolCreate)(&pool, &properties));
		cu_ok(cu(cuMemAllocFromPoolAsync)(&at, BYTES, pool, stream));
		check(device_of(at) == i && pool_of(at) == pool);
		cu_ok(cu(cuMemFreeAsync)(at, stream));
		cu_ok(cu(cuStreamSynchronize)(stream));
		cu_ok(cu(cuMemPoolDestroy)(pool));
		cu_ok(cu(cuStreamDestroy_v2)(stream));
	}
}

static void test_mapped_memory_is_its_allocations_devices(void)
{
	CUmemAllocationProp properties = { .type = CU_MEM_ALLOCATION_TYPE_PINNED,
					   .location = { CU_MEM_LOCATION_TYPE_DEVICE, 0 } };
	CUmemGenericAllocationHandle handle, again;
	size_t granule;
	CUdeviceptr at;

	for (int i = 0; i < DEVICES; i++) {
		cu_ok(cu(cuCtxSetCurrent)(contexts[1 - i]));
		properties.location.id = i;
		cu_ok(cu(cuMemGetAllocationGranularity)(&granule, &properties, CU_MEM_ALLOC_GRANULARITY_MINIMUM));
		cu_ok(cu(cuMemAddressReserve)(&at, 2 * granule, 0, 0, 0));
		cu_ok(cu(cuMemCreate)(&handle, granule, &properties, 0));
		cu_ok(cu(cuMemMap)(at, granule, 0, handle, 0));
		check(device_of(at) == i);
		cu_ok(cu(cuMemRetainAllocationHandle)(&again, (void *)(uintptr_t)at));
		cu_ok(cu(cuMemMap)(at + granule, granule, 0, again, 0));
		check(device_of(at + granule) == i);
		cu_ok(cu(cuMemUnmap)(at, 2 * granule));
		cu_ok(cu(cuMemRelease)(handle));
		cu_ok(cu(cuMemRelease)(again));
		cu_ok(cu(cuMemAddressFree)(at, 2 * granule));
	}
}

int main(void)
{
	int count = 0;

	if (cu(cuInit)(0) || cu(cuDeviceGetCount)(&count) || count < DEVICES) {
		printf("SKIP: two devices are needed\n");
		return CU_SKIP;
	}
	for (int i = 0; i < DEVICES; i++)
		cu_ok(cu(cuCtxCreate_v2)(&contexts[i], 0, i));
	cu_run(test_memory_of_a_stream_is_its_devices);
	cu_run(test_memory_of_a_pool_is_its_devices);
	cu_run(test_mapped_memory_is_its_allocations_devices);
	for (int i = 0; i < DEVICES; i++)
		cu_ok(cu(cuCtxDestroy_v2)(contexts[i]));
	return 0;
}
