/*
 * Maps.  The pointer is known at once: the store that the device uses in place, the application's own memory
 * (CL_MEM_USE_HOST_PTR), or a shadow of the object that keeps its place as long as the object lives.
 */
#include <stdlib.h>
#include <string.h>

#include "client/opencl/adopt.h"
#include "client/opencl/call.h"
#include "client/opencl/check.h"
#include "client/opencl/move.h"

#define SHADOW_ALIGN 4096u
#define MAP_WRITES   (CL_MAP_WRITE | CL_MAP_WRITE_INVALIDATE_REGION)

struct pl_cl_map {
	struct pl_cl_map *next;
	uint64_t number; /* as the server knows it; 0 = it does not */
	uint8_t *ptr;
	struct pl_cl_box box; /* of ptr */
	size_t offset;	      /* buffers */
	cl_map_flags flags;
};

void pl_cl_maps_free(struct pl_cl_mem *mem)
{
	while (mem->maps) {
		struct pl_cl_map *next = mem->maps->next;
		free(mem->maps);
		mem->maps = next;
	}
}

static void map_add(struct pl_cl_mem *mem, struct pl_cl_map *map)
{
	pl_lock(&mem->root->object.lock);
	map->next = mem->maps;
	mem->maps = map;
	mem->maps_count++;
	pl_unlock(&mem->root->object.lock);
}

/* Called with root's lock held. */
static struct pl_cl_map **map_find(struct pl_cl_mem *mem, const void *ptr)
{
	struct pl_cl_map **link = &mem->maps;

	while (*link && (*link)->ptr != ptr)
		link = &(*link)->next;
	return *link ? link : NULL;
}

static struct pl_cl_map *map_take(struct pl_cl_mem *mem, const void *ptr)
{
	struct pl_cl_map **link, *map = NULL;

	pl_lock(&mem->root->object.lock);
	link = map_find(mem, ptr);
	if (link) {
		map = *link;
		*link = map->next;
		mem->maps_count--;
	}
	pl_unlock(&mem->root->object.lock);
	return map;
}

/* The shadow of a whole root object.  NULL = no memory. */
static uint8_t *shadow_get(struct pl_cl_mem *root, size_t bytes)
{
	struct pl_cl_server *server = root->object.server;
	uint8_t *shadow;

	pl_lock(&root->object.lock);
	if (!root->shadow && bytes) {
		root->shadow_offset = pl_cl_arena_alloc(server, bytes);
		root->shadow_bytes = bytes;
		if (root->shadow_offset != PL_ARENA_NONE)
			root->shadow = server->session->arena.base + root->shadow_offset;
		else
			root->shadow =
				aligned_alloc(SHADOW_ALIGN, (bytes + SHADOW_ALIGN - 1) & ~(size_t)(SHADOW_ALIGN - 1));
	}
	shadow = root->shadow;
	pl_unlock(&root->object.lock);
	return shadow;
}

static bool flags_plain(const struct pl_cl_mem *mem, cl_map_flags flags)
{
	if (!flags || (flags & ~(cl_map_flags)(CL_MAP_READ | MAP_WRITES)) ||
	    ((flags & CL_MAP_WRITE_INVALIDATE_REGION) && (flags & (CL_MAP_READ | CL_MAP_WRITE))))
		return false;
	if ((flags & CL_MAP_READ) && (mem->flags & (CL_MEM_HOST_WRITE_ONLY | CL_MEM_HOST_NO_ACCESS)))
		return false;
	return !(flags & MAP_WRITES) || !(mem->flags & (CL_MEM_HOST_READ_ONLY | CL_MEM_HOST_NO_ACCESS));
}

/* Does the application's memory hold a copy of what lies elsewhere, or some of these bytes? */
static bool has_copy(const struct pl_cl_mem *mem, size_t offset, size_t bytes)
{
	return mem->host_ptr && !(mem->svm && pl_cl_mem_direct(mem)) && !pl_cl_host_shared(mem, offset, bytes);
}

static bool map_has_copy(const struct pl_cl_mem *mem, const struct pl_cl_map *map)
{
	return has_copy(mem, map->offset, map->box.row_bytes);
}

/* ---- buffers ---- */

static uint8_t *buffer_pointer(struct pl_cl_mem *mem, size_t offset)
{
	uint8_t *shadow;

	if (mem->host_ptr)
		return (uint8_t *)mem->host_ptr + offset;
	if (pl_cl_mem_direct(mem))
		return pl_cl_mem_store(mem) + offset;
	shadow = shadow_get(mem->root, mem->root->size);
	return shadow ? shadow + mem->origin + offset : NULL;
}

/* Contents into the application's own memory, by a read of the same queue. */
static cl_int copy_read(struct pl_cl_command *command, struct pl_cl_mem *mem, const struct pl_cl_map *map)
{
	struct pl_cl_clEnqueueReadBuffer_args args;
	struct pl_cl_clEnqueueReadBuffer_reply got;
	struct pl_cl_landing landing = {.to = map->ptr, .box = map->box};
	struct pl_reply reply;
	cl_int code = pl_cl_command_start(command);
	int r;

	if (code)
		return code;
	if (!pl_cl_landing_start(&landing, command->server, command->blocking, true))
		return pl_cl_command_end(command, CL_OUT_OF_HOST_MEMORY);
	args = (struct pl_cl_clEnqueueReadBuffer_args){
		.queue = command->queue->object.id,
		.mem = mem->object.id,
		.blocking = command->blocking,
		.has_ptr = 1,
		.offset = map->offset,
		.size = map->box.row_bytes,
		.stage = landing.stage,
		.token = landing.token,
		.waits = command->ids.list,
		.event = command->event_id,
	};
	if (!command->blocking) {
		r = PL_CL_POST(command->session, clEnqueueReadBuffer, &args);
		code = r ? pl_cl_fault(r) : CL_SUCCESS;
	} else {
		r = PL_CL_ASK(command->session, clEnqueueReadBuffer, &args, &reply);
		code = r ? pl_cl_fault(r) : pl_cl_queue_reply(command->queue, &reply);
		if (!code) {
			pl_cl_clEnqueueReadBuffer_reply_get(&reply.dec, &got);
			r = pl_cl_landing_reply(&landing, command->server, &reply, &got.data);
			code = r ? pl_cl_fault(r) : CL_SUCCESS;
		}
	}
	if (code)
		pl_cl_landing_cancel(&landing, command->server);
	return pl_cl_command_end(command, code);
}

/* A map of memory that the device uses in place.  Return: false = the server has to do it. */
static bool map_direct(struct pl_cl_command *command, struct pl_cl_mem *mem, struct pl_cl_map *map, cl_int *code_out)
{
	bool copy = map_has_copy(mem, map), fill = copy && !(map->flags & CL_MAP_WRITE_INVALIDATE_REGION);

	if (!pl_cl_mem_direct(mem))
		return false;
	if (pl_cl_command_local(command, mem, code_out)) {
		if (!*code_out && fill)
			pl_cl_host_fill(mem, map->offset, map->box.row_bytes);
		if (!*code_out)
			*code_out = pl_cl_command_local_end(command);
		return true;
	}
	if (fill && !(mem->flags & CL_MEM_HOST_WRITE_ONLY)) {
		*code_out = copy_read(command, mem, map);
		return true;
	}
	if (copy) {
		*code_out = pl_cl_command_turn(command);
		if (!*code_out && fill)
			pl_cl_host_fill(mem, map->offset, map->box.row_bytes);
		return true;
	}
	if (command->blocking || !pl_cl_queue_ordered(command->queue))
		return false;
	*code_out = pl_cl_command_marker(command, true);
	return true;
}

static cl_int map_remote(struct pl_cl_command *command, struct pl_cl_mem *mem, struct pl_cl_map *map, bool plain)
{
	struct pl_cl_landing landing = {.to = map->ptr, .box = map->box, .mapped = true};
	struct pl_cl_clEnqueueMapBuffer_args args;
	struct pl_cl_clEnqueueMapBuffer_reply got;
	struct pl_reply reply;
	cl_int code = pl_cl_command_start(command);
	int r;

	if (code)
		return code;
	if ((map->flags & CL_MAP_WRITE_INVALIDATE_REGION) || (mem && pl_cl_mem_direct(mem) && !map_has_copy(mem, map)))
		landing.to = NULL;
	if (!pl_cl_landing_start(&landing, command->server, command->blocking, plain))
		return pl_cl_command_end(command, CL_OUT_OF_HOST_MEMORY);
	map->number = pl_session_id_mint(command->session);
	args = (struct pl_cl_clEnqueueMapBuffer_args){
		.queue = command->queue->object.id,
		.mem = pl_cl_id_at(command->session, mem, PL_CL_KIND_mem),
		.blocking = command->blocking,
		.map_flags = map->flags,
		.offset = map->offset,
		.size = map->box.row_bytes,
		.map = map->number,
		.stage = landing.stage,
		.token = landing.token,
		.waits = command->ids.list,
		.event = command->event_id,
	};
	if (plain && !command->blocking) {
		r = PL_CL_POST(command->session, clEnqueueMapBuffer, &args);
		code = r ? pl_cl_fault(r) : CL_SUCCESS;
	} else {
		r = PL_CL_ASK(command->session, clEnqueueMapBuffer, &args, &reply);
		code = r ? pl_cl_fault(r) : pl_cl_queue_reply(command->queue, &reply);
		if (!code) {
			pl_cl_clEnqueueMapBuffer_reply_get(&reply.dec, &got);
			r = pl_cl_landing_reply(&landing, command->server, &reply, &got.data);
			code = r ? pl_cl_fault(r) : CL_SUCCESS;
		}
	}
	if (code)
		pl_cl_landing_cancel(&landing, command->server);
	return pl_cl_command_end(command, code);
}

void *pl_cl_stub_clEnqueueMapBuffer(cl_command_queue command_queue, cl_mem buffer, cl_bool blocking_map,
				    cl_map_flags map_flags, size_t offset, size_t size, cl_uint num_events_in_wait_list,
				    const cl_event *event_wait_list, cl_event *event, cl_int *errcode_ret)
{
	struct pl_cl_mem *mem = pl_cl_get(buffer, PL_CL_KIND_mem);
	struct pl_cl_command command;
	struct pl_cl_map *map;
	bool inside, plain;
	cl_int code = pl_cl_command_init(&command, PL_CL_OP_clEnqueueMapBuffer, command_queue, blocking_map,
					 num_events_in_wait_list, event_wait_list, event);

	map = code ? NULL : calloc(1, sizeof(*map));
	if (!map) {
		pl_cl_code_set(errcode_ret, code ? code : CL_OUT_OF_HOST_MEMORY);
		return NULL;
	}
	map->flags = map_flags;
	map->offset = offset;
	map->box = pl_cl_box_line(size);
	inside = mem && size && mem->type == CL_MEM_OBJECT_BUFFER && pl_cl_check_fits(offset, size, buffer);
	plain = inside && pl_cl_command_plain(&command, mem) && flags_plain(mem, map_flags);
	if (inside) {
		map->ptr = buffer_pointer(mem, offset);
		if (!map->ptr)
			code = CL_MAP_FAILURE;
	}
	if (!code && !(plain && map_direct(&command, mem, map, &code)))
		code = map_remote(&command, mem, map, plain);
	pl_cl_code_set(errcode_ret, code);
	if (code) {
		free(map);
		return NULL;
	}
	map_add(mem, map);
	return map->ptr;
}

/* ---- images ---- */

/* How a whole image lies where it is mapped, in bytes. */
static struct pl_cl_box image_layout(const struct pl_cl_mem *mem)
{
	bool own = mem->host_ptr != NULL;
	struct pl_cl_box box = {.row_bytes = mem->desc.image_width * mem->pixel_bytes, .rows = 1, .slices = 1};

	box.row_pitch = own && mem->desc.image_row_pitch ? mem->desc.image_row_pitch : box.row_bytes;
	switch (mem->type) {
	case CL_MEM_OBJECT_IMAGE2D:
		box.rows = mem->desc.image_height;
		break;
	case CL_MEM_OBJECT_IMAGE3D:
		box.rows = mem->desc.image_height;
		box.slices = mem->desc.image_depth;
		break;
	case CL_MEM_OBJECT_IMAGE1D_ARRAY:
		box.rows = mem->desc.image_array_size;
		break;
	case CL_MEM_OBJECT_IMAGE2D_ARRAY:
		box.rows = mem->desc.image_height;
		box.slices = mem->desc.image_array_size;
		break;
	default:
		break;
	}
	box.slice_pitch = box.row_pitch * box.rows;
	if (own && mem->desc.image_slice_pitch && mem->type == CL_MEM_OBJECT_IMAGE1D_ARRAY)
		box.row_pitch = mem->desc.image_slice_pitch;
	else if (own && mem->desc.image_slice_pitch)
		box.slice_pitch = mem->desc.image_slice_pitch;
	return box;
}

static bool image_sliced(const struct pl_cl_mem *mem)
{
	return mem->type == CL_MEM_OBJECT_IMAGE3D || mem->type == CL_MEM_OBJECT_IMAGE1D_ARRAY ||
	       mem->type == CL_MEM_OBJECT_IMAGE2D_ARRAY;
}

/* Pointer and box of a region of an image. */
static bool image_place(struct pl_cl_mem *mem, struct pl_cl_map *map, const size_t *origin, const size_t *region)
{
	struct pl_cl_box whole = image_layout(mem);
	uint8_t *base = mem->host_ptr;

	if (!base)
		base = shadow_get(mem, whole.slice_pitch * whole.slices);
	if (!base)
		return false;
	map->ptr = base + origin[2] * whole.slice_pitch + origin[1] * whole.row_pitch + origin[0] * mem->pixel_bytes;
	map->box = (struct pl_cl_box){region[0] * mem->pixel_bytes, region[1], region[2], whole.row_pitch,
				      whole.slice_pitch};
	return true;
}

static cl_int image_map_send(struct pl_cl_command *command, struct pl_cl_mem *mem, struct pl_cl_map *map,
			     struct pl_cl_clEnqueueMapImage_args *args, bool plain)
{
	struct pl_cl_landing landing = {.to = map->ptr, .box = map->box, .mapped = true};
	struct pl_cl_clEnqueueMapImage_reply got;
	struct pl_reply reply;
	cl_int code = pl_cl_command_start(command);
	int r;

	if (code)
		return code;
	if (map->flags & CL_MAP_WRITE_INVALIDATE_REGION)
		landing.to = NULL;
	if (!pl_cl_landing_start(&landing, command->server, command->blocking, plain))
		return pl_cl_command_end(command, CL_OUT_OF_HOST_MEMORY);
	map->number = pl_session_id_mint(command->session);
	args->queue = command->queue->object.id;
	args->mem = pl_cl_id_at(command->session, mem, PL_CL_KIND_mem);
	args->blocking = command->blocking;
	args->map_flags = map->flags;
	args->size = landing.bytes;
	args->map = map->number;
	args->stage = landing.stage;
	args->token = landing.token;
	args->waits = command->ids.list;
	args->event = command->event_id;
	if (plain && !command->blocking) {
		r = PL_CL_POST(command->session, clEnqueueMapImage, args);
		code = r ? pl_cl_fault(r) : CL_SUCCESS;
	} else {
		r = PL_CL_ASK(command->session, clEnqueueMapImage, args, &reply);
		code = r ? pl_cl_fault(r) : pl_cl_queue_reply(command->queue, &reply);
		if (!code) {
			pl_cl_clEnqueueMapImage_reply_get(&reply.dec, &got);
			r = pl_cl_landing_reply(&landing, command->server, &reply, &got.data);
			code = r ? pl_cl_fault(r) : CL_SUCCESS;
		}
	}
	if (code)
		pl_cl_landing_cancel(&landing, command->server);
	return pl_cl_command_end(command, code);
}

void *pl_cl_stub_clEnqueueMapImage(cl_command_queue command_queue, cl_mem image, cl_bool blocking_map,
				   cl_map_flags map_flags, const size_t *origin, const size_t *region,
				   size_t *image_row_pitch, size_t *image_slice_pitch, cl_uint num_events_in_wait_list,
				   const cl_event *event_wait_list, cl_event *event, cl_int *errcode_ret)
{
	struct pl_cl_mem *mem = pl_cl_get(image, PL_CL_KIND_mem);
	struct pl_cl_clEnqueueMapImage_args args = {0};
	struct pl_cl_command command;
	struct pl_cl_map *map;
	bool inside, plain;
	cl_int code = pl_cl_command_init(&command, PL_CL_OP_clEnqueueMapImage, command_queue, blocking_map,
					 num_events_in_wait_list, event_wait_list, event);

	map = code ? NULL : calloc(1, sizeof(*map));
	if (!map) {
		pl_cl_code_set(errcode_ret, code ? code : CL_OUT_OF_HOST_MEMORY);
		return NULL;
	}
	map->flags = map_flags;
	if (origin && region) {
		args.has_box = 1;
		memcpy(args.origin, origin, sizeof(args.origin));
		memcpy(args.region, region, sizeof(args.region));
	}
	inside = mem && origin && region && pl_cl_image_region_plain(mem, origin, region);
	plain = inside && pl_cl_command_plain(&command, mem) && flags_plain(mem, map_flags) && image_row_pitch &&
		(image_slice_pitch || !image_sliced(mem));
	if (inside && !image_place(mem, map, origin, region))
		code = CL_MAP_FAILURE;
	args.row_pitch = image_row_pitch ? map->box.row_pitch : 0;
	args.slice_pitch = image_slice_pitch ? map->box.slice_pitch : 0;
	if (!code)
		code = image_map_send(&command, mem, map, &args, plain);
	pl_cl_code_set(errcode_ret, code);
	if (code) {
		free(map);
		return NULL;
	}
	if (image_row_pitch)
		*image_row_pitch = map->box.row_pitch;
	if (image_slice_pitch)
		*image_slice_pitch = !mem || !image_sliced(mem)			? 0
				     : mem->type == CL_MEM_OBJECT_IMAGE1D_ARRAY ? map->box.row_pitch
										: map->box.slice_pitch;
	map_add(mem, map);
	return map->ptr;
}

/* ---- unmap ---- */

/* What was written into the application's own memory goes into the store behind the commands that are under way. */
static cl_int copy_write(struct pl_cl_command *command, struct pl_cl_mem *mem, const struct pl_cl_map *map)
{
	struct pl_cl_clEnqueueWriteBuffer_args args;
	struct pl_cl_load load;
	cl_int code = pl_cl_command_start(command);
	int r;

	if (code)
		return code;
	r = pl_cl_load_start(&load, command->session, map->ptr, &map->box, PL_CL_LOAD_POSTED);
	if (!r) {
		args = (struct pl_cl_clEnqueueWriteBuffer_args){
			.queue = command->queue->object.id,
			.mem = mem->object.id,
			.has_ptr = 1,
			.offset = map->offset,
			.size = map->box.row_bytes,
			.data = load.bulk,
			.waits = command->ids.list,
			.event = command->event_id,
		};
		r = PL_CL_POST(command->session, clEnqueueWriteBuffer, &args);
	}
	code = pl_cl_command_end(command, r ? pl_cl_fault(r) : CL_SUCCESS);
	pl_cl_load_end(&load, command->session);
	return code;
}

/* Of a map that the server does not know. */
static cl_int unmap_direct(struct pl_cl_command *command, struct pl_cl_mem *mem, const struct pl_cl_map *map,
			   bool plain)
{
	bool drain = map_has_copy(mem, map) && (map->flags & MAP_WRITES);
	cl_int code;

	if (!plain)
		return pl_cl_command_marker(command, false);
	if (pl_cl_command_local(command, mem, &code)) {
		if (drain)
			pl_cl_host_drain(mem, map->offset, map->box.row_bytes);
		return pl_cl_command_local_end(command);
	}
	if (drain)
		return copy_write(command, mem, map);
	return pl_cl_command_marker(command, true);
}

static cl_int unmap_remote(struct pl_cl_command *command, struct pl_cl_mem *mem, const struct pl_cl_map *map,
			   bool plain)
{
	struct pl_cl_clEnqueueUnmapMemObject_args args;
	struct pl_cl_load load;
	struct pl_reply reply;
	bool writes = map && (map->flags & MAP_WRITES) && (!pl_cl_mem_direct(mem) || map_has_copy(mem, map));
	cl_int code = pl_cl_command_start(command);
	int r;

	if (code)
		return code;
	r = pl_cl_load_start(&load, command->session, writes ? map->ptr : NULL,
			     map ? &map->box : &(struct pl_cl_box){0},
			     plain && pl_cl_box_whole(&map->box) ? PL_CL_LOAD_GATED : PL_CL_LOAD_POSTED);
	if (!r) {
		args = (struct pl_cl_clEnqueueUnmapMemObject_args){
			.queue = command->queue->object.id,
			.mem = pl_cl_id_at(command->session, mem, PL_CL_KIND_mem),
			.map = map ? map->number : 0,
			.data = load.bulk,
			.waits = command->ids.list,
			.event = command->event_id,
		};
		r = plain ? PL_CL_POST_LOAD(command->session, clEnqueueUnmapMemObject, &args, &load)
			  : PL_CL_ASK(command->session, clEnqueueUnmapMemObject, &args, &reply);
	}
	code = r ? pl_cl_fault(r) : plain ? CL_SUCCESS : pl_cl_queue_reply(command->queue, &reply);
	code = pl_cl_command_end(command, code);
	pl_cl_load_end(&load, command->session);
	return code;
}

cl_int pl_cl_stub_clEnqueueUnmapMemObject(cl_command_queue command_queue, cl_mem memobj, void *mapped_ptr,
					  cl_uint num_events_in_wait_list, const cl_event *event_wait_list,
					  cl_event *event)
{
	struct pl_cl_mem *mem = pl_cl_get(memobj, PL_CL_KIND_mem);
	struct pl_cl_command command;
	struct pl_cl_map *map = NULL;
	bool plain;
	cl_int code = pl_cl_command_init(&command, PL_CL_OP_clEnqueueUnmapMemObject, command_queue, false,
					 num_events_in_wait_list, event_wait_list, event);

	if (code)
		return code;
	if (mem && mapped_ptr)
		map = map_take(mem, mapped_ptr);
	plain = map && pl_cl_command_plain(&command, mem);
	if (map && !map->number)
		code = unmap_direct(&command, mem, map, plain);
	else
		code = unmap_remote(&command, mem, map, plain);
	if (code && map)
		map_add(mem, map);
	else
		free(map);
	return code;
}
