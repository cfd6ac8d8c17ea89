/* Made by codegen/plgen.py from small-nvml.api; do not edit. */
#include "nvml-api.h"
#include "nvml/refuse.h"

nvmlReturn_t nvmlDeviceSetPowerManagementLimit(nvmlDevice_t device, unsigned int limit)
{
	(void)device;
	(void)limit;
	return pl_nvml_refuse("nvmlDeviceSetPowerManagementLimit", NVML_ERROR_NO_PERMISSION,
			      "changes the device");
}
