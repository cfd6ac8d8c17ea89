/*
 * The connections that carry a lane's long payloads where one does not suffice: in chunks over all of them
 * (docs/adr/0030). Who sends gives the next chunk to whichever connection takes it; who receives puts each where it
 * belongs.  So paths of different speed, or one that stalls, add up, and nobody has to know how fast each is.
 *
 * Records stay on the lane's own connection, which carries no chunks then.  Sending and receiving are halves that two
 * threads may use at one time; connections are added by a third.
 * Fatal results: -EPIPE = a connection has ended or is cut, -EPROTO = the peer broke the rules; the lane is over then.
 */
#ifndef PL_LINK_TCP_WIDE_H
#define PL_LINK_TCP_WIDE_H

#include <stdbool.h>
#include <stdint.h>

#define PL_WIDE_PAYLOAD_MIN (512u << 10) /* shorter ones go over the lane's own connection */

struct pl_wide;

struct pl_wide *pl_wide_create(void);       /* NULL: no memory */
void pl_wide_destroy(struct pl_wide *wide); /* closes all; NULL is fine */
/* Any thread: whoever waits here wakes, and the peer sees the end. */
void pl_wide_shutdown(struct pl_wide *wide);
/* As pl_lane_ops.more and .leave. */
int pl_wide_add(struct pl_wide *wide, int fd, bool opens);
void pl_wide_leave(struct pl_wide *wide);
uint32_t pl_wide_count(struct pl_wide *wide);

/* The sending half's, between calls of its: over so many of them, the first ones; 1 = long payloads are not wide. */
void pl_wide_send_over(struct pl_wide *wide, uint32_t connections);

/* Has a payload gone over them? */
bool pl_wide_is_used(const struct pl_wide *wide);

/** pl_wide_send_begin() - the payload that is to be sent next
 * Return: it goes over several connections; false: there are not two yet at which the peer looks. */
bool pl_wide_send_begin(struct pl_wide *wide, uint64_t bytes);
/* The payload's next bytes; all of what came before must have left.  Returns when they may be changed. */
int pl_wide_send(struct pl_wide *wide, const void *data, uint64_t bytes);

/** pl_wide_recv_begin() - a record has announced a wide payload */
void pl_wide_recv_begin(struct pl_wide *wide, uint64_t bytes);
/* The payload's next bytes. */
int pl_wide_recv(struct pl_wide *wide, void *data, uint64_t bytes);

#endif
