/* Operations on words of memory in a stream's order. */
#ifndef PL_REFGPU_DRIVER_MEMOP_H
#define PL_REFGPU_DRIVER_MEMOP_H

#include "refgpu/driver/stream.h"

CUresult pl_cu_memop_check(const CUstreamBatchMemOpParams *op);
/* Checks them too; takes part in capture. */
CUresult pl_cu_memops_run(struct pl_cu_stream *stream, unsigned int n, const CUstreamBatchMemOpParams *ops);

#endif
