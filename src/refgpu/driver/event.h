/* Events: a point in a stream, and when it was passed. */
#ifndef PL_REFGPU_DRIVER_EVENT_H
#define PL_REFGPU_DRIVER_EVENT_H

#include "refgpu/driver/stream.h"

struct pl_cu_event {
	CUevent handle;
	struct pl_cu_ctx *ctx;              /* a reference */
	struct pl_cu_event *next, **before; /* in ctx->events, under ctx->lock */
	unsigned int flags;
	pthread_mutex_t lock;
	/* under lock */
	struct pl_cu_line *line;         /* its semaphore has the time; NULL: never recorded */
	uint64_t value;                  /* recorded, when the line comes to it */
	struct pl_cu_captured *captured; /* recorded in a captured stream; under the lock of capture.c */
	/* of an event that processes share */
	void *shared;
	int fd;
	bool foreign;
};

CUresult pl_cu_event_record(struct pl_cu_event *event, struct pl_cu_stream *stream, unsigned int flags);
/* The stream's later work waits on the device for what the event has recorded. */
CUresult pl_cu_event_wait(struct pl_cu_event *event, struct pl_cu_stream *stream, unsigned int flags);
/* The same of all streams of a context, those that do not wait for its legacy stream too, and those made later. */
CUresult pl_cu_event_record_all(struct pl_cu_event *event, struct pl_cu_ctx *ctx);
CUresult pl_cu_event_wait_all(struct pl_cu_event *event, struct pl_cu_ctx *ctx);
/* For a stream that is new: it waits for what all others have to. */
CUresult pl_cu_event_waits_join(struct pl_cu_stream *stream);
CUresult pl_cu_event_create(struct pl_cu_event **event_out, struct pl_cu_ctx *ctx, unsigned int flags);
bool pl_cu_event_destroy(struct pl_cu_event *event); /* false: another thread has */
void pl_cu_events_end(struct pl_cu_ctx *ctx);        /* all of a context that goes away */

#endif
