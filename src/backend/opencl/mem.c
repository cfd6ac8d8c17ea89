#include "backend/opencl/mem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "backend/opencl/context.h"
#include "backend/opencl/push.h"
#include "backend/opencl/resolve.h"
#include "backend/opencl/svm.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "wire/opencl.h"

#define PAGE_BYTES 4096u
#define HUGE_BYTES (2u << 20)

static const cl_mem_flags host_flags = CL_MEM_USE_HOST_PTR | CL_MEM_ALLOC_HOST_PTR | CL_MEM_COPY_HOST_PTR;

/* ---- notes ---- */

/* What the object held.  Any thread, also inside the driver: frees, but calls no driver. */
static void note_give_back(struct pl_cl_mem_note *note)
{
	if (note->store_own_bytes)
		munmap(note->store, note->store_own_bytes);
	pl_quota_return(pl_cl_quota(note->session), PL_QUOTA_MEMORY, note->charged_bytes);
}

static void note_free(struct pl_cl_mem_note *note)
{
	struct pl_cl_map *next;

	for (struct pl_cl_map *map = note->maps; map; map = next) {
		next = map->next;
		pl_cl_map_unref(note->session, map);
	}
	pl_cl_svm_unref(note->session, note->svm);
	free(note);
}

static void note_gone(struct pl_cl_session *session, struct pl_cl_job *job)
{
	struct pl_cl_mem_note *note = (struct pl_cl_mem_note *)job;

	if (atomic_load(&note->watched))
		pl_cl_send_mem_gone(session, note->id);
	note_free(note);
}

static void CL_CALLBACK mem_gone(cl_mem mem, void *user_data)
{
	struct pl_cl_mem_note *note = user_data;

	(void)mem;
	note_give_back(note);
	if (note->maps || note->svm || atomic_load(&note->watched))
		pl_cl_push_job(note->session, &note->gone);
	else
		free(note);
}

struct pl_cl_mem_note *pl_cl_mem_note_new(struct pl_cl_session *session, uint64_t id)
{
	struct pl_cl_mem_note *note = calloc(1, sizeof(*note));

	if (note) {
		note->gone.run = note_gone;
		note->session = session;
		note->id = id;
	}
	return note;
}

void pl_cl_mem_note_drop(struct pl_cl_mem_note *note)
{
	if (!note)
		return;
	note_give_back(note);
	note_free(note);
}

int32_t pl_cl_mem_enter(struct pl_cl_mem_note *note, cl_mem mem)
{
	int32_t status = pl_cl.clSetMemObjectDestructorCallback(mem, mem_gone, note);

	if (status) { /* nobody would say when its storage is free again */
		pl_cl.clReleaseMemObject(mem);
		if (!note->store_own_bytes)
			pl_cl_mem_note_drop(note);
		return status;
	}
	return pl_cl_enter(note->session, note->id, PL_CL_KIND_mem, mem, note);
}

void pl_cl_serve_plMemWatch(struct pl_serve *serve, const struct pl_cl_plMemWatch_args *args)
{
	int32_t status = CL_SUCCESS;
	void *mem, *note;

	if (pl_cl_take_note(serve, args->mem, PL_CL_KIND_mem, &mem, &note, &status) && note)
		atomic_store(&((struct pl_cl_mem_note *)note)->watched, true);
	pl_serve_reply(serve, status);
}

/* ---- buffers ---- */

static bool properties_none(struct pl_u64s properties)
{
	return !properties.count || !properties.at[0];
}

static cl_mem buffer_make(const struct pl_cl_clCreateBuffer_args *args, cl_context context, cl_mem_flags flags,
			  void *host, int32_t *status)
{
	static const cl_mem_properties none[1];

	if (!args->with_properties)
		return pl_cl.clCreateBuffer(context, flags, args->size, host, status);
	if (pl_cl.clCreateBufferWithProperties)
		return pl_cl.clCreateBufferWithProperties(context, args->properties.count ? none : NULL, flags,
							  args->size, host, status);
	*status = CL_INVALID_OPERATION;
	return NULL;
}

/* A buffer whose storage is `store`. */
static cl_mem buffer_make_stored(const struct pl_cl_clCreateBuffer_args *args, cl_context context, uint8_t *store,
				 int32_t *status)
{
	return buffer_make(args, context, (args->flags & ~host_flags) | CL_MEM_USE_HOST_PTR, store, status);
}

/* A buffer with the driver's own storage.  The client's host pointer is of no use here: what it points to is copied. */
static cl_mem buffer_make_plain(struct pl_serve *serve, const struct pl_cl_clCreateBuffer_args *args,
				cl_context context, int32_t *status)
{
	static uint64_t nothing[16]; /* a host pointer for calls that the driver refuses because there is one */
	bool wants = args->flags & (CL_MEM_USE_HOST_PTR | CL_MEM_COPY_HOST_PTR);
	cl_mem_flags flags = args->flags;
	struct pl_cl_view view;
	cl_mem mem;

	if ((flags & CL_MEM_USE_HOST_PTR) && (flags & (CL_MEM_ALLOC_HOST_PTR | CL_MEM_COPY_HOST_PTR))) {
		*status = CL_INVALID_VALUE;
		return NULL;
	}
	if (!wants || !args->has_host_ptr) /* without data: the driver may refuse it, but will not read it */
		return buffer_make(args, context, flags, args->has_host_ptr ? nothing : NULL, status);
	if (args->data.bytes != args->size) {
		mem = buffer_make(args, context, flags & ~host_flags, NULL, status);
		if (mem)
			pl_cl.clReleaseMemObject(mem);
		*status = *status ? *status : CL_INVALID_HOST_PTR;
		return NULL;
	}
	*status = pl_cl_view_take(serve, &args->data, false, &view);
	if (*status)
		return NULL;
	if (flags & CL_MEM_USE_HOST_PTR)
		flags = (flags & ~(cl_mem_flags)CL_MEM_USE_HOST_PTR) | CL_MEM_COPY_HOST_PTR;
	mem = buffer_make(args, context, flags, (void *)(uintptr_t)(view.data ? view.data : nothing), status);
	pl_cl_view_fini(&view);
	return mem;
}

/* Flags and size that any driver would take: only these buffers get storage of ours. */
static bool buffer_is_ordinary(const struct pl_cl_clCreateBuffer_args *args, const struct pl_cl_context_note *note)
{
	static const cl_mem_flags access = CL_MEM_READ_WRITE | CL_MEM_WRITE_ONLY | CL_MEM_READ_ONLY;
	static const cl_mem_flags host_access = CL_MEM_HOST_WRITE_ONLY | CL_MEM_HOST_READ_ONLY | CL_MEM_HOST_NO_ACCESS;
	bool wants = args->flags & (CL_MEM_USE_HOST_PTR | CL_MEM_COPY_HOST_PTR);

	if (args->flags & ~(access | host_access | host_flags) || __builtin_popcountll(args->flags & access) > 1 ||
	    __builtin_popcountll(args->flags & host_access) > 1)
		return false;
	if ((args->flags & CL_MEM_USE_HOST_PTR) && (args->flags & (CL_MEM_ALLOC_HOST_PTR | CL_MEM_COPY_HOST_PTR)))
		return false;
	return args->size && args->size <= note->alloc_bytes_max && wants == !!args->has_host_ptr &&
	       properties_none(args->properties);
}

/* Storage in the worker's own memory, for clients that can not share any: received and sent in place.
 * Return: false: the driver's own storage is taken instead. */
static bool store_make(struct pl_serve *serve, const struct pl_cl_clCreateBuffer_args *args,
		       struct pl_cl_mem_note *note)
{
	bool wants = args->flags & (CL_MEM_USE_HOST_PTR | CL_MEM_COPY_HOST_PTR);
	uint64_t bytes = (args->size + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1);
	void *store;

	if (wants && args->data.bytes != args->size)
		return false;
	store = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (store == MAP_FAILED)
		return false;
	if (bytes >= HUGE_BYTES)
		madvise(store, bytes, MADV_HUGEPAGE); /* a fault for each 2 MiB, not for each page */
	note->store = store;
	note->store_own_bytes = bytes;
	if (wants && args->data.kind == PL_BULK_AFTER)
		pl_serve_take_bulk(serve, store, args->size); /* a broken lane ends the session */
	else if (wants)
		memcpy(store, args->data.data, args->size);
	return true;
}

/* On shared virtual memory, at the address that it has for kernels.  The driver's allocation is larger than what the
 * client asked for: whether a buffer is too large for it is asked with that much more. */
static cl_mem buffer_make_svm(const struct pl_cl_clCreateBuffer_args *args, cl_context context,
			      struct pl_cl_mem_note *note, int32_t *status)
{
	struct pl_cl_svm_block *block = pl_cl_svm_ref(note->session, args->store, 1);
	uint8_t *at = (uint8_t *)(uintptr_t)args->store;
	struct pl_cl_clCreateBuffer_args more = *args;
	cl_mem mem;

	if (!block || !(args->flags & CL_MEM_USE_HOST_PTR)) {
		pl_cl_svm_unref(note->session, block);
		*status = CL_INVALID_HOST_PTR;
		return NULL;
	}
	note->svm = block; /* until the note goes */
	if (pl_cl_plus(args->store - block->address, args->size) > block->charged_bytes) {
		more.size = pl_cl_plus(args->size, block->driver_bytes - block->charged_bytes);
		mem = buffer_make(&more, context, args->flags, at, status);
		if (mem) {
			pl_cl.clReleaseMemObject(mem);
			*status = CL_INVALID_BUFFER_SIZE;
		}
		return NULL;
	}
	if (block->shared) {
		note->store = at;
		note->store_shared = true;
	}
	return buffer_make(args, context, args->flags, at, status);
}

static cl_mem buffer_create(struct pl_serve *serve, const struct pl_cl_clCreateBuffer_args *args,
			    struct pl_cl_mem_note *note, int32_t *status)
{
	struct pl_session_worker *worker = serve->session;
	void *context, *context_note;

	if (!pl_cl_take_note(serve, args->context, PL_CL_KIND_context, &context, &context_note, status))
		return NULL;
	if (!properties_none(args->properties)) {
		*status = CL_INVALID_PROPERTY;
		return NULL;
	}
	if (args->has_host_ptr == PL_CL_HOST_PTR_SVM)
		return buffer_make_svm(args, context, note, status);
	if (args->store != PL_CL_STAGE_NONE) {
		if (!worker->arena || args->store > worker->arena_bytes ||
		    args->size > worker->arena_bytes - args->store ||
		    (args->store % PAGE_BYTES && !(args->flags & CL_MEM_USE_HOST_PTR)) ||
		    (args->data.bytes && args->data.bytes != args->size)) {
			*status = CL_INVALID_VALUE;
			return NULL;
		}
		note->store = worker->arena + args->store;
		note->store_shared = true;
		if (args->data.kind == PL_BULK_AFTER && args->data.bytes)
			pl_serve_take_bulk(serve, note->store, args->data.bytes);
		else if (args->data.bytes)
			memmove(note->store, args->data.data, args->data.bytes);
		return buffer_make_stored(args, context, note->store, status);
	}
	if (context_note && !worker->arena && buffer_is_ordinary(args, context_note) &&
	    pl_cl_context_direct(context_note, context) && store_make(serve, args, note))
		return buffer_make_stored(args, context, note->store, status);
	return buffer_make_plain(serve, args, context, status);
}

/* Charges the size; one that passes the limit and that no device takes is not charged: the driver will say so. */
static int32_t buffer_charge(struct pl_serve *serve, const struct pl_cl_clCreateBuffer_args *args,
			     struct pl_cl_mem_note *note)
{
	struct pl_cl_context_note *context_note;
	int32_t status = CL_SUCCESS;
	void *context, *at;

	if (!pl_cl_take_note(serve, args->context, PL_CL_KIND_context, &context, &at, &status))
		return status;
	if (pl_quota_charge(pl_cl_quota(note->session), PL_QUOTA_MEMORY, args->size)) {
		note->charged_bytes = args->size;
		return CL_SUCCESS;
	}
	context_note = at;
	return context_note && args->size > context_note->alloc_bytes_max ? CL_SUCCESS :
									     CL_MEM_OBJECT_ALLOCATION_FAILURE;
}

void pl_cl_serve_clCreateBuffer(struct pl_serve *serve, const struct pl_cl_clCreateBuffer_args *args)
{
	struct pl_cl_session *session = pl_cl_session_of(serve);
	struct pl_cl_mem_note *note = pl_cl_mem_note_new(session, args->mem);
	int32_t status = CL_OUT_OF_HOST_MEMORY;
	cl_mem mem = NULL;

	if (note) {
		note->bytes = args->size;
		status = buffer_charge(serve, args, note);
		if (!status)
			mem = buffer_create(serve, args, note, &status);
	}
	mem = pl_cl_made(mem, &status);
	if (mem && note->charged_bytes != args->size) { /* the driver took more than it says it can */
		pl_cl.clReleaseMemObject(mem);
		mem = NULL;
		status = CL_MEM_OBJECT_ALLOCATION_FAILURE;
	}
	if (mem)
		status = pl_cl_mem_enter(note, mem);
	else
		pl_cl_mem_note_drop(note);
	if (!mem)
		pl_cl_put(serve, args->mem, PL_CL_KIND_mem, NULL, status);
	pl_cl_result(serve, status, 0);
}

void pl_cl_serve_clCreateSubBuffer(struct pl_serve *serve, const struct pl_cl_clCreateSubBuffer_args *args)
{
	struct pl_cl_session *session = pl_cl_session_of(serve);
	struct pl_cl_mem_note *note = pl_cl_mem_note_new(session, args->mem);
	cl_buffer_region region = { args->origin, args->size };
	struct pl_cl_mem_note *parent_note;
	int32_t status = CL_OUT_OF_HOST_MEMORY;
	void *parent, *any;
	cl_mem mem = NULL;

	if (note && pl_cl_take_note(serve, args->buffer, PL_CL_KIND_mem, &parent, &any, &status)) {
		parent_note = any;
		note->bytes = args->size;
		if (parent_note && parent_note->store && args->origin <= parent_note->bytes &&
		    args->size <= parent_note->bytes - args->origin) {
			note->store = parent_note->store + args->origin;
			note->store_shared = parent_note->store_shared;
		}
		if (!pl_cl.clCreateSubBuffer)
			status = CL_INVALID_OPERATION;
		else if (parent && !args->has_info)
			status = CL_INVALID_VALUE;
		else
			mem = pl_cl.clCreateSubBuffer(parent, args->flags, args->type, args->has_info ? &region : NULL,
						      &status);
	}
	mem = pl_cl_made(mem, &status);
	if (mem)
		status = pl_cl_mem_enter(note, mem);
	else
		pl_cl_mem_note_drop(note);
	if (!mem)
		pl_cl_put(serve, args->mem, PL_CL_KIND_mem, NULL, status);
	pl_cl_result(serve, status, 0);
}

void pl_cl_serve_clCreatePipe(struct pl_serve *serve, const struct pl_cl_clCreatePipe_args *args)
{
	struct pl_cl_session *session = pl_cl_session_of(serve);
	struct pl_cl_mem_note *note = pl_cl_mem_note_new(session, args->mem);
	uint64_t words[PL_CL_PROPERTIES_ROOM];
	uint64_t bytes = pl_cl_times(args->packet_size, args->max_packets);
	int32_t status = CL_OUT_OF_HOST_MEMORY;
	cl_mem mem = NULL;
	void *context;

	if (note && !pl_cl.clCreatePipe) {
		status = CL_INVALID_OPERATION;
	} else if (note && !pl_quota_charge(pl_cl_quota(session), PL_QUOTA_MEMORY, bytes)) {
		status = CL_MEM_OBJECT_ALLOCATION_FAILURE;
	} else if (note) {
		note->charged_bytes = bytes;
		if (pl_cl_take(serve, args->context, PL_CL_KIND_context, &context, &status))
			mem = pl_cl.clCreatePipe(context, args->flags, args->packet_size, args->max_packets,
						 (void *)pl_cl_properties(args->properties, words), &status);
	}
	mem = pl_cl_made(mem, &status);
	if (mem)
		status = pl_cl_mem_enter(note, mem);
	else
		pl_cl_mem_note_drop(note);
	pl_cl_result(serve, status, 0);
}

void pl_cl_serve_clGetSupportedImageFormats(struct pl_serve *serve,
					    const struct pl_cl_clGetSupportedImageFormats_args *args)
{
	pl_cleanup(pl_freep) cl_image_format *formats = NULL;
	int32_t status = CL_SUCCESS;
	cl_uint count = 0;
	void *context;

	if (pl_cl_take(serve, args->context, PL_CL_KIND_context, &context, &status))
		status = pl_cl.clGetSupportedImageFormats(context, args->flags, args->image_type, 0, NULL, &count);
	if (!status && count) {
		formats = calloc(count, sizeof(*formats));
		status = formats ? pl_cl.clGetSupportedImageFormats(context, args->flags, args->image_type, count,
								    formats, NULL)
				 : CL_OUT_OF_HOST_MEMORY;
	}
	static_assert(sizeof(*formats) == 8, "order and type, 4 bytes each");
	pl_cl_reply_bytes(serve, status, NULL, 0, formats, status ? 0 : (uint64_t)count * sizeof(*formats));
}
