#include "lib/server.h"

#include "lib/null-backend.h"

#include <arpa/inet.h>
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_TRIES 1000 /* times 10 ms */

static void daemon_child(const struct pl_test_server *server, const struct pl_daemon_options *given, bool tcp,
			 int ready_fd)
{
	char region[PL_LINK_ADDRESS_MAX];
	const char *listen[] = { server->unix_address, "tcp://127.0.0.1:0", region };
	struct pl_daemon_options options = *given;
	char token_file[96];
	FILE *file;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(region, sizeof(region), "ivshmem:%s/region,size=16M;tcp://127.0.0.1:0", server->folder);
	snprintf(token_file, sizeof(token_file), "%s/token", server->folder);
	file = fopen(token_file, "we");
	assert(file && fchmod(fileno(file), 0600) == 0);
	fprintf(file, "%s\n", PL_TEST_TOKEN);
	fclose(file);
	setenv("PLENUM_LOG_FILE", server->log, 1);
	setenv("PLENUM_LOG", "info", 1);
	options.listen = listen;
	options.listen_count = tcp ? 3 : 1;
	options.token_file = tcp ? token_file : NULL;
	options.ready_fd = ready_fd;
	options.version = "test";
	pl_log_init("plenumd", PL_LOG_INFO);
	_exit(pl_daemon_run(&options) ? 1 : 0);
}

void pl_test_server_start(struct pl_test_server *server, const struct pl_daemon_options *options, bool tcp)
{
	char text[3 * PL_LINK_ADDRESS_MAX] = "";
	size_t len = 0;
	ssize_t n;
	int ready[2];
	char *at;

	memset(server, 0, sizeof(*server));
	snprintf(server->folder, sizeof(server->folder), "/tmp/plenum-test-XXXXXX");
	assert(mkdtemp(server->folder));
	snprintf(server->unix_address, sizeof(server->unix_address), "unix:%s/s.sock", server->folder);
	snprintf(server->log, sizeof(server->log), "%s/log", server->folder);
	assert(pipe2(ready, O_CLOEXEC) == 0);
	server->pid = fork();
	assert(server->pid >= 0);
	if (!server->pid) {
		close(ready[0]);
		daemon_child(server, options, tcp, ready[1]);
	}
	close(ready[1]);
	while ((n = read(ready[0], text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	close(ready[0]);
	at = strstr(text, "tcp://");
	if (at)
		snprintf(server->tcp_address, sizeof(server->tcp_address), "%.*s", (int)strcspn(at, "\n"), at);
	at = strstr(text, "ivshmem:");
	if (at)
		snprintf(server->region_address, sizeof(server->region_address), "%.*s", (int)strcspn(at, "\n"), at);
}

static void folder_remove(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
	rmdir(folder);
}

void pl_test_server_stop(struct pl_test_server *server)
{
	int status = -1;

	assert(kill(server->pid, SIGTERM) == 0);
	assert(waitpid(server->pid, &status, 0) == server->pid);
	assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert(access(server->unix_address + 5, F_OK) < 0); /* it took its socket away */
	folder_remove(server->folder);
}

bool pl_test_server_logged(const struct pl_test_server *server, const char *text)
{
	for (int i = 0; i < WAIT_TRIES; i++) {
		char line[2048];
		bool found = false;
		FILE *file = fopen(server->log, "re");

		while (file && !found && fgets(line, sizeof(line), file))
			found = strstr(line, text) != NULL;
		if (file)
			fclose(file);
		if (found)
			return true;
		usleep(10000);
	}
	return false;
}

int pl_test_fds_count(pid_t pid)
{
	char path[64];
	int count = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	if (!dir)
		return -1;
	while (readdir(dir))
		count++;
	closedir(dir);
	return count - 2;
}

bool pl_test_gone(pid_t pid)
{
	for (int i = 0; i < WAIT_TRIES; i++) {
		if (kill(pid, 0) < 0 && errno == ESRCH)
			return true;
		usleep(10000);
	}
	return false;
}

struct pl_daemon_options pl_test_options(void)
{
	struct pl_daemon_options options;

	pl_daemon_options_init(&options);
	options.apis[0].backend = &pl_backend_null;
	options.arena_bytes = 16u << 20;
	return options;
}

struct pl_hello pl_test_hello(enum pl_hello_kind kind)
{
	struct pl_hello hello = {
		.magic = PL_HELLO_MAGIC,
		.major = PL_HELLO_MAJOR,
		.minor = PL_HELLO_MINOR,
		.kind = kind,
		.api = PL_API_OPENCL,
		.api_hash = PL_NULL_API_HASH,
		.pid = (uint32_t)getpid(),
		.program = "test",
	};

	return hello;
}

int pl_test_connect(const char *address)
{
	struct sockaddr_un local = { .sun_family = AF_UNIX };
	struct sockaddr_in remote = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	bool tcp = !strncmp(address, "tcp://", 6);
	struct timeval limit = { .tv_sec = 30 };
	int fd, r;

	fd = socket(tcp ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert(fd >= 0);
	if (tcp) {
		remote.sin_port = htons((uint16_t)atoi(strrchr(address, ':') + 1));
		r = connect(fd, (struct sockaddr *)&remote, sizeof(remote));
	} else {
		snprintf(local.sun_path, sizeof(local.sun_path), "%.*s", (int)sizeof(local.sun_path) - 1, address + 5);
		r = connect(fd, (struct sockaddr *)&local, sizeof(local));
	}
	if (r < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}

static void descriptors_close(struct msghdr *msg)
{
	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		size_t count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		for (size_t i = 0; cmsg->cmsg_type == SCM_RIGHTS && i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(int));
			close(fd);
		}
	}
}

int pl_test_greet(int fd, const struct pl_hello *hello, struct pl_hello_reply *reply_out)
{
	size_t got = 0;

	if (send(fd, hello, sizeof(*hello), MSG_NOSIGNAL) != (ssize_t)sizeof(*hello))
		return -1;
	while (got < sizeof(*reply_out)) {
		union {
			struct cmsghdr align;
			char bytes[CMSG_SPACE(4 * sizeof(int))];
		} room;
		struct iovec iov = { .iov_base = (char *)reply_out + got, .iov_len = sizeof(*reply_out) - got };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room.bytes,
				      .msg_controllen = sizeof(room.bytes) };
		ssize_t n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);

		if (n <= 0)
			return -1;
		descriptors_close(&msg);
		got += (size_t)n;
	}
	assert(reply_out->magic == PL_HELLO_MAGIC);
	assert(memchr(reply_out->text, '\0', sizeof(reply_out->text)));
	return 0;
}

const char *pl_test_ask(const char *address, const char *request)
{
	static char text[PL_TEST_ANSWER_MAX];
	struct pl_hello hello = pl_test_hello(PL_HELLO_CONTROL);
	int fd = pl_test_connect(address);
	struct pl_hello_reply reply;
	size_t len = 0;
	ssize_t n;

	assert(fd >= 0 && pl_test_greet(fd, &hello, &reply) == 0 && reply.status == PL_HELLO_OK);
	assert(send(fd, request, strlen(request), 0) == (ssize_t)strlen(request));
	while ((n = recv(fd, text + len, sizeof(text) - 1 - len, 0)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	close(fd);
	return text;
}
