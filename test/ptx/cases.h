/* The tables of instructions, by subject. */
#ifndef PL_TEST_PTX_CASES_H
#define PL_TEST_PTX_CASES_H

#include "ptx.h"

extern const struct pt_family pt_cases_int[], pt_cases_video[], pt_cases_float[], pt_cases_half[], pt_cases_cvt[],
	pt_cases_compare[];

#endif
