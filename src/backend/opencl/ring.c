/*
 * Long blocking transfers between a lane and a buffer.  Through a ring of blocks: while the driver copies one, the lane
 * carries another, and no transfer needs more memory than the ring.  Or, where the buffer's storage is memory of ours
 * that the device uses in place, straight out of and into that, between a map and an unmap.
 */
#include <string.h>
#include <sys/mman.h>

#include "backend/opencl/event.h"
#include "backend/opencl/pinned.h"
#include "backend/opencl/transfer.h"
#include "base/err.h"

#define RING_BYTES (PL_CL_BLOCKS * PL_CL_BLOCK_BYTES)

struct ring {
	struct pl_quota *quota;
	uint8_t *memory;
	struct pl_cl_pinned pinned;    /* where the memory is the driver's */
	cl_event events[PL_CL_BLOCKS]; /* of the command that uses the block; NULL = free */
	cl_event first, last;          /* of the whole transfer; retained */
	uint64_t enqueued;             /* bytes */
	cl_int status;
};

/* Fresh memory costs a fault a page, so one ring is kept for the next transfer. */
static _Atomic(uint8_t *) ring_kept;

static bool ring_init(struct ring *ring, const struct pl_cl_order *order)
{
	struct pl_quota *quota = pl_cl_quota(order->session);

	*ring = (struct ring){ .quota = quota };
	if (!pl_quota_charge(quota, PL_QUOTA_HOST, RING_BYTES))
		return false;
	if (pl_cl_pinned_take(order->queue, &ring->pinned)) {
		ring->memory = ring->pinned.at;
		return true;
	}
	ring->memory = atomic_exchange(&ring_kept, NULL);
	if (!ring->memory)
		ring->memory = mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (ring->memory != MAP_FAILED)
		return true;
	pl_quota_return(quota, PL_QUOTA_HOST, RING_BYTES);
	return false;
}

/* Waits for block i's command.  Return: good. */
static bool block_wait(struct ring *ring, uint32_t i)
{
	cl_int r;

	if (!ring->events[i])
		return true;
	r = pl_cl.clWaitForEvents(1, &ring->events[i]);
	pl_cl.clReleaseEvent(ring->events[i]);
	ring->events[i] = NULL;
	if (r && !ring->status)
		ring->status = r;
	return !r;
}

static void ring_fini(struct ring *ring)
{
	uint8_t *kept = NULL;

	for (uint32_t i = 0; i < PL_CL_BLOCKS; i++)
		block_wait(ring, i);
	if (ring->first)
		pl_cl.clReleaseEvent(ring->first);
	if (ring->last)
		pl_cl.clReleaseEvent(ring->last);
	if (ring->pinned.at)
		pl_cl_pinned_give(&ring->pinned);
	else if (!atomic_compare_exchange_strong(&ring_kept, &kept, ring->memory))
		munmap(ring->memory, RING_BYTES);
	pl_quota_return(ring->quota, PL_QUOTA_HOST, RING_BYTES);
}

/* Enqueues the next block.  The first waits for the wait list, the others for the first.  Return: good. */
static bool block_enqueue(struct ring *ring, const struct pl_cl_order *order, const struct pl_cl_box *box)
{
	uint32_t i = (uint32_t)(ring->enqueued / PL_CL_BLOCK_BYTES % PL_CL_BLOCKS);
	uint64_t left = box->bytes - ring->enqueued;
	uint64_t bytes = left < PL_CL_BLOCK_BYTES ? left : PL_CL_BLOCK_BYTES;
	cl_event event = NULL;
	cl_int r = pl_cl_box_enqueue(order, box, ring->enqueued, bytes, ring->memory + (uint64_t)i * PL_CL_BLOCK_BYTES,
				     ring->first ? 1 : order->waits.count, ring->first ? &ring->first : order->waits.at,
				     &event);

	if (r) {
		ring->status = ring->status ? ring->status : r;
		return false;
	}
	ring->events[i] = event;
	ring->enqueued += bytes;
	if (!ring->first) {
		ring->first = event;
		pl_cl.clRetainEvent(event);
	}
	if (ring->last)
		pl_cl.clReleaseEvent(ring->last);
	ring->last = event;
	pl_cl.clRetainEvent(event);
	return true;
}

/* The event of the whole: ends with the last block, begins with the first. */
static void ring_event(struct ring *ring, struct pl_cl_order *order)
{
	cl_event first = ring->first != ring->last ? ring->first : NULL;

	if (first)
		pl_cl.clRetainEvent(first);
	pl_cl_order_event(order, ring->last, first);
}

/* Sends the blocks as they come.  The reply has said that all is well: where a later block fails there is no way to
 * take that back, and no byte to send that is true.  The lane is broken: the client sees its device as lost. */
static void blocks_send(struct ring *ring, struct pl_cl_order *order, const struct pl_cl_box *box)
{
	struct pl_serve *serve = order->serve;

	for (uint64_t sent = 0; sent < box->bytes;) {
		uint32_t i = (uint32_t)(sent / PL_CL_BLOCK_BYTES % PL_CL_BLOCKS);
		uint64_t left = box->bytes - sent;
		uint64_t bytes = left < PL_CL_BLOCK_BYTES ? left : PL_CL_BLOCK_BYTES;
		uint8_t *block = ring->memory + (uint64_t)i * PL_CL_BLOCK_BYTES;

		if (!block_wait(ring, i) || sent >= ring->enqueued) {
			pl_log_error(
				"session %llu: a read failed (%d) when its first part was sent: the lane is broken",
				(unsigned long long)serve->session->id, ring->status);
			pl_lane_shutdown(serve->lane);
			return;
		}
		if (sent + bytes == box->bytes)
			ring_event(ring, order);
		if (pl_serve_reply_bulk(serve, block, bytes))
			return;
		sent += bytes;
		if (ring->enqueued < box->bytes && !ring->status)
			block_enqueue(ring, order, box);
	}
}

void pl_cl_ring_read(struct pl_cl_order *order, const struct pl_cl_box *box)
{
	struct pl_serve *serve = order->serve;
	struct ring ring;

	if (!ring_init(&ring, order)) {
		pl_cl_order_fail(order, CL_OUT_OF_HOST_MEMORY);
		return;
	}
	for (uint32_t i = 0; i < PL_CL_BLOCKS && ring.enqueued < box->bytes; i++)
		if (!block_enqueue(&ring, order, box))
			break;
	pl_cl_order_stay(order);
	pl_serve_give_turn(serve);
	if (!ring.status)
		block_wait(&ring, 0);
	pl_cl_sync(order->session);
	if (ring.status)
		pl_serve_reply(serve, ring.status);
	else if (!pl_cl_reply_after(serve, CL_SUCCESS, box->bytes))
		blocks_send(&ring, order, box);
	ring_fini(&ring);
	pl_cl_order_leave(order);
	pl_cl_order_end(order);
}

void pl_cl_ring_write(struct pl_cl_order *order, const struct pl_cl_box *box)
{
	struct pl_serve *serve = order->serve;
	struct ring ring;
	bool good = true;

	if (!ring_init(&ring, order)) {
		pl_cl_order_fail(order, CL_OUT_OF_HOST_MEMORY);
		return;
	}
	pl_cl_order_stay(order);
	pl_serve_give_turn(serve);
	while (good && ring.enqueued < box->bytes) {
		uint32_t i = (uint32_t)(ring.enqueued / PL_CL_BLOCK_BYTES % PL_CL_BLOCKS);
		uint64_t left = box->bytes - ring.enqueued;
		uint64_t bytes = left < PL_CL_BLOCK_BYTES ? left : PL_CL_BLOCK_BYTES;

		good = block_wait(&ring, i) &&
		       !pl_serve_take_bulk(serve, ring.memory + (uint64_t)i * PL_CL_BLOCK_BYTES, bytes) &&
		       block_enqueue(&ring, order, box);
		if (good)
			pl_cl.clFlush(order->queue);
	}
	for (uint32_t i = 0; i < PL_CL_BLOCKS; i++)
		block_wait(&ring, i);
	if (!good && !ring.status)
		ring.status = CL_OUT_OF_RESOURCES;
	if (!ring.status)
		ring_event(&ring, order);
	pl_cl_sync(order->session);
	pl_serve_reply(serve, ring.status);
	ring_fini(&ring);
	pl_cl_order_leave(order);
	pl_cl_order_end(order);
}

/* ---- storage of ours ---- */

/* Maps and waits.  Return: NULL: the call has been answered and the order is ended; else the turn was given up. */
static void *store_map(struct pl_cl_order *order, const struct pl_cl_box *box, cl_map_flags flags, cl_event *event_out)
{
	cl_int status = CL_SUCCESS;
	void *at = pl_cl.clEnqueueMapBuffer(order->queue, order->mem, CL_FALSE, flags, box->offset, box->bytes,
					    order->waits.count, order->waits.at, event_out, &status);

	if (!at || status) {
		pl_cl_order_fail(order, status ? status : CL_OUT_OF_RESOURCES);
		return NULL;
	}
	pl_cl_order_stay(order);
	pl_serve_give_turn(order->serve);
	status = pl_cl.clWaitForEvents(1, event_out);
	if (!status)
		return at;
	pl_cl.clReleaseEvent(*event_out);
	pl_cl_sync(order->session);
	pl_serve_reply(order->serve, status);
	pl_cl_order_leave(order);
	pl_cl_order_end(order);
	return NULL;
}

void pl_cl_store_read(struct pl_cl_order *order, const struct pl_cl_box *box)
{
	cl_event event = NULL;
	void *at = store_map(order, box, CL_MAP_READ, &event);

	if (!at)
		return;
	pl_cl_order_event(order, event, NULL);
	pl_cl_sync(order->session);
	pl_cl_reply_data(order->serve, CL_SUCCESS, at, box->bytes);
	pl_cl.clEnqueueUnmapMemObject(order->queue, order->mem, at, 0, NULL, NULL);
	pl_cl.clFlush(order->queue);
	pl_cl.clReleaseEvent(event);
	pl_cl_order_leave(order);
	pl_cl_order_end(order);
}

void pl_cl_store_write(struct pl_cl_order *order, const struct pl_cl_box *box)
{
	cl_event mapped = NULL, event = NULL;
	void *at = store_map(order, box, CL_MAP_WRITE, &mapped);
	cl_int status;

	if (!at)
		return;
	pl_cl.clReleaseEvent(mapped);
	pl_serve_take_bulk(order->serve, at, box->bytes); /* a broken lane ends the session */
	status = pl_cl.clEnqueueUnmapMemObject(order->queue, order->mem, at, 0, NULL, &event);
	if (!status) {
		pl_cl.clFlush(order->queue);
		pl_cl_order_event(order, event, NULL);
		pl_cl.clReleaseEvent(event);
	}
	pl_cl_sync(order->session);
	pl_serve_reply(order->serve, status);
	pl_cl_order_leave(order);
	pl_cl_order_end(order);
}

/* A client that is wrong about it, or lies, sees its own data in another order: the memory is its own. */
void pl_cl_store_read_idle(struct pl_cl_order *order, const struct pl_cl_box *box)
{
	pl_cl_order_stay(order);
	pl_serve_give_turn(order->serve);
	pl_cl_sync(order->session);
	pl_cl_reply_data(order->serve, CL_SUCCESS, order->note->store + box->offset, box->bytes);
	pl_cl_order_leave(order);
	pl_cl_order_end(order);
}

void pl_cl_store_write_idle(struct pl_cl_order *order, const struct pl_cl_box *box)
{
	int r;

	pl_cl_order_stay(order);
	pl_serve_give_turn(order->serve);
	r = pl_serve_take_bulk(order->serve, order->note->store + box->offset, box->bytes);
	pl_cl_sync(order->session);
	pl_serve_reply(order->serve, r ? CL_OUT_OF_RESOURCES : CL_SUCCESS);
	pl_cl_order_leave(order);
	pl_cl_order_end(order);
}
