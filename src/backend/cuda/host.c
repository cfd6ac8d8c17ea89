/* Host memory that devices reach: in the session's shared memory, where the driver works in it in place, or the
 * driver's own, whose pages the client fetches and brings back (managed.c). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "backend/cuda/checkpoint.h"
#include "base/err.h"

/* In session->shared: `extra` is the context's id; `failed`: the client has no right to its bytes any more. */
#define HOST_ENDS    1  /* with its context */
#define HOST_REFUSED 2  /* the driver was asked to free it, and has not */
#define KIND_SHARED  1u /* `object` is a struct pl_cuda_shared */
#define KIND_OWN     2u /* the driver's own: `object` is how many bytes it is charged */
#define KIND_PLACED  3u /* the worker's, at an address of the client's, registered: `object` as well */
#define PAGE_BYTES   4096u

struct pl_cuda_shared {
	uint64_t bytes, store, context;
};

static void shared_end(struct pl_cuda_session *session, const struct pl_handle *handle)
{
	struct pl_cuda_shared *shared = handle->kind == KIND_SHARED ? handle->object : NULL;

	pl_checkpoint_ended(handle->id);
	pl_quota_return(&session->worker->quota, PL_QUOTA_HOST, shared ? shared->bytes : (uintptr_t)handle->object);
	free(shared);
}

bool pl_cuda_in_arena(const struct pl_session_worker *worker, uint64_t store, uint64_t bytes)
{
	return worker->arena && bytes && !(store % PAGE_BYTES) && store <= worker->arena_bytes &&
	       bytes <= worker->arena_bytes - store;
}

static int32_t shared_register(struct pl_serve *serve, const struct pl_cuda_cuMemHostAlloc_args *args,
			       uint64_t *device_out)
{
	uint8_t *host = serve->session->arena + args->store;
	unsigned int flags = CU_MEMHOSTREGISTER_DEVICEMAP;
	CUdeviceptr device = 0;
	CUresult r;

	if (!pl_cuda.cuMemHostRegister_v2 || !pl_cuda.cuMemHostGetDevicePointer_v2 || !pl_cuda.cuMemHostUnregister)
		return CUDA_ERROR_NOT_SUPPORTED;
	if (args->flags & CU_MEMHOSTALLOC_PORTABLE)
		flags |= CU_MEMHOSTREGISTER_PORTABLE;
	r = pl_cuda.cuMemHostRegister_v2(host, args->bytes, flags);
	if (r)
		return (int32_t)r;
	r = pl_cuda.cuMemHostGetDevicePointer_v2(&device, host, 0);
	if (r)
		pl_cuda.cuMemHostUnregister(host);
	*device_out = device;
	return (int32_t)r;
}

/* The client says which part of the shared memory it has set aside. */
void pl_cuda_serve_cuMemHostAlloc(struct pl_serve *serve, const struct pl_cuda_cuMemHostAlloc_args *args)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	struct pl_cuda_cuMemHostAlloc_reply reply = { 0 };
	struct pl_cuda_shared *shared;
	int32_t status;

	if (!pl_cuda_in_arena(serve->session, args->store, args->bytes)) {
		pl_serve_refuse(serve, CUDA_ERROR_INVALID_VALUE);
		return;
	}
	shared = malloc(sizeof(*shared));
	if (!shared) {
		pl_cuda_result(serve, CUDA_ERROR_OUT_OF_MEMORY, 0);
		return;
	}
	*shared = (struct pl_cuda_shared){ args->bytes, args->store, pl_cuda_current };
	status = shared_register(serve, args, &reply.device);
	if (!status &&
	    pl_handles_put(&session->shared, args->host, KIND_SHARED, shared, 0, (void *)(uintptr_t)pl_cuda_current)) {
		pl_cuda.cuMemHostUnregister(serve->session->arena + args->store);
		status = CUDA_ERROR_INVALID_VALUE;
	}
	if (status) {
		free(shared);
		pl_cuda_result(serve, status, 0);
		return;
	}
	pl_cuda_charge_keep();
	if (pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_cuMemHostAlloc_reply_bytes(&reply), 0))
		return;
	pl_cuda_cuMemHostAlloc_reply_put(&serve->reply_enc, &reply);
	(void)pl_serve_reply_end(serve);
}

static uint64_t pages_of(uint64_t bytes)
{
	return (bytes + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1ull);
}

/* Whole pages, of zeros, at one address for the program and the device. */
static int32_t own_alloc(uint64_t bytes, unsigned int flags, void **host_out)
{
	CUdeviceptr device = 0;
	void *host = NULL;
	CUresult r;

	if (!pl_cuda.cuMemHostAlloc || !pl_cuda.cuMemFreeHost || !pl_cuda.cuMemHostGetDevicePointer_v2)
		return CUDA_ERROR_NOT_SUPPORTED;
	r = pl_cuda.cuMemHostAlloc(&host, bytes, (flags & CU_MEMHOSTALLOC_PORTABLE) | CU_MEMHOSTALLOC_DEVICEMAP);
	if (r)
		return (int32_t)r;
	r = pl_cuda.cuMemHostGetDevicePointer_v2(&device, host, 0);
	if (!r && (device != (uintptr_t)host || device % PAGE_BYTES))
		r = CUDA_ERROR_NOT_SUPPORTED;
	if (r)
		pl_cuda.cuMemFreeHost(host);
	else
		memset(host, 0, bytes); /* what lay there before is nobody's business */
	*host_out = host;
	return (int32_t)r;
}

/* ---- at an address of the client's ---- */

/* The program has had it for a while, and may be capturing: that is no affair of these calls. */
static void capture_mode_swap(CUstreamCaptureMode *mode)
{
	if (pl_cuda.cuThreadExchangeStreamCaptureMode)
		(void)pl_cuda.cuThreadExchangeStreamCaptureMode(mode);
}

static int32_t placed_register(void *host, uint64_t bytes)
{
	CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_RELAXED;
	CUdeviceptr device = 0;
	CUresult r;

	if (!pl_cuda.cuMemHostRegister_v2 || !pl_cuda.cuMemHostGetDevicePointer_v2 || !pl_cuda.cuMemHostUnregister)
		return CUDA_ERROR_NOT_SUPPORTED;
	capture_mode_swap(&mode);
	r = pl_cuda.cuMemHostRegister_v2(host, bytes, CU_MEMHOSTREGISTER_PORTABLE | CU_MEMHOSTREGISTER_DEVICEMAP);
	if (!r) {
		r = pl_cuda.cuMemHostGetDevicePointer_v2(&device, host, 0);
		if (!r && device != (uintptr_t)host)
			r = CUDA_ERROR_NOT_SUPPORTED;
		if (r)
			pl_cuda.cuMemHostUnregister(host);
	}
	capture_mode_swap(&mode);
	return (int32_t)r;
}

static int32_t placed_alloc(uint64_t address, uint64_t bytes)
{
	void *host = mmap((void *)(uintptr_t)address, bytes, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	int32_t status;

	if (host == MAP_FAILED)
		return errno == EEXIST ? CUDA_ERROR_NOT_SUPPORTED : CUDA_ERROR_OUT_OF_MEMORY;
	status = (uintptr_t)host == address ? placed_register(host, bytes) : CUDA_ERROR_NOT_SUPPORTED;
	if (status)
		munmap(host, bytes);
	return status;
}

static int32_t placed_free(uint64_t address, uint64_t bytes)
{
	void *host = (void *)(uintptr_t)address;
	int32_t status = (int32_t)pl_cuda.cuMemHostUnregister(host);

	if (!status || status == CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED)
		munmap(host, bytes);
	return status;
}

/* ---- at an address that a worker to come has free, too ---- */

/* No system puts anything there: programs, libraries, heaps, stacks and what sanitizers have lie elsewhere. */
#define KEPT_BASE  0x480000000000u
#define KEPT_END   0x500000000000u
#define KEPT_GRAIN (2u << 20)
#define KEPT_TRIES 16

/* Where the call is said again: where it was.  Else behind what was given before, for sessions that may be written
 * down. Return: the status; *address_out where it is 0. */
static int32_t kept_alloc(struct pl_cuda_session *session, uint64_t bytes, uint64_t *address_out)
{
	uint64_t again = pl_cuda_again_address(session), at = again ? again : session->kept.host_next;
	int32_t status = CUDA_ERROR_NOT_SUPPORTED;

	if (at < KEPT_BASE || at >= KEPT_END)
		at = KEPT_BASE;
	for (int i = 0; status == CUDA_ERROR_NOT_SUPPORTED && i < (again ? 1 : KEPT_TRIES) && bytes < KEPT_END - at;
	     i++) {
		*address_out = at;
		status = placed_alloc(at, bytes);
		at += (bytes + KEPT_GRAIN - 1) & ~(KEPT_GRAIN - 1ull);
	}
	if (session->kept.host_next < at)
		session->kept.host_next = at;
	return status;
}

void pl_cuda_serve_plHostAlloc(struct pl_serve *serve, const struct pl_cuda_plHostAlloc_args *args)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	struct pl_cuda_plHostAlloc_reply reply = { .length = pages_of(args->size) };
	const bool kept = serve->session->checkpoint;
	int32_t status = CUDA_ERROR_INVALID_VALUE;
	void *host = NULL;

	if (args->size && reply.length >= args->size)
		status = kept ? kept_alloc(session, reply.length, &reply.address)
			      : own_alloc(reply.length, args->flags, &host);
	if (kept)
		host = (void *)(uintptr_t)reply.address;
	if (!status && pl_handles_put(&session->shared, (uintptr_t)host, kept ? KIND_PLACED : KIND_OWN,
				      (void *)(uintptr_t)args->size, 0, (void *)(uintptr_t)pl_cuda_current)) {
		(void)(kept ? placed_free(reply.address, reply.length) : (int32_t)pl_cuda.cuMemFreeHost(host));
		status = CUDA_ERROR_INVALID_VALUE;
	}
	if (status) {
		pl_cuda_result(serve, status, 0);
		return;
	}
	reply.address = (uintptr_t)host;
	pl_checkpoint_made(reply.address, reply.length);
	pl_cuda_charge_keep();
	if (pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_plHostAlloc_reply_bytes(&reply), 0))
		return;
	pl_cuda_plHostAlloc_reply_put(&serve->reply_enc, &reply);
	(void)pl_serve_reply_end(serve);
}

void pl_cuda_serve_plHostPlace(struct pl_serve *serve, const struct pl_cuda_plHostPlace_args *args)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	int32_t status;

	if (!args->size || (args->address | args->size) % PAGE_BYTES || args->address + args->size < args->size) {
		pl_serve_refuse(serve, CUDA_ERROR_INVALID_VALUE);
		return;
	}
	status = placed_alloc(args->address, args->size);
	if (!status && pl_handles_put(&session->shared, args->address, KIND_PLACED, (void *)(uintptr_t)args->size, 0,
				      (void *)(uintptr_t)pl_cuda_current)) {
		(void)placed_free(args->address, args->size);
		status = CUDA_ERROR_INVALID_VALUE;
	}
	if (!status) {
		pl_checkpoint_made(args->address, args->size);
		pl_cuda_charge_keep();
	}
	pl_cuda_result(serve, status, 0);
}

/* ---- as it is used, and ends ---- */

bool pl_cuda_host_holds(struct pl_cuda_session *session, uint64_t start, uint64_t address, uint64_t bytes)
{
	struct pl_handle handle;
	uint64_t length;

	if ((!pl_handles_get(&session->shared, start, KIND_OWN, &handle) &&
	     !pl_handles_get(&session->shared, start, KIND_PLACED, &handle)) ||
	    handle.failed)
		return false;
	length = pages_of((uintptr_t)handle.object);
	return address >= start && address - start <= length && bytes && bytes <= length - (address - start);
}

static bool host_get(struct pl_cuda_session *session, uint64_t host, struct pl_handle *handle)
{
	return pl_handles_get(&session->shared, host, KIND_OWN, handle) ||
	       pl_handles_get(&session->shared, host, KIND_PLACED, handle) ||
	       pl_handles_get(&session->shared, host, KIND_SHARED, handle);
}

/* ended: it has gone with its context; else what ends with one is that's.  Return: taken; from here on nobody writes to
 * it, or is about to. */
static bool host_take(struct pl_cuda_session *session, uint64_t host, bool ended, struct pl_handle *handle)
{
	bool taken;

	pthread_rwlock_wrlock(&session->pages_lock);
	taken = host_get(session, host, handle) && (ended || handle->failed != HOST_ENDS) &&
		pl_handles_take(&session->shared, host, handle->kind, handle);
	pthread_rwlock_unlock(&session->pages_lock);
	return taken;
}

/* Others go on while the driver waits for what is under way in it. */
void pl_cuda_serve_cuMemFreeHost(struct pl_serve *serve, const struct pl_cuda_cuMemFreeHost_args *args)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	struct pl_handle handle;
	int32_t status;

	if (!host_take(session, args->host, false, &handle)) {
		pl_cuda_result(serve, CUDA_ERROR_INVALID_VALUE, 0);
		return;
	}
	pl_serve_give_turn(serve);
	if (handle.kind == KIND_OWN)
		status = (int32_t)pl_cuda.cuMemFreeHost((void *)(uintptr_t)args->host);
	else if (handle.kind == KIND_PLACED)
		status = placed_free(args->host, (uintptr_t)handle.object);
	else
		status = (int32_t)pl_cuda.cuMemHostUnregister(serve->session->arena +
							      ((const struct pl_cuda_shared *)handle.object)->store);
	/* A driver that refuses, to a thread without a context say, may be at work there yet. */
	if (!status || status == CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED ||
	    pl_handles_put(&session->shared, handle.id, handle.kind, handle.object, HOST_REFUSED, handle.extra))
		shared_end(session, &handle);
	pl_cuda_result(serve, status, 0);
}

struct ends {
	uint64_t context;
	bool ends;
};

static void ends_mark(struct pl_handle *handle, void *arg)
{
	const struct ends *ends = arg;

	if ((uintptr_t)handle->extra == ends->context && handle->failed != HOST_REFUSED)
		handle->failed = ends->ends ? HOST_ENDS : 0;
}

void pl_cuda_host_ends(struct pl_cuda_session *session, uint64_t context, bool ends)
{
	pl_handles_each(&session->shared, ends_mark, &(struct ends){ context, ends });
}

struct leaves {
	uint64_t context, left;
};

static void leaves_mark(struct pl_handle *handle, void *arg)
{
	const struct leaves *leaves = arg;

	if ((uintptr_t)handle->extra != leaves->context)
		return;
	handle->extra = (void *)(uintptr_t)leaves->left;
	handle->failed = HOST_ENDS;
}

void pl_cuda_shared_context_leaves(struct pl_cuda_session *session, uint64_t context, uint64_t left)
{
	pthread_rwlock_wrlock(&session->pages_lock);
	pl_handles_each(&session->shared, leaves_mark, &(struct leaves){ context, left });
	pthread_rwlock_unlock(&session->pages_lock);
}

struct left {
	uint64_t context;
	uint64_t *hosts;
	size_t count, room;
};

static void left_find(struct pl_handle *handle, void *arg)
{
	struct left *left = arg;

	if ((uintptr_t)handle->extra == left->context && left->count < left->room)
		left->hosts[left->count++] = handle->id;
}

void pl_cuda_shared_context_left(struct pl_cuda_session *session, uint64_t ended)
{
	struct left left = { .context = ended, .room = session->shared.count };
	struct pl_handle handle;

	left.hosts = calloc(left.room + 1, sizeof(*left.hosts));
	if (left.hosts)
		pl_handles_each(&session->shared, left_find, &left);
	for (size_t i = 0; i < left.count; i++)
		if (host_take(session, left.hosts[i], true, &handle)) {
			if (handle.kind == KIND_PLACED)
				munmap((void *)(uintptr_t)handle.id, (uintptr_t)handle.object);
			shared_end(session, &handle);
		}
	free(left.hosts);
}

/* ---- in a file ---- */

struct hosts_save {
	struct pl_checkpoint_file *file;
	int result;
};

static void host_save(struct pl_handle *handle, void *arg)
{
	const uint64_t head[] = { handle->id, pages_of((uintptr_t)handle->object) };
	struct hosts_save *save = arg;

	if (!save->result)
		save->result = pl_checkpoint_put(save->file, head, sizeof(head));
	if (!save->result)
		save->result = pl_checkpoint_put(save->file, (const void *)(uintptr_t)head[0], head[1]);
}

int pl_cuda_hosts_save(struct pl_cuda_session *session, struct pl_checkpoint_file *file)
{
	struct hosts_save save = { file, pl_checkpoint_put_u64(file, session->shared.count) };

	pl_handles_each(&session->shared, host_save, &save);
	return pl_trace(save.result);
}

static int host_load(struct pl_cuda_session *session, struct pl_checkpoint_file *file)
{
	struct pl_handle handle;
	uint64_t head[2];
	int r = pl_checkpoint_get(file, head, sizeof(head));

	if (r)
		return pl_trace(r);
	if (!host_get(session, head[0], &handle) || handle.kind == KIND_SHARED ||
	    pages_of((uintptr_t)handle.object) != head[1])
		return pl_err(-EOPNOTSUPP);
	return pl_trace(pl_checkpoint_get(file, (void *)(uintptr_t)head[0], head[1]));
}

int pl_cuda_hosts_load(struct pl_cuda_session *session, struct pl_checkpoint_file *file)
{
	uint64_t count;
	int r = pl_checkpoint_get_u64(file, PL_HANDLES_MAX, &count);

	for (uint64_t i = 0; !r && i < count; i++)
		r = host_load(session, file);
	return pl_trace(r);
}
