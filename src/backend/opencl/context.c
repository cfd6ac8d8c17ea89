#include "backend/opencl/context.h"

#include <stdlib.h>
#include <string.h>

#include "backend/opencl/later.h"
#include "backend/opencl/push.h"
#include "backend/opencl/resolve.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "wire/opencl.h"

#define ID_ROOT   (1ull << 62)
#define ID_DEVICE (1ull << 32)

static uint64_t platform_id(uint32_t platform)
{
	return ID_ROOT | platform;
}

static uint64_t device_id(uint32_t platform, uint32_t device)
{
	return ID_ROOT | ID_DEVICE | (uint64_t)platform << 16 | device;
}

/* ---- what the driver has ---- */

static int devices_init(struct pl_cl_platform *platform)
{
	cl_uint count = 0;

	if (pl_cl.clGetDeviceIDs(platform->platform, CL_DEVICE_TYPE_ALL, 0, NULL, &count) || !count)
		return 0;
	if (count > PL_CL_LIMIT_DEVICES_MAX)
		count = PL_CL_LIMIT_DEVICES_MAX;
	platform->devices = calloc(count, sizeof(*platform->devices));
	if (!platform->devices)
		return pl_err(-ENOMEM);
	if (pl_cl.clGetDeviceIDs(platform->platform, CL_DEVICE_TYPE_ALL, count, platform->devices, NULL))
		count = 0;
	platform->devices_count = count;
	for (cl_uint i = 0; i < count; i++) {
		char name[PL_CL_NAME_MAX] = "";
		pl_cl.clGetDeviceInfo(platform->devices[i], CL_DEVICE_NAME, sizeof(name) - 1, name, NULL);
		pl_log_debug("device %u: %s", i, name);
	}
	return 0;
}

int pl_cl_host_init(struct pl_cl_host *host)
{
	cl_platform_id platforms[PL_CL_PLATFORMS_MAX];
	cl_uint count = 0;

	if (pl_cl.clGetPlatformIDs(PL_CL_PLATFORMS_MAX, platforms, &count))
		count = 0; /* CL_PLATFORM_NOT_FOUND_KHR: a server without devices is one all the same */
	if (count > PL_CL_PLATFORMS_MAX)
		count = PL_CL_PLATFORMS_MAX;
	host->platforms_count = count;
	for (cl_uint i = 0; i < count; i++) {
		int r;

		host->platforms[i].platform = platforms[i];
		r = devices_init(&host->platforms[i]);
		if (r)
			return pl_trace(r);
	}
	return 0;
}

void pl_cl_host_try(const struct pl_cl_host *host)
{
	for (uint32_t i = 0; i < host->platforms_count; i++) {
		const struct pl_cl_platform *platform = &host->platforms[i];

		pl_cl_store_direct(platform->devices, platform->devices_count);
		for (uint32_t j = 0; j < platform->devices_count; j++)
			pl_cl_device_answers(platform->devices[j]);
	}
}

int pl_cl_host_enter(struct pl_cl_session *session)
{
	const struct pl_cl_host *host = session->host;
	struct pl_handles *handles = &session->worker->handles;
	int r = 0;

	for (uint32_t i = 0; i < host->platforms_count && !r; i++) {
		const struct pl_cl_platform *platform = &host->platforms[i];

		r = pl_handles_put(handles, platform_id(i), PL_CL_KIND_platform, platform->platform, 0, NULL);
		for (uint32_t j = 0; j < platform->devices_count && !r; j++)
			r = pl_handles_put(handles, device_id(i, j), PL_CL_KIND_device, platform->devices[j], 0, NULL);
	}
	return pl_trace(r);
}

/* ---- platforms and devices ---- */

void pl_cl_serve_clGetPlatformIDs(struct pl_serve *serve, const struct pl_cl_clGetPlatformIDs_args *args)
{
	const struct pl_cl_host *host = pl_cl_session_of(serve)->host;
	uint64_t ids[PL_CL_PLATFORMS_MAX];
	struct pl_cl_clGetPlatformIDs_reply reply = { .platforms = { ids, host->platforms_count } };

	(void)args;
	for (uint32_t i = 0; i < host->platforms_count; i++)
		ids[i] = platform_id(i);
	if (pl_serve_reply_begin(serve, CL_SUCCESS, pl_cl_clGetPlatformIDs_reply_bytes(&reply), 0))
		return;
	pl_cl_clGetPlatformIDs_reply_put(&serve->reply_enc, &reply);
	pl_serve_reply_end(serve);
}

void pl_cl_serve_clGetDeviceIDs(struct pl_serve *serve, const struct pl_cl_clGetDeviceIDs_args *args)
{
	cl_device_id devices[PL_CL_LIMIT_DEVICES_MAX];
	uint64_t ids[PL_CL_LIMIT_DEVICES_MAX];
	struct pl_cl_clGetDeviceIDs_reply reply = { .devices = { ids, 0 } };
	int32_t status = CL_SUCCESS;
	cl_uint count = 0;
	void *platform;

	if (pl_cl_take(serve, args->platform, PL_CL_KIND_platform, &platform, &status))
		status = pl_cl.clGetDeviceIDs(platform, args->device_type, PL_CL_LIMIT_DEVICES_MAX, devices, &count);
	if (count > PL_CL_LIMIT_DEVICES_MAX)
		count = PL_CL_LIMIT_DEVICES_MAX;
	for (cl_uint i = 0; i < count && !status; i++) {
		uint64_t id = pl_handles_find(&serve->session->handles, PL_CL_KIND_device, devices[i]);
		if (id)
			ids[reply.devices.count++] = id;
	}
	if (pl_serve_reply_begin(serve, status, pl_cl_clGetDeviceIDs_reply_bytes(&reply), 0))
		return;
	pl_cl_clGetDeviceIDs_reply_put(&serve->reply_enc, &reply);
	pl_serve_reply_end(serve);
}

/* Enters the sub-devices that the driver made, under the ids that the client chose. */
static int32_t sub_devices_enter(struct pl_serve *serve, struct pl_u64s ids, cl_device_id *devices, cl_uint count)
{
	int32_t status = CL_SUCCESS;

	for (cl_uint i = 0; i < count; i++) {
		if (status || i >= ids.count)
			pl_cl_driver_release(PL_CL_KIND_device, devices[i]);
		else
			status = pl_cl_enter(pl_cl_session_of(serve), ids.at[i], PL_CL_KIND_device, devices[i], NULL);
	}
	return status;
}

void pl_cl_serve_clCreateSubDevices(struct pl_serve *serve, const struct pl_cl_clCreateSubDevices_args *args)
{
	cl_device_id devices[PL_CL_LIMIT_DEVICES_MAX] = { 0 };
	uint64_t words[PL_CL_PROPERTIES_ROOM];
	const void *properties = pl_cl_properties(args->properties, words);
	struct pl_cl_clCreateSubDevices_reply reply = { 0 };
	int32_t status = CL_SUCCESS;
	cl_uint count = 0;
	void *device;

	if (!pl_cl.clCreateSubDevices)
		status = CL_INVALID_OPERATION;
	else if (pl_cl_take(serve, args->device, PL_CL_KIND_device, &device, &status))
		status = pl_cl.clCreateSubDevices(device, properties, (cl_uint)args->devices.count,
						  args->has_devices ? devices : NULL, &count);
	if (!status && args->has_devices)
		status = sub_devices_enter(serve, args->devices, devices,
					   count < args->devices.count ? count : (cl_uint)args->devices.count);
	reply.num_devices = count;
	if (pl_serve_reply_begin(serve, status, pl_cl_clCreateSubDevices_reply_bytes(&reply), 0))
		return;
	pl_cl_clCreateSubDevices_reply_put(&serve->reply_enc, &reply);
	pl_serve_reply_end(serve);
}

/* ---- contexts ---- */

uint32_t pl_cl_context_devices(cl_context context, cl_device_id **devices_out)
{
	size_t bytes = 0;
	cl_device_id *devices;

	*devices_out = NULL;
	if (pl_cl.clGetContextInfo(context, CL_CONTEXT_DEVICES, 0, NULL, &bytes) || !bytes)
		return 0;
	devices = calloc(1, bytes);
	if (!devices || pl_cl.clGetContextInfo(context, CL_CONTEXT_DEVICES, bytes, devices, NULL)) {
		free(devices);
		return 0;
	}
	*devices_out = devices;
	return (uint32_t)(bytes / sizeof(*devices));
}

bool pl_cl_context_direct(struct pl_cl_context_note *note, cl_context context)
{
	if (note->direct < 0) {
		pl_cleanup(pl_freep) cl_device_id *devices = NULL;
		uint32_t count = pl_cl_context_devices(context, &devices);

		note->direct = pl_cl_store_direct(devices, count);
	}
	return note->direct;
}

/* Property words with the driver's platform in them.  Keys whose values would be pointers never come through. */
static bool properties_translate(struct pl_serve *serve, uint64_t *words, int32_t *status)
{
	for (uint64_t *key = words; key && *key; key += 2) {
		void *platform;

		switch (*key) {
		case CL_CONTEXT_PLATFORM:
			if (!pl_cl_take(serve, key[1], PL_CL_KIND_platform, &platform, status))
				return false;
			key[1] = (uintptr_t)platform;
			break;
		case CL_CONTEXT_INTEROP_USER_SYNC:
			break;
		default:
			*status = CL_INVALID_PROPERTY;
			return false;
		}
	}
	return true;
}

static void CL_CALLBACK context_gone(cl_context context, void *user_data)
{
	(void)context;
	free(user_data);
}

/* A context that comes with an error stays in the driver for good, and stays charged. */
static cl_context context_made(const struct pl_cl_context_note *note, cl_context context, int32_t *status)
{
	if (note && (!context || !*status))
		pl_quota_return(pl_cl_quota(note->session), PL_QUOTA_OBJECTS, 1);
	return pl_cl_made(context, status);
}

/* The note of a context that asked for notifications outlives its table entry: the driver frees it where it can say
 * when. */
static struct pl_cl_context_note *context_note_new(struct pl_cl_session *session, uint64_t id)
{
	struct pl_cl_context_note *note;

	if (!pl_quota_charge(pl_cl_quota(session), PL_QUOTA_OBJECTS, 1)) /* given back by context_made() */
		return NULL;
	note = calloc(1, sizeof(*note));
	if (note)
		*note = (struct pl_cl_context_note){ .session = session, .id = id, .direct = -1 };
	else
		pl_quota_return(pl_cl_quota(session), PL_QUOTA_OBJECTS, 1);
	return note;
}

static uint64_t alloc_bytes_max(cl_context context)
{
	pl_cleanup(pl_freep) cl_device_id *devices = NULL;
	uint32_t count = pl_cl_context_devices(context, &devices);
	uint64_t most = 0;

	for (uint32_t i = 0; i < count; i++) {
		cl_ulong bytes = 0;

		if (!pl_cl.clGetDeviceInfo(devices[i], CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof(bytes), &bytes, NULL) &&
		    bytes > most)
			most = bytes;
	}
	return most;
}

/* Takes context and note over.  Return: CL_SUCCESS or a code. */
static int32_t context_enter(struct pl_cl_session *session, uint64_t id, cl_context context, bool notifies,
			     struct pl_cl_context_note *note)
{
	bool kept = notifies;
	int32_t status;

	note->alloc_bytes_max = alloc_bytes_max(context);
	note->notifies = notifies;
	if (pl_cl.clSetContextDestructorCallback)
		note->driver_frees = !pl_cl.clSetContextDestructorCallback(context, context_gone, note);
	kept |= note->driver_frees;
	status = pl_cl_enter(session, id, PL_CL_KIND_context, context, note);
	if (status && !kept)
		free(note);
	return status;
}

void pl_cl_serve_clCreateContext(struct pl_serve *serve, const struct pl_cl_clCreateContext_args *args)
{
	struct pl_cl_session *session = pl_cl_session_of(serve);
	struct pl_cl_context_note *note = NULL;
	struct pl_cl_list devices = { 0 };
	uint64_t words[PL_CL_PROPERTIES_ROOM];
	uint64_t *properties = pl_cl_properties(args->properties, words);
	cl_context context = NULL;
	int32_t status = CL_SUCCESS;

	if (properties_translate(serve, properties, &status) &&
	    pl_cl_list_take(serve, args->devices, PL_CL_KIND_device, &devices, &status)) {
		note = context_note_new(session, args->context);
		status = CL_OUT_OF_RESOURCES;
		if (note)
			context = pl_cl.clCreateContext((void *)properties, devices.count, (cl_device_id *)devices.at,
							args->notify & PL_CL_NOTIFY_FUNCTION ? pl_cl_context_notify
											     : NULL,
							args->notify ? note : NULL, &status);
		pl_cl_list_fini(&devices);
	}
	context = context_made(note, context, &status);
	if (context)
		status = context_enter(session, args->context, context, args->notify, note);
	else {
		free(note);
		pl_cl_put(serve, args->context, PL_CL_KIND_context, NULL, status);
	}
	pl_cl_result(serve, status, 0);
}

static uint64_t context_ids(struct pl_serve *serve, cl_context context, uint64_t *ids)
{
	pl_cleanup(pl_freep) cl_device_id *devices = NULL;
	uint32_t count = pl_cl_context_devices(context, &devices);
	uint64_t found = 0;

	for (uint32_t i = 0; i < count && found < PL_CL_LIMIT_DEVICES_MAX; i++) {
		ids[found] = pl_handles_find(&serve->session->handles, PL_CL_KIND_device, devices[i]);
		found += ids[found] != 0;
	}
	return found;
}

void pl_cl_serve_clCreateContextFromType(struct pl_serve *serve, const struct pl_cl_clCreateContextFromType_args *args)
{
	struct pl_cl_session *session = pl_cl_session_of(serve);
	uint64_t words[PL_CL_PROPERTIES_ROOM], ids[PL_CL_LIMIT_DEVICES_MAX];
	uint64_t *properties = pl_cl_properties(args->properties, words);
	struct pl_cl_clCreateContextFromType_reply reply = { .devices = { ids, 0 } };
	struct pl_cl_context_note *note = context_note_new(session, args->context);
	cl_context context = NULL;
	int32_t status = CL_OUT_OF_HOST_MEMORY;

	if (note && properties_translate(serve, properties, &status))
		context = pl_cl.clCreateContextFromType((void *)properties, args->device_type,
							args->notify & PL_CL_NOTIFY_FUNCTION ? pl_cl_context_notify
											     : NULL,
							args->notify ? note : NULL, &status);
	context = context_made(note, context, &status);
	if (context) {
		reply.devices.count = context_ids(serve, context, ids);
		status = context_enter(session, args->context, context, args->notify, note);
	} else {
		free(note);
		pl_cl_put(serve, args->context, PL_CL_KIND_context, NULL, status);
	}
	if (status)
		reply.devices.count = 0;
	if (pl_serve_reply_begin(serve, status, pl_cl_clCreateContextFromType_reply_bytes(&reply), 0))
		return;
	pl_cl_clCreateContextFromType_reply_put(&serve->reply_enc, &reply);
	pl_serve_reply_end(serve);
}

void pl_cl_serve_plContextStore(struct pl_serve *serve, const struct pl_cl_plContextStore_args *args)
{
	struct pl_cl_plContextStore_reply reply = { 0 };
	int32_t status = CL_SUCCESS;
	void *context, *note;

	if (pl_cl_take_note(serve, args->context, PL_CL_KIND_context, &context, &note, &status)) {
		if (note)
			reply.direct = pl_cl_context_direct(note, context);
		else
			status = CL_INVALID_CONTEXT;
	}
	if (pl_serve_reply_begin(serve, status, pl_cl_plContextStore_reply_bytes(&reply), 0))
		return;
	pl_cl_plContextStore_reply_put(&serve->reply_enc, &reply);
	pl_serve_reply_end(serve);
}

void pl_cl_serve_clUnloadPlatformCompiler(struct pl_serve *serve,
					  const struct pl_cl_clUnloadPlatformCompiler_args *args)
{
	int32_t status = CL_SUCCESS;
	void *platform;

	if (!pl_cl.clUnloadPlatformCompiler)
		status = CL_INVALID_OPERATION;
	else if (pl_cl_take(serve, args->platform, PL_CL_KIND_platform, &platform, &status))
		status = pl_cl.clUnloadPlatformCompiler(platform);
	pl_cl_result(serve, status, 0);
}

/* ---- timers ---- */

void pl_cl_serve_clGetDeviceAndHostTimer(struct pl_serve *serve, const struct pl_cl_clGetDeviceAndHostTimer_args *args)
{
	struct pl_cl_clGetDeviceAndHostTimer_reply reply = { 0 };
	int32_t status = CL_SUCCESS;
	cl_ulong device_time = 0, host_time = 0;
	void *device;

	if (!pl_cl.clGetDeviceAndHostTimer)
		status = CL_INVALID_OPERATION;
	else if (pl_cl_take(serve, args->device, PL_CL_KIND_device, &device, &status))
		status = pl_cl.clGetDeviceAndHostTimer(device, args->given & 1 ? &device_time : NULL,
						       args->given & 2 ? &host_time : NULL);
	reply.device_timestamp = device_time;
	reply.host_timestamp = host_time;
	if (pl_serve_reply_begin(serve, status, pl_cl_clGetDeviceAndHostTimer_reply_bytes(&reply), 0))
		return;
	pl_cl_clGetDeviceAndHostTimer_reply_put(&serve->reply_enc, &reply);
	pl_serve_reply_end(serve);
}

void pl_cl_serve_clGetHostTimer(struct pl_serve *serve, const struct pl_cl_clGetHostTimer_args *args)
{
	struct pl_cl_clGetHostTimer_reply reply = { 0 };
	int32_t status = CL_SUCCESS;
	cl_ulong host_time = 0;
	void *device;

	if (!pl_cl.clGetHostTimer)
		status = CL_INVALID_OPERATION;
	else if (pl_cl_take(serve, args->device, PL_CL_KIND_device, &device, &status))
		status = pl_cl.clGetHostTimer(device, args->given & 1 ? &host_time : NULL);
	reply.host_timestamp = host_time;
	if (pl_serve_reply_begin(serve, status, pl_cl_clGetHostTimer_reply_bytes(&reply), 0))
		return;
	pl_cl_clGetHostTimer_reply_put(&serve->reply_enc, &reply);
	pl_serve_reply_end(serve);
}
