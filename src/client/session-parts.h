/* What session.c, call.c and reverse.c share of a session; for nobody else. */
#ifndef PL_CLIENT_SESSION_PARTS_H
#define PL_CLIENT_SESSION_PARTS_H

#include "client/session.h"

struct pl_client_lane {
	struct pl_lane *lane;
	struct pl_session *session;
	uint32_t epoch;
	uint64_t number;                  /* in this session, from 2; PL_HELLO_MORE */
	uint64_t answered;                /* ticket of the last answer that came */
	uint64_t sent, taken;             /* of its last call; of the last one that is known to have been taken */
	uint32_t asks_out;                /* asks that were sent and not yet waited for */
	bool (*outside)(uint16_t op);     /* its thread's; pl_session_thread_outside() */
	bool ahead;                       /* payload of the next call has been sent; only its own thread looks */
	struct pl_client_lane *next;      /* session->lanes_free */
	struct pl_client_lane *next_all;  /* session->lanes_all; lanes live as long as the session's epoch */
	struct pl_client_lane *next_mine; /* this thread's, one a session */
};

/* Few bytes, so a library that is loaded late finds room for them too. */
#define PL_CLIENT_HOT_TLS __attribute__((tls_model("initial-exec")))

/* The lane that this thread used last, of any session. */
extern __thread struct pl_client_lane *pl_client_lane_last PL_CLIENT_HOT_TLS;

/* NULL: not known yet, or the session is dead. */
static inline struct pl_client_lane *pl_client_lane_known(const struct pl_session *session)
{
	struct pl_client_lane *lane = pl_client_lane_last;
	bool known = lane && lane->session == session &&
		     lane->epoch == atomic_load_explicit(&session->epoch, memory_order_relaxed) &&
		     !atomic_load_explicit(&session->dead, memory_order_relaxed);

	return __builtin_expect(known, 1) ? lane : NULL;
}

/* This thread's lane, dialled with its first call on this session.  Return: 0; fatal -EPIPE: the session is dead; or
 * -errno of the dialling. */
int pl_client_lane_of_thread(struct pl_session *session, struct pl_client_lane **lane_out);

/* The session is over for everybody.  Return: r, for the caller to pass on. */
int pl_session_dies(struct pl_session *session, int r);

/* A lane of this session over tcp may get more connections, by itself or as the user has chosen. */
void pl_client_lane_widens(const struct pl_session *session, struct pl_lane *lane);

/* Adds those that it wants.  By who may use both of its halves, between payloads.  What can not be added is done
 * without. */
void pl_client_lane_widen(struct pl_session *session, struct pl_lane *lane, uint64_t number);

/* This lane outlives its connection, if the server waits for it and the link can.  Before anything goes over it. */
void pl_client_lane_outlives(struct pl_session *session, struct pl_lane *lane);
/* The server has answered for a connection: what it had asked for before that is about others. */
void pl_client_parted(struct pl_session *session, const struct pl_hello_reply *reply);
/* A lane could not be dialled, for this reason, with tries since then: it may be that the server is about to come back.
 * Sleeps for a moment then.  Return: try again. */
bool pl_client_dials_again(struct pl_session *session, int r, uint64_t since_ns);
/* Of a new session, or one that fork() has left; no other thread has it. */
void pl_client_again_init(struct pl_session *session);

/* Waits until `after` records of the reverse lane have been handled, by this thread or another.  Return: 0 or fatal:
 * the session is dead. */
int pl_session_pump_until(struct pl_session *session, uint64_t after);

/* The receiver's thread: takes what comes until the session is dead, and tells the shim so.  arg: the session. */
void *pl_session_receiver_run(void *arg);

#endif
