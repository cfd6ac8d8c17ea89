/* SPDX-License-Identifier: Apache-2.0 */
#undef NDEBUG
#include "proc.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECOND 1000000000ull

static void start(struct pl_bench_proc *proc, const char *script)
{
	const char *argv[] = { "/bin/sh", "-c", script, NULL };
	struct pl_bench_spawn spawn = {
		.argv = (char *const *)argv, .envp = environ, .ready_fd = -1
	};

	*proc = (struct pl_bench_proc){ 0 };
	assert(pl_bench_proc_start(proc, &spawn) == 0);
}

static void test_lines_go_both_ways(void)
{
	struct pl_bench_proc proc;
	char line[64];

	start(&proc, "read x; echo \"got $x\"; exit 3");
	assert(pl_bench_proc_say(&proc, "hello %d\n", 7) == 0);
	assert(pl_bench_proc_line(&proc, pl_bench_now_ns() + 20 * SECOND, line, sizeof(line)) == 0);
	assert(!strcmp(line, "got hello 7\n"));
	assert(pl_bench_proc_line(&proc, pl_bench_now_ns() + 20 * SECOND, line, sizeof(line)) ==
		-EPIPE);
	assert(pl_bench_proc_wait(&proc, pl_bench_now_ns() + 20 * SECOND) == 3);
	assert(proc.pid == 0);
	pl_bench_proc_end(&proc, 10); /* none is fine */
}

static void test_missing_program_is_told_at_start(void)
{
	const char *argv[] = { "/nonexistent/program", NULL };
	struct pl_bench_spawn spawn = {
		.argv = (char *const *)argv, .envp = environ, .ready_fd = -1
	};
	struct pl_bench_proc proc = { 0 };

	assert(pl_bench_proc_start(&proc, &spawn) == -ENOENT);
	assert(proc.pid == 0);
}

static void test_silent_child_meets_the_deadline(void)
{
	struct pl_bench_proc proc;
	char line[64];

	start(&proc, "sleep 100");
	assert(pl_bench_proc_line(&proc, pl_bench_now_ns() + 10000000, line, sizeof(line)) ==
		-ETIMEDOUT);
	assert(pl_bench_proc_wait(&proc, pl_bench_now_ns() + 10000000) == -ETIMEDOUT);
	pl_bench_proc_end(&proc, 20);
	assert(proc.pid == 0);
}

static void test_deaf_child_is_killed_with_its_group(void)
{
	struct pl_bench_proc proc;
	char line[64];
	pid_t inner;

	start(&proc, "trap '' TERM; sleep 100 & echo $!; while :; do sleep 1; done");
	assert(pl_bench_proc_line(&proc, pl_bench_now_ns() + 20 * SECOND, line, sizeof(line)) == 0);
	inner = atoi(line);
	assert(inner > 1 && kill(inner, 0) == 0);
	pl_bench_proc_end(&proc, 20);
	pl_bench_proc_sweep();
	assert(kill(inner, 0) < 0 && errno == ESRCH);
}

static void test_child_that_floods_without_line_ends_is_cut(void)
{
	struct pl_bench_proc proc;
	char line[100];

	start(&proc, "head -c 100000 /dev/zero | tr '\\0' x");
	assert(pl_bench_proc_line(&proc, pl_bench_now_ns() + 20 * SECOND, line, sizeof(line)) == 0);
	assert(strlen(line) == sizeof(line) - 1 && line[0] == 'x');
	pl_bench_proc_end(&proc, 20);
}

static void test_environment_is_edited(void)
{
	char one[] = "ONE=1", two[] = "TWO=2", ones[] = "ONES=x";
	char *from[] = { one, ones, two, NULL };
	struct pl_bench_env env = { 0 };

	assert(pl_bench_env_copy(&env, from) == 0 && env.n == 3);
	assert(pl_bench_env_set(&env, "ONE", "new") == 0 && env.n == 3);
	assert(!strcmp(pl_bench_env_get(&env, "ONE"), "new"));
	assert(!strcmp(pl_bench_env_get(&env, "ONES"), "x"));
	pl_bench_env_unset(&env, "TWO");
	pl_bench_env_unset(&env, "TWO");
	assert(env.n == 2 && !env.v[2] && !pl_bench_env_get(&env, "TWO"));
	pl_bench_env_fini(&env);
}

int main(void)
{
	pl_bench_stop_watch();
	test_lines_go_both_ways();
	test_missing_program_is_told_at_start();
	test_silent_child_meets_the_deadline();
	test_deaf_child_is_killed_with_its_group();
	test_child_that_floods_without_line_ends_is_cut();
	test_environment_is_edited();
	return 0;
}
