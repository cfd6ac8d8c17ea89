/* What the server asks of the driver for itself ends no capture of the program's: a driver that says so if it would. */
#include <assert.h>
#include <stdlib.h>

#include "backend/cuda/session.h"
#include "backend/cuda/stage.h"

#define RING_AT 4096u

static CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_GLOBAL;
static unsigned int asked, registered;
static uintptr_t events;

static CUresult mode_exchange(CUstreamCaptureMode *other)
{
	CUstreamCaptureMode old = mode;

	mode = *other;
	*other = old;
	return CUDA_SUCCESS;
}

static CUresult event_create(CUevent *event, unsigned int flags)
{
	(void)flags;
	*event = (CUevent)++events;
	return CUDA_SUCCESS;
}

static CUresult event_put(CUevent event, CUstream stream)
{
	(void)event, (void)stream;
	return CUDA_SUCCESS;
}

static CUresult event_ask(CUevent event)
{
	(void)event;
	assert(mode == CU_STREAM_CAPTURE_MODE_RELAXED);
	asked++;
	return CUDA_SUCCESS;
}

static CUresult event_destroy(CUevent event)
{
	(void)event;
	return CUDA_SUCCESS;
}

static CUresult host_register(void *at, size_t bytes, unsigned int flags)
{
	(void)at, (void)bytes, (void)flags;
	assert(mode == CU_STREAM_CAPTURE_MODE_RELAXED);
	registered++;
	return CUDA_SUCCESS;
}

static CUresult host_unregister(void *at)
{
	(void)at;
	return CUDA_SUCCESS;
}

static CUresult copy_now(CUdeviceptr to, const void *from, size_t bytes)
{
	(void)to, (void)from, (void)bytes;
	return CUDA_SUCCESS;
}

static CUresult copy_later(CUdeviceptr to, const void *from, size_t bytes, CUstream stream)
{
	(void)stream;
	return copy_now(to, from, bytes);
}

static CUresult fetch_later(void *to, CUdeviceptr from, size_t bytes, CUstream stream)
{
	(void)to, (void)from, (void)bytes, (void)stream;
	return CUDA_SUCCESS;
}

static void driver_make(void)
{
	pl_cuda.cuThreadExchangeStreamCaptureMode = mode_exchange;
	pl_cuda.cuEventCreate = event_create;
	pl_cuda.cuEventDestroy_v2 = event_destroy;
	pl_cuda.cuEventSynchronize = pl_cuda.cuEventQuery = event_ask;
	pl_cuda.cuEventRecord = event_put;
	pl_cuda.cuMemHostRegister_v2 = host_register;
	pl_cuda.cuMemHostUnregister = host_unregister;
	pl_cuda.cuMemcpyHtoD_v2 = copy_now;
	pl_cuda.cuMemcpyHtoDAsync_v2 = copy_later;
	pl_cuda.cuMemcpyDtoHAsync_v2 = fetch_later;
}

/* The device may still be at work in a stage that is to be used again: that is asked. */
static void test_stages_are_asked_about_in_captures(struct pl_cuda_session *session)
{
	struct pl_cuda_stage *stage = pl_cuda_stage_take(session, PL_CUDA_STAGE_MIN);

	assert(stage && registered == 1);
	assert(!pl_cuda_stage_begun(stage, 0, NULL, false));
	pl_cuda_stage_give(session, stage);
	assert(pl_cuda_stage_take(session, PL_CUDA_STAGE_MIN) == stage && asked == 1);
	pl_cuda_stage_give(session, stage);
}

static void test_rings_are_pinned_in_captures(struct pl_serve *serve)
{
	const struct pl_cuda_cuMemcpyHtoDAsync_v2_args args = { .to = 4096, .size = 64, .ring = RING_AT + 1 + 1 };
	struct pl_cuda_ring *ring = (struct pl_cuda_ring *)(serve->session->arena + RING_AT);

	registered = 0;
	atomic_store(&ring->made, 1);
	pl_cuda_serve_cuMemcpyHtoDAsync_v2(serve, &args);
	assert(registered == 1 && atomic_load(&ring->taken) == 1);
	pl_cuda_serve_cuMemcpyHtoDAsync_v2(serve, &args); /* the same ring */
	assert(registered == 1);
}

int main(void)
{
	const struct pl_wire_head head = { .op = PL_CUDA_OP_cuMemcpyHtoD_v2 };
	struct pl_session_worker *worker = calloc(1, sizeof(*worker));
	struct pl_cuda_session *session = calloc(1, sizeof(*session));
	struct pl_cuda_host host = { .version = 13000 };
	struct pl_serve serve = { .session = worker, .head = &head };

	assert(worker && session);
	worker->api = session;
	worker->arena_bytes = RING_AT + PL_CUDA_RING_BYTES;
	worker->arena = aligned_alloc(4096, worker->arena_bytes);
	assert(worker->arena && !pl_handles_init(&worker->handles));
	atomic_store(&worker->quota.limit[PL_QUOTA_HOST], 1u << 30);
	session->worker = worker;
	session->host = &host;
	pthread_mutex_init(&session->stages_lock, NULL);
	pl_cuda_current = 1;
	driver_make();
	test_stages_are_asked_about_in_captures(session);
	test_rings_are_pinned_in_captures(&serve);
	assert(mode == CU_STREAM_CAPTURE_MODE_GLOBAL);
	free(session->stages);
	pl_handles_fini(&worker->handles);
	free(worker->arena);
	free(worker);
	free(session);
	return 0;
}
