/*
 * What a user chooses about the reference GPU, by environment: PLENUM_REFGPU_MEMORY (bytes, with K, M or G),
 * PLENUM_REFGPU_SMS, PLENUM_REFGPU_WATCHDOG (seconds), PLENUM_REFGPU_CLOCK (host or virtual),
 * PLENUM_REFGPU_NUMBER, PLENUM_REFGPU_CAPABILITY (identity.h).
 */
#ifndef PL_REFGPU_DRIVER_CONFIG_H
#define PL_REFGPU_DRIVER_CONFIG_H

#include "refgpu/driver/hw.h"

/* What makes no sense is told on stderr and the default holds. */
void pl_cu_config_read(struct pl_cu_hw_config *config_out);

#endif
