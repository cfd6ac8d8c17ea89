/* Made by codegen/plgen.py from small-nvml.api; do not edit. */
/*
 * Every symbol that the library exports, with its signature.
 */
#ifndef PL_NVML_PROTOTYPES_H
#define PL_NVML_PROTOTYPES_H

#include "nvml/api.h"

#define PL_NVML_EXPORT __attribute__((visibility("default")))

PL_NVML_EXPORT nvmlReturn_t nvmlInit_v2(void);
PL_NVML_EXPORT nvmlReturn_t nvmlSystemGetDriverVersion(char *version, unsigned int room);
PL_NVML_EXPORT nvmlReturn_t nvmlDeviceGetCount_v2(unsigned int *count);
PL_NVML_EXPORT nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t *memory);
PL_NVML_EXPORT nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device,
								    unsigned int *count,
								    nvmlProcessInfo_t *infos);
PL_NVML_EXPORT nvmlReturn_t nvmlDeviceSetPowerManagementLimit(nvmlDevice_t device,
							      unsigned int limit);

#endif
