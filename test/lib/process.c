#include "lib/process.h"

#include <assert.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *volatile at = "start";

unsigned pl_test_fds_open(void)
{
	DIR *folder = opendir("/proc/self/fd");
	unsigned count = 0;

	assert(folder);
	while (readdir(folder))
		count++;
	closedir(folder);
	return count - 3; /* ".", ".." and the folder itself */
}

void pl_test_folder_create(char *path_out)
{
	const char *parent = getenv("TMPDIR");

	if (!parent || strlen(parent) > PL_TEST_PATH_MAX - 32)
		parent = "/tmp"; /* a unix socket's path is short */
	snprintf(path_out, PL_TEST_PATH_MAX, "%s/plenum-test-XXXXXX", parent);
	path_out = mkdtemp(path_out);
	assert(path_out);
}

void pl_test_folder_remove(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;

	assert(folder);
	while ((entry = readdir(folder)))
		unlinkat(dirfd(folder), entry->d_name, 0);
	closedir(folder);
	rmdir(path);
}

static void hangs(int number)
{
	(void)number;
	if (write(STDERR_FILENO, "hangs in: ", 10) < 0 || write(STDERR_FILENO, at, strlen(at)) < 0 ||
	    write(STDERR_FILENO, "\n", 1) < 0)
		_exit(2);
	abort();
}

void pl_test_watchdog(unsigned seconds)
{
	signal(SIGALRM, hangs);
	alarm(seconds);
}

void pl_test_at(const char *what)
{
	at = what;
}
