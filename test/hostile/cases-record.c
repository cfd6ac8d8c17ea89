/* Records that are none, and order that is broken.  Each on both links. */
#include "hostile.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/leak.h"
#include "link/address.h"
#include "link/greet.h"
#include "link/shm/shm.h"

#define LIAR_MS   400
#define HEAD_PAGE 4096u

static const char *link_address(int i)
{
	return i ? server.tcp_address : server.unix_address;
}

static void unknown_op(void)
{
	static const uint16_t ops[] = { 0, 9999, UINT16_MAX };
	struct peer peer;

	for (int link = 0; link < 2; link++) {
		peer_open(&peer, link_address(link));
		for (int i = 0; i < 3; i++) {
			ask_raw(&peer, ops[i], "12345678", 8);
			assert(peer.body.flags & PL_WIRE_REPLY_REFUSED);
			expect_is(peer.body.status, CL_INVALID_OPERATION);
		}
		expect_is(ASK(&peer, clGetPlatformIDs, 0), CL_SUCCESS);
		peer_close(&peer);
	}
}

/* Too short, too long, and counts that would overflow: the call is refused, the session goes on. */
static void wrong_body(void)
{
	uint64_t body[64] = { 0 };
	struct peer peer;

	peer_open(&peer, server.unix_address);
	for (uint32_t words = 0; words < 64; words++) {
		ask_raw(&peer, PL_CL_OP_clEnqueueReadBufferRect, body, words * 8);
		assert(peer.body.flags & PL_WIRE_REPLY_REFUSED || words == 23);
		expect_is(peer.body.status != CL_SUCCESS, 1);
	}
	for (int i = 0; i < 64; i++) {
		uint64_t bodies[] = { 1ull << i, 1, 2, 3 }; /* a count, and less than it says */

		ask_raw(&peer, PL_CL_OP_clWaitForEvents, bodies, sizeof(bodies));
		assert(peer.body.flags & PL_WIRE_REPLY_REFUSED);
		bodies[0] = (1ull << i) - 1;
		ask_raw(&peer, PL_CL_OP_clWaitForEvents, bodies, sizeof(bodies));
		assert(peer.body.status != CL_SUCCESS);
		ask_raw(&peer, PL_CL_OP_plInfo, (uint64_t[]){ 2, 0, 0, 0, 0, 0, 0, bodies[0] }, 64);
		assert(peer.body.status != CL_SUCCESS);
	}
	peer_close(&peer);
}

/* ---- heads that are none: raw sockets, since this end's own lane refuses to send them ---- */

/* A lane over tcp of which only the socket is used. */
static int lane_socket(const struct peer *peer)
{
	struct pl_hello hello = peer_lane_hello(peer);
	struct pl_greet_fds fds = { 0 };
	struct pl_hello_reply reply;
	struct pl_address address;
	int fd;

	expect_is(pl_address_parse(peer->address, &address), 0);
	expect_is(pl_address_connect(&address, pl_now_ns() + ANSWER_NS, &fd), 0);
	expect_is(pl_greet_hello_send(fd, &hello, pl_now_ns() + ANSWER_NS), 0);
	expect_is(pl_greet_reply_recv(fd, &reply, &fds, pl_now_ns() + ANSWER_NS), 0);
	expect_is(reply.status, PL_HELLO_OK);
	pl_greet_fds_close(&fds);
	return fd;
}

static void head_ends_session(struct pl_wire_head head)
{
	struct peer peer;
	int fd;

	peer_open(&peer, server.tcp_address);
	fd = lane_socket(&peer);
	assert(send(fd, &head, sizeof(head), MSG_NOSIGNAL) == sizeof(head));
	peer_expect_end(&peer);
	close(fd);
}

static void wrong_heads(void)
{
	head_ends_session((struct pl_wire_head){ .len_bytes = 0, .ticket = 1 });
	head_ends_session((struct pl_wire_head){ .len_bytes = 16, .ticket = 1 });
	head_ends_session((struct pl_wire_head){ .len_bytes = 28, .ticket = 1 });               /* unaligned */
	head_ends_session((struct pl_wire_head){ .len_bytes = UINT32_MAX & ~7u, .ticket = 1 }); /* huge */
	head_ends_session((struct pl_wire_head){ .len_bytes = PL_WIRE_RECORD_MAX + 8, .ticket = 1 });
	head_ends_session((struct pl_wire_head){ .len_bytes = 24, .ticket = 1, .bulk_bytes = UINT64_MAX });
	head_ends_session(
		(struct pl_wire_head){ .len_bytes = 24, .flags = PL_WIRE_BULK, .bulk_bytes = PL_WIRE_BULK_MAX });
}

/* 1 GiB is announced, little comes, and then nothing: what is held is what came. */
static void announced_only(void)
{
	struct pl_wire_head head = { .len_bytes = 24, .flags = PL_WIRE_BULK, .bulk_bytes = 1ull << 30 };
	static uint8_t some[1 << 20];
	struct pl_test_usage before;
	struct peer peer;
	int fd;

	peer_open(&peer, server.tcp_address);
	fd = lane_socket(&peer);
	assert(pl_test_usage_get((pid_t)peer.reply.worker_pid, &before));
	assert(send(fd, &head, sizeof(head), MSG_NOSIGNAL) == sizeof(head));
	assert(send(fd, some, sizeof(some), MSG_NOSIGNAL) == sizeof(some));
	expect_is(ASK(&peer, clGetPlatformIDs, 0), CL_SUCCESS); /* other lanes go on */
	assert(pl_test_usage_back((pid_t)peer.reply.worker_pid, &before, 16u << 20));
	witness_check();
	close(fd);
	expect_is(ASK(&peer, clGetPlatformIDs, 0), CL_SUCCESS);
	peer_close(&peer);
}

/* Half a message, then nothing, then the end. */
static void half_message(void)
{
	uint8_t half[40] = { 0 };
	struct pl_wire_head head = { .len_bytes = 64, .op = 1, .ticket = 1, .flags = PL_WIRE_ASK };
	struct peer peer;
	int fd;

	memcpy(half, &head, sizeof(head));
	for (size_t bytes = 1; bytes <= sizeof(half); bytes += 13) {
		peer_open(&peer, server.tcp_address);
		fd = lane_socket(&peer);
		assert(send(fd, half, bytes, MSG_NOSIGNAL) == (ssize_t)bytes);
		expect_is(ASK(&peer, clGetPlatformIDs, 0), CL_SUCCESS);
		close(fd);
		expect_is(ASK(&peer, clGetPlatformIDs, 0), CL_SUCCESS);
		peer_close(&peer);
	}
	/* And with its payload under way. */
	peer_open(&peer, server.tcp_address);
	fd = lane_socket(&peer);
	head = (struct pl_wire_head){ .len_bytes = 24, .flags = PL_WIRE_BULK, .bulk_bytes = 1000 };
	assert(send(fd, &head, sizeof(head), MSG_NOSIGNAL) == sizeof(head) && send(fd, half, 40, MSG_NOSIGNAL) == 40);
	witness_check();
	close(fd);
	expect_is(ASK(&peer, clGetPlatformIDs, 0), CL_SUCCESS);
	peer_close(&peer);
}

/* ---- order ---- */

static void ticket_twice(void)
{
	struct peer peer;

	for (int link = 0; link < 2; link++) {
		struct pl_wire_head head = { .op = PL_CL_OP_clGetPlatformIDs, .flags = PL_WIRE_ASK };

		peer_open(&peer, link_address(link));
		expect_is(ASK(&peer, clGetPlatformIDs, 0), CL_SUCCESS);
		head.ticket = peer.ticket;
		expect_is(record_send(peer.lane, head, NULL, 0), 0);
		peer_expect_end(&peer);
		peer_open(&peer, link_address(link));
		head.ticket = 0;
		expect_is(record_send(peer.lane, head, NULL, 0), 0);
		peer_expect_end(&peer);
	}
}

/* A call whose turn never comes: it waits, the others are not disturbed, and all ends with the client. */
static void ticket_gap(void)
{
	struct pl_wire_head head = { .op = PL_CL_OP_clGetPlatformIDs, .flags = PL_WIRE_ASK, .ticket = 1000 };
	const struct pl_wire_head *answer;
	struct peer peer;

	for (int link = 0; link < 2; link++) {
		struct pl_lane *other;

		peer_open(&peer, link_address(link));
		other = peer_lane(&peer);
		expect_is(record_send(other, head, NULL, 0), 0);
		expect_is(pl_lane_recv(other, 300000000u, &answer), PL_LANE_E_TIMEOUT);
		expect_is(ASK(&peer, clGetPlatformIDs, 0), CL_SUCCESS); /* its turn is now */
		witness_check();
		pl_lane_destroy(other);
		peer_close(&peer);
	}
}

/* ---- shared memory that lies ---- */

struct liar {
	struct peer peer;
	int fd;
	uint8_t *memory;
	_Atomic uint32_t *written, *taken, *back_written, *back_taken;
	_Atomic bool stop;
};

/* A lane whose memory is in our hands. */
static void liar_open(struct liar *liar)
{
	struct pl_hello hello;
	struct pl_hello_reply reply;
	struct pl_greet_fds fds = { 0 };
	struct pl_address address;
	_Atomic uint32_t *words;

	*liar = (struct liar){ 0 };
	peer_open(&liar->peer, server.unix_address);
	hello = peer_lane_hello(&liar->peer);
	expect_is(pl_address_parse(server.unix_address, &address), 0);
	expect_is(pl_address_connect(&address, pl_now_ns() + ANSWER_NS, &liar->fd), 0);
	expect_is(pl_greet_hello_send(liar->fd, &hello, pl_now_ns() + ANSWER_NS), 0);
	expect_is(pl_greet_reply_recv(liar->fd, &reply, &fds, pl_now_ns() + ANSWER_NS), 0);
	assert(!reply.status && fds.count == 1 && reply.lane_bytes == PL_SHM_RING_BYTES);
	liar->memory = mmap(NULL, HEAD_PAGE + 2 * PL_SHM_RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fds.at[0], 0);
	assert(liar->memory != MAP_FAILED);
	expect_is(ftruncate(fds.at[0], 0), -1); /* the server would die of it */
	pl_greet_fds_close(&fds);
	words = (_Atomic uint32_t *)(void *)liar->memory;
	liar->written = words;
	liar->taken = words + 16;
	liar->back_written = words + 32;
	liar->back_taken = words + 48;
}

static void liar_wake(struct liar *liar)
{
	pl_wake(liar->written + 17); /* who waits for data, and for room */
	pl_wake(liar->back_written + 1);
}

/* lane_ends: the server must have given the lane up; session_ends: and the session with it. */
static void liar_close(struct liar *liar, bool lane_ends, bool session_ends)
{
	struct pollfd end = { .fd = liar->fd, .events = POLLRDHUP };

	if (lane_ends)
		expect_is(poll(&end, 1, (int)(ANSWER_NS / 1000000)), 1);
	munmap(liar->memory, HEAD_PAGE + 2 * PL_SHM_RING_BYTES);
	close(liar->fd);
	if (session_ends)
		peer_expect_end(&liar->peer);
	else
		peer_close(&liar->peer);
}

static void index_lies(void)
{
	static const uint32_t lies[] = { PL_SHM_RING_BYTES + 8, 1u << 31, PL_SHM_RING_BYTES * 2 };
	struct liar liar;

	for (int i = 0; i < 3; i++) {
		liar_open(&liar);
		*liar.written = lies[i];
		liar_wake(&liar);
		liar_close(&liar, true, true);
	}
	for (int i = 0; i < 3; i++) { /* how much of the replies was taken */
		struct pl_wire_head head = {
			.len_bytes = 24, .op = PL_CL_OP_clGetPlatformIDs, .flags = PL_WIRE_ASK, .ticket = 1
		};

		liar_open(&liar);
		*liar.back_taken = lies[i];
		memcpy(liar.memory + HEAD_PAGE, &head, sizeof(head));
		*liar.written = 24;
		liar_wake(&liar);
		liar_close(&liar, true, false); /* the order has no gap: other lanes go on */
	}
}

/* A record that says more than was published. */
static void record_lies(void)
{
	struct pl_wire_head head = { .len_bytes = 4096, .op = 1, .flags = PL_WIRE_ASK, .ticket = 1 };
	struct liar liar;

	liar_open(&liar);
	memcpy(liar.memory + HEAD_PAGE, &head, sizeof(head));
	*liar.written = 24;
	liar_wake(&liar);
	liar_close(&liar, true, true);
}

static void *liar_run(void *arg)
{
	struct liar *liar = arg;
	unsigned seed = 1;

	while (!liar->stop) {
		uint32_t *words = (uint32_t *)(void *)(liar->memory + HEAD_PAGE);

		switch (rand_r(&seed) % 6) {
		case 0:
			*liar->written = (uint32_t)rand_r(&seed) % (2 * PL_SHM_RING_BYTES) & ~7u;
			break;
		case 1:
			*liar->back_taken = (uint32_t)rand_r(&seed) % PL_SHM_RING_BYTES;
			break;
		case 2:
			((_Atomic uint32_t *)(void *)liar->memory)[rand_r(&seed) % 64] = (uint32_t)rand_r(&seed);
			break;
		default: /* heads and bodies, all over the ring of calls and the one of replies */
			*(volatile uint32_t *)&words[(uint32_t)rand_r(&seed) % (2 * PL_SHM_RING_BYTES / 4)] =
				rand_r(&seed) % 3 ? (uint32_t)rand_r(&seed) % 256 & ~7u : (uint32_t)rand_r(&seed);
		}
		liar_wake(liar);
	}
	return NULL;
}

/* Indices, heads and bodies that change while they are read. */
static void memory_changes(void)
{
	for (int round = 0; round < 6; round++) {
		struct liar liar;
		pthread_t threads[2];

		liar_open(&liar);
		for (uint32_t i = 0; i < 4096; i++) { /* records that look like some, everywhere */
			struct pl_wire_head head = {
				.len_bytes = 64, .op = (uint16_t)(i % 160), .flags = i & 1, .ticket = 1 + i
			};

			memcpy(liar.memory + HEAD_PAGE + i * 64, &head, sizeof(head));
		}
		for (int i = 0; i < 2; i++)
			assert(!pthread_create(&threads[i], NULL, liar_run, &liar));
		usleep(LIAR_MS * 1000 / 6);
		witness_check();
		liar.stop = true;
		for (int i = 0; i < 2; i++)
			pthread_join(threads[i], NULL);
		liar_close(&liar, false, false); /* it may live or have ended: its worker is gone afterwards */
	}
}

const struct hostile_case cases_record[] = {
	{ "an unknown function is refused", unknown_op, false },
	{ "arguments of the wrong length are refused", wrong_body, false },
	{ "a head that is none ends the session", wrong_heads, false },
	{ "memory for a payload grows with what comes", announced_only, false },
	{ "half a message waits, and ends with its lane", half_message, false },
	{ "a ticket used twice ends the session", ticket_twice, false },
	{ "a ticket that is missing stops nobody else", ticket_gap, false },
	{ "indices that lie end the lane", index_lies, false },
	{ "a record longer than what was published ends the session", record_lies, false },
	{ "memory that changes under the reader harms nobody else", memory_changes, false },
	{ 0 },
};
