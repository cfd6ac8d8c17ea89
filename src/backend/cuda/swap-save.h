/*
 * Memory that can be moved, and all of which is in host memory, as a stream of bytes, and back, in a worker that has
 * none yet.  Nobody is inside.  What the stream says is checked, as a file's would be: it is nonsense (-EPROTO), or
 * what a session could have had.  After a failure of a load the session is of no use.
 */
#ifndef PL_BACKEND_CUDA_SWAP_SAVE_H
#define PL_BACKEND_CUDA_SWAP_SAVE_H

#include "backend/cuda/session.h"

/* Return: 0 or -errno. */
typedef int pl_cuda_put_fn(void *arg, const void *data, uint64_t bytes);
typedef int pl_cuda_get_fn(void *arg, void *data, uint64_t bytes); /* all of it */

/** pl_cuda_movables_save() - memory of cuMemAlloc(), with what it is charged
 * Return: 0; -EBUSY: some is in the device; -errno of put(). */
int pl_cuda_movables_save(struct pl_cuda_session *session, pl_cuda_put_fn *put, void *arg);
/** pl_cuda_movables_load() - at the same addresses, charged as it was
 * Its contexts are there, under the same ids.  All of it is out, as pl_swap has to be told.
 * @bytes_out: of each device.
 * Return: 0; -ENOMEM: no host memory, or more than the session may have; -EADDRINUSE: an address is not to be had;
 * -EPROTO; -errno of get(). */
int pl_cuda_movables_load(struct pl_cuda_session *session, pl_cuda_get_fn *get, void *arg,
			  uint64_t bytes_out[PL_SWAP_DEVICES_MAX]);

/** pl_cuda_parts_save() - content of what cuMemCreate() made, where it can be moved (swap-part.c)
 * Return: as pl_cuda_movables_save(). */
int pl_cuda_parts_save(struct pl_cuda_session *session, pl_cuda_put_fn *put, void *arg);
/** pl_cuda_parts_load() - into parts that were made and mapped again, by the same calls
 * Whether they are in the device or out.
 * Return: 0; -EIO: the driver's error, which was logged; -ENOMEM; -EPROTO; -errno of get(). */
int pl_cuda_parts_load(struct pl_cuda_session *session, pl_cuda_get_fn *get, void *arg);

#endif
