/* Queries.  The driver answers; handles in its answers become the client's ids, and no pointer of ours goes out. */
#include "opencl-info.h"

#include <stdlib.h>
#include <string.h>

#include "backend/opencl/event.h"
#include "backend/opencl/program.h"
#include "backend/opencl/resolve.h"
#include "base/cleanup.h"
#include "base/err.h"

#define PARAM_DEVICE_FIRST 0x1000u /* the core's parameters of devices */
#define PARAM_DEVICE_LAST  0x107fu
#define SNAPSHOT_EACH_MAX  65536u /* a longer answer is left to a query of its own */
#define SUB_GROUP_MAX      4096u  /* bytes of an answer about sub-groups: a few sizes */

struct query {
	uint32_t function; /* op of clGet*Info */
	enum pl_cl_info_kind info;
	uint32_t param;
	void *object, *second;
	cl_uint index;
	struct pl_bytes input;
};

struct answer {
	uint8_t *value; /* ours */
	uint64_t bytes, size_ret, charged;
};

/* Return: 0 = no function of queries. */
static enum pl_cl_info_kind info_of(uint32_t function)
{
	switch (function) {
	case PL_CL_OP_clGetPlatformInfo:
		return PL_CL_INFO_platform;
	case PL_CL_OP_clGetDeviceInfo:
		return PL_CL_INFO_device;
	case PL_CL_OP_clGetContextInfo:
		return PL_CL_INFO_context;
	case PL_CL_OP_clGetCommandQueueInfo:
		return PL_CL_INFO_queue;
	case PL_CL_OP_clGetMemObjectInfo:
		return PL_CL_INFO_mem;
	case PL_CL_OP_clGetImageInfo:
		return PL_CL_INFO_image;
	case PL_CL_OP_clGetPipeInfo:
		return PL_CL_INFO_pipe;
	case PL_CL_OP_clGetSamplerInfo:
		return PL_CL_INFO_sampler;
	case PL_CL_OP_clGetProgramInfo:
		return PL_CL_INFO_program;
	case PL_CL_OP_clGetProgramBuildInfo:
		return PL_CL_INFO_build;
	case PL_CL_OP_clGetKernelInfo:
		return PL_CL_INFO_kernel;
	case PL_CL_OP_clGetKernelWorkGroupInfo:
		return PL_CL_INFO_kernel_work_group;
	case PL_CL_OP_clGetKernelArgInfo:
		return PL_CL_INFO_kernel_arg;
	case PL_CL_OP_clGetKernelSubGroupInfo:
		return PL_CL_INFO_kernel_sub_group;
	case PL_CL_OP_clGetEventInfo:
		return PL_CL_INFO_event;
	case PL_CL_OP_clGetEventProfilingInfo:
		return PL_CL_INFO_profiling;
	}
	return 0;
}

static cl_int query_call(const struct query *query, size_t size, void *value, size_t *size_ret)
{
	switch (query->info) {
	case PL_CL_INFO_platform:
		return pl_cl.clGetPlatformInfo(query->object, query->param, size, value, size_ret);
	case PL_CL_INFO_device:
		return pl_cl.clGetDeviceInfo(query->object, query->param, size, value, size_ret);
	case PL_CL_INFO_context:
		return pl_cl.clGetContextInfo(query->object, query->param, size, value, size_ret);
	case PL_CL_INFO_queue:
		return pl_cl.clGetCommandQueueInfo(query->object, query->param, size, value, size_ret);
	case PL_CL_INFO_mem:
		return pl_cl.clGetMemObjectInfo(query->object, query->param, size, value, size_ret);
	case PL_CL_INFO_image:
		return pl_cl.clGetImageInfo(query->object, query->param, size, value, size_ret);
	case PL_CL_INFO_pipe:
		return pl_cl.clGetPipeInfo ? pl_cl.clGetPipeInfo(query->object, query->param, size, value, size_ret)
					   : CL_INVALID_OPERATION;
	case PL_CL_INFO_sampler:
		return pl_cl.clGetSamplerInfo(query->object, query->param, size, value, size_ret);
	case PL_CL_INFO_program:
		return pl_cl.clGetProgramInfo(query->object, query->param, size, value, size_ret);
	case PL_CL_INFO_build:
		return pl_cl.clGetProgramBuildInfo(query->object, query->second, query->param, size, value, size_ret);
	case PL_CL_INFO_kernel:
		return pl_cl.clGetKernelInfo(query->object, query->param, size, value, size_ret);
	case PL_CL_INFO_kernel_work_group:
		return pl_cl.clGetKernelWorkGroupInfo(query->object, query->second, query->param, size, value,
						      size_ret);
	case PL_CL_INFO_kernel_arg:
		return pl_cl.clGetKernelArgInfo ? pl_cl.clGetKernelArgInfo(query->object, query->index, query->param,
									   size, value, size_ret)
						: CL_INVALID_OPERATION;
	case PL_CL_INFO_kernel_sub_group:
		return pl_cl.clGetKernelSubGroupInfo
			       ? pl_cl.clGetKernelSubGroupInfo(query->object, query->second, query->param,
							       query->input.bytes, query->input.at, size, value,
							       size_ret)
			       : CL_INVALID_OPERATION;
	case PL_CL_INFO_event:
		return pl_cl.clGetEventInfo(query->object, query->param, size, value, size_ret);
	case PL_CL_INFO_profiling:
		return pl_cl.clGetEventProfilingInfo(query->object, query->param, size, value, size_ret);
	}
	return CL_INVALID_VALUE;
}

/* ---- handles ---- */

/* Kind of the handle that the answer is, where the client's own functions normally know it. 0 = none. */
static enum pl_cl_object_kind handle_of(enum pl_cl_info_kind info, uint32_t param)
{
	struct pl_cl_info_rule rule = pl_cl_info_rule(info, param);

	if (rule.how == PL_CL_INFO_HANDLE || rule.how == PL_CL_INFO_HANDLES)
		return rule.kind;
	switch (info) {
	case PL_CL_INFO_queue:
		return param == CL_QUEUE_DEVICE_DEFAULT ? PL_CL_KIND_queue : 0;
	case PL_CL_INFO_mem:
		return param == CL_MEM_CONTEXT                ? PL_CL_KIND_context
		       : param == CL_MEM_ASSOCIATED_MEMOBJECT ? PL_CL_KIND_mem
							      : 0;
	case PL_CL_INFO_image:
		return param == CL_IMAGE_BUFFER ? PL_CL_KIND_mem : 0;
	case PL_CL_INFO_event:
		return param == CL_EVENT_CONTEXT         ? PL_CL_KIND_context
		       : param == CL_EVENT_COMMAND_QUEUE ? PL_CL_KIND_queue
							 : 0;
	default:
		return 0;
	}
}

/* Answers that are pointers of ours, or that the driver would write through pointers of the client's. */
static bool is_secret(enum pl_cl_info_kind info, uint32_t param)
{
	return (info == PL_CL_INFO_mem && param == CL_MEM_HOST_PTR) ||
	       (info == PL_CL_INFO_context && param == CL_CONTEXT_PROPERTIES) ||
	       (info == PL_CL_INFO_program && param == CL_PROGRAM_BINARIES);
}

static void handles_translate(struct pl_serve *serve, enum pl_cl_object_kind kind, struct answer *answer)
{
	for (uint64_t i = 0; i + sizeof(void *) <= answer->bytes; i += sizeof(void *)) {
		void *handle;
		uint64_t id;

		memcpy(&handle, answer->value + i, sizeof(handle));
		id = pl_handles_find(&serve->session->handles, kind, handle);
		memcpy(answer->value + i, &id, sizeof(id));
	}
}

/* ---- answers ---- */

static void answer_fini(struct pl_serve *serve, struct answer *answer)
{
	free(answer->value);
	if (answer->charged)
		pl_quota_return(&serve->session->quota, PL_QUOTA_HOST, answer->charged);
}

/* Room for `bytes`.  Return: CL_SUCCESS or a code. */
static int32_t answer_room(struct pl_serve *serve, struct answer *answer, uint64_t bytes)
{
	if (bytes > PL_CL_LIMIT_SOURCE_MAX || !pl_quota_charge(&serve->session->quota, PL_QUOTA_HOST, bytes))
		return CL_OUT_OF_RESOURCES;
	answer->charged = bytes;
	answer->value = calloc(1, bytes + 1);
	answer->bytes = answer->size_ret = bytes;
	return answer->value ? CL_SUCCESS : CL_OUT_OF_HOST_MEMORY;
}

static int32_t answer_get(struct pl_serve *serve, const struct query *query, struct answer *answer)
{
	size_t bytes = 0;
	int32_t status = query_call(query, 0, NULL, &bytes);

	if (status || !bytes)
		return status;
	status = answer_room(serve, answer, bytes);
	if (status)
		return status;
	return query_call(query, bytes, answer->value, NULL);
}

/* Here `size` says how many numbers are asked for, so the driver is given the caller's own. */
static int32_t sub_group_get(const struct pl_cl_plInfo_args *args, const struct query *query, struct answer *answer)
{
	uint64_t room = args->size < SUB_GROUP_MAX ? args->size : SUB_GROUP_MAX;
	size_t bytes = 0;
	int32_t status;

	answer->value = calloc(1, room + 8);
	if (!answer->value)
		return CL_OUT_OF_HOST_MEMORY;
	status = query_call(query, room, args->has_value ? answer->value : NULL, &bytes);
	answer->size_ret = bytes;
	answer->bytes = !args->has_value ? 0 : bytes < room ? bytes : room;
	return status;
}

static int32_t answer_text(struct pl_serve *serve, struct answer *answer, const char *text)
{
	answer_fini(serve, answer);
	*answer = (struct answer){ 0 };
	if (answer_room(serve, answer, strlen(text) + 1))
		return CL_OUT_OF_HOST_MEMORY;
	memcpy(answer->value, text, strlen(text) + 1);
	return CL_SUCCESS;
}

/* The build log with the client's own paths: what stands for its root folder becomes "/". */
static void log_restore(struct answer *answer, const char *strip)
{
	size_t length = strlen(strip);
	char *from = (char *)answer->value, *to = from;

	if (!length)
		return;
	while (*from) {
		if (!strncmp(from, strip, length)) {
			*to++ = '/';
			from += length;
		} else {
			*to++ = *from++;
		}
	}
	*to = '\0';
	answer->bytes = answer->size_ret = (uint64_t)(to - (char *)answer->value) + 1;
}

/* The options without ours, which stands in front. */
static void options_restore(struct answer *answer)
{
	uint64_t length = strlen(PL_CL_PARAMS_OPTION);

	if (!answer->value || strncmp((char *)answer->value, PL_CL_PARAMS_OPTION, length))
		return;
	length += answer->value[length] == ' ';
	answer->bytes -= length; /* its NUL stays */
	answer->size_ret = answer->bytes;
	memmove(answer->value, answer->value + length, answer->bytes);
}

/* ---- plInfo ---- */

static void answer_send(struct pl_serve *serve, int32_t status, struct answer *answer)
{
	if (status)
		answer->bytes = 0;
	pl_cl_reply_bytes(serve, status, &answer->size_ret, 1, answer->value, answer->bytes);
	answer_fini(serve, answer);
}

/* Of a command that could not be enqueued. */
static void event_failed(struct pl_serve *serve, const struct query *query, cl_int code)
{
	struct answer answer = { 0 };
	int32_t status = code;

	if (query->info == PL_CL_INFO_event && query->param == CL_EVENT_COMMAND_EXECUTION_STATUS) {
		status = answer_room(serve, &answer, sizeof(code));
		if (!status)
			memcpy(answer.value, &code, sizeof(code));
	} else if (query->info == PL_CL_INFO_profiling) {
		status = CL_PROFILING_INFO_NOT_AVAILABLE;
	}
	answer_send(serve, status, &answer);
}

/* A status that says "ended" comes after what the command made. */
static void event_info(struct pl_serve *serve, const struct query *query)
{
	struct answer answer = { 0 };
	int32_t status;

	if (query->object)
		pl_cl.clRetainEvent(query->object);
	if (query->info == PL_CL_INFO_event && handle_of(query->info, query->param)) {
		status = answer_get(serve, query, &answer);
		if (!status)
			handles_translate(serve, handle_of(query->info, query->param), &answer);
	} else {
		pl_serve_give_turn(serve);
		status = answer_get(serve, query, &answer);
		pl_cl_sync(pl_cl_session_of(serve));
	}
	if (query->object)
		pl_cl.clReleaseEvent(query->object);
	answer_send(serve, status, &answer);
}

/* A program may be under construction on another lane: the driver makes this query wait for it. */
static void program_info(struct pl_serve *serve, const struct query *query, const struct pl_cl_program_note *note)
{
	pl_cleanup(pl_freep) char *options = NULL;
	pl_cleanup(pl_freep) char *strip = NULL;
	struct answer answer = { 0 };
	bool hides = false;
	int32_t status;

	if (query->info == PL_CL_INFO_build && note) {
		pthread_mutex_lock(&pl_cl_programs_lock);
		options = note->options ? strdup(note->options) : NULL;
		strip = note->strip ? strdup(note->strip) : NULL;
		hides = note->from_source && note->hides_params;
		pthread_mutex_unlock(&pl_cl_programs_lock);
	}
	if (handle_of(query->info, query->param)) {
		status = answer_get(serve, query, &answer);
		if (!status)
			handles_translate(serve, handle_of(query->info, query->param), &answer);
		answer_send(serve, status, &answer);
		return;
	}
	if (query->object)
		pl_cl.clRetainProgram(query->object);
	pl_serve_give_turn(serve);
	status = answer_get(serve, query, &answer);
	if (query->object)
		pl_cl.clReleaseProgram(query->object);
	if (!status && options && query->param == CL_PROGRAM_BUILD_OPTIONS)
		status = answer_text(serve, &answer, options);
	else if (!status && hides && query->param == CL_PROGRAM_BUILD_OPTIONS)
		options_restore(&answer);
	if (!status && strip && answer.value && query->param == CL_PROGRAM_BUILD_LOG)
		log_restore(&answer, strip);
	answer_send(serve, status, &answer);
}

static void other_info(struct pl_serve *serve, const struct pl_cl_plInfo_args *args, const struct query *query,
		       const void *note)
{
	struct answer answer = { 0 };
	int32_t status;

	if (query->info == PL_CL_INFO_kernel_sub_group)
		status = sub_group_get(args, query, &answer);
	else
		status = answer_get(serve, query, &answer);
	if (!status && handle_of(query->info, query->param))
		handles_translate(serve, handle_of(query->info, query->param), &answer);
	if (!status && query->info == PL_CL_INFO_kernel_arg && note &&
	    ((const struct pl_cl_kernel_note *)note)->hides_params && !pl_cl_params_described(query->object))
		status = CL_KERNEL_ARG_INFO_NOT_AVAILABLE;
	answer_send(serve, status, &answer);
}

void pl_cl_serve_plInfo(struct pl_serve *serve, const struct pl_cl_plInfo_args *args)
{
	struct query query = { .function = args->function,
			       .info = info_of(args->function),
			       .param = args->param,
			       .index = args->index,
			       .input = args->input };
	struct answer none = { 0 };
	struct pl_handle handle;
	int32_t status = CL_SUCCESS;
	void *note;

	if (!query.info) {
		pl_serve_refuse(serve, CL_INVALID_VALUE);
		return;
	}
	if (pl_cl_info_object(query.info) == PL_CL_KIND_event &&
	    pl_handles_get(&serve->session->handles, args->object, PL_CL_KIND_event, &handle) && handle.failed) {
		event_failed(serve, &query, handle.failed);
		return;
	}
	if (!pl_cl_take_note(serve, args->object, pl_cl_info_object(query.info), &query.object, &note, &status) ||
	    !pl_cl_take(serve, args->second, PL_CL_KIND_device, &query.second, &status))
		answer_send(serve, status, &none);
	else if (query.object && is_secret(query.info, query.param))
		answer_send(serve, CL_INVALID_OPERATION, &none);
	else if (query.info == PL_CL_INFO_event || query.info == PL_CL_INFO_profiling)
		event_info(serve, &query);
	else if (query.info == PL_CL_INFO_program || query.info == PL_CL_INFO_build)
		program_info(serve, &query, note);
	else
		other_info(serve, args, &query, note);
}

/* ---- plDeviceSnapshot ---- */

struct snapshot {
	uint8_t *at;
	uint64_t bytes, room;
};

/* Return: there was memory for it. */
static bool snapshot_add(struct snapshot *snapshot, uint32_t param, const void *value, uint32_t bytes)
{
	uint64_t more = 8 + PL_WIRE_PAD(bytes);

	if (snapshot->bytes + more > snapshot->room) {
		uint64_t room = (snapshot->room + more) * 2;
		uint8_t *larger = realloc(snapshot->at, room);

		if (!larger)
			return false;
		snapshot->at = larger;
		snapshot->room = room;
	}
	memset(snapshot->at + snapshot->bytes, 0, more);
	memcpy(snapshot->at + snapshot->bytes, &param, 4);
	memcpy(snapshot->at + snapshot->bytes + 4, &bytes, 4);
	memcpy(snapshot->at + snapshot->bytes + 8, value, bytes);
	snapshot->bytes += more;
	return true;
}

static int32_t snapshot_take(struct pl_serve *serve, struct query *query, struct snapshot *snapshot)
{
	for (uint32_t param = PARAM_DEVICE_FIRST; param <= PARAM_DEVICE_LAST; param++) {
		struct answer answer = { 0 };
		bool good = true;

		query->param = param;
		if (pl_cl_info_rule(PL_CL_INFO_device, param).how == PL_CL_INFO_REFS)
			continue;
		if (!answer_get(serve, query, &answer) && answer.bytes <= SNAPSHOT_EACH_MAX) {
			uint64_t nothing = 0;

			if (handle_of(PL_CL_INFO_device, param))
				handles_translate(serve, handle_of(PL_CL_INFO_device, param), &answer);
			/* an empty list is an answer too */
			good = snapshot_add(snapshot, param, answer.value ? answer.value : (uint8_t *)&nothing,
					    (uint32_t)answer.bytes);
		}
		answer_fini(serve, &answer);
		if (!good)
			return CL_OUT_OF_HOST_MEMORY;
	}
	return CL_SUCCESS;
}

void pl_cl_serve_plDeviceSnapshot(struct pl_serve *serve, const struct pl_cl_plDeviceSnapshot_args *args)
{
	struct query query = { .function = PL_CL_OP_clGetDeviceInfo, .info = PL_CL_INFO_device };
	struct snapshot snapshot = { 0 };
	int32_t status = CL_SUCCESS;

	if (pl_cl_take(serve, args->device, PL_CL_KIND_device, &query.object, &status))
		status = query.object ? snapshot_take(serve, &query, &snapshot) : CL_INVALID_DEVICE;
	pl_cl_reply_bytes(serve, status, NULL, 0, snapshot.at, status ? 0 : snapshot.bytes);
	free(snapshot.at);
}
