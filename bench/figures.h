/* SPDX-License-Identifier: Apache-2.0 */
/* The lists that pl_bench_figures() joins.  Names are stable: a name is never reused for another meaning. */
#ifndef PL_BENCH_FIGURES_H
#define PL_BENCH_FIGURES_H

#include "bench.h"

const struct pl_bench_figure *pl_bench_figures_cuda(size_t *n_out);

#endif
