/* Before there is a session: what the daemon itself meets. */
#include "hostile.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/leak.h"
#include "link/address.h"
#include "link/connection.h"
#include "link/greet.h"

#define SILENT_COUNT 1000
#define DEADLINE_MS  5000 /* of a greeting: server/daemon.h */
#define PROMPT_NS    3000000000u

static int connect_raw(const char *text)
{
	struct pl_address address;
	int fd;

	expect_is(pl_address_parse(text, &address), 0);
	expect_is(pl_address_connect(&address, pl_now_ns() + ANSWER_NS, &fd), 0);
	return fd;
}

/* Return: status of the answer; -1 = closed without one. */
static int greet_raw(const char *address, const void *data, size_t bytes)
{
	struct pl_greet_fds fds = { 0 };
	struct pl_hello_reply reply;
	int fd = connect_raw(address), r;

	(void)!send(fd, data, bytes, MSG_NOSIGNAL);
	r = pl_greet_reply_recv(fd, &reply, &fds, pl_now_ns() + ANSWER_NS);
	assert(!r || r == -EPIPE);
	if (!r && reply.status)
		assert(reply.text[0]); /* a sentence for people */
	pl_greet_fds_close(&fds);
	close(fd);
	return r ? -1 : (int)reply.status;
}

static int greet_hello(const char *address, struct pl_hello hello)
{
	return greet_raw(address, &hello, sizeof(hello));
}

static void other_version(void)
{
	struct pl_hello hello = hello_of(PL_HELLO_SESSION, server.unix_address);

	hello.major = PL_HELLO_MAJOR + 1;
	expect_is(greet_hello(server.unix_address, hello), PL_HELLO_E_VERSION);
	hello.major = 0;
	expect_is(greet_hello(server.unix_address, hello), PL_HELLO_E_VERSION);
	hello = hello_of(PL_HELLO_SESSION, server.unix_address);
	hello.minor = 999; /* newer, but the same protocol */
	hello.api_hash = 1;
	expect_is(greet_hello(server.unix_address, hello), PL_HELLO_OK);
}

/* It says that it is of another release: it gets the functions first, and is served by the server's numbers. */
static void other_release(void)
{
	struct pl_hello hello = hello_of(PL_HELLO_SESSION, server.unix_address);
	struct peer peer = { .address = server.unix_address };
	char what[PL_FUNCTION_NAME_MAX];
	struct pl_agreement agreement;
	struct pl_link_opened opened;
	const struct pl_wire_head *head;
	struct pl_dec dec;

	hello.api_hash ^= 1;
	expect_is(pl_link_dial(peer.address, &hello, ANSWER_NS, &opened), 0);
	close(opened.arena_fd);
	peer.reply = opened.reply;
	peer.reverse = opened.lane;
	expect_is(pl_lane_recv(peer.reverse, ANSWER_NS, &head), 0);
	expect_is(head->op, PL_WIRE_OP_FUNCTIONS);
	dec = (struct pl_dec){ .at = (const uint8_t *)(head + 1), .end = (const uint8_t *)head + head->len_bytes };
	expect_is(pl_functions_agree(&pl_cl_functions, &dec, &agreement, what), 0);
	expect_is(agreement.call[PL_CL_OP_clGetPlatformIDs], PL_CL_OP_clGetPlatformIDs);
	peer.lane = peer_lane(&peer);
	expect_is(ASK(&peer, clGetPlatformIDs, 0), CL_SUCCESS);
	peer_close(&peer);
}

static void other_api(void)
{
	struct pl_hello hello = hello_of(PL_HELLO_SESSION, server.unix_address);

	hello.api = 77;
	expect_is(greet_hello(server.unix_address, hello), PL_HELLO_E_API);
	hello.api = PL_API_OPENCL;
	hello.kind = 99;
	expect_is(greet_hello(server.unix_address, hello) > 0, 1);
}

static void wrong_token(void)
{
	struct pl_hello hello = hello_of(PL_HELLO_SESSION, server.tcp_address);

	expect_is(greet_hello(server.tcp_address, hello), PL_HELLO_OK);
	hello.token[0] ^= 1;
	expect_is(greet_hello(server.tcp_address, hello), PL_HELLO_E_TOKEN);
	memset(hello.token, 0, sizeof(hello.token));
	expect_is(greet_hello(server.tcp_address, hello), PL_HELLO_E_TOKEN);
	memset(hello.token, 'x', sizeof(hello.token)); /* no end */
	memset(hello.program, 'x', sizeof(hello.program));
	expect_is(greet_hello(server.tcp_address, hello), PL_HELLO_E_TOKEN);
	hello = hello_of(PL_HELLO_SESSION, server.tcp_address);
	hello.token[strlen(server.token)] = 'y'; /* the right one, and more */
	expect_is(greet_hello(server.tcp_address, hello), PL_HELLO_E_TOKEN);
	hello = hello_of(PL_HELLO_CONTROL, server.tcp_address);
	expect_is(greet_hello(server.tcp_address, hello) > 0, 1); /* the books are for local users */
}

static bool refused_or_closed(int status)
{
	return status == PL_HELLO_E_SESSION || status == -1;
}

static void wrong_secret(void)
{
	struct pl_hello hello;
	struct peer peer;

	peer_open(&peer, server.unix_address);
	hello = peer_lane_hello(&peer);
	hello.secret[15] ^= 0x80;
	expect_is(greet_hello(server.unix_address, hello), PL_HELLO_E_SESSION);
	hello = peer_lane_hello(&peer);
	hello.session += 1000;
	expect_is(greet_hello(server.unix_address, hello), PL_HELLO_E_SESSION);
	hello = peer_lane_hello(&peer); /* right, but from where memory can not be shared */
	memcpy(hello.token, server.token, strlen(server.token));
	expect_is(greet_hello(server.tcp_address, hello), PL_HELLO_E_SESSION);
	hello = peer_lane_hello(&peer);
	peer_close(&peer);
	/* Stale: refused; or closed, where the worker that got it was just ending. */
	expect_is(refused_or_closed(greet_hello(server.unix_address, hello)), true);
}

static struct pl_hello more_hello(const struct peer *peer, uint64_t place)
{
	struct pl_hello hello = peer_lane_hello(peer);

	hello.kind = PL_HELLO_MORE;
	hello.place = place;
	return hello;
}

/* Further connections of a lane: of nobody else's, of lanes that there are, not without end, and heard once. */
static void more_connections(void)
{
	struct pl_hello hello;
	struct pl_lane *lane;
	struct peer peer;
	int fds[PL_LANE_CONNECTIONS_MAX];

	peer_open(&peer, server.unix_address); /* its lanes are memory */
	expect_is(greet_hello(server.unix_address, more_hello(&peer, PL_HELLO_PLACE_REVERSE)), PL_HELLO_E_SESSION);
	expect_is(greet_hello(server.unix_address, more_hello(&peer, 2)), PL_HELLO_E_SESSION);
	peer_close(&peer);
	peer_open(&peer, server.tcp_address);
	hello = more_hello(&peer, PL_HELLO_PLACE_REVERSE);
	hello.secret[3] ^= 1;
	expect_is(greet_hello(server.tcp_address, hello), PL_HELLO_E_SESSION);
	for (uint64_t place = 0; place < 2000; place += 999) /* 0, 999 and 1998: no such lane */
		expect_is(greet_hello(server.tcp_address, more_hello(&peer, place)), PL_HELLO_E_SESSION);
	expect_is(greet_hello(server.tcp_address, more_hello(&peer, UINT64_MAX)), PL_HELLO_E_SESSION);
	lane = peer.lane;
	hello = more_hello(&peer, PL_HELLO_PLACE_REVERSE);
	for (unsigned i = 0; i < PL_LANE_CONNECTIONS_MAX; i++)
		expect_is(pl_link_dial_more(lane, &hello, ANSWER_NS, &fds[i]), 0);
	expect_is(greet_hello(server.tcp_address, hello), PL_HELLO_E_BUSY);
	(void)!send(fds[0], "no word that anybody expects", 28, MSG_NOSIGNAL);
	for (unsigned i = 0; i < PL_LANE_CONNECTIONS_MAX; i++)
		close(fds[i]);
	expect_is(ASK(&peer, clGetPlatformIDs, 0), CL_SUCCESS); /* nobody has minded */
	peer_close(&peer);
}

/* In place of a lane's connection: of nobody else's, of lanes that there are, and not where nothing can be cut. */
static void again_connections(void)
{
	struct pl_hello hello;
	struct peer peer;

	peer_open(&peer, server.unix_address);
	hello = more_hello(&peer, PL_HELLO_PLACE_REVERSE);
	hello.kind = PL_HELLO_AGAIN;
	expect_is(greet_hello(server.unix_address, hello), PL_HELLO_E_SESSION);
	peer_close(&peer);
	peer_open(&peer, server.tcp_address);
	hello = more_hello(&peer, PL_HELLO_PLACE_REVERSE);
	hello.kind = PL_HELLO_AGAIN;
	hello.secret[9] ^= 1;
	expect_is(greet_hello(server.tcp_address, hello), PL_HELLO_E_SESSION);
	hello.secret[9] ^= 1;
	expect_is(greet_hello(server.tcp_address, hello), PL_HELLO_E_SESSION); /* its peer is on this host */
	for (uint64_t place = 0; place < 2000; place += 999) {
		hello.place = place;
		expect_is(greet_hello(server.tcp_address, hello), PL_HELLO_E_SESSION);
	}
	expect_is(ASK(&peer, clGetPlatformIDs, 0), CL_SUCCESS); /* nobody has minded */
	peer_close(&peer);
}

/* A lane with a number, and all the connections that it can have.  Whoever leaves takes a moment to be gone. */
static struct pl_lane *wide_lane(const struct peer *peer, uint64_t number, int fds[PL_LANE_CONNECTIONS_MAX])
{
	struct pl_hello hello = peer_lane_hello(peer);
	struct pl_link_opened opened;
	int r = PL_HELLO_E_BUSY;

	hello.place = number;
	for (int i = 0; i < 200 && r == PL_HELLO_E_BUSY; i++) {
		r = pl_link_dial(server.tcp_address, &hello, ANSWER_NS, &opened);
		if (r == PL_HELLO_E_BUSY)
			usleep(20000);
	}
	expect_is(r, 0);
	hello = more_hello(peer, number);
	for (unsigned i = 0; i < PL_LANE_CONNECTIONS_MAX; i++)
		expect_is(pl_link_dial_more(opened.lane, &hello, ANSWER_NS, &fds[i]), 0);
	return opened.lane;
}

/* More in all than a session may have at one time. */
static void connections_that_end_make_room(void)
{
	struct peer peer;

	peer_open(&peer, server.tcp_address);
	for (uint64_t round = 0; round < 4; round++) {
		struct pl_lane *lanes[5];
		int fds[5][PL_LANE_CONNECTIONS_MAX];

		for (uint64_t i = 0; i < 5; i++)
			lanes[i] = wide_lane(&peer, 100 * round + i + 2, fds[i]);
		for (unsigned i = 0; i < 5; i++) {
			pl_lane_destroy(lanes[i]);
			for (unsigned k = 0; k < PL_LANE_CONNECTIONS_MAX; k++)
				close(fds[i][k]);
		}
	}
	expect_is(ASK(&peer, clGetPlatformIDs, 0), CL_SUCCESS);
	peer_close(&peer);
}

static void no_greeting(void)
{
	static const char text[256] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
	int status = greet_raw(server.tcp_address, text, sizeof(text));

	assert(status == -1 || status == PL_HELLO_E_VERSION);
	status = greet_raw(server.unix_address, text, sizeof(text));
	assert(status == -1 || status == PL_HELLO_E_VERSION);
	close(connect_raw(server.unix_address)); /* nothing at all */
}

/* Half a greeting, and nothing more: the connection ends at the deadline, and nobody waits for it. */
static void half_greeting(void)
{
	struct pl_hello hello = hello_of(PL_HELLO_SESSION, server.unix_address);
	int fds[] = { connect_raw(server.unix_address), connect_raw(server.tcp_address),
		      connect_raw(server.unix_address) };
	uint64_t begin = pl_now_ns();

	assert(send(fds[0], &hello, sizeof(hello) / 2, MSG_NOSIGNAL) > 0);
	assert(send(fds[1], &hello, sizeof(hello) - 1, MSG_NOSIGNAL) > 0);
	for (int i = 0; pl_now_ns() - begin < (DEADLINE_MS - 1500) * 1000000ull; i++) {
		uint64_t before = pl_now_ns();

		(void)!send(fds[2], (char *)&hello + i, 1, MSG_NOSIGNAL); /* a byte now and then buys no time */
		witness_check();
		assert(pl_now_ns() - before < PROMPT_NS);
		usleep(200000);
	}
	for (int i = 0; i < 3; i++) {
		struct pollfd end = { .fd = fds[i], .events = POLLRDHUP };

		expect_is(poll(&end, 1, DEADLINE_MS), 1);
		close(fds[i]);
	}
}

static void silent_crowd(void)
{
	static int fds[SILENT_COUNT];
	struct rlimit files = { 4096, 4096 };
	struct pl_test_usage before, during;
	int refused = 0;

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max < 4096 ? files.rlim_max : 4096;
	setrlimit(RLIMIT_NOFILE, &files);
	assert(pl_test_usage_get(server.pid, &before));
	for (int i = 0; i < SILENT_COUNT; i++) {
		fds[i] = connect_raw(i % 2 ? server.tcp_address : server.unix_address);
		if (i % 250 == 249)
			witness_check();
	}
	assert(pl_test_usage_get(server.pid, &during));
	assert(during.fds < before.fds + 300); /* PL_DAEMON_HALF_OPEN_MAX, and a few */
	witness_check();
	for (int i = 0; i < SILENT_COUNT; i++) {
		struct pollfd end = { .fd = fds[i], .events = POLLRDHUP };

		refused += poll(&end, 1, 0) == 1;
		close(fds[i]);
	}
	assert(refused >= SILENT_COUNT - 300);
	assert(pl_test_usage_back(server.pid, &before, 4u << 20));
}

/* Descriptors that come with a greeting are not kept. */
static void greeting_with_descriptors(void)
{
	struct pl_hello hello = hello_of(PL_HELLO_SESSION, server.unix_address);
	struct pl_test_usage before;
	int fd = connect_raw(server.unix_address), twenty[20];
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(twenty))];
	} control = { 0 };
	struct iovec part = { &hello, sizeof(hello) / 2 };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};

	assert(pl_test_usage_get(server.pid, &before));
	for (int i = 0; i < 20; i++)
		twenty[i] = fd;
	control.head = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
					 .cmsg_type = SCM_RIGHTS,
					 .cmsg_len = CMSG_LEN(sizeof(twenty)) };
	memcpy(CMSG_DATA(&control.head), twenty, sizeof(twenty));
	assert(sendmsg(fd, &message, MSG_NOSIGNAL) > 0);
	close(fd);
	assert(pl_test_usage_back(server.pid, &before, 4u << 20));
}

const struct hostile_case cases_greeting[] = {
	{ "another major version is refused", other_version, false },
	{ "another release is told the functions", other_release, false },
	{ "another API is refused", other_api, false },
	{ "a wrong, missing or endless token is refused", wrong_token, false },
	{ "a lane with a wrong secret or session is refused", wrong_secret, false },
	{ "further connections: of lanes of one's own only, and not without end", more_connections, false },
	{ "connections in place of others: of lanes that can be cut only", again_connections, false },
	{ "further connections that end make room", connections_that_end_make_room, false },
	{ "what is no greeting is closed", no_greeting, false },
	{ "half a greeting ends at its deadline", half_greeting, false },
	{ "1000 silent connections keep nobody out", silent_crowd, false },
	{ "descriptors that come with a greeting are closed", greeting_with_descriptors, false },
	{ 0 },
};
