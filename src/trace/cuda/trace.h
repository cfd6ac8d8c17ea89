/*
 * libcuda.so.1 that stands in front of another one (PLENUM_TRACE_CUDA: its path), passes each call on and writes a line
 * on it (base/calltrace.h).  The functions are made from spec/cuda.api; what cuGetProcAddress() gives is of this
 * library, too.  What programs reach past the API (private tables) is the other's.
 */
#ifndef PL_TRACE_CUDA_TRACE_H
#define PL_TRACE_CUDA_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "cuda-api.h"

typedef void (*pl_cuda_trace_fn)(void);

/* One of each exported symbol; cuda-trace.c. */
struct pl_cuda_trace_row {
	const char *name, *class;
	pl_cuda_trace_fn ours;
	bool unloads; /* names of functions end */
};
extern const struct pl_cuda_trace_row pl_cuda_trace_rows[];
extern const uint32_t pl_cuda_trace_rows_count;
/* The other library's, by row; NULL: it has none. */
extern pl_cuda_trace_fn _Atomic pl_cuda_trace_theirs[];

struct pl_cuda_trace_call {
	uint32_t row;
	uint64_t size;       /* an argument's, bytes */
	CUfunction function; /* that is launched */
	/* begin's */
	uint64_t begin_ns, bytes_out, bytes_in, asks;
};

/* Return: the other library's function; NULL: it has none. */
pl_cuda_trace_fn pl_cuda_trace_begin(struct pl_cuda_trace_call *call);
/* Return: @result. */
CUresult pl_cuda_trace_end(const struct pl_cuda_trace_call *call, CUresult result);
/* cuGetProcAddress() has found *function: it is ours from here on, where the name is known here. */
void pl_cuda_trace_found(const char *symbol, int version, cuuint64_t flags, void **function);

#endif
