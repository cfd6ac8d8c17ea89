/* Before CUDA 4: shape and arguments are set piece by piece, then launched. */
#include <stdlib.h>
#include <string.h>

#include "client/cuda/launch.h"

#define PARAMS_BYTES 32764u /* as many as a kernel may have */

struct pl_cuda_launch_state {
	unsigned int block[3], shared_bytes, bytes;
	uint8_t params[PARAMS_BYTES];
};

void pl_cuda_launch_state_free(struct pl_cuda_launch_state *state)
{
	free(state);
}

static CUresult state_get(CUfunction handle, struct pl_cuda_launch_state **state_out)
{
	struct pl_cuda_function *function;
	CUresult result;

	*state_out = NULL;
	if (!pl_cuda_current(&result))
		return result;
	function = pl_cuda_function_of(handle);
	if (!function)
		return CUDA_ERROR_INVALID_HANDLE;
	if (!function->legacy)
		function->legacy = calloc(1, sizeof(*function->legacy));
	*state_out = function->legacy;
	return *state_out ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

CUresult cuFuncSetBlockShape(CUfunction function, int x, int y, int z)
{
	struct pl_cuda_launch_state *state = NULL;
	CUresult result = state_get(function, &state);

	if (!result && (x <= 0 || y <= 0 || z <= 0))
		result = CUDA_ERROR_INVALID_VALUE;
	if (result)
		return result;
	state->block[0] = (unsigned int)x;
	state->block[1] = (unsigned int)y;
	state->block[2] = (unsigned int)z;
	return CUDA_SUCCESS;
}

CUresult cuFuncSetSharedSize(CUfunction function, unsigned int bytes)
{
	struct pl_cuda_launch_state *state = NULL;
	CUresult result = state_get(function, &state);

	if (!result)
		state->shared_bytes = bytes;
	return result;
}

CUresult cuParamSetSize(CUfunction function, unsigned int bytes)
{
	struct pl_cuda_launch_state *state = NULL;
	CUresult result = state_get(function, &state);

	if (!result && bytes > PARAMS_BYTES)
		result = CUDA_ERROR_INVALID_VALUE;
	if (!result)
		state->bytes = bytes;
	return result;
}

CUresult cuParamSetv(CUfunction function, int offset, void *data, unsigned int bytes)
{
	struct pl_cuda_launch_state *state = NULL;
	CUresult result = state_get(function, &state);

	if (result)
		return result;
	if (offset < 0 || !data || (uint64_t)offset + bytes > PARAMS_BYTES)
		return CUDA_ERROR_INVALID_VALUE;
	memcpy(state->params + offset, data, bytes);
	return CUDA_SUCCESS;
}

CUresult cuParamSeti(CUfunction function, int offset, unsigned int value)
{
	return cuParamSetv(function, offset, &value, sizeof(value));
}

CUresult cuParamSetf(CUfunction function, int offset, float value)
{
	return cuParamSetv(function, offset, &value, sizeof(value));
}

CUresult cuLaunchGridAsync(CUfunction function, int grid_width, int grid_height, CUstream stream)
{
	struct pl_cuda_launch_state *state = NULL;
	CUresult result = state_get(function, &state);
	size_t bytes;
	void *extra[5];

	if (result)
		return result;
	if (grid_width <= 0 || grid_height <= 0 || !state->block[0])
		return CUDA_ERROR_INVALID_VALUE;
	bytes = state->bytes;
	extra[0] = CU_LAUNCH_PARAM_BUFFER_POINTER;
	extra[1] = state->params;
	extra[2] = CU_LAUNCH_PARAM_BUFFER_SIZE;
	extra[3] = &bytes;
	extra[4] = CU_LAUNCH_PARAM_END;
	return cuLaunchKernel(function, (unsigned int)grid_width, (unsigned int)grid_height, 1, state->block[0],
			      state->block[1], state->block[2], state->shared_bytes, stream, NULL,
			      bytes ? extra : NULL);
}

CUresult cuLaunchGrid(CUfunction function, int grid_width, int grid_height)
{
	return cuLaunchGridAsync(function, grid_width, grid_height, NULL);
}

CUresult cuLaunch(CUfunction function)
{
	return cuLaunchGridAsync(function, 1, 1, NULL);
}
