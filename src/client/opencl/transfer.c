/* Reads and writes of buffers, whole ranges and boxes. */
#include "client/opencl/call.h"
#include "client/opencl/check.h"
#include "client/opencl/move.h"
#include "wire/opencl.h"

#include <string.h>

static bool may_read(const struct pl_cl_mem *mem)
{
	return !(mem->flags & (CL_MEM_HOST_WRITE_ONLY | CL_MEM_HOST_NO_ACCESS));
}

static bool may_write(const struct pl_cl_mem *mem)
{
	return !(mem->flags & (CL_MEM_HOST_READ_ONLY | CL_MEM_HOST_NO_ACCESS));
}

static bool range_plain(const struct pl_cl_command *command, struct pl_cl_mem *mem, const void *ptr, size_t offset,
			size_t size)
{
	return pl_cl_command_plain(command, mem) && ptr && size && mem->type == CL_MEM_OBJECT_BUFFER &&
	       pl_cl_check_fits(offset, size, (cl_mem)mem);
}

/* What the server is told of a blocking command. */
static uint32_t blocking_how(const struct pl_cl_command *command, bool plain)
{
	if (!command->blocking)
		return 0;
	return plain && !command->event_out && pl_cl_queue_idle(command->queue) &&
			       pl_cl_waits_done(command->waits_count, command->waits)
		       ? PL_CL_BLOCKING_IDLE
		       : 1;
}

/* ---- ranges ---- */

cl_int pl_cl_stub_clEnqueueReadBuffer(cl_command_queue command_queue, cl_mem buffer, cl_bool blocking_read,
				      size_t offset, size_t size, void *ptr, cl_uint num_events_in_wait_list,
				      const cl_event *event_wait_list, cl_event *event)
{
	struct pl_cl_mem *mem = pl_cl_get(buffer, PL_CL_KIND_mem);
	struct pl_cl_landing landing = {.to = ptr, .box = pl_cl_box_line(size)};
	struct pl_cl_clEnqueueReadBuffer_args args;
	struct pl_cl_clEnqueueReadBuffer_reply got;
	struct pl_cl_command command;
	struct pl_reply reply;
	bool plain;
	cl_int code = pl_cl_command_init(&command, PL_CL_OP_clEnqueueReadBuffer, command_queue, blocking_read,
					 num_events_in_wait_list, event_wait_list, event);
	int r;

	if (code)
		return code;
	plain = range_plain(&command, mem, ptr, offset, size) && may_read(mem);
	if (plain && pl_cl_command_local(&command, mem, &code)) {
		if (code)
			return code;
		memcpy(ptr, pl_cl_mem_store(mem) + offset, size);
		return pl_cl_command_local_end(&command);
	}
	code = pl_cl_command_start(&command);
	if (code)
		return code;
	landing.streamed = plain && blocking_read && pl_cl_streams(mem);
	if (!pl_cl_landing_start(&landing, command.server, blocking_read, plain))
		return pl_cl_command_end(&command, CL_OUT_OF_HOST_MEMORY);
	args = (struct pl_cl_clEnqueueReadBuffer_args){
		.queue = command.queue->object.id,
		.mem = pl_cl_id_at(command.session, mem, PL_CL_KIND_mem),
		.blocking = blocking_how(&command, plain),
		.has_ptr = ptr != NULL,
		.offset = offset,
		.size = size,
		.stage = landing.stage,
		.token = landing.token,
		.waits = command.ids.list,
		.event = command.event_id,
	};
	if (plain && !blocking_read) {
		r = PL_CL_POST(command.session, clEnqueueReadBuffer, &args);
		code = r ? pl_cl_fault(r) : CL_SUCCESS;
	} else {
		r = PL_CL_ASK(command.session, clEnqueueReadBuffer, &args, &reply);
		code = r ? pl_cl_fault(r) : pl_cl_queue_reply(command.queue, &reply);
		if (!code) {
			pl_cl_clEnqueueReadBuffer_reply_get(&reply.dec, &got);
			r = pl_cl_landing_reply(&landing, command.server, &reply, &got.data);
			code = r ? pl_cl_fault(r) : CL_SUCCESS;
		}
	}
	if (code)
		pl_cl_landing_cancel(&landing, command.server);
	return pl_cl_command_end(&command, code);
}

/* A blocking write that is small may go without waiting: its bytes are in the record. */
static bool write_needs_reply(const struct pl_cl_command *command, uint64_t bytes)
{
	return command->blocking && (command->event_out || bytes > PL_WIRE_INLINE_MAX ||
				     !pl_cl_waits_done(command->waits_count, command->waits));
}

static enum pl_cl_load_how load_how(bool asked, bool plain, struct pl_cl_mem *mem)
{
	return !asked ? PL_CL_LOAD_GATED : plain && pl_cl_streams(mem) ? PL_CL_LOAD_STREAMED : PL_CL_LOAD_ASKED;
}

cl_int pl_cl_stub_clEnqueueWriteBuffer(cl_command_queue command_queue, cl_mem buffer, cl_bool blocking_write,
				       size_t offset, size_t size, const void *ptr, cl_uint num_events_in_wait_list,
				       const cl_event *event_wait_list, cl_event *event)
{
	struct pl_cl_mem *mem = pl_cl_get(buffer, PL_CL_KIND_mem);
	struct pl_cl_box box = pl_cl_box_line(size);
	struct pl_cl_clEnqueueWriteBuffer_args args;
	struct pl_cl_command command;
	struct pl_cl_load load;
	struct pl_reply reply;
	bool plain, asked;
	cl_int code = pl_cl_command_init(&command, PL_CL_OP_clEnqueueWriteBuffer, command_queue, blocking_write,
					 num_events_in_wait_list, event_wait_list, event);
	int r;

	if (code)
		return code;
	plain = range_plain(&command, mem, ptr, offset, size) && may_write(mem);
	if (plain && pl_cl_command_local(&command, mem, &code)) {
		if (code)
			return code;
		memcpy(pl_cl_mem_store(mem) + offset, ptr, size);
		return pl_cl_command_local_end(&command);
	}
	asked = !plain || write_needs_reply(&command, size);
	command.blocking = blocking_write && asked;
	code = pl_cl_command_start(&command);
	if (code)
		return code;
	/* Memory that can not be what the caller says it is, as the buffer is smaller, is not read. */
	r = pl_cl_load_start(&load, command.session, mem && pl_cl_check_fits(offset, size, buffer) ? ptr : NULL, &box,
			     load_how(asked, plain, mem));
	if (!r) {
		args = (struct pl_cl_clEnqueueWriteBuffer_args){
			.queue = command.queue->object.id,
			.mem = pl_cl_id_at(command.session, mem, PL_CL_KIND_mem),
			.blocking = blocking_how(&command, plain),
			.has_ptr = ptr != NULL,
			.offset = offset,
			.size = size,
			.data = load.bulk,
			.waits = command.ids.list,
			.event = command.event_id,
		};
		r = asked ? PL_CL_ASK_LOAD(command.session, clEnqueueWriteBuffer, &args, &load, &reply)
			  : PL_CL_POST_LOAD(command.session, clEnqueueWriteBuffer, &args, &load);
	}
	code = r ? pl_cl_fault(r) : asked ? pl_cl_queue_reply(command.queue, &reply) : CL_SUCCESS;
	code = pl_cl_command_end(&command, code);
	pl_cl_load_end(&load, command.session);
	return code;
}

/* ---- boxes ---- */

struct rect {
	const size_t *buffer_origin, *host_origin, *region;
	size_t buffer_row_pitch, buffer_slice_pitch, host_row_pitch, host_slice_pitch;
};

static struct pl_cl_box rect_box(const size_t *region, size_t row_pitch, size_t slice_pitch)
{
	struct pl_cl_box box = {.row_bytes = region[0], .rows = region[1], .slices = region[2]};

	box.row_pitch = row_pitch ? row_pitch : region[0];
	box.slice_pitch = slice_pitch ? slice_pitch : box.row_pitch * region[1];
	return box;
}

static size_t rect_offset(const size_t *origin, const struct pl_cl_box *box)
{
	return origin[2] * box->slice_pitch + origin[1] * box->row_pitch + origin[0];
}

static bool pitches_plain(const size_t *region, size_t row_pitch, size_t slice_pitch)
{
	size_t row = row_pitch ? row_pitch : region[0];

	return row >= region[0] && (!slice_pitch || (slice_pitch >= row * region[1] && !(slice_pitch % row)));
}

static bool rect_known(const struct rect *rect)
{
	return rect->buffer_origin && rect->host_origin && rect->region;
}

/* Numbers so large that a product of them might wrap are never plain. */
static bool rect_small(const struct rect *rect)
{
	const size_t limit = (size_t)1 << 20;
	size_t pitch_max = (size_t)1 << 40;

	for (int i = 0; i < 3; i++)
		if (rect->buffer_origin[i] >= limit || rect->host_origin[i] >= limit ||
		    rect->region[i] >= (i ? limit : pitch_max))
			return false;
	return rect->buffer_row_pitch < pitch_max && rect->buffer_slice_pitch < pitch_max &&
	       rect->host_row_pitch < pitch_max && rect->host_slice_pitch < pitch_max;
}

static bool rect_plain(const struct pl_cl_command *command, struct pl_cl_mem *mem, const struct rect *rect,
		       const void *ptr)
{
	struct pl_cl_box box;
	const size_t *region = rect->region;
	unsigned __int128 last;

	if (!rect_known(rect) || !ptr || !pl_cl_command_plain(command, mem) || mem->type != CL_MEM_OBJECT_BUFFER ||
	    !region[0] || !region[1] || !region[2] || !rect_small(rect) ||
	    !pitches_plain(region, rect->buffer_row_pitch, rect->buffer_slice_pitch) ||
	    !pitches_plain(region, rect->host_row_pitch, rect->host_slice_pitch))
		return false;
	box = rect_box(region, rect->buffer_row_pitch, rect->buffer_slice_pitch);
	last = (unsigned __int128)(rect->buffer_origin[2] + region[2] - 1) * box.slice_pitch +
	       (unsigned __int128)(rect->buffer_origin[1] + region[1] - 1) * box.row_pitch + rect->buffer_origin[0] +
	       region[0];
	return last <= mem->size;
}

#define RECT_ARGS(args, rect)                                                                                          \
	do {                                                                                                           \
		if (rect_known(rect)) {                                                                                \
			(args)->has_box = 1;                                                                           \
			memcpy((args)->buffer_origin, (rect)->buffer_origin, sizeof((args)->buffer_origin));           \
			memcpy((args)->host_origin, (rect)->host_origin, sizeof((args)->host_origin));                 \
			memcpy((args)->region, (rect)->region, sizeof((args)->region));                                \
		}                                                                                                      \
		(args)->buffer_row_pitch = (rect)->buffer_row_pitch;                                                   \
		(args)->buffer_slice_pitch = (rect)->buffer_slice_pitch;                                               \
		(args)->host_row_pitch = (rect)->host_row_pitch;                                                       \
		(args)->host_slice_pitch = (rect)->host_slice_pitch;                                                   \
	} while (0)

static cl_int rect_read(struct pl_cl_command *command, struct pl_cl_mem *mem, const struct rect *rect, void *ptr)
{
	struct pl_cl_landing landing = {.to = NULL};
	struct pl_cl_clEnqueueReadBufferRect_args args = {.has_ptr = ptr != NULL};
	struct pl_cl_clEnqueueReadBufferRect_reply got;
	bool plain = rect_plain(command, mem, rect, ptr) && may_read(mem);
	struct pl_reply reply;
	cl_int code;
	int r;

	if (rect_known(rect) && ptr) {
		landing.box = rect_box(rect->region, rect->host_row_pitch, rect->host_slice_pitch);
		landing.to = (uint8_t *)ptr + rect_offset(rect->host_origin, &landing.box);
	}
	if (plain && pl_cl_command_local(command, mem, &code)) {
		struct pl_cl_box from = rect_box(rect->region, rect->buffer_row_pitch, rect->buffer_slice_pitch);
		if (code)
			return code;
		pl_cl_box_copy(landing.to, &landing.box, pl_cl_mem_store(mem) + rect_offset(rect->buffer_origin, &from),
			       &from);
		return pl_cl_command_local_end(command);
	}
	code = pl_cl_command_start(command);
	if (code)
		return code;
	if (!pl_cl_landing_start(&landing, command->server, command->blocking, plain))
		return pl_cl_command_end(command, CL_OUT_OF_HOST_MEMORY);
	args.queue = command->queue->object.id;
	args.mem = pl_cl_id_at(command->session, mem, PL_CL_KIND_mem);
	args.blocking = command->blocking;
	RECT_ARGS(&args, rect);
	args.size = landing.bytes;
	args.stage = landing.stage;
	args.token = landing.token;
	args.waits = command->ids.list;
	args.event = command->event_id;
	if (plain && !command->blocking) {
		r = PL_CL_POST(command->session, clEnqueueReadBufferRect, &args);
		code = r ? pl_cl_fault(r) : CL_SUCCESS;
	} else {
		r = PL_CL_ASK(command->session, clEnqueueReadBufferRect, &args, &reply);
		code = r ? pl_cl_fault(r) : pl_cl_queue_reply(command->queue, &reply);
		if (!code) {
			pl_cl_clEnqueueReadBufferRect_reply_get(&reply.dec, &got);
			r = pl_cl_landing_reply(&landing, command->server, &reply, &got.data);
			code = r ? pl_cl_fault(r) : CL_SUCCESS;
		}
	}
	if (code)
		pl_cl_landing_cancel(&landing, command->server);
	return pl_cl_command_end(command, code);
}

cl_int pl_cl_stub_clEnqueueReadBufferRect(cl_command_queue command_queue, cl_mem buffer, cl_bool blocking_read,
					  const size_t *buffer_origin, const size_t *host_origin, const size_t *region,
					  size_t buffer_row_pitch, size_t buffer_slice_pitch, size_t host_row_pitch,
					  size_t host_slice_pitch, void *ptr, cl_uint num_events_in_wait_list,
					  const cl_event *event_wait_list, cl_event *event)
{
	struct rect rect = {buffer_origin,	host_origin,	region,		 buffer_row_pitch,
			    buffer_slice_pitch, host_row_pitch, host_slice_pitch};
	struct pl_cl_command command;
	cl_int code = pl_cl_command_init(&command, PL_CL_OP_clEnqueueReadBufferRect, command_queue, blocking_read,
					 num_events_in_wait_list, event_wait_list, event);

	return code ? code : rect_read(&command, pl_cl_get(buffer, PL_CL_KIND_mem), &rect, ptr);
}

static cl_int rect_write(struct pl_cl_command *command, struct pl_cl_mem *mem, const struct rect *rect, const void *ptr)
{
	struct pl_cl_clEnqueueWriteBufferRect_args args = {.has_ptr = ptr != NULL};
	bool plain = rect_plain(command, mem, rect, ptr) && may_write(mem), asked;
	struct pl_cl_box box = {0};
	const uint8_t *from = NULL;
	struct pl_cl_load load;
	struct pl_reply reply;
	cl_int code;
	int r;

	if (rect_known(rect) && ptr) {
		box = rect_box(rect->region, rect->host_row_pitch, rect->host_slice_pitch);
		from = (const uint8_t *)ptr + rect_offset(rect->host_origin, &box);
	}
	if (plain && pl_cl_command_local(command, mem, &code)) {
		struct pl_cl_box to = rect_box(rect->region, rect->buffer_row_pitch, rect->buffer_slice_pitch);
		if (code)
			return code;
		pl_cl_box_copy(pl_cl_mem_store(mem) + rect_offset(rect->buffer_origin, &to), &to, from, &box);
		return pl_cl_command_local_end(command);
	}
	asked = !plain || write_needs_reply(command, pl_cl_box_bytes(&box));
	command->blocking = command->blocking && asked;
	code = pl_cl_command_start(command);
	if (code)
		return code;
	r = pl_cl_load_start(&load, command->session, plain ? from : NULL, &box,
			     asked ? PL_CL_LOAD_ASKED : PL_CL_LOAD_POSTED);
	if (!r) {
		args.queue = command->queue->object.id;
		args.mem = pl_cl_id_at(command->session, mem, PL_CL_KIND_mem);
		args.blocking = command->blocking;
		RECT_ARGS(&args, rect);
		args.data = load.bulk;
		args.waits = command->ids.list;
		args.event = command->event_id;
		r = asked ? PL_CL_ASK_LOAD(command->session, clEnqueueWriteBufferRect, &args, &load, &reply)
			  : PL_CL_POST(command->session, clEnqueueWriteBufferRect, &args);
	}
	code = r ? pl_cl_fault(r) : asked ? pl_cl_queue_reply(command->queue, &reply) : CL_SUCCESS;
	code = pl_cl_command_end(command, code);
	pl_cl_load_end(&load, command->session);
	return code;
}

cl_int pl_cl_stub_clEnqueueWriteBufferRect(cl_command_queue command_queue, cl_mem buffer, cl_bool blocking_write,
					   const size_t *buffer_origin, const size_t *host_origin, const size_t *region,
					   size_t buffer_row_pitch, size_t buffer_slice_pitch, size_t host_row_pitch,
					   size_t host_slice_pitch, const void *ptr, cl_uint num_events_in_wait_list,
					   const cl_event *event_wait_list, cl_event *event)
{
	struct rect rect = {buffer_origin,	host_origin,	region,		 buffer_row_pitch,
			    buffer_slice_pitch, host_row_pitch, host_slice_pitch};
	struct pl_cl_command command;
	cl_int code = pl_cl_command_init(&command, PL_CL_OP_clEnqueueWriteBufferRect, command_queue, blocking_write,
					 num_events_in_wait_list, event_wait_list, event);

	return code ? code : rect_write(&command, pl_cl_get(buffer, PL_CL_KIND_mem), &rect, ptr);
}
