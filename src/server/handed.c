/* Connections of a drained daemon's sessions that came to its successor: both ends of handing them on (drain.h). */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "server/daemon-internal.h"

#define BACKLOG 16

bool pl_handed_is_ours(int fd)
{
	struct ucred who = { .uid = (uid_t)-1 };
	socklen_t len = sizeof(who);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) && (who.uid == geteuid() || who.uid == 0);
}

static int address_fill(struct sockaddr_un *at, const char *path)
{
	*at = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(at->sun_path))
		return -ENAMETOOLONG;
	memcpy(at->sun_path, path, strlen(path));
	return 0;
}

/* ---- the successor ---- */

/* Return: connected; -1: it is gone, or not of our user. */
static int before_connect(const char *path)
{
	pl_cleanup(pl_closep) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un at;

	if (fd < 0 || address_fill(&at, path) || connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		return -1;
	return pl_handed_is_ours(fd) ? pl_steal_fd(&fd) : -1;
}

/* What a daemon left that was killed while it was drained: `path` ends with the two names' common tail. */
static void killed_remove(const char *folder, const char *name, pid_t pid)
{
	const char *tail = strrchr(name, '.');
	char path[PL_DRAIN_PATH_MAX];
	struct stat st;

	if (kill(pid, 0) == 0 || errno != ESRCH)
		return;
	for (int i = 0; i < 2; i++) {
		int len = snprintf(path, sizeof(path), "%s/%.*s.%s-%d", folder, (int)(tail - name), name,
				   i ? "drained" : "handed", (int)pid);

		if (len < (int)sizeof(path) && !lstat(path, &st) && S_ISSOCK(st.st_mode) && st.st_uid == geteuid())
			unlink(path);
	}
}

/* name: of a file in `folder`; base: our socket's file there. */
static void candidate_take(struct pl_drain *drain, const char *folder, const char *base, const char *name)
{
	static const char word[] = ".handed-";
	size_t len = strlen(base);
	char path[PL_DRAIN_PATH_MAX], *end;
	long pid;
	int fd;

	if (strncmp(name, base, len) || strncmp(name + len, word, sizeof(word) - 1))
		return;
	pid = strtol(name + len + sizeof(word) - 1, &end, 10);
	if (*end || pid <= 0 || pid == getpid() ||
	    snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path))
		return;
	fd = drain->before_count < PL_DRAIN_BEFORE_MAX ? before_connect(path) : -1;
	if (fd < 0) {
		killed_remove(folder, name, (pid_t)pid);
		return;
	}
	pl_log_info("server %ld is being drained: connections of its sessions are handed on", pid);
	drain->before[drain->before_count++] = fd;
}

void pl_handed_find(struct pl_daemon *daemon)
{
	for (uint32_t i = 0; i < daemon->listeners_count; i++) {
		const struct pl_listener *listener = &daemon->listeners[i];
		char folder[PL_DRAIN_PATH_MAX];
		struct dirent *entry;
		char *slash;
		DIR *dir;

		if (!listener->local || !listener->path[0])
			continue;
		snprintf(folder, sizeof(folder), "%s%s", strchr(listener->path, '/') ? "" : "./", listener->path);
		slash = strrchr(folder, '/');
		*slash = '\0';
		dir = opendir(folder[0] ? folder : "/");
		while (dir && (entry = readdir(dir)))
			candidate_take(&daemon->drain, folder, slash + 1, entry->d_name);
		if (dir)
			closedir(dir);
	}
}

static void before_forget(struct pl_drain *drain, uint32_t at)
{
	close(drain->before[at]);
	drain->before[at] = drain->before[--drain->before_count];
}

bool pl_handed_on(struct pl_conn *conn)
{
	struct pl_drain *drain = &conn->daemon->drain;
	struct pl_handed handed = { .magic = PL_HANDED_MAGIC, .local = conn->local, .hello = conn->hello };
	bool given = false;

	if (conn->handed || conn->region)
		return false;
	handed.alone = drain->before_count == 1;
	explicit_bzero(handed.hello.token, sizeof(handed.hello.token));
	for (uint32_t i = drain->before_count; i-- > 0;) {
		int r = pl_hand_send_bytes(drain->before[i], &handed, sizeof(handed), conn->source.fd);

		if (!r)
			given = true;
		else if (r != -EAGAIN)
			before_forget(drain, i); /* it has ended */
	}
	explicit_bzero(&handed, sizeof(handed)); /* workers are forked from this stack */
	if (given)
		pl_conn_close(conn);
	return given;
}

/* ---- the drained daemon ---- */

struct pl_handed_from {
	struct pl_source source;
	struct pl_daemon *daemon;
	struct pl_handed_from *next;
};

static void from_release(struct pl_source *source)
{
	struct pl_handed_from *from = (struct pl_handed_from *)source;

	close(source->fd);
	free(from);
}

static void from_drop(struct pl_handed_from *from)
{
	struct pl_drain *drain = &from->daemon->drain;
	struct pl_handed_from **link = &drain->first;

	while (*link != from)
		link = &(*link)->next;
	*link = from->next;
	drain->successors_count--;
	pl_loop_remove(&from->daemon->loop, &from->source);
}

static void from_ready(struct pl_source *source, uint32_t events)
{
	struct pl_handed_from *from = (struct pl_handed_from *)source;

	(void)events;
	for (;;) {
		struct pl_handed handed;
		int fd, r = pl_hand_recv_bytes(source->fd, &handed, sizeof(handed), &fd);

		if (r == -EAGAIN)
			return;
		if (!r && handed.magic == PL_HANDED_MAGIC && fd >= 0) {
			pl_conns_adopt(from->daemon, fd, &handed);
			explicit_bzero(&handed, sizeof(handed));
			continue;
		}
		if (!r && fd >= 0)
			close(fd);
		if (!r || r == -EPROTO)
			pl_log_warn("a successor hands on what is no connection: it is left alone");
		from_drop(from);
		return;
	}
}

static void successor_ready(struct pl_source *source, uint32_t events)
{
	struct pl_daemon *daemon = (struct pl_daemon *)((char *)source - offsetof(struct pl_daemon, drain.successors));
	pl_cleanup(pl_closep) int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct pl_handed_from *from;

	(void)events;
	if (fd < 0 || !pl_handed_is_ours(fd) || daemon->drain.successors_count >= PL_DRAIN_AFTER_MAX)
		return;
	from = calloc(1, sizeof(*from));
	if (!from)
		return;
	*from = (struct pl_handed_from){
		.source = { .fd = fd, .ready = from_ready, .release = from_release },
		.daemon = daemon,
	};
	if (pl_loop_add(&daemon->loop, &from->source, EPOLLIN) < 0) {
		free(from);
		return;
	}
	(void)pl_steal_fd(&fd);
	from->next = daemon->drain.first;
	daemon->drain.first = from;
	daemon->drain.successors_count++;
}

int pl_handed_listen(struct pl_daemon *daemon, const char *path)
{
	pl_cleanup(pl_closep) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct pl_source *source = &daemon->drain.successors;
	struct sockaddr_un at;
	int r = fd < 0 ? -errno : address_fill(&at, path);

	if (r)
		return pl_err(r);
	unlink(path); /* it has our process id: whose it was is gone */
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		return pl_err(-errno);
	*source = (struct pl_source){ .fd = fd, .ready = successor_ready };
	r = chmod(path, 0600) < 0 || listen(fd, BACKLOG) < 0 ? -errno : pl_loop_add(&daemon->loop, source, EPOLLIN);
	if (r) {
		source->fd = -1;
		unlink(path);
		return pl_trace(r);
	}
	(void)pl_steal_fd(&fd);
	snprintf(daemon->drain.path, sizeof(daemon->drain.path), "%s", path);
	return 0;
}

void pl_handed_fini(struct pl_daemon *daemon)
{
	struct pl_drain *drain = &daemon->drain;

	while (drain->before_count)
		before_forget(drain, drain->before_count - 1);
	while (drain->first)
		from_drop(drain->first);
	if (drain->successors.fd < 0)
		return;
	pl_loop_remove(&daemon->loop, &drain->successors);
	close(drain->successors.fd);
	drain->successors.fd = -1;
	unlink(drain->path);
}
