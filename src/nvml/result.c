#include "nvml/result.h"

#include <stddef.h>

static const struct {
	nvmlReturn_t code;
	const char *text;
} results[] = {
	{ NVML_SUCCESS, "Success" },
	{ NVML_ERROR_UNINITIALIZED, "Uninitialized: call nvmlInit() first" },
	{ NVML_ERROR_INVALID_ARGUMENT, "Invalid argument" },
	{ NVML_ERROR_NOT_SUPPORTED, "Not supported" },
	{ NVML_ERROR_NO_PERMISSION, "No permission" },
	{ NVML_ERROR_ALREADY_INITIALIZED, "Already initialized" },
	{ NVML_ERROR_NOT_FOUND, "Not found" },
	{ NVML_ERROR_INSUFFICIENT_SIZE, "The buffer is too small" },
	{ NVML_ERROR_INSUFFICIENT_POWER, "The device lacks power" },
	{ NVML_ERROR_DRIVER_NOT_LOADED, "The driver is not loaded, or no server answers" },
	{ NVML_ERROR_TIMEOUT, "Timeout" },
	{ NVML_ERROR_IRQ_ISSUE, "Interrupts of the device do not arrive" },
	{ NVML_ERROR_LIBRARY_NOT_FOUND, "The server has no NVML" },
	{ NVML_ERROR_FUNCTION_NOT_FOUND, "The server does not have this function" },
	{ NVML_ERROR_CORRUPTED_INFOROM, "The infoROM is damaged" },
	{ NVML_ERROR_GPU_IS_LOST, "The device or the way to it is lost" },
	{ NVML_ERROR_RESET_REQUIRED, "The device needs a reset" },
	{ NVML_ERROR_OPERATING_SYSTEM, "An error of the operating system" },
	{ NVML_ERROR_LIB_RM_VERSION_MISMATCH, "Library and driver are of different versions" },
	{ NVML_ERROR_IN_USE, "In use" },
	{ NVML_ERROR_MEMORY, "Out of memory" },
	{ NVML_ERROR_NO_DATA, "No data" },
	{ NVML_ERROR_VGPU_ECC_NOT_SUPPORTED, "Not with ECC" },
	{ NVML_ERROR_INSUFFICIENT_RESOURCES, "Out of resources" },
	{ NVML_ERROR_FREQ_NOT_SUPPORTED, "The frequency is not supported" },
	{ NVML_ERROR_ARGUMENT_VERSION_MISMATCH, "The structure is of another version" },
	{ NVML_ERROR_DEPRECATED, "Deprecated" },
	{ NVML_ERROR_NOT_READY, "Not ready" },
	{ NVML_ERROR_GPU_NOT_FOUND, "No device found" },
	{ NVML_ERROR_INVALID_STATE, "Not in this state" },
	{ NVML_ERROR_RESET_TYPE_NOT_SUPPORTED, "This kind of reset is not supported" },
};

const char *pl_nvml_result_text(nvmlReturn_t result)
{
	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++)
		if (results[i].code == result)
			return results[i].text;
	return "Unknown error";
}
