/* Launches: checked, packed and given to a stream; also what graphs keep of one. */
#ifndef PL_REFGPU_DRIVER_LAUNCH_H
#define PL_REFGPU_DRIVER_LAUNCH_H

#include "refgpu/driver/module.h"
#include "refgpu/driver/stream.h"

struct pl_cu_launch {
	struct pl_cu_func *func;
	uint32_t grid[3], block[3];
	uint32_t shared_bytes; /* dynamic */
	bool cooperative;
	const void *params; /* packed, func->info->param_bytes of them */
};

/* What CUDA checks before anything else: sizes against the device and the function. */
CUresult pl_cu_launch_check(const struct pl_cu_launch *launch);
CUresult pl_cu_launch_run(struct pl_cu_stream *stream, const struct pl_cu_launch *launch);

/* Packs a launch's arguments as the API gives them, from `params` or `extra`.  *packed_out: malloc(). */
CUresult pl_cu_params_pack(const struct pl_cu_func *func, void **params, void **extra, void **packed_out);

/* Blocks of a function that one multiprocessor holds at a time. */
uint32_t pl_cu_occupancy(const struct pl_ptx_func *info, uint32_t threads, uint64_t shared_bytes);
/* Registers of a thread, as they are told. */
uint32_t pl_cu_func_registers(const struct pl_ptx_func *info);
/* Bytes. */
uint32_t pl_cu_func_dynamic_shared_max(struct pl_cu_func *func);

#endif
