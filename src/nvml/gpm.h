/*
 * NVML's samples of performance counters (GPM), for devices that have none: they say so, and what needs no device works
 * as documented.  gpm.c defines the functions, among the sources of a library that exports the API.
 */
#ifndef PL_NVML_GPM_H
#define PL_NVML_GPM_H

#include "nvml/base.h"

#define PL_NVML_GPM_SAMPLES_MAX 65536u /* at a time */

/** pl_nvml_gpm_enter() - what every function says first; the library defines it
 * @device: NULL = the function has none
 * Return: success, not initialised, or that *@device is no device. */
nvmlReturn_t pl_nvml_gpm_enter(const nvmlDevice_t *device);

#endif
