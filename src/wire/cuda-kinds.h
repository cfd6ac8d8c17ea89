/* What both ends know of the kinds of CUDA's objects. */
#ifndef PL_WIRE_CUDA_KINDS_H
#define PL_WIRE_CUDA_KINDS_H

#include <stdbool.h>

#include "cuda-wire.h"

/* What the driver destroys with the context that was current when it was made. */
static inline bool pl_cuda_kind_goes_with_context(enum pl_cuda_object_kind kind)
{
	switch (kind) {
	case PL_CUDA_KIND_module:
	case PL_CUDA_KIND_function:
	case PL_CUDA_KIND_stream:
	case PL_CUDA_KIND_event:
	case PL_CUDA_KIND_array:
	case PL_CUDA_KIND_mipmap:
	case PL_CUDA_KIND_texref:
	case PL_CUDA_KIND_surfref:
		return true;
	default:
		return false;
	}
}

#endif
