/* Maps.  The driver's own map is made, and what it shows is carried to the client and back where they do not share
 * it. */
#include <stdlib.h>
#include <string.h>

#include "backend/opencl/event.h"
#include "backend/opencl/push.h"
#include "backend/opencl/transfer.h"
#include "base/cleanup.h"
#include "base/err.h"

static pthread_mutex_t maps_lock = PTHREAD_MUTEX_INITIALIZER; /* the notes' lists of maps */
static pthread_cond_t maps_idle = PTHREAD_COND_INITIALIZER;   /* a map is not busy any more */

/* How the client wants it. */
struct wanted {
	bool blocking;
	uint64_t stage, token, bytes; /* bytes: of the client's layout */
};

void pl_cl_map_unref(struct pl_cl_session *session, struct pl_cl_map *map)
{
	if (!map || atomic_fetch_sub(&map->refs, 1) != 1)
		return;
	if (map->event)
		pl_cl.clReleaseEvent(map->event);
	free(map);
	pl_quota_return(pl_cl_quota(session), PL_QUOTA_OBJECTS, 1);
}

static void rows_copy(const struct pl_cl_map *map, uint8_t *to, const uint8_t *from, uint64_t to_row, uint64_t to_slice,
		      uint64_t from_row, uint64_t from_slice)
{
	for (uint64_t slice = 0; slice < map->slices; slice++)
		for (uint64_t row = 0; row < map->rows; row++)
			memcpy(to + slice * to_slice + row * to_row, from + slice * from_slice + row * from_row,
			       map->row_bytes);
}

void pl_cl_map_out(const struct pl_cl_map *map, uint8_t *client)
{
	rows_copy(map, client, map->at, map->client_row, map->client_slice, map->driver_row, map->driver_slice);
}

void pl_cl_map_in(const struct pl_cl_map *map, const uint8_t *client)
{
	rows_copy(map, map->at, client, map->driver_row, map->driver_slice, map->client_row, map->client_slice);
}

/* Whether the driver's mapping and the client's are the same bytes in a row. */
static bool map_is_flat(const struct pl_cl_map *map)
{
	return map->rows == 1 && map->slices == 1;
}

static struct pl_cl_map *map_new(struct pl_cl_order *order, uint64_t number, cl_map_flags flags)
{
	struct pl_cl_map *map = NULL;

	if (pl_quota_charge(pl_cl_quota(order->session), PL_QUOTA_OBJECTS, 1)) {
		map = calloc(1, sizeof(*map));
		if (!map)
			pl_quota_return(pl_cl_quota(order->session), PL_QUOTA_OBJECTS, 1);
	}
	if (!map)
		return NULL;
	atomic_init(&map->refs, 1);
	map->number = number;
	if (!order->note->store_shared) {
		map->moves_out = !(flags & CL_MAP_WRITE_INVALIDATE_REGION) && flags & (CL_MAP_READ | CL_MAP_WRITE);
		map->moves_in = flags & (CL_MAP_WRITE | CL_MAP_WRITE_INVALIDATE_REGION);
	}
	return map;
}

/* ---- carrying the contents out ---- */

static void read_finish(struct pl_cl_read *read)
{
	pl_cl_map_out(read->map, read->stage);
}

/* Return: CL_SUCCESS, or why the contents can not be carried. */
static int32_t map_later(struct pl_cl_order *order, struct pl_cl_map *map, const struct wanted *wanted, uint8_t *stage)
{
	struct pl_cl_read *read = pl_cl_read_new(order->session);

	if (!read)
		return CL_OUT_OF_RESOURCES;
	read->token = wanted->token;
	if (stage) {
		read->stage = stage;
		read->finish = read_finish;
	} else if (map_is_flat(map)) {
		read->data = map->at;
		read->bytes = wanted->bytes;
	} else {
		read->stage = read->data = read->owned = calloc(1, wanted->bytes ? wanted->bytes : 1);
		if (!read->owned) {
			pl_cl_read_drop(read);
			return CL_OUT_OF_HOST_MEMORY;
		}
		read->bytes = read->inflight_bytes = wanted->bytes;
		read->finish = read_finish;
		pl_cl_charge_keep();
	}
	atomic_fetch_add(&map->refs, 1);
	read->map = map;
	pl_cl.clRetainMemObject(order->mem); /* or the mapping ends with the client's last reference */
	read->mem = order->mem;
	pl_cl.clRetainEvent(map->event);
	read->event = map->event;
	pl_cl_read_begin(read);
	return CL_SUCCESS;
}

/* Waits, and answers with the contents where they are wanted. */
static void map_wait(struct pl_cl_order *order, struct pl_cl_map *map, const struct wanted *wanted, uint8_t *stage)
{
	pl_cleanup(pl_freep) uint8_t *owned = NULL;
	struct pl_serve *serve = order->serve;
	int32_t status;

	pl_serve_give_turn(serve);
	status = pl_cl.clWaitForEvents(1, &map->event);
	if (!status && map->moves_out && !stage && !map_is_flat(map)) {
		owned = calloc(1, wanted->bytes ? wanted->bytes : 1);
		status = owned ? CL_SUCCESS : CL_OUT_OF_HOST_MEMORY;
	}
	if (!status && map->moves_out && (stage || owned))
		pl_cl_map_out(map, stage ? stage : owned);
	if (status)
		pl_cl_withdraw_event(order->session, order->event_id);
	pl_cl_sync(order->session);
	if (status)
		pl_serve_reply(serve, status);
	else if (!map->moves_out || stage)
		pl_cl_reply_inline(serve, CL_SUCCESS, NULL, 0);
	else
		pl_cl_reply_data(serve, CL_SUCCESS, owned ? owned : map->at, wanted->bytes);
}

/* The map was enqueued: lists it, enters its event, answers.  Takes the order and the caller's reference over. */
static void map_finish(struct pl_cl_order *order, struct pl_cl_map *map, const struct wanted *wanted)
{
	uint8_t *stage =
		wanted->stage == PL_CL_STAGE_NONE ? NULL : pl_cl_stage(order->session, wanted->stage, wanted->bytes);
	int32_t status = CL_SUCCESS;

	atomic_fetch_add(&map->refs, 1);
	map->busy = wanted->blocking;
	pthread_mutex_lock(&maps_lock);
	map->next = order->note->maps;
	order->note->maps = map;
	pthread_mutex_unlock(&maps_lock);
	pl_cl_order_event(order, map->event, NULL);
	if (wanted->blocking) {
		/* The object stays mapped while it is waited for: the mapping is what is sent. */
		pl_cl_order_stay(order);
		map_wait(order, map, wanted, stage);
		pthread_mutex_lock(&maps_lock);
		map->busy = false;
		pthread_cond_broadcast(&maps_idle);
		pthread_mutex_unlock(&maps_lock);
		pl_cl_order_leave(order);
	} else {
		if (map->moves_out && wanted->token)
			status = map_later(order, map, wanted, stage);
		if (status)
			pl_cl_send_read_done(order->session, wanted->token, status, NULL, 0);
		pl_cl_result(order->serve, status, order->queue_id);
	}
	pl_cl_map_unref(order->session, map);
	pl_cl_order_end(order);
}

static bool wanted_valid(struct pl_cl_order *order, const struct wanted *wanted, uint64_t number)
{
	return number &&
	       (wanted->stage == PL_CL_STAGE_NONE || pl_cl_stage(order->session, wanted->stage, wanted->bytes));
}

/* ---- buffers ---- */

void pl_cl_serve_clEnqueueMapBuffer(struct pl_serve *serve, const struct pl_cl_clEnqueueMapBuffer_args *args)
{
	struct wanted wanted = { args->blocking, args->stage, args->token, args->size };
	struct pl_cl_order order;
	struct pl_cl_map *map;
	int32_t status = CL_INVALID_VALUE;

	if (!pl_cl_order_take(&order, serve, args->queue, args->mem, args->waits, args->event))
		return;
	if (args->blocking && pl_cl_order_late(&order))
		return;
	if (order.note->element_bytes)
		status = CL_INVALID_MEM_OBJECT;
	if (order.note->element_bytes || !wanted_valid(&order, &wanted, args->map) ||
	    args->offset > order.note->bytes || args->size > order.note->bytes - args->offset) {
		pl_cl_order_fail(&order, status);
		return;
	}
	map = map_new(&order, args->map, args->map_flags);
	if (!map) {
		pl_cl_order_fail(&order, CL_OUT_OF_RESOURCES);
		return;
	}
	map->row_bytes = map->client_bytes = map->client_row = map->driver_row = args->size;
	map->rows = map->slices = 1;
	map->at = pl_cl.clEnqueueMapBuffer(order.queue, order.mem, CL_FALSE, args->map_flags, args->offset, args->size,
					   order.waits.count, order.waits.at, &map->event, &status);
	if (!map->at || status) {
		map->event = NULL;
		pl_cl_map_unref(order.session, map);
		pl_cl_order_fail(&order, status ? status : CL_MAP_FAILURE);
		return;
	}
	map_finish(&order, map, &wanted);
}

/* ---- images ---- */

/* The client's layout: rows one behind the other.  Return: it is what the client thinks that it is. */
static bool layout_set(struct pl_cl_map *map, const struct pl_cl_order *order,
		       const struct pl_cl_clEnqueueMapImage_args *args)
{
	bool array = order->note->type == CL_MEM_OBJECT_IMAGE1D_ARRAY;

	map->row_bytes = map->client_row = pl_cl_times(args->region[0], order->note->element_bytes);
	map->rows = array ? 1 : args->region[1];
	map->slices = array ? args->region[1] : args->region[2];
	map->client_slice = pl_cl_times(map->client_row, map->rows);
	map->client_bytes = pl_cl_times(map->client_slice, map->slices);
	return map->client_bytes && map->client_bytes == args->size;
}

static void map_image(struct pl_cl_order *order, const struct pl_cl_clEnqueueMapImage_args *args, struct pl_cl_map *map,
		      const struct wanted *wanted)
{
	size_t origin[3], region[3], row_pitch = 0, slice_pitch = 0;
	int32_t status = CL_SUCCESS;

	for (int i = 0; i < 3; i++) {
		origin[i] = args->origin[i];
		region[i] = args->region[i];
	}
	map->at =
		pl_cl.clEnqueueMapImage(order->queue, order->mem, CL_FALSE, args->map_flags, origin, region, &row_pitch,
					&slice_pitch, order->waits.count, order->waits.at, &map->event, &status);
	if (!map->at || status) {
		map->event = NULL;
		pl_cl_map_unref(order->session, map);
		pl_cl_order_fail(order, status ? status : CL_MAP_FAILURE);
		return;
	}
	map->driver_row = row_pitch;
	map->driver_slice = slice_pitch;
	map_finish(order, map, wanted);
}

/* The program must have room for the pitches that its kind of image has (0 = it gave no pointer). */
static bool pitches_asked(const struct pl_cl_order *order, const struct pl_cl_clEnqueueMapImage_args *args)
{
	switch (order->note->type) {
	case CL_MEM_OBJECT_IMAGE3D:
	case CL_MEM_OBJECT_IMAGE1D_ARRAY:
	case CL_MEM_OBJECT_IMAGE2D_ARRAY:
		return args->row_pitch && args->slice_pitch;
	}
	return args->row_pitch;
}

void pl_cl_serve_clEnqueueMapImage(struct pl_serve *serve, const struct pl_cl_clEnqueueMapImage_args *args)
{
	struct wanted wanted = { args->blocking, args->stage, args->token, args->size };
	struct pl_cl_order order;
	struct pl_cl_map *map;

	if (!pl_cl_order_take(&order, serve, args->queue, args->mem, args->waits, args->event))
		return;
	if (args->blocking && pl_cl_order_late(&order))
		return;
	if (!order.note->element_bytes) {
		pl_cl_order_fail(&order, CL_INVALID_MEM_OBJECT);
		return;
	}
	if (!wanted_valid(&order, &wanted, args->map) || !args->has_box || !pitches_asked(&order, args) ||
	    !pl_cl_image_holds(order.note, args->origin, args->region)) {
		pl_cl_order_fail(&order, CL_INVALID_VALUE);
		return;
	}
	map = map_new(&order, args->map, args->map_flags);
	if (!map || !layout_set(map, &order, args)) {
		pl_cl_order_fail(&order, map ? CL_INVALID_VALUE : CL_OUT_OF_RESOURCES);
		pl_cl_map_unref(order.session, map);
		return;
	}
	map_image(&order, args, map, &wanted);
}

/* ---- unmap ---- */

static struct pl_cl_map *map_find(struct pl_cl_mem_note *note, uint64_t number)
{
	struct pl_cl_map *map;

	pthread_mutex_lock(&maps_lock);
	for (map = note->maps; map && map->number != number; map = map->next)
		;
	if (map)
		atomic_fetch_add(&map->refs, 1);
	while (map && map->busy) /* its last bytes are under way: the client may know them already */
		pthread_cond_wait(&maps_idle, &maps_lock);
	pthread_mutex_unlock(&maps_lock);
	return map;
}

static void map_delist(struct pl_cl_session *session, struct pl_cl_mem_note *note, struct pl_cl_map *map)
{
	struct pl_cl_map **link;

	pthread_mutex_lock(&maps_lock);
	for (link = &note->maps; *link && *link != map; link = &(*link)->next)
		;
	if (*link)
		*link = map->next;
	else
		map = NULL;
	pthread_mutex_unlock(&maps_lock);
	pl_cl_map_unref(session, map);
}

/* What the program wrote, into the driver's mapping.  Nothing where the map has not ended: it can not have written. */
static int32_t contents_take(struct pl_cl_order *order, struct pl_cl_map *map, const struct pl_bulk *data)
{
	struct pl_cl_view view;
	int32_t status;

	if (!map->moves_in || !data->bytes || pl_cl_event_status(map->event) != CL_COMPLETE)
		return CL_SUCCESS;
	if (data->bytes < map->client_bytes)
		return CL_INVALID_VALUE;
	if (data->kind == PL_BULK_AFTER && map_is_flat(map))
		return pl_serve_take_bulk(order->serve, map->at, map->client_bytes) ? CL_OUT_OF_RESOURCES : CL_SUCCESS;
	status = pl_cl_view_take(order->serve, data, false, &view);
	if (status)
		return status;
	pl_cl_map_in(map, view.data);
	pl_cl_view_fini(&view);
	return CL_SUCCESS;
}

/* The contents follow the call and go where the driver mapped them, before the unmap, which waits for them. */
static bool unmap_gated(struct pl_cl_order *order, struct pl_cl_map *map)
{
	struct pl_serve *serve = order->serve;
	cl_event gate = pl_cl_gate_new(order->mem), event = NULL, *list = NULL;
	cl_uint count = gate ? pl_cl_gate_waits(order, gate, &list) : 0;
	int32_t status = CL_OUT_OF_HOST_MEMORY;

	if (!gate)
		return false;
	if (count)
		status = pl_cl.clEnqueueUnmapMemObject(order->queue, order->mem, map->at, count, list,
						       order->event_id ? &event : NULL);
	free(list);
	if (status) {
		pl_cl.clSetUserEventStatus(gate, CL_COMPLETE);
		pl_cl.clReleaseEvent(gate);
		pl_cl_order_fail(order, status);
		return true;
	}
	map_delist(order->session, order->note, map);
	if (event) {
		pl_cl_order_event(order, event, NULL);
		pl_cl.clReleaseEvent(event);
	}
	pl_cl_order_stay(order);
	pl_serve_give_turn(serve);
	pl_cl_gate_take(serve, gate, map->at, map->client_bytes);
	pl_cl_result(serve, CL_SUCCESS, order->queue_id);
	pl_cl_order_leave(order);
	pl_cl_order_end(order);
	return true;
}

/* Whether the contents that follow the call can be taken to where the driver mapped them. */
static bool contents_follow(const struct pl_cl_map *map, const struct pl_bulk *data)
{
	return map->moves_in && data->kind == PL_BULK_AFTER && data->bytes >= map->client_bytes && map->client_bytes &&
	       map_is_flat(map) && pl_cl_event_status(map->event) == CL_COMPLETE;
}

void pl_cl_serve_clEnqueueUnmapMemObject(struct pl_serve *serve, const struct pl_cl_clEnqueueUnmapMemObject_args *args)
{
	struct pl_cl_order order;
	struct pl_cl_map *map;
	cl_event event = NULL;
	int32_t status;

	if (!pl_cl_order_take(&order, serve, args->queue, args->mem, args->waits, args->event))
		return;
	map = map_find(order.note, args->map);
	if (!map) {
		pl_cl_order_fail(&order, CL_INVALID_VALUE);
		return;
	}
	pl_cl_reads_settle(order.session, map);
	if (contents_follow(map, &args->data) && unmap_gated(&order, map)) {
		pl_cl_map_unref(order.session, map);
		return;
	}
	status = contents_take(&order, map, &args->data);
	if (!status)
		status = pl_cl.clEnqueueUnmapMemObject(order.queue, order.mem, map->at, order.waits.count,
						       order.waits.at, order.event_id ? &event : NULL);
	if (!status) {
		map_delist(order.session, order.note, map);
		if (event) {
			pl_cl_order_event(&order, event, NULL);
			pl_cl.clReleaseEvent(event);
		}
		pl_cl_result(serve, CL_SUCCESS, order.queue_id);
		pl_cl_order_end(&order);
	} else {
		pl_cl_order_fail(&order, status);
	}
	pl_cl_map_unref(order.session, map);
}
