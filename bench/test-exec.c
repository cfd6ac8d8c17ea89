/* SPDX-License-Identifier: Apache-2.0 */
#undef NDEBUG
#include "exec.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static char parts[512];

static struct pl_bench_exec run(const char *script, unsigned limit_s)
{
	const char *argv[] = { "/bin/sh", "-c", script, NULL };
	FILE *to = fmemopen(parts, sizeof(parts), "w");
	struct pl_bench_exec exec;
	char error[128];

	memset(parts, 0, sizeof(parts));
	assert(to && pl_bench_exec((char *const *)argv, limit_s, to, &exec, error, sizeof(error)) == 0);
	fclose(to);
	return exec;
}

static void test_status_and_signal_are_told_apart(void)
{
	assert(run("exit 3", 20).rc == 3);
	assert(run("kill -9 $$", 20).rc == 128 + 9);
}

static void test_a_program_that_does_not_end_is_ended(void)
{
	assert(run("sleep 30", 1).rc == 124);
	assert(run("exec >/dev/null 2>&1; sleep 30", 1).rc == 124); /* its output has ended, it has not */
}

static void test_parts_go_through_and_nothing_else(void)
{
	struct pl_bench_exec exec = run("echo @part kernel 0.5; echo @end; echo ' @part x 1'; echo @part cpu 2", 20);

	assert(exec.rc == 0 && !strcmp(parts, "@part kernel 0.5\n@part cpu 2\n"));
}

static void test_a_program_that_lies_passes_no_part(void)
{
	run("echo @part kernel; echo @part kernel nan; echo '@part kernel 1 2'; echo @part a-name-that-is-too-long 1",
	    20);
	assert(parts[0] == '\0');
}

static void test_last_words_and_failures_are_kept(void)
{
	struct pl_bench_exec exec = run("echo Test FAILED; echo out of memory >&2; echo; exit 1", 20);

	assert(exec.fails == 1 && !strcmp(exec.last, "out of memory"));
	assert(run("echo @first 0.25", 20).first == 0.25);
	assert(run("echo @first soon", 20).first == -1);
}

static void test_a_missing_program_is_named(void)
{
	const char *argv[] = { "/no/such/program", NULL };
	struct pl_bench_exec exec;
	char error[128];

	assert(pl_bench_exec((char *const *)argv, 1, NULL, &exec, error, sizeof(error)) == -1);
	assert(strstr(error, "/no/such/program"));
}

int main(void)
{
	test_status_and_signal_are_told_apart();
	test_a_program_that_does_not_end_is_ended();
	test_parts_go_through_and_nothing_else();
	test_a_program_that_lies_passes_no_part();
	test_last_words_and_failures_are_kept();
	test_a_missing_program_is_named();
	return 0;
}
