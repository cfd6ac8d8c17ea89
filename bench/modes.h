/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a program reaches the device.  A mode is prepared once (its server
 * started, its environment made), has at most one worker at a time, and is
 * ended with everything it started.  What cannot run says why in mode->why.
 */
#ifndef PL_BENCH_MODES_H
#define PL_BENCH_MODES_H

#include "bench.h"

/** pl_bench_modes_parse() - fill run->modes from config->modes; the raw column comes last
 * @why_out: what is wrong with the list
 * Return: 0 or -EINVAL. */
int pl_bench_modes_parse(struct pl_bench_run *run, char *why_out, size_t why_bytes);

/** pl_bench_mode_prepare() - make the mode usable, or set why
 * Return: 0, -EINTR, or another -errno when the mode is skipped. */
int pl_bench_mode_prepare(struct pl_bench_run *run, struct pl_bench_mode *mode);
void pl_bench_mode_end(struct pl_bench_mode *mode);

/** pl_bench_mode_worker() - have a worker that takes commands */
int pl_bench_mode_worker(struct pl_bench_run *run, struct pl_bench_mode *mode);
/** pl_bench_mode_rest() - end its worker; pl_bench_mode_worker() starts a new one */
void pl_bench_mode_rest(struct pl_bench_mode *mode);

/** pl_bench_mode_why() - set mode->why, with the last line of its log */
void pl_bench_mode_why(const struct pl_bench_run *run, struct pl_bench_mode *mode,
	const char *format, ...) __attribute__((format(printf, 3, 4)));

/** pl_bench_exe_find() - a program: beside us, where the build puts it, or in $PATH
 * @near: NULL-terminated paths relative to our own folder
 * Return: 0 or -ENOENT. */
int pl_bench_exe_find(const struct pl_bench_config *config, const char *name,
	const char *const *near, char *path_out, size_t path_bytes);

/** pl_bench_env_base() - our environment with native's drivers and a kernel cache of this run
 * The cache is shared by all modes and goes with the run, so the user's stays as it was. */
int pl_bench_env_base(const struct pl_bench_run *run, struct pl_bench_env *env);

/* servers.c; all return 0, -EINTR or -errno with mode->why set. */
int pl_bench_server_start(struct pl_bench_run *run, struct pl_bench_mode *mode);
int pl_bench_peer_start(struct pl_bench_run *run, struct pl_bench_mode *mode);
/* cuda.c; which libcuda.so.1 a mode's programs find, and its server if it has one. */
int pl_bench_cuda_reach(struct pl_bench_run *run, struct pl_bench_mode *mode);
int pl_bench_cuda_native(const struct pl_bench_run *run, struct pl_bench_env *env);
int pl_bench_cuda_client(struct pl_bench_run *run, struct pl_bench_mode *mode);
/* net.c; the words before the program's own that give it a network with this mode's MTU. Return: how many. */
#define PL_BENCH_NET_ARGS 10
unsigned pl_bench_net_argv(const struct pl_bench_run *run, const struct pl_bench_mode *mode, const char **argv_out);
/** pl_bench_net_address() - the server's address as that program must give it */
int pl_bench_net_address(struct pl_bench_mode *mode, const char *listening, char *address_out, size_t bytes);
/* icd.c; make folders of driver lists in the run folder */
int pl_bench_icd_native(const struct pl_bench_run *run, struct pl_bench_env *env);
int pl_bench_icd_plenum(const struct pl_bench_run *run, struct pl_bench_mode *mode);
int pl_bench_icd_use(struct pl_bench_mode *mode, const char *path);

#endif
