/* Limits of what a session holds, and changing them while it runs. */
#undef NDEBUG
#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/null-backend.h"
#include "lib/server.h"

static void test_a_limit_below_what_is_held_takes_nothing_and_gives_nothing(void)
{
	struct pl_quota quota = { .limit = { [PL_QUOTA_MEMORY] = 100 } };

	assert(pl_quota_charge(&quota, PL_QUOTA_MEMORY, 80));
	assert(!pl_quota_charge(&quota, PL_QUOTA_MEMORY, 21));
	quota.limit[PL_QUOTA_MEMORY] = 50;
	assert(quota.used[PL_QUOTA_MEMORY] == 80);
	assert(!pl_quota_charge(&quota, PL_QUOTA_MEMORY, 0) && !pl_quota_charge(&quota, PL_QUOTA_MEMORY, UINT64_MAX));
	pl_quota_return(&quota, PL_QUOTA_MEMORY, 40);
	assert(pl_quota_charge(&quota, PL_QUOTA_MEMORY, 10) && !pl_quota_charge(&quota, PL_QUOTA_MEMORY, 1));
	quota.limit[PL_QUOTA_MEMORY] = UINT64_MAX;
	assert(pl_quota_charge(&quota, PL_QUOTA_MEMORY, 1000));
	assert(quota.peak[PL_QUOTA_MEMORY] == 1050 && !quota.peak[PL_QUOTA_OBJECTS]);
}

static void assert_says(const char *address, const char *request, const char *text)
{
	const char *answer = pl_test_ask(address, request);

	if (!strstr(answer, text))
		fprintf(stderr, "%s%s", request, answer);
	assert(strstr(answer, text));
}

static void test_requests_that_make_no_sense_change_nothing(const char *address)
{
	static const char *const wrong[][2] = {
		{ "{\"do\":\"limit\",\"memory_bytes\":5}\n", "no such session" },
		{ "{\"do\":\"limit\",\"session\":2,\"memory_bytes\":5}\n", "no such session" },
		{ "{\"do\":\"limit\",\"session\":-1,\"memory_bytes\":5}\n", "no such session" },
		{ "{\"do\":\"limit\",\"session\":\"1\",\"memory_bytes\":5}\n", "no such session" },
		{ "{\"do\":\"limit\",\"session\":1,\"memory_bytes\":0}\n", "memory_bytes: a number" },
		{ "{\"do\":\"limit\",\"session\":1,\"memory_bytes\":-5}\n", "memory_bytes: a number" },
		{ "{\"do\":\"limit\",\"session\":1,\"host_bytes\":\"1G\"}\n", "host_bytes: a number" },
		{ "{\"do\":\"limit\",\"session\":1,\"host_bytes\":18446744073709551615}\n", "host_bytes: a number" },
		{ "{\"do\":\"limit\",\"session\":1,\"inflight_bytes\":null}\n", "inflight_bytes: a number" },
		{ "{\"do\":\"limit\",\"session\":1,\"memory_bytes\":7,\"objects\":1048577}\n", "objects: a number" },
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_says(address, wrong[i][0], wrong[i][1]);
	assert_says(address, "{\"do\":\"sessions\"}\n", "\"memory_limit_bytes\":null");
}

static void test_a_change_tells_what_was_before(const char *address)
{
	assert_says(address, "{\"do\":\"limit\",\"session\":1,\"memory_bytes\":7,\"objects\":1048576}\n",
		    "\"old\":{\"objects\":1048576,\"memory_bytes\":null");
	assert_says(address, "{\"do\":\"limit\",\"session\":1,\"objects\":3}\n",
		    "\"new\":{\"objects\":3,\"memory_bytes\":7");
	assert_says(address, "{\"do\":\"sessions\"}\n", "\"objects_limit\":3,\"memory_limit_bytes\":7");
}

static void test_users_do_not_change_their_own_limits(const char *address)
{
	int status;
	pid_t pid;

	if (geteuid() != 0) {
		printf("skipped: foreign users (needs root)\n");
		return;
	}
	pid = fork();
	if (!pid) {
		if (setresuid(12345, 12345, 12345) < 0)
			_exit(77);
		assert_says(address, "{\"do\":\"limit\",\"session\":1,\"objects\":9}\n", "only the server's own user");
		_exit(0);
	}
	assert(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
	struct pl_hello hello = pl_test_hello(PL_HELLO_SESSION);
	struct pl_daemon_options options = pl_test_options();
	struct pl_test_server server;
	struct pl_hello_reply reply;
	int fd;

	alarm(60); /* a bound for the whole of it */
	test_a_limit_below_what_is_held_takes_nothing_and_gives_nothing();
	options.allow_all_users = true;
	pl_test_server_start(&server, &options, false);
	assert(chmod(server.folder, 0755) == 0);
	fd = pl_test_connect(server.unix_address);
	assert(fd >= 0 && pl_test_greet(fd, &hello, &reply) == 0 && reply.session == 1);
	test_requests_that_make_no_sense_change_nothing(server.unix_address);
	test_a_change_tells_what_was_before(server.unix_address);
	test_users_do_not_change_their_own_limits(server.unix_address);
	close(fd);
	pl_test_server_stop(&server);
	return 0;
}
