/* What kernels print: drivers write it to standard output, which is a pipe here; its content goes to the client. */
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

static void text_send(struct pl_cuda_session *session, const char *text, uint64_t bytes)
{
	struct pl_cuda_plPrint_args args = { .text = { text, bytes } };
	struct pl_enc enc;

	if (pl_reverse_begin(session->worker, PL_CUDA_OP_plPrint, pl_cuda_plPrint_bytes(&args), 0, &enc))
		return;
	pl_cuda_plPrint_put(&enc, &args);
	pl_reverse_end(session->worker, NULL, 0);
}

static void pipe_empty(struct pl_cuda_session *session)
{
	char text[CHUNK_BYTES];

	pthread_mutex_lock(&session->print.lock);
	for (int i = 0; i < CHUNKS_MAX; i++) {
		ssize_t bytes = read(session->print.fd, text, sizeof(text));

		if (bytes <= 0)
			break;
		text_send(session, text, (uint64_t)bytes);
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
		struct pollfd ready = { .fd = session->print.fd, .events = POLLIN };

		if (poll(&ready, 1, -1) < 0 && errno != EINTR)
			return NULL;
		if (ready.revents & (POLLHUP | POLLERR | POLLNVAL))
			return NULL;
		pipe_empty(session);
	}
}

int pl_cuda_print_start(struct pl_cuda_session *session)
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

void pl_cuda_print_flush(struct pl_cuda_session *session)
{
	fflush(stdout); /* drivers that print with stdio */
	pipe_empty(session);
}
