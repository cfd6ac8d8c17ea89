/* Device memory: allocation and its end. */
#include "client/cuda/carry.h"
#include "client/cuda/graph.h"
#include "client/cuda/mirrored.h"

#define TRY_AGAIN ((CUresult)-1) /* its addresses were another server's */
#define TRIES_MAX 8u             /* limit: as often as a server may give such addresses */

/* The driver could not be kept from giving an address again but by leaving it what it has given. */
static __thread bool keeps __attribute__((tls_model("initial-exec")));

/* An allocation that the server has made.  What can not be entered is given back.  Return: also TRY_AGAIN. */
static CUresult allocated(struct pl_session *session, CUdeviceptr *address, struct pl_cuda_memory *memory)
{
	struct pl_cuda_cuMemFree_v2_args args = { .address = memory->address };
	struct pl_cuda_memory other;
	bool collides;

	if (pl_cuda_memory_enter(memory)) {
		*address = memory->address;
		return CUDA_SUCCESS;
	}
	collides = pl_cuda_collides(session, memory->address, memory->bytes, &other);
	if (collides && keeps)
		return TRY_AGAIN; /* lost to the program until its context ends */
	(void)PL_CUDA_POST(session, cuMemFree_v2, &args);
	pl_cuda_direct_give_back(session, memory);
	if (!collides)
		return CUDA_ERROR_OUT_OF_MEMORY;
	keeps = !pl_cuda_addresses_set_aside(session, other.address, other.bytes);
	return TRY_AGAIN;
}

/* result = call, again while it came to another server's addresses. */
#define TRY(result, call)                                                                                              \
	do {                                                                                                           \
		keeps = false;                                                                                         \
		for (unsigned int try_ = 0; try_ < TRIES_MAX && ((result) = (call)) == TRY_AGAIN; try_++)              \
			;                                                                                              \
		if ((result) == TRY_AGAIN)                                                                             \
			(result) = CUDA_ERROR_OUT_OF_MEMORY;                                                           \
	} while (0)

static CUresult alloc_ask(struct pl_session *session, struct pl_cuda_memory *memory)
{
	struct pl_cuda_cuMemAlloc_v2_args args = { .bytes = memory->bytes };
	struct pl_cuda_cuMemAlloc_v2_reply got = { 0 };
	struct pl_reply reply;
	CUresult result;
	int r;

	pl_cuda_direct_set_aside(session, memory);
	args.store = memory->store == PL_ARENA_NONE ? 0 : memory->store + 1;
	r = PL_CUDA_ASK(session, cuMemAlloc_v2, &args, &reply);
	result = pl_cuda_answer(r, &reply);
	if (!result) {
		pl_cuda_cuMemAlloc_v2_reply_get(&reply.dec, &got);
		result = pl_dec_whole(&reply.dec) ? CUDA_SUCCESS : CUDA_ERROR_UNKNOWN;
	}
	memory->address = got.address;
	if (!got.shared) {
		pl_cuda_direct_give_back(session, memory);
		memory->store = PL_ARENA_NONE;
	}
	return result;
}

static CUresult alloc(CUdeviceptr *address, size_t bytes)
{
	struct pl_cuda_memory memory = { .kind = PL_CUDA_MEMORY_DEVICE, .bytes = bytes, .store = PL_ARENA_NONE };
	struct pl_session *session;
	CUresult result = pl_cuda_enter(PL_CUDA_OP_cuMemAlloc_v2, &session);

	if (result)
		return result;
	if (!address || !bytes)
		return CUDA_ERROR_INVALID_VALUE;
	memory.context = pl_cuda_thread.top;
	if (!pl_cuda_lease_take(session, &memory, 0))
		result = alloc_ask(session, &memory);
	if (result == CUDA_ERROR_OUT_OF_MEMORY && pl_cuda_reclaim(session))
		result = alloc_ask(session, &memory);
	return result ? result : allocated(session, address, &memory);
}

CUresult cuMemAlloc_v2(CUdeviceptr *address, size_t bytes)
{
	CUresult result;

	TRY(result, alloc(address, bytes));
	return result;
}

static CUresult pitch_ask(struct pl_session *session, const struct pl_cuda_cuMemAllocPitch_v2_args *args,
			  struct pl_cuda_cuMemAllocPitch_v2_reply *got)
{
	struct pl_reply reply;
	int r = PL_CUDA_ASK(session, cuMemAllocPitch_v2, args, &reply);

	if (r || reply.status)
		return pl_cuda_answer(r, &reply);
	pl_cuda_cuMemAllocPitch_v2_reply_get(&reply.dec, got);
	return pl_dec_whole(&reply.dec) ? CUDA_SUCCESS : CUDA_ERROR_UNKNOWN;
}

static CUresult alloc_pitch(CUdeviceptr *address, size_t *pitch, size_t width_bytes, size_t height,
			    unsigned int element_bytes)
{
	struct pl_cuda_cuMemAllocPitch_v2_args args = { .width = width_bytes,
							.height = height,
							.element_bytes = element_bytes };
	struct pl_cuda_memory memory = { .kind = PL_CUDA_MEMORY_DEVICE, .store = PL_ARENA_NONE };
	struct pl_cuda_cuMemAllocPitch_v2_reply got;
	struct pl_session *session;
	CUresult result = pl_cuda_enter(PL_CUDA_OP_cuMemAllocPitch_v2, &session);

	if (result)
		return result;
	if (!address || !pitch)
		return CUDA_ERROR_INVALID_VALUE;
	result = pitch_ask(session, &args, &got);
	if (result == CUDA_ERROR_OUT_OF_MEMORY && pl_cuda_reclaim(session))
		result = pitch_ask(session, &args, &got);
	if (result)
		return result;
	*pitch = got.pitch;
	memory.context = pl_cuda_thread.top;
	memory.address = got.address;
	memory.bytes = got.pitch * height;
	return allocated(session, address, &memory);
}

CUresult cuMemAllocPitch_v2(CUdeviceptr *address, size_t *pitch, size_t width_bytes, size_t height,
			    unsigned int element_bytes)
{
	CUresult result;

	TRY(result, alloc_pitch(address, pitch, width_bytes, height, element_bytes));
	return result;
}

static CUresult free_post(struct pl_session *session, const struct pl_cuda_memory *memory)
{
	struct pl_cuda_cuMemFree_v2_args args = { .address = memory->address };
	CUresult result = PL_CUDA_POST(session, cuMemFree_v2, &args);

	pl_cuda_direct_give_back(session, memory);
	return result;
}

CUresult cuMemFree_v2(CUdeviceptr address)
{
	struct pl_cuda_cuMemFree_v2_args args = { .address = address };
	struct pl_cuda_memory memory;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter_at(PL_CUDA_OP_cuMemFree_v2, address, &session);
	bool ours, in_place;
	int r;

	if (result || !address)
		return result;
	pl_cuda_carry_settle(address);
	ours = pl_cuda_memory_find(address, &memory) && memory.address == address &&
	       (memory.kind == PL_CUDA_MEMORY_DEVICE || memory.kind == PL_CUDA_MEMORY_POOL ||
		memory.kind == PL_CUDA_MEMORY_MANAGED);
	in_place =
		ours && memory.kind == PL_CUDA_MEMORY_MANAGED && !memory.mirrored; /* no allocation of the driver's */
	result = in_place ? pl_cuda_capture_allows(session) : CUDA_SUCCESS;
	if (result)
		return result;
	if (ours && (in_place || !atomic_load(&pl_cuda_captures)) && pl_cuda_memory_take(address, &memory)) {
		if (memory.mirrored)
			return pl_cuda_mirrored_destroy(session, &memory);
		if (in_place)
			pl_cuda_host_destroy(session, &memory);
		else if (memory.kind == PL_CUDA_MEMORY_POOL || memory.sync_memops || memory.exported ||
			 !pl_cuda_lease_keep(&memory, 0))
			return free_post(session, &memory);
		return CUDA_SUCCESS;
	}
	pl_cuda_lease_touch(address);                          /* another thread may have freed it meanwhile */
	r = PL_CUDA_ASK(session, cuMemFree_v2, &args, &reply); /* the driver says what is wrong with it */
	if (!r && !reply.status && ours && pl_cuda_memory_take(address, &memory)) {
		pl_cuda_mirrored_gone(&memory);
		pl_cuda_direct_give_back(session, &memory);
	}
	return pl_cuda_answer(r, &reply);
}

/* The driver's own account: what the lease keeps is given back first. */
CUresult cuMemGetInfo_v2(size_t *free_bytes, size_t *total_bytes)
{
	struct pl_cuda_cuMemGetInfo_v2_args args = { 0 };
	struct pl_cuda_cuMemGetInfo_v2_reply got;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter(PL_CUDA_OP_cuMemGetInfo_v2, &session);
	uint64_t limit, used;
	int r;

	if (result)
		return result;
	if (!free_bytes && !total_bytes)
		return CUDA_ERROR_INVALID_VALUE;
	pl_cuda_reclaim(session);
	r = PL_CUDA_ASK(session, cuMemGetInfo_v2, &args, &reply);
	if (r || reply.status)
		return pl_cuda_answer(r, &reply);
	pl_cuda_cuMemGetInfo_v2_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec))
		return CUDA_ERROR_UNKNOWN;
	limit = session->memory_bytes < got.total_bytes ? session->memory_bytes : got.total_bytes;
	used = pl_cuda_memory_used(session);
	if (total_bytes)
		*total_bytes = limit;
	if (free_bytes)
		*free_bytes = limit - used < got.free_bytes && used <= limit ? limit - used : got.free_bytes;
	return CUDA_SUCCESS;
}

/* ---- in a stream's order ---- */

/* The lease's name for a stream; 0: one of the threads' own, whose memory is not kept. */
static uint64_t stream_key(uint64_t stream, bool per_thread)
{
	return stream == (uintptr_t)CU_STREAM_PER_THREAD || (per_thread && !stream) ? 0 : stream + 1;
}

static CUresult alloc_async_ask(struct pl_session *session, const struct pl_cuda_cuMemAllocAsync_args *args,
				uint64_t *address_out)
{
	struct pl_cuda_cuMemAllocAsync_reply got;
	struct pl_reply reply;
	int r = PL_CUDA_ASK(session, cuMemAllocAsync, args, &reply);

	if (r || reply.status)
		return pl_cuda_answer(r, &reply);
	pl_cuda_cuMemAllocAsync_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec))
		return CUDA_ERROR_UNKNOWN;
	*address_out = got.address;
	return CUDA_SUCCESS;
}

/* A stream's, wherever the thread is. */
static struct pl_cuda_context *context_of(CUstream stream)
{
	const struct pl_cuda_object *object = pl_cuda_get(PL_CUDA_KIND_stream, stream);

	return object && object->context ? object->context : pl_cuda_thread.top;
}

/* pool: NULL = the device's own; what it points to has to be one. */
static CUresult alloc_async_once(bool per_thread, CUdeviceptr *address, size_t bytes, const CUmemoryPool *pool,
				 CUstream stream)
{
	struct pl_cuda_cuMemAllocAsync_args args = { .bytes = bytes, .per_thread = per_thread };
	struct pl_cuda_memory memory = { .kind = PL_CUDA_MEMORY_POOL, .bytes = bytes, .store = PL_ARENA_NONE };
	struct pl_session *session;
	CUresult result = pl_cuda_enter_of(PL_CUDA_OP_cuMemAllocAsync, PL_CUDA_KIND_stream, stream, &session);
	uint64_t key;

	if (result)
		return result;
	args.stream = pl_cuda_id(session, PL_CUDA_KIND_stream, stream);
	args.pool = pool ? pl_cuda_id(session, PL_CUDA_KIND_pool, *pool) : 0;
	if (stream && !args.stream)
		return CUDA_ERROR_INVALID_HANDLE;
	if (!address || (pool && !args.pool))
		return CUDA_ERROR_INVALID_VALUE;
	if (!bytes) { /* unlike cuMemAlloc()'s, that is success */
		*address = 0;
		return CUDA_SUCCESS;
	}
	memory.context = context_of(stream);
	memory.session = session;
	memory.pool = args.pool;
	memory.of_device = pl_cuda_pool_device(pool, memory.context->device);
	memory.handle_types = pl_cuda_pool_handle_types(pool, memory.context->device);
	if (pl_cuda_is_captured(stream, per_thread)) { /* it is the graph's */
		memory.kind = PL_CUDA_MEMORY_GRAPH;
		atomic_store(&pl_cuda_graphs_allocate, true);
	}
	key = stream_key(args.stream, per_thread);
	if (!key || !pl_cuda_lease_take(session, &memory, key))
		result = alloc_async_ask(session, &args, &memory.address);
	if (result == CUDA_ERROR_OUT_OF_MEMORY && pl_cuda_reclaim(session))
		result = alloc_async_ask(session, &args, &memory.address);
	return result ? result : allocated(session, address, &memory);
}

static CUresult alloc_async(bool per_thread, CUdeviceptr *address, size_t bytes, const CUmemoryPool *pool,
			    CUstream stream)
{
	CUresult result;

	TRY(result, alloc_async_once(per_thread, address, bytes, pool, stream));
	return result;
}

static CUresult free_async(bool per_thread, CUdeviceptr address, CUstream stream)
{
	struct pl_cuda_cuMemFreeAsync_args args = { .address = address, .per_thread = per_thread };
	struct pl_cuda_memory memory;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter_of(PL_CUDA_OP_cuMemFreeAsync, PL_CUDA_KIND_stream, stream, &session);
	uint64_t key;
	int r;

	if (result)
		return result;
	args.stream = pl_cuda_id(session, PL_CUDA_KIND_stream, stream);
	if (stream && !args.stream)
		return CUDA_ERROR_INVALID_HANDLE;
	if (!address)
		return CUDA_SUCCESS;
	key = stream_key(args.stream, per_thread);
	if (pl_cuda_captures_none() && pl_cuda_memory_find(address, &memory) && memory.kind == PL_CUDA_MEMORY_POOL &&
	    memory.address == address && pl_cuda_memory_take(address, &memory))
		return key && !memory.exported && pl_cuda_lease_keep(&memory, key)
			       ? CUDA_SUCCESS
			       : PL_CUDA_POST(session, cuMemFreeAsync, &args);
	pl_cuda_lease_touch(address);
	r = PL_CUDA_ASK(session, cuMemFreeAsync, &args, &reply);
	/* What a graph allocated, its next launch allocates again. */
	if (!r && !reply.status && pl_cuda_memory_find(address, &memory) && memory.kind != PL_CUDA_MEMORY_GRAPH &&
	    pl_cuda_memory_take(address, &memory))
		pl_cuda_direct_give_back(session, &memory);
	return pl_cuda_answer(r, &reply);
}

CUresult cuMemAllocAsync(CUdeviceptr *address, size_t bytes, CUstream stream)
{
	return alloc_async(false, address, bytes, NULL, stream);
}

CUresult cuMemAllocAsync_ptsz(CUdeviceptr *address, size_t bytes, CUstream stream)
{
	return alloc_async(true, address, bytes, NULL, stream);
}

CUresult cuMemAllocFromPoolAsync(CUdeviceptr *address, size_t bytes, CUmemoryPool pool, CUstream stream)
{
	return alloc_async(false, address, bytes, &pool, stream);
}

CUresult cuMemAllocFromPoolAsync_ptsz(CUdeviceptr *address, size_t bytes, CUmemoryPool pool, CUstream stream)
{
	return alloc_async(true, address, bytes, &pool, stream);
}

CUresult cuMemFreeAsync(CUdeviceptr address, CUstream stream)
{
	return free_async(false, address, stream);
}

CUresult cuMemFreeAsync_ptsz(CUdeviceptr address, CUstream stream)
{
	return free_async(true, address, stream);
}
