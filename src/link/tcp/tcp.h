/*
 * Lanes over a stream socket: TCP, and AF_UNIX streams where no memory is shared.  Both ends use this code; each end
 * of TCP needs pl_tcp_lane_create() for TCP_NODELAY (one end without it costs 40 ms an exchange).
 *
 * Sending: a record committed PL_LANE_NOW goes to the kernel in one call, with whatever PL_LANE_MORE held back in
 * front of it.  A record with bulk waits for its first payload and both leave in one sendmsg(), the payload from the
 * caller's memory.  Nothing waits for a timer or for another thread: commit returns when the kernel has the bytes, and
 * blocks only while the socket is full; the socket's own buffer (megabytes, tuned by the kernel) is the coalescing one.
 *
 * Receiving: one recv() takes as many small records as have come; payload goes straight to the caller's memory, and
 * its receiver is woken seldom (docs/adr/0011).
 * A waiting receiver looks at the socket for a bounded, adaptive time, gives its core away while it does so, then
 * sleeps.  A cut link ends by keepalive (idle) or by retransmissions that nobody answers, within about a minute (four
 * where the peer's window had been full for long); a peer that is alive and only slow is never given up, which is what
 * TCP_USER_TIMEOUT would do.
 */
#ifndef PL_LINK_TCP_TCP_H
#define PL_LINK_TCP_TCP_H

#include "link/link.h"

/** pl_tcp_lane_create() - a lane over a connected stream socket
 * @fd: taken over in any case; blocking or not makes no difference
 * Return: 0, or fatal -ENOMEM. */
int pl_tcp_lane_create(int fd, struct pl_lane **lane_out);

#endif
