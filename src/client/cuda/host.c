/*
 * Host memory that the API gives or registers.  For now it is the program's plain memory: copies of it work as copies
 * of any memory do, and kernels do not reach it (it has no device pointer).
 */
#include <errno.h>
#include <sys/mman.h>

#include "client/cuda/memory.h"

#define PAGE_BYTES 4096u

static CUresult host_alloc(void **pointer, size_t bytes, unsigned int flags)
{
	struct pl_cuda_memory memory = { .kind = PL_CUDA_MEMORY_HOST, .flags = flags };
	CUresult result;
	void *at;

	memory.context = pl_cuda_current(&result);
	if (!memory.context)
		return result;
	if (!pointer || !bytes ||
	    flags & ~(unsigned int)(CU_MEMHOSTALLOC_PORTABLE | CU_MEMHOSTALLOC_DEVICEMAP |
				    CU_MEMHOSTALLOC_WRITECOMBINED))
		return CUDA_ERROR_INVALID_VALUE;
	memory.bytes = (bytes + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1);
	at = memory.bytes < bytes
		     ? MAP_FAILED
		     : mmap(NULL, memory.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED)
		return CUDA_ERROR_OUT_OF_MEMORY;
	memory.address = (uintptr_t)at;
	if (!pl_cuda_memory_enter(&memory)) {
		munmap(at, memory.bytes);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	*pointer = at;
	return CUDA_SUCCESS;
}

CUresult cuMemHostAlloc(void **pointer, size_t bytes, unsigned int flags)
{
	return host_alloc(pointer, bytes, flags);
}

CUresult cuMemAllocHost_v2(void **pointer, size_t bytes)
{
	return host_alloc(pointer, bytes, 0);
}

CUresult cuMemAllocHost(void **pointer, unsigned int bytes)
{
	return host_alloc(pointer, bytes, 0);
}

CUresult cuMemFreeHost(void *pointer)
{
	struct pl_cuda_memory memory;
	CUresult result;

	if (!pl_cuda_current(&result))
		return result;
	if (!pl_cuda_memory_find((uintptr_t)pointer, &memory) || memory.address != (uintptr_t)pointer ||
	    memory.kind != PL_CUDA_MEMORY_HOST)
		return CUDA_ERROR_INVALID_VALUE;
	pl_cuda_memory_take(memory.address, &memory);
	munmap(pointer, memory.bytes);
	return CUDA_SUCCESS;
}

CUresult cuMemHostRegister_v2(void *pointer, size_t bytes, unsigned int flags)
{
	struct pl_cuda_memory memory = {
		.address = (uintptr_t)pointer, .bytes = bytes, .kind = PL_CUDA_MEMORY_REGISTERED, .flags = flags
	};
	CUresult result;

	memory.context = pl_cuda_current(&result);
	if (!memory.context)
		return result;
	if (!pointer || !bytes)
		return CUDA_ERROR_INVALID_VALUE;
	return pl_cuda_memory_enter(&memory) ? CUDA_SUCCESS : CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED;
}

CUresult cuMemHostRegister(void *pointer, size_t bytes, unsigned int flags)
{
	return cuMemHostRegister_v2(pointer, bytes, flags);
}

CUresult cuMemHostUnregister(void *pointer)
{
	struct pl_cuda_memory memory;
	CUresult result;

	if (!pl_cuda_current(&result))
		return result;
	if (!pl_cuda_memory_find((uintptr_t)pointer, &memory) || memory.address != (uintptr_t)pointer ||
	    memory.kind != PL_CUDA_MEMORY_REGISTERED)
		return CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED;
	pl_cuda_memory_take(memory.address, &memory);
	return CUDA_SUCCESS;
}

CUresult cuMemHostGetFlags(unsigned int *flags, void *pointer)
{
	struct pl_cuda_memory memory;
	CUresult result;

	if (!pl_cuda_current(&result))
		return result;
	if (!flags || !pl_cuda_memory_find((uintptr_t)pointer, &memory) || memory.kind != PL_CUDA_MEMORY_HOST)
		return CUDA_ERROR_INVALID_VALUE;
	*flags = memory.flags;
	return CUDA_SUCCESS;
}

CUresult cuMemHostGetDevicePointer_v2(CUdeviceptr *address, void *pointer, unsigned int flags)
{
	CUresult result;

	if (!pl_cuda_current(&result))
		return result;
	if (!address || flags || !pointer)
		return CUDA_ERROR_INVALID_VALUE;
	return CUDA_ERROR_NOT_SUPPORTED;
}
