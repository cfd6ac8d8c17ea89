/*
 * The client's side of CUDA's driver API: what it knows of the process, its threads, and its objects.
 *
 * A handle that the application holds is a number (cuda/handle.h) that finds a struct pl_cuda_object; the same number
 * is its id on the wire.  Objects that the server made have an id of the server's, and functions of modules one behind
 * their module's (wire/cuda.h).  Contexts are never freed, so that a thread may look at its current one without a lock.
 */
#ifndef PL_CLIENT_CUDA_STATE_H
#define PL_CLIENT_CUDA_STATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "cuda-client.h"
#include "cuda/handle.h"
#include "cuda/storage.h"
#include "wire/cuda.h"

#define PL_CUDA_KIND_hostfn 64 /* types of handles besides those of the API: hostfn.c */
#define PL_CUDA_KIND_carry  65 /* carry.c */

struct pl_cuda_context;

struct pl_cuda_object {
	uint64_t id;
	void *handle;
	enum pl_cuda_object_kind kind;
	struct pl_session *session;          /* where it is; NULL: on all servers, or on some of them (libraries) */
	struct pl_cuda_context *context;     /* that was current when it was made; NULL = none */
	struct pl_cuda_object *next, **link; /* of the same context, under objects lock */
};

struct pl_cuda_pool {
	struct pl_cuda_object object;
	unsigned int handle_types; /* of its memory, for other processes */
	CUdevice device;           /* where that lies; CU_DEVICE_INVALID: on none, or not known */
	bool given;                /* one of the driver's own, which can not be destroyed */
};

struct pl_cuda_context {
	struct pl_cuda_object object;
	CUdevice device;
	unsigned int flags;
	bool primary;
	_Atomic uint64_t number; /* cuCtxGetId(); 0: not asked yet */
	_Atomic int error;       /* a sticky error, or CUDA_ERROR_CONTEXT_IS_DESTROYED */
	struct pl_cuda_storages storages;
	struct pl_cuda_object *objects; /* under objects lock */
};

/* One thread's.  Few bytes, so that a library that is loaded late finds room for them. */
struct pl_cuda_thread {
	struct pl_cuda_context *top; /* the current context; NULL = none */
	uint64_t told;               /* a context that the lane of its session was told, and nothing else since */
	uint64_t *told_by;           /* what each session's lane was told; owned; NULL: none was */
	struct pl_cuda_stack *stack; /* below the top; owned */
};
#define PL_CUDA_TOLD_NOT UINT64_MAX /* a lane may come from another thread: it is told first */
extern __thread struct pl_cuda_thread pl_cuda_thread __attribute__((tls_model("initial-exec")));

/* ---- process.c ---- */

/* Initialised, and in this process.  Return: success or CUDA_ERROR_NOT_INITIALIZED. */
CUresult pl_cuda_ready(void);
/* After pl_cuda_ready(): the session of the current context; without one, the first. */
struct pl_session *pl_cuda_session(void);
extern uint32_t pl_cuda_sessions_count;
static inline bool pl_cuda_is_alone(void) /* one server: everything is there */
{
	return __builtin_expect(pl_cuda_sessions_count <= 1, 1);
}
struct pl_session *pl_cuda_session_at(uint32_t index); /* NULL = there are no more */
uint32_t pl_cuda_session_index(const struct pl_session *session);

/* Devices, by their numbers in the list of all servers' that the program sees. */
int pl_cuda_device_count(void);
struct pl_session *pl_cuda_device_session(CUdevice device);          /* NULL = no such device */
struct pl_session *pl_cuda_location_session(CUmemLocation location); /* where it is not a device's: the current one */
CUdevice pl_cuda_device_first(const struct pl_session *session); /* of its devices; CU_DEVICE_INVALID: none is seen */
int pl_cuda_device_home(const struct pl_session *session, CUdevice device); /* its server's number; -1: none there */
CUdevice pl_cuda_device_away(const struct pl_session *session, int number); /* back; CU_DEVICE_INVALID: not seen */
const struct pl_cuda_device_facts *pl_cuda_device(CUdevice device);         /* NULL = no such device */
/* An attribute as the server gave it; 0 where the device does not know it. */
int pl_cuda_device_attribute(CUdevice device, CUdevice_attribute attribute);

/* ---- enter.c: pl_cuda_enter() and its like are of cuda-client.h ---- */

/* As pl_cuda_enter() where this context were the current one. */
/* The thread's lanes have gone to others: the next one it gets is told its context first. */
void pl_cuda_lanes_went(void);
CUresult pl_cuda_enter_context(enum pl_cuda_op op, struct pl_cuda_context *context, struct pl_session **session_out);

/* ---- object.c ---- */

/* One that is on several servers, or on another. */
bool pl_cuda_object_is_also_on(const struct pl_cuda_object *object, const struct pl_session *session);
/* Can a call of this session name the object? */
static inline bool pl_cuda_object_is_on(const struct pl_cuda_object *object, const struct pl_session *session)
{
	return __builtin_expect(object->session == session, 1) || pl_cuda_object_is_also_on(object, session);
}

/* The object of a handle; NULL = no live one of this kind. */
void *pl_cuda_get(enum pl_cuda_object_kind kind, const void *handle);
/* Takes the handle away and frees the object; not for contexts. */
void pl_cuda_forget(struct pl_cuda_object *object);
/* An object with an id of the caller's. */
void *pl_cuda_object_create(enum pl_cuda_object_kind kind, uint64_t id, struct pl_cuda_context *context);
/* Ends all that was made in it. */
void pl_cuda_context_empty(struct pl_cuda_context *context);

/* ---- context.c ---- */

/* The thread's current context; NULL with *status_out set where there is none, or one that is of no use. */
struct pl_cuda_context *pl_cuda_current(CUresult *status_out);
/* A context that is good for calls of this session: the current one, a primary one; NULL = there is none. */
struct pl_cuda_context *pl_cuda_context_of(const struct pl_session *session);
void pl_cuda_context_fail(struct pl_cuda_context *context, int error); /* the first one stays */

/* ---- reverse.c ---- */

void pl_cuda_reverse(struct pl_session *session, const struct pl_wire_head *head, struct pl_dec *dec);
/* hostfn.c; a session can only name its own */
void pl_cuda_hostfn_reached(const struct pl_session *session, uint64_t token, int32_t status, bool again);

/* ---- context.c ---- */

extern _Atomic uint32_t pl_cuda_contexts_made; /* in all, also those that are gone */

/* ---- capture.c ---- */

/* Captures that are under way.  While there are any, calls are asked that would be posted: what a captured stream does
 * not allow has to fail at its call; and memory is the driver's affair alone. */
extern _Atomic uint32_t pl_cuda_captures;
static inline bool pl_cuda_captures_none(void)
{
	return __builtin_expect(!atomic_load_explicit(&pl_cuda_captures, memory_order_relaxed), 1);
}

/* Nothing is under way: what waits or asks how far it is needs no answer. */
static inline bool pl_cuda_is_idle(const struct pl_session *session)
{
	return pl_session_is_idle(session) && pl_cuda_captures_none();
}

/* Some graph has memory of its own: whether it can be launched is the driver's to say. */
extern _Atomic bool pl_cuda_graphs_allocate;

/* May this thread make calls that are unsafe in a capture?  Asked where the driver would say so and is not
 * called.  A refusal breaks the captures that refuse, as natively. */
CUresult pl_cuda_capture_allows(struct pl_session *session);
/* A lane that this thread has not used may have another's mode. */
CUresult pl_cuda_capture_mode_tell(struct pl_session *session);

/* ---- calls by hand ---- */

/* What a call that was waited for comes to: pl_call_ask()'s result, and the API's code in the reply. */
static inline CUresult pl_cuda_answer(int r, const struct pl_reply *reply)
{
	return r ? pl_cuda_fault(r) : (CUresult)reply->status;
}

/* PL_CUDA_ASK_AS(session, op, name, &args, &reply): a call of op with the record of `name`, waited for.  Value: 0 or
 * fatal, as pl_call_ask(). */
#define PL_CUDA_ASK_AS(session, op, name, args, reply)                                                                 \
	({                                                                                                             \
		struct pl_call call_;                                                                                  \
		int r_ = pl_call_begin(&call_, (session), (uint16_t)(op), pl_cuda_##name##_bytes(args));               \
		if (!r_) {                                                                                             \
			pl_cuda_##name##_put(&call_.enc, (args));                                                      \
			r_ = pl_call_ask(&call_, (reply));                                                             \
		}                                                                                                      \
		r_;                                                                                                    \
	})

/* The same with the name's own op. */
#define PL_CUDA_ASK(session, name, args, reply) PL_CUDA_ASK_AS(session, PL_CUDA_OP_##name, name, args, reply)

/* PL_CUDA_POST(session, name, &args): the call, posted.  Value: the API's code. */
#define PL_CUDA_POST(session, name, args)                                                                              \
	({                                                                                                             \
		struct pl_call call_;                                                                                  \
		int r_ = pl_call_begin(&call_, (session), PL_CUDA_OP_##name, pl_cuda_##name##_bytes(args));            \
		if (!r_) {                                                                                             \
			pl_cuda_##name##_put(&call_.enc, (args));                                                      \
			r_ = pl_call_post(&call_);                                                                     \
		}                                                                                                      \
		r_ ? pl_cuda_fault(r_) : CUDA_SUCCESS;                                                                 \
	})

#endif
