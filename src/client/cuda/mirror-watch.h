/* The thread that hears of touches of mirrored pages (userfault.h), keeps those that are to wait for the device's end,
 * and lets what both use at one time come and go.  What a touch means is mirror.c's. */
#ifndef PL_CLIENT_CUDA_MIRROR_WATCH_H
#define PL_CLIENT_CUDA_MIRROR_WATCH_H

#include <stdbool.h>

#include "client/cuda/userfault.h"

/* What the mirrors want of it. */
enum pl_mirror_due {
	PL_MIRROR_NOTHING,
	PL_MIRROR_LOOK, /* whether the device works, from time to time */
	PL_MIRROR_TICK, /* it does: pl_mirror_tick() */
};

/* Return: 0; -errno: no thread. */
int pl_mirror_watch(void);

/* ---- mirror.c's, for it ---- */

/* A thread waits for this page.  patient: for the device's end, too.  Return: it goes on waiting. */
bool pl_mirror_touched(const struct pl_userfault *touch, bool patient);
/* What both use at one time goes, and is given up. */
void pl_mirror_tick(void);
enum pl_mirror_due pl_mirror_due(void);

#endif
