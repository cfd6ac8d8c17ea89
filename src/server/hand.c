#include "server/hand.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"

union fd_room {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(PL_HAND_FDS * sizeof(int))];
};

int pl_hand_send(int socket, const struct pl_hand *hand, int fd, int region_fd)
{
	const int fds[PL_HAND_FDS] = { fd, region_fd };
	const size_t bytes = (region_fd >= 0 ? 2 : 1) * sizeof(int);
	struct iovec iov = { .iov_base = (void *)hand, .iov_len = sizeof(*hand) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union fd_room room = { 0 };

	if (fd >= 0) {
		msg.msg_control = room.bytes;
		msg.msg_controllen = CMSG_SPACE(bytes);
		room.align = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
					       .cmsg_type = SCM_RIGHTS,
					       .cmsg_len = CMSG_LEN(bytes) };
		memcpy(CMSG_DATA(&room.align), fds, bytes);
	}
	if (sendmsg(socket, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return pl_err(-errno);
	return 0;
}

static void fds_close(const int fds[PL_HAND_FDS])
{
	for (int i = 0; i < PL_HAND_FDS; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

int pl_hand_recv(int socket, struct pl_hand *hand_out, int fds_out[PL_HAND_FDS])
{
	struct iovec iov = { .iov_base = hand_out, .iov_len = sizeof(*hand_out) };
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
	if (n != (ssize_t)sizeof(*hand_out)) {
		fds_close(fds); /* an empty message may bring some, too */
		return n ? pl_err(-EPROTO) : -EPIPE;
	}
	if (fds_out)
		memcpy(fds_out, fds, sizeof(fds));
	hand_out->text[PL_HAND_TEXT_MAX - 1] = '\0';
	return 0;
}
