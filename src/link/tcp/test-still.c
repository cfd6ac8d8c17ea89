/* Lanes that stand still in the middle of traffic and go on, in place or from their state: each byte comes once. */
#include "link/still.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#undef NDEBUG
#include <assert.h>

#include "lib/lanes.h"
#include "link/connection.h"
#include "link/greet.h"
#include "link/tcp/lane.h"
#include "link/tcp/tcp.h"

#define ROUNDS       120
#define BULK_MAX     (700u << 10)
#define END_BYTES    24u /* of the record that ends a direction; the others are longer */
#define MEET_WAIT_NS 5000000000ull
#define CUT_WAIT_MS  5000
#define STAND_MS     20000

static struct pl_lane *lane_create(int fd)
{
	struct pl_lane *lane;
	int r = pl_tcp_lane_create(fd, &lane);

	assert(!r && lane->near && pl_lane_resumable(lane, NULL, NULL, true) && lane->resumes);
	return lane;
}

static uint32_t chance(void)
{
	static uint32_t state = 1; /* the controlling thread's */

	state = state * 1664525u + 1013904223u;
	return state >> 8;
}

/* ---- another connection, as client.c and worker.c make it ---- */

struct server_end {
	pthread_t thread;
	struct pl_lane *lane;
	int fd, result;
};

static void *accept_run(void *arg)
{
	static const struct pl_hello_reply reply = { .status = PL_HELLO_OK };
	struct server_end *end = arg;

	end->result = pl_link_accept_again(end->fd, &reply, end->lane);
	return NULL;
}

static int reply_take(int fd, uint64_t *received_out)
{
	struct pl_greet_fds none = { 0 };
	struct pl_hello_reply reply;
	int r = pl_greet_reply_recv(fd, &reply, &none, pl_now_ns() + MEET_WAIT_NS);

	assert(r || reply.status == PL_HELLO_OK);
	*received_out = reply.received;
	return r;
}

static void reconnect(struct pl_lane *client, struct pl_lane *server)
{
	struct server_end end = { .lane = server };
	uint64_t received;
	int fds[2], r;

	pl_test_tcp_pair(fds);
	end.fd = fds[1];
	assert(!pthread_create(&end.thread, NULL, accept_run, &end));
	r = reply_take(fds[0], &received);
	assert(!r);
	r = client->ops->resume(client, fds[0], NULL, received);
	pthread_join(end.thread, NULL);
	assert(!r && !end.result);
}

/* The peer takes the end of its connection for a cut, not for an end of the stream. */
static void waits_until_cut(struct pl_lane *lane)
{
	for (int i = 0; !pl_lane_is_cut(lane); i++) {
		assert(i < CUT_WAIT_MS && !tcp_broken(tcp_lane(lane)));
		poll(NULL, 0, 1);
	}
}

/* ---- traffic ---- */

static uint32_t record_bytes(uint64_t number)
{
	return 32 + (uint32_t)(number * 2654435761u % 500) * 8;
}

static uint64_t record_bulk(uint64_t number)
{
	return number % 7 ? 0 : 1 + number * 40503u % (number % 5 ? 3000 : BULK_MAX);
}

/* Threads that use the server's end; each stands where it can when it is asked to. */
struct stand {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct pl_lane *lane;       /* under lock, as all here */
	bool sender_out, taker_out; /* they may not run */
	bool sender_in, taker_in;   /* they stand */
	bool again;                 /* the taker stands behind a record that it has not begun with */
	bool over;                  /* senders send the last record */
};

struct traffic {
	pthread_t thread;
	struct pl_lane *lane; /* the client's; NULL: that of `stand` */
	uint64_t seed, count;
};

static struct stand stand = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

/* Stands here while it is asked to.  Return: the lane is another one since. */
static bool stand_here(bool *out, bool *in, bool again, struct pl_lane **lane)
{
	bool replaced;

	pthread_mutex_lock(&stand.lock);
	if (in == &stand.taker_in)
		stand.again = again;
	*in = true;
	pthread_cond_broadcast(&stand.changed);
	while (*out)
		pthread_cond_wait(&stand.changed, &stand.lock);
	*in = false;
	replaced = *lane != stand.lane;
	*lane = stand.lane;
	pthread_mutex_unlock(&stand.lock);
	return replaced;
}

static bool asked(const bool *flag)
{
	bool is;

	pthread_mutex_lock(&stand.lock);
	is = *flag;
	pthread_mutex_unlock(&stand.lock);
	return is;
}

static void *traffic_send(void *arg)
{
	struct traffic *traffic = arg;
	struct pl_lane *lane = traffic->lane;
	uint8_t *bulk = malloc(BULK_MAX + 8);
	int r = 0;

	if (!lane)
		stand_here(&stand.sender_out, &stand.sender_in, false, &lane);
	for (uint64_t i = 0; !asked(&stand.over); i++) {
		uint64_t bytes = record_bulk(i);

		if (!traffic->lane && asked(&stand.sender_out))
			stand_here(&stand.sender_out, &stand.sender_in, false, &lane);
		r = pl_test_record_send(lane, traffic->seed + i, record_bytes(i), bytes,
					bytes || i % 3 == 1 ? PL_LANE_MORE
					: i % 3             ? PL_LANE_SOON
							    : PL_LANE_NOW);
		pl_test_bytes_fill(bulk, bytes, traffic->seed + i);
		if (!r && bytes)
			r = pl_lane_send_bulk(lane, bulk, bytes);
		assert(!r);
		traffic->count++;
	}
	r = pl_test_record_send(lane, 0, END_BYTES, 0, PL_LANE_NOW);
	assert(!r);
	free(bulk);
	return NULL;
}

/* The next record of the server's end, wherever that is by now.  Stands in front of it or behind it. */
static const struct pl_wire_head *stand_recv(struct pl_lane **lane)
{
	const struct pl_wire_head *head;

	for (;;) {
		int r = pl_lane_recv(*lane, UINT64_MAX, &head);

		if (r == PL_LANE_E_HALTED) {
			stand_here(&stand.taker_out, &stand.taker_in, false, lane);
			continue;
		}
		assert(!r);
		if (head->ticket % 3 && asked(&stand.taker_out) &&
		    stand_here(&stand.taker_out, &stand.taker_in, true, lane))
			continue; /* the lane that it came from is gone: it comes again */
		return head;
	}
}

static const struct pl_wire_head *plain_recv(struct pl_lane *lane)
{
	const struct pl_wire_head *head;
	int r = pl_lane_recv(lane, UINT64_MAX, &head);

	assert(!r);
	return head;
}

static void *traffic_take(void *arg)
{
	struct traffic *traffic = arg;
	struct pl_lane *lane = traffic->lane;
	uint8_t *bulk = malloc(BULK_MAX + 8);

	if (!lane)
		stand_here(&stand.taker_out, &stand.taker_in, false, &lane);
	for (uint64_t i = 0;; i++) {
		const struct pl_wire_head *head = traffic->lane ? plain_recv(lane) : stand_recv(&lane);
		uint64_t bytes = record_bulk(i);
		int r = 0;

		if (head->len_bytes == END_BYTES)
			break;
		pl_test_record_check(head, traffic->seed + i, record_bytes(i), bytes);
		if (bytes)
			r = pl_lane_recv_bulk(lane, bulk, bytes);
		assert(!r);
		pl_test_bytes_check(bulk, bytes, traffic->seed + i);
		traffic->count++;
		if (!traffic->lane && i % 50 == 0)
			poll(NULL, 0, 1); /* so that something is unread */
	}
	free(bulk);
	return NULL;
}

/* ---- the controlling thread ---- */

/* Return: they stand; false: not within ms milliseconds. */
static bool threads_stop(int ms)
{
	int r = pl_lane_halt(stand.lane);
	bool in;

	assert(!r);
	pthread_mutex_lock(&stand.lock);
	stand.taker_out = stand.sender_out = true;
	pthread_mutex_unlock(&stand.lock);
	while (!(in = asked(&stand.taker_in) && asked(&stand.sender_in)) && ms-- > 0)
		poll(NULL, 0, 1);
	return in;
}

static void threads_go(struct pl_lane *lane, bool sender_too)
{
	pthread_mutex_lock(&stand.lock);
	stand.lane = lane;
	stand.taker_out = false;
	stand.sender_out &= !sender_too;
	pthread_cond_broadcast(&stand.changed);
	pthread_mutex_unlock(&stand.lock);
	while (asked(&stand.taker_in) || (sender_too && asked(&stand.sender_in)))
		poll(NULL, 0, 1);
}

static struct pl_lane *lane_restore(struct pl_lane *old, struct pl_lane_state *state)
{
	struct pl_lane *lane;
	int r = pl_link_restored_lane(state, &lane);

	assert(!r && lane->resumes && pl_lane_is_cut(lane));
	pl_lane_state_fini(state);
	pl_lane_destroy(old);
	return lane;
}

/* What was written down while a lane stood is true as long as it stands. */
static void stand_for_a_while(struct pl_lane *lane, const struct pl_lane_state *state)
{
	poll(NULL, 0, (int)(chance() % 4 ? 0 : chance() % 30));
	assert(tcp_lane(lane)->resume->received == state->received);
	assert(recv(lane->fd, &(char){ 0 }, 1, MSG_PEEK | MSG_DONTWAIT) <= 0);
}

static uint32_t twice; /* a lane was restored that had no connection yet */

static void still_once(struct pl_lane *client, int round)
{
	struct pl_lane_state state;
	struct pl_lane *lane = stand.lane;
	int r;

	assert(threads_stop(STAND_MS));
	pl_lane_peer_parts(lane);
	pl_lane_part(client);
	r = pl_lane_still(lane, stand.again, &state);
	assert(!r && state.unread_bytes <= state.received);
	stand_for_a_while(lane, &state);
	if (round % 3 == 0) {
		pl_lane_state_fini(&state);
		pl_lane_go(lane);
		threads_go(lane, chance() % 2);
		reconnect(client, lane);
		threads_go(lane, true);
		return;
	}
	lane = lane_restore(lane, &state);
	waits_until_cut(client);
	if (round % 3 == 1) { /* once more, while nobody has come back */
		threads_go(lane, false);
		poll(NULL, 0, (int)(chance() % 4));
		if (threads_stop(10)) {
			pl_lane_peer_parts(lane);
			r = pl_lane_still(lane, stand.again, &state);
			assert(!r);
			lane = lane_restore(lane, &state);
			twice++;
		} else { /* in the middle of a payload */
			pl_lane_go(lane);
		}
	}
	threads_go(lane, chance() % 2);
	reconnect(client, lane);
	threads_go(lane, true);
	assert(lane->near && !pl_lane_is_cut(lane) && !pl_lane_is_cut(client));
}

static void test_in_the_middle_of_traffic_each_byte_comes_once(void)
{
	struct traffic of[4] = { { .seed = 1 }, { .seed = 1u << 20 }, { .seed = 1u << 20 }, { .seed = 1 } };
	struct pl_lane *client;
	int fds[2];

	pl_test_tcp_pair(fds);
	client = lane_create(fds[0]);
	stand.lane = lane_create(fds[1]);
	of[0].lane = of[2].lane = client;
	for (int i = 0; i < 4; i++)
		assert(!pthread_create(&of[i].thread, NULL, i < 2 ? traffic_send : traffic_take, &of[i]));
	for (int i = 0; i < ROUNDS; i++) {
		poll(NULL, 0, (int)(chance() % 13));
		still_once(client, i);
	}
	pthread_mutex_lock(&stand.lock);
	stand.over = true;
	pthread_mutex_unlock(&stand.lock);
	for (int i = 0; i < 4; i++)
		pthread_join(of[i].thread, NULL);
	assert(of[0].count == of[3].count && of[1].count == of[2].count && of[3].count > ROUNDS &&
	       of[2].count > ROUNDS && twice);
	pl_lane_destroy(client);
	pl_lane_destroy(stand.lane);
}

/* ---- who is halted, and where ---- */

struct pair {
	struct pl_lane *client, *server;
};

static void pair_create(struct pair *pair)
{
	int fds[2];

	pl_test_tcp_pair(fds);
	pair->client = lane_create(fds[0]);
	pair->server = lane_create(fds[1]);
}

static void pair_destroy(struct pair *pair)
{
	pl_lane_destroy(pair->client);
	pl_lane_destroy(pair->server);
}

static void *recv_run(void *arg)
{
	const struct pl_wire_head *head;

	return (void *)(intptr_t)pl_lane_recv(arg, UINT64_MAX, &head);
}

/* After so many milliseconds it sleeps, or with 0 spins. */
static void halts_a_waiter(struct pl_lane *lane, int ms)
{
	pthread_t waiter;
	void *result;
	int r;

	assert(!pthread_create(&waiter, NULL, recv_run, lane));
	poll(NULL, 0, ms);
	r = pl_lane_halt(lane);
	assert(!r);
	pthread_join(waiter, &result);
	assert((intptr_t)result == PL_LANE_E_HALTED);
}

static void test_whoever_waits_for_a_record_is_halted(void)
{
	const struct pl_wire_head *head;
	struct pair pair;
	int r;

	pair_create(&pair);
	for (int i = 0; i < 20; i++) {
		halts_a_waiter(pair.server, i % 3 * 5);
		assert(pl_lane_recv(pair.server, UINT64_MAX, &head) == PL_LANE_E_HALTED);
		r = pl_test_record_send(pair.client, 1, 64, 0, PL_LANE_NOW);
		assert(!r && pl_lane_recv(pair.server, UINT64_MAX, &head) == PL_LANE_E_HALTED);
		pl_lane_go(pair.server);
		pl_test_record_expect(pair.server, 1, 64, 0);
	}
	pair_destroy(&pair);
}

static void test_a_part_of_a_record_stays(void)
{
	struct pl_wire_head head = { .len_bytes = 64, .op = 7, .flags = PL_WIRE_ASK, .ticket = 7 };
	struct pair pair;
	uint8_t body[40];
	ssize_t n;

	pair_create(&pair);
	pl_test_bytes_fill(body, sizeof(body), 7);
	n = send(pair.client->fd, &head, 10, 0);
	halts_a_waiter(pair.server, 5);
	pl_lane_go(pair.server);
	n += send(pair.client->fd, (uint8_t *)&head + 10, sizeof(head) - 10, 0);
	halts_a_waiter(pair.server, 5);
	pl_lane_go(pair.server);
	n += send(pair.client->fd, body, sizeof(body), 0);
	assert(n == 64);
	pl_test_record_expect(pair.server, 7, 64, 0);
	pair_destroy(&pair);
}

static void test_whoever_waits_for_a_connection_is_halted(void)
{
	struct pl_lane_state state;
	struct pair pair;
	int r;

	pair_create(&pair);
	pl_lane_peer_parts(pair.server);
	pl_lane_part(pair.client);
	assert(pl_lane_is_cut(pair.client));
	halts_a_waiter(pair.server, 10);
	assert(pl_lane_is_cut(pair.server));
	r = pl_lane_still(pair.server, false, &state);
	assert(!r && !state.received && !state.sent && !state.unread_bytes);
	pl_lane_state_fini(&state);
	pair_destroy(&pair);
}

static void *bulk_run(void *arg)
{
	uint8_t bulk[64];
	int r = pl_lane_recv_bulk(arg, bulk, sizeof(bulk));

	assert(!r);
	pl_test_bytes_check(bulk, sizeof(bulk), 3);
	return NULL;
}

static void test_whoever_waits_for_a_payload_is_not_disturbed(void)
{
	const struct pl_wire_head *head;
	struct pl_lane_state state;
	struct pair pair;
	pthread_t waiter;
	uint8_t bulk[64];
	int r;

	pair_create(&pair);
	pl_test_bytes_fill(bulk, sizeof(bulk), 3);
	r = pl_test_record_send(pair.client, 2, 64, sizeof(bulk), PL_LANE_MORE);
	r = r ? r : pl_lane_send_bulk(pair.client, bulk, 8);
	assert(!r);
	pl_test_record_expect(pair.server, 2, 64, sizeof(bulk));
	r = pl_lane_halt(pair.server);
	pl_lane_peer_parts(pair.server);
	assert(!r && pl_lane_still(pair.server, false, &state) == -EINVAL);
	assert(!pthread_create(&waiter, NULL, bulk_run, pair.server));
	poll(NULL, 0, 20);
	r = pl_lane_send_bulk(pair.client, bulk + 8, sizeof(bulk) - 8);
	assert(!r);
	pthread_join(waiter, NULL);
	assert(pl_lane_recv(pair.server, UINT64_MAX, &head) == PL_LANE_E_HALTED);
	assert(pl_lane_still(pair.server, true, &state) == -EINVAL); /* its payload has been taken */
	pl_lane_go(pair.server);
	pair_destroy(&pair);
}

static void test_a_client_that_comes_back_to_a_lane_that_is_still_asks_again(void)
{
	struct server_end end;
	struct pl_lane_state state;
	struct pair pair;
	uint64_t received;
	int fds[2], r;

	pair_create(&pair);
	r = pl_test_record_send(pair.client, 5, 64, 0, PL_LANE_NOW);
	assert(!r);
	r = pl_lane_halt(pair.server);
	assert(!r && pl_lane_still(pair.server, false, &state) == -EINVAL); /* nobody has asked the client */
	pl_lane_peer_parts(pair.server);
	pl_lane_part(pair.client);
	r = pl_lane_still(pair.server, false, &state);
	assert(!r && state.received == 64 && state.unread_bytes == 64);
	pl_lane_state_fini(&state);
	pl_test_tcp_pair(fds);
	end = (struct server_end){ .lane = pair.server, .fd = fds[1] };
	accept_run(&end);
	assert(end.result == -EAGAIN && reply_take(fds[0], &received) < 0);
	close(fds[0]);
	pl_lane_go(pair.server);
	pl_test_record_expect(pair.server, 5, 64, 0);
	reconnect(pair.client, pair.server);
	pair_destroy(&pair);
}

/* A client that is stopped parts with nothing, for now: the lane goes on with the connection at hand. */
static void test_a_client_that_does_not_part_is_not_waited_for_forever(void)
{
	struct pl_lane_state state;
	struct pair pair;
	int r;

	pair_create(&pair);
	r = pl_test_record_send(pair.client, 5, 64, 0, PL_LANE_NOW);
	assert(!r && !pl_lane_halt(pair.server));
	pl_lane_peer_parts(pair.server);
	assert(pl_lane_still(pair.server, false, &state) == -ETIMEDOUT);
	pl_lane_go(pair.server);
	pl_test_record_expect(pair.server, 5, 64, 0);
	r = pl_test_record_send(pair.client, 6, 64, 0, PL_LANE_NOW);
	assert(!r);
	pl_test_record_expect(pair.server, 6, 64, 0);
	pl_lane_part(pair.client); /* late */
	halts_a_waiter(pair.server, 10);
	pl_lane_go(pair.server);
	assert(pl_lane_is_cut(pair.server));
	reconnect(pair.client, pair.server);
	pair_destroy(&pair);
}

/* ---- what can not be ---- */

static void test_lanes_that_end_with_their_connection_do_not_stand(void)
{
	struct pl_lane_state state;
	struct pl_lane *plain;
	struct pair pair;
	int fds[2], r;

	pl_test_tcp_pair(fds);
	r = pl_tcp_lane_create(fds[0], &plain);
	assert(!r && pl_lane_halt(plain) == -EOPNOTSUPP && pl_lane_still(plain, false, &state) == -EOPNOTSUPP);
	pl_lane_go(plain);
	pl_lane_destroy(plain);
	close(fds[1]);

	pair_create(&pair);
	assert(pl_lane_still(pair.server, false, &state) == -EINVAL); /* nobody has halted it */
	r = pl_lane_halt(pair.server);
	assert(!r);
	pl_test_tcp_pair(fds);
	r = pair.server->ops->more(pair.server, fds[0], false);
	assert(!r && pl_lane_still(pair.server, false, &state) == -EOPNOTSUPP);
	assert(pl_lane_halt(pair.server) == -EOPNOTSUPP);
	close(fds[1]);
	pair_destroy(&pair);
}

static void is_no_state(struct pl_lane_state state)
{
	struct pl_lane *lane = NULL;

	assert(pl_link_restored_lane(&state, &lane) == -EINVAL && !lane);
}

static void test_what_is_no_state_is_refused(void)
{
	uint8_t bytes[64] = { 0 };

	is_no_state((struct pl_lane_state){ .kept_from = 8, .sent = 0, .kept = bytes });
	is_no_state((struct pl_lane_state){ .kept_from = UINT64_MAX, .sent = 0, .kept = bytes });
	is_no_state((struct pl_lane_state){ .sent = 64 });
	is_no_state((struct pl_lane_state){ .sent = PL_RESUME_KEPT_MAX + 1, .kept = bytes });
	is_no_state((struct pl_lane_state){ .sent = UINT64_MAX, .kept = bytes });
	is_no_state((struct pl_lane_state){ .received = 63, .unread = bytes, .unread_bytes = 64 });
	is_no_state((struct pl_lane_state){ .received = 64, .unread_bytes = 64 });
	is_no_state((struct pl_lane_state){ .received = UINT64_MAX, .unread = bytes, .unread_bytes = UINT64_MAX });
	is_no_state((struct pl_lane_state){
		.received = UINT64_MAX, .unread = bytes, .unread_bytes = PL_RESUME_LEFT_MAX + 1 });
}

/* Unread bytes are the peer's: they are checked as if they came just now. */
static void test_unread_bytes_that_are_no_record_end_the_lane(void)
{
	struct pl_wire_head bad = { .len_bytes = 7 };
	struct pl_lane_state state = { .received = sizeof(bad), .unread = &bad, .unread_bytes = sizeof(bad) };
	const struct pl_wire_head *head;
	struct pl_lane *lane;
	int r = pl_link_restored_lane(&state, &lane);

	assert(!r && pl_lane_recv(lane, UINT64_MAX, &head) == -EPROTO);
	pl_lane_destroy(lane);
}

int main(void)
{
	alarm(110);
	test_lanes_that_end_with_their_connection_do_not_stand();
	test_what_is_no_state_is_refused();
	test_unread_bytes_that_are_no_record_end_the_lane();
	test_whoever_waits_for_a_record_is_halted();
	test_a_part_of_a_record_stays();
	test_whoever_waits_for_a_connection_is_halted();
	test_whoever_waits_for_a_payload_is_not_disturbed();
	test_a_client_that_does_not_part_is_not_waited_for_forever();
	test_a_client_that_comes_back_to_a_lane_that_is_still_asks_again();
	test_in_the_middle_of_traffic_each_byte_comes_once();
	return 0;
}
