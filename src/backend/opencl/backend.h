/* The OpenCL backend: the only code that calls an OpenCL driver. */
#ifndef PL_BACKEND_OPENCL_BACKEND_H
#define PL_BACKEND_OPENCL_BACKEND_H

#include "server/serve.h"

#define PL_CL_LIBRARY "libOpenCL.so.1" /* what is opened when no other is named: the system's ICD loader */

extern const struct pl_backend_ops pl_backend_opencl;

#endif
