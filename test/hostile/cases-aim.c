/* CUDA: calls that aim at the worker's own memory. */
#include <stdlib.h>
#include <time.h>

#include "calls-cuda.h"
#include "cuda/graph.h"
#include "cuda/image.h"
#include "cuda/memory.h"
#include "cuda/module.h"
#include "cuda/result.h"
#include "wire/cuda-node.h"
#include "wire/cuda.h"

#define MODULE 0x5000100000010ull
#define ANY    UINT64_MAX /* no place in shared memory */

static struct peer peer;

enum { CTX = 0x900, STREAM };

static void cuda_open(void)
{
	peer_open_cuda(&peer, server.unix_address);
	expect_is(CU(cuDevicePrimaryCtxRetain, .device = 1, .context = CTX), CUDA_SUCCESS);
	expect_is(CU(plCurrent, .context = CTX), CUDA_SUCCESS);
	expect_is(CU(cuStreamCreate, .stream = STREAM), CUDA_SUCCESS);
}

static uint64_t alloc(uint64_t bytes)
{
	struct pl_cuda_cuMemAlloc_v2_reply got = { 0 };

	expect_is(CU(cuMemAlloc_v2, .bytes = bytes), CUDA_SUCCESS);
	pl_cuda_cuMemAlloc_v2_reply_get(&peer.dec, &got);
	assert(pl_dec_whole(&peer.dec) && got.address);
	return got.address;
}

/* ---- copies of lines ---- */

static int32_t shape_status(uint16_t op, struct pl_cuda_copy3d_record copy)
{
	struct pl_cuda_cuMemcpy3DPeerAsync_args args = { .copy = copy, .wait = 1, .store = ANY, .data = NO_BULK };
	_Alignas(8) uint8_t body[CALL_MAX] = { 0 };
	struct pl_enc enc = { body };

	pl_cuda_cuMemcpy3DPeerAsync_put(&enc, &args);
	ask_raw(&peer, op, body, (uint32_t)pl_cuda_cuMemcpy3DPeerAsync_bytes(&args));
	return peer.body.status;
}

/* A copy of lines has no slices and no depth: what is checked with them is not what is copied. */
static void lines_that_have_slices(void)
{
	static const uint16_t ops[] = { PL_CUDA_OP_cuMemcpy2D_v2, PL_CUDA_OP_cuMemcpy2DUnaligned_v2,
					PL_CUDA_OP_cuMemcpy2DAsync_v2 };
	struct pl_cuda_copy3d_record good, bad;
	uint64_t device, worker;

	cuda_open();
	device = alloc(65536);
	worker = peer.reply.arena_base;
	good = (struct pl_cuda_copy3d_record){ .from_type = CU_MEMORYTYPE_DEVICE,
					       .from_address = device,
					       .to_type = CU_MEMORYTYPE_DEVICE,
					       .to_address = device + 32768,
					       .width = 4096,
					       .height = 1,
					       .depth = 1 };
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		expect_is(shape_status(ops[i], good), CUDA_SUCCESS);
		bad = good, bad.from_address = worker, bad.depth = 0; /* of nothing, as it is told */
		expect_is(shape_status(ops[i], bad), CUDA_ERROR_INVALID_VALUE);
		bad = good, bad.to_address = worker, bad.depth = 0;
		expect_is(shape_status(ops[i], bad), CUDA_ERROR_INVALID_VALUE);
		bad = good, bad.from_address = 0x10000; /* the second slice is the device's */
		bad.from_z = 1, bad.from_pitch = device - 0x10000, bad.from_height = 1;
		expect_is(shape_status(ops[i], bad), CUDA_ERROR_INVALID_VALUE);
		bad = good, bad.to_address = 0x10000;
		bad.to_z = 1, bad.to_pitch = device - 0x10000, bad.to_height = 1;
		expect_is(shape_status(ops[i], bad), CUDA_ERROR_INVALID_VALUE);
		bad = good, bad.to_type = CU_MEMORYTYPE_HOST, bad.to_address = 0;
		bad.depth = 0; /* room for nothing */
		expect_is(shape_status(ops[i], bad), CUDA_ERROR_INVALID_VALUE);
		bad.width = 64, bad.depth = 1000; /* room for more than is filled */
		expect_is(shape_status(ops[i], bad), CUDA_ERROR_INVALID_VALUE);
		bad = good, bad.to_level = 1;
		expect_is(shape_status(ops[i], bad), CUDA_ERROR_INVALID_VALUE);
	}
	bad = good, bad.height = 0;
	expect_is(shape_status(PL_CUDA_OP_cuMemcpy3D_v2, bad), CUDA_ERROR_INVALID_VALUE);
	bad = good, bad.from_address = worker, bad.depth = 0;
	expect_is(shape_status(PL_CUDA_OP_cuMemcpy3DPeer, bad), CUDA_ERROR_INVALID_VALUE);
	expect_is(shape_status(PL_CUDA_OP_cuMemcpy3D_v2, good), CUDA_SUCCESS);
	peer_close(&peer);
}

/* ---- logs ---- */

/* The log's room is for each size that the options say, be it the first or the last that counts. */
static void logs_of_two_sizes(void)
{
	static const uint32_t options[] = { CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES, CU_JIT_ERROR_LOG_BUFFER,
					    CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES };
	static const uint64_t values[] = { 1, 0, 32768 };
	static const char start[] = ".version 7.0\n.target sm_70\n.address_size 64\n.visible .entry k()\n{\n",
			  wrong[] = "	no_instruction_has_so_long_a_name.with_such_an_ending.u32 %r1, %r2;\n";
	struct pl_cuda_cuModuleLoadDataEx_reply got;
	char text[4096];
	size_t at = sizeof(start) - 1, bytes;
	void *packed;

	memcpy(text, start, at);
	for (int i = 0; i < 16; i++, at += sizeof(wrong) - 1)
		memcpy(text + at, wrong, sizeof(wrong) - 1);
	memcpy(text + at, "}\n", 3);
	assert(!pl_cuda_image_pack(text, &packed, &bytes));
	cuda_open();
	expect_is(CU(cuModuleLoadDataEx, .image_hash = 1, .image_bytes = bytes, .module = MODULE,
		     .options = { options, 3 }, .values = { values, 3 },
		     .image = { .kind = PL_BULK_INLINE, .data = packed, .bytes = bytes }),
		  CUDA_SUCCESS);
	pl_cuda_cuModuleLoadDataEx_reply_get(&peer.dec, &got);
	assert(pl_dec_whole(&peer.dec) && !got.image_wanted && got.result);
	assert(got.error_log.bytes > 1000);
	peer_close(&peer);
	free(packed);
}

/* ---- bytes that come late ---- */

#define LATE_BYTES (1u << 20)

/* A write outside the session's order, on a lane of its own.  All but the end of its bytes is sent, which is more than
 * a lane has room for: the worker has begun with it. */
static struct pl_lane *write_begin(uint16_t op, uint64_t start, const void *data, uint64_t bytes)
{
	struct pl_lane *lane = peer_lane(&peer);
	struct pl_cuda_plManagedWrite_args args = { .start = start,
						    .address = start,
						    .data = { .kind = PL_BULK_AFTER, .bytes = bytes } };
	struct pl_wire_head head = { .op = op, .flags = PL_WIRE_FREE, .bulk_bytes = bytes };
	_Alignas(8) uint8_t body[64];
	struct pl_enc enc = { body };

	pl_cuda_plManagedWrite_put(&enc, &args);
	expect_is(record_send(lane, head, body, (uint32_t)pl_cuda_plManagedWrite_bytes(&args)), 0);
	expect_is(pl_lane_send_bulk(lane, data, bytes - 64), 0);
	return lane;
}

/* When it returns the worker has taken it. */
static void write_end(struct pl_lane *lane, const void *data)
{
	struct pl_lane *own = peer.lane;

	expect_is(pl_lane_send_bulk(lane, data, 64), 0);
	peer.lane = lane;
	expect_is(CU(plCurrent, .context = CTX), CUDA_SUCCESS);
	peer.lane = own;
	pl_lane_destroy(lane);
}

static bool is_zero(const uint8_t *data, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (data[i])
			return false;
	return true;
}

/* Where the bytes were to go is no more by then, or is somebody else's. */
static void bytes_that_come_late(void)
{
	static const uint16_t ops[] = { PL_CUDA_OP_plManagedWrite, PL_CUDA_OP_plManagedMerge };
	static const uint64_t whole[] = { LATE_BYTES, LATE_BYTES / 4608 * 4608 };
	const uint64_t at = 0x5a5a00000000ull;
	uint8_t *data = malloc(LATE_BYTES);
	struct pl_cuda_plManagedAlloc_reply got = { 0 };
	struct pl_lane *lane;

	assert(data);
	memset(data, 0xff, LATE_BYTES);
	cuda_open();
	for (int i = 0; i < 2; i++) {
		expect_is(CU(plHostPlace, .address = at, .size = LATE_BYTES), CUDA_SUCCESS);
		lane = write_begin(ops[i], at, data, whole[i]);
		expect_is(CU(cuMemFreeHost, .host = at), CUDA_SUCCESS);
		write_end(lane, data);
		expect_is(CU(plHostPlace, .address = at, .size = LATE_BYTES), CUDA_SUCCESS);
		expect_is(CU(plManagedRead, .start = at, .address = at, .size = LATE_BYTES), CUDA_SUCCESS);
		expect_is(pl_lane_recv_bulk(peer.lane, data, LATE_BYTES), 0);
		assert(is_zero(data, LATE_BYTES));
		memset(data, 0xff, LATE_BYTES);
		expect_is(CU(cuMemFreeHost, .host = at), CUDA_SUCCESS);
	}
	expect_is(CU(plManagedAlloc, .size = LATE_BYTES, .flags = 1), CUDA_SUCCESS);
	pl_cuda_plManagedAlloc_reply_get(&peer.dec, &got);
	lane = write_begin(PL_CUDA_OP_plManagedWrite, got.start, data, LATE_BYTES);
	expect_is(CU(cuMemFree_v2, .address = got.address), CUDA_SUCCESS);
	write_end(lane, data);
	/* A free that fails has taken no right away. */
	expect_is(CU(plManagedAlloc, .size = LATE_BYTES, .flags = 1), CUDA_SUCCESS);
	pl_cuda_plManagedAlloc_reply_get(&peer.dec, &got);
	expect_is(CU(cuMemFreeAsync, .address = got.address, .stream = 4711), CUDA_ERROR_INVALID_HANDLE);
	lane = write_begin(PL_CUDA_OP_plManagedWrite, got.start, data, LATE_BYTES);
	write_end(lane, data);
	expect_is(CU(plManagedRead, .start = got.start, .address = got.start, .size = LATE_BYTES), CUDA_SUCCESS);
	memset(data, 0, LATE_BYTES);
	expect_is(pl_lane_recv_bulk(peer.lane, data, LATE_BYTES), 0);
	assert(data[0] == 0xff && data[LATE_BYTES - 1] == 0xff);
	peer_close(&peer);
	free(data);
}

/* ---- contexts that end ---- */

static void free_send(uint16_t op, const void *body, uint64_t bytes)
{
	const struct pl_wire_head head = { .op = op, .flags = PL_WIRE_FREE };

	expect_is(record_send(peer.lane, head, body, (uint32_t)bytes), 0);
}

static void host_bytes(uint64_t token, const void *data, uint64_t bytes)
{
	const struct pl_cuda_plHostBytes_args args = { .token = token, .data = { data, bytes } };
	_Alignas(8) uint8_t body[CALL_MAX];
	struct pl_enc enc = { body };

	pl_cuda_plHostBytes_put(&enc, &args);
	free_send(PL_CUDA_OP_plHostBytes, body, pl_cuda_plHostBytes_bytes(&args));
}

/* The worker calls a function of the client's. */
static void function_await(uint64_t token)
{
	const struct pl_wire_head *head;
	struct pl_cuda_plHostFunc_args args;
	struct pl_dec dec;

	do
		expect_is(pl_lane_recv(peer.reverse, ANSWER_NS, &head), 0);
	while (head->op != PL_CUDA_OP_plHostFunc);
	dec = (struct pl_dec){ .at = (const uint8_t *)(head + 1), .end = (const uint8_t *)head + head->len_bytes };
	pl_cuda_plHostFunc_get(&dec, &args);
	assert(pl_dec_whole(&dec));
	expect_is(args.token, token);
}

static void reset_begin(void)
{
	const struct pl_cuda_cuDevicePrimaryCtxReset_v2_args args = { .device = 1 };
	struct pl_wire_head head = { .op = PL_CUDA_OP_cuDevicePrimaryCtxReset_v2,
				     .flags = PL_WIRE_ASK,
				     .ticket = ++peer.ticket };
	_Alignas(8) uint8_t body[64];
	struct pl_enc enc = { body };

	pl_cuda_cuDevicePrimaryCtxReset_v2_put(&enc, &args);
	expect_is(record_send(peer.lane, head, body, (uint32_t)pl_cuda_cuDevicePrimaryCtxReset_v2_bytes(&args)), 0);
}

static void copied_await(uint64_t token)
{
	const struct pl_wire_head *head;
	struct pl_cuda_plCopied_args args;
	struct pl_dec dec;

	expect_is(pl_lane_recv(peer.reverse, ANSWER_NS, &head), 0);
	expect_is(head->op, PL_CUDA_OP_plCopied);
	dec = (struct pl_dec){ .at = (const uint8_t *)(head + 1),
			       .end = (const uint8_t *)head + head->len_bytes,
			       .after_bytes = head->bulk_bytes };
	pl_cuda_plCopied_get(&dec, &args);
	assert(pl_dec_whole(&dec));
	expect_is(args.token, token);
	expect_is(pl_lane_drop_bulk(peer.reverse, head->bulk_bytes), 0);
}

/* What its context could end under is not made outside the session's order. */
static void copies_outside_the_order(void)
{
	struct pl_cuda_cuMemcpyDtoHAsync_v2_args args = { .size = 64, .store = ANY, .stream = STREAM };
	const struct pl_wire_head posted = { .op = PL_CUDA_OP_cuMemcpyDtoHAsync_v2 };
	_Alignas(8) uint8_t body[128];
	struct pl_wire_head head;

	cuda_open();
	args.from = alloc(4096);
	for (args.token = 1; args.token <= 4; args.token++) {
		struct pl_enc enc = { body };
		bool free = args.token % 2;

		pl_cuda_cuMemcpyDtoHAsync_v2_put(&enc, &args);
		head = posted;
		head.flags = free ? PL_WIRE_FREE : 0;
		head.ticket = free ? 0 : ++peer.ticket;
		expect_is(record_send(peer.lane, head, body, (uint32_t)pl_cuda_cuMemcpyDtoHAsync_v2_bytes(&args)), 0);
		if (!free)
			copied_await(args.token);
	}
	expect_is(CU(cuCtxSynchronize), CUDA_SUCCESS);
	peer_close(&peer);
}

/* While a stream of a context waits for the client, a reset of that waits for the stream: what they work with stays. */
static void contexts_that_end_in_the_middle(void)
{
	static const uint8_t data[4096] = { 7 };
	const uint64_t token = 7, at = 0x5a5a00000000ull;
	struct pl_lane *own, *other;
	uint64_t device, resets;

	cuda_open();
	other = peer_lane(&peer);
	own = peer.lane;
	device = alloc(65536);
	expect_is(CU(plHostPlace, .address = at, .size = 4096), CUDA_SUCCESS);
	expect_is(CU(plCopyLater, .address = device, .size = 4096, .token = token), CUDA_SUCCESS);
	function_await(token);
	expect_is(CU(cuMemcpyAsync, .to = at, .from = device, .size = 4096, .data = NO_BULK), CUDA_SUCCESS);
	reset_begin();
	resets = peer.ticket;
	peer.lane = other;
	expect_is(CU(plCurrent, .context = CTX), CUDA_ERROR_INVALID_CONTEXT); /* the reset has begun: it waits */
	expect_is(CU(cuMemFreeHost, .host = at), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plManagedRead, .start = at, .address = at, .size = 4096), CUDA_ERROR_INVALID_VALUE);
	assert(CU(plHostPlace, .address = at, .size = 4096)); /* it is there yet */
	host_bytes(token, data, sizeof(data));
	free_send(PL_CUDA_OP_plHostDone, &token, sizeof(token));
	peer.lane = own;
	device = peer.ticket;
	peer.ticket = resets;
	reply_take(&peer);
	peer.ticket = device;
	expect_is(peer.body.status, CUDA_SUCCESS);
	host_bytes(token, data, sizeof(data)); /* nothing waits for them */
	expect_is(CU(cuDevicePrimaryCtxRetain, .device = 1, .context = CTX), CUDA_SUCCESS);
	expect_is(CU(plCurrent, .context = CTX), CUDA_SUCCESS);
	expect_is(CU(plHostPlace, .address = at, .size = 4096), CUDA_SUCCESS); /* and now it is not */
	expect_is(CU(cuCtxSynchronize), CUDA_SUCCESS);
	pl_lane_destroy(other);
	peer_close(&peer);
}

/* ---- graphs ---- */

enum { GRAPH = 0xa00, NODE, EXEC, CAPTURED, CAPTURED_EXEC };

/* What was host memory at the client's address when a node was made is none when it runs. */
static void graphs_of_memory_that_is_gone(void)
{
	const uint64_t at = 0x5a5a00000000ull;
	struct pl_cuda_copy3d_record record = { .from_type = CU_MEMORYTYPE_DEVICE,
						.from_address = at,
						.to_type = CU_MEMORYTYPE_DEVICE,
						.width = 4096,
						.height = 1,
						.depth = 1 };
	struct pl_cuda_node_copy copy = { 0 };
	struct pl_enc enc = { .at = (uint8_t *)copy.copy };

	cuda_open();
	record.to_address = alloc(65536);
	expect_is(CU(plHostPlace, .address = at, .size = 4096), CUDA_SUCCESS);
	pl_cuda_copy3d_record_put(&enc, &record);
	expect_is(CU(cuGraphCreate, .graph = GRAPH), CUDA_SUCCESS);
	expect_is(CU(cuGraphAddNode, .graph = GRAPH, .node = NODE, .kind = CU_GRAPH_NODE_TYPE_MEMCPY,
		     .params = { &copy, sizeof(copy) }),
		  CUDA_SUCCESS);
	CU_EXEC(GRAPH, EXEC);
	expect_is(CU(cuStreamBeginCapture_v2, .stream = STREAM), CUDA_SUCCESS);
	expect_is(
		CU(cuMemcpyAsync, .to = at, .from = record.to_address, .size = 4096, .stream = STREAM, .data = NO_BULK),
		CUDA_SUCCESS);
	expect_is(CU(cuStreamEndCapture, .stream = STREAM, .graph = CAPTURED), CUDA_SUCCESS);
	CU_EXEC(CAPTURED, CAPTURED_EXEC);
	expect_is(CU(cuGraphLaunch, .exec = EXEC, .stream = STREAM), CUDA_SUCCESS);
	expect_is(CU(cuGraphLaunch, .exec = CAPTURED_EXEC, .stream = STREAM), CUDA_SUCCESS);
	expect_is(CU(cuStreamSynchronize, .stream = STREAM), CUDA_SUCCESS);
	expect_is(CU(cuMemFreeHost, .host = at), CUDA_SUCCESS);
	expect_is(CU(cuGraphLaunch, .exec = EXEC, .stream = STREAM), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(cuGraphLaunch, .exec = CAPTURED_EXEC, .stream = STREAM), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(cuStreamSynchronize, .stream = STREAM), CUDA_SUCCESS);
	peer_close(&peer);
}

/* ---- memory that ends while it is used ---- */

/* Return: its ticket; the reply is on that lane. */
static uint64_t ask_send(struct pl_lane *lane, uint16_t op, const void *body, uint64_t bytes, uint64_t bulk_bytes)
{
	const struct pl_wire_head head = {
		.op = op, .flags = PL_WIRE_ASK, .ticket = ++peer.ticket, .bulk_bytes = bulk_bytes
	};

	expect_is(record_send(lane, head, body, (uint32_t)bytes), 0);
	return head.ticket;
}

static int32_t answer_of(struct pl_lane *lane, uint64_t ticket)
{
	struct peer one = { .lane = lane, .ticket = ticket };

	reply_take(&one);
	return one.body.status;
}

/* A driver that is asked on a thread without a context frees nothing: the memory stays where the device reaches it. */
static void frees_that_are_refused(void)
{
	const uint64_t at = 0x5a5a00000000ull;
	struct pl_lane *own, *other;
	uint64_t device;

	cuda_open();
	own = peer.lane;
	other = peer_lane(&peer);
	device = alloc(4096);
	expect_is(CU(plHostPlace, .address = at, .size = 4096), CUDA_SUCCESS);
	peer.lane = other;
	expect_is(CU(cuMemFreeHost, .host = at), CUDA_ERROR_INVALID_CONTEXT);
	peer.lane = own;
	expect_is(CU(cuMemcpyAsync, .to = device, .from = at, .size = 4096, .data = NO_BULK), CUDA_SUCCESS);
	expect_is(CU(cuCtxSynchronize), CUDA_SUCCESS);
	expect_is(CU(plManagedRead, .start = at, .address = at, .size = 4096), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(cuMemFreeHost, .host = at), CUDA_SUCCESS);
	expect_is(CU(cuMemFreeHost, .host = at), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plHostPlace, .address = at, .size = 4096), CUDA_SUCCESS);
	pl_lane_destroy(other);
	peer_close(&peer);
}

/* A copy that is waited for gives the session's turn on: the end of its memory has to wait for it. */
static void copies_whose_memory_ends_meanwhile(void)
{
	const uint64_t at = 0x5a5a00000000ull, most = 16u << 20;
	struct pl_cuda_cuMemcpyHtoDAsync_v2_args copy = { .to = at,
							  .size = most,
							  .data = { .kind = PL_BULK_AFTER, .bytes = most } };
	const struct pl_cuda_cuMemFreeHost_args host = { .host = at };
	_Alignas(8) uint8_t body[2][128];
	struct pl_enc encs[2] = { { body[0] }, { body[1] } };
	uint8_t *data = calloc(1, most);
	struct pl_lane *own, *other;
	unsigned int made = 0;
	int32_t status;

	assert(data);
	cuda_open();
	own = peer.lane;
	other = peer_lane(&peer);
	peer.lane = other;
	expect_is(CU(plCurrent, .context = CTX), CUDA_SUCCESS);
	peer.lane = own;
	pl_cuda_cuMemcpyHtoDAsync_v2_put(&encs[0], &copy);
	pl_cuda_cuMemFreeHost_put(&encs[1], &host);
	for (int i = 0; i < 20; i++) {
		uint64_t copies, ends;

		expect_is(CU(plHostPlace, .address = at, .size = most), CUDA_SUCCESS);
		copies = ask_send(peer.lane, PL_CUDA_OP_cuMemcpyHtoDAsync_v2, body[0],
				  pl_cuda_cuMemcpyHtoDAsync_v2_bytes(&copy), most);
		expect_is(pl_lane_send_bulk(peer.lane, data, most), 0);
		ends = ask_send(other, PL_CUDA_OP_cuMemFreeHost, body[1], pl_cuda_cuMemFreeHost_bytes(&host), 0);
		status = answer_of(peer.lane, copies);
		assert(!status || status == CUDA_ERROR_INVALID_VALUE); /* whichever was first */
		made += !status;
		expect_is(answer_of(other, ends), CUDA_SUCCESS);
	}
	printf("     %u copies were made\n", made);
	pl_lane_destroy(other);
	peer_close(&peer);
	free(data);
}

/* ---- bytes that are received where they belong ---- */

#define PLACED_BYTES (4u << 20)
#define PLACED_LEFT  64u

static uint8_t placed_data[PLACED_BYTES];

/* On a lane of its own, all but the last bytes, which is more than a lane has room for: it has begun.  Return: ticket.
 */
static uint64_t placed_begin(struct pl_lane *lane, uint64_t address)
{
	struct pl_cuda_cuMemcpyHtoDAsync_v2_args copy = { .to = address,
							  .size = PLACED_BYTES,
							  .data = { .kind = PL_BULK_AFTER, .bytes = PLACED_BYTES } };
	_Alignas(8) uint8_t body[128];
	struct pl_enc enc = { body };
	uint64_t ticket;

	pl_cuda_cuMemcpyHtoDAsync_v2_put(&enc, &copy);
	ticket = ask_send(lane, PL_CUDA_OP_cuMemcpyHtoDAsync_v2, body, pl_cuda_cuMemcpyHtoDAsync_v2_bytes(&copy),
			  PLACED_BYTES);
	expect_is(pl_lane_send_bulk(lane, placed_data, PLACED_BYTES - PLACED_LEFT), 0);
	return ticket;
}

static void placed_end(struct pl_lane *lane, uint64_t ticket)
{
	expect_is(pl_lane_send_bulk(lane, placed_data + PLACED_BYTES - PLACED_LEFT, PLACED_LEFT), 0);
	expect_is(answer_of(lane, ticket), CUDA_SUCCESS);
}

/* Another lane, in the same context. */
static struct pl_lane *placed_lane(void)
{
	struct pl_lane *own, *other;

	memset(placed_data, 0x5a, sizeof(placed_data));
	cuda_open();
	own = peer.lane;
	other = peer_lane(&peer);
	peer.lane = other;
	expect_is(CU(plCurrent, .context = CTX), CUDA_SUCCESS);
	peer.lane = own;
	return other;
}

/* The stream is at work until they are all there, and the memory stays.  One that breaks off takes nobody along. */
static void copies_that_are_received_in_place(void)
{
	struct pl_lane *other = placed_lane();
	const struct pl_cuda_cuMemFree_v2_args gone = { .address = alloc(PLACED_BYTES) };
	_Alignas(8) uint8_t body[64];
	struct pl_enc enc = { body };
	uint64_t copies, ends;

	pl_cuda_cuMemFree_v2_put(&enc, &gone);
	copies = placed_begin(other, gone.address);
	expect_is(CU(cuStreamQuery, .stream = 0), CUDA_ERROR_NOT_READY);
	ends = ask_send(peer.lane, PL_CUDA_OP_cuMemFree_v2, body, pl_cuda_cuMemFree_v2_bytes(&gone), 0);
	placed_end(other, copies);
	expect_is(answer_of(peer.lane, ends), CUDA_SUCCESS);
	expect_is(CU(cuStreamQuery, .stream = 0), CUDA_SUCCESS);
	expect_is(CU(cuMemcpyHtoDAsync_v2, .to = gone.address, .size = 4, .data = NO_BULK), CUDA_ERROR_INVALID_VALUE);
	(void)placed_begin(other, alloc(PLACED_BYTES));
	pl_lane_destroy(other);
	peer_close(&peer);
}

/* Nor does the memory move, whichever context asks for that. */
static void memory_that_moves_while_it_is_received(void)
{
	enum { OTHER_CTX = 0x910 };
	static uint8_t back[PLACED_BYTES];
	struct pl_lane *other = placed_lane();
	const struct pl_cuda_cuIpcGetMemHandle_args moved = { .address = alloc(PLACED_BYTES) };
	_Alignas(8) uint8_t body[64];
	struct pl_enc enc = { body };
	uint64_t copies, moves;

	expect_is(CU(cuCtxCreate_v2, .device = 1, .context = OTHER_CTX), CUDA_SUCCESS);
	expect_is(CU(plCurrent, .context = OTHER_CTX), CUDA_SUCCESS);
	pl_cuda_cuIpcGetMemHandle_put(&enc, &moved);
	copies = placed_begin(other, moved.address);
	moves = ask_send(peer.lane, PL_CUDA_OP_cuIpcGetMemHandle, body, pl_cuda_cuIpcGetMemHandle_bytes(&moved), 0);
	nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
	placed_end(other, copies);
	expect_is(answer_of(peer.lane, moves), CUDA_SUCCESS);
	expect_is(CU(cuMemcpyDtoHAsync_v2, .from = moved.address, .size = PLACED_BYTES, .wait = 1, .store = ANY),
		  CUDA_SUCCESS);
	expect_is(pl_lane_recv_bulk(peer.lane, back, PLACED_BYTES), 0);
	assert(!memcmp(placed_data, back, PLACED_BYTES));
	pl_lane_destroy(other);
	peer_close(&peer);
}

const struct hostile_case cases_aim[] = {
	{ "aim: copies of lines that have slices", lines_that_have_slices, false },
	{ "aim: logs of two sizes", logs_of_two_sizes, false },
	{ "aim: bytes that come late", bytes_that_come_late, false },
	{ "aim: contexts that end in the middle", contexts_that_end_in_the_middle, false },
	{ "aim: copies outside the order", copies_outside_the_order, false },
	{ "aim: frees that are refused", frees_that_are_refused, false },
	{ "aim: copies whose memory ends meanwhile", copies_whose_memory_ends_meanwhile, false },
	{ "aim: copies that are received in place", copies_that_are_received_in_place, false },
	{ "aim: memory that moves while it is received", memory_that_moves_while_it_is_received, false },
	{ "aim: graphs of memory that is gone", graphs_of_memory_that_is_gone, false },
	{ NULL, NULL, false },
};
