/* SPDX-License-Identifier: Apache-2.0 */
/* What all the programs do, in the order in which programs do it, and how long each part took. */
#include "program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT(symbol, file)                                                                                             \
	__asm__(".section .rodata\n.global " symbol "\n" symbol ":\n.incbin \"" file "\"\n.byte 0\n.previous\n")
TEXT("pl_vmcuda_ptx", PL_VMCUDA_DIR "/vmcuda.ptx");

uint32_t pl_vmcuda_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

int pl_vmcuda_launch(const struct pl_vmcuda_job *job, unsigned function, const unsigned grid[2],
		     const unsigned block[2], size_t shared_bytes, void **arguments)
{
	return job->w->cu.launch(job->function[function], grid[0], grid[1], 1, block[0], block[1], 1,
				 (unsigned)shared_bytes, NULL, arguments, NULL);
}

/* Add to a part what has passed since the last one ended. */
static void part_end(double *part, double *last)
{
	double now = pl_worker_now();

	*part += now - *last;
	*last = now;
}

static int module_load(struct pl_vmcuda_job *job)
{
	int e = job->w->cu.module_load(&job->module, pl_vmcuda_ptx);

	if (e)
		return pl_worker_fail(job->w, "cuModuleLoadData", e);
	for (int i = 0; i < PL_VMCUDA_FUNCTIONS && job->kind->functions[i] && !e; i++)
		e = job->w->cu.function(&job->function[i], job->module, job->kind->functions[i]);
	return e ? pl_worker_fail(job->w, "cuModuleGetFunction", e) : 0;
}

static int host_make(struct pl_vmcuda_job *job, bool pinned)
{
	int e = 0;

	for (int i = 0; i < PL_VMCUDA_SCRATCH && !e; i++) {
		if (!job->bytes[i])
			continue;
		if (pinned)
			e = job->w->cu.host_alloc(&job->host[i], job->bytes[i]);
		else
			job->host[i] = malloc(job->bytes[i]);
		if (!e && !job->host[i])
			e = 2; /* CUDA_ERROR_OUT_OF_MEMORY */
	}
	if (e)
		return pl_worker_fail(job->w, pinned ? "cuMemAllocHost" : "malloc", e);
	job->kind->fill(job);
	return 0;
}

static int device_make(struct pl_vmcuda_job *job)
{
	int e = 0;

	for (int i = 0; i < PL_VMCUDA_BUFFERS && !e; i++)
		if (job->bytes[i])
			e = job->w->cu.alloc(&job->mem[i], job->bytes[i]);
	return e ? pl_worker_fail(job->w, "cuMemAlloc", e) : 0;
}

static int turn(struct pl_vmcuda_job *job, struct pl_vmcuda_times *times, double *last)
{
	const struct pl_worker_driver *cu = &job->w->cu;
	int e = 0;

	for (int i = 0; i < PL_VMCUDA_OUT + job->out_is_sent && !e; i++)
		if (job->bytes[i])
			e = cu->to_device(job->mem[i], job->host[i], job->bytes[i]);
	part_end(&times->h2d, last);
	if (e)
		return pl_worker_fail(job->w, "cuMemcpyHtoD", e);
	e = job->kind->launch(job);
	if (!e)
		e = cu->context_sync();
	part_end(&times->kernel, last);
	if (e)
		return pl_worker_fail(job->w, job->kind->functions[0], e);
	for (int i = PL_VMCUDA_OUT; i < PL_VMCUDA_SCRATCH && !e; i++)
		if (job->bytes[i])
			e = cu->to_host(job->host[i], job->mem[i], job->bytes[i]);
	part_end(&times->d2h, last);
	return e ? pl_worker_fail(job->w, "cuMemcpyDtoH", e) : 0;
}

static int answer_check(struct pl_vmcuda_job *job)
{
	long wrong = job->kind->check(job);

	if (wrong < 0)
		return 0;
	snprintf(job->w->error, sizeof(job->w->error), "%s: word %ld is wrong", job->kind->name, wrong);
	return -1;
}

/* For programs side by side: none begins before all may; each says its lines whole, with its size for a name. */
static void turns_wait(const struct pl_vmcuda_job *job)
{
	printf("@ready %zu\n", job->n);
	fflush(stdout);
	while (getchar() != EOF)
		;
}

/* What the last turn brought back must not pass for this one's. */
static int answer_forget(struct pl_vmcuda_job *job)
{
	int e = 0;

	if (job->out_is_sent) {
		job->kind->fill(job);
		return 0;
	}
	for (int i = PL_VMCUDA_OUT; i < PL_VMCUDA_SCRATCH && !e; i++) {
		if (!job->bytes[i])
			continue;
		memset(job->host[i], 0xa5, job->bytes[i]);
		e = job->w->cu.to_device(job->mem[i], job->host[i], job->bytes[i]);
	}
	return e ? pl_worker_fail(job->w, "cuMemcpyHtoD", e) : 0;
}

static int turn_told(struct pl_vmcuda_job *job, unsigned i, struct pl_vmcuda_times *times, double *last)
{
	int r = answer_forget(job);

	if (!r)
		r = turn(job, times, last);
	if (!r)
		r = answer_check(job);
	if (!r) {
		printf("@turn %zu %u\n", job->n, i + 1);
		fflush(stdout);
	}
	return r;
}

static void job_fini(struct pl_vmcuda_job *job, bool pinned)
{
	for (int i = 0; i < PL_VMCUDA_BUFFERS; i++) {
		if (job->mem[i])
			job->w->cu.release(job->mem[i]);
		if (pinned && job->host[i])
			job->w->cu.host_release(job->host[i]);
		else
			free(job->host[i]);
	}
	if (job->module)
		job->w->cu.module_unload(job->module);
}

static void bytes_sum(const struct pl_vmcuda_job *job, struct pl_vmcuda_times *times)
{
	for (int i = 0; i < PL_VMCUDA_OUT + job->out_is_sent; i++)
		times->sent += job->bytes[i];
	times->back = job->bytes[PL_VMCUDA_OUT] + job->bytes[PL_VMCUDA_OUT + 1];
}

static int job_run(struct pl_vmcuda_job *job, const struct pl_vmcuda_options *options, struct pl_vmcuda_times *times,
		   double *last)
{
	int r = module_load(job);

	part_end(&times->module, last);
	if (!r)
		r = host_make(job, options->pinned);
	part_end(&times->host, last);
	if (!r)
		r = device_make(job);
	part_end(&times->alloc, last);
	if (!r && options->each)
		turns_wait(job);
	for (unsigned i = 0; i < options->repeat && !r; i++)
		r = options->each ? turn_told(job, i, times, last) : turn(job, times, last);
	if (!r)
		r = answer_check(job);
	part_end(&times->host, last);
	return r;
}

int pl_vmcuda_run(struct pl_worker *w, const struct pl_vmcuda_kind *kind, const struct pl_vmcuda_options *options,
		  struct pl_vmcuda_times *times_out)
{
	struct pl_vmcuda_job job = { .w = w,
				     .kind = kind,
				     .n = options->n ? options->n : kind->n_usual,
				     .work = options->work ? options->work : kind->work_usual };
	double last = pl_worker_now();
	int r;

	*times_out = (struct pl_vmcuda_times){ 0 };
	if (job.n < kind->n_min || job.n > kind->n_max || job.n % kind->n_step || job.work > kind->work_max) {
		snprintf(w->error, sizeof(w->error),
			 "%s: --size takes %zu to %zu %s in steps of %zu, --work 1 to %u %s", kind->name, kind->n_min,
			 kind->n_max, kind->what_n, kind->n_step, kind->work_max, kind->what_work);
		return -1;
	}
	kind->plan(&job);
	bytes_sum(&job, times_out);
	r = pl_worker_open(w);
	part_end(&times_out->init, &last);
	if (!r)
		r = job_run(&job, options, times_out, &last);
	if (w->ready)
		job_fini(&job, options->pinned);
	pl_worker_close(w);
	part_end(&times_out->release, &last);
	return r;
}
