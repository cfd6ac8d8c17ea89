/*
 * The driver's state: the process, its device, contexts.  Every exported function begins with one of the enter
 * functions below, which give the API's own error where the process, the context or the device is not usable.
 *
 * An object that a call has looked up by its handle stays until that call ends, whoever destroys it meanwhile: then the
 * handle is none any more, and what the object has is freed behind the last call that uses it.
 */
#ifndef PL_REFGPU_DRIVER_DRIVER_H
#define PL_REFGPU_DRIVER_DRIVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "cuda/api.h"
#include "cuda/storage.h"
#include "refgpu/driver/handle.h"
#include "refgpu/driver/hw.h"
#include "refgpu/driver/identity.h"
#include "refgpu/driver/later.h"
#include "refgpu/isa/launch.h"

#define PL_CU_SHARED_DEFAULT  (48u << 10)
#define PL_CU_SHARED_OPTIN    (227u << 10)
#define PL_CU_SHARED_SM       (228u << 10)
#define PL_CU_SHARED_RESERVED 1024u
#define PL_CU_SM_THREADS      2048u
#define PL_CU_SM_BLOCKS       32u
#define PL_CU_CTX_DEPTH_MAX   256u /* contexts on one thread's stack */
#define PL_CU_IMAGES          (1u << 16)
#define PL_CU_SAMPLERS        4096u

struct pl_cu_line;
struct pl_cu_stream;
struct pl_cu_module;
struct pl_cu_pool;
struct pl_cu_array;
struct pl_cu_mipmap;
struct pl_cu_ref;

struct pl_cu_slots { /* numbers for textures and samplers; under dev->lock */
	uint32_t used, n;
	uint32_t *freed, freed_n, freed_room;
};

struct pl_cu_dev {
	int ordinal;
	struct pl_cu_hw *hw;
	CUuuid uuid;
	pthread_mutex_t lock;
	struct pl_cu_ctx *primary; /* under lock, here and below; NULL: not active */
	unsigned int primary_refs, primary_flags;
	struct pl_cu_pool *pool_default, *pool;
	struct pl_cu_extents images_vram, samplers_vram;
	uint64_t images_va, samplers_va;
	struct pl_cu_slots images, samplers;
};

struct pl_cu_ctx {
	CUcontext handle;
	struct pl_cu_dev *dev;
	atomic_uint refs; /* its own, and those of what was made in it: to this structure, not to what it has */
	uint64_t id;
	unsigned int flags, api_version;
	bool primary;
	atomic_bool ending;      /* somebody destroys it */
	_Atomic int error;       /* sticky: a kernel of this context has failed */
	struct pl_cu_later stop; /* of its work, then */
	atomic_bool killed;      /* none of its channels does anything any more */
	CUfunc_cache cache;
	CUsharedconfig shared_config;
	struct pl_cuda_storages storages;
	pthread_mutex_t lock;
	/* under lock */
	struct pl_cu_stream *streams; /* all of them, with the two kinds of default ones and the next two */
	struct pl_cu_stream *records; /* follows all others where an event records them; NULL: never so far */
	struct pl_cu_stream *waits;   /* follows the events that all others wait for; NULL: none so far */
	struct pl_cu_module *modules;
	struct pl_cu_event *events;
	struct pl_cu_array *arrays;
	struct pl_cu_mipmap *mipmaps;
	struct pl_cu_ref *texrefs; /* of no module */
	uint64_t limit[CU_LIMIT_MAX];
	uint64_t heap_va, heap_bytes;
	struct pl_cu_extents heap_vram;
	bool assert_told;
	struct pl_cu_stream *null_stream;
	struct pl_isa_assert *assert_record; /* system memory, written by the engine */
};

/* Of the process. */
struct pl_cu_dev *pl_cu_device(int ordinal); /* NULL: no such device, or not initialised */
int pl_cu_device_count(void);
/* Ready: cuInit() was called, and in this process, not in its parent. */
CUresult pl_cu_enter(void);
/* Ready, and the thread has a context whose device still works. */
CUresult pl_cu_enter_ctx(struct pl_cu_ctx **ctx_out);
/* As above, but a context whose kernel has failed is given too. */
CUresult pl_cu_enter_ctx_any(struct pl_cu_ctx **ctx_out);
CUresult pl_cu_enter_device(CUdevice ordinal, struct pl_cu_dev **dev_out);

/* Contexts. */
CUresult pl_cu_ctx_create(struct pl_cu_ctx **ctx_out, struct pl_cu_dev *dev, unsigned int flags, bool primary);
/* What it has goes when no call uses it.  false: another thread has destroyed it. */
bool pl_cu_ctx_destroy(struct pl_cu_ctx *ctx);
struct pl_cu_ctx *pl_cu_ctx_ref(struct pl_cu_ctx *ctx);
void pl_cu_ctx_unref(struct pl_cu_ctx *ctx);
struct pl_cu_ctx *pl_cu_ctx_of(CUcontext handle); /* NULL: none, or destroyed */
struct pl_cu_ctx *pl_cu_ctx_current(void);
CUresult pl_cu_ctx_set_current(CUcontext handle); /* replaces the top of the stack */
/* Makes the error sticky (the first one stays) and wakes who waits; soon the context's work is stopped, and what waits
 * for it in other contexts goes on.  Any thread, the engines' too. */
void pl_cu_ctx_fail(struct pl_cu_ctx *ctx, CUresult error);
static inline CUresult pl_cu_ctx_error(const struct pl_cu_ctx *ctx)
{
	return (CUresult)atomic_load_explicit(&ctx->error, memory_order_acquire);
}
/* The lines of all streams, with a reference each.  *lines_out: malloc(); NULL: no memory. */
size_t pl_cu_ctx_lines(struct pl_cu_ctx *ctx, struct pl_cu_line ***lines_out);
/* Waits for all work of the context. */
CUresult pl_cu_ctx_wait(struct pl_cu_ctx *ctx);
bool pl_cu_ctx_idle(struct pl_cu_ctx *ctx);   /* nothing is under way in any of its streams, and none has failed */
bool pl_cu_ctx_prints(struct pl_cu_ctx *ctx); /* a kernel has printed what is not out yet */
/* The device's heap for malloc() in kernels; made when first needed.  0: none. */
uint64_t pl_cu_ctx_heap(struct pl_cu_ctx *ctx, uint64_t *bytes_out);

CUresult pl_cu_primary_retain(struct pl_cu_ctx **ctx_out, struct pl_cu_dev *dev);

/* -errno of the layers below as the API's. */
CUresult pl_cu_result_of(int r);

/* Report of a failed kernel, in on_fault()'s form. */
void pl_cu_fault_report(void *unused, const struct pl_cu_fault_record *record, struct pl_cu_ctx *ctx);

/* The functions with _ptds and _ptsz: stream 0 means the thread's own in the call that follows. */
extern __thread bool pl_cu_per_thread;

#endif
