/* What instructions compute, by kind. */
#ifndef PL_TEST_PTX_REF_H
#define PL_TEST_PTX_REF_H

#include "ptx.h"

/* ref-int.c */
pt_want_fn want_add, want_mul, want_mad, want_mul24, want_mad24, want_sad, want_div, want_abs, want_neg, want_minmax;
/* ref-bits.c */
pt_want_fn want_logic, want_lop3, want_lop3_bool, want_shift, want_shf, want_prmt, want_bfe, want_bfi, want_brev,
	want_count, want_bfind, want_fns, want_fns_back, want_szext, want_bmsk, want_dp4a, want_dp2a;
/* ref-carry.c */
pt_want_fn want_carry, want_carry_mad;
/* ref-video.c */
pt_want_fn want_video, want_vmad, want_vshift, want_vset, want_simd, want_simd_set;
/* ref-float.c */
pt_want_fn want_fadd, want_fmul, want_fma, want_fdiv, want_frcp, want_fsqrt, want_fsign, want_fminmax, want_fminmax3,
	want_copysign, want_fadd_mixed, want_fma_mixed, want_testp;
/* ref-approx.c */
pt_judge_fn judge_approx, judge_half;
/* ref-compare.c */
pt_want_fn want_set, want_setp, want_selp, want_slct;
bool pt_compare(const char *how, enum pt_type type, uint64_t a, uint64_t b, unsigned flags);
/* ref-cvt.c */
pt_want_fn want_cvt, want_cvt_pair, want_cvt_unpair, want_cvt_pack, want_cvt_scale, want_cvt_unscale;

/* ref-matrix.c */
pt_want_fn want_mma, want_ldmatrix, want_stmatrix, want_movmatrix, want_wmma;

#endif
