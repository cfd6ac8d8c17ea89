/* SPDX-License-Identifier: Apache-2.0 */
/* Options: prices by binomial trees and by the formula of Black and Scholes. */
#include "program.h"

#include <math.h>
#include <stdlib.h>

#define TREE_THREADS    256u
#define TREE_CHECKED    127u /* every so many options: the processor prices one tree after the other */
#define FORMULA_CHECKED 61u
#define FORMULA_BLOCKS  480u

struct option {
	float price, strike, years, rate, volatility;
};

static float between(uint32_t *state, float low, float high)
{
	return low + (high - low) * ((float)(pl_vmcuda_random(state) >> 8) / 16777216.0f);
}

static bool near(double got, double want)
{
	return fabs(got - want) <= 5e-3 + 2e-3 * fabs(want);
}

static void binomial_plan(struct pl_vmcuda_job *job)
{
	job->bytes[0] = job->n * sizeof(struct option);
	job->bytes[PL_VMCUDA_OUT] = job->n * sizeof(float);
}

static void binomial_fill(struct pl_vmcuda_job *job)
{
	struct option *o = job->host[0];
	uint32_t state = 2463534242u;

	for (size_t i = 0; i < job->n; i++)
		o[i] = (struct option){ between(&state, 5, 30), between(&state, 1, 100), between(&state, 0.25f, 10),
					0.06f, 0.10f };
}

static int binomial_launch(struct pl_vmcuda_job *job)
{
	const unsigned grid[2] = { (unsigned)job->n, 1 }, block[2] = { TREE_THREADS, 1 };
	void *arguments[] = { &job->mem[0], &job->mem[PL_VMCUDA_OUT], &job->work };

	return pl_vmcuda_launch(job, 0, grid, block, 2 * (job->work + 1) * sizeof(float), arguments);
}

static double tree(const struct option *o, unsigned steps, double *level)
{
	double dt = (double)o->years / steps, up = o->volatility * sqrt(dt);
	double u = exp(up), d = exp(-up), p = (exp(o->rate * dt) - d) / (u - d), shrink = exp(-o->rate * dt);

	for (unsigned i = 0; i <= steps; i++)
		level[i] = fmax(o->price * exp(up * (2.0 * i - steps)) - o->strike, 0);
	for (unsigned n = steps; n > 0; n--)
		for (unsigned i = 0; i < n; i++)
			level[i] = shrink * (p * level[i + 1] + (1 - p) * level[i]);
	return level[0];
}

static long binomial_check(const struct pl_vmcuda_job *job)
{
	double *level = calloc(job->work + 1, sizeof(*level));
	const struct option *o = job->host[0];
	const float *got = job->host[PL_VMCUDA_OUT];
	long wrong = level ? -1 : 0;

	for (size_t i = 0; level && i < job->n && wrong < 0; i += TREE_CHECKED)
		if (!near(got[i], tree(&o[i], job->work, level)))
			wrong = (long)i;
	free(level);
	return wrong;
}

const struct pl_vmcuda_kind pl_vmcuda_binomial = { .name = "binomial",
						   .what_n = "options",
						   .what_work = "steps of a tree",
						   .functions = { "vm_binomial" },
						   .n_usual = 4096,
						   .n_min = 1,
						   .n_max = 1u << 20,
						   .n_step = 1,
						   .work_usual = 512,
						   .work_max = 2048,
						   .plan = binomial_plan,
						   .fill = binomial_fill,
						   .launch = binomial_launch,
						   .check = binomial_check };

static void formula_plan(struct pl_vmcuda_job *job)
{
	for (int i = 0; i < 5; i++)
		job->bytes[i] = job->n * sizeof(float);
}

static void formula_fill(struct pl_vmcuda_job *job)
{
	float *price = job->host[0], *strike = job->host[1], *years = job->host[2];
	uint32_t state = 88172645u;

	for (size_t i = 0; i < job->n; i++) {
		price[i] = between(&state, 5, 30);
		strike[i] = between(&state, 1, 100);
		years[i] = between(&state, 0.25f, 10);
	}
}

static int formula_launch(struct pl_vmcuda_job *job)
{
	const unsigned grid[2] = { FORMULA_BLOCKS, 1 }, block[2] = { 128, 1 };
	unsigned n = (unsigned)job->n;
	void *arguments[] = { &job->mem[0], &job->mem[1], &job->mem[2], &job->mem[3], &job->mem[4], &n };
	int e = 0;

	for (unsigned i = 0; i < job->work && !e; i++)
		e = pl_vmcuda_launch(job, 0, grid, block, 0, arguments);
	return e;
}

static double normal(double d)
{
	return 0.5 * erfc(-d * M_SQRT1_2);
}

static long formula_check(const struct pl_vmcuda_job *job)
{
	const float *price = job->host[0], *strike = job->host[1], *years = job->host[2];
	const float *call = job->host[3], *put = job->host[4];

	for (size_t i = 0; i < job->n; i += FORMULA_CHECKED) {
		double s = price[i], x = strike[i], t = years[i], root = sqrt(t), cash = x * exp(-0.02 * t);
		double d1 = (log(s / x) + (0.02 + 0.5 * 0.3 * 0.3) * t) / (0.3 * root), d2 = d1 - 0.3 * root;

		if (!near(call[i], s * normal(d1) - cash * normal(d2)) ||
		    !near(put[i], cash * normal(-d2) - s * normal(-d1)))
			return (long)i;
	}
	return -1;
}

const struct pl_vmcuda_kind pl_vmcuda_blackscholes = { .name = "blackscholes",
						       .what_n = "options",
						       .what_work = "launches over all options",
						       .functions = { "vm_blackscholes" },
						       .n_usual = 6250000,
						       .n_min = 1,
						       .n_max = 1u << 30,
						       .n_step = 1,
						       .work_usual = 4,
						       .work_max = 10000,
						       .plan = formula_plan,
						       .fill = formula_fill,
						       .launch = formula_launch,
						       .check = formula_check };
