/*
 * The compute engine: SM threads and launches.  pl_sm_compute is what a device is made with (struct pl_rg_config).
 *
 * PLENUM_REFGPU_THREADS (1..256; default: the host's cores, at most one a SM) and PLENUM_REFGPU_VECTOR (avx512, avx2,
 * portable; default: the best that the host has) are read when an engine is made.
 */
#ifndef PL_REFGPU_COMPUTE_ENGINE_H
#define PL_REFGPU_COMPUTE_ENGINE_H

#include "refgpu/device/compute.h"

extern const struct pl_rg_compute_ops pl_sm_compute;

/* Name of the vector extension in use: "avx512", "avx2", "portable". */
const char *pl_sm_compute_vector(const struct pl_rg_compute *compute);
uint32_t pl_sm_compute_threads(const struct pl_rg_compute *compute);

/* Blocks of a kernel that are resident on one SM at once at most, by its needs; for occupancy calculators. */
uint32_t pl_sm_blocks_resident(uint32_t threads, uint32_t shared_bytes, uint32_t local_bytes, uint32_t slots);

#endif
