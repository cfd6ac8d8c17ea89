/*
 * same CALLS NATIVE.SO CLIENT-FOLDER: the program CALLS natively on an NVML and through a server that has the same
 * one, over shared memory and tcp: every function, right and wrong, has to answer the same.
 */
#undef NDEBUG
#include <assert.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/process.h"
#include "lib/server.h"
#include "options.h"

#define LINES_MIN 3000

static void run(const char *calls, const char *folder, const char *address, const char *output)
{
	int status;
	pid_t pid = fork();

	assert(pid >= 0);
	if (!pid) {
		setenv("LD_LIBRARY_PATH", folder, 1);
		setenv("PLENUM", address, 1);
		setenv("PLENUM_TEST_NVML_ALL", "1", 1); /* the reference GPU has nothing to be changed */
		setenv("PLENUM_TOKEN", PL_TEST_TOKEN, 1);
		if (!freopen(output, "w", stdout))
			_exit(126);
		execl(calls, calls, (char *)NULL);
		_exit(127);
	}
	assert(waitpid(pid, &status, 0) == pid);
	if (status) {
		fprintf(stderr, "%s through %s ended with %d\n", calls, address, status);
		exit(1);
	}
}

/* Return: how many lines; ends the test where they differ. */
static unsigned compare(const char *native, const char *other, const char *way)
{
	FILE *a = fopen(native, "re"), *b = fopen(other, "re");
	char one[8192], two[8192];
	unsigned lines = 0, faults = 0;

	assert(a && b);
	while (fgets(one, sizeof(one), a)) {
		lines++;
		if (!fgets(two, sizeof(two), b)) {
			fprintf(stderr, "%s: nothing where natively stands: %s", way, one);
			exit(1);
		}
		if (strcmp(one, two) && ++faults <= 20)
			fprintf(stderr, "native:  %s%s: %s", one, way, two);
	}
	assert(!fgets(two, sizeof(two), b));
	fclose(a);
	fclose(b);
	if (faults) {
		fprintf(stderr, "%s: %u of %u answers differ\n", way, faults, lines);
		exit(1);
	}
	return lines;
}

int main(int argc, char **argv)
{
	struct pl_daemon_options options;
	struct pl_test_server server;
	char native_folder[4096], folder[PL_TEST_PATH_MAX], native[128], remote[128];
	unsigned lines;

	assert(argc == 4);
	pl_test_watchdog(100);
	pl_test_folder_create(folder);
	snprintf(native, sizeof(native), "%s/native", folder);
	snprintf(remote, sizeof(remote), "%s/remote", folder);
	snprintf(native_folder, sizeof(native_folder), "%s", argv[2]);
	pl_test_at("natively");
	run(argv[1], dirname(native_folder), "", native);

	nvml_serve(&options, argv[2]);
	pl_test_server_start(&server, &options, true);
	pl_test_at("over shared memory");
	run(argv[1], argv[3], server.unix_address, remote);
	lines = compare(native, remote, "shm");
	assert(lines > LINES_MIN);
	pl_test_at("over tcp");
	run(argv[1], argv[3], server.tcp_address, remote);
	compare(native, remote, "tcp");
	pl_test_server_stop(&server);
	pl_test_folder_remove(folder);
	printf("%u answers are the same natively, over shared memory and over tcp\n", lines);
	return 0;
}
