/* Ids and the driver's objects: what generated code asks for. */
#include <stdlib.h>

#include "backend/cuda/hostfn.h"
#include "backend/cuda/image.h"
#include "backend/cuda/link.h"
#include "backend/cuda/peer.h"
#include "backend/cuda/session.h"
#include "backend/cuda/stage.h"
#include "base/err.h"
#include "wire/cuda-kinds.h"

static const int32_t invalid[] = {
	[PL_CUDA_KIND_device] = CUDA_ERROR_INVALID_DEVICE,     [PL_CUDA_KIND_context] = CUDA_ERROR_INVALID_CONTEXT,
	[PL_CUDA_KIND_green] = CUDA_ERROR_INVALID_CONTEXT,     [PL_CUDA_KIND_pool] = CUDA_ERROR_INVALID_VALUE,
	[PL_CUDA_KIND_allocation] = CUDA_ERROR_INVALID_VALUE,  [PL_CUDA_KIND_graph] = CUDA_ERROR_INVALID_VALUE,
	[PL_CUDA_KIND_node] = CUDA_ERROR_INVALID_VALUE,        [PL_CUDA_KIND_exec] = CUDA_ERROR_INVALID_VALUE,
	[PL_CUDA_KIND_user_object] = CUDA_ERROR_INVALID_VALUE, [PL_CUDA_KIND_resource] = CUDA_ERROR_INVALID_VALUE,
};

static int32_t invalid_code(enum pl_cuda_object_kind kind)
{
	int32_t code = (unsigned)kind < sizeof(invalid) / sizeof(invalid[0]) ? invalid[kind] : 0;

	return code ? code : CUDA_ERROR_INVALID_HANDLE;
}

static bool device_take(struct pl_serve *serve, uint64_t id, void **object_out, int32_t *status_out)
{
	*status_out = CUDA_ERROR_INVALID_DEVICE;
	if (!id || id > pl_cuda_session_of(serve)->host->devices_count)
		return false;
	*object_out = (void *)(uintptr_t)(id - 1);
	return true;
}

bool pl_cuda_take(struct pl_serve *serve, uint64_t id, enum pl_cuda_object_kind kind, void **object_out,
		  int32_t *status_out)
{
	struct pl_handle handle;

	if (kind == PL_CUDA_KIND_device)
		return device_take(serve, id, object_out, status_out);
	if (!id || (kind == PL_CUDA_KIND_stream && id <= (uintptr_t)CU_STREAM_PER_THREAD)) {
		*object_out = (void *)(uintptr_t)id;
		return true;
	}
	/* The API takes a kernel wherever it takes a function. */
	if (!pl_handles_get(&serve->session->handles, id, kind, &handle) &&
	    !(kind == PL_CUDA_KIND_function &&
	      pl_handles_get(&serve->session->handles, id, PL_CUDA_KIND_kernel, &handle))) {
		*status_out = invalid_code(kind);
		return false;
	}
	*object_out = handle.object;
	if (handle.failed)
		*status_out = handle.failed;
	return !handle.failed;
}

void pl_cuda_object_end(enum pl_cuda_object_kind kind, void *object)
{
	if (!object)
		return;
	switch (kind) {
	case PL_CUDA_KIND_context:
		pl_cuda.cuCtxDestroy_v2(object);
		break;
	case PL_CUDA_KIND_module:
		pl_cuda.cuModuleUnload(object);
		break;
	case PL_CUDA_KIND_library:
		pl_cuda.cuLibraryUnload(object);
		break;
	case PL_CUDA_KIND_stream:
		pl_cuda.cuStreamDestroy_v2(object);
		break;
	case PL_CUDA_KIND_event:
		pl_cuda.cuEventDestroy_v2(object);
		break;
	case PL_CUDA_KIND_array:
		pl_cuda.cuArrayDestroy(object);
		break;
	case PL_CUDA_KIND_mipmap:
		pl_cuda.cuMipmappedArrayDestroy(object);
		break;
	case PL_CUDA_KIND_graph:
		pl_cuda.cuGraphDestroy(object);
		break;
	case PL_CUDA_KIND_exec:
		pl_cuda.cuGraphExecDestroy(object);
		break;
	case PL_CUDA_KIND_pool:
		pl_cuda.cuMemPoolDestroy(object);
		break;
	case PL_CUDA_KIND_allocation:
		pl_cuda.cuMemRelease((CUmemGenericAllocationHandle)(uintptr_t)object);
		break;
	case PL_CUDA_KIND_link:
		pl_cuda.cuLinkDestroy(object);
		break;
	default: /* goes with what it belongs to */
		break;
	}
}

/* Who makes a context gets it as the current one; here plCurrent says which is. */
static void created_pop(uint16_t op)
{
	CUcontext context;

	switch (op) {
	case PL_CUDA_OP_cuCtxCreate:
	case PL_CUDA_OP_cuCtxCreate_v2:
	case PL_CUDA_OP_cuCtxCreate_v3:
	case PL_CUDA_OP_cuCtxCreate_v4:
		pl_cuda.cuCtxPopCurrent_v2(&context);
		break;
	default:
		break;
	}
}

static bool is_apart(CUstream stream)
{
	unsigned int flags = 0;

	return pl_cuda.cuStreamGetFlags && (pl_cuda.cuStreamGetFlags(stream, &flags) || flags & CU_STREAM_NON_BLOCKING);
}

/* What does not make an object, but says which one something has: that is not the call's to end. */
static bool op_finds(uint16_t op)
{
	switch (op) {
	case PL_CUDA_OP_cuDevicePrimaryCtxRetain: /* it is released: device.c */
	case PL_CUDA_OP_cuCtxFromGreenCtx:
	case PL_CUDA_OP_cuLibraryGetModule:
	case PL_CUDA_OP_cuMemGetDefaultMemPool:
	case PL_CUDA_OP_cuMemGetMemPool:
	case PL_CUDA_OP_cuArrayGetPlane:
	case PL_CUDA_OP_cuMipmappedArrayGetLevel:
	case PL_CUDA_OP_cuGraphChildGraphNodeGetGraph:
		return true;
	default:
		return false;
	}
}

/* ---- for who writes the session down ---- */

static void note_made(struct pl_session_worker *worker, uint64_t id, enum pl_cuda_object_kind kind)
{
	if (!worker->checkpoint)
		return;
	pl_checkpoint_made(id, 1);
	pl_cuda_grouped(worker->api, id, kind);
	if (kind == PL_CUDA_KIND_context)
		pl_cuda_context_fill(worker->api, id);
}

static void note_ended(struct pl_session_worker *worker, const struct pl_handle *handle)
{
	if (!worker->checkpoint || handle->failed)
		return;
	pl_checkpoint_ended(handle->id);
	pl_cuda_ungrouped(worker->api, handle->id, (enum pl_cuda_object_kind)handle->kind);
	pl_cuda_source_gone(worker->api, handle->id, (enum pl_cuda_object_kind)handle->kind);
}

/* ---- entering, and leaving ---- */

/* Return: it is entered, and charged.  context: the id of the one that it goes with. */
static bool enter(struct pl_session_worker *worker, uint64_t id, enum pl_cuda_object_kind kind, void *object,
		  void *context)
{
	if (!pl_quota_charge(&worker->quota, PL_QUOTA_OBJECTS, 1)) {
		pl_log_warn("session %llu: more objects than it may have", (unsigned long long)worker->id);
		return false;
	}
	if (!pl_handles_put(&worker->handles, id, kind, object, 0, context)) {
		note_made(worker, id, kind);
		return true;
	}
	pl_quota_return(&worker->quota, PL_QUOTA_OBJECTS, 1);
	return false;
}

bool pl_cuda_put_member(struct pl_serve *serve, uint64_t id, enum pl_cuda_object_kind kind, void *object,
			int32_t status, uint64_t owner)
{
	enum pl_cuda_object_kind of_kind = kind == PL_CUDA_KIND_kernel ? PL_CUDA_KIND_library : PL_CUDA_KIND_module;
	struct pl_session_worker *worker = serve->session;
	struct pl_handle of;

	if (!pl_handles_get(&worker->handles, owner, of_kind, &of))
		return false;
	if (!status)
		return enter(worker, id, kind, object, of.extra);
	return !pl_handles_put(&worker->handles, id, kind, NULL, status, of.extra);
}

bool pl_cuda_put(struct pl_serve *serve, uint64_t id, enum pl_cuda_object_kind kind, void *object, int32_t status)
{
	void *context = (void *)(uintptr_t)(kind == PL_CUDA_KIND_context ? 0 : pl_cuda_current);
	struct pl_session_worker *worker = serve->session;

	if (kind == PL_CUDA_KIND_context && !status)
		created_pop(serve->head->op);
	if (kind == PL_CUDA_KIND_node)
		atomic_store(&pl_cuda_session_of(serve)->knows_nodes, true);
	if (kind == PL_CUDA_KIND_stream && !status && is_apart(object))
		atomic_store(&pl_cuda_session_of(serve)->streams_apart, true);
	if (!status) {
		if (enter(worker, id, kind, object, context))
			return true;
		if (!op_finds(serve->head->op))
			pl_cuda_object_end(kind, object);
		if (serve->asked) /* and told: it has no use for the id */
			return false;
		status = CUDA_ERROR_OUT_OF_MEMORY;
	}
	(void)pl_handles_put(&worker->handles, id, kind, NULL, status, context);
	return false;
}

struct left {
	uint64_t context;
	uint64_t *ids;
	uint32_t *kinds;
	size_t count, room;
};

static void left_find(struct pl_handle *handle, void *arg)
{
	struct left *left = arg;

	if ((uintptr_t)handle->extra != left->context || !pl_cuda_kind_goes_with_context(handle->kind) ||
	    left->count == left->room)
		return;
	left->ids[left->count] = handle->id;
	left->kinds[left->count++] = handle->kind;
}

static void stream_dropped(struct pl_serve *serve, const struct pl_handle *handle)
{
	pl_cuda_captured_end(serve, handle->object, true);
	pl_cuda_exec_stream_gone(pl_cuda_session_of(serve), handle->id);
}

/* Ids of its objects find nothing any more. */
static void objects_drop(struct pl_serve *serve, uint64_t context)
{
	struct pl_handles *handles = &serve->session->handles;
	struct left left = { .context = context, .room = handles->count };
	struct pl_handle handle;

	left.ids = calloc(left.room + 1, sizeof(*left.ids));
	left.kinds = calloc(left.room + 1, sizeof(*left.kinds));
	if (left.ids && left.kinds)
		pl_handles_each(handles, left_find, &left);
	for (size_t i = 0; i < left.count; i++)
		if (pl_handles_take(handles, left.ids[i], left.kinds[i], &handle) && !handle.failed) {
			pl_quota_return(&serve->session->quota, PL_QUOTA_OBJECTS, 1);
			note_ended(serve->session, &handle);
			pl_cuda_array_gone(pl_cuda_session_of(serve), handle.id, handle.kind);
			if (handle.kind == PL_CUDA_KIND_stream)
				stream_dropped(serve, &handle);
		}
	free(left.ids);
	free(left.kinds);
}

static uint64_t id_make(struct pl_cuda_session *session)
{
	return PL_CUDA_ID_SERVER | (atomic_fetch_add(&session->ids_made, 1) + 1);
}

uint64_t pl_cuda_context_leaves(struct pl_serve *serve, uint64_t context)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	struct pl_handle handle;
	uint64_t left;

	if (!pl_handles_take(&serve->session->handles, context, PL_CUDA_KIND_context, &handle))
		return 0;
	if (!handle.failed)
		pl_quota_return(&serve->session->quota, PL_QUOTA_OBJECTS, 1);
	note_ended(serve->session, &handle);
	left = id_make(session);
	objects_drop(serve, context);
	pl_cuda_exec_stream_gone(session, context);
	pl_cuda_late_forget(session);
	pl_cuda_pages_end(session, context, true);
	pl_cuda_memory_context_left(session, context);
	pl_cuda_shared_context_leaves(session, context, left);
	pl_cuda_stages_context_leaves(session, context, left);
	pl_cuda_later_context_leaves(session, context, left);
	pl_cuda_marks_context_left(session, context);
	pl_cuda_peers_context_left(session, context);
	return left;
}

void pl_cuda_context_left(struct pl_cuda_session *session, uint64_t left)
{
	if (!left)
		return;
	pl_cuda_shared_context_left(session, left);
	pl_cuda_stages_context_left(session, left);
	pl_cuda_later_context_left(session, left);
}

void pl_cuda_drop(struct pl_serve *serve, uint64_t id, enum pl_cuda_object_kind kind)
{
	struct pl_handle handle;

	if (kind == PL_CUDA_KIND_context) {
		pl_cuda_context_left(pl_cuda_session_of(serve), pl_cuda_context_leaves(serve, id));
		return;
	}
	if (!pl_handles_take(&serve->session->handles, id, kind, &handle))
		return;
	if (!handle.failed)
		pl_quota_return(&serve->session->quota, PL_QUOTA_OBJECTS, 1);
	note_ended(serve->session, &handle);
	if (kind == PL_CUDA_KIND_stream && !handle.failed)
		stream_dropped(serve, &handle);
	pl_cuda_array_gone(pl_cuda_session_of(serve), id, kind);
	if (kind == PL_CUDA_KIND_event)
		pl_cuda_share_event_ended(pl_cuda_session_of(serve), id);
	if (kind == PL_CUDA_KIND_link)
		pl_cuda_link_gone(id);
	if (kind == PL_CUDA_KIND_module)
		pl_cuda_members_drop(serve, id, PL_CUDA_KIND_function);
	if (kind == PL_CUDA_KIND_library)
		pl_cuda_members_drop(serve, id, PL_CUDA_KIND_kernel);
}

/* Of an object that goes with another one.  Return: the id, or 0: there is no room. */
static uint64_t id_enter(struct pl_serve *serve, enum pl_cuda_object_kind kind, void *object, uint64_t id)
{
	if (kind == PL_CUDA_KIND_node)
		atomic_store(&pl_cuda_session_of(serve)->knows_nodes, true);
	if (!pl_quota_charge(&serve->session->quota, PL_QUOTA_OBJECTS, 1))
		return 0;
	if (!pl_handles_put(&serve->session->handles, id, kind, object, 0, NULL)) {
		note_made(serve->session, id, kind);
		return id;
	}
	pl_quota_return(&serve->session->quota, PL_QUOTA_OBJECTS, 1);
	return 0;
}

uint64_t pl_cuda_id_of(struct pl_serve *serve, enum pl_cuda_object_kind kind, void *object)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	uint64_t id;

	if (kind == PL_CUDA_KIND_device)
		return (uintptr_t)object + 1;
	if (!object || (kind == PL_CUDA_KIND_stream && (uintptr_t)object <= (uintptr_t)CU_STREAM_PER_THREAD))
		return (uintptr_t)object;
	id = pl_handles_find(&serve->session->handles, kind, object);
	return id ? id : id_enter(serve, kind, object, id_make(session));
}

uint64_t pl_cuda_id_of_or(struct pl_serve *serve, enum pl_cuda_object_kind kind, void *object, uint64_t id)
{
	uint64_t known = pl_handles_find(&serve->session->handles, kind, object);

	return known ? known : id_enter(serve, kind, object, id);
}
