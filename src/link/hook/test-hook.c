/* What a hook does to a lane: delay without serialising, bandwidth, loss, cuts, damage. */
#include "link/hook/hook.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "link/tcp/tcp.h"

#define RECORD_BYTES 1024u
#define MS	     1000000u

static void hooked_pair(const char *text, struct pl_lane **hooked_out, struct pl_lane **peer_out)
{
	struct pl_hook_options options;
	struct pl_lane *inner;
	int fds[2], r;

	r = pl_hook_options_parse(text, &options);
	assert(!r);
	r = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds);
	assert(!r);
	r = pl_tcp_lane_create(fds[0], &inner) || pl_tcp_lane_create(fds[1], peer_out);
	assert(!r);
	r = pl_hook_lane_wrap(inner, &options, hooked_out);
	assert(!r);
}

static int put(struct pl_lane *lane, uint64_t ticket, uint64_t bulk_bytes)
{
	struct pl_wire_head head = {.len_bytes = RECORD_BYTES, .ticket = ticket, .bulk_bytes = bulk_bytes};
	void *room;
	int r = pl_lane_reserve(lane, RECORD_BYTES, &room);

	if (r)
		return r;
	memset(room, 0, RECORD_BYTES);
	memcpy(room, &head, sizeof(head));
	return pl_lane_commit(lane, RECORD_BYTES, PL_LANE_NOW);
}

static int get(struct pl_lane *lane, uint64_t *ticket_out)
{
	const struct pl_wire_head *head;
	int r = pl_lane_recv(lane, UINT64_MAX, &head);

	if (!r)
		*ticket_out = head->ticket;
	return r;
}

static void test_options_are_read(void)
{
	static const char *const bad[] = {"delay_us",
					  "delay_us=",
					  "=1",
					  "delay_us=1,",
					  ",",
					  "delay=1",
					  "delay_us=1;",
					  "delay_us=1 ",
					  "seed=0x1",
					  "delay_us=1K1",
					  "bandwidth=18446744073709551616"};
	struct pl_hook_options options;
	int r;

	r = pl_hook_options_parse("delay_us=500,bandwidth=100M,drop_after=1,cut_after=2,cut_after_bytes=3K,"
				  "corrupt_every=4,seed=5",
				  &options);
	assert(!r && options.delay_us == 500 && options.bandwidth == 100000000 && options.drop_after == 1);
	assert(options.cut_after == 2 && options.cut_after_bytes == 3000 && options.corrupt_every == 4 &&
	       options.seed == 5);
	r = pl_hook_options_parse("", &options);
	assert(!r && !options.delay_us && !options.bandwidth);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert(pl_hook_options_parse(bad[i], &options) == -EINVAL);
}

/* 50 records of 100 ms each way would take 5 s one after the other, and 100 ms side by side.  A machine that stands
 * still for a while does so now and then only. */
static void test_delay_does_not_serialise(void)
{
	struct pl_lane *hooked, *peer;
	uint64_t begin, took, ticket = 0;

	hooked_pair("delay_us=100000", &hooked, &peer);
	for (int direction = 0; direction < 2; direction++) {
		struct pl_lane *from = direction ? peer : hooked, *to = direction ? hooked : peer;

		took = UINT64_MAX;
		for (int tries = 0; tries < 10 && took >= 2500 * MS; tries++) {
			begin = pl_now_ns();
			for (uint64_t i = 0; i < 50; i++)
				assert(!put(from, i, 0));
			for (uint64_t i = 0; i < 50; i++)
				assert(!get(to, &ticket) && ticket == i);
			took = pl_now_ns() - begin;
			assert(took >= 100 * MS);
		}
		assert(took < 2500 * MS); /* half of what serialising takes */
	}
	pl_lane_destroy(hooked);
	pl_lane_destroy(peer);
}

static void test_bandwidth_bounds_a_stream(void)
{
	struct pl_lane *hooked, *peer;
	uint64_t begin = pl_now_ns(), ticket;

	hooked_pair("bandwidth=1M", &hooked, &peer);
	for (uint64_t i = 0; i < 100; i++)
		assert(!put(hooked, i, 0));
	for (uint64_t i = 0; i < 100; i++)
		assert(!get(peer, &ticket) && ticket == i);
	assert(pl_now_ns() - begin >= 100 * RECORD_BYTES * 1000ull);
	pl_lane_destroy(hooked);
	pl_lane_destroy(peer);
}

static void *drain_run(void *arg)
{
	const struct pl_wire_head *head;
	int r = pl_lane_recv(arg, UINT64_MAX, &head);

	assert(!r);
	r = pl_lane_drop_bulk(arg, head->bulk_bytes);
	assert(!r);
	return NULL;
}

/* However fast the peer takes what comes. */
static void test_a_slow_line_holds_the_sender_back(void)
{
	static uint8_t data[8 << 20];
	struct pl_lane *hooked, *peer;
	uint64_t begin = pl_now_ns();
	pthread_t thread;

	hooked_pair("bandwidth=20M", &hooked, &peer);
	assert(!pthread_create(&thread, NULL, drain_run, peer));
	assert(!put(hooked, 1, sizeof(data)));
	assert(!pl_lane_send_bulk(hooked, data, sizeof(data)));
	assert(pl_now_ns() - begin >= (sizeof(data) - (4 << 20)) / 20 * 1000ull); /* 1 MiB queued, and socket buffers */
	pthread_join(thread, NULL);
	pl_lane_destroy(hooked);
	pl_lane_destroy(peer);
}

static void test_a_record_is_dropped_once_with_its_payload(void)
{
	struct pl_lane *hooked, *peer;
	uint64_t ticket;

	hooked_pair("drop_after=3", &hooked, &peer);
	for (int direction = 0; direction < 2; direction++) {
		struct pl_lane *from = direction ? peer : hooked, *to = direction ? hooked : peer;

		for (uint64_t i = 1; i <= 8; i++) {
			static const uint8_t data[5000];

			assert(!put(from, i, i % 2 ? 0 : sizeof(data)));
			assert(i % 2 || !pl_lane_send_bulk(from, data, sizeof(data)));
		}
		for (uint64_t i = 1; i <= 8; i++) {
			if (i == 4)
				continue;
			assert(!get(to, &ticket) && ticket == i);
			assert(i % 2 || !pl_lane_drop_bulk(to, 5000));
		}
	}
	pl_lane_destroy(hooked);
	pl_lane_destroy(peer);
}

static void test_a_link_is_cut_after_records(void)
{
	for (int direction = 0; direction < 2; direction++) {
		struct pl_lane *hooked, *peer, *from, *to;
		uint64_t ticket;
		int r = 0;

		hooked_pair("cut_after=5,delay_us=1000", &hooked, &peer);
		from = direction ? peer : hooked;
		to = direction ? hooked : peer;
		for (uint64_t i = 1; i <= 6; i++)
			assert(!put(from, i, 0));
		for (uint64_t i = 1; i <= 5; i++)
			assert(!get(to, &ticket) && ticket == i);
		assert(get(to, &ticket) == -EPIPE); /* both see the end */
		assert(get(from, &ticket) == -EPIPE);
		for (uint64_t i = 0; !r; i++)
			r = put(from, i, 0);
		assert(r == -EPIPE);
		pl_lane_destroy(hooked);
		pl_lane_destroy(peer);
	}
}

static void test_a_link_is_cut_through_payload(void)
{
	static uint8_t data[1 << 20];

	for (int direction = 0; direction < 2; direction++) {
		struct pl_lane *hooked, *peer, *from, *to;
		uint64_t ticket;

		hooked_pair("cut_after_bytes=100K", &hooked, &peer);
		from = direction ? peer : hooked;
		to = direction ? hooked : peer;
		assert(!put(from, 1, sizeof(data)));
		(void)!pl_lane_send_bulk(from, data, sizeof(data));
		assert(!get(to, &ticket));
		assert(!pl_lane_recv_bulk(to, data, 100000 - RECORD_BYTES));
		assert(pl_lane_recv_bulk(to, data, 1) == -EPIPE);
		pl_lane_destroy(hooked);
		pl_lane_destroy(peer);
	}
}

/* Damaged records come through or end the lane; the same seed damages the same bits. */
static uint64_t damaged(const char *text, bool inward, unsigned *ends_out)
{
	struct pl_lane *hooked, *peer;
	const struct pl_wire_head *head;
	uint64_t sum = 0;
	int r = 0;

	hooked_pair(text, &hooked, &peer);
	for (uint64_t i = 1; i <= 40 && !r; i++)
		r = put(inward ? peer : hooked, i, 0);
	do {
		r = pl_lane_recv(inward ? hooked : peer, 200 * MS, &head);
		for (uint32_t i = 0; !r && i < head->len_bytes; i++)
			sum = sum * 31 + ((const uint8_t *)head)[i];
	} while (!r);
	assert(r == PL_LANE_E_TIMEOUT || r == (inward ? -EPROTO : -EPIPE));
	*ends_out += r < 0;
	pl_lane_destroy(hooked);
	pl_lane_destroy(peer);
	return sum;
}

static void test_damage_is_seen_or_passed_on(void)
{
	unsigned ends = 0, tries = 0;
	char text[64];

	for (uint64_t seed = 0; seed < 12; seed++) {
		for (int inward = 0; inward < 2; inward++, tries++) {
			snprintf(text, sizeof(text), "corrupt_every=2,seed=%llu", (unsigned long long)seed);
			damaged(text, inward, &ends);
		}
	}
	assert(ends < tries); /* most damage lies outside the lengths */
	ends = 0;
	assert(damaged("corrupt_every=2,seed=7", false, &ends) == damaged("corrupt_every=2,seed=7", false, &ends));
	assert(damaged("corrupt_every=2,seed=7", false, &ends) != damaged("corrupt_every=2,seed=8", false, &ends));
	assert(damaged("corrupt_every=2,seed=7", false, &ends) != damaged("", false, &ends));
}

/* A program that sends its last words and leaves has sent them. */
static void test_destroy_delivers_what_is_on_its_way(void)
{
	struct pl_lane *hooked, *peer;
	uint64_t ticket;

	hooked_pair("delay_us=20000", &hooked, &peer);
	for (uint64_t i = 0; i < 10; i++)
		assert(!put(hooked, i, 0));
	pl_lane_destroy(hooked);
	for (uint64_t i = 0; i < 10; i++)
		assert(!get(peer, &ticket) && ticket == i);
	assert(get(peer, &ticket) == -EPIPE);
	pl_lane_destroy(peer);
}

/* ... but does not wait for ever for a peer that takes nothing. */
static void test_destroy_ends_with_a_peer_that_sleeps(void)
{
	static uint8_t data[4 << 20];
	struct pl_lane *hooked, *peer;

	hooked_pair("", &hooked, &peer);
	assert(!put(hooked, 1, sizeof(data)));
	assert(!pl_lane_send_bulk(hooked, data, sizeof(data)));
	pl_lane_destroy(hooked);
	pl_lane_destroy(peer);
}

int main(void)
{
	alarm(120);
	test_options_are_read();
	test_delay_does_not_serialise();
	test_bandwidth_bounds_a_stream();
	test_a_slow_line_holds_the_sender_back();
	test_a_record_is_dropped_once_with_its_payload();
	test_a_link_is_cut_after_records();
	test_a_link_is_cut_through_payload();
	test_damage_is_seen_or_passed_on();
	test_destroy_delivers_what_is_on_its_way();
	test_destroy_ends_with_a_peer_that_sleeps();
	return 0;
}
