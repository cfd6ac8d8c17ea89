/*
 * The objects behind the application's handles.  A handle is the address of one of the structures below; its first word
 * is the loader's dispatch table.  An object lives while the application has references or something holds it (a kernel
 * its program, a queue its context, a command under way its event): the last one to go posts plRelease.
 * After fork() the child's session is a new one: objects of the old epoch are no longer valid, platforms and root
 * devices go on (their ids are the same in each session of a server).
 */
#ifndef PL_CL_OBJECT_H
#define PL_CL_OBJECT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "opencl-client.h"

#include "base/lock.h"
#include "client/session.h"
#include "wire/opencl.h"

#define PL_CL_MAGIC      0x504c434cu /* "PLCL" */

#define PL_CL_ID_LASTING (1ull << 62) /* in ids of platforms and root devices: the same in each session of a server */

struct pl_cl_server;
struct pl_cl_info_entry;

struct pl_cl_object {
	const struct _cl_icd_dispatch *dispatch; /* first: cl_khr_icd */
	uint32_t magic;                          /* PL_CL_MAGIC while it lives */
	uint32_t kind;                           /* enum pl_cl_object_kind */
	_Atomic uint64_t refs;                   /* low half: the application's; high half: holds */
	uint64_t id;
	struct pl_session *session;
	struct pl_cl_server *server;
	uint32_t epoch; /* the session's at creation */
	struct pl_lock lock;
	bool unsent;                            /* the server does not know it: no plRelease */
	bool kept;                              /* its callbacks run before it is freed: pl_cl_object_free() */
	_Atomic bool seen;                      /* the server is known to have it */
	struct pl_cl_object *later;             /* next in pl_cl_later */
	struct pl_cl_info_entry *_Atomic infos; /* answers that do not change; only ever grows */
};

/* A callback of the application that runs once, when something ends. */
struct pl_cl_callback {
	void (*fn)(void *object, void *user_data);
	void *user_data;
	struct pl_cl_callback *next;
};

/* ---- base ---- */

/* The object behind a handle, or NULL where it is not a live one of this kind. */
static inline void *pl_cl_get(const void *handle, enum pl_cl_object_kind kind)
{
	struct pl_cl_object *object = (struct pl_cl_object *)handle;

	/* both words in one look */
	if (!object || memcmp(&object->magic, (const uint32_t[2]){PL_CL_MAGIC, (uint32_t)kind}, 8))
		return NULL;
	if (object->epoch != atomic_load_explicit(&object->session->epoch, memory_order_relaxed) &&
	    !(object->id & PL_CL_ID_LASTING))
		return NULL;
	return object;
}

/** pl_cl_object_new() - an object with one reference
 * @bytes: of the whole structure, which starts with struct pl_cl_object; zeroed
 * @id:    0 = mint one
 * Return: NULL = no memory. */
void *pl_cl_object_new(struct pl_cl_server *server, enum pl_cl_object_kind kind, size_t bytes, uint64_t id);
/* As pl_cl_object_new(), in memory that is zeroed already. */
void pl_cl_object_init(struct pl_cl_object *object, struct pl_cl_server *server, enum pl_cl_object_kind kind,
		       uint64_t id);
/* The object was never given to the application, and the server has none: frees it without plRelease.  NULL is fine. */
void pl_cl_object_drop(void *object);
/* Frees one that was `kept` when it ended. */
void pl_cl_object_free(void *object);
void pl_cl_hold(void *object);
void pl_cl_unhold(void *object); /* NULL is fine */
/* A hold, unless nobody has the object any more. */
bool pl_cl_hold_if_alive(void *object);
/* From a pl_reverse_fn, where no call may be made: if it was the last hold the object ends in pl_cl_later_run(). */
void pl_cl_unhold_later(void *object);
void pl_cl_later_run_slow(void);
extern struct pl_cl_object *_Atomic pl_cl_later;
static inline void pl_cl_later_run(void)
{
	if (atomic_load_explicit(&pl_cl_later, memory_order_relaxed))
		pl_cl_later_run_slow();
}
/* The code for a handle that is not one of this kind. */
cl_int pl_cl_invalid(enum pl_cl_object_kind kind);

/* Session of any valid object; root devices and platforms open theirs anew after fork().
 * NULL: not an object of ours. */
struct pl_session *pl_cl_session(const void *object);
/* What travels for a handle.  0: NULL, not ours, or of another kind. */
uint64_t pl_cl_id(const void *object, enum pl_cl_object_kind kind);
/* As pl_cl_id(), but 0 for objects of other servers too. */
uint64_t pl_cl_id_at(const struct pl_session *session, const void *object, enum pl_cl_object_kind kind);
cl_int pl_cl_retain(void *object, enum pl_cl_object_kind kind);
cl_int pl_cl_release(void *object, enum pl_cl_object_kind kind);

/** pl_cl_ids_start() - the ids of a list of handles
 * @stack: used where it has room for all
 * Each _start needs its _end.  A list that contradicts its count travels as one id 0, for which every driver has a
 * code.  Return: false = no memory. */
#define PL_CL_IDS_STACK 32
struct pl_cl_ids {
	struct pl_u64s list;
	uint64_t *heap;
	uint64_t stack[PL_CL_IDS_STACK];
};
bool pl_cl_ids_fill(struct pl_cl_ids *ids, const struct pl_session *session, const void *const *handles, size_t count,
		    enum pl_cl_object_kind kind);
static inline bool pl_cl_ids_start(struct pl_cl_ids *ids, const struct pl_session *session, const void *const *handles,
				   size_t count, enum pl_cl_object_kind kind)
{
	ids->heap = NULL;
	if (__builtin_expect(handles || count, 0))
		return pl_cl_ids_fill(ids, session, handles, count, kind);
	ids->list = (struct pl_u64s){ ids->stack, 0 };
	return true;
}
static inline void pl_cl_ids_end(struct pl_cl_ids *ids)
{
	if (ids->heap)
		free(ids->heap);
}

/* ---- results ---- */

/* The session is lost.  The one code for it: CL_OUT_OF_RESOURCES, which every function that could see it may return;
 * creating a context, which may, returns CL_DEVICE_NOT_AVAILABLE. */
cl_int pl_cl_lost(void);
/* For a fatal result of pl_call_*(). */
cl_int pl_cl_fault(int r);

static inline void pl_cl_code_set(cl_int *errcode_ret, cl_int code)
{
	if (errcode_ret)
		*errcode_ret = code;
}

/* ---- callbacks ---- */

/* Puts one in front of a list.  Return: false = no memory. */
bool pl_cl_callback_add(struct pl_cl_callback **list, struct pl_lock *lock, void (*fn)(void *, void *),
			void *user_data);
/* Runs them on the callback thread, the newest first, then done(object) there (may be NULL). */
void pl_cl_callbacks_run(struct pl_cl_callback *list, void *object, void (*done)(void *object));

/* ---- queries ---- */

cl_int pl_cl_info(uint16_t op, enum pl_cl_info_kind info, const void *object, const void *second, cl_uint index,
		  const void *input, size_t input_bytes, cl_uint param, size_t size, void *value, size_t *size_ret);

/* ---- events and queues, for the generated stubs ---- */

/* An event of a command that is about to be sent; NULL = no memory.  queue may be invalid: then it has none. */
cl_event pl_cl_event_new(cl_command_queue queue, uint16_t op);
void pl_cl_event_give(cl_event minted, cl_event *event_out);
void pl_cl_event_drop(cl_event minted); /* NULL is fine */
/* After a command was posted, or asked with success. */
void pl_cl_queue_posted(cl_command_queue queue);

#endif
