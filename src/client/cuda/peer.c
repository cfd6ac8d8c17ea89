/* Two devices: what one reaches of the other, and copies between them. */
#include "client/cuda/reach.h"

/* ---- what is said of two ---- */

/* Return: success with *session_out; it is NULL where they are two servers'. */
static CUresult pair_enter(enum pl_cuda_op op, CUdevice device, CUdevice peer, struct pl_session **session_out)
{
	CUresult result = pl_cuda_enter_of(op, PL_CUDA_KIND_device, (const void *)(uintptr_t)device, session_out);

	if (result)
		return result;
	if (!pl_cuda_device(device) || !pl_cuda_device(peer))
		return CUDA_ERROR_INVALID_DEVICE;
	if (pl_cuda_device_session(device) != pl_cuda_device_session(peer))
		*session_out = NULL;
	return CUDA_SUCCESS;
}

static uint64_t device_id(const struct pl_session *session, CUdevice device)
{
	return pl_cuda_id(session, PL_CUDA_KIND_device, (const void *)(uintptr_t)device);
}

CUresult cuDeviceCanAccessPeer(int *can_access, CUdevice device, CUdevice peer)
{
	struct pl_cuda_cuDeviceCanAccessPeer_args args;
	struct pl_cuda_cuDeviceCanAccessPeer_reply got = { 0 };
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pair_enter(PL_CUDA_OP_cuDeviceCanAccessPeer, device, peer, &session);
	int r;

	if (result)
		return result;
	if (!can_access)
		return CUDA_ERROR_INVALID_VALUE;
	*can_access = 0;
	if (!session)
		return CUDA_SUCCESS;
	args.device = device_id(session, device);
	args.peer = device_id(session, peer);
	r = PL_CUDA_ASK(session, cuDeviceCanAccessPeer, &args, &reply);
	if (r || reply.status)
		return pl_cuda_answer(r, &reply);
	pl_cuda_cuDeviceCanAccessPeer_reply_get(&reply.dec, &got);
	*can_access = (int)got.can_access;
	return pl_dec_whole(&reply.dec) ? CUDA_SUCCESS : CUDA_ERROR_UNKNOWN;
}

CUresult cuDeviceGetP2PAttribute(int *value, CUdevice_P2PAttribute attribute, CUdevice src, CUdevice dst)
{
	struct pl_cuda_cuDeviceGetP2PAttribute_args args = { .attribute = attribute };
	struct pl_cuda_cuDeviceGetP2PAttribute_reply got = { 0 };
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pair_enter(PL_CUDA_OP_cuDeviceGetP2PAttribute, src, dst, &session);
	int r;

	if (result)
		return result;
	if (!value)
		return CUDA_ERROR_INVALID_VALUE;
	if (!session) {
		if (attribute < CU_DEVICE_P2P_ATTRIBUTE_PERFORMANCE_RANK ||
		    attribute > CU_DEVICE_P2P_ATTRIBUTE_ONLY_PARTIAL_NATIVE_ATOMIC_SUPPORTED)
			return CUDA_ERROR_INVALID_VALUE;
		*value = 0;
		return CUDA_SUCCESS;
	}
	args.src = device_id(session, src);
	args.dst = device_id(session, dst);
	r = PL_CUDA_ASK(session, cuDeviceGetP2PAttribute, &args, &reply);
	if (r || reply.status)
		return pl_cuda_answer(r, &reply);
	pl_cuda_cuDeviceGetP2PAttribute_reply_get(&reply.dec, &got);
	*value = (int)got.value;
	return pl_dec_whole(&reply.dec) ? CUDA_SUCCESS : CUDA_ERROR_UNKNOWN;
}

CUresult cuDeviceGetP2PAtomicCapabilities(unsigned int *capabilities, const CUatomicOperation *operations,
					  unsigned int count, CUdevice src, CUdevice dst)
{
	struct pl_cuda_cuDeviceGetP2PAtomicCapabilities_args args = { .count = count };
	struct pl_cuda_cuDeviceGetP2PAtomicCapabilities_reply got = { 0 };
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pair_enter(PL_CUDA_OP_cuDeviceGetP2PAtomicCapabilities, src, dst, &session);
	int r;

	if (result)
		return result;
	if (!capabilities || !operations || !count || count > PL_CUDA_LIMIT_LIST_MAX)
		return CUDA_ERROR_INVALID_VALUE;
	for (unsigned int i = 0; i < count; i++)
		capabilities[i] = 0;
	if (!session)
		return CUDA_SUCCESS;
	args.given = 1;
	args.operations = (struct pl_u32s){ (const uint32_t *)operations, count };
	args.src = device_id(session, src);
	args.dst = device_id(session, dst);
	r = PL_CUDA_ASK(session, cuDeviceGetP2PAtomicCapabilities, &args, &reply);
	if (r || reply.status)
		return pl_cuda_answer(r, &reply);
	pl_cuda_cuDeviceGetP2PAtomicCapabilities_reply_get(&reply.dec, &got);
	for (unsigned int i = 0; i < count && i < got.capabilities.count; i++)
		capabilities[i] = got.capabilities.at[i];
	return pl_dec_whole(&reply.dec) ? CUDA_SUCCESS : CUDA_ERROR_UNKNOWN;
}

/* ---- access ---- */

/* The current context's server, and the peer there.  apart: what the program gets where that is another server's. */
static CUresult peer_enter(enum pl_cuda_op op, CUcontext handle, CUresult apart, struct pl_session **session_out,
			   uint64_t *peer_out)
{
	const struct pl_cuda_context *peer;
	CUresult result = pl_cuda_enter(op, session_out);

	if (result)
		return result;
	peer = pl_cuda_get(PL_CUDA_KIND_context, handle);
	if (!peer)
		return CUDA_ERROR_INVALID_CONTEXT;
	*peer_out = peer->object.id;
	return peer->object.session == *session_out ? CUDA_SUCCESS : apart;
}

CUresult cuCtxEnablePeerAccess(CUcontext handle, unsigned int flags)
{
	struct pl_cuda_cuCtxEnablePeerAccess_args args = { .flags = flags };
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = peer_enter(PL_CUDA_OP_cuCtxEnablePeerAccess, handle, CUDA_ERROR_PEER_ACCESS_UNSUPPORTED,
				     &session, &args.peer);
	int r;

	if (result)
		return result;
	r = PL_CUDA_ASK(session, cuCtxEnablePeerAccess, &args, &reply);
	return pl_cuda_answer(r, &reply);
}

CUresult cuCtxDisablePeerAccess(CUcontext handle)
{
	struct pl_cuda_cuCtxDisablePeerAccess_args args = { 0 };
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = peer_enter(PL_CUDA_OP_cuCtxDisablePeerAccess, handle, CUDA_ERROR_PEER_ACCESS_NOT_ENABLED,
				     &session, &args.peer);
	int r;

	if (result)
		return result;
	r = PL_CUDA_ASK(session, cuCtxDisablePeerAccess, &args, &reply);
	return pl_cuda_answer(r, &reply);
}

/* ---- copies ---- */

static bool is_plain(CUdeviceptr dst, CUdeviceptr src, size_t bytes)
{
	return pl_cuda_captures_none() && pl_cuda_memory_is_device(dst, bytes) && pl_cuda_memory_is_device(src, bytes);
}

/* POST_OR_ASK(session, name, &args, plain): the call, waited for where it is not plainly valid. */
#define POST_OR_ASK(session, name, args, plain)                                                                        \
	({                                                                                                             \
		struct pl_reply reply_;                                                                                \
		int ask_ = (plain) ? 0 : PL_CUDA_ASK(session, name, args, &reply_);                                    \
		(plain) ? PL_CUDA_POST(session, name, args) : ask_ ? pl_cuda_fault(ask_) : (CUresult)reply_.status;    \
	})

static CUresult dtod(bool per_thread, CUdeviceptr dst, CUdeviceptr src, size_t bytes)
{
	struct pl_cuda_cuMemcpyDtoD_v2_args args = { .dst = dst, .src = src, .bytes = bytes, .per_thread = per_thread };
	struct pl_session *session;
	CUresult result = pl_cuda_enter_at(PL_CUDA_OP_cuMemcpyDtoD_v2, dst, &session);

	if (result)
		return result;
	pl_cuda_reach(dst);
	pl_cuda_reach(src);
	if (pl_cuda_is_apart(dst, src))
		return pl_cuda_copy_between(pl_cuda_order_of(true, per_thread), per_thread, dst, src, bytes, NULL);
	return POST_OR_ASK(session, cuMemcpyDtoD_v2, &args, is_plain(dst, src, bytes));
}

CUresult cuMemcpyDtoD_v2(CUdeviceptr dst, CUdeviceptr src, size_t bytes)
{
	return dtod(false, dst, src, bytes);
}

CUresult cuMemcpyDtoD_v2_ptds(CUdeviceptr dst, CUdeviceptr src, size_t bytes)
{
	return dtod(true, dst, src, bytes);
}

static CUresult dtod_async(bool per_thread, CUdeviceptr dst, CUdeviceptr src, size_t bytes, CUstream stream)
{
	struct pl_cuda_cuMemcpyDtoDAsync_v2_args args = {
		.dst = dst, .src = src, .bytes = bytes, .per_thread = per_thread
	};
	struct pl_session *session;
	CUresult result = pl_cuda_enter_of(PL_CUDA_OP_cuMemcpyDtoDAsync_v2, PL_CUDA_KIND_stream, stream, &session);

	if (result)
		return result;
	args.stream = pl_cuda_id(session, PL_CUDA_KIND_stream, stream);
	if (stream && !args.stream)
		return CUDA_ERROR_INVALID_HANDLE;
	pl_cuda_reach(dst);
	pl_cuda_reach(src);
	if (pl_cuda_is_apart(dst, src))
		return pl_cuda_copy_between(PL_CUDA_ORDER_STREAM, per_thread, dst, src, bytes, stream);
	return POST_OR_ASK(session, cuMemcpyDtoDAsync_v2, &args, is_plain(dst, src, bytes));
}

CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr dst, CUdeviceptr src, size_t bytes, CUstream stream)
{
	return dtod_async(false, dst, src, bytes, stream);
}

CUresult cuMemcpyDtoDAsync_v2_ptsz(CUdeviceptr dst, CUdeviceptr src, size_t bytes, CUstream stream)
{
	return dtod_async(true, dst, src, bytes, stream);
}

static CUresult contexts_check(CUcontext a, CUcontext b)
{
	return pl_cuda_get(PL_CUDA_KIND_context, a) && pl_cuda_get(PL_CUDA_KIND_context, b)
		       ? CUDA_SUCCESS
		       : CUDA_ERROR_INVALID_CONTEXT;
}

static CUresult peer(bool per_thread, CUdeviceptr dst, CUcontext dst_context, CUdeviceptr src, CUcontext src_context,
		     size_t bytes)
{
	struct pl_cuda_cuMemcpyPeer_args args = { .dst = dst, .src = src, .bytes = bytes, .per_thread = per_thread };
	struct pl_session *session;
	CUresult result = pl_cuda_enter_of(PL_CUDA_OP_cuMemcpyPeer, PL_CUDA_KIND_context, dst_context, &session);

	if (!result)
		result = contexts_check(dst_context, src_context);
	if (result)
		return result;
	pl_cuda_reach(dst);
	pl_cuda_reach(src);
	if (pl_cuda_is_apart(dst, src))
		return pl_cuda_copy_between(PL_CUDA_ORDER_CONTEXT, per_thread, dst, src, bytes, NULL);
	args.dst_context = pl_cuda_id(session, PL_CUDA_KIND_context, dst_context);
	args.src_context = pl_cuda_id(session, PL_CUDA_KIND_context, src_context);
	if (!args.src_context)
		return CUDA_ERROR_INVALID_VALUE; /* both addresses are of one server, and the contexts are not */
	return POST_OR_ASK(session, cuMemcpyPeer, &args, is_plain(dst, src, bytes));
}

CUresult cuMemcpyPeer(CUdeviceptr dst, CUcontext dst_context, CUdeviceptr src, CUcontext src_context, size_t bytes)
{
	return peer(false, dst, dst_context, src, src_context, bytes);
}

CUresult cuMemcpyPeer_ptds(CUdeviceptr dst, CUcontext dst_context, CUdeviceptr src, CUcontext src_context, size_t bytes)
{
	return peer(true, dst, dst_context, src, src_context, bytes);
}

static CUresult peer_async(bool per_thread, CUdeviceptr dst, CUcontext dst_context, CUdeviceptr src,
			   CUcontext src_context, size_t bytes, CUstream stream)
{
	struct pl_cuda_cuMemcpyPeerAsync_args args = {
		.dst = dst, .src = src, .bytes = bytes, .per_thread = per_thread
	};
	struct pl_session *session;
	CUresult result = pl_cuda_enter_of(PL_CUDA_OP_cuMemcpyPeerAsync, PL_CUDA_KIND_stream, stream, &session);

	if (result)
		return result;
	args.stream = pl_cuda_id(session, PL_CUDA_KIND_stream, stream);
	if (stream && !args.stream)
		return CUDA_ERROR_INVALID_HANDLE;
	result = contexts_check(dst_context, src_context);
	if (result)
		return result;
	pl_cuda_reach(dst);
	pl_cuda_reach(src);
	if (pl_cuda_is_apart(dst, src))
		return pl_cuda_copy_between(PL_CUDA_ORDER_STREAM, per_thread, dst, src, bytes, stream);
	args.dst_context = pl_cuda_id(session, PL_CUDA_KIND_context, dst_context);
	args.src_context = pl_cuda_id(session, PL_CUDA_KIND_context, src_context);
	if (!args.dst_context || !args.src_context)
		return CUDA_ERROR_INVALID_VALUE; /* of another server than the stream */
	return POST_OR_ASK(session, cuMemcpyPeerAsync, &args, is_plain(dst, src, bytes));
}

CUresult cuMemcpyPeerAsync(CUdeviceptr dst, CUcontext dst_context, CUdeviceptr src, CUcontext src_context, size_t bytes,
			   CUstream stream)
{
	return peer_async(false, dst, dst_context, src, src_context, bytes, stream);
}

CUresult cuMemcpyPeerAsync_ptsz(CUdeviceptr dst, CUcontext dst_context, CUdeviceptr src, CUcontext src_context,
				size_t bytes, CUstream stream)
{
	return peer_async(true, dst, dst_context, src, src_context, bytes, stream);
}
