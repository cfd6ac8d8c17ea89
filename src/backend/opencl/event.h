/* Events: waiting, telling the client, and results of non-blocking reads, which must be there before their event is. */
#ifndef PL_BACKEND_OPENCL_EVENT_H
#define PL_BACKEND_OPENCL_EVENT_H

#include "backend/opencl/session.h"

#define PL_CL_TIMES_MAX 5u /* queued, submit, start, end, complete */

/* Return: PL_CL_TIMES_MAX, times[] filled; 0 = the event is not profiled or has not ended.  first: where a split
 * command began, or NULL.  Any time. */
uint32_t pl_cl_event_times(cl_event event, cl_event first, uint64_t *times);

/* Status of a command: CL_COMPLETE ... CL_QUEUED, or its error.  Any time. */
cl_int pl_cl_event_status(cl_event event);

/* ---- pending reads ---- */

/* A non-blocking read or map whose data the client gets with plReadDone. */
struct pl_cl_read {
	struct pl_cl_job job; /* first */
	struct pl_cl_session *session;
	struct pl_cl_read *next, **link; /* under session->reads.lock; link NULL = delivered */
	_Atomic uint32_t refs;           /* the list, and the driver's callback */
	cl_event event;                  /* retained */
	uint64_t token;
	void *data;  /* to send; NULL: the bytes lie in the arena */
	void *owned; /* free()d */
	uint64_t bytes, inflight_bytes;
	void (*finish)(struct pl_cl_read *read); /* before sending, when the command ended well; or NULL */
	struct pl_cl_map *map;                   /* a reference; or NULL */
	cl_mem mem;                              /* what `map` is of, retained; or NULL */
	uint8_t *stage;                          /* for finish() */
	struct pl_cl_svm_block *block;           /* a reference; or NULL */
};

struct pl_cl_read *pl_cl_read_new(struct pl_cl_session *session);
/* Lists the read, whose fields are set: it is delivered when its event has ended.  Takes the read over. */
void pl_cl_read_begin(struct pl_cl_read *read);
/* Drops a read that never began. */
void pl_cl_read_drop(struct pl_cl_read *read);

/* The mapping is about to go: reads that send from it are delivered, or will be without data. */
void pl_cl_reads_settle(struct pl_cl_session *session, const struct pl_cl_map *map);

/* What a reply that says "this has ended" must be preceded by: ended reads, and printed text.  Any time but under the
 * turn; may block. */
void pl_cl_sync(struct pl_cl_session *session);

/* Nothing of the kind can be there, now or when commands end that were enqueued so far. */
bool pl_cl_sync_idle(struct pl_cl_session *session);

/** pl_cl_hold() - memory that a command uses until it ends
 * @memory:   free()d then, may be NULL
 * @inflight: bytes returned then
 * Takes memory and charge over in any case.  Any time; waits for the event where the driver refuses callbacks. */
void pl_cl_hold(struct pl_cl_session *session, cl_event event, void *memory, uint64_t inflight);

#endif
