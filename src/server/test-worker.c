/* A worker behind the daemon, through real lanes: null backend, shared memory and tcp. */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/null-backend.h"
#include "lib/server.h"
#include "link/link.h"
#include "wire/codec.h"

#define SECOND_NS 1000000000u

struct client {
	struct pl_link_opened reverse, lane;
	uint64_t ticket;
};

static struct pl_daemon_options null_options(void)
{
	struct pl_daemon_options options;

	pl_daemon_options_init(&options);
	options.apis[0].backend = &pl_backend_null;
	options.arena_bytes = 64u << 20;
	return options;
}

static void lane_open(const char *address, const struct client *client, struct pl_link_opened *lane_out)
{
	struct pl_hello hello = pl_test_hello(PL_HELLO_LANE);

	hello.session = client->reverse.reply.session;
	memcpy(hello.secret, client->reverse.reply.secret, sizeof(hello.secret));
	assert(pl_link_dial(address, &hello, 20ull * SECOND_NS, lane_out) == 0);
}

static struct client client_open_as(const char *address, uint64_t hash)
{
	struct pl_hello hello = pl_test_hello(PL_HELLO_SESSION);
	struct client client = { 0 };

	snprintf(hello.token, sizeof(hello.token), "%s", PL_TEST_TOKEN);
	hello.api_hash = hash;
	assert(pl_link_dial(address, &hello, 20ull * SECOND_NS, &client.reverse) == 0);
	lane_open(address, &client, &client.lane);
	return client;
}

static struct client client_open(const char *address)
{
	return client_open_as(address, PL_NULL_API_HASH);
}

static void client_close(struct client *client)
{
	pl_lane_destroy(client->lane.lane);
	pl_lane_destroy(client->reverse.lane);
	if (client->reverse.arena_fd >= 0)
		close(client->reverse.arena_fd);
}

/* Sends a call with one number. */
static int call(struct client *client, struct pl_lane *lane, uint16_t op, uint16_t flags, uint64_t number)
{
	struct pl_wire_head head = { .len_bytes = sizeof(head) + 8, .op = op, .flags = flags };
	struct pl_enc enc;
	void *room;
	int r = pl_lane_reserve(lane, head.len_bytes, &room);

	if (r)
		return r;
	head.ticket = ++client->ticket;
	memcpy(room, &head, sizeof(head));
	enc.at = (uint8_t *)room + sizeof(head);
	pl_enc_u64(&enc, number);
	return pl_lane_commit(lane, head.len_bytes, PL_LANE_NOW);
}

/* Takes the reply to the last call.  Return: status; the number in it, if there is one. */
static int32_t reply(struct client *client, struct pl_lane *lane, uint64_t *number_out)
{
	const struct pl_wire_head *head;
	struct pl_wire_reply fixed;

	assert(pl_lane_recv(lane, 20ull * SECOND_NS, &head) == 0);
	assert(head->flags & PL_WIRE_REPLY && head->ticket == client->ticket);
	memcpy(&fixed, head + 1, sizeof(fixed));
	if (number_out)
		memcpy(number_out, (const uint8_t *)(head + 1) + sizeof(fixed), 8);
	return fixed.status;
}

static void test_calls_run_and_are_answered(const char *address)
{
	struct client client = client_open(address);
	uint64_t sum = 0;

	for (int i = 1; i <= 100; i++)
		assert(call(&client, client.lane.lane, PL_NULL_ADD, 0, (uint64_t)i) == 0);
	assert(call(&client, client.lane.lane, PL_NULL_ADD, PL_WIRE_ASK, 0) == 0);
	assert(reply(&client, client.lane.lane, &sum) == 0);
	assert(sum == 5050);
	assert(call(&client, client.lane.lane, 999, PL_WIRE_ASK, 0) == 0); /* unknown */
	assert(reply(&client, client.lane.lane, NULL) == PL_NULL_UNKNOWN);
	client_close(&client);
}

static void test_lanes_share_one_order(const char *address)
{
	struct client client = client_open(address);
	struct pl_link_opened second;
	uint64_t sum = 0;

	lane_open(address, &client, &second);
	assert(call(&client, client.lane.lane, PL_NULL_ADD, 0, 3) == 0);
	assert(call(&client, second.lane, PL_NULL_ADD, PL_WIRE_ASK, 4) == 0);
	assert(reply(&client, second.lane, &sum) == 0);
	assert(sum == 7);
	pl_lane_destroy(second.lane);
	assert(call(&client, client.lane.lane, PL_NULL_ADD, PL_WIRE_ASK, 1) == 0); /* goes on with one lane less */
	assert(reply(&client, client.lane.lane, &sum) == 0);
	assert(sum == 8);
	client_close(&client);
}

/* The first record of the reverse lane is the table of functions, for a client of another release only. */
static void test_another_release_gets_the_functions_first(const char *address)
{
	for (int other = 0; other < 2; other++) {
		struct client client = client_open_as(address, other ? 1 : PL_NULL_API_HASH);
		const struct pl_wire_head *head;
		struct pl_agreement agreement;
		char what[PL_FUNCTION_NAME_MAX];

		assert(call(&client, client.lane.lane, PL_NULL_PUSH, PL_WIRE_ASK, 1) == 0);
		assert(reply(&client, client.lane.lane, NULL) == 0);
		assert(pl_lane_recv(client.reverse.lane, 20ull * SECOND_NS, &head) == 0);
		if (other) {
			struct pl_dec dec = { .at = (const uint8_t *)(head + 1),
					      .end = (const uint8_t *)head + head->len_bytes };

			assert(head->op == PL_WIRE_OP_FUNCTIONS);
			assert(pl_functions_agree(pl_backend_null.functions, &dec, &agreement, what) == 0);
			assert(agreement.call[PL_NULL_ADD] == PL_NULL_ADD);
			assert(pl_lane_recv(client.reverse.lane, 20ull * SECOND_NS, &head) == 0);
		}
		assert(head->op == PL_NULL_PUSHED);
		client_close(&client);
	}
}

static void test_reverse_lane_brings_pushes(const char *address)
{
	struct client client = client_open(address);
	const struct pl_wire_head *head;

	assert(call(&client, client.lane.lane, PL_NULL_PUSH, PL_WIRE_ASK, 3) == 0);
	assert(reply(&client, client.lane.lane, NULL) == 0);
	for (uint64_t i = 0; i < 3; i++) {
		assert(pl_lane_recv(client.reverse.lane, 20ull * SECOND_NS, &head) == 0);
		assert(head->op == PL_NULL_PUSHED && memcmp(head + 1, &i, 8) == 0);
	}
	client_close(&client);
}

static void test_arena_is_sealed_and_of_the_promised_size(const struct pl_test_server *server)
{
	struct client client = client_open(server->unix_address);
	struct pl_link_opened *opened = &client.reverse;
	void *at;

	assert(opened->arena_fd >= 0 && opened->reply.arena_bytes == 64u << 20);
	assert(ftruncate(opened->arena_fd, 4096) < 0 && errno == EPERM);
	assert(ftruncate(opened->arena_fd, 128 << 20) < 0 && errno == EPERM);
	at = mmap(NULL, 64u << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, opened->arena_fd, 0);
	assert(at != MAP_FAILED);
	munmap(at, 64u << 20);
	client_close(&client);
	client = client_open(server->tcp_address);
	assert(client.reverse.arena_fd < 0 && client.reverse.reply.arena_bytes == 0);
	client_close(&client);
}

static void test_crash_breaks_lanes_and_is_logged(const struct pl_test_server *server, const char *address)
{
	struct client client = client_open(address), witness = client_open(address);
	const struct pl_wire_head *head;
	uint64_t sum;

	assert(call(&client, client.lane.lane, PL_NULL_CRASH, PL_WIRE_ASK, 0) == 0);
	assert(pl_lane_recv(client.reverse.lane, 20ull * SECOND_NS, &head) == -EPIPE);
	client_close(&client);
	assert(pl_test_server_logged(server, "died of signal 11"));
	assert(call(&witness, witness.lane.lane, PL_NULL_ADD, PL_WIRE_ASK, 5) == 0);
	assert(reply(&witness, witness.lane.lane, &sum) == 0 && sum == 5);
	client_close(&witness);
}

static void test_broken_order_ends_the_session_only(const char *address)
{
	struct client client = client_open(address);
	const struct pl_wire_head *head;
	pid_t worker = (pid_t)client.reverse.reply.worker_pid;

	assert(call(&client, client.lane.lane, PL_NULL_ADD, 0, 1) == 0);
	client.ticket = 0; /* the same ticket again */
	(void)call(&client, client.lane.lane, PL_NULL_ADD, PL_WIRE_ASK, 1);
	assert(pl_lane_recv(client.reverse.lane, 20ull * SECOND_NS, &head) ==
	       -EPIPE); /* it tells of the worker's end */
	assert(pl_test_gone(worker));
	client_close(&client);
	test_calls_run_and_are_answered(address);
}

/* One request through the control socket. */
static struct json_object *ask(const struct pl_test_server *server, const char *request)
{
	struct pl_hello hello = pl_test_hello(PL_HELLO_CONTROL);
	static char text[1 << 20];
	struct pl_hello_reply greeting;
	int fd = pl_test_connect(server->unix_address);
	struct json_object *answer;
	size_t len = 0;
	ssize_t n;

	assert(fd >= 0 && pl_test_greet(fd, &hello, &greeting) == 0 && greeting.status == PL_HELLO_OK);
	assert(send(fd, request, strlen(request), 0) == (ssize_t)strlen(request));
	while ((n = recv(fd, text + len, sizeof(text) - 1 - len, 0)) > 0)
		len += (size_t)n;
	close(fd);
	text[len] = '\0';
	answer = json_tokener_parse(text);
	assert(answer);
	return answer;
}

static uint64_t number(struct json_object *object, const char *key)
{
	struct json_object *field;

	assert(json_object_object_get_ex(object, key, &field));
	return json_object_get_uint64(field);
}

static void test_control_lists_counts_and_ends_sessions(const struct pl_test_server *server)
{
	struct client client = client_open(server->unix_address);
	struct json_object *answer, *list, *session;
	const struct pl_wire_head *head;
	char request[96];

	for (int i = 0; i < 10; i++)
		assert(call(&client, client.lane.lane, PL_NULL_ADD, 0, 1) == 0);
	assert(call(&client, client.lane.lane, PL_NULL_ADD, PL_WIRE_ASK, 1) == 0);
	assert(reply(&client, client.lane.lane, NULL) == 0);
	for (int i = 0; i < 500; i++) { /* those of earlier tests may still be ending */
		answer = ask(server, "{\"do\":\"sessions\"}\n");
		assert(json_object_object_get_ex(answer, "sessions", &list));
		if (json_object_array_length(list) == 1)
			break;
		json_object_put(answer);
		usleep(10000);
	}
	assert(json_object_array_length(list) == 1);
	session = json_object_array_get_idx(list, 0);
	assert(number(session, "id") == client.reverse.reply.session);
	assert(number(session, "worker_pid") == client.reverse.reply.worker_pid);
	assert(number(session, "client_pid") == (uint64_t)getpid());
	assert(number(session, "asks") == 1 && number(session, "posts") == 10);
	assert(number(session, "lanes") == 1);
	assert(number(session, "bytes_in") == 11 * 32);
	assert(number(session, "rss_bytes") > 0);
	json_object_put(answer);

	answer = ask(server, "{\"do\":\"kill\",\"session\":123456}\n");
	assert(!json_object_get_boolean(json_object_object_get(answer, "ok")));
	json_object_put(answer);
	snprintf(request, sizeof(request), "{\"do\":\"kill\",\"session\":%llu}\n",
		 (unsigned long long)client.reverse.reply.session);
	answer = ask(server, request);
	assert(json_object_get_boolean(json_object_object_get(answer, "ok")));
	json_object_put(answer);
	assert(pl_lane_recv(client.reverse.lane, 20ull * SECOND_NS, &head) == -EPIPE);
	client_close(&client);
	answer = ask(server, "{\"do\":\"info\"}\n");
	assert(number(answer, "pid") == (uint64_t)server->pid);
	json_object_put(answer);
	answer = ask(server, "no json at all\n");
	assert(!json_object_get_boolean(json_object_object_get(answer, "ok")));
	json_object_put(answer);
}

int main(void)
{
	struct pl_daemon_options options = null_options();
	struct pl_test_server server;

	alarm(120);
	signal(SIGPIPE, SIG_IGN);
	pl_test_server_start(&server, &options, true);
	for (int i = 0; i < 2; i++) {
		const char *address = i ? server.tcp_address : server.unix_address;

		test_calls_run_and_are_answered(address);
		test_lanes_share_one_order(address);
		test_reverse_lane_brings_pushes(address);
		test_another_release_gets_the_functions_first(address);
		test_broken_order_ends_the_session_only(address);
	}
	test_arena_is_sealed_and_of_the_promised_size(&server);
	test_control_lists_counts_and_ends_sessions(&server);
	test_crash_breaks_lanes_and_is_logged(&server, server.unix_address);
	pl_test_server_stop(&server);
	return 0;
}
