/* Copies from the device's memory to the client's: the bytes go with the reply, or where the client has set aside. */
#include <errno.h>
#include <stdlib.h>

#include "backend/cuda/copy-ring.h"
#include "backend/cuda/copy.h"
#include "backend/cuda/own.h"
#include "backend/cuda/place.h"
#include "backend/cuda/stage.h"
#include "base/wait.h"

#define INLINE_BYTES 4096u

struct fetch {
	const struct pl_cuda_cuMemcpyDtoHAsync_v2_args *args;
	struct pl_cuda_session *session;
	CUstream stream;
	bool waits;
	bool stays; /* a graph may have the memory */
};

/* To memory that goes.  Where it is not sure whether a graph has got the copy instead, it is made once more. */
static CUresult fetch_passing(struct fetch *fetch, void *to, uint64_t offset, uint64_t bytes)
{
	const struct pl_cuda_cuMemcpyDtoHAsync_v2_args *args = fetch->args;
	__typeof__(&cuMemcpyDtoHAsync_v2) later =
		args->per_thread ? pl_cuda.cuMemcpyDtoHAsync_v2_ptsz : pl_cuda.cuMemcpyDtoHAsync_v2;
	enum pl_cuda_passed passed = PL_CUDA_PASSED_UNSURE;
	struct pl_cuda_passing passing;
	CUresult r = later ? CUDA_SUCCESS : CUDA_ERROR_NOT_SUPPORTED;

	while (!r && passed == PL_CUDA_PASSED_UNSURE) {
		if (!pl_cuda_passing_begin(&passing, fetch->session, fetch->stream, args->per_thread))
			return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
		r = later(to, args->from + offset, bytes, fetch->stream);
		passed = pl_cuda_passing_end(&passing);
		fetch->stays |= passed != PL_CUDA_PASSED && !r;
	}
	return r ? r : passed == PL_CUDA_PASSED ? CUDA_SUCCESS : CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
}

/* Waits in any case: the bytes have to be there. */
static CUresult fetch_part(struct fetch *fetch, void *to, uint64_t offset, uint64_t bytes)
{
	const struct pl_cuda_cuMemcpyDtoHAsync_v2_args *args = fetch->args;
	__typeof__(&cuMemcpyDtoH_v2) now = args->per_thread ? pl_cuda.cuMemcpyDtoH_v2_ptds : pl_cuda.cuMemcpyDtoH_v2;
	CUresult r;

	if (fetch->waits)
		return now ? now(to, args->from + offset, bytes) : CUDA_ERROR_NOT_SUPPORTED;
	r = fetch_passing(fetch, to, offset, bytes);
	return r ? r : pl_cuda_own_wait(fetch->stream, args->per_thread);
}

/* The memory that a part came to. */
static void fetch_free(struct pl_serve *serve, const struct fetch *fetch, void *memory, uint64_t bytes)
{
	if (fetch->stays)
		pl_cuda_passing_stays(serve, bytes);
	else
		free(memory);
}

static int reply_begin(struct pl_serve *serve, uint32_t kind, uint64_t bytes, uint64_t offset)
{
	struct pl_cuda_cuMemcpyDtoHAsync_v2_reply reply = { .data = {
								    .kind = kind, .bytes = bytes, .offset = offset } };

	if (pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_cuMemcpyDtoHAsync_v2_reply_bytes(&reply),
				 kind == PL_BULK_AFTER ? bytes : 0))
		return -EPIPE;
	pl_cuda_cuMemcpyDtoHAsync_v2_reply_put(&serve->reply_enc, &reply);
	return pl_serve_reply_end(serve);
}

/* Few bytes travel in the reply itself. */
static void fetch_inline_to(struct pl_serve *serve, struct fetch *fetch, uint8_t *bytes)
{
	uint64_t size = fetch->args->size;
	struct pl_cuda_cuMemcpyDtoHAsync_v2_reply reply = { 0 };
	int32_t status = (int32_t)fetch_part(fetch, bytes, 0, size);

	status = pl_cuda_waited(pl_cuda_session_of(serve), status, fetch->args->stream);
	if (status) {
		pl_cuda_result(serve, status, 0);
		return;
	}
	pl_cuda_idle_tell(serve);
	reply.data = (struct pl_bulk){ .kind = PL_BULK_INLINE, .data = bytes, .bytes = size };
	if (pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_cuMemcpyDtoHAsync_v2_reply_bytes(&reply), 0))
		return;
	pl_cuda_cuMemcpyDtoHAsync_v2_reply_put(&serve->reply_enc, &reply);
	(void)pl_serve_reply_end(serve);
}

/* Not on the stack, which can not stay; one lane after the other has the same memory. */
static void fetch_inline(struct pl_serve *serve, struct fetch *fetch)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	void *room = atomic_exchange(&session->few_room, NULL), *none = NULL;

	if (!room)
		room = malloc(INLINE_BYTES);
	if (!room) {
		pl_cuda_result(serve, CUDA_ERROR_OUT_OF_MEMORY, 0);
		return;
	}
	fetch_inline_to(serve, fetch, room);
	if (fetch->stays || !atomic_compare_exchange_strong(&session->few_room, &none, room))
		fetch_free(serve, fetch, room, INLINE_BYTES);
}

/* Into the memory that both sides have. */
static void fetch_shared(struct pl_serve *serve, struct fetch *fetch)
{
	const struct pl_cuda_cuMemcpyDtoHAsync_v2_args *args = fetch->args;
	struct pl_session_worker *worker = serve->session;
	int32_t status;

	if (!worker->arena || args->store > worker->arena_bytes || args->size > worker->arena_bytes - args->store) {
		pl_serve_refuse(serve, CUDA_ERROR_INVALID_VALUE);
		return;
	}
	status = (int32_t)fetch_part(fetch, worker->arena + args->store, 0, args->size);
	status = pl_cuda_waited(pl_cuda_session_of(serve), status, args->stream);
	if (status) {
		pl_cuda_result(serve, status, 0);
		return;
	}
	pl_cuda_idle_tell(serve);
	(void)reply_begin(serve, PL_BULK_ARENA, args->size, args->store);
}

/* In blocks behind the reply: the status is that of the first; if another fails the lane breaks. */
static void fetch_streamed(struct pl_serve *serve, struct fetch *fetch)
{
	uint64_t size = fetch->args->size, first = size < PL_CUDA_COPY_BLOCK_BYTES ? size : PL_CUDA_COPY_BLOCK_BYTES;
	void *block = malloc(first ? first : 1);
	int32_t status = CUDA_ERROR_OUT_OF_MEMORY;

	if (size > first && !pl_cuda_address_known(fetch->args->from, size))
		status = CUDA_ERROR_INVALID_VALUE; /* as of the whole: behind the first block none can be told */
	else if (block)
		status = (int32_t)fetch_part(fetch, block, 0, first);
	status = pl_cuda_waited(pl_cuda_session_of(serve), status, fetch->args->stream);
	if (status) {
		fetch_free(serve, fetch, block, first);
		pl_cuda_result(serve, status, 0);
		return;
	}
	pl_cuda_idle_tell(serve);
	if (!reply_begin(serve, PL_BULK_AFTER, size, 0) && !pl_serve_reply_bulk(serve, block, first)) {
		for (uint64_t at = first; at < size;) {
			uint64_t part = size - at < PL_CUDA_COPY_BLOCK_BYTES ? size - at : PL_CUDA_COPY_BLOCK_BYTES;

			if (fetch_part(fetch, block, at, part)) {
				pl_lane_shutdown(serve->lane);
				break;
			}
			if (pl_serve_reply_bulk(serve, block, part))
				break;
			at += part;
		}
	}
	fetch_free(serve, fetch, block, first);
}

/* From where they lie.  What comes later in the stream waits meanwhile, so whether all has ended is told before.
 * Return: false: they have to go another way. */
static bool fetch_placed(struct pl_serve *serve, const struct fetch *fetch)
{
	const struct pl_cuda_cuMemcpyDtoHAsync_v2_args *args = fetch->args;
	struct plRefgpuPlace *place;

	pl_cuda_idle_tell(serve);
	place = pl_cuda_place_take(fetch->session, fetch->stream, args->per_thread, args->from, args->size);
	if (!place) {
		serve->reply_flags &= ~(uint32_t)(PL_WIRE_REPLY_IDLE | PL_WIRE_REPLY_PLACE);
		return false;
	}
	pl_serve_give_turn(serve);
	if (reply_begin(serve, PL_BULK_AFTER, args->size, 0))
		pl_cuda_place_give(fetch->session, place);
	else
		(void)pl_cuda_place_reply(serve, place, args->size);
	return true;
}

/* The same, when the stream has come there. */
static bool fetch_waited(struct pl_serve *serve, const struct fetch *fetch)
{
	const struct pl_cuda_cuMemcpyDtoHAsync_v2_args *args = fetch->args;
	int32_t status;

	if (!pl_cuda_place_can(fetch->session) || args->size < PL_CUDA_PLACE_MIN ||
	    !pl_cuda_address_known(args->from, args->size))
		return false;
	status = (int32_t)pl_cuda_own_wait(fetch->stream, args->per_thread);
	status = pl_cuda_waited(fetch->session, status, args->stream);
	if (!status)
		return fetch_placed(serve, fetch);
	pl_cuda_result(serve, status, 0);
	return true;
}

static CUresult fetch_begin(struct fetch *fetch, struct pl_cuda_stage *stage, uint64_t n)
{
	uint64_t at = n * PL_CUDA_STAGE_PART_BYTES, left = fetch->args->size - at;
	CUresult r = fetch_passing(fetch, pl_cuda_stage_at(stage, n), at,
				   left < PL_CUDA_STAGE_PART_BYTES ? left : PL_CUDA_STAGE_PART_BYTES);

	return r ? r : pl_cuda_stage_begun(stage, n, fetch->stream, fetch->args->per_thread);
}

/* As fetch_streamed(), through pinned memory: the device makes parts while those before them are sent. */
static void fetch_staged(struct pl_serve *serve, struct fetch *fetch, struct pl_cuda_stage *stage)
{
	uint64_t size = fetch->args->size;
	uint64_t parts = (size + PL_CUDA_STAGE_PART_BYTES - 1) / PL_CUDA_STAGE_PART_BYTES;
	CUresult result = CUDA_SUCCESS;
	int32_t status;

	if (parts > PL_CUDA_STAGE_PARTS && !pl_cuda_address_known(fetch->args->from, size))
		result = CUDA_ERROR_INVALID_VALUE;
	for (uint64_t n = 0; n < parts && n < PL_CUDA_STAGE_PARTS && !result; n++)
		result = fetch_begin(fetch, stage, n);
	if (!result)
		result = pl_cuda_stage_wait(stage, 0);
	status = pl_cuda_waited(pl_cuda_session_of(serve), (int32_t)result, fetch->args->stream);
	if (status) {
		pl_cuda_result(serve, status, 0);
		return;
	}
	pl_cuda_idle_tell(serve);
	if (reply_begin(serve, PL_BULK_AFTER, size, 0))
		return;
	for (uint64_t n = 0; n < parts; n++) {
		uint64_t left = size - n * PL_CUDA_STAGE_PART_BYTES;

		if (pl_cuda_stage_wait(stage, n)) {
			pl_lane_shutdown(serve->lane);
			return;
		}
		if (pl_serve_reply_bulk(serve, pl_cuda_stage_at(stage, n),
					left < PL_CUDA_STAGE_PART_BYTES ? left : PL_CUDA_STAGE_PART_BYTES))
			return;
		if (n + PL_CUDA_STAGE_PARTS < parts && fetch_begin(fetch, stage, n + PL_CUDA_STAGE_PARTS)) {
			pl_lane_shutdown(serve->lane);
			return;
		}
	}
}

static bool ring_has_taken(void *arg)
{
	const struct pl_cuda_ring_wait *wait = arg;

	return (int32_t)(atomic_load_explicit(&wait->ring->taken, memory_order_acquire) - wait->count) >= 0;
}

/* Into a ring, block by block; the client takes them out meanwhile. */
static void fetch_ring(struct pl_serve *serve, struct fetch *fetch)
{
	const struct pl_cuda_cuMemcpyDtoHAsync_v2_args *args = fetch->args;
	struct pl_cuda_ring_wait until = { .count = args->start - PL_CUDA_RING_BLOCKS };
	int32_t status = CUDA_SUCCESS;
	struct pl_cuda_ring *ring;
	struct pl_wait wait = { 0 };

	if (!pl_cuda_ring_find(serve, args->ring, true, &until))
		return;
	ring = until.ring;
	for (uint64_t at = 0; at < args->size; at += until.block) {
		uint32_t index = until.count++ + PL_CUDA_RING_BLOCKS;

		pl_wait_until(&wait, &ring->taken_sleeper, ring_has_taken, &until, UINT64_MAX);
		if (!status)
			status = (int32_t)fetch_part(fetch, pl_cuda_ring_block(ring, index), at,
						     pl_cuda_ring_part(&until, args->size - at));
		atomic_store_explicit(&ring->made, index + 1, memory_order_release);
		pl_wake_if(&ring->made_sleeper);
	}
	status = pl_cuda_waited(pl_cuda_session_of(serve), status, args->stream);
	if (status) {
		pl_cuda_result(serve, status, 0);
		return;
	}
	pl_cuda_idle_tell(serve);
	(void)reply_begin(serve, PL_BULK_ARENA, 0, 0);
}

/* Into host memory that the driver knows and both sides share, in the stream's order. */
static void fetch_posted(struct pl_serve *serve, struct fetch *fetch)
{
	const struct pl_cuda_cuMemcpyDtoHAsync_v2_args *args = fetch->args;
	__typeof__(&cuMemcpyDtoHAsync_v2) later =
		args->per_thread ? pl_cuda.cuMemcpyDtoHAsync_v2_ptsz : pl_cuda.cuMemcpyDtoHAsync_v2;
	struct pl_session_worker *worker = serve->session;
	int32_t status = CUDA_ERROR_NOT_SUPPORTED;

	if (!worker->arena || args->store > worker->arena_bytes || args->size > worker->arena_bytes - args->store) {
		pl_serve_refuse(serve, CUDA_ERROR_INVALID_VALUE);
		return;
	}
	if (later && !fetch->waits)
		status = (int32_t)later(worker->arena + args->store, args->from, args->size, fetch->stream);
	pl_cuda_result(serve, status, args->stream);
}

/* Return: it is under way, and stays charged. */
static bool to_client_any(struct pl_serve *serve, const struct pl_cuda_cuMemcpyDtoHAsync_v2_args *args)
{
	struct fetch fetch = { .args = args, .waits = serve->head->op == PL_CUDA_OP_cuMemcpyDtoH_v2 };
	struct pl_cuda_stage *stage;
	int32_t status;
	void *stream;

	if (!pl_cuda_take(serve, args->stream, PL_CUDA_KIND_stream, &stream, &status)) {
		pl_cuda_result(serve, status, args->stream);
		return false;
	}
	fetch.stream = stream;
	fetch.session = pl_cuda_session_of(serve);
	if (pl_cuda_passing_refused(pl_cuda_session_of(serve), stream, args->per_thread, fetch.waits)) {
		pl_cuda_result(serve, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, args->stream);
		return false;
	}
	if (args->token) {
		bool now =
			serve->asked && !fetch.waits && pl_cuda_place_can(fetch.session) && fetch_placed(serve, &fetch);

		return !now && pl_cuda_later_copy(serve, args, stream);
	}
	if (!args->wait) {
		fetch_posted(serve, &fetch);
		return false;
	}
	if (!serve->asked) {
		pl_serve_refuse(serve, CUDA_ERROR_NOT_SUPPORTED);
		return false;
	}
	pl_serve_give_turn(serve);
	if (args->ring) {
		fetch_ring(serve, &fetch);
	} else if (args->store != UINT64_MAX) {
		fetch_shared(serve, &fetch);
	} else if (args->size <= INLINE_BYTES) {
		fetch_inline(serve, &fetch);
	} else if ((stage = pl_cuda_stage_take(pl_cuda_session_of(serve), args->size))) {
		fetch_staged(serve, &fetch, stage);
		if (!fetch.stays)
			pl_cuda_stage_give(pl_cuda_session_of(serve), stage);
	} else if (!fetch_waited(serve, &fetch)) {
		fetch_streamed(serve, &fetch);
	}
	return false;
}

void pl_cuda_serve_cuMemcpyDtoHAsync_v2(struct pl_serve *serve, const struct pl_cuda_cuMemcpyDtoHAsync_v2_args *args)
{
	struct pl_quota *quota = &serve->session->quota;
	uint64_t held = args->token ? args->size : pl_cuda_copy_held(args->size);

	if (!pl_quota_charge(quota, PL_QUOTA_INFLIGHT, held))
		pl_cuda_result(serve, CUDA_ERROR_OUT_OF_MEMORY, args->stream);
	else if (!to_client_any(serve, args))
		pl_quota_return(quota, PL_QUOTA_INFLIGHT, held);
}
