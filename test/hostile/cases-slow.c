/* Clients that do not take what is sent to them. */
#include "hostile.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/leak.h"

#define FIRST_ID    1000u
#define LARGE_BYTES (24u << 20)
#define ASKS_SHM    9000 /* fills the ring of replies and most of the ring of calls */
#define WATCHES     30000

static struct peer peer;

static void usage_bounded(const struct pl_test_usage *before, unsigned lanes)
{
	struct pl_test_usage allowed = *before;

	allowed.fds += lanes;
	assert(pl_test_usage_back((pid_t)peer.reply.worker_pid, &allowed, WORKER_SLACK));
}

/* The payload of a reply stays where it is: its lane waits, the others do not. */
static void payload_not_taken(void)
{
	for (int link = 0; link < 2; link++) {
		struct pl_test_usage before;
		struct pl_lane *first;

		peer_open(&peer, link ? server.tcp_address : server.unix_address);
		world_make(&peer);
		expect_is(ASK(&peer, clCreateBuffer, .context = CONTEXT, .flags = CL_MEM_READ_WRITE,
			      .size = LARGE_BYTES, .store = UINT64_MAX, .data = NO_BULK, .mem = FIRST_ID),
			  CL_SUCCESS);
		expect_is(ASK(&peer, clFinish, .queue = QUEUE), CL_SUCCESS);
		assert(pl_test_usage_get((pid_t)peer.reply.worker_pid, &before));
		expect_is(ASK(&peer, clEnqueueReadBuffer, .queue = QUEUE, .mem = FIRST_ID, .blocking = 1, .has_ptr = 1,
			      .size = LARGE_BYTES, .stage = UINT64_MAX),
			  CL_SUCCESS);
		expect_is(peer.head->bulk_bytes, LARGE_BYTES);
		first = peer.lane;
		peer.lane = peer_lane(&peer);
		expect_is(ASK(&peer, clGetPlatformIDs, 0), CL_SUCCESS);
		before.memory_bytes += LARGE_BYTES; /* the buffer itself is touched now */
		usage_bounded(&before, 1);
		witness_check();
		pl_lane_destroy(first);
		peer_close(&peer);
	}
}

static void replies_not_read_shm(void)
{
	struct pl_wire_head head = { .op = PL_CL_OP_clGetPlatformIDs, .flags = PL_WIRE_ASK };
	struct pl_test_usage before;

	peer_open(&peer, server.unix_address);
	assert(pl_test_usage_get((pid_t)peer.reply.worker_pid, &before));
	for (uint64_t i = 1; i <= ASKS_SHM; i++) {
		head.ticket = i;
		expect_is(record_send(peer.lane, head, NULL, 0), 0);
	}
	witness_check();
	usage_bounded(&before, 0);
	peer_close(&peer);
}

/* Over tcp: until the socket takes no more for a while. */
static void replies_not_read_tcp(void)
{
	struct pl_wire_head head = { .len_bytes = 24, .op = PL_CL_OP_clGetPlatformIDs, .flags = PL_WIRE_ASK };
	struct pl_test_usage before;
	uint64_t sent = 0;

	peer_open(&peer, server.tcp_address);
	assert(pl_test_usage_get((pid_t)peer.reply.worker_pid, &before));
	for (size_t part = 0;;) { /* a record may leave in two parts */
		struct pollfd room = { .fd = peer.lane->fd, .events = POLLOUT };
		ssize_t n;

		if (poll(&room, 1, 1000) != 1)
			break;
		head.ticket = sent + 1;
		n = send(peer.lane->fd, (char *)&head + part, sizeof(head) - part, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n <= 0)
			continue;
		part = (part + (size_t)n) % sizeof(head);
		sent += !part;
		assert(sent < 100u << 20);
	}
	witness_check();
	usage_bounded(&before, 0);
	peer_close(&peer);
}

/* Events are watched, and what is said of them is not read: the limit on objects ends it. */
static void pushes_not_read(void)
{
	struct pl_test_usage before;
	int32_t status = CL_SUCCESS;

	peer_open(&peer, server.unix_address);
	world_make(&peer);
	expect_is(ASK(&peer, clCreateUserEvent, .context = CONTEXT, .event = FIRST_ID), CL_SUCCESS);
	expect_is(ASK(&peer, clSetUserEventStatus, .event = FIRST_ID, .execution_status = 0), CL_SUCCESS);
	assert(pl_test_usage_get((pid_t)peer.reply.worker_pid, &before));
	for (int i = 0; i < WATCHES && !status; i++)
		status = ASK(&peer, plEventCallback, .event = FIRST_ID, .type = CL_COMPLETE, .token = 1);
	expect_is(status, CL_OUT_OF_RESOURCES);
	witness_check();
	usage_bounded(&before, 0);
	peer_close(&peer);
}

const struct hostile_case cases_slow[] = {
	{ "a payload that is not taken stops its lane only", payload_not_taken, true },
	{ "replies that are not read stop their lane only (shm)", replies_not_read_shm, false },
	{ "replies that are not read stop their lane only (tcp)", replies_not_read_tcp, false },
	{ "pushes that are not read are limited", pushes_not_read, true },
	{ 0 },
};
