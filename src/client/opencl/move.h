/*
 * What reads, writes and maps have in common: how bytes come from the server into the application's memory (a landing),
 * how they go there (a load), and the frame of one transfer command.
 */
#ifndef PL_CL_MOVE_H
#define PL_CL_MOVE_H

#include "client/opencl/box.h"
#include "client/opencl/types.h"

/* ---- landing: where bytes that come are put ---- */

struct pl_cl_landing {
	void *to; /* first byte of the box */
	struct pl_cl_box box;
	uint64_t bytes;
	uint64_t stage;	  /* in the arena, or ~0 = they come with the reply or plReadDone */
	uint64_t token;	  /* 0 = the reply says that they are there */
	bool streamed;	  /* a blocking read takes it from the lane, not from the arena */
	bool mapped;	  /* of a map: the server copies when the driver has mapped, and says so */
	bool stage_owned; /* stage is ours to copy from and to free; else it is the application's memory itself */
	struct pl_cl_landing *sent; /* the copy in the table of tokens */
};

/** pl_cl_landing_start() - decides how the bytes come
 * @plain: the call is valid: room may be taken for it
 * landing->to and ->box are set; sets the rest.  Return: false = no memory. */
bool pl_cl_landing_start(struct pl_cl_landing *landing, struct pl_cl_server *server, bool blocking, bool plain);
/* The call failed, or was not sent. */
void pl_cl_landing_cancel(struct pl_cl_landing *landing, struct pl_cl_server *server);
/* The reply of a blocking call is there, with its data.  Return: 0 or fatal. */
int pl_cl_landing_reply(struct pl_cl_landing *landing, struct pl_cl_server *server, struct pl_reply *reply,
			const struct pl_bulk *data);

/* ---- load: bytes that go ---- */

struct pl_cl_load {
	struct pl_bulk bulk; /* what the arguments hold */
	const void *after;   /* PL_BULK_AFTER: what follows the call */
	void *heap;
	bool owned; /* the extent in the arena is ours to free */
};

enum pl_cl_load_how {
	PL_CL_LOAD_POSTED,   /* the memory may be changed when the call returns */
	PL_CL_LOAD_GATED,    /* posted, and the server lets the command wait for what follows (docs/adr/0009) */
	PL_CL_LOAD_ASKED,    /* the call will be waited for: it may send from the application's memory itself */
	PL_CL_LOAD_STREAMED, /* asked, and rather over the lane than through the arena */
};

/** pl_cl_load_start() - makes the bytes of a box ready to travel with this thread's next call
 * Return: 0 or fatal. */
int pl_cl_load_start(struct pl_cl_load *load, struct pl_session *session, const void *from, const struct pl_cl_box *box,
		     enum pl_cl_load_how how);
/** pl_cl_streams() - does this buffer's data rather go over the lane?
 * Where the device has memory of its own, the worker copies from the lane's ring, which stays in the cache, into
 * memory that the device copies from by itself; the arena would be one more pass over cold memory. */
bool pl_cl_streams(struct pl_cl_mem *mem);
void pl_cl_load_end(struct pl_cl_load *load, struct pl_session *session);
/* Offset of memory that lies in the arena, or PL_ARENA_NONE. */
uint64_t pl_cl_arena_offset(const struct pl_session *session, const void *at, uint64_t bytes);

/* ---- frame of a command ---- */

struct pl_cl_command {
	struct pl_cl_queue *queue;
	struct pl_cl_server *server;
	struct pl_session *session;
	uint16_t op;
	bool blocking;
	cl_event *event_out;
	cl_uint waits_count;
	const cl_event *waits;
	struct pl_cl_ids ids; /* of the waits */
	cl_event minted;
	uint64_t event_id;
	uint64_t posted; /* commands of the queue that were sent before this one */
};

/* Sets the fields from the arguments that all commands have.  Return: 0, or the code (queue not valid). */
static inline cl_int pl_cl_command_init(struct pl_cl_command *command, uint16_t op, cl_command_queue handle,
					bool blocking, cl_uint waits_count, const cl_event *waits, cl_event *event_out)
{
	struct pl_cl_queue *queue = pl_cl_get(handle, PL_CL_KIND_queue);

	if (!queue)
		return CL_INVALID_COMMAND_QUEUE;
	command->queue = queue;
	command->server = queue->object.server;
	command->session = queue->object.session;
	command->op = op;
	command->blocking = blocking;
	command->event_out = event_out;
	command->waits_count = waits_count;
	command->waits = waits;
	command->minted = NULL;
	command->event_id = 0;
	return command->session->dead ? pl_cl_lost() : CL_SUCCESS;
}
/* Queue, object and waits go together. */
bool pl_cl_command_plain(const struct pl_cl_command *command, struct pl_cl_mem *mem);
/* Ids of the waits, and the event if one is wanted.  Return: 0 or a code; each success needs _end. */
cl_int pl_cl_command_start_full(struct pl_cl_command *command);
static inline cl_int pl_cl_command_start(struct pl_cl_command *command)
{
	if (command->waits_count || command->waits || command->event_out || command->blocking)
		return pl_cl_command_start_full(command);
	command->ids.heap = NULL;
	command->ids.list = (struct pl_u64s){NULL, 0};
	return CL_SUCCESS;
}

/* After the call: counts it, gives the event away or drops it.  Return: code. */
cl_int pl_cl_command_end_full(struct pl_cl_command *command, cl_int code);
static inline cl_int pl_cl_command_end(struct pl_cl_command *command, cl_int code)
{
	if (code || command->waits_count || command->minted || command->blocking)
		return pl_cl_command_end_full(command, code);
	atomic_fetch_add_explicit(&command->queue->posted, 1, memory_order_release);
	return CL_SUCCESS;
}

/** pl_cl_command_local() - can the client do it itself, now, on memory that it shares with the device?
 * Waits for the queue where the command blocks anyway.
 * Return: true and *code_out: CL_SUCCESS = yes, do it; else the command failed with this code.  false = no. */
bool pl_cl_command_local(struct pl_cl_command *command, struct pl_cl_mem *mem, cl_int *code_out);
/* The same, for memory that is known to be shared. */
bool pl_cl_command_idle(struct pl_cl_command *command, cl_int *code_out);
/* A marker in place of a command that has nothing to do but to take its turn.  Return: code. */
cl_int pl_cl_command_marker(struct pl_cl_command *command, bool plain);
/* The same, waited for where the command blocks. */
cl_int pl_cl_command_turn(struct pl_cl_command *command);
/* The client did it: event.  Return: code. */
cl_int pl_cl_command_local_end(struct pl_cl_command *command);

/* As PL_CL_POST() and PL_CL_ASK(), with payload behind the call where the load has it so. */
#define PL_CL_POST_LOAD(session, op, args, load)                                                                       \
	({                                                                                                             \
		struct pl_call call_;                                                                                  \
		int sent_ = pl_call_begin(&call_, (session), PL_CL_OP_##op, pl_cl_##op##_bytes(args));                 \
		if (!sent_) {                                                                                          \
			pl_cl_##op##_put(&call_.enc, (args));                                                          \
			sent_ = (load)->after ? pl_call_post_after(&call_, (load)->after, (load)->bulk.bytes)          \
					      : pl_call_post(&call_);                                                  \
		}                                                                                                      \
		sent_;                                                                                                 \
	})
#define PL_CL_ASK_LOAD(session, op, args, load, reply)                                                                 \
	({                                                                                                             \
		struct pl_call call_;                                                                                  \
		int sent_ = pl_call_begin(&call_, (session), PL_CL_OP_##op, pl_cl_##op##_bytes(args));                 \
		if (!sent_) {                                                                                          \
			pl_cl_##op##_put(&call_.enc, (args));                                                          \
			sent_ = (load)->after ? pl_call_ask_after(&call_, (load)->after, (load)->bulk.bytes, (reply))  \
					      : pl_call_ask(&call_, (reply));                                          \
		}                                                                                                      \
		sent_;                                                                                                 \
	})

#endif
