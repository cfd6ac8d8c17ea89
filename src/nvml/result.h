/*
 * Names of NVML's results, in words of our own.
 */
#ifndef PL_NVML_RESULT_H
#define PL_NVML_RESULT_H

#include "nvml/base.h"

/* Static text; never NULL. */
const char *pl_nvml_result_text(nvmlReturn_t result);

#endif
