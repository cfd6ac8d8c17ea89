/* Programs: making them, and what the client must know of them. */
#include <stdlib.h>
#include <string.h>

#include "backend/opencl/kernel.h"
#include "backend/opencl/mem.h"
#include "backend/opencl/print.h"
#include "backend/opencl/program.h"
#include "backend/opencl/resolve.h"
#include "base/cleanup.h"
#include "base/err.h"

pthread_mutex_t pl_cl_programs_lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- making ---- */

int32_t pl_cl_program_enter(struct pl_serve *serve, uint64_t id, cl_program program, uint64_t host_bytes,
			    bool hides_params)
{
	struct pl_cl_program_note *note = calloc(1, sizeof(*note));
	int32_t status = CL_OUT_OF_HOST_MEMORY;

	if (note) {
		note->host_bytes = host_bytes;
		note->hides_params = hides_params;
		status = pl_cl_enter(pl_cl_session_of(serve), id, PL_CL_KIND_program, program, note);
	} else {
		pl_cl.clReleaseProgram(program);
	}
	if (status)
		free(note);
	return status;
}

bool pl_cl_program_hides(struct pl_cl_session *session, uint64_t id)
{
	struct pl_handle handle;
	bool hides = false;

	pthread_mutex_lock(&pl_cl_programs_lock);
	if (pl_handles_get(&session->worker->handles, id, PL_CL_KIND_program, &handle) && handle.extra)
		hides = ((struct pl_cl_program_note *)handle.extra)->hides_params;
	pthread_mutex_unlock(&pl_cl_programs_lock);
	return hides;
}

/* Enters what the driver made, whose source stays charged, or the failure. */
static int32_t program_finish(struct pl_serve *serve, uint64_t id, cl_program program, uint64_t host_bytes,
			      int32_t status)
{
	program = pl_cl_made(program, &status);
	if (program) {
		status = pl_cl_program_enter(serve, id, program, host_bytes, false);
		if (!status && host_bytes)
			pl_cl_charge_keep();
	} else {
		pl_cl_put(serve, id, PL_CL_KIND_program, NULL, status);
	}
	return status;
}

void pl_cl_serve_clCreateProgramWithSource(struct pl_serve *serve,
					   const struct pl_cl_clCreateProgramWithSource_args *args)
{
	struct pl_cl_view view = { 0 };
	int32_t status = CL_SUCCESS;
	cl_program program = NULL;
	struct pl_handle handle;
	void *context;

	if (pl_cl_take(serve, args->context, PL_CL_KIND_context, &context, &status)) {
		status = pl_cl_view_take(serve, &args->source, false, &view);
		if (!status) {
			const char *text = view.bytes ? view.data : "";
			size_t length = view.bytes;

			pl_cl_print_expect(pl_cl_session_of(serve), text, length);
			program = pl_cl.clCreateProgramWithSource(context, 1, &text, &length, &status);
		}
		pl_cl_view_fini(&view);
	}
	status = program_finish(serve, args->program, program, args->source.bytes, status);
	if (!status && pl_handles_get(&serve->session->handles, args->program, PL_CL_KIND_program, &handle))
		((struct pl_cl_program_note *)handle.extra)->from_source = true;
	pl_cl_result(serve, status, 0);
}

/* Where each device's binary begins.  Return: they are all in the data. */
static bool binaries_place(const struct pl_cl_clCreateProgramWithBinary_args *args, const struct pl_cl_view *view,
			   const unsigned char **binaries, size_t *lengths)
{
	uint64_t at = 0;

	for (uint64_t i = 0; i < args->lengths.count; i++) {
		lengths[i] = args->lengths.at[i];
		if (lengths[i] > view->bytes - at)
			return false;
		binaries[i] = lengths[i] ? (const unsigned char *)view->data + at : NULL;
		at += lengths[i];
	}
	return true;
}

static cl_program binary_make(struct pl_serve *serve, const struct pl_cl_clCreateProgramWithBinary_args *args,
			      void *context, cl_int *binary_status, int32_t *status)
{
	const unsigned char *binaries[PL_CL_LIMIT_DEVICES_MAX];
	size_t lengths[PL_CL_LIMIT_DEVICES_MAX];
	struct pl_cl_view view = { 0 };
	struct pl_cl_list devices;
	cl_program program = NULL;

	if (args->lengths.count != args->devices.count) {
		*status = CL_INVALID_VALUE;
		return NULL;
	}
	if (!pl_cl_list_take(serve, args->devices, PL_CL_KIND_device, &devices, status))
		return NULL;
	*status = pl_cl_view_take(serve, &args->data, true, &view);
	if (!*status && !binaries_place(args, &view, binaries, lengths))
		*status = CL_INVALID_VALUE;
	if (!*status) {
		pl_cl_print_expect(pl_cl_session_of(serve), NULL, 0);
		program = pl_cl.clCreateProgramWithBinary(context, devices.count, (cl_device_id *)devices.at,
							  devices.count ? lengths : NULL,
							  devices.count ? binaries : NULL, binary_status, status);
	}
	pl_cl_view_fini(&view);
	pl_cl_list_fini(&devices);
	return program;
}

void pl_cl_serve_clCreateProgramWithBinary(struct pl_serve *serve,
					   const struct pl_cl_clCreateProgramWithBinary_args *args)
{
	cl_int binary_status[PL_CL_LIMIT_DEVICES_MAX] = { 0 };
	struct pl_cl_clCreateProgramWithBinary_reply reply = {
		.binary_status = { (const uint32_t *)binary_status, args->devices.count },
	};
	int32_t status = CL_SUCCESS;
	cl_program program = NULL;
	void *context;

	if (pl_cl_take(serve, args->context, PL_CL_KIND_context, &context, &status))
		program = binary_make(serve, args, context, binary_status, &status);
	status = program_finish(serve, args->program, program, args->data.bytes, status);
	if (pl_serve_reply_begin(serve, status, pl_cl_clCreateProgramWithBinary_reply_bytes(&reply), 0))
		return;
	pl_cl_clCreateProgramWithBinary_reply_put(&serve->reply_enc, &reply);
	pl_serve_reply_end(serve);
}

void pl_cl_serve_clCreateProgramWithBuiltInKernels(struct pl_serve *serve,
						   const struct pl_cl_clCreateProgramWithBuiltInKernels_args *args)
{
	struct pl_cl_list devices;
	int32_t status = CL_INVALID_OPERATION;
	cl_program program = NULL;
	void *context;

	if (pl_cl.clCreateProgramWithBuiltInKernels &&
	    pl_cl_take(serve, args->context, PL_CL_KIND_context, &context, &status) &&
	    pl_cl_list_take(serve, args->devices, PL_CL_KIND_device, &devices, &status)) {
		pl_cl_print_expect(pl_cl_session_of(serve), NULL, 0);
		if (context && !args->has_names)
			status = CL_INVALID_VALUE;
		else
			program = pl_cl.clCreateProgramWithBuiltInKernels(
				context, devices.count, (cl_device_id *)devices.at,
				args->has_names ? args->kernel_names : NULL, &status);
		pl_cl_list_fini(&devices);
	}
	status = program_finish(serve, args->program, program, 0, status);
	pl_cl_result(serve, status, 0);
}

void pl_cl_serve_clCreateProgramWithIL(struct pl_serve *serve, const struct pl_cl_clCreateProgramWithIL_args *args)
{
	struct pl_cl_view view = { 0 };
	int32_t status = CL_INVALID_OPERATION;
	cl_program program = NULL;
	void *context;

	if (pl_cl.clCreateProgramWithIL && pl_cl_take(serve, args->context, PL_CL_KIND_context, &context, &status)) {
		status = pl_cl_view_take(serve, &args->il, true, &view);
		pl_cl_print_expect(pl_cl_session_of(serve), NULL, 0);
		if (!status && context && (!args->has_il || !view.bytes))
			status = CL_INVALID_VALUE;
		else if (!status)
			program = pl_cl.clCreateProgramWithIL(context, view.data, view.bytes, &status);
		pl_cl_view_fini(&view);
	}
	status = program_finish(serve, args->program, program, args->il.bytes, status);
	pl_cl_result(serve, status, 0);
}

/* ---- binaries ---- */

struct binaries {
	uint64_t sizes[PL_CL_LIMIT_DEVICES_MAX];
	uint64_t count, total;
	uint8_t *data;
};

/* The driver writes each device's binary to where it is told. */
static int32_t binaries_get(cl_program program, struct binaries *binaries)
{
	unsigned char *places[PL_CL_LIMIT_DEVICES_MAX] = { 0 };
	size_t sizes[PL_CL_LIMIT_DEVICES_MAX], bytes = 0;
	uint64_t at = 0;
	int32_t status = pl_cl.clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof(sizes), sizes, &bytes);

	if (status)
		return status;
	binaries->count = bytes / sizeof(sizes[0]);
	for (uint64_t i = 0; i < binaries->count; i++) {
		binaries->sizes[i] = sizes[i];
		binaries->total = pl_cl_plus(binaries->total, sizes[i]);
	}
	if (!binaries->total || binaries->total > PL_CL_LIMIT_SOURCE_MAX)
		return binaries->total ? CL_OUT_OF_RESOURCES : CL_SUCCESS;
	binaries->data = malloc(binaries->total);
	if (!binaries->data)
		return CL_OUT_OF_HOST_MEMORY;
	for (uint64_t i = 0; i < binaries->count; at += sizes[i++])
		places[i] = sizes[i] ? binaries->data + at : NULL;
	return pl_cl.clGetProgramInfo(program, CL_PROGRAM_BINARIES, binaries->count * sizeof(places[0]), places, NULL);
}

void pl_cl_serve_plProgramBinaries(struct pl_serve *serve, const struct pl_cl_plProgramBinaries_args *args)
{
	struct pl_cl_plProgramBinaries_reply reply = { 0 };
	struct binaries binaries = { .count = 0 };
	int32_t status = CL_SUCCESS;
	uint64_t after;
	void *program;

	if (pl_cl_take(serve, args->program, PL_CL_KIND_program, &program, &status))
		status = program ? binaries_get(program, &binaries) : CL_INVALID_PROGRAM;
	if (status)
		binaries.count = binaries.total = 0;
	after = binaries.total > PL_WIRE_INLINE_MAX ? binaries.total : 0;
	reply.sizes = (struct pl_u64s){ binaries.sizes, binaries.count };
	reply.binaries = (struct pl_bulk){
		.kind = after ? PL_BULK_AFTER : PL_BULK_INLINE,
		.data = binaries.data,
		.bytes = binaries.total,
	};
	if (!pl_serve_reply_begin(serve, status, pl_cl_plProgramBinaries_reply_bytes(&reply), after)) {
		pl_cl_plProgramBinaries_reply_put(&serve->reply_enc, &reply);
		if (!pl_serve_reply_end(serve) && after)
			pl_serve_reply_bulk(serve, binaries.data, after);
	}
	free(binaries.data);
}

/* ---- what is in a built program ---- */

struct blob {
	uint8_t *at;
	uint64_t bytes, room;
	bool failed;
};

static void blob_add(struct blob *blob, const void *data, uint64_t bytes)
{
	uint64_t padded = PL_WIRE_PAD(bytes);

	if (blob->bytes + padded > blob->room) {
		uint64_t room = (blob->room + padded) * 2 + 256;
		uint8_t *larger = room > PL_CL_LIMIT_INFO_MAX * 2ull ? NULL : realloc(blob->at, room);

		if (!larger) {
			blob->failed = true;
			return;
		}
		blob->at = larger;
		blob->room = room;
	}
	memset(blob->at + blob->bytes, 0, padded);
	memcpy(blob->at + blob->bytes, data, bytes);
	blob->bytes += padded;
}

static void blob_add_u64(struct blob *blob, uint64_t value)
{
	blob_add(blob, &value, sizeof(value));
}

static void blob_add_name(struct blob *blob, cl_kernel kernel)
{
	pl_cleanup(pl_freep) char *name = NULL;
	size_t bytes = 0;

	pl_cl.clGetKernelInfo(kernel, CL_KERNEL_FUNCTION_NAME, 0, NULL, &bytes);
	name = calloc(1, bytes + 1);
	if (!name || bytes > PL_CL_LIMIT_NAME_MAX ||
	    pl_cl.clGetKernelInfo(kernel, CL_KERNEL_FUNCTION_NAME, bytes, name, NULL)) {
		blob->failed = true;
		return;
	}
	blob_add_u64(blob, strlen(name) + 1);
	blob_add(blob, name, strlen(name) + 1);
}

static void blob_add_params(struct blob *blob, cl_kernel kernel)
{
	cl_uint count = 0;
	uint64_t known_at;
	uint64_t known = 1;

	pl_cl.clGetKernelInfo(kernel, CL_KERNEL_NUM_ARGS, sizeof(count), &count, NULL);
	blob_add_u64(blob, count);
	known_at = blob->bytes;
	blob_add_u64(blob, known);
	for (cl_uint i = 0; i < count && !blob->failed; i++) {
		struct pl_cl_param param;

		if (!pl_cl_param_get(kernel, i, &param))
			known = 0;
		blob_add_u64(blob, param.address_qualifier);
		blob_add_u64(blob, param.access_qualifier);
		blob_add_u64(blob, param.kind);
		blob_add_u64(blob, param.bytes);
	}
	if (!blob->failed)
		memcpy(blob->at + known_at, &known, sizeof(known));
}

static void blob_add_device(struct blob *blob, cl_kernel kernel, cl_device_id device, uint64_t id)
{
	size_t group = 0, wanted[3] = { 0 };
	cl_ulong local = 0, private = 0;

	pl_cl.clGetKernelWorkGroupInfo(kernel, device, CL_KERNEL_WORK_GROUP_SIZE, sizeof(group), &group, NULL);
	pl_cl.clGetKernelWorkGroupInfo(kernel, device, CL_KERNEL_COMPILE_WORK_GROUP_SIZE, sizeof(wanted), wanted, NULL);
	pl_cl.clGetKernelWorkGroupInfo(kernel, device, CL_KERNEL_LOCAL_MEM_SIZE, sizeof(local), &local, NULL);
	pl_cl.clGetKernelWorkGroupInfo(kernel, device, CL_KERNEL_PRIVATE_MEM_SIZE, sizeof(private), &private, NULL);
	blob_add_u64(blob, id);
	blob_add_u64(blob, group);
	for (int i = 0; i < 3; i++)
		blob_add_u64(blob, wanted[i]);
	blob_add_u64(blob, local);
	blob_add_u64(blob, private);
}

/* Devices for which the program is built, and that this session knows. */
static uint32_t devices_built(struct pl_serve *serve, cl_program program, cl_device_id *devices, uint64_t *ids)
{
	size_t bytes = 0;
	uint32_t count = 0;

	if (pl_cl.clGetProgramInfo(program, CL_PROGRAM_DEVICES, PL_CL_LIMIT_DEVICES_MAX * sizeof(*devices), devices,
				   &bytes))
		return 0;
	for (uint32_t i = 0; i < bytes / sizeof(*devices); i++) {
		cl_build_status built = CL_BUILD_NONE;

		pl_cl.clGetProgramBuildInfo(program, devices[i], CL_PROGRAM_BUILD_STATUS, sizeof(built), &built, NULL);
		ids[count] = pl_handles_find(&serve->session->handles, PL_CL_KIND_device, devices[i]);
		if (built == CL_BUILD_SUCCESS && ids[count])
			devices[count++] = devices[i];
	}
	return count;
}

static int32_t kernels_describe(struct pl_serve *serve, cl_program program, struct blob *blob)
{
	cl_device_id devices[PL_CL_LIMIT_DEVICES_MAX];
	uint64_t ids[PL_CL_LIMIT_DEVICES_MAX];
	uint32_t devices_count = devices_built(serve, program, devices, ids);
	pl_cleanup(pl_freep) cl_kernel *kernels = NULL;
	cl_uint count = 0;
	int32_t status = pl_cl.clCreateKernelsInProgram(program, 0, NULL, &count);

	if (!status && count) {
		kernels = calloc(count, sizeof(*kernels));
		status =
			kernels ? pl_cl.clCreateKernelsInProgram(program, count, kernels, NULL) : CL_OUT_OF_HOST_MEMORY;
	}
	if (status)
		return status;
	blob_add_u64(blob, count);
	for (cl_uint i = 0; i < count; i++) {
		blob_add_name(blob, kernels[i]);
		blob_add_params(blob, kernels[i]);
		blob_add_u64(blob, devices_count);
		for (uint32_t j = 0; j < devices_count; j++)
			blob_add_device(blob, kernels[i], devices[j], ids[j]);
		pl_cl.clReleaseKernel(kernels[i]);
	}
	return blob->failed ? CL_OUT_OF_RESOURCES : CL_SUCCESS;
}

void pl_cl_serve_plProgramKernels(struct pl_serve *serve, const struct pl_cl_plProgramKernels_args *args)
{
	struct blob blob = { 0 };
	int32_t status = CL_SUCCESS;
	void *program;

	if (pl_cl_take(serve, args->program, PL_CL_KIND_program, &program, &status))
		status = program ? kernels_describe(serve, program, &blob) : CL_INVALID_PROGRAM;
	pl_cl_reply_bytes(serve, status, NULL, 0, blob.at, status ? 0 : blob.bytes);
	free(blob.at);
}
