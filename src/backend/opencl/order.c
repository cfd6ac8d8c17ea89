#include "backend/opencl/transfer.h"

#include "backend/opencl/event.h"

bool pl_cl_order_take(struct pl_cl_order *order, struct pl_serve *serve, uint64_t queue, uint64_t mem,
		      struct pl_u64s waits, uint64_t event)
{
	struct pl_cl_session *session = pl_cl_session_of(serve);
	void *queue_note = NULL, *mem_note = NULL, *taken = NULL;
	int32_t status = CL_SUCCESS;

	*order = (struct pl_cl_order){ .serve = serve, .session = session, .queue_id = queue, .event_id = event };
	if (!pl_cl_take_note(serve, queue, PL_CL_KIND_queue, &taken, &queue_note, &status))
		goto fail;
	order->queue = taken;
	if (queue_note)
		order->profiling = ((struct pl_cl_queue_note *)queue_note)->profiling;
	if (!pl_cl_take_note(serve, mem, PL_CL_KIND_mem, &taken, &mem_note, &status))
		goto fail;
	order->mem = taken;
	order->note = mem_note;
	if (!pl_cl_waits_take(serve, waits, &order->waits, &status))
		goto fail;
	if (order->queue && order->mem && order->note)
		return true;
	status = order->queue ? CL_INVALID_MEM_OBJECT : CL_INVALID_COMMAND_QUEUE;
fail:
	pl_cl_order_fail(order, status);
	return false;
}

void pl_cl_order_end(struct pl_cl_order *order)
{
	pl_cl_waits_fini(&order->waits);
}

void pl_cl_order_fail(struct pl_cl_order *order, int32_t status)
{
	struct pl_cl_event_note what = { .queue = order->queue_id, .profiling = order->profiling };

	if (order->event_id)
		pl_cl_enter_event(order->serve, order->event_id, what, NULL, status);
	pl_cl_result(order->serve, status, order->queue_id);
	pl_cl_order_end(order);
}

bool pl_cl_order_late(struct pl_cl_order *order)
{
	int32_t late = pl_cl_late_take(order->session, order->queue_id);

	if (!late)
		return false;
	pl_serve_give_turn(order->serve);
	pl_cl_sync(order->session);
	pl_serve_reply_late(order->serve, late);
	pl_cl_order_end(order);
	return true;
}

void pl_cl_order_event(struct pl_cl_order *order, cl_event event, cl_event first)
{
	struct pl_cl_event_note what = { .queue = order->queue_id, .profiling = order->profiling, .first = first };

	if (!order->event_id) {
		if (first)
			pl_cl.clReleaseEvent(first);
		return;
	}
	pl_cl.clRetainEvent(event);
	pl_cl_enter_event(order->serve, order->event_id, what, event, CL_SUCCESS);
}

void pl_cl_order_stay(struct pl_cl_order *order)
{
	pl_cl.clRetainCommandQueue(order->queue);
	pl_cl.clRetainMemObject(order->mem);
	for (cl_uint i = 0; i < order->waits.count; i++)
		pl_cl.clRetainEvent(order->waits.at[i]);
}

void pl_cl_order_leave(struct pl_cl_order *order)
{
	for (cl_uint i = 0; i < order->waits.count; i++)
		pl_cl.clReleaseEvent(order->waits.at[i]);
	pl_cl.clReleaseMemObject(order->mem);
	pl_cl.clReleaseCommandQueue(order->queue);
}

uint8_t *pl_cl_stage(struct pl_cl_session *session, uint64_t stage, uint64_t bytes)
{
	struct pl_session_worker *worker = session->worker;

	if (!worker->arena || stage > worker->arena_bytes || bytes > worker->arena_bytes - stage)
		return NULL;
	return worker->arena + stage;
}

/* ---- replies ---- */

void pl_cl_reply_inline(struct pl_serve *serve, int32_t status, const void *data, uint64_t bytes)
{
	struct pl_bulk bulk = { .kind = PL_BULK_INLINE, .data = data, .bytes = bytes };

	if (pl_serve_reply_begin(serve, status, pl_size_bulk(&bulk), 0))
		return;
	pl_enc_bulk(&serve->reply_enc, &bulk);
	pl_serve_reply_end(serve);
}

int pl_cl_reply_after(struct pl_serve *serve, int32_t status, uint64_t bytes)
{
	struct pl_bulk bulk = { .kind = PL_BULK_AFTER, .bytes = bytes };
	int r = pl_serve_reply_begin(serve, status, pl_size_bulk(&bulk), bytes);

	if (r)
		return r;
	pl_enc_bulk(&serve->reply_enc, &bulk);
	return pl_serve_reply_end(serve);
}

void pl_cl_reply_data(struct pl_serve *serve, int32_t status, const void *data, uint64_t bytes)
{
	if (bytes <= PL_WIRE_INLINE_MAX)
		pl_cl_reply_inline(serve, status, data, bytes);
	else if (!pl_cl_reply_after(serve, status, bytes))
		pl_serve_reply_bulk(serve, data, bytes);
}
