/* SPDX-License-Identifier: Apache-2.0 */
/* What a second core of this machine is worth, with nothing of ours in between: in a guest its neighbours use the
 * memory, and sometimes the core itself. */
#include "bench.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PASSES      5u
#define ARITH_TURNS 8000000u
#define COPY_BYTES  (32u << 20) /* beyond the caches */

struct job {
	void (*work)(struct job *job);
	char *from, *to;
	float sum;
};

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void arith(struct job *job)
{
	float x[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };

	for (unsigned turn = 0; turn < ARITH_TURNS; turn++)
		for (unsigned i = 0; i < 8; i++)
			x[i] = x[i] * 0.9999f + 0.1f;
	for (unsigned i = 0; i < 8; i++)
		job->sum += x[i];
}

static void copy(struct job *job)
{
	memcpy(job->to, job->from, COPY_BYTES);
	__asm__ volatile("" : : "r"(job->to) : "memory");
}

static void *thread(void *arg)
{
	struct job *job = arg;

	job->work(job);
	return NULL;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Median of how much more two do in the same time.  0: no thread. */
static double worth(struct job jobs[2])
{
	double ratio[PASSES];

	for (unsigned pass = 0; pass < PASSES; pass++) {
		double begin = now_s(), one;
		pthread_t other;

		jobs[0].work(&jobs[0]);
		one = now_s() - begin;
		begin = now_s();
		if (pthread_create(&other, NULL, thread, &jobs[1]))
			return 0;
		jobs[0].work(&jobs[0]);
		pthread_join(other, NULL);
		ratio[pass] = 2 * one / (now_s() - begin);
	}
	qsort(ratio, PASSES, sizeof(ratio[0]), by_value);
	return ratio[PASSES / 2];
}

bool pl_bench_cores_text(const struct pl_bench_machine *machine, char *text, size_t bytes)
{
	const struct pl_bench_cores *start = &machine->cores_start, *end = &machine->cores_end;

	snprintf(text, bytes, "arithmetic %.2f before, %.2f after; copying memory %.2f before, %.2f after",
		start->arithmetic, end->arithmetic, start->copying, end->copying);
	return start->arithmetic > 0;
}

struct pl_bench_cores pl_bench_cores_measure(void)
{
	struct job jobs[2] = { { .work = arith }, { .work = arith } };
	struct pl_bench_cores cores = { .arithmetic = worth(jobs) };
	bool ready = true;

	for (unsigned i = 0; i < 2; i++) {
		jobs[i] = (struct job){ .work = copy, .from = malloc(COPY_BYTES), .to = malloc(COPY_BYTES) };
		ready = ready && jobs[i].from && jobs[i].to;
		if (ready)
			memset(jobs[i].from, 1, COPY_BYTES), memset(jobs[i].to, 1, COPY_BYTES);
	}
	if (ready)
		cores.copying = worth(jobs);
	for (unsigned i = 0; i < 2; i++)
		free(jobs[i].from), free(jobs[i].to);
	return cores;
}
