/*
 * Copies from the client's memory to the device's.  Data that comes with a call lies in memory of ours, which is
 * pageable: the driver has taken it when its call returns, also of copies that go on in a stream.
 */
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/copy-ring.h"
#include "backend/cuda/copy.h"
#include "backend/cuda/place.h"
#include "backend/cuda/stage.h"
#include "base/wait.h"

static CUresult to_device(const struct pl_cuda_cuMemcpyHtoDAsync_v2_args *args, uint64_t offset, const void *data,
			  uint64_t bytes, CUstream stream, uint16_t op)
{
	bool waits = op == PL_CUDA_OP_cuMemcpyHtoD_v2;
	__typeof__(&cuMemcpyHtoD_v2) now = args->per_thread ? pl_cuda.cuMemcpyHtoD_v2_ptds : pl_cuda.cuMemcpyHtoD_v2;
	__typeof__(&cuMemcpyHtoDAsync_v2) later =
		args->per_thread ? pl_cuda.cuMemcpyHtoDAsync_v2_ptsz : pl_cuda.cuMemcpyHtoDAsync_v2;

	if (waits)
		return now ? now(args->to + offset, data, bytes) : CUDA_ERROR_NOT_SUPPORTED;
	return later ? later(args->to + offset, data, bytes, stream) : CUDA_ERROR_NOT_SUPPORTED;
}

/* As well, of memory that goes.  *stays: it has to stay, which is left as it was where it has not. */
static CUresult to_device_passing(struct pl_serve *serve, const struct pl_cuda_cuMemcpyHtoDAsync_v2_args *args,
				  uint64_t offset, const void *data, uint64_t bytes, CUstream stream, uint16_t op,
				  bool *stays)
{
	struct pl_cuda_passing passing;
	CUresult r;

	if (serve->turn_held || op == PL_CUDA_OP_cuMemcpyHtoD_v2)
		return to_device(args, offset, data, bytes, stream, op);
	if (!pl_cuda_passing_begin(&passing, pl_cuda_session_of(serve), stream, args->per_thread))
		return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
	r = to_device(args, offset, data, bytes, stream, op);
	*stays |= pl_cuda_passing_end(&passing) != PL_CUDA_PASSED && !r;
	return r;
}

/* ---- through the ring ---- */

static bool ring_has_made(void *arg)
{
	const struct pl_cuda_ring_wait *wait = arg;

	return (int32_t)(atomic_load_explicit(&wait->ring->made, memory_order_acquire) - wait->count) >= 0;
}

/* *held: something may hold the stream; once nothing does it stays so, for with the turn held nothing else comes into
 * it. */
static int32_t block_to_device(struct pl_serve *serve, const struct pl_cuda_cuMemcpyHtoDAsync_v2_args *args,
			       uint64_t at, const uint8_t *block, uint64_t bytes, CUstream stream, bool *held)
{
	struct pl_cuda_cuMemcpyHtoDAsync_v2_args part = *args;
	bool stays = false; /* that is the client's, whatever it does with the ring */
	int32_t status;

	part.to = args->to + at;
	part.size = bytes;
	if (*held && pl_cuda_later_to(pl_cuda_session_of(serve), &part, block, stream, &status))
		return status;
	*held = false;
	return (int32_t)to_device_passing(serve, args, at, block, bytes, stream, serve->head->op, &stays);
}

/* A post keeps the turn: what comes later finds the data there, or behind what holds the stream.  All blocks are taken,
 * also behind one that fails. */
static void to_device_ring(struct pl_serve *serve, const struct pl_cuda_cuMemcpyHtoDAsync_v2_args *args)
{
	bool held = !serve->asked && serve->turn_held && serve->head->op == PL_CUDA_OP_cuMemcpyHtoDAsync_v2;
	struct pl_cuda_ring_wait until = { .count = args->start };
	int32_t status = CUDA_SUCCESS;
	struct pl_cuda_ring *ring;
	struct pl_wait wait = { 0 };
	void *stream = NULL;

	if (!pl_cuda_ring_find(serve, args->ring, serve->head->op == PL_CUDA_OP_cuMemcpyHtoD_v2, &until))
		return;
	ring = until.ring;
	if (pl_cuda_take(serve, args->stream, PL_CUDA_KIND_stream, &stream, &status) &&
	    pl_cuda_passing_refused(pl_cuda_session_of(serve), stream, args->per_thread,
				    serve->head->op == PL_CUDA_OP_cuMemcpyHtoD_v2))
		status = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
	if (serve->asked)
		pl_serve_give_turn(serve);
	for (uint64_t at = 0; at < args->size; at += until.block) {
		const uint8_t *block = pl_cuda_ring_block(ring, until.count++);

		pl_wait_until(&wait, &ring->made_sleeper, ring_has_made, &until, UINT64_MAX);
		if (!status)
			status = block_to_device(serve, args, at, block, pl_cuda_ring_part(&until, args->size - at),
						 stream, &held);
		atomic_store_explicit(&ring->taken, until.count, memory_order_release);
		pl_wake_if(&ring->taken_sleeper);
	}
	pl_cuda_result(serve, status, args->stream);
}

/* ---- through pinned memory, a part on the way to the device while the next one comes ---- */

/* Return: false: the lane broke.  All of the payload is taken, also behind a part that fails. */
static bool to_device_staged(struct pl_serve *serve, const struct pl_cuda_cuMemcpyHtoDAsync_v2_args *args,
			     struct pl_cuda_stage *stage, CUstream stream, bool *stays, int32_t *status)
{
	CUresult result = CUDA_SUCCESS, r;
	uint64_t n = 0, part;

	if (serve->asked)
		pl_serve_give_turn(serve);
	for (uint64_t at = 0; at < args->size; at += part, n++) {
		part = args->size - at < PL_CUDA_STAGE_PART_BYTES ? args->size - at : PL_CUDA_STAGE_PART_BYTES;
		r = pl_cuda_stage_wait(stage, n);
		result = result ? result : r;
		if (pl_serve_take_bulk(serve, pl_cuda_stage_at(stage, n), part))
			return false;
		if (!result)
			result = to_device_passing(serve, args, at, pl_cuda_stage_at(stage, n), part, stream,
						   PL_CUDA_OP_cuMemcpyHtoDAsync_v2, stays);
		if (!result)
			result = pl_cuda_stage_begun(stage, n, stream, args->per_thread);
	}
	r = serve->head->op == PL_CUDA_OP_cuMemcpyHtoD_v2 ? pl_cuda_stage_end(stage) : CUDA_SUCCESS;
	*status = (int32_t)(result ? result : r);
	return true;
}

/* A copy that has ended when it returns comes before what is given to any stream later: one that does not follow the
 * legacy stream would not wait for it.  Over links that share memory the client asks for those where it has to. */
static bool may_come_later(const struct pl_serve *serve, const struct pl_bulk *data)
{
	const struct pl_cuda_session *session = pl_cuda_session_of(serve);

	if (serve->asked || !serve->turn_held)
		return false;
	return serve->head->op == PL_CUDA_OP_cuMemcpyHtoDAsync_v2 ||
	       (data->kind != PL_BULK_ARENA && !atomic_load(&session->streams_apart) &&
		!atomic_load(&session->contexts_many));
}

static void to_device_at_once(struct pl_serve *serve, const struct pl_cuda_cuMemcpyHtoDAsync_v2_args *args,
			      CUstream stream, int32_t *status)
{
	const uint16_t op = serve->head->op;
	const bool waits = op == PL_CUDA_OP_cuMemcpyHtoD_v2;
	bool stays = false;
	void *own = NULL;
	const void *data;

	*status = CUDA_ERROR_OUT_OF_MEMORY;
	if (pl_cuda_bulk_open(serve, &args->data, &data, &own)) {
		if (may_come_later(serve, &args->data) &&
		    pl_cuda_later_to(pl_cuda_session_of(serve), args, data, stream, status)) {
			free(own);
			return;
		}
		/* Few bytes are taken at once, and lie where the next call will. */
		if (serve->asked && (waits || args->data.kind != PL_BULK_INLINE))
			pl_serve_give_turn(serve);
		if (serve->turn_held || waits || pl_cuda_bulk_leave(&args->data, &data, &own))
			*status = (int32_t)to_device_passing(serve, args, 0, data, args->size, stream, op, &stays);
	}
	pl_cuda_bulk_end(serve, &args->data, own, stays);
}

/* As that, of payload that follows the call: no more of it than a part is in memory of ours. */
static void to_device_parts(struct pl_serve *serve, const struct pl_cuda_cuMemcpyHtoDAsync_v2_args *args,
			    CUstream stream, int32_t *status)
{
	struct pl_cuda_cuMemcpyHtoDAsync_v2_args part = *args;

	*status = CUDA_SUCCESS;
	if (args->size > PL_CUDA_COPY_BLOCK_BYTES && !pl_cuda_address_known(args->to, args->size))
		*status = CUDA_ERROR_INVALID_VALUE; /* before any of it is made */
	for (uint64_t at = 0; at < args->size && !*status; at += part.size) {
		part.to = args->to + at;
		part.size = args->size - at < PL_CUDA_COPY_BLOCK_BYTES ? args->size - at : PL_CUDA_COPY_BLOCK_BYTES;
		part.data.bytes = part.size;
		to_device_at_once(serve, &part, stream, status);
	}
}

/* The stream has its place in the order: whatever comes later waits for it there, other lanes go on. */
static bool to_device_placed(struct pl_serve *serve, const struct pl_cuda_cuMemcpyHtoDAsync_v2_args *args,
			     CUstream stream, int32_t *status)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	struct plRefgpuPlace *place = NULL;

	if (!args->data.data)
		place = pl_cuda_place_take(session, stream, args->per_thread, args->to, args->size);
	if (!place)
		return false;
	pl_serve_give_turn(serve);
	*status = pl_cuda_place_receive(serve, place, args->size) ? CUDA_ERROR_UNKNOWN : CUDA_SUCCESS;
	return true;
}

static void to_device_any(struct pl_serve *serve, const struct pl_cuda_cuMemcpyHtoDAsync_v2_args *args)
{
	struct pl_cuda_stage *stage;
	bool stays = false;
	void *stream = NULL;
	int32_t status;

	if (args->ring) {
		to_device_ring(serve, args);
		return;
	}
	if (args->size != args->data.bytes) {
		pl_serve_refuse(serve, CUDA_ERROR_INVALID_VALUE);
		return;
	}
	if (!pl_cuda_take(serve, args->stream, PL_CUDA_KIND_stream, &stream, &status)) {
		pl_cuda_result(serve, status, args->stream);
		return;
	}
	if (pl_cuda_passing_refused(pl_cuda_session_of(serve), stream, args->per_thread,
				    serve->head->op == PL_CUDA_OP_cuMemcpyHtoD_v2)) {
		pl_cuda_result(serve, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, args->stream);
		return;
	}
	if (to_device_placed(serve, args, stream, &status)) {
		pl_cuda_result(serve, status, args->stream);
		return;
	}
	stage = args->data.data ? NULL : pl_cuda_stage_take(pl_cuda_session_of(serve), args->size);
	if (!stage) {
		(args->data.data ? to_device_at_once : to_device_parts)(serve, args, stream, &status);
	} else {
		if (!to_device_staged(serve, args, stage, stream, &stays, &status))
			status = CUDA_ERROR_UNKNOWN;
		if (!stays)
			pl_cuda_stage_give(pl_cuda_session_of(serve), stage);
	}
	pl_cuda_result(serve, status, args->stream);
}

/* Others go on while an asked one comes, and nobody is told meanwhile that nothing is under way. */
void pl_cuda_serve_cuMemcpyHtoDAsync_v2(struct pl_serve *serve, const struct pl_cuda_cuMemcpyHtoDAsync_v2_args *args)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	uint64_t held = args->data.kind == PL_BULK_AFTER ? pl_cuda_copy_held(args->data.bytes) : args->data.bytes;

	if (!pl_quota_charge(&serve->session->quota, PL_QUOTA_INFLIGHT, held)) {
		pl_cuda_result(serve, CUDA_ERROR_OUT_OF_MEMORY, args->stream);
		return;
	}
	pl_cuda_entering(session);
	to_device_any(serve, args);
	pl_cuda_entered(session);
	pl_quota_return(&serve->session->quota, PL_QUOTA_INFLIGHT, held);
}
