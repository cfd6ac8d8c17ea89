/* SPDX-License-Identifier: Apache-2.0 */
/* The programs and sizes that the page and the plots of `plenum bench vmcuda` share.  Sizes are MB of 2^20 and GB. */
#ifndef PL_BENCH_VMCUDA_H
#define PL_BENCH_VMCUDA_H

#include "report.h"

#define PL_VMCUDA_LARGE   5u
#define PL_VMCUDA_BLOCKS  11u
#define PL_VMCUDA_CLIENTS 6u
#define PL_VMCUDA_APPS    5u

/* The paper's own numbers. */
extern const struct pl_vmcuda_app {
	const char *name, *title;
	double in_mib, out_mib, native_s, remote_s, own_percent, total_percent;
} pl_vmcuda_apps[PL_VMCUDA_APPS];

extern const struct pl_vmcuda_large {
	const char *name;
	double gb;
} pl_vmcuda_large[PL_VMCUDA_LARGE];

/** pl_vmcuda_value() - the median of figure PREFIXNAME in a mode, or NAN when it was not measured */
double pl_vmcuda_value(const struct pl_bench_run *run, unsigned mode, const char *prefix, const char *name);
double pl_vmcuda_crowd_value(const struct pl_bench_run *run, unsigned mode, unsigned clients, const char *app);
/** pl_vmcuda_block() - the bytes of the i-th block size, as text */
const char *pl_vmcuda_block(unsigned i, char *text_out, size_t bytes);

#endif
