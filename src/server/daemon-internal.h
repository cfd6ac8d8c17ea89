/* Between the files of the daemon; daemon.h is for everybody else.  Everything here belongs to the daemon's thread. */
#ifndef PL_SERVER_DAEMON_INTERNAL_H
#define PL_SERVER_DAEMON_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "server/checkpoints.h"
#include "server/daemon.h"
#include "server/drain.h"
#include "server/folder.h"
#include "server/hand.h"
#include "server/listener.h"
#include "server/loop.h"
#include "server/pool.h"
#include "server/swapper.h"
#include "server/worker.h"

#define PL_CONTROL_REQUEST_MAX 4096 /* limit: bytes of one request line */
#define PL_CONTROL_ANSWER_MS   5000 /* limit: from the end of the greeting to the end of the answer */
#define PL_CONTROL_COUNT_MS    200  /* workers that do not report their counters by then are shown as last known */

/* Why a greeting was refused: an enum pl_hello_status, or */
enum pl_refused {
	PL_REFUSED_DRAINING = PL_HELLO_OK,
	PL_REFUSED_KINDS = PL_HELLO_E_INTERNAL + 1,
};

/* ---- connections: from accept to the hand-over ---- */

enum pl_conn_state {
	PL_CONN_GREETING, /* its hello is not whole yet */
	PL_CONN_WAITING,  /* for a worker */
	PL_CONN_REQUEST,  /* control: its line is not whole yet */
	PL_CONN_COUNTING, /* control: until the workers have written their counters */
	PL_CONN_ANSWER,   /* control: until it has read all */
};

struct pl_conn {
	struct pl_source source;
	struct pl_daemon *daemon;
	struct pl_conn *next, *prev;       /* oldest first */
	enum pl_conn_state state;
	uint64_t deadline_ns;
	bool local;
	uid_t uid;                         /* local: the peer's */
	pid_t pid;
	uint32_t listener;                 /* place in daemon->listeners */
	struct pl_region *region;          /* its listener's */
	bool in_region;                    /* it has shown that it sees that */
	uint32_t api;                      /* WAITING: place in options->apis */
	struct pl_hello hello;
	uint32_t hello_bytes;              /* so far */
	bool knocked;                      /* another server, whose second hello is awaited */
	bool handed, handed_alone;         /* by a successor: its session is ours; nobody's */
	char *text;                        /* control: request, then answer; owned */
	struct json_object *answer;        /* COUNTING: what is said then, owned; NULL: the sessions */
	size_t text_bytes, text_sent;
};

struct pl_conns {
	struct pl_conn *first, *last;
	uint32_t half_open, waiting;       /* how many are in these states; half open: all but WAITING */
};

void pl_conns_accept(struct pl_daemon *daemon, struct pl_listener *listener);
/* A connection whose greeting a successor has read (drain.h).  Takes over fd. */
void pl_conns_adopt(struct pl_daemon *daemon, int fd, const struct pl_handed *handed);
/* Ends those whose time is over.  Return: when the next one's is; UINT64_MAX = never. */
uint64_t pl_conns_expire(struct pl_daemon *daemon, uint64_t now_ns);
struct pl_conn *pl_conns_waiting(struct pl_daemon *daemon, uint32_t api); /* the oldest, or NULL */
void pl_conn_state_set(struct pl_conn *conn, enum pl_conn_state state, uint64_t ms_max, uint32_t events);
void pl_conn_close(struct pl_conn *conn);
void pl_conn_refuse_draining(struct pl_conn *conn);
void pl_conn_refuse(struct pl_conn *conn, enum pl_hello_status status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* ---- control: control.c ---- */

void pl_control_start(struct pl_conn *conn);
void pl_control_ready(struct pl_conn *conn, uint32_t events); /* the connection has news */
void pl_control_counted(struct pl_daemon *daemon);            /* all workers have, or the time is over */

/* ---- connections to other servers: dial.c ---- */

struct pl_dials {
	struct {
		pid_t pid, worker; /* 0 = free */
	} at[PL_DAEMON_DIALS_MAX];
};

/* For a worker, which may not connect itself: a child does, and answers it. */
void pl_dial_start(struct pl_daemon *daemon, const struct pl_pool_worker *worker, const struct pl_hand *request);
void pl_dial_reaped(struct pl_daemon *daemon, pid_t pid); /* any child */

/* ---- what sessions give to each other: shares.c ---- */

struct pl_share;

/* PUT, DROP or TAKE of a worker; others are passed over.  Takes *fd (sets it to -1) where it keeps it. */
void pl_shares_handle(struct pl_daemon *daemon, const struct pl_pool_worker *worker, const struct pl_hand *hand,
		      int *fd);
void pl_shares_forget(struct pl_daemon *daemon, uint64_t session); /* it has ended */
void pl_shares_fini(struct pl_daemon *daemon);

/* ---- what is kept for sessions to come: keeper.c ---- */

struct pl_kept;

struct pl_keeper {
	struct pl_kept *entries;           /* PL_DAEMON_KEPT_MAX; NULL until there is one */
	uint32_t count;
	uint64_t bytes, uses;
	uint64_t found, missed, spoilt;
};

/* KEEP, FIND or SPOILT of a worker; others are passed over.  Takes *fd (sets it to -1) where it keeps it. */
void pl_keeper_handle(struct pl_daemon *daemon, const struct pl_pool_worker *worker, const struct pl_hand *hand,
		      int *fd);
void pl_keeper_fini(struct pl_daemon *daemon);

/* ---- the daemon ---- */

/* In memory that a forked worker finds empty. */
struct pl_secrets {
	char token[PL_TOKEN_MAX];          /* zero-padded; "" = none */
	struct {
		uint8_t secret[16], peer_key[16];
	} sessions[];                      /* by slot */
};

struct pl_daemon {
	const struct pl_daemon_options *options;
	struct pl_loop loop;
	struct pl_source signals;
	struct pl_listener listeners[PL_DAEMON_LISTENERS_MAX];
	uint32_t listeners_count;
	int spare_fd;                      /* closed to make room for one refusal when there are no more */
	int ready_fd;
	bool stopping;
	struct pl_drain drain;
	uint64_t started_ns;
	struct pl_conns conns;
	struct pl_pool pool;
	struct pl_dials dials;
	struct pl_share *shares;           /* PL_DAEMON_SHARES_MAX; NULL until there is one */
	uint32_t shares_top;               /* how many were ever in use */
	struct pl_keeper keeper;
	struct pl_swapper swapper;
	struct pl_checkpoints checkpoints;
	struct pl_folder folder;           /* of the workers */
	struct pl_confine confine;         /* of the workers */
	struct pl_secrets *secrets;
	size_t secrets_bytes;
	uint64_t refused[PL_REFUSED_KINDS]; /* greetings */
};

/* Tells who waits for it once each API has a usable worker, or turned out to have none. */
void pl_daemon_ready(struct pl_daemon *daemon);
uint32_t pl_daemon_apis(const struct pl_daemon *daemon); /* how many there are */

#endif
