/* Device memory. */
#include "client/cuda/memory.h"

#include <stdlib.h>

#include "cuda/ranges.h"

static struct {
	pthread_rwlock_t lock;
	struct pl_cuda_ranges all; /* under lock; of struct pl_cuda_memory, owned */
	_Atomic uint64_t ids;
} table = { .lock = PTHREAD_RWLOCK_INITIALIZER };

bool pl_cuda_memory_enter(const struct pl_cuda_memory *memory)
{
	struct pl_cuda_memory *copy = malloc(sizeof(*copy));
	int r;

	if (!copy)
		return false;
	*copy = *memory;
	copy->id = atomic_fetch_add(&table.ids, 1) + 1;
	pthread_rwlock_wrlock(&table.lock);
	r = pl_cuda_ranges_insert(&table.all, copy->address, copy->bytes, copy);
	pthread_rwlock_unlock(&table.lock);
	if (r)
		free(copy);
	return !r;
}

bool pl_cuda_memory_find(uint64_t address, struct pl_cuda_memory *memory_out)
{
	struct pl_cuda_range *range;

	pthread_rwlock_rdlock(&table.lock);
	range = pl_cuda_ranges_find(&table.all, address);
	if (range)
		*memory_out = *(struct pl_cuda_memory *)range->value;
	pthread_rwlock_unlock(&table.lock);
	return range != NULL;
}

bool pl_cuda_memory_take(uint64_t address, struct pl_cuda_memory *memory_out)
{
	struct pl_cuda_memory *memory = NULL;
	struct pl_cuda_range *range;

	pthread_rwlock_wrlock(&table.lock);
	range = pl_cuda_ranges_find(&table.all, address);
	if (range && range->start == address) {
		memory = range->value;
		pl_cuda_ranges_remove(&table.all, range);
	}
	pthread_rwlock_unlock(&table.lock);
	if (!memory)
		return false;
	*memory_out = *memory;
	free(memory);
	return true;
}

static bool on_device(const struct pl_cuda_memory *memory)
{
	return memory->kind == PL_CUDA_MEMORY_DEVICE || memory->kind == PL_CUDA_MEMORY_POOL;
}

bool pl_cuda_memory_is_device(uint64_t address, uint64_t bytes)
{
	struct pl_cuda_memory memory;

	return pl_cuda_memory_find(address, &memory) && on_device(&memory) &&
	       bytes <= memory.bytes - (address - memory.address);
}

bool pl_cuda_memory_on_device(uint64_t address)
{
	struct pl_cuda_memory memory;

	return pl_cuda_memory_find(address, &memory) && on_device(&memory);
}

void pl_cuda_memory_context_gone(struct pl_cuda_context *context)
{
	pthread_rwlock_wrlock(&table.lock);
	for (size_t i = table.all.n; i--;) {
		struct pl_cuda_memory *memory = table.all.range[i].value;

		if (memory->context != context || memory->kind != PL_CUDA_MEMORY_DEVICE)
			continue;
		pl_cuda_ranges_remove(&table.all, &table.all.range[i]);
		free(memory);
	}
	pthread_rwlock_unlock(&table.lock);
}

/* ---- allocation ---- */

/* An allocation that the server has made.  What can not be entered is given back. */
static CUresult allocated(struct pl_session *session, CUdeviceptr *address, uint64_t at, uint64_t bytes,
			  enum pl_cuda_memory_kind kind)
{
	const struct pl_cuda_memory memory = {
		.address = at, .bytes = bytes, .kind = kind, .context = pl_cuda_thread.top
	};
	struct pl_cuda_cuMemFree_v2_args args = { .address = at };

	if (pl_cuda_memory_enter(&memory)) {
		*address = at;
		return CUDA_SUCCESS;
	}
	(void)PL_CUDA_POST(session, cuMemFree_v2, &args);
	return CUDA_ERROR_OUT_OF_MEMORY;
}

CUresult cuMemAlloc_v2(CUdeviceptr *address, size_t bytes)
{
	struct pl_cuda_cuMemAlloc_v2_args args = { .bytes = bytes };
	struct pl_cuda_cuMemAlloc_v2_reply got;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter(PL_CUDA_OP_cuMemAlloc_v2, &session);
	int r;

	if (result)
		return result;
	if (!address || !bytes)
		return CUDA_ERROR_INVALID_VALUE;
	r = PL_CUDA_ASK(session, cuMemAlloc_v2, &args, &reply);
	if (r || reply.status)
		return r ? pl_cuda_fault(r) : (CUresult)reply.status;
	pl_cuda_cuMemAlloc_v2_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec))
		return CUDA_ERROR_UNKNOWN;
	return allocated(session, address, got.address, bytes, PL_CUDA_MEMORY_DEVICE);
}

CUresult cuMemAllocPitch_v2(CUdeviceptr *address, size_t *pitch, size_t width_bytes, size_t height,
			    unsigned int element_bytes)
{
	struct pl_cuda_cuMemAllocPitch_v2_args args = { .width = width_bytes,
							.height = height,
							.element_bytes = element_bytes };
	struct pl_cuda_cuMemAllocPitch_v2_reply got;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter(PL_CUDA_OP_cuMemAllocPitch_v2, &session);
	int r;

	if (result)
		return result;
	if (!address || !pitch)
		return CUDA_ERROR_INVALID_VALUE;
	r = PL_CUDA_ASK(session, cuMemAllocPitch_v2, &args, &reply);
	if (r || reply.status)
		return r ? pl_cuda_fault(r) : (CUresult)reply.status;
	pl_cuda_cuMemAllocPitch_v2_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec))
		return CUDA_ERROR_UNKNOWN;
	*pitch = got.pitch;
	return allocated(session, address, got.address, got.pitch * height, PL_CUDA_MEMORY_DEVICE);
}

CUresult cuMemFree_v2(CUdeviceptr address)
{
	struct pl_cuda_cuMemFree_v2_args args = { .address = address };
	struct pl_cuda_memory memory;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter(PL_CUDA_OP_cuMemFree_v2, &session);
	int r;

	if (result || !address)
		return result;
	if (pl_cuda_memory_find(address, &memory) && memory.address == address &&
	    (memory.kind == PL_CUDA_MEMORY_DEVICE || memory.kind == PL_CUDA_MEMORY_POOL)) {
		pl_cuda_memory_take(address, &memory);
		return PL_CUDA_POST(session, cuMemFree_v2, &args);
	}
	r = PL_CUDA_ASK(session, cuMemFree_v2, &args, &reply); /* the driver says what is wrong with it */
	return r ? pl_cuda_fault(r) : (CUresult)reply.status;
}

/* ---- in a stream's order ---- */

static CUresult alloc_async(bool per_thread, CUdeviceptr *address, size_t bytes, CUmemoryPool pool, CUstream stream)
{
	struct pl_cuda_cuMemAllocAsync_args args = { .bytes = bytes, .per_thread = per_thread };
	struct pl_cuda_cuMemAllocAsync_reply got;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter(PL_CUDA_OP_cuMemAllocAsync, &session);
	int r;

	if (result)
		return result;
	if (!address || !bytes)
		return CUDA_ERROR_INVALID_VALUE;
	args.stream = pl_cuda_id(session, PL_CUDA_KIND_stream, stream);
	args.pool = pl_cuda_id(session, PL_CUDA_KIND_pool, pool);
	if (stream && !args.stream)
		return CUDA_ERROR_INVALID_HANDLE;
	if (pool && !args.pool)
		return CUDA_ERROR_INVALID_VALUE;
	r = PL_CUDA_ASK(session, cuMemAllocAsync, &args, &reply);
	if (r || reply.status)
		return r ? pl_cuda_fault(r) : (CUresult)reply.status;
	pl_cuda_cuMemAllocAsync_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec))
		return CUDA_ERROR_UNKNOWN;
	return allocated(session, address, got.address, bytes, PL_CUDA_MEMORY_POOL);
}

static CUresult free_async(bool per_thread, CUdeviceptr address, CUstream stream)
{
	struct pl_cuda_cuMemFreeAsync_args args = { .address = address, .per_thread = per_thread };
	struct pl_cuda_memory memory;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter(PL_CUDA_OP_cuMemFreeAsync, &session);
	int r;

	if (result)
		return result;
	args.stream = pl_cuda_id(session, PL_CUDA_KIND_stream, stream);
	if (stream && !args.stream)
		return CUDA_ERROR_INVALID_HANDLE;
	if (pl_cuda_memory_take(address, &memory))
		return PL_CUDA_POST(session, cuMemFreeAsync, &args);
	r = PL_CUDA_ASK(session, cuMemFreeAsync, &args, &reply);
	return r ? pl_cuda_fault(r) : (CUresult)reply.status;
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
	return alloc_async(false, address, bytes, pool, stream);
}

CUresult cuMemAllocFromPoolAsync_ptsz(CUdeviceptr *address, size_t bytes, CUmemoryPool pool, CUstream stream)
{
	return alloc_async(true, address, bytes, pool, stream);
}

CUresult cuMemFreeAsync(CUdeviceptr address, CUstream stream)
{
	return free_async(false, address, stream);
}

CUresult cuMemFreeAsync_ptsz(CUdeviceptr address, CUstream stream)
{
	return free_async(true, address, stream);
}
