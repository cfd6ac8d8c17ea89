/* SPDX-License-Identifier: Apache-2.0 */
#include "cases.h"

const struct pt_family *const pt_groups[] = {
	pt_cases_int, pt_cases_video, pt_cases_float, pt_cases_half, pt_cases_cvt, pt_cases_compare, NULL,
};
