/* The lines of the log that programs read: each session's begin and end, and refused greetings. */
#undef NDEBUG
#include <assert.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/null-backend.h"
#include "lib/server.h"

#define NUMBER "[0-9]+"
#define QUOTED "\"([^\"\\]|\\\\[\"\\])*\""
#define CLIENT                                                                                                         \
	"api=opencl who=(uid:" NUMBER "|token) pid=" NUMBER " program=" QUOTED                                         \
	" address=(unix|127\\.0\\.0\\.1:" NUMBER ")"
#define COUNTS "posts=" NUMBER " asks=" NUMBER " bytes_in=" NUMBER " bytes_out=" NUMBER " memory_peak_bytes=" NUMBER

static const char begin[] = "^plenumd: info: begin session=" NUMBER " " CLIENT " worker=" NUMBER "\n$";
static const char end[] = "^plenumd: info: end session=" NUMBER " " CLIENT " seconds=" NUMBER "\\.[0-9]{3} " COUNTS
			  " why=[a-z]+(:" NUMBER ")?\n$";
static const char refused[] =
	"^plenumd: info: refused kind=[a-z]+ reason=[a-z]+ who=(uid:" NUMBER "|unknown) pid=" NUMBER " program=" QUOTED
	" address=(unix|127\\.0\\.0\\.1:" NUMBER ") text=" QUOTED "\n$";

static bool matches(const char *line, const char *pattern)
{
	regex_t regex;
	bool found;

	assert(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) == 0);
	found = !regexec(&regex, line, 0, NULL, 0);
	regfree(&regex);
	return found;
}

/* Each of the log's lines of this kind is as it should be.  Return: how many there are. */
static int lines_checked(const struct pl_test_server *server, const char *word, const char *pattern)
{
	char line[2048], start[64];
	FILE *file = fopen(server->log, "re");
	int count = 0;

	assert(file);
	snprintf(start, sizeof(start), "plenumd: info: %s ", word);
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, start, strlen(start)))
			continue;
		if (!matches(line, pattern))
			fprintf(stderr, "%s", line);
		assert(matches(line, pattern));
		count++;
	}
	fclose(file);
	return count;
}

static int greet(const char *address, struct pl_hello hello, struct pl_hello_reply *reply_out)
{
	int fd = pl_test_connect(address);

	assert(fd >= 0 && pl_test_greet(fd, &hello, reply_out) == 0);
	return fd;
}

static void start(struct pl_test_server *server)
{
	struct pl_daemon_options options = pl_test_options();

	pl_test_server_start(server, &options, true);
}

static void test_each_end_says_why(void)
{
	struct pl_test_server server;
	struct pl_hello_reply reply;
	int fds[4];

	start(&server);
	for (int i = 0; i < 4; i++)
		fds[i] = greet(server.unix_address, pl_test_hello(PL_HELLO_SESSION), &reply);
	close(fds[0]);
	assert(strstr(pl_test_ask(server.unix_address, "{\"do\":\"kill\",\"session\":2}\n"), "true"));
	assert(kill((pid_t)reply.worker_pid, SIGKILL) == 0); /* the last one's */
	assert(pl_test_server_logged(&server, "why=client\n") && pl_test_server_logged(&server, "why=killed\n"));
	assert(pl_test_server_logged(&server, "why=signal:9\n"));
	assert(strstr(pl_test_ask(server.unix_address, "{\"do\":\"info\"}\n"), "\"crashes_total\":1"));
	assert(kill(server.pid, SIGTERM) == 0);
	assert(pl_test_server_logged(&server, "why=stopped\n"));
	assert(lines_checked(&server, "begin", begin) == 4 && lines_checked(&server, "end", end) == 4);
	for (int i = 1; i < 4; i++)
		close(fds[i]);
	pl_test_server_stop(&server);
}

static void test_a_drain_whose_time_is_over_says_so(void)
{
	struct pl_test_server server;
	struct pl_hello hello = pl_test_hello(PL_HELLO_SESSION);
	struct pl_hello_reply reply;
	int fd;

	start(&server);
	snprintf(hello.token, sizeof(hello.token), "%s", PL_TEST_TOKEN);
	fd = greet(server.tcp_address, hello, &reply);
	pl_test_ask(server.unix_address, "{\"do\":\"drain\",\"for\":0}\n");
	assert(pl_test_server_logged(&server, "why=drained\n"));
	assert(pl_test_server_logged(&server, " who=token ") && lines_checked(&server, "end", end) == 1);
	close(fd);
	pl_test_server_stop(&server);
}

static void test_refused_greetings_say_who_and_why(void)
{
	struct pl_hello hello = pl_test_hello(PL_HELLO_SESSION);
	struct pl_test_server server;
	struct pl_hello_reply reply;

	start(&server);
	close(greet(server.tcp_address, hello, &reply));
	assert(pl_test_server_logged(&server, "refused kind=session reason=token who=unknown "));
	hello.api = 99;
	close(greet(server.unix_address, hello, &reply));
	assert(pl_test_server_logged(&server, "refused kind=session reason=api who=uid:"));
	close(greet(server.unix_address, pl_test_hello(PL_HELLO_LANE), &reply));
	assert(pl_test_server_logged(&server, "refused kind=lane reason=session "));
	close(greet(server.unix_address, pl_test_hello(PL_HELLO_AGAIN), &reply));
	assert(pl_test_server_logged(&server, "refused kind=again reason=session "));
	close(greet(server.unix_address, pl_test_hello(PL_HELLO_PEER_MORE), &reply));
	assert(pl_test_server_logged(&server, "refused kind=more reason=session "));
	close(greet(server.unix_address, pl_test_hello(77), &reply));
	assert(pl_test_server_logged(&server, "refused kind=unknown reason=version "));
	assert(lines_checked(&server, "refused", refused) == 6);
	pl_test_server_stop(&server);
}

static void test_a_name_stays_in_its_quotes(void)
{
	static const char *const names[] = {
		"a\" why=client", "back\\slash\\", "a\nplenumd: info: end session=9", "\x1b[2J\xff",
		"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\""
	};
	const int count = sizeof(names) / sizeof(names[0]);
	struct pl_test_server server;
	struct pl_hello_reply reply;

	start(&server);
	for (int i = 0; i < count; i++) {
		struct pl_hello hello = pl_test_hello(PL_HELLO_SESSION);

		snprintf(hello.program, sizeof(hello.program), "%s", names[i]);
		close(greet(server.unix_address, hello, &reply));
		close(greet(server.tcp_address, hello, &reply));
	}
	memset(&reply, 0, sizeof(reply));
	for (int i = 1; i <= count; i++) {
		char last[32];

		snprintf(last, sizeof(last), "end session=%d ", i);
		assert(pl_test_server_logged(&server, last));
	}
	assert(lines_checked(&server, "begin", begin) == count && lines_checked(&server, "end", end) == count);
	assert(lines_checked(&server, "refused", refused) == count);
	pl_test_server_stop(&server);
}

int main(void)
{
	alarm(110); /* a bound for the whole of it */
	signal(SIGPIPE, SIG_IGN);
	test_each_end_says_why();
	test_a_drain_whose_time_is_over_says_so();
	test_refused_greetings_say_who_and_why();
	test_a_name_stays_in_its_quotes();
	return 0;
}
