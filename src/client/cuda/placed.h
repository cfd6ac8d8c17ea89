/*
 * Managed variables of modules in the session's shared memory, at the driver's own address in both processes: nothing
 * goes to and fro (docs/adr/0022).  Any thread.
 */
#ifndef PL_CLIENT_CUDA_PLACED_H
#define PL_CLIENT_CUDA_PLACED_H

#include "client/cuda/state.h"

/** pl_cuda_placed() - the pages of a range, if they are not there already
 * @owner: its module's or library's object
 * Return: they are there; false: another way has to be found (no shared memory, the driver can not or is at work, the
 * program has something at the address), and nothing has changed. */
bool pl_cuda_placed(struct pl_session *session, const void *owner, uint64_t start, uint64_t length);
/* The owner, or the context that was current, has ended, or will by what was sent. */
void pl_cuda_placed_remove(const void *owner_or_context);

#endif
