#include "lib/leak.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WAIT_TRIES 500 /* times 20 ms */

static bool fds_count(pid_t pid, unsigned *count_out)
{
	char path[64];
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	folder = opendir(path);
	if (!folder)
		return false;
	*count_out = 0;
	while (readdir(folder))
		++*count_out;
	closedir(folder);
	*count_out -= pid == getpid() ? 3 : 2; /* ".", "..", and the folder itself */
	return true;
}

/* State and parent of a process; 0 = there is none. */
static char state_get(const char *pid, int *parent_out)
{
	char path[300], line[512], state = 0;
	const char *end;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%.16s/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fgets(line, sizeof(line), file) && (end = strrchr(line, ')')))
		sscanf(end + 1, " %c %d", &state, parent_out);
	fclose(file);
	return state;
}

static unsigned children_count(pid_t pid)
{
	DIR *folder = opendir("/proc");
	struct dirent *entry;
	unsigned count = 0;

	while (folder && (entry = readdir(folder))) {
		int parent = 0;

		if (isdigit((unsigned char)entry->d_name[0]) && state_get(entry->d_name, &parent) && parent == (int)pid)
			count++;
	}
	if (folder)
		closedir(folder);
	return count;
}

static uint64_t memory_get(pid_t pid)
{
	unsigned long long size, resident = 0, shared = 0;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "%llu %llu %llu", &size, &resident, &shared) != 3)
		resident = shared = 0;
	fclose(file);
	return (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
}

bool pl_test_usage_get(pid_t pid, struct pl_test_usage *usage_out)
{
	if (!fds_count(pid, &usage_out->fds))
		return false;
	usage_out->children = children_count(pid);
	usage_out->memory_bytes = memory_get(pid);
	return true;
}

bool pl_test_usage_back(pid_t pid, const struct pl_test_usage *before, uint64_t slack_bytes)
{
	struct pl_test_usage now = { 0 };

	for (int i = 0; i < WAIT_TRIES; i++) {
		if (!pl_test_usage_get(pid, &now))
			break;
		if (now.fds <= before->fds && now.children <= before->children &&
		    now.memory_bytes <= before->memory_bytes + slack_bytes)
			return true;
		usleep(20000);
	}
	fprintf(stderr, "process %d: descriptors %u -> %u, children %u -> %u, memory %llu -> %llu kB\n", (int)pid,
		before->fds, now.fds, before->children, now.children, (unsigned long long)before->memory_bytes / 1024,
		(unsigned long long)now.memory_bytes / 1024);
	return false;
}

/* Not when it is a zombie: its other threads may still be there. */
bool pl_test_process_gone(pid_t pid)
{
	char name[16];
	int parent;

	snprintf(name, sizeof(name), "%d", (int)pid);
	for (int i = 0; i < WAIT_TRIES; i++) {
		if (!state_get(name, &parent))
			return true;
		usleep(20000);
	}
	return false;
}
