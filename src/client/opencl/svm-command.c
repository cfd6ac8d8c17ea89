/* Commands on shared virtual memory: copies, fills, maps, migrations. */
#include <stdlib.h>
#include <string.h>

#include "client/opencl/call.h"
#include "client/opencl/check.h"
#include "client/opencl/svm.h"

/* ---- copies ---- */

static bool overlap(const void *a, const void *b, size_t size)
{
	uintptr_t x = (uintptr_t)a, y = (uintptr_t)b;
	return (x < y ? y - x : x - y) < size;
}

cl_int pl_cl_stub_clEnqueueSVMMemcpy(cl_command_queue command_queue, cl_bool blocking_copy, void *dst_ptr,
				     const void *src_ptr, size_t size, cl_uint num_events_in_wait_list,
				     const cl_event *event_wait_list, cl_event *event)
{
	struct pl_cl_clEnqueueSVMMemcpy_args args = { .size = size, .stage = PL_ARENA_NONE };
	struct pl_cl_clEnqueueSVMMemcpy_reply got;
	struct pl_cl_landing landing = { .to = NULL };
	struct pl_cl_box line = pl_cl_box_line(size);
	struct pl_cl_load load;
	struct pl_cl_command command;
	enum pl_cl_svm_how to, from;
	struct pl_reply reply;
	bool plain, asked;
	cl_int code = pl_cl_command_init(&command, PL_CL_OP_clEnqueueSVMMemcpy, command_queue, blocking_copy,
					 num_events_in_wait_list, event_wait_list, event);
	int r;

	if (!code)
		code = pl_cl_svm_none(command.queue);
	if (code)
		return code;
	to = dst_ptr ? pl_cl_svm_how_of(command.queue->context, dst_ptr, size) : PL_CL_SVM_NONE;
	from = src_ptr ? pl_cl_svm_how_of(command.queue->context, src_ptr, size) : PL_CL_SVM_NONE;
	plain = dst_ptr && src_ptr && size && !overlap(dst_ptr, src_ptr, size) &&
		pl_cl_check_waits(command_queue, num_events_in_wait_list, event_wait_list);
	if (plain && to != PL_CL_SVM_COPY && from != PL_CL_SVM_COPY && pl_cl_command_idle(&command, &code)) {
		if (code)
			return code;
		memcpy(dst_ptr, src_ptr, size);
		return pl_cl_command_local_end(&command);
	}
	/* Where one end is the program's own memory the driver gets another in its place, and can not see it. */
	if (dst_ptr && src_ptr && size && (!to || !from) && overlap(dst_ptr, src_ptr, size))
		return CL_MEM_COPY_OVERLAP;
	asked = !plain || blocking_copy;
	code = pl_cl_command_start(&command);
	if (code)
		return code;
	if (dst_ptr && !to)
		landing = (struct pl_cl_landing){ .to = dst_ptr, .box = line };
	if (!pl_cl_landing_start(&landing, command.server, blocking_copy, plain))
		return pl_cl_command_end(&command, CL_OUT_OF_HOST_MEMORY);
	r = pl_cl_load_start(&load, command.session, src_ptr && !from ? src_ptr : NULL, &line, PL_CL_LOAD_POSTED);
	args.queue = command.queue->object.id;
	args.blocking = blocking_copy;
	args.given = (dst_ptr ? PL_CL_SVM_GIVEN_DST : 0u) | (src_ptr ? PL_CL_SVM_GIVEN_SRC : 0u) |
		     (dst_ptr && !to ? PL_CL_SVM_HOST_DST : 0u) | (src_ptr && !from ? PL_CL_SVM_HOST_SRC : 0u);
	args.dst = to ? (uintptr_t)dst_ptr : 0;
	args.src = from ? (uintptr_t)src_ptr : 0;
	args.stage = landing.stage;
	args.token = landing.token;
	args.data = load.bulk;
	args.waits = command.ids.list;
	args.event = command.event_id;
	if (!r)
		r = asked ? PL_CL_ASK(command.session, clEnqueueSVMMemcpy, &args, &reply) :
			    PL_CL_POST(command.session, clEnqueueSVMMemcpy, &args);
	code = r ? pl_cl_fault(r) : asked ? pl_cl_queue_reply(command.queue, &reply) : CL_SUCCESS;
	if (!code && asked) {
		pl_cl_clEnqueueSVMMemcpy_reply_get(&reply.dec, &got);
		r = pl_cl_landing_reply(&landing, command.server, &reply, &got.reply_data);
		code = r ? pl_cl_fault(r) : CL_SUCCESS;
	}
	if (code)
		pl_cl_landing_cancel(&landing, command.server);
	code = pl_cl_command_end(&command, code);
	pl_cl_load_end(&load, command.session);
	return code;
}

cl_int pl_cl_stub_clEnqueueSVMMemFill(cl_command_queue command_queue, void *svm_ptr, const void *pattern,
				      size_t pattern_size, size_t size, cl_uint num_events_in_wait_list,
				      const cl_event *event_wait_list, cl_event *event)
{
	struct pl_cl_clEnqueueSVMMemFill_args args = { .address = (uintptr_t)svm_ptr, .pattern_size = pattern_size,
							.size = size };
	struct pl_cl_command command;
	bool plain;
	cl_int code = pl_cl_command_init(&command, PL_CL_OP_clEnqueueSVMMemFill, command_queue, false,
					 num_events_in_wait_list, event_wait_list, event);

	if (!code)
		code = pl_cl_svm_none(command.queue);
	if (code)
		return code;
	plain = svm_ptr && pattern && size && pl_cl_svm_how_of(command.queue->context, svm_ptr, size) &&
		pl_cl_check_pattern(pattern_size, (uintptr_t)svm_ptr, size) &&
		pl_cl_check_waits(command_queue, num_events_in_wait_list, event_wait_list);
	code = pl_cl_command_start(&command);
	if (code)
		return code;
	args.queue = command.queue->object.id;
	if (pattern && pattern_size <= PL_CL_LIMIT_PATTERN_MAX)
		args.pattern = (struct pl_bytes){ pattern, pattern_size };
	args.waits = command.ids.list;
	args.event = command.event_id;
	PL_CL_SEND(command.session, clEnqueueSVMMemFill, &args, plain, code);
	return pl_cl_command_end(&command, code);
}

/* ---- maps ---- */

static cl_int map_remote(struct pl_cl_command *command, cl_map_flags flags, void *svm_ptr, size_t size, bool copy,
			 bool plain)
{
	struct pl_cl_clEnqueueSVMMap_args args = { .flags = flags, .address = (uintptr_t)svm_ptr, .size = size };
	struct pl_cl_clEnqueueSVMMap_reply got;
	struct pl_cl_landing landing = { .to = NULL };
	struct pl_reply reply;
	cl_int code = pl_cl_command_start(command);
	int r;

	if (code)
		return code;
	if (copy && (flags & (CL_MAP_READ | CL_MAP_WRITE)))
		landing = (struct pl_cl_landing){ .to = svm_ptr, .box = pl_cl_box_line(size) };
	/* The whole goes over the lane: the server has no stage for it. */
	if (!pl_cl_landing_start(&landing, command->server, command->blocking, false))
		return pl_cl_command_end(command, CL_OUT_OF_HOST_MEMORY);
	args.queue = command->queue->object.id;
	args.blocking = command->blocking;
	args.token = landing.token;
	args.waits = command->ids.list;
	args.event = command->event_id;
	if (plain && !command->blocking) {
		r = PL_CL_POST(command->session, clEnqueueSVMMap, &args);
		code = r ? pl_cl_fault(r) : CL_SUCCESS;
	} else {
		r = PL_CL_ASK(command->session, clEnqueueSVMMap, &args, &reply);
		code = r ? pl_cl_fault(r) : pl_cl_queue_reply(command->queue, &reply);
		if (!code) {
			pl_cl_clEnqueueSVMMap_reply_get(&reply.dec, &got);
			r = pl_cl_landing_reply(&landing, command->server, &reply, &got.data);
			code = r ? pl_cl_fault(r) : CL_SUCCESS;
		}
	}
	if (code)
		pl_cl_landing_cancel(&landing, command->server);
	return pl_cl_command_end(command, code);
}

cl_int pl_cl_stub_clEnqueueSVMMap(cl_command_queue command_queue, cl_bool blocking_map, cl_map_flags flags,
				  void *svm_ptr, size_t size, cl_uint num_events_in_wait_list,
				  const cl_event *event_wait_list, cl_event *event)
{
	cl_map_flags known = CL_MAP_READ | CL_MAP_WRITE | CL_MAP_WRITE_INVALIDATE_REGION;
	struct pl_cl_command command;
	enum pl_cl_svm_how how;
	bool plain;
	cl_int code = pl_cl_command_init(&command, PL_CL_OP_clEnqueueSVMMap, command_queue, blocking_map,
					 num_events_in_wait_list, event_wait_list, event);

	if (!code)
		code = pl_cl_svm_none(command.queue);
	if (code)
		return code;
	how = svm_ptr && size ? pl_cl_svm_how_of(command.queue->context, svm_ptr, size) : PL_CL_SVM_NONE;
	plain = how && flags && !(flags & ~known) &&
		pl_cl_check_waits(command_queue, num_events_in_wait_list, event_wait_list);
	if (plain && how == PL_CL_SVM_SHARED) {
		if (!pl_cl_command_idle(&command, &code))
			return pl_cl_command_turn(&command);
		return code ? code : pl_cl_command_local_end(&command);
	}
	if (how && !pl_cl_svm_mapping_add(command.queue->context, svm_ptr, size, flags))
		return CL_OUT_OF_HOST_MEMORY;
	code = map_remote(&command, flags, svm_ptr, size, how == PL_CL_SVM_COPY, plain);
	if (code && how)
		free(pl_cl_svm_mapping_take(command.queue->context, svm_ptr));
	return code;
}

cl_int pl_cl_stub_clEnqueueSVMUnmap(cl_command_queue command_queue, void *svm_ptr, cl_uint num_events_in_wait_list,
				    const cl_event *event_wait_list, cl_event *event)
{
	struct pl_cl_clEnqueueSVMUnmap_args args = { .address = (uintptr_t)svm_ptr };
	struct pl_cl_svm_mapping *mapping = NULL;
	struct pl_cl_command command;
	struct pl_cl_box line = { 0 };
	enum pl_cl_svm_how how;
	struct pl_cl_load load;
	struct pl_reply reply;
	bool plain;
	cl_int code = pl_cl_command_init(&command, PL_CL_OP_clEnqueueSVMUnmap, command_queue, false,
					 num_events_in_wait_list, event_wait_list, event);
	int r;

	if (!code)
		code = pl_cl_svm_none(command.queue);
	if (code)
		return code;
	how = svm_ptr ? pl_cl_svm_how_of(command.queue->context, svm_ptr, 0) : PL_CL_SVM_NONE;
	plain = how && pl_cl_check_waits(command_queue, num_events_in_wait_list, event_wait_list);
	if (plain && how == PL_CL_SVM_SHARED) {
		if (!pl_cl_command_idle(&command, &code))
			return pl_cl_command_marker(&command, true);
		return code ? code : pl_cl_command_local_end(&command);
	}
	code = pl_cl_command_start(&command);
	if (code)
		return code;
	if (how)
		mapping = pl_cl_svm_mapping_take(command.queue->context, svm_ptr);
	if (mapping && (mapping->flags & (CL_MAP_WRITE | CL_MAP_WRITE_INVALIDATE_REGION)))
		line = pl_cl_box_line(mapping->size);
	r = pl_cl_load_start(&load, command.session, svm_ptr, &line, PL_CL_LOAD_POSTED);
	args.queue = command.queue->object.id;
	args.data = load.bulk;
	args.waits = command.ids.list;
	args.event = command.event_id;
	if (!r)
		r = plain ? PL_CL_POST(command.session, clEnqueueSVMUnmap, &args) :
			    PL_CL_ASK(command.session, clEnqueueSVMUnmap, &args, &reply);
	code = r ? pl_cl_fault(r) : plain ? CL_SUCCESS : pl_cl_queue_reply(command.queue, &reply);
	code = pl_cl_command_end(&command, code);
	pl_cl_load_end(&load, command.session);
	free(mapping);
	return code;
}

cl_int pl_cl_stub_clEnqueueSVMMigrateMem(cl_command_queue command_queue, cl_uint num_svm_pointers,
					 const void **svm_pointers, const size_t *sizes, cl_mem_migration_flags flags,
					 cl_uint num_events_in_wait_list, const cl_event *event_wait_list,
					 cl_event *event)
{
	struct pl_cl_clEnqueueSVMMigrateMem_args args = { .has_sizes = sizes != NULL, .flags = flags };
	cl_uint count = svm_pointers && num_svm_pointers <= PL_CL_LIMIT_OBJECTS_MAX / 16 ? num_svm_pointers : 0;
	struct pl_cl_command command;
	cl_int code = pl_cl_command_init(&command, PL_CL_OP_clEnqueueSVMMigrateMem, command_queue, false,
					 num_events_in_wait_list, event_wait_list, event);

	if (!code)
		code = pl_cl_svm_none(command.queue);
	if (!code)
		code = pl_cl_command_start(&command);
	if (code)
		return code;
	args.queue = command.queue->object.id;
	args.addresses = (struct pl_u64s){ (const uint64_t *)svm_pointers, count };
	args.sizes = (struct pl_u64s){ sizes, sizes ? count : 0 };
	args.waits = command.ids.list;
	args.event = command.event_id;
	PL_CL_SEND(command.session, clEnqueueSVMMigrateMem, &args, false, code);
	return pl_cl_command_end(&command, code);
}
