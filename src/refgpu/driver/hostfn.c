#include <signal.h>
#include <stdlib.h>

#include "capture.h"
#include "cuda-api.h"
#include "hostfn.h"

struct entry {
	struct pl_cu_hostfn what;
	struct pl_cu_ctx *ctx;
	struct pl_cu_hw *hw;
	struct pl_cu_line *line;
	uint64_t value;           /* the step that the function is */
	struct pl_cu_line *after; /* due when it has come to after_value; a reference */
	uint64_t after_value;
	struct entry *next;
};

/* What one thread calls. */
struct queue {
	struct pl_cu_hw *hw;
	struct entry *first, **end;      /* under queues.lock, as all here */
	const struct pl_cu_ctx *running; /* whose function is being called */
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t more, less;
	struct queue of[1 + PL_CU_TURN_LEVELS]; /* functions, turns of each level; without `hw` it has no thread yet */
} queues = { .lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER, .less = PTHREAD_COND_INITIALIZER };

static bool entry_due(const struct entry *entry)
{
	return pl_cu_line_done(entry->after, entry->after_value) || pl_cu_ctx_error(entry->ctx);
}

/* The first that is due; of a stream only its first can be.  NULL: none. */
static struct entry *due_take(struct queue *queue)
{
	struct entry *found = NULL;
	pthread_mutex_lock(&queues.lock);
	for (struct entry **at = &queue->first; *at && !found; at = &(*at)->next) {
		if (!entry_due(*at))
			continue;
		found = *at;
		*at = found->next;
		if (!*at)
			queue->end = at;
		queue->running = found->ctx;
		break;
	}
	pthread_mutex_unlock(&queues.lock);
	return found;
}

static bool any_due(void *arg)
{
	const struct queue *queue = arg;
	bool due = false;
	pthread_mutex_lock(&queues.lock);
	for (struct entry *entry = queue->first; entry && !due; entry = entry->next)
		due = entry_due(entry);
	due |= !queue->first;
	pthread_mutex_unlock(&queues.lock);
	return due;
}

/* Called with queues.lock held. */
static void entry_push(struct queue *queue, struct entry *entry)
{
	entry->next = NULL;
	*queue->end = entry;
	queue->end = &entry->next;
}

/* Return: its turn comes again. */
static bool turn_run(struct entry *entry, CUresult error)
{
	struct pl_cu_line *after;
	if (!entry->what.turn(entry->what.user, error, &after, &entry->after_value))
		return false;
	pl_cu_line_unref(entry->after);
	entry->after = after;
	return true;
}

static void entry_end(struct entry *entry)
{
	pl_cu_stream_stepped(entry->hw, entry->line, entry->value);
	pl_cu_line_unref(entry->line);
	pl_cu_line_unref(entry->after);
	pl_cu_ctx_unref(entry->ctx);
	free(entry);
}

static void entry_run(struct queue *queue, struct entry *entry)
{
	CUresult error = pl_cu_ctx_error(entry->ctx);
	bool again = false;
	if (error)
		pl_cu_streams_kill(entry->ctx); /* its step comes without what is ahead of it */
	if (entry->what.turn)
		again = turn_run(entry, error);
	else if (entry->what.callback)
		entry->what.callback(entry->what.stream, error, entry->what.user);
	else if (!error)
		entry->what.fn(entry->what.user);
	if (!again)
		entry_end(entry);
	pthread_mutex_lock(&queues.lock);
	if (again)
		entry_push(queue, entry);
	queue->running = NULL;
	pthread_cond_broadcast(&queues.less);
	pthread_mutex_unlock(&queues.lock);
}

/* Called with queues.lock held. */
static bool any_of(const struct pl_cu_ctx *ctx)
{
	bool any = false;
	for (size_t i = 0; i <= PL_CU_TURN_LEVELS && !any; i++) {
		any = queues.of[i].running == ctx;
		for (struct entry *entry = queues.of[i].first; entry && !any; entry = entry->next)
			any = entry->ctx == ctx;
	}
	return any;
}

void pl_cu_hostfn_drain(const struct pl_cu_ctx *ctx)
{
	pthread_mutex_lock(&queues.lock);
	while (any_of(ctx))
		pthread_cond_wait(&queues.less, &queues.lock);
	pthread_mutex_unlock(&queues.lock);
}

static void *thread_main(void *arg)
{
	struct queue *queue = arg;
	for (;;) {
		struct entry *entry;
		pthread_mutex_lock(&queues.lock);
		while (!queue->first)
			pthread_cond_wait(&queues.more, &queues.lock);
		pthread_mutex_unlock(&queues.lock);
		entry = due_take(queue);
		if (entry)
			entry_run(queue, entry);
		else
			pl_cu_hw_wait(queue->hw, any_due, queue, PL_CU_FOREVER);
	}
	return NULL;
}

/* Called with queues.lock held.  The application's signals are not this thread's. */
static bool thread_start(struct queue *queue, struct pl_cu_hw *hw)
{
	sigset_t all, old;
	pthread_t thread;
	if (queue->hw)
		return true;
	queue->hw = hw;
	queue->end = &queue->first;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (pthread_create(&thread, NULL, thread_main, queue))
		queue->hw = NULL;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (queue->hw)
		pthread_detach(thread);
	return queue->hw;
}

/* A callback is told its stream, which a graph has not. */
static CUresult hostfn_capture(struct pl_cu_stream *stream, const struct pl_cu_hostfn *hostfn)
{
	struct pl_cu_op op = { .type = CU_GRAPH_NODE_TYPE_HOST, .host = { hostfn->fn, hostfn->user } };
	return hostfn->fn ? pl_cu_capture_add(stream, &op) : pl_cu_capture_forbid(stream);
}

CUresult pl_cu_hostfn_run(struct pl_cu_stream *stream, const struct pl_cu_hostfn *hostfn)
{
	struct queue *queue = &queues.of[hostfn->turn ? 1 + hostfn->level : 0];
	struct entry *entry;
	struct pl_cu_work work;
	bool started, captured;
	CUresult r = pl_cu_capture_gate(stream, &captured);
	if (!r && captured)
		return hostfn_capture(stream, hostfn);
	if (r)
		return r;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return CUDA_ERROR_OUT_OF_MEMORY;
	pthread_mutex_lock(&queues.lock);
	started = thread_start(queue, stream->ctx->dev->hw);
	pthread_mutex_unlock(&queues.lock);
	/* An empty piece of work first: it follows what the stream's order, legacy rules too, has before this. */
	r = started ? pl_cu_work_open(&work, stream, pl_cu_stream_engine(stream)) : CUDA_ERROR_OUT_OF_MEMORY;
	if (r) {
		free(entry);
		return r;
	}
	pl_cu_work_close(&work);
	pthread_mutex_lock(&stream->lock);
	*entry = (struct entry){ .what = *hostfn, .ctx = pl_cu_ctx_ref(stream->ctx), .hw = stream->ctx->dev->hw };
	entry->line = pl_cu_line_ref(stream->line);
	entry->value = pl_cu_stream_step(stream);
	entry->after = pl_cu_line_ref(stream->line);
	entry->after_value = entry->value - 1;
	pthread_mutex_lock(&queues.lock);
	entry_push(queue, entry);
	pthread_cond_broadcast(&queues.more);
	pthread_mutex_unlock(&queues.lock);
	pthread_mutex_unlock(&stream->lock);
	pl_cu_hw_wake(stream->ctx->dev->hw); /* the thread may sleep for others' sake: it has to look at this one too */
	return CUDA_SUCCESS;
}

CUresult cuLaunchHostFunc(CUstream handle, CUhostFn fn, void *user)
{
	struct pl_cu_stream *stream;
	CUresult r = pl_cu_enter_stream(handle, &stream);
	if (!r && !fn)
		r = CUDA_ERROR_INVALID_VALUE;
	return r ? r : pl_cu_hostfn_run(stream, &(struct pl_cu_hostfn){ .fn = fn, .user = user });
}

CUresult cuStreamAddCallback(CUstream handle, CUstreamCallback callback, void *user, unsigned int flags)
{
	struct pl_cu_stream *stream;
	CUresult r = pl_cu_enter_stream(handle, &stream);
	if (!r && (!callback || flags))
		r = CUDA_ERROR_INVALID_VALUE;
	return r ? r
		 : pl_cu_hostfn_run(stream,
				    &(struct pl_cu_hostfn){ .callback = callback, .stream = handle, .user = user });
}
