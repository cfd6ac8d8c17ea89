// SPDX-License-Identifier: Apache-2.0
/* A server of our own for one guest: this executable's `serve`, on a loopback port. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>

#include "vm-internal.h"

#define READY_MS_MAX      15000 /* limit: a driver's initialisation takes seconds */
#define ADDRESS_BYTES_MAX 256   /* limit: an address of ours and a newline fit well */
#define SLICE_MS          100   /* how late a signal is noticed */
#define STOP_MS_MAX       2000
#define LOG_BYTES_MAX     65536

static int token_create(char **token_out)
{
	unsigned char random[16];
	char *token = malloc(2 * sizeof(random) + 1);

	if (!token)
		return -ENOMEM;
	if (getrandom(random, sizeof(random), 0) != sizeof(random)) {
		free(token);
		return -EIO;
	}
	for (size_t i = 0; i < sizeof(random); i++)
		sprintf(token + 2 * i, "%02x", random[i]);
	*token_out = token;
	return 0;
}

static int token_write(const char *path, const char *token)
{
	pl_cleanup(pl_closep) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return -errno;
	r = pl_vm_write_all(fd, token, strlen(token));
	return r == 0 ? pl_vm_write_all(fd, "\n", 1) : r;
}

/* In the child: does not return. */
static void exec_serve(pid_t parent, const struct pl_vm_link *link, const char *token_path, const char *ready,
		       int ready_fd, int log_fd)
{
	if (pl_vm_child_begin(parent, -1, log_fd, log_fd) < 0)
		_exit(127);
	(void)fcntl(ready_fd, F_SETFD, 0);
	if (link->region_fd >= 0)
		(void)fcntl(link->region_fd, F_SETFD, 0);
	execl("/proc/self/exe", "plenum", "serve", "--listen", link->listen, "--token-file", token_path,
	      "--ready-fd", ready, (char *)NULL);
	_exit(127);
}

/* The server writes one line: the address that it is bound to. */
static int read_address(int fd, char **address_out)
{
	uint64_t end_ms = pl_vm_now_ms() + READY_MS_MAX;
	char text[ADDRESS_BYTES_MAX + 1];
	size_t len = 0;

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		uint64_t now_ms = pl_vm_now_ms();
		ssize_t n;
		char *newline;

		if (now_ms >= end_ms)
			return -ETIMEDOUT;
		if (pl_vm_interrupted())
			return -EINTR;
		if (poll(&p, 1, SLICE_MS) < 0 && errno != EINTR)
			return -errno;
		if (!p.revents)
			continue;
		n = read(fd, text + len, ADDRESS_BYTES_MAX - len);
		if (n <= 0)
			return -ECONNABORTED;
		len += (size_t)n;
		text[len] = '\0';
		newline = strchr(text, '\n');
		if (newline) {
			*newline = '\0';
			*address_out = strdup(text);
			return *address_out ? 0 : -ENOMEM;
		}
		if (len == ADDRESS_BYTES_MAX)
			return -EPROTO;
	}
}

static void show_log(const char *path)
{
	pl_cleanup(pl_freep) char *text = NULL;
	size_t len;

	if (pl_vm_read_file(path, LOG_BYTES_MAX, &text, &len) == 0)
		(void)pl_vm_write_all(STDERR_FILENO, text, len);
}

void pl_vm_server_fini(struct pl_vm_server *server)
{
	uint64_t end_ms = pl_vm_now_ms() + STOP_MS_MAX;

	if (server->pid > 0 && kill(server->pid, SIGTERM) == 0) {
		while (pl_vm_now_ms() < end_ms) {
			if (waitpid(server->pid, NULL, WNOHANG) != 0) {
				server->pid = 0;
				break;
			}
			(void)poll(NULL, 0, 10);
		}
	}
	pl_vm_reap(server->pid);
	free(server->address);
	free(server->token);
	*server = (struct pl_vm_server){ .pid = 0 };
}

int pl_vm_server_init(struct pl_vm_server *server, const struct pl_vm_link *link, const char *work_dir, bool verbose)
{
	pl_cleanup(pl_freep) char *token_path = pl_vm_format("%s/token", work_dir);
	pl_cleanup(pl_freep) char *log_path = pl_vm_format("%s/server.log", work_dir);
	pl_cleanup(pl_closep) int log_fd = -1, ready_fd = -1, child_fd = -1;
	pl_cleanup(pl_freep) char *ready = NULL;
	pid_t parent = getpid();
	int fds[2], r;

	*server = (struct pl_vm_server){ .pid = 0 };
	if (!token_path || !log_path)
		return -ENOMEM;
	r = token_create(&server->token);
	if (r == 0)
		r = token_write(token_path, server->token);
	if (r == 0 && pipe2(fds, O_CLOEXEC) < 0)
		r = -errno;
	if (r < 0)
		goto fail;
	ready_fd = fds[0];
	child_fd = fds[1];
	log_fd = verbose ? dup(STDERR_FILENO) :
			   open(log_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ready = pl_vm_format("%d", child_fd);
	if (log_fd < 0 || !ready) {
		r = ready ? -errno : -ENOMEM;
		goto fail;
	}
	server->pid = fork();
	if (server->pid == 0)
		exec_serve(parent, link, token_path, ready, child_fd, log_fd);
	if (server->pid < 0) {
		r = -errno;
		goto fail;
	}
	pl_closep(&child_fd);
	r = read_address(ready_fd, &server->address);
	if (r == 0)
		return 0;
	show_log(log_path);
fail:
	pl_vm_say("cannot start a server for the guest: %s",
		  r == -ECONNABORTED ? "`plenum serve` ended" : strerror(-r));
	pl_vm_server_fini(server);
	return r == -ECONNABORTED || r == -ETIMEDOUT ? PL_VM_E_SETUP : r;
}
