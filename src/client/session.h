/*
 * One client process's connection to one server: lanes (one a thread), tickets, the reverse lane, the arena.
 * Common to all shims.  Sessions live until the process ends; a fork()ed child finds its parent's sessions closed and
 * gets its own on the next pl_session_open() (`epoch` changes: objects of the old epoch are dead).
 * All functions may be called from any thread unless they say otherwise.
 */
#ifndef PL_CLIENT_SESSION_H
#define PL_CLIENT_SESSION_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/arena.h"
#include "link/link.h"
#include "wire/codec.h"
#include "wire/functions.h"
#include "wire/wire.h"

#define PL_SESSION_LANES_MAX 1024 /* limit: client threads that are inside calls at one time */

struct pl_session;

/* A record that came on the reverse lane.  Runs on whichever thread pumps, under the pump lock: quick, no calls to the
 * server; user callbacks are handed to pl_callback_run().  Bulk payload: pl_session_reverse_bulk().  head == NULL: the
 * session is lost, nothing will come any more (once, on the receiver's thread). */
typedef void (*pl_reverse_fn)(struct pl_session *session, const struct pl_wire_head *head, struct pl_dec *dec);

struct pl_session_totals { /* of all sessions and lanes of this process */
	uint64_t asks, posts, bytes_out, bytes_in, wakes, spins, sleeps;
};

struct pl_session {
	char address[PL_LINK_ADDRESS_MAX];
	enum pl_api api;
	const struct pl_functions *functions;
	struct pl_agreement *agreement; /* NULL: the server's numbers are ours; else agree.h */
	_Atomic uint8_t refusals_said[PL_FUNCTION_OP_MAX / 8 + 1]; /* a bit for each function that was refused */
	pl_reverse_fn reverse_fn;

	_Atomic bool dead;       /* the link broke or the worker died; calls fail at once */
	_Atomic uint32_t epoch;  /* changes when the session is made anew (fork) */
	_Atomic uint64_t ticket; /* last one given */
	_Atomic uint64_t frees;  /* calls outside the order; what the program did before one is seen after an answer */
	uint64_t id;
	uint8_t secret[16];
	uint64_t memory_bytes; /* device memory that the server lets this session hold */
	bool shares_memory;    /* link and arena: PL_BULK_ARENA may be used */
	bool in_region;        /* of ivshmem: the memory of lanes is taken from the arena */
	bool takes_more;       /* its server knows of lanes with several connections */
	uint64_t grace_ns;     /* so long one waits for the other when connections are cut */
	bool keeps;            /* its server can stop and come back with it */
	struct pl_arena arena;

	pthread_mutex_t lock; /* set-up and the lane lists below */
	struct pl_client_lane *lanes_free;
	struct pl_client_lane *_Atomic lanes_all; /* read without the lock, too */
	uint32_t lanes_count;

	struct pl_lane *reverse; /* under pump_lock */
	pthread_mutex_t pump_lock;
	_Atomic uint64_t reverse_seen; /* records of the reverse lane handled so far */
	_Atomic uint64_t parted;       /* requests for a pause among so many of them are over */
	pthread_t receiver;
	_Atomic uint64_t ids_last; /* object ids given out so far */
	bool closed;               /* under lock: fork() left this session to the parent; open it anew */
	bool left;                 /* under sessions_lock: pl_session_leave() */
	_Atomic uint64_t asks;     /* of all tickets; the others were posts */
	_Atomic bool places;       /* with `idle`: the server receives payload where it belongs */
	_Atomic uint64_t idle;     /* all up to this ticket has ended, as the server said (PL_WIRE_REPLY_IDLE) */
	/* Called before each call is begun, where it is set: it may post others of this thread.  Not between payload
	 * that is sent ahead and its call, but before it, with op 0.  Return: the device may work for it. */
	bool (*_Atomic before)(struct pl_session *session, uint16_t op);
	_Atomic uint64_t worked; /* ticket of the last call that it said so of; of any from before it was set */
	_Atomic uint64_t pages;  /* ticket that a shim's calls outside the order are yet to come behind; 0: none */
	_Atomic uint64_t ends;   /* answers and the like that may have told the program that something has ended */
	struct {
		pthread_mutex_t lock;
		pthread_cond_t some;
		bool wanted, runs;
	} again; /* the thread that connects again */
	struct pl_session *next;
};

/** pl_session_open() - the session with a server, made on first use
 * @functions: what this client calls; of static life
 * Return: 0 and *session_out (never freed); PL_HELLO_E_* > 0: refused; fatal -errno: not reachable, or dead. */
int pl_session_open(const char *address, enum pl_api api, const struct pl_functions *functions,
		    pl_reverse_fn reverse_fn, struct pl_session **session_out);

/** pl_session_leave() - the next pl_session_open() of this address makes another session
 * For a shim whose objects outlive a lost session.  Calls on this one go on failing; it is never freed, and its
 * descriptors stay open. */
void pl_session_leave(struct pl_session *session);

void pl_session_totals_get(struct pl_session_totals *totals_out);

/* ---- calls ---- */

struct pl_call {
	struct pl_session *session;
	struct pl_client_lane *lane;
	struct pl_enc enc; /* write the arguments here */
	uint8_t *room;
	bool works; /* as session->before said */
	uint32_t len_bytes;
	uint64_t ticket; /* once it is sent */
};

struct pl_reply {
	int32_t status;      /* the API's result */
	uint32_t flags;      /* enum pl_wire_reply_flag */
	uint64_t after;      /* records of the reverse lane that come before it */
	struct pl_dec dec;   /* the reply's own fields; borrowed until this thread's next call */
	uint64_t bulk_bytes; /* payload that still waits on the lane: pl_call_bulk() */
	uint64_t idle;       /* ticket up to which all has ended once that has come; 0: nothing is said of it */
	struct pl_client_lane *lane;
};

/* Where it is set: called in a thread that ends, when its lanes serve others.  The thread may call again: destructors
 * of the program's run later. */
extern void (*_Atomic pl_client_thread_left)(void);

/** pl_call_begin() - room for a call on this thread's lane
 * @body_bytes: exact bytes of the encoded arguments (pl_cl_<function>_bytes())
 * Every successful begin is followed by pl_call_post() or pl_call_ask() on the same thread.
 * Return: 0, or fatal -errno (session dead, too many threads, record too large: -EMSGSIZE; -ENOSYS: the server, of
 * another release, does not have this function). */
int pl_call_begin(struct pl_call *call, struct pl_session *session, uint16_t op, uint64_t body_bytes);
/* Sends; nothing comes back.  Return: 0 or fatal. */
int pl_call_post(struct pl_call *call);
/* As pl_call_post(), outside the session's order: it waits for nothing that was sent before. */
int pl_call_post_free(struct pl_call *call);
/* Sends and waits.  When it returns 0 everything that the server pushed before the reply has been taken. */
int pl_call_ask(struct pl_call *call, struct pl_reply *reply_out);
/* As well, but it takes nothing that the server pushed: of a thread that whoever takes that may wait for. */
int pl_call_ask_alone(struct pl_call *call, struct pl_reply *reply_out);
/* As pl_call_ask_alone(), outside the session's order, as pl_call_post_free() is. */
int pl_call_ask_free(struct pl_call *call, struct pl_reply *reply_out);
/* Whether somebody has taken what was pushed before the reply. */
bool pl_call_is_whole(const struct pl_call *call, struct pl_reply *reply);
/* The two halves of pl_call_ask(): a thread may send a second ask before it waits for the first, and waits in the order
 * of sending.  Each that was sent without a fault is waited for. */
int pl_call_ask_send(struct pl_call *call);
int pl_call_ask_wait(struct pl_call *call, struct pl_reply *reply_out);
/* From now on this thread's calls of these functions, posted or asked, are outside their session's order, as those of
 * pl_call_post_free().  Before the thread's first call; the server has to allow it. */
void pl_session_thread_outside(bool (*op_outside)(uint16_t op));
/* While nothing is under way the server receives payload that follows its call where it belongs. */
static inline bool pl_session_places(const struct pl_session *session)
{
	return atomic_load_explicit(&session->places, memory_order_relaxed);
}
/* Nothing that was sent is under way, and nothing of it failed. */
static inline bool pl_session_is_idle(const struct pl_session *session)
{
	uint64_t ticket = atomic_load_explicit(&session->ticket, memory_order_acquire);

	return ticket && ticket == atomic_load_explicit(&session->idle, memory_order_relaxed) &&
	       !atomic_load_explicit(&session->dead, memory_order_relaxed);
}
/* The ticket of the last answer that this thread got; 0: none, or not known. */
uint64_t pl_session_answered(const struct pl_session *session);
/* Of what this thread has sent in the session's order: whether the server has taken all of it, as far as is known. */
enum pl_thread_owed {
	PL_THREAD_OWED_NOTHING,
	PL_THREAD_OWED_POSTS,
	PL_THREAD_OWED_ANSWERS, /* it has yet to wait for some: nothing else can be asked */
};
enum pl_thread_owed pl_session_thread_owed(const struct pl_session *session);
/* As pl_call_post(), with payload that follows the call (PL_BULK_AFTER).  After return it may be changed. */
int pl_call_post_after(struct pl_call *call, const void *data, uint64_t bytes);
/* As pl_call_ask(), with payload that follows the call (PL_BULK_AFTER). */
int pl_call_ask_after(struct pl_call *call, const void *data, uint64_t bytes, struct pl_reply *reply_out);
/* Takes payload of the reply into the caller's memory, in parts if wanted; call until bulk_bytes is 0. */
int pl_call_bulk(struct pl_reply *reply, void *data, uint64_t bytes);

/* ---- bulk arguments ---- */

/** pl_bulk_prepare() - make `bytes` at `data` ready to be sent with the next call of this thread
 * Small data goes into the record; on shared memory larger data is copied into an arena extent (release it with
 * pl_bulk_done() after the call: it is reused when the commands that use it have ended); else it is sent ahead of the
 * call straight from `data`.  After return, and the call's post or ask, `data` may be changed.
 * Return: 0 or fatal. */
int pl_bulk_prepare(struct pl_session *session, struct pl_bulk *bulk_out, const void *data, uint64_t bytes);
void pl_bulk_done(struct pl_session *session, struct pl_bulk *bulk);
/* As well, when the call has been answered and no command that it began uses the data: the extent is free at once. */
void pl_bulk_taken(struct pl_session *session, struct pl_bulk *bulk);

/* ---- the reverse lane ---- */

/* Takes what has come without waiting for more; cheap when there is nothing (or somebody else is at it). */
void pl_session_pump(struct pl_session *session);
/* As well, and what somebody else is at has been handled, too. */
void pl_session_pump_whole(struct pl_session *session);
/* From a pl_reverse_fn: the payload of the record at hand. */
int pl_session_reverse_bulk(struct pl_session *session, void *data, uint64_t bytes);

/* ---- ids and callbacks ---- */

/* Ids that the client mints: never reused within a session, 0 is never given. */
uint64_t pl_session_id_mint(struct pl_session *session);
/* Runs fn(arg) on the callback thread, in the order of the calls; never on the caller's thread. */
bool pl_callback_run(void (*fn)(void *arg), void *arg); /* false = no memory: it is lost */
bool pl_callback_here(void);                            /* this is the thread that runs them */

#endif
