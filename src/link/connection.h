/* Connections of a lane over tcp besides its first: one more (docs/adr/0030), or one in its place (docs/adr/0032). */
#ifndef PL_LINK_CONNECTION_H
#define PL_LINK_CONNECTION_H

#include "link/link.h"

/** pl_link_dial_more() - one more connection to where a lane of tcp goes, greeted (client's end)
 * @lane: its socket's peer is dialled
 * @hello: PL_HELLO_MORE, _PEER_MORE
 * Return: 0 and *fd_out (owned by the caller, for ops->more); enum pl_hello_status > 0: refused; fatal -errno. */
int pl_link_dial_more(const struct pl_lane *lane, const struct pl_hello *hello, uint64_t timeout_ns, int *fd_out);

/* The same over a socket that somebody else has connected; it stays the caller's. */
int pl_link_greet_more(int fd, const struct pl_hello *hello, uint64_t timeout_ns);

/** pl_link_accept_more() - the server's end of that
 * Adds the connection to the lane and answers.  Takes over `fd` in any case; refuses where the lane can not have it.
 * Return: 0, or fatal -errno. */
int pl_link_accept_more(int fd, const struct pl_hello_reply *reply, struct pl_lane *lane);

/** pl_link_dial_again() - another connection for a lane that is cut, greeted (client's end)
 * @hello: PL_HELLO_AGAIN
 * Return: 0, *fd_out (owned by the caller), for ops->resume with *reply_out's `received`; enum pl_hello_status > 0:
 * refused; fatal as pl_link_dial(). */
int pl_link_dial_again(const char *address, const struct pl_hello *hello, uint64_t timeout_ns, int *fd_out,
		       struct pl_hello_reply *reply_out);

/** pl_link_accept_again() - the server's end of that
 * Takes over `fd` in any case; refuses where the lane ends with its connection.
 * Return: as ops->resume; fatal -ENOTSUP: refused. */
int pl_link_accept_again(int fd, const struct pl_hello_reply *reply, struct pl_lane *lane);

#endif
