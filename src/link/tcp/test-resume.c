/* Lanes that outlive their connections: positions, what is kept, halves that wait, peers that lie. */
#include "link/tcp/resume.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#undef NDEBUG
#include <assert.h>

#include "lib/lanes.h"
#include "link/greet.h"
#include "link/tcp/lane.h"
#include "link/tcp/tcp.h"

#define RECORDS      3000u
#define BULK_MAX     (700u << 10)
#define RECONNECTS   60
#define MEET_WAIT_NS 5000000000ull

static _Atomic uint32_t wanted; /* how often some lane asked for another connection */

static void want(void *arg)
{
	(void)arg;
	atomic_fetch_add(&wanted, 1);
}

struct pair {
	struct pl_lane *client, *server;
};

static struct pl_lane *lane_create(int fd, bool client)
{
	struct pl_lane *lane;
	int r = pl_tcp_lane_create(fd, &lane);

	assert(!r);
	pl_test_lane_far(lane, client ? want : NULL);
	return lane;
}

static void pair_create(struct pair *pair)
{
	int fds[2];

	pl_test_tcp_pair(fds);
	pair->client = lane_create(fds[0], true);
	pair->server = lane_create(fds[1], false);
}

static void pair_destroy(struct pair *pair)
{
	pl_lane_destroy(pair->client);
	pl_lane_destroy(pair->server);
}

/* ---- another connection, as client.c and worker.c make it ---- */

struct server_end {
	pthread_t thread;
	struct pl_lane *lane;
	int fd, result;
};

static void *server_run(void *arg)
{
	static const struct pl_hello_reply reply = { .status = PL_HELLO_OK };
	struct server_end *end = arg;

	end->result = end->lane->ops->resume(end->lane, end->fd, &reply, 0);
	return NULL;
}

static void server_start(struct server_end *end, struct pl_lane *lane, int fd)
{
	int r;

	*end = (struct server_end){ .lane = lane, .fd = fd };
	r = pthread_create(&end->thread, NULL, server_run, end);
	assert(!r);
}

static uint64_t reply_take(int fd)
{
	struct pl_greet_fds none = { 0 };
	struct pl_hello_reply reply;
	int r = pl_greet_reply_recv(fd, &reply, &none, pl_now_ns() + MEET_WAIT_NS);

	assert(!r && reply.status == PL_HELLO_OK);
	return reply.received;
}

/* The client finds its connection dead, though the server's end may not know of it. */
static void reconnect(struct pair *pair)
{
	struct server_end end;
	int fds[2], r;

	pl_test_tcp_pair(fds);
	atomic_store(&tcp_lane(pair->client)->resume->cut, true);
	server_start(&end, pair->server, fds[1]);
	r = pair->client->ops->resume(pair->client, fds[0], NULL, reply_take(fds[0]));
	pthread_join(end.thread, NULL);
	assert(!r && !end.result);
}

/* ---- traffic ---- */

struct traffic {
	pthread_t thread;
	struct pl_lane *lane;
	uint64_t seed;
};

static uint32_t record_bytes(uint64_t number)
{
	return 32 + (uint32_t)(number * 2654435761u % 500) * 8;
}

static uint64_t record_bulk(uint64_t number)
{
	return number % 7 ? 0 : number * 40503u % BULK_MAX;
}

static void *traffic_send(void *arg)
{
	struct traffic *traffic = arg;
	uint8_t *bulk = malloc(BULK_MAX);

	for (uint64_t i = 0; i < RECORDS; i++) {
		uint64_t bytes = record_bulk(i);
		int r = pl_test_record_send(traffic->lane, traffic->seed + i, record_bytes(i), bytes,
					    bytes ? PL_LANE_MORE : PL_LANE_NOW);

		pl_test_bytes_fill(bulk, bytes, traffic->seed + i);
		if (!r && bytes)
			r = pl_lane_send_bulk(traffic->lane, bulk, bytes);
		memset(bulk, 0, bytes); /* it is the caller's again */
		assert(!r);
	}
	free(bulk);
	return NULL;
}

static void *traffic_take(void *arg)
{
	struct traffic *traffic = arg;
	uint8_t *bulk = malloc(BULK_MAX);

	for (uint64_t i = 0; i < RECORDS; i++) {
		uint64_t bytes = record_bulk(i);
		int r = 0;

		pl_test_record_expect(traffic->lane, traffic->seed + i, record_bytes(i), bytes);
		if (bytes)
			r = pl_lane_recv_bulk(traffic->lane, bulk, bytes);
		assert(!r);
		pl_test_bytes_check(bulk, bytes, traffic->seed + i);
	}
	free(bulk);
	return NULL;
}

static void test_both_ways_each_record_comes_once_and_in_order(void)
{
	struct pair pair;
	struct traffic of[4];

	pair_create(&pair);
	for (int i = 0; i < 4; i++) {
		of[i] = (struct traffic){ .lane = i % 2 ? pair.server : pair.client,
					  .seed = i == 0 || i == 3 ? 1 : 1u << 20 };
		assert(!pthread_create(&of[i].thread, NULL, i < 2 ? traffic_send : traffic_take, &of[i]));
	}
	for (int i = 0; i < RECONNECTS; i++) {
		poll(NULL, 0, i % 13);
		reconnect(&pair);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(of[i].thread, NULL);
	assert(tcp_lane(pair.client)->resume->turn == RECONNECTS);
	pair_destroy(&pair);
}

static void test_what_nobody_has_read_survives_with_its_receiver_elsewhere(void)
{
	struct pair pair;
	int r = 0;

	pair_create(&pair);
	for (uint64_t i = 0; !r && i < 100; i++)
		r = pl_test_record_send(pair.client, i, 1024, 0, PL_LANE_NOW);
	assert(!r);
	reconnect(&pair);
	reconnect(&pair);
	r = pl_test_record_send(pair.client, 100, 1024, 0, PL_LANE_NOW);
	assert(!r);
	for (uint64_t i = 0; i <= 100; i++)
		pl_test_record_expect(pair.server, i, 1024, 0);
	pair_destroy(&pair);
}

/* ---- ends ---- */

static void test_a_peer_that_closes_ends_the_lane(void)
{
	const struct pl_wire_head *head;
	struct pair pair;
	int r;

	pair_create(&pair);
	pl_lane_destroy(pair.server);
	r = pl_lane_recv(pair.client, UINT64_MAX, &head);
	assert(r == -EPIPE && !pl_lane_is_cut(pair.client) && !atomic_load(&wanted));
	pl_lane_destroy(pair.client);
}

static void *recv_run(void *arg)
{
	const struct pl_wire_head *head;

	return (void *)(intptr_t)pl_lane_recv(arg, UINT64_MAX, &head);
}

/* Resets the connection under a lane's peer, as a network may. */
static void reset_under(struct pl_lane *lane)
{
	static const struct sockaddr none = { .sa_family = AF_UNSPEC };
	int r = connect(lane->fd, &none, sizeof(none));

	assert(!r);
}

static void waits_until_cut(struct pl_lane *lane)
{
	while (!atomic_load(&tcp_lane(lane)->resume->cut))
		poll(NULL, 0, 1);
}

static void test_a_reset_is_a_cut_and_who_waits_goes_on(void)
{
	struct pair pair;
	pthread_t waiter;
	void *result;
	int r;

	atomic_store(&wanted, 0);
	pair_create(&pair);
	assert(!pthread_create(&waiter, NULL, recv_run, pair.client));
	reset_under(pair.server);
	waits_until_cut(pair.client);
	assert(pl_lane_is_cut(pair.client) && pl_lane_is_cut(pair.server) && atomic_load(&wanted));
	reconnect(&pair);
	assert(!pl_lane_is_cut(pair.client) && !pl_lane_is_cut(pair.server));
	r = pl_test_record_send(pair.server, 7, 64, 0, PL_LANE_NOW);
	pthread_join(waiter, &result);
	assert(!r && !result);
	pair_destroy(&pair);
}

static void test_a_shutdown_ends_who_waits_for_a_connection(void)
{
	struct pair pair;
	pthread_t waiter;
	void *result;

	pair_create(&pair);
	assert(!pthread_create(&waiter, NULL, recv_run, pair.client));
	reset_under(pair.server);
	waits_until_cut(pair.client);
	pl_lane_shutdown(pair.client);
	pthread_join(waiter, &result);
	assert((intptr_t)result == -EPIPE);
	assert(!pl_lane_is_cut(pair.client));
	pair_destroy(&pair);
}

static void test_a_connection_that_fails_in_the_meeting_is_followed_by_another(void)
{
	struct server_end end;
	struct pair pair;
	int fds[2], r;

	pair_create(&pair);
	r = pl_test_record_send(pair.server, 1, 64, 0, PL_LANE_NOW);
	assert(!r);
	pl_test_tcp_pair(fds);
	server_start(&end, pair.server, fds[1]);
	reply_take(fds[0]);
	close(fds[0]);
	pthread_join(end.thread, NULL);
	assert(end.result == -EAGAIN && pl_lane_is_cut(pair.server));
	reconnect(&pair);
	pl_test_record_expect(pair.client, 1, 64, 0);
	pair_destroy(&pair);
}

static void liar_ends_the_lane(uint64_t received)
{
	struct pl_wire_again again = { .received = received };
	struct server_end end;
	struct pair pair;
	int fds[2], r;
	void *room;

	pair_create(&pair);
	r = pl_test_record_send(pair.server, 1, 64, 0, PL_LANE_NOW);
	assert(!r);
	pl_test_tcp_pair(fds);
	server_start(&end, pair.server, fds[1]);
	reply_take(fds[0]);
	r = pl_greet_again_send(fds[0], &again, pl_now_ns() + MEET_WAIT_NS);
	assert(!r);
	pthread_join(end.thread, NULL);
	assert(end.result == -EPIPE && !pl_lane_is_cut(pair.server));
	assert(pl_lane_reserve(pair.server, 64, &room) == -EPIPE);
	close(fds[0]);
	pair_destroy(&pair);
}

static void test_a_position_that_is_none_ends_the_lane(void)
{
	liar_ends_the_lane(65);
	liar_ends_the_lane(UINT64_MAX);
}

/* A peer behind a relay that has acknowledged what it did not deliver. */
static void test_what_is_no_more_kept_ends_the_lane(void)
{
	uint8_t *bulk = calloc(1, 1 << 16);
	struct pair pair;
	int fds[2], r;

	pair_create(&pair);
	r = pl_test_record_send(pair.client, 1, 64, 4096, PL_LANE_MORE);
	r = r ? r : pl_lane_send_bulk(pair.client, bulk, 4096);
	pl_test_record_expect(pair.server, 1, 64, 4096);
	r = r ? r : pl_lane_recv_bulk(pair.server, bulk, 4096);
	for (int i = 0; !r && i < 40; i++) {
		r = pl_test_record_send(pair.client, 2, 64, 1 << 16, PL_LANE_MORE);
		r = r ? r : pl_lane_send_bulk(pair.client, bulk, 1 << 16);
		pl_test_record_expect(pair.server, 2, 64, 1 << 16);
		r = r ? r : pl_lane_recv_bulk(pair.server, bulk, 1 << 16);
	}
	assert(!r);
	pl_test_tcp_pair(fds);
	atomic_store(&tcp_lane(pair.client)->resume->cut, true);
	r = pair.client->ops->resume(pair.client, fds[0], NULL, 64);
	assert(r == -EPIPE);
	close(fds[1]);
	free(bulk);
	pair_destroy(&pair);
}

static void test_a_lane_to_this_host_ends_with_its_connection(void)
{
	struct pl_lane *lane;
	int fds[2], r;

	pl_test_tcp_pair(fds);
	r = pl_tcp_lane_create(fds[0], &lane);
	assert(!r && !pl_lane_resumable(lane, want, NULL, false) && !lane->resumes && !pl_lane_is_cut(lane));
	pl_lane_destroy(lane);
	close(fds[1]);
}

int main(void)
{
	alarm(110);
	test_a_peer_that_closes_ends_the_lane();
	test_a_lane_to_this_host_ends_with_its_connection();
	test_a_reset_is_a_cut_and_who_waits_goes_on();
	test_a_shutdown_ends_who_waits_for_a_connection();
	test_what_nobody_has_read_survives_with_its_receiver_elsewhere();
	test_a_connection_that_fails_in_the_meeting_is_followed_by_another();
	test_a_position_that_is_none_ends_the_lane();
	test_what_is_no_more_kept_ends_the_lane();
	test_both_ways_each_record_comes_once_and_in_order();
	return 0;
}
