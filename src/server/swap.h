/*
 * Oversubscription: sessions of one server may together have more device memory than the device.  What those that do
 * nothing have goes to host memory while others need the room (docs/adr/0038).  This is the worker's side: a gate that
 * each call passes, and a thread that moves memory out while nobody is inside and the device is idle.  Who has to go is
 * the daemon's business (swapper.c).  The whole of a session's memory is in while one of its calls runs.
 * Any thread, unless it says otherwise.
 */
#ifndef PL_SERVER_SWAP_H
#define PL_SERVER_SWAP_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/hand.h"

struct pl_session_worker;

/* What a backend does for it.  out() and in() are called while no call is inside, one at a time, on threads that may
 * have any context. */
struct pl_swap_ops {
	/* How much memory each device has, in bytes; `state` is the backend's.  Before there is a client. */
	void (*capacity)(void *state, uint64_t bytes_out[PL_SWAP_DEVICES_MAX]);
	/* Nothing is under way on any device: waits for at most so long.  Nobody is inside meanwhile. */
	bool (*idle)(struct pl_session_worker *session, uint64_t ns);
	/* Moves at least that much of each device's to host memory, where there is so much; adds what it moved. */
	void (*out)(struct pl_session_worker *session, const uint64_t wanted[PL_SWAP_DEVICES_MAX],
		    uint64_t moved_io[PL_SWAP_DEVICES_MAX]);
	/* Moves all of it back; adds what it moved.  Return: 0; -ENOMEM: the driver has no room, the rest is still out;
	 * another -errno: the rest is lost. */
	int (*in)(struct pl_session_worker *session, uint64_t moved_io[PL_SWAP_DEVICES_MAX]);
};

struct pl_swap {
	uint64_t device_bytes;         /* sessions may have of each device; 0 = all of it */
	const struct pl_swap_ops *ops; /* NULL: the server does not oversubscribe */
	bool all;                      /* small allocations can be moved, too */
	struct pl_session_worker *session;
	_Atomic uint32_t inside; /* calls */
	_Atomic bool barred;     /* whoever wants to enter has to look: `closed`, `moving` or `is_out` */
	pthread_mutex_t lock;    /* all below */
	pthread_cond_t news;
	bool closed;                          /* nobody enters: memory is to be moved out */
	bool moving;                          /* it is being moved */
	bool is_out;                          /* some is, or it rests */
	bool rests, leaves_rest;              /* suspended: it does; it is to */
	bool loading;                         /* out of a checkpoint: claims are only counted */
	uint64_t loaded[PL_SWAP_DEVICES_MAX]; /* those */
	bool thread;                          /* that moves it out, is there */
	bool leave, answered;                 /* news of the daemon's */
	enum pl_swap_claim claims;            /* that is to be answered */
	int32_t result;                       /* with `answered` */
	bool coming; /* granted: who has claimed is about to enter, and nothing moves out before */
	uint64_t out[PL_SWAP_DEVICES_MAX], leaves[PL_SWAP_DEVICES_MAX];
	uint64_t owed[PL_SWAP_DEVICES_MAX]; /* given up, which the daemon is yet to hear */
	uint64_t took_ns;                   /* the last way in */
	pthread_mutex_t claim_lock;         /* one claim at a time; taken before `lock` */
};

void pl_swap_init(struct pl_swap *swap, struct pl_session_worker *session);
/* The session begins, and the server oversubscribes; device_bytes: 0 = all of each device.  ops NULL: the backend can
 * not.  all: small allocations are to be movable, too; $PLENUM_MOVABLE_SMALL=1 says so as well: for tests. */
void pl_swap_start(struct pl_swap *swap, const struct pl_swap_ops *ops, uint64_t device_bytes, bool all);

void pl_swap_enter_slow(struct pl_swap *swap);
void pl_swap_left_slow(struct pl_swap *swap);

/* Around all that may use device memory of the session's: all of it is in. */
static inline void pl_swap_enter(struct pl_swap *swap)
{
	if (!swap->ops)
		return;
	atomic_fetch_add(&swap->inside, 1);
	if (atomic_load(&swap->barred))
		pl_swap_enter_slow(swap);
}

static inline void pl_swap_leave(struct pl_swap *swap)
{
	if (!swap->ops)
		return;
	if (atomic_fetch_sub(&swap->inside, 1) == 1 && atomic_load(&swap->barred))
		pl_swap_left_slow(swap);
}

/** pl_swap_claim() - so much more device memory is going to be allocated that can be moved
 * Inside; the caller is outside while it waits, so its own memory may move, and is in again afterwards.
 * Return: 0; -ENOMEM: not even in host memory, or others did not give theirs up in time. */
int pl_swap_claim(struct pl_swap *swap, uint32_t device, uint64_t bytes);
/* It was freed. */
void pl_swap_unclaim(struct pl_swap *swap, uint32_t device, uint64_t bytes);
/** pl_swap_press() - the driver says that the device has no memory, whatever was claimed
 * As pl_swap_claim().  Return: another session has given up some, try again; false: none has any. */
bool pl_swap_press(struct pl_swap *swap, uint32_t device, uint64_t bytes);

/* Suspended, and nobody is inside. */
bool pl_swap_rests(struct pl_swap *swap);
/* A session comes out of a checkpoint: until loaded() the daemon hears of no claim, but all of them then.  away: what
 * of it is in host memory; claimed_out: all of it. */
void pl_swap_loading(struct pl_swap *swap);
void pl_swap_loaded(struct pl_swap *swap, const uint64_t away[PL_SWAP_DEVICES_MAX],
		    uint64_t claimed_out[PL_SWAP_DEVICES_MAX]);
/* The daemon is told of that: calls, which have waited for it since loaded(), begin. */
void pl_swap_told(struct pl_swap *swap);

/* LEAVE or GRANT, on the worker's main thread. */
void pl_swap_hand(struct pl_swap *swap, const struct pl_hand *hand);

#endif
