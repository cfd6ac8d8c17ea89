/* How the ends of a lane in a guest's region sleep and wake: bytes through the socket, no more than are wanted. */
#include "contract/cases.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "link/shm/shm.h"

#define TURNS 300

static uint32_t bytes_waiting(const struct pl_lane *lane)
{
	uint8_t bytes[256];
	ssize_t n = recv(lane->fd, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);

	return n < 0 ? 0 : (uint32_t)n;
}

static void nobody_is_woken_who_does_not_sleep(const struct pl_test_link *link)
{
	struct pl_test_pair pair;

	pl_test_pair_create(&pair, link);
	for (uint64_t i = 0; i < 100; i++) {
		int r = pl_test_record_send(pair.client, i, 64, 0, PL_LANE_NOW);
		assert(!r);
		pl_test_record_expect(pair.server, i, 64, 0);
	}
	assert(!pair.client->stats.wakes && !pair.server->stats.wakes && !pair.server->stats.sleeps);
	assert(!bytes_waiting(pair.server) && !bytes_waiting(pair.client));
	pl_test_pair_destroy(&pair);
}

static void who_sleeps_is_woken_once(const struct pl_test_link *link)
{
	const struct pl_wire_head *head;
	struct pl_test_pair pair;
	int r;

	pl_test_pair_create(&pair, link);
	r = pl_lane_recv(pair.server, 20000000, &head); /* goes to sleep; its word stays set when the time is over */
	assert(r == PL_LANE_E_TIMEOUT && pair.server->stats.sleeps == 1);
	for (uint64_t i = 0; i < 100; i++) {
		r = pl_test_record_send(pair.client, i, 64, 0, PL_LANE_NOW);
		assert(!r);
	}
	assert(pair.client->stats.wakes == 1 && bytes_waiting(pair.server) == 1);
	for (uint64_t i = 0; i < 100; i++)
		pl_test_record_expect(pair.server, i, 64, 0);
	pl_test_pair_destroy(&pair);
}

struct half {
	pthread_t thread;
	struct pl_lane *lane;
	uint64_t done;
};

static void *receiver_run(void *arg)
{
	struct half *half = arg;

	for (half->done = 0; half->done < TURNS; half->done++)
		pl_test_record_expect(half->lane, half->done, 64, 0);
	return NULL;
}

static void *sender_run(void *arg)
{
	struct half *half = arg;

	for (half->done = 0; half->done < TURNS; half->done++) {
		int r = pl_test_record_send(half->lane, half->done, 65536, 0, PL_LANE_NOW);
		assert(!r);
	}
	return NULL;
}

/* Both threads of one end sleep on one socket: each gets what is for it, whoever takes the byte. */
static void sender_and_receiver_of_one_end_are_both_woken(const struct pl_test_link *link)
{
	struct half receiver, sender;
	struct pl_test_pair pair;
	int r;

	pl_test_pair_create(&pair, link);
	receiver.lane = sender.lane = pair.server;
	r = pthread_create(&receiver.thread, NULL, receiver_run, &receiver);
	assert(!r);
	r = pthread_create(&sender.thread, NULL, sender_run, &sender);
	assert(!r);
	for (uint64_t i = 0; i < TURNS; i++) {
		if (i % 16 == 0)
			usleep(3000); /* both are asleep by then: the ring is full, and nothing has come */
		if (i % 3 == 0) {
			r = pl_test_record_send(pair.client, i, 64, 0, PL_LANE_NOW);
			assert(!r);
		}
		pl_test_record_expect(pair.client, i, 65536, 0);
		if (i % 3 != 0) {
			r = pl_test_record_send(pair.client, i, 64, 0, PL_LANE_NOW);
			assert(!r);
		}
	}
	pthread_join(receiver.thread, NULL);
	pthread_join(sender.thread, NULL);
	assert(receiver.done == TURNS && sender.done == TURNS && pair.server->stats.sleeps);
	pl_test_pair_destroy(&pair);
}

/* A peer that rings without end costs itself the socket's buffer, and the other end nothing but looks. */
static void bytes_that_nobody_asked_for_do_no_harm(const struct pl_test_link *link)
{
	static const uint8_t flood[4096];
	struct pl_test_pair pair;
	ssize_t n;

	pl_test_pair_create(&pair, link);
	do
		n = send(pair.client->fd, flood, sizeof(flood), MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n > 0);
	assert(errno == EAGAIN);
	for (uint64_t i = 0; i < 100; i++) {
		const struct pl_wire_head *head;
		int r = pl_lane_recv(pair.server, 1000000, &head); /* sleeps with all those bytes there */

		assert(r == PL_LANE_E_TIMEOUT);
		r = pl_test_record_send(pair.client, i, 64, 0, PL_LANE_NOW);
		assert(!r);
		pl_test_record_expect(pair.server, i, 64, 0);
	}
	pl_test_pair_destroy(&pair);
}

/* Another lane lay there before, and left its indices. */
static void memory_is_used_again(const struct pl_test_link *link)
{
	struct pl_test_pair pair;
	struct pl_lane *server, *client;
	int memory, fds[2], r;

	(void)link;
	memory = memfd_create("region", MFD_CLOEXEC);
	r = ftruncate(memory, PL_SHM_LANE_BYTES);
	assert(memory >= 0 && !r);
	for (int i = 0; i < 3; i++) {
		r = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds);
		assert(!r);
		r = pl_shm_lane_place(fds[0], memory, 0, true, &server);
		assert(!r);
		r = pl_shm_lane_place(fds[1], memory, 0, false, &client);
		assert(!r);
		pair = (struct pl_test_pair){.client = client, .server = server};
		for (uint64_t k = 0; k < 10; k++) {
			r = pl_test_record_send(client, k, 4096, 0, PL_LANE_NOW);
			assert(!r);
			pl_test_record_expect(server, k, 4096, 0);
		}
		r = pl_test_record_send(server, 1, 64, 0, PL_LANE_NOW); /* is never taken */
		assert(!r);
		pl_test_pair_destroy(&pair);
	}
	close(memory);
}

const struct pl_test_case pl_test_cases_bell[] = {
	{"nobody is woken who does not sleep", nobody_is_woken_who_does_not_sleep, .stream = false},
	{"who sleeps is woken once", who_sleeps_is_woken_once, .stream = false},
	{"sender and receiver of one end are both woken", sender_and_receiver_of_one_end_are_both_woken,
	 .stream = false},
	{"bytes that nobody asked for do no harm", bytes_that_nobody_asked_for_do_no_harm, .stream = false},
	{"memory is used again", memory_is_used_again, .stream = false},
	{0},
};
