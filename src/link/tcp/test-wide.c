/* Lanes with several connections: what the contract suite, which runs over them too, can not see or provoke. */
#include "link/tcp/wide.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/lanes.h"
#include "lib/process.h"
#include "link/tcp/lane.h"
#include "link/tcp/tcp.h"

#define MIB         (1u << 20)
#define CONNECTIONS 4

struct pair {
	struct pl_lane *lanes[2];
	int far[CONNECTIONS]; /* where lanes[1] is not made: the other ends; the first is the lane's own */
};

static void lane_create(int fd, struct pl_lane **lane)
{
	int r = pl_tcp_lane_create(fd, lane);

	assert(!r);
}

/* Both ends: [0] has opened all that it has besides its own. */
static void pair_create(struct pair *pair, int connections)
{
	int fds[2];

	*pair = (struct pair){ 0 };
	pl_test_tcp_pair(fds);
	for (int i = 0; i < 2; i++)
		lane_create(fds[i], &pair->lanes[i]);
	for (int k = 1; k < connections; k++) {
		pl_test_tcp_pair(fds);
		for (int i = 1; i >= 0; i--) {
			int r = pair->lanes[i]->ops->more(pair->lanes[i], fds[i], !i);
			assert(!r);
		}
	}
}

/* A lane whose peer is this test, and speaks for itself.  Its connections have been opened from there. */
static void liar_create(struct pair *pair, int connections)
{
	static const struct pl_wire_chunk word;
	int fds[2];

	*pair = (struct pair){ 0 };
	pl_test_tcp_pair(fds);
	lane_create(fds[0], &pair->lanes[0]);
	pair->far[0] = fds[1];
	for (int k = 1; k < connections; k++) {
		ssize_t n;
		int r;

		pl_test_tcp_pair(fds);
		pair->far[k] = fds[1];
		r = pair->lanes[0]->ops->more(pair->lanes[0], fds[0], false);
		n = send(fds[1], &word, sizeof(word), 0);
		assert(!r && n == sizeof(word));
	}
}

static void pair_destroy(struct pair *pair)
{
	for (int i = 0; i < 2; i++)
		pl_lane_destroy(pair->lanes[i]);
	for (int k = 0; k < CONNECTIONS; k++)
		if (pair->far[k])
			close(pair->far[k]);
}

/* ---- between peers that keep the rules ---- */

struct flow {
	struct pl_lane *lane;
	uint64_t bytes, part; /* of each payload; of what is given at a time */
	unsigned count;
};

static void *flow_send(void *arg)
{
	const struct flow *flow = arg;
	uint8_t *data = malloc(flow->bytes);

	for (unsigned i = 0; i < flow->count; i++) {
		int r = pl_test_record_send(flow->lane, i, 64, flow->bytes, PL_LANE_NOW);

		assert(data && !r);
		pl_test_bytes_fill(data, flow->bytes, i);
		for (uint64_t at = 0; at < flow->bytes; at += flow->part) {
			uint64_t bytes = flow->bytes - at < flow->part ? flow->bytes - at : flow->part;

			r = pl_lane_send_bulk(flow->lane, data + at, bytes);
			assert(!r);
		}
		memset(data, 0, flow->bytes); /* it has left */
		r = pl_test_record_send(flow->lane, i + 1000, 128, 0, PL_LANE_NOW);
		assert(!r);
	}
	free(data);
	return NULL;
}

static void flow_expect(const struct flow *flow)
{
	uint8_t *data = malloc(flow->bytes);

	for (unsigned i = 0; i < flow->count; i++) {
		pl_test_record_expect(flow->lane, i, 64, flow->bytes);
		for (uint64_t at = 0; at < flow->bytes; at += flow->part) {
			uint64_t bytes = flow->bytes - at < flow->part ? flow->bytes - at : flow->part;
			int r = pl_lane_recv_bulk(flow->lane, data + at, bytes);

			assert(!r);
		}
		pl_test_bytes_check(data, flow->bytes, i);
		pl_test_record_expect(flow->lane, i + 1000, 128, 0);
	}
	free(data);
}

/* Two payloads pass from the first end to the second. */
static void pair_pass(const struct pair *pair)
{
	struct flow out = { pair->lanes[0], 2 * MIB, 2 * MIB, 2 }, in = { pair->lanes[1], 2 * MIB, 2 * MIB, 2 };
	pthread_t thread;
	int r = pthread_create(&thread, NULL, flow_send, &out);

	assert(!r);
	flow_expect(&in);
	pthread_join(thread, NULL);
}

static void *flow_take(void *arg)
{
	flow_expect(arg);
	return NULL;
}

static void test_payloads_come_whole_and_in_order_in_whatever_parts(void)
{
	static const uint64_t sizes[] = { PL_WIDE_PAYLOAD_MIN - 1, PL_WIDE_PAYLOAD_MIN, 3 * MIB + 5, 16 * MIB };
	static const uint64_t parts[] = { 64 * MIB, MIB, 100001, 700 << 10 };

	for (unsigned i = 0; i < 4; i++)
		for (unsigned k = 0; k < 4; k++) {
			struct flow out, in;
			struct pair pair;
			pthread_t thread;
			int r;

			pair_create(&pair, CONNECTIONS);
			out = (struct flow){ pair.lanes[k % 2], sizes[i], parts[k], 3 };
			in = (struct flow){ pair.lanes[!(k % 2)], sizes[i], parts[(i + k) % 4], 3 };
			r = pthread_create(&thread, NULL, flow_send, &out);
			assert(!r);
			flow_expect(&in);
			pthread_join(thread, NULL);
			pair_destroy(&pair);
		}
}

static void test_both_directions_at_one_time(void)
{
	struct flow flows[2][2];
	pthread_t threads[4];
	struct pair pair;

	pair_create(&pair, CONNECTIONS);
	for (int i = 0; i < 2; i++) {
		flows[i][0] = (struct flow){ pair.lanes[i], 5 * MIB + 1, MIB, 6 };
		flows[i][1] = (struct flow){ pair.lanes[!i], 5 * MIB + 1, 2 * MIB, 6 };
		for (int k = 0; k < 2; k++) {
			int r = pthread_create(&threads[2 * i + k], NULL, k ? flow_take : flow_send, &flows[i][k]);
			assert(!r);
		}
	}
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	pair_destroy(&pair);
}

/* A lane that is in use gets its connections. */
static void test_connections_may_come_at_any_time(void)
{
	struct flow out, in;
	struct pair pair;
	pthread_t threads[2];

	pair_create(&pair, 1);
	out = (struct flow){ pair.lanes[1], 2 * MIB, MIB, 40 };
	in = (struct flow){ pair.lanes[0], 2 * MIB, MIB, 40 };
	pthread_create(&threads[0], NULL, flow_send, &out);
	pthread_create(&threads[1], NULL, flow_take, &in);
	for (int k = 1; k < CONNECTIONS; k++) {
		int fds[2], r;

		pl_test_tcp_pair(fds);
		r = pair.lanes[1]->ops->more(pair.lanes[1], fds[1], false);
		assert(!r);
		usleep(3000);
		r = pair.lanes[0]->ops->more(pair.lanes[0], fds[0], true);
		assert(!r);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	pair_destroy(&pair);
}

/* Chunks by hand, as one end would: which connection has carried how much. */
static uint64_t chunks_take(int fd, uint8_t *data, uint64_t *left)
{
	struct pl_wire_chunk head;
	ssize_t n = recv(fd, &head, sizeof(head), MSG_WAITALL);

	assert(n == sizeof(head));
	n = recv(fd, data + head.offset, head.bytes, MSG_WAITALL);
	assert(n == head.bytes);
	*left -= head.bytes;
	return head.bytes;
}

static void test_a_slow_connection_gets_less(void)
{
	struct flow out;
	uint64_t carried[CONNECTIONS] = { 0 }, left = 32 * MIB;
	uint8_t *data = malloc(left), record[64];
	struct pair pair;
	pthread_t thread;
	ssize_t n;

	liar_create(&pair, CONNECTIONS);
	out = (struct flow){ pair.lanes[0], left, left, 1 };
	pthread_create(&thread, NULL, flow_send, &out);
	n = recv(pair.far[0], record, sizeof(record), MSG_WAITALL);
	assert(data && n == sizeof(record) && ((struct pl_wire_head *)record)->flags & PL_WIRE_WIDE);
	while (left) { /* the first is looked at only when nothing comes on the others */
		struct pollfd fds[CONNECTIONS];

		for (int k = 1; k < CONNECTIONS; k++)
			fds[k] = (struct pollfd){ .fd = pair.far[k], .events = POLLIN };
		if (!poll(&fds[2], CONNECTIONS - 2, 50)) {
			carried[1] += chunks_take(pair.far[1], data, &left);
			continue;
		}
		for (int k = 2; k < CONNECTIONS && left; k++)
			carried[k] += fds[k].revents & POLLIN ? chunks_take(pair.far[k], data, &left) : 0;
	}
	pthread_join(thread, NULL);
	pl_test_bytes_check(data, 32 * MIB, 0);
	printf("     %llu %llu %llu\n", (unsigned long long)carried[1], (unsigned long long)carried[2],
	       (unsigned long long)carried[3]);
	assert(carried[2] > carried[1] && carried[3] > carried[1]);
	free(data);
	pair_destroy(&pair);
}

/* A payload of the lane's, over two of three connections, or over its own; the third carries nothing. */
static void sends_over(struct pair *pair, uint32_t connections)
{
	struct flow out = { pair->lanes[0], 8 * MIB, 8 * MIB, 1 };
	uint8_t *data = malloc(out.bytes), record[128];
	uint64_t left = connections > 1 ? out.bytes : 0;
	pthread_t thread;
	ssize_t n;

	pl_wide_send_over(tcp_wide(tcp_lane(pair->lanes[0])), connections);
	pthread_create(&thread, NULL, flow_send, &out);
	n = recv(pair->far[0], record, 64, MSG_WAITALL);
	assert(data && n == 64 && !(((struct pl_wire_head *)record)->flags & PL_WIRE_WIDE) == !left);
	n = left ? 0 : recv(pair->far[0], data, out.bytes, MSG_WAITALL);
	assert(n == (ssize_t)(out.bytes - left));
	while (left) {
		struct pollfd fds[] = { { pair->far[1], POLLIN, 0 }, { pair->far[2], POLLIN, 0 } };

		assert(poll(fds, 2, -1) > 0);
		for (int k = 0; k < 2; k++)
			if (fds[k].revents & POLLIN)
				chunks_take(fds[k].fd, data, &left);
	}
	pl_test_bytes_check(data, out.bytes, 0);
	n = recv(pair->far[0], record, 128, MSG_WAITALL);
	assert(n == 128);
	n = recv(pair->far[3], record, 1, MSG_DONTWAIT);
	assert(n < 0 && errno == EAGAIN);
	pthread_join(thread, NULL);
	free(data);
}

static void test_it_sends_over_fewer_where_those_are_enough(void)
{
	struct pair pair;

	liar_create(&pair, CONNECTIONS);
	for (uint32_t turn = 0; turn < 4; turn++)
		sends_over(&pair, 2 - turn % 2);
	pair_destroy(&pair);
}

static void test_nothing_is_sent_where_the_peer_has_not_said_that_it_looks(void)
{
	struct pair pair;
	int fds[2], r;

	pair_create(&pair, 3);
	pl_test_tcp_pair(fds);
	r = pair.lanes[0]->ops->more(pair.lanes[0], fds[0], false);
	assert(!r);
	for (int round = 0; round < 2; round++) {
		char byte;

		pair_pass(&pair);
		if (!round) {
			assert(recv(fds[1], &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
			close(fds[1]); /* it has changed its mind: nobody minds */
		}
	}
	pair_destroy(&pair);
}

static void test_a_lane_has_as_many_as_it_can_have(void)
{
	struct pair pair;
	int fds[2], r;

	pair_create(&pair, 1 + PL_LANE_CONNECTIONS_MAX);
	pl_test_tcp_pair(fds);
	r = pair.lanes[0]->ops->more(pair.lanes[0], fds[0], true);
	assert(r == -EMFILE && pair.lanes[0]->connections == PL_LANE_CONNECTIONS_MAX);
	close(fds[1]);
	pair_destroy(&pair);
}

/* ---- how it ends ---- */

static void *end_soon(void *arg)
{
	usleep(50000);
	pl_lane_shutdown(arg);
	return NULL;
}

static void test_a_shutdown_wakes_both_halves(void)
{
	static uint8_t data[4 * MIB];

	for (int half = 0; half < 2; half++) {
		struct pair pair;
		pthread_t thread;
		int r;

		pair_create(&pair, CONNECTIONS);
		r = pl_test_record_send(pair.lanes[half], 1, 64, sizeof(data), PL_LANE_NOW);
		if (half) { /* lanes[0] waits for the rest */
			assert(!r && !pl_lane_send_bulk(pair.lanes[1], data, MIB));
			pl_test_record_expect(pair.lanes[0], 1, 64, sizeof(data));
		}
		pthread_create(&thread, NULL, end_soon, pair.lanes[0]);
		while (!r)
			r = half ? pl_lane_recv_bulk(pair.lanes[0], data, sizeof(data))
				 : pl_lane_send_bulk(pair.lanes[0], data, sizeof(data));
		assert(r == -EPIPE || r == -EINVAL);
		pthread_join(thread, NULL);
		pair_destroy(&pair);
	}
}

static void test_one_connection_that_ends_ends_the_lane(void)
{
	static uint8_t data[64 * MIB]; /* more than what sockets hold */
	struct pair pair;
	int r;

	liar_create(&pair, CONNECTIONS);
	r = pl_test_record_send(pair.lanes[0], 1, 64, sizeof(data), PL_LANE_NOW);
	shutdown(pair.far[2], SHUT_RDWR);
	close(pair.far[2]);
	pair.far[2] = 0;
	while (!r)
		r = pl_lane_send_bulk(pair.lanes[0], data, sizeof(data));
	assert(r == -EPIPE);
	r = pl_test_record_send(pair.lanes[0], 2, 64, 0, PL_LANE_NOW);
	assert(r < 0);
	pair_destroy(&pair);
}

/* Short payloads, or a sender that uses fewer connections: the third comes where nothing of the second did. */
static void test_not_each_connection_has_a_part_of_each_payload(void)
{
	static const int where[] = { 0, 2, 2, 1 }; /* of payload 1, 2, 3 */
	const struct pl_wire_head head = { .len_bytes = 64, .flags = PL_WIRE_WIDE, .bulk_bytes = 1000 };
	uint8_t record[64] = { 0 }, data[1000];
	const struct pl_wire_head *got;
	struct pair pair;
	ssize_t n;

	liar_create(&pair, 3);
	memcpy(record, &head, sizeof(head));
	for (int i = 0; i < 3; i++) {
		n = send(pair.far[0], record, sizeof(record), 0);
		assert(n == sizeof(record));
	}
	for (uint32_t i = 1; i <= 3; i++) {
		const struct pl_wire_chunk chunk = { .bytes = sizeof(data), .payload = i };

		pl_test_bytes_fill(data, sizeof(data), i);
		n = send(pair.far[where[i]], &chunk, sizeof(chunk), 0);
		n += send(pair.far[where[i]], data, sizeof(data), 0);
		assert(n == sizeof(chunk) + sizeof(data));
	}
	for (uint32_t i = 1; i <= 3; i++) {
		int r = pl_lane_recv(pair.lanes[0], UINT64_MAX, &got);

		assert(!r);
		r = pl_lane_recv_bulk(pair.lanes[0], data, sizeof(data));
		assert(!r);
		pl_test_bytes_check(data, sizeof(data), i);
	}
	pair_destroy(&pair);
}

/* ---- lies ---- */

struct lie {
	const char *what;
	struct pl_wire_chunk chunks[3]; /* on connections 1, 2, 3; bytes UINT32_MAX = none */
	int connections;
	uint16_t flags;
	uint64_t bulk_bytes;
};

static void lie(const struct lie *lie)
{
	struct pl_wire_head head = { .len_bytes = 64, .flags = lie->flags, .bulk_bytes = lie->bulk_bytes };
	uint8_t record[64] = { 0 }, *data = malloc(4 * MIB);
	const struct pl_wire_head *got;
	struct pair pair;
	ssize_t n;
	int r;

	printf("     %s\n", lie->what);
	liar_create(&pair, lie->connections);
	memcpy(record, &head, sizeof(head));
	n = send(pair.far[0], record, sizeof(record), 0);
	assert(data && n == sizeof(record));
	for (int k = 1; k < lie->connections; k++) {
		const struct pl_wire_chunk *chunk = &lie->chunks[k - 1];
		uint32_t bytes = chunk->bytes < MIB / 4 ? chunk->bytes : MIB / 4;

		if (chunk->bytes == UINT32_MAX)
			continue;
		n = send(pair.far[k], chunk, sizeof(*chunk), 0);
		assert(n == sizeof(*chunk));
		(void)!send(pair.far[k], data, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	r = pl_lane_recv(pair.lanes[0], UINT64_MAX, &got);
	if (!r) {
		assert(got->flags == 0);
		r = pl_lane_recv_bulk(pair.lanes[0], data, lie->bulk_bytes);
	}
	assert(r == -EPROTO);
	free(data);
	pair_destroy(&pair);
}

static void test_lies_end_the_lane(void)
{
	static const struct pl_wire_chunk none = { .bytes = UINT32_MAX };
	const struct lie lies[] = {
		{ "a chunk that begins where another one lies",
		  { { 0, 200000, 1 }, { 199999, 1000, 1 }, none },
		  3,
		  PL_WIRE_WIDE,
		  4 * MIB },
		{ "the same one again", { { 4096, 4096, 1 }, { 4096, 4096, 1 }, none }, 3, PL_WIRE_WIDE, 4 * MIB },
		{ "one that lies over two", { { 0, 10, 1 }, { 20, 10, 1 }, { 5, 20, 1 } }, 4, PL_WIRE_WIDE, 4 * MIB },
		{ "beyond the payload", { { 4 * MIB - 10, 11, 1 }, none, none }, 2, PL_WIRE_WIDE, 4 * MIB },
		{ "far beyond it", { { UINT64_MAX - 5, 100, 1 }, none, none }, 2, PL_WIRE_WIDE, 4 * MIB },
		{ "of an earlier payload", { { 0, 100, 0 }, none, none }, 2, PL_WIRE_WIDE, 4 * MIB },
		{ "each connection at a later payload",
		  { { 0, 100, 2 }, { 0, 100, 3 }, none },
		  3,
		  PL_WIRE_WIDE,
		  4 * MIB },
		{ "without bytes", { { 0, 0, 1 }, none, none }, 2, PL_WIRE_WIDE, 4 * MIB },
		{ "a wide payload on a lane of one connection", { none, none, none }, 1, PL_WIRE_WIDE, 4 * MIB },
		{ "a wide payload of nothing", { none, none, none }, 2, PL_WIRE_WIDE, 0 },
	};

	for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++)
		lie(&lies[i]);
}

/* Each with a hole behind it: no end of what a peer can make this end keep. */
static void test_holes_without_end_end_the_lane(void)
{
	struct pl_wire_head head = { .len_bytes = 64, .flags = PL_WIRE_WIDE, .bulk_bytes = 64 * MIB };
	uint8_t record[64] = { 0 }, *data = malloc(64 * MIB);
	const struct pl_wire_head *got;
	struct pair pair;
	int r;

	liar_create(&pair, 2);
	memcpy(record, &head, sizeof(head));
	(void)!send(pair.far[0], record, sizeof(record), 0);
	for (uint32_t i = 0; i < 2000; i++) {
		struct {
			struct pl_wire_chunk head;
			uint8_t byte;
		} __attribute__((packed)) chunk = { .head = { 4096 * i, 1, 1 } };

		(void)!send(pair.far[1], &chunk, sizeof(chunk), MSG_NOSIGNAL);
	}
	r = pl_lane_recv(pair.lanes[0], UINT64_MAX, &got);
	assert(!r && data);
	r = pl_lane_recv_bulk(pair.lanes[0], data, 64 * MIB);
	assert(r == -EPROTO);
	free(data);
	pair_destroy(&pair);
}

static void test_one_that_says_another_word_is_not_used(void)
{
	struct pl_wire_chunk word = { .bytes = 1 };
	struct pair pair;
	int fds[2], r;

	pair_create(&pair, 3);
	pl_test_tcp_pair(fds);
	r = pair.lanes[0]->ops->more(pair.lanes[0], fds[0], false);
	assert(!r && send(fds[1], &word, sizeof(word), 0) == sizeof(word));
	pair_pass(&pair);
	assert(recv(fds[1], &word, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
	close(fds[1]);
	pair_destroy(&pair);
}

#define RUN(test) (pl_test_at(#test), printf("%s\n", #test), fflush(stdout), test())

int main(void)
{
	pl_test_watchdog(100);
	RUN(test_payloads_come_whole_and_in_order_in_whatever_parts);
	RUN(test_both_directions_at_one_time);
	RUN(test_connections_may_come_at_any_time);
	RUN(test_a_slow_connection_gets_less);
	RUN(test_it_sends_over_fewer_where_those_are_enough);
	RUN(test_nothing_is_sent_where_the_peer_has_not_said_that_it_looks);
	RUN(test_a_lane_has_as_many_as_it_can_have);
	RUN(test_a_shutdown_wakes_both_halves);
	RUN(test_one_connection_that_ends_ends_the_lane);
	RUN(test_not_each_connection_has_a_part_of_each_payload);
	RUN(test_lies_end_the_lane);
	RUN(test_holes_without_end_end_the_lane);
	RUN(test_one_that_says_another_word_is_not_used);
	return 0;
}
