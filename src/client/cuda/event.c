/* Events: what the client answers, and how they end.  An event that the program asks of is marked when it is recorded.
 */
#include "client/cuda/mark.h"
#include "client/cuda/mirrored.h"

#define CREDIT_OWN     16u /* records that are marked after somebody has asked of one */
#define CREDIT_SESSION 4u  /* of other events, which may be asked of only once */

void pl_cuda_event_init(struct pl_cuda_event *event)
{
	pthread_mutex_init(&event->lock, NULL);
}

void pl_cuda_event_fini(struct pl_cuda_event *event)
{
	pthread_mutex_lock(&event->lock);
	pl_cuda_mark_give(event->object.session, &event->mark);
	event->records++; /* answers that are on their way are about another event */
	event->credit = 0;
	event->ended = false;
	event->shared = false;
	event->elsewhere = false;
	event->captured = false;
	pthread_mutex_unlock(&event->lock);
}

void pl_cuda_event_elsewhere(CUevent handle)
{
	struct pl_cuda_event *event = pl_cuda_get(PL_CUDA_KIND_event, handle);

	if (!event)
		return;
	pthread_mutex_lock(&event->lock);
	event->elsewhere = true;
	event->ended = false;
	event->mark.put = false;
	pthread_mutex_unlock(&event->lock);
}

void pl_cuda_event_shared(CUevent handle)
{
	struct pl_cuda_event *event = pl_cuda_get(PL_CUDA_KIND_event, handle);

	pl_cuda_event_elsewhere(handle);
	if (!event)
		return;
	pthread_mutex_lock(&event->lock);
	event->shared = true;
	pthread_mutex_unlock(&event->lock);
}

static bool is_shared(CUevent handle)
{
	struct pl_cuda_event *event = pl_cuda_get(PL_CUDA_KIND_event, handle);
	bool shared;

	if (!event)
		return false;
	pthread_mutex_lock(&event->lock);
	shared = event->shared;
	pthread_mutex_unlock(&event->lock);
	return shared;
}

bool pl_cuda_event_may_be_captured(CUevent handle)
{
	struct pl_cuda_event *event = pl_cuda_get(PL_CUDA_KIND_event, handle);

	return event && atomic_load_explicit(&event->captured, memory_order_relaxed);
}

/* An event and the stream that it is recorded in are of one context. */
static bool is_for(CUevent event, CUstream stream)
{
	const struct pl_cuda_object *of_event = pl_cuda_get(PL_CUDA_KIND_event, event), *of_stream;

	if (!of_event || !pl_cuda_captures_none())
		return false;
	if ((uintptr_t)stream <= (uintptr_t)CU_STREAM_PER_THREAD)
		return of_event->context == pl_cuda_thread.top;
	of_stream = pl_cuda_get(PL_CUDA_KIND_stream, stream);
	return of_stream && of_stream->context == of_event->context;
}

/* Called with event->lock held. */
static void mark(struct pl_session *session, struct pl_cuda_event *event, uint64_t stream, bool per_thread,
		 uint64_t ticket, struct pl_cuda_heard heard)
{
	if (event->elsewhere)
		return;
	if (!event->credit && pl_cuda_marks_credit_take(session))
		event->credit = 1;
	if (!event->credit) {
		pl_cuda_mark_give(session, &event->mark);
		return;
	}
	event->credit--;
	if (pl_cuda_mark_take(session, &event->mark))
		(void)pl_cuda_mark_put(session, &event->mark, stream, per_thread, heard, ticket);
}

/* Under the lock, so that the mark of the last record is the last mark. */
static CUresult record(struct pl_call *call, struct pl_session *session, CUevent handle, bool plain, uint64_t stream,
		       bool per_thread)
{
	struct pl_cuda_event *event = pl_cuda_get(PL_CUDA_KIND_event, handle);
	struct pl_cuda_heard heard = pl_cuda_marks_heard(session);
	bool captures = !pl_cuda_captures_none();
	struct pl_reply reply = { 0 };
	int r;

	if (!event) /* another thread has just destroyed it: the server's answer says the same */
		return pl_cuda_answer(pl_call_ask(call, &reply), &reply);
	pthread_mutex_lock(&event->lock);
	event->mark.put = false;
	event->ended = false;
	event->records++;
	r = plain ? pl_call_post(call) : pl_call_ask(call, &reply);
	if (!r && (plain || !reply.status))
		event->captured = !plain && captures;
	if (!r && plain)
		mark(session, event, stream, per_thread, call->ticket, heard);
	pthread_mutex_unlock(&event->lock);
	return pl_cuda_answer(r, &reply);
}

static CUresult record_enter(enum pl_cuda_op op, CUevent event, CUstream stream, struct pl_session **session_out,
			     uint64_t *event_id_out, uint64_t *stream_id_out)
{
	CUresult result = pl_cuda_enter_of(op, PL_CUDA_KIND_event, event, session_out);

	if (result)
		return result;
	*event_id_out = pl_cuda_id(*session_out, PL_CUDA_KIND_event, event);
	*stream_id_out = pl_cuda_id(*session_out, PL_CUDA_KIND_stream, stream);
	return !*event_id_out || (stream && !*stream_id_out) ? CUDA_ERROR_INVALID_HANDLE : CUDA_SUCCESS;
}

static CUresult event_record(bool per_thread, CUevent event, CUstream stream)
{
	struct pl_cuda_cuEventRecord_args args = { .per_thread = per_thread };
	struct pl_session *session;
	struct pl_call call;
	CUresult result = record_enter(PL_CUDA_OP_cuEventRecord, event, stream, &session, &args.event, &args.stream);
	int r;

	if (result)
		return result;
	r = pl_call_begin(&call, session, PL_CUDA_OP_cuEventRecord, pl_cuda_cuEventRecord_bytes(&args));
	if (r)
		return pl_cuda_fault(r);
	pl_cuda_cuEventRecord_put(&call.enc, &args);
	return record(&call, session, event, is_for(event, stream), args.stream, per_thread);
}

CUresult cuEventRecord(CUevent event, CUstream stream)
{
	return event_record(false, event, stream);
}

CUresult cuEventRecord_ptsz(CUevent event, CUstream stream)
{
	return event_record(true, event, stream);
}

static CUresult event_record_flags(bool per_thread, CUevent event, CUstream stream, unsigned int flags)
{
	struct pl_cuda_cuEventRecordWithFlags_args args = { .per_thread = per_thread, .flags = flags };
	struct pl_session *session;
	struct pl_call call;
	CUresult result =
		record_enter(PL_CUDA_OP_cuEventRecordWithFlags, event, stream, &session, &args.event, &args.stream);
	int r;

	if (result)
		return result;
	if (flags)
		pl_cuda_event_elsewhere(event); /* each time that the graph runs */
	r = pl_call_begin(&call, session, PL_CUDA_OP_cuEventRecordWithFlags,
			  pl_cuda_cuEventRecordWithFlags_bytes(&args));
	if (r)
		return pl_cuda_fault(r);
	pl_cuda_cuEventRecordWithFlags_put(&call.enc, &args);
	return record(&call, session, event, !flags && is_for(event, stream), args.stream, per_thread);
}

CUresult cuEventRecordWithFlags(CUevent event, CUstream stream, unsigned int flags)
{
	return event_record_flags(false, event, stream, flags);
}

CUresult cuEventRecordWithFlags_ptsz(CUevent event, CUstream stream, unsigned int flags)
{
	return event_record_flags(true, event, stream, flags);
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
	if (pl_cuda_is_idle(*session_out) && !is_shared(event) && !pl_cuda_event_may_be_captured(event))
		*id_out = 0;
	return CUDA_SUCCESS;
}

/* Called with event->lock held. */
static enum pl_cuda_mark_state look(struct pl_session *session, struct pl_cuda_event *event)
{
	if (event->ended && pl_cuda_marks_are_clean(session))
		return PL_CUDA_MARK_PASSED;
	return pl_cuda_mark_look(session, &event->mark);
}

static enum pl_cuda_mark_state event_look(struct pl_session *session, struct pl_cuda_event *event,
					  uint64_t *records_out)
{
	enum pl_cuda_mark_state state;

	pthread_mutex_lock(&event->lock);
	*records_out = event->records;
	if (event->mark.put && !event->mark.looks && !event->mark.passed && !event->ended)
		pl_cuda_marks_credit_add(session, CREDIT_SESSION);
	state = look(session, event);
	event->credit = CREDIT_OWN;
	pthread_mutex_unlock(&event->lock);
	return state;
}

/* The server has answered for what was recorded by then, if the event was one. */
static void event_asked(struct pl_session *session, struct pl_cuda_event *event, uint64_t records, int32_t status,
			struct pl_cuda_heard heard)
{
	pthread_mutex_lock(&event->lock);
	if (event->records == records) {
		event->captured = false;
		event->ended = status == CUDA_SUCCESS && !event->elsewhere;
		pl_cuda_mark_ahead(&event->mark, heard);
	}
	if (status == CUDA_ERROR_NOT_READY && !event->mark.put)
		pl_cuda_marks_credit_add(session, CREDIT_SESSION);
	pthread_mutex_unlock(&event->lock);
}

static CUresult event_query(CUevent handle)
{
	struct pl_cuda_cuEventQuery_args args = { 0 };
	struct pl_cuda_event *event;
	struct pl_session *session;
	struct pl_reply reply;
	struct pl_cuda_heard heard;
	uint64_t records;
	CUresult result = event_enter(PL_CUDA_OP_cuEventQuery, handle, &session, &args.event);
	int r;

	if (result || !args.event)
		return result;
	event = pl_cuda_get(PL_CUDA_KIND_event, handle);
	if (!event) /* destroyed since */
		return CUDA_ERROR_INVALID_HANDLE;
	if (pl_cuda_mark_tells(event_look(session, event, &records), &result))
		return result;
	heard = pl_cuda_marks_heard(session);
	r = PL_CUDA_ASK(session, cuEventQuery, &args, &reply);
	if (r)
		return pl_cuda_fault(r);
	if (reply.status == CUDA_SUCCESS || reply.status == CUDA_ERROR_NOT_READY)
		event_asked(session, event, records, reply.status, heard);
	return (CUresult)reply.status;
}

/* Nobody has asked of it, which is no reason to mark events. */
static bool event_passed(struct pl_session *session, struct pl_cuda_event *event, uint64_t *records_out)
{
	bool passed;

	pthread_mutex_lock(&event->lock);
	*records_out = event->records;
	passed = look(session, event) == PL_CUDA_MARK_PASSED;
	pthread_mutex_unlock(&event->lock);
	return passed;
}

static CUresult event_synchronize(CUevent handle)
{
	struct pl_cuda_cuEventSynchronize_args args = { 0 };
	struct pl_cuda_event *event;
	struct pl_session *session;
	struct pl_reply reply;
	uint64_t records;
	CUresult result = event_enter(PL_CUDA_OP_cuEventSynchronize, handle, &session, &args.event);
	int r;

	if (result || !args.event)
		return result;
	event = pl_cuda_get(PL_CUDA_KIND_event, handle);
	if (!event) /* destroyed since */
		return CUDA_ERROR_INVALID_HANDLE;
	if (event_passed(session, event, &records))
		return CUDA_SUCCESS;
	r = PL_CUDA_ASK(session, cuEventSynchronize, &args, &reply);
	if (!r && !reply.status)
		event_asked(session, event, records, CUDA_SUCCESS, pl_cuda_marks_heard(session));
	return pl_cuda_answer(r, &reply);
}

CUresult cuEventQuery(CUevent event)
{
	return pl_cuda_waited(event_query(event));
}

CUresult cuEventSynchronize(CUevent event)
{
	return pl_cuda_waited(event_synchronize(event));
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
	CUresult result = pl_cuda_enter_of(op, PL_CUDA_KIND_event, start, &session);
	int r;

	if (result)
		return result;
	args.start = pl_cuda_id(session, PL_CUDA_KIND_event, start);
	args.end = pl_cuda_id(session, PL_CUDA_KIND_event, end);
	if (!args.start || !args.end || !milliseconds)
		return CUDA_ERROR_INVALID_HANDLE;
	r = PL_CUDA_ASK_AS(session, op, cuEventElapsedTime, &args, &reply);
	if (r || reply.status)
		return pl_cuda_answer(r, &reply);
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

/* ---- of contexts: what each of their streams has before, so that no mark in one stream says the same ---- */

CUresult cuCtxRecordEvent(CUcontext context, CUevent handle)
{
	const struct pl_cuda_object *event = pl_cuda_get(PL_CUDA_KIND_event, handle);
	struct pl_cuda_cuCtxRecordEvent_args args = { 0 };
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter_of(PL_CUDA_OP_cuCtxRecordEvent, PL_CUDA_KIND_context, context, &session);
	int r;

	if (result)
		return result;
	args.context = pl_cuda_id(session, PL_CUDA_KIND_context, context);
	args.event = pl_cuda_id(session, PL_CUDA_KIND_event, handle);
	if (context && !args.context)
		return CUDA_ERROR_INVALID_CONTEXT;
	if (handle && !args.event)
		return CUDA_ERROR_INVALID_HANDLE;
	pl_cuda_event_elsewhere(handle);
	if (args.context && event && pl_cuda_captures_none() && event->context &&
	    event->context->object.handle == context)
		return PL_CUDA_POST(session, cuCtxRecordEvent, &args);
	r = PL_CUDA_ASK(session, cuCtxRecordEvent, &args, &reply);
	return pl_cuda_answer(r, &reply);
}

CUresult cuGreenCtxRecordEvent(CUgreenCtx context, CUevent handle)
{
	struct pl_cuda_cuGreenCtxRecordEvent_args args = { 0 };
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter_of(PL_CUDA_OP_cuGreenCtxRecordEvent, PL_CUDA_KIND_green, context, &session);
	int r;

	if (result)
		return result;
	args.context = pl_cuda_id(session, PL_CUDA_KIND_green, context);
	args.event = pl_cuda_id(session, PL_CUDA_KIND_event, handle);
	if (context && !args.context)
		return CUDA_ERROR_INVALID_CONTEXT;
	if (handle && !args.event)
		return CUDA_ERROR_INVALID_HANDLE;
	pl_cuda_event_elsewhere(handle);
	if (args.context && args.event && pl_cuda_captures_none())
		return PL_CUDA_POST(session, cuGreenCtxRecordEvent, &args);
	r = PL_CUDA_ASK(session, cuGreenCtxRecordEvent, &args, &reply);
	return pl_cuda_answer(r, &reply);
}
