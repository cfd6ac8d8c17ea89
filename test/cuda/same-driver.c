/* The reference GPU's driver, which gives another process' memory one address however often it is opened, as hardware's
 * does; it takes all such memory for the same. */
#include <dlfcn.h>

#include "cuda-api.h"

#pragma GCC visibility push(default)

static struct {
	CUdeviceptr address;
	unsigned int times;
} opened;

CUresult cuIpcOpenMemHandle_v2(CUdeviceptr *address, CUipcMemHandle handle, unsigned int flags)
{
	CUresult result = opened.times ? CUDA_SUCCESS : cuIpcOpenMemHandle(&opened.address, handle, flags);

	if (result)
		return result;
	opened.times++;
	*address = opened.address;
	return CUDA_SUCCESS;
}

CUresult cuIpcCloseMemHandle(CUdeviceptr address)
{
	__typeof__(&cuIpcCloseMemHandle) next =
		(__typeof__(&cuIpcCloseMemHandle))dlsym(RTLD_NEXT, "cuIpcCloseMemHandle");

	if (!opened.times || address != opened.address)
		return CUDA_ERROR_INVALID_VALUE;
	return --opened.times ? CUDA_SUCCESS : next(address);
}
