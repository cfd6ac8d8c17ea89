/*
 * One session in its worker: lanes, turns, the table of handles, the reverse lane.  Common to all backends.
 * Each lane has a thread.  Calls run in ticket order (pl_serve takes the turn before it decodes); a handler that may
 * block gives its turn up with pl_serve_give_turn() first, so that one client thread that waits never stops another.
 */
#ifndef PL_SERVER_SERVE_H
#define PL_SERVER_SERVE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "link/link.h"
#include "server/checkpoint.h"
#include "server/handles.h"
#include "server/peer.h"
#include "server/quota.h"
#include "server/swap.h"
#include "server/turn.h"
#include "wire/codec.h"
#include "wire/functions.h"
#include "wire/wire.h"

#define PL_SERVE_LANES_MAX  1024         /* limit: lanes of one session */
#define PL_SERVE_STREAM_MAX (1ull << 30) /* limit: bulk that one lane may have sent ahead of its call, bytes */

struct pl_serve;
struct pl_session_worker;

/* What an API's backend gives to the session.  `state` is what open() made. */
struct pl_backend_ops {
	const char *name;
	enum pl_api api;
	const struct pl_functions *functions;
	int32_t status_internal; /* the API's code for a fault of ours: a handler that did not reply */
	/* Loads the driver and makes the backend's state: may take long, runs before a client is there. */
	int (*open)(void **state_out, const char *library);
	/* A session starts. */
	int (*session)(void *state, struct pl_session_worker *session);
	/* Runs one call.  The decoder stands at the first argument.  Must reply to asks with pl_serve_reply*(). */
	void (*call)(struct pl_serve *serve);
	/* An ask is about to be answered; what is pushed now comes before the answer.  NULL: nothing is. */
	void (*replying)(struct pl_serve *serve);
	/* May this op come outside the session's order?  Its handler then runs without the turn.  NULL: none may. */
	bool (*runs_free)(uint16_t op);
	/* Of those: it uses memory that can move (swap.h); others may be what the device waits for.  NULL: none. */
	bool (*uses_memory)(uint16_t op);
	/* Serves a lane of another server's worker until it breaks; on a thread of its own.  NULL: no such lanes. */
	void (*peer)(struct pl_session_worker *session, struct pl_lane *lane);
	const struct pl_swap_ops *swap; /* NULL: it can not move its memory */
	const struct pl_checkpoint_ops *checkpoint; /* NULL: its sessions can not be written down */
	/* For messages: name of an op, or NULL. */
	const char *(*op_name)(uint16_t op);
};

/* Shared with the daemon (anonymous shared memory made before the fork): for ps and stats.  Written by the worker. */
struct pl_worker_shared {
	_Atomic uint64_t asks, posts, refused;
	_Atomic uint64_t bytes_in, bytes_out, wakes, spins, sleeps;
	_Atomic uint64_t memory_bytes, memory_peak_bytes, host_bytes, inflight_bytes, objects, lanes;
	_Atomic uint64_t peer_bytes; /* to and from other servers */
	_Atomic uint64_t resumed;    /* connections that came in place of others */
	_Atomic uint64_t cut_ns;     /* since when the session has no connection; 0 = it has */
	_Atomic uint64_t used_ns;    /* pl_now_ns(), about, of its last call; where memory is oversubscribed */
	_Atomic uint64_t swapped_bytes, swap_out_bytes, swap_in_bytes; /* now in host memory; went there, came back */
	_Atomic uint64_t started_ns; /* pl_now_ns() when the session began; 0 = spare */
	char program[64];
	uint32_t client_pid;
};

struct pl_session_worker {
	const struct pl_backend_ops *backend;
	void *state; /* the backend's */
	uint64_t id;
	struct pl_turn turn;
	struct pl_handles handles; /* under the turn, unless handles.h says otherwise */
	struct pl_quota quota;
	uint8_t *arena; /* NULL = none */
	uint64_t arena_bytes;
	int arena_fd;
	uint64_t arena_start; /* where the arena lies in arena_fd's file; not 0: a guest's region */
	struct pl_lane *reverse;
	pthread_mutex_t reverse_lock;  /* sending on `reverse` */
	uint32_t reverse_len_bytes;    /* of the record begun; under reverse_lock */
	_Atomic uint64_t reverse_sent; /* records sent so far */
	_Atomic uint32_t lanes_count;
	_Atomic uint32_t later_sleepers; /* futex: lanes that wait for a pl_serve_answer() */
	struct pl_worker_shared *shared;
	struct pl_peers peers;
	struct pl_swap swap;
	struct pl_checkpoint *checkpoint; /* NULL: the session can not be written down */
	bool here;  /* the client is another process of this machine, over a socket */
	bool keeps; /* the daemon keeps content for sessions to come (kept.h) */
	void *api;  /* the backend's state of this session */
};

/* The answer to an ask that whoever completes it will give; one a lane, as its client waits for it. */
struct pl_serve_later {
	uint64_t ticket;
	uint16_t op;
	_Atomic uint32_t pending; /* the sending half of the lane is the answerer's */
};

/* One lane's call at hand: owned by the lane's thread. */
struct pl_serve {
	struct pl_session_worker *session;
	struct pl_lane *lane;
	const struct pl_wire_head *head;
	struct pl_dec dec;
	bool turn_held, replied, asked;
	void *stream; /* payload of the last PL_WIRE_BULK record */
	uint64_t stream_bytes, stream_room_bytes;
	uint64_t after_left_bytes; /* of PL_BULK_AFTER payload, not yet taken */
	struct pl_enc reply_enc;   /* between pl_serve_reply_begin() and _end() */
	void *reply_room;
	uint32_t reply_len_bytes, reply_flags; /* reply_flags: a handler's own, PL_WIRE_REPLY_IDLE */
	bool reply_bulk;
	struct pl_serve_later later;
	struct pl_checkpoint_lane kept;
};

/* ---- for handlers ---- */

/* Others may go on; idempotent.  Afterwards no access to session->handles without pl_handles_lock(). */
void pl_serve_give_turn(struct pl_serve *serve);

/* A reply without fields; does nothing for posts, except that a failure is logged. */
void pl_serve_reply(struct pl_serve *serve, int32_t status);
/* A reply whose status is a late error of an earlier posted call. */
void pl_serve_reply_late(struct pl_serve *serve, int32_t status);
/* The call can not be decoded or is unknown: reply with the API's code and PL_WIRE_REPLY_REFUSED. */
void pl_serve_refuse(struct pl_serve *serve, int32_t status);

/** pl_serve_defer() - the call at hand will be answered by pl_serve_answer()
 * The handler returns without a reply, and the lane goes back to its client; nothing of the call is left but
 * serve itself.  Only for asks, after the turn was given up. */
void pl_serve_defer(struct pl_serve *serve);
/* The answer to a deferred call, once, by any thread: as pl_serve_reply().  serve may not be used afterwards. */
void pl_serve_answer(struct pl_serve *serve, int32_t status);

/** pl_serve_reply_begin() - a reply with fields: write exactly body_bytes to serve->reply_enc, then _end()
 * @bulk_bytes: payload that follows with pl_serve_reply_bulk(), in parts if wanted, after _end()
 * Return: 0; fatal: lane broken (the handler just returns). */
int pl_serve_reply_begin(struct pl_serve *serve, int32_t status, uint64_t body_bytes, uint64_t bulk_bytes);
int pl_serve_reply_end(struct pl_serve *serve);
int pl_serve_reply_bulk(struct pl_serve *serve, const void *data, uint64_t bytes);

/* PL_BULK_AFTER payload into the handler's memory. */
int pl_serve_take_bulk(struct pl_serve *serve, void *data, uint64_t bytes);
/* PL_BULK_STREAM payload: the handler keeps the memory and free()s it later (a command still reads it). */
void *pl_serve_steal_stream(struct pl_serve *serve);

/** pl_reverse_begin() - a record on the reverse lane; takes reverse_lock until pl_reverse_end()
 * Any thread.  Return: 0, or fatal (lock not held). */
int pl_reverse_begin(struct pl_session_worker *session, uint16_t op, uint64_t body_bytes, uint64_t bulk_bytes,
		     struct pl_enc *enc_out);
int pl_reverse_end(struct pl_session_worker *session, const void *bulk, uint64_t bulk_bytes);

/* ---- for the worker's main ---- */

/* Serves one lane until it breaks; runs on the lane's own thread.  The caller destroys the lane.
 * note: of a lane that was written down in another worker (checkpoint.h); NULL: it is new.
 * Return: -EPIPE: the client closed it; else the session can not go on (-EPROTO: the client broke the rules, its order
 * has a gap now) and the worker should end. */
int pl_serve_lane(struct pl_session_worker *session, struct pl_lane *lane, const uint64_t *note);

#endif
