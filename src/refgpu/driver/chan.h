/*
 * A channel: the ring through which the driver gives work to one engine, in order.  Several threads may share one:
 * between pl_cu_chan_lock() and pl_cu_chan_submit() or pl_cu_chan_unlock() it belongs to one of them.
 */
#ifndef PL_REFGPU_DRIVER_CHAN_H
#define PL_REFGPU_DRIVER_CHAN_H

#include "refgpu/driver/hw.h"

#define PL_CU_CHAN_ENTRIES_ORDER 10u
#define PL_CU_CHAN_ENTRIES       (1u << PL_CU_CHAN_ENTRIES_ORDER)
#define PL_CU_CHAN_WORDS         (1u << 15) /* of push buffer */
#define PL_CU_CHAN_WORDS_MAX     1024u      /* of one submission */

struct pl_cu_chan {
	struct pl_cu_hw *hw;
	uint32_t id;
	enum pl_rg_engine engine;
	struct pl_cu_ctx *owner; /* where it has failed nobody waits for the channel */
	pthread_mutex_t lock;
	atomic_bool dead;
	atomic_uint refs; /* streams that use it; the last destroys it */
	uint64_t *ring;
	uint32_t *push;
	uint64_t instance; /* VRAM: instance block, then the user page */
	/* under lock; words and entries are counted from the channel's begin */
	uint32_t put;
	uint64_t words_put;
	uint64_t words_end[PL_CU_CHAN_ENTRIES]; /* of each entry */
};

/* Return: 0, -ENOSPC (no channel or memory left; not logged), or -ENOMEM. */
int pl_cu_chan_create(struct pl_cu_chan **chan_out, struct pl_cu_hw *hw, enum pl_rg_engine engine,
		      struct pl_cu_ctx *owner);
/* Stops what runs.  NULL is fine. */
void pl_cu_chan_destroy(struct pl_cu_chan *chan);
void pl_cu_chan_unref(struct pl_cu_chan *chan); /* NULL is fine */

/* Stops the channel's work for good; what it was doing is not finished. */
void pl_cu_chan_kill(struct pl_cu_chan *chan);
/* All of a context that has failed: what is made for it later is given no work. */
void pl_cu_chans_kill(struct pl_cu_hw *hw, const struct pl_cu_ctx *owner);
void pl_cu_chan_died(struct pl_cu_chan *chan); /* the device has killed it */

/* Room for one submission of up to PL_CU_CHAN_WORDS_MAX words; waits while the ring is full.  NULL: the channel is
 * dead or its context has failed, and it is not locked. */
uint32_t *pl_cu_chan_lock(struct pl_cu_chan *chan);
void pl_cu_chan_submit(struct pl_cu_chan *chan, uint32_t words); /* unlocks */
void pl_cu_chan_unlock(struct pl_cu_chan *chan);

/* Makes its engine look again at what it waits for. */
void pl_cu_chan_poke(struct pl_cu_chan *chan);

#endif
