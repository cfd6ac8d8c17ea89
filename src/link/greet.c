#include "link/greet.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/wait.h"

/* Return: 0 when the socket has `events` or has ended, or fatal -ETIMEDOUT. */
static int wait_for(int fd, short events, uint64_t deadline_ns)
{
	for (;;) {
		struct pollfd poll_fd = {.fd = fd, .events = events};
		uint64_t now = pl_now_ns(), ns = now < deadline_ns ? deadline_ns - now : 0;
		struct timespec t = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};
		int n = ppoll(&poll_fd, 1, &t, NULL);

		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return pl_err(-errno);
		if (!ns)
			return pl_err(-ETIMEDOUT);
	}
}

/* The socket's own error becomes "the peer is gone", as on lanes. */
static int gone(int error)
{
	pl_log_debug("greeting ends: %s", strerrordesc_np(error));
	return pl_err(-EPIPE);
}

static int send_whole(int fd, const void *data, size_t bytes, const struct pl_greet_fds *fds, uint64_t deadline_ns)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(PL_GREET_FDS_MAX * sizeof(int))];
	} control = {0};
	size_t done = 0;

	while (done < bytes) {
		struct iovec part = {(char *)(uintptr_t)data + done, bytes - done};
		struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
		ssize_t n;

		if (fds && fds->count && !done) { /* they travel with the first byte */
			message.msg_control = &control;
			message.msg_controllen = CMSG_SPACE(fds->count * sizeof(int));
			control.head = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
							.cmsg_type = SCM_RIGHTS,
							.cmsg_len = CMSG_LEN(fds->count * sizeof(int))};
			memcpy(CMSG_DATA(&control.head), fds->at, fds->count * sizeof(int));
		}
		n = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0) {
			done += (size_t)n;
		} else if (errno == EAGAIN) {
			int r = wait_for(fd, POLLOUT, deadline_ns);
			if (r)
				return pl_trace(r);
		} else if (errno != EINTR) {
			return gone(errno);
		}
	}
	return 0;
}

/* Keeps the fds of one message; those that are too many are closed.  Return: 0, or fatal -EPROTO. */
static int fds_keep(struct msghdr *message, struct pl_greet_fds *fds)
{
	int r = message->msg_flags & MSG_CTRUNC ? -EPROTO : 0;

	for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head; head = CMSG_NXTHDR(message, head)) {
		size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(head) + i * sizeof(fd), sizeof(fd));
			if (fds && fds->count < PL_GREET_FDS_MAX) {
				fds->at[fds->count++] = fd;
			} else {
				close(fd);
				r = -EPROTO;
			}
		}
	}
	return r ? pl_err(r) : 0;
}

static int recv_whole(int fd, void *data, size_t bytes, struct pl_greet_fds *fds, uint64_t deadline_ns)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(PL_GREET_FDS_MAX * sizeof(int))];
	} control;
	size_t done = 0;

	while (done < bytes) {
		struct iovec part = {(char *)data + done, bytes - done};
		struct msghdr message = {
			.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
		ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		int r = 0;

		if (n > 0) {
			r = fds_keep(&message, fds);
			done += (size_t)n;
		} else if (!n) {
			return gone(EPIPE);
		} else if (errno == EAGAIN) {
			r = wait_for(fd, POLLIN, deadline_ns);
		} else if (errno != EINTR) {
			return gone(errno);
		}
		if (r)
			return pl_trace(r);
	}
	return 0;
}

int pl_greet_hello_send(int fd, const struct pl_hello *hello, uint64_t deadline_ns)
{
	struct pl_hello whole = *hello;

	whole.magic = PL_HELLO_MAGIC;
	whole.major = PL_HELLO_MAJOR;
	whole.minor = PL_HELLO_MINOR;
	return pl_trace(send_whole(fd, &whole, sizeof(whole), NULL, deadline_ns));
}

int pl_greet_hello_recv(int fd, struct pl_hello *hello_out, uint64_t deadline_ns)
{
	struct pl_hello hello;
	int r = recv_whole(fd, &hello, sizeof(hello), NULL, deadline_ns);

	if (r)
		return pl_trace(r);
	if (hello.magic != PL_HELLO_MAGIC)
		return pl_err(-EPROTO);
	*hello_out = hello;
	return 0;
}

int pl_greet_reply_send(int fd, const struct pl_hello_reply *reply, const struct pl_greet_fds *fds,
			uint64_t deadline_ns)
{
	struct pl_hello_reply whole = *reply;

	whole.magic = PL_HELLO_MAGIC;
	whole.major = PL_HELLO_MAJOR;
	whole.minor = PL_HELLO_MINOR;
	return pl_trace(send_whole(fd, &whole, sizeof(whole), fds, deadline_ns));
}

int pl_greet_reply_recv(int fd, struct pl_hello_reply *reply_out, struct pl_greet_fds *fds_out, uint64_t deadline_ns)
{
	struct pl_greet_fds fds = {0};
	struct pl_hello_reply reply;
	int r = recv_whole(fd, &reply, sizeof(reply), &fds, deadline_ns);

	if (!r && (reply.magic != PL_HELLO_MAGIC || (reply.major != PL_HELLO_MAJOR && reply.status == PL_HELLO_OK)))
		r = pl_err(-EPROTO);
	if (r) {
		pl_greet_fds_close(&fds);
		return pl_trace(r);
	}
	reply.text[sizeof(reply.text) - 1] = '\0';
	*reply_out = reply;
	*fds_out = fds;
	return 0;
}

int pl_greet_again_send(int fd, const struct pl_wire_again *again, uint64_t deadline_ns)
{
	return pl_trace(send_whole(fd, again, sizeof(*again), NULL, deadline_ns));
}

int pl_greet_again_recv(int fd, struct pl_wire_again *again_out, uint64_t deadline_ns)
{
	return pl_trace(recv_whole(fd, again_out, sizeof(*again_out), NULL, deadline_ns));
}

void pl_greet_fds_close(struct pl_greet_fds *fds)
{
	for (unsigned i = 0; i < fds->count; i++)
		if (fds->at[i] >= 0)
			close(fds->at[i]);
	fds->count = 0;
}
