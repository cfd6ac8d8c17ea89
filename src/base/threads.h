/* Threads of a client library's own, none of which calls for the program. */
#ifndef PL_BASE_THREADS_H
#define PL_BASE_THREADS_H

#include <stdatomic.h>
#include <stdint.h>

/* Whoever makes one counts it, and one that ends itself no more; a child process, of one thread, begins with 0. */
extern _Atomic uint32_t pl_threads_own;

#endif
