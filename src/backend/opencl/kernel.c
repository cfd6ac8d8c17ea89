#include "backend/opencl/kernel.h"

#include <stdlib.h>
#include <string.h>

#include "backend/opencl/mem.h"
#include "backend/opencl/program.h"
#include "backend/opencl/resolve.h"
#include "backend/opencl/svm.h"
#include "base/cleanup.h"
#include "base/err.h"

#define PARAMS_MAX 1024u       /* limit: parameters of a kernel that are looked at */
#define PADDED_MAX (64u << 10) /* limit: size of an argument whose bytes are not all there */

/* An argument as it came. */
struct argument {
	uint32_t index, kind; /* enum pl_cl_arg_kind */
	uint64_t size, id;
	const void *value; /* PL_CL_ARG_BYTES */
	uint64_t value_bytes;
};

/* ---- making kernels ---- */

static int32_t kernel_enter(struct pl_cl_session *session, uint64_t id, cl_kernel kernel, bool hides_params)
{
	struct pl_cl_kernel_note *note = calloc(1, sizeof(*note));
	int32_t status = CL_OUT_OF_HOST_MEMORY;

	if (note) {
		note->hides_params = hides_params;
		status = pl_cl_enter(session, id, PL_CL_KIND_kernel, kernel, note);
	} else {
		pl_cl.clReleaseKernel(kernel);
	}
	if (status)
		free(note);
	return status;
}

void pl_cl_serve_clCreateKernel(struct pl_serve *serve, const struct pl_cl_clCreateKernel_args *args)
{
	int32_t status = CL_SUCCESS;
	cl_kernel kernel = NULL;
	void *program;

	if (pl_cl_take(serve, args->program, PL_CL_KIND_program, &program, &status)) {
		if (program && !args->has_name)
			status = CL_INVALID_VALUE;
		else
			kernel = pl_cl.clCreateKernel(program, args->has_name ? args->kernel_name : NULL, &status);
	}
	kernel = pl_cl_made(kernel, &status);
	if (kernel)
		status = kernel_enter(pl_cl_session_of(serve), args->kernel, kernel,
				      pl_cl_program_hides(pl_cl_session_of(serve), args->program));
	else
		pl_cl_put(serve, args->kernel, PL_CL_KIND_kernel, NULL, status);
	pl_cl_result(serve, status, 0);
}

static int32_t kernels_enter(struct pl_serve *serve, uint64_t program, struct pl_u64s ids, cl_kernel *kernels,
			     cl_uint count)
{
	bool hides_params = pl_cl_program_hides(pl_cl_session_of(serve), program);
	int32_t status = CL_SUCCESS;

	for (cl_uint i = 0; i < count; i++) {
		if (status || i >= ids.count)
			pl_cl.clReleaseKernel(kernels[i]);
		else
			status = kernel_enter(pl_cl_session_of(serve), ids.at[i], kernels[i], hides_params);
	}
	return status;
}

void pl_cl_serve_clCreateKernelsInProgram(struct pl_serve *serve,
					  const struct pl_cl_clCreateKernelsInProgram_args *args)
{
	struct pl_cl_clCreateKernelsInProgram_reply reply = { 0 };
	pl_cleanup(pl_freep) cl_kernel *kernels = NULL;
	cl_uint room = (cl_uint)args->kernels.count, count = 0;
	int32_t status = CL_SUCCESS;
	void *program;

	if (args->has_kernels) {
		kernels = calloc(room ? room : 1, sizeof(*kernels));
		status = kernels ? CL_SUCCESS : CL_OUT_OF_HOST_MEMORY;
	}
	if (!status && pl_cl_take(serve, args->program, PL_CL_KIND_program, &program, &status))
		status = pl_cl.clCreateKernelsInProgram(program, room, kernels, &count);
	if (!status && kernels)
		status = kernels_enter(serve, args->program, args->kernels, kernels, count < room ? count : room);
	reply.num_kernels = count;
	if (pl_serve_reply_begin(serve, status, pl_cl_clCreateKernelsInProgram_reply_bytes(&reply), 0))
		return;
	pl_cl_clCreateKernelsInProgram_reply_put(&serve->reply_enc, &reply);
	pl_serve_reply_end(serve);
}

void pl_cl_serve_clCloneKernel(struct pl_serve *serve, const struct pl_cl_clCloneKernel_args *args)
{
	int32_t status = CL_SUCCESS;
	cl_kernel clone = NULL;
	void *kernel, *note = NULL;

	if (!pl_cl.clCloneKernel) {
		status = CL_INVALID_OPERATION;
	} else if (pl_cl_take_note(serve, args->source_kernel, PL_CL_KIND_kernel, &kernel, &note, &status)) {
		if (kernel)
			status = pl_cl_args_set(serve, kernel, note, args->args);
		if (!status)
			clone = pl_cl.clCloneKernel(kernel, &status);
	}
	clone = pl_cl_made(clone, &status);
	if (clone)
		status = kernel_enter(pl_cl_session_of(serve), args->kernel, clone,
				      note && ((struct pl_cl_kernel_note *)note)->hides_params);
	pl_cl_result(serve, status, 0);
}

/* ---- arguments ---- */

/* Kind of a parameter, asked once a kernel: PL_CL_PARAM_UNKNOWN also where memory is short. */
static enum pl_cl_param_kind param_kind(cl_kernel kernel, struct pl_cl_kernel_note *note, uint32_t index)
{
	if (!note)
		return PL_CL_PARAM_UNKNOWN;
	if (!note->kinds) {
		cl_uint count = 0;

		pl_cl.clGetKernelInfo(kernel, CL_KERNEL_NUM_ARGS, sizeof(count), &count, NULL);
		note->args_count = count < PARAMS_MAX ? count : PARAMS_MAX;
		note->kinds = calloc(note->args_count + 1, 1);
		for (cl_uint i = 0; note->kinds && i < note->args_count; i++) {
			struct pl_cl_param param;

			if (pl_cl_param_get(kernel, i, &param))
				note->kinds[i] = (uint8_t)param.kind;
		}
	}
	return note->kinds && index < note->args_count ? note->kinds[index] : PL_CL_PARAM_UNKNOWN;
}

static int32_t refuse_handle(const struct argument *argument, int32_t invalid)
{
	return argument->size == sizeof(void *) ? invalid : CL_INVALID_ARG_SIZE;
}

/* Plain bytes where the driver would take them for a handle of its own must never reach it. */
static int32_t bytes_check(cl_kernel kernel, struct pl_cl_kernel_note *note, const struct argument *argument)
{
	if (argument->value_bytes > argument->size || argument->size > PADDED_MAX)
		return CL_INVALID_ARG_SIZE;
	if (argument->size != sizeof(void *))
		switch (param_kind(kernel, note, argument->index)) {
		case PL_CL_PARAM_UNKNOWN:
		case PL_CL_PARAM_VALUE:
			return CL_SUCCESS;
		case PL_CL_PARAM_LOCAL:
			return CL_INVALID_ARG_VALUE;
		default:
			return CL_INVALID_ARG_SIZE;
		}
	switch (param_kind(kernel, note, argument->index)) {
	case PL_CL_PARAM_MEM:
	case PL_CL_PARAM_IMAGE:
	case PL_CL_PARAM_PIPE:
		return CL_INVALID_MEM_OBJECT;
	case PL_CL_PARAM_SAMPLER:
		return CL_INVALID_SAMPLER;
	case PL_CL_PARAM_QUEUE:
		return CL_INVALID_DEVICE_QUEUE;
	case PL_CL_PARAM_LOCAL:
		return CL_INVALID_ARG_VALUE;
	default:
		return CL_SUCCESS;
	}
}

/* A handle where the driver would take it for one of another kind, or for a plain value, must not reach it either.
 * Where nobody knows what the parameter is the driver decides. */
static int32_t handle_kind_check(cl_kernel kernel, struct pl_cl_kernel_note *note, const struct argument *argument)
{
	enum pl_cl_param_kind kind = param_kind(kernel, note, argument->index);
	bool mem = argument->kind == PL_CL_ARG_MEM;

	switch (kind) {
	case PL_CL_PARAM_UNKNOWN:
		return CL_SUCCESS;
	case PL_CL_PARAM_MEM:
		return mem || argument->kind == PL_CL_ARG_SVM ? CL_SUCCESS : CL_INVALID_MEM_OBJECT;
	case PL_CL_PARAM_IMAGE:
	case PL_CL_PARAM_PIPE:
		return mem ? CL_SUCCESS : CL_INVALID_MEM_OBJECT;
	case PL_CL_PARAM_SAMPLER:
		return argument->kind == PL_CL_ARG_SAMPLER ? CL_SUCCESS : CL_INVALID_SAMPLER;
	case PL_CL_PARAM_QUEUE:
		return argument->kind == PL_CL_ARG_QUEUE ? CL_SUCCESS : CL_INVALID_DEVICE_QUEUE;
	default:
		return CL_INVALID_ARG_VALUE;
	}
}

static int32_t handle_set(struct pl_serve *serve, cl_kernel kernel, const struct argument *argument,
			  enum pl_cl_object_kind kind, int32_t invalid)
{
	int32_t status = CL_SUCCESS;
	void *object;

	if (argument->size != sizeof(object)) /* the driver would read so much */
		return CL_INVALID_ARG_SIZE;
	if (!argument->id)
		return refuse_handle(argument, invalid);
	if (!pl_cl_take(serve, argument->id, kind, &object, &status))
		return status;
	return pl_cl.clSetKernelArg(kernel, argument->index, sizeof(object), &object);
}

/* A size that is none of the parameter's: the client sent less than that. */
static int32_t padded_set(cl_kernel kernel, const struct argument *argument)
{
	pl_cleanup(pl_freep) uint8_t *value = calloc(1, argument->size + 1);

	if (!value)
		return CL_OUT_OF_HOST_MEMORY;
	if (argument->value_bytes)
		memcpy(value, argument->value, argument->value_bytes);
	return pl_cl.clSetKernelArg(kernel, argument->index, argument->size, value);
}

static int32_t argument_set(struct pl_serve *serve, cl_kernel kernel, struct pl_cl_kernel_note *note,
			    const struct argument *argument)
{
	uint64_t value[PL_CL_LIMIT_ARG_MAX / 8];
	int32_t status = CL_SUCCESS;

	if (argument->kind != PL_CL_ARG_BYTES && argument->kind != PL_CL_ARG_NULL)
		status = handle_kind_check(kernel, note, argument);
	if (status)
		return status;
	switch (argument->kind) {
	case PL_CL_ARG_BYTES:
		status = bytes_check(kernel, note, argument);
		if (status)
			return status;
		if (argument->size > sizeof(value) || argument->value_bytes < argument->size)
			return padded_set(kernel, argument);
		memcpy(value, argument->value, argument->size); /* aligned for the driver */
		return pl_cl.clSetKernelArg(kernel, argument->index, argument->size, value);
	case PL_CL_ARG_NULL:
		return pl_cl.clSetKernelArg(kernel, argument->index, argument->size, NULL);
	case PL_CL_ARG_MEM:
		return handle_set(serve, kernel, argument, PL_CL_KIND_mem, CL_INVALID_MEM_OBJECT);
	case PL_CL_ARG_SAMPLER:
		return handle_set(serve, kernel, argument, PL_CL_KIND_sampler, CL_INVALID_SAMPLER);
	case PL_CL_ARG_QUEUE:
		return handle_set(serve, kernel, argument, PL_CL_KIND_queue, CL_INVALID_DEVICE_QUEUE);
	case PL_CL_ARG_SVM:
		if (!pl_cl.clSetKernelArgSVMPointer)
			return CL_INVALID_OPERATION;
		if (argument->id && !pl_cl_svm_holds(pl_cl_session_of(serve), argument->id, 1))
			return CL_INVALID_ARG_VALUE;
		return pl_cl.clSetKernelArgSVMPointer(kernel, argument->index, (void *)(uintptr_t)argument->id);
	}
	return CL_INVALID_ARG_VALUE;
}

/* An argument whose parameter takes no such handle, or which is not there at all: the driver is asked what it says. */
static int32_t handle_check(cl_kernel kernel, struct pl_cl_kernel_note *note, const struct argument *argument)
{
	cl_uint count = 0;

	if (pl_cl.clGetKernelInfo(kernel, CL_KERNEL_NUM_ARGS, sizeof(count), &count, NULL) || argument->index >= count)
		return CL_INVALID_ARG_INDEX;
	if (argument->kind >= PL_CL_ARG_MEM && argument->kind <= PL_CL_ARG_QUEUE &&
	    param_kind(kernel, note, argument->index) == PL_CL_PARAM_VALUE)
		return argument->size == sizeof(void *) ? CL_INVALID_ARG_VALUE : CL_INVALID_ARG_SIZE;
	return CL_SUCCESS;
}

void pl_cl_serve_clSetKernelArg(struct pl_serve *serve, const struct pl_cl_clSetKernelArg_args *args)
{
	struct argument argument = { args->index, args->kind, args->size, args->id, args->value.at, args->value.bytes };
	int32_t status = CL_SUCCESS;
	void *kernel, *note;

	if (pl_cl_take_note(serve, args->kernel, PL_CL_KIND_kernel, &kernel, &note, &status)) {
		status = kernel ? handle_check(kernel, note, &argument) : CL_INVALID_KERNEL;
		if (!status)
			status = argument_set(serve, kernel, note, &argument);
	}
	pl_serve_reply(serve, status);
}

int32_t pl_cl_args_set(struct pl_serve *serve, cl_kernel kernel, struct pl_cl_kernel_note *note, struct pl_bytes args)
{
	struct pl_dec dec = { .at = args.at };

	if (args.bytes)
		dec.end = dec.at + args.bytes;
	while (args.bytes && dec.at < dec.end) {
		struct argument argument = { 0 };
		uint64_t head = pl_dec_u64(&dec);
		int32_t status;

		argument.index = (uint32_t)head;
		argument.kind = (uint32_t)(head >> 32);
		argument.size = pl_dec_u64(&dec);
		argument.id = pl_dec_u64(&dec);
		if (argument.kind == PL_CL_ARG_BYTES) {
			if (dec.failed || argument.size > PL_CL_LIMIT_ARG_MAX ||
			    PL_WIRE_PAD(argument.size) > (uint64_t)(dec.end - dec.at))
				return CL_INVALID_ARG_SIZE;
			argument.value = dec.at;
			argument.value_bytes = argument.size;
			dec.at += PL_WIRE_PAD(argument.size);
		}
		if (dec.failed)
			return CL_INVALID_VALUE;
		status = argument_set(serve, kernel, note, &argument);
		if (status)
			return status;
	}
	return CL_SUCCESS;
}

/* What the driver would believe without a look: only pointers into shared virtual memory get to it. */
static bool exec_info_valid(struct pl_serve *serve, const struct pl_cl_clSetKernelExecInfo_args *args)
{
	if (args->param_name == CL_KERNEL_EXEC_INFO_SVM_PTRS && !args->size)
		return true; /* none from now on */
	if (!args->has_value || !args->size || args->value.bytes != args->size)
		return false;
	if (args->param_name == CL_KERNEL_EXEC_INFO_SVM_FINE_GRAIN_SYSTEM)
		return args->size >= sizeof(cl_bool);
	if (args->param_name != CL_KERNEL_EXEC_INFO_SVM_PTRS || args->size % sizeof(void *))
		return false;
	for (uint64_t i = 0; i < args->size; i += sizeof(void *)) {
		uint64_t address;

		memcpy(&address, (const uint8_t *)args->value.at + i, sizeof(address));
		if (!pl_cl_svm_holds(pl_cl_session_of(serve), address, 1))
			return false;
	}
	return true;
}

void pl_cl_serve_clSetKernelExecInfo(struct pl_serve *serve, const struct pl_cl_clSetKernelExecInfo_args *args)
{
	int32_t status = CL_SUCCESS;
	void *kernel;

	if (!pl_cl.clSetKernelExecInfo)
		status = CL_INVALID_OPERATION;
	else if (pl_cl_take(serve, args->kernel, PL_CL_KIND_kernel, &kernel, &status)) {
		if (!kernel)
			status = CL_INVALID_KERNEL;
		else if (!exec_info_valid(serve, args))
			status = CL_INVALID_VALUE;
		else
			status = pl_cl.clSetKernelExecInfo(kernel, args->param_name, args->size, args->value.at);
	}
	pl_serve_reply(serve, status);
}

/* ---- launches ---- */

struct dims {
	size_t offset[PL_CL_LIMIT_DIMS_MAX], global[PL_CL_LIMIT_DIMS_MAX], local[PL_CL_LIMIT_DIMS_MAX];
};

static bool dim_take(size_t *to, struct pl_u64s from, bool given, uint32_t work_dim)
{
	if (given && from.count < work_dim)
		return false;
	for (uint64_t i = 0; i < PL_CL_LIMIT_DIMS_MAX; i++)
		to[i] = i < from.count ? from.at[i] : 0;
	return true;
}

void pl_cl_serve_clEnqueueNDRangeKernel(struct pl_serve *serve, const struct pl_cl_clEnqueueNDRangeKernel_args *args)
{
	int32_t status = CL_SUCCESS;
	void *queue, *kernel, *note, *queue_note;
	struct pl_cl_waits waits;
	cl_event event = NULL;
	struct dims dims;
	bool tail = false;

	if (args->work_dim > PL_CL_LIMIT_DIMS_MAX ||
	    !dim_take(dims.offset, args->offset, args->given & PL_CL_GIVEN_OFFSET, args->work_dim) ||
	    !dim_take(dims.global, args->global, args->given & PL_CL_GIVEN_GLOBAL, args->work_dim) ||
	    !dim_take(dims.local, args->local, args->given & PL_CL_GIVEN_LOCAL, args->work_dim))
		status = CL_INVALID_WORK_DIMENSION;
	else if (pl_cl_take_note(serve, args->queue, PL_CL_KIND_queue, &queue, &queue_note, &status) &&
		 pl_cl_take_note(serve, args->kernel, PL_CL_KIND_kernel, &kernel, &note, &status) &&
		 pl_cl_waits_take(serve, args->waits, &waits, &status)) {
		tail = pl_cl_tail_wanted(queue_note);
		if (queue && !kernel)
			status = CL_INVALID_KERNEL;
		else if (kernel)
			status = pl_cl_args_set(serve, kernel, note, args->args);
		if (!status)
			status = pl_cl.clEnqueueNDRangeKernel(
				queue, kernel, args->work_dim, args->given & PL_CL_GIVEN_OFFSET ? dims.offset : NULL,
				args->given & PL_CL_GIVEN_GLOBAL ? dims.global : NULL,
				args->given & PL_CL_GIVEN_LOCAL ? dims.local : NULL, waits.count, waits.at,
				args->event || tail ? &event : NULL);
		pl_cl_waits_fini(&waits);
	}
	if (tail && event)
		pl_cl_tail_put(queue_note, &event, args->event != 0);
	pl_cl_put_queue_event(serve, args->event, args->queue, event, status);
	pl_cl_result(serve, status, args->queue);
}

void pl_cl_serve_clEnqueueTask(struct pl_serve *serve, const struct pl_cl_clEnqueueTask_args *args)
{
	int32_t status = CL_SUCCESS;
	void *queue, *kernel, *note;
	struct pl_cl_waits waits;
	cl_event event = NULL;

	if (!pl_cl.clEnqueueTask)
		status = CL_INVALID_OPERATION;
	else if (pl_cl_take(serve, args->queue, PL_CL_KIND_queue, &queue, &status) &&
		 pl_cl_take_note(serve, args->kernel, PL_CL_KIND_kernel, &kernel, &note, &status) &&
		 pl_cl_waits_take(serve, args->waits, &waits, &status)) {
		if (queue && !kernel)
			status = CL_INVALID_KERNEL;
		else if (kernel)
			status = pl_cl_args_set(serve, kernel, note, args->args);
		if (!status)
			status = pl_cl.clEnqueueTask(queue, kernel, waits.count, waits.at, args->event ? &event : NULL);
		pl_cl_waits_fini(&waits);
	}
	pl_cl_put_queue_event(serve, args->event, args->queue, event, status);
	pl_cl_result(serve, status, args->queue);
}

void pl_cl_serve_clGetKernelSuggestedLocalWorkSizeKHR(
	struct pl_serve *serve, const struct pl_cl_clGetKernelSuggestedLocalWorkSizeKHR_args *args)
{
	struct pl_cl_clGetKernelSuggestedLocalWorkSizeKHR_reply reply = { 0 };
	uint64_t local[PL_CL_LIMIT_DIMS_MAX] = { 0 };
	int32_t status = CL_SUCCESS;
	void *queue, *kernel, *note;
	struct dims dims;

	if (!pl_cl.clGetKernelSuggestedLocalWorkSizeKHR)
		status = CL_INVALID_OPERATION;
	else if (args->work_dim > PL_CL_LIMIT_DIMS_MAX ||
		 !dim_take(dims.offset, args->offset, args->given & PL_CL_GIVEN_OFFSET, args->work_dim) ||
		 !dim_take(dims.global, args->global, args->given & PL_CL_GIVEN_GLOBAL, args->work_dim))
		status = CL_INVALID_WORK_DIMENSION;
	else if (pl_cl_take(serve, args->queue, PL_CL_KIND_queue, &queue, &status) &&
		 pl_cl_take_note(serve, args->kernel, PL_CL_KIND_kernel, &kernel, &note, &status)) {
		status = !queue ? CL_INVALID_COMMAND_QUEUE : !kernel ? CL_INVALID_KERNEL : CL_SUCCESS;
		if (!status)
			status = pl_cl_args_set(serve, kernel, note, args->args);
		for (uint32_t i = 0; i < PL_CL_LIMIT_DIMS_MAX; i++)
			dims.local[i] = 0;
		if (!status)
			status = pl_cl.clGetKernelSuggestedLocalWorkSizeKHR(
				queue, kernel, args->work_dim, args->given & PL_CL_GIVEN_OFFSET ? dims.offset : NULL,
				args->given & PL_CL_GIVEN_GLOBAL ? dims.global : NULL, dims.local);
		for (uint32_t i = 0; i < args->work_dim && !status; i++)
			local[i] = dims.local[i];
	}
	reply.local = (struct pl_u64s){ local, status ? 0 : args->work_dim };
	if (pl_serve_reply_begin(serve, status, pl_cl_clGetKernelSuggestedLocalWorkSizeKHR_reply_bytes(&reply), 0))
		return;
	pl_cl_clGetKernelSuggestedLocalWorkSizeKHR_reply_put(&serve->reply_enc, &reply);
	pl_serve_reply_end(serve);
}
