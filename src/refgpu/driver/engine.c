#include "engine.h"
#include "refgpu/compute/engine.h"

const struct pl_rg_compute_ops *pl_cu_engine_ops(void)
{
	return &pl_sm_compute;
}
