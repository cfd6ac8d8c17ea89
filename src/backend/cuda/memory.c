/* Device memory: who has how much of it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "backend/cuda/checkpoint.h"
#include "backend/cuda/graph-memory.h"
#include "backend/cuda/hostfn.h"
#include "backend/cuda/movable.h"
#include "backend/cuda/slab.h"
#include "backend/cuda/swap.h"
#include "base/err.h"

#define KIND_MEMORY 1u /* the only kind in session->memory */
#define PAGE_BYTES  4096u
#define HUGE_BYTES  (2u << 20)

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1 */
#endif

static int note(struct pl_cuda_session *session, uint64_t address, uint64_t bytes, uint64_t context)
{
	return pl_handles_put(&session->memory, address, KIND_MEMORY, (void *)(uintptr_t)bytes, 0,
			      (void *)(uintptr_t)context);
}

static bool note_end(struct pl_cuda_session *session, uint64_t address)
{
	struct pl_handle handle;

	pl_cuda_share_freed(session, address);
	if (!pl_handles_take(&session->memory, address, KIND_MEMORY, &handle))
		return false;
	pl_checkpoint_ended(address);
	pl_quota_return(&session->worker->quota, PL_QUOTA_MEMORY, (uintptr_t)handle.object);
	return true;
}

/* What had the address has gone unseen, if the driver gives it anew: memory of a graph, with that. */
bool pl_cuda_memory_note(struct pl_cuda_session *session, uint64_t address, uint64_t bytes, uint64_t context)
{
	int r = note(session, address, bytes, context);

	if (r == -EEXIST && note_end(session, address)) {
		pl_cuda_graph_memory_lost(session, address);
		r = note(session, address, bytes, context);
	}
	if (!r)
		pl_checkpoint_made(address, bytes ? bytes : 1);
	return !r;
}

int pl_cuda_memory_restore(struct pl_cuda_session *session, uint64_t address, uint64_t bytes, uint64_t context)
{
	int r;

	if (!pl_quota_charge(&session->worker->quota, PL_QUOTA_MEMORY, bytes))
		return pl_err(-ENOMEM);
	r = note(session, address, bytes, context);
	if (r)
		pl_quota_return(&session->worker->quota, PL_QUOTA_MEMORY, bytes);
	return r == -EEXIST ? -EPROTO : r ? -ENOMEM : 0;
}

bool pl_cuda_memory_forget(struct pl_cuda_session *session, uint64_t address)
{
	pl_cuda_movable_forget(session, address);
	return note_end(session, address);
}

struct left {
	uint64_t context;
	uint64_t *addresses;
	size_t count, room;
};

static void left_find(struct pl_handle *handle, void *arg)
{
	struct left *left = arg;

	if ((uintptr_t)handle->extra == left->context && left->count < left->room)
		left->addresses[left->count++] = handle->id;
}

void pl_cuda_memory_context_left(struct pl_cuda_session *session, uint64_t context)
{
	struct left left = { .context = context, .room = session->memory.count };

	left.addresses = calloc(left.room + 1, sizeof(*left.addresses));
	if (left.addresses)
		pl_handles_each(&session->memory, left_find, &left);
	for (size_t i = 0; i < left.count; i++)
		pl_cuda_memory_forget(session, left.addresses[i]);
	free(left.addresses);
	pl_cuda_slabs_context_left(session, context);
}

/* After an allocation that `bytes` were charged for.  Return: the status to answer with. */
static int32_t allocated(struct pl_serve *serve, int32_t status, uint64_t address, uint64_t bytes, uint64_t context)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);

	if (!status && !pl_cuda_memory_note(session, address, bytes, context)) {
		if (!pl_cuda_movable_free(serve, address, &status))
			pl_cuda.cuMemFree_v2(address);
		status = CUDA_ERROR_OUT_OF_MEMORY;
	}
	if (status)
		pl_quota_return(&serve->session->quota, PL_QUOTA_MEMORY, bytes);
	return status;
}

/* Kernels on long allocations want huge pages (docs/adr/0018).  A client of this machine has made them itself, one in a
 * guest can not.  Return: all of it lies in huge pages, or needs none. */
static bool memory_huge(const struct pl_session_worker *worker, uint64_t store, uint64_t bytes)
{
	if (!worker->arena_start || bytes <= HUGE_BYTES)
		return true;
	if (((uintptr_t)worker->arena | worker->arena_start | store | bytes) % HUGE_BYTES)
		return false;
	for (uint64_t at = store; at < store + bytes; at += HUGE_BYTES) {
		(void)*(volatile uint8_t *)(worker->arena + at); /* the first page has to be there */
		if (madvise(worker->arena + at, HUGE_BYTES, MADV_COLLAPSE))
			return false;
	}
	return true;
}

/* Where the driver can have it so, the client reaches the memory in a part of the shared memory that it has set aside.
 * Of whole pages: it lies in nothing else. */
static bool memory_share(struct pl_serve *serve, uint64_t address, uint64_t bytes, uint64_t store)
{
	const struct pl_cuda_host *host = pl_cuda_session_of(serve)->host;
	const struct pl_session_worker *worker = serve->session;
	uint64_t grain = worker->arena_start && bytes > HUGE_BYTES ? HUGE_BYTES : PAGE_BYTES;
	uint64_t whole = (bytes + grain - 1) & ~(grain - 1);

	return worker->arena && host->memory_back && whole >= bytes && !(store % PAGE_BYTES) &&
	       store <= worker->arena_bytes && whole <= worker->arena_bytes - store &&
	       memory_huge(worker, store, whole) && !host->memory_back(address, worker->arena + store, whole);
}

/* Where the server oversubscribes, other sessions' memory may have to move first. */
static int32_t memory_take(struct pl_serve *serve, uint64_t bytes, CUdeviceptr *address_out)
{
	int32_t status;

	if (pl_cuda_is_movable(pl_cuda_session_of(serve), bytes))
		return pl_cuda_movable_alloc(serve, bytes, address_out);
	do {
		status = (int32_t)pl_cuda.cuMemAlloc_v2(address_out, bytes);
	} while (pl_cuda_pressed(serve, status, bytes));
	return status;
}

/* The address is the driver's: the client leaves it to us. */
void pl_cuda_serve_cuMemAlloc_v2(struct pl_serve *serve, const struct pl_cuda_cuMemAlloc_v2_args *args)
{
	struct pl_cuda_cuMemAlloc_v2_reply reply = { 0 };
	int32_t status = CUDA_ERROR_NOT_SUPPORTED;
	CUdeviceptr address = 0;

	if (pl_cuda_promised(serve)) {
		pl_quota_return(&serve->session->quota, PL_QUOTA_MEMORY, args->bytes);
		return;
	}
	if (pl_cuda.cuMemAlloc_v2 && !args->address)
		status = memory_take(serve, args->bytes, &address);
	status = allocated(serve, status, address, args->bytes, pl_cuda_current);
	if (status) {
		pl_cuda_result(serve, status, 0);
		return;
	}
	reply.address = address;
	reply.shared = args->store && !pl_cuda_is_movable(pl_cuda_session_of(serve), args->bytes) &&
		       memory_share(serve, address, args->bytes, args->store - 1);
	if (pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_cuMemAlloc_v2_reply_bytes(&reply), 0))
		return;
	pl_cuda_cuMemAlloc_v2_reply_put(&serve->reply_enc, &reply);
	(void)pl_serve_reply_end(serve);
}

/* Where the server oversubscribes, each session has the device for itself, as far as it can see. */
void pl_cuda_serve_cuMemGetInfo_v2(struct pl_serve *serve, const struct pl_cuda_cuMemGetInfo_v2_args *args)
{
	const struct pl_swap *swap = &serve->session->swap;
	struct pl_cuda_cuMemGetInfo_v2_reply reply = { 0 };
	int32_t status = CUDA_ERROR_NOT_SUPPORTED;
	size_t left = 0, all = 0;
	uint64_t used;

	(void)args;
	if (pl_cuda.cuMemGetInfo_v2)
		status = (int32_t)pl_cuda.cuMemGetInfo_v2(&left, &all);
	if (!status && swap->ops) {
		used = atomic_load(&serve->session->quota.used[PL_QUOTA_MEMORY]);
		if (swap->device_bytes && swap->device_bytes < all)
			all = swap->device_bytes;
		left = used < all ? all - used : 0;
	}
	if (status) {
		pl_cuda_result(serve, status, 0);
		return;
	}
	reply.free_bytes = left;
	reply.total_bytes = all;
	if (pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_cuMemGetInfo_v2_reply_bytes(&reply), 0))
		return;
	pl_cuda_cuMemGetInfo_v2_reply_put(&serve->reply_enc, &reply);
	(void)pl_serve_reply_end(serve);
}

/* The driver alone knows the pitch, and says it with an allocation: of one row, which goes again. */
static int32_t pitch_ask(const struct pl_cuda_cuMemAllocPitch_v2_args *args, size_t *pitch_out)
{
	CUdeviceptr row = 0;
	CUresult r = pl_cuda.cuMemAllocPitch_v2(&row, pitch_out, args->width, 1, args->element_bytes);

	return (int32_t)(r || !pl_cuda.cuMemFree_v2 ? r : pl_cuda.cuMemFree_v2(row));
}

static int32_t pitched_take(struct pl_serve *serve, const struct pl_cuda_cuMemAllocPitch_v2_args *args,
			    CUdeviceptr *address_out, size_t *pitch_out)
{
	uint64_t whole;
	int32_t status;

	if (!serve->session->swap.all || !args->height)
		return (int32_t)pl_cuda.cuMemAllocPitch_v2(address_out, pitch_out, args->width, args->height,
							   args->element_bytes);
	do {
		status = pitch_ask(args, pitch_out);
	} while (pl_cuda_pressed(serve, status, args->width));
	if (status)
		return status;
	if (__builtin_mul_overflow(*pitch_out, args->height, &whole))
		return CUDA_ERROR_OUT_OF_MEMORY;
	return memory_take(serve, whole, address_out);
}

/* How much that is, only the driver knows: what is certain is charged first, the rest before the client has it. */
void pl_cuda_serve_cuMemAllocPitch_v2(struct pl_serve *serve, const struct pl_cuda_cuMemAllocPitch_v2_args *args)
{
	struct pl_cuda_cuMemAllocPitch_v2_reply reply = { 0 };
	struct pl_quota *quota = &serve->session->quota;
	int32_t status = CUDA_ERROR_OUT_OF_MEMORY;
	uint64_t bytes, whole;
	CUdeviceptr address = 0;
	size_t pitch = 0;

	if (pl_cuda_promised(serve))
		return;
	if (__builtin_mul_overflow(args->width, args->height, &bytes) || !pl_cuda.cuMemAllocPitch_v2 ||
	    !pl_quota_charge(quota, PL_QUOTA_MEMORY, bytes)) {
		pl_cuda_result(serve, status, 0);
		return;
	}
	status = pitched_take(serve, args, &address, &pitch);
	whole = pitch * args->height;
	if (!status && whole > bytes) {
		if (pl_quota_charge(quota, PL_QUOTA_MEMORY, whole - bytes)) {
			bytes = whole;
		} else {
			if (!pl_cuda_movable_free(serve, address, &status))
				pl_cuda.cuMemFree_v2(address);
			status = CUDA_ERROR_OUT_OF_MEMORY;
		}
	}
	status = allocated(serve, status, address, bytes, pl_cuda_current);
	if (status) {
		pl_cuda_result(serve, status, 0);
		return;
	}
	reply.address = address;
	reply.pitch = pitch;
	if (pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_cuMemAllocPitch_v2_reply_bytes(&reply), 0))
		return;
	pl_cuda_cuMemAllocPitch_v2_reply_put(&serve->reply_enc, &reply);
	(void)pl_serve_reply_end(serve);
}

/* Keeps the turn: an allocation that comes behind it finds the memory free. */
void pl_cuda_serve_cuMemFree_v2(struct pl_serve *serve, const struct pl_cuda_cuMemFree_v2_args *args)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	int32_t status = CUDA_ERROR_NOT_SUPPORTED;

	if (pl_cuda_promise_ends(session, args->address)) {
		pl_cuda_result(serve, CUDA_SUCCESS, 0);
		return;
	}
	pl_cuda_managed_ends(session, args->address);
	if (pl_cuda.cuMemFree_v2 && !pl_cuda_movable_free(serve, args->address, &status))
		status = (int32_t)pl_cuda.cuMemFree_v2(args->address);
	pl_cuda_managed_ended(session, args->address, !status);
	if (!status && !pl_cuda_graph_memory_freed(session, args->address))
		pl_cuda_memory_forget(session, args->address);
	pl_cuda_result(serve, status, 0);
}

/* Stream-ordered allocation; the memory is charged until the free is issued, a graph's as graph-memory.h says. */
void pl_cuda_serve_cuMemAllocAsync(struct pl_serve *serve, const struct pl_cuda_cuMemAllocAsync_args *args)
{
	struct pl_cuda_cuMemAllocAsync_reply reply = { 0 };
	__typeof__(&cuMemAllocAsync) call = args->per_thread ? pl_cuda.cuMemAllocAsync_ptsz : pl_cuda.cuMemAllocAsync;
	__typeof__(&cuMemAllocFromPoolAsync) from =
		args->per_thread ? pl_cuda.cuMemAllocFromPoolAsync_ptsz : pl_cuda.cuMemAllocFromPoolAsync;
	void *stream = NULL, *pool = NULL;
	int32_t status = CUDA_ERROR_NOT_SUPPORTED;
	CUdeviceptr address = 0;
	CUgraph graph;

	if (pl_cuda_take(serve, args->stream, PL_CUDA_KIND_stream, &stream, &status) &&
	    pl_cuda_take(serve, args->pool, PL_CUDA_KIND_pool, &pool, &status) && !args->address) {
		status = CUDA_ERROR_NOT_SUPPORTED;
		if (args->pool && from)
			status = (int32_t)from(&address, args->bytes, pool, stream);
		else if (!args->pool && call)
			status = (int32_t)call(&address, args->bytes, stream);
	}
	status = allocated(serve, status, address, args->bytes, 0); /* no context's */
	graph = status ? NULL : pl_cuda_capture_graph(stream, args->per_thread);
	if (graph) {
		atomic_store(&pl_cuda_session_of(serve)->graphs_allocate, true);
		pl_cuda_captured_memory(pl_cuda_session_of(serve), graph, address);
		pl_cuda_graph_memory_made(pl_cuda_session_of(serve), address);
	}
	if (status) {
		pl_cuda_result(serve, status, 0);
		return;
	}
	reply.address = address;
	if (pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_cuMemAllocAsync_reply_bytes(&reply), 0))
		return;
	pl_cuda_cuMemAllocAsync_reply_put(&serve->reply_enc, &reply);
	(void)pl_serve_reply_end(serve);
}

/* Memory of cuMemAlloc() goes at once here, too; what a captured stream may free is the driver's to say. */
static int32_t free_async(struct pl_serve *serve, const struct pl_cuda_cuMemFreeAsync_args *args, CUstream stream)
{
	__typeof__(&cuMemFreeAsync) call = args->per_thread ? pl_cuda.cuMemFreeAsync_ptsz : pl_cuda.cuMemFreeAsync;
	int32_t status;

	if (!call)
		return CUDA_ERROR_NOT_SUPPORTED;
	if (serve->session->swap.ops && !pl_cuda_capture_graph(stream, args->per_thread) &&
	    pl_cuda_movable_free(serve, args->address, &status))
		return status;
	return (int32_t)call(args->address, stream);
}

/* In a stream that is captured it is a graph's, which frees it with each launch. */
static void freed_async(struct pl_cuda_session *session, uint64_t address, CUstream stream, bool per_thread)
{
	if (session->books && pl_cuda_capture_graph(stream, per_thread))
		return;
	if (!pl_cuda_graph_memory_freed(session, address))
		pl_cuda_memory_forget(session, address);
}

void pl_cuda_serve_cuMemFreeAsync(struct pl_serve *serve, const struct pl_cuda_cuMemFreeAsync_args *args)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	int32_t status = CUDA_ERROR_NOT_SUPPORTED;
	void *stream = NULL;

	if (pl_cuda_promise_ends(session, args->address)) {
		pl_cuda_result(serve, CUDA_SUCCESS, 0);
		return;
	}
	pl_cuda_managed_ends(session, args->address);
	if (pl_cuda_take(serve, args->stream, PL_CUDA_KIND_stream, &stream, &status))
		status = free_async(serve, args, stream);
	pl_cuda_managed_ended(session, args->address, !status);
	if (!status)
		freed_async(session, args->address, stream, args->per_thread);
	pl_cuda_result(serve, status, args->stream);
}

/* What was sent so far ends before anything that comes later begins: the client uses memory again that it has freed. */
void pl_cuda_serve_plWaited(struct pl_serve *serve, const struct pl_cuda_plWaited_args *args)
{
	(void)args;
	pl_serve_give_turn(serve);
	pl_cuda_result(serve, pl_cuda.cuCtxSynchronize ? (int32_t)pl_cuda.cuCtxSynchronize() : CUDA_ERROR_NOT_SUPPORTED,
		       0);
}

void pl_cuda_serve_plSettle(struct pl_serve *serve, const struct pl_cuda_plSettle_args *args)
{
	(void)args;
	pl_cuda_result(serve, pl_cuda.cuCtxSynchronize ? (int32_t)pl_cuda.cuCtxSynchronize() : CUDA_ERROR_NOT_SUPPORTED,
		       0);
}

/* Memory that moves loses what the driver keeps of it.  That its copies end with their calls matters to other devices
 * of a machine, which nobody gives the memory to: the client keeps the attribute. */
void pl_cuda_serve_cuPointerSetAttribute(struct pl_serve *serve, const struct pl_cuda_cuPointerSetAttribute_args *args)
{
	uint64_t value = args->value; /* little endian: a word where the attribute is one */
	int32_t status = CUDA_ERROR_NOT_SUPPORTED;

	if (args->attribute == CU_POINTER_ATTRIBUTE_SYNC_MEMOPS &&
	    pl_cuda_movable_holds(pl_cuda_session_of(serve), args->address, 1))
		status = CUDA_SUCCESS;
	else if (pl_cuda.cuPointerSetAttribute)
		status = (int32_t)pl_cuda.cuPointerSetAttribute(&value, (CUpointer_attribute)args->attribute,
								args->address);
	pl_cuda_result(serve, status, 0);
}

/* A mapping that nobody has access to: a copy to it is refused. */
static bool is_closed(uint64_t address)
{
	unsigned long long flags;

	return !pl_cuda.cuPointerGetAttribute(&flags, CU_POINTER_ATTRIBUTE_ACCESS_FLAGS, address) &&
	       flags == CU_POINTER_ATTRIBUTE_ACCESS_FLAG_NONE;
}

static bool range_known(uint64_t address, uint64_t bytes, bool open)
{
	uint64_t at = address, end = address + bytes;

	if (end < address || !pl_cuda.cuPointerGetAttribute)
		return false;
	while (at < end) {
		CUdeviceptr start = 0;
		size_t room = 0;

		if (pl_cuda.cuPointerGetAttribute(&start, CU_POINTER_ATTRIBUTE_RANGE_START_ADDR, at) ||
		    pl_cuda.cuPointerGetAttribute(&room, CU_POINTER_ATTRIBUTE_RANGE_SIZE, at) || start > at ||
		    room <= at - start || (open && is_closed(at)))
			return false;
		at = start + room;
	}
	return true;
}

bool pl_cuda_address_known(uint64_t address, uint64_t bytes)
{
	return range_known(address, bytes, false);
}

bool pl_cuda_address_open(uint64_t address, uint64_t bytes)
{
	return range_known(address, bytes, true);
}
