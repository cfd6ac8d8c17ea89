/*
 * Shared virtual memory: a pointer that means the same on both sides.  The driver allocates; the client then has memory
 * at the same address: the same pages, where the device uses memory that both sides map (enum PL_CL_SVM_SHARED), or
 * pages of its own that maps and unmaps keep in step, which is enough for coarse-grained buffers.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/log.h"
#include "client/opencl/call.h"
#include "client/opencl/check.h"
#include "client/opencl/kernels.h"
#include "client/opencl/svm.h"

#define PAGE_BYTES      4096u
#define TRIES_MAX       16u /* how often another address is asked for when the driver's is taken here */
/* Asked for at the first retry, and doubled at each: small blocks come from a heap that may lie in the same place on
 * both sides, large ones have a mapping of their own. */
#define RETRY_BYTES     (64u << 10)
#define RETRY_BYTES_MAX (64u << 20)

struct area {
	struct area *next;
	uintptr_t address;
	uint64_t bytes; /* whole pages */
	uint64_t size;  /* as the application asked for */
	uint64_t asked; /* of the server: more, after retries */
	uint64_t store; /* in the arena, or ~0 */
	struct pl_cl_svm_mapping *mappings;
};

/* Under the context's lock. */
struct pl_cl_svm {
	struct area *areas;
};

/* ---- what there is ---- */

/* Whether buffers of this device alone can be shared is known of contexts only: one is made for the question. */
static enum pl_cl_svm_how device_try(struct pl_cl_device *device)
{
	cl_device_id id = (cl_device_id)device;
	cl_context context = pl_cl_stub_clCreateContext(NULL, 1, &id, NULL, NULL, NULL);
	enum pl_cl_svm_how how = PL_CL_SVM_COPY;

	if (context && pl_cl_context_direct((struct pl_cl_context *)context))
		how = PL_CL_SVM_SHARED;
	if (context)
		pl_cl_release(context, PL_CL_KIND_context);
	return how;
}

cl_device_svm_capabilities pl_cl_svm_caps(struct pl_cl_device *device, cl_device_svm_capabilities caps)
{
	int how = device->svm;

	if (!(caps & CL_DEVICE_SVM_COARSE_GRAIN_BUFFER)) {
		device->svm = PL_CL_SVM_NONE + 1;
		return 0;
	}
	if (!how)
		device->svm = how = (int)device_try(device) + 1;
	if (how == PL_CL_SVM_SHARED + 1)
		return caps &
		       (CL_DEVICE_SVM_COARSE_GRAIN_BUFFER | CL_DEVICE_SVM_FINE_GRAIN_BUFFER | CL_DEVICE_SVM_ATOMICS);
	return CL_DEVICE_SVM_COARSE_GRAIN_BUFFER;
}

static cl_device_svm_capabilities device_caps(struct pl_cl_device *device)
{
	cl_device_svm_capabilities caps = 0;

	pl_cl_info(PL_CL_OP_clGetDeviceInfo, PL_CL_INFO_device, device, NULL, 0, NULL, 0, CL_DEVICE_SVM_CAPABILITIES,
		   sizeof(caps), &caps, NULL);
	return caps;
}

cl_int pl_cl_svm_none(const struct pl_cl_queue *queue)
{
	return device_caps(queue->device) ? CL_SUCCESS : CL_INVALID_OPERATION;
}

static bool context_has(const struct pl_cl_context *context)
{
	for (uint32_t i = 0; i < context->devices_count; i++)
		if (device_caps(context->devices[i]))
			return true;
	return false;
}

/* ---- areas ---- */

/* Each area holds its context: here there are none left. */
void pl_cl_svm_fini(struct pl_cl_context *context)
{
	free(context->svm);
}

/* Called with the context's lock held. */
static struct area *area_find(struct pl_cl_context *context, const void *ptr, size_t size)
{
	struct pl_cl_svm *svm = context->svm;
	uintptr_t at = (uintptr_t)ptr;

	for (struct area *area = svm ? svm->areas : NULL; area; area = area->next)
		if (at >= area->address && at - area->address < area->size && size <= area->size - (at - area->address))
			return area;
	return NULL;
}

enum pl_cl_svm_how pl_cl_svm_find(struct pl_cl_context *context, const void *ptr, size_t size, uint64_t *store_out)
{
	enum pl_cl_svm_how how = PL_CL_SVM_NONE;
	struct area *area;

	if (!atomic_load_explicit(&context->svm, memory_order_relaxed))
		return PL_CL_SVM_NONE;
	pl_lock(&context->object.lock);
	area = area_find(context, ptr, size);
	if (area) {
		how = area->store == PL_ARENA_NONE ? PL_CL_SVM_COPY : PL_CL_SVM_SHARED;
		*store_out = how == PL_CL_SVM_SHARED ? area->store + ((uintptr_t)ptr - area->address) : PL_ARENA_NONE;
	}
	pl_unlock(&context->object.lock);
	return how;
}

bool pl_cl_svm_beyond(struct pl_cl_context *context, const void *ptr, size_t size, uint64_t *more_out)
{
	struct area *area;
	bool beyond;

	if (!atomic_load_explicit(&context->svm, memory_order_relaxed))
		return false;
	pl_lock(&context->object.lock);
	area = area_find(context, ptr, 1);
	beyond = area && size > area->size - ((uintptr_t)ptr - area->address);
	*more_out = area ? area->asked - area->size : 0;
	pl_unlock(&context->object.lock);
	return beyond;
}

enum pl_cl_svm_how pl_cl_svm_how_of(struct pl_cl_context *context, const void *ptr, size_t size)
{
	uint64_t store;
	return pl_cl_svm_find(context, ptr, size, &store);
}

static bool area_add(struct pl_cl_context *context, struct area *area)
{
	struct pl_cl_svm *svm;

	pl_lock(&context->object.lock);
	svm = context->svm;
	if (!svm)
		context->svm = svm = calloc(1, sizeof(*svm));
	if (svm) {
		area->next = svm->areas;
		svm->areas = area;
		pl_cl_hold(context); /* as drivers do: clSVMFree() may come after the last clReleaseContext() */
	}
	pl_unlock(&context->object.lock);
	return svm;
}

static struct area *area_take(struct pl_cl_context *context, const void *ptr)
{
	struct pl_cl_svm *svm = context->svm;
	struct area **link, *area = NULL;

	pl_lock(&context->object.lock);
	for (link = svm ? &svm->areas : NULL; link && *link; link = &(*link)->next)
		if ((*link)->address == (uintptr_t)ptr) {
			area = *link;
			*link = area->next;
			break;
		}
	pl_unlock(&context->object.lock);
	return area;
}

bool pl_cl_svm_mapping_add(struct pl_cl_context *context, const void *ptr, size_t size, cl_map_flags flags)
{
	struct pl_cl_svm_mapping *mapping = malloc(sizeof(*mapping));
	struct area *area;

	if (!mapping)
		return false;
	*mapping = (struct pl_cl_svm_mapping){ .ptr = ptr, .size = size, .flags = flags };
	pl_lock(&context->object.lock);
	area = area_find(context, ptr, size);
	if (area) {
		mapping->next = area->mappings;
		area->mappings = mapping;
	}
	pl_unlock(&context->object.lock);
	if (!area)
		free(mapping);
	return true;
}

struct pl_cl_svm_mapping *pl_cl_svm_mapping_take(struct pl_cl_context *context, const void *ptr)
{
	struct pl_cl_svm_mapping **link, *mapping = NULL;
	struct area *area;

	pl_lock(&context->object.lock);
	area = area_find(context, ptr, 0);
	for (link = area ? &area->mappings : NULL; link && *link; link = &(*link)->next)
		if ((*link)->ptr == ptr) {
			mapping = *link;
			*link = mapping->next;
			break;
		}
	pl_unlock(&context->object.lock);
	return mapping;
}

/* ---- allocating ---- */

static void free_post(struct pl_cl_context *context, uint64_t address)
{
	struct pl_cl_clSVMFree_args args = { .context = context->object.id, .address = address };

	(void)PL_CL_POST(context->object.session, clSVMFree, &args);
}

static void area_free(struct pl_cl_context *context, struct area *area)
{
	/* First here: the driver may give the address to another thread as soon as it has it back. */
	munmap((void *)area->address, area->bytes);
	free_post(context, area->address);
	pl_cl_arena_free(context->object.server, area->store, area->bytes);
	while (area->mappings) {
		struct pl_cl_svm_mapping *next = area->mappings->next;
		free(area->mappings);
		area->mappings = next;
	}
	free(area);
}

/* Memory of ours at the driver's address. */
static bool area_map(struct area *area, const struct pl_session *session)
{
	bool shared = area->store != PL_ARENA_NONE;
	int flags = (shared ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS) | MAP_FIXED_NOREPLACE | MAP_NORESERVE;
	void *at = mmap((void *)area->address, area->bytes, PROT_READ | PROT_WRITE, flags,
			shared ? session->arena.fd : -1, shared ? (off_t)(session->arena.start + area->store) : 0);

	if (at == MAP_FAILED)
		return false;
	if ((uintptr_t)at == area->address)
		return true;
	munmap(at, area->bytes); /* kernels before 4.17 take it for a hint */
	return false;
}

static bool alloc_ask(struct pl_cl_context *context, cl_svm_mem_flags flags, cl_uint alignment, struct area *area)
{
	struct pl_cl_clSVMAlloc_args args = { .context = context->object.id,
					      .flags = flags,
					      .size = area->asked,
					      .alignment = alignment,
					      .store = area->store };
	struct pl_cl_clSVMAlloc_reply got;
	struct pl_reply reply;

	if (PL_CL_ASK(context->object.session, clSVMAlloc, &args, &reply) || reply.status)
		return false;
	pl_cl_clSVMAlloc_reply_get(&reply.dec, &got);
	area->address = pl_dec_whole(&reply.dec) ? got.address : 0;
	return area->address && !(area->address % PAGE_BYTES);
}

/* How much is asked for at the next try, and its place in the arena.  Return: false = no room there. */
static bool area_place(struct pl_cl_context *context, struct area *area, uint32_t retries, bool shared)
{
	uint64_t least = retries ? (uint64_t)RETRY_BYTES << (retries - 1) : 0;

	if (least > RETRY_BYTES_MAX)
		least = RETRY_BYTES_MAX;
	area->asked = area->size > least ? area->size : least;
	area->bytes = (area->asked + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1);
	area->store = shared ? pl_cl_arena_alloc(context->object.server, area->bytes) : PL_ARENA_NONE;
	return !shared || area->store != PL_ARENA_NONE;
}

/* Addresses that are taken here are kept until one is found that is not, or the driver would give the same again. */
static bool alloc_try(struct pl_cl_context *context, cl_svm_mem_flags flags, cl_uint alignment, bool shared,
		      struct area *area)
{
	uint64_t taken[TRIES_MAX];
	uint32_t taken_count = 0;
	bool done = false, asked = true;

	while (!done && asked && taken_count < TRIES_MAX && area_place(context, area, taken_count, shared)) {
		asked = alloc_ask(context, flags, alignment, area);
		done = asked && area_map(area, context->object.session);
		if (asked && !done)
			taken[taken_count++] = area->address;
		if (!done)
			pl_cl_arena_free(context->object.server, area->store, area->bytes);
	}
	if (taken_count == TRIES_MAX)
		pl_log_warn("no address for shared virtual memory is free on both sides");
	else if (!done)
		pl_log_warn("no shared virtual memory of %" PRIu64 " bytes at try %u: %s", area->asked, taken_count + 1,
			    asked ? "no room in the shared memory" : "the server gave none");
	for (uint32_t i = 0; i < taken_count; i++)
		free_post(context, taken[i]);
	return done;
}

void *pl_cl_stub_clSVMAlloc(cl_context handle, cl_svm_mem_flags flags, size_t size, cl_uint alignment)
{
	struct pl_cl_context *context = pl_cl_get(handle, PL_CL_KIND_context);
	bool shared;
	struct area *area;

	if (!context || !size || size > SIZE_MAX / 2 || !context_has(context))
		return NULL;
	shared = pl_cl_context_direct(context);
	if (!shared && (flags & (CL_MEM_SVM_FINE_GRAIN_BUFFER | CL_MEM_SVM_ATOMICS)))
		return NULL;
	area = calloc(1, sizeof(*area));
	if (!area)
		return NULL;
	area->size = size;
	if (!alloc_try(context, flags, alignment, shared, area)) {
		free(area);
		return NULL;
	}
	if (area_add(context, area))
		return (void *)area->address;
	area_free(context, area);
	return NULL;
}

void pl_cl_stub_clSVMFree(cl_context handle, void *svm_pointer)
{
	struct pl_cl_context *context = pl_cl_get(handle, PL_CL_KIND_context);
	struct area *area = context && svm_pointer ? area_take(context, svm_pointer) : NULL;

	if (!area)
		return;
	area_free(context, area);
	pl_cl_unhold(context);
}

/* ---- clEnqueueSVMFree ---- */

struct freeing {
	struct pl_cl_queue *queue; /* held */
	void (*fn)(cl_command_queue, cl_uint, void **, void *);
	void *user_data;
	cl_uint count;
	void *pointers[];
};

static pthread_mutex_t freeings_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t freeings_less = PTHREAD_COND_INITIALIZER;
_Atomic uint32_t pl_cl_svm_freeings; /* goes down under freeings_lock */

void pl_cl_svm_fork(void)
{
	pthread_mutex_init(&freeings_lock, NULL);
	pthread_cond_init(&freeings_less, NULL);
	pl_cl_svm_freeings = 0;
}

void pl_cl_svm_settle_slow(void)
{
	if (pl_callback_here())
		return;
	pthread_mutex_lock(&freeings_lock);
	while (pl_cl_svm_freeings)
		pthread_cond_wait(&freeings_less, &freeings_lock);
	pthread_mutex_unlock(&freeings_lock);
}

static void freeing_run(void *arg)
{
	struct freeing *freeing = arg;

	if (freeing->fn)
		freeing->fn((cl_command_queue)freeing->queue, freeing->count, freeing->pointers, freeing->user_data);
	for (cl_uint i = 0; !freeing->fn && i < freeing->count; i++)
		pl_cl_stub_clSVMFree((cl_context)freeing->queue->context, freeing->pointers[i]);
	pl_cl_unhold(freeing->queue);
	free(freeing);
	pthread_mutex_lock(&freeings_lock);
	pl_cl_svm_freeings--;
	pthread_cond_broadcast(&freeings_less);
	pthread_mutex_unlock(&freeings_lock);
}

void pl_cl_svm_freeing_lost(void *freeing)
{
	pl_cl_svm_freeings++;
	if (!pl_callback_run(freeing_run, freeing))
		pl_cl_svm_freeings--;
}

void pl_cl_svm_reverse_free(struct pl_cl_server *server, uint64_t token)
{
	struct freeing *freeing = pl_cl_table_take(&server->tokens, token, PL_CL_ENTRY_SVM_FREE);

	if (freeing)
		pl_cl_svm_freeing_lost(freeing);
}

static bool areas_begin(struct pl_cl_context *context, cl_uint count, void *const *pointers)
{
	bool all = true;

	for (cl_uint i = 0; i < count && all; i++)
		all = pl_cl_svm_how_of(context, pointers[i], 0) != PL_CL_SVM_NONE;
	return all;
}

cl_int pl_cl_stub_clEnqueueSVMFree(cl_command_queue command_queue, cl_uint num_svm_pointers, void **svm_pointers,
				   void (*pfn_free_func)(cl_command_queue, cl_uint, void **, void *), void *user_data,
				   cl_uint num_events_in_wait_list, const cl_event *event_wait_list, cl_event *event)
{
	struct pl_cl_clEnqueueSVMFree_args args = { .has_pointers = svm_pointers != NULL };
	cl_uint count = svm_pointers ? num_svm_pointers : 0;
	struct freeing *freeing;
	struct pl_cl_command command;
	bool plain;
	cl_int code = pl_cl_command_init(&command, PL_CL_OP_clEnqueueSVMFree, command_queue, false,
					 num_events_in_wait_list, event_wait_list, event);

	if (!code)
		code = pl_cl_svm_none(command.queue);
	if (code)
		return code;
	plain = count && count <= PL_CL_LIMIT_OBJECTS_MAX / 8 &&
		areas_begin(command.queue->context, count, svm_pointers) &&
		pl_cl_check_waits(command_queue, num_events_in_wait_list, event_wait_list);
	code = pl_cl_command_start(&command);
	if (code)
		return code;
	freeing = malloc(sizeof(*freeing) + count * sizeof(void *));
	if (!freeing)
		return pl_cl_command_end(&command, CL_OUT_OF_HOST_MEMORY);
	*freeing =
		(struct freeing){ .queue = command.queue, .fn = pfn_free_func, .user_data = user_data, .count = count };
	if (count)
		memcpy(freeing->pointers, svm_pointers, count * sizeof(void *));
	pl_cl_hold(command.queue);
	args.token = pl_session_id_mint(command.session);
	if (pl_cl_table_put(&command.server->tokens, args.token, PL_CL_ENTRY_SVM_FREE, freeing)) {
		args.queue = command.queue->object.id;
		args.addresses = (struct pl_u64s){ (const uint64_t *)svm_pointers, count };
		args.waits = command.ids.list;
		args.event = command.event_id;
		PL_CL_SEND(command.session, clEnqueueSVMFree, &args, plain, code);
		if (code && !pl_cl_table_take(&command.server->tokens, args.token, PL_CL_ENTRY_SVM_FREE))
			freeing = NULL; /* the session was lost: it has been run */
	} else {
		code = CL_OUT_OF_HOST_MEMORY;
	}
	if (code && freeing) {
		pl_cl_unhold(command.queue);
		free(freeing);
	}
	return pl_cl_command_end(&command, code);
}

/* ---- kernels ---- */

cl_int pl_cl_stub_clSetKernelArgSVMPointer(cl_kernel handle, cl_uint arg_index, const void *arg_value)
{
	struct pl_cl_kernel *kernel = pl_cl_get(handle, PL_CL_KIND_kernel);
	struct pl_cl_clSetKernelArg_args args = {
		.index = arg_index, .kind = PL_CL_ARG_SVM, .size = sizeof(void *), .id = (uintptr_t)arg_value
	};
	cl_int code;

	if (!kernel)
		return CL_INVALID_KERNEL;
	if (!context_has(kernel->program->context))
		return CL_INVALID_OPERATION;
	if (kernel->desc && arg_index < kernel->desc->params_count &&
	    kernel->desc->params[arg_index].kind == PL_CL_PARAM_MEM && arg_value &&
	    pl_cl_svm_how_of(kernel->program->context, arg_value, 0) &&
	    pl_cl_kernel_arg_put(kernel, arg_index, PL_CL_ARG_SVM, sizeof(void *), args.id, NULL, 0))
		return CL_SUCCESS;
	args.kernel = kernel->object.id;
	PL_CL_SEND_AS(kernel->object.session, clSetKernelArgSVMPointer, clSetKernelArg, &args, false, code);
	if (!code)
		pl_cl_kernel_arg_asked(kernel, arg_index);
	return code;
}

cl_int pl_cl_stub_clSetKernelExecInfo(cl_kernel handle, cl_kernel_exec_info param_name, size_t param_value_size,
				      const void *param_value)
{
	struct pl_cl_kernel *kernel = pl_cl_get(handle, PL_CL_KIND_kernel);
	struct pl_cl_clSetKernelExecInfo_args args = { .param_name = param_name,
						       .has_value = param_value != NULL,
						       .size = param_value_size };
	cl_int code;

	if (!kernel)
		return CL_INVALID_KERNEL;
	if (!context_has(kernel->program->context))
		return CL_INVALID_OPERATION;
	args.kernel = kernel->object.id;
	if (param_value && param_value_size <= PL_CL_LIMIT_ARGS_MAX)
		args.value = (struct pl_bytes){ param_value, param_value_size };
	PL_CL_SEND(kernel->object.session, clSetKernelExecInfo, &args, false, code);
	return code;
}
