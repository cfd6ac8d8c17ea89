/*
 * The lanes of one session in its worker: a thread each, the connections that come to them later, and what they have
 * carried.  "The main thread" below is the worker's; the lanes' own threads end by themselves.
 */
#ifndef PL_SERVER_LANES_H
#define PL_SERVER_LANES_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "link/link.h"
#include "server/serve.h"

struct pl_lanes_thread; /* lanes.c */

struct pl_lanes_totals {
	uint64_t bytes_in, bytes_out, wakes, spins, sleeps;
};

/* What stands before `lock` is set when the session begins, and constant then. */
struct pl_lanes {
	struct pl_session_worker *session;
	uint32_t lanes_max;
	uint32_t grace_s;
	uint8_t secret[16];
	bool local;       /* unix socket: lanes are shared memory */
	bool resumes;     /* its client knows how to come back */
	uint32_t keeps_s; /* and that its server may stop and come back with it, within that time
			   * (PL_HELLO_MINOR_KEEPS); 0: it does not, and what all others have */
	bool in_region;   /* ivshmem: the arena and the memory of lanes lie in the guest's region */
	pthread_mutex_t lock;
	pthread_cond_t answered;       /* some lane's greeting is, or never will be */
	struct pl_lanes_thread *first; /* under lock */
	struct pl_lanes_totals ended;  /* under lock: of lanes that are gone */
	uint32_t more;                 /* under lock: connections that were added, of all lanes */
};

/** pl_lanes_reply() - what the session's first greeting is answered with; a lane's own tells of no arena */
struct pl_hello_reply pl_lanes_reply(const struct pl_lanes *lanes);

/** pl_lanes_outlive() - lets a lane wait for its client where its connection is cut, if client and server both do that
 * @lane: the reverse lane, or one of pl_lanes_add() */
void pl_lanes_outlive(const struct pl_lanes *lanes, struct pl_lane *lane);

/** pl_lanes_add() - a lane of its own thread, for whoever greets; the main thread alone
 * @fd: taken over; the client is told why where there can be no lane */
void pl_lanes_add(struct pl_lanes *lanes, int fd, const struct pl_hello *hello);

/** pl_lanes_connection() - one more connection for a lane, or one in place of its own; the main thread alone
 * @fd: taken over; the client is told why where it can not be
 *
 * In place of its own: the client waits with all that it has for this lane, and the caller for the client.  The lane's
 * thread may be in the middle of anything, but for its end. */
void pl_lanes_connection(struct pl_lanes *lanes, int fd, const struct pl_hello *hello);

/** pl_lanes_each() - calls fn for each lane that has its greeting behind it; it does not end meanwhile
 * Return: 0, or what fn returned first. */
int pl_lanes_each(struct pl_lanes *lanes, int (*fn)(struct pl_lane *lane, uint64_t number, void *arg), void *arg);

/** pl_lanes_restore() - a lane of a session that was written down, and waits for its client; the main thread alone
 * @lane: taken over
 * @note: checkpoint.h
 * Return: 0, or fatal -errno. */
int pl_lanes_restore(struct pl_lanes *lanes, struct pl_lane *lane, uint64_t number, uint64_t note);

/** pl_lanes_count() - writes what the session has carried and holds to the page that the daemon reads; any thread */
void pl_lanes_count(struct pl_lanes *lanes);

#endif
