/*
 * Records that a lane holds back for a moment (PL_LANE_SOON), so that those of a burst travel together.  One thread of
 * the process looks after all lanes that hold some, and sleeps when none does.
 */
#ifndef PL_LINK_TCP_SOON_H
#define PL_LINK_TCP_SOON_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/lock.h"

struct pl_soon {             /* of one lane */
	struct pl_lock lock; /* what the lane holds back: its sending thread's, and the one that looks after it */
	/* Sends it; never blocks.  Called with the lock held.  Return: there was something; false too where nothing can
	 * be sent any more. */
	bool (*send)(struct pl_soon *soon);
	bool holds; /* under lock: something is held back */
	_Atomic bool armed;
	uint32_t rounds; /* the thread's: looks in vain */
	struct pl_soon *next;
};

/* Something is held back from now on, for some 0.1 ms at most.  Called with soon->lock held.  Return: false: nobody
 * would look after it. */
bool pl_soon_hold(struct pl_soon *soon);
/* It has been sent.  Called with soon->lock held. */
void pl_soon_sent(struct pl_soon *soon);
/* Nobody looks after it any more, nor is about to: its lane may go.  Called without soon->lock held. */
void pl_soon_remove(struct pl_soon *soon);

#endif
