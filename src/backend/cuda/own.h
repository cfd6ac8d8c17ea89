/* Calls of the driver that are the server's own affair: what the client's program has called waits for nothing
 * natively, and asks for no memory.  A capture of the program's, in another stream, does not mind them. */
#ifndef PL_BACKEND_CUDA_OWN_H
#define PL_BACKEND_CUDA_OWN_H

#include <stdbool.h>

#include "cuda-api.h"

CUresult pl_cuda_own_wait(CUstream stream, bool per_thread);
CUresult pl_cuda_own_query(CUstream stream, bool per_thread);
/* Where the driver has events, and registers memory. */
CUresult pl_cuda_own_event_wait(CUevent event);
CUresult pl_cuda_own_event_query(CUevent event);
CUresult pl_cuda_own_register(void *at, size_t bytes, unsigned int flags);
/* A library is placed in the current context. */
CUresult pl_cuda_own_place(CUlibrary library);

#endif
