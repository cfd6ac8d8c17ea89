/* Objects and their handles: what generated code asks for. */
#include <stdlib.h>

#include "base/err.h"
#include "client/cuda/graph.h"
#include "client/cuda/link.h"
#include "client/cuda/mark.h"
#include "client/cuda/memory.h"
#include "client/cuda/mipmap.h"
#include "client/cuda/module.h"
#include "client/cuda/placed.h"
#include "client/cuda/state.h"
#include "wire/cuda-kinds.h"

static struct {
	pthread_mutex_t lock;
	struct from_server { /* ids that a server gave, open addressing */
		uint64_t id;
		const struct pl_session *session;
		struct pl_cuda_object *object;
	} * slots;
	size_t room, count;
	struct pl_cuda_object *events, *streams; /* that have ended: see kept_of() */
} objects = { .lock = PTHREAD_MUTEX_INITIALIZER };

static size_t bytes_of(enum pl_cuda_object_kind kind)
{
	switch (kind) {
	case PL_CUDA_KIND_context:
		return sizeof(struct pl_cuda_context);
	case PL_CUDA_KIND_module:
		return sizeof(struct pl_cuda_module);
	case PL_CUDA_KIND_library:
		return sizeof(struct pl_cuda_library);
	case PL_CUDA_KIND_link:
		return sizeof(struct pl_cuda_link);
	case PL_CUDA_KIND_function:
	case PL_CUDA_KIND_kernel:
		return sizeof(struct pl_cuda_function);
	case PL_CUDA_KIND_texref:
	case PL_CUDA_KIND_surfref:
		return sizeof(struct pl_cuda_reference);
	case PL_CUDA_KIND_node:
		return sizeof(struct pl_cuda_node);
	case PL_CUDA_KIND_exec:
		return sizeof(struct pl_cuda_exec);
	case PL_CUDA_KIND_event:
		return sizeof(struct pl_cuda_event);
	case PL_CUDA_KIND_pool:
		return sizeof(struct pl_cuda_pool);
	case PL_CUDA_KIND_stream:
		return sizeof(struct pl_cuda_stream);
	case PL_CUDA_KIND_array:
		return sizeof(struct pl_cuda_array);
	case PL_CUDA_KIND_allocation:
		return sizeof(struct pl_cuda_part);
	case PL_CUDA_KIND_mipmap:
		return sizeof(struct pl_cuda_mipmap);
	default:
		return sizeof(struct pl_cuda_object);
	}
}

/* ---- lists by context; called with the lock held ---- */

static void context_link(struct pl_cuda_object *object, struct pl_cuda_context *context)
{
	object->context = context;
	if (!context || !pl_cuda_kind_goes_with_context(object->kind))
		return;
	object->next = context->objects;
	object->link = &context->objects;
	if (object->next)
		object->next->link = &object->next;
	context->objects = object;
}

static void context_unlink(struct pl_cuda_object *object)
{
	if (!object->link)
		return;
	*object->link = object->next;
	if (object->next)
		object->next->link = object->link;
	object->link = NULL;
}

/* ---- the server's ids; called with the lock held ---- */

static struct from_server *slot_of(const struct pl_session *session, uint64_t id)
{
	size_t at = (id * 0x9e3779b97f4a7c15u) >> 20 & (objects.room - 1);

	while (objects.slots[at].id && (objects.slots[at].id != id || objects.slots[at].session != session))
		at = (at + 1) & (objects.room - 1);
	return &objects.slots[at];
}

static bool slots_grow(void)
{
	struct from_server *old = objects.slots;
	size_t old_room = objects.room, live = 0;

	if (objects.count * 2 < objects.room)
		return true;
	for (size_t i = 0; i < old_room; i++)
		live += old[i].object != NULL;
	if (live * 4 >= old_room) /* else those that have ended make room enough */
		objects.room = old_room ? old_room * 2 : 256;
	objects.slots = calloc(objects.room, sizeof(*objects.slots));
	if (!objects.slots) {
		objects.slots = old;
		objects.room = old_room;
		return false;
	}
	objects.count = 0;
	for (size_t i = 0; i < old_room; i++)
		if (old[i].object) { /* those that have ended are left out */
			*slot_of(old[i].session, old[i].id) = old[i];
			objects.count++;
		}
	free(old);
	return true;
}

static void server_id_enter(struct pl_cuda_object *object)
{
	struct from_server *slot;

	if (!slots_grow())
		return;
	slot = slot_of(object->session, object->id);
	objects.count += !slot->id;
	*slot = (struct from_server){ object->id, object->session, object };
}

static struct pl_cuda_object *server_id_find(const struct pl_session *session, uint64_t id)
{
	return objects.room ? slot_of(session, id)->object : NULL;
}

/* ---- making and ending ---- */

/* What belongs to the object alone. */
static void object_fini(struct pl_cuda_object *object)
{
	switch (object->kind) {
	case PL_CUDA_KIND_module:
		pl_cuda_module_fini((struct pl_cuda_module *)object);
		break;
	case PL_CUDA_KIND_library:
		pl_cuda_library_fini((struct pl_cuda_library *)object);
		break;
	case PL_CUDA_KIND_link:
		pl_cuda_link_fini((struct pl_cuda_link *)object);
		break;
	case PL_CUDA_KIND_function:
	case PL_CUDA_KIND_kernel:
		pl_cuda_function_fini((struct pl_cuda_function *)object);
		break;
	case PL_CUDA_KIND_texref:
	case PL_CUDA_KIND_surfref:
		pl_cuda_reference_fini((struct pl_cuda_reference *)object);
		break;
	case PL_CUDA_KIND_node:
		pl_cuda_node_fini((struct pl_cuda_node *)object);
		break;
	case PL_CUDA_KIND_event:
		pl_cuda_event_fini((struct pl_cuda_event *)object);
		break;
	case PL_CUDA_KIND_pool:
		pl_cuda_pool_fini((struct pl_cuda_pool *)object);
		break;
	case PL_CUDA_KIND_stream:
		pl_cuda_stream_fini((struct pl_cuda_stream *)object);
		break;
	case PL_CUDA_KIND_array:
		pl_cuda_array_fini((struct pl_cuda_array *)object);
		break;
	case PL_CUDA_KIND_mipmap:
		pl_cuda_mipmap_fini((struct pl_cuda_mipmap *)object);
		break;
	default:
		break;
	}
}

/* A thread that asks the server how far an event or a stream is comes back to it, and another may have destroyed it by
 * then: its memory stays one of its kind, whose lock can be taken.  Return: the list of such memory; NULL: other kinds.
 */
static struct pl_cuda_object **kept_of(enum pl_cuda_object_kind kind)
{
	return kind == PL_CUDA_KIND_event ? &objects.events : kind == PL_CUDA_KIND_stream ? &objects.streams : NULL;
}

static struct pl_cuda_object *object_allocate(enum pl_cuda_object_kind kind)
{
	struct pl_cuda_object *object, **kept = kept_of(kind);

	if (kept) {
		pthread_mutex_lock(&objects.lock);
		object = *kept;
		if (object)
			*kept = object->next;
		pthread_mutex_unlock(&objects.lock);
		if (object) {
			object_fini(object); /* once more: somebody may have been late */
			return object;
		}
	}
	object = calloc(1, bytes_of(kind));
	if (!object)
		return NULL;
	object->kind = kind;
	if (kind == PL_CUDA_KIND_event)
		pl_cuda_event_init((struct pl_cuda_event *)object);
	else if (kind == PL_CUDA_KIND_stream)
		pl_cuda_stream_init((struct pl_cuda_stream *)object);
	return object;
}

static void object_free(struct pl_cuda_object *object)
{
	struct pl_cuda_object **kept = kept_of(object->kind);

	if (!kept) {
		free(object);
		return;
	}
	pthread_mutex_lock(&objects.lock);
	object->next = *kept;
	*kept = object;
	pthread_mutex_unlock(&objects.lock);
}

static void *object_create(struct pl_session *session, enum pl_cuda_object_kind kind, uint64_t id,
			   struct pl_cuda_context *context)
{
	struct pl_cuda_object *object = object_allocate(kind);

	if (!object)
		return NULL;
	object->session = session;
	object->handle = (void *)(uintptr_t)pl_cuda_handle_create(kind, object);
	if (!object->handle) {
		object_free(object);
		return NULL;
	}
	object->id = id ? id : (uintptr_t)object->handle;
	pthread_mutex_lock(&objects.lock);
	context_link(object, context);
	if (id & PL_CUDA_ID_SERVER)
		server_id_enter(object);
	pthread_mutex_unlock(&objects.lock);
	return object;
}

void *pl_cuda_object_create(enum pl_cuda_object_kind kind, uint64_t id, struct pl_cuda_context *context)
{
	return object_create(context ? context->object.session : pl_cuda_session(), kind, id, context);
}

/* The current context, where it is one of this session's. */
static struct pl_cuda_context *context_there(const struct pl_session *session)
{
	struct pl_cuda_context *top = pl_cuda_thread.top;

	return top && top->object.session == session ? top : NULL;
}

void *pl_cuda_new(struct pl_session *session, enum pl_cuda_object_kind kind, uint64_t *id_out)
{
	struct pl_cuda_object *object = object_create(session, kind, 0, context_there(session));

	if (!object)
		return NULL;
	*id_out = object->id;
	return object->handle;
}

void pl_cuda_forget(struct pl_cuda_object *object)
{
	pl_cuda_handle_destroy((uintptr_t)object->handle);
	pthread_mutex_lock(&objects.lock);
	context_unlink(object);
	if (object->id & PL_CUDA_ID_SERVER && server_id_find(object->session, object->id) == object)
		slot_of(object->session, object->id)->object = NULL;
	pthread_mutex_unlock(&objects.lock);
	object_fini(object);
	if (object->kind != PL_CUDA_KIND_context)
		object_free(object);
}

void pl_cuda_context_empty(struct pl_cuda_context *context)
{
	pl_cuda_memory_context_gone(context);
	pl_cuda_placed_remove(context);
	for (;;) {
		struct pl_cuda_object *object;

		pthread_mutex_lock(&objects.lock);
		object = context->objects;
		pthread_mutex_unlock(&objects.lock);
		if (!object)
			return;
		pl_cuda_forget(object);
	}
}

void pl_cuda_undo(struct pl_session *session, enum pl_cuda_object_kind kind, void *handle)
{
	struct pl_cuda_object *object = pl_cuda_handle_of(handle, kind);

	(void)session;
	if (object)
		pl_cuda_forget(object);
}

bool pl_cuda_object_is_also_on(const struct pl_cuda_object *object, const struct pl_session *session)
{
	return !object->session && (pl_cuda_is_alone() || pl_cuda_library_is_on(object, session));
}

static struct pl_cuda_object *of_id(const struct pl_session *session, enum pl_cuda_object_kind kind, uint64_t id)
{
	struct pl_cuda_object *object;

	if (!(id & PL_CUDA_ID_SERVER)) {
		object = pl_cuda_handle_find(id, kind);
		return object && pl_cuda_object_is_on(object, session) ? object : NULL;
	}
	pthread_mutex_lock(&objects.lock);
	object = server_id_find(session, id);
	pthread_mutex_unlock(&objects.lock);
	return object && object->kind == kind ? object : NULL;
}

void pl_cuda_end(struct pl_session *session, enum pl_cuda_object_kind kind, uint64_t id)
{
	struct pl_cuda_object *object = of_id(session, kind, id);

	if (object)
		pl_cuda_forget(object);
}

void *pl_cuda_object_of(struct pl_session *session, enum pl_cuda_object_kind kind, uint64_t id)
{
	struct pl_cuda_object *object;

	if (!id || (kind == PL_CUDA_KIND_stream && id <= (uintptr_t)CU_STREAM_PER_THREAD))
		return (void *)(uintptr_t)id;
	if (kind == PL_CUDA_KIND_device)
		return (void *)(intptr_t)pl_cuda_device_away(session, (int)(id - 1));
	object = of_id(session, kind, id);
	if (!object && id & PL_CUDA_ID_SERVER)
		object = object_create(session, kind, id, context_there(session));
	return object ? object->handle : NULL;
}

/* ---- looking up ---- */

void *pl_cuda_get(enum pl_cuda_object_kind kind, const void *handle)
{
	return pl_cuda_handle_of(handle, kind);
}

/* What is no handle of this session's own objects. */
static uint64_t id_else(const struct pl_session *session, enum pl_cuda_object_kind kind, const void *handle)
{
	const struct pl_cuda_object *object;

	if (kind == PL_CUDA_KIND_device) /* -1 is none, 0 */
		return (uint64_t)(pl_cuda_device_home(session, (CUdevice)(uintptr_t)handle) + 1);
	if (kind == PL_CUDA_KIND_stream && (uintptr_t)handle <= (uintptr_t)CU_STREAM_PER_THREAD)
		return (uintptr_t)handle;
	object = pl_cuda_handle_of(handle, kind);
	if (!object && kind == PL_CUDA_KIND_function) /* the API takes a kernel wherever it takes a function */
		object = pl_cuda_handle_of(handle, PL_CUDA_KIND_kernel);
	return object && pl_cuda_object_is_on(object, session) ? object->id : 0;
}

uint64_t pl_cuda_id(const struct pl_session *session, enum pl_cuda_object_kind kind, const void *handle)
{
	const struct pl_cuda_object *object = pl_cuda_handle_of(handle, kind);

	if (__builtin_expect(object && object->session == session, 1))
		return object->id;
	return id_else(session, kind, handle);
}

/* ---- numbers of devices in records ---- */

static void device_home(const struct pl_session *session, uint32_t type, int32_t *device)
{
	if (type == CU_MEM_LOCATION_TYPE_DEVICE)
		*device = pl_cuda_device_home(session, *device);
}

static void device_away(const struct pl_session *session, uint32_t type, int32_t *device)
{
	if (type == CU_MEM_LOCATION_TYPE_DEVICE)
		*device = pl_cuda_device_away(session, *device);
}

#define RECORD(name, type, id)                                                                                         \
	void pl_cuda_##name##_record_home(const struct pl_session *session, struct pl_cuda_##name##_record *record)    \
	{                                                                                                              \
		device_home(session, record->type, &record->id);                                                       \
	}                                                                                                              \
	void pl_cuda_##name##_record_away(const struct pl_session *session, struct pl_cuda_##name##_record *record)    \
	{                                                                                                              \
		device_away(session, record->type, &record->id);                                                       \
	}
RECORD(location, type, id)
RECORD(access, location_type, location_id)
RECORD(allocation, location_type, location_id)
