/* Made by codegen/plgen.py from small-nvml.api; do not edit. */
#include "nvml-api.h"
#include "nvml/absent.h"

#include <stddef.h>

#define OK NVML_SUCCESS
#define NO_PLACE NVML_ERROR_INVALID_ARGUMENT /* NULL where an answer must go */
#define VERSION NVML_ERROR_ARGUMENT_VERSION_MISMATCH /* of a structure */

__attribute__((weak))
nvmlReturn_t nvmlSystemGetDriverVersion(char *version, unsigned int room)
{
	(void)room;
	return pl_nvml_absent("nvmlSystemGetDriverVersion", (int)(!version ? NO_PLACE : OK), 0,
			      NULL, NULL);
}

__attribute__((weak))
nvmlReturn_t nvmlDeviceGetCount_v2(unsigned int *count)
{
	return pl_nvml_absent("nvmlDeviceGetCount_v2", (int)(!count ? NO_PLACE : OK), 0, NULL,
			      NULL);
}

__attribute__((weak))
nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t *memory)
{
	return pl_nvml_absent(
		"nvmlDeviceGetMemoryInfo_v2",
		(int)(!memory ? NO_PLACE : memory->version != nvmlMemory_v2 ? VERSION : OK), 1,
		device, NULL);
}

__attribute__((weak))
nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device, unsigned int *count,
						     nvmlProcessInfo_t *infos)
{
	(void)infos;
	return pl_nvml_absent("nvmlDeviceGetComputeRunningProcesses_v3",
			      (int)(!count ? NO_PLACE : OK), 1, device, NULL);
}
