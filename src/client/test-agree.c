/* A server of another release, and one that lies about its functions: in a thread; the session is used as shims do. */
#undef NDEBUG
#include "client/agree.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "lib/process.h"
#include "link/greet.h"

#define SECOND_NS 1000000000ull

enum { OP_ADD = 1, OP_ENDED, OP_READ };

static const struct pl_function our_rows[] = {
	{ "add", 11, OP_ADD, false },
	{ "ended", 12, OP_ENDED, true },
	{ "read", 13, OP_READ, false },
};
static const struct pl_functions ours = { .version = 1, .count = 3, .hash = 1, .at = our_rows };

static const struct pl_function their_rows[] = {
	{ "add", 11, 500, false },
	{ "ended", 12, 501, true },
	{ "other", 12, OP_READ, false },
};
static const struct pl_functions theirs = { .version = 1, .count = 3, .hash = 2, .at = their_rows };

struct server {
	int listener;
	const uint8_t *body; /* of the first record on the reverse lane */
	uint32_t body_bytes;
	uint16_t op;
	uint16_t asked; /* op of the call that came */
	bool serves;    /* a lane too, and a push */
};

static struct pl_lane *accept_one(int listener, uint64_t session)
{
	struct pl_hello_reply reply = { .api_hash = theirs.hash, .session = session };
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	struct pl_lane *lane;
	struct pl_hello hello;

	assert(!pl_greet_hello_recv(fd, &hello, pl_now_ns() + 10 * SECOND_NS));
	assert(hello.api_hash == ours.hash);
	assert(!pl_link_accept_lane(fd, &reply, -1, &lane));
	return lane;
}

static void record_put(struct pl_lane *lane, struct pl_wire_head head, const void *body, uint32_t bytes)
{
	void *room;

	head.len_bytes = (uint32_t)sizeof(head) + bytes;
	assert(!pl_lane_reserve(lane, head.len_bytes, &room));
	memcpy(room, &head, sizeof(head));
	memcpy((uint8_t *)room + sizeof(head), body, bytes);
	assert(!pl_lane_commit(lane, head.len_bytes, PL_LANE_NOW));
}

static void *server_run(void *arg)
{
	struct server *server = arg;
	struct pl_lane *reverse = accept_one(server->listener, 1), *lane;
	const struct pl_wire_head *head;

	record_put(reverse, (struct pl_wire_head){ .op = server->op }, server->body, server->body_bytes);
	if (server->serves) {
		struct pl_wire_reply reply = { .after = 1 };

		record_put(reverse, (struct pl_wire_head){ .op = 501 }, "12345678", 8);
		lane = accept_one(server->listener, 1);
		assert(!pl_lane_recv(lane, 10 * SECOND_NS, &head));
		server->asked = head->op;
		record_put(lane, (struct pl_wire_head){ .op = 500, .flags = PL_WIRE_REPLY, .ticket = head->ticket },
			   &reply, sizeof(reply));
		(void)pl_lane_recv(lane, 10 * SECOND_NS, &head); /* until it goes */
		pl_lane_destroy(lane);
	} else {
		(void)pl_lane_recv(reverse, 10 * SECOND_NS, &head);
	}
	pl_lane_destroy(reverse);
	return NULL;
}

static _Atomic uint16_t pushed;

static void reverse_take(struct pl_session *session, const struct pl_wire_head *head, struct pl_dec *dec)
{
	(void)session;
	(void)dec;
	if (head)
		pushed = head->op;
}

static char folder[PL_TEST_PATH_MAX];

static int session_try(struct server *server, const char *name, struct pl_session **session_out, pthread_t *thread)
{
	char address[PL_TEST_PATH_MAX + 32], bound[PL_LINK_ADDRESS_MAX];

	snprintf(address, sizeof(address), "unix:%s/%s", folder, name);
	assert(!pl_link_listen(address, &server->listener, bound));
	assert(!pthread_create(thread, NULL, server_run, server));
	return pl_session_open(address, PL_API_OPENCL, &ours, reverse_take, session_out);
}

static uint32_t table_make(uint8_t *room, const struct pl_functions *functions)
{
	struct pl_enc enc = { room };

	pl_functions_put(&enc, functions);
	return (uint32_t)(enc.at - room);
}

static void test_calls_take_the_servers_numbers(void)
{
	static uint8_t room[4096];
	struct server server = { .body = room, .body_bytes = table_make(room, &theirs), .serves = true };
	struct pl_session *session;
	struct pl_call call;
	struct pl_reply reply;
	pthread_t thread;

	assert(session_try(&server, "good", &session, &thread) == 0);
	assert(pl_call_begin(&call, session, OP_READ, 0) == -ENOSYS); /* their 3 is something else */
	assert(pl_call_begin(&call, session, OP_READ, 0) == -ENOSYS);
	assert(pl_call_begin(&call, session, OP_ADD, 0) == 0);
	assert(pl_call_ask(&call, &reply) == 0);
	assert(pushed == OP_ENDED);
	assert(pl_session_op(session, OP_ADD) == 500 && pl_session_op(session, OP_READ) == 0);
	pl_lane_shutdown(session->reverse); /* the receiver then ends the lanes too */
	pthread_join(thread, NULL);
	assert(server.asked == 500);
	close(server.listener);
}

static void expect_refused(const char *name, uint16_t op, const uint8_t *body, uint32_t bytes, int error)
{
	struct server server = { .op = op, .body = body, .body_bytes = bytes };
	struct pl_session *session = NULL;
	pthread_t thread;

	assert(session_try(&server, name, &session, &thread) == error);
	assert(!session);
	pthread_join(thread, NULL); /* the client let go of the connection */
	close(server.listener);
}

static void test_tables_that_lie_end_the_session(void)
{
	static const struct pl_function twice[] = { { "add", 11, 1, false }, { "add", 11, 2, false } };
	static const struct pl_function push[] = { { "ended", 99, 2, true } };
	struct pl_functions lie = { .version = 1, .count = 2, .at = twice };
	static uint8_t room[4096];
	uint32_t bytes = table_make(room, &lie);

	expect_refused("twice", PL_WIRE_OP_FUNCTIONS, room, bytes, -EPROTO);
	lie = (struct pl_functions){ .version = 1, .count = 1, .at = push };
	bytes = table_make(room, &lie);
	expect_refused("push", PL_WIRE_OP_FUNCTIONS, room, bytes, -EPROTONOSUPPORT);
	bytes = table_make(room, &theirs);
	expect_refused("cut", PL_WIRE_OP_FUNCTIONS, room, bytes - 8, -EPROTO);
	expect_refused("nothing", PL_WIRE_OP_FUNCTIONS, room, 0, -EPROTO);
	expect_refused("no table", 7, room, bytes, -EPROTO);
	memset(room + 8, 0xff, 8); /* a huge count */
	expect_refused("huge", PL_WIRE_OP_FUNCTIONS, room, bytes, -EPROTO);
}

int main(void)
{
	pl_log_init("test", PL_LOG_OFF);
	pl_test_folder_create(folder);
	test_tables_that_lie_end_the_session();
	test_calls_take_the_servers_numbers();
	pl_test_folder_remove(folder);
	return 0;
}
