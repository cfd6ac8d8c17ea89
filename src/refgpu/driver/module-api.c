/* Modules as the API has them. */
#include <stdlib.h>
#include <string.h>

#include "cuda-api.h"
#include "module.h"
#include "stream.h"

static CUresult load(CUmodule *module_out, const void *image, size_t size_bytes, unsigned int n, CUjit_option *options,
		     void **values)
{
	struct pl_cu_module *module;
	struct pl_cu_ctx *ctx;
	struct pl_cu_jit jit;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (r)
		return r;
	if (!module_out || !image)
		return CUDA_ERROR_INVALID_VALUE;
	r = pl_cu_jit_read(&jit, n, options, values);
	if (!r)
		r = pl_cu_module_load(&module, ctx, image, size_bytes, &jit);
	if (!r)
		*module_out = module->handle;
	return r;
}

CUresult cuModuleLoadData(CUmodule *module_out, const void *image)
{
	return load(module_out, image, PL_CU_FATBIN_UNKNOWN, 0, NULL, NULL);
}

CUresult cuModuleLoadDataEx(CUmodule *module_out, const void *image, unsigned int n, CUjit_option *options,
			    void **values)
{
	return load(module_out, image, PL_CU_FATBIN_UNKNOWN, n, options, values);
}

CUresult cuModuleLoadFatBinary(CUmodule *module_out, const void *image)
{
	return load(module_out, image, PL_CU_FATBIN_UNKNOWN, 0, NULL, NULL);
}

CUresult cuModuleLoad(CUmodule *module_out, const char *path)
{
	struct pl_cu_ctx *ctx;
	void *data;
	size_t bytes;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (r)
		return r;
	if (!module_out || !path)
		return CUDA_ERROR_INVALID_VALUE;
	r = pl_cu_file_read(path, &data, &bytes);
	if (r)
		return r;
	r = load(module_out, data, bytes, 0, NULL, NULL);
	free(data);
	return r;
}

static CUresult module_get(CUmodule handle, struct pl_cu_module **module_out)
{
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (r)
		return r;
	*module_out = pl_cuda_handle_held(handle, PL_CU_MODULE);
	return *module_out ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

CUresult cuModuleUnload(CUmodule handle)
{
	struct pl_cu_module *module;
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx_any(&ctx);
	if (r)
		return r;
	module = pl_cuda_handle_held(handle, PL_CU_MODULE);
	if (!module)
		return CUDA_ERROR_INVALID_HANDLE;
	if (module->library)
		return CUDA_ERROR_NOT_PERMITTED;
	r = pl_cu_ctx_wait(module->ctx);
	return pl_cu_module_destroy(module) ? r : CUDA_ERROR_INVALID_HANDLE;
}

CUresult cuModuleGetFunction(CUfunction *func_out, CUmodule handle, const char *name)
{
	struct pl_cu_module *module;
	struct pl_cu_func *func;
	CUresult r = module_get(handle, &module);
	if (r)
		return r;
	if (!func_out || !name || !*name)
		return CUDA_ERROR_INVALID_VALUE;
	func = pl_cu_module_func(module, name);
	if (!func)
		return CUDA_ERROR_NOT_FOUND;
	atomic_store(&func->named, true);
	*func_out = func->handle;
	return CUDA_SUCCESS;
}

CUresult cuModuleGetGlobal_v2(CUdeviceptr *address_out, size_t *bytes_out, CUmodule handle, const char *name)
{
	const struct pl_ptx_var *var;
	struct pl_cu_module *module;
	CUresult r = module_get(handle, &module);
	if (r)
		return r;
	if (!name || !*name)
		return CUDA_ERROR_INVALID_VALUE;
	var = pl_cu_module_var(module, name);
	if (!var)
		return CUDA_ERROR_NOT_FOUND;
	if (address_out)
		*address_out = pl_cu_module_var_address(module, var);
	if (bytes_out)
		*bytes_out = var->bytes;
	return CUDA_SUCCESS;
}

CUresult cuModuleGetFunctionCount(unsigned int *count_out, CUmodule handle)
{
	struct pl_cu_module *module;
	CUresult r = module_get(handle, &module);
	if (r)
		return r;
	if (!count_out)
		return CUDA_ERROR_INVALID_VALUE;
	*count_out = 0;
	for (uint32_t i = 0; i < module->image->ptx->funcs_n; i++)
		*count_out += module->image->ptx->funcs[i].entry;
	return CUDA_SUCCESS;
}

CUresult cuModuleEnumerateFunctions(CUfunction *funcs_out, unsigned int n, CUmodule handle)
{
	struct pl_cu_module *module;
	unsigned int done = 0;
	CUresult r = module_get(handle, &module);
	if (r)
		return r;
	if (!funcs_out || !n)
		return CUDA_ERROR_INVALID_VALUE;
	for (uint32_t i = 0; i < module->image->ptx->funcs_n && done < n; i++)
		if (module->funcs[i].handle)
			funcs_out[done++] = module->funcs[i].handle;
	return CUDA_SUCCESS;
}

CUresult cuModuleGetLoadingMode(CUmoduleLoadingMode *mode_out)
{
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	if (!mode_out)
		return CUDA_ERROR_INVALID_VALUE;
	*mode_out = CU_MODULE_LAZY_LOADING;
	return CUDA_SUCCESS;
}
