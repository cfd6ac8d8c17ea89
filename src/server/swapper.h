/*
 * Device memory that sessions have more of, together, than there is: the daemon's books, and who leaves (swapper.c; the
 * worker's side is swap.h).  Everything here belongs to the daemon's thread.
 */
#ifndef PL_SERVER_SWAPPER_H
#define PL_SERVER_SWAPPER_H

#include <stdbool.h>
#include <stdint.h>

#include "server/hand.h"

struct pl_daemon;
struct pl_pool_worker;

struct pl_swap_books { /* of a session: its memory that can be moved */
	uint64_t claimed[PL_SWAP_DEVICES_MAX];
	uint64_t out[PL_SWAP_DEVICES_MAX]; /* of it, in host memory */
	uint64_t in_ns, took_ns;           /* when it came in last, and how long that took */
	uint64_t busy_ns;                  /* it would not leave: it is not asked again before */
	bool leaving;                      /* it was asked to */
	bool held, rests;                  /* suspended: it is to be out; it is, and waits */
	enum pl_swap_claim waits;          /* for an answer to this; 0 = it does not */
	uint64_t wants[PL_SWAP_DEVICES_MAX];
	uint64_t since_ns;           /* since when it waits */
	bool told;                   /* that it waits long */
	struct pl_pool_worker *next; /* who waits, oldest first */
};

struct pl_swapper {
	uint64_t capacity[PL_SWAP_DEVICES_MAX]; /* of each device, for memory that can be moved */
	bool known;                             /* a worker has said so */
	struct pl_pool_worker *waiting;         /* oldest first, by swap.next */
	struct pl_pool_worker *leaving;         /* was asked for room; one at a time */
	uint64_t leaves_ns;                     /* it was to have answered by then */
};

/* A worker that never had a client says what its devices have. */
void pl_swapper_capacity(struct pl_daemon *daemon, const struct pl_pool_worker *worker, const struct pl_hand *hand);
/* CLAIM, UNCLAIM or LEFT of a worker; others are passed over.  Return: it keeps the rules. */
bool pl_swapper_handle(struct pl_daemon *daemon, struct pl_pool_worker *worker, const struct pl_hand *hand);
/* It has a session of before, with that much: READ. */
void pl_swapper_restored(struct pl_daemon *daemon, struct pl_pool_worker *worker, const struct pl_hand *hand);
void pl_swapper_ended(struct pl_daemon *daemon, struct pl_pool_worker *worker);
/* For people: "runs", "waits" (for its memory), "leaves" (it is to be suspended), "suspended", or "writes" (it rests,
 * or is to, only to be written to a checkpoint). */
const char *pl_swapper_state(const struct pl_pool_worker *worker);
/* For people: what all sessions have in a device, and (claimed_out) with what is out. */
uint64_t pl_swapper_resident(const struct pl_daemon *daemon, int device, uint64_t *claimed_out);
uint32_t pl_swapper_waiting(const struct pl_daemon *daemon);
/* Grants what can be, asks whoever has to leave.  Return: when to call again; UINT64_MAX = after the next event. */
uint64_t pl_swapper_settle(struct pl_daemon *daemon, uint64_t now_ns);

#endif
