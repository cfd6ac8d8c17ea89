/*
 * Lanes that stand still: what one has under way is written down, and the lane goes on, here or in another process.
 *
 * pl_lane_halt(), and the server's receiving thread stands between two records; nobody sends there.  The client is
 * asked to part with the connections (pl_lane_part()): it sends no more over them, ends their streams, and asks for
 * others, as if the network had cut them (docs/adr/0032).  pl_lane_still() takes what had been sent until then, and
 * gives the state, which is true from then on.  The client then finds this lane again, after pl_lane_go(), or one
 * that pl_link_restored_lane() has made of the state.
 */
#ifndef PL_LINK_STILL_H
#define PL_LINK_STILL_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "link/link.h"

#define PL_STILL_NS_MAX     2000000000ull /* limit: for a client to part */
#define PL_STILL_UNREAD_MAX (128u << 20)  /* limit: bytes of a lane's state that nobody has begun with */

struct pl_lane_state {
	uint64_t received;  /* bytes that have come, `unread` included */
	uint64_t kept_from; /* position of the first byte that is kept for the peer */
	uint64_t sent;      /* and behind the last one */
	void *unread; /* records that nobody has begun with, the last one in part; may be NULL where it is empty */
	uint64_t unread_bytes;
	void *kept; /* sent - kept_from bytes; may be NULL where these are none */
};

static inline void pl_lane_state_fini(struct pl_lane_state *state)
{
	free(state->unread);
	free(state->kept);
	*state = (struct pl_lane_state){ 0 };
}

struct pl_still_ops { /* as the functions below */
	int (*halt)(struct pl_lane *lane);
	void (*go)(struct pl_lane *lane);
	int (*still)(struct pl_lane *lane, bool again, struct pl_lane_state *state_out);
	void (*part)(struct pl_lane *lane);
	void (*peer_parts)(struct pl_lane *lane);
};

/** pl_lane_halt() - the receiving thread is to stand still; any thread
 * pl_lane_recv() returns PL_LANE_E_HALTED instead of another record, until pl_lane_go(): at once where it waits for
 * one, of which a part may have come, also for another connection; else when it is called next.  A thread in
 * pl_lane_recv_bulk() is not disturbed.
 * Return: 0; fatal -EOPNOTSUPP: the lane ends with its connection, or its payloads may go over several. */
static inline int pl_lane_halt(struct pl_lane *lane)
{
	return lane->ops->still ? lane->ops->still->halt(lane) : -EOPNOTSUPP;
}

/* The undo of pl_lane_halt() and pl_lane_still(); any thread. */
static inline void pl_lane_go(struct pl_lane *lane)
{
	if (lane->ops->still)
		lane->ops->still->go(lane);
}

/** pl_lane_still() - where the lane is, and where it stays until pl_lane_go()
 * Of a halted lane, whose receiving thread stands: it has PL_LANE_E_HALTED, or a record whose payload it has not begun
 * to take.  Nobody sends, or is between a record and its payload.  Its connection may be cut; else the client has been
 * asked to part (pl_lane_peer_parts()), and is waited for.  What the sending half holds back counts as sent.  A client
 * that comes back meanwhile is told to do so later.
 * @again: the record received last counts as unread
 * @state_out: a copy, for pl_lane_state_fini(); set on success only
 * Return: 0; else the lane is only halted, as before: fatal -EOPNOTSUPP: its payloads may go over several connections;
 * -EINVAL: it does not stand as above; -ETIMEDOUT: the client does not part; -EPIPE: it is over; -ENOMEM; -errno. */
static inline int pl_lane_still(struct pl_lane *lane, bool again, struct pl_lane_state *state_out)
{
	return lane->ops->still ? lane->ops->still->still(lane, again, state_out) : -EOPNOTSUPP;
}

/** pl_lane_part() - the client's end: nothing more goes over the connection at hand, and its stream ends
 * The lane is cut then; any thread.  Nothing happens to one that is, or ends with its connection. */
static inline void pl_lane_part(struct pl_lane *lane)
{
	if (lane->ops->still)
		lane->ops->still->part(lane);
}

/** pl_lane_peer_parts() - the server's end, before the client is asked to part: until the lane has another connection
 * the end of its stream is no end of the client's process.  Any thread. */
static inline void pl_lane_peer_parts(struct pl_lane *lane)
{
	if (lane->ops->still)
		lane->ops->still->peer_parts(lane);
}

/** pl_link_restored_lane() - a lane of tcp that goes on from a state, the server's end
 * It is cut until pl_link_accept_again().  Whoever receives gets the records that were unread, and then waits.
 * Return: 0; fatal -EINVAL: this can not be a lane's state; -ENOMEM; -errno. */
int pl_link_restored_lane(const struct pl_lane_state *state, struct pl_lane **lane_out);

#endif
