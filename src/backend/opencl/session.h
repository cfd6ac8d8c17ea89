/*
 * What the OpenCL backend knows: the driver's platforms (one set a process, made by open()), and the session's own
 * state.
 *
 * Notes are what the table of handles keeps next to a driver's handle (pl_handle.extra).  Unless said otherwise a note
 * may be used only while the call holds the turn: calls that give it up keep driver handles that they retained,
 * and what they need of the note, in locals.
 */
#ifndef PL_BACKEND_OPENCL_SESSION_H
#define PL_BACKEND_OPENCL_SESSION_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "opencl-serve.h"
#include "server/serve.h"

#define PL_CL_PLATFORMS_MAX 64u /* limit: platforms that are shown to a session */
#define PL_CL_STAGE_NONE    UINT64_MAX
#define PL_CL_NAME_MAX      256u /* bytes that names of ours may have */

struct pl_cl_session;

struct pl_cl_platform {
	cl_platform_id platform;
	uint32_t devices_count;
	cl_device_id *devices;
};

/* Made by open(), never changed afterwards. */
struct pl_cl_host {
	void *dl;
	uint32_t platforms_count;
	struct pl_cl_platform platforms[PL_CL_PLATFORMS_MAX];
};

/* Something to do on the pusher thread, allocated by whoever will ask for it: asking never fails and never blocks. */
struct pl_cl_job {
	struct pl_cl_job *next;
	void (*run)(struct pl_cl_session *session, struct pl_cl_job *job); /* owns the job */
};

struct pl_cl_push {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct pl_cl_job *first, **last; /* under lock */
	uint32_t notifies;               /* under lock: context notifications that wait */
};

struct pl_cl_print {
	pthread_mutex_t lock; /* emptying the pipe */
	int fd;               /* its reading end; -1 = not started */
	_Atomic bool used;    /* some program may print */
};

struct pl_cl_reads {
	pthread_mutex_t lock;
	struct pl_cl_read *first, **last; /* under lock; oldest first */
};

struct pl_cl_svm {
	pthread_mutex_t lock;
	struct pl_cl_svm_block *blocks; /* under lock */
	struct pl_cl_svm_freeing *freed, *freed_last; /* under lock; memory whose freeing has come, oldest first */
	pthread_mutex_t freed_lock;         /* telling the client of them */
};

struct pl_cl_session {
	struct pl_session_worker *worker;
	const struct pl_cl_host *host;
	uint64_t turn_queue; /* under the turn: the queue that this call took last */
	struct pl_cl_push push;
	struct pl_cl_print print;
	struct pl_cl_reads reads;
	struct pl_cl_svm svm;
	/* Commands may fail, or bring along what must be sent ahead of an answer: no answers from callbacks. */
	_Atomic bool answers_not;
};

static inline struct pl_cl_session *pl_cl_session_of(const struct pl_serve *serve)
{
	return serve->session->api;
}

static inline struct pl_quota *pl_cl_quota(struct pl_cl_session *session)
{
	return &session->worker->quota;
}

/* ---- notes ---- */

struct pl_cl_context_note {
	struct pl_cl_session *session;
	uint64_t id;
	uint64_t alloc_bytes_max; /* largest buffer of any device */
	int32_t direct;           /* buffers can use host memory in place: 1, 0, -1 = not tried yet */
	bool notifies;            /* the driver has it as user_data: it lives as long as the session ... */
	bool driver_frees;        /* ... or until the driver says that the context is gone */
};

struct pl_cl_queue_note {
	int32_t late; /* first error of a posted command that nobody has heard of; under queues_lock */
	bool profiling, in_order;
	bool answers;  /* its device does: later.h */
	cl_event tail; /* under the turn: its last command, retained; NULL = not known.  Only where it answers */
};

struct pl_cl_event_note {
	uint64_t queue; /* id; 0 = a user event */
	cl_event first; /* the first part of a command that was split, retained; NULL = not split */
	bool profiling;
};

struct pl_cl_kernel_note {
	uint32_t args_count;
	uint8_t *kinds; /* enum pl_cl_param_kind of each; NULL = not asked for yet */
	bool hides_params; /* as its program's */
};

struct pl_cl_program_note {
	uint64_t host_bytes; /* charged for its source */
	bool from_source;
	/* of its last build; under the turn and pl_cl_programs_lock */
	char *options;     /* as the program gave them, where folders were rewritten; else NULL */
	char *strip;       /* what stands for the client's root folder in the build log; NULL = nothing */
	bool hides_params; /* built with PL_CL_PARAMS_OPTION, which the program did not give: it must not see that */
};

#endif
