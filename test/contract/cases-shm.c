/* Shared memory in the hands of a liar: the peer writes what it likes into the indices and the rings, at any time. */
#include "contract/cases.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "link/shm/shm.h"

/* The layout as a peer sees it; src/link/shm/shm.c has the other copy, and a change there must fail here. */
#define INDEX_PAGE 4096u
enum { WRITTEN = 0, ROOM_SLEEPER = 1, TAKEN = 16, DATA_SLEEPER = 17 }; /* 32-bit words */

struct victim {
	struct pl_lane *lane;			 /* a server's end */
	int fd, memory_fd;			 /* all that the liar has */
	_Atomic uint32_t *to_server, *to_client; /* indices */
	uint8_t *ring;				 /* to the server */
};

static void victim_create(struct victim *victim, const struct pl_test_link *link)
{
	uint8_t *memory;
	int fds[2], r;

	r = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds);
	assert(!r);
	if (link->region) {
		victim->memory_fd = memfd_create("region", MFD_CLOEXEC);
		r = ftruncate(victim->memory_fd, PL_SHM_LANE_BYTES);
		assert(!r);
		r = pl_shm_lane_place(fds[0], victim->memory_fd, 0, true, &victim->lane);
	} else {
		r = pl_shm_lane_serve(fds[0], &victim->lane, &victim->memory_fd);
	}
	assert(!r);
	victim->fd = fds[1];
	memory = mmap(NULL, INDEX_PAGE + 2 * PL_SHM_RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, victim->memory_fd,
		      0);
	assert(memory != MAP_FAILED);
	victim->to_server = (_Atomic uint32_t *)memory;
	victim->to_client = victim->to_server + 32;
	victim->ring = memory + INDEX_PAGE;
}

static void victim_destroy(struct victim *victim)
{
	pl_lane_destroy(victim->lane);
	munmap((void *)victim->to_server, INDEX_PAGE + 2 * PL_SHM_RING_BYTES);
	close(victim->memory_fd);
	close(victim->fd);
}

static int receive(struct pl_lane *lane)
{
	const struct pl_wire_head *head;

	return pl_lane_recv(lane, UINT64_MAX, &head);
}

/* A record that keeps the rules, written by hand: shows that the layout here is the real one. */
static void the_layout_is_as_described(const struct pl_test_link *link)
{
	const struct pl_wire_head *head, true_head = {.len_bytes = 32, .op = 5, .ticket = 9};
	struct victim victim;
	int r;

	victim_create(&victim, link);
	memcpy(victim.ring, &true_head, sizeof(true_head));
	memcpy(victim.ring + sizeof(true_head), "argument", 8);
	atomic_store(&victim.to_server[WRITTEN], 32);
	r = pl_lane_recv(victim.lane, UINT64_MAX, &head);
	assert(!r && head->op == 5 && head->ticket == 9 && !memcmp(head + 1, "argument", 8));
	memset(victim.ring, 0xff, 32); /* it is private by now */
	assert(head->op == 5 && !memcmp(head + 1, "argument", 8));
	r = pl_test_record_send(victim.lane, 1, 64, 0, PL_LANE_NOW);
	assert(!r && atomic_load(&victim.to_client[WRITTEN]) == 64);
	victim_destroy(&victim);
}

static void indices_that_lie_are_refused(const struct pl_test_link *link)
{
	static const uint32_t lies[] = {PL_SHM_RING_BYTES + 1, PL_SHM_RING_BYTES + 24, UINT32_MAX, UINT32_MAX - 63,
					1u << 31};
	struct victim victim;

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		void *room;
		int r;

		victim_create(&victim, link);
		atomic_store(&victim.to_server[WRITTEN], lies[i]);
		r = receive(victim.lane);
		assert(r == -EPROTO);
		r = pl_lane_reserve(victim.lane, 64, &room);
		assert(r < 0);
		victim_destroy(&victim);

		victim_create(&victim, link); /* as if more had been taken than was sent */
		atomic_store(&victim.to_client[TAKEN], 0 - lies[i]);
		r = pl_test_record_send(victim.lane, 1, PL_WIRE_RECORD_MAX, 0, PL_LANE_NOW);
		assert(r == -EPROTO);
		victim_destroy(&victim);
	}
}

static void records_that_lie_are_refused(const struct pl_test_link *link)
{
	static const struct {
		struct pl_wire_head head;
		uint32_t written;
	} lies[] = {
		{{.len_bytes = 0}, 24},
		{{.len_bytes = 8}, 24},
		{{.len_bytes = 23}, 24},
		{{.len_bytes = 25}, 32},
		{{.len_bytes = 32}, 24}, /* half of it */
		{{.len_bytes = PL_WIRE_RECORD_MAX + 8}, PL_SHM_RING_BYTES},
		{{.len_bytes = UINT32_MAX}, PL_SHM_RING_BYTES},
		{{.len_bytes = UINT32_MAX - 7}, PL_SHM_RING_BYTES},
		{{.len_bytes = 24, .bulk_bytes = PL_WIRE_BULK_MAX + 1}, 24},
		{{.len_bytes = 24, .bulk_bytes = UINT64_MAX}, 24},
	};

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct victim victim;
		int r;

		victim_create(&victim, link);
		memcpy(victim.ring, &lies[i].head, sizeof(lies[i].head));
		atomic_store(&victim.to_server[WRITTEN], lies[i].written);
		r = receive(victim.lane);
		assert(r == -EPROTO);
		victim_destroy(&victim);
	}
}

struct liar {
	pthread_t thread;
	struct victim *victim;
	uint64_t random;
	_Atomic bool stop;
};

static uint32_t any(struct liar *liar)
{
	liar->random = liar->random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(liar->random >> 33);
}

/* Mostly near the truth, or it would be found out with the first record. */
static void *liar_run(void *arg)
{
	struct liar *liar = arg;
	struct victim *victim = liar->victim;

	while (!atomic_load(&liar->stop)) {
		uint32_t at = any(liar) % PL_SHM_RING_BYTES & ~7u;
		_Atomic uint32_t *word = (_Atomic uint32_t *)(void *)(victim->ring + at);

		atomic_store(word, any(liar) % 4 ? 24 + 8 * (any(liar) % 64) : any(liar));
		atomic_store(&victim->to_server[ROOM_SLEEPER], any(liar) % 2);
		atomic_store(&victim->to_client[DATA_SLEEPER], any(liar) % 2);
		atomic_fetch_add(&victim->to_server[WRITTEN], 8 * (any(liar) % 32));
		atomic_store(&victim->to_client[TAKEN], atomic_load(&victim->to_client[WRITTEN]) - any(liar) % 2);
		if (any(liar) % 4096 == 0)
			atomic_store(&victim->to_server[any(liar) % 32], any(liar));
	}
	return NULL;
}

static void memory_that_changes_under_the_reader_does_no_harm(const struct pl_test_link *link)
{
	static uint8_t sink[4096];

	for (uint64_t round = 0; round < 60; round++) {
		const struct pl_wire_head *head;
		struct victim victim;
		struct liar liar = {.victim = &victim, .random = round};
		int r = 0;

		victim_create(&victim, link);
		r = pthread_create(&liar.thread, NULL, liar_run, &liar);
		assert(!r);
		for (uint64_t i = 0; i < 2000 && r >= 0; i++) {
			r = pl_lane_recv(victim.lane, 1000000, &head);
			if (!r) { /* the head does not change any more */
				uint32_t len_bytes = head->len_bytes;
				assert(len_bytes >= 24 && len_bytes % 8 == 0 && len_bytes <= PL_WIRE_RECORD_MAX);
				assert(head->bulk_bytes <= PL_WIRE_BULK_MAX);
				if (head->bulk_bytes)
					r = pl_lane_recv_bulk(victim.lane, sink,
							      head->bulk_bytes < 4096 ? head->bulk_bytes : 4096);
				assert(head->len_bytes == len_bytes);
			}
			if (r >= 0)
				r = pl_test_record_send(victim.lane, i, 24 + 8 * (i % 100), 0, PL_LANE_NOW);
			if (i == 1000)
				pl_lane_shutdown(victim.lane); /* a payload that never comes is waited for */
		}
		atomic_store(&liar.stop, true);
		pthread_join(liar.thread, NULL);
		victim_destroy(&victim);
	}
}

/* A client, too, checks what it is given. */
static void memory_that_can_shrink_is_refused(const struct pl_test_link *link)
{
	static const struct {
		uint32_t bytes;
		int seals;
	} given[] = {
		{INDEX_PAGE + 2 * PL_SHM_RING_BYTES, 0},
		{INDEX_PAGE + 2 * PL_SHM_RING_BYTES, F_SEAL_GROW},
		{INDEX_PAGE, F_SEAL_GROW | F_SEAL_SHRINK},
		{0, F_SEAL_GROW | F_SEAL_SHRINK},
	};

	(void)link;
	for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
		int memory = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING), fds[2], r;
		struct pl_lane *lane = NULL;

		r = ftruncate(memory, given[i].bytes) || fcntl(memory, F_ADD_SEALS, given[i].seals) ||
		    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds);
		assert(!r);
		r = pl_shm_lane_open(fds[0], memory, PL_SHM_RING_BYTES, &lane);
		assert(r == -EPROTO && !lane);
		close(fds[1]);
	}
}

const struct pl_test_case pl_test_cases_shm[] = {
	{"the layout is as described", the_layout_is_as_described, .stream = false},
	{"indices that lie are refused", indices_that_lie_are_refused, .stream = false},
	{"records that lie are refused", records_that_lie_are_refused, .stream = false},
	{"memory that changes under the reader does no harm", memory_that_changes_under_the_reader_does_no_harm,
	 .stream = false},
	{"memory that can shrink is refused", memory_that_can_shrink_is_refused, .stream = false},
	{0},
};
