/* What one session may make the server hold. */
#include "hostile.h"

#include <stdlib.h>
#include <unistd.h>

#include "lib/leak.h"

#define FIRST_ID 1000u

static struct peer peer;

static int32_t buffer_make(uint64_t id, uint64_t size)
{
	return ASK(&peer, clCreateBuffer, .context = CONTEXT, .flags = CL_MEM_READ_WRITE, .size = size,
		   .store = UINT64_MAX, .data = NO_BULK, .mem = id);
}

static int32_t release(enum pl_cl_object_kind kind, uint64_t id)
{
	return ASK(&peer, plRelease, .kind = kind, .id = id);
}

static void objects(void)
{
	unsigned made = 0;
	int32_t status;

	peer_open(&peer, server.unix_address);
	world_make(&peer);
	while (!(status = buffer_make(FIRST_ID + made, 64)))
		assert(++made < OBJECTS_LIMIT);
	assert(made > OBJECTS_LIMIT / 2);
	expect_is(status, CL_OUT_OF_RESOURCES);
	expect_is(release(PL_CL_KIND_mem, FIRST_ID), CL_SUCCESS);
	expect_is(buffer_make(FIRST_ID, 64), CL_SUCCESS);
	world_check(&peer, 1);
	peer_close(&peer);
}

static void memory(void)
{
	unsigned made = 0;
	int32_t status;

	peer_open(&peer, server.unix_address);
	world_make(&peer);
	while (!(status = buffer_make(FIRST_ID + made, 8u << 20)))
		assert(++made <= MEMORY_LIMIT >> 23);
	assert(made >= (MEMORY_LIMIT >> 23) - 1);
	expect_is(status, CL_MEM_OBJECT_ALLOCATION_FAILURE);
	for (unsigned i = 0; i < made; i++)
		expect_is(release(PL_CL_KIND_mem, FIRST_ID + i), CL_SUCCESS);
	expect_is(ASK(&peer, clFinish, .queue = QUEUE), CL_SUCCESS);
	for (int i = 0; (status = buffer_make(FIRST_ID, 48u << 20)) && i < 100; i++)
		usleep(20000); /* the driver lets go of them when it likes */
	expect_is(status, CL_SUCCESS);
	assert(buffer_make(FIRST_ID + 1, UINT64_MAX)); /* what was charged does not wrap */
	assert(buffer_make(FIRST_ID + 1, UINT64_MAX - (48ull << 20)));
	peer_close(&peer);
}

/* A source of 64 MiB is one that the limit allows; two are not. */
static void large_source(void)
{
	static const uint64_t bytes = 64ull << 20;
	struct pl_cl_clCreateProgramWithSource_args args = { .context = CONTEXT,
							     .source = { .kind = PL_BULK_AFTER, .bytes = bytes } };
	_Alignas(8) uint8_t body[256];
	char *text = malloc(bytes);
	struct pl_enc enc;

	assert(text);
	memset(text, ' ', bytes);
	for (int link = 0; link < 2; link++) {
		peer_open(&peer, link ? server.tcp_address : server.unix_address);
		world_make(&peer);
		for (uint64_t id = FIRST_ID; id < FIRST_ID + 2; id++) {
			args.program = id;
			enc.at = body;
			pl_cl_clCreateProgramWithSource_put(&enc, &args);
			ask_with_bulk(&peer, PL_CL_OP_clCreateProgramWithSource, body,
				      (uint32_t)pl_cl_clCreateProgramWithSource_bytes(&args), text, bytes);
			expect_is(peer.body.status, id == FIRST_ID ? CL_SUCCESS : CL_OUT_OF_RESOURCES);
		}
		expect_is(release(PL_CL_KIND_program, FIRST_ID), CL_SUCCESS);
		args.program = FIRST_ID;
		enc.at = body;
		pl_cl_clCreateProgramWithSource_put(&enc, &args);
		ask_with_bulk(&peer, PL_CL_OP_clCreateProgramWithSource, body,
			      (uint32_t)pl_cl_clCreateProgramWithSource_bytes(&args), text, bytes);
		expect_is(peer.body.status, CL_SUCCESS);
		args.source.bytes = 1ull << 39; /* said, but nothing comes: refused before */
		enc.at = body;
		pl_cl_clCreateProgramWithSource_put(&enc, &args);
		ask_raw(&peer, PL_CL_OP_clCreateProgramWithSource, body,
			(uint32_t)pl_cl_clCreateProgramWithSource_bytes(&args));
		assert(peer.body.status);
		args.source.bytes = bytes;
		peer_close(&peer);
	}
	free(text);
}

/* Reads that wait for an event that nobody sets hold their memory. */
static void in_flight(void)
{
	static const uint64_t user = FIRST_ID, size = 24u << 20;
	unsigned made = 0;
	int32_t status = CL_SUCCESS;

	peer_open(&peer, server.unix_address);
	world_make(&peer);
	expect_is(buffer_make(FIRST_ID + 1, size), CL_SUCCESS);
	expect_is(ASK(&peer, clCreateUserEvent, .context = CONTEXT, .event = user), CL_SUCCESS);
	while (!status) {
		status = ASK(&peer, clEnqueueReadBuffer, .queue = QUEUE, .mem = FIRST_ID + 1, .has_ptr = 1,
			     .size = size, .stage = UINT64_MAX, .token = 1 + made, .waits = { &user, 1 });
		assert(status || ++made <= INFLIGHT_LIMIT / size);
	}
	expect_is(status, CL_OUT_OF_RESOURCES);
	expect_is(made, INFLIGHT_LIMIT / size);
	peer_close(&peer);
}

/* What is sent ahead of a call that never comes: 384 MiB of it.  A buffer that grows may be there twice. */
static void sent_ahead(void)
{
	struct pl_wire_head head = { .flags = PL_WIRE_BULK, .bulk_bytes = 128u << 20 };
	struct pl_test_usage before;
	uint8_t *data = calloc(1, head.bulk_bytes);
	struct pl_lane *lanes[3] = { NULL };

	assert(data);
	peer_open(&peer, server.unix_address);
	assert(pl_test_usage_get((pid_t)peer.reply.worker_pid, &before));
	before.fds += 3;
	for (int i = 0; i < 3; i++) {
		lanes[i] = peer_lane(&peer);
		expect_is(record_send(lanes[i], head, NULL, 0), 0);
		if (pl_lane_send_bulk(lanes[i], data, head.bulk_bytes))
			break; /* the session may end of it, too */
	}
	assert(pl_test_usage_back((pid_t)peer.reply.worker_pid, &before, 2 * INFLIGHT_LIMIT + WORKER_SLACK) ||
	       pl_test_process_gone((pid_t)peer.reply.worker_pid));
	for (int i = 0; i < 3; i++)
		pl_lane_destroy(lanes[i]);
	peer_close(&peer);
	free(data);
}

static void lanes(void)
{
	struct pl_lane *more[LANES_LIMIT];
	struct pl_link_opened opened;
	struct pl_hello hello;

	peer_open(&peer, server.unix_address);
	for (unsigned i = 0; i + 1 < LANES_LIMIT; i++)
		more[i] = peer_lane(&peer);
	hello = peer_lane_hello(&peer);
	expect_is(pl_link_dial(server.unix_address, &hello, ANSWER_NS, &opened), PL_HELLO_E_BUSY);
	expect_is(ASK(&peer, clGetPlatformIDs, 0), CL_SUCCESS);
	for (unsigned i = 0; i + 1 < LANES_LIMIT; i++)
		pl_lane_destroy(more[i]);
	peer_close(&peer);
}

static void sessions(void)
{
	struct peer many[SESSIONS_LIMIT + 1];
	unsigned made = 0;
	int r = 0;

	while (made <= SESSIONS_LIMIT && !(r = peer_try(&many[made], server.unix_address)))
		made++;
	expect_is(r, PL_HELLO_E_BUSY);
	assert(made >= SESSIONS_LIMIT - 4); /* the witness, and who has just ended */
	for (unsigned i = 0; i < made; i++)
		peer_close(&many[i]);
}

const struct hostile_case cases_limit[] = {
	{ "the limit on objects holds, and what is released counts no more", objects, true },
	{ "the limit on device memory holds", memory, true },
	{ "a source of 64 MiB is taken, a second is not", large_source, true },
	{ "transfers in flight are limited", in_flight, true },
	{ "what is sent ahead of its call is limited", sent_ahead, false },
	{ "the limit on lanes holds", lanes, false },
	{ "the limit on sessions holds", sessions, false },
	{ 0 },
};
