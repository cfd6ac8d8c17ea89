/* What the contract suite can not see of stream lanes: calls to the kernel, options, bytes on the wire. */
#include "link/tcp/tcp.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/lanes.h"

#define RECORD_BYTES 64u

static void lane_pair(struct pl_lane *lanes[2])
{
	int fds[2];

	pl_test_tcp_pair(fds);
	for (int i = 0; i < 2; i++) {
		int r = pl_tcp_lane_create(fds[i], &lanes[i]);
		assert(!r);
	}
}

static int put(struct pl_lane *lane, uint64_t ticket, uint64_t bulk_bytes, enum pl_lane_how how)
{
	struct pl_wire_head head = { .len_bytes = RECORD_BYTES, .ticket = ticket, .bulk_bytes = bulk_bytes };
	void *room;
	int r = pl_lane_reserve(lane, RECORD_BYTES, &room);

	if (r)
		return r;
	memset(room, 0, RECORD_BYTES);
	memcpy(room, &head, sizeof(head));
	return pl_lane_commit(lane, RECORD_BYTES, how);
}

static void expect(struct pl_lane *lane, uint64_t ticket)
{
	const struct pl_wire_head *head;
	int r = pl_lane_recv(lane, UINT64_MAX, &head);

	assert(!r && head->ticket == ticket && (uintptr_t)head % PL_WIRE_ALIGN == 0);
}

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t bytes = sizeof(value);

	getsockopt(fd, level, name, &value, &bytes);
	return value;
}

static void test_both_ends_are_set_up(void)
{
	struct pl_lane *lanes[2];

	lane_pair(lanes);
	for (int i = 0; i < 2; i++) {
		assert(option(lanes[i]->fd, IPPROTO_TCP, TCP_NODELAY) == 1);
		assert(option(lanes[i]->fd, SOL_SOCKET, SO_KEEPALIVE) == 1);
		assert(option(lanes[i]->fd, IPPROTO_TCP, TCP_USER_TIMEOUT) == 0); /* it would end slow peers, too */
		pl_lane_destroy(lanes[i]);
	}
}

static void test_a_posted_record_is_one_send(void)
{
	struct pl_lane *lanes[2];

	lane_pair(lanes);
	for (uint64_t i = 0; i < 100; i++) {
		int r = put(lanes[0], i, 0, PL_LANE_NOW);
		assert(!r && lanes[0]->stats.wakes == i + 1);
	}
	for (uint64_t i = 0; i < 100; i++)
		expect(lanes[1], i);
	pl_lane_destroy(lanes[0]);
	pl_lane_destroy(lanes[1]);
}

static void test_more_leaves_with_the_next(void)
{
	struct pl_lane *lanes[2];
	const struct pl_wire_head *head;
	int r;

	lane_pair(lanes);
	for (uint64_t i = 0; i < 100; i++) {
		r = put(lanes[0], i, 0, PL_LANE_MORE);
		assert(!r && lanes[0]->stats.wakes == 0);
	}
	r = pl_lane_recv(lanes[1], 1000000, &head);
	assert(r == PL_LANE_E_TIMEOUT);
	r = put(lanes[0], 100, 0, PL_LANE_NOW);
	assert(!r && lanes[0]->stats.wakes == 1);
	for (uint64_t i = 0; i <= 100; i++)
		expect(lanes[1], i);
	for (uint64_t i = 0; !lanes[0]->stats.wakes || lanes[0]->stats.wakes == 1; i++) { /* not without bound */
		r = put(lanes[0], i, 0, PL_LANE_MORE);
		assert(!r && i < 1u << 14);
	}
	pl_lane_destroy(lanes[0]);
	pl_lane_destroy(lanes[1]);
}

/* Whether one follows another soon is the machine's affair: of many bursts one is seen to travel together. */
static void test_posts_of_a_burst_leave_together_and_by_themselves(void)
{
	enum { POSTS = 50, BURSTS = 2000 };
	struct pl_lane *lanes[2];
	uint64_t next = 0, sends = POSTS;

	lane_pair(lanes);
	for (int burst = 0; burst < BURSTS && sends > POSTS / 5; burst++) {
		uint64_t before = lanes[0]->stats.wakes;

		for (uint64_t i = 0; i < POSTS; i++)
			assert(!put(lanes[0], next + i, 0, PL_LANE_SOON));
		sends = lanes[0]->stats.wakes - before;
		for (uint64_t i = 0; i < POSTS; i++)
			expect(lanes[1], next++);
	}
	assert(sends <= POSTS / 5);
	for (uint64_t i = 0; i < POSTS; i++) /* nothing is left of these */
		assert(!put(lanes[0], next + i, 0, PL_LANE_SOON));
	pl_lane_destroy(lanes[0]);
	pl_lane_destroy(lanes[1]);
}

struct mixed {
	struct pl_lane *lane;
	unsigned seed;
};

#define MIXED_RECORDS 20000u
#define MIXED_PAYLOAD 100u

static bool has_payload(uint64_t i)
{
	return i % 7 == 3;
}

static void *mixed_run(void *arg)
{
	struct mixed *mixed = arg;
	uint8_t payload[MIXED_PAYLOAD];

	for (uint64_t i = 0; i < MIXED_RECORDS; i++) {
		unsigned dice = (unsigned)rand_r(&mixed->seed) % 100;
		enum pl_lane_how how = dice < 80 ? PL_LANE_SOON : dice < 90 ? PL_LANE_MORE : PL_LANE_NOW;

		if (i == MIXED_RECORDS - 1)
			how = PL_LANE_NOW;
		memset(payload, (int)i, sizeof(payload));
		assert(!put(mixed->lane, i, has_payload(i) ? MIXED_PAYLOAD : 0, how));
		if (has_payload(i))
			assert(!pl_lane_send_bulk(mixed->lane, payload, sizeof(payload)));
		if (dice == 99)
			usleep(100);
	}
	return NULL;
}

static void test_what_is_held_back_keeps_its_order(void)
{
	enum { LANES = 3 };
	struct pl_lane *lanes[LANES][2];
	struct mixed mixed[LANES];
	pthread_t threads[LANES];
	uint8_t payload[MIXED_PAYLOAD];

	for (unsigned n = 0; n < LANES; n++) {
		lane_pair(lanes[n]);
		mixed[n] = (struct mixed){ lanes[n][0], n };
		assert(!pthread_create(&threads[n], NULL, mixed_run, &mixed[n]));
	}
	for (uint64_t i = 0; i < MIXED_RECORDS; i++)
		for (unsigned n = 0; n < LANES; n++) {
			expect(lanes[n][1], i);
			if (!has_payload(i))
				continue;
			assert(!pl_lane_recv_bulk(lanes[n][1], payload, sizeof(payload)));
			assert(payload[0] == (uint8_t)i && payload[MIXED_PAYLOAD - 1] == (uint8_t)i);
		}
	for (unsigned n = 0; n < LANES; n++) {
		pthread_join(threads[n], NULL);
		pl_lane_destroy(lanes[n][0]);
		pl_lane_destroy(lanes[n][1]);
	}
}

static void test_payload_leaves_with_its_record(void)
{
	static uint8_t data[16384];
	struct pl_lane *lanes[2];
	int r;

	lane_pair(lanes);
	r = put(lanes[0], 1, sizeof(data), PL_LANE_NOW);
	assert(!r && lanes[0]->stats.wakes == 0);
	r = pl_lane_send_bulk(lanes[0], data, sizeof(data));
	assert(!r && lanes[0]->stats.wakes == 1);
	expect(lanes[1], 1);
	r = pl_lane_recv_bulk(lanes[1], data, sizeof(data));
	assert(!r);
	pl_lane_destroy(lanes[0]);
	pl_lane_destroy(lanes[1]);
}

static void test_our_own_mistakes_are_said(void)
{
	static uint8_t data[64];
	const struct pl_wire_head *head;
	struct pl_lane *lanes[2];
	void *room;
	int r;

	lane_pair(lanes);
	r = pl_lane_send_bulk(lanes[0], data, 1); /* no record asked for it */
	assert(r == -EINVAL);
	r = put(lanes[0], 1, 64, PL_LANE_NOW);
	assert(!r);
	r = pl_lane_reserve(lanes[0], 64, &room); /* payload is missing */
	assert(r == -EINVAL);
	r = pl_lane_send_bulk(lanes[0], data, 65);
	assert(r == -EINVAL);
	r = pl_lane_send_bulk(lanes[0], data, 64);
	assert(!r);
	r = pl_lane_recv_bulk(lanes[1], data, 1);
	assert(r == -EINVAL);
	expect(lanes[1], 1);
	r = pl_lane_recv(lanes[1], 0, &head); /* payload was not taken */
	assert(r == -EINVAL);
	r = pl_lane_recv_bulk(lanes[1], data, 65);
	assert(r == -EINVAL);
	r = pl_lane_recv_bulk(lanes[1], data, 64);
	assert(!r);
	r = pl_lane_reserve(lanes[0], 64, &room);
	assert(!r);
	memset(room, 0, 64); /* a head that does not say the record's length */
	r = pl_lane_commit(lanes[0], 64, PL_LANE_NOW);
	assert(r == -EINVAL);
	r = put(lanes[0], 2, 0, PL_LANE_NOW); /* none of it broke the lane */
	assert(!r);
	expect(lanes[1], 2);
	pl_lane_destroy(lanes[0]);
	pl_lane_destroy(lanes[1]);
}

/* Records come in any slices that a network makes of them. */
static void test_single_bytes_become_records(void)
{
	union {
		struct pl_wire_head head;
		uint8_t bytes[RECORD_BYTES + 5];
	} wire = { .head = { .len_bytes = RECORD_BYTES, .ticket = 77, .bulk_bytes = 5 } };
	const struct pl_wire_head *head;
	struct pl_lane *lane;
	int fds[2], r, one = 1;

	memcpy(wire.bytes + RECORD_BYTES, "hello", 5);
	pl_test_tcp_pair(fds);
	setsockopt(fds[0], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	r = pl_tcp_lane_create(fds[1], &lane);
	assert(!r);
	for (int round = 0; round < 3; round++) {
		char payload[5];
		for (size_t i = 0; i < RECORD_BYTES + 2; i++) {
			if (i < RECORD_BYTES) {
				r = pl_lane_recv(lane, 0, &head);
				assert(r == PL_LANE_E_TIMEOUT);
			}
			if (send(fds[0], wire.bytes + i, 1, MSG_NOSIGNAL) != 1)
				abort();
		}
		r = pl_lane_recv(lane, UINT64_MAX, &head);
		assert(!r && head->ticket == 77);
		if (send(fds[0], wire.bytes + RECORD_BYTES + 2, 3, MSG_NOSIGNAL) != 3)
			abort();
		r = pl_lane_recv_bulk(lane, payload, 5);
		assert(!r && !memcmp(payload, "hello", 5));
	}
	pl_lane_destroy(lane);
	close(fds[0]);
}

/* Many records and payloads of odd sizes in one go: heads are aligned in memory whatever lies in front of them. */
static void test_a_heap_of_odd_sizes_is_aligned(void)
{
	static uint8_t wire[1 << 20];
	const struct pl_wire_head *head;
	uint64_t count = 0, bytes = 0;
	struct pl_lane *lane;
	int fds[2], r;

	for (; bytes < 100000; count++) {
		struct pl_wire_head one = { .len_bytes = 24 + 8 * (uint32_t)(count % 40),
					    .ticket = count,
					    .bulk_bytes = count % 3 ? 0 : count % 101 };
		memcpy(wire + bytes, &one, sizeof(one));
		bytes += one.len_bytes + one.bulk_bytes;
	}
	r = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds);
	assert(!r);
	r = pl_tcp_lane_create(fds[1], &lane);
	assert(!r);
	if (send(fds[0], wire, bytes, MSG_NOSIGNAL) != (ssize_t)bytes)
		abort();
	for (uint64_t i = 0; i < count; i++) {
		r = pl_lane_recv(lane, UINT64_MAX, &head);
		assert(!r && head->ticket == i && (uintptr_t)head % PL_WIRE_ALIGN == 0);
		r = pl_lane_drop_bulk(lane, head->bulk_bytes);
		assert(!r);
	}
	pl_lane_destroy(lane);
	close(fds[0]);
}

struct sender {
	struct pl_lane *lane;
	uint64_t first_bytes, bytes; /* the first part, a pause, the rest */
};

static void *sender_run(void *arg)
{
	static uint8_t data[8u << 20];
	struct sender *sender = arg;
	int r = put(sender->lane, 1, sender->bytes, PL_LANE_NOW);

	for (uint64_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 >> 4);
	r = r ? r : pl_lane_send_bulk(sender->lane, data, sender->first_bytes);
	assert(!r);
	usleep(20000);
	if (sender->bytes <= sizeof(data)) {
		r = pl_lane_send_bulk(sender->lane, data + sender->first_bytes, sender->bytes - sender->first_bytes);
		assert(!r);
	}
	if (sender->bytes > sizeof(data))
		pl_lane_shutdown(sender->lane);
	return NULL;
}

/* Whatever a payload's receiver is woken at, it gets all of it, and is woken by single records afterwards. */
static void test_long_payload_comes_whole(void)
{
	static const uint64_t firsts[] = { 1, 65535, 65536, 70000, (1u << 20) + 1, (8u << 20) - 1 };
	static uint8_t got[8u << 20];
	struct pl_lane *lanes[2];
	pthread_t thread;
	int r;

	lane_pair(lanes);
	for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
		struct sender sender = { lanes[0], firsts[i], sizeof(got) };

		memset(got, 0, sizeof(got));
		r = pthread_create(&thread, NULL, sender_run, &sender);
		assert(!r);
		expect(lanes[1], 1);
		r = pl_lane_recv_bulk(lanes[1], got, 3);
		r = r ? r : pl_lane_recv_bulk(lanes[1], got + 3, sizeof(got) - 3);
		assert(!r);
		pthread_join(thread, NULL);
		for (uint64_t k = 0; k < sizeof(got); k++)
			if (got[k] != (uint8_t)(k * 7 >> 4))
				abort();
		assert(option(lanes[1]->fd, SOL_SOCKET, SO_RCVLOWAT) == 1);
		r = put(lanes[0], 2, 0, PL_LANE_NOW);
		assert(!r);
		expect(lanes[1], 2);
	}
	pl_lane_destroy(lanes[0]);
	pl_lane_destroy(lanes[1]);
}

/* A peer that promises more than it sends and goes: the receiver that waits for half of it is told. */
static void test_payload_that_breaks_off_is_told(void)
{
	static uint8_t got[8u << 20];
	struct pl_lane *lanes[2];
	struct sender sender;
	pthread_t thread;
	int r;

	lane_pair(lanes);
	sender = (struct sender){ lanes[0], 100000, 64u << 20 };
	r = pthread_create(&thread, NULL, sender_run, &sender);
	assert(!r);
	expect(lanes[1], 1);
	r = pl_lane_recv_bulk(lanes[1], got, sizeof(got));
	assert(r == -EPIPE);
	pthread_join(thread, NULL);
	pl_lane_destroy(lanes[0]);
	pl_lane_destroy(lanes[1]);
}

#define EXCHANGES 200u

static void *echo_run(void *arg)
{
	for (uint64_t i = 0; i < EXCHANGES; i++) {
		expect(arg, i);
		assert(!put(arg, i, 0, PL_LANE_NOW));
	}
	return NULL;
}

/* Looking would be in vain: the peer can not send meanwhile. */
static void test_who_shares_its_core_with_the_peer_sleeps_at_once(void)
{
	struct pl_lane *lanes[2];
	cpu_set_t before, one;
	pthread_t thread;
	int r;

	assert(!sched_getaffinity(0, sizeof(before), &before));
	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	if (sched_setaffinity(0, sizeof(one), &one)) {
		printf("skipped: threads can not be kept on a core\n");
		return;
	}
	lane_pair(lanes);
	r = pthread_create(&thread, NULL, echo_run, lanes[1]);
	assert(!r);
	for (uint64_t i = 0; i < EXCHANGES; i++) {
		assert(!put(lanes[0], i, 0, PL_LANE_NOW));
		expect(lanes[0], i);
	}
	pthread_join(thread, NULL);
	assert(lanes[0]->stats.sleeps + lanes[1]->stats.sleeps > EXCHANGES);
	assert(lanes[0]->stats.spins + lanes[1]->stats.spins < 4);
	pl_lane_destroy(lanes[0]);
	pl_lane_destroy(lanes[1]);
	assert(!sched_setaffinity(0, sizeof(before), &before));
}

int main(void)
{
	alarm(120);
	test_both_ends_are_set_up();
	test_a_posted_record_is_one_send();
	test_more_leaves_with_the_next();
	test_posts_of_a_burst_leave_together_and_by_themselves();
	test_what_is_held_back_keeps_its_order();
	test_payload_leaves_with_its_record();
	test_our_own_mistakes_are_said();
	test_single_bytes_become_records();
	test_a_heap_of_odd_sizes_is_aligned();
	test_long_payload_comes_whole();
	test_payload_that_breaks_off_is_told();
	test_who_shares_its_core_with_the_peer_sleeps_at_once();
	return 0;
}
