/* How a lane ends: shut down from another thread, a peer that dies, half a record, heads that lie. */
#include "contract/cases.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct waiter {
	pthread_t thread;
	struct pl_lane *lane;
	int (*wait)(struct pl_lane *lane);
	int result;
};

static uint8_t half_a_payload[128 << 10]; /* more than a hook's piece, less than a ring */

static int wait_recv(struct pl_lane *lane)
{
	const struct pl_wire_head *head;

	return pl_lane_recv(lane, UINT64_MAX, &head);
}

/* Until there is no room: nobody receives. */
static int wait_room(struct pl_lane *lane)
{
	int r = 0;

	for (uint64_t i = 0; !r; i++)
		r = pl_test_record_send(lane, i, 65536, 0, PL_LANE_NOW);
	return r;
}

static int wait_bulk(struct pl_lane *lane)
{
	const struct pl_wire_head *head;
	uint8_t *data = malloc(1 << 20);
	int r = pl_lane_recv(lane, UINT64_MAX, &head);

	assert(data && !r && head->bulk_bytes == 1 << 20);
	r = pl_lane_recv_bulk(lane, data, head->bulk_bytes);
	free(data);
	return r;
}

static int wait_send_bulk(struct pl_lane *lane)
{
	static uint8_t data[1 << 20];
	int r = pl_test_record_send(lane, 1, 64, 1ull << 36, PL_LANE_NOW);

	for (int i = 0; !r && i < 1 << 16; i++)
		r = pl_lane_send_bulk(lane, data, sizeof(data));
	return r;
}

static void *waiter_run(void *arg)
{
	struct waiter *waiter = arg;

	waiter->result = waiter->wait(waiter->lane);
	return NULL;
}

static void waiter_start(struct waiter *waiter, struct pl_lane *lane, int (*wait)(struct pl_lane *lane))
{
	int r;

	*waiter = (struct waiter){.lane = lane, .wait = wait};
	r = pthread_create(&waiter->thread, NULL, waiter_run, waiter);
	assert(!r);
}

static void waiter_ends(struct waiter *waiter, int result)
{
	pthread_join(waiter->thread, NULL);
	assert(waiter->result == result);
}

static uint64_t moved(struct pl_lane *lane)
{
	return atomic_load(&lane->stats.bytes_out) + atomic_load(&lane->stats.bytes_in);
}

/* Until nothing moves any more: all waiters wait. */
static void settle(struct pl_lane *lane)
{
	uint64_t before;

	do {
		struct timespec t = {.tv_nsec = 60000000};
		before = moved(lane);
		nanosleep(&t, NULL);
	} while (before != moved(lane));
}

/* A broken lane says so at once, in every operation. */
static void check_broken(struct pl_lane *lane)
{
	const struct pl_wire_head *head;
	void *room;
	uint8_t byte;
	int r;

	r = pl_test_record_send(lane, 1, 64, 0, PL_LANE_NOW);
	assert(r < 0);
	r = pl_lane_reserve(lane, 64, &room);
	assert(r < 0);
	r = pl_lane_recv(lane, UINT64_MAX, &head);
	assert(r < 0);
	r = pl_lane_recv_bulk(lane, &byte, 1);
	assert(r < 0);
	pl_lane_shutdown(lane); /* idempotent */
}

/* Takes what was on its way, then sees the end. */
static void expect_end(struct pl_lane *lane)
{
	const struct pl_wire_head *head;
	int r;

	do {
		r = pl_lane_recv(lane, UINT64_MAX, &head);
		assert(r || !head->bulk_bytes);
	} while (!r);
	assert(r == -EPIPE);
}

static void shutdown_wakes(const struct pl_test_link *link, bool at_client, int (*receive)(struct pl_lane *lane),
			   int (*send)(struct pl_lane *lane))
{
	struct waiter receiver, sender;
	struct pl_test_watch watch;
	struct pl_test_pair pair;
	struct pl_lane *lane, *peer;
	bool watched;

	pl_test_pair_create(&pair, link);
	pl_test_pair_ready(&pair);
	lane = at_client ? pair.client : pair.server;
	peer = at_client ? pair.server : pair.client;
	watched = link->shm && !(link->hooked && !at_client);
	if (watched)
		pl_test_watch_start(&watch, peer);
	if (receive == wait_bulk) {
		int r = pl_test_record_send(peer, 1, 64, 1 << 20, PL_LANE_NOW);
		assert(!r);
		r = pl_lane_send_bulk(peer, half_a_payload, sizeof(half_a_payload));
		assert(!r);
	}
	waiter_start(&receiver, lane, receive);
	waiter_start(&sender, lane, send);
	settle(lane);
	pl_lane_shutdown(lane);
	waiter_ends(&receiver, -EPIPE);
	waiter_ends(&sender, -EPIPE);
	check_broken(lane);
	if (send == wait_room && !(link->hooked && link->shm)) /* there nobody watches under the hook */
		expect_end(peer);
	pl_lane_shutdown(peer);
	if (watched)
		pl_test_watch_end(&watch);
	pl_test_pair_destroy(&pair);
}

/* Nobody waits, and the sender has room left. */
static void an_end_with_room_left_is_seen(const struct pl_test_link *link)
{
	for (int at_client = 0; at_client < 2; at_client++) {
		struct pl_test_pair pair;
		struct pl_lane *lane;
		int r;

		pl_test_pair_create(&pair, link);
		pl_test_pair_ready(&pair);
		lane = at_client ? pair.client : pair.server;
		r = pl_test_record_send(lane, 0, 64, 0, PL_LANE_NOW);
		assert(!r);
		pl_lane_shutdown(lane);
		check_broken(lane);
		pl_test_pair_destroy(&pair);
	}
}

static void shutdown_wakes_who_waits(const struct pl_test_link *link)
{
	for (int at_client = 0; at_client < 2; at_client++) {
		shutdown_wakes(link, at_client, wait_recv, wait_room);
		shutdown_wakes(link, at_client, wait_bulk, wait_send_bulk);
	}
}

/* Between hosts an end that comes while data is on its way can be a reset, which is a cut: the lane waits for another
 * connection, and its owner, whose patience is not the lane's, ends it. */
static void waiter_ends_or_is_cut(struct waiter *waiter, struct pl_lane *lane)
{
	while (pthread_tryjoin_np(waiter->thread, NULL)) {
		if (pl_lane_is_cut(lane))
			pl_lane_shutdown(lane);
		usleep(1000);
	}
	assert(waiter->result == -EPIPE);
}

/* The other end shuts down without having read what fills the lane; it lives on, so that no reset helps. */
static void shutdown_by_the_peer_is_seen(const struct pl_test_link *link)
{
	for (int at_client = 0; at_client < 2; at_client++) {
		struct waiter sender; /* alone: no receiver of ours finds the end for it */
		struct pl_test_watch watch;
		struct pl_test_pair pair;
		struct pl_lane *lane, *peer, *watched;

		pl_test_pair_create(&pair, link);
		pl_test_pair_ready(&pair);
		lane = at_client ? pair.client : pair.server;
		peer = at_client ? pair.server : pair.client;
		watched = link->hooked && at_client ? pair.under : lane;
		if (link->shm)
			pl_test_watch_start(&watch, watched);
		waiter_start(&sender, lane, wait_room);
		settle(lane);
		pl_lane_shutdown(peer);
		if (link->hooked && !at_client) /* the hook passes the end on behind what it still has to deliver */
			pl_lane_shutdown(pair.under);
		if (link->far && link->hooked) /* the hook reads on, so that the sender does */
			waiter_ends_or_is_cut(&sender, lane);
		else
			waiter_ends(&sender, -EPIPE);
		check_broken(lane);
		if (link->shm)
			pl_test_watch_end(&watch);
		pl_test_pair_destroy(&pair);
	}
}

/* The child holds the server's end, does `act`, and is killed while it sleeps. */
static pid_t fork_server(struct pl_test_pair *pair, void (*act)(struct pl_lane *lane))
{
	pid_t child = fork();

	assert(child >= 0);
	if (!child) {
		close(pair->client->fd);
		act(pair->server);
		for (;;)
			pause();
	}
	pl_lane_destroy(pair->server);
	pair->server = NULL;
	pl_test_pair_ready(pair);
	return child;
}

static void act_nothing(struct pl_lane *lane)
{
	(void)lane;
}

static void act_half_payload(struct pl_lane *lane)
{
	if (pl_test_record_send(lane, 1, 64, 1 << 20, PL_LANE_NOW) ||
	    pl_lane_send_bulk(lane, half_a_payload, sizeof(half_a_payload)))
		_exit(1);
}

static void death_is_seen(const struct pl_test_link *link, void (*act)(struct pl_lane *lane),
			  int (*receive)(struct pl_lane *lane), int (*send)(struct pl_lane *lane))
{
	bool watched = link->shm || link->far; /* the end of who had bytes to read may look like a cut */
	struct waiter receiver, sender;
	struct pl_test_watch watch;
	struct pl_test_pair pair;
	pid_t child;

	pl_test_pair_create(&pair, link);
	child = fork_server(&pair, act);
	if (watched)
		pl_test_watch_start(&watch, link->hooked ? pair.under : pair.client);
	waiter_start(&receiver, pair.client, receive);
	waiter_start(&sender, pair.client, send);
	settle(pair.client);
	kill(child, SIGKILL);
	waiter_ends(&receiver, -EPIPE);
	waiter_ends(&sender, -EPIPE);
	pl_lane_shutdown(pair.client);
	check_broken(pair.client);
	if (watched)
		pl_test_watch_end(&watch);
	waitpid(child, NULL, 0);
	pl_test_pair_destroy(&pair);
}

static void death_of_the_peer_is_seen(const struct pl_test_link *link)
{
	death_is_seen(link, act_nothing, wait_recv, wait_room);
	death_is_seen(link, act_half_payload, wait_bulk, wait_send_bulk);
}

/* ---- peers that do not keep the rules: raw bytes under the lane; cases-shm.c has the same for shared memory ---- */

static int receive_raw(const struct pl_test_link *link, const void *bytes, size_t count)
{
	const struct pl_wire_head *head;
	struct pl_test_pair pair;
	int r;

	pl_test_pair_create(&pair, link);
	pl_test_pair_ready(&pair);
	if (count && send(pair.server->fd, bytes, count, MSG_NOSIGNAL) != (ssize_t)count)
		abort();
	shutdown(pair.server->fd, SHUT_WR);
	r = pl_lane_recv(pair.client, UINT64_MAX, &head);
	if (!r && head->bulk_bytes)
		r = pl_lane_drop_bulk(pair.client, head->bulk_bytes);
	if (r) {
		pl_lane_shutdown(pair.client);
		check_broken(pair.client);
	}
	pl_test_pair_destroy(&pair);
	return r;
}

static void half_a_record_is_the_end(const struct pl_test_link *link)
{
	union {
		struct pl_wire_head head;
		uint8_t bytes[64];
	} record = {.head = {.len_bytes = 64, .bulk_bytes = 100}};
	static const size_t counts[] = {0, 1, 4, 23, 24, 32, 63, 64};

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		assert(receive_raw(link, &record, counts[i]) == -EPIPE);
	record.head.bulk_bytes = 0;
	assert(receive_raw(link, &record, 64) == 0); /* and a whole one is not */
}

static void heads_that_lie_are_refused(const struct pl_test_link *link)
{
	static const struct pl_wire_head lies[] = {
		{.len_bytes = 0},
		{.len_bytes = 8},
		{.len_bytes = 16},
		{.len_bytes = 23},
		{.len_bytes = 25},
		{.len_bytes = 28},
		{.len_bytes = PL_WIRE_RECORD_MAX + 8},
		{.len_bytes = PL_WIRE_RECORD_MAX + 1},
		{.len_bytes = UINT32_MAX},
		{.len_bytes = UINT32_MAX - 7},
		{.len_bytes = 1u << 31},
		{.len_bytes = 24, .bulk_bytes = PL_WIRE_BULK_MAX + 1},
		{.len_bytes = 24, .bulk_bytes = UINT64_MAX},
		{.len_bytes = 24, .bulk_bytes = 1ull << 63},
	};

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++)
		assert(receive_raw(link, &lies[i], sizeof(lies[i])) == -EPROTO);
}

/* The one who lied is told by the end of the connection. */
static void a_liar_loses_its_connection(const struct pl_test_link *link)
{
	static const struct pl_wire_head lie = {.len_bytes = 8};
	const struct pl_wire_head *head;
	struct pl_test_pair pair;
	int r;

	if (link->hooked)
		return; /* there it is the hook that was lied to */
	pl_test_pair_create(&pair, link);
	if (send(pair.server->fd, &lie, sizeof(lie), MSG_NOSIGNAL) != sizeof(lie))
		abort();
	r = pl_lane_recv(pair.client, UINT64_MAX, &head);
	assert(r == -EPROTO);
	check_broken(pair.client);
	r = pl_lane_recv(pair.server, UINT64_MAX, &head);
	assert(r == -EPIPE);
	pl_test_pair_destroy(&pair);
}

/* Shut down and destroyed with records on their way, by either end, over and over. */
static void ends_in_any_state(const struct pl_test_link *link)
{
	for (unsigned i = 0; i < 24; i++) {
		struct waiter sender, receiver;
		struct pl_test_pair pair;
		struct timespec t = {.tv_nsec = 100000 * (long)(i % 8)};

		pl_test_pair_create(&pair, link);
		pl_test_pair_ready(&pair);
		waiter_start(&sender, pair.client, wait_room);
		waiter_start(&receiver, pair.server, wait_recv);
		nanosleep(&t, NULL);
		pl_lane_shutdown(i % 2 ? pair.client : pair.server);
		pl_lane_shutdown(i % 2 ? pair.server : pair.client);
		pthread_join(receiver.thread, NULL);
		waiter_ends(&sender, -EPIPE);
		pl_test_pair_destroy(&pair);
	}
}

const struct pl_test_case pl_test_cases_end[] = {
	{"shutdown wakes who waits", shutdown_wakes_who_waits, .stream = false},
	{"shutdown by the peer is seen", shutdown_by_the_peer_is_seen, .stream = false},
	{"an end with room left is seen", an_end_with_room_left_is_seen, .stream = false},
	{"death of the peer is seen", death_of_the_peer_is_seen, .stream = false},
	{"half a record is the end", half_a_record_is_the_end, .stream = true},
	{"heads that lie are refused", heads_that_lie_are_refused, .stream = true},
	{"a liar loses its connection", a_liar_loses_its_connection, .stream = true},
	{"ends in any state", ends_in_any_state, .stream = false},
	{0},
};
