/*
 * Building, compiling, linking.  The driver does it while the call waits; a callback is told afterwards, on the
 * callback thread.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "client/opencl/call.h"
#include "client/opencl/types.h"

struct notice {
	struct pl_cl_program *program; /* held */
	void (*fn)(cl_program program, void *user_data);
	void *user_data;
};

static void notice_run(void *arg)
{
	struct notice *notice = arg;

	notice->fn((cl_program)notice->program, notice->user_data);
	pl_cl_unhold(notice->program);
	free(notice);
}

/* The build has been tried: who wants to know is told, whether it went well or not. */
static void notice_give(struct pl_cl_program *program, cl_int code, void (*fn)(cl_program, void *), void *user_data)
{
	struct notice *notice;

	if (!fn || (code && code != CL_BUILD_PROGRAM_FAILURE && code != CL_COMPILE_PROGRAM_FAILURE &&
		    code != CL_LINK_PROGRAM_FAILURE))
		return;
	notice = malloc(sizeof(*notice));
	if (!notice) {
		pl_log_error("no memory: a build's callback is lost");
		return;
	}
	*notice = (struct notice){.program = program, .fn = fn, .user_data = user_data};
	pl_cl_hold(program);
	pl_callback_run(notice_run, notice);
}

/* A NULL list with a count keeps its count: the driver has a code for it. */
static bool list_start(struct pl_cl_ids *ids, const struct pl_session *session, const void *const *list, cl_uint count,
		       enum pl_cl_object_kind kind)
{
	if (list || !count) {
		bool ok = pl_cl_ids_start(ids, session, list, count, kind);
		if (!count)
			ids->list.count = 0;
		return ok;
	}
	memset(ids->stack, 0, sizeof(ids->stack));
	ids->heap = NULL;
	ids->list = (struct pl_u64s){ids->stack, count < PL_CL_IDS_STACK ? count : PL_CL_IDS_STACK};
	return true;
}

cl_int pl_cl_stub_clBuildProgram(cl_program handle, cl_uint num_devices, const cl_device_id *device_list,
				 const char *options, void (*pfn_notify)(cl_program, void *), void *user_data)
{
	struct pl_cl_program *program = pl_cl_get(handle, PL_CL_KIND_program);
	struct pl_cl_clBuildProgram_args args = {
		.has_devices = device_list != NULL, .has_options = options != NULL, .options = options ? options : ""};
	struct pl_cl_files files = {0};
	struct pl_cl_ids ids;
	cl_int code = CL_SUCCESS;
	int r;

	if (!program)
		return CL_INVALID_PROGRAM;
	if (!pfn_notify && user_data)
		return CL_INVALID_VALUE;
	if (!list_start(&ids, program->object.session, (const void *const *)device_list, num_devices,
			PL_CL_KIND_device))
		return CL_OUT_OF_HOST_MEMORY;
	args.program = program->object.id;
	args.devices = ids.list;
	r = pl_cl_files_collect(&files, options, program, NULL, 0);
	if (!r)
		r = pl_bulk_prepare(program->object.session, &args.files, files.at, files.bytes);
	if (r)
		code = pl_cl_fault(r);
	else
		PL_CL_SEND(program->object.session, clBuildProgram, &args, false, code);
	pl_bulk_taken(program->object.session, &args.files);
	free(files.at);
	pl_cl_ids_end(&ids);
	pl_cl_program_forget(program);
	notice_give(program, code, pfn_notify, user_data);
	return code;
}

/* NUL-terminated names one behind the other.  Return: false = no memory, or longer than can be sent. */
static bool names_join(cl_uint count, const char **names, struct pl_bytes *bytes_out)
{
	size_t bytes = 0, at = 0;
	char *heap;

	*bytes_out = (struct pl_bytes){NULL, 0};
	for (cl_uint i = 0; names && i < count; i++)
		bytes += names[i] ? strlen(names[i]) + 1 : 1;
	if (!bytes)
		return true;
	heap = bytes <= PL_CL_LIMIT_NAME_MAX ? malloc(bytes) : NULL;
	if (!heap)
		return false;
	for (cl_uint i = 0; i < count; i++) {
		size_t length = names[i] ? strlen(names[i]) + 1 : 1;
		memcpy(heap + at, names[i] ? names[i] : "", length);
		at += length;
	}
	*bytes_out = (struct pl_bytes){heap, bytes};
	return true;
}

/* Those of a list that are programs; the others the driver refuses. */
static struct pl_cl_program **programs_get(const cl_program *list, cl_uint count, uint32_t *count_out)
{
	struct pl_cl_program **programs = calloc(count + 1, sizeof(*programs));

	*count_out = 0;
	for (cl_uint i = 0; programs && list && i < count; i++) {
		struct pl_cl_program *program = pl_cl_get(list[i], PL_CL_KIND_program);
		if (program)
			programs[(*count_out)++] = program;
	}
	return programs;
}

static cl_int compile_send(struct pl_cl_program *program, struct pl_cl_clCompileProgram_args *args, const char *options,
			   const cl_program *headers, cl_uint headers_count)
{
	struct pl_session *session = program->object.session;
	struct pl_cl_files files = {0};
	struct pl_cl_program **programs;
	uint32_t count;
	cl_int code = CL_SUCCESS;
	int r;

	programs = programs_get(headers, headers_count, &count);
	r = programs ? pl_cl_files_collect(&files, options, program, programs, count) : -ENOMEM;
	free(programs);
	if (!r)
		r = pl_bulk_prepare(session, &args->files, files.at, files.bytes);
	if (r)
		code = pl_cl_fault(r);
	else
		PL_CL_SEND(session, clCompileProgram, args, false, code);
	pl_bulk_taken(session, &args->files);
	free(files.at);
	return code;
}

cl_int pl_cl_stub_clCompileProgram(cl_program handle, cl_uint num_devices, const cl_device_id *device_list,
				   const char *options, cl_uint num_input_headers, const cl_program *input_headers,
				   const char **header_include_names, void (*pfn_notify)(cl_program, void *),
				   void *user_data)
{
	struct pl_cl_program *program = pl_cl_get(handle, PL_CL_KIND_program);
	struct pl_cl_clCompileProgram_args args = {.has_devices = device_list != NULL,
						   .has_options = options != NULL,
						   .options = options ? options : "",
						   .has_headers = input_headers != NULL};
	struct pl_cl_ids devices, headers;
	cl_int code;

	if (!program)
		return CL_INVALID_PROGRAM;
	if (!pfn_notify && user_data)
		return CL_INVALID_VALUE;
	/* Names without headers, or the other way round: nothing to put on the wire. */
	if (!num_input_headers != !input_headers || !num_input_headers != !header_include_names)
		return CL_INVALID_VALUE;
	if (!list_start(&devices, program->object.session, (const void *const *)device_list, num_devices,
			PL_CL_KIND_device))
		return CL_OUT_OF_HOST_MEMORY;
	if (!list_start(&headers, program->object.session, (const void *const *)input_headers, num_input_headers,
			PL_CL_KIND_program)) {
		pl_cl_ids_end(&devices);
		return CL_OUT_OF_HOST_MEMORY;
	}
	args.program = program->object.id;
	args.devices = devices.list;
	args.headers = headers.list;
	if (names_join(num_input_headers, header_include_names, &args.names))
		code = compile_send(program, &args, options, input_headers, num_input_headers);
	else
		code = CL_OUT_OF_HOST_MEMORY;
	free((void *)args.names.at);
	pl_cl_ids_end(&headers);
	pl_cl_ids_end(&devices);
	pl_cl_program_forget(program);
	notice_give(program, code, pfn_notify, user_data);
	return code;
}

cl_program pl_cl_stub_clLinkProgram(cl_context handle, cl_uint num_devices, const cl_device_id *device_list,
				    const char *options, cl_uint num_input_programs, const cl_program *input_programs,
				    void (*pfn_notify)(cl_program, void *), void *user_data, cl_int *errcode_ret)
{
	struct pl_cl_context *context = pl_cl_get(handle, PL_CL_KIND_context);
	struct pl_cl_clLinkProgram_args args = {.has_devices = device_list != NULL,
						.has_options = options != NULL,
						.options = options ? options : "",
						.has_programs = input_programs != NULL};
	struct pl_cl_clLinkProgram_reply got = {0};
	struct pl_cl_program *program;
	struct pl_cl_ids devices, programs;
	struct pl_reply reply;
	cl_int code;
	int r;

	if (!context || (!pfn_notify && user_data)) {
		pl_cl_code_set(errcode_ret, context ? CL_INVALID_VALUE : CL_INVALID_CONTEXT);
		return NULL;
	}
	program = pl_cl_program_new(context, device_list, num_devices);
	if (!program || !list_start(&devices, context->object.session, (const void *const *)device_list, num_devices,
				    PL_CL_KIND_device)) {
		pl_cl_object_drop(program);
		pl_cl_code_set(errcode_ret, CL_OUT_OF_HOST_MEMORY);
		return NULL;
	}
	if (!list_start(&programs, context->object.session, (const void *const *)input_programs, num_input_programs,
			PL_CL_KIND_program)) {
		pl_cl_ids_end(&devices);
		pl_cl_object_drop(program);
		pl_cl_code_set(errcode_ret, CL_OUT_OF_HOST_MEMORY);
		return NULL;
	}
	args.context = context->object.id;
	args.devices = devices.list;
	args.programs = programs.list;
	args.program = program->object.id;
	r = PL_CL_ASK(context->object.session, clLinkProgram, &args, &reply);
	code = r ? pl_cl_fault(r) : reply.status;
	if (!r)
		pl_cl_clLinkProgram_reply_get(&reply.dec, &got);
	pl_cl_ids_end(&programs);
	pl_cl_ids_end(&devices);
	pl_cl_code_set(errcode_ret, code);
	if (!got.made) {
		pl_cl_object_drop(program);
		return NULL;
	}
	notice_give(program, code, pfn_notify, user_data);
	return (cl_program)program;
}
