/* Between the files of the daemon; daemon.h is for everybody else.  Everything here belongs to the daemon's thread. */
#ifndef PL_SERVER_DAEMON_INTERNAL_H
#define PL_SERVER_DAEMON_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "server/daemon.h"
#include "server/drain.h"
#include "server/folder.h"
#include "server/hand.h"
#include "server/listener.h"
#include "server/loop.h"
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

#define PL_AUDIT_ADDRESS_MAX 64 /* limit: bytes of a client's address, for people */

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

/* ---- workers as the daemon sees them: pool.c ---- */

/* Whose connection it is, as far as the kernel says: a user, a guest or an address. */
struct pl_peer_name {
	uint32_t listener, family, number; /* number: user or guest; each listener has its own */
	uint8_t address[16];
};

enum pl_pool_phase {
	PL_POOL_STARTING, /* loads its driver */
	PL_POOL_READY,
	PL_POOL_SERVING,
	PL_POOL_BROKEN,   /* was told to end */
};

struct pl_pool_worker {
	struct pl_source source;           /* our end of the socket pair */
	struct pl_daemon *daemon;
	struct pl_pool_worker *next, *prev;
	pid_t pid;
	enum pl_pool_phase phase;
	uint32_t api;                      /* place in options->apis: what its driver is */
	uint64_t since_ns;                 /* of this phase */
	uint32_t slot;                     /* of its secret */
	struct pl_worker_shared *shared;
	bool deaf;                         /* its end of the socket pair is closed */
	bool reaped;                       /* its pid may belong to somebody else now */
	uint32_t counting;                 /* answers to PL_HAND_COUNT that it owes */
	uint64_t session;
	bool local;
	uid_t uid;                         /* of the client, local only */
	char address[PL_AUDIT_ADDRESS_MAX]; /* of the client */
	char program[sizeof(((struct pl_hello *)0)->program)];
	uint32_t client_pid;               /* as the kernel, or else the client says */
	uint64_t began_ns;                 /* the session */
	const char *why;                   /* it was killed, one word; NULL = it was not */
	uint64_t limits[PL_QUOTA_KINDS];   /* of its session */
	struct pl_peer_name name;          /* of the client, for what is kept; those of one name share that */
	struct pl_region *region;          /* a part of it is the session's; NULL = none */
	uint64_t region_offset, region_bytes;
	uint64_t boot;                     /* of the guest, as its client says; with a region only */
	struct pl_swap_books swap;
	char reason[PL_HAND_TEXT_MAX];     /* why it did not start */
};

struct pl_pool_api {
	uint32_t starting, ready;
	uint32_t waiting;                  /* connections that wait for a worker */
	uint32_t failures;                 /* starts that failed one after the other */
	uint64_t retry_ns;                 /* no start before that */
	uint64_t progress_ns;              /* when a worker became ready last */
	char reason[PL_HAND_TEXT_MAX];     /* of the last failure */
};

struct pl_pool {
	struct pl_pool_worker *first, *last;
	struct pl_pool_api apis[PL_DAEMON_APIS_MAX];
	uint32_t serving, broken;
	bool *slots;                       /* in use */
	uint32_t slots_count;
	uint32_t counting;                 /* answers to PL_HAND_COUNT that workers owe */
	uint64_t sessions_made, crashes;
};

int pl_pool_init(struct pl_daemon *daemon);
void pl_pool_fini(struct pl_daemon *daemon);      /* all workers have ended */
/* Starts what is missing, gives sessions to who is ready.  Return: when to call again; UINT64_MAX = after the next
 * event. */
uint64_t pl_pool_settle(struct pl_daemon *daemon, uint64_t now_ns);
void pl_pool_reap(struct pl_daemon *daemon);      /* SIGCHLD */
void pl_pool_stop(struct pl_daemon *daemon, int sig);
void pl_pool_count(struct pl_daemon *daemon, struct pl_pool_worker *one); /* NULL: all; pl_control_counted() follows */
struct pl_pool_worker *pl_pool_find(struct pl_daemon *daemon, uint64_t session);
/* why: one word for the log; the first one is told. */
void pl_pool_kill(struct pl_pool_worker *worker, const char *why);
/* The guest has started anew: what an earlier boot of it left behind ends. */
void pl_pool_guest_booted(struct pl_daemon *daemon, const struct pl_region *region, uint64_t boot);
/* Of its session; 16 bytes each. */
const uint8_t *pl_pool_secret(const struct pl_pool_worker *worker);
const uint8_t *pl_pool_peer_key(const struct pl_pool_worker *worker);

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
