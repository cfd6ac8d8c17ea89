#include "cuda/proc.h"

#include <string.h>

/* The first row whose name is not before `name`. */
static size_t first_of(const struct pl_cuda_proc *procs, size_t count, const char *name)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(procs[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct pl_cuda_proc *pl_cuda_proc_find(const struct pl_cuda_proc *procs, size_t count, const char *name,
					     int version, bool per_thread, bool *newer_out)
{
	const struct pl_cuda_proc *found = NULL;
	bool newer = false, has_twin = false;
	size_t begin = first_of(procs, count, name);

	for (size_t i = begin; i < count && !strcmp(procs[i].name, name); i++)
		has_twin |= procs[i].per_thread && procs[i].at;
	for (size_t i = begin; i < count && !strcmp(procs[i].name, name); i++) {
		if (!procs[i].at || procs[i].per_thread != (per_thread && has_twin))
			continue;
		if (procs[i].version <= version)
			found = &procs[i];
		else
			newer = true;
	}
	if (!found)
		*newer_out = newer;
	return found;
}
