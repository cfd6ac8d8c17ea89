/* Streams as the API has them. */
#include <string.h>

#include "capture.h"
#include "cuda-api.h"
#include "event.h"
#include "pool.h"
#include "stream.h"

#define PRIORITY_LEAST    0
#define PRIORITY_GREATEST -5

CUresult cuStreamCreateWithPriority(CUstream *stream_out, unsigned int flags, int priority)
{
	struct pl_cu_stream *stream;
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (r)
		return r;
	if (!stream_out || flags > CU_STREAM_NON_BLOCKING)
		return CUDA_ERROR_INVALID_VALUE;
	if (priority > PRIORITY_LEAST)
		priority = PRIORITY_LEAST;
	if (priority < PRIORITY_GREATEST)
		priority = PRIORITY_GREATEST;
	r = pl_cu_stream_create(&stream, ctx, flags, priority);
	if (r)
		return r;
	r = pl_cu_event_waits_join(stream);
	if (r)
		pl_cu_stream_destroy(stream);
	else
		*stream_out = stream->handle;
	return r;
}

CUresult cuStreamCreate(CUstream *stream_out, unsigned int flags)
{
	return cuStreamCreateWithPriority(stream_out, flags, 0);
}

/* What was given to it is still done: nobody waits for that here. */
CUresult cuStreamDestroy_v2(CUstream handle)
{
	struct pl_cu_stream *stream;
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	stream = pl_cuda_handle_held(handle, PL_CU_STREAM);
	if (!stream || stream->legacy || stream->per_thread)
		return CUDA_ERROR_INVALID_HANDLE;
	return pl_cu_stream_destroy(stream) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

CUresult cuStreamDestroy(CUstream handle)
{
	return cuStreamDestroy_v2(handle);
}

CUresult cuStreamSynchronize(CUstream handle)
{
	struct pl_cu_stream *stream;
	CUresult r = pl_cu_enter_stream(handle, &stream);
	if (!r)
		r = pl_cu_capture_forbid(stream);
	if (!r)
		r = pl_cu_capture_unsafe();
	if (!r)
		r = pl_cu_stream_wait(stream);
	if (!r)
		pl_cu_pools_release(stream->ctx);
	return r;
}

CUresult cuStreamQuery(CUstream handle)
{
	struct pl_cu_stream *stream;
	CUresult r = pl_cu_enter_stream(handle, &stream);
	if (!r)
		r = pl_cu_capture_forbid(stream);
	if (!r)
		r = pl_cu_capture_unsafe();
	if (r)
		return r;
	pl_cu_stream_reap(stream);
	return pl_cu_stream_idle(stream) ? pl_cu_ctx_error(stream->ctx) : CUDA_ERROR_NOT_READY;
}

CUresult cuStreamGetPriority(CUstream handle, int *priority_out)
{
	struct pl_cu_stream *stream;
	CUresult r = pl_cu_enter_stream(handle, &stream);
	if (!r && !priority_out)
		r = CUDA_ERROR_INVALID_VALUE;
	if (!r)
		*priority_out = stream->priority;
	return r;
}

CUresult cuStreamGetFlags(CUstream handle, unsigned int *flags_out)
{
	struct pl_cu_stream *stream;
	CUresult r = pl_cu_enter_stream(handle, &stream);
	if (!r && !flags_out)
		r = CUDA_ERROR_INVALID_VALUE;
	if (!r)
		*flags_out = stream->flags;
	return r;
}

CUresult cuStreamGetId(CUstream handle, unsigned long long *id_out)
{
	struct pl_cu_stream *stream;
	CUresult r = pl_cu_enter_stream(handle, &stream);
	if (!r && !id_out)
		r = CUDA_ERROR_INVALID_VALUE;
	if (!r)
		*id_out = stream->id;
	return r;
}

CUresult cuStreamGetDevice(CUstream handle, CUdevice *device_out)
{
	struct pl_cu_stream *stream;
	CUresult r = pl_cu_enter_stream(handle, &stream);
	if (!r && !device_out)
		r = CUDA_ERROR_INVALID_VALUE;
	if (!r)
		*device_out = stream->ctx->dev->ordinal;
	return r;
}

CUresult cuStreamGetCtx_v2(CUstream handle, CUcontext *ctx_out, CUgreenCtx *green_out)
{
	struct pl_cu_stream *stream;
	CUresult r = pl_cu_enter_stream(handle, &stream);
	if (!r && (!ctx_out || !green_out))
		r = CUDA_ERROR_INVALID_VALUE;
	if (r)
		return r;
	*ctx_out = stream->ctx->handle;
	*green_out = NULL;
	return CUDA_SUCCESS;
}

CUresult cuStreamGetCtx(CUstream handle, CUcontext *ctx_out)
{
	CUgreenCtx green;
	return cuStreamGetCtx_v2(handle, ctx_out, &green);
}

CUresult cuStreamGetGreenCtx(CUstream handle, CUgreenCtx *green_out)
{
	CUcontext ctx;
	return cuStreamGetCtx_v2(handle, &ctx, green_out);
}

static bool attribute_known(CUstreamAttrID attribute)
{
	return attribute == CU_STREAM_ATTRIBUTE_ACCESS_POLICY_WINDOW ||
	       attribute == CU_STREAM_ATTRIBUTE_SYNCHRONIZATION_POLICY || attribute == CU_STREAM_ATTRIBUTE_PRIORITY ||
	       attribute == CU_STREAM_ATTRIBUTE_MEM_SYNC_DOMAIN_MAP || attribute == CU_STREAM_ATTRIBUTE_MEM_SYNC_DOMAIN;
}

CUresult cuStreamGetAttribute(CUstream handle, CUstreamAttrID attribute, CUstreamAttrValue *value_out)
{
	struct pl_cu_stream *stream;
	CUresult r = pl_cu_enter_stream(handle, &stream);
	if (!r && (!value_out || !attribute_known(attribute)))
		r = CUDA_ERROR_INVALID_VALUE;
	if (r)
		return r;
	pthread_mutex_lock(&stream->lock);
	*value_out = stream->attribute[attribute];
	pthread_mutex_unlock(&stream->lock);
	return CUDA_SUCCESS;
}

CUresult cuStreamSetAttribute(CUstream handle, CUstreamAttrID attribute, const CUstreamAttrValue *value)
{
	struct pl_cu_stream *stream;
	CUresult r = pl_cu_enter_stream(handle, &stream);
	if (!r && (!value || !attribute_known(attribute)))
		r = CUDA_ERROR_INVALID_VALUE;
	if (!r && attribute == CU_STREAM_ATTRIBUTE_SYNCHRONIZATION_POLICY &&
	    (value->syncPolicy < CU_SYNC_POLICY_AUTO || value->syncPolicy > CU_SYNC_POLICY_BLOCKING_SYNC))
		r = CUDA_ERROR_INVALID_VALUE;
	if (r)
		return r;
	pthread_mutex_lock(&stream->lock);
	stream->attribute[attribute] = *value;
	if (attribute == CU_STREAM_ATTRIBUTE_PRIORITY)
		stream->priority = value->priority;
	pthread_mutex_unlock(&stream->lock);
	return CUDA_SUCCESS;
}

CUresult cuStreamCopyAttributes(CUstream dst_handle, CUstream src_handle)
{
	CUlaunchAttributeValue copy[CU_LAUNCH_ATTRIBUTE_MAX];
	struct pl_cu_stream *dst, *src;
	CUresult r = pl_cu_enter_stream(dst_handle, &dst);
	if (!r)
		r = pl_cu_enter_stream(src_handle, &src);
	if (r)
		return r;
	pthread_mutex_lock(&src->lock);
	memcpy(copy, src->attribute, sizeof(copy));
	pthread_mutex_unlock(&src->lock);
	pthread_mutex_lock(&dst->lock);
	memcpy(dst->attribute, copy, sizeof(copy));
	dst->priority = copy[CU_STREAM_ATTRIBUTE_PRIORITY].priority;
	pthread_mutex_unlock(&dst->lock);
	return CUDA_SUCCESS;
}
