#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/wait.h"
#include "check.h"
#include "module.h"

#define FILE_BYTES_MAX (4ull << 30)

/* -- images -------------------------------------------------------------------------------------------------------- */

CUresult pl_cu_image_compile_result(int r)
{
	switch (r) {
	case PL_PTX_OK:
		return CUDA_SUCCESS;
	case PL_PTX_E_VERSION:
		return CUDA_ERROR_UNSUPPORTED_PTX_VERSION;
	case PL_PTX_E_UNSUPPORTED:
		return CUDA_ERROR_NOT_SUPPORTED;
	case PL_PTX_E_INVALID:
	case PL_PTX_E_LINK:
	case PL_PTX_E_LIMIT:
		return CUDA_ERROR_INVALID_PTX;
	default:
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
}

static int compile(struct pl_ptx_image **ptx_out, const struct pl_cu_texts *texts, struct pl_cu_jit *jit)
{
	struct pl_ptx_source *sources = calloc(texts->n, sizeof(*sources));
	int r;
	if (!sources)
		return -ENOMEM;
	for (uint32_t i = 0; i < texts->n; i++)
		sources[i] = (struct pl_ptx_source){ .text = texts->text[i].data, .bytes = texts->text[i].len_bytes };
	r = pl_ptx_compile(ptx_out, sources, texts->n, &jit->options, &jit->log);
	free(sources);
	return r;
}

static CUresult image_make(struct pl_cu_image **image_out, const struct pl_cu_texts *texts, struct pl_cu_jit *jit)
{
	struct pl_cu_image *image = calloc(1, sizeof(*image));
	CUresult r = CUDA_SUCCESS;
	if (!image)
		return CUDA_ERROR_OUT_OF_MEMORY;
	atomic_store(&image->refs, 1);
	image->lazy = pl_cu_lazy_create(texts, jit, &image->ptx);
	if (!image->lazy)
		r = pl_cu_image_compile_result(compile(&image->ptx, texts, jit));
	if (r) {
		free(image);
		return r;
	}
	pl_cu_image_keep(image, texts, jit);
	*image_out = image;
	return CUDA_SUCCESS;
}

CUresult pl_cu_image_compile(struct pl_cu_image **image_out, const struct pl_cu_texts *texts, struct pl_cu_jit *jit)
{
	uint64_t begin = pl_now_ns();
	struct pl_cu_image *image = pl_cu_image_cached(texts, jit);
	CUresult r = image ? CUDA_SUCCESS : image_make(&image, texts, jit);
	pl_cu_jit_finish(jit, r, (float)(pl_now_ns() - begin) / 1e6f);
	if (!r)
		*image_out = image;
	return r;
}

struct pl_cu_image *pl_cu_image_ref(struct pl_cu_image *image)
{
	atomic_fetch_add(&image->refs, 1);
	return image;
}

void pl_cu_image_unref(struct pl_cu_image *image)
{
	if (!image || atomic_fetch_sub(&image->refs, 1) != 1)
		return;
	pl_cu_lazy_destroy(image->lazy);
	pl_ptx_image_destroy(image->ptx);
	free(image);
}

/* -- modules ------------------------------------------------------------------------------------------------------- */

static bool section_managed(const struct pl_ptx_image *ptx, int section)
{
	for (uint32_t i = 0; section == PL_PTX_GLOBAL && i < ptx->vars_n; i++)
		if (ptx->vars[i].managed)
			return true;
	return false;
}

static CUresult sections_create(struct pl_cu_module *module)
{
	static const char *const names[] = { "code", "variables", "constants" };
	const struct pl_ptx_image *ptx = module->image->ptx;
	int r = 0;
	for (int s = 0; s < PL_PTX_SECTIONS && !r; s++) {
		uint64_t bytes = ptx->sections[s].bytes;
		if (!bytes)
			continue;
		if (section_managed(ptx, s))
			r = pl_cu_mem_create_host(&module->section[s], PL_CU_MEM_MODULE, module->ctx, NULL, bytes,
						  false);
		else
			r = pl_cu_mem_create(&module->section[s], PL_CU_MEM_MODULE, module->ctx, bytes);
		if (!r)
			module->section[s]->what = names[s];
	}
	return pl_cu_result_of(r);
}

void pl_cu_section_write(const struct pl_cu_mem *mem, const uint8_t *from, uint64_t bytes)
{
	for (uint64_t done = 0; done < mem->bytes;) {
		uint64_t room, part;
		uint8_t *to = pl_cu_mem_host(mem->va + done, &room);
		part = done >= bytes ? 0 : bytes - done < room ? bytes - done : room;
		memcpy(to, from + done, part);
		memset(to + part, 0, room - part);
		done += room;
	}
}

static CUresult sections_write(struct pl_cu_module *module)
{
	const struct pl_ptx_image *ptx = module->image->ptx;
	uint64_t bases[PL_PTX_SECTIONS] = { 0 };
	uint8_t *copy[PL_PTX_SECTIONS] = { 0 };
	CUresult r = CUDA_SUCCESS;
	for (int s = 0; s < PL_PTX_SECTIONS; s++) {
		bases[s] = module->section[s] ? module->section[s]->va : 0;
		copy[s] = malloc(ptx->sections[s].data_bytes + 1);
		if (!copy[s])
			r = CUDA_ERROR_OUT_OF_MEMORY;
	}
	if (!r)
		pl_ptx_image_place(ptx, bases, copy);
	for (int s = 0; s < PL_PTX_SECTIONS; s++) {
		if (!r && module->section[s])
			pl_cu_section_write(module->section[s], copy[s], ptx->sections[s].data_bytes);
		free(copy[s]);
	}
	return r;
}

static void module_free(struct pl_cu_module *module)
{
	pl_cu_ctx_wait(module->ctx); /* a call that used it when it was unloaded may have launched */
	for (uint32_t i = 0; module->funcs && i < module->image->ptx->funcs_n; i++) {
		free(module->funcs[i].params);
		pl_cu_mem_destroy(module->funcs[i].own_code);
	}
	free(module->funcs);
	for (int s = 0; s < PL_PTX_SECTIONS; s++)
		pl_cu_mem_destroy(module->section[s]);
	pl_cu_image_unref(module->image);
	pl_cu_ctx_unref(module->ctx);
	free(module);
}

void pl_cu_module_unref(struct pl_cu_module *module)
{
	if (atomic_fetch_sub(&module->refs, 1) == 1)
		module_free(module);
}

static void handle_gone(void *module)
{
	pl_cu_module_unref(module);
}

static void func_gone(void *func)
{
	pl_cu_module_unref(((struct pl_cu_func *)func)->module);
}

static CUresult funcs_create(struct pl_cu_module *module)
{
	const struct pl_ptx_image *ptx = module->image->ptx;
	module->funcs = calloc(ptx->funcs_n + 1, sizeof(*module->funcs));
	if (!module->funcs)
		return CUDA_ERROR_OUT_OF_MEMORY;
	for (uint32_t i = 0; i < ptx->funcs_n; i++) {
		struct pl_cu_func *func = &module->funcs[i];
		func->module = module;
		func->info = &ptx->funcs[i];
		func->ptx = ptx;
		atomic_init(&func->code, module->image->lazy ? NULL : module->section[PL_PTX_CODE]);
		pl_cu_settings_init(&func->set);
		if (!func->info->entry)
			continue;
		func->handle = (CUfunction)(uintptr_t)pl_cuda_handle_create(PL_CU_FUNC, func);
		if (!func->handle)
			return CUDA_ERROR_OUT_OF_MEMORY;
		atomic_fetch_add(&module->refs, 1);
	}
	return CUDA_SUCCESS;
}

static void funcs_retire(struct pl_cu_module *module)
{
	for (uint32_t i = 0; module->funcs && i < module->image->ptx->funcs_n; i++)
		(void)pl_cuda_handle_retire((uint64_t)(uintptr_t)module->funcs[i].handle, func_gone);
}

CUresult pl_cu_module_place(struct pl_cu_module **module_out, struct pl_cu_ctx *ctx, struct pl_cu_image *image,
			    struct pl_cu_library *library)
{
	struct pl_cu_module *module = calloc(1, sizeof(*module));
	CUresult r;
	if (!module)
		return CUDA_ERROR_OUT_OF_MEMORY;
	*module = (struct pl_cu_module){
		.ctx = pl_cu_ctx_ref(ctx), .image = pl_cu_image_ref(image), .library = library, .refs = 1
	};
	r = sections_create(module);
	if (!r)
		r = sections_write(module);
	if (!r)
		r = funcs_create(module);
	if (!r) {
		module->handle = (CUmodule)(uintptr_t)pl_cuda_handle_create(PL_CU_MODULE, module);
		r = module->handle ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
	}
	if (r) {
		funcs_retire(module);
		pl_cu_module_unref(module);
		return r;
	}
	pthread_mutex_lock(&ctx->lock);
	module->next = ctx->modules;
	ctx->modules = module;
	pthread_mutex_unlock(&ctx->lock);
	*module_out = module;
	return CUDA_SUCCESS;
}

bool pl_cu_module_destroy(struct pl_cu_module *module)
{
	uint32_t call = pl_cuda_call_begin();
	struct pl_cu_ctx *ctx = module->ctx;
	bool mine = pl_cuda_handle_held(module->handle, PL_CU_MODULE) == module;
	if (mine)
		mine = pl_cuda_handle_retire((uint64_t)(uintptr_t)module->handle, handle_gone);
	if (mine) {
		pl_cu_check_drain();
		pthread_mutex_lock(&ctx->lock);
		for (struct pl_cu_module **at = &ctx->modules; *at; at = &(*at)->next) {
			if (*at != module)
				continue;
			*at = module->next;
			break;
		}
		pthread_mutex_unlock(&ctx->lock);
		pl_cu_refs_destroy(module);
		funcs_retire(module);
	}
	pl_cuda_call_end(call);
	return mine;
}

void pl_cu_modules_end(struct pl_cu_ctx *ctx)
{
	struct pl_cu_module *module;
	do {
		uint32_t call = pl_cuda_call_begin();
		pthread_mutex_lock(&ctx->lock);
		module = ctx->modules;
		while (module && pl_cuda_handle_held(module->handle, PL_CU_MODULE) != module)
			module = module->next; /* whoever destroys it does the rest, too */
		pthread_mutex_unlock(&ctx->lock);
		if (module)
			(void)pl_cu_module_destroy(module);
		pl_cuda_call_end(call);
	} while (module);
}

struct pl_cu_module *pl_cu_module_of_library(struct pl_cu_ctx *ctx, const struct pl_cu_library *library)
{
	struct pl_cu_module *module;
	pthread_mutex_lock(&ctx->lock);
	for (module = ctx->modules; module; module = module->next)
		if (module->library == library && pl_cuda_handle_held(module->handle, PL_CU_MODULE) == module)
			break;
	pthread_mutex_unlock(&ctx->lock);
	return module;
}

CUresult pl_cu_fatbin_result(int r)
{
	switch (r) {
	case PL_CU_FATBIN_OK:
		return CUDA_SUCCESS;
	case PL_CU_FATBIN_E_INVALID:
		return CUDA_ERROR_INVALID_IMAGE;
	case PL_CU_FATBIN_E_NO_CODE:
	case PL_CU_FATBIN_E_TOO_NEW:
		return CUDA_ERROR_NO_BINARY_FOR_GPU;
	default:
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
}

CUresult pl_cu_module_load(struct pl_cu_module **module_out, struct pl_cu_ctx *ctx, const void *image,
			   size_t size_bytes, struct pl_cu_jit *jit)
{
	struct pl_cu_texts texts = { 0 };
	struct pl_cu_image *made = NULL;
	const char *why = "";
	CUresult r = pl_cu_fatbin_result(pl_cu_fatbin_read(&texts, image, size_bytes, pl_cu_capability(), &why));
	if (r) {
		pl_cu_jit_refuse(jit, r, why);
		return r;
	}
	r = pl_cu_image_compile(&made, &texts, jit);
	pl_cu_texts_fini(&texts);
	if (!r)
		r = pl_cu_module_place(module_out, ctx, made, NULL);
	pl_cu_image_unref(made);
	return r;
}

CUresult pl_cu_file_read(const char *path, void **data_out, size_t *bytes_out)
{
	pl_cleanup(pl_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	pl_cleanup(pl_freep) char *data = NULL;
	struct stat stat;
	size_t done = 0;
	if (fd < 0 || fstat(fd, &stat) || !S_ISREG(stat.st_mode))
		return CUDA_ERROR_FILE_NOT_FOUND;
	if ((uint64_t)stat.st_size > FILE_BYTES_MAX)
		return CUDA_ERROR_INVALID_IMAGE;
	data = malloc((size_t)stat.st_size + 1);
	if (!data)
		return CUDA_ERROR_OUT_OF_MEMORY;
	while (done < (size_t)stat.st_size) {
		ssize_t got = read(fd, data + done, (size_t)stat.st_size - done);
		if (got <= 0)
			return CUDA_ERROR_FILE_NOT_FOUND;
		done += (size_t)got;
	}
	data[done] = 0;
	*data_out = pl_steal(data);
	*bytes_out = done;
	return CUDA_SUCCESS;
}

/* -- names --------------------------------------------------------------------------------------------------------- */

struct pl_cu_func *pl_cu_module_func(struct pl_cu_module *module, const char *name)
{
	const struct pl_ptx_image *ptx = module->image->ptx;
	const struct pl_ptx_func *info = pl_ptx_image_func(ptx, name);
	return info && info->entry ? &module->funcs[info - ptx->funcs] : NULL;
}

const struct pl_ptx_var *pl_cu_module_var(const struct pl_cu_module *module, const char *name)
{
	const struct pl_ptx_var *var = pl_ptx_image_var(module->image->ptx, name);
	return var && var->space != PL_PTX_SPACE_SHARED ? var : NULL; /* nvcc gives constants no linkage */
}

uint64_t pl_cu_module_var_address(const struct pl_cu_module *module, const struct pl_ptx_var *var)
{
	const struct pl_cu_mem *mem = module->section[var->space == PL_PTX_SPACE_CONST ? PL_PTX_CONST : PL_PTX_GLOBAL];
	return mem ? mem->va + var->offset : 0;
}

/* The image whose code lies there, in a module or in one of its functions. */
static const struct pl_ptx_image *code_of(const struct pl_cu_module *module, const struct pl_cu_mem *mem)
{
	if (module->section[PL_PTX_CODE] == mem)
		return module->image->ptx;
	for (uint32_t i = 0; i < module->image->ptx->funcs_n; i++)
		if (module->funcs[i].own_code == mem)
			return module->funcs[i].ptx;
	return NULL;
}

const struct pl_ptx_func *pl_cu_code_find(uint64_t pc, const struct pl_ptx_image **ptx_out, uint64_t *offset_out)
{
	struct pl_cu_mem *mem = pl_cu_mem_find(pc);
	struct pl_cu_ctx *ctx = mem && mem->kind == PL_CU_MEM_MODULE ? pl_cu_ctx_of(mem->ctx) : NULL;
	const struct pl_ptx_func *found = NULL;
	if (!ctx)
		return NULL;
	pthread_mutex_lock(&ctx->lock);
	for (struct pl_cu_module *module = ctx->modules; module && !found; module = module->next) {
		const struct pl_ptx_image *ptx = code_of(module, mem);
		if (!ptx)
			continue;
		*ptx_out = ptx;
		*offset_out = pc - mem->va;
		for (uint32_t i = 0; i < ptx->funcs_n; i++)
			if (*offset_out - ptx->funcs[i].offset < ptx->funcs[i].bytes)
				found = &ptx->funcs[i];
	}
	pthread_mutex_unlock(&ctx->lock);
	return found;
}
