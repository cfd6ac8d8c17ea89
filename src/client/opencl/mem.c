/* Buffers, sub-buffers and pipes, and what all memory objects have in common. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "client/opencl/adopt.h"
#include "client/opencl/call.h"
#include "client/opencl/check.h"
#include "client/opencl/types.h"

#define ASK_BYTES    (64u << 20) /* larger ones are asked for: whether there is room for them is told at once */

#define FLAGS_ACCESS (CL_MEM_READ_WRITE | CL_MEM_WRITE_ONLY | CL_MEM_READ_ONLY)
#define FLAGS_HOST   (CL_MEM_HOST_WRITE_ONLY | CL_MEM_HOST_READ_ONLY | CL_MEM_HOST_NO_ACCESS)
#define FLAGS_PTR    (CL_MEM_USE_HOST_PTR | CL_MEM_ALLOC_HOST_PTR | CL_MEM_COPY_HOST_PTR)

static bool one_at_most(cl_mem_flags flags)
{
	return !(flags & (flags - 1));
}

bool pl_cl_mem_flags_plain(cl_mem_flags flags, bool has_host_ptr)
{
	cl_mem_flags known = FLAGS_ACCESS | FLAGS_HOST | FLAGS_PTR;
	bool wants_ptr = flags & (CL_MEM_USE_HOST_PTR | CL_MEM_COPY_HOST_PTR);

	return !(flags & ~known) && one_at_most(flags & FLAGS_ACCESS) && one_at_most(flags & FLAGS_HOST) &&
	       !((flags & CL_MEM_USE_HOST_PTR) && (flags & (CL_MEM_ALLOC_HOST_PTR | CL_MEM_COPY_HOST_PTR))) &&
	       wants_ptr == has_host_ptr;
}

uint64_t pl_cl_mem_properties_count(const cl_mem_properties *properties)
{
	uint64_t count = 0;

	if (!properties)
		return 0;
	while (count + 2 < PL_CL_LIMIT_PROPERTIES_MAX && properties[count])
		count += 2;
	return count + 1;
}

struct pl_cl_mem *pl_cl_mem_new(struct pl_cl_context *context, cl_mem_object_type type, cl_mem_flags flags)
{
	struct pl_cl_mem *mem = pl_cl_object_new(context->object.server, PL_CL_KIND_mem, sizeof(*mem), 0);

	if (!mem)
		return NULL;
	mem->context = context;
	mem->root = mem;
	mem->type = type;
	mem->flags = flags ? flags : CL_MEM_READ_WRITE;
	mem->store = mem->shadow_offset = PL_ARENA_NONE;
	pl_cl_hold(context);
	return mem;
}

cl_mem pl_cl_mem_made(struct pl_cl_mem *mem, cl_int code, cl_int *errcode_ret)
{
	pl_cl_code_set(errcode_ret, code);
	if (!code)
		return (cl_mem)mem;
	pl_cl_object_drop(mem);
	return NULL;
}

bool pl_cl_mem_confirm(struct pl_cl_mem *mem)
{
	struct pl_cl_plContextStore_args args = {.context = mem->context->object.id};
	uint64_t fence = mem->object.session->ticket;
	struct pl_reply reply;

	if (PL_CL_ASK(mem->object.session, plContextStore, &args, &reply))
		return false;
	pl_cl_server_confirm(mem->object.server, fence);
	return !mem->failed;
}

struct failure {
	uint64_t id;
	cl_int code;
};

static void mem_fail(void *thing, void *arg)
{
	struct pl_cl_mem *mem = thing;
	struct failure *failure = arg;

	if (mem->object.kind == PL_CL_KIND_mem && mem->object.id == failure->id)
		mem->failed = failure->code;
}

void pl_cl_mem_failed(struct pl_cl_server *server, uint64_t id, cl_int code)
{
	struct failure failure = {id, code};

	pl_cl_table_each(&server->handles, PL_CL_ENTRY_HANDLE, mem_fail, &failure);
}

/* ---- the end ---- */

/* Counts a buffer.  Return: it surely fits into what the server lets the session hold; else the server is asked. */
static bool memory_fits(struct pl_cl_mem *mem, size_t size)
{
	struct pl_cl_server *server = mem->object.server;

	mem->counted_bytes = size;
	return atomic_fetch_add(&server->memory_bytes, size) + size <= mem->object.session->memory_bytes;
}

/* A store that stands in its first page as the application's memory does has that page, too. */
void pl_cl_mem_store_free(struct pl_cl_mem *mem)
{
	uint64_t first = mem->store % PL_ARENA_GRAIN_BYTES;

	pl_cl_arena_free(mem->object.server, mem->store - first, mem->size + first);
}

void pl_cl_mem_fini(struct pl_cl_object *object)
{
	struct pl_cl_mem *mem = (struct pl_cl_mem *)object;

	atomic_fetch_sub(&object->server->memory_bytes, mem->counted_bytes);
	pl_cl_maps_free(mem);
	if (pl_cl_adopt_end(mem) && mem->root == mem && !mem->svm && mem->store != PL_ARENA_NONE)
		pl_cl_mem_store_free(mem);
	if (mem->shadow_offset != PL_ARENA_NONE)
		pl_cl_arena_free(object->server, mem->shadow_offset, mem->shadow_bytes);
	else
		free(mem->shadow);
	pl_cl_unhold(mem->parent);
	pl_cl_unhold(mem->context);
}

static void mem_destroyed(void *arg)
{
	struct pl_cl_mem *mem = arg;

	pl_cl_mem_fini(&mem->object);
	pl_cl_object_free(mem);
}

void pl_cl_mem_run_destroyed(struct pl_cl_mem *mem)
{
	struct pl_cl_callback *list = mem->destroyed;

	/* Callbacks may free the memory: it has to be the application's own before. */
	if (!pl_cl_adopt_end(mem))
		mem->store = PL_ARENA_NONE;
	mem->destroyed = NULL;
	pl_cl_callbacks_run(list, mem, mem_destroyed);
}

bool pl_cl_mem_keep(struct pl_cl_mem *mem)
{
	/* Once it is in the table it may be gone at any moment: the session can be lost. */
	struct pl_cl_table *tokens = &mem->object.server->tokens;
	struct pl_session *session = mem->object.session;
	struct pl_cl_plMemWatch_args watch = {.mem = mem->object.id};
	struct pl_cl_plRelease_args release = {.kind = PL_CL_KIND_mem, .id = mem->object.id};
	cl_int code;

	if (!mem->destroyed || !pl_cl_table_put(tokens, watch.mem, PL_CL_ENTRY_MEM, mem))
		return false;
	PL_CL_SEND(session, plMemWatch, &watch, true, code);
	if (!code)
		PL_CL_SEND(session, plRelease, &release, true, code);
	/* Lost: what the table had has been run, or it is ours to do. */
	if (code && pl_cl_table_take(tokens, watch.mem, PL_CL_ENTRY_MEM))
		pl_cl_mem_run_destroyed(mem);
	return true;
}

void pl_cl_mem_gone(struct pl_cl_server *server, uint64_t id)
{
	struct pl_cl_mem *mem = pl_cl_table_take(&server->tokens, id, PL_CL_ENTRY_MEM);

	if (mem)
		pl_cl_mem_run_destroyed(mem);
}

cl_int pl_cl_stub_clSetMemObjectDestructorCallback(cl_mem handle, void (*pfn_notify)(cl_mem, void *), void *user_data)
{
	struct pl_cl_mem *mem = pl_cl_get(handle, PL_CL_KIND_mem);

	if (!mem)
		return CL_INVALID_MEM_OBJECT;
	if (!pfn_notify)
		return CL_INVALID_VALUE;
	if (!pl_cl_callback_add(&mem->destroyed, &mem->object.lock, (void (*)(void *, void *))pfn_notify, user_data))
		return CL_OUT_OF_HOST_MEMORY;
	return CL_SUCCESS;
}

/* ---- buffers ---- */

/* Where the contents lie: in the arena if the device can use them there, together with the initial contents; else the
 * initial contents travel. */
static int buffer_place(struct pl_cl_mem *mem, bool plain, const void *host_ptr, struct pl_bulk *data)
{
	struct pl_cl_server *server = mem->object.server;

	if (plain && (mem->flags & CL_MEM_USE_HOST_PTR)) {
		mem->svm = pl_cl_svm_find(mem->context, host_ptr, mem->size, &mem->store) != PL_CL_SVM_NONE;
		if (mem->svm)
			return 0;
	}
	if (plain && pl_cl_context_direct(mem->context)) {
		size_t lead = pl_cl_adopt_lead(mem);

		mem->store = pl_cl_arena_alloc(server, lead + mem->size);
		if (mem->store != PL_ARENA_NONE)
			mem->store += lead;
	}
	if (mem->store == PL_ARENA_NONE)
		return host_ptr ? pl_bulk_prepare(server->session, data, host_ptr, mem->size) : 0;
	if (mem->host_ptr) {
		if (!pl_cl_adopt(mem))
			pl_cl_host_drain(mem, 0, mem->size);
	} else if (host_ptr)
		memcpy(pl_cl_mem_store(mem), host_ptr, mem->size);
	return 0;
}

static cl_mem buffer_create(bool with_properties, cl_context handle, const cl_mem_properties *properties,
			    cl_mem_flags flags, size_t size, void *host_ptr, cl_int *errcode_ret)
{
	struct pl_cl_context *context = pl_cl_get(handle, PL_CL_KIND_context);
	struct pl_cl_clCreateBuffer_args args = {
		.flags = flags, .size = size, .with_properties = with_properties, .has_host_ptr = host_ptr != NULL};
	uint64_t alloc_bytes_max, base_align_bytes, more = 0;
	struct pl_cl_mem *mem;
	bool plain, readable, beyond;
	cl_int code;
	int r;

	pl_cl_later_run();
	if (!context)
		return pl_cl_mem_made(NULL, CL_INVALID_CONTEXT, errcode_ret);
	mem = pl_cl_mem_new(context, CL_MEM_OBJECT_BUFFER, flags);
	if (!mem)
		return pl_cl_mem_made(NULL, CL_OUT_OF_HOST_MEMORY, errcode_ret);
	pl_cl_context_limits(context, &alloc_bytes_max, &base_align_bytes);
	plain = pl_cl_mem_flags_plain(flags, host_ptr != NULL) && size && size <= alloc_bytes_max &&
		(!properties || !*properties);
	readable = host_ptr && (flags & (CL_MEM_USE_HOST_PTR | CL_MEM_COPY_HOST_PTR)) && size <= alloc_bytes_max;
	beyond = plain && (flags & CL_MEM_USE_HOST_PTR) && pl_cl_svm_beyond(context, host_ptr, size, &more);
	mem->size = size;
	mem->host_ptr = flags & CL_MEM_USE_HOST_PTR ? host_ptr : NULL;
	args.context = context->object.id;
	args.properties = (struct pl_u64s){properties, pl_cl_mem_properties_count(properties)};
	args.mem = mem->object.id;
	r = beyond ? 0 : buffer_place(mem, plain, readable ? host_ptr : NULL, &args.data);
	args.store = mem->store;
	if (mem->svm ||
	    beyond) { /* the device has to use it at its address; its driver says when there is too little */
		args.has_host_ptr = PL_CL_HOST_PTR_SVM;
		args.size += beyond ? more : 0;
		args.store = (uintptr_t)host_ptr;
	}
	if (r) {
		code = pl_cl_fault(r);
	} else {
		plain = plain && !beyond && size <= ASK_BYTES && memory_fits(mem, size);
		if (with_properties)
			PL_CL_SEND_AS(context->object.session, clCreateBufferWithProperties, clCreateBuffer, &args,
				      plain, code);
		else
			PL_CL_SEND(context->object.session, clCreateBuffer, &args, plain, code);
	}
	pl_bulk_done(context->object.session, &args.data);
	mem->ticket = context->object.session->ticket;
	return pl_cl_mem_made(mem, code, errcode_ret);
}

cl_mem pl_cl_stub_clCreateBuffer(cl_context context, cl_mem_flags flags, size_t size, void *host_ptr,
				 cl_int *errcode_ret)
{
	return buffer_create(false, context, NULL, flags, size, host_ptr, errcode_ret);
}

cl_mem pl_cl_stub_clCreateBufferWithProperties(cl_context context, const cl_mem_properties *properties,
					       cl_mem_flags flags, size_t size, void *host_ptr, cl_int *errcode_ret)
{
	return buffer_create(true, context, properties, flags, size, host_ptr, errcode_ret);
}

/* What a sub-buffer has of its parent's flags. */
static cl_mem_flags flags_inherit(cl_mem_flags flags, cl_mem_flags parent)
{
	if (!(flags & FLAGS_ACCESS))
		flags |= parent & FLAGS_ACCESS;
	if (!(flags & FLAGS_HOST))
		flags |= parent & FLAGS_HOST;
	return flags | (parent & FLAGS_PTR);
}

/* May a sub-buffer with these flags be made from such a buffer? */
static bool flags_narrow(cl_mem_flags flags, cl_mem_flags parent)
{
	cl_mem_flags access = flags & FLAGS_ACCESS, host = flags & FLAGS_HOST;

	return !(flags & ~(cl_mem_flags)(FLAGS_ACCESS | FLAGS_HOST)) && one_at_most(access) && one_at_most(host) &&
	       (!access || !(parent & FLAGS_ACCESS) || (parent & CL_MEM_READ_WRITE) ||
		(parent & FLAGS_ACCESS) == access) &&
	       (!host || !(parent & FLAGS_HOST) || (parent & FLAGS_HOST) == host);
}

cl_mem pl_cl_stub_clCreateSubBuffer(cl_mem handle, cl_mem_flags flags, cl_buffer_create_type buffer_create_type,
				    const void *buffer_create_info, cl_int *errcode_ret)
{
	struct pl_cl_mem *parent = pl_cl_get(handle, PL_CL_KIND_mem);
	const cl_buffer_region *region = buffer_create_info;
	struct pl_cl_clCreateSubBuffer_args args = {.flags = flags, .type = buffer_create_type};
	uint64_t alloc_bytes_max, base_align_bytes;
	struct pl_cl_mem *mem;
	bool plain = false;
	cl_int code;

	if (!parent)
		return pl_cl_mem_made(NULL, CL_INVALID_MEM_OBJECT, errcode_ret);
	mem = pl_cl_mem_new(parent->context, CL_MEM_OBJECT_BUFFER, flags_inherit(flags, parent->flags));
	if (!mem)
		return pl_cl_mem_made(NULL, CL_OUT_OF_HOST_MEMORY, errcode_ret);
	mem->parent = parent;
	mem->root = parent->root;
	pl_cl_hold(parent);
	if (buffer_create_type == CL_BUFFER_CREATE_TYPE_REGION && region) {
		pl_cl_context_limits(parent->context, &alloc_bytes_max, &base_align_bytes);
		plain = parent->root == parent && parent->type == CL_MEM_OBJECT_BUFFER && region->size &&
			pl_cl_check_fits(region->origin, region->size, handle) &&
			!(region->origin % base_align_bytes) && flags_narrow(flags, parent->flags);
		args.has_info = 1;
		args.origin = region->origin;
		args.size = region->size;
		mem->origin = region->origin;
		mem->size = region->size;
		mem->svm = parent->svm;
		mem->host_ptr = parent->host_ptr ? (uint8_t *)parent->host_ptr + region->origin : NULL;
		if (parent->store != PL_ARENA_NONE)
			mem->store = parent->store + region->origin;
	}
	args.buffer = parent->object.id;
	args.mem = mem->object.id;
	PL_CL_SEND(parent->object.session, clCreateSubBuffer, &args, plain, code);
	mem->ticket = parent->object.session->ticket;
	return pl_cl_mem_made(mem, code, errcode_ret);
}

cl_mem pl_cl_stub_clCreatePipe(cl_context handle, cl_mem_flags flags, cl_uint pipe_packet_size,
			       cl_uint pipe_max_packets, const cl_pipe_properties *properties, cl_int *errcode_ret)
{
	struct pl_cl_context *context = pl_cl_get(handle, PL_CL_KIND_context);
	struct pl_cl_clCreatePipe_args args = {
		.flags = flags, .packet_size = pipe_packet_size, .max_packets = pipe_max_packets};
	struct pl_cl_mem *mem;
	uint64_t count = 0;
	cl_int code;

	if (!context)
		return pl_cl_mem_made(NULL, CL_INVALID_CONTEXT, errcode_ret);
	mem = pl_cl_mem_new(context, CL_MEM_OBJECT_PIPE, flags);
	if (!mem)
		return pl_cl_mem_made(NULL, CL_OUT_OF_HOST_MEMORY, errcode_ret);
	while (properties && count + 2 < PL_CL_LIMIT_PROPERTIES_MAX && properties[count])
		count += 2;
	args.context = context->object.id;
	args.properties = (struct pl_u64s){(const uint64_t *)properties, properties ? count + 1 : 0};
	args.mem = mem->object.id;
	PL_CL_SEND(context->object.session, clCreatePipe, &args, false, code);
	return pl_cl_mem_made(mem, code, errcode_ret);
}

/* ---- queries ---- */

static int value_word(struct pl_cl_value *value, uint64_t word, size_t bytes)
{
	value->word = word;
	value->at = &value->word;
	value->bytes = bytes;
	return 1;
}

static int image_answer(struct pl_cl_mem *mem, cl_uint param, struct pl_cl_value *value)
{
	bool flat = mem->type == CL_MEM_OBJECT_IMAGE2D; /* drivers agree on what the other types answer less */

	switch (param) {
	case CL_IMAGE_BUFFER:
		if (mem->type != CL_MEM_OBJECT_IMAGE1D_BUFFER && mem->type != CL_MEM_OBJECT_IMAGE2D)
			return 0;
		return value_word(
			value,
			(uintptr_t)(mem->parent && mem->parent->type == CL_MEM_OBJECT_BUFFER ? mem->parent : NULL),
			sizeof(cl_mem));
	case CL_IMAGE_FORMAT:
		if (!flat)
			return 0;
		value->at = &mem->format;
		value->bytes = sizeof(mem->format);
		return 1;
	case CL_IMAGE_ELEMENT_SIZE:
		return flat && mem->pixel_bytes ? value_word(value, mem->pixel_bytes, sizeof(size_t)) : 0;
	case CL_IMAGE_WIDTH:
		return flat ? value_word(value, mem->desc.image_width, sizeof(size_t)) : 0;
	case CL_IMAGE_HEIGHT:
		return flat ? value_word(value, mem->desc.image_height, sizeof(size_t)) : 0;
	default:
		return 0;
	}
}

int pl_cl_mem_info(struct pl_cl_mem *mem, enum pl_cl_info_kind info, cl_uint param, struct pl_cl_value *value)
{
	if (info == PL_CL_INFO_image)
		return image_answer(mem, param, value);
	switch (param) {
	case CL_MEM_CONTEXT:
		return value_word(value, (uintptr_t)mem->context, sizeof(cl_context));
	case CL_MEM_ASSOCIATED_MEMOBJECT:
		return value_word(value, (uintptr_t)mem->parent, sizeof(cl_mem));
	case CL_MEM_HOST_PTR:
		return value_word(value, (uintptr_t)mem->host_ptr, sizeof(void *));
	case CL_MEM_FLAGS:
		return value_word(value, mem->flags, sizeof(cl_mem_flags));
	case CL_MEM_MAP_COUNT: {
		cl_uint count;
		pl_lock(&mem->root->object.lock);
		count = mem->maps_count;
		pl_unlock(&mem->root->object.lock);
		return value_word(value, count, sizeof(count));
	}
	case CL_MEM_USES_SVM_POINTER:
		return value_word(value, mem->svm ? CL_TRUE : CL_FALSE, sizeof(cl_bool));
	default:
		return 0;
	}
}
