/*
 * The greeting's bytes and file descriptors over a fresh socket, each step with a deadline (by pl_now_ns()).
 * Internal to link/, and for the server, which reads hellos itself.  Exactly the structure's bytes are taken from the
 * socket: what follows belongs to the lane.
 */
#ifndef PL_LINK_GREET_H
#define PL_LINK_GREET_H

#include <stdint.h>

#include "wire/wire.h"

#define PL_GREET_FDS_MAX 2 /* the lane's memory, the arena */

struct pl_greet_fds {
	int at[PL_GREET_FDS_MAX]; /* owned by whoever received them, borrowed when sent */
	unsigned count;
};

/* Client.  Fills in magic and version.  Return: 0, or fatal -EPIPE, -ETIMEDOUT. */
int pl_greet_hello_send(int fd, const struct pl_hello *hello, uint64_t deadline_ns);
/* Server.  Return: 0; fatal -EPROTO: not a Plenum hello; -EPIPE, -ETIMEDOUT.  The caller judges the version. */
int pl_greet_hello_recv(int fd, struct pl_hello *hello_out, uint64_t deadline_ns);

/* Server.  Fills in magic and version. */
int pl_greet_reply_send(int fd, const struct pl_hello_reply *reply, const struct pl_greet_fds *fds,
			uint64_t deadline_ns);
/* Client.  Return: 0 and both outputs (text has its NUL); fatal -EPROTO: no Plenum there; -EPIPE, -ETIMEDOUT. */
int pl_greet_reply_recv(int fd, struct pl_hello_reply *reply_out, struct pl_greet_fds *fds_out, uint64_t deadline_ns);

/* Behind the reply to PL_HELLO_AGAIN: client, server. */
int pl_greet_again_send(int fd, const struct pl_wire_again *again, uint64_t deadline_ns);
int pl_greet_again_recv(int fd, struct pl_wire_again *again_out, uint64_t deadline_ns);

void pl_greet_fds_close(struct pl_greet_fds *fds);

#endif
