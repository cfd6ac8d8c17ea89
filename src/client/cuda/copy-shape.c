/*
 * Copies of lines and slices, and of arrays.  Lines of the program's own memory travel packed, one behind the other;
 * the server's driver sees them as an end without pitch.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "client/cuda/awaited.h"
#include "client/cuda/copy-shape.h"
#include "client/cuda/echo.h"
#include "client/cuda/graph.h"
#include "client/cuda/later.h"
#include "client/cuda/mirrored.h"
#include "client/cuda/reach.h"

#define INLINE_BYTES 4096u /* what comes in a reply itself */

/* The record's words of an end that travels packed. */
#define END_PACKED(copy, end)                                                                                          \
	do {                                                                                                           \
		(copy)->end##_type = CU_MEMORYTYPE_HOST;                                                               \
		(copy)->end##_x = (copy)->end##_y = (copy)->end##_z = (copy)->end##_level = 0;                         \
		(copy)->end##_pitch = (copy)->end##_height = 0;                                                        \
	} while (0)

struct shape {
	struct pl_cuda_cuMemcpy3DPeerAsync_args args;
	struct pl_cuda_copy_shape is;
};

/* Handles become ids.  Return: success, or what is wrong with one. */
static CUresult shape_ids(struct pl_cuda_copy3d_record *record, const struct pl_session *session,
			  const CUDA_MEMCPY3D_PEER *copy)
{

	if (record->from_type == CU_MEMORYTYPE_ARRAY) {
		record->from_array = pl_cuda_id(session, PL_CUDA_KIND_array, copy->srcArray);
		if (!record->from_array)
			return CUDA_ERROR_INVALID_HANDLE;
	}
	if (record->to_type == CU_MEMORYTYPE_ARRAY) {
		record->to_array = pl_cuda_id(session, PL_CUDA_KIND_array, copy->dstArray);
		if (!record->to_array)
			return CUDA_ERROR_INVALID_HANDLE;
	}
	record->from_context = pl_cuda_id(session, PL_CUDA_KIND_context, copy->srcContext);
	record->to_context = pl_cuda_id(session, PL_CUDA_KIND_context, copy->dstContext);
	if ((copy->srcContext && !record->from_context) || (copy->dstContext && !record->to_context))
		return CUDA_ERROR_INVALID_CONTEXT;
	return CUDA_SUCCESS;
}

CUdeviceptr pl_cuda_reached_at(const struct pl_session *session, const void *host)
{
	uint64_t address = (uintptr_t)host;
	struct pl_cuda_memory memory;
	CUdeviceptr there;

	if (pl_echo_find(host, 1, &there))
		return there;
	if (!host || !pl_cuda_memory_find(address, &memory) || memory.session != session)
		return 0;
	return memory.mirrored ? address : memory.device ? memory.device + (address - memory.address) : 0;
}

/* What is called the program's, and a device reaches: the copy is the device's, in its stream's order.  Return: so. */
static bool reached_is_device(const struct pl_session *session, const void *host, CUmemorytype *type,
			      CUdeviceptr *address)
{
	CUdeviceptr there = 0;

	if (*type == CU_MEMORYTYPE_HOST)
		there = pl_cuda_reached_at(session, host);
	else if (*type == CU_MEMORYTYPE_UNIFIED)
		there = pl_cuda_reached_at(session, (const void *)(uintptr_t)*address);
	if (!there)
		return false;
	*type = CU_MEMORYTYPE_DEVICE;
	*address = there;
	return true;
}

/* The program's own memory, by its type or, where the type leaves it open, by its address. */
static bool is_host(CUmemorytype type, CUdeviceptr device)
{
	return type == CU_MEMORYTYPE_HOST || (type == CU_MEMORYTYPE_UNIFIED && !pl_cuda_memory_on_device(device));
}

static const void *host_base(CUmemorytype type, const void *host, CUdeviceptr device)
{
	return type == CU_MEMORYTYPE_HOST ? host : (const void *)(uintptr_t)device;
}

CUresult pl_cuda_copy_shape_of(struct pl_cuda_copy_shape *shape, const struct pl_session *session,
			       const CUDA_MEMCPY3D_PEER *told)
{
	struct pl_cuda_copy3d_record *record = &shape->record;
	CUDA_MEMCPY3D_PEER whole = *told, *copy = &whole;
	CUresult result;

	shape->is_reached = reached_is_device(session, told->srcHost, &whole.srcMemoryType, &whole.srcDevice);
	shape->is_reached |= reached_is_device(session, told->dstHost, &whole.dstMemoryType, &whole.dstDevice);
	*record = (struct pl_cuda_copy3d_record){
		.from_x = copy->srcXInBytes,
		.from_y = copy->srcY,
		.from_z = copy->srcZ,
		.from_level = copy->srcLOD,
		.from_type = copy->srcMemoryType,
		.from_address = copy->srcDevice,
		.from_pitch = copy->srcPitch,
		.from_height = copy->srcHeight,
		.to_x = copy->dstXInBytes,
		.to_y = copy->dstY,
		.to_z = copy->dstZ,
		.to_level = copy->dstLOD,
		.to_type = copy->dstMemoryType,
		.to_address = copy->dstDevice,
		.to_pitch = copy->dstPitch,
		.to_height = copy->dstHeight,
		.width = copy->WidthInBytes,
		.height = copy->Height,
		.depth = copy->Depth,
	};
	shape->from =
		(struct pl_cuda_lines){ .columns = copy->WidthInBytes, .lines = copy->Height, .slices = copy->Depth };
	shape->to = shape->from;
	shape->from_host = is_host(copy->srcMemoryType, copy->srcDevice);
	shape->to_host = is_host(copy->dstMemoryType, copy->dstDevice);
	if (__builtin_mul_overflow(copy->WidthInBytes, copy->Height, &shape->bytes) ||
	    __builtin_mul_overflow(shape->bytes, copy->Depth, &shape->bytes) ||
	    shape->bytes > PL_CUDA_LIMIT_TRANSFER_MAX)
		return CUDA_ERROR_INVALID_VALUE;
	result = shape_ids(record, session, copy);
	if (result)
		return result;
	if (shape->from_host) {
		if (!pl_cuda_lines_of(&shape->from, host_base(copy->srcMemoryType, copy->srcHost, copy->srcDevice),
				      copy->srcXInBytes, copy->srcY, copy->srcZ, copy->srcPitch, copy->srcHeight))
			return CUDA_ERROR_INVALID_VALUE;
		END_PACKED(record, from);
	}
	if (shape->to_host) {
		if (!pl_cuda_lines_of(&shape->to, host_base(copy->dstMemoryType, copy->dstHost, copy->dstDevice),
				      copy->dstXInBytes, copy->dstY, copy->dstZ, copy->dstPitch, copy->dstHeight))
			return CUDA_ERROR_INVALID_VALUE;
		END_PACKED(record, to);
	}
	return CUDA_SUCCESS;
}

/* ---- the ways that data goes ---- */

static int shape_ask(struct shape *shape, struct pl_session *session, enum pl_cuda_op op, struct pl_reply *reply)
{
	struct pl_call call;
	int r = pl_call_begin(&call, session, (uint16_t)op, pl_cuda_cuMemcpy3DPeerAsync_bytes(&shape->args));

	if (r)
		return r;
	pl_cuda_cuMemcpy3DPeerAsync_put(&call.enc, &shape->args);
	r = pl_call_ask(&call, reply);
	if (!r && session->shares_memory)
		pl_arena_passed(&session->arena, call.ticket);
	return r;
}

static CUresult shape_to(struct shape *shape, struct pl_session *session, enum pl_cuda_op op)
{
	uint8_t *own = pl_cuda_lines_packed(&shape->is.from) ? NULL : malloc(shape->is.bytes);
	struct pl_reply reply;
	int r;

	if (own)
		pl_cuda_lines_read(&shape->is.from, 0, own, shape->is.bytes);
	else if (!pl_cuda_lines_packed(&shape->is.from))
		return CUDA_ERROR_OUT_OF_MEMORY;
	r = pl_bulk_prepare(session, &shape->args.data, own ? own : shape->is.from.at, shape->is.bytes);
	if (!r) {
		r = shape_ask(shape, session, op, &reply);
		pl_bulk_done(session, &shape->args.data);
	}
	free(own);
	return pl_cuda_answer(r, &reply);
}

/* What the server sent, to where it belongs. */
static CUresult shape_take(struct shape *shape, struct pl_reply *reply)
{
	struct pl_cuda_cuMemcpy3DPeerAsync_reply got;
	int r = 0;

	pl_cuda_cuMemcpy3DPeerAsync_reply_get(&reply->dec, &got);
	if (!pl_dec_whole(&reply->dec) || got.data.bytes != shape->is.bytes)
		return CUDA_ERROR_UNKNOWN;
	if (got.data.data) {
		pl_cuda_lines_write(&shape->is.to, 0, got.data.data, shape->is.bytes);
		return CUDA_SUCCESS;
	}
	if (pl_cuda_lines_packed(&shape->is.to))
		r = pl_call_bulk(reply, shape->is.to.at, shape->is.bytes);
	for (size_t z = 0; z < shape->is.to.slices && !pl_cuda_lines_packed(&shape->is.to) && !r; z++)
		for (size_t y = 0; y < shape->is.to.lines && !r; y++)
			r = pl_call_bulk(reply, shape->is.to.at + z * shape->is.to.slice + y * shape->is.to.pitch,
					 shape->is.to.columns);
	return r ? pl_cuda_fault(r) : CUDA_SUCCESS;
}

static CUresult shape_from(struct shape *shape, struct pl_session *session, enum pl_cuda_op op)
{
	struct pl_reply reply;
	CUresult result;
	int r;

	shape->args.wait = 1;
	if (session->shares_memory && shape->is.bytes > INLINE_BYTES)
		shape->args.store = pl_arena_alloc(&session->arena, shape->is.bytes);
	r = shape_ask(shape, session, op, &reply);
	result = pl_cuda_answer(r, &reply);
	if (!result)
		result = shape_take(shape, &reply);
	if (shape->args.store != PL_ARENA_NONE)
		pl_arena_free(&session->arena, shape->args.store, shape->is.bytes, 0);
	return result;
}

/* From and to the program's own memory: when all before it in the stream has ended. */
static CUresult shape_here(const struct shape *shape, bool per_thread, CUstream stream)
{
	CUresult result = per_thread ? cuStreamSynchronize_ptsz(stream) : cuStreamSynchronize(stream);

	if (!result)
		pl_cuda_lines_copy(&shape->is.to, &shape->is.from);
	return result;
}

/* The graph has the program's memory copied in each launch. */
static CUresult shape_captured(const struct shape *shape, bool per_thread, CUstream stream)
{
	if (shape->is.from_host && shape->is.to_host)
		return pl_cuda_lines_captured(stream, per_thread, &shape->is.to, &shape->is.from);
	return pl_cuda_shape_captured(stream, per_thread, &shape->args.copy,
				      shape->is.from_host ? &shape->is.from : &shape->is.to);
}

static bool op_waits(enum pl_cuda_op op)
{
	return op != PL_CUDA_OP_cuMemcpy2DAsync_v2 && op != PL_CUDA_OP_cuMemcpy3DAsync_v2 &&
	       op != PL_CUDA_OP_cuMemcpy3DPeerAsync;
}

static bool context_lives(CUcontext context)
{
	return !context || pl_cuda_get(PL_CUDA_KIND_context, context);
}

static CUresult shape_copy_used(enum pl_cuda_op op, bool per_thread, const CUDA_MEMCPY3D_PEER *copy, CUstream stream)
{
	struct shape shape = { .args = { .per_thread = per_thread, .store = PL_ARENA_NONE } };
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter(op, &session);
	int r;

	if (result)
		return result;
	if (!copy)
		return CUDA_ERROR_INVALID_VALUE;
	if (pl_cuda_shape_is_apart(copy))
		return pl_cuda_shape_apart(op_waits(op), per_thread, copy, stream);
	shape.args.stream = pl_cuda_id(session, PL_CUDA_KIND_stream, stream);
	if (stream && !shape.args.stream)
		return CUDA_ERROR_INVALID_HANDLE;
	if (!context_lives(copy->srcContext) || !context_lives(copy->dstContext))
		return CUDA_ERROR_INVALID_CONTEXT;
	if (!copy->WidthInBytes || !copy->Height || !copy->Depth)
		return CUDA_SUCCESS;
	result = pl_cuda_copy_shape_of(&shape.is, session, copy);
	if (result)
		return result;
	shape.args.copy = shape.is.record;
	if ((shape.is.from_host || shape.is.to_host) && !op_waits(op) && pl_cuda_is_captured(stream, per_thread))
		return shape_captured(&shape, per_thread, stream);
	if (shape.is.from_host && shape.is.to_host)
		return shape_here(&shape, per_thread, stream);
	if (shape.is.from_host) {
		result = pl_cuda_later_ahead(shape.is.from.at, pl_cuda_lines_span(&shape.is.from), per_thread, stream);
		return result ? result : shape_to(&shape, session, op);
	}
	if (shape.is.to_host)
		return shape_from(&shape, session, op);
	r = shape_ask(&shape, session, op, &reply);
	result = pl_cuda_answer(r, &reply);
	if (result || !shape.is.is_reached || !op_waits(op))
		return result;
	return per_thread ? cuStreamSynchronize_ptsz(NULL) : cuStreamSynchronize(NULL);
}

static CUresult shape_copy(enum pl_cuda_op op, bool per_thread, const CUDA_MEMCPY3D_PEER *copy, CUstream stream)
{
	pl_cleanup(pl_cuda_plain_done) struct pl_cuda_plain_use use = { .is_listed = false };

	if (!copy || !pl_cuda_plain_is_any())
		return shape_copy_used(op, per_thread, copy, stream);
	if (copy->srcMemoryType == CU_MEMORYTYPE_DEVICE)
		pl_cuda_reach(copy->srcDevice);
	if (copy->dstMemoryType == CU_MEMORYTYPE_DEVICE)
		pl_cuda_reach(copy->dstDevice);
	pl_cuda_awaited_reach(host_base(copy->srcMemoryType, copy->srcHost, copy->srcDevice));
	pl_cuda_plain_use(&use, host_base(copy->srcMemoryType, copy->srcHost, copy->srcDevice),
			  host_base(copy->dstMemoryType, copy->dstHost, copy->dstDevice));
	return shape_copy_used(op, per_thread, copy, stream);
}

/* ---- the API's structures ---- */

static CUresult copy_2d(enum pl_cuda_op op, bool per_thread, const CUDA_MEMCPY2D *copy, CUstream stream)
{
	CUDA_MEMCPY3D_PEER whole;

	if (!copy)
		return shape_copy(op, per_thread, NULL, stream);
	whole = (CUDA_MEMCPY3D_PEER){
		.srcXInBytes = copy->srcXInBytes,
		.srcY = copy->srcY,
		.srcMemoryType = copy->srcMemoryType,
		.srcHost = copy->srcHost,
		.srcDevice = copy->srcDevice,
		.srcArray = copy->srcArray,
		.srcPitch = copy->srcPitch,
		.dstXInBytes = copy->dstXInBytes,
		.dstY = copy->dstY,
		.dstMemoryType = copy->dstMemoryType,
		.dstHost = copy->dstHost,
		.dstDevice = copy->dstDevice,
		.dstArray = copy->dstArray,
		.dstPitch = copy->dstPitch,
		.WidthInBytes = copy->WidthInBytes,
		.Height = copy->Height,
		.Depth = 1,
	};
	return shape_copy(op, per_thread, &whole, stream);
}

static CUresult copy_3d(enum pl_cuda_op op, bool per_thread, const CUDA_MEMCPY3D *copy, CUstream stream)
{
	CUDA_MEMCPY3D_PEER whole;

	/* What is a context there is reserved here, and has no meaning. */
	_Static_assert(sizeof(whole) == sizeof(*copy), "both have the same fields");
	if (!copy)
		return shape_copy(op, per_thread, NULL, stream);
	memcpy(&whole, copy, sizeof(whole));
	whole.srcContext = whole.dstContext = NULL;
	return shape_copy(op, per_thread, &whole, stream);
}

/* The four entries of a structure: waiting or not, with the legacy stream or the thread's own as the default. */
#define ENTRIES(type, take, now, later)                                                                                \
	CUresult now(const type *copy)                                                                                 \
	{                                                                                                              \
		return take(PL_CUDA_OP_##now, false, copy, NULL);                                                      \
	}                                                                                                              \
	CUresult now##_ptds(const type *copy)                                                                          \
	{                                                                                                              \
		return take(PL_CUDA_OP_##now, true, copy, NULL);                                                       \
	}                                                                                                              \
	CUresult later(const type *copy, CUstream stream)                                                              \
	{                                                                                                              \
		return take(PL_CUDA_OP_##later, false, copy, stream);                                                  \
	}                                                                                                              \
	CUresult later##_ptsz(const type *copy, CUstream stream)                                                       \
	{                                                                                                              \
		return take(PL_CUDA_OP_##later, true, copy, stream);                                                   \
	}

ENTRIES(CUDA_MEMCPY2D, copy_2d, cuMemcpy2D_v2, cuMemcpy2DAsync_v2)
ENTRIES(CUDA_MEMCPY3D, copy_3d, cuMemcpy3D_v2, cuMemcpy3DAsync_v2)
ENTRIES(CUDA_MEMCPY3D_PEER, shape_copy, cuMemcpy3DPeer, cuMemcpy3DPeerAsync)

CUresult cuMemcpy2DUnaligned_v2(const CUDA_MEMCPY2D *copy)
{
	return copy_2d(PL_CUDA_OP_cuMemcpy2DUnaligned_v2, false, copy, NULL);
}

CUresult cuMemcpy2DUnaligned_v2_ptds(const CUDA_MEMCPY2D *copy)
{
	return copy_2d(PL_CUDA_OP_cuMemcpy2DUnaligned_v2, true, copy, NULL);
}
