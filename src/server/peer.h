/*
 * Lanes between workers of two servers, for copies that do not go through the program (wire/peer.h).  A worker can not
 * connect to anything: its daemon does, and hands it the socket.  Whoever comes from outside has shown the session's
 * key to its daemon; what he may do here, he has to show with a ticket of the backend's.
 * All functions may be called from any thread unless they say otherwise.
 */
#ifndef PL_SERVER_PEER_H
#define PL_SERVER_PEER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "link/link.h"
#include "server/hand.h"

#define PL_PEER_LINKS_MAX 16    /* limit: lanes to other servers, of one session */
#define PL_PEER_PROOF_MS  5000  /* limit: from the greeting to the first ticket */
#define PL_PEER_DIAL_MS   12000 /* limit: the daemon's answer to a request for a connection */
#define PL_PEER_STALL_MS  10000 /* limit: in the middle of a copy without a block that comes or goes */
#define PL_PEER_WHERE_MAX 1024  /* limit: bytes of addresses where this server listens */
#define PL_PEER_WHY_MAX   160   /* limit: bytes of a reason, for people */

struct pl_session_worker;

struct pl_peer_watch { /* a copy that is under way */
	struct pl_lane *lane;
	uint64_t bytes, seen_bytes, since_ns;
	struct pl_peer_watch *next;
};

struct pl_peer_place { /* the other end of a lane that was made here */
	char address[PL_HAND_TEXT_MAX];
	uint64_t session;
	uint8_t key[16]; /* the session's */
	uint64_t number; /* ours for the lane, 0 = it has none: known to both ends only */
};

struct pl_peers {
	int control; /* to the daemon */
	uint8_t key[16];
	char where[PL_PEER_WHERE_MAX]; /* addresses of this server, a line each */
	uint64_t stall_ns;

	pthread_mutex_t request_lock; /* one at a time */
	pthread_mutex_t lock;         /* all below */
	pthread_cond_t news;
	uint64_t request; /* the one whose answer is waited for; 0 = none */
	bool answered;
	struct pl_hand answer;
	int fd; /* that came with it */
	uint32_t links;
	struct pl_peer_door {    /* lanes that were made there and may get more connections */
		uint64_t number; /* 0 = free */
		struct pl_lane *lane;
	} doors[PL_PEER_LINKS_MAX];
	struct pl_peer_watch *watched;
	bool watching; /* the watchdog runs */
};

void pl_peers_init(struct pl_peers *peers, int control);
/* Of those that another server could use; others are passed over. */
void pl_peers_where_add(struct pl_peers *peers, const char *address);

/* The daemon's answer to a request; takes over fd.  Called on the worker's main thread. */
void pl_peers_answered(struct pl_peers *peers, const struct pl_hand *answer, int fd);
/** pl_peers_request() - asks the daemon and waits
 * @fd: goes along; -1 = none
 * @fd_out: came with the answer, owned by the caller; -1 = none
 * Return: 0, or fatal -ETIMEDOUT, -errno of pl_hand_send(). */
int pl_peers_request(struct pl_peers *peers, struct pl_hand *request, int fd, struct pl_hand *answer_out, int *fd_out);
/* A connection of another server's worker, greeted with `hello`; takes over fd.  Called on the worker's main thread. */
void pl_peers_accept(struct pl_session_worker *session, int fd, const struct pl_hello *hello);

/** pl_peer_connect() - a lane to a session of another server's
 * @place: session and key are the caller's, the rest is set
 * @why_out: set on failure, for people
 * Return: 0 and *lane_out, for pl_peer_leave(); fatal -EHOSTUNREACH, -EMFILE (PL_PEER_LINKS_MAX). */
int pl_peer_connect(struct pl_session_worker *session, const char *address, struct pl_peer_place *place,
		    struct pl_lane **lane_out, char why_out[PL_PEER_WHY_MAX]);
/* After a copy: the lane, which was made here, gets the connections that it wants. */
void pl_peer_widen(struct pl_session_worker *session, const struct pl_peer_place *place, struct pl_lane *lane);
/* There are lanes to or from other servers. */
bool pl_peers_any(struct pl_peers *peers);
void pl_peer_leave(struct pl_session_worker *session, struct pl_lane *lane);

/* From begin to end the lane is shut down when no whole record or payload (at most PL_PEER_BLOCK_BYTES) comes or goes
 * for stall_ns, or at once where nobody can look after it.  End also counts the bytes. */
void pl_peer_watch_begin(struct pl_session_worker *session, struct pl_peer_watch *watch, struct pl_lane *lane);
void pl_peer_watch_end(struct pl_session_worker *session, struct pl_peer_watch *watch);

#endif
