/*
 * Ids to driver handles and back, and results.  All functions are for handlers that hold the turn unless they say
 * otherwise.
 */
#ifndef PL_BACKEND_OPENCL_RESOLVE_H
#define PL_BACKEND_OPENCL_RESOLVE_H

#include "backend/opencl/session.h"

#define PL_CL_WAITS_SMALL 16u
#define PL_CL_ID_ROOT     (1ull << 62) /* ids of platforms and root devices have this; the client's own are smaller */

/* A wait list, without events that the server never saw (PL_CL_EVENT_DONE).  Give it back with pl_cl_waits_fini(). */
struct pl_cl_waits {
	cl_uint count;
	cl_event *at; /* NULL when empty */
	cl_event small[PL_CL_WAITS_SMALL];
};

/* An array of handles, small ones on the stack. */
struct pl_cl_list {
	uint32_t count;
	void **at; /* NULL when empty */
	void *small[PL_CL_WAITS_SMALL];
};

/* Code that says: no object of this kind. */
int32_t pl_cl_invalid(enum pl_cl_object_kind kind);

/* As pl_cl_take(), and the note. */
bool pl_cl_take_note(struct pl_serve *serve, uint64_t id, enum pl_cl_object_kind kind, void **object_out,
		     void **note_out, int32_t *status_out);
/* As pl_cl_take_list(), with room of its own.  Return: false: *status_out says why, nothing to give back. */
bool pl_cl_list_take(struct pl_serve *serve, struct pl_u64s ids, enum pl_cl_object_kind kind,
		     struct pl_cl_list *list_out, int32_t *status_out);
void pl_cl_list_fini(struct pl_cl_list *list);
bool pl_cl_waits_take(struct pl_serve *serve, struct pl_u64s ids, struct pl_cl_waits *waits_out, int32_t *status_out);
void pl_cl_waits_fini(struct pl_cl_waits *waits);

/** pl_cl_enter() - a new object into the table, charged
 * On failure the driver's object is released; the note stays the caller's.
 * Any time.  Return: CL_SUCCESS or the code to answer with. */
int32_t pl_cl_enter(struct pl_cl_session *session, uint64_t id, enum pl_cl_object_kind kind, void *object, void *note);
/* Enters a command's event with its note (whose `first` is taken over).  event NULL: entered as failed with
 * `status`, when the call was posted.  id 0: releases the event.  Any time. */
void pl_cl_enter_event(struct pl_serve *serve, uint64_t id, struct pl_cl_event_note what, cl_event event,
		       int32_t status);
/* As pl_cl_put_event(), where the call took other queues after its own. */
void pl_cl_put_queue_event(struct pl_serve *serve, uint64_t id, uint64_t queue_id, cl_event event, int32_t status);
/* Takes the event out again: the call that made it fails after all.  Any time. */
void pl_cl_withdraw_event(struct pl_cl_session *session, uint64_t id);
/* What the driver made, or NULL with a failure in *status.  Some give an object and an error: PoCL's context for
 * devices that are not there, which it can not release.  It is left alone.  Any time. */
void *pl_cl_made(void *object, int32_t *status);
/* The driver's release function of the kind.  Any time. */
void pl_cl_driver_release(enum pl_cl_object_kind kind, void *object);
/* References to devices that are kept for a while (release.c): all are given back.  A worker just ends. */
void pl_cl_devices_let_go(void);

/* Ends of notes whose entries were taken out of the table.  NULL is fine. */
void pl_cl_event_note_free(struct pl_cl_event_note *note);
void pl_cl_queue_note_free(struct pl_cl_queue_note *note);

/* The queue's last command, where that is known: its reference is the caller's then.  NULL = not known. */
cl_event pl_cl_tail_take(struct pl_serve *serve, uint64_t queue_id);
/* Whether a command should tell: its event is asked for then. */
static inline bool pl_cl_tail_wanted(const struct pl_cl_queue_note *note)
{
	return note && note->answers && note->in_order;
}
/* *event is the last command now.  shared: the event is used for something else too, which gets its own reference;
 * else it is NULL afterwards. */
void pl_cl_tail_put(struct pl_cl_queue_note *note, cl_event *event, bool shared);

/* Takes the queue's late error (0 = none). */
int32_t pl_cl_late_take(struct pl_cl_session *session, uint64_t queue_id);
/* Keeps a late error of the queue.  Any time. */
void pl_cl_late_put(struct pl_cl_session *session, uint64_t queue_id, int32_t status);
/* Whether the queue was made with profiling; false also for an id that is none. */
struct pl_cl_queue_note pl_cl_queue_note(struct pl_cl_session *session, uint64_t queue_id);

/* A property list into words[PL_CL_LIMIT_PROPERTIES_MAX + 8], zeros behind it.  Return: words, or NULL for an
 * empty one. */
#define PL_CL_PROPERTIES_ROOM (PL_CL_LIMIT_PROPERTIES_MAX + 8u)
uint64_t *pl_cl_properties(struct pl_u64s properties, uint64_t *words);

/* The bytes of a bulk argument. */
struct pl_cl_view {
	const void *data; /* NULL when bytes is 0 */
	uint64_t bytes;
	void *owned; /* free()d by pl_cl_view_fini() */
};

/** pl_cl_view_take() - bulk as memory; its bytes must have been charged
 * @copy: the client must not be able to change them while they are used
 * Return: CL_SUCCESS or CL_OUT_OF_HOST_MEMORY. */
int32_t pl_cl_view_take(struct pl_serve *serve, const struct pl_bulk *bulk, bool copy, struct pl_cl_view *view_out);
void pl_cl_view_fini(struct pl_cl_view *view);

/* A reply of one `bytes` field: in the record, or behind it where it is too long (the field is then empty).
 * head: u64 fields in front of it. */
#define PL_CL_REPLY_INLINE_MAX PL_WIRE_INLINE_MAX
void pl_cl_reply_bytes(struct pl_serve *serve, int32_t status, const uint64_t *head, uint32_t head_count,
		       const void *data, uint64_t bytes);

#endif
