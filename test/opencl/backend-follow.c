/* Posts whose payload follows them: the order of the session stands, and nobody waits but who must. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend-cases.h"
#include "wire/opencl.h"

#define BYTES (9u << 20)

static uint8_t data[BYTES], seen[BYTES];

static void fill(uint32_t seed)
{
	for (uint64_t i = 0; i < BYTES; i++)
		data[i] = (uint8_t)((i * 2654435761u + seed) >> 11);
}

/* Promises all of it and sends the first bytes. */
static void write_begin(struct peer_lane *by, uint64_t queue, uint64_t event, struct pl_u64s waits, uint64_t bytes)
{
	struct pl_cl_clEnqueueWriteBuffer_args args = {
		.queue = queue,
		.mem = BIG,
		.has_ptr = 1,
		.size = BYTES,
		.event = event,
		.waits = waits,
		.data = { .kind = PL_BULK_AFTER, .bytes = BYTES },
	};

	peer_begin(by);
	pl_cl_clEnqueueWriteBuffer_put(&by->enc, &args);
	peer_promise(by, PL_CL_OP_clEnqueueWriteBuffer, BYTES, data, bytes);
}

static void seen_check(uint64_t queue)
{
	memset(seen, 0, BYTES);
	read_back(queue, BIG, 0, seen, BYTES);
	CHECK(!memcmp(data, seen, BYTES));
}

void test_posted_write_takes_what_follows(uint64_t queue)
{
	uint64_t event = next_event++;
	struct peer_answer answer;

	for (uint32_t round = 0; round < 3; round++) {
		fill(round);
		write_begin(&lane, queue, round ? 0 : event, IDS(), BYTES);
		if (!round) {
			struct pl_cl_clWaitForEvents_args wait = { { &event, 1 } };

			peer_begin(&lane);
			pl_cl_clWaitForEvents_put(&lane.enc, &wait);
			peer_send(&lane, PL_CL_OP_clWaitForEvents, PL_WIRE_ASK, NULL, 0);
			answer = peer_recv(&lane);
			CHECK_STATUS(answer, CL_SUCCESS);
		}
		if (round < 2)
			seen_check(queue);
	}
	fill(77); /* two in a row: the later one stays */
	write_begin(&lane, queue, 0, IDS(), BYTES);
	seen_check(queue);
	PEER_POST(&lane, plRelease, PL_CL_KIND_event, event);
	/* What does not fit: the payload is dropped, the error comes late. */
	struct pl_cl_clEnqueueWriteBuffer_args args = { .queue = queue,
							.mem = BIG,
							.has_ptr = 1,
							.offset = 1,
							.size = BYTES,
							.data = { .kind = PL_BULK_AFTER, .bytes = BYTES } };
	peer_begin(&lane);
	pl_cl_clEnqueueWriteBuffer_put(&lane.enc, &args);
	peer_promise(&lane, PL_CL_OP_clEnqueueWriteBuffer, BYTES, seen, BYTES);
	answer = PEER_ASK(&lane, clFinish, queue);
	CHECK_STATUS(answer, CL_INVALID_VALUE);
	seen_check(queue);
}

static void *rest_send(void *arg)
{
	usleep(50000);
	CHECK(!pl_lane_send_bulk(lane.client, data + (uintptr_t)arg, BYTES - (uintptr_t)arg));
	return NULL;
}

void test_other_lanes_see_the_order_of_the_calls(void)
{
	static struct peer_lane other;
	struct peer_answer answer;
	pthread_t thread;

	peer_lane_open(&peer, &other);
	fill(3);
	write_begin(&lane, QUEUE2, 0, IDS(), 1000);
	/* Its ticket is taken: what another lane asks for comes after it, and does not wait where it need not. */
	answer = PEER_ASK(&other, clGetPlatformIDs, 0);
	CHECK_STATUS(answer, CL_SUCCESS);
	CHECK(!pthread_create(&thread, NULL, rest_send, (void *)1000));
	answer = PEER_ASK(&other, clEnqueueReadBuffer, .queue = QUEUE2, .mem = BIG, .blocking = 1, .has_ptr = 1,
			  .size = BYTES, .stage = NONE);
	CHECK_STATUS(answer, CL_SUCCESS);
	peer_bulk(&other, seen, BYTES);
	CHECK(!memcmp(data, seen, BYTES));
	pthread_join(thread, NULL);
	peer_lane_close(&other);
}

/* The same lane lets the command go only behind the payload: whoever waited for the command first would wait for ever.
 */
void test_payload_of_a_command_that_waits_is_taken(void)
{
	uint64_t user = next_event++;
	struct peer_answer answer;

	fill(4);
	PEER_POST(&lane, clCreateUserEvent, CTX, user);
	write_begin(&lane, QUEUE2, 0, IDS(user), BYTES);
	fill(5);
	write_begin(&lane, QUEUE2, 0, IDS(), BYTES); /* in order: it waits, too */
	PEER_POST(&lane, clSetUserEventStatus, user, CL_COMPLETE);
	answer = PEER_ASK(&lane, clFinish, QUEUE2);
	CHECK_STATUS(answer, CL_SUCCESS);
	seen_check(QUEUE2);
	PEER_POST(&lane, plRelease, PL_CL_KIND_event, user);
}

void test_unmap_takes_what_follows(void)
{
	uint64_t done = next_event++;
	struct peer_answer answer;

	for (uint64_t event = 0; event <= done; event += done) {
		answer = PEER_ASK(&lane, clEnqueueMapBuffer, .queue = QUEUE2, .mem = BIG, .blocking = 1,
				  .map_flags = CL_MAP_WRITE_INVALIDATE_REGION, .size = BYTES, .map = 31, .stage = NONE);
		CHECK_STATUS(answer, CL_SUCCESS);
		CHECK(!answer.bulk_bytes);
		fill(6 + !event);
		struct pl_cl_clEnqueueUnmapMemObject_args args = { .queue = QUEUE2,
								   .mem = BIG,
								   .map = 31,
								   .event = event,
								   .data = { .kind = PL_BULK_AFTER, .bytes = BYTES } };
		peer_begin(&lane);
		pl_cl_clEnqueueUnmapMemObject_put(&lane.enc, &args);
		peer_promise(&lane, PL_CL_OP_clEnqueueUnmapMemObject, BYTES, data, BYTES);
		seen_check(QUEUE2);
		answer = PEER_ASK(&lane, clEnqueueUnmapMemObject, .queue = QUEUE2, .mem = BIG, .map = 31);
		CHECK_STATUS(answer, CL_INVALID_VALUE);
	}
	PEER_POST(&lane, plRelease, PL_CL_KIND_event, done);
}

static struct peer_answer idle_read(uint64_t offset, uint64_t size, uint64_t event)
{
	return PEER_ASK(&lane, clEnqueueReadBuffer, .queue = QUEUE2, .mem = BIG, .blocking = PL_CL_BLOCKING_IDLE,
			.has_ptr = 1, .offset = offset, .size = size, .stage = NONE, .event = event);
}

/* The client says that nothing is under way. */
void test_storage_of_an_idle_queue(void)
{
	struct pl_cl_clEnqueueWriteBuffer_args args = { .queue = QUEUE2,
							.mem = BIG,
							.has_ptr = 1,
							.size = BYTES,
							.blocking = PL_CL_BLOCKING_IDLE,
							.data = { .kind = PL_BULK_AFTER, .bytes = BYTES } };
	struct pl_cl_clEnqueueReadBuffer_reply reply;
	uint64_t event = next_event++;
	struct peer_answer answer;

	fill(9);
	for (args.offset = 0; args.offset < 2; args.offset++) { /* the second passes the end */
		peer_begin(&lane);
		pl_cl_clEnqueueWriteBuffer_put(&lane.enc, &args);
		peer_send(&lane, PL_CL_OP_clEnqueueWriteBuffer, PL_WIRE_ASK, args.offset ? seen : data, BYTES);
		answer = peer_recv(&lane);
		CHECK_STATUS(answer, args.offset ? CL_INVALID_VALUE : CL_SUCCESS);
	}
	seen_check(QUEUE2);
	answer = idle_read(100, 1000, 0);
	CHECK_STATUS(answer, CL_SUCCESS);
	pl_cl_clEnqueueReadBuffer_reply_get(&answer.dec, &reply);
	CHECK(reply.data.bytes == 1000 && !memcmp(reply.data.data, data + 100, 1000));
	answer = idle_read(3, BYTES - 3, 0);
	CHECK_STATUS(answer, CL_SUCCESS);
	peer_bulk(&lane, seen, BYTES - 3);
	CHECK(!memcmp(seen, data + 3, BYTES - 3));
	answer = idle_read(BYTES - 999, 1000, 0);
	CHECK_STATUS(answer, CL_INVALID_VALUE);
	answer = idle_read(0, 1000, event); /* an event is made all the same */
	CHECK_STATUS(answer, CL_SUCCESS);
	PEER_POST(&lane, plRelease, PL_CL_KIND_event, event);
	answer = PEER_ASK(&lane, clFinish, QUEUE2);
	CHECK_STATUS(answer, CL_SUCCESS);
}

/* The thread is gone with half of its payload sent: its command fails, and whoever waits for the queue is told. */
void test_payload_that_never_comes_stops_nobody_else(void)
{
	static struct peer_lane other;
	uint64_t queue = 700, event = next_event++;
	struct pl_cl_clWaitForEvents_args wait = { { &event, 1 } };
	struct peer_answer answer;

	PEER_POST(&lane, clCreateCommandQueue, CTX, device, 0, queue);
	answer = PEER_ASK(&lane, clFinish, queue);
	CHECK_STATUS(answer, CL_SUCCESS);
	peer_lane_open(&peer, &other);
	write_begin(&other, queue, event, IDS(), BYTES / 2);
	answer = PEER_ASK(&lane, clFinish, QUEUE2);
	CHECK_STATUS(answer, CL_SUCCESS);
	peer_lane_close(&other);
	CHECK(other.ended == -EPIPE);
	peer_begin(&lane);
	pl_cl_clWaitForEvents_put(&lane.enc, &wait);
	peer_send(&lane, PL_CL_OP_clWaitForEvents, PL_WIRE_ASK, NULL, 0);
	answer = peer_recv(&lane);
	CHECK(answer.status < 0);
	PEER_POST(&lane, plRelease, PL_CL_KIND_event, event);
	PEER_POST(&lane, plRelease, PL_CL_KIND_queue, queue);
	peer_pushed_wait(&peer, PL_CL_OP_plQueueIdle);
}
