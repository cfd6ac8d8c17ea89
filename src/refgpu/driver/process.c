/* Functions about the process and its tools, of which there are none here: what they are asked for is checked. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda-api.h"
#include "driver.h"

CUresult cuProfilerInitialize(const char *config_path, const char *output_path, CUoutput_mode mode)
{
	CUresult r = pl_cu_enter();
	(void)config_path, (void)output_path, (void)mode;
	return r ? r : CUDA_ERROR_NOT_SUPPORTED;
}

CUresult cuProfilerStart(void)
{
	struct pl_cu_ctx *ctx;
	return pl_cu_enter_ctx(&ctx);
}

CUresult cuProfilerStop(void)
{
	struct pl_cu_ctx *ctx;
	return pl_cu_enter_ctx(&ctx);
}

/* -- dumps of a failed device: not made; the report on stderr says more -----------------------------------------------
 */

static CUresult dump_get(CUcoredumpSettings setting, void *value, size_t *bytes)
{
	bool text = setting == CU_COREDUMP_FILE || setting == CU_COREDUMP_PIPE;
	if (!value || !bytes || setting < CU_COREDUMP_ENABLE_ON_EXCEPTION || setting >= CU_COREDUMP_MAX)
		return CUDA_ERROR_INVALID_VALUE;
	if (*bytes < (text ? 1 : sizeof(bool)))
		return CUDA_ERROR_INVALID_VALUE;
	memset(value, 0, text ? 1 : *bytes);
	return CUDA_SUCCESS;
}

CUresult cuCoredumpGetAttribute(CUcoredumpSettings setting, void *value, size_t *bytes)
{
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	return r ? r : dump_get(setting, value, bytes);
}

CUresult cuCoredumpGetAttributeGlobal(CUcoredumpSettings setting, void *value, size_t *bytes)
{
	return dump_get(setting, value, bytes);
}

CUresult cuCoredumpSetAttribute(CUcoredumpSettings setting, void *value, size_t *bytes)
{
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	(void)setting;
	return r ? r : !value || !bytes ? CUDA_ERROR_INVALID_VALUE : CUDA_ERROR_NOT_SUPPORTED;
}

CUresult cuCoredumpSetAttributeGlobal(CUcoredumpSettings setting, void *value, size_t *bytes)
{
	(void)setting;
	return !value || !bytes ? CUDA_ERROR_INVALID_VALUE : CUDA_ERROR_NOT_SUPPORTED;
}

/* -- calls when memory is short: it is never shorter than it was told to be -------------------------------------------
 */

struct CUasyncCallbackEntry_st {
	CUasyncCallback fn;
	void *user;
};

CUresult cuDeviceRegisterAsyncNotification(CUdevice device, CUasyncCallback fn, void *user,
					   CUasyncCallbackHandle *handle_out)
{
	struct CUasyncCallbackEntry_st *entry;
	struct pl_cu_dev *dev;
	CUresult r = pl_cu_enter_device(device, &dev);
	if (r)
		return r;
	if (!fn || !handle_out)
		return CUDA_ERROR_INVALID_VALUE;
	entry = malloc(sizeof(*entry));
	if (!entry)
		return CUDA_ERROR_OUT_OF_MEMORY;
	*entry = (struct CUasyncCallbackEntry_st){ fn, user };
	*handle_out = entry;
	return CUDA_SUCCESS;
}

CUresult cuDeviceUnregisterAsyncNotification(CUdevice device, CUasyncCallbackHandle handle)
{
	struct pl_cu_dev *dev;
	CUresult r = pl_cu_enter_device(device, &dev);
	if (!r && !handle)
		r = CUDA_ERROR_INVALID_VALUE;
	if (!r)
		free(handle);
	return r;
}
