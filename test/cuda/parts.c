/* Memory in its parts (addresses, allocations, mappings) and pools of it. */
#include <stdint.h>
#include <unistd.h>

#include "cu.h"

static size_t granularity(const CUmemAllocationProp *prop)
{
	size_t bytes;
	cu_ok(cu(cuMemGetAllocationGranularity)(&bytes, prop, CU_MEM_ALLOC_GRANULARITY_MINIMUM));
	check(bytes && !(bytes & (bytes - 1)));
	return bytes;
}

static const CUmemAllocationProp of_device = { .type = CU_MEM_ALLOCATION_TYPE_PINNED,
					       .location = { CU_MEM_LOCATION_TYPE_DEVICE, 0 } };
static const CUmemAccessDesc read_write = { .location = { CU_MEM_LOCATION_TYPE_DEVICE, 0 },
					    .flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE };

static void test_one_allocation_is_seen_at_two_addresses(void)
{
	size_t unit = granularity(&of_device);
	CUmemGenericAllocationHandle memory;
	CUdeviceptr at;
	unsigned int word = 0;
	cu_ok(cu(cuMemAddressReserve)(&at, 4 * unit, 0, 0, 0));
	cu_ok(cu(cuMemCreate)(&memory, unit, &of_device, 0));
	cu_ok(cu(cuMemMap)(at, unit, 0, memory, 0));
	cu_ok(cu(cuMemMap)(at + 2 * unit, unit, 0, memory, 0));
	cu_ok(cu(cuMemSetAccess)(at, unit, &read_write, 1));
	cu_ok(cu(cuMemSetAccess)(at + 2 * unit, unit, &read_write, 1));
	cu_ok(cu(cuMemsetD32_v2)(at + 4096, 0x5a5a5a5a, 1));
	cu_ok(cu(cuMemcpyDtoH_v2)(&word, at + 2 * unit + 4096, 4));
	check(word == 0x5a5a5a5a);
	cu_ok(cu(cuMemRelease)(memory)); /* mappings keep it */
	cu_ok(cu(cuMemcpyDtoH_v2)(&word, at + 4096, 4));
	check(word == 0x5a5a5a5a);
	cu_ok(cu(cuMemUnmap)(at, unit));
	cu_ok(cu(cuMemUnmap)(at + 2 * unit, unit));
	cu_ok(cu(cuMemAddressFree)(at, 4 * unit));
}

static void test_mappings_side_by_side_are_one_range(void)
{
	size_t unit = granularity(&of_device);
	CUmemGenericAllocationHandle memory[2];
	unsigned char *host = malloc(2 * unit), *back = malloc(2 * unit);
	CUdeviceptr at;
	for (size_t i = 0; i < 2 * unit; i++)
		host[i] = (unsigned char)(i * 13 >> 3);
	cu_ok(cu(cuMemAddressReserve)(&at, 2 * unit, 0, 0, 0));
	for (int i = 0; i < 2; i++) {
		cu_ok(cu(cuMemCreate)(&memory[i], unit, &of_device, 0));
		cu_ok(cu(cuMemMap)(at + (CUdeviceptr)i * unit, unit, 0, memory[i], 0));
	}
	cu_ok(cu(cuMemSetAccess)(at, 2 * unit, &read_write, 1));
	cu_ok(cu(cuMemcpyHtoD_v2)(at, host, 2 * unit));
	cu_ok(cu(cuMemcpyDtoH_v2)(back, at, 2 * unit));
	check(!memcmp(host, back, 2 * unit));
	cu_ok(cu(cuMemUnmap)(at, 2 * unit));
	for (int i = 0; i < 2; i++)
		cu_ok(cu(cuMemRelease)(memory[i]));
	cu_is(cu(cuMemRelease)(memory[0]), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuMemAddressFree)(at, 2 * unit));
	free(host);
	free(back);
}

static void test_maps_that_overlap_or_lie_nowhere_are_refused(void)
{
	size_t unit = granularity(&of_device);
	CUmemGenericAllocationHandle memory;
	CUdeviceptr at;
	unsigned long long flags;
	cu_ok(cu(cuMemCreate)(&memory, unit, &of_device, 0));
	cu_ok(cu(cuMemAddressReserve)(&at, 2 * unit, 0, 0, 0));
	cu_ok(cu(cuMemMap)(at, unit, 0, memory, 0));
	cu_is(cu(cuMemMap)(at, unit, 0, memory, 0), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuMemMap)(at + 2 * unit, unit, 0, memory, 0), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuMemMap)(at + unit, 2 * unit, 0, memory, 0), CUDA_ERROR_NOT_SUPPORTED);
	cu_is(cu(cuMemMap)(at + unit, unit - 1, 0, memory, 0), CUDA_ERROR_NOT_SUPPORTED);
	cu_is(cu(cuMemAddressFree)(at, unit), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuMemSetAccess)(at, 2 * unit, &read_write, 1), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuMemGetAccess)(&flags, &read_write.location, at));
	check(flags == CU_MEM_ACCESS_FLAGS_PROT_NONE);
	cu_ok(cu(cuMemUnmap)(at, unit));
	cu_is_by_reference(cu(cuMemUnmap)(at, unit), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuMemRelease)(memory));
	cu_ok(cu(cuMemAddressFree)(at, 2 * unit));
	cu_is(cu(cuMemAddressFree)(at, 2 * unit), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuMemCreate)(&memory, unit + 1, &of_device, 0), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuMemCreate)(&memory, unit, NULL, 0), CUDA_ERROR_INVALID_VALUE);
}

static void test_a_mapping_without_access_is_not_written(void)
{
	size_t unit = granularity(&of_device);
	CUmemGenericAllocationHandle memory;
	unsigned long long flags = 9;
	CUdeviceptr at;
	int word = 0;
	cu_ok(cu(cuMemCreate)(&memory, unit, &of_device, 0));
	cu_ok(cu(cuMemAddressReserve)(&at, unit, 0, 0, 0));
	cu_ok(cu(cuMemMap)(at, unit, 0, memory, 0));
	cu_is(cu(cuMemsetD8_v2)(at, 1, 16), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuMemcpyHtoD_v2)(at, &word, 4), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuPointerGetAttribute)(&flags, CU_POINTER_ATTRIBUTE_ACCESS_FLAGS, at));
	check(flags == 0);
	cu_ok(cu(cuMemSetAccess)(at, unit, &read_write, 1));
	cu_ok(cu(cuPointerGetAttribute)(&flags, CU_POINTER_ATTRIBUTE_ACCESS_FLAGS, at));
	check(flags == CU_POINTER_ATTRIBUTE_ACCESS_FLAG_READWRITE);
	cu_ok(cu(cuMemsetD8_v2)(at, 1, 16));
	cu_ok(cu(cuCtxSynchronize)());
	cu_ok(cu(cuMemUnmap)(at, unit));
	cu_ok(cu(cuMemRelease)(memory));
	cu_ok(cu(cuMemAddressFree)(at, unit));
}

static void test_a_mapping_that_was_read_is_written_once_it_may_be(void)
{
	CUmemAccessDesc read_only = read_write;
	size_t unit = granularity(&of_device);
	CUmemGenericAllocationHandle memory;
	unsigned int word = 0;
	CUdeviceptr at, other;
	read_only.flags = CU_MEM_ACCESS_FLAGS_PROT_READ;
	cu_ok(cu(cuMemAlloc_v2)(&other, 4096));
	cu_ok(cu(cuMemCreate)(&memory, unit, &of_device, 0));
	cu_ok(cu(cuMemAddressReserve)(&at, unit, 0, 0, 0));
	cu_ok(cu(cuMemMap)(at, unit, 0, memory, 0));
	cu_ok(cu(cuMemSetAccess)(at, unit, &read_only, 1));
	cu_ok(cu(cuMemcpyDtoD_v2)(other, at, 4096));
	cu_ok(cu(cuCtxSynchronize)());
	cu_ok(cu(cuMemSetAccess)(at, unit, &read_write, 1));
	cu_ok(cu(cuMemsetD32_v2)(at, 0x5a5a5a5a, 1024));
	cu_ok(cu(cuMemcpyDtoD_v2)(other, at, 4096));
	cu_ok(cu(cuMemcpyDtoD_v2)(at, other, 4096));
	cu_ok(cu(cuMemcpyDtoH_v2)(&word, at + 4092, 4));
	check(word == 0x5a5a5a5a);
	cu_ok(cu(cuMemUnmap)(at, unit));
	cu_ok(cu(cuMemRelease)(memory));
	cu_ok(cu(cuMemAddressFree)(at, unit));
	cu_ok(cu(cuMemFree_v2)(other));
}

static void test_addresses_with_a_mapping_in_the_middle_stay(void)
{
	size_t unit = granularity(&of_device);
	CUmemGenericAllocationHandle memory;
	CUdeviceptr at[3];
	cu_ok(cu(cuMemCreate)(&memory, unit, &of_device, 0));
	for (int i = 0; i < 3; i++)
		cu_ok(cu(cuMemAddressReserve)(&at[i], (i == 1 ? 4 : 1) * unit, 0, 0, 0));
	cu_ok(cu(cuMemMap)(at[0], unit, 0, memory, 0));
	cu_ok(cu(cuMemMap)(at[2], unit, 0, memory, 0));
	cu_ok(cu(cuMemMap)(at[1] + unit, unit, 0, memory, 0));
	cu_is(cu(cuMemAddressFree)(at[1], 4 * unit), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuMemUnmap)(at[1] + unit, unit));
	cu_ok(cu(cuMemUnmap)(at[0], unit));
	cu_ok(cu(cuMemUnmap)(at[2], unit));
	for (int i = 0; i < 3; i++)
		cu_ok(cu(cuMemAddressFree)(at[i], (i == 1 ? 4 : 1) * unit));
	cu_ok(cu(cuMemRelease)(memory));
}

static void test_addresses_without_memory_are_not_the_programs(void)
{
	size_t unit = granularity(&of_device);
	CUDA_MEMCPY2D copy = { .srcMemoryType = CU_MEMORYTYPE_UNIFIED, .dstMemoryType = CU_MEMORYTYPE_UNIFIED };
	CUdeviceptr at;
	int word = 0;
	cu_ok(cu(cuMemAddressReserve)(&at, unit, 0, 0, 0));
	cu_is(cu(cuMemcpy)(at, (CUdeviceptr)(uintptr_t)&word, 4), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuMemcpy)((CUdeviceptr)(uintptr_t)&word, at, 4), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuMemcpyAsync)(at, (CUdeviceptr)(uintptr_t)&word, 4, NULL), CUDA_ERROR_INVALID_VALUE);
	copy.srcDevice = (CUdeviceptr)(uintptr_t)&word;
	copy.dstDevice = at;
	copy.WidthInBytes = 4;
	copy.Height = 1;
	cu_is(cu(cuMemcpy2D_v2)(&copy), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuMemAddressFree)(at, unit));
}

static void test_bad_input_is_told_before_all_else(void)
{
	CUmemGenericAllocationHandle memory;
	CUcontext context;
	CUdeviceptr at;
	int on = 1, fd = -1;
	cu_is(cu(cuMemCreate)(&memory, SIZE_MAX, &of_device, 0), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuMemAlloc_v2)(&at, 4096));
	cu_is(cu(cuMemGetHandleForAddressRange)(NULL, at, 4096, CU_MEM_RANGE_HANDLE_TYPE_DMA_BUF_FD, 0),
	      CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuMemGetHandleForAddressRange)(&fd, at, 4096, (CUmemRangeHandleType)7, 0), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuMemGetHandleForAddressRange)(&fd, 4096, 4096, CU_MEM_RANGE_HANDLE_TYPE_DMA_BUF_FD, 0),
	      CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuCtxGetCurrent)(&context));
	cu_ok(cu(cuCtxSetCurrent)(NULL));
	cu_is(cu(cuPointerSetAttribute)(&on, CU_POINTER_ATTRIBUTE_CONTEXT, at), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuCtxSetCurrent)(context));
	cu_ok(cu(cuMemFree_v2)(at));
}

static void test_levels_go_with_their_array(void)
{
	CUDA_ARRAY3D_DESCRIPTOR desc = { .Width = 16, .Height = 16, .Format = CU_AD_FORMAT_FLOAT, .NumChannels = 1 };
	CUmipmappedArray mipmap;
	CUarray level, again;
	cu_ok(cu(cuMipmappedArrayCreate)(&mipmap, &desc, 3));
	cu_ok(cu(cuMipmappedArrayGetLevel)(&level, mipmap, 1));
	cu_ok(cu(cuMipmappedArrayGetLevel)(&again, mipmap, 1));
	check(level == again);
	cu_is(cu(cuArrayDestroy)(level), CUDA_ERROR_INVALID_HANDLE);
	cu_ok(cu(cuCtxSynchronize)());
	cu_ok(cu(cuArray3DGetDescriptor_v2)(&desc, level));
	check(desc.Width == 8);
	cu_ok(cu(cuMipmappedArrayDestroy)(mipmap));
	if (cu_is_reference())
		cu_is(cu(cuArray3DGetDescriptor_v2)(&desc, level), CUDA_ERROR_INVALID_HANDLE);
	desc.Width = 0;
	cu_is(cu(cuMipmappedArrayCreate)(&mipmap, &desc, 1), CUDA_ERROR_INVALID_VALUE);
}

static void test_memory_travels_by_file_descriptor(void)
{
	CUmemAllocationProp prop = of_device;
	CUmemGenericAllocationHandle memory, again;
	unsigned int word = 0;
	size_t unit;
	CUdeviceptr at;
	unsigned long long types;
	int fd = -1, supported = 0;
	cu_ok(cu(cuDeviceGetAttribute)(&supported, CU_DEVICE_ATTRIBUTE_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR_SUPPORTED, 0));
	if (!supported)
		return;
	prop.requestedHandleTypes = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;
	unit = granularity(&prop);
	cu_ok(cu(cuMemCreate)(&memory, unit, &prop, 0));
	cu_ok(cu(cuMemExportToShareableHandle)(&fd, memory, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, 0));
	check(fd >= 0);
	cu_ok(cu(cuMemImportFromShareableHandle)(&again, (void *)(intptr_t)fd,
						 CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR));
	close(fd);
	cu_ok(cu(cuMemAddressReserve)(&at, 2 * unit, 0, 0, 0));
	cu_ok(cu(cuMemMap)(at, unit, 0, memory, 0));
	cu_ok(cu(cuMemMap)(at + unit, unit, 0, again, 0));
	cu_ok(cu(cuMemSetAccess)(at, 2 * unit, &read_write, 1));
	cu_ok(cu(cuMemsetD32_v2)(at + 64, 77, 1));
	cu_ok(cu(cuMemcpyDtoH_v2)(&word, at + unit + 64, 4));
	check(word == 77);
	for (int i = 0; i < 2; i++) {
		cu_ok(cu(cuPointerGetAttribute)(&types, CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES,
						at + (CUdeviceptr)i * unit));
		check(types == CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR);
	}
	cu_ok(cu(cuMemUnmap)(at, 2 * unit));
	cu_ok(cu(cuMemRelease)(memory));
	cu_ok(cu(cuMemRelease)(again));
	cu_ok(cu(cuMemAddressFree)(at, 2 * unit));
}

static void test_a_stream_gets_back_what_it_has_freed(void)
{
	CUdeviceptr a, b, c;
	cuuint64_t used, high, keep = UINT64_MAX, zero = 0;
	CUmemoryPool pool;
	CUstream stream;
	unsigned int word;
	cu_ok(cu(cuDeviceGetDefaultMemPool)(&pool, 0));
	cu_ok(cu(cuMemPoolSetAttribute)(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, &keep));
	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuMemAllocAsync)(&a, 1 << 20, stream));
	cu_ok(cu(cuMemsetD32Async)(a, 3, 1 << 18, stream));
	cu_ok(cu(cuMemAllocAsync)(&b, 1 << 20, stream));
	check(a != b);
	cu_ok(cu(cuMemcpyDtoDAsync_v2)(b, a, 1 << 20, stream));
	cu_ok(cu(cuMemFreeAsync)(a, stream));
	cu_ok(cu(cuMemAllocAsync)(&c, 1 << 20, stream));
	check(c == a);
	cu_ok(cu(cuStreamSynchronize)(stream));
	cu_ok(cu(cuMemcpyDtoH_v2)(&word, b + 4000, 4));
	check(word == 3);
	cu_ok(cu(cuMemPoolGetAttribute)(pool, CU_MEMPOOL_ATTR_USED_MEM_CURRENT, &used));
	check(used >= 2u << 20);
	cu_ok(cu(cuMemFreeAsync)(b, stream));
	cu_ok(cu(cuMemFreeAsync)(c, stream));
	cu_is_by_reference(cu(cuMemFreeAsync)(c, stream), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuStreamSynchronize)(stream));
	cu_ok(cu(cuMemPoolTrimTo)(pool, 0));
	cu_ok(cu(cuMemPoolGetAttribute)(pool, CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT, &used));
	check(used < 64u << 20);
	cu_ok(cu(cuMemPoolGetAttribute)(pool, CU_MEMPOOL_ATTR_USED_MEM_HIGH, &high));
	check(high >= 2u << 20);
	cu_ok(cu(cuMemPoolSetAttribute)(pool, CU_MEMPOOL_ATTR_USED_MEM_HIGH, &zero));
	cu_ok(cu(cuMemPoolSetAttribute)(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, &zero));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
}

static void test_a_pool_of_ones_own_is_used_where_it_is_named(void)
{
	CUmemPoolProps props = { .allocType = CU_MEM_ALLOCATION_TYPE_PINNED,
				 .location = { CU_MEM_LOCATION_TYPE_DEVICE, 0 } };
	CUmemoryPool pool, of = NULL;
	CUdeviceptr at;
	cu_ok(cu(cuMemPoolCreate)(&pool, &props));
	cu_ok(cu(cuMemAllocFromPoolAsync)(&at, 4096, pool, NULL));
	cu_ok(cu(cuPointerGetAttribute)(&of, CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE, at));
	check(of == pool);
	cu_ok(cu(cuMemFreeAsync)(at, NULL));
	cu_ok(cu(cuStreamSynchronize)(NULL));
	cu_ok(cu(cuMemPoolDestroy)(pool));
	props.allocType = CU_MEM_ALLOCATION_TYPE_INVALID;
	cu_is(cu(cuMemPoolCreate)(&pool, &props), CUDA_ERROR_INVALID_VALUE);
}

static void test_what_a_pool_keeps_makes_room_within_its_limit(void)
{
	CUmemPoolProps props = { .allocType = CU_MEM_ALLOCATION_TYPE_PINNED,
				 .location = { CU_MEM_LOCATION_TYPE_DEVICE, 0 },
				 .maxSize = 64 << 20 };
	CUdeviceptr large, small, more;
	cuuint64_t keep = UINT64_MAX;
	CUmemoryPool pool;
	cu_ok(cu(cuMemPoolCreate)(&pool, &props));
	cu_ok(cu(cuMemPoolSetAttribute)(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, &keep));
	cu_ok(cu(cuMemAllocFromPoolAsync)(&large, 64 << 20, pool, NULL));
	cu_is(cu(cuMemAllocFromPoolAsync)(&small, 16 << 20, pool, NULL), CUDA_ERROR_OUT_OF_MEMORY);
	cu_ok(cu(cuMemFreeAsync)(large, NULL));
	cu_ok(cu(cuStreamSynchronize)(NULL));
	cu_ok(cu(cuMemAllocFromPoolAsync)(&small, 16 << 20, pool, NULL));
	cu_is(cu(cuMemAllocFromPoolAsync)(&large, 64 << 20, pool, NULL), CUDA_ERROR_OUT_OF_MEMORY);
	cu_ok(cu(cuMemAllocFromPoolAsync)(&more, 48 << 20, pool, NULL));
	cu_ok(cu(cuMemFreeAsync)(more, NULL));
	cu_ok(cu(cuMemFreeAsync)(small, NULL));
	cu_ok(cu(cuStreamSynchronize)(NULL));
	cu_ok(cu(cuMemPoolDestroy)(pool));
}

int main(void)
{
	CUcontext ctx = cu_begin();
	cu_run(test_one_allocation_is_seen_at_two_addresses);
	cu_run(test_mappings_side_by_side_are_one_range);
	cu_run(test_maps_that_overlap_or_lie_nowhere_are_refused);
	cu_run(test_a_mapping_without_access_is_not_written);
	cu_run(test_a_mapping_that_was_read_is_written_once_it_may_be);
	cu_run(test_addresses_with_a_mapping_in_the_middle_stay);
	cu_run(test_addresses_without_memory_are_not_the_programs);
	cu_run(test_bad_input_is_told_before_all_else);
	cu_run(test_levels_go_with_their_array);
	cu_run(test_memory_travels_by_file_descriptor);
	cu_run(test_a_stream_gets_back_what_it_has_freed);
	cu_run(test_a_pool_of_ones_own_is_used_where_it_is_named);
	cu_run(test_what_a_pool_keeps_makes_room_within_its_limit);
	cu_ok(cu(cuCtxDestroy_v2)(ctx));
	return 0;
}
