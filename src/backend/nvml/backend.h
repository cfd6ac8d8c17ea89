/*
 * The NVML backend: calls NVIDIA's libnvidia-ml.so.1, or the reference GPU's.
 */
#ifndef PL_BACKEND_NVML_BACKEND_H
#define PL_BACKEND_NVML_BACKEND_H

#include "server/serve.h"

extern const struct pl_backend_ops pl_backend_nvml;

#endif
