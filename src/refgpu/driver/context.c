/* Contexts: the stack of each thread, what one holds, its end. */
#include <stdlib.h>
#include <string.h>

#include "cuda-api.h"
#include "array.h"
#include "check.h"
#include "context.h"
#include "driver.h"
#include "event.h"
#include "hostfn.h"
#include "mem.h"
#include "module.h"
#include "stream.h"
#include "texture.h"

#define HEAP_DEFAULT     (8ull << 20)
#define PRINTF_DEFAULT   (1ull << 20)
#define STACK_DEFAULT    1024u
#define PENDING_DEFAULT  2048u
#define L2_FETCH_DEFAULT 64u

static __thread struct {
	CUcontext stack[PL_CU_CTX_DEPTH_MAX];
	unsigned int depth;
} thread;

static _Atomic uint64_t ctx_ids = 1;

struct pl_cu_ctx *pl_cu_ctx_of(CUcontext handle)
{
	return pl_cuda_handle_held(handle, PL_CU_CTX);
}

CUcontext pl_cu_ctx_top(void)
{
	return thread.depth ? thread.stack[thread.depth - 1] : NULL;
}

struct pl_cu_ctx *pl_cu_ctx_current(void)
{
	return thread.depth ? pl_cu_ctx_of(thread.stack[thread.depth - 1]) : NULL;
}

CUresult pl_cu_enter_ctx_any(struct pl_cu_ctx **ctx_out)
{
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	*ctx_out = pl_cu_ctx_current();
	if (*ctx_out)
		return CUDA_SUCCESS;
	return pl_cu_ctx_top() ? CUDA_ERROR_CONTEXT_IS_DESTROYED : CUDA_ERROR_INVALID_CONTEXT;
}

CUresult pl_cu_enter_ctx(struct pl_cu_ctx **ctx_out)
{
	CUresult r = pl_cu_enter_ctx_any(ctx_out);
	return r ? r : pl_cu_ctx_error(*ctx_out);
}

CUresult pl_cu_ctx_set_current(CUcontext handle)
{
	if (!handle) {
		thread.depth -= thread.depth > 0;
		return CUDA_SUCCESS;
	}
	if (!thread.depth)
		thread.depth = 1;
	thread.stack[thread.depth - 1] = handle;
	return CUDA_SUCCESS;
}

CUresult pl_cu_ctx_push(CUcontext handle)
{
	if (thread.depth == PL_CU_CTX_DEPTH_MAX)
		return CUDA_ERROR_OUT_OF_MEMORY;
	thread.stack[thread.depth++] = handle;
	return CUDA_SUCCESS;
}

bool pl_cu_ctx_pop(CUcontext *handle_out)
{
	if (!thread.depth)
		return false;
	*handle_out = thread.stack[--thread.depth];
	return true;
}

struct pl_cu_ctx *pl_cu_ctx_ref(struct pl_cu_ctx *ctx)
{
	atomic_fetch_add(&ctx->refs, 1);
	return ctx;
}

void pl_cu_ctx_unref(struct pl_cu_ctx *ctx)
{
	if (atomic_fetch_sub(&ctx->refs, 1) != 1)
		return;
	pl_cu_sys_free(ctx->dev->hw, ctx->assert_record, PL_CU_PAGE);
	pthread_mutex_destroy(&ctx->lock);
	free(ctx);
}

CUresult pl_cu_ctx_create(struct pl_cu_ctx **ctx_out, struct pl_cu_dev *dev, unsigned int flags, bool primary)
{
	struct pl_cu_ctx *ctx = calloc(1, sizeof(*ctx));
	CUresult r = CUDA_ERROR_OUT_OF_MEMORY;
	if (!ctx)
		return r;
	ctx->dev = dev;
	atomic_store(&ctx->refs, 1);
	ctx->flags = flags;
	ctx->api_version = 3020;
	ctx->primary = primary;
	ctx->id = atomic_fetch_add(&ctx_ids, 1);
	pthread_mutex_init(&ctx->lock, NULL);
	pl_cuda_storages_init(&ctx->storages);
	ctx->limit[CU_LIMIT_STACK_SIZE] = STACK_DEFAULT;
	ctx->limit[CU_LIMIT_PRINTF_FIFO_SIZE] = PRINTF_DEFAULT;
	ctx->limit[CU_LIMIT_MALLOC_HEAP_SIZE] = HEAP_DEFAULT;
	ctx->limit[CU_LIMIT_DEV_RUNTIME_SYNC_DEPTH] = 2;
	ctx->limit[CU_LIMIT_DEV_RUNTIME_PENDING_LAUNCH_COUNT] = PENDING_DEFAULT;
	ctx->limit[CU_LIMIT_MAX_L2_FETCH_GRANULARITY] = L2_FETCH_DEFAULT;
	ctx->handle = (CUcontext)(uintptr_t)pl_cuda_handle_create(PL_CU_CTX, ctx);
	ctx->assert_record = pl_cu_sys_alloc(dev->hw, PL_CU_PAGE);
	if (ctx->handle && ctx->assert_record)
		r = pl_cu_stream_create(&ctx->null_stream, ctx, CU_STREAM_DEFAULT, 0);
	if (r) {
		pl_cuda_handle_destroy((uint64_t)(uintptr_t)ctx->handle);
		pl_cu_ctx_unref(ctx);
		return r;
	}
	ctx->null_stream->legacy = true;
	*ctx_out = ctx;
	return CUDA_SUCCESS;
}

static void heap_free(struct pl_cu_ctx *ctx)
{
	struct pl_cu_mem *mem = ctx->heap_va ? pl_cu_mem_claim(ctx->heap_va, PL_CU_MEM_DRIVER) : NULL;
	pl_cu_mem_destroy(mem);
}

static bool error_set(struct pl_cu_ctx *ctx, CUresult error)
{
	int none = CUDA_SUCCESS;
	if (!atomic_compare_exchange_strong(&ctx->error, &none, (int)error))
		return false;
	pl_cu_hw_wake(ctx->dev->hw);
	return true;
}

/* Nobody's call uses it, except through what was made in it. */
static void ctx_end(void *arg)
{
	struct pl_cu_ctx *ctx = arg;
	pl_cu_ctx_wait(ctx);
	pl_cu_hostfn_drain(ctx);
	pl_cu_modules_end(ctx);
	pl_cu_refs_end(ctx);
	pl_cu_textures_end(ctx);
	pl_cu_arrays_end(ctx);
	pl_cu_events_end(ctx);
	pl_cu_streams_end(ctx);
	heap_free(ctx);
	pl_cu_mem_free_all(ctx);
	(void)error_set(ctx, CUDA_ERROR_CONTEXT_IS_DESTROYED);
	pl_cu_ctx_unref(ctx);
}

bool pl_cu_ctx_destroy(struct pl_cu_ctx *ctx)
{
	bool destroyed;
	if (atomic_exchange(&ctx->ending, true))
		return false;
	pl_cu_ctx_ref(ctx);
	pl_cu_ctx_wait(ctx);
	pl_cu_hostfn_drain(ctx);
	pl_cu_check_leaks(ctx);
	pl_cuda_storages_fini(&ctx->storages, ctx->handle);
	destroyed = pl_cuda_handle_retire((uint64_t)(uintptr_t)ctx->handle, ctx_end);
	pl_cu_ctx_unref(ctx);
	return destroyed;
}

size_t pl_cu_ctx_lines(struct pl_cu_ctx *ctx, struct pl_cu_line ***lines_out)
{
	size_t n = 0;
	pthread_mutex_lock(&ctx->lock);
	for (struct pl_cu_stream *stream = ctx->streams; stream; stream = stream->next)
		n++;
	*lines_out = malloc((n + 1) * sizeof(struct pl_cu_line *));
	n = 0;
	for (struct pl_cu_stream *stream = ctx->streams; stream && *lines_out; stream = stream->next)
		(*lines_out)[n++] = pl_cu_line_ref(stream->line);
	pthread_mutex_unlock(&ctx->lock);
	return n;
}

CUresult pl_cu_ctx_wait(struct pl_cu_ctx *ctx)
{
	struct pl_cu_line **lines;
	size_t n = pl_cu_ctx_lines(ctx, &lines);
	for (size_t i = 0; i < n; i++) {
		pl_cu_line_wait(ctx, lines[i], atomic_load(&lines[i]->last));
		pl_cu_line_unref(lines[i]);
	}
	free(lines);
	pl_cu_ctx_print(ctx);
	return pl_cu_ctx_error(ctx);
}

bool pl_cu_ctx_idle(struct pl_cu_ctx *ctx)
{
	bool idle = true;
	pthread_mutex_lock(&ctx->lock);
	for (struct pl_cu_stream *stream = ctx->streams; stream && idle; stream = stream->next)
		idle = pl_cu_line_idle(stream->line);
	pthread_mutex_unlock(&ctx->lock);
	return idle && !pl_cu_ctx_error(ctx);
}

bool pl_cu_ctx_prints(struct pl_cu_ctx *ctx)
{
	bool any = false;
	pthread_mutex_lock(&ctx->lock);
	for (struct pl_cu_stream *stream = ctx->streams; stream && !any; stream = stream->next) {
		const struct pl_isa_printf *print = __atomic_load_n(&stream->print, __ATOMIC_RELAXED);
		any = print && __atomic_load_n(&print->used, __ATOMIC_ACQUIRE);
	}
	pthread_mutex_unlock(&ctx->lock);
	return any;
}

/* The handles of all streams, so that each is looked up again before it is touched: streams come and go meanwhile. */
static size_t handles_of(struct pl_cu_ctx *ctx, bool (*wanted)(const struct pl_cu_stream *stream),
			 CUstream **handles_out)
{
	size_t n = 0;
	pthread_mutex_lock(&ctx->lock);
	for (struct pl_cu_stream *stream = ctx->streams; stream; stream = stream->next)
		n++;
	*handles_out = malloc((n + 1) * sizeof(CUstream));
	n = 0;
	for (struct pl_cu_stream *stream = ctx->streams; stream && *handles_out; stream = stream->next)
		if (wanted(stream))
			(*handles_out)[n++] = stream->handle;
	pthread_mutex_unlock(&ctx->lock);
	return n;
}

static bool owes_or_prints(const struct pl_cu_stream *stream)
{
	return __atomic_load_n(&stream->print, __ATOMIC_RELAXED) || pl_cu_stream_owes(stream);
}

void pl_cu_ctx_print(struct pl_cu_ctx *ctx)
{
	CUstream *handles;
	size_t n;
	pl_cu_check_drain();
	pl_cu_later_drain(ctx);
	n = handles_of(ctx, owes_or_prints, &handles);
	for (size_t i = 0; i < n; i++) {
		struct pl_cu_stream *stream = pl_cuda_handle_held(handles[i], PL_CU_STREAM);
		if (!stream)
			continue;
		pl_cu_stream_reap(stream);
		pl_cu_stream_print(stream);
	}
	free(handles);
}

static bool any(const struct pl_cu_stream *stream)
{
	return stream;
}

/* Those that are being destroyed are stopped by who does that. */
static void stop(void *arg)
{
	struct pl_cu_ctx *ctx = arg;
	CUstream *handles;
	size_t n = handles_of(ctx, any, &handles);
	for (size_t i = 0; i < n; i++) {
		struct pl_cu_stream *stream = pl_cuda_handle_held(handles[i], PL_CU_STREAM);
		if (stream)
			pl_cu_stream_stop(stream);
	}
	free(handles);
	pl_cu_ctx_unref(ctx);
}

void pl_cu_ctx_fail(struct pl_cu_ctx *ctx, CUresult error)
{
	pl_cu_ctx_ref(ctx); /* who is woken may destroy it */
	if (!error_set(ctx, error)) {
		pl_cu_ctx_unref(ctx);
		return;
	}
	/* Not here: an engine's thread cannot wait until engines have stopped. */
	ctx->stop = (struct pl_cu_later){ .fn = stop, .arg = ctx, .ctx = ctx };
	if (!pl_cu_later_add(ctx->dev->hw, &ctx->stop))
		pl_cu_ctx_unref(ctx);
}

uint64_t pl_cu_ctx_heap(struct pl_cu_ctx *ctx, uint64_t *bytes_out)
{
	pthread_mutex_lock(&ctx->lock);
	if (!ctx->heap_va) {
		struct pl_cu_mem *mem;
		uint64_t room, bytes = ctx->limit[CU_LIMIT_MALLOC_HEAP_SIZE], done = 0;
		if (bytes && !pl_cu_mem_create(&mem, PL_CU_MEM_DRIVER, ctx, bytes)) {
			mem->what = "heap of malloc() in kernels";
			while (done < bytes) { /* the engine wants zeros at the begin; VRAM may be used */
				void *at = pl_cu_mem_host(mem->va + done, &room);
				memset(at, 0, room);
				done += room;
			}
			ctx->heap_va = mem->va;
			ctx->heap_bytes = bytes;
		}
	}
	*bytes_out = ctx->heap_bytes;
	pthread_mutex_unlock(&ctx->lock);
	return ctx->heap_va;
}
