/*
 * A lane over tcp that outlives its connection (docs/adr/0032).  Who sends keeps what the peer's system has not
 * acknowledged; who receives counts.  When a connection is cut the client makes another one, both ends say how far they
 * came, and each sends the rest again: the lane's records arrive once, in order.  While a connection stands nothing
 * travels for this.
 *
 * A connection is cut when the network ends it (reset, timeout, no route), or when the client comes back.  One that the
 * peer has closed is no cut: its process has ended.
 */
#ifndef PL_LINK_TCP_RESUME_H
#define PL_LINK_TCP_RESUME_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/lock.h"
#include "link/still.h"
#include "wire/wire.h"

#define PL_RESUME_KEPT_MAX (64u << 20)         /* limit: bytes that a lane keeps; the system's send buffer is smaller */
#define PL_RESUME_LEFT_MAX PL_STILL_UNREAD_MAX /* limit: bytes taken from sockets that nobody has asked for */

struct tcp_lane;      /* lane.h */
struct pl_lane_state; /* link/still.h */

struct pl_resume {
	void (*cut_fn)(void *arg); /* the client's: somebody has to connect */
	void *cut_arg;
	pthread_mutex_t lock;
	pthread_cond_t back;
	_Atomic uint32_t turn; /* connections that were; changes under the three locks here and the sending half's */
	_Atomic bool cut;
	_Atomic bool halted, still; /* link/still.h; the second changes under the locks of both halves */
	int swapped_fd;   /* an eventfd: the receiving half, before it sleeps, has not seen this connection yet */
	bool placeholder; /* the lane has had no connection here: its descriptor is another one's; as `still` */
	_Atomic bool peer_parts; /* its end of stream is a cut; set under `lock` */

	/* The sending half's, under its lock (tcp_lane.soon.lock).  Positions count the bytes of this direction. */
	uint8_t *ring; /* the bytes from kept_from to sent */
	uint32_t ring_bytes;
	uint64_t kept_from, sent;
	uint64_t going;    /* of what is being sent from `sent` on, so many bytes have left */
	bool sends;        /* a thread is at that, though it may have given the lock away */
	uint64_t peer_has; /* when the connection at hand began */

	/* The receiving half's. */
	struct pl_lock in;
	uint64_t received; /* `left` included */
	uint8_t *left;     /* what the connection before had still in its socket */
	size_t left_at, left_end, left_room;
};

/** pl_resume_create() - from now on this lane, over which nothing has gone yet, can be resumed
 * @cut_fn: of the client's end: a connection is needed; any thread that uses the lane, which then waits
 * Return: NULL: no memory. */
struct pl_resume *pl_resume_create(void (*cut_fn)(void *arg), void *cut_arg);
void pl_resume_destroy(struct pl_resume *resume); /* NULL is fine */
void pl_resume_wake(struct pl_resume *resume);    /* the lane is broken: nobody waits any more */

/* Is the connection at hand no more of use, and may another one come? */
bool pl_resume_is_cut(struct tcp_lane *lane);

/* Whoever has found it so, and does not wait, says so. */
void pl_resume_cut(struct tcp_lane *lane);

/** pl_resume_wait() - by a half whose connection, the turn'th, has failed: until there is another one
 * @sends: the sending half, whose lock is given away meanwhile; else without locks
 * Return: 0; PL_LANE_E_HALTED: the receiving half is to stand still; fatal: the lane is broken. */
int pl_resume_wait(struct tcp_lane *lane, uint32_t turn, bool sends);

/* The halves, on a lane that can be resumed.  As their likes in send.c and receive.c. */
int pl_resume_send(struct tcp_lane *lane, const struct iovec parts[2]);
/* These bytes have been sent. */
void pl_resume_keep(struct tcp_lane *lane, const struct iovec parts[2]);
ssize_t pl_resume_receive(struct tcp_lane *lane, const struct iovec *parts, int count);

/* All that the connection's socket still has; `in` is held.  Return: 0, or fatal -ENOMEM. */
int pl_resume_left_fill(struct tcp_lane *lane);

/** pl_resume_kept() - a copy of what is kept, and of `more` bytes that are to be sent behind it
 * The sending half's lock is held. Return: NULL: no memory. */
void *pl_resume_kept(const struct pl_resume *resume, const void *more, uint64_t more_bytes);

/** pl_resume_load() - begins where another lane's state was; nobody uses the lane yet, which is cut
 * Return: 0, or fatal -ENOMEM. */
int pl_resume_load(struct pl_resume *resume, const struct pl_lane_state *state);

/** pl_resume_run() - goes on over another connection; not by a thread that is in the lane
 * @fd: taken over in any case
 * @reply: the server's end: sent with our position, answered by the peer's; NULL: the client's, whose peer has said so
 * @peer_has: bytes that the server has received; where reply is NULL
 * Return: 0; fatal -EPROTO: the peer's position is none, the lane is broken; -EAGAIN: this connection failed, too, or
 * the lane stands still;
 * -EPIPE; -ENOMEM. */
int pl_resume_run(struct tcp_lane *lane, int fd, const struct pl_hello_reply *reply, uint64_t peer_has);

#endif
