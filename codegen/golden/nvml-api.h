/* Made by codegen/plgen.py from small-nvml.api; do not edit. */
/*
 * Every symbol that the library exports, with its signature.
 */
#ifndef PL_NVML_PROTOTYPES_H
#define PL_NVML_PROTOTYPES_H

#include "nvml/api.h"

/* Of a library with nvml-calls.c: what it defines has other names, and that file exports these. */
#ifdef PL_NVML_INSIDE
#define PL_NVML_EXPORT     __attribute__((visibility("hidden")))
#define PL_NVML_NAME(name) __asm__("pl_inside_" #name)
#else
#define PL_NVML_EXPORT __attribute__((visibility("default")))
#define PL_NVML_NAME(name)
#endif

PL_NVML_EXPORT nvmlReturn_t nvmlInit_v2(void) PL_NVML_NAME(nvmlInit_v2);
PL_NVML_EXPORT nvmlReturn_t nvmlSystemGetDriverVersion(char *version, unsigned int room) PL_NVML_NAME(nvmlSystemGetDriverVersion);
PL_NVML_EXPORT nvmlReturn_t nvmlDeviceGetCount_v2(unsigned int *count) PL_NVML_NAME(nvmlDeviceGetCount_v2);
PL_NVML_EXPORT nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t *memory) PL_NVML_NAME(nvmlDeviceGetMemoryInfo_v2);
PL_NVML_EXPORT nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device,
								    unsigned int *count,
								    nvmlProcessInfo_t *infos) PL_NVML_NAME(nvmlDeviceGetComputeRunningProcesses_v3);
PL_NVML_EXPORT nvmlReturn_t nvmlDeviceSetPowerManagementLimit(nvmlDevice_t device,
							      unsigned int limit) PL_NVML_NAME(nvmlDeviceSetPowerManagementLimit);

#endif
