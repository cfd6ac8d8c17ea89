/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a benchmark run is made of: figures (what is measured), modes (how the
 * program reaches the device) and one cell per pair.  A run is interleaved:
 * for each figure, mode A, B, C, then B, C, A and so on, so that drift of the
 * machine and the order hit every mode equally.  One thread owns all of it.
 */
#ifndef PL_BENCH_H
#define PL_BENCH_H

#include "proc.h"
#include "stats.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define PL_BENCH_MODES_MAX 8 /* without the raw column */
#define PL_BENCH_FIGURES_MAX 256
#define PL_BENCH_ROUNDS_MAX 320 /* over all passes */

enum pl_bench_suite {
	PL_BENCH_MICRO = 1,
	PL_BENCH_APPS = 2,
	PL_BENCH_KERNELS = 4,
	PL_BENCH_CUDA = 8, /* micro, on CUDA */
	PL_BENCH_VMCUDA = 16,
};

enum pl_bench_kind {
	PL_BENCH_RUN,	    /* a worker's `run` */
	PL_BENCH_RAW,	    /* the machine itself, no OpenCL; mode "raw" */
	PL_BENCH_COUNT,	    /* difference of the client's counters */
	PL_BENCH_CALLGRIND, /* difference of instruction counts */
	PL_BENCH_EXEC,	    /* a whole program's wall time */
	PL_BENCH_PART,	    /* what a program of plenum-bench-vmcuda says of itself */
	PL_BENCH_GEOMEAN,   /* derived from the figures whose name starts with `arg` */
};

enum pl_bench_unit {
	PL_BENCH_NS,
	PL_BENCH_US,
	PL_BENCH_MS,
	PL_BENCH_S,
	PL_BENCH_GBS, /* bytes / seconds / 1e9 */
	PL_BENCH_PER_S,
	PL_BENCH_EACH,	/* a count per iteration */
	PL_BENCH_TIMES, /* a ratio of speeds */
	PL_BENCH_MB,	/* 1e6 bytes */
	PL_BENCH_PERCENT,
};

struct pl_bench_figure {
	const char *name;
	unsigned suite; /* of enum pl_bench_suite */
	enum pl_bench_kind kind;
	enum pl_bench_unit unit;
	unsigned samples; /* per round */
	size_t bytes;	  /* per operation, for GBS and the size sweep */
	const char *arg;  /* COUNT, CALLGRIND: loop; EXEC: program; PART: its arguments; GEOMEAN: prefix */
	const char *key;  /* COUNT: counter in the client's statistics; PART: see parts.c */
	const char *meaning;
	const char *quick; /* PART: more arguments with --quick */
	unsigned turns;	   /* COUNT: of the shorter run; 0: the usual number */
	unsigned clients;  /* PART: programs at once; 0: one, in every mode */
	bool raw;	   /* RUN: the raw mode sends as many bytes over loopback, in turns with the others */
};

const struct pl_bench_figure *pl_bench_figures(size_t *n_out);
const char *pl_bench_suite_name(unsigned suites);
const char *pl_bench_unit_name(enum pl_bench_unit unit);
bool pl_bench_unit_more_is_better(enum pl_bench_unit unit);
double pl_bench_unit_value(const struct pl_bench_figure *figure, double seconds);
void pl_bench_list(FILE *to, unsigned suites);

enum pl_bench_mode_kind {
	PL_BENCH_NATIVE,
	PL_BENCH_SHM,
	PL_BENCH_TCP,
	PL_BENCH_VM,	 /* vm, vm-LINK */
	PL_BENCH_VMS,	 /* as many guests as there are clients, one server */
	PL_BENCH_MTU,	 /* mtuBYTES: tcp through a network of its own */
	PL_BENCH_PEER,
	PL_BENCH_REFGPU,   /* CUDA on the reference GPU; refgpu-1: with one thread */
	PL_BENCH_CUDA_MODE, /* CUDA on the system's driver */
	PL_BENCH_ICD,	   /* NAME=PATH: any other driver */
	PL_BENCH_RAW_MODE, /* the machine itself */
};

/* What the command line and the environment decided; strings are borrowed. */
struct pl_bench_config {
	unsigned suites;
	const char *modes, *only, *json, *plots, *platform;
	const char *plenum, *worker, *icd, *shoc, *clpeak, *peer_pocld, *peer_icd, *samples, *driver, *from;
	bool quick, busy, quiet, cuda;
	unsigned rounds;   /* 0: the figure's own */
	unsigned slice_ms; /* vmcuda: programs of the modes run in turns of so long; 0: one after the other */
	unsigned limit_s;  /* whole run */
	unsigned figure_s; /* time one mode may spend on one figure */
	char exe_dir[PATH_MAX];
	char run_dir[80]; /* private, removed at the end; short, for a unix socket's path */
	char plenum_path[PATH_MAX], worker_path[PATH_MAX], clpeak_path[PATH_MAX];
	char cuda_worker_path[PATH_MAX], vmcuda_path[PATH_MAX], refgpu_dir[PATH_MAX]; /* "" = not found */
	char cuda_client_dir[PATH_MAX];						      /* of Plenum's libcuda.so.1 */
	uint64_t deadline_ns; /* of the whole run */
};

struct pl_bench_mode {
	char name[24];
	enum pl_bench_mode_kind kind;
	bool active;
	char why[320];		 /* why it is not active, or what went wrong last */
	char icd[PATH_MAX];	 /* ICD mode: the driver */
	char link[16];		 /* VM: how the guest reaches the server; "": as `plenum vm` does */
	unsigned mtu;		 /* MTU */
	unsigned net;		 /* MTU: 10.199.NET.0/24 */
	struct pl_bench_env env; /* of the worker */
	struct pl_bench_proc server, worker;
	unsigned deaths; /* workers lost; a mode with too many is given up */
	char platform[128], device[128], driver[128], version[128];
};

enum pl_bench_state { PL_BENCH_NONE, PL_BENCH_DONE, PL_BENCH_FAILED };

struct pl_bench_cell {
	enum pl_bench_state state;
	char why[320];
	struct pl_bench_samples samples;   /* in the figure's unit */
	double round[PL_BENCH_ROUNDS_MAX]; /* median of each round, NAN where it failed */
	unsigned rounds;
	double spent_s;
	struct pl_bench_stats stats;
	bool has_ratio;
	double ratio, ratio_p10, ratio_p90; /* to native; spread over paired rounds */
	double ratio_low, ratio_high;	    /* 95 % interval of the median of these; 0: too few rounds to say */
	int rc;				    /* EXEC */
	unsigned fails;
};

/* How many times as much two threads do as one, in the same time; 0 = not measured. */
struct pl_bench_cores {
	double arithmetic, copying;
};

struct pl_bench_machine {
	char cpu[128], kernel[160], os[128], governor[32], hypervisor[64];
	unsigned cores;
	uint64_t mem_bytes;
	double load_start, load_end;
	struct pl_bench_cores cores_start, cores_end; /* of kernels */
	char when[32];
};

struct pl_bench_run {
	struct pl_bench_config *config;
	const struct pl_bench_figure *figures;
	size_t n_figures;
	bool wanted[PL_BENCH_FIGURES_MAX];
	struct pl_bench_mode modes[PL_BENCH_MODES_MAX + 1]; /* the raw column is the last */
	unsigned n_modes;				    /* with the raw column */
	struct pl_bench_cell *cells;			    /* [figure * n_modes + mode] */
	struct pl_bench_machine machine;
};

/** pl_bench_cell() - the cell of a figure and a mode; never NULL */
struct pl_bench_cell *pl_bench_cell(const struct pl_bench_run *run, size_t figure, unsigned mode);
/** pl_bench_find() - a finished cell by names
 * Return: the cell, or NULL when it is missing or not done. */
const struct pl_bench_cell *pl_bench_find(
	const struct pl_bench_run *run, const char *figure, const char *mode);

void pl_bench_machine_read(struct pl_bench_machine *machine_out);
double pl_bench_load(void);
/** pl_bench_cores_measure() - what a second core of this machine is worth; takes about a second */
struct pl_bench_cores pl_bench_cores_measure(void);
/* Return: it was measured, and the text says what came out. */
bool pl_bench_cores_text(const struct pl_bench_machine *machine, char *text, size_t bytes);

/* All below return 0 or -errno; -EINTR when the user stopped the run. */
int pl_bench_micro(struct pl_bench_run *run);
int pl_bench_counts(struct pl_bench_run *run);
int pl_bench_apps(struct pl_bench_run *run);
int pl_bench_parts(struct pl_bench_run *run);

/** pl_bench_is_cuda() - does this run measure CUDA? */
bool pl_bench_is_cuda(const struct pl_bench_run *run);

/** pl_bench_busy_start() - one spinner of idle priority per core, until ended */
int pl_bench_busy_start(struct pl_bench_proc *proc);
/** pl_bench_raw_start() - the process that measures the machine itself */
int pl_bench_raw_start(struct pl_bench_proc *proc);
int pl_bench_raw_main(int in, int out); /* its body; ends with its input */

#endif
