#include "server/hand.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"

union fd_room {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(PL_HAND_FDS * sizeof(int))];
};

static int message_send(int socket, const void *bytes, size_t len, const int fds[PL_HAND_FDS])
{
	const size_t fds_len = (fds[1] >= 0 ? 2 : 1) * sizeof(int);
	struct iovec iov = { .iov_base = (void *)bytes, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union fd_room room = { 0 };

	if (fds[0] >= 0) {
		msg.msg_control = room.bytes;
		msg.msg_controllen = CMSG_SPACE(fds_len);
		room.align = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
					       .cmsg_type = SCM_RIGHTS,
					       .cmsg_len = CMSG_LEN(fds_len) };
		memcpy(CMSG_DATA(&room.align), fds, fds_len);
	}
	if (sendmsg(socket, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return pl_err(-errno);
	return 0;
}

int pl_hand_send(int socket, const struct pl_hand *hand, int fd, int region_fd)
{
	return pl_trace(message_send(socket, hand, sizeof(*hand), (const int[PL_HAND_FDS]){ fd, region_fd }));
}

int pl_hand_send_bytes(int socket, const void *bytes, size_t len, int fd)
{
	return pl_trace(message_send(socket, bytes, len, (const int[PL_HAND_FDS]){ fd, -1 }));
}

static void fds_close(const int fds[PL_HAND_FDS])
{
	for (int i = 0; i < PL_HAND_FDS; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static int message_recv(int socket, void *bytes, size_t len, int *fds_out)
{
	struct iovec iov = { .iov_base = bytes, .iov_len = len };
	union fd_room room = { 0 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int fds[PL_HAND_FDS] = { -1, -1 };
	ssize_t n;

	if (fds_out) {
		msg.msg_control = room.bytes;
		msg.msg_controllen = sizeof(room.bytes);
		memcpy(fds_out, fds, sizeof(fds));
	}
	n = recvmsg(socket, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? -EAGAIN : pl_err(errno == ECONNRESET ? -EPIPE : -errno);
	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg))
		if (cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS)
			memcpy(fds, CMSG_DATA(cmsg), cmsg->cmsg_len - CMSG_LEN(0)); /* the room has no more */
	if (n != (ssize_t)len || (msg.msg_flags & MSG_TRUNC)) {
		fds_close(fds); /* an empty message may bring some, too */
		return n ? pl_err(-EPROTO) : -EPIPE;
	}
	if (fds_out)
		memcpy(fds_out, fds, sizeof(fds));
	return 0;
}

int pl_hand_recv(int socket, struct pl_hand *hand_out, int fds_out[PL_HAND_FDS])
{
	int r = message_recv(socket, hand_out, sizeof(*hand_out), fds_out);

	if (!r)
		hand_out->text[PL_HAND_TEXT_MAX - 1] = '\0';
	return r;
}

int pl_hand_recv_bytes(int socket, void *bytes_out, size_t len, int *fd_out)
{
	int fds[PL_HAND_FDS], r = message_recv(socket, bytes_out, len, fds);

	if (r)
		return r;
	if (fds[1] >= 0)
		close(fds[1]);
	*fd_out = fds[0];
	return 0;
}
