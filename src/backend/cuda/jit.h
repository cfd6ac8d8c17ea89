/*
 * Options of the JIT compiler and the linker as they come from a client: numbers only.  Logs are buffers here, whose
 * content goes back; options that are addresses of a program are refused.
 */
#ifndef PL_BACKEND_CUDA_JIT_H
#define PL_BACKEND_CUDA_JIT_H

#include "backend/cuda/session.h"

#define PL_CUDA_JIT_LOG_MAX     32768u /* limit: bytes of one log: a reply has room for two */
#define PL_CUDA_JIT_OPTIONS_MAX 64u

struct pl_cuda_jit {
	CUjit_option option[PL_CUDA_JIT_OPTIONS_MAX];
	void *value[PL_CUDA_JIT_OPTIONS_MAX];
	uint32_t count;
	char *info, *error;                     /* NULL: not wanted */
	uint64_t back[PL_CUDA_JIT_OPTIONS_MAX]; /* pl_cuda_jit_values() */
};

/* Return: 0, or the API's code.  pl_cuda_jit_fini() in both cases. */
int32_t pl_cuda_jit_open(struct pl_cuda_jit *jit, struct pl_u32s options, struct pl_u64s values);
void pl_cuda_jit_fini(struct pl_cuda_jit *jit);
/* What the driver has written, for the reply; borrowed from jit. */
struct pl_u64s pl_cuda_jit_values(struct pl_cuda_jit *jit);
struct pl_bytes pl_cuda_jit_info(const struct pl_cuda_jit *jit);
struct pl_bytes pl_cuda_jit_error(const struct pl_cuda_jit *jit);

#endif
