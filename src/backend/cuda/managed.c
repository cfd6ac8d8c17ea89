/*
 * Managed and mapped memory that the client has pages of its own for: they are fetched and brought back, at the
 * driver's addresses. Only ranges that the driver has said are managed, and still are, can be named, and host memory
 * that the client was given (host.c).
 */
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/copy.h"
#include "backend/cuda/session.h"
#include "base/cleanup.h"
#include "base/err.h"

#define KIND_MANAGED 1u /* the only kind in session->managed: `object` is a struct range */
#define PAGE_BYTES   4096u
#define PAGE_MASK    (PAGE_BYTES - 1ull)
#define MERGE_BYTES  (PAGE_BYTES + PAGE_BYTES / 8) /* a page, and a bit for each of its bytes */

/* What the client may name.  Changed with the turn and pages_lock held, read with one of them. */
struct range {
	uint64_t address;        /* one in it */
	uint64_t context, owner; /* with these it ends; owner: the module or library, 0 = none */
	bool ends;               /* it is about to */
};

static bool is_managed(uint64_t address)
{
	unsigned int managed = 0;

	return pl_cuda.cuPointerGetAttribute &&
	       !pl_cuda.cuPointerGetAttribute(&managed, CU_POINTER_ATTRIBUTE_IS_MANAGED, address) && managed;
}

/* The whole pages of the driver's range that holds the address.  Return: it is managed. */
static bool managed_range(uint64_t address, uint64_t *start, uint64_t *length)
{
	CUdeviceptr first = 0;
	size_t bytes = 0;
	uint64_t end;

	if (!is_managed(address) ||
	    pl_cuda.cuPointerGetAttribute(&first, CU_POINTER_ATTRIBUTE_RANGE_START_ADDR, address) ||
	    pl_cuda.cuPointerGetAttribute(&bytes, CU_POINTER_ATTRIBUTE_RANGE_SIZE, address) || first > address ||
	    bytes <= address - first || first + bytes + PAGE_MASK < first)
		return false;
	end = (first + bytes + PAGE_MASK) & ~PAGE_MASK;
	*start = first & ~PAGE_MASK;
	*length = end - *start;
	return true;
}

static void range_drop(struct pl_cuda_session *session, uint64_t start)
{
	struct pl_handle known;

	if (pl_handles_take(&session->managed, start, KIND_MANAGED, &known))
		free(known.object);
}

/* What the client may name from here on.  Return: it is managed, and noted. */
static bool managed_note(struct pl_cuda_session *session, uint64_t address, uint64_t owner, uint64_t *start,
			 uint64_t *length)
{
	struct range *range;
	int r;

	if (!managed_range(address, start, length))
		return false;
	range = malloc(sizeof(*range));
	if (!range)
		return false;
	*range = (struct range){ .address = address, .context = pl_cuda_current, .owner = owner };
	pthread_rwlock_wrlock(&session->pages_lock);
	range_drop(session, *start);
	r = pl_handles_put(&session->managed, *start, KIND_MANAGED, range, 0, NULL);
	pthread_rwlock_unlock(&session->pages_lock);
	if (r)
		free(range);
	return !r;
}

/* Has the client a right to these bytes?  Memory of before may have ended. */
static bool managed_holds(struct pl_serve *serve, uint64_t start, uint64_t address, uint64_t bytes)
{
	const struct range *range;
	struct pl_handle handle;
	uint64_t first, length;

	if (!pl_handles_get(&pl_cuda_session_of(serve)->managed, start, KIND_MANAGED, &handle))
		return false;
	range = handle.object;
	return !range->ends && managed_range(range->address, &first, &length) && first == start && address >= start &&
	       address - start <= length && bytes && bytes <= length - (address - start);
}

/* The range that begins with an allocation; NULL: none that the client may name.  Called with pages_lock held. */
static struct range *range_of(struct pl_cuda_session *session, uint64_t address)
{
	struct pl_handle handle;
	struct range *range;

	if (!pl_handles_get(&session->managed, address & ~PAGE_MASK, KIND_MANAGED, &handle))
		return NULL;
	range = handle.object;
	return range->address == address && !range->owner ? range : NULL;
}

void pl_cuda_managed_ends(struct pl_cuda_session *session, uint64_t address)
{
	struct range *range;

	pthread_rwlock_wrlock(&session->pages_lock);
	range = range_of(session, address);
	if (range)
		range->ends = true;
	pthread_rwlock_unlock(&session->pages_lock);
}

void pl_cuda_managed_ended(struct pl_cuda_session *session, uint64_t address, bool did)
{
	struct range *range;

	pthread_rwlock_wrlock(&session->pages_lock);
	range = range_of(session, address);
	if (range && did)
		range_drop(session, address & ~PAGE_MASK);
	else if (range)
		range->ends = false;
	pthread_rwlock_unlock(&session->pages_lock);
}

struct end {
	uint64_t id;
	bool ends;
};

static void end_mark(struct pl_handle *handle, void *arg)
{
	const struct end *end = arg;
	struct range *range = handle->object;

	if (range->context == end->id || range->owner == end->id)
		range->ends = end->ends;
}

void pl_cuda_pages_end(struct pl_cuda_session *session, uint64_t id, bool ends)
{
	struct end end = { id, ends };

	if (!id)
		return;
	pthread_rwlock_wrlock(&session->pages_lock);
	pl_handles_each(&session->managed, end_mark, &end);
	pl_cuda_host_ends(session, id, ends);
	pthread_rwlock_unlock(&session->pages_lock);
}

static bool pages_hold(struct pl_serve *serve, uint64_t start, uint64_t address, uint64_t bytes)
{
	return pl_cuda_host_holds(pl_cuda_session_of(serve), start, address, bytes) ||
	       managed_holds(serve, start, address, bytes);
}

/* ---- variables ---- */

static int32_t variable_find(struct pl_serve *serve, const struct pl_cuda_cuModuleGetGlobal_v2_args *args,
			     CUdeviceptr *address, size_t *bytes)
{
	const char *name = args->given & 4 ? args->name : NULL;
	int32_t status = CUDA_ERROR_NOT_SUPPORTED;
	uint16_t op = serve->head->op;
	void *owner = NULL;

	if (!(args->given & 1))
		address = NULL, bytes = NULL;
	if (op == PL_CUDA_OP_cuModuleGetGlobal_v2) {
		if (!pl_cuda_take(serve, args->module, PL_CUDA_KIND_module, &owner, &status))
			return status;
		return pl_cuda.cuModuleGetGlobal_v2 ? (int32_t)pl_cuda.cuModuleGetGlobal_v2(address, bytes, owner, name)
						    : CUDA_ERROR_NOT_SUPPORTED;
	}
	if (!pl_cuda_take(serve, args->library, PL_CUDA_KIND_library, &owner, &status))
		return status;
	if (op == PL_CUDA_OP_cuLibraryGetManaged)
		return pl_cuda.cuLibraryGetManaged ? (int32_t)pl_cuda.cuLibraryGetManaged(address, bytes, owner, name)
						   : CUDA_ERROR_NOT_SUPPORTED;
	return pl_cuda.cuLibraryGetGlobal ? (int32_t)pl_cuda.cuLibraryGetGlobal(address, bytes, owner, name)
					  : CUDA_ERROR_NOT_SUPPORTED;
}

void pl_cuda_serve_cuModuleGetGlobal_v2(struct pl_serve *serve, const struct pl_cuda_cuModuleGetGlobal_v2_args *args)
{
	struct pl_cuda_cuModuleGetGlobal_v2_reply reply = { 0 };
	CUdeviceptr address = 0;
	size_t bytes = 0;
	int32_t status = variable_find(serve, args, &address, &bytes);

	if (status) {
		pl_cuda_result(serve, status, 0);
		return;
	}
	reply.address = address;
	reply.bytes = bytes;
	if (address && !managed_note(pl_cuda_session_of(serve), address, args->module | args->library, &reply.start,
				     &reply.length))
		reply.start = reply.length = 0;
	if (pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_cuModuleGetGlobal_v2_reply_bytes(&reply), 0))
		return;
	pl_cuda_cuModuleGetGlobal_v2_reply_put(&serve->reply_enc, &reply);
	(void)pl_serve_reply_end(serve);
}

/* What is under way would write to pages that nobody has any more; the turn keeps all else away. */
static bool managed_place(struct pl_cuda_session *session, const struct pl_cuda_plManagedPlace_args *args)
{
	const struct pl_cuda_host *host = session->host;

	return host->managed_back && host->idle && !atomic_load(&session->contexts_many) && host->idle() &&
	       !host->managed_back(args->start, session->worker->arena + args->store, args->length);
}

void pl_cuda_serve_plManagedPlace(struct pl_serve *serve, const struct pl_cuda_plManagedPlace_args *args)
{
	struct pl_cuda_plManagedPlace_reply reply = { 0 };

	if (!pl_cuda_in_arena(serve->session, args->store, args->length) ||
	    !managed_holds(serve, args->start, args->start, args->length)) {
		pl_serve_refuse(serve, CUDA_ERROR_INVALID_VALUE);
		return;
	}
	reply.placed = managed_place(pl_cuda_session_of(serve), args);
	if (pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_plManagedPlace_reply_bytes(&reply), 0))
		return;
	pl_cuda_plManagedPlace_reply_put(&serve->reply_enc, &reply);
	(void)pl_serve_reply_end(serve);
}

/* ---- allocations ---- */

static int32_t managed_alloc(struct pl_serve *serve, const struct pl_cuda_plManagedAlloc_args *args,
			     struct pl_cuda_plManagedAlloc_reply *reply)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	CUdeviceptr address = 0;
	int32_t status = CUDA_ERROR_NOT_SUPPORTED;

	if (pl_cuda.cuMemAllocManaged)
		status = (int32_t)pl_cuda.cuMemAllocManaged(&address, args->size, args->flags);
	if (status)
		return status;
	reply->address = address;
	if (!managed_note(session, address, 0, &reply->start, &reply->length))
		status = CUDA_ERROR_NOT_SUPPORTED;
	else if (!pl_cuda_memory_note(session, address, args->size, pl_cuda_current))
		status = CUDA_ERROR_OUT_OF_MEMORY;
	if (status) {
		pl_cuda_managed_ended(session, address, true);
		pl_cuda.cuMemFree_v2(address);
	}
	return status;
}

void pl_cuda_serve_plManagedAlloc(struct pl_serve *serve, const struct pl_cuda_plManagedAlloc_args *args)
{
	struct pl_cuda_plManagedAlloc_reply reply = { 0 };
	int32_t status = managed_alloc(serve, args, &reply);

	if (status) {
		pl_quota_return(&serve->session->quota, PL_QUOTA_MEMORY, args->size);
		pl_cuda_result(serve, status, 0);
		return;
	}
	if (pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_plManagedAlloc_reply_bytes(&reply), 0))
		return;
	pl_cuda_plManagedAlloc_reply_put(&serve->reply_enc, &reply);
	(void)pl_serve_reply_end(serve);
}

/* ---- pages ---- */

/* The lane that fetches is of no thread of the program's, so no context is current there. */
static void context_ensure(struct pl_serve *serve)
{
	uint64_t first = atomic_load(&pl_cuda_session_of(serve)->context_first);
	void *context = NULL;
	int32_t status;

	if (!pl_cuda_current && pl_cuda_take(serve, first, PL_CUDA_KIND_context, &context, &status) &&
	    !pl_cuda.cuCtxSetCurrent(context))
		pl_cuda_current = first;
}

/* So that the client knows whether pages can change under it. */
static void idle_tell(struct pl_serve *serve)
{
	context_ensure(serve);
	pl_cuda_idle_tell(serve);
}

struct streams {
	bool captured, busy;
};

static void captured_look(struct pl_handle *handle, void *arg)
{
	CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
	struct streams *streams = arg;

	if (handle->kind == PL_CUDA_KIND_stream && !handle->failed)
		streams->captured |=
			pl_cuda.cuStreamIsCapturing(handle->object, &status) || status != CU_STREAM_CAPTURE_STATUS_NONE;
}

static void busy_look(struct pl_handle *handle, void *arg)
{
	struct streams *streams = arg;

	if (handle->kind == PL_CUDA_KIND_stream && !handle->failed && !streams->busy)
		streams->busy = pl_cuda.cuStreamQuery(handle->object) == CUDA_ERROR_NOT_READY;
}

/* To ask a stream while one is captured would end the capture.  Those of threads' own are not looked at. */
static bool streams_work(struct pl_serve *serve)
{
	struct streams streams = { 0 };

	if (!pl_cuda.cuStreamQuery || !pl_cuda.cuStreamIsCapturing)
		return false;
	pl_handles_each(&serve->session->handles, captured_look, &streams);
	if (streams.captured)
		return false;
	streams.busy = pl_cuda.cuStreamQuery(NULL) == CUDA_ERROR_NOT_READY;
	pl_handles_each(&serve->session->handles, busy_look, &streams);
	return streams.busy;
}

/* The only context, which is current, has something under way, as far as that can be said. */
static bool works(struct pl_serve *serve)
{
	const struct pl_cuda_session *session = pl_cuda_session_of(serve);

	if (!pl_cuda_current || atomic_load(&session->contexts_many))
		return false;
	return session->host->idle ? !session->host->idle() : streams_work(serve);
}

void pl_cuda_serve_plManagedRead(struct pl_serve *serve, const struct pl_cuda_plManagedRead_args *args)
{
	struct pl_cuda_plManagedRead_reply reply = { .data = { .kind = PL_BULK_AFTER, .bytes = args->size } };
	const void *pages = (const void *)(uintptr_t)args->address;
	pl_cleanup(pl_freep) void *own = NULL;

	if (args->size > PL_CUDA_LIMIT_MANAGED_MAX || !pages_hold(serve, args->start, args->address, args->size)) {
		pl_serve_refuse(serve, CUDA_ERROR_INVALID_VALUE);
		return;
	}
	idle_tell(serve); /* and then read: what is said to be idle has written all of it */
	reply.works = args->patient && works(serve);
	if (reply.works)
		reply.data.bytes = 0;
	/* A word there may say that a copy has been made: first read, and then the copy goes ahead of the answer. */
	if (pl_cuda_later_is_any(pl_cuda_session_of(serve)) && (own = malloc(args->size)))
		pages = memcpy(own, pages, args->size);
	if (pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_plManagedRead_reply_bytes(&reply), reply.data.bytes))
		return;
	pl_cuda_plManagedRead_reply_put(&serve->reply_enc, &reply);
	if (!pl_serve_reply_end(serve) && reply.data.bytes)
		(void)pl_serve_reply_bulk(serve, pages, reply.data.bytes);
}

/* Return: the client has a right to them. */
static bool pages_copy(struct pl_serve *serve, const struct pl_cuda_plManagedLook_args *args, void *to)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	bool holds;

	pthread_rwlock_rdlock(&session->pages_lock);
	holds = pages_hold(serve, args->start, args->address, args->size);
	if (holds)
		memcpy(to, (const void *)(uintptr_t)args->address, args->size);
	pthread_rwlock_unlock(&session->pages_lock);
	return holds;
}

/* Without the turn, so that nothing but its lock keeps the memory there; and no more is said of the device than is
 * asked for, as somebody may be in the middle of giving it work. */
void pl_cuda_serve_plManagedLook(struct pl_serve *serve, const struct pl_cuda_plManagedLook_args *args)
{
	struct pl_cuda_plManagedLook_reply reply = { .data = { .kind = PL_BULK_AFTER, .bytes = args->size } };
	pl_cleanup(pl_freep) void *own = NULL;

	pl_serve_give_turn(serve);
	if (!args->size || args->size > PL_CUDA_LIMIT_MANAGED_MAX) {
		pl_serve_refuse(serve, CUDA_ERROR_INVALID_VALUE);
		return;
	}
	if (pl_turn_behind(&serve->session->turn, args->behind)) {
		pl_lane_shutdown(serve->lane);
		return;
	}
	own = malloc(args->size);
	if (!own) {
		pl_serve_reply(serve, CUDA_ERROR_OUT_OF_MEMORY);
		return;
	}
	if (args->patient) {
		context_ensure(serve);
		reply.works = works(serve);
	}
	if (!pages_copy(serve, args, own)) {
		pl_serve_refuse(serve, CUDA_ERROR_INVALID_VALUE);
		return;
	}
	if (reply.works)
		reply.data.bytes = 0;
	if (pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_plManagedLook_reply_bytes(&reply), reply.data.bytes))
		return;
	pl_cuda_plManagedLook_reply_put(&serve->reply_enc, &reply);
	if (!pl_serve_reply_end(serve) && reply.data.bytes)
		(void)pl_serve_reply_bulk(serve, own, reply.data.bytes);
}

void pl_cuda_serve_plManagedWrite(struct pl_serve *serve, const struct pl_cuda_plManagedWrite_args *args)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	pl_cleanup(pl_freep) void *own = NULL;
	const void *data;
	bool holds;

	/* First they come, as late as the client likes: what they are for may have ended by then. */
	if (!pl_cuda_bulk_open(serve, &args->data, &data, &own)) {
		pl_serve_reply(serve, CUDA_ERROR_OUT_OF_MEMORY);
		return;
	}
	pthread_rwlock_rdlock(&session->pages_lock);
	holds = pages_hold(serve, args->start, args->address, args->data.bytes);
	if (holds)
		memcpy((void *)(uintptr_t)args->address, data, args->data.bytes);
	pthread_rwlock_unlock(&session->pages_lock);
	if (holds)
		pl_serve_reply(serve, CUDA_SUCCESS);
	else
		pl_serve_refuse(serve, CUDA_ERROR_INVALID_VALUE);
}

/* Bytes next to those that are named may be written by the device meanwhile; and a number of 2, 4 or 8 is seen whole.
 */
static void page_merge(uint64_t *to, const uint8_t *page, const uint8_t *mask)
{
	for (uint32_t i = 0; i < PAGE_BYTES / 8; i++) {
		uint64_t take = mask[i] * 0x0101010101010101u & 0x8040201008040201u, data, old;

		if (!take)
			continue;
		take |= take >> 4 & 0x0f0f0f0f0f0f0f0fu, take |= take >> 2 & 0x3f3f3f3f3f3f3f3fu;
		take |= take >> 1 & 0x7f7f7f7f7f7f7f7fu;
		take = (take & 0x0101010101010101u) * 0xff;
		memcpy(&data, page + 8 * i, 8);
		old = __atomic_load_n(&to[i], __ATOMIC_RELAXED);
		while (!__atomic_compare_exchange_n(&to[i], &old, (old & ~take) | (data & take), true, __ATOMIC_RELEASE,
						    __ATOMIC_RELAXED))
			;
	}
}

void pl_cuda_serve_plManagedMerge(struct pl_serve *serve, const struct pl_cuda_plManagedMerge_args *args)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	uint64_t pages = args->data.bytes / MERGE_BYTES;
	pl_cleanup(pl_freep) void *own = NULL;
	const void *data;
	bool holds;

	if (args->data.bytes % MERGE_BYTES || args->address % PAGE_BYTES) {
		pl_serve_refuse(serve, CUDA_ERROR_INVALID_VALUE);
		return;
	}
	if (!pl_cuda_bulk_open(serve, &args->data, &data, &own)) {
		pl_serve_reply(serve, CUDA_ERROR_OUT_OF_MEMORY);
		return;
	}
	pthread_rwlock_rdlock(&session->pages_lock);
	holds = pages_hold(serve, args->start, args->address, pages * PAGE_BYTES);
	for (uint64_t i = 0; i < pages && holds; i++) {
		const uint8_t *page = (const uint8_t *)data + i * MERGE_BYTES;

		page_merge((uint64_t *)(uintptr_t)(args->address + i * PAGE_BYTES), page, page + PAGE_BYTES);
	}
	pthread_rwlock_unlock(&session->pages_lock);
	if (holds)
		pl_serve_reply(serve, CUDA_SUCCESS);
	else
		pl_serve_refuse(serve, CUDA_ERROR_INVALID_VALUE);
}
