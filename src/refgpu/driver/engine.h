/*
 * The compute engine that the driver's device has: the warp engine, but for tests of the driver that bring one of their
 * own.
 */
#ifndef PL_REFGPU_DRIVER_ENGINE_H
#define PL_REFGPU_DRIVER_ENGINE_H

#include "refgpu/device/compute.h"

const struct pl_rg_compute_ops *pl_cu_engine_ops(void);

#endif
