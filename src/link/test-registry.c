/* Listening, dialling and greeting, with peers that are absent, silent, half, foreign or hostile. */
#include "link/link.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/process.h"
#include "link/greet.h"
#include "link/shm/shm.h"

#define SOON_NS 100000000u   /* for what must not come */
#define LONG_NS 20000000000u /* for what must come */

static char folder[PL_TEST_PATH_MAX];

/* A server that greets in its own way. */
struct server {
	pthread_t thread;
	int listener;
	char address[PL_LINK_ADDRESS_MAX];
	void (*greet)(int fd); /* takes over fd */
};

static void *server_run(void *arg)
{
	struct server *server = arg;
	int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);

	assert(fd >= 0);
	server->greet(fd);
	return NULL;
}

static void server_start(struct server *server, bool tcp, void (*greet)(int fd))
{
	char address[PL_LINK_ADDRESS_MAX] = "tcp://127.0.0.1:0";
	int r;

	if (!tcp)
		snprintf(address, sizeof(address), "unix:%s/socket", folder);
	server->greet = greet;
	r = pl_link_listen(address, &server->listener, server->address);
	assert(!r);
	r = pthread_create(&server->thread, NULL, server_run, server);
	assert(!r);
}

static void server_end(struct server *server)
{
	pthread_join(server->thread, NULL);
	close(server->listener);
}

static int dial(const char *address, uint64_t timeout_ns, struct pl_link_opened *opened)
{
	static const struct pl_hello hello = {.kind = PL_HELLO_SESSION, .session = 42};

	memset(opened, 0, sizeof(*opened));
	opened->arena_fd = -1;
	return pl_link_dial(address, &hello, timeout_ns, opened);
}

static void read_hello(int fd)
{
	struct pl_hello hello;
	int r = pl_greet_hello_recv(fd, &hello, pl_now_ns() + LONG_NS);

	assert(!r && hello.major == PL_HELLO_MAJOR && hello.kind == PL_HELLO_SESSION && hello.session == 42);
}

/* ---- peers that keep the rules ---- */

static void accept_and_echo(int fd, const struct pl_hello_reply *reply, int arena_fd)
{
	const struct pl_wire_head *head;
	struct pl_lane *lane;
	void *room;
	int r;

	read_hello(fd);
	r = pl_link_accept_lane(fd, reply, arena_fd, &lane);
	assert(!r);
	r = pl_lane_recv(lane, UINT64_MAX, &head);
	assert(!r && head->len_bytes == 24);
	r = pl_lane_reserve(lane, 24, &room);
	assert(!r);
	memcpy(room, head, 24);
	r = pl_lane_commit(lane, 24, PL_LANE_NOW);
	assert(!r);
	r = pl_lane_recv(lane, UINT64_MAX, &head); /* the client reads first, then closes */
	assert(r == -EPIPE || r == PL_LANE_OK);
	pl_lane_destroy(lane);
}

static int arena_create(void)
{
	int fd = memfd_create("arena", MFD_CLOEXEC);

	if (ftruncate(fd, 4096) < 0 || pwrite(fd, "arena", 5, 0) != 5)
		abort();
	return fd;
}

static void greet_stream(int fd)
{
	int arena_fd = arena_create();

	accept_and_echo(fd, &(struct pl_hello_reply){.session = 7, .arena_bytes = 4096}, arena_fd);
	close(arena_fd);
}

static void greet_shm(int fd)
{
	int arena_fd = arena_create();

	accept_and_echo(fd,
			&(struct pl_hello_reply){.session = 7, .arena_bytes = 4096, .lane_bytes = PL_SHM_RING_BYTES},
			arena_fd);
	close(arena_fd);
}

static void greet_shm_alone(int fd)
{
	accept_and_echo(fd, &(struct pl_hello_reply){.session = 7, .lane_bytes = PL_SHM_RING_BYTES}, -1);
}

static void check_opened(const char *prefix, void (*greet)(int fd), bool tcp, const char *name, bool arena)
{
	char address[PL_LINK_ADDRESS_MAX * 2], text[5];
	const struct pl_wire_head *head;
	struct pl_link_opened opened;
	struct server server;
	void *room;
	int r;

	server_start(&server, tcp, greet);
	snprintf(address, sizeof(address), "%s%s", prefix, server.address);
	r = dial(address, LONG_NS, &opened);
	assert(!r && opened.reply.session == 7 && !strcmp(opened.lane->ops->name, name));
	assert((opened.arena_fd >= 0) == arena && (opened.reply.arena_bytes == 4096) == arena);
	if (arena) {
		assert(pread(opened.arena_fd, text, 5, 0) == 5 && !memcmp(text, "arena", 5));
		assert(fcntl(opened.arena_fd, F_GETFD) & FD_CLOEXEC);
		close(opened.arena_fd);
	}
	assert(*prefix || (fcntl(opened.lane->fd, F_GETFD) & FD_CLOEXEC));
	r = pl_lane_reserve(opened.lane, 24, &room);
	assert(!r);
	*(struct pl_wire_head *)room = (struct pl_wire_head){.len_bytes = 24, .ticket = 3};
	r = pl_lane_commit(opened.lane, 24, PL_LANE_NOW);
	assert(!r);
	r = pl_lane_recv(opened.lane, UINT64_MAX, &head);
	assert(!r && head->ticket == 3);
	r = pl_lane_reserve(opened.lane, 24, &room); /* ends the echo, on shm too */
	assert(!r);
	*(struct pl_wire_head *)room = (struct pl_wire_head){.len_bytes = 24};
	r = pl_lane_commit(opened.lane, 24, PL_LANE_NOW);
	assert(!r);
	server_end(&server);
	pl_lane_destroy(opened.lane);
}

static void test_lanes_open(void)
{
	check_opened("", greet_stream, true, "tcp", false); /* no memory crosses a network */
	check_opened("", greet_shm, true, "tcp", false);
	check_opened("", greet_stream, false, "tcp", true);
	check_opened("", greet_shm, false, "shm", true);
	check_opened("", greet_shm_alone, false, "shm", false);
	check_opened("hook:delay_us=10;", greet_stream, true, "hook", false);
	check_opened("hook:delay_us=10;", greet_shm, false, "hook", true);
}

static void greet_refuses(int fd)
{
	read_hello(fd);
	pl_link_refuse(fd, PL_HELLO_E_TOKEN, "a text that is much longer than what a reply has room for, by far");
}

static void greet_refuses_unread(int fd)
{
	pl_link_refuse(fd, PL_HELLO_E_BUSY, "busy");
}

static void test_a_refusal_is_told(void)
{
	for (int tcp = 0; tcp < 2; tcp++) {
		struct pl_link_opened opened;
		struct server server;
		int r;

		server_start(&server, tcp, greet_refuses);
		r = dial(server.address, LONG_NS, &opened);
		assert(r == PL_HELLO_E_TOKEN && !opened.lane &&
		       strlen(opened.reply.text) == sizeof(opened.reply.text) - 1);
		server_end(&server);
		server_start(&server, tcp, greet_refuses_unread);
		r = dial(server.address, LONG_NS, &opened);
		assert((r == PL_HELLO_E_BUSY && !strcmp(opened.reply.text, "busy")) ||
		       r == -EPIPE); /* a reset may be first */
		server_end(&server);
	}
}

/* ---- servers that do not ---- */

static void greet_silent(int fd)
{
	char byte;

	while (recv(fd, &byte, 1, 0) > 0)
		; /* until the client gives up */
	close(fd);
}

static void greet_closes(int fd)
{
	close(fd);
}

static void send_or_abort(int fd, const void *data, size_t bytes)
{
	if (send(fd, data, bytes, MSG_NOSIGNAL) != (ssize_t)bytes)
		abort();
}

static void greet_half(int fd)
{
	struct pl_hello_reply reply = {.magic = PL_HELLO_MAGIC, .major = PL_HELLO_MAJOR};

	read_hello(fd);
	send_or_abort(fd, &reply, sizeof(reply) / 2);
	close(fd);
}

static void greet_half_and_silent(int fd)
{
	struct pl_hello_reply reply = {.magic = PL_HELLO_MAGIC, .major = PL_HELLO_MAJOR};

	send_or_abort(fd, &reply, sizeof(reply) / 2);
	greet_silent(fd);
}

static void greet_foreign(int fd)
{
	static const char answer[] =
		"HTTP/1.1 400 Bad Request\r\nServer: something else\r\nContent-Type: text/plain\r\n"
		"Content-Length: 12\r\nConnection: close\r\n\r\nbad request\n";

	static_assert(sizeof(answer) >= sizeof(struct pl_hello_reply), "a whole reply's worth");
	send_or_abort(fd, answer, sizeof(answer));
	greet_silent(fd);
}

static void greet_other_major(int fd)
{
	struct pl_hello_reply reply = {.magic = PL_HELLO_MAGIC, .major = PL_HELLO_MAJOR + 1};

	send_or_abort(fd, &reply, sizeof(reply));
	greet_silent(fd);
}

static void greet_other_major_refuses(int fd)
{
	struct pl_hello_reply reply = {
		.magic = PL_HELLO_MAGIC, .major = PL_HELLO_MAJOR + 1, .status = PL_HELLO_E_VERSION};

	send_or_abort(fd, &reply, sizeof(reply));
	greet_silent(fd);
}

static void greet_unknown_status(int fd)
{
	struct pl_hello_reply reply = {.magic = PL_HELLO_MAGIC, .major = PL_HELLO_MAJOR, .status = 0x80000001u};

	memset(reply.text, 'x', sizeof(reply.text)); /* no NUL */
	send_or_abort(fd, &reply, sizeof(reply));
	greet_silent(fd);
}

static void test_bad_servers_end_in_time(void)
{
	static const struct {
		void (*greet)(int fd);
		uint64_t timeout_ns;
		int result;
	} bad[] = {
		{greet_silent, SOON_NS, -ETIMEDOUT},
		{greet_half_and_silent, SOON_NS, -ETIMEDOUT},
		{greet_closes, LONG_NS, -EPIPE},
		{greet_half, LONG_NS, -EPIPE},
		{greet_foreign, LONG_NS, -EPROTO},
		{greet_other_major, LONG_NS, -EPROTO},
		{greet_other_major_refuses, LONG_NS, PL_HELLO_E_VERSION},
		{greet_unknown_status, LONG_NS, PL_HELLO_E_INTERNAL},
	};

	for (size_t i = 0; i < 2 * sizeof(bad) / sizeof(bad[0]); i++) {
		struct pl_link_opened opened;
		struct server server;
		int r;

		server_start(&server, i % 2, bad[i / 2].greet);
		r = dial(server.address, bad[i / 2].timeout_ns, &opened);
		assert(r == bad[i / 2].result && !opened.lane && opened.arena_fd == -1);
		assert(memchr(opened.reply.text, 0, sizeof(opened.reply.text)));
		server_end(&server);
	}
}

/* Descriptors and what the reply says of them do not agree. */
static struct pl_hello_reply reply_given;
static int fds_given;

static void greet_given(int fd)
{
	int arena_fd = arena_create();
	struct pl_greet_fds fds = {.at = {arena_fd, arena_fd}, .count = (unsigned)fds_given};
	int r;

	read_hello(fd);
	r = pl_greet_reply_send(fd, &reply_given, &fds, pl_now_ns() + LONG_NS);
	assert(!r);
	close(arena_fd);
	greet_silent(fd);
}

static void test_memory_that_was_not_agreed_is_refused(void)
{
	static const struct {
		uint64_t arena_bytes;
		uint32_t lane_bytes;
		int fds;
	} given[] = {{0, 0, 1},
		     {0, 0, 2},
		     {4096, 0, 0},
		     {4096, 0, 2},
		     {0, PL_SHM_RING_BYTES, 0},
		     {0, PL_SHM_RING_BYTES, 2},
		     {4096, PL_SHM_RING_BYTES, 1},
		     {0, PL_SHM_RING_BYTES, 1} /* not a lane */,
		     {0, 4096, 1},
		     {0, UINT32_MAX, 1}};

	for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
		struct pl_link_opened opened;
		struct server server;
		unsigned fds = pl_test_fds_open();
		int r;

		reply_given =
			(struct pl_hello_reply){.arena_bytes = given[i].arena_bytes, .lane_bytes = given[i].lane_bytes};
		fds_given = given[i].fds;
		server_start(&server, false, greet_given);
		r = dial(server.address, LONG_NS, &opened);
		assert(r == -EPROTO && !opened.lane && opened.arena_fd == -1);
		server_end(&server);
		assert(pl_test_fds_open() == fds);
	}
}

static void test_absent_servers_are_named_as_such(void)
{
	char address[PL_LINK_ADDRESS_MAX], bound[PL_LINK_ADDRESS_MAX];
	struct pl_link_opened opened;
	int listener, r;

	snprintf(address, sizeof(address), "unix:%s/nobody", folder);
	r = dial(address, LONG_NS, &opened);
	assert(r == -ENOENT);
	r = pl_link_listen("tcp://127.0.0.1:0", &listener, bound);
	assert(!r);
	close(listener);
	r = dial(bound, LONG_NS, &opened);
	assert(r == -ECONNREFUSED);
	r = dial("nonsense", LONG_NS, &opened);
	assert(r == -EINVAL);
	r = dial("tcp://no-such-host.invalid:1", LONG_NS, &opened);
	assert(r == -EHOSTUNREACH);
}

/* ---- the server's side ---- */

static void test_bad_hellos_end_in_time(void)
{
	struct pl_hello hello = {.magic = 1}, got;

	for (int i = 0; i < 4; i++) {
		static const int results[] = {-ETIMEDOUT, -ETIMEDOUT, -EPIPE, -EPROTO};
		static const size_t bytes[] = {0, 100, 255, sizeof(hello)};
		int fds[2], r;

		r = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds);
		assert(!r);
		if (bytes[i])
			send_or_abort(fds[1], &hello, bytes[i]);
		if (results[i] == -EPIPE)
			shutdown(fds[1], SHUT_WR);
		r = pl_greet_hello_recv(fds[0], &got, pl_now_ns() + SOON_NS);
		assert(r == results[i]);
		close(fds[0]);
		close(fds[1]);
	}
}

/* Descriptors that nobody asked for do not stay open. */
static void test_a_hello_brings_no_descriptors(void)
{
	unsigned before = pl_test_fds_open();
	struct pl_hello_reply carrier = {0};
	struct pl_greet_fds fds = {.count = 2};
	struct pl_hello hello;
	int pair[2], r;

	r = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
	assert(!r);
	fds.at[0] = fds.at[1] = pair[0];
	for (int i = 0; i < 2; i++) { /* two replies have the length of a hello */
		r = pl_greet_reply_send(pair[0], &carrier, &fds, pl_now_ns() + LONG_NS);
		assert(!r);
	}
	r = pl_greet_hello_recv(pair[1], &hello, pl_now_ns() + LONG_NS);
	assert(r == -EPROTO);
	close(pair[0]);
	close(pair[1]);
	assert(pl_test_fds_open() == before);
}

static void test_listening(void)
{
	char address[PL_LINK_ADDRESS_MAX], bound[PL_LINK_ADDRESS_MAX];
	int first, second, r;
	struct stat st;

	snprintf(address, sizeof(address), "unix:%s/listen", folder);
	r = pl_link_listen(address, &first, bound);
	assert(!r && !strcmp(bound, address));
	r = stat(address + 5, &st);
	assert(!r && S_ISSOCK(st.st_mode) && (st.st_mode & 0777) == 0600);
	r = pl_link_listen(address, &second, bound);
	assert(r == -EADDRINUSE); /* a living server is not replaced */
	close(first);
	r = pl_link_listen(address, &first, bound);
	assert(!r); /* a dead one is */
	close(first);
	unlink(address + 5);
	close(open(address + 5, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	r = pl_link_listen(address, &first, bound);
	assert(r == -EADDRINUSE && !stat(address + 5, &st)); /* and a file of somebody's never */
	unlink(address + 5);
	r = pl_link_listen("tcp://localhost:0", &first, bound);
	assert(!r && strcmp(strrchr(bound, ':'), ":0") != 0);
	close(first);
	r = pl_link_listen("hook:;tcp://127.0.0.1:0", &first, bound);
	assert(r == -EINVAL);
	r = pl_link_listen("tcp://[::1]:0", &first, bound);
	if (!r) {
		assert(!strncmp(bound, "tcp://[::1]:", 12));
		close(first);
	} else {
		printf("no IPv6 here: not tried\n");
	}
	r = pl_link_listen("unix:/nowhere/at/all", &first, bound);
	assert(r == -ENOENT);
}

/* More clients than the backlog holds at once do not fail, they wait. */
static void test_a_full_backlog_times_out(void)
{
	char address[PL_LINK_ADDRESS_MAX], bound[PL_LINK_ADDRESS_MAX];
	struct pl_link_opened opened;
	int listener, r, waiting[8];

	snprintf(address, sizeof(address), "unix:%s/full", folder);
	r = pl_link_listen(address, &listener, bound);
	assert(!r);
	r = listen(listener, 0);
	assert(!r);
	for (int i = 0; i < 8; i++) {
		struct sockaddr_un at = {.sun_family = AF_UNIX};
		waiting[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		snprintf(at.sun_path, sizeof(at.sun_path), "%.100s", address + 5);
		if (connect(waiting[i], (struct sockaddr *)&at, sizeof(at)) < 0)
			assert(errno == EAGAIN);
	}
	r = dial(address, SOON_NS, &opened);
	assert(r == -ETIMEDOUT);
	for (int i = 0; i < 8; i++)
		close(waiting[i]);
	close(listener);
}

int main(void)
{
	unsigned fds;

	pl_test_watchdog(120);
	pl_test_folder_create(folder);
	fds = pl_test_fds_open();
	test_lanes_open();
	test_a_refusal_is_told();
	test_bad_servers_end_in_time();
	test_memory_that_was_not_agreed_is_refused();
	test_absent_servers_are_named_as_such();
	test_bad_hellos_end_in_time();
	test_a_hello_brings_no_descriptors();
	test_listening();
	test_a_full_backlog_times_out();
	assert(pl_test_fds_open() == fds);
	pl_test_folder_remove(folder);
	return 0;
}
