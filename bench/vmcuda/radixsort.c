/* SPDX-License-Identifier: Apache-2.0 */
/* 32-bit keys, sorted 4 bits at a time: count, sum up, move. */
#include "program.h"

#define TILE    1024u
#define THREADS 256u
#define DIGITS  16u

enum { COUNT, SCAN, MOVE };

static void plan(struct pl_vmcuda_job *job)
{
	job->bytes[0] = job->bytes[PL_VMCUDA_OUT] = job->bytes[PL_VMCUDA_SCRATCH] = job->n * sizeof(uint32_t);
	job->bytes[PL_VMCUDA_SCRATCH + 1] = job->n / TILE * DIGITS * sizeof(uint32_t);
}

static void fill(struct pl_vmcuda_job *job)
{
	uint32_t *keys = job->host[0], state = 2463534242u;

	for (size_t i = 0; i < job->n; i++)
		keys[i] = pl_vmcuda_random(&state);
}

static int pass(struct pl_vmcuda_job *job, uint64_t from, uint64_t to, unsigned shift)
{
	unsigned tiles = (unsigned)(job->n / TILE), n = tiles * DIGITS;
	uint64_t counts = job->mem[PL_VMCUDA_SCRATCH + 1];
	const unsigned grid[2] = { tiles, 1 }, one[2] = { 1, 1 }, block[2] = { THREADS, 1 };
	void *count[] = { &from, &counts, &shift }, *scan[] = { &counts, &n },
	     *move[] = { &from, &to, &counts, &shift };
	int e = pl_vmcuda_launch(job, COUNT, grid, block, 0, count);

	if (!e)
		e = pl_vmcuda_launch(job, SCAN, one, block, 0, scan);
	return e ? e : pl_vmcuda_launch(job, MOVE, grid, block, 0, move);
}

/* The keys that were sent stay as they are, so that the whole may be done again. */
static int launch(struct pl_vmcuda_job *job)
{
	uint64_t keys = job->mem[0], out = job->mem[PL_VMCUDA_OUT], other = job->mem[PL_VMCUDA_SCRATCH];
	int e = 0;

	for (unsigned i = 0; i < job->work && !e; i++)
		for (unsigned shift = 0; shift < 32 && !e; shift += 4)
			e = pass(job, shift ? (shift & 4 ? other : out) : keys, shift & 4 ? out : other, shift);
	return e;
}

/* In order, and the same keys: their sum, and the sum of their squares. */
static long check(const struct pl_vmcuda_job *job)
{
	const uint32_t *keys = job->host[0], *got = job->host[PL_VMCUDA_OUT];
	uint64_t sum = 0, squares = 0;

	for (size_t i = 0; i < job->n; i++) {
		if (i && got[i] < got[i - 1])
			return (long)i;
		sum += (uint64_t)keys[i] - got[i];
		squares += (uint64_t)keys[i] * keys[i] - (uint64_t)got[i] * got[i];
	}
	return sum || squares ? 0 : -1;
}

const struct pl_vmcuda_kind pl_vmcuda_radixsort = { .name = "radixsort",
						    .what_n = "keys",
						    .what_work = "sorts",
						    .functions = { "vm_radix_count", "vm_radix_scan", "vm_radix_move" },
						    .n_usual = 8u << 20,
						    .n_min = TILE,
						    .n_max = 1u << 28,
						    .n_step = TILE,
						    .work_usual = 1,
						    .work_max = 1000,
						    .plan = plan,
						    .fill = fill,
						    .launch = launch,
						    .check = check };
