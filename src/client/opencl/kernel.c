/*
 * Kernels and their arguments.  Setting an argument is local where the client can know that the driver will take it:
 * the value is kept, encoded, until the kernel is launched.  Where it can not know, the driver is asked, and for values
 * and images what it said once holds for all kernels of that name in the program.
 */
#include <stdlib.h>
#include <string.h>

#include "client/opencl/call.h"
#include "client/opencl/kernels.h"

#define RECORD_BYTES 24u  /* of an argument's record, without its value */
#define PENDING_ROOM 256u /* bytes kept for records at first */

void pl_cl_kernel_fini(struct pl_cl_object *object)
{
	struct pl_cl_kernel *kernel = (struct pl_cl_kernel *)object;

	free(kernel->args);
	free(kernel->pending);
	pl_cl_kernels_unref(kernel->kernels);
	pl_cl_unhold(kernel->program);
}

/* desc NULL: nothing is known of it.  Takes over the reference on kernels. */
static bool kernel_describe(struct pl_cl_kernel *kernel, struct pl_cl_kernels *kernels, struct pl_cl_desc *desc)
{
	if (!desc) {
		pl_cl_kernels_unref(kernels);
		return true;
	}
	kernel->kernels = kernels;
	kernel->desc = desc;
	kernel->unset_count = desc->params_count;
	kernel->turn = 1;
	kernel->args = calloc(desc->params_count + 1, sizeof(*kernel->args));
	kernel->pending = malloc(PENDING_ROOM);
	kernel->pending_room = kernel->pending ? PENDING_ROOM : 0;
	return kernel->args && kernel->pending;
}

static struct pl_cl_kernel *kernel_new(struct pl_cl_program *program)
{
	struct pl_cl_kernel *kernel = pl_cl_object_new(program->object.server, PL_CL_KIND_kernel, sizeof(*kernel), 0);

	if (!kernel)
		return NULL;
	kernel->program = program;
	pl_cl_hold(program);
	return kernel;
}

cl_kernel pl_cl_stub_clCreateKernel(cl_program handle, const char *kernel_name, cl_int *errcode_ret)
{
	struct pl_cl_program *program = pl_cl_get(handle, PL_CL_KIND_program);
	struct pl_cl_clCreateKernel_args args = {.has_name = kernel_name != NULL,
						 .kernel_name = kernel_name ? kernel_name : ""};
	struct pl_cl_kernels *kernels;
	struct pl_cl_kernel *kernel;
	struct pl_cl_desc *desc;
	cl_int code;

	if (!program) {
		pl_cl_code_set(errcode_ret, CL_INVALID_PROGRAM);
		return NULL;
	}
	kernels = pl_cl_program_kernels(program);
	desc = kernel_name ? pl_cl_kernels_find(kernels, kernel_name) : NULL;
	kernel = kernel_new(program);
	if (!kernel) {
		pl_cl_kernels_unref(kernels);
		pl_cl_code_set(errcode_ret, CL_OUT_OF_HOST_MEMORY);
		return NULL;
	}
	if (kernel_describe(kernel, kernels, desc)) {
		args.program = program->object.id;
		args.kernel = kernel->object.id;
		PL_CL_SEND(program->object.session, clCreateKernel, &args, desc != NULL, code);
	} else {
		code = CL_OUT_OF_HOST_MEMORY;
	}
	pl_cl_code_set(errcode_ret, code);
	if (!code)
		return (cl_kernel)kernel;
	pl_cl_object_drop(kernel);
	return NULL;
}

/* The driver says in which order it made them: by their names. */
static void kernel_name_find(struct pl_cl_kernel *kernel, struct pl_cl_kernels *kernels)
{
	struct pl_cl_desc *desc = NULL;
	const void *name;
	size_t bytes;
	void *heap;

	if (!kernels || pl_cl_info_fetch(PL_CL_OP_clGetKernelInfo, PL_CL_INFO_kernel, &kernel->object,
					 CL_KERNEL_FUNCTION_NAME, &name, &bytes, &heap))
		return;
	if (bytes && !((const char *)name)[bytes - 1])
		desc = pl_cl_kernels_find(kernels, name);
	free(heap);
	if (!kernel_describe(kernel, pl_cl_kernels_ref(kernels), desc))
		kernel->desc = NULL;
}

cl_int pl_cl_stub_clCreateKernelsInProgram(cl_program handle, cl_uint num_kernels, cl_kernel *list,
					   cl_uint *num_kernels_ret)
{
	struct pl_cl_program *program = pl_cl_get(handle, PL_CL_KIND_program);
	struct pl_cl_clCreateKernelsInProgram_args args = {.has_kernels = list != NULL};
	struct pl_cl_clCreateKernelsInProgram_reply got = {0};
	struct pl_cl_kernels *kernels;
	struct pl_reply reply;
	uint64_t *ids;
	cl_uint room = list ? num_kernels : 0;
	cl_int code = CL_SUCCESS;

	if (!program)
		return CL_INVALID_PROGRAM;
	kernels = pl_cl_program_kernels(program);
	if (kernels && room > kernels->count)
		room = kernels->count;
	else if (room > 4096)
		room = 4096;
	ids = calloc(room + 1, sizeof(*ids));
	for (cl_uint i = 0; ids && i < room && !code; i++) {
		struct pl_cl_kernel *kernel = kernel_new(program);
		list[i] = (cl_kernel)kernel;
		if (kernel)
			ids[i] = kernel->object.id;
		else
			room = i;
	}
	if (ids) {
		args.program = program->object.id;
		args.kernels = (struct pl_u64s){ids, room};
		int r = PL_CL_ASK(program->object.session, clCreateKernelsInProgram, &args, &reply);
		code = r ? pl_cl_fault(r) : reply.status;
	} else {
		code = CL_OUT_OF_HOST_MEMORY;
		room = 0;
	}
	free(ids);
	if (!code)
		pl_cl_clCreateKernelsInProgram_reply_get(&reply.dec, &got);
	if (!code && num_kernels_ret)
		*num_kernels_ret = got.num_kernels;
	for (cl_uint i = 0; i < room; i++) {
		if (!code && i < got.num_kernels) {
			kernel_name_find((struct pl_cl_kernel *)list[i], kernels);
		} else {
			pl_cl_object_drop(list[i]);
			list[i] = NULL;
		}
	}
	pl_cl_kernels_unref(kernels);
	return code;
}

/* ---- what is pending ---- */

static bool pending_room(struct pl_cl_kernel *kernel, uint32_t bytes)
{
	uint32_t need = kernel->pending_bytes + bytes;
	uint8_t *pending;

	if (need <= kernel->pending_room)
		return true;
	if (need > PL_CL_LIMIT_ARGS_MAX)
		return false;
	pending = realloc(kernel->pending, need * 2);
	if (!pending)
		return false;
	kernel->pending = pending;
	kernel->pending_room = need * 2;
	return true;
}

bool pl_cl_kernel_arg_put(struct pl_cl_kernel *kernel, cl_uint index, enum pl_cl_arg_kind kind, uint64_t size,
			  uint64_t id, const void *value, uint32_t value_bytes)
{
	struct pl_cl_arg *arg = &kernel->args[index];
	uint32_t bytes = RECORD_BYTES + (uint32_t)PL_WIRE_PAD(value_bytes);
	uint32_t words[2] = {index, (uint32_t)kind};
	uint8_t *at;

	if (arg->turn != kernel->turn || arg->record_bytes != bytes) {
		if (!pending_room(kernel, bytes))
			return false;
		arg->turn = kernel->turn;
		arg->at = kernel->pending_bytes;
		arg->record_bytes = bytes;
		kernel->pending_bytes += bytes;
	}
	at = kernel->pending + arg->at;
	memcpy(at, words, 8);
	memcpy(at + 8, &size, 8);
	memcpy(at + 16, &id, 8);
	if (value_bytes) {
		if (value_bytes & 7)
			memset(at + bytes - 8, 0, 8);
		memcpy(at + RECORD_BYTES, value, value_bytes);
	}
	if (!arg->set) {
		arg->set = true;
		kernel->unset_count--;
	}
	return true;
}

void pl_cl_kernel_arg_asked(struct pl_cl_kernel *kernel, cl_uint index)
{
	struct pl_cl_arg *arg;
	uint32_t at = 0;

	if (!kernel->desc || index >= kernel->desc->params_count)
		return;
	arg = &kernel->args[index];
	if (!arg->set) {
		arg->set = true;
		kernel->unset_count--;
	}
	arg->turn = kernel->turn - 1;
	/* Records of this argument go; those behind them move up. */
	while (at < kernel->pending_bytes) {
		uint32_t words[2], bytes = RECORD_BYTES;
		uint64_t size;
		memcpy(words, kernel->pending + at, 8);
		memcpy(&size, kernel->pending + at + 8, 8);
		if (words[1] == PL_CL_ARG_BYTES)
			bytes += (uint32_t)PL_WIRE_PAD(size);
		if (words[0] != index) {
			at += bytes;
			continue;
		}
		kernel->pending_bytes -= bytes;
		memmove(kernel->pending + at, kernel->pending + at + bytes, kernel->pending_bytes - at);
		for (uint32_t i = 0; i < kernel->desc->params_count; i++)
			if (kernel->args[i].turn == kernel->turn && kernel->args[i].at > at)
				kernel->args[i].at -= bytes;
	}
}

/* ---- clSetKernelArg ---- */

static bool keep_handle(void *thing)
{
	(void)thing;
	return true;
}

static void *handle_of(const void *value)
{
	void *handle;
	memcpy(&handle, value, sizeof(handle));
	return handle;
}

/* A value of which nobody knows what it is: perhaps one of our handles, perhaps a number that looks like an address. */
static struct pl_cl_object *handle_guess(struct pl_cl_kernel *kernel, const void *value)
{
	return pl_cl_table_keep(&kernel->object.server->handles, (uintptr_t)handle_of(value), PL_CL_ENTRY_HANDLE,
				keep_handle);
}

static enum pl_cl_arg_kind arg_kind(enum pl_cl_object_kind kind)
{
	switch (kind) {
	case PL_CL_KIND_sampler:
		return PL_CL_ARG_SAMPLER;
	case PL_CL_KIND_queue:
		return PL_CL_ARG_QUEUE;
	default:
		return PL_CL_ARG_MEM;
	}
}

static uint32_t image_bit(const struct pl_cl_mem *mem)
{
	uint32_t access = mem->flags & CL_MEM_READ_ONLY ? 0 : mem->flags & CL_MEM_WRITE_ONLY ? 1 : 2;
	return 1u << (((mem->type - CL_MEM_OBJECT_BUFFER) & 7) * 3 + access);
}

static void arg_handle(struct pl_cl_clSetKernelArg_args *args, struct pl_cl_kernel *kernel, enum pl_cl_object_kind kind,
		       const void *value)
{
	args->kind = arg_kind(kind);
	/* A pointer that is no handle of ours may be anything: it is not looked behind. */
	if (handle_guess(kernel, value))
		args->id = pl_cl_id_at(kernel->object.session, handle_of(value), kind);
}

static void arg_value(struct pl_cl_clSetKernelArg_args *args, const void *value, size_t size, uint64_t param_size)
{
	uint64_t bytes = size < PL_CL_LIMIT_ARG_MAX ? size : PL_CL_LIMIT_ARG_MAX;

	if (param_size && bytes > param_size)
		bytes = param_size;
	args->kind = PL_CL_ARG_BYTES;
	args->value = (struct pl_bytes){value, bytes};
}

/* No handle, or the number 0: the same bytes to the driver. */
static bool is_nothing(size_t size, const void *value)
{
	return value && size == sizeof(cl_mem) && !handle_of(value);
}

/* The driver took it: what that says of the parameter. */
static void arg_learn(struct pl_cl_param *param, const struct pl_cl_clSetKernelArg_args *args, const void *value)
{
	bool unknown = param->kind == PL_CL_PARAM_UNKNOWN;

	if (args->kind == PL_CL_ARG_BYTES) {
		param->size_taken = args->size;
		if (unknown && !is_nothing(args->size, value))
			param->kind = PL_CL_PARAM_VALUE;
	}
	if (args->kind == PL_CL_ARG_SAMPLER && unknown)
		param->kind = PL_CL_PARAM_SAMPLER;
	if (args->kind == PL_CL_ARG_MEM && args->id) {
		struct pl_cl_mem *mem = handle_of(value);
		if (unknown)
			param->kind = mem->type == CL_MEM_OBJECT_BUFFER ? PL_CL_PARAM_MEM
				      : mem->type == CL_MEM_OBJECT_PIPE ? PL_CL_PARAM_PIPE
									: PL_CL_PARAM_IMAGE;
		if (param->kind == PL_CL_PARAM_IMAGE)
			atomic_fetch_or(&param->images_taken, image_bit(mem));
	}
}

static cl_int arg_ask(struct pl_cl_kernel *kernel, cl_uint index, size_t size, const void *value)
{
	struct pl_cl_param *param =
		kernel->desc && index < kernel->desc->params_count ? &kernel->desc->params[index] : NULL;
	struct pl_cl_clSetKernelArg_args args = {
		.kernel = kernel->object.id, .index = index, .size = size, .kind = PL_CL_ARG_NULL};
	bool handle_sized = value && size == sizeof(cl_mem);
	struct pl_cl_object *guess;
	cl_int code;

	switch (!value || (kernel->desc && !param) ? -1 : param ? (int)param->kind : PL_CL_PARAM_UNKNOWN) {
	case -1:
		break;
	case PL_CL_PARAM_MEM:
	case PL_CL_PARAM_IMAGE:
	case PL_CL_PARAM_PIPE:
		if (!handle_sized)
			args.kind = PL_CL_ARG_BYTES; /* not NULL: drivers look at the size first, or at NULL */
		else if (handle_of(value))
			arg_handle(&args, kernel, PL_CL_KIND_mem, value);
		break;
	case PL_CL_PARAM_SAMPLER:
	case PL_CL_PARAM_QUEUE:
		if (!handle_sized)
			args.kind = PL_CL_ARG_BYTES;
		else
			arg_handle(&args, kernel,
				   param->kind == PL_CL_PARAM_QUEUE ? PL_CL_KIND_queue : PL_CL_KIND_sampler, value);
		break;
	case PL_CL_PARAM_UNKNOWN:
		guess = handle_sized ? handle_guess(kernel, value) : NULL;
		if (guess)
			arg_handle(&args, kernel, guess->kind, value);
		else
			arg_value(&args, value, size, 0);
		break;
	case PL_CL_PARAM_LOCAL: /* takes no value: what is given is not looked at */
		args.kind = PL_CL_ARG_BYTES;
		break;
	default:
		arg_value(&args, value, size, param->size);
		break;
	}
	PL_CL_SEND(kernel->object.session, clSetKernelArg, &args, false, code);
	if (code)
		return code;
	if (param)
		arg_learn(param, &args, value);
	pl_cl_kernel_arg_asked(kernel, index);
	return CL_SUCCESS;
}

static struct pl_cl_mem *mem_of(const struct pl_cl_kernel *kernel, const void *value)
{
	struct pl_cl_mem *mem = pl_cl_get(handle_of(value), PL_CL_KIND_mem);
	return mem && mem->context == kernel->program->context ? mem : NULL;
}

/* A local memory argument that every device has room for. */
static bool local_fits(const struct pl_cl_kernel *kernel, size_t size)
{
	for (uint32_t i = 0; i < kernel->program->devices_count; i++) {
		const struct pl_cl_device_facts *facts = pl_cl_device_facts(kernel->program->devices[i]);
		if (!facts || size > facts->local_bytes)
			return false;
	}
	return size != 0;
}

cl_int pl_cl_stub_clSetKernelArg(cl_kernel handle, cl_uint arg_index, size_t arg_size, const void *value)
{
	struct pl_cl_kernel *kernel = pl_cl_get(handle, PL_CL_KIND_kernel);
	struct pl_cl_param *param;
	struct pl_cl_sampler *sampler;
	struct pl_cl_mem *mem;
	bool done = false;

	if (!kernel)
		return CL_INVALID_KERNEL;
	if (!kernel->desc || arg_index >= kernel->desc->params_count || kernel->object.session->dead)
		return arg_ask(kernel, arg_index, arg_size, value);
	param = &kernel->desc->params[arg_index];
	switch ((int)param->kind) {
	case PL_CL_PARAM_VALUE:
		if (value && arg_size && arg_size <= PL_CL_LIMIT_ARG_MAX &&
		    (arg_size == param->size || arg_size == param->size_taken))
			done = pl_cl_kernel_arg_put(kernel, arg_index, PL_CL_ARG_BYTES, arg_size, 0, value,
						    (uint32_t)arg_size);
		break;
	case PL_CL_PARAM_MEM:
		if (arg_size != sizeof(cl_mem))
			break;
		if (!value || !handle_of(value)) {
			done = pl_cl_kernel_arg_put(kernel, arg_index, PL_CL_ARG_NULL, arg_size, 0, NULL, 0);
			break;
		}
		mem = mem_of(kernel, value);
		if (mem && mem->type == CL_MEM_OBJECT_BUFFER)
			done = pl_cl_kernel_arg_put(kernel, arg_index, PL_CL_ARG_MEM, arg_size, mem->object.id, NULL,
						    0);
		break;
	case PL_CL_PARAM_IMAGE:
		mem = value && arg_size == sizeof(cl_mem) && handle_of(value) ? mem_of(kernel, value) : NULL;
		if (mem && (param->images_taken & image_bit(mem)))
			done = pl_cl_kernel_arg_put(kernel, arg_index, PL_CL_ARG_MEM, arg_size, mem->object.id, NULL,
						    0);
		break;
	case PL_CL_PARAM_SAMPLER:
		sampler = value && arg_size == sizeof(cl_sampler) ? pl_cl_get(handle_of(value), PL_CL_KIND_sampler)
								  : NULL;
		if (sampler && sampler->context == kernel->program->context)
			done = pl_cl_kernel_arg_put(kernel, arg_index, PL_CL_ARG_SAMPLER, arg_size, sampler->object.id,
						    NULL, 0);
		break;
	case PL_CL_PARAM_LOCAL:
		if (!value && local_fits(kernel, arg_size))
			done = pl_cl_kernel_arg_put(kernel, arg_index, PL_CL_ARG_NULL, arg_size, 0, NULL, 0);
		break;
	case PL_CL_PARAM_UNKNOWN:
		if (is_nothing(arg_size, value) && param->size_taken == arg_size)
			done = pl_cl_kernel_arg_put(kernel, arg_index, PL_CL_ARG_BYTES, arg_size, 0, value,
						    (uint32_t)arg_size);
		break;
	default:
		break;
	}
	return done ? CL_SUCCESS : arg_ask(kernel, arg_index, arg_size, value);
}

/* ---- clones ---- */

cl_kernel pl_cl_stub_clCloneKernel(cl_kernel handle, cl_int *errcode_ret)
{
	struct pl_cl_kernel *source = pl_cl_get(handle, PL_CL_KIND_kernel), *kernel;
	struct pl_cl_clCloneKernel_args args;
	cl_int code;

	if (!source) {
		pl_cl_code_set(errcode_ret, CL_INVALID_KERNEL);
		return NULL;
	}
	kernel = kernel_new(source->program);
	if (!kernel ||
	    !kernel_describe(kernel, source->kernels ? pl_cl_kernels_ref(source->kernels) : NULL, source->desc)) {
		pl_cl_object_drop(kernel);
		pl_cl_code_set(errcode_ret, CL_OUT_OF_HOST_MEMORY);
		return NULL;
	}
	args.source_kernel = source->object.id;
	args.args = (struct pl_bytes){source->pending, source->pending_bytes};
	args.kernel = kernel->object.id;
	pl_lock(&source->object.lock);
	PL_CL_SEND(source->object.session, clCloneKernel, &args, false, code);
	if (!code)
		pl_cl_kernel_sent(source);
	pl_unlock(&source->object.lock);
	pl_cl_code_set(errcode_ret, code);
	if (code) {
		pl_cl_object_drop(kernel);
		return NULL;
	}
	for (uint32_t i = 0; source->desc && i < source->desc->params_count; i++)
		kernel->args[i].set = source->args[i].set;
	kernel->unset_count = source->unset_count;
	return (cl_kernel)kernel;
}
