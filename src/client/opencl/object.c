#include "client/opencl/object.h"

#include <stdlib.h>

#include "base/err.h"
#include "client/opencl/call.h"
#include "client/opencl/types.h"

#define HOLD (1ull << 32) /* one hold in pl_cl_object.refs */

static const struct {
	cl_int invalid;
	void (*fini)(struct pl_cl_object *object);
} kinds[] = {
	[PL_CL_KIND_platform] = {CL_INVALID_PLATFORM, NULL},
	[PL_CL_KIND_device] = {CL_INVALID_DEVICE, pl_cl_device_fini},
	[PL_CL_KIND_context] = {CL_INVALID_CONTEXT, pl_cl_context_fini},
	[PL_CL_KIND_queue] = {CL_INVALID_COMMAND_QUEUE, pl_cl_queue_fini},
	[PL_CL_KIND_mem] = {CL_INVALID_MEM_OBJECT, pl_cl_mem_fini},
	[PL_CL_KIND_sampler] = {CL_INVALID_SAMPLER, pl_cl_sampler_fini},
	[PL_CL_KIND_program] = {CL_INVALID_PROGRAM, pl_cl_program_fini},
	[PL_CL_KIND_kernel] = {CL_INVALID_KERNEL, pl_cl_kernel_fini},
	[PL_CL_KIND_event] = {CL_INVALID_EVENT, pl_cl_event_fini},
};

cl_int pl_cl_invalid(enum pl_cl_object_kind kind)
{
	return kinds[kind].invalid;
}

cl_int pl_cl_lost(void)
{
	return CL_OUT_OF_RESOURCES;
}

cl_int pl_cl_fault(int r)
{
	switch (r) {
	case -ENOMEM:
	case -EMSGSIZE:
	case -EMFILE:
		return CL_OUT_OF_HOST_MEMORY;
	case -ENOSYS: /* as where a driver lacks the function */
		return CL_INVALID_OPERATION;
	default:
		return pl_cl_lost();
	}
}

/* ---- life ---- */

void pl_cl_object_init(struct pl_cl_object *object, struct pl_cl_server *server, enum pl_cl_object_kind kind,
		       uint64_t id)
{
	object->dispatch = pl_cl_dispatch();
	object->kind = (uint32_t)kind;
	object->session = server->session;
	object->server = server;
	object->epoch = server->session->epoch;
	object->id = id ? id : pl_session_id_mint(server->session);
	atomic_store_explicit(&object->refs, HOLD | 1, memory_order_relaxed);
	object->magic = PL_CL_MAGIC;
}

/* Can it be the value of a kernel argument? */
static bool is_argument(uint32_t kind)
{
	return kind == PL_CL_KIND_mem || kind == PL_CL_KIND_sampler || kind == PL_CL_KIND_queue;
}

void *pl_cl_object_new(struct pl_cl_server *server, enum pl_cl_object_kind kind, size_t bytes, uint64_t id)
{
	struct pl_cl_object *object = calloc(1, bytes);

	if (!object)
		return NULL;
	if (is_argument(kind) && !pl_cl_table_put(&server->handles, (uintptr_t)object, PL_CL_ENTRY_HANDLE, object)) {
		free(object);
		return NULL;
	}
	pl_cl_object_init(object, server, kind, id);
	return object;
}

static void post_release(struct pl_cl_object *object)
{
	struct pl_cl_plRelease_args args = {.kind = object->kind, .id = object->id};

	if (object->epoch == object->session->epoch && !object->session->dead)
		(void)PL_CL_POST(object->session, plRelease, &args);
}

void pl_cl_object_free(void *handle)
{
	pl_cl_infos_free(handle);
	free(handle);
}

/* Nobody has it any more. */
static void object_end(struct pl_cl_object *object)
{
	object->magic = 0;
	if (is_argument(object->kind))
		pl_cl_table_take(&object->server->handles, (uintptr_t)object, PL_CL_ENTRY_HANDLE);
	if (object->kind == PL_CL_KIND_mem && !object->unsent && pl_cl_mem_keep((struct pl_cl_mem *)object))
		return; /* pl_cl_mem_gone() does the rest */
	if (!object->unsent)
		post_release(object);
	if (kinds[object->kind].fini)
		kinds[object->kind].fini(object);
	if (object->kept || (object->kind == PL_CL_KIND_event && pl_cl_event_free(object)))
		return;
	pl_cl_object_free(object);
}

void pl_cl_object_drop(void *handle)
{
	struct pl_cl_object *object = handle;

	if (!object)
		return;
	object->unsent = true;
	object_end(object);
}

void pl_cl_hold(void *handle)
{
	struct pl_cl_object *object = handle;
	atomic_fetch_add_explicit(&object->refs, HOLD, memory_order_relaxed);
}

void pl_cl_unhold(void *handle)
{
	struct pl_cl_object *object = handle;

	if (object && atomic_fetch_sub_explicit(&object->refs, HOLD, memory_order_acq_rel) == HOLD)
		object_end(object);
}

bool pl_cl_hold_if_alive(void *handle)
{
	struct pl_cl_object *object = handle;
	uint64_t refs = atomic_load_explicit(&object->refs, memory_order_relaxed);

	while (refs && !atomic_compare_exchange_weak(&object->refs, &refs, refs + HOLD))
		;
	return refs != 0;
}

struct pl_cl_object *_Atomic pl_cl_later;

void pl_cl_unhold_later(void *handle)
{
	struct pl_cl_object *object = handle;

	if (atomic_fetch_sub_explicit(&object->refs, HOLD, memory_order_acq_rel) != HOLD)
		return;
	object->later = atomic_load_explicit(&pl_cl_later, memory_order_relaxed);
	while (!atomic_compare_exchange_weak(&pl_cl_later, &object->later, object))
		;
}

void pl_cl_later_run_slow(void)
{
	struct pl_cl_object *object = atomic_exchange(&pl_cl_later, NULL);

	while (object) {
		struct pl_cl_object *next = object->later;
		object_end(object);
		object = next;
	}
}

cl_int pl_cl_retain(void *handle, enum pl_cl_object_kind kind)
{
	struct pl_cl_object *object = pl_cl_get(handle, kind);
	uint64_t refs;

	if (!object)
		return kinds[kind].invalid;
	/* An object that only others hold (a kernel's program) comes back to the application with its reference. */
	refs = atomic_load_explicit(&object->refs, memory_order_relaxed);
	while (!atomic_compare_exchange_weak(&object->refs, &refs, (uint32_t)refs ? refs + 1 : refs + 1 + HOLD))
		;
	return CL_SUCCESS;
}

cl_int pl_cl_release(void *handle, enum pl_cl_object_kind kind)
{
	struct pl_cl_object *object = pl_cl_get(handle, kind);
	uint64_t refs;

	if (!object)
		return kinds[kind].invalid;
	refs = atomic_load_explicit(&object->refs, memory_order_relaxed);
	do {
		if (!(uint32_t)refs)
			return kinds[kind].invalid;
	} while (!atomic_compare_exchange_weak(&object->refs, &refs, refs - 1));
	if ((uint32_t)refs != 1)
		return CL_SUCCESS;
	if (kind == PL_CL_KIND_queue)
		pl_cl_queue_left((struct pl_cl_queue *)object);
	pl_cl_unhold(object);
	return CL_SUCCESS;
}

/* ---- what travels for handles ---- */

struct pl_session *pl_cl_session(const void *handle)
{
	struct pl_cl_object *object = (struct pl_cl_object *)handle;

	if (!object || object->magic != PL_CL_MAGIC)
		return NULL;
	if (object->epoch == atomic_load_explicit(&object->session->epoch, memory_order_relaxed) &&
	    object->server->state_epoch == object->epoch)
		return object->session;
	if (!(object->id & PL_CL_ID_LASTING))
		return NULL;
	return pl_cl_server_session(object->server);
}

uint64_t pl_cl_id(const void *handle, enum pl_cl_object_kind kind)
{
	struct pl_cl_object *object = pl_cl_get(handle, kind);

	if (!object)
		return 0;
	if (kind == PL_CL_KIND_event && object->unsent)
		return PL_CL_EVENT_DONE;
	return object->id;
}

uint64_t pl_cl_id_at(const struct pl_session *session, const void *handle, enum pl_cl_object_kind kind)
{
	struct pl_cl_object *object = pl_cl_get(handle, kind);

	return object && object->session == session ? pl_cl_id(object, kind) : 0;
}

bool pl_cl_ids_fill(struct pl_cl_ids *ids, const struct pl_session *session, const void *const *handles, size_t count,
		    enum pl_cl_object_kind kind)
{
	uint64_t *at = ids->stack;

	ids->heap = NULL;
	if (!handles || !count) {
		ids->stack[0] = 0;
		ids->list = (struct pl_u64s){ids->stack, (count != 0) != (handles != NULL)};
		return true;
	}
	if (count > PL_CL_IDS_STACK) {
		at = ids->heap = calloc(count, sizeof(*at));
		if (!at)
			return false;
	}
	for (size_t i = 0; i < count; i++)
		at[i] = pl_cl_id_at(session, handles[i], kind);
	ids->list = (struct pl_u64s){at, count};
	return true;
}

int pl_cl_reply_value(struct pl_reply *reply, struct pl_bytes field, const void **at_out, uint64_t *bytes_out,
		      void **heap_out)
{
	*heap_out = NULL;
	if (!reply->bulk_bytes) {
		*at_out = field.at;
		*bytes_out = field.bytes;
		return 0;
	}
	uint64_t bytes = reply->bulk_bytes;
	void *heap = bytes <= PL_CL_LIMIT_SOURCE_MAX ? malloc(bytes) : NULL;
	int r;

	if (!heap) {
		/* The payload has to leave the lane even so. */
		char scrap[4096];
		while (reply->bulk_bytes) {
			uint64_t part = reply->bulk_bytes < sizeof(scrap) ? reply->bulk_bytes : sizeof(scrap);
			r = pl_call_bulk(reply, scrap, part);
			if (r)
				return pl_trace(r);
		}
		return pl_err(-ENOMEM);
	}
	r = pl_call_bulk(reply, heap, bytes);
	if (r) {
		free(heap);
		return pl_trace(r);
	}
	*at_out = *heap_out = heap;
	*bytes_out = bytes;
	return 0;
}

/* ---- callbacks ---- */

bool pl_cl_callback_add(struct pl_cl_callback **list, struct pl_lock *lock, void (*fn)(void *, void *),
			void *user_data)
{
	struct pl_cl_callback *callback = malloc(sizeof(*callback));

	if (!callback)
		return false;
	*callback = (struct pl_cl_callback){.fn = fn, .user_data = user_data};
	pl_lock(lock);
	callback->next = *list;
	*list = callback;
	pl_unlock(lock);
	return true;
}

struct callbacks_run {
	struct pl_cl_callback *list;
	void *object;
	void (*done)(void *object);
};

static void callbacks_run(void *arg)
{
	struct callbacks_run *run = arg;

	while (run->list) {
		struct pl_cl_callback *callback = run->list;
		run->list = callback->next;
		callback->fn(run->object, callback->user_data);
		free(callback);
	}
	if (run->done)
		run->done(run->object);
	free(run);
}

void pl_cl_callbacks_run(struct pl_cl_callback *list, void *object, void (*done)(void *object))
{
	struct callbacks_run *run;

	if (!list && !done)
		return;
	run = malloc(sizeof(*run));
	if (!run) {
		pl_log_error("no memory: callbacks are lost");
		return;
	}
	*run = (struct callbacks_run){.list = list, .object = object, .done = done};
	pl_callback_run(callbacks_run, run);
}
