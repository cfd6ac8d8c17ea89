#include "cuda/extra.h"

CUresult pl_cuda_extra_read(void *const *extra, const void **buffer_out, size_t *bytes_out)
{
	*buffer_out = NULL;
	*bytes_out = 0;
	for (unsigned int i = 0; i < PL_CUDA_EXTRA_MAX; i += 2) {
		if (extra[i] == CU_LAUNCH_PARAM_END)
			return *buffer_out ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
		if (extra[i] == CU_LAUNCH_PARAM_BUFFER_POINTER)
			*buffer_out = extra[i + 1];
		else if (extra[i] == CU_LAUNCH_PARAM_BUFFER_SIZE && extra[i + 1])
			*bytes_out = *(const size_t *)extra[i + 1];
		else
			return CUDA_ERROR_INVALID_VALUE;
	}
	return CUDA_ERROR_INVALID_VALUE;
}
