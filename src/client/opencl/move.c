#include "client/opencl/move.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "client/opencl/call.h"
#include "client/opencl/check.h"

uint64_t pl_cl_arena_offset(const struct pl_session *session, const void *at, uint64_t bytes)
{
	uint64_t offset = (uint64_t)((uintptr_t)at - (uintptr_t)session->arena.base);

	if (!session->shares_memory || offset >= session->arena.bytes || bytes > session->arena.bytes - offset)
		return PL_ARENA_NONE;
	return offset;
}

/* ---- landing ---- */

bool pl_cl_landing_start(struct pl_cl_landing *landing, struct pl_cl_server *server, bool blocking, bool plain)
{
	struct pl_session *session = server->session;

	landing->bytes = pl_cl_box_bytes(&landing->box);
	landing->stage = PL_ARENA_NONE;
	landing->token = 0;
	landing->stage_owned = false;
	landing->sent = NULL;
	if (!landing->to || !landing->bytes)
		return true;
	if (plain && pl_cl_box_whole(&landing->box)) {
		landing->stage = pl_cl_arena_offset(session, landing->to, landing->bytes);
		if (landing->stage != PL_ARENA_NONE && !landing->mapped)
			return true;
	}
	if (plain && landing->stage == PL_ARENA_NONE && landing->bytes > PL_WIRE_INLINE_MAX &&
	    !(landing->streamed && blocking)) {
		landing->stage = pl_cl_arena_alloc(server, landing->bytes);
		landing->stage_owned = landing->stage != PL_ARENA_NONE;
	}
	if (blocking)
		return true;
	landing->token = pl_session_id_mint(session);
	landing->sent = malloc(sizeof(*landing));
	if (landing->sent) {
		*landing->sent = *landing;
		if (pl_cl_table_put(&server->tokens, landing->token, PL_CL_ENTRY_LANDING, landing->sent))
			return true;
		free(landing->sent);
		landing->sent = NULL;
	}
	pl_cl_landing_cancel(landing, server);
	return false;
}

void pl_cl_landing_cancel(struct pl_cl_landing *landing, struct pl_cl_server *server)
{
	/* What the table does not have any more has been dealt with there. */
	if (landing->sent && !pl_cl_table_take(&server->tokens, landing->token, PL_CL_ENTRY_LANDING))
		return;
	free(landing->sent);
	landing->sent = NULL;
	if (landing->stage_owned)
		pl_cl_arena_free(server, landing->stage, landing->bytes);
}

static void stage_take(struct pl_cl_landing *landing, struct pl_cl_server *server)
{
	struct pl_arena *arena = &server->session->arena;

	if (!landing->stage_owned)
		return;
	pl_cl_box_unpack(landing->to, arena->base + landing->stage, &landing->box);
	pl_arena_free(arena, landing->stage, landing->bytes, 0);
}

/* Payload of a reply (reply != NULL) or of the reverse record at hand. */
static int payload_take(struct pl_reply *reply, struct pl_session *session, void *to, uint64_t bytes)
{
	return reply ? pl_call_bulk(reply, to, bytes) : pl_session_reverse_bulk(session, to, bytes);
}

static int payload_drop(struct pl_reply *reply, struct pl_session *session, uint64_t bytes)
{
	char scrap[16384];
	int r = 0;

	while (bytes && !r) {
		uint64_t part = bytes < sizeof(scrap) ? bytes : sizeof(scrap);
		r = payload_take(reply, session, scrap, part);
		bytes -= part;
	}
	return r;
}

static int payload_land(struct pl_cl_landing *landing, struct pl_reply *reply, struct pl_session *session)
{
	const struct pl_cl_box *box = &landing->box;
	int r = 0;

	if (pl_cl_box_whole(box))
		return payload_take(reply, session, landing->to, landing->bytes);
	for (uint64_t z = 0; z < box->slices && !r; z++)
		for (uint64_t y = 0; y < box->rows && !r; y++)
			r = payload_take(reply, session,
					 (uint8_t *)landing->to + z * box->slice_pitch + y * box->row_pitch,
					 box->row_bytes);
	return r;
}

static int bulk_land(struct pl_cl_landing *landing, struct pl_reply *reply, struct pl_session *session,
		     const struct pl_bulk *data, uint64_t after_bytes)
{
	if (data->bytes != landing->bytes || (data->kind == PL_BULK_AFTER && after_bytes != data->bytes)) {
		pl_log_warn("%llu bytes came where %llu were read", (unsigned long long)data->bytes,
			    (unsigned long long)landing->bytes);
		return pl_trace(payload_drop(reply, session, after_bytes));
	}
	if (data->kind == PL_BULK_AFTER)
		return pl_trace(payload_land(landing, reply, session));
	pl_cl_box_unpack(landing->to, data->data, &landing->box);
	return 0;
}

int pl_cl_landing_reply(struct pl_cl_landing *landing, struct pl_cl_server *server, struct pl_reply *reply,
			const struct pl_bulk *data)
{
	if (landing->token)
		return 0;
	if (landing->stage == PL_ARENA_NONE)
		return landing->bytes && landing->to
			       ? bulk_land(landing, reply, server->session, data, reply->bulk_bytes)
			       : 0;
	stage_take(landing, server);
	return 0;
}

void pl_cl_landed(struct pl_cl_server *server, const struct pl_cl_plReadDone_args *args)
{
	struct pl_cl_landing *landing = pl_cl_table_take(&server->tokens, args->token, PL_CL_ENTRY_LANDING);
	uint64_t after_bytes = args->data.kind == PL_BULK_AFTER ? args->data.bytes : 0;

	if (landing && args->status >= 0 && landing->stage != PL_ARENA_NONE)
		stage_take(landing, server);
	else if (landing && args->status >= 0)
		(void)bulk_land(landing, NULL, server->session, &args->data, after_bytes);
	else if (after_bytes)
		(void)payload_drop(NULL, server->session, after_bytes);
	if (landing && args->status < 0 && landing->stage_owned)
		pl_cl_arena_free(server, landing->stage, landing->bytes);
	free(landing);
}

/* The session is lost: its arena goes with it. */
void pl_cl_landing_fail(void *landing)
{
	free(landing);
}

/* ---- load ---- */

#define GATED_BYTES_MIN (1u << 20) /* shorter payload goes ahead of a post */

bool pl_cl_streams(struct pl_cl_mem *mem)
{
	return mem && mem->type == CL_MEM_OBJECT_BUFFER && !pl_cl_mem_direct(mem) &&
	       !pl_cl_context_direct(mem->context);
}

int pl_cl_load_start(struct pl_cl_load *load, struct pl_session *session, const void *from, const struct pl_cl_box *box,
		     enum pl_cl_load_how how)
{
	uint64_t bytes = pl_cl_box_bytes(box);
	bool whole = pl_cl_box_whole(box);
	bool after = how == PL_CL_LOAD_STREAMED ||
		     (!session->shares_memory && (how == PL_CL_LOAD_ASKED ||
						  (how == PL_CL_LOAD_GATED && bytes >= GATED_BYTES_MIN)));

	*load = (struct pl_cl_load){.bulk = {.bytes = 0}};
	if (!from || !bytes || bytes > PL_CL_LIMIT_TRANSFER_MAX)
		return 0;
	load->bulk = (struct pl_bulk){.kind = PL_BULK_ARENA, .bytes = bytes};
	if (whole) {
		load->bulk.offset = pl_cl_arena_offset(session, from, bytes);
		if (load->bulk.offset != PL_ARENA_NONE && bytes > PL_WIRE_INLINE_MAX)
			return 0;
	} else if (session->shares_memory && bytes > PL_WIRE_INLINE_MAX && !after) {
		load->bulk.offset = pl_arena_alloc(&session->arena, bytes);
		if (load->bulk.offset != PL_ARENA_NONE) {
			pl_cl_box_pack(session->arena.base + load->bulk.offset, from, box);
			load->owned = true;
			return 0;
		}
	}
	load->bulk.offset = 0;
	if (!whole) {
		load->heap = malloc(bytes);
		if (!load->heap)
			return pl_err(-ENOMEM);
		pl_cl_box_pack(load->heap, from, box);
		from = load->heap;
	}
	if (after && bytes > PL_WIRE_INLINE_MAX) {
		load->bulk.kind = PL_BULK_AFTER;
		load->after = from;
		return 0;
	}
	load->owned = true;
	return pl_bulk_prepare(session, &load->bulk, from, bytes);
}

void pl_cl_load_end(struct pl_cl_load *load, struct pl_session *session)
{
	if (load->owned)
		pl_bulk_done(session, &load->bulk);
	free(load->heap);
	load->heap = NULL;
}

/* ---- the frame ---- */

bool pl_cl_command_plain(const struct pl_cl_command *command, struct pl_cl_mem *mem)
{
	uint64_t alloc_bytes_max, base_align_bytes = 1;

	if (!mem || mem->context != command->queue->context || mem->failed)
		return false;
	if (mem->origin) {
		pl_cl_context_limits(mem->context, &alloc_bytes_max, &base_align_bytes);
		if (mem->origin % base_align_bytes)
			return false;
	}
	return pl_cl_check_waits((cl_command_queue)command->queue, command->waits_count, command->waits);
}

cl_int pl_cl_command_start_full(struct pl_cl_command *command)
{
	if (!pl_cl_ids_start(&command->ids, command->session, (const void *const *)command->waits, command->waits_count,
			     PL_CL_KIND_event))
		return CL_OUT_OF_HOST_MEMORY;
	command->posted = atomic_load_explicit(&command->queue->posted, memory_order_acquire);
	if (!command->event_out)
		return CL_SUCCESS;
	command->minted = pl_cl_event_new((cl_command_queue)command->queue, command->op);
	if (!command->minted) {
		pl_cl_ids_end(&command->ids);
		return CL_OUT_OF_HOST_MEMORY;
	}
	command->event_id = ((struct pl_cl_event *)command->minted)->object.id;
	return CL_SUCCESS;
}

cl_int pl_cl_command_end_full(struct pl_cl_command *command, cl_int code)
{
	pl_cl_ids_end(&command->ids);
	if (code) {
		pl_cl_event_drop(command->minted);
		return code;
	}
	/* A blocking command has ended: it is not counted among those that may be under way. */
	if (!command->blocking) {
		atomic_fetch_add_explicit(&command->queue->posted, 1, memory_order_release);
	} else {
		if (pl_cl_queue_ordered(command->queue))
			pl_cl_queue_done(command->queue, command->posted);
		pl_cl_ended_all(command->queue->object.server);
		pl_cl_arena_relieve(command->queue->object.server);
	}
	if (command->minted && command->blocking)
		pl_cl_event_give_done(command->minted, command->event_out);
	else if (command->minted)
		pl_cl_event_give(command->minted, command->event_out);
	return CL_SUCCESS;
}

bool pl_cl_command_local(struct pl_cl_command *command, struct pl_cl_mem *mem, cl_int *code_out)
{
	return pl_cl_mem_direct(mem) && pl_cl_command_idle(command, code_out) &&
	       (*code_out || pl_cl_mem_made_surely(mem));
}

bool pl_cl_command_idle(struct pl_cl_command *command, cl_int *code_out)
{
	struct pl_cl_queue *queue = command->queue;

	*code_out = CL_SUCCESS;
	if ((command->event_out && pl_cl_queue_profiles(queue)) ||
	    !pl_cl_waits_done(command->waits_count, command->waits))
		return false;
	if (pl_cl_queue_idle(queue))
		return true;
	if (!command->blocking || !pl_cl_queue_ordered(queue))
		return false;
	*code_out = pl_cl_queue_finish(queue);
	return true;
}

cl_int pl_cl_command_local_end(struct pl_cl_command *command)
{
	struct pl_cl_event *event;

	if (!command->event_out)
		return CL_SUCCESS;
	event = pl_cl_event_local(command->queue, command->op);
	if (!event)
		return CL_OUT_OF_HOST_MEMORY;
	*command->event_out = (cl_event)event;
	return CL_SUCCESS;
}

cl_int pl_cl_command_marker(struct pl_cl_command *command, bool plain)
{
	struct pl_cl_clEnqueueMarkerWithWaitList_args args = {0};
	cl_int code;

	if (plain && !command->event_out && !command->waits_count)
		return CL_SUCCESS;
	code = pl_cl_command_start(command);
	if (code)
		return code;
	args.command_queue = command->queue->object.id;
	args.num_events_in_wait_list = command->waits_count;
	args.given = command->waits ? 1 : 0;
	args.event_wait_list = command->ids.list;
	args.event = command->event_id;
	PL_CL_SEND(command->session, clEnqueueMarkerWithWaitList, &args, plain, code);
	return pl_cl_command_end(command, code);
}

cl_int pl_cl_command_turn(struct pl_cl_command *command)
{
	bool blocking = command->blocking && (command->waits_count || pl_cl_queue_ordered(command->queue));
	cl_event own = NULL, *wanted = command->event_out;
	cl_int code;

	command->blocking = false;
	if (blocking && !wanted)
		command->event_out = &own;
	code = pl_cl_command_marker(command, true);
	if (!code && blocking)
		code = pl_cl_stub_clWaitForEvents(1, command->event_out);
	if (own)
		pl_cl_release(own, PL_CL_KIND_event);
	return code;
}
