#include "server/listener.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "link/ivshmem/region.h"
#include "server/daemon.h"

#define FOLDER_LOCK_TRIES 20 /* times 50 ms: another daemon is starting; then go on without the lock */

#define KEEPALIVE_IDLE_S  20 /* a tcp client whose machine vanished is noticed after 20 + 3 * 10 s */
#define KEEPALIVE_EVERY_S 10
#define KEEPALIVE_TRIES   3

void pl_daemon_default_address(char address_out[PL_LINK_ADDRESS_MAX])
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	if (runtime && runtime[0] == '/' && strlen(runtime) < 80)
		snprintf(address_out, PL_LINK_ADDRESS_MAX, "unix:%s/plenum.sock", runtime);
	else if (geteuid() == 0)
		snprintf(address_out, PL_LINK_ADDRESS_MAX, "unix:/run/plenum.sock");
	else
		snprintf(address_out, PL_LINK_ADDRESS_MAX, "unix:/tmp/plenum-%u.sock", (unsigned)geteuid());
}

bool pl_listener_needs_token(const char *address)
{
	return !pl_link_address_is_local(address);
}

/* Keeps two daemons that start at one time from removing each other's socket file; -1 = could not. */
static int folder_lock(const char *path)
{
	char folder[PL_LINK_ADDRESS_MAX];
	char *slash;
	int fd;

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (!slash)
		snprintf(folder, sizeof(folder), ".");
	else
		slash[slash == folder] = '\0';
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; fd >= 0 && i < FOLDER_LOCK_TRIES; i++) {
		if (!flock(fd, LOCK_EX | LOCK_NB))
			break;
		poll(NULL, 0, 50);
	}
	return fd;
}

/* A worker that was being forked when its daemon was killed has the daemon's sockets for a moment.  Return: whoever
 * listens there is gone. */
static bool listens_no_more(int fd)
{
	struct ucred who = { 0 };
	socklen_t len = sizeof(who);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) && who.pid > 0 && kill(who.pid, 0) < 0 &&
	       errno == ESRCH;
}

/* Removes the file of a daemon that is gone.  Return: 0, or fatal, explained. */
static int stale_remove(const char *path)
{
	pl_cleanup(pl_closep) int fd = -1;
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct stat st;
	int r;

	if (strlen(path) >= sizeof(at.sun_path)) {
		pl_log_error("%s: too long for a socket (at most %zu characters)", path, sizeof(at.sun_path) - 1);
		return pl_err(-ENAMETOOLONG);
	}
	if (lstat(path, &st) < 0)
		return 0; /* bind() will tell, if it is more than absence */
	if (!S_ISSOCK(st.st_mode)) {
		pl_log_error("%s: exists and is no socket; choose another place with --listen", path);
		return pl_err(-EEXIST);
	}
	memcpy(at.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return pl_err(-errno);
	r = connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ? errno : 0;
	if (r == EAGAIN || (!r && !listens_no_more(fd))) {
		pl_log_error("%s: another server listens there; end it, or choose another place with --listen", path);
		return pl_err(-EADDRINUSE);
	}
	if (r && r != ECONNREFUSED) {
		pl_log_error("%s: %s", path, strerror(r));
		return pl_err(-r);
	}
	pl_log_info("%s: left over from a server that is gone; replaced", path);
	if (unlink(path) < 0 && errno != ENOENT) {
		pl_log_error("%s: can not be replaced: %s", path, strerror(errno));
		return pl_err(-errno);
	}
	return 0;
}

/* Notes what kind of socket it became, and which file. */
static void kind_note(struct pl_listener *listener)
{
	struct sockaddr_un at = { .sun_family = AF_UNSPEC };
	socklen_t len = sizeof(at);
	struct stat st;

	if (getsockname(listener->source.fd, (struct sockaddr *)&at, &len) < 0 || at.sun_family != AF_UNIX)
		return;
	listener->local = pl_link_address_is_local(listener->address); /* else a guest behind a vsock device */
	if (len > offsetof(struct sockaddr_un, sun_path) && at.sun_path[0])
		snprintf(listener->path, sizeof(listener->path), "%.*s", (int)sizeof(at.sun_path), at.sun_path);
	if (listener->path[0] && !lstat(listener->path, &st)) {
		listener->path_device = st.st_dev;
		listener->path_inode = st.st_ino;
	}
}

int pl_listener_open(struct pl_listener *listener, const char *address, bool others)
{
	pl_cleanup(pl_closep) int lock_fd = -1;
	const char *path = pl_link_address_socket(address);
	int r;

	listener->source.fd = -1;
	listener->path[0] = '\0';
	listener->region = NULL;
	if (path) {
		lock_fd = folder_lock(path);
		r = stale_remove(path);
		if (r < 0)
			return pl_trace(r);
	}
	r = pl_link_region_create(address, &listener->region);
	if (r && r != -EINVAL)
		return pl_trace(r);
	if (!r)
		r = pl_link_listen(address, &listener->source.fd, listener->address);
	if (r) {
		pl_log_error("can not listen on %s: %s", address,
			     r == -EINVAL ? "not an address (unix:/PATH, tcp://HOST:PORT, vsock:CID:PORT, "
					    "vsock:/PATH or ivshmem:FILE;ADDRESS)"
					  : strerror(-r));
		return pl_fold(r);
	}
	kind_note(listener);
	if (listener->path[0] && chmod(listener->path, others ? 0666 : 0600) < 0)
		return pl_err(-errno);
	if (fcntl(listener->source.fd, F_SETFL, O_NONBLOCK | fcntl(listener->source.fd, F_GETFL)) < 0 ||
	    fcntl(listener->source.fd, F_SETFD, FD_CLOEXEC) < 0)
		return pl_err(-errno);
	return 0;
}

static bool file_is_ours(const struct pl_listener *listener)
{
	struct stat st;

	return listener->path[0] && !lstat(listener->path, &st) && st.st_dev == listener->path_device &&
	       st.st_ino == listener->path_inode;
}

void pl_listener_close(struct pl_listener *listener)
{
	if (listener->source.fd < 0)
		return;
	shutdown(listener->source.fd, SHUT_RDWR); /* a worker that is being forked has it for a moment */
	close(listener->source.fd);
	listener->source.fd = -1;
	if (file_is_ours(listener))
		unlink(listener->path);
}

int pl_listener_rename(struct pl_listener *listener, const char *path)
{
	if (strlen(path) >= sizeof(listener->path))
		return pl_err(-ENAMETOOLONG);
	if (!file_is_ours(listener))
		return pl_err(-ENOENT);
	if (rename(listener->path, path) < 0)
		return pl_err(-errno);
	snprintf(listener->path, sizeof(listener->path), "%s", path);
	snprintf(listener->address, sizeof(listener->address), "unix:%s", path);
	return 0;
}

void pl_listener_fini(struct pl_listener *listener)
{
	pl_listener_close(listener);
	pl_region_destroy(listener->region);
	listener->region = NULL;
}

static void keepalive_set(int fd)
{
	static const int on = 1, idle = KEEPALIVE_IDLE_S, every = KEEPALIVE_EVERY_S, tries = KEEPALIVE_TRIES;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof(every));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &tries, sizeof(tries));
}

int pl_listener_accept(struct pl_listener *listener, uid_t *uid_out, pid_t *pid_out)
{
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t len = sizeof(peer);
	int fd = accept4(listener->source.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
			return -EAGAIN;
		return pl_err(-errno);
	}
	if (listener->local && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		peer = (struct ucred){ .uid = (uid_t)-1 };
	if (!listener->local)
		keepalive_set(fd);
	*uid_out = peer.uid;
	*pid_out = peer.pid;
	return fd;
}
