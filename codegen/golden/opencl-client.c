/* Made by codegen/plgen.py from small.api; do not edit. */
#include "opencl-client.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "client/opencl/check.h"
#include "client/opencl/object.h"
#include "client/opencl/trace.h"
#include "client/session.h"

/* Lists of up to this many handles need no allocation; longer ones are rare. */
#define LIST_FEW 16

struct id_list {
	uint64_t *at;
	uint64_t few[LIST_FEW];
};

static inline void id_list_fini(struct id_list *list)
{
	if (list->at != list->few)
		free(list->at);
}

/* The ids of a caller's list.  *whole becomes false when one is none.  Return: CL_SUCCESS or why not. */
static inline cl_int id_list_take(struct id_list *list, const struct pl_session *session,
				  const void *handles, cl_uint count, cl_uint count_max,
				  enum pl_cl_object_kind kind, struct pl_u64s *ids_out, bool *whole)
{
	const void *const *objects = handles;

	if (!objects || !count)
		return CL_SUCCESS;
	if (count > count_max)
		return CL_OUT_OF_RESOURCES;
	if (count > LIST_FEW) {
		list->at = malloc(count * sizeof(*list->at));
		if (!list->at) {
			list->at = list->few;
			return CL_OUT_OF_HOST_MEMORY;
		}
	}
	for (cl_uint i = 0; i < count; i++) {
		list->at[i] = pl_cl_id_at(session, objects[i], kind);
		*whole &= list->at[i] != 0;
	}
	*ids_out = (struct pl_u64s){ list->at, count };
	return CL_SUCCESS;
}

/* Sends an encoded call: posted where it is plainly valid, else asked, so that the driver says what is wrong. */
static cl_int send_call(struct pl_call *call, bool plain)
{
	struct pl_reply reply;
	int r;

	if (plain) {
		r = pl_call_post(call);
		return r ? pl_cl_fault(r) : CL_SUCCESS;
	}
	r = pl_call_ask(call, &reply);
	return r ? pl_cl_fault(r) : reply.status;
}

/* The end of a command: the caller gets its event only where the command was taken. */
static inline void command_end(cl_command_queue queue, cl_int status, cl_event minted, cl_event *event_out)
{
	if (status == CL_SUCCESS)
		pl_cl_queue_posted(queue);
	if (!minted)
		return;
	if (status == CL_SUCCESS)
		pl_cl_event_give(minted, event_out);
	else
		pl_cl_event_drop(minted);
}

cl_int pl_cl_stub_clGetCommandQueueInfo(cl_command_queue command_queue,
					cl_command_queue_info param_name, size_t param_value_size,
					void *param_value, size_t *param_value_size_ret)
{
	return pl_cl_info(PL_CL_OP_clGetCommandQueueInfo, PL_CL_INFO_queue, command_queue, NULL, 0,
			  NULL, 0, param_name, param_value_size, param_value, param_value_size_ret);
}

cl_int pl_cl_stub_clRetainMemObject(cl_mem memobj)
{
	return pl_cl_retain(memobj, PL_CL_KIND_mem);
}

cl_int pl_cl_stub_clReleaseMemObject(cl_mem memobj)
{
	return pl_cl_release(memobj, PL_CL_KIND_mem);
}

cl_int pl_cl_stub_clEnqueueFillBuffer(cl_command_queue queue, cl_mem buffer, const void *pattern,
				      size_t pattern_size, size_t offset, size_t size,
				      cl_uint num_waits, const cl_event *waits, cl_event *event)
{
	struct pl_session *session = pl_cl_session(queue);
	struct pl_cl_clEnqueueFillBuffer_args a = { 0 };
	pl_cleanup(id_list_fini) struct id_list waits_ids;
	struct pl_call call;
	cl_event minted = NULL;
	bool plain, whole = true;
	cl_int status;
	int r;

	waits_ids.at = waits_ids.few;
	if (!session)
		return CL_INVALID_COMMAND_QUEUE;
	a.queue = pl_cl_id_at(session, queue, PL_CL_KIND_queue);
	a.buffer = pl_cl_id_at(session, buffer, PL_CL_KIND_mem);
	if (pattern) {
		a.given |= 1u << 0;
		if (pattern_size > PL_CL_LIMIT_PATTERN_MAX)
			return CL_INVALID_VALUE;
		a.pattern = (struct pl_bytes){ pattern, pattern_size };
	}
	a.pattern_size = pattern_size;
	a.offset = offset;
	a.size = size;
	a.num_waits = num_waits;
	if (waits)
		a.given |= 1u << 1;
	status = id_list_take(&waits_ids, session, waits, num_waits, PL_CL_LIMIT_WAITS_MAX,
			      PL_CL_KIND_event, &a.waits, &whole);
	if (status)
		return status;
	plain = a.queue && a.buffer && pattern && whole &&
		pl_cl_check_waits(queue, num_waits, waits) &&
		pl_cl_check_same_context(queue, buffer);
	if (event && a.queue) {
		minted = pl_cl_event_new(queue, PL_CL_OP_clEnqueueFillBuffer);
		if (!minted)
			return CL_OUT_OF_HOST_MEMORY;
		a.event = pl_cl_id(minted, PL_CL_KIND_event);
	}
	r = pl_call_begin(&call, session, PL_CL_OP_clEnqueueFillBuffer,
			  pl_cl_clEnqueueFillBuffer_bytes(&a));
	if (r) {
		status = pl_cl_fault(r);
	} else {
		pl_cl_clEnqueueFillBuffer_put(&call.enc, &a);
		status = send_call(&call, plain);
	}
	command_end(queue, status, minted, event);
	return status;
}

cl_int pl_cl_stub_clEnqueueFillImage(cl_command_queue queue, cl_mem image, const void *fill_color,
				     const size_t *origin, const size_t *region, cl_uint num_waits,
				     const cl_event *waits, cl_event *event)
{
	struct pl_session *session = pl_cl_session(queue);
	struct pl_cl_clEnqueueFillImage_args a = { 0 };
	pl_cleanup(id_list_fini) struct id_list waits_ids;
	struct pl_call call;
	cl_event minted = NULL;
	bool whole = true;
	cl_int status;
	int r;

	waits_ids.at = waits_ids.few;
	if (!session)
		return CL_INVALID_COMMAND_QUEUE;
	a.queue = pl_cl_id_at(session, queue, PL_CL_KIND_queue);
	a.image = pl_cl_id_at(session, image, PL_CL_KIND_mem);
	if (fill_color) {
		a.given |= 1u << 0;
		a.fill_color = (struct pl_bytes){ fill_color, 16 };
	}
	if (origin) {
		a.given |= 1u << 1;
		for (int i = 0; i < 3; i++)
			a.origin[i] = origin[i];
	}
	if (region) {
		a.given |= 1u << 2;
		for (int i = 0; i < 3; i++)
			a.region[i] = region[i];
	}
	a.num_waits = num_waits;
	if (waits)
		a.given |= 1u << 3;
	status = id_list_take(&waits_ids, session, waits, num_waits, PL_CL_LIMIT_WAITS_MAX,
			      PL_CL_KIND_event, &a.waits, &whole);
	if (status)
		return status;
	(void)whole; /* always asked */
	if (event && a.queue) {
		minted = pl_cl_event_new(queue, PL_CL_OP_clEnqueueFillImage);
		if (!minted)
			return CL_OUT_OF_HOST_MEMORY;
		a.event = pl_cl_id(minted, PL_CL_KIND_event);
	}
	r = pl_call_begin(&call, session, PL_CL_OP_clEnqueueFillImage,
			  pl_cl_clEnqueueFillImage_bytes(&a));
	if (r) {
		status = pl_cl_fault(r);
	} else {
		pl_cl_clEnqueueFillImage_put(&call.enc, &a);
		status = send_call(&call, false);
	}
	command_end(queue, status, minted, event);
	return status;
}

cl_int pl_cl_stub_clEnqueueWaitForEvents(cl_command_queue queue, cl_uint num_events,
					 const cl_event *events)
{
	struct pl_session *session = pl_cl_session(queue);
	struct pl_cl_clEnqueueWaitForEvents_args a = { 0 };
	pl_cleanup(id_list_fini) struct id_list events_ids;
	struct pl_call call;
	bool plain, whole = true;
	cl_int status;
	int r;

	events_ids.at = events_ids.few;
	if (!session)
		return CL_INVALID_COMMAND_QUEUE;
	a.queue = pl_cl_id_at(session, queue, PL_CL_KIND_queue);
	a.num_events = num_events;
	if (events)
		a.given |= 1u << 0;
	status = id_list_take(&events_ids, session, events, num_events, PL_CL_LIMIT_WAITS_MAX,
			      PL_CL_KIND_event, &a.events, &whole);
	if (status)
		return status;
	plain = a.queue && whole && pl_cl_check_waits(queue, num_events, events);
	r = pl_call_begin(&call, session, PL_CL_OP_clEnqueueWaitForEvents,
			  pl_cl_clEnqueueWaitForEvents_bytes(&a));
	if (r) {
		status = pl_cl_fault(r);
	} else {
		pl_cl_clEnqueueWaitForEvents_put(&call.enc, &a);
		status = send_call(&call, plain);
	}
	command_end(queue, status, NULL, NULL);
	return status;
}

cl_int pl_cl_stub_clSetDefaultDeviceCommandQueue(cl_context context, cl_device_id device,
						 cl_command_queue queue)
{
	struct pl_session *session = pl_cl_session(context);
	struct pl_cl_clSetDefaultDeviceCommandQueue_args a = { 0 };
	struct pl_call call;
	cl_int status;
	int r;

	if (!session)
		return CL_INVALID_CONTEXT;
	a.context = pl_cl_id_at(session, context, PL_CL_KIND_context);
	a.device = pl_cl_id_at(session, device, PL_CL_KIND_device);
	a.queue = pl_cl_id_at(session, queue, PL_CL_KIND_queue);
	r = pl_call_begin(&call, session, PL_CL_OP_clSetDefaultDeviceCommandQueue,
			  pl_cl_clSetDefaultDeviceCommandQueue_bytes(&a));
	if (r) {
		status = pl_cl_fault(r);
	} else {
		pl_cl_clSetDefaultDeviceCommandQueue_put(&call.enc, &a);
		status = send_call(&call, false);
	}
	return status;
}

/* ---- the same, traced ---- */

static cl_int traced_clGetPlatformIDs(cl_uint num_entries, cl_platform_id *platforms,
				      cl_uint *num_platforms)
{
	uint64_t begin = pl_cl_trace_begin();
	cl_int result = pl_cl_stub_clGetPlatformIDs(num_entries, platforms, num_platforms);

	pl_cl_trace_end(PL_CL_OP_clGetPlatformIDs, begin, result);
	return result;
}

static cl_int traced_clGetCommandQueueInfo(cl_command_queue command_queue,
					   cl_command_queue_info param_name,
					   size_t param_value_size, void *param_value,
					   size_t *param_value_size_ret)
{
	uint64_t begin = pl_cl_trace_begin();
	cl_int result = pl_cl_stub_clGetCommandQueueInfo(command_queue, param_name,
							 param_value_size, param_value,
							 param_value_size_ret);

	pl_cl_trace_end(PL_CL_OP_clGetCommandQueueInfo, begin, result);
	return result;
}

static cl_int traced_clRetainMemObject(cl_mem memobj)
{
	uint64_t begin = pl_cl_trace_begin();
	cl_int result = pl_cl_stub_clRetainMemObject(memobj);

	pl_cl_trace_end(PL_CL_OP_clRetainMemObject, begin, result);
	return result;
}

static cl_int traced_clReleaseMemObject(cl_mem memobj)
{
	uint64_t begin = pl_cl_trace_begin();
	cl_int result = pl_cl_stub_clReleaseMemObject(memobj);

	pl_cl_trace_end(PL_CL_OP_clReleaseMemObject, begin, result);
	return result;
}

static cl_mem traced_clCreateBuffer(cl_command_queue queue, cl_mem_flags flags, size_t size,
				    void *host_ptr, cl_int *errcode_ret)
{
	uint64_t begin = pl_cl_trace_begin();
	cl_mem result = pl_cl_stub_clCreateBuffer(queue, flags, size, host_ptr, errcode_ret);

	pl_cl_trace_end(PL_CL_OP_clCreateBuffer, begin,
			result ? CL_SUCCESS : errcode_ret ? *errcode_ret : -1);
	return result;
}

static cl_int traced_clEnqueueReadBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking,
					 size_t size, void *ptr)
{
	uint64_t begin = pl_cl_trace_begin();
	cl_int result = pl_cl_stub_clEnqueueReadBuffer(queue, buffer, blocking, size, ptr);

	pl_cl_trace_end(PL_CL_OP_clEnqueueReadBuffer, begin, result);
	return result;
}

static cl_int traced_clEnqueueFillBuffer(cl_command_queue queue, cl_mem buffer, const void *pattern,
					 size_t pattern_size, size_t offset, size_t size,
					 cl_uint num_waits, const cl_event *waits, cl_event *event)
{
	uint64_t begin = pl_cl_trace_begin();
	cl_int result = pl_cl_stub_clEnqueueFillBuffer(queue, buffer, pattern, pattern_size, offset,
						       size, num_waits, waits, event);

	pl_cl_trace_end(PL_CL_OP_clEnqueueFillBuffer, begin, result);
	return result;
}

static cl_int traced_clEnqueueFillImage(cl_command_queue queue, cl_mem image,
					const void *fill_color, const size_t *origin,
					const size_t *region, cl_uint num_waits,
					const cl_event *waits, cl_event *event)
{
	uint64_t begin = pl_cl_trace_begin();
	cl_int result = pl_cl_stub_clEnqueueFillImage(queue, image, fill_color, origin, region,
						      num_waits, waits, event);

	pl_cl_trace_end(PL_CL_OP_clEnqueueFillImage, begin, result);
	return result;
}

static cl_int traced_clEnqueueWaitForEvents(cl_command_queue queue, cl_uint num_events,
					    const cl_event *events)
{
	uint64_t begin = pl_cl_trace_begin();
	cl_int result = pl_cl_stub_clEnqueueWaitForEvents(queue, num_events, events);

	pl_cl_trace_end(PL_CL_OP_clEnqueueWaitForEvents, begin, result);
	return result;
}

static cl_mem traced_clCreateImage2D(cl_command_queue queue, cl_mem_flags flags,
				     cl_int *errcode_ret)
{
	uint64_t begin = pl_cl_trace_begin();
	cl_mem result = pl_cl_stub_clCreateImage2D(queue, flags, errcode_ret);

	pl_cl_trace_end(PL_CL_OP_clCreateImage2D, begin,
			result ? CL_SUCCESS : errcode_ret ? *errcode_ret : -1);
	return result;
}

static cl_int traced_clSetDefaultDeviceCommandQueue(cl_context context, cl_device_id device,
						    cl_command_queue queue)
{
	uint64_t begin = pl_cl_trace_begin();
	cl_int result = pl_cl_stub_clSetDefaultDeviceCommandQueue(context, device, queue);

	pl_cl_trace_end(PL_CL_OP_clSetDefaultDeviceCommandQueue, begin, result);
	return result;
}

static void *traced_clGetExtensionFunctionAddress(const char *func_name)
{
	uint64_t begin = pl_cl_trace_begin();
	void *result = pl_cl_stub_clGetExtensionFunctionAddress(func_name);

	pl_cl_trace_end(PL_CL_OP_clGetExtensionFunctionAddress, begin, result ? CL_SUCCESS : -1);
	return result;
}

static cl_command_queue traced_clCreateCommandQueueWithPropertiesKHR(
	cl_device_id device, const cl_queue_properties *properties, cl_int *errcode_ret)
{
	uint64_t begin = pl_cl_trace_begin();
	cl_command_queue result = pl_cl_stub_clCreateCommandQueueWithPropertiesKHR(device,
										   properties,
										   errcode_ret);

	pl_cl_trace_end(PL_CL_OP_clCreateCommandQueueWithPropertiesKHR, begin,
			result ? CL_SUCCESS : errcode_ret ? *errcode_ret : -1);
	return result;
}

/* ---- tables ---- */

/* The spec has the slots of the installed cl_icd.h, in its order, and no others. */
#define SLOT(n, function) \
	static_assert(offsetof(struct _cl_icd_dispatch, function) == (n) * sizeof(void *), "slot " #function)
SLOT(0, clGetPlatformIDs);
SLOT(1, clGetCommandQueueInfo);
SLOT(2, clRetainMemObject);
SLOT(3, clReleaseMemObject);
SLOT(4, clCreateBuffer);
SLOT(5, clEnqueueReadBuffer);
SLOT(6, clEnqueueFillBuffer);
SLOT(7, clEnqueueFillImage);
SLOT(8, clEnqueueWaitForEvents);
SLOT(9, clCreateImage2D);
SLOT(10, clCreateFromGLBuffer);
SLOT(11, clSetDefaultDeviceCommandQueue);
SLOT(12, clGetExtensionFunctionAddress);
static_assert(sizeof(struct _cl_icd_dispatch) == 13 * sizeof(void *), "slots missing");

const struct _cl_icd_dispatch pl_cl_dispatch_plain = {
	.clGetPlatformIDs = pl_cl_stub_clGetPlatformIDs,
	.clGetCommandQueueInfo = pl_cl_stub_clGetCommandQueueInfo,
	.clRetainMemObject = pl_cl_stub_clRetainMemObject,
	.clReleaseMemObject = pl_cl_stub_clReleaseMemObject,
	.clCreateBuffer = pl_cl_stub_clCreateBuffer,
	.clEnqueueReadBuffer = pl_cl_stub_clEnqueueReadBuffer,
	.clEnqueueFillBuffer = pl_cl_stub_clEnqueueFillBuffer,
	.clEnqueueFillImage = pl_cl_stub_clEnqueueFillImage,
	.clEnqueueWaitForEvents = pl_cl_stub_clEnqueueWaitForEvents,
	.clCreateImage2D = pl_cl_stub_clCreateImage2D,
	.clCreateFromGLBuffer = NULL,
	.clSetDefaultDeviceCommandQueue = pl_cl_stub_clSetDefaultDeviceCommandQueue,
	.clGetExtensionFunctionAddress = pl_cl_stub_clGetExtensionFunctionAddress,
};

const struct _cl_icd_dispatch pl_cl_dispatch_traced = {
	.clGetPlatformIDs = traced_clGetPlatformIDs,
	.clGetCommandQueueInfo = traced_clGetCommandQueueInfo,
	.clRetainMemObject = traced_clRetainMemObject,
	.clReleaseMemObject = traced_clReleaseMemObject,
	.clCreateBuffer = traced_clCreateBuffer,
	.clEnqueueReadBuffer = traced_clEnqueueReadBuffer,
	.clEnqueueFillBuffer = traced_clEnqueueFillBuffer,
	.clEnqueueFillImage = traced_clEnqueueFillImage,
	.clEnqueueWaitForEvents = traced_clEnqueueWaitForEvents,
	.clCreateImage2D = traced_clCreateImage2D,
	.clCreateFromGLBuffer = NULL,
	.clSetDefaultDeviceCommandQueue = traced_clSetDefaultDeviceCommandQueue,
	.clGetExtensionFunctionAddress = traced_clGetExtensionFunctionAddress,
};

#define FUNCTION(name) { #name, (void *)pl_cl_stub_##name, (void *)traced_##name }
static const struct {
	const char *name;
	void *plain, *traced;
} functions[] = {
	FUNCTION(clGetPlatformIDs),
	FUNCTION(clGetCommandQueueInfo),
	FUNCTION(clRetainMemObject),
	FUNCTION(clReleaseMemObject),
	FUNCTION(clCreateBuffer),
	FUNCTION(clEnqueueReadBuffer),
	FUNCTION(clEnqueueFillBuffer),
	FUNCTION(clEnqueueFillImage),
	FUNCTION(clEnqueueWaitForEvents),
	FUNCTION(clCreateImage2D),
	FUNCTION(clSetDefaultDeviceCommandQueue),
	FUNCTION(clGetExtensionFunctionAddress),
	FUNCTION(clCreateCommandQueueWithPropertiesKHR),
};

void *pl_cl_function_find(const char *name, bool traced)
{
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
		if (!strcmp(functions[i].name, name))
			return traced ? functions[i].traced : functions[i].plain;
	return NULL;
}
