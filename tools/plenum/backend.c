#include "backend/cuda/backend.h"
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
