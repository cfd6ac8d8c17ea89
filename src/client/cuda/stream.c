/* Streams: what the client answers, and how they end. */
#include "client/cuda/mark.h"
#include "client/cuda/mirrored.h"

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

static CUresult context_synchronize(void)
{
	struct pl_cuda_cuCtxSynchronize_args args = { 0 };
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter(PL_CUDA_OP_cuCtxSynchronize, &session);
	int r;

	if (result || pl_cuda_is_idle(session))
		return result;
	r = PL_CUDA_ASK(session, cuCtxSynchronize, &args, &reply);
	return pl_cuda_answer(r, &reply);
}

static CUresult context_synchronize_that(CUcontext context)
{
	struct pl_cuda_cuCtxSynchronize_v2_args args = { 0 };
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter_of(PL_CUDA_OP_cuCtxSynchronize_v2, PL_CUDA_KIND_context, context, &session);
	int r;

	if (result)
		return result;
	args.context = pl_cuda_id(session, PL_CUDA_KIND_context, context);
	if (context && !args.context)
		return CUDA_ERROR_INVALID_CONTEXT;
	r = PL_CUDA_ASK(session, cuCtxSynchronize_v2, &args, &reply);
	return pl_cuda_answer(r, &reply);
}

CUresult cuCtxSynchronize(void)
{
	return pl_cuda_waited(context_synchronize());
}

CUresult cuCtxSynchronize_v2(CUcontext context)
{
	return pl_cuda_waited(context_synchronize_that(context));
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
	*idle_out = pl_cuda_is_idle(*session_out);
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
	return pl_cuda_answer(r, &reply);
}

CUresult cuStreamSynchronize(CUstream stream)
{
	return pl_cuda_waited(stream_synchronize(false, stream));
}

CUresult cuStreamSynchronize_ptsz(CUstream stream)
{
	return pl_cuda_waited(stream_synchronize(true, stream));
}

void pl_cuda_stream_init(struct pl_cuda_stream *stream)
{
	pthread_mutex_init(&stream->lock, NULL);
}

void pl_cuda_stream_fini(struct pl_cuda_stream *stream)
{
	pthread_mutex_lock(&stream->lock);
	pl_cuda_mark_give(stream->object.session, &stream->mark);
	stream->ticket = stream->asked = 0;
	pthread_mutex_unlock(&stream->lock);
}

/* Where nothing was sent, by any thread, since a mark was put, the stream has ended once it has passed it. */
static enum pl_cuda_mark_state stream_look(struct pl_session *session, struct pl_cuda_stream *stream)
{
	enum pl_cuda_mark_state state = PL_CUDA_MARK_UNKNOWN;

	pthread_mutex_lock(&stream->lock);
	if (stream->ticket && stream->ticket == atomic_load(&session->ticket))
		state = pl_cuda_mark_look(session, &stream->mark);
	pthread_mutex_unlock(&stream->lock);
	return state;
}

/* A program that asks twice and sends nothing in between will ask again. */
static void stream_asked(struct pl_session *session, struct pl_cuda_stream *stream, uint64_t before,
			 struct pl_cuda_heard heard)
{
	pthread_mutex_lock(&stream->lock);
	if (stream->ticket && stream->ticket == before)
		stream->ticket = before + 1;
	else if (stream->asked && stream->asked == before && pl_cuda_mark_take(session, &stream->mark))
		stream->ticket = pl_cuda_mark_put(session, &stream->mark, stream->object.id, false, heard, 0);
	if (stream->ticket)
		pl_cuda_mark_ahead(&stream->mark, heard);
	stream->asked = before + 1;
	pthread_mutex_unlock(&stream->lock);
}

static CUresult stream_query(bool per_thread, CUstream handle)
{
	struct pl_cuda_cuStreamQuery_args args = { .per_thread = per_thread };
	struct pl_cuda_stream *stream = NULL;
	struct pl_session *session;
	struct pl_reply reply;
	struct pl_cuda_heard heard;
	uint64_t before;
	bool idle;
	CUresult result = stream_enter(PL_CUDA_OP_cuStreamQuery, handle, &session, &args.stream, &idle);
	int r;

	if (result || idle)
		return result;
	if ((uintptr_t)handle > (uintptr_t)CU_STREAM_PER_THREAD)
		stream = pl_cuda_get(PL_CUDA_KIND_stream, handle);
	if (stream && pl_cuda_mark_tells(stream_look(session, stream), &result))
		return result;
	before = atomic_load(&session->ticket);
	heard = pl_cuda_marks_heard(session);
	r = PL_CUDA_ASK(session, cuStreamQuery, &args, &reply);
	if (!r && reply.status == CUDA_ERROR_NOT_READY && stream)
		stream_asked(session, stream, before, heard);
	return pl_cuda_answer(r, &reply);
}

CUresult cuStreamQuery(CUstream stream)
{
	return pl_cuda_waited(stream_query(false, stream));
}

CUresult cuStreamQuery_ptsz(CUstream stream)
{
	return pl_cuda_waited(stream_query(true, stream));
}

CUresult cuStreamDestroy_v2(CUstream stream)
{
	return cuStreamDestroy(stream);
}
