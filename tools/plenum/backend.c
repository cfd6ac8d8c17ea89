#include "backend/cuda/backend.h"
#include "backend/nvml/backend.h"
#include "backend/opencl/backend.h"

#include "plenum/tool.h"

const struct pl_backend_ops *pl_tool_backend(void)
{
	return &pl_backend_opencl;
}

const struct pl_backend_ops *pl_tool_backend_cuda(void)
{
	return &pl_backend_cuda;
}

const struct pl_backend_ops *pl_tool_backend_nvml(void)
{
	return &pl_backend_nvml;
}
