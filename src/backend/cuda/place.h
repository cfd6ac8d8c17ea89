/*
 * Payload that is received into the device's memory, or sent from it: where the device is the host's, and nothing that
 * comes first is under way (docs/adr/0037).
 */
#ifndef PL_BACKEND_CUDA_PLACE_H
#define PL_BACKEND_CUDA_PLACE_H

#include "backend/cuda/session.h"

#define PL_CUDA_PLACE_MIN (32u << 10) /* less is not worth it */

/* Whether the session has such memory at all: as long as its payload travels a stream is at work, so none from afar. */
bool pl_cuda_place_can(const struct pl_cuda_session *session);
/** pl_cuda_place_take() - the memory for a copy in a stream, whose next work waits until it is given back
 * @address: checked, @bytes too
 * Return: NULL: the data has to go another way: a driver that has no such memory, something is under way or captured,
 * other memory, few bytes. */
struct plRefgpuPlace *pl_cuda_place_take(struct pl_cuda_session *session, CUstream stream, bool per_thread,
					 uint64_t address, uint64_t bytes);
/* All of the call's payload, which follows it.  The place is given back.  Return: 0, or negative: the lane broke. */
int pl_cuda_place_receive(struct pl_serve *serve, struct plRefgpuPlace *place, uint64_t bytes);
/* All of a reply's payload, as well; the copy has ended before the client has the last of it. */
int pl_cuda_place_reply(struct pl_serve *serve, struct plRefgpuPlace *place, uint64_t bytes);
void pl_cuda_place_give(const struct pl_cuda_session *session, struct plRefgpuPlace *place);

#endif
