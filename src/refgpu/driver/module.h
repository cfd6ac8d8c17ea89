/*
 * Code: an image is what the compiler makes of one or several PTX texts and is shared by all who load it; a module is
 * an image placed in a context's memory; a library is an image that is placed in each context that uses it, when it
 * does.
 */
#ifndef PL_REFGPU_DRIVER_MODULE_H
#define PL_REFGPU_DRIVER_MODULE_H

#include "refgpu/driver/driver.h"
#include "refgpu/driver/fatbin.h"
#include "refgpu/driver/jit.h"
#include "refgpu/driver/mem.h"
#include "refgpu/ptx/ptx.h"

struct pl_cu_image {
	struct pl_ptx_image *ptx; /* lazy: its kernels do nothing and only tell their parameters */
	struct pl_cu_lazy *lazy;  /* NULL: all of it is compiled */
	atomic_uint refs;
};

/* Attributes of functions that can be set; < 0: it was not. */
struct pl_cu_settings {
	_Atomic int dynamic_shared_max; /* bytes */
	_Atomic int carveout;           /* percent */
	_Atomic int cluster[3];         /* blocks */
	_Atomic int cluster_any;        /* sizes that other devices don't have are allowed, too */
	_Atomic int cluster_policy;     /* CUclusterSchedulingPolicy */
};

struct pl_cu_func {
	CUfunction handle;
	struct pl_cu_module *module;
	const struct pl_ptx_func *info;
	const struct pl_ptx_image *ptx;   /* what its code lies in */
	_Atomic(struct pl_cu_mem *) code; /* its section; NULL: not compiled yet */
	struct pl_cu_mem *own_code;       /* of a lazy image */
	atomic_bool named;                /* somebody got it by its name, which loads it */
	uint64_t shape_block[3];          /* cuFuncSetBlockShape() */
	struct pl_cu_settings set;
	char *params; /* of the functions that cuParamSet*() has filled */
	uint32_t params_bytes, shape_shared;
};

struct pl_cu_module {
	CUmodule handle;
	struct pl_cu_ctx *ctx; /* a reference */
	atomic_uint refs;      /* its handle's, its functions' and its references' */
	struct pl_cu_image *image;
	struct pl_cu_library *library;              /* NULL: loaded as a module */
	struct pl_cu_mem *section[PL_PTX_SECTIONS]; /* NULL: empty */
	struct pl_cu_func *funcs;                   /* one for each of the image's */
	struct pl_cu_ref *texrefs;                  /* texture and surface references that were asked for */
	struct pl_cu_module *next;                  /* in ctx->modules, under ctx->lock */
};

struct pl_cu_kernel {
	CUkernel handle;
	struct pl_cu_library *library;
	const struct pl_ptx_func *info;
	struct pl_cu_settings set;
};

struct pl_cu_library {
	CUlibrary handle;
	atomic_uint refs; /* its handle's and its kernels' */
	pthread_mutex_t lock;
	bool unloaded;     /* under lock */
	CUcontext *placed; /* under lock until it is unloaded: where it was placed, some of them gone since */
	size_t placed_n;
	struct pl_cu_texts texts; /* until they are compiled, under lock */
	struct pl_cu_jit jit;
	bool tried;
	CUresult result; /* of compiling */
	struct pl_cu_image *image;
	struct pl_cu_kernel *kernels; /* one for each function of the image */
};

/* One reference.  Sets the logs of `jit`.  A large text that nvcc built becomes a lazy image: a kernel is compiled when
 * it is used, and what is wrong with it is said then. */
CUresult pl_cu_image_compile(struct pl_cu_image **image_out, const struct pl_cu_texts *texts, struct pl_cu_jit *jit);
CUresult pl_cu_image_compile_result(int r);
struct pl_cu_image *pl_cu_image_ref(struct pl_cu_image *image);
void pl_cu_image_unref(struct pl_cu_image *image); /* NULL is fine */

/* `image`: as the API gives it.  size_bytes: PL_CU_FATBIN_UNKNOWN where it does not say. */
CUresult pl_cu_module_load(struct pl_cu_module **module_out, struct pl_cu_ctx *ctx, const void *image,
			   size_t size_bytes, struct pl_cu_jit *jit);
CUresult pl_cu_module_place(struct pl_cu_module **module_out, struct pl_cu_ctx *ctx, struct pl_cu_image *image,
			    struct pl_cu_library *library);
/* The first `bytes` from there, then zeros. */
void pl_cu_section_write(const struct pl_cu_mem *mem, const uint8_t *from, uint64_t bytes);
/* The context's device does not run it any more. */
bool pl_cu_module_destroy(struct pl_cu_module *module); /* false: another thread has destroyed it */
void pl_cu_module_unref(struct pl_cu_module *module);
void pl_cu_modules_end(struct pl_cu_ctx *ctx); /* all of a context that goes away */
/* The one of a library in a context, for this call; NULL: none. */
struct pl_cu_module *pl_cu_module_of_library(struct pl_cu_ctx *ctx, const struct pl_cu_library *library);
/* Whole texts of a file, for the functions that load from one. */
CUresult pl_cu_file_read(const char *path, void **data_out, size_t *bytes_out);
CUresult pl_cu_fatbin_result(int r);

struct pl_cu_func *pl_cu_module_func(struct pl_cu_module *module, const char *name);
/* A variable that the API may find; NULL: none. */
const struct pl_ptx_var *pl_cu_module_var(const struct pl_cu_module *module, const char *name);
uint64_t pl_cu_module_var_address(const struct pl_cu_module *module, const struct pl_ptx_var *var);

/* -- images that were compiled before (image-cache.c): 64 of them, unless CUDA_CACHE_DISABLE is set -- */

/* One reference; NULL: compile it.  The log of such an image was empty. */
struct pl_cu_image *pl_cu_image_cached(const struct pl_cu_texts *texts, const struct pl_cu_jit *jit);
/* jit: after compiling. */
void pl_cu_image_keep(struct pl_cu_image *image, const struct pl_cu_texts *texts, const struct pl_cu_jit *jit);

/* -- lazy images (lazy.c) -- */

/* Who gave a place for a log or asked for the time, or wants no lazy loading. */
bool pl_cu_image_whole_wanted(const struct pl_cu_jit *jit);

/* NULL: not for these texts: compile them whole, which also says what is wrong.  *head_out is set on success. */
struct pl_cu_lazy *pl_cu_lazy_create(const struct pl_cu_texts *texts, const struct pl_cu_jit *jit,
				     struct pl_ptx_image **head_out);
void pl_cu_lazy_destroy(struct pl_cu_lazy *lazy); /* NULL is fine */
/* The facts and the code of a kernel of any image, compiled now where it was not. */
CUresult pl_cu_image_kernel(struct pl_cu_image *image, const struct pl_ptx_func *info,
			    const struct pl_ptx_func **info_out, const struct pl_ptx_image **ptx_out);
CUresult pl_cu_func_ready(struct pl_cu_func *func);

/* A CUfunction, or a CUkernel in its place: the function of the current context, compiled. */
CUresult pl_cu_func_get(CUfunction handle, struct pl_cu_func **func_out);
/* As above; what a kernel is in this context.  NULL: CUDA_ERROR_INVALID_CONTEXT, for a kernel. */
CUresult pl_cu_func_in(CUfunction handle, struct pl_cu_ctx *ctx, struct pl_cu_func **func_out);
void pl_cu_settings_init(struct pl_cu_settings *set);
_Atomic int *pl_cu_setting_of(struct pl_cu_settings *set, CUfunction_attribute attribute); /* NULL: it can't be set */
/* Of a kernel, and of its functions in all contexts: it holds for the device. */
void pl_cu_kernel_set(struct pl_cu_kernel *kernel, CUfunction_attribute attribute, int value);
CUresult pl_cu_kernel_func(struct pl_cu_kernel *kernel, struct pl_cu_ctx *ctx, struct pl_cu_func **func_out);
CUresult pl_cu_library_module(struct pl_cu_library *library, struct pl_cu_ctx *ctx, struct pl_cu_module **module_out);
CUresult pl_cu_library_ready(struct pl_cu_library *library); /* compiles it */

/* For reports: the image whose code holds the address. */
const struct pl_ptx_func *pl_cu_code_find(uint64_t pc, const struct pl_ptx_image **ptx_out, uint64_t *offset_out);

/* Texture and surface references go with their module (texref.c). */
void pl_cu_refs_destroy(struct pl_cu_module *module);

#endif
