/* CUDA: streams that are captured, and what must not come into their graphs. */
#include "calls-cuda.h"

#include "cuda/graph.h"
#include "cuda/memory.h"
#include "cuda/result.h"
#include "cuda/stream.h"
#include "cuda/texture.h"
#include "wire/cuda.h"

#define BYTES 4096u

static struct peer peer;

enum { CTX = 0x900, STREAM, GRAPH, ARRAY };

/* With a stream that is captured.  Return: device memory. */
static uint64_t capture_open(void)
{
	struct pl_cuda_cuMemAlloc_v2_reply got;

	peer_open_cuda(&peer, server.unix_address);
	expect_is(CU(cuDevicePrimaryCtxRetain, .device = 1, .context = CTX), CUDA_SUCCESS);
	expect_is(CU(plCurrent, .context = CTX), CUDA_SUCCESS);
	expect_is(CU(cuStreamCreate, .stream = STREAM, .flags = CU_STREAM_NON_BLOCKING), CUDA_SUCCESS);
	expect_is(CU(cuMemAlloc_v2, .bytes = BYTES, .store = UINT64_MAX), CUDA_SUCCESS);
	pl_cuda_cuMemAlloc_v2_reply_get(&peer.dec, &got);
	assert(pl_dec_whole(&peer.dec));
	expect_is(CU(cuStreamBeginCapture_v2, .stream = STREAM, .mode = CU_STREAM_CAPTURE_MODE_RELAXED), CUDA_SUCCESS);
	return got.address;
}

/* It goes on, and nothing is in it. */
static void capture_close(void)
{
	struct pl_cuda_cuGraphGetNodes_reply got;

	expect_is(CU(cuStreamEndCapture, .stream = STREAM, .graph = GRAPH), CUDA_SUCCESS);
	expect_is(CU(cuGraphGetNodes, .graph = GRAPH), CUDA_SUCCESS);
	pl_cuda_cuGraphGetNodes_reply_get(&peer.dec, &got);
	assert(pl_dec_whole(&peer.dec) && !got.nodes_count);
	peer_close(&peer);
}

static struct pl_cuda_copy3d_record lines(uint64_t device, bool to_host)
{
	struct pl_cuda_copy3d_record copy = { .width = 16, .height = 4, .depth = 2 };

	if (to_host) {
		copy.from_type = CU_MEMORYTYPE_DEVICE;
		copy.from_address = device;
		copy.to_type = CU_MEMORYTYPE_HOST;
	} else {
		copy.from_type = CU_MEMORYTYPE_HOST;
		copy.to_type = CU_MEMORYTYPE_DEVICE;
		copy.to_address = device;
	}
	return copy;
}

static int32_t shape_status(struct pl_cuda_copy3d_record copy)
{
	return CU(plShapeCaptured, .copy = copy, .stream = STREAM, .token = 4711);
}

static void shapes_that_lie(void)
{
	uint64_t device = capture_open();

	for (int to_host = 0; to_host < 2; to_host++) {
		struct pl_cuda_copy3d_record copy = lines(device, to_host);
		uint64_t *address = to_host ? &copy.from_address : &copy.to_address;
		uint64_t *z = to_host ? &copy.from_z : &copy.to_z;

		copy.depth = 0;
		expect_is(shape_status(copy), CUDA_ERROR_INVALID_VALUE);
		copy.depth = UINT64_MAX / 2;
		expect_is(shape_status(copy), CUDA_ERROR_INVALID_VALUE);
		copy.depth = 1000; /* more than the memory has */
		expect_is(shape_status(copy), CUDA_ERROR_INVALID_VALUE);
		copy.depth = 2;
		copy.from_type = copy.to_type = CU_MEMORYTYPE_HOST;
		expect_is(shape_status(copy), CUDA_ERROR_INVALID_VALUE);
		copy.from_type = copy.to_type = CU_MEMORYTYPE_DEVICE;
		expect_is(shape_status(copy), CUDA_ERROR_INVALID_VALUE);
		copy = lines(device, to_host);
		*address = (uintptr_t)&copy; /* it would be one of the worker's own */
		expect_is(shape_status(copy), CUDA_ERROR_INVALID_VALUE);
		*z = UINT64_MAX;
		expect_is(shape_status(copy), CUDA_ERROR_INVALID_VALUE);
		copy = lines(device, to_host);
		*(to_host ? &copy.to_x : &copy.from_x) = 8; /* no place but its own */
		expect_is(shape_status(copy), CUDA_ERROR_INVALID_VALUE);
		copy = lines(device, to_host);
		*(to_host ? &copy.from_type : &copy.to_type) = CU_MEMORYTYPE_ARRAY;
		expect_is(shape_status(copy), CUDA_ERROR_INVALID_HANDLE);
	}
	capture_close();
}

static void shapes_of_no_capture(void)
{
	struct pl_cuda_copy3d_record copy = lines(capture_open(), false);

	expect_is(CU(plShapeCaptured, .copy = copy, .stream = 0, .token = 4711), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
	expect_is(CU(plShapeCaptured, .copy = copy, .stream = 77, .token = 4711), CUDA_ERROR_INVALID_HANDLE);
	capture_close();
}

/* A copy whose bytes come behind its record. */
static int32_t copy_behind(uint64_t device, const void *bytes, uint64_t count)
{
	struct pl_cuda_cuMemcpyHtoDAsync_v2_args args = {
		.to = device, .size = count, .stream = STREAM, .data = { .kind = PL_BULK_AFTER, .bytes = count }
	};
	_Alignas(8) uint8_t body[256];
	struct pl_enc enc = { body };

	pl_cuda_cuMemcpyHtoDAsync_v2_put(&enc, &args);
	ask_with_bulk(&peer, PL_CUDA_OP_cuMemcpyHtoDAsync_v2, body, (uint32_t)pl_cuda_cuMemcpyHtoDAsync_v2_bytes(&args),
		      bytes, count);
	return peer.body.status;
}

/* Of memory of the worker's that is gone when a graph with them is launched. */
static void copies_that_a_graph_would_keep(void)
{
	static const uint8_t bytes[BYTES];
	const struct pl_bulk few = { .kind = PL_BULK_INLINE, .data = bytes, .bytes = 128 };
	const int32_t want = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
	uint64_t device = capture_open();

	expect_is(CU(cuMemcpyHtoDAsync_v2, .to = device, .size = 128, .stream = STREAM, .data = few), want);
	expect_is(copy_behind(device, bytes, sizeof(bytes)), want);
	expect_is(CU(plCopyLater, .address = device, .size = 128, .stream = STREAM, .token = 4711), want);
	for (uint32_t wait = 0; wait < 2; wait++)
		for (uint64_t store = 0; store < 2; store++)
			expect_is(CU(cuMemcpyDtoHAsync_v2, .from = device, .size = 128, .stream = STREAM, .wait = wait,
				     .store = store - 1),
				  want);
	for (int op = PL_CUDA_OP_cuMemcpy3DPeerAsync; op <= PL_CUDA_OP_cuMemcpy3DAsync_v2; op += 2) {
		struct pl_cuda_cuMemcpy3DPeerAsync_args args = { .copy = lines(device, false),
								 .stream = STREAM,
								 .data = few };
		_Alignas(8) uint8_t body[1024];
		struct pl_enc enc = { body };

		pl_cuda_cuMemcpy3DPeerAsync_put(&enc, &args);
		ask_raw(&peer, (uint16_t)op, body, (uint32_t)pl_cuda_cuMemcpy3DPeerAsync_bytes(&args));
		expect_is(peer.body.status, want);
	}
	expect_is(CU(cuMemcpy3DPeerAsync, .copy = lines(device, true), .stream = STREAM, .wait = 1, .store = 0), want);
	expect_is(
		CU(cuMemcpy3DPeerAsync, .copy = lines(device, true), .stream = STREAM, .wait = 1, .store = UINT64_MAX),
		want);
	expect_is(
		CU(cuArrayCreate_v2, .handle = ARRAY, .given = 1,
		   .descriptor = { .Width = 128, .Height = 1, .Format = CU_AD_FORMAT_UNSIGNED_INT8, .NumChannels = 1 }),
		CUDA_SUCCESS);
	expect_is(CU(cuMemcpyHtoAAsync_v2, .array = ARRAY, .size = 128, .stream = STREAM, .data = few), want);
	expect_is(
		CU(cuMemcpyAtoHAsync_v2, .array = ARRAY, .size = 128, .stream = STREAM, .wait = 1, .store = UINT64_MAX),
		want);
	capture_close();
}

const struct hostile_case cases_capture[] = {
	{ "cuda: captured lines and slices that lie", shapes_that_lie, false },
	{ "cuda: captured lines of no capture", shapes_of_no_capture, false },
	{ "cuda: copies that a captured graph would keep", copies_that_a_graph_would_keep, false },
	{ NULL, NULL, false },
};
