/*
 * What the parts of a tcp lane share: its state (tcp.c), its sending half (send.c), its receiving half (receive.c).
 * For nobody else.
 */
#ifndef PL_LINK_TCP_LANE_H
#define PL_LINK_TCP_LANE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "link/link.h"
#include "link/tcp/resume.h"
#include "link/tcp/soon.h"
#include "link/tcp/tune.h"
#include "link/tcp/wide.h"

#define PL_TCP_HOLD_BYTES  (64u << 10) /* what PL_LANE_MORE may hold back */
#define PL_TCP_OUT_BYTES   (PL_TCP_HOLD_BYTES + PL_WIRE_RECORD_MAX)
#define PL_TCP_AHEAD_BYTES (32u << 10) /* read ahead at most so much: payload in it is copied twice */
#define PL_TCP_IN_BYTES    (PL_WIRE_RECORD_MAX + PL_TCP_AHEAD_BYTES)
#define PL_TCP_SPIN_NS_MAX PL_SPIN_NS_MAX

enum { PL_TCP_E_CUT = PL_LANE_E_HALTED + 1 }; /* pl_tcp_sleep_until(), POLLOUT: another connection may come */

struct tcp_lane {
	struct pl_lane base;
	_Atomic int broken;           /* 0, or why the lane is over: -errno */
	struct pl_wide *_Atomic wide; /* NULL: it has had one connection only */
	struct pl_resume *resume;     /* NULL: it ends with its connection */

	_Alignas(64) uint8_t *out; /* the sending thread's */
	uint32_t out_bytes;        /* committed, held back */
	uint64_t out_bulk_left;    /* payload that the last record still owes */
	struct pl_soon soon;       /* its lock is for the three above, once posts may be held back */
	bool holds_posts, locked;  /* some were committed as PL_LANE_SOON; the sending thread has the lock */
	bool bursts;               /* what followed the last post came soon */
	bool post_last;
	uint64_t commit_ns;
	bool out_wide; /* how that payload travels */
	struct pl_tune tune_out;
	uint32_t out_uses; /* connections, where it tunes; 0 = all */

	_Alignas(64) uint8_t *in; /* the receiving thread's */
	uint32_t in_begin, in_end;
	uint64_t in_bulk_left;
	uint32_t in_last; /* bytes of the last record, which lie in front of in_begin; 0 = no more */
	uint32_t spin_ns;
	int wake_bytes; /* SO_RCVLOWAT as it is; 0 = no TCP socket: it stays as it is */
	bool together;  /* it ran on this thread's core when it sent last, or seemed to */
	uint32_t together_waits;
	bool in_wide;
	struct pl_tune tune_in;
};

static inline struct tcp_lane *tcp_lane(struct pl_lane *base)
{
	return (struct tcp_lane *)base;
}

static inline int tcp_broken(struct tcp_lane *lane)
{
	return atomic_load_explicit(&lane->broken, memory_order_relaxed);
}

static inline struct pl_wide *tcp_wide(struct tcp_lane *lane)
{
	return atomic_load_explicit(&lane->wide, memory_order_acquire);
}

/* Payloads have gone over more connections than its own, which alone can be resumed. */
static inline bool tcp_is_wide(struct tcp_lane *lane)
{
	struct pl_wide *wide = tcp_wide(lane);

	return wide && pl_wide_is_used(wide);
}

/* The receiving thread, which waits for a record and not for a payload, is to stand still. */
static inline bool tcp_halted(struct tcp_lane *lane)
{
	return lane->resume && !lane->in_bulk_left && atomic_load(&lane->resume->halted);
}

/* The lane is over, for the first reason that was given.  Return: that. */
int pl_tcp_break(struct tcp_lane *lane, int code);
/* After a failed call on the socket: whatever the network's reason is, the peer is gone. */
int pl_tcp_break_errno(struct tcp_lane *lane, int error);
/* Sleeps until the socket has `events`, its end has come, or the deadline; for POLLIN, until there is another one where
 * it is cut, or whoever waits for a record is to stand still.  Return: 0, PL_LANE_E_TIMEOUT, PL_LANE_E_HALTED,
 * PL_TCP_E_CUT, fatal. */
int pl_tcp_sleep_until(struct tcp_lane *lane, short events, uint64_t deadline_ns);

/* Does this end, a client, look whether more connections help?  What a payload of so many bytes then took since. */
bool pl_tcp_tunes(const struct tcp_lane *lane, uint64_t bytes);
void pl_tcp_tune(struct tcp_lane *lane, struct pl_tune *tune, uint64_t bytes, uint64_t begin_ns);

/* pl_lane_ops */
int pl_tcp_reserve(struct pl_lane *base, uint32_t len_bytes, void **room_out);
int pl_tcp_commit(struct pl_lane *base, uint32_t len_bytes, enum pl_lane_how how);
int pl_tcp_send_bulk(struct pl_lane *base, const void *data, uint64_t bytes);
int pl_tcp_recv(struct pl_lane *base, uint64_t timeout_ns, const struct pl_wire_head **head_out);
int pl_tcp_recv_bulk(struct pl_lane *base, void *data, uint64_t bytes);
bool pl_tcp_soon_send(struct pl_soon *soon); /* pl_soon.send */

#endif
