/* Made by codegen/plgen.py from small.api; do not edit. */
#include "opencl-serve.h"

#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "wire/opencl.h"

struct pl_cl_driver pl_cl;

static_assert(sizeof(size_t) == 8, "origins and regions are passed to the driver as they came");

/* Lists of up to this many handles need no allocation. */
#define LIST_FEW 16

struct list {
	void **at;
	cl_uint count;
	void *few[LIST_FEW];
};

static inline void list_fini(struct list *list)
{
	if (list->at != list->few)
		free(list->at);
}

/* The driver's handles of a list of ids, without the events that ended before the server knew of them. */
static bool list_take(struct list *list, struct pl_serve *serve, struct pl_u64s ids,
		      enum pl_cl_object_kind kind, int32_t *status_out)
{
	if (ids.count > LIST_FEW) {
		list->at = malloc(ids.count * sizeof(*list->at));
		if (!list->at) {
			list->at = list->few;
			*status_out = CL_OUT_OF_HOST_MEMORY;
			return false;
		}
	}
	for (uint64_t i = 0; i < ids.count; i++) {
		struct pl_u64s one = { &ids.at[i], 1 };

		if (kind == PL_CL_KIND_event && ids.at[i] == PL_CL_EVENT_DONE)
			continue;
		if (!pl_cl_take_list(serve, one, kind, &list->at[list->count], status_out))
			return false;
		list->count++;
	}
	return true;
}

/* What the driver is told: a list that had only ended events is like none. */
static inline void *list_given(struct list *list, bool given, struct pl_u64s ids)
{
	return given && (list->count || !ids.count) ? list->at : NULL;
}

static inline cl_uint list_count(const struct list *list, struct pl_u64s ids, cl_uint said)
{
	return ids.count ? list->count : said;
}

/* A peer may send another number of elements than it says to the driver. */
static inline bool length_fits(bool given, uint64_t sent, uint64_t said)
{
	return sent == (given ? said : 0);
}

/* A pointer that the application gave is not NULL for the driver either, even where it pointed at nothing. */
static inline const void *pointer_given(bool given, const void *at)
{
	return !given ? NULL : at ? at : "";
}

/* One lane is one thread, and has one call at a time. */
static _Thread_local bool charge_kept;

void pl_cl_charge_keep(void)
{
	charge_kept = true;
}

static void serve_clGetPlatformIDs(struct pl_serve *serve)
{
	struct pl_cl_clGetPlatformIDs_args a;

	pl_cl_clGetPlatformIDs_get(&serve->dec, &a);
	if (!pl_dec_whole(&serve->dec)) {
		pl_serve_refuse(serve, CL_INVALID_VALUE);
		return;
	}
	pl_cl_serve_clGetPlatformIDs(serve, &a);
}

static void serve_clCreateBuffer(struct pl_serve *serve)
{
	struct pl_cl_clCreateBuffer_args a;

	pl_cl_clCreateBuffer_get(&serve->dec, &a);
	if (!pl_dec_whole(&serve->dec)) {
		pl_serve_refuse(serve, CL_INVALID_VALUE);
		return;
	}
	if (!pl_quota_charge(&serve->session->quota, PL_QUOTA_MEMORY, a.size)) {
		int32_t status = CL_MEM_OBJECT_ALLOCATION_FAILURE;

		if (a.mem && !serve->asked)
			pl_cl_put(serve, a.mem, PL_CL_KIND_mem, NULL, status);
		pl_cl_result(serve, status, a.queue);
		return;
	}
	if (!pl_quota_charge(&serve->session->quota, PL_QUOTA_HOST, a.data.bytes)) {
		int32_t status = CL_OUT_OF_RESOURCES;

		pl_quota_return(&serve->session->quota, PL_QUOTA_MEMORY, a.size);
		if (a.mem && !serve->asked)
			pl_cl_put(serve, a.mem, PL_CL_KIND_mem, NULL, status);
		pl_cl_result(serve, status, a.queue);
		return;
	}
	charge_kept = false;
	pl_cl_serve_clCreateBuffer(serve, &a);
	if (!charge_kept)
		pl_quota_return(&serve->session->quota, PL_QUOTA_HOST, a.data.bytes);
}

static void serve_clEnqueueReadBuffer(struct pl_serve *serve)
{
	struct pl_cl_clEnqueueReadBuffer_args a;

	pl_cl_clEnqueueReadBuffer_get(&serve->dec, &a);
	if (!pl_dec_whole(&serve->dec)) {
		pl_serve_refuse(serve, CL_INVALID_VALUE);
		return;
	}
	if (!pl_quota_charge(&serve->session->quota, PL_QUOTA_INFLIGHT, a.size)) {
		int32_t status = CL_OUT_OF_RESOURCES;

		pl_cl_result(serve, status, a.queue);
		return;
	}
	charge_kept = false;
	pl_cl_serve_clEnqueueReadBuffer(serve, &a);
	if (!charge_kept)
		pl_quota_return(&serve->session->quota, PL_QUOTA_INFLIGHT, a.size);
}

static void serve_clEnqueueFillBuffer(struct pl_serve *serve)
{
	struct pl_cl_clEnqueueFillBuffer_args a;
	void *queue = NULL, *buffer = NULL;
	pl_cleanup(list_fini) struct list waits;
	cl_event event = NULL;
	int32_t status = CL_INVALID_OPERATION; /* the driver lacks the function */

	waits.at = waits.few;
	waits.count = 0;
	pl_cl_clEnqueueFillBuffer_get(&serve->dec, &a);
	if (!pl_dec_whole(&serve->dec) ||
	    !length_fits(a.given & 1u << 0, a.pattern.bytes, a.pattern_size) ||
	    !length_fits(a.given & 1u << 1, a.waits.count, a.num_waits)) {
		pl_serve_refuse(serve, CL_INVALID_VALUE);
		return;
	}
	if (pl_cl.clEnqueueFillBuffer &&
	    pl_cl_take(serve, a.queue, PL_CL_KIND_queue, &queue, &status) &&
	    pl_cl_take(serve, a.buffer, PL_CL_KIND_mem, &buffer, &status) &&
	    list_take(&waits, serve, a.waits, PL_CL_KIND_event, &status))
		status = pl_cl.clEnqueueFillBuffer(queue, buffer,
						   pointer_given(a.given & 1u << 0, a.pattern.at),
						   a.pattern_size, a.offset, a.size,
						   list_count(&waits, a.waits, a.num_waits),
						   list_given(&waits, a.given & 1u << 1, a.waits),
						   a.event ? &event : NULL);
	if (a.event && (!serve->asked || !status))
		pl_cl_put_event(serve, a.event, event, status);
	pl_cl_result(serve, status, a.queue);
}

static void serve_clEnqueueFillImage(struct pl_serve *serve)
{
	struct pl_cl_clEnqueueFillImage_args a;
	void *queue = NULL, *image = NULL;
	pl_cleanup(list_fini) struct list waits;
	cl_event event = NULL;
	int32_t status = CL_INVALID_OPERATION; /* the driver lacks the function */

	waits.at = waits.few;
	waits.count = 0;
	pl_cl_clEnqueueFillImage_get(&serve->dec, &a);
	if (!pl_dec_whole(&serve->dec) ||
	    !length_fits(a.given & 1u << 0, a.fill_color.bytes, 16) ||
	    !length_fits(a.given & 1u << 3, a.waits.count, a.num_waits)) {
		pl_serve_refuse(serve, CL_INVALID_VALUE);
		return;
	}
	if (pl_cl.clEnqueueFillImage &&
	    pl_cl_take(serve, a.queue, PL_CL_KIND_queue, &queue, &status) &&
	    pl_cl_take(serve, a.image, PL_CL_KIND_mem, &image, &status) &&
	    list_take(&waits, serve, a.waits, PL_CL_KIND_event, &status))
		status = pl_cl.clEnqueueFillImage(
			queue, image, pointer_given(a.given & 1u << 0, a.fill_color.at),
			a.given & 1u << 1 ? (const size_t *)a.origin : NULL,
			a.given & 1u << 2 ? (const size_t *)a.region : NULL,
			list_count(&waits, a.waits, a.num_waits),
			list_given(&waits, a.given & 1u << 3, a.waits), a.event ? &event : NULL);
	if (a.event && (!serve->asked || !status))
		pl_cl_put_event(serve, a.event, event, status);
	pl_cl_result(serve, status, a.queue);
}

static void serve_clEnqueueWaitForEvents(struct pl_serve *serve)
{
	struct pl_cl_clEnqueueWaitForEvents_args a;

	pl_cl_clEnqueueWaitForEvents_get(&serve->dec, &a);
	if (!pl_dec_whole(&serve->dec) ||
	    !length_fits(a.given & 1u << 0, a.events.count, a.num_events)) {
		pl_serve_refuse(serve, CL_INVALID_VALUE);
		return;
	}
	pl_cl_serve_clEnqueueWaitForEvents(serve, &a);
}

static void serve_clSetDefaultDeviceCommandQueue(struct pl_serve *serve)
{
	struct pl_cl_clSetDefaultDeviceCommandQueue_args a;
	void *context = NULL, *device = NULL, *queue = NULL;
	int32_t status = CL_INVALID_OPERATION; /* the driver lacks the function */

	pl_cl_clSetDefaultDeviceCommandQueue_get(&serve->dec, &a);
	if (!pl_dec_whole(&serve->dec)) {
		pl_serve_refuse(serve, CL_INVALID_VALUE);
		return;
	}
	if (pl_cl.clSetDefaultDeviceCommandQueue &&
	    pl_cl_take(serve, a.context, PL_CL_KIND_context, &context, &status) &&
	    pl_cl_take(serve, a.device, PL_CL_KIND_device, &device, &status) &&
	    pl_cl_take(serve, a.queue, PL_CL_KIND_queue, &queue, &status))
		status = pl_cl.clSetDefaultDeviceCommandQueue(context, device, queue);
	pl_cl_result(serve, status, a.queue);
}

static void serve_plRelease(struct pl_serve *serve)
{
	struct pl_cl_plRelease_args a;

	pl_cl_plRelease_get(&serve->dec, &a);
	if (!pl_dec_whole(&serve->dec)) {
		pl_serve_refuse(serve, CL_INVALID_VALUE);
		return;
	}
	pl_cl_serve_plRelease(serve, &a);
}

static void serve_plInfo(struct pl_serve *serve)
{
	struct pl_cl_plInfo_args a;

	pl_cl_plInfo_get(&serve->dec, &a);
	if (!pl_dec_whole(&serve->dec)) {
		pl_serve_refuse(serve, CL_INVALID_VALUE);
		return;
	}
	pl_cl_serve_plInfo(serve, &a);
}

static void (*const calls[PL_CL_OP_COUNT])(struct pl_serve *serve) = {
	[PL_CL_OP_clGetPlatformIDs] = serve_clGetPlatformIDs,
	[PL_CL_OP_clCreateBuffer] = serve_clCreateBuffer,
	[PL_CL_OP_clEnqueueReadBuffer] = serve_clEnqueueReadBuffer,
	[PL_CL_OP_clEnqueueFillBuffer] = serve_clEnqueueFillBuffer,
	[PL_CL_OP_clEnqueueFillImage] = serve_clEnqueueFillImage,
	[PL_CL_OP_clEnqueueWaitForEvents] = serve_clEnqueueWaitForEvents,
	[PL_CL_OP_clCreateImage2D] = serve_clCreateBuffer,
	[PL_CL_OP_clSetDefaultDeviceCommandQueue] = serve_clSetDefaultDeviceCommandQueue,
	[PL_CL_OP_plRelease] = serve_plRelease,
	[PL_CL_OP_plInfo] = serve_plInfo,
};

void pl_cl_serve_call(struct pl_serve *serve)
{
	uint16_t op = serve->head->op;

	if (op >= PL_CL_OP_COUNT || !calls[op]) {
		pl_serve_refuse(serve, CL_INVALID_OPERATION);
		return;
	}
	calls[op](serve);
}

#define FUNCTION(name, needed) { #name, offsetof(struct pl_cl_driver, name), needed }
static const struct {
	const char *name;
	size_t offset;
	bool needed;
} functions[] = {
	FUNCTION(clGetPlatformIDs, true),
	FUNCTION(clGetCommandQueueInfo, true),
	FUNCTION(clRetainMemObject, true),
	FUNCTION(clReleaseMemObject, true),
	FUNCTION(clCreateBuffer, true),
	FUNCTION(clEnqueueReadBuffer, true),
	FUNCTION(clEnqueueFillBuffer, true),
	FUNCTION(clEnqueueFillImage, true),
	FUNCTION(clEnqueueWaitForEvents, true),
	FUNCTION(clCreateImage2D, true),
	FUNCTION(clSetDefaultDeviceCommandQueue, false),
	FUNCTION(clGetExtensionFunctionAddress, false),
	FUNCTION(clCreateCommandQueueWithPropertiesKHR, false),
};

int pl_cl_driver_load(struct pl_cl_driver *driver, void *dl)
{
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		void *at = dlsym(dl, functions[i].name);

		if (!at && functions[i].needed)
			return pl_err(-ENOENT);
		memcpy((char *)driver + functions[i].offset, &at, sizeof(at));
	}
	return 0;
}
