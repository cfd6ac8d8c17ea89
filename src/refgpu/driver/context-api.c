/* Contexts as the API has them. */
#include "context.h"
#include "capture.h"
#include "cuda-api.h"
#include "driver.h"
#include "event.h"
#include "mem.h"
#include "pool.h"

#define PRIORITY_LEAST    0
#define PRIORITY_GREATEST -5
#define STACK_MAX         (512ull << 10)
#define PRINTF_MAX        (1ull << 30)
#define L2_FETCH_MAX      128u

static CUresult create(CUcontext *ctx_out, unsigned int flags, CUdevice device, unsigned int version)
{
	unsigned int schedule = flags & CU_CTX_SCHED_MASK;
	struct pl_cu_dev *dev;
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_device(device, &dev);
	if (r)
		return r;
	if (!ctx_out || flags & ~(unsigned int)CU_CTX_FLAGS_MASK || (schedule & (schedule - 1)))
		return CUDA_ERROR_INVALID_VALUE;
	r = pl_cu_ctx_create(&ctx, dev, flags, false);
	if (r)
		return r;
	ctx->api_version = version;
	r = pl_cu_ctx_push(ctx->handle);
	if (r) {
		pl_cu_ctx_destroy(ctx);
		return r;
	}
	*ctx_out = ctx->handle;
	return CUDA_SUCCESS;
}

CUresult cuCtxCreate(CUcontext *ctx_out, unsigned int flags, CUdevice device)
{
	return create(ctx_out, flags, device, 3010);
}

CUresult cuCtxCreate_v2(CUcontext *ctx_out, unsigned int flags, CUdevice device)
{
	return create(ctx_out, flags, device, 3020);
}

CUresult cuCtxCreate_v3(CUcontext *ctx_out, CUexecAffinityParam *affinity, int n, unsigned int flags, CUdevice device)
{
	if (n < 0 || (n && !affinity))
		return pl_cu_enter() ? pl_cu_enter() : CUDA_ERROR_INVALID_VALUE;
	if (n)
		return pl_cu_enter() ? pl_cu_enter() : CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY;
	return create(ctx_out, flags, device, 3020);
}

CUresult cuCtxCreate_v4(CUcontext *ctx_out, CUctxCreateParams *params, unsigned int flags, CUdevice device)
{
	if (params && params->cigParams)
		return pl_cu_enter() ? pl_cu_enter() : CUDA_ERROR_NOT_SUPPORTED;
	return cuCtxCreate_v3(ctx_out, params ? params->execAffinityParams : NULL,
			      params ? params->numExecAffinityParams : 0, flags, device);
}

CUresult cuCtxDestroy_v2(CUcontext handle)
{
	struct pl_cu_ctx *ctx;
	CUcontext popped;
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	ctx = pl_cu_ctx_of(handle);
	if (!ctx)
		return handle ? CUDA_ERROR_CONTEXT_IS_DESTROYED : CUDA_ERROR_INVALID_VALUE;
	if (ctx->primary)
		return CUDA_ERROR_INVALID_CONTEXT;
	if (pl_cu_ctx_top() == handle)
		(void)pl_cu_ctx_pop(&popped);
	return pl_cu_ctx_destroy(ctx) ? CUDA_SUCCESS : CUDA_ERROR_CONTEXT_IS_DESTROYED;
}

CUresult cuCtxDestroy(CUcontext handle)
{
	return cuCtxDestroy_v2(handle);
}

CUresult cuCtxAttach(CUcontext *ctx_out, unsigned int flags)
{
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (r)
		return r;
	if (!ctx_out || flags)
		return CUDA_ERROR_INVALID_VALUE;
	*ctx_out = ctx->handle;
	return CUDA_SUCCESS;
}

/* Contexts have one user since CUDA 4: attaching counts nothing, so that detaching ends the context. */
CUresult cuCtxDetach(CUcontext handle)
{
	return cuCtxDestroy_v2(handle);
}

CUresult cuCtxPushCurrent_v2(CUcontext handle)
{
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	if (!handle || !pl_cu_ctx_of(handle))
		return CUDA_ERROR_INVALID_CONTEXT;
	return pl_cu_ctx_push(handle);
}

CUresult cuCtxPushCurrent(CUcontext handle)
{
	return cuCtxPushCurrent_v2(handle);
}

CUresult cuCtxPopCurrent_v2(CUcontext *handle_out)
{
	CUcontext handle;
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	if (!pl_cu_ctx_pop(&handle))
		return CUDA_ERROR_INVALID_CONTEXT;
	if (handle_out)
		*handle_out = handle;
	return CUDA_SUCCESS;
}

CUresult cuCtxPopCurrent(CUcontext *handle_out)
{
	return cuCtxPopCurrent_v2(handle_out);
}

CUresult cuCtxSetCurrent(CUcontext handle)
{
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	if (handle && !pl_cu_ctx_of(handle))
		return CUDA_ERROR_INVALID_CONTEXT;
	return pl_cu_ctx_set_current(handle);
}

CUresult cuCtxGetCurrent(CUcontext *handle_out)
{
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	if (!handle_out)
		return CUDA_ERROR_INVALID_VALUE;
	*handle_out = pl_cu_ctx_top();
	return CUDA_SUCCESS;
}

CUresult cuCtxGetDevice_v2(CUdevice *device_out, CUcontext handle)
{
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	if (!device_out)
		return CUDA_ERROR_INVALID_VALUE;
	ctx = handle ? pl_cu_ctx_of(handle) : pl_cu_ctx_current();
	if (!ctx)
		return CUDA_ERROR_INVALID_CONTEXT;
	*device_out = ctx->dev->ordinal;
	return CUDA_SUCCESS;
}

CUresult cuCtxGetDevice(CUdevice *device_out)
{
	return cuCtxGetDevice_v2(device_out, NULL);
}

static CUresult ctx_get(CUcontext handle, struct pl_cu_ctx **ctx_out)
{
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	*ctx_out = handle ? pl_cu_ctx_of(handle) : pl_cu_ctx_current();
	return *ctx_out ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT;
}

CUresult cuCtxSynchronize_v2(CUcontext handle)
{
	struct pl_cu_ctx *ctx;
	CUresult r = ctx_get(handle, &ctx);
	if (!r)
		r = pl_cu_capture_forbid_ctx(ctx);
	if (!r)
		r = pl_cu_capture_unsafe();
	if (!r)
		r = pl_cu_ctx_wait(ctx);
	if (!r)
		pl_cu_pools_release(ctx);
	return r;
}

CUresult cuCtxSynchronize(void)
{
	return cuCtxSynchronize_v2(NULL);
}

CUresult cuCtxGetFlags(unsigned int *flags_out)
{
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (r)
		return r;
	if (!flags_out)
		return CUDA_ERROR_INVALID_VALUE;
	*flags_out = ctx->flags;
	return CUDA_SUCCESS;
}

CUresult cuCtxSetFlags(unsigned int flags)
{
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (r)
		return r;
	if (flags & ~(unsigned int)CU_CTX_FLAGS_MASK)
		return CUDA_ERROR_INVALID_VALUE;
	ctx->flags = flags;
	return CUDA_SUCCESS;
}

CUresult cuCtxGetId(CUcontext handle, unsigned long long *id_out)
{
	struct pl_cu_ctx *ctx;
	CUresult r = ctx_get(handle, &ctx);
	if (r)
		return handle && r == CUDA_ERROR_INVALID_CONTEXT ? CUDA_ERROR_CONTEXT_IS_DESTROYED : r;
	if (!id_out)
		return CUDA_ERROR_INVALID_VALUE;
	*id_out = ctx->id;
	return CUDA_SUCCESS;
}

CUresult cuCtxGetApiVersion(CUcontext handle, unsigned int *version_out)
{
	struct pl_cu_ctx *ctx;
	CUresult r = ctx_get(handle, &ctx);
	if (r)
		return r;
	if (!version_out)
		return CUDA_ERROR_INVALID_VALUE;
	*version_out = ctx->api_version;
	return CUDA_SUCCESS;
}

static CUresult limit_check(struct pl_cu_ctx *ctx, CUlimit limit, size_t value)
{
	switch (limit) {
	case CU_LIMIT_STACK_SIZE:
		return value <= STACK_MAX ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
	case CU_LIMIT_PRINTF_FIFO_SIZE:
		return value <= PRINTF_MAX ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
	case CU_LIMIT_MALLOC_HEAP_SIZE: /* not once it is in use */
		if (value > ctx->dev->hw->vram_bytes)
			return CUDA_ERROR_OUT_OF_MEMORY;
		return ctx->heap_va && value != ctx->heap_bytes ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
	case CU_LIMIT_MAX_L2_FETCH_GRANULARITY:
		return value <= L2_FETCH_MAX ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
	case CU_LIMIT_DEV_RUNTIME_SYNC_DEPTH:
	case CU_LIMIT_DEV_RUNTIME_PENDING_LAUNCH_COUNT:
	case CU_LIMIT_PERSISTING_L2_CACHE_SIZE:
		return CUDA_SUCCESS;
	case CU_LIMIT_SHMEM_SIZE:
	case CU_LIMIT_CIG_ENABLED:
	case CU_LIMIT_CIG_SHMEM_FALLBACK_ENABLED:
		return CUDA_ERROR_UNSUPPORTED_LIMIT;
	default:
		return CUDA_ERROR_INVALID_VALUE;
	}
}

CUresult cuCtxSetLimit(CUlimit limit, size_t value)
{
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (r)
		return r;
	pthread_mutex_lock(&ctx->lock);
	r = limit_check(ctx, limit, value);
	if (!r)
		ctx->limit[limit] = value;
	pthread_mutex_unlock(&ctx->lock);
	return r;
}

CUresult cuCtxGetLimit(size_t *value_out, CUlimit limit)
{
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (r)
		return r;
	if (!value_out || (unsigned int)limit >= CU_LIMIT_MAX)
		return CUDA_ERROR_INVALID_VALUE;
	if (limit == CU_LIMIT_SHMEM_SIZE) /* of contexts that share the device with a graphics API alone */
		return CUDA_ERROR_UNSUPPORTED_LIMIT;
	*value_out = ctx->limit[limit]; /* of CU_LIMIT_CIG_*: 0, it is no such context */
	return CUDA_SUCCESS;
}

CUresult cuCtxGetCacheConfig(CUfunc_cache *config_out)
{
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (r)
		return r;
	if (!config_out)
		return CUDA_ERROR_INVALID_VALUE;
	*config_out = ctx->cache;
	return CUDA_SUCCESS;
}

CUresult cuCtxSetCacheConfig(CUfunc_cache config)
{
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (r)
		return r;
	if ((unsigned int)config > CU_FUNC_CACHE_PREFER_EQUAL)
		return CUDA_ERROR_INVALID_VALUE;
	ctx->cache = config;
	return CUDA_SUCCESS;
}

CUresult cuCtxGetSharedMemConfig(CUsharedconfig *config_out)
{
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (r)
		return r;
	if (!config_out)
		return CUDA_ERROR_INVALID_VALUE;
	*config_out = CU_SHARED_MEM_CONFIG_FOUR_BYTE_BANK_SIZE;
	return CUDA_SUCCESS;
}

/* Banks of four bytes are what the device has; the choice is a preference and ignored, as on hardware since Maxwell. */
CUresult cuCtxSetSharedMemConfig(CUsharedconfig config)
{
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (!r && (unsigned int)config > CU_SHARED_MEM_CONFIG_EIGHT_BYTE_BANK_SIZE)
		r = CUDA_ERROR_INVALID_VALUE;
	return r;
}

CUresult cuCtxGetStreamPriorityRange(int *least_out, int *greatest_out)
{
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (r)
		return r;
	if (least_out)
		*least_out = PRIORITY_LEAST;
	if (greatest_out)
		*greatest_out = PRIORITY_GREATEST;
	return CUDA_SUCCESS;
}

CUresult cuCtxResetPersistingL2Cache(void)
{
	struct pl_cu_ctx *ctx;
	return pl_cu_enter_ctx(&ctx);
}

CUresult cuCtxGetExecAffinity(CUexecAffinityParam *affinity_out, CUexecAffinityType type)
{
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (r)
		return r;
	if (!affinity_out || (unsigned int)type >= CU_EXEC_AFFINITY_TYPE_MAX)
		return CUDA_ERROR_INVALID_VALUE;
	return CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY;
}

/* There is no peer: what is the peer of a context is not one of its own device. */
CUresult cuCtxEnablePeerAccess(CUcontext peer, unsigned int flags)
{
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (r)
		return r;
	if (flags)
		return CUDA_ERROR_INVALID_VALUE;
	if (!pl_cu_ctx_of(peer) || peer == ctx->handle)
		return CUDA_ERROR_INVALID_CONTEXT;
	return CUDA_ERROR_PEER_ACCESS_UNSUPPORTED;
}

CUresult cuCtxDisablePeerAccess(CUcontext peer)
{
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (r)
		return r;
	return pl_cu_ctx_of(peer) ? CUDA_ERROR_PEER_ACCESS_NOT_ENABLED : CUDA_ERROR_INVALID_CONTEXT;
}

CUresult cuCtxRecordEvent(CUcontext handle, CUevent event_handle)
{
	struct pl_cu_event *event;
	struct pl_cu_ctx *ctx;
	CUresult r = ctx_get(handle, &ctx);
	if (r)
		return r;
	event = pl_cuda_handle_held(event_handle, PL_CU_EVENT);
	return event ? pl_cu_event_record_all(event, ctx) : CUDA_ERROR_INVALID_HANDLE;
}

CUresult cuCtxWaitEvent(CUcontext handle, CUevent event_handle)
{
	struct pl_cu_event *event;
	struct pl_cu_ctx *ctx;
	CUresult r = ctx_get(handle, &ctx);
	if (r)
		return r;
	event = pl_cuda_handle_held(event_handle, PL_CU_EVENT);
	return event ? pl_cu_event_wait_all(event, ctx) : CUDA_ERROR_INVALID_HANDLE;
}
