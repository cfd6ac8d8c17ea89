/* SPDX-License-Identifier: Apache-2.0 */
/* A process and its descendants, from /proc: their processor time, and whether they run. */
#include "parts.h"

#include <ctype.h>
#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROCESSES_MAX 4096u /* more are not looked at */

struct process {
	pid_t pid, parent;
	double seconds; /* with those it waited for */
	bool ours;
};

/* Return: 0, or -1 when the process has gone. */
static int process_read(const char *pid, struct process *process_out)
{
	unsigned long long ticks[4];
	char path[64], text[1024], *behind;
	int parent;
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
	f = fopen(path, "re");
	if (!f)
		return -1;
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	behind = strrchr(text, ')'); /* a name may hold anything */
	if (!behind || sscanf(behind + 1, " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %llu %llu", &parent,
			      &ticks[0], &ticks[1], &ticks[2], &ticks[3]) != 5)
		return -1;
	*process_out = (struct process){ .pid = atoi(pid),
					 .parent = parent,
					 .seconds = (double)(ticks[0] + ticks[1] + ticks[2] + ticks[3]) /
						    (double)sysconf(_SC_CLK_TCK) };
	return 0;
}

static size_t processes_read(struct process *all)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	size_t n = 0;

	while (dir && n < PROCESSES_MAX && (entry = readdir(dir)))
		if (isdigit((unsigned char)entry->d_name[0]) && !process_read(entry->d_name, &all[n]))
			n++;
	if (dir)
		closedir(dir);
	return n;
}

static bool parent_is_ours(const struct process *all, size_t n, pid_t parent)
{
	for (size_t i = 0; i < n; i++)
		if (all[i].ours && all[i].pid == parent)
			return true;
	return false;
}

/* Marks a process and its living descendants. Return: there is such a process. */
static bool tree_mark(struct process *all, size_t n, pid_t root)
{
	bool any = false, more = true;

	for (size_t i = 0; i < n; i++)
		if (all[i].pid == root)
			all[i].ours = any = true;
	while (any && more) {
		more = false;
		for (size_t i = 0; i < n; i++)
			if (!all[i].ours && parent_is_ours(all, n, all[i].parent))
				all[i].ours = more = true;
	}
	return any;
}

double pl_bench_tree_seconds(pid_t root)
{
	struct process *all = root > 0 ? calloc(PROCESSES_MAX, sizeof(*all)) : NULL;
	size_t n = all ? processes_read(all) : 0;
	double sum = tree_mark(all, n, root) ? 0 : -1;

	for (size_t i = 0; i < n; i++)
		sum += all[i].ours ? all[i].seconds : 0;
	free(all);
	return sum;
}

static bool is_held(const struct pl_bench_held *held, pid_t pid)
{
	for (unsigned i = 0; i < held->n; i++)
		if (held->pid[i] == pid)
			return true;
	return false;
}

/* What is alive of it now. Return: some were not known, and are stopped. */
static bool tree_look(struct pl_bench_held *held, struct process *all, pid_t root)
{
	size_t n = processes_read(all);
	struct pl_bench_held now = { 0 };
	bool more = false;

	if (!tree_mark(all, n, root))
		n = 0;
	for (size_t i = 0; i < n && now.n < PL_BENCH_HELD_MAX; i++) {
		if (!all[i].ours)
			continue;
		now.pid[now.n++] = all[i].pid;
		if (!is_held(held, all[i].pid) && !kill(all[i].pid, SIGSTOP))
			more = true;
	}
	*held = now;
	return more;
}

void pl_bench_held_stop(const struct pl_bench_held *held)
{
	for (unsigned i = 0; i < held->n; i++)
		kill(held->pid[i], SIGSTOP);
}

void pl_bench_held_look(struct pl_bench_held *held, pid_t root)
{
	struct process *all = root > 0 ? calloc(PROCESSES_MAX, sizeof(*all)) : NULL;

	/* one that was not stopped yet may have started another meanwhile */
	while (all && tree_look(held, all, root))
		;
	free(all);
}

void pl_bench_held_go(const struct pl_bench_held *held)
{
	for (unsigned i = 0; i < held->n; i++)
		kill(held->pid[i], SIGCONT);
}
