/* SPDX-License-Identifier: Apache-2.0 */
/* The product of two square matrices. */
#include "program.h"

#include <math.h>

#define TILE    16u
#define CHECKED 127u /* every so many rows */

static void plan(struct pl_vmcuda_job *job)
{
	size_t bytes = job->n * job->n * sizeof(float);

	job->bytes[0] = job->bytes[1] = job->bytes[PL_VMCUDA_OUT] = bytes;
}

static void fill(struct pl_vmcuda_job *job)
{
	float *a = job->host[0], *b = job->host[1];
	uint32_t state = 2463534242u;

	for (size_t i = 0; i < job->n * job->n; i++) {
		a[i] = (float)(pl_vmcuda_random(&state) >> 20) / 4096.0f;
		b[i] = (float)(pl_vmcuda_random(&state) >> 20) / 4096.0f;
	}
}

static int launch(struct pl_vmcuda_job *job)
{
	unsigned n = (unsigned)job->n;
	const unsigned grid[2] = { n / TILE, n / TILE }, block[2] = { TILE, TILE };
	void *arguments[] = { &job->mem[0], &job->mem[1], &job->mem[PL_VMCUDA_OUT], &n };
	int e = 0;

	for (unsigned i = 0; i < job->work && !e; i++)
		e = pl_vmcuda_launch(job, 0, grid, block, 0, arguments);
	return e;
}

static long check(const struct pl_vmcuda_job *job)
{
	const float *a = job->host[0], *b = job->host[1], *c = job->host[PL_VMCUDA_OUT];
	size_t n = job->n;

	for (size_t y = 0; y < n; y += CHECKED)
		for (size_t x = 0; x < n; x += 3) {
			double want = 0;

			for (size_t k = 0; k < n; k++)
				want += (double)a[y * n + k] * b[k * n + x];
			if (fabs(c[y * n + x] - want) > 1e-4 * want + 1e-5)
				return (long)(y * n + x);
		}
	return -1;
}

const struct pl_vmcuda_kind pl_vmcuda_matmul = { .name = "matmul",
						 .what_n = "rows and columns",
						 .what_work = "products",
						 .functions = { "vm_matmul" },
						 .n_usual = 1024,
						 .n_min = TILE,
						 .n_max = 16384,
						 .n_step = TILE,
						 .work_usual = 2,
						 .work_max = 10000,
						 .plan = plan,
						 .fill = fill,
						 .launch = launch,
						 .check = check };
