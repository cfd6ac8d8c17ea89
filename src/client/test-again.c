/* A server that stops and comes back with the session, and one that does not: in a thread; the session is used as shims
 * do. */
#undef NDEBUG
#include "client/session.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "link/connection.h"
#include "link/greet.h"
#include "link/still.h"

#define SECOND_NS 1000000000ull
#define AWAY_MS   3600 /* longer than a server that does not come back is asked */
#define SESSION   7

enum { OP_ADD = 1, OP_ENDED };

static const struct pl_function rows[] = { { "add", 11, OP_ADD, false }, { "ended", 12, OP_ENDED, true } };
static const struct pl_functions functions = { .version = 1, .count = 2, .hash = 1, .at = rows };

struct server {
	pthread_t thread;
	char address[PL_LINK_ADDRESS_MAX];
	int listener;
	bool keeps;
	enum pl_hello_status says; /* to who comes back; PL_HELLO_OK: first that it is busy, then that he may */
	struct pl_lane *reverse, *lane, *late;
	_Atomic bool leaves; /* the client has its first answer */
	uint64_t parts;      /* requests for a pause that were made before it came back, and are read later */
};

static struct pl_hello_reply reply_of(const struct server *server)
{
	return (struct pl_hello_reply){ .api_hash = functions.hash,
					.session = SESSION,
					.grace_s = 20,
					.keeps_s = server->keeps,
					.reverse_sent = server->parts };
}

static int hello_take(struct server *server, struct pl_hello *hello)
{
	int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);

	assert(!pl_greet_hello_recv(fd, hello, pl_now_ns() + 10 * SECOND_NS));
	assert(hello->minor >= PL_HELLO_MINOR_KEEPS);
	return fd;
}

/* Takes over fd. */
static struct pl_lane *lane_open(struct server *server, int fd)
{
	struct pl_hello_reply reply = reply_of(server);
	struct pl_lane *lane;

	assert(!pl_link_accept_lane(fd, &reply, -1, &lane) && lane->near);
	assert(!server->keeps || pl_lane_resumable(lane, NULL, NULL, true));
	return lane;
}

static struct pl_lane *lane_accept(struct server *server, enum pl_hello_kind kind)
{
	struct pl_hello hello;
	int fd = hello_take(server, &hello);

	assert(hello.kind == kind);
	return lane_open(server, fd);
}

static void record_put(struct pl_lane *lane, struct pl_wire_head head, const void *body, uint32_t bytes)
{
	void *room;

	head.len_bytes = (uint32_t)sizeof(head) + bytes;
	assert(!pl_lane_reserve(lane, head.len_bytes, &room));
	memcpy(room, &head, sizeof(head));
	if (bytes)
		memcpy((uint8_t *)room + sizeof(head), body, bytes);
	assert(!pl_lane_commit(lane, head.len_bytes, PL_LANE_NOW));
}

/* The next call of the lane's is answered. */
static void answer(struct pl_lane *lane, int32_t status, uint64_t after)
{
	struct pl_wire_reply reply = { .status = status, .after = after };
	const struct pl_wire_head *head;

	assert(!pl_lane_recv(lane, 10 * SECOND_NS, &head) && head->op == OP_ADD);
	record_put(lane, (struct pl_wire_head){ .op = OP_ADD, .flags = PL_WIRE_REPLY, .ticket = head->ticket }, &reply,
		   sizeof(reply));
}

static void leave(struct pl_lane **lane)
{
	const struct linger now = { .l_onoff = 1 };
	struct pl_lane_state state;
	struct pl_lane *old = *lane;

	assert(!setsockopt(old->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)));
	pl_lane_peer_parts(old);
	shutdown(old->fd, SHUT_RD); /* as if the client had parted */
	assert(!pl_lane_halt(old) && !pl_lane_still(old, false, &state));
	assert(!pl_link_restored_lane(&state, lane));
	pl_lane_state_fini(&state);
	pl_lane_destroy(old);
}

/* Takes over fd.  Return: the client has its lane again. */
static bool come_back(struct server *server, int fd, const struct pl_hello *hello)
{
	struct pl_lane *lane = hello->place == PL_HELLO_PLACE_REVERSE ? server->reverse : server->lane;
	struct pl_hello_reply reply = reply_of(server);
	static uint32_t asked;

	assert(hello->kind == PL_HELLO_AGAIN && hello->session == SESSION);
	if (server->says || !asked++) {
		pl_link_refuse(fd, server->says ? server->says : PL_HELLO_E_BUSY, "not now");
		return false;
	}
	return !pl_link_accept_again(fd, &reply, lane);
}

static void comes_back(struct server *server)
{
	char bound[PL_LINK_ADDRESS_MAX];
	struct pl_hello hello;
	uint32_t back = 0;

	assert(!pl_link_listen(server->address, &server->listener, bound));
	while (back < 2 || !server->late) {
		int fd = hello_take(server, &hello);

		if (hello.kind == PL_HELLO_LANE)
			server->late = lane_open(server, fd);
		else
			back += come_back(server, fd, &hello);
		if (server->says)
			return;
	}
	for (uint64_t i = 0; i < server->parts; i++)
		record_put(server->reverse, (struct pl_wire_head){ .op = PL_WIRE_OP_PART }, NULL, 0);
	record_put(server->reverse, (struct pl_wire_head){ .op = OP_ENDED }, "12345678", 8);
	answer(server->lane, 2, 1 + server->parts);
	answer(server->late, 3, 1 + server->parts);
}

static void *server_run(void *arg)
{
	struct server *server = arg;

	server->reverse = lane_accept(server, PL_HELLO_SESSION);
	server->lane = lane_accept(server, PL_HELLO_LANE);
	answer(server->lane, 1, 0);
	while (!server->leaves)
		poll(NULL, 0, 1);
	close(server->listener);
	if (server->keeps) {
		leave(&server->lane);
		leave(&server->reverse);
		poll(NULL, 0, server->says ? 0 : AWAY_MS);
		server->parts = 2;
		comes_back(server);
		return NULL;
	}
	for (int i = 0; i < 2; i++) {
		struct linger now = { .l_onoff = 1 };
		struct pl_lane **lane = i ? &server->lane : &server->reverse;

		setsockopt((*lane)->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		pl_lane_destroy(*lane);
		*lane = NULL;
	}
	return NULL;
}

static _Atomic uint32_t pushed;

static void reverse_take(struct pl_session *session, const struct pl_wire_head *head, struct pl_dec *dec)
{
	(void)session;
	(void)dec;
	pushed += head && head->op == OP_ENDED;
}

/* Return: the answer's status, or fatal. */
static int ask(struct pl_session *session)
{
	struct pl_call call;
	struct pl_reply reply;
	int r = pl_call_begin(&call, session, OP_ADD, 0);

	r = r ? r : pl_call_ask(&call, &reply);
	return r ? r : reply.status;
}

static void *late_run(void *arg)
{
	return (void *)(intptr_t)ask(arg);
}

static struct pl_session *session_begin(struct server *server)
{
	struct pl_session *session;

	assert(!pl_link_listen("tcp://127.0.0.1:0", &server->listener, server->address));
	assert(!pthread_create(&server->thread, NULL, server_run, server));
	assert(!pl_session_open(server->address, PL_API_OPENCL, &functions, reverse_take, &session));
	assert(session->keeps == server->keeps && ask(session) == 1);
	assert(session->reverse->widens == (server->keeps ? PL_LANE_NARROW : PL_LANE_WIDENS));
	server->leaves = true;
	return session;
}

static void session_end(struct server *server, struct pl_session *session)
{
	pthread_join(server->thread, NULL);
	pl_lane_shutdown(session->reverse);
	pl_lane_destroy(server->lane);
	pl_lane_destroy(server->late);
	pl_lane_destroy(server->reverse);
	if (server->keeps)
		close(server->listener);
}

static void test_a_server_that_comes_back_is_waited_for(void)
{
	struct server server = { .keeps = true };
	struct pl_session *session = session_begin(&server);
	uint64_t begin_ns = pl_now_ns();
	pthread_t late;
	void *result;

	poll(NULL, 0, 200); /* until it is gone */
	assert(!pthread_create(&late, NULL, late_run, session));
	assert(ask(session) == 2 && pushed == 1);
	assert(!pl_lane_is_cut(session->reverse)); /* what it was asked for before is over */
	assert(pl_now_ns() - begin_ns > AWAY_MS * 1000000ull);
	pthread_join(late, &result); /* its first call came when nobody was there */
	assert((intptr_t)result == 3 && !session->dead);
	session_end(&server, session);
}

static void test_that_there_is_no_such_session_is_final(void)
{
	struct server server = { .keeps = true, .says = PL_HELLO_E_SESSION };
	struct pl_session *session = session_begin(&server);
	uint64_t begin_ns = pl_now_ns();

	assert(ask(session) == -EPIPE && session->dead);
	assert(pl_now_ns() - begin_ns < 10 * SECOND_NS);
	session_end(&server, session);
}

static void test_over_loopback_others_end_with_their_connection(void)
{
	struct server server = { 0 };
	struct pl_session *session = session_begin(&server);
	uint64_t begin_ns = pl_now_ns();

	assert(ask(session) == -EPIPE);
	assert(pl_now_ns() - begin_ns < 2 * SECOND_NS);
	session_end(&server, session);
}

int main(void)
{
	alarm(60);
	pl_log_init("test", PL_LOG_OFF);
	test_over_loopback_others_end_with_their_connection();
	test_that_there_is_no_such_session_is_final();
	test_a_server_that_comes_back_is_waited_for();
	return 0;
}
