#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/opencl/call.h"
#include "client/opencl/types.h"

void pl_cl_program_fini(struct pl_cl_object *object)
{
	struct pl_cl_program *program = (struct pl_cl_program *)object;

	pl_cl_kernels_unref(program->kernels);
	free(program->source);
	pl_cl_devices_unhold(program->devices, program->devices_count);
	pl_cl_unhold(program->context);
	if (program->released) {
		object->kept = true;
		pl_cl_callbacks_run(program->released, object, pl_cl_object_free);
	}
}

/* Devices that are not valid are left to the driver to refuse. */
struct pl_cl_program *pl_cl_program_new(struct pl_cl_context *context, const cl_device_id *list, uint32_t count)
{
	struct pl_cl_program *program =
		pl_cl_object_new(context->object.server, PL_CL_KIND_program, sizeof(*program), 0);

	if (!program)
		return NULL;
	program->context = context;
	pl_cl_hold(context);
	if (!list || !count) {
		list = (const cl_device_id *)context->devices;
		count = context->devices_count;
	}
	program->devices = pl_cl_devices_hold(list, count);
	program->devices_count = program->devices ? count : 0;
	return program;
}

static cl_program program_made(struct pl_cl_program *program, cl_int code, cl_int *errcode_ret)
{
	pl_cl_code_set(errcode_ret, code);
	if (!code)
		return (cl_program)program;
	pl_cl_object_drop(program);
	return NULL;
}

/* One text of all the strings; NULL = no memory. */
static char *source_join(cl_uint count, const char **strings, const size_t *lengths, size_t *bytes_out)
{
	size_t bytes = 0, at = 0;
	char *source;

	for (cl_uint i = 0; i < count; i++)
		bytes += lengths && lengths[i] ? lengths[i] : strlen(strings[i]);
	source = malloc(bytes + 1);
	for (cl_uint i = 0; source && i < count; i++) {
		size_t length = lengths && lengths[i] ? lengths[i] : strlen(strings[i]);
		memcpy(source + at, strings[i], length);
		at += length;
	}
	if (source)
		source[bytes] = 0;
	*bytes_out = bytes;
	return source;
}

cl_program pl_cl_stub_clCreateProgramWithSource(cl_context handle, cl_uint count, const char **strings,
						const size_t *lengths, cl_int *errcode_ret)
{
	struct pl_cl_context *context = pl_cl_get(handle, PL_CL_KIND_context);
	struct pl_cl_clCreateProgramWithSource_args args = {0};
	struct pl_cl_program *program;
	size_t bytes;
	char *source;
	cl_int code;
	int r;

	if (!context)
		return program_made(NULL, CL_INVALID_CONTEXT, errcode_ret);
	if (!count || !strings)
		return program_made(NULL, CL_INVALID_VALUE, errcode_ret);
	for (cl_uint i = 0; i < count; i++)
		if (!strings[i])
			return program_made(NULL, CL_INVALID_VALUE, errcode_ret);
	program = pl_cl_program_new(context, NULL, 0);
	source = program ? source_join(count, strings, lengths, &bytes) : NULL;
	if (!source)
		return program_made(program, CL_OUT_OF_HOST_MEMORY, errcode_ret);
	args.context = context->object.id;
	args.program = program->object.id;
	r = bytes <= PL_CL_LIMIT_SOURCE_MAX ? pl_bulk_prepare(context->object.session, &args.source, source, bytes)
					    : -ENOMEM;
	code = r ? pl_cl_fault(r) : CL_SUCCESS;
	if (!code)
		PL_CL_SEND(context->object.session, clCreateProgramWithSource, &args, true, code);
	pl_bulk_done(context->object.session, &args.source);
	if (!code && pl_cl_source_includes(source, bytes)) {
		program->source = source;
		program->source_bytes = bytes;
	} else {
		free(source);
	}
	return program_made(program, code, errcode_ret);
}

/* The binaries one behind the other; lengths of those that were not given are 0. */
static int binaries_join(struct pl_session *session, cl_uint count, const size_t *lengths,
			 const unsigned char **binaries, uint64_t *sizes, struct pl_bulk *bulk, uint8_t **heap_out)
{
	uint64_t bytes = 0, at = 0;
	uint8_t *heap;

	*heap_out = NULL;
	for (cl_uint i = 0; i < count; i++) {
		sizes[i] = lengths && binaries && binaries[i] ? lengths[i] : 0;
		bytes += sizes[i];
	}
	if (count == 1 && bytes)
		return pl_bulk_prepare(session, bulk, binaries[0], bytes);
	if (bytes > PL_CL_LIMIT_SOURCE_MAX)
		return -ENOMEM;
	*heap_out = heap = malloc(bytes + 1);
	if (!heap)
		return -ENOMEM;
	for (cl_uint i = 0; i < count; i++) {
		if (sizes[i])
			memcpy(heap + at, binaries[i], sizes[i]);
		at += sizes[i];
	}
	return pl_bulk_prepare(session, bulk, heap, bytes);
}

cl_program pl_cl_stub_clCreateProgramWithBinary(cl_context handle, cl_uint num_devices, const cl_device_id *device_list,
						const size_t *lengths, const unsigned char **binaries,
						cl_int *binary_status, cl_int *errcode_ret)
{
	struct pl_cl_context *context = pl_cl_get(handle, PL_CL_KIND_context);
	struct pl_cl_clCreateProgramWithBinary_args args = {0};
	struct pl_cl_clCreateProgramWithBinary_reply got;
	uint64_t sizes[PL_CL_LIMIT_DEVICES_MAX];
	struct pl_cl_program *program;
	struct pl_cl_ids ids;
	struct pl_reply reply;
	uint8_t *heap;
	cl_int code;
	int r;

	if (!context)
		return program_made(NULL, CL_INVALID_CONTEXT, errcode_ret);
	if (num_devices > PL_CL_LIMIT_DEVICES_MAX)
		return program_made(NULL, CL_INVALID_VALUE, errcode_ret);
	program = pl_cl_program_new(context, device_list, num_devices);
	if (!program || !pl_cl_ids_start(&ids, context->object.session, (const void *const *)device_list, num_devices,
					 PL_CL_KIND_device))
		return program_made(program, CL_OUT_OF_HOST_MEMORY, errcode_ret);
	r = binaries_join(context->object.session, num_devices, lengths, binaries, sizes, &args.data, &heap);
	if (!r) {
		args.context = context->object.id;
		args.devices = ids.list;
		args.lengths = (struct pl_u64s){sizes, num_devices};
		args.program = program->object.id;
		r = PL_CL_ASK(context->object.session, clCreateProgramWithBinary, &args, &reply);
	}
	code = r ? pl_cl_fault(r) : reply.status;
	if (!r && binary_status) {
		pl_cl_clCreateProgramWithBinary_reply_get(&reply.dec, &got);
		for (uint64_t i = 0; pl_dec_whole(&reply.dec) && i < got.binary_status.count && i < num_devices; i++)
			binary_status[i] = (cl_int)got.binary_status.at[i];
	}
	pl_bulk_taken(context->object.session, &args.data);
	free(heap);
	pl_cl_ids_end(&ids);
	return program_made(program, code, errcode_ret);
}

cl_program pl_cl_stub_clCreateProgramWithIL(cl_context handle, const void *il, size_t length, cl_int *errcode_ret)
{
	struct pl_cl_context *context = pl_cl_get(handle, PL_CL_KIND_context);
	struct pl_cl_clCreateProgramWithIL_args args = {.has_il = il != NULL};
	struct pl_cl_program *program;
	cl_int code = CL_SUCCESS;
	int r = 0;

	if (!context)
		return program_made(NULL, CL_INVALID_CONTEXT, errcode_ret);
	program = pl_cl_program_new(context, NULL, 0);
	if (!program)
		return program_made(NULL, CL_OUT_OF_HOST_MEMORY, errcode_ret);
	args.context = context->object.id;
	args.program = program->object.id;
	if (il && length <= PL_CL_LIMIT_SOURCE_MAX)
		r = pl_bulk_prepare(context->object.session, &args.il, il, length);
	else if (il)
		r = -ENOMEM;
	if (r)
		code = pl_cl_fault(r);
	else
		PL_CL_SEND(context->object.session, clCreateProgramWithIL, &args, false, code);
	pl_bulk_taken(context->object.session, &args.il);
	return program_made(program, code, errcode_ret);
}

cl_program pl_cl_stub_clCreateProgramWithBuiltInKernels(cl_context handle, cl_uint num_devices,
							const cl_device_id *device_list, const char *kernel_names,
							cl_int *errcode_ret)
{
	struct pl_cl_context *context = pl_cl_get(handle, PL_CL_KIND_context);
	struct pl_cl_clCreateProgramWithBuiltInKernels_args args = {.has_names = kernel_names != NULL,
								    .kernel_names = kernel_names ? kernel_names : ""};
	struct pl_cl_program *program;
	struct pl_cl_ids ids;
	cl_int code;

	if (!context)
		return program_made(NULL, CL_INVALID_CONTEXT, errcode_ret);
	program = pl_cl_program_new(context, device_list, num_devices);
	if (!program || !pl_cl_ids_start(&ids, context->object.session, (const void *const *)device_list, num_devices,
					 PL_CL_KIND_device))
		return program_made(program, CL_OUT_OF_HOST_MEMORY, errcode_ret);
	args.context = context->object.id;
	args.devices = ids.list;
	args.program = program->object.id;
	PL_CL_SEND(context->object.session, clCreateProgramWithBuiltInKernels, &args, false, code);
	pl_cl_ids_end(&ids);
	return program_made(program, code, errcode_ret);
}

/* Destructors of program scope variables are OpenCL 2.2's alone. */
static bool context_destructs(const struct pl_cl_context *context)
{
	for (uint32_t i = 0; i < context->devices_count; i++) {
		const void *at;
		size_t bytes;
		void *heap;
		bool has;
		pl_cl_device_preload(context->devices[i]);
		if (pl_cl_info_fetch(PL_CL_OP_clGetDeviceInfo, PL_CL_INFO_device, &context->devices[i]->object,
				     CL_DEVICE_VERSION, &at, &bytes, &heap))
			continue;
		has = bytes > 10 && !memcmp(at, "OpenCL 2.2", 10);
		free(heap);
		if (has)
			return true;
	}
	return false;
}

cl_int pl_cl_stub_clSetProgramReleaseCallback(cl_program handle, void (*pfn_notify)(cl_program, void *),
					      void *user_data)
{
	struct pl_cl_program *program = pl_cl_get(handle, PL_CL_KIND_program);

	if (!program)
		return CL_INVALID_PROGRAM;
	if (!context_destructs(program->context))
		return CL_INVALID_OPERATION;
	if (!pfn_notify)
		return CL_INVALID_VALUE;
	if (!pl_cl_callback_add(&program->released, &program->object.lock, (void (*)(void *, void *))pfn_notify,
				user_data))
		return CL_OUT_OF_HOST_MEMORY;
	return CL_SUCCESS;
}

uint32_t pl_cl_program_devices_count(struct pl_cl_program *program)
{
	uint32_t count = program->devices_count;
	bool parts = false;
	const void *at;
	size_t bytes;
	void *heap;

	for (uint32_t i = 0; i < count; i++)
		parts |= program->devices[i]->parent != NULL;
	if (!parts || pl_cl_info_fetch(PL_CL_OP_clGetProgramInfo, PL_CL_INFO_program, &program->object,
				       CL_PROGRAM_NUM_DEVICES, &at, &bytes, &heap))
		return count;
	if (bytes == sizeof(count))
		memcpy(&count, at, sizeof(count));
	free(heap);
	return count;
}

/* ---- CL_PROGRAM_BINARIES: the value is an array of the caller's pointers, which are filled ---- */

static cl_int binaries_fill(struct pl_reply *reply, const struct pl_cl_plProgramBinaries_reply *got,
			    unsigned char *const *to, size_t count)
{
	const uint8_t *inlined = got->binaries.kind == PL_BULK_INLINE ? got->binaries.data : NULL;
	uint64_t sizes[PL_CL_LIMIT_DEVICES_MAX], sizes_count = got->sizes.count;
	uint8_t scrap[4096];

	if (sizes_count)
		memcpy(sizes, got->sizes.at, sizes_count * sizeof(*sizes));
	for (uint64_t i = 0; i < sizes_count; i++) {
		unsigned char *into = i < count ? to[i] : NULL;
		if (inlined) {
			if (into)
				memcpy(into, inlined, sizes[i]);
			inlined += sizes[i];
			continue;
		}
		for (uint64_t left = sizes[i]; left;) {
			uint64_t part = into ? left : left < sizeof(scrap) ? left : sizeof(scrap);
			int r = pl_call_bulk(reply, into ? into : scrap, part);
			if (r)
				return pl_cl_fault(r);
			left -= part;
		}
	}
	return CL_SUCCESS;
}

int pl_cl_program_binaries(struct pl_cl_program *program, size_t size, void *to, struct pl_cl_value *value)
{
	struct pl_cl_plProgramBinaries_args args = {.program = program->object.id};
	struct pl_cl_plProgramBinaries_reply got;
	struct pl_reply reply;
	uint64_t total = 0;
	size_t count = pl_cl_program_devices_count(program);
	cl_int code;
	int r;

	value->bytes = count * sizeof(unsigned char *);
	if (!to || size < value->bytes)
		return 1;
	r = PL_CL_ASK(program->object.session, plProgramBinaries, &args, &reply);
	if (r)
		return pl_cl_fault(r);
	if (reply.status)
		return reply.status;
	pl_cl_plProgramBinaries_reply_get(&reply.dec, &got);
	for (uint64_t i = 0; i < got.sizes.count; i++)
		total += got.sizes.at[i] <= PL_CL_LIMIT_TRANSFER_MAX ? got.sizes.at[i] : PL_CL_LIMIT_TRANSFER_MAX;
	if (!pl_dec_whole(&reply.dec) || total != got.binaries.bytes ||
	    (got.binaries.kind != PL_BULK_INLINE && total != reply.bulk_bytes))
		return pl_cl_lost();
	code = binaries_fill(&reply, &got, to, count);
	if (code)
		return code;
	value->at = value->heap = malloc(value->bytes + 1);
	if (!value->heap)
		return CL_OUT_OF_HOST_MEMORY;
	memcpy(value->heap, to, value->bytes);
	return 1;
}
