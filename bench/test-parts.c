/* SPDX-License-Identifier: Apache-2.0 */
#undef NDEBUG
#include "parts.h"

#include <assert.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void part(struct pl_bench_answer *answer, const char *name, double value)
{
	strcpy(answer->parts[answer->n_parts].name, name);
	answer->parts[answer->n_parts++].value = value;
}

static struct pl_bench_answer whole(void)
{
	struct pl_bench_answer answer = { .exec = { .kind = PL_BENCH_TALK_EXEC, .seconds = 4 } };

	part(&answer, "init", 0.25);
	part(&answer, "module", 0.5);
	part(&answer, "h2d", 0.75);
	part(&answer, "kernel", 1);
	part(&answer, "d2h", 0.25);
	part(&answer, "cpu", 2);
	return answer;
}

static double value(const struct pl_bench_answer *answer, const char *key)
{
	double v = NAN;

	assert(pl_bench_part_value(answer, 3, key, &v));
	return v;
}

static void test_parts_make_the_papers_split(void)
{
	struct pl_bench_answer answer = whole();

	assert(value(&answer, "wall") == 4 && value(&answer, "kernel") == 1);
	assert(value(&answer, "copy") == 1 && value(&answer, "rest") == 2);
	assert(value(&answer, "start") == 0.75 && value(&answer, "use") == 50);
	assert(value(&answer, "server") == 75);
}

static void test_a_program_that_leaves_parts_out_has_no_value(void)
{
	struct pl_bench_answer answer = { .exec.seconds = 4 };
	double v = 7;

	part(&answer, "h2d", 1);
	assert(!pl_bench_part_value(&answer, 1, "copy", &v));
	assert(!pl_bench_part_value(&answer, 1, "unheard", &v));
	assert(!pl_bench_part_value(&(struct pl_bench_answer){ 0 }, 1, "wall", &v));
	answer = whole();
	assert(!pl_bench_part_value(&answer, -1, "no such part", &v) && v == 7);
}

static void test_a_tree_holds_what_its_members_waited_for(void)
{
	pid_t pid = fork();
	double before, after;

	if (!pid) { /* the grandchild spins for at least 30 ms of processor time, and is waited for */
		if (!fork()) {
			struct timespec t;

			do
				clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
			while (!t.tv_sec && t.tv_nsec < 30000000);
			_exit(0);
		}
		wait(NULL);
		pause();
	}
	before = pl_bench_tree_seconds(pid);
	do
		after = pl_bench_tree_seconds(pid);
	while (after < 0.02);
	assert(before >= 0 && after >= before);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert(pl_bench_tree_seconds(pid) == -1);
	assert(pl_bench_tree_seconds(0) == -1);
}

/* Its child counts in shared memory for ever. */
static void test_a_tree_that_is_held_stands_still(void)
{
	volatile unsigned *count =
		mmap(NULL, sizeof(*count), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct pl_bench_held held = { 0 };
	unsigned seen;
	pid_t pid;

	assert(count != MAP_FAILED);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (!fork()) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				++*count;
		}
		pause();
	}
	while (!*count)
		usleep(100);
	pl_bench_held_look(&held, pid);
	assert(held.n == 2);
	usleep(20000); /* it may have been on its way through the kernel */
	seen = *count;
	usleep(20000);
	assert(*count == seen);
	pl_bench_held_go(&held);
	while (*count == seen)
		usleep(100);
	pl_bench_held_stop(&held);
	usleep(20000);
	seen = *count;
	usleep(20000);
	assert(*count == seen);
	pl_bench_held_go(&held);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	pl_bench_held_look(&held, pid);
	assert(!held.n);
	pl_bench_held_look(&held, 0);
	assert(!held.n);
	munmap((void *)count, sizeof(*count));
}

int main(void)
{
	test_a_tree_that_is_held_stands_still();
	test_parts_make_the_papers_split();
	test_a_program_that_leaves_parts_out_has_no_value();
	test_a_tree_holds_what_its_members_waited_for();
	return 0;
}
