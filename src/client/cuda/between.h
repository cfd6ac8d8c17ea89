/* Copies from one server to another that do not pass through this process, where one of the two reaches the other. */
#ifndef PL_CLIENT_CUDA_BETWEEN_H
#define PL_CLIENT_CUDA_BETWEEN_H

#include "client/cuda/memory.h"

/* An end of a copy, in a context that is of use there. */
struct pl_cuda_end {
	uint64_t address;
	struct pl_cuda_context *context;
};

/** pl_cuda_between() - copies; returns when it has ended
 * @order: PL_CUDA_ORDER_STREAM: the stream was waited for; PL_CUDA_ORDER_HELD: it is held
 * Return: made, or failed as the driver says: *result_out; false: it can not be made so, and nothing is known of what
 * is in `to` now: it has to be made in another way. */
bool pl_cuda_between(enum pl_cuda_order order, const struct pl_cuda_end *to, const struct pl_cuda_end *from,
		     size_t bytes, CUresult *result_out);

/* Bytes that went from server to server directly, and those that came through this process. */
extern _Atomic uint64_t pl_cuda_between_direct, pl_cuda_between_through;

#endif
