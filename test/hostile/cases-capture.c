/* CUDA: streams that are captured, and what must not come into their graphs. */
#include "calls-cuda.h"

#include "cuda/graph.h"
#include "cuda/memory.h"
#include "cuda/result.h"
#include "cuda/stream.h"
#include "wire/cuda.h"

#define BYTES 4096u

static struct peer peer;

enum { CTX = 0x900, STREAM, GRAPH };

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

const struct hostile_case cases_capture[] = {
	{ "cuda: captured lines and slices that lie", shapes_that_lie, false },
	{ "cuda: captured lines of no capture", shapes_of_no_capture, false },
	{ NULL, NULL, false },
};
