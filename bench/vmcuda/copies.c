/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing but copies, of the sizes that the paper's study of block sizes used. */
#include "program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB ((size_t)1 << 20)

static const unsigned sizes_mib[] = { 32, 64, 128, 256, 624 };

static int copy_pair(struct pl_worker *w, uint64_t mem, char *host, size_t bytes, struct pl_vmcuda_times *times)
{
	double start = pl_worker_now(), middle;
	int e = w->cu.to_device(mem, host, bytes);

	if (!e)
		e = w->cu.context_sync();
	middle = pl_worker_now();
	if (!e)
		e = w->cu.to_host(host, mem, bytes);
	times->h2d += middle - start;
	times->d2h += pl_worker_now() - middle;
	times->sent += bytes;
	times->back += bytes;
	return e ? pl_worker_fail(w, "cuMemcpyHtoD or cuMemcpyDtoH", e) : 0;
}

static void pattern(char *host, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += 4096)
		memcpy(host + i, &i, sizeof(i));
}

static long pattern_check(const char *host, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += 4096)
		if (memcmp(host + i, &i, sizeof(i)))
			return (long)i;
	return -1;
}

int pl_vmcuda_copies(struct pl_worker *w, unsigned divisor, unsigned repeat, struct pl_vmcuda_times *times_out)
{
	size_t most = sizes_mib[sizeof(sizes_mib) / sizeof(sizes_mib[0]) - 1] * MIB / divisor;
	char *host = malloc(most);
	uint64_t mem = 0;
	int r, e = 0;
	long wrong;

	*times_out = (struct pl_vmcuda_times){ 0 };
	r = pl_worker_open(w);
	if (!r)
		e = host ? w->cu.alloc(&mem, most) : 2;
	if (e)
		r = pl_worker_fail(w, "malloc or cuMemAlloc", e);
	if (!r) /* every page is there before the clock runs */
		memset(host, 0, most);
	if (!r)
		pattern(host, most);
	for (unsigned k = 0; k < repeat && !r; k++)
		for (size_t i = 0; i < sizeof(sizes_mib) / sizeof(sizes_mib[0]) && !r; i++)
			r = copy_pair(w, mem, host, sizes_mib[i] * MIB / divisor, times_out);
	wrong = r ? -1 : pattern_check(host, most);
	if (wrong >= 0) {
		snprintf(w->error, sizeof(w->error), "copies: byte %ld came back wrong", wrong);
		r = -1;
	}
	if (mem)
		w->cu.release(mem);
	free(host);
	pl_worker_close(w);
	return r;
}
