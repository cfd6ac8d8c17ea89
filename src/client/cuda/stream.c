/* Streams and events: what the client answers, and how they end. */
#include "client/cuda/state.h"

static CUresult stream_context(CUstream stream, struct pl_cuda_context **context_out)
{
	const struct pl_cuda_object *object;
	CUresult result;

	*context_out = pl_cuda_current(&result);
	if (!*context_out || (uintptr_t)stream <= (uintptr_t)CU_STREAM_PER_THREAD)
		return result;
	object = pl_cuda_get(PL_CUDA_KIND_stream, stream);
	if (!object)
		return CUDA_ERROR_INVALID_HANDLE;
	*context_out = object->context;
	return CUDA_SUCCESS;
}

CUresult cuStreamGetCtx(CUstream stream, CUcontext *context)
{
	struct pl_cuda_context *of;
	CUresult result = stream_context(stream, &of);

	if (result)
		return result;
	if (!context)
		return CUDA_ERROR_INVALID_VALUE;
	*context = of->object.handle;
	return CUDA_SUCCESS;
}

CUresult cuStreamGetCtx_ptsz(CUstream stream, CUcontext *context)
{
	return cuStreamGetCtx(stream, context);
}

CUresult cuStreamGetCtx_v2(CUstream stream, CUcontext *context, CUgreenCtx *green)
{
	CUresult result = cuStreamGetCtx(stream, context);

	if (!result && green)
		*green = NULL;
	return result;
}

CUresult cuStreamGetCtx_v2_ptsz(CUstream stream, CUcontext *context, CUgreenCtx *green)
{
	return cuStreamGetCtx_v2(stream, context, green);
}

CUresult cuStreamGetGreenCtx(CUstream stream, CUgreenCtx *context)
{
	struct pl_cuda_context *of;
	CUresult result = stream_context(stream, &of);

	if (result)
		return result;
	if (!context)
		return CUDA_ERROR_INVALID_VALUE;
	*context = NULL;
	return CUDA_SUCCESS;
}

CUresult cuStreamGetDevice(CUstream stream, CUdevice *device)
{
	struct pl_cuda_context *of;
	CUresult result = stream_context(stream, &of);

	if (result)
		return result;
	if (!device)
		return CUDA_ERROR_INVALID_VALUE;
	*device = of->device;
	return CUDA_SUCCESS;
}

CUresult cuStreamGetDevice_ptsz(CUstream stream, CUdevice *device)
{
	return cuStreamGetDevice(stream, device);
}

/* ---- waiting: not asked for where nothing is under way ---- */

static bool is_idle(const struct pl_session *session)
{
	return pl_session_is_idle(session) && pl_cuda_captures_none();
}

CUresult cuCtxSynchronize(void)
{
	struct pl_cuda_cuCtxSynchronize_args args = { 0 };
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter(PL_CUDA_OP_cuCtxSynchronize, &session);
	int r;

	if (result || is_idle(session))
		return result;
	r = PL_CUDA_ASK(session, cuCtxSynchronize, &args, &reply);
	return r ? pl_cuda_fault(r) : (CUresult)reply.status;
}

/* *idle_out: nothing is under way, so that there is nothing to ask. */
static CUresult stream_enter(enum pl_cuda_op op, CUstream stream, struct pl_session **session_out, uint64_t *id_out,
			     bool *idle_out)
{
	CUresult result = pl_cuda_enter_of(op, PL_CUDA_KIND_stream, stream, session_out);

	if (result)
		return result;
	*id_out = pl_cuda_id(*session_out, PL_CUDA_KIND_stream, stream);
	if (stream && !*id_out)
		return CUDA_ERROR_INVALID_HANDLE;
	*idle_out = is_idle(*session_out);
	return CUDA_SUCCESS;
}

static CUresult stream_synchronize(bool per_thread, CUstream stream)
{
	struct pl_cuda_cuStreamSynchronize_args args = { .per_thread = per_thread };
	struct pl_session *session;
	struct pl_reply reply;
	bool idle;
	CUresult result = stream_enter(PL_CUDA_OP_cuStreamSynchronize, stream, &session, &args.stream, &idle);
	int r;

	if (result || idle)
		return result;
	r = PL_CUDA_ASK(session, cuStreamSynchronize, &args, &reply);
	return r ? pl_cuda_fault(r) : (CUresult)reply.status;
}

CUresult cuStreamSynchronize(CUstream stream)
{
	return stream_synchronize(false, stream);
}

CUresult cuStreamSynchronize_ptsz(CUstream stream)
{
	return stream_synchronize(true, stream);
}

/* *id_out: 0 where nothing is under way, so that there is nothing to ask. */
static CUresult event_enter(enum pl_cuda_op op, CUevent event, struct pl_session **session_out, uint64_t *id_out)
{
	CUresult result = pl_cuda_enter_of(op, PL_CUDA_KIND_event, event, session_out);

	if (result)
		return result;
	*id_out = pl_cuda_id(*session_out, PL_CUDA_KIND_event, event);
	if (!*id_out)
		return CUDA_ERROR_INVALID_HANDLE;
	if (is_idle(*session_out))
		*id_out = 0;
	return CUDA_SUCCESS;
}

CUresult cuEventQuery(CUevent event)
{
	struct pl_cuda_cuEventQuery_args args = { 0 };
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = event_enter(PL_CUDA_OP_cuEventQuery, event, &session, &args.event);
	int r;

	if (result || !args.event)
		return result;
	r = PL_CUDA_ASK(session, cuEventQuery, &args, &reply);
	return r ? pl_cuda_fault(r) : (CUresult)reply.status;
}

CUresult cuEventSynchronize(CUevent event)
{
	struct pl_cuda_cuEventSynchronize_args args = { 0 };
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = event_enter(PL_CUDA_OP_cuEventSynchronize, event, &session, &args.event);
	int r;

	if (result || !args.event)
		return result;
	r = PL_CUDA_ASK(session, cuEventSynchronize, &args, &reply);
	return r ? pl_cuda_fault(r) : (CUresult)reply.status;
}

static CUresult stream_query(bool per_thread, CUstream stream)
{
	struct pl_cuda_cuStreamQuery_args args = { .per_thread = per_thread };
	struct pl_session *session;
	struct pl_reply reply;
	bool idle;
	CUresult result = stream_enter(PL_CUDA_OP_cuStreamQuery, stream, &session, &args.stream, &idle);
	int r;

	if (result || idle)
		return result;
	r = PL_CUDA_ASK(session, cuStreamQuery, &args, &reply);
	return r ? pl_cuda_fault(r) : (CUresult)reply.status;
}

CUresult cuStreamQuery(CUstream stream)
{
	return stream_query(false, stream);
}

CUresult cuStreamQuery_ptsz(CUstream stream)
{
	return stream_query(true, stream);
}

CUresult cuStreamDestroy_v2(CUstream stream)
{
	return cuStreamDestroy(stream);
}

CUresult cuEventDestroy_v2(CUevent event)
{
	return cuEventDestroy(event);
}

/* No place for the answer is what drivers call an invalid handle here. */
static CUresult elapsed(enum pl_cuda_op op, float *milliseconds, CUevent start, CUevent end)
{
	struct pl_cuda_cuEventElapsedTime_args args = { 0 };
	struct pl_cuda_cuEventElapsedTime_reply got;
	struct pl_session *session;
	struct pl_reply reply;
	struct pl_call call;
	CUresult result = pl_cuda_enter_of(op, PL_CUDA_KIND_event, start, &session);
	int r;

	if (result)
		return result;
	args.start = pl_cuda_id(session, PL_CUDA_KIND_event, start);
	args.end = pl_cuda_id(session, PL_CUDA_KIND_event, end);
	if (!args.start || !args.end || !milliseconds)
		return CUDA_ERROR_INVALID_HANDLE;
	r = pl_call_begin(&call, session, (uint16_t)op, pl_cuda_cuEventElapsedTime_bytes(&args));
	if (!r) {
		pl_cuda_cuEventElapsedTime_put(&call.enc, &args);
		r = pl_call_ask(&call, &reply);
	}
	if (r || reply.status)
		return r ? pl_cuda_fault(r) : (CUresult)reply.status;
	pl_cuda_cuEventElapsedTime_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec))
		return CUDA_ERROR_UNKNOWN;
	*milliseconds = got.milliseconds;
	return CUDA_SUCCESS;
}

CUresult cuEventElapsedTime(float *milliseconds, CUevent start, CUevent end)
{
	return elapsed(PL_CUDA_OP_cuEventElapsedTime, milliseconds, start, end);
}

CUresult cuEventElapsedTime_v2(float *milliseconds, CUevent start, CUevent end)
{
	return elapsed(PL_CUDA_OP_cuEventElapsedTime_v2, milliseconds, start, end);
}
