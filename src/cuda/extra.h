/* Arguments of a launch in one piece: the list behind `extra`. */
#ifndef PL_CUDA_EXTRA_H
#define PL_CUDA_EXTRA_H

#include <stddef.h>

#include "cuda/launch.h"
#include "cuda/result.h"

#define PL_CUDA_EXTRA_MAX 16u /* limit: words of the list */

/** pl_cuda_extra_read() - where the arguments lie
 * Return: success; CUDA_ERROR_INVALID_VALUE: no address, a key that is none, or no end within the limit. */
CUresult pl_cuda_extra_read(void *const *extra, const void **buffer_out, size_t *bytes_out);

#endif
