/*
 * All types and constants of NVML that Plenum uses.  The functions are declared in nvml-api.h, which is made from
 * spec/nvml.api and lies in the build folder.
 */
#ifndef PL_NVML_API_H
#define PL_NVML_API_H

#include "nvml/base.h"
#include "nvml/kinds.h"
#include "nvml/opaque.h"
#include "nvml/types.h"
#include "nvml/version.h"

#endif
