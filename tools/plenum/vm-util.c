// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "vm-internal.h"

#define REAP_MS_MAX 2000        /* limit: a process stuck in the kernel is left behind */

void pl_vm_say(const char *format, ...)
{
	pl_cleanup(pl_freep) char *text = NULL;
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	if (n < 0) {
		text = NULL;
		return;
	}
	fprintf(stderr, "plenum vm: %s\n", text);
}

char *pl_vm_format(const char *format, ...)
{
	char *text;
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	return n < 0 ? NULL : text;
}

uint64_t pl_vm_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int pl_vm_write_all(int fd, const void *data, size_t len_bytes)
{
	const char *p = data;

	while (len_bytes > 0) {
		ssize_t n = write(fd, p, len_bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len_bytes -= (size_t)n;
	}
	return 0;
}

int pl_vm_read_file(const char *path, size_t bytes_max, char **data_out, size_t *len_bytes_out)
{
	pl_cleanup(pl_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	pl_cleanup(pl_freep) char *data = NULL;
	size_t len = 0, size = 0;

	if (fd < 0)
		return -errno;
	for (;;) {
		ssize_t n;

		if (size - len < 2) {
			char *grown;

			if (size > bytes_max)
				return -EFBIG;
			size = size ? size * 2 : 65536;
			grown = realloc(data, size);
			if (!grown)
				return -ENOMEM;
			data = grown;
		}
		n = read(fd, data + len, size - len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	if (len > bytes_max)
		return -EFBIG;
	data[len] = '\0';
	*data_out = data;
	data = NULL;
	if (len_bytes_out)
		*len_bytes_out = len;
	return 0;
}

char *pl_vm_cache_path(const char *name)
{
	const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	pl_cleanup(pl_freep) char *dir = NULL;

	if (base && base[0] == '/')
		dir = strdup(base);
	else if (home && home[0] == '/')
		dir = pl_vm_format("%s/.cache", home);
	if (!dir)
		return NULL;
	(void)mkdir(dir, 0700);
	base = dir;
	dir = pl_vm_format("%s/plenum", base);
	free((char *)base);
	if (!dir || (mkdir(dir, 0700) < 0 && errno != EEXIST) || access(dir, W_OK) < 0)
		return NULL;
	return pl_vm_format("%s/%s", dir, name);
}

char *pl_vm_find_program(const char *name)
{
	const char *path = getenv("PATH"), *end;

	for (path = path ? path : ""; *path; path = *end ? end + 1 : end) {
		char *candidate;

		end = strchrnul(path, ':');
		if (*path != '/')       /* nothing is taken from the current folder */
			continue;
		candidate = pl_vm_format("%.*s/%s", (int)(end - path), path, name);
		if (candidate && access(candidate, X_OK) == 0)
			return candidate;
		free(candidate);
	}
	{
		char *candidate = pl_vm_format("/usr/bin/%s", name);

		if (candidate && access(candidate, X_OK) == 0)
			return candidate;
		free(candidate);
	}
	return NULL;
}

void pl_vm_signals(sigset_t *signals_out)
{
	sigemptyset(signals_out);
	sigaddset(signals_out, SIGINT);
	sigaddset(signals_out, SIGTERM);
	sigaddset(signals_out, SIGHUP);
	sigaddset(signals_out, SIGQUIT);
	sigaddset(signals_out, SIGWINCH);
}

bool pl_vm_interrupted(void)
{
	sigset_t pending;

	sigpending(&pending);
	return sigismember(&pending, SIGINT) || sigismember(&pending, SIGTERM) ||
	       sigismember(&pending, SIGHUP) || sigismember(&pending, SIGQUIT);
}

void pl_vm_reap(pid_t pid)
{
	pl_cleanup(pl_closep) int fd = -1;
	uint64_t end_ms = pl_vm_now_ms() + REAP_MS_MAX;

	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	fd = pidfd_open(pid, 0);
	while (waitpid(pid, NULL, WNOHANG) == 0 && pl_vm_now_ms() < end_ms) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		(void)poll(&p, fd >= 0 ? 1 : 0, fd >= 0 ? 100 : 10);
	}
}

/* Between fork and exec: only async-signal-safe calls. */
int pl_vm_child_begin(pid_t parent_pid, int in_fd, int out_fd, int err_fd)
{
	const int fds[3] = { in_fd, out_fd, err_fd };
	sigset_t none;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -errno;
	if (getppid() != parent_pid)
		return -ESRCH;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setsid();
	for (int i = 0; i < 3; i++) {
		int fd = fds[i] >= 0 ? fds[i] : open("/dev/null", O_RDWR);

		if (fd < 0 || (fd != i && dup2(fd, i) < 0))
			return -errno;
	}
	return 0;
}

int pl_vm_folder_create(char **path_out)
{
	const char *base = getenv("TMPDIR");
	pl_cleanup(pl_freep) char *path = NULL;

	path = pl_vm_format("%s/plenum-vm-XXXXXX", base && base[0] == '/' ? base : "/tmp");
	if (!path)
		return -ENOMEM;
	if (!mkdtemp(path)) {
		int r = -errno;

		pl_vm_say("cannot make a folder like %s: %s", path, strerror(-r));
		return r;
	}
	*path_out = path;
	path = NULL;
	return 0;
}

void pl_vm_folder_remove(char *path, bool keep)
{
	DIR *dir;
	struct dirent *entry;

	if (!path)
		return;
	if (keep) {
		pl_vm_say("kept %s", path);
		free(path);
		return;
	}
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] != '.')
			(void)unlinkat(dirfd(dir), entry->d_name, 0);
	}
	if (dir)
		closedir(dir);
	(void)rmdir(path);
	free(path);
}
