/* Made by codegen/plgen.py from small-cuda.api; do not edit. */
#include "cuda-api.h"
#include "cuda/refuse.h"

CUresult cuMemsetD8(unsigned int dst, unsigned char value, unsigned int count)
{
	(void)dst;
	(void)value;
	(void)count;
	return pl_cuda_refuse("cuMemsetD8", CUDA_ERROR_NOT_SUPPORTED, "addresses of 32 bits");
}
