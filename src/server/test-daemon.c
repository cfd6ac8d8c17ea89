/* The daemon from outside: greetings, limits, workers' ends, its own end.  Null backend, private folders, loopback. */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/wait.h"
#include "lib/null-backend.h"
#include "lib/server.h"
#include "server/token.h"

#define SESSIONS_AT_ONCE 500
#define SESSIONS_IN_ROW  1000

/* Return: the connection; *reply_out is set.  -1: closed without an answer. */
static int greet(const char *address, const struct pl_hello *hello, struct pl_hello_reply *reply_out)
{
	int fd = pl_test_connect(address);

	assert(fd >= 0);
	if (pl_test_greet(fd, hello, reply_out) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* A session that must be given. */
static int session_open(const char *address, struct pl_hello_reply *reply_out)
{
	struct pl_hello hello = pl_test_hello(PL_HELLO_SESSION);
	int fd;

	if (!strncmp(address, "tcp:", 4))
		snprintf(hello.token, sizeof(hello.token), "%s", PL_TEST_TOKEN);
	fd = greet(address, &hello, reply_out);
	assert(fd >= 0 && reply_out->status == PL_HELLO_OK);
	return fd;
}

/* The peer ends the connection within 10 s. */
static void assert_closed(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char byte;

	assert(poll(&p, 1, 10000) == 1);
	assert(recv(fd, &byte, 1, 0) <= 0);
	close(fd);
}

static void assert_refused(const char *address, const struct pl_hello *hello, enum pl_hello_status status)
{
	struct pl_hello_reply reply;
	int fd = greet(address, hello, &reply);

	assert(fd >= 0);
	assert(reply.status == status);
	assert(reply.text[0]);
	assert_closed(fd);
}

static void fds_settle(pid_t pid, int at_most)
{
	for (int i = 0; i < 1000 && pl_test_fds_count(pid) > at_most; i++)
		usleep(10000);
	assert(pl_test_fds_count(pid) <= at_most);
}

static void test_session_is_given_and_ends_with_its_client(void)
{
	struct pl_daemon_options options = pl_test_options();
	struct pl_test_server server;
	struct pl_hello_reply reply;
	int fd;

	pl_test_server_start(&server, &options, false);
	fd = session_open(server.unix_address, &reply);
	assert(reply.session && reply.worker_pid && reply.api_hash == pl_backend_null.functions->hash);
	assert(reply.arena_bytes == 16u << 20);
	assert(kill((pid_t)reply.worker_pid, 0) == 0);
	close(fd);
	assert(pl_test_gone((pid_t)reply.worker_pid));
	pl_test_server_stop(&server);
}

static void test_garbage_half_and_wrong_greetings_are_refused(void)
{
	struct pl_daemon_options options = pl_test_options();
	struct pl_hello hello = pl_test_hello(PL_HELLO_SESSION);
	struct pl_test_server server;
	struct pl_hello_reply reply;
	int fd;

	pl_test_server_start(&server, &options, true);
	memset(&hello, 'x', sizeof(hello));
	assert_refused(server.unix_address, &hello, PL_HELLO_E_VERSION);
	hello = pl_test_hello(PL_HELLO_SESSION);
	hello.major++;
	assert_refused(server.unix_address, &hello, PL_HELLO_E_VERSION);
	hello = pl_test_hello(99);
	assert_refused(server.unix_address, &hello, PL_HELLO_E_VERSION);
	hello = pl_test_hello(PL_HELLO_SESSION);
	hello.api = 77;
	assert_refused(server.unix_address, &hello, PL_HELLO_E_API);
	hello = pl_test_hello(PL_HELLO_CONTROL);
	snprintf(hello.token, sizeof(hello.token), "%s", PL_TEST_TOKEN);
	assert_refused(server.tcp_address, &hello, PL_HELLO_E_API);
	fd = pl_test_connect(server.unix_address); /* half, then gone */
	assert(send(fd, &hello, 100, 0) == 100);
	close(fd);
	close(session_open(server.unix_address, &reply));
	pl_test_server_stop(&server);
}

static void test_greeting_may_come_slowly_but_not_for_ever(void)
{
	struct pl_daemon_options options = pl_test_options();
	struct pl_hello hello = pl_test_hello(PL_HELLO_SESSION);
	struct pl_test_server server;
	struct pl_hello_reply reply;
	uint64_t begin_ns = pl_now_ns();
	int fd, never;

	pl_test_server_start(&server, &options, false);
	never = pl_test_connect(server.unix_address);
	assert(send(never, &hello, 255, 0) == 255);
	fd = pl_test_connect(server.unix_address);
	for (size_t i = 0; i < sizeof(hello); i++) {
		assert(send(fd, (char *)&hello + i, 1, 0) == 1);
		if (i % 32 == 0)
			usleep(10000);
	}
	assert(recv(fd, &reply, sizeof(reply), MSG_WAITALL) == sizeof(reply));
	assert(reply.status == PL_HELLO_OK);
	close(fd);
	assert_closed(never);
	assert(pl_now_ns() - begin_ns >= (PL_DAEMON_GREETING_MS_MAX - 100) * 1000000ull);
	pl_test_server_stop(&server);
}

static void test_oldest_half_open_connection_makes_room(void)
{
	struct pl_daemon_options options = pl_test_options();
	int fds[PL_DAEMON_HALF_OPEN_MAX + 10];
	struct pl_test_server server;
	struct pl_hello_reply reply;
	int count = (int)(sizeof(fds) / sizeof(fds[0]));

	pl_test_server_start(&server, &options, false);
	for (int i = 0; i < count; i++)
		assert((fds[i] = pl_test_connect(server.unix_address)) >= 0);
	close(session_open(server.unix_address, &reply)); /* one more still gets in */
	for (int i = 0; i < 10; i++)
		assert_closed(fds[i]);
	assert(pl_test_fds_count(server.pid) < PL_DAEMON_HALF_OPEN_MAX + 20);
	for (int i = 10; i < count; i++)
		close(fds[i]);
	pl_test_server_stop(&server);
}

static void test_tcp_wants_the_token(void)
{
	struct pl_daemon_options options = pl_test_options();
	struct pl_hello hello = pl_test_hello(PL_HELLO_SESSION);
	struct pl_test_server server;
	struct pl_hello_reply reply;

	pl_test_server_start(&server, &options, true);
	assert(server.tcp_address[0]);
	assert_refused(server.tcp_address, &hello, PL_HELLO_E_TOKEN);
	snprintf(hello.token, sizeof(hello.token), "%s", PL_TEST_TOKEN);
	hello.token[0] ^= 1;
	assert_refused(server.tcp_address, &hello, PL_HELLO_E_TOKEN);
	memset(hello.token, 'x', sizeof(hello.token)); /* no end */
	assert_refused(server.tcp_address, &hello, PL_HELLO_E_TOKEN);
	memset(hello.token, 0, sizeof(hello.token));
	memcpy(hello.token, PL_TEST_TOKEN, 5); /* the beginning of it */
	assert_refused(server.tcp_address, &hello, PL_HELLO_E_TOKEN);
	close(session_open(server.tcp_address, &reply));
	assert(reply.arena_bytes == 0);
	pl_test_server_stop(&server);
}

/* Return: exit status of a child with another uid that greets; 77 = it could not become one. */
static int greet_as(uid_t uid, const char *address, uint32_t *status_out)
{
	int status, report[2];
	pid_t pid;

	assert(pipe(report) == 0);
	pid = fork();
	if (!pid) {
		struct pl_hello hello = pl_test_hello(PL_HELLO_SESSION);
		struct pl_hello_reply reply;
		int fd;

		if (setresuid(uid, uid, uid) < 0)
			_exit(77);
		fd = pl_test_connect(address);
		if (fd < 0)
			_exit(-fd == EACCES ? 3 : 4);
		if (pl_test_greet(fd, &hello, &reply) < 0 || write(report[1], &reply.status, 4) != 4)
			_exit(4);
		_exit(0);
	}
	close(report[1]);
	assert(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	if (read(report[0], status_out, 4) != 4)
		*status_out = UINT32_MAX;
	close(report[0]);
	return WEXITSTATUS(status);
}

static void test_foreign_users_are_let_in_only_when_named(void)
{
	struct pl_daemon_options options = pl_test_options();
	struct pl_test_server server;
	uint32_t status;
	struct stat st;

	if (geteuid() != 0) {
		printf("skipped: foreign users (needs root)\n");
		return;
	}
	pl_test_server_start(&server, &options, false);
	assert(chmod(server.folder, 0755) == 0);
	assert(stat(server.unix_address + 5, &st) == 0 && (st.st_mode & 0777) == 0600);
	assert(greet_as(12345, server.unix_address, &status) == 3); /* the file's mode keeps it out */
	assert(chmod(server.unix_address + 5, 0666) == 0);
	assert(greet_as(12345, server.unix_address, &status) == 0 && status == PL_HELLO_E_TOKEN);
	pl_test_server_stop(&server);

	options.allow_uids[options.allow_uids_count++] = 12345;
	pl_test_server_start(&server, &options, false);
	assert(chmod(server.folder, 0755) == 0);
	assert(greet_as(12345, server.unix_address, &status) == 0 && status == PL_HELLO_OK);
	assert(greet_as(12346, server.unix_address, &status) == 0 && status == PL_HELLO_E_TOKEN);
	pl_test_server_stop(&server);

	options.allow_uids_count = 0;
	options.allow_all_users = true;
	pl_test_server_start(&server, &options, false);
	assert(chmod(server.folder, 0755) == 0);
	assert(greet_as(12346, server.unix_address, &status) == 0 && status == PL_HELLO_OK);
	pl_test_server_stop(&server);
}

static void test_sessions_limit_refuses_one_more(void)
{
	struct pl_daemon_options options = pl_test_options();
	struct pl_hello hello = pl_test_hello(PL_HELLO_SESSION);
	struct pl_test_server server;
	struct pl_hello_reply reply;
	int fds[3];

	options.sessions_max = 3;
	pl_test_server_start(&server, &options, false);
	for (int i = 0; i < 3; i++)
		fds[i] = session_open(server.unix_address, &reply);
	assert_refused(server.unix_address, &hello, PL_HELLO_E_BUSY);
	close(fds[0]);
	assert(pl_test_server_logged(&server, "begin session=1 "));
	for (int i = 0; i < 500; i++) { /* its place is free when its worker is gone */
		fds[0] = greet(server.unix_address, &hello, &reply);
		if (reply.status == PL_HELLO_OK)
			break;
		close(fds[0]);
		usleep(10000);
	}
	assert(reply.status == PL_HELLO_OK);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	pl_test_server_stop(&server);
}

static void test_lanes_need_the_sessions_secret_and_kind_of_link(void)
{
	struct pl_daemon_options options = pl_test_options();
	struct pl_hello hello = pl_test_hello(PL_HELLO_LANE);
	struct pl_test_server server;
	struct pl_hello_reply reply, lane_reply;
	int fd, lane;

	options.lanes_max = 1;
	pl_test_server_start(&server, &options, true);
	fd = session_open(server.unix_address, &reply);
	hello.session = reply.session;
	assert_refused(server.unix_address, &hello, PL_HELLO_E_SESSION); /* all zeros */
	memcpy(hello.secret, reply.secret, sizeof(hello.secret));
	hello.secret[15] ^= 1;
	assert_refused(server.unix_address, &hello, PL_HELLO_E_SESSION);
	hello.secret[15] ^= 1;
	hello.session++;
	assert_refused(server.unix_address, &hello, PL_HELLO_E_SESSION);
	hello.session--;
	assert_refused(server.tcp_address, &hello, PL_HELLO_E_SESSION);
	lane = greet(server.unix_address, &hello, &lane_reply);
	assert(lane >= 0 && lane_reply.status == PL_HELLO_OK && lane_reply.session == reply.session);
	assert(lane_reply.worker_pid == reply.worker_pid);
	assert_refused(server.unix_address, &hello, PL_HELLO_E_BUSY); /* lanes_max */
	close(lane);
	close(fd);
	assert(pl_test_gone((pid_t)reply.worker_pid));
	assert_refused(server.unix_address, &hello, PL_HELLO_E_SESSION); /* it has ended */
	pl_test_server_stop(&server);
}

static void test_crashed_worker_ends_only_its_session(void)
{
	struct pl_daemon_options options = pl_test_options();
	struct pl_test_server server;
	struct pl_hello_reply reply, other;
	int fd, other_fd;

	pl_test_server_start(&server, &options, false);
	fd = session_open(server.unix_address, &reply);
	other_fd = session_open(server.unix_address, &other);
	assert(reply.worker_pid != other.worker_pid);
	assert(kill((pid_t)reply.worker_pid, SIGKILL) == 0);
	assert_closed(fd);
	assert(pl_test_server_logged(&server, "died of signal 9"));
	assert(kill((pid_t)other.worker_pid, 0) == 0);
	close(other_fd);
	close(session_open(server.unix_address, &reply));
	pl_test_server_stop(&server);
}

/* What a link of /proc says. */
static void link_read(pid_t pid, const char *name, char *to, size_t room)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	n = readlink(path, to, room - 1);
	assert(n > 0);
	to[n] = '\0';
}

static void test_killed_worker_leaves_no_files(void)
{
	struct pl_daemon_options options = pl_test_options();
	char tmp[] = "/tmp/plenum-tmp-XXXXXX", command[256], text[256], line[512];
	struct pl_test_server server;
	struct pl_hello_reply reply;
	FILE *found;
	int fd, status;

	assert(mkdtemp(tmp));
	setenv("TMPDIR", tmp, 1);
	pl_test_server_start(&server, &options, false);
	fd = session_open(server.unix_address, &reply);
	link_read((pid_t)reply.worker_pid, "cwd", text, sizeof(text));
	assert(!strcmp(text, "/"));
	snprintf(command, sizeof(command), "cd %s/plenum-work-*/%u && mkdir a && touch a/b && ln -s / c", tmp,
		 reply.worker_pid);
	assert(!system(command));
	assert(kill((pid_t)reply.worker_pid, SIGKILL) == 0);
	assert_closed(fd);
	assert(pl_test_server_logged(&server, "died of signal 9"));
	snprintf(command, sizeof(command), "ls -d %s/plenum-work-*/%u 2>/dev/null", tmp, reply.worker_pid);
	found = popen(command, "re");
	assert(found && !fgets(line, sizeof(line), found));
	pclose(found);
	fd = session_open(server.unix_address, &reply); /* the server itself is killed: the next one cleans up */
	assert(kill(server.pid, SIGKILL) == 0);
	assert(waitpid(server.pid, &status, 0) == server.pid);
	assert(pl_test_gone((pid_t)reply.worker_pid));
	assert_closed(fd);
	snprintf(command, sizeof(command), "rm -rf %s", server.folder);
	assert(!system(command));
	pl_test_server_start(&server, &options, false);
	snprintf(command, sizeof(command), "test $(ls %s | wc -l) = 1", tmp);
	assert(!system(command));
	pl_test_server_stop(&server);
	unsetenv("TMPDIR");
	assert(rmdir(tmp) == 0);
}

static uint32_t starts_logged(const struct pl_test_server *server)
{
	char line[2048];
	uint32_t count = 0;
	FILE *file = fopen(server->log, "re");

	while (file && fgets(line, sizeof(line), file))
		count += strstr(line, "did not start") != NULL;
	if (file)
		fclose(file);
	return count;
}

/* One at once, then 100, 300, 700, 1500 ms ... after it. */
static uint32_t starts_by(uint64_t time_ns)
{
	uint64_t wait_ms = PL_DAEMON_BACKOFF_MS_MIN;
	uint32_t starts = 1;

	for (uint64_t at_ms = wait_ms; at_ms * 1000000 <= time_ns; at_ms += wait_ms) {
		starts++;
		wait_ms *= 2;
	}
	return starts;
}

static void test_worker_that_does_not_start_is_reported_and_not_forked_for_ever(void)
{
	static const char *const libraries[] = { "fail", "crash" };
	struct pl_hello hello = pl_test_hello(PL_HELLO_SESSION);

	for (int i = 0; i < 2; i++) {
		struct pl_daemon_options options = pl_test_options();
		struct pl_test_server server;
		uint64_t begin_ns = pl_now_ns();
		uint32_t starts;

		options.apis[0].library = libraries[i];
		pl_test_server_start(&server, &options, false);
		assert(!server.tcp_address[0]);
		assert_refused(server.unix_address, &hello, PL_HELLO_E_INTERNAL);
		usleep(1000000);
		assert_refused(server.unix_address, &hello, PL_HELLO_E_INTERNAL);
		starts = starts_logged(&server);
		assert(starts >= 2);
		assert(starts <= 2 + starts_by(pl_now_ns() - begin_ns)); /* two may start at once */
		pl_test_server_stop(&server);
	}
}

static void test_connection_waits_for_a_worker_that_is_starting(void)
{
	struct pl_daemon_options options = pl_test_options();
	struct pl_test_server server;
	struct pl_hello_reply reply;
	int fds[4];

	options.apis[0].library = "slow";
	options.spares = 0;
	pl_test_server_start(&server, &options, false);
	for (int i = 0; i < 4; i++)
		fds[i] = session_open(server.unix_address, &reply);
	for (int i = 0; i < 4; i++)
		close(fds[i]);
	pl_test_server_stop(&server);
}

static void test_end_takes_workers_along(void)
{
	struct pl_daemon_options options = pl_test_options();
	struct pl_test_server server;
	struct pl_hello_reply reply;
	int fd;

	pl_test_server_start(&server, &options, false);
	fd = session_open(server.unix_address, &reply);
	kill(server.pid, SIGHUP); /* ignored */
	pl_test_server_stop(&server);
	assert(kill((pid_t)reply.worker_pid, 0) < 0 && errno == ESRCH);
	assert_closed(fd);
}

/* A daemon of its own at @address, which is to end with @result: ready, where that is 0. */
static pid_t listen_again(const char *address, int result)
{
	struct pl_daemon_options options = pl_test_options();
	int ready[2];
	pid_t pid;
	char byte;

	assert(pipe2(ready, O_CLOEXEC) == 0);
	pid = fork();
	assert(pid >= 0);
	if (!pid) {
		if (result)
			freopen("/dev/null", "w", stderr);
		options.listen = &address;
		options.listen_count = 1;
		options.ready_fd = ready[1];
		_exit(pl_daemon_run(&options) == result ? 0 : 1);
	}
	close(ready[1]);
	assert(read(ready[0], &byte, 1) == (result ? 0 : 1));
	close(ready[0]);
	return pid;
}

static void test_killed_daemon_takes_workers_along_and_leaves_a_stale_socket(void)
{
	struct pl_daemon_options options = pl_test_options();
	struct pl_test_server server;
	struct pl_hello_reply reply;
	int fd, status;
	pid_t second;

	pl_test_server_start(&server, &options, false);
	fd = session_open(server.unix_address, &reply);
	assert(kill(server.pid, SIGKILL) == 0);
	assert(waitpid(server.pid, &status, 0) == server.pid);
	assert(pl_test_gone((pid_t)reply.worker_pid));
	assert_closed(fd);
	assert(access(server.unix_address + 5, F_OK) == 0);
	server.pid = listen_again(server.unix_address, 0); /* the left-over file is replaced */
	fd = pl_test_connect(server.unix_address);
	assert(fd >= 0);
	close(fd);
	second = listen_again(server.unix_address, -EADDRINUSE); /* but one in use is not taken */
	assert(waitpid(second, &status, 0) == second);
	assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert(access(server.unix_address + 5, F_OK) == 0);
	pl_test_server_stop(&server);
}

/* As a worker does that was being forked when its daemon was killed. */
static void test_a_socket_that_a_dead_servers_child_still_has_is_replaced(void)
{
	struct pl_daemon_options options = pl_test_options();
	struct pl_test_server server;
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int held[2], status, fd;
	pid_t dead;
	char byte;

	pl_test_server_start(&server, &options, false);
	assert(kill(server.pid, SIGKILL) == 0);
	assert(waitpid(server.pid, &status, 0) == server.pid);
	assert(strlen(server.unix_address + 5) < sizeof(at.sun_path));
	memcpy(at.sun_path, server.unix_address + 5, strlen(server.unix_address + 5));
	assert(pipe2(held, O_CLOEXEC) == 0);
	dead = fork();
	if (!dead) {
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		if (unlink(at.sun_path) || bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 8))
			_exit(1);
		close(held[1]);
		if (fork())
			_exit(0);
		_exit(read(held[0], &byte, 1) != 0); /* until the test is over */
	}
	assert(waitpid(dead, &status, 0) == dead && WIFEXITED(status) && WEXITSTATUS(status) == 0);
	fd = pl_test_connect(server.unix_address);
	assert(fd >= 0);
	close(fd);
	server.pid = listen_again(server.unix_address, 0);
	pl_test_server_stop(&server);
	close(held[0]);
	close(held[1]);
}

static void test_many_sessions_at_once_are_served(void)
{
	struct pl_daemon_options options = pl_test_options();
	struct pl_hello hello = pl_test_hello(PL_HELLO_SESSION);
	static int fds[SESSIONS_AT_ONCE];
	struct pl_test_server server;
	struct pl_hello_reply reply;
	int before;

	pl_test_server_start(&server, &options, false);
	before = pl_test_fds_count(server.pid);
	for (int i = 0; i < SESSIONS_AT_ONCE; i++) {
		fds[i] = pl_test_connect(server.unix_address);
		assert(fds[i] >= 0);
		assert(send(fds[i], &hello, sizeof(hello), 0) == sizeof(hello));
	}
	for (int i = 0; i < SESSIONS_AT_ONCE; i++) {
		assert(recv(fds[i], &reply, sizeof(reply), MSG_WAITALL) == sizeof(reply));
		assert(reply.status == PL_HELLO_OK);
	}
	for (int i = 0; i < SESSIONS_AT_ONCE; i++)
		close(fds[i]);
	fds_settle(server.pid, before + 1);
	pl_test_server_stop(&server);
}

static void test_daemon_keeps_no_descriptor_of_ended_sessions(void)
{
	struct pl_daemon_options options = pl_test_options();
	struct pl_test_server server;
	struct pl_hello_reply reply;
	int before;

	options.spares = 4;
	pl_test_server_start(&server, &options, false);
	before = pl_test_fds_count(server.pid) + 3; /* spares that were still starting */
	for (int i = 0; i < SESSIONS_IN_ROW; i++)
		close(session_open(server.unix_address, &reply));
	fds_settle(server.pid, before);
	pl_test_server_stop(&server);
}

static void test_token_files_that_others_can_read_are_refused(void)
{
	char path[] = "/tmp/plenum-token-XXXXXX", token[PL_TOKEN_MAX], why[512];
	int fd = mkstemp(path);

	assert(fd >= 0);
	assert(pl_token_read(path, token, why, sizeof(why)) == -EINVAL); /* empty */
	assert(write(fd, "word\r\nrest", 10) == 10);
	assert(pl_token_read(path, token, why, sizeof(why)) == 0);
	assert(!strcmp(token, "word") && token[PL_TOKEN_MAX - 1] == '\0');
	assert(fchmod(fd, 0640) == 0);
	assert(pl_token_read(path, token, why, sizeof(why)) == -EPERM);
	assert(strstr(why, "chmod 600"));
	assert(pl_token_generate(path) == -EEXIST);
	unlink(path);
	assert(pl_token_generate(path) == 0);
	assert(pl_token_read(path, token, why, sizeof(why)) == 0);
	assert(strlen(token) == 2 * PL_TOKEN_GENERATED_BYTES);
	unlink(path);
	close(fd);
}

static void test_network_address_without_token_is_an_error(void)
{
	struct pl_daemon_options options = pl_test_options();
	const char *address = "tcp://127.0.0.1:0";
	int status;
	pid_t pid = fork();

	if (!pid) {
		unsetenv("PLENUM_TOKEN");
		close(STDERR_FILENO);
		options.listen = &address;
		options.listen_count = 1;
		_exit(pl_daemon_run(&options) == -EPERM ? 0 : 1);
	}
	assert(waitpid(pid, &status, 0) == pid);
	assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
	struct rlimit files;

	alarm(240); /* a bound for the whole of it */
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	signal(SIGPIPE, SIG_IGN);
	test_token_files_that_others_can_read_are_refused();
	test_network_address_without_token_is_an_error();
	test_session_is_given_and_ends_with_its_client();
	test_garbage_half_and_wrong_greetings_are_refused();
	test_greeting_may_come_slowly_but_not_for_ever();
	test_oldest_half_open_connection_makes_room();
	test_tcp_wants_the_token();
	test_foreign_users_are_let_in_only_when_named();
	test_sessions_limit_refuses_one_more();
	test_lanes_need_the_sessions_secret_and_kind_of_link();
	test_crashed_worker_ends_only_its_session();
	test_killed_worker_leaves_no_files();
	test_worker_that_does_not_start_is_reported_and_not_forked_for_ever();
	test_connection_waits_for_a_worker_that_is_starting();
	test_end_takes_workers_along();
	test_killed_daemon_takes_workers_along_and_leaves_a_stale_socket();
	test_a_socket_that_a_dead_servers_child_still_has_is_replaced();
	test_many_sessions_at_once_are_served();
	test_daemon_keeps_no_descriptor_of_ended_sessions();
	return 0;
}
