/* The thread's stack of contexts, for the functions that change it. */
#ifndef PL_REFGPU_DRIVER_CONTEXT_H
#define PL_REFGPU_DRIVER_CONTEXT_H

#include "refgpu/driver/driver.h"

CUcontext pl_cu_ctx_top(void);             /* NULL: the stack is empty.  May be destroyed */
CUresult pl_cu_ctx_push(CUcontext handle); /* CUDA_ERROR_OUT_OF_MEMORY where the stack is full */
bool pl_cu_ctx_pop(CUcontext *handle_out); /* false: the stack was empty */
/* Prints what kernels of idle streams have printed. */
void pl_cu_ctx_print(struct pl_cu_ctx *ctx);

#endif
