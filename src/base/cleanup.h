/* Locals that clean up after themselves, and the hand-over that stops them from it. */
#ifndef PL_BASE_CLEANUP_H
#define PL_BASE_CLEANUP_H

#include <stdlib.h>
#include <unistd.h>

#define pl_cleanup(func) __attribute__((cleanup(func)))

/* Gives the pointer away: the local becomes NULL and its cleanup does nothing. */
#define pl_steal(ptr)                                                                              \
	({                                                                                         \
		__typeof__(ptr) stolen_ = (ptr);                                                   \
		(ptr) = NULL;                                                                      \
		stolen_;                                                                           \
	})

static inline int pl_steal_fd(int *fd)
{
	int taken = *fd;
	*fd = -1;
	return taken;
}

static inline void pl_freep(void *pointer)
{
	free(*(void **)pointer);
}

static inline void pl_closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

#endif
