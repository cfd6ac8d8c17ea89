/* Giving work to the device in a stream's order. */
#include <stdlib.h>

#include "stream.h"

#define TAIL_WORDS 16u /* what close() needs */
#define AHEAD_FEW  32u /* lines, without memory of their own */

/* Whether what this stream does has to wait for what the other was given before, and the reverse. */
static bool must_follow(const struct pl_cu_stream *stream, const struct pl_cu_stream *other)
{
	if (other == stream || stream->legacy == other->legacy)
		return false;
	return !((stream->flags | other->flags) & CU_STREAM_NON_BLOCKING);
}

static bool is_ahead(const struct pl_cu_stream *stream, const struct pl_cu_stream *other)
{
	return other && must_follow(stream, other) && !pl_cu_line_idle(other->line);
}

static void words_flush(struct pl_cu_work *work)
{
	pl_cu_chan_submit(work->chan, work->n);
	work->words = NULL;
	work->n = 0;
}

CUresult pl_cu_work_room(struct pl_cu_work *work, uint32_t words)
{
	if (work->words && work->n + words + TAIL_WORDS <= PL_CU_CHAN_WORDS_MAX)
		return CUDA_SUCCESS;
	if (work->words)
		words_flush(work);
	work->words = pl_cu_chan_lock(work->chan);
	if (work->words)
		return CUDA_SUCCESS;
	return pl_cu_ctx_error(work->stream->ctx) ? pl_cu_ctx_error(work->stream->ctx) : CUDA_ERROR_LAUNCH_FAILED;
}

void pl_cu_work_method(struct pl_cu_work *work, uint32_t method, uint32_t value)
{
	work->words[work->n++] = PL_RG_HEADER(PL_RG_INCREASING, method, 1);
	work->words[work->n++] = value;
}

static void semaphore(struct pl_cu_work *work, uint64_t address, uint64_t value, uint32_t execute)
{
	work->words[work->n++] = PL_RG_HEADER(PL_RG_INCREASING, PL_RG_M_SEM_LOW, 5);
	work->words[work->n++] = (uint32_t)address;
	work->words[work->n++] = (uint32_t)(address >> 32);
	work->words[work->n++] = (uint32_t)value;
	work->words[work->n++] = (uint32_t)(value >> 32);
	work->words[work->n++] = execute;
}

void pl_cu_work_acquire(struct pl_cu_work *work, uint64_t address, uint64_t value, uint32_t operation)
{
	semaphore(work, address, value, operation);
}

void pl_cu_work_release(struct pl_cu_work *work, uint64_t address, uint64_t value, uint32_t flags)
{
	semaphore(work, address, value, PL_RG_SEM_RELEASE | flags);
}

static void line_release(void *line)
{
	pl_cu_line_unref(line);
}

CUresult pl_cu_work_follow(struct pl_cu_work *work, struct pl_cu_line *line, uint64_t value)
{
	struct pl_cu_stream *stream = work->stream;
	CUresult r = pl_cu_work_room(work, PL_CU_WORK_SEM_WORDS);
	if (r)
		return r;
	pl_cu_work_acquire(work, pl_cu_line_address(line), value, PL_RG_SEM_ACQUIRE_GEQ | PL_RG_SEM_64);
	if (line != stream->line)
		pl_cu_stream_retire_locked(stream, atomic_load(&stream->line->last) + 1, line_release,
					   pl_cu_line_ref(line));
	return CUDA_SUCCESS;
}

struct ahead { /* lines that the legacy stream has to follow, with a reference each */
	struct pl_cu_line *few[AHEAD_FEW], **more;
	size_t n, room; /* of `more` */
};

static struct pl_cu_line **ahead_at(struct ahead *ahead, size_t i)
{
	return i < AHEAD_FEW ? &ahead->few[i] : &ahead->more[i - AHEAD_FEW];
}

/* Called with ctx->lock held. */
static CUresult ahead_find(struct ahead *ahead, const struct pl_cu_stream *stream)
{
	for (struct pl_cu_stream *other = stream->ctx->streams; other; other = other->next) {
		if (!is_ahead(stream, other))
			continue;
		if (ahead->n == AHEAD_FEW + ahead->room) {
			size_t room = ahead->room ? 2 * ahead->room : AHEAD_FEW;
			struct pl_cu_line **more = realloc(ahead->more, room * sizeof(struct pl_cu_line *));
			if (!more)
				return CUDA_ERROR_OUT_OF_MEMORY;
			ahead->more = more;
			ahead->room = room;
		}
		*ahead_at(ahead, ahead->n++) = pl_cu_line_ref(other->line);
	}
	return CUDA_SUCCESS;
}

/* Legacy rules.  The channel may have to be waited for: not with ctx->lock, which others take who have the channel. */
static CUresult follow_others(struct pl_cu_work *work)
{
	struct pl_cu_stream *stream = work->stream;
	struct pl_cu_ctx *ctx = stream->ctx;
	struct ahead ahead;
	CUresult r = CUDA_SUCCESS;
	if (!stream->legacy) {
		struct pl_cu_stream *null_stream = ctx->null_stream;
		if (is_ahead(stream, null_stream))
			r = pl_cu_work_follow(work, null_stream->line, atomic_load(&null_stream->line->last));
		return r;
	}
	ahead.more = NULL;
	ahead.n = ahead.room = 0;
	pthread_mutex_lock(&ctx->lock);
	r = ahead_find(&ahead, stream);
	pthread_mutex_unlock(&ctx->lock);
	for (size_t i = 0; i < ahead.n; i++) {
		struct pl_cu_line *line = *ahead_at(&ahead, i);
		if (!r)
			r = pl_cu_work_follow(work, line, atomic_load(&line->last));
		pl_cu_line_unref(line);
	}
	free(ahead.more);
	return r;
}

/* As well: is there any? */
static bool others_work(struct pl_cu_stream *stream)
{
	struct pl_cu_ctx *ctx = stream->ctx;
	bool any = false;
	if (!stream->legacy)
		return is_ahead(stream, ctx->null_stream);
	pthread_mutex_lock(&ctx->lock);
	for (struct pl_cu_stream *other = ctx->streams; other && !any; other = other->next)
		any = is_ahead(stream, other);
	pthread_mutex_unlock(&ctx->lock);
	return any;
}

/* A channel of the stream's own, or one of another stream of the context where all are taken. */
static CUresult channel_ensure(struct pl_cu_stream *stream, enum pl_rg_engine engine)
{
	struct pl_cu_ctx *ctx = stream->ctx;
	struct pl_cu_chan *chan = NULL;
	int r;
	if (stream->chan[engine])
		return CUDA_SUCCESS;
	r = pl_cu_chan_create(&chan, ctx->dev->hw, engine, ctx);
	if (r && stream->alone)
		return pl_cu_result_of(r);
	if (r) {
		pthread_mutex_lock(&ctx->lock);
		for (struct pl_cu_stream *other = ctx->streams; other && !chan; other = other->next) {
			chan = other->alone ? NULL : __atomic_load_n(&other->chan[engine], __ATOMIC_ACQUIRE);
			if (chan && atomic_load(&chan->dead))
				chan = NULL;
		}
		if (chan) /* a stream gives its own up when it is in the list no more */
			atomic_fetch_add(&chan->refs, 1);
		pthread_mutex_unlock(&ctx->lock);
	}
	__atomic_store_n(&stream->chan[engine], chan, __ATOMIC_RELEASE);
	return chan ? CUDA_SUCCESS : pl_cu_result_of(r);
}

static CUresult work_begin(struct pl_cu_work *work)
{
	struct pl_cu_stream *stream = work->stream;
	uint64_t last = atomic_load(&stream->line->last);
	CUresult r = pl_cu_work_room(work, PL_CU_WORK_SEM_WORDS);
	if (!r && stream->last_chan != work->chan && !pl_cu_line_done(stream->line, last))
		r = pl_cu_work_follow(work, stream->line, last);
	if (!r)
		r = follow_others(work);
	return r;
}

CUresult pl_cu_work_open(struct pl_cu_work *work, struct pl_cu_stream *stream, enum pl_rg_engine engine)
{
	CUresult r;
	pl_cu_stream_reap(stream);
	pthread_mutex_lock(&stream->lock);
	*work = (struct pl_cu_work){ .stream = stream };
	r = pl_cu_ctx_error(stream->ctx);
	if (!r)
		r = channel_ensure(stream, engine);
	if (!r) {
		work->chan = stream->chan[engine];
		r = work_begin(work);
	}
	if (r)
		pl_cu_work_cancel(work);
	return r;
}

uint64_t pl_cu_work_close(struct pl_cu_work *work)
{
	struct pl_cu_stream *stream = work->stream;
	uint64_t value = atomic_load(&stream->line->last) + 1;
	if (!work->words && pl_cu_work_room(work, 0)) {
		/* The context has failed: whoever waits is told so, and the value comes when the stream is stopped. */
		atomic_store(&stream->line->last, value);
		pthread_mutex_unlock(&stream->lock);
		return value;
	}
	pl_cu_work_release(work, pl_cu_line_address(stream->line), value, PL_RG_SEM_64);
	pl_cu_work_method(work, PL_RG_M_INTERRUPT, 0);
	atomic_store(&stream->line->last, value);
	__atomic_store_n(&stream->last_chan, work->chan, __ATOMIC_RELAXED);
	words_flush(work);
	pthread_mutex_unlock(&stream->lock);
	return value;
}

void pl_cu_work_cancel(struct pl_cu_work *work)
{
	if (work->words && work->n)
		words_flush(work);
	else if (work->words)
		pl_cu_chan_unlock(work->chan);
	pthread_mutex_unlock(&work->stream->lock);
}

CUresult pl_cu_stream_follow(struct pl_cu_stream *stream, struct pl_cu_line *line, uint64_t value)
{
	struct pl_cu_work work;
	CUresult r;
	if (line == stream->line || pl_cu_line_done(line, value))
		return CUDA_SUCCESS;
	r = pl_cu_work_open(&work, stream, pl_cu_stream_engine(stream));
	if (r)
		return r;
	r = pl_cu_work_follow(&work, line, value);
	if (r)
		pl_cu_work_cancel(&work);
	else
		pl_cu_work_close(&work);
	return r;
}

uint64_t pl_cu_stream_step(struct pl_cu_stream *stream)
{
	uint64_t value = atomic_load(&stream->line->last) + 1;
	atomic_store(&stream->line->last, value);
	__atomic_store_n(&stream->last_chan, NULL, __ATOMIC_RELAXED);
	return value;
}

void pl_cu_stream_stepped(struct pl_cu_hw *hw, struct pl_cu_line *line, uint64_t value)
{
	pl_cu_line_raise(line, value);
	(void)pl_cu_reg_read(hw, PL_RG_ID); /* engines look again at what waits for memory */
	pl_cu_hw_wake(hw);
}

enum pl_rg_engine pl_cu_stream_engine(struct pl_cu_stream *stream)
{
	struct pl_cu_chan *last = __atomic_load_n(&stream->last_chan, __ATOMIC_RELAXED);
	return last ? last->engine : PL_RG_COMPUTE;
}

CUresult pl_cu_work_join(struct pl_cu_stream *stream)
{
	struct pl_cu_work work;
	CUresult r;
	if (!others_work(stream))
		return CUDA_SUCCESS;
	r = pl_cu_work_open(&work, stream, pl_cu_stream_engine(stream));
	if (!r)
		(void)pl_cu_work_close(&work);
	return r;
}
