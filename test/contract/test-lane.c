/*
 * The contract of src/link/link.h, on every link.  usage: test-lane [link [part of a case's name]]
 * Three cases at the end run the suite on lanes that break the contract, in a child process that must fail.
 */
#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "contract/cases.h"
#include "lib/process.h"
#include "link/hook/hook.h"

#define CASE_SECONDS_MAX 240 /* a hang, on any machine */

static const struct pl_test_case *const cases[] = {pl_test_cases_order, pl_test_cases_end, pl_test_cases_shm,
						    pl_test_cases_bell};

static void run(const struct pl_test_link *link, const struct pl_test_case *which)
{
	static char at[128];
	unsigned fds = pl_test_fds_open();

	snprintf(at, sizeof(at), "%s: %s", link->name, which->name);
	pl_test_at(at);
	pl_test_watchdog(CASE_SECONDS_MAX);
	printf("%s\n", at);
	fflush(stdout);
	which->run(link);
	assert(pl_test_fds_open() == fds);
}

/* A lane behind a hook with a fault, checked as if there were none. */
static void check_faulty(const struct pl_hook_options *fault)
{
	struct pl_test_pair pair;
	struct pl_lane *hooked;
	int r;

	pl_test_pair_create(&pair, &pl_test_links[1]);
	r = pl_hook_lane_wrap(pair.client, fault, &hooked);
	assert(!r);
	for (uint64_t i = 0; i < 10; i++) {
		r = pl_test_record_send(hooked, i, 4096, 0, PL_LANE_NOW);
		assert(!r);
	}
	for (uint64_t i = 0; i < 10; i++)
		pl_test_record_expect(pair.server, i, 4096, 0);
}

static void suite_notices(const char *what, const struct pl_hook_options *fault)
{
	struct rlimit none = {0};
	int status;
	pid_t child;

	printf("the suite notices %s\n", what);
	fflush(stdout);
	child = fork();
	assert(child >= 0);
	if (!child) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		setrlimit(RLIMIT_CORE, &none);
		dup2(null, STDERR_FILENO);
		signal(SIGABRT, SIG_DFL);
		check_faulty(fault);
		_exit(0);
	}
	waitpid(child, &status, 0);
	assert(!WIFEXITED(status) || WEXITSTATUS(status) != 0);
}

static bool belongs(const struct pl_test_case *which, const struct pl_test_link *link)
{
	if (which == pl_test_cases_shm)
		return !strcmp(link->name, "shm") || !strcmp(link->name, "ivshmem");
	if (which == pl_test_cases_bell)
		return link->region && !link->hooked;
	return true;
}

int main(int argc, char **argv)
{
	for (unsigned i = 0; i < pl_test_links_count; i++) {
		if (argc > 1 && strcmp(argv[1], pl_test_links[i].name) != 0)
			continue;
		if (pl_test_link_missing(&pl_test_links[i])) {
			printf("SKIP: %s: %s\n", pl_test_links[i].name, pl_test_link_missing(&pl_test_links[i]));
			continue;
		}
		for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
			if (!belongs(cases[k], &pl_test_links[i]))
				continue;
			for (const struct pl_test_case *which = cases[k]; which->name; which++)
				if ((argc < 3 || strstr(which->name, argv[2])) &&
				    !(which->stream && pl_test_links[i].shm))
					run(&pl_test_links[i], which);
		}
	}
	if (argc > 1)
		return 0;
	suite_notices("a record that gets lost", &(struct pl_hook_options){.drop_after = 3});
	suite_notices("bits that turn over", &(struct pl_hook_options){.corrupt_every = 5, .seed = 3});
	suite_notices("a link that is cut", &(struct pl_hook_options){.cut_after = 8});
	return 0;
}
