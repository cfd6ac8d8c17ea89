/* What an address can be asked. */
#include <string.h>

#include "client/cuda/memory.h"
#include "cuda/pointer.h"

#define ATTRIBUTES_MAX 256u

static CUcontext context_of(const struct pl_cuda_memory *memory)
{
	bool none = memory->kind == PL_CUDA_MEMORY_POOL || memory->kind == PL_CUDA_MEMORY_MAPPED || !memory->context;

	return none ? NULL : memory->context->object.handle;
}

static CUdevice device_of(const struct pl_cuda_memory *memory)
{
	switch (memory->kind) {
	case PL_CUDA_MEMORY_POOL:
	case PL_CUDA_MEMORY_GRAPH:
	case PL_CUDA_MEMORY_MAPPED:
		return memory->of_device;
	default:
		return memory->context ? memory->context->device : pl_cuda_device_first(memory->session);
	}
}

/* The pool that a stream's memory came from. */
static CUmemoryPool pool_of(const struct pl_cuda_memory *memory)
{
	CUmemoryPool pool = NULL;

	if (memory->kind != PL_CUDA_MEMORY_POOL)
		return NULL;
	if (memory->pool)
		return pl_cuda_object_of(memory->session, PL_CUDA_KIND_pool, memory->pool);
	(void)cuDeviceGetMemPool(&pool, memory->of_device);
	return pool;
}

CUresult cuMemGetAddressRange_v2(CUdeviceptr *base, size_t *bytes, CUdeviceptr address)
{
	struct pl_cuda_memory memory;
	CUresult result;

	if (!pl_cuda_current(&result))
		return result;
	if (!base && !bytes)
		return CUDA_ERROR_INVALID_VALUE;
	if (!pl_cuda_memory_find(address, &memory))
		return CUDA_ERROR_NOT_FOUND;
	if (base)
		*base = memory.address;
	if (bytes)
		*bytes = memory.bytes;
	return CUDA_SUCCESS;
}

static CUresult get(void *value, CUpointer_attribute attribute, const struct pl_cuda_memory *memory, uint64_t address)
{
	switch (attribute) {
	case CU_POINTER_ATTRIBUTE_CONTEXT:
		*(CUcontext *)value = context_of(memory);
		return CUDA_SUCCESS;
	case CU_POINTER_ATTRIBUTE_MEMORY_TYPE:
		*(CUmemorytype *)value = pl_cuda_memory_is_pinned(memory) ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE;
		return CUDA_SUCCESS;
	case CU_POINTER_ATTRIBUTE_DEVICE_POINTER:
		*(CUdeviceptr *)value = pl_cuda_memory_is_pinned(memory) && memory->device
						? memory->device + (address - memory->address)
						: address;
		return CUDA_SUCCESS;
	case CU_POINTER_ATTRIBUTE_HOST_POINTER:
		if (!pl_cuda_memory_is_pinned(memory) && !pl_cuda_memory_is_managed(memory))
			return CUDA_ERROR_INVALID_VALUE;
		*(void **)value = (void *)(uintptr_t)address;
		return CUDA_SUCCESS;
	case CU_POINTER_ATTRIBUTE_BUFFER_ID:
	case CU_POINTER_ATTRIBUTE_MEMORY_BLOCK_ID:
		*(unsigned long long *)value = memory->id;
		return CUDA_SUCCESS;
	case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL:
		*(int *)value = device_of(memory);
		return CUDA_SUCCESS;
	case CU_POINTER_ATTRIBUTE_RANGE_START_ADDR:
	case CU_POINTER_ATTRIBUTE_MAPPING_BASE_ADDR:
		*(CUdeviceptr *)value = memory->address;
		return CUDA_SUCCESS;
	case CU_POINTER_ATTRIBUTE_RANGE_SIZE:
	case CU_POINTER_ATTRIBUTE_MAPPING_SIZE:
		*(size_t *)value = memory->bytes;
		return CUDA_SUCCESS;
	case CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE:
		*(unsigned int *)value = memory->kind == PL_CUDA_MEMORY_DEVICE;
		return CUDA_SUCCESS;
	case CU_POINTER_ATTRIBUTE_MAPPED:
		*(unsigned int *)value = 1;
		return CUDA_SUCCESS;
	case CU_POINTER_ATTRIBUTE_SYNC_MEMOPS:
		*(unsigned int *)value = memory->sync_memops;
		return CUDA_SUCCESS;
	case CU_POINTER_ATTRIBUTE_IS_MANAGED:
		*(unsigned int *)value = pl_cuda_memory_is_managed(memory);
		return CUDA_SUCCESS;
	case CU_POINTER_ATTRIBUTE_IS_GPU_DIRECT_RDMA_CAPABLE:
	case CU_POINTER_ATTRIBUTE_IS_HW_DECOMPRESS_CAPABLE:
		*(unsigned int *)value = 0;
		return CUDA_SUCCESS;
	case CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES:
		*(unsigned long long *)value = memory->handle_types;
		return CUDA_SUCCESS;
	case CU_POINTER_ATTRIBUTE_ACCESS_FLAGS:
		*(unsigned long long *)value = pl_cuda_memory_access(memory);
		return CUDA_SUCCESS;
	case CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE:
		*(CUmemoryPool *)value = pool_of(memory);
		return CUDA_SUCCESS;
	case CU_POINTER_ATTRIBUTE_P2P_TOKENS:
		return CUDA_ERROR_NOT_SUPPORTED;
	default:
		return CUDA_ERROR_INVALID_VALUE;
	}
}

CUresult cuPointerGetAttribute(void *data, CUpointer_attribute attribute, CUdeviceptr address)
{
	struct pl_cuda_memory memory;
	CUresult result = pl_cuda_ready();

	if (result)
		return result;
	if (!data || !pl_cuda_memory_find(address, &memory))
		return CUDA_ERROR_INVALID_VALUE;
	return get(data, attribute, &memory, address);
}

/* Of an address that is none of the driver's, every value is 0 and that is no error; the device is -2 then. */
CUresult cuPointerGetAttributes(unsigned int attributes_count, CUpointer_attribute *attributes, void **data,
				CUdeviceptr address)
{
	struct pl_cuda_memory memory;
	CUresult result = pl_cuda_ready();
	bool found;

	if (result)
		return result;
	if (!attributes_count || attributes_count > ATTRIBUTES_MAX || !attributes || !data)
		return CUDA_ERROR_INVALID_VALUE;
	found = pl_cuda_memory_find(address, &memory);
	for (unsigned int i = 0; i < attributes_count; i++) {
		if (!data[i] || attributes[i] < CU_POINTER_ATTRIBUTE_CONTEXT ||
		    attributes[i] > CU_POINTER_ATTRIBUTE_IS_HW_DECOMPRESS_CAPABLE)
			return CUDA_ERROR_INVALID_VALUE;
		memset(data[i], 0, pl_cuda_pointer_bytes(attributes[i]));
		if (found)
			(void)get(data[i], attributes[i], &memory, address);
		else if (attributes[i] == CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL)
			*(int *)data[i] = CU_DEVICE_INVALID;
		else if (attributes[i] == CU_POINTER_ATTRIBUTE_HOST_POINTER)
			*(uint64_t *)data[i] = address;
	}
	return CUDA_SUCCESS;
}

static void sync_note(struct pl_cuda_memory *memory, void *arg)
{
	memory->sync_memops = *(const bool *)arg;
}

/* What is noted last is what the driver was told last. */
static CUresult sync_set(struct pl_session *session, const struct pl_cuda_memory *memory,
			 const struct pl_cuda_cuPointerSetAttribute_args *args)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	CUresult result = CUDA_SUCCESS;
	struct pl_reply reply;
	bool on = args->value;
	int r;

	pthread_mutex_lock(&lock);
	if (memory->kind == PL_CUDA_MEMORY_DEVICE) { /* managed memory in place is none of the driver's own */
		r = PL_CUDA_ASK(session, cuPointerSetAttribute, args, &reply);
		result = pl_cuda_answer(r, &reply);
	}
	if (!result)
		pl_cuda_memory_change(memory, sync_note, &on);
	pthread_mutex_unlock(&lock);
	return result;
}

CUresult cuPointerSetAttribute(const void *value, CUpointer_attribute attribute, CUdeviceptr address)
{
	struct pl_cuda_cuPointerSetAttribute_args args = { .address = address, .attribute = attribute };
	struct pl_cuda_memory memory;
	struct pl_session *session;
	CUresult result = pl_cuda_enter_at(PL_CUDA_OP_cuPointerSetAttribute, address, &session);

	if (result)
		return result;
	if (!value || attribute != CU_POINTER_ATTRIBUTE_SYNC_MEMOPS || !pl_cuda_memory_find(address, &memory) ||
	    (memory.kind != PL_CUDA_MEMORY_DEVICE && memory.kind != PL_CUDA_MEMORY_MANAGED))
		return CUDA_ERROR_INVALID_VALUE;
	args.value = *(const unsigned int *)value;
	return sync_set(session, &memory, &args);
}
