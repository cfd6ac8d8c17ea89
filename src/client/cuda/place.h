/*
 * The program's own pages, moved into the session's shared memory where they stand: the device reaches them, and the
 * program notices nothing.  Pages of private anonymous memory alone, and not the stack of the calling thread; what else
 * lies on the first and the last page moves with them.  Threads that write meanwhile wait for it (userfaultfd: where
 * there is none, nothing is moved).
 *
 * A child made by fork() has copies of the pages, which begin as what the parent has in them when the child first
 * writes to them; of the first and the last page, as what was there at the fork.
 */
#ifndef PL_CLIENT_CUDA_PLACE_H
#define PL_CLIENT_CUDA_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "client/arena.h"

#define PL_PLACE_PAGE_BYTES 4096u

/** pl_place_in() - moves pages
 * @address, @bytes: whole pages
 * @store: offset in the arena of as many bytes
 * Return: 0; fatal -errno: they are as they were (-EPERM, -ENOSYS: no userfaultfd; -EINVAL: other memory). */
int pl_place_in(const struct pl_arena *arena, uint64_t address, uint64_t bytes, uint64_t store);

/** pl_place_out() - moves them back
 * Return: 0: nothing is in the arena's part any more; fatal -errno: they stay there. */
int pl_place_out(const struct pl_arena *arena, uint64_t address, uint64_t bytes, uint64_t store);

#endif
