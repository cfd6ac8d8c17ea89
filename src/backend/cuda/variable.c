/*
 * Variables of modules and libraries: what they contain no call brings back.  Their addresses are in programs' hands
 * and in kernels' code, and have to be what they were.
 */
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/checkpoint.h"
#include "backend/cuda/own.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "wire/cuda-kinds.h"

#define CHUNK_BYTES       (4u << 20)
#define VARIABLE_NAME_MAX PL_CUDA_LIMIT_NAME_MAX

struct source {
	uint64_t id, kind;
	const void *image;
};

struct sources {
	struct source *at;
	size_t count, room;
};

/* In the file, ahead of the name and the content; id 0: no more. */
struct note {
	uint64_t id, kind, context, address, bytes, name_bytes;
};

static void sources_free(struct sources *sources)
{
	free(sources->at);
}

static void source_add(struct pl_handle *handle, void *arg)
{
	struct sources *sources = arg;

	if (sources->count < sources->room)
		sources->at[sources->count++] = (struct source){ handle->id, handle->kind, handle->object };
}

static bool sources_make(struct sources *sources, struct pl_cuda_session *session)
{
	*sources = (struct sources){ .room = session->kept.sources.count };
	sources->at = calloc(sources->room + 1, sizeof(*sources->at));
	if (sources->at)
		pl_handles_each(&session->kept.sources, source_add, sources);
	return sources->at;
}

bool pl_cuda_variables_known(struct pl_cuda_session *session)
{
	pl_cleanup(sources_free) struct sources sources;
	bool known = sources_make(&sources, session);

	for (size_t i = 0; known && i < sources.count; i++) {
		struct pl_cuda_names names;

		if (pl_cuda_image_names(sources.at[i].image, &names))
			return false;
		known = !names.unknown;
		pl_cuda_names_fini(&names);
	}
	return known;
}

/* ---- places ---- */

struct contexts {
	uint64_t ids[PL_CUDA_DEVICES_MAX];
	uint32_t count;
};

static void context_add(struct pl_handle *handle, void *arg)
{
	struct contexts *contexts = arg;

	if (handle->kind == PL_CUDA_KIND_context && !handle->failed && contexts->count < PL_CUDA_DEVICES_MAX)
		contexts->ids[contexts->count++] = handle->id;
}

static int by_id(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return (a > b) - (a < b);
}

static void place(struct pl_cuda_session *session, uint64_t library, uint64_t context)
{
	struct pl_handle handle;
	CUresult r;

	if (!pl_handles_get(&session->worker->handles, library, PL_CUDA_KIND_library, &handle) || handle.failed ||
	    !pl_cuda_context_push(session, context))
		return;
	r = pl_cuda_own_place(handle.object);
	pl_cuda_context_pop();
	if (r) /* who uses it there hears of it */
		pl_log_debug("library 0x%llx has no place in context 0x%llx: %d", (unsigned long long)library,
			     (unsigned long long)context, (int)r);
}

/* A driver places a library in a context when that first uses it, which no call that is said again tells; what is
 * placed later lies behind it.  So it is done at once, and in the same order each time. */
void pl_cuda_library_place(struct pl_cuda_session *session, uint64_t library)
{
	struct contexts contexts = { .count = 0 };

	if (!session->worker->checkpoint)
		return;
	pl_handles_each(&session->worker->handles, context_add, &contexts);
	qsort(contexts.ids, contexts.count, sizeof(contexts.ids[0]), by_id);
	for (uint32_t i = 0; i < contexts.count; i++)
		place(session, library, contexts.ids[i]);
}

void pl_cuda_context_fill(struct pl_cuda_session *session, uint64_t context)
{
	pl_cleanup(sources_free) struct sources sources;

	if (!sources_make(&sources, session))
		return;
	static_assert(offsetof(struct source, id) == 0, "they are sorted by it");
	qsort(sources.at, sources.count, sizeof(*sources.at), by_id);
	for (size_t i = 0; i < sources.count; i++)
		if (sources.at[i].kind == PL_CUDA_KIND_library)
			place(session, sources.at[i].id, context);
}

/* ---- content ---- */

/* With the context current.  Return: there is such a variable. */
static bool variable_get(void *owner, uint64_t kind, const char *name, CUdeviceptr *address_out, size_t *bytes_out)
{
	if (kind == PL_CUDA_KIND_module)
		return pl_cuda.cuModuleGetGlobal_v2 &&
		       !pl_cuda.cuModuleGetGlobal_v2(address_out, bytes_out, owner, name) && *bytes_out;
	return pl_cuda.cuLibraryGetGlobal && !pl_cuda.cuLibraryGetGlobal(address_out, bytes_out, owner, name) &&
	       *bytes_out;
}

static int content_move(struct pl_checkpoint_file *file, CUdeviceptr address, uint64_t bytes, bool saves)
{
	uint64_t room = bytes < CHUNK_BYTES ? bytes : CHUNK_BYTES;
	pl_cleanup(pl_freep) void *host = malloc(room);
	int r = host ? 0 : pl_err(-ENOMEM);

	for (uint64_t at = 0, part; !r && at < bytes; at += part) {
		part = bytes - at < room ? bytes - at : room;
		if (saves && pl_cuda.cuMemcpyDtoH_v2(host, address + at, part))
			r = pl_err(-EIO);
		if (!r)
			r = saves ? pl_checkpoint_put(file, host, part) : pl_checkpoint_get(file, host, part);
		if (!r && !saves && pl_cuda.cuMemcpyHtoD_v2(address + at, host, part))
			r = pl_err(-EIO);
	}
	return pl_trace(r);
}

/* ---- save ---- */

static int variable_save(struct pl_checkpoint_file *file, struct note *note, const char *name)
{
	int r;

	note->name_bytes = strlen(name);
	r = pl_checkpoint_put(file, note, sizeof(*note));
	if (!r)
		r = pl_checkpoint_put(file, name, note->name_bytes);
	return r ? pl_trace(r) : pl_trace(content_move(file, note->address, note->bytes, true));
}

static int variables_of(struct pl_cuda_session *session, struct pl_checkpoint_file *file, const struct source *source,
			uint64_t context, const struct pl_cuda_names *names)
{
	struct pl_handle owner;
	int r = 0;

	if (!pl_handles_get(&session->worker->handles, source->id, (uint32_t)source->kind, &owner) || owner.failed)
		return 0;
	if (!pl_cuda_context_push(session, context))
		return 0; /* it has gone, and they with it */
	for (size_t i = 0; !r && i < names->count; i++) {
		struct note note = { .id = source->id, .kind = source->kind, .context = context };
		CUdeviceptr address = 0;
		size_t bytes = 0;

		if (!variable_get(owner.object, source->kind, names->at[i], &address, &bytes))
			continue;
		note.address = address;
		note.bytes = bytes;
		r = variable_save(file, &note, names->at[i]);
	}
	pl_cuda_context_pop();
	return pl_trace(r);
}

/* A library is in each context, with variables of its own. */
static int source_save(struct pl_cuda_session *session, struct pl_checkpoint_file *file, const struct source *source)
{
	struct contexts contexts = { .count = 0 };
	struct pl_cuda_names names;
	struct pl_handle owner;
	int r = pl_cuda_image_names(source->image, &names);

	if (r)
		return pl_trace(r);
	if (source->kind == PL_CUDA_KIND_library)
		pl_handles_each(&session->worker->handles, context_add, &contexts);
	else if (pl_handles_get(&session->worker->handles, source->id, PL_CUDA_KIND_module, &owner))
		contexts.ids[contexts.count++] = (uintptr_t)owner.extra;
	for (uint32_t i = 0; !r && i < contexts.count; i++)
		r = variables_of(session, file, source, contexts.ids[i], &names);
	pl_cuda_names_fini(&names);
	return pl_trace(r);
}

int pl_cuda_variables_save(struct pl_cuda_session *session, struct pl_checkpoint_file *file)
{
	pl_cleanup(sources_free) struct sources sources;
	const struct note end = { 0 };
	int r = sources_make(&sources, session) ? 0 : pl_err(-ENOMEM);

	for (size_t i = 0; !r && i < sources.count; i++)
		r = source_save(session, file, &sources.at[i]);
	return r ? pl_trace(r) : pl_trace(pl_checkpoint_put(file, &end, sizeof(end)));
}

/* ---- load ---- */

static int variable_load(struct pl_cuda_session *session, struct pl_checkpoint_file *file, const struct note *note,
			 const char *name)
{
	CUdeviceptr address = 0;
	struct pl_handle owner;
	size_t bytes = 0;
	int r = 0;

	if (!pl_handles_get(&session->worker->handles, note->id, (uint32_t)note->kind, &owner) || owner.failed ||
	    !pl_cuda_context_push(session, note->context))
		return pl_err(-EOPNOTSUPP);
	if (!variable_get(owner.object, note->kind, name, &address, &bytes) || address != note->address ||
	    bytes != note->bytes) {
		pl_log_info("variable %s is at 0x%llx now, and was at 0x%llx", name, (unsigned long long)address,
			    (unsigned long long)note->address);
		r = pl_err(-EOPNOTSUPP);
	}
	if (!r)
		r = content_move(file, address, bytes, false);
	pl_cuda_context_pop();
	return pl_trace(r);
}

int pl_cuda_variables_load(struct pl_cuda_session *session, struct pl_checkpoint_file *file)
{
	pl_cleanup(pl_freep) char *name = malloc(VARIABLE_NAME_MAX + 1);
	struct note note;
	int r = name ? pl_checkpoint_get(file, &note, sizeof(note)) : pl_err(-ENOMEM);

	while (!r && note.id) {
		if (note.name_bytes > VARIABLE_NAME_MAX)
			return pl_err(-EPROTO);
		r = pl_checkpoint_get(file, name, note.name_bytes);
		if (r)
			break;
		name[note.name_bytes] = '\0';
		r = variable_load(session, file, &note, name);
		if (!r)
			r = pl_checkpoint_get(file, &note, sizeof(note));
	}
	return pl_trace(r);
}
