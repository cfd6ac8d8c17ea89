#include "backend/opencl/resolve.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "wire/opencl.h"

static pthread_mutex_t queues_lock = PTHREAD_MUTEX_INITIALIZER; /* late errors, against a queue's release */

int32_t pl_cl_invalid(enum pl_cl_object_kind kind)
{
	switch (kind) {
	case PL_CL_KIND_platform:
		return CL_INVALID_PLATFORM;
	case PL_CL_KIND_device:
		return CL_INVALID_DEVICE;
	case PL_CL_KIND_context:
		return CL_INVALID_CONTEXT;
	case PL_CL_KIND_queue:
		return CL_INVALID_COMMAND_QUEUE;
	case PL_CL_KIND_mem:
		return CL_INVALID_MEM_OBJECT;
	case PL_CL_KIND_sampler:
		return CL_INVALID_SAMPLER;
	case PL_CL_KIND_program:
		return CL_INVALID_PROGRAM;
	case PL_CL_KIND_kernel:
		return CL_INVALID_KERNEL;
	case PL_CL_KIND_event:
		return CL_INVALID_EVENT;
	}
	return CL_INVALID_VALUE;
}

static void tail_drop(struct pl_cl_queue_note *note)
{
	if (!note || !note->tail)
		return;
	pl_cl.clReleaseEvent(note->tail);
	note->tail = NULL;
}

/* ---- ids to handles ---- */

bool pl_cl_take_note(struct pl_serve *serve, uint64_t id, enum pl_cl_object_kind kind, void **object_out,
		     void **note_out, int32_t *status_out)
{
	struct pl_handle handle;

	*object_out = NULL;
	*note_out = NULL;
	if (!id)
		return true;
	if (!pl_handles_get(&serve->session->handles, id, kind, &handle)) {
		*status_out = pl_cl_invalid(kind);
		return false;
	}
	if (handle.failed) {
		*status_out = handle.failed;
		return false;
	}
	if (kind == PL_CL_KIND_queue) {
		pl_cl_session_of(serve)->turn_queue = id;
		tail_drop(handle.extra); /* the call may add a command */
	}
	*object_out = handle.object;
	*note_out = handle.extra;
	return true;
}

bool pl_cl_take(struct pl_serve *serve, uint64_t id, enum pl_cl_object_kind kind, void **object_out,
		int32_t *status_out)
{
	void *note;

	return pl_cl_take_note(serve, id, kind, object_out, &note, status_out);
}

bool pl_cl_take_list(struct pl_serve *serve, struct pl_u64s ids, enum pl_cl_object_kind kind, void **objects_out,
		     int32_t *status_out)
{
	for (uint64_t i = 0; i < ids.count; i++) {
		struct pl_handle handle;

		/* id 0: what the program gave is no object */
		if (!pl_handles_get(&serve->session->handles, ids.at[i], kind, &handle)) {
			*status_out = kind == PL_CL_KIND_event ? CL_INVALID_EVENT_WAIT_LIST : pl_cl_invalid(kind);
			return false;
		}
		if (handle.failed) {
			*status_out =
				kind == PL_CL_KIND_event ? CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST : handle.failed;
			return false;
		}
		objects_out[i] = handle.object;
	}
	return true;
}

bool pl_cl_list_take(struct pl_serve *serve, struct pl_u64s ids, enum pl_cl_object_kind kind,
		     struct pl_cl_list *list_out, int32_t *status_out)
{
	list_out->at = NULL;
	list_out->count = (uint32_t)ids.count;
	if (!ids.count)
		return true;
	list_out->at = list_out->small;
	if (ids.count > PL_CL_WAITS_SMALL)
		list_out->at = calloc(ids.count, sizeof(void *));
	if (!list_out->at) {
		*status_out = CL_OUT_OF_HOST_MEMORY;
		return false;
	}
	if (pl_cl_take_list(serve, ids, kind, list_out->at, status_out))
		return true;
	pl_cl_list_fini(list_out);
	return false;
}

void pl_cl_list_fini(struct pl_cl_list *list)
{
	if (list->at != list->small)
		free(list->at);
	list->at = NULL;
}

bool pl_cl_waits_take(struct pl_serve *serve, struct pl_u64s ids, struct pl_cl_waits *waits_out, int32_t *status_out)
{
	waits_out->at = waits_out->small;
	waits_out->count = 0;
	if (ids.count > PL_CL_WAITS_SMALL)
		waits_out->at = calloc(ids.count, sizeof(cl_event));
	if (!waits_out->at) {
		*status_out = CL_OUT_OF_HOST_MEMORY;
		return false;
	}
	for (uint64_t i = 0; i < ids.count; i++) {
		struct pl_u64s one = { &ids.at[i], 1 };

		if (ids.at[i] == PL_CL_EVENT_DONE)
			continue;
		if (!pl_cl_take_list(serve, one, PL_CL_KIND_event, (void **)&waits_out->at[waits_out->count],
				     status_out)) {
			pl_cl_waits_fini(waits_out);
			return false;
		}
		waits_out->count++;
	}
	if (!waits_out->count)
		pl_cl_waits_fini(waits_out);
	return true;
}

void pl_cl_waits_fini(struct pl_cl_waits *waits)
{
	if (waits->at != waits->small)
		free(waits->at);
	waits->at = NULL;
}

/* ---- new objects ---- */

void pl_cl_driver_release(enum pl_cl_object_kind kind, void *object)
{
	if (!object)
		return;
	switch (kind) {
	case PL_CL_KIND_platform:
		return;
	case PL_CL_KIND_device:
		if (pl_cl.clReleaseDevice)
			pl_cl.clReleaseDevice(object);
		return;
	case PL_CL_KIND_context:
		pl_cl.clReleaseContext(object);
		return;
	case PL_CL_KIND_queue:
		pl_cl.clReleaseCommandQueue(object);
		return;
	case PL_CL_KIND_mem:
		pl_cl.clReleaseMemObject(object);
		return;
	case PL_CL_KIND_sampler:
		pl_cl.clReleaseSampler(object);
		return;
	case PL_CL_KIND_program:
		pl_cl.clReleaseProgram(object);
		return;
	case PL_CL_KIND_kernel:
		pl_cl.clReleaseKernel(object);
		return;
	case PL_CL_KIND_event:
		pl_cl.clReleaseEvent(object);
		return;
	}
}

void *pl_cl_made(void *object, int32_t *status)
{
	if (!object && !*status)
		*status = CL_OUT_OF_RESOURCES;
	return *status ? NULL : object;
}

static int32_t enter(struct pl_cl_session *session, uint64_t id, enum pl_cl_object_kind kind, void *object,
		     int32_t failed, void *note)
{
	struct pl_quota *quota = pl_cl_quota(session);
	int r = -EDQUOT;

	if (id >= PL_CL_ID_ROOT) { /* platforms and root devices, and PL_CL_EVENT_DONE: none of the client's own */
		r = -EINVAL;
	} else if (pl_quota_charge(quota, PL_QUOTA_OBJECTS, 1)) {
		r = pl_handles_put(&session->worker->handles, id, kind, object, failed, note);
		if (!r)
			return CL_SUCCESS;
		pl_quota_return(quota, PL_QUOTA_OBJECTS, 1);
	}
	pl_log_warn("an object of kind %u can not be kept: %s", kind, r == -EDQUOT ? "limit on objects" : strerror(-r));
	pl_cl_driver_release(kind, object);
	return r == -EEXIST || r == -EINVAL ? CL_INVALID_VALUE : CL_OUT_OF_RESOURCES;
}

int32_t pl_cl_enter(struct pl_cl_session *session, uint64_t id, enum pl_cl_object_kind kind, void *object, void *note)
{
	return enter(session, id, kind, object, 0, note);
}

void pl_cl_put(struct pl_serve *serve, uint64_t id, enum pl_cl_object_kind kind, void *object, int32_t status)
{
	if (!id || (!object && serve->asked))
		return; /* the client that waits for an error forgets the id */
	enter(pl_cl_session_of(serve), id, kind, object, object ? 0 : status ? status : CL_OUT_OF_RESOURCES, NULL);
}

void pl_cl_event_note_free(struct pl_cl_event_note *note)
{
	if (note && note->first)
		pl_cl.clReleaseEvent(note->first);
	free(note);
}

void pl_cl_enter_event(struct pl_serve *serve, uint64_t id, struct pl_cl_event_note what, cl_event event,
		       int32_t status)
{
	struct pl_cl_event_note *note = calloc(1, sizeof(*note));

	if (!note && what.first)
		pl_cl.clReleaseEvent(what.first);
	if (note)
		*note = what;
	if (!id || (!event && serve->asked)) {
		if (event)
			pl_cl.clReleaseEvent(event);
		pl_cl_event_note_free(note);
		return;
	}
	if (enter(pl_cl_session_of(serve), id, PL_CL_KIND_event, event,
		  event    ? 0
		  : status ? status
			   : CL_OUT_OF_RESOURCES,
		  note))
		pl_cl_event_note_free(note);
}

void pl_cl_put_queue_event(struct pl_serve *serve, uint64_t id, uint64_t queue_id, cl_event event, int32_t status)
{
	struct pl_cl_event_note what = { .queue = queue_id };

	if (!id && !event)
		return;
	what.profiling = pl_cl_queue_note(pl_cl_session_of(serve), queue_id).profiling;
	pl_cl_enter_event(serve, id, what, event, status);
}

void pl_cl_put_event(struct pl_serve *serve, uint64_t id, cl_event event, int32_t status)
{
	pl_cl_put_queue_event(serve, id, pl_cl_session_of(serve)->turn_queue, event, status);
}

void pl_cl_withdraw_event(struct pl_cl_session *session, uint64_t id)
{
	struct pl_handle handle;

	if (!pl_handles_take(&session->worker->handles, id, PL_CL_KIND_event, &handle))
		return;
	pl_quota_return(pl_cl_quota(session), PL_QUOTA_OBJECTS, 1);
	pl_cl_driver_release(PL_CL_KIND_event, handle.object);
	pl_cl_event_note_free(handle.extra);
}

/* ---- results ---- */

int32_t pl_cl_late_take(struct pl_cl_session *session, uint64_t queue_id)
{
	struct pl_handle handle;
	int32_t late = 0;

	pthread_mutex_lock(&queues_lock);
	if (pl_handles_get(&session->worker->handles, queue_id, PL_CL_KIND_queue, &handle) && handle.extra) {
		struct pl_cl_queue_note *note = handle.extra;
		late = note->late;
		note->late = 0;
	}
	pthread_mutex_unlock(&queues_lock);
	return late;
}

void pl_cl_late_put(struct pl_cl_session *session, uint64_t queue_id, int32_t status)
{
	struct pl_handle handle;

	pthread_mutex_lock(&queues_lock);
	if (pl_handles_get(&session->worker->handles, queue_id, PL_CL_KIND_queue, &handle) && handle.extra) {
		struct pl_cl_queue_note *note = handle.extra;
		if (!note->late)
			note->late = status;
	}
	pthread_mutex_unlock(&queues_lock);
}

cl_event pl_cl_tail_take(struct pl_serve *serve, uint64_t queue_id)
{
	struct pl_handle handle;
	struct pl_cl_queue_note *note;
	cl_event tail;

	if (!pl_handles_get(&serve->session->handles, queue_id, PL_CL_KIND_queue, &handle) || !handle.extra)
		return NULL;
	note = handle.extra;
	tail = note->tail;
	note->tail = NULL;
	return tail;
}

void pl_cl_tail_put(struct pl_cl_queue_note *note, cl_event *event, bool shared)
{
	tail_drop(note);
	note->tail = *event;
	if (shared)
		pl_cl.clRetainEvent(*event);
	else
		*event = NULL;
}

struct pl_cl_queue_note pl_cl_queue_note(struct pl_cl_session *session, uint64_t queue_id)
{
	struct pl_handle handle;

	if (!pl_handles_get(&session->worker->handles, queue_id, PL_CL_KIND_queue, &handle) || !handle.extra)
		return (struct pl_cl_queue_note){ 0 };
	return *(struct pl_cl_queue_note *)handle.extra;
}

void pl_cl_queue_note_free(struct pl_cl_queue_note *note)
{
	tail_drop(note);
	pthread_mutex_lock(&queues_lock);
	free(note);
	pthread_mutex_unlock(&queues_lock);
}

void pl_cl_result(struct pl_serve *serve, int32_t status, uint64_t queue_id)
{
	if (status && !serve->asked && queue_id)
		pl_cl_late_put(pl_cl_session_of(serve), queue_id, status);
	pl_serve_reply(serve, status);
}

/* ---- arguments ---- */

uint64_t *pl_cl_properties(struct pl_u64s properties, uint64_t *words)
{
	if (!properties.count)
		return NULL;
	memset(words, 0, PL_CL_PROPERTIES_ROOM * sizeof(*words));
	memcpy(words, properties.at, properties.count * sizeof(*words));
	return words;
}

int32_t pl_cl_view_take(struct pl_serve *serve, const struct pl_bulk *bulk, bool copy, struct pl_cl_view *view_out)
{
	pl_cleanup(pl_freep) void *owned = NULL;

	*view_out = (struct pl_cl_view){ .data = bulk->data, .bytes = bulk->bytes };
	if (!bulk->bytes || (bulk->kind != PL_BULK_AFTER && !(copy && bulk->kind == PL_BULK_ARENA)))
		return CL_SUCCESS;
	owned = malloc(bulk->bytes);
	if (!owned)
		return CL_OUT_OF_HOST_MEMORY;
	if (bulk->kind == PL_BULK_ARENA)
		memcpy(owned, bulk->data, bulk->bytes);
	else if (pl_serve_take_bulk(serve, owned, bulk->bytes))
		return CL_OUT_OF_RESOURCES;
	view_out->data = view_out->owned = pl_steal(owned);
	return CL_SUCCESS;
}

void pl_cl_view_fini(struct pl_cl_view *view)
{
	free(view->owned);
	view->owned = NULL;
}

void pl_cl_reply_bytes(struct pl_serve *serve, int32_t status, const uint64_t *head, uint32_t head_count,
		       const void *data, uint64_t bytes)
{
	uint64_t behind = bytes > PL_CL_REPLY_INLINE_MAX ? bytes : 0;
	uint64_t inside = behind ? 0 : bytes;

	if (pl_serve_reply_begin(serve, status, 8ull * head_count + pl_size_array(inside, 1), behind))
		return;
	for (uint32_t i = 0; i < head_count; i++)
		pl_enc_u64(&serve->reply_enc, head[i]);
	pl_enc_array(&serve->reply_enc, data, inside, 1);
	if (!pl_serve_reply_end(serve) && behind)
		pl_serve_reply_bulk(serve, data, behind);
}
