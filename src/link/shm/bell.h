/*
 * How both ends of a lane in shared memory sleep and wake where no futex reaches the other one (a guest and its host):
 * a byte through the socket over which the lane was opened.  The sleeper words of the lane say as ever whether a byte
 * is wanted, so none is sent while both ends are awake.  At most two threads of this end sleep at one time, the sender
 * and the receiver: one of them polls the socket, the other waits for that one.
 */
#ifndef PL_LINK_SHM_BELL_H
#define PL_LINK_SHM_BELL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/wait.h"

struct pl_bell {
	struct pl_sleep sleep;
	int fd;                   /* borrowed */
	_Atomic uint32_t rung;    /* futex: changes with all that may end a sleep */
	_Atomic uint32_t polling; /* a thread is at the socket */
	_Atomic bool over;        /* the socket has ended */
};

void pl_bell_init(struct pl_bell *bell, int fd);
/* The other end shall look again.  Never blocks: where the socket is full, bytes that say so are there. */
void pl_bell_ring(struct pl_bell *bell);
/* All threads of this end shall look again. */
void pl_bell_wake_here(struct pl_bell *bell);

#endif
