/* Libraries: images that are placed in a context when it first uses them. */
#include <stdlib.h>
#include <string.h>

#include "cuda-api.h"
#include "cuda/library-options.h"
#include "module.h"
#include "stream.h"

static void library_unref(struct pl_cu_library *library)
{
	if (atomic_fetch_sub(&library->refs, 1) != 1)
		return;
	free(library->kernels);
	free(library->placed);
	pl_cu_texts_fini(&library->texts);
	pl_cu_image_unref(library->image);
	pthread_mutex_destroy(&library->lock);
	free(library);
}

static void kernel_gone(void *kernel)
{
	library_unref(((struct pl_cu_kernel *)kernel)->library);
}

static CUresult kernels_create(struct pl_cu_library *library)
{
	const struct pl_ptx_image *ptx = library->image->ptx;
	library->kernels = calloc(ptx->funcs_n + 1, sizeof(*library->kernels));
	if (!library->kernels)
		return CUDA_ERROR_OUT_OF_MEMORY;
	for (uint32_t i = 0; i < ptx->funcs_n; i++) {
		struct pl_cu_kernel *kernel = &library->kernels[i];
		kernel->library = library;
		kernel->info = &ptx->funcs[i];
		pl_cu_settings_init(&kernel->set);
		if (!kernel->info->entry)
			continue;
		kernel->handle = (CUkernel)(uintptr_t)pl_cuda_handle_create(PL_CU_KERNEL, kernel);
		if (!kernel->handle)
			return CUDA_ERROR_OUT_OF_MEMORY;
		atomic_fetch_add(&library->refs, 1);
	}
	return CUDA_SUCCESS;
}

CUresult pl_cu_library_ready(struct pl_cu_library *library)
{
	CUresult r;
	pthread_mutex_lock(&library->lock);
	if (!library->tried) {
		library->tried = true;
		library->result = pl_cu_image_compile(&library->image, &library->texts, &library->jit);
		pl_cu_texts_fini(&library->texts);
		if (!library->result)
			library->result = kernels_create(library);
	}
	r = library->result;
	pthread_mutex_unlock(&library->lock);
	return r;
}

/* Called with library->lock held. */
static CUresult place(struct pl_cu_library *library, struct pl_cu_ctx *ctx, struct pl_cu_module **module_out)
{
	CUcontext *placed = realloc(library->placed, (library->placed_n + 1) * sizeof(*placed));
	CUresult r;
	if (!placed)
		return CUDA_ERROR_OUT_OF_MEMORY;
	library->placed = placed;
	placed[library->placed_n++] = ctx->handle;
	r = pl_cu_module_place(module_out, ctx, library->image, library);
	for (uint32_t i = 0; !r && i < library->image->ptx->funcs_n; i++)
		(*module_out)->funcs[i].set = library->kernels[i].set;
	return r;
}

void pl_cu_kernel_set(struct pl_cu_kernel *kernel, CUfunction_attribute attribute, int value)
{
	struct pl_cu_library *library = kernel->library;
	pthread_mutex_lock(&library->lock);
	atomic_store(pl_cu_setting_of(&kernel->set, attribute), value);
	for (size_t i = 0; i < library->placed_n; i++) {
		struct pl_cu_ctx *ctx = pl_cu_ctx_of(library->placed[i]);
		struct pl_cu_module *module = ctx ? pl_cu_module_of_library(ctx, library) : NULL;
		if (module)
			atomic_store(pl_cu_setting_of(&module->funcs[kernel - library->kernels].set, attribute), value);
	}
	pthread_mutex_unlock(&library->lock);
}

CUresult pl_cu_library_module(struct pl_cu_library *library, struct pl_cu_ctx *ctx, struct pl_cu_module **module_out)
{
	struct pl_cu_module *module;
	CUresult r = pl_cu_library_ready(library);
	if (r)
		return r;
	pthread_mutex_lock(&library->lock);
	module = pl_cu_module_of_library(ctx, library);
	if (!module && library->unloaded)
		r = CUDA_ERROR_INVALID_HANDLE;
	else if (!module)
		r = place(library, ctx, &module);
	if (!r && !pl_cuda_handle_held(module->handle, PL_CU_MODULE))
		r = CUDA_ERROR_INVALID_HANDLE;
	pthread_mutex_unlock(&library->lock);
	if (!r)
		*module_out = module;
	return r;
}

CUresult pl_cu_kernel_func(struct pl_cu_kernel *kernel, struct pl_cu_ctx *ctx, struct pl_cu_func **func_out)
{
	struct pl_cu_module *module;
	CUresult r = pl_cu_library_module(kernel->library, ctx, &module);
	if (r)
		return r;
	*func_out = &module->funcs[kernel->info - module->image->ptx->funcs];
	return pl_cu_func_ready(*func_out);
}

static CUresult library_create(CUlibrary *library_out, const void *image, size_t size_bytes,
			       const struct pl_cu_jit *jit)
{
	struct pl_cu_library *library = calloc(1, sizeof(*library));
	const char *why = "";
	CUresult r;
	if (!library)
		return CUDA_ERROR_OUT_OF_MEMORY;
	pthread_mutex_init(&library->lock, NULL);
	atomic_store(&library->refs, 1);
	library->jit = *jit;
	if (jit->log.error == jit->own_error)
		library->jit.log.error = library->jit.own_error;
	r = pl_cu_fatbin_result(pl_cu_fatbin_read(&library->texts, image, size_bytes, pl_cu_capability(), &why));
	if (r)
		pl_cu_jit_refuse(&library->jit, r, why);
	if (!r) {
		library->handle = (CUlibrary)(uintptr_t)pl_cuda_handle_create(PL_CU_LIBRARY, library);
		r = library->handle ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
	}
	if (r) {
		library_unref(library);
		return r;
	}
	*library_out = library->handle;
	return CUDA_SUCCESS;
}

static CUresult library_load(CUlibrary *library_out, const void *image, size_t size_bytes, CUjit_option *jit_options,
			     void **jit_values, unsigned int jit_n)
{
	struct pl_cu_jit jit;
	CUresult r = pl_cu_jit_read(&jit, jit_n, jit_options, jit_values);
	if (r)
		return r;
	r = library_create(library_out, image, size_bytes, &jit);
	/* Who gave a log wants to read it now. */
	if (!r && jit_n)
		r = pl_cu_library_ready(pl_cuda_handle_held(*library_out, PL_CU_LIBRARY));
	return r;
}

/* Library options change where host tables are looked for, which only the runtime's own use has; they are checked. */
CUresult cuLibraryLoadData(CUlibrary *library_out, const void *image, CUjit_option *jit_options, void **jit_values,
			   unsigned int jit_n, CUlibraryOption *options, void **values, unsigned int n)
{
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	if (!library_out || !image || !pl_cuda_library_options_valid(n, options, values, false))
		return CUDA_ERROR_INVALID_VALUE;
	return library_load(library_out, image, PL_CU_FATBIN_UNKNOWN, jit_options, jit_values, jit_n);
}

CUresult cuLibraryLoadFromFile(CUlibrary *library_out, const char *path, CUjit_option *jit_options, void **jit_values,
			       unsigned int jit_n, CUlibraryOption *options, void **values, unsigned int n)
{
	size_t bytes;
	void *data;
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	if (!library_out || !path || !pl_cuda_library_options_valid(n, options, values, true))
		return CUDA_ERROR_INVALID_VALUE;
	r = pl_cu_file_read(path, &data, &bytes);
	if (r)
		return r;
	r = library_load(library_out, data, bytes, jit_options, jit_values, jit_n);
	free(data);
	return r;
}

static CUresult library_get(CUlibrary handle, struct pl_cu_library **library_out)
{
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	*library_out = pl_cuda_handle_held(handle, PL_CU_LIBRARY);
	return *library_out ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

static CUresult library_get_ready(CUlibrary handle, struct pl_cu_library **library_out)
{
	CUresult r = library_get(handle, library_out);
	return r ? r : pl_cu_library_ready(*library_out);
}

/* The module of a library in the current context. */
static CUresult library_place(CUlibrary handle, struct pl_cu_module **module_out)
{
	struct pl_cu_library *library;
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (!r)
		r = library_get(handle, &library);
	return r ? r : pl_cu_library_module(library, ctx, module_out);
}

static void module_end(const struct pl_cu_library *library, CUcontext handle)
{
	uint32_t call = pl_cuda_call_begin();
	struct pl_cu_ctx *ctx = pl_cu_ctx_of(handle);
	struct pl_cu_module *module = ctx ? pl_cu_module_of_library(ctx, library) : NULL;
	if (module) {
		pl_cu_ctx_wait(ctx);
		(void)pl_cu_module_destroy(module);
	}
	pl_cuda_call_end(call);
}

static void handle_gone(void *library)
{
	library_unref(library);
}

CUresult cuLibraryUnload(CUlibrary handle)
{
	struct pl_cu_library *library;
	CUresult r = library_get(handle, &library);
	if (r)
		return r;
	pthread_mutex_lock(&library->lock);
	library->unloaded = true;
	pthread_mutex_unlock(&library->lock);
	if (!pl_cuda_handle_retire((uint64_t)(uintptr_t)handle, handle_gone))
		return CUDA_ERROR_INVALID_HANDLE;
	for (size_t i = 0; i < library->placed_n; i++)
		module_end(library, library->placed[i]);
	for (uint32_t i = 0; library->kernels && i < library->image->ptx->funcs_n; i++)
		(void)pl_cuda_handle_retire((uint64_t)(uintptr_t)library->kernels[i].handle, kernel_gone);
	return CUDA_SUCCESS;
}

CUresult cuLibraryGetKernel(CUkernel *kernel_out, CUlibrary handle, const char *name)
{
	struct pl_cu_library *library;
	const struct pl_ptx_func *info;
	CUresult r = library_get_ready(handle, &library);
	if (r)
		return r;
	if (!kernel_out || !name)
		return CUDA_ERROR_INVALID_VALUE;
	info = pl_ptx_image_func(library->image->ptx, name);
	if (!info || !info->entry)
		return CUDA_ERROR_NOT_FOUND;
	*kernel_out = library->kernels[info - library->image->ptx->funcs].handle;
	return CUDA_SUCCESS;
}

CUresult cuLibraryGetKernelCount(unsigned int *count_out, CUlibrary handle)
{
	struct pl_cu_library *library;
	CUresult r = library_get_ready(handle, &library);
	if (r)
		return r;
	if (!count_out)
		return CUDA_ERROR_INVALID_VALUE;
	*count_out = 0;
	for (uint32_t i = 0; i < library->image->ptx->funcs_n; i++)
		*count_out += library->kernels[i].handle != NULL;
	return CUDA_SUCCESS;
}

CUresult cuLibraryEnumerateKernels(CUkernel *kernels_out, unsigned int n, CUlibrary handle)
{
	struct pl_cu_library *library;
	unsigned int done = 0;
	CUresult r = library_get_ready(handle, &library);
	if (r)
		return r;
	if (!kernels_out || !n)
		return CUDA_ERROR_INVALID_VALUE;
	for (uint32_t i = 0; i < library->image->ptx->funcs_n && done < n; i++)
		if (library->kernels[i].handle)
			kernels_out[done++] = library->kernels[i].handle;
	return CUDA_SUCCESS;
}

CUresult cuLibraryGetModule(CUmodule *module_out, CUlibrary handle)
{
	struct pl_cu_module *module;
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (!r && !module_out)
		r = CUDA_ERROR_INVALID_VALUE;
	if (!r)
		r = library_place(handle, &module);
	if (!r)
		*module_out = module->handle;
	return r;
}

static CUresult library_var(CUdeviceptr *address_out, size_t *bytes_out, CUlibrary handle, const char *name,
			    bool managed)
{
	const struct pl_ptx_var *var;
	struct pl_cu_module *module;
	CUresult r;
	if (!name)
		return CUDA_ERROR_INVALID_VALUE;
	r = library_place(handle, &module);
	if (r)
		return r;
	var = pl_cu_module_var(module, name);
	if (!var || (managed && !var->managed))
		return CUDA_ERROR_NOT_FOUND;
	if (address_out)
		*address_out = pl_cu_module_var_address(module, var);
	if (bytes_out)
		*bytes_out = var->bytes;
	return CUDA_SUCCESS;
}

CUresult cuLibraryGetGlobal(CUdeviceptr *address_out, size_t *bytes_out, CUlibrary handle, const char *name)
{
	return library_var(address_out, bytes_out, handle, name, false);
}

CUresult cuLibraryGetManaged(CUdeviceptr *address_out, size_t *bytes_out, CUlibrary handle, const char *name)
{
	return library_var(address_out, bytes_out, handle, name, true);
}

static CUresult kernel_get(CUkernel handle, struct pl_cu_kernel **kernel_out)
{
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	*kernel_out = pl_cuda_handle_held(handle, PL_CU_KERNEL);
	return *kernel_out ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

CUresult cuKernelGetFunction(CUfunction *func_out, CUkernel handle)
{
	struct pl_cu_kernel *kernel;
	struct pl_cu_func *func;
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (!r)
		r = kernel_get(handle, &kernel);
	if (r)
		return r;
	if (!func_out)
		return CUDA_ERROR_INVALID_VALUE;
	r = pl_cu_kernel_func(kernel, ctx, &func);
	if (!r)
		*func_out = func->handle;
	return r;
}

CUresult cuKernelGetLibrary(CUlibrary *library_out, CUkernel handle)
{
	struct pl_cu_kernel *kernel;
	CUresult r = kernel_get(handle, &kernel);
	if (r)
		return r;
	if (!library_out)
		return CUDA_ERROR_INVALID_VALUE;
	*library_out = kernel->library->handle;
	return CUDA_SUCCESS;
}

CUresult cuKernelGetName(const char **name_out, CUkernel handle)
{
	struct pl_cu_kernel *kernel;
	CUresult r;
	if (!name_out || !handle)
		return CUDA_ERROR_INVALID_VALUE;
	r = kernel_get(handle, &kernel);
	if (!r)
		*name_out = kernel->info->name;
	return r;
}
