/*
 * What goes to the client on its own account.  A driver's callback must not block, and sending may: callbacks hand
 * prepared jobs to the pusher thread, which runs them one after the other and sends.
 */
#ifndef PL_BACKEND_OPENCL_PUSH_H
#define PL_BACKEND_OPENCL_PUSH_H

#include "backend/opencl/session.h"

#define PL_CL_NOTIFIES_MAX 256u /* limit: context notifications that wait to be sent; more are dropped */

/* Starts the session's pusher thread.  Return: 0 or fatal. */
int pl_cl_push_start(struct pl_cl_session *session);
/* Any thread; never blocks for long, never fails.  The job belongs to its run(). */
void pl_cl_push_job(struct pl_cl_session *session, struct pl_cl_job *job);

/** pl_cl_job_new() - memory of `bytes` (the job is its first member), charged as an object
 * Return: NULL when the limit is reached or memory is short.  Give it back with pl_cl_job_free(). */
void *pl_cl_job_new(struct pl_cl_session *session, size_t bytes,
		    void (*run)(struct pl_cl_session *, struct pl_cl_job *));
void pl_cl_job_free(struct pl_cl_session *session, void *job);

/* ---- messages, any thread; may block; a broken lane is no error here ---- */

void pl_cl_send_event_status(struct pl_cl_session *session, uint64_t event, int32_t status, struct pl_u64s times);
void pl_cl_send_event_reached(struct pl_cl_session *session, uint64_t token, int32_t status);
void pl_cl_send_read_done(struct pl_cl_session *session, uint64_t token, int32_t status, const void *data,
			  uint64_t bytes);
void pl_cl_send_print(struct pl_cl_session *session, const void *text, uint64_t bytes);
void pl_cl_send_mem_gone(struct pl_cl_session *session, uint64_t mem);
void pl_cl_send_svm_free(struct pl_cl_session *session, uint64_t token);
void pl_cl_send_queue_idle(struct pl_cl_session *session, uint64_t queue);

/* The driver's pfn_notify of clCreateContext: user_data is a struct pl_cl_context_note that outlives the context. */
void CL_CALLBACK pl_cl_context_notify(const char *errinfo, const void *private_info, size_t private_bytes,
				      void *user_data);

#endif
