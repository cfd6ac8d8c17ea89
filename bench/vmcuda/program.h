/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plenum-bench-vmcuda: programs of the five kinds of the vmCUDA paper on the CUDA driver API, with sizes to choose,
 * a check of each answer against the processor's, and the time of each part.  It knows nothing of Plenum.
 * Sizes are bytes unless a name says otherwise; times are seconds; one thread owns everything.
 */
#ifndef PL_VMCUDA_PROGRAM_H
#define PL_VMCUDA_PROGRAM_H

#include "../cuda/driver.h"

#define PL_VMCUDA_BUFFERS                                                                                              \
	7 /* 0 to 2 are sent, 3 is brought back (and sent, if wanted), 4 is brought back, 5 and 6 stay */
#define PL_VMCUDA_OUT       3
#define PL_VMCUDA_SCRATCH   5
#define PL_VMCUDA_FUNCTIONS 3
#define PL_VMCUDA_WIDTH     1024u /* of the stereo images, in pixels */

struct pl_vmcuda_job {
	struct pl_worker *w;
	const struct pl_vmcuda_kind *kind;
	size_t n;      /* options, side, pixels or keys */
	unsigned work; /* see the kind */
	size_t bytes[PL_VMCUDA_BUFFERS];
	uint64_t mem[PL_VMCUDA_BUFFERS];
	void *host[PL_VMCUDA_BUFFERS]; /* NULL from PL_VMCUDA_SCRATCH on */
	bool out_is_sent;
	void *module, *function[PL_VMCUDA_FUNCTIONS];
};

struct pl_vmcuda_kind {
	const char *name, *what_n, *what_work;
	const char *functions[PL_VMCUDA_FUNCTIONS];
	size_t n_usual, n_min, n_max, n_step;
	unsigned work_usual, work_max;
	void (*plan)(struct pl_vmcuda_job *job); /* sets bytes */
	void (*fill)(struct pl_vmcuda_job *job);
	int (*launch)(struct pl_vmcuda_job *job); /* the API's result */
	/* Is what came back right?  Return: index of the first wrong word, or -1. */
	long (*check)(const struct pl_vmcuda_job *job);
};

extern const struct pl_vmcuda_kind pl_vmcuda_binomial, pl_vmcuda_blackscholes, pl_vmcuda_matmul, pl_vmcuda_stereo,
	pl_vmcuda_radixsort;

struct pl_vmcuda_options {
	size_t n;        /* 0: usual */
	unsigned work;   /* 0: usual */
	unsigned repeat; /* turns of send, compute, bring back */
	bool pinned;     /* host memory of the driver instead of malloc() */
	bool each;       /* check and tell each turn; begin when standard input ends */
};

struct pl_vmcuda_times {
	double init, module, alloc, h2d, kernel, d2h, release, host;
	size_t sent, back; /* bytes of one turn */
};

/** pl_vmcuda_run() - one program from cuInit to the end of its context
 * Return: 0, or -1 with w->error set; a wrong answer is an error. */
int pl_vmcuda_run(struct pl_worker *w, const struct pl_vmcuda_kind *kind, const struct pl_vmcuda_options *options,
		  struct pl_vmcuda_times *times_out);

/** pl_vmcuda_copies() - copies of 1/@divisor of 32 to 624 MiB there and back, the paper's sizes, @repeat times */
int pl_vmcuda_copies(struct pl_worker *w, unsigned divisor, unsigned repeat, struct pl_vmcuda_times *times_out);

/** pl_vmcuda_crowd() - run a program @n times at once and print the mean of each @part it prints
 * Return: 0, or the first exit status that is not 0. */
int pl_vmcuda_crowd(unsigned n, char *const argv[]);

void pl_vmcuda_part(const char *name, double value); /* one line on stdout for the harness */
uint32_t pl_vmcuda_random(uint32_t *state);

/** pl_vmcuda_launch() - one kernel on the default stream, arguments as the API wants them */
int pl_vmcuda_launch(const struct pl_vmcuda_job *job, unsigned function, const unsigned grid[2],
		     const unsigned block[2], size_t shared_bytes, void **arguments);

extern const char pl_vmcuda_ptx[]; /* ended by 0 */

#endif
