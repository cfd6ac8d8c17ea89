#include "server/hand.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int pair[2];

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* A message of so many bytes, with a descriptor. */
static void raw_send(const void *bytes, size_t count, int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} room = { .align = { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int)) } };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = count };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &room, .msg_controllen = sizeof(room) };

	memcpy(CMSG_DATA(&room.align), &fd, sizeof(fd));
	assert(sendmsg(pair[0], &msg, 0) == (ssize_t)count);
}

/* The lowest number that is free: where the next descriptor would come to lie. */
static int next_fd(void)
{
	int fd = dup(STDIN_FILENO);

	assert(fd >= 0);
	close(fd);
	return fd;
}

static void test_a_hand_comes_with_its_descriptor(void)
{
	struct pl_hand hand = { .kind = PL_HAND_PUT, .type = 7 }, got;
	int fds[PL_HAND_FDS];

	assert(pl_hand_recv(pair[1], &got, fds) == -EAGAIN);
	assert(!pl_hand_send(pair[0], &hand, STDIN_FILENO, -1));
	assert(!pl_hand_recv(pair[1], &got, fds));
	assert(got.kind == PL_HAND_PUT && got.type == 7 && fds[0] >= 0 && fds[1] < 0);
	assert(fcntl(fds[0], F_GETFD) & FD_CLOEXEC);
	close(fds[0]);
}

static void test_descriptors_of_a_liar_are_closed(void)
{
	static const size_t lies[] = { 0, 1, sizeof(struct pl_hand) - 1 };
	struct pl_hand hand = { .kind = PL_HAND_PUT }, got;
	int fds[PL_HAND_FDS], next = next_fd();

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		raw_send(&hand, lies[i], STDIN_FILENO);
		assert(pl_hand_recv(pair[1], &got, fds) == (lies[i] ? -EPROTO : -EPIPE));
		assert(fds[0] < 0 && fds[1] < 0 && !is_open(next));
	}
}

static void test_the_other_ends_death_is_told(void)
{
	struct pl_hand got;

	close(pair[0]);
	assert(pl_hand_recv(pair[1], &got, NULL) == -EPIPE);
	close(pair[1]);
}

int main(void)
{
	assert(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	test_a_hand_comes_with_its_descriptor();
	test_descriptors_of_a_liar_are_closed();
	test_the_other_ends_death_is_told();
	puts("hand: ok");
	return 0;
}
