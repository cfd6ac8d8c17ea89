/*
 * All types and constants of CUDA's driver API.  The functions are declared in cuda-api.h, which is made from
 * spec/cuda.api and lies in the build folder.
 */
#ifndef PL_CUDA_API_H
#define PL_CUDA_API_H

#include "cuda/base.h"
#include "cuda/context.h"
#include "cuda/device.h"
#include "cuda/external.h"
#include "cuda/graph.h"
#include "cuda/graph-node.h"
#include "cuda/interop.h"
#include "cuda/launch.h"
#include "cuda/memory.h"
#include "cuda/module.h"
#include "cuda/process.h"
#include "cuda/result.h"
#include "cuda/stream.h"
#include "cuda/texture.h"
#include "cuda/texture-view.h"
#include "cuda/vmm.h"

#endif
