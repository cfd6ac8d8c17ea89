/* A server that begins where another one is being drained takes its addresses over: it asks for them (drain.h). */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "server/daemon-internal.h"

#define ANSWER_MAX 4096

/* Return: connected to a server of our user or root; -1: there is none. */
static int server_connect(const char *path)
{
	const struct timeval limit = { .tv_sec = PL_DRAIN_ASK_MS_MAX / 1000 };
	pl_cleanup(pl_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	if (fd < 0 || strlen(path) >= sizeof(at.sun_path))
		return -1;
	memcpy(at.sun_path, path, strlen(path));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || !pl_handed_is_ours(fd))
		return -1;
	return pl_steal_fd(&fd);
}

/* Return: it gave its addresses up; false: it is not being drained, or not asked like this. */
static bool release_ask(int fd)
{
	static const char request[] = "{\"do\":\"release\"}\n";
	const struct pl_hello hello = { .magic = PL_HELLO_MAGIC,
					.major = PL_HELLO_MAJOR,
					.minor = PL_HELLO_MINOR,
					.kind = PL_HELLO_CONTROL,
					.pid = (uint32_t)getpid(),
					.program = "plenumd" };
	struct pl_hello_reply reply;
	char answer[ANSWER_MAX + 1];
	size_t len = 0;
	ssize_t n = 1;

	if (send(fd, &hello, sizeof(hello), MSG_NOSIGNAL) != (ssize_t)sizeof(hello) ||
	    recv(fd, &reply, sizeof(reply), MSG_WAITALL) != (ssize_t)sizeof(reply) || reply.magic != PL_HELLO_MAGIC ||
	    reply.status != PL_HELLO_OK || send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) < 0)
		return false;
	while (n > 0 && len < ANSWER_MAX && !memchr(answer, '\n', len)) {
		n = recv(fd, answer + len, ANSWER_MAX - len, 0);
		len += n > 0 ? (size_t)n : 0;
	}
	answer[len] = '\0';
	return !strncmp(answer, "{\"ok\":true", strlen("{\"ok\":true"));
}

void pl_drain_succeed(const char *address)
{
	const char *path = pl_link_address_is_local(address) ? pl_link_address_socket(address) : NULL;
	pl_cleanup(pl_closep) int fd = path ? server_connect(path) : -1;

	if (fd >= 0 && release_ask(fd))
		pl_log_info("%s: taken over from a server that is being drained", address);
}
