/* Launching kernels: the hot path. */
#include <string.h>

#include "client/opencl/call.h"
#include "client/opencl/check.h"
#include "client/opencl/kernels.h"
#include "client/opencl/move.h"

#define DIMS 3u

/* A local size that fits device and kernel, and divides the global one. */
static bool local_plain(const struct pl_cl_device_facts *facts, const struct pl_cl_desc_device *device, cl_uint dims,
			const size_t *global, const size_t *local)
{
	bool required = device->compile_group[0] != 0;
	uint64_t items = 1;

	for (cl_uint i = 0; i < dims; i++) {
		if (!local[i] || local[i] > facts->item_sizes_max[i] || global[i] % local[i] ||
		    (required && local[i] != device->compile_group[i]))
			return false;
		items *= local[i];
	}
	for (cl_uint i = dims; required && i < DIMS; i++)
		if (device->compile_group[i] > 1)
			return false;
	return items <= device->group_items_max && items <= facts->group_items_max;
}

static bool shape_is(const struct pl_cl_shape *shape, const struct pl_cl_device *device, cl_uint dims,
		     const size_t *global, const size_t *local)
{
	return shape->device == device && shape->dims == dims && shape->has_local == (local != NULL) &&
	       !memcmp(shape->global, global, dims * sizeof(*global)) &&
	       (!local || !memcmp(shape->local, local, dims * sizeof(*local)));
}

/* The driver has taken this shape before. */
static bool shape_taken(struct pl_cl_kernel *kernel, const struct pl_cl_device *device, cl_uint dims,
			const size_t *global, const size_t *local)
{
	bool taken = false;

	pl_lock(&kernel->object.lock);
	for (uint32_t i = 0; i < PL_CL_SHAPES && !taken; i++)
		taken = shape_is(&kernel->shapes[i], device, dims, global, local);
	pl_unlock(&kernel->object.lock);
	return taken;
}

static void shape_keep(struct pl_cl_kernel *kernel, struct pl_cl_device *device, cl_uint dims, const size_t *global,
		       const size_t *local)
{
	struct pl_cl_shape *shape;

	if (!dims || dims > DIMS || !global)
		return;
	pl_lock(&kernel->object.lock);
	shape = &kernel->shapes[kernel->shapes_next++ % PL_CL_SHAPES];
	*shape = (struct pl_cl_shape){.device = device, .dims = dims, .has_local = local != NULL};
	memcpy(shape->global, global, dims * sizeof(*global));
	if (local)
		memcpy(shape->local, local, dims * sizeof(*local));
	pl_unlock(&kernel->object.lock);
}

static bool sizes_plain(const struct pl_cl_queue *queue, struct pl_cl_kernel *kernel, cl_uint dims,
			const size_t *offset, const size_t *global, const size_t *local)
{
	const struct pl_cl_device_facts *facts = pl_cl_device_facts(queue->device);
	const struct pl_cl_desc_device *device = pl_cl_desc_device(kernel->desc, queue->device);
	uint64_t items = 1;

	if (!facts || !device || !dims || dims > DIMS || !global)
		return false;
	for (cl_uint i = 0; i < dims; i++)
		if (!global[i] || __builtin_mul_overflow(items, global[i], &items) ||
		    (offset && offset[i] + global[i] < global[i]))
			return false;
	if (local ? local_plain(facts, device, dims, global, local) : !device->compile_group[0])
		return true;
	return shape_taken(kernel, queue->device, dims, global, local);
}

/* Launches mostly come in the same shape again and again: the last that was found plain is remembered. */
static bool sizes_plain_again(const struct pl_cl_queue *queue, struct pl_cl_kernel *kernel, cl_uint dims,
			      const size_t *offset, const size_t *global, const size_t *local)
{
	struct pl_cl_shape *last = &kernel->plain;

	if (last->device == queue->device && last->dims == dims && last->has_local == (local != NULL) && !offset &&
	    global) {
		cl_uint same = dims;

		while (same && last->global[same - 1] == global[same - 1] &&
		       (!local || last->local[same - 1] == local[same - 1]))
			same--;
		if (!same)
			return true;
	}
	if (!sizes_plain(queue, kernel, dims, offset, global, local))
		return false;
	if (offset)
		return true;
	last->device = queue->device;
	last->dims = dims;
	last->has_local = local != NULL;
	for (cl_uint i = 0; i < dims; i++) {
		last->global[i] = global[i];
		last->local[i] = local ? local[i] : 0;
	}
	return true;
}

static inline bool waits_plain(cl_command_queue queue, cl_uint count, const cl_event *list)
{
	return (!count && !list) || pl_cl_check_waits(queue, count, list);
}

static bool kernel_plain(const struct pl_cl_queue *queue, const struct pl_cl_kernel *kernel)
{
	return kernel->desc && !kernel->unset_count && kernel->program->context == queue->context;
}

cl_int pl_cl_stub_clEnqueueNDRangeKernel(cl_command_queue command_queue, cl_kernel handle, cl_uint work_dim,
					 const size_t *global_work_offset, const size_t *global_work_size,
					 const size_t *local_work_size, cl_uint num_events_in_wait_list,
					 const cl_event *event_wait_list, cl_event *event)
{
	struct pl_cl_kernel *kernel = pl_cl_get(handle, PL_CL_KIND_kernel);
	cl_uint dims = work_dim <= PL_CL_LIMIT_DIMS_MAX ? work_dim : 0;
	struct pl_cl_clEnqueueNDRangeKernel_args args;
	struct pl_cl_command command;
	bool plain;
	cl_int code = pl_cl_command_init(&command, PL_CL_OP_clEnqueueNDRangeKernel, command_queue, false,
					 num_events_in_wait_list, event_wait_list, event);

	if (code)
		return code;
	plain = kernel && kernel_plain(command.queue, kernel) &&
		sizes_plain_again(command.queue, kernel, work_dim, global_work_offset, global_work_size,
				  local_work_size) &&
		waits_plain(command_queue, num_events_in_wait_list, event_wait_list);
	code = pl_cl_command_start(&command);
	if (code)
		return code;
	args.queue = command.queue->object.id;
	args.work_dim = work_dim;
	args.given = (global_work_offset ? PL_CL_GIVEN_OFFSET : 0u) | (global_work_size ? PL_CL_GIVEN_GLOBAL : 0u) |
		     (local_work_size ? PL_CL_GIVEN_LOCAL : 0u);
	args.offset = (struct pl_u64s){global_work_offset, global_work_offset ? dims : 0};
	args.global = (struct pl_u64s){global_work_size, global_work_size ? dims : 0};
	args.local = (struct pl_u64s){local_work_size, local_work_size ? dims : 0};
	args.waits = command.ids.list;
	args.event = command.event_id;
	if (!kernel) {
		args.kernel = 0;
		args.args = (struct pl_bytes){NULL, 0};
		PL_CL_SEND(command.session, clEnqueueNDRangeKernel, &args, false, code);
		return pl_cl_command_end(&command, code);
	}
	args.kernel = kernel->object.id;
	/* Whoever launches next must not be before the arguments that this launch takes along. */
	pl_lock(&kernel->object.lock);
	args.args = (struct pl_bytes){kernel->pending, kernel->pending_bytes};
	PL_CL_SEND(command.session, clEnqueueNDRangeKernel, &args, plain, code);
	if (!code)
		pl_cl_kernel_sent(kernel);
	pl_unlock(&kernel->object.lock);
	if (!code && !plain)
		shape_keep(kernel, command.queue->device, work_dim, global_work_size, local_work_size);
	return pl_cl_command_end(&command, code);
}

cl_int pl_cl_stub_clEnqueueTask(cl_command_queue command_queue, cl_kernel handle, cl_uint num_events_in_wait_list,
				const cl_event *event_wait_list, cl_event *event)
{
	static const size_t one = 1;
	struct pl_cl_kernel *kernel = pl_cl_get(handle, PL_CL_KIND_kernel);
	struct pl_cl_clEnqueueTask_args args = {0};
	struct pl_cl_command command;
	bool plain;
	cl_int code = pl_cl_command_init(&command, PL_CL_OP_clEnqueueTask, command_queue, false,
					 num_events_in_wait_list, event_wait_list, event);

	if (code)
		return code;
	plain = kernel && kernel_plain(command.queue, kernel) &&
		sizes_plain(command.queue, kernel, 1, NULL, &one, &one) &&
		waits_plain(command_queue, num_events_in_wait_list, event_wait_list);
	code = pl_cl_command_start(&command);
	if (code)
		return code;
	args.queue = command.queue->object.id;
	args.waits = command.ids.list;
	args.event = command.event_id;
	if (!kernel) {
		PL_CL_SEND(command.session, clEnqueueTask, &args, false, code);
		return pl_cl_command_end(&command, code);
	}
	args.kernel = kernel->object.id;
	pl_lock(&kernel->object.lock);
	args.args = (struct pl_bytes){kernel->pending, kernel->pending_bytes};
	PL_CL_SEND(command.session, clEnqueueTask, &args, plain, code);
	if (!code)
		pl_cl_kernel_sent(kernel);
	pl_unlock(&kernel->object.lock);
	return pl_cl_command_end(&command, code);
}

/* The client's function can not run where the device is; CL_DEVICE_EXECUTION_CAPABILITIES says so. */
cl_int pl_cl_stub_clEnqueueNativeKernel(cl_command_queue command_queue, void (*user_func)(void *), void *args,
					size_t cb_args, cl_uint num_mem_objects, const cl_mem *mem_list,
					const void **args_mem_loc, cl_uint num_events_in_wait_list,
					const cl_event *event_wait_list, cl_event *event)
{
	(void)args, (void)cb_args, (void)num_mem_objects, (void)mem_list, (void)args_mem_loc;
	(void)num_events_in_wait_list, (void)event_wait_list, (void)event;
	if (!pl_cl_get(command_queue, PL_CL_KIND_queue))
		return CL_INVALID_COMMAND_QUEUE;
	return user_func ? CL_INVALID_OPERATION : CL_INVALID_VALUE;
}

cl_int pl_cl_stub_clGetKernelSuggestedLocalWorkSizeKHR(cl_command_queue command_queue, cl_kernel handle,
						       cl_uint work_dim, const size_t *global_work_offset,
						       const size_t *global_work_size,
						       size_t *suggested_local_work_size)
{
	struct pl_cl_queue *queue = pl_cl_get(command_queue, PL_CL_KIND_queue);
	struct pl_cl_kernel *kernel = pl_cl_get(handle, PL_CL_KIND_kernel);
	cl_uint dims = work_dim <= PL_CL_LIMIT_DIMS_MAX ? work_dim : 0;
	struct pl_cl_clGetKernelSuggestedLocalWorkSizeKHR_args args = {.work_dim = work_dim};
	struct pl_cl_clGetKernelSuggestedLocalWorkSizeKHR_reply got;
	struct pl_reply reply;
	cl_int code;
	int r;

	if (!queue)
		return CL_INVALID_COMMAND_QUEUE;
	if (!kernel)
		return CL_INVALID_KERNEL;
	args.queue = queue->object.id;
	args.kernel = pl_cl_id_at(queue->object.session, kernel, PL_CL_KIND_kernel);
	args.given = (global_work_offset ? PL_CL_GIVEN_OFFSET : 0u) | (global_work_size ? PL_CL_GIVEN_GLOBAL : 0u) |
		     (suggested_local_work_size ? PL_CL_GIVEN_LOCAL : 0u);
	args.offset = (struct pl_u64s){global_work_offset, global_work_offset ? dims : 0};
	args.global = (struct pl_u64s){global_work_size, global_work_size ? dims : 0};
	pl_lock(&kernel->object.lock);
	args.args = (struct pl_bytes){kernel->pending, kernel->pending_bytes};
	r = PL_CL_ASK(queue->object.session, clGetKernelSuggestedLocalWorkSizeKHR, &args, &reply);
	code = r ? pl_cl_fault(r) : reply.status;
	if (!code)
		pl_cl_kernel_sent(kernel);
	pl_unlock(&kernel->object.lock);
	if (code)
		return code;
	pl_cl_clGetKernelSuggestedLocalWorkSizeKHR_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec) || got.local.count > dims)
		return pl_cl_lost();
	if (suggested_local_work_size && got.local.count)
		memcpy(suggested_local_work_size, got.local.at, got.local.count * sizeof(size_t));
	return CL_SUCCESS;
}
