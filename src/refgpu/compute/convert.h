/* Conversions of any type to any, lane by lane. */
#ifndef PL_REFGPU_COMPUTE_CONVERT_H
#define PL_REFGPU_COMPUTE_CONVERT_H

#include "refgpu/compute/sm.h"

/* Sets op->x (what pl_sm_convert() wants to know). */
void pl_sm_convert_bind(const struct pl_isa_fields *fields, struct pl_sm_op *op);
/* CVT, CVT2, CVTPACK for the lanes in mask. */
void pl_sm_convert(struct pl_sm_warp *w, const struct pl_sm_op *op, char *R, uint32_t mask);

struct pl_sm_small { /* a float format of up to 16 bits, or tf32 */
	int ebits, mbits;
	bool has_inf; /* e4m3 has none: the largest exponent holds numbers */
	bool no_nan;  /* neither: all are numbers, and what is no number becomes the largest */
	bool scale;   /* ue8m0: a power of two without a sign */
};

/* A double in a small format, sign in the top bit of 1 + ebits + mbits.  satfinite: overflow gives the largest number.
 */
uint32_t pl_sm_small_pack(double v, const struct pl_sm_small *format, unsigned round, bool satfinite);
double pl_sm_small_unpack(uint32_t bits, const struct pl_sm_small *format);
extern const struct pl_sm_small pl_sm_f16, pl_sm_bf16, pl_sm_tf32, pl_sm_e4m3, pl_sm_e5m2, pl_sm_e2m3, pl_sm_e3m2,
	pl_sm_e2m1;

#endif
