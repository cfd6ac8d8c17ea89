/*
 * Events.  Their status is known here where it can be: the client completed the command itself, waited for it, or
 * finished its queue; the application set it; or the server pushed it, which it does once it was asked to watch.
 */
#include "base/err.h"
#include "client/opencl/call.h"
#include "client/opencl/types.h"

#include <stdlib.h>
#include <string.h>

#define POOL_MAX 4096u /* events kept for reuse */

static struct pl_lock pool_lock;
static struct pl_cl_object *pool; /* under pool_lock; linked by `later` */
static uint32_t pool_count;	  /* under pool_lock */

/* ---- making and ending ---- */

void pl_cl_event_fork(void)
{
	pool_lock = (struct pl_lock){0};
	pool = NULL;
	pool_count = 0;
}

bool pl_cl_event_free(struct pl_cl_object *object)
{
	bool pooled = false;

	if (object->infos)
		return false;
	pl_lock(&pool_lock);
	if (pool_count < POOL_MAX) {
		object->later = pool;
		pool = object;
		pool_count++;
		pooled = true;
	}
	pl_unlock(&pool_lock);
	return pooled;
}

static struct pl_cl_event *event_alloc(struct pl_cl_server *server)
{
	struct pl_cl_object *object;

	pl_lock(&pool_lock);
	object = pool;
	if (object) {
		pool = object->later;
		pool_count--;
	}
	pl_unlock(&pool_lock);
	if (object)
		memset(object, 0, sizeof(struct pl_cl_event));
	else
		object = calloc(1, sizeof(struct pl_cl_event));
	if (object)
		pl_cl_object_init(object, server, PL_CL_KIND_event, 0);
	return (struct pl_cl_event *)object;
}

void pl_cl_event_fini(struct pl_cl_object *object)
{
	struct pl_cl_event *event = (struct pl_cl_event *)object;

	if (event->queue)
		pl_cl_unhold(event->queue);
	else
		pl_cl_unhold(event->context);
}

static cl_command_type command_type(uint16_t op)
{
	switch (op) {
	case PL_CL_OP_clEnqueueNDRangeKernel:
		return CL_COMMAND_NDRANGE_KERNEL;
	case PL_CL_OP_clEnqueueTask:
		return CL_COMMAND_TASK;
	case PL_CL_OP_clEnqueueReadBuffer:
		return CL_COMMAND_READ_BUFFER;
	case PL_CL_OP_clEnqueueWriteBuffer:
		return CL_COMMAND_WRITE_BUFFER;
	case PL_CL_OP_clEnqueueCopyBuffer:
		return CL_COMMAND_COPY_BUFFER;
	case PL_CL_OP_clEnqueueReadImage:
		return CL_COMMAND_READ_IMAGE;
	case PL_CL_OP_clEnqueueWriteImage:
		return CL_COMMAND_WRITE_IMAGE;
	case PL_CL_OP_clEnqueueCopyImage:
		return CL_COMMAND_COPY_IMAGE;
	case PL_CL_OP_clEnqueueCopyImageToBuffer:
		return CL_COMMAND_COPY_IMAGE_TO_BUFFER;
	case PL_CL_OP_clEnqueueCopyBufferToImage:
		return CL_COMMAND_COPY_BUFFER_TO_IMAGE;
	case PL_CL_OP_clEnqueueMapBuffer:
		return CL_COMMAND_MAP_BUFFER;
	case PL_CL_OP_clEnqueueMapImage:
		return CL_COMMAND_MAP_IMAGE;
	case PL_CL_OP_clEnqueueUnmapMemObject:
		return CL_COMMAND_UNMAP_MEM_OBJECT;
	case PL_CL_OP_clEnqueueReadBufferRect:
		return CL_COMMAND_READ_BUFFER_RECT;
	case PL_CL_OP_clEnqueueWriteBufferRect:
		return CL_COMMAND_WRITE_BUFFER_RECT;
	case PL_CL_OP_clEnqueueCopyBufferRect:
		return CL_COMMAND_COPY_BUFFER_RECT;
	case PL_CL_OP_clEnqueueMarker:
	case PL_CL_OP_clEnqueueMarkerWithWaitList:
		return CL_COMMAND_MARKER;
	case PL_CL_OP_clEnqueueBarrierWithWaitList:
		return CL_COMMAND_BARRIER;
	case PL_CL_OP_clEnqueueFillBuffer:
		return CL_COMMAND_FILL_BUFFER;
	case PL_CL_OP_clEnqueueFillImage:
		return CL_COMMAND_FILL_IMAGE;
	case PL_CL_OP_clEnqueueMigrateMemObjects:
		return CL_COMMAND_MIGRATE_MEM_OBJECTS;
	case PL_CL_OP_clEnqueueSVMFree:
		return CL_COMMAND_SVM_FREE;
	case PL_CL_OP_clEnqueueSVMMemcpy:
		return CL_COMMAND_SVM_MEMCPY;
	case PL_CL_OP_clEnqueueSVMMemFill:
		return CL_COMMAND_SVM_MEMFILL;
	case PL_CL_OP_clEnqueueSVMMap:
		return CL_COMMAND_SVM_MAP;
	case PL_CL_OP_clEnqueueSVMUnmap:
		return CL_COMMAND_SVM_UNMAP;
	case PL_CL_OP_clEnqueueSVMMigrateMem:
		return CL_COMMAND_SVM_MIGRATE_MEM;
	default:
		return 0;
	}
}

cl_event pl_cl_event_new(cl_command_queue handle, uint16_t op)
{
	struct pl_cl_queue *queue = pl_cl_get(handle, PL_CL_KIND_queue);
	struct pl_cl_event *event;

	pl_cl_later_run();
	if (!queue)
		return NULL;
	event = event_alloc(queue->object.server);
	if (!event)
		return NULL;
	event->queue = queue;
	event->context = queue->context;
	event->type = command_type(op);
	event->status = CL_SUBMITTED;
	pl_cl_hold(queue);
	return (cl_event)event;
}

void pl_cl_event_give(cl_event minted, cl_event *event_out)
{
	struct pl_cl_event *event = (struct pl_cl_event *)minted;

	event->sequence = atomic_load_explicit(&event->queue->posted, memory_order_relaxed);
	*event_out = minted;
}

void pl_cl_event_give_done(cl_event minted, cl_event *event_out)
{
	((struct pl_cl_event *)minted)->status = CL_COMPLETE;
	*event_out = minted;
}

void pl_cl_event_drop(cl_event minted)
{
	pl_cl_object_drop(minted);
}

struct pl_cl_event *pl_cl_event_local(struct pl_cl_queue *queue, uint16_t op)
{
	struct pl_cl_event *event = (struct pl_cl_event *)pl_cl_event_new((cl_command_queue)queue, op);

	if (event) {
		event->status = CL_COMPLETE;
		event->object.unsent = true;
	}
	return event;
}

/* ---- callbacks ---- */

struct pl_cl_event_callback {
	struct pl_cl_event *event; /* held */
	cl_int type, status;
	void (*fn)(cl_event event, cl_int status, void *user_data);
	void *user_data;
};

static void callback_run(void *arg)
{
	struct pl_cl_event_callback *callback = arg;

	callback->fn((cl_event)callback->event, callback->status, callback->user_data);
	pl_cl_unhold(callback->event);
	free(callback);
}

/* The command has come as far as `status`, or failed. */
static void callback_fire(struct pl_cl_event_callback *callback, cl_int status)
{
	callback->status = status < 0 ? status : callback->type;
	pl_callback_run(callback_run, callback);
}

void pl_cl_event_callback_lost(struct pl_cl_event_callback *callback)
{
	cl_int known = callback->event->status;

	pl_cl_event_set(callback->event, pl_cl_lost());
	callback_fire(callback, known <= CL_COMPLETE ? known : pl_cl_lost());
}

cl_int pl_cl_stub_clSetEventCallback(cl_event handle, cl_int command_exec_callback_type,
				     void (*pfn_notify)(cl_event, cl_int, void *), void *user_data)
{
	struct pl_cl_event *event = pl_cl_get(handle, PL_CL_KIND_event);
	struct pl_cl_event_callback *callback;
	struct pl_cl_plEventCallback_args args;
	uint64_t token;
	cl_int known, code;

	if (!event)
		return CL_INVALID_EVENT;
	if (!pfn_notify || command_exec_callback_type < CL_COMPLETE || command_exec_callback_type > CL_SUBMITTED)
		return CL_INVALID_VALUE;
	callback = malloc(sizeof(*callback));
	if (!callback)
		return CL_OUT_OF_HOST_MEMORY;
	*callback = (struct pl_cl_event_callback){
		.event = event, .type = command_exec_callback_type, .fn = pfn_notify, .user_data = user_data};
	pl_cl_hold(event);
	known = pl_cl_event_known(event);
	if (known <= CL_COMPLETE) {
		callback_fire(callback, known);
		return CL_SUCCESS;
	}
	token = pl_session_id_mint(event->object.session);
	if (!pl_cl_table_put(&event->object.server->tokens, token, PL_CL_ENTRY_CALLBACK, callback)) {
		pl_cl_unhold(event);
		free(callback);
		return CL_OUT_OF_HOST_MEMORY;
	}
	args = (struct pl_cl_plEventCallback_args){event->object.id, command_exec_callback_type, token};
	PL_CL_SEND(event->object.session, plEventCallback, &args, true, code);
	/* A session that was lost in between has fired all that was in the table; or else it is ours to do. */
	if (code && pl_cl_table_take(&event->object.server->tokens, token, PL_CL_ENTRY_CALLBACK))
		pl_cl_event_callback_lost(callback);
	return CL_SUCCESS;
}

void pl_cl_event_reverse_reached(struct pl_cl_server *server, const struct pl_cl_plEventReached_args *args)
{
	struct pl_cl_event_callback *callback = pl_cl_table_take(&server->tokens, args->token, PL_CL_ENTRY_CALLBACK);

	if (!callback)
		return;
	if (args->status <= CL_COMPLETE)
		pl_cl_event_set(callback->event, args->status);
	callback_fire(callback, args->status);
}

/* ---- status ---- */

void pl_cl_ended(struct pl_cl_server *server, uint64_t id)
{
	uint64_t ended = atomic_load_explicit(&server->ended, memory_order_relaxed);

	while (ended < id && !atomic_compare_exchange_weak_explicit(&server->ended, &ended, id, memory_order_release,
								    memory_order_relaxed))
		;
}

void pl_cl_event_set(struct pl_cl_event *event, cl_int status)
{
	cl_int seen = event->status;

	if (seen <= CL_COMPLETE || status > CL_COMPLETE)
		return;
	pl_cl_ended(event->object.server, event->object.id);
	if (event->queue && status < 0)
		event->object.server->doubt = true;
	if (!atomic_compare_exchange_strong(&event->status, &seen, status) || !event->queue)
		return;
	/* In order, and with nobody else who sends: all before it has ended too. */
	if (event->last || (pl_cl_queue_ordered(event->queue) &&
			    __atomic_load_n(&event->object.session->lanes_count, __ATOMIC_RELAXED) <= 1))
		pl_cl_queue_done(event->queue, event->sequence);
}

void pl_cl_event_lost(struct pl_cl_event *event)
{
	pl_cl_event_set(event, pl_cl_lost());
	pl_cl_unhold_later(event);
}

/* The queue is known to have ended it, but whether well is not. */
static bool event_doubtful(struct pl_cl_event *event)
{
	return event->queue && event->sequence && event->object.server->doubt && event->status > CL_COMPLETE &&
	       atomic_load_explicit(&event->queue->done, memory_order_acquire) >= event->sequence;
}

cl_int pl_cl_event_known(struct pl_cl_event *event)
{
	cl_int status = event->status;

	if (status <= CL_COMPLETE)
		return status;
	if (event->queue && event->sequence && !event->object.server->doubt &&
	    atomic_load_explicit(&event->queue->done, memory_order_acquire) >= event->sequence) {
		event->status = CL_COMPLETE;
		return CL_COMPLETE;
	}
	if (event->object.session->dead && event->queue) {
		pl_cl_event_set(event, pl_cl_lost());
		return event->status;
	}
	return status;
}

bool pl_cl_waits_done(cl_uint count, const cl_event *list)
{
	for (cl_uint i = 0; i < count; i++)
		if (pl_cl_event_known((struct pl_cl_event *)list[i]) != CL_COMPLETE)
			return false;
	return true;
}

void pl_cl_event_reverse_status(struct pl_cl_server *server, const struct pl_cl_plEventStatus_args *args)
{
	struct pl_cl_event *event = pl_cl_table_take(&server->tokens, args->event, PL_CL_ENTRY_WATCH);

	if (!event) {
		/* Not an event that is watched: an object whose posted creation failed. */
		if (args->status < 0)
			pl_cl_mem_failed(server, args->event, args->status);
		return;
	}
	if (args->times.count >= PL_CL_TIMES) {
		pl_lock(&event->object.lock);
		memcpy(event->times, args->times.at, sizeof(event->times));
		event->timed = true;
		pl_unlock(&event->object.lock);
	}
	pl_cl_event_set(event, args->status);
	pl_cl_unhold_later(event);
}

static void event_watch(struct pl_cl_event *event)
{
	struct pl_cl_server *server = event->object.server;
	struct pl_cl_plEventWatch_args args = {.event = event->object.id};
	bool first;
	cl_int code;

	pl_lock(&event->object.lock);
	first = !event->watched;
	event->watched = true;
	pl_unlock(&event->object.lock);
	if (!first)
		return;
	pl_cl_hold(event);
	if (!pl_cl_table_put(&server->tokens, event->object.id, PL_CL_ENTRY_WATCH, event)) {
		event->watched = false;
		pl_cl_unhold(event);
		return;
	}
	PL_CL_SEND(event->object.session, plEventWatch, &args, true, code);
	if (code && pl_cl_table_take(&server->tokens, event->object.id, PL_CL_ENTRY_WATCH))
		pl_cl_unhold(event);
}

void pl_cl_event_last(cl_event handle)
{
	struct pl_cl_event *event = (struct pl_cl_event *)handle;

	event->last = true;
	event_watch(event);
}

cl_int pl_cl_event_status_ask(struct pl_cl_event *event, cl_int *status_out)
{
	const void *at;
	size_t bytes;
	void *heap;
	cl_int code = pl_cl_info_fetch(PL_CL_OP_clGetEventInfo, PL_CL_INFO_event, &event->object,
				       CL_EVENT_COMMAND_EXECUTION_STATUS, &at, &bytes, &heap);

	if (code)
		return code;
	if (bytes == sizeof(*status_out))
		memcpy(status_out, at, sizeof(*status_out));
	free(heap);
	pl_cl_event_set(event, *status_out);
	return CL_SUCCESS;
}

/* ---- queries ---- */

static int value_word(struct pl_cl_value *value, uint64_t word, size_t bytes)
{
	value->word = word;
	value->at = &value->word;
	value->bytes = bytes;
	return 1;
}

/* Nothing was heard of it, but of the end of something that was made later and may have waited for it: who has seen
 * that must not be told that this goes on. */
static bool event_overtaken(struct pl_cl_event *event)
{
	uint64_t ended = atomic_load_explicit(&event->object.server->ended, memory_order_acquire);

	return ended > event->object.id && atomic_exchange(&event->asked, ended) != ended;
}

static int status_answer(struct pl_cl_event *event, struct pl_cl_value *value)
{
	cl_int status;

	pl_cl_later_run();
	status = pl_cl_event_known(event);
	if (status > CL_COMPLETE && event->queue) {
		pl_session_pump(event->object.session);
		status = pl_cl_event_known(event);
	}
	if (status <= CL_COMPLETE || !event->queue)
		return value_word(value, (uint32_t)status, sizeof(status));
	if (event_doubtful(event) || event_overtaken(event)) {
		cl_int code = pl_cl_event_status_ask(event, &status);
		if (code)
			return code;
	}
	if (status > CL_COMPLETE)
		event_watch(event);
	return value_word(value, (uint32_t)status, sizeof(status));
}

int pl_cl_event_info(struct pl_cl_event *event, cl_uint param, struct pl_cl_value *value)
{
	switch (param) {
	case CL_EVENT_COMMAND_QUEUE:
		return value_word(value, (uintptr_t)event->queue, sizeof(cl_command_queue));
	case CL_EVENT_CONTEXT:
		return value_word(value, (uintptr_t)event->context, sizeof(cl_context));
	case CL_EVENT_COMMAND_TYPE:
		return value_word(value, event->type, sizeof(cl_command_type));
	case CL_EVENT_COMMAND_EXECUTION_STATUS:
		return status_answer(event, value);
	default:
		return event->object.unsent ? CL_INVALID_VALUE : 0;
	}
}

static cl_int times_ask(struct pl_cl_event *event)
{
	struct pl_cl_plEventTimes_args args = {.event = event->object.id};
	struct pl_cl_plEventTimes_reply got;
	struct pl_reply reply;
	int r = PL_CL_ASK(event->object.session, plEventTimes, &args, &reply);

	if (r)
		return pl_cl_fault(r);
	if (reply.status)
		return reply.status;
	pl_cl_plEventTimes_reply_get(&reply.dec, &got);
	if (got.times.count < PL_CL_TIMES)
		return CL_PROFILING_INFO_NOT_AVAILABLE;
	pl_lock(&event->object.lock);
	memcpy(event->times, got.times.at, sizeof(event->times));
	event->timed = true;
	pl_unlock(&event->object.lock);
	return CL_SUCCESS;
}

int pl_cl_event_times(struct pl_cl_event *event, cl_uint param, struct pl_cl_value *value)
{
	bool timed;

	if (event->object.unsent)
		return CL_PROFILING_INFO_NOT_AVAILABLE;
	if (!event->queue || !pl_cl_queue_profiles(event->queue) || param < CL_PROFILING_COMMAND_QUEUED ||
	    param > CL_PROFILING_COMMAND_END)
		return 0;
	if (pl_cl_event_known(event) > CL_COMPLETE)
		pl_session_pump(event->object.session);
	pl_lock(&event->object.lock);
	timed = event->timed;
	pl_unlock(&event->object.lock);
	if (!timed) {
		cl_int code;
		if (pl_cl_event_known(event) != CL_COMPLETE)
			return 0;
		code = times_ask(event);
		if (code)
			return code;
	}
	return value_word(value, event->times[param - CL_PROFILING_COMMAND_QUEUED], sizeof(cl_ulong));
}

/* ---- user events ---- */

cl_event pl_cl_stub_clCreateUserEvent(cl_context handle, cl_int *errcode_ret)
{
	struct pl_cl_context *context = pl_cl_get(handle, PL_CL_KIND_context);
	struct pl_cl_clCreateUserEvent_args args;
	struct pl_cl_event *event;
	cl_int code;

	if (!context) {
		pl_cl_code_set(errcode_ret, CL_INVALID_CONTEXT);
		return NULL;
	}
	event = event_alloc(context->object.server);
	if (!event) {
		pl_cl_code_set(errcode_ret, CL_OUT_OF_HOST_MEMORY);
		return NULL;
	}
	event->context = context;
	event->type = CL_COMMAND_USER;
	event->status = CL_SUBMITTED;
	pl_cl_hold(context);
	args = (struct pl_cl_clCreateUserEvent_args){context->object.id, event->object.id};
	PL_CL_SEND(context->object.session, clCreateUserEvent, &args, true, code);
	pl_cl_code_set(errcode_ret, code);
	if (!code)
		return (cl_event)event;
	pl_cl_object_drop(event);
	return NULL;
}

cl_int pl_cl_stub_clSetUserEventStatus(cl_event handle, cl_int execution_status)
{
	struct pl_cl_event *event = pl_cl_get(handle, PL_CL_KIND_event);
	struct pl_cl_clSetUserEventStatus_args args = {.execution_status = execution_status};
	bool plain;
	cl_int code;

	if (!event)
		return CL_INVALID_EVENT;
	args.event = event->object.id;
	plain = !event->queue && execution_status <= CL_COMPLETE && event->status > CL_COMPLETE;
	if (execution_status < 0)
		event->object.server->doubt = true;
	PL_CL_SEND(event->object.session, clSetUserEventStatus, &args, plain, code);
	if (!code)
		pl_cl_event_set(event, execution_status);
	return code;
}
