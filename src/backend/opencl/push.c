#include "backend/opencl/push.h"

#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/err.h"

#define NOTIFY_TEXT_MAX    4096u /* bytes of an error text that are passed on */
#define NOTIFY_PRIVATE_MAX 4096u

struct notify {
	struct pl_cl_job job;
	uint64_t context;
	uint64_t private_bytes;
	uint8_t private_info[NOTIFY_PRIVATE_MAX];
	char text[NOTIFY_TEXT_MAX];
};

/* ---- the thread ---- */

static void *push_run(void *arg)
{
	struct pl_cl_session *session = arg;
	struct pl_cl_push *push = &session->push;

	prctl(PR_SET_NAME, "plenum-push");
	for (;;) {
		struct pl_cl_job *job;

		pthread_mutex_lock(&push->lock);
		while (!push->first)
			pthread_cond_wait(&push->more, &push->lock);
		job = push->first;
		push->first = NULL;
		push->last = &push->first;
		pthread_mutex_unlock(&push->lock);
		while (job) {
			struct pl_cl_job *next = job->next;

			job->run(session, job);
			job = next;
		}
	}
	return NULL;
}

int pl_cl_push_start(struct pl_cl_session *session)
{
	struct pl_cl_push *push = &session->push;
	pthread_attr_t attr;
	pthread_t thread;
	int r;

	pthread_mutex_init(&push->lock, NULL);
	pthread_cond_init(&push->more, NULL);
	push->last = &push->first;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	r = pthread_create(&thread, &attr, push_run, session);
	pthread_attr_destroy(&attr);
	return r ? pl_err(-r) : 0;
}

void pl_cl_push_job(struct pl_cl_session *session, struct pl_cl_job *job)
{
	struct pl_cl_push *push = &session->push;
	bool wake;

	job->next = NULL;
	pthread_mutex_lock(&push->lock);
	wake = !push->first;
	*push->last = job;
	push->last = &job->next;
	pthread_mutex_unlock(&push->lock);
	if (wake)
		pthread_cond_signal(&push->more);
}

void *pl_cl_job_new(struct pl_cl_session *session, size_t bytes,
		    void (*run)(struct pl_cl_session *, struct pl_cl_job *))
{
	struct pl_cl_job *job;

	if (!pl_quota_charge(pl_cl_quota(session), PL_QUOTA_OBJECTS, 1))
		return NULL;
	job = calloc(1, bytes);
	if (!job) {
		pl_quota_return(pl_cl_quota(session), PL_QUOTA_OBJECTS, 1);
		return NULL;
	}
	job->run = run;
	return job;
}

void pl_cl_job_free(struct pl_cl_session *session, void *job)
{
	if (!job)
		return;
	free(job);
	pl_quota_return(pl_cl_quota(session), PL_QUOTA_OBJECTS, 1);
}

/* ---- messages ---- */

/* SEND(plFoo, args, bulk, bytes): one record; the lane being gone ends the session elsewhere. */
#define SEND(message, args, bulk, bulk_bytes) \
	do { \
		struct pl_enc enc_; \
		if (!pl_reverse_begin(session->worker, PL_CL_OP_##message, pl_cl_##message##_bytes(args), bulk_bytes, \
				      &enc_)) { \
			pl_cl_##message##_put(&enc_, args); \
			pl_reverse_end(session->worker, bulk, bulk_bytes); \
		} \
	} while (0)

void pl_cl_send_event_status(struct pl_cl_session *session, uint64_t event, int32_t status, struct pl_u64s times)
{
	struct pl_cl_plEventStatus_args args = { .event = event, .status = status, .times = times };

	SEND(plEventStatus, &args, NULL, 0);
}

void pl_cl_send_event_reached(struct pl_cl_session *session, uint64_t token, int32_t status)
{
	struct pl_cl_plEventReached_args args = { .token = token, .status = status };

	SEND(plEventReached, &args, NULL, 0);
}

void pl_cl_send_read_done(struct pl_cl_session *session, uint64_t token, int32_t status, const void *data,
			  uint64_t bytes)
{
	struct pl_cl_plReadDone_args args = {
		.token = token,
		.status = status,
		.data = { .kind = bytes > PL_WIRE_INLINE_MAX ? PL_BULK_AFTER : PL_BULK_INLINE,
			  .data = data,
			  .bytes = bytes },
	};
	uint64_t after = args.data.kind == PL_BULK_AFTER ? bytes : 0;

	SEND(plReadDone, &args, data, after);
}

void pl_cl_send_print(struct pl_cl_session *session, const void *text, uint64_t bytes)
{
	struct pl_cl_plPrint_args args = { .text = { text, bytes } };

	SEND(plPrint, &args, NULL, 0);
}

void pl_cl_send_mem_gone(struct pl_cl_session *session, uint64_t mem)
{
	struct pl_cl_plMemGone_args args = { .mem = mem };

	SEND(plMemGone, &args, NULL, 0);
}

void pl_cl_send_svm_free(struct pl_cl_session *session, uint64_t token)
{
	struct pl_cl_plSVMFree_args args = { .token = token };

	SEND(plSVMFree, &args, NULL, 0);
}

void pl_cl_send_queue_idle(struct pl_cl_session *session, uint64_t queue)
{
	struct pl_cl_plQueueIdle_args args = { .queue = queue };

	SEND(plQueueIdle, &args, NULL, 0);
}

/* ---- context notifications: the driver decides when and how many ---- */

static void notify_run(struct pl_cl_session *session, struct pl_cl_job *job)
{
	struct notify *notify = (struct notify *)job;
	struct pl_cl_plContextNotify_args args = {
		.context = notify->context,
		.errinfo = notify->text,
		.private_info = { notify->private_info, notify->private_bytes },
	};

	SEND(plContextNotify, &args, NULL, 0);
	pthread_mutex_lock(&session->push.lock);
	session->push.notifies--;
	pthread_mutex_unlock(&session->push.lock);
	free(notify);
}

void CL_CALLBACK pl_cl_context_notify(const char *errinfo, const void *private_info, size_t private_bytes,
				      void *user_data)
{
	struct pl_cl_context_note *note = user_data;
	struct pl_cl_session *session;
	struct notify *notify;
	bool room;

	if (!note) { /* Oclgrind gives user_data back in the wrong place */
		pl_log_info("the driver says: %s", errinfo ? errinfo : "");
		return;
	}
	session = note->session;

	pthread_mutex_lock(&session->push.lock);
	room = session->push.notifies < PL_CL_NOTIFIES_MAX;
	if (room)
		session->push.notifies++;
	pthread_mutex_unlock(&session->push.lock);
	notify = room ? calloc(1, sizeof(*notify)) : NULL;
	if (!notify) {
		pl_log_info("a notification of a context is dropped: %s", errinfo ? errinfo : "");
		if (room) {
			pthread_mutex_lock(&session->push.lock);
			session->push.notifies--;
			pthread_mutex_unlock(&session->push.lock);
		}
		return;
	}
	notify->job.run = notify_run;
	notify->context = note->id;
	if (errinfo)
		strncpy(notify->text, errinfo, sizeof(notify->text) - 1);
	if (private_info && private_bytes <= sizeof(notify->private_info)) {
		memcpy(notify->private_info, private_info, private_bytes);
		notify->private_bytes = private_bytes;
	}
	pl_cl_push_job(session, &notify->job);
}
