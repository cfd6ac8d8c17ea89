/* Copies between servers that a stream has come to: which calls make them, outside their session's order. */
#ifndef PL_CUDA_CARRIES_H
#define PL_CUDA_CARRIES_H

#include <stdbool.h>
#include <stdint.h>

#include "cuda-wire.h"

/* Calls that neither change what others see nor wait for more than they are asked for. */
static inline bool pl_cuda_op_carries(uint16_t op)
{
	switch (op) {
	case PL_CUDA_OP_plCurrent:
	case PL_CUDA_OP_cuThreadExchangeStreamCaptureMode:
	case PL_CUDA_OP_cuStreamCreate:
	case PL_CUDA_OP_cuStreamSynchronize:
	case PL_CUDA_OP_cuMemcpyDtoHAsync_v2:
	case PL_CUDA_OP_cuMemcpyHtoDAsync_v2:
	case PL_CUDA_OP_cuMemcpy3DPeerAsync:
	case PL_CUDA_OP_plPeerBehind:
	case PL_CUDA_OP_plPeerWhere:
	case PL_CUDA_OP_plPeerLink:
	case PL_CUDA_OP_plPeerExport:
	case PL_CUDA_OP_plPeerCopy:
		return true;
	default:
		return false;
	}
}

#endif
