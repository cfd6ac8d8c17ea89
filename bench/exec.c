/* SPDX-License-Identifier: Apache-2.0 */
#include "exec.h"

#include "talk.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FIRST_LIMIT_S 60u
#define LINE_KEEP     512u /* bytes of a line that are looked at */

extern char **environ;

/* What has been seen of a program's output. */
struct output {
	char line[LINE_KEEP];
	size_t n;
	struct pl_bench_exec *exec;
	FILE *parts_to;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

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
	struct pl_bench_talk_line said;
	char *end;
	double v;

	o->line[o->n] = '\0';
	o->n = 0;
	if (word_in(o->line, "fail") || word_in(o->line, "mismatch") || word_in(o->line, "incorrect"))
		o->exec->fails++;
	if (!strncmp(o->line, "@first ", 7)) {
		v = strtod(o->line + 7, &end);
		if (end != o->line + 7)
			o->exec->first = v;
	}
	pl_bench_talk_parse(o->line, &said);
	if (said.kind == PL_BENCH_TALK_PART && o->parts_to)
		fprintf(o->parts_to, "@part %s %.9g\n", said.key, said.seconds);
	if (o->line[strspn(o->line, " \t\r")])
		snprintf(o->exec->last, sizeof(o->exec->last), "%.159s", o->line);
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
		double left = deadline - now();
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

static int child_start(char *const argv[], pid_t *pid_out, int *fd_out, char *error_out, size_t error_bytes)
{
	posix_spawn_file_actions_t actions;
	int fd[2], e;

	if (pipe2(fd, O_CLOEXEC)) {
		snprintf(error_out, error_bytes, "pipe: %s", strerror(errno));
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
		snprintf(error_out, error_bytes, "cannot run %.150s: %s", argv[0], strerror(e));
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
		if (now() > deadline)
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

int pl_bench_exec(char *const argv[], unsigned limit_s, FILE *parts_to, struct pl_bench_exec *exec_out, char *error_out,
		  size_t error_bytes)
{
	struct output o = { .exec = exec_out, .parts_to = parts_to };
	double start = now(), deadline = start + limit_s;
	int fd, status;
	pid_t pid;
	bool late;

	*exec_out = (struct pl_bench_exec){ .first = -1 };
	if (child_start(argv, &pid, &fd, error_out, error_bytes))
		return -1;
	late = output_drain(fd, &o, deadline);
	close(fd);
	status = child_end(pid, deadline, &late);
	exec_out->seconds = now() - start;
	if (late)
		exec_out->rc = 124;
	else if (WIFSIGNALED(status))
		exec_out->rc = 128 + WTERMSIG(status);
	else
		exec_out->rc = WEXITSTATUS(status);
	return 0;
}

int pl_bench_exec_self(char *argv[], unsigned n, double *seconds_out, char *error_out, size_t error_bytes)
{
	struct pl_bench_exec exec;
	static char self[4096]; /* outlives us in the caller's argv */
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (len < 0) {
		snprintf(error_out, error_bytes, "/proc/self/exe: %s", strerror(errno));
		return -1;
	}
	self[len] = '\0';
	argv[0] = self;
	for (unsigned i = 0; i < n; i++) {
		if (pl_bench_exec(argv, FIRST_LIMIT_S, NULL, &exec, error_out, error_bytes))
			return -1;
		if (exec.rc || exec.first < 0) {
			snprintf(error_out, error_bytes, "a fresh process ended with %d: %.150s", exec.rc, exec.last);
			return -1;
		}
		seconds_out[i] = exec.first;
	}
	return 0;
}
