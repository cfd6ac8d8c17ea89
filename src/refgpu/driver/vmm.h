/* Memory in its parts: physical memory, addresses, and the mapping of one at the other. */
#ifndef PL_REFGPU_DRIVER_VMM_H
#define PL_REFGPU_DRIVER_VMM_H

#include "refgpu/driver/mem.h"

struct pl_cu_physical;

CUmemAllocationHandleType pl_cu_physical_handle_types(const struct pl_cu_physical *physical);

#endif
