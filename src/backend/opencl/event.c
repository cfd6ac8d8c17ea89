#include "backend/opencl/event.h"

#include <stdlib.h>

#include "backend/opencl/later.h"
#include "backend/opencl/mem.h"
#include "backend/opencl/print.h"
#include "backend/opencl/push.h"
#include "backend/opencl/resolve.h"
#include "backend/opencl/svm.h"
#include "base/err.h"

struct watch {
	struct pl_cl_job job;
	struct pl_cl_session *session;
	uint64_t event_id, token; /* token 0: plEventStatus */
	cl_event event, first;    /* retained; first may be NULL */
	cl_int status;
	bool profiling;
};

struct hold {
	struct pl_cl_session *session;
	void *memory;
	uint64_t inflight;
};

uint32_t pl_cl_event_times(cl_event event, cl_event first, uint64_t *times)
{
	static const cl_profiling_info params[PL_CL_TIMES_MAX] = {
		CL_PROFILING_COMMAND_QUEUED, CL_PROFILING_COMMAND_SUBMIT,   CL_PROFILING_COMMAND_START,
		CL_PROFILING_COMMAND_END,    CL_PROFILING_COMMAND_COMPLETE,
	};
	uint32_t count = 0;

	for (; count < PL_CL_TIMES_MAX; count++) {
		cl_ulong time = 0;

		if (pl_cl.clGetEventProfilingInfo(first && count < 3 ? first : event, params[count], sizeof(time),
						  &time, NULL))
			break;
		times[count] = time;
	}
	if (count < 4)
		return 0;
	if (count < PL_CL_TIMES_MAX) /* before OpenCL 2.0 */
		times[4] = times[3];
	return PL_CL_TIMES_MAX;
}

cl_int pl_cl_event_status(cl_event event)
{
	cl_int status = CL_QUEUED;
	cl_int r = pl_cl.clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(status), &status, NULL);

	return r ? r : status;
}

/* ---- pending reads ---- */

static void read_unref(struct pl_cl_read *read)
{
	struct pl_cl_session *session = read->session;

	if (atomic_fetch_sub(&read->refs, 1) != 1)
		return;
	if (read->event)
		pl_cl.clReleaseEvent(read->event);
	pl_cl_map_unref(session, read->map);
	if (read->mem)
		pl_cl.clReleaseMemObject(read->mem);
	pl_cl_svm_unref(session, read->block);
	free(read->owned);
	if (read->inflight_bytes)
		pl_quota_return(pl_cl_quota(session), PL_QUOTA_INFLIGHT, read->inflight_bytes);
	pl_cl_job_free(session, read);
}

/* Called with reads.lock held. */
static void read_deliver(struct pl_cl_read *read, cl_int status)
{
	struct pl_cl_session *session = read->session;
	bool good = status == CL_COMPLETE;

	*read->link = read->next;
	if (read->next)
		read->next->link = read->link;
	else
		session->reads.last = read->link;
	read->link = NULL;
	if (good && read->finish)
		read->finish(read);
	pl_cl_send_read_done(session, read->token, status, read->data, good && read->data ? read->bytes : 0);
	read_unref(read);
}

static void reads_deliver(struct pl_cl_session *session)
{
	struct pl_cl_read *next;

	pthread_mutex_lock(&session->reads.lock);
	for (struct pl_cl_read *read = session->reads.first; read; read = next) {
		cl_int status = pl_cl_event_status(read->event);

		next = read->next;
		if (status <= CL_COMPLETE)
			read_deliver(read, status);
	}
	pthread_mutex_unlock(&session->reads.lock);
}

void pl_cl_reads_settle(struct pl_cl_session *session, const struct pl_cl_map *map)
{
	struct pl_cl_read *next;

	pthread_mutex_lock(&session->reads.lock);
	for (struct pl_cl_read *read = session->reads.first; read; read = next) {
		cl_int status;

		next = read->next;
		if (read->map != map)
			continue;
		status = pl_cl_event_status(read->event);
		if (status <= CL_COMPLETE) {
			read_deliver(read, status);
		} else {
			read->data = NULL;
			read->finish = NULL;
		}
	}
	pthread_mutex_unlock(&session->reads.lock);
}

static void read_run(struct pl_cl_session *session, struct pl_cl_job *job)
{
	reads_deliver(session);
	read_unref((struct pl_cl_read *)job);
}

static void CL_CALLBACK read_ended(cl_event event, cl_int status, void *user_data)
{
	struct pl_cl_read *read = user_data;

	(void)event;
	(void)status;
	pl_cl_push_job(read->session, &read->job);
}

struct pl_cl_read *pl_cl_read_new(struct pl_cl_session *session)
{
	struct pl_cl_read *read = pl_cl_job_new(session, sizeof(*read), read_run);

	if (read) {
		read->session = session;
		atomic_init(&read->refs, 1);
	}
	return read;
}

void pl_cl_read_begin(struct pl_cl_read *read)
{
	struct pl_cl_session *session = read->session;

	atomic_store(&read->refs, 2);
	pthread_mutex_lock(&session->reads.lock);
	read->link = session->reads.last;
	*read->link = read;
	session->reads.last = &read->next;
	pthread_mutex_unlock(&session->reads.lock);
	if (pl_cl.clSetEventCallback(read->event, CL_COMPLETE, read_ended, read)) {
		pl_log_warn("the driver refuses a callback: a read is delivered with the next call that waits");
		read_unref(read);
	}
}

void pl_cl_read_drop(struct pl_cl_read *read)
{
	if (read)
		read_unref(read);
}

void pl_cl_sync(struct pl_cl_session *session)
{
	reads_deliver(session);
	pl_cl_svm_settle(session);
	pl_cl_print_flush(session);
}

bool pl_cl_sync_idle(struct pl_cl_session *session)
{
	bool idle;

	if (atomic_load_explicit(&session->answers_not, memory_order_relaxed) ||
	    atomic_load_explicit(&session->print.used, memory_order_relaxed))
		return false;
	pthread_mutex_lock(&session->reads.lock);
	idle = !session->reads.first;
	pthread_mutex_unlock(&session->reads.lock);
	return idle;
}

/* ---- memory in use by commands ---- */

static void hold_end(struct hold *hold)
{
	free(hold->memory);
	if (hold->inflight)
		pl_quota_return(pl_cl_quota(hold->session), PL_QUOTA_INFLIGHT, hold->inflight);
	free(hold);
}

static void CL_CALLBACK hold_ended(cl_event event, cl_int status, void *user_data)
{
	(void)event;
	(void)status;
	hold_end(user_data);
}

void pl_cl_hold(struct pl_cl_session *session, cl_event event, void *memory, uint64_t inflight)
{
	struct hold *hold = malloc(sizeof(*hold));

	if (hold) {
		*hold = (struct hold){ session, memory, inflight };
		if (!pl_cl.clSetEventCallback(event, CL_COMPLETE, hold_ended, hold))
			return;
	}
	pl_cl.clWaitForEvents(1, &event);
	if (hold) {
		hold_end(hold);
		return;
	}
	free(memory);
	if (inflight)
		pl_quota_return(pl_cl_quota(session), PL_QUOTA_INFLIGHT, inflight);
}

/* ---- telling the client ---- */

static void watch_free(struct pl_cl_session *session, struct watch *watch)
{
	pl_cl.clReleaseEvent(watch->event);
	if (watch->first)
		pl_cl.clReleaseEvent(watch->first);
	pl_cl_job_free(session, watch);
}

static void watch_run(struct pl_cl_session *session, struct pl_cl_job *job)
{
	struct watch *watch = (struct watch *)job;
	uint64_t times[PL_CL_TIMES_MAX];
	struct pl_u64s given = { times, 0 };

	if (watch->status <= CL_COMPLETE)
		pl_cl_sync(session);
	if (watch->token) {
		pl_cl_send_event_reached(session, watch->token, watch->status);
	} else {
		if (watch->profiling && watch->status == CL_COMPLETE)
			given.count = pl_cl_event_times(watch->event, watch->first, times);
		pl_cl_send_event_status(session, watch->event_id, watch->status, given);
	}
	watch_free(session, watch);
}

static void CL_CALLBACK watch_reached(cl_event event, cl_int status, void *user_data)
{
	struct watch *watch = user_data;

	(void)event;
	watch->status = status;
	pl_cl_push_job(watch->session, &watch->job);
}

static void watch_begin(struct pl_serve *serve, uint64_t id, cl_int type, uint64_t token)
{
	struct pl_cl_session *session = pl_cl_session_of(serve);
	struct pl_cl_event_note *note;
	struct pl_handle handle;
	struct watch *watch;
	cl_int r;

	if (!pl_handles_get(&serve->session->handles, id, PL_CL_KIND_event, &handle)) {
		pl_serve_reply(serve, CL_INVALID_EVENT);
		return;
	}
	if (handle.failed) {
		pl_serve_give_turn(serve);
		if (token)
			pl_cl_send_event_reached(session, token, handle.failed);
		else
			pl_cl_send_event_status(session, id, handle.failed, (struct pl_u64s){ NULL, 0 });
		pl_serve_reply(serve, CL_SUCCESS);
		return;
	}
	watch = pl_cl_job_new(session, sizeof(*watch), watch_run);
	if (!watch) {
		pl_serve_reply(serve, CL_OUT_OF_RESOURCES);
		return;
	}
	note = handle.extra;
	watch->session = session;
	watch->event_id = id;
	watch->token = token;
	watch->event = handle.object;
	watch->first = note ? note->first : NULL;
	watch->profiling = note && note->profiling;
	pl_cl.clRetainEvent(watch->event);
	if (watch->first)
		pl_cl.clRetainEvent(watch->first);
	r = pl_cl.clSetEventCallback(watch->event, type, watch_reached, watch);
	if (r)
		watch_free(session, watch);
	pl_serve_reply(serve, r);
}

void pl_cl_serve_plEventWatch(struct pl_serve *serve, const struct pl_cl_plEventWatch_args *args)
{
	watch_begin(serve, args->event, CL_COMPLETE, 0);
}

void pl_cl_serve_plEventCallback(struct pl_serve *serve, const struct pl_cl_plEventCallback_args *args)
{
	if (!args->token) {
		pl_serve_refuse(serve, CL_INVALID_VALUE);
		return;
	}
	watch_begin(serve, args->event, args->type, args->token);
}

void pl_cl_serve_plEventTimes(struct pl_serve *serve, const struct pl_cl_plEventTimes_args *args)
{
	struct pl_cl_plEventTimes_reply reply = { 0 };
	uint64_t times[PL_CL_TIMES_MAX];
	void *event, *note;
	int32_t status = CL_SUCCESS;
	cl_ulong end;

	if (!pl_cl_take_note(serve, args->event, PL_CL_KIND_event, &event, &note, &status)) {
		pl_serve_reply(serve, status);
		return;
	}
	reply.times.at = times;
	if (event)
		reply.times.count =
			pl_cl_event_times(event, note ? ((struct pl_cl_event_note *)note)->first : NULL, times);
	if (event)
		status = pl_cl.clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, sizeof(end), &end, NULL);
	else
		status = CL_INVALID_EVENT;
	if (!status && !reply.times.count)
		status = CL_PROFILING_INFO_NOT_AVAILABLE;
	if (!pl_serve_reply_begin(serve, status, pl_cl_plEventTimes_reply_bytes(&reply), 0)) {
		pl_cl_plEventTimes_reply_put(&serve->reply_enc, &reply);
		pl_serve_reply_end(serve);
	}
}

/* ---- waiting ---- */

/* Late error of any queue whose events are waited for, or of a command that could not be enqueued. */
static int32_t events_late(struct pl_serve *serve, struct pl_u64s ids)
{
	struct pl_cl_session *session = pl_cl_session_of(serve);
	int32_t late = 0;

	for (uint64_t i = 0; i < ids.count && !late; i++) {
		struct pl_cl_event_note *note;
		struct pl_handle handle;

		if (!pl_handles_get(&serve->session->handles, ids.at[i], PL_CL_KIND_event, &handle))
			continue;
		note = handle.extra;
		if (note && note->queue)
			late = pl_cl_late_take(session, note->queue);
		if (!late && handle.failed)
			late = CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST;
	}
	return late;
}

/* The events that a driver has, each retained; unknown ones end the call. */
static bool events_take(struct pl_serve *serve, struct pl_u64s ids, struct pl_cl_waits *waits, int32_t *status)
{
	uint32_t count = 0;

	*waits = (struct pl_cl_waits){ .at = waits->small };
	if (ids.count > PL_CL_WAITS_SMALL)
		waits->at = calloc(ids.count, sizeof(cl_event));
	*status = waits->at ? CL_SUCCESS : CL_OUT_OF_HOST_MEMORY;
	for (uint64_t i = 0; i < ids.count && !*status; i++) {
		struct pl_handle handle;

		if (!pl_handles_get(&serve->session->handles, ids.at[i], PL_CL_KIND_event, &handle))
			*status = CL_INVALID_EVENT;
		else if (!handle.failed)
			waits->at[count++] = handle.object;
	}
	waits->count = count;
	for (uint32_t i = 0; i < count; i++)
		pl_cl.clRetainEvent(waits->at[i]);
	return !*status;
}

static void events_give(struct pl_cl_waits *waits)
{
	for (uint32_t i = 0; i < waits->count; i++)
		pl_cl.clReleaseEvent(waits->at[i]);
	pl_cl_waits_fini(waits);
}

/* The one queue of all the events, if it answers, retained; else NULL. */
static cl_command_queue events_queue(struct pl_serve *serve, struct pl_u64s ids)
{
	const struct pl_cl_queue_note *queue_note;
	struct pl_handle handle;
	uint64_t queue = 0;

	for (uint64_t i = 0; i < ids.count; i++) {
		const struct pl_cl_event_note *note;

		if (!pl_handles_get(&serve->session->handles, ids.at[i], PL_CL_KIND_event, &handle))
			return NULL;
		note = handle.extra;
		if (handle.failed || !note || !note->queue || (queue && note->queue != queue))
			return NULL;
		queue = note->queue;
	}
	if (!queue || !pl_handles_get(&serve->session->handles, queue, PL_CL_KIND_queue, &handle))
		return NULL;
	queue_note = handle.extra;
	if (!queue_note || !queue_note->answers)
		return NULL;
	pl_cl.clRetainCommandQueue(handle.object);
	return handle.object;
}

/* Where the command of one of the events could not be enqueued the others are waited for all the same: the program
 * reads next what they made. */
void pl_cl_serve_clWaitForEvents(struct pl_serve *serve, const struct pl_cl_clWaitForEvents_args *args)
{
	struct pl_cl_session *session = pl_cl_session_of(serve);
	struct pl_cl_waits waits;
	cl_command_queue queue;
	bool answered = false;
	int32_t late, status;

	if (!events_take(serve, args->events, &waits, &status)) {
		events_give(&waits);
		pl_serve_reply(serve, status);
		return;
	}
	late = events_late(serve, args->events);
	queue = late ? NULL : events_queue(serve, args->events);
	pl_serve_give_turn(serve);
	if (queue) {
		answered = pl_cl_later(serve, queue, false, waits.at, waits.count);
		pl_cl.clReleaseCommandQueue(queue);
	}
	if (answered) {
		events_give(&waits);
		return;
	}
	if (waits.count || !late)
		status = pl_cl.clWaitForEvents(waits.count, waits.count ? waits.at : NULL);
	events_give(&waits);
	pl_cl_sync(session);
	if (late)
		pl_serve_reply_late(serve, late);
	else
		pl_serve_reply(serve, status);
}

/* Prefers the function that replaced it: PoCL 3.1 ends the process in the old one. */
static cl_int wait_enqueue(cl_command_queue queue, const struct pl_cl_waits *waits)
{
	if (pl_cl.clEnqueueBarrierWithWaitList)
		return pl_cl.clEnqueueBarrierWithWaitList(queue, waits->count, waits->at, NULL);
	return pl_cl.clEnqueueWaitForEvents(queue, waits->count, waits->at);
}

void pl_cl_serve_clEnqueueWaitForEvents(struct pl_serve *serve, const struct pl_cl_clEnqueueWaitForEvents_args *args)
{
	struct pl_cl_waits waits = { 0 };
	int32_t status = CL_SUCCESS;
	void *queue;

	if (pl_cl_take(serve, args->command_queue, PL_CL_KIND_queue, &queue, &status) &&
	    pl_cl_waits_take(serve, args->event_list, &waits, &status)) {
		if (!queue)
			status = CL_INVALID_COMMAND_QUEUE;
		else if (!args->event_list.count)
			status = CL_INVALID_VALUE;
		else if (waits.count)
			status = wait_enqueue(queue, &waits);
		pl_cl_waits_fini(&waits);
	}
	if (status == CL_INVALID_EVENT_WAIT_LIST)
		status = CL_INVALID_EVENT;
	pl_cl_result(serve, status, args->command_queue);
}

/* ---- user events ---- */

void pl_cl_serve_clCreateUserEvent(struct pl_serve *serve, const struct pl_cl_clCreateUserEvent_args *args)
{
	int32_t status = CL_SUCCESS;
	cl_event event = NULL;
	void *context;

	/* Its failure is that of all commands behind it, and PoCL does not call back then. */
	atomic_store_explicit(&pl_cl_session_of(serve)->answers_not, true, memory_order_relaxed);
	if (!pl_cl.clCreateUserEvent)
		status = CL_INVALID_OPERATION;
	else if (pl_cl_take(serve, args->context, PL_CL_KIND_context, &context, &status))
		event = pl_cl_made(pl_cl.clCreateUserEvent(context, &status), &status);
	pl_cl_enter_event(serve, args->event, (struct pl_cl_event_note){ 0 }, event, status);
	pl_cl_result(serve, status, 0);
}

void pl_cl_serve_clSetUserEventStatus(struct pl_serve *serve, const struct pl_cl_clSetUserEventStatus_args *args)
{
	int32_t status = CL_SUCCESS;
	void *event;

	if (pl_cl_take(serve, args->event, PL_CL_KIND_event, &event, &status)) {
		if (event)
			pl_cl.clRetainEvent(event);
		/* Drivers run waiting commands and callbacks on this thread. */
		pl_serve_give_turn(serve);
		status = pl_cl.clSetUserEventStatus ? pl_cl.clSetUserEventStatus(event, args->execution_status)
						    : CL_INVALID_OPERATION;
		if (event)
			pl_cl.clReleaseEvent(event);
	}
	pl_cl_result(serve, status, 0);
}

/* ---- flush and finish ---- */

void pl_cl_serve_clFlush(struct pl_serve *serve, const struct pl_cl_clFlush_args *args)
{
	cl_event tail = pl_cl_tail_take(serve, args->queue);
	int32_t status = CL_SUCCESS;
	void *queue, *note;

	if (pl_cl_take_note(serve, args->queue, PL_CL_KIND_queue, &queue, &note, &status)) {
		if (tail)
			pl_cl_tail_put(note, &tail, false);
		if (queue)
			pl_cl.clRetainCommandQueue(queue);
		pl_serve_give_turn(serve); /* some drivers run the queue's commands in here */
		status = pl_cl.clFlush(queue);
		if (queue)
			pl_cl.clReleaseCommandQueue(queue);
	}
	pl_cl_result(serve, status, args->queue);
}

void pl_cl_serve_clFinish(struct pl_serve *serve, const struct pl_cl_clFinish_args *args)
{
	struct pl_cl_session *session = pl_cl_session_of(serve);
	cl_event tail = pl_cl_tail_take(serve, args->queue);
	int32_t late, status = CL_SUCCESS;
	bool answered = false;
	void *queue;

	if (!pl_cl_take(serve, args->queue, PL_CL_KIND_queue, &queue, &status)) {
		pl_serve_reply(serve, status);
		return;
	}
	late = pl_cl_late_take(session, args->queue);
	if (queue)
		pl_cl.clRetainCommandQueue(queue);
	pl_serve_give_turn(serve);
	if (tail) {
		answered = !late && pl_cl_later(serve, queue, true, &tail, 1);
		pl_cl.clReleaseEvent(tail);
	}
	if (answered) {
		pl_cl.clReleaseCommandQueue(queue);
		return;
	}
	status = pl_cl.clFinish(queue);
	if (queue)
		pl_cl.clReleaseCommandQueue(queue);
	pl_cl_sync(session);
	if (late)
		pl_serve_reply_late(serve, late);
	else
		pl_serve_reply(serve, status);
}
