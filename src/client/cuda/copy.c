/* Copies between the program's memory and the device's, and between addresses of the device. */
#include <string.h>

#include "base/cleanup.h"
#include "client/cuda/awaited.h"
#include "client/cuda/carry.h"
#include "client/cuda/copy-shape.h"
#include "client/cuda/echo.h"
#include "client/cuda/graph.h"
#include "client/cuda/hostfn.h"
#include "client/cuda/later.h"
#include "client/cuda/memory.h"
#include "client/cuda/mirrored.h"
#include "client/cuda/reach.h"
#include "client/cuda/ring.h"

#define INLINE_BYTES     4096u /* what comes in a reply itself */
#define PASS_EVERY_BYTES (4u << 20)
#define PLACED_BYTES_MIN (64u << 10)
#define RING_POSTED_MAX  (64u << 20) /* what a stream is held for lies in the server's memory meanwhile */

/*
 * Whoever posts much and asks little waits now and then, so that the same few extents are used again while they are
 * warm: a new page costs more than a wait.
 */
static _Atomic uint64_t posted_bytes; /* since the last call that was waited for */

/* Every call up to this one has taken what was sent with it. */
static void passed(struct pl_session *session, uint64_t ticket)
{
	if (!session->shares_memory)
		return;
	atomic_store(&posted_bytes, 0);
	pl_arena_passed(&session->arena, ticket);
}

/* An answer that came in between, to whatever was asked, says as much. */
static bool must_wait(struct pl_session *session, uint64_t bytes)
{
	static __thread uint64_t seen __attribute__((tls_model("initial-exec")));
	uint64_t answered;

	if (!session->shares_memory || bytes <= PL_WIRE_INLINE_MAX)
		return false;
	answered = pl_session_answered(session);
	if (answered > seen) {
		seen = answered;
		passed(session, answered);
	}
	return atomic_fetch_add(&posted_bytes, bytes) + bytes >= PASS_EVERY_BYTES;
}

static CUresult device_to_device(enum pl_cuda_op op, bool per_thread, CUdeviceptr dst, CUdeviceptr src, size_t bytes,
				 CUstream stream);

/* One end is the program's memory, which a device reaches: behind a copy that waits the program may use it as it likes.
 * It is this thread that waits, and not the server for a post. */
static CUresult reached_copy(bool waits, bool per_thread, CUdeviceptr dst, CUdeviceptr src, size_t bytes,
			     CUstream stream)
{
	enum pl_cuda_op op = waits && !pl_cuda_captures_none() ? PL_CUDA_OP_cuMemcpy : PL_CUDA_OP_cuMemcpyAsync;
	CUresult result = device_to_device(op, per_thread, dst, src, bytes, stream);

	if (result || !waits)
		return result;
	return per_thread ? cuStreamSynchronize_ptsz(NULL) : cuStreamSynchronize(NULL);
}

/* As well, pinned memory that is shared; all else is carried when the graph comes to it. */
static CUresult captured_copy(struct pl_session *session, bool per_thread, bool to_host, CUdeviceptr device, void *host,
			      size_t bytes, CUstream stream)
{
	CUdeviceptr there = pl_cuda_reached_at(session, host);

	if (!there || pl_cuda_reached_at(session, (uint8_t *)host + bytes - 1) != there + bytes - 1)
		return pl_cuda_copy_captured(stream, per_thread, to_host, device, host, bytes);
	return to_host ? reached_copy(false, per_thread, there, device, bytes, stream)
		       : reached_copy(false, per_thread, device, there, bytes, stream);
}

/* ---- to the device: the data is the call's, so the program may go on ---- */

static CUresult to_send(struct pl_session *session, enum pl_cuda_op op, struct pl_cuda_cuMemcpyHtoDAsync_v2_args *args,
			const void *src, bool plain)
{
	struct pl_reply reply = { 0 };
	struct pl_call call;
	int r = pl_bulk_prepare(session, &args->data, src, args->size);

	if (r)
		return pl_cuda_fault(r);
	r = pl_call_begin(&call, session, (uint16_t)op, pl_cuda_cuMemcpyHtoDAsync_v2_bytes(args));
	if (!r) {
		pl_cuda_cuMemcpyHtoDAsync_v2_put(&call.enc, args);
		r = plain ? pl_call_post(&call) : pl_call_ask(&call, &reply);
	}
	pl_bulk_done(session, &args->data);
	if (!r && !plain)
		passed(session, call.ticket);
	return pl_cuda_answer(r, &reply);
}

/* The server receives it right into the device's memory, when the call has come there.  The stream is at work as long
 * as it travels, so not from afar. */
static bool is_placed(struct pl_session *session, uint64_t to, uint64_t bytes)
{
	struct pl_cuda_memory memory;

	return !session->shares_memory && bytes >= PLACED_BYTES_MIN && !pl_cuda_block_is_chosen() &&
	       pl_session_places(session) && pl_session_is_idle(session) && pl_cuda_captures_none() &&
	       pl_cuda_memory_find(to, &memory) && memory.kind == PL_CUDA_MEMORY_DEVICE &&
	       bytes <= memory.bytes - (to - memory.address);
}

static CUresult to_send_placed(struct pl_session *session, enum pl_cuda_op op,
			       struct pl_cuda_cuMemcpyHtoDAsync_v2_args *args, const void *src, bool plain)
{
	struct pl_reply reply = { 0 };
	struct pl_call call;
	int r;

	args->data = (struct pl_bulk){ .kind = PL_BULK_AFTER, .bytes = args->size };
	r = pl_call_begin(&call, session, (uint16_t)op, pl_cuda_cuMemcpyHtoDAsync_v2_bytes(args));
	if (!r) {
		pl_cuda_cuMemcpyHtoDAsync_v2_put(&call.enc, args);
		r = plain ? pl_call_post_after(&call, src, args->size)
			  : pl_call_ask_after(&call, src, args->size, &reply);
	}
	return pl_cuda_answer(r, &reply);
}

static CUresult to_blocks(struct pl_session *session, enum pl_cuda_op op,
			  struct pl_cuda_cuMemcpyHtoDAsync_v2_args *args, const uint8_t *src, bool plain)
{
	uint64_t dst = args->to, bytes = args->size, block = pl_cuda_block_bytes(session, true);
	CUresult result = CUDA_SUCCESS;

	if (!pl_cuda_memory_is_device(dst, bytes) && !pl_cuda_block_is_chosen())
		block = PL_CUDA_BLOCK_BYTES; /* one that is refused is to be so before any of it is made */
	for (uint64_t at = 0; at < bytes && !result; at += args->size) {
		args->to = dst + at;
		args->size = bytes - at < block ? bytes - at : block;
		result = to_send(session, op, args, src + at, plain && !must_wait(session, args->size));
	}
	return result;
}

/* Host memory that both sides have: nothing is copied here, so who may write to it next has to wait. */
static CUresult to_send_shared(struct pl_session *session, enum pl_cuda_op op,
			       struct pl_cuda_cuMemcpyHtoDAsync_v2_args *args, const void *src, uint64_t store,
			       bool plain)
{
	struct pl_reply reply = { 0 };
	struct pl_call call;
	int r;

	args->data = (struct pl_bulk){ .kind = PL_BULK_ARENA, .offset = store, .data = src, .bytes = args->size };
	plain &= op == PL_CUDA_OP_cuMemcpyHtoDAsync_v2;
	r = pl_call_begin(&call, session, (uint16_t)op, pl_cuda_cuMemcpyHtoDAsync_v2_bytes(args));
	if (!r) {
		pl_cuda_cuMemcpyHtoDAsync_v2_put(&call.enc, args);
		r = plain ? pl_call_post(&call) : pl_call_ask(&call, &reply);
	}
	return pl_cuda_answer(r, &reply);
}

static CUresult to_send_ring(struct pl_session *session, enum pl_cuda_op op,
			     struct pl_cuda_cuMemcpyHtoDAsync_v2_args *args, const void *src,
			     struct pl_cuda_ring_own *own, bool plain)
{
	struct pl_reply reply = { 0 };
	struct pl_call call;
	int r;

	args->ring = pl_cuda_ring_name(own);
	args->start = own->index;
	r = pl_call_begin(&call, session, (uint16_t)op, pl_cuda_cuMemcpyHtoDAsync_v2_bytes(args));
	if (!r) {
		pl_cuda_cuMemcpyHtoDAsync_v2_put(&call.enc, args);
		r = plain ? pl_call_post(&call) : pl_call_ask_send(&call);
	}
	if (!r)
		r = pl_cuda_ring_fill(session, own, src, args->size);
	if (!r && !plain)
		r = pl_call_ask_wait(&call, &reply);
	pl_cuda_ring_give(own); /* a copy that is asked for has no turn: another one's blocks would be in its way */
	return pl_cuda_answer(r, &reply);
}

static enum pl_cuda_direct_how direct_how(bool waits, uint64_t store)
{
	if (waits)
		return PL_CUDA_DIRECT_WAITS;
	return store == PL_ARENA_NONE ? PL_CUDA_DIRECT_PAGEABLE : PL_CUDA_DIRECT_PINNED;
}

/* Pinned memory is read when the stream comes to the copy: the program, or a copy, may write there yet.  Over links
 * that share memory the device does so. */
static bool is_read_later(struct pl_session *session, const void *src, uint64_t bytes)
{
	struct pl_cuda_memory memory;

	return !session->shares_memory &&
	       (pl_cuda_is_awaited(session, src, bytes) || pl_cuda_later_comes((uintptr_t)src, bytes)) &&
	       pl_cuda_memory_find((uintptr_t)src, &memory) && pl_cuda_memory_is_pinned(&memory) &&
	       bytes <= memory.bytes - ((uintptr_t)src - memory.address);
}

/* Nobody has to wait for it.  A copy that natively waits for something of the program's, which comes with another call,
 * is waited for by its own thread alone, and not by the server. */
static bool is_posted(struct pl_session *session, enum pl_cuda_op op, CUdeviceptr dst, const void *src, uint64_t bytes)
{
	return pl_cuda_captures_none() && pl_cuda_memory_is_device(dst, bytes) && !pl_cuda_carries() &&
	       !(op == PL_CUDA_OP_cuMemcpyHtoD_v2 &&
		 (pl_cuda_is_awaited(session, src, bytes) || pl_cuda_threads_go_on(session)));
}

static CUresult to_device(enum pl_cuda_op op, bool per_thread, CUdeviceptr dst, const void *src, size_t bytes,
			  CUstream stream)
{
	struct pl_cuda_cuMemcpyHtoDAsync_v2_args args = { .to = dst, .size = bytes, .per_thread = per_thread };
	struct pl_session *session;
	struct pl_cuda_ring_own ring;
	pl_cleanup(pl_cuda_plain_done) struct pl_cuda_plain_use use;
	CUresult result = pl_cuda_enter(op, &session);
	CUdeviceptr from = (uintptr_t)src;
	uint64_t store;
	bool plain;

	pl_cuda_reach(dst);
	pl_cuda_plain_use(&use, src, NULL);
	if (result)
		return result;
	if (pl_cuda_mirrored_holds(src) || pl_echo_find(src, bytes, &from))
		return reached_copy(op == PL_CUDA_OP_cuMemcpyHtoD_v2, per_thread, dst, from, bytes, stream);
	if (pl_cuda_is_elsewhere(dst))
		return pl_cuda_copy_to_apart(op == PL_CUDA_OP_cuMemcpyHtoD_v2, per_thread, dst, src, bytes, stream);
	args.stream = pl_cuda_id(session, PL_CUDA_KIND_stream, stream);
	if (stream && !args.stream)
		return CUDA_ERROR_INVALID_HANDLE;
	if (!bytes)
		return CUDA_SUCCESS;
	if (!src)
		return CUDA_ERROR_INVALID_VALUE;
	if (op == PL_CUDA_OP_cuMemcpyHtoDAsync_v2 && pl_cuda_is_captured(stream, per_thread))
		return captured_copy(session, per_thread, false, dst, (void *)(uintptr_t)src, bytes, stream);
	if (is_read_later(session, src, bytes)) {
		uint64_t done = 0;

		if (op == PL_CUDA_OP_cuMemcpyHtoDAsync_v2)
			result = pl_cuda_copy_later(session, args.stream, per_thread, dst, src, bytes, &done);
		if (done == bytes ||
		    (result && result != CUDA_ERROR_NOT_SUPPORTED && result != CUDA_ERROR_OUT_OF_MEMORY))
			return result;
		/* For a word of the program's it would wait for ever. */
		result = CUDA_SUCCESS;
		if (op == PL_CUDA_OP_cuMemcpyHtoD_v2 || pl_cuda_hostfns_are_due() ||
		    pl_cuda_later_comes((uintptr_t)src, bytes))
			result = pl_cuda_later_wait(per_thread, stream);
		if (result)
			return result;
		args.to = dst += done;
		src = (const uint8_t *)src + done;
		args.size = bytes -= done;
	}
	store = pl_cuda_memory_store(session, src, bytes);
	if (pl_cuda_direct_copy(session, direct_how(op == PL_CUDA_OP_cuMemcpyHtoD_v2, store), per_thread, dst,
				(void *)(uintptr_t)src, bytes, false, &result))
		return result;
	plain = is_posted(session, op, dst, src, bytes);
	if (store != PL_ARENA_NONE)
		return to_send_shared(session, op, &args, src, store, plain);
	if (bytes >= PL_CUDA_RING_COPY_MIN && !pl_cuda_block_is_chosen() &&
	    pl_cuda_ring_take(session, op == PL_CUDA_OP_cuMemcpyHtoD_v2, bytes, &ring))
		return to_send_ring(session, op, &args, src, &ring,
				    plain && (bytes <= RING_POSTED_MAX || pl_session_is_idle(session)));
	if (is_placed(session, dst, bytes))
		return to_send_placed(session, op, &args, src, plain);
	return to_blocks(session, op, &args, src, plain);
}

CUresult cuMemcpyHtoD_v2(CUdeviceptr dst, const void *src, size_t bytes)
{
	return to_device(PL_CUDA_OP_cuMemcpyHtoD_v2, false, dst, src, bytes, NULL);
}

CUresult cuMemcpyHtoD_v2_ptds(CUdeviceptr dst, const void *src, size_t bytes)
{
	return to_device(PL_CUDA_OP_cuMemcpyHtoD_v2, true, dst, src, bytes, NULL);
}

CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr dst, const void *src, size_t bytes, CUstream stream)
{
	return to_device(PL_CUDA_OP_cuMemcpyHtoDAsync_v2, false, dst, src, bytes, stream);
}

CUresult cuMemcpyHtoDAsync_v2_ptsz(CUdeviceptr dst, const void *src, size_t bytes, CUstream stream)
{
	return to_device(PL_CUDA_OP_cuMemcpyHtoDAsync_v2, true, dst, src, bytes, stream);
}

/* ---- from the device ---- */

static CUresult from_take(struct pl_session *session, struct pl_reply *reply, void *dst, uint64_t bytes)
{
	struct pl_cuda_cuMemcpyDtoHAsync_v2_reply got;
	int r;

	pl_cuda_cuMemcpyDtoHAsync_v2_reply_get(&reply->dec, &got);
	if (!pl_dec_whole(&reply->dec) || got.data.bytes != bytes)
		return CUDA_ERROR_UNKNOWN;
	(void)session;
	if (got.data.data) {
		memcpy(dst, got.data.data, bytes);
		return CUDA_SUCCESS;
	}
	r = pl_call_bulk(reply, dst, bytes);
	return r ? pl_cuda_fault(r) : CUDA_SUCCESS;
}

/* One piece on its way. */
struct fetch {
	struct pl_call call;
	uint64_t store, bytes; /* its extent, or PL_ARENA_NONE; 0 bytes: none is on its way */
	void *dst;
};

static CUresult fetch_send(struct pl_session *session, enum pl_cuda_op op,
			   struct pl_cuda_cuMemcpyDtoHAsync_v2_args *args, struct fetch *fetch)
{
	int r;

	args->store = PL_ARENA_NONE;
	if (session->shares_memory && args->size > INLINE_BYTES)
		args->store = pl_arena_alloc(&session->arena, args->size);
	fetch->store = args->store;
	r = pl_call_begin(&fetch->call, session, (uint16_t)op, pl_cuda_cuMemcpyDtoHAsync_v2_bytes(args));
	if (!r) {
		pl_cuda_cuMemcpyDtoHAsync_v2_put(&fetch->call.enc, args);
		r = pl_call_ask_send(&fetch->call);
	}
	if (!r) {
		fetch->bytes = args->size;
		return CUDA_SUCCESS;
	}
	if (fetch->store != PL_ARENA_NONE)
		pl_arena_free(&session->arena, fetch->store, args->size, 0);
	return pl_cuda_fault(r);
}

static CUresult fetch_take(struct pl_session *session, struct fetch *fetch)
{
	struct pl_reply reply;
	int r = pl_call_ask_wait(&fetch->call, &reply);
	CUresult result = pl_cuda_answer(r, &reply);

	if (!result)
		result = from_take(session, &reply, fetch->dst, fetch->bytes);
	if (fetch->store != PL_ARENA_NONE)
		pl_arena_free(&session->arena, fetch->store, fetch->bytes, 0);
	if (!r)
		passed(session, fetch->call.ticket);
	fetch->bytes = 0;
	return result;
}

/* Piece by piece, the next one on its way while this one is taken; what was sent is taken after a failure too. */
static CUresult from_blocks(struct pl_session *session, enum pl_cuda_op op,
			    struct pl_cuda_cuMemcpyDtoHAsync_v2_args *args, uint8_t *dst, uint64_t bytes)
{
	uint64_t src = args->from, block = pl_cuda_block_bytes(session, false), at = 0;
	struct fetch fetch[2] = { { .bytes = 0 } };
	CUresult result = CUDA_SUCCESS, taken;

	for (unsigned i = 0; (at < bytes && !result) || fetch[i % 2].bytes; i++) {
		/* the first turn only sends */
		if (at < bytes && !result) {
			struct fetch *next = &fetch[(i + 1) % 2];

			args->from = src + at;
			args->size = bytes - at < block ? bytes - at : block;
			next->dst = dst + at;
			at += args->size;
			result = fetch_send(session, op, args, next);
		}
		if (fetch[i % 2].bytes) {
			taken = fetch_take(session, &fetch[i % 2]);
			result = result ? result : taken;
		}
	}
	return result;
}

/* In one call whose data comes to its place otherwise than in the reply. */
static CUresult from_ask(struct pl_session *session, enum pl_cuda_op op,
			 const struct pl_cuda_cuMemcpyDtoHAsync_v2_args *args, void *dst, struct pl_cuda_ring_own *ring)
{
	struct pl_reply reply;
	struct pl_call call;
	int r = pl_call_begin(&call, session, (uint16_t)op, pl_cuda_cuMemcpyDtoHAsync_v2_bytes(args));

	if (!r) {
		pl_cuda_cuMemcpyDtoHAsync_v2_put(&call.enc, args);
		r = pl_call_ask_send(&call);
	}
	if (!r && ring)
		r = pl_cuda_ring_empty(session, ring, dst, args->size);
	if (!r)
		r = pl_call_ask_wait(&call, &reply);
	if (!r)
		passed(session, call.ticket);
	return pl_cuda_answer(r, &reply);
}

/* Into host memory that both sides have. */
static CUresult from_shared(struct pl_session *session, enum pl_cuda_op op,
			    struct pl_cuda_cuMemcpyDtoHAsync_v2_args *args)
{
	args->wait = op == PL_CUDA_OP_cuMemcpyDtoH_v2 || !pl_cuda_memory_is_device(args->from, args->size);
	if (args->wait || !pl_cuda_captures_none())
		return from_ask(session, op, args, NULL, NULL);
	return PL_CUDA_POST(session, cuMemcpyDtoHAsync_v2, args);
}

static CUresult from_ring(struct pl_session *session, enum pl_cuda_op op,
			  struct pl_cuda_cuMemcpyDtoHAsync_v2_args *args, void *dst, struct pl_cuda_ring_own *ring)
{
	CUresult result;

	args->ring = pl_cuda_ring_name(ring);
	args->start = ring->index;
	result = from_ask(session, op, args, dst, ring);
	pl_cuda_ring_give(ring);
	return result;
}

/* Whether the program may go on meanwhile: its memory is pinned, so the API says that the copy is made later. */
static bool may_come_later(struct pl_session *session, const void *dst,
			   const struct pl_cuda_cuMemcpyDtoHAsync_v2_args *args)
{
	struct pl_cuda_memory memory;

	return !session->shares_memory && args->size <= PL_CUDA_LATER_BYTES_MAX && pl_cuda_captures_none() &&
	       !(pl_session_is_idle(session) && args->size <= INLINE_BYTES) &&
	       pl_cuda_memory_find((uintptr_t)dst, &memory) && pl_cuda_memory_is_pinned(&memory) &&
	       args->size <= memory.bytes - ((uintptr_t)dst - memory.address) &&
	       pl_cuda_memory_is_device(args->from, args->size);
}

static CUresult from_later(struct pl_session *session, struct pl_cuda_cuMemcpyDtoHAsync_v2_args *args)
{
	CUresult result;

	args->wait = 0;
	result = PL_CUDA_POST(session, cuMemcpyDtoHAsync_v2, args);
	if (result)
		pl_cuda_later_cancel(args->token);
	return result;
}

/* As well, but where nothing is under way the bytes may come with the answer: nobody has to wake for them. */
static CUresult from_now_or_later(struct pl_session *session, struct pl_cuda_cuMemcpyDtoHAsync_v2_args *args, void *dst)
{
	struct pl_cuda_cuMemcpyDtoHAsync_v2_reply got;
	struct pl_reply reply;
	struct pl_call call;
	CUresult result;
	int r;

	args->wait = 0;
	r = pl_call_begin(&call, session, (uint16_t)PL_CUDA_OP_cuMemcpyDtoHAsync_v2,
			  pl_cuda_cuMemcpyDtoHAsync_v2_bytes(args));
	if (!r) {
		pl_cuda_cuMemcpyDtoHAsync_v2_put(&call.enc, args);
		r = pl_call_ask(&call, &reply);
	}
	result = pl_cuda_answer(r, &reply);
	if (!result) {
		pl_cuda_cuMemcpyDtoHAsync_v2_reply_get(&reply.dec, &got);
		if (!pl_dec_whole(&reply.dec) || (got.data.bytes && got.data.bytes != args->size))
			result = CUDA_ERROR_UNKNOWN;
		else if (!got.data.bytes)
			return CUDA_SUCCESS;
	}
	if (!result) {
		r = pl_call_bulk(&reply, dst, args->size);
		result = r ? pl_cuda_fault(r) : CUDA_SUCCESS;
	}
	pl_cuda_later_cancel(args->token);
	return result;
}

static CUresult from_device_made(enum pl_cuda_op op, bool per_thread, void *dst, CUdeviceptr src, size_t bytes,
				 CUstream stream)
{
	struct pl_cuda_cuMemcpyDtoHAsync_v2_args args = {
		.from = src, .size = bytes, .per_thread = per_thread, .wait = 1, .store = PL_ARENA_NONE
	};
	struct pl_cuda_memory memory;
	struct pl_cuda_ring_own ring;
	struct pl_session *session;
	pl_cleanup(pl_cuda_plain_done) struct pl_cuda_plain_use use;
	CUresult result = pl_cuda_enter(op, &session);
	CUdeviceptr to;

	pl_cuda_reach(src);
	pl_cuda_plain_use(&use, dst, NULL);
	if (result)
		return result;
	if (pl_cuda_mirrored_holds(dst))
		to = (uintptr_t)dst;
	else if (!pl_echo_find(dst, bytes, &to))
		to = 0;
	if (to)
		return reached_copy(op == PL_CUDA_OP_cuMemcpyDtoH_v2, per_thread, to, src, bytes, stream);
	if (pl_cuda_is_elsewhere(src))
		return pl_cuda_copy_from_apart(op == PL_CUDA_OP_cuMemcpyDtoH_v2, per_thread, dst, src, bytes, stream);
	args.stream = pl_cuda_id(session, PL_CUDA_KIND_stream, stream);
	if (stream && !args.stream)
		return CUDA_ERROR_INVALID_HANDLE;
	if (!bytes)
		return CUDA_SUCCESS;
	if (!dst)
		return CUDA_ERROR_INVALID_VALUE;
	if (op == PL_CUDA_OP_cuMemcpyDtoHAsync_v2 && pl_cuda_is_captured(stream, per_thread))
		return captured_copy(session, per_thread, true, src, dst, bytes, stream);
	if (!pl_cuda_memory_find(src, &memory))
		pl_cuda_lease_touch(src);
	args.store = pl_cuda_memory_store(session, dst, bytes);
	if (pl_cuda_direct_copy(session, direct_how(op == PL_CUDA_OP_cuMemcpyDtoH_v2, args.store), per_thread, src, dst,
				bytes, true, &result))
		return result;
	if (args.store != PL_ARENA_NONE)
		return from_shared(session, op, &args);
	if (op == PL_CUDA_OP_cuMemcpyDtoHAsync_v2 && may_come_later(session, dst, &args))
		args.token = pl_cuda_later_enter(session, dst, bytes);
	if (args.token)
		return pl_session_is_idle(session) && pl_session_places(session)
			       ? from_now_or_later(session, &args, dst)
			       : from_later(session, &args);
	if (bytes >= PL_CUDA_RING_COPY_MIN && !pl_cuda_block_is_chosen() &&
	    pl_cuda_ring_take(session, true, bytes, &ring))
		return from_ring(session, op, &args, dst, &ring);
	return from_blocks(session, op, &args, dst, bytes);
}

static CUresult from_device(enum pl_cuda_op op, bool per_thread, void *dst, CUdeviceptr src, size_t bytes,
			    CUstream stream)
{
	CUresult result = from_device_made(op, per_thread, dst, src, bytes, stream);

	return op == PL_CUDA_OP_cuMemcpyDtoH_v2 ? pl_cuda_waited(result) : result;
}

CUresult cuMemcpyDtoH_v2(void *dst, CUdeviceptr src, size_t bytes)
{
	return from_device(PL_CUDA_OP_cuMemcpyDtoH_v2, false, dst, src, bytes, NULL);
}

CUresult cuMemcpyDtoH_v2_ptds(void *dst, CUdeviceptr src, size_t bytes)
{
	return from_device(PL_CUDA_OP_cuMemcpyDtoH_v2, true, dst, src, bytes, NULL);
}

CUresult cuMemcpyDtoHAsync_v2(void *dst, CUdeviceptr src, size_t bytes, CUstream stream)
{
	return from_device(PL_CUDA_OP_cuMemcpyDtoHAsync_v2, false, dst, src, bytes, stream);
}

CUresult cuMemcpyDtoHAsync_v2_ptsz(void *dst, CUdeviceptr src, size_t bytes, CUstream stream)
{
	return from_device(PL_CUDA_OP_cuMemcpyDtoHAsync_v2, true, dst, src, bytes, stream);
}

/* ---- any address ---- */

static CUresult device_to_device(enum pl_cuda_op op, bool per_thread, CUdeviceptr dst, CUdeviceptr src, size_t bytes,
				 CUstream stream)
{
	struct pl_cuda_cuMemcpyAsync_args args = { .to = dst, .from = src, .size = bytes, .per_thread = per_thread };
	struct pl_session *session;
	struct pl_reply reply;
	struct pl_call call;
	CUresult result = pl_cuda_enter(op, &session);
	bool plain;
	int r;

	if (result)
		return result;
	args.stream = pl_cuda_id(session, PL_CUDA_KIND_stream, stream);
	if (stream && !args.stream)
		return CUDA_ERROR_INVALID_HANDLE;
	plain = pl_cuda_captures_none() && pl_cuda_memory_is_device(dst, bytes) && pl_cuda_memory_is_device(src, bytes);
	r = pl_call_begin(&call, session, (uint16_t)op, pl_cuda_cuMemcpyAsync_bytes(&args));
	if (!r) {
		pl_cuda_cuMemcpyAsync_put(&call.enc, &args);
		r = plain ? pl_call_post(&call) : pl_call_ask(&call, &reply);
	}
	if (r)
		return pl_cuda_fault(r);
	return plain ? CUDA_SUCCESS : (CUresult)reply.status;
}

/* From and to the program's own memory: when all before it in the stream has ended. */
static CUresult host_to_host(bool waits, bool per_thread, CUdeviceptr dst, CUdeviceptr src, size_t bytes,
			     CUstream stream)
{
	const struct pl_cuda_lines to = { (uint8_t *)(uintptr_t)dst, bytes, 1, 1, bytes, bytes };
	const struct pl_cuda_lines from = { (uint8_t *)(uintptr_t)src, bytes, 1, 1, bytes, bytes };
	CUresult result;

	if (!waits && bytes && pl_cuda_is_captured(stream, per_thread))
		return pl_cuda_lines_captured(stream, per_thread, &to, &from);
	result = per_thread ? cuStreamSynchronize_ptsz(stream) : cuStreamSynchronize(stream);
	if (!result)
		memmove((void *)(uintptr_t)dst, (const void *)(uintptr_t)src, bytes);
	return result;
}

static CUresult copy(bool waits, bool per_thread, CUdeviceptr dst, CUdeviceptr src, size_t bytes, CUstream stream)
{
	bool to = pl_cuda_memory_on_device(dst), from = pl_cuda_memory_on_device(src);

	if (to && from && (pl_cuda_is_elsewhere(dst) || pl_cuda_is_elsewhere(src)))
		return pl_cuda_copy_between(pl_cuda_order_of(waits, per_thread), per_thread, dst, src, bytes, stream);
	if (to && from &&
	    (pl_cuda_mirrored_holds((const void *)(uintptr_t)dst) ||
	     pl_cuda_mirrored_holds((const void *)(uintptr_t)src)))
		return reached_copy(waits, per_thread, dst, src, bytes, stream);
	if (to && from)
		return device_to_device(waits ? PL_CUDA_OP_cuMemcpy : PL_CUDA_OP_cuMemcpyAsync, per_thread, dst, src,
					bytes, stream);
	if (to)
		return to_device(waits ? PL_CUDA_OP_cuMemcpyHtoD_v2 : PL_CUDA_OP_cuMemcpyHtoDAsync_v2, per_thread, dst,
				 (const void *)(uintptr_t)src, bytes, stream);
	if (from)
		return from_device(waits ? PL_CUDA_OP_cuMemcpyDtoH_v2 : PL_CUDA_OP_cuMemcpyDtoHAsync_v2, per_thread,
				   (void *)(uintptr_t)dst, src, bytes, stream);
	return host_to_host(waits, per_thread, dst, src, bytes, stream);
}

CUresult cuMemcpy(CUdeviceptr dst, CUdeviceptr src, size_t bytes)
{
	return copy(true, false, dst, src, bytes, NULL);
}

CUresult cuMemcpy_ptds(CUdeviceptr dst, CUdeviceptr src, size_t bytes)
{
	return copy(true, true, dst, src, bytes, NULL);
}

CUresult cuMemcpyAsync(CUdeviceptr dst, CUdeviceptr src, size_t bytes, CUstream stream)
{
	return copy(false, false, dst, src, bytes, stream);
}

CUresult cuMemcpyAsync_ptsz(CUdeviceptr dst, CUdeviceptr src, size_t bytes, CUstream stream)
{
	return copy(false, true, dst, src, bytes, stream);
}
