#include <stdlib.h>
#include <sys/mman.h>

#include "base/err.h"
#include "capture.h"
#include "check.h"
#include "event.h"
#include "mem.h"
#include "print.h"
#include "stream.h"

static _Atomic uint64_t stream_ids = 1;

struct line_wait {
	struct pl_cu_ctx *ctx;
	struct pl_cu_line *line;
	uint64_t value;
};

static bool line_ready(void *arg)
{
	const struct line_wait *wait = arg;
	return pl_cu_line_done(wait->line, wait->value) || (wait->ctx && pl_cu_ctx_error(wait->ctx));
}

CUresult pl_cu_line_wait(struct pl_cu_ctx *ctx, struct pl_cu_line *line, uint64_t value)
{
	struct line_wait wait = { .ctx = ctx, .line = line, .value = value };
	if (!line_ready(&wait))
		pl_cu_hw_wait(ctx->dev->hw, line_ready, &wait, PL_CU_FOREVER);
	return pl_cu_ctx_error(ctx);
}

/* -- what is to be done later ------------------------------------------------------------------------------------- */

void pl_cu_stream_retire_locked(struct pl_cu_stream *stream, uint64_t value, void (*fn)(void *arg), void *arg)
{
	struct pl_cu_retired *retired = malloc(sizeof(*retired));
	if (!retired)
		return; /* what it would give back is lost */
	*retired = (struct pl_cu_retired){ .value = value, .fn = fn, .arg = arg };
	__atomic_store_n(stream->retired_end, retired, __ATOMIC_RELAXED); /* who only looks has no lock */
	stream->retired_end = &retired->next;
}

void pl_cu_stream_retire(struct pl_cu_stream *stream, void (*fn)(void *arg), void *arg)
{
	pthread_mutex_lock(&stream->lock);
	pl_cu_stream_retire_locked(stream, atomic_load(&stream->line->last), fn, arg);
	pthread_mutex_unlock(&stream->lock);
	pl_cu_stream_reap(stream);
}

static void line_put(void *line)
{
	pl_cu_line_unref(line);
}

void pl_cu_stream_advances(struct pl_cu_stream *stream, struct pl_cu_line *line)
{
	pl_cu_stream_retire_locked(stream, atomic_load(&stream->line->last) + 1, line_put, pl_cu_line_ref(line));
}

static void args_free(void *arg);

/* Called with stream->lock held. */
static struct pl_cu_retired *retired_take(struct pl_cu_stream *stream)
{
	struct pl_cu_retired *first = stream->retired;
	__atomic_store_n(&stream->retired, first->next, __ATOMIC_RELAXED);
	if (!first->next)
		stream->retired_end = &stream->retired;
	first->next = NULL;
	return first;
}

static void retired_run(struct pl_cu_retired *retired)
{
	retired->fn(retired->arg);
	free(retired);
}

/* Called with stream->lock held: what is due by now, or all.  Args are given back here, in the ring's order; what else
 * there is may want locks, and waits for who has none. */
static void due_collect(struct pl_cu_stream *stream, bool all)
{
	while (stream->retired && (all || pl_cu_line_done(stream->line, stream->retired->value))) {
		struct pl_cu_retired *retired = retired_take(stream);
		if (retired->fn == args_free) {
			retired_run(retired);
			continue;
		}
		__atomic_store_n(stream->due_end, retired, __ATOMIC_RELAXED);
		stream->due_end = &retired->next;
	}
}

bool pl_cu_stream_owes(const struct pl_cu_stream *stream)
{
	return __atomic_load_n(&stream->retired, __ATOMIC_RELAXED) || __atomic_load_n(&stream->due, __ATOMIC_RELAXED);
}

static void reap(struct pl_cu_stream *stream, bool all)
{
	struct pl_cu_retired *due;
	if (!pl_cu_stream_owes(stream))
		return;
	pthread_mutex_lock(&stream->lock);
	due_collect(stream, all);
	due = stream->due;
	__atomic_store_n(&stream->due, NULL, __ATOMIC_RELAXED);
	stream->due_end = &stream->due;
	pthread_mutex_unlock(&stream->lock);
	while (due) {
		struct pl_cu_retired *next = due->next;
		retired_run(due);
		due = next;
	}
}

void pl_cu_stream_reap(struct pl_cu_stream *stream)
{
	reap(stream, false);
}

/* -- life ---------------------------------------------------------------------------------------------------------- */

static CUresult stream_create(struct pl_cu_stream **stream_out, struct pl_cu_ctx *ctx, unsigned int flags, int priority,
			      bool alone)
{
	struct pl_cu_stream *stream = calloc(1, sizeof(*stream));
	if (!stream)
		return CUDA_ERROR_OUT_OF_MEMORY;
	*stream = (struct pl_cu_stream){ .ctx = pl_cu_ctx_ref(ctx), .flags = flags, .priority = priority };
	stream->alone = alone;
	stream->id = atomic_fetch_add(&stream_ids, 1);
	stream->retired_end = &stream->retired;
	stream->due_end = &stream->due;
	pthread_mutex_init(&stream->lock, NULL);
	stream->line = pl_cu_line_create(ctx->dev->hw);
	stream->handle = stream->line ? (CUstream)(uintptr_t)pl_cuda_handle_create(PL_CU_STREAM, stream) : NULL;
	if (!stream->handle) {
		pl_cu_line_unref(stream->line);
		pl_cu_ctx_unref(ctx);
		free(stream);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	stream->attribute[CU_LAUNCH_ATTRIBUTE_SYNCHRONIZATION_POLICY].syncPolicy = CU_SYNC_POLICY_AUTO;
	stream->attribute[CU_LAUNCH_ATTRIBUTE_PRIORITY].priority = priority;
	stream->attribute[CU_LAUNCH_ATTRIBUTE_MEM_SYNC_DOMAIN_MAP].memSyncDomainMap.remote = 1;
	pthread_mutex_lock(&ctx->lock);
	stream->next = ctx->streams;
	ctx->streams = stream;
	pthread_mutex_unlock(&ctx->lock);
	*stream_out = stream;
	return CUDA_SUCCESS;
}

CUresult pl_cu_stream_create(struct pl_cu_stream **stream_out, struct pl_cu_ctx *ctx, unsigned int flags, int priority)
{
	return stream_create(stream_out, ctx, flags, priority, false);
}

CUresult pl_cu_stream_create_alone(struct pl_cu_stream **stream_out, struct pl_cu_ctx *ctx, int priority)
{
	return stream_create(stream_out, ctx, CU_STREAM_NON_BLOCKING, priority, true);
}

static void channels_put(struct pl_cu_stream *stream)
{
	for (int engine = 0; engine < (int)PL_RG_ENGINES; engine++) {
		pl_cu_chan_unref(stream->chan[engine]);
		stream->chan[engine] = NULL;
	}
}

void pl_cu_streams_kill(struct pl_cu_ctx *ctx)
{
	if (atomic_load(&ctx->killed))
		return;
	pl_cu_chans_kill(ctx->dev->hw, ctx);
	atomic_store(&ctx->killed, true);
}

void pl_cu_stream_stop(struct pl_cu_stream *stream)
{
	struct pl_cu_hw *hw = stream->ctx->dev->hw;
	pl_cu_streams_kill(stream->ctx);   /* its own wrote smaller values yet, too */
	pthread_mutex_lock(&stream->lock); /* who has it next finds the context failed, and gives no work */
	pl_cu_line_raise(stream->line, atomic_load(&stream->line->last));
	for (struct pl_cu_retired *retired = stream->retired; retired; retired = retired->next) {
		struct pl_cu_line *line = retired->arg;
		if (retired->fn == line_put && !line->foreign) /* another process' is that one's affair */
			pl_cu_line_raise(line, atomic_load(&line->last));
	}
	pthread_mutex_unlock(&stream->lock);
	(void)pl_cu_reg_read(hw, PL_RG_ID); /* engines look again at what waits for memory */
	pl_cu_hw_wake(hw);
}

static void unlink_locked(struct pl_cu_stream *stream)
{
	for (struct pl_cu_stream **at = &stream->ctx->streams; *at; at = &(*at)->next) {
		if (*at != stream)
			continue;
		*at = stream->next;
		break;
	}
}

static void stream_free(void *arg)
{
	struct pl_cu_stream *stream = arg;
	struct pl_cu_ctx *ctx = stream->ctx;
	struct pl_cu_hw *hw = ctx->dev->hw;
	if (pl_cu_line_wait(ctx, stream->line, atomic_load(&stream->line->last)))
		pl_cu_stream_stop(stream);
	pl_cu_stream_print(stream);
	pl_cu_check_drain();
	pthread_mutex_lock(&ctx->lock);
	unlink_locked(stream);
	pthread_mutex_unlock(&ctx->lock);
	channels_put(stream);
	reap(stream, true);
	pl_cu_sys_free(hw, stream->args, PL_CU_ARGS_BYTES);
	if (stream->print)
		pl_cu_sys_free(hw, stream->print, stream->print->bytes);
	pl_cu_line_unref(stream->line);
	pl_cu_ctx_unref(ctx);
	pthread_mutex_destroy(&stream->lock);
	free(stream);
}

static bool is_done(void *arg)
{
	const struct pl_cu_stream *stream = arg;
	return pl_cu_line_idle(stream->line) || pl_cu_ctx_error(stream->ctx);
}

/* No call uses it; one that did when it was destroyed may have given it work since. */
static void stream_end(void *arg)
{
	struct pl_cu_stream *stream = arg;
	pl_cu_capture_leave(stream);
	stream->end = (struct pl_cu_later){ .due = is_done, .fn = stream_free, .arg = stream, .ctx = stream->ctx };
	if (is_done(stream) || !pl_cu_later_add(stream->ctx->dev->hw, &stream->end))
		stream_free(stream);
}

bool pl_cu_stream_destroy(struct pl_cu_stream *stream)
{
	uint32_t call = pl_cuda_call_begin();
	bool mine = pl_cuda_handle_held(stream->handle, PL_CU_STREAM) == stream;
	if (mine)
		mine = pl_cuda_handle_retire((uint64_t)(uintptr_t)stream->handle, stream_end);
	if (mine)
		pl_cu_capture_leave(stream);
	pl_cuda_call_end(call);
	return mine;
}

void pl_cu_streams_end(struct pl_cu_ctx *ctx)
{
	struct pl_cu_stream *stream;
	do {
		uint32_t call = pl_cuda_call_begin();
		pthread_mutex_lock(&ctx->lock);
		stream = ctx->streams;
		while (stream && pl_cuda_handle_held(stream->handle, PL_CU_STREAM) != stream)
			stream = stream->next; /* whoever destroys it does the rest, too */
		if (stream)
			unlink_locked(stream);
		pthread_mutex_unlock(&ctx->lock);
		if (stream) {
			(void)pl_cu_stream_wait(stream);
			(void)pl_cu_stream_destroy(stream);
		}
		pl_cuda_call_end(call);
	} while (stream);
	pl_cu_later_drain(ctx);
}

/* -- the handles of the API --------------------------------------------------------------------------------------- */

static CUresult thread_stream(struct pl_cu_ctx *ctx, struct pl_cu_stream **stream_out)
{
	static __thread struct pl_cu_stream *cached;
	static __thread uint64_t cached_ctx;
	CUresult r;
	if (cached && cached_ctx == ctx->id) {
		*stream_out = cached;
		return CUDA_SUCCESS;
	}
	r = CUDA_SUCCESS;
	cached = NULL;
	pthread_mutex_lock(&ctx->lock);
	for (struct pl_cu_stream *stream = ctx->streams; stream && !cached; stream = stream->next)
		if (stream->per_thread && pthread_equal(stream->thread, pthread_self()))
			cached = stream;
	pthread_mutex_unlock(&ctx->lock);
	if (!cached) {
		r = pl_cu_stream_create(&cached, ctx, CU_STREAM_DEFAULT, 0);
		if (!r)
			r = pl_cu_event_waits_join(cached);
		if (r && cached) {
			pl_cu_stream_destroy(cached);
			cached = NULL;
		}
	}
	if (r)
		return r;
	pthread_mutex_lock(&ctx->lock);
	cached->per_thread = true;
	cached->thread = pthread_self();
	pthread_mutex_unlock(&ctx->lock);
	cached_ctx = ctx->id;
	*stream_out = cached;
	return CUDA_SUCCESS;
}

CUresult pl_cu_stream_get(CUstream handle, struct pl_cu_stream **stream_out)
{
	struct pl_cu_stream *stream;
	struct pl_cu_ctx *ctx;
	if ((uintptr_t)handle > (uintptr_t)CU_STREAM_PER_THREAD) {
		stream = pl_cuda_handle_held(handle, PL_CU_STREAM);
		if (!stream)
			return CUDA_ERROR_INVALID_HANDLE;
		if (!pl_cu_ctx_of(stream->ctx->handle)) /* it stays for this call, too */
			return CUDA_ERROR_CONTEXT_IS_DESTROYED;
		*stream_out = stream;
		return pl_cu_ctx_error(stream->ctx);
	}
	ctx = pl_cu_ctx_current();
	if (!ctx)
		return CUDA_ERROR_INVALID_CONTEXT;
	if (handle == CU_STREAM_PER_THREAD || (!handle && pl_cu_per_thread))
		return thread_stream(ctx, stream_out);
	*stream_out = ctx->null_stream;
	return CUDA_SUCCESS;
}

CUresult pl_cu_enter_stream(CUstream handle, struct pl_cu_stream **stream_out)
{
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	return r ? r : pl_cu_stream_get(handle, stream_out);
}

/* -- waiting ------------------------------------------------------------------------------------------------------- */

/* A synchronous operation in @stream waits for @other's work. */
static bool follows(const struct pl_cu_stream *stream, const struct pl_cu_stream *other)
{
	bool blocking = !((stream->flags | other->flags) & CU_STREAM_NON_BLOCKING);
	return other == stream || (blocking && stream->legacy != other->legacy);
}

/* The lines that a synchronous operation in this stream has to wait for; their references are the caller's. */
static CUresult lines_of(struct pl_cu_stream *stream, struct pl_cu_line ***lines_out, size_t *n_out)
{
	struct pl_cu_ctx *ctx = stream->ctx;
	struct pl_cu_line **lines;
	size_t n = 0, room = 0;
	pthread_mutex_lock(&ctx->lock);
	for (struct pl_cu_stream *other = ctx->streams; other; other = other->next)
		room++;
	lines = malloc((room + 1) * sizeof(struct pl_cu_line *));
	for (struct pl_cu_stream *other = ctx->streams; lines && other; other = other->next)
		if (follows(stream, other))
			lines[n++] = pl_cu_line_ref(other->line);
	pthread_mutex_unlock(&ctx->lock);
	*lines_out = lines;
	*n_out = n;
	return lines ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

CUresult pl_cu_stream_settle(struct pl_cu_stream *stream)
{
	struct pl_cu_line **lines;
	size_t n;
	CUresult r = lines_of(stream, &lines, &n);
	if (r)
		return r;
	r = pl_cu_ctx_error(stream->ctx);
	for (size_t i = 0; i < n; i++) {
		if (!r)
			r = pl_cu_line_wait(stream->ctx, lines[i], atomic_load(&lines[i]->last));
		pl_cu_line_unref(lines[i]);
	}
	free(lines);
	pl_cu_stream_reap(stream);
	pl_cu_stream_print(stream);
	pl_cu_check_drain();
	return r;
}

bool pl_cu_stream_step_now(struct pl_cu_stream *stream, uint64_t *value_out)
{
	struct pl_cu_ctx *ctx = stream->ctx;
	bool idle = true;
	pthread_mutex_lock(&stream->lock);
	pthread_mutex_lock(&ctx->lock);
	for (struct pl_cu_stream *other = ctx->streams; other && idle; other = other->next)
		if (follows(stream, other))
			idle = pl_cu_line_idle(other->line);
	pthread_mutex_unlock(&ctx->lock);
	idle = idle && !pl_cu_ctx_error(ctx);
	if (idle)
		*value_out = pl_cu_stream_step(stream);
	pthread_mutex_unlock(&stream->lock);
	return idle;
}

CUresult pl_cu_stream_wait(struct pl_cu_stream *stream)
{
	CUresult r;
	if (stream->legacy)
		return pl_cu_stream_settle(stream);
	r = pl_cu_line_wait(stream->ctx, stream->line, atomic_load(&stream->line->last));
	pl_cu_stream_reap(stream);
	pl_cu_stream_print(stream);
	pl_cu_check_drain();
	return r;
}

bool pl_cu_stream_idle(struct pl_cu_stream *stream)
{
	struct pl_cu_ctx *ctx = stream->ctx;
	bool idle = pl_cu_line_idle(stream->line);
	if (!stream->legacy)
		return idle;
	pthread_mutex_lock(&ctx->lock);
	for (struct pl_cu_stream *other = ctx->streams; other && idle; other = other->next)
		if (!(other->flags & CU_STREAM_NON_BLOCKING))
			idle = pl_cu_line_idle(other->line);
	pthread_mutex_unlock(&ctx->lock);
	return idle;
}

/* -- memory of launches ------------------------------------------------------------------------------------------- */

struct args_piece {
	struct pl_cu_stream *stream;
	uint64_t end;
};

static void args_free(void *arg)
{
	struct args_piece *piece = arg;
	piece->stream->args_done = piece->end;
	free(piece);
}

void *pl_cu_stream_args(struct pl_cu_stream *stream, uint32_t bytes)
{
	uint64_t begin, value = atomic_load(&stream->line->last) + 1;
	struct args_piece *piece;
	if (!stream->args)
		stream->args = pl_cu_sys_alloc(stream->ctx->dev->hw, PL_CU_ARGS_BYTES);
	if (!stream->args)
		return NULL;
	bytes = (bytes + 63) & ~63u;
	begin = stream->args_put;
	if (begin % PL_CU_ARGS_BYTES + bytes > PL_CU_ARGS_BYTES)
		begin += PL_CU_ARGS_BYTES - begin % PL_CU_ARGS_BYTES;
	due_collect(stream, false);
	while (begin + bytes - stream->args_done > PL_CU_ARGS_BYTES) {
		if (!stream->retired || pl_cu_line_wait(stream->ctx, stream->line, stream->retired->value))
			return NULL;
		due_collect(stream, false);
	}
	piece = malloc(sizeof(*piece));
	if (!piece)
		return NULL;
	*piece = (struct args_piece){ .stream = stream, .end = begin + bytes };
	stream->args_put = begin + bytes;
	pl_cu_stream_retire_locked(stream, value, args_free, piece);
	return stream->args + begin % PL_CU_ARGS_BYTES;
}

/* -- printf -------------------------------------------------------------------------------------------------------- */

struct pl_isa_printf *pl_cu_stream_print_buffer(struct pl_cu_stream *stream)
{
	struct pl_isa_printf *print;
	uint64_t bytes;
	if (stream->print)
		return stream->print;
	bytes = (stream->ctx->limit[CU_LIMIT_PRINTF_FIFO_SIZE] + sizeof(*stream->print) + PL_CU_PAGE - 1) &
		~(uint64_t)(PL_CU_PAGE - 1);
	print = pl_cu_sys_alloc(stream->ctx->dev->hw, bytes);
	if (print)
		print->bytes = (uint32_t)bytes;
	__atomic_store_n(&stream->print, print, __ATOMIC_RELAXED);
	return print;
}

void pl_cu_stream_print(struct pl_cu_stream *stream)
{
	struct pl_isa_printf *print;
	pthread_mutex_lock(&stream->lock);
	print = stream->print;
	if (print && __atomic_load_n(&print->used, __ATOMIC_ACQUIRE) &&
	    (pl_cu_line_idle(stream->line) || pl_cu_ctx_error(stream->ctx)))
		pl_cu_print(print);
	pthread_mutex_unlock(&stream->lock);
}
