/* The linker of device code: its logs are buffers that live as long as it does. */
#ifndef PL_BACKEND_CUDA_LINK_H
#define PL_BACKEND_CUDA_LINK_H

#include <stdint.h>

/* The linker with this id has ended. */
void pl_cuda_link_gone(uint64_t id);

#endif
