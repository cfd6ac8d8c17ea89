/* The context that each device has for the runtime. */
#include "cuda-api.h"
#include "driver.h"

CUresult pl_cu_primary_retain(struct pl_cu_ctx **ctx_out, struct pl_cu_dev *dev)
{
	CUresult r = CUDA_SUCCESS;
	pthread_mutex_lock(&dev->lock);
	if (!dev->primary)
		r = pl_cu_ctx_create(&dev->primary, dev, dev->primary_flags, true);
	if (!r) {
		dev->primary_refs++;
		*ctx_out = pl_cu_ctx_of(dev->primary->handle); /* for this call */
	}
	pthread_mutex_unlock(&dev->lock);
	return r;
}

CUresult cuDevicePrimaryCtxRetain(CUcontext *ctx_out, CUdevice device)
{
	struct pl_cu_dev *dev;
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_device(device, &dev);
	if (r)
		return r;
	if (!ctx_out)
		return CUDA_ERROR_INVALID_VALUE;
	r = pl_cu_primary_retain(&ctx, dev);
	if (!r)
		*ctx_out = ctx->handle;
	return r;
}

CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device)
{
	struct pl_cu_ctx *gone = NULL;
	struct pl_cu_dev *dev;
	CUresult r = pl_cu_enter_device(device, &dev);
	if (r)
		return r;
	pthread_mutex_lock(&dev->lock);
	if (!dev->primary_refs) {
		r = CUDA_ERROR_INVALID_CONTEXT;
	} else if (!--dev->primary_refs) {
		gone = dev->primary;
		dev->primary = NULL;
	}
	pthread_mutex_unlock(&dev->lock);
	if (gone)
		pl_cu_ctx_destroy(gone);
	return r;
}

CUresult cuDevicePrimaryCtxRelease(CUdevice device)
{
	return cuDevicePrimaryCtxRelease_v2(device);
}

/* Whoever holds it holds a context that is destroyed, and releases it all the same; it is made anew when somebody asks.
 */
CUresult cuDevicePrimaryCtxReset_v2(CUdevice device)
{
	struct pl_cu_ctx *gone;
	struct pl_cu_dev *dev;
	CUresult r = pl_cu_enter_device(device, &dev);
	if (r)
		return r;
	pthread_mutex_lock(&dev->lock);
	gone = dev->primary;
	dev->primary = NULL;
	pthread_mutex_unlock(&dev->lock);
	if (gone)
		pl_cu_ctx_destroy(gone);
	return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxReset(CUdevice device)
{
	return cuDevicePrimaryCtxReset_v2(device);
}

static bool flags_valid(unsigned int flags)
{
	unsigned int schedule = flags & CU_CTX_SCHED_MASK;
	return !(flags & ~(unsigned int)CU_CTX_FLAGS_MASK) &&
	       (schedule == CU_CTX_SCHED_AUTO || schedule == CU_CTX_SCHED_SPIN || schedule == CU_CTX_SCHED_YIELD ||
		schedule == CU_CTX_SCHED_BLOCKING_SYNC);
}

CUresult cuDevicePrimaryCtxSetFlags_v2(CUdevice device, unsigned int flags)
{
	struct pl_cu_dev *dev;
	CUresult r = pl_cu_enter_device(device, &dev);
	if (r)
		return r;
	if (!flags_valid(flags))
		return CUDA_ERROR_INVALID_VALUE;
	pthread_mutex_lock(&dev->lock);
	dev->primary_flags = flags;
	if (dev->primary)
		dev->primary->flags = flags;
	pthread_mutex_unlock(&dev->lock);
	return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxSetFlags(CUdevice device, unsigned int flags)
{
	return cuDevicePrimaryCtxSetFlags_v2(device, flags);
}

CUresult cuDevicePrimaryCtxGetState(CUdevice device, unsigned int *flags_out, int *active_out)
{
	struct pl_cu_dev *dev;
	CUresult r = pl_cu_enter_device(device, &dev);
	if (r)
		return r;
	if (!flags_out || !active_out)
		return CUDA_ERROR_INVALID_VALUE;
	pthread_mutex_lock(&dev->lock);
	*flags_out = dev->primary_flags;
	*active_out = dev->primary != NULL;
	pthread_mutex_unlock(&dev->lock);
	return CUDA_SUCCESS;
}
