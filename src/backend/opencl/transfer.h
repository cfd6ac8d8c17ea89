/* Parts that reads, writes and maps share. */
#ifndef PL_BACKEND_OPENCL_TRANSFER_H
#define PL_BACKEND_OPENCL_TRANSFER_H

#include "backend/opencl/mem.h"
#include "backend/opencl/resolve.h"

/* A command on a queue, its handles resolved. */
struct pl_cl_order {
	struct pl_serve *serve;
	struct pl_cl_session *session;
	cl_command_queue queue;
	cl_mem mem;
	struct pl_cl_mem_note *note; /* of mem; constant fields are good while mem is retained */
	uint64_t queue_id, event_id;
	bool profiling;
	struct pl_cl_waits waits;
};

/** pl_cl_order_take() - resolves queue, object and wait list
 * Return: false: the call has been answered, nothing to give back; else end with pl_cl_order_end() or _fail(). */
bool pl_cl_order_take(struct pl_cl_order *order, struct pl_serve *serve, uint64_t queue, uint64_t mem,
		      struct pl_u64s waits, uint64_t event);
void pl_cl_order_end(struct pl_cl_order *order);
/* The command was not enqueued: enters the failed event, answers, ends the order. */
void pl_cl_order_fail(struct pl_cl_order *order, int32_t status);
/* A command that waits is told a late error of its queue instead.  Return: told; the order is ended. */
bool pl_cl_order_late(struct pl_cl_order *order);
/* Enters the command's event under the client's id; the caller keeps its own reference.  first: taken over, or NULL. */
void pl_cl_order_event(struct pl_cl_order *order, cl_event event, cl_event first);
/* Keeps queue and object alive without the turn; let go with pl_cl_order_leave(). */
void pl_cl_order_stay(struct pl_cl_order *order);
void pl_cl_order_leave(struct pl_cl_order *order);

/* Range of the arena, or NULL when it is not one. */
uint8_t *pl_cl_stage(struct pl_cl_session *session, uint64_t stage, uint64_t bytes);

/* Reply with one bulk field, in the record. */
void pl_cl_reply_inline(struct pl_serve *serve, int32_t status, const void *data, uint64_t bytes);
/* Reply whose bulk field's bytes follow with pl_serve_reply_bulk().  Return: 0 or fatal. */
int pl_cl_reply_after(struct pl_serve *serve, int32_t status, uint64_t bytes);
/* Either, from memory. */
void pl_cl_reply_data(struct pl_serve *serve, int32_t status, const void *data, uint64_t bytes);

/* ---- ring.c: transfers in blocks, so that the driver copies one while the lane carries another ---- */

#define PL_CL_BLOCK_BYTES (1u << 20)
#define PL_CL_BLOCKS      4u

/* Where and what: filled by transfer.c. */
enum pl_cl_shape { PL_CL_SHAPE_BUFFER, PL_CL_SHAPE_RECT, PL_CL_SHAPE_IMAGE };

struct pl_cl_box {
	enum pl_cl_shape shape;
	bool write;
	size_t offset;                 /* buffer */
	size_t origin[3], region[3];   /* rect, image */
	size_t row_pitch, slice_pitch; /* rect: of the buffer */
	uint64_t bytes;                /* packed */
};

/* Enqueues the transfer, or `bytes` of it from `skip` on (buffers only), without waiting. */
cl_int pl_cl_box_enqueue(const struct pl_cl_order *order, const struct pl_cl_box *box, uint64_t skip, uint64_t bytes,
			 void *host, cl_uint waits_count, const cl_event *waits, cl_event *event_out);

/* Blocking transfers of buffers whose data follows the call or its reply.  Each answers and ends the order. */
void pl_cl_ring_read(struct pl_cl_order *order, const struct pl_cl_box *box);
void pl_cl_ring_write(struct pl_cl_order *order, const struct pl_cl_box *box);
/* The same straight out of and into the object's own storage. */
void pl_cl_store_read(struct pl_cl_order *order, const struct pl_cl_box *box);
void pl_cl_store_write(struct pl_cl_order *order, const struct pl_cl_box *box);
/* The same where the client knows that nothing is under way, without the driver. */
void pl_cl_store_read_idle(struct pl_cl_order *order, const struct pl_cl_box *box);
void pl_cl_store_write_idle(struct pl_cl_order *order, const struct pl_cl_box *box);

/* ---- gate.c: posts whose payload follows them (docs/adr/0009) ---- */

/** pl_cl_gate_new() - an event that holds back what waits for it until the payload is there
 * Return: NULL: the driver has none; else end it with pl_cl_gate_take(). */
cl_event pl_cl_gate_new(cl_mem mem);
/* Takes the payload to `at`, without the turn, and opens the gate: for good, or with an error where it broke off. */
void pl_cl_gate_take(struct pl_serve *serve, cl_event gate, void *at, uint64_t bytes);
/* The order's waits and the gate.  Return: how many, *list_out is to be free()d; 0 = no memory. */
cl_uint pl_cl_gate_waits(const struct pl_cl_order *order, cl_event gate, cl_event **list_out);
/* A write that nobody waits for.  Answers and ends the order.  Return: false: it can not be done so, nothing was done.
 */
bool pl_cl_gate_write(struct pl_cl_order *order, const struct pl_cl_box *box);

#endif
