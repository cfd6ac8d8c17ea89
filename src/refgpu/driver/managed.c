/*
 * Managed memory: host memory that the device reaches at the same address, at any time.  Where it should be is the
 * application's advice; it is kept so that it can be asked, and moves nothing.
 */
#include <string.h>

#include "cuda-api.h"
#include "mem.h"
#include "stream.h"

#define RANGE_ATTRIBUTES_MAX 16u

CUresult cuMemAllocManaged(CUdeviceptr *address_out, size_t bytes, unsigned int flags)
{
	struct pl_cu_mem *mem;
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (r)
		return r;
	if (!address_out || !bytes || (flags != CU_MEM_ATTACH_GLOBAL && flags != CU_MEM_ATTACH_HOST))
		return CUDA_ERROR_INVALID_VALUE;
	r = pl_cu_result_of(pl_cu_mem_create_host(&mem, PL_CU_MEM_MANAGED, ctx, NULL, bytes, false));
	if (r)
		return r;
	mem->flags = flags;
	*address_out = mem->va;
	return CUDA_SUCCESS;
}

static bool is_managed(const struct pl_cu_mem *mem)
{
	return mem && mem->host && (mem->kind == PL_CU_MEM_MANAGED || mem->kind == PL_CU_MEM_MODULE);
}

/* The managed allocation in which all of a range lies. */
static CUresult managed_find(CUdeviceptr address, size_t bytes, struct pl_cu_mem **mem_out)
{
	struct pl_cu_mem *mem = pl_cu_mem_find(address);
	if (!bytes || !is_managed(mem) || bytes > mem->bytes - (address - mem->va))
		return CUDA_ERROR_INVALID_VALUE;
	*mem_out = mem;
	return CUDA_SUCCESS;
}

static CUresult location_check(CUmemLocation location)
{
	switch (location.type) {
	case CU_MEM_LOCATION_TYPE_DEVICE:
		return pl_cu_device(location.id) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
	case CU_MEM_LOCATION_TYPE_HOST:
	case CU_MEM_LOCATION_TYPE_HOST_NUMA_CURRENT:
		return CUDA_SUCCESS;
	case CU_MEM_LOCATION_TYPE_HOST_NUMA:
		return location.id >= 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
	default:
		return CUDA_ERROR_INVALID_VALUE;
	}
}

CUresult cuMemAdvise_v2(CUdeviceptr address, size_t bytes, CUmem_advise advice, CUmemLocation location)
{
	struct pl_cu_mem *mem;
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (!r)
		r = managed_find(address, bytes, &mem);
	if (!r && !pl_cuda_advice_is_known(advice))
		r = CUDA_ERROR_INVALID_VALUE;
	if (!r && pl_cuda_advice_is_placed(advice))
		r = location_check(location);
	if (!r)
		pl_cuda_advice_set(&mem->advice, advice, location);
	return r;
}

CUresult cuMemAdvise(CUdeviceptr address, size_t bytes, CUmem_advise advice, CUdevice device)
{
	return cuMemAdvise_v2(address, bytes, advice, pl_cuda_location_of(device));
}

static CUresult prefetch(CUdeviceptr address, size_t bytes, CUmemLocation location, struct pl_cu_stream *stream)
{
	struct pl_cu_mem *mem;
	struct pl_cu_work work;
	CUresult r = managed_find(address, bytes, &mem);
	if (!r)
		r = location_check(location);
	if (!r)
		r = pl_cu_work_open(&work, stream, pl_cu_stream_engine(stream));
	if (r)
		return r;
	pl_cu_work_close(&work);
	mem->advice.prefetched = location;
	return CUDA_SUCCESS;
}

CUresult cuMemPrefetchAsync_v2(CUdeviceptr address, size_t bytes, CUmemLocation location, unsigned int flags,
			       CUstream handle)
{
	struct pl_cu_stream *stream;
	CUresult r = pl_cu_enter_stream(handle, &stream);
	if (!r && flags)
		r = CUDA_ERROR_INVALID_VALUE;
	return r ? r : prefetch(address, bytes, location, stream);
}

CUresult cuMemPrefetchAsync(CUdeviceptr address, size_t bytes, CUdevice device, CUstream stream)
{
	return cuMemPrefetchAsync_v2(address, bytes, pl_cuda_location_of(device), 0, stream);
}

static CUresult ranges_check(const CUdeviceptr *addresses, const size_t *sizes, size_t n)
{
	struct pl_cu_mem *mem;
	CUresult r = addresses && sizes && n ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
	for (size_t i = 0; i < n && !r; i++)
		r = managed_find(addresses[i], sizes[i], &mem);
	return r;
}

CUresult cuMemPrefetchBatchAsync(CUdeviceptr *addresses, size_t *sizes, size_t n, CUmemLocation *locations,
				 size_t *indices, size_t locations_n, unsigned long long flags, CUstream handle)
{
	struct pl_cu_stream *stream;
	size_t at = 0;
	CUresult r = pl_cu_enter_stream(handle, &stream);
	if (!r)
		r = ranges_check(addresses, sizes, n);
	if (!r && (!locations || !indices || !locations_n || locations_n > n || indices[0] || flags))
		r = CUDA_ERROR_INVALID_VALUE;
	for (size_t i = 0; i < n && !r; i++) {
		while (at + 1 < locations_n && indices[at + 1] <= i)
			at++;
		r = prefetch(addresses[i], sizes[i], locations[at], stream);
	}
	return r;
}

/* What is discarded may keep its content. */
CUresult cuMemDiscardBatchAsync(CUdeviceptr *addresses, size_t *sizes, size_t n, unsigned long long flags,
				CUstream handle)
{
	struct pl_cu_stream *stream;
	CUresult r = pl_cu_enter_stream(handle, &stream);
	if (!r)
		r = ranges_check(addresses, sizes, n);
	return !r && flags ? CUDA_ERROR_INVALID_VALUE : r;
}

CUresult cuMemDiscardAndPrefetchBatchAsync(CUdeviceptr *addresses, size_t *sizes, size_t n, CUmemLocation *locations,
					   size_t *indices, size_t locations_n, unsigned long long flags,
					   CUstream stream)
{
	return cuMemPrefetchBatchAsync(addresses, sizes, n, locations, indices, locations_n, flags, stream);
}

CUresult cuMemRangeGetAttribute(void *data, size_t bytes, CUmem_range_attribute attribute, CUdeviceptr address,
				size_t range_bytes)
{
	struct pl_cu_mem *mem;
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (!r && !data)
		r = CUDA_ERROR_INVALID_VALUE;
	if (!r)
		r = managed_find(address, range_bytes, &mem);
	return r ? r : pl_cuda_advice_get(&mem->advice, 0, attribute, data, bytes);
}

CUresult cuMemRangeGetAttributes(void **data, size_t *sizes, CUmem_range_attribute *attributes, size_t n,
				 CUdeviceptr address, size_t range_bytes)
{
	CUresult r = pl_cu_enter();
	if (!r && (!data || !sizes || !attributes || !n || n > RANGE_ATTRIBUTES_MAX))
		r = CUDA_ERROR_INVALID_VALUE;
	for (size_t i = 0; i < n && !r; i++)
		r = cuMemRangeGetAttribute(data[i], sizes[i], attributes[i], address, range_bytes);
	return r;
}

CUresult cuStreamAttachMemAsync(CUstream handle, CUdeviceptr address, size_t bytes, unsigned int flags)
{
	struct pl_cu_stream *stream;
	struct pl_cu_mem *mem;
	CUresult r = pl_cu_enter_stream(handle, &stream);
	if (r)
		return r;
	mem = pl_cu_mem_find(address);
	if (flags != CU_MEM_ATTACH_GLOBAL && flags != CU_MEM_ATTACH_HOST && flags != CU_MEM_ATTACH_SINGLE)
		return CUDA_ERROR_INVALID_VALUE;
	if (!is_managed(mem) || mem->va != address || (bytes && bytes != mem->bytes))
		return CUDA_ERROR_INVALID_VALUE;
	if (flags == CU_MEM_ATTACH_SINGLE && (uintptr_t)handle <= (uintptr_t)CU_STREAM_LEGACY)
		return CUDA_ERROR_INVALID_VALUE; /* of no one stream */
	return CUDA_SUCCESS;
}
