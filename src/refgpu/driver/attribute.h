/* What the device says of itself. */
#ifndef PL_REFGPU_DRIVER_ATTRIBUTE_H
#define PL_REFGPU_DRIVER_ATTRIBUTE_H

#include "refgpu/driver/driver.h"

/* false: no such attribute. */
bool pl_cu_attribute_get(const struct pl_cu_dev *dev, CUdevice_attribute attribute, int *value_out);

#endif
