/* Reads and writes of buffers, parts of buffers, and images. */
#include "backend/opencl/transfer.h"

#include <stdlib.h>
#include <string.h>

#include "backend/opencl/event.h"
#include "backend/opencl/pinned.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "wire/opencl.h"

/* Where a command of no bytes points to: drivers take NULL for an error. */
static uint64_t nowhere[16];

/* What the client wants of a read. */
struct wanted {
	uint32_t blocking; /* 0, 1, PL_CL_BLOCKING_IDLE */
	uint64_t stage, token;
};

cl_int pl_cl_box_enqueue(const struct pl_cl_order *order, const struct pl_cl_box *box, uint64_t skip, uint64_t bytes,
			 void *host, cl_uint waits_count, const cl_event *waits, cl_event *event_out)
{
	static const size_t zero[3];

	if (!host)
		host = nowhere;
	if (!waits_count)
		waits = NULL;
	switch (box->shape) {
	case PL_CL_SHAPE_BUFFER:
		return box->write ? pl_cl.clEnqueueWriteBuffer(order->queue, order->mem, CL_FALSE, box->offset + skip,
							       bytes, host, waits_count, waits, event_out)
				  : pl_cl.clEnqueueReadBuffer(order->queue, order->mem, CL_FALSE, box->offset + skip,
							      bytes, host, waits_count, waits, event_out);
	case PL_CL_SHAPE_RECT:
		if (!pl_cl.clEnqueueWriteBufferRect || !pl_cl.clEnqueueReadBufferRect)
			return CL_INVALID_OPERATION;
		return box->write ? pl_cl.clEnqueueWriteBufferRect(order->queue, order->mem, CL_FALSE, box->origin,
								   zero, box->region, box->row_pitch, box->slice_pitch,
								   0, 0, host, waits_count, waits, event_out)
				  : pl_cl.clEnqueueReadBufferRect(order->queue, order->mem, CL_FALSE, box->origin, zero,
								  box->region, box->row_pitch, box->slice_pitch, 0, 0,
								  host, waits_count, waits, event_out);
	case PL_CL_SHAPE_IMAGE:
		return box->write ? pl_cl.clEnqueueWriteImage(order->queue, order->mem, CL_FALSE, box->origin,
							      box->region, 0, 0, host, waits_count, waits, event_out)
				  : pl_cl.clEnqueueReadImage(order->queue, order->mem, CL_FALSE, box->origin,
							     box->region, 0, 0, host, waits_count, waits, event_out);
	}
	return CL_INVALID_VALUE;
}

/* ---- reads ---- */

/* Waits for the command and answers; data lies at `at` afterwards (bytes 0: in the arena, nothing to send). */
static void read_wait(struct pl_cl_order *order, cl_event event, const void *at, uint64_t bytes)
{
	struct pl_serve *serve = order->serve;
	cl_int status;

	pl_cl_order_event(order, event, NULL);
	pl_serve_give_turn(serve);
	status = pl_cl.clWaitForEvents(1, &event);
	if (status)
		pl_cl_withdraw_event(order->session, order->event_id);
	pl_cl.clReleaseEvent(event);
	pl_cl_sync(order->session);
	if (status)
		pl_serve_reply(serve, status);
	else
		pl_cl_reply_data(serve, CL_SUCCESS, at, bytes);
	pl_cl_order_end(order);
}

/* Whether the storage can be used as it is. */
static bool idle_in_store(const struct pl_cl_order *order, const struct pl_cl_box *box, uint32_t blocking)
{
	return blocking == PL_CL_BLOCKING_IDLE && box->shape == PL_CL_SHAPE_BUFFER && box->bytes &&
	       order->note->store && !order->event_id;
}

static void read_blocking(struct pl_cl_order *order, const struct pl_cl_box *box, uint8_t *stage, uint32_t blocking)
{
	pl_cleanup(pl_freep) void *owned = NULL;
	struct pl_cl_pinned pinned = { .at = NULL };
	uint8_t small[PL_WIRE_INLINE_MAX];
	cl_event event = NULL;
	void *at = stage ? stage : small;
	cl_int status;

	if (pl_cl_order_late(order))
		return;
	if (!stage && idle_in_store(order, box, blocking)) {
		pl_cl_store_read_idle(order, box);
		return;
	}
	if (!stage && box->bytes > sizeof(small)) {
		if (box->shape == PL_CL_SHAPE_BUFFER) {
			if (order->note->store && !order->profiling)
				pl_cl_store_read(order, box);
			else
				pl_cl_ring_read(order, box);
			return;
		}
		at = owned = malloc(box->bytes);
		if (!owned) {
			pl_cl_order_fail(order, CL_OUT_OF_HOST_MEMORY);
			return;
		}
	}
	if (at == small && pl_cl_pinned_take(order->queue, &pinned))
		at = pinned.at;
	status = pl_cl_box_enqueue(order, box, 0, box->bytes, at, order->waits.count, order->waits.at, &event);
	if (status)
		pl_cl_order_fail(order, status);
	else
		read_wait(order, event, at, stage ? 0 : box->bytes);
	if (pinned.at)
		pl_cl_pinned_give(&pinned);
}

/* The data goes to the client when the command has ended. */
static void read_later(struct pl_cl_order *order, const struct pl_cl_box *box, const struct wanted *wanted,
		       uint8_t *stage)
{
	struct pl_cl_read *read = NULL;
	cl_event event = NULL;
	cl_int status = CL_SUCCESS;
	void *at = stage;

	if (wanted->token) {
		read = pl_cl_read_new(order->session);
		if (read && !stage && box->bytes)
			at = read->owned = malloc(box->bytes);
		if (!read || (!at && box->bytes))
			status = CL_OUT_OF_HOST_MEMORY;
	} else if (!stage) {
		status = CL_INVALID_VALUE; /* nobody would get the data */
	}
	if (!status)
		status = pl_cl_box_enqueue(order, box, 0, box->bytes, at, order->waits.count, order->waits.at, &event);
	if (status) {
		pl_cl_read_drop(read);
		pl_cl_order_fail(order, status);
		return;
	}
	pl_cl_order_event(order, event, NULL);
	if (read) {
		read->event = event;
		read->token = wanted->token;
		if (read->owned) {
			read->data = read->owned;
			read->bytes = box->bytes;
			read->inflight_bytes = box->bytes;
			pl_cl_charge_keep();
		}
		pl_cl_read_begin(read);
	} else {
		pl_cl.clReleaseEvent(event);
	}
	pl_cl_result(order->serve, CL_SUCCESS, order->queue_id);
	pl_cl_order_end(order);
}

/* valid: what the API leaves to the program was right; size: what the client thinks that the data has. */
static void read_run(struct pl_cl_order *order, const struct pl_cl_box *box, const struct wanted *wanted, bool valid,
		     uint64_t size)
{
	uint8_t *stage = NULL;

	if (!valid || size != box->bytes) {
		pl_cl_order_fail(order, CL_INVALID_VALUE);
		return;
	}
	if (wanted->stage != PL_CL_STAGE_NONE) {
		stage = pl_cl_stage(order->session, wanted->stage, box->bytes);
		if (!stage) {
			pl_cl_order_fail(order, CL_INVALID_VALUE);
			return;
		}
	}
	if (wanted->blocking)
		read_blocking(order, box, stage, wanted->blocking);
	else
		read_later(order, box, wanted, stage);
}

/* ---- writes ---- */

/* Memory that the driver may read until the command has ended.  *owned_out: to be free()d then. */
static int32_t write_source(struct pl_serve *serve, const struct pl_bulk *data, bool blocking, const void **at_out,
			    void **owned_out)
{
	*owned_out = NULL;
	*at_out = data->data;
	if (!data->bytes || data->kind == PL_BULK_ARENA)
		return CL_SUCCESS;
	if (data->kind == PL_BULK_STREAM) {
		if (!blocking)
			*owned_out = pl_serve_steal_stream(serve);
		return CL_SUCCESS;
	}
	if (data->kind == PL_BULK_INLINE && blocking)
		return CL_SUCCESS;
	*owned_out = malloc(data->bytes);
	if (!*owned_out)
		return CL_OUT_OF_HOST_MEMORY;
	*at_out = *owned_out;
	if (data->kind == PL_BULK_INLINE)
		memcpy(*owned_out, data->data, data->bytes);
	else if (pl_serve_take_bulk(serve, *owned_out, data->bytes))
		return CL_OUT_OF_RESOURCES;
	return CL_SUCCESS;
}

static void write_enqueued(struct pl_cl_order *order, cl_event event, bool blocking, void *owned, uint64_t bytes)
{
	struct pl_serve *serve = order->serve;
	cl_int status = CL_SUCCESS;

	pl_cl_order_event(order, event, NULL);
	if (blocking) {
		pl_serve_give_turn(serve);
		status = pl_cl.clWaitForEvents(1, &event);
		if (status)
			pl_cl_withdraw_event(order->session, order->event_id);
		pl_cl_sync(order->session);
		free(owned);
	} else if (owned) {
		pl_cl_charge_keep();
		pl_cl_hold(order->session, event, owned, bytes);
	}
	pl_cl.clReleaseEvent(event);
	pl_cl_result(serve, status, order->queue_id);
	pl_cl_order_end(order);
}

static void write_run(struct pl_cl_order *order, const struct pl_cl_box *box, uint32_t blocking, bool valid,
		      const struct pl_bulk *data)
{
	cl_event event = NULL;
	const void *at = NULL;
	void *owned = NULL;
	int32_t status;

	if (!valid || data->bytes != box->bytes) {
		pl_cl_order_fail(order, CL_INVALID_VALUE);
		return;
	}
	if (blocking && pl_cl_order_late(order))
		return;
	if (data->kind == PL_BULK_AFTER && idle_in_store(order, box, blocking)) {
		pl_cl_store_write_idle(order, box);
		return;
	}
	if (blocking && data->kind == PL_BULK_AFTER && box->shape == PL_CL_SHAPE_BUFFER && box->bytes) {
		if (order->note->store && !order->profiling)
			pl_cl_store_write(order, box);
		else
			pl_cl_ring_write(order, box);
		return;
	}
	if (!blocking && data->kind == PL_BULK_AFTER && box->bytes && pl_cl_gate_write(order, box))
		return;
	status = write_source(order->serve, data, blocking, &at, &owned);
	if (!status)
		status = pl_cl_box_enqueue(order, box, 0, box->bytes, (void *)(uintptr_t)at, order->waits.count,
					   order->waits.at, &event);
	if (status) {
		free(owned);
		pl_cl_order_fail(order, status);
		return;
	}
	write_enqueued(order, event, blocking, owned, box->bytes);
}

/* ---- buffers ---- */

static bool buffer_box(const struct pl_cl_order *order, struct pl_cl_box *box, bool write, uint64_t offset,
		       uint64_t size)
{
	const struct pl_cl_mem_note *note = order->note;

	*box = (struct pl_cl_box){ .shape = PL_CL_SHAPE_BUFFER, .write = write, .offset = offset, .bytes = size };
	/* An image: the driver says so.  It sees no byte of it. */
	return note->element_bytes || (offset <= note->bytes && size <= note->bytes - offset);
}

void pl_cl_serve_clEnqueueReadBuffer(struct pl_serve *serve, const struct pl_cl_clEnqueueReadBuffer_args *args)
{
	struct wanted wanted = { args->blocking, args->stage, args->token };
	struct pl_cl_order order;
	struct pl_cl_box box;

	if (!pl_cl_order_take(&order, serve, args->queue, args->mem, args->waits, args->event))
		return;
	if (order.note->element_bytes)
		pl_cl_order_fail(&order, CL_INVALID_MEM_OBJECT);
	else
		read_run(&order, &box, &wanted,
			 buffer_box(&order, &box, false, args->offset, args->size) && args->has_ptr, args->size);
}

void pl_cl_serve_clEnqueueWriteBuffer(struct pl_serve *serve, const struct pl_cl_clEnqueueWriteBuffer_args *args)
{
	struct pl_cl_order order;
	struct pl_cl_box box;

	if (!pl_cl_order_take(&order, serve, args->queue, args->mem, args->waits, args->event))
		return;
	if (order.note->element_bytes)
		pl_cl_order_fail(&order, CL_INVALID_MEM_OBJECT);
	else
		write_run(&order, &box, args->blocking,
			  buffer_box(&order, &box, true, args->offset, args->size) && args->has_ptr, &args->data);
}

/* ---- parts of buffers ---- */

static void box3_set(struct pl_cl_box *box, const uint64_t *origin, const uint64_t *region, uint64_t element)
{
	box->bytes = element;
	for (int i = 0; i < 3; i++) {
		box->origin[i] = origin[i];
		box->region[i] = region[i];
		box->bytes = pl_cl_times(box->bytes, region[i]);
	}
}

/* The pitches of the program's own memory, which never gets here: the API's rules for them. */
static bool host_pitches_valid(const uint64_t *region, uint64_t row_pitch, uint64_t slice_pitch)
{
	uint64_t row = row_pitch ? row_pitch : region[0];

	if (row < region[0])
		return false;
	return !slice_pitch || (slice_pitch >= pl_cl_times(region[1], row) && (!row || slice_pitch % row == 0));
}

/* The far end of the region in the buffer. */
static bool rect_fits(const struct pl_cl_box *box, uint64_t bytes)
{
	uint64_t row = box->row_pitch ? box->row_pitch : box->region[0];
	uint64_t slice = box->slice_pitch ? box->slice_pitch : pl_cl_times(row, box->region[1]);
	uint64_t last[3], end;

	for (int i = 0; i < 3; i++) {
		if (!box->region[i])
			return false;
		last[i] = pl_cl_plus(box->origin[i], box->region[i] - 1);
	}
	end = pl_cl_plus(pl_cl_plus(pl_cl_times(last[2], slice), pl_cl_times(last[1], row)), last[0]);
	return end < bytes;
}

void pl_cl_serve_clEnqueueReadBufferRect(struct pl_serve *serve, const struct pl_cl_clEnqueueReadBufferRect_args *args)
{
	struct wanted wanted = { args->blocking, args->stage, args->token };
	struct pl_cl_box box = {
		.shape = PL_CL_SHAPE_RECT,
		.row_pitch = args->buffer_row_pitch,
		.slice_pitch = args->buffer_slice_pitch,
	};
	struct pl_cl_order order;

	if (!pl_cl_order_take(&order, serve, args->queue, args->mem, args->waits, args->event))
		return;
	box3_set(&box, args->buffer_origin, args->region, 1);
	if (order.note->element_bytes)
		pl_cl_order_fail(&order, CL_INVALID_MEM_OBJECT);
	else
		read_run(&order, &box, &wanted,
			 args->has_ptr && args->has_box && rect_fits(&box, order.note->bytes) &&
				 host_pitches_valid(args->region, args->host_row_pitch, args->host_slice_pitch),
			 args->size);
}

void pl_cl_serve_clEnqueueWriteBufferRect(struct pl_serve *serve,
					  const struct pl_cl_clEnqueueWriteBufferRect_args *args)
{
	struct pl_cl_box box = {
		.shape = PL_CL_SHAPE_RECT,
		.write = true,
		.row_pitch = args->buffer_row_pitch,
		.slice_pitch = args->buffer_slice_pitch,
	};
	struct pl_cl_order order;

	if (!pl_cl_order_take(&order, serve, args->queue, args->mem, args->waits, args->event))
		return;
	box3_set(&box, args->buffer_origin, args->region, 1);
	if (order.note->element_bytes)
		pl_cl_order_fail(&order, CL_INVALID_MEM_OBJECT);
	else
		write_run(&order, &box, args->blocking,
			  args->has_ptr && args->has_box && rect_fits(&box, order.note->bytes) &&
				  host_pitches_valid(args->region, args->host_row_pitch, args->host_slice_pitch),
			  &args->data);
}

/* ---- images ---- */

static bool image_pitches_valid(const struct pl_cl_order *order, const uint64_t *region, uint64_t row_pitch,
				uint64_t slice_pitch)
{
	uint64_t tight = pl_cl_times(region[0], order->note->element_bytes);
	uint64_t row = row_pitch ? row_pitch : tight;
	bool array = order->note->type == CL_MEM_OBJECT_IMAGE1D_ARRAY;

	if (row < tight)
		return false;
	return !slice_pitch || slice_pitch >= (array ? row : pl_cl_times(row, region[1]));
}

void pl_cl_serve_clEnqueueReadImage(struct pl_serve *serve, const struct pl_cl_clEnqueueReadImage_args *args)
{
	struct wanted wanted = { args->blocking, args->stage, args->token };
	struct pl_cl_box box = { .shape = PL_CL_SHAPE_IMAGE };
	struct pl_cl_order order;

	if (!pl_cl_order_take(&order, serve, args->queue, args->mem, args->waits, args->event))
		return;
	box3_set(&box, args->origin, args->region, order.note->element_bytes);
	if (!order.note->element_bytes)
		pl_cl_order_fail(&order, CL_INVALID_MEM_OBJECT);
	else
		read_run(&order, &box, &wanted,
			 args->has_ptr && args->has_box && pl_cl_image_holds(order.note, args->origin, args->region) &&
				 image_pitches_valid(&order, args->region, args->row_pitch, args->slice_pitch),
			 args->size);
}

void pl_cl_serve_clEnqueueWriteImage(struct pl_serve *serve, const struct pl_cl_clEnqueueWriteImage_args *args)
{
	struct pl_cl_box box = { .shape = PL_CL_SHAPE_IMAGE, .write = true };
	struct pl_cl_order order;

	if (!pl_cl_order_take(&order, serve, args->queue, args->mem, args->waits, args->event))
		return;
	box3_set(&box, args->origin, args->region, order.note->element_bytes);
	if (!order.note->element_bytes)
		pl_cl_order_fail(&order, CL_INVALID_MEM_OBJECT);
	else
		write_run(&order, &box, args->blocking,
			  args->has_ptr && args->has_box && pl_cl_image_holds(order.note, args->origin, args->region) &&
				  image_pitches_valid(&order, args->region, args->row_pitch, args->slice_pitch),
			  &args->data);
}
