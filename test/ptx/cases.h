/* The tables of instructions, by subject. */
#ifndef PL_TEST_PTX_CASES_H
#define PL_TEST_PTX_CASES_H

#include "ptx.h"

extern const struct pt_family pt_cases_memory[], pt_cases_atomic[], pt_cases_warp[], pt_cases_barrier[],
	pt_cases_call[], pt_cases_matrix[], pt_cases_async[], pt_cases_texture[], pt_cases_surface[], pt_cases_system[],
	pt_cases_last[], pt_cases_int[], pt_cases_video[], pt_cases_float[], pt_cases_half[], pt_cases_cvt[],
	pt_cases_compare[];

#endif
