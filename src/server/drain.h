/*
 * A daemon that is being drained takes no new sessions, goes on with those that it has, and ends when the last one
 * has ended.  It may give up its addresses, so that another daemon (its successor) can begin there at once: connections
 * of its sessions then come to that one, which hands them on.
 *
 * Two files beside the unix socket's, with the drained daemon's process id at the end, make that possible:
 * PATH.drained-PID is the socket itself, renamed, for `plenum ps` and `plenum drain`; at PATH.handed-PID, a SEQPACKET
 * socket, the successor connects when it starts, and sends one struct pl_handed with each connection.  Both daemons may
 * be of different releases.
 */
#ifndef PL_SERVER_DRAIN_H
#define PL_SERVER_DRAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "server/loop.h"
#include "wire/wire.h"

#define PL_DRAIN_SECONDS_MAX 31536000u /* limit: of --for */
#define PL_DRAIN_BEFORE_MAX  16        /* limit: drained daemons that one successor hands on to */
#define PL_DRAIN_AFTER_MAX   16        /* limit: successors of a drained daemon at one time */
#define PL_DRAIN_ASK_MS_MAX      2000      /* limit: for each step of asking a drained server for its addresses */
#define PL_DRAIN_WHY_MAX     192       /* limit: bytes of a reason, for people */
#define PL_DRAIN_PATH_MAX    160       /* limit: bytes of a path, its NUL included */

#define PL_HANDED_MAGIC      0x4445444e4148u /* "HANDED" */

struct pl_handed {
	uint64_t magic;
	uint32_t local;        /* it came over a unix socket by which users are known */
	uint32_t alone;        /* nobody else was sent it: whoever does not know the session says so to the client */
	struct pl_hello hello; /* without the token */
};
static_assert(sizeof(struct pl_handed) == 272, "layout between releases");

struct pl_daemon;
struct pl_conn;
struct pl_handed_from;

struct pl_drain {
	bool on, released;
	uint64_t end_ns;              /* then all that is left is ended; UINT64_MAX = never */
	struct pl_source successors;  /* released: where they connect; fd -1 = not */
	char path[PL_DRAIN_PATH_MAX]; /* of that; "" = none */
	struct pl_handed_from *first; /* successors that are connected */
	uint32_t successors_count;
	int before[PL_DRAIN_BEFORE_MAX]; /* a successor: to drained daemons */
	uint32_t before_count;
};

void pl_drain_init(struct pl_drain *drain);
void pl_drain_fini(struct pl_daemon *daemon);

/* No new sessions from now on.  A daemon that is drained already stays so. */
void pl_drain_begin(struct pl_daemon *daemon);

/** pl_drain_release() - gives up the addresses
 * Those of guests' regions stay: their memory is in use.
 * @why_out: set on failure, for people; nothing has changed then
 * Return: 0 (also when it was done before), or fatal -errno. */
int pl_drain_release(struct pl_daemon *daemon, char why_out[PL_DRAIN_WHY_MAX]);

/* Ends the daemon (daemon->stopping) when the time is over, or nothing is left.  Return: when to call again;
 * UINT64_MAX = after the next event. */
uint64_t pl_drain_settle(struct pl_daemon *daemon, uint64_t now_ns);

/* The server that listens on this unix socket gives its addresses up, if it is one of ours that is being drained; else
 * nothing happens.  Blocks for PL_DRAIN_ASK_MS_MAX and more: before sessions are served. */
void pl_drain_succeed(const char *address);

/* ---- handing on: handed.c ---- */

/* The successor's end: connects to the daemons that were drained at our unix sockets' paths, removes what killed ones
 * left.  May block for a moment: call it before sessions are served. */
void pl_handed_find(struct pl_daemon *daemon);
/* Its session is none of ours: sends the connection to those daemons.  Return: it is theirs now, and closed here. */
bool pl_handed_on(struct pl_conn *conn);

/* The other end of a unix socket is a process of our user or root. */
bool pl_handed_is_ours(int fd);

/* The drained daemon's end.  Return: 0, or fatal -errno. */
int pl_handed_listen(struct pl_daemon *daemon, const char *path);
void pl_handed_fini(struct pl_daemon *daemon); /* both ends */

#endif
