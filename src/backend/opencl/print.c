#include "backend/opencl/print.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "backend/opencl/push.h"
#include "base/cleanup.h"
#include "base/err.h"

#define PIPE_BYTES  (1 << 20) /* what kernels can print before the thread must have run */
#define CHUNK_BYTES (32u << 10)

/* Sends what the pipe holds.  Text in order: one thread at a time. */
static void pipe_empty(struct pl_cl_session *session)
{
	static const int chunks_max = 64; /* a kernel that prints for ever does not keep a waiting call for ever */
	struct pl_cl_print *print = &session->print;
	char text[CHUNK_BYTES];

	pthread_mutex_lock(&print->lock);
	for (int i = 0; i < chunks_max; i++) {
		ssize_t bytes = read(print->fd, text, sizeof(text));

		if (bytes <= 0)
			break;
		pl_cl_send_print(session, text, (uint64_t)bytes);
		if ((size_t)bytes < sizeof(text))
			break;
	}
	pthread_mutex_unlock(&print->lock);
}

static void *print_run(void *arg)
{
	struct pl_cl_session *session = arg;

	prctl(PR_SET_NAME, "plenum-print");
	for (;;) {
		struct pollfd ready = { .fd = session->print.fd, .events = POLLIN };

		if (poll(&ready, 1, -1) < 0 && errno != EINTR)
			return NULL;
		if (ready.revents & (POLLHUP | POLLERR | POLLNVAL))
			return NULL;
		pipe_empty(session);
	}
}

int pl_cl_print_start(struct pl_cl_session *session)
{
	pthread_attr_t attr;
	pthread_t thread;
	int fds[2], r;

	session->print.fd = -1;
	pthread_mutex_init(&session->print.lock, NULL);
	if (pipe2(fds, O_CLOEXEC) < 0)
		return pl_err(-errno);
	fcntl(fds[1], F_SETPIPE_SZ, PIPE_BYTES);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	r = dup2(fds[1], STDOUT_FILENO) < 0 ? -errno : 0;
	close(fds[1]);
	if (r) {
		close(fds[0]);
		return pl_err(r);
	}
	session->print.fd = fds[0];
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	r = pthread_create(&thread, &attr, print_run, session);
	pthread_attr_destroy(&attr);
	return r ? pl_err(-r) : 0;
}

void pl_cl_print_expect(struct pl_cl_session *session, const char *source, uint64_t bytes)
{
	if (!source || memmem(source, bytes, "printf", 6) || memmem(source, bytes, "#include", 8))
		atomic_store_explicit(&session->print.used, true, memory_order_relaxed);
}

void pl_cl_print_flush(struct pl_cl_session *session)
{
	if (session->print.fd < 0 || !atomic_load_explicit(&session->print.used, memory_order_relaxed))
		return;
	fflush(stdout); /* drivers that print with stdio */
	pipe_empty(session);
}
