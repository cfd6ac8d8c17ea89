/*
 * Managed memory: host memory that both sides share and the device works in in place, so that no page ever moves; where
 * nothing is shared, and variables of modules: the driver's own, whose pages go to and fro (mirrored.h).
 * Advice is kept and answered, and changes nothing.
 */
#include <string.h>

#include "client/cuda/mirrored.h"

#define RANGE_ATTRIBUTES_MAX 16u
#define RANGES_MAX           65536u

CUresult cuMemAllocManaged(CUdeviceptr *address, size_t bytes, unsigned int flags)
{
	struct pl_cuda_memory memory = { .kind = PL_CUDA_MEMORY_MANAGED,
					 .flags = flags,
					 .advice = PL_CUDA_ADVICE_NONE };
	struct pl_session *session;
	CUresult result = pl_cuda_enter(PL_CUDA_OP_cuMemHostAlloc, &session);

	if (result)
		return result;
	if (!address || !bytes || (flags != CU_MEM_ATTACH_GLOBAL && flags != CU_MEM_ATTACH_HOST))
		return CUDA_ERROR_INVALID_VALUE;
	memory.context = pl_cuda_thread.top;
	memory.bytes = bytes;
	result = pl_cuda_host_is_mapped(session) ? pl_cuda_host_create(session, &memory, bytes, true)
						 : pl_cuda_mirrored_create(session, &memory);
	if (!result)
		*address = memory.address;
	return result;
}

/* The managed allocation in which all of a range lies. */
static CUresult managed_find(CUdeviceptr address, size_t bytes, struct pl_cuda_memory *memory)
{
	CUresult result;

	if (!pl_cuda_current(&result))
		return result;
	if (!bytes || !pl_cuda_memory_find(address, memory) || !pl_cuda_memory_is_managed(memory) ||
	    bytes > memory->bytes - (address - memory->address))
		return CUDA_ERROR_INVALID_VALUE;
	return CUDA_SUCCESS;
}

static CUresult location_check(CUmemLocation location)
{
	switch (location.type) {
	case CU_MEM_LOCATION_TYPE_DEVICE:
		return pl_cuda_device(location.id) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
	case CU_MEM_LOCATION_TYPE_HOST:
	case CU_MEM_LOCATION_TYPE_HOST_NUMA_CURRENT:
		return CUDA_SUCCESS;
	case CU_MEM_LOCATION_TYPE_HOST_NUMA:
		return location.id ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
	default:
		return CUDA_ERROR_INVALID_VALUE;
	}
}

struct advised {
	CUmem_advise what;
	CUmemLocation location;
};

static void advise(struct pl_cuda_memory *memory, void *arg)
{
	const struct advised *advised = arg;

	pl_cuda_advice_set(&memory->advice, advised->what, advised->location);
}

CUresult cuMemAdvise_v2(CUdeviceptr address, size_t count, CUmem_advise advice, CUmemLocation location)
{
	struct advised advised = { advice, location };
	struct pl_cuda_memory memory;
	CUresult result = managed_find(address, count, &memory);

	if (!result && !pl_cuda_advice_is_known(advice))
		result = CUDA_ERROR_INVALID_VALUE;
	if (!result && pl_cuda_advice_is_placed(advice))
		result = location_check(location);
	if (result)
		return result;
	pl_cuda_memory_change(&memory, advise, &advised);
	return CUDA_SUCCESS;
}

CUresult cuMemAdvise(CUdeviceptr address, size_t count, CUmem_advise advice, CUdevice device)
{
	return cuMemAdvise_v2(address, count, advice, pl_cuda_location_of(device));
}

/* ---- prefetching ---- */

static CUresult stream_check(CUstream stream)
{
	CUresult result;

	if (!pl_cuda_current(&result))
		return result;
	return stream && !pl_cuda_id(pl_cuda_session(), PL_CUDA_KIND_stream, stream) ? CUDA_ERROR_INVALID_HANDLE
										     : CUDA_SUCCESS;
}

static void prefetched(struct pl_cuda_memory *memory, void *arg)
{
	memory->advice.prefetched = *(const CUmemLocation *)arg;
}

static CUresult prefetch(CUdeviceptr address, size_t bytes, CUmemLocation location)
{
	struct pl_cuda_memory memory;
	CUresult result = managed_find(address, bytes, &memory);

	if (!result)
		result = location_check(location);
	if (result)
		return result;
	pl_cuda_memory_change(&memory, prefetched, &location);
	return CUDA_SUCCESS;
}

CUresult cuMemPrefetchAsync_v2(CUdeviceptr address, size_t count, CUmemLocation location, unsigned int flags,
			       CUstream stream)
{
	CUresult result = stream_check(stream);

	if (!result && flags)
		result = CUDA_ERROR_INVALID_VALUE;
	return result ? result : prefetch(address, count, location);
}

CUresult cuMemPrefetchAsync_v2_ptsz(CUdeviceptr address, size_t count, CUmemLocation location, unsigned int flags,
				    CUstream stream)
{
	return cuMemPrefetchAsync_v2(address, count, location, flags, stream);
}

CUresult cuMemPrefetchAsync(CUdeviceptr address, size_t count, CUdevice device, CUstream stream)
{
	return cuMemPrefetchAsync_v2(address, count, pl_cuda_location_of(device), 0, stream);
}

CUresult cuMemPrefetchAsync_ptsz(CUdeviceptr address, size_t count, CUdevice device, CUstream stream)
{
	return cuMemPrefetchAsync_v2(address, count, pl_cuda_location_of(device), 0, stream);
}

static CUresult ranges_check(const CUdeviceptr *addresses, const size_t *sizes, size_t count)
{
	struct pl_cuda_memory memory;
	CUresult result = addresses && sizes && count && count <= RANGES_MAX ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;

	for (size_t i = 0; i < count && !result; i++)
		result = managed_find(addresses[i], sizes[i], &memory);
	return result;
}

CUresult cuMemPrefetchBatchAsync(CUdeviceptr *addresses, size_t *sizes, size_t count, CUmemLocation *locations,
				 size_t *indices, size_t locations_count, unsigned long long flags, CUstream stream)
{
	CUresult result = stream_check(stream);
	size_t at = 0;

	if (!result)
		result = ranges_check(addresses, sizes, count);
	if (!result && (!locations || !indices || !locations_count || locations_count > count || indices[0] || flags))
		result = CUDA_ERROR_INVALID_VALUE;
	for (size_t i = 0; i < count && !result; i++) {
		while (at + 1 < locations_count && indices[at + 1] <= i)
			at++;
		result = prefetch(addresses[i], sizes[i], locations[at]);
	}
	return result;
}

CUresult cuMemPrefetchBatchAsync_ptsz(CUdeviceptr *addresses, size_t *sizes, size_t count, CUmemLocation *locations,
				      size_t *indices, size_t locations_count, unsigned long long flags,
				      CUstream stream)
{
	return cuMemPrefetchBatchAsync(addresses, sizes, count, locations, indices, locations_count, flags, stream);
}

/* What is discarded may keep its content. */
CUresult cuMemDiscardBatchAsync(CUdeviceptr *addresses, size_t *sizes, size_t count, unsigned long long flags,
				CUstream stream)
{
	CUresult result = stream_check(stream);

	if (!result)
		result = ranges_check(addresses, sizes, count);
	return !result && flags ? CUDA_ERROR_INVALID_VALUE : result;
}

CUresult cuMemDiscardBatchAsync_ptsz(CUdeviceptr *addresses, size_t *sizes, size_t count, unsigned long long flags,
				     CUstream stream)
{
	return cuMemDiscardBatchAsync(addresses, sizes, count, flags, stream);
}

CUresult cuMemDiscardAndPrefetchBatchAsync(CUdeviceptr *addresses, size_t *sizes, size_t count,
					   CUmemLocation *locations, size_t *indices, size_t locations_count,
					   unsigned long long flags, CUstream stream)
{
	return cuMemPrefetchBatchAsync(addresses, sizes, count, locations, indices, locations_count, flags, stream);
}

CUresult cuMemDiscardAndPrefetchBatchAsync_ptsz(CUdeviceptr *addresses, size_t *sizes, size_t count,
						CUmemLocation *locations, size_t *indices, size_t locations_count,
						unsigned long long flags, CUstream stream)
{
	return cuMemPrefetchBatchAsync(addresses, sizes, count, locations, indices, locations_count, flags, stream);
}

/* ---- what was advised ---- */

CUresult cuMemRangeGetAttribute(void *data, size_t data_size, CUmem_range_attribute attribute, CUdeviceptr address,
				size_t count)
{
	struct pl_cuda_memory memory;
	CUresult result;

	if (!pl_cuda_current(&result))
		return result;
	if (!data)
		return CUDA_ERROR_INVALID_VALUE;
	result = managed_find(address, count, &memory);
	return result ? result : pl_cuda_advice_get(&memory.advice, memory.context->device, attribute, data, data_size);
}

CUresult cuMemRangeGetAttributes(void **data, size_t *data_sizes, CUmem_range_attribute *attributes,
				 size_t attributes_count, CUdeviceptr address, size_t count)
{
	CUresult result = pl_cuda_ready();

	if (!result &&
	    (!data || !data_sizes || !attributes || !attributes_count || attributes_count > RANGE_ATTRIBUTES_MAX))
		result = CUDA_ERROR_INVALID_VALUE;
	for (size_t i = 0; i < attributes_count && !result; i++)
		result = cuMemRangeGetAttribute(data[i], data_sizes[i], attributes[i], address, count);
	return result;
}

CUresult cuStreamAttachMemAsync(CUstream stream, CUdeviceptr address, size_t length, unsigned int flags)
{
	struct pl_cuda_memory memory;
	CUresult result = stream_check(stream);

	if (result)
		return result;
	if ((flags != CU_MEM_ATTACH_GLOBAL && flags != CU_MEM_ATTACH_HOST && flags != CU_MEM_ATTACH_SINGLE) ||
	    !pl_cuda_memory_find(address, &memory) || !pl_cuda_memory_is_managed(&memory) ||
	    memory.address != address || (length && length != memory.bytes))
		return CUDA_ERROR_INVALID_VALUE;
	if (flags == CU_MEM_ATTACH_SINGLE && (uintptr_t)stream <= (uintptr_t)CU_STREAM_LEGACY)
		return CUDA_ERROR_INVALID_VALUE; /* of no one stream */
	if (memory.mirrored)
		pl_mirror_attach(memory.address, memory.bytes, flags == CU_MEM_ATTACH_GLOBAL);
	return CUDA_SUCCESS;
}

CUresult cuStreamAttachMemAsync_ptsz(CUstream stream, CUdeviceptr address, size_t length, unsigned int flags)
{
	return cuStreamAttachMemAsync(stream, address, length, flags);
}
