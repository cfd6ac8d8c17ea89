/*
 * Several servers in one process: their addresses are one space, and copies between them go through here.
 *
 * A copy from one server to another goes directly (between.h), or else comes to this process and goes on from here, a
 * block at a time.
 */
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "client/cuda/between.h"
#include "client/cuda/carry.h"
#include "client/cuda/mirrored.h"

#define GRANULE_BYTES (2ull << 20) /* drivers set addresses aside in multiples */
#define BLOCK_BYTES   (4u << 20)

/* ---- addresses ---- */

static bool reserve(struct pl_session *session, uint64_t wanted, uint64_t bytes, uint64_t *address_out)
{
	struct pl_cuda_cuMemAddressReserve_args args = { .bytes = bytes, .wanted = wanted };
	struct pl_cuda_cuMemAddressReserve_reply got;
	struct pl_reply reply;

	if (PL_CUDA_ASK(session, cuMemAddressReserve, &args, &reply) || reply.status)
		return false;
	pl_cuda_cuMemAddressReserve_reply_get(&reply.dec, &got);
	*address_out = got.address;
	return pl_dec_whole(&reply.dec);
}

bool pl_cuda_addresses_set_aside(struct pl_session *session, uint64_t address, uint64_t bytes)
{
	uint64_t wanted = address & ~(GRANULE_BYTES - 1), got;
	uint64_t whole = (address - wanted + bytes + GRANULE_BYTES - 1) & ~(GRANULE_BYTES - 1);
	struct pl_cuda_cuMemAddressFree_args args = { .bytes = whole };
	struct pl_reply reply;

	if (!reserve(session, wanted, whole, &got))
		return false;
	if (!wanted || got == wanted)
		return true;
	args.address = got;
	(void)PL_CUDA_ASK(session, cuMemAddressFree, &args, &reply);
	return false;
}

bool pl_cuda_collides(const struct pl_session *session, uint64_t address, uint64_t bytes, struct pl_cuda_memory *other)
{
	if (pl_cuda_is_alone() || !pl_cuda_memory_next(address, other) || other->session == session ||
	    other->address >= address + bytes)
		return false;
	pl_log_info("%s gives addresses that are %s's: it is asked for others", session->address,
		    other->session->address);
	return true;
}

/* ---- copies ---- */

bool pl_cuda_is_elsewhere(CUdeviceptr address)
{
	struct pl_cuda_memory memory;

	return !pl_cuda_is_alone() && pl_cuda_memory_find(address, &memory) && memory.kind <= PL_CUDA_MEMORY_IMPORTED &&
	       memory.session != pl_cuda_session();
}

bool pl_cuda_is_apart(CUdeviceptr a, CUdeviceptr b)
{
	struct pl_cuda_memory of_a, of_b;

	return !pl_cuda_is_alone() && pl_cuda_memory_find(a, &of_a) && pl_cuda_memory_find(b, &of_b) &&
	       of_a.session != of_b.session;
}

static CUresult context_at(CUdeviceptr address, struct pl_cuda_context **context_out)
{
	struct pl_cuda_memory memory;

	if (!pl_cuda_memory_find(address, &memory))
		return CUDA_ERROR_INVALID_VALUE;
	*context_out = memory.context;
	if (!memory.context || atomic_load(&memory.context->error) == CUDA_ERROR_CONTEXT_IS_DESTROYED)
		*context_out = pl_cuda_context_of(memory.session);
	return *context_out ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT;
}

/* Makes the context of an address current, until cuCtxPopCurrent(). */
static CUresult context_push(CUdeviceptr address)
{
	struct pl_cuda_context *context;
	CUresult result = context_at(address, &context);

	return result ? result : cuCtxPushCurrent_v2(context->object.handle);
}

static CUresult carried_there(CUdeviceptr at, bool to_device, void *host, size_t bytes)
{
	CUstream stream = pl_cuda_carry_stream();
	CUresult result;

	if (!stream)
		return CUDA_ERROR_OUT_OF_MEMORY;
	result = to_device ? cuMemcpyHtoDAsync_v2(at, host, bytes, stream)
			   : cuMemcpyDtoHAsync_v2(host, at, bytes, stream);
	return result ? result : pl_cuda_carry_wait(stream);
}

static CUresult there(CUdeviceptr at, bool to_device, bool per_thread, void *host, size_t bytes)
{
	CUresult result = context_push(at);

	if (result)
		return result;
	if (pl_cuda_carries())
		result = carried_there(at, to_device, host, bytes);
	else if (to_device)
		result = per_thread ? cuMemcpyHtoD_v2_ptds(at, host, bytes) : cuMemcpyHtoD_v2(at, host, bytes);
	else
		result = per_thread ? cuMemcpyDtoH_v2_ptds(host, at, bytes) : cuMemcpyDtoH_v2(host, at, bytes);
	(void)cuCtxPopCurrent_v2(NULL);
	return result;
}

/* What the copy has to wait for; then it needs no order but its own, for which the thread's own streams do. */
static CUresult stream_wait(bool waits, bool *per_thread, CUstream stream)
{
	CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
	CUresult result;

	if (waits)
		return CUDA_SUCCESS;
	result = *per_thread ? cuStreamIsCapturing_ptsz(stream, &status) : cuStreamIsCapturing(stream, &status);
	if (!result && status != CU_STREAM_CAPTURE_STATUS_NONE)
		result = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
	if (!result)
		result = *per_thread ? cuStreamSynchronize_ptsz(stream) : cuStreamSynchronize(stream);
	*per_thread = true;
	return result;
}

CUresult pl_cuda_copy_to_apart(bool waits, bool per_thread, CUdeviceptr dst, const void *src, size_t bytes,
			       CUstream stream)
{
	CUresult result = bytes && !src ? CUDA_ERROR_INVALID_VALUE : stream_wait(waits, &per_thread, stream);

	return result || !bytes ? result : there(dst, true, per_thread, (void *)(uintptr_t)src, bytes);
}

CUresult pl_cuda_copy_from_apart(bool waits, bool per_thread, void *dst, CUdeviceptr src, size_t bytes, CUstream stream)
{
	CUresult result = bytes && !dst ? CUDA_ERROR_INVALID_VALUE : stream_wait(waits, &per_thread, stream);

	return result || !bytes ? result : there(src, false, per_thread, dst, bytes);
}

/* ---- lines and slices ---- */

/* The session of an end; NULL: the program's own memory, or an address that nobody knows. */
static struct pl_session *end_session(CUmemorytype type, CUdeviceptr address, CUarray array)
{
	const struct pl_cuda_object *object;
	struct pl_cuda_memory memory;

	if (type == CU_MEMORYTYPE_ARRAY) {
		object = pl_cuda_get(PL_CUDA_KIND_array, array);
		return object ? object->session : NULL;
	}
	if (type == CU_MEMORYTYPE_HOST || !pl_cuda_memory_find(address, &memory) ||
	    memory.kind > PL_CUDA_MEMORY_IMPORTED)
		return NULL;
	return memory.session;
}

static CUresult shape_carried(const CUDA_MEMCPY3D_PEER *copy)
{
	CUstream stream = pl_cuda_carry_stream();
	CUresult result = stream ? cuMemcpy3DPeerAsync(copy, stream) : CUDA_ERROR_OUT_OF_MEMORY;

	return result ? result : pl_cuda_carry_wait(stream);
}

static CUresult shape_there(const struct pl_session *session, bool per_thread, const CUDA_MEMCPY3D_PEER *copy)
{
	struct pl_cuda_context *context = pl_cuda_context_of(session);
	CUresult result = context ? cuCtxPushCurrent_v2(context->object.handle) : CUDA_ERROR_INVALID_CONTEXT;

	if (result)
		return result;
	if (pl_cuda_carries())
		result = shape_carried(copy);
	else
		result = per_thread ? cuMemcpy3DPeer_ptds(copy) : cuMemcpy3DPeer(copy);
	(void)cuCtxPopCurrent_v2(NULL);
	return result;
}

/* Packed, in the program's memory, on the way. */
static CUresult shape_between(const struct pl_session *from, const struct pl_session *to, bool per_thread,
			      const CUDA_MEMCPY3D_PEER *copy)
{
	CUDA_MEMCPY3D_PEER first = *copy, second = *copy;
	pl_cleanup(pl_freep) void *room = NULL;
	CUresult result;
	size_t bytes;

	if (__builtin_mul_overflow(copy->WidthInBytes, copy->Height, &bytes) ||
	    __builtin_mul_overflow(bytes, copy->Depth, &bytes))
		return CUDA_ERROR_INVALID_VALUE;
	room = malloc(bytes);
	if (!room)
		return CUDA_ERROR_OUT_OF_MEMORY;
	first.dstXInBytes = first.dstY = first.dstZ = first.dstLOD = 0;
	second.srcXInBytes = second.srcY = second.srcZ = second.srcLOD = 0;
	first.dstMemoryType = second.srcMemoryType = CU_MEMORYTYPE_HOST;
	first.dstHost = room;
	second.srcHost = room;
	first.dstContext = second.srcContext = NULL;
	first.dstPitch = second.srcPitch = copy->WidthInBytes;
	first.dstHeight = second.srcHeight = copy->Height;
	result = shape_there(from, per_thread, &first);
	return result ? result : shape_there(to, per_thread, &second);
}

bool pl_cuda_shape_is_apart(const CUDA_MEMCPY3D_PEER *copy)
{
	const struct pl_session *here = pl_cuda_session(), *from, *to;

	if (pl_cuda_is_alone())
		return false;
	from = end_session(copy->srcMemoryType, copy->srcDevice, copy->srcArray);
	to = end_session(copy->dstMemoryType, copy->dstDevice, copy->dstArray);
	return (from && from != here) || (to && to != here);
}

/* All of it is one allocation's, and lives as far as this process knows. */
static bool range_is_plain(const struct pl_cuda_range *range)
{
	struct pl_cuda_memory memory;

	return range->bytes && pl_cuda_memory_find(range->at, &memory) && memory.kind <= PL_CUDA_MEMORY_IMPORTED &&
	       memory.kind != PL_CUDA_MEMORY_VARIABLE && memory.kind != PL_CUDA_MEMORY_GRAPH &&
	       range->bytes <= memory.bytes - (range->at - memory.address);
}

/* One end of a copy of lines.  Return: it is plain memory of a device's. */
static bool lines_range(CUmemorytype type, CUdeviceptr address, const size_t place[3], size_t pitch, size_t height,
			const CUDA_MEMCPY3D_PEER *copy, struct pl_cuda_range *range)
{
	size_t skipped = 0, last = 0, line = place[0];
	bool wide = __builtin_add_overflow(line, copy->WidthInBytes, &line);

	wide |= __builtin_mul_overflow(place[2], height, &skipped) ||
		__builtin_add_overflow(skipped, place[1], &skipped) ||
		__builtin_mul_overflow(skipped, pitch, &skipped) || __builtin_add_overflow(skipped, place[0], &skipped);
	wide |= __builtin_mul_overflow(copy->Depth - 1, height, &last) ||
		__builtin_add_overflow(last, copy->Height - 1, &last) || __builtin_mul_overflow(last, pitch, &last) ||
		__builtin_add_overflow(last, copy->WidthInBytes, &last);
	if (wide || (type != CU_MEMORYTYPE_DEVICE && type != CU_MEMORYTYPE_UNIFIED) ||
	    (pitch < line && (copy->Height > 1 || copy->Depth > 1)) || (copy->Depth > 1 && height < copy->Height) ||
	    __builtin_add_overflow(address, skipped, &range->at))
		return false;
	range->bytes = last;
	return range_is_plain(range);
}

static bool shape_is_plain(const CUDA_MEMCPY3D_PEER *copy, struct pl_cuda_carried *what)
{
	const size_t from[3] = { copy->srcXInBytes, copy->srcY, copy->srcZ };
	const size_t to[3] = { copy->dstXInBytes, copy->dstY, copy->dstZ };

	what->lines = *copy;
	return copy->WidthInBytes && copy->Height && copy->Depth &&
	       lines_range(copy->srcMemoryType, copy->srcDevice, from, copy->srcPitch, copy->srcHeight, copy,
			   &what->src) &&
	       lines_range(copy->dstMemoryType, copy->dstDevice, to, copy->dstPitch, copy->dstHeight, copy,
			   &what->dst) &&
	       pl_cuda_is_apart(what->dst.at, what->src.at);
}

CUresult pl_cuda_shape_apart(bool waits, bool per_thread, const CUDA_MEMCPY3D_PEER *copy, CUstream stream)
{
	const struct pl_session *from, *to;
	struct pl_cuda_carried what;
	CUresult result;

	if (!waits && shape_is_plain(copy, &what) && pl_cuda_carry(stream, per_thread, &what, &result))
		return result;
	result = stream_wait(waits, &per_thread, stream);
	if (result)
		return result;
	from = end_session(copy->srcMemoryType, copy->srcDevice, copy->srcArray);
	to = end_session(copy->dstMemoryType, copy->dstDevice, copy->dstArray);
	if (from && to && from != to)
		return shape_between(from, to, per_thread, copy);
	return shape_there(from ? from : to, per_thread, copy);
}

/* ---- bytes ---- */

/* Through this process. */
static CUresult blocks_copy(bool per_thread, CUdeviceptr dst, CUdeviceptr src, size_t bytes)
{
	size_t block = bytes < BLOCK_BYTES ? bytes : BLOCK_BYTES, part;
	pl_cleanup(pl_freep) void *room = malloc(block);
	CUresult result = room ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;

	for (size_t at = 0; at < bytes && !result; at += part) {
		part = bytes - at < block ? bytes - at : block;
		result = there(src + at, false, per_thread, room, part);
		if (!result)
			result = there(dst + at, true, per_thread, room, part);
		if (!result)
			atomic_fetch_add(&pl_cuda_between_through, part);
	}
	return result;
}

static CUresult context_wait(struct pl_cuda_context *context)
{
	CUresult result = cuCtxPushCurrent_v2(context->object.handle);

	if (result)
		return result;
	result = cuCtxSynchronize();
	(void)cuCtxPopCurrent_v2(NULL);
	return result;
}

static CUresult copy_apart(enum pl_cuda_order order, bool per_thread, CUdeviceptr dst, CUdeviceptr src, size_t bytes)
{
	struct pl_cuda_context *current = pl_cuda_thread.top;
	struct pl_cuda_end to = { .address = dst }, from = { .address = src };
	CUresult result = context_at(dst, &to.context), made;

	if (!result)
		result = context_at(src, &from.context);
	if (!result && order == PL_CUDA_ORDER_CONTEXT && current && current != to.context && current != from.context)
		result = context_wait(current);
	if (result)
		return result;
	/* Pages of mirrored memory may be newer in this process. */
	if (!pl_cuda_mirrored_holds((const void *)(uintptr_t)dst) &&
	    !pl_cuda_mirrored_holds((const void *)(uintptr_t)src) && pl_cuda_between(order, &to, &from, bytes, &made))
		return made;
	if (order == PL_CUDA_ORDER_CONTEXT) {
		result = context_wait(from.context);
		result = result ? result : context_wait(to.context);
	}
	return result ? result : blocks_copy(per_thread, dst, src, bytes);
}

CUresult pl_cuda_copy_between(enum pl_cuda_order order, bool per_thread, CUdeviceptr dst, CUdeviceptr src, size_t bytes,
			      CUstream stream)
{
	const struct pl_cuda_carried what = { .dst = { dst, bytes }, .src = { src, bytes } };
	CUresult result;

	if (order == PL_CUDA_ORDER_STREAM && range_is_plain(&what.dst) && range_is_plain(&what.src) &&
	    pl_cuda_is_apart(dst, src) && pl_cuda_carry(stream, per_thread, &what, &result))
		return result;
	result = stream_wait(order != PL_CUDA_ORDER_STREAM, &per_thread, stream);
	if (result || !bytes)
		return result;
	if (pl_cuda_is_apart(dst, src))
		return copy_apart(order, per_thread, dst, src, bytes);
	result = context_push(dst); /* both elsewhere, and there together */
	if (result)
		return result;
	result = per_thread ? cuMemcpyDtoD_v2_ptds(dst, src, bytes) : cuMemcpyDtoD_v2(dst, src, bytes);
	(void)cuCtxPopCurrent_v2(NULL);
	return result;
}

CUresult pl_cuda_carry_make(const struct pl_cuda_carried *what)
{
	const CUDA_MEMCPY3D_PEER *lines = &what->lines;

	if (!lines->Height)
		return copy_apart(PL_CUDA_ORDER_HELD, true, what->dst.at, what->src.at, what->dst.bytes);
	return shape_between(end_session(lines->srcMemoryType, lines->srcDevice, lines->srcArray),
			     end_session(lines->dstMemoryType, lines->dstDevice, lines->dstArray), true, lines);
}
