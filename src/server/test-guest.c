/* Sessions of a guest, whose data and lanes lie in a region of ivshmem: who gets a part, what he can not reach. */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lib/null-backend.h"
#include "lib/server.h"
#include "link/ivshmem/region.h"
#include "link/shm/shm.h"
#include "wire/codec.h"

#define DIAL_NS      20000000000ull
#define SESSIONS_MAX 8 /* more than 16 MiB have parts */

struct client {
	struct pl_link_opened reverse, lane;
	uint64_t ticket;
};

static struct pl_test_server server;

static struct pl_hello hello_of(enum pl_hello_kind kind)
{
	struct pl_hello hello = pl_test_hello(kind);

	snprintf(hello.token, sizeof(hello.token), "%s", PL_TEST_TOKEN);
	hello.api_hash = PL_NULL_API_HASH;
	return hello;
}

static struct pl_hello hello_lane(const struct pl_hello_reply *session, uint64_t place)
{
	struct pl_hello hello = hello_of(PL_HELLO_LANE);

	hello.session = session->session;
	memcpy(hello.secret, session->secret, sizeof(hello.secret));
	hello.place = place;
	return hello;
}

static void client_open(struct client *client)
{
	struct pl_hello hello = hello_of(PL_HELLO_SESSION);
	const struct pl_hello_reply *reply = &client->reverse.reply;

	*client = (struct client){ 0 };
	assert(pl_link_dial(server.region_address, &hello, DIAL_NS, &client->reverse) == 0);
	hello = hello_lane(reply, client->reverse.in_region ? reply->arena_offset + 1 : 0);
	assert(pl_link_dial(server.region_address, &hello, DIAL_NS, &client->lane) == 0);
}

static void client_close(struct client *client)
{
	pl_lane_destroy(client->lane.lane);
	pl_lane_destroy(client->reverse.lane);
	if (client->reverse.arena_fd >= 0)
		close(client->reverse.arena_fd);
	assert(pl_test_gone((pid_t)client->reverse.reply.worker_pid));
}

/* Return: the sum so far, or -1: the session is lost. */
static int64_t client_add(struct client *client, uint64_t number)
{
	struct pl_wire_head head = { .len_bytes = sizeof(head) + 8, .op = PL_NULL_ADD, .flags = PL_WIRE_ASK };
	struct pl_lane *lane = client->lane.lane;
	const struct pl_wire_head *got;
	struct pl_enc enc;
	uint64_t sum;
	void *room;

	head.ticket = ++client->ticket;
	if (pl_lane_reserve(lane, head.len_bytes, &room))
		return -1;
	memcpy(room, &head, sizeof(head));
	enc.at = (uint8_t *)room + sizeof(head);
	pl_enc_u64(&enc, number);
	if (pl_lane_commit(lane, head.len_bytes, PL_LANE_NOW) || pl_lane_recv(lane, DIAL_NS, &got))
		return -1;
	memcpy(&sum, (const uint8_t *)(got + 1) + sizeof(struct pl_wire_reply), 8);
	return (int64_t)sum;
}

static void refused(const char *address, const struct pl_hello *hello)
{
	struct pl_hello_reply reply;
	int fd = pl_test_connect(address);

	assert(fd >= 0 && pl_test_greet(fd, hello, &reply) == 0 && reply.status == PL_HELLO_E_SESSION);
	close(fd);
}

/* The carrier of the region's address. */
static const char *carrier(void)
{
	return strchr(server.region_address, ';') + 1;
}

static const char *region_path(char path[PL_LINK_ADDRESS_MAX])
{
	snprintf(path, PL_LINK_ADDRESS_MAX, "%s/region", server.folder);
	return path;
}

static void key_read(uint8_t key[PL_REGION_KEY_BYTES])
{
	char path[PL_LINK_ADDRESS_MAX];
	uint64_t bytes;
	int fd;

	assert(pl_region_open(region_path(path), &fd, &bytes, key) == 0);
	close(fd);
}

static void test_data_and_lanes_lie_in_the_region(void)
{
	struct client client;
	int64_t sum = 0;

	client_open(&client);
	assert(client.reverse.in_region && client.reverse.reply.arena_bytes >= PL_REGION_GRANT_MIN);
	assert(!strcmp(client.lane.lane->ops->name, "shm") && !strcmp(client.reverse.lane->ops->name, "tcp"));
	for (uint64_t i = 1; i <= 1000; i++)
		sum = client_add(&client, i);
	assert(sum == 500500);
	client_close(&client);
}

static void test_who_does_not_see_the_region_is_refused(void)
{
	struct pl_hello hello = hello_of(PL_HELLO_SESSION);

	memset(hello.secret, 0x5a, sizeof(hello.secret));
	refused(carrier(), &hello);
	key_read(hello.secret);
	refused(server.tcp_address, &hello); /* another listener: another guest's, or none */
	refused(server.unix_address, &hello);
	hello.secret[0] ^= 1;
	refused(carrier(), &hello);
}

static void test_places_outside_of_the_part_are_refused(void)
{
	struct client client, other;
	const struct pl_hello_reply *reply = &client.reverse.reply;
	struct pl_hello hello;

	client_open(&client);
	client_open(&other);
	const uint64_t begin = reply->arena_offset, end = begin + reply->arena_bytes;
	const uint64_t bad[] = { 0,
				 4096,
				 begin - 4096,
				 begin + 8,
				 end - PL_SHM_LANE_BYTES + 4096,
				 end,
				 other.reverse.reply.arena_offset,
				 16u << 20,
				 UINT64_MAX - 1,
				 UINT64_MAX - 4096 };

	assert(other.reverse.in_region && reply->arena_offset != other.reverse.reply.arena_offset);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		hello = hello_lane(reply, bad[i] + 1);
		refused(carrier(), &hello);
	}
	hello = hello_lane(reply, begin + 1);
	refused(server.tcp_address, &hello); /* not the guest's way in */
	assert(client_add(&client, 7) == 7 && client_add(&other, 8) == 8);
	client_close(&client);
	client_close(&other);
}

static void test_a_full_region_is_no_end(void)
{
	struct client clients[SESSIONS_MAX];
	unsigned placed = 0;

	for (unsigned i = 0; i < SESSIONS_MAX; i++) {
		client_open(&clients[i]);
		placed += clients[i].reverse.in_region;
		assert(clients[i].reverse.in_region || !strcmp(clients[i].lane.lane->ops->name, "tcp"));
	}
	assert(placed >= 2 && placed < SESSIONS_MAX);
	assert(pl_test_server_logged(&server, "no room is left in the memory of a guest"));
	for (unsigned i = 0; i < SESSIONS_MAX; i++) {
		assert(client_add(&clients[i], i) == i);
		client_close(&clients[i]);
	}
	client_open(&clients[0]); /* the parts came back */
	assert(clients[0].reverse.in_region);
	client_close(&clients[0]);
}

/* A guest that was reset does not close its connections. */
static void test_sessions_of_an_earlier_boot_end(void)
{
	struct pl_hello hello = hello_of(PL_HELLO_SESSION);
	struct pl_hello_reply first, second, third;
	int fds[3];

	key_read(hello.secret);
	hello.place = 1;
	fds[0] = pl_test_connect(carrier());
	assert(pl_test_greet(fds[0], &hello, &first) == 0 && first.arena_bytes);
	fds[1] = pl_test_connect(carrier());
	assert(pl_test_greet(fds[1], &hello, &second) == 0 && second.arena_bytes);
	hello.place = 2;
	fds[2] = pl_test_connect(carrier());
	assert(pl_test_greet(fds[2], &hello, &third) == 0 && third.status == PL_HELLO_OK);
	assert(pl_test_gone((pid_t)first.worker_pid) && pl_test_gone((pid_t)second.worker_pid));
	assert(pl_test_server_logged(&server, "its guest has started anew"));
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	assert(pl_test_gone((pid_t)third.worker_pid));
}

/* Everything in the region is the guest's to spoil: it loses its own sessions at most. */
static void test_a_guest_that_writes_over_all_of_it_harms_itself(void)
{
	char path[PL_LINK_ADDRESS_MAX];
	uint8_t key[PL_REGION_KEY_BYTES], *all;
	struct client client;
	uint64_t bytes;
	int fd;

	assert(pl_region_open(region_path(path), &fd, &bytes, key) == 0);
	all = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert(all != MAP_FAILED);
	client_open(&client);
	assert(client_add(&client, 1) == 1);
	memset(all + 4096, 0xff, bytes - 4096);
	for (int i = 0; i < 10 && client_add(&client, 1) >= 0; i++)
		;
	client_close(&client);
	client_open(&client);
	assert(client.reverse.in_region && client_add(&client, 5) == 5);
	client_close(&client);
	memset(all, 0, 4096); /* the key too: from now on nobody is let in by it */
	assert(pl_region_open(region_path(path), &fd, &bytes, key) < 0);
	munmap(all, bytes);
	close(fd);
}

int main(void)
{
	struct pl_daemon_options options;

	pl_daemon_options_init(&options);
	options.apis[0].backend = &pl_backend_null;
	pl_test_server_start(&server, &options, true);
	test_data_and_lanes_lie_in_the_region();
	test_who_does_not_see_the_region_is_refused();
	test_places_outside_of_the_part_are_refused();
	test_a_full_region_is_no_end();
	test_sessions_of_an_earlier_boot_end();
	test_a_guest_that_writes_over_all_of_it_harms_itself();
	pl_test_server_stop(&server);
	return 0;
}
