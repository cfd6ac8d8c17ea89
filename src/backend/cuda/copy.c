/*
 * Copies between the client's memory and the device's.  Data that comes with a call lies in memory of ours, which is
 * pageable: the driver has taken it when its call returns, also of copies that go on in a stream.
 */
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/copy.h"
#include "backend/cuda/place.h"
#include "backend/cuda/stage.h"
#include "backend/cuda/own.h"
#include "base/err.h"
#include "base/wait.h"

#define INLINE_BYTES 4096u
#define BLOCK_BYTES  (1u << 20) /* what is on the way to the client while the device makes the next */

/* What a copy that goes block by block has of its bytes in memory of ours. */
static uint64_t at_a_time(uint64_t bytes)
{
	return bytes < BLOCK_BYTES ? bytes : BLOCK_BYTES;
}

bool pl_cuda_bulk_open(struct pl_serve *serve, const struct pl_bulk *bulk, const void **data_out, void **own_out)
{
	*data_out = bulk->data;
	*own_out = NULL;
	if (bulk->data || !bulk->bytes)
		return true;
	*own_out = malloc(bulk->bytes);
	*data_out = *own_out;
	return *own_out && !pl_serve_take_bulk(serve, *own_out, bulk->bytes);
}

bool pl_cuda_bulk_leave(const struct pl_bulk *bulk, const void **data, void **own)
{
	if (bulk->kind != PL_BULK_INLINE || !bulk->bytes)
		return true;
	*own = malloc(bulk->bytes);
	if (*own)
		memcpy(*own, *data, bulk->bytes);
	*data = *own;
	return *own;
}

void pl_cuda_bulk_end(struct pl_serve *serve, const struct pl_bulk *bulk, void *own, bool stays)
{
	if (!stays || bulk->kind == PL_BULK_ARENA) { /* that is the client's, whatever it does with it */
		free(own);
		return;
	}
	if (bulk->kind == PL_BULK_STREAM)
		(void)pl_serve_steal_stream(serve);
	pl_cuda_passing_stays(serve, bulk->bytes);
}

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

/* ---- data in blocks, through a ring that the client has set aside ---- */

struct ring_wait {
	struct pl_cuda_ring *ring;
	uint32_t block; /* bytes of one */
	uint32_t count; /* what is waited for */
};

static bool ring_has_made(void *arg)
{
	const struct ring_wait *wait = arg;

	return (int32_t)(atomic_load_explicit(&wait->ring->made, memory_order_acquire) - wait->count) >= 0;
}

static bool ring_has_taken(void *arg)
{
	const struct ring_wait *wait = arg;

	return (int32_t)(atomic_load_explicit(&wait->ring->taken, memory_order_acquire) - wait->count) >= 0;
}

/* A device that has its own memory copies to and from pinned memory itself: the driver does not copy, too.  Only of a
 * ring for copies that have ended when they return.  What is pinned ends with the session; where it can not be pinned
 * it is copied. */
static void ring_pin(struct pl_serve *serve, uint64_t at)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	uint64_t none = 0;

	if (session->host->memory_back || !pl_cuda.cuMemHostRegister_v2 || !at)
		return;
	for (uint32_t i = 0; i < PL_CUDA_RINGS_PINNED_MAX; i++) {
		uint64_t known = atomic_load_explicit(&session->rings[i], memory_order_relaxed);

		if (known == at)
			return;
		if (known)
			continue;
		if (!atomic_compare_exchange_strong(&session->rings[i], &none, at))
			return; /* another thread's: the next copy looks again */
		if (pl_cuda_own_register(serve->session->arena + at + PL_CUDA_RING_HEAD_BYTES,
					 PL_CUDA_RING_BYTES - PL_CUDA_RING_HEAD_BYTES, CU_MEMHOSTREGISTER_PORTABLE))
			pl_log_debug("session %llu: memory for copies is not pinned",
				     (unsigned long long)serve->session->id);
		return;
	}
}

/* Return: false: refused. */
static bool ring_find(struct pl_serve *serve, uint64_t name, bool waits, struct ring_wait *until)
{
	const struct pl_session_worker *worker = serve->session;
	uint64_t pages = (name - 1) % PL_CUDA_RING_PAGE_BYTES, at = name - 1 - pages;

	if (!worker->arena || !pages || pages * PL_CUDA_RING_PAGE_BYTES > PL_CUDA_RING_BLOCK_BYTES ||
	    worker->arena_bytes < PL_CUDA_RING_BYTES || at > worker->arena_bytes - PL_CUDA_RING_BYTES) {
		pl_serve_refuse(serve, CUDA_ERROR_INVALID_VALUE);
		return false;
	}
	until->ring = (struct pl_cuda_ring *)(worker->arena + at);
	until->block = (uint32_t)(pages * PL_CUDA_RING_PAGE_BYTES);
	if (waits)
		ring_pin(serve, at);
	return true;
}

static uint64_t block_of(const struct ring_wait *until, uint64_t left)
{
	return left < until->block ? left : until->block;
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
	struct ring_wait until = { .count = args->start };
	int32_t status = CUDA_SUCCESS;
	struct pl_cuda_ring *ring;
	struct pl_wait wait = { 0 };
	void *stream = NULL;

	if (!ring_find(serve, args->ring, serve->head->op == PL_CUDA_OP_cuMemcpyHtoD_v2, &until))
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
			status = block_to_device(serve, args, at, block, block_of(&until, args->size - at), stream,
						 &held);
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
	if (args->size > BLOCK_BYTES && !pl_cuda_address_known(args->to, args->size))
		*status = CUDA_ERROR_INVALID_VALUE; /* before any of it is made */
	for (uint64_t at = 0; at < args->size && !*status; at += part.size) {
		part.to = args->to + at;
		part.size = args->size - at < BLOCK_BYTES ? args->size - at : BLOCK_BYTES;
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

static void entered(struct pl_cuda_session *session)
{
	uint64_t next = atomic_load(&session->worker->turn.next), last = atomic_load(&session->entered);

	while (next > last && !atomic_compare_exchange_weak(&session->entered, &last, next))
		continue;
	atomic_fetch_sub(&session->entering, 1);
}

/* Others go on while an asked one comes, and nobody is told meanwhile that nothing is under way. */
void pl_cuda_serve_cuMemcpyHtoDAsync_v2(struct pl_serve *serve, const struct pl_cuda_cuMemcpyHtoDAsync_v2_args *args)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	uint64_t held = args->data.kind == PL_BULK_AFTER ? at_a_time(args->data.bytes) : args->data.bytes;

	if (!pl_quota_charge(&serve->session->quota, PL_QUOTA_INFLIGHT, held)) {
		pl_cuda_result(serve, CUDA_ERROR_OUT_OF_MEMORY, args->stream);
		return;
	}
	atomic_fetch_add(&session->entering, 1);
	to_device_any(serve, args);
	entered(session);
	pl_quota_return(&serve->session->quota, PL_QUOTA_INFLIGHT, held);
}

/* ---- to the client ---- */

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
	uint64_t size = fetch->args->size, first = size < BLOCK_BYTES ? size : BLOCK_BYTES;
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
			uint64_t part = size - at < BLOCK_BYTES ? size - at : BLOCK_BYTES;

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

/* Into a ring, block by block; the client takes them out meanwhile. */
static void fetch_ring(struct pl_serve *serve, struct fetch *fetch)
{
	const struct pl_cuda_cuMemcpyDtoHAsync_v2_args *args = fetch->args;
	struct ring_wait until = { .count = args->start - PL_CUDA_RING_BLOCKS };
	int32_t status = CUDA_SUCCESS;
	struct pl_cuda_ring *ring;
	struct pl_wait wait = { 0 };

	if (!ring_find(serve, args->ring, true, &until))
		return;
	ring = until.ring;
	for (uint64_t at = 0; at < args->size; at += until.block) {
		uint32_t index = until.count++ + PL_CUDA_RING_BLOCKS;

		pl_wait_until(&wait, &ring->taken_sleeper, ring_has_taken, &until, UINT64_MAX);
		if (!status)
			status = (int32_t)fetch_part(fetch, pl_cuda_ring_block(ring, index), at,
						     block_of(&until, args->size - at));
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
	uint64_t held = args->token ? args->size : at_a_time(args->size);

	if (!pl_quota_charge(quota, PL_QUOTA_INFLIGHT, held))
		pl_cuda_result(serve, CUDA_ERROR_OUT_OF_MEMORY, args->stream);
	else if (!to_client_any(serve, args))
		pl_quota_return(quota, PL_QUOTA_INFLIGHT, held);
}

/* ---- between addresses of the device; the client knows which are its own ---- */

void pl_cuda_serve_cuMemcpyAsync(struct pl_serve *serve, const struct pl_cuda_cuMemcpyAsync_args *args)
{
	bool waits = serve->head->op == PL_CUDA_OP_cuMemcpy;
	__typeof__(&cuMemcpy) now = args->per_thread ? pl_cuda.cuMemcpy_ptds : pl_cuda.cuMemcpy;
	__typeof__(&cuMemcpyAsync) later = args->per_thread ? pl_cuda.cuMemcpyAsync_ptsz : pl_cuda.cuMemcpyAsync;
	struct pl_cuda_cuMemcpyAsync_reply reply = { 0 };
	int32_t status;
	void *stream;

	if (args->data.bytes) {
		pl_serve_refuse(serve, CUDA_ERROR_INVALID_VALUE);
		return;
	}
	if (pl_cuda_take(serve, args->stream, PL_CUDA_KIND_stream, &stream, &status)) {
		status = CUDA_ERROR_NOT_SUPPORTED;
		if (!pl_cuda_address_known(args->to, args->size) || !pl_cuda_address_known(args->from, args->size))
			status = CUDA_ERROR_INVALID_VALUE;
		else if (waits ? now != NULL : later != NULL)
			status = (int32_t)(waits ? now(args->to, args->from, args->size)
						 : later(args->to, args->from, args->size, stream));
	}
	if (status || !serve->asked) {
		pl_cuda_result(serve, status, args->stream);
		return;
	}
	if (pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_cuMemcpyAsync_reply_bytes(&reply), 0))
		return;
	pl_cuda_cuMemcpyAsync_reply_put(&serve->reply_enc, &reply);
	(void)pl_serve_reply_end(serve);
}
