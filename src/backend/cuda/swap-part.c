/*
 * Parts of memory that the client maps itself go to host memory and come back (swap.h): through a mapping of ours,
 * since the client may have none that can be read.  Its own mappings go and come with the part, with the same access.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "backend/cuda/movable.h"
#include "backend/cuda/parts.h"
#include "backend/cuda/swap-save.h"
#include "backend/cuda/swap.h"
#include "base/err.h"
#include "wire/cuda-kinds.h"

int32_t pl_cuda_part_claim(struct pl_serve *serve, struct pl_cuda_part *part)
{
	const int device = part->properties.location.id;

	if (part->properties.location.type != CU_MEM_LOCATION_TYPE_DEVICE || device < 0 ||
	    !pl_cuda_is_movable(pl_cuda_session_of(serve), part->bytes) || !pl_cuda.cuMemGetAccess)
		return CUDA_SUCCESS;
	if (pl_cuda_room_claim(pl_cuda_session_of(serve), device, part->bytes))
		return CUDA_ERROR_OUT_OF_MEMORY;
	part->movable = part->ours = true;
	return CUDA_SUCCESS;
}

void pl_cuda_part_unclaim(struct pl_cuda_session *session, struct pl_cuda_part *part)
{
	if (part->movable)
		pl_swap_unclaim(&session->worker->swap, (uint32_t)part->properties.location.id, part->bytes);
	part->movable = false;
}

void pl_cuda_part_stays(struct pl_cuda_session *session, uint64_t id)
{
	struct pl_handle part;

	if (pl_handles_get(&session->parts, id, PL_CUDA_PART, &part))
		pl_cuda_part_unclaim(session, part.object);
}

/* ---- its mappings ---- */

struct maps {
	struct pl_cuda_part *part;
	CUresult result;
};

static CUmemLocation location_of(int device)
{
	return (CUmemLocation){ .type = CU_MEM_LOCATION_TYPE_DEVICE, .id = device };
}

static void map_out(struct pl_handle *handle, void *arg)
{
	struct pl_cuda_map *map = handle->object;
	struct maps *maps = arg;
	int devices = 0;

	if (map->part != maps->part)
		return;
	if (pl_cuda.cuDeviceGetCount(&devices))
		devices = 0;
	for (int i = 0; i < devices && i < (int)PL_CUDA_DEVICES_MAX; i++) {
		const CUmemLocation location = location_of(i);
		unsigned long long flags = 0;

		if (pl_cuda.cuMemGetAccess(&flags, &location, handle->id))
			flags = 0;
		map->access[i] = (uint8_t)flags;
	}
	if (pl_cuda.cuMemUnmap(handle->id, map->bytes))
		pl_log_warn("CUDA: memory at 0x%llx can not be unmapped", (unsigned long long)handle->id);
}

static void map_in(struct pl_handle *handle, void *arg)
{
	const struct pl_cuda_map *map = handle->object;
	CUmemAccessDesc access[PL_CUDA_DEVICES_MAX];
	struct maps *maps = arg;
	size_t count = 0;

	if (map->part != maps->part || maps->result)
		return;
	for (int i = 0; i < (int)PL_CUDA_DEVICES_MAX; i++)
		if (map->access[i])
			access[count++] = (CUmemAccessDesc){ .location = location_of(i),
							     .flags = (CUmemAccess_flags)map->access[i] };
	maps->result = pl_cuda.cuMemMap(handle->id, map->bytes, map->offset, map->part->handle, map->flags);
	if (!maps->result && count)
		maps->result = pl_cuda.cuMemSetAccess(handle->id, map->bytes, access, count);
}

/* ---- a mapping of ours ---- */

struct window {
	CUdeviceptr address;
	CUcontext context;
};

struct context_find {
	CUdevice device;
	CUcontext found;
};

static void context_look(struct pl_handle *handle, void *arg)
{
	struct context_find *find = arg;
	CUcontext popped;
	CUdevice device;

	if (handle->kind != PL_CUDA_KIND_context || handle->failed || find->found ||
	    pl_cuda.cuCtxPushCurrent_v2(handle->object))
		return;
	if (!pl_cuda.cuCtxGetDevice(&device) && device == find->device)
		find->found = handle->object;
	pl_cuda.cuCtxPopCurrent_v2(&popped);
}

static void window_close(const struct pl_cuda_part *part, const struct window *window, bool mapped)
{
	CUcontext popped;

	if (mapped)
		pl_cuda.cuMemUnmap(window->address, part->bytes);
	pl_cuda.cuMemAddressFree(window->address, part->bytes);
	pl_cuda.cuCtxPopCurrent_v2(&popped);
}

/* With a context of the part's device current until it is closed. */
static CUresult window_open(struct pl_cuda_session *session, const struct pl_cuda_part *part, struct window *window)
{
	const CUmemAccessDesc access = { .location = part->properties.location,
					 .flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE };
	struct context_find find = { .device = part->properties.location.id };
	CUcontext popped;
	CUresult r;

	pl_handles_each(&session->worker->handles, context_look, &find);
	if (!find.found)
		return CUDA_ERROR_INVALID_CONTEXT;
	r = pl_cuda.cuCtxPushCurrent_v2(find.found);
	if (r)
		return r;
	r = pl_cuda.cuMemAddressReserve(&window->address, part->bytes, 0, 0, 0);
	if (r) {
		pl_cuda.cuCtxPopCurrent_v2(&popped);
		return r;
	}
	r = pl_cuda.cuMemMap(window->address, part->bytes, 0, part->handle, 0);
	if (r) {
		window_close(part, window, false);
		return r;
	}
	r = pl_cuda.cuMemSetAccess(window->address, part->bytes, &access, 1);
	if (r)
		window_close(part, window, true);
	return r;
}

/* ---- parts ---- */

static CUresult part_read(struct pl_cuda_session *session, struct pl_cuda_part *part, void *host)
{
	struct window window;
	CUresult r = window_open(session, part, &window);

	if (r)
		return r;
	r = pl_cuda.cuMemcpyDtoH_v2(host, window.address, part->bytes);
	window_close(part, &window, true);
	return r;
}

static CUresult part_write(struct pl_cuda_session *session, struct pl_cuda_part *part)
{
	struct window window;
	CUresult r = window_open(session, part, &window);

	if (r)
		return r;
	r = pl_cuda.cuMemcpyHtoD_v2(window.address, part->host, part->bytes);
	window_close(part, &window, true);
	return r;
}

static bool part_out(struct pl_cuda_session *session, struct pl_cuda_part *part)
{
	void *host = pl_cuda_moved_room(part->bytes);
	struct maps maps = { .part = part };

	if (!host)
		return false;
	if (part_read(session, part, host)) {
		munmap(host, part->bytes);
		return false;
	}
	pl_handles_each(&session->maps, map_out, &maps);
	pl_cuda.cuMemRelease(part->handle);
	part->host = host;
	return true;
}

struct rename {
	struct pl_cuda_session *session;
	const struct pl_cuda_part *part;
};

/* What the client's ids stand for is another handle of the driver's now. */
static void id_rename(struct pl_handle *handle, void *arg)
{
	struct pl_handles *handles = &((struct rename *)arg)->session->worker->handles;
	const struct pl_cuda_part *part = ((struct rename *)arg)->part;
	struct pl_handle was;

	if (handle->object != part || !pl_handles_take(handles, handle->id, PL_CUDA_KIND_allocation, &was))
		return;
	(void)pl_handles_put(handles, was.id, was.kind, (void *)(uintptr_t)part->handle, was.failed, was.extra);
}

static CUresult part_in(struct pl_cuda_session *session, struct pl_cuda_part *part)
{
	struct maps maps = { .part = part };
	struct rename rename = { session, part };
	CUresult r = pl_cuda.cuMemCreate(&part->handle, part->bytes, &part->properties, part->flags);

	if (r)
		return r;
	r = part_write(session, part);
	if (r) {
		pl_cuda.cuMemRelease(part->handle);
		return r;
	}
	pl_handles_each(&session->maps, map_in, &maps);
	pl_handles_each(&session->parts, id_rename, &rename);
	munmap(part->host, part->bytes);
	part->host = NULL;
	return maps.result;
}

/* ---- all of them ---- */

struct listed {
	struct pl_cuda_part *part;
	uint64_t key; /* an id of a handle, or the address of a map */
	bool is_map;
};

struct list {
	struct listed *at;
	size_t count, room;
};

static void part_add(struct list *list, struct pl_cuda_part *part, uint64_t key, bool is_map)
{
	if (part->movable && !part->seen && list->count < list->room) {
		part->seen = true;
		list->at[list->count++] = (struct listed){ part, key, is_map };
	}
}

static void of_handle(struct pl_handle *handle, void *arg)
{
	part_add(arg, handle->object, handle->id, false);
}

static void of_map(struct pl_handle *handle, void *arg)
{
	part_add(arg, ((struct pl_cuda_map *)handle->object)->part, handle->id, true);
}

/* One that has no handle any more has maps, and the other way round.  The caller frees list.at. */
static struct list parts_list(struct pl_cuda_session *session)
{
	struct list list = { .room = (size_t)session->parts.count + session->maps.count };

	list.at = calloc(list.room + 1, sizeof(*list.at));
	if (!list.at)
		list.room = 0;
	pl_handles_each(&session->parts, of_handle, &list);
	pl_handles_each(&session->maps, of_map, &list);
	for (size_t i = 0; i < list.count; i++)
		list.at[i].part->seen = false;
	return list;
}

struct others {
	struct pl_cuda_session *session;
	bool any;
};

static void others_look(struct pl_handle *handle, void *arg)
{
	struct others *others = arg;
	struct pl_handle part;

	others->any |= handle->kind == PL_CUDA_KIND_allocation && !handle->failed &&
		       !pl_handles_get(&others->session->parts, handle->id, PL_CUDA_PART, &part);
}

/* Objects that have memory of several devices behind one address: what was bound to them can not be told. */
static bool has_multicast(struct pl_cuda_session *session)
{
	struct others others = { .session = session };

	pl_handles_each(&session->worker->handles, others_look, &others);
	return others.any;
}

void pl_cuda_parts_out(struct pl_cuda_session *session, const uint64_t wanted[PL_SWAP_DEVICES_MAX],
		       uint64_t moved_io[PL_SWAP_DEVICES_MAX])
{
	struct list list = has_multicast(session) ? (struct list){ 0 } : parts_list(session);

	for (size_t i = 0; i < list.count; i++) {
		struct pl_cuda_part *part = list.at[i].part;
		uint64_t *moved = &moved_io[part->properties.location.id];

		if (!part->host && *moved < wanted[part->properties.location.id] && part_out(session, part))
			*moved += part->bytes;
	}
	free(list.at);
}

CUresult pl_cuda_parts_in(struct pl_cuda_session *session, uint64_t moved_io[PL_SWAP_DEVICES_MAX])
{
	struct list list = parts_list(session);
	CUresult r = list.at ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;

	for (size_t i = 0; i < list.count && !r; i++) {
		struct pl_cuda_part *part = list.at[i].part;

		if (!part->host)
			continue;
		r = part_in(session, part);
		if (!r)
			moved_io[part->properties.location.id] += part->bytes;
	}
	free(list.at);
	return r;
}

/* ---- save and load ---- */

#define MAGIC 0x3174725061644350ull /* "PCdaPrt1" */

struct head {
	uint64_t magic, count;
};
static_assert(sizeof(struct head) == 16, "as it is written");

struct note { /* its content follows */
	uint64_t key, bytes;
	uint64_t is_map;
};
static_assert(sizeof(struct note) == 24, "as it is written");

int pl_cuda_parts_save(struct pl_cuda_session *session, pl_cuda_put_fn *put, void *arg)
{
	struct list list = parts_list(session);
	struct head head = { MAGIC, list.count };
	int r = list.at ? 0 : pl_err(-ENOMEM);

	for (size_t i = 0; i < list.count && !r; i++)
		if (!list.at[i].part->host)
			r = -EBUSY;
	if (!r)
		r = put(arg, &head, sizeof(head));
	for (size_t i = 0; i < list.count && !r; i++) {
		const struct pl_cuda_part *part = list.at[i].part;
		const struct note note = { list.at[i].key, part->bytes, list.at[i].is_map };

		r = put(arg, &note, sizeof(note));
		if (!r)
			r = put(arg, part->host, part->bytes);
	}
	free(list.at);
	return r;
}

/* NULL: there is none, or not such a one. */
static struct pl_cuda_part *noted(struct pl_cuda_session *session, const struct note *note)
{
	struct pl_cuda_part *part = NULL;
	struct pl_handle handle;

	if (note->is_map == 1 && pl_handles_get(&session->maps, note->key, PL_CUDA_MAP, &handle))
		part = ((struct pl_cuda_map *)handle.object)->part;
	else if (!note->is_map && pl_handles_get(&session->parts, note->key, PL_CUDA_PART, &handle))
		part = handle.object;
	return part && part->movable && part->bytes == note->bytes ? part : NULL;
}

/* Through a mapping of ours, and host memory for as much as moves at once elsewhere. */
static int part_fill(struct pl_cuda_session *session, struct pl_cuda_part *part, pl_cuda_get_fn *get, void *arg)
{
	const uint64_t room = part->bytes < PL_CUDA_MOVABLE_PART ? part->bytes : PL_CUDA_MOVABLE_PART;
	void *host = pl_cuda_moved_room(room);
	struct window window;
	CUresult failed;
	int r = 0;

	if (!host)
		return pl_err(-ENOMEM);
	failed = window_open(session, part, &window);
	if (!failed) {
		for (uint64_t at = 0, bytes; at < part->bytes && !r && !failed; at += bytes) {
			bytes = part->bytes - at < room ? part->bytes - at : room;
			r = get(arg, host, bytes);
			if (!r)
				failed = pl_cuda.cuMemcpyHtoD_v2(window.address + at, host, bytes);
		}
		window_close(part, &window, true);
	}
	munmap(host, room);
	if (failed)
		pl_log_error("CUDA: the content of a part of memory can not be written: %s",
			     pl_cuda_result_name((int)failed));
	return failed ? pl_err(-EIO) : r;
}

int pl_cuda_parts_load(struct pl_cuda_session *session, pl_cuda_get_fn *get, void *arg)
{
	struct pl_cuda_part *part;
	struct note note;
	struct head head;
	int r = get(arg, &head, sizeof(head));

	if (!r && (head.magic != MAGIC || head.count > 2ull * PL_HANDLES_MAX))
		r = pl_err(-EPROTO);
	for (uint64_t i = 0; !r && i < head.count; i++) {
		r = get(arg, &note, sizeof(note));
		if (r)
			break;
		part = noted(session, &note);
		if (!part)
			r = pl_err(-EPROTO);
		else
			r = part->host ? get(arg, part->host, part->bytes) : part_fill(session, part, get, arg);
	}
	return r;
}
