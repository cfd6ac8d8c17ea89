/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Child processes that are never left behind: each leads its own process group
 * and dies with us; what they leave over is adopted and ended too.  Every wait
 * has a deadline.  Times are CLOCK_MONOTONIC nanoseconds.
 */
#ifndef PL_BENCH_PROC_H
#define PL_BENCH_PROC_H

#include "talk.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PL_BENCH_ENV_MAX 512 /* variables; more are dropped with -E2BIG */

/* An environment for a child; zero-initialised is empty. */
struct pl_bench_env {
	char **v; /* NULL-terminated */
	size_t n;
};

int pl_bench_env_copy(struct pl_bench_env *env, char *const *from);
int pl_bench_env_set(struct pl_bench_env *env, const char *name, const char *value);
void pl_bench_env_unset(struct pl_bench_env *env, const char *name);
const char *pl_bench_env_get(const struct pl_bench_env *env, const char *name);
void pl_bench_env_fini(struct pl_bench_env *env);

struct pl_bench_proc {
	pid_t pid; /* 0: none */
	int in;	   /* we write */
	int out;   /* we read */
	size_t n;
	char buf[4 * PL_BENCH_TALK_LINE_MAX];
};

struct pl_bench_spawn {
	char *const *argv; /* argv[0] is a path; NULL with `body` */
	char *const *envp;
	int (*body)(int in, int out); /* runs in the child instead of a program */
	const char *log;	      /* stderr goes there; NULL: /dev/null */
	int ready_fd;		      /* >= 0: the child's end, kept open under this number */
};

uint64_t pl_bench_now_ns(void);
/** pl_bench_stop_watch() - SIGINT, SIGTERM, SIGHUP end waits with -EINTR; adopt orphans */
void pl_bench_stop_watch(void);
bool pl_bench_stopped(void);

/** pl_bench_proc_start() - start a child with pipes
 * Return: 0, or -errno, that of exec included. */
int pl_bench_proc_start(struct pl_bench_proc *proc, const struct pl_bench_spawn *spawn);
/** pl_bench_proc_say() - send one command line */
int pl_bench_proc_say(struct pl_bench_proc *proc, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/** pl_bench_proc_line() - next line of output
 * Return: 0, -ETIMEDOUT, -EPIPE when the child is gone, -EINTR when stopped. */
int pl_bench_proc_line(
	struct pl_bench_proc *proc, uint64_t deadline_ns, char *line_out, size_t line_bytes);
/** pl_bench_proc_wait() - wait for the exit status
 * Return: 0..255, 128 + signal, -ETIMEDOUT, or -EINTR. */
int pl_bench_proc_wait(struct pl_bench_proc *proc, uint64_t deadline_ns);
/** pl_bench_proc_end() - close its input, then terminate, then kill its group; none is fine */
void pl_bench_proc_end(struct pl_bench_proc *proc, unsigned grace_ms);
/** pl_bench_proc_sweep() - kill what ended children left to us */
void pl_bench_proc_sweep(void);

#endif
