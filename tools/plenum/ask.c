/* The client's side of the daemon's control socket (server/control.c). */
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "plenum/tool.h"
#include "wire/wire.h"

#define ASK_SECONDS_MAX 10
#define ANSWER_MAX      (64u << 20) /* limit: bytes of an answer */
#define WHY_ROOM        512

static int connect_unix(const char *address, char *why)
{
	pl_cleanup(pl_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = ASK_SECONDS_MAX };

	if (strncmp(address, "unix:", 5) || strlen(address + 5) >= sizeof(at.sun_path)) {
		snprintf(why, WHY_ROOM, "%s: a server is asked through its unix socket: --server unix:/PATH", address);
		return -EINVAL;
	}
	strcpy(at.sun_path, address + 5);
	if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0) {
		int r = -errno;

		if (r == -EACCES)
			snprintf(why, WHY_ROOM,
				 "%s: you may not use it: its user lets you in with `plenum serve --allow-uid USER', "
				 "at a place that you can reach",
				 address);
		else
			snprintf(why, WHY_ROOM,
				 "no server at %s (%s): start one with `plenum serve', or name one with --server",
				 address, strerror(-r));
		return r;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	return pl_steal_fd(&fd);
}

static int greet(int fd, const char *address, char *why)
{
	struct pl_hello hello = { .magic = PL_HELLO_MAGIC, .major = PL_HELLO_MAJOR, .minor = PL_HELLO_MINOR,
				  .kind = PL_HELLO_CONTROL, .pid = (uint32_t)getpid(), .program = "plenum" };
	struct pl_hello_reply reply;

	if (send(fd, &hello, sizeof(hello), MSG_NOSIGNAL) != (ssize_t)sizeof(hello) ||
	    recv(fd, &reply, sizeof(reply), MSG_WAITALL) != (ssize_t)sizeof(reply) || reply.magic != PL_HELLO_MAGIC) {
		snprintf(why, WHY_ROOM, "%s: that is no server of Plenum, or it does not answer", address);
		return -EPROTO;
	}
	if (reply.status != PL_HELLO_OK) {
		reply.text[sizeof(reply.text) - 1] = '\0';
		snprintf(why, WHY_ROOM, "%s: %s", address, reply.text);
		return -EPERM;
	}
	return 0;
}

/* Return: the answer's text, to be freed, or NULL. */
static char *exchange(int fd, const char *request)
{
	size_t room = 65536, len = 0, bytes = strlen(request);
	pl_cleanup(pl_freep) char *text = malloc(room);
	ssize_t n = 1;

	if (!text || send(fd, request, bytes, MSG_NOSIGNAL) != (ssize_t)bytes || send(fd, "\n", 1, MSG_NOSIGNAL) != 1)
		return NULL;
	while (n > 0 && (!len || text[len - 1] != '\n')) {
		if (len + 1 == room) {
			char *more = room < ANSWER_MAX ? realloc(text, 2 * room) : NULL;

			if (!more)
				return NULL;
			text = more;
			room *= 2;
		}
		n = recv(fd, text + len, room - 1 - len, 0);
		if (n > 0)
			len += (size_t)n;
	}
	text[len] = '\0';
	return len && text[len - 1] == '\n' ? pl_steal(text) : NULL;
}

int pl_tool_ask(const char *address, const char *request, struct json_object **answer_out, char *why_out)
{
	pl_cleanup(pl_closep) int fd = connect_unix(address, why_out);
	pl_cleanup(pl_freep) char *text = NULL;
	struct json_object *answer, *field;
	int r;

	if (fd < 0)
		return fd;
	r = greet(fd, address, why_out);
	if (r < 0)
		return r;
	text = exchange(fd, request);
	answer = text ? json_tokener_parse(text) : NULL;
	if (!json_object_is_type(answer, json_type_object)) {
		snprintf(why_out, WHY_ROOM, "%s: the server gave no answer", address);
		json_object_put(answer);
		return -EPROTO;
	}
	if (!json_object_object_get_ex(answer, "ok", &field) || !json_object_get_boolean(field)) {
		snprintf(why_out, WHY_ROOM, "%s: %s", address,
			 json_object_object_get_ex(answer, "error", &field) ? json_object_get_string(field)
									    : "refused");
		json_object_put(answer);
		return -EINVAL;
	}
	*answer_out = answer;
	return 0;
}
