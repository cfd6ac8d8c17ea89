/* Between peers that keep the rules: order, sizes, back-pressure, payload, time, counters. */
#include "contract/cases.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define MIB (1u << 20)

struct sender {
	pthread_t thread;
	struct pl_lane *lane;
	uint64_t count;
	uint32_t (*len_bytes)(uint64_t number);
	uint64_t (*bulk_bytes)(uint64_t number);
};

static uint32_t len_mixed(uint64_t number)
{
	static const uint32_t edges[] = {24, 32, PL_WIRE_RECORD_MAX, 4096, PL_WIRE_RECORD_MAX - 8, 24, 65536, 40};

	return number % 2 ? edges[number / 2 % 8] : 24 + 8 * (uint32_t)(number * 2654435761u % 512);
}

static uint32_t len_large(uint64_t number)
{
	return 65536 + 8 * (uint32_t)(number % 64);
}

static uint64_t bulk_none(uint64_t number)
{
	(void)number;
	return 0;
}

static uint64_t bulk_mixed(uint64_t number)
{
	static const uint64_t sizes[] = {0, 1, 7, 0, 8, 4095, 65537, 0, MIB, 3, 0, 5 * MIB + 1, 40000, 2, 0, 32769};

	return sizes[number % 16];
}

/* In parts that neither side agreed on. */
static void bulk_send(struct pl_lane *lane, uint64_t bytes, uint64_t part, uint64_t seed)
{
	uint8_t *data = malloc(bytes);

	assert(data);
	pl_test_bytes_fill(data, bytes, seed);
	for (uint64_t done = 0; done < bytes; done += part) {
		int r;
		if (part > bytes - done)
			part = bytes - done;
		r = pl_lane_send_bulk(lane, data + done, part);
		assert(!r);
	}
	memset(data, 0xee, bytes); /* the memory may be reused at once */
	free(data);
}

static void bulk_expect(struct pl_lane *lane, uint64_t bytes, uint64_t part, uint64_t seed)
{
	uint8_t *data = malloc(bytes + 1);

	assert(data);
	data[bytes] = 0x55;
	for (uint64_t done = 0; done < bytes; done += part) {
		int r;
		if (part > bytes - done)
			part = bytes - done;
		r = pl_lane_recv_bulk(lane, data + done, part);
		assert(!r);
	}
	assert(data[bytes] == 0x55);
	pl_test_bytes_check(data, bytes, seed);
	free(data);
}

static void *sender_run(void *arg)
{
	struct sender *sender = arg;

	for (uint64_t i = 0; i < sender->count; i++) {
		uint64_t bulk_bytes = sender->bulk_bytes(i);
		enum pl_lane_how how = i % 3 && i + 1 < sender->count ? PL_LANE_MORE : PL_LANE_NOW;
		int r = pl_test_record_send(sender->lane, i, sender->len_bytes(i), bulk_bytes, how);

		assert(!r);
		if (bulk_bytes)
			bulk_send(sender->lane, bulk_bytes, i % 2 ? bulk_bytes : bulk_bytes / 3 + 1, i);
	}
	return NULL;
}

static void sender_start(struct sender *sender)
{
	int r = pthread_create(&sender->thread, NULL, sender_run, sender);

	assert(!r);
}

static void expect_all(struct pl_lane *lane, const struct sender *sender)
{
	for (uint64_t i = 0; i < sender->count; i++) {
		uint64_t bulk_bytes = sender->bulk_bytes(i);

		pl_test_record_expect(lane, i, sender->len_bytes(i), bulk_bytes);
		if (bulk_bytes)
			bulk_expect(lane, bulk_bytes, i % 5 ? bulk_bytes / 2 + 1 : bulk_bytes, i);
	}
}

static void *expect_run(void *arg)
{
	struct sender *sender = arg; /* of the other direction: `lane` is the end that receives */

	expect_all(sender->lane, sender);
	return NULL;
}

/* Everything that went in at one end came out at the other. */
static void check_counts(const struct pl_test_pair *pair)
{
	const struct pl_lane_stats *a = &pair->client->stats, *b = &pair->server->stats;

	assert(a->records_out == b->records_in && a->bytes_out == b->bytes_in);
	assert(b->records_out == a->records_in && b->bytes_out == a->bytes_in);
}

static void one_way(const struct pl_test_link *link, bool to_server, struct sender sender)
{
	struct pl_test_pair pair;

	pl_test_pair_create(&pair, link);
	pl_test_pair_ready(&pair);
	sender.lane = to_server ? pair.client : pair.server;
	sender_start(&sender);
	expect_all(to_server ? pair.server : pair.client, &sender);
	pthread_join(sender.thread, NULL);
	check_counts(&pair);
	assert(sender.lane->stats.records_out == sender.count);
	pl_test_pair_destroy(&pair);
}

static void keeps_order_and_sizes(const struct pl_test_link *link)
{
	for (int i = 0; i < 2; i++)
		one_way(link, i, (struct sender){.count = 1000, .len_bytes = len_mixed, .bulk_bytes = bulk_none});
}

static void carries_payload(const struct pl_test_link *link)
{
	for (int i = 0; i < 2; i++)
		one_way(link, i, (struct sender){.count = 64, .len_bytes = len_mixed, .bulk_bytes = bulk_mixed});
}

static uint64_t bulk_64_mib(uint64_t number)
{
	return number ? 64ull * MIB : 1;
}

static uint32_t len_small(uint64_t number)
{
	return 24 + 8 * (uint32_t)(number % 5);
}

static void carries_64_mib(const struct pl_test_link *link)
{
	for (int i = 0; i < 2; i++)
		one_way(link, i, (struct sender){.count = 2, .len_bytes = len_small, .bulk_bytes = bulk_64_mib});
}

static void pause_ms(unsigned ms)
{
	struct timespec t = {.tv_nsec = (long)ms * 1000000};

	nanosleep(&t, NULL);
}

/* Nobody receives: the sender must stop by itself, and nothing may get lost. */
static void holds_a_fast_sender_back(const struct pl_test_link *link)
{
	struct sender sender = {.count = 2000, .len_bytes = len_large, .bulk_bytes = bulk_none};
	struct pl_test_pair pair;
	uint64_t before = 0, now = 0;

	pl_test_pair_create(&pair, link);
	pl_test_pair_ready(&pair);
	sender.lane = pair.client;
	sender_start(&sender);
	do {
		before = now;
		pause_ms(100);
		now = atomic_load(&pair.client->stats.records_out);
	} while (now != before || !now);
	assert(now < sender.count);
	expect_all(pair.server, &sender);
	pthread_join(sender.thread, NULL);
	check_counts(&pair);
	pl_test_pair_destroy(&pair);
}

static void works_in_both_directions_at_once(const struct pl_test_link *link)
{
	struct sender out = {.count = 400, .len_bytes = len_mixed, .bulk_bytes = bulk_mixed}, in = out, expect;
	struct pl_test_pair pair;
	pthread_t thread;
	int r;

	pl_test_pair_create(&pair, link);
	pl_test_pair_ready(&pair);
	out.lane = pair.client;
	in.lane = pair.server;
	expect = in;
	expect.lane = pair.client;
	sender_start(&out);
	sender_start(&in);
	r = pthread_create(&thread, NULL, expect_run, &expect);
	assert(!r);
	expect_all(pair.server, &out);
	pthread_join(thread, NULL);
	pthread_join(out.thread, NULL);
	pthread_join(in.thread, NULL);
	check_counts(&pair);
	pl_test_pair_destroy(&pair);
}

/* The arguments of a call are still read while its payload is taken. */
static void keeps_a_record_while_its_payload_is_taken(const struct pl_test_link *link)
{
	struct sender sender = {.count = 2, .len_bytes = len_large, .bulk_bytes = bulk_64_mib};
	const struct pl_wire_head *head;
	struct pl_test_pair pair;

	pl_test_pair_create(&pair, link);
	pl_test_pair_ready(&pair);
	sender.lane = pair.client;
	sender_start(&sender);
	for (uint64_t i = 0; i < sender.count; i++) {
		int r = pl_lane_recv(pair.server, UINT64_MAX, &head);
		assert(!r);
		bulk_expect(pair.server, head->bulk_bytes, MIB + 1, i);
		pl_test_record_check(head, i, len_large(i), bulk_64_mib(i));
	}
	pthread_join(sender.thread, NULL);
	pl_test_pair_destroy(&pair);
}

static void drops_payload_that_nobody_wants(const struct pl_test_link *link)
{
	struct sender sender = {.count = 64, .len_bytes = len_small, .bulk_bytes = bulk_mixed};
	struct pl_test_pair pair;

	pl_test_pair_create(&pair, link);
	pl_test_pair_ready(&pair);
	sender.lane = pair.client;
	sender_start(&sender);
	for (uint64_t i = 0; i < sender.count; i++) {
		int r;
		pl_test_record_expect(pair.server, i, len_small(i), bulk_mixed(i));
		r = pl_lane_drop_bulk(pair.server, bulk_mixed(i));
		assert(!r);
	}
	pthread_join(sender.thread, NULL);
	check_counts(&pair);
	pl_test_pair_destroy(&pair);
}

static void gives_up_waiting_in_time(const struct pl_test_link *link)
{
	const struct pl_wire_head *head = NULL;
	struct pl_test_pair pair;
	uint64_t begin;
	int r;

	pl_test_pair_create(&pair, link);
	pl_test_pair_ready(&pair);
	r = pl_lane_recv(pair.server, 0, &head);
	assert(r == PL_LANE_E_TIMEOUT && !head);
	begin = pl_now_ns();
	r = pl_lane_recv(pair.server, 20000000, &head);
	assert(r == PL_LANE_E_TIMEOUT && !head);
	assert(pl_now_ns() - begin >= 20000000);
	r = pl_test_record_send(pair.client, 7, 48, 0, PL_LANE_NOW); /* the lane is as good as before */
	assert(!r);
	pl_test_record_expect(pair.server, 7, 48, 0);
	r = pl_lane_recv(pair.client, 1000000, &head);
	assert(r == PL_LANE_E_TIMEOUT && !head);
	pl_test_pair_destroy(&pair);
}

static void gives_the_same_room_again(const struct pl_test_link *link)
{
	struct pl_test_pair pair;
	void *first, *second;
	int r;

	pl_test_pair_create(&pair, link);
	pl_test_pair_ready(&pair);
	r = pl_lane_reserve(pair.client, 4096, &first);
	assert(!r);
	memset(first, 0xff, 4096);
	r = pl_lane_reserve(pair.client, 64, &second);
	assert(!r && first == second);
	r = pl_test_record_send(pair.client, 1, 64, 0, PL_LANE_NOW);
	assert(!r);
	pl_test_record_expect(pair.server, 1, 64, 0);
	r = pl_lane_reserve(pair.client, PL_WIRE_RECORD_MAX + 8, &first);
	assert(r == -EMSGSIZE);
	r = pl_lane_reserve(pair.client, 33, &first);
	assert(r == -EMSGSIZE);
	pl_test_pair_destroy(&pair);
}

/* The end of a session can be waited for beside other things. */
static void has_an_fd_to_poll(const struct pl_test_link *link)
{
	struct pl_test_pair pair;
	struct pollfd poll_fd;
	int r;

	pl_test_pair_create(&pair, link);
	pl_test_pair_ready(&pair);
	poll_fd = (struct pollfd){.fd = pair.client->fd, .events = POLLIN | POLLRDHUP};
	r = poll(&poll_fd, 1, 20);
	assert(!r);
	if (!link->shm || link->hooked) { /* records come through the socket */
		r = pl_test_record_send(pair.server, 1, 64, 0, PL_LANE_NOW);
		assert(!r);
		r = poll(&poll_fd, 1, 10000);
		assert(r == 1 && (poll_fd.revents & POLLIN) && !(poll_fd.revents & POLLRDHUP));
		pl_test_record_expect(pair.client, 1, 64, 0);
		r = poll(&poll_fd, 1, 20);
		assert(!r);
	}
	if (!link->hooked || !link->shm) {
		pl_lane_shutdown(pair.server);
		r = poll(&poll_fd, 1, 10000);
		assert(r == 1 && (poll_fd.revents & POLLRDHUP));
	}
	pl_test_pair_destroy(&pair);
}

static void counts_its_waits(const struct pl_test_link *link)
{
	struct sender sender = {.count = 1, .len_bytes = len_small, .bulk_bytes = bulk_none};
	const struct pl_lane_stats *stats;
	struct pl_test_pair pair;
	uint64_t waits;

	pl_test_pair_create(&pair, link);
	pl_test_pair_ready(&pair);
	stats = &pair.server->stats;
	for (int i = 0; i < 20; i++) {
		waits = stats->spins + stats->sleeps;
		sender.lane = pair.client;
		if (i % 2) {
			sender_start(&sender); /* may come before or after the wait begins */
			expect_all(pair.server, &sender);
			pthread_join(sender.thread, NULL);
			assert(stats->spins + stats->sleeps <= waits + 2);
		} else {
			const struct pl_wire_head *head;
			int r = pl_lane_recv(pair.server, 1000000, &head);
			assert(r == PL_LANE_E_TIMEOUT && stats->sleeps > 0);
		}
	}
	pl_test_pair_destroy(&pair);
}

const struct pl_test_case pl_test_cases_order[] = {
	{"keeps order and sizes", keeps_order_and_sizes, .stream = false},
	{"carries payload", carries_payload, .stream = false},
	{"carries 64 MiB", carries_64_mib, .stream = false},
	{"holds a fast sender back", holds_a_fast_sender_back, .stream = false},
	{"works in both directions at once", works_in_both_directions_at_once, .stream = false},
	{"keeps a record while its payload is taken", keeps_a_record_while_its_payload_is_taken, .stream = false},
	{"drops payload that nobody wants", drops_payload_that_nobody_wants, .stream = false},
	{"gives up waiting in time", gives_up_waiting_in_time, .stream = false},
	{"gives the same room again", gives_the_same_room_again, .stream = false},
	{"has an fd to poll", has_an_fd_to_poll, .stream = false},
	{"counts its waits", counts_its_waits, .stream = false},
	{0},
};
