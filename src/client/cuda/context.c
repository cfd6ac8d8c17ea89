/* Contexts: each thread's stack of current ones is the client's; primary contexts are counted here. */
#include <stdlib.h>

#include "base/err.h"
#include "client/cuda/memory.h"

#define DEPTH_MAX 256u /* limit: contexts on one thread's stack */

struct pl_cuda_stack {
	uint32_t depth;
	struct pl_cuda_context *context[DEPTH_MAX];
};

struct primary {
	struct pl_cuda_context *context; /* NULL: not active */
	unsigned int refs, flags;        /* refs: a reset leaves them as they are */
};

static struct {
	pthread_mutex_t lock;
	struct primary of[PL_CUDA_DEVICES_MAX]; /* under lock */
} primaries = { .lock = PTHREAD_MUTEX_INITIALIZER };

static pthread_key_t stack_key;
static pthread_once_t stack_once = PTHREAD_ONCE_INIT;

/* Destructors of the program's that run later may call us, too. */
static void stack_end(void *stack)
{
	pl_cuda_thread.stack = NULL;
	free(stack);
}

static void stack_key_make(void)
{
	pthread_key_create(&stack_key, stack_end);
}

void pl_cuda_context_fail(struct pl_cuda_context *context, int error)
{
	int none = CUDA_SUCCESS;

	atomic_compare_exchange_strong(&context->error, &none, error);
}

struct pl_cuda_context *pl_cuda_current(CUresult *status_out)
{
	struct pl_cuda_context *top = pl_cuda_thread.top;
	int error;

	*status_out = pl_cuda_ready();
	if (*status_out)
		return NULL;
	*status_out = CUDA_ERROR_INVALID_CONTEXT;
	if (!top)
		return NULL;
	error = atomic_load(&top->error);
	*status_out = (CUresult)error;
	return error ? NULL : top;
}

struct pl_cuda_storages *pl_cuda_storages_of(CUcontext handle)
{
	struct pl_cuda_context *context = handle ? pl_cuda_get(PL_CUDA_KIND_context, handle) : pl_cuda_thread.top;

	return context && atomic_load(&context->error) != CUDA_ERROR_CONTEXT_IS_DESTROYED ? &context->storages : NULL;
}

/* ---- the thread's stack ---- */

static CUresult push(struct pl_cuda_context *context)
{
	struct pl_cuda_thread *thread = &pl_cuda_thread;

	if (thread->top) {
		if (!thread->stack) {
			pthread_once(&stack_once, stack_key_make);
			thread->stack = calloc(1, sizeof(*thread->stack));
			if (!thread->stack)
				return CUDA_ERROR_OUT_OF_MEMORY;
			pthread_setspecific(stack_key, thread->stack);
		}
		if (thread->stack->depth == DEPTH_MAX)
			return CUDA_ERROR_OUT_OF_MEMORY;
		thread->stack->context[thread->stack->depth++] = thread->top;
	}
	thread->top = context;
	return CUDA_SUCCESS;
}

static void pop(void)
{
	struct pl_cuda_thread *thread = &pl_cuda_thread;

	thread->top = thread->stack && thread->stack->depth ? thread->stack->context[--thread->stack->depth] : NULL;
}

CUresult cuCtxPushCurrent_v2(CUcontext handle)
{
	struct pl_cuda_context *context;
	CUresult result = pl_cuda_ready();

	if (result)
		return result;
	context = pl_cuda_get(PL_CUDA_KIND_context, handle);
	return context ? push(context) : CUDA_ERROR_INVALID_CONTEXT;
}

CUresult cuCtxPushCurrent(CUcontext handle)
{
	return cuCtxPushCurrent_v2(handle);
}

CUresult cuCtxPopCurrent_v2(CUcontext *handle)
{
	CUresult result = pl_cuda_ready();

	if (result)
		return result;
	if (!pl_cuda_thread.top)
		return CUDA_ERROR_INVALID_CONTEXT;
	if (handle)
		*handle = pl_cuda_thread.top->object.handle;
	pop();
	return CUDA_SUCCESS;
}

CUresult cuCtxPopCurrent(CUcontext *handle)
{
	return cuCtxPopCurrent_v2(handle);
}

/* Replaces the top of the stack; NULL takes it away. */
CUresult cuCtxSetCurrent(CUcontext handle)
{
	struct pl_cuda_context *context;
	CUresult result = pl_cuda_ready();

	if (result)
		return result;
	if (!handle) {
		pop();
		return CUDA_SUCCESS;
	}
	context = pl_cuda_get(PL_CUDA_KIND_context, handle);
	if (!context)
		return CUDA_ERROR_INVALID_CONTEXT;
	pl_cuda_thread.top = context;
	return CUDA_SUCCESS;
}

CUresult cuCtxGetCurrent(CUcontext *handle)
{
	CUresult result = pl_cuda_ready();

	if (result)
		return result;
	if (!handle)
		return CUDA_ERROR_INVALID_VALUE;
	*handle = pl_cuda_thread.top ? pl_cuda_thread.top->object.handle : NULL;
	return CUDA_SUCCESS;
}

CUresult cuCtxGetDevice_v2(CUdevice *device, CUcontext handle)
{
	struct pl_cuda_context *context = pl_cuda_thread.top;
	CUresult result = pl_cuda_ready();

	if (result)
		return result;
	if (!device)
		return CUDA_ERROR_INVALID_VALUE;
	if (handle)
		context = pl_cuda_get(PL_CUDA_KIND_context, handle);
	if (!context)
		return CUDA_ERROR_INVALID_CONTEXT;
	if (atomic_load(&context->error) == CUDA_ERROR_CONTEXT_IS_DESTROYED)
		return CUDA_ERROR_CONTEXT_IS_DESTROYED;
	*device = context->device;
	return CUDA_SUCCESS;
}

CUresult cuCtxGetDevice(CUdevice *device)
{
	return cuCtxGetDevice_v2(device, NULL);
}

CUresult cuCtxGetFlags(unsigned int *flags)
{
	CUresult result;
	struct pl_cuda_context *context = pl_cuda_current(&result);

	if (!context)
		return result;
	if (!flags)
		return CUDA_ERROR_INVALID_VALUE;
	*flags = context->flags;
	return CUDA_SUCCESS;
}

CUresult cuCtxSetFlags(unsigned int flags)
{
	struct pl_cuda_cuCtxSetFlags_args args = { .flags = flags };
	struct pl_cuda_context *context;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter(PL_CUDA_OP_cuCtxSetFlags, &session);
	int r;

	if (result)
		return result;
	context = pl_cuda_current(&result);
	if (!context)
		return result;
	r = PL_CUDA_ASK(session, cuCtxSetFlags, &args, &reply);
	result = pl_cuda_answer(r, &reply);
	if (!result)
		context->flags = flags;
	return result;
}

/* cuBLAS asks for it at every call. */
CUresult cuCtxGetId(CUcontext handle, unsigned long long *number)
{
	struct pl_cuda_cuCtxGetId_args args = { 0 };
	struct pl_cuda_cuCtxGetId_reply got;
	struct pl_cuda_context *context;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter_of(PL_CUDA_OP_cuCtxGetId, PL_CUDA_KIND_context, handle, &session);
	int r;

	if (result)
		return result;
	context = handle ? pl_cuda_get(PL_CUDA_KIND_context, handle) : pl_cuda_current(&result);
	if (!context)
		return handle ? CUDA_ERROR_CONTEXT_IS_DESTROYED : result;
	if (!number)
		return CUDA_ERROR_INVALID_VALUE;
	*number = atomic_load(&context->number);
	if (*number)
		return CUDA_SUCCESS;
	args.context = context->object.id;
	r = PL_CUDA_ASK(session, cuCtxGetId, &args, &reply);
	if (r || reply.status)
		return pl_cuda_answer(r, &reply);
	pl_cuda_cuCtxGetId_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec))
		return CUDA_ERROR_UNKNOWN;
	*number = got.id;
	atomic_store(&context->number, got.id);
	return CUDA_SUCCESS;
}

/* ---- making and ending ---- */

_Atomic uint32_t pl_cuda_contexts_made;

static struct pl_cuda_context *context_make(CUdevice device, unsigned int flags)
{
	struct pl_cuda_context *context = pl_cuda_object_create(PL_CUDA_KIND_context, 0, NULL);

	if (!context)
		return NULL;
	context->object.session = pl_cuda_device_session(device);
	context->device = device;
	context->flags = flags;
	atomic_fetch_add(&pl_cuda_contexts_made, 1);
	pl_cuda_storages_init(&context->storages);
	return context;
}

/* After its storages were told. */
static void context_gone(struct pl_cuda_context *context)
{
	pl_cuda_storages_fini(&context->storages, context->object.handle);
	atomic_store(&context->error, CUDA_ERROR_CONTEXT_IS_DESTROYED);
	pl_cuda_context_empty(context);
	pl_cuda_forget(&context->object);
}

static bool flags_valid(unsigned int flags)
{
	unsigned int schedule = flags & CU_CTX_SCHED_MASK;

	return !(flags & ~(unsigned int)CU_CTX_FLAGS_MASK) && !(schedule & (schedule - 1));
}

static CUresult create(enum pl_cuda_op op, CUcontext *handle, struct pl_u32s affinity, unsigned int flags,
		       CUdevice device)
{
	struct pl_cuda_cuCtxCreate_v3_args args = { .flags = flags, .affinity = affinity };
	struct pl_cuda_context *context;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter_of(op, PL_CUDA_KIND_device, (const void *)(uintptr_t)device, &session);
	int r;

	if (result)
		return result;
	args.device = pl_cuda_id(session, PL_CUDA_KIND_device, (void *)(uintptr_t)device);
	if (!args.device)
		return CUDA_ERROR_INVALID_DEVICE;
	if (!handle || !flags_valid(flags))
		return CUDA_ERROR_INVALID_VALUE;
	context = context_make(device, flags);
	if (!context)
		return CUDA_ERROR_OUT_OF_MEMORY;
	args.context = context->object.id;
	r = PL_CUDA_ASK(session, cuCtxCreate_v3, &args, &reply);
	result = pl_cuda_answer(r, &reply);
	if (!result)
		result = push(context);
	if (result)
		context_gone(context);
	else
		*handle = context->object.handle;
	return result;
}

CUresult cuCtxCreate_v2(CUcontext *handle, unsigned int flags, CUdevice device)
{
	return create(PL_CUDA_OP_cuCtxCreate_v2, handle, (struct pl_u32s){ NULL, 0 }, flags, device);
}

CUresult cuCtxCreate(CUcontext *handle, unsigned int flags, CUdevice device)
{
	return create(PL_CUDA_OP_cuCtxCreate, handle, (struct pl_u32s){ NULL, 0 }, flags, device);
}

CUresult cuCtxCreate_v3(CUcontext *handle, CUexecAffinityParam *params, int count, unsigned int flags, CUdevice device)
{
	uint32_t words[16];

	if (count < 0 || (size_t)count > sizeof(words) / sizeof(words[0]) / 2 || (count && !params))
		return pl_cuda_ready() ? pl_cuda_ready() : CUDA_ERROR_INVALID_VALUE;
	for (int i = 0; i < count; i++) {
		words[2 * i] = params[i].type;
		words[2 * i + 1] = params[i].param.smCount.val;
	}
	return create(PL_CUDA_OP_cuCtxCreate_v3, handle, (struct pl_u32s){ words, 2 * (uint64_t)count }, flags, device);
}

CUresult cuCtxCreate_v4(CUcontext *handle, CUctxCreateParams *params, unsigned int flags, CUdevice device)
{
	if (params && params->cigParams)
		return pl_cuda_ready() ? pl_cuda_ready() : CUDA_ERROR_NOT_SUPPORTED;
	return cuCtxCreate_v3(handle, params ? params->execAffinityParams : NULL,
			      params ? params->numExecAffinityParams : 0, flags, device);
}

CUresult cuCtxDestroy_v2(CUcontext handle)
{
	struct pl_cuda_cuCtxDestroy_v2_args args = { 0 };
	struct pl_cuda_context *context;
	struct pl_session *session;
	CUresult result = pl_cuda_ready();

	if (!result && !handle)
		result = CUDA_ERROR_INVALID_VALUE;
	if (!result)
		result = pl_cuda_enter_of(PL_CUDA_OP_cuCtxDestroy_v2, PL_CUDA_KIND_context, handle, &session);
	if (result)
		return result;
	context = pl_cuda_get(PL_CUDA_KIND_context, handle);
	if (!context || context->primary)
		return context ? CUDA_ERROR_INVALID_CONTEXT : CUDA_ERROR_CONTEXT_IS_DESTROYED;
	args.context = context->object.id;
	pl_cuda_memory_context_gone(context); /* before the driver gives its addresses to others */
	result = PL_CUDA_POST(session, cuCtxDestroy_v2, &args);
	if (pl_cuda_thread.top == context)
		pop();
	context_gone(context);
	return result;
}

CUresult cuCtxDestroy(CUcontext handle)
{
	return cuCtxDestroy_v2(handle);
}

/* Of the time when a context was counted: it was never more than once. */
CUresult cuCtxAttach(CUcontext *handle, unsigned int flags)
{
	CUresult result;
	struct pl_cuda_context *context = pl_cuda_current(&result);

	if (!context)
		return result;
	if (!handle || flags)
		return CUDA_ERROR_INVALID_VALUE;
	*handle = context->object.handle;
	return CUDA_SUCCESS;
}

/* Contexts have one use: attaching to one is none more. */
CUresult cuCtxDetach(CUcontext handle)
{
	CUresult result = pl_cuda_ready();

	if (!result)
		result = handle ? cuCtxDestroy_v2(handle) : CUDA_ERROR_INVALID_VALUE;
	return result;
}

/* ---- primary contexts ---- */

static uint64_t device_id(const struct pl_session *session, CUdevice device)
{
	return pl_cuda_id(session, PL_CUDA_KIND_device, (const void *)(uintptr_t)device);
}

struct pl_cuda_context *pl_cuda_context_of(const struct pl_session *session)
{
	struct pl_cuda_context *found = NULL;

	if (pl_cuda_thread.top && pl_cuda_thread.top->object.session == session)
		return pl_cuda_thread.top;
	pthread_mutex_lock(&primaries.lock);
	for (uint32_t i = 0; i < PL_CUDA_DEVICES_MAX && !found; i++)
		if (primaries.of[i].context && primaries.of[i].context->object.session == session)
			found = primaries.of[i].context;
	pthread_mutex_unlock(&primaries.lock);
	return found;
}

static CUresult primary_enter(enum pl_cuda_op op, CUdevice device, struct pl_session **session_out)
{
	CUresult result = pl_cuda_enter_of(op, PL_CUDA_KIND_device, (const void *)(uintptr_t)device, session_out);

	if (result)
		return result;
	return pl_cuda_device(device) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

/* Called with the lock held. */
static CUresult primary_make(struct pl_session *session, CUdevice device, struct primary *primary)
{
	struct pl_cuda_cuDevicePrimaryCtxRetain_args args = { .device = device_id(session, device) };
	struct pl_cuda_context *context = context_make(device, primary->flags);
	struct pl_reply reply;
	CUresult result;
	int r;

	if (!context)
		return CUDA_ERROR_OUT_OF_MEMORY;
	context->primary = true;
	args.context = context->object.id;
	r = PL_CUDA_ASK(session, cuDevicePrimaryCtxRetain, &args, &reply);
	result = pl_cuda_answer(r, &reply);
	if (result)
		context_gone(context);
	else
		primary->context = context;
	return result;
}

CUresult cuDevicePrimaryCtxRetain(CUcontext *handle, CUdevice device)
{
	struct pl_session *session;
	struct primary *primary;
	CUresult result = primary_enter(PL_CUDA_OP_cuDevicePrimaryCtxRetain, device, &session);

	if (result)
		return result;
	if (!handle)
		return CUDA_ERROR_INVALID_VALUE;
	primary = &primaries.of[device];
	pthread_mutex_lock(&primaries.lock);
	if (!primary->context)
		result = primary_make(session, device, primary);
	if (!result) {
		primary->refs++;
		*handle = primary->context->object.handle;
	}
	pthread_mutex_unlock(&primaries.lock);
	return result;
}

CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device)
{
	struct pl_cuda_cuDevicePrimaryCtxRelease_v2_args args = { 0 };
	struct pl_cuda_context *gone = NULL;
	struct pl_session *session;
	struct primary *primary;
	CUresult result = primary_enter(PL_CUDA_OP_cuDevicePrimaryCtxRelease_v2, device, &session);

	if (result)
		return result;
	args.device = device_id(session, device);
	primary = &primaries.of[device];
	pthread_mutex_lock(&primaries.lock);
	if (!primary->refs) {
		result = CUDA_ERROR_INVALID_CONTEXT;
	} else if (!--primary->refs) {
		gone = primary->context;
		primary->context = NULL;
	}
	if (gone) {
		pl_cuda_memory_context_gone(gone);
		result = PL_CUDA_POST(session, cuDevicePrimaryCtxRelease_v2, &args);
	}
	pthread_mutex_unlock(&primaries.lock);
	if (gone)
		context_gone(gone);
	return result;
}

CUresult cuDevicePrimaryCtxRelease(CUdevice device)
{
	return cuDevicePrimaryCtxRelease_v2(device);
}

CUresult cuDevicePrimaryCtxReset_v2(CUdevice device)
{
	struct pl_cuda_cuDevicePrimaryCtxReset_v2_args args = { 0 };
	struct pl_cuda_context *gone;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = primary_enter(PL_CUDA_OP_cuDevicePrimaryCtxReset_v2, device, &session);
	int r;

	if (result)
		return result;
	args.device = device_id(session, device);
	pthread_mutex_lock(&primaries.lock);
	gone = primaries.of[device].context;
	primaries.of[device].context = NULL;
	if (gone)
		pl_cuda_memory_context_gone(gone);
	r = PL_CUDA_ASK(session, cuDevicePrimaryCtxReset_v2, &args, &reply);
	pthread_mutex_unlock(&primaries.lock);
	if (gone)
		context_gone(gone);
	return pl_cuda_answer(r, &reply);
}

CUresult cuDevicePrimaryCtxReset(CUdevice device)
{
	return cuDevicePrimaryCtxReset_v2(device);
}

CUresult cuDevicePrimaryCtxSetFlags_v2(CUdevice device, unsigned int flags)
{
	struct pl_cuda_cuDevicePrimaryCtxSetFlags_v2_args args = { .flags = flags };
	struct pl_session *session;
	struct primary *primary;
	struct pl_reply reply;
	CUresult result = primary_enter(PL_CUDA_OP_cuDevicePrimaryCtxSetFlags_v2, device, &session);
	int r;

	if (result)
		return result;
	args.device = device_id(session, device);
	primary = &primaries.of[device];
	pthread_mutex_lock(&primaries.lock);
	r = PL_CUDA_ASK(session, cuDevicePrimaryCtxSetFlags_v2, &args, &reply);
	result = pl_cuda_answer(r, &reply);
	if (!result) {
		primary->flags = flags;
		if (primary->context)
			primary->context->flags = flags;
	}
	pthread_mutex_unlock(&primaries.lock);
	return result;
}

CUresult cuDevicePrimaryCtxSetFlags(CUdevice device, unsigned int flags)
{
	return cuDevicePrimaryCtxSetFlags_v2(device, flags);
}

CUresult cuDevicePrimaryCtxGetState(CUdevice device, unsigned int *flags, int *active)
{
	CUresult result = pl_cuda_ready();

	if (result)
		return result;
	if (!pl_cuda_device(device))
		return CUDA_ERROR_INVALID_DEVICE;
	if (!flags || !active)
		return CUDA_ERROR_INVALID_VALUE;
	pthread_mutex_lock(&primaries.lock);
	*flags = primaries.of[device].flags;
	*active = primaries.of[device].context != NULL;
	pthread_mutex_unlock(&primaries.lock);
	return CUDA_SUCCESS;
}
