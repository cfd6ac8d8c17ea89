/*
 * Pages whose touches and first writes the kernel tells of (userfaultfd(2)), one descriptor a process.  Whoever touches
 * a page that is not there, or writes to one that is protected, waits until it is filled, is let be written to, or is
 * woken.
 *
 * All is whole pages.  Threads: any, but that one alone hears of touches; whoever opens and closes sees to it that
 * nobody else is in here.
 */
#ifndef PL_CLIENT_CUDA_USERFAULT_H
#define PL_CLIENT_CUDA_USERFAULT_H

#include <stdbool.h>
#include <stdint.h>

/* Of a touch. */
struct pl_userfault {
	uint64_t address;
	bool write;
	bool protected; /* it is there and protected, which is why a write waits */
};

/* Return: 0; -errno: the kernel does not let us (-EPERM, -ENOSYS). */
int pl_userfault_open(void);
void pl_userfault_close(void);

/* From here on the kernel tells of touches of these pages.  Return: 0, or -errno. */
int pl_userfault_watch(uint64_t address, uint64_t bytes);

/* Return: 1: the next touch; 0: there is none yet; fatal -errno: there will be none any more. */
int pl_userfault_next(struct pl_userfault *touch_out);
/* Until there is one, or so long; < 0: without end. */
void pl_userfault_wait(int ms);

/* What fails below is said in the log. */

/* Whoever waits for these tries again. */
void pl_userfault_wake(uint64_t address, uint64_t bytes);
/* Whoever waits goes on when they are no longer protected. */
void pl_userfault_protect(uint64_t address, uint64_t bytes, bool on);
/* Pages that are not there get `data`; whoever waits for them goes on. */
void pl_userfault_fill(uint64_t address, const void *data, uint64_t bytes, bool writable);

#endif
