#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cuda-api.h"
#include "vmm.h"

#define GRANULARITY PL_CU_VA_GRANULE

struct pl_cu_physical {
	uint64_t handle;
	struct pl_cu_dev *dev;
	CUmemAllocationProp prop;
	uint64_t bytes;
	struct pl_cu_extents extents; /* VRAM, or */
	char *host;                   /* memory that other processes can map, by */
	int fd;
	unsigned int refs, users; /* under lock: mappings and retained handles; of the latter alone */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct pl_cuda_ranges reserved; /* under lock: what cuMemAddressReserve() gave */

CUmemAllocationHandleType pl_cu_physical_handle_types(const struct pl_cu_physical *physical)
{
	return physical->prop.requestedHandleTypes;
}

static void physical_free(void *arg)
{
	struct pl_cu_physical *physical = arg;
	pl_cu_vram_give(physical->dev->hw, &physical->extents);
	if (physical->host)
		munmap(physical->host, physical->bytes);
	if (physical->fd >= 0)
		close(physical->fd);
	free(physical);
}

static void physical_unref(struct pl_cu_physical *physical)
{
	bool last;
	pthread_mutex_lock(&lock);
	last = !--physical->refs;
	pthread_mutex_unlock(&lock);
	if (last)
		(void)pl_cuda_handle_retire(physical->handle, physical_free);
}

/* -- addresses ------------------------------------------------------------------------------------------------------
 */

CUresult cuMemAddressReserve(CUdeviceptr *address_out, size_t bytes, size_t align, CUdeviceptr hint,
			     unsigned long long flags)
{
	uint64_t va;
	int r = -ENOSPC;
	CUresult result = pl_cu_enter();
	if (result)
		return result;
	if (!address_out || !bytes || bytes % GRANULARITY || flags || (align & (align - 1)))
		return CUDA_ERROR_INVALID_VALUE;
	if (hint && !(hint % GRANULARITY) && (!align || !(hint % align)))
		r = pl_cu_va_take_at(hint, bytes);
	va = hint;
	if (r)
		r = pl_cu_va_take(bytes, align > GRANULARITY ? align : GRANULARITY, &va);
	if (r)
		return CUDA_ERROR_OUT_OF_MEMORY;
	pthread_mutex_lock(&lock);
	r = pl_cuda_ranges_insert(&reserved, va, bytes, NULL);
	pthread_mutex_unlock(&lock);
	if (r) {
		pl_cu_va_give(va, bytes);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	*address_out = va;
	return CUDA_SUCCESS;
}

CUresult cuMemAddressFree(CUdeviceptr address, size_t bytes)
{
	struct pl_cuda_range *range;
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	if (!bytes || pl_cu_mem_is_any(address, bytes))
		return CUDA_ERROR_INVALID_VALUE;
	pthread_mutex_lock(&lock);
	range = pl_cuda_ranges_find(&reserved, address);
	if (range && range->start == address && range->size == bytes)
		pl_cuda_ranges_remove(&reserved, range);
	else
		r = CUDA_ERROR_INVALID_VALUE;
	pthread_mutex_unlock(&lock);
	if (!r)
		pl_cu_va_give(address, bytes);
	return r;
}

/* -- memory ---------------------------------------------------------------------------------------------------------
 */

static CUresult prop_check(const CUmemAllocationProp *prop, struct pl_cu_dev **dev_out)
{
	if (!prop || prop->type != CU_MEM_ALLOCATION_TYPE_PINNED)
		return CUDA_ERROR_INVALID_VALUE;
	if (prop->location.type == CU_MEM_LOCATION_TYPE_HOST || prop->location.type == CU_MEM_LOCATION_TYPE_HOST_NUMA ||
	    prop->location.type == CU_MEM_LOCATION_TYPE_HOST_NUMA_CURRENT)
		return CUDA_ERROR_NOT_SUPPORTED;
	if (prop->location.type != CU_MEM_LOCATION_TYPE_DEVICE)
		return CUDA_ERROR_INVALID_VALUE;
	*dev_out = pl_cu_device(prop->location.id);
	if (!*dev_out)
		return CUDA_ERROR_INVALID_DEVICE;
	if (prop->requestedHandleTypes & ~(unsigned int)CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR)
		return CUDA_ERROR_NOT_SUPPORTED;
	return CUDA_SUCCESS;
}

static int backing_create(struct pl_cu_physical *physical)
{
	if (!(physical->prop.requestedHandleTypes & CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR))
		return pl_cu_vram_take(physical->dev->hw, physical->bytes, &physical->extents);
	if (physical->fd < 0) {
		physical->fd = memfd_create("plenum-refgpu", MFD_CLOEXEC);
		if (physical->fd < 0 || ftruncate(physical->fd, (off_t)physical->bytes))
			return -ENOSPC;
	}
	physical->host = mmap(NULL, physical->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, physical->fd, 0);
	if (physical->host != MAP_FAILED)
		return 0;
	physical->host = NULL;
	return -ENOSPC;
}

static CUresult physical_create(CUmemGenericAllocationHandle *handle_out, struct pl_cu_dev *dev, uint64_t bytes,
				const CUmemAllocationProp *prop, int fd)
{
	struct pl_cu_physical *physical = calloc(1, sizeof(*physical));
	CUresult r;
	if (!physical)
		return CUDA_ERROR_OUT_OF_MEMORY;
	*physical =
		(struct pl_cu_physical){ .dev = dev, .prop = *prop, .bytes = bytes, .fd = fd, .refs = 1, .users = 1 };
	r = pl_cu_result_of(backing_create(physical));
	if (!r) {
		physical->handle = pl_cuda_handle_create(PL_CU_PHYSICAL, physical);
		r = physical->handle ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
	}
	if (r)
		physical_free(physical);
	else
		*handle_out = physical->handle;
	return r;
}

CUresult cuMemCreate(CUmemGenericAllocationHandle *handle_out, size_t bytes, const CUmemAllocationProp *prop,
		     unsigned long long flags)
{
	struct pl_cu_dev *dev;
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	if (!handle_out || !bytes || bytes % GRANULARITY || flags)
		return CUDA_ERROR_INVALID_VALUE;
	r = prop_check(prop, &dev);
	return r ? r : physical_create(handle_out, dev, bytes, prop, -1);
}

static CUresult physical_get(CUmemGenericAllocationHandle handle, struct pl_cu_physical **physical_out)
{
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	*physical_out = pl_cuda_handle_hold(handle, PL_CU_PHYSICAL);
	return *physical_out && __atomic_load_n(&(*physical_out)->users, __ATOMIC_RELAXED) ? CUDA_SUCCESS
											   : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuMemRelease(CUmemGenericAllocationHandle handle)
{
	struct pl_cu_physical *physical;
	CUresult r = physical_get(handle, &physical);
	if (r)
		return r;
	pthread_mutex_lock(&lock);
	if (physical->users)
		__atomic_store_n(&physical->users, physical->users - 1, __ATOMIC_RELAXED);
	else
		r = CUDA_ERROR_INVALID_VALUE;
	pthread_mutex_unlock(&lock);
	if (!r)
		physical_unref(physical);
	return r;
}

CUresult cuMemRetainAllocationHandle(CUmemGenericAllocationHandle *handle_out, void *address)
{
	struct pl_cu_mem *mem;
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	mem = pl_cu_mem_find((uint64_t)(uintptr_t)address);
	if (!handle_out || !mem || mem->kind != PL_CU_MEM_MAPPED)
		return CUDA_ERROR_INVALID_VALUE;
	pthread_mutex_lock(&lock);
	mem->physical->refs++;
	__atomic_store_n(&mem->physical->users, mem->physical->users + 1, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&lock);
	*handle_out = mem->physical->handle;
	return CUDA_SUCCESS;
}

CUresult cuMemGetAllocationGranularity(size_t *bytes_out, const CUmemAllocationProp *prop,
				       CUmemAllocationGranularity_flags option)
{
	struct pl_cu_dev *dev;
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	if (!bytes_out || (unsigned int)option > CU_MEM_ALLOC_GRANULARITY_RECOMMENDED)
		return CUDA_ERROR_INVALID_VALUE;
	r = prop_check(prop, &dev);
	if (!r)
		*bytes_out = GRANULARITY;
	return r;
}

CUresult cuMemGetAllocationPropertiesFromHandle(CUmemAllocationProp *prop_out, CUmemGenericAllocationHandle handle)
{
	struct pl_cu_physical *physical;
	CUresult r = physical_get(handle, &physical);
	if (r)
		return r;
	if (!prop_out)
		return CUDA_ERROR_INVALID_VALUE;
	*prop_out = physical->prop;
	return CUDA_SUCCESS;
}

CUresult cuMemExportToShareableHandle(void *shareable, CUmemGenericAllocationHandle handle,
				      CUmemAllocationHandleType type, unsigned long long flags)
{
	struct pl_cu_physical *physical;
	int fd;
	CUresult r = physical_get(handle, &physical);
	if (r)
		return r;
	if (!shareable || flags || type != CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR ||
	    !(physical->prop.requestedHandleTypes & CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR))
		return CUDA_ERROR_INVALID_VALUE;
	fd = dup(physical->fd);
	if (fd < 0)
		return CUDA_ERROR_OPERATING_SYSTEM;
	*(int *)shareable = fd;
	return CUDA_SUCCESS;
}

CUresult cuMemImportFromShareableHandle(CUmemGenericAllocationHandle *handle_out, void *shareable,
					CUmemAllocationHandleType type)
{
	static const CUmemAllocationProp prop = {
		.type = CU_MEM_ALLOCATION_TYPE_PINNED,
		.requestedHandleTypes = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR,
		.location = { CU_MEM_LOCATION_TYPE_DEVICE, 0 },
	};
	struct stat stat;
	int fd;
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	if (!handle_out || type != CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR)
		return CUDA_ERROR_INVALID_VALUE;
	fd = dup((int)(intptr_t)shareable);
	if (fd < 0)
		return CUDA_ERROR_INVALID_VALUE;
	if (fstat(fd, &stat) || stat.st_size <= 0 || (uint64_t)stat.st_size % GRANULARITY) {
		close(fd);
		return CUDA_ERROR_INVALID_VALUE;
	}
	return physical_create(handle_out, pl_cu_device(0), (uint64_t)stat.st_size, &prop, fd);
}

/* -- mappings --------------------------------------------------------------------------------------------------------
 */

static bool is_reserved(uint64_t va, uint64_t bytes)
{
	struct pl_cuda_range *range;
	bool is;
	pthread_mutex_lock(&lock);
	range = pl_cuda_ranges_find(&reserved, va);
	is = range && bytes <= range->size - (va - range->start);
	pthread_mutex_unlock(&lock);
	return is;
}

CUresult cuMemMap(CUdeviceptr address, size_t bytes, size_t offset, CUmemGenericAllocationHandle handle,
		  unsigned long long flags)
{
	struct pl_cu_physical *physical;
	struct pl_cu_mem *mem;
	CUresult r = physical_get(handle, &physical);
	if (r)
		return r;
	if (!bytes || address % GRANULARITY || offset % GRANULARITY || flags || offset > physical->bytes)
		return CUDA_ERROR_INVALID_VALUE;
	if (bytes % GRANULARITY || bytes > physical->bytes - offset)
		return CUDA_ERROR_NOT_SUPPORTED; /* as driver 580 on an H100 and an H200 has it */
	if (!is_reserved(address, bytes))
		return CUDA_ERROR_INVALID_VALUE;
	mem = calloc(1, sizeof(*mem));
	if (!mem)
		return CUDA_ERROR_OUT_OF_MEMORY;
	*mem = (struct pl_cu_mem){ .kind = PL_CU_MEM_MAPPED,
				   .va = address,
				   .bytes = bytes,
				   .mapped_bytes = bytes,
				   .id = pl_cu_mem_next_id(),
				   .dev = physical->dev,
				   .fd = -1,
				   .physical = physical };
	mem->physical_offset = physical->host ? 0 : offset;
	mem->extents = physical->extents;
	mem->host = physical->host ? physical->host + offset : NULL;
	pthread_mutex_lock(&lock);
	physical->refs++;
	pthread_mutex_unlock(&lock);
	if (pl_cu_mem_insert(mem)) {
		physical_unref(physical);
		free(mem);
		return CUDA_ERROR_INVALID_VALUE; /* something is mapped there */
	}
	return CUDA_SUCCESS;
}

/* The page tables of one mapping. */
static int mapping_write(struct pl_cu_mem *mem, bool read_only)
{
	struct pl_cu_hw *hw = mem->dev->hw;
	uint64_t skip = mem->physical_offset, va = mem->va, left = mem->bytes;
	int r = 0;
	if (mem->host)
		return pl_cu_vm_map_host(hw, va, mem->host, left, read_only);
	for (uint32_t i = 0; i < mem->extents.n && left && !r; i++) {
		struct pl_cu_extent extent = mem->extents.extent[i];
		uint64_t part;
		if (skip >= extent.bytes) {
			skip -= extent.bytes;
			continue;
		}
		part = extent.bytes - skip < left ? extent.bytes - skip : left;
		r = pl_cu_vm_map_vram(hw, va, extent.address + skip, part, read_only);
		va += part;
		left -= part;
		skip = 0;
	}
	return r;
}

/* Calls fn for each mapping of a range, which must be whole mappings without a gap. */
static CUresult mappings_each(uint64_t va, uint64_t bytes, CUresult (*fn)(struct pl_cu_mem *mem, int arg), int arg)
{
	uint64_t end = va + bytes;
	for (int pass = 0; pass < 2; pass++) {
		for (uint64_t at = va; at < end;) {
			struct pl_cu_mem *mem = pl_cu_mem_find(at);
			CUresult r;
			if (!mem || mem->kind != PL_CU_MEM_MAPPED || mem->va != at || mem->bytes > end - at)
				return CUDA_ERROR_INVALID_VALUE;
			at += mem->bytes;
			r = pass ? fn(mem, arg) : CUDA_SUCCESS;
			if (r)
				return r;
		}
	}
	return CUDA_SUCCESS;
}

static CUresult unmap_one(struct pl_cu_mem *mem, int unused)
{
	struct pl_cu_physical *physical = mem->physical;
	(void)unused;
	mem->extents = (struct pl_cu_extents){ 0 }; /* the physical memory's */
	mem->host = NULL;
	pl_cu_mem_destroy(mem);
	physical_unref(physical);
	return CUDA_SUCCESS;
}

CUresult cuMemUnmap(CUdeviceptr address, size_t bytes)
{
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	if (!bytes || address + bytes < address)
		return CUDA_ERROR_INVALID_VALUE;
	return mappings_each(address, bytes, unmap_one, 0);
}

static CUresult access_one(struct pl_cu_mem *mem, int flags)
{
	int r = 0;
	if (flags == CU_MEM_ACCESS_FLAGS_PROT_NONE) {
		pl_cu_vm_unmap(mem->dev->hw, mem->va, mem->bytes);
	} else {
		r = mapping_write(mem, flags == CU_MEM_ACCESS_FLAGS_PROT_READ);
		if (mem->access != CU_MEM_ACCESS_FLAGS_PROT_NONE)
			pl_cu_vm_flush(mem->dev->hw); /* engines keep what it was, more rights or fewer */
	}
	if (!r)
		mem->access = (CUmemAccess_flags)flags;
	return pl_cu_result_of(r);
}

CUresult cuMemSetAccess(CUdeviceptr address, size_t bytes, const CUmemAccessDesc *desc, size_t n)
{
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	if (!bytes || address + bytes < address || !desc || !n)
		return CUDA_ERROR_INVALID_VALUE;
	for (size_t i = 0; i < n && !r; i++) {
		if (desc[i].location.type != CU_MEM_LOCATION_TYPE_DEVICE)
			r = CUDA_ERROR_INVALID_VALUE;
		else if (!pl_cu_device(desc[i].location.id))
			r = CUDA_ERROR_INVALID_DEVICE;
		else if (desc[i].flags != CU_MEM_ACCESS_FLAGS_PROT_NONE &&
			 desc[i].flags != CU_MEM_ACCESS_FLAGS_PROT_READ &&
			 desc[i].flags != CU_MEM_ACCESS_FLAGS_PROT_READWRITE)
			r = CUDA_ERROR_INVALID_VALUE;
		else
			r = mappings_each(address, bytes, access_one, (int)desc[i].flags);
	}
	return r;
}

CUresult cuMemGetAccess(unsigned long long *flags_out, const CUmemLocation *location, CUdeviceptr address)
{
	struct pl_cu_mem *mem;
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	mem = pl_cu_mem_find(address);
	if (!flags_out || !location || location->type != CU_MEM_LOCATION_TYPE_DEVICE || !mem)
		return CUDA_ERROR_INVALID_VALUE;
	if (!pl_cu_device(location->id))
		return CUDA_ERROR_INVALID_DEVICE;
	*flags_out =
		mem->kind == PL_CU_MEM_MAPPED ? (unsigned long long)mem->access : CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
	return CUDA_SUCCESS;
}

/* Memory has no DMA buffer. */
CUresult cuMemGetHandleForAddressRange(void *handle, CUdeviceptr address, size_t bytes, CUmemRangeHandleType type,
				       unsigned long long flags)
{
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	if (!handle || !bytes || type != CU_MEM_RANGE_HANDLE_TYPE_DMA_BUF_FD || flags || !pl_cu_mem_find(address))
		return CUDA_ERROR_INVALID_VALUE;
	return CUDA_ERROR_NOT_SUPPORTED;
}
