/* What a client of Plenum's tells whoever looks at it from outside, beside the driver API (plenum trace). */
#ifndef PL_CUDA_TOTALS_H
#define PL_CUDA_TOTALS_H

#include <stdint.h>

struct pl_cuda_totals { /* of all sessions of the process so far */
	uint64_t asks;  /* that were waited for */
	uint64_t bytes_out, bytes_in;
};

/* Exported by the client's libcuda.so.1; drivers have no such function. */
void plCudaTotals(struct pl_cuda_totals *totals_out);

#endif
