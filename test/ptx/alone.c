/* SPDX-License-Identifier: Apache-2.0 */
/* A case in a process of its own: this program again, with --only its name. */
#include "run.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* The line about NAME among what the child printed; how it begins is how it went. */
static const char *line_about(char *text, const char *name)
{
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		char *found = strstr(line, name);

		if (found && found > line && found[-1] == ' ')
			return line;
	}
	return NULL;
}

static size_t all_read(int fd, char *to, size_t room)
{
	size_t at = 0;

	while (at + 1 < room) {
		ssize_t got = read(fd, to + at, room - 1 - at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		at += (size_t)got;
	}
	to[at] = 0;
	return at;
}

int pt_alone_run(const struct pt_driver *cu, const struct pt_case *c, char *line, size_t room)
{
	char device[16], seed[24], text[4096];
	char *argv[] = { "test-ptx", "--here", "--only", c->name, "--device", device, "--seed", seed, NULL };
	posix_spawn_file_actions_t actions;
	const char *about;
	int ends[2], status, e;
	pid_t child;

	snprintf(device, sizeof(device), "%d", cu->ordinal);
	snprintf(seed, sizeof(seed), "%llu", (unsigned long long)cu->seed);
	if (pipe(ends))
		return -errno;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	posix_spawn_file_actions_addclose(&actions, ends[0]);
	e = posix_spawn(&child, "/proc/self/exe", &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	if (!e) {
		all_read(ends[0], text, sizeof(text));
		while (waitpid(child, &status, 0) < 0 && errno == EINTR)
			;
	}
	close(ends[0]);
	if (e)
		return -e;
	about = line_about(text, c->name);
	snprintf(line, room, "%s", about ? about : "FAIL the process of this case ended without a word");
	return 0;
}
