/* A server that is being drained, and its successor at the same addresses, from outside. */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/null-backend.h"
#include "lib/server.h"
#include "server/drain.h"
#include "server/hand.h"

static int greet(const char *address, struct pl_hello hello, struct pl_hello_reply *reply_out)
{
	int fd = pl_test_connect(address);

	assert(fd >= 0);
	if (!strncmp(address, "tcp:", 4))
		snprintf(hello.token, sizeof(hello.token), "%s", PL_TEST_TOKEN);
	if (pl_test_greet(fd, &hello, reply_out) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static int session_open(const char *address, struct pl_hello_reply *reply_out)
{
	int fd = greet(address, pl_test_hello(PL_HELLO_SESSION), reply_out);

	assert(fd >= 0 && reply_out->status == PL_HELLO_OK);
	return fd;
}

static struct pl_hello lane_hello(const struct pl_hello_reply *session)
{
	struct pl_hello hello = pl_test_hello(PL_HELLO_LANE);

	hello.session = session->session;
	memcpy(hello.secret, session->secret, sizeof(hello.secret));
	return hello;
}

static void assert_lane_is_given(const char *address, const struct pl_hello_reply *session)
{
	struct pl_hello_reply reply;
	int fd = greet(address, lane_hello(session), &reply);

	assert(fd >= 0 && reply.status == PL_HELLO_OK);
	assert(reply.session == session->session && reply.worker_pid == session->worker_pid);
	close(fd);
}

static void assert_refused(const char *address, struct pl_hello hello, enum pl_hello_status status, const char *text)
{
	struct pl_hello_reply reply;
	int fd = greet(address, hello, &reply);

	assert(fd >= 0 && reply.status == status);
	assert(strstr(reply.text, text));
	close(fd);
}

static void assert_drains(const char *address, const char *request, unsigned sessions)
{
	const char *text = pl_test_ask(address, request);
	char left[32];

	snprintf(left, sizeof(left), "\"sessions\":%u", sessions);
	assert(strstr(text, "\"ok\":true") && strstr(text, "\"draining\":true") && strstr(text, left));
}

static void assert_ended_well(struct pl_test_server *server)
{
	int status;

	assert(waitpid(server->pid, &status, 0) == server->pid);
	assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert(access(server->unix_address + 5, F_OK) < 0);
}

/* Its socket is in our folder: nothing else may be left there. */
static void folder_forget(const struct pl_test_server *server)
{
	char command[256];

	snprintf(command, sizeof(command), "cd %s && rm -f log token region && cd / && rmdir %s", server->folder,
		 server->folder);
	assert(!system(command));
}

static void test_sessions_go_on_and_the_server_ends_with_the_last(void)
{
	struct pl_daemon_options options = pl_test_options();
	struct pl_hello_reply first, second;
	struct pl_test_server server;
	int fds[2];

	pl_test_server_start(&server, &options, true);
	fds[0] = session_open(server.unix_address, &first);
	fds[1] = session_open(server.tcp_address, &second);
	assert(strstr(pl_test_ask(server.unix_address, "{\"do\":\"info\"}\n"), "\"draining\":false"));
	assert_drains(server.unix_address, "{\"do\":\"drain\"}\n", 2);
	assert_refused(server.unix_address, pl_test_hello(PL_HELLO_SESSION), PL_HELLO_E_BUSY, "being drained");
	assert_refused(server.tcp_address, pl_test_hello(PL_HELLO_SESSION), PL_HELLO_E_BUSY, "being drained");
	assert_lane_is_given(server.unix_address, &first);
	assert_lane_is_given(server.tcp_address, &second);
	assert(strstr(pl_test_ask(server.unix_address, "{\"do\":\"sessions\"}\n"), "\"draining\":true"));
	close(fds[0]);
	assert(pl_test_gone((pid_t)first.worker_pid));
	assert_drains(server.unix_address, "{\"do\":\"drain\"}\n", 1); /* again */
	assert_lane_is_given(server.tcp_address, &second);
	close(fds[1]);
	assert_ended_well(&server);
	folder_forget(&server);
}

static void test_a_server_without_sessions_ends_at_once(void)
{
	struct pl_daemon_options options = pl_test_options();
	struct pl_test_server server;

	options.spares = 3;
	pl_test_server_start(&server, &options, false);
	assert_drains(server.unix_address, "{\"do\":\"drain\",\"for\":1000000}\n", 0);
	assert_ended_well(&server);
	folder_forget(&server);
}

static void test_what_is_left_is_ended_when_the_time_is_over(void)
{
	struct pl_daemon_options options = pl_test_options();
	struct pl_test_server server;
	struct pl_hello_reply reply;
	char byte;
	int fd;

	pl_test_server_start(&server, &options, false);
	fd = session_open(server.unix_address, &reply);
	assert_drains(server.unix_address, "{\"do\":\"drain\",\"for\":1000000}\n", 1);
	assert_drains(server.unix_address, "{\"do\":\"drain\"}\n", 1); /* leaves the time as it is */
	assert(strstr(pl_test_ask(server.unix_address, "{\"do\":\"info\"}\n"), "\"ends_in_ms\":999"));
	assert_lane_is_given(server.unix_address, &reply);
	assert_drains(server.unix_address, "{\"do\":\"drain\",\"for\":0}\n", 1); /* a later one is what holds */
	assert_ended_well(&server);
	assert(recv(fd, &byte, 1, 0) <= 0);
	close(fd);
	folder_forget(&server);
}

static void test_requests_that_make_no_sense_change_nothing(void)
{
	static const char *const requests[] = {
		"{\"do\":\"drain\",\"for\":-1}\n",
		"{\"do\":\"drain\",\"for\":\"soon\"}\n",
		"{\"do\":\"drain\",\"for\":1.5}\n",
		"{\"do\":\"drain\",\"for\":31536001}\n",
		"{\"do\":\"drain\",\"for\":99999999999999999999}\n",
	};
	struct pl_daemon_options options = pl_test_options();
	struct pl_test_server server;
	struct pl_hello_reply reply;

	pl_test_server_start(&server, &options, false);
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		assert(strstr(pl_test_ask(server.unix_address, requests[i]), "\"ok\":false"));
	assert(strstr(pl_test_ask(server.unix_address, "{\"do\":\"info\"}\n"), "\"draining\":false"));
	close(session_open(server.unix_address, &reply));
	pl_test_server_stop(&server);
}

/* ---- a successor ---- */

/* At the addresses of the server that has given them up; `tcp` may be "". */
static pid_t succeed(const struct pl_test_server *server)
{
	struct pl_daemon_options options = pl_test_options();
	const char *listen[] = { server->unix_address, server->tcp_address };
	int ready[2];
	pid_t pid;
	char byte;

	assert(pipe(ready) == 0);
	pid = fork();
	assert(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		ready[1] = dup2(ready[1], 3);
		close_range(4, ~0u, 0); /* clients' ends of connections */
		setenv("PLENUM_TOKEN", PL_TEST_TOKEN, 1);
		options.listen = listen;
		options.listen_count = server->tcp_address[0] ? 2 : 1;
		options.ready_fd = ready[1];
		_exit(pl_daemon_run(&options) ? 1 : 0);
	}
	close(ready[1]);
	assert(read(ready[0], &byte, 1) == 1);
	close(ready[0]);
	return pid;
}

static void end_well(pid_t pid)
{
	int status;

	assert(kill(pid, SIGTERM) == 0);
	assert(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void release(struct pl_test_server *server, unsigned sessions)
{
	assert_drains(server->unix_address, "{\"do\":\"drain\",\"release\":true}\n", sessions);
	assert(access(server->unix_address + 5, F_OK) < 0);
	assert(!server->tcp_address[0] || pl_test_connect(server->tcp_address) == -ECONNREFUSED);
}

static const char *drained_address(const struct pl_test_server *server)
{
	static char address[PL_LINK_ADDRESS_MAX + 32];

	snprintf(address, sizeof(address), "%s.drained-%d", server->unix_address, (int)server->pid);
	return address;
}

static void test_a_successor_hands_on_connections_of_sessions_that_were_there_before(void)
{
	struct pl_daemon_options options = pl_test_options();
	struct pl_hello_reply old[2], new[2];
	struct pl_test_server server;
	struct pl_hello wrong;
	int fds[4], status;
	pid_t next;

	pl_test_server_start(&server, &options, true);
	fds[0] = session_open(server.unix_address, &old[0]);
	fds[1] = session_open(server.tcp_address, &old[1]);
	release(&server, 2);
	next = succeed(&server);
	fds[2] = session_open(server.unix_address, &new[0]);
	fds[3] = session_open(server.tcp_address, &new[1]);
	assert(old[0].session == new[0].session); /* numbers do not tell whose it is */
	for (int i = 0; i < 2; i++) {
		assert_lane_is_given(server.unix_address, i ? &new[0] : &old[0]);
		assert_lane_is_given(server.tcp_address, i ? &new[1] : &old[1]);
	}
	wrong = lane_hello(&old[0]);
	wrong.secret[0] ^= 1;
	assert_refused(server.unix_address, wrong, PL_HELLO_E_SESSION, "no such session");
	assert_refused(server.tcp_address, lane_hello(&old[0]), PL_HELLO_E_SESSION, "no such session");
	assert_drains(drained_address(&server), "{\"do\":\"drain\"}\n", 2);
	assert(strstr(pl_test_ask(server.unix_address, "{\"do\":\"info\"}\n"), "\"draining\":false"));
	close(fds[0]);
	close(fds[1]);
	assert(waitpid(server.pid, &status, 0) == server.pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert(access(drained_address(&server) + 5, F_OK) < 0);
	assert_refused(server.unix_address, lane_hello(&old[0]), PL_HELLO_E_SESSION, "no such session");
	assert_lane_is_given(server.unix_address, &new[0]);
	close(fds[2]);
	close(fds[3]);
	end_well(next);
	folder_forget(&server);
}

static void test_a_successor_takes_the_addresses_of_a_drained_server_by_itself(void)
{
	struct pl_daemon_options options = pl_test_options();
	struct pl_hello_reply old, new;
	struct pl_test_server server;
	int fds[2], status;
	pid_t next;

	pl_test_server_start(&server, &options, true);
	fds[0] = session_open(server.tcp_address, &old);
	assert(strstr(pl_test_ask(server.unix_address, "{\"do\":\"release\"}\n"), "not being drained"));
	assert_drains(server.unix_address, "{\"do\":\"drain\"}\n", 1);
	assert_lane_is_given(server.tcp_address, &old);
	next = succeed(&server);
	fds[1] = session_open(server.tcp_address, &new);
	assert_lane_is_given(server.tcp_address, &old);
	assert_lane_is_given(server.tcp_address, &new);
	assert_drains(drained_address(&server), "{\"do\":\"drain\"}\n", 1);
	close(fds[0]);
	assert(waitpid(server.pid, &status, 0) == server.pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
	close(fds[1]);
	end_well(next);
	folder_forget(&server);
}

static void test_several_drained_servers_each_get_their_own(void)
{
	struct pl_daemon_options options = pl_test_options();
	struct pl_test_server servers[2];
	struct pl_hello_reply old[2], reply;
	struct pl_hello wrong;
	int fds[2], fd, status;
	pid_t last;

	pl_test_server_start(&servers[0], &options, false);
	fds[0] = session_open(servers[0].unix_address, &old[0]);
	release(&servers[0], 1);
	servers[1] = servers[0];
	servers[1].pid = succeed(&servers[0]);
	fds[1] = session_open(servers[1].unix_address, &old[1]);
	release(&servers[1], 1);
	last = succeed(&servers[1]);
	for (int i = 0; i < 2; i++)
		assert_lane_is_given(servers[0].unix_address, &old[i]);
	wrong = lane_hello(&old[0]);
	wrong.secret[0] ^= 1;
	fd = greet(servers[0].unix_address, wrong, &reply); /* neither says so for the other */
	assert(fd < 0);
	for (int i = 0; i < 2; i++) {
		close(fds[i]);
		assert(waitpid(servers[i].pid, &status, 0) == servers[i].pid);
		assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	end_well(last);
	folder_forget(&servers[0]);
}

static void test_files_of_a_drained_server_that_was_killed_are_removed(void)
{
	struct pl_daemon_options options = pl_test_options();
	struct pl_test_server server;
	struct pl_hello_reply reply;
	int fd, status;
	pid_t next;

	pl_test_server_start(&server, &options, false);
	fd = session_open(server.unix_address, &reply);
	release(&server, 1);
	assert(kill(server.pid, SIGKILL) == 0 && waitpid(server.pid, &status, 0) == server.pid);
	assert(access(drained_address(&server) + 5, F_OK) == 0);
	close(fd);
	next = succeed(&server);
	assert(access(drained_address(&server) + 5, F_OK) < 0);
	assert_refused(server.unix_address, lane_hello(&reply), PL_HELLO_E_SESSION, "no such session");
	end_well(next);
	folder_forget(&server);
}

static void test_a_successor_that_lies_is_left_alone(void)
{
	struct pl_daemon_options options = pl_test_options();
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct pl_handed handed = { .magic = PL_HANDED_MAGIC, .local = 1, .alone = 1 };
	struct pl_test_server server;
	struct pl_hello_reply reply;
	int fd, status, pair[2];
	char byte;

	pl_test_server_start(&server, &options, false);
	fd = session_open(server.unix_address, &reply);
	release(&server, 1);
	assert(snprintf(at.sun_path, sizeof(at.sun_path), "%s.handed-%d", server.unix_address + 5, (int)server.pid) <
	       (int)sizeof(at.sun_path));
	for (int lie = 0; lie < 4; lie++) {
		int liar = socket(AF_UNIX, SOCK_SEQPACKET, 0);

		assert(connect(liar, (struct sockaddr *)&at, sizeof(at)) == 0);
		assert(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
		handed.magic = PL_HANDED_MAGIC ^ (lie == 1);
		memset(&handed.hello, 0xff, sizeof(handed.hello)); /* lie 3: no greeting at all */
		assert(pl_hand_send_bytes(liar, &handed, lie == 0 ? 9 : sizeof(handed), lie == 2 ? -1 : pair[1]) == 0);
		close(pair[1]);
		if (lie == 3) {
			assert(recv(pair[0], &reply, sizeof(reply), MSG_WAITALL) == sizeof(reply));
			assert(reply.status == PL_HELLO_E_VERSION);
		} else {
			assert(recv(liar, &byte, 1, 0) == 0);
		}
		close(pair[0]);
		close(liar);
	}
	assert_drains(drained_address(&server), "{\"do\":\"drain\"}\n", 1);
	close(fd);
	assert(waitpid(server.pid, &status, 0) == server.pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
	folder_forget(&server);
}

static void test_only_its_user_and_root_may_drain_it(void)
{
	struct pl_daemon_options options = pl_test_options();
	struct pl_test_server server;
	int status;
	pid_t pid;

	if (geteuid() != 0) {
		printf("skipped: foreign users (needs root)\n");
		return;
	}
	options.allow_all_users = true;
	pl_test_server_start(&server, &options, false);
	assert(chmod(server.folder, 0755) == 0);
	pid = fork();
	if (!pid) {
		if (setresuid(12345, 12345, 12345) < 0)
			_exit(77);
		_exit(strstr(pl_test_ask(server.unix_address, "{\"do\":\"drain\"}\n"), "only the server's own user")
			      ? 0
			      : 1);
	}
	assert(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert(strstr(pl_test_ask(server.unix_address, "{\"do\":\"info\"}\n"), "\"draining\":false"));
	pl_test_server_stop(&server);
}

int main(void)
{
	alarm(110); /* a bound for the whole of it */
	signal(SIGPIPE, SIG_IGN);
	test_sessions_go_on_and_the_server_ends_with_the_last();
	test_a_server_without_sessions_ends_at_once();
	test_what_is_left_is_ended_when_the_time_is_over();
	test_requests_that_make_no_sense_change_nothing();
	test_a_successor_hands_on_connections_of_sessions_that_were_there_before();
	test_a_successor_takes_the_addresses_of_a_drained_server_by_itself();
	test_several_drained_servers_each_get_their_own();
	test_files_of_a_drained_server_that_was_killed_are_removed();
	test_a_successor_that_lies_is_left_alone();
	test_only_its_user_and_root_may_drain_it();
	return 0;
}
