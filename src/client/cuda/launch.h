/* Launches: the hot path, and the older way to describe one piece by piece. */
#ifndef PL_CLIENT_CUDA_LAUNCH_H
#define PL_CLIENT_CUDA_LAUNCH_H

#include "client/cuda/module.h"

struct pl_cuda_launch_state;                                        /* cuFuncSetBlockShape(), cuParamSet*() */
void pl_cuda_launch_state_free(struct pl_cuda_launch_state *state); /* NULL is fine */

/** pl_cuda_args_pack() - the arguments of a launch in one piece, by the function's layout
 * @room: of facts->args_bytes
 * @bytes_out: how many of them the program gave
 * Return: success; CUDA_ERROR_INVALID_VALUE: arguments are missing. */
CUresult pl_cuda_args_pack(const struct pl_cuda_facts *facts, void **params, void **extra, uint8_t *room,
			   uint64_t *bytes_out);

#endif
