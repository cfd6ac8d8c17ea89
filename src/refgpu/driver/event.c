#include <stdlib.h>

#include "capture.h"
#include "cuda-api.h"
#include "event.h"
#include "ipc.h"

#define RECORD_WORDS 8u
#define FLAGS_ALL    (CU_EVENT_BLOCKING_SYNC | CU_EVENT_DISABLE_TIMING | CU_EVENT_INTERPROCESS)

static void event_free(void *arg)
{
	struct pl_cu_event *event = arg;
	pl_cu_capture_forget(event);
	pl_cu_line_unref(event->line);
	pl_cu_ipc_event_close(event);
	pl_cu_ctx_unref(event->ctx);
	pthread_mutex_destroy(&event->lock);
	free(event);
}

CUresult pl_cu_event_create(struct pl_cu_event **event_out, struct pl_cu_ctx *ctx, unsigned int flags)
{
	struct pl_cu_event *event = calloc(1, sizeof(*event));
	if (!event)
		return CUDA_ERROR_OUT_OF_MEMORY;
	*event = (struct pl_cu_event){ .ctx = pl_cu_ctx_ref(ctx), .flags = flags, .fd = -1 };
	pthread_mutex_init(&event->lock, NULL);
	event->handle = (CUevent)(uintptr_t)pl_cuda_handle_create(PL_CU_EVENT, event);
	if (!event->handle) {
		event_free(event);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	pthread_mutex_lock(&ctx->lock);
	event->next = ctx->events;
	event->before = &ctx->events;
	if (event->next)
		event->next->before = &event->next;
	ctx->events = event;
	pthread_mutex_unlock(&ctx->lock);
	*event_out = event;
	return CUDA_SUCCESS;
}

/* Its handle finds nothing any more, and some call may still use it. */
static void event_end(void *arg)
{
	struct pl_cu_event *event = arg;
	pthread_mutex_lock(&event->ctx->lock);
	*event->before = event->next;
	if (event->next)
		event->next->before = event->before;
	pthread_mutex_unlock(&event->ctx->lock);
	event_free(event);
}

bool pl_cu_event_destroy(struct pl_cu_event *event)
{
	return pl_cuda_handle_retire((uint64_t)(uintptr_t)event->handle, event_end);
}

void pl_cu_events_end(struct pl_cu_ctx *ctx)
{
	struct pl_cu_event *event;
	do {
		uint32_t call = pl_cuda_call_begin();
		pthread_mutex_lock(&ctx->lock);
		event = ctx->events;
		while (event && pl_cuda_handle_held(event->handle, PL_CU_EVENT) != event)
			event = event->next; /* it goes when nobody uses it */
		pthread_mutex_unlock(&ctx->lock);
		if (event)
			(void)pl_cu_event_destroy(event);
		pl_cuda_call_end(call);
	} while (event);
}

/* Called with event->lock held: a line on which nothing is pending, so that its value only grows. */
static CUresult line_fresh(struct pl_cu_event *event, struct pl_cu_hw *hw)
{
	struct pl_cu_line *line;
	if (event->line && (event->shared || pl_cu_line_idle(event->line)))
		return CUDA_SUCCESS;
	line = pl_cu_line_create(hw);
	if (!line)
		return CUDA_ERROR_OUT_OF_MEMORY;
	pl_cu_line_unref(event->line);
	event->line = line;
	return CUDA_SUCCESS;
}

static CUresult record_locked(struct pl_cu_event *event, struct pl_cu_stream *stream)
{
	struct pl_cu_work work;
	struct pl_cu_line *line;
	CUresult r = line_fresh(event, stream->ctx->dev->hw);
	if (!r)
		r = pl_cu_work_open(&work, stream, pl_cu_stream_engine(stream));
	if (r)
		return r;
	r = pl_cu_work_room(&work, RECORD_WORDS);
	if (r) {
		pl_cu_work_cancel(&work);
		return r;
	}
	line = event->line;
	event->value = event->shared ? pl_cu_ipc_event_next(event) : atomic_load(&line->last) + 1;
	atomic_store(&line->last, event->value);
	pl_cu_work_release(&work, pl_cu_line_address(line), event->value, PL_RG_SEM_64 | PL_RG_SEM_TIME);
	pl_cu_stream_advances(stream, line);
	pl_cu_work_close(&work);
	return CUDA_SUCCESS;
}

CUresult pl_cu_event_record(struct pl_cu_event *event, struct pl_cu_stream *stream, unsigned int flags)
{
	struct pl_cu_op op = { .type = CU_GRAPH_NODE_TYPE_EVENT_RECORD, .event = event->handle };
	bool captured;
	CUresult r;
	if (flags & ~(unsigned int)CU_EVENT_RECORD_EXTERNAL)
		return CUDA_ERROR_INVALID_VALUE;
	if (event->ctx != stream->ctx)
		return CUDA_ERROR_INVALID_HANDLE;
	r = pl_cu_capture_gate(stream, &captured);
	if (!r && captured)
		return flags & CU_EVENT_RECORD_EXTERNAL ? pl_cu_capture_add(stream, &op)
							: pl_cu_capture_record(event, stream);
	if (r)
		return r;
	if (event->captured)
		pl_cu_capture_forget(event);
	pthread_mutex_lock(&event->lock);
	r = record_locked(event, stream);
	pthread_mutex_unlock(&event->lock);
	return r;
}

/* What the event has recorded, with a reference; NULL: nothing. */
static struct pl_cu_line *recorded(struct pl_cu_event *event, uint64_t *value_out)
{
	struct pl_cu_line *line = NULL;
	pthread_mutex_lock(&event->lock);
	if (event->line) {
		line = pl_cu_line_ref(event->line);
		*value_out = event->shared ? pl_cu_ipc_event_last(event) : event->value;
	}
	pthread_mutex_unlock(&event->lock);
	return line;
}

static CUresult recorded_follow(struct pl_cu_event *event, struct pl_cu_stream *stream)
{
	CUresult r = pl_cu_ctx_error(event->ctx); /* what it has recorded does not come */
	uint64_t value;
	struct pl_cu_line *line = r ? NULL : recorded(event, &value);
	if (line)
		r = pl_cu_stream_follow(stream, line, value);
	pl_cu_line_unref(line);
	return r;
}

CUresult pl_cu_event_wait(struct pl_cu_event *event, struct pl_cu_stream *stream, unsigned int flags)
{
	bool done;
	CUresult r = pl_cu_capture_wait(event, stream, flags, &done);
	return r || done ? r : recorded_follow(event, stream);
}

/* -- of all streams of a context ----------------------------------------------------------------------------------- */

/* One of the two that a context has for it, made when first needed. */
static CUresult own_stream(struct pl_cu_ctx *ctx, struct pl_cu_stream **own, struct pl_cu_stream **stream_out)
{
	struct pl_cu_stream *made;
	CUresult r = CUDA_SUCCESS;
	pthread_mutex_lock(&ctx->lock);
	*stream_out = *own;
	pthread_mutex_unlock(&ctx->lock);
	if (!*stream_out)
		r = pl_cu_stream_create(&made, ctx, CU_STREAM_NON_BLOCKING, 0);
	if (r || *stream_out)
		return r;
	pthread_mutex_lock(&ctx->lock);
	if (!*own) {
		*own = made;
		made = NULL;
	}
	*stream_out = *own;
	pthread_mutex_unlock(&ctx->lock);
	if (made)
		pl_cu_stream_destroy(made);
	return CUDA_SUCCESS;
}

/* In one piece of work: however many they are, it takes one place in the stream's channel. */
static CUresult lines_follow(struct pl_cu_stream *stream, struct pl_cu_line **lines, size_t n)
{
	struct pl_cu_work work;
	CUresult r = pl_cu_work_open(&work, stream, pl_cu_stream_engine(stream));
	if (r)
		return r;
	for (size_t i = 0; i < n && !r; i++)
		if (lines[i] != stream->line && !pl_cu_line_idle(lines[i]))
			r = pl_cu_work_follow(&work, lines[i], atomic_load(&lines[i]->last));
	if (r)
		pl_cu_work_cancel(&work);
	else
		pl_cu_work_close(&work);
	return r;
}

CUresult pl_cu_event_record_all(struct pl_cu_event *event, struct pl_cu_ctx *ctx)
{
	struct pl_cu_stream *own;
	struct pl_cu_line **lines;
	size_t n;
	CUresult r = event->ctx == ctx ? pl_cu_capture_forbid_ctx(ctx) : CUDA_ERROR_INVALID_HANDLE;
	if (!r)
		r = own_stream(ctx, &ctx->records, &own);
	if (r)
		return r;
	n = pl_cu_ctx_lines(ctx, &lines);
	if (!lines)
		return CUDA_ERROR_OUT_OF_MEMORY;
	r = lines_follow(own, lines, n);
	for (size_t i = 0; i < n; i++)
		pl_cu_line_unref(lines[i]);
	free(lines);
	return r ? r : pl_cu_event_record(event, own, 0);
}

/* The handles of the streams that wait: they come and go meanwhile.  A condition's do not, whose work was given with
 * that of the stream that its graph was launched in, and may be what is waited for. */
static CUresult waiting(struct pl_cu_ctx *ctx, CUstream **handles_out, size_t *n_out)
{
	CUstream *handles;
	size_t n = 0;
	pthread_mutex_lock(&ctx->lock);
	for (struct pl_cu_stream *stream = ctx->streams; stream; stream = stream->next)
		n++;
	handles = malloc((n + 1) * sizeof(*handles));
	n = 0;
	for (struct pl_cu_stream *stream = ctx->streams; stream && handles; stream = stream->next)
		if (!stream->alone && stream != ctx->records && stream != ctx->waits)
			handles[n++] = stream->handle;
	pthread_mutex_unlock(&ctx->lock);
	*handles_out = handles;
	*n_out = n;
	return handles ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

CUresult pl_cu_event_wait_all(struct pl_cu_event *event, struct pl_cu_ctx *ctx)
{
	struct pl_cu_stream *own;
	CUstream *handles;
	bool done;
	size_t n;
	CUresult r = pl_cu_capture_forbid_ctx(ctx);
	if (!r)
		r = pl_cu_capture_wait(event, ctx->null_stream, 0, &done);
	if (r)
		return r == CUDA_ERROR_STREAM_CAPTURE_IMPLICIT ? CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED : r;
	r = own_stream(ctx, &ctx->waits, &own);
	if (!r)
		r = recorded_follow(event, own);
	if (r || pl_cu_line_idle(own->line))
		return r;
	r = waiting(ctx, &handles, &n);
	if (r)
		return r;
	for (size_t i = 0; i < n && !r; i++) {
		struct pl_cu_stream *stream = pl_cuda_handle_held(handles[i], PL_CU_STREAM);
		if (stream)
			r = pl_cu_event_waits_join(stream);
	}
	free(handles);
	return r;
}

CUresult pl_cu_event_waits_join(struct pl_cu_stream *stream)
{
	struct pl_cu_stream *waits;
	pthread_mutex_lock(&stream->ctx->lock);
	waits = stream->ctx->waits;
	pthread_mutex_unlock(&stream->ctx->lock);
	return waits ? pl_cu_stream_follow(stream, waits->line, atomic_load(&waits->line->last)) : CUDA_SUCCESS;
}

/* -- the API ------------------------------------------------------------------------------------------------------- */

static CUresult event_get(CUevent handle, struct pl_cu_event **event_out)
{
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (r)
		return r;
	*event_out = pl_cuda_handle_held(handle, PL_CU_EVENT);
	return *event_out ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

CUresult cuEventCreate(CUevent *event_out, unsigned int flags)
{
	struct pl_cu_event *event;
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (r)
		return r;
	if (!event_out || flags & ~(unsigned int)FLAGS_ALL ||
	    (flags & CU_EVENT_INTERPROCESS && !(flags & CU_EVENT_DISABLE_TIMING)))
		return CUDA_ERROR_INVALID_VALUE;
	r = pl_cu_event_create(&event, ctx, flags);
	if (!r && flags & CU_EVENT_INTERPROCESS) {
		r = pl_cu_ipc_event_share(event);
		if (r)
			pl_cu_event_destroy(event);
	}
	if (!r)
		*event_out = event->handle;
	return r;
}

CUresult cuEventDestroy_v2(CUevent handle)
{
	struct pl_cu_event *event;
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	event = pl_cuda_handle_held(handle, PL_CU_EVENT);
	if (!event)
		return CUDA_ERROR_INVALID_HANDLE;
	return pl_cu_event_destroy(event) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

CUresult cuEventDestroy(CUevent handle)
{
	return cuEventDestroy_v2(handle);
}

CUresult cuEventRecordWithFlags(CUevent handle, CUstream stream_handle, unsigned int flags)
{
	struct pl_cu_stream *stream;
	struct pl_cu_event *event;
	CUresult r = pl_cu_enter_stream(stream_handle, &stream);
	if (!r)
		r = event_get(handle, &event);
	return r ? r : pl_cu_event_record(event, stream, flags);
}

CUresult cuEventRecord(CUevent handle, CUstream stream)
{
	return cuEventRecordWithFlags(handle, stream, CU_EVENT_RECORD_DEFAULT);
}

CUresult cuStreamWaitEvent(CUstream stream_handle, CUevent handle, unsigned int flags)
{
	struct pl_cu_stream *stream;
	struct pl_cu_event *event;
	CUresult r = pl_cu_enter_stream(stream_handle, &stream);
	if (!r)
		r = event_get(handle, &event);
	if (!r && flags & ~(unsigned int)CU_EVENT_WAIT_EXTERNAL)
		r = CUDA_ERROR_INVALID_VALUE;
	return r ? r : pl_cu_event_wait(event, stream, flags);
}

/* Whether it can be asked about or waited for. */
static CUresult event_ask(struct pl_cu_event *event)
{
	if (event->captured && pl_cu_capture_of_event(event))
		return CUDA_ERROR_CAPTURED_EVENT;
	return pl_cu_capture_unsafe();
}

/* Any thread may ask, also one without a context. */
CUresult cuEventQuery(CUevent handle)
{
	struct pl_cu_event *event;
	struct pl_cu_line *line;
	uint64_t value;
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	event = pl_cuda_handle_held(handle, PL_CU_EVENT);
	if (!event)
		return CUDA_ERROR_INVALID_HANDLE;
	r = pl_cu_ctx_error(event->ctx);
	if (!r)
		r = event_ask(event);
	if (r)
		return r;
	line = recorded(event, &value);
	r = line && !pl_cu_line_done(line, value) ? CUDA_ERROR_NOT_READY : pl_cu_ctx_error(event->ctx);
	pl_cu_line_unref(line);
	return r;
}

CUresult cuEventSynchronize(CUevent handle)
{
	struct pl_cu_event *event;
	struct pl_cu_line *line;
	uint64_t value;
	CUresult r = event_get(handle, &event);
	if (!r)
		r = event_ask(event);
	if (r)
		return r;
	line = recorded(event, &value);
	if (!line)
		return CUDA_SUCCESS;
	r = event->shared ? pl_cu_ipc_event_sync(event, value) : pl_cu_line_wait(event->ctx, line, value);
	pl_cu_line_unref(line);
	return r;
}

static CUresult event_time(struct pl_cu_event *event, uint64_t *time_out)
{
	uint64_t value;
	struct pl_cu_line *line;
	CUresult r;
	if (event->flags & CU_EVENT_DISABLE_TIMING)
		return CUDA_ERROR_INVALID_HANDLE;
	line = recorded(event, &value);
	if (!line)
		return CUDA_ERROR_INVALID_HANDLE;
	if (pl_cu_line_done(line, value)) {
		*time_out = atomic_load(&line->sem->time_ns);
		r = pl_cu_ctx_error(event->ctx);
	} else {
		r = CUDA_ERROR_NOT_READY;
	}
	pl_cu_line_unref(line);
	return r;
}

CUresult cuEventElapsedTime_v2(float *milliseconds, CUevent begin, CUevent end)
{
	struct pl_cu_event *events[2];
	uint64_t times[2];
	CUresult r = event_get(begin, &events[0]);
	if (!r)
		r = event_get(end, &events[1]);
	if (!r && !milliseconds)
		r = CUDA_ERROR_INVALID_HANDLE; /* as driver 580 on an H100 has it */
	for (int i = 0; i < 2 && !r; i++)
		r = event_time(events[i], &times[i]);
	if (!r)
		*milliseconds = (float)((double)(int64_t)(times[1] - times[0]) / 1e6);
	return r;
}

CUresult cuEventElapsedTime(float *milliseconds, CUevent begin, CUevent end)
{
	return cuEventElapsedTime_v2(milliseconds, begin, end);
}
