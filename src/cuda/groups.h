/*
 * To which group of multiprocessors (GPC) each pair of them (TPC) belongs: cuBLASLt chooses kernels by it.  A private
 * table of NVIDIA's driver says so; its layout was found by looking at what cuBLASLt 13 calls.
 */
#ifndef PL_CUDA_GROUPS_H
#define PL_CUDA_GROUPS_H

#include <stdint.h>

#include "cuda/result.h"

#define PL_CUDA_GROUPS_TABLE                                                                                           \
	{                                                                                                              \
		0x17, 0x34, 0xdc, 0x26, 0x80, 0x0d, 0x47, 0x45, 0x87, 0x26, 0xc0, 0xf1, 0xe7, 0xdd, 0x8b, 0xca         \
	}
#define PL_CUDA_GROUPS_SLOT 4   /* CUresult (uint8_t **groups_out, void **owner_out), of the current context's device */
#define PL_CUDA_GROUPS_DONE 13  /* gives them back */
#define PL_CUDA_GROUPS_MAX  512 /* pairs of a device: the largest has 74 */

/* By the library that links export.c, for the current context's device: a byte for each pair. */
CUresult pl_cuda_groups_get(uint8_t groups_out[PL_CUDA_GROUPS_MAX]);

#endif
