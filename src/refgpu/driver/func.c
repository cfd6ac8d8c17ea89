/* Functions: attributes, preferences, and the old way to give arguments. */
#include <stdlib.h>
#include <string.h>

#include "cuda-api.h"
#include "launch.h"

#define REGISTERS_MIN 16u
#define REGISTERS_MAX 64u /* so that 1024 threads fit; the device itself has no such limit */

CUresult pl_cu_func_in(CUfunction handle, struct pl_cu_ctx *ctx, struct pl_cu_func **func_out)
{
	struct pl_cu_kernel *kernel;
	*func_out = pl_cuda_handle_held(handle, PL_CU_FUNC);
	if (*func_out)
		return pl_cu_func_ready(*func_out);
	kernel = pl_cuda_handle_held(handle, PL_CU_KERNEL);
	if (!kernel)
		return CUDA_ERROR_INVALID_HANDLE;
	return ctx ? pl_cu_kernel_func(kernel, ctx, func_out) : CUDA_ERROR_INVALID_CONTEXT;
}

CUresult pl_cu_func_get(CUfunction handle, struct pl_cu_func **func_out)
{
	return pl_cu_func_in(handle, pl_cu_ctx_current(), func_out);
}

/* Its name and parameters; a lazy image knows them without compiling. */
static CUresult func_peek(CUfunction handle, struct pl_cu_func **func_out)
{
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (r)
		return r;
	*func_out = pl_cuda_handle_held(handle, PL_CU_FUNC);
	return *func_out ? CUDA_SUCCESS : pl_cu_func_get(handle, func_out);
}

static CUresult func_get(CUfunction handle, struct pl_cu_func **func_out)
{
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	return r ? r : pl_cu_func_get(handle, func_out);
}

uint32_t pl_cu_func_registers(const struct pl_ptx_func *info)
{
	uint32_t n = info->own_slots < REGISTERS_MIN ? REGISTERS_MIN : info->own_slots;
	return n > REGISTERS_MAX ? REGISTERS_MAX : n;
}

static int threads_max(const struct pl_ptx_func *info)
{
	const uint32_t *of = info->reqntid[0] ? info->reqntid : info->maxntid;
	uint64_t threads = 1;
	if (!of[0])
		return PL_ISA_BLOCK_THREADS_MAX;
	for (int i = 0; i < 3; i++)
		threads *= of[i] ? of[i] : 1;
	return threads < PL_ISA_BLOCK_THREADS_MAX ? (int)threads : (int)PL_ISA_BLOCK_THREADS_MAX;
}

_Atomic int *pl_cu_setting_of(struct pl_cu_settings *set, CUfunction_attribute attribute)
{
	switch (attribute) {
	case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES:
		return &set->dynamic_shared_max;
	case CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT:
		return &set->carveout;
	case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH:
	case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_HEIGHT:
	case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_DEPTH:
		return &set->cluster[attribute - CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH];
	case CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED:
		return &set->cluster_any;
	case CU_FUNC_ATTRIBUTE_CLUSTER_SCHEDULING_POLICY_PREFERENCE:
		return &set->cluster_policy;
	default:
		return NULL;
	}
}

void pl_cu_settings_init(struct pl_cu_settings *set)
{
	set->dynamic_shared_max = set->carveout = -1;
	set->cluster[0] = set->cluster[1] = set->cluster[2] = -1;
	set->cluster_any = set->cluster_policy = -1;
}

static int setting_default(CUfunction_attribute attribute, const struct pl_ptx_func *info)
{
	switch (attribute) {
	case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES:
		return info->shared_bytes < PL_CU_SHARED_DEFAULT ? (int)(PL_CU_SHARED_DEFAULT - info->shared_bytes) : 0;
	case CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT:
		return CU_SHAREDMEM_CARVEOUT_DEFAULT;
	case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH:
	case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_HEIGHT:
	case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_DEPTH:
		return (int)info->cluster[attribute - CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH];
	default:
		return 0;
	}
}

static int setting_get(_Atomic int *setting, CUfunction_attribute attribute, const struct pl_ptx_func *info)
{
	int value = atomic_load_explicit(setting, memory_order_relaxed);
	return value < 0 ? setting_default(attribute, info) : value;
}

uint32_t pl_cu_func_dynamic_shared_max(struct pl_cu_func *func)
{
	return (uint32_t)setting_get(&func->set.dynamic_shared_max, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
				     func->info);
}

static CUresult attribute_get(int *value, CUfunction_attribute attribute, const struct pl_ptx_func *info,
			      const struct pl_ptx_image *ptx)
{
	switch (attribute) {
	case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
		*value = threads_max(info);
		break;
	case CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES:
		*value = (int)info->shared_bytes;
		break;
	case CU_FUNC_ATTRIBUTE_CONST_SIZE_BYTES:
		*value = (int)ptx->sections[PL_PTX_CONST].bytes;
		break;
	case CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES:
		*value = (int)info->local_bytes;
		break;
	case CU_FUNC_ATTRIBUTE_NUM_REGS:
		*value = (int)pl_cu_func_registers(info);
		break;
	case CU_FUNC_ATTRIBUTE_PTX_VERSION:
		*value = (int)ptx->target;
		break;
	case CU_FUNC_ATTRIBUTE_BINARY_VERSION:
		*value = (int)pl_cu_capability();
		break;
	case CU_FUNC_ATTRIBUTE_CACHE_MODE_CA:
	case CU_FUNC_ATTRIBUTE_CLUSTER_SIZE_MUST_BE_SET:
		*value = 0;
		break;
	default:
		return CUDA_ERROR_INVALID_VALUE;
	}
	return CUDA_SUCCESS;
}

/* As NVIDIA's driver has it; what is compiled of a lazy image shows in nothing but the time. */
static bool is_loaded(struct pl_cu_func *func)
{
	return atomic_load(&func->code) || atomic_load(&func->named);
}

/* Not of a function that was only listed: cuModuleEnumerateFunctions() loads nothing. */
static bool needs_loaded(CUfunction_attribute attribute)
{
	return attribute == CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK ||
	       attribute == CU_FUNC_ATTRIBUTE_CONST_SIZE_BYTES || attribute == CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES;
}

CUresult cuFuncGetAttribute(int *value, CUfunction_attribute attribute, CUfunction handle)
{
	_Atomic int *setting;
	struct pl_cu_func *func;
	CUresult r = func_peek(handle, &func);
	if (r)
		return r;
	if (!value)
		return CUDA_ERROR_INVALID_VALUE;
	if (needs_loaded(attribute) && !is_loaded(func))
		return CUDA_ERROR_FUNCTION_NOT_LOADED;
	r = func_get(handle, &func);
	if (r)
		return r;
	setting = pl_cu_setting_of(&func->set, attribute);
	if (!setting)
		return attribute_get(value, attribute, func->info, func->ptx);
	*value = setting_get(setting, attribute, func->info);
	return CUDA_SUCCESS;
}

/* Clusters have one block here. */
static CUresult attribute_check(CUfunction_attribute attribute, const struct pl_ptx_func *info, int value)
{
	switch (attribute) {
	case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES:
		return value >= 0 && (uint32_t)value + info->shared_bytes <= PL_CU_SHARED_OPTIN
			       ? CUDA_SUCCESS
			       : CUDA_ERROR_INVALID_VALUE;
	case CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT:
		return value >= -1 && value <= 100 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
	case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH:
	case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_HEIGHT:
	case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_DEPTH:
		if (info->cluster[0])
			return CUDA_ERROR_NOT_PERMITTED; /* the kernel's text says it */
		return value == 0 || value == 1 ? CUDA_SUCCESS : CUDA_ERROR_NOT_SUPPORTED;
	case CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED:
		return value == 0 || value == 1 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
	case CU_FUNC_ATTRIBUTE_CLUSTER_SCHEDULING_POLICY_PREFERENCE:
		return (unsigned int)value <= CU_CLUSTER_SCHEDULING_POLICY_LOAD_BALANCING ? CUDA_SUCCESS
											  : CUDA_ERROR_INVALID_VALUE;
	default:
		return CUDA_ERROR_INVALID_VALUE;
	}
}

CUresult cuFuncSetAttribute(CUfunction handle, CUfunction_attribute attribute, int value)
{
	struct pl_cu_func *func;
	CUresult r = func_get(handle, &func);
	if (!r)
		r = attribute_check(attribute, func->info, value);
	if (!r)
		atomic_store(pl_cu_setting_of(&func->set, attribute), value);
	return r;
}

static CUresult kernel_get(CUkernel handle, CUdevice device, struct pl_cu_kernel **kernel_out)
{
	struct pl_cu_dev *dev;
	CUresult r = pl_cu_enter_device(device, &dev);
	if (r)
		return r;
	*kernel_out = pl_cuda_handle_held(handle, PL_CU_KERNEL);
	return *kernel_out ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

CUresult cuKernelGetAttribute(int *value, CUfunction_attribute attribute, CUkernel handle, CUdevice device)
{
	const struct pl_ptx_image *ptx;
	const struct pl_ptx_func *info;
	_Atomic int *setting;
	struct pl_cu_kernel *kernel;
	CUresult r = kernel_get(handle, device, &kernel);
	if (r)
		return r;
	if (!value)
		return CUDA_ERROR_INVALID_VALUE;
	r = pl_cu_image_kernel(kernel->library->image, kernel->info, &info, &ptx);
	if (r)
		return r;
	setting = pl_cu_setting_of(&kernel->set, attribute);
	if (!setting)
		return attribute_get(value, attribute, info, ptx);
	*value = setting_get(setting, attribute, info);
	return CUDA_SUCCESS;
}

CUresult cuKernelSetAttribute(CUfunction_attribute attribute, int value, CUkernel handle, CUdevice device)
{
	const struct pl_ptx_image *ptx;
	const struct pl_ptx_func *info;
	struct pl_cu_kernel *kernel;
	CUresult r = kernel_get(handle, device, &kernel);
	if (!r)
		r = pl_cu_image_kernel(kernel->library->image, kernel->info, &info, &ptx);
	if (!r)
		r = attribute_check(attribute, info, value);
	if (!r)
		pl_cu_kernel_set(kernel, attribute, value);
	return r;
}

CUresult cuKernelSetCacheConfig(CUkernel handle, CUfunc_cache config, CUdevice device)
{
	struct pl_cu_kernel *kernel;
	CUresult r = kernel_get(handle, device, &kernel);
	if (r == CUDA_ERROR_INVALID_DEVICE && handle && !pl_cuda_handle_held(handle, PL_CU_KERNEL))
		r = CUDA_ERROR_INVALID_HANDLE; /* said first */
	if (!r && (unsigned int)config > CU_FUNC_CACHE_PREFER_EQUAL)
		r = CUDA_ERROR_INVALID_VALUE;
	return r;
}

static CUresult param_info(const struct pl_ptx_func *info, size_t index, size_t *offset_out, size_t *bytes_out)
{
	if (!offset_out || index >= info->params_n)
		return CUDA_ERROR_INVALID_VALUE;
	*offset_out = info->params[index].offset;
	if (bytes_out)
		*bytes_out = info->params[index].bytes;
	return CUDA_SUCCESS;
}

CUresult cuFuncGetParamInfo(CUfunction handle, size_t index, size_t *offset_out, size_t *bytes_out)
{
	struct pl_cu_func *func;
	CUresult r = func_peek(handle, &func);
	return r ? r : param_info(func->info, index, offset_out, bytes_out);
}

CUresult cuKernelGetParamInfo(CUkernel handle, size_t index, size_t *offset_out, size_t *bytes_out)
{
	struct pl_cu_kernel *kernel;
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (!r)
		r = kernel_get(handle, 0, &kernel);
	return r ? r : param_info(kernel->info, index, offset_out, bytes_out);
}

CUresult cuFuncGetName(const char **name_out, CUfunction handle)
{
	struct pl_cu_func *func;
	CUresult r = func_peek(handle, &func);
	if (r)
		return handle ? r : CUDA_ERROR_INVALID_VALUE;
	if (!name_out)
		return CUDA_ERROR_INVALID_VALUE;
	*name_out = func->info->name;
	return CUDA_SUCCESS;
}

CUresult cuFuncGetModule(CUmodule *module_out, CUfunction handle)
{
	struct pl_cu_func *func;
	CUresult r = func_peek(handle, &func);
	if (r)
		return r;
	if (!module_out)
		return CUDA_ERROR_INVALID_VALUE;
	*module_out = func->module->handle;
	return CUDA_SUCCESS;
}

CUresult cuFuncIsLoaded(CUfunctionLoadingState *state_out, CUfunction handle)
{
	struct pl_cu_func *func;
	CUresult r = func_peek(handle, &func);
	if (!state_out && (!r || r == CUDA_ERROR_INVALID_HANDLE)) /* said first */
		return CUDA_ERROR_INVALID_VALUE;
	if (!r)
		*state_out = is_loaded(func) ? CU_FUNCTION_LOADING_STATE_LOADED : CU_FUNCTION_LOADING_STATE_UNLOADED;
	return r;
}

CUresult cuFuncLoad(CUfunction handle)
{
	struct pl_cu_func *func;
	CUresult r = func_peek(handle, &func);
	if (!r)
		atomic_store(&func->named, true);
	return r;
}

CUresult cuFuncSetCacheConfig(CUfunction handle, CUfunc_cache config)
{
	struct pl_cu_func *func;
	CUresult r = func_get(handle, &func);
	if (!r && (unsigned int)config > CU_FUNC_CACHE_PREFER_EQUAL)
		r = CUDA_ERROR_INVALID_VALUE;
	return r;
}

CUresult cuFuncSetSharedMemConfig(CUfunction handle, CUsharedconfig config)
{
	struct pl_cu_func *func;
	CUresult r = func_get(handle, &func);
	if (!r && (unsigned int)config > CU_SHARED_MEM_CONFIG_EIGHT_BYTE_BANK_SIZE)
		r = CUDA_ERROR_INVALID_VALUE;
	return r;
}

/* -- before CUDA 4: state of the function, then a launch ----------------------------------------------------------- */

CUresult cuFuncSetBlockShape(CUfunction handle, int x, int y, int z)
{
	struct pl_cu_func *func;
	CUresult r = func_get(handle, &func);
	if (!r && (x <= 0 || y <= 0 || z <= 0))
		r = CUDA_ERROR_INVALID_VALUE;
	if (r)
		return r;
	func->shape_block[0] = (uint64_t)x;
	func->shape_block[1] = (uint64_t)y;
	func->shape_block[2] = (uint64_t)z;
	return CUDA_SUCCESS;
}

CUresult cuFuncSetSharedSize(CUfunction handle, unsigned int bytes)
{
	struct pl_cu_func *func;
	CUresult r = func_get(handle, &func);
	if (!r)
		func->shape_shared = bytes;
	return r;
}

CUresult cuParamSetSize(CUfunction handle, unsigned int bytes)
{
	struct pl_cu_func *func;
	CUresult r = func_get(handle, &func);
	if (!r && bytes > PL_PTX_PARAM_BYTES_MAX)
		r = CUDA_ERROR_INVALID_VALUE;
	if (!r)
		func->params_bytes = bytes;
	return r;
}

CUresult cuParamSetv(CUfunction handle, int offset, void *data, unsigned int bytes)
{
	struct pl_cu_func *func;
	CUresult r = func_get(handle, &func);
	if (r)
		return r;
	if (offset < 0 || !data || (uint64_t)offset + bytes > PL_PTX_PARAM_BYTES_MAX)
		return CUDA_ERROR_INVALID_VALUE;
	if (!func->params)
		func->params = calloc(1, PL_PTX_PARAM_BYTES_MAX);
	if (!func->params)
		return CUDA_ERROR_OUT_OF_MEMORY;
	memcpy(func->params + offset, data, bytes);
	return CUDA_SUCCESS;
}

CUresult cuParamSeti(CUfunction handle, int offset, unsigned int value)
{
	return cuParamSetv(handle, offset, &value, sizeof(value));
}

CUresult cuParamSetf(CUfunction handle, int offset, float value)
{
	return cuParamSetv(handle, offset, &value, sizeof(value));
}

CUresult cuLaunchGridAsync(CUfunction handle, int width, int height, CUstream stream)
{
	struct pl_cu_func *func;
	CUresult r = func_get(handle, &func);
	size_t bytes = r ? 0 : func->params_bytes;
	void *extra[] = { CU_LAUNCH_PARAM_BUFFER_POINTER, r ? NULL : func->params, CU_LAUNCH_PARAM_BUFFER_SIZE, &bytes,
			  CU_LAUNCH_PARAM_END };
	if (r)
		return r;
	if (width <= 0 || height <= 0 || !func->shape_block[0])
		return CUDA_ERROR_INVALID_VALUE;
	return cuLaunchKernel(handle, (unsigned int)width, (unsigned int)height, 1, (unsigned int)func->shape_block[0],
			      (unsigned int)func->shape_block[1], (unsigned int)func->shape_block[2],
			      func->shape_shared, stream, NULL, func->params ? extra : NULL);
}

CUresult cuLaunchGrid(CUfunction handle, int width, int height)
{
	return cuLaunchGridAsync(handle, width, height, NULL);
}

CUresult cuLaunch(CUfunction handle)
{
	return cuLaunchGridAsync(handle, 1, 1, NULL);
}
