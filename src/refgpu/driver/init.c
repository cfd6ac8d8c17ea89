/* The process: cuInit(), what of it a child has, and the functions that need neither device nor context. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cuda-api.h"
#include "base/err.h"
#include "check.h"
#include "config.h"
#include "cuda/groups.h"
#include "cuda/refuse.h"
#include "cuda/visible.h"
#include "driver.h"
#include "hostfn.h"
#include "mem.h"
#include "texture.h"

static struct {
	pthread_mutex_t lock;
	atomic_bool ready, forked;
	CUresult result; /* of the first cuInit() */
	bool tried;
	struct pl_cu_dev dev;
} driver = { .lock = PTHREAD_MUTEX_INITIALIZER };

__thread bool pl_cu_per_thread;

struct pl_cu_dev *pl_cu_device(int ordinal)
{
	return atomic_load(&driver.ready) && ordinal == 0 ? &driver.dev : NULL;
}

int pl_cu_device_count(void)
{
	return 1;
}

/* A child has the memory but none of the engine's threads: it may not begin anything. */
static void forked(void)
{
	if (atomic_load(&driver.ready))
		atomic_store(&driver.forked, true);
}

static void uuid_make(CUuuid *uuid)
{
	memcpy(uuid->bytes, PL_CU_UUID, sizeof(uuid->bytes));
	uuid->bytes[15] = (char)('0' + pl_cu_number());
}

static CUresult device_open(void)
{
	struct pl_cu_hw_config config;
	uint32_t order;
	int r;
	pl_cu_config_read(&config);
	pthread_mutex_init(&driver.dev.lock, NULL);
	uuid_make(&driver.dev.uuid);
	if (!pl_cuda_visible(getenv("CUDA_VISIBLE_DEVICES"), (const uint8_t *)driver.dev.uuid.bytes, 1, &order))
		return CUDA_ERROR_NO_DEVICE;
	r = pl_cu_hw_create(&driver.dev.hw, &config);
	if (r)
		return r == -ENOMEM ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_ERROR_OPERATING_SYSTEM;
	driver.dev.hw->on_fault = pl_cu_fault_report;
	if (pl_cu_mem_init(driver.dev.hw) || pl_cu_check_init(driver.dev.hw) || pl_cu_texture_init(&driver.dev))
		return CUDA_ERROR_OUT_OF_MEMORY;
	pl_cu_va_begin();
	return CUDA_SUCCESS;
}

CUresult cuInit(unsigned int flags)
{
	CUresult result;
	if (flags)
		return CUDA_ERROR_INVALID_VALUE;
	if (atomic_load(&driver.forked))
		return CUDA_ERROR_NOT_INITIALIZED;
	pthread_mutex_lock(&driver.lock);
	if (!driver.tried) {
		driver.tried = true;
		driver.result = device_open();
		pthread_atfork(NULL, NULL, forked);
		atomic_store(&driver.ready, driver.result == CUDA_SUCCESS);
	}
	result = driver.result;
	pthread_mutex_unlock(&driver.lock);
	return result;
}

CUresult pl_cu_enter(void)
{
	if (!atomic_load_explicit(&driver.ready, memory_order_acquire) || atomic_load(&driver.forked))
		return CUDA_ERROR_NOT_INITIALIZED;
	return CUDA_SUCCESS;
}

CUresult pl_cu_enter_device(CUdevice ordinal, struct pl_cu_dev **dev_out)
{
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	*dev_out = pl_cu_device(ordinal);
	return *dev_out ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

CUresult pl_cu_result_of(int r)
{
	switch (r) {
	case 0:
		return CUDA_SUCCESS;
	case -ENOMEM:
	case -ENOSPC:
		return CUDA_ERROR_OUT_OF_MEMORY;
	case -EINVAL:
		return CUDA_ERROR_INVALID_VALUE;
	default:
		return CUDA_ERROR_OPERATING_SYSTEM;
	}
}

CUresult cuDriverGetVersion(int *version)
{
	if (!version)
		return CUDA_ERROR_INVALID_VALUE;
	*version = CUDA_VERSION;
	return CUDA_SUCCESS;
}

/* -- what cuda/find.c, cuda/export.c and cuda-refused.c ask of the library ------------------------------------------
 */

CUresult pl_cuda_refuse(const char *function, CUresult code, const char *why)
{
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	pl_log_info("refgpu: %s is refused: %s", function, why);
	return code;
}

void pl_cuda_lacks(const char *function, int version)
{
	pl_log_debug("refgpu: no function %s for CUDA %d", function, version);
}

/* It has none. */
CUresult pl_cuda_groups_get(uint8_t groups_out[PL_CUDA_GROUPS_MAX])
{
	(void)groups_out;
	return CUDA_ERROR_NOT_SUPPORTED;
}

struct pl_cuda_storages *pl_cuda_storages_of(CUcontext context)
{
	struct pl_cu_ctx *ctx = context ? pl_cu_ctx_of(context) : pl_cu_ctx_current();
	return ctx ? &ctx->storages : NULL;
}
