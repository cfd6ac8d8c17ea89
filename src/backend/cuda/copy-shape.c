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

/* ---- with an end in the client ---- */

/* A copy as the driver is to make it, at `of`; `host` is the memory here that stands for the client's, and is to go. */
struct passing_copy {
	CUresult (*make)(void *of, void *host);
	void *of;
	CUstream stream;
	uint64_t stream_id;
	bool per_thread;
	bool waits; /* it has ended when the driver's call returns */
};

/* *stays: the memory has to stay, which is left as it was where it has not. */
static CUresult copy_pass(struct pl_serve *serve, const struct passing_copy *copy, void *host, bool *stays,
			  enum pl_cuda_passed *passed_out)
{
	struct pl_cuda_passing passing;
	CUresult r;

	*passed_out = PL_CUDA_PASSED;
	if (serve->turn_held || copy->waits)
		return copy->make(copy->of, host);
	if (!pl_cuda_passing_begin(&passing, pl_cuda_session_of(serve), copy->stream, copy->per_thread))
		return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
	r = copy->make(copy->of, host);
	*passed_out = pl_cuda_passing_end(&passing);
	*stays |= *passed_out != PL_CUDA_PASSED && !r;
	return r;
}

static bool copy_refused(struct pl_serve *serve, const struct passing_copy *copy)
{
	if (!pl_cuda_passing_refused(pl_cuda_session_of(serve), copy->stream, copy->per_thread, copy->waits))
		return false;
	pl_cuda_result(serve, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, copy->stream_id);
	return true;
}

/* The driver may wait until the stream has come to it: others go on meanwhile, whose calls that may take, and nobody
 * is told that nothing is under way. */
static void copy_to_device(struct pl_serve *serve, const struct passing_copy *copy, const struct pl_bulk *bulk)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	uint64_t held = bulk->kind == PL_BULK_AFTER ? bulk->bytes : 0; /* in memory of ours; others are charged */
	int32_t status = CUDA_ERROR_OUT_OF_MEMORY;
	enum pl_cuda_passed passed;
	bool stays = false;
	void *own = NULL;
	const void *data;

	if (copy_refused(serve, copy))
		return;
	if (!pl_quota_charge(&serve->session->quota, PL_QUOTA_INFLIGHT, held)) {
		pl_cuda_result(serve, status, copy->stream_id);
		return;
	}
	pl_cuda_entering(session);
	if (pl_cuda_bulk_open(serve, bulk, &data, &own) &&
	    ((serve->turn_held && !serve->asked) || copy->waits || pl_cuda_bulk_leave(bulk, &data, &own))) {
		if (serve->asked)
			pl_serve_give_turn(serve);
		status = (int32_t)copy_pass(serve, copy, (void *)(uintptr_t)data, &stays, &passed);
	}
	pl_cuda_bulk_end(serve, bulk, own, stays);
	pl_cuda_entered(session);
	pl_quota_return(&serve->session->quota, PL_QUOTA_INFLIGHT, held);
	pl_cuda_result(serve, status, copy->stream_id);
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

/* Makes the copy and waits for it: its bytes have to be there.  Where it is not sure whether a graph has got it
 * instead, it is made once more. */
static int32_t fetch(struct pl_serve *serve, const struct passing_copy *copy, void *to, bool *stays)
{
	enum pl_cuda_passed passed = PL_CUDA_PASSED_UNSURE;
	CUresult r = CUDA_SUCCESS;

	pl_serve_give_turn(serve);
	while (!r && passed == PL_CUDA_PASSED_UNSURE)
		r = copy_pass(serve, copy, to, stays, &passed);
	if (!r && passed == PL_CUDA_PASSED_CAPTURED)
		r = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
	if (!r && !copy->waits)
		r = pl_cuda_own_wait(copy->stream, copy->per_thread);
	return pl_cuda_waited(pl_cuda_session_of(serve), (int32_t)r, copy->stream_id);
}

/* store: where in the memory that both sides have; UINT64_MAX: nowhere, the bytes go with the reply. */
static void copy_to_client(struct pl_serve *serve, const struct passing_copy *copy, uint64_t store, uint64_t bytes)
{
	struct pl_session_worker *worker = serve->session;
	struct pl_bulk data = { .kind = PL_BULK_AFTER, .bytes = bytes };
	int32_t status = CUDA_ERROR_OUT_OF_MEMORY;
	bool stays = false;
	void *own = NULL;

	if (copy_refused(serve, copy))
		return;
	if (store == UINT64_MAX)
		own = malloc(bytes ? bytes : 1);
	else
		data = (struct pl_bulk){ .kind = PL_BULK_ARENA, .bytes = bytes, .offset = store };
	if (bytes <= INLINE_BYTES && own)
		data = (struct pl_bulk){ .kind = PL_BULK_INLINE, .bytes = bytes, .data = own };
	if (own || store != UINT64_MAX)
		status = fetch(serve, copy, own ? own : worker->arena + store, &stays);
	if (status)
		pl_cuda_result(serve, status, 0);
	else if (!reply_begin(serve, &data) && data.kind == PL_BULK_AFTER)
		(void)pl_serve_reply_bulk(serve, own, bytes);
	if (stays)
		pl_cuda_passing_stays(serve, bytes);
	else
		free(own);
}

/* Return: false: such a place in shared memory is none. */
static bool store_is_there(const struct pl_session_worker *worker, uint64_t store, uint64_t bytes)
{
	return store == UINT64_MAX ||
	       (worker->arena && store <= worker->arena_bytes && bytes <= worker->arena_bytes - store);
}

/* ---- lines and slices ---- */

static CUresult shape_from_host(void *of, void *host)
{
	struct shape *shape = of;

	shape->copy.srcHost = host;
	return shape_call(shape);
}

static CUresult shape_to_host(void *of, void *host)
{
	struct shape *shape = of;

	shape->copy.dstHost = host;
	return shape_call(shape);
}

/* A copy that waits does so for host memory that a device reaches. */
static void shape_on_device(struct pl_serve *serve, const struct shape *shape,
			    const struct pl_cuda_cuMemcpy3DPeerAsync_args *args)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	const struct pl_bulk none = { 0 };
	int32_t status;

	pl_cuda_entering(session);
	if (serve->asked && shape_waits(shape))
		pl_serve_give_turn(serve);
	status = (int32_t)shape_call(shape);
	pl_cuda_entered(session);
	if (status || !serve->asked)
		pl_cuda_result(serve, status, args->stream);
	else
		(void)reply_begin(serve, &none);
}

void pl_cuda_serve_cuMemcpy3DPeerAsync(struct pl_serve *serve, const struct pl_cuda_cuMemcpy3DPeerAsync_args *args)
{
	const struct pl_cuda_copy3d_record *record = &args->copy;
	bool from = record->from_type == CU_MEMORYTYPE_HOST, to = record->to_type == CU_MEMORYTYPE_HOST;
	struct passing_copy copy = { .make = to ? shape_to_host : shape_from_host,
				     .stream_id = args->stream,
				     .per_thread = args->per_thread };
	struct shape shape;
	uint64_t bytes;
	int32_t status;

	/* Both ends in the client are the client's own business; memory of this process is nobody's end. */
	if ((from && to) || !shape_is_told(record, serve->head->op) || !pl_cuda_copy_bytes(record, &bytes) ||
	    args->data.bytes != (from ? bytes : 0) || (to && (!args->wait || !serve->asked)) ||
	    (to && !store_is_there(serve->session, args->store, bytes)) || !pl_cuda_copy_packed(record)) {
		pl_serve_refuse(serve, CUDA_ERROR_INVALID_VALUE);
		return;
	}
	if (!shape_open(serve, &shape, args, &status)) {
		pl_cuda_result(serve, status, args->stream);
		return;
	}
	copy.of = &shape;
	copy.stream = shape.stream;
	copy.waits = shape_waits(&shape);
	if (from)
		copy_to_device(serve, &copy, &args->data);
	else if (to)
		copy_to_client(serve, &copy, args->store, bytes);
	else
		shape_on_device(serve, &shape, args);
}

/* ---- one dimension of an array ---- */

struct line {
	CUarray array;
	uint64_t offset, bytes;
	CUstream stream;
	bool per_thread, waits;
};

static CUresult line_from_host(void *of, void *host)
{
	const struct line *line = of;
	__typeof__(&cuMemcpyHtoA_v2) now = line->per_thread ? pl_cuda.cuMemcpyHtoA_v2_ptds : pl_cuda.cuMemcpyHtoA_v2;
	__typeof__(&cuMemcpyHtoAAsync_v2) later =
		line->per_thread ? pl_cuda.cuMemcpyHtoAAsync_v2_ptsz : pl_cuda.cuMemcpyHtoAAsync_v2;

	if (line->waits)
		return now ? now(line->array, line->offset, host, line->bytes) : CUDA_ERROR_NOT_SUPPORTED;
	return later ? later(line->array, line->offset, host, line->bytes, line->stream) : CUDA_ERROR_NOT_SUPPORTED;
}

static CUresult line_to_host(void *of, void *host)
{
	const struct line *line = of;
	__typeof__(&cuMemcpyAtoH_v2) now = line->per_thread ? pl_cuda.cuMemcpyAtoH_v2_ptds : pl_cuda.cuMemcpyAtoH_v2;
	__typeof__(&cuMemcpyAtoHAsync_v2) later =
		line->per_thread ? pl_cuda.cuMemcpyAtoHAsync_v2_ptsz : pl_cuda.cuMemcpyAtoHAsync_v2;

	if (line->waits)
		return now ? now(host, line->array, line->offset, line->bytes) : CUDA_ERROR_NOT_SUPPORTED;
	return later ? later(host, line->array, line->offset, line->bytes, line->stream) : CUDA_ERROR_NOT_SUPPORTED;
}

/* Return: false: one of the handles is none, and that is answered. */
static bool line_open(struct pl_serve *serve, struct line *line, uint64_t stream_id, uint64_t array_id,
		      struct passing_copy *copy_out)
{
	void *array, *stream;
	int32_t status;

	if (!pl_cuda_take(serve, stream_id, PL_CUDA_KIND_stream, &stream, &status) ||
	    !pl_cuda_take(serve, array_id, PL_CUDA_KIND_array, &array, &status)) {
		pl_cuda_result(serve, status, stream_id);
		return false;
	}
	line->array = array;
	line->stream = stream;
	*copy_out = (struct passing_copy){ .of = line,
					   .stream = stream,
					   .stream_id = stream_id,
					   .per_thread = line->per_thread,
					   .waits = line->waits };
	return true;
}

void pl_cuda_serve_cuMemcpyHtoAAsync_v2(struct pl_serve *serve, const struct pl_cuda_cuMemcpyHtoAAsync_v2_args *args)
{
	struct line line = { .offset = args->offset,
			     .bytes = args->size,
			     .per_thread = args->per_thread,
			     .waits = serve->head->op == PL_CUDA_OP_cuMemcpyHtoA_v2 };
	struct passing_copy copy;

	if (args->size != args->data.bytes) {
		pl_serve_refuse(serve, CUDA_ERROR_INVALID_VALUE);
		return;
	}
	if (!line_open(serve, &line, args->stream, args->array, &copy))
		return;
	copy.make = line_from_host;
	copy_to_device(serve, &copy, &args->data);
}

void pl_cuda_serve_cuMemcpyAtoHAsync_v2(struct pl_serve *serve, const struct pl_cuda_cuMemcpyAtoHAsync_v2_args *args)
{
	struct line line = { .offset = args->offset,
			     .bytes = args->size,
			     .per_thread = args->per_thread,
			     .waits = serve->head->op == PL_CUDA_OP_cuMemcpyAtoH_v2 };
	struct passing_copy copy;

	if (!args->wait || !serve->asked || !store_is_there(serve->session, args->store, args->size) ||
	    args->size > PL_CUDA_LIMIT_TRANSFER_MAX) {
		pl_serve_refuse(serve, CUDA_ERROR_INVALID_VALUE);
		return;
	}
	if (!line_open(serve, &line, args->stream, args->array, &copy))
		return;
	copy.make = line_to_host;
	copy_to_client(serve, &copy, args->store, args->size);
}
