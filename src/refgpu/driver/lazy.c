/* Lazy images: the text is kept, and each kernel compiled when it is first used. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lz4.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "module.h"
#include "refgpu/ptx/slice.h"

#define TEXT_BYTES_MIN (128u << 10) /* shorter ones are compiled as fast, and all that is wrong with them is said */

struct part {
	bool tried;
	CUresult result;
	struct pl_ptx_image *ptx;
	const struct pl_ptx_func *info;
};

struct pl_cu_lazy {
	pthread_mutex_t lock;
	struct pl_ptx_slices *slices;
	struct pl_ptx_options options;
	char *packed; /* the text */
	int packed_bytes, text_bytes;
	struct part *parts; /* one for each function of the head */
	uint32_t parts_n;
};

static void lazy_destroyp(struct pl_cu_lazy **lazy)
{
	pl_cu_lazy_destroy(*lazy);
}

void pl_cu_lazy_destroy(struct pl_cu_lazy *lazy)
{
	if (!lazy)
		return;
	for (uint32_t i = 0; lazy->parts && i < lazy->parts_n; i++)
		pl_ptx_image_destroy(lazy->parts[i].ptx);
	free(lazy->parts);
	pl_ptx_slices_destroy(lazy->slices);
	free(lazy->packed);
	pthread_mutex_destroy(&lazy->lock);
	free(lazy);
}

bool pl_cu_image_whole_wanted(const struct pl_cu_jit *jit)
{
	const char *told = getenv("CUDA_MODULE_LOADING");

	return jit->log.info || jit->log.error != jit->own_error || jit->wall_time || jit->info_used ||
	       jit->error_used || jit->options.verbose || (told && !strcmp(told, "EAGER"));
}

static bool text_pack(struct pl_cu_lazy *lazy, const struct pl_cu_text *text)
{
	int room = LZ4_compressBound((int)text->len_bytes);
	char *fit;
	lazy->packed = malloc((size_t)room);
	if (!lazy->packed)
		return false;
	lazy->text_bytes = (int)text->len_bytes;
	lazy->packed_bytes = LZ4_compress_default(text->data, lazy->packed, lazy->text_bytes, room);
	fit = lazy->packed_bytes > 0 ? realloc(lazy->packed, (size_t)lazy->packed_bytes) : NULL;
	if (fit)
		lazy->packed = fit;
	return lazy->packed_bytes > 0;
}

/* NULL: no memory, which packing did find. */
static char *text_unpack(const struct pl_cu_lazy *lazy)
{
	char *text = malloc((size_t)lazy->text_bytes + 1);
	if (text && LZ4_decompress_safe(lazy->packed, text, lazy->packed_bytes, lazy->text_bytes) != lazy->text_bytes) {
		free(text);
		return NULL;
	}
	return text;
}

static bool head_compile(struct pl_cu_lazy *lazy, const struct pl_ptx_source *source, struct pl_ptx_image **head_out)
{
	struct pl_ptx_source head = { .name = NULL };
	char *text;
	int r;
	if (pl_ptx_slices_text(lazy->slices, source, NULL, &text, &head.bytes))
		return false;
	head.text = text;
	r = pl_ptx_compile(head_out, &head, 1, &lazy->options, NULL);
	free(text);
	return r == 0;
}

struct pl_cu_lazy *pl_cu_lazy_create(const struct pl_cu_texts *texts, const struct pl_cu_jit *jit,
				     struct pl_ptx_image **head_out)
{
	const struct pl_cu_text *text = texts->text;
	pl_cleanup(lazy_destroyp) struct pl_cu_lazy *lazy = NULL;
	struct pl_ptx_source source;
	if (texts->n != 1 || !texts->built || text->len_bytes < TEXT_BYTES_MIN || pl_cu_image_whole_wanted(jit))
		return NULL;
	lazy = calloc(1, sizeof(*lazy));
	if (!lazy)
		return NULL;
	pthread_mutex_init(&lazy->lock, NULL);
	lazy->options = jit->options;
	source = (struct pl_ptx_source){ .text = text->data, .bytes = text->len_bytes };
	if (pl_ptx_slices_create(&lazy->slices, &source) || !text_pack(lazy, text) ||
	    !head_compile(lazy, &source, head_out))
		return NULL;
	lazy->parts_n = (*head_out)->funcs_n;
	lazy->parts = calloc(lazy->parts_n + 1, sizeof(*lazy->parts));
	if (!lazy->parts) {
		pl_ptx_image_destroy(*head_out);
		*head_out = NULL;
		return NULL;
	}
	return pl_steal(lazy);
}

/* Variables lie where the head has them, else the code would reach others. */
static bool same_places(const struct pl_ptx_image *a, const struct pl_ptx_image *b)
{
	return a->sections[PL_PTX_GLOBAL].bytes == b->sections[PL_PTX_GLOBAL].bytes &&
	       a->sections[PL_PTX_CONST].bytes == b->sections[PL_PTX_CONST].bytes;
}

static CUresult part_compile(struct pl_cu_lazy *lazy, const struct pl_ptx_image *head, const char *name,
			     struct part *part)
{
	pl_cleanup(pl_freep) char *whole = text_unpack(lazy), *text = NULL;
	struct pl_ptx_source source = { .text = whole, .bytes = (size_t)lazy->text_bytes };
	struct pl_ptx_source slice = { .name = NULL };
	char error[1024] = "";
	struct pl_ptx_log log = { .error = error, .error_bytes = sizeof(error) };
	CUresult r;
	if (!whole || pl_ptx_slices_text(lazy->slices, &source, name, &text, &slice.bytes))
		return CUDA_ERROR_OUT_OF_MEMORY;
	slice.text = text;
	r = pl_cu_image_compile_result(pl_ptx_compile(&part->ptx, &slice, 1, &lazy->options, &log));
	if (!r && !same_places(part->ptx, head)) {
		r = CUDA_ERROR_INVALID_PTX;
		snprintf(error, sizeof(error),
			 "its variables are not where the module has them: set "
			 "CUDA_MODULE_LOADING=EAGER\n");
	}
	if (r)
		fprintf(stderr, "plenum refgpu: the kernel %s was refused: %s", name, error[0] ? error : "no memory\n");
	else
		part->info = pl_ptx_image_func(part->ptx, name);
	return r;
}

CUresult pl_cu_image_kernel(struct pl_cu_image *image, const struct pl_ptx_func *info,
			    const struct pl_ptx_func **info_out, const struct pl_ptx_image **ptx_out)
{
	struct pl_cu_lazy *lazy = image->lazy;
	struct part *part;
	*info_out = info;
	*ptx_out = image->ptx;
	if (!lazy)
		return CUDA_SUCCESS;
	part = &lazy->parts[info - image->ptx->funcs];
	pthread_mutex_lock(&lazy->lock);
	if (!part->tried) {
		part->result = part_compile(lazy, image->ptx, info->name, part);
		part->tried = part->result != CUDA_ERROR_OUT_OF_MEMORY;
	}
	*info_out = part->info;
	*ptx_out = part->ptx;
	pthread_mutex_unlock(&lazy->lock);
	return part->result;
}

static CUresult code_place(struct pl_cu_mem **code_out, const struct pl_cu_module *module,
			   const struct pl_ptx_image *ptx)
{
	const struct pl_ptx_bytes *code = &ptx->sections[PL_PTX_CODE];
	uint64_t bases[PL_PTX_SECTIONS];
	uint8_t *copy[PL_PTX_SECTIONS];
	CUresult r = pl_cu_result_of(pl_cu_mem_create(code_out, PL_CU_MEM_MODULE, module->ctx, code->bytes));
	if (r)
		return r;
	(*code_out)->what = "code";
	for (int s = 0; s < PL_PTX_SECTIONS; s++) {
		bases[s] = module->section[s] ? module->section[s]->va : 0;
		copy[s] = malloc(ptx->sections[s].data_bytes + 1);
		if (!copy[s])
			r = CUDA_ERROR_OUT_OF_MEMORY;
	}
	bases[PL_PTX_CODE] = (*code_out)->va;
	if (!r) {
		pl_ptx_image_place(ptx, bases, copy);
		pl_cu_section_write(*code_out, copy[PL_PTX_CODE], code->data_bytes);
	}
	for (int s = 0; s < PL_PTX_SECTIONS; s++)
		free(copy[s]);
	if (r)
		pl_cu_mem_destroy(*code_out);
	return r;
}

/* Called with the image's lock held. */
static CUresult func_place(struct pl_cu_func *func, const struct pl_ptx_func *info, const struct pl_ptx_image *ptx)
{
	struct pl_cu_ctx *ctx = func->module->ctx;
	struct pl_cu_mem *code;
	CUresult r = code_place(&code, func->module, ptx);
	if (r)
		return r;
	pthread_mutex_lock(&ctx->lock);
	func->info = info;
	func->ptx = ptx;
	func->own_code = code;
	pthread_mutex_unlock(&ctx->lock);
	atomic_store(&func->code, code);
	return CUDA_SUCCESS;
}

CUresult pl_cu_func_ready(struct pl_cu_func *func)
{
	struct pl_cu_image *image = func->module->image;
	const struct pl_ptx_func *info;
	const struct pl_ptx_image *ptx;
	CUresult r;
	if (!image->lazy || atomic_load(&func->code))
		return CUDA_SUCCESS;
	r = pl_cu_image_kernel(image, &image->ptx->funcs[func - func->module->funcs], &info, &ptx);
	if (r)
		return r;
	pthread_mutex_lock(&image->lazy->lock);
	if (!atomic_load(&func->code))
		r = func_place(func, info, ptx);
	pthread_mutex_unlock(&image->lazy->lock);
	return r;
}
