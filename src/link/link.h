/*
 * A lane is one ordered, reliable stream of records in each direction between a client thread and a server thread
 * (or, the reverse lane, between the worker and the client's receiver).  Both ends use the same operations.
 * Links differ in what carries the lane: shm (rings in memory that both map), tcp (a socket), and hook, which wraps
 * any lane to delay, limit, cut or damage it.
 */
#ifndef PL_LINK_LINK_H
#define PL_LINK_LINK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/wait.h"
#include "wire/wire.h"

enum { /* positive results of lane operations */
       PL_LANE_OK,
       PL_LANE_E_TIMEOUT, /* nothing came in time */
       PL_LANE_E_HALTED,  /* recv: it is to stand still (link/still.h) */
};

enum pl_lane_how {
	PL_LANE_NOW,  /* the peer should see it at once: it waits for it, or may start work on it */
	PL_LANE_MORE, /* more follows directly: the link may hold this back until then */
	PL_LANE_SOON, /* nobody waits for it yet: in a burst the link may hold it back for a moment (0.1 ms) */
};

struct pl_lane_stats { /* this end's; written by the lane's threads, read by anyone (relaxed) */
	_Atomic uint64_t records_out, records_in;
	_Atomic uint64_t bytes_out, bytes_in; /* heads and bulk included */
	_Atomic uint64_t wakes;               /* times this end had to wake the peer (futex or send call) */
	_Atomic uint64_t spins, sleeps;       /* waits of this end that ended while spinning / asleep */
};

/* Counters have one writer: no locked instruction is needed. */
static inline void pl_count(_Atomic uint64_t *counter, uint64_t more)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + more,
			      memory_order_relaxed);
}

struct pl_lane;

/*
 * One thread may use the sending half (reserve, commit, send_bulk) and one the receiving half (recv, recv_bulk) at a
 * time.  Fatal results: -EPIPE = the peer is gone or shut down; -EPROTO = the peer broke the rules; others as named.
 * After a fatal result the lane is broken for good and every operation returns at once.
 */
struct pl_lane_ops {
	const char *name; /* "shm", "tcp", "hook" */
	/* Room for a record of len_bytes (a multiple of 8, at most PL_WIRE_RECORD_MAX): contiguous, aligned to 8.
	 * Blocks while the peer is slow.  A second reserve without commit gives the same room again. */
	int (*reserve)(struct pl_lane *lane, uint32_t len_bytes, void **room_out);
	/* The first len_bytes of the reserved room become a record. */
	int (*commit)(struct pl_lane *lane, uint32_t len_bytes, enum pl_lane_how how);
	/* Payload that belongs to the record just committed (its head.bulk_bytes; may be given in parts).  Sent from
	 * the caller's memory where the link can; returns when the memory may be reused. */
	int (*send_bulk)(struct pl_lane *lane, const void *data, uint64_t bytes);
	/* The next record, in private memory, head checked (length, alignment, bulk limit); valid until the next recv.
	 * Its bulk payload, if any, must be taken with recv_bulk before the next recv. */
	int (*recv)(struct pl_lane *lane, uint64_t timeout_ns, const struct pl_wire_head **head_out);
	int (*recv_bulk)(struct pl_lane *lane, void *data, uint64_t bytes);
	/* Any thread: breaks the lane, wakes everyone who waits in it, tells the peer.  Idempotent. */
	void (*shutdown)(struct pl_lane *lane);
	/* No thread may be inside.  Closes everything. */
	void (*destroy)(struct pl_lane *lane);
	/* One more connection for long payloads, whose greeting is done; NULL where a lane has no use for that.  From
	 * two on they carry these, and the lane's own does not.  Takes over `fd` in any case.  At one time one thread;
	 * the lane may be in use.  The end that `opens` it is the one that has connected: it tells the other one, which
	 * sends over it only then, that it will look there. Return: 0; fatal -EMFILE: it has as many as it can have;
	 * -ENOMEM; -EPIPE. */
	int (*more)(struct pl_lane *lane, int fd, bool opens);
	/* Closes the descriptors, and tells nobody: after a fork() the lane is the parent's. */
	void (*leave)(struct pl_lane *lane);

	/* The rest is NULL where a lane ends with its connection in any case.  docs/adr/0032 */

	/* Before anything goes over the lane: it outlives a connection that is cut, and who uses it waits for another
	 * one, without end.  cut_fn(arg), of the client's end (else NULL): one is needed; any thread of the lane's.
	 * near_too: where no network is that could cut, the peer may.
	 * Return: it will; false: it is of no use here, or there is no memory. */
	bool (*resumable)(struct pl_lane *lane, void (*cut_fn)(void *arg), void *arg, bool near_too);
	/* Any thread. Return: its connection is of no more use, and it waits for another one. */
	bool (*is_cut)(struct pl_lane *lane);
	/* Goes on over another connection; a thread that is not in the lane.  Takes over `fd` in any case.
	 * @reply: the server's end: the answer to the greeting; NULL: the client's, where `peer_has` is the answer's
	 * Return: 0; -EAGAIN: that one failed as well; else fatal: the lane is broken. */
	int (*resume)(struct pl_lane *lane, int fd, const struct pl_hello_reply *reply, uint64_t peer_has);
	const struct pl_still_ops *still; /* link/still.h */
};

#define PL_LANE_CONNECTIONS_MAX 8u /* limit: that carry one lane's long payloads */

enum pl_lane_widens {
	PL_LANE_NARROW, /* it stays as it is */
	PL_LANE_WIDENS, /* it finds out by its long payloads whether another connection would help */
};

struct pl_lane { /* base of every lane; the link's own state lies behind it */
	const struct pl_lane_ops *ops;
	int fd; /* socket that the lane was opened over: HUP = peer gone; borrowed, for poll() */
	/* Of the sender: room that reserve() would give without a wait, so that it need not be called; 0 = call it. */
	uint32_t room_bytes;
	uint8_t *room;
	_Atomic uint32_t *slow; /* for pl_lane_answer_slow(); NULL where the link has no such word */
	_Atomic bool near;      /* over tcp: both ends have one address; a tunnel looks like that, too */
	bool can_widen;         /* over tcp: more connections may carry more */
	bool resumes;           /* it outlives its connection: ops->resume */
	int swapped_fd;         /* where it does, for poll() as well: another connection is there; an eventfd */
	/* Of whoever uses the lane, at the client's end; between payloads. */
	enum pl_lane_widens widens;
	uint32_t connections;        /* that long payloads go over: those that were added, or its own, 1 */
	uint32_t connections_wanted; /* where it widens, or as the user has chosen */
	struct pl_lane_stats stats;
};

static inline int pl_lane_reserve(struct pl_lane *lane, uint32_t len_bytes, void **room_out)
{
	if (len_bytes <= lane->room_bytes && len_bytes <= PL_WIRE_RECORD_MAX && !(len_bytes % PL_WIRE_ALIGN)) {
		*room_out = lane->room;
		return 0;
	}
	return lane->ops->reserve(lane, len_bytes, room_out);
}

static inline int pl_lane_commit(struct pl_lane *lane, uint32_t len_bytes, enum pl_lane_how how)
{
	return lane->ops->commit(lane, len_bytes, how);
}

static inline int pl_lane_send_bulk(struct pl_lane *lane, const void *data, uint64_t bytes)
{
	return lane->ops->send_bulk(lane, data, bytes);
}

static inline int pl_lane_recv(struct pl_lane *lane, uint64_t timeout_ns, const struct pl_wire_head **head_out)
{
	return lane->ops->recv(lane, timeout_ns, head_out);
}

static inline int pl_lane_recv_bulk(struct pl_lane *lane, void *data, uint64_t bytes)
{
	return lane->ops->recv_bulk(lane, data, bytes);
}

static inline void pl_lane_shutdown(struct pl_lane *lane)
{
	lane->ops->shutdown(lane);
}

static inline void pl_lane_destroy(struct pl_lane *lane) /* NULL is fine */
{
	if (lane)
		lane->ops->destroy(lane);
}

static inline void pl_lane_leave(struct pl_lane *lane)
{
	lane->ops->leave(lane);
}

static inline bool pl_lane_is_cut(struct pl_lane *lane)
{
	return lane->resumes && lane->ops->is_cut(lane);
}

static inline bool pl_lane_resumable(struct pl_lane *lane, void (*cut_fn)(void *arg), void *arg, bool near_too)
{
	return lane->ops->resumable && lane->ops->resumable(lane, cut_fn, arg, near_too);
}

/* What lanes of this process hold back (PL_LANE_SOON) is sent: somebody waits for it otherwise than by receiving. */
void pl_lanes_flush(void);

/* Tells the peer, without a wake-up, that what it waits for takes longer than it should spin, or (false) no more. */
static inline void pl_lane_answer_slow(struct pl_lane *lane, bool slow)
{
	if (lane->slow)
		atomic_store_explicit(lane->slow, slow, memory_order_relaxed);
}

/* Reads and drops a payload that nobody wants. */
int pl_lane_drop_bulk(struct pl_lane *lane, uint64_t bytes);

/* ---- making lanes ---- */

/*
 * Addresses: "unix:/path" (shm lanes; the socket carries set-up and tells of the peer's death), "tcp://host:port" with
 * names, IPv4 and [IPv6], "vsock:CID:PORT" (CID a number, host, local, any), "vsock:/path" (for a server: the unix
 * socket of a user-space vsock device), "ivshmem:[FILE][,size=N];ADDRESS" (shm lanes in memory that a guest shares with
 * its host; FILE is the server's file, or the guest's resource2, found where it is left out; ADDRESS carries set-up and
 * wake-ups), and "hook:key=value,...;ADDRESS" (link/hook/hook.h).
 */
#define PL_LINK_ADDRESS_MAX 512

struct pl_region; /* link/ivshmem/region.h */

struct pl_link_opened { /* what a greeting gave */
	struct pl_hello_reply reply;
	struct pl_lane *lane;
	int arena_fd;   /* -1 = none; owned by the caller */
	bool in_region; /* the arena lies in a region of ivshmem, from reply.arena_offset on */
};

/** pl_link_dial() - connect, greet, make the lane (client's end)
 * @hello:  magic and version are filled in, and on ivshmem what a new session says of the region; `place` of a lane is
 *          the caller's: 0 = the lane's bytes go through the socket
 * Return: 0 and *opened_out; enum pl_hello_status > 0 when the server refused (reply.text is set in *opened_out);
 *         fatal -errno: -ECONNREFUSED, -ENOENT: no server; -EINVAL: bad address; -ETIMEDOUT; -EPROTO: no Plenum there.
 */
int pl_link_dial(const char *address, const struct pl_hello *hello, uint64_t timeout_ns,
		 struct pl_link_opened *opened_out);

/** pl_link_greet() - as pl_link_dial(), over a socket that somebody else has connected
 * For lanes that are the socket itself.  Takes over `fd` in any case. */
int pl_link_greet(int fd, const struct pl_hello *hello, uint64_t timeout_ns, struct pl_link_opened *opened_out);

/** pl_link_listen() - a listening socket for an address ("tcp://host:0" takes a free port)
 * @bound_out: PL_LINK_ADDRESS_MAX bytes, the address with the real port
 * Return: 0 and *fd_out (owned by the caller), or fatal -errno. */
int pl_link_listen(const char *address, int *fd_out, char *bound_out);

/** pl_link_region_create() - the region that an address names, for a server that listens on it
 * Return: 0 and *region_out (NULL where it names none), or fatal (explained through the log). */
int pl_link_region_create(const char *address, struct pl_region **region_out);

/* Whom this address lets in is known by uid: a unix socket, also behind "ivshmem:".  False for what is no address. */
bool pl_link_address_is_local(const char *address);
/* The file of the socket that this address names, or NULL. */
const char *pl_link_address_socket(const char *address);

/** pl_link_accept_lane() - server's end of a lane over an accepted socket whose hello was read
 * Sends `reply` (and, on unix, the lane's memory and arena_fd unless it is -1).  Takes over `fd` in any case.
 * Return: 0 and *lane_out, or fatal -errno. */
int pl_link_accept_lane(int fd, const struct pl_hello_reply *reply, int arena_fd, struct pl_lane **lane_out);
/* On a unix socket reply.lane_bytes says what the lane is: 0 = the socket itself (the reverse lane, so that a sleeping
 * receiver sees the peer's death), PL_SHM_RING_BYTES = shared memory. */

/** pl_link_accept_region_lane() - as pl_link_accept_lane(), for a session in a region of ivshmem
 * @region_fd: borrowed
 * @offset: where the lane's memory lies, if reply.lane_bytes; the caller has checked that it is the session's */
int pl_link_accept_region_lane(int fd, const struct pl_hello_reply *reply, int region_fd, uint64_t offset,
			       struct pl_lane **lane_out);

/* Sends a refusal and closes fd. */
void pl_link_refuse(int fd, enum pl_hello_status status, const char *text);

#endif
