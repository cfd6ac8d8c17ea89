/* What the files of this folder need of each other; types.h includes it. */
#ifndef PL_CL_PARTS_H
#define PL_CL_PARTS_H

#include "client/opencl/types.h"

/* platform.c */
struct pl_cl_server *pl_cl_server_of(const struct pl_session *session); /* NULL = none */
struct pl_session *
pl_cl_server_session(struct pl_cl_server *server); /* NULL = not reachable; opens it anew after fork() */
cl_int pl_cl_platform_list(cl_uint room, cl_platform_id *platforms, cl_uint *count_out);
const struct _cl_icd_dispatch *pl_cl_dispatch(void);

/* device.c */
void pl_cl_device_fini(struct pl_cl_object *object);
cl_int pl_cl_platform_devices(struct pl_cl_platform *platform); /* fills platform->devices */
struct pl_cl_device *pl_cl_device_at(struct pl_cl_platform *platform, uint64_t id);
void pl_cl_device_preload(struct pl_cl_device *device);
const struct pl_cl_device_facts *pl_cl_device_facts(struct pl_cl_device *device); /* NULL = not to be had */
/* Reads a list of devices of one server.  Return: the array, each held; NULL = some are not valid, or no memory. */
struct pl_cl_device **pl_cl_devices_hold(const cl_device_id *list, uint32_t count);
void pl_cl_devices_unhold(struct pl_cl_device **devices, uint32_t count);

/* info.c */
struct pl_cl_value { /* what a local handler answers */
	const void *at;
	size_t bytes;
	uint64_t word; /* room for small answers: at = &word */
	void *heap;    /* freed afterwards */
};
/* Return: 1 = answered in *value; 0 = ask the server; negative: that code. */
int pl_cl_info_local(enum pl_cl_info_kind info, struct pl_cl_object *object, const void *second, cl_uint param,
		     size_t size, void *to, struct pl_cl_value *value);
cl_int pl_cl_value_give(const void *at, size_t bytes, size_t size, void *value, size_t *size_ret);
/* The driver's answer, cached where the spec says so.  *at_out is valid as long as the object, or until *heap_out is
 * freed where that is not NULL. */
cl_int pl_cl_info_fetch(uint16_t op, enum pl_cl_info_kind info, struct pl_cl_object *object, cl_uint param,
			const void **at_out, size_t *bytes_out, void **heap_out);
void pl_cl_info_store(struct pl_cl_object *object, uint16_t op, uint64_t second, cl_uint index, cl_uint param,
		      const void *value, size_t bytes);
void pl_cl_infos_free(struct pl_cl_object *object);

/* extensions.c */
int pl_cl_extensions_answer(enum pl_cl_info_kind info, struct pl_cl_object *object, cl_uint param,
			    struct pl_cl_value *value);

/* context.c */
void pl_cl_context_fini(struct pl_cl_object *object);
struct pl_cl_formats;
bool pl_cl_context_direct(struct pl_cl_context *context);
void pl_cl_context_limits(struct pl_cl_context *context, uint64_t *alloc_bytes_max, uint64_t *base_align_bytes);
bool pl_cl_context_has(const struct pl_cl_context *context, const struct pl_cl_device *device);

/* queue.c */
void pl_cl_queue_fini(struct pl_cl_object *object);
static inline bool pl_cl_queue_idle(struct pl_cl_queue *queue)
{
	return atomic_load_explicit(&queue->done, memory_order_acquire) ==
	       atomic_load_explicit(&queue->posted, memory_order_relaxed);
}
static inline bool pl_cl_queue_ordered(struct pl_cl_queue *queue)
{
	return !(queue->properties & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE);
}
static inline bool pl_cl_queue_profiles(struct pl_cl_queue *queue)
{
	return queue->properties & CL_QUEUE_PROFILING_ENABLE;
}
/* The first `count` commands have ended. */
void pl_cl_queue_done(struct pl_cl_queue *queue, uint64_t count);
/* The application has let go of it: what it has goes on, and it counts among the queues until that has ended. */
void pl_cl_queue_left(struct pl_cl_queue *queue);
/* Waits for all commands: clFinish. */
cl_int pl_cl_queue_finish(struct pl_cl_queue *queue);
/* A reply says how a command of this queue went: takes notice of late errors.  Return: the status. */
cl_int pl_cl_queue_reply(struct pl_cl_queue *queue, const struct pl_reply *reply);
/* An ask that was sent at ticket `fence` or later has been answered. */
static inline void pl_cl_server_confirm(struct pl_cl_server *server, uint64_t fence)
{
	uint64_t seen = atomic_load_explicit(&server->confirmed, memory_order_relaxed);

	while (seen < fence && !atomic_compare_exchange_weak(&server->confirmed, &seen, fence))
		;
}
/* Tells the arena what may be used again, where all queues are known to have ended what they had at ticket `fence`. */
void pl_cl_arena_passed(struct pl_cl_server *server, uint64_t fence);
/* A blocking command has ended: frees what is known to be free by then, if that is much. */
void pl_cl_arena_relieve(struct pl_cl_server *server);
/* Room in the arena; tries to get freed memory back.  PL_ARENA_NONE = there is none. */
uint64_t pl_cl_arena_alloc(struct pl_cl_server *server, uint64_t bytes);
void pl_cl_mem_store_free(struct pl_cl_mem *mem); /* when commands have ended */
void pl_cl_arena_free(struct pl_cl_server *server, uint64_t offset, uint64_t bytes); /* when commands have ended */

/* event.c */
void pl_cl_event_fini(struct pl_cl_object *object);
bool pl_cl_event_free(struct pl_cl_object *object); /* into the pool; false = free() it */
void pl_cl_event_fork(void);
void pl_cl_event_lost(struct pl_cl_event *event);
/* Nothing was or will be sent on its queue behind it: once it has ended, so has all. */
void pl_cl_event_last(cl_event event);
void pl_cl_event_callback_lost(struct pl_cl_event_callback *callback);
/* Final status, from wherever it came; runs callbacks. */
void pl_cl_event_set(struct pl_cl_event *event, cl_int status);
/* An end was heard of: of this id, or of anything that was made so far.  What is older may have ended before it. */
void pl_cl_ended(struct pl_cl_server *server, uint64_t id);
static inline void pl_cl_ended_all(struct pl_cl_server *server)
{
	pl_cl_ended(server, atomic_load_explicit(&server->session->ids_last, memory_order_relaxed));
}
/* What is known now, without asking: CL_COMPLETE or negative is final. */
cl_int pl_cl_event_known(struct pl_cl_event *event);
bool pl_cl_waits_done(cl_uint count, const cl_event *list);
/* An event of a command that the client did itself; NULL = no memory. */
/* The event of a command that was asked and is complete. */
void pl_cl_event_give_done(cl_event minted, cl_event *event_out);
struct pl_cl_event *pl_cl_event_local(struct pl_cl_queue *queue, uint16_t op);
cl_int pl_cl_event_status_ask(struct pl_cl_event *event, cl_int *status_out);
int pl_cl_event_info(struct pl_cl_event *event, cl_uint param, struct pl_cl_value *value);
int pl_cl_event_times(struct pl_cl_event *event, cl_uint param, struct pl_cl_value *value);
void pl_cl_event_reverse_status(struct pl_cl_server *server, const struct pl_cl_plEventStatus_args *args);
void pl_cl_event_reverse_reached(struct pl_cl_server *server, const struct pl_cl_plEventReached_args *args);

/* mem.c */
void pl_cl_mem_fini(struct pl_cl_object *object);
bool pl_cl_mem_keep(struct pl_cl_mem *mem); /* true: destructor callbacks wait for the driver, it stays until then */
void pl_cl_mem_gone(struct pl_cl_server *server, uint64_t id);
int pl_cl_mem_info(struct pl_cl_mem *mem, enum pl_cl_info_kind info, cl_uint param, struct pl_cl_value *value);
static inline uint8_t *pl_cl_mem_store(const struct pl_cl_mem *mem)
{
	return mem->object.session->arena.base + mem->store;
}
/* The creation was sent without waiting: true when the server is known to have made it, else it is asked. */
bool pl_cl_mem_confirm(struct pl_cl_mem *mem);
/* A posted creation failed. */
void pl_cl_mem_failed(struct pl_cl_server *server, uint64_t id, cl_int code);
static inline bool pl_cl_mem_made_surely(struct pl_cl_mem *mem)
{
	if (mem->ticket > atomic_load_explicit(&mem->object.server->confirmed, memory_order_acquire))
		return pl_cl_mem_confirm(mem);
	return !mem->failed;
}
static inline bool pl_cl_mem_direct(const struct pl_cl_mem *mem)
{
	return mem->store != PL_ARENA_NONE;
}
bool pl_cl_mem_flags_plain(cl_mem_flags flags, bool has_host_ptr);
cl_mem pl_cl_mem_made(struct pl_cl_mem *mem, cl_int code, cl_int *errcode_ret);
uint64_t pl_cl_mem_properties_count(const cl_mem_properties *properties);
/* Fails those that wait for plMemGone: the session is lost. */
void pl_cl_mem_run_destroyed(struct pl_cl_mem *mem);

/* image.c */
size_t pl_cl_format_bytes(const cl_image_format *format);
bool pl_cl_image_region_plain(const struct pl_cl_mem *mem, const size_t *origin, const size_t *region);
struct pl_cl_mem *pl_cl_mem_new(struct pl_cl_context *context, cl_mem_object_type type, cl_mem_flags flags);

/* sampler.c */
void pl_cl_sampler_fini(struct pl_cl_object *object);

/* program.c */
void pl_cl_program_fini(struct pl_cl_object *object);
struct pl_cl_program *pl_cl_program_new(struct pl_cl_context *context, const cl_device_id *list, uint32_t count);
int pl_cl_program_binaries(struct pl_cl_program *program, size_t size, void *to, struct pl_cl_value *value);
/* As the driver counts them: it may take sub-devices for the device that they are parts of. */
uint32_t pl_cl_program_devices_count(struct pl_cl_program *program);
/* A build changed what is known of the kernels. */
void pl_cl_program_forget(struct pl_cl_program *program);

/* kernels.c */
struct pl_cl_kernels *pl_cl_program_kernels(struct pl_cl_program *program); /* a reference, or NULL */
void pl_cl_kernels_unref(struct pl_cl_kernels *kernels);		    /* NULL is fine */

/* include.c: headers that sources and options name.  Return: 0; fatal -ENOMEM. */
struct pl_cl_files {
	uint8_t *at;
	size_t bytes, room;
};
int pl_cl_files_collect(struct pl_cl_files *files, const char *options, const struct pl_cl_program *program,
			struct pl_cl_program *const *headers, uint32_t headers_count);
/* Does a source text include anything? */
bool pl_cl_source_includes(const char *source, size_t bytes);

/* kernel.c */
void pl_cl_kernel_fini(struct pl_cl_object *object);
/* An argument was given to the driver directly: it counts as set, and nothing older may travel with the next launch. */
void pl_cl_kernel_arg_asked(struct pl_cl_kernel *kernel, cl_uint index);
/* Remembers an argument until the next launch.  Return: false = no memory, or too much for one launch. */
bool pl_cl_kernel_arg_put(struct pl_cl_kernel *kernel, cl_uint index, enum pl_cl_arg_kind kind, uint64_t size,
			  uint64_t id, const void *value, uint32_t value_bytes);
/* What was pending is with the server now.  Called with the kernel's lock held. */
static inline void pl_cl_kernel_sent(struct pl_cl_kernel *kernel)
{
	kernel->pending_bytes = 0;
	kernel->turn++;
}

/* map.c */
void pl_cl_maps_free(struct pl_cl_mem *mem);

/* svm.c */
enum pl_cl_svm_how {
	PL_CL_SVM_NONE,
	PL_CL_SVM_COPY,	  /* the client's memory at that address follows maps and unmaps */
	PL_CL_SVM_SHARED, /* both sides have the same pages */
};
void pl_cl_svm_fini(struct pl_cl_context *context);
/* Is it shared virtual memory, `size` bytes of one piece?  *store_out: where it lies in the arena, or PL_ARENA_NONE. */
enum pl_cl_svm_how pl_cl_svm_find(struct pl_cl_context *context, const void *ptr, size_t size, uint64_t *store_out);
/* Does the range begin in shared virtual memory, and end beyond?
 * *more_out: how much more there is than was asked for. */
bool pl_cl_svm_beyond(struct pl_cl_context *context, const void *ptr, size_t size, uint64_t *more_out);
void pl_cl_svm_reverse_free(struct pl_cl_server *server, uint64_t token);
void pl_cl_svm_freeing_lost(void *freeing);
/* Waits for the clEnqueueSVMFree() callbacks that have come: a command that was waited for has called them. */
extern _Atomic uint32_t pl_cl_svm_freeings;
void pl_cl_svm_settle_slow(void);
static inline void pl_cl_svm_settle(void)
{
	if (__builtin_expect(atomic_load_explicit(&pl_cl_svm_freeings, memory_order_acquire) != 0, 0))
		pl_cl_svm_settle_slow();
}
void pl_cl_svm_fork(void);
/* What of the driver's capabilities holds here. */
cl_device_svm_capabilities pl_cl_svm_caps(struct pl_cl_device *device, cl_device_svm_capabilities caps);

/* transfer.c */
void pl_cl_landed(struct pl_cl_server *server, const struct pl_cl_plReadDone_args *args);
void pl_cl_landing_fail(void *landing);

/* reverse.c */
void pl_cl_reverse(struct pl_session *session, const struct pl_wire_head *head, struct pl_dec *dec);

#endif
