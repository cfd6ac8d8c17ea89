/* Workers as the daemon sees them (pool.c).  Everything here belongs to the daemon's thread. */
#ifndef PL_SERVER_POOL_H
#define PL_SERVER_POOL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "server/checkpoints.h"
#include "server/daemon.h"
#include "server/hand.h"
#include "server/loop.h"
#include "server/swapper.h"

#define PL_AUDIT_ADDRESS_MAX 64 /* limit: bytes of a client's address, for people */

struct pl_daemon;
struct pl_region;

/* Whose connection it is, as far as the kernel says: a user, a guest or an address. */
struct pl_peer_name {
	uint32_t listener, family, number; /* number: user or guest; each listener has its own */
	uint8_t address[16];
};

enum pl_pool_phase {
	PL_POOL_STARTING, /* loads its driver */
	PL_POOL_READY,
	PL_POOL_SERVING,
	PL_POOL_BROKEN, /* was told to end */
};

struct pl_pool_worker {
	struct pl_source source; /* our end of the socket pair */
	struct pl_daemon *daemon;
	struct pl_pool_worker *next, *prev;
	pid_t pid;
	enum pl_pool_phase phase;
	uint32_t api;      /* place in options->apis: what its driver is */
	uint64_t since_ns; /* of this phase */
	uint32_t slot;     /* of its secret */
	struct pl_worker_shared *shared;
	bool deaf;         /* its end of the socket pair is closed */
	bool reaped;       /* its pid may belong to somebody else now */
	uint32_t counting; /* answers to PL_HAND_COUNT that it owes */
	uint64_t session;
	bool local;
	uid_t uid;                          /* of the client, local only */
	char address[PL_AUDIT_ADDRESS_MAX]; /* of the client */
	char program[sizeof(((struct pl_hello *)0)->program)];
	uint32_t client_pid;             /* as the kernel, or else the client says */
	uint64_t began_ns;               /* the session */
	const char *why;                 /* it was killed, one word; NULL = it was not */
	uint64_t limits[PL_QUOTA_KINDS]; /* of its session */
	struct pl_peer_name name;        /* of the client, for what is kept; those of one name share that */
	struct pl_region *region;        /* a part of it is the session's; NULL = none */
	uint64_t region_offset, region_bytes;
	uint64_t boot; /* of the guest, as its client says; with a region only */
	struct pl_swap_books swap;
	struct pl_checkpoint_want checkpoint;
	struct pl_pool_worker *trial_of; /* it only tries whether that one's file can be read; NULL = it does not */
	char reason[PL_HAND_TEXT_MAX];   /* why it did not start */
};

struct pl_pool_api {
	uint32_t starting, ready;
	uint32_t waiting;              /* connections that wait for a worker */
	uint32_t failures;             /* starts that failed one after the other */
	uint64_t retry_ns;             /* no start before that */
	uint64_t progress_ns;          /* when a worker became ready last */
	char reason[PL_HAND_TEXT_MAX]; /* of the last failure */
};

struct pl_pool {
	struct pl_pool_worker *first, *last;
	struct pl_pool_api apis[PL_DAEMON_APIS_MAX];
	uint32_t serving, broken;
	bool *slots; /* in use */
	uint32_t slots_count;
	uint32_t counting; /* answers to PL_HAND_COUNT that workers owe */
	uint64_t sessions_made, crashes;
};

int pl_pool_init(struct pl_daemon *daemon);
void pl_pool_fini(struct pl_daemon *daemon); /* all workers have ended */
/* Starts what is missing, gives sessions to who is ready.  Return: when to call again; UINT64_MAX = after the next
 * event. */
uint64_t pl_pool_settle(struct pl_daemon *daemon, uint64_t now_ns);
void pl_pool_reap(struct pl_daemon *daemon); /* SIGCHLD */
void pl_pool_stop(struct pl_daemon *daemon, int sig);
void pl_pool_count(struct pl_daemon *daemon, struct pl_pool_worker *one); /* NULL: all; pl_control_counted() follows */
struct pl_pool_worker *pl_pool_find(struct pl_daemon *daemon, uint64_t session);
/* why: one word for the log; the first one is told. */
void pl_pool_kill(struct pl_pool_worker *worker, const char *why);
/* It serves nobody any more, and is to be killed later. */
void pl_pool_leaves(struct pl_pool_worker *worker, const char *why);
/* One that has no session yet; NULL = none is ready. */
struct pl_pool_worker *pl_pool_ready(struct pl_daemon *daemon, uint32_t api);
/* It was given a session that was written down; limits, address and name are set by the caller. */
void pl_pool_restored(struct pl_pool_worker *worker, uint64_t session, const uint8_t secret[16],
		      const uint8_t peer_key[16], const char *program, uint32_t client_pid);
/* The guest has started anew: what an earlier boot of it left behind ends. */
void pl_pool_guest_booted(struct pl_daemon *daemon, const struct pl_region *region, uint64_t boot);
/* Of its session; 16 bytes each. */
const uint8_t *pl_pool_secret(const struct pl_pool_worker *worker);
const uint8_t *pl_pool_peer_key(const struct pl_pool_worker *worker);

#endif
