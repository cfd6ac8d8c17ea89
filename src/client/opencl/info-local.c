/* Answers that the client knows itself: handles, and what only the client's own objects can tell. */
#include <stdlib.h>
#include <string.h>

#include "client/opencl/types.h"

static int value_word(struct pl_cl_value *value, uint64_t word, size_t bytes)
{
	value->word = word;
	value->at = &value->word;
	value->bytes = bytes;
	return 1;
}

static int value_handle(struct pl_cl_value *value, const void *handle)
{
	return value_word(value, (uint64_t)(uintptr_t)handle, sizeof(handle));
}

static int value_devices(struct pl_cl_value *value, struct pl_cl_device *const *devices, uint32_t count)
{
	if (!devices)
		return 0;
	value->at = devices; /* struct pointers and handles look the same */
	value->bytes = count * sizeof(cl_device_id);
	return 1;
}

static int platform_answer(struct pl_cl_object *object, cl_uint param, struct pl_cl_value *value)
{
	return pl_cl_extensions_answer(PL_CL_INFO_platform, object, param, value);
}

/* The driver's bits without those that can not be honoured here. */
static int device_bits(struct pl_cl_device *device, cl_uint param, struct pl_cl_value *value)
{
	const void *at;
	size_t bytes;
	void *heap;
	uint64_t bits = 0;
	cl_int code = pl_cl_info_fetch(PL_CL_OP_clGetDeviceInfo, PL_CL_INFO_device, &device->object, param, &at, &bytes,
				       &heap);

	if (code)
		return code;
	if (bytes > sizeof(bits)) {
		free(heap);
		return 0;
	}
	memcpy(&bits, at, bytes);
	free(heap);
	if (param == CL_DEVICE_EXECUTION_CAPABILITIES)
		bits &= ~(uint64_t)CL_EXEC_NATIVE_KERNEL;
	else
		bits = pl_cl_svm_caps(device, bits);
	return value_word(value, bits, bytes);
}

static int device_answer(struct pl_cl_device *device, cl_uint param, struct pl_cl_value *value)
{
	switch (param) {
	case CL_DEVICE_PLATFORM:
		return value_handle(value, device->platform);
	case CL_DEVICE_PARENT_DEVICE:
		return value_handle(value, device->parent);
	case CL_DEVICE_EXECUTION_CAPABILITIES:
	case CL_DEVICE_SVM_CAPABILITIES:
		pl_cl_device_preload(device);
		return device_bits(device, param, value);
	default:
		pl_cl_device_preload(device);
		return pl_cl_extensions_answer(PL_CL_INFO_device, &device->object, param, value);
	}
}

static int context_answer(struct pl_cl_context *context, cl_uint param, struct pl_cl_value *value)
{
	switch (param) {
	case CL_CONTEXT_DEVICES:
		return value_devices(value, context->devices, context->devices_count);
	case CL_CONTEXT_PROPERTIES:
		value->at = context->properties;
		value->bytes = context->properties_count * sizeof(*context->properties);
		return 1;
	default:
		return 0;
	}
}

static int queue_answer(struct pl_cl_queue *queue, cl_uint param, struct pl_cl_value *value)
{
	switch (param) {
	case CL_QUEUE_CONTEXT:
		return value_handle(value, queue->context);
	case CL_QUEUE_DEVICE:
		return value_handle(value, queue->device);
	case CL_QUEUE_DEVICE_DEFAULT: {
		const void *at;
		size_t bytes;
		void *heap;
		uint64_t id = 0;
		cl_int code = pl_cl_info_fetch(PL_CL_OP_clGetCommandQueueInfo, PL_CL_INFO_queue, &queue->object, param,
					       &at, &bytes, &heap);
		if (code)
			return code;
		if (bytes == sizeof(id))
			memcpy(&id, at, sizeof(id));
		free(heap);
		pl_lock(&queue->object.server->queues_lock);
		struct pl_cl_queue *found = queue->object.server->queues;
		while (found && found->object.id != id)
			found = found->next;
		pl_unlock(&queue->object.server->queues_lock);
		return value_handle(value, found);
	}
	default:
		return 0;
	}
}

static struct pl_cl_device *device_with_id(struct pl_cl_device *const *devices, uint32_t count, uint64_t id)
{
	for (uint32_t i = 0; i < count; i++)
		for (struct pl_cl_device *device = devices[i]; device; device = device->parent)
			if (device->object.id == id)
				return device;
	return NULL;
}

/* Drivers tell of sub-devices as themselves, or as the devices that they are parts of: theirs is the answer. */
static int program_devices(struct pl_cl_program *program, struct pl_cl_value *value)
{
	struct pl_cl_context *context = program->context;
	bool parts = false;
	const void *at;
	size_t bytes;
	uint64_t *ids;
	void *heap;
	cl_int code;

	for (uint32_t i = 0; i < program->devices_count; i++)
		parts |= program->devices[i]->parent != NULL;
	if (!parts)
		return value_devices(value, program->devices, program->devices_count);
	code = pl_cl_info_fetch(PL_CL_OP_clGetProgramInfo, PL_CL_INFO_program, &program->object, CL_PROGRAM_DEVICES,
				&at, &bytes, &heap);
	if (code)
		return code;
	ids = value->heap = heap; /* never cached, so it is ours; a handle takes the place of its id */
	for (size_t i = 0; ids && i < bytes / sizeof(*ids); i++) {
		struct pl_cl_device *device = device_with_id(program->devices, program->devices_count, ids[i]);
		if (!device)
			device = device_with_id(context->devices, context->devices_count, ids[i]);
		ids[i] = (uintptr_t)device;
	}
	value->at = ids;
	value->bytes = ids ? bytes : 0;
	return 1;
}

static int program_answer(struct pl_cl_program *program, cl_uint param, size_t size, void *to,
			  struct pl_cl_value *value)
{
	switch (param) {
	case CL_PROGRAM_CONTEXT:
		return value_handle(value, program->context);
	case CL_PROGRAM_DEVICES:
		return program_devices(program, value);
	case CL_PROGRAM_BINARIES:
		return pl_cl_program_binaries(program, size, to, value);
	default:
		return 0;
	}
}

static int kernel_answer(struct pl_cl_kernel *kernel, cl_uint param, struct pl_cl_value *value)
{
	switch (param) {
	case CL_KERNEL_CONTEXT:
		return value_handle(value, kernel->program->context);
	case CL_KERNEL_PROGRAM:
		return value_handle(value, kernel->program);
	default:
		return 0;
	}
}

int pl_cl_info_local(enum pl_cl_info_kind info, struct pl_cl_object *object, const void *second, cl_uint param,
		     size_t size, void *to, struct pl_cl_value *value)
{
	(void)second;
	switch (info) {
	case PL_CL_INFO_platform:
		return platform_answer(object, param, value);
	case PL_CL_INFO_device:
		return device_answer((struct pl_cl_device *)object, param, value);
	case PL_CL_INFO_context:
		return context_answer((struct pl_cl_context *)object, param, value);
	case PL_CL_INFO_queue:
		return queue_answer((struct pl_cl_queue *)object, param, value);
	case PL_CL_INFO_mem:
	case PL_CL_INFO_image:
		return pl_cl_mem_info((struct pl_cl_mem *)object, info, param, value);
	case PL_CL_INFO_sampler:
		if (param == CL_SAMPLER_CONTEXT)
			return value_handle(value, ((struct pl_cl_sampler *)object)->context);
		return 0;
	case PL_CL_INFO_program:
		return program_answer((struct pl_cl_program *)object, param, size, to, value);
	case PL_CL_INFO_kernel:
		return kernel_answer((struct pl_cl_kernel *)object, param, value);
	case PL_CL_INFO_event:
		return pl_cl_event_info((struct pl_cl_event *)object, param, value);
	case PL_CL_INFO_profiling:
		return pl_cl_event_times((struct pl_cl_event *)object, param, value);
	default:
		return 0;
	}
}
