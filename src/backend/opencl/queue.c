/* Queues and samplers. */
#include <stdlib.h>

#include "backend/opencl/later.h"
#include "backend/opencl/resolve.h"

static struct pl_cl_queue_note *note_new(cl_command_queue queue, cl_command_queue_properties properties)
{
	struct pl_cl_queue_note *note = calloc(1, sizeof(*note));
	cl_device_id device = NULL;

	if (note) {
		pl_cl.clGetCommandQueueInfo(queue, CL_QUEUE_DEVICE, sizeof(device), &device, NULL);
		note->answers = device && pl_cl_device_answers(device);
		note->profiling = properties & CL_QUEUE_PROFILING_ENABLE;
		note->in_order = !(properties & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE);
	}
	return note;
}

/* Enters what the driver made, or the failure; answers. */
static void queue_finish(struct pl_serve *serve, uint64_t id, cl_command_queue queue, int32_t status)
{
	cl_command_queue_properties properties = 0;
	struct pl_cl_queue_note *note = NULL;

	queue = pl_cl_made(queue, &status);
	if (queue) {
		pl_cl.clGetCommandQueueInfo(queue, CL_QUEUE_PROPERTIES, sizeof(properties), &properties, NULL);
		note = note_new(queue, properties);
		status = note ? CL_SUCCESS : CL_OUT_OF_HOST_MEMORY;
		if (!note)
			pl_cl.clReleaseCommandQueue(queue);
		else
			status = pl_cl_enter(pl_cl_session_of(serve), id, PL_CL_KIND_queue, queue, note);
		if (status)
			free(note);
	} else {
		pl_cl_put(serve, id, PL_CL_KIND_queue, NULL, status);
	}
	pl_cl_result(serve, status, 0);
}

/* Queues on the device where the device has none: not every driver gets so far as to refuse them. */
static bool properties_supported(cl_device_id device, cl_command_queue_properties wanted)
{
	cl_command_queue_properties on_device = 0;

	if (!device || !(wanted & (CL_QUEUE_ON_DEVICE | CL_QUEUE_ON_DEVICE_DEFAULT)))
		return true;
	pl_cl.clGetDeviceInfo(device, CL_DEVICE_QUEUE_ON_DEVICE_PROPERTIES, sizeof(on_device), &on_device, NULL);
	return on_device != 0;
}

static bool list_supported(cl_device_id device, const uint64_t *properties)
{
	for (; properties && *properties; properties += 2)
		if (*properties == CL_QUEUE_PROPERTIES && !properties_supported(device, properties[1]))
			return false;
	return true;
}

void pl_cl_serve_clCreateCommandQueue(struct pl_serve *serve, const struct pl_cl_clCreateCommandQueue_args *args)
{
	cl_command_queue queue = NULL;
	int32_t status = CL_SUCCESS;
	void *context, *device;

	if (pl_cl_take(serve, args->context, PL_CL_KIND_context, &context, &status) &&
	    pl_cl_take(serve, args->device, PL_CL_KIND_device, &device, &status))
		queue = pl_cl.clCreateCommandQueue(context, device, args->properties, &status);
	queue_finish(serve, args->queue, queue, status);
}

void pl_cl_serve_clCreateCommandQueueWithProperties(struct pl_serve *serve,
						    const struct pl_cl_clCreateCommandQueueWithProperties_args *args)
{
	uint64_t words[PL_CL_PROPERTIES_ROOM];
	const uint64_t *properties = pl_cl_properties(args->properties, words);
	cl_command_queue queue = NULL;
	int32_t status = CL_SUCCESS;
	void *context, *device;

	if (!pl_cl_take(serve, args->context, PL_CL_KIND_context, &context, &status) ||
	    !pl_cl_take(serve, args->device, PL_CL_KIND_device, &device, &status))
		;
	else if (!list_supported(device, properties))
		status = CL_INVALID_QUEUE_PROPERTIES;
	else if (pl_cl.clCreateCommandQueueWithProperties)
		queue = pl_cl.clCreateCommandQueueWithProperties(context, device, properties, &status);
	else if (pl_cl.clCreateCommandQueueWithPropertiesKHR)
		queue = pl_cl.clCreateCommandQueueWithPropertiesKHR(context, device, properties, &status);
	else
		status = CL_INVALID_OPERATION;
	queue_finish(serve, args->queue, queue, status);
}

void pl_cl_serve_clSetCommandQueueProperty(struct pl_serve *serve,
					   const struct pl_cl_clSetCommandQueueProperty_args *args)
{
	struct pl_cl_clSetCommandQueueProperty_reply reply = { 0 };
	cl_command_queue_properties old = 0, now = 0;
	int32_t status = CL_SUCCESS;
	void *queue, *note;

	if (!pl_cl.clSetCommandQueueProperty)
		status = CL_INVALID_OPERATION;
	else if (pl_cl_take_note(serve, args->queue, PL_CL_KIND_queue, &queue, &note, &status))
		status = pl_cl.clSetCommandQueueProperty(queue, args->properties, args->enable,
							 args->want_old ? &old : NULL);
	if (!status && note && !pl_cl.clGetCommandQueueInfo(queue, CL_QUEUE_PROPERTIES, sizeof(now), &now, NULL)) {
		((struct pl_cl_queue_note *)note)->profiling = now & CL_QUEUE_PROFILING_ENABLE;
		((struct pl_cl_queue_note *)note)->in_order = !(now & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE);
	}
	reply.old_properties = old;
	if (pl_serve_reply_begin(serve, status, pl_cl_clSetCommandQueueProperty_reply_bytes(&reply), 0))
		return;
	pl_cl_clSetCommandQueueProperty_reply_put(&serve->reply_enc, &reply);
	pl_serve_reply_end(serve);
}

/* ---- samplers ---- */

static void sampler_finish(struct pl_serve *serve, uint64_t id, cl_sampler sampler, int32_t status)
{
	sampler = pl_cl_made(sampler, &status);
	if (sampler)
		status = pl_cl_enter(pl_cl_session_of(serve), id, PL_CL_KIND_sampler, sampler, NULL);
	else
		pl_cl_put(serve, id, PL_CL_KIND_sampler, NULL, status);
	pl_cl_result(serve, status, 0);
}

void pl_cl_serve_clCreateSampler(struct pl_serve *serve, const struct pl_cl_clCreateSampler_args *args)
{
	int32_t status = CL_SUCCESS;
	cl_sampler sampler = NULL;
	void *context;

	if (pl_cl_take(serve, args->context, PL_CL_KIND_context, &context, &status))
		sampler = pl_cl.clCreateSampler(context, args->normalized_coords, args->addressing_mode,
						args->filter_mode, &status);
	sampler_finish(serve, args->sampler, sampler, status);
}

void pl_cl_serve_clCreateSamplerWithProperties(struct pl_serve *serve,
					       const struct pl_cl_clCreateSamplerWithProperties_args *args)
{
	uint64_t words[PL_CL_PROPERTIES_ROOM];
	int32_t status = CL_INVALID_OPERATION;
	cl_sampler sampler = NULL;
	void *context;

	if (pl_cl.clCreateSamplerWithProperties &&
	    pl_cl_take(serve, args->context, PL_CL_KIND_context, &context, &status))
		sampler = pl_cl.clCreateSamplerWithProperties(
			context, (void *)pl_cl_properties(args->properties, words), &status);
	sampler_finish(serve, args->sampler, sampler, status);
}
