/* The client's last reference to an object is gone. */
#include <stdlib.h>

#include "backend/opencl/event.h"
#include "backend/opencl/pinned.h"
#include "backend/opencl/program.h"
#include "backend/opencl/push.h"
#include "backend/opencl/resolve.h"
#include "base/err.h"

/* A queue on its way out: what was enqueued still runs. */
struct leaving {
	struct pl_cl_job job;
	struct pl_cl_session *session;
	cl_command_queue queue;
	cl_device_id device;
	uint64_t id;
};

/* The queue's device is kept for as long: not every driver's queue holds the sub-device that it works on. */
static cl_device_id device_keep(cl_command_queue queue)
{
	cl_device_id device = NULL;

	if (!pl_cl.clRetainDevice || !pl_cl.clReleaseDevice ||
	    pl_cl.clGetCommandQueueInfo(queue, CL_QUEUE_DEVICE, sizeof(device), &device, NULL) ||
	    pl_cl.clRetainDevice(device))
		return NULL;
	return device;
}

/* A driver's thread may still let go of a command that has ended, and of its queue, when all callbacks have run
 * (PoCL 3.1 does), and looks at the sub-device then.  So a reference to a device is given back only when so many others
 * were given back after it. */
#define LINGER_MAX 256u

static pthread_mutex_t linger_lock = PTHREAD_MUTEX_INITIALIZER;
static cl_device_id lingering[LINGER_MAX]; /* under linger_lock; a ring */
static uint32_t linger_next;

static void device_drop(cl_device_id device)
{
	cl_device_id old;

	pthread_mutex_lock(&linger_lock);
	old = lingering[linger_next];
	lingering[linger_next] = device;
	linger_next = (linger_next + 1) % LINGER_MAX;
	pthread_mutex_unlock(&linger_lock);
	if (old)
		pl_cl.clReleaseDevice(old);
}

void pl_cl_devices_let_go(void)
{
	for (uint32_t i = 0; i < LINGER_MAX; i++)
		device_drop(NULL);
}

static void queue_drop(cl_command_queue queue, cl_device_id device)
{
	pl_cl.clReleaseCommandQueue(queue); /* some drivers wait in here */
	if (device)
		device_drop(device);
}

static void queue_left(struct pl_cl_session *session, struct pl_cl_job *job)
{
	struct leaving *leaving = (struct leaving *)job;

	queue_drop(leaving->queue, leaving->device); /* it has nothing left to wait for */
	pl_cl_sync(session);
	pl_cl_send_queue_idle(session, leaving->id);
	pl_cl_job_free(session, leaving);
}

static void CL_CALLBACK queue_idle(cl_event event, cl_int status, void *user_data)
{
	struct leaving *leaving = user_data;

	(void)event;
	(void)status;
	pl_cl_push_job(leaving->session, &leaving->job);
}

static cl_int marker_set(cl_command_queue queue, struct leaving *leaving)
{
	cl_event event = NULL;
	cl_int r = pl_cl.clEnqueueMarkerWithWaitList ? pl_cl.clEnqueueMarkerWithWaitList(queue, 0, NULL, &event)
						     : pl_cl.clEnqueueMarker(queue, &event);

	if (r)
		return r;
	r = pl_cl.clSetEventCallback(event, CL_COMPLETE, queue_idle, leaving);
	pl_cl.clReleaseEvent(event);
	return r;
}

static void queue_release(struct pl_serve *serve, const struct pl_handle *handle)
{
	struct pl_cl_session *session = pl_cl_session_of(serve);
	struct leaving *leaving;
	cl_device_id device;
	cl_int r;

	pl_cl_queue_note_free(handle->extra);
	if (!handle->object)
		return;
	device = device_keep(handle->object);
	leaving = pl_cl_job_new(session, sizeof(*leaving), queue_left);
	pl_cl.clRetainCommandQueue(handle->object);
	if (leaving) {
		leaving->session = session;
		leaving->queue = handle->object;
		leaving->device = device_keep(handle->object);
		leaving->id = handle->id;
		r = marker_set(handle->object, leaving);
		pl_serve_give_turn(serve);
		if (r) {
			pl_cl.clFinish(handle->object);
			pl_cl_push_job(session, &leaving->job);
		} else {
			pl_cl.clFlush(handle->object);
		}
	} else {
		pl_serve_give_turn(serve);
		pl_cl.clFinish(handle->object);
		pl_cl.clReleaseCommandQueue(handle->object);
		pl_cl_send_queue_idle(session, handle->id);
	}
	queue_drop(handle->object, device);
}

static void program_note_free(struct pl_cl_session *session, struct pl_cl_program_note *note)
{
	if (!note)
		return;
	if (note->host_bytes)
		pl_quota_return(pl_cl_quota(session), PL_QUOTA_HOST, note->host_bytes);
	pthread_mutex_lock(&pl_cl_programs_lock);
	free(note->options);
	free(note->strip);
	free(note);
	pthread_mutex_unlock(&pl_cl_programs_lock);
}

static void note_free(struct pl_cl_session *session, const struct pl_handle *handle)
{
	struct pl_cl_context_note *context;
	struct pl_cl_kernel_note *kernel;

	switch (handle->kind) {
	case PL_CL_KIND_context:
		context = handle->extra;
		if (context && !context->notifies && !context->driver_frees)
			free(context);
		return;
	case PL_CL_KIND_program:
		program_note_free(session, handle->extra);
		return;
	case PL_CL_KIND_kernel:
		kernel = handle->extra;
		if (kernel)
			free(kernel->kinds);
		free(kernel);
		return;
	case PL_CL_KIND_event:
		pl_cl_event_note_free(handle->extra);
		return;
	default:
		return; /* a memory object's ends with it */
	}
}

void pl_cl_serve_plRelease(struct pl_serve *serve, const struct pl_cl_plRelease_args *args)
{
	struct pl_cl_session *session = pl_cl_session_of(serve);
	struct pl_handle handle;

	/* Platforms and root devices stay. */
	if (args->id & PL_CL_ID_ROOT && (args->kind == PL_CL_KIND_platform || args->kind == PL_CL_KIND_device)) {
		pl_serve_reply(serve, CL_SUCCESS);
		return;
	}
	if (!pl_handles_take(&serve->session->handles, args->id, args->kind, &handle)) {
		pl_serve_reply(serve, pl_cl_invalid(args->kind));
		return;
	}
	pl_quota_return(pl_cl_quota(session), PL_QUOTA_OBJECTS, 1);
	if (handle.kind == PL_CL_KIND_queue) {
		queue_release(serve, &handle);
	} else {
		/* Read before the driver may free it. */
		note_free(session, &handle);
		if (handle.kind == PL_CL_KIND_context || handle.kind == PL_CL_KIND_program ||
		    handle.kind == PL_CL_KIND_kernel)
			pl_serve_give_turn(serve); /* may take a while */
		if (handle.kind == PL_CL_KIND_context)
			pl_cl_pinned_forget(handle.object);
		if (handle.kind == PL_CL_KIND_device && pl_cl.clReleaseDevice)
			device_drop(handle.object);
		else
			pl_cl_driver_release(handle.kind, handle.object);
	}
	pl_serve_reply(serve, CL_SUCCESS);
}
