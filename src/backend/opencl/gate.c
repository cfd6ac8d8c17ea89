/*
 * Posts whose payload follows them.  The command goes into the driver's queue at once, behind a user event, so that the
 * order of the session stands; then the turn is given on, the payload is taken, and the event lets the command go.
 * Where the buffer's storage is ours and no earlier command is under way, the payload is taken straight into it.
 */
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "backend/opencl/event.h"
#include "backend/opencl/transfer.h"
#include "base/err.h"
#include "base/wait.h"

#define IDLE_NS_MAX 100000u /* so long it is found out whether the queue has nothing to do; others wait meanwhile */

struct gated {
	cl_event gate, event; /* event: of the command; retained */
	void *at;             /* where the payload goes */
	void *owned;          /* free()d when the command has ended */
};

cl_event pl_cl_gate_new(cl_mem mem)
{
	cl_context context = NULL;
	cl_event gate;
	cl_int status;

	if (!pl_cl.clCreateUserEvent || !pl_cl.clSetUserEventStatus ||
	    pl_cl.clGetMemObjectInfo(mem, CL_MEM_CONTEXT, sizeof(context), &context, NULL))
		return NULL;
	gate = pl_cl.clCreateUserEvent(context, &status);
	return status ? NULL : gate;
}

void pl_cl_gate_take(struct pl_serve *serve, cl_event gate, void *at, uint64_t bytes)
{
	int r = pl_serve_take_bulk(serve, at, bytes);

	/* Drivers run what waited on this thread. */
	pl_cl.clSetUserEventStatus(gate, r ? CL_OUT_OF_RESOURCES : CL_COMPLETE);
	pl_cl.clReleaseEvent(gate);
}

cl_uint pl_cl_gate_waits(const struct pl_cl_order *order, cl_event gate, cl_event **list_out)
{
	cl_event *list = malloc((order->waits.count + 1) * sizeof(*list));

	if (!list)
		return 0;
	if (order->waits.count)
		memcpy(list, order->waits.at, order->waits.count * sizeof(*list));
	list[order->waits.count] = gate;
	*list_out = list;
	return order->waits.count + 1;
}

/* Whether the event ends within the time that is worth it. */
static bool ends_soon(cl_event event)
{
	uint64_t end = pl_now_ns() + IDLE_NS_MAX;

	while (pl_cl_event_status(event) > CL_COMPLETE) {
		if (pl_now_ns() > end)
			return false;
		sched_yield();
	}
	return pl_cl_event_status(event) == CL_COMPLETE;
}

/* Into the storage itself.  Return: false: not possible now, nothing is left behind. */
static bool place_in_store(const struct pl_cl_order *order, const struct pl_cl_box *box, struct gated *gated)
{
	cl_event mapped = NULL;
	cl_int status = CL_SUCCESS;
	bool good;
	void *at = pl_cl.clEnqueueMapBuffer(order->queue, order->mem, CL_FALSE, CL_MAP_WRITE, box->offset, box->bytes,
					    order->waits.count, order->waits.at, &mapped, &status);

	if (!at || status)
		return false;
	pl_cl.clFlush(order->queue);
	good = ends_soon(mapped);
	/* Never before the map has ended, which a queue out of order would allow. */
	status = pl_cl.clEnqueueUnmapMemObject(order->queue, order->mem, at, 1, good ? &gated->gate : &mapped,
					       good ? &gated->event : NULL);
	pl_cl.clReleaseEvent(mapped);
	gated->at = at;
	return good && !status;
}

/* Into memory that the driver's own write reads. */
static cl_int place_in_heap(const struct pl_cl_order *order, const struct pl_cl_box *box, struct gated *gated)
{
	cl_event *list = NULL;
	cl_uint count = pl_cl_gate_waits(order, gated->gate, &list);
	cl_int status = CL_OUT_OF_HOST_MEMORY;

	gated->at = gated->owned = malloc(box->bytes);
	if (count && gated->owned)
		status = pl_cl_box_enqueue(order, box, 0, box->bytes, gated->owned, count, list, &gated->event);
	free(list);
	if (status)
		free(gated->owned);
	return status;
}

bool pl_cl_gate_write(struct pl_cl_order *order, const struct pl_cl_box *box)
{
	bool in_store = box->shape == PL_CL_SHAPE_BUFFER && order->note->store && !order->profiling;
	struct gated gated = { .gate = pl_cl_gate_new(order->mem) };
	struct pl_serve *serve = order->serve;
	cl_int status = CL_SUCCESS;

	if (!gated.gate)
		return false;
	if (!in_store || !place_in_store(order, box, &gated))
		status = place_in_heap(order, box, &gated);
	if (status) {
		pl_cl.clSetUserEventStatus(gated.gate, CL_COMPLETE);
		pl_cl.clReleaseEvent(gated.gate);
		pl_cl_order_fail(order, status);
		return true;
	}
	pl_cl_order_event(order, gated.event, NULL);
	pl_cl_order_stay(order);
	pl_serve_give_turn(serve);
	pl_cl_gate_take(serve, gated.gate, gated.at, box->bytes);
	pl_cl.clFlush(order->queue);
	if (gated.owned) {
		pl_cl_charge_keep();
		pl_cl_hold(order->session, gated.event, gated.owned, box->bytes);
	}
	pl_cl.clReleaseEvent(gated.event);
	pl_cl_result(serve, CL_SUCCESS, order->queue_id);
	pl_cl_order_leave(order);
	pl_cl_order_end(order);
	return true;
}
