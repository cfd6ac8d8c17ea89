/* Copies between the program's memory and the device's, and between addresses of the device. */
#include <string.h>

#include "client/cuda/memory.h"

#define INLINE_BYTES 4096u /* what comes in a reply itself */

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
		if (!r && !plain)
			pl_arena_passed(&session->arena, call.ticket);
	}
	pl_bulk_done(session, &args->data);
	return r ? pl_cuda_fault(r) : (CUresult)reply.status;
}

/* Whoever posts much and asks little lets the server catch up now and then: extents come back then. */
#define PASS_EVERY_BYTES (64u << 20)

static bool must_pass(struct pl_session *session, uint64_t bytes)
{
	static _Atomic uint64_t since;

	if (!session->shares_memory || atomic_fetch_add(&since, bytes) + bytes < PASS_EVERY_BYTES)
		return false;
	atomic_store(&since, 0);
	return true;
}

static CUresult to_device(enum pl_cuda_op op, bool per_thread, CUdeviceptr dst, const void *src, size_t bytes,
			  CUstream stream)
{
	struct pl_cuda_cuMemcpyHtoDAsync_v2_args args = { .to = dst, .size = bytes, .per_thread = per_thread };
	struct pl_session *session;
	CUresult result = pl_cuda_enter(op, &session);
	bool plain;

	if (result)
		return result;
	args.stream = pl_cuda_id(session, PL_CUDA_KIND_stream, stream);
	if (stream && !args.stream)
		return CUDA_ERROR_INVALID_HANDLE;
	if (!bytes)
		return CUDA_SUCCESS;
	if (!src)
		return CUDA_ERROR_INVALID_VALUE;
	plain = pl_cuda_memory_is_device(dst, bytes) && !must_pass(session, bytes);
	return to_send(session, op, &args, src, plain);
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

static CUresult from_device(enum pl_cuda_op op, bool per_thread, void *dst, CUdeviceptr src, size_t bytes,
			    CUstream stream)
{
	struct pl_cuda_cuMemcpyDtoHAsync_v2_args args = {
		.from = src, .size = bytes, .per_thread = per_thread, .wait = 1, .store = PL_ARENA_NONE
	};
	struct pl_session *session;
	struct pl_reply reply;
	struct pl_call call;
	CUresult result = pl_cuda_enter(op, &session);
	int r;

	if (result)
		return result;
	args.stream = pl_cuda_id(session, PL_CUDA_KIND_stream, stream);
	if (stream && !args.stream)
		return CUDA_ERROR_INVALID_HANDLE;
	if (!bytes)
		return CUDA_SUCCESS;
	if (!dst)
		return CUDA_ERROR_INVALID_VALUE;
	if (session->shares_memory && bytes > INLINE_BYTES)
		args.store = pl_arena_alloc(&session->arena, bytes);
	r = pl_call_begin(&call, session, (uint16_t)op, pl_cuda_cuMemcpyDtoHAsync_v2_bytes(&args));
	if (!r) {
		pl_cuda_cuMemcpyDtoHAsync_v2_put(&call.enc, &args);
		r = pl_call_ask(&call, &reply);
	}
	result = r ? pl_cuda_fault(r) : (CUresult)reply.status;
	if (!result)
		result = from_take(session, &reply, dst, bytes);
	if (args.store != PL_ARENA_NONE)
		pl_arena_free(&session->arena, args.store, bytes, 0);
	if (!r && session->shares_memory)
		pl_arena_passed(&session->arena, call.ticket);
	return result;
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
	plain = pl_cuda_memory_is_device(dst, bytes) && pl_cuda_memory_is_device(src, bytes);
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
static CUresult host_to_host(bool per_thread, CUdeviceptr dst, CUdeviceptr src, size_t bytes, CUstream stream)
{
	CUresult result = per_thread ? cuStreamSynchronize_ptsz(stream) : cuStreamSynchronize(stream);

	if (!result)
		memmove((void *)(uintptr_t)dst, (const void *)(uintptr_t)src, bytes);
	return result;
}

static CUresult copy(bool waits, bool per_thread, CUdeviceptr dst, CUdeviceptr src, size_t bytes, CUstream stream)
{
	bool to = pl_cuda_memory_on_device(dst), from = pl_cuda_memory_on_device(src);

	if (to && from)
		return device_to_device(waits ? PL_CUDA_OP_cuMemcpy : PL_CUDA_OP_cuMemcpyAsync, per_thread, dst, src,
					bytes, stream);
	if (to)
		return to_device(waits ? PL_CUDA_OP_cuMemcpyHtoD_v2 : PL_CUDA_OP_cuMemcpyHtoDAsync_v2, per_thread, dst,
				 (const void *)(uintptr_t)src, bytes, stream);
	if (from)
		return from_device(waits ? PL_CUDA_OP_cuMemcpyDtoH_v2 : PL_CUDA_OP_cuMemcpyDtoHAsync_v2, per_thread,
				   (void *)(uintptr_t)dst, src, bytes, stream);
	return host_to_host(per_thread, dst, src, bytes, stream);
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
