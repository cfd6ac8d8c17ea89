#include "backend/opencl/later.h"

#include <semaphore.h>
#include <stdlib.h>

#include "backend/opencl/context.h"
#include "backend/opencl/event.h"
#include "backend/opencl/push.h"
#include "backend/opencl/resolve.h"
#include "base/err.h"

#define TRIAL_S   2u /* a callback that takes longer is as good as none */
#define TRIED_MAX 64u

struct later {
	struct pl_cl_job job; /* first; where something did not end well */
	struct pl_cl_session *session;
	struct pl_serve *serve;
	cl_command_queue queue; /* retained, to be finished; or NULL */
	uint32_t count;
	cl_event events[PL_CL_LATER_MAX]; /* retained */
	_Atomic uint32_t left;            /* callbacks that are to come */
	_Atomic bool failed;
};

/* ---- the trial ---- */

struct trial {
	_Atomic uint32_t refs;
	sem_t ended;
};

static pthread_mutex_t tried_lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	cl_device_id device;
	bool answers;
} tried[TRIED_MAX];
static uint32_t tried_count;

static void trial_unref(struct trial *trial)
{
	if (atomic_fetch_sub(&trial->refs, 1) != 1)
		return;
	sem_destroy(&trial->ended);
	free(trial);
}

static void CL_CALLBACK trial_ended(cl_event event, cl_int status, void *user_data)
{
	struct trial *trial = user_data;

	(void)event;
	if (status == CL_COMPLETE)
		sem_post(&trial->ended);
	trial_unref(trial);
}

/* A command whose end nobody waits for in the driver. */
static bool queue_try(cl_command_queue queue, struct trial *trial)
{
	struct timespec end;
	cl_event event;
	bool good;

	if (pl_cl.clEnqueueMarkerWithWaitList(queue, 0, NULL, &event))
		return false;
	atomic_fetch_add(&trial->refs, 1);
	good = !pl_cl.clSetEventCallback(event, CL_COMPLETE, trial_ended, trial);
	if (!good)
		trial_unref(trial);
	pl_cl.clFlush(queue);
	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += TRIAL_S;
	good = good && !sem_timedwait(&trial->ended, &end);
	pl_cl.clReleaseEvent(event);
	return good;
}

static bool device_try(cl_device_id device)
{
	struct trial *trial;
	cl_command_queue queue;
	cl_device_type type = 0;
	cl_context context;
	bool good = false;

	if (!pl_cl.clEnqueueMarkerWithWaitList || !pl_cl.clSetEventCallback ||
	    pl_cl.clGetDeviceInfo(device, CL_DEVICE_TYPE, sizeof(type), &type, NULL) || !(type & CL_DEVICE_TYPE_CPU))
		return false;
	context = pl_cl.clCreateContext(NULL, 1, &device, NULL, NULL, NULL);
	queue = context ? pl_cl.clCreateCommandQueue(context, device, 0, NULL) : NULL;
	trial = queue ? calloc(1, sizeof(*trial)) : NULL;
	if (trial) {
		atomic_init(&trial->refs, 1);
		sem_init(&trial->ended, 0, 0);
		good = queue_try(queue, trial);
		trial_unref(trial);
	}
	if (queue)
		pl_cl.clReleaseCommandQueue(queue);
	if (context)
		pl_cl.clReleaseContext(context);
	return good;
}

bool pl_cl_device_answers(cl_device_id device)
{
	bool answers = false, known = false;

	device = pl_cl_device_root(device);
	pthread_mutex_lock(&tried_lock);
	for (uint32_t i = 0; i < tried_count && !known; i++) {
		known = tried[i].device == device;
		answers = known && tried[i].answers;
	}
	if (!known && tried_count < TRIED_MAX) {
		answers = device_try(device);
		tried[tried_count].device = device;
		tried[tried_count++].answers = answers;
	}
	pthread_mutex_unlock(&tried_lock);
	return answers;
}

/* ---- answering ---- */

static void later_free(struct later *later)
{
	for (uint32_t i = 0; i < later->count; i++)
		pl_cl.clReleaseEvent(later->events[i]);
	if (later->queue)
		pl_cl.clReleaseCommandQueue(later->queue);
	pl_cl_job_free(later->session, later);
}

/* Some command failed: the driver has the code.  All have ended, so nothing waits here. */
static void later_run(struct pl_cl_session *session, struct pl_cl_job *job)
{
	struct later *later = (struct later *)job;
	cl_int status =
		later->queue ? pl_cl.clFinish(later->queue) : pl_cl.clWaitForEvents(later->count, later->events);

	pl_cl_sync(session);
	pl_serve_answer(later->serve, status);
	later_free(later);
}

static void CL_CALLBACK later_ended(cl_event event, cl_int status, void *user_data)
{
	struct later *later = user_data;

	(void)event;
	if (status != CL_COMPLETE)
		atomic_store(&later->failed, true);
	if (atomic_fetch_sub(&later->left, 1) != 1)
		return;
	if (atomic_load(&later->failed)) {
		pl_cl_push_job(later->session, &later->job);
		return;
	}
	pl_serve_answer(later->serve, CL_SUCCESS);
	later_free(later);
}

static struct later *later_new(struct pl_serve *serve, cl_command_queue queue, const cl_event *events, uint32_t count)
{
	struct pl_cl_session *session = pl_cl_session_of(serve);
	struct later *later = pl_cl_job_new(session, sizeof(*later), later_run);

	if (!later)
		return NULL;
	later->session = session;
	later->serve = serve;
	later->queue = queue;
	later->count = count;
	if (queue)
		pl_cl.clRetainCommandQueue(queue);
	for (uint32_t i = 0; i < count; i++) {
		later->events[i] = events[i];
		pl_cl.clRetainEvent(events[i]);
	}
	atomic_init(&later->left, count);
	return later;
}

bool pl_cl_later(struct pl_serve *serve, cl_command_queue queue, bool finish, const cl_event *events, uint32_t count)
{
	struct pl_cl_session *session = pl_cl_session_of(serve);
	struct later *later;

	if (!count || count > PL_CL_LATER_MAX || !pl_cl_sync_idle(session))
		return false;
	later = later_new(serve, finish ? queue : NULL, events, count);
	if (!later)
		return false;
	pl_cl.clFlush(queue);
	pl_serve_defer(serve);
	for (uint32_t i = 0; i < count; i++)
		if (pl_cl.clSetEventCallback(later->events[i], CL_COMPLETE, later_ended, later)) {
			/* the driver waits for it in later_run() */
			later_ended(later->events[i], CL_INVALID_EVENT, later);
		}
	return true;
}
