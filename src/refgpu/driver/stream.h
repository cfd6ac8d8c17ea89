/*
 * Streams: order.  A stream has a channel for each engine that it uses and a line that all of them advance; work for
 * one engine waits, on the device, until the work for the other that was given before is done.
 */
#ifndef PL_REFGPU_DRIVER_STREAM_H
#define PL_REFGPU_DRIVER_STREAM_H

#include "refgpu/driver/chan.h"
#include "refgpu/driver/driver.h"
#include "refgpu/driver/line.h"

#define PL_CU_ARGS_BYTES (256u << 10) /* launch descriptors and arguments that wait */

struct pl_cu_retired { /* something to do when the line has come to `value` */
	uint64_t value;
	void (*fn)(void *arg);
	void *arg;
	struct pl_cu_retired *next;
};

struct pl_cu_capture; /* a stream that is being captured into a graph */

struct pl_cu_stream {
	CUstream handle;
	struct pl_cu_ctx *ctx; /* a reference */
	unsigned int flags;    /* CU_STREAM_NON_BLOCKING */
	int priority;
	uint64_t id;
	bool legacy; /* the context's stream 0 */
	bool per_thread;
	bool alone;       /* shares no channel: what other streams wait for comes from it */
	pthread_t thread; /* whose, if per_thread */
	struct pl_cu_line *line;
	struct pl_cu_stream *next; /* in ctx->streams, under ctx->lock */
	struct pl_cu_capture *capture;
	struct pl_cu_later end; /* when it was destroyed and its work is done */
	pthread_mutex_t lock;
	/* under lock */
	struct pl_cu_chan *chan[PL_RG_ENGINES];
	struct pl_cu_chan *last_chan; /* which advances the line to `last`; NULL: a thread does */
	struct pl_cu_retired *retired, **retired_end;
	struct pl_cu_retired *due, **due_end; /* whose time has come */
	char *args;                           /* ring of PL_CU_ARGS_BYTES, system memory */
	uint64_t args_put, args_done;         /* counted from the begin */
	struct pl_isa_printf *print;
	CUlaunchAttributeValue attribute[CU_LAUNCH_ATTRIBUTE_MAX];
};

/* A handle of the API: 0, 1, 2 or one that was created.  The context is the current one for the first three. */
CUresult pl_cu_stream_get(CUstream handle, struct pl_cu_stream **stream_out);
/* As above, after pl_cu_enter_ctx(). */
CUresult pl_cu_enter_stream(CUstream handle, struct pl_cu_stream **stream_out);

CUresult pl_cu_stream_create(struct pl_cu_stream **stream_out, struct pl_cu_ctx *ctx, unsigned int flags, int priority);
/* One that is `alone`, which others see from the begin; it is no blocking one. */
CUresult pl_cu_stream_create_alone(struct pl_cu_stream **stream_out, struct pl_cu_ctx *ctx, int priority);
/* Waits for nothing: what it was given is done in its time, and it stays in its context until then.  false: another
 * thread has destroyed it. */
bool pl_cu_stream_destroy(struct pl_cu_stream *stream);
void pl_cu_streams_end(struct pl_cu_ctx *ctx); /* all of a context that goes away */
/* Where its context has failed: ends what all streams of that do.  This one's line comes to `last`, as do those of the
 * events that it was to record; other contexts may wait for them. */
void pl_cu_stream_stop(struct pl_cu_stream *stream);
/* Of a context that has failed: before a line comes to what was not done, or other streams of it would go on. */
void pl_cu_streams_kill(struct pl_cu_ctx *ctx);

/* One piece of work for one engine.  Between open and close the stream is locked. */
struct pl_cu_work {
	struct pl_cu_stream *stream;
	struct pl_cu_chan *chan;
	uint32_t *words;
	uint32_t n;
};
#define PL_CU_WORK_SEM_WORDS 6u /* that a semaphore takes */
CUresult pl_cu_work_open(struct pl_cu_work *work, struct pl_cu_stream *stream, enum pl_rg_engine engine);
void pl_cu_work_method(struct pl_cu_work *work, uint32_t method, uint32_t value);
/* Makes room for `words` more: what is there is submitted. */
CUresult pl_cu_work_room(struct pl_cu_work *work, uint32_t words);
void pl_cu_work_acquire(struct pl_cu_work *work, uint64_t address, uint64_t value, uint32_t operation);
void pl_cu_work_release(struct pl_cu_work *work, uint64_t address, uint64_t value, uint32_t flags);
/* Ends it; the stream's line will come to the value that is returned. */
uint64_t pl_cu_work_close(struct pl_cu_work *work);
/* Ends it without: what was opened for nothing. */
void pl_cu_work_cancel(struct pl_cu_work *work);
/* The work waits for `line` to come to `value`; the stream keeps the line until then. */
CUresult pl_cu_work_follow(struct pl_cu_work *work, struct pl_cu_line *line, uint64_t value);
/* What the stream is given later does. */
CUresult pl_cu_stream_follow(struct pl_cu_stream *stream, struct pl_cu_line *line, uint64_t value);
/* From here on the stream's line comes behind all that the legacy rules have it follow. */
CUresult pl_cu_work_join(struct pl_cu_stream *stream);

/* A step of the line that a thread of the driver takes: sets stream's line to the value that is returned.  Called with
 * stream->lock held, the stream's order established by waiting for value - 1. */
uint64_t pl_cu_stream_step(struct pl_cu_stream *stream);
/* The thread has done it. */
void pl_cu_stream_stepped(struct pl_cu_hw *hw, struct pl_cu_line *line, uint64_t value);
/* For work that any engine does: the one that was used last. */
enum pl_rg_engine pl_cu_stream_engine(struct pl_cu_stream *stream);

/* Calls fn(arg) when all that was given so far is done; at once if it is.  Called with no lock held. */
void pl_cu_stream_retire(struct pl_cu_stream *stream, void (*fn)(void *arg), void *arg);
/* The same for who holds stream->lock. */
void pl_cu_stream_retire_locked(struct pl_cu_stream *stream, uint64_t value, void (*fn)(void *arg), void *arg);
/* The work that is open writes this line too; the stream keeps it until then.  Called with stream->lock held. */
void pl_cu_stream_advances(struct pl_cu_stream *stream, struct pl_cu_line *line);
/* Does what is due of it.  Called with no lock held. */
void pl_cu_stream_reap(struct pl_cu_stream *stream);
bool pl_cu_stream_owes(const struct pl_cu_stream *stream); /* whether there is something, due or not */

/* Waits until all that was given is done; then prints what its kernels printed. */
CUresult pl_cu_stream_wait(struct pl_cu_stream *stream);
/* Waits until a synchronous operation in this stream may begin, by the rules of the legacy stream. */
CUresult pl_cu_stream_settle(struct pl_cu_stream *stream);
/* Where pl_cu_stream_settle() would not wait, and not fail: a step of the line (pl_cu_stream_step()), which others
 * follow from here on.  false: it would. */
bool pl_cu_stream_step_now(struct pl_cu_stream *stream, uint64_t *value_out);
bool pl_cu_stream_idle(struct pl_cu_stream *stream);
CUresult pl_cu_line_wait(struct pl_cu_ctx *ctx, struct pl_cu_line *line, uint64_t value);

/* Memory for a descriptor and its arguments, free again when the line has come to the value of the work that is open.
 * Called with stream->lock held.  NULL: no memory, or the context has failed. */
void *pl_cu_stream_args(struct pl_cu_stream *stream, uint32_t bytes);

/* Prints what kernels of the stream have printed so far, if it is idle. */
void pl_cu_stream_print(struct pl_cu_stream *stream);
/* The buffer for it, made when first needed; called with stream->lock held.  NULL: no memory. */
struct pl_isa_printf *pl_cu_stream_print_buffer(struct pl_cu_stream *stream);

#endif
