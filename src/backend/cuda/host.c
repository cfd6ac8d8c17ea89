/* Host memory in the session's shared memory: the driver works in it in place. */
#include <stdlib.h>

#include "backend/cuda/session.h"
#include "base/err.h"

#define KIND_SHARED 1u /* the only kind in session->shared */
#define PAGE_BYTES  4096u

struct pl_cuda_shared {
	uint64_t bytes, store, context;
};

static void shared_end(struct pl_cuda_session *session, struct pl_cuda_shared *shared)
{
	pl_quota_return(&session->worker->quota, PL_QUOTA_HOST, shared->bytes);
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

/* Others go on while the driver waits for what is under way in it. */
void pl_cuda_serve_cuMemFreeHost(struct pl_serve *serve, const struct pl_cuda_cuMemFreeHost_args *args)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	struct pl_cuda_shared *shared;
	struct pl_handle handle;
	int32_t status;

	if (!pl_handles_take(&session->shared, args->host, KIND_SHARED, &handle)) {
		pl_cuda_result(serve, CUDA_ERROR_INVALID_VALUE, 0);
		return;
	}
	shared = handle.object;
	pl_serve_give_turn(serve);
	status = (int32_t)pl_cuda.cuMemHostUnregister(serve->session->arena + shared->store);
	shared_end(session, shared);
	pl_cuda_result(serve, status, 0);
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

/* The driver has let go of it. */
void pl_cuda_shared_context_left(struct pl_cuda_session *session, uint64_t context)
{
	struct left left = { .context = context, .room = session->shared.count };
	struct pl_handle handle;

	left.hosts = calloc(left.room + 1, sizeof(*left.hosts));
	if (left.hosts)
		pl_handles_each(&session->shared, left_find, &left);
	for (size_t i = 0; i < left.count; i++)
		if (pl_handles_take(&session->shared, left.hosts[i], KIND_SHARED, &handle))
			shared_end(session, handle.object);
	free(left.hosts);
}
