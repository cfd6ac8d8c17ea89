/*
 * What kernels print, and what the driver says of failed assertions and bad addresses: drivers write it to standard
 * output and standard error, which are pipes here; their content goes to the client's.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "backend/cuda/session.h"
#include "base/err.h"

#define PIPE_BYTES  (1 << 20) /* what kernels can print before the thread must have run */
#define CHUNK_BYTES (32u << 10)
#define CHUNKS_MAX  64 /* a kernel that prints for ever does not keep a waiting call for ever */

static void text_send(struct pl_cuda_session *session, bool error, const char *text, uint64_t bytes)
{
	struct pl_cuda_plPrint_args out = { .text = { text, bytes } };
	struct pl_cuda_plComplain_args err = { .text = { text, bytes } };
	struct pl_enc enc;

	if (pl_reverse_begin(session->worker, error ? PL_CUDA_OP_plComplain : PL_CUDA_OP_plPrint,
			     error ? pl_cuda_plComplain_bytes(&err) : pl_cuda_plPrint_bytes(&out), 0, &enc))
		return;
	if (error)
		pl_cuda_plComplain_put(&enc, &err);
	else
		pl_cuda_plPrint_put(&enc, &out);
	pl_reverse_end(session->worker, NULL, 0);
}

static void pipe_empty(struct pl_cuda_session *session, bool error)
{
	char text[CHUNK_BYTES];

	pthread_mutex_lock(&session->print.lock);
	for (int i = 0; i < CHUNKS_MAX; i++) {
		ssize_t bytes = read(error ? session->print.err : session->print.out, text, sizeof(text));

		if (bytes <= 0)
			break;
		text_send(session, error, text, (uint64_t)bytes);
		if ((size_t)bytes < sizeof(text))
			break;
	}
	pthread_mutex_unlock(&session->print.lock);
}

static void *print_run(void *arg)
{
	struct pl_cuda_session *session = arg;

	prctl(PR_SET_NAME, "plenum-print");
	for (;;) {
		struct pollfd ready[2] = { { .fd = session->print.out, .events = POLLIN },
					   { .fd = session->print.err, .events = POLLIN } };

		if (poll(ready, 2, -1) < 0 && errno != EINTR)
			return NULL;
		if ((ready[0].revents | ready[1].revents) & (POLLHUP | POLLERR | POLLNVAL))
			return NULL;
		if (ready[0].revents)
			pipe_empty(session, false);
		if (ready[1].revents)
			pipe_empty(session, true);
	}
}

/* `fd` becomes the writing end of a pipe.  Return: 0 with its reading end, or -errno. */
static int pipe_for(int fd, int *end_out)
{
	int fds[2], r;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return pl_err(-errno);
	fcntl(fds[1], F_SETPIPE_SZ, PIPE_BYTES);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	r = dup2(fds[1], fd) < 0 ? -errno : 0;
	close(fds[1]);
	if (r) {
		close(fds[0]);
		return pl_err(r);
	}
	*end_out = fds[0];
	return 0;
}

int pl_cuda_print_start(struct pl_cuda_session *session)
{
	int log = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1), r;
	pthread_attr_t attr;
	pthread_t thread;

	pthread_mutex_init(&session->print.lock, NULL);
	if (log >= 0)
		pl_log_fd(log);
	r = pipe_for(STDOUT_FILENO, &session->print.out);
	if (!r)
		r = pipe_for(STDERR_FILENO, &session->print.err);
	if (r)
		return pl_trace(r);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	r = pthread_create(&thread, &attr, print_run, session);
	pthread_attr_destroy(&attr);
	return r ? pl_err(-r) : 0;
}

void pl_cuda_print_flush(struct pl_cuda_session *session)
{
	fflush(stdout); /* drivers that print with stdio */
	pipe_empty(session, false);
	pipe_empty(session, true);
}
