#include "server/hand.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"

union fd_room {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int))];
};

int pl_hand_send(int socket, const struct pl_hand *hand, int fd)
{
	struct iovec iov = { .iov_base = (void *)hand, .iov_len = sizeof(*hand) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union fd_room room = { 0 };

	if (fd >= 0) {
		struct cmsghdr *cmsg;

		msg.msg_control = room.bytes;
		msg.msg_controllen = sizeof(room.bytes);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	}
	if (sendmsg(socket, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return pl_err(-errno);
	return 0;
}

int pl_hand_recv(int socket, struct pl_hand *hand_out, int *fd_out)
{
	struct iovec iov = { .iov_base = hand_out, .iov_len = sizeof(*hand_out) };
	union fd_room room = { 0 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int fd = -1;
	ssize_t n;

	if (fd_out) {
		msg.msg_control = room.bytes;
		msg.msg_controllen = sizeof(room.bytes);
		*fd_out = -1;
	}
	n = recvmsg(socket, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? -EAGAIN : pl_err(errno == ECONNRESET ? -EPIPE : -errno);
	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg))
		if (cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS)
			memcpy(&fd, CMSG_DATA(cmsg), sizeof(int));
	if (!n)
		return -EPIPE;
	if (n != (ssize_t)sizeof(*hand_out)) {
		if (fd >= 0)
			close(fd);
		return pl_err(-EPROTO);
	}
	if (fd_out)
		*fd_out = fd;
	hand_out->text[PL_HAND_TEXT_MAX - 1] = '\0';
	return 0;
}
