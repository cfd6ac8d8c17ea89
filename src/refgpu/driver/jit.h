/* Options of the JIT compiler and the linker, as the API passes them: two lists, of names and of values. */
#ifndef PL_REFGPU_DRIVER_JIT_H
#define PL_REFGPU_DRIVER_JIT_H

#include "cuda/api.h"
#include "refgpu/ptx/ptx.h"

struct pl_cu_jit {
	struct pl_ptx_options options;
	struct pl_ptx_log log;
	/* where the API wants results */
	void **info_used, **error_used, **wall_time;
	char own_error[2048]; /* the log where the application has none */
};

/* Zero options are fine.  CUDA_ERROR_INVALID_VALUE: a value or a name that cannot be. */
CUresult pl_cu_jit_read(struct pl_cu_jit *jit, unsigned int n, const CUjit_option *options, void *const *values);
/* What never came to the compiler: the reason as its log, and the results. */
void pl_cu_jit_refuse(struct pl_cu_jit *jit, CUresult result, const char *why);
/* Writes the results; `seconds` is what it took. */
void pl_cu_jit_finish(struct pl_cu_jit *jit, CUresult result, float milliseconds);

#endif
