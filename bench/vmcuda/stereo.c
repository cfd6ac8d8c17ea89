/* SPDX-License-Identifier: Apache-2.0 */
/* Two pictures of one scene: by how many pixels is each point shifted?  The first answer is sent too, as programs do.
 */
#include "program.h"

#include <stdlib.h>
#include <string.h>

#define CHECKED 61u /* every so many rows */
#define BLOCK_X 32u
#define BLOCK_Y 8u

static void plan(struct pl_vmcuda_job *job)
{
	job->bytes[0] = job->bytes[1] = job->bytes[PL_VMCUDA_OUT] = job->n * sizeof(uint32_t);
	job->out_is_sent = true;
}

/* The right picture is the left one, shifted by what is drawn for each tile, with some noise. */
static void fill(struct pl_vmcuda_job *job)
{
	uint32_t *left = job->host[0], *right = job->host[1], state = 88172645u;

	for (size_t i = 0; i < job->n; i++)
		left[i] = pl_vmcuda_random(&state);
	for (size_t i = 0; i < job->n; i++) {
		size_t shift = (i / 64) % job->work;

		right[i] = left[i + shift < job->n ? i + shift : i] ^ (i % 7 ? 0 : 0x01010101u);
	}
	memset(job->host[PL_VMCUDA_OUT], 0xff, job->bytes[PL_VMCUDA_OUT]);
}

static int launch(struct pl_vmcuda_job *job)
{
	unsigned width = PL_VMCUDA_WIDTH, height = (unsigned)(job->n / PL_VMCUDA_WIDTH);
	const unsigned grid[2] = { width / BLOCK_X, (height + BLOCK_Y - 1) / BLOCK_Y }, block[2] = { BLOCK_X, BLOCK_Y };
	void *arguments[] = { &job->mem[0], &job->mem[1], &job->mem[PL_VMCUDA_OUT], &width, &height, &job->work };

	return pl_vmcuda_launch(job, 0, grid, block, 0, arguments);
}

static unsigned difference(uint32_t a, uint32_t b)
{
	unsigned sum = 0;

	for (unsigned shift = 0; shift < 32; shift += 8)
		sum += (unsigned)abs((int)(a >> shift & 255) - (int)(b >> shift & 255));
	return sum;
}

static uint32_t point(const struct pl_vmcuda_job *job, size_t x, size_t y)
{
	const uint32_t *left = job->host[0], *right = job->host[1];
	unsigned best = ~0u;
	uint32_t best_at = 0;

	for (uint32_t s = 0; s < job->work; s++) {
		unsigned sum = 0;

		for (size_t dy = 0; dy < 3; dy++)
			for (size_t dx = 0; dx < 3; dx++) {
				size_t at = (y + dy - 1) * PL_VMCUDA_WIDTH + x + dx - 1;

				sum += difference(left[at], right[at - s]);
			}
		if (sum < best) {
			best = sum;
			best_at = s;
		}
	}
	return best_at;
}

static long check(const struct pl_vmcuda_job *job)
{
	const uint32_t *got = job->host[PL_VMCUDA_OUT];
	size_t height = job->n / PL_VMCUDA_WIDTH;

	for (size_t y = 0; y < height; y += CHECKED)
		for (size_t x = 0; x < PL_VMCUDA_WIDTH; x++) {
			bool edge = x < job->work || y < 1 || x >= PL_VMCUDA_WIDTH - 1 || y >= height - 1;
			uint32_t want = edge ? ~0u : point(job, x, y);

			if (got[y * PL_VMCUDA_WIDTH + x] != want)
				return (long)(y * PL_VMCUDA_WIDTH + x);
		}
	return -1;
}

const struct pl_vmcuda_kind pl_vmcuda_stereo = { .name = "stereo",
						 .what_n = "pixels of a picture, rows of 1024",
						 .what_work = "shifts that are tried",
						 .functions = { "vm_stereo" },
						 .n_usual = 16u << 20,
						 .n_min = 4 * PL_VMCUDA_WIDTH,
						 .n_max = 1u << 30,
						 .n_step = PL_VMCUDA_WIDTH,
						 .work_usual = 8,
						 .work_max = 64,
						 .plan = plan,
						 .fill = fill,
						 .launch = launch,
						 .check = check };
