/* What an address can be asked. */
#include <string.h>

#include "cuda-api.h"
#include "cuda/pointer.h"
#include "mem.h"
#include "pool.h"
#include "vmm.h"

#define ATTRIBUTES_MAX 256u

static CUmemorytype type_of(const struct pl_cu_mem *mem)
{
	bool host = mem->kind == PL_CU_MEM_HOST || mem->kind == PL_CU_MEM_REGISTERED;
	return host ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE;
}

static CUmemAllocationHandleType handle_types(const struct pl_cu_mem *mem)
{
	if (mem->kind == PL_CU_MEM_MAPPED)
		return pl_cu_physical_handle_types(mem->physical);
	return mem->pool ? pl_cu_pool_handle_types(mem->pool) : CU_MEM_HANDLE_TYPE_NONE;
}

static CUresult host_pointer(void *value, const struct pl_cu_mem *mem, uint64_t address)
{
	if (pl_cu_mem_on_device(mem) || mem->kind == PL_CU_MEM_IPC || mem->kind == PL_CU_MEM_MAPPED)
		return CUDA_ERROR_INVALID_VALUE;
	*(void **)value = mem->host + (address - mem->va);
	return CUDA_SUCCESS;
}

static CUresult get(void *value, CUpointer_attribute attribute, const struct pl_cu_mem *mem, uint64_t address)
{
	switch (attribute) {
	case CU_POINTER_ATTRIBUTE_CONTEXT:
		*(CUcontext *)value = mem->kind == PL_CU_MEM_POOL || mem->kind == PL_CU_MEM_MAPPED ? NULL : mem->ctx;
		return CUDA_SUCCESS;
	case CU_POINTER_ATTRIBUTE_MEMORY_TYPE:
		*(CUmemorytype *)value = type_of(mem);
		return CUDA_SUCCESS;
	case CU_POINTER_ATTRIBUTE_DEVICE_POINTER:
		*(CUdeviceptr *)value = address;
		return CUDA_SUCCESS;
	case CU_POINTER_ATTRIBUTE_HOST_POINTER:
		return host_pointer(value, mem, address);
	case CU_POINTER_ATTRIBUTE_SYNC_MEMOPS:
		*(unsigned int *)value = mem->sync_memops;
		return CUDA_SUCCESS;
	case CU_POINTER_ATTRIBUTE_BUFFER_ID:
	case CU_POINTER_ATTRIBUTE_MEMORY_BLOCK_ID:
		*(unsigned long long *)value = mem->id;
		return CUDA_SUCCESS;
	case CU_POINTER_ATTRIBUTE_IS_MANAGED:
		*(unsigned int *)value = mem->kind == PL_CU_MEM_MANAGED || (mem->kind == PL_CU_MEM_MODULE && mem->host);
		return CUDA_SUCCESS;
	case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL:
		*(int *)value = mem->dev ? mem->dev->ordinal : 0;
		return CUDA_SUCCESS;
	case CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE:
		*(unsigned int *)value = mem->kind == PL_CU_MEM_DEVICE;
		return CUDA_SUCCESS;
	case CU_POINTER_ATTRIBUTE_RANGE_START_ADDR:
	case CU_POINTER_ATTRIBUTE_MAPPING_BASE_ADDR:
		*(CUdeviceptr *)value = mem->va;
		return CUDA_SUCCESS;
	case CU_POINTER_ATTRIBUTE_RANGE_SIZE:
	case CU_POINTER_ATTRIBUTE_MAPPING_SIZE:
		*(size_t *)value = mem->bytes;
		return CUDA_SUCCESS;
	case CU_POINTER_ATTRIBUTE_MAPPED:
		*(unsigned int *)value = 1;
		return CUDA_SUCCESS;
	case CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES:
		*(unsigned long long *)value = handle_types(mem);
		return CUDA_SUCCESS;
	case CU_POINTER_ATTRIBUTE_IS_GPU_DIRECT_RDMA_CAPABLE:
	case CU_POINTER_ATTRIBUTE_IS_HW_DECOMPRESS_CAPABLE:
		*(unsigned int *)value = 0;
		return CUDA_SUCCESS;
	case CU_POINTER_ATTRIBUTE_ACCESS_FLAGS:
		*(unsigned long long *)value = mem->kind == PL_CU_MEM_MAPPED
						       ? (unsigned long long)mem->access
						       : (mem->read_only ? CU_POINTER_ATTRIBUTE_ACCESS_FLAG_READ
									 : CU_POINTER_ATTRIBUTE_ACCESS_FLAG_READWRITE);
		return CUDA_SUCCESS;
	case CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE:
		*(CUmemoryPool *)value = mem->pool ? pl_cu_pool_handle(mem->pool) : NULL;
		return CUDA_SUCCESS;
	case CU_POINTER_ATTRIBUTE_P2P_TOKENS:
		return CUDA_ERROR_NOT_SUPPORTED;
	default:
		return CUDA_ERROR_INVALID_VALUE;
	}
}

CUresult cuPointerGetAttribute(void *value, CUpointer_attribute attribute, CUdeviceptr address)
{
	struct pl_cu_mem *mem;
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	mem = pl_cu_mem_find(address);
	if (!value || !mem || mem->kind == PL_CU_MEM_DRIVER)
		return CUDA_ERROR_INVALID_VALUE;
	return get(value, attribute, mem, address);
}

/* Of an address that is none of the driver's, every value is 0 and that is no error; the device is -2 then. */
CUresult cuPointerGetAttributes(unsigned int n, CUpointer_attribute *attributes, void **values, CUdeviceptr address)
{
	struct pl_cu_mem *mem;
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	if (!n || n > ATTRIBUTES_MAX || !attributes || !values)
		return CUDA_ERROR_INVALID_VALUE;
	mem = pl_cu_mem_find(address);
	if (mem && mem->kind == PL_CU_MEM_DRIVER)
		mem = NULL;
	for (unsigned int i = 0; i < n; i++) {
		if (!values[i] || attributes[i] < CU_POINTER_ATTRIBUTE_CONTEXT ||
		    attributes[i] > CU_POINTER_ATTRIBUTE_IS_HW_DECOMPRESS_CAPABLE)
			return CUDA_ERROR_INVALID_VALUE;
		memset(values[i], 0, pl_cuda_pointer_bytes(attributes[i]));
		if (mem)
			(void)get(values[i], attributes[i], mem, address);
		else if (attributes[i] == CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL)
			*(int *)values[i] = CU_DEVICE_INVALID;
		else if (attributes[i] == CU_POINTER_ATTRIBUTE_HOST_POINTER)
			*(uint64_t *)values[i] = address;
	}
	return CUDA_SUCCESS;
}

CUresult cuPointerSetAttribute(const void *value, CUpointer_attribute attribute, CUdeviceptr address)
{
	struct pl_cu_mem *mem;
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	mem = pl_cu_mem_find(address);
	if (!value || !mem || attribute != CU_POINTER_ATTRIBUTE_SYNC_MEMOPS ||
	    (mem->kind != PL_CU_MEM_DEVICE && mem->kind != PL_CU_MEM_MANAGED))
		return CUDA_ERROR_INVALID_VALUE;
	mem->sync_memops = *(const unsigned int *)value != 0;
	return CUDA_SUCCESS;
}
