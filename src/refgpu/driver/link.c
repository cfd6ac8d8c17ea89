/* cuLink*(): texts are kept until they are compiled together; the result is one text after the other in a container
 * that cuModuleLoadData() reads. */
#include <stdlib.h>
#include <string.h>

#include "archive.h"
#include "cuda-api.h"
#include "module.h"

struct link {
	CUlinkState handle;
	struct pl_cu_jit jit;
	struct pl_cu_texts texts;
	void *result;
};

static CUresult link_get(CUlinkState handle, struct link **link_out)
{
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (r)
		return r;
	*link_out = pl_cuda_handle_held(handle, PL_CU_LINK);
	return *link_out ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

CUresult cuLinkCreate_v2(unsigned int n, CUjit_option *options, void **values, CUlinkState *state_out)
{
	struct pl_cu_ctx *ctx;
	struct link *link;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (r)
		return r;
	if (!state_out)
		return CUDA_ERROR_INVALID_VALUE;
	link = calloc(1, sizeof(*link));
	if (!link)
		return CUDA_ERROR_OUT_OF_MEMORY;
	r = pl_cu_jit_read(&link->jit, n, options, values);
	if (!r) {
		link->handle = (CUlinkState)(uintptr_t)pl_cuda_handle_create(PL_CU_LINK, link);
		r = link->handle ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
	}
	if (r) {
		free(link);
		return r;
	}
	*state_out = link->handle;
	return CUDA_SUCCESS;
}

CUresult cuLinkAddData_v2(CUlinkState state, CUjitInputType type, void *data, size_t bytes, const char *name,
			  unsigned int n, CUjit_option *options, void **values)
{
	struct pl_cu_texts texts = { 0 };
	struct pl_cu_jit ignored;
	const char *why = "";
	struct link *link;
	bool host;
	int got;
	CUresult r = link_get(state, &link);
	(void)name;
	if (r)
		return r;
	if (!data || !bytes || link->result)
		return CUDA_ERROR_INVALID_VALUE;
	if (type == CU_JIT_INPUT_NVVM)
		return CUDA_ERROR_NOT_SUPPORTED;
	host = type == CU_JIT_INPUT_LIBRARY || type == CU_JIT_INPUT_OBJECT;
	if (!host && type != CU_JIT_INPUT_PTX && type != CU_JIT_INPUT_FATBINARY && type != CU_JIT_INPUT_CUBIN)
		return CUDA_ERROR_INVALID_VALUE;
	r = pl_cu_jit_read(&ignored, n, options, values);
	if (r)
		return r;
	got = host ? pl_cu_archive_read(&texts, data, bytes, pl_cu_capability(), &why)
		   : pl_cu_fatbin_read(&texts, data, bytes, pl_cu_capability(), &why);
	r = pl_cu_fatbin_result(got ? got : pl_cu_texts_append(&link->texts, &texts));
	if (got > 0)
		pl_cu_jit_refuse(&link->jit, r, why);
	pl_cu_texts_fini(&texts);
	return r;
}

CUresult cuLinkAddFile_v2(CUlinkState state, CUjitInputType type, const char *path, unsigned int n,
			  CUjit_option *options, void **values)
{
	size_t bytes;
	void *data;
	CUresult r;
	if (!path)
		return CUDA_ERROR_INVALID_VALUE;
	r = pl_cu_file_read(path, &data, &bytes);
	if (r)
		return r;
	r = cuLinkAddData_v2(state, type, data, bytes, path, n, options, values);
	free(data);
	return r;
}

CUresult cuLinkComplete(CUlinkState state, void **image_out, size_t *bytes_out)
{
	struct pl_cu_image *image;
	struct link *link;
	size_t bytes = 0;
	CUresult r = link_get(state, &link);
	if (r)
		return r;
	if (!image_out || !link->texts.n)
		return CUDA_ERROR_INVALID_VALUE;
	r = pl_cu_image_compile(&image, &link->texts, &link->jit);
	if (r)
		return r;
	pl_cu_image_unref(image);
	free(link->result);
	link->result = pl_cu_texts_pack(&link->texts, &bytes);
	if (!link->result)
		return CUDA_ERROR_OUT_OF_MEMORY;
	*image_out = link->result;
	if (bytes_out)
		*bytes_out = bytes;
	return CUDA_SUCCESS;
}

static void link_free(void *arg)
{
	struct link *link = arg;
	pl_cu_texts_fini(&link->texts);
	free(link->result);
	free(link);
}

CUresult cuLinkDestroy(CUlinkState state)
{
	struct link *link;
	CUresult r = link_get(state, &link);
	if (r)
		return r;
	return pl_cuda_handle_retire((uint64_t)(uintptr_t)state, link_free) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

CUresult cuLinkCreate(unsigned int n, CUjit_option *options, void **values, CUlinkState *state_out)
{
	return cuLinkCreate_v2(n, options, values, state_out);
}

CUresult cuLinkAddData(CUlinkState state, CUjitInputType type, void *data, size_t bytes, const char *name,
		       unsigned int n, CUjit_option *options, void **values)
{
	return cuLinkAddData_v2(state, type, data, bytes, name, n, options, values);
}

CUresult cuLinkAddFile(CUlinkState state, CUjitInputType type, const char *path, unsigned int n, CUjit_option *options,
		       void **values)
{
	return cuLinkAddFile_v2(state, type, path, n, options, values);
}
