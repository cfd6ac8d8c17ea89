/* SPDX-License-Identifier: Apache-2.0 */
/* Programs started by the worker: itself, freshly, and whole applications. */
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_LIMIT_S 60u
#define LINE_KEEP 512u /* bytes of a line that are looked at */

extern char **environ;

/* What has been seen of a program's output. */
struct output {
	char line[LINE_KEEP];
	size_t n;
	unsigned fails;
	double first; /* last "@first SECONDS", or -1 */
};

static int word_in(const char *line, const char *word)
{
	size_t n = strlen(word);

	for (; *line; line++)
		if (!strncasecmp(line, word, n))
			return 1;
	return 0;
}

static void line_done(struct output *o)
{
	char *end;
	double v;

	o->line[o->n] = '\0';
	o->n = 0;
	if (word_in(o->line, "fail") || word_in(o->line, "mismatch") ||
		word_in(o->line, "incorrect"))
		o->fails++;
	if (!strncmp(o->line, "@first ", 7)) {
		v = strtod(o->line + 7, &end);
		if (end != o->line + 7)
			o->first = v;
	}
}

static void output_take(struct output *o, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (bytes[i] == '\n')
			line_done(o);
		else if (o->n + 1 < sizeof(o->line))
			o->line[o->n++] = bytes[i];
	}
}

/* Read until the end or the deadline. Return: true when the time was up. */
static bool output_drain(int fd, struct output *o, double deadline)
{
	char bytes[4096];

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		double left = deadline - pl_worker_now();
		ssize_t n;

		if (left <= 0)
			return true;
		if (poll(&p, 1, left > 1 ? 1000 : (int)(left * 1000) + 1) < 1)
			continue;
		n = read(fd, bytes, sizeof(bytes));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		output_take(o, bytes, (size_t)n);
	}
	if (o->n)
		line_done(o);
	return false;
}

static int child_start(struct pl_worker *w, char *const argv[], pid_t *pid_out, int *fd_out)
{
	posix_spawn_file_actions_t actions;
	int fd[2], e;

	if (pipe2(fd, O_CLOEXEC)) {
		snprintf(w->error, sizeof(w->error), "pipe: %s", strerror(errno));
		return -1;
	}
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, fd[1], 1);
	posix_spawn_file_actions_adddup2(&actions, fd[1], 2);
	e = posix_spawnp(pid_out, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(fd[1]);
	if (e) {
		close(fd[0]);
		snprintf(w->error, sizeof(w->error), "cannot run %.150s: %s", argv[0], strerror(e));
		return -1;
	}
	*fd_out = fd[0];
	return 0;
}

/* Wait for a child whose output has ended; kill it at the deadline. Return: its status. */
static int child_end(pid_t pid, double deadline, bool *late)
{
	int status = 0;

	while (!*late && !waitpid(pid, &status, WNOHANG)) {
		if (pl_worker_now() > deadline)
			*late = true;
		else
			poll(NULL, 0, 1);
	}
	if (*late) {
		kill(pid, SIGKILL);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	return status;
}

static int child_run(struct pl_worker *w, char *const argv[], unsigned limit_s, int *rc_out,
	double *seconds_out, struct output *o)
{
	double start = pl_worker_now(), deadline = start + limit_s;
	int fd, status;
	pid_t pid;
	bool late;

	*o = (struct output){ .first = -1 };
	if (child_start(w, argv, &pid, &fd))
		return -1;
	late = output_drain(fd, o, deadline);
	close(fd);
	status = child_end(pid, deadline, &late);
	*seconds_out = pl_worker_now() - start;
	if (late)
		*rc_out = 124;
	else if (WIFSIGNALED(status))
		*rc_out = 128 + WTERMSIG(status);
	else
		*rc_out = WEXITSTATUS(status);
	return 0;
}

int pl_worker_exec(struct pl_worker *w, char *const argv[], unsigned limit_s, int *rc_out,
	double *seconds_out, unsigned *fails_out)
{
	struct output o;

	if (child_run(w, argv, limit_s, rc_out, seconds_out, &o))
		return -1;
	*fails_out = o.fails;
	return 0;
}

int pl_worker_first(struct pl_worker *w, bool queue, unsigned n, double *seconds_out)
{
	char self[4096];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char option[] = "--first", call[] = "call", until_queue[] = "queue", want[] = "--platform";
	char *argv[6] = { self, option, queue ? until_queue : call };
	struct output o;
	double whole;
	int rc;

	if (len < 0) {
		snprintf(w->error, sizeof(w->error), "/proc/self/exe: %s", strerror(errno));
		return -1;
	}
	self[len] = '\0';
	if (w->platform_want) {
		argv[3] = want;
		argv[4] = (char *)(uintptr_t)w->platform_want;
	}
	for (unsigned i = 0; i < n; i++) {
		if (child_run(w, argv, FIRST_LIMIT_S, &rc, &whole, &o))
			return -1;
		if (rc || o.first < 0) {
			snprintf(w->error, sizeof(w->error), "a fresh process ended with %d", rc);
			return -1;
		}
		seconds_out[i] = o.first;
	}
	return 0;
}
