/*
 * What no call of the application waits for: a thread of the driver does it, when it is due.  Any thread may add
 * something, the engines' too; nothing is allocated.
 */
#ifndef PL_REFGPU_DRIVER_LATER_H
#define PL_REFGPU_DRIVER_LATER_H

#include "refgpu/driver/hw.h"

struct pl_cu_later {            /* in what it is about; not touched any more when fn is called */
	bool (*due)(void *arg); /* as of pl_cu_hw_wait(); NULL: at once */
	void (*fn)(void *arg);  /* a call as the API's, with no lock held, in that thread or in who drains */
	void *arg;
	const struct pl_cu_ctx *ctx;
	struct pl_cu_later *next;
};

/* false: there is no memory for the thread, and fn is not called. */
bool pl_cu_later_add(struct pl_cu_hw *hw, struct pl_cu_later *later);
/* Returns when what is due of the context is done.  Called with no lock held. */
void pl_cu_later_drain(const struct pl_cu_ctx *ctx);

#endif
