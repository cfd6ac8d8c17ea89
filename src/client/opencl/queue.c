/* Command queues, and what the client knows of how far they are. */
#include <stdlib.h>

#include "base/err.h"
#include "client/opencl/call.h"
#include "client/opencl/move.h"
#include "client/opencl/types.h"

/* limit: shared memory of released objects that commands might still use, before the server is asked */
#define HELD_BYTES_MAX   (256ull << 20)
#define HELD_BYTES_KNOWN (16u << 20) /* of the arena, before an answer is taken as a word about it */
#define PROPERTIES_KNOWN (CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE | CL_QUEUE_PROFILING_ENABLE)

void pl_cl_queue_fini(struct pl_cl_object *object)
{
	struct pl_cl_queue *queue = (struct pl_cl_queue *)object;

	pl_lock(&object->server->queues_lock);
	if (queue->link) {
		*queue->link = queue->next;
		if (queue->next)
			queue->next->link = queue->link;
	}
	pl_unlock(&object->server->queues_lock);
	pl_cl_unhold(queue->context);
	pl_cl_unhold(queue->device);
}

/* device may be invalid: then the driver refuses the queue. */
static struct pl_cl_queue *queue_new(struct pl_cl_context *context, struct pl_cl_device *device,
				     cl_command_queue_properties properties)
{
	struct pl_cl_server *server = context->object.server;
	struct pl_cl_queue *queue = pl_cl_object_new(server, PL_CL_KIND_queue, sizeof(*queue), 0);

	if (!queue)
		return NULL;
	queue->context = context;
	queue->device = device;
	queue->properties = properties;
	pl_cl_hold(context);
	if (device)
		pl_cl_hold(device);
	pl_lock(&server->queues_lock);
	queue->next = server->queues;
	queue->link = &server->queues;
	if (queue->next)
		queue->next->link = &queue->next;
	server->queues = queue;
	pl_unlock(&server->queues_lock);
	return queue;
}

static cl_command_queue queue_made(struct pl_cl_queue *queue, cl_int code, cl_int *errcode_ret)
{
	pl_cl_code_set(errcode_ret, code);
	if (!code)
		return (cl_command_queue)queue;
	pl_cl_object_drop(queue);
	return NULL;
}

/* Does the driver say that the device has these properties? */
static bool device_has(struct pl_cl_device *device, cl_command_queue_properties properties)
{
	const void *at;
	size_t bytes;
	void *heap;
	bool has;

	if (!properties)
		return true;
	if (pl_cl_device_preload(device), pl_cl_info_fetch(PL_CL_OP_clGetDeviceInfo, PL_CL_INFO_device, &device->object,
							   CL_DEVICE_QUEUE_PROPERTIES, &at, &bytes, &heap))
		return false;
	has = bytes == sizeof(properties) && !(properties & ~*(const cl_command_queue_properties *)at);
	free(heap);
	return has;
}

cl_command_queue pl_cl_stub_clCreateCommandQueue(cl_context handle, cl_device_id device_id,
						 cl_command_queue_properties properties, cl_int *errcode_ret)
{
	struct pl_cl_context *context = pl_cl_get(handle, PL_CL_KIND_context);
	struct pl_cl_device *device = pl_cl_get(device_id, PL_CL_KIND_device);
	struct pl_cl_clCreateCommandQueue_args args = {.properties = properties};
	struct pl_cl_queue *queue;
	bool plain;
	cl_int code;

	if (!context)
		return queue_made(NULL, CL_INVALID_CONTEXT, errcode_ret);
	queue = queue_new(context, device, properties);
	if (!queue)
		return queue_made(NULL, CL_OUT_OF_HOST_MEMORY, errcode_ret);
	args.context = context->object.id;
	args.device = pl_cl_id_at(context->object.session, device, PL_CL_KIND_device);
	args.queue = queue->object.id;
	plain = device && pl_cl_context_has(context, device) &&
		!(properties & ~(cl_command_queue_properties)PROPERTIES_KNOWN) && device_has(device, properties);
	PL_CL_SEND(context->object.session, clCreateCommandQueue, &args, plain, code);
	return queue_made(queue, code, errcode_ret);
}

cl_command_queue pl_cl_stub_clCreateCommandQueueWithProperties(cl_context handle, cl_device_id device_id,
							       const cl_queue_properties *properties,
							       cl_int *errcode_ret)
{
	struct pl_cl_context *context = pl_cl_get(handle, PL_CL_KIND_context);
	struct pl_cl_device *device = pl_cl_get(device_id, PL_CL_KIND_device);
	struct pl_cl_clCreateCommandQueueWithProperties_args args = {0};
	cl_command_queue_properties bits = 0;
	struct pl_cl_queue *queue;
	uint64_t count = 0;
	bool plain = true;
	cl_int code;

	if (!context)
		return queue_made(NULL, CL_INVALID_CONTEXT, errcode_ret);
	for (; properties && count + 2 < PL_CL_LIMIT_PROPERTIES_MAX && properties[count]; count += 2) {
		if (properties[count] == CL_QUEUE_PROPERTIES)
			bits |= properties[count + 1];
		plain &= properties[count] == CL_QUEUE_PROPERTIES && !count;
	}
	queue = queue_new(context, device, bits);
	if (!queue)
		return queue_made(NULL, CL_OUT_OF_HOST_MEMORY, errcode_ret);
	args.context = context->object.id;
	args.device = pl_cl_id_at(context->object.session, device, PL_CL_KIND_device);
	args.properties = (struct pl_u64s){properties, properties ? count + 1 : 0};
	args.queue = queue->object.id;
	plain = plain && device && pl_cl_context_has(context, device) &&
		!(bits & ~(cl_command_queue_properties)PROPERTIES_KNOWN) && device_has(device, bits);
	PL_CL_SEND(context->object.session, clCreateCommandQueueWithProperties, &args, plain, code);
	return queue_made(queue, code, errcode_ret);
}

cl_command_queue pl_cl_stub_clCreateCommandQueueWithPropertiesKHR(cl_context context, cl_device_id device,
								  const cl_queue_properties *properties,
								  cl_int *errcode_ret)
{
	return pl_cl_stub_clCreateCommandQueueWithProperties(context, device, properties, errcode_ret);
}

cl_int pl_cl_stub_clSetCommandQueueProperty(cl_command_queue handle, cl_command_queue_properties properties,
					    cl_bool enable, cl_command_queue_properties *old_properties)
{
	struct pl_cl_queue *queue = pl_cl_get(handle, PL_CL_KIND_queue);
	struct pl_cl_clSetCommandQueueProperty_args args = {
		.properties = properties, .enable = enable, .want_old = old_properties != NULL};
	struct pl_cl_clSetCommandQueueProperty_reply got;
	struct pl_reply reply;
	int r;

	if (!queue)
		return CL_INVALID_COMMAND_QUEUE;
	args.queue = queue->object.id;
	r = PL_CL_ASK(queue->object.session, clSetCommandQueueProperty, &args, &reply);
	if (r)
		return pl_cl_fault(r);
	if (reply.status)
		return reply.status;
	pl_cl_clSetCommandQueueProperty_reply_get(&reply.dec, &got);
	if (old_properties)
		*old_properties = got.old_properties;
	if (enable)
		atomic_fetch_or(&queue->properties, properties);
	else
		atomic_fetch_and(&queue->properties, ~properties);
	return CL_SUCCESS;
}

/* ---- progress ---- */

void pl_cl_queue_posted(cl_command_queue handle)
{
	struct pl_cl_queue *queue = pl_cl_get(handle, PL_CL_KIND_queue);

	if (queue)
		atomic_fetch_add_explicit(&queue->posted, 1, memory_order_release);
}

void pl_cl_queue_done(struct pl_cl_queue *queue, uint64_t count)
{
	uint64_t done = atomic_load_explicit(&queue->done, memory_order_relaxed);

	while (done < count && !atomic_compare_exchange_weak_explicit(&queue->done, &done, count, memory_order_release,
								      memory_order_relaxed))
		;
}

cl_int pl_cl_queue_reply(struct pl_cl_queue *queue, const struct pl_reply *reply)
{
	if (reply->flags & PL_WIRE_REPLY_LATE)
		queue->object.server->doubt = true;
	return reply->status;
}

void pl_cl_queue_left(struct pl_cl_queue *queue)
{
	struct pl_session *session = queue->object.session;
	struct pl_cl_clFlush_args args = {.queue = queue->object.id};
	struct pl_cl_command command;
	cl_event last;

	if (!session->shares_memory || pl_cl_queue_idle(queue) ||
	    pl_cl_command_init(&command, PL_CL_OP_clEnqueueMarkerWithWaitList, (cl_command_queue)queue, false, 0, NULL,
			       &last) ||
	    pl_cl_command_marker(&command, true))
		return;
	pl_cl_event_last(last);
	(void)PL_CL_POST(session, clFlush, &args);
	(void)pl_cl_release(last, PL_CL_KIND_event);
}

static bool queues_idle(void *arg)
{
	struct pl_cl_server *server = arg;
	bool idle = true;

	pl_lock(&server->queues_lock);
	for (struct pl_cl_queue *queue = server->queues; queue && idle; queue = queue->next)
		idle = pl_cl_queue_idle(queue);
	pl_unlock(&server->queues_lock);
	return idle;
}

void pl_cl_arena_passed(struct pl_cl_server *server, uint64_t fence)
{
	struct pl_session *session = server->session;

	if (session->shares_memory)
		pl_arena_passed_if(&session->arena, fence, queues_idle, server);
}

void pl_cl_arena_relieve(struct pl_cl_server *server)
{
	struct pl_session *session = server->session;

	if (session->shares_memory && pl_arena_held(&session->arena) > HELD_BYTES_KNOWN)
		pl_cl_arena_passed(server, pl_session_answered(session));
}

/* What is held back is free once the server has come past it; where queues are at work nobody can say when. */
static bool arena_reclaim(struct pl_cl_server *server)
{
	struct pl_cl_clGetPlatformIDs_args args = {0};
	uint64_t fence = server->session->ticket;
	struct pl_reply reply;

	if (!queues_idle(server) || PL_CL_ASK(server->session, clGetPlatformIDs, &args, &reply))
		return false;
	pl_cl_arena_passed(server, fence);
	return true;
}

uint64_t pl_cl_arena_alloc(struct pl_cl_server *server, uint64_t bytes)
{
	struct pl_session *session = server->session;
	uint64_t offset;

	if (!session->shares_memory || !bytes)
		return PL_ARENA_NONE;
	/* A program that makes and releases objects without a command would hold more and more. */
	if (pl_arena_held(&session->arena) + bytes > HELD_BYTES_MAX && pl_arena_held(&session->arena))
		arena_reclaim(server);
	offset = pl_arena_alloc(&session->arena, bytes);
	if (offset == PL_ARENA_NONE && arena_reclaim(server))
		offset = pl_arena_alloc(&session->arena, bytes);
	return offset;
}

void pl_cl_arena_free(struct pl_cl_server *server, uint64_t offset, uint64_t bytes)
{
	struct pl_session *session = server->session;

	if (offset != PL_ARENA_NONE && session->shares_memory)
		pl_arena_free(&session->arena, offset, bytes, session->ticket);
}

cl_int pl_cl_queue_finish(struct pl_cl_queue *queue)
{
	struct pl_session *session = queue->object.session;
	struct pl_cl_clFinish_args args = {.queue = queue->object.id};
	uint64_t posted = atomic_load_explicit(&queue->posted, memory_order_acquire);
	uint64_t fence = atomic_load(&session->ticket);
	struct pl_reply reply;
	int r = PL_CL_ASK(session, clFinish, &args, &reply);

	if (r)
		return pl_cl_fault(r);
	pl_cl_server_confirm(queue->object.server, fence);
	if (!reply.status || (reply.flags & PL_WIRE_REPLY_LATE)) {
		pl_cl_queue_done(queue, posted);
		pl_cl_ended_all(queue->object.server);
		pl_cl_arena_passed(queue->object.server, fence);
	} else {
		queue->object.server->doubt = true;
	}
	return pl_cl_queue_reply(queue, &reply);
}

cl_int pl_cl_stub_clFinish(cl_command_queue handle)
{
	struct pl_cl_queue *queue = pl_cl_get(handle, PL_CL_KIND_queue);
	cl_int code = CL_SUCCESS;

	if (!queue)
		return CL_INVALID_COMMAND_QUEUE;
	if (!pl_cl_queue_idle(queue))
		code = pl_cl_queue_finish(queue);
	else if (queue->object.session->dead)
		code = pl_cl_lost();
	pl_cl_svm_settle();
	return code;
}

cl_int pl_cl_stub_clFlush(cl_command_queue handle)
{
	struct pl_cl_queue *queue = pl_cl_get(handle, PL_CL_KIND_queue);
	struct pl_cl_clFlush_args args;
	cl_int code;

	if (!queue)
		return CL_INVALID_COMMAND_QUEUE;
	if (pl_cl_queue_idle(queue))
		return queue->object.session->dead ? pl_cl_lost() : CL_SUCCESS;
	args.queue = queue->object.id;
	PL_CL_SEND(queue->object.session, clFlush, &args, true, code);
	return code;
}
