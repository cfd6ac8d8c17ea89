/*
 * What the session's tables say.  Most of it came back with the calls: that is compared, so that one that was not noted
 * is found here, and not by the program.  What no call brings back is put where it was.
 */
#include <string.h>

#include "backend/cuda/checkpoint.h"
#include "backend/cuda/parts.h"
#include "base/err.h"
#include "wire/cuda-kinds.h"

#define OBJECTS_MAX PL_HANDLES_MAX

struct object {
	uint64_t id, kind, context, name; /* name: of a function, its hash */
	int64_t failed;
};

/* What is not in a table. */
struct state {
	uint64_t ids_made, context_first;
	uint64_t contexts_many, streams_apart, knows_nodes, hides_nodes, graphs_allocate, captures;
	uint64_t late_count;
	struct pl_cuda_late late[PL_CUDA_LATE_MAX];
};

struct save {
	struct pl_checkpoint_file *file;
	int result;
};

/* ---- objects ---- */

static uint64_t name_hash(const struct pl_handle *handle)
{
	uint64_t hash = 0xcbf29ce484222325u;
	const char *name = NULL;

	if (handle->kind == PL_CUDA_KIND_function && pl_cuda.cuFuncGetName &&
	    pl_cuda.cuFuncGetName(&name, handle->object))
		return 0;
	if (handle->kind == PL_CUDA_KIND_kernel && pl_cuda.cuKernelGetName &&
	    pl_cuda.cuKernelGetName(&name, handle->object))
		return 0;
	for (; name && *name; name++)
		hash = (hash ^ (uint8_t)*name) * 0x100000001b3u;
	return name ? hash : 0;
}

static void context_look(struct pl_handle *handle, void *arg)
{
	uint64_t *context = arg;

	if (handle->kind == PL_CUDA_KIND_context && !handle->failed)
		*context = handle->id;
}

/* A driver may tell names to who has a context, whichever it is. */
static bool any_context_push(struct pl_cuda_session *session)
{
	uint64_t context = 0;

	pl_handles_each(&session->worker->handles, context_look, &context);
	return context && pl_cuda_context_push(session, context);
}

static void object_save(struct pl_handle *handle, void *arg)
{
	const struct object object = { .id = handle->id,
				       .kind = handle->kind,
				       .context = (uintptr_t)handle->extra,
				       .name = handle->failed ? 0 : name_hash(handle),
				       .failed = handle->failed };
	struct save *save = arg;

	if (!save->result)
		save->result = pl_checkpoint_put(save->file, &object, sizeof(object));
}

static int objects_save(struct pl_cuda_session *session, struct pl_checkpoint_file *file)
{
	struct pl_handles *handles = &session->worker->handles;
	struct save save = { file, pl_checkpoint_put_u64(file, handles->count) };
	bool pushed = any_context_push(session);

	pl_handles_each(handles, object_save, &save);
	if (pushed)
		pl_cuda_context_pop();
	return pl_trace(save.result);
}

/* Of one whose creation failed the client may ask yet. */
static int object_look(struct pl_cuda_session *session, const struct object *object)
{
	struct pl_handles *handles = &session->worker->handles;
	struct pl_handle handle;

	if (object->failed) {
		int r = pl_handles_put(handles, object->id, (uint32_t)object->kind, NULL, (int32_t)object->failed,
				       (void *)(uintptr_t)object->context);

		return r && r != -EEXIST ? pl_err(r) : 0;
	}
	if (!pl_handles_get(handles, object->id, (uint32_t)object->kind, &handle) || handle.failed ||
	    (object->name && name_hash(&handle) != object->name)) {
		pl_log_info("object 0x%llx of kind %llu is not there any more, or another one",
			    (unsigned long long)object->id, (unsigned long long)object->kind);
		return pl_err(-EOPNOTSUPP);
	}
	return 0;
}

static int objects_load(struct pl_cuda_session *session, struct pl_checkpoint_file *file)
{
	struct object object;
	uint64_t count;
	int r = pl_checkpoint_get_u64(file, OBJECTS_MAX, &count);
	bool pushed = any_context_push(session);

	for (uint64_t i = 0; !r && i < count; i++) {
		r = pl_checkpoint_get(file, &object, sizeof(object));
		if (!r)
			r = object_look(session, &object);
	}
	if (pushed)
		pl_cuda_context_pop();
	if (!r && session->worker->handles.count != count)
		pl_log_info("session %llu: it has %u objects, and had %llu", (unsigned long long)session->worker->id,
			    session->worker->handles.count, (unsigned long long)count);
	return pl_trace(r);
}

/* ---- who has access to maps ---- */

static void map_save(struct pl_handle *handle, void *arg)
{
	const struct pl_cuda_map *map = handle->object;
	struct save *save = arg;

	if (!save->result)
		save->result = pl_checkpoint_put_u64(save->file, handle->id);
	if (!save->result)
		save->result = pl_checkpoint_put(save->file, map->access, sizeof(map->access));
}

static int maps_save(struct pl_cuda_session *session, struct pl_checkpoint_file *file)
{
	struct save save = { file, pl_checkpoint_put_u64(file, session->maps.count) };

	pl_handles_each(&session->maps, map_save, &save);
	return pl_trace(save.result);
}

/* All of them are out: it is given as they come in. */
static int maps_load(struct pl_cuda_session *session, struct pl_checkpoint_file *file)
{
	uint8_t access[PL_CUDA_DEVICES_MAX];
	struct pl_handle handle;
	uint64_t count, address;
	int r = pl_checkpoint_get_u64(file, OBJECTS_MAX, &count);

	if (!r && count != session->maps.count)
		return pl_err(-EOPNOTSUPP);
	for (uint64_t i = 0; !r && i < count; i++) {
		r = pl_checkpoint_get_u64(file, UINT64_MAX, &address);
		if (!r)
			r = pl_checkpoint_get(file, access, sizeof(access));
		if (!r && !pl_handles_get(&session->maps, address, PL_CUDA_MAP, &handle))
			r = pl_err(-EOPNOTSUPP);
		if (!r)
			memcpy(((struct pl_cuda_map *)handle.object)->access, access, sizeof(access));
	}
	return pl_trace(r);
}

/* ---- the rest ---- */

int pl_cuda_state_save(struct pl_cuda_session *session, struct pl_checkpoint_file *file)
{
	struct state state = { .ids_made = atomic_load(&session->ids_made),
			       .context_first = atomic_load(&session->context_first),
			       .contexts_many = atomic_load(&session->contexts_many),
			       .streams_apart = atomic_load(&session->streams_apart),
			       .knows_nodes = atomic_load(&session->knows_nodes),
			       .hides_nodes = atomic_load(&session->hides_nodes),
			       .graphs_allocate = atomic_load(&session->graphs_allocate),
			       .captures = atomic_load(&session->captures) };
	int r;

	pthread_mutex_lock(&session->late_lock);
	state.late_count = session->late_count;
	memcpy(state.late, session->late, sizeof(state.late));
	pthread_mutex_unlock(&session->late_lock);
	r = pl_checkpoint_put(file, &state, sizeof(state));
	if (!r)
		r = objects_save(session, file);
	if (!r)
		r = maps_save(session, file);
	return r ? pl_trace(r) : pl_trace(pl_cuda_marks_save(session, file));
}

static void state_set(struct pl_cuda_session *session, const struct state *state)
{
	atomic_store(&session->ids_made, state->ids_made);
	atomic_store(&session->context_first, state->context_first);
	atomic_store(&session->contexts_many, state->contexts_many != 0);
	atomic_store(&session->streams_apart, state->streams_apart != 0);
	atomic_store(&session->knows_nodes, state->knows_nodes != 0);
	atomic_store(&session->hides_nodes, state->hides_nodes != 0);
	atomic_store(&session->graphs_allocate, state->graphs_allocate != 0);
	atomic_store(&session->captures, state->captures != 0);
	pthread_mutex_lock(&session->late_lock);
	session->late_count = (uint32_t)state->late_count;
	memcpy(session->late, state->late, sizeof(session->late));
	pthread_mutex_unlock(&session->late_lock);
}

int pl_cuda_state_load(struct pl_cuda_session *session, struct pl_checkpoint_file *file)
{
	struct state state;
	int r = pl_checkpoint_get(file, &state, sizeof(state));

	if (!r && state.late_count > PL_CUDA_LATE_MAX)
		r = pl_err(-EPROTO);
	if (r)
		return pl_trace(r);
	state_set(session, &state);
	r = objects_load(session, file);
	if (!r)
		r = maps_load(session, file);
	return r ? pl_trace(r) : pl_trace(pl_cuda_marks_load(session, file));
}
