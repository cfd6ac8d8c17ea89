/*
 * Copies of lines and slices, and of arrays.  An end in the client's memory is packed bytes here: they come with the
 * call, or go with the reply.
 */
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/copy.h"
#include "backend/cuda/own.h"

#define INLINE_BYTES 4096u

/* What is to be called, with everything but the memory of an end in the client. */
struct shape {
	uint16_t op;
	bool per_thread;
	CUDA_MEMCPY3D_PEER copy;
	CUstream stream;
};

static CUresult shape_2d(const struct shape *shape)
{
	const CUDA_MEMCPY3D_PEER *from = &shape->copy;
	CUDA_MEMCPY2D copy = {
		.srcXInBytes = from->srcXInBytes,
		.srcY = from->srcY,
		.srcMemoryType = from->srcMemoryType,
		.srcHost = from->srcHost,
		.srcDevice = from->srcDevice,
		.srcArray = from->srcArray,
		.srcPitch = from->srcPitch,
		.dstXInBytes = from->dstXInBytes,
		.dstY = from->dstY,
		.dstMemoryType = from->dstMemoryType,
		.dstHost = from->dstHost,
		.dstDevice = from->dstDevice,
		.dstArray = from->dstArray,
		.dstPitch = from->dstPitch,
		.WidthInBytes = from->WidthInBytes,
		.Height = from->Height,
	};
	__typeof__(&cuMemcpy2D_v2) now = shape->per_thread ? pl_cuda.cuMemcpy2D_v2_ptds : pl_cuda.cuMemcpy2D_v2;
	__typeof__(&cuMemcpy2DUnaligned_v2) unaligned =
		shape->per_thread ? pl_cuda.cuMemcpy2DUnaligned_v2_ptds : pl_cuda.cuMemcpy2DUnaligned_v2;
	__typeof__(&cuMemcpy2DAsync_v2) later =
		shape->per_thread ? pl_cuda.cuMemcpy2DAsync_v2_ptsz : pl_cuda.cuMemcpy2DAsync_v2;

	if (shape->op == PL_CUDA_OP_cuMemcpy2D_v2)
		return now ? now(&copy) : CUDA_ERROR_NOT_SUPPORTED;
	if (shape->op == PL_CUDA_OP_cuMemcpy2DUnaligned_v2)
		return unaligned ? unaligned(&copy) : CUDA_ERROR_NOT_SUPPORTED;
	return later ? later(&copy, shape->stream) : CUDA_ERROR_NOT_SUPPORTED;
}

static CUresult shape_3d(const struct shape *shape)
{
	CUDA_MEMCPY3D copy = pl_cuda_copy_local(&shape->copy);
	__typeof__(&cuMemcpy3D_v2) now = shape->per_thread ? pl_cuda.cuMemcpy3D_v2_ptds : pl_cuda.cuMemcpy3D_v2;
	__typeof__(&cuMemcpy3DAsync_v2) later =
		shape->per_thread ? pl_cuda.cuMemcpy3DAsync_v2_ptsz : pl_cuda.cuMemcpy3DAsync_v2;

	if (shape->op == PL_CUDA_OP_cuMemcpy3D_v2)
		return now ? now(&copy) : CUDA_ERROR_NOT_SUPPORTED;
	return later ? later(&copy, shape->stream) : CUDA_ERROR_NOT_SUPPORTED;
}

static CUresult shape_peer(const struct shape *shape)
{
	__typeof__(&cuMemcpy3DPeer) now = shape->per_thread ? pl_cuda.cuMemcpy3DPeer_ptds : pl_cuda.cuMemcpy3DPeer;
	__typeof__(&cuMemcpy3DPeerAsync) later =
		shape->per_thread ? pl_cuda.cuMemcpy3DPeerAsync_ptsz : pl_cuda.cuMemcpy3DPeerAsync;

	if (shape->op == PL_CUDA_OP_cuMemcpy3DPeer)
		return now ? now(&shape->copy) : CUDA_ERROR_NOT_SUPPORTED;
	return later ? later(&shape->copy, shape->stream) : CUDA_ERROR_NOT_SUPPORTED;
}

/* Return: the call returns when the copy has ended. */
static bool shape_waits(const struct shape *shape)
{
	return shape->op != PL_CUDA_OP_cuMemcpy2DAsync_v2 && shape->op != PL_CUDA_OP_cuMemcpy3DAsync_v2 &&
	       shape->op != PL_CUDA_OP_cuMemcpy3DPeerAsync;
}

static bool op_is_2d(uint16_t op)
{
	return op == PL_CUDA_OP_cuMemcpy2D_v2 || op == PL_CUDA_OP_cuMemcpy2DUnaligned_v2 ||
	       op == PL_CUDA_OP_cuMemcpy2DAsync_v2;
}

static CUresult shape_call(const struct shape *shape)
{
	if (op_is_2d(shape->op))
		return shape_2d(shape);
	switch (shape->op) {
	case PL_CUDA_OP_cuMemcpy3D_v2:
	case PL_CUDA_OP_cuMemcpy3DAsync_v2:
		return shape_3d(shape);
	default:
		return shape_peer(shape);
	}
}

/* With an end in the client, whose memory here is to go.  *stays_out: it has to stay. */
static CUresult shape_pass(struct pl_serve *serve, const struct shape *shape, bool *stays_out)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	struct pl_cuda_passing passing;
	CUresult r;

	*stays_out = false;
	if (pl_cuda_passing_refused(session, shape->stream, shape->per_thread, shape_waits(shape)))
		return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
	if (serve->turn_held || shape_waits(shape))
		return shape_call(shape);
	if (!pl_cuda_passing_begin(&passing, session, shape->stream, shape->per_thread))
		return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
	r = shape_call(shape);
	*stays_out = pl_cuda_passing_end(&passing) != PL_CUDA_PASSED && !r;
	return r;
}

/* An address of the client's is the device's: the driver must not take it for one of this process. */
static CUmemorytype end_type(uint32_t type)
{
	return type == CU_MEMORYTYPE_UNIFIED ? CU_MEMORYTYPE_DEVICE : (CUmemorytype)type;
}

/* All that is copied of an end in device memory is the driver's, and not this process's own. */
static bool end_known(const struct pl_cuda_copy3d_record *record, CUmemorytype type, uint64_t address, uint64_t x,
		      uint64_t y, uint64_t z, uint64_t pitch, uint64_t height)
{
	uint64_t slice, bytes, rows, lines;

	if (type != CU_MEMORYTYPE_DEVICE || !record->width || !record->height || !record->depth)
		return true;
	if (__builtin_add_overflow(x, record->width, &bytes) || __builtin_add_overflow(y, record->height, &lines))
		return false;
	pitch = pitch ? pitch : bytes;
	height = height ? height : lines;
	if (__builtin_mul_overflow(pitch, height, &slice) || __builtin_mul_overflow(z, slice, &z) ||
	    __builtin_mul_overflow(y, pitch, &y) || __builtin_mul_overflow(record->height - 1, pitch, &rows) ||
	    __builtin_mul_overflow(record->depth - 1, slice, &bytes) || __builtin_add_overflow(bytes, rows, &bytes) ||
	    __builtin_add_overflow(bytes, record->width, &bytes) || __builtin_add_overflow(address, x, &address) ||
	    __builtin_add_overflow(address, y, &address) || __builtin_add_overflow(address, z, &address))
		return false;
	return pl_cuda_address_known(address, bytes);
}

bool pl_cuda_copy_known(const struct pl_cuda_copy3d_record *record)
{
	return end_known(record, end_type(record->from_type), record->from_address, record->from_x, record->from_y,
			 record->from_z, record->from_pitch, record->from_height) &&
	       end_known(record, end_type(record->to_type), record->to_address, record->to_x, record->to_y,
			 record->to_z, record->to_pitch, record->to_height);
}

/* An end in the client is where this says and nowhere else: nothing that the client sends is an address here. */
static bool end_is_plain(uint64_t x, uint64_t y, uint64_t z, uint64_t level, uint64_t pitch, uint64_t height)
{
	return !(x | y | z | level | pitch | height);
}

bool pl_cuda_copy_packed(const struct pl_cuda_copy3d_record *record)
{
	return (record->from_type != CU_MEMORYTYPE_HOST ||
		end_is_plain(record->from_x, record->from_y, record->from_z, record->from_level, record->from_pitch,
			     record->from_height)) &&
	       (record->to_type != CU_MEMORYTYPE_HOST ||
		end_is_plain(record->to_x, record->to_y, record->to_z, record->to_level, record->to_pitch,
			     record->to_height));
}

CUDA_MEMCPY3D_PEER pl_cuda_copy_of(const struct pl_cuda_copy3d_record *record, CUarray from, CUarray to)
{
	return (CUDA_MEMCPY3D_PEER){
		.srcXInBytes = record->from_x,
		.srcY = record->from_y,
		.srcZ = record->from_z,
		.srcLOD = record->from_level,
		.srcMemoryType = end_type(record->from_type),
		.srcDevice = record->from_address,
		.srcArray = from,
		.srcPitch = record->from_pitch,
		.srcHeight = record->from_height,
		.dstXInBytes = record->to_x,
		.dstY = record->to_y,
		.dstZ = record->to_z,
		.dstLOD = record->to_level,
		.dstMemoryType = end_type(record->to_type),
		.dstDevice = record->to_address,
		.dstArray = to,
		.dstPitch = record->to_pitch,
		.dstHeight = record->to_height,
		.WidthInBytes = record->width,
		.Height = record->height,
		.Depth = record->depth,
	};
}

CUDA_MEMCPY3D pl_cuda_copy_local(const CUDA_MEMCPY3D_PEER *copy)
{
	CUDA_MEMCPY3D local;

	_Static_assert(sizeof(local) == sizeof(*copy), "what is a context there is reserved here, all else the same");
	memcpy(&local, copy, sizeof(local));
	local.reserved0 = local.reserved1 = NULL;
	return local;
}

/* Something is copied, and in no direction that the driver's structure lacks: what it is not told of, it does not keep
 * to. */
static bool shape_is_told(const struct pl_cuda_copy3d_record *record, uint16_t op)
{
	if (!record->width || !record->height || !record->depth)
		return false;
	return !op_is_2d(op) ||
	       (record->depth == 1 && !(record->from_z | record->from_level | record->to_z | record->to_level));
}

bool pl_cuda_copy_open(struct pl_serve *serve, const struct pl_cuda_copy3d_record *record, CUDA_MEMCPY3D_PEER *copy_out,
		       int32_t *status_out)
{
	void *from = NULL, *to = NULL, *from_context = NULL, *to_context = NULL;

	if (!pl_cuda_take(serve, record->from_array, PL_CUDA_KIND_array, &from, status_out) ||
	    !pl_cuda_take(serve, record->to_array, PL_CUDA_KIND_array, &to, status_out) ||
	    !pl_cuda_take(serve, record->from_context, PL_CUDA_KIND_context, &from_context, status_out) ||
	    !pl_cuda_take(serve, record->to_context, PL_CUDA_KIND_context, &to_context, status_out))
		return false;
	*copy_out = pl_cuda_copy_of(record, from, to);
	copy_out->srcContext = from_context;
	copy_out->dstContext = to_context;
	*status_out = CUDA_ERROR_INVALID_VALUE;
	return pl_cuda_copy_known(record);
}

bool pl_cuda_copy_bytes(const struct pl_cuda_copy3d_record *record, uint64_t *bytes_out)
{
	return !__builtin_mul_overflow(record->width, record->height, bytes_out) &&
	       !__builtin_mul_overflow(*bytes_out, record->depth, bytes_out) &&
	       *bytes_out <= PL_CUDA_LIMIT_TRANSFER_MAX;
}

static bool shape_open(struct pl_serve *serve, struct shape *shape, const struct pl_cuda_cuMemcpy3DPeerAsync_args *args,
		       int32_t *status_out)
{
	void *stream;

	if (!pl_cuda_take(serve, args->stream, PL_CUDA_KIND_stream, &stream, status_out))
		return false;
	shape->op = serve->head->op;
	shape->per_thread = args->per_thread;
	shape->stream = stream;
	return pl_cuda_copy_open(serve, &args->copy, &shape->copy, status_out);
}

static void shape_to_device(struct pl_serve *serve, struct shape *shape,
			    const struct pl_cuda_cuMemcpy3DPeerAsync_args *args)
{
	int32_t status = CUDA_ERROR_OUT_OF_MEMORY;
	bool stays = false;
	void *own = NULL;

	if (pl_cuda_bulk_open(serve, &args->data, &shape->copy.srcHost, &own) &&
	    (serve->turn_held || pl_cuda_bulk_leave(&args->data, &shape->copy.srcHost, &own)))
		status = (int32_t)shape_pass(serve, shape, &stays);
	pl_cuda_bulk_end(serve, &args->data, own, stays);
	pl_cuda_result(serve, status, args->stream);
}

static int reply_begin(struct pl_serve *serve, const struct pl_bulk *data)
{
	struct pl_cuda_cuMemcpy3DPeerAsync_reply reply = { .data = *data };

	if (pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_cuMemcpy3DPeerAsync_reply_bytes(&reply),
				 data->kind == PL_BULK_AFTER ? data->bytes : 0))
		return -1;
	pl_cuda_cuMemcpy3DPeerAsync_reply_put(&serve->reply_enc, &reply);
	return pl_serve_reply_end(serve);
}

/* Makes the copy and waits for it: its bytes have to be there. */
static int32_t fetch(struct pl_serve *serve, const struct shape *shape, uint64_t stream, bool *stays_out)
{
	int32_t status = (int32_t)shape_pass(serve, shape, stays_out);

	pl_serve_give_turn(serve);
	if (!status && !shape_waits(shape))
		status = (int32_t)pl_cuda_own_wait(shape->stream, shape->per_thread);
	return pl_cuda_waited(pl_cuda_session_of(serve), status, stream);
}

static void shape_to_client(struct pl_serve *serve, struct shape *shape,
			    const struct pl_cuda_cuMemcpy3DPeerAsync_args *args, uint64_t bytes)
{
	struct pl_session_worker *worker = serve->session;
	struct pl_bulk data = { .kind = PL_BULK_AFTER, .bytes = bytes };
	bool stays = false;
	void *own = NULL;
	int32_t status;

	if (args->store != UINT64_MAX) {
		if (!worker->arena || args->store > worker->arena_bytes || bytes > worker->arena_bytes - args->store) {
			pl_serve_refuse(serve, CUDA_ERROR_INVALID_VALUE);
			return;
		}
		data = (struct pl_bulk){ .kind = PL_BULK_ARENA, .bytes = bytes, .offset = args->store };
		shape->copy.dstHost = worker->arena + args->store;
	} else {
		own = malloc(bytes);
		shape->copy.dstHost = own;
	}
	if (bytes <= INLINE_BYTES && own)
		data = (struct pl_bulk){ .kind = PL_BULK_INLINE, .bytes = bytes, .data = own };
	status = shape->copy.dstHost ? fetch(serve, shape, args->stream, &stays) : CUDA_ERROR_OUT_OF_MEMORY;
	if (status)
		pl_cuda_result(serve, status, 0);
	else if (!reply_begin(serve, &data) && data.kind == PL_BULK_AFTER)
		(void)pl_serve_reply_bulk(serve, own, bytes);
	if (stays)
		pl_cuda_passing_stays(serve, bytes);
	else
		free(own);
}

static void shape_on_device(struct pl_serve *serve, const struct shape *shape,
			    const struct pl_cuda_cuMemcpy3DPeerAsync_args *args)
{
	const struct pl_bulk none = { 0 };
	int32_t status = (int32_t)shape_call(shape);

	if (status || !serve->asked)
		pl_cuda_result(serve, status, args->stream);
	else
		(void)reply_begin(serve, &none);
}

void pl_cuda_serve_cuMemcpy3DPeerAsync(struct pl_serve *serve, const struct pl_cuda_cuMemcpy3DPeerAsync_args *args)
{
	const struct pl_cuda_copy3d_record *record = &args->copy;
	bool from = record->from_type == CU_MEMORYTYPE_HOST, to = record->to_type == CU_MEMORYTYPE_HOST;
	struct shape shape;
	uint64_t bytes;
	int32_t status;

	/* Both ends in the client are the client's own business; memory of this process is nobody's end. */
	if ((from && to) || !shape_is_told(record, serve->head->op) || !pl_cuda_copy_bytes(record, &bytes) ||
	    args->data.bytes != (from ? bytes : 0) || (to && (!args->wait || !serve->asked)) ||
	    !pl_cuda_copy_packed(record)) {
		pl_serve_refuse(serve, CUDA_ERROR_INVALID_VALUE);
		return;
	}
	if (!shape_open(serve, &shape, args, &status))
		pl_cuda_result(serve, status, args->stream);
	else if (from)
		shape_to_device(serve, &shape, args);
	else if (to)
		shape_to_client(serve, &shape, args, bytes);
	else
		shape_on_device(serve, &shape, args);
}

/* ---- one dimension of an array ---- */

void pl_cuda_serve_cuMemcpyHtoAAsync_v2(struct pl_serve *serve, const struct pl_cuda_cuMemcpyHtoAAsync_v2_args *args)
{
	__typeof__(&cuMemcpyHtoA_v2) now = args->per_thread ? pl_cuda.cuMemcpyHtoA_v2_ptds : pl_cuda.cuMemcpyHtoA_v2;
	__typeof__(&cuMemcpyHtoAAsync_v2) later =
		args->per_thread ? pl_cuda.cuMemcpyHtoAAsync_v2_ptsz : pl_cuda.cuMemcpyHtoAAsync_v2;
	bool waits = serve->head->op == PL_CUDA_OP_cuMemcpyHtoA_v2;
	int32_t status = CUDA_ERROR_OUT_OF_MEMORY;
	void *array, *stream, *own = NULL;
	const void *data;

	if (args->size != args->data.bytes) {
		pl_serve_refuse(serve, CUDA_ERROR_INVALID_VALUE);
		return;
	}
	if (pl_cuda_bulk_open(serve, &args->data, &data, &own) &&
	    pl_cuda_take(serve, args->stream, PL_CUDA_KIND_stream, &stream, &status) &&
	    pl_cuda_take(serve, args->array, PL_CUDA_KIND_array, &array, &status)) {
		if (pl_cuda_passing_refused(pl_cuda_session_of(serve), stream, args->per_thread, waits))
			status = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
		else if (waits)
			status = now ? (int32_t)now(array, args->offset, data, args->size) : CUDA_ERROR_NOT_SUPPORTED;
		else
			status = later ? (int32_t)later(array, args->offset, data, args->size, stream)
				       : CUDA_ERROR_NOT_SUPPORTED;
	}
	free(own);
	pl_cuda_result(serve, status, args->stream);
}

struct array_fetch {
	const struct pl_cuda_cuMemcpyAtoHAsync_v2_args *args;
	CUarray array;
	CUstream stream;
	bool waits;
};

static int32_t array_fetch(struct pl_serve *serve, const struct array_fetch *fetch, void *to)
{
	const struct pl_cuda_cuMemcpyAtoHAsync_v2_args *args = fetch->args;
	__typeof__(&cuMemcpyAtoH_v2) now = args->per_thread ? pl_cuda.cuMemcpyAtoH_v2_ptds : pl_cuda.cuMemcpyAtoH_v2;
	__typeof__(&cuMemcpyAtoHAsync_v2) later =
		args->per_thread ? pl_cuda.cuMemcpyAtoHAsync_v2_ptsz : pl_cuda.cuMemcpyAtoHAsync_v2;
	CUresult r = CUDA_ERROR_NOT_SUPPORTED;

	if (pl_cuda_passing_refused(pl_cuda_session_of(serve), fetch->stream, args->per_thread, fetch->waits))
		r = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
	else if (fetch->waits && now)
		r = now(to, fetch->array, args->offset, args->size);
	else if (!fetch->waits && later)
		r = later(to, fetch->array, args->offset, args->size, fetch->stream);
	pl_serve_give_turn(serve);
	if (!r && !fetch->waits)
		r = pl_cuda_own_wait(fetch->stream, args->per_thread);
	return pl_cuda_waited(pl_cuda_session_of(serve), (int32_t)r, args->stream);
}

void pl_cuda_serve_cuMemcpyAtoHAsync_v2(struct pl_serve *serve, const struct pl_cuda_cuMemcpyAtoHAsync_v2_args *args)
{
	struct pl_session_worker *worker = serve->session;
	bool shared = args->store != UINT64_MAX;
	struct array_fetch fetch = { .args = args, .waits = serve->head->op == PL_CUDA_OP_cuMemcpyAtoH_v2 };
	struct pl_bulk data = { .kind = PL_BULK_AFTER, .bytes = args->size };
	int32_t status = CUDA_ERROR_OUT_OF_MEMORY;
	void *array, *stream, *own = NULL;

	if (!args->wait || !serve->asked ||
	    (shared &&
	     (!worker->arena || args->store > worker->arena_bytes || args->size > worker->arena_bytes - args->store)) ||
	    args->size > PL_CUDA_LIMIT_TRANSFER_MAX) {
		pl_serve_refuse(serve, CUDA_ERROR_INVALID_VALUE);
		return;
	}
	if (!pl_cuda_take(serve, args->stream, PL_CUDA_KIND_stream, &stream, &status) ||
	    !pl_cuda_take(serve, args->array, PL_CUDA_KIND_array, &array, &status)) {
		pl_cuda_result(serve, status, args->stream);
		return;
	}
	fetch.array = array;
	fetch.stream = stream;
	if (!shared)
		own = malloc(args->size ? args->size : 1);
	if (shared)
		data = (struct pl_bulk){ .kind = PL_BULK_ARENA, .bytes = args->size, .offset = args->store };
	else if (args->size <= INLINE_BYTES)
		data = (struct pl_bulk){ .kind = PL_BULK_INLINE, .bytes = args->size, .data = own };
	if (shared || own)
		status = array_fetch(serve, &fetch, shared ? worker->arena + args->store : own);
	if (status)
		pl_cuda_result(serve, status, 0);
	else if (!reply_begin(serve, &data) && data.kind == PL_BULK_AFTER)
		(void)pl_serve_reply_bulk(serve, own, args->size);
	free(own);
}
