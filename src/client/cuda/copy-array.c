/* Copies between one dimension of an array and the program's memory. */
#include <string.h>

#include "base/cleanup.h"
#include "client/cuda/awaited.h"
#include "client/cuda/copy-shape.h"
#include "client/cuda/graph.h"
#include "client/cuda/later.h"
#include "client/cuda/reach.h"

#define INLINE_BYTES 4096u /* what comes in a reply itself */

static CUresult begin(enum pl_cuda_op op, CUarray array, CUstream stream, struct pl_session **session,
		      uint64_t *array_id, uint64_t *stream_id)
{
	CUresult result = pl_cuda_enter_of(op, PL_CUDA_KIND_array, array, session);

	if (result)
		return result;
	*stream_id = pl_cuda_id(*session, PL_CUDA_KIND_stream, stream);
	*array_id = pl_cuda_id(*session, PL_CUDA_KIND_array, array);
	return (stream && !*stream_id) || !*array_id ? CUDA_ERROR_INVALID_HANDLE : CUDA_SUCCESS;
}

/* The same as a copy of lines. */
static CUDA_MEMCPY2D line_of(CUarray array, size_t offset, const void *host, size_t bytes, bool to_array)
{
	if (to_array)
		return (CUDA_MEMCPY2D){ .srcMemoryType = CU_MEMORYTYPE_HOST,
					.srcHost = host,
					.dstMemoryType = CU_MEMORYTYPE_ARRAY,
					.dstArray = array,
					.dstXInBytes = offset,
					.WidthInBytes = bytes,
					.Height = 1 };
	return (CUDA_MEMCPY2D){ .srcMemoryType = CU_MEMORYTYPE_ARRAY,
				.srcArray = array,
				.srcXInBytes = offset,
				.dstMemoryType = CU_MEMORYTYPE_HOST,
				.dstHost = (void *)(uintptr_t)host,
				.WidthInBytes = bytes,
				.Height = 1 };
}

/* Of memory that a device reaches, or in a stream that is captured: as a copy of lines. */
static CUresult line_copy(bool waits, bool per_thread, const CUDA_MEMCPY2D *line, CUstream stream)
{
	if (waits)
		return per_thread ? cuMemcpy2D_v2_ptds(line) : cuMemcpy2D_v2(line);
	return per_thread ? cuMemcpy2DAsync_v2_ptsz(line, stream) : cuMemcpy2DAsync_v2(line, stream);
}

/* Asked, since the client does not know what the array holds. */
static CUresult to_send(enum pl_cuda_op op, struct pl_session *session, struct pl_cuda_cuMemcpyHtoAAsync_v2_args *args,
			const void *src)
{
	struct pl_reply reply;
	struct pl_call call;
	int r = pl_bulk_prepare(session, &args->data, src, args->size);

	if (r)
		return pl_cuda_fault(r);
	r = pl_call_begin(&call, session, (uint16_t)op, pl_cuda_cuMemcpyHtoAAsync_v2_bytes(args));
	if (!r) {
		pl_cuda_cuMemcpyHtoAAsync_v2_put(&call.enc, args);
		r = pl_call_ask(&call, &reply);
		if (!r && session->shares_memory)
			pl_arena_passed(&session->arena, call.ticket);
	}
	pl_bulk_done(session, &args->data);
	return pl_cuda_answer(r, &reply);
}

static CUresult to_array(enum pl_cuda_op op, bool per_thread, CUarray dst, size_t offset, const void *src, size_t bytes,
			 CUstream stream)
{
	struct pl_cuda_cuMemcpyHtoAAsync_v2_args args = { .offset = offset, .size = bytes, .per_thread = per_thread };
	const CUDA_MEMCPY2D line = line_of(dst, offset, src, bytes, true);
	const bool waits = op == PL_CUDA_OP_cuMemcpyHtoA_v2;
	pl_cleanup(pl_cuda_plain_done) struct pl_cuda_plain_use use = { .is_listed = false };
	struct pl_session *session;
	CUresult result = begin(op, dst, stream, &session, &args.array, &args.stream);

	if (result || !bytes)
		return result;
	if (!src || bytes > PL_CUDA_LIMIT_TRANSFER_MAX)
		return CUDA_ERROR_INVALID_VALUE;
	if (!waits && pl_cuda_is_captured(stream, per_thread))
		return line_copy(false, per_thread, &line, stream);
	pl_cuda_awaited_reach(src);
	pl_cuda_plain_use(&use, src, NULL);
	if (pl_cuda_reached_at(session, src))
		return line_copy(waits, per_thread, &line, stream);
	result = pl_cuda_later_ahead(src, bytes, per_thread, stream);
	return result ? result : to_send(op, session, &args, src);
}

static CUresult from_take(struct pl_reply *reply, void *dst, uint64_t bytes)
{
	struct pl_cuda_cuMemcpyAtoHAsync_v2_reply got;
	int r;

	pl_cuda_cuMemcpyAtoHAsync_v2_reply_get(&reply->dec, &got);
	if (!pl_dec_whole(&reply->dec) || got.data.bytes != bytes)
		return CUDA_ERROR_UNKNOWN;
	if (got.data.data) {
		memcpy(dst, got.data.data, bytes);
		return CUDA_SUCCESS;
	}
	r = pl_call_bulk(reply, dst, bytes);
	return r ? pl_cuda_fault(r) : CUDA_SUCCESS;
}

static CUresult from_ask(enum pl_cuda_op op, struct pl_session *session, struct pl_cuda_cuMemcpyAtoHAsync_v2_args *args,
			 void *dst)
{
	struct pl_reply reply;
	struct pl_call call;
	CUresult result;
	int r;

	if (session->shares_memory && args->size > INLINE_BYTES)
		args->store = pl_arena_alloc(&session->arena, args->size);
	r = pl_call_begin(&call, session, (uint16_t)op, pl_cuda_cuMemcpyAtoHAsync_v2_bytes(args));
	if (!r) {
		pl_cuda_cuMemcpyAtoHAsync_v2_put(&call.enc, args);
		r = pl_call_ask(&call, &reply);
	}
	result = pl_cuda_answer(r, &reply);
	if (!result)
		result = from_take(&reply, dst, args->size);
	if (args->store != PL_ARENA_NONE)
		pl_arena_free(&session->arena, args->store, args->size, 0);
	if (!r && session->shares_memory)
		pl_arena_passed(&session->arena, call.ticket);
	return result;
}

static CUresult from_array(enum pl_cuda_op op, bool per_thread, void *dst, CUarray src, size_t offset, size_t bytes,
			   CUstream stream)
{
	struct pl_cuda_cuMemcpyAtoHAsync_v2_args args = {
		.offset = offset, .size = bytes, .per_thread = per_thread, .wait = 1, .store = PL_ARENA_NONE
	};
	const CUDA_MEMCPY2D line = line_of(src, offset, dst, bytes, false);
	const bool waits = op == PL_CUDA_OP_cuMemcpyAtoH_v2;
	pl_cleanup(pl_cuda_plain_done) struct pl_cuda_plain_use use = { .is_listed = false };
	struct pl_session *session;
	CUresult result = begin(op, src, stream, &session, &args.array, &args.stream);

	if (result || !bytes)
		return result;
	if (!dst || bytes > PL_CUDA_LIMIT_TRANSFER_MAX)
		return CUDA_ERROR_INVALID_VALUE;
	if (!waits && pl_cuda_is_captured(stream, per_thread))
		return line_copy(false, per_thread, &line, stream);
	pl_cuda_plain_use(&use, dst, NULL);
	if (pl_cuda_reached_at(session, dst))
		return line_copy(waits, per_thread, &line, stream);
	return from_ask(op, session, &args, dst);
}

CUresult cuMemcpyHtoA_v2(CUarray dst, size_t offset, const void *src, size_t bytes)
{
	return to_array(PL_CUDA_OP_cuMemcpyHtoA_v2, false, dst, offset, src, bytes, NULL);
}

CUresult cuMemcpyHtoA_v2_ptds(CUarray dst, size_t offset, const void *src, size_t bytes)
{
	return to_array(PL_CUDA_OP_cuMemcpyHtoA_v2, true, dst, offset, src, bytes, NULL);
}

CUresult cuMemcpyHtoAAsync_v2(CUarray dst, size_t offset, const void *src, size_t bytes, CUstream stream)
{
	return to_array(PL_CUDA_OP_cuMemcpyHtoAAsync_v2, false, dst, offset, src, bytes, stream);
}

CUresult cuMemcpyHtoAAsync_v2_ptsz(CUarray dst, size_t offset, const void *src, size_t bytes, CUstream stream)
{
	return to_array(PL_CUDA_OP_cuMemcpyHtoAAsync_v2, true, dst, offset, src, bytes, stream);
}

CUresult cuMemcpyAtoH_v2(void *dst, CUarray src, size_t offset, size_t bytes)
{
	return from_array(PL_CUDA_OP_cuMemcpyAtoH_v2, false, dst, src, offset, bytes, NULL);
}

CUresult cuMemcpyAtoH_v2_ptds(void *dst, CUarray src, size_t offset, size_t bytes)
{
	return from_array(PL_CUDA_OP_cuMemcpyAtoH_v2, true, dst, src, offset, bytes, NULL);
}

CUresult cuMemcpyAtoHAsync_v2(void *dst, CUarray src, size_t offset, size_t bytes, CUstream stream)
{
	return from_array(PL_CUDA_OP_cuMemcpyAtoHAsync_v2, false, dst, src, offset, bytes, stream);
}

CUresult cuMemcpyAtoHAsync_v2_ptsz(void *dst, CUarray src, size_t offset, size_t bytes, CUstream stream)
{
	return from_array(PL_CUDA_OP_cuMemcpyAtoHAsync_v2, true, dst, src, offset, bytes, stream);
}
