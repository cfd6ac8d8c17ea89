/* SPDX-License-Identifier: Apache-2.0 */
/* One program, several times at once; the mean of every part that they all print. */
#include "program.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CROWD_MAX 64u /* limit: programs at once */
#define PARTS_MAX 24u /* limit: different parts of a program */

extern char **environ;

struct parts {
	char name[PARTS_MAX][16];
	double sum[PARTS_MAX];
	unsigned n[PARTS_MAX], count;
};

static void part_add(struct parts *parts, const char *line)
{
	char name[16];
	double value;
	unsigned i = 0;

	if (sscanf(line, "@part %15s %lf", name, &value) != 2)
		return;
	while (i < parts->count && strcmp(parts->name[i], name))
		i++;
	if (i == PARTS_MAX)
		return;
	if (i == parts->count)
		strcpy(parts->name[parts->count++], name);
	parts->sum[i] += value;
	parts->n[i]++;
}

static pid_t member_start(char *const argv[], int *fd_out)
{
	posix_spawn_file_actions_t actions;
	pid_t pid = -1;
	int fd[2];

	if (pipe2(fd, O_CLOEXEC))
		return -1;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, fd[1], 1);
	if (posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ))
		pid = -1;
	posix_spawn_file_actions_destroy(&actions);
	close(fd[1]);
	*fd_out = fd[0];
	return pid;
}

/* A few lines each: a pipe holds them, so one is read to its end after the other. */
static int member_end(pid_t pid, int fd, struct parts *parts)
{
	FILE *from = fdopen(fd, "r");
	char line[256];
	int status = 0;

	while (from && fgets(line, sizeof(line), from))
		part_add(parts, line);
	if (from)
		fclose(from);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return 1;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int pl_vmcuda_crowd(unsigned n, char *const argv[])
{
	struct parts parts = { 0 };
	pid_t pid[CROWD_MAX];
	int fd[CROWD_MAX], r = 0;

	if (!n || n > CROWD_MAX) {
		fprintf(stderr, "plenum-bench-vmcuda: crowd takes 1 to %u programs\n", CROWD_MAX);
		return 2;
	}
	for (unsigned i = 0; i < n; i++)
		pid[i] = member_start(argv, &fd[i]);
	for (unsigned i = 0; i < n; i++) {
		int rc = member_end(pid[i], fd[i], &parts);

		r = r ? r : rc;
	}
	for (unsigned i = 0; i < parts.count && !r; i++)
		pl_vmcuda_part(parts.name[i], parts.sum[i] / parts.n[i]);
	return r;
}
