/* What cuPointerGetAttributes() tells of addresses. */
#ifndef PL_CUDA_POINTER_H
#define PL_CUDA_POINTER_H

#include <stddef.h>

#include "cuda/memory.h"

/* Bytes of an attribute's value. */
size_t pl_cuda_pointer_bytes(CUpointer_attribute attribute);

#endif
