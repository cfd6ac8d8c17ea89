/* The library: started and shut down, its versions, and what every function says first. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cuda/base.h"
#include "nvml.h"
#include "nvml/absent.h"
#include "nvml/gpm.h"
#include "nvml/refuse.h"
#include "nvml/result.h"
#include "refgpu/driver/config.h"
#include "refgpu/driver/identity.h"

#define DRIVER_VERSION "580." PL_VERSION /* the branch that brought this CUDA, then our own */
#define NVML_VERSION   "13." DRIVER_VERSION

static struct {
	pthread_mutex_t lock;
	_Atomic unsigned int started;
	struct pl_cu_hw_config config;
} library = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct nvmlDevice_st {
	int ordinal;
} the_device;

nvmlDevice_t pl_rn_device(void)
{
	return &the_device;
}

uint64_t pl_rn_vram_bytes(void)
{
	return library.config.vram_bytes;
}

uint32_t pl_rn_sm_count(void)
{
	return library.config.sm_count;
}

bool pl_rn_started(void)
{
	return library.started != 0;
}

nvmlReturn_t pl_rn_enter(void)
{
	return pl_rn_started() ? NVML_SUCCESS : NVML_ERROR_UNINITIALIZED;
}

nvmlReturn_t pl_rn_enter_device(nvmlDevice_t device, const void *answer)
{
	if (!pl_rn_started())
		return NVML_ERROR_UNINITIALIZED;
	return answer && device == &the_device ? NVML_SUCCESS : NVML_ERROR_INVALID_ARGUMENT;
}

nvmlReturn_t pl_nvml_gpm_enter(const nvmlDevice_t *device)
{
	return device ? pl_rn_enter_device(*device, device) : pl_rn_enter();
}

nvmlReturn_t pl_rn_text_give(char *to, unsigned int room, const char *text)
{
	if (strlen(text) >= room)
		return NVML_ERROR_INSUFFICIENT_SIZE;
	strcpy(to, text);
	return NVML_SUCCESS;
}

nvmlReturn_t pl_nvml_refuse(const char *function, nvmlReturn_t code, const char *why)
{
	(void)function, (void)why;
	return pl_rn_started() ? code : NVML_ERROR_UNINITIALIZED;
}

nvmlReturn_t pl_nvml_absent(const char *function, int code, unsigned handles, const void *first, const void *second)
{
	(void)function;
	if (!pl_rn_started())
		return NVML_ERROR_UNINITIALIZED;
	if (code)
		return (nvmlReturn_t)code;
	if ((handles > 0 && first != &the_device) || (handles > 1 && second != &the_device))
		return NVML_ERROR_INVALID_ARGUMENT;
	return NVML_ERROR_NOT_SUPPORTED;
}

nvmlReturn_t nvmlInitWithFlags(unsigned int flags)
{
	if (flags & ~(unsigned int)(NVML_INIT_FLAG_NO_GPUS | NVML_INIT_FLAG_NO_ATTACH))
		return NVML_ERROR_INVALID_ARGUMENT;
	pthread_mutex_lock(&library.lock);
	if (!library.started) {
		pl_cu_config_read(&library.config);
		pl_rn_load_begin();
	}
	library.started++;
	pthread_mutex_unlock(&library.lock);
	return NVML_SUCCESS;
}

nvmlReturn_t nvmlInit_v2(void)
{
	return nvmlInitWithFlags(0);
}

nvmlReturn_t nvmlInit(void)
{
	return nvmlInitWithFlags(0);
}

nvmlReturn_t nvmlShutdown(void)
{
	nvmlReturn_t r = NVML_ERROR_UNINITIALIZED;

	pthread_mutex_lock(&library.lock);
	if (library.started) {
		library.started--;
		r = NVML_SUCCESS;
	}
	pthread_mutex_unlock(&library.lock);
	return r;
}

const char *nvmlErrorString(nvmlReturn_t result)
{
	return pl_nvml_result_text(result);
}

nvmlReturn_t nvmlSystemGetDriverVersion(char *version, unsigned int room)
{
	if (!pl_rn_started())
		return NVML_ERROR_UNINITIALIZED;
	return version ? pl_rn_text_give(version, room, DRIVER_VERSION) : NVML_ERROR_INVALID_ARGUMENT;
}

nvmlReturn_t nvmlSystemGetNVMLVersion(char *version, unsigned int room)
{
	if (!pl_rn_started())
		return NVML_ERROR_UNINITIALIZED;
	return version ? pl_rn_text_give(version, room, NVML_VERSION) : NVML_ERROR_INVALID_ARGUMENT;
}

nvmlReturn_t nvmlSystemGetDriverBranch(nvmlSystemDriverBranchInfo_t *branch_info, unsigned int room)
{
	if (!pl_rn_started())
		return NVML_ERROR_UNINITIALIZED;
	if (!branch_info)
		return NVML_ERROR_INVALID_ARGUMENT;
	if (branch_info->version != nvmlSystemDriverBranchInfo_v1)
		return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
	return pl_rn_text_give(branch_info->branch,
			       room < sizeof(branch_info->branch) ? room : sizeof(branch_info->branch), "plenum");
}

nvmlReturn_t nvmlSystemGetCudaDriverVersion_v2(int *version)
{
	if (!pl_rn_started())
		return NVML_ERROR_UNINITIALIZED;
	if (!version)
		return NVML_ERROR_INVALID_ARGUMENT;
	*version = CUDA_VERSION;
	return NVML_SUCCESS;
}

nvmlReturn_t nvmlSystemGetCudaDriverVersion(int *version)
{
	return nvmlSystemGetCudaDriverVersion_v2(version);
}

nvmlReturn_t nvmlSystemGetProcessName(unsigned int pid, char *name, unsigned int room)
{
	char path[64], text[4096];
	ssize_t n;

	if (!pl_rn_started())
		return NVML_ERROR_UNINITIALIZED;
	if (!name || !room)
		return NVML_ERROR_INVALID_ARGUMENT;
	snprintf(path, sizeof(path), "/proc/%u/exe", pid);
	n = readlink(path, text, sizeof(text) - 1);
	if (n < 0)
		return access(path, F_OK) ? NVML_ERROR_NOT_FOUND : NVML_ERROR_NO_PERMISSION;
	text[n] = '\0';
	snprintf(name, room, "%s", text); /* cut where it is too long, as NVML has it */
	return NVML_SUCCESS;
}

nvmlReturn_t nvmlSystemGetHicVersion(unsigned int *hwbc_count, nvmlHwbcEntry_t *hwbc_entries)
{
	(void)hwbc_entries;
	if (!pl_rn_started())
		return NVML_ERROR_UNINITIALIZED;
	if (!hwbc_count)
		return NVML_ERROR_INVALID_ARGUMENT;
	*hwbc_count = 0;
	return NVML_SUCCESS;
}

/* Boxes around several devices; there is none. */
nvmlReturn_t nvmlUnitGetCount(unsigned int *unit_count)
{
	if (!pl_rn_started())
		return NVML_ERROR_UNINITIALIZED;
	if (!unit_count)
		return NVML_ERROR_INVALID_ARGUMENT;
	*unit_count = 0;
	return NVML_SUCCESS;
}

nvmlReturn_t nvmlGetExcludedDeviceCount(unsigned int *device_count)
{
	return nvmlUnitGetCount(device_count);
}
