/* CUDA's backend: the only code that calls a driver of CUDA's driver API, NVIDIA's or the reference GPU's. */
#ifndef PL_BACKEND_CUDA_BACKEND_H
#define PL_BACKEND_CUDA_BACKEND_H

#include "server/serve.h"

extern const struct pl_backend_ops pl_backend_cuda;

#endif
